"""One row per dose: a raw table of counts and its column roles in, checked counts out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from doseopt_bayes import names
from doseopt_bayes.data.read.doses import DoseText, candidate_doses, read_doses
from doseopt_bayes.data.read.table import RawRow, RawTable, missing_columns
from doseopt_bayes.data.read.values import NumberStyle, Place, count_value, is_total
from doseopt_bayes.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from doseopt_bayes.data.columns import CountColumns

__all__ = ["Counts", "DoseCounts", "read_counts"]


@dataclass(frozen=True)
class DoseCounts:
    """Counts of one dose.

    Parameters
    ----------
    n_treated
        Patients treated: the common denominator, or the largest of the endpoints'.
    n, events
        Per endpoint: patients analysed and patients with the event.
    cells
        Patients per outcome cell N, E, T, B; empty when only the margins are known.
    """

    n_treated: int
    n: Mapping[str, int]
    events: Mapping[str, int]
    cells: Mapping[str, int]


@dataclass(frozen=True)
class Counts:
    """Checked counts: doses and their unit, endpoints, the counts per observed dose, the notes."""

    doses: tuple[float, ...]
    unit: str
    endpoints: tuple[str, ...]
    at_dose: Mapping[float, DoseCounts]
    notes: tuple[str, ...]


def read_counts(table: RawTable, columns: CountColumns) -> Counts:
    """Check every mapped cell and return the counts.

    Parameters
    ----------
    table
        As read by `read_csv` or `read_frame`.
    columns
        Column roles.

    Raises
    ------
    DataError
        With every fault of the table at once.
    """
    problems = [*table.problems, *missing_columns(table, columns.used)]
    grid = candidate_doses(columns.doses, problems)
    if table.n_rows == 0 and not (columns.allow_prior_only and grid):
        rule, repair = "no data rows", "allow_prior_only = true with doses gives the prior"
        problems.append(Problem("DOB-A13", rule, repair, table.source))
    if not set(columns.used) <= set(table.header) or not table.rows:
        if problems:
            raise table.refusal(problems)
        return Counts(grid, columns.unit, tuple(columns.endpoint_columns), {}, ())
    rows = [row for row in table.rows if not _total(row, columns, table.source, problems)]
    style = NumberStyle(columns.decimal, columns.thousands)
    how = DoseText(columns.unit, columns.dose_levels, style)
    units = [_cell(r, columns.unit_column, table.source) for r in rows if columns.unit_column]
    cells = [_cell(r, columns.dose, table.source) for r in rows]
    placed = read_doses(cells, how, units=units, grid=grid, problems=problems)
    found = [_dose_counts(r, columns, style, table.source, problems) for r in rows]
    _refuse_repeated([at for at, _ in cells], placed.doses, problems)
    if problems:
        raise table.refusal(problems)
    pairs = zip(placed.doses, found, strict=True)
    at_dose = {d: counts for d, counts in pairs if d is not None and counts is not None}
    notes = list(placed.notes)
    if not columns.n and len(set(columns.denominators.values())) > 1:
        notes.append("patients treated per dose: the largest denominator of its endpoints")
    ends = tuple(columns.endpoint_columns)
    return Counts(placed.grid, placed.unit, ends, at_dose, tuple(notes))


def _refuse_repeated(
    places: Sequence[Place], doses: Sequence[float | None], problems: list[Problem]
) -> None:
    first: dict[float, Place] = {}
    for at, dose in zip(places, doses, strict=True):
        if dose is None or first.setdefault(dose, at) is at:
            continue
        rule = f"dose {dose:g} stands in rows {first[dose].row} and {at.row}"
        repair = "give one row per dose; subpopulations are separate tables"
        problems.append(at.problem("DOB-A14", dose, rule, repair))


def _cell(row: RawRow, column: str, source: str) -> tuple[Place, object]:
    return Place(source, row.number, column=column), row.cells[column]


def _total(row: RawRow, columns: CountColumns, source: str, problems: list[Problem]) -> bool:
    label = next(iter(row.cells.values()))
    if not is_total(label, labels_patient_or_dose=False) or label in columns.dose_levels:
        return False
    rule, repair = "looks like a row of totals", "delete the row"
    problems.append(Place(source, row.number).problem("DOB-A08", label, rule, repair))
    return True


def _dose_counts(
    row: RawRow, columns: CountColumns, style: NumberStyle, source: str, problems: list[Problem]
) -> DoseCounts | None:
    """Return the counts of one row, or None after noting what does not fit."""
    wanted = [c for c in columns.used if c not in {columns.dose, columns.unit_column}]
    pairs = [(name, _cell(row, name, source)) for name in wanted]
    value = {name: count_value(v, at, style, problems) for name, (at, v) in pairs}
    found = {name: count for name, count in value.items() if count is not None}
    if len(found) < len(value):
        return None
    before = len(problems)
    n = {end: found[column] for end, column in columns.denominators.items()}
    events = {end: found[column] for end, column in columns.endpoint_columns.items()}
    dose = row.cells[columns.dose]
    for end, column in columns.endpoint_columns.items():
        at = Place(source, row.number, column=column)
        if events[end] > n[end]:
            rule = f"dose {dose}: {events[end]} events of {n[end]} patients"
            problems.append(at.problem("DOB-B13", events[end], rule, "events are at most n"))
        if columns.n and n[end] > found[columns.n]:
            rule = f"dose {dose}: {end} has {n[end]} patients, {columns.n} only {found[columns.n]}"
            problems.append(at.problem("DOB-B13", events[end], rule, "correct the denominators"))
    cells = _joint(found[columns.both], n, events) if columns.both else {}
    if columns.both and min(cells.values()) < 0:
        at = Place(source, row.number, column=columns.both)
        low = max(0, events[names.EFF] + events[names.TOX] - n[names.EFF])
        high = min(events[names.EFF], events[names.TOX])
        rule = f"dose {dose}: patients with both must lie in {low}..{high}"
        problems.append(at.problem("DOB-B13", found[columns.both], rule, "correct the counts"))
    if columns.both and n[names.TOX] != n[names.EFF]:
        at = Place(source, row.number, column=columns.both)
        rule = f"dose {dose}: `both` needs one denominator, given {n[names.TOX]} and {n[names.EFF]}"
        repair = "leave `both` out, or count the same patients for both endpoints"
        problems.append(at.problem("DOB-B13", found[columns.both], rule, repair))
    treated = found[columns.n] if columns.n else max(n.values())
    return DoseCounts(treated, n, events, cells) if len(problems) == before else None


def _joint(both: int, n: Mapping[str, int], events: Mapping[str, int]) -> dict[str, int]:
    eff, tox = events[names.EFF], events[names.TOX]
    counts = (n[names.EFF] - eff - tox + both, eff - both, tox - both, both)
    return dict(zip(names.CELLS, counts, strict=True))
