"""Value functions beyond straight lines: powers, the logistic curve, and the target of desirability."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
import xarray as xr

from doseopt_bayes.errors import DoseOptError

__all__ = ["Larger", "Logistic", "Smaller", "Target"]


def _check_levels(kind: object, **levels: float) -> None:
    said = ", ".join(f"{k} = {v!r}" for k, v in levels.items())
    given = list(levels.values())
    if not all(math.isfinite(v) for v in given):
        raise DoseOptError(f"{type(kind).__name__}: {said} must be finite numbers")
    if any(a >= b for a, b in itertools.pairwise(given)):
        raise DoseOptError(
            f"{type(kind).__name__}: {said} must rise in this order",
            hint="levels stand on the attribute's own scale, the lowest first",
        )


def _check_positive(kind: object, **numbers: float) -> None:
    for name, x in numbers.items():
        if not (math.isfinite(x) and x > 0):
            raise DoseOptError(f"{type(kind).__name__}: {name} = {x!r} must be > 0 and finite")


@dataclass(frozen=True)
class Larger:
    """0 up to `low`, 1 from `high`, ((x - low) / (high - low)) ** shape between: larger is better.

    Parameters
    ----------
    low, high
        Levels of the attribute, on its own scale, low < high.
    shape
        Exponent > 0: 1 is a straight line; above 1, only values near `high` are worth much.

    Raises
    ------
    DoseOptError
        On levels that do not rise, or a shape that is not positive.

    Notes
    -----
    Derringer and Suich (1980), one-sided desirability.

    Examples
    --------
    >>> float(Larger(0.0, 0.5, shape=2.0)(xr.DataArray(0.25)))
    0.25
    """

    low: float
    high: float
    shape: float = 1.0

    rises = True

    def __post_init__(self) -> None:
        _check_levels(self, low=self.low, high=self.high)
        _check_positive(self, shape=self.shape)

    def __call__(self, x: xr.DataArray) -> xr.DataArray:
        """Value of each entry of `x`, between 0 and 1."""
        return ((x - self.low) / (self.high - self.low)).clip(0.0, 1.0) ** self.shape

    def __str__(self) -> str:
        return f"0 up to {self.low:g}, 1 from {self.high:g}, power {self.shape:g} between"


@dataclass(frozen=True)
class Smaller:
    """1 up to `low`, 0 from `high`, ((high - x) / (high - low)) ** shape between: smaller is better.

    Parameters
    ----------
    low, high
        Levels of the attribute, on its own scale, low < high.
    shape
        Exponent > 0: 1 is a straight line; above 1, only values near `low` are worth much.

    Raises
    ------
    DoseOptError
        On levels that do not rise, or a shape that is not positive.

    Notes
    -----
    Derringer and Suich (1980), one-sided desirability.

    Examples
    --------
    >>> round(float(Smaller(0.1, 0.3)(xr.DataArray(0.15))), 12)
    0.75
    """

    low: float
    high: float
    shape: float = 1.0

    rises = False

    def __post_init__(self) -> None:
        _check_levels(self, low=self.low, high=self.high)
        _check_positive(self, shape=self.shape)

    def __call__(self, x: xr.DataArray) -> xr.DataArray:
        """Value of each entry of `x`, between 0 and 1."""
        return ((self.high - x) / (self.high - self.low)).clip(0.0, 1.0) ** self.shape

    def __str__(self) -> str:
        return f"1 up to {self.low:g}, 0 from {self.high:g}, power {self.shape:g} between"


@dataclass(frozen=True)
class Logistic:
    """S-shaped value 1 / (1 + exp(-(x - mid) / scale)), strictly between 0 and 1.

    Parameters
    ----------
    mid
        Level that is worth 1/2, on the attribute's own scale.
    scale
        Not 0, on the same scale: positive when more is better, negative for a harm. Between
        mid - 2.2 |scale| and mid + 2.2 |scale| the value goes from 0.1 to 0.9 or back.

    Raises
    ------
    DoseOptError
        When `mid` is not finite, or `scale` is 0 or not finite.

    Examples
    --------
    >>> round(float(Logistic(mid=0.3, scale=-0.05)(xr.DataArray(0.2))), 3)
    0.881
    """

    mid: float
    scale: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.mid) and math.isfinite(self.scale)) or self.scale == 0:
            raise DoseOptError(
                f"Logistic: mid = {self.mid!r} and scale = {self.scale!r} must be finite, scale not 0"
            )

    @property
    def rises(self) -> bool:
        """Whether more of the attribute is worth more."""
        return self.scale > 0

    def __call__(self, x: xr.DataArray) -> xr.DataArray:
        """Value of each entry of `x`, between 0 and 1."""
        # tanh does not overflow, however steep the curve
        bent: xr.DataArray = xr.apply_ufunc(np.tanh, (x - self.mid) / (2.0 * self.scale))
        return 0.5 * (1.0 + bent)

    def __str__(self) -> str:
        return f"logistic, 1/2 at {self.mid:g}, scale {self.scale:g}"


@dataclass(frozen=True)
class Target:
    """1 at `target`, 0 at `low` and `high` and beyond, powers between. It rises and falls.

    Parameters
    ----------
    low, target, high
        Levels of the attribute, on its own scale, low < target < high.
    shape_low, shape_high
        Exponents > 0 below and above the target.

    Raises
    ------
    DoseOptError
        On levels that do not rise, or a shape that is not positive.

    Notes
    -----
    Derringer and Suich (1980), two-sided desirability. It is no value function of a Clinical Utility
    Index, whose attributes are benefits or harms; :class:`~doseopt_bayes.decision.desirability.OnTarget`
    takes it into a :class:`~doseopt_bayes.decision.desirability.Desirability`.

    Examples
    --------
    >>> float(Target(400, 500, 600)(xr.DataArray(450.0)))
    0.5
    """

    low: float
    target: float
    high: float
    shape_low: float = 1.0
    shape_high: float = 1.0

    def __post_init__(self) -> None:
        _check_levels(self, low=self.low, target=self.target, high=self.high)
        _check_positive(self, shape_low=self.shape_low, shape_high=self.shape_high)

    def __call__(self, x: xr.DataArray) -> xr.DataArray:
        """Value of each entry of `x`, between 0 and 1."""
        # each side is 1 beyond the target, so that the product is the value of the side in force
        below = Larger(self.low, self.target, self.shape_low)
        return below(x) * Smaller(self.target, self.high, self.shape_high)(x)

    def __str__(self) -> str:
        return (
            f"1 at {self.target:g}, 0 at {self.low:g} and {self.high:g}, "
            f"power {self.shape_low:g} below and {self.shape_high:g} above"
        )
