"""All margins at once, and arms of different sizes, against quadrature and independent draws."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from scipy.stats import betabinom

import doseopt_bayes as dob
from doseopt_bayes.errors import DoseOptError
from doseopt_bayes.planning.joint import frechet, joint_within
from doseopt_bayes.planning.plan import plan_arms
from doseopt_bayes.planning.rule import KeepsMargins, within_table
from tests.arms.cases import beta_difference, posterior

EFF = dob.Margin("eff", 0.15, "difference", "higher")
TOX = dob.Margin("tox", 0.05, "difference", "lower")
PLACES = [(1, 3), (2, 3)]
TRUTH = dob.Scenario("x", p_tox=(0.2, 0.3), p_eff=(0.4, 0.45))


def independent(low, high, n=200_000, seed=7):
    """Pr(both margins) from Dirichlet draws of numpy's own generator, and its error."""
    rng = np.random.default_rng(seed)
    a, b = (rng.dirichlet(np.array(c) + 0.25, n) for c in (low, high))
    eff = b[:, 1] + b[:, 3] - a[:, 1] - a[:, 3] < 0.15
    tox = a[:, 2] + a[:, 3] - b[:, 2] - b[:, 3] < 0.05
    p = (eff & tox).mean()
    return p, np.sqrt(p * (1 - p) / n)


def test_the_joint_probability_is_that_of_independent_dirichlet_draws():
    low = np.array([[20, 15, 3, 2], [18, 2, 2, 18], [2, 18, 18, 2], [0, 0, 0, 20], [20, 15, 3, 2]])
    high = np.array([[15, 16, 6, 3], [15, 3, 2, 20], [3, 20, 15, 2], [5, 5, 5, 5], [15, 16, 6, 3]])
    p, mcse = joint_within([EFF, TOX], PLACES, low, high, patients=1.0, draws=4000)
    for i, (a, b) in enumerate(zip(low, high, strict=True)):
        exact, own = independent(a, b)
        assert p[i] == pytest.approx(exact, abs=4 * np.hypot(mcse[i], own) + 1e-3), i
    assert p[0] == p[4]  # the same counts are the same probability
    assert (mcse <= 0.5 / np.sqrt(4000)).all()
    single = np.array(
        [[within_table(m, c.sum(), 0.5)[c[list(at)].sum(), d[list(at)].sum()]
          for c, d in zip(low, high, strict=True) if c.sum() == d.sum()]
         for m, at in zip((EFF, TOX), PLACES, strict=True)]
    )  # fmt: skip
    least, most = frechet(single)
    same = low.sum(1) == high.sum(1)
    assert (least - 3 * mcse[same] <= p[same]).all()
    assert (p[same] <= most + 3 * mcse[same]).all()


def test_nested_margins_hold_at_once_as_often_as_the_tighter_one():
    wide = dob.Margin("eff", 0.25, "difference", "higher")
    low, high = np.array([[12, 10, 4, 4]]), np.array([[10, 12, 4, 4]])
    p, mcse = joint_within([EFF, wide], [(1, 3)] * 2, low, high, patients=1.0, draws=4000)
    assert p[0] == pytest.approx(within_table(EFF, 30, 0.5)[14, 16], abs=4 * mcse[0])


def test_the_rule_with_all_margins_at_once_is_the_stricter_one():
    rng = np.random.default_rng(2)
    counts = rng.multinomial(30, [0.4, 0.35, 0.1, 0.15], size=(400, 2))
    each = KeepsMargins((EFF, TOX), 0.7)
    both = KeepsMargins((EFF, TOX), 0.7, joint=True)
    apart, (together, close) = each.choose(counts), both.judge(counts)
    assert (together >= apart).all()  # whoever keeps both at once keeps each
    assert (together > apart).sum() > 10
    assert 0 < close.sum() < 80
    for k in np.flatnonzero(~close)[:12]:
        p, _ = independent(*counts[k], n=50_000)
        assert together[k] == (0 if p > 0.7 else 1), counts[k]
    assert not each.judge(counts)[1].any()
    assert "all at once of" in str(both)


def test_a_plan_says_how_many_choices_the_draws_leave_open():
    found = plan_arms((15, 45), [TRUTH], KeepsMargins((EFF, TOX), 0.7, joint=True), sizes=(20, 40),
                      correct=0.5, n_trials=1000, seed=1)  # fmt: skip
    assert set(found.table["close"].dims) == {"scenario", "size"}
    assert 0 < float(found.table["close"].max()) < 0.2
    assert "leave open" in str(found)
    with pytest.raises(DoseOptError, match="draws"):
        KeepsMargins((EFF,), 0.7, joint=True, draws=10)


@pytest.mark.parametrize("margin", [EFF, TOX])
def test_the_table_of_arms_of_different_sizes_is_that_of_two_betas(margin):
    table = within_table(margin, 12, 0.5, 30)
    assert table.shape == (13, 31)
    shift = margin.at_most if margin is EFF else -margin.at_most
    for low, high in ((0, 0), (4, 10), (12, 3), (6, 30)):
        exact = 1 - beta_difference(low, 12, high, 30, margin.at_most, prior=0.5)
        if margin is TOX:
            exact = beta_difference(low, 12, high, 30, shift, prior=0.5)
        assert table[low, high] == pytest.approx(exact, abs=1e-5)


def test_a_margin_is_judged_with_the_patients_of_each_arm():
    counts = np.array([[[10, 8, 1, 1], [16, 18, 4, 2]], [[15, 2, 2, 1], [12, 20, 4, 4]]])
    chosen = KeepsMargins((EFF, TOX), 0.6).choose(counts)
    for (low, high), got in zip(counts, chosen, strict=True):
        eff = 1 - beta_difference(low[1] + low[3], 20, high[1] + high[3], 40, 0.15, prior=0.5)
        tox = beta_difference(low[2] + low[3], 20, high[2] + high[3], 40, -0.05, prior=0.5)
        assert int(got) == (0 if eff > 0.6 and tox > 0.6 else 1)
    assert list(chosen) == [0, 1]
    with pytest.raises(DoseOptError, match="from trial to trial"):
        KeepsMargins((EFF,), 0.6).choose(counts * np.array([1, 2])[:, None, None])
    table = dob.margin_boundaries(TOX, 20, certainty=0.6, n_high=40)
    assert table.sizes["events_high"] == 41
    most = int(table["events_low"].sel(events_high=6))
    assert beta_difference(most, 20, 6, 40, -0.05, prior=0.5) > 0.6
    assert beta_difference(most + 1, 20, 6, 40, -0.05, prior=0.5) <= 0.6


def test_arms_are_randomised_by_a_ratio():
    rule = dob.HighestUtility(dob.CUI({"p_eff": dob.Attribute(1, "benefit")}))
    given = {"sizes": (10, 20), "correct": 0.6, "n_trials": 2000, "seed": 1, "unit": "mg"}
    found = plan_arms((15, 45), [TRUTH], rule, ratio=(1, 2), **given)
    assert found.table["patients"].to_numpy().tolist() == [[10, 20], [20, 40]]
    assert "x: 20, 40 patients at 15, 45 mg (correct choice" in str(found)
    equal = plan_arms((15, 45), [TRUTH], rule, **given)
    xr.testing.assert_identical(
        plan_arms((15, 45), [TRUTH], rule, ratio=(1, 1), **given).table, equal.table
    )
    # 20 and 40 patients know more than 20 and 20, less than 40 and 40
    larger = plan_arms((15, 45), [TRUTH], rule, **given | {"sizes": (40,)}).table["correct"]
    at = found.table["correct"].sel(size=20)
    few = equal.table["correct"].sel(size=20)
    error = 3 * float(found.table["correct_mcse"].max())
    assert float(few[0]) - error < float(at[0]) < float(larger[0, 0]) + error
    for wrong in ((1,), (0, 1), (1, 2.5)):
        with pytest.raises(DoseOptError, match="whole number >= 1 for each of 2 arms"):
            plan_arms((15, 45), [TRUTH], rule, ratio=wrong, **given)


def test_predictions_are_made_for_arms_of_different_sizes():
    rule = dob.HighestUtility(dob.CUI({"p_eff": dob.Attribute(1, "benefit")}))
    interim = dob.TrialData.parse("1NNNNNNEEEE 2NNNTTEEEEB", doses=[15, 45], unit="mg")
    found = dob.predict_decision(interim, rule, size=10, ratio=(1, 2), n=40_000, seed=1)
    more = np.arange(11)
    pmf = betabinom.pmf(more, 10, 0.5 + 5, 0.5 + 5)  # the lower arm is full: 4 of 10
    # posterior means (events + 1/2) / (n + 1); a tie goes to the lower arm
    exact = pmf[(5 + more + 0.5) / 21 > 4.5 / 11].sum()
    at = found.table["prob"].sel(choice="45")
    assert float(at[0]) == pytest.approx(
        exact, abs=4 * float(found.table["prob_mcse"].sel(choice="45")[0])
    )
    assert "With 10, 20 patients at 15, 45 mg the final decision" in str(found)
    prior = posterior([(12, 4, 2, 2), (8, 6, 3, 3)])
    equal, twice = (
        dob.assurance(prior, rule, sizes=(10,), seed=1, ratio=r).table["correct"]
        for r in (None, (2, 2))
    )
    assert float(twice[0]) > float(equal[0])  # 20 patients in each arm know more than 10
