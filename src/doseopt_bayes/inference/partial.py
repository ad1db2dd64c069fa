"""Patients of many trials of whom only a part is known: their log-likelihood from what a graph says.

The graph gives the log probability of every outcome of a patient. What was seen of a pending patient has
the probability sum of p * share over the outcomes of the dose (models.pending): counts cannot carry it,
so that each such patient is a sum of its own.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from doseopt_bayes import names
from doseopt_bayes.inference.weighted import TRIAL
from doseopt_bayes.models.pending import PAIR, factors, of_margin
from doseopt_bayes.models.tallied import groups_of

if TYPE_CHECKING:
    import xarray as xr

    from doseopt_bayes.inference.graph import ParticleProgram
    from doseopt_bayes.models.base import DoseModel

__all__ = ["Partial", "checked_pending", "partial_of", "pending_faults"]

DIMS: Final = (TRIAL, names.DOSE, names.SLOT, names.CELL)
TINY: Final = 1e-300  # in place of 0, which has no logarithm


@dataclass(frozen=True, eq=False)
class Partial:
    """Pending patients of several trials. Build it with :func:`partial_of`.

    Parameters
    ----------
    dose
        (trial, patient): position of the dose.
    share
        (trial, patient, outcome): share of each outcome; 0 where a trial has no such patient.
    blank
        (trial, patient): 1 where a trial has no such patient, else 0.
    first
        Position of the first of these outcomes among all of a dose.
    shape
        Doses, and outcomes of each, among the columns of the program.
    patients, parts
        (trial, column): pending patients who could have each outcome, each counted as 1, and as the
        share of its follow-up.
    """

    dose: np.ndarray
    share: np.ndarray
    blank: np.ndarray
    first: int
    shape: tuple[int, int]
    patients: np.ndarray
    parts: np.ndarray

    def __len__(self) -> int:
        return len(self.dose)

    def __getitem__(self, at: np.ndarray | slice) -> Partial:
        return Partial(
            self.dose[at],
            self.share[at],
            self.blank[at],
            self.first,
            self.shape,
            self.patients[at],
            self.parts[at],
        )

    def log_likelihood(self, log_p: np.ndarray) -> np.ndarray:
        """(trial, particle): from log probabilities (trial, particle, column) of its own particles."""
        trials, particles = log_p.shape[:2]
        by_dose = log_p[..., : math.prod(self.shape)].reshape(trials, particles, *self.shape)
        last = slice(self.first, self.first + self.share.shape[-1])
        trial, particle = np.arange(trials)[:, None], np.arange(particles)[None]
        found = np.zeros((trials, particles))
        for i in range(self.dose.shape[1]):
            p = np.exp(by_dose[trial, particle, self.dose[:, i, None]][..., last])
            found += self._log(i, [p[..., k] for k in range(p.shape[-1])])
        return found

    def shared(self, log_p: np.ndarray) -> np.ndarray:
        """(trial, particle): from log probabilities (particle, column) that all trials share."""
        last = slice(self.first, self.first + self.share.shape[-1])
        by_dose = log_p[:, : math.prod(self.shape)].reshape(len(log_p), *self.shape)[..., last]
        p = np.ascontiguousarray(np.exp(by_dose).transpose(1, 2, 0))  # dose, outcome, particle
        found = np.zeros((len(self), len(log_p)))
        for i in range(self.dose.shape[1]):
            here = p[self.dose[:, i]]
            found += self._log(i, [here[:, k] for k in range(here.shape[1])])
        return found

    def _log(self, i: int, p: list[np.ndarray]) -> np.ndarray:
        """Log of the sum of p * share of the patients in one place; exactly 0 without a patient."""
        # a sum in one order, place by place: a trial's bits do not depend on the other trials
        chance = self.blank[:, i, None] + p[0] * self.share[:, i, 0, None]
        for k in range(1, len(p)):
            chance += p[k] * self.share[:, i, k, None]
        found: np.ndarray = np.log(np.fmax(chance, TINY, out=chance), out=chance)
        return found


def partial_of(program: ParticleProgram, counts: xr.Dataset) -> Partial | None:
    """Lay pending patients out for a program; ``None`` without any.

    Parameters
    ----------
    program
        The compiled recipe, without groups.
    counts
        As returned by :func:`~doseopt_bayes.inference.tallies.checked_counts`.
    """
    if names.PENDING not in counts:
        return None
    cells = counts[names.PENDING].to_numpy()
    doses, kinds = len(program.recipe.doses), len(program.outcomes)
    if program.has_cells:
        first, share = 0, cells
        part = sum(_followed(cells, e) for e in PAIR) / len(PAIR)
    else:
        (end,) = (e for e in program.by_margin if e in PAIR)
        first = 2 * program.by_margin.index(end)
        share = np.stack(factors(cells, end)[::-1], axis=-1)  # event, none
        part = _followed(cells, end)
    trials, _, slots, width = share.shape
    there = (share != 1).any(axis=-1).reshape(trials, -1)
    order = np.argsort(~there, axis=1, kind="stable")[:, : int(there.sum(axis=1).max())]
    there, part = (
        np.take_along_axis(x.reshape(trials, -1), order, axis=1) for x in (there, np.asarray(part))
    )
    share = np.take_along_axis(share.reshape(trials, -1, width), order[..., None], axis=1)
    dose = order // slots
    columns = np.zeros((2, trials, doses, kinds))
    trial = np.broadcast_to(np.arange(trials)[:, None], dose.shape)
    for into, x in zip(columns, (there.astype(float), part * there), strict=True):
        each = np.broadcast_to(x[..., None], share.shape)
        np.add.at(into[..., first : first + width], (trial, dose), each)
    patients, parts = columns.reshape(2, trials, -1)
    blank = np.where(there, 0.0, 1.0)
    return Partial(dose, share * there[..., None], blank, first, (doses, kinds), patients, parts)


def _followed(share: np.ndarray, endpoint: str) -> np.ndarray:
    """Share of the window that was followed without event; 1 where the outcome is known."""
    none, event = factors(share, endpoint)
    return np.where(none * event > 0, 1 - event, 1.0)


def checked_pending(recipe: DoseModel, counts: xr.Dataset) -> xr.DataArray | None:
    """Return pending patients (trial, dose, slot, cell) of checked counts, in the recipe's terms.

    Returns
    -------
    xarray.DataArray or None
        ``None`` when nothing is known of any patient beyond the counts.
    """
    if names.PENDING not in counts:
        return None
    share = counts[names.PENDING].astype(float)
    if not _joint(recipe):  # what a model does not read may be left out
        (end,) = (e for e in recipe.endpoints if e in PAIR)
        share = share.reindex({names.CELL: list(names.CELLS)}, fill_value=0.0)
        share = share.transpose(*DIMS)
        share = share.copy(data=of_margin(share.to_numpy(), end))
    share = share.sel({names.CELL: list(names.CELLS)}).transpose(*DIMS)
    return share if bool((share < 1).any()) else None


def pending_faults(recipe: DoseModel, counts: xr.Dataset) -> list[str]:
    """Name everything that is wrong with the pending patients of counts."""
    if names.PENDING not in counts:
        return []
    share = counts[names.PENDING]
    if groups_of(recipe):
        return [f"{names.PENDING}: pending patients are not modelled by group"]
    paired = [e for e in recipe.endpoints if e in PAIR]
    if not paired or (len(paired) > 1 and not _joint(recipe)):
        return [f"{names.PENDING}: the model has no outcome that can be pending"]
    if set(share.dims) != set(DIMS):
        return [
            f"{names.PENDING} has the dims {', '.join(map(str, share.dims))}, not {', '.join(DIMS)}"
        ]
    faults = []
    if names.N_TREATED not in counts:
        faults.append(f"{names.N_TREATED} is needed beside {names.PENDING}")
    x = share.to_numpy()
    if not (np.isfinite(x).all() and (x >= 0).all() and (x <= 1).all()):
        faults.append(f"{names.PENDING} must be shares in 0..1")
    elif not (x.max(axis=share.dims.index(names.CELL)) == 1).all():
        faults.append(f"{names.PENDING}: some outcome of each patient has the share 1")
    given = [str(c) for c in counts[names.CELL].to_numpy()] if names.CELL in counts.coords else []
    event = {"N", *(PAIR[e][0] for e in paired)}
    needed = [c for c in names.CELLS if c not in given and (_joint(recipe) or c in event)]
    if needed:
        faults.append(f"{names.PENDING} lacks the cells {', '.join(needed)}")
    return faults


def _joint(recipe: DoseModel) -> bool:
    return set(PAIR) <= set(recipe.endpoints)
