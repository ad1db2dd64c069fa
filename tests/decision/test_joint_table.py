"""Tables over more than two endpoints, against enumeration written here and simulated patients."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from doseopt_bayes.decision.joint_table import JointTable
from doseopt_bayes.decision.outcome_table import OutcomeTable
from doseopt_bayes.errors import DoseOptError

THREE = {"eff": 100, "eff+stop": 80, "eff+tox": 60, "tox+stop+eff": 40,
         "none": 50, "stop": 30, "tox": 20, "tox+stop": 0}  # fmt: skip
TABLE = JointTable(THREE, harms=("tox", "stop"))
unit = st.floats(0.01, 0.99)


def draws(p_eff, p_tox, p_stop, both=None):
    both = p_eff * p_tox if both is None else both
    cells = [1 - p_eff - p_tox + both, p_eff - both, p_tox - both, both]
    p_cell = xr.DataArray(cells, coords={"cell": list("NETB")}, dims="cell")
    return {"p_cell": p_cell, "p_stop": xr.DataArray(p_stop)}


def test_two_endpoints_are_the_outcome_table():
    two = JointTable({"none": 40, "eff": 100, "tox": 0, "eff+tox": 60})
    p = draws(0.5, 0.3, 0.1, both=0.25)
    assert two.reads == ("p_cell",)
    assert float(two(p)) == pytest.approx(float(OutcomeTable(40, 100, 0, 60)(p)), rel=1e-12)


def test_three_endpoints_are_the_mean_of_simulated_patients():
    rng = np.random.default_rng(1)
    n, p_eff, p_tox, p_stop, both = 400_000, 0.55, 0.3, 0.2, 0.2
    cell = rng.choice(4, n, p=[1 - p_eff - p_tox + both, p_eff - both, p_tox - both, both])
    eff, tox, stop = np.isin(cell, (1, 3)), np.isin(cell, (2, 3)), rng.random(n) < p_stop
    worth = np.select(
        [eff & tox & stop, eff & tox, eff & stop, eff, tox & stop, tox, stop],
        [40, 60, 80, 100, 0, 20, 30], default=50,
    )  # fmt: skip
    error = worth.std() / np.sqrt(n)
    assert float(TABLE(draws(p_eff, p_tox, p_stop, both))) == pytest.approx(
        worth.mean(), abs=4 * error
    )


@settings(deadline=None, max_examples=60)
@given(unit, unit, unit, st.floats(0.001, 0.01))
def test_it_rises_with_benefit_and_falls_with_each_harm(eff, tox, stop, step):
    base = float(TABLE(draws(eff, tox, stop)))
    assert float(TABLE(draws(min(1, eff + step), tox, stop))) > base
    assert float(TABLE(draws(eff, min(1, tox + step), stop))) < base
    assert float(TABLE(draws(eff, tox, min(1, stop + step)))) < base


def test_the_order_of_keys_and_of_events_changes_nothing():
    turned = {"+".join(reversed(k.split("+"))): v for k, v in reversed(THREE.items())}
    assert JointTable(turned, harms=("stop", "tox")).outcomes == TABLE.outcomes


@pytest.mark.parametrize(
    ("change", "harms", "said"),
    [
        ({"stop": None}, ("tox", "stop"), "no stop"),
        ({"eff": float("nan")}, ("tox", "stop"), "finite"),
        ({"stop": 60}, ("tox", "stop"), r"stop \(60\) against none \(50\)"),
        ({}, ("tox",), "not monotone"),
        ({}, ("tox", "stop", "eff"), "eff is not"),
        ({}, ("tox", "pain"), "endpoints of the table"),
    ],
)
def test_a_table_that_is_wrong_is_refused(change, harms, said):
    table = {k: v for k, v in (THREE | change).items() if v is not None}
    with pytest.raises(DoseOptError, match=said):
        JointTable(table, harms=harms)


def test_what_is_meant_can_be_said_and_is_printed():
    meant = JointTable(THREE | {"stop": 60}, harms=("tox", "stop"), allow_nonmonotone=True)
    assert "NOT MONOTONE" in str(meant)
    assert "independent of toxicity and efficacy" in str(TABLE)
