"""Calibration of the models of arms: truth drawn from the prior, its rank in the posterior is uniform."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import kstest

from doseopt_bayes.inference.compiled import compiled_for
from doseopt_bayes.inference.nuts import fit
from doseopt_bayes.models.ordinal import OrdinalGrades
from doseopt_bayes.models.recurrent import RecurrentEvents
from doseopt_bayes.models.time_to_first import TimeToFirst

from .arm_cases import DIARRHOEA, DOSES, NAUSEA, STOP, counted, graded, read, stopped

TRIALS, PATIENTS = 150, 25
CASES = {
    "ordinal": (OrdinalGrades(DOSES, DIARRHOEA, unit="mg"), ("p_diarrhoea", "mean_diarrhoea")),
    "recurrent": (RecurrentEvents(DOSES, NAUSEA, unit="mg"), ("rate_nausea", "p_nausea")),
    "time to first": (
        TimeToFirst(DOSES, STOP, unit="mg"),
        ("p_toxicity", "p_progression", "retained"),
    ),
}
FRAMES = {"ordinal": graded(), "recurrent": counted(2), "time to first": stopped(2)}


def grades(truth, rng):
    cells = truth["grade_diarrhoea"].to_numpy()
    return graded([rng.multinomial(PATIENTS, p / p.sum()) for p in cells])


def counts(truth, rng):
    days = rng.uniform(20, 84, 2 * PATIENTS)
    k = float(truth["overdispersion"])
    own = rng.gamma(1 / k, k, 2 * PATIENTS)
    mean = np.repeat(truth["rate_nausea"].to_numpy(), PATIENTS) * own * days / 28
    frame = pd.DataFrame({"mg": np.repeat(DOSES, PATIENTS), "days": days})
    return frame.assign(id=range(2 * PATIENTS), events=rng.poisson(mean))


def stops(truth, rng):
    """Times by the inverse of the cumulative hazard, the cause by its share of the hazard there."""
    rows = []
    for arm, dose in enumerate(DOSES):
        h = truth["hazard"].isel(dose=arm).to_numpy()
        total = h.sum(0)
        for _ in range(PATIENTS):
            spent = rng.exponential()
            early = spent <= 28 * total[0]
            time = spent / total[0] if early else 28 + (spent - 28 * total[0]) / total[1]
            share = h[0, 0 if early else 1] / total[0 if early else 1]
            end = rng.uniform(40, 120)
            why = "ONGOING" if end < time else ("AE" if rng.random() < share else "PD")
            rows.append((dose, max(min(time, end), 1e-6), why))
    return pd.DataFrame(rows, columns=["mg", "days", "why"]).assign(id=range(len(rows)))


SIMULATE = {"ordinal": grades, "recurrent": counts, "time to first": stops}


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_truth_from_the_prior_has_uniform_ranks(case):
    model, wanted = CASES[case]
    start = read(FRAMES[case], model.outcome)
    prior = compiled_for(model, start).forward(TRIALS, 17)["prior"].to_dataset().isel(chain=0)
    rng = np.random.default_rng(23)
    ranks = {name: [] for name in wanted}
    failed = 0
    for i in range(TRIALS):
        truth = prior.isel(draw=i)
        data = read(SIMULATE[case](truth, rng), model.outcome)
        post = fit(model, data, seed=i)
        failed += not post.diagnostics.passed
        for name in wanted:
            below = post.draws[name] < truth[name]
            ranks[name] += below.mean(["chain", "draw"]).to_numpy().tolist()
    assert failed == 0
    for name, found in ranks.items():
        # arms are independent but for what they share; each has its own test
        for arm in range(len(DOSES)):
            assert kstest(found[arm :: len(DOSES)], "uniform").pvalue > 0.001, (name, arm)
