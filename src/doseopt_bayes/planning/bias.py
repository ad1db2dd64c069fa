"""The chosen arm looks better than it is: rates shrunk towards the mean of the arms."""

from __future__ import annotations

import numpy as np

__all__ = ["shrunk_rates"]


def shrunk_rates(events: np.ndarray, n: np.ndarray) -> np.ndarray:
    """Shrink the observed rates of the arms of a trial towards their mean.

    Parameters
    ----------
    events, n
        Events and patients, (..., arm); two arms or more.

    Returns
    -------
    numpy.ndarray
        (..., arm): mean + share x (rate - mean). The share is tau2 / (tau2 + v), with v the mean
        binomial variance of a rate at the common rate, and tau2 the variance between arms beyond it,
        0 at the least.

    Notes
    -----
    Moments of the beta-binomial model (Efron and Morris 1975 for the idea). Where the arms are alike
    the chosen one's rate becomes the common one and selection no longer biases it; where they differ
    much it is left nearly alone. It is not unbiased in between: a plan shows both biases.

    Examples
    --------
    >>> shrunk_rates(np.array([10, 12]), np.array([40, 40])).round(3).tolist()
    [0.275, 0.275]
    >>> shrunk_rates(np.array([5, 30]), np.array([40, 40])).round(3).tolist()
    [0.135, 0.74]
    """
    rate = events / n
    common = events.sum(-1, keepdims=True) / n.sum(-1, keepdims=True)
    noise = (common * (1 - common) / n).mean(-1, keepdims=True)
    between = np.maximum(0.0, rate.var(-1, ddof=1, keepdims=True) - noise)
    total = between + noise
    share = np.divide(between, total, out=np.zeros_like(total), where=total > 0)
    found: np.ndarray = common + share * (rate - common)
    return found
