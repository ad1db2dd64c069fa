"""Simulated trials: the same seed gives the same patients, and every trial keeps to its design."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from doseopt_bayes.decision.rules import NoSkipping, Tolerable
from doseopt_bayes.design.characteristics import characteristics, compare_designs
from doseopt_bayes.design.scenario import Scenario
from doseopt_bayes.design.simulate import simulate
from doseopt_bayes.design.stopping import EnoughAtDose, MaxPatients
from doseopt_bayes.errors import DoseOptError
from doseopt_bayes.models import EffTox
from doseopt_bayes.models.presets import EFFTOX_THALL2014
from doseopt_bayes.priors import Normal

from .cases import DOSES, RISING, TOXIC, design

SETTINGS = {"n_trials": 100, "seed": 5, "particles": 256}
SCENARIOS = (RISING, TOXIC)


def run(what=None, scenarios=SCENARIOS, **changes):
    return simulate(what or design(stop=MaxPatients(9)), scenarios, **{**SETTINGS, **changes})


@pytest.fixture(scope="module")
def sim():
    return run()


def test_every_trial_keeps_to_the_design(sim):
    trials = sim.trials
    assert dict(trials.sizes) == {"scenario": 2, "trial": 100, "dose": 5}
    patients = trials["treated"].sum("dose")
    assert (trials["treated"] % 3 == 0).all()
    assert (patients <= 9).all()
    assert (trials["treated"].sel(dose=1) >= 3).all()
    for outcome in ("toxicities", "responses"):
        assert (trials[outcome] <= trials["treated"]).all()
    none = trials["recommended"].isnull()
    assert ((patients == 9) | trials["stopped_early"]).all()
    assert none.where(trials["stopped_early"], True).all()
    # only doses that treated a patient are recommended, and none was skipped on the way
    at = trials["treated"].where(trials["dose"] == trials["recommended"]).sum("dose")
    assert ((at > 0) | none).all()
    tried = (trials["treated"] > 0).to_numpy()
    assert (np.diff(tried.astype(int), axis=-1) <= 0).all()
    assert sum(sim.fits.values()) > 0


def test_one_seed_gives_one_result_and_another_seed_another(sim):
    xr.testing.assert_identical(run().trials, sim.trials)
    assert not run(scenarios=[RISING], seed=6, n_trials=20).trials.equals(
        sim.trials.sel(scenario=["rising"]).isel(trial=slice(20))
    )


def test_patients_depend_on_the_place_of_a_scenario_and_not_on_the_others(sim):
    alone = run(scenarios=[RISING])
    xr.testing.assert_identical(alone.trials, sim.trials.sel(scenario=["rising"]))
    swapped = run(scenarios=[Scenario("first", RISING.p_tox, RISING.p_eff), TOXIC], n_trials=100)
    np.testing.assert_array_equal(
        swapped.trials["treated"].sel(scenario="first"),
        sim.trials["treated"].sel(scenario="rising"),
    )


def test_a_longer_run_begins_with_the_trials_of_its_blocks(sim, monkeypatch):
    monkeypatch.setattr("doseopt_bayes.design.simulate.BLOCK", 20)
    short, long = run(scenarios=[RISING], n_trials=20), run(scenarios=[RISING], n_trials=40)
    xr.testing.assert_identical(short.trials, long.trials.isel(trial=slice(20)))


def test_designs_meet_the_same_patients(sim):
    # all receive the first dose, whatever the design decides afterwards
    one = run(design(stop=MaxPatients(3)), [RISING])
    other = run(design(stop=MaxPatients(3), rules=Tolerable(0.2, 0.2) & NoSkipping()), [RISING])
    for outcome in ("toxicities", "responses"):
        np.testing.assert_array_equal(one.trials[outcome], other.trials[outcome])
    assert not one.trials["recommended"].equals(other.trials["recommended"])
    # and where a trial goes on, its first cohort is that of the shorter one
    for outcome in ("toxicities", "responses"):
        first = one.trials[outcome].sel(dose=1)
        stayed = sim.trials["treated"].sel(dose=1, scenario=["rising"]) == 3
        np.testing.assert_array_equal(
            first.where(stayed, drop=True),
            sim.trials[outcome].sel(dose=1, scenario=["rising"]).where(stayed, drop=True),
        )
    gap = compare_designs(one, other).table
    assert (gap["selected_mcse"] >= 0).all()


def test_a_toxic_truth_stops_trials_and_recommends_no_dose():
    poison = Scenario("poison", (0.9,) * 5, (0.5,) * 5)
    found = characteristics(run(design(stop=MaxPatients(21)), [poison], n_trials=40))
    table = found.table.sel(scenario="poison")
    assert float(table["none_selected"]) > 0.95
    assert float(table["patients"]) < 15
    assert float(table["overdosed"]) == float(table["patients"])


def test_enough_patients_at_the_next_dose_end_a_trial():
    trials = run(design(stop=MaxPatients(30) | EnoughAtDose(6)), [RISING], n_trials=40).trials
    assert int(trials["treated"].max()) == 6  # it would have stopped before a third cohort there
    assert int(trials["treated"].sum("dose").max()) <= 30
    there = trials["treated"].where(trials["dose"] == trials["recommended"]).sum("dose")
    done = trials["treated"].max("dose") == 6
    assert ((there > 0) | trials["recommended"].isnull()).all()
    assert (done | trials["stopped_early"]).all()


def test_progress_is_said_after_each_cohort_with_the_time_that_is_left():
    said = []
    run(scenarios=[RISING], n_trials=5, progress=said.append)
    assert [line.split(":")[0] for line in said] == ["33%", "67%", "100%"]
    assert all("posteriors, about" in line and line.endswith("s left") for line in said)


def test_blocks_run_side_by_side_or_one_by_one_to_the_same_trials(sim, monkeypatch):
    monkeypatch.setattr("doseopt_bayes.design.simulate.BLOCK", 30)
    together = run(threads=2)
    monkeypatch.setattr("doseopt_bayes.design.simulate.GROUP", 1)
    monkeypatch.setattr("doseopt_bayes.design.decider.AT_ONCE", 7 * 256)
    alone = run()
    xr.testing.assert_identical(alone.trials, together.trials)
    assert alone.fits == together.fits


def test_what_is_forgotten_is_decided_again_to_the_bit(sim, monkeypatch):
    monkeypatch.setattr("doseopt_bayes.design.decider.REMEMBERED", 20)
    monkeypatch.setattr("doseopt_bayes.design.simulate.GROUP", 1)
    again = run()
    xr.testing.assert_identical(again.trials, sim.trials)
    assert sum(again.fits.values()) > sum(sim.fits.values())


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"n_trials": 0}, "n_trials = 0 must be a whole number >= 1"),
        ({"n_trials": 2.5}, "n_trials = 2.5"),
        ({"seed": -1}, "seed = -1 must be a whole number >= 0"),
        ({"seed": True}, "seed = True"),
        ({"scenarios": []}, "give at least one"),
        ({"scenarios": [RISING, RISING]}, "each name once"),
        ({"scenarios": [Scenario("short", (0.1,), (0.2,))]}, "1 doses, the design 5"),
    ],
)
def test_what_cannot_be_simulated_is_refused(changes, said):
    with pytest.raises(DoseOptError, match=said):
        run(**changes)


def test_a_model_with_further_endpoints_is_refused():
    priors = {
        **EFFTOX_THALL2014,
        "stop_intercept": Normal(0.0, 1.0),
        "stop_slope": Normal(0.0, 1.0),
    }
    more = EffTox(DOSES, priors, unit="mg", others=("stop",))
    with pytest.raises(
        DoseOptError, match="simulated patients have toxicity, or toxicity and efficacy"
    ):
        run(design(model=more))
