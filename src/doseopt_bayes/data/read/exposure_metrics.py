"""A column of exposures: placebo, values below quantification, gaps and wrong scales."""

from __future__ import annotations

import math
import re
from collections import Counter
from typing import TYPE_CHECKING

from doseopt_bayes.data.read.values import NumberStyle, Place, is_missing, number_or_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from doseopt_bayes.data.exposure_columns import ExposureColumns
    from doseopt_bayes.data.read.identity import NamedRow
    from doseopt_bayes.errors import Problem

__all__ = ["read_metric"]

BELOW = re.compile(r"<\s*([0-9]*\.?[0-9]+)")
BELOW_WORDS = {"blq", "bql", "bloq", "bloq.", "<lloq", "<loq", "< lloq", "lloq", "<bql"}
YES, NO = {"y", "yes", "1", "true"}, {"n", "no", "0", "false", ""}
LOG_NAME = re.compile(
    r"(?:^|[^a-z])(?:log|ln)(?:10|2)?(?:[^a-z]|$)|^log|^ln(?=auc|cm|c[0-9])", re.IGNORECASE
)
SHARE = 0.2  # D13
LOG_RANGE = 12  # D11: exposures on a log scale span less than this


def read_metric(
    metric: str,
    kept: Sequence[NamedRow],
    doses: Sequence[float | None],
    columns: ExposureColumns,
    problems: list[Problem],
) -> tuple[list[float], list[str], list[str]]:
    """Read one exposure metric.

    Returns
    -------
    tuple
        Values (NaN: none), the rule that keeps each row out (empty: usable), and notes.

    Raises
    ------
    DataError
        Never; faults are appended to `problems`.
    """
    values, why = [], []
    placebo: list[Place] = []
    below: list[tuple[Place, object, float | None]] = []
    style = NumberStyle(columns.decimal, columns.thousands)
    for row, dose in zip(kept, doses, strict=True):
        at, cell = row.cell(metric)
        low, limit = _below(row, metric, columns, problems)
        if dose == 0 and (low or is_missing(cell)):
            placebo.append(at)
            values.append(0.0 if columns.placebo == "zero" else math.nan)
            why.append("" if columns.placebo == "zero" else "placebo without exposure")
        elif low:
            below.append((at, dose, limit))
            value, reason = _quantified(at, cell, limit, columns, problems)
            values.append(value)
            why.append(reason)
        elif is_missing(cell):
            values.append(math.nan)
            why.append(f"{metric} missing")
            if columns.policy(metric) == "error":
                rule = f"exposure {metric} is missing"
                repair = f"fill it in, or choose missing={{{metric!r}: 'exclude'}}"
                problems.append(at.problem("DOB-D04", cell, rule, repair))
        else:
            values.append(_number(at, cell, style, problems))
            why.append("")
    if placebo and columns.placebo == "error":
        problems.append(_placebo_problem(placebo, metric))
    if below and columns.blq == "error":
        problems.append(_below_problem(below, kept, metric))
    problems += _negative(kept, metric, values)
    notes = _placebo_notes(placebo, metric, columns)
    notes += _below_notes(below, doses, metric, columns)
    notes += _scale_notes(metric, values, doses)
    gone = sum(1 for reason in why if reason == f"{metric} missing")
    if gone:
        notes.append(f"{metric}: {gone} rows without exposure excluded (missing='exclude')")
    return values, why, notes


def _below(
    row: NamedRow, metric: str, columns: ExposureColumns, problems: list[Problem]
) -> tuple[bool, float | None]:
    """Return whether a cell is below quantification, and the limit where it is known."""
    _, cell = row.cell(metric)
    limit = columns.lloq.get(metric)
    text = cell.strip() if isinstance(cell, str) else ""
    match = BELOW.fullmatch(text.replace(columns.decimal, "."))
    if match:
        return True, float(match[1])
    if text.casefold() in BELOW_WORDS:
        return True, limit
    flag = columns.blq_flag.get(metric, "")
    if not flag:
        return False, None
    at, mark = row.cell(flag)
    word = "" if is_missing(mark) else str(int(mark) if isinstance(mark, float) else mark)
    if word.casefold() not in YES | NO:
        rule = f"{flag} says whether {metric} is below quantification: Y or N, 1 or 0"
        problems.append(at.problem("DOB-D01", mark, rule, "correct the flag"))
    return word.casefold() in YES, limit


def _quantified(
    at: Place, cell: object, limit: float | None, columns: ExposureColumns, problems: list[Problem]
) -> tuple[float, str]:
    if columns.blq == "zero":
        return 0.0, ""
    if columns.blq == "half":
        if limit is None:
            rule = f"the limit of quantification of {at.column} is not known"
            repair = f"pass lloq={{{at.column!r}: ...}}"
            problems.append(at.problem("DOB-D01", cell, rule, repair))
            return math.nan, ""
        return limit / 2, ""
    return math.nan, f"{at.column} below quantification"


def _number(at: Place, cell: object, style: NumberStyle, problems: list[Problem]) -> float:
    found = number_or_text(cell, at, style, problems)
    if isinstance(found, str) or isinstance(cell, bool):
        rule, repair = "an exposure is a number >= 0", "correct the value, or leave the cell empty"
        problems.append(at.problem("DOB-D04", cell, rule, repair))
    elif found is not None and math.isfinite(found):
        return found
    elif found is not None:
        rule = "the exposure is not a finite number"
        problems.append(at.problem("DOB-D04", cell, rule, "correct the value"))
    return math.nan


def _negative(kept: Sequence[NamedRow], metric: str, values: Sequence[float]) -> list[Problem]:
    """Note every negative exposure (D02, D03), and what it suggests (D11)."""
    known = [v for v in values if math.isfinite(v)]
    logged = bool(known) and max(known) - min(known) < LOG_RANGE
    rule, repair = "an exposure is >= 0", "correct the value"
    code = "DOB-D02"
    if logged:
        span = f"{min(known):g} to {max(known):g}"
        rule += f"; the values ({span}) look like logarithms"
        repair, code = "give the exposure itself, not its logarithm", "DOB-D11"
    return [
        row.cell(metric)[0].problem(code, row.cell(metric)[1], rule, repair)
        for row, value in zip(kept, values, strict=True)
        if value < 0
    ]


def _placebo_problem(places: Sequence[Place], metric: str) -> Problem:
    rule = f"{len(places)} patients at dose 0 have no {metric}: it is missing, not measured as 0"
    repair = "placebo='zero' records 0, placebo='exclude' leaves them out of exposure-response"
    return places[0].problem("DOB-D04", "", rule, repair)


def _below_problem(
    below: Sequence[tuple[Place, object, float | None]], kept: Sequence[NamedRow], metric: str
) -> Problem:
    rows = ", ".join(str(at.row) for at, *_ in below[:10]) + (", ..." if len(below) > 10 else "")
    rule = f"{len(below)} of {len(kept)} values of {metric} are below quantification (rows {rows})"
    repair = "choose blq='drop' (leave out), 'half' (half the limit) or 'zero'; a censored "
    repair += "likelihood (M3) needs the concentrations and a PK model"
    at = below[0][0]
    first = next(row for row in kept if row.row.number == at.row)
    return at.problem("DOB-D01", first.cell(metric)[1], rule, repair)


def _placebo_notes(places: Sequence[Place], metric: str, columns: ExposureColumns) -> list[str]:
    if not places or columns.placebo == "error":
        return []
    if columns.placebo == "zero":
        done = "recorded as 0 (placebo='zero'); an axis in log exposure needs a break"
    else:
        done = "excluded from its exposure-response (placebo='exclude'); they stay on the axis of "
        done += "dose"
    return [f"{metric}: {len(places)} placebo patients without exposure {done}"]


def _below_notes(
    below: Sequence[tuple[Place, object, float | None]],
    doses: Sequence[float | None],
    metric: str,
    columns: ExposureColumns,
) -> list[str]:
    if not below or columns.blq == "error":
        return []
    done = {"drop": "left out", "half": "set to half the limit", "zero": "set to 0"}[columns.blq]
    said = [f"{metric}: {len(below)} values below quantification {done} (blq={columns.blq!r})"]
    low = Counter(dose for _, dose, _ in below)
    total = Counter(doses)
    shares = [
        f"{dose:g} {columns.dose_unit} {low[dose]}/{total[dose]} ({low[dose] / total[dose]:.0%})"
        for dose in sorted(d for d in low if isinstance(d, float))
        if low[dose] > SHARE * total[dose]
    ]
    if shares:
        said.append(
            f"WARNING {metric}: more than {SHARE:.0%} of a dose group is below quantification: "
            f"{', '.join(shares)}; the shape at low exposure rests on the policy blq={columns.blq!r}"
        )
    return said


def _scale_notes(metric: str, values: Sequence[float], doses: Sequence[float | None]) -> list[str]:
    said = []
    if LOG_NAME.search(metric):
        said.append(
            f"WARNING {metric}: the name says logarithm; it is used as an exposure on its natural "
            "scale, so that a shape in exposure would be a shape in its logarithm"
        )
    none = sum(1 for v, d in zip(values, doses, strict=True) if v == 0 and d is not None and d > 0)
    some = sum(1 for v, d in zip(values, doses, strict=True) if v > 0 and d == 0)
    if none:
        said.append(f"WARNING {metric}: exposure 0 in {none} patients with a dose above 0")
    if some:
        said.append(f"WARNING {metric}: exposure above 0 in {some} patients at dose 0")
    return said
