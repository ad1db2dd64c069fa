"""Which column of a table plays which role; nothing is guessed from a column's name."""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003  (field types, read at run time)
from dataclasses import KW_ONLY, dataclass, field

from doseopt_bayes import names
from doseopt_bayes.data.follow_up import FollowUp, follow_up_problems
from doseopt_bayes.data.roles import (
    csv_problems,
    endpoint_problems,
    grouping_problems,
    not_names,
    refuse,
    shared,
    unknown,
)
from doseopt_bayes.errors import Problem, did_you_mean

__all__ = ["POLICIES", "CountColumns", "PatientColumns"]

POLICIES = ("error", "exclude", "pending")


@dataclass(frozen=True)
class PatientColumns:
    """Column roles of a table with one row per patient.

    Parameters
    ----------
    dose
        Column of the dose that is modelled, in `unit`.
    tox, eff, id
        Columns of toxicity (1 = event), efficacy (1 = response) and patient identifier.
    id_within
        Column within which identifiers are unique, when numbering restarts at each dose or site.
    other
        Further binary endpoints: endpoint name to column.
    evaluable
        Endpoint to the column that says 1 (evaluable) or 0 (not yet).
    follow_up
        `tox` or `eff` to its `FollowUp`: a patient without event so far who was followed for less than
        the window is pending and counts as far as followed; an event counts fully, whenever it happened.
        An empty outcome within the window is no event so far.
    missing
        Endpoint to what a missing outcome means: ``"error"`` (default), ``"exclude"`` or
        ``"pending"``.
    levels
        Codelist per endpoint or evaluable column: text in the file to 0 or 1. A codelist is closed.
    doses
        Candidate doses of the protocol, in `unit`. Empty: the doses seen in the data.
    unit
        Unit of every dose, for example ``"mg"``.
    dose_levels
        Text in the dose column to dose, for example ``{"Low": 10}``.
    planned
        Column of the planned dose; differences to `dose` are counted in the notes.
    unit_column
        Column that gives the unit of each row's dose.
    backfill
        Column that says 1 for a backfilled patient and 0 for one of a cohort: they count alike, and are
        counted by dose in the notes.
    exclude
        Patient identifier to the reason why that patient is left out.
    groups
        Named partitions of the patients, for example ``{"subgroup": "TUMOUR"}``: grouping to the
        column of its levels. Several are crossed, in this order.
    group_levels
        Grouping to its levels in protocol order; such a list is closed, and a level without
        patients is kept. Not declared: the levels of the data, sorted, which a note says.
    allow_prior_only
        Accept a table without any analysed outcome.
    sep, decimal, thousands
        Field separator (empty: comma), decimal sign and thousands sign of a CSV file.

    Raises
    ------
    DataError
        When the roles contradict each other; every contradiction is listed.

    Examples
    --------
    >>> PatientColumns("Dose", tox="Toxicity", eff="Efficacy").endpoint_columns
    {'tox': 'Toxicity', 'eff': 'Efficacy'}
    """

    dose: str
    _: KW_ONLY
    tox: str = ""
    eff: str = ""
    id: str = ""
    id_within: str = ""
    other: Mapping[str, str] = field(default_factory=dict)
    evaluable: Mapping[str, str] = field(default_factory=dict)
    missing: Mapping[str, str] = field(default_factory=dict)
    levels: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    doses: tuple[float, ...] = ()
    unit: str = ""
    dose_levels: Mapping[str, float] = field(default_factory=dict)
    planned: str = ""
    unit_column: str = ""
    exclude: Mapping[str, str] = field(default_factory=dict)
    allow_prior_only: bool = False
    sep: str = ""
    decimal: str = "."
    thousands: str = ""
    groups: Mapping[str, str] = field(default_factory=dict)
    group_levels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    follow_up: Mapping[str, FollowUp] = field(default_factory=dict)
    backfill: str = ""

    def __post_init__(self) -> None:
        texts = {k: getattr(self, k) for k in ("dose", "tox", "eff", "id", "id_within", "planned")}
        texts |= {"unit_column": self.unit_column, "backfill": self.backfill}
        texts |= {f"other.{k}": v for k, v in self.other.items()}
        texts |= {f"evaluable.{k}": v for k, v in self.evaluable.items()}
        texts |= {f"groups.{k}": v for k, v in self.groups.items()}
        refuse(not_names(texts))
        ends = self.endpoint_columns
        problems = [
            *endpoint_problems(ends, self.other),
            *csv_problems(self.sep, self.decimal, self.thousands),
        ]
        one = [self.dose, self.id, self.planned, self.unit_column, self.backfill]
        one += self.groups.values()
        problems += shared([*one, *ends.values(), *self._times])
        problems += grouping_problems(self.groups, self.group_levels, ends)
        problems += unknown("evaluable", self.evaluable, list(ends))
        problems += unknown("missing", self.missing, list(ends))
        coded = [*ends, *self.evaluable.values(), *([self.backfill] if self.backfill else [])]
        problems += unknown("levels", self.levels, coded)
        problems += follow_up_problems(
            self.follow_up,
            ends,
            groups=self.groups,
            evaluable=self.evaluable,
            missing=self.missing,
        )
        for end, policy in self.missing.items():
            if policy not in POLICIES:
                rule = f"missing.{end} = {policy!r}; one of: {', '.join(POLICIES)}"
                problems.append(
                    Problem("DOB-B01", rule, did_you_mean(policy, POLICIES), value=policy)
                )
        for end, codes in self.levels.items():
            if any(v not in (0, 1) for v in codes.values()):
                rule = f"the codelist of {end} maps text to 0 or 1"
                problems.append(
                    Problem("DOB-B06", rule, "write for example {'N': 0, 'Y': 1}", value=str(codes))
                )
        if self.exclude and not self.id:
            rule = "patients are excluded by their identifier"
            problems.append(Problem("DOB-A15", rule, "name the identifier column in `id`"))
        refuse(problems)

    @property
    def endpoint_columns(self) -> dict[str, str]:
        """Endpoint name to column: tox, eff, then the others as declared."""
        return _endpoints(self.tox, self.eff, self.other)

    @property
    def used(self) -> tuple[str, ...]:
        """Every column that is read, once."""
        ends = self.endpoint_columns.values()
        roles = [
            self.id,
            self.id_within,
            self.dose,
            self.planned,
            self.unit_column,
            self.backfill,
            *ends,
            *self.evaluable.values(),
            *self._times,
            *self.groups.values(),
        ]
        return tuple(dict.fromkeys(c for c in roles if c))

    @property
    def _times(self) -> tuple[str, ...]:
        """Columns of follow-up, each once: one may serve both endpoints."""
        plans = [f for f in self.follow_up.values() if isinstance(f, FollowUp)]
        return tuple(dict.fromkeys(f.column for f in plans))


@dataclass(frozen=True)
class CountColumns:
    """Column roles of a table with one row per dose, or per group and dose.

    Parameters
    ----------
    dose
        Column of the dose, in `unit`.
    tox, eff
        Columns of the numbers of patients with the event.
    n, n_tox, n_eff
        Columns of the denominators: `n` serves every endpoint that has no denominator of its own.
    both
        Column of the number of patients with efficacy and toxicity; needs a common denominator.
    other, n_other
        Further endpoints: name to column of events, and name to column of the denominator.
    doses, unit, unit_column, dose_levels, allow_prior_only, sep, decimal, thousands
        As in `PatientColumns`.
    groups, group_levels
        As in `PatientColumns`: one row per group and dose.
    together
        Text in the column of groups that stands for all groups together, for example ``"all"``. An
        endpoint that was published for all patients only has its counts in such a row, and empty
        cells in the rows of the groups; `n` is read in such a row as a denominator only.

    Raises
    ------
    DataError
        When the roles contradict each other; every contradiction is listed.

    Examples
    --------
    >>> CountColumns("dose", tox="dlt", n="patients").denominators
    {'tox': 'patients'}
    """

    dose: str
    _: KW_ONLY
    tox: str = ""
    eff: str = ""
    n: str = ""
    n_tox: str = ""
    n_eff: str = ""
    both: str = ""
    other: Mapping[str, str] = field(default_factory=dict)
    n_other: Mapping[str, str] = field(default_factory=dict)
    doses: tuple[float, ...] = ()
    unit: str = ""
    unit_column: str = ""
    dose_levels: Mapping[str, float] = field(default_factory=dict)
    allow_prior_only: bool = False
    sep: str = ""
    decimal: str = "."
    thousands: str = ""
    groups: Mapping[str, str] = field(default_factory=dict)
    group_levels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    together: str = ""

    def __post_init__(self) -> None:
        roles = ("dose", "tox", "eff", "n", "n_tox", "n_eff", "both", "unit_column", "together")
        texts = {k: getattr(self, k) for k in roles}
        texts |= {f"other.{k}": v for k, v in self.other.items()}
        texts |= {f"n_other.{k}": v for k, v in self.n_other.items()}
        texts |= {f"groups.{k}": v for k, v in self.groups.items()}
        refuse(not_names(texts))
        ends = self.endpoint_columns
        problems = [
            *endpoint_problems(ends, self.other),
            *csv_problems(self.sep, self.decimal, self.thousands),
        ]
        counts = {*self.denominators.values(), self.n} - {""}
        one = [self.dose, self.both, self.unit_column, *self.groups.values()]
        problems += shared([*one, *ends.values(), *counts])
        problems += grouping_problems(self.groups, self.group_levels, ends, together=self.together)
        problems += unknown("n_other", self.n_other, list(self.other))
        for end, column in self.denominators.items():
            if not column:
                rule = f"endpoint {end} has no denominator"
                problems.append(Problem("DOB-A15", rule, f"name a column in `n` or `n_{end}`"))
        if self.both and not (self.tox and self.eff):
            rule = "`both` counts patients with efficacy and toxicity"
            problems.append(Problem("DOB-A15", rule, "name the columns of `tox` and `eff` too"))
        refuse(problems)

    @property
    def endpoint_columns(self) -> dict[str, str]:
        """Endpoint name to column of events: tox, eff, then the others as declared."""
        return _endpoints(self.tox, self.eff, self.other)

    @property
    def denominators(self) -> dict[str, str]:
        """Endpoint name to column of its denominator."""
        own = {names.TOX: self.n_tox, names.EFF: self.n_eff, **self.n_other}
        return {end: own.get(end) or self.n for end in self.endpoint_columns}

    @property
    def used(self) -> tuple[str, ...]:
        """Every column that is read, once."""
        ends, denominators = self.endpoint_columns.values(), self.denominators.values()
        roles = [self.dose, self.unit_column, self.n, *ends, *denominators, self.both]
        roles += self.groups.values()
        return tuple(dict.fromkeys(c for c in roles if c))


def _endpoints(tox: str, eff: str, other: Mapping[str, str]) -> dict[str, str]:
    pairs = {names.TOX: tox, names.EFF: eff}
    return {end: column for end, column in pairs.items() if column} | dict(other)
