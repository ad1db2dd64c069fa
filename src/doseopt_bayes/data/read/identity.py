"""Who a row is about: identifiers, rows of totals, and patients standing in two rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from doseopt_bayes.data.read.values import Place, id_value, is_total
from doseopt_bayes.errors import Problem, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from doseopt_bayes.data.read.table import RawRow, RawTable

__all__ = ["NamedRow", "identify", "refuse_twice"]


class Roles(Protocol):
    """What identity needs to know of the column roles."""

    @property
    def id(self) -> str: ...
    @property
    def id_within(self) -> str: ...
    @property
    def exclude(self) -> Mapping[str, str]: ...
    @property
    def endpoint_columns(self) -> dict[str, str]: ...


@dataclass(frozen=True)
class NamedRow:
    """A row with its patient."""

    row: RawRow
    patient: str
    file: str

    def cell(self, column: str) -> tuple[Place, object]:
        """Return the place and the value of one cell."""
        place = Place(self.file, self.row.number, self.patient, column)
        return place, self.row.cells[column]


def identify(table: RawTable, columns: Roles, problems: list[Problem]) -> list[NamedRow]:
    """Name the patient of every row; totals (A08) and nameless rows (A14) are noted."""
    found = []
    for row in table.rows:
        patient = id_value(row, columns.id) if columns.id else f"row {row.number}"
        if patient and columns.id and columns.id_within:
            patient = f"{id_value(row, columns.id_within)}/{patient}"
        at = Place(table.source, row.number, patient, columns.id)
        label = next(iter(row.cells.values()))
        if is_total(patient) or is_total(label, labels_patient_or_dose=False):
            rule, repair = "looks like a row of totals", "delete the row"
            problems.append(at.problem("DOB-A08", label, rule, repair))
            continue
        if not patient:
            rule, repair = "a patient has no identifier", "fill it in, or delete a row of totals"
            problems.append(at.problem("DOB-A14", "", rule, repair))
        found.append(NamedRow(row, patient, table.source))
    known = list(dict.fromkeys(p.patient for p in found))
    for patient in columns.exclude:
        if patient not in known:
            rule = f"exclude names patient {patient!r}, who is not in the table"
            repair = did_you_mean(patient, known[:200])
            problems.append(Problem("DOB-A15", rule, repair, table.source, patient=patient))
    return found


def refuse_twice(
    kept: Sequence[NamedRow],
    doses: Sequence[float | None],
    columns: Roles,
    problems: list[Problem],
    *,
    groups: Mapping[str, str] | None = None,
) -> None:
    """Note every patient who stands in two rows: same dose A14, other dose C16, other group E01.

    Parameters
    ----------
    kept, doses
        Rows and their doses.
    columns
        Column roles.
    problems
        Receives the faults.
    groups
        Grouping to its column.
    """
    first: dict[str, tuple[NamedRow, float | None]] = {}
    for patient, dose in zip(kept, doses, strict=True):
        if not columns.id or not patient.patient:
            continue
        before, earlier = first.setdefault(patient.patient, (patient, dose))
        if before is patient:
            continue
        rows = f"rows {before.row.number} and {patient.row.number}"
        ends = columns.endpoint_columns.items()
        apart = [e for e, c in ends if before.row.cells.get(c) != patient.row.cells.get(c)]
        rule = f"the same patient stands in {rows}"
        rule += f", with contradicting {', '.join(apart)}" if apart else ""
        at = Place(patient.file, patient.row.number, patient.patient, columns.id)
        code, repair = "DOB-A14", "keep one row per patient (a join may have doubled it)"
        if dose is not None and earlier is not None and dose != earlier:
            rule += f", at doses {earlier:g} and {dose:g}"
            code = "DOB-C16"
            repair = "keep the row that counts; if numbering restarts at each dose or site, "
            repair += "name that column in `id_within`"
        for grouping, column in (groups or {}).items():
            one, two = before.row.cells.get(column), patient.row.cells.get(column)
            if one != two:
                rule += f", in {grouping} {one!r} and {two!r}"
                code = "DOB-E01"
                repair = "a patient is in one group: keep the row that counts; if numbering "
                repair += f"restarts in each {grouping}, id_within={column!r}"
        problems.append(at.problem(code, patient.patient, rule, repair))
