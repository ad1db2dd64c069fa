"""Backfill: who comes in, where, and that every patient counts."""

from __future__ import annotations

import numpy as np
import pytest

import doseopt_bayes as dob
from doseopt_bayes.decision.criteria import MeanUtility

DOSES = (10.0, 20.0, 40.0, 80.0)
SAFE = dob.Scenario("safe", (0.02, 0.05, 0.1, 0.2), (0.0, 0.5, 0.5, 0.6))
BOIN = dob.IntervalDesign(dob.BOIN(0.3), DOSES, start=10, stop=dob.MaxPatients(18), unit="mg")


def trials_of(design, scenario=SAFE, n=300, seed=4):
    return dob.simulate(design, [scenario], n_trials=n, seed=seed).trials.isel(scenario=0)


def test_caps_and_places_hold():
    rule = dob.Backfill(most=8, per_cohort=2, at_dose=9)
    found = trials_of(dob.BackfillDesign(BOIN, rule))
    extra, treated = found["backfilled"], found["treated"]
    assert int(extra.sum("dose").max()) == 8
    assert bool((extra <= treated).all())
    assert int(extra.max()) <= 9 - 3  # a dose opens after a cohort of three
    assert bool(((treated - extra).sum("dose") <= 18).all())
    # never at or above the highest dose that a cohort received
    of_cohorts = treated - extra
    highest = of_cohorts["dose"].where(of_cohorts > 0).max("dose")
    assert bool((extra.where(extra["dose"] >= highest, 0) == 0).all())


@pytest.mark.parametrize(("priority", "place"), [("highest", 40.0), ("lowest", 10.0)])
def test_priority_says_which_open_dose_is_filled(priority, place):
    never_toxic = dob.Scenario("never", (0.0, 0.0, 0.0, 0.0), (1.0, 1.0, 1.0, 1.0))
    design = dob.BackfillDesign(
        BOIN, dob.Backfill(most=30, per_cohort=1, at_dose=30, priority=priority)
    )
    found = trials_of(design, never_toxic, n=3)["backfilled"]
    # cohorts at 10, 20, 40, 80, 80, 80: one more patient beside all but the first
    expected = {"highest": [1, 1, 3, 0], "lowest": [5, 0, 0, 0]}[priority]
    assert found.to_numpy().tolist() == [expected] * 3
    assert place in found["dose"].where(found.isel(trial=0) > 0).to_numpy()


def test_a_dose_without_responses_stays_closed_until_there_is_one():
    rule = dob.Backfill(most=12, at_dose=12, least_responses=1)
    found = trials_of(dob.BackfillDesign(BOIN, rule))
    assert int(found["backfilled"].sel(dose=10.0).sum()) == 0  # nobody responds there
    assert int(found["backfilled"].sel(dose=20.0).sum()) > 0


def test_backfilled_toxicities_enter_the_decisions():
    """A dose that proves toxic in backfilled patients is eliminated, and every higher one with it."""
    late = dob.Scenario("mean", (0.0, 1.0, 0.0, 0.0), (0.5, 0.5, 0.5, 0.5))
    plain, filled = (
        trials_of(d, late, n=200)
        for d in (BOIN, dob.BackfillDesign(BOIN, dob.Backfill(most=12, least_patients=1)))
    )
    assert set(np.unique(plain["recommended"])) == set(np.unique(filled["recommended"])) == {10.0}
    risky = dob.Scenario("risky", (0.3, 0.3, 0.3, 0.3), (0.5, 0.5, 0.5, 0.5))
    a = trials_of(BOIN, risky)
    b = trials_of(dob.BackfillDesign(BOIN, dob.Backfill(most=12)), risky)
    assert not a["recommended"].equals(b["recommended"])
    assert bool((b["toxicities"].sum("dose") >= 0).all())
    share = b["toxicities"].sum() / b["treated"].sum()
    assert abs(float(share) - 0.3) < 0.03  # backfilled patients have the truth of their dose


def test_patients_of_cohorts_are_those_of_the_design_alone_until_backfill_changes_a_decision():
    never_toxic = dob.Scenario("never", (0.0, 0.0, 0.0, 0.0), (0.4, 0.4, 0.4, 0.4))
    alone = trials_of(BOIN, never_toxic)
    both = trials_of(dob.BackfillDesign(BOIN, dob.Backfill(most=6)), never_toxic)
    of_cohorts = both["treated"] - both["backfilled"]
    assert bool((of_cohorts == alone["treated"]).all())
    assert bool((both["recommended"] == alone["recommended"]).all())


def test_a_model_takes_backfill_too():
    crm = dob.CRM(DOSES, (0.05, 0.12, 0.25, 0.4), unit="mg")
    design = dob.Design(
        crm, dob.ClosestToTarget(0.25), dob.NoSkipping(), MeanUtility(), start=10,
        stop=dob.MaxPatients(12),
    )  # fmt: skip
    found = trials_of(dob.BackfillDesign(design, dob.Backfill(most=6)), n=20)
    assert int(found["backfilled"].sum("dose").max()) == 6
    assert bool((found["resolved"]).all())


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"most": 0}, "most = 0"),
        ({"per_cohort": True}, "per_cohort"),
        ({"priority": "best"}, "unknown"),
    ],
)
def test_rules_that_cannot_be_are_refused(changed, said):
    with pytest.raises(dob.DoseOptError, match=said):
        dob.Backfill(**{"most": 6, **changed})
