"""Trials of a design under named truths, all trials of a block at once."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import xarray as xr

from doseopt_bayes import names
from doseopt_bayes.design.backfill import WithBackfill
from doseopt_bayes.design.patients import Ward
from doseopt_bayes.errors import DoseOptError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from doseopt_bayes.design.scenario import Scenario
    from doseopt_bayes.design.trialled import Decides, Trialled

__all__ = ["BLOCK", "Block", "Simulation", "Told", "luck_of", "simulate", "simulate_blocks"]

BLOCK: Final = 500  # trials of a block: it has a seed of its own, and is finished as a whole
GROUP: Final = 100  # blocks that run side by side, so that equal counts are decided together
SCENARIO: Final = "scenario"
TRIAL: Final = "trial"


@dataclass(frozen=True)
class Block:
    """A block of trials: `place` (scenario, block) and the seed give its patients."""

    place: tuple[int, int]
    size: int


@dataclass(frozen=True, eq=False)
class Simulation:
    """Simulated trials.

    Parameters
    ----------
    design, scenarios
        What was simulated.
    trials
        Over (scenario, trial): ``recommended`` (dose; NaN for none), ``stopped_early`` (no dose was
        admissible), ``resolved`` (the last decision), ``unresolved`` (number of interim decisions that
        Monte Carlo error could change); over (scenario, trial, dose): ``treated``, ``toxicities``,
        ``responses``, and with backfill ``backfilled``, the patients of the treated that were. In
        calendar time also ``duration``, ``pending`` and ``suspended``, and of a whole trial
        ``escalated`` and ``randomised``.
    fits
        Number of posteriors by engine; equal counts were fitted once.
    seed, particles
        What the trials depend on beside design and scenarios.
    """

    design: Trialled
    scenarios: tuple[Scenario, ...]
    trials: xr.Dataset
    fits: dict[str, int]
    seed: int
    particles: int

    @property
    def engine(self) -> str:
        """What the posteriors were made of, in words."""
        grids = [name for name in self.fits if name.startswith("grid")]
        rest = len(grids) < len(self.fits)
        if not self.fits:
            return "nothing (counts alone decide)"
        said = ["integration on a grid"] * bool(grids) + [f"{self.particles:,} particles"] * rest
        return " and ".join(said)


def simulate(
    design: Trialled,
    scenarios: Sequence[Scenario],
    *,
    n_trials: int,
    seed: int,
    particles: int = 512,
    threads: int = 0,
    progress: Callable[[str], None] | None = None,
) -> Simulation:
    """Simulate a design under each scenario.

    Parameters
    ----------
    design
        The design; its decisions are those of the analysis of an interim.
    scenarios
        Truths with one probability for each candidate dose, each name once.
    n_trials
        Trials of each scenario, >= 1.
    seed
        Non-negative integer. Patients depend on the seed, the scenario's place and the trial alone:
        designs that are simulated with one seed meet the same patients.
    particles
        Particles of each posterior; four times as many where an answer is not resolved.
    threads
        Threads that decide side by side; 0 for one on each processor. The trials are the same.
    progress
        Called with a few words after each cohort of patients.

    Returns
    -------
    Simulation
        For :func:`~doseopt_bayes.design.characteristics.characteristics`.

    Raises
    ------
    DoseOptError
        Before anything runs: on numbers that are none, names that stand twice, a scenario that does
        not fit the design, or a model or utility with further endpoints.
    """
    check_simulation(design, scenarios, n_trials=n_trials, seed=seed)
    decider = design.decider(seed, particles, threads or processors())
    tell, done = Told(progress), 0
    found: list[list[xr.Dataset]] = [[] for _ in scenarios]
    blocks = all_blocks(n_trials, len(scenarios))
    for group in in_groups(blocks, GROUP):
        share, size = done / len(blocks), len(group) / len(blocks)

        def say(x: float, share: float = share, size: float = size) -> None:
            tell(share + x * size, decider.fits)

        for block, part in zip(group, simulate_blocks(decider, scenarios, group, say), strict=True):
            found[block.place[0]].append(part)
        done += len(group)
    joined = [xr.concat(parts, dim=TRIAL) for parts in found]
    return assemble(design, scenarios, joined, decider.fits, seed, particles)


@dataclass
class Told:
    """Says how far a simulation is, and how long it takes at this pace.

    Parameters
    ----------
    say
        Called with a few words; ``None`` for silence.
    begun
        Share that was done before this process began.
    """

    say: Callable[[str], None] | None
    begun: float = 0.0
    start: float = field(default_factory=time.monotonic)

    def __call__(self, share: float, fits: Mapping[str, int]) -> None:
        """Say that a `share` of the work is done, with `fits` posteriors so far."""
        if self.say is not None and share > self.begun:
            spent = time.monotonic() - self.start
            left = spent * (1 - share) / (share - self.begun)
            self.say(f"{share:.0%}: {sum(fits.values()):,} posteriors, about {left:.0f} s left")


def assemble(
    design: Trialled,
    scenarios: Sequence[Scenario],
    found: Sequence[xr.Dataset],
    fits: Mapping[str, int],
    seed: int,
    particles: int,
) -> Simulation:
    """Put the trials of all scenarios together."""
    trials = xr.concat(found, dim=SCENARIO).assign_coords(
        {SCENARIO: [s.name for s in scenarios], TRIAL: np.arange(found[0].sizes[TRIAL])}
    )
    trials[names.DOSE].attrs["units"] = design.unit
    return Simulation(design, tuple(scenarios), trials, dict(fits), seed, particles)


def processors() -> int:
    """Return the number of processors that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on every system
        return os.cpu_count() or 1


def all_blocks(n_trials: int, scenarios: int) -> list[Block]:
    """Split the trials of each scenario into blocks."""
    sizes = [min(BLOCK, n_trials - start) for start in range(0, n_trials, BLOCK)]
    return [Block((i, k), n) for i in range(scenarios) for k, n in enumerate(sizes)]


def in_groups(blocks: Sequence[Block], size: int) -> list[Sequence[Block]]:
    """Put blocks together that run side by side."""
    return [blocks[i : i + size] for i in range(0, len(blocks), size)]


def check_simulation(
    design: Trialled, scenarios: Sequence[Scenario], *, n_trials: Any, seed: Any
) -> None:
    """Refuse what cannot be simulated, before anything runs."""
    design.check()
    for what, value, least in (("n_trials", n_trials, 1), ("seed", seed, 0)):
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
            raise DoseOptError(f"{what} = {value!r} must be a whole number >= {least}")
    called = [s.name for s in scenarios]
    if not called or len(set(called)) != len(called):
        raise DoseOptError(f"scenarios {called}: give at least one, each name once")
    for scenario in scenarios:
        design.truth(scenario)


def simulate_blocks(
    decider: Decides,
    scenarios: Sequence[Scenario],
    blocks: Sequence[Block],
    tell: Callable[[float], None] = lambda _: None,
) -> list[xr.Dataset]:
    """Simulate the trials of some blocks, cohort by cohort, all at once.

    Parameters
    ----------
    decider
        Makes the decisions of its design; it may know some already, which changes nothing but the time.
    scenarios
        The truths; a block names its own by position.
    blocks
        The place of a block and the seed alone give its patients, whatever runs beside it.
    tell
        Called with the share of the work that is done, after each cohort.

    Returns
    -------
    list of xarray.Dataset
        For each block, as in :class:`Simulation`, over trial and dose.
    """
    design = decider.design
    # patient by patient, so that a design with fewer patients meets the first of the same ones
    luck = np.concatenate([luck_of(decider.seed, block, design.most) for block in blocks], axis=1)
    sizes = [block.size for block in blocks]
    places = sorted({block.place[0] for block in blocks})
    truth = np.repeat([places.index(block.place[0]) for block in blocks], sizes)
    doses = np.array(design.doses)
    ward = Ward([scenarios[i] for i in places], truth)
    cells = ward.cells  # they are counted there
    size = len(truth)
    dose = np.full(size, int(np.searchsorted(doses, design.start)))
    open_ = np.arange(size)  # trials that go on
    recommended = np.full(size, np.nan)
    early, resolved = np.zeros(size, bool), np.ones(size, bool)
    unresolved, patient = np.zeros(size, np.int32), 0
    filling = None
    if isinstance(decider, WithBackfill):
        spare = [luck_of(decider.seed, b, decider.most, 3, 1) for b in blocks]
        filling = decider.filling(np.concatenate(spare, axis=1))

    while open_.size:
        here = dose[open_]
        before = cells[open_]
        for k in range(patient, patient + design.cohort):
            ward.treat(open_, here, luck[k, open_])
        if filling is not None:  # while the cohort is observed
            for who, place, chance in filling.during(before, here, open_):
                ward.treat(open_[who], place, chance)
        patient += design.cohort
        said = decider(cells[open_], here)
        unresolved[open_] += ~said.resolved
        none = said.dose < 0
        of_cohorts = cells[open_].sum(axis=-1) - (0 if filling is None else filling.total[open_])
        treated = xr.DataArray(of_cohorts, dims=(TRIAL, names.DOSE), coords={names.DOSE: doses})
        following = xr.DataArray(np.where(none, np.nan, doses[said.dose]), dims=TRIAL)
        stops = design.stop.holds(treated, following).to_numpy() & ~none
        if said.ended is not None:
            stops |= said.ended
            none = none & ~said.ended
        if stops.any():
            last = decider(cells[open_[stops]], here[stops], final=True)
            recommended[open_[stops]] = np.where(last.dose < 0, np.nan, doses[last.dose])
            resolved[open_[stops]] = last.resolved
        early[open_[none]] = True
        resolved[open_[none]] = said.resolved[none]
        dose[open_] = said.dose
        open_ = open_[~(stops | none)]
        tell(1.0 if not open_.size else patient / design.most)
    by_dose = (TRIAL, names.DOSE)
    found = xr.Dataset(
        {
            "recommended": (TRIAL, recommended),
            "stopped_early": (TRIAL, early),
            "resolved": (TRIAL, resolved),
            "unresolved": (TRIAL, unresolved),
            "treated": (by_dose, cells.sum(axis=-1, dtype=np.int32)),
            "toxicities": (by_dose, cells[:, :, 2:].sum(axis=-1, dtype=np.int32)),
            "responses": (by_dose, cells[:, :, [1, 3]].sum(axis=-1, dtype=np.int32)),
        },
        coords={names.DOSE: doses},
    )
    if filling is not None:
        found["backfilled"] = (by_dose, filling.total)
    ends = np.cumsum(sizes)
    return [found.isel({TRIAL: slice(end - n, end)}) for n, end in zip(sizes, ends, strict=True)]


def luck_of(seed: int, block: Block, most: int, numbers: int = 2, *which: int) -> np.ndarray:
    """Return what decides the outcomes of each patient of a block: (patient, trial, number)."""
    key = (*block.place, *which)
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))
    return rng.random((most, block.size, numbers))
