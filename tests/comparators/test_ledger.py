"""Wrong results of other packages, one test each: what they did must not happen here."""

from __future__ import annotations

import numpy as np
import pytest

import doseopt_bayes as dob

DOSES = (10.0, 20.0, 40.0, 80.0)
STOP = dob.MaxPatients(24)


def interval(start=10.0, **changes):
    return dob.IntervalDesign(dob.BOIN(0.3), DOSES, start=start, stop=STOP, **changes)


def test_the_first_cohort_receives_the_starting_dose():
    """CrmPack 684: logic of the first cohort."""
    truth = dob.Scenario("t", (0.2, 0.2, 0.2, 0.2), (0.3, 0.3, 0.3, 0.3))
    designs = [interval(20), dob.ThreePlusThree(DOSES, start=20), dob.BOIN12(DOSES, 20, STOP)]
    for design in designs:
        trials = dob.simulate(design, [truth], n_trials=40, seed=1).trials.isel(scenario=0)
        assert bool((trials["treated"].sel(dose=20.0) >= 3).all())
        first = [s for s in dob.pathways(design).steps if s.number == 1]
        assert {s.dose for s in first} == {20.0}


@pytest.mark.parametrize("start", [10.0, 20.0, 40.0])
def test_no_untried_dose_is_skipped_upwards(start):
    truth = dob.Scenario("safe", (0.0, 0.0, 0.0, 0.0), (0.5, 0.5, 0.5, 0.5))
    for design in (
        interval(start),
        dob.ThreePlusThree(DOSES, start),
        dob.BOIN12(DOSES, start, STOP),
    ):
        path, told = [], ""
        for _ in range(6):
            found = dob.next_dose(design, told) if told else None
            dose = start if found is None else found.dose
            if found is not None and found.then != "treat":
                break
            path.append(dose)
            told = f"{told} {DOSES.index(dose) + 1}NNN".strip()
        steps = np.diff([DOSES.index(d) for d in path])
        assert steps.max(initial=0) <= 1
    trials = dob.simulate(interval(start), [truth], n_trials=5, seed=1).trials
    assert bool((trials["recommended"] == 80.0).all())


def test_a_dose_that_differs_by_rounding_is_the_same_dose():
    """CrmPack 942: doses were compared to the last bit."""
    assert interval(10.000001).start == 10.0
    with pytest.raises(dob.DoseOptError, match="no candidate dose"):
        interval(10.1)


def test_none_is_recommended_only_when_no_dose_is_admissible():
    """Escalation 1: no dose although some was admissible."""
    design = dob.BOIN12(DOSES, 10, dob.MaxPatients(9))
    found = dob.next_dose(design, "1EEE 2TTT 1EEN")
    assert (found.then, found.dose) == ("stop", 10.0)


def test_toxicity_at_a_lower_dose_closes_every_higher_one():
    found = dob.next_dose(interval(), "1NNN 2NNN 3NNN 2TTT 2TTT")
    assert found.dose == 10.0
    final = dob.next_dose(interval(), "1NNN 2NNN 3NNN 3NNN 3NNN 2TTT 2TTT 1NNN")
    assert (final.then, final.dose) == (
        "stop",
        10.0,
    )  # 40 mg looks safe and lies above a toxic dose


def test_missing_answers_are_words_not_missing_values():
    """CrmPack 552: NA as the reason of a stop."""
    assert dob.next_dose(interval(), "1TTT").then == "stop, no dose"
    assert str(dob.next_dose(interval(), "1TTT")) == "stop, no dose"


def test_boin12_explores_after_eight_patients_and_takes_the_higher_of_equal_doses():
    design = dob.BOIN12(DOSES, 20, dob.MaxPatients(36))
    assert dob.next_dose(design, "1EEE 1EEE").dose == 10.0  # the most desirable
    assert dob.next_dose(design, "1EEE 1EEE 1EEE").dose == 20.0  # nine patients: 20 mg is untried
    toxic = dob.next_dose(design, "1ETT 1EEE 1EEE 1EET")  # 3 of 12 toxic: below the boundary
    assert toxic.dose == 20.0
    assert dob.next_dose(design, "2NNN").dose == 40.0  # 10 and 40 mg are untried, equally desirable
    assert dob.next_dose(design, "1EEE 1EEE 1EEE 2TTT").dose == 10.0  # tried by now: no exploration


def test_below_a_toxic_dose_six_patients_are_needed_wherever_the_trial_began():
    design = dob.ThreePlusThree(DOSES, start=20)
    assert str(dob.next_dose(design, "2TTT")) == "treat 10"
    assert str(dob.next_dose(design, "2TTT 1NNN")) == "treat 10"
    assert str(dob.next_dose(design, "2TTT 1NNN 1NNT")) == "stop 10"
    assert str(dob.next_dose(design, "2TTT 1NNN 1NTT")) == "stop, no dose"
    short = dob.ThreePlusThree(DOSES, start=20, de_escalate=False)
    assert str(dob.next_dose(short, "2NNN 3NTT")) == "stop 20"
