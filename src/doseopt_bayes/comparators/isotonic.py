"""Isotonic estimates of toxicity, and the dose at their end that lies closest to the target."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import beta

__all__ = ["IsotonicMTD", "isotonic"]

TIE = 1e-10  # of Liu and Yuan's software: estimates that are equal rise by so much with each dose


def isotonic(estimate: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Weighted isotonic regression of many rows: the rising values closest to each row.

    Parameters
    ----------
    estimate
        (row, place).
    weight
        (row, place), >= 0; a place of weight 0 takes no part (its value is of its neighbours).

    Returns
    -------
    numpy.ndarray
        (row, place): max over the first place <= j of min over the last place >= j of the weighted
        mean between them (Robertson, Wright and Dykstra 1988).

    Examples
    --------
    >>> isotonic(np.array([[0.1, 0.3, 0.2]]), np.ones((1, 3))).round(3).tolist()
    [[0.1, 0.25, 0.25]]
    """
    rows, places = estimate.shape
    total = np.concatenate([np.zeros((rows, 1)), np.cumsum(weight, axis=1)], axis=1)
    summed = np.concatenate([np.zeros((rows, 1)), np.cumsum(weight * estimate, axis=1)], axis=1)
    found = np.full((rows, places), -np.inf)
    for first in range(places):
        lowest = np.full(rows, np.inf)
        for last in range(places - 1, first - 1, -1):
            size = total[:, last + 1] - total[:, first]
            with np.errstate(divide="ignore", invalid="ignore"):
                mean = (summed[:, last + 1] - summed[:, first]) / size
            lowest = np.fmin(lowest, np.where(size > 0, mean, np.inf))
            value = np.where(np.isfinite(lowest), lowest, -np.inf)
            found[:, last] = np.maximum(found[:, last], value)
    return found


@dataclass(frozen=True)
class IsotonicMTD:
    """The tried dose, not eliminated, whose isotonic estimate of toxicity lies closest to the target.

    Parameters
    ----------
    target
        Target probability of toxicity.
    prior
        Toxic and all other prior patients of each dose (Liu and Yuan 2015: 0.05 each).
    below
        When given, the estimate of the selected dose must lie below it (``boundMTD`` of the R package
        BOIN: the de-escalation boundary).

    Notes
    -----
    Estimates (y + a) / (n + a + b), weighted by the inverse of their Beta variances; equal ones rise by
    1e-10 with each dose, so that of doses with one estimate the lower wins above the target and the
    higher below it, as in the R package BOIN (select.mtd).
    """

    target: float
    prior: tuple[float, float] = (0.05, 0.05)
    below: float | None = None

    def estimates(self, n: np.ndarray, tox: np.ndarray, fine: np.ndarray) -> np.ndarray:
        """Return the isotonic estimates (state, dose) of tried doses that are `fine`; NaN elsewhere."""
        a, b = self.prior
        used = (n > 0) & fine
        size = n + a + b
        p = (tox + a) / size
        precision = np.where(used, 1 / beta.var(tox + a, n - tox + b), 0.0)
        rising = isotonic(np.where(used, p, 0.0), precision)
        found: np.ndarray = np.where(used, rising + TIE * np.cumsum(used, axis=1), np.nan)
        return found

    def __call__(self, n: np.ndarray, tox: np.ndarray, fine: np.ndarray) -> np.ndarray:
        """Return the position of the selected dose of each state, -1 for none.

        Parameters
        ----------
        n, tox
            Patients, and those with toxicity: (state, dose).
        fine
            Doses that are not eliminated: (state, dose).
        """
        p = self.estimates(n, tox, fine)
        apart = np.abs(p - self.target)
        if self.below is not None:
            apart = np.where(p < self.below, apart, np.nan)
        none = np.isnan(apart).all(axis=1)
        best = np.where(np.isnan(apart), np.inf, apart).argmin(axis=1)
        found: np.ndarray = np.where(none, -1, best)
        return found

    def __str__(self) -> str:
        a, b = self.prior
        bound = "" if self.below is None else f" and below {self.below:.4g}"
        return (
            f"the tried dose, not eliminated, whose isotonic estimate of toxicity (prior {a:g} toxic and "
            f"{b:g} other patients) is closest to {self.target:g}{bound}"
        )
