"""Designs that move one dose up or down by a table of decisions, for simulate() and for a protocol."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from doseopt_bayes.comparators.base import ByTarget
from doseopt_bayes.design.stopping import EnoughAtDose, Stop
from doseopt_bayes.design.trialled import Answers
from doseopt_bayes.errors import DoseOptError
from doseopt_bayes.models.joint import checked_doses

if TYPE_CHECKING:
    from doseopt_bayes.comparators.decisions import DecisionTable
    from doseopt_bayes.comparators.rule import IntervalRule

__all__ = ["ByTable", "IntervalDesign", "checked_start", "toxic"]


def checked_start(name: str, doses: tuple[float, ...], start: float) -> float:
    """Return the candidate dose that `start` is."""
    near = [d for d in doses if abs(d - start) <= 1e-6 * d]
    if not near:
        raise DoseOptError(
            f"{name}: start = {start:g} is no candidate dose",
            hint=f"one of {', '.join(f'{d:g}' for d in doses)}",
        )
    return near[0]


def toxic(cells: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return patients and toxicities (state, dose) of cells N, E, T, B (state, dose, cell)."""
    tox: np.ndarray = cells[..., 2] + cells[..., 3]
    return cells.sum(axis=-1), tox


@dataclass(frozen=True)
class IntervalDesign(ByTarget):
    """An interval design of toxicity: BOIN, Keyboard, mTPI, mTPI-2, TPI, i3 + 3, or an uploaded table.

    Parameters
    ----------
    rule
        What the toxicities at the current dose say, for example ``BOIN(0.3)``.
    doses
        Candidate doses, in `unit`.
    start
        Dose of the first cohort.
    stop
        When the trial stops; a largest number of patients is needed. It also stops, and recommends
        none, when the lowest dose is eliminated.
    cohort
        Patients of a cohort, >= 1.
    unit
        Unit of the doses.
    spare
        Patients that may come on top of those of cohorts (backfill): the table has rows for them.

    Raises
    ------
    DoseOptError
        On a start that is no candidate dose, a cohort that is no number, or a trial without end.

    Examples
    --------
    >>> from doseopt_bayes.comparators.interval import BOIN
    >>> from doseopt_bayes.design.stopping import MaxPatients
    >>> design = IntervalDesign(BOIN(0.3), (1, 2, 4), start=1, stop=MaxPatients(12), unit="mg")
    >>> from doseopt_bayes.design.pathways import next_dose
    >>> print(next_dose(design, "1NNN 2NTT"))
    treat 1 mg
    """

    rule: IntervalRule
    doses: tuple[float, ...]
    start: float
    stop: Stop
    cohort: int = 3
    unit: str = ""
    spare: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "doses", checked_doses(self.rule.name, self.doses))
        object.__setattr__(self, "start", checked_start(self.rule.name, self.doses, self.start))
        if isinstance(self.cohort, bool) or not isinstance(self.cohort, int) or self.cohort < 1:
            raise DoseOptError(
                f"{self.rule.name}: cohort = {self.cohort!r} must be a whole number >= 1"
            )
        if not isinstance(self.stop, Stop) or self.stop.most is None:
            raise DoseOptError(
                f"{self.rule.name}: nothing bounds the number of patients",
                hint="stop = MaxPatients(30), say",
            )
        _ = self.table

    @property
    def name(self) -> str:
        """What the design is called."""
        return self.rule.name

    @property
    def aim(self) -> float:
        """Target probability of toxicity."""
        return self.rule.target

    @property
    def most(self) -> int:
        """Largest number of patients that a trial can treat: the last cohort is not cut."""
        return self.cohort * -(-(self.stop.most or 0) // self.cohort)

    @property
    def at_dose(self) -> int:
        """Largest number of patients that a dose can have."""
        bounds = [x.patients for x in self.stop.leaves if isinstance(x, EnoughAtDose)]
        return min(self.most, *(self.cohort * -(-n // self.cohort) for n in bounds), self.most)

    @cached_property
    def table(self) -> DecisionTable:
        """Its decisions for every number of patients that a dose can have."""
        return self.rule.table(self.most + self.spare)

    def decider(self, seed: int, particles: int, threads: int) -> ByTable:
        """Return what decides after each cohort; nothing of it is random."""
        return ByTable(self, seed)

    def __str__(self) -> str:
        doses = ", ".join(f"{d:g}" for d in self.doses)
        return (
            f"{self.rule}. The first cohort of {self.cohort} patients receives "
            f"{f'{self.start:g} {self.unit}'.rstrip()}; each following one the current dose, the next "
            f"higher or the next lower one, as a table says from the toxicities at the current dose. No "
            f"patient receives an eliminated dose. The trial stops when {self.stop}, and at any time "
            f"when the lowest dose is eliminated; then no dose is recommended. It recommends "
            f"{self.rule.selection}. Candidate doses: {f'{doses} {self.unit}'.rstrip()}."
        )


@dataclass(eq=False)
class ByTable:
    """Decides many trials of an interval design at once."""

    design: IntervalDesign
    seed: int = 0
    fits: dict[str, int] = field(default_factory=dict)

    def fine(self, n: np.ndarray, tox: np.ndarray) -> np.ndarray:
        """Say which doses are not eliminated: (state, dose)."""
        return ~np.logical_or.accumulate(self.design.table.eliminates[n, tox], axis=1)

    def open_doses(self, cells: np.ndarray) -> np.ndarray:
        """Say which doses the table would not leave downwards: (state, dose)."""
        n, tox = toxic(cells)
        found: np.ndarray = self.fine(n, tox) & (self.design.table.steps[n, tox] >= 0)
        return found

    def __call__(
        self, cells: np.ndarray, here: np.ndarray | None = None, *, final: bool = False
    ) -> Answers:
        """Decide for each state; `here` is needed unless `final`."""
        n, tox = toxic(cells)
        fine = self.fine(n, tox)
        sure = np.ones(len(cells), dtype=bool)
        if final:
            chosen = self.design.rule.selection(n, tox, fine)
            return Answers(np.where(fine[:, 0], chosen, -1), sure)
        assert here is not None  # noqa: S101  (the simulator knows it)
        row = np.arange(len(cells))
        step = self.design.table.steps[n[row, here], tox[row, here]]
        highest = fine.sum(axis=1) - 1  # of the doses that are left, which are the lowest ones
        following = np.clip(here + step, 0, highest)
        return Answers(np.where(fine[:, 0], following, -1), sure)
