"""Posteriors made of independent weighted particles: one, or many trials at once along a dim."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

import numpy as np
import xarray as xr

from doseopt_bayes import names
from doseopt_bayes.inference.checks import Check, Diagnostics
from doseopt_bayes.inference.pareto import khat_limit
from doseopt_bayes.inference.posterior import Posterior

__all__ = ["MIN_ESS", "PARTICLE", "TRIAL", "Weighted", "trusted"]

TRIAL: Final = "trial"
PARTICLE: Final = "particle"
MIN_ESS: Final = 100.0  # effective particles below which no decision is taken
FEW: Final = 10.0  # effective particles with an event, or without it: fewer say too little


@dataclass(frozen=True, eq=False)
class Weighted(Posterior):
    """Particles under weights of their own for each trial; whatever reads a posterior reads this one.

    Parameters
    ----------
    weight
        Over (trial, particle), or (particle) for a single trial: sum 1 over particles.
    """

    weight: xr.DataArray = field(kw_only=True)

    def expect(self, x: xr.DataArray) -> xr.DataArray:
        """Weighted mean of `x`."""
        found: xr.DataArray = xr.dot(x.astype(float), self.weight, dim=PARTICLE)
        return _in_order(found, x)

    @cached_property
    def _squares(self) -> xr.DataArray:
        return self.weight**2

    def mcse_of_gaps(self, x: xr.DataArray, at: xr.DataArray) -> xr.DataArray:
        """Monte Carlo error of gaps between doses, from the covariance of the weighted means."""
        other = f"{names.DOSE}_"
        scaled = (x - self.expect(x)) * self.weight
        products = xr.dot(scaled, scaled.rename({names.DOSE: other}), dim=PARTICLE)
        one = at.astype(float).rename({names.DOSE: other})
        own = (products * one).sum(other)  # with the one dose
        each = products.where(products[names.DOSE] == products[other], 0).sum(other)
        variance = own.where(at, 0).sum(names.DOSE) + each - 2 * own
        # rounding leaves 1e-20 where two doses have the same draws
        size = each.max(names.DOSE)
        error = variance.where(variance > 1e-12 * size, 0.0) ** 0.5
        return _in_order(error, x)

    @cached_property
    def ess(self) -> xr.DataArray:
        """Effective number of particles, 1 / sum of squared weights, per trial."""
        found: xr.DataArray = 1 / xr.dot(self.weight, self.weight, dim=PARTICLE)
        return found

    @cached_property
    def min_ess(self) -> float:
        """Smallest effective number of particles of any trial."""
        return float(self.ess.min())

    def mcse(self, x: xr.DataArray, *, q: float | None = None) -> xr.DataArray:
        """Monte Carlo error of the weighted mean of `x`, or of its quantile at `q`.

        Parameters
        ----------
        x
            Particles with the sample dim; boolean for an event.
        q
            Level of a quantile; ``None`` for the mean.

        Returns
        -------
        xarray.DataArray
            sqrt(sum of w^2 (x - mean)^2), the delta method for self-normalised weights (Owen 2013,
            section 9.2). Quasi-random particles err less than that. An event that fewer than 10
            effective particles have, or lack, has at least the error sqrt(p (1 - p) / ESS) with p =
            (ESS times its probability + 1/2) / (ESS + 1): the weights of the few say too little. The
            error of a quantile is half the distance between the quantiles one error of its own
            probability below and above `q`.
        """
        if q is not None:
            error = self.mcse(x <= self.quantile(x, q))
            return (self._at(x, q + error) - self._at(x, q - error)) / 2
        mean = self.expect(x)
        if x.dtype != bool:
            centred = x.astype(float) - mean
            variance: xr.DataArray = xr.dot(self._squares, centred**2, dim=PARTICLE)
            return _in_order(variance**0.5, x)
        # an event is 0 or 1, so that the sum of w^2 (x - mean)^2 needs one pass over the particles
        inside = xr.dot(self._squares, x.astype(float), dim=PARTICLE)
        variance = (inside * (1 - 2 * mean) + mean**2 / self.ess).clip(min=0)
        error = _in_order(variance**0.5, x)
        events = mean * self.ess
        p = (events + 0.5) / (self.ess + 1)
        floor: xr.DataArray = (p * (1 - p) / self.ess) ** 0.5
        many = (events >= FEW) & (events <= self.ess - FEW)
        return error.where(many | (error > floor), floor)

    def quantile(self, x: xr.DataArray, q: float) -> xr.DataArray:
        """Smallest particle of `x` at which the weights of the particles up to it reach `q`."""
        return self._at(x, xr.full_like(self.expect(x), q))

    def _at(self, x: xr.DataArray, level: xr.DataArray) -> xr.DataArray:
        def find(draws: np.ndarray, weight: np.ndarray, q: np.ndarray) -> np.ndarray:
            order = np.argsort(draws, axis=-1, kind="stable")
            shared = np.broadcast_to(weight, draws.shape)
            reached = np.take_along_axis(shared, order, axis=-1).cumsum(axis=-1)
            at = (reached < q.clip(0.0, 1.0)[..., None]).sum(axis=-1, keepdims=True)
            last = np.minimum(at, draws.shape[-1] - 1)
            chosen = np.take_along_axis(order, last, axis=-1)
            found: np.ndarray = np.take_along_axis(draws, chosen, axis=-1)[..., 0]
            return found

        found: xr.DataArray = xr.apply_ufunc(
            find,
            x,
            self.weight.broadcast_like(x.isel({PARTICLE: 0}, drop=True)),
            level,
            input_core_dims=[[PARTICLE], [PARTICLE], []],
        )
        return _in_order(found, x)


def trusted(khat: xr.DataArray, ess: xr.DataArray, particles: int) -> Diagnostics:
    """Judge importance weights by Pareto k-hat and effective sample size.

    Parameters
    ----------
    khat, ess
        Over trial, or without dims.
    particles
        Number of particles of each.

    Returns
    -------
    Diagnostics
        Passed when every trial is: k-hat below min(0.7, 1 - 1 / log10(particles)) (Vehtari et al.
        2024) and an effective sample size of at least 100.

    Examples
    --------
    >>> print(trusted(xr.DataArray(0.2), xr.DataArray(610.0), 1024))
    diagnostics passed
      pass  Pareto k-hat: 0.20 (< 0.67)
      pass  effective sample size: 610 (>= 100)
    """
    limit = khat_limit(particles)
    worst, least = float(khat.max(skipna=False)), float(ess.min(skipna=False))
    checks = (
        Check("Pareto k-hat", worst < limit, f"{worst:.2f}", f"< {limit:.2f}"),
        Check("effective sample size", least >= MIN_ESS, f"{least:.0f}", f">= {MIN_ESS:g}"),
    )
    table = xr.concat([khat, ess], dim="measure").assign_coords(measure=["khat", "ess"])
    return Diagnostics(checks, table.rename("value"))


def _in_order(found: xr.DataArray, x: xr.DataArray) -> xr.DataArray:
    """Put the dims of a result in the order that they have in `x`."""
    moved: xr.DataArray = found.transpose(*(d for d in x.dims if d in found.dims), ...)
    return moved
