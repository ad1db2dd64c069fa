"""Who was read, analysed and left out, per endpoint, axis and dose of exposure-response data."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from doseopt_bayes.data.disposition import disposition
from doseopt_bayes.data.exposure_columns import DOSE, ExposureColumns

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from doseopt_bayes.data.read.exposure_rows import ExposureRows

__all__ = ["exposure_ledger", "first_rule", "ledger", "print_ledger"]

FIXED = ["endpoint", "exposure", "dose", "read", "analysed"]


def first_rule(why: Mapping[str, tuple[str, ...]], names: Sequence[str], n: int) -> list[str]:
    """Return the first rule that keeps each of `n` rows out (empty: none); dose keeps none out.

    Examples
    --------
    >>> first_rule({"os": ("", "pending"), "AUC": ("no AUC", "")}, ("os", "AUC"), 2)
    ['no AUC', 'pending']
    """
    columns = [why[name] for name in names if name in why]
    return [next((c[i] for c in columns if c[i]), "") for i in range(n)]


def exposure_ledger(found: ExposureRows, columns: ExposureColumns) -> pd.DataFrame:
    """Lay out read = analysed + excluded, per endpoint, axis and dose.

    Parameters
    ----------
    found
        Checked rows.
    columns
        Column roles.

    Returns
    -------
    pandas.DataFrame
        Columns endpoint, exposure (a metric or ``dose``), dose, read, analysed, and one integer
        column per rule that occurs.
    """
    return ledger(
        found.doses,
        found.table,
        found.why,
        axes=columns.exposures,
        endpoints=columns.endpoints,
        gone=found.gone,
    )


def ledger(
    grid: Sequence[float],
    table: pd.DataFrame,
    why: Mapping[str, tuple[str, ...]],
    *,
    axes: Iterable[str],
    endpoints: Iterable[str],
    gone: Sequence[tuple[float, str]] = (),
) -> pd.DataFrame:
    """Lay out the ledger of :func:`exposure_ledger` from its parts.

    Parameters
    ----------
    grid
        Doses.
    table, why, gone
        As in `ExposureRows`.
    axes, endpoints
        Exposure metrics, and names of endpoints.
    """
    doses, ends = table["dose"].tolist(), list(endpoints)
    parts = []
    for axis in (*axes, DOSE):
        marks = {}
        for end in ends:
            rules = first_rule(why, (end, axis), len(doses))
            marks[end] = [*zip(doses, rules, strict=True), *gone]
        part = disposition(tuple(grid), marks)
        part.insert(1, "exposure", axis)
        parts.append(part)
    found = pd.concat(parts, ignore_index=True)
    rules = [c for c in found.columns if c not in {"endpoint", "exposure", "dose"}]
    found[rules] = found[rules].fillna(0).astype("int64")
    return found[[*FIXED, *sorted(c for c in found.columns if c not in FIXED)]]


def print_ledger(table: pd.DataFrame) -> str:
    """Print the ledger; axes on which the same patients are analysed share their rows."""
    axes: dict[tuple[str, str], list[str]] = {}
    for (endpoint, exposure), part in table.groupby(["endpoint", "exposure"], sort=False):
        counts = part.drop(columns=["endpoint", "exposure"]).to_csv(index=False)
        axes.setdefault((str(endpoint), counts), []).append(str(exposure))
    parts = []
    for (endpoint, _), names in axes.items():
        here = (table["endpoint"] == endpoint) & (table["exposure"] == names[0])
        parts.append(table[here].assign(exposure=", ".join(names)))
    shown = pd.concat(parts)
    shown = shown.loc[:, [c for c in shown if c in FIXED or shown[c].any()]]
    return shown.to_string(index=False)
