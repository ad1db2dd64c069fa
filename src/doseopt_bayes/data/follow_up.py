"""How long a patient was followed: what an outcome that is still pending says so far (TITE)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from doseopt_bayes import names
from doseopt_bayes.data.roles import not_names, refuse, unknown
from doseopt_bayes.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["PENDING_RULE", "FollowUp", "follow_up_problems", "share_of"]

PENDING_RULE = "pending"  # its name in the disposition
PAIR = (names.TOX, names.EFF)


@dataclass(frozen=True)
class FollowUp:
    """Column of the time that each patient was followed for an event, and how long that takes.

    Parameters
    ----------
    column
        Column of the time since the start of treatment, >= 0, in `unit`; for a patient whose outcome
        is final without event it is `window` or more.
    window
        Time within which an event counts, > 0, in `unit`, for example 28 days.
    unit
        Unit of both, for tables.

    Raises
    ------
    DataError
        On a column that is no name, or a window that is not a number > 0.

    Notes
    -----
    Cheung and Chappell (2000), Biometrics 56:1177: a patient without event so far, followed for a share
    w of the window, has had no event with probability 1 - w p (linear weights). An event counts fully
    whenever it happened.

    Examples
    --------
    >>> FollowUp("days", 28, unit="days")
    FollowUp(column='days', window=28, unit='days')
    """

    column: str
    window: float
    unit: str = ""

    def __post_init__(self) -> None:
        refuse(not_names({"follow_up.column": self.column, "follow_up.unit": self.unit}))
        number = isinstance(self.window, int | float) and not isinstance(self.window, bool)
        if not (number and math.isfinite(self.window) and self.window > 0):
            rule = f"window = {self.window!r} must be a number > 0"
            refuse([Problem("DOB-A15", rule, "the days within which an event counts, say 28")])
        if not self.column:
            refuse([Problem("DOB-A15", "follow_up has an empty column name", "name its column")])


def follow_up_problems(
    follow_up: Mapping[str, Any],
    ends: Iterable[str],
    *,
    groups: Mapping[str, str],
    evaluable: Mapping[str, str],
    missing: Mapping[str, str],
) -> list[Problem]:
    """Check which endpoints are followed; the other arguments are roles of the same table."""
    problems = unknown("follow_up", follow_up, list(ends))
    for end, plan in follow_up.items():
        if end not in PAIR:
            rule = f"follow_up names {end!r}: pending outcomes are those of tox and eff only"
            problems.append(Problem("DOB-A15", rule, f"missing.{end} = 'pending' excludes them"))
        if not isinstance(plan, FollowUp):
            rule = f"follow_up.{end} is a FollowUp, not {type(plan).__name__}"
            problems.append(Problem("DOB-B11", rule, "FollowUp('days', window=28, unit='days')"))
        if end in evaluable:
            rule = f"evaluable.{end} and follow_up.{end} both say whose {end} is final"
            problems.append(Problem("DOB-A15", rule, "leave one of them out"))
        if missing.get(end) == "pending":
            rule = f"missing.{end} = 'pending' leaves out whom follow_up.{end} lets count in part"
            problems.append(Problem("DOB-A15", rule, f"leave missing.{end} out, or 'exclude'"))
    if follow_up and groups:
        rule = f"pending outcomes are not modelled by {' and '.join(groups)}"
        repair = "leave groups out, or leave pending patients out by missing = 'pending'"
        problems.append(Problem("DOB-A15", rule, repair))
    return problems


def share_of(known: Mapping[str, int | None], weight: Mapping[str, float | None]) -> list[float]:
    """Return the probability of what was seen of a patient, for each of the four outcomes.

    Parameters
    ----------
    known
        Endpoint to 0 or 1; ``None`` or absent when it is not known.
    weight
        Endpoint to the share of its window that was followed without event; ``None`` or absent when
        it is known, or nothing is known of it.

    Returns
    -------
    list of float
        In the order of ``names.CELLS``: the product over both endpoints of 1 or 0 for a known outcome
        that agrees with the cell or not, 1 - weight for an event that is still to come, 1 else.

    Examples
    --------
    >>> share_of({"eff": 1}, {"tox": 0.25})  # efficacy seen, a quarter of the time for toxicity
    [0.0, 1.0, 0.0, 0.75]
    """

    def factors(end: str) -> tuple[float, float]:
        seen, w = known.get(end), weight.get(end)
        if seen is not None:
            return 1.0 - seen, float(seen)
        return 1.0, 1.0 - (w or 0.0)

    tox, eff = factors(names.TOX), factors(names.EFF)
    return [t * e for t in tox for e in eff]  # N, E, T, B
