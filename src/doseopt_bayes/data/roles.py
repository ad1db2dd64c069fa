"""Checks of column roles: contradictions are refused before any table is read."""

from __future__ import annotations

from keyword import iskeyword
from typing import TYPE_CHECKING, Any

from doseopt_bayes import names
from doseopt_bayes.data.read.groups import ALL_GROUPS, UNREAD, fold
from doseopt_bayes.errors import DataError, Problem, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = [
    "csv_problems",
    "endpoint_problems",
    "grouping_problems",
    "not_names",
    "refuse",
    "shared",
    "unknown",
]

RESERVED = (names.TOX, names.EFF, "id", "dose", "cohort", "read", "analysed")
# a grouping becomes a dim, and a column of the patients and of the disposition
DIMS = (
    *(names.CHAIN, names.DRAW, names.DOSE, names.CELL, names.ENDPOINT, names.ATTRIBUTE),
    *(names.PATIENT, names.REGIMEN, names.POOLED, names.N_TREATED, names.N, names.EVENTS),
    *(names.CELL_COUNT, names.N_TOGETHER, names.EVENTS_TOGETHER),
    *(names.PENDING, names.SLOT),
    *("trial", "rule", "sample", "variable", "criterion", "rank", "scenario", "measure", "model"),
    *("interval", "level", "outcome", "weight", "step", "block", "particle", "person", "group"),
)


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


def grouping_problems(
    groups: Mapping[str, str],
    levels: Mapping[str, tuple[str, ...]],
    endpoints: Iterable[str],
    *,
    together: str = "",
) -> list[Problem]:
    """Check the names of groupings and their declared levels.

    Parameters
    ----------
    groups
        Grouping to its column.
    levels
        Grouping to its declared levels.
    endpoints
        Names of the endpoints, which no grouping may have.
    together
        Text that stands for all groups together.
    """
    taken = {*RESERVED, *DIMS, *endpoints}
    problems = []
    for grouping, column in groups.items():
        if not grouping.isidentifier() or iskeyword(grouping):
            rule = f"{grouping!r} cannot name a grouping: a plain word without blanks is needed"
            problems.append(Problem("DOB-A15", rule, "for example 'subgroup', 'study', 'region'"))
        elif grouping in taken or grouping.startswith("p_"):
            rule = f"{grouping!r} cannot name a grouping: the name has a meaning already"
            problems.append(Problem("DOB-A15", rule, "for example 'subgroup', 'study', 'region'"))
        if not column:
            rule = f"grouping {grouping} has an empty column name"
            problems.append(Problem("DOB-A15", rule, "name its column"))
    problems += unknown("group_levels", levels, list(groups))
    for grouping, texts in levels.items():
        problems += _level_problems(grouping, texts, together)
    if together and not groups:
        rule = "`together` stands for all groups together, and no groups are declared"
        problems.append(Problem("DOB-A15", rule, "name their column in `groups`"))
    return problems


def _level_problems(grouping: str, texts: Iterable[Any], together: str) -> list[Problem]:
    if isinstance(texts, str) or not all(isinstance(x, str) for x in texts):
        rule = f"group_levels.{grouping} must be a list of texts"
        return [Problem("DOB-A15", rule, "for example ('laBCC', 'mBCC')", value=repr(texts)[:60])]
    levels: tuple[str, ...] = tuple(texts)
    problems = []
    for level in levels:
        if not level.strip() or level in {ALL_GROUPS, UNREAD}:
            rule = f"{level!r} cannot name a level of {grouping}"
            problems.append(Problem("DOB-A15", rule, "give it a name"))
        elif level != level.strip(" "):
            rule = f"level {level!r} of {grouping} begins or ends with a blank"
            problems.append(Problem("DOB-E04", rule, f"write {level.strip()!r}"))
        elif together and fold(level) == fold(together):
            rule = f"{level!r} is a level of {grouping} and stands for all groups together"
            problems.append(Problem("DOB-A15", rule, "leave it out of group_levels"))
    first: dict[str, str] = {}
    for k, level in enumerate(levels):
        twin = first.setdefault(fold(level), level)
        if twin != level or level in levels[:k]:
            rule = f"levels {twin!r} and {level!r} of {grouping} differ by case or blanks at most"
            problems.append(Problem("DOB-E04", rule, "list each level once"))
    if not levels:
        rule = f"group_levels.{grouping} is empty"
        problems.append(Problem("DOB-A15", rule, "leave it out, or list the levels"))
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
