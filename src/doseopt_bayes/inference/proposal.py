"""What particles are drawn from: a multivariate t with a side of its own in each direction."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.special import gammainccinv, ndtri
from scipy.stats import qmc

__all__ = ["SplitT", "StandardT", "matched", "standard_t"]

DF: Final = 8.0  # tails heavier than a posterior's under Normal priors, lighter than wasteful
EDGE: Final = 1e-12  # quasi-random numbers stay so far from 0 and 1
SKEWED: Final = 10.0  # largest ratio between a side and its direction's spread


@dataclass(frozen=True, eq=False)
class StandardT:
    """Quasi-random draws of a standard multivariate t, common to all trials.

    Parameters
    ----------
    t
        (particle, size).
    up
        (particle, size): 1 where a draw lies above 0, else 0.
    log_density
        (particle,).
    scores
        (particle, size): normal scores of the points that the draws were made from.
    """

    t: np.ndarray
    up: np.ndarray
    log_density: np.ndarray
    scores: np.ndarray


def standard_t(n: int, size: int, seed: int) -> StandardT:
    """Draw from the standard multivariate t with 8 degrees of freedom, by a scrambled Sobol sequence.

    Examples
    --------
    >>> standard_t(1024, 2, seed=1).t.std(axis=0).round(1).tolist()
    [1.2, 1.2]
    """
    sobol = qmc.Sobol(size + 1, rng=np.random.default_rng(seed))
    u = sobol.random_base2(max(0, (n - 1).bit_length()))[:n].clip(EDGE, 1 - EDGE)
    chi2 = 2 * gammainccinv(DF / 2, u[:, size])
    scores = ndtri(u[:, :size])
    t = scores * np.sqrt(DF / chi2)[:, None]
    return StandardT(t, (t > 0).astype(float), _log_t((t**2).sum(axis=1), size), scores)


def _log_t(distance: np.ndarray, size: int) -> np.ndarray:
    """Log density of the standard t at a squared distance from its centre."""
    norm = math.lgamma((DF + size) / 2) - math.lgamma(DF / 2) - size / 2 * math.log(DF * math.pi)
    found: np.ndarray = norm - (DF + size) / 2 * np.log1p(distance / DF)
    return found


@dataclass(frozen=True, eq=False)
class SplitT:
    """A split t for each trial: in each direction it may reach further on one side (Geweke 1989).

    Parameters
    ----------
    centre
        (trial, size): half of the draws lie on either side of it, in each direction.
    root
        (trial, size, size): its columns are the directions, scaled.
    sides
        (trial, 2, size): factor of each direction below and above the centre.
    """

    centre: np.ndarray
    root: np.ndarray
    sides: np.ndarray

    def draw(self, standard: StandardT) -> np.ndarray:
        """Move the common draws to each trial: (trial, particle, size)."""
        below, above = self.sides[:, :1], self.sides[:, 1:]
        scaled = standard.t * np.where(standard.up > 0, above, below)
        found: np.ndarray = self.centre[:, None] + scaled @ self.root.swapaxes(1, 2)
        return found

    def log_density_drawn(self, standard: StandardT) -> np.ndarray:
        """Log density at the draws that :meth:`draw` made: (trial, particle)."""
        below, above = np.log(self.sides)[:, 0], np.log(self.sides)[:, 1]
        stretch = (standard.up @ (above - below)[..., None])[..., 0] + below.sum(1, keepdims=True)
        found: np.ndarray = standard.log_density - stretch - self._log_volume
        return found

    def log_density(self, z: np.ndarray) -> np.ndarray:
        """Log density at particles (particle, size) that all trials share: (trial, particle)."""
        x = (z - self.centre[:, None]) @ np.linalg.inv(self.root).swapaxes(1, 2)
        side = np.where(x > 0, self.sides[:, 1:], self.sides[:, :1])
        stretch = np.log(side).sum(axis=2)
        inside = _log_t(((x / side) ** 2).sum(axis=2), z.shape[1])
        found: np.ndarray = inside - stretch - self._log_volume
        return found

    @property
    def _log_volume(self) -> np.ndarray:
        found: np.ndarray = np.linalg.slogdet(self.root)[1][:, None]
        return found


def matched(
    z: np.ndarray, weight: np.ndarray, ess: np.ndarray, mode: np.ndarray, spread: np.ndarray
) -> SplitT:
    """Fit a split t to weighted particles, as far as their effective sample size reaches.

    Parameters
    ----------
    z, weight
        (trial, particle, size) and (trial, particle), the latter of sum 1.
    ess
        (trial,): effective sample size of the weights.
    mode, spread
        (trial, size) and (trial, size, size): what holds when the weights say nothing.

    Returns
    -------
    SplitT
        Directions: principal axes of the weighted covariance. Centre: weighted median along each.
        Sides: root mean square distance from it, below and above.
    """
    trust = (ess / (ess + 2 * mode.shape[1]))[:, None]
    mean = np.einsum("tp,tpk->tk", weight, z)
    centred = z - mean[:, None]
    cov = (centred * weight[..., None]).swapaxes(1, 2) @ centred
    mean = trust * mean + (1 - trust) * mode
    cov = trust[..., None] * cov + (1 - trust[..., None]) * spread
    values, axes = np.linalg.eigh(cov)
    x = (z - mean[:, None]) @ (axes / np.sqrt(values)[:, None])
    order = np.argsort(x, axis=1)
    reached = np.take_along_axis(weight[..., None], order, axis=1).cumsum(axis=1)
    middle = np.take_along_axis(order, (reached < 0.5).sum(axis=1, keepdims=True), axis=1)
    median = np.take_along_axis(x, middle, axis=1)
    away = x - median
    sides = []
    for side in (away <= 0, away > 0):
        held = weight[..., None] * side
        square = (held * away**2).sum(axis=1) / (held.sum(axis=1) + EDGE)
        sides.append(np.sqrt(square).clip(1 / SKEWED, SKEWED) ** trust)
    root = axes * np.sqrt(values)[:, None]  # of a t: its spread is a little wider, as it should be
    moved = mean + (root @ median.swapaxes(1, 2))[..., 0]
    return SplitT(moved, root, np.stack(sides, axis=1))
