"""What a utility implies before data: elicited points come back, and what is odd is said."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from doseopt_bayes.decision import UTILITIES
from doseopt_bayes.decision.cui import CUI, Attribute, Linear
from doseopt_bayes.decision.desirability import Desirability, OnTarget, Product
from doseopt_bayes.decision.implied import preview_utility
from doseopt_bayes.decision.joint_table import JointTable
from doseopt_bayes.decision.outcome_table import OutcomeTable
from doseopt_bayes.decision.penalised import Penalised
from doseopt_bayes.decision.plane import Plane, needed
from doseopt_bayes.decision.utility import LpContour
from doseopt_bayes.decision.values import Larger, Smaller, Target
from doseopt_bayes.errors import DoseOptError

BOTH = {"p_eff": Attribute(2, "benefit"), "p_tox": Attribute(1, "harm")}
ALL = {
    "lp_contour": LpContour(0.5, 0.65, (0.7, 0.25)),
    "cui": CUI(BOTH),
    "outcome_table": OutcomeTable(neither=40, efficacy=100, toxicity=0, both=60),
    "desirability": Desirability(
        {
            "p_eff": Attribute(1, "benefit", Larger(0.1, 0.6)),
            "p_tox": Attribute(1, "harm", Smaller(0.1, 0.5)),
        }
    ),
    "product": Product(BOTH),
    "penalised": Penalised(0.3),
    "joint_table": JointTable({"none": 40, "eff": 100, "tox": 0, "eff+tox": 60}),
}
# no trade-off against efficacy to preview
TOXICITY_ALONE = {"target_interval", "closest_to_target"}


def test_every_registered_utility_is_here():
    assert set(ALL) | TOXICITY_ALONE == set(UTILITIES)


@pytest.mark.parametrize("name", ALL)
def test_each_speaks_in_a_few_lines_and_none_is_odd(name):
    seen = preview_utility(ALL[name])
    assert seen.warnings == ()
    assert 4 <= len(str(seen).splitlines()) <= 10
    assert len(seen.to_frame()) == 5
    assert seen.table["u"].dims == ("p_tox", "p_eff")


def test_the_elicited_points_of_thall_2014_come_back():
    """Thall et al. (2014): (0.5, 0), (0.7, 0.25) and (1, 0.65) are equally desirable."""
    seen = preview_utility(ALL["lp_contour"], reference=(0.5, 0.0), tox=[0, 0.25, 0.65, 0.66])
    np.testing.assert_allclose(seen.table["needed"][:3], [0.5, 0.7, 1.0], atol=1e-9)
    assert math.isnan(seen.table["needed"][3])
    assert "with p_tox 0.66 no p_eff up to 1 is worth as much" in str(seen)
    assert float(seen.table["reference_u"]) == pytest.approx(0, abs=1e-12)


def test_the_exchange_rate_of_boin12_is_that_of_its_table():
    """Lin et al. (2020): utilities 100, 60, 40, 0, so u = 60 p_eff + 40 (1 - p_tox)."""
    seen = preview_utility(ALL["outcome_table"], tox=[0.3])
    assert seen.table["needed"].item() == pytest.approx(0.5 + 0.3 * 40 / 60)
    np.testing.assert_allclose(seen.table["rate"], 2 / 3, atol=1e-6)
    assert "independent" in str(seen)
    assert "the first 0.1 of toxicity costs 0.067 of efficacy" in str(seen)


@settings(max_examples=50, deadline=None)
@given(
    weight=st.floats(0.05, 0.95),
    eff=st.floats(0.05, 0.95),
    tox=st.floats(0, 0.9),
    other=st.floats(0, 1),
)
def test_indifference_of_an_index_is_the_one_on_paper(weight, eff, tox, other):
    u = CUI({"p_eff": Attribute(weight, "benefit"), "p_tox": Attribute(1 - weight, "harm")})
    plane = Plane(u, {})
    found = needed(plane, np.array([other]), float(plane(np.array(eff), np.array(tox))))[0].item()
    exact = eff + (1 - weight) / weight * (other - tox)
    if exact < -1e-9 or exact > 1 + 1e-9:
        assert math.isnan(found)
    elif 1e-9 < exact < 1 - 1e-9:
        assert found == pytest.approx(exact, abs=1e-9)


@settings(max_examples=25, deadline=None)
@given(name=st.sampled_from(sorted(ALL)), eff=st.floats(0, 1), tox=st.floats(0, 1))
def test_the_points_are_worth_the_reference(name, eff, tox):
    plane = Plane(ALL[name], {})
    level = float(plane(np.array(eff), np.array(tox)))
    asked = np.array([tox, 0.05, 0.15, 0.25, 0.45, 0.75])
    found, _ = needed(plane, asked, level)
    assert found[0] <= eff + 1e-9  # lower where the last bit of efficacy is worth nothing
    exists = ~np.isnan(found)
    there = plane(found[exists], asked[exists])
    np.testing.assert_allclose(there, level, atol=1e-6 * plane.span)


def test_flat_regions_are_said():
    u = CUI(
        {
            "p_eff": Attribute(2, "benefit", Linear(0.0, 1 / 3)),
            "p_tox": Attribute(1, "harm", Linear(0.5, 0.1)),
        }
    )
    said = str(preview_utility(u))
    for words in (
        "does not distinguish efficacy above 0.333",
        "does not distinguish toxicity below 0.1",
        "does not distinguish toxicity above 0.5",
        "more efficacy than 0.333 is worth nothing there",
    ):
        assert words in said
    assert "distinguish" not in str(preview_utility(ALL["cui"]))
    assert "does not read toxicity" in str(preview_utility(CUI({"p_eff": Attribute(1, "benefit")})))
    only = preview_utility(CUI({"p_tox": Attribute(1, "harm")}))
    assert "does not read efficacy" in str(only)
    assert only.table["rate"].isnull().all()
    assert only.table["why_not"].to_numpy().tolist() == ["no p_eff up to 1 is worth as much"] * 5


def test_where_every_efficacy_is_worth_more():
    seen = preview_utility(ALL["cui"], reference=(0.0, 0.5), tox=[0.1])
    assert "with p_tox 0.1 every p_eff is worth more" in str(seen)


def test_a_jump_is_said():
    assert "jumps from 0.401 to 0.074 at toxicity 0.3" in str(preview_utility(Penalised(0.3)))
    steep = CUI(
        {"p_eff": Attribute(1, "benefit"), "p_tox": Attribute(9, "harm", Linear(0.31, 0.3))}
    )
    assert "jumps" not in str(preview_utility(steep))


def test_a_utility_that_runs_the_wrong_way_is_said():
    """F07: exchanged numbers."""
    odd = OutcomeTable(neither=40, efficacy=100, toxicity=50, both=20, allow_nonmonotone=True)
    seen = preview_utility(odd)
    assert len(seen.warnings) == 2
    assert "CHECK: the utility FALLS with efficacy" in str(seen)
    assert "RISES with toxicity" in str(seen)
    target = Desirability({"p_eff": OnTarget(1, target=Target(0.1, 0.3, 0.6))})
    assert "FALLS with efficacy" in preview_utility(target).warnings[0]


def test_weights_that_do_not_sum_to_one_are_scaled_and_said():
    assert "(weights divided by their sum, 3)" in str(CUI(BOTH))
    whole = CUI({"p_eff": Attribute(0.7, "benefit"), "p_tox": Attribute(0.3, "harm")})
    assert "(weights divided by their sum)" in str(whole)
    tenfold = CUI({"p_eff": Attribute(7, "benefit"), "p_tox": Attribute(3, "harm")})
    np.testing.assert_allclose(
        preview_utility(whole).table["u"], preview_utility(tenfold).table["u"]
    )


def test_other_attributes_are_held_where_it_is_said():
    three = CUI({**BOTH, "p_qol": Attribute(1, "benefit")})
    with pytest.raises(DoseOptError, match=r"also reads p_qol") as e:
        preview_utility(three)
    assert "held={'p_qol': ...}" in str(e.value)
    seen = preview_utility(three, held={"p_qol": 0.4})
    assert "p_qol held at 0.4" in str(seen)
    assert float(seen.table["reference_u"]) == pytest.approx((2 * 0.5 + 1 + 0.4) / 4)


@pytest.mark.parametrize(
    ("utility", "arguments", "said"),
    [
        (ALL["cui"], {"held": {"p_qol": 0.4}}, "does not read"),
        (ALL["cui"], {"held": {"p_tox": 0.4}}, "is an axis"),
        (ALL["cui"], {"reference": (50, 0)}, r"must lie in 0\.\.1"),
        (ALL["cui"], {"tox": [-0.1]}, r"must lie in 0\.\.1"),
        (CUI({"p_qol": Attribute(1, "benefit")}), {}, "neither efficacy nor toxicity"),
    ],
)
def test_what_makes_no_sense_is_refused(utility, arguments, said):
    with pytest.raises(DoseOptError, match=said):
        preview_utility(utility, **arguments)
