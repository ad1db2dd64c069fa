"""A measured value of each patient of a randomised arm, for example relative dose intensity."""

from __future__ import annotations

import math
from dataclasses import KW_ONLY, dataclass, field
from typing import ClassVar

from doseopt_bayes.data.arm_records_parts import columns_of, named
from doseopt_bayes.data.roles import refuse
from doseopt_bayes.errors import Problem

__all__ = ["Measure"]


@dataclass(frozen=True)
class Measure:
    """A measured value of each patient: relative dose intensity, a change from baseline.

    Parameters
    ----------
    name
        Name of the outcome; ``mean_<name>`` is its mean in an arm, and ``p_<name>`` then
        Pr(value < `below`).
    column
        Column of the value, a number.
    unit
        Unit of the value, for example ``"%"``; ``"1"`` for a number without one.
    below
        The value below which a patient counts as having the event, for example a relative dose
        intensity below 85 %. It has no default.
    at_least, at_most
        Bounds that no value can lie beyond, where there are any. A value beyond a bound is a fault of
        the data; values at it are counted. Relative dose intensity may exceed 100 %: a bound is stated,
        never assumed.

    Raises
    ------
    DataError
        Without a unit, or on bounds that do not rise, with `below` between them.

    Examples
    --------
    >>> Measure("rdi", "RDI", unit="%", below=85, at_least=0, at_most=120).bounds
    (0.0, 120.0)
    """

    name: str
    column: str = field(compare=False)
    _: KW_ONLY
    unit: str
    below: float
    at_least: float | None = None
    at_most: float | None = None
    kind: ClassVar[str] = "measure"

    def __post_init__(self) -> None:
        problems = [*named("Measure", self.name), *columns_of("Measure", {"column": self.column})]
        if not isinstance(self.unit, str) or not self.unit:
            rule = f"Measure: unit = {self.unit!r}: a value needs its unit"
            problems.append(Problem("DOB-A15", rule, "for example unit='%', or '1' without one"))
        three = (self.at_least, self.below, self.at_most)
        given = [b for b in three if b is not None]
        number = all(isinstance(b, int | float) and not isinstance(b, bool) for b in given)
        rising = number and all(map(math.isfinite, given)) and sorted(set(given)) == given
        if not rising:
            rule = f"Measure: at_least, below, at_most = {three!r} must rise"
            repair = "finite numbers in the unit; a bound that there is not is None"
            problems.append(Problem("DOB-A15", rule, repair))
        refuse(problems)

    @property
    def bounds(self) -> tuple[float, float]:
        """Both bounds; infinite where there is none."""
        low = -math.inf if self.at_least is None else float(self.at_least)
        return low, math.inf if self.at_most is None else float(self.at_most)

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns that are read."""
        return (self.column,)

    @property
    def endpoints(self) -> tuple[str, ...]:
        """Endpoints that a model of it has."""
        return (self.name,)

    @property
    def title(self) -> str:
        """How tables and errors call it."""
        return self.name
