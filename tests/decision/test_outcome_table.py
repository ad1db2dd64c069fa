"""Utility of the joint outcome: what the association can and cannot change, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from doseopt_bayes.decision.decide import decide
from doseopt_bayes.decision.outcome_table import OutcomeTable
from doseopt_bayes.decision.rules import AnyDose, Tolerable
from doseopt_bayes.errors import DoseOptError
from tests.conftest import make_posterior

BOIN12 = OutcomeTable(neither=40, efficacy=100, toxicity=0, both=60)
BENT = OutcomeTable(neither=30, efficacy=100, toxicity=0, both=40)
probability = st.floats(0.01, 0.99)


def cells(eff, tox, both):
    values = np.stack([1 - eff - tox + both, eff - both, tox - both, both], axis=-1)
    dims = (*(f"d{i}" for i in range(values.ndim - 1)), "cell")
    return xr.DataArray(values, dims=dims, coords={"cell": ["N", "E", "T", "B"]})


def at(table, eff, tox, both):
    return float(table({"p_cell": cells(np.array(eff), np.array(tox), np.array(both))}))


@settings(max_examples=200)
@given(eff=probability, tox=probability, place=st.tuples(probability, probability))
def test_the_association_moves_only_a_table_that_is_not_additive(eff, tox, place):
    low, high = max(0.0, eff + tox - 1), min(eff, tox)  # Frechet bounds of Pr(both)
    first, second = (low + f * (high - low) for f in place)
    assert at(BOIN12, eff, tox, first) == pytest.approx(at(BOIN12, eff, tox, second), abs=1e-9)
    assert at(BOIN12, eff, tox, first) == pytest.approx(60 * eff + 40 * (1 - tox), abs=1e-9)
    moved = at(BENT, eff, tox, second) - at(BENT, eff, tox, first)
    assert moved == pytest.approx(-30 * (second - first), abs=1e-9)  # both + neither - eff - tox


@settings(max_examples=100)
@given(numbers=st.lists(st.floats(-100, 100), min_size=4, max_size=4, unique=True), p=probability)
def test_words_state_the_identity_of_every_additive_table(numbers, p):
    low, a, b, _ = sorted(numbers)
    table = OutcomeTable(neither=a, toxicity=low, both=b, efficacy=a + b - low)
    assert table.additive
    expected = (table.efficacy - a) * p + (a - low) * (1 - 0.3) + low
    assert at(table, p, 0.3, 0.3 * p) == pytest.approx(expected, abs=1e-9)
    assert "additive" in " ".join(table.words())


def test_words_say_which_kind_it_is():
    assert "u = 60 p_eff + 40 (1 - p_tox) + 0" in str(BOIN12)
    assert "not additive" in str(BENT)
    assert OutcomeTable(neither=0.1, efficacy=0.3, toxicity=0.0, both=0.2).additive  # 0.1 + 0.2
    odd = OutcomeTable(neither=40, efficacy=100, toxicity=50, both=20, allow_nonmonotone=True)
    assert "NOT MONOTONE" in str(odd)


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        ((100, 60, 0, 40), "not monotone"),  # no efficacy and no toxicity above efficacy: F07
        ((40, 100, 60, 50), "not monotone"),
        ((40, 100, 0, 110), "not monotone"),
        ((-1, 100, 0, 60), "not monotone"),
        ((40, float("nan"), 0, 60), "finite"),
        ((1, 1, 1, 1), "worth the same"),
    ],
)
def test_senseless_tables_are_refused(numbers, said):
    with pytest.raises(DoseOptError, match=said):
        OutcomeTable(*numbers)


def test_wrong_cells_are_refused_and_their_order_is_not_trusted():
    p = cells(np.array(0.5), np.array(0.3), np.array(0.1))
    assert float(BOIN12({"p_cell": p.isel(cell=[3, 1, 0, 2])})) == pytest.approx(58)
    with pytest.raises(DoseOptError, match="p_cell has cells"):
        BOIN12({"p_cell": p.isel(cell=[0, 1, 2])})


def test_it_decides_and_keeps_every_dim_but_cell():
    rng = np.random.default_rng(1)
    p = rng.dirichlet([3, 5, 1, 2], (4, 250, 3))
    post = make_posterior(p[..., 2] + p[..., 3], p[..., 1] + p[..., 3])
    draws = post.draws.assign(p_cell=(("chain", "draw", "dose", "cell"), p))
    draws = draws.assign_coords(cell=["N", "E", "T", "B"])
    tree = xr.DataTree.from_dict({"posterior": draws, "seen": post.seen})
    post = replace(post, tree=tree)
    expected = p @ np.array([30, 100, 0, 40])
    assert BENT(draws).dims == ("chain", "draw", "dose")
    np.testing.assert_allclose(BENT(draws), expected)
    rules = Tolerable(0.9, 0.1) & AnyDose()
    for criterion in ("mean_utility", "utility_of_means"):
        decision = decide(post, BENT, rules, criterion=criterion)
        np.testing.assert_allclose(decision.table["utility"], expected.mean((0, 1)))
        np.testing.assert_allclose(decision.table["criterion"], expected.mean((0, 1)))
        assert decision.table["criterion"].dims == ("dose",)
        assert "cell" not in decision.table.dims
