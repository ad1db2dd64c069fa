"""Simple, explicit rules from the observations of a patient to one value: no PK model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from doseopt_bayes.data.roles import refuse
from doseopt_bayes.errors import Problem, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["Observed", "summarise"]

RULES = {
    "max": "largest observation",
    "min": "smallest observation",
    "mean": "mean of the observations, each with the same weight",
    "first": "first observation",
    "last": "last observation",
    "trapezoid": "area under the observations by linear trapezoids, first to last time, no "
    "extrapolation",
    "any": "1 when any observation is 1",
}
Seen = tuple[str, float, float]  # compartment, time, value


@dataclass(frozen=True)
class Observed:
    """How the observations of a patient in one compartment become one value.

    Parameters
    ----------
    rule
        ``"max"``, ``"min"``, ``"mean"``, ``"first"``, ``"last"``, ``"trapezoid"`` (linear, between
        the first and the last time observed, no extrapolation) or ``"any"`` (a yes or no).
    cmt
        Compartment, as text or number.
    unit
        Unit of the value.
    between
        First and last time that count, both included.
    at_least
        Smallest number of observations; a patient with fewer has no value.

    Raises
    ------
    DataError
        When the rule is unknown or the window is empty.

    Examples
    --------
    >>> Observed("trapezoid", 2, "h*ng/mL", between=(0, 24)).at_least
    2
    """

    rule: str
    cmt: str | int
    unit: str = ""
    between: tuple[float, float] = (-np.inf, np.inf)
    at_least: int = 0

    def __post_init__(self) -> None:
        problems = []
        if self.rule not in RULES:
            rule = f"rule {self.rule!r}; one of: {', '.join(RULES)}"
            problems.append(Problem("DOB-A15", rule, did_you_mean(self.rule, list(RULES))))
        if not self.between[0] < self.between[1]:
            rule = f"between = {self.between!r} is empty"
            problems.append(Problem("DOB-A15", rule, "give (first, last)"))
        refuse(problems)
        if not self.at_least:
            object.__setattr__(self, "at_least", 2 if self.rule == "trapezoid" else 1)


def summarise(
    name: str,
    how: Observed,
    seen: Mapping[str, Sequence[Seen]],
    problems: list[Problem],
) -> tuple[list[float | None], list[str]]:
    """Return one value per patient (None: too few observations), and how it was formed.

    Parameters
    ----------
    name
        Name of the exposure or endpoint.
    how
        Rule, compartment and window.
    seen
        Patient to observations.
    problems
        Receives faults: no observation in the compartment, two values at one time.

    Examples
    --------
    >>> summarise("AUC", Observed("trapezoid", 2), {"1": [("2", 0, 0), ("2", 2, 4)]}, [])[0]
    [4.0]
    """
    values: list[float | None] = []
    counts = []
    for patient, observations in seen.items():
        low, high = how.between
        here = sorted(
            (when, value)
            for cmt, when, value in observations
            if cmt == str(how.cmt) and low <= when <= high
        )
        times = [when for when, _ in here]
        if how.rule == "trapezoid" and len(set(times)) < len(times):
            rule = f"{name}: two observations at one time in compartment {how.cmt}"
            repair = "keep one, or restrict the window with between=(first, last)"
            problems.append(Problem("DOB-A14", rule, repair, patient=patient))
        if how.rule == "any" and not {value for _, value in here} <= {0.0, 1.0}:
            rule = f"{name}: an observation in compartment {how.cmt} is not 0 or 1"
            problems.append(Problem("DOB-B03", rule, "choose another rule", patient=patient))
        counts.append(len(here))
        enough = len(here) >= how.at_least
        values.append(_apply(how.rule, times, [v for _, v in here]) if enough else None)
    if not any(counts):
        known = sorted({cmt for rows in seen.values() for cmt, *_ in rows})
        rule = f"{name}: no observation in compartment {how.cmt} between {how.between}"
        repair = f"compartments with observations: {', '.join(known)}"
        problems.append(Problem("DOB-A15", rule, repair))
    none = sum(v is None for v in values)
    some = [c for c in counts if c >= how.at_least]
    span = f"{min(some)} to {max(some)} observations a patient" if some else "no observation"
    window = (
        "" if np.isinf(how.between).all() else f", times {how.between[0]:g} to {how.between[1]:g}"
    )
    said = f"{name}: {RULES[how.rule]}, compartment {how.cmt}{window}; {span}; no PK model"
    return values, [said + (f"; {none} patients have too few" if none else "")]


def _apply(rule: str, times: Sequence[float], values: Sequence[float]) -> float:
    if rule == "trapezoid":
        return float(np.trapezoid(values, times))
    if rule == "any":
        return float(max(values))
    if rule in {"first", "last"}:
        return float(values[0 if rule == "first" else -1])
    return float({"max": max, "min": min}[rule](values) if rule != "mean" else np.mean(values))
