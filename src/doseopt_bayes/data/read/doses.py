"""Doses: read each with its unit, and place it on the grid of candidate doses."""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

from doseopt_bayes.data.read.values import NumberStyle, Place, is_missing, is_total, number_or_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from doseopt_bayes.errors import Problem

__all__ = [
    "DoseText",
    "Placed",
    "candidate_doses",
    "common_unit",
    "on_grid",
    "read_dose",
    "read_doses",
    "same_dose",
]

TOLERANCE = 1e-6
WITH_UNIT = re.compile(r"([0-9]+(?:[.,][0-9]+)?)\s*([^0-9\s.,].*)")


@dataclass(frozen=True)
class DoseText:
    """How text in a dose column is read: its unit, its named levels and its number style."""

    unit: str = ""
    levels: Mapping[str, float] = field(default_factory=dict)
    style: NumberStyle = field(default_factory=NumberStyle)


@dataclass(frozen=True)
class Placed:
    """Doses on the grid: the grid, one grid dose (or None) per value, the changes, the unit."""

    grid: tuple[float, ...]
    doses: list[float | None]
    notes: tuple[str, ...]
    unit: str = ""


def candidate_doses(doses: Sequence[float], problems: list[Problem]) -> tuple[float, ...]:
    """Return the protocol's doses in ascending order; faults of the grid are noted.

    Examples
    --------
    >>> candidate_doses([10, 2.5, 5], [])
    (2.5, 5.0, 10.0)
    """
    at = Place("", column="doses")
    grid = sorted(float(dose) for dose in doses if _positive(dose, dose, at, problems))
    for low, high in pairwise(grid):
        if same_dose(low, high):
            rule, repair = "a candidate dose stands twice", "list each dose once"
            problems.append(at.problem("DOB-C10", high, rule, repair))
    return tuple(grid)


def common_unit(
    cells: Sequence[tuple[Place, object]], declared: str, problems: list[Problem]
) -> str:
    """Return the one unit of all rows; a row in another unit is a fault (C06)."""
    units = ["" if is_missing(value) else str(value) for _, value in cells]
    unit = declared or next((u for u in units if u), "")
    for (at, value), found in zip(cells, units, strict=True):
        if found != unit:
            rule = f"unit {found!r} differs from {unit!r}"
            repair = "convert the dose and its unit in the file"
            problems.append(at.problem("DOB-C06", value, rule, repair))
    return unit


def read_dose(value: object, at: Place, text: DoseText, problems: list[Problem]) -> float | None:
    """Return a dose > 0 in the declared unit, or note the fault (A08, C01-C04)."""
    if isinstance(value, str) and value in text.levels:
        dose = text.levels[value]
        return float(dose) if _positive(dose, value, at, problems) else None
    if is_missing(value):
        rule, repair = "the dose is missing", "fill it in; a row of totals is to be deleted"
        problems.append(at.problem("DOB-C02", value, rule, repair))
        return None
    if is_total(value):
        rule, repair = "looks like a row of totals", "delete the row"
        problems.append(at.problem("DOB-A08", value, rule, repair))
        return None
    if isinstance(value, bool):
        rule, repair = "a dose is a number > 0", "check the dose column"
        problems.append(at.problem("DOB-C04", value, rule, repair))
        return None
    found = number_or_text(value, at, text.style, problems)
    if isinstance(found, str):
        found = _dose_with_unit(found, at, text, problems)
    return found if found is not None and _positive(found, value, at, problems) else None


def read_doses(
    cells: Sequence[tuple[Place, object]],
    how: DoseText,
    *,
    units: Sequence[tuple[Place, object]],
    grid: tuple[float, ...],
    problems: list[Problem],
) -> Placed:
    """Read a column of doses with its unit and place it on the grid.

    Parameters
    ----------
    cells
        Place and value of every dose.
    how
        How text is read.
    units
        Cells of the unit column; empty when there is none.
    grid
        Candidate doses; empty: taken from the data.
    problems
        Receives the faults.
    """
    if units:
        how = DoseText(common_unit(units, how.unit, problems), how.levels, how.style)
    read = [(at, read_dose(value, at, how, problems)) for at, value in cells]
    placed = on_grid(read, grid, problems)
    split = [WITH_UNIT.fullmatch(v) for _, v in cells if isinstance(v, str) and v not in how.levels]
    texts = sum(match is not None and match[2] == how.unit for match in split)
    notes = list(placed.notes)
    if texts:
        notes.append(f"{texts} doses written as text with the unit {how.unit!r} were read")
    return Placed(placed.grid, placed.doses, tuple(notes), how.unit)


def on_grid(
    values: Sequence[tuple[Place, float | None]],
    grid: tuple[float, ...],
    problems: list[Problem],
) -> Placed:
    """Place every dose on the grid (relative tolerance 1e-6), or note why it is not there.

    Parameters
    ----------
    values
        Place and dose; None is passed through.
    grid
        Candidate doses, ascending. Empty: the grid is taken from the values.
    problems
        Receives C05 (a factor 1000 away) and C12 (not a candidate dose).
    """
    notes = []
    if not grid:
        grid = _observed_grid(values, problems)
        shown = ", ".join(f"{d:g}" for d in grid)
        notes.append(f"candidate doses taken from the data: {shown} (declare doses to check them)")
    placed: list[float | None] = []
    snapped: Counter[tuple[float, float]] = Counter()
    for at, dose in values:
        level = next((g for g in grid if dose is not None and same_dose(dose, g)), None)
        if dose is not None and level is None:
            problems.append(_off_grid(at, dose, grid))
        if dose is not None and level is not None and dose != level:
            snapped[dose, level] += 1
        placed.append(level)
    notes += [
        f"dose {dose!r} read as {level:g} in {n} rows (within 1e-6)"
        for (dose, level), n in sorted(snapped.items())
    ]
    return Placed(grid, placed, tuple(notes))


def same_dose(a: float, b: float) -> bool:
    """Whether two doses differ by float noise only (relative 1e-6)."""
    return math.isclose(a, b, rel_tol=TOLERANCE)


def _positive(dose: float, shown: object, at: Place, problems: list[Problem]) -> bool:
    if isinstance(dose, bool) or not isinstance(dose, int | float):
        problems.append(at.problem("DOB-C04", shown, "a dose is a number > 0", "give a number"))
        return False
    if not math.isfinite(dose):
        problems.append(at.problem("DOB-C02", shown, "a dose is a finite number", "correct it"))
    elif dose == 0:
        rule = "dose 0: a model in log dose has no placebo"
        repair = "declare placebo separately: leave its rows out of this table"
        problems.append(at.problem("DOB-C01", shown, rule, repair))
    elif dose < 0:
        problems.append(at.problem("DOB-C03", shown, "doses are > 0", "correct the sign"))
    return math.isfinite(dose) and dose > 0


def _dose_with_unit(text: str, at: Place, how: DoseText, problems: list[Problem]) -> float | None:
    match = WITH_UNIT.fullmatch(text)
    if match and how.unit and match[2] == how.unit:
        number = number_or_text(match[1], at, how.style, problems)
        return number if isinstance(number, float) else None
    if match and how.unit:
        rule = f"unit {match[2]!r} differs from {how.unit!r}"
        repair = "convert the value, or declare the unit that all doses have"
    elif match:
        rule, repair = "text with a unit, and no unit declared", f"declare unit={match[2]!r}"
    else:
        rule, repair = "not a number", "map it in dose_levels, for example {'Low': 10}"
    problems.append(at.problem("DOB-C04", text, rule, repair))
    return None


def _observed_grid(
    values: Sequence[tuple[Place, float | None]], problems: list[Problem]
) -> tuple[float, ...]:
    counts = Counter(dose for _, dose in values if dose is not None)
    clusters: list[list[float]] = []
    for dose in sorted(counts):
        if clusters and same_dose(clusters[-1][0], dose):
            clusters[-1].append(dose)
        else:
            clusters.append([dose])
    # of 9.999999 and 10 the more frequent, then the shorter number, names the level
    grid = [max(c, key=lambda d: (counts[d], -len(repr(d)), d)) for c in clusters]
    total = {g: sum(counts[d] for d in c) for g, c in zip(grid, clusters, strict=True)}
    for low in grid:
        for high in grid:
            if same_dose(high, 1000 * low):
                rare = low if total[low] < total[high] else high
                at = next(at for at, d in values if d is not None and same_dose(d, rare))
                rule = f"{high:g} is 1000 x {low:g}: unit?"
                repair = "convert the value, or declare both in doses"
                problems.append(at.problem("DOB-C05", rare, rule, repair))
    return tuple(grid)


def _off_grid(at: Place, dose: float, grid: tuple[float, ...]) -> Problem:
    for level, candidate in enumerate(grid, start=1):
        for factor, word in ((1000.0, "1000"), (0.001, "1/1000")):
            if same_dose(dose, factor * candidate):
                rule = f"{dose:g} is {word} x level {level} ({candidate:g}): unit?"
                return at.problem("DOB-C05", dose, rule, "convert the value to the declared unit")
    shown = ", ".join(f"{g:g}" for g in grid)
    rule = f"dose {dose:g} is not a candidate dose; candidates: {shown}"
    index = dose.is_integer() and 1 <= dose <= len(grid)
    repair = "give doses, not level numbers" if index else "correct it, or add it to doses"
    return at.problem("DOB-C12", dose, rule, repair)
