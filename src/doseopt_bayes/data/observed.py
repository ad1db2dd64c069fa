"""Observed rates with exact intervals: one source for table and figure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import xarray as xr
from scipy import stats

from doseopt_bayes import names

if TYPE_CHECKING:
    from doseopt_bayes.data.trial import TrialData

__all__ = ["observed_rates"]


def observed_rates(data: TrialData, *, level: float = 0.95) -> xr.Dataset:
    """Observed event rates with exact (Clopper-Pearson) intervals.

    Parameters
    ----------
    data
        Trial data.
    level
        Confidence level of the interval, in (0, 1).

    Returns
    -------
    xarray.Dataset
        ``events``, ``n``, ``rate``, ``low`` and ``high`` over (*groups, dose, endpoint); NaN without
        patients. An outcome known for all groups together only is in the rates of
        ``data.ungrouped()`` alone.

    Examples
    --------
    >>> from doseopt_bayes.data.trial import TrialData
    >>> rates = observed_rates(TrialData.parse("1NNE", doses=[10, 20]))
    >>> round(float(rates["high"].sel(dose=10, endpoint="tox")), 3)  # 0 of 3
    0.708
    """
    events, n = data.counts[names.EVENTS], data.counts[names.N]
    tail = (1 - level) / 2
    some = n > 0
    # the beta quantiles are NaN where a shape is 0: there the exact limit is 0 or 1
    low = xr.apply_ufunc(stats.beta.ppf, tail, events, n - events + 1)
    high = xr.apply_ufunc(stats.beta.ppf, 1 - tail, events + 1, n - events)
    found = xr.Dataset(
        {
            names.EVENTS: events,
            names.N: n,
            "rate": (events / n.where(some)),
            "low": xr.where(events == 0, 0.0, low).where(some),
            "high": xr.where(events == n, 1.0, high).where(some),
        }
    )
    found.attrs = {"interval": "exact (Clopper-Pearson)", "level": level}
    return found
