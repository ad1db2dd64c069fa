"""Posteriors a second of trials with pending patients: EffTox by particles, CRM and BLRM on the grid.

    python benchmarks/bench_pending.py [TRIALS]

Prints CPU and wall seconds and posteriors a wall second, warm, of stacks of so many trials (500) with 6
to 36 patients of whom the last 6 are pending, and of the same trials without their pending patients.
"""

from __future__ import annotations

import sys
import time

import numpy as np
import xarray as xr

from doseopt_bayes.inference.batch import fit_many
from doseopt_bayes.inference.gridfit import fit_grid
from doseopt_bayes.models import BLRM, CRM, EffTox
from doseopt_bayes.models.pending import shares_at
from doseopt_bayes.models.presets import BLRM_SINGLE_AGENT, EFFTOX_THALL2014

DOSES = (1.0, 2.0, 4.0, 6.6, 10.0)
TOX = np.array([0.05, 0.1, 0.2, 0.35, 0.5])
EFF = np.array([0.2, 0.35, 0.5, 0.55, 0.6])
WAITING = 6


def stacked(trials: int, seed: int = 1) -> xr.Dataset:
    """Return random interims: cohorts of 3 that climb, the last two cohorts pending."""
    rng = np.random.default_rng(seed)
    cells = np.zeros((trials, 5, 4), dtype="int64")
    share = np.ones((trials, 5, WAITING, 4))
    treated = np.zeros((trials, 5), dtype="int64")
    for t in range(trials):
        cohorts = int(rng.integers(4, 15))
        at = np.repeat(np.clip(rng.integers(-1, 2, cohorts).cumsum() + 1, 0, 4), 3)
        tox, eff = rng.random(at.size) < TOX[at], rng.random(at.size) < EFF[at]
        np.add.at(treated[t], at, 1)
        final = at.size - WAITING
        np.add.at(cells[t], (at[:final], eff[:final] + 2 * tox[:final]), 1)
        used = np.zeros(5, dtype=int)
        last = slice(final, None)  # followed for some of 84 days, toxicity within 28
        days = rng.uniform(0, 84, WAITING)
        early = eff[last] & (rng.random(WAITING) < days / 84)
        each = shares_at(tox[last], days / 28, early, days / 84)
        for j, one in zip(at[last], each, strict=True):
            share[t, j, used[j]] = one
            used[j] += 1
    lead = ("trial", "dose")
    return xr.Dataset(
        {
            "cell_count": ((*lead, "cell"), cells),
            "n_treated": (lead, treated),
            "pending": ((*lead, "slot", "cell"), share),
        },
        coords={"trial": np.arange(trials), "dose": list(DOSES), "cell": list("NETB")},
    )


def main(trials: int) -> None:
    """Measure each engine, with pending patients and without."""
    counts = stacked(trials)
    plain = counts.drop_vars("pending")
    efftox = EffTox(DOSES, EFFTOX_THALL2014)
    skeleton = (0.05, 0.12, 0.25, 0.40, 0.55)
    runs = {
        "EffTox, 512 particles": lambda c: fit_many(efftox, c, seed=1, particles=512, nuts=False),
        "EffTox, 512, 2 threads": lambda c: fit_many(
            efftox, c, seed=1, particles=512, nuts=False, threads=2
        ),
        "CRM, grid": lambda c: fit_grid(CRM(DOSES, skeleton), c, seed=1),
        "BLRM, grid": lambda c: fit_grid(BLRM(DOSES, 5.0, BLRM_SINGLE_AGENT), c, seed=1),
    }
    for name, run in runs.items():
        for label, stack in (("pending", counts), ("without", plain)):
            run(stack.isel(trial=slice(0, 20))).each(read)
            cpu, wall = time.process_time(), time.perf_counter()
            batch = run(stack)
            batch.each(read)
            cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
            more = int((batch.table["engine"] == "particles x4").sum())
            failed = int((~batch.table["passed"]).sum())
            print(f"{name:24} {label}: {cpu:.2f} s CPU, {wall:.2f} s wall, {trials / wall:,.0f} a second"
                  f" ({more} with 4 times the particles, {failed} not passed)")  # fmt: skip


def read(post: object) -> xr.Dataset:
    """Return what a decision reads first: means and one tail."""
    return xr.Dataset(
        {"mean": post.expect(post["p_tox"]), "below": post.below("p_tox", 0.33)[0]}  # type: ignore[attr-defined,index]
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 500)
