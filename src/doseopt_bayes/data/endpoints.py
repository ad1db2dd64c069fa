"""What was measured in a patient: the kind of an endpoint and the columns that hold it."""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003  (field types, read at run time)
from dataclasses import dataclass
from typing import ClassVar

from doseopt_bayes.data.roles import not_names, refuse
from doseopt_bayes.errors import Problem

__all__ = ["KINDS", "Binary", "Continuous", "Count", "Endpoint", "Grouped", "TimeToEvent"]


@dataclass(frozen=True)
class Binary:
    """Event or response, yes or no, one row per patient.

    Parameters
    ----------
    column
        Column of the outcome: 0, 1 or a boolean, or text through `levels`.
    levels
        Codelist: text in the file to 0 or 1. A codelist is closed.

    Raises
    ------
    DataError
        When a codelist maps to anything but 0 and 1.

    Examples
    --------
    >>> Binary("RESP", {"N": 0, "Y": 1}).kind
    'binary'
    """

    column: str
    levels: Mapping[str, int] | None = None
    kind: ClassVar[str] = "binary"
    unit: ClassVar[str] = ""

    def __post_init__(self) -> None:
        _columns({"column": self.column})
        if self.levels is not None and any(v not in (0, 1) for v in self.levels.values()):
            rule = f"the codelist of {self.column} maps text to 0 or 1"
            repair = "write for example {'N': 0, 'Y': 1}"
            refuse([Problem("DOB-B06", rule, repair, value=str(dict(self.levels)))])

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns that are read, the response first."""
        return (self.column,)


@dataclass(frozen=True)
class Continuous:
    """A measured value, one row per patient.

    Parameters
    ----------
    column
        Column of the value, in `unit`.
    unit
        Unit of the value, for example ``"mmol/L"``.

    Examples
    --------
    >>> Continuous("CHG", unit="mm").columns
    ('CHG',)
    """

    column: str
    unit: str = ""
    kind: ClassVar[str] = "continuous"

    def __post_init__(self) -> None:
        _columns({"column": self.column})

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns that are read, the response first."""
        return (self.column,)


@dataclass(frozen=True)
class Grouped:
    """A measured value given as mean, standard deviation and number of patients of each group.

    Parameters
    ----------
    mean, sd, n
        Columns of the mean, of the standard deviation between patients (not the standard error)
        and of the number of patients; one row per group.
    unit
        Unit of mean and standard deviation.

    Examples
    --------
    >>> Grouped("MEAN", "SD", "N", unit="cm").kind
    'grouped'
    """

    mean: str
    sd: str
    n: str
    unit: str = ""
    kind: ClassVar[str] = "grouped"

    def __post_init__(self) -> None:
        _columns({"mean": self.mean, "sd": self.sd, "n": self.n})

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns that are read, the response first."""
        return (self.mean, self.sd, self.n)


@dataclass(frozen=True)
class Count:
    """A number of events in a person-time, one row per patient.

    Parameters
    ----------
    column, person_time
        Columns of the number of events and of the time at risk (> 0).
    time_unit
        Unit of the person-time, for example ``"year"``.

    Examples
    --------
    >>> Count("NAE", "TRTDURD", time_unit="day").columns
    ('NAE', 'TRTDURD')
    """

    column: str
    person_time: str
    time_unit: str = ""
    kind: ClassVar[str] = "count"
    unit: ClassVar[str] = "events"

    def __post_init__(self) -> None:
        _columns({"column": self.column, "person_time": self.person_time})

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns that are read, the response first."""
        return (self.column, self.person_time)


@dataclass(frozen=True)
class TimeToEvent:
    """A time that ends with an event or with censoring, one row per patient.

    Parameters
    ----------
    time
        Column of the time (> 0), in `time_unit`.
    event
        Column that tells events from censored times.
    event_value
        The value of `event` that means an event. It has no default, because no name tells it: a
        CDISC ``CNSR`` and the ``OSIND`` of ADER are 0 for an event, ``EVENT`` of ADEE is 1. Every
        other value means censored; an empty cell means that neither is known.
    time_unit
        Unit of the time, for example ``"day"``.

    Raises
    ------
    DataError
        When `event_value` is missing.

    Examples
    --------
    >>> TimeToEvent("AVAL", "CNSR", event_value=0, time_unit="day").event_value
    0
    """

    time: str
    event: str
    event_value: float | str | None = None
    time_unit: str = ""
    kind: ClassVar[str] = "time_to_event"
    unit: ClassVar[str] = ""

    def __post_init__(self) -> None:
        _columns({"time": self.time, "event": self.event})
        if self.event_value is None:
            rule = f"which value of {self.event!r} means an event is not said"
            repair = "pass event_value: 0 for CNSR (and OSIND of ADER), 1 for EVENT of ADEE"
            refuse([Problem("DOB-B06", rule, repair, column=self.event)])

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns that are read, the response (event or not) first."""
        return (self.event, self.time)


Endpoint = Binary | Continuous | Grouped | Count | TimeToEvent
KINDS = (Binary, Continuous, Grouped, Count, TimeToEvent)


def _columns(texts: Mapping[str, object]) -> None:
    problems = not_names(texts)
    problems += [
        Problem("DOB-A15", f"{role} has an empty column name", "name its column")
        for role, value in texts.items()
        if value == ""
    ]
    names = list(texts.values())
    if not problems and len(set(names)) < len(names):
        rule = f"one column stands in two roles: {', '.join(map(str, names))}"
        problems.append(Problem("DOB-A15", rule, "give each role its own column"))
    refuse(problems)
