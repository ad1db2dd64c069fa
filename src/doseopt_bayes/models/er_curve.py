"""How the parameters of an exposure-response curve are sampled: by the curve at two exposures.

E0, Emax and EC50 of a textbook lie on a ridge: when few exposures lie near the plateau, a larger Emax is
undone by a larger EC50. The values of the curve at two exposures that were studied do not, so the free
parameters are `level` (the linear predictor at the lower reference exposure) and `effect` (its change up
to the higher one). Priors may be stated on these, or on `e0` and the size: both are sampled alike, the
latter through the conditional distributions that the change of variables gives, so that the prior is
exactly the stated one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from doseopt_bayes.errors import DoseOptError
from doseopt_bayes.models.shapes import BetaShape
from doseopt_bayes.priors import HalfNormal, Normal, StudentT, groupings_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from doseopt_bayes.models.shapes import Shape
    from doseopt_bayes.priors import Prior

__all__ = [
    "E0",
    "EFFECT",
    "LEVEL",
    "CovariateEffect",
    "Monotone",
    "aligned",
    "curve_parameters",
    "sampled_by",
]

Monotone = Literal["free", "rising", "falling"]
E0: Final = "e0"
LEVEL: Final = "level"
EFFECT: Final = "effect"
Tensor = Any  # a pytensor variable


@dataclass(frozen=True)
class CovariateEffect:
    """A covariate on one parameter of the curve.

    Parameters
    ----------
    parameter
        ``"e0"``, the size (``"emax"``, ``"slope"``) or a parameter that bends (``"ec50"``, ``"hill"``).
    covariate
        Name of the covariate in the data.
    level
        Of a categorical covariate: the level that has this effect over the data's reference level.
    centre
        Of a numeric covariate: the value at which the curve's parameters hold.
    per
        Of a numeric covariate: the step that the coefficient stands for, > 0.

    Examples
    --------
    >>> CovariateEffect("ec50", "age", centre=60, per=10).name
    'ec50_age'
    >>> CovariateEffect("e0", "race", level="Asian").column
    'cov_race[Asian]'
    """

    parameter: str
    covariate: str
    level: str | None = None
    centre: float = 0.0
    per: float = 1.0

    def __post_init__(self) -> None:
        if not self.per > 0:
            raise DoseOptError(f"{self.name}: per = {self.per!r} must be > 0")
        if self.level is not None and (self.centre != 0 or self.per != 1):
            raise DoseOptError(f"{self.name}: a level has no centre and no step")

    @property
    def name(self) -> str:
        """Name of the coefficient."""
        level = "" if self.level is None else f"_{self.level}"
        return f"{self.parameter}_{self.covariate}{level}".replace(" ", "_")

    @property
    def column(self) -> str:
        """Variable of the rows that holds it."""
        level = "" if self.level is None else f"[{self.level}]"
        return f"cov_{self.covariate}{level}"

    def scaled(self, value: Any) -> Any:
        """Return the covariate as the coefficient reads it."""
        return (value - self.centre) / self.per

    def __str__(self) -> str:
        if self.level is not None:
            return f"{self.name} for {self.covariate} = {self.level}"
        step = f"{self.per:g}" if self.per != 1 else "1"
        return f"{self.name} per {step} of {self.covariate} above {self.centre:g}"


def sampled_by(
    shape: Shape, priors: Mapping[str, Prior], reference: tuple[float, float] | None
) -> Literal["stated", "moved", "raw"]:
    """Say how the curve is sampled.

    Returns
    -------
    str
        ``"stated"``: priors are on `level` and `effect`. ``"moved"``: priors on `e0` and the size,
        sampled by level and effect. ``"raw"``: sampled as `e0` and the size, as any of them that
        differs between groups is.
    """
    if LEVEL in priors:
        return "stated"
    curve = (E0, shape.size, *shape.bends, *shape.free)
    if any(groupings_of(priors[name]) for name in curve if name in priors):
        return "raw"
    size, e0 = priors.get(shape.size), priors.get(E0)
    movable = isinstance(e0, Normal | StudentT) and e0.lower is None
    scalable = (isinstance(size, Normal | StudentT) and size.lower in (None, 0)) or isinstance(
        size, HalfNormal
    )
    bowed = bool(shape.free) and not (isinstance(size, Normal | StudentT) and size.lower is None)
    fine = movable and scalable and not bowed and not isinstance(shape, BetaShape)
    return "moved" if reference is not None and fine else "raw"


def curve_parameters(
    shape: Shape,
    priors: Mapping[str, Prior],
    reference: tuple[float, float] | None,
    monotone: Monotone,
    groups: Sequence[str] = (),
) -> dict[str, Tensor]:
    """Register the parameters of a curve in the open PyMC model.

    Parameters
    ----------
    shape
        One of :data:`~doseopt_bayes.models.shapes.SHAPES`.
    priors
        Of `level` and `effect`, or of `e0` and the size; and of what bends the curve.
    reference
        The two exposures, ascending; ``None`` samples `e0` and the size themselves.
    monotone
        Whether the curve may only rise, or only fall.
    groups
        Groupings that parameters may lie over, whose levels are coordinates of the model.

    Returns
    -------
    dict
        ``e0``, the size and everything else that the shape reads, by name; all are registered. With
        `groups` each has an axis for every grouping, of length 1 where it does not differ.
    """

    def over(name: str, x: Tensor) -> Tensor:
        return aligned(x, groupings_of(priors[name]), groups)

    p = {name: over(name, priors[name].build(name)) for name in (*shape.bends, *shape.free)}
    how = sampled_by(shape, priors, reference)
    if how == "raw":
        p[shape.size] = over(shape.size, _directed(priors[shape.size], shape.size, monotone))
        p[E0] = over(E0, priors[E0].build(E0))
        return p
    low, high = reference or (0.0, 0.0)
    at_low = shape.gain(low, p) if low > 0 else 0.0
    rise = shape.gain(high, p) - at_low
    bow_low, bow = shape.bow(low, p), shape.bow(high, p) - shape.bow(low, p)
    if how == "stated":
        change = over(EFFECT, _directed(priors[EFFECT], EFFECT, monotone))
        level = over(LEVEL, priors[LEVEL].build(LEVEL))
    else:
        change = _directed(priors[shape.size], EFFECT, monotone, scale=rise, shift=bow)
        moved = (change - bow) / rise * at_low + bow_low
        level = _located(priors[E0], LEVEL, 1.0, moved)
    bent = (EFFECT, *shape.bends, *shape.free)
    size = _follows(shape.size, (change - bow) / rise, bent, priors, groups)
    p[shape.size] = size
    p[E0] = _follows(E0, level - size * at_low - bow_low, (LEVEL, *bent), priors, groups)
    return p


def aligned(x: Tensor, dims: Sequence[str], groups: Sequence[str]) -> Tensor:
    """Give a parameter over some groupings an axis for each of `groups`, of length 1 for the others."""
    if not groups:
        return x
    return x.dimshuffle([dims.index(g) if g in dims else "x" for g in groups])


def _follows(
    name: str,
    x: Tensor,
    made_of: Sequence[str],
    priors: Mapping[str, Prior],
    groups: Sequence[str],
) -> Tensor:
    """Register what follows from other parameters, over the groupings that these lie over."""
    import pymc as pm  # noqa: PLC0415

    dims = [g for g in groups if any(g in groupings_of(priors[n]) for n in made_of if n in priors)]
    if not groups:
        return pm.Deterministic(name, x)
    plain = x[tuple(slice(None) if g in dims else 0 for g in groups)]
    return aligned(pm.Deterministic(name, plain, dims=tuple(dims) or None), dims, groups)


def _directed(
    prior: Prior, name: str, monotone: Monotone, *, scale: Any = 1.0, shift: Any = 0.0
) -> Tensor:
    """Register a change that is free, only positive or only negative."""
    import pymc as pm  # noqa: PLC0415

    if monotone == "free":
        return _located(prior, name, scale, shift)
    if monotone == "rising":
        return _located(prior.positive(), name, scale, shift)
    if groupings_of(prior):
        raise DoseOptError(
            f"{name}: a falling curve that differs between groups is not sampled here",
            hint="monotone='free', or model the absence of the event, which rises",
        )
    if not isinstance(prior, Normal | StudentT):
        raise DoseOptError(
            f"{name}: a falling curve needs a Normal or Student t prior of {name}, not {prior}"
        )
    down = replace(prior, mean=-prior.mean, lower=None).positive()
    return pm.Deterministic(name, -_located(down, f"{name}_down", scale, shift))


def _located(prior: Prior, name: str, scale: Any, shift: Any) -> Tensor:
    """Register `scale` times a parameter with this prior, plus `shift`."""
    import pymc as pm  # noqa: PLC0415

    if isinstance(scale, float) and scale == 1.0 and isinstance(shift, float) and shift == 0.0:
        return prior.build(name)
    if isinstance(prior, HalfNormal):
        return pm.HalfNormal(name, sigma=prior.sd * scale)
    if not isinstance(prior, Normal | StudentT):
        raise DoseOptError(f"{name}: a prior of the kind {type(prior).__name__} cannot be moved")
    numbers = {"mu": prior.mean * scale + shift, "sigma": prior.sd * scale}
    if isinstance(prior, StudentT):
        numbers["nu"] = np.float64(prior.df)  # a plain 5.0 is stored in 32 bits
        if prior.lower is None:
            return pm.StudentT(name, **numbers)
        return pm.Truncated(name, pm.StudentT.dist(**numbers), lower=0.0)
    if prior.lower is None:
        return pm.Normal(name, **numbers)
    return pm.TruncatedNormal(name, **numbers, lower=0.0)
