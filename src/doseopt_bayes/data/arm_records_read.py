"""The rows of randomised arms: a raw table and its column roles in, checked patients out."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from doseopt_bayes.data.arm_records_outcome import (
    EventCount,
    FirstEvent,
    Grade,
    Measure,
    Outcome,
    code_text,
)
from doseopt_bayes.data.read.binary import MISSING_CODES
from doseopt_bayes.data.read.doses import (
    DoseText,
    candidate_doses,
    read_dose,
    read_doses,
    same_dose,
)
from doseopt_bayes.data.read.identity import NamedRow, identify, refuse_twice
from doseopt_bayes.data.read.table import RawTable, missing_columns
from doseopt_bayes.data.read.values import (
    NumberStyle,
    Place,
    count_value,
    is_missing,
    number_or_text,
)
from doseopt_bayes.errors import Problem, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from doseopt_bayes.data.arm_records import ArmColumns

__all__ = ["ArmRows", "read_arms"]

Cell = tuple[Place, object]
MISSING = "outcome missing"  # the rule under which such a patient is excluded


@dataclass(frozen=True, eq=False)
class ArmRows:
    """Checked patients of randomised arms.

    Parameters
    ----------
    doses
        Candidate doses, ascending.
    patients
        Columns id, dose and the outcome's, one row per patient analysed.
    treated
        Dose of every patient who is not excluded by identifier.
    marks
        Dose and rule of every patient read, as `disposition` takes them.
    notes
        Every default, change and silent risk, in words.
    """

    doses: tuple[float, ...]
    patients: pd.DataFrame
    treated: tuple[float, ...]
    marks: tuple[tuple[float, str], ...]
    notes: tuple[str, ...]


def read_arms(table: RawTable, columns: ArmColumns) -> ArmRows:
    """Check every mapped cell and return the patients.

    Parameters
    ----------
    table
        As read by `read_csv` or `read_frame`.
    columns
        Column roles.

    Raises
    ------
    DataError
        With every fault of the table at once; nothing is dropped or repaired.
    """
    problems = [*table.problems, *missing_columns(table, columns.used)]
    grid = candidate_doses(columns.doses, problems)
    if table.n_rows == 0:
        rule, repair = "no data rows", "check the export; ArmRecords.empty gives the prior"
        problems.append(Problem("DOB-A13", rule, repair, table.source))
    if any(p.code in {"DOB-A15", "DOB-A13"} for p in problems) or not table.rows:
        raise table.refusal(problems)
    everyone = identify(table, columns, problems)
    kept = [p for p in everyone if p.patient not in columns.exclude]
    how = DoseText(columns.unit, columns.dose_levels, columns.style)
    cells = [p.cell(columns.dose) for p in kept]
    placed = read_doses(cells, how, units=(), grid=grid, problems=problems)
    refuse_twice(kept, placed.doses, columns, problems)
    why = _missing(kept, columns, problems)
    known = [p for p, reason in zip(kept, why, strict=True) if not reason]
    values = _values(known, columns, problems)
    if not known and not problems:
        rule, repair = "no outcome can be analysed", "check the exclusions and the outcome column"
        problems.append(Problem("DOB-A13", rule, repair, table.source))
    if problems:
        raise table.refusal(problems)
    doses = [d for d in placed.doses if d is not None]
    used = [d for d, reason in zip(doses, why, strict=True) if not reason]
    marks = list(zip(doses, why, strict=True))
    for p in everyone:
        if p.patient in columns.exclude:
            rule = f"excluded: {columns.exclude[p.patient]}"
            marks.append((_quiet_dose(p, columns.dose, how, placed.grid), rule))
    frame = pd.DataFrame({"id": [p.patient for p in known], "dose": used, **values})
    notes = [*placed.notes, *_said(columns, frame, placed.grid, len(kept) - len(known))]
    return ArmRows(placed.grid, frame, tuple(doses), tuple(marks), tuple(notes))


def _missing(kept: Sequence[NamedRow], columns: ArmColumns, problems: list[Problem]) -> list[str]:
    """Return why a patient is not analysed; a gap is a fault unless the roles say otherwise (B01)."""
    outcome, why = columns.outcome, []
    # a declared code of a cause may look like a sign for missing
    codes = {code_text(c): 0 for c in (*outcome.causes, *outcome.censored)} if isinstance(
        outcome, FirstEvent
    ) else {}  # fmt: skip
    for row in kept:
        gaps = [
            c
            for c in outcome.columns
            if is_missing(row.row.cells[c], codes if c == outcome.columns[0] else None)
        ]
        why.append(MISSING if gaps else "")
        if gaps and columns.missing == "error":
            at, value = row.cell(gaps[0])
            rule = f"{outcome.title} is missing; not known is never read as no event"
            repair = "fill it in, or choose missing='exclude', which counts it"
            problems.append(at.problem("DOB-B01", value, rule, repair))
    return why


def _values(
    known: Sequence[NamedRow], columns: ArmColumns, problems: list[Problem]
) -> Mapping[str, list[float] | list[int] | list[str]]:
    """Return the outcome's columns of the patients analysed; NaN or an empty text where faulty."""
    outcome, style = columns.outcome, columns.style
    first, *rest = ([row.cell(c) for row in known] for c in outcome.columns)
    if isinstance(outcome, Grade):
        return {"grade": [_grade(c, outcome, style, problems) for c in first]}
    if isinstance(outcome, Measure):
        return {"value": [_measured(c, outcome, style, problems) for c in first]}
    time = [_positive(c, outcome, style, problems) for c in rest[0]]
    if isinstance(outcome, EventCount):
        counts = [count_value(value, at, style, problems) for at, value in first]
        return {"count": [-1 if n is None else n for n in counts], "time": time}
    return {"cause": [_cause(c, outcome, problems) for c in first], "time": time}


def _number(cell: Cell, what: str, style: NumberStyle, problems: list[Problem]) -> float:
    at, value = cell
    found = value if isinstance(value, bool) else number_or_text(value, at, style, problems)
    if isinstance(found, str | bool):
        rule, repair = f"{what} is a number", "correct the value, or leave the cell empty"
        problems.append(at.problem("DOB-B06", value, rule, repair))
        return math.nan
    if found is not None and not math.isfinite(found):
        problems.append(at.problem("DOB-A07", value, "not a finite number", "correct the value"))
        return math.nan
    return math.nan if found is None else found


def _grade(cell: Cell, outcome: Grade, style: NumberStyle, problems: list[Problem]) -> int:
    found = _number(cell, "a grade", style, problems)
    at, value = cell
    if math.isnan(found):
        return outcome.lowest
    scale = f"a whole number from {outcome.lowest} to {outcome.highest}"
    if not found.is_integer():
        rule, repair = f"a grade is {scale}", "a mean of grades is not a grade: give the worst one"
        problems.append(at.problem("DOB-B05", value, rule, repair))
    elif int(found) not in outcome.grades:
        code = int(found) in MISSING_CODES
        rule = f"a grade of {outcome.name} is {scale}"
        repair = "it looks like a missing code: leave the cell empty" if code else (
            "correct it, or declare the scale that was used: highest=..."
        )  # fmt: skip
        problems.append(at.problem("DOB-B04" if code else "DOB-B06", value, rule, repair))
    return int(found)


def _measured(cell: Cell, outcome: Measure, style: NumberStyle, problems: list[Problem]) -> float:
    found = _number(cell, f"{outcome.name} in {outcome.unit}", style, problems)
    low, high = outcome.bounds
    if not math.isnan(found) and not low <= found <= high:
        at, value = cell
        code = found in MISSING_CODES
        rule = f"{outcome.name} lies in {low:g} to {high:g} {outcome.unit}"
        repair = "it looks like a missing code: leave the cell empty" if code else (
            "correct it, or declare another bound; a share is no percentage"
        )  # fmt: skip
        problems.append(at.problem("DOB-B04" if code else "DOB-B06", value, rule, repair))
    return found


def _positive(cell: Cell, outcome: Outcome, style: NumberStyle, problems: list[Problem]) -> float:
    found = _number(cell, "a time", style, problems)
    if found <= 0:
        at, value = cell
        rule = f"a time of {outcome.title} is > 0"
        repair = "correct it; a time counted from day 0 starts at day 1"
        problems.append(at.problem("DOB-B13", value, rule, repair))
    return found


def _cause(cell: Cell, outcome: FirstEvent, problems: list[Problem]) -> str:
    """Return the name of the cause; empty when censored."""
    at, value = cell
    code = code_text(value)
    events = {code_text(c): name for c, name in outcome.causes.items()}
    if code in events:
        return events[code]
    open_ = [code_text(c) for c in outcome.censored]
    if code not in open_:
        rule = f"{code!r} is neither a cause nor a value that means censored"
        repair = did_you_mean(code, [*events, *open_]) + "; or declare it: no event is guessed"
        problems.append(at.problem("DOB-B06", value, rule, repair))
    return ""


def _quiet_dose(row: NamedRow, column: str, how: DoseText, grid: tuple[float, ...]) -> float:
    """Return the dose of an excluded patient, whose faults do not matter; NaN when unreadable."""
    at, value = row.cell(column)
    dose = read_dose(value, at, how, [])
    return next((g for g in grid if dose is not None and same_dose(dose, g)), math.nan)


def _said(
    columns: ArmColumns, frame: pd.DataFrame, grid: tuple[float, ...], gone: int
) -> list[str]:
    outcome, unit = columns.outcome, columns.unit
    notes = []
    if not columns.id:
        notes.append("no identifier column: rows are patients; one in two rows cannot be seen")
    if gone:
        notes.append(f"{outcome.title}: {gone} patients without it excluded (missing='exclude')")
    here = set(frame["dose"])
    notes += [
        f"{outcome.title}: no patient analysed at {f'{d:g} {unit}'.rstrip()}: what is said of it is the "
        "prior"
        for d in grid
        if d not in here
    ]
    if isinstance(outcome, Measure):
        for bound in outcome.bounds:
            there = int((frame["value"] == bound).sum())
            if there:
                at = f"{bound:g} {outcome.unit}"
                notes.append(f"{outcome.title}: {there} of {len(frame)} patients at the bound {at}")
    if isinstance(outcome, FirstEvent):
        notes += _said_of_times(outcome, frame, grid, unit)
    return notes


def _said_of_times(
    outcome: FirstEvent, frame: pd.DataFrame, grid: tuple[float, ...], unit: str
) -> list[str]:
    counts = Counter(frame["cause"])
    shown = ", ".join(f"{c} {counts[c]}" for c in outcome.names_of_causes)
    notes = [f"{outcome.title}: first events: {shown}; censored {counts['']} of {len(frame)}"]
    late = int((frame["time"] > outcome.horizon).sum())
    if late:
        notes.append(
            f"{outcome.title}: {late} times beyond the horizon ({outcome.horizon:g} "
            f"{outcome.time_unit}) censored there"
        )
    for dose in grid:
        times = frame.loc[frame["dose"] == dose, "time"]
        if len(times) and float(times.max()) < outcome.horizon:
            notes.append(
                f"WARNING {outcome.title}: nobody at {dose:g} {unit} was followed to the horizon "
                f"{outcome.horizon:g} {outcome.time_unit} (last {times.max():g}): the hazards "
                "after that are carried on by the prior"
            )
    zero = "0" in [code_text(c) for c in outcome.censored]
    if outcome.cause.upper().startswith("CNSR") and zero:
        notes.append(
            f"WARNING {outcome.title}: {outcome.cause} is 0 for an event by the CDISC standard, "
            "and 0 was declared to mean censored"
        )
    return notes
