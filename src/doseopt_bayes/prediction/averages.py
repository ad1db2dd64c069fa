"""Responses of people averaged inside each posterior draw, and the error of their finite number."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import xarray as xr

from doseopt_bayes import names
from doseopt_bayes.prediction.cells import cells_of
from doseopt_bayes.prediction.people import PERSON

if TYPE_CHECKING:
    from collections.abc import Mapping

    from doseopt_bayes.prediction.parts import Fitted, Part
    from doseopt_bayes.prediction.people import People, Regimen

__all__ = ["LEVELS", "Row", "averaged"]

LEVELS: Final = (0.05, 0.25, 0.5, 0.75, 0.95)
NUMBERS: Final = 1 << 21  # draws times people at once


@dataclass(frozen=True, eq=False)
class Row:
    """What was found at one regimen.

    Parameters
    ----------
    draws
        Variable to (draw), and ``p_cell`` to (draw, cell): averages over people.
    error
        Variable to the error that a finite number of people leaves in one draw.
    outside
        Curve to the shares of people below and above the exposures studied; NaN: not known.
    quantiles
        Metric to the quantiles :data:`LEVELS` of exposure over people and draws.
    people
        People in each draw.
    """

    draws: dict[str, np.ndarray]
    error: dict[str, float]
    outside: dict[str, tuple[float, float]]
    quantiles: dict[str, np.ndarray]
    people: int


def averaged(
    fit: Fitted,
    people: People,
    regimen: Regimen,
    given: Mapping[str, Any],
    times: Mapping[str, float | None],
) -> Row:
    """Average responses over people in each draw.

    Parameters
    ----------
    fit, people, regimen
        The curves, and who gets what.
    given
        Covariate to a value for everybody.
    times
        Curve to the time of survival or of expected events.
    """
    n, count = people.size, fit.whole.n_draws
    step = max(1, NUMBERS // count)
    total: dict[str, Any] = {}
    square: dict[str, Any] = {}
    first: dict[str, Any] = {}
    blocks = [slice(a, min(a + step, n)) for a in range(0, n, step)]
    if people.halves:  # no block across the middle
        blocks = [
            slice(a, min(a + step, end))
            for start, end in ((0, n // 2), (n // 2, n))
            for a in range(start, end, step)
        ]
    for at in blocks:
        part = people.part(at)
        weight = np.full((1, part.size), 1 / n) if part.weight is None else part.weight
        for name, x in _responses(fit, part, regimen, given, times).items():
            w = weight[..., None] if x.ndim == 3 else weight
            mean = (w * x).sum(axis=1)
            total[name] = total.get(name, 0.0) + mean
            square[name] = square.get(name, 0.0) + (w * x * x).sum(axis=1)
            if people.halves and at.stop <= n // 2:
                first[name] = first.get(name, 0.0) + 2 * mean
    error = {}
    for name, mean in total.items():
        if mean.ndim > 1:
            continue
        if people.halves:
            error[name] = _typical(fit, (first[name] - mean) ** 2)
        else:
            spread = np.maximum(square[name] - mean**2, 0.0)
            error[name] = _typical(fit, spread / people.sampled)
    return Row(
        total,
        error,
        {p.name: _outside(p, people, regimen) for p in fit.parts},
        {m: np.quantile(x, LEVELS) for m, x in people.exposure.items()},
        n,
    )


def _typical(fit: Fitted, squares: np.ndarray) -> float:
    """Root of the posterior mean of a variance in each draw; particles count by their weight."""
    dims = fit.whole.sample_dims
    shape = [fit.whole.draws.sizes[d] for d in dims]
    mean = fit.whole.expect(xr.DataArray(squares.reshape(shape), dims=list(dims)))
    return math.sqrt(float(mean))


def _responses(
    fit: Fitted,
    people: People,
    regimen: Regimen,
    given: Mapping[str, Any],
    times: Mapping[str, float | None],
) -> dict[str, np.ndarray]:
    """Mean response of each person in each draw (draw, person), and cells (draw, person, cell)."""
    dims = fit.whole.sample_dims
    shape = tuple(fit.whole.draws.sizes[d] for d in dims)

    def labelled(x: np.ndarray) -> xr.DataArray:
        if x.ndim == 1:
            return xr.DataArray(x, dims=PERSON)
        return xr.DataArray(x.reshape(*shape, -1), dims=(*dims, PERSON))

    def flat(x: xr.DataArray) -> np.ndarray:
        whole = x.transpose(*dims, PERSON).to_numpy()
        return whole.reshape(-1, whole.shape[-1])

    found, logit = {}, {}
    for part in fit.parts:
        own = {c.covariate for c in part.recipe.covariates}
        covariates = {k: v for k, v in given.items() if k in own}
        covariates |= {k: labelled(x) for k, x in people.covariates.items() if k in own}
        x = labelled(_exposure(part, people, regimen))
        draws = part.posterior.draws
        predictor = part.recipe.predictor_at(draws, x, covariates)
        mean = part.recipe.response.mean(predictor, draws, times[part.name])
        found[part.variable], logit[part.name] = flat(mean), predictor
    if fit.joint is not None:
        association = fit.whole["association"].transpose(*dims).to_numpy().ravel()
        tox, eff = flat(logit[names.TOX]), flat(logit[names.EFF])
        found[names.P_CELL] = cells_of(fit.joint.copula, tox, eff, association)
    return found


def _exposure(part: Part, people: People, regimen: Regimen) -> np.ndarray:
    if part.recipe.exposure in people.exposure:
        return people.exposure[part.recipe.exposure]
    return np.full(people.size, regimen.dose * regimen.factor)  # a curve of dose itself


def _outside(part: Part, people: People, regimen: Regimen) -> tuple[float, float]:
    """Share of people below and above the exposures of the fit; NaN when these are not known."""
    limits = part.limits
    if limits is None:
        return float("nan"), float("nan")
    x = _exposure(part, people, regimen)
    slack = 1e-9 * abs(limits[1])
    sides = x < limits[0] - slack, x > limits[1] + slack
    if people.weight is None:
        return float(np.mean(sides[0])), float(np.mean(sides[1]))
    below, above = (float((people.weight * side).sum(axis=1).mean()) for side in sides)
    return below, above
