"""Arms of the data against the randomisation list, and the dose planned against the dose received."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from doseopt_bayes.data.arm_records_outcome import code_text
from doseopt_bayes.data.read.table import RawTable, missing_columns, read_csv, read_frame
from doseopt_bayes.data.roles import not_names, refuse
from doseopt_bayes.errors import Problem

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["RandomisationCheck", "check_randomisation"]

CODE: Final = "DOB-E08"
OTHER: Final = "another arm"
NO_LIST: Final = "not in the list"
NO_DATA: Final = "not in the data"
Arms = dict[str, tuple[int, str]]  # of each identifier: row, arm


@dataclass(frozen=True, eq=False)
class RandomisationCheck:
    """What a comparison of the data with the randomisation list found.

    Parameters
    ----------
    mismatches
        A row per patient who does not agree: ``id``, ``arm_in_data``, ``arm_in_list`` (empty where
        missing), ``why`` (``"another arm"``, ``"not in the list"``, ``"not in the data"``), and
        ``row_in_data`` and ``row_in_list`` as a spreadsheet counts them.
    n_data, n_list, n_agree
        Patients of the data, of the list, and in the same arm in both.
    actual
        A row per patient whose actual arm is not the planned one: ``id``, ``planned``, ``actual``,
        ``row_in_data``. ``None`` when no such column was named.
    notes
        All of it in words.
    """

    mismatches: pd.DataFrame
    n_data: int
    n_list: int
    n_agree: int
    actual: pd.DataFrame | None
    notes: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether every patient is in both, in the same arm."""
        return self.mismatches.empty

    def __str__(self) -> str:
        shown = [] if self.passed else [self.mismatches.to_string(index=False)]
        return "\n".join([*self.notes, *shown])

    __repr__ = __str__


def check_randomisation(
    data: pd.DataFrame | str | Path,
    listing: pd.DataFrame | str | Path,
    *,
    id: str,  # noqa: A002  (the role's name everywhere in this package)
    planned: str,
    listed: str,
    listed_id: str = "",
    actual: str = "",
    strict: bool = True,
) -> RandomisationCheck:
    """Check that each patient of the data is in the arm that the randomisation list says.

    Parameters
    ----------
    data, listing
        Data and randomisation list: data frames, or paths of UTF-8 CSV files. Several rows of one
        patient are one patient, as long as they name one arm.
    id, planned
        Columns of the data: the patient, and the arm that the comparison reads (planned, as
        randomised).
    listed, listed_id
        Columns of the list: the arm, and the patient (`id` when it is not given).
    actual
        Column of the data with the arm or dose that was received; its differences from the planned arm
        are counted, and are no mismatch.
    strict
        Raise an error when anything does not agree; otherwise return the table of mismatches.

    Returns
    -------
    RandomisationCheck
        Arms are compared as text, whole numbers alike however they are written; a difference of case is
        a difference.

    Raises
    ------
    DataError
        On a mismatch (DOB-E08) when `strict`, with every row; always on a column that is missing, an
        identifier or arm that is empty, and a patient with two arms.

    Notes
    -----
    Arms are compared as randomised: planned. Exposure and relative dose intensity are of the dose that
    was received: actual. A patient who received another dose than planned stays in the planned arm, and
    is counted here so that both numbers can be reported.

    Examples
    --------
    >>> import pandas as pd
    >>> data = pd.DataFrame({"ID": ["P1", "P2", "P3"], "ARM": [15, 45, 45], "GOT": [15, 45, 15]})
    >>> plan = pd.DataFrame({"ID": ["P1", "P2", "P3"], "ARM": [15, 45, 45]})
    >>> print(check_randomisation(data, plan, id="ID", planned="ARM", listed="ARM", actual="GOT"))
    3 patients in the data, 3 in the randomisation list, 3 in the same arm in both
    ARM (planned) is the arm of the comparison, GOT (actual) that of exposure: 1 of 3 patients differ
    """
    refuse(not_names({"id": id, "planned": planned, "listed": listed, "actual": actual}))
    table, plan = _read(data, "data"), _read(listing, "randomisation list")
    wanted = [c for c in (id, planned, actual) if c]
    key = listed_id or id
    problems = [*table.problems, *missing_columns(table, wanted)]
    problems += [*plan.problems, *missing_columns(plan, [key, listed])]
    if problems:
        raise table.refusal(problems)
    has, says = _arms(table, id, planned, problems), _arms(plan, key, listed, problems)
    got = _arms(table, id, actual, problems) if actual else {}
    if problems:
        raise table.refusal(problems)
    rows = _mismatches(has, says)
    found = _result(rows, has, says, got, planned, actual)
    if strict and rows:
        swapped = _swapped(rows)
        raise table.refusal(
            [_problem(r, table.source, planned, plan.source, swapped) for r in rows]
        )
    return found


def _read(given: pd.DataFrame | str | Path, source: str) -> RawTable:
    return read_csv(given) if isinstance(given, str | Path) else read_frame(given, source)


def _arms(table: RawTable, key: str, column: str, problems: list[Problem]) -> Arms:
    """Return row and arm of each patient; a gap or a second arm is a fault."""
    found: Arms = {}
    for row in table.rows:
        who, arm = (_text(row.cells[c]) for c in (key, column))
        for name, cell in ((key, who), (column, arm)):
            if not cell:
                rule, repair = f"{name} is empty", "fill it in: who is in which arm is not guessed"
                problems.append(
                    Problem("DOB-E02", rule, repair, table.source, row.number, who, name)
                )
        if not (who and arm):
            continue
        before = found.setdefault(who, (row.number, arm))
        if before[1] != arm:
            rule = f"patient {who} is in arm {before[1]} in row {before[0]}, in {arm} here"
            repair = "one patient has one arm: correct one of them"
            problems.append(
                Problem("DOB-E01", rule, repair, table.source, row.number, who, column, arm)
            )
    return found


def _text(cell: object) -> str:
    if cell is None or (isinstance(cell, float) and cell != cell):  # noqa: PLR0124  (only NaN does)
        return ""
    text = code_text(cell).strip()
    # 15, 15.0 and "15.0" are one arm, whatever wrote them
    return text.removesuffix(".0") if text.replace(".", "", 1).isdigit() else text


def _mismatches(has: Arms, says: Arms) -> list[dict[str, object]]:
    found: list[dict[str, object]] = []
    for who in dict.fromkeys([*has, *says]):
        mine, theirs = has.get(who), says.get(who)
        if mine and theirs and mine[1] == theirs[1]:
            continue
        why = OTHER if mine and theirs else NO_LIST if mine else NO_DATA
        found.append({
            "id": who,
            "arm_in_data": mine[1] if mine else "",
            "arm_in_list": theirs[1] if theirs else "",
            "why": why,
            "row_in_data": mine[0] if mine else None,
            "row_in_list": theirs[0] if theirs else None,
        })  # fmt: skip
    return found


def _swapped(rows: list[dict[str, object]]) -> str:
    """Name two arms whose labels seem to be exchanged: as many moved one way as the other."""
    moved = Counter(
        (str(r["arm_in_data"]), str(r["arm_in_list"])) for r in rows if r["why"] == OTHER
    )
    for (a, b), n in moved.items():
        if a < b and n == moved.get((b, a)) and n > 1:
            return (
                f"{n} patients of each of {a} and {b} stand in the other: are two labels exchanged?"
            )
    return ""


def _problem(row: dict[str, object], source: str, column: str, plan: str, swapped: str) -> Problem:
    who, why = str(row["id"]), row["why"]
    at = row["row_in_data"]
    if why == OTHER:
        rule = f"the {plan} says {row['arm_in_list']} (its row {row['row_in_list']})"
        repair = swapped or "correct the arm, or the list: never both silently"
        return Problem(
            CODE, rule, repair, source, int(str(at)), who, column, str(row["arm_in_data"])
        )
    if why == NO_LIST:
        rule, repair = f"not in the {plan}", "a patient who was not randomised is in no arm"
        return Problem(
            CODE, rule, repair, source, int(str(at)), who, column, str(row["arm_in_data"])
        )
    rule = f"randomised to {row['arm_in_list']} (row {row['row_in_list']} of the {plan}), not in the data"
    repair = "add the patient, or pass strict=False and report who is left out"
    return Problem(CODE, rule, repair, source, None, who)


def _result(
    rows: list[dict[str, object]], has: Arms, says: Arms, got: Arms, planned: str, actual: str
) -> RandomisationCheck:
    import pandas as pd  # noqa: PLC0415  (a check must not cost an import before it is asked for)

    columns = ["id", "arm_in_data", "arm_in_list", "why", "row_in_data", "row_in_list"]
    mismatches = pd.DataFrame(rows, columns=columns)
    mismatches = mismatches.astype({"row_in_data": "Int64", "row_in_list": "Int64"})
    agree = len(has) - sum(bool(r["arm_in_data"]) for r in rows)
    notes = [
        (
            f"{len(has)} patients in the data, {len(says)} in the randomisation list, {agree} in the "
            "same arm in both"
        )
    ]
    counts = Counter(str(r["why"]) for r in rows)
    notes += [f"{counts[why]} patients: {why}" for why in (OTHER, NO_LIST, NO_DATA) if counts[why]]
    notes += [s for s in (_swapped(rows),) if s]
    received = None
    if actual:
        moved = [
            (who, arm, got[who][1], at) for who, (at, arm) in has.items() if got[who][1] != arm
        ]
        received = pd.DataFrame(moved, columns=["id", "planned", "actual", "row_in_data"])
        notes.append(
            f"{planned} (planned) is the arm of the comparison, {actual} (actual) that of exposure: "
            f"{len(moved)} of {len(has)} patients differ"
        )
    return RandomisationCheck(mismatches, len(has), len(says), agree, received, tuple(notes))
