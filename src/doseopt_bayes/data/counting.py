"""Checked patients or counts to the dataset that models read, and what it cannot tell, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from doseopt_bayes import names
from doseopt_bayes.data.read.counts import DoseCounts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

__all__ = ["count_marks", "count_patients", "lay_out", "print_counts", "silent_risks"]


def count_patients(
    patients: pd.DataFrame, doses: Sequence[float], endpoints: Sequence[str]
) -> Mapping[float, DoseCounts]:
    """Count outcomes per dose; an outcome that is not analysed counts nowhere.

    Parameters
    ----------
    patients
        Columns dose and one Int8 column per endpoint.
    doses, endpoints
        The dims of the result.
    """
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
    at_dose: Mapping[float, DoseCounts],
    doses: Sequence[float],
    endpoints: Sequence[str],
    unit: str,
) -> xr.Dataset:
    """Put counts on named dims; a candidate dose without data has zeros.

    Parameters
    ----------
    at_dose
        Counts of the doses that were observed.
    doses, endpoints
        The coordinates.
    unit
        Unit of the doses, kept as the attribute ``units``.
    """
    blank = DoseCounts(0, {}, {}, {})
    rows = [at_dose.get(dose, blank) for dose in doses]
    by_end = (names.DOSE, names.ENDPOINT)
    n = [[row.n.get(e, 0) for e in endpoints] for row in rows]
    events = [[row.events.get(e, 0) for e in endpoints] for row in rows]
    cells = [[row.cells.get(c, 0) for c in names.CELLS] for row in rows]
    treated = [row.n_treated for row in rows]
    shape = (len(doses), len(endpoints))
    return xr.Dataset(
        {
            names.N_TREATED: (names.DOSE, np.asarray(treated, dtype=np.int64)),
            names.N: (by_end, np.asarray(n, dtype=np.int64).reshape(shape)),
            names.EVENTS: (by_end, np.asarray(events, dtype=np.int64).reshape(shape)),
            names.CELL_COUNT: ((names.DOSE, names.CELL), np.asarray(cells, dtype=np.int64)),
        },
        coords={
            names.DOSE: (names.DOSE, np.asarray(doses, dtype=float), {"units": unit}),
            names.ENDPOINT: list(endpoints),
            names.CELL: list(names.CELLS),
        },
    )


def silent_risks(counts: xr.Dataset, table: pd.DataFrame, unit: str) -> list[str]:
    """Say what the counts cannot tell: untried doses, unknown association, patients left out.

    Parameters
    ----------
    counts
        As laid out by `lay_out`.
    table
        The disposition.
    unit
        Unit of the doses.
    """
    notes = []
    analysed = counts[names.N].sum(names.DOSE)
    ends = [str(e) for e in counts[names.ENDPOINT].to_numpy()]
    if not int(analysed.sum()):
        notes.append("PRIOR ONLY: no outcome was analysed")
    notes += [
        f"{end}: no patient analysed, so that its curve is the prior"
        for end in ends
        if int(analysed.sum()) and not int(analysed.sel(endpoint=end))
    ]
    tried = [
        float(d)
        for d, k in zip(counts["dose"].to_numpy(), counts["n_treated"].to_numpy(), strict=True)
        if k
    ]
    untried = [float(d) for d in counts[names.DOSE].to_numpy() if float(d) not in tried]
    label = f" {unit}" if unit else ""
    if len(tried) == 1:
        notes.append(f"one dose observed ({tried[0]:g}{label}): slope not identified by data")
    if tried and untried:
        notes.append(f"no patients at {', '.join(f'{d:g}' for d in untried)}{label}")
    if not unit:
        notes.append("no dose unit declared")
    if {names.TOX, names.EFF} <= set(ends) and not int(counts[names.CELL_COUNT].sum()) and tried:
        notes.append(
            "tox and eff are known as margins only: their association is driven by its prior"
        )
    for rule in table.columns[4:]:
        by_end = table.groupby("endpoint", sort=False)[rule].sum()
        notes += [f"{end}: {k} patients {rule}" for end, k in by_end.items() if k]
    return notes


def count_marks(at_dose: Mapping[float, DoseCounts], end: str) -> list[tuple[float, str]]:
    """Return one (dose, rule) per treated patient of a counts table, for the disposition."""
    marks = []
    for dose, row in at_dose.items():
        marks += [(dose, "")] * row.n[end]
        marks += [(dose, "not in the denominator")] * (row.n_treated - row.n[end])
    return marks


def print_counts(counts: xr.Dataset, unit: str) -> str:
    """Print a short table: dose, patients treated, and events / analysed per endpoint."""
    ends = [str(e) for e in counts[names.ENDPOINT].to_numpy()]
    rows = [[f"dose ({unit})" if unit else "dose", "n", *ends]]
    for dose in counts[names.DOSE].to_numpy():
        here = counts.sel({names.DOSE: dose})
        n, events = here[names.N].to_numpy(), here[names.EVENTS].to_numpy()
        shares = [f"{x}/{k}" for x, k in zip(events, n, strict=True)]
        rows.append([f"{dose:g}", str(int(here[names.N_TREATED])), *shares])
    width = [max(len(row[i]) for row in rows) + 4 * (i > 0) for i in range(len(rows[0]))]
    lines = ["".join(c.rjust(w) for c, w in zip(row, width, strict=True)) for row in rows]
    return "\n".join([f"{int(counts[names.N_TREATED].sum())} patients treated", *lines])
