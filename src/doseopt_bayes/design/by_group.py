"""Trials in several groups of patients at once: each has its own dose, all are analysed together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import xarray as xr

from doseopt_bayes import names
from doseopt_bayes.design.characteristics import characteristics
from doseopt_bayes.design.group_decider import GroupDecider, grouping_of
from doseopt_bayes.design.measures import mean_with_error
from doseopt_bayes.design.scenario import Scenario
from doseopt_bayes.design.simulate import SCENARIO, TRIAL, Simulation, processors
from doseopt_bayes.errors import DoseOptError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from doseopt_bayes.design.design import Design
    from doseopt_bayes.design.group_scenario import GroupScenario

__all__ = ["GroupSimulation", "group_characteristics", "simulate_groups"]

LOOKS: Final = 1000  # a group that hardly accrues must not keep a trial open for ever


@dataclass(frozen=True, eq=False)
class GroupSimulation:
    """Simulated trials in several groups.

    Parameters
    ----------
    design, scenarios
        What was simulated.
    trials
        Over (scenario, trial, grouping) and dose, as in
        :class:`~doseopt_bayes.design.simulate.Simulation`; and ``patients`` (scenario, trial).
    fits
        Number of posteriors by engine; equal counts were fitted once.
    seed, particles
        What the trials depend on beside design and scenarios.
    accrual
        Level to the probability that it has a cohort at a look.
    """

    design: Design
    scenarios: tuple[GroupScenario, ...]
    trials: xr.Dataset
    fits: dict[str, int]
    seed: int
    particles: int
    accrual: Mapping[str, float]

    @property
    def grouping(self) -> str:
        """Name of the grouping, a dim of the trials."""
        return grouping_of(self.design)[0]

    def at(self, level: str) -> Simulation:
        """Return what happened in one group, for characteristics, tables and figures of a simulation.

        Raises
        ------
        DoseOptError
            On a level that the model does not have.
        """
        levels = grouping_of(self.design)[1]
        if level not in levels:
            raise DoseOptError(
                f"the simulation has no {self.grouping} '{level}'", hint=did_you_mean(level, levels)
            )
        truths = tuple(
            Scenario(s.name, t.p_tox, t.p_eff, t.correlation)
            for s in self.scenarios
            for t in [s.groups[level]]
        )
        found = self.trials.sel({self.grouping: level}, drop=True)
        return Simulation(self.design, truths, found, self.fits, self.seed, self.particles)


def simulate_groups(
    design: Design,
    scenarios: Sequence[GroupScenario],
    *,
    n_trials: int,
    seed: int,
    particles: int = 2048,
    accrual: Mapping[str, float] | None = None,
    threads: int = 0,
    progress: Callable[[str], None] | None = None,
) -> GroupSimulation:
    """Simulate a trial in several groups of patients, each with doses and an OBD of its own.

    At each look every group that is open treats a cohort at its dose; then the model is fitted to all
    groups together, and the design's decision names the next dose of each. A group closes when the
    design's stopping rule holds for its own patients, or none of its doses is admissible; its patients
    go on informing the others.

    Parameters
    ----------
    design
        Its model has one grouping; start, cohort and stop hold for each group.
    scenarios
        Truths with one scenario for each group.
    n_trials
        Trials of each scenario, >= 1.
    seed
        Non-negative integer; patients depend on it, the scenario's place, the trial and the group.
    particles
        Particles of each posterior; four times as many where an answer is not resolved or the gate
        fails, and NUTS where it fails again.
    accrual
        Level to the probability, in (0, 1], that it has a cohort at a look; 1 for the others.
    threads
        Threads of the engine; 0 for one on each processor.
    progress
        Called with a few words after each look.

    Returns
    -------
    GroupSimulation
        ``at(level)`` is an ordinary simulation of one group.

    Raises
    ------
    DoseOptError
        Before anything runs: on numbers that are none, a model without a single grouping, or scenarios
        that do not fit the design.
    """
    grouping, levels = grouping_of(design)
    shares = _checked(design, scenarios, n_trials, seed, particles, accrual or {})
    say = progress or (lambda _: None)
    decider = GroupDecider(design, seed, particles, threads or processors())
    parts = []
    for place, scenario in enumerate(scenarios):
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(place, 0)))
        parts.append(_one(decider, scenario, n_trials, shares, rng, say))
    trials = xr.concat(parts, dim=SCENARIO).assign_coords(
        {SCENARIO: [s.name for s in scenarios], TRIAL: np.arange(n_trials), grouping: list(levels)}
    )
    trials[names.DOSE].attrs["units"] = design.model.unit
    return GroupSimulation(
        design, tuple(scenarios), trials, dict(decider.fits), seed, particles,
        dict(zip(levels, shares.tolist(), strict=True)),
    )  # fmt: skip


def _checked(
    design: Design, scenarios: Sequence[GroupScenario], n_trials: Any, seed: Any, particles: Any,
    accrual: Mapping[str, float],
) -> np.ndarray:  # fmt: skip
    for what, value, least in (("n_trials", n_trials, 1), ("seed", seed, 0),
                               ("particles", particles, 256)):  # fmt: skip
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
            raise DoseOptError(f"{what} = {value!r} must be a whole number >= {least}")
    grouping, levels = grouping_of(design)
    called = [s.name for s in scenarios]
    if not called or len(set(called)) != len(called):
        raise DoseOptError(f"scenarios {called}: give at least one, each name once")
    if sorted(design.model.endpoints) not in ([names.TOX], [names.EFF], [names.EFF, names.TOX]):
        raise DoseOptError(
            f"the model reads the endpoints {', '.join(design.model.endpoints)}",
            hint="simulated patients have toxicity and efficacy, known at each look",
        )
    for scenario in scenarios:
        scenario.check(design)
    for level, share in accrual.items():
        if level not in levels or not 0 < share <= 1:
            raise DoseOptError(
                f"accrual of {grouping} '{level}' = {share!r}: a probability above 0 of a level of the "
                "model",
                hint=did_you_mean(level, levels),
            )
    return np.array([accrual.get(v, 1.0) for v in levels])


def _one(
    decider: GroupDecider, scenario: GroupScenario, n: int, accrual: np.ndarray,
    rng: np.random.Generator, say: Callable[[str], None],
) -> xr.Dataset:  # fmt: skip
    """Simulate the trials of one scenario, look by look, all at once."""
    design = decider.design
    grouping, levels = grouping_of(design)
    doses = np.array(design.model.doses)
    truth = np.stack([scenario.groups[v].cells() for v in levels]).cumsum(axis=-1)
    shape = (n, len(levels))
    luck = rng.random((*shape, design.most))
    cells = np.zeros((*shape, len(doses), len(names.CELLS)), dtype=np.int32)
    dose = np.full(shape, int(np.searchsorted(doses, design.start)))
    open_ = np.ones(shape, dtype=bool)
    recommended = np.full(shape, np.nan)
    early, resolved = np.zeros(shape, bool), np.ones(shape, bool)
    unresolved = np.zeros(shape, np.int32)
    for look in range(LOOKS):
        if not open_.any():
            break
        here = open_ & (rng.random(shape) < accrual)
        if not here.any():
            continue
        trial, group = np.nonzero(here)
        first = cells[trial, group].sum(axis=(1, 2))
        for k in range(design.cohort):
            u = luck[trial, group, first + k]
            at = truth[group, dose[trial, group]]
            seen = (u[:, None] >= at).sum(axis=1).clip(0, len(names.CELLS) - 1)
            np.add.at(cells, (trial, group, dose[trial, group], seen), 1)
        met = np.flatnonzero(here.any(axis=1))
        said, sure = decider(cells[met], final=False)
        now = here[met]
        unresolved[met] += now & ~sure
        none = now & (said < 0)
        treated = xr.DataArray(
            cells[met].sum(axis=-1), dims=(TRIAL, grouping, names.DOSE), coords={names.DOSE: doses}
        )
        following = xr.DataArray(np.where(said < 0, np.nan, doses[said]), dims=(TRIAL, grouping))
        stops = now & design.stop.holds(treated, following).to_numpy() & ~none
        if stops.any():
            rows = np.flatnonzero(stops.any(axis=1))
            last, firm = decider(cells[met[rows]], final=True)
            for i, row in enumerate(rows):
                for g in np.flatnonzero(stops[row]):
                    recommended[met[row], g] = np.nan if last[i, g] < 0 else doses[last[i, g]]
                    resolved[met[row], g] = firm[i, g]
        rows, columns = np.nonzero(none)
        early[met[rows], columns] = True
        resolved[met[rows], columns] = sure[rows, columns]
        moved = np.where(now & ~none, said, dose[met])
        dose[met] = moved
        open_[met] &= ~(stops | none)
        say(f"{scenario.name}: look {look + 1}, {int(open_.any(axis=1).sum())} trials open, "
            f"{sum(decider.fits.values()):,} posteriors")  # fmt: skip
    by_group = (TRIAL, grouping)
    return xr.Dataset(
        {
            "recommended": (by_group, recommended),
            "stopped_early": (by_group, early),
            "resolved": (by_group, resolved),
            "unresolved": (by_group, unresolved),
            "treated": ((*by_group, names.DOSE), cells.sum(axis=-1, dtype=np.int32)),
            "toxicities": ((*by_group, names.DOSE), cells[..., 2:].sum(axis=-1, dtype=np.int32)),
            "responses": ((*by_group, names.DOSE), cells[..., [1, 3]].sum(axis=-1, dtype=np.int32)),
        },
        coords={names.DOSE: doses},
    )


def group_characteristics(sim: GroupSimulation) -> xr.Dataset:
    """Summarise simulated trials in several groups.

    Parameters
    ----------
    sim
        Result of :func:`simulate_groups`.

    Returns
    -------
    xarray.Dataset
        The table of :func:`~doseopt_bayes.design.characteristics.characteristics` over the grouping
        too; ``all_correct`` (scenario): share of trials that select the true OBD in every group, or
        none where there is none; and ``any_overdose`` (scenario): share that select a dose above the
        true MTD in some group. Each with its Monte Carlo error, suffix ``_mcse``.
    """
    levels = grouping_of(sim.design)[1]
    each = {v: characteristics(sim.at(v)).table for v in levels}
    found = xr.concat(list(each.values()), dim=sim.grouping).assign_coords(
        {sim.grouping: list(levels)}
    )
    chosen = sim.trials["recommended"]
    obd, mtd = found["obd"], found["mtd"]
    right = (chosen == obd) | (chosen.isnull() & obd.isnull())
    limited = not np.isnan(found.attrs["toxicity_limit"])
    over = xr.Dataset({"all_correct": right.all(sim.grouping).astype(float)})
    if limited:
        above = chosen > mtd.fillna(-np.inf)
        over["any_overdose"] = above.any(sim.grouping).astype(float)
    joined: xr.Dataset = xr.merge([found, mean_with_error(over)], combine_attrs="override")
    joined.attrs = dict(found.attrs)
    return joined
