"""The product-limit (Kaplan-Meier) estimator with its risk set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from scipy import stats

from doseopt_bayes.decision.decide import INTERVAL

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["at_risk", "product_limit", "survival_at"]


def product_limit(time: Any, event: Any, *, level: float = INTERVAL) -> xr.Dataset:
    """Estimate survival from times that end with an event or with censoring.

    Parameters
    ----------
    time
        Times > 0, one per patient.
    event
        1 where the time ends with the event, 0 where it is censored.
    level
        Of the pointwise interval.

    Returns
    -------
    xarray.Dataset
        Over ``time`` (0 and the distinct times, ascending): ``survival`` just after that time,
        ``at_risk`` just before, ``events``, ``censored``, ``low`` and ``high``. Patients who are
        censored at the time of an event are at risk of it.

    Notes
    -----
    Kaplan and Meier (1958). Interval: Greenwood's variance on the scale log(-log S), which stays
    within 0 to 1. Before the first event it is that of no event among those at risk (exact); where S
    is 0 it has no upper end (NaN).

    Examples
    --------
    >>> product_limit([1, 2, 2, 3], [1, 1, 0, 1])["survival"].values.tolist()
    [1.0, 0.75, 0.5, 0.0]
    """
    t, e = np.asarray(time, dtype=float), np.asarray(event, dtype=float) > 0
    at = np.unique(np.append(t, 0.0))
    ended = np.searchsorted(at, t)
    d = np.bincount(ended, weights=e, minlength=at.size)
    gone = np.bincount(ended, minlength=at.size)
    risk = t.size - np.append(0, gone.cumsum()[:-1])
    survival = np.cumprod(1 - d / np.maximum(risk, 1))
    tail = (1 - level) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = np.sqrt(np.cumsum(d / (risk * (risk - d)))) / np.abs(np.log(survival))
        z = stats.norm.ppf(1 - tail)
        low, high = (survival ** np.exp(sign * z * spread) for sign in (1, -1))
    still = np.maximum(risk - d, 1)
    low = np.where(survival == 1, tail ** (1 / still), np.where(survival == 0, 0.0, low))
    high = np.where(survival == 1, 1.0, np.where(survival == 0, np.nan, high))
    found = {"survival": survival, "at_risk": risk, "events": d.astype("int64"),
             "censored": (gone - d).astype("int64"), "low": low, "high": high}  # fmt: skip
    return xr.Dataset({k: ("time", v) for k, v in found.items()}, coords={"time": at})


def survival_at(curve: xr.Dataset, time: float | Sequence[float] | np.ndarray) -> xr.Dataset:
    """Read a product-limit curve at times; NaN after the last follow-up unless nobody is left.

    Parameters
    ----------
    curve
        Result of :func:`product_limit`.
    time
        When.

    Returns
    -------
    xarray.Dataset
        ``survival``, ``low`` and ``high`` over ``time``.
    """
    at = np.atleast_1d(np.asarray(time, dtype=float))
    known, last = curve["time"].to_numpy(), float(curve["survival"][-1])
    where = np.searchsorted(known, at, side="right") - 1
    seen = (at <= known[-1]) | (last == 0)
    parts = ("survival", "low", "high")
    read = {k: ("time", np.where(seen, curve[k].to_numpy()[where], np.nan)) for k in parts}
    return xr.Dataset(read, coords={"time": at})


def at_risk(time: Any, ticks: Sequence[float]) -> np.ndarray:
    """Count patients whose time has not ended before each tick.

    Examples
    --------
    >>> at_risk([1, 2, 2, 3], [0, 2, 3]).tolist()
    [4, 3, 1]
    """
    t = np.asarray(time, dtype=float)
    found: np.ndarray = (t[:, None] >= np.asarray(ticks, dtype=float)).sum(axis=0)
    return found
