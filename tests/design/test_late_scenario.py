"""Truths in time: probabilities by a time, and times that agree with them."""

from __future__ import annotations

import numpy as np
import pytest

import doseopt_bayes as dob
from doseopt_bayes.design.late_patients import MONTH

P = (0.1, 0.3, 0.6)
GRID = (np.arange(20_000) + 0.5) / 20_000  # uniform numbers without noise
HAZARDS = ((0.02, 0.02, 0.0, 0.02), (0.05, 0.1, 0.2, 0.3), (0.0, 0.0, 0.0, 0.5))


def late(**changes):
    return dob.LateScenario("late", P, **{"tox_window": 84, **changes})


@pytest.mark.parametrize(
    ("shape", "share"), [("uniform", 0.5), ("early", 0.25), ("late", 0.75), (0.9, 0.9)]
)
def test_the_stated_share_of_events_falls_in_the_second_half(shape, share):
    truth = late(tox_shape=shape)
    np.testing.assert_allclose(1 - truth.tox_by(42) / P, share, rtol=1e-12)
    np.testing.assert_allclose(truth.tox_by(84), P)
    assert truth.tox_by(0).tolist() == [0, 0, 0]
    for j in range(3):
        days = truth.times("tox", np.full(GRID.size, j), GRID)
        assert (days > 42).mean() == pytest.approx(share, abs=1e-4)


@pytest.mark.parametrize("shape", ["uniform", "early", "late", 0.99])
def test_times_follow_the_probabilities_by_then(shape):
    truth = late(eff_window=12, p_eff=(0.0, 1.0, 0.5), eff_shape=shape, time_unit="weeks")
    for j in (1, 2):
        days = truth.times("eff", np.full(GRID.size, j), GRID)
        for week in (1, 5, 11):
            wanted = truth.eff_by(week)[j] / truth.p_eff[j]
            assert (days <= 7 * week).mean() == pytest.approx(wanted, abs=1e-4)


@pytest.mark.parametrize("shape", ["uniform", "early", "late", 0.01, 0.99])
def test_no_time_is_zero_or_after_the_window(shape):
    ends = np.array([0.0, 0.5, 1 - 2.0**-53])  # the smallest and largest that a generator gives
    for p in (0.0, 1e-9, 0.5, 1.0):
        truth = dob.LateScenario("ends", (p,), tox_window=28, tox_shape=shape)
        days = truth.times("tox", np.zeros(3, dtype=int), ends)
        assert np.isfinite(days).all()
        assert (days > 0).all()
        assert (days <= 28).all()
    cycles = dob.LateScenario.by_cycle("cycles", HAZARDS, cycle=21)
    for j in range(3):
        days = cycles.times("tox", np.full(3, j), ends)
        assert ((days > 0) & (days <= 84)).all()


def test_cycles_multiply_and_times_keep_their_hazards():
    truth = dob.LateScenario.by_cycle("cycles", HAZARDS, cycle=21)
    np.testing.assert_allclose(truth.p_tox, [1 - 0.98**3, 1 - 0.95 * 0.9 * 0.8 * 0.7, 0.5])
    np.testing.assert_allclose(truth.tox_by(31.5), [0.02 + 0.98 * 0.01, 0.05 + 0.95 * 0.05, 0])
    for j, row in enumerate(HAZARDS):
        days = truth.times("tox", np.full(GRID.size, j), GRID)
        left = 1.0
        for c, hazard in enumerate(row):
            inside = ((days > 21 * c) & (days <= 21 * (c + 1))).mean() * truth.p_tox[j]
            assert inside == pytest.approx(left * hazard, abs=1e-4)
            left *= 1 - hazard


def test_the_truth_of_cycle_1_is_a_scenario_of_its_own():
    six = dob.LateScenario.by_cycle("six", HAZARDS, cycle=21, p_eff=(0.2, 0.4, 0.6), eff_window=84)
    one = six.within(tox=21, eff=42)
    assert type(one) is dob.Scenario
    np.testing.assert_allclose(one.p_tox, (0.02, 0.05, 0.0), atol=1e-12)
    np.testing.assert_allclose(one.p_eff, (0.1, 0.2, 0.3), atol=1e-12)
    with pytest.raises(dob.DoseOptError, match="correlation over the whole window"):
        late(p_eff=P, eff_window=84, correlation=0.3).within(tox=21)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"tox_window": -1}, "tox_window = -1 must be a number >= 0"),
        ({"tox_window": float("inf")}, "must be a number"),
        ({"time_unit": "fortnights"}, "time_unit = 'fortnights' is unknown"),
        ({"eff_window": 84}, "p_eff and eff_window come together"),
        ({"p_eff": P}, "p_eff and eff_window come together"),
        ({"tox_shape": "soon"}, "tox_shape = 'soon' is unknown"),
        ({"tox_shape": 1.0}, "must be a share"),
        ({"tox_by_cycle": ((0.1,), (0.3,))}, "rows of"),
        ({"tox_by_cycle": ((0.1,), (0.3,), (0.5,))}, "comes to p_tox"),
        ({"tox_by_cycle": ((0.1,), (0.3,), (0.6,)), "tox_shape": "late"}, "and tox_shape too"),
    ],
)
def test_faults_are_named(changes, said):
    with pytest.raises(dob.DoseOptError, match=said):
        late(**changes)


def test_faults_of_cycles_are_named():
    with pytest.raises(dob.DoseOptError, match=r"dose 2 has 1\.2, no probability"):
        dob.LateScenario.by_cycle("x", [[0.1], [1.2]], cycle=21)
    with pytest.raises(dob.DoseOptError, match="rows of"):
        dob.LateScenario.by_cycle("x", [[0.1], [0.2, 0.2]], cycle=21)


def test_gaps_between_patients_have_the_stated_mean():
    gaps = dob.Accrual(4).gaps(GRID)
    assert gaps.mean() == pytest.approx(MONTH / 4, rel=1e-3)
    assert (gaps > MONTH / 4).mean() == pytest.approx(np.exp(-1), abs=1e-4)
    assert set(dob.Accrual(4, kind="fixed").gaps(GRID[:5])) == {MONTH / 4}
    for wrong in (0, -1, True, float("nan")):
        with pytest.raises(dob.DoseOptError, match="per_month"):
            dob.Accrual(wrong)
    with pytest.raises(dob.DoseOptError, match="kind"):
        dob.Accrual(1, kind="steady")
