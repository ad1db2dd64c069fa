"""Escalation and randomised arms as one trial."""

from __future__ import annotations

import numpy as np
import pytest

import doseopt_bayes as dob

DOSES = (10.0, 20.0, 40.0, 80.0)
STOP = dob.MaxPatients(24)
TABLE = dob.OutcomeTable(neither=40, efficacy=100, toxicity=0, both=60)
BOIN = dob.IntervalDesign(dob.BOIN(0.3), DOSES, start=10, stop=STOP, unit="mg")
JUDGE = dob.BOIN12(DOSES, start=10, stop=STOP, unit="mg")
RULE = dob.HighestUtility(TABLE)
PLATEAU = dob.Scenario("plateau", (0.02, 0.05, 0.12, 0.25), (0.2, 0.4, 0.6, 0.6))
TOXIC = dob.Scenario("toxic", (0.7, 0.8, 0.9, 0.95), (0.3, 0.3, 0.3, 0.3))


@pytest.fixture(scope="module")
def sim():
    trial = dob.WholeTrial(BOIN, dob.RandomisedStage(25, RULE, arms=2), judge=JUDGE)
    return dob.simulate_whole(trial, [PLATEAU, TOXIC], n_trials=600, seed=2)


def test_the_escalation_is_the_design_alone(sim):
    alone = dob.simulate(BOIN, [PLATEAU, TOXIC], n_trials=600, seed=2).trials
    assert sim.trials["escalated"].equals(alone["recommended"].rename("escalated"))
    gap = sim.trials["treated"] - sim.trials["randomised"]
    assert bool((gap == alone["treated"]).all())


def test_arms_are_the_recommended_dose_and_the_next_lower_tried_one(sim):
    trials = sim.trials.sel(scenario="plateau")
    armed = trials["randomised"] > 0
    top = trials["escalated"]
    assert bool((trials["randomised"].where(armed) == 25).where(armed, other=True).all())
    assert bool((armed["dose"].where(armed).max("dose") == top).where(top.notnull(), True).all())
    expected = np.minimum(
        2, (trials["treated"] > 0).where(trials["dose"] <= top, False).sum("dose")
    )
    assert bool((armed.sum("dose") == expected).where(top.notnull(), True).all())


def test_without_a_dose_there_is_no_stage(sim):
    trials = sim.trials.sel(scenario="toxic")
    none = trials["escalated"].isnull()
    assert bool(none.any())
    assert bool((trials["randomised"].where(none, 0) == 0).all())
    assert bool(trials["recommended"].where(none).isnull().all())


def test_the_stage_finds_the_plateau_that_a_search_for_the_mtd_misses(sim):
    found = dob.characteristics(sim).table.sel(scenario="plateau")
    alone = dob.simulate(BOIN, [PLATEAU, TOXIC], n_trials=600, seed=2)
    before = dob.characteristics(alone, by=JUDGE).table.sel(scenario="plateau")
    assert float(found["obd"]) == 40.0
    gap = float(found["selects_obd"] - before["selects_obd"])
    assert gap > 3 * float(np.hypot(found["selects_obd_mcse"], before["selects_obd_mcse"]))
    assert float(found["patients"]) > float(before["patients"])


def test_one_arm_is_an_expansion_that_can_refuse_the_dose():
    rule = dob.HighestUtility(TABLE, rules=dob.Active(0.5, certainty=0.1))
    trial = dob.WholeTrial(BOIN, dob.RandomisedStage(20, rule, arms=1), judge=JUDGE)
    idle = dob.Scenario("idle", (0.02, 0.05, 0.1, 0.15), (0.01, 0.01, 0.01, 0.01))
    trials = dob.simulate_whole(trial, [idle], n_trials=100, seed=3).trials
    assert bool(trials["recommended"].isnull().all())
    assert bool(trials["escalated"].notnull().any())


def test_a_truth_without_efficacy_is_refused():
    trial = dob.WholeTrial(BOIN, dob.RandomisedStage(20, RULE))
    with pytest.raises(dob.DoseOptError, match="no p_eff"):
        dob.simulate_whole(trial, [dob.Scenario("t", (0.1,) * 4)], n_trials=1, seed=1)
    with pytest.raises(dob.DoseOptError, match="simulate_whole"):
        dob.simulate(trial, [PLATEAU], n_trials=1, seed=1)
