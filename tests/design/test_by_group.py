"""Trials in several groups: each has its own dose, all are analysed together."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

import doseopt_bayes as dob
from doseopt_bayes import names
from doseopt_bayes.decision.criteria import MeanUtility
from doseopt_bayes.design.by_group import group_characteristics, simulate_groups
from doseopt_bayes.design.group_decider import GroupDecider
from doseopt_bayes.design.group_scenario import GroupScenario
from doseopt_bayes.design.stopping import MaxPatients
from doseopt_bayes.errors import DoseOptError
from doseopt_bayes.models import EffTox, Saturated
from doseopt_bayes.priors import HalfNormal, Normal, Pooled

DOSES = (10.0, 30.0)
LEVELS = ("A", "B")
PRIORS = {
    "tox_intercept": Normal(-1.5, 1.5),
    "tox_slope": Normal(0.7, 0.7),
    "eff_intercept": Pooled(Normal(-0.5, 1.5), HalfNormal(1.0)),
    "eff_slope": Normal(0.7, 0.7),
    "eff_curvature": Normal(0, 0.2),
    "association": Normal(0, 1),
}
MODEL = EffTox(DOSES, PRIORS, unit="mg", groups={"subgroup": LEVELS})
DESIGN = dob.Design(
    MODEL,
    dob.LpContour(eff0=0.3, tox1=0.6, hinge=(0.5, 0.3)),
    dob.Tolerable(0.35, certainty=0.1) & dob.Active(0.25, certainty=0.1) & dob.NoSkipping(),
    MeanUtility(),
    start=10,
    stop=MaxPatients(12),
    cohort=4,
)
GOOD = dob.Scenario("good", p_tox=(0.1, 0.15), p_eff=(0.4, 0.7))
DEAD = dob.Scenario("dead", p_tox=(0.1, 0.15), p_eff=(0.0, 0.0))
TRUTHS = [GroupScenario("apart", {"A": GOOD, "B": DEAD})]


@pytest.fixture(scope="module")
def sim():
    return simulate_groups(DESIGN, TRUTHS, n_trials=40, seed=1, particles=1024)


def test_each_group_has_its_own_dose_and_its_own_end(sim):
    table = group_characteristics(sim).sel(scenario="apart")
    none, error = table["none_selected"], table["none_selected_mcse"]
    # nobody ever responds in B: of 12 patients that leaves no dose active, of 40 trials in nearly all
    assert float(none.sel(subgroup="B")) > float(none.sel(subgroup="A")) + 3 * float(error.max())
    assert float(table["selected"].sel(subgroup="A", dose=30.0)) > 0.5
    at_a = sim.at("A").trials
    assert at_a["recommended"].equals(sim.trials["recommended"].sel(subgroup="A", drop=True))


def test_patients_are_whole_cohorts_and_never_more_than_the_design_allows(sim):
    treated = sim.trials["treated"].sum(names.DOSE)
    assert bool((treated % DESIGN.cohort == 0).all())
    assert bool((treated <= DESIGN.most).all())
    assert bool((sim.trials["toxicities"] <= sim.trials["treated"]).all())
    assert int(sim.trials["responses"].sel(subgroup="B").sum()) == 0


def test_only_a_dose_that_treated_this_group_is_recommended(sim):
    chosen = sim.trials["recommended"]
    there = sim.trials["treated"].where(sim.trials[names.DOSE] == chosen, 0).sum(names.DOSE)
    assert bool((there.where(chosen.notnull(), 1) > 0).all())


@pytest.mark.slow
def test_a_trial_that_ends_is_decided_as_the_analysis_of_its_patients_is():
    """The same counts, analysed by hand from the draws of NUTS, lead to the same resolved answers."""
    rng, compared = np.random.default_rng(3), 0
    for _ in range(2):
        parts = {}
        for level in LEVELS:
            letters = "".join(rng.choice(list("NETB"), 8, p=[0.4, 0.4, 0.12, 0.08]))
            parts[level] = dob.TrialData.parse(
                f"1{letters[:4]} 2{letters[4:]}", doses=DOSES, unit="mg"
            )
        data = dob.TrialData.of_groups(parts)
        found = dob.decide(dob.fit(MODEL, data, seed=2), DESIGN.utility, DESIGN.final_rules)
        cells = data.counts[names.CELL_COUNT].transpose("subgroup", names.DOSE, names.CELL)
        dose, sure = GroupDecider(DESIGN, 1, 4096, 1)(cells.to_numpy()[None], final=True)
        for i, level in enumerate(LEVELS):
            status = str(found.status.sel(subgroup=level).item())
            if sure[0, i] and status != "not resolved":
                ours = np.nan if dose[0, i] < 0 else DOSES[dose[0, i]]
                theirs = float(found.leading.sel(subgroup=level))
                assert ours == theirs or (np.isnan(ours) and np.isnan(theirs))
                compared += 1
    assert compared >= 2


def test_one_seed_gives_identical_trials_and_a_slow_group_gets_fewer_patients():
    kind = {"n_trials": 4, "seed": 5, "particles": 512}
    first = simulate_groups(DESIGN, TRUTHS, **kind)
    xr.testing.assert_identical(first.trials, simulate_groups(DESIGN, TRUTHS, **kind).trials)
    slow = simulate_groups(DESIGN, TRUTHS, accrual={"B": 0.2}, **kind)
    assert slow.accrual == {"A": 1.0, "B": 0.2}
    assert bool((slow.trials["treated"].sum(names.DOSE) <= DESIGN.most).all())


def test_what_cannot_be_simulated_is_refused():
    kind = {"n_trials": 2, "seed": 1}
    with pytest.raises(DoseOptError, match="does not name"):
        simulate_groups(DESIGN, [GroupScenario("x", {"a": GOOD, "B": GOOD})], **kind)
    with pytest.raises(DoseOptError, match="no truth for the subgroup B"):
        simulate_groups(DESIGN, [GroupScenario("x", {"A": GOOD})], **kind)
    with pytest.raises(DoseOptError, match="accrual of subgroup 'B'"):
        simulate_groups(DESIGN, TRUTHS, accrual={"B": 0.0}, **kind)
    with pytest.raises(DoseOptError, match="simulate_groups"):
        dob.simulate(DESIGN, [GOOD], **kind)
    plain = replace(DESIGN, model=Saturated(DOSES, "mg"))
    with pytest.raises(DoseOptError, match="0 groupings"):
        simulate_groups(plain, TRUTHS, **kind)
