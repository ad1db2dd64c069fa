"""Checks across the columns of an exposure-response table: studies, units, times."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from doseopt_bayes.data.endpoints import TimeToEvent
from doseopt_bayes.data.read.doses import common_unit
from doseopt_bayes.data.read.values import NumberStyle, Place, is_missing, number_or_text
from doseopt_bayes.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from doseopt_bayes.data.exposure_columns import ExposureColumns
    from doseopt_bayes.data.read.identity import NamedRow

__all__ = ["study_problems", "timing_problems"]


def study_problems(kept: Sequence[NamedRow], columns: ExposureColumns) -> list[Problem]:
    """Check that studies are declared (E09) and measured exposure alike (D10)."""
    problems: list[Problem] = []
    studies: dict[str, Place] = {}
    if columns.study:
        for row in kept:
            at, value = row.cell(columns.study)
            if is_missing(value):
                problems.append(at.problem("DOB-E02", value, "the study is missing", "fill it in"))
            elif columns.studies and str(value) not in columns.studies:
                rule = f"study {value!r} is not one of: {', '.join(columns.studies)}"
                repair = "exclude the patient with a reason, or add the study to `studies`"
                problems.append(at.problem("DOB-E09", value, rule, repair))
            else:
                studies.setdefault(str(value), at)
    several = len(studies) > 1
    if several and not columns.studies:
        at = list(studies.values())[1]
        rule = f"{len(studies)} studies in one table: {', '.join(studies)}"
        problems.append(at.problem("DOB-E09", list(studies)[1], rule, "list them in `studies`"))
    for metric, unit in columns.exposures.items():
        column, kind = columns.unit_columns.get(metric), columns.metric_columns.get(metric)
        if several and not (column and kind):
            lacking = " and ".join(
                role for role, c in (("unit_columns", column), ("metric_columns", kind)) if not c
            )
            rule = f"{len(studies)} studies, and {lacking} of {metric} not declared: units and "
            rule += "definitions (AUC0-24, AUCtau) may differ between studies"
            repair = f"name the column that says it, {lacking.split()[0]}={{{metric!r}: ...}}"
            problems.append(Problem("DOB-D10", rule, repair, column=metric))
        used = [row for row in kept if not is_missing(row.row.cells[metric])]
        if column:
            found: list[Problem] = []
            common_unit([row.cell(column) for row in used], unit, found)
            problems += [_recoded(p, metric) for p in found]
        if kind:
            problems += _one_definition([row.cell(kind) for row in used], metric)
    return problems


def timing_problems(
    kept: Sequence[NamedRow],
    columns: ExposureColumns,
    values: Mapping[str, Sequence[float] | Sequence[str]],
    why: Mapping[str, Sequence[str]],
) -> tuple[list[Problem], list[str]]:
    """List exposures that were summarised after the event they are to explain (D12).

    Parameters
    ----------
    kept, columns
        Rows and roles; `exposure_time` and, for endpoints without a time, `event_time` are used.
    values, why
        Responses that were read (1: event), and why a row has none.
    """
    problems: list[Problem] = []
    notes: list[str] = []
    for end, kind in columns.endpoints.items():
        after = kind.time if isinstance(kind, TimeToEvent) else columns.event_time.get(end, "")
        for metric in columns.exposures:
            until = columns.exposure_time.get(metric, "")
            if not until and isinstance(kind, TimeToEvent):
                notes.append(
                    f"{end}: no time stamp of {metric}; that it was formed before the event is "
                    f"not checked (exposure_time={{{metric!r}: column}})"
                )
            if not until or not after:
                continue
            for i, row in enumerate(kept):
                if why[end][i] or values[end][i] != 1:
                    continue
                problems += _late(row, until, after, metric=metric, end=end)
    return problems, notes


def _late(row: NamedRow, until: str, after: str, *, metric: str, end: str) -> list[Problem]:
    at, value = row.cell(until)
    event = row.cell(after)[1]
    if is_missing(value) or is_missing(event):
        what = until if is_missing(value) else after
        rule = f"{end} has an event, and {what} is missing: whether {metric} was formed before it?"
        return [at.problem("DOB-D12", value, rule, "fill in the time")]
    formed, happened = _moment(value, at), _moment(event, at)
    if (
        formed is None
        or happened is None
        or isinstance(formed, float) != isinstance(happened, float)
    ):
        rule = f"{until} = {value!r} and {after} = {event!r} are not times of one kind"
        repair = "give both as numbers in one unit, or both as dates such as 2026-05-31"
        return [at.problem("DOB-D12", value, rule, repair)]
    if formed <= happened:  # type: ignore[operator]
        return []
    rule = f"{metric} was formed at {value}, after the event of {end} at {event}"
    repair = "summarise exposure up to the event (immortal-time bias otherwise)"
    return [at.problem("DOB-D12", value, rule, repair)]


def _moment(value: object, at: Place) -> float | dt.date | None:
    """Return a number, or the day of a date."""
    if isinstance(value, dt.datetime):
        return value.date()
    if isinstance(value, dt.date):
        return value
    if isinstance(value, str):
        try:
            return dt.datetime.fromisoformat(value).date()
        except ValueError:
            pass
    found = number_or_text(value, at, NumberStyle(), [])
    return found if isinstance(found, float) else None


def _recoded(problem: Problem, metric: str) -> Problem:
    rule = f"exposure {metric}: {problem.rule}"
    repair = "convert the exposure and its unit in the file"
    return Problem(
        "DOB-D10", rule, repair, problem.file, problem.row, problem.patient, problem.column,
        problem.value,
    )  # fmt: skip


def _one_definition(cells: Sequence[tuple[Place, object]], metric: str) -> list[Problem]:
    first = next((str(v) for _, v in cells if not is_missing(v)), "")
    return [
        at.problem(
            "DOB-D10",
            value,
            f"exposure {metric} is defined as {value!r} here and as {first!r} above",
            "keep one definition of the metric, or read them as two metrics",
        )
        for at, value in cells
        if is_missing(value) or str(value) != first
    ]
