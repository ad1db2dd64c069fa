"""Join analysis data sets by subject, one value each, and say what every policy did."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pandas as pd

from doseopt_bayes.data.read.containers import read_container
from doseopt_bayes.data.read.table import RawTable, missing_columns, read_frame
from doseopt_bayes.data.read.values import id_value, is_missing
from doseopt_bayes.errors import DataError, Problem, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from doseopt_bayes.data.read.adam_parts import EventTime, Parameter
    from doseopt_bayes.data.read.table import RawRow

__all__ = ["Joined", "Sheet", "open_sheet", "start"]

Key = tuple[str, ...]
SUBJECT, STUDY = "USUBJID", "STUDYID"


@dataclass(frozen=True)
class Sheet:
    """One analysis data set: its name in the standard and its raw table."""

    name: str
    table: RawTable

    def key(self, row: RawRow, by: Sequence[str]) -> Key:
        """Return the identifiers of a row, as text."""
        return tuple(id_value(row, column) for column in by)


@dataclass
class Joined:
    """Subjects, and what was joined to them; grows while a reader works, then becomes one table.

    Parameters
    ----------
    base
        Data set with one row per subject.
    by
        Columns that identify a subject.
    keys
        Subject of each row of `base`.
    gone
        Rule that keeps a subject out of the population (empty: in it), per row.
    """

    base: Sheet
    by: tuple[str, ...]
    keys: list[Key]
    gone: list[str]
    sheets: list[Sheet]
    columns: dict[str, list[object]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def needed(self, sheet: Sheet | None, name: str, why: str) -> Sheet | None:
        """Return a data set, or note that it is needed."""
        if sheet is None:
            rule = f"{why} needs {name}"
            self.problems.append(Problem("DOB-A15", rule, f"pass {name.lower()}=..."))
        elif sheet not in self.sheets:
            self.sheets.append(sheet)
        return sheet

    def records(
        self, sheet: Sheet, paramcd: str, *, flag: str, visit: str, columns: Iterable[str]
    ) -> dict[Key, RawRow]:
        """Return the one record per subject of a parameter; faults are noted."""
        by = self._keys_of(sheet)
        lacking = missing_columns(
            sheet.table, ["PARAMCD", *by, *columns, *([flag] if flag else [])]
        )
        if lacking:
            self.problems += lacking
            return {}
        rows = [row for row in sheet.table.rows if row.cells["PARAMCD"] == paramcd]
        if not rows:
            codes = [str(row.cells["PARAMCD"]) for row in sheet.table.rows]
            rule = f"{sheet.name} has no PARAMCD {paramcd!r}"
            repair = did_you_mean(paramcd, list(dict.fromkeys(codes)))
            self.problems.append(Problem("DOB-A15", rule, repair, sheet.table.source))
        kept = [row for row in rows if not flag or row.cells[flag] == "Y"]
        if flag:
            removed = f"{len(rows) - len(kept)} of {len(rows)} records are not {flag}='Y'"
            self.notes.append(f"{sheet.name} {paramcd}: {removed}")
        kept = self._at_visit(sheet, paramcd, visit, kept)
        return self._one_each(sheet, paramcd, by, kept)

    def value(self, name: str, sheet: Sheet, part: Parameter) -> None:
        """Join `AVAL` of a parameter as the column `name`, with its unit and label."""
        records = self.records(
            sheet, part.paramcd, flag=part.flag, visit=part.visit, columns=["AVAL"]
        )
        here = self._aligned(sheet, part.paramcd, records)
        unit = "AVALU" if "AVALU" in sheet.table.header else ""
        label = "PARAM" if "PARAM" in sheet.table.header else "PARAMCD"
        self.columns[name] = [_value(row) if row else None for row in here]
        units = [row.cells[unit] if row and unit else part.unit for row in here]
        self.columns[f"{name} unit"] = list(units)
        self.columns[f"{name} definition"] = [row.cells[label] if row else None for row in here]
        if not unit:
            said = f"{sheet.name} has no AVALU: the unit {part.unit!r} of {name} is not checked"
            self.notes.append(said)

    def event_time(self, name: str, sheet: Sheet, part: EventTime) -> None:
        """Join time and event coding as the columns ``<name> time`` and ``<name> event``."""
        records = self.records(
            sheet, part.paramcd, flag=part.flag, visit="", columns=["AVAL", part.event]
        )
        here = self._aligned(sheet, part.paramcd, records)
        self.columns[f"{name} time"] = [row.cells["AVAL"] if row else None for row in here]
        self.columns[f"{name} event"] = [row.cells[part.event] if row else None for row in here]
        units = {str(r.cells["AVALU"]) for r in records.values() if "AVALU" in r.cells}
        wrong = sorted(units - {part.time_unit})
        if wrong:
            rule = f"{sheet.name} {part.paramcd}: AVALU is {', '.join(wrong)}, not "
            rule += repr(part.time_unit)
            self.problems.append(Problem("DOB-D10", rule, f"pass time_unit={wrong[0]!r}"))

    def cells(self, sheet: Sheet, paramcd: str, *, flag: str, column: str) -> list[object]:
        """Return one cell per subject of the base, None without a record."""
        records = self.records(sheet, paramcd, flag=flag, visit="", columns=[column])
        here = self._aligned(sheet, paramcd, records)
        return [row.cells[column] if row else None for row in here]

    def counts(self, sheet: Sheet, rows: Sequence[RawRow]) -> list[int]:
        """Count records per subject of the base; records of nobody are a fault."""
        by = self._keys_of(sheet)
        found = Counter(sheet.key(row, by) for row in rows)
        self._refuse_strangers(sheet, by, found)
        return [found[self._own(sheet, key)] for key in self.keys]

    def wide(self) -> RawTable:
        """Return one table with a row per subject, in the order and with the rows of the base.

        Raises
        ------
        DataError
            With every fault that was noted.
        """
        base = self.base.table
        self.columns["left out"] = [rule or None for rule in self.gone]
        for name in self.columns:
            if name in base.header:
                rule = f"{name!r} is already a column of {self.base.name}"
                self.problems.append(Problem("DOB-A03", rule, "give the joined value another name"))
        if self.problems:
            raise base.refusal([*base.problems, *self.problems])
        cells = {c: [row.cells[c] for row in base.rows] for c in base.header}
        frame = pd.DataFrame({**cells, **self.columns}, dtype=object)
        table = read_frame(frame, base.source)
        lines = [f"{sheet.name} {sheet.table.source} {sheet.table.sha256}" for sheet in self.sheets]
        sha256 = hashlib.sha256("\n".join(lines).encode()).hexdigest()
        return replace(table, sha256=sha256, typed=base.typed)

    def print_inputs(self) -> list[str]:
        """Say which files were read and who is in the population."""
        said = [
            f"{s.name}: {s.table.source}, {s.table.n_rows} rows, sha256 {s.table.sha256[:12]}"
            for s in self.sheets
        ]
        out = Counter(rule for rule in self.gone if rule)
        kept = len(self.gone) - out.total()
        removed = "".join(f", {n} {rule}" for rule, n in sorted(out.items()))
        return [*said, f"population: {kept} of {len(self.gone)} subjects{removed}", *self.notes]

    def _aligned(
        self, sheet: Sheet, paramcd: str, records: Mapping[Key, RawRow]
    ) -> list[RawRow | None]:
        here = [records.get(self._own(sheet, key)) for key in self.keys]
        absent = sum(not row and not gone for row, gone in zip(here, self.gone, strict=True))
        if absent:
            said = f"{absent} subjects of the population have no record"
            self.notes.append(f"{sheet.name} {paramcd}: {said}")
        return here

    def _keys_of(self, sheet: Sheet) -> tuple[str, ...]:
        return tuple(c for c in self.by if c != STUDY or STUDY in sheet.table.header)

    def _own(self, sheet: Sheet, key: Key) -> Key:
        """Return the key of a subject in another data set, which may lack the study."""
        return key if len(self._keys_of(sheet)) == len(self.by) else key[-1:]

    def _at_visit(self, sheet: Sheet, paramcd: str, visit: str, rows: list[RawRow]) -> list[RawRow]:
        if "AVISIT" not in sheet.table.header:
            return rows
        seen = Counter(str(row.cells["AVISIT"]) for row in rows)
        by = self._keys_of(sheet)
        pairs = {(sheet.key(row, by), row.cells["AVISIT"]) for row in rows}
        several = any(n > 1 for n in Counter(key for key, _ in pairs).values())
        if visit and rows and visit not in seen:
            rule = f"{sheet.name} {paramcd} has no visit {visit!r}"
            self.problems.append(Problem("DOB-A15", rule, did_you_mean(visit, list(seen))))
        if not visit and several:
            shown = ", ".join(f"{v!r} ({n})" for v, n in seen.items())
            rule = f"{sheet.name} {paramcd} stands at several visits: {shown}"
            self.problems.append(Problem("DOB-C16", rule, "say which: visit='...'"))
            return []
        return [row for row in rows if not visit or row.cells["AVISIT"] == visit]

    def _one_each(
        self, sheet: Sheet, paramcd: str, by: tuple[str, ...], rows: Sequence[RawRow]
    ) -> dict[Key, RawRow]:
        found: dict[Key, RawRow] = {}
        for row in rows:
            key = sheet.key(row, by)
            first = found.setdefault(key, row)
            if first is not row:
                rule = (
                    f"{paramcd} of the same subject stands in rows {first.number} and {row.number}"
                )
                repair = "choose the record by its analysis flag (flag='ANL01FL') or visit"
                self.problems.append(
                    Problem("DOB-A14", rule, repair, sheet.table.source, row.number, key[-1])
                )
        self._refuse_strangers(sheet, by, found)
        return found

    def _refuse_strangers(self, sheet: Sheet, by: tuple[str, ...], found: Iterable[Key]) -> None:
        known = {self._own(sheet, key) for key in self.keys}
        strange = [key for key in found if key not in known]
        if strange:
            shown = ", ".join("/".join(key) for key in strange[:5])
            rule = f"{len(strange)} subjects of {sheet.name} are not in {self.base.name}: {shown}"
            repair = "a join would lose them: export both data sets from one cut-off"
            self.problems.append(Problem("DOB-E05", rule, repair, sheet.table.source))


def open_sheet(name: str, path_or_frame: str | Path | pd.DataFrame | None) -> Sheet | None:
    """Open one data set from a path or a frame; None stays None."""
    if path_or_frame is None:
        return None
    return Sheet(name, read_container(path_or_frame, source=name))


def start(base: Sheet, population: str, arms: Sequence[str]) -> Joined:
    """Begin with the subject-level data set and its population.

    Parameters
    ----------
    base
        ADSL or ADER.
    population
        Flag that is ``"Y"`` for who is analysed; empty: everybody.
    arms
        Columns that may say "Screen Failure".

    Raises
    ------
    DataError
        When identifiers or the flag are missing, or a subject stands twice.
    """
    table = base.table
    wanted = [SUBJECT, *([population] if population else [])]
    problems = [*table.problems, *missing_columns(table, wanted)]
    if problems:
        raise DataError(problems, table.source)
    by = (STUDY, SUBJECT) if STUDY in table.header else (SUBJECT,)
    keys = [base.key(row, by) for row in table.rows]
    first: dict[Key, int] = {}
    for key, row in zip(keys, table.rows, strict=True):
        before = first.setdefault(key, row.number)
        if before != row.number:
            rule = f"the same subject stands in rows {before} and {row.number}"
            repair = "keep one row per subject (a join may have doubled it)"
            problems.append(Problem("DOB-A14", rule, repair, table.source, row.number, key[-1]))
    if problems:
        raise DataError(problems, table.source)
    gone = [
        _rule_out(row, population, [a for a in arms if a in table.header]) for row in table.rows
    ]
    return Joined(base, by, keys, gone, [base])


def _rule_out(row: RawRow, population: str, arms: Sequence[str]) -> str:
    if any(str(row.cells[arm]).strip().casefold() == "screen failure" for arm in arms):
        return "screen failure"
    return f"{population} is not Y" if population and row.cells[population] != "Y" else ""


def _value(row: RawRow) -> object:
    """Return `AVAL`; where only the text says '<0.5', that text, for the policy of such values."""
    text = row.cells.get("AVALC")
    if is_missing(row.cells["AVAL"]) and isinstance(text, str) and text.lstrip().startswith("<"):
        return text
    return row.cells["AVAL"]
