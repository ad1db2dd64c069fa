"""Backfilled patients of a file: counted by dose, and said."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from doseopt_bayes.data.read.binary import binary_column
from doseopt_bayes.data.read.values import is_missing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from doseopt_bayes.data.columns import PatientColumns
    from doseopt_bayes.data.read.doses import Placed
    from doseopt_bayes.data.read.identity import NamedRow
    from doseopt_bayes.errors import Problem

__all__ = ["backfill_notes"]


def backfill_notes(
    kept: Sequence[NamedRow],
    placed: Placed,
    columns: PatientColumns,
    *,
    typed: bool,
    problems: list[Problem],
) -> tuple[str, ...]:
    """Count the backfilled patients of each dose; a missing flag is a problem.

    Returns
    -------
    tuple of str
        For the notes of the data; empty without such a column.
    """
    if not columns.backfill or (kept and columns.backfill not in kept[0].row.cells):
        return ()
    codes = columns.levels.get(columns.backfill, {})
    cells = [p.cell(columns.backfill) for p in kept]
    for at, value in cells:
        if is_missing(value, codes):
            rule = "whether the patient was backfilled is missing"
            problems.append(at.problem("DOB-B01", value, rule, "write 1 or 0"))
    flags = binary_column(cells, codes, typed=typed, problems=problems)
    pairs = zip(placed.doses, flags, strict=True)
    count = Counter(dose for dose, flag in pairs if flag == 1 and dose is not None)
    by_dose = ", ".join(
        f"{n} at {dose:g} {placed.unit}".rstrip() for dose, n in sorted(count.items())
    )
    said = f" ({by_dose})" if by_dose else ""
    note = (
        f"backfilled: {count.total()} of {len(kept)} patients{said}, by {columns.backfill}; they count "
        "like every other patient"
    )
    return (note,)
