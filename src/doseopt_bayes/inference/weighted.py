"""Posteriors made of independent weighted particles: one, or many trials at once along a dim."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np
import xarray as xr

from doseopt_bayes import names
from doseopt_bayes.inference.checks import Check, Diagnostics
from doseopt_bayes.inference.pareto import khat_limit
from doseopt_bayes.inference.posterior import Posterior

if TYPE_CHECKING:
    from collections.abc import Mapping

    from doseopt_bayes.inference.variates import Variates

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
    variates
        What is known of quasi-random particles; ``None`` treats them as independent.
    """

    weight: xr.DataArray = field(kw_only=True)
    variates: Variates | None = field(kw_only=True, default=None)

    def some(self, at: np.ndarray) -> Weighted:
        """Return the posteriors at some positions of the dim trial."""
        groups = {}
        for name, child in self.tree.children.items():
            group = child.to_dataset()
            groups[name] = group.isel({TRIAL: at}) if TRIAL in group.dims else group
        tree = xr.DataTree.from_dict(groups)
        tree.attrs.update(self.tree.attrs)
        return replace(self, tree=tree, weight=self.weight.isel({TRIAL: at}))

    def expect(self, x: xr.DataArray) -> xr.DataArray:
        """Weighted mean of `x`."""
        return self._total(self.weight, x)

    def _total(self, weight: xr.DataArray, x: xr.DataArray) -> xr.DataArray:
        """Sum of `x` over particles under `weight`; a matrix product for each trial, for speed."""
        if set(weight.dims) - set(x.dims):
            return _in_order(xr.dot(x.astype(float), weight, dim=PARTICLE), x)
        sums = weight.to_numpy()[..., None, :] @ self._columns(x)
        return self._labelled(sums[..., 0, :], x)

    def _columns(self, x: xr.DataArray) -> np.ndarray:
        """Return numbers as (..., particle, column), a column for each place beyond trial."""
        rest = tuple(d for d in x.dims if d not in self.weight.dims)
        flat = x.transpose(*self.weight.dims, *rest).to_numpy()
        columns: np.ndarray = flat.reshape((*self.weight.shape, -1)).astype(float, copy=False)
        return columns

    def _labelled(self, sums: np.ndarray, x: xr.DataArray) -> xr.DataArray:
        """Label (..., column) as `x` is labelled, without particles."""
        rest = tuple(d for d in x.dims if d not in self.weight.dims)
        dims = (*(d for d in self.weight.dims if d != PARTICLE), *rest)
        coords = {name: c for name, c in x.coords.items() if PARTICLE not in c.dims}
        shaped = sums.reshape([x.sizes[d] for d in dims])
        return _in_order(xr.DataArray(shaped, dims=dims, coords=coords), x)

    def _scaled(self, x: xr.DataArray) -> np.ndarray:
        """Return weight times distance from the mean, (..., particle, column)."""
        columns, weight = self._columns(x), self.weight.to_numpy()
        mean = weight[..., None, :] @ columns
        found: np.ndarray = columns - mean
        found *= weight[..., None]
        return found

    def _variance(self, scaled: np.ndarray) -> np.ndarray:
        if self.variates is not None:
            return self.variates.variance(scaled, self.ess.to_numpy())
        found: np.ndarray = np.einsum("...pk,...pk->...k", scaled, scaled)
        return found

    def _covariance(self, scaled: np.ndarray) -> np.ndarray:
        if self.variates is not None:
            return self.variates.covariance(scaled, self.ess.to_numpy())
        found: np.ndarray = scaled.swapaxes(-1, -2) @ scaled
        return found

    def below(self, variable: str, limit: float) -> tuple[xr.DataArray, xr.DataArray]:
        """Pr(variable < limit) and its Monte Carlo error."""
        return self._event(self[variable] < limit)

    def exceeds(self, variable: str, limit: float) -> tuple[xr.DataArray, xr.DataArray]:
        """Pr(variable > limit) and its Monte Carlo error."""
        return self._event(self[variable] > limit)

    def _event(self, event: xr.DataArray) -> tuple[xr.DataArray, xr.DataArray]:
        probability = self.expect(event)
        return probability, self._error_of(event, probability)

    def mcse_of_gaps(self, x: xr.DataArray, at: xr.DataArray) -> xr.DataArray:
        """Monte Carlo error of gaps between doses, from the covariance of the weighted means."""
        if set(x.dims) - {*self.weight.dims, names.DOSE}:  # subgroups beside the doses
            return super().mcse_of_gaps(x, at)
        flat = x.transpose(*self.weight.dims, names.DOSE)
        return self._gaps(self._covariance(self._scaled(flat)), x, at)

    def _gaps(self, covariance: np.ndarray, x: xr.DataArray, at: xr.DataArray) -> xr.DataArray:
        """Errors of gaps from a covariance (..., dose, dose)."""
        dims = [d for d in (*self.weight.dims, names.DOSE) if d != PARTICLE]
        here = at.transpose(*(d for d in dims if d in at.dims)).to_numpy()
        each = np.diagonal(covariance, axis1=-2, axis2=-1)
        own = (covariance * here[..., None, :]).sum(axis=-1)  # with the one dose
        variance = np.where(here, own, 0.0).sum(axis=-1, keepdims=True) + each - 2 * own
        # rounding leaves 1e-20 where two doses have the same draws
        size = each.max(axis=-1, keepdims=True)
        error = np.sqrt(np.where(variance > 1e-12 * size, variance, 0.0))
        coords = {name: c for name, c in x.coords.items() if PARTICLE not in c.dims}
        return _in_order(xr.DataArray(error, dims=dims, coords=coords), x)

    def errors_of_sum(
        self, slopes: Mapping[str, xr.DataArray], at: xr.DataArray
    ) -> tuple[xr.DataArray, xr.DataArray] | None:
        """Errors of a linear sum and of its gaps, from one covariance of all variables and doses."""
        if any(set(self[name].dims) != {*self.weight.dims, names.DOSE} for name in slopes):
            return None
        some = self[next(iter(slopes))]
        scaled = np.concatenate([self._scaled(self[name]) for name in slopes], axis=-1)
        n, k = some.sizes[names.DOSE], len(slopes)
        every = self._covariance(scaled).reshape(*scaled.shape[:-2], k, n, k, n)
        dims = [d for d in (*self.weight.dims, names.DOSE) if d != PARTICLE]
        slope = np.stack([g.transpose(*dims).to_numpy() for g in slopes.values()], axis=-2)
        covariance = np.einsum("...kd,...kdle,...le->...de", slope, every, slope)
        variance = np.diagonal(covariance, axis1=-2, axis2=-1)
        coords = {name: c for name, c in some.coords.items() if PARTICLE not in c.dims}
        error = xr.DataArray(np.sqrt(variance.clip(min=0)), dims=dims, coords=coords)
        return error, self._gaps(covariance, some, at)

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
            section 9.2); of quasi-random particles only what their `variates` leave. An event that
            fewer than 10 effective particles have, or lack, has at least the error
            sqrt(p (1 - p) / ESS) with p = (ESS times its probability + 1/2) / (ESS + 1): the weights of
            the few say too little. The error of a quantile is half the distance between the quantiles
            one error of its own probability below and above `q`.
        """
        if q is not None:
            error = self.mcse(x <= self.quantile(x, q))
            return (self._at(x, q + error) - self._at(x, q - error)) / 2
        return self._error_of(x, self.expect(x))

    def _error_of(self, x: xr.DataArray, mean: xr.DataArray) -> xr.DataArray:
        if set(self.weight.dims) - set(x.dims):  # the same numbers for every trial
            x = x.broadcast_like(self.weight)
        error: xr.DataArray = self._labelled(self._variance(self._scaled(x)), x) ** 0.5
        if x.dtype != bool:
            return error
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
