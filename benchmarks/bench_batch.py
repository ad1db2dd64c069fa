"""Milliseconds per posterior of the batch engine, and of compiled NUTS on the same trials.

    python benchmarks/bench_batch.py [--trials 1000] [--particles 1024] [--threads 2] [--no-nuts]

EffTox (6 parameters, 5 doses), 3 to 120 patients. Trust the ratios of one run; seconds are the machine's.
"""

from __future__ import annotations

import argparse
import resource
import time
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from doseopt_bayes.inference.batch import fit_in_blocks, fit_many, preview
from doseopt_bayes.inference.compiled import compiled_for
from doseopt_bayes.inference.nuts import fit
from doseopt_bayes.inference.tallies import checked_counts, trial_of
from doseopt_bayes.models import EffTox
from doseopt_bayes.models.presets import EFFTOX_THALL2014

if TYPE_CHECKING:
    from collections.abc import Callable

DOSES = (1.0, 2.0, 4.0, 6.6, 10.0)
MODEL = EffTox(DOSES, EFFTOX_THALL2014, unit="mg")
P_EFF = np.array([0.2, 0.4, 0.6, 0.8, 0.9])
P_TOX = np.array([0.05, 0.10, 0.15, 0.20, 0.40])


def trials(n: int, patients: int, seed: int = 1) -> xr.Dataset:
    """Simulate `n` trials with `patients` patients each, spread over the doses at random."""
    rng = np.random.default_rng(seed)
    dose = rng.integers(0, 5, (n, patients))
    outcome = (rng.random(dose.shape) < P_EFF[dose]) + 2 * (rng.random(dose.shape) < P_TOX[dose])
    cells = np.zeros((n, 5, 4), dtype=int)
    np.add.at(cells, (np.arange(n)[:, None], dose, outcome), 1)
    return xr.Dataset(
        {"cell_count": (("trial", "dose", "cell"), cells)},
        coords={"trial": np.arange(n), "dose": list(DOSES), "cell": list("NETB")},
    )


def timed(run: Callable[[], object], repeats: int = 3) -> tuple[float, float]:
    """Return the least wall and CPU seconds of some runs."""
    found = []
    for _ in range(repeats):
        wall, cpu = time.perf_counter(), time.process_time()
        run()
        found.append((time.perf_counter() - wall, time.process_time() - cpu))
    return min(w for w, _ in found), min(c for _, c in found)


def line(what: str, n: int, seconds: tuple[float, float]) -> None:
    """Print the milliseconds of one posterior."""
    wall, cpu = (1000 * s / n for s in seconds)
    print(f"{what:<44} {wall:9.3f} ms wall {cpu:9.3f} ms CPU a posterior")


def main() -> None:
    """Run the benchmark."""
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("--trials", type=int, default=1000)
    ask.add_argument("--particles", type=int, default=1024)
    ask.add_argument("--threads", type=int, default=2)
    ask.add_argument("--no-nuts", action="store_true")
    given = ask.parse_args()
    settings = {"seed": 1, "particles": given.particles, "nuts": False, "threads": given.threads}

    start = time.perf_counter()
    fit_many(MODEL, trials(1, 39), **settings)
    print(
        f"first posterior in this process, compilation included: {time.perf_counter() - start:.1f} s"
    )
    for n in (1, 100, given.trials, 5 * given.trials):
        counts = trials(n, 39)
        repeats = 20 if n == 1 else 3
        line(
            f"batch of {n}, 39 patients",
            n,
            timed(lambda c=counts: fit_many(MODEL, c, **settings), repeats),
        )
    for patients in (3, 12, 39, 120):
        counts = trials(given.trials, patients)
        batch = fit_many(MODEL, counts, **settings)
        said = timed(lambda c=counts: fit_many(MODEL, c, **settings), 2)
        first = float((batch.table["engine"] == "particles").mean())
        khat = float(batch.table["khat"].quantile(0.99))
        line(f"batch of {given.trials}, {patients} patients", given.trials, said)
        print(f"    gate passed at once: {first:.2%}; 99 % quantile of k-hat {khat:.2f}; "
              f"median ESS {float(batch.table['ess'].median()):.0f} of {given.particles}")  # fmt: skip
        del batch
    data = trial_of(MODEL, checked_counts(MODEL, trials(1, 39)).isel(trial=0))
    for particles in (1024, 16_384):
        run = lambda p=particles: preview(MODEL, data, seed=1, particles=p)  # noqa: E731
        run()
        line(f"preview, {particles} particles", 1, timed(run, 10))

    def through() -> None:
        for batch in fit_in_blocks(MODEL, trials(5 * given.trials, 39), trials=500, **settings):
            batch.expect("p_tox")

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    line(f"{5 * given.trials} trials in blocks of 500", 5 * given.trials, timed(through, 1))
    more = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak
    print(f"    peak memory {peak / 1024:.0f} MB before, {more / 1024:.0f} MB more after")
    if given.no_nuts:
        return
    import nutpie  # noqa: PLC0415

    fit(MODEL, data, seed=1)
    sample = {"draws": 1000, "tune": 1000, "chains": 4, "seed": 1, "progress_bar": False}
    line("nutpie, warm: 4 x (1000 + 1000), sampling only", 1,
         timed(lambda: nutpie.sample(compiled_for(MODEL, data).nuts(), **sample), 3))  # fmt: skip
    line("fit(), warm: 4 x (1000 + 2500), with its checks", 1,
         timed(lambda: fit(MODEL, data, seed=1), 2))  # fmt: skip


if __name__ == "__main__":
    main()
