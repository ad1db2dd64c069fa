"""Pareto k-hat of importance weights, for thousands of posteriors at once."""

from __future__ import annotations

import math

import numpy as np

__all__ = ["khat_limit", "pareto_khat"]


def pareto_khat(weights: np.ndarray) -> np.ndarray:
    """Shape of the upper tail of each row of weights.

    Parameters
    ----------
    weights
        (posterior, particle): >= 0, each row with a positive sum; scale does not matter.

    Returns
    -------
    numpy.ndarray
        (posterior,): k-hat of the largest min(n / 5, 3 sqrt(n)) weights; -inf when they are all equal.

    Notes
    -----
    Generalised Pareto fit of Zhang and Stephens (2009) with the weak prior of Vehtari et al. (2024), as
    in ``arviz_stats``, which takes one vector at a time. Above 0.7 the weights cannot be trusted.

    Examples
    --------
    >>> u = (np.arange(1000) + 0.5) / 1000
    >>> pareto_khat(np.stack([u**-0.2, u**-0.9])).round(1).tolist()
    [0.2, 0.8]
    """
    n = weights.shape[1]
    tail = math.floor(min(n / 5, 3 * math.sqrt(n)))
    ordered = np.sort(np.partition(weights, n - tail - 1, axis=1)[:, n - tail - 1 :], axis=1)
    # on the scale of the largest weight, above the largest weight outside the tail
    scaled = ordered / ordered[:, -1:]
    excess = scaled[:, 1:] - scaled[:, :1]
    flat = excess[:, 0] <= 0  # equal weights at the cutoff: fit what rises above them
    excess = np.maximum(excess, np.finfo(float).tiny)
    count = 30 + int(math.sqrt(tail))
    quartile = excess[:, int(tail / 4 + 0.5) - 1]
    grid = 1 - np.sqrt(count / (np.arange(1, count + 1) - 0.5))
    b = grid / (3 * quartile[:, None]) + 1 / excess[:, -1:]
    k = np.stack([np.log1p(-b[:, [i]] * excess).mean(axis=1) for i in range(count)], axis=1)
    profile = tail * (np.log(-b / k) - k - 1)
    share = np.exp(profile - profile.max(axis=1, keepdims=True))
    best = (b * share).sum(axis=1) / share.sum(axis=1)
    found = np.log1p(-best[:, None] * excess).mean(axis=1)
    found = (found * tail + 5) / (tail + 10)
    constant = ordered[:, -1] <= ordered[:, 0]
    khat: np.ndarray = np.where(
        constant, -np.inf, np.where(flat & ~np.isfinite(found), np.inf, found)
    )
    return khat


def khat_limit(particles: int) -> float:
    """Highest k-hat at which weights of so many particles are trusted (Vehtari et al. 2024).

    Examples
    --------
    >>> round(khat_limit(1024), 3), khat_limit(4096)
    (0.668, 0.7)
    """
    return min(0.7, 1 - 1 / math.log10(particles))
