"""A table of decisions that somebody wrote, as a design."""

from __future__ import annotations

from dataclasses import dataclass

from doseopt_bayes.comparators.decisions import DecisionTable
from doseopt_bayes.comparators.isotonic import IsotonicMTD
from doseopt_bayes.errors import DoseOptError

__all__ = ["Uploaded"]


@dataclass(frozen=True)
class Uploaded:
    """A table of decisions that somebody wrote, as a design.

    Parameters
    ----------
    decisions
        The table; it needs a row for every number of patients that a dose can have.
    target
        Target probability of toxicity, for the MTD at the end.
    """

    decisions: DecisionTable
    target: float

    def __post_init__(self) -> None:
        if not 0 < self.target < 1:
            raise DoseOptError(f"{self.name}: target = {self.target!r} must lie in (0, 1)")

    @property
    def name(self) -> str:
        """What the design is called."""
        return self.decisions.name

    @property
    def selection(self) -> IsotonicMTD:
        """How it selects the MTD at the end."""
        return IsotonicMTD(self.target)

    def table(self, most: int) -> DecisionTable:
        """Return the decisions for 1 to `most` patients at a dose.

        Raises
        ------
        DoseOptError
            When the table ends before.
        """
        if most > self.decisions.most:
            raise DoseOptError(
                f"{self.name}: its rows end at {self.decisions.most} patients, a dose can have {most}",
                hint="add rows, or stop earlier (EnoughAtDose)",
            )
        return DecisionTable(self.decisions.rows[:most], self.name)

    def __str__(self) -> str:
        return f"{self.name}, an uploaded table of decisions, with target {self.target:g}"
