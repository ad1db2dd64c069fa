"""Endpoints from joined analysis data sets: response categories and adverse events."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from doseopt_bayes.data.endpoints import Binary, Count, Endpoint
from doseopt_bayes.data.read.table import missing_columns
from doseopt_bayes.data.read.values import is_missing
from doseopt_bayes.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from doseopt_bayes.data.read.adam_join import Joined, Sheet
    from doseopt_bayes.data.read.adam_parts import AdverseEvent, Response
    from doseopt_bayes.data.read.table import RawRow

__all__ = ["classify", "count_events"]

CONFIRMED = {"RSP": "CRSP", "BOR": "CBOR", "BCP": "CBCP", "CB": "CCB"}


def classify(name: str, joined: Joined, values: Sequence[object], part: Response) -> Endpoint:
    """Turn response categories into yes, no or excluded, and print how many of each.

    Parameters
    ----------
    name
        Endpoint.
    joined
        Receives the columns ``<name> yes`` and ``<name> reason``, notes and faults.
    values
        Category per subject; missing: no record.
    part
        Which category means what.
    """
    meaning = dict.fromkeys(part.yes, "responder") | dict.fromkeys(part.no, "non-responder")
    meaning |= dict(part.other)
    yes: list[object] = []
    reasons: list[str | None] = []
    counted: Counter[tuple[str, str]] = Counter()
    unknown: Counter[str] = Counter()
    for value, gone in zip(values, joined.gone, strict=True):
        empty = is_missing(value, {"MISSING": 0})
        label = "no record" if empty else str(value)
        means = part.absent if empty else meaning.get(label, "unknown")
        yes.append({"responder": 1, "non-responder": 0}.get(means))
        reasons.append(f"{part.paramcd} {label}" if means == "exclude" else None)
        if gone:
            continue
        counted[label, means] += 1
        unknown[label] += means in {"unknown", "error"}
    for label, n in sorted((+unknown).items()):
        rule = f"{part.paramcd}: {label} in {n} subjects of the population, and no policy says "
        rule += "whether that is no response or not evaluable"
        key = "absent=" if label == "no record" else f"other={{{label!r}: ...}}: "
        repair = f"pass {key}'non-responder' or 'exclude'"
        joined.problems.append(Problem("DOB-B06", rule, repair, column=part.paramcd))
    shown = ", ".join(f"{label} {n} ({means})" for (label, means), n in counted.most_common())
    joined.notes.append(f"{name} from {part.paramcd}: {shown}")
    if part.paramcd in CONFIRMED:
        other = CONFIRMED[part.paramcd]
        joined.notes.append(f"{name}: {part.paramcd} needs no confirmation; {other} does")
    joined.columns |= {f"{name} yes": yes, f"{name} reason": list(reasons)}
    return Binary(f"{name} yes")


def count_events(name: str, joined: Joined, sheet: Sheet, part: AdverseEvent) -> Endpoint:
    """Count the adverse events of each subject that meet every condition.

    Parameters
    ----------
    name
        Endpoint.
    joined
        Receives the column ``<name> events``, notes and faults.
    sheet
        ADAE.
    part
        Conditions; a subject of the population without such an event counts as 0.
    """
    conditions = {
        column: (value,) if isinstance(value, str) else tuple(value)
        for column, value in part.where.items()
    }
    if part.treatment_emergent:
        conditions[part.treatment_emergent] = ("Y",)
    lacking = missing_columns(sheet.table, ["USUBJID", *conditions])
    joined.problems += lacking
    graded = part.min_grade is None or "AETOXGR" in sheet.table.header
    if not graded:
        joined.problems.append(_no_grade(name, sheet, part))
    if lacking or not graded:
        return Binary(f"{name} events")
    rows = [row for row in sheet.table.rows if _meets(row, conditions)]
    if part.min_grade is not None:
        rows = [row for row in rows if _grade(name, row, joined, sheet) >= part.min_grade]
    counts = joined.counts(sheet, rows)
    here = [n for n, gone in zip(counts, joined.gone, strict=True) if not gone]
    asked = [f"{column} in {', '.join(values)}" for column, values in conditions.items()]
    asked += [f"AETOXGR >= {part.min_grade}"] if part.min_grade is not None else []
    joined.notes.append(
        f"{name}: {len(rows)} of {sheet.table.n_rows} records of {sheet.name} with "
        f"{' and '.join(asked) or 'any event'}; {sum(n > 0 for n in here)} of {len(here)} subjects "
        "of the population have one, the others count as no event"
    )
    if part.person_time:
        joined.columns[f"{name} events"] = list(counts)
        return Count(f"{name} events", part.person_time, time_unit=part.time_unit)
    joined.columns[f"{name} events"] = [int(n > 0) for n in counts]
    return Binary(f"{name} events")


def _meets(row: RawRow, conditions: Mapping[str, tuple[str, ...]]) -> bool:
    return all(str(row.cells[column]) in values for column, values in conditions.items())


def _grade(name: str, row: RawRow, joined: Joined, sheet: Sheet) -> float:
    text = str(row.cells["AETOXGR"]).strip().removesuffix(".0")
    if text in {"1", "2", "3", "4", "5"}:
        return float(text)
    rule = f"{name}: AETOXGR is {text or 'empty'!r}, not a grade 1 to 5"
    joined.problems.append(
        Problem("DOB-B03", rule, "correct the grade, or leave the event out of the file",
                sheet.table.source, row.number, str(row.cells["USUBJID"]), "AETOXGR", text)
    )  # fmt: skip
    return 0.0


def _no_grade(name: str, sheet: Sheet, part: AdverseEvent) -> Problem:
    severity = [c for c in ("ASEV", "AESEV", "ASEVN") if c in sheet.table.header]
    rule = f"{name}: grade >= {part.min_grade} is not defined, {sheet.name} has no AETOXGR"
    seen = ""
    if severity:
        values = dict.fromkeys(str(row.cells[severity[0]]) for row in sheet.table.rows)
        seen = f" (it has {severity[0]}: {', '.join(list(values)[:6])})"
    example = severity[0] if severity else "ASEV"
    repair = f"say which severity counts: where={{{example!r}: ('SEVERE',)}} without min_grade"
    return Problem("DOB-B06", rule + seen, repair, sheet.table.source)
