"""Exposure-response data from NONMEM-style records; exposures are observed, never fitted."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

import pandas as pd

from doseopt_bayes.data.endpoints import Binary, Continuous
from doseopt_bayes.data.exposure import ExposureData
from doseopt_bayes.data.exposure_columns import Covariate, ExposureColumns
from doseopt_bayes.data.read.containers import read_container
from doseopt_bayes.data.read.nonmem_rules import Observed, summarise
from doseopt_bayes.data.read.table import RawTable, missing_columns, read_frame
from doseopt_bayes.data.read.values import NumberStyle, Place, id_value, is_missing, number_or_text
from doseopt_bayes.errors import Problem, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from doseopt_bayes.data.read.table import RawRow

    Source = str | Path | pd.DataFrame

__all__ = ["read_nonmem"]

BLQ = ("error", "drop", "half", "zero", "keep")


def read_nonmem(
    records: Source,
    *,
    dose: str,
    dose_unit: str,
    endpoints: Mapping[str, Observed],
    exposures: Mapping[str, Observed | str] | None = None,
    derived: Source | None = None,
    covariates: Sequence[str | Covariate] = (),
    schedule: str = "",
    id: str = "ID",  # noqa: A002  (the field's name for it)
    time: str = "TIME",
    dv: str = "DV",
    evid: str = "EVID",
    mdv: str = "MDV",
    cens: str = "CENS",
    cmt: str = "CMT",
    dose_levels: Mapping[str, float] | None = None,
    doses: Sequence[float] = (),
    placebo: str = "error",
    blq: str | Mapping[str, str] = "error",
    missing: str | Mapping[str, str] = "error",
    exclude: Mapping[str, str] | None = None,
) -> ExposureData:
    """Read long records of doses and observations, and summarise each patient by simple rules.

    Parameters
    ----------
    records
        Data frame or file of any container, one row per record.
    dose, dose_unit
        Column of the assigned dose, constant within a patient, and its unit. `AMT` of single
        records is not used: its schedule is not known here.
    endpoints
        Name to `Observed`: a value of the observations in one compartment.
    exposures
        Name to `Observed`, or to the unit of a column of `derived`.
    derived
        Table with one row per patient (the `id` column), for example exposures of a population
        PK model. No PK model is fitted here.
    covariates, schedule
        Columns that are constant within a patient.
    id, time, dv, evid, mdv, cens, cmt
        Names of the columns. `evid`, `mdv` and `cens` may be empty where the file has none.
    blq
        Observations with CENS 1 (DV is the limit): ``"drop"``, ``"half"``, ``"zero"`` or ``"keep"``
        (DV as it stands), for all or per compartment.
    dose_levels, doses, placebo, missing, exclude
        As in `ExposureData.from_frame`.

    Raises
    ------
    DataError
        With every fault of the records.
    """
    given = exposures or {}
    table = read_container(records, source="records")
    constant = [dose, *([schedule] if schedule else [])]
    own = [Covariate(c) if isinstance(c, str) else c for c in covariates]
    constant += [c.name for c in own]
    wanted = [id, time, dv, cmt, *constant, *(c for c in (evid, mdv, cens) if c)]
    problems = [*table.problems, *missing_columns(table, wanted)]
    if table.n_rows == 0:
        problems.append(Problem("DOB-A13", "no data rows", "check the export", table.source))
    if problems:
        raise table.refusal(problems)
    patients: dict[str, list[RawRow]] = defaultdict(list)
    for row in table.rows:
        patients[id_value(row, id)].append(row)
    wide: dict[str, list[object]] = {id: list(patients)}
    for column in constant:
        wide[column] = [_constant(p, column, rows, table, problems) for p, rows in patients.items()]
    names = {"time": time, "dv": dv, "evid": evid, "mdv": mdv, "cens": cens}
    problems += _policies(blq)
    rules = {n: r for n, r in [*given.items(), *endpoints.items()] if isinstance(r, Observed)}
    used = {str(rule.cmt) for rule in rules.values()}
    seen, notes = _observations(table, id, cmt, names, blq, used, problems)
    for name, rule in rules.items():
        cells, said = summarise(name, rule, {p: seen[p] for p in patients}, problems)
        wide[name] = list(cells)
        notes += said
    units = {n: r.unit if isinstance(r, Observed) else r for n, r in given.items()}
    from_table = [n for n, r in given.items() if isinstance(r, str)]
    inputs = [table]
    if derived is not None or from_table:
        inputs.append(_join(derived, id, from_table, wide, problems))
    if problems:
        raise table.refusal(problems)
    columns = ExposureColumns(
        id,
        dose,
        dose_unit=dose_unit,
        exposures=units,
        endpoints={
            name: Binary(name) if rule.rule == "any" else Continuous(name, rule.unit)
            for name, rule in endpoints.items()
        },
        covariates=tuple(own),
        schedule=schedule,
        dose_levels=dose_levels or {},
        doses=tuple(doses),
        placebo=placebo,
        missing=missing,
        exclude=exclude or {},
    )
    sha256 = hashlib.sha256("\n".join(t.sha256 for t in inputs).encode()).hexdigest()
    laid = replace(
        read_frame(pd.DataFrame(wide, dtype=object), table.source), sha256=sha256, typed=table.typed
    )
    head = (
        f"{table.n_rows} records of {len(patients)} patients; rows below count patients, in order"
    )
    return ExposureData.from_table(laid, columns, notes=[head, *notes])


def _constant(
    patient: str, column: str, rows: Sequence[RawRow], table: RawTable, problems: list[Problem]
) -> object:
    seen = list(dict.fromkeys(str(row.cells[column]) for row in rows))
    if len(seen) > 1:
        shown = ", ".join(seen[:5])
        rule = f"{column} changes within the patient: {shown}"
        repair = "give one value per patient (assigned dose, baseline value)"
        at = Place(table.source, rows[0].number, patient, column)
        problems.append(at.problem("DOB-C16", shown, rule, repair))
    return rows[0].cells[column]


def _observations(
    table: RawTable,
    patient: str,
    cmt: str,
    names: Mapping[str, str],
    blq: str | Mapping[str, str],
    used: set[str],
    problems: list[Problem],
) -> tuple[dict[str, list[tuple[str, float, float]]], list[str]]:
    """Return compartment, time and value of each observation per patient, and the counts."""
    found: dict[str, list[tuple[str, float, float]]] = defaultdict(list)
    events = missing = 0
    censored: Counter[tuple[str, str]] = Counter()
    for row in table.rows:
        at = Place(table.source, row.number, id_value(row, patient), names["dv"])
        if names["evid"] and _flag(row, names["evid"]) != "0":
            events += 1
            continue
        empty = is_missing(row.cells[names["dv"]])
        if (names["mdv"] and _flag(row, names["mdv"]) == "1") or empty:
            missing += 1
            continue
        when = number_or_text(row.cells[names["time"]], at, NumberStyle(), problems)
        value = number_or_text(row.cells[names["dv"]], at, NumberStyle(), problems)
        if not isinstance(when, float) or not isinstance(value, float):
            rule = f"{names['time']} and {names['dv']} of an observation are numbers"
            problems.append(at.problem("DOB-D05", row.cells[names["dv"]], rule, "correct it"))
            continue
        compartment = _flag(row, cmt)
        if compartment in used and names["cens"] and _flag(row, names["cens"]) == "1":
            policy = blq if isinstance(blq, str) else blq.get(compartment, "error")
            censored[compartment, policy] += 1
            if policy == "error":
                rule = f"CENS is 1 in compartment {compartment}: below quantification"
                repair = f"choose blq={{{compartment!r}: 'drop'}}, 'half', 'zero' or 'keep'"
                problems.append(at.problem("DOB-D01", value, rule, repair))
            if policy in {"drop", "error"}:
                continue
            value = {"half": value / 2, "zero": 0.0}.get(policy, value)
        found[at.patient].append((compartment, when, value))
    said = [f"{events} event records (EVID not 0), {missing} without a value (MDV 1 or empty)"]
    said += [
        f"compartment {where}: {n} observations below quantification (CENS 1), blq={policy!r}"
        for (where, policy), n in sorted(censored.items())
    ]
    return found, said


def _policies(blq: str | Mapping[str, str]) -> list[Problem]:
    return [
        Problem("DOB-D01", f"blq = {p!r}; one of: {', '.join(BLQ)}", did_you_mean(p, BLQ))
        for p in ([blq] if isinstance(blq, str) else blq.values())
        if p not in BLQ
    ]


def _flag(row: RawRow, column: str) -> str:
    return id_value(row, column).strip().removesuffix(".0")


def _join(
    derived: Source | None,
    patient: str,
    names: Sequence[str],
    wide: dict[str, list[object]],
    problems: list[Problem],
) -> RawTable:
    """Join exposures that were derived elsewhere, one row per patient."""
    if derived is None:
        rule = f"exposures {', '.join(names)} stand in no table"
        problems.append(Problem("DOB-A15", rule, "pass derived=..., or an Observed rule"))
        return read_frame(pd.DataFrame())
    table = read_container(derived, source="derived")
    problems += [*table.problems, *missing_columns(table, [patient, *names])]
    if any(name not in table.header for name in [patient, *names]):
        return table
    rows: dict[str, RawRow] = {}
    for row in table.rows:
        who = id_value(row, patient)
        if rows.setdefault(who, row) is not row:
            rule = f"the same patient stands in rows {rows[who].number} and {row.number}"
            repair = "keep one row per patient: one exposure, not a profile"
            problems.append(Problem("DOB-A14", rule, repair, table.source, row.number, who))
    strange = [who for who in rows if who not in wide[patient]]
    if strange:
        rule = f"{len(strange)} patients have no records: {', '.join(strange[:5])}"
        problems.append(Problem("DOB-E05", rule, "export both from one cut-off", table.source))
    for name in names:
        wide[name] = [rows[str(p)].cells[name] if str(p) in rows else None for p in wide[patient]]
    return table
