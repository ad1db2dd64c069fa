"""Pending patients beside the counts: laid out by dose, and said in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from doseopt_bayes import names
from doseopt_bayes.data.follow_up import PENDING_RULE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

    from doseopt_bayes.data.follow_up import FollowUp

__all__ = ["followed", "pending_words", "with_pending"]

EVENT = {names.TOX: ("T", "B"), names.EFF: ("E", "B")}


def with_pending(
    counts: xr.Dataset,
    rows: Sequence[tuple[float, Sequence[float]]],
    follow_up: Mapping[str, FollowUp],
) -> xr.Dataset:
    """Add pending patients to counts without groups; without any the counts stay as they are.

    Parameters
    ----------
    counts
        As laid out by ``counting.lay_out``.
    rows
        Dose and the share of each outcome of every pending patient, in any order.
    follow_up
        Endpoint to what was followed; windows and units become attributes.

    Returns
    -------
    xarray.Dataset
        With ``pending`` (dose, slot, cell): the share of each outcome of each pending patient, in
        descending order at each dose; slots without a patient have 1, which says nothing.
    """
    if not rows:
        return counts
    doses = counts[names.DOSE].to_numpy().tolist()
    by_dose = [sorted((list(s) for d, s in rows if d == dose), reverse=True) for dose in doses]
    share = np.ones((len(doses), max(map(len, by_dose)), len(names.CELLS)))
    for j, here in enumerate(by_dose):
        if here:
            share[j, : len(here)] = here
    about: dict[str, Any] = {f"{e}_window": float(f.window) for e, f in follow_up.items()}
    about |= {f"{e}_unit": f.unit for e, f in follow_up.items()}
    dims = (names.DOSE, names.SLOT, names.CELL)
    return counts.assign({names.PENDING: xr.Variable(dims, share, about)})


def followed(counts: xr.Dataset, endpoint: str) -> float:
    """Return the follow-up of all patients whose `endpoint` is pending, added up, in windows.

    Parameters
    ----------
    counts
        With ``pending``.
    endpoint
        ``"tox"`` or ``"eff"``.
    """
    share = counts[names.PENDING]
    event = share.sel({names.CELL: list(EVENT[endpoint])}).max(names.CELL)
    none = share.drop_sel({names.CELL: list(EVENT[endpoint])}).max(names.CELL)
    return float((1 - event).where((event > 0) & (none > 0), 0.0).sum())


def pending_words(counts: xr.Dataset, table: pd.DataFrame) -> dict[str, str]:
    """Say of each followed endpoint how many patients are pending, and their follow-up in all.

    Parameters
    ----------
    counts, table
        Counts and disposition of a trial.
    """
    if names.PENDING not in counts or PENDING_RULE not in table:
        return {}
    about = counts[names.PENDING].attrs
    n = table.groupby("endpoint", sort=False)[PENDING_RULE].sum()
    found = {}
    for end, k in n.items():
        window = about.get(f"{end}_window")
        if not k or window is None:
            continue
        unit = f" {about[f'{end}_unit']}" if about.get(f"{end}_unit") else ""
        time = round(followed(counts, str(end)) * window, 6)
        some = f"{k} patient{'s' if k != 1 else ''} pending"
        found[str(end)] = (
            f"{end}: {some}, followed for {time:g} of {k * window:g}{unit} without event"
        )
    return found
