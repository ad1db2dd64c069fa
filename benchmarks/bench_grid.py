"""Posteriors a second on the shared grid, and the error of their tails against fine quadrature.

    python benchmarks/bench_grid.py [TRIALS]

Prints, for CRM (both links) and BLRM: CPU and wall seconds of so many posteriors with the mean of p_tox
and two tail probabilities at each dose, warm; and over 90 data sets (among them no patient, 3 to 300, all
toxic, none toxic; 24, 100 and 400 at one dose) the largest error of mean and tails, on nodes for up to
100 patients and on finer ones, and the largest ratio of an error to the one that is claimed.
"""

from __future__ import annotations

import itertools
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.inference.grid_cases import (
    LIMITS,
    LOGISTIC,
    POWER,
    SETS,
    TOGETHER,
    TWO,
    blrm_exact,
    crm_exact,
    read,
    stack,
    states,
)

from doseopt_bayes.inference.gridfit import fit_grid
from doseopt_bayes.models import CRM

MODELS = {"CRM power": POWER, "CRM logistic": LOGISTIC, "BLRM": TWO, "BLRM correlated": TOGETHER}


def data_sets(n: int = 60) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Return the fixed sets, random ones of up to 120 patients, concentrated or spread, and one dose."""
    rng = np.random.default_rng(1)
    found = list(SETS)
    while len(found) < n:
        total = 3 * int(rng.integers(1, 41))
        patients = rng.multinomial(total, rng.dirichlet(np.full(5, rng.choice([0.2, 1.0]))))
        events = rng.binomial(patients, np.sort(rng.random(5) ** rng.choice([0.5, 1, 3])))
        found.append((tuple(patients.tolist()), tuple(events.tolist())))
    for total, dose, share in itertools.product((24, 100, 400), range(5), (0.25, 0.5)):
        one = np.eye(5, dtype=int)[dose]
        found.append((tuple((total * one).tolist()), tuple((int(total * share) * one).tolist())))
    return found


def main(trials: int) -> None:
    """Measure speed, then error."""
    for name, model in MODELS.items():
        counts = states(trials, seed=5)
        fit_grid(model, counts, seed=1).each(read)  # compiles and lays out the nodes
        cpu, wall = time.process_time(), time.perf_counter()
        engine = fit_grid(model, counts, seed=1)
        engine.each(read)
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        print(f"{name}: {trials:,} posteriors, {cpu / trials * 1e6:.0f} us CPU each, {wall:.2f} s")
        sets = data_sets()
        exact = crm_exact if isinstance(model, CRM) else blrm_exact
        batch = fit_grid(model, stack(sets), seed=1, nuts=False)
        found = batch.each(read).sortby("trial")
        kinds = batch.table["engine"].to_numpy()
        off, ratio = {"mean": 0.0, "tails": 0.0, "tails, finer": 0.0}, 0.0
        for i, (n, x) in enumerate(sets):
            if not str(kinds[i]).startswith("grid"):
                continue
            finer = "tails, finer" if kinds[i] in {"grid x4", "grid x8"} else "tails"
            mean, tails = exact(model, np.array(n), np.array(x))
            off["mean"] = max(off["mean"], abs(found["mean"][i].to_numpy() - mean).max())
            for k, limit in enumerate(LIMITS):
                error = abs(found[f"below{limit}"][i].to_numpy() - tails[k]).max()
                off[finer] = max(off[finer], error)
                ratio = max(ratio, error / float(found[f"error{limit}"][i].max()))
        said = ", ".join(f"{k} {v:.1e}" for k, v in off.items())
        here = sum(str(k).startswith("grid") for k in kinds)
        print(f"  {here} of {len(sets)} data sets on a grid: off by {said};"
              f" at most {ratio:.2f} of the error claimed", flush=True)  # fmt: skip


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20_000)
