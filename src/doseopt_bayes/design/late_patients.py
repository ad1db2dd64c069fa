"""Patients on one calendar: when each comes, what happens to him when, and what is known at a time."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from doseopt_bayes import names
from doseopt_bayes.design.late_scenario import DAYS
from doseopt_bayes.design.patients import Ward
from doseopt_bayes.errors import DoseOptError
from doseopt_bayes.models.pending import shares_at

if TYPE_CHECKING:
    from collections.abc import Sequence

    from doseopt_bayes.design.late_scenario import LateScenario

__all__ = ["MONTH", "Accrual", "Calendar", "Known"]

MONTH: Final = DAYS["months"]
ROUNDING: Final = 1e-9


@dataclass(frozen=True)
class Accrual:
    """How patients come.

    Parameters
    ----------
    per_month
        Patients a month (of 365.25 / 12 days) while accrual is open, > 0.
    kind
        ``"poisson"``: gaps between patients are exponential; ``"fixed"``: all gaps are equal.

    Raises
    ------
    DoseOptError
        On a number that is none, or an unknown kind.

    Examples
    --------
    >>> print(Accrual(2.5, kind="fixed"))
    2.5 patients come each month, at equal gaps
    """

    per_month: float
    kind: Literal["poisson", "fixed"] = "poisson"

    def __post_init__(self) -> None:
        rate = self.per_month
        number = isinstance(rate, int | float) and not isinstance(rate, bool)
        if not number or not math.isfinite(rate) or rate <= 0:
            raise DoseOptError(f"Accrual: per_month = {rate!r} must be a number > 0")
        if self.kind not in ("poisson", "fixed"):
            raise DoseOptError(f"Accrual: kind = {self.kind!r} is unknown", hint="poisson or fixed")

    def gaps(self, chance: np.ndarray) -> np.ndarray:
        """Return days between patients, from uniform numbers in [0, 1) of the same shape."""
        mean = MONTH / self.per_month
        if self.kind == "fixed":
            return np.full(chance.shape, mean)
        found: np.ndarray = -mean * np.log1p(-chance)
        return found

    def __str__(self) -> str:
        how = {"poisson": "at random (Poisson)", "fixed": "at equal gaps"}[self.kind]
        return f"{self.per_month:g} patients come each month, {how}"


@dataclass(frozen=True, eq=False)
class Known:
    """What is known of the patients of many trials, each at a time of its own.

    Parameters
    ----------
    cells
        Patients whose outcomes are final: (state, dose, cell), whole numbers.
    share
        The other patients: share of each outcome (state, dose, slot, cell), 1 in empty slots, as in
        :func:`~doseopt_bayes.models.pending.shares_at`; ``None`` when nobody is pending.
    pending
        Number of the other patients: (state, dose).
    """

    cells: np.ndarray
    share: np.ndarray | None
    pending: np.ndarray

    def __getitem__(self, at: np.ndarray) -> Known:
        share = None if self.share is None else self.share[at]
        return Known(self.cells[at], share, self.pending[at])

    def __len__(self) -> int:
        return len(self.cells)

    @property
    def waiting(self) -> np.ndarray:
        """Whether somebody is pending: (state,)."""
        found: np.ndarray = self.pending.any(axis=1)
        return found


class Calendar:
    """Patients of many trials at once, with entries and events in days since the first one's entry.

    Parameters
    ----------
    scenarios
        The truths of the trials.
    truth
        Position of each trial's truth: (trial,).
    most
        Largest number of patients of a trial.
    tox_window, eff_window
        Days for which a design watches each patient; `eff_window` ``None``: it does not read efficacy.

    Attributes
    ----------
    place
        Position of the dose of each patient (trial, patient), -1 for none yet.
    entry
        Day of entry (trial, patient), infinite for none yet.
    final
        Endpoint to the day on which it is known (trial, patient): of the event, or of the end of the
        window without one.
    cells
        All that happens to the patients in the end, seen or not: (trial, dose, cell).
    """

    def __init__(
        self,
        scenarios: Sequence[LateScenario],
        truth: np.ndarray,
        most: int,
        tox_window: float,
        eff_window: float | None,
    ) -> None:
        self._ward = Ward(scenarios, truth)
        self._scenarios = scenarios
        self.windows = {names.TOX: tox_window}
        if eff_window is not None:
            self.windows[names.EFF] = eff_window
        shape = (len(truth), most)
        self.place = np.full(shape, -1)
        self.entry = np.full(shape, np.inf)
        self.event = {e: np.full(shape, np.inf) for e in self.windows}
        self.final = {e: np.full(shape, np.inf) for e in self.windows}

    @property
    def cells(self) -> np.ndarray:
        """Patients by what happens to them in the end: (trial, dose, cell)."""
        return self._ward.cells

    def enrol(
        self,
        who: np.ndarray,
        k: int,
        place: np.ndarray,
        day: np.ndarray,
        chance: np.ndarray,
        when: np.ndarray,
    ) -> None:
        """Treat the patient number `k` of each of some trials.

        Parameters
        ----------
        who, place, day
            The trials, the position of the dose in each, and the day of entry: (trial,).
        chance
            What decides toxicity and efficacy, as for :class:`~doseopt_bayes.design.patients.Ward`.
        when
            What decides the times of both: (trial, 2).
        """
        before = self.cells[who, place].copy()
        self._ward.treat(who, place, chance)
        cell = (self.cells[who, place] - before).argmax(axis=-1)
        self.place[who, k], self.entry[who, k] = place, day
        truth = self._ward.truth[who]
        for i, (end, window) in enumerate(self.windows.items()):
            has = cell >= 2 if end == names.TOX else cell % 2 == 1
            days = np.full(len(who), np.inf)
            for t in np.unique(truth):
                at = has & (truth == t)
                days[at] = self._scenarios[t].times(end, place[at], when[at, i])
            seen = days <= window * (1 + ROUNDING)  # later ones are never seen
            self.event[end][who, k] = np.where(seen, day + days, np.inf)
            self.final[end][who, k] = day + np.where(seen, days, window)

    def enrolled(self, who: np.ndarray) -> np.ndarray:
        """Return patients so far: (trial, dose)."""
        found: np.ndarray = self.cells[who].sum(axis=-1)
        return found

    def all_final(self, who: np.ndarray, cutoff: float | None) -> np.ndarray:
        """Return the day on which all outcomes are known, or `cutoff` days after the last entry."""
        days = [np.where(self.place[who] >= 0, x[who], -np.inf) for x in self.final.values()]
        last = np.max(days, axis=(0, 2))
        if cutoff is None:
            return last
        entry = np.where(self.place[who] >= 0, self.entry[who], -np.inf).max(axis=1)
        found: np.ndarray = np.minimum(last, entry + cutoff)
        return found

    def day_of(
        self, end: str, who: np.ndarray, here: np.ndarray, needed: np.ndarray | float
    ) -> np.ndarray:
        """Return the day from which enough patients at a dose have a final outcome.

        Parameters
        ----------
        end
            Endpoint.
        who, here
            The trials, and the position of the dose in each: (trial,).
        needed
            Number of patients (trial,), or the share of those at the dose if it is a float.
        """
        at = self.place[who] == here[:, None]
        n = at.sum(axis=1)
        number = np.ceil(needed * n - ROUNDING) if isinstance(needed, float) else needed
        number = np.minimum(number, n).astype(int)
        days = np.sort(np.where(at, self.final[end][who], np.inf), axis=1)
        found = days[np.arange(len(who)), np.maximum(number, 1) - 1]
        return np.where(number > 0, found, -np.inf)

    def next_final(self, who: np.ndarray, day: np.ndarray) -> np.ndarray:
        """Return the day of the next final outcome after `day`, or `day` when nobody is pending."""
        there = self.place[who] >= 0
        after = day[:, None]
        later = [np.where(there & (x[who] > after), x[who], np.inf) for x in self.final.values()]
        found = np.min(later, axis=(0, 2))
        return np.where(np.isfinite(found), found, day)

    def day_of_first(self, who: np.ndarray, cohort: int, follow: float) -> np.ndarray:
        """Return the day from which the first cohort was followed `follow` days, or to its toxicity."""
        entry, final = (x[who, :cohort] for x in (self.entry, self.final[names.TOX]))
        found: np.ndarray = np.minimum(entry + follow, final).max(axis=1)
        return found

    def known(self, who: np.ndarray, day: np.ndarray) -> Known:
        """Return what is known of the patients of some trials, each on a day of its own."""
        place, day = self.place[who], day[:, None]
        there = place >= 0
        seen = {e: there & (x[who] <= day) for e, x in self.event.items()}
        done = {e: x[who] <= day for e, x in self.final.items()}
        final = there & np.logical_and.reduce(list(done.values()))
        cells = np.zeros((len(who), *self.cells.shape[1:]), dtype=np.int32)
        none = np.zeros_like(there)
        cell = 2 * seen[names.TOX] + seen.get(names.EFF, none)
        row, k = np.nonzero(final)
        np.add.at(cells, (row, place[row, k], cell[row, k]), 1)
        row, k = np.nonzero(there & ~final)
        at = place[row, k]
        pending = np.zeros(cells.shape[:2], dtype=np.int32)
        np.add.at(pending, (row, at), 1)
        if not row.size:
            return Known(cells, None, pending)
        weight = {}
        for end, window in self.windows.items():
            followed = (day - self.entry[who])[row, k] / window if window else np.ones(row.size)
            weight[end] = np.where(done[end][row, k], 1.0, followed)
        each = shares_at(
            seen[names.TOX][row, k],
            weight[names.TOX],
            seen.get(names.EFF, none)[row, k],
            weight.get(names.EFF, np.zeros(row.size)),
        )
        share = np.ones((*pending.shape, int(pending.max()), len(names.CELLS)))
        share[row, at, _slots(row, at, pending)] = each
        return Known(cells, share, pending)


def _slots(row: np.ndarray, at: np.ndarray, pending: np.ndarray) -> np.ndarray:
    """Number the pending patients at each dose of each trial: 0, 1, 2 ... in order of entry."""
    group = row * pending.shape[1] + at
    order = np.argsort(group, kind="stable")
    sizes = pending.ravel()
    first = np.repeat(np.cumsum(sizes) - sizes, sizes)
    found = np.empty(len(row), dtype=int)
    found[order] = np.arange(len(row)) - first
    return found
