"""Which column of an exposure-response table plays which role, and what is done with gaps."""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003  (field types, read at run time)
from dataclasses import KW_ONLY, dataclass, field

from doseopt_bayes.data.endpoints import KINDS as ENDPOINTS
from doseopt_bayes.data.endpoints import Endpoint
from doseopt_bayes.data.roles import csv_problems, grouping_problems, not_names, refuse, unknown
from doseopt_bayes.errors import Problem, did_you_mean

__all__ = ["BLQ", "DOSE", "MISSING", "PLACEBO", "Covariate", "ExposureColumns"]

DOSE = "dose"  # the name that puts dose on the x axis
PLACEBO = ("error", "zero", "exclude")
BLQ = ("error", "drop", "half", "zero")
MISSING = ("error", "exclude")
PARTS = {"count": ("time",), "time_to_event": ("time",), "grouped": ("sd", "n")}
PARTS |= {"binary": (), "continuous": ()}
RESERVED = ("id", "dose", "schedule")  # columns of the checked table


@dataclass(frozen=True)
class Covariate:
    """A property of a patient that may change a parameter of the model.

    Parameters
    ----------
    name
        Column of the covariate.
    kind
        ``"numeric"`` or ``"category"``; empty: read from the cells, and said in the notes.
    unit
        Unit of a numeric covariate.
    levels
        Levels of a category in their order; empty: those of the data, in alphabetical order.
        A declared list is closed.
    reference
        Level that the others are compared with; empty: the first level.
    post_baseline
        Whether the value was formed after treatment began (relative dose intensity, average dose,
        time on treatment). Such a value may be a consequence of the response.

    Raises
    ------
    DataError
        When the parts contradict each other.

    Examples
    --------
    >>> Covariate("SEX", "category", levels=("F", "M"), reference="M").dummies
    ('F',)
    """

    name: str
    kind: str = ""
    unit: str = ""
    levels: tuple[str, ...] = ()
    reference: str = ""
    post_baseline: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "levels", tuple(self.levels))
        refuse(not_names({"name": self.name, "kind": self.kind, "reference": self.reference}))
        problems = []
        if self.kind not in {"", "numeric", "category"}:
            rule = f"kind = {self.kind!r} of covariate {self.name}; one of: numeric, category"
            problems.append(Problem("DOB-A15", rule, did_you_mean(self.kind, KINDS)))
        if self.kind == "numeric" and (self.levels or self.reference):
            rule = f"covariate {self.name} is numeric and has levels"
            problems.append(Problem("DOB-A15", rule, "declare kind='category'"))
        if self.levels and self.reference and self.reference not in self.levels:
            rule = f"reference {self.reference!r} of covariate {self.name} is not a level"
            repair = did_you_mean(self.reference, self.levels)
            problems.append(Problem("DOB-A15", rule, repair))
        if len(set(self.levels)) < len(self.levels):
            rule = f"a level of covariate {self.name} stands twice"
            problems.append(Problem("DOB-E04", rule, "list each level once"))
        refuse(problems)

    @property
    def dummies(self) -> tuple[str, ...]:
        """Levels that get a 0/1 column: all but the reference."""
        return tuple(level for level in self.levels if level != self.reference)


KINDS = ("numeric", "category")


@dataclass(frozen=True)
class ExposureColumns:
    """Column roles and policies of an exposure-response table; `ExposureData` explains each.

    Parameters
    ----------
    id, dose, dose_unit, exposures, endpoints
        As in `ExposureData.from_frame`.
    covariates, schedule, study, planned, id_within
        Further columns.
    dose_levels, doses, studies, unit_columns, metric_columns
        What texts, doses, studies and units may stand in the columns.
    placebo, blq, lloq, blq_flag, missing, exclude, evaluable, reasons, exposure_time, event_time
        Policies, and the columns that they need.
    sep, decimal, thousands
        Signs of a CSV file.
    groups
        Named partitions of the patients, for example ``{"subgroup": "TUMOUR"}``: grouping to the
        column of its levels. Several are crossed, in this order.
    group_levels
        Grouping to its levels in protocol order; such a list is closed, and a level without
        patients is kept. Not declared: the levels of the data, sorted, which a note says.

    Raises
    ------
    DataError
        When the roles contradict each other; every contradiction is listed.
    """

    id: str
    dose: str
    _: KW_ONLY
    dose_unit: str
    exposures: Mapping[str, str]
    endpoints: Mapping[str, Endpoint]
    covariates: tuple[str | Covariate, ...] = ()
    schedule: str = ""
    study: str = ""
    studies: tuple[str, ...] = ()
    planned: str = ""
    id_within: str = ""
    dose_levels: Mapping[str, float] = field(default_factory=dict)
    doses: tuple[float, ...] = ()
    unit_columns: Mapping[str, str] = field(default_factory=dict)
    metric_columns: Mapping[str, str] = field(default_factory=dict)
    placebo: str = "error"
    blq: str = "error"
    lloq: Mapping[str, float] = field(default_factory=dict)
    blq_flag: Mapping[str, str] = field(default_factory=dict)
    missing: str | Mapping[str, str] = "error"
    exclude: Mapping[str, str] = field(default_factory=dict)
    evaluable: Mapping[str, str] = field(default_factory=dict)
    reasons: Mapping[str, str] = field(default_factory=dict)
    exposure_time: Mapping[str, str] = field(default_factory=dict)
    event_time: Mapping[str, str] = field(default_factory=dict)
    sep: str = ""
    decimal: str = "."
    thousands: str = ""
    groups: Mapping[str, str] = field(default_factory=dict)
    group_levels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        refuse(
            Problem(
                "DOB-B11",
                f"endpoint {name!r} is {type(end).__name__}, not a kind of endpoint",
                f"for example {name}: Binary('{name.upper()}')",
            )
            for name, end in self.endpoints.items()
            if not isinstance(end, ENDPOINTS)
        )
        roles = ("id", "dose", "schedule", "study", "planned", "id_within")
        refuse(not_names({role: getattr(self, role) for role in roles}))
        refuse(not_names({f"groups.{name}": column for name, column in self.groups.items()}))
        refuse([*self._names(), *self._keys(), *self._policies()])

    @property
    def endpoint_columns(self) -> dict[str, str]:
        """Endpoint name to the column of its response."""
        return {name: end.columns[0] for name, end in self.endpoints.items()}

    @property
    def declared(self) -> tuple[Covariate, ...]:
        """Covariates, those given by their column alone included."""
        return tuple(Covariate(c) if isinstance(c, str) else c for c in self.covariates)

    @property
    def used(self) -> tuple[str, ...]:
        """Every column that is read, once."""
        maps = [self.unit_columns, self.metric_columns, self.blq_flag, self.evaluable]
        maps += [self.reasons, self.exposure_time, self.event_time]
        cells = [self.id, self.dose, self.schedule, self.study, self.planned, self.id_within]
        cells += [*self.exposures, *(c.name for c in self.declared)]
        cells += [column for end in self.endpoints.values() for column in end.columns]
        cells += [column for m in maps for column in m.values()] + [*self.groups.values()]
        return tuple(dict.fromkeys(c for c in cells if c))

    def policy(self, name: str) -> str:
        """Return what a missing value of a metric, endpoint or covariate means."""
        return self.missing if isinstance(self.missing, str) else self.missing.get(name, "error")

    def _names(self) -> list[Problem]:
        found = []
        if not self.endpoints:
            rule = "at least one endpoint is needed"
            found.append(Problem("DOB-A15", rule, "endpoints={'resp': Binary('RESP')}"))
        if self.exclude and not self.id:
            rule = "patients are excluded by their identifier"
            found.append(Problem("DOB-A15", rule, "name the identifier column in `id`"))
        for role in ("dose", "dose_unit"):
            if not getattr(self, role):
                rule = f"{role} is empty"
                found.append(Problem("DOB-A15", rule, "name the column; a dose needs its unit"))
        for metric, unit in self.exposures.items():
            if not isinstance(unit, str) or not unit.strip():
                rule = f"exposure {metric!r} has no unit, so that its scale is not declared"
                repair = f"write for example {{{metric!r}: 'ng*h/mL'}}"
                found.append(Problem("DOB-D11", rule, repair, column=metric))
        return [*found, *self._clashes()]

    def _clashes(self) -> list[Problem]:
        """Names that would overwrite each other, and responses that would explain themselves."""
        found = []
        named = [*self.exposures, *self.endpoints, *(c.name for c in self.declared)]
        roles = (("study", self.study), ("planned", self.planned))
        for role, column in roles:
            if role in self.groups and column not in {"", self.groups[role]}:
                rule = f"grouping {role!r} and the role {role} name two columns"
                found.append(Problem("DOB-A15", rule, f"groups={{{role!r}: {column!r}}}"))
        reserved = [*RESERVED, *(role for role, column in roles if column not in {"", role})]
        found += grouping_problems(self.groups, self.group_levels, [*named, *RESERVED, "exposure"])
        for name in dict.fromkeys(named):
            if named.count(name) > 1:
                rule = f"{name!r} names two of: exposure, endpoint, covariate"
                found.append(Problem("DOB-A15", rule, "give the endpoint another name"))
            if name in reserved:
                rule = f"{name!r} is a reserved name; reserved: {', '.join(reserved)}"
                found.append(Problem("DOB-A15", rule, "rename it"))
        parts = [f"{n}_{part}" for n, end in self.endpoints.items() for part in PARTS[end.kind]]
        for name in dict.fromkeys(n for n in named if n in parts):
            rule = f"{name!r} is the name of a part of another endpoint"
            found.append(Problem("DOB-A15", rule, "give the endpoint another name"))
        responses = {c: n for n, end in self.endpoints.items() for c in end.columns}
        explain = (self.dose, *self.exposures, *(c.name for c in self.declared))
        for column in (*explain, *self.groups.values()):
            if column in responses:
                rule = f"column {column!r} belongs to endpoint {responses[column]} and is to explain it"
                found.append(Problem("DOB-A15", rule, "use another column", column=column))
        found += [
            Problem("DOB-A15", f"{name!r} cannot name an endpoint", "letters, digits and _ only")
            for name in self.endpoints
            if not name.isidentifier()
        ]
        return found

    def _keys(self) -> list[Problem]:
        metrics, ends = list(self.exposures), list(self.endpoints)
        found = unknown("unit_columns", self.unit_columns, [*metrics, DOSE])
        for role in ("metric_columns", "lloq", "blq_flag", "exposure_time"):
            found += unknown(role, getattr(self, role), metrics)
        found += unknown("evaluable", self.evaluable, ends)
        found += unknown("reasons", [r for r in self.reasons if r], ends)
        found += unknown("event_time", self.event_time, ends)
        if not isinstance(self.missing, str):
            names = [*metrics, *ends, *(c.name for c in self.declared)]
            found += unknown("missing", self.missing, names)
        return found

    def _policies(self) -> list[Problem]:
        missing = [self.missing] if isinstance(self.missing, str) else [*self.missing.values()]
        asked = [("DOB-D04", "placebo", self.placebo, PLACEBO), ("DOB-D01", "blq", self.blq, BLQ)]
        asked += [("DOB-B01", "missing", m, MISSING) for m in missing]
        found = [
            Problem(
                code,
                f"{role} = {value!r}; one of: {', '.join(allowed)}",
                did_you_mean(value, allowed),
                value=value,
            )
            for code, role, value, allowed in asked
            if value not in allowed
        ]
        for metric, limit in self.lloq.items():
            if not limit > 0:
                rule = f"lloq of {metric} = {limit!r}; a limit of quantification is > 0"
                found.append(Problem("DOB-D01", rule, "give the limit of the assay"))
        return [*found, *csv_problems(self.sep, self.decimal, self.thousands)]
