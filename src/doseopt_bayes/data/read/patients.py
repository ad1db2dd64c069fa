"""One row per patient: a raw table and its column roles in, checked patients out."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pandas as pd

from doseopt_bayes.data.backfilled import backfill_notes
from doseopt_bayes.data.follow_up_read import pending_rows, split_pending
from doseopt_bayes.data.read.doses import (
    DoseText,
    Placed,
    candidate_doses,
    read_dose,
    read_doses,
    same_dose,
)
from doseopt_bayes.data.read.groups import UNREAD, declared_groups, read_label, read_levels
from doseopt_bayes.data.read.identity import NamedRow, identify, refuse_twice
from doseopt_bayes.data.read.patient_outcomes import read_outcomes
from doseopt_bayes.data.read.table import RawTable, missing_columns
from doseopt_bayes.data.read.values import NumberStyle
from doseopt_bayes.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from doseopt_bayes.data.columns import PatientColumns
    from doseopt_bayes.data.disposition import Mark
    from doseopt_bayes.data.follow_up import FollowUp
    from doseopt_bayes.data.read.groups import Groups

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
    groups
        Levels of each grouping; each has a column in `table` and a label in each mark.
    pending
        Dose and shares of the four outcomes of each patient with a pending outcome.
    follow_up
        Endpoint to what was followed.
    """

    doses: tuple[float, ...]
    unit: str
    table: pd.DataFrame
    marks: Mapping[str, Sequence[Mark]]
    notes: tuple[str, ...]
    groups: Groups = field(default_factory=dict)
    pending: Sequence[tuple[float, Sequence[float]]] = ()
    follow_up: Mapping[str, FollowUp] = field(default_factory=dict)


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
        return _none(grid, columns, table)
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
    notes += backfill_notes(kept, placed, columns, typed=table.typed, problems=problems)
    labels, groups, more = _read_groups(kept, columns, problems, here)
    notes += more
    refuse_twice(kept, placed.doses, columns, problems, groups=columns.groups)
    ends = {e: c for e, c in columns.endpoint_columns.items() if c in here}
    typed = table.typed
    outcomes = {e: read_outcomes(e, kept, columns, typed=typed, problems=problems) for e in ends}
    weights: dict[str, list[float | None]] = {}
    for e in [e for e, f in columns.follow_up.items() if e in ends and f.column in here]:
        found, said, weights[e] = split_pending(e, kept, columns, outcomes[e], problems=problems)
        outcomes[e] = found, said
    if not placed.grid and not problems:
        rule, repair = "every patient is excluded and no dose is declared", "declare doses"
        problems.append(Problem("DOB-A13", rule, repair, table.source))
    if problems:
        raise table.refusal(problems)
    doses = [d for d in placed.doses if d is not None]
    gone: list[Mark] = [
        (
            *_excluded_group(p, columns, groups),
            _excluded_dose(p, columns.dose, how, placed.grid),
            f"excluded: {columns.exclude[p.patient]}",
        )
        for p in out
    ]
    marks: dict[str, list[Mark]] = {}
    for end, (_, rules) in outcomes.items():
        rows = zip(labels, doses, rules, strict=True)
        marks[end] = [(*label, dose, rule) for label, dose, rule in rows]
        marks[end] += gone
    values = {e: v for e, (v, _) in outcomes.items()}
    table_out = _frame([p.patient for p in kept], doses, values, groups=groups, labels=labels)
    if not columns.id:
        notes.append(
            "no identifier column: patients are numbered by row, and a patient standing in two "
            "rows cannot be seen"
        )
    pending = pending_rows(doses, values, weights)
    return Patients(
        placed.grid, placed.unit, table_out, marks, tuple(notes), groups, pending, columns.follow_up
    )


def _none(grid: tuple[float, ...], columns: PatientColumns, table: RawTable) -> Patients:
    ends = columns.endpoint_columns
    groups = declared_groups(columns, table)
    frame = _frame([], [], {e: [] for e in ends}, groups=groups)
    return Patients(grid, columns.unit, frame, {e: [] for e in ends}, (), groups)


def _read_groups(
    kept: Sequence[NamedRow], columns: PatientColumns, problems: list[Problem], here: set[str]
) -> tuple[list[tuple[str, ...]], Groups, list[str]]:
    """Return the labels of each patient, the levels of each grouping, and notes."""
    by_grouping = []
    groups: dict[str, tuple[str, ...]] = {}
    notes = []
    for grouping, column in columns.groups.items():
        if column not in here:
            continue
        cells = [p.cell(column) for p in kept]
        declared = tuple(columns.group_levels.get(grouping, ()))
        labels, groups[grouping], said = read_levels(grouping, cells, declared, problems)
        if not groups[grouping] and not problems:
            rule = f"every patient is excluded and no level of {grouping} is declared"
            problems.append(Problem("DOB-E07", rule, "list the levels in group_levels"))
        by_grouping.append([label or UNREAD for label in labels])
        notes += said
    rows = [tuple(labels[k] for labels in by_grouping) for k in range(len(kept))]
    return rows, groups, notes


def _excluded_group(patient: NamedRow, columns: PatientColumns, groups: Groups) -> tuple[str, ...]:
    labels = []
    for grouping, levels in groups.items():
        at, value = patient.cell(columns.groups[grouping])
        label = read_label(value, at, levels, [])
        labels.append(label if label in levels else UNREAD)
    return tuple(labels)


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
    ids: Sequence[str],
    doses: Sequence[float],
    values: dict[str, list[int | None]],
    *,
    groups: Groups,
    labels: Sequence[tuple[str, ...]] = (),
) -> pd.DataFrame:
    dose = pd.Series(list(doses), dtype="float64")
    frame = pd.DataFrame({"id": pd.Series(list(ids), dtype="str"), "dose": dose})
    frame["cohort"] = (dose != dose.shift()).cumsum().astype("int64")
    for k, grouping in enumerate(groups):
        frame[grouping] = pd.Series([row[k] for row in labels], dtype="str")
    for end, outcomes in values.items():
        frame[end] = pd.array(outcomes, dtype="Int8")
    return frame
