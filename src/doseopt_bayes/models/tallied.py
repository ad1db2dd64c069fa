"""What a model reads of trial data: patients by joint outcome, by one outcome, and of all groups."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from doseopt_bayes import names
from doseopt_bayes.errors import DoseOptError, did_you_mean
from doseopt_bayes.models.pending import PAIR, partly_known

if TYPE_CHECKING:
    from collections.abc import Mapping

    import xarray as xr

    from doseopt_bayes.data.trial import TrialData
    from doseopt_bayes.models.base import DoseModel

__all__ = [
    "PAIR",
    "Counts",
    "check_apart",
    "counts_for",
    "counts_of",
    "groups_of",
    "margins_of",
    "refuse_apart",
]


def groups_of(recipe: Any) -> Mapping[str, tuple[str, ...]]:
    """Return the groupings of a recipe; none for one that knows no groups."""
    found: Mapping[str, tuple[str, ...]] = getattr(recipe, "groups", {})
    return found


@dataclass(frozen=True, eq=False)
class Counts:
    """Patients as a model reads them.

    Parameters
    ----------
    cells
        Patients with both tox and eff known: (*groups, dose, cell).
    only
        Endpoint to (number analysed, events), each (*groups, dose), of patients outside `cells`.
    together
        The same of outcomes known for all groups together, each (dose,); empty without groups.
    pending
        Share of each outcome of patients of whom a part is known, (dose, slot, cell); ``None`` without
        any. They are neither in `cells` nor in `only`.
    """

    cells: np.ndarray
    only: Mapping[str, tuple[np.ndarray, np.ndarray]]
    together: Mapping[str, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)
    pending: np.ndarray | None = None


def counts_of(recipe: DoseModel, data: TrialData) -> Counts:
    """Split the data into patients with both of the pair (cells) and with one outcome (events of n).

    Raises
    ------
    DoseOptError
        When doses, units or groups differ, the data have no endpoint of the model, or its prior cannot
        take outcomes of a patient that were counted apart.
    """
    counts = counts_for(recipe, data)
    lead = (*groups_of(recipe), names.DOSE)
    cells = counts[names.CELL_COUNT].transpose(*lead, names.CELL)
    cells = cells.sel({names.CELL: list(names.CELLS)})
    paired = [e for e in recipe.endpoints if e in PAIR]
    partly = partly_known(counts, paired[0] if len(paired) == 1 else None)
    only = {}
    for endpoint, (n, events) in _margins(recipe, counts, lead).items():
        if endpoint in PAIR and endpoint in data.endpoints:
            inside = cells.sel({names.CELL: list(PAIR[endpoint])})
            more, with_event = partly.known.get(endpoint, (0, 0))
            only[endpoint] = (
                n - cells.sum(names.CELL).to_numpy() - more,
                events - inside.sum(names.CELL).to_numpy() - with_event,
            )
        else:
            only[endpoint] = (n, events)
    found = Counts(cells.to_numpy(), only, _together(recipe, counts), partly.share)
    if len(paired) > 1:
        apart = [only[e][0] for e in PAIR]
        refuse_apart(recipe, found.cells.sum(axis=-1), *apart)
    return found


def refuse_apart(recipe: DoseModel, both: np.ndarray, tox: np.ndarray, eff: np.ndarray) -> None:
    """Let a recipe refuse outcomes that were counted apart, if its prior cannot take them.

    Parameters
    ----------
    recipe
        The model; one without ``refuse_apart`` takes every count.
    both, tox, eff
        Patients (..., dose) of whom both outcomes are known, toxicity alone, and efficacy alone.

    Raises
    ------
    DoseOptError
        With what to do.
    """
    refuse = getattr(recipe, "refuse_apart", None)
    if refuse is not None:
        refuse(both, tox, eff)


def check_apart(recipe: DoseModel, data: TrialData, label: str) -> None:
    """Refuse, before anything is sampled, data that the prior of a model cannot take.

    Parameters
    ----------
    recipe, data
        A model and its data.
    label
        What the model is called in the message.

    Raises
    ------
    DoseOptError
        As :func:`counts_of`.
    """
    if hasattr(recipe, "refuse_apart"):
        try:
            counts_of(recipe, data)
        except DoseOptError as e:
            raise DoseOptError(f"{label}: {e.message}", hint=e.hint) from e


def margins_of(recipe: DoseModel, data: TrialData) -> Counts:
    """Return the counts of a model without joint outcomes: its `cells` are not read.

    A patient of whom two endpoints are known counts in the margin of each; what the model does not
    read is left out.

    Raises
    ------
    DoseOptError
        As :func:`counts_of`.
    """
    counts = counts_for(recipe, data)
    only = _margins(recipe, counts, (*groups_of(recipe), names.DOSE))
    paired = [e for e in recipe.endpoints if e in PAIR]
    if len(paired) > 1 and names.PENDING in counts:
        raise DoseOptError(
            f"{type(recipe).__name__} has no joint outcomes, so that a pending patient's are unknown",
            hint="observe through doseopt_bayes.models.joint.observe, or leave pending patients out",
        )
    share = partly_known(counts, paired[0]).share if paired else None
    return Counts(np.zeros(0), only, _together(recipe, counts), share)


def _margins(
    recipe: DoseModel, counts: xr.Dataset, lead: tuple[str, ...]
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Number analysed and events of each endpoint; zeros when the data lack it."""
    ends = [str(e) for e in counts[names.ENDPOINT].to_numpy()]
    shape = [counts.sizes[d] for d in lead]
    found = {}
    for e in recipe.endpoints:
        if e not in ends:
            found[e] = (np.zeros(shape, dtype="int64"), np.zeros(shape, dtype="int64"))
            continue
        n, events = (
            counts[v].sel({names.ENDPOINT: e}).transpose(*lead) for v in (names.N, names.EVENTS)
        )
        found[e] = (n.to_numpy(), events.to_numpy())
    return found


def _together(recipe: DoseModel, counts: xr.Dataset) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    if not groups_of(recipe):
        return {}
    nobody = np.zeros(len(recipe.doses), dtype="int64")
    ends = [str(e) for e in counts[names.ENDPOINT].to_numpy()]
    found = {}
    for e in recipe.endpoints:
        found[e] = (nobody, nobody)
        if e in ends:
            at = {names.ENDPOINT: e}
            n, events = (
                counts[v].sel(at).to_numpy() for v in (names.N_TOGETHER, names.EVENTS_TOGETHER)
            )
            found[e] = (n, events)
    return found


def counts_for(recipe: DoseModel, data: TrialData) -> xr.Dataset:
    """Return the data's counts over the recipe's groups; a level without patients has zeros.

    Groupings of the data that the recipe does not have are added up.

    Raises
    ------
    DoseOptError
        As :func:`counts_of`.
    """
    _check_data(recipe, data)
    groups = groups_of(recipe)
    if not groups:
        return data.ungrouped().counts if data.groups else data.counts
    counts = data.counts
    if not data.groups:  # without patients: a design, not data
        counts = counts.expand_dims({g: list(levels) for g, levels in groups.items()})
        alone = counts[names.N].isel(dict.fromkeys(groups, 0), drop=True)
        return counts.assign({names.N_TOGETHER: alone, names.EVENTS_TOGETHER: alone})
    extra = [g for g in data.groups if g not in groups]
    shared = (names.N_TOGETHER, names.EVENTS_TOGETHER)
    summed = counts.drop_vars(list(shared)).sum(extra) if extra else counts
    laid = summed.reindex({g: list(v) for g, v in groups.items()}, fill_value=0)
    return laid.assign({v: counts[v] for v in shared})


def _check_data(recipe: DoseModel, data: TrialData) -> None:
    if len(data.doses) != len(recipe.doses) or not np.allclose(
        data.doses, recipe.doses, rtol=1e-6, atol=0
    ):
        raise DoseOptError(
            f"the data have candidate doses {data.doses}, the model {recipe.doses}",
            hint="read the data with the model's doses, untried ones included",
        )
    if recipe.unit and data.unit and recipe.unit != data.unit:
        raise DoseOptError(
            f"the data's doses are in '{data.unit}', the model's in '{recipe.unit}'",
            hint="give both in one unit",
        )
    if data.endpoints and not set(recipe.endpoints) & set(data.endpoints):
        kind = type(recipe).__name__
        raise DoseOptError(
            f"{kind} reads the endpoints {' and '.join(recipe.endpoints)}; the data have "
            f"{list(data.endpoints)}",
            hint=f"map columns to {' and '.join(recipe.endpoints[:2])}",
        )
    _check_groups(recipe, data)


def _check_groups(recipe: DoseModel, data: TrialData) -> None:
    groups = groups_of(recipe)
    if not groups or not (data.groups or int(data.counts[names.N_TREATED].sum())):
        return
    kind = type(recipe).__name__
    for grouping, levels in groups.items():
        if grouping not in data.groups:
            raise DoseOptError(
                f"{kind} has a value for each {grouping}, and the data do not say to which {grouping} a "
                "patient belongs",
                hint=f"name its column: groups = {{ {grouping} = '...' }} in the column roles",
            )
        for level in data.groups[grouping]:
            if level not in levels:
                raise DoseOptError(
                    f"the data have the {grouping} '{level}', which {kind} does not name",
                    hint=did_you_mean(level, levels),
                )
