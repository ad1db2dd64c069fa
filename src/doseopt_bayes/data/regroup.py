"""Trials put together as groups of one, taken apart again, and added up."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr

from doseopt_bayes import names
from doseopt_bayes.data.counting import totals
from doseopt_bayes.data.read.doses import candidate_doses
from doseopt_bayes.data.remarks import all_levels, silent_risks
from doseopt_bayes.data.roles import grouping_problems, refuse
from doseopt_bayes.errors import DataError, DoseOptError, Problem, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

    from doseopt_bayes.data.trial import TrialData

__all__ = ["added_up", "one_level", "side_by_side"]

FIXED = ("read", "analysed")
AFTER_COHORT = 3  # patients have the columns id, dose, cohort, groupings, endpoints


def side_by_side(parts: Mapping[str, TrialData], grouping: str) -> dict[str, Any]:
    """Return the fields of a trial whose groups are `parts`, in their order.

    Parameters
    ----------
    parts
        Level to trial. All have one unit, the same endpoints and the same groupings, if any.
    grouping
        Name of the new grouping, which becomes the first dim.

    Raises
    ------
    DataError
        When the parts cannot stand side by side; every reason is listed.
    """
    refuse(_not_trials(parts))
    problems = _misfits(parts, grouping)
    grid = candidate_doses(sorted({d for t in parts.values() for d in t.doses}), problems)
    if problems:
        raise DataError(problems, f"the parts of {grouping}")
    first = next(iter(parts.values()))
    by_level = xr.concat(
        [t.counts.reindex({names.DOSE: list(grid)}, fill_value=0) for t in parts.values()],
        pd.Index(list(parts), name=grouping),
        data_vars="all",
    ).astype(np.int64)
    one = (names.DOSE, names.ENDPOINT)
    none = xr.zeros_like(first.counts[names.N].isel(dict.fromkeys(first.groups, 0), drop=True))
    none = none.reindex({names.DOSE: list(grid)}, fill_value=0)
    counts = by_level.drop_vars([names.N_TOGETHER, names.EVENTS_TOGETHER], errors="ignore")
    counts = counts.assign({v: none.transpose(*one) for v in _ALONE})
    counts[names.DOSE].attrs["units"] = first.unit
    ledger = _stack({k: t.disposition for k, t in parts.items()}, grouping)
    notes, patients = _patients(parts, grouping)
    for level, trial in parts.items():
        notes += [f"{_tag(grouping, level)}{note}" for note in _own_notes(trial)]
        missing = [f"{d:g}" for d in grid if d not in trial.doses]
        if missing:
            notes.append(f"{_tag(grouping, level)}no candidate dose there: {', '.join(missing)}")
    sources = list(dict.fromkeys(t.source for t in parts.values()))
    key = "|".join(f"{level}:{trial.sha256}" for level, trial in parts.items())
    return {
        "doses": grid,
        "unit": first.unit,
        "counts": counts,
        "endpoints": first.endpoints,
        "disposition": ledger,
        "source": ", ".join(sources),
        "sha256": hashlib.sha256(f"{grouping}|{key}".encode()).hexdigest(),
        "row_hashes": tuple(h for t in parts.values() for h in t.row_hashes),
        "notes": (*silent_risks(counts, ledger, first.unit), *notes),
        "patients": patients,
        "groups": {grouping: tuple(parts)} | dict(first.groups),
    }


def one_level(trial: TrialData, labels: Mapping[str, str]) -> dict[str, Any]:
    """Return the fields that change when one level of one or more groupings is looked at alone.

    Parameters
    ----------
    trial
        A trial with groups.
    labels
        Grouping to its level.

    Raises
    ------
    DoseOptError
        When there is no such grouping or level.
    """
    labels = {grouping: str(level) for grouping, level in labels.items()}
    known = list(trial.groups)
    if not known or not labels:
        raise DoseOptError(
            "the trial has no groups" if not known else "no level was named",
            hint="name the column of groups in `groups`, or put trials together with of_groups"
            if not known
            else f"for example .at({known[0]}={trial.groups[known[0]][0]!r})",
        )
    for grouping, level in labels.items():
        if grouping not in known:
            raise DoseOptError(f"no grouping '{grouping}'", hint=did_you_mean(grouping, known))
        if level not in trial.groups[grouping]:
            rule = f"'{level}' is no level of {grouping}"
            raise DoseOptError(rule, hint=did_you_mean(str(level), trial.groups[grouping]))
    counts = trial.counts.sel(dict(labels), drop=True)
    left = {g: levels for g, levels in trial.groups.items() if g not in labels}
    lost = [e for e in trial.endpoints if trial.counts[names.N_TOGETHER].sel(endpoint=e).any()]
    counts = (
        counts.assign({v: xr.zeros_like(counts[v]) for v in _ALONE})
        if left
        else counts.drop_vars(_ALONE)
    )
    ledger, patients = trial.disposition, trial.patients
    for grouping, level in labels.items():
        ledger = ledger[ledger[grouping] == level].drop(columns=grouping)
        if patients is not None:
            patients = patients[patients[grouping] == level].drop(columns=grouping)
    ledger = _without_idle_rules(ledger.reset_index(drop=True), left)
    if patients is not None:
        cohort = patients["cohort"].rank(method="dense").astype("int64")
        patients = patients.assign(cohort=cohort).reset_index(drop=True)
    notes = _notes_of(trial, labels)
    said = ", ".join(f"{g} {level}" for g, level in labels.items())
    if lost:
        notes.append(f"{', '.join(lost)}: known for all groups together only, and not for {said}")
    return {
        "counts": counts,
        "disposition": ledger,
        "source": f"{trial.source}, {said}",
        "sha256": hashlib.sha256(f"{trial.sha256}|{said}".encode()).hexdigest(),
        "notes": (*silent_risks(counts, ledger, trial.unit), *notes),
        "patients": patients,
        "groups": left,
    }


def added_up(trial: TrialData) -> dict[str, Any]:
    """Return the fields that change when all groups are added up to one.

    Parameters
    ----------
    trial
        Any trial; one without groups has nothing that changes.
    """
    if not trial.groups:
        return {}
    over = list(trial.groups)
    counts = totals(trial.counts)
    keys = ["endpoint", "dose"]
    ledger = trial.disposition.drop(columns=over).groupby(keys, sort=False, dropna=False)
    table = ledger.sum().reset_index()
    # rows of excluded patients without a dose come last for each endpoint, as when read
    order = {e: k for k, e in enumerate(trial.endpoints)}
    table = table.sort_values(keys, key=lambda c: c.map(order) if c.name == "endpoint" else c)
    table = table.reset_index(drop=True)
    patients = None if trial.patients is None else trial.patients.drop(columns=over)
    said = f"{all_levels(over)} added up"
    return {
        "counts": counts,
        "disposition": table,
        "source": f"{trial.source}, {said}",
        "sha256": hashlib.sha256(f"{trial.sha256}|{said}".encode()).hexdigest(),
        "notes": (*silent_risks(counts, table, trial.unit), *_own_notes(trial)),
        "patients": patients,
        "groups": {},
    }


_ALONE = [names.N_TOGETHER, names.EVENTS_TOGETHER]


def _not_trials(parts: Mapping[str, TrialData]) -> list[Problem]:
    from doseopt_bayes.data.trial import TrialData  # noqa: PLC0415  (it imports this file)

    others = [str(k) for k, t in parts.items() if not isinstance(t, TrialData)]
    if parts and not others:
        return []
    rule = f"a group is a TrialData, unlike {', '.join(others)}" if others else "no group"
    return [Problem("DOB-B11", rule, "for example {'laBCC': trial, 'mBCC': other}")]


def _misfits(parts: Mapping[str, TrialData], grouping: str) -> list[Problem]:
    first = next(iter(parts.values()))
    problems = grouping_problems({grouping: grouping}, {grouping: tuple(parts)}, first.endpoints)
    level = next(iter(parts))
    for name, trial in parts.items():
        if names.PENDING in trial.counts:
            rule = f"{name} has pending patients, which are not modelled by group"
            repair = "read it with missing = 'pending', which leaves them out"
            problems.append(Problem("DOB-E05", rule, repair, column=name))
        for what in ("unit", "endpoints", "groups"):
            mine, theirs = getattr(trial, what), getattr(first, what)
            if mine != theirs:
                rule = f"{what} of {name}: {mine!r}; of {level}: {theirs!r}"
                problems.append(Problem("DOB-E05", rule, "give every group the same", column=name))
        if trial.groups and trial.counts[names.N_TOGETHER].any():
            rule = f"{name} has outcomes known for all its groups together, which are not all here"
            problems.append(Problem("DOB-E05", rule, "use its .ungrouped()", column=name))
        if grouping in trial.groups:
            rule = f"{name} has a grouping {grouping} already"
            problems.append(Problem("DOB-A15", rule, "give the new grouping another name"))
    return problems


def _patients(
    parts: Mapping[str, TrialData], grouping: str
) -> tuple[list[str], pd.DataFrame | None]:
    """Put the patients below each other; identifiers that occur twice are said."""
    frames = {k: t.patients for k, t in parts.items() if t.patients is not None}
    if len(frames) < len(parts):
        some = f"patients of {', '.join(frames)} are kept as counts, as those of the other groups"
        return ([some] if frames else []), None
    rows, last = [], 0
    for level, frame in frames.items():
        part = frame.assign(cohort=frame["cohort"] + last)
        part.insert(AFTER_COHORT, grouping, pd.Series(level, part.index, "str"))
        rows.append(part)
        last = int(part["cohort"].max()) if len(part) else last
    table = pd.concat([r for r in rows if len(r)] or rows[:1], ignore_index=True)
    twice = table.loc[table["id"].duplicated(), "id"].unique()
    if not len(twice):
        return [], table
    shown = ", ".join(twice[:10]) + (", ..." if len(twice) > 10 else "")
    return [f"{_several(grouping)}: {shown}"], table


def _stack(ledgers: Mapping[str, pd.DataFrame], grouping: str) -> pd.DataFrame:
    """Put dispositions below each other: by endpoint, then by group; a rule unknown there is 0."""
    parts = []
    for level, ledger in ledgers.items():
        part = ledger.copy()
        part.insert(1, grouping, level)
        parts.append(part)
    table = pd.concat(parts, ignore_index=True)
    keys = list(parts[0].columns[: parts[0].columns.get_loc("read")])
    rules = sorted(c for c in table.columns if c not in {*keys, *FIXED})
    table[rules] = table[rules].fillna(0).astype("int64")
    order = {e: k for k, e in enumerate(table["endpoint"].unique())}
    table = table.sort_values("endpoint", key=lambda c: c.map(order), kind="stable")
    return table.reset_index(drop=True)[[*keys, *FIXED, *rules]]


def _without_idle_rules(table: pd.DataFrame, groups: Mapping[str, object]) -> pd.DataFrame:
    keys = {"endpoint", *groups, "dose", *FIXED}
    return table[[c for c in table.columns if c in keys or table[c].any()]]


def _own_notes(trial: TrialData) -> list[str]:
    """Return what was noted when reading, without what follows from the counts."""
    risks = silent_risks(trial.counts, trial.disposition, trial.unit)
    return [note for note in trial.notes if note not in risks]


def _notes_of(trial: TrialData, labels: Mapping[str, str]) -> list[str]:
    """Return the reading notes of one level: those of other levels left out."""
    notes = _own_notes(trial)
    for grouping, level in labels.items():
        notes = [note for note in notes if not note.startswith(_several(grouping))]
        others = tuple(_tag(grouping, k) for k in trial.groups[grouping] if k != level)
        notes = [n.removeprefix(_tag(grouping, level)) for n in notes if not n.startswith(others)]
    return notes


def _several(grouping: str) -> str:
    return f"identifiers of several levels of {grouping}, read as different patients"


def _tag(grouping: str, level: str) -> str:
    return f"{grouping} '{level}': "
