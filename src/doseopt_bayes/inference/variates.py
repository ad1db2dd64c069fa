"""Errors of quasi-random importance sampling: what low-order polynomials explain is no error.

Scrambled Sobol points integrate smooth functions far better than independent draws do, so that the usual
error of importance sampling is several times too large for a mean. What a regression on polynomials of
the points explains is integrated all but exactly; the rest counts as if the points were independent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

__all__ = ["Variates", "variates_of"]

LEAST: Final = 4  # effective particles for each coefficient


@dataclass(frozen=True, eq=False)
class Variates:
    """Control variates that all trials share (Owen 2013, sections 8.9 and 9.10).

    Parameters
    ----------
    basis
        (particle, q): orthonormal columns.
    offset
        (q,): what is known of their sums over the particles less the sums' expectations.
    """

    basis: np.ndarray
    offset: np.ndarray

    def variance(self, scaled: np.ndarray, ess: np.ndarray) -> np.ndarray:
        """Variance of sums over particles of weight times distance from the mean.

        Parameters
        ----------
        scaled
            (..., particle, column).
        ess
            (...): effective number of particles, which pays for the q coefficients.

        Returns
        -------
        array
            (..., column): sum of the squared residuals, times ESS / (ESS - q), plus the square of the
            known error of the explained part. Where the ESS is less than 4 q nothing is explained.
        """
        along = self.basis.T @ scaled
        total = np.einsum("...pk,...pk->...k", scaled, scaled)
        rest = (total - (along**2).sum(axis=-2)).clip(min=0)
        enough, paid = (x[..., None] for x in self._freedom(ess))
        found: np.ndarray = np.where(enough, rest * paid + (self.offset @ along) ** 2, total)
        return found

    def covariance(self, scaled: np.ndarray, ess: np.ndarray) -> np.ndarray:
        """Covariance of the columns' sums, (..., column, column)."""
        along = self.basis.T @ scaled
        known = self.offset @ along
        total = scaled.swapaxes(-1, -2) @ scaled
        rest = total - along.swapaxes(-1, -2) @ along
        enough, paid = (x[..., None, None] for x in self._freedom(ess))
        explained = rest * paid + known[..., :, None] * known[..., None, :]
        found: np.ndarray = np.where(enough, explained, total)
        return found

    def _freedom(self, ess: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        q = self.basis.shape[1]
        enough = ess > LEAST * q
        return enough, ess / np.where(enough, ess - q, ess)


def variates_of(scores: np.ndarray, others: int) -> Variates:
    """Make control variates of quasi-random points.

    Parameters
    ----------
    scores
        (particle, size): normal scores of the points; their squares and themselves have known means.
    others
        Further particles, from the prior, of which only the number is known.
    """
    n, size = scores.shape
    columns = np.concatenate([np.ones((n, 1)), scores, scores**2 - 1], axis=1)
    orthonormal, triangle = np.linalg.qr(columns)
    expected = np.zeros(2 * size + 1)
    expected[0] = n
    offset = np.linalg.solve(triangle.T, columns.sum(axis=0) - expected)
    basis = np.zeros((n + others, 2 * size + 2))
    basis[:n, :-1] = orthonormal
    basis[n:, -1] = 1 / np.sqrt(max(others, 1))
    return Variates(basis, np.append(offset, 0.0))
