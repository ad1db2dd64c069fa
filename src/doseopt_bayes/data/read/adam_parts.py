"""What is taken from an analysis data set (ADaM, ADER, ADEE, ADES), and by which policy."""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003  (field types, read at run time)
from dataclasses import dataclass, field

from doseopt_bayes.data.roles import refuse
from doseopt_bayes.errors import Problem, did_you_mean

__all__ = ["AdverseEvent", "EventTime", "Parameter", "Response"]

AS = ("non-responder", "exclude", "error")


@dataclass(frozen=True)
class Parameter:
    """One numeric value per subject: `AVAL` of a `PARAMCD` (ADPP, ADEX, ADEXSUM, ADES).

    Parameters
    ----------
    paramcd
        Parameter code.
    unit
        Unit of the value. Checked against `AVALU` where the data set has it.
    visit
        `AVISIT` that counts; needed when a subject has the parameter at several visits.
    flag
        Analysis flag that must be ``"Y"``; empty: every record.

    Examples
    --------
    >>> Parameter("AUCLST", "h*ug/ml", visit="Day 1").paramcd
    'AUCLST'
    """

    paramcd: str
    unit: str = ""
    visit: str = ""
    flag: str = ""


@dataclass(frozen=True)
class Response:
    """A tumour response as yes or no: `AVALC` of a `PARAMCD` of ADRS, or a column of ADER.

    Parameters
    ----------
    paramcd
        ``"RSP"`` (response, not confirmed), ``"CRSP"`` (confirmed), ``"BOR"``, ``"CBOR"``; in ADER
        the column, for example ``"BORC"``.
    yes, no
        Values that mean response and no response. The lists are closed.
    other
        What every further value means: ``"non-responder"`` or ``"exclude"``. MISSING, NE and
        NON-CR/NON-PD have no default.
    absent
        What a subject without a record means: ``"error"``, ``"non-responder"`` or ``"exclude"``.
    flag
        Analysis flag that must be ``"Y"``; empty: every record.

    Raises
    ------
    DataError
        When a policy is not one of those.

    Examples
    --------
    >>> Response("BOR", other={"MISSING": "exclude", "NE": "non-responder"}).yes
    ('CR', 'PR')
    """

    paramcd: str
    yes: tuple[str, ...] = ("CR", "PR")
    no: tuple[str, ...] = ("SD", "PD")
    other: Mapping[str, str] = field(default_factory=dict)
    absent: str = "error"
    flag: str = "ANL01FL"

    def __post_init__(self) -> None:
        object.__setattr__(self, "yes", tuple(self.yes))
        object.__setattr__(self, "no", tuple(self.no))
        asked = [*self.other.items(), ("absent", self.absent)]
        problems = [
            Problem("DOB-B06", f"{k} = {v!r}; one of: {', '.join(AS)}", did_you_mean(v, AS))
            for k, v in asked
            if v not in AS
        ]
        twice = [v for v in (*self.yes, *self.no, *self.other) if self._count(v) > 1]
        problems += [
            Problem("DOB-B06", f"{v!r} has two meanings in {self.paramcd}", "give it one")
            for v in dict.fromkeys(twice)
        ]
        refuse(problems)

    def _count(self, value: str) -> int:
        return (value in self.yes) + (value in self.no) + (value in self.other)


@dataclass(frozen=True)
class AdverseEvent:
    """Whether a subject of the population has an adverse event of a kind, or how many (ADAE).

    Parameters
    ----------
    min_grade
        Smallest toxicity grade that counts; needs `AETOXGR`. A study that has severity (`ASEV`)
        and no grade defines no "grade 3 or more": say what counts in `where`.
    where
        Column to the values that count, for example ``{"AEDECOD": "HYPERGLYCAEMIA"}``.
    treatment_emergent
        Flag that must be ``"Y"``; empty: every event.
    person_time
        Column of ADSL with the time at risk. Given: the events are counted (a count endpoint);
        empty: one event is enough (a binary endpoint).
    time_unit
        Unit of the person-time.

    Examples
    --------
    >>> AdverseEvent(min_grade=3).treatment_emergent
    'TRTEMFL'
    """

    min_grade: int | None = None
    where: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict)
    treatment_emergent: str = "TRTEMFL"
    person_time: str = ""
    time_unit: str = ""


@dataclass(frozen=True)
class EventTime:
    """Time to event: `AVAL` of a `PARAMCD` with its event coding (ADTTE, ADEE).

    Parameters
    ----------
    paramcd
        Parameter code, for example ``"OS"``.
    event_value
        The value of `event` that means an event: 0 for CNSR, 1 for EVENT. No default.
    event
        Column with the coding.
    time_unit
        Unit of the time. Checked against `AVALU` where the data set has it.
    flag
        Analysis flag that must be ``"Y"``; empty: every record.

    Raises
    ------
    DataError
        When `event_value` is missing.

    Examples
    --------
    >>> EventTime("PFS", event_value=0, time_unit="day").event
    'CNSR'
    """

    paramcd: str
    event_value: float | str | None = None
    event: str = "CNSR"
    time_unit: str = ""
    flag: str = ""

    def __post_init__(self) -> None:
        if self.event_value is None:
            rule = f"{self.paramcd}: which value of {self.event} means an event is not said"
            refuse([Problem("DOB-B06", rule, "event_value=0 for CNSR, 1 for EVENT of ADEE")])
