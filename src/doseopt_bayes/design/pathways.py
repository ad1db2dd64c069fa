"""Dose-transition pathways: what a design does after every possible outcome of the next cohorts."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import xarray as xr

from doseopt_bayes import names
from doseopt_bayes.data.outcomes import parse_outcomes
from doseopt_bayes.errors import DoseOptError

if TYPE_CHECKING:
    import pandas as pd

    from doseopt_bayes.design.trialled import Decides, Trialled

__all__ = ["Next", "Pathways", "Step", "next_dose", "pathways"]

MOST: Final = 2000  # paths: more do not fit a protocol
GO_ON, STOP, NONE = "treat", "stop", "stop, no dose"


@dataclass(frozen=True)
class Next:
    """What a trial does next.

    Parameters
    ----------
    then
        ``"treat"``: the next cohort receives `dose`; ``"stop"``: the trial ends and recommends `dose`;
        ``"stop, no dose"``.
    dose
        That dose; NaN for none.
    resolved
        Whether Monte Carlo error alone cannot change it.
    unit
        Unit of the dose.
    """

    then: str
    dose: float
    resolved: bool
    unit: str = ""

    def __str__(self) -> str:
        dose = "" if np.isnan(self.dose) else f" {self.dose:g} {self.unit}".rstrip()
        return f"{self.then}{dose}" + ("" if self.resolved else " (not resolved)")


@dataclass(frozen=True)
class Step:
    """One possible cohort, and what follows.

    Parameters
    ----------
    path
        Outcomes of all cohorts so far, as text.
    before
        Path that it goes on from, ``""`` at the beginning.
    number
        1 for the next cohort, 2 for the one after it, ...
    dose
        Dose that the cohort received.
    outcome
        Its outcomes, a letter for each patient.
    then
        ``"treat"``: the next cohort receives `following`; ``"stop"``: the trial ends and recommends
        `following`; ``"stop, no dose"``.
    following
        That dose; NaN for none.
    resolved
        Whether Monte Carlo error alone cannot change the answer.
    """

    path: str
    before: str
    number: int
    dose: float
    outcome: str
    then: str
    following: float
    resolved: bool


@dataclass(frozen=True, eq=False)
class Pathways:
    """Every path of the next cohorts of a trial.

    Parameters
    ----------
    design
        The design.
    outcomes
        What was seen before, as text; empty for a trial that begins.
    steps
        In order of the cohorts, then of toxicity.
    """

    design: Trialled
    outcomes: str
    steps: tuple[Step, ...]

    @property
    def joint(self) -> bool:
        """Whether the design reads efficacy too."""
        return names.EFF in self.design.endpoints

    def to_frame(self) -> pd.DataFrame:
        """Table with a row per path: cohort, dose, outcomes, and what follows."""
        import pandas as pd  # noqa: PLC0415

        rows = []
        for s in self.steps:
            counts = {"toxicities": sum(s.outcome.count(c) for c in "TB")}
            if self.joint:
                counts["responses"] = sum(s.outcome.count(c) for c in "EB")
            row = {"path": s.path, "cohort": s.number, "dose": s.dose, "outcome": s.outcome, **counts,
                   "then": s.then, "next_dose": s.following, "resolved": s.resolved}  # fmt: skip
            rows.append(row)
        return pd.DataFrame(rows)

    def __str__(self) -> str:
        unit = self.design.unit
        said = [f"after '{self.outcomes}'" if self.outcomes else "from the first cohort"]
        for s in self.in_order():
            next_ = Next(s.then, s.following, s.resolved, unit)
            said.append(f"{'    ' * (s.number - 1)}{s.dose:g}: {s.outcome} -> {next_}")
        return "\n".join(said)

    def in_order(self) -> tuple[Step, ...]:
        """Return the steps as a tree is read: each one before those that go on from it."""
        after: dict[str, list[Step]] = {}
        for s in self.steps:
            after.setdefault(s.before, []).append(s)
        found: list[Step] = []
        open_ = [s for s in self.steps if s.number == 1]
        while open_:
            s = open_.pop(0)
            found.append(s)
            open_ = [*after.get(s.path, []), *open_]
        return tuple(found)


def pathways(
    design: Trialled,
    outcomes: str = "",
    *,
    cohorts: int = 1,
    particles: int = 2048,
    seed: int = 0,
) -> Pathways:
    """Go through every possible outcome of the next cohorts.

    Parameters
    ----------
    design
        Any design that can be simulated.
    outcomes
        What was seen so far, as text: level (1 is the lowest dose) and letters, ``"1NNN 2NNT"``; empty
        for a trial that begins.
    cohorts
        Number of cohorts to look ahead, 1 to 3.
    particles, seed
        Of the posteriors, of a design with a model.

    Returns
    -------
    Pathways
        Paths that differ in the order of patients within a cohort are one.

    Raises
    ------
    DoseOptError
        On a number of cohorts out of range, or more paths than a protocol can print.
    DataError
        When the outcomes cannot be read.

    Notes
    -----
    Yap, Billingham, Cheung, Craddock and O'Quigley (2017), Clinical Cancer Research 23, 7440-7450.
    """
    if cohorts not in (1, 2, 3):
        raise DoseOptError(f"cohorts = {cohorts!r} must be 1, 2 or 3")
    design.check()
    letters = names.CELLS if names.EFF in design.endpoints else ("N", "T")
    seen = ["".join(x) for x in itertools.combinations_with_replacement(letters, design.cohort)]
    if len(seen) ** cohorts > MOST:
        raise DoseOptError(
            f"{len(seen) ** cohorts:,} paths of {cohorts} cohorts are more than {MOST:,}",
            hint="look fewer cohorts ahead",
        )
    decide = design.decider(seed, particles, 1)
    open_: list[tuple[str, int]]
    if outcomes.strip():
        told = " ".join(outcomes.split())
        here = parse_outcomes(told, len(design.doses))[-1][0] - 1
        first = _decided(design, decide, [(told, here)])[0]
        open_ = [(told, int(first[1]))] if first[0] == GO_ON else []
    else:
        told = ""
        open_ = [("", int(np.searchsorted(design.doses, design.start)))]
    steps: list[Step] = []
    for number in range(1, cohorts + 1):
        paths = [
            (before, at, each, f"{before} {at + 1}{each}".strip())
            for before, at in open_
            for each in seen
        ]
        if not paths:
            break
        said = _decided(design, decide, [(path, at) for _, at, _, path in paths])
        open_ = []
        for (before, at, each, path), (then, to, sure) in zip(paths, said, strict=True):
            following = float(design.doses[to]) if to >= 0 else np.nan
            dose = float(design.doses[at])
            steps.append(Step(path, before, number, dose, each, then, following, sure))
            if then == GO_ON:
                open_.append((path, to))
    return Pathways(design, told, tuple(steps))


def next_dose(design: Trialled, outcomes: str, *, particles: int = 2048, seed: int = 0) -> Next:
    """Say what a trial does after the outcomes of some cohorts.

    Parameters
    ----------
    design
        Any design that can be simulated.
    outcomes
        Cohorts in their order, as text: level (1 is the lowest dose), and a letter for each patient: N
        neither, E efficacy, T toxicity, B both; ``"1NNN 2NTE"``.
    particles, seed
        Of the posterior, of a design with a model.

    Returns
    -------
    Next
        As the simulated trials do it.

    Raises
    ------
    DataError
        When the outcomes cannot be read.
    """
    design.check()
    here = parse_outcomes(outcomes, len(design.doses))[-1][0] - 1
    then, to, sure = _decided(design, design.decider(seed, particles, 1), [(outcomes, here)])[0]
    return Next(then, float(design.doses[to]) if to >= 0 else np.nan, sure, design.unit)


def _decided(
    design: Trialled, decide: Decides, states: list[tuple[str, int]]
) -> list[tuple[str, int, bool]]:
    """Say what follows on each path: treat or stop, position of the dose, resolved."""
    doses = np.array(design.doses)
    cells = np.stack([_cells(path, len(doses)) for path, _ in states])
    here = np.array([at for _, at in states])
    said = decide(cells, here)
    none = said.dose < 0
    treated = xr.DataArray(
        cells.sum(axis=-1), dims=("trial", names.DOSE), coords={names.DOSE: doses}
    )
    following = xr.DataArray(np.where(none, np.nan, doses[said.dose]), dims="trial")
    stops = design.stop.holds(treated, following).to_numpy() & ~none
    if said.ended is not None:
        stops |= said.ended
    to, sure = said.dose.copy(), said.resolved.copy()
    if stops.any():
        last = decide(cells[stops], here[stops], final=True)
        to[stops], sure[stops] = last.dose, last.resolved
    then = np.where(to < 0, NONE, np.where(stops, STOP, GO_ON))
    return [(str(t), int(d), bool(s)) for t, d, s in zip(then, to, sure, strict=True)]


def _cells(path: str, levels: int) -> np.ndarray:
    """Count the outcomes of a path: (dose, cell)."""
    cells = np.zeros((levels, len(names.CELLS)), dtype=int)
    for level, letters in parse_outcomes(path, levels):
        for letter in letters:
            cells[level - 1, names.CELLS.index(letter)] += 1
    return cells
