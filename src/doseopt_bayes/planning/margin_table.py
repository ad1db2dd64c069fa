"""The probability of a margin by events at the lower and the higher arm, by quadrature."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.stats import beta

if TYPE_CHECKING:
    from doseopt_bayes.arms.margin import Margin

__all__ = ["within_table"]

NODES: Final = 128


@lru_cache(maxsize=64)
def within_table(margin: Margin, n: int, prior: float, n_high: int | None = None) -> np.ndarray:
    """Pr(margin holds) by events at the low and at the high arm: (n + 1, n_high + 1).

    Parameters
    ----------
    margin
        On one endpoint that is counted.
    n, n_high
        Patients of the lower and of the higher arm; of both when the second is not given.
    prior
        Events, and others, of the Beta prior of each rate.

    Notes
    -----
    Gauss-Legendre quadrature over the higher arm's rate, in the angle whose squared sine it is, so
    that densities with a pole at 0 or 1 stay smooth; parted where the lower arm's bound leaves 0..1.
    """
    above = margin.better == "higher"
    if margin.of == "difference":
        shift, factor = (-margin.at_most if above else margin.at_most), 1.0
    else:
        shift, factor = 0.0, (1 / margin.at_most if above else margin.at_most)
    kinks = [x for x in ((0 - shift) / factor, (1 - shift) / factor) if 0 < x < 1]
    ends = np.arcsin(np.sqrt([0.0, *sorted(kinks), 1.0]))
    at, weight = np.polynomial.legendre.leggauss(NODES)
    half = np.diff(ends)[:, None] / 2
    angle = (ends[:-1, None] + half * (at + 1)).ravel()
    x = np.sin(angle) ** 2
    density = beta.pdf(x, *_shapes(n if n_high is None else n_high, prior)) * np.sin(2 * angle)
    density = density * (half * weight).ravel()
    bound = (shift + factor * x).clip(0, 1)
    shapes = _shapes(n, prior)
    tail = beta.sf(bound, *shapes) if above else beta.cdf(bound, *shapes)
    table: np.ndarray = tail @ density.T
    return table


def _shapes(n: int, prior: float) -> tuple[np.ndarray, np.ndarray]:
    events = np.arange(n + 1)[:, None]
    return prior + events, prior + n - events
