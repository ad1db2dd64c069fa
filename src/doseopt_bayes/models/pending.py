"""Patients of whom only a part is known yet (TITE): what a model reads of them, and its likelihood.

A patient followed for a share w of the window without event has had none with probability
1 - w p: an event is still to come, with probability (1 - w) p, or never comes. With several endpoints
the same holds for each joint outcome: the probability of what was seen is the sum over the four cells of
p_cell times the share of the cell.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from doseopt_bayes import names

if TYPE_CHECKING:
    from collections.abc import Mapping

    import xarray as xr

__all__ = [
    "NODE",
    "PAIR",
    "Partly",
    "factors",
    "observe_pending",
    "of_margin",
    "partly_known",
    "shares_at",
]

Tensor = Any  # a pytensor variable
PAIR: Final = {names.TOX: ("T", "B"), names.EFF: ("E", "B")}  # the cells of each event
NODE: Final = "pending_outcomes"  # the observed node


@dataclass(frozen=True, eq=False)
class Partly:
    """Pending patients as a model reads them.

    Parameters
    ----------
    share
        (dose, slot, cell) share of each outcome, 1 in empty slots; ``None`` when nothing is known of
        any of them beyond what the counts say.
    known
        Endpoint to (number, events) by dose of the pending patients who count in its margin.
    """

    share: np.ndarray | None
    known: Mapping[str, tuple[np.ndarray, np.ndarray]]


def factors(share: np.ndarray, endpoint: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the share of no event and of an event of one endpoint, (...,) from (..., cell).

    Shares are products over the endpoints, and the larger factor of each endpoint is 1.

    Examples
    --------
    >>> none, event = factors(np.array([0.0, 1.0, 0.0, 0.75]), "tox")  # E was seen, T is pending
    >>> float(none), float(event)
    (1.0, 0.75)
    """
    inside = [c in PAIR[endpoint] for c in names.CELLS]
    return share[..., np.logical_not(inside)].max(axis=-1), share[..., inside].max(axis=-1)


def shares_at(
    tox: np.ndarray, tox_weight: np.ndarray, eff: np.ndarray, eff_weight: np.ndarray
) -> np.ndarray:
    """Return the shares of the four outcomes of many patients at one look, for simulations.

    Parameters
    ----------
    tox, eff
        (...): whether the event has been seen by now.
    tox_weight, eff_weight
        (...): follow-up / window, at most 1; not read where the event was seen.

    Returns
    -------
    numpy.ndarray
        (..., cell), as in the variable ``pending`` of counts. A final patient has a single 1 and may
        stand there or in ``cell_count``; one who is not enrolled (weights 0) has 1 everywhere.

    Examples
    --------
    >>> shares_at(np.array([False]), np.array([0.25]), np.array([True]), np.array([0.1])).tolist()
    [[0.0, 1.0, 0.0, 0.75]]
    """
    found = []
    for seen, weight in ((tox, tox_weight), (eff, eff_weight)):
        event = np.where(seen, 1.0, 1.0 - np.clip(weight, 0.0, 1.0))
        found.append(np.stack([np.where(seen, 0.0, 1.0), event], axis=-1))
    both: np.ndarray = found[0][..., :, None] * found[1][..., None, :]
    share: np.ndarray = both.reshape(*both.shape[:-2], len(names.CELLS))  # N, E, T, B
    return share


def of_margin(share: np.ndarray, endpoint: str) -> np.ndarray:
    """Return the shares (..., cell) of one endpoint alone, whatever is known of the other."""
    none, event = factors(share, endpoint)
    return np.stack([event if c in PAIR[endpoint] else none for c in names.CELLS], axis=-1)


def partly_known(counts: xr.Dataset, endpoint: str | None = None) -> Partly:
    """Read the pending patients of counts without groups.

    Parameters
    ----------
    counts
        Counts of a trial; without ``pending`` nobody is pending.
    endpoint
        The only endpoint of a model without joint outcomes; ``None`` for a model of both. Of such a
        model a patient whose one outcome is known counts in its margin, and is not pending.
    """
    if names.PENDING not in counts:
        return Partly(None, {})
    dims = (names.DOSE, names.SLOT, names.CELL)
    share = counts[names.PENDING].sel({names.CELL: list(names.CELLS)}).transpose(*dims).to_numpy()
    known = {}
    for end in PAIR:
        none, event = factors(share, end)
        n, events = ((x == 0).sum(axis=1) for x in (none * event, none))
        known[end] = (n, events)
    if endpoint is not None:
        alone = of_margin(share, endpoint)
        share = np.where((alone > 0).all(axis=-1, keepdims=True), alone, 1.0)
        known = {}
    return Partly(_told(share), known)


def _told(share: np.ndarray) -> np.ndarray | None:
    """Drop patients of whom nothing is known; the others in one order, whatever that of the rows."""
    rows = [sorted((r for r in at.tolist() if min(r) < 1), reverse=True) for at in share]
    most = max(map(len, rows))
    if not most:
        return None
    found = np.ones((len(rows), most, share.shape[-1]))
    for j, here in enumerate(rows):
        if here:
            found[j, : len(here)] = here
    return found


def observe_pending(share: np.ndarray | None, p: Mapping[str, Tensor]) -> None:
    """Register the observed node ``pending_outcomes`` (dose, slot) of the open PyMC model.

    Parameters
    ----------
    share
        (dose, slot, cell); without it there is no node.
    p
        Cell to its probability (dose,): all four, or of one endpoint N and the cell of its event.

    Notes
    -----
    Its value is 1 for each patient: what was seen of this one was seen, which has the probability
    sum of p * share. Empty slots have the value 0 and add nothing.
    """
    import pymc as pm  # noqa: PLC0415

    if share is None:
        return
    dims = (names.DOSE, names.SLOT)
    there = (share != 1).any(axis=-1).astype("int64")
    part = pm.Data(names.PENDING, share, dims=(*dims, names.CELL))
    seen = pm.Data(f"{names.PENDING}_patients", there, dims=dims)
    at = {c: i for i, c in enumerate(names.CELLS)}
    chance = sum(x[:, None] * part[..., at[c]] for c, x in p.items())
    pm.CustomDist(
        NODE, chance, logp=_logp, random=_random, signature="()->()", dtype="int64", observed=seen
    )
    # a size of its own, which dims would give it, could not change with the number of patients
    pm.modelcontext(None).named_vars_to_dims[NODE] = dims


def _logp(value: Tensor, chance: Tensor) -> Tensor:
    import pytensor.tensor as pt  # noqa: PLC0415

    return value * pt.log(chance)


def _random(
    chance: np.ndarray, rng: np.random.Generator, size: tuple[int, ...] | None = None
) -> np.ndarray:
    return rng.binomial(1, np.clip(chance, 0.0, 1.0), size=size)
