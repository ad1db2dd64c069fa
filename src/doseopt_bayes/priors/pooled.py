"""Hierarchy as a property of a prior: one parameter, a value for each group of patients."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import lru_cache, reduce
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from scipy import optimize, special

from doseopt_bayes.errors import DoseOptError
from doseopt_bayes.priors.plain import Beta, Dirichlet, LogNormal, Normal, StudentT, implied

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from doseopt_bayes.priors.plain import Prior

__all__ = ["Pooled", "Unpooled"]

Tensor = Any  # a pytensor variable
SUBGROUP: Final = "subgroup"
NODES: Final = 400  # of the midpoint rule over centre and tau that says what a new group may be


@dataclass(frozen=True)
class Unpooled:
    """An independent prior for each group: no group borrows from another.

    Parameters
    ----------
    prior
        Prior of each group's value.
    over
        Grouping, one of the model's ``groups``.

    Examples
    --------
    >>> print(Unpooled(Normal(0, 2)))
    Unpooled over subgroup: each ~ Normal(mean 0, sd 2), 95 % within -3.92 to 3.92
    """

    prior: Prior
    over: str = SUBGROUP

    @property
    def dims(self) -> tuple[str, ...]:
        """Groupings over which the parameter varies."""
        return (self.over,)

    def hyper(self, name: str) -> tuple[str, ...]:  # the same question as to Pooled
        """Names of the parameters above it: none."""
        return ()

    def build(self, name: str, dims: Sequence[str] = ()) -> Tensor:
        """Register the parameter over its grouping, and over `dims`, in the open PyMC model."""
        return self.prior.build(name, (self.over, *dims))

    def quantile(self, q: float) -> float:
        """Quantile of the prior of one group."""
        return self.prior.quantile(q)

    def positive(self) -> Unpooled:
        """Return the same prior restricted to positive values."""
        return Unpooled(self.prior.positive(), self.over)

    def __str__(self) -> str:
        return f"Unpooled over {self.over}: each ~ {self.prior}"


@dataclass(frozen=True)
class Pooled:
    """Groups that borrow from each other: their values scatter around a common centre.

    Parameters
    ----------
    mean
        Prior of the centre, ``<parameter>_mean``. Normal or Student t: groups are Normal around it.
        LogNormal: the centre is their median, and their logarithms are Normal around its logarithm. A
        ``Pooled`` over another grouping: the effects of both add up.
    tau
        Proper prior of the standard deviation between groups, ``<parameter>_tau``.
    over
        Grouping, one of the model's ``groups``.
    centred
        Whether the sampler moves the groups' values themselves; by default it moves their standardised
        distances from the centre, which also samples groups with few patients and small `tau`.
    strata, tau_of
        Level to stratum, and stratum to its own prior of tau: groups of a stratum with a smaller tau
        borrow more (differential discounting). Strata without a prior here have `tau`.
    exchangeable
        Probability that a group belongs to the others (EXNEX); 1 leaves no doubt.
    exchangeable_of
        Level to its own such probability.
    exchangeable_prior
        Prior of the probability, where it is learnt from the data, for example ``Beta(1, 1)``.
    apart
        Prior of a group that does not belong to the others; needed when that may be.
    together
        Label: parameters with one label have correlated groups' values.
    lkj
        Of the correlations: LKJ(lkj); 1 is uniform over correlation matrices, > 1 favours none.

    Raises
    ------
    DoseOptError
        On priors that cannot be pooled, an improper or negative tau, or probabilities out of range.

    Notes
    -----
    Berry et al. (2013) for response rates; EXNEX of Neuenschwander et al. (2016), Pharmaceutical
    Statistics 15:123. HalfNormal(1) for a tau on the logit scale is conservative, HalfNormal(0.5)
    moderate (the R package RBesT).

    Examples
    --------
    >>> from doseopt_bayes.priors import HalfNormal
    >>> print(Pooled(Normal(0, 2), HalfNormal(0.5)))  # doctest: +NORMALIZE_WHITESPACE
    Pooled over subgroup (non-centred): mean ~ Normal(mean 0, sd 2), 95 % within -3.92 to 3.92;
    tau ~ HalfNormal(sd 0.5), 95 % within 0.0157 to 1.12; a new group 95 % within -4.04 to 4.04
    """

    mean: Prior
    tau: Prior
    over: str = SUBGROUP
    centred: bool = False
    strata: Mapping[str, str] = field(default_factory=dict)
    tau_of: Mapping[str, Prior] = field(default_factory=dict)
    exchangeable: float = 1.0
    exchangeable_of: Mapping[str, float] = field(default_factory=dict)
    exchangeable_prior: Prior | None = None
    apart: Prior | None = None
    together: str = ""
    lkj: float = 1.0

    def __post_init__(self) -> None:
        self._check_centre()
        for label, prior in {"tau": self.tau, **self.tau_of}.items():
            if isinstance(prior, Pooled | Unpooled) or not (
                prior.quantile(1e-9) >= 0 and math.isfinite(prior.quantile(0.5))
            ):
                raise DoseOptError(
                    f"Pooled: {label} is a standard deviation, and {prior} is no prior of one",
                    hint="HalfNormal(0.5), HalfStudentT(3, 1), LogNormal or RootInverseGamma",
                )
        if unused := set(self.tau_of) - set(self.strata.values()):
            raise DoseOptError(
                f"Pooled: tau_of names {', '.join(sorted(unused))}, which is no stratum of a level",
                hint="strata = { level = 'stratum', ... }",
            )
        self._check_mixture()
        if self.centred and (self.together or isinstance(self.mean, Pooled) or self.is_mixture):
            raise DoseOptError(
                "Pooled: centred groups can be neither correlated, nor a mixture, nor crossed with "
                "another grouping",
                hint="centred=False, the default, samples all of these",
            )
        if not (math.isfinite(self.lkj) and self.lkj > 0):
            raise DoseOptError(f"Pooled: lkj = {self.lkj!r} must be > 0", hint="1 is uniform")

    def _check_mixture(self) -> None:
        shares = {"exchangeable": self.exchangeable, **self.exchangeable_of}
        for label, given in shares.items():
            if not 0 <= given <= 1:
                raise DoseOptError(
                    f"Pooled: {label} = {given!r} must be a probability, 0 to 1",
                    hint="1: the group belongs to the others for sure",
                )
        if self.is_mixture != (self.apart is not None):
            raise DoseOptError(
                "Pooled: `apart` is the prior of a group that does not belong to the others; it comes "
                "with exchangeable < 1, exchangeable_of or exchangeable_prior",
                hint="exchangeable=0.5, apart=Normal(...)",
            )
        share = self.exchangeable_prior
        if share is not None and not (share.quantile(1e-9) >= 0 and share.quantile(1 - 1e-9) <= 1):
            raise DoseOptError(f"Pooled: {share} is no exchangeable_prior of a probability")
        shared = isinstance(self.apart, Pooled | Unpooled)
        if shared or (self.apart is not None and isinstance(self.apart, LogNormal) != self.is_log):
            raise DoseOptError("Pooled: `apart` is of one group, and LogNormal when `mean` is")

    def _check_centre(self) -> None:
        centre = self.mean
        if isinstance(centre, Pooled):
            if self.over in centre.dims:
                raise DoseOptError(f"Pooled: it is pooled over {self.over} twice")
            if centre.is_mixture or centre.centred or centre.together or self.is_mixture:
                raise DoseOptError(
                    "Pooled over two groupings: neither may be centred, correlated or a mixture"
                )
        elif isinstance(centre, Normal | StudentT):
            if centre.lower is not None:
                raise DoseOptError(
                    f"Pooled: the centre {centre} is truncated",
                    hint="pool a LogNormal: positive values scatter on the log scale",
                )
        elif isinstance(centre, Unpooled | Beta | Dirichlet) or not hasattr(centre, "quantile"):
            raise DoseOptError(f"Pooled: {centre} cannot be the prior of a centre")

    @property
    def is_mixture(self) -> bool:
        """Whether a group may not belong to the others."""
        least = min([self.exchangeable, *self.exchangeable_of.values()])
        return least < 1 or self.exchangeable_prior is not None

    @property
    def is_log(self) -> bool:
        """Whether groups scatter on the log scale."""
        centre = self.mean
        return centre.is_log if isinstance(centre, Pooled) else isinstance(centre, LogNormal)

    @property
    def dims(self) -> tuple[str, ...]:
        """Groupings over which the parameter varies."""
        return (*(self.mean.dims if isinstance(self.mean, Pooled) else ()), self.over)

    def hyper(self, name: str) -> tuple[str, ...]:
        """Names of the parameters above it, in the posterior."""
        above = self.mean.hyper(f"{name}_mean") if isinstance(self.mean, Pooled) else ()
        return (f"{name}_mean", *above, *(self.tau_names(name)))

    def tau_names(self, name: str) -> tuple[str, ...]:
        """Names of the standard deviations between groups: one, or one for each stratum."""
        strata = tuple(dict.fromkeys(self.strata.values()))
        return tuple(f"{name}_tau_{s}" for s in strata) if strata else (f"{name}_tau",)

    def build(self, name: str, dims: Sequence[str] = ()) -> Tensor:
        """Register the parameter over `self.dims` in the open PyMC model, whose coords have them."""
        import pymc as pm  # noqa: PLC0415  (a specification is read without PyMC)

        if self.is_mixture or dims:
            raise DoseOptError(
                f"{name}: a mixture of exchangeable and other groups is not built in this model",
                hint="dose models and Basket take it; exchangeable = 1 here",
            )
        if not self.centred:
            return pm.Deterministic(name, self.scattered(name, self.offset(name)), dims=self.dims)
        centre, tau = self.mean.build(f"{name}_mean"), self._tau(name)
        if self.is_log:
            return pm.LogNormal(name, mu=pm.math.log(centre), sigma=tau, dims=self.dims)
        return pm.Normal(name, mu=centre, sigma=tau, dims=self.dims)

    def offset(self, name: str) -> Tensor:
        """Register the standardised distances of the groups from their centre."""
        import pymc as pm  # noqa: PLC0415

        return pm.Normal(f"{name}_offset", 0.0, 1.0, dims=(self.over,))

    def scattered(self, name: str, offset: Tensor) -> Tensor:
        """Return the groups' values: centre and tau are registered, the values are not."""
        centre = self.mean.build(f"{name}_mean")
        if isinstance(self.mean, Pooled):
            centre = centre[..., None]
        away = self._tau(name) * offset
        return centre * np.e**away if self.is_log else centre + away

    def _tau(self, name: str) -> Tensor:
        """Register the standard deviation between groups: one, or one for each stratum."""
        import pymc as pm  # noqa: PLC0415
        import pytensor.tensor as pt  # noqa: PLC0415

        if not self.strata:
            return self.tau.build(f"{name}_tau")
        levels = [str(v) for v in pm.modelcontext(None).coords[self.over]]
        lost = [v for v in levels if v not in self.strata]
        if lost:
            raise DoseOptError(
                f"{name}: no stratum for {self.over} {', '.join(lost)}",
                hint="strata = { level = 'stratum', ... } with every level",
            )
        each = {
            s: self.tau_of.get(s, self.tau).build(f"{name}_tau_{s}")
            for s in dict.fromkeys(self.strata.values())
        }
        return pt.stack([each[self.strata[v]] for v in levels])

    def shares(self, levels: Sequence[str]) -> np.ndarray:
        """Return the known probability that each level is exchangeable, (level,)."""
        return np.array([self.exchangeable_of.get(v, self.exchangeable) for v in levels])

    def quantile(self, q: float) -> float:
        """Quantile of the prior of a new group that belongs to the others, by the midpoint rule."""
        axes: list[Any] = [p.tau for p in self._levels()]
        middle: Any = self._levels()[-1].mean
        exact = isinstance(middle, Normal | LogNormal)  # over the centre
        many = min(NODES, int((NODES**2) ** (1 / (len(axes) + (not exact)))))
        square = reduce(np.add.outer, [np.square(_nodes(tau, many)) for tau in axes]).ravel()
        if isinstance(middle, Normal):
            centre, square = np.array([middle.mean]), square + middle.sd**2
        elif isinstance(middle, LogNormal):
            centre, square = np.array([math.log(middle.median)]), square + middle.sd**2
        else:
            centre = _nodes(middle, many)
        spread = np.sqrt(square)
        at, far = centre[:, None], 9 * spread.max()
        ends = centre.min() - far, centre.max() + far
        x = optimize.brentq(lambda x: float(special.ndtr((x - at) / spread).mean()) - q, *ends)
        return math.exp(x) if self.is_log else float(x)

    def _levels(self) -> list[Pooled]:
        """Return itself, and what it is crossed with."""
        return [self, *(self.mean._levels() if isinstance(self.mean, Pooled) else ())]  # noqa: SLF001

    def positive(self) -> Pooled:
        """Return itself when it is positive already."""
        if self.is_log:
            return self
        raise DoseOptError(
            "a pooled Normal cannot be cut at 0",
            hint="pool a LogNormal prior: its groups are positive",
        )

    def __str__(self) -> str:
        how = "centred" if self.centred else "non-centred"
        said = [f"mean ~ {self.mean}", f"tau ~ {self.tau}"]
        said += [f"tau of stratum {s} ~ {p}" for s, p in self.tau_of.items()]
        if self.strata:
            said.append(f"strata {', '.join(f'{k}: {v}' for k, v in self.strata.items())}")
        said.append(f"a new group {implied(self)}")
        if self.is_mixture:
            share = (
                f"~ {self.exchangeable_prior}" if self.exchangeable_prior
                else f"{self.exchangeable:g}"
            )  # fmt: skip
            own = "".join(f", {k} {v:g}" for k, v in self.exchangeable_of.items())
            said.append(f"exchangeable with probability {share}{own}, else ~ {self.apart}")
        if self.together:
            said.append(f"correlated with '{self.together}', LKJ({self.lkj:g})")
        return f"Pooled over {self.over} ({how}): " + "; ".join(said)


@lru_cache(maxsize=256)
def _nodes(prior: Any, n: int) -> np.ndarray:
    """Return quantiles in the middle of n equal parts of the probability."""
    return np.array([prior.quantile((i + 0.5) / n) for i in range(n)])
