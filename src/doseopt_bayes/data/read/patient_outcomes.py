"""The outcome of each patient for one endpoint, or the rule that keeps it out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from doseopt_bayes.data.read.binary import binary_column
from doseopt_bayes.data.read.values import is_missing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from doseopt_bayes.data.columns import PatientColumns
    from doseopt_bayes.data.read.identity import NamedRow
    from doseopt_bayes.errors import Problem

__all__ = ["read_outcomes"]

MISSING_RULE = {"exclude": "missing", "pending": "pending"}


def read_outcomes(
    end: str,
    kept: Sequence[NamedRow],
    columns: PatientColumns,
    *,
    typed: bool,
    problems: list[Problem],
) -> tuple[list[int | None], list[str]]:
    """Return the outcome of each patient (None: not analysed) and the rule that excluded it."""
    codes = columns.levels.get(end, {})
    cells = [p.cell(columns.endpoint_columns[end]) for p in kept]
    ready = _evaluable(end, kept, columns, typed=typed, problems=problems)
    policy = columns.missing.get(end, "error")
    open_cells = [cell for cell, known in zip(cells, ready, strict=True) if known]
    read = iter(binary_column(open_cells, codes, typed=typed, problems=problems))
    values: list[int | None] = []
    rules = []
    for (at, value), known in zip(cells, ready, strict=True):
        found, rule = (next(read), "") if known else (None, "not evaluable")
        early = [] if known else binary_column([(at, value)], codes, typed=typed, problems=[])
        if early == [1]:
            text, repair = (
                "an event of a patient not evaluable",
                "set evaluable to 1, or empty the outcome",
            )
            problems.append(at.problem("DOB-B01", value, text, repair))
        if known and is_missing(value, codes):
            rule = MISSING_RULE.get(policy, "")
            if not rule and end not in columns.follow_up:  # there, follow-up says what it means
                text = f"{end} is missing; not known is never read as no event"
                repair = f"fill it in, or choose missing.{end} = 'exclude' or 'pending'"
                problems.append(at.problem("DOB-B01", value, text, repair))
        values.append(found)
        rules.append(rule)
    return values, rules


def _evaluable(
    end: str,
    kept: Sequence[NamedRow],
    columns: PatientColumns,
    *,
    typed: bool,
    problems: list[Problem],
) -> list[bool]:
    column = columns.evaluable.get(end, "")
    if not column or (kept and column not in kept[0].row.cells):
        return [True] * len(kept)
    cells = [p.cell(column) for p in kept]
    codes = columns.levels.get(column, {})
    for at, value in cells:
        if is_missing(value, codes):
            rule, repair = "whether the patient is evaluable is missing", "write 1 or 0"
            problems.append(at.problem("DOB-B01", value, rule, repair))
    return [v == 1 for v in binary_column(cells, codes, typed=typed, problems=problems)]
