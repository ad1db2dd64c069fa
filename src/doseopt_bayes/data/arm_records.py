"""Tolerability of randomised arms, one row per patient, checked and counted: what its models read."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping  # noqa: TC003  (field types, read at run time)
from dataclasses import KW_ONLY, dataclass, field
from typing import TYPE_CHECKING

import pandas as pd
import xarray as xr

from doseopt_bayes import names
from doseopt_bayes.data.arm_records_outcome import EventCount, FirstEvent, Grade, Measure, Outcome
from doseopt_bayes.data.arm_records_read import ArmRows, read_arms
from doseopt_bayes.data.disposition import disposition
from doseopt_bayes.data.read.doses import candidate_doses
from doseopt_bayes.data.read.table import RawTable, read_csv, read_frame
from doseopt_bayes.data.read.values import NumberStyle
from doseopt_bayes.data.roles import csv_problems, not_names, refuse, shared
from doseopt_bayes.errors import Problem, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["ArmColumns", "ArmRecords"]

MISSING = ("error", "exclude")
KINDS = (Grade, EventCount, FirstEvent, Measure)


@dataclass(frozen=True)
class ArmColumns:
    """Which column of a table of randomised arms plays which role.

    Parameters
    ----------
    id
        Column of the patient; empty: every row is one, and one in two rows cannot be seen.
    dose
        Column of the dose that the patient was randomised to.
    outcome
        `Grade`, `EventCount`, `FirstEvent` or `Measure`, with the columns that it needs.
    doses, unit
        The protocol's doses, and their unit. A dose without patients is kept. Empty: the doses of
        the data, which a note says.
    dose_levels
        Text in the dose column to dose, for example ``{"Low": 15}``.
    exclude
        Patient identifier to the reason why that patient is left out.
    missing
        A missing outcome: ``"error"``, or ``"exclude"``, which counts it.
    sep, decimal, thousands
        Signs of a CSV file.

    Raises
    ------
    DataError
        When the roles contradict each other; every contradiction is listed.

    Examples
    --------
    >>> outcome = Grade("diarrhoea", "WORST", at_least=2, highest=4)
    >>> ArmColumns("ID", "MG", outcome, doses=(15, 45), unit="mg").used
    ('ID', 'MG', 'WORST')
    """

    id: str
    dose: str
    outcome: Outcome
    _: KW_ONLY
    doses: tuple[float, ...] = ()
    unit: str = ""
    dose_levels: Mapping[str, float] = field(default_factory=dict)
    exclude: Mapping[str, str] = field(default_factory=dict)
    missing: str = "error"
    sep: str = ""
    decimal: str = "."
    thousands: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "doses", tuple(self.doses))
        if not isinstance(self.outcome, KINDS):
            rule = f"outcome is {type(self.outcome).__name__}, not a tolerability outcome"
            refuse(
                [
                    Problem(
                        "DOB-B11",
                        rule,
                        "Grade(...), EventCount(...), FirstEvent(...) or Measure(...)",
                    )
                ]
            )
        problems = not_names({"id": self.id, "dose": self.dose})
        if not self.dose:
            problems.append(Problem("DOB-A15", "dose is empty", "name its column"))
        if self.missing not in MISSING:
            rule = f"missing = {self.missing!r}; one of: {', '.join(MISSING)}"
            problems.append(Problem("DOB-B01", rule, did_you_mean(str(self.missing), MISSING)))
        if self.exclude and not self.id:
            rule = "patients are excluded by their identifier"
            problems.append(Problem("DOB-A15", rule, "name the identifier column in `id`"))
        problems += shared([self.id, self.dose, *self.outcome.columns])
        refuse([*problems, *csv_problems(self.sep, self.decimal, self.thousands)])

    @property
    def used(self) -> tuple[str, ...]:
        """Every column that is read."""
        return tuple(c for c in (self.id, self.dose, *self.outcome.columns) if c)

    @property
    def id_within(self) -> str:
        """Identifiers are unique in the table."""
        return ""

    @property
    def endpoint_columns(self) -> dict[str, str]:
        """Columns of the outcome, by their own name."""
        return {c: c for c in self.outcome.columns}

    @property
    def style(self) -> NumberStyle:
        """How numbers are written."""
        return NumberStyle(self.decimal, self.thousands)


@dataclass(frozen=True, eq=False)
class ArmRecords:
    """Checked tolerability data of randomised arms, one outcome, one row per patient.

    Build it with `from_frame`, `from_csv` or `empty`; fit it with ``OrdinalGrades``,
    ``RecurrentEvents``, ``TimeToFirst`` or ``ArmMeasure`` of the same outcome.

    Parameters
    ----------
    doses, unit
        Candidate doses, ascending, and their unit; doses without patients included.
    outcome
        What was read of each patient.
    counts
        Whole numbers: ``n_treated`` (dose) patients not excluded by identifier; ``n`` and ``events``
        (dose, endpoint) patients analysed, and those with the event: a grade of at least `at_least`,
        one event or more, that cause as the first event up to the horizon, or a value below `below`.
    patients
        Columns id, dose, and ``grade``; or ``count`` and ``time``; or ``cause`` (empty: censored) and
        ``time``; or ``value``. Patients analysed only.
    disposition
        Per dose: read = analysed + excluded by rule.
    source, sha256, row_hashes
        Where the data came from, and fingerprints of the input and of each of its rows.
    notes
        Every default, change and silent risk.

    Examples
    --------
    >>> frame = pd.DataFrame({"ID": [1, 2, 3], "mg": [15, 15, 45], "worst": [0, 3, 2]})
    >>> roles = ArmColumns("ID", "mg", Grade("diarrhoea", "worst", at_least=2, highest=4),
    ...                    doses=(15, 30, 45), unit="mg")
    >>> print(ArmRecords.from_frame(frame, roles))
    data frame: diarrhoea of 3 patients at doses 15, 30, 45 mg
     dose  read  analysed
       15     2         2
       30     0         0
       45     1         1
    - diarrhoea: no patient analysed at 30 mg: what is said of it is the prior
    """

    doses: tuple[float, ...]
    unit: str
    outcome: Outcome
    counts: xr.Dataset
    patients: pd.DataFrame
    disposition: pd.DataFrame
    source: str
    sha256: str
    row_hashes: tuple[str, ...]
    notes: tuple[str, ...]
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict, init=False)

    @classmethod
    def from_frame(
        cls, frame: pd.DataFrame, columns: ArmColumns, *, source: str = "data frame"
    ) -> ArmRecords:
        """Read one row per patient from a data frame.

        Parameters
        ----------
        frame
            Patients; its index is not read.
        columns
            Column roles.
        source
            Name used in errors and in the ledger.

        Raises
        ------
        DataError
            With every fault of the frame at once.
        """
        return cls._read(read_frame(frame, source), _roles(columns))

    @classmethod
    def from_csv(cls, path: str | Path, columns: ArmColumns) -> ArmRecords:
        """Read one row per patient from a UTF-8 CSV file; every cell is read as text.

        Parameters
        ----------
        path
            CSV file with a header row.
        columns
            Column roles.

        Raises
        ------
        DataError
            With every fault of the file at once.
        """
        roles = _roles(columns)
        return cls._read(read_csv(path, sep=roles.sep, decimal=roles.decimal), roles)

    @classmethod
    def empty(cls, outcome: Outcome, doses: Sequence[float], unit: str = "") -> ArmRecords:
        """Return a design without data, for looking at priors.

        Parameters
        ----------
        outcome
            The planned outcome.
        doses, unit
            Candidate doses and their unit.

        Raises
        ------
        DataError
            When the doses are no grid.
        """
        problems: list[Problem] = []
        grid = candidate_doses(doses, problems)
        refuse(problems)
        value = {"grade": ["grade"], "count": ["count", "time"], "first_event": ["cause", "time"],
                 "measure": ["value"]}  # fmt: skip
        nobody = pd.DataFrame({c: [] for c in ("id", "dose", *value[outcome.kind])})
        rows = ArmRows(grid, nobody, (), (), ("PRIOR ONLY: no outcome was analysed",))
        sha256 = hashlib.sha256(f"{outcome} {grid} {unit}".encode()).hexdigest()
        return cls._of(rows, outcome, unit, "no data", sha256, (), ())

    @classmethod
    def _read(cls, table: RawTable, columns: ArmColumns) -> ArmRecords:
        rows = read_arms(table, columns)
        return cls._of(
            rows, columns.outcome, columns.unit, table.source, table.sha256, table.row_hashes,
            table.notes,
        )  # fmt: skip

    @classmethod
    def _of(
        cls, rows: ArmRows, outcome: Outcome, unit: str, source: str, sha256: str,
        row_hashes: tuple[str, ...], notes: tuple[str, ...],
    ) -> ArmRecords:  # fmt: skip
        return cls(
            doses=rows.doses,
            unit=unit,
            outcome=outcome,
            counts=_counted(rows, outcome, unit),
            patients=rows.patients,
            disposition=disposition(rows.doses, {outcome.title: rows.marks}),
            source=source,
            sha256=sha256,
            row_hashes=row_hashes,
            notes=(*notes, *rows.notes),
        )

    @property
    def endpoints(self) -> tuple[str, ...]:
        """Endpoints of the outcome: its name, or its causes."""
        return self.outcome.endpoints

    def __str__(self) -> str:
        doses = ", ".join(f"{d:g}" for d in self.doses)
        head = f"{self.source}: {self.outcome.title} of {len(self.patients)} patients at doses "
        head += f"{doses} {self.unit}".rstrip()
        ledger = self.disposition.drop(columns="endpoint").to_string(
            index=False, float_format=lambda x: f"{x:g}"
        )
        lines = [line.rstrip() for line in ledger.split("\n")]
        return "\n".join([head, *lines, *(f"- {note}" for note in self.notes)])

    __repr__ = __str__


def _roles(columns: object) -> ArmColumns:
    if not isinstance(columns, ArmColumns):
        rule = f"the column roles are ArmColumns, not {type(columns).__name__}"
        repair = "ArmColumns('ID', 'DOSE', Grade(...), doses=(15, 45), unit='mg')"
        refuse([Problem("DOB-B11", rule, repair)])
    return columns  # type: ignore[return-value]  # refused otherwise


def _counted(rows: ArmRows, outcome: Outcome, unit: str) -> xr.Dataset:
    """Count patients treated, analysed and with the event at each dose."""
    frame = rows.patients
    if isinstance(outcome, Grade):
        had = [frame["grade"] >= outcome.at_least]
    elif isinstance(outcome, EventCount):
        had = [frame["count"] > 0]
    elif isinstance(outcome, Measure):
        had = [frame["value"] < outcome.below]
    else:
        early = frame["time"] <= outcome.horizon
        had = [(frame["cause"] == c) & early for c in outcome.names_of_causes]
    at = [frame["dose"] == d for d in rows.doses]
    n = [[int(here.sum())] * len(had) for here in at]
    events = [[int((here & x).sum()) for x in had] for here in at]
    over = (names.DOSE, names.ENDPOINT)
    found = xr.Dataset(
        {
            names.N_TREATED: (names.DOSE, [rows.treated.count(d) for d in rows.doses]),
            names.N: (over, n),
            names.EVENTS: (over, events),
        },
        coords={names.DOSE: list(rows.doses), names.ENDPOINT: list(outcome.endpoints)},
    )
    found[names.DOSE].attrs["units"] = unit
    return found
