"""A raw exposure-response table and its column roles in; checked rows, one a patient, out."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pandas as pd

from doseopt_bayes.data.exposure_columns import DOSE, Covariate, ExposureColumns
from doseopt_bayes.data.read.doses import (
    DoseText,
    Placed,
    candidate_doses,
    common_unit,
    on_grid,
    read_dose,
    same_dose,
)
from doseopt_bayes.data.read.exposure_checks import study_problems, timing_problems
from doseopt_bayes.data.read.exposure_covariates import read_covariate
from doseopt_bayes.data.read.exposure_metrics import read_metric
from doseopt_bayes.data.read.exposure_responses import read_response
from doseopt_bayes.data.read.groups import read_levels
from doseopt_bayes.data.read.identity import NamedRow, identify, refuse_twice
from doseopt_bayes.data.read.table import RawTable, missing_columns
from doseopt_bayes.data.read.values import NumberStyle, is_missing
from doseopt_bayes.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["ExposureRows", "read_rows"]


@dataclass(frozen=True, eq=False)
class ExposureRows:
    """Checked rows of an exposure-response table.

    Parameters
    ----------
    doses
        Distinct doses, ascending; 0 is placebo.
    schedules
        Label of dose and schedule to dose.
    table
        One row per patient (or group) that is not excluded as a whole.
    why
        Metric, endpoint or covariate to the rule that keeps each row out (empty: usable).
    gone
        Dose and rule of each patient excluded as a whole.
    covariates
        Covariates with kind, levels and reference.
    notes
        Every default, change and silent risk, in words.
    groups
        Levels of each grouping, which has a column in `table`.
    """

    doses: tuple[float, ...]
    schedules: dict[str, float]
    table: pd.DataFrame
    why: dict[str, tuple[str, ...]]
    gone: tuple[tuple[float, str], ...]
    covariates: dict[str, Covariate]
    notes: tuple[str, ...]
    groups: dict[str, tuple[str, ...]] = field(default_factory=dict)


def read_rows(table: RawTable, columns: ExposureColumns) -> ExposureRows:
    """Check every mapped cell and return the rows.

    Parameters
    ----------
    table
        As read by `read_csv` or `read_frame`.
    columns
        Column roles and policies.

    Raises
    ------
    DataError
        With every fault of the table at once; nothing is dropped or repaired.
    """
    problems = [*table.problems, *missing_columns(table, columns.used)]
    grid = _grid(columns, problems)
    if table.n_rows == 0:
        problems.append(Problem("DOB-A13", "no data rows", "check the export", table.source))
    if any(p.code in {"DOB-A15", "DOB-A13"} for p in problems) or not table.rows:
        raise table.refusal(problems)
    everyone = identify(table, columns, problems)
    kept, out = _split(everyone, columns)
    style = NumberStyle(columns.decimal, columns.thousands)
    how = DoseText(columns.dose_unit, columns.dose_levels, style)
    placed = _doses(kept, columns, how, grid, problems)
    doses = placed.doses
    refuse_twice(kept, doses, columns, problems, groups=columns.groups)
    problems += study_problems(kept, columns)
    notes = [*placed.notes, *_planned(kept, doses, columns, how, problems)]
    if not columns.id:
        notes.append("no identifier column: rows are patients; one in two rows cannot be seen")
    groups, labels_of, said = _groups(kept, columns, problems)
    notes += said
    values: dict[str, list[float] | list[str]] = dict(labels_of)
    why: dict[str, tuple[str, ...]] = {}
    for metric in columns.exposures:
        found, reasons, said = read_metric(metric, kept, doses, columns, problems)
        values[metric], why[metric] = found, tuple(reasons)
        notes += said
    covariates = {}
    for declared in columns.declared:
        covariate, cells, reasons, said = read_covariate(declared, kept, columns, problems)
        covariates[covariate.name], values[covariate.name] = covariate, cells
        why[covariate.name] = tuple(reasons)
        notes += said
    for end in columns.endpoints:
        response, reasons, said = read_response(
            end, kept, columns, typed=table.typed, problems=problems
        )
        values |= response
        why[end] = tuple(reasons)
        notes += said
    timed, said = timing_problems(kept, columns, values, why)
    problems += timed
    if not kept:
        rule, repair = "every patient is excluded", "check the exclusions"
        problems.append(Problem("DOB-A13", rule, repair, table.source))
    if problems:
        raise table.refusal(problems)
    known = [d for d in doses if d is not None]
    labels, schedules, more = _schedules(kept, known, columns)
    frame = _frame(kept, known, labels, columns, values)
    gone = tuple((_quiet_dose(p, columns, how, placed.grid), rule) for p, rule in out)
    notes = [*notes, *said, *more]
    return ExposureRows(placed.grid, schedules, frame, why, gone, covariates, tuple(notes), groups)


def _groups(
    kept: Sequence[NamedRow], columns: ExposureColumns, problems: list[Problem]
) -> tuple[dict[str, tuple[str, ...]], dict[str, list[str]], list[str]]:
    """Return the levels of each grouping, the level of each row, and what to know of them."""
    groups: dict[str, tuple[str, ...]] = {}
    labels: dict[str, list[str]] = {}
    notes: list[str] = []
    for grouping, column in columns.groups.items():
        cells = [row.cell(column) for row in kept]
        declared = tuple(columns.group_levels.get(grouping, ()))
        found, groups[grouping], said = read_levels(grouping, cells, declared, problems)
        labels[grouping] = [level or "" for level in found]
        notes += said
        n = Counter(labels[grouping])
        shown = ", ".join(f"{level} {n[level]}" for level in groups[grouping])
        notes.append(f"patients of each {grouping}: {shown}")
        notes += [
            f"{grouping} '{level}': no patients: what is said of it is the prior or borrowed"
            for level in groups[grouping]
            if not n[level]
        ]
    return groups, labels, notes


def _grid(columns: ExposureColumns, problems: list[Problem]) -> tuple[float, ...]:
    grid = candidate_doses([d for d in columns.doses if d != 0], problems)
    return (0.0, *grid) if 0 in columns.doses else grid


def _split(
    everyone: Sequence[NamedRow], columns: ExposureColumns
) -> tuple[list[NamedRow], list[tuple[NamedRow, str]]]:
    """Set patients apart who are excluded as a whole, each with its rule."""
    kept, out = [], []
    column = columns.reasons.get("", "")
    for patient in everyone:
        mark = patient.row.cells[column] if column else None
        if patient.patient in columns.exclude:
            out.append((patient, f"excluded: {columns.exclude[patient.patient]}"))
        elif not is_missing(mark):
            out.append((patient, str(mark)))
        else:
            kept.append(patient)
    return kept, out


def _dose(row: NamedRow, column: str, how: DoseText, problems: list[Problem]) -> float | None:
    """Read a dose >= 0; 0 is placebo."""
    at, value = row.cell(column)
    if isinstance(value, str) and how.levels.get(value) == 0:
        return 0.0
    probe: list[Problem] = []
    dose = read_dose(value, at, how, probe)
    if dose is None and [p.code for p in probe] == ["DOB-C01"]:
        return 0.0
    advice = f"map it in dose_levels={{{value!r}: ...}}, or correct the value"
    problems += [replace(p, repair=advice) if p.code == "DOB-C04" else p for p in probe]
    return dose


def _doses(
    kept: Sequence[NamedRow],
    columns: ExposureColumns,
    how: DoseText,
    grid: tuple[float, ...],
    problems: list[Problem],
) -> Placed:
    if DOSE in columns.unit_columns:
        cells = [p.cell(columns.unit_columns[DOSE]) for p in kept]
        common_unit(cells, columns.dose_unit, problems)
    read = [(p.cell(columns.dose)[0], _dose(p, columns.dose, how, problems)) for p in kept]
    some = [(at, dose or None) for at, dose in read]  # the grid of positive doses has no 0
    positive = tuple(d for d in grid if d > 0)
    if positive or any(dose for _, dose in some):
        placed = on_grid(some, positive, problems)
    else:
        placed = Placed((), [None] * len(read), ("every dose is 0",))
    doses = [0.0 if d == 0 else p for (_, d), p in zip(read, placed.doses, strict=True)]
    zero = 0.0 in doses or 0.0 in grid
    notes = list(placed.notes)
    if 0.0 in doses:
        notes.append(f"dose 0 (placebo): {doses.count(0.0)} patients")
    return Placed((0.0, *placed.grid) if zero else placed.grid, doses, tuple(notes))


def _planned(
    kept: Sequence[NamedRow],
    doses: Sequence[float | None],
    columns: ExposureColumns,
    how: DoseText,
    problems: list[Problem],
) -> list[str]:
    """Count where the planned dose differs from the dose that is modelled (C07)."""
    if not columns.planned:
        return []
    plans = [_dose(p, columns.planned, how, problems) for p in kept]
    differ = [
        str(p.row.number)
        for p, dose, plan in zip(kept, doses, plans, strict=True)
        if dose is not None and plan is not None and dose != plan and not same_dose(dose, plan)
    ]
    rows = f" (rows {', '.join(differ[:20])})" if differ else ""
    said = f"modelled dose: {columns.dose}; {columns.planned} differs in {len(differ)} of "
    said += f"{len(kept)} patients{rows}; a randomised comparison uses the planned dose, "
    return [f"{said}exposure-response the actual one"]


def _schedules(
    kept: Sequence[NamedRow], doses: Sequence[float], columns: ExposureColumns
) -> tuple[list[str], dict[str, float], list[str]]:
    """Label each row by dose and schedule, so that 140 QD and 70 BID stay apart."""
    labels = []
    for row, dose in zip(kept, doses, strict=True):
        cell = row.row.cells[columns.dose]
        extra = row.row.cells[columns.schedule] if columns.schedule else None
        mapped = isinstance(cell, str) and cell in columns.dose_levels
        label = str(cell) if mapped else f"{dose:g} {columns.dose_unit}"
        labels.append(label if is_missing(extra) else f"{label} {extra}")
    found = dict(sorted(zip(labels, doses, strict=True), key=lambda pair: (pair[1], pair[0])))
    notes = []
    for dose in sorted(set(doses)):
        same = [label for label, d in found.items() if d == dose]
        if len(same) > 1:
            notes.append(
                f"dose {dose:g} {columns.dose_unit} was given as {', '.join(same)}: one dose for a "
                "model of dose; exposure tells them apart"
            )
    return labels, found, notes


def _quiet_dose(
    row: NamedRow, columns: ExposureColumns, how: DoseText, grid: tuple[float, ...]
) -> float:
    dose = _dose(row, columns.dose, how, [])
    near = [g for g in grid if dose is not None and (dose == g or same_dose(dose, g))]
    return near[0] if near else math.nan


def _frame(
    kept: Sequence[NamedRow],
    doses: Sequence[float],
    labels: Sequence[str],
    columns: ExposureColumns,
    values: dict[str, list[float] | list[str]],
) -> pd.DataFrame:
    parts: dict[str, pd.Series] = {"id": pd.Series([p.patient for p in kept], dtype="str")}
    if columns.study and "study" not in columns.groups:
        cells = [str(p.row.cells[columns.study]) for p in kept]
        parts["study"] = pd.Series(cells, dtype="str")
    parts["dose"] = pd.Series(list(doses), dtype="float64")
    parts["schedule"] = pd.Series(list(labels), dtype="str")
    if columns.planned:
        cells = [str(p.row.cells[columns.planned]) for p in kept]
        parts["planned"] = pd.Series(cells, dtype="str")
    for name, column in values.items():
        text = bool(column) and isinstance(column[0], str)
        parts[name] = pd.Series(column, dtype="str" if text else "float64")
    return pd.DataFrame(parts)
