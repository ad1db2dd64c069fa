"""What every design of a table keeps to, whatever the truth."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import doseopt_bayes as dob
from doseopt_bayes.comparators.boin12 import BOIN12
from doseopt_bayes.comparators.decisions import DecisionTable
from doseopt_bayes.comparators.exact import enumerate_courses
from doseopt_bayes.comparators.interval import BOIN, MTPI, TPI, I3Plus3, Keyboard
from doseopt_bayes.comparators.isotonic import isotonic
from doseopt_bayes.comparators.stepwise import IntervalDesign
from doseopt_bayes.comparators.three import ThreePlusThree
from doseopt_bayes.comparators.uboin import UBOIN
from doseopt_bayes.comparators.uploaded import Uploaded
from doseopt_bayes.design.pathways import next_dose, pathways

DOSES = (10.0, 20.0, 40.0, 80.0)
STOP = dob.MaxPatients(24)
TABLE = dob.OutcomeTable(neither=40, efficacy=100, toxicity=0, both=60)
QUARTER = (0.25, 0.25, 0.25, 0.25)
DESIGNS = {
    **{
        rule.name: IntervalDesign(rule, DOSES, start=10, stop=STOP)
        for rule in (BOIN(0.3), Keyboard(0.3), MTPI(0.3), TPI(0.3), I3Plus3(0.3))
    },
    "3+3": ThreePlusThree(DOSES, start=10),
    "3+3 up": ThreePlusThree(DOSES, start=10, de_escalate=False),
    "BOIN12": BOIN12(DOSES, start=10, stop=STOP | dob.EnoughAtDose(12)),
    "U-BOIN": UBOIN(DOSES, 10, STOP, 0.3, TABLE, QUARTER, 0.35, 0.25, explore=9),
}
RISING = dob.Scenario("rising", (0.1, 0.25, 0.4, 0.6), (0.1, 0.4, 0.5, 0.5))


@pytest.mark.parametrize("name", DESIGNS)
@settings(max_examples=8, deadline=None)
@given(
    tox=st.lists(st.floats(0, 1), min_size=4, max_size=4),
    eff=st.lists(st.floats(0, 1), min_size=4, max_size=4),
)
def test_a_recommended_dose_was_tried_and_none_is_skipped(name, tox, eff):
    design = DESIGNS[name]
    scenario = dob.Scenario("any", tuple(sorted(tox)), tuple(eff))
    sim = dob.simulate(design, [scenario], n_trials=60, seed=5)
    trials = sim.trials.isel(scenario=0)
    chosen, treated = trials["recommended"], trials["treated"]
    there = treated.where(treated["dose"] == chosen, 0).sum("dose")
    assert bool((there[chosen.notnull()] > 0).all())
    # tried doses follow each other without a gap
    tried = treated > 0
    assert bool((tried.astype(int).diff("dose") <= 0).all())
    assert int(treated.sum("dose").max()) <= design.most


@pytest.mark.parametrize("name", ["BOIN", "BOIN12", "U-BOIN"])
def test_no_dose_follows_when_every_one_is_toxic(name):
    all_toxic = dob.Scenario("toxic", (1.0, 1.0, 1.0, 1.0), (0.5, 0.5, 0.5, 0.5))
    trials = dob.simulate(DESIGNS[name], [all_toxic], n_trials=5, seed=1).trials
    assert bool(trials["recommended"].isnull().all())
    assert bool(trials["stopped_early"].all())
    assert trials["treated"].sum("dose").to_numpy().tolist() == [[3, 3, 3, 3, 3]]


def test_the_first_cohort_has_the_truth_of_its_own_dose():
    """Escalation designs once drew every cohort from the starting dose's truth (crmPack 804)."""
    step = dob.Scenario("step", (0.0, 0.0, 1.0, 1.0))
    design = IntervalDesign(BOIN(0.3), DOSES, start=20, stop=STOP)
    trials = dob.simulate(design, [step], n_trials=20, seed=1).trials
    assert trials["toxicities"].sel(dose=[10.0, 20.0]).sum() == 0
    assert bool((trials["toxicities"].sel(dose=40.0) == trials["treated"].sel(dose=40.0)).all())
    assert bool((trials["recommended"] == 20.0).all())


def test_an_eliminated_dose_is_never_recommended():
    """Three of three toxic, then stopped: BOIN once recommended that dose (escalation 2)."""
    design = IntervalDesign(BOIN(0.3), DOSES, start=10, stop=dob.MaxPatients(6))
    found = next_dose(design, "1NNN 2TTT")
    assert (found.then, found.dose) == ("stop", 10.0)
    assert next_dose(design, "1TTT").then == "stop, no dose"


def test_exact_courses_agree_with_simulation():
    for name in ("BOIN", "3+3", "3+3 up"):
        exact = enumerate_courses(DESIGNS[name], RISING)
        trials = dob.simulate(DESIGNS[name], [RISING], n_trials=20_000, seed=2).trials.isel(
            scenario=0
        )
        share = (trials["recommended"] == exact["dose"]).mean("trial")
        error = np.sqrt(exact["selected"] * (1 - exact["selected"]) / 20_000)
        assert bool((np.abs(share - exact["selected"]) < 4 * error + 1e-9).all()), name
        patients = trials["treated"].sum("dose")
        assert abs(patients.mean() - exact["patients"]) < 4 * patients.std() / np.sqrt(20_000)


def test_boin12_selects_by_mean_utility_at_or_below_the_isotonic_mtd():
    """A peer selected by desirability and above the MTD (escalation 8)."""
    stop = dob.MaxPatients(24)
    kinds = {
        s: BOIN12(DOSES, start=10, stop=stop, select=s) for s in ("mean_utility", "desirability")
    }
    # dose 1: 1 patient-triple with efficacy (mean highest, little known), dose 2: many, a bit lower
    outcomes = "1EEE 2EEEEEEEEEEEEENNNNNNNN"
    found = {s: next_dose(d, outcomes).dose for s, d in kinds.items()}
    cells = {10.0: (3, 3), 20.0: (21, 13)}
    mean = {d: (100 + 100 * e + 40 * (n - e)) / (n + 2) for d, (n, e) in cells.items()}
    assert found["mean_utility"] == max(mean, key=mean.get) == 10.0
    # far more toxic than the target: above the isotonic MTD, whatever its utility
    toxic = "1NNNNTT 2BBBBBBBBBEEEEEEEEE"
    assert next_dose(kinds["mean_utility"], toxic).dose == 10.0


def test_paths_hold_every_outcome_once_and_agree_with_the_next_dose():
    design = DESIGNS["BOIN"]
    found = pathways(design, "1NNN", cohorts=2)
    first = [s for s in found.steps if s.number == 1]
    assert [s.outcome for s in first] == ["NNN", "NNT", "NTT", "TTT"]
    for s in found.steps:
        said = next_dose(design, s.path)
        assert said.then == s.then
        assert said.dose == s.following or np.isnan(said.dose)
    assert pathways(DESIGNS["BOIN12"]).to_frame().shape[0] == 20
    with pytest.raises(dob.DoseOptError, match="8,000 paths"):
        pathways(DESIGNS["BOIN12"], cohorts=3)


def test_an_uploaded_table_is_a_design(tmp_path):
    path = tmp_path / "boin.csv"
    rows = "".join(f"{n},{row}\n" for n, row in enumerate(BOIN(0.3).table(24).rows, start=1))
    path.write_text("patients,decisions\n" + rows, encoding="utf-8")
    table = DecisionTable.from_csv(path)
    uploaded = IntervalDesign(Uploaded(table, 0.3), DOSES, start=10, stop=STOP)
    mine, theirs = (
        dob.simulate(d, [RISING], n_trials=300, seed=1).trials for d in (uploaded, DESIGNS["BOIN"])
    )
    assert mine.equals(theirs)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("1,ED\n2,EXD\n", "row 3"),
        ("1,ED\n3,ESDU\n", "row 3"),
        ("1,ED\n2,ESDD\n", "4 letters"),
        ("1,DE\n", "bolder"),
    ],
)
def test_a_faulty_table_says_its_row(tmp_path, lines, said):
    path = tmp_path / "table.csv"
    path.write_text("patients,decisions\n" + lines, encoding="utf-8")
    with pytest.raises(dob.SpecError, match=said):
        DecisionTable.from_csv(path)


@given(
    st.lists(st.tuples(st.floats(0, 1), st.floats(0.1, 5)), min_size=2, max_size=6).map(list),
)
def test_isotonic_estimates_rise_and_keep_the_weighted_mean(pairs):
    p, w = (np.array([x]) for x in zip(*pairs, strict=True))
    found = isotonic(p, w)
    assert bool((np.diff(found) >= -1e-12).all())
    np.testing.assert_allclose((found * w).sum(), (p * w).sum(), atol=1e-9)
    rising = np.sort(p, axis=1)
    np.testing.assert_allclose(isotonic(rising, w), rising, atol=1e-12)
