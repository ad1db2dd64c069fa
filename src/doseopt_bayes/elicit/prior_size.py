"""How many patients a prior is worth: expected local-information ratio, and matched moments."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.special import betaln, expit, logsumexp

from doseopt_bayes.errors import DoseOptError
from doseopt_bayes.priors import Beta, Mixture, Normal

if TYPE_CHECKING:
    from doseopt_bayes.priors import Prior

__all__ = ["PriorSize", "effective_sample_size", "moments_of_probability"]

RARE: Final = 0.01  # probabilities below it, or above 1 less it, are called extreme
MUCH: Final = 0.2  # share of the size from extreme probabilities above which it is remarked on
APART: Final = 1.5  # ratio of the two sizes above which it is
EDGE: Final = math.log((1 - RARE) / RARE)


@dataclass(frozen=True)
class PriorSize:
    """Effective sample size of a prior, in patients.

    Parameters
    ----------
    elir
        Expected local-information ratio: how curved the log prior is, in units of what one patient
        tells, averaged over the prior.
    moments
        Size of the conjugate prior with the same mean and standard deviation.
    extreme
        Share of `elir` that comes from probabilities below 0.01 or above 0.99.
    says
        Of what response, in words.
    """

    elir: float
    moments: float
    extreme: float
    says: str

    def __str__(self) -> str:
        elir, moments = _patients(self.elir), _patients(self.moments)
        if math.isnan(self.elir):
            return (
                f"worth {moments} by matched moments, {self.says}; the expected "
                "local-information ratio has no value: components differ in how they rise towards "
                "probability 0 or 1"
            )
        said = (
            f"worth {elir} (expected local-information ratio; {moments} by matched moments), "
            f"{self.says}"
        )
        if self.extreme > MUCH and self.elir > APART * self.moments:
            said += (
                f"; {self.extreme:.0%} of the former comes from probabilities beyond {RARE:g} and "
                f"{1 - RARE:g}, where a patient tells little: the latter is the safer number"
            )
        return said


def effective_sample_size(prior: Prior, *, sd: float | None = None) -> PriorSize:
    """Return how many patients a prior is worth.

    Parameters
    ----------
    prior
        Of the log-odds of a response (Normal, or a mixture of Normals), or of its probability (Beta, or
        a mixture of Betas); not truncated.
    sd
        Standard deviation of one patient's response, where the response is a measurement and `prior` is
        that of its mean; ``None`` for a response that happens or not.

    Returns
    -------
    PriorSize
        Both sizes, exact to quadrature error (below 1e-6 of the number).

    Raises
    ------
    DoseOptError
        On a prior of another kind, and on an `sd` that is not positive.

    Notes
    -----
    Neuenschwander, Weber, Schmidli and O'Hagan (2020), Biometrics 76, 578-587: ELIR is the mean over the
    prior of ``-d^2 log prior / d theta^2`` over Fisher's information of one patient. It is taken on the
    scale of the log-odds, where that information is p (1 - p): there a Beta(a, b) is worth a + b
    exactly, whatever a and b are (on the scale of p the integral has no value below 1). Matched moments:
    the Beta with the mean and standard deviation of p, or (sd / standard deviation of the prior)^2.

    Examples
    --------
    >>> round(effective_sample_size(Beta(events=4, others=12)).elir, 9)
    16.0
    >>> print(effective_sample_size(Normal(0.0, 2.0), sd=10.0).elir)
    25.0
    """
    parts = _parts(prior)
    if sd is not None:
        if parts.beta:
            raise DoseOptError(
                "effective_sample_size: sd is that of a measurement, the prior is of a probability",
                hint="leave out sd",
            )
        if not (math.isfinite(sd) and sd > 0):
            raise DoseOptError(f"effective_sample_size: sd = {sd!r} must be > 0")
        elir = sd**2 * float(parts.nodes[1] @ parts.ratio(unit=True))
        says = f"each a measurement with standard deviation {sd:g}"
        return PriorSize(elir, sd**2 / parts.mixture.sd**2, 0.0, says)
    says = "each with a response or none"
    mean, spread = moments_of_probability(prior)
    moments = mean * (1 - mean) / spread**2 - 1
    if not parts.has_elir:
        return PriorSize(math.nan, moments, math.nan, says)
    each = parts.nodes[1] * parts.ratio()
    total = float(each.sum())
    extreme = float(each[np.abs(parts.nodes[0]) > EDGE].sum()) / total
    return PriorSize(total, moments, extreme, says)


def moments_of_probability(prior: Prior) -> tuple[float, float]:
    """Return mean and standard deviation of the probability that a prior implies.

    Parameters
    ----------
    prior
        As for :func:`effective_sample_size`.
    """
    parts = _parts(prior)
    if parts.beta:
        return parts.mixture.mean, parts.mixture.sd
    p = expit(parts.nodes[0])
    mean = parts.expect(p)
    return mean, math.sqrt(parts.expect((p - mean) ** 2))


@dataclass(frozen=True, eq=False)
class _Parts:
    """A mixture on the scale of the log-odds (or of the mean of a measurement), and its derivatives."""

    mixture: Mixture
    w: np.ndarray
    a: np.ndarray
    b: np.ndarray
    beta: bool

    @cached_property
    def nodes(self) -> tuple[np.ndarray, np.ndarray]:
        """Points and weights: ten of Gauss and Legendre in each half of a standard deviation."""
        steps, tail = np.arange(-12.0, 12.5, 0.5), np.arange(0.0, 45.5, 0.5)
        marks = [np.array([-EDGE, EDGE])]
        for a, b in zip(self.a, self.b, strict=True):
            if self.beta:  # exponential tails, of the rates a and b
                centre, spread = math.log(a / b), math.sqrt(1 / a + 1 / b)
                marks += [centre + spread * steps, centre - tail / a, centre + tail / b]
                marks.append(np.arange(-40.0, 41.0))
            else:  # one patient's information falls like exp(-|x|): the peaks move by the variance
                marks += [a + shift + b * steps for shift in (-(b**2), 0.0, b**2)]
        ends = np.unique(np.concatenate(marks))
        point, weight = np.polynomial.legendre.leggauss(10)
        half, middle = np.diff(ends) / 2, (ends[1:] + ends[:-1]) / 2
        x = middle[:, None] + half[:, None] * point
        return x.ravel(), (half[:, None] * weight).ravel()

    @cached_property
    def log_parts(self) -> np.ndarray:
        """Log of weight times density at each node (node, component)."""
        x = self.nodes[0][:, None]
        if self.beta:
            n = self.a + self.b
            log = self.a * x - n * np.logaddexp(0.0, x) - betaln(self.a, self.b)
        else:
            log = -0.5 * ((x - self.a) / self.b) ** 2 - np.log(self.b * math.sqrt(2 * math.pi))
        found: np.ndarray = np.log(self.w) + log
        return found

    def expect(self, values: np.ndarray) -> float:
        """Mean of a function that is given at the nodes."""
        return float((self.nodes[1] * np.exp(logsumexp(self.log_parts, axis=1))) @ values)

    def ratio(self, *, unit: bool = False) -> np.ndarray:
        """Local information times density at each node, over that of one patient (`unit`: over 1).

        The information of a mixture is the mean of that of its parts, less the variance between their
        slopes, both under the probability of each part given the place.
        """
        x = self.nodes[0][:, None]
        log_density = logsumexp(self.log_parts, axis=1)
        share = np.exp(self.log_parts - log_density[:, None])
        size = np.abs(x[:, 0])
        log_inverse = np.zeros(size.size) if unit else size + 2 * np.log1p(np.exp(-size))
        if self.beta:
            n = self.a + self.b
            slope, own = self.a - n * expit(x), np.exp(log_density) * (share @ n)
        else:
            slope = (self.a - x) / self.b**2
            own = np.exp(log_density + log_inverse) * (share @ self.b**-2)
        between = (share * (slope - (share * slope).sum(1, keepdims=True)) ** 2).sum(1)
        with np.errstate(divide="ignore"):
            found: np.ndarray = own - np.exp(np.log(between) + log_density + log_inverse)
        return found

    @property
    def has_elir(self) -> bool:
        """Whether the integral has a value: not when two parts put mass near 0 (or 1) unequally."""
        return not self.beta or all(
            np.unique(rate).size == 1 or np.unique(rate)[1] > 1 for rate in (self.a, self.b)
        )


def _patients(size: float) -> str:
    return f"{size:,.0f} patients" if size >= 1000 else f"{size:.3g} patients"


def _parts(prior: Prior) -> _Parts:
    if isinstance(prior, Mixture) and prior.lower is None:
        mixture = prior
    elif isinstance(prior, Beta) or (isinstance(prior, Normal) and prior.lower is None):
        mixture = Mixture((1.0,), (prior,))
    else:
        raise DoseOptError(
            f"effective_sample_size: {prior} has none here",
            hint="a Normal (of log-odds), a Beta (of a probability), or a mixture of either",
        )
    beta = mixture.of_probability
    pair = ("events", "others") if beta else ("mean", "sd")
    a, b = (np.array([getattr(c, part) for c in mixture.components], float) for part in pair)
    w = np.array(mixture.weights)
    return _Parts(mixture, w / w.sum(), a, b, beta)
