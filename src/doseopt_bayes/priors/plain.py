"""Priors as values: printable, comparable, checked when they are written and built in any model.

A prior knows nothing of the parameter that it is for. ``sd`` is always a standard deviation, never a
precision or a variance, and is a keyword in the specification file for that reason.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
from scipy import stats

from doseopt_bayes.errors import DoseOptError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Beta", "Dirichlet", "HalfNormal", "LogNormal", "Normal", "Prior", "StudentT"]

Tensor = Any  # a pytensor variable; importing its type would import pytensor


@runtime_checkable
class Prior(Protocol):
    """What a model needs of a prior."""

    def build(self, name: str, dims: Sequence[str] = ()) -> Tensor:
        """Register the parameter `name` over `dims` in the open PyMC model."""

    def quantile(self, q: float) -> float:
        """Quantile of the prior, for statements of what it implies."""

    def positive(self) -> Prior:
        """Return the same prior restricted to positive values."""


def check_fields(prior: object, **conditions: bool) -> None:
    """Refuse infinite numbers, and any field whose condition is false."""
    for f in fields(prior):  # type: ignore[arg-type]
        value = getattr(prior, f.name)
        if value is None:
            continue
        if (
            not isinstance(value, int | float)
            or isinstance(value, bool)
            or not math.isfinite(value)
        ):
            raise DoseOptError(
                f"{type(prior).__name__}: {f.name} = {value!r} is not a finite number"
            )
    for name, fine in conditions.items():
        if not fine:
            value = getattr(prior, name)
            raise DoseOptError(
                f"{type(prior).__name__}: {name} = {value!r} must be > 0",
                hint="sd is a standard deviation: not a variance, not a precision",
            )


@dataclass(frozen=True)
class Normal:
    """Normal prior, optionally truncated from below.

    Parameters
    ----------
    mean, sd
        Mean and standard deviation (before truncation).
    lower
        Smallest possible value; ``None`` for none.

    Examples
    --------
    >>> print(Normal(mean=0.0, sd=1.0))
    Normal(mean 0, sd 1), 95 % within -1.96 to 1.96
    >>> print(Normal(mean=0.0, sd=1.0).positive())
    Normal(mean 0, sd 1, truncated below 0), 95 % within 0.0313 to 2.24
    """

    mean: float
    sd: float
    lower: float | None = None

    def __post_init__(self) -> None:
        check_fields(self, sd=is_positive(self.sd))

    def build(self, name: str, dims: Sequence[str] = ()) -> Tensor:
        """Register the parameter in the open PyMC model."""
        import pymc as pm  # noqa: PLC0415  (a specification is read without PyMC)

        if self.lower is None:
            return pm.Normal(name, mu=self.mean, sigma=self.sd, dims=tuple(dims))
        return pm.TruncatedNormal(
            name, mu=self.mean, sigma=self.sd, lower=self.lower, dims=tuple(dims)
        )

    def quantile(self, q: float) -> float:
        """Quantile of the prior."""
        low = -np.inf if self.lower is None else (self.lower - self.mean) / self.sd
        return float(stats.truncnorm.ppf(q, low, np.inf, loc=self.mean, scale=self.sd))

    def positive(self) -> Normal:
        """Return the same prior truncated below 0."""
        return Normal(self.mean, self.sd, lower=max(0.0, self.lower or 0.0))

    def __str__(self) -> str:
        cut = "" if self.lower is None else f", truncated below {self.lower:g}"
        return f"Normal(mean {self.mean:g}, sd {self.sd:g}{cut}), {implied(self)}"


@dataclass(frozen=True)
class StudentT:
    """Student t prior: like a Normal, with heavier tails.

    Parameters
    ----------
    df
        Degrees of freedom, > 0.
    mean, sd
        Location and scale; `sd` is the scale, the standard deviation only as `df` grows.
    lower
        Smallest possible value; ``None`` for none.
    """

    df: float
    mean: float
    sd: float
    lower: float | None = None

    def __post_init__(self) -> None:
        check_fields(self, sd=is_positive(self.sd), df=is_positive(self.df))

    def build(self, name: str, dims: Sequence[str] = ()) -> Tensor:
        """Register the parameter in the open PyMC model."""
        import pymc as pm  # noqa: PLC0415

        numbers = {"nu": self.df, "mu": self.mean, "sigma": self.sd}
        if self.lower is None:
            return pm.StudentT(name, **numbers, dims=tuple(dims))
        return pm.Truncated(name, pm.StudentT.dist(**numbers), lower=self.lower, dims=tuple(dims))

    def quantile(self, q: float) -> float:
        """Quantile of the prior."""
        t = stats.t(self.df, loc=self.mean, scale=self.sd)
        below = 0.0 if self.lower is None else t.cdf(self.lower)
        return float(t.ppf(below + q * (1 - below)))

    def positive(self) -> StudentT:
        """Return the same prior truncated below 0."""
        return StudentT(self.df, self.mean, self.sd, lower=max(0.0, self.lower or 0.0))

    def __str__(self) -> str:
        cut = "" if self.lower is None else f", truncated below {self.lower:g}"
        return (
            f"StudentT(df {self.df:g}, mean {self.mean:g}, scale {self.sd:g}{cut}), {implied(self)}"
        )


@dataclass(frozen=True)
class HalfNormal:
    """Half-normal prior for a positive parameter.

    Parameters
    ----------
    sd
        Standard deviation of the Normal that was folded at 0.
    """

    sd: float

    def __post_init__(self) -> None:
        check_fields(self, sd=is_positive(self.sd))

    def build(self, name: str, dims: Sequence[str] = ()) -> Tensor:
        """Register the parameter in the open PyMC model."""
        import pymc as pm  # noqa: PLC0415

        return pm.HalfNormal(name, sigma=self.sd, dims=tuple(dims))

    def quantile(self, q: float) -> float:
        """Quantile of the prior."""
        return float(stats.halfnorm.ppf(q, scale=self.sd))

    def positive(self) -> HalfNormal:
        """Return itself: it is positive already."""
        return self

    def __str__(self) -> str:
        return f"HalfNormal(sd {self.sd:g}), {implied(self)}"


@dataclass(frozen=True)
class LogNormal:
    """Log-normal prior for a positive parameter.

    Parameters
    ----------
    median
        Median on the natural scale, > 0.
    sd
        Standard deviation of the logarithm.
    """

    median: float
    sd: float

    def __post_init__(self) -> None:
        check_fields(self, sd=is_positive(self.sd), median=is_positive(self.median))

    def build(self, name: str, dims: Sequence[str] = ()) -> Tensor:
        """Register the parameter in the open PyMC model."""
        import pymc as pm  # noqa: PLC0415

        return pm.LogNormal(name, mu=math.log(self.median), sigma=self.sd, dims=tuple(dims))

    def quantile(self, q: float) -> float:
        """Quantile of the prior."""
        return float(stats.lognorm.ppf(q, self.sd, scale=self.median))

    def positive(self) -> LogNormal:
        """Return itself: it is positive already."""
        return self

    def __str__(self) -> str:
        return f"LogNormal(median {self.median:g}, sd of log {self.sd:g}), {implied(self)}"


@dataclass(frozen=True)
class Beta:
    """Beta prior of a probability, worth `events` + `others` patients.

    Parameters
    ----------
    events, others
        Prior patients with and without the event, > 0.

    Examples
    --------
    >>> print(Beta(events=0.5, others=0.5))
    Beta(0.5 events, 0.5 others), 95 % within 0.00154 to 0.998
    """

    events: float
    others: float

    def __post_init__(self) -> None:
        check_fields(self, events=is_positive(self.events), others=is_positive(self.others))

    def build(self, name: str, dims: Sequence[str] = ()) -> Tensor:
        """Register the parameter in the open PyMC model."""
        import pymc as pm  # noqa: PLC0415

        return pm.Beta(name, alpha=self.events, beta=self.others, dims=tuple(dims))

    def quantile(self, q: float) -> float:
        """Quantile of the prior."""
        return float(stats.beta.ppf(q, self.events, self.others))

    def positive(self) -> Beta:
        """Return itself: it is positive already."""
        return self

    def __str__(self) -> str:
        return f"Beta({self.events:g} events, {self.others:g} others), {implied(self)}"


@dataclass(frozen=True)
class Dirichlet:
    """Prior of the probabilities of several outcomes that exclude each other, none favoured.

    Parameters
    ----------
    patients
        Number of prior patients, spread evenly over the outcomes, > 0.
    outcomes
        Number of outcomes, the last of the dims that it is built over.
    """

    patients: float
    outcomes: int

    def __post_init__(self) -> None:
        check_fields(self, patients=is_positive(self.patients), outcomes=self.outcomes > 1)

    def build(self, name: str, dims: Sequence[str] = ()) -> Tensor:
        """Register the parameter in the open PyMC model."""
        import pymc as pm  # noqa: PLC0415

        each = np.full(self.outcomes, self.patients / self.outcomes)
        return pm.Dirichlet(name, a=each, dims=tuple(dims))

    def quantile(self, q: float) -> float:
        """Quantile of the probability of one outcome."""
        each = self.patients / self.outcomes
        return float(stats.beta.ppf(q, each, self.patients - each))

    def positive(self) -> Dirichlet:
        """Return itself: it is positive already."""
        return self

    def __str__(self) -> str:
        said = f"Dirichlet({self.patients:g} patients over {self.outcomes} outcomes)"
        return f"{said}, each {implied(self)}"


def is_positive(value: Any) -> bool:
    """Whether a value is a number above 0."""
    return isinstance(value, int | float) and value > 0


def implied(prior: Prior) -> str:
    """Say the equal-tailed 95 % range of a prior."""
    return f"95 % within {prior.quantile(0.025):.3g} to {prior.quantile(0.975):.3g}"
