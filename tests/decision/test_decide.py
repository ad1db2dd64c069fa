"""The decision layer against an independent NumPy version, and its promises as properties."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from doseopt_bayes.decision.criteria import LowestWithinDelta
from doseopt_bayes.decision.cui import CUI, Attribute, Linear
from doseopt_bayes.decision.decide import decide
from doseopt_bayes.decision.rules import Active, AnyDose, NoSkipping, Tolerable, TriedOnly
from doseopt_bayes.decision.utility import LpContour
from doseopt_bayes.errors import DiagnosticsError, DoseOptError
from doseopt_bayes.inference.checks import Check, Diagnostics
from tests.conftest import make_posterior

LP = LpContour(0.5, 0.65, (0.7, 0.25))
INDEX = CUI({"p_eff": Attribute(2, "benefit"), "p_tox": Attribute(1, "harm", Linear(0.6, 0.1))})
CRITERIA = ("utility_of_means", "mean_utility", "max_prob_obd", LowestWithinDelta(0.1, 0.6))
RULES = Tolerable(0.35, certainty=0.4) & Active(0.3, certainty=0.4)


def random_posterior(seed, doses=4, draws=40, n=None):
    rng = np.random.default_rng(seed)
    centre_tox, centre_eff = rng.uniform(0.05, 0.8, (2, doses))
    size = (4, draws, doses)
    spread = rng.uniform(3, 40)
    p_tox = rng.beta(spread * centre_tox, spread * (1 - centre_tox), size)
    p_eff = rng.beta(spread * centre_eff, spread * (1 - centre_eff), size)
    n = tuple(int(x) for x in rng.integers(0, 3, doses)) if n is None else n
    return make_posterior(p_tox, p_eff, n=n)


def independent(post, utility, criterion, reach):
    """The answer with NumPy alone: index of the leading dose, or None; and Pr(OBD)."""
    flat = {
        k: post.draws[k].to_numpy().reshape(-1, post.draws.sizes["dose"])
        for k in ("p_tox", "p_eff")
    }

    def value(eff, tox):
        if utility is LP:
            p = LP.p
            return 1 - (((1 - eff) / 0.5) ** p + (tox / 0.65) ** p) ** (1 / p)
        return 2 / 3 * eff + 1 / 3 * np.clip((0.6 - tox) / 0.5, 0, 1)

    u = value(flat["p_eff"], flat["p_tox"])
    n = post.seen["n_treated"].to_numpy()
    ok = ((flat["p_tox"] < 0.35).mean(0) > 0.4) & ((flat["p_eff"] > 0.3).mean(0) > 0.4)
    if reach == "tried":
        ok &= n > 0
    elif reach == "next":
        tried = np.flatnonzero(n > 0)
        j = np.arange(len(n))
        ok &= (j >= tried.min() - 1) & (j <= tried.max() + 1) if tried.size else False
    prob_all = np.bincount(u.argmax(1), minlength=len(n)) / len(u)
    if not ok.any():
        return None, prob_all
    masked = np.where(ok, u, -np.inf)
    if criterion == "mean_utility":
        score = u.mean(0)
    elif criterion == "utility_of_means":
        score = value(flat["p_eff"].mean(0), flat["p_tox"].mean(0))
    elif criterion == "max_prob_obd":
        score = np.bincount(masked.argmax(1), minlength=len(n)) / len(u)
    else:
        best = np.where(ok, u.mean(0), -np.inf).argmax()
        near = (u[:, [best]] - u <= criterion.delta).mean(0) >= criterion.certainty
        near[best] = True
        return int(np.flatnonzero(ok & near)[0]), prob_all
    return int(np.where(ok, score, -np.inf).argmax()), prob_all


def compare(seed, criterion, utility, reach):
    post = random_posterior(seed)
    about = {"tried": TriedOnly(), "next": NoSkipping(), "any": AnyDose()}[reach]
    decision = decide(post, utility, RULES & about, criterion=criterion)
    expected, prob_all = independent(post, utility, criterion, reach)
    leading = float(decision.leading)
    doses = post.draws["dose"].to_numpy()
    assert (expected is None) == math.isnan(leading)
    if expected is not None:
        assert leading == doses[expected]
        assert bool(decision.table["admissible"].sel(dose=leading))
        assert bool(decision.table["rank"].sel(dose=leading) == 1)
    np.testing.assert_allclose(decision.table["prob_obd"], prob_all, atol=1e-12)
    said = decision.status.item()
    assert math.isnan(float(decision.recommended)) == (said != "recommended")
    if said == "recommended":
        assert float(decision.recommended) == leading


@pytest.mark.parametrize("criterion", CRITERIA, ids=str)
@pytest.mark.parametrize("utility", [LP, INDEX], ids=["lp", "cui"])
def test_equals_an_independent_version(criterion, utility):
    for seed in range(6):
        for reach in ("tried", "next", "any"):
            compare(seed, criterion, utility, reach)


@pytest.mark.slow
@pytest.mark.parametrize("criterion", CRITERIA, ids=str)
def test_equals_an_independent_version_on_2500_posteriors_each(criterion):
    for seed in range(2_500):
        compare(seed, criterion, (LP, INDEX)[seed % 2], ("tried", "next", "any")[seed % 3])


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10**6), order=st.permutations(range(4)))
def test_the_order_of_doses_changes_nothing(seed, order):
    rng = np.random.default_rng(seed)
    p_tox, p_eff = rng.beta(2, 5, (2, 4, 40, 4))
    doses, n = (5.0, 10.0, 20.0, 40.0), (3, 3, 0, 3)
    straight = make_posterior(p_tox, p_eff, doses=doses, n=n)
    turned = straight.tree.isel(dose=list(order))
    again = decide(replace(straight, tree=turned), LP, RULES)
    first = decide(straight, LP, RULES)
    assert first.text == again.text
    xr.testing.assert_allclose(first.table, again.table, rtol=1e-12)


def test_the_order_of_draws_within_chains_does_not_move_the_answer():
    post = random_posterior(3, n=(3, 3, 3, 3))
    shuffled = replace(post, tree=post.tree.isel(draw=np.random.default_rng(0).permutation(40)))
    a, b = decide(post, LP, RULES), decide(shuffled, LP, RULES)
    np.testing.assert_allclose(a.table["utility"], b.table["utility"])
    assert float(a.leading) == float(b.leading)


def certain(p_tox, p_eff, n=None, noise=1e-3):
    rng = np.random.default_rng(5)
    size = (4, 250, len(p_tox))
    return make_posterior(
        np.clip(p_tox + noise * rng.normal(size=size), 1e-6, 1 - 1e-6),
        np.clip(p_eff + noise * rng.normal(size=size), 1e-6, 1 - 1e-6),
        n=n,
    )


def test_no_admissible_dose_gives_none_with_a_reason_for_each_dose():
    decision = decide(certain([0.6, 0.7], [0.6, 0.7]), LP, Tolerable(0.3, certainty=0.5))
    assert decision.status.item() == "none"
    assert math.isnan(float(decision.recommended))
    assert decision.headline.startswith("No dose is recommended")
    assert decision.text.count("Pr(p_tox < 0.3) is <0.001") == 2


def test_a_toxic_dose_is_never_recommended_however_useful():
    decision = decide(certain([0.1, 0.6], [0.3, 0.99]), INDEX, Tolerable(0.3, certainty=0.5))
    assert float(decision.recommended) == 10.0
    assert math.isnan(float(decision.table["rank"].sel(dose=20.0)))


def test_untried_doses_need_a_rule_that_reaches_them():
    post = certain([0.1, 0.1, 0.1], [0.3, 0.6, 0.9], n=(3, 0, 0))
    rules = Tolerable(0.3, certainty=0.5)
    assert float(decide(post, LP, rules).recommended) == 10.0
    assert float(decide(post, LP, rules & NoSkipping()).recommended) == 20.0
    anywhere = decide(post, LP, rules & AnyDose())
    assert float(anywhere.recommended) == 30.0
    assert "No patient has received 30" in anywhere.text
    assert "treated at least one patient" in str(decide(post, LP, rules).rules)


def test_without_any_patient_nothing_is_recommended_and_it_is_stamped():
    decision = decide(
        certain([0.1, 0.1], [0.5, 0.6], n=(0, 0)), LP, Tolerable(0.3, 0.5) & NoSkipping()
    )
    assert decision.status.item() == "none"
    assert any("PRIOR ONLY" in s for s in decision.stamps)
    assert "PRIOR ONLY" in str(decision)


def test_a_gap_within_monte_carlo_error_is_not_resolved():
    rng = np.random.default_rng(8)
    p = rng.beta(4, 4, (2, 4, 250, 2))
    decision = decide(make_posterior(*p), LP, Tolerable(0.99, certainty=0.1))
    assert decision.status.item() == "not resolved"
    assert math.isnan(float(decision.recommended))
    assert not math.isnan(float(decision.leading))
    assert "Not resolved" in decision.headline


@pytest.mark.parametrize("criterion", CRITERIA, ids=str)
def test_a_verdict_within_monte_carlo_error_is_not_resolved_when_it_matters(criterion):
    p_tox = np.full((4, 250, 2), 0.1)
    p_tox[:, :, 1] = np.random.default_rng(2).uniform(0.1, 0.5, (4, 250))  # Pr(< 0.3) is about 1/2
    p_eff = np.random.default_rng(1).normal([0.3, 0.9], 0.01, (4, 250, 2))
    decision = decide(
        make_posterior(p_tox, p_eff), INDEX, Tolerable(0.3, certainty=0.5), criterion=criterion
    )
    assert decision.status.item() == "not resolved"
    assert "admissible or not within Monte Carlo error" in decision.text


def test_a_verdict_exactly_at_the_cut_off_does_not_pass():
    p_tox = np.full((4, 250, 2), 0.2)
    p_tox[:, ::2, 1] = 0.4  # Pr(p_tox < 0.3) is exactly 1/2, and the rule says > 1/2
    p_eff = np.random.default_rng(1).normal([0.3, 0.9], 0.01, (4, 250, 2))
    table = decide(make_posterior(p_tox, p_eff), INDEX, Tolerable(0.3, certainty=0.5)).table
    assert table["admissible"].to_numpy().tolist() == [True, False]


def test_ties_go_to_the_lower_dose_and_are_said():
    p = np.random.default_rng(0).beta(3, 4, (2, 4, 100, 1))
    decision = decide(make_posterior(*np.repeat(p, 3, axis=-1)), LP, Tolerable(0.99, certainty=0.1))
    assert float(decision.recommended) == 10.0
    assert "Tied with 20, 30" in decision.text


def test_a_dose_that_is_less_toxic_than_a_lower_one_is_recommended_with_a_caution():
    up = decide(certain([0.5, 0.1], [0.3, 0.6]), LP, Tolerable(0.9, certainty=0.1))
    assert float(up.recommended) == 20.0
    assert "monotone_tox = true rules that out" in up.cautions[0]
    assert up.cautions[0] in up.text
    assert not decide(certain([0.1, 0.2], [0.3, 0.6]), LP, Tolerable(0.9, certainty=0.1)).cautions


def test_utility_that_is_not_a_number_is_an_error():
    post = certain([0.1, 0.1], [0.5, 0.5])
    post.draws["p_eff"][0, 0, 1] = np.nan
    with pytest.raises(DoseOptError, match=r"dose \[20.\]"):
        decide(post, LP, RULES)


def test_failed_diagnostics_stop_the_ranking_unless_overridden_and_printed():
    failed = Diagnostics(
        (Check("R-hat", passed=False, measured="1.9", limit="<= 1.01"),), xr.DataArray()
    )
    post = replace(certain([0.1, 0.1], [0.3, 0.9]), diagnostics=failed)
    with pytest.raises(DiagnosticsError, match=r"R-hat: 1\.9"):
        decide(post, LP, RULES)
    decision = decide(post, LP, RULES, override_diagnostics=True)
    assert "DIAGNOSTICS OVERRIDDEN" in str(decision)


def test_extra_dims_ride_along():
    """Two subgroups decided at once equal each decided alone."""
    rng = np.random.default_rng(4)
    p_tox, p_eff = rng.beta(2, 6, (4, 60, 2, 3)), rng.beta(5, 4, (4, 60, 2, 3))
    joint = make_posterior(p_tox, p_eff, dims=("chain", "draw", "subgroup", "dose"))
    together = decide(joint, LP, RULES)
    for g in range(2):
        alone = decide(make_posterior(p_tox[:, :, g], p_eff[:, :, g]), LP, RULES)
        assert float(together.leading.isel(subgroup=g)) == float(alone.leading)
        assert together.status.isel(subgroup=g).item() == alone.status.item()
        np.testing.assert_allclose(
            together.table["prob_obd"].isel(subgroup=g), alone.table["prob_obd"]
        )
    assert together.text.count("subgroup") == 2


def test_one_more_toxic_patient_never_makes_a_dose_tolerable():
    """Beta posterior of one dose: Pr(p_tox < limit) falls with each event (10,000 cases)."""
    rng = np.random.default_rng(0)
    n = rng.integers(1, 40, 10_000)
    x = rng.integers(0, n + 1)
    limit = rng.uniform(0.05, 0.6, 10_000)
    before, after = stats.beta.cdf(limit, 1 + x, 1 + n - x), stats.beta.cdf(limit, 2 + x, 1 + n - x)
    assert (after <= before).all()


def test_error_of_the_plug_in_utility_is_honest():
    """Over 100 seeds, the spread of u(E[p]) is what its Monte Carlo error claims."""
    found = []
    for seed in range(100):
        rng = np.random.default_rng(seed)
        post = make_posterior(rng.beta(2, 6, (4, 60, 2)), rng.beta(6, 3, (4, 60, 2)))
        table = decide(post, LP, RULES, criterion="utility_of_means").table
        found.append(
            [table["utility_of_means"].to_numpy(), table["utility_of_means_mcse"].to_numpy()]
        )
    values, errors = np.moveaxis(np.array(found), 1, 0)
    ratio = values.std(0) / errors.mean(0)
    assert (ratio > 0.8).all()
    assert (ratio < 1.2).all()


@pytest.mark.parametrize("name", ["lowest_within_delta", "mean_utilty"])
def test_a_criterion_that_cannot_be_named_is_refused(name):
    with pytest.raises(DoseOptError, match=r"needs numbers|did you mean 'mean_utility'"):
        decide(random_posterior(1), LP, RULES, criterion=name)
