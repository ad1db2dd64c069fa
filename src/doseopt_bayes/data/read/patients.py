"""One row per patient: a raw table and its column roles in, checked patients out."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from doseopt_bayes.data.read.doses import (
    DoseText,
    Placed,
    candidate_doses,
    read_dose,
    read_doses,
    same_dose,
)
from doseopt_bayes.data.read.identity import NamedRow, identify, refuse_twice
from doseopt_bayes.data.read.patient_outcomes import read_outcomes
from doseopt_bayes.data.read.table import RawTable, missing_columns
from doseopt_bayes.data.read.values import NumberStyle
from doseopt_bayes.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from doseopt_bayes.data.columns import PatientColumns

__all__ = ["Patients", "read_patients"]


@dataclass(frozen=True, eq=False)
class Patients:
    """Checked patients.

    Parameters
    ----------
    doses, unit
        Candidate doses, ascending, and their unit.
    table
        Columns id, dose, cohort (runs of one dose, from 1) and one Int8 column per endpoint,
        where missing means not analysed. Patients excluded by identifier are not in it.
    marks
        Endpoint to one (dose, rule) per row of the file, as `disposition` takes them.
    notes
        Every default and every change, in words.
    """

    doses: tuple[float, ...]
    unit: str
    table: pd.DataFrame
    marks: dict[str, list[tuple[float, str]]]
    notes: tuple[str, ...]


def read_patients(table: RawTable, columns: PatientColumns) -> Patients:
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
    here = set(columns.used) & set(table.header)
    if table.n_rows == 0 and not (columns.allow_prior_only and grid):
        rule, repair = "no data rows", "allow_prior_only = true with doses gives the prior"
        problems.append(Problem("DOB-A13", rule, repair, table.source))
    if not {columns.dose, columns.id, columns.id_within} - {""} <= here or not table.rows:
        # without doses or identifiers no row can be judged; otherwise the other columns can
        if problems:
            raise table.refusal(problems)
        return _none(grid, columns)
    everyone = identify(table, columns, problems)
    kept = [p for p in everyone if p.patient not in columns.exclude]
    out = [p for p in everyone if p.patient in columns.exclude]
    units = [p.cell(columns.unit_column) for p in kept] if columns.unit_column in here else []
    style = NumberStyle(columns.decimal, columns.thousands)
    how = DoseText(columns.unit, columns.dose_levels, style)
    cells = [p.cell(columns.dose) for p in kept]
    placed = read_doses(cells, how, units=units, grid=grid, problems=problems)
    notes = list(placed.notes)
    if columns.planned in here:
        notes.append(_planned_note(kept, placed, columns, how, problems))
    refuse_twice(kept, placed.doses, columns, problems)
    ends = {e: c for e, c in columns.endpoint_columns.items() if c in here}
    typed = table.typed
    outcomes = {e: read_outcomes(e, kept, columns, typed=typed, problems=problems) for e in ends}
    if not placed.grid and not problems:
        rule, repair = "every patient is excluded and no dose is declared", "declare doses"
        problems.append(Problem("DOB-A13", rule, repair, table.source))
    if problems:
        raise table.refusal(problems)
    doses = [d for d in placed.doses if d is not None]
    gone = [
        (
            _excluded_dose(p, columns.dose, how, placed.grid),
            f"excluded: {columns.exclude[p.patient]}",
        )
        for p in out
    ]
    marks = {e: [*zip(doses, rules, strict=True), *gone] for e, (_, rules) in outcomes.items()}
    table_out = _frame([p.patient for p in kept], doses, {e: v for e, (v, _) in outcomes.items()})
    if not columns.id:
        notes.append(
            "no identifier column: patients are numbered by row, and a patient standing in two "
            "rows cannot be seen"
        )
    return Patients(placed.grid, placed.unit, table_out, marks, tuple(notes))


def _none(grid: tuple[float, ...], columns: PatientColumns) -> Patients:
    ends = columns.endpoint_columns
    frame = _frame([], [], {e: [] for e in ends})
    return Patients(grid, columns.unit, frame, {e: [] for e in ends}, ())


def _planned_note(
    kept: Sequence[NamedRow],
    placed: Placed,
    columns: PatientColumns,
    how: DoseText,
    problems: list[Problem],
) -> str:
    """Count where the planned dose differs from the dose that is modelled (C07)."""
    cells = [p.cell(columns.planned) for p in kept]
    planned = [read_dose(value, at, how, problems) for at, value in cells]
    differ = [
        str(p.row.number)
        for p, actual, plan in zip(kept, placed.doses, planned, strict=True)
        if actual is not None and plan is not None and not same_dose(actual, plan)
    ]
    rows = f" (rows {', '.join(differ)})" if differ else ""
    return (
        f"modelled dose: {columns.dose}; {columns.planned} differs in {len(differ)} "
        f"of {len(kept)} patients{rows}"
    )


def _excluded_dose(patient: NamedRow, column: str, how: DoseText, grid: tuple[float, ...]) -> float:
    at, value = patient.cell(column)
    dose = read_dose(value, at, how, [])
    near = [g for g in grid if dose is not None and same_dose(dose, g)]
    return near[0] if near else math.nan


def _frame(
    ids: Sequence[str], doses: Sequence[float], values: dict[str, list[int | None]]
) -> pd.DataFrame:
    dose = pd.Series(list(doses), dtype="float64")
    frame = pd.DataFrame({"id": pd.Series(list(ids), dtype="str"), "dose": dose})
    frame["cohort"] = (dose != dose.shift()).cumsum().astype("int64")
    for end, outcomes in values.items():
        frame[end] = pd.array(outcomes, dtype="Int8")
    return frame
