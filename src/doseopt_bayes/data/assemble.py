"""Checked patients or counts to the fields of a trial."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import pandas as pd

from doseopt_bayes import names
from doseopt_bayes.data.counting import count_marks, count_patients, lay_out
from doseopt_bayes.data.disposition import disposition
from doseopt_bayes.data.follow_up_counts import with_pending
from doseopt_bayes.data.outcomes import outcome_table, parse_outcomes
from doseopt_bayes.data.read.doses import candidate_doses
from doseopt_bayes.data.read.groups import ALL_GROUPS
from doseopt_bayes.data.read.patients import Patients
from doseopt_bayes.data.remarks import silent_risks
from doseopt_bayes.data.roles import grouping_problems, refuse
from doseopt_bayes.errors import DataError, Problem

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from doseopt_bayes.data.read.counts import Counts, DoseCounts
    from doseopt_bayes.data.read.groups import Groups

__all__ = ["assemble", "from_outcomes", "no_data", "refuse_roles"]


def assemble(
    found: Patients | Counts,
    source: str,
    sha256: str,
    *,
    hashes: tuple[str, ...] = (),
    notes: tuple[str, ...] = (),
) -> dict[str, Any]:
    """Count, lay out and account for what was read: the fields of `TrialData`.

    Parameters
    ----------
    found
        Checked patients or counts.
    source, sha256, hashes
        Where they came from, and fingerprints.
    notes
        Notes of the table as such.
    """
    doses, unit, groups = found.doses, found.unit, found.groups
    together: Mapping[float, DoseCounts] = {}
    if isinstance(found, Patients):
        ends, marks, patients = tuple(found.marks), dict(found.marks), found.table
        counted = count_patients(patients, doses, ends, groups)
    else:
        ends, counted, patients, together = found.endpoints, found.found, None, found.together
        everyone = [ALL_GROUPS] * len(groups)
        marks = {end: count_marks(counted, together, end, everyone) for end in ends}
    counts = lay_out(counted, doses, ends, unit, groups=groups, together=together)
    if isinstance(found, Patients):
        counts = with_pending(counts, found.pending, found.follow_up)
    ledger = disposition(doses, marks, groups=groups)
    return {
        "doses": doses,
        "unit": unit,
        "counts": counts,
        "endpoints": ends,
        "disposition": ledger,
        "source": source,
        "sha256": sha256,
        "row_hashes": hashes,
        "notes": (*silent_risks(counts, ledger, unit), *notes, *found.notes),
        "patients": patients,
        "groups": dict(groups),
    }


def from_outcomes(text: str, doses: Sequence[float], unit: str) -> dict[str, Any]:
    """Return the fields of a trial written in the outcome mini-language.

    Parameters
    ----------
    text
        For example ``"1NNE 2EEB"``.
    doses, unit
        Candidate doses and their unit.

    Raises
    ------
    DataError
        With the position of every bad character, or when the doses are no grid.
    """
    grid = _declared(doses)
    frame = outcome_table(parse_outcomes(text, len(grid)), grid)
    marks = {e: [(float(d), "") for d in frame["dose"]] for e in (names.TOX, names.EFF)}
    sha256 = hashlib.sha256(f"{text}|{grid}".encode()).hexdigest()
    return assemble(Patients(grid, unit, frame, marks, ()), "outcomes", sha256)


def no_data(doses: Sequence[float], unit: str, groups: Groups) -> dict[str, Any]:
    """Return the fields of a design without data.

    Parameters
    ----------
    doses, unit
        Candidate doses and their unit.
    groups
        Planned groupings and their levels.

    Raises
    ------
    DataError
        When the doses are no grid, or a grouping has no usable name or levels.
    """
    grid = _declared(doses)
    ends = (names.TOX, names.EFF)
    levels = {grouping: tuple(texts) for grouping, texts in groups.items()}
    refuse(grouping_problems({g: g for g in levels}, levels, ends))
    frame = outcome_table((), grid)
    for k, grouping in enumerate(levels, start=3):  # after id, dose and cohort
        frame.insert(k, grouping, pd.Series([], dtype="str"))
    found = Patients(grid, unit, frame, {e: [] for e in ends}, (), levels)
    key = f"|{grid}" + (f"|{levels}" if levels else "")
    return assemble(found, "no data", hashlib.sha256(key.encode()).hexdigest())


def refuse_roles(columns: object, kind: type) -> None:
    """Refuse column roles that are no object of `kind`."""
    if not isinstance(columns, kind):
        rule = f"the column roles are a {kind.__name__}, not {type(columns).__name__}"
        repair = f"name the columns, for example {kind.__name__}('Dose', tox='Toxicity', ...)"
        raise DataError([Problem("DOB-B11", rule, repair)], "the column roles")


def _declared(doses: Sequence[float]) -> tuple[float, ...]:
    problems: list[Problem] = []
    grid = candidate_doses(doses, problems)
    if not len(doses):
        problems.append(Problem("DOB-C12", "no candidate dose", "list the protocol's doses"))
    if problems:
        raise DataError(problems, "the candidate doses")
    return grid
