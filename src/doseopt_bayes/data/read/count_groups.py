"""Rows of groups in a table of counts, and rows of all groups together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from doseopt_bayes import names
from doseopt_bayes.data.read.groups import UNREAD, read_levels
from doseopt_bayes.data.read.values import Place, is_missing
from doseopt_bayes.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from doseopt_bayes.data.columns import CountColumns
    from doseopt_bayes.data.read.groups import Groups
    from doseopt_bayes.data.read.table import RawRow

    type Label = tuple[str, ...] | None

__all__ = ["Together", "label_rows"]


def label_rows(
    rows: Sequence[RawRow], columns: CountColumns, source: str, problems: list[Problem]
) -> tuple[list[Label], Groups, list[str]]:
    """Return the labels of each row (None: all groups together), the levels, and notes.

    Parameters
    ----------
    rows
        Rows of the table.
    columns
        Column roles; without groups every row has no labels, the empty tuple.
    source
        Name of the table.
    problems
        Receives the faults, also of a row that is together in some groupings only.
    """
    by_grouping = []
    groups: dict[str, tuple[str, ...]] = {}
    notes = []
    for grouping, column in columns.groups.items():
        cells = [(Place(source, r.number, column=column), r.cells[column]) for r in rows]
        declared = tuple(columns.group_levels.get(grouping, ()))
        labels, groups[grouping], said = read_levels(
            grouping, cells, declared, problems, together=columns.together
        )
        if not groups[grouping] and None not in labels:
            rule = f"no row has a level of {grouping}"
            repair = "list the levels in group_levels, or read the table without groups"
            problems.append(Problem("DOB-E07", rule, repair, source, column=column))
        by_grouping.append([label or UNREAD for label in labels])
        notes += said
    found: list[Label] = []
    for k, row in enumerate(rows):
        label = tuple(labels[k] for labels in by_grouping)
        alone = [x == columns.together for x in label] if columns.together else [False]
        if any(alone) and not all(alone):
            rule = f"{columns.together!r} stands in some columns of groups only"
            repair = f"write {columns.together!r} in all of them, or name the level"
            at = Place(source, row.number, column=", ".join(columns.groups.values()))
            problems.append(at.problem("DOB-E02", " ".join(label), rule, repair))
        found.append(None if label and all(alone) else label)
    return found, groups, notes


class Together:
    """Outcomes that are known for all groups together: what is empty where, and what clashes.

    Parameters
    ----------
    columns
        Column roles.
    source
        Name of the table.
    """

    def __init__(self, columns: CountColumns, source: str) -> None:
        self.columns, self.source = columns, source

    def unknown(self, row: RawRow) -> frozenset[str]:
        """Return the endpoints whose own cells are all empty in a row, where that may be right."""
        if not self.columns.together:
            return frozenset()
        return frozenset(end for end in self.columns.endpoint_columns if self._blank(row, end))

    def joint(self, label: Label, blank: frozenset[str]) -> bool:
        """Whether the patients with both events are counted in a row."""
        return label is not None and not blank & {names.TOX, names.EFF}

    def problems(
        self,
        rows: Sequence[RawRow],
        labels: Sequence[Label],
        doses: Sequence[float | None],
        blank: Sequence[frozenset[str]],
    ) -> list[Problem]:
        """List endpoints known twice at a dose (E01), and known nowhere (B13).

        Parameters
        ----------
        rows, labels, doses, blank
            Per row: its cells, its group (None: all together), its dose, and what is empty in it.
        """
        found: list[Problem] = []
        everyone = list(zip(rows, labels, doses, blank, strict=True))
        for end, column in self.columns.endpoint_columns.items():
            for dose in dict.fromkeys(d for d in doses if d is not None):
                here = [x for x in everyone if x[2] == dose]
                known = [row for row, label, _, b in here if label is not None and end not in b]
                alone = [row for row, label, _, b in here if label is None and end not in b]
                if known and alone:
                    found.append(self._twice(end, column, dose, known, alone))
                missing = [row for row, label, _, b in here if label is not None and end in b]
                if not known and not missing:  # there is no row of a group to blame
                    missing = [row for row, label, _, b in here if label is None and end in b]
                if not alone:
                    found += [self._missing(end, column, row) for row in missing]
        for row, label, _, b in everyone:
            found += self._needless_joint(row, label, b)
        return found

    def _needless_joint(self, row: RawRow, label: Label, blank: frozenset[str]) -> list[Problem]:
        column = self.columns.both
        if not column or self.joint(label, blank) or is_missing(row.cells[column]):
            return []
        at = Place(self.source, row.number, column=column)
        rule = "patients with both are counted by group, where tox and eff are both known"
        return [at.problem("DOB-B13", row.cells[column], rule, "empty the cell")]

    def _blank(self, row: RawRow, end: str) -> bool:
        own = {self.columns.endpoint_columns[end], self.columns.denominators[end]}
        return all(is_missing(row.cells[c]) for c in own - {self.columns.n})

    def _missing(self, end: str, column: str, row: RawRow) -> Problem:
        at = Place(self.source, row.number, column=column)
        rule = f"the counts of {end} are missing, here and for all groups together"
        return at.problem("DOB-B13", "", rule, "write 0 where no patient was observed")

    def _twice(
        self,
        end: str,
        column: str,
        dose: float,
        known: Sequence[RawRow],
        alone: Sequence[RawRow],
    ) -> Problem:
        at = Place(self.source, alone[0].number, column=column)
        rows = ", ".join(str(row.number) for row in known)
        rule = (
            f"dose {dose:g}: {end} is counted by group (row{'s' * (len(known) > 1)} {rows}) and for "
            f"all groups together (row {alone[0].number}), which would count patients twice"
        )
        repair = f"empty its cells in the row of {self.columns.together!r}, or those of the groups"
        return at.problem("DOB-E01", alone[0].cells[column], rule, repair)
