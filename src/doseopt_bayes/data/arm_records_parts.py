"""What every outcome of randomised arms checks of itself: its name, columns, times and codes."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Final

from doseopt_bayes import names
from doseopt_bayes.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["code_text", "columns_of", "named", "times_of"]

# names that mean something else to a utility or a model
TAKEN: Final = (names.EFF, names.CELL)


def code_text(value: object) -> str:
    """Return a code as text, whole numbers alike however they are stored.

    Examples
    --------
    >>> code_text(1.0), code_text("1"), code_text("AE")
    ('1', '1', 'AE')
    """
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value)


def named(kind: str, name: object) -> list[Problem]:
    """Refuse what cannot be part of the name of a variable, or is taken."""
    plain = isinstance(name, str) and re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name)
    if plain and name not in TAKEN:
        return []
    rule = f"{kind}: {name!r} cannot name an outcome"
    repair = f"letters, digits and _, and none of {', '.join(TAKEN)}"
    return [Problem("DOB-A15", rule, repair)]


def columns_of(kind: str, given: Mapping[str, object]) -> list[Problem]:
    """Refuse a role without a column, and one column in two roles."""
    problems = [
        Problem("DOB-A15", f"{kind}: {role} = {value!r} names no column", "give the column's name")
        for role, value in given.items()
        if not isinstance(value, str) or not value
    ]
    values = list(given.values())
    if not problems and len(set(values)) < len(values):
        rule = f"{kind}: one column stands in two roles: {', '.join(map(str, values))}"
        problems.append(Problem("DOB-A15", rule, "give each role its own column"))
    return problems


def times_of(kind: str, unit: object, **given: float) -> list[Problem]:
    """Refuse a time without a unit, and one that is not > 0."""
    problems = []
    if not isinstance(unit, str) or not unit:
        rule = f"{kind}: time_unit = {unit!r}: a time needs its unit"
        problems.append(Problem("DOB-A15", rule, "for example time_unit='day'"))
    for role, value in given.items():
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not (number and math.isfinite(value) and value > 0):
            rule = f"{kind}: {role} = {value!r} must be a time > 0"
            problems.append(Problem("DOB-A15", rule, "give it in time_unit"))
    return problems
