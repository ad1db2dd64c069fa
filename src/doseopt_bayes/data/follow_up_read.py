"""Cells of follow-up to pending patients: who is final, who counts in part, and what is faulty."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from doseopt_bayes.data.follow_up import PENDING_RULE, share_of
from doseopt_bayes.data.read.values import NumberStyle, Place, is_missing, number_or_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from doseopt_bayes.data.columns import PatientColumns
    from doseopt_bayes.data.follow_up import FollowUp
    from doseopt_bayes.data.read.identity import NamedRow
    from doseopt_bayes.errors import Problem

__all__ = ["pending_rows", "split_pending"]

FAULTY = math.nan  # a time that was noted as a problem
BELOW_1 = 1 - 2**-53  # a time just below the window is not the window


def split_pending(
    end: str,
    kept: Sequence[NamedRow],
    columns: PatientColumns,
    outcomes: tuple[Sequence[int | None], Sequence[str]],
    *,
    problems: list[Problem],
) -> tuple[list[int | None], list[str], list[float | None]]:
    """Tell pending outcomes from final ones by follow-up.

    Parameters
    ----------
    end
        Endpoint with a follow-up in the roles.
    kept, columns
        Rows and roles.
    outcomes
        Outcome of each patient (None: not known), and the rule that excluded it.
    problems
        Receives the faults.

    Returns
    -------
    tuple
        Outcomes and rules, now None and "pending" for a patient without event who was followed for
        less than the window; and the share of the window of each of these, None for all others.
    """
    plan = columns.follow_up[end]
    codes = columns.levels.get(end, {})
    style = NumberStyle(columns.decimal, columns.thousands)
    values: list[int | None] = []
    rules: list[str] = []
    weights: list[float | None] = []
    for person, value, rule in zip(kept, *outcomes, strict=True):
        place, cell = person.cell(columns.endpoint_columns[end])
        empty = is_missing(cell, codes)
        at, given = person.cell(plan.column)
        time = _time(given, at, style, problems)
        weight = None
        final = value == 1 or (value is None and not empty)  # an event, or a faulty cell
        if not final and time is not None and time < plan.window:
            value, rule, weight = None, PENDING_RULE, min(time / plan.window, BELOW_1)  # noqa: PLW2901
        elif not final and not rule and (time is None or (empty and not math.isnan(time))):
            problems.append(_unclear(end, plan, (place, cell), (at, given), time))
        values.append(value)
        rules.append(rule)
        weights.append(weight)
    return values, rules, weights


def _time(value: object, at: Place, style: NumberStyle, problems: list[Problem]) -> float | None:
    """Return a time >= 0, None when there is none, or a NaN that is a noted problem."""
    if is_missing(value) or (isinstance(value, float) and math.isnan(value)):
        return None
    before = len(problems)
    found = None if isinstance(value, bool) else number_or_text(value, at, style, problems)
    if isinstance(found, float) and math.isfinite(found) and found >= 0:
        return found
    if len(problems) == before:
        rule, repair = "a follow-up is a number >= 0", "give the time since the start of treatment"
        fault = at.problem("DOB-B01", value, rule, repair)
        problems += [fault] if fault not in problems else []  # one column may serve two endpoints
    return FAULTY


def _unclear(
    end: str,
    plan: FollowUp,
    outcome: tuple[Place, object],
    followed: tuple[Place, object],
    time: float | None,
) -> Problem:
    if time is None:
        at, value = followed
        rule = f"no {end} so far, and no follow-up: final or pending is not known"
        repair = f"fill in the time followed; {plan.window:g} or more when the outcome is final"
        return at.problem("DOB-B01", value, rule, repair)
    at, value = outcome
    rule = f"{end} is missing, though the patient was followed for {time:g} of {plan.window:g}"
    repair = f"fill it in; not known is never read as no event (missing.{end} = 'exclude')"
    return at.problem("DOB-B01", value, rule, repair)


def pending_rows(
    doses: Sequence[float],
    values: Mapping[str, Sequence[int | None]],
    weights: Mapping[str, Sequence[float | None]],
) -> list[tuple[float, list[float]]]:
    """Return the dose and the shares of the four outcomes of each patient with a pending outcome.

    Parameters
    ----------
    doses
        Dose of each patient.
    values
        Endpoint to each patient's outcome.
    weights
        Endpoint to the share of the window that each pending patient was followed.
    """
    found = []
    for k, dose in enumerate(doses):
        weight = {end: each[k] for end, each in weights.items()}
        if any(w is not None for w in weight.values()):
            found.append((dose, share_of({e: v[k] for e, v in values.items()}, weight)))
    return found
