"""Randomised arms with tolerability outcomes: published shapes of data, and fits sampled once."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd

from doseopt_bayes.data.arm_records import ArmColumns, ArmRecords
from doseopt_bayes.data.arm_records_outcome import EventCount, FirstEvent, Grade
from doseopt_bayes.inference.nuts import fit
from doseopt_bayes.models.ordinal import OrdinalGrades
from doseopt_bayes.models.recurrent import RecurrentEvents
from doseopt_bayes.models.time_to_first import TimeToFirst

DOSES = (15.0, 45.0)
DIARRHOEA = Grade("diarrhoea", "worst", at_least=2, highest=2)
NAUSEA = EventCount("nausea", "events", "days", time_unit="day", period=84, per=28)
CAUSES = {"AE": "toxicity", "PD": "progression", "DEATH": "progression"}
STOP = FirstEvent("days", "why", CAUSES, censored=("ONGOING",), horizon=84, cuts=(28,),
                  time_unit="day")  # fmt: skip
# patients at grades 0, 1, 2 in each arm
GRADES = ((11, 6, 3), (6, 5, 9))
# true values of the simulated trial
RATES, SCATTER = (0.6, 1.8), 0.7  # events per 28 days
HAZARDS = {"toxicity": ((0.002, 0.001), (0.012, 0.004)), "progression": ((0.003, 0.005),) * 2}


def read(frame, outcome, **roles):
    roles = {"doses": DOSES, "unit": "mg"} | roles
    return ArmRecords.from_frame(frame, ArmColumns("id", "mg", outcome, **roles))


def graded(counts=GRADES):
    rows = [
        (dose, g)
        for dose, row in zip(DOSES, counts, strict=True)
        for g, n in enumerate(row)
        for _ in range(n)
    ]
    frame = pd.DataFrame(rows, columns=["mg", "worst"])
    return frame.assign(id=[f"P{i}" for i in range(len(frame))])


def counted(n=120, seed=3):
    """Negative binomial counts: a Gamma of each patient, and a follow-up of 20 to 84 days."""
    rng = np.random.default_rng(seed)
    days = rng.uniform(20, 84, 2 * n).round(1)
    own = rng.gamma(1 / SCATTER, SCATTER, 2 * n)
    rate = np.repeat(RATES, n)
    frame = pd.DataFrame({"mg": np.repeat(DOSES, n), "days": days})
    return frame.assign(id=range(2 * n), events=rng.poisson(rate * own * days / 28))


def stopped(n=300, seed=5):
    """First events with hazards that change at day 28; follow-up ends between day 40 and 120."""
    rng = np.random.default_rng(seed)
    parts = []
    for arm, dose in enumerate(DOSES):
        # one exponential per cause and interval is the piecewise-exponential law
        times = {}
        for cause, by_arm in HAZARDS.items():
            early, late = (rng.exponential(1 / h, n) for h in by_arm[arm])
            times[cause] = np.where(early <= 28, early, 28 + late)
        end = rng.uniform(40, 120, n)
        first = np.minimum(times["toxicity"], times["progression"])
        why = np.where(times["toxicity"] < times["progression"], "AE", "PD")
        why = np.where(end < first, "ONGOING", why)
        parts.append(pd.DataFrame({"mg": dose, "days": np.minimum(first, end), "why": why}))
    frame = pd.concat(parts, ignore_index=True)
    return frame.assign(id=range(len(frame)))


@cache
def grade_fit():
    return fit(OrdinalGrades(DOSES, DIARRHOEA, unit="mg"), read(graded(), DIARRHOEA), seed=11)


@cache
def count_fit():
    return fit(RecurrentEvents(DOSES, NAUSEA, unit="mg"), read(counted(), NAUSEA), seed=11)


@cache
def stop_fit():
    return fit(TimeToFirst(DOSES, STOP, unit="mg"), read(stopped(), STOP), seed=11)


def values_of(model, wanted, point):
    """Return registered quantities at a point of the unconstrained parameters."""
    found = model.compile_fn(
        model.replace_rvs_by_values([model[v] for v in wanted]),
        inputs=model.value_vars,
        mode="FAST_COMPILE",
    )
    return dict(zip(wanted, found(point), strict=True))
