"""Who was read, who was analysed, and why the others were not."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING

import pandas as pd

from doseopt_bayes.errors import DoseOptError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["check_disposition", "disposition"]

ANALYSED = ""
KEYS = ["endpoint", "dose", "read", "analysed"]


def disposition(
    doses: Sequence[float], marks: Mapping[str, Sequence[tuple[float, str]]]
) -> pd.DataFrame:
    """Count patients per endpoint and dose: read, analysed, and one column per exclusion rule.

    Parameters
    ----------
    doses
        Every candidate dose, ascending; a dose without patients gets a row of zeros.
    marks
        Endpoint to one (dose, rule) per patient; an empty rule means analysed, a dose NaN that
        the dose of an excluded patient cannot be read.

    Returns
    -------
    pandas.DataFrame
        Columns endpoint, dose, read, analysed and one integer column per rule that occurs.

    Examples
    --------
    >>> disposition([1.0], {"tox": [(1.0, ""), (1.0, "pending")]}).to_dict("records")
    [{'endpoint': 'tox', 'dose': 1.0, 'read': 2, 'analysed': 1, 'pending': 1}]
    """
    rules = sorted({rule for m in marks.values() for _, rule in m if rule != ANALYSED})
    records = []
    for endpoint, patients in marks.items():
        levels = list(doses)
        if any(math.isnan(dose) for dose, _ in patients):
            levels.append(math.nan)
        for level in levels:
            counts = Counter(rule for dose, rule in patients if _at(dose, level))
            row = {"endpoint": endpoint, "dose": level, "read": counts.total()}
            row |= {"analysed": counts[ANALYSED]} | {rule: counts[rule] for rule in rules}
            records.append(row)
    table = pd.DataFrame(records, columns=[*KEYS, *rules])
    check_disposition(table, {e: len(m) for e, m in marks.items()})
    return table


def check_disposition(table: pd.DataFrame, read: Mapping[str, int]) -> None:
    """Prove that every patient read is either analysed or excluded by one rule.

    Raises
    ------
    DoseOptError
        When ``read == analysed + excluded`` fails in a row, or an endpoint lost patients.
    """
    excluded = table.drop(columns=KEYS).sum(axis=1)
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
