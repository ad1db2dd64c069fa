"""Exposure-effect shapes: one pure function each, for numbers, arrays, labelled draws and PyTensor.

Every shape is ``e0 + size * gain(x) + bow(x)``. The gain depends on the parameters that bend the curve
(EC50, Hill), the bow is 0 but for the quadratic. That is why one rule can sample any of them by its
values at two reference exposures, and why no formula is written twice.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final, Protocol

import numpy as np

from doseopt_bayes.errors import DoseOptError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "SHAPES",
    "BetaShape",
    "Emax",
    "Exponential",
    "Linear",
    "LogLinear",
    "Quadratic",
    "Shape",
    "SigmoidEmax",
    "effect",
    "where_between",
]

Number = Any  # float, numpy array, xarray DataArray or PyTensor variable


class Shape(Protocol):
    """What a model needs of a shape; all are frozen values."""

    size: ClassVar[str]
    bends: ClassVar[tuple[str, ...]]
    free: ClassVar[tuple[str, ...]]
    monotone: ClassVar[bool]
    formula: ClassVar[str]

    def gain(self, x: Number, p: Mapping[str, Number]) -> Number:
        """What the size is multiplied by at exposure `x`; 0 without exposure."""

    def bow(self, x: Number, p: Mapping[str, Number]) -> Number:
        """What is added besides; 0 without exposure."""

    def invert(self, gain: Number, p: Mapping[str, Number]) -> Number:
        """Exposure at which the gain is reached, NaN where it never is."""


def effect(shape: Shape, x: Number, p: Mapping[str, Number]) -> Number:
    """Effect of exposure `x` over none, on the scale of the linear predictor.

    Parameters
    ----------
    shape
        One of :data:`SHAPES`.
    x
        Exposure, >= 0, in the unit of EC50; any shape that broadcasts against the parameters.
    p
        Parameter name to value: those of ``shape.size``, ``shape.bends`` and ``shape.free``.

    Examples
    --------
    >>> effect(Emax(), np.array([0.0, 5.0, 15.0]), {"emax": 2.0, "ec50": 5.0}).tolist()
    [0.0, 1.0, 1.5]
    """
    return p[shape.size] * shape.gain(x, p) + shape.bow(x, p)


@dataclass(frozen=True)
class Emax:
    """Hyperbolic Emax: half of `emax` at the exposure `ec50`."""

    size: ClassVar[str] = "emax"
    bends: ClassVar[tuple[str, ...]] = ("ec50",)
    free: ClassVar[tuple[str, ...]] = ()
    monotone: ClassVar[bool] = True
    formula: ClassVar[str] = "e0 + emax * x / (ec50 + x)"

    def gain(self, x: Number, p: Mapping[str, Number]) -> Number:
        """Share of the maximal effect."""
        return x / (p["ec50"] + x)

    def bow(self, x: Number, p: Mapping[str, Number]) -> Number:
        """Return 0."""
        return 0.0

    def invert(self, gain: Number, p: Mapping[str, Number]) -> Number:
        """Exposure of a share of the maximal effect."""
        return where_between(gain, 0.0, 1.0) * p["ec50"] / (1 - gain)


@dataclass(frozen=True)
class SigmoidEmax:
    """Sigmoid Emax with Hill coefficient `hill`; `hill` = 1 is :class:`Emax`."""

    size: ClassVar[str] = "emax"
    bends: ClassVar[tuple[str, ...]] = ("ec50", "hill")
    free: ClassVar[tuple[str, ...]] = ()
    monotone: ClassVar[bool] = True
    formula: ClassVar[str] = "e0 + emax * x^hill / (ec50^hill + x^hill)"

    def gain(self, x: Number, p: Mapping[str, Number]) -> Number:
        """Share of the maximal effect."""
        # a power of the data, not of x / ec50, whose gradient at exposure 0 is not a number
        u = x ** p["hill"]
        return u / (p["ec50"] ** p["hill"] + u)

    def bow(self, x: Number, p: Mapping[str, Number]) -> Number:
        """Return 0."""
        return 0.0

    def invert(self, gain: Number, p: Mapping[str, Number]) -> Number:
        """Exposure of a share of the maximal effect."""
        fine = where_between(gain, 0.0, 1.0)
        return p["ec50"] * (fine / (1 - gain)) ** (1 / p["hill"])


@dataclass(frozen=True)
class Linear:
    """The linear predictor rises by `slope` per unit of exposure (logit-linear for binary data)."""

    size: ClassVar[str] = "slope"
    bends: ClassVar[tuple[str, ...]] = ()
    free: ClassVar[tuple[str, ...]] = ()
    monotone: ClassVar[bool] = True
    formula: ClassVar[str] = "e0 + slope * x"

    def gain(self, x: Number, p: Mapping[str, Number]) -> Number:
        """Return the exposure."""
        return x

    def bow(self, x: Number, p: Mapping[str, Number]) -> Number:
        """Return 0."""
        return 0.0

    def invert(self, gain: Number, p: Mapping[str, Number]) -> Number:
        """Return the gain, which is the exposure."""
        return where_between(gain, 0.0, math.inf)


@dataclass(frozen=True)
class LogLinear:
    """Linear in log(1 + x / off): steep below `off`, logarithmic above.

    Parameters
    ----------
    off
        Offset, > 0, in the unit of exposure. DoseFinding takes 1 % of the highest dose.
    """

    off: float

    size: ClassVar[str] = "slope"
    bends: ClassVar[tuple[str, ...]] = ()
    free: ClassVar[tuple[str, ...]] = ()
    monotone: ClassVar[bool] = True
    formula: ClassVar[str] = "e0 + slope * log(1 + x / off)"

    def __post_init__(self) -> None:
        _positive("LogLinear", "off", self.off)

    def gain(self, x: Number, p: Mapping[str, Number]) -> Number:
        """Return log(1 + x / off)."""
        u = 1 + x / self.off
        return u.log() if hasattr(u, "owner") else np.log(u)

    def bow(self, x: Number, p: Mapping[str, Number]) -> Number:
        """Return 0."""
        return 0.0

    def invert(self, gain: Number, p: Mapping[str, Number]) -> Number:
        """Exposure of a gain."""
        return self.off * np.expm1(where_between(gain, 0.0, math.inf))


@dataclass(frozen=True)
class Exponential:
    """Slow at first, then ever steeper: `e1` (exp(x / delta) - 1)."""

    size: ClassVar[str] = "e1"
    bends: ClassVar[tuple[str, ...]] = ("delta",)
    free: ClassVar[tuple[str, ...]] = ()
    monotone: ClassVar[bool] = True
    formula: ClassVar[str] = "e0 + e1 * (exp(x / delta) - 1)"

    def gain(self, x: Number, p: Mapping[str, Number]) -> Number:
        """Return exp(x / delta) - 1."""
        return math.e ** (x / p["delta"]) - 1

    def bow(self, x: Number, p: Mapping[str, Number]) -> Number:
        """Return 0."""
        return 0.0

    def invert(self, gain: Number, p: Mapping[str, Number]) -> Number:
        """Exposure of a gain."""
        return p["delta"] * np.log1p(where_between(gain, 0.0, math.inf))


@dataclass(frozen=True)
class Quadratic:
    """A parabola: may rise and fall again."""

    size: ClassVar[str] = "slope"
    bends: ClassVar[tuple[str, ...]] = ()
    free: ClassVar[tuple[str, ...]] = ("curvature",)
    monotone: ClassVar[bool] = False
    formula: ClassVar[str] = "e0 + slope * x + curvature * x^2"

    def gain(self, x: Number, p: Mapping[str, Number]) -> Number:
        """Return the exposure."""
        return x

    def bow(self, x: Number, p: Mapping[str, Number]) -> Number:
        """Return the curved part."""
        return p["curvature"] * x * x

    def invert(self, gain: Number, p: Mapping[str, Number]) -> Number:
        """Return NaN: a parabola has no inverse, and is searched."""
        return np.nan * gain


@dataclass(frozen=True)
class BetaShape:
    """The beta shape of MCP-Mod: rises to `emax` and may fall again.

    Parameters
    ----------
    scale
        Exposure at which the curve is back at `e0`, > 0 and above every exposure; DoseFinding takes
        1.2 times the highest dose.
    """

    scale: float

    size: ClassVar[str] = "emax"
    bends: ClassVar[tuple[str, ...]] = ("delta1", "delta2")
    free: ClassVar[tuple[str, ...]] = ()
    monotone: ClassVar[bool] = False
    formula: ClassVar[str] = (
        "e0 + emax * B * (x / scale)^delta1 * (1 - x / scale)^delta2, B such that the top is emax"
    )

    def __post_init__(self) -> None:
        _positive("BetaShape", "scale", self.scale)

    def gain(self, x: Number, p: Mapping[str, Number]) -> Number:
        """Share of the maximal effect; NaN above `scale`."""
        a, b, u = p["delta1"], p["delta2"], x / self.scale
        return (a + b) ** (a + b) / (a**a * b**b) * u**a * (1 - u) ** b

    def bow(self, x: Number, p: Mapping[str, Number]) -> Number:
        """Return 0."""
        return 0.0

    def invert(self, gain: Number, p: Mapping[str, Number]) -> Number:
        """Return NaN: the curve has no inverse, and is searched."""
        return np.nan * gain


SHAPES: Final[dict[str, type]] = {
    "emax": Emax,
    "sigmoid_emax": SigmoidEmax,
    "linear": Linear,
    "log_linear": LogLinear,
    "exponential": Exponential,
    "quadratic": Quadratic,
    "beta": BetaShape,
}
"""Shapes by the name that a specification file uses."""


def where_between(x: Number, low: float, high: float) -> Number:
    """Return `x` with NaN outside low to high; numbers, arrays or labelled draws."""
    inside = (x >= low) & (x <= high)
    return x.where(inside) if hasattr(x, "where") else np.where(inside, x, np.nan)


def _positive(shape: str, name: str, value: float) -> None:
    if not (isinstance(value, int | float) and math.isfinite(value) and value > 0):
        raise DoseOptError(
            f"{shape}: {name} = {value!r} must be a number > 0", hint="in the unit of exposure"
        )
