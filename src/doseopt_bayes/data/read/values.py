"""Cells to values: each parser returns a value, or notes the fault and returns None."""

from __future__ import annotations

import datetime as dt
import math
import numbers
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from doseopt_bayes.data.read.table import INVISIBLE, RawRow
from doseopt_bayes.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "NumberStyle",
    "Place",
    "count_value",
    "id_value",
    "is_missing",
    "is_total",
    "number_or_text",
]

MISSING = {"", "NA", "N/A", "NaN", "nan", "<NA>", ".", "null", "NULL", "None"}
INFINITE = {"inf", "infinity"}
TOTALS = {"sum", "total", "totals", "subtotal", "grand total", "summe"}
SUMMARIES = TOTALS | {"all", "overall", "mean"}
DATE = re.compile(
    r"""( [0-9]{1,4}[-/][0-9]{1,2}([-/][0-9]{1,4})? | [0-9]{1,2}\.[0-9]{1,2}\.[0-9]{2,4}
        | [0-9]{1,2}[-/. ]?[A-Za-z]{3}([-/. ]?[0-9]{2,4})? | [A-Za-z]{3}[-/ ][0-9]{1,4}
        )([ T][0-9:.]+)?""",
    re.VERBOSE,
)
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


@dataclass(frozen=True)
class Place:
    """Where a cell stands."""

    file: str
    row: int | None = None
    patient: str = ""
    column: str = ""

    def problem(self, code: str, value: object, rule: str, repair: str) -> Problem:
        """Return a fault of the cell at this place."""
        shown = "(empty)" if value is None or value == "" else f"{value!r}"
        return Problem(
            code, rule, repair, self.file, self.row, self.patient, self.column, shown[:60]
        )


@dataclass(frozen=True)
class NumberStyle:
    """Decimal and thousands signs of text numbers."""

    decimal: str = "."
    thousands: str = ""


def is_missing(value: object, codelist: Mapping[str, int] | None = None) -> bool:
    """Whether a cell is empty or a usual sign for missing; a declared codelist goes first.

    Examples
    --------
    >>> is_missing("NA"), is_missing("."), is_missing("0"), is_missing("NA", {"NA": 0})
    (True, True, False, False)
    """
    if codelist and isinstance(value, str) and value in codelist:
        return False
    return value is None or (isinstance(value, str) and value in MISSING)


def is_total(value: object, *, labels_patient_or_dose: bool = True) -> bool:
    """Whether a cell labels a row of totals; in other columns 'all' may be a true value."""
    known = SUMMARIES if labels_patient_or_dose else TOTALS
    return isinstance(value, str) and value.casefold().rstrip(": ") in known


def id_value(row: RawRow, column: str) -> str:
    """Return an identifier as text, leading zeros kept; empty when there is none."""
    value = row.cells.get(column)
    if is_missing(value):
        return ""
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # pandas turns an integer column with a gap into floats
    return str(value)


def number_or_text(
    value: object, at: Place, style: NumberStyle, problems: list[Problem]
) -> float | str | None:
    """Return a number, or the text that is none; a fault common to all columns gives None."""
    if isinstance(value, numbers.Real):
        return float(value)
    if isinstance(value, (dt.date, dt.time, dt.timedelta)):
        problems.append(_date(value, at))
        return None
    if not isinstance(value, str):
        rule = f"a cell holds one value, not {type(value).__name__}"
        problems.append(at.problem("DOB-B08", value, rule, "use one plain column per quantity"))
        return None
    if INVISIBLE.search(value):
        rule, repair = "the cell holds a no-break or invisible space", "retype the value"
        problems.append(at.problem("DOB-A09", value, rule, repair))
        return None
    return _text_number(value, at, style, problems)


def count_value(
    value: object, at: Place, style: NumberStyle, problems: list[Problem]
) -> int | None:
    """Return a whole number of patients >= 0 (B13)."""
    if is_missing(value):
        rule, repair = "a count is missing", "write 0 where no patient was observed"
        problems.append(at.problem("DOB-B13", value, rule, repair))
        return None
    found = number_or_text(value, at, style, problems)
    if isinstance(found, float) and found >= 0 and found.is_integer() and found < 2**53:
        if not isinstance(value, bool):
            return int(found)
    elif isinstance(found, float) and not math.isfinite(found):
        problems.append(at.problem("DOB-A07", value, "not a finite number", "correct the value"))
        return None
    if found is not None:
        rule, repair = "a count is a whole number >= 0", "correct the value"
        problems.append(at.problem("DOB-B13", value, rule, repair))
    return None


def _text_number(
    text: str, at: Place, style: NumberStyle, problems: list[Problem]
) -> float | str | None:
    point, mark = re.escape(style.decimal), re.escape(style.thousands)
    digits = rf"([0-9]+|[0-9]{{1,3}}({mark}[0-9]{{3}})+)" if mark else "([0-9]+)"
    if re.fullmatch(rf"[+-]?({digits}({point}[0-9]*)?|{point}[0-9]+)([eE][+-]?[0-9]+)?", text):
        plain = text.replace(style.thousands, "") if style.thousands else text
        number = float(plain.replace(style.decimal, "."))
        if math.isfinite(number):
            return number
        problems.append(at.problem("DOB-A07", text, "not a finite number", "correct the value"))
        return None
    if text.casefold().lstrip("+-") in INFINITE:
        return math.inf
    fault = _almost_number(text, at, style)
    if fault is None:
        return text
    problems.append(fault)
    return None


def _almost_number(text: str, at: Place, style: NumberStyle) -> Problem | None:
    """Return the fault of text that is a number or a date in another notation."""
    other = "," if style.decimal == "." else "."
    if re.fullmatch(rf"[+-]?[0-9]{{1,3}}([ '\u2019]|{re.escape(other)})[0-9]{{3}}.*", text):
        sign = re.sub(r"^[+-]?[0-9]+", "", text)[0]
        rule = f"the number holds a thousands sign {sign!r}"
        return at.problem("DOB-A06", text, rule, f"pass thousands={sign!r}")
    if re.fullmatch(rf"[+-]?[0-9]*{re.escape(other)}[0-9]+", text):
        rule = f"decimal {other!r} seen, {style.decimal!r} expected"
        return at.problem("DOB-A04", text, rule, f"pass decimal={other!r}")
    return _date(text, at) if _looks_like_date(text) else None


def _looks_like_date(text: str) -> bool:
    if not DATE.fullmatch(text):
        return False
    letters = "".join(c for c in text.casefold() if c.isalpha()).removesuffix("t")
    return not letters or letters.startswith(MONTHS)


def _date(value: object, at: Place) -> Problem:
    text = value.isoformat() if isinstance(value, dt.date) else str(value)
    rule, repair = "looks like a date: was this a count or a code?", "format the column as text"
    return at.problem("DOB-A10", text, rule, repair)
