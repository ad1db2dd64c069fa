"""What counts cannot tell, in words, and counts as a short table."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

from doseopt_bayes import names
from doseopt_bayes.data.counting import groupings, totals
from doseopt_bayes.data.follow_up import PENDING_RULE
from doseopt_bayes.data.follow_up_counts import pending_words
from doseopt_bayes.data.read.groups import ALL_GROUPS

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    import xarray as xr

__all__ = ["all_levels", "print_counts", "silent_risks"]

SHOWN = 10


def silent_risks(counts: xr.Dataset, table: pd.DataFrame, unit: str) -> list[str]:
    """Say what the counts cannot tell: untried doses, unknown association, patients left out.

    Parameters
    ----------
    counts
        As laid out by `lay_out`.
    table
        The disposition.
    unit
        Unit of the doses.
    """
    notes = []
    whole, waiting = totals(counts), pending_words(counts, table)
    analysed = whole[names.N].sum(names.DOSE)
    ends = [str(e) for e in counts[names.ENDPOINT].to_numpy()]
    if not int(analysed.sum()) and not waiting:
        notes.append("PRIOR ONLY: no outcome was analysed")
    notes += [
        f"{end}: no patient analysed, so that its curve is the prior"
        for end in ends
        if int(analysed.sum()) and not int(analysed.sel(endpoint=end)) and end not in waiting
    ]
    tried = _doses_with(whole[names.N_TREATED])
    untried = [float(d) for d in counts[names.DOSE].to_numpy() if float(d) not in tried]
    label = f" {unit}" if unit else ""
    if len(tried) == 1:
        notes.append(f"one dose observed ({tried[0]:g}{label}): slope not identified by data")
    if tried and untried:
        notes.append(f"no patients at {_doses(untried, unit)}")
    if not unit:
        notes.append("no dose unit declared")
    known = int(counts[names.CELL_COUNT].sum()) or waiting
    if {names.TOX, names.EFF} <= set(ends) and not known and tried:
        notes.append(
            "tox and eff are known as margins only: their association is driven by its prior"
        )
    notes += [*_together(counts, unit), *_empty_groups(counts, unit)]
    keys = {"endpoint", *groupings(counts), "dose", "read", "analysed"}
    for rule in [c for c in table.columns if c not in keys]:
        by_end = table.groupby("endpoint", sort=False)[rule].sum()
        said = waiting if rule == PENDING_RULE else {}
        notes += [
            said.get(str(end), f"{end}: {k} patients {rule}") for end, k in by_end.items() if k
        ]
    return notes


def print_counts(counts: xr.Dataset, unit: str) -> str:
    """Print a short table: dose, patients treated, and events / analysed per endpoint.

    Groups have one row per group and dose, and outcomes known for all groups together their own
    rows; a dash says that the outcome is known there only.
    """
    whole, over = totals(counts), groupings(counts)
    head = f"{int(whole[names.N_TREATED].sum())} patients treated"
    ends = [str(e) for e in counts[names.ENDPOINT].to_numpy()]
    rows = [[*over, f"dose ({unit})" if unit else "dose", "n", *ends]]
    doses = counts[names.DOSE].to_numpy()
    everyone = product(*(counts[g].to_numpy().tolist() for g in over))
    for labels in everyone:
        for dose in doses:
            here = counts.sel({names.DOSE: dose} | dict(zip(over, labels, strict=True)))
            alone = here[names.N_TOGETHER].to_numpy().tolist() if over else [0] * len(ends)
            n, events = here[names.N].to_numpy().tolist(), here[names.EVENTS].to_numpy().tolist()
            shares = _shares(events, n, alone)
            rows.append([*labels, f"{dose:g}", str(int(here[names.N_TREATED])), *shares])
    if over and counts[names.N_TOGETHER].any():
        for dose in doses:
            here = counts.sel({names.DOSE: dose})
            n = here[names.N_TOGETHER].to_numpy().tolist()
            shares = _shares(
                here[names.EVENTS_TOGETHER].to_numpy().tolist(), n, [k == 0 for k in n]
            )
            treated = int(whole[names.N_TREATED].sel({names.DOSE: dose}))
            rows.append([*[ALL_GROUPS] * len(over), f"{dose:g}", str(treated), *shares])
    width = [max(len(row[i]) for row in rows) + 4 * (i > 0) for i in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [c.rjust(w) for c, w in zip(row, width, strict=True)]
        lines.append("".join([row[0].ljust(width[0]), *cells[1:]] if over else cells))
    return "\n".join([head, *lines])


def all_levels(over: Sequence[str]) -> str:
    """Return the words for every level of some groupings.

    Examples
    --------
    >>> all_levels(["subgroup", "study"])
    'all subgroups and studies'
    """
    many = [f"{g[:-1]}ies" if g.endswith("y") else f"{g}s" for g in over]
    return f"all {' and '.join(many)}"


def _shares(events: Sequence[int], n: Sequence[int], elsewhere: Sequence[int]) -> list[str]:
    found = zip(events, n, elsewhere, strict=True)
    return ["-" if k == 0 and other else f"{x}/{k}" for x, k, other in found]


def _doses_with(treated: xr.DataArray) -> list[float]:
    return [float(d) for d in treated[names.DOSE].to_numpy()[treated.to_numpy() > 0]]


def _doses(doses: list[float], unit: str) -> str:
    return f"{', '.join(f'{d:g}' for d in doses)}{f' {unit}' if unit else ''}"


def _together(counts: xr.Dataset, unit: str) -> list[str]:
    """Name the endpoints that are known for all groups together."""
    over = groupings(counts)
    if not over:
        return []
    notes = []
    for end in counts[names.ENDPOINT].to_numpy().tolist():
        at = {names.ENDPOINT: end}
        doses = _doses_with(counts[names.N_TOGETHER].sel(at))
        if doses:
            by_group = bool(counts[names.N].sel(at).any())
            where = f" at {_doses(doses, unit)}" if by_group else ""
            notes.append(f"{end}: known for {all_levels(over)} together only{where}")
    return notes


def _empty_groups(counts: xr.Dataset, unit: str) -> list[str]:
    """Name levels without patients, and one note per level the doses where it has none."""
    over, treated = groupings(counts), counts[names.N_TREATED]
    tried = _doses_with(treated.sum(over)) if over else []
    notes = []
    for grouping in over if int(totals(counts)[names.N].sum()) else ():
        others = [g for g in over if g != grouping]
        by_level = treated.sum(others)
        analysed = counts[names.N].sum([*others, names.DOSE])
        ends = [str(e) for e in counts[names.ENDPOINT].to_numpy()[analysed.sum(grouping) > 0]]
        for level in counts[grouping].to_numpy().tolist():
            here = _doses_with(by_level.sel({grouping: level}))
            gone = [dose for dose in tried if dose not in here]
            if not here:
                said = "no patients: what is said of it is the prior or borrowed"
                notes.append(f"{grouping} '{level}': {said}")
            elif gone:
                notes.append(f"{grouping} '{level}': no patients at {_doses(gone, unit)}")
            unknown = [e for e in ends if not int(analysed.sel(endpoint=e, **{grouping: level}))]
            if here and unknown:
                said = f"{', '.join(unknown)} of no patient analysed: the prior or borrowed"
                notes.append(f"{grouping} '{level}': {said}")
    if len(over) > 1:
        notes += _empty_crossings(treated.sum(names.DOSE))
    return notes


def _empty_crossings(treated: xr.DataArray) -> list[str]:
    over = [str(d) for d in treated.dims]
    some = [treated[g].to_numpy()[treated.sum([o for o in over if o != g]) > 0] for g in over]
    crossed = list(product(*(levels.tolist() for levels in some)))
    gone = [k for k in crossed if not int(treated.sel(dict(zip(over, k, strict=True))))]
    if not gone:
        return []
    shown = ", ".join(" x ".join(k) for k in gone[:SHOWN]) + (", ..." if len(gone) > SHOWN else "")
    return [f"no patients in {len(gone)} of {len(crossed)} pairs of {' and '.join(over)}: {shown}"]
