"""A table as it stands in the file: text or typed cells, spreadsheet row numbers, fingerprints."""

from __future__ import annotations

import csv
import hashlib
import io
import re
from dataclasses import dataclass, replace
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pandas as pd

from doseopt_bayes.errors import DataError, DoseOptError, Problem, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = ["RawRow", "RawTable", "changed_rows", "missing_columns", "read_csv", "read_frame"]

INVISIBLE = re.compile("[\u00a0\u2007\u202f\u200b\ufeff\t]+")
OTHER_SEPARATORS = (";", "\t", "|")


@dataclass(frozen=True)
class RawRow:
    """One data row: its spreadsheet row number (header = 1) and its cells by column name."""

    number: int
    cells: Mapping[str, object]


@dataclass(frozen=True)
class RawTable:
    """A table before any meaning is given to it.

    Parameters
    ----------
    source
        File name, or the name given to a data frame.
    sha256
        Of the file's bytes, or of the frame's canonical text.
    header
        Column names, cleaned of invisible characters.
    rows
        Rows with the right number of fields; `n_rows` counts all data rows.
    row_hashes
        One short hash per data row, in file order.
    typed
        Whether the cells carry types (data frame) or are text (CSV).
    problems, notes
        Faults of the table as such, and what was cleaned.
    """

    source: str
    sha256: str
    header: tuple[str, ...]
    rows: tuple[RawRow, ...]
    n_rows: int
    row_hashes: tuple[str, ...]
    typed: bool
    problems: tuple[Problem, ...]
    notes: tuple[str, ...]

    def refusal(self, problems: Iterable[Problem]) -> DataError:
        """Return the error that lists every fault once, in the order of the rows."""
        found = sorted(dict.fromkeys(problems), key=lambda p: p.row or 0)
        return DataError(found, f"{self.source} ({self.n_rows} rows read, 0 used)")


def changed_rows(before: Sequence[str], after: Sequence[str]) -> tuple[int, ...]:
    """Return the spreadsheet row numbers that differ between two readings of one file.

    Parameters
    ----------
    before, after
        `row_hashes` of the two readings. Added or lost rows at the end count as changed.

    Examples
    --------
    >>> changed_rows(["a", "b", "c"], ["a", "x", "c", "d"])
    (3, 5)
    """
    pairs = enumerate(zip_longest(before, after), start=2)
    return tuple(number for number, (old, new) in pairs if old != new)


def read_csv(path: str | Path, *, sep: str = "", decimal: str = ".") -> RawTable:
    """Read a CSV file strictly: every cell stays text, every row must fit the header.

    Parameters
    ----------
    path
        UTF-8 file; its first row is the header.
    sep
        Field separator; empty means comma. Another separator is reported, never guessed.
    decimal
        Decimal sign, used here only to word the advice on separators.

    Raises
    ------
    DataError
        When the file is not UTF-8, has no header, or uses another separator.
    DoseOptError
        When there is no such file.
    """
    path = Path(path)
    if not path.is_file():
        raise DoseOptError(f"no file at {path}", hint="check the path")
    data = path.read_bytes()
    text = _decode(data, path.name)
    records = _records(text.removeprefix("\ufeff"), sep or ",", path.name)
    if not records or not any(cell.strip() for cell in records[0]):
        rule, repair = "the file has no header row", "check that the right file was exported"
        raise DataError([Problem("DOB-A13", rule, repair, path.name)], path.name)
    _refuse_other_separator(records, sep or ",", decimal, path.name)
    table = _assemble(records[0], records[1:], path.name, typed=False)
    bom = "byte order mark at the start of the file ignored"
    notes = (bom, *table.notes) if text.startswith("\ufeff") else table.notes
    return replace(table, sha256=hashlib.sha256(data).hexdigest(), notes=notes)


def read_frame(frame: pd.DataFrame, source: str = "data frame") -> RawTable:
    """Take the cells of a data frame with their types; the index is not read.

    Parameters
    ----------
    frame
        One row per patient or dose. Row numbers are those of the frame saved with a header.
    source
        Name used in errors and in the ledger.

    Raises
    ------
    DataError
        When `frame` is not one two-dimensional DataFrame with plain column names.
    """
    if not isinstance(frame, pd.DataFrame) or frame.columns.nlevels > 1:
        kind = type(frame).__name__ if not isinstance(frame, pd.DataFrame) else "nested columns"
        rule = f"one DataFrame with plain column names is accepted, not {kind}"
        repair = "put every column into one DataFrame, so that rows keep together"
        raise DataError([Problem("DOB-B11", rule, repair, source)], source)
    columns = [frame.iloc[:, i].tolist() for i in range(frame.shape[1])]
    records = [[_plain(cell) for cell in record] for record in zip(*columns, strict=True)]
    header = [str(name) for name in frame.columns]
    table = _assemble(header, records, source, typed=True)
    index = "the index of the data frame was not read; rows are numbered by position"
    kept = isinstance(frame.index, pd.RangeIndex)
    lines = ["\x1f".join(header), *("\x1f".join(map(_canonical, r)) for r in records)]
    sha256 = hashlib.sha256("\x1e".join(lines).encode()).hexdigest()
    return replace(table, sha256=sha256, notes=table.notes if kept else (index, *table.notes))


def missing_columns(table: RawTable, wanted: Iterable[str]) -> list[Problem]:
    """List the wanted columns that the table lacks, each with the nearest name (A15)."""
    problems = []
    for name in wanted:
        if name in table.header:
            continue
        rule = f"no column {name!r}; columns found: {', '.join(table.header)}"
        repair = did_you_mean(name, table.header)
        if len(table.header) == 1 and any(s in table.header[0] for s in OTHER_SEPARATORS):
            rule += " (one column only: was the file read with the wrong separator?)"
        problems.append(Problem("DOB-A15", rule, repair, table.source, 1, column=name))
    return problems


def _decode(data: bytes, name: str) -> str:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        row = data[: error.start].count(b"\n") + 1
        rule = f"the file is not UTF-8 text: byte 0x{data[error.start]:02x}"
        problem = Problem("DOB-A09", rule, "save it as 'CSV UTF-8'", name, row)
        raise DataError([problem], name) from None
    if "\x00" in text:
        rule, repair = "the file holds NUL characters", "save it as 'CSV UTF-8'"
        raise DataError([Problem("DOB-A09", rule, repair, name)], name)
    return text


def _records(text: str, sep: str, name: str) -> list[list[str]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=sep, strict=True)
    try:
        return list(reader)
    except csv.Error as error:
        rule, repair = f"the line cannot be split into fields: {error}", "check its quotation marks"
        raise DataError([Problem("DOB-A01", rule, repair, name, reader.line_num)], name) from None


def _refuse_other_separator(records: list[list[str]], sep: str, decimal: str, name: str) -> None:
    if len(records[0]) > 1:
        return
    seen = next((s for s in (*OTHER_SEPARATORS, ",") if s != sep and s in records[0][0]), "")
    if seen:
        joined = sep.join(records[1]) if len(records) > 1 else ""
        comma = seen != "," and re.search(r"[0-9],[0-9]", joined) is not None
        advice = f"sep={seen!r}" + (", decimal=','" if comma and decimal != "," else "")
        rule = f"separator {seen!r}{' and decimal comma' if comma else ''} seen, {sep!r} expected"
        problem = Problem("DOB-A04", rule, f"pass {advice}", name, 1, value=repr(records[0][0]))
        raise DataError([problem], name)


def _assemble(
    header: Sequence[str], records: Sequence[Sequence[object]], source: str, *, typed: bool
) -> RawTable:
    clean = tuple(INVISIBLE.sub(" ", name).strip() for name in header)
    renamed = [(old, new) for old, new in zip(header, clean, strict=True) if old != new]
    notes = [f"column name {old!r} read as {new!r}" for old, new in renamed]
    problems = []
    for name in dict.fromkeys(c for c in clean if c and clean.count(c) > 1):
        at = ", ".join(str(i + 1) for i, c in enumerate(clean) if c == name)
        rule = f"column name {name!r} stands at positions {at}"
        repair = "rename or remove all but one"
        problems.append(Problem("DOB-A03", rule, repair, source, 1, column=name))
    rows, long = [], []
    for number, record in enumerate(records, start=2):
        cells = [c.strip(" ") if isinstance(c, str) else c for c in record]
        if all(c is None or c == "" for c in cells):
            rule, repair = "the row is blank", "delete the row"
            problems.append(Problem("DOB-A08", rule, repair, source, number))
        elif len(cells) > len(clean):
            long.append((number, len(cells)))
        elif len(cells) < len(clean):
            rule = f"{len(cells)} fields, header has {len(clean)}"
            repair = "fill the missing field, or write the separator for an empty one"
            problems.append(Problem("DOB-A05", rule, repair, source, number))
        else:
            rows.append(RawRow(number, dict(zip(clean, cells, strict=True))))
    if long:
        first, fields = long[0]
        rule = f"{fields} fields, header has {len(clean)} ({len(long)} such rows)"
        repair = "remove the extra separator, or name the extra column in the header"
        problems.append(Problem("DOB-A01", rule, repair, source, first))
    blanks = sum(isinstance(c, str) and c != c.strip(" ") for record in records for c in record)
    if blanks:
        notes.append(f"blanks around the value ignored in {blanks} cells")
    hashes = tuple(_hash(record) for record in records)
    return RawTable(
        source, "", clean, tuple(rows), len(records), hashes, typed, tuple(problems), tuple(notes)
    )


def _plain(cell: object) -> object:
    if isinstance(cell, np.generic):
        cell = cell.item()
    missing = pd.api.types.is_scalar(cell) and pd.isna(cast("Any", cell))
    return None if missing else cell


def _canonical(cell: object) -> str:
    return "" if cell is None else f"{type(cell).__name__}:{cell}"


def _hash(record: Sequence[object]) -> str:
    return hashlib.sha256("\x1f".join(map(_canonical, record)).encode()).hexdigest()[:16]
