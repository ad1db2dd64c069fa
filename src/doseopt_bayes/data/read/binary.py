"""A column of binary outcomes: 0/1, booleans, or text through a declared codelist."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from doseopt_bayes.data.read.values import NumberStyle, Place, is_missing, number_or_text
from doseopt_bayes.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["binary_column"]

MISSING_CODES = {-1, -9, -99, -999, 8, 9, 88, 99, 888, 999, 9999}


def binary_column(
    cells: Sequence[tuple[Place, object]],
    codelist: Mapping[str, int],
    *,
    typed: bool,
    problems: list[Problem],
) -> list[int | None]:
    """Read 0/1 outcomes; None stands for missing, or for a cell noted as faulty.

    Parameters
    ----------
    cells
        Place and value of every cell of one column.
    codelist
        Declared text to 0/1. When given it is closed; when empty, 0/1 and booleans are read.
    typed
        Cells of a data frame: text is then never read as a number.
    problems
        Receives the faults: values outside {0, 1} and unknown texts once per column.
    """
    seen = {_key(v) for _, v in cells if not is_missing(v, codelist)}
    other: dict[str, list[Place]] = {"DOB-B03": [], "DOB-B06": []}
    values: list[int | None] = []
    for at, value in cells:
        found: int | None = None
        if not is_missing(value, codelist):
            found, code = _binary(value, at, codelist, typed=typed, problems=problems)
            if code:
                other[code].append(at)
        values.append(found)
    for code, places in other.items():
        if places:
            problems.append(_wrong_levels(code, places, seen, codelist))
    return values


def _binary(
    value: object, at: Place, codelist: Mapping[str, int], *, typed: bool, problems: list[Problem]
) -> tuple[int | None, str]:
    """Return the outcome, or the code of a fault that is reported once per column."""
    if codelist:
        key = _key(value)
        return (int(codelist[key]), "") if key in codelist else (None, "DOB-B06")
    found = number_or_text(value, at, NumberStyle(), problems)
    if isinstance(found, str) or (found is not None and typed and isinstance(value, str)):
        return None, "DOB-B06"
    if found is None or found in {0, 1}:
        return (None if found is None else int(found)), ""
    if found.is_integer() and found not in MISSING_CODES:
        return None, "DOB-B03"
    problems.append(_not_binary(found, value, at))
    return None, ""


def _not_binary(found: float, value: object, at: Place) -> Problem:
    if found in MISSING_CODES:
        rule = f"{value!r} looks like a missing code; expected 0 or 1"
        repair = "leave the cell empty and choose missing = 'exclude' or 'pending'"
        return at.problem("DOB-B04", value, rule, repair)
    if not math.isfinite(found):
        return at.problem("DOB-A07", value, "not a finite number", "correct the value")
    rule, repair = "an outcome is 0 or 1, never between", "dichotomise it before reading"
    return at.problem("DOB-B05", value, rule, repair)


def _wrong_levels(
    code: str, places: Sequence[Place], seen: set[str], codelist: Mapping[str, int]
) -> Problem:
    rows = ", ".join(str(at.row) for at in places[:10]) + (", ..." if len(places) > 10 else "")
    allowed = ", ".join(codelist) if codelist else "0, 1"
    shown = ", ".join(sorted(seen)[:10])
    rule = f"values {{{shown}}}; expected {{{allowed}}}; {len(places)} rows: {rows}"
    ordered = sorted(seen)
    example = ordered if len(ordered) == 2 else ["N", "Y"]
    repair = f"declare a codelist in levels, for example {{{example[0]!r}: 0, {example[1]!r}: 1}}"
    at = places[0]
    return Problem(code, rule, repair, at.file, at.row, at.patient, at.column)


def _key(value: object) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
