"""Checked patients or counts to the dataset that models read."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from doseopt_bayes import names
from doseopt_bayes.data.read.counts import DoseCounts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

    from doseopt_bayes.data.disposition import Mark
    from doseopt_bayes.data.read.counts import AtGroups
    from doseopt_bayes.data.read.groups import Groups

__all__ = ["count_marks", "count_patients", "groupings", "lay_out", "totals"]


def groupings(counts: xr.Dataset) -> tuple[str, ...]:
    """Return the names of the groupings that counts lie over, in their order.

    Parameters
    ----------
    counts
        As laid out by `lay_out`.
    """
    return tuple(str(d) for d in counts[names.N_TREATED].dims if d != names.DOSE)


def count_patients(
    patients: pd.DataFrame,
    doses: Sequence[float],
    endpoints: Sequence[str],
    groups: Groups | None = None,
) -> AtGroups:
    """Count outcomes per group and dose; an outcome that is not analysed counts nowhere.

    Parameters
    ----------
    patients
        Columns dose, one per grouping, and one Int8 column per endpoint.
    doses, endpoints, groups
        The dims of the result. Without groups its one key is the empty tuple.
    """
    groups = groups or {}
    found = {}
    for labels in product(*groups.values()):
        here = patients
        for grouping, label in zip(groups, labels, strict=True):
            here = here[here[grouping] == label]
        found[labels] = _count_doses(here, doses, endpoints)
    return found


def _count_doses(
    patients: pd.DataFrame, doses: Sequence[float], endpoints: Sequence[str]
) -> dict[float, DoseCounts]:
    at_dose = {}
    for dose in doses:
        here = patients[patients["dose"] == dose]
        n = {e: int(here[e].notna().sum()) for e in endpoints}
        events = {e: int((here[e] == 1).fillna(False).sum()) for e in endpoints}
        cells = {}
        if names.TOX in endpoints and names.EFF in endpoints:
            joint = here[[names.EFF, names.TOX]].dropna().astype("int64")
            code = joint[names.EFF] + 2 * joint[names.TOX]  # N, E, T, B = 0, 1, 2, 3
            cells = {cell: int((code == k).sum()) for k, cell in enumerate(names.CELLS)}
        at_dose[dose] = DoseCounts(len(here), n, events, cells)
    return at_dose


def lay_out(
    found: AtGroups,
    doses: Sequence[float],
    endpoints: Sequence[str],
    unit: str,
    *,
    groups: Groups | None = None,
    together: Mapping[float, DoseCounts] | None = None,
) -> xr.Dataset:
    """Put counts on named dims; a candidate dose or a level without data has zeros.

    Parameters
    ----------
    found
        Counts of the groups and doses that were observed.
    doses, endpoints
        The coordinates.
    unit
        Unit of the doses, kept as the attribute ``units``.
    groups
        Levels of each grouping: the leading dims. Empty: no such dims.
    together
        Counts of outcomes known for all groups together only.

    Returns
    -------
    xarray.Dataset
        ``n_treated`` (*groups, dose), ``n`` and ``events`` (*groups, dose, endpoint) and
        ``cell_count`` (*groups, dose, cell); with groups ``n_together`` and ``events_together``
        (dose, endpoint) too.
    """
    groups, together = groups or {}, together or {}
    blank = DoseCounts(0, {}, {}, {})
    rows = [found.get(k, {}).get(dose, blank) for k in product(*groups.values()) for dose in doses]
    grid = (*(len(levels) for levels in groups.values()), len(doses))
    dims, by_end = (*groups, names.DOSE), (names.DOSE, names.ENDPOINT)
    last = {names.ENDPOINT: len(endpoints), names.CELL: len(names.CELLS)}

    def whole(values: object, dim: str) -> tuple[tuple[str, ...], np.ndarray]:
        return (*dims, dim), np.asarray(values, dtype=np.int64).reshape(*grid, last[dim])

    treated = np.asarray([row.n_treated for row in rows], dtype=np.int64).reshape(grid)
    n = [[row.n.get(e, 0) for e in endpoints] for row in rows]
    events = [[row.events.get(e, 0) for e in endpoints] for row in rows]
    cells = [[row.cells.get(c, 0) for c in names.CELLS] for row in rows]
    laid = xr.Dataset(
        {
            names.N_TREATED: (dims, treated),
            names.N: whole(n, names.ENDPOINT),
            names.EVENTS: whole(events, names.ENDPOINT),
            names.CELL_COUNT: whole(cells, names.CELL),
        },
        coords={
            names.DOSE: (names.DOSE, np.asarray(doses, dtype=float), {"units": unit}),
            names.ENDPOINT: list(endpoints),
            names.CELL: list(names.CELLS),
        }
        | {grouping: list(levels) for grouping, levels in groups.items()},
    )
    if groups:
        shape = (len(doses), len(endpoints))
        alone = [together.get(dose, blank) for dose in doses]
        for name, part in ((names.N_TOGETHER, "n"), (names.EVENTS_TOGETHER, "events")):
            values = [[getattr(row, part).get(e, 0) for e in endpoints] for row in alone]
            laid[name] = by_end, np.asarray(values, dtype=np.int64).reshape(shape)
    return laid


def totals(counts: xr.Dataset) -> xr.Dataset:
    """Add the groups up, outcomes known for all groups together included.

    Parameters
    ----------
    counts
        As laid out by `lay_out`.

    Returns
    -------
    xarray.Dataset
        Counts without groups. Patients treated: those of all groups, or more where an outcome
        known for all groups together has more patients.
    """
    over = groupings(counts)
    if not over:
        return counts
    added = counts.sum(over)
    n = added[names.N] + counts[names.N_TOGETHER]
    treated = np.maximum(added[names.N_TREATED], n.max(names.ENDPOINT))
    whole = xr.Dataset(
        {
            names.N_TREATED: treated,
            names.N: n,
            names.EVENTS: added[names.EVENTS] + counts[names.EVENTS_TOGETHER],
            names.CELL_COUNT: added[names.CELL_COUNT],
        }
    )
    whole[names.DOSE].attrs.update(counts[names.DOSE].attrs)
    return whole


def count_marks(
    found: AtGroups, together: Mapping[float, DoseCounts], endpoint: str, all_groups: Sequence[str]
) -> list[Mark]:
    """Return one (*labels, dose, rule) per treated patient of a counts table.

    Parameters
    ----------
    found, together
        Counts by group and dose, and of all groups together.
    endpoint
        One endpoint.
    all_groups
        Labels of the rows of all groups together; empty without groups.
    """
    marks: list[Mark] = []
    for labels, at_dose in found.items():
        for dose, row in at_dose.items():
            if endpoint not in row.n:  # its patients are counted for all groups together
                continue
            marks += [(*labels, dose, "")] * row.n[endpoint]
            marks += [(*labels, dose, "not in the denominator")] * (row.n_treated - row.n[endpoint])
    for dose, row in together.items():
        by_group = sum(at_dose[dose].n_treated for at_dose in found.values() if dose in at_dose)
        treated = max(by_group, *row.n.values())
        if endpoint in row.n:
            marks += [(*all_groups, dose, "")] * row.n[endpoint]
            rest, rule = treated - row.n[endpoint], "not in the denominator"
        else:
            rest, rule = treated - by_group, "in no group"
        marks += [(*all_groups, dose, rule)] * rest
    return marks
