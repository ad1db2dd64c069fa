"""Criteria by regret and effect against NumPy; never an ineligible dose; honest rivals."""

from __future__ import annotations

import math

import numpy as np
import pytest

from doseopt_bayes.decision import CRITERIA
from doseopt_bayes.decision.criteria_effect import (
    FractionOfMaxEffect,
    MinExpectedRegret,
    MinimumEffectiveDose,
)
from doseopt_bayes.decision.cui import CUI, Attribute
from doseopt_bayes.decision.decide import decide
from doseopt_bayes.decision.rules import Active, AnyDose, Tolerable
from doseopt_bayes.errors import DoseOptError
from tests.conftest import make_posterior

U = CUI({"p_eff": Attribute(2, "benefit"), "p_tox": Attribute(1, "harm")})
OPEN = Tolerable(0.99, 0.1) & AnyDose()
RULES = Tolerable(0.35, certainty=0.4) & Active(0.1, certainty=0.2) & AnyDose()
ASKED = (MinExpectedRegret(), FractionOfMaxEffect(0.8, 0.6), MinimumEffectiveDose(0.4, 0.5))


def random_posterior(seed, doses=4, draws=40):
    rng = np.random.default_rng(seed)
    tox, eff = rng.uniform(0.05, 0.6), rng.uniform(0.05, 0.8, doses)
    spread = rng.uniform(3, 40)
    size = (4, draws, doses)
    return make_posterior(
        rng.beta(spread * tox, spread * (1 - tox), size),
        rng.beta(spread * eff, spread * (1 - eff), size),
    )


def independent(post, criterion):
    """Index of the leading dose or None, with NumPy alone."""
    eff, tox = (post.draws[k].to_numpy().reshape(-1, 4) for k in ("p_eff", "p_tox"))
    ok = ((tox < 0.35).mean(0) > 0.4) & ((eff > 0.1).mean(0) > 0.2)
    if not ok.any():
        return None
    among = np.flatnonzero(ok)
    if isinstance(criterion, MinExpectedRegret):
        u = 2 / 3 * eff + 1 / 3 * (1 - tox)
        regret = (u[:, ok].max(1)[:, None] - u).mean(0)
        return int(among[regret[among].argmin()])
    if isinstance(criterion, FractionOfMaxEffect):
        top = among[eff.mean(0)[among].argmax()]
        reached = (eff >= criterion.fraction * eff[:, [top]]).mean(0) >= criterion.certainty
        return int(next(j for j in among if reached[j] or j == top))
    first = [next((j for j in among if row[j] > criterion.threshold), -1) for row in eff]
    if np.mean(np.array(first) >= 0) < criterion.certainty:
        return None
    return int(among[np.argmax([first.count(j) for j in among])])


@pytest.mark.parametrize("criterion", ASKED, ids=str)
def test_equals_an_independent_version_and_never_takes_an_ineligible_dose(criterion):
    statuses = set()
    for seed in range(12):
        post = random_posterior(seed)
        decision = decide(post, U, RULES, criterion=criterion)
        expected, leading = independent(post, criterion), float(decision.leading)
        statuses.add(decision.status.item())
        assert (expected is None) == math.isnan(leading)
        if expected is not None:
            assert leading == 10.0 * (expected + 1)
            assert bool(decision.table["admissible"].sel(dose=leading))
            assert bool(decision.table["rank"].sel(dose=leading) == 1)
        if decision.status.item() == "recommended":
            assert float(decision.recommended) == leading
    assert statuses >= {"recommended", "not resolved"}


def test_regret_chooses_as_mean_utility_and_says_what_is_lost():
    post = random_posterior(5)
    by_regret = decide(post, U, OPEN, criterion="min_expected_regret")
    by_mean = decide(post, U, OPEN, criterion="mean_utility")
    assert float(by_regret.leading) == float(by_mean.leading)
    assert by_regret.status.item() == by_mean.status.item()
    u = U(post.draws).to_numpy().reshape(-1, 4)
    expected = (u.max(1)[:, None] - u).mean(0)
    np.testing.assert_allclose(by_regret.table["criterion"], expected)
    np.testing.assert_allclose(by_regret.table["rank"], by_mean.table["rank"])
    assert bool((by_regret.table["criterion_mcse"] > 0).any())


def certain(p_eff, p_tox=0.1, noise=0.003):
    rng = np.random.default_rng(5)
    size = (4, 250, len(p_eff))
    eff = np.clip(np.array(p_eff) + noise * rng.normal(size=size), 0.001, 0.999)
    return make_posterior(np.clip(p_tox + noise * rng.normal(size=size), 0.001, 0.999), eff)


def test_a_plateau_needs_no_more_dose():
    post = certain([0.2, 0.46, 0.5, 0.5])
    decision = decide(post, U, OPEN, criterion=FractionOfMaxEffect(0.9, 0.8))
    assert float(decision.recommended) == 20.0
    assert (
        "Pr(p_eff >= 0.9 of that of the most effective admissible dose) >= 0.8" in decision.headline
    )
    assert decision.table["criterion"].to_numpy()[0] == 0


def test_the_reference_effect_is_that_of_an_admissible_dose():
    tox = np.array([0.1, 0.1, 0.6])
    decision = decide(
        certain([0.3, 0.4, 0.9], tox), U, Tolerable(0.3, 0.5), criterion=FractionOfMaxEffect(0.9)
    )
    assert float(decision.recommended) == 20.0


def test_doubt_about_the_top_dose_is_not_resolved_when_it_matters():
    rng = np.random.default_rng(3)
    eff = rng.beta(8, 8, (4, 250, 2))
    eff[..., 0] *= 0.8  # reaches 0.8 of the other in about half of the draws
    decision = decide(
        make_posterior(eff * 0 + 0.1, eff), U, OPEN, criterion=FractionOfMaxEffect(0.8)
    )
    assert decision.status.item() == "not resolved"


def test_the_minimum_effective_dose_and_its_probabilities():
    post = certain([0.2, 0.35, 0.5, 0.6])
    decision = decide(post, U, OPEN, criterion=MinimumEffectiveDose(0.3))
    assert float(decision.recommended) == 20.0
    np.testing.assert_allclose(decision.table["criterion"], [0, 1, 0, 0])
    assert bool((decision.table["criterion_mcse"] > 0).all())  # rare is not impossible
    assert "lowest admissible dose with p_eff > 0.3" in decision.text


def test_without_an_effective_dose_none_is_recommended():
    decision = decide(certain([0.1, 0.15, 0.2]), U, OPEN, criterion=MinimumEffectiveDose(0.3))
    assert decision.status.item() == "none"
    assert math.isnan(float(decision.recommended))


@pytest.mark.parametrize(("share", "leads"), [(0.52, True), (0.48, False)])
def test_doubt_whether_any_dose_is_effective_is_not_resolved(share, leads):
    eff = np.full((4, 250, 2), 0.1)
    eff[..., 1] += 0.3 * (np.random.default_rng(1).permutation(1000) < 1000 * share).reshape(4, 250)
    decision = decide(
        make_posterior(eff * 0 + 0.1, eff), U, OPEN, criterion=MinimumEffectiveDose(0.3)
    )
    assert decision.status.item() == "not resolved"
    assert math.isnan(float(decision.recommended))
    assert math.isnan(float(decision.leading)) != leads


def test_a_draw_without_an_effective_dose_counts_for_no_dose():
    eff = np.full((4, 250, 3), 0.1)
    eff[:, ::2, 1] = 0.5  # effective in half of the draws
    eff[:, 1:50:2, 2] = 0.5  # and another one in 0.1 of them
    decision = decide(
        make_posterior(eff * 0 + 0.1, eff), U, OPEN, criterion=MinimumEffectiveDose(0.3, 0.4)
    )
    np.testing.assert_allclose(decision.table["criterion"], [0, 0.5, 0.1])
    assert float(decision.leading) == 20.0


@pytest.mark.parametrize("criterion", ASKED, ids=str)
def test_extra_dims_ride_along(criterion):
    rng = np.random.default_rng(4)
    p_tox, p_eff = rng.beta(2, 6, (4, 60, 2, 3)), rng.beta(5, 4, (4, 60, 2, 3))
    joint = make_posterior(p_tox, p_eff, dims=("chain", "draw", "subgroup", "dose"))
    together = decide(joint, U, OPEN, criterion=criterion)
    for g in range(2):
        alone = decide(make_posterior(p_tox[:, :, g], p_eff[:, :, g]), U, OPEN, criterion=criterion)
        assert float(together.leading.isel(subgroup=g)) == float(alone.leading)
        assert together.status.isel(subgroup=g).item() == alone.status.item()


@pytest.mark.parametrize("criterion", ASKED, ids=str)
def test_no_admissible_dose_gives_none(criterion):
    decision = decide(certain([0.3, 0.4]), U, Tolerable(0.05, 0.9), criterion=criterion)
    assert decision.status.item() == "none"
    assert math.isnan(float(decision.leading))
    assert not bool(decision.table["rival"].any())


@pytest.mark.parametrize("name", ["fraction_of_max_effect", "minimum_effective_dose"])
def test_their_numbers_are_asked_for_and_checked(name):
    with pytest.raises(DoseOptError, match="needs numbers"):
        decide(random_posterior(1), U, RULES, criterion=name)
    with pytest.raises(DoseOptError, match=r"90 is not a probability; 0\.9\?"):
        CRITERIA[name](90)
    with pytest.raises(DoseOptError, match="certainty = 1 must lie strictly"):
        CRITERIA[name](0.5, certainty=1)
