"""What Normal priors of a logistic curve imply for the probability at a dose, without sampling."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.special import expit, ndtri

from doseopt_bayes.errors import DoseOptError
from doseopt_bayes.models.joint import checked_doses
from doseopt_bayes.priors import Normal

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Curve", "beta_ess", "centred", "checked_curvature", "logit_normal"]

# The equally spaced sum over the whole line errs by about exp(-2 pi^2 / (sd * step)): below 1e-12 for
# standard deviations of log-odds to 80. Gauss-Hermite with 128 nodes keeps 3 digits at sd 5.
_Z: Final = np.linspace(-9.0, 9.0, 2001)
_WEIGHT: Final = np.exp(-(_Z**2) / 2) / np.exp(-(_Z**2) / 2).sum()


def logit_normal(mean: np.ndarray, sd: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of a probability whose log-odds are Normal.

    Parameters
    ----------
    mean, sd
        Of the log-odds; one shape (n,).

    Returns
    -------
    tuple of numpy.ndarray
        Shape (n,) each.

    Examples
    --------
    >>> mean, sd = logit_normal(np.array([0.0]), np.array([1.0]))
    >>> print(mean.round(4), sd.round(4))
    [0.5] [0.2083]
    """
    p = expit(mean[:, None] + sd[:, None] * _Z)
    centre = p @ _WEIGHT
    return centre, np.sqrt((p - centre[:, None]) ** 2 @ _WEIGHT)


def beta_ess(mean: np.ndarray, sd: np.ndarray) -> np.ndarray:
    """Effective sample size a + b of the Beta with this mean and standard deviation.

    Source: Thall et al. (2014), as in trialr's ``get_efftox_priors.R``, where it is written as
    a = (1 - m) (m / s)^2 - m and b = a (1 - m) / m.

    Examples
    --------
    >>> print(beta_ess(np.array([0.5]), np.array([0.5 / np.sqrt(3)])).round(6))  # uniform
    [2.]
    """
    # a curve that is certain has no finite size; the limits keep a minimiser's arithmetic finite
    size: np.ndarray = np.minimum(mean * (1 - mean) / np.maximum(sd**2, 1e-300) - 1, 1e9)
    return size


@dataclass(frozen=True)
class Curve:
    """Independent Normal priors of logit p = intercept + slope x + curvature x^2.

    Parameters
    ----------
    intercept, slope, curvature
        Their priors; ``None`` for no curvature.
    """

    intercept: Normal
    slope: Normal
    curvature: Normal | None = None

    def logit(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation of the log-odds at centred log doses `x`: Normal, exactly."""
        mean = self.intercept.mean + self.slope.mean * x
        variance = self.intercept.sd**2 + (self.slope.sd * x) ** 2
        if self.curvature is not None:
            mean = mean + self.curvature.mean * x**2
            variance = variance + (self.curvature.sd * x**2) ** 2
        return mean, np.sqrt(variance)

    def quantile(self, x: np.ndarray, q: float) -> np.ndarray:
        """Quantile of the probability at centred log doses `x`."""
        mean, sd = self.logit(x)
        p: np.ndarray = expit(mean + sd * ndtri(q))
        return p


def centred(doses: Sequence[float]) -> tuple[tuple[float, ...], np.ndarray]:
    """Return the doses ascending and x = log dose - mean log dose, as EffTox has it.

    Raises
    ------
    DoseOptError
        On doses that have no logarithm or are repeated.
    """
    ascending = checked_doses("EffTox", doses)
    log_dose = np.log(np.array(ascending))
    return ascending, log_dose - log_dose.mean()


def checked_curvature(prior: Normal) -> Normal:
    """Refuse a curvature that is not Normal on the whole line: log-odds would not be Normal.

    Raises
    ------
    DoseOptError
        On another kind of prior, or a truncated Normal.
    """
    if not isinstance(prior, Normal) or prior.lower is not None:
        raise DoseOptError(
            f"eff_curvature = {prior}: elicitation needs a Normal that is not truncated",
            hint="for example Normal(mean=0.0, sd=0.2), as published",
        )
    return prior
