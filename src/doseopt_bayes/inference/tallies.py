"""Counts of many trials at once: checked, labelled, and laid out as a model reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import xarray as xr

from doseopt_bayes import names
from doseopt_bayes.data.trial import TrialData
from doseopt_bayes.errors import DoseOptError
from doseopt_bayes.inference.partial import checked_pending, partial_of, pending_faults
from doseopt_bayes.inference.particles import Counted
from doseopt_bayes.inference.weighted import TRIAL
from doseopt_bayes.models.pending import partly_known
from doseopt_bayes.models.tallied import (
    PAIR,
    counts_for,
    counts_of,
    groups_of,
    refuse_apart,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from doseopt_bayes.inference.graph import ParticleProgram
    from doseopt_bayes.models.base import DoseModel

__all__ = ["EVENTS_ONLY", "N_ONLY", "checked_counts", "counted", "stack_trials", "trial_of"]

N_ONLY: Final = "n_only"
EVENTS_ONLY: Final = "events_only"
TOGETHER: Final = (names.N_TOGETHER, names.EVENTS_TOGETHER)
READ: Final = (names.N_TREATED, names.CELL_COUNT, N_ONLY, EVENTS_ONLY, *TOGETHER)


def stack_trials(
    recipe: DoseModel, trials: Sequence[TrialData], labels: Sequence[Any] | None = None
) -> xr.Dataset:
    """Put several trials side by side, as :func:`~doseopt_bayes.inference.batch.fit_many` reads them.

    Parameters
    ----------
    recipe
        The model: it says which patients count as pairs and which by one outcome.
    trials
        Trial data with the recipe's doses.
    labels
        Label of each trial; 0, 1, 2 ... without.

    Returns
    -------
    xarray.Dataset
        Whole numbers: ``n_treated`` (trial, *groups, dose); ``cell_count`` (trial, *groups, dose,
        cell), patients with both tox and eff known; ``n_only`` and ``events_only`` (trial, *groups,
        dose, endpoint), the patients of each endpoint who are not in the cells, and those of them with
        the event. With groups also ``n_together`` and ``events_together`` (trial, dose, endpoint), of
        outcomes known for all groups together only. Where patients of some trial are pending also
        ``pending`` (trial, dose, slot, cell): the share of each outcome of each of them, 1 in empty
        slots; they are neither in the cells nor in the margins.

    Raises
    ------
    DoseOptError
        When there are no trials, or the data do not fit the recipe.

    Examples
    --------
    >>> from doseopt_bayes.models import Saturated
    >>> model = Saturated((10, 20))
    >>> texts = ("1NNE", "1NNE 2TTB")
    >>> stack = stack_trials(model, [TrialData.parse(t, doses=model.doses) for t in texts])
    >>> stack["n_treated"].values.tolist()
    [[3, 0], [3, 3]]
    """
    if not trials:
        raise DoseOptError("no trials to stack", hint="give at least one TrialData")
    read = [counts_of(recipe, data) for data in trials]
    groups = groups_of(recipe)
    lead = (TRIAL, *groups, names.DOSE)
    only = np.array([[c.only[e] for e in recipe.endpoints] for c in read])  # trial, end, 2, ...
    treated = [counts_for(recipe, data)[names.N_TREATED] for data in trials]
    columns = {
        names.N_TREATED: (lead, np.stack([x.transpose(*lead[1:]).to_numpy() for x in treated])),
        names.CELL_COUNT: ((*lead, names.CELL), np.stack([c.cells for c in read])),
        N_ONLY: ((*lead, names.ENDPOINT), np.moveaxis(only[:, :, 0], 1, -1)),
        EVENTS_ONLY: ((*lead, names.ENDPOINT), np.moveaxis(only[:, :, 1], 1, -1)),
    }
    if groups:
        both = np.array([[c.together[e] for e in recipe.endpoints] for c in read])
        for i, name in enumerate(TOGETHER):
            columns[name] = ((TRIAL, names.DOSE, names.ENDPOINT), both[:, :, i].swapaxes(1, 2))
    slots = max(0 if c.pending is None else c.pending.shape[1] for c in read)
    if slots:
        share = np.ones((len(read), len(recipe.doses), slots, len(names.CELLS)))
        for i, c in enumerate(read):
            if c.pending is not None:
                share[i, :, : c.pending.shape[1]] = c.pending
        columns[names.PENDING] = ((TRIAL, names.DOSE, names.SLOT, names.CELL), share)
    return xr.Dataset(
        columns,
        coords={
            TRIAL: list(range(len(trials))) if labels is None else list(labels),
            **{g: list(levels) for g, levels in groups.items()},
            names.DOSE: list(recipe.doses),
            names.CELL: list(names.CELLS),
            names.ENDPOINT: list(recipe.endpoints),
        },
    )


def checked_counts(recipe: DoseModel, counts: xr.Dataset) -> xr.Dataset:
    """Return the counts in the order of the recipe, with zeros for what they leave out.

    Raises
    ------
    DoseOptError
        With every fault at once: missing dims or labels, other doses, numbers that are no counts. Then
        when the recipe's prior cannot take outcomes that were counted apart.
    """
    if faults := _faults(recipe, counts):
        raise DoseOptError(
            "the counts are not read: " + "; ".join(faults),
            hint="stack_trials() makes them from TrialData",
        )
    frame = counts.assign_coords({names.DOSE: list(recipe.doses)})
    groups = {g: list(levels) for g, levels in groups_of(recipe).items()}
    ends = {names.ENDPOINT: list(recipe.endpoints)}
    whole = {TRIAL: frame[TRIAL], names.DOSE: frame[names.DOSE]}
    labels = {TRIAL: frame[TRIAL], **groups, names.DOSE: frame[names.DOSE]}
    blank: dict[str, dict[str, Any]] = {
        names.CELL_COUNT: {**labels, names.CELL: list(names.CELLS)},
        N_ONLY: {**labels, **ends},
        EVENTS_ONLY: {**labels, **ends},
        **({name: {**whole, **ends} for name in TOGETHER} if groups else {}),
    }
    found: dict[str, xr.DataArray] = {}
    for name, coords in blank.items():
        if name in frame:
            rest = {d: coords[d] for d in coords if d not in (TRIAL, names.DOSE)}
            found[name] = frame[name].reindex(rest, fill_value=0).transpose(*coords)
        else:
            found[name] = xr.DataArray(0, coords=coords, dims=list(coords))
    if names.N_TREATED in frame:
        treated = frame[names.N_TREATED].reindex(groups, fill_value=0)
        found[names.N_TREATED] = treated.transpose(*labels)
    else:  # every patient has one outcome of some endpoint at least
        single = found[N_ONLY].max(names.ENDPOINT)
        both = found[names.CELL_COUNT].sum(names.CELL)
        found[names.N_TREATED] = both.where(both > single, single)
    if set(PAIR) <= set(recipe.endpoints):
        apart = [found[N_ONLY].sel({names.ENDPOINT: e}).to_numpy() for e in PAIR]
        refuse_apart(recipe, found[names.CELL_COUNT].sum(names.CELL).to_numpy(), *apart)
    share = checked_pending(recipe, frame)
    if share is not None:
        found[names.PENDING] = share
    return xr.Dataset(found)


def _faults(recipe: DoseModel, counts: xr.Dataset) -> list[str]:
    """Name everything that is wrong with counts."""
    lead = (TRIAL, *groups_of(recipe), names.DOSE)
    if absent := [d for d in lead if d not in counts.dims or d not in counts.coords]:
        return [f"no labelled dim '{d}'" for d in absent]
    faults = []
    if not _same_doses(counts[names.DOSE].to_numpy(), recipe.doses):
        given = tuple(counts[names.DOSE].to_numpy().tolist())
        faults.append(f"doses {given}, where the model has {recipe.doses}")
    if not counts.sizes[TRIAL] or not counts.indexes[TRIAL].is_unique:
        faults.append("no trial, or two with one label")
    present = [v for v in READ if v in counts]
    for name in present:
        x = counts[name].to_numpy()
        if x.dtype.kind not in "iu" or bool((x < 0).any()):
            faults.append(f"{name} must be whole numbers >= 0")
    known_labels = {names.CELL: names.CELLS, names.ENDPOINT: recipe.endpoints, **groups_of(recipe)}
    for dim, known in known_labels.items():
        if any(dim in counts[v].dims for v in present):
            faults += _strange(counts, dim, known)
    if strange := [v for v in present if set(counts[v].dims) - {*lead, *known_labels}]:
        faults.append(f"{', '.join(strange)} have dims that the model does not know")
    return [*faults, *_singles(counts), *pending_faults(recipe, counts)]


def _singles(counts: xr.Dataset) -> list[str]:
    """Say what is wrong with the patients who are counted by one outcome."""
    if names.CELL_COUNT not in counts and N_ONLY not in counts:
        return [f"neither {names.CELL_COUNT} nor {N_ONLY}"]
    if (N_ONLY in counts) != (EVENTS_ONLY in counts):
        return [f"{N_ONLY} and {EVENTS_ONLY} come together"]
    if N_ONLY in counts and bool((counts[EVENTS_ONLY] > counts[N_ONLY]).any()):
        return [f"more {EVENTS_ONLY} than {N_ONLY}"]
    return []


def _same_doses(given: np.ndarray, doses: Sequence[float]) -> bool:
    return len(given) == len(doses) and np.allclose(given, doses, rtol=1e-6, atol=0)


def _strange(counts: xr.Dataset, dim: str, known: Sequence[str]) -> list[str]:
    """Name the labels of a dim that the model does not know."""
    given = [str(x) for x in counts[dim].to_numpy()] if dim in counts.coords else ["without labels"]
    strange = [x for x in given if x not in known]
    return (
        [f"{dim} {', '.join(strange)}, where the model has {', '.join(known)}"] if strange else []
    )


def counted(program: ParticleProgram, counts: xr.Dataset, *, pair: bool) -> Counted:
    """Lay checked counts out in the columns of a program.

    Parameters
    ----------
    program
        The compiled recipe.
    counts
        As returned by :func:`checked_counts`.
    pair
        Whether some patient has one of tox and eff alone; adds the columns for them.
    """
    trials = counts.sizes[TRIAL]
    cells = counts[names.CELL_COUNT].to_numpy().astype(float)
    ends = list(counts[names.ENDPOINT].to_numpy())
    n, events = (counts[v].to_numpy().astype(float) for v in (N_ONLY, EVENTS_ONLY))

    def margins(endpoint: str) -> tuple[np.ndarray, np.ndarray]:
        at = ends.index(endpoint)
        some, of = events[..., at], n[..., at]
        if endpoint in PAIR and not program.has_cells:  # a model of one margin reads every patient
            inside = [names.CELLS.index(c) for c in PAIR[endpoint]]
            some, of = some + cells[..., inside].sum(axis=-1), of + cells.sum(axis=-1)
        return np.stack([some, of - some], axis=-1), np.repeat(of[..., None], 2, axis=-1)

    found, totals = [], []
    if program.has_cells:
        found.append(cells)
        totals.append(np.repeat(cells.sum(axis=-1, keepdims=True), cells.shape[-1], axis=-1))
    for endpoint in program.by_margin:
        both, of = margins(endpoint)
        found.append(both)
        totals.append(of)
    blocks = [(np.concatenate(x, axis=-1).reshape(trials, -1)) for x in (found, totals)]
    for endpoint in program.together:
        of, some = (
            counts[v].sel({names.ENDPOINT: endpoint}).to_numpy().astype(float) for v in TOGETHER
        )
        both = np.stack([some, of - some], axis=-1).reshape(trials, -1)
        blocks[0] = np.concatenate([blocks[0], both], axis=1)
        blocks[1] = np.concatenate([blocks[1], np.repeat(of, 2, axis=-1)], axis=1)
    if pair:
        extra = [np.concatenate(x, axis=-1).reshape(trials, -1)
                 for x in zip(*(margins(e) for e in PAIR), strict=True)]  # fmt: skip
        blocks = [np.concatenate([a, b], axis=1) for a, b in zip(blocks, extra, strict=True)]
    return Counted(blocks[0], blocks[1], pair, partial_of(program, counts))


def trial_of(recipe: DoseModel, counts: xr.Dataset) -> TrialData:
    """Return the trial data of one trial, for NUTS, from its checked counts without dim trial."""
    groups = groups_of(recipe)
    blank = TrialData.empty(recipe.doses, recipe.unit, groups=groups)
    cells = counts[names.CELL_COUNT]
    n, events = counts[N_ONLY].copy(), counts[EVENTS_ONLY].copy()
    for endpoint, letters in PAIR.items():
        if endpoint in recipe.endpoints:
            at = {names.ENDPOINT: endpoint}
            n.loc[at] += cells.sum(names.CELL)
            events.loc[at] += cells.sel({names.CELL: list(letters)}).sum(names.CELL)
    waiting = [names.PENDING] if names.PENDING in counts else []
    for endpoint, both in partly_known(counts).known.items():
        if endpoint in recipe.endpoints:  # what is known of them is in the margins of a trial
            at = {names.ENDPOINT: endpoint}
            n.loc[at] += both[0]
            events.loc[at] += both[1]
    laid = xr.Dataset(
        {
            names.N_TREATED: counts[names.N_TREATED],
            names.N: n,
            names.EVENTS: events,
            names.CELL_COUNT: cells,
            **{v: counts[v] for v in (*(TOGETHER if groups else ()), *waiting)},
        }
    ).reset_coords(drop=True)
    laid[names.DOSE].attrs["units"] = recipe.unit
    return TrialData(recipe.doses, recipe.unit, laid, tuple(recipe.endpoints), blank.disposition,
                     "counts", "", (), (), None, groups)  # fmt: skip
