"""The sensitivity page of the report: what would change the answer, in words and tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from doseopt_bayes.report.tables import Table

if TYPE_CHECKING:
    from doseopt_bayes.analysis import Analysis

__all__ = ["robustness"]

DOSES: Final = ("dose", "leading", "new leading dose")  # columns that hold doses
LARGE: Final = 1000


def robustness(analysis: Analysis) -> tuple[tuple[str, ...], list[Table]]:
    """Say what single change of a weight, a limit or the prior would change the leading dose.

    Parameters
    ----------
    analysis
        A finished analysis. One with several groups has no sensitivity page yet, which is said.

    Returns
    -------
    sentences, tables
        The verdict first.
    """
    found = analysis.sensitivity
    if found is None:
        return ("Sensitivity is not assessed for several groups at once.",), []
    tables = []
    for title, frame in found.frames().items():
        kept = frame[frame["flips"]].drop(columns="flips") if "flips" in frame else frame
        rows = tuple(tuple(_cell(x) for x in row) for row in kept.itertuples(index=False))
        heads = tuple(_head(str(c), analysis.data.unit) for c in kept.columns)
        tables.append(Table(title, heads, rows))
    return found.sentences, tables


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
