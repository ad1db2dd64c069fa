"""Who was read, who was analysed, and why the others were not."""

from __future__ import annotations

import math
from collections import Counter
from itertools import product
from typing import TYPE_CHECKING, Any

import pandas as pd

from doseopt_bayes.errors import DoseOptError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    type Mark = tuple[*tuple[str, ...], float, str]

__all__ = ["check_disposition", "disposition"]

ANALYSED = ""
KEYS = ["endpoint", "dose", "read", "analysed"]


def disposition(
    doses: Sequence[float],
    marks: Mapping[str, Sequence[Mark]],
    *,
    groups: Mapping[str, tuple[str, ...]] | None = None,
) -> pd.DataFrame:
    """Count patients per endpoint, group and dose: read, analysed, and one column per rule.

    Parameters
    ----------
    doses
        Every candidate dose, ascending; a dose without patients gets a row of zeros.
    marks
        Endpoint to one (*labels, dose, rule) per patient; an empty rule means analysed, a dose NaN
        that the dose of an excluded patient cannot be read. Without groups there are no labels.
    groups
        Levels of each grouping. Labels that are no level get rows of their own after the levels.

    Returns
    -------
    pandas.DataFrame
        Columns endpoint, one per grouping, dose, read, analysed and one integer column per rule
        that occurs.

    Examples
    --------
    >>> disposition([1.0], {"tox": [(1.0, ""), (1.0, "pending")]}).to_dict("records")
    [{'endpoint': 'tox', 'dose': 1.0, 'read': 2, 'analysed': 1, 'pending': 1}]
    """
    groups = groups or {}
    rules = sorted({mark[-1] for m in marks.values() for mark in m if mark[-1] != ANALYSED})
    seen = [mark[:-2] for m in marks.values() for mark in m]
    planned = list(product(*groups.values()))
    everyone = list(dict.fromkeys([*planned, *sorted(set(seen))]))
    records = []
    for endpoint, patients in marks.items():
        by_group: dict[tuple[str, ...], list[tuple[float, str]]] = {}
        for mark in patients:
            by_group.setdefault(mark[:-2], []).append((mark[-2], mark[-1]))
        for labels in everyone:
            here = by_group.get(labels, [])
            if not here and labels not in planned:
                continue
            levels = list(doses)
            if any(math.isnan(dose) for dose, _ in here):
                levels.append(math.nan)
            for level in levels:
                counts = Counter(rule for dose, rule in here if _at(dose, level))
                row: dict[str, Any] = {"endpoint": endpoint} | dict(
                    zip(groups, labels, strict=True)
                )
                row |= {"dose": level, "read": counts.total(), "analysed": counts[ANALYSED]}
                records.append(row | {rule: counts[rule] for rule in rules})
    heads = ["endpoint", *groups, "dose", "read", "analysed", *rules]
    table = pd.DataFrame(records, columns=heads)
    check_disposition(table, {e: len(m) for e, m in marks.items()}, tuple(groups))
    return table


def check_disposition(
    table: pd.DataFrame, read: Mapping[str, int], groupings: Sequence[str] = ()
) -> None:
    """Prove that every patient read is either analysed or excluded by one rule.

    Parameters
    ----------
    table
        A disposition.
    read
        Patients read per endpoint.
    groupings
        Its columns that hold levels of groups.

    Raises
    ------
    DoseOptError
        When ``read == analysed + excluded`` fails in a row, or an endpoint lost patients.
    """
    excluded = table.drop(columns=[*KEYS, *groupings]).sum(axis=1)
    broken = table[table["read"] != table["analysed"] + excluded]
    lost = [e for e, n in read.items() if table.loc[table["endpoint"] == e, "read"].sum() != n]
    if len(broken) or lost:
        where = ", ".join([*broken["endpoint"].astype(str).unique(), *lost])
        raise DoseOptError(
            f"patients read differ from analysed + excluded for {where}",
            hint="this is a fault of the package: please report it with the column roles used",
        )


def _at(dose: float, level: float) -> bool:
    return dose == level or (math.isnan(dose) and math.isnan(level))
