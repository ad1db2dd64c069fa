"""Simulated trials: seconds, posteriors, memory, and the same loop with compiled NUTS.

    python benchmarks/bench_simulation.py [--trials 10000] [--threads 2] [--million]

Trust the ratios of one run; seconds are the machine's.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from doseopt_bayes.decision.criteria import MeanUtility, UtilityOfMeans
from doseopt_bayes.decision.rules import EWOC, NoSkipping
from doseopt_bayes.decision.target import ClosestToTarget, TargetInterval
from doseopt_bayes.design.decider import Decider
from doseopt_bayes.design.design import Design
from doseopt_bayes.design.scenario import Scenario
from doseopt_bayes.design.simulate import Block, simulate, simulate_blocks
from doseopt_bayes.design.stopping import MaxPatients
from doseopt_bayes.inference.batch import fit_many
from doseopt_bayes.inference.nuts import fit
from doseopt_bayes.inference.tallies import checked_counts, trial_of
from doseopt_bayes.models import BLRM, CRM
from doseopt_bayes.models.presets import BLRM_SINGLE_AGENT
from doseopt_bayes.spec.scenarios import read_scenarios
from doseopt_bayes.spec.spec import Spec

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

EFFTOX = Spec.load("models/efftox-thall2014.toml").design
TRUTHS = read_scenarios("models/scenarios-thall2014.toml")
DOSES = (1.0, 2.5, 5.0, 10.0, 25.0, 50.0)
STEEP = Scenario("steep", (0.02, 0.05, 0.1, 0.2, 0.33, 0.5))
SAFETY = {
    "CRM": Design(
        CRM(DOSES, (0.05, 0.12, 0.2, 0.3, 0.45, 0.6)), ClosestToTarget(0.3),
        EWOC(0.33, overdose=0.5) & NoSkipping(), UtilityOfMeans(), start=1, stop=MaxPatients(36),
    ),
    "BLRM": Design(
        BLRM(DOSES, reference=25, priors=BLRM_SINGLE_AGENT, unit="mg"), TargetInterval(0.16, 0.33),
        EWOC() & NoSkipping(), MeanUtility(), start=1, stop=MaxPatients(36),
    ),
}  # fmt: skip
LENGTHS = (250, 500, 1000, 2000, 4000)  # draws of each of 4 chains
STATES = 24
PARTICLES = 512  # the default of simulate()


def timed[T](run: Callable[[], T]) -> tuple[T, float, float]:
    """Return a result with its wall and CPU seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    found = run()
    return found, time.perf_counter() - wall, time.process_time() - cpu


def simulated(name: str, design: Design, truths: Sequence[Scenario], n: int, threads: int) -> float:
    """Simulate and print; return the CPU seconds of a trial."""
    simulate(design, truths, n_trials=20, seed=2, threads=threads)  # compiles
    sim, wall, cpu = timed(lambda: simulate(design, truths, n_trials=n, seed=1, threads=threads))
    fits = sum(sim.fits.values())
    print(f"{name:<8} {n:>9,} trials {wall:8.1f} s wall {cpu:8.1f} s CPU {fits:>9,} posteriors "
          f"{1000 * cpu / n:8.3f} ms CPU a trial")  # fmt: skip
    return cpu / n


class Visited(Decider):
    """Keeps the states that it decided on."""

    def __call__(self, cells: np.ndarray, *, final: bool = False):  # noqa: ANN204
        """Decide, and keep the states."""
        self.states = [*getattr(self, "states", []), *cells]
        return super().__call__(cells, final=final)


def counts_of(states: Sequence[np.ndarray]) -> xr.Dataset:
    """Label states as the counts of trials."""
    model = EFFTOX.model
    return xr.Dataset(
        {"cell_count": (("trial", "dose", "cell"), np.stack(states).astype("int64"))},
        coords={"trial": np.arange(len(states)), "dose": list(model.doses), "cell": list("NETB")},
    )


def nuts_in_the_loop(cpu_a_trial: float) -> None:
    """Cost of the same trials by compiled NUTS, as long as its error is that of the particles."""
    model = EFFTOX.model
    decider = Visited(EFFTOX, 1)
    simulate_blocks(decider, TRUTHS[:1], [Block((0, 0), 30)])
    looks = len(decider.states) / 30
    rng = np.random.default_rng(1)
    some = [decider.states[i] for i in rng.choice(len(decider.states), STATES, replace=False)]
    counts = checked_counts(model, counts_of(some))
    truth = fit_many(model, counts, seed=9, particles=1 << 16)
    ends = ("p_tox", "p_eff")
    exact = {v: truth.expect(v) for v in ends}

    def rmse(found: Callable[[str], xr.DataArray]) -> float:
        gaps = [(found(v) - exact[v]).transpose("trial", "dose") ** 2 for v in ends]
        return float(xr.concat(gaps, "end").mean() ** 0.5)

    errors = [rmse(fit_many(model, counts, seed=s, particles=PARTICLES).expect) for s in range(5)]
    particles = float(np.mean(errors))
    trials = [trial_of(model, counts.isel(trial=i, drop=True)) for i in range(STATES)]
    fit(model, trials[0], seed=1, draws=100)
    print(
        f"error of {PARTICLES} particles: {particles:.5f} (root mean square over {STATES} states)"
    )
    for draws in LENGTHS:
        posts, _, cpu = timed(
            lambda draws=draws: [fit(model, t, seed=i, draws=draws) for i, t in enumerate(trials)]
        )
        error = rmse(lambda v, posts=posts: xr.concat([p.expect(p[v]) for p in posts], "trial"))
        each = cpu / STATES * looks
        print(f"NUTS 4 x (1000 + {draws}): error {error:.5f}, {cpu / STATES:.3f} s CPU a posterior; "
              f"a trial of {looks:.1f} looks takes {each / cpu_a_trial:,.0f} times as much")  # fmt: skip
        if error <= particles:
            break


def main() -> None:
    """Run the benchmark."""
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("--trials", type=int, default=10_000)
    ask.add_argument("--threads", type=int, default=2)
    ask.add_argument("--million", action="store_true", help="memory of a million CRM trials too")
    ask.add_argument("--memory", type=int, help=argparse.SUPPRESS)
    given = ask.parse_args()
    if given.memory:
        simulated("CRM", SAFETY["CRM"], [STEEP], given.memory, given.threads)
        status = Path("/proc/self/status").read_text(encoding="ascii")  # of this process alone
        print(next(line for line in status.splitlines() if line.startswith("VmHWM")))
        return
    for n in (given.trials // 10, given.trials):
        cpu = simulated("EffTox", EFFTOX, TRUTHS[:1], n, given.threads)
    for name, design in SAFETY.items():
        simulated(name, design, [STEEP], 100_000, given.threads)
    nuts_in_the_loop(cpu)
    for n in (100_000, 1_000_000)[: 1 + given.million]:
        command = [sys.executable, __file__, "--memory", str(n), "--threads", str(given.threads)]
        print(subprocess.run(command, check=True, capture_output=True, text=True).stdout, end="")


if __name__ == "__main__":
    main()
