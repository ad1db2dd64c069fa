"""Checks of column roles: contradictions are refused before any table is read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from doseopt_bayes import names
from doseopt_bayes.errors import DataError, Problem, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["csv_problems", "endpoint_problems", "not_names", "refuse", "shared", "unknown"]

RESERVED = (names.TOX, names.EFF, "id", "dose", "cohort", "read", "analysed")


def refuse(problems: Iterable[Problem]) -> None:
    """Raise every contradiction at once."""
    found = tuple(problems)
    if found:
        raise DataError(found, "the column roles")


def not_names(texts: Mapping[str, object]) -> list[Problem]:
    """Refuse a column given by its values, which would lose the identity of its rows."""
    return [
        Problem(
            "DOB-B11" if type(value).__name__ == "Series" else "DOB-B08",
            f"{role} must be the name of a column, not {type(value).__name__}",
            "put the values into the one DataFrame and give the column's name",
        )
        for role, value in texts.items()
        if not isinstance(value, str)
    ]


def endpoint_problems(ends: Mapping[str, str], other: Mapping[str, str]) -> list[Problem]:
    """Check the names and columns of the endpoints."""
    problems = []
    if not ends:
        rule = "at least one endpoint is needed"
        problems.append(Problem("DOB-A15", rule, "name a column in `tox`, `eff` or `other`"))
    for end in other:
        if end in RESERVED or not end.isidentifier():
            rule = f"{end!r} cannot name a further endpoint; reserved: {', '.join(RESERVED)}"
            problems.append(Problem("DOB-A15", rule, "use another short name without blanks"))
    problems += [
        Problem("DOB-A15", f"endpoint {end} has an empty column name", "name its column")
        for end, column in ends.items()
        if not column
    ]
    return problems


def shared(columns: list[str]) -> list[Problem]:
    """Refuse one column in two roles."""
    named = [c for c in columns if c]
    return [
        Problem("DOB-A15", f"column {c!r} has two roles", "give each role its own column", column=c)
        for c in dict.fromkeys(named)
        if named.count(c) > 1
    ]


def unknown(role: str, given: Iterable[str], allowed: list[str]) -> list[Problem]:
    """Refuse a key that was not declared."""
    return [
        Problem(
            "DOB-A15", f"{role} names {key!r}, which is not declared", did_you_mean(key, allowed)
        )
        for key in given
        if key not in allowed
    ]


def csv_problems(sep: str, decimal: str, thousands: str) -> list[Problem]:
    """Check that the signs of a CSV file can be told apart."""
    rule = (
        f"sep={sep!r}, decimal={decimal!r}, thousands={thousands!r}: one sign each, all different"
    )
    ok = decimal in {".", ","} and thousands in {"", ".", ",", "'", " "} and len(sep) <= 1
    if ok and decimal not in {thousands, sep} and not (thousands and thousands == sep):
        return []
    return [Problem("DOB-A04", rule, "for example sep=';', decimal=',', thousands='.'")]
