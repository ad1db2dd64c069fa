"""Priors of standard deviations between groups, beside the half-normal and the log-normal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import stats

from doseopt_bayes.priors.plain import check_fields, implied, is_positive

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["HalfStudentT", "RootInverseGamma"]

Tensor = Any  # a pytensor variable


@dataclass(frozen=True)
class HalfStudentT:
    """Student t folded at 0; df = 1 is the half-Cauchy.

    Parameters
    ----------
    df
        Degrees of freedom, > 0.
    sd
        Scale of the t distribution, > 0.

    Examples
    --------
    >>> print(HalfStudentT(df=3, sd=1))
    HalfStudentT(df 3, scale 1), 95 % within 0.034 to 4.18
    """

    df: float
    sd: float

    def __post_init__(self) -> None:
        check_fields(self, df=is_positive(self.df), sd=is_positive(self.sd))

    def build(self, name: str, dims: Sequence[str] = ()) -> Tensor:
        """Register the parameter in the open PyMC model."""
        import pymc as pm  # noqa: PLC0415  (a specification is read without PyMC)

        # a plain 3.0 is stored in 32 bits, and the constant of the density with it
        return pm.HalfStudentT(name, nu=np.float64(self.df), sigma=self.sd, dims=tuple(dims))

    def quantile(self, q: float) -> float:
        """Quantile of the prior."""
        return float(stats.t(self.df, scale=self.sd).ppf((1 + q) / 2))

    def positive(self) -> HalfStudentT:
        """Return itself: it is positive already."""
        return self

    def __str__(self) -> str:
        return f"HalfStudentT(df {self.df:g}, scale {self.sd:g}), {implied(self)}"


@dataclass(frozen=True)
class RootInverseGamma:
    """Prior of a standard deviation whose square is inverse-gamma.

    Parameters
    ----------
    shape, scale
        Of the inverse-gamma distribution of the variance, both > 0.

    Notes
    -----
    The heterogeneity prior of Thall et al. (2003). It keeps the standard deviation away from 0, so that
    groups are never pooled much: an inverse-gamma with small parameters is not uninformative
    (Gelman 2006).

    Examples
    --------
    >>> print(RootInverseGamma(shape=2, scale=20))
    RootInverseGamma(shape 2, scale 20 of the variance), 95 % within 1.89 to 9.09
    """

    shape: float
    scale: float

    def __post_init__(self) -> None:
        check_fields(self, shape=is_positive(self.shape), scale=is_positive(self.scale))

    def build(self, name: str, dims: Sequence[str] = ()) -> Tensor:
        """Register ``<name>_variance`` and its root `name` in the open PyMC model."""
        import pymc as pm  # noqa: PLC0415

        square = pm.InverseGamma(
            f"{name}_variance", alpha=self.shape, beta=self.scale, dims=tuple(dims)
        )
        return pm.Deterministic(name, pm.math.sqrt(square), dims=tuple(dims))

    def quantile(self, q: float) -> float:
        """Quantile of the prior of the standard deviation."""
        return float(np.sqrt(stats.invgamma(self.shape, scale=self.scale).ppf(q)))

    def positive(self) -> RootInverseGamma:
        """Return itself: it is positive already."""
        return self

    def __str__(self) -> str:
        said = f"RootInverseGamma(shape {self.shape:g}, scale {self.scale:g} of the variance)"
        return f"{said}, {implied(self)}"
