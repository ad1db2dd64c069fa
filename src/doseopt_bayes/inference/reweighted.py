"""A posterior under importance weights, with the Monte Carlo errors that these weights leave."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import xarray as xr

from doseopt_bayes.errors import DoseOptError
from doseopt_bayes.inference.posterior import Posterior

__all__ = ["Reweighted", "reweighted"]

FEW: Final = 10  # draws with an event, or without it, below which their spread says too little


@dataclass(frozen=True, eq=False)
class Reweighted(Posterior):
    """The same draws under importance weights; whatever reads a posterior reads this one.

    Parameters
    ----------
    weight
        Over the sample dims, sum 1.
    """

    weight: xr.DataArray = field(kw_only=True)

    def expect(self, x: xr.DataArray) -> xr.DataArray:
        """Weighted mean of `x`."""
        return (x * self.weight).sum(self.sample_dims, skipna=False)

    def quantile(self, x: xr.DataArray, q: float) -> xr.DataArray:
        """Smallest draw of `x` at which the weights of the draws up to it reach `q`."""
        return self._at(x, xr.full_like(self.expect(x), q))

    def _at(self, x: xr.DataArray, level: xr.DataArray) -> xr.DataArray:
        def one(draws: np.ndarray, weight: np.ndarray, q: np.ndarray) -> np.ndarray:
            order = np.argsort(draws, axis=None, kind="stable")
            reached = np.cumsum(weight.ravel()[order])
            at = int(np.searchsorted(reached, min(max(float(q), 0.0), 1.0)))
            found: np.ndarray = draws.ravel()[order][min(at, draws.size - 1)]
            return found

        dims = list(self.sample_dims)
        found: xr.DataArray = xr.apply_ufunc(
            one, x, self.weight, level, input_core_dims=[dims, dims, []], vectorize=True
        )
        return found

    def mcse(self, x: xr.DataArray, *, q: float | None = None) -> xr.DataArray:
        """Monte Carlo error of the weighted mean or quantile of `x`, by the delta method.

        The error of a quantile is half the distance between the quantiles one error of its own
        probability below and above `q`.
        """
        if q is not None:
            error = self.mcse(x <= self.quantile(x, q))
            return (self._at(x, q + error) - self._at(x, q - error)) / 2
        centred = x.astype(float) - self.expect(x.astype(float))
        error = super().mcse(self.n_draws * self.weight * centred)
        if x.dtype != bool:
            return error
        # few events, or none, among the draws are no proof: the floor of Posterior.mcse, fewer draws
        n, plain, count = self.n_draws, super().mcse(x), x.sum(self.sample_dims)
        p = (count + 0.5) / (n + 1)
        ess = p * (1 - p) / plain**2 / float((self.weight**2).sum()) / n
        p = (self.expect(x.astype(float)) * n + 0.5) / (n + 1)
        floor: xr.DataArray = np.sqrt(p * (1 - p) / ess.clip(1.0, n))  # type: ignore[assignment]
        many = (count >= FEW) & (count <= n - FEW)
        return error.where(many | (error > floor), floor)


def reweighted(post: Posterior, weight: xr.DataArray) -> Reweighted:
    """Return `post` under other weights of its draws, over its sample dims.

    Raises
    ------
    DoseOptError
        When a weight is negative or they do not sum to 1.
    """
    if float(weight.min()) < 0 or not math.isclose(float(weight.sum()), 1.0, abs_tol=1e-9):
        raise DoseOptError("importance weights are >= 0 and sum to 1")
    bare = weight.drop_vars([c for c in weight.coords if c not in post.sample_dims])
    return Reweighted(
        post.tree, post.parameters, post.diagnostics, post.notes, post.sample_dims, weight=bare
    )
