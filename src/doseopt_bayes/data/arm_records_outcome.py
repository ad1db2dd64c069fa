"""What an outcome of a randomised arm is: a grade, a number of events, a first event or a measure."""

from __future__ import annotations

import itertools
from collections.abc import Mapping  # noqa: TC003  (field types, read at run time)
from dataclasses import KW_ONLY, dataclass, field
from typing import ClassVar

from doseopt_bayes.data.arm_records_measure import Measure
from doseopt_bayes.data.arm_records_parts import code_text, columns_of, named, times_of
from doseopt_bayes.data.roles import refuse
from doseopt_bayes.errors import Problem

__all__ = ["EventCount", "FirstEvent", "Grade", "Measure", "Outcome", "code_text"]

HIGHEST = 10  # of an ordinal scale; a longer one is a measured value


@dataclass(frozen=True)
class Grade:
    """An ordinal grade of each patient: a PRO-CTCAE item (0 to 4), or a worst event grade (0 to 5).

    Parameters
    ----------
    name
        Name of the outcome; ``p_<name>`` is then Pr(grade >= `at_least`).
    column
        Column of the grade, a whole number.
    at_least
        The grade from which on a patient counts as having the event. It has no default.
    highest, lowest
        Ends of the scale. A grade that nobody has belongs to the scale too.

    Raises
    ------
    DataError
        When the scale has no two grades, or `at_least` does not divide it.

    Examples
    --------
    >>> Grade("diarrhoea", "WORST", at_least=2, highest=4).grades
    (0, 1, 2, 3, 4)
    """

    name: str
    column: str = field(compare=False)
    _: KW_ONLY
    at_least: int
    highest: int
    lowest: int = 0
    kind: ClassVar[str] = "grade"

    def __post_init__(self) -> None:
        problems = [*named("Grade", self.name), *columns_of("Grade", {"column": self.column})]
        scale = (self.lowest, self.at_least, self.highest)
        whole = all(isinstance(x, int) and not isinstance(x, bool) for x in scale)
        if not whole or not self.lowest < self.at_least <= self.highest <= self.lowest + HIGHEST:
            rule = f"Grade: lowest, at_least, highest = {scale} must be whole numbers that rise"
            repair = f"for example at_least=2, highest=4; at most {HIGHEST} grades above the lowest"
            problems.append(Problem("DOB-A15", rule, repair))
        refuse(problems)

    @property
    def grades(self) -> tuple[int, ...]:
        """The scale, ascending."""
        return tuple(range(self.lowest, self.highest + 1))

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns that are read."""
        return (self.column,)

    @property
    def endpoints(self) -> tuple[str, ...]:
        """Endpoints that a model of it has."""
        return (self.name,)

    @property
    def title(self) -> str:
        """How tables and errors call it."""
        return self.name


@dataclass(frozen=True)
class EventCount:
    """A number of events of each patient in a time at risk, for example low-grade adverse events.

    Parameters
    ----------
    name
        Name of the outcome; ``rate_<name>`` is its rate and ``p_<name>`` Pr(at least one event in
        `period`).
    column, person_time
        Columns of the number of events, and of the time at risk (> 0) in `time_unit`.
    time_unit
        Unit of the time, for example ``"day"``.
    period
        Time, > 0, over which ``p_<name>`` is reported.
    per
        Time, > 0, to which the rate refers: 28 gives events per 28 days.

    Raises
    ------
    DataError
        Without a unit of time, or on a period that is not positive.

    Examples
    --------
    >>> EventCount("nausea", "NAE", "TRTDUR", time_unit="day", period=84, per=28).rate_unit
    'events per 28 day'
    """

    name: str
    column: str = field(compare=False)
    person_time: str = field(compare=False)
    _: KW_ONLY
    time_unit: str
    period: float
    per: float = 1.0
    kind: ClassVar[str] = "count"

    def __post_init__(self) -> None:
        columns = {"column": self.column, "person_time": self.person_time}
        problems = [*named("EventCount", self.name), *columns_of("EventCount", columns)]
        problems += times_of("EventCount", self.time_unit, period=self.period, per=self.per)
        refuse(problems)

    @property
    def rate_unit(self) -> str:
        """Unit of the rate."""
        return f"events per {f'{self.per:g} ' if self.per != 1 else ''}{self.time_unit}"

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns that are read, the response first."""
        return (self.column, self.person_time)

    @property
    def endpoints(self) -> tuple[str, ...]:
        """Endpoints that a model of it has."""
        return (self.name,)

    @property
    def title(self) -> str:
        """How tables and errors call it."""
        return self.name


@dataclass(frozen=True)
class FirstEvent:
    """The time to the first of several events that exclude each other, or to censoring.

    Parameters
    ----------
    time, cause
        Columns of the time (> 0), in `time_unit`, and of why it ended.
    causes
        Value in `cause` to the name of that cause; several values may share a name. Each name has
        hazards of its own, ``p_<name>``, and is a competing event of the others.
    censored
        Values in `cause` that mean that nothing had happened yet. The two lists are closed: which
        value means an event is never guessed (a CDISC ``CNSR`` is 0 for an event).
    horizon
        Time up to which probabilities are reported; later times are censored there.
    cuts
        Times between 0 and `horizon`, ascending, at which hazards may change: the ends of cycles.
    time_unit
        Unit of the time.
    name
        Put before the names of all quantities, where two such outcomes share the name of a cause.

    Raises
    ------
    DataError
        When the lists overlap or are empty, or cuts and horizon do not ascend.

    Examples
    --------
    >>> why = {"AE": "toxicity", "PD": "progression", "DEATH": "progression"}
    >>> stop = FirstEvent("DAYS", "WHY", why, censored=("ONGOING",), horizon=84, cuts=(21, 42, 63),
    ...                   time_unit="day")
    >>> stop.endpoints, stop.intervals
    (('toxicity', 'progression'), ('0 to 21', '21 to 42', '42 to 63', '63 to 84'))
    """

    time: str = field(compare=False)
    cause: str = field(compare=False)
    causes: Mapping[str | float, str]
    _: KW_ONLY
    censored: tuple[str | float, ...]
    horizon: float
    time_unit: str
    cuts: tuple[float, ...] = ()
    name: str = ""
    kind: ClassVar[str] = "first_event"

    def __post_init__(self) -> None:
        object.__setattr__(self, "cuts", tuple(float(c) for c in self.cuts))
        object.__setattr__(self, "causes", dict(self.causes))
        censored = self.censored
        object.__setattr__(
            self, "censored", (censored,) if isinstance(censored, str) else tuple(censored)
        )
        problems = columns_of("FirstEvent", {"time": self.time, "cause": self.cause})
        for name in dict.fromkeys([*self.causes.values(), *([self.name] if self.name else [])]):
            problems += named("FirstEvent", name)
        problems += self._lists()
        problems += times_of("FirstEvent", self.time_unit, horizon=self.horizon)
        edges = (0.0, *self.cuts, float(self.horizon))
        if any(b <= a for a, b in itertools.pairwise(edges)):
            rule = f"FirstEvent: cuts {self.cuts} must ascend strictly between 0 and the horizon"
            problems.append(Problem("DOB-A15", rule, "the ends of cycles, without the last one"))
        refuse(problems)

    def _lists(self) -> list[Problem]:
        problems = []
        events, open_ = [code_text(c) for c in self.causes], [code_text(c) for c in self.censored]
        for code in dict.fromkeys(events):
            if code in open_:
                rule = f"FirstEvent: {code!r} stands in causes and in censored"
                problems.append(Problem("DOB-B06", rule, "a value means one thing", value=code))
        if not events or not open_:
            rule = "FirstEvent: which values mean an event, and which censoring, is not said"
            repair = "causes={'AE': 'toxicity'}, censored=('ONGOING',); 0 of CNSR is an event"
            problems.append(Problem("DOB-B06", rule, repair, column=self.cause))
        return problems

    @property
    def names_of_causes(self) -> tuple[str, ...]:
        """Each cause once, in the order in which they were declared."""
        return tuple(dict.fromkeys(self.causes.values()))

    @property
    def edges(self) -> tuple[float, ...]:
        """Ends of the intervals, from 0 to the horizon."""
        return (0.0, *self.cuts, float(self.horizon))

    @property
    def intervals(self) -> tuple[str, ...]:
        """Labels of the intervals; each holds its right end."""
        return tuple(f"{a:g} to {b:g}" for a, b in itertools.pairwise(self.edges))

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns that are read, the response first."""
        return (self.cause, self.time)

    @property
    def endpoints(self) -> tuple[str, ...]:
        """Endpoints that a model of it has: one for each cause."""
        return tuple(f"{self.name}_{c}" if self.name else c for c in self.names_of_causes)

    @property
    def title(self) -> str:
        """How tables and errors call it."""
        return self.name or "first_event"


Outcome = Grade | EventCount | FirstEvent | Measure
