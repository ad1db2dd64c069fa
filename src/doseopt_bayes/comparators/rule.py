"""What every rule of an interval design promises, and what those with a Beta posterior share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from scipy.stats import beta

from doseopt_bayes.comparators.decisions import table_of
from doseopt_bayes.comparators.isotonic import IsotonicMTD
from doseopt_bayes.errors import DoseOptError

if TYPE_CHECKING:
    from doseopt_bayes.comparators.decisions import DecisionTable

__all__ = ["BetaRule", "IntervalRule"]


class IntervalRule(Protocol):
    """A frozen value that decides from the patients and toxicities at the current dose."""

    @property
    def target(self) -> float:
        """Target probability of toxicity."""

    @property
    def name(self) -> str:
        """What the design is called."""

    @property
    def selection(self) -> IsotonicMTD:
        """How it selects the MTD at the end."""

    def table(self, most: int) -> DecisionTable:
        """Return its decisions for 1 to `most` patients at a dose."""


@dataclass(frozen=True)
class BetaRule(ABC):
    """What all of them share: a target, elimination by the posterior, and the MTD at the end.

    Parameters
    ----------
    target
        Target probability of toxicity, in (0, 1).
    certainty
        A dose and every higher one is eliminated when Pr(p_tox > target) exceeds it.
    """

    target: float
    certainty: float = 0.95

    def __post_init__(self) -> None:
        for field in ("target", "certainty"):
            if not 0 < getattr(self, field) < 1:
                raise DoseOptError(
                    f"{self.name}: {field} = {getattr(self, field)!r} must lie in (0, 1)"
                )

    @property
    def name(self) -> str:
        """What the design is called."""
        return type(self).__name__

    @property
    def prior(self) -> tuple[float, float]:
        """Beta prior of p_tox at a dose."""
        return (1.0, 1.0)

    @property
    def least(self) -> int:
        """Fewest patients at a dose that may eliminate it."""
        return 1

    @property
    def selection(self) -> IsotonicMTD:
        """How it selects the MTD at the end."""
        return IsotonicMTD(self.target)

    def eliminates(self, n: int, tox: int) -> bool:
        """Whether a dose with these patients is eliminated."""
        a, b = self.prior
        return bool(n >= self.least and beta.sf(self.target, a + tox, b + n - tox) > self.certainty)

    @abstractmethod
    def step(self, n: int, tox: int) -> str:
        """Return E, S or D before any elimination."""

    def letter(self, n: int, tox: int) -> str:
        """Return the decision after `n` patients at a dose, `tox` of them with toxicity."""
        return "U" if self.eliminates(n, tox) else self.step(n, tox)

    def table(self, most: int) -> DecisionTable:
        """Return its decisions for 1 to `most` patients at a dose."""
        return table_of(self.letter, most, self.name)

    def __str__(self) -> str:
        few = "" if self.least == 1 else f", with {self.least} patients or more"
        return (
            f"{self.name} with target {self.target:g}; a dose and every higher one is eliminated when "
            f"Pr(p_tox > {self.target:g}) > {self.certainty:g}{few}"
        )
