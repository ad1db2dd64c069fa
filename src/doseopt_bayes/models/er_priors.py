"""Priors that exposure-response models need besides those of :mod:`doseopt_bayes.priors`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from scipy import stats

from doseopt_bayes.errors import DoseOptError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["HillGivenEC50", "LogStudentT", "Uniform"]

Tensor = Any  # a pytensor variable
STEPS: Final = (
    4001  # of the quadrature over log EC50 that gives the marginal of the Hill coefficient
)


@dataclass(frozen=True)
class Uniform:
    """Uniform prior between two numbers.

    Parameters
    ----------
    low, high
        Finite, low < high.
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        _ordered(self, self.low, self.high)

    def build(self, name: str, dims: Sequence[str] = ()) -> Tensor:
        """Register the parameter in the open PyMC model."""
        import pymc as pm  # noqa: PLC0415

        return pm.Uniform(name, self.low, self.high, dims=tuple(dims))

    def quantile(self, q: float) -> float:
        """Quantile of the prior."""
        return self.low + q * (self.high - self.low)

    def positive(self) -> Uniform:
        """Return the same prior without its part below 0."""
        return Uniform(max(self.low, 0.0), self.high)

    def __str__(self) -> str:
        return f"Uniform({self.low:g} to {self.high:g})"


@dataclass(frozen=True)
class LogStudentT:
    """Log of a positive parameter is Student t around the log of its median, truncated on both sides.

    Parameters
    ----------
    median
        Median before truncation, > 0; ``P50`` in the empirically based prior of ED50.
    scale, df
        Scale and degrees of freedom of the t distribution of the logarithm.
    low, high
        Smallest and largest value, as multiples of `median`; 0 < low < high.

    Examples
    --------
    >>> round(LogStudentT(median=1.0, scale=1.73, df=5, low=0.001, high=1000).quantile(0.975), 1)
    66.2
    """

    median: float
    scale: float
    df: float
    low: float
    high: float

    def __post_init__(self) -> None:
        _ordered(self, self.low, self.high)
        if not (self.median > 0 and self.scale > 0 and self.df > 0 and self.low > 0):
            raise DoseOptError(f"{self}: median, scale, df and low must be > 0")

    def build(self, name: str, dims: Sequence[str] = ()) -> Tensor:
        """Register ``log_<name>_ratio``, the log over the median, and `name` that follows from it."""
        import pymc as pm  # noqa: PLC0415

        # a plain 5.0 is stored in 32 bits, and the constant of the density with it: 3e-8 off
        free = pm.StudentT.dist(nu=np.float64(self.df), mu=0.0, sigma=self.scale)
        ends = {"lower": math.log(self.low), "upper": math.log(self.high)}
        over = tuple(dims)
        ratio = pm.Truncated(f"log_{name}_ratio", free, **ends, dims=over or None)
        return pm.Deterministic(name, self.median * pm.math.exp(ratio), dims=over or None)

    def quantile(self, q: float) -> float:
        """Quantile of the prior."""
        t = stats.t(self.df, scale=self.scale)
        below, above = t.cdf(math.log(self.low)), t.cdf(math.log(self.high))
        return self.median * math.exp(t.ppf(below + q * (above - below)))

    def positive(self) -> LogStudentT:
        """Return itself: it is positive already."""
        return self

    def __str__(self) -> str:
        return (
            f"LogStudentT(median {self.median:g}, scale of log {self.scale:g}, df {self.df:g}, within "
            f"{self.low:g} to {self.high:g} times the median), {_implied(self)}"
        )


@dataclass(frozen=True)
class HillGivenEC50:
    """Hill coefficient given EC50: the conditional of a bivariate t of their logarithms, truncated.

    Parameters
    ----------
    ec50
        Prior of EC50, on whose logarithm this one depends.
    mean, scale
        Location and scale of the log of the Hill coefficient, before the correlation.
    correlation
        Of log Hill and log EC50.
    low, high
        Smallest and largest Hill coefficient.

    Notes
    -----
    Given r = log(EC50 / P50): t with df + 1 degrees of freedom, location ``mean + correlation * scale /
    ec50.scale * r`` and squared scale ``scale^2 (1 - correlation^2) (df + (r / ec50.scale)^2) / (df +
    1)``. As in clinDR (``mrmodel.stan``, ``emaxPrior.control``).
    """

    ec50: LogStudentT
    mean: float = 0.0
    scale: float = 0.425
    correlation: float = -0.45
    low: float = 0.3
    high: float = 4.0

    def __post_init__(self) -> None:
        _ordered(self, self.low, self.high)
        if not (self.scale > 0 and -1 < self.correlation < 1 and self.low > 0):
            raise DoseOptError(f"{type(self).__name__}: scale and low > 0, |correlation| < 1")
        if self.ec50.df % 2 != 1:
            raise DoseOptError(
                f"{type(self).__name__}: EC50 has df = {self.ec50.df:g}; the conditional needs an odd "
                "whole number",
                hint="the published prior has 5",
            )

    def _given(self, ratio: Any) -> tuple[Any, Any, float]:
        """Location, squared scale and degrees of freedom given the log ratio of EC50."""
        df, unit = self.ec50.df, ratio / self.ec50.scale
        spread = self.scale**2 * (1 - self.correlation**2) * (df + unit**2) / (df + 1)
        return self.mean + self.correlation * self.scale * unit, spread, df + 1

    def build(self, name: str, dims: Sequence[str] = ()) -> Tensor:
        """Register ``log_<name>`` given the model's ``log_ec50_ratio``, and `name`."""
        import pymc as pm  # noqa: PLC0415

        if dims:
            raise DoseOptError(
                f"{name}: a Hill coefficient given EC50 is one number for all groups",
                hint="give it a prior of its own: LogNormal",
            )

        centre, spread, df = self._given(pm.modelcontext(None)["log_ec50_ratio"])
        low, high = math.log(self.low), math.log(self.high)

        def logp(x: Tensor, centre: Tensor, scale: Tensor) -> Tensor:
            inside = [_t_cdf((end - centre) / scale, int(df)) for end in (high, low)]
            # a plain 6.0 is stored in 32 bits, and the constant of the density with it: 3e-8 off
            free = pm.logp(pm.StudentT.dist(nu=np.float64(df), mu=centre, sigma=scale), x)
            return free - pm.math.log(inside[0] - inside[1])

        def random(
            centre: np.ndarray, scale: np.ndarray, rng: np.random.Generator, size: Any = None
        ) -> np.ndarray:
            t = stats.t(df, loc=centre, scale=scale)
            u = rng.uniform(t.cdf(low), t.cdf(high), size=size)
            found: np.ndarray = t.ppf(u)
            return found

        # PyMC's truncated t cannot be drawn in batches when it depends on another parameter
        logarithm = pm.CustomDist(
            f"log_{name}", centre, spread**0.5, logp=logp, random=random, signature="(),()->()",
            transform=pm.distributions.transforms.Interval(low, high),
        )  # fmt: skip
        return pm.Deterministic(name, pm.math.exp(logarithm))

    def quantile(self, q: float) -> float:
        """Quantile of the marginal prior, by quadrature over log EC50."""
        u = (np.arange(STEPS) + 0.5) / STEPS
        t = stats.t(self.ec50.df, scale=self.ec50.scale)
        below, above = t.cdf(math.log(self.ec50.low)), t.cdf(math.log(self.ec50.high))
        centre, spread, df = self._given(t.ppf(below + u * (above - below)))
        given = stats.t(df, loc=centre, scale=np.sqrt(spread))
        ends = given.cdf(math.log(self.low)), given.cdf(math.log(self.high))
        low, high = math.log(self.low), math.log(self.high)
        for _ in range(60):
            middle = (low + high) / 2
            reached = float(np.mean((given.cdf(middle) - ends[0]) / (ends[1] - ends[0])))
            low, high = (middle, high) if reached < q else (low, middle)
        return math.exp((low + high) / 2)

    def positive(self) -> HillGivenEC50:
        """Return itself: it is positive already."""
        return self

    def __str__(self) -> str:
        return (
            f"HillGivenEC50(log Hill at {self.mean:g}, scale {self.scale:g}, correlation "
            f"{self.correlation:g} with log EC50, within {self.low:g} to {self.high:g}), {_implied(self)}"
        )


def _t_cdf(t: Tensor, df: int) -> Tensor:
    """Cumulative distribution of Student t with an even `df`, in closed form (Abramowitz 26.7.4)."""
    cosine = df / (df + t**2)
    term, total = 1.0, 1.0
    for j in range(1, df // 2):
        term = term * cosine * (2 * j - 1) / (2 * j)
        total = total + term
    return 0.5 + 0.5 * t / (df + t**2) ** 0.5 * total


def _ordered(prior: object, low: float, high: float) -> None:
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise DoseOptError(f"{type(prior).__name__}: {low!r} to {high!r} is no range of numbers")


def _implied(prior: LogStudentT | HillGivenEC50) -> str:
    return f"95 % within {prior.quantile(0.025):.3g} to {prior.quantile(0.975):.3g}"
