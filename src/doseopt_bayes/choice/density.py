"""On which scale a graph scores a response, and how it becomes a density of the response itself."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

from doseopt_bayes.models.response import PiecewiseExponential, WeibullResponse
from doseopt_bayes.names import PATIENT

if TYPE_CHECKING:
    import xarray as xr

    from doseopt_bayes.models.exposure_response import ExposureResponse

__all__ = ["rows_key", "to_density"]


def to_density(model: ExposureResponse, rows: xr.Dataset) -> tuple[np.ndarray, str]:
    """Find what is to be added to the log likelihood of each row so that families can be compared.

    Parameters
    ----------
    model, rows
        A recipe, and what it reads.

    Returns
    -------
    tuple of numpy.ndarray and str
        Log Jacobian (patient), and the scale that results, in words.

    Notes
    -----
    The graph of a Weibull time observes minus its logarithm, so that an event lacks -log(time). That of a
    piecewise exponential time is a Poisson probability per interval, which has the time at risk in the
    event's interval as a factor that the density lacks. A censored time is a probability under both.
    """
    kind = model.response.kind
    none = np.zeros(rows.sizes[PATIENT])
    unit = str(rows.attrs.get("endpoint_unit", ""))
    if kind != "time_to_event":
        what = {"binary": "probability of the outcome", "count": "probability of the count"}.get(
            kind, f"density of the value{f' per {unit}' if unit else ''}"
        )
        return none, f"log {what}"
    time, event = rows["time"].to_numpy().astype(float), rows["y"].to_numpy() > 0
    per = rows.attrs.get("time_unit") or "unit of time"
    said = f"log density of the time per {per}, log survival of a censored one"
    if isinstance(model.response, WeibullResponse):
        return np.where(event, -np.log(time), 0.0), said
    if isinstance(model.response, PiecewiseExponential):
        start = np.array([0.0, *model.response.cuts])
        inside = start[np.searchsorted(start, time, side="left") - 1]
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(event, -np.log(time - inside), 0.0), said
    return none, f"log likelihood as {type(model.response).__name__} writes it"


def rows_key(rows: xr.Dataset) -> str:
    """Fingerprint of who the rows are and what was seen in them, whatever the exposure."""
    digest = hashlib.sha256()
    seen = (v for v in ("y", "time", "sd", "n") if v in rows)
    digest.update("\x1f".join(map(str, rows[PATIENT].to_numpy())).encode())
    for name in seen:
        digest.update(
            name.encode() + np.ascontiguousarray(rows[name].to_numpy(), dtype=float).tobytes()
        )
    digest.update(str(rows.attrs.get("endpoint", "")).encode())
    return digest.hexdigest()
