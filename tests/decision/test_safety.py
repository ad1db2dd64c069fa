"""Overdose control, interval probabilities, utilities of toxicity alone, and the plug-in of the CRM."""

from __future__ import annotations

import math

import numpy as np
import pytest
import xarray as xr
from scipy.special import expit

from doseopt_bayes.decision.criteria import MeanUtility
from doseopt_bayes.decision.criteria_curve import UtilityAtMeanParameter, curve_at_mean
from doseopt_bayes.decision.decide import decide
from doseopt_bayes.decision.intervals import interval_probabilities
from doseopt_bayes.decision.mtd import toxicity_limit
from doseopt_bayes.decision.rules import EWOC, AnyDose, ProtocolCap, Tolerable
from doseopt_bayes.decision.target import ClosestToTarget, TargetInterval
from doseopt_bayes.decision.tipping import tipping_points
from doseopt_bayes.errors import DoseOptError
from doseopt_bayes.inference.checks import Diagnostics
from doseopt_bayes.inference.posterior import Posterior

DOSES = [10.0, 20.0, 30.0, 40.0]
X = np.array([-2.5, -1.5, -0.8, 0.2])


def safety(theta, *, x=X, n=(3, 3, 3, 0)):
    """Posterior of one parameter (chain, draw) with the curve logit p = theta + x."""
    draws = xr.Dataset({"theta": (("chain", "draw"), theta)}, coords={"dose": DOSES})
    draws["p_tox"] = (("chain", "draw", "dose"), expit(theta[..., None] + x))
    draws["dose"].attrs["units"] = "mg"
    seen = xr.Dataset({"n_treated": ("dose", np.array(n))}, coords={"dose": DOSES})
    tree = xr.DataTree.from_dict({"posterior": draws, "seen": seen})
    return Posterior(tree, ("theta",), Diagnostics((), xr.DataArray(np.zeros(0))))


@pytest.fixture(scope="module")
def post():
    return safety(np.random.default_rng(1).normal(0, 0.6, (4, 2000)))


def test_ewoc_is_tolerable_in_other_words(post):
    ewoc, tolerable = EWOC(0.3, 0.4).judge(post), Tolerable(0.3, 0.6).judge(post)
    assert ewoc.ok.equals(tolerable.ok)
    assert ewoc.firm.equals(tolerable.firm)
    (said,), (other,) = ewoc.findings, tolerable.findings
    np.testing.assert_allclose(said.estimate, 1 - other.estimate, atol=1e-15)
    np.testing.assert_allclose(said.mcse, other.mcse, rtol=1e-12)
    assert (said.rule, said.threshold) == ("Pr(p_tox > 0.3) < 0.4", 0.4)
    assert toxicity_limit(EWOC(0.3) & AnyDose()) == 0.3


def test_ewoc_is_not_firm_within_three_errors(post):
    estimate = post.prob(post["p_tox"] > 0.33).sel(dose=20)
    mcse = float(post.mcse(post["p_tox"] > 0.33).sel(dose=20))
    for away, firm in ((2.9, False), (3.1, True), (-2.9, False), (-3.1, True)):
        verdict = EWOC(0.33, float(estimate) + away * mcse).judge(post)
        assert bool(verdict.firm.sel(dose=20)) == firm
        assert bool(verdict.ok.sel(dose=20)) == (away > 0)


def test_the_quantile_says_the_same_as_the_probability(post):
    rule = EWOC(0.33, 0.25)
    found = rule.quantile_check(post)
    np.testing.assert_allclose(found["quantile"], post.quantile(post["p_tox"], 0.75))
    np.testing.assert_allclose(
        found["stat"], (found["quantile"] - 0.33) / found["quantile_mcse"], rtol=1e-12
    )
    assert ((found["stat"] < 0) == rule.judge(post).ok).all()
    assert (found["precise"] == (abs(found["stat"]) >= 1.96)).all()


@pytest.mark.parametrize(
    "numbers", [(0, 0.25), (33, 0.25), (0.33, 0), (0.33, 25), (0.33, math.nan)]
)
def test_a_bad_ewoc_is_refused(numbers):
    with pytest.raises(DoseOptError, match="strictly between 0 and 1"):
        EWOC(*numbers)


def test_interval_probabilities_sum_to_one_and_carry_their_errors(post):
    bounds = {"under": (0, 0.2), "target": (0.2, 0.35), "excessive": (0.35, 0.6), "high": (0.6, 1)}
    table = interval_probabilities(post, bounds)
    np.testing.assert_allclose(table["prob"].sum("interval"), 1, atol=1e-12)
    p = post["p_tox"]
    inside = (p > 0.2) & (p <= 0.35)
    np.testing.assert_array_equal(table["prob"].sel(interval="target"), post.prob(inside))
    np.testing.assert_array_equal(table["prob_mcse"].sel(interval="target"), post.mcse(inside))
    assert (table["prob_mcse"] > 0).all()  # what no draw hit is rare, not impossible
    assert table["low"].to_numpy().tolist() == [0, 0.2, 0.35, 0.6]


def test_ends_belong_to_the_lower_interval():
    edge = safety(np.zeros((4, 1000)), x=np.array([-50.0, 0.0, 0.0, 40.0]))
    edge.draws["p_tox"][:] = [0.0, 0.16, 0.33, 1.0]
    prob = interval_probabilities(edge)["prob"]
    assert prob.sel(interval="under").to_numpy().tolist() == [1, 1, 0, 0]
    assert prob.sel(interval="target").to_numpy().tolist() == [0, 0, 1, 0]
    assert prob.sel(interval="over").to_numpy().tolist() == [0, 0, 0, 1]


@pytest.mark.parametrize(
    "bounds",
    [{}, {"a": (0.2, 0.1)}, {"a": (0, 0.3), "b": (0.2, 1)}, {"a": (0, 33)}, {"a": (math.nan, 1)}],
)
def test_intervals_that_are_none_are_refused(post, bounds):
    with pytest.raises(DoseOptError):
        interval_probabilities(post, bounds)


def test_the_mean_utility_of_a_target_interval_is_its_probability(post):
    rules = EWOC(0.33, 0.4) & AnyDose()
    decision = decide(post, TargetInterval(0.16, 0.33), rules)
    table, intervals = decision.table, interval_probabilities(post)
    np.testing.assert_allclose(
        table["utility"], intervals["prob"].sel(interval="target"), atol=2e-6
    )
    for name in ("under", "target", "over"):
        np.testing.assert_array_equal(table[f"prob_{name}"], intervals["prob"].sel(interval=name))
    # in each draw, the dose closest to the middle: no dose collects the draws without any on target
    closest = abs(post["p_tox"] - 0.245)
    best = post.prob(closest == closest.min("dose"))
    np.testing.assert_allclose(table["prob_obd"], best, atol=1e-12)
    assert "target (0.16 to 0.33)" in decision.text
    assert "OBD:" not in decision.text
    assert "eff" not in str(decision)
    assert "-0.000" not in str(decision)


@pytest.mark.parametrize("ends", [(0.33, 0.16), (0.2, 0.2), (-0.1, 0.3), (0.2, 1.0), (16, 33)])
def test_a_target_that_is_no_interval_is_refused(ends):
    with pytest.raises(DoseOptError, match="0 <= low < high < 1"):
        TargetInterval(*ends)


def test_a_target_from_zero_has_nothing_below_it():
    assert TargetInterval(0, 0.3).bounds == {"target": (0, 0.3), "over": (0.3, 1)}


@pytest.mark.parametrize(
    ("target", "loss"), [(0.0, "absolute"), (25, "absolute"), (0.25, "sqared")]
)
def test_a_target_that_cannot_be_is_refused(target, loss):
    with pytest.raises(DoseOptError):
        ClosestToTarget(target, loss)


def test_losses_are_the_written_ones(post):
    p = post["p_tox"]
    for loss, power in (("absolute", 1), ("squared", 2)):
        u = ClosestToTarget(0.25, loss)({"p_tox": p})
        np.testing.assert_allclose(u, -(abs(p - 0.25) ** power), atol=1e-15)


def test_the_curve_at_the_mean_parameter_is_exact(post):
    value, slope = curve_at_mean(post, "p_tox")
    p = expit(float(post["theta"].mean()) + X)
    np.testing.assert_allclose(value, p, atol=1e-6)
    np.testing.assert_allclose(slope, p * (1 - p), rtol=2e-3)


def test_plug_in_and_posterior_mean_can_choose_different_doses():
    """A skewed parameter: the curve at its mean is not the mean of the curve."""
    post = safety(np.random.default_rng(3).exponential(1.6, (4, 4000)) - 1.6)
    utility = ClosestToTarget(0.26)
    plug_in = decide(post, utility, AnyDose(), criterion="utility_at_mean_parameter")
    mean = decide(post, utility, AnyDose(), criterion="utility_of_means")
    value, _ = curve_at_mean(post, "p_tox")
    means = post.expect(post["p_tox"])
    np.testing.assert_allclose(plug_in.table["criterion"], -abs(value - 0.26), atol=1e-12)
    np.testing.assert_allclose(mean.table["criterion"], -abs(means - 0.26), atol=1e-12)
    nearest = [float(abs(x - 0.26).idxmin("dose")) for x in (value, means)]
    assert [float(plug_in.recommended), float(mean.recommended)] == nearest
    assert nearest[0] != nearest[1]
    assert "of the curve at the posterior mean of its parameter (plug-in, CRM)" in plug_in.headline
    assert "of the posterior mean probabilities" in mean.headline


def test_the_error_of_the_plug_in_is_that_of_the_parameter():
    spread = []
    for seed in range(60):
        post = safety(np.random.default_rng(seed).normal(0.1, 0.6, (4, 250)))
        found = UtilityAtMeanParameter().choose(
            post,
            ClosestToTarget(0.05),
            post["p_tox"],
            xr.ones_like(post.seen["n_treated"], dtype=bool),
        )
        spread.append(found.value.to_numpy())
    np.testing.assert_allclose(np.std(spread, axis=0), found.mcse, rtol=0.35)


def test_two_parameters_have_no_curve_at_their_mean(post):
    two = Posterior(post.tree, ("theta", "p_tox"), post.diagnostics)
    with pytest.raises(DoseOptError, match="needs a model of one parameter"):
        decide(two, ClosestToTarget(0.25), AnyDose(), criterion="utility_at_mean_parameter")


def test_an_inadmissible_dose_says_what_it_must_stay_below(post):
    decision = decide(post, TargetInterval(0.16, 0.33), EWOC(0.2, 0.01) & AnyDose())
    assert str(decision.status.item()) == "none"
    assert "Pr(p_tox > 0.2) is" in decision.text
    assert "must stay below 0.01" in decision.text
    frame = decision.to_frame()
    assert {"Pr(p_tox > 0.2)", "Pr(p_tox > 0.2) (MCSE)"} <= set(frame.columns)


def test_limit_and_overdose_bound_are_moved_and_confirmed(post):
    decision = decide(
        post, TargetInterval(0.16, 0.33), EWOC(0.33, 0.3) & AnyDose() & ProtocolCap(40)
    )
    table = tipping_points(post, decision).table
    assert bool(table["settled"].all())
    bound, limit = "overdose bound of Pr(p_tox > 0.33) < 0.3", "limit of Pr(p_tox > 0.33) < 0.3"
    assert set(table["what"].to_numpy()) == {bound, limit}
    assert float(table["now"].sel(what=bound)) == 0.3
    over = post.prob(post["p_tox"] > 0.33)
    down = table.sel(what=bound, side="down")
    assert bool(down["flips"])
    assert float(down["to"]) == pytest.approx(float(over.sel(dose=decision.leading)), abs=1e-9)
    assert float(down["leading"]) < float(decision.leading)


def test_criteria_print_which_number_they_compare():
    assert "plug-in" in str(UtilityAtMeanParameter())
    assert "posterior mean utility" in str(MeanUtility())
