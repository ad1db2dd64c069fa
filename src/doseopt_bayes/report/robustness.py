"""The sensitivity page of the report: what would change the answer, in words and tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from doseopt_bayes.report.tables import Table

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from doseopt_bayes.analysis import Analysis

__all__ = ["as_tables", "robustness"]

DOSES: Final = ("dose", "leading", "new leading dose")  # columns that hold doses
LARGE: Final = 1000


def robustness(analysis: Analysis) -> tuple[tuple[str, ...], list[Table]]:
    """Say what single change of a weight, a limit or the prior would change the leading dose.

    Parameters
    ----------
    analysis
        A finished analysis of one group; of subgroups, that of each has its own.

    Returns
    -------
    sentences, tables
        The verdict first.
    """
    found = analysis.sensitivity
    if found is None:
        return ("Sensitivity is that of each subgroup by itself.",), []
    return found.sentences, as_tables(found.frames(), analysis.data.unit)


def as_tables(frames: Mapping[str, pd.DataFrame], unit: str) -> list[Table]:
    """Return frames as tables of text; of a frame with a column ``flips``, the rows that do."""
    tables = []
    for title, frame in frames.items():
        kept = frame[frame["flips"]].drop(columns="flips") if "flips" in frame else frame
        rows = tuple(tuple(_cell(x) for x in row) for row in kept.itertuples(index=False))
        heads = tuple(_head(str(c), unit) for c in kept.columns)
        tables.append(Table(title, heads, rows))
    return tables


def _head(column: str, unit: str) -> str:
    words = column.replace("_", " ").replace("mcse", "(MCSE)")
    return f"{words} ({unit})" if unit and column in DOSES else words


def _cell(x: object) -> str:
    if isinstance(x, bool | np.bool_):
        return "yes" if x else "no"
    if isinstance(x, float):
        if np.isnan(x):
            return "-"
        if 0.9995 <= x < 1:
            return ">0.999"
        return f"{x:.0f}" if x >= LARGE else f"{x:.3g}"
    return str(x)
