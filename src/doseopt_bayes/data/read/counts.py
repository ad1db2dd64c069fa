"""One row per dose, or per group and dose: a raw table of counts in, checked counts out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from doseopt_bayes import names
from doseopt_bayes.data.read.count_groups import Together, label_rows
from doseopt_bayes.data.read.doses import DoseText, candidate_doses, read_doses
from doseopt_bayes.data.read.groups import declared_groups
from doseopt_bayes.data.read.table import RawRow, RawTable, missing_columns
from doseopt_bayes.data.read.values import NumberStyle, Place, count_value, is_missing, is_total
from doseopt_bayes.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from doseopt_bayes.data.columns import CountColumns
    from doseopt_bayes.data.read.groups import Groups

    type AtGroups = Mapping[tuple[str, ...], Mapping[float, "DoseCounts"]]

__all__ = ["Counts", "DoseCounts", "read_counts"]


@dataclass(frozen=True)
class DoseCounts:
    """Counts of one dose, in one group where there are groups.

    Parameters
    ----------
    n_treated
        Patients treated: the common denominator, or the largest of the endpoints'.
    n, events
        Per endpoint that is known here: patients analysed and patients with the event.
    cells
        Patients per outcome cell N, E, T, B; empty when only the margins are known.
    """

    n_treated: int
    n: Mapping[str, int]
    events: Mapping[str, int]
    cells: Mapping[str, int]


@dataclass(frozen=True)
class Counts:
    """Checked counts.

    Parameters
    ----------
    doses, unit, endpoints
        Candidate doses, their unit, and the endpoints.
    found
        Labels of a group to the counts per observed dose; the one key is ``()`` without groups.
    notes
        Every default and every change, in words.
    groups
        Levels of each grouping.
    together
        Counts per dose of the outcomes known for all groups together.
    """

    doses: tuple[float, ...]
    unit: str
    endpoints: tuple[str, ...]
    found: AtGroups
    notes: tuple[str, ...]
    groups: Groups = field(default_factory=dict)
    together: Mapping[float, DoseCounts] = field(default_factory=dict)


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
    ends = tuple(columns.endpoint_columns)
    if not set(columns.used) <= set(table.header) or not table.rows:
        if problems:
            raise table.refusal(problems)
        return Counts(grid, columns.unit, ends, {}, (), declared_groups(columns, table))
    rows = [row for row in table.rows if not _total(row, columns, table.source, problems)]
    before = len(problems)
    labels, groups, notes = label_rows(rows, columns, table.source, problems)
    labelled = len(problems) == before
    style = NumberStyle(columns.decimal, columns.thousands)
    how = DoseText(columns.unit, columns.dose_levels, style)
    units = [_cell(r, columns.unit_column, table.source) for r in rows if columns.unit_column]
    cells = [_cell(r, columns.dose, table.source) for r in rows]
    placed = read_doses(cells, how, units=units, grid=grid, problems=problems)
    everyone = Together(columns, table.source)
    blank = [everyone.unknown(row) for row in rows]
    counted = []
    for row, label, without in zip(rows, labels, blank, strict=True):
        both = columns.both if everyone.joint(label, without) else ""
        counted.append(
            _dose_counts(row, columns, style, table.source, problems, blank=without, both=both)
        )
    _refuse_repeated([at for at, _ in cells], placed.doses, labels, groups, problems)
    if labelled:  # else what stands in the wrong group would be missed in the right one
        problems += everyone.problems(rows, labels, placed.doses, blank)
    if problems:
        raise table.refusal(problems)
    found: dict[tuple[str, ...], dict[float, DoseCounts]] = {}
    together: dict[float, DoseCounts] = {}
    for label, dose, counts in zip(labels, placed.doses, counted, strict=True):
        if dose is not None and counts is not None:
            (together if label is None else found.setdefault(label, {}))[dose] = counts
    notes = [*placed.notes, *notes]
    if not columns.n and len(set(columns.denominators.values())) > 1:
        notes.append("patients treated per dose: the largest denominator of its endpoints")
    return Counts(placed.grid, placed.unit, ends, found, tuple(notes), groups, together)


def _refuse_repeated(
    places: Sequence[Place],
    doses: Sequence[float | None],
    labels: Sequence[tuple[str, ...] | None],
    groups: Groups,
    problems: list[Problem],
) -> None:
    first: dict[tuple[tuple[str, ...] | None, float], Place] = {}
    for at, dose, label in zip(places, doses, labels, strict=True):
        if dose is None or first.setdefault((label, dose), at) is at:
            continue
        who = f" of {' '.join(label)}" if label else ""
        who = " of all groups together" if label is None else who
        rule = f"dose {dose:g}{who} stands in rows {first[label, dose].row} and {at.row}"
        repair = "give one row per group and dose"
        if not groups:
            repair = "give one row per dose; a column of subpopulations is named in `groups`"
        problems.append(at.problem("DOB-A14", dose, rule, repair))


def _cell(row: RawRow, column: str, source: str) -> tuple[Place, object]:
    return Place(source, row.number, column=column), row.cells[column]


def _total(row: RawRow, columns: CountColumns, source: str, problems: list[Problem]) -> bool:
    label = next(iter(row.cells.values()))
    known = {*columns.dose_levels, columns.together, *sum(columns.group_levels.values(), ())}
    if not is_total(label, labels_patient_or_dose=False) or label in known:
        return False
    rule, repair = "looks like a row of totals", "delete the row"
    problems.append(Place(source, row.number).problem("DOB-A08", label, rule, repair))
    return True


def _dose_counts(
    row: RawRow,
    columns: CountColumns,
    style: NumberStyle,
    source: str,
    problems: list[Problem],
    *,
    blank: frozenset[str],
    both: str,
) -> DoseCounts | None:
    """Return the counts of one row, or None after noting what does not fit.

    `blank` names the endpoints whose cells are empty because they are known in another row, and
    `both` the column of patients with both, where it is to be read.
    """
    own = {end: c for end, c in columns.endpoint_columns.items() if end not in blank}
    denominators = {end: columns.denominators[end] for end in own}
    common = columns.n
    if blank and common not in denominators.values() and is_missing(row.cells.get(common)):
        common = ""
    wanted = dict.fromkeys(c for c in (common, *own.values(), *denominators.values(), both) if c)
    pairs = [(name, _cell(row, name, source)) for name in wanted]
    value = {name: count_value(v, at, style, problems) for name, (at, v) in pairs}
    found = {name: count for name, count in value.items() if count is not None}
    if len(found) < len(value):
        return None
    before = len(problems)
    n = {end: found[column] for end, column in denominators.items()}
    events = {end: found[column] for end, column in own.items()}
    dose = row.cells[columns.dose]
    for end, column in own.items():
        at = Place(source, row.number, column=column)
        if events[end] > n[end]:
            rule = f"dose {dose}: {events[end]} events of {n[end]} patients"
            problems.append(at.problem("DOB-B13", events[end], rule, "events are at most n"))
        if common and n[end] > found[common]:
            rule = f"dose {dose}: {end} has {n[end]} patients, {common} only {found[common]}"
            problems.append(at.problem("DOB-B13", events[end], rule, "correct the denominators"))
    cells = _joint(found[both], n, events) if both else {}
    if both and min(cells.values()) < 0:
        at = Place(source, row.number, column=both)
        low = max(0, events[names.EFF] + events[names.TOX] - n[names.EFF])
        high = min(events[names.EFF], events[names.TOX])
        rule = f"dose {dose}: patients with both must lie in {low}..{high}"
        problems.append(at.problem("DOB-B13", found[both], rule, "correct the counts"))
    if both and n[names.TOX] != n[names.EFF]:
        at = Place(source, row.number, column=both)
        rule = f"dose {dose}: `both` needs one denominator, given {n[names.TOX]} and {n[names.EFF]}"
        repair = "leave `both` out, or count the same patients for both endpoints"
        problems.append(at.problem("DOB-B13", found[both], rule, repair))
    treated = found[common] if common else max(n.values(), default=0)
    return DoseCounts(treated, n, events, cells) if len(problems) == before else None


def _joint(both: int, n: Mapping[str, int], events: Mapping[str, int]) -> dict[str, int]:
    eff, tox = events[names.EFF], events[names.TOX]
    counts = (n[names.EFF] - eff - tox + both, eff - both, tox - both, both)
    return dict(zip(names.CELLS, counts, strict=True))
