"""The response of each patient for one endpoint of any kind, or the rule that keeps it out."""

from __future__ import annotations

import math
import numbers
from collections import Counter
from typing import TYPE_CHECKING

from doseopt_bayes.data.endpoints import Binary, Count, Endpoint, Grouped, TimeToEvent
from doseopt_bayes.data.read.binary import binary_column
from doseopt_bayes.data.read.values import NumberStyle, Place, count_value, is_missing
from doseopt_bayes.data.read.values import number_or_text as parse
from doseopt_bayes.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from doseopt_bayes.data.exposure_columns import ExposureColumns
    from doseopt_bayes.data.read.identity import NamedRow

__all__ = ["read_response"]

Cell = tuple[Place, object]


def read_response(
    name: str,
    kept: Sequence[NamedRow],
    columns: ExposureColumns,
    *,
    typed: bool,
    problems: list[Problem],
) -> tuple[dict[str, list[float]], list[str], list[str]]:
    """Read the columns of one endpoint.

    Returns
    -------
    tuple
        Values per column of the result (`name`, and `name_time`, `name_sd` or `name_n`; NaN:
        none), the rule that keeps each row out (empty: analysed), and notes.
    """
    end = columns.endpoints[name]
    why = _outside(name, kept, columns, typed=typed, problems=problems)
    codes = end.levels if isinstance(end, Binary) else None
    for i, row in enumerate(kept):
        gaps = [c for c in end.columns if is_missing(row.row.cells.get(c), codes)]
        if why[i] or not gaps:
            continue
        why[i] = "response missing"
        if columns.policy(name) == "error":
            at, value = row.cell(gaps[0])
            rule = f"{name} is missing; not known is never read as no event"
            repair = f"fill it in, or choose missing={{{name!r}: 'exclude'}}, which counts it"
            problems.append(at.problem("DOB-B01", value, rule, repair))
    known = [row for row, reason in zip(kept, why, strict=True) if not reason]
    found = _values(name, end, known, columns, typed=typed, problems=problems)
    if not any(p.column in end.columns for p in problems):
        problems += _constant(name, end, found[name], known)
    notes = _said(name, end, found[name], known)
    gone = sum(reason == "response missing" for reason in why)
    if gone:
        notes.append(f"{name}: {gone} rows without a response excluded (missing='exclude')")
    return {key: _spread(v, why) for key, v in found.items()}, why, notes


def _outside(
    name: str,
    kept: Sequence[NamedRow],
    columns: ExposureColumns,
    *,
    typed: bool,
    problems: list[Problem],
) -> list[str]:
    """Return why a row is not analysed by declaration: a reason column, or not evaluable yet."""
    why = [""] * len(kept)
    reasons, ready = columns.reasons.get(name, ""), columns.evaluable.get(name, "")
    if reasons:
        cells = [row.row.cells[reasons] for row in kept]
        why = ["" if is_missing(cell) else str(cell) for cell in cells]
    if ready:
        cells_ready = [row.cell(ready) for row in kept]
        for at, value in cells_ready:
            if is_missing(value):
                rule, repair = "whether the patient is evaluable is missing", "write 1 or 0"
                problems.append(at.problem("DOB-B01", value, rule, repair))
        flags = binary_column(cells_ready, {}, typed=typed, problems=problems)
        pairs = zip(why, flags, strict=True)
        why = ["not evaluable" if flag == 0 and not reason else reason for reason, flag in pairs]
    return why


def _spread(values: Sequence[float], why: Sequence[str]) -> list[float]:
    known = iter(values)
    return [math.nan if reason else next(known) for reason in why]


def _values(
    name: str,
    end: Endpoint,
    known: Sequence[NamedRow],
    columns: ExposureColumns,
    *,
    typed: bool,
    problems: list[Problem],
) -> dict[str, list[float]]:
    style = NumberStyle(columns.decimal, columns.thousands)

    def cells(column: str) -> list[Cell]:
        return [row.cell(column) for row in known]

    if isinstance(end, Binary):
        codes = end.levels or {}
        found = binary_column(cells(end.column), codes, typed=typed, problems=problems)
        return {name: [math.nan if v is None else float(v) for v in found]}
    if isinstance(end, Count):
        counts = [_or_nan(count_value(v, at, style, problems)) for at, v in cells(end.column)]
        time = [_positive(c, "person-time", style, problems) for c in cells(end.person_time)]
        return {name: counts, f"{name}_time": time}
    if isinstance(end, TimeToEvent):
        events = [_event(c, end, style, problems) for c in cells(end.event)]
        problems += _event_value(end, cells(end.event), events)
        time = [_positive(c, "time", style, problems) for c in cells(end.time)]
        return {name: events, f"{name}_time": time}
    if isinstance(end, Grouped):
        n = [_group_size(c, style, problems) for c in cells(end.n)]
        sd = [_positive(c, "standard deviation", style, problems) for c in cells(end.sd)]
        mean = [_number(c, style, problems) for c in cells(end.mean)]
        return {name: mean, f"{name}_sd": sd, f"{name}_n": n}
    return {name: [_number(c, style, problems) for c in cells(end.column)]}


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else float(value)


def _number(cell: Cell, style: NumberStyle, problems: list[Problem]) -> float:
    at, value = cell
    found = parse(value, at, style, problems)
    if isinstance(found, str):
        rule, repair = "a response is a number", "correct the value, or leave the cell empty"
        problems.append(at.problem("DOB-B06", value, rule, repair))
    elif found is not None and not math.isfinite(found):
        rule, repair = "the response is not a finite number", "correct the value"
        problems.append(at.problem("DOB-D06", value, rule, repair))
    elif found is not None:
        return found
    return math.nan


def _positive(cell: Cell, what: str, style: NumberStyle, problems: list[Problem]) -> float:
    found = _number(cell, style, problems)
    if found <= 0:
        at, value = cell
        rule = f"a {what} is > 0"
        repair = "correct it; a time counted from day 0 starts at day 1" if what == "time" else ""
        repair = repair or "correct the value, or leave the row out with its reason"
        problems.append(at.problem("DOB-B13", value, rule, repair))
    return found


def _group_size(cell: Cell, style: NumberStyle, problems: list[Problem]) -> float:
    at, value = cell
    size = count_value(value, at, style, problems)
    if size == 0:
        rule, repair = "a group has at least one patient", "leave the group out"
        problems.append(at.problem("DOB-B13", value, rule, repair))
    return _or_nan(size)


def _event(cell: Cell, end: TimeToEvent, style: NumberStyle, problems: list[Problem]) -> float:
    at, value = cell
    if isinstance(end.event_value, str):
        return float(str(value) == end.event_value)
    found = parse(value, at, style, problems)
    if isinstance(found, str):
        rule = f"event_value = {end.event_value!r} is a number, the cell is text"
        repair = f"pass the text that means an event, for example event_value={value!r}"
        problems.append(at.problem("DOB-B06", value, rule, repair))
        return math.nan
    return math.nan if found is None else float(found == end.event_value)


def _event_value(end: TimeToEvent, cells: Sequence[Cell], events: Sequence[float]) -> list[Problem]:
    """Refuse a coding whose event value is text that never occurs: nobody would have an event."""
    seen = {str(value) for _, value in cells}
    if not isinstance(end.event_value, str) or not cells or 1.0 in events:
        return []
    rule = f"event_value = {end.event_value!r} never occurs in {end.event}; seen: "
    rule += ", ".join(sorted(seen)[:10])
    repair = "pass the value that means an event, as it is written in the column"
    at = cells[0][0]
    return [Problem("DOB-B06", rule, repair, at.file, column=end.event)]


def _constant(
    name: str, end: Endpoint, values: Sequence[float], known: Sequence[NamedRow]
) -> list[Problem]:
    """Refuse a measured response without variation (D08)."""
    if end.kind != "continuous" or not values or len(set(values)) > 1:
        return []
    rule = f"response {name} has no variation (n={len(values)}, value {values[0]:g})"
    repair = "check the column: no curve and no residual spread can be learned from it"
    at = known[0].cell(end.columns[0])[0]
    return [Problem("DOB-D08", rule, repair, at.file, column=at.column)]


def _said(
    name: str, end: Endpoint, values: Sequence[float], known: Sequence[NamedRow]
) -> list[str]:
    """Say how events were counted, and what an all-or-none response cannot tell."""
    notes, n, events = [], len(values), sum(v for v in values if not math.isnan(v))
    if isinstance(end, TimeToEvent):
        other = Counter(
            _text(row.row.cells[end.event]) for row, v in zip(known, values, strict=True) if v == 0
        )
        shown = ", ".join(f"{k} ({c})" for k, c in sorted(other.items())) or "none"
        notes.append(
            f"{name}: event when {end.event} = {_text(end.event_value)}: {events:g} events of {n}; "
            f"censored values: {shown}"
        )
        if end.event.upper().startswith("CNSR") and end.event_value not in (0, "0"):
            notes.append(
                f"WARNING {name}: {end.event} is 0 for an event by the CDISC standard, and "
                f"event_value={end.event_value!r} was declared"
            )
    if end.kind in {"binary", "count", "time_to_event"} and n:
        whole = events == n and end.kind != "count"
        if events == 0 or whole:
            extent = "no patient has" if events == 0 else "every patient has"
            notes.append(
                f"WARNING {name}: {extent} an event (n={n}): the data bound the level, and cannot "
                "tell the shape of a curve"
            )
    if end.kind == "grouped" and n and len(set(values)) == 1:
        notes.append(f"WARNING {name}: every group has the mean {values[0]:g}")
    return notes


def _text(value: object) -> str:
    whole = isinstance(value, numbers.Real) and float(value).is_integer()
    return str(int(value)) if whole else str(value)  # type: ignore[call-overload]
