"""Covariates of an exposure-response table: numbers, or levels that are checked."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from doseopt_bayes.data.read.values import NumberStyle, is_missing, number_or_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from doseopt_bayes.data.exposure_columns import Covariate, ExposureColumns
    from doseopt_bayes.data.read.identity import NamedRow
    from doseopt_bayes.data.read.values import Place
    from doseopt_bayes.errors import Problem

__all__ = ["read_covariate"]

Cells = list[tuple["Place", object]]


def read_covariate(
    covariate: Covariate,
    kept: Sequence[NamedRow],
    columns: ExposureColumns,
    problems: list[Problem],
) -> tuple[Covariate, list[float] | list[str], list[str], list[str]]:
    """Read one covariate.

    Returns
    -------
    tuple
        The covariate with its kind, levels and reference; the values (NaN or empty text: none);
        the rule that keeps each row out (empty: usable); and notes.
    """
    name = covariate.name
    cells = [row.cell(name) for row in kept]
    style = NumberStyle(columns.decimal, columns.thousands)
    notes = []
    if not covariate.kind:
        kind = "category" if covariate.levels or not _numeric(cells, style) else "numeric"
        covariate = replace(covariate, kind=kind)
        notes.append(f"covariate {name} read as {kind} (declare Covariate({name!r}, ...) to fix)")
    gone = [is_missing(value) for _, value in cells]
    why = [f"{name} missing" if empty else "" for empty in gone]
    if columns.policy(name) == "error":
        for (at, value), empty in zip(cells, gone, strict=True):
            if empty:
                rule = f"covariate {name} is missing"
                repair = f"fill it in, or choose missing={{{name!r}: 'exclude'}}"
                problems.append(at.problem("DOB-E02", value, rule, repair))
    elif any(gone):
        notes.append(f"covariate {name}: missing in {sum(gone)} rows, left out where it is used")
    if covariate.post_baseline:
        notes.append(
            f"WARNING covariate {name} was formed after treatment began: toxicity lowers the dose "
            "that is taken, and time without an event lengthens it (feedback, immortal time), so "
            "that its coefficient is no effect of the dose that is given"
        )
    if covariate.kind == "numeric":
        numbers = [_number(c, style, problems) for c in cells]
        if len({n for n in numbers if not math.isnan(n)}) == 1:
            notes.append(f"covariate {name} does not vary: its coefficient is its prior")
        return covariate, numbers, why, notes
    texts = ["" if empty else _label(value) for (_, value), empty in zip(cells, gone, strict=True)]
    covariate, more = _levels(covariate, cells, texts, problems)
    return covariate, texts, why, [*notes, *more]


def _numeric(cells: Cells, style: NumberStyle) -> bool:
    known = [(at, v) for at, v in cells if not is_missing(v)]
    return all(isinstance(number_or_text(v, at, style, []), float) for at, v in known)


def _label(value: object) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _number(cell: tuple[Place, object], style: NumberStyle, problems: list[Problem]) -> float:
    at, value = cell
    if is_missing(value):
        return math.nan
    found = number_or_text(value, at, style, problems)
    if isinstance(found, float) and math.isfinite(found):
        return found
    if found is not None:
        rule = "a numeric covariate is a finite number"
        repair = f"correct the value, or declare Covariate({at.column!r}, kind='category')"
        problems.append(at.problem("DOB-A07", value, rule, repair))
    return math.nan


def _levels(
    covariate: Covariate, cells: Cells, texts: Sequence[str], problems: list[Problem]
) -> tuple[Covariate, list[str]]:
    """Check the levels seen against those declared, and against each other (E04)."""
    name = covariate.name
    seen = Counter(text for text in texts if text)
    notes = []
    folded: dict[str, str] = {}
    for level in [*covariate.levels, *seen]:
        twin = folded.setdefault(" ".join(level.split()).casefold(), level)
        if twin != level:
            at = next(at for (at, _), text in zip(cells, texts, strict=True) if text == level)
            rule = f"levels {twin!r} and {level!r} of {name} differ by case or blanks only"
            problems.append(at.problem("DOB-E04", level, rule, "write one spelling"))
    if covariate.levels:
        for (at, value), text in zip(cells, texts, strict=True):
            if text and text not in covariate.levels:
                rule = f"level {text!r} of {name} is not declared: {', '.join(covariate.levels)}"
                problems.append(at.problem("DOB-E02", value, rule, "correct it, or declare it"))
        empty = [level for level in covariate.levels if not seen[level]]
        if empty:
            notes.append(f"covariate {name}: no patient has {', '.join(empty)}: prior only")
    else:
        covariate = replace(covariate, levels=tuple(sorted(seen)))
    if not covariate.reference and covariate.levels:
        covariate = replace(covariate, reference=covariate.levels[0])
        notes.append(
            f"covariate {name}: {covariate.reference!r} is the reference level (the first)"
        )
    if len(seen) == 1:
        notes.append(f"covariate {name} does not vary: its coefficients are their priors")
    single = [level for level, n in seen.items() if n == 1 and len(seen) > 1]
    if single:
        notes.append(f"covariate {name}: one patient only has {', '.join(single)}")
    return covariate, notes
