"""Responses of a fitted curve averaged over the patients themselves, inside each draw."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import xarray as xr

from doseopt_bayes.decision.decide import INTERVAL
from doseopt_bayes.errors import DoseOptError
from doseopt_bayes.inference.posterior import Posterior
from doseopt_bayes.inference.weighted import PARTICLE, Weighted
from doseopt_bayes.models.response import WeibullResponse
from doseopt_bayes.names import CHAIN, DRAW, PATIENT
from doseopt_bayes.prediction.by_group import of_one_group

if TYPE_CHECKING:
    from collections.abc import Sequence

    from doseopt_bayes.data.exposure import ExposureData
    from doseopt_bayes.models.exposure_response import ExposureResponse

__all__ = [
    "axis_words",
    "excluded_words",
    "number",
    "ordered",
    "over_patients",
    "patient_values",
    "predicted",
    "response_words",
    "summary",
    "thinned",
    "time_of",
]

DRAWS: Final = 2000  # of a posterior that a figure reads


def number(x: float) -> str:
    """Return an exposure with four significant digits, and never with an exponent from 10,000 on.

    Examples
    --------
    >>> number(398.71), number(10008.2)
    ('398.7', '10008')
    """
    return f"{x:.4g}" if abs(x) < 10_000 else f"{x:.0f}"


def ordered(model: ExposureResponse, data: ExposureData) -> tuple[xr.Dataset, np.ndarray]:
    """Return the rows that the model reads in an order that is theirs, not the file's; and that order."""
    rows = model.read(data)
    keys = [rows[v].to_numpy() for v in sorted(map(str, rows.data_vars))]
    order = np.lexsort([*keys, rows["y"].to_numpy(), rows["exposure"].to_numpy()])
    return rows.isel({PATIENT: order}), order


def thinned(posterior: Posterior, draws: int = DRAWS) -> Posterior:
    """Return evenly spaced draws of equal weight, at most `draws` (and never more than the ESS).

    Parameters
    ----------
    posterior
        Of NUTS (chain, draw), or weighted particles of one trial.
    draws
        How many over all chains.
    """
    kept = posterior.draws
    if isinstance(posterior, Weighted):
        many = max(1, min(draws, int(posterior.min_ess)))
        reached = posterior.weight.to_numpy().cumsum()
        at = np.searchsorted(reached, (np.arange(many) + 0.5) / many * reached[-1])
        kept = kept.isel({PARTICLE: at.clip(0, reached.size - 1)}).rename({PARTICLE: DRAW})
        kept = kept.drop_vars(DRAW, errors="ignore").expand_dims(CHAIN)
    else:
        each, n = -(-draws // kept.sizes[CHAIN]), kept.sizes[DRAW]
        kept = kept.isel({DRAW: np.linspace(0, n - 1, min(n, each)).astype(int)})
    kept = kept.assign_coords({d: np.arange(kept.sizes[d]) for d in (CHAIN, DRAW)})
    tree = xr.DataTree.from_dict({"posterior": kept})
    return Posterior(tree, posterior.parameters, posterior.diagnostics, posterior.notes)


def patient_values(model: ExposureResponse, rows: xr.Dataset) -> dict[str, xr.DataArray]:
    """Return each covariate of the model as the patients have it: a number, or a level."""
    found: dict[str, xr.DataArray] = {}
    for c in model.covariates:
        if c.level is None:
            found[c.covariate] = rows[c.column]
        else:
            other = found.get(c.covariate, xr.full_like(rows["y"], "", dtype=object))
            found[c.covariate] = other.where(rows[c.column] == 0, c.level)
    return {name: x.drop_vars(PATIENT, errors="ignore") for name, x in found.items()}


def predicted(
    model: ExposureResponse, draws: xr.Dataset, rows: xr.Dataset, *, time: float | None = None
) -> xr.DataArray:
    """Mean response of each patient at the own exposure, covariates and group: over patient."""
    own = {g: rows[g].drop_vars(PATIENT, errors="ignore") for g in model.groups}
    draws = draws.sel(own).drop_vars(list(own)) if own else draws
    x = rows["exposure"].drop_vars(PATIENT, errors="ignore")
    return model.response_at(draws, x, patient_values(model, rows), time=time)


def over_patients(
    model: ExposureResponse,
    draws: xr.Dataset,
    exposures: Sequence[float] | np.ndarray,
    rows: xr.Dataset,
    *,
    time: float | None = None,
) -> xr.DataArray:
    """Mean response if all patients had each of these exposures and kept their own covariates.

    Parameters
    ----------
    model, draws
        A curve and draws of its parameters (chain, draw).
    exposures
        >= 0.
    rows
        Of :func:`ordered`; groups count as often as they have patients.
    time
        Of survival.

    Returns
    -------
    xarray.DataArray
        (chain, draw, exposure): averaged over patients inside each draw.
    """
    of_one_group("a curve averaged over patients", model)
    at = np.asarray(exposures, dtype=float)
    if not model.covariates:
        return model.response_at(draws, at, time=time).transpose(CHAIN, DRAW, "exposure")
    values = patient_values(model, rows)
    codes = [np.unique(x.to_numpy().astype(str), return_inverse=True)[1] for x in values.values()]
    first, which = np.unique(np.stack(codes), axis=1, return_index=True, return_inverse=True)[1:]
    people = rows["n"].to_numpy() if "n" in rows else np.ones(rows.sizes[PATIENT])
    weight = xr.DataArray(np.bincount(which.ravel(), weights=people), dims=PATIENT)
    alike = {name: x.isel({PATIENT: first}) for name, x in values.items()}
    steps = [
        xr.dot(
            model.response_at(draws, xr.DataArray(float(x)), alike, time=time),
            weight / weight.sum(),
            dim=PATIENT,
        )
        for x in at
    ]
    axis = xr.DataArray(at, dims="exposure", name="exposure")
    found: xr.DataArray = xr.concat(steps, dim=axis).transpose(CHAIN, DRAW, "exposure")
    return found


def summary(posterior: Posterior, x: xr.DataArray) -> xr.Dataset:
    """Return ``median``, ``low``, ``high`` (equal-tailed) and ``mcse`` of the median of draws."""
    tail = (1 - INTERVAL) / 2
    found = {k: posterior.quantile(x, q) for k, q in
             {"median": 0.5, "low": tail, "high": 1 - tail}.items()}  # fmt: skip
    dims = posterior.sample_dims
    varies = x.max(dims) > x.min(dims)  # the error of a constant is 0, which ESS cannot tell
    noise = x.where(varies, x.isel(dict.fromkeys(dims, 0)))
    with np.errstate(divide="ignore", invalid="ignore"):
        error = posterior.mcse(noise, q=0.5)
    return xr.Dataset({**found, "mcse": error.where(varies, 0.0)})


def time_of(model: ExposureResponse, time: float | None) -> float | None:
    """Return the time of survival: as given, or the reference time of a Weibull model.

    Raises
    ------
    DoseOptError
        When a time to event has neither, or another endpoint is given one.
    """
    if model.response.kind != "time_to_event":
        if time is not None:
            raise DoseOptError(
                f"time = {time!r}: {model.endpoint} is {model.response.kind}, which has no survival",
                hint="leave time out",
            )
        return None
    if time is None and isinstance(model.response, WeibullResponse):
        return float(model.response.time)
    if time is None or not time > 0:
        raise DoseOptError(
            f"{model.endpoint}: survival is read at a time, and time = {time!r}", hint="time=12.0"
        )
    return float(time)


def response_words(rows_attrs: dict[str, Any], time: float | None = None) -> str:
    """Say what the y axis is, with its unit.

    Examples
    --------
    >>> response_words({"kind": "binary", "endpoint": "ae"})
    'probability of ae'
    """
    kind, name = rows_attrs["kind"], rows_attrs["endpoint"]
    if kind == "binary":
        return f"probability of {name}"
    unit, per = rows_attrs.get("endpoint_unit", ""), rows_attrs.get("time_unit", "")
    if kind == "count":
        return f"rate of {name} per {per or 'unit of time'}"
    if kind == "time_to_event":
        return f"probability of no {name} event by {time:g} {per}".rstrip()
    return f"mean {name}" + (f" ({unit})" if unit else "")


def axis_words(attrs: dict[str, Any]) -> str:
    """Say what the x axis is, with its unit."""
    unit = attrs.get("exposure_unit", "")
    return f"{attrs['exposure']} ({unit})" if unit else str(attrs["exposure"])


def excluded_words(attrs: dict[str, Any]) -> str:
    """Say how many rows are shown and which were left out, and why."""
    said = f"{attrs['n_read'] - attrs['n_excluded']} of {attrs['n_read']} rows are analysed"
    return f"{said} (excluded: {attrs['excluded']})." if attrs["n_excluded"] else f"{said}."
