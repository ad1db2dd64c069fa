"""Probability of several margins at once for counts of outcomes: its bounds, and common draws."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from doseopt_bayes.arms.margin import Margin

__all__ = ["frechet", "joint_within"]

SEED: Final = 20251121  # of the common draws: the rule is one rule, whatever trial it is used in
CHUNK: Final = 64  # pairs at once, so that their draws stay near the processor


def frechet(single: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the lowest and highest probability of several events at once that their own leave.

    Parameters
    ----------
    single
        Probability of each event, (event, ...).

    Examples
    --------
    >>> low, high = frechet(np.array([0.8, 0.9]))
    >>> round(float(low), 3), float(high)
    (0.7, 0.8)
    """
    low = np.maximum(0.0, single.sum(0) - (len(single) - 1))
    high: np.ndarray = single.min(0)
    return low, high


def joint_within(
    margins: Sequence[Margin],
    places: Sequence[tuple[int, int]],
    low: np.ndarray,
    high: np.ndarray,
    *,
    patients: float,
    draws: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the posterior probability that all margins hold at once, with its Monte Carlo error.

    Parameters
    ----------
    margins
        On endpoints that are sums of cells.
    places
        Of each margin: the two cells in which its endpoint is an event.
    low, high
        Whole numbers of patients in each cell of the lower and the higher arm, (pair, cell).
    patients
        Prior patients of each arm, spread evenly over the cells.
    draws
        Draws of each Dirichlet posterior.

    Returns
    -------
    tuple of numpy.ndarray
        Probability and error, (pair,). Two endpoints of the same patients depend on each other in each
        arm, by the cells; the arms are independent.

    Notes
    -----
    A Gamma(k + a) variate is a Gamma(a) and the sum of k exponentials: one table of cumulated sums
    gives every Dirichlet posterior exactly, from the same random numbers, by looking up its counts.
    """
    pairs, back = np.unique(np.concatenate([low, high], axis=1), axis=0, return_inverse=True)
    back = back.ravel()
    cells = low.shape[1]
    table = _gammas(int(pairs.max(initial=0)), cells, patients / cells, draws)
    p = np.empty(len(pairs))
    for start in range(0, len(pairs), CHUNK):
        block = pairs[start : start + CHUNK]
        held = np.ones((len(block), draws), dtype=bool)
        arms = []
        for side in range(2):
            counts = block[:, side * cells : (side + 1) * cells]
            x = [table[side, c, counts[:, c]] for c in range(cells)]
            arms.append((x, sum(x)))
        for m, (first, second) in zip(margins, places, strict=True):
            one, two = ((x[first] + x[second]) / total for x, total in arms)
            worse, other = (two, one) if m.better == "higher" else (one, two)
            limit = other + m.at_most if m.of == "difference" else other * m.at_most
            held &= worse < limit
        p[start : start + CHUNK] = held.mean(-1)
    smooth = (p * draws + 0.5) / (draws + 1)  # an event in no draw is rare, not impossible
    mcse = np.sqrt(smooth * (1 - smooth) / draws)
    return p[back], mcse[back]


@lru_cache(maxsize=8)
def _gammas(most: int, cells: int, shape: float, draws: int) -> np.ndarray:
    """Gamma variates of each arm, cell and count up to `most`: (2, cell, count, draw)."""
    # a stream of its own for each arm and cell, so that a larger trial keeps the draws of a smaller one
    found = np.empty((2, cells, most + 1, draws), dtype=np.float32)
    for i, seed in enumerate(np.random.SeedSequence(SEED).spawn(2 * cells)):
        rng = np.random.default_rng(seed)
        first = rng.standard_gamma(shape, size=(1, draws))
        steps = rng.standard_exponential(size=(most, draws))
        found[i // cells, i % cells] = np.concatenate([first, steps]).cumsum(axis=0)
    return found
