"""What was observed in bins of exposure, with an interval that needs no model."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
import xarray as xr
from scipy import stats

from doseopt_bayes.decision.decide import INTERVAL
from doseopt_bayes.errors import DoseOptError
from doseopt_bayes.names import PATIENT
from doseopt_bayes.plots.product_limit import at_risk, product_limit, survival_at

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Bins", "bin_edges", "bin_of", "binned", "exact_proportion", "exact_rate", "interval_of"]

Bins = int | Sequence[float]
FEWEST, MOST = 2, 4  # quartiles alone are weak (Kagedal, PAGE III-61)
INTERVALS: Final = {
    "binary": "exact (Clopper-Pearson)",
    "count": (
        "exact (Poisson, of the total of events in the total of person-time; it ignores overdispersion, "
        "and is too short where rates differ between patients)"
    ),
    "continuous": "t",
    "grouped": "t (of the pooled patients)",
    "time_to_event": "Kaplan-Meier, log(-log)",
}


def bin_edges(exposure: NDArray[np.float64], bins: Bins) -> tuple[tuple[float, float], ...]:
    """Return lower and upper edge of each bin of exposure, ascending.

    Parameters
    ----------
    exposure
        Of each patient.
    bins
        Number of bins, 2 to 4, at quantiles of the exposures above 0; or the cuts between bins.

    Returns
    -------
    tuple
        Patients with exposure exactly 0 (placebo) are a bin (0, 0) of their own. Every other bin holds
        its upper edge, and the first also its lower one; but where the lowest exposure fills a bin, or
        there are no more values than bins, a value is a bin of its own. Bins that ties leave empty are
        not there.

    Raises
    ------
    DoseOptError
        When the number or a cut is out of range.

    Examples
    --------
    >>> bin_edges(np.array([0.0, 0.0, 1.0, 2.0, 3.0, 4.0]), 2)
    ((0.0, 0.0), (1.0, 2.5), (2.5, 4.0))
    """
    above = exposure[exposure > 0]
    zero = ((0.0, 0.0),) if (exposure == 0).any() else ()
    if isinstance(bins, int):
        if not FEWEST <= bins <= MOST:
            raise DoseOptError(
                f"bins = {bins}: {FEWEST} to {MOST} bins", hint="bins=3, or the cuts"
            )
        if not above.size:
            return zero
        values = np.unique(above)
        if values.size <= bins:
            return (*zero, *((float(v), float(v)) for v in values))
        edges = np.quantile(above, np.linspace(0, 1, bins + 1))
        if edges[0] == edges[1]:  # so many at the lowest exposure that they fill a bin
            zero = (*zero, (float(edges[0]), float(edges[0])))
        edges = np.unique(edges)
    else:
        cuts = [float(c) for c in bins]
        low, high = (above.min(), above.max()) if above.size else (0.0, 0.0)
        wrong = [c for c in cuts if not low < c < high]
        if wrong or cuts != sorted(set(cuts)):
            raise DoseOptError(
                f"cuts {cuts} must ascend within the exposures above 0 ({low:.4g} to {high:.4g})",
                hint="give the cuts between the bins, not the outer edges",
            )
        edges = np.array([low, *cuts, high])
    if edges.size == 1:
        return (*zero, (float(edges[0]), float(edges[0])))
    pairs = [(float(a), float(b)) for a, b in itertools.pairwise(edges)]
    kept = [
        (a, b)
        for i, (a, b) in enumerate(pairs)
        if ((above > a) | ((i == 0) & (above == a)))[above <= b].any()
    ]
    return (*zero, *kept)


def bin_of(
    exposure: NDArray[np.float64], edges: Sequence[tuple[float, float]]
) -> NDArray[np.int64]:
    """Return the position of the bin of each exposure."""
    highs = np.array([high for _, high in edges])
    return np.searchsorted(highs, exposure, side="left")


def exact_proportion(events: int, n: int, level: float = INTERVAL) -> tuple[float, float]:
    """Clopper-Pearson interval of a proportion.

    Examples
    --------
    >>> [round(x, 3) for x in exact_proportion(0, 3)]
    [0.0, 0.708]
    """
    tail = (1 - level) / 2
    low = 0.0 if events == 0 else float(stats.beta.ppf(tail, events, n - events + 1))
    high = 1.0 if events == n else float(stats.beta.ppf(1 - tail, events + 1, n - events))
    return low, high


def exact_rate(events: int, time: float, level: float = INTERVAL) -> tuple[float, float]:
    """Exact (Garwood 1936) interval of a Poisson rate per unit of time.

    Examples
    --------
    >>> [round(x, 2) for x in exact_rate(10, 1.0)]
    [4.8, 18.39]
    """
    tail = (1 - level) / 2
    low = 0.0 if events == 0 else float(stats.chi2.ppf(tail, 2 * events)) / 2
    return low / time, float(stats.chi2.ppf(1 - tail, 2 * events + 2)) / 2 / time


def interval_of(rows: xr.Dataset, time: float | None, level: float = INTERVAL) -> dict[str, float]:
    """Return what was observed in some rows, and its interval.

    Parameters
    ----------
    rows
        As read by a model; attributes say the kind of the endpoint.
    time
        Of survival.
    level
        Of the interval.

    Returns
    -------
    dict
        ``n`` patients, ``events`` (NaN for values), ``observed``, ``low``, ``high``; an interval that
        the rows do not give is NaN.
    """
    kind, y = rows.attrs["kind"], rows["y"].to_numpy().astype(float)
    n, none = y.size, float("nan")
    if kind == "binary":
        low, high = exact_proportion(int(y.sum()), n, level)
        return {"n": n, "events": y.sum(), "observed": y.mean(), "low": low, "high": high}
    if kind == "count":
        total = float(rows["time"].sum())
        low, high = exact_rate(int(y.sum()), total, level)
        return {"n": n, "events": y.sum(), "observed": y.sum() / total, "low": low, "high": high}
    if kind == "time_to_event":
        t, end = rows["time"].to_numpy().astype(float), float(time or 0.0)
        here = survival_at(product_limit(t, y, level=level), end).isel(time=0)
        events = float(((y > 0) & (t <= end)).sum())
        found = {"n": n, "events": events, "observed": float(here["survival"])}
        return found | {"low": float(here["low"]), "high": float(here["high"])}
    size = rows["n"].to_numpy().astype(float) if "n" in rows else np.ones(n)
    within = (size - 1) * rows["sd"].to_numpy() ** 2 if "n" in rows else np.zeros(n)
    total, mean = size.sum(), float(np.average(y, weights=size))
    half = none
    if total > 1:
        spread = np.sqrt((within + size * (y - mean) ** 2).sum() / (total - 1) / total)
        half = float(stats.t.ppf((1 + level) / 2, total - 1) * spread)
    ends = {"low": mean - half, "high": mean + half}
    return {"n": int(total), "events": none, "observed": mean, **ends}


def binned(
    rows: xr.Dataset, bins: Bins, *, time: float | None = None, level: float = INTERVAL
) -> xr.Dataset:
    """Return what was observed in each bin of exposure.

    Parameters
    ----------
    rows
        As read by a model, over ``patient``.
    bins
        As for :func:`bin_edges`.
    time, level
        Of survival, and of the interval.

    Returns
    -------
    xarray.Dataset
        Over ``bin``: ``edge_low``, ``edge_high``, ``bin_exposure`` (median), ``bin_n``,
        ``bin_events``, ``observed``, ``observed_low``, ``observed_high``, and for a time to event
        ``bin_at_risk`` at `time`. Over ``patient``: ``bin_of``.
    """
    x = rows["exposure"].to_numpy().astype(float)
    edges = bin_edges(x, bins)
    which = bin_of(x, edges)
    parts = [rows.isel({PATIENT: np.flatnonzero(which == i)}) for i in range(len(edges))]
    seen = [interval_of(part, time, level) for part in parts]
    columns = {
        "edge_low": [a for a, _ in edges],
        "edge_high": [b for _, b in edges],
        "bin_exposure": [float(np.median(part["exposure"])) for part in parts],
        "bin_n": [int(s["n"]) for s in seen],
        "bin_events": [s["events"] for s in seen],
        "observed": [s["observed"] for s in seen],
        "observed_low": [s["low"] for s in seen],
        "observed_high": [s["high"] for s in seen],
    }
    if time is not None:
        columns["bin_at_risk"] = [int(at_risk(part["time"], [time])[0]) for part in parts]
    found = xr.Dataset({k: ("bin", v) for k, v in columns.items()}, {"bin": np.arange(len(edges))})
    found["bin_of"] = (PATIENT, which)
    found.attrs = {
        "observed_interval_kind": INTERVALS[rows.attrs["kind"]],
        "observed_interval_prob": level,
    }
    return found
