"""Designs in calendar time: what is known when, who waits, and what is decided from it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import doseopt_bayes as dob
from doseopt_bayes.decision.criteria import UtilityOfMeans
from doseopt_bayes.design.late_patients import MONTH, Calendar, Known
from doseopt_bayes.design.late_simulate import _Trials
from doseopt_bayes.design.simulate import Block
from doseopt_bayes.inference.tallies import stack_trials
from tests.design.cases import design as efftox_design

DOSES = (1.0, 2.0, 4.0, 8.0, 16.0)
SKELETON = (0.05, 0.12, 0.25, 0.4, 0.55)
RISING = dob.LateScenario("rising", (0.05, 0.1, 0.25, 0.4, 0.5), tox_window=84)
NEVER = dob.LateScenario("never", (0.0,) * 5, tox_window=84)
BOTH = dob.LateScenario(
    "both", (0.05, 0.1, 0.15, 0.2, 0.4), (0.2, 0.4, 0.6, 0.8, 0.9), tox_window=28, eff_window=84
)
FIXED = dob.Accrual(3, kind="fixed")
GAP = MONTH / 3
EXTRA = ["duration", "pending", "suspended"]
FREE = dob.Wait(escalate_after=0)


def crm(rules=None, most=24, cohort=3, target=0.25, skeleton=SKELETON):
    return dob.Design(
        dob.CRM(DOSES, skeleton),
        dob.ClosestToTarget(target),
        rules or dob.NoSkipping(),
        UtilityOfMeans(),
        start=1,
        stop=dob.MaxPatients(most),
        cohort=cohort,
    )


def boin(most=24):
    return dob.TITEBOIN(dob.BOIN(0.25), DOSES, start=1, stop=dob.MaxPatients(most))


def tite(design=None, window=84.0, accrual=FIXED, **changes):
    return dob.LateDesign(design or crm(), window, accrual, **changes)


def run(design, scenario, n, seed=5):
    """Return the simulated trials with their calendar."""
    trials = _Trials(
        design, design.late_decider(seed, 512, 1), [scenario], [Block((0, 0), n)], seed
    )
    trials.run(lambda _: None)
    return trials


def simulated(design, scenario=RISING, n=60, seed=5):
    return dob.simulate_late(design, [scenario], n_trials=n, seed=seed, threads=1).trials


@pytest.mark.parametrize("what", ["at once", "waits"])
@pytest.mark.parametrize("model", ["crm", "efftox", "boin", "3+3"])
def test_without_late_outcomes_it_is_the_plain_design_bit_for_bit(model, what):
    design = {
        "crm": lambda: crm(dob.EWOC(0.3, overdose=0.5) & dob.NoSkipping()),
        "efftox": efftox_design,
        "boin": boin,
        "3+3": lambda: dob.ThreePlusThree(DOSES, start=1),
    }[model]()
    reads, far = model == "efftox", what == "waits"
    eff = (0.2, 0.4, 0.6, 0.8, 0.9)
    truth = dob.LateScenario(
        "t", RISING.p_tox, eff, tox_window=28.0 * far, eff_window=84.0 * far, tox_shape="late"
    )
    late = dob.LateDesign(
        design, 28.0 * far, dob.Accrual(4), eff_window=84.0 * far if reads else None,
        wait=dob.Wait.complete() if far else None,
    )  # fmt: skip
    n = 25 if reads else 200
    found = dob.simulate_late(late, [truth], n_trials=n, seed=3, threads=1).trials
    plain = dob.simulate(design, [truth], n_trials=n, seed=3, threads=1).trials
    xr.testing.assert_identical(found.drop_vars(EXTRA), plain)
    assert bool((found["pending"] == 0).all())
    assert bool((found["suspended"].sum() > 0) == far)


def known_at(days, place, entry, tox=(), window=126.0):
    """What is known of patients of one trial on a day."""
    truth = dob.LateScenario("hand", (0.0,) * 5, tox_window=window)
    calendar = Calendar([truth], np.array([0]), len(place), window, None)
    for k, (dose, day) in enumerate(zip(place, entry, strict=True)):
        nobody = np.full((1, 2), 0.5)
        calendar.enrol(np.array([0]), k, np.array([dose]), np.array([day]), nobody, nobody)
    for k, day in tox:
        calendar.event["tox"][0, k] = calendar.final["tox"][0, k] = day
    return calendar.known(np.array([0]), np.array([float(days)]))


def test_a_decision_is_that_of_the_analysis_of_the_same_patients():
    """Published: article A260 of the R package trialr, whose dose closest to 0.25 is the fourth."""
    path = Path(__file__).parents[1] / "oracles" / "tite.json"
    item = json.loads(path.read_text("utf-8"))["items"][1]
    design = crm(dob.AnyDose(), skeleton=tuple(item["skeleton"]))
    entry = [73.0 - x for x in item["followup"]]
    known = known_at(73, [2] * 4, entry, window=item["window"])
    roles = dob.PatientColumns(
        "mg", tox="dlt", doses=DOSES, follow_up={"tox": dob.FollowUp("days", item["window"])}
    )
    import pandas as pd  # noqa: PLC0415

    rows = [(4.0, 0, x) for x in item["followup"]]
    data = dob.TrialData.from_frame(pd.DataFrame(rows, columns=["mg", "dlt", "days"]), roles)
    read = stack_trials(design.model, [data])
    weights = np.sort(known.share[0, 2, :, 2])  # 1 - follow-up / window
    np.testing.assert_allclose(weights, np.sort(1 - np.array(item["followup"]) / item["window"]))
    np.testing.assert_allclose(np.sort(read["pending"].to_numpy()[0, 2, :, 2]), weights)
    late = tite(design, item["window"]).late_decider(1, 512, 1)
    dose = DOSES[int(late(known, np.array([2])).dose[0])]
    said = dob.decide(dob.preview(design.model, data, seed=1), design.utility, design.rules,
                      criterion=design.criterion)  # fmt: skip
    assert dose == said.recommended == DOSES[item["mtd_postmean"] - 1]


def test_an_event_counts_in_full_from_its_day_and_not_before():
    before = known_at(4, [0], [0.0], tox=[(0, 5.0)])
    after = known_at(5, [0], [0.0], tox=[(0, 5.0)])
    assert before.cells.sum() == 0
    np.testing.assert_allclose(before.share[0, 0, 0], [1, 1, 122 / 126, 122 / 126])
    assert after.share is None
    assert after.cells[0, 0].tolist() == [0, 0, 1, 0]
    end = known_at(126, [0], [0.0])
    assert end.share is None
    assert end.cells[0, 0].tolist() == [1, 0, 0, 0]


def test_both_endpoints_are_known_as_the_analysis_reads_the_same_rows():
    """Outcomes and follow-up read from rows with FollowUp, against the calendar of the simulation."""
    import pandas as pd  # noqa: PLC0415

    design = efftox_design(stop=dob.MaxPatients(15))
    late = dob.LateDesign(design, 28, dob.Accrual(3), eff_window=84, wait=FREE)
    truth = dob.LateScenario("t", (0.4,) * 5, (0.5,) * 5, tox_window=28, eff_window=84)
    calendar = run(late, truth, 6).calendar
    windows = {"tox": dob.FollowUp("days", 28), "eff": dob.FollowUp("days", 84)}
    roles = dob.PatientColumns("mg", tox="dlt", eff="resp", doses=design.doses, follow_up=windows)
    kinds = set()
    for trial in range(6):
        day = float(calendar.entry[trial, 12]) + 0.1
        known = calendar.known(np.array([trial]), np.array([day]))
        at = np.flatnonzero(calendar.place[trial] >= 0)
        late_ones = at[calendar.entry[trial, at] > day]  # of the last cohort: not there yet
        now = np.setdiff1d(at, late_ones)
        rows = {
            "mg": np.array(design.doses)[calendar.place[trial, now]],
            "dlt": (calendar.event["tox"][trial, now] <= day).astype(int),
            "resp": (calendar.event["eff"][trial, now] <= day).astype(int),
            "days": day - calendar.entry[trial, now],
        }
        read = stack_trials(design.model, [dob.TrialData.from_frame(pd.DataFrame(rows), roles)])
        np.testing.assert_array_equal(known.cells[0], read["cell_count"].to_numpy()[0])
        for j in range(5):
            ours = known.share[0, j][(known.share[0, j] != 1).any(axis=1)].round(9).tolist()
            theirs = read["pending"].to_numpy()[0, j]
            theirs = theirs[(theirs != 1).any(axis=1)].round(9).tolist()
            assert sorted(ours) == sorted(theirs)
            kinds |= {tuple(np.array(x) == 0) for x in ours}
    assert len(kinds) >= 3  # nothing seen yet, toxicity alone, efficacy alone


def test_more_follow_up_without_toxicity_never_lowers_the_dose():
    rng = np.random.default_rng(1)
    decide = tite(crm(dob.EWOC(0.3, overdose=0.6) & dob.NoSkipping())).late_decider(1, 512, 1)
    changed = 0
    for _ in range(6):
        here = int(rng.integers(0, 4))
        cells = np.zeros((1, 5, 4), dtype=int)
        for j in range(here + 1):
            cells[0, j, [0, 2]] = rng.integers(0, 4), rng.integers(0, 2)
        weights = np.linspace(0.01, 0.99, 30)
        share = np.ones((30, 5, 3, 4))
        share[:, here, :, 2:] = 1 - weights[:, None, None]
        pending = np.zeros((30, 5), dtype=int)
        pending[:, here] = 3
        known = Known(np.repeat(cells, 30, axis=0), share, pending)
        dose = decide(known, np.full(30, here)).dose
        assert (np.diff(dose) >= 0).all()
        changed += dose[-1] > dose[0]
    assert changed  # follow-up does matter there


def by_quadrature(place, weight, tox):
    """Mean p_tox of each dose: CRM with a power link and TITE weights, by trapezoids."""
    beta = np.linspace(-6, 6, 4001)
    log_p = np.exp(beta)[:, None] * np.log(SKELETON)
    p = np.exp(log_p)
    log = -(beta**2) / (2 * 1.34)
    for j, w, y in zip(place, weight, tox, strict=True):
        log = log + (log_p[:, j] if y else np.log1p(-w * p[:, j]))
    mass = np.exp(log - log.max())
    return (mass / mass.sum()) @ p


def test_each_cohort_gets_the_dose_that_quadrature_of_the_raw_calendar_gives():
    found = run(tite(accrual=dob.Accrual(3), wait=FREE), RISING, 12)
    calendar, moves = found.calendar, set()
    entry, event = calendar.entry, calendar.event["tox"]
    for trial in range(12):
        for k in range(3, 24, 3):
            day, place = entry[trial, k], calendar.place[trial]
            tox = event[trial, :k] <= day
            weight = np.minimum((day - entry[trial, :k]) / 84, 1)
            p = by_quadrature(place[:k], weight, tox)
            apart = np.abs(p - 0.25)
            apart[place[:k].max() + 2 :] = np.inf  # no dose is skipped
            near = np.sort(apart)
            if near[1] - near[0] > 1e-4:  # nearer than that, the grid's own error may decide
                assert place[k] == apart.argmin()
            moves.add(int(np.sign(place[k] - place[k - 1])))
    assert moves == {-1, 0, 1}


@pytest.mark.parametrize("design", [crm(), crm(dob.NoSkipping(2)), boin()], ids=["1", "2", "boin"])
def test_a_dose_where_all_are_pending_is_never_escalated_from(design):
    def hasty(wait):
        found = run(tite(design, accrual=dob.Accrual(12), wait=wait), RISING, 40).calendar
        done = 0
        for trial in range(40):
            place, entry = found.place[trial], found.entry[trial]
            for k in range(3, int((place >= 0).sum()), 3):
                if place[k] > place[k - 1]:
                    below = place[:k][place[:k] < place[k]].max()
                    at = np.flatnonzero(place[:k] == below)
                    done += not (found.final["tox"][trial, at] <= entry[k]).any()
        return done

    assert hasty(dob.Wait()) == 0
    assert hasty(FREE) > 0


def test_durations_are_those_of_the_calendar():
    """Fixed gaps, nobody has a toxicity: closed forms."""
    alone = (23 * GAP + 84) / MONTH
    found = simulated(tite(wait=FREE), NEVER, n=2)
    np.testing.assert_allclose(found["duration"], alone)
    np.testing.assert_allclose(found["suspended"], 0, atol=1e-12)
    # eight cohorts, each of which takes two gaps and a window, and seven of eight windows > a gap
    waiting = simulated(tite(wait=dob.Wait.complete()), NEVER, n=2)
    np.testing.assert_allclose(waiting["duration"], 8 * (2 * GAP + 84) / MONTH)
    np.testing.assert_allclose(waiting["suspended"], 7 * (84 - GAP) / MONTH)
    short = simulated(tite(wait=FREE, cutoff=10), NEVER, n=2)
    np.testing.assert_allclose(short["duration"], (23 * GAP + 10) / MONTH)
    # two of the three of each cohort, and only 6 patients: the second of the first is final on day 84 + GAP
    half = simulated(tite(crm(most=6), wait=dob.Wait(tox=0.5)), NEVER, n=2)
    np.testing.assert_allclose(half["suspended"], (84 + GAP - 3 * GAP) / MONTH)
    first = tite(
        crm(most=6), wait=dob.Wait(first=4, escalate_after=0), window=12, time_unit="weeks"
    )
    np.testing.assert_allclose(simulated(first, NEVER, n=2)["suspended"], (28 - GAP) / MONTH)


def test_random_entries_have_the_stated_rate():
    found = simulated(tite(wait=FREE, accrual=dob.Accrual(3)), NEVER, n=400)["duration"]
    error = float(found.std() / 20)
    assert abs(float(found.mean()) - (23 / 3 + 84 / MONTH)) < 4 * error


def test_designs_meet_the_same_patients():
    a = run(tite(accrual=dob.Accrual(3)), RISING, 30)
    b = run(tite(boin(12), accrual=dob.Accrual(3), wait=dob.Wait.complete()), RISING, 30)
    np.testing.assert_array_equal(a.gap[:13], b.gap)
    np.testing.assert_array_equal(a.luck[:12], b.luck)
    first = slice(0, 3)  # all at the start
    for x in ("entry", "place"):
        np.testing.assert_array_equal(getattr(a.calendar, x)[:, first],
                                      getattr(b.calendar, x)[:, first])  # fmt: skip
    np.testing.assert_array_equal(
        a.calendar.event["tox"][:, first], b.calendar.event["tox"][:, first]
    )
    for x in (a.calendar, b.calendar):
        there = x.place >= 0
        assert (x.event["tox"][there] > x.entry[there]).all()  # no time is negative
        assert (x.final["tox"][there] <= x.entry[there] + 84).all()


def test_a_longer_window_finds_another_dose_than_the_first_cycle():
    """Cycle 1 hides what six cycles do: the higher doses are intolerable over the treatment."""
    hazard = [[0.01] * 6, [0.03] * 6, [0.05] * 6, [0.12] * 6, [0.2] * 6]
    eff = (0.3, 0.5, 0.6, 0.75, 0.9)
    truth = dob.LateScenario.by_cycle("six", hazard, cycle=21, p_eff=eff, eff_window=84)
    efftox = efftox_design()
    late = dob.LateDesign(efftox, 126, FIXED, eff_window=84)
    assert float(late.truth(truth)["obd"]) == 4.0
    assert float(efftox.truth(truth.within(tox=21))["obd"]) == 10.0
    one, six = (simulated(tite(window=w), truth, n=100) for w in (21, 126))
    low, high = (float(x["recommended"].mean()) for x in (six, one))
    assert low < 5
    assert high > 8
    harmed = [float(x["toxicities"].sum() / x["treated"].sum()) for x in (six, one)]
    assert harmed[0] < harmed[1]  # counted over six cycles, seen or not


@pytest.mark.parametrize("design", [crm(dob.EWOC(0.25, overdose=0.8) & dob.NoSkipping()), boin()])
def test_where_every_dose_is_toxic_none_is_recommended_once_nobody_is_pending(design):
    toxic = dob.LateScenario("toxic", (0.95,) * 5, tox_window=84, tox_shape="late")
    found = run(tite(design), toxic, 50)
    assert np.isnan(found.recommended).all()
    assert found.early.all()
    ends = found.calendar.all_final(np.arange(50), None)
    assert (found.duration >= ends - 1e-9).all()


def test_efftox_reads_pending_patients_and_threads_change_nothing():
    late = dob.LateDesign(efftox_design(), 28, dob.Accrual(4), eff_window=84)
    one, two = (
        dob.simulate_late(late, [BOTH], n_trials=30, seed=2, threads=t, particles=256)
        for t in (1, 2)
    )
    xr.testing.assert_identical(one.trials, two.trials)
    assert float(one.trials["pending"].mean()) > 1
    said = dob.characteristics(one)
    assert {"duration", "duration_mcse", "pending", "suspended"} <= set(said.table)
    assert "months" in str(said)
    assert "duration" in said.csv()
    plain = dob.simulate(efftox_design(), [BOTH], n_trials=30, seed=2, threads=1, particles=256)
    assert "duration" not in dob.characteristics(plain).table
    assert "months" not in str(dob.characteristics(plain))


def test_pending_patients_save_time():
    accrual = dob.Accrual(2)
    fast, slow = (
        dob.simulate_late(tite(accrual=accrual, wait=w), [RISING], n_trials=100, seed=4)
        for w in (None, dob.Wait.complete())
    )
    gap = dob.compare_designs(fast, slow).table.isel(scenario=0)
    assert float(gap["duration"] + 5 * gap["duration_mcse"]) < 0


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: dob.LateDesign(efftox_design(), 28, FIXED), "reads efficacy"),
        (lambda: tite(eff_window=84), "does not read efficacy"),
        (lambda: tite(window=-1.0), "tox_window"),
        (lambda: tite(time_unit="years"), "time_unit"),
        (lambda: tite(dob.IntervalDesign(dob.BOIN(0.3), DOSES, 1, dob.MaxPatients(9)), wait=FREE),
         "BOIN reads final outcomes alone"),
        (lambda: tite(dob.BackfillDesign(boin(), dob.Backfill(3))), "no calendar of its own"),
        (lambda: dob.Wait(tox=1.5), "tox = 1.5"),
        (lambda: dob.Wait(first=-1), "first = -1"),
        (lambda: dob.Wait(escalate_after=0.5), "escalate_after"),
        (lambda: dob.simulate(tite(), [RISING], n_trials=1, seed=1), "simulate_late"),
        (lambda: dob.simulate_late(crm(), [RISING], n_trials=1, seed=1), "has no calendar"),
        (lambda: dob.simulate_late(tite(), [dob.Scenario("x", (0.1,) * 5)], n_trials=1, seed=1),
         "says nothing of time"),
    ],
)  # fmt: skip
def test_faults_are_named(make, said):
    with pytest.raises(dob.DoseOptError) as caught:
        make()
    assert said in f"{caught.value} {caught.value.hint}"
