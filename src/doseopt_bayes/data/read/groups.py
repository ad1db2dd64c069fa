"""A column of groups of patients: texts in, checked levels out; no code of a level is ever read."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, Protocol

from doseopt_bayes.data.read.values import SUMMARIES, is_missing, number_or_text
from doseopt_bayes.data.read.values import NumberStyle as Style
from doseopt_bayes.errors import Problem, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from doseopt_bayes.data.read.table import RawTable
    from doseopt_bayes.data.read.values import Place

    class Roles(Protocol):
        """Column roles with groups."""

        @property
        def groups(self) -> Mapping[str, str]: ...
        @property
        def group_levels(self) -> Mapping[str, tuple[str, ...]]: ...

    type Groups = Mapping[str, tuple[str, ...]]
    type Cells = Sequence[tuple[Place, object]]

__all__ = ["ALL_GROUPS", "UNREAD", "declared_groups", "fold", "read_label", "read_levels"]

ALL_GROUPS = "(all)"  # in printed tables: all groups together
UNREAD = "(no level)"  # the group of an excluded patient: missing, or not one of the levels
SHOWN = 10


def fold(level: str) -> str:
    """Return a level without what no reader sees or minds: case, blanks, encoding of accents.

    Examples
    --------
    >>> fold("nsclc ") == fold("NSCLC"), fold("la BCC") == fold("laBCC")
    (True, True)
    """
    return "".join(unicodedata.normalize("NFKC", level).split()).casefold()


def read_label(
    value: object, at: Place, known: Sequence[str], problems: list[Problem]
) -> str | None:
    """Return the text of one group cell, or None after noting the fault.

    Parameters
    ----------
    value, at
        The cell and its place.
    known
        Declared levels; they are taken as they stand, even one that reads like a missing value.
    problems
        Receives a missing group (E02), a row of totals (A08) and texts that no eye can see (A09).
    """
    if isinstance(value, str) and value in known:
        return value
    if is_missing(value):
        rule = f"the group is missing; declared: {', '.join(known)}" if known else ""
        repair = "fill it in, or exclude the patient with a reason"
        if value:
            repair += f"; where {value!r} is a level, declare it in group_levels"
        problems.append(at.problem("DOB-E02", value, rule or "the group is missing", repair))
        return None
    if not isinstance(value, str):
        return _plain(value, at, problems)
    # a level may look like a number or a date: only what cannot be one text is a fault here
    unseen: list[Problem] = []
    number_or_text(value, at, Style(), unseen)
    unseen = [p for p in unseen if p.code == "DOB-A09"]
    problems += unseen
    alike = fold(value) in map(fold, known)  # said as such, with its rows
    if not unseen and not alike and value.casefold().rstrip(": ") in SUMMARIES:
        rule = "looks like all groups together, which would count patients twice"
        repair = f"delete the row, or in a table of counts pass together={value!r}; a true level "
        repair += "of that name is declared in group_levels"
        problems.append(at.problem("DOB-A08", value, rule, repair))
        return None
    return None if unseen else value


def _plain(value: object, at: Place, problems: list[Problem]) -> str | None:
    """Return the text of a number; a number is a name here, never a position."""
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, int) or (isinstance(value, float) and value.is_integer()):
        return str(int(value))
    rule, repair = f"a group is a text, not {type(value).__name__}", "write the name of its level"
    problems.append(at.problem("DOB-B08", value, rule, repair))
    return None


def read_levels(
    grouping: str,
    cells: Cells,
    declared: tuple[str, ...],
    problems: list[Problem],
    *,
    together: str = "",
) -> tuple[list[str | None], tuple[str, ...], list[str]]:
    """Read the column of one grouping.

    Parameters
    ----------
    grouping
        Its name.
    cells
        Place and value of every row.
    declared
        Levels in protocol order; empty: those of the data, sorted, which is said.
    problems
        Receives missing groups (E02), levels that were not declared (E03), levels that differ by
        case or blanks only (E04) and rows of totals (A08).
    together
        Text that stands for all groups together.

    Returns
    -------
    tuple
        The label of every row (None: a fault), the levels in their order, and notes.
    """
    known = (*declared, together) if together else declared
    labels = [read_label(value, at, known, problems) for at, value in cells]
    rows: dict[str, list[Place]] = {}
    for (at, _), label in zip(cells, labels, strict=True):
        if label is not None:
            rows.setdefault(label, []).append(at)
    problems += _twins(grouping, rows, known)
    if declared:
        folded = {fold(level) for level in known}
        problems += [
            places[0].problem(
                "DOB-E03",
                level,
                f"level {level!r} of {grouping} is not declared ({_rows(places)}); declared: "
                f"{', '.join(declared)}",
                did_you_mean(level, known),
            )
            for level, places in rows.items()
            if level not in known and fold(level) not in folded
        ]
        return labels, declared, []
    levels = tuple(sorted(set(rows) - {together}))
    note = f"{grouping}: levels taken from the data, not pre-specified: {', '.join(levels)} "
    return labels, levels, [f"{note}(declare group_levels to check them)"] if levels else []


def declared_groups(columns: Roles, table: RawTable) -> dict[str, tuple[str, ...]]:
    """Return the levels of a table without rows, which can only be those declared.

    Raises
    ------
    DataError
        When the levels of a grouping are not declared.
    """
    groups = {g: tuple(columns.group_levels.get(g, ())) for g in columns.groups}
    empty = [g for g, levels in groups.items() if not levels]
    if empty:
        rule = f"no row and no declared level of {', '.join(empty)}"
        raise table.refusal(
            [Problem("DOB-E07", rule, "list the levels in group_levels", table.source)]
        )
    return groups


def _twins(
    grouping: str, rows: Mapping[str, Sequence[Place]], known: Sequence[str]
) -> list[Problem]:
    """List the levels that differ by case or blanks only, each with its rows."""
    first: dict[str, str] = {}
    found = []
    for level in [*known, *rows]:
        twin = first.setdefault(fold(level), level)
        if twin == level:
            continue
        there = f" ({_rows(rows[twin])})" if twin in rows else " (declared)"
        rule = f"levels {twin!r}{there} and {level!r} ({_rows(rows[level])}) of {grouping} "
        rule += "differ by case or blanks at most"
        found.append(rows[level][0].problem("DOB-E04", level, rule, f"write {twin!r} in all rows"))
    return found


def _rows(places: Sequence[Place]) -> str:
    shown = ", ".join(str(at.row) for at in places[:SHOWN]) + (", ..." * (len(places) > SHOWN))
    return f"row{'s' * (len(places) > 1)} {shown}"
