"""Variations of a hierarchical model: nothing pooled, all groups as one, another spread between them."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from doseopt_bayes.errors import DoseOptError, did_you_mean
from doseopt_bayes.priors import LogNormal, Normal, Pooled, Unpooled

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from doseopt_bayes.priors import Prior

__all__ = ["FULL", "NONE", "ends_of", "pools", "scaled_heterogeneity", "with_pooling"]

NONE: Final = "no pooling"
FULL: Final = "full pooling"
KINDS: Final = ("none", "full")
DIGITS: Final = 5  # the root finder leaves later ones to the processor
EDGE: Final = 0.975
PER_MILLE: Final = 1000
REACH: Final = 1.959963984540054  # standard deviations from the median to the edge


@dataclass(frozen=True)
class _Crossed(Unpooled):
    """An independent prior for each combination of the levels of several groupings."""

    overs: tuple[str, ...] = ()

    @property
    def dims(self) -> tuple[str, ...]:
        return self.overs

    def build(self, name: str, dims: Sequence[str] = ()) -> Any:
        return self.prior.build(name, (*self.overs, *dims))

    def positive(self) -> Unpooled:
        return _Crossed(self.prior.positive(), self.over, self.overs)

    def __str__(self) -> str:
        return f"Unpooled over {' x '.join(self.overs)}: each ~ {self.prior}"


def with_pooling(model: Any, kind: Literal["none", "full"]) -> Any:
    """Return the same model without pooling, or with all groups as one.

    Parameters
    ----------
    model
        A model with ``groups``, some of whose priors are :class:`~doseopt_bayes.priors.Pooled`.
    kind
        ``"none"``: every ``Pooled`` becomes ``Unpooled``. Each group keeps the prior that the hierarchy
        gives to one group: a Normal (LogNormal, where groups scatter on the log scale) with the same
        median and 95 % interval; what a group gains by pooling is then due to the other groups' data,
        not to another prior. Of a mixture it becomes the prior ``apart``.
        ``"full"``: every ``Pooled`` and ``Unpooled`` becomes one parameter for all groups, with the prior
        of the centre.

    Returns
    -------
    The recipe of the same kind, with the same groups.

    Raises
    ------
    DoseOptError
        On another kind, and a model that pools nothing.

    Examples
    --------
    >>> from doseopt_bayes.models import Basket
    >>> from doseopt_bayes.priors import HalfNormal
    >>> model = Basket(400, Pooled(Normal(0, 2), HalfNormal(0.5)), {"subgroup": ("A", "B")}, unit="mg")
    >>> print(with_pooling(model, "none").prior)
    Unpooled over subgroup: each ~ Normal(mean 0, sd 2.0625), 95 % within -4.04 to 4.04
    >>> print(with_pooling(model, "full").prior)
    Normal(mean 0, sd 2), 95 % within -3.92 to 3.92
    """
    if kind not in KINDS:
        raise DoseOptError(
            f"with_pooling: kind = {kind!r}; one of {', '.join(KINDS)}",
            hint=did_you_mean(str(kind), KINDS),
        )
    if not pools(model):
        raise DoseOptError(
            f"{type(model).__name__}: no parameter is pooled over a grouping",
            hint="give one a prior Pooled(mean, tau, over='subgroup')",
        )
    change = _apart if kind == "none" else _together
    if any(f.name == "prior" for f in fields(model)):  # a model of one parameter
        return replace(model, prior=change(model.prior))
    return replace(model, priors={name: change(p) for name, p in model.priors.items()})


def pools(model: Any) -> bool:
    """Whether some parameter of a model is pooled over a grouping."""
    return any(isinstance(p, Pooled) for p in model.priors.values())


def ends_of(model: Any, taken: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return both ends by their labels; none for a model that pools nothing, or labels in `taken`."""
    if not pools(model):
        return {}
    found = {NONE: with_pooling(model, "none"), FULL: with_pooling(model, "full")}
    return {label: end for label, end in found.items() if label not in (taken or {})}


@dataclass(frozen=True)
class _Scaled:
    """A prior of a standard deviation times a factor; one compiled program serves every factor."""

    prior: Prior
    factor: float

    def build(self, name: str, dims: Sequence[str] = ()) -> Any:
        import pymc as pm  # noqa: PLC0415  (a specification is read without PyMC)

        plain = self.prior.build(f"{name}_unscaled", dims)
        # whole numbers are data, which a program takes anew for each fit
        times = pm.Data(f"{name}_per_mille", np.int64(round(self.factor * PER_MILLE)))
        return pm.Deterministic(name, plain * times / PER_MILLE, dims=tuple(dims))

    def quantile(self, q: float) -> float:
        return self.factor * self.prior.quantile(q)

    def positive(self) -> _Scaled:
        return self

    def __str__(self) -> str:
        return f"{self.factor:g} x {self.prior}"


def scaled_heterogeneity(model: Any, factor: float) -> Any:
    """Return the same model with the prior of every tau multiplied by a factor.

    Parameters
    ----------
    model
        A model some of whose priors are :class:`~doseopt_bayes.priors.Pooled`.
    factor
        From 0.001, in whole thousandths.

    Raises
    ------
    DoseOptError
        On another factor, and a model that pools nothing.
    """
    whole = factor * PER_MILLE
    if not (math.isfinite(factor) and factor > 0 and math.isclose(whole, round(whole))):
        raise DoseOptError(
            f"factor = {factor!r} must be > 0, in whole thousandths", hint="for example 0.5 or 2"
        )
    if not pools(model):
        raise DoseOptError(
            f"{type(model).__name__}: no parameter is pooled over a grouping, so that there is no prior "
            "of how much groups differ"
        )

    def scaled(prior: Any) -> Any:
        if not isinstance(prior, Pooled):
            return prior
        own = {k: _Scaled(p, factor) for k, p in prior.tau_of.items()}
        return replace(prior, mean=scaled(prior.mean), tau=_Scaled(prior.tau, factor), tau_of=own)

    if any(f.name == "prior" for f in fields(model)):  # a model of one parameter
        return replace(model, prior=scaled(model.prior))
    return replace(model, priors={name: scaled(p) for name, p in model.priors.items()})


def _apart(prior: Prior) -> Prior:
    if not isinstance(prior, Pooled):
        return prior
    own = prior.apart if prior.apart is not None else _of_one_group(prior)
    over = prior.dims
    return Unpooled(own, prior.over) if len(over) == 1 else _Crossed(own, prior.over, over)


def _of_one_group(prior: Pooled) -> Prior:
    """Return a Normal with the median and the width of what the hierarchy says of one group."""
    low, middle, high = (prior.quantile(q) for q in (1 - EDGE, 0.5, EDGE))
    if prior.is_log:
        return LogNormal(_rounded(middle), _rounded(math.log(high / low) / (2 * REACH)))
    return Normal(_rounded(middle), _rounded((high - low) / (2 * REACH)))


def _rounded(x: float) -> float:
    # a median of 1e-17 is 0
    return 0.0 if abs(x) < 1e-9 else float(f"{x:.{DIGITS}g}")


def _together(prior: Prior) -> Prior:
    if isinstance(prior, Unpooled):
        return prior.prior
    while isinstance(prior, Pooled):
        prior = prior.mean
    return prior
