"""Trials of a design under named truths, all trials of a block at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import xarray as xr

from doseopt_bayes import names
from doseopt_bayes.design.decider import Decider
from doseopt_bayes.errors import DoseOptError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from doseopt_bayes.design.design import Design
    from doseopt_bayes.design.scenario import Scenario

__all__ = ["BLOCK", "Simulation", "simulate", "simulate_block"]

BLOCK: Final = 500  # trials of a block: it has a seed of its own, and is finished as a whole
SCENARIO: Final = "scenario"
TRIAL: Final = "trial"


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
        ``responses``.
    fits
        Number of posteriors by engine; equal counts were fitted once.
    seed, particles
        What the trials depend on beside design and scenarios.
    """

    design: Design
    scenarios: tuple[Scenario, ...]
    trials: xr.Dataset
    fits: dict[str, int]
    seed: int
    particles: int


def simulate(
    design: Design,
    scenarios: Sequence[Scenario],
    *,
    n_trials: int,
    seed: int,
    particles: int = 1024,
    threads: int = 1,
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
    particles, threads
        As in :func:`~doseopt_bayes.inference.batch.fit_many`; four times the particles where an
        answer is not resolved.
    progress
        Called with a few words after each block of trials.

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
    decider = Decider(design, seed, particles, threads)
    sizes = block_sizes(n_trials)
    found = []
    for i, scenario in enumerate(scenarios):
        parts = []
        for block, size in enumerate(sizes):
            parts.append(simulate_block(decider, scenario, (i, block), size))
            if progress is not None:
                done = (i * len(sizes) + block + 1) / (len(sizes) * len(scenarios))
                progress(
                    f"{done:.0%}: scenario '{scenario.name}', {sum(sizes[: block + 1])} trials"
                )
        found.append(xr.concat(parts, dim=TRIAL))
    return assemble(design, scenarios, found, decider.fits, seed, particles)


def assemble(
    design: Design,
    scenarios: Sequence[Scenario],
    found: Sequence[xr.Dataset],
    fits: dict[str, int],
    seed: int,
    particles: int,
) -> Simulation:
    """Put the trials of all scenarios together."""
    trials = xr.concat(found, dim=SCENARIO).assign_coords(
        {SCENARIO: [s.name for s in scenarios], TRIAL: np.arange(found[0].sizes[TRIAL])}
    )
    trials[names.DOSE].attrs["units"] = design.model.unit
    return Simulation(design, tuple(scenarios), trials, dict(fits), seed, particles)


def block_sizes(n_trials: int) -> list[int]:
    """Split the trials of a scenario into blocks."""
    return [min(BLOCK, n_trials - start) for start in range(0, n_trials, BLOCK)]


def check_simulation(
    design: Design, scenarios: Sequence[Scenario], *, n_trials: Any, seed: Any
) -> None:
    """Refuse what cannot be simulated, before anything runs."""
    for what, value, least in (("n_trials", n_trials, 1), ("seed", seed, 0)):
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
            raise DoseOptError(f"{what} = {value!r} must be a whole number >= {least}")
    called = [s.name for s in scenarios]
    if not called or len(set(called)) != len(called):
        raise DoseOptError(f"scenarios {called}: give at least one, each name once")
    further = [e for e in design.model.endpoints if e not in (names.TOX, names.EFF)]
    if further or len(design.model.endpoints) != 2:
        raise DoseOptError(
            f"the model reads the endpoints {', '.join(design.model.endpoints)}",
            hint="simulated patients have toxicity and efficacy, both known at each interim",
        )
    for scenario in scenarios:
        scenario.truth(design)


def simulate_block(
    decider: Decider, scenario: Scenario, place: tuple[int, int], size: int
) -> xr.Dataset:
    """Simulate the trials of one block, cohort by cohort, all at once.

    Parameters
    ----------
    decider
        Makes the decisions; it may know some already, which changes nothing but the time.
    scenario
        The truth.
    place
        Position of the scenario and of the block: with the seed, they alone give the patients.
    size
        Number of trials.

    Returns
    -------
    xarray.Dataset
        As in :class:`Simulation`, over trial and dose.
    """
    design = decider.design
    rng = np.random.default_rng(np.random.SeedSequence(decider.seed, spawn_key=place))
    # patient by patient, so that a design with fewer patients meets the first of the same ones
    luck = rng.random((design.most, size, 2))
    doses = np.array(design.model.doses)
    truth = scenario.cells()
    p_tox = truth[:, 2] + truth[:, 3]
    with np.errstate(divide="ignore", invalid="ignore"):
        eff_if = np.nan_to_num(np.stack([truth[:, 1] / (1 - p_tox), truth[:, 3] / p_tox], axis=1))

    cells = np.zeros((size, len(doses), len(names.CELLS)), dtype=np.int64)
    dose = np.full(size, int(np.searchsorted(doses, design.start)))
    open_ = np.arange(size)  # trials that go on
    recommended = np.full(size, np.nan)
    early, resolved = np.zeros(size, bool), np.ones(size, bool)
    unresolved, patient = np.zeros(size, np.int64), 0
    while open_.size:
        here = dose[open_]
        for k in range(patient, patient + design.cohort):
            tox = luck[k, open_, 0] < p_tox[here]
            eff = luck[k, open_, 1] < eff_if[here, tox.astype(int)]
            np.add.at(cells, (open_, here, eff + 2 * tox), 1)
        patient += design.cohort
        said = decider(cells[open_])
        unresolved[open_] += ~said.resolved
        none = said.dose < 0
        treated = xr.DataArray(
            cells[open_].sum(axis=-1), dims=(TRIAL, names.DOSE), coords={names.DOSE: doses}
        )
        following = xr.DataArray(np.where(none, np.nan, doses[said.dose]), dims=TRIAL)
        stops = design.stop.holds(treated, following).to_numpy() & ~none
        if stops.any():
            last = decider(cells[open_[stops]], final=True)
            recommended[open_[stops]] = np.where(last.dose < 0, np.nan, doses[last.dose])
            resolved[open_[stops]] = last.resolved
        early[open_[none]] = True
        resolved[open_[none]] = said.resolved[none]
        dose[open_] = said.dose
        open_ = open_[~(stops | none)]
    by_dose = (TRIAL, names.DOSE)
    return xr.Dataset(
        {
            "recommended": (TRIAL, recommended),
            "stopped_early": (TRIAL, early),
            "resolved": (TRIAL, resolved),
            "unresolved": (TRIAL, unresolved),
            "treated": (by_dose, cells.sum(axis=-1)),
            "toxicities": (by_dose, cells[:, :, 2:].sum(axis=-1)),
            "responses": (by_dose, cells[:, :, [1, 3]].sum(axis=-1)),
        },
        coords={names.DOSE: doses},
    )
