"""Additive Clinical Utility Index over any number of attributes."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, Protocol

import numpy as np
import xarray as xr

from doseopt_bayes import names
from doseopt_bayes.decision.values import Larger, Logistic, Smaller
from doseopt_bayes.errors import DoseOptError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["CUI", "VALUES", "Attribute", "Linear", "PiecewiseLinear", "Value"]


class Value(Protocol):
    """A value function: from an attribute's scale to 0 (worst) .. 1 (best)."""

    def __call__(self, x: xr.DataArray) -> xr.DataArray:
        """Value of each entry of `x`."""

    @property
    def rises(self) -> bool:
        """Whether more of the attribute is worth more."""


@dataclass(frozen=True)
class Linear:
    """Straight line from the worst level (value 0) to the best level (value 1), flat outside.

    Parameters
    ----------
    worst, best
        Levels of the attribute; `best` < `worst` for a harm.

    Examples
    --------
    >>> float(Linear(worst=0.3, best=0.1)(xr.DataArray(0.15)))
    0.75
    """

    worst: float
    best: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.worst) and math.isfinite(self.best)) or self.worst == self.best:
            raise DoseOptError(
                f"Linear: worst = {self.worst:g} and best = {self.best:g} must be finite and differ"
            )

    @property
    def rises(self) -> bool:
        """Whether more of the attribute is worth more."""
        return self.best > self.worst

    def __call__(self, x: xr.DataArray) -> xr.DataArray:
        """Value of each entry of `x`, between 0 and 1."""
        return ((x - self.worst) / (self.best - self.worst)).clip(0.0, 1.0)

    def __str__(self) -> str:
        return f"0 at {self.worst:g}, 1 at {self.best:g}, linear between, flat outside"


@dataclass(frozen=True)
class PiecewiseLinear:
    """Straight lines through elicited points (level, value), flat outside.

    Parameters
    ----------
    points
        At least two (level, value) pairs; values lie in 0..1 and never turn back.

    Examples
    --------
    >>> float(PiecewiseLinear(points=((0.0, 0.0), (0.5, 0.75), (1.0, 1.0)))(xr.DataArray(0.25)))
    0.375
    """

    points: tuple[tuple[float, float], ...]

    def __post_init__(self) -> None:
        points = tuple(sorted((float(x), float(v)) for x, v in self.points))
        object.__setattr__(self, "points", points)
        levels, values = [p[0] for p in points], [p[1] for p in points]
        if len(points) < 2 or len(set(levels)) != len(levels):
            raise DoseOptError(f"PiecewiseLinear: {points} needs two or more different levels")
        if not all(0 <= v <= 1 for v in values):
            raise DoseOptError(f"PiecewiseLinear: the values of {points} must lie in 0..1")
        steps = [b - a for a, b in itertools.pairwise(values)]
        if not (all(s >= 0 for s in steps) or all(s <= 0 for s in steps)) or not any(steps):
            raise DoseOptError(
                f"PiecewiseLinear: the values of {points} rise and fall",
                hint="a value function is monotone; split the attribute if both ends are bad",
            )

    @property
    def rises(self) -> bool:
        """Whether more of the attribute is worth more."""
        return self.points[-1][1] > self.points[0][1]

    def __call__(self, x: xr.DataArray) -> xr.DataArray:
        """Value of each entry of `x`, between 0 and 1."""
        levels, values = zip(*self.points, strict=True)
        found: xr.DataArray = xr.apply_ufunc(np.interp, x, kwargs={"xp": levels, "fp": values})
        return found

    def __str__(self) -> str:
        return "linear through " + ", ".join(f"({x:g}, {v:g})" for x, v in self.points)


VALUES: Final[dict[str, type]] = {
    "linear": Linear,
    "piecewise_linear": PiecewiseLinear,
    "larger": Larger,
    "smaller": Smaller,
    "logistic": Logistic,
}
"""Value functions by the name that a specification file uses."""


@dataclass(frozen=True)
class Attribute:
    """One attribute of a CUI.

    Parameters
    ----------
    weight
        Relative weight, >= 0; weights are divided by their sum.
    direction
        ``"benefit"`` when more is better, ``"harm"`` when less is better.
    value
        Value function; the default runs over 0..1 in the stated direction.

    Raises
    ------
    DoseOptError
        On a negative weight, or a value function that runs against the direction.
    """

    weight: float
    direction: Literal["benefit", "harm"]
    value: Value | None = None

    def __post_init__(self) -> None:
        if not (math.isfinite(self.weight) and self.weight >= 0):
            raise DoseOptError(
                f"weight = {self.weight:g} must be >= 0", hint="turn the direction, not the sign"
            )
        if self.direction not in ("benefit", "harm"):
            raise DoseOptError(f"direction = {self.direction!r} must be 'benefit' or 'harm'")
        if self.value is not None and self.value.rises != (self.direction == "benefit"):
            raise DoseOptError(
                f"a {self.direction} needs a value function that "
                f"{'rises' if self.direction == 'benefit' else 'falls'}; {self.value} does not",
                hint="exchange worst and best, or the direction",
            )

    @property
    def curve(self) -> Value:
        """Value function in force."""
        if self.value is not None:
            return self.value
        return Linear(0.0, 1.0) if self.direction == "benefit" else Linear(1.0, 0.0)


@dataclass(frozen=True)
class CUI:
    """Clinical Utility Index: weighted mean of the attributes' values, between 0 and 1.

    Parameters
    ----------
    attributes
        Variable name (for example ``"p_eff"``) to :class:`Attribute`.

    Raises
    ------
    DoseOptError
        Without attributes, when all weights are 0, or on an attribute on target.

    Notes
    -----
    Ouellet et al. (2009), Winzenborg et al. (2021). Weights need not sum to 1: the index is
    sum(weight x value) / sum(weight), and its words state the sum. Each attribute is valued inside
    each draw, so that its uncertainty passes into the index.

    Examples
    --------
    >>> cui = CUI({"p_eff": Attribute(2, "benefit"), "p_tox": Attribute(1, "harm")})
    >>> round(float(cui({"p_eff": xr.DataArray(0.5), "p_tox": xr.DataArray(0.2)})), 3)
    0.6
    """

    attributes: Mapping[str, Attribute] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.attributes or self.total == 0:
            raise DoseOptError("CUI: give at least one attribute with a weight > 0")
        for attribute in self.attributes.values():
            _ = attribute.curve  # an attribute on target is refused here, not in the analysis

    @property
    def reads(self) -> tuple[str, ...]:
        """Variables that it needs."""
        return tuple(self.attributes)

    @property
    def total(self) -> float:
        """Sum of the weights as they were given."""
        return sum(a.weight for a in self.attributes.values())

    @property
    def weights(self) -> dict[str, float]:
        """Weights divided by their sum."""
        return {name: a.weight / self.total for name, a in self.attributes.items()}

    def contributions(self, draws: Mapping[str, xr.DataArray] | xr.Dataset) -> xr.DataArray:
        """Return weight times value of each attribute, with a new dim ``attribute``."""
        weights = self.weights
        parts = [weights[n] * a.curve(draws[n]) for n, a in self.attributes.items()]
        joined = xr.concat(parts, dim=names.ATTRIBUTE, coords="minimal", compat="override")
        return joined.assign_coords({names.ATTRIBUTE: list(self.attributes)}).rename(None)

    def __call__(self, draws: Mapping[str, xr.DataArray] | xr.Dataset) -> xr.DataArray:
        """Utility of each draw, with the dims of its inputs, between 0 and 1."""
        return self.contributions(draws).sum(names.ATTRIBUTE, skipna=False)

    def words(self) -> tuple[str, ...]:
        """Return what it says, a sentence each."""
        whole = "" if math.isclose(self.total, 1.0) else f", {self.total:g}"
        return (
            f"u = sum of weight x value over the attributes (weights divided by their sum{whole})",
            *(
                f"{name}: weight {self.weights[name]:.3f}, {a.direction}, value {a.curve}"
                for name, a in self.attributes.items()
            ),
        )

    def __str__(self) -> str:
        return "\n  ".join(["Clinical Utility Index", *self.words()])
