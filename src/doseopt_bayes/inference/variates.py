"""Errors of quasi-random importance sampling: what low-order polynomials explain is no error.

Scrambled Sobol points integrate smooth functions far better than independent draws do, so that the usual
error of importance sampling is several times too large for a mean. What a regression on polynomials of
the points explains is integrated all but exactly; the rest counts as if the points were independent.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["Variates", "variates_of"]


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

    def variance(self, scaled: np.ndarray) -> np.ndarray:
        """Variance of sums over particles of weight times distance from the mean.

        Parameters
        ----------
        scaled
            (..., particle, column).

        Returns
        -------
        array
            (..., column): sum of the squared residuals, corrected for q of n degrees of freedom, plus the
            square of the known error of the explained part.
        """
        along = self.basis.T @ scaled
        rest = np.einsum("...pk,...pk->...k", scaled, scaled) - (along**2).sum(axis=-2)
        found: np.ndarray = rest.clip(min=0) * self._freedom + (self.offset @ along) ** 2
        return found

    def covariance(self, scaled: np.ndarray) -> np.ndarray:
        """Covariance of the columns' sums, (..., column, column)."""
        along = self.basis.T @ scaled
        known = self.offset @ along
        rest = scaled.swapaxes(-1, -2) @ scaled - along.swapaxes(-1, -2) @ along
        found: np.ndarray = rest * self._freedom + known[..., :, None] * known[..., None, :]
        return found

    @property
    def _freedom(self) -> float:
        n, q = self.basis.shape
        return float(n / (n - q))


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
