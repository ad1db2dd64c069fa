"""A table of decisions: for each number of patients at a dose and of toxicities among them, a letter."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from doseopt_bayes.errors import DoseOptError, Problem, SpecError

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

__all__ = ["LETTERS", "DecisionTable", "table_of"]

LETTERS: Final = {"E": 1, "S": 0, "D": -1, "U": -1}
"""Letters and the step they mean: escalate, stay, de-escalate, and de-escalate with elimination."""
PATIENTS: Final = "patients"


@dataclass(frozen=True)
class DecisionTable:
    """What follows n patients at the current dose of whom y had toxicity.

    Parameters
    ----------
    rows
        For n = 1, 2, ... a text of n + 1 letters, for y = 0, 1, ... n: E escalate, S stay, D
        de-escalate, U de-escalate and eliminate this dose and every higher one.
    name
        What it is called, for tables and figures.

    Raises
    ------
    DoseOptError
        On a row of another length, an unknown letter, or decisions that grow bolder with toxicity.

    Examples
    --------
    >>> table = DecisionTable(("ED", "ESD", "ESDU"))
    >>> table.letter(3, 1)
    'S'
    >>> print(table)
    patients  escalate if toxicities <=  de-escalate if >=  eliminate if >=
           1                          0                  1                -
           2                          0                  2                -
           3                          0                  2                3
    """

    rows: tuple[str, ...]
    name: str = "decision table"

    def __post_init__(self) -> None:
        object.__setattr__(self, "rows", tuple(self.rows))
        if not self.rows:
            raise DoseOptError(f"{self.name}: no row is given", hint="a text of letters for each n")
        for n, row in enumerate(self.rows, start=1):
            wrong = _fault(n, row)
            if wrong:
                raise DoseOptError(
                    f"{self.name}: row of {n} patients '{row}': {wrong[0]}", hint=wrong[1]
                )

    @property
    def most(self) -> int:
        """Largest number of patients at a dose that it has a row for."""
        return len(self.rows)

    def letter(self, n: int, tox: int) -> str:
        """Return the decision after `n` patients at a dose, `tox` of them with toxicity."""
        return self.rows[n - 1][tox]

    @cached_property
    def steps(self) -> np.ndarray:
        """(n, y): 1 escalate, 0 stay, -1 de-escalate; 0 where there is no row."""
        return self._filled(lambda letter: LETTERS[letter], np.int8)

    @cached_property
    def eliminates(self) -> np.ndarray:
        """(n, y): whether the dose and every higher one is eliminated."""
        return self._filled(lambda letter: letter == "U", bool)

    def _filled(self, value: Callable[[str], Any], kind: Any) -> np.ndarray:
        found = np.zeros((self.most + 1, self.most + 1), dtype=kind)
        for n, row in enumerate(self.rows, start=1):
            found[n, : n + 1] = [value(letter) for letter in row]
        return found

    def to_frame(self) -> pd.DataFrame:
        """Table for the protocol: patients at the dose, and boundaries as numbers of toxicities."""
        import pandas as pd  # noqa: PLC0415

        ends = [
            (
                n,
                row.count("E") - 1 if "E" in row else None,
                _first(row, "DU"),
                _first(row, "U"),
            )
            for n, row in enumerate(self.rows, start=1)
        ]
        heads = [PATIENTS, "escalate if toxicities <=", "de-escalate if >=", "eliminate if >="]
        return pd.DataFrame(ends, columns=heads).astype("Int64")

    def grid(self) -> pd.DataFrame:
        """Return the letters themselves: a row per number of toxicities, a column per patients."""
        import pandas as pd  # noqa: PLC0415

        ns = range(1, self.most + 1)
        return pd.DataFrame(
            {n: [self.letter(n, y) if y <= n else "" for y in range(self.most + 1)] for n in ns},
            index=pd.RangeIndex(self.most + 1, name="toxicities"),
        ).rename_axis(columns=PATIENTS)

    def __str__(self) -> str:
        frame = self.to_frame()
        rows = [list(frame.columns)]
        rows += [["-" if str(c) == "<NA>" else str(c) for c in row] for row in frame.to_numpy()]
        widths = [max(len(r[i]) for r in rows) for i in range(4)]
        said = ["  ".join(c.rjust(w) for c, w in zip(r, widths, strict=True)) for r in rows]
        said[0] = "  ".join(c.ljust(w) for c, w in zip(rows[0], widths, strict=True)).rstrip()
        return "\n".join(said)

    @classmethod
    def from_csv(cls, path: str | Path, name: str = "") -> DecisionTable:
        """Read a table from a CSV file.

        Parameters
        ----------
        path
            Columns ``patients`` (1, 2, 3, ... in order) and ``decisions`` (letters for 0, 1, ...
            toxicities, for example ``ESDU``).
        name
            What it is called; the file's name by default.

        Raises
        ------
        SpecError
            With every problem of the file, by row.
        """
        path = Path(path)
        problems: list[Problem] = []

        def wrong(row: int | None, column: str, value: str, rule: str, repair: str) -> None:
            problems.append(
                Problem("DOB-F09", rule, repair, path.name, row=row, column=column, value=value)
            )

        try:
            with path.open(encoding="utf-8-sig", newline="") as stream:
                lines = list(csv.DictReader(stream))
        except (OSError, UnicodeDecodeError, csv.Error) as e:
            wrong(None, "", "", f"the table cannot be read: {e}", "check the path and the file")
            raise SpecError(problems, str(path)) from None
        if not lines or not {PATIENTS, "decisions"} <= set(lines[0]):
            wrong(1, "", "", "the columns patients and decisions are needed", "add them")
            raise SpecError(problems, str(path))
        rows = []
        for i, line in enumerate(lines):
            n, letters = (line[PATIENTS] or "").strip(), (line["decisions"] or "").strip().upper()
            if n != str(i + 1):
                wrong(i + 2, PATIENTS, n, f"row {i + 1} is of {i + 1} patients", "leave out no row")
                continue
            fault = _fault(i + 1, letters)
            if fault:
                wrong(i + 2, "decisions", letters, *fault)
            rows.append(letters)
        if problems:
            raise SpecError(problems, str(path))
        return cls(tuple(rows), name or path.stem)


def _fault(n: int, row: str) -> tuple[str, str] | None:
    """Say what is wrong with the row of `n` patients, and what to do."""
    strange = sorted(set(row) - set(LETTERS))
    if strange:
        return f"unknown letter '{strange[0]}'", "E, S, D or U"
    if len(row) != n + 1:
        return f"{len(row)} letters", f"{n + 1}, for 0 to {n} toxicities"
    if list(row) != sorted(row, key="ESDU".index):
        rule = "a decision is bolder than one with fewer toxicities"
        return rule, "E, then S, then D, then U as toxicities increase"
    return None


def _first(row: str, letters: str) -> int | None:
    at = [i for i, letter in enumerate(row) if letter in letters]
    return at[0] if at else None


def table_of(letter: Callable[[int, int], str], most: int, name: str) -> DecisionTable:
    """Tabulate a rule for 1 to `most` patients."""
    rows = tuple("".join(letter(n, y) for y in range(n + 1)) for n in range(1, most + 1))
    return DecisionTable(rows, name)
