"""A weighted mixture of priors of one kind: what past trials say, and what if they do not apply."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from scipy.optimize import brentq
from scipy.stats import norm

from doseopt_bayes.errors import DoseOptError
from doseopt_bayes.priors.plain import Beta, Normal, implied

if TYPE_CHECKING:
    from collections.abc import Sequence

    from doseopt_bayes.priors.plain import Prior

__all__ = ["COMPONENTS", "Component", "Mixture"]

Tensor = Any  # a pytensor variable
Component = Normal | Beta
SUM: Final = 1e-6  # by which printed weights may miss 1


@dataclass(frozen=True)
class Mixture:
    """Weighted mixture of Normal priors, or of Beta priors of a probability.

    Parameters
    ----------
    weights
        Weight of each component, > 0; they sum to 1.
    components
        One to ten priors of one kind: Normal (not truncated) or Beta.
    lower
        Smallest possible value of a mixture of Normals; ``None`` for none.

    Raises
    ------
    DoseOptError
        On weights that do not sum to 1, and components of two kinds.

    Examples
    --------
    >>> prior = Mixture((0.8, 0.2), (Normal(-1.1, 0.5), Normal(0.0, 2.0)))
    >>> print(prior)
    Mixture(0.8 x mean -1.1, sd 0.5; 0.2 x mean 0, sd 2), 95 % within -2.45 to 2.3
    >>> round(prior.cdf(prior.quantile(0.1)), 12)
    0.1
    >>> print(prior.positive())
    Mixture(0.8 x mean -1.1, sd 0.5; 0.2 x mean 0, sd 2, truncated below 0), 95 % within 0.0299 to 4.4
    """

    weights: tuple[float, ...]
    components: tuple[Component, ...]
    lower: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "weights", tuple(map(float, self.weights)))
        object.__setattr__(self, "components", tuple(self.components))
        kinds = {type(c) for c in self.components}
        if not 1 <= len(self.components) <= 10 or len(self.weights) != len(self.components):
            raise DoseOptError(
                f"Mixture: {len(self.weights)} weights for {len(self.components)} components",
                hint="one to ten components, each with its weight",
            )
        if not all(math.isfinite(w) and w > 0 for w in self.weights):
            raise DoseOptError(f"Mixture: weights = {self.weights} must be > 0")
        if abs(sum(self.weights) - 1) > SUM:
            raise DoseOptError(
                f"Mixture: the weights {self.weights} sum to {sum(self.weights):g}",
                hint="weights are probabilities: they sum to 1",
            )
        if kinds not in ({Normal}, {Beta}):
            found = ", ".join(sorted(k.__name__ for k in kinds))
            raise DoseOptError(
                f"Mixture: the components are {found}",
                hint="all of them Normal, or all of them Beta",
            )
        if any(getattr(c, "lower", None) is not None for c in self.components):
            raise DoseOptError(
                "Mixture: a component is truncated", hint="truncate the mixture: lower=..."
            )
        if self.lower is not None and (kinds == {Beta} or not math.isfinite(self.lower)):
            raise DoseOptError(
                f"Mixture: lower = {self.lower!r}", hint="a number, for a mixture of Normals alone"
            )

    @property
    def of_probability(self) -> bool:
        """Whether it is a prior of a probability (Beta components)."""
        return isinstance(self.components[0], Beta)

    @cached_property
    def _numbers(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Weights that hold above `lower` and sum to 1, and the two numbers of each component."""
        pair = ("events", "others") if self.of_probability else ("mean", "sd")
        a, b = (np.array([float(getattr(c, part)) for c in self.components]) for part in pair)
        w = np.array(self.weights)
        if self.lower is not None:
            w = w * norm.sf(self.lower, a, b)
        if not w.sum() > 0:
            raise DoseOptError(f"Mixture: no component has any mass above {self.lower:g}")
        return w / w.sum(), a, b

    @property
    def _ends(self) -> list[Component]:
        """Return the components, each cut at `lower`."""
        return [
            replace(c, lower=self.lower) if isinstance(c, Normal) else c for c in self.components
        ]

    def build(self, name: str, dims: Sequence[str] = ()) -> Tensor:
        """Register the parameter in the open PyMC model; truncation is that of each part."""
        import pymc as pm  # noqa: PLC0415

        w, a, b = self._numbers
        if w.size == 1:
            return self._ends[0].build(name, dims)
        if self.of_probability:
            return pm.Mixture(name, w=w, comp_dists=pm.Beta.dist(alpha=a, beta=b), dims=tuple(dims))
        if self.lower is None:
            return pm.NormalMixture(name, w=w, mu=a, sigma=b, dims=tuple(dims))
        parts = [
            pm.TruncatedNormal.dist(mu=m, sigma=s, lower=self.lower)
            for m, s in zip(a, b, strict=True)
        ]
        return pm.Mixture(name, w=w, comp_dists=parts, dims=tuple(dims))

    def cdf(self, x: float) -> float:
        """Probability of a value up to `x`."""
        w, a, b = self._numbers
        if self.of_probability:
            from scipy.stats import beta  # noqa: PLC0415  (Normals need no more than `norm`)

            return float(w @ beta.cdf(x, a, b))
        if self.lower is None:
            return float(w @ norm.cdf(x, a, b))
        if x <= self.lower:
            return 0.0
        return float(w @ (1 - norm.sf(x, a, b) / norm.sf(self.lower, a, b)))

    def quantile(self, q: float) -> float:
        """Quantile of the prior: the root of its exact distribution function."""
        ends = [
            replace(c, lower=self.lower) if isinstance(c, Normal) else c for c in self.components
        ]
        each = [c.quantile(q) for c in ends]
        low, high = min(each), max(each)
        if self.cdf(low) >= q or self.cdf(high) <= q:  # equal components, or 0 and 1
            return low if self.cdf(low) >= q else high
        return float(brentq(lambda x: self.cdf(x) - q, low, high, xtol=1e-13, rtol=1e-13))

    @property
    def mean(self) -> float:
        """Mean of a mixture that is not truncated."""
        w, centre, _ = self._moments
        return float(w @ centre)

    @property
    def sd(self) -> float:
        """Standard deviation of a mixture that is not truncated."""
        w, centre, spread = self._moments
        return math.sqrt(float(w @ (spread**2 + (centre - self.mean) ** 2)))

    @property
    def _moments(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Weights, means and standard deviations of the components."""
        if self.lower is not None:
            raise DoseOptError("Mixture: moments are those of a mixture that is not truncated")
        w, a, b = self._numbers
        if not self.of_probability:
            return w, a, b
        p = a / (a + b)
        return w, p, np.sqrt(p * (1 - p) / (a + b + 1))

    def positive(self) -> Prior:
        """Return the same prior truncated below 0; a probability is positive already."""
        if self.of_probability:
            return self
        return replace(self, lower=max(0.0, self.lower or 0.0))

    def __str__(self) -> str:
        parts = [
            f"{w:.3g} x {c.events:g} events, {c.others:g} others"
            if isinstance(c, Beta)
            else f"{w:.3g} x mean {c.mean:g}, sd {c.sd:g}"
            for w, c in zip(self.weights, self.components, strict=True)
        ]
        cut = "" if self.lower is None else f", truncated below {self.lower:g}"
        return f"Mixture({'; '.join(parts)}{cut}), {implied(self)}"


COMPONENTS: Final[dict[str, type]] = {"normal": Normal, "beta": Beta}
"""Components of a mixture by the name that a specification file uses."""
