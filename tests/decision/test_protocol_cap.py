"""A dose above the protocol cap is never recommended, and what the cap changed is said (F13)."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from doseopt_bayes.decision.algebra import without_absolute
from doseopt_bayes.decision.criteria import LowestWithinDelta
from doseopt_bayes.decision.cui import CUI, Attribute
from doseopt_bayes.decision.decide import decide
from doseopt_bayes.decision.rules import Active, AnyDose, ProtocolCap, Tolerable, TriedOnly
from doseopt_bayes.decision.tipping import has_tipping, tipping_points
from doseopt_bayes.decision.utility import LpContour
from doseopt_bayes.errors import DoseOptError
from tests.conftest import make_posterior

LP = LpContour(0.5, 0.65, (0.7, 0.25))
INDEX = CUI({"p_eff": Attribute(2, "benefit"), "p_tox": Attribute(1, "harm")})
DOSES = (15.0, 30.0, 45.0)
OPEN = Tolerable(0.9, certainty=0.1) & AnyDose()
CRITERIA = ("utility_of_means", "mean_utility", "max_prob_obd", LowestWithinDelta(0.1, 0.6))


def certain(p_tox, p_eff, doses=DOSES):
    rng = np.random.default_rng(5)
    size = (4, 250, len(p_tox))
    draws = (np.clip(p + 1e-3 * rng.normal(size=size), 1e-6, 1 - 1e-6) for p in (p_tox, p_eff))
    post = make_posterior(*draws, doses=doses)
    post.draws["dose"].attrs["units"] = "mg"
    return post


RISING = certain([0.05, 0.1, 0.15], [0.3, 0.6, 0.9])


def test_a_dose_above_it_that_would_lead_is_not_recommended_and_it_is_said():
    assert float(decide(RISING, LP, OPEN).recommended) == 45.0
    decision = decide(RISING, LP, OPEN & ProtocolCap(30, "toxicology study"))
    assert float(decision.recommended) == 30.0
    assert "45 mg would lead but for the protocol cap of 30 mg." in decision.cautions
    assert "45 mg would lead but for" in decision.text
    why = "it is not admissible: above the protocol cap of 30 mg (toxicology study)."
    assert why in decision.text
    assert math.isnan(float(decision.table["rank"].sel(dose=45.0)))
    # its estimates stay
    np.testing.assert_allclose(decision.table["utility"], decide(RISING, LP, OPEN).table["utility"])


def test_nothing_is_said_when_it_changes_nothing():
    decision = decide(certain([0.05, 0.1, 0.6], [0.3, 0.9, 0.9]), LP, OPEN & ProtocolCap(30))
    assert float(decision.recommended) == 30.0
    assert not any("protocol cap" in c for c in decision.cautions)
    exactly = decide(RISING, LP, OPEN & ProtocolCap(45.0))
    assert float(exactly.recommended) == 45.0
    assert "protocol_cap" not in decide(RISING, LP, OPEN).table


def test_when_every_dose_is_above_it_none_is_recommended():
    decision = decide(RISING, LP, OPEN & ProtocolCap(10))
    assert decision.status.item() == "none"
    assert decision.text.count("above the protocol cap of 10 mg") == 3
    assert "45 mg would lead but for the protocol cap of 10 mg." in decision.cautions


def test_what_would_lead_may_itself_be_unresolved():
    rng = np.random.default_rng(8)
    p = rng.beta(4, 4, (2, 4, 250, 3))
    p[1, ..., 0] = 0.01
    decision = decide(make_posterior(*p), LP, OPEN & ProtocolCap(10))
    assert float(decision.recommended) == 10.0
    assert "would lead (not resolved by these draws) but for" in decision.cautions[-1]


def test_the_lowest_of_several_caps_holds_without_tried_rule():
    decision = decide(RISING, LP, ProtocolCap(30) & ProtocolCap(15))
    assert float(decision.recommended) == 15.0
    assert float(decision.table["protocol_cap"]) == 15.0


@pytest.mark.parametrize(
    "join",
    [
        lambda cap: cap | AnyDose(),
        lambda cap: AnyDose() | cap,
        lambda cap: (cap & Tolerable(0.3, 0.1)) | Active(0.3, 0.1),
        lambda cap: Active(0.3, 0.1) | (Tolerable(0.3, 0.1) & cap),
    ],
)
def test_no_alternative_goes_round_it(join):
    with pytest.raises(DoseOptError, match="no alternative joined by"):
        join(ProtocolCap(30))


@pytest.mark.parametrize("highest", [0, -1, math.inf, math.nan, "30", True])
def test_it_is_a_dose(highest):
    with pytest.raises(DoseOptError, match="must be a dose > 0"):
        ProtocolCap(highest)


def test_the_other_rules_are_left_when_it_is_taken_away():
    either = Tolerable(0.3, 0.1) | Active(0.3, 0.1)
    assert without_absolute(either & ProtocolCap(30) & TriedOnly()) == either & TriedOnly()
    assert without_absolute(ProtocolCap(30) & ProtocolCap(20)) is None


@settings(max_examples=10, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    cap=st.floats(1, 60),
    criterion=st.sampled_from(CRITERIA),
    order=st.permutations(range(3)),
)
def test_no_dose_above_it_ever_leads_whatever_the_draws_and_the_order(seed, cap, criterion, order):
    p_tox, p_eff = np.random.default_rng(seed).beta(2, 4, (2, 4, 40, 3))
    post = make_posterior(p_tox, p_eff, doses=DOSES)
    rules = Tolerable(0.5, certainty=0.3) & AnyDose() & ProtocolCap(cap)
    decision = decide(post, LP, rules, criterion=criterion)
    for answer in (decision.leading, decision.recommended):
        assert math.isnan(float(answer)) or float(answer) <= cap
    turned = replace(post, tree=post.tree.isel(dose=list(order)))
    assert decide(turned, LP, rules, criterion=criterion).text == decision.text
    # what would lead without it is what leads without it
    without = decide(post, LP, Tolerable(0.5, certainty=0.3) & AnyDose(), criterion=criterion)
    np.testing.assert_array_equal(decision.table["leading_without_cap"], without.leading)
    resolved = without.status.item() != "not resolved"
    assert bool(decision.table["leading_without_cap_resolved"]) == resolved


@pytest.mark.parametrize("utility", [LP, INDEX], ids=["lp", "cui"])
def test_tipping_points_work_and_never_move_it(utility):
    rng = np.random.default_rng(2)
    centre = np.array([0.1, 0.25, 0.4])
    p_tox = np.clip(centre + 0.08 * rng.normal(size=(4, 500, 3)), 0.001, 0.999)
    p_eff = np.clip(centre + 0.3 + 0.08 * rng.normal(size=(4, 500, 3)), 0.001, 0.999)
    post = make_posterior(p_tox, p_eff, doses=DOSES)
    decision = decide(post, utility, Tolerable(0.3, 0.4) & AnyDose() & ProtocolCap(30))
    assert has_tipping(decision)
    found = tipping_points(post, decision).table
    assert not any("cap" in str(w) for w in found["what"].to_numpy())
    assert not (found["leading"] > 30).any()
    assert bool(found["settled"].all())
