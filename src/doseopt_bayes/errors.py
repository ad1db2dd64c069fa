"""Errors that teach: what, where, given, allowed, next step; all faults of one input at once."""

from __future__ import annotations

import difflib
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pandas as pd

__all__ = [
    "DataError",
    "DiagnosticsError",
    "DoseOptError",
    "Problem",
    "ResultsError",
    "SpecError",
    "did_you_mean",
]

SHOWN = 50


@dataclass(frozen=True)
class Problem:
    """One fault of one input, with its place and one suggested repair.

    Parameters
    ----------
    code
        Catalogue code, for example ``"DOB-C03"``.
    rule
        What was expected, in words.
    repair
        One thing that the user can do.
    file, row, patient, column, value
        Where it stands. `row` is 1-based with the header as row 1, as a spreadsheet shows it;
        ``None`` when the fault belongs to the whole input.
    """

    code: str
    rule: str
    repair: str
    file: str = ""
    row: int | None = None
    patient: str = ""
    column: str = ""
    value: str = ""

    def __str__(self) -> str:
        place = f"row {self.row}" if self.row is not None else ""
        cell = f"{self.column} = {self.value}" if self.column and self.value else self.column
        head = "  ".join(x for x in (place, self.patient, cell) if x)
        return f"{self.code}  {head + ': ' if head else ''}{self.rule} -> {self.repair}"


class DoseOptError(Exception):
    """Base of every error that this package raises on purpose.

    Parameters
    ----------
    message
        What is wrong, where, what was given and what is allowed.
    hint
        The next step.

    Examples
    --------
    >>> print(DoseOptError("weight = -1; weights are >= 0", hint="flip the direction instead"))
    weight = -1; weights are >= 0
      -> flip the direction instead
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message, self.hint = message, hint

    def __str__(self) -> str:
        return f"{self.message}\n  -> {self.hint}" if self.hint else self.message


class _ProblemsError(DoseOptError):
    """An input refused with every fault found in it."""

    def __init__(self, problems: Iterable[Problem], context: str) -> None:
        self.items: tuple[Problem, ...] = tuple(problems)
        self.context = context
        n = len(self.items)
        lines = [f"{n} problem{'s' if n != 1 else ''} in {context}"]
        lines += [f"  {p}" for p in self.items[:SHOWN]]
        if n > SHOWN:
            lines.append(f"  ... {SHOWN} of {n} shown; all of them are in `.problems`")
        super().__init__("\n".join(lines))

    @property
    def problems(self) -> pd.DataFrame:
        """Every fault as a table: code, file, row, patient, column, value, rule, repair."""
        import pandas as pd  # noqa: PLC0415  (an error must not cost an import before it is raised)

        columns = ["code", "file", "row", "patient", "column", "value", "rule", "repair"]
        table = pd.DataFrame([asdict(p) for p in self.items], columns=columns)
        return table.astype({"row": "Int64"})


class DataError(_ProblemsError):
    """A data file or frame was refused; nothing was used."""


class SpecError(_ProblemsError):
    """A specification (file or object) was refused before anything was sampled."""


class DiagnosticsError(DoseOptError):
    """A posterior failed its diagnostics gate, so that no dose is ranked from it."""


class ResultsError(DoseOptError):
    """A results folder lacks a file, holds one that was not written for it, or cannot be written."""


def did_you_mean(given: str, allowed: Sequence[str]) -> str:
    """Return the closest allowed name as a repair sentence, or the list of allowed names.

    Examples
    --------
    >>> did_you_mean("DOSEE", ["ID", "DOSE", "TOX"])
    "did you mean 'DOSE'?"
    >>> did_you_mean("xyz", ["ID", "DOSE"])
    'allowed: ID, DOSE'
    """
    folded = {name.casefold(): name for name in allowed}
    close = difflib.get_close_matches(given.casefold(), list(folded), n=1)
    return f"did you mean '{folded[close[0]]}'?" if close else f"allowed: {', '.join(allowed)}"
