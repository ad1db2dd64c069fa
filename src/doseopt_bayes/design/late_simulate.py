"""Trials in calendar time under truths in time, all trials of a block at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import xarray as xr

from doseopt_bayes import names
from doseopt_bayes.design.late import LateDesign
from doseopt_bayes.design.late_patients import MONTH, Calendar
from doseopt_bayes.design.late_scenario import DAYS, LateScenario
from doseopt_bayes.design.simulate import (
    TRIAL,
    Block,
    Simulation,
    Told,
    all_blocks,
    assemble,
    check_simulation,
    in_groups,
    luck_of,
    processors,
)
from doseopt_bayes.errors import DoseOptError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from doseopt_bayes.design.late import Wait
    from doseopt_bayes.design.late_decider import DecidesLate
    from doseopt_bayes.design.trialled import Answers

__all__ = ["simulate_late"]

GROUP: Final = 20  # blocks that run side by side
TIMES: Final = 2  # key of the numbers that decide times, beside those of outcomes and of backfill


def simulate_late(
    design: LateDesign,
    scenarios: Sequence[LateScenario],
    *,
    n_trials: int,
    seed: int,
    particles: int = 512,
    threads: int = 0,
    progress: Callable[[str], None] | None = None,
) -> Simulation:
    """Simulate a design in calendar time under each scenario.

    Parameters
    ----------
    design
        The design and its calendar.
    scenarios
        Truths in time, each name once.
    n_trials, seed, particles, threads, progress
        As for :func:`~doseopt_bayes.design.simulate.simulate`. With one seed all designs meet the same
        patients, with the same outcomes, times to event and gaps between entries; they are those of
        :func:`~doseopt_bayes.design.simulate.simulate` without time.

    Returns
    -------
    Simulation
        For :func:`~doseopt_bayes.design.characteristics.characteristics`. Over (scenario, trial) also
        ``duration`` (months from the first entry to the last decision), ``pending`` (mean number of
        patients with an outcome that is not final, at the decisions on a next cohort) and ``suspended``
        (months in which a patient waited for accrual to open). ``toxicities`` and ``responses`` are all
        that happen within the scenario's window, whether the design watches for so long or not.

    Raises
    ------
    DoseOptError
        Before anything runs: as ``simulate``, or on a scenario without times.

    Examples
    --------
    >>> import doseopt_bayes as dob
    >>> boin = dob.IntervalDesign(dob.BOIN(0.3), (1, 2), start=1, stop=dob.MaxPatients(6))
    >>> late = dob.LateDesign(boin, tox_window=28, accrual=dob.Accrual(3, kind="fixed"))
    >>> safe = dob.LateScenario("safe", (0.0, 0.0), tox_window=28)
    >>> found = simulate_late(late, [safe], n_trials=2, seed=1)
    >>> months = 4 / 3 + 28 / (365.25 / 12) * 2  # two gaps in each cohort, and two windows
    >>> bool(abs(found.trials["duration"] - months).max() < 1e-9)
    True
    """
    if not isinstance(design, LateDesign):
        raise DoseOptError(
            f"{type(design).__name__} has no calendar",
            hint="LateDesign(design, tox_window=..., accrual=...)",
        )
    for scenario in scenarios:
        if not isinstance(scenario, LateScenario):
            raise DoseOptError(
                f"scenario '{scenario.name}' says nothing of time", hint="LateScenario(...)"
            )
    check_simulation(design, scenarios, n_trials=n_trials, seed=seed)
    decider = design.late_decider(seed, particles, threads or processors())
    tell, done = Told(progress), 0
    found: list[list[xr.Dataset]] = [[] for _ in scenarios]
    blocks = all_blocks(n_trials, len(scenarios))
    for group in in_groups(blocks, GROUP):
        share, size = done / len(blocks), len(group) / len(blocks)

        def say(x: float, share: float = share, size: float = size) -> None:
            tell(share + x * size, decider.fits)

        parts = _Trials(design, decider, scenarios, group, seed).run(say)
        for block, part in zip(group, parts, strict=True):
            found[block.place[0]].append(part)
        done += len(group)
    joined = [xr.concat(parts, dim=TRIAL) for parts in found]
    return assemble(design, scenarios, joined, decider.fits, seed, particles)


class _Trials:
    """Trials of some blocks, cohort by cohort; each has a calendar of its own."""

    def __init__(
        self,
        design: LateDesign,
        decider: DecidesLate,
        scenarios: Sequence[LateScenario],
        blocks: Sequence[Block],
        seed: int,
    ) -> None:
        self.design, self.decider = design, decider
        days, most = DAYS[design.time_unit], design.most
        self.cutoff = None if design.cutoff is None else design.cutoff * days
        wait = design.wait
        assert wait is not None  # noqa: S101  (the design sets it)
        self.wait: Wait = wait
        self.first = wait.first * days
        self.luck = np.concatenate([luck_of(seed, b, most) for b in blocks], axis=1)
        # one more gap: the patient who comes after the last one
        times = np.concatenate([luck_of(seed, b, most + 1, 3, TIMES) for b in blocks], axis=1)
        self.gap, self.when = design.accrual.gaps(times[..., 0]), times[..., 1:]
        self.sizes = [block.size for block in blocks]
        places = sorted({block.place[0] for block in blocks})
        truth = np.repeat([places.index(block.place[0]) for block in blocks], self.sizes)
        self.calendar = Calendar([scenarios[i] for i in places], truth, most, *design.windows)
        self.doses = np.array(design.doses)
        size = len(truth)
        self.recommended = np.full(size, np.nan)
        self.early, self.resolved = np.zeros(size, bool), np.ones(size, bool)
        self.unresolved, self.looks = np.zeros(size, np.int32), np.zeros(size, np.int32)
        self.pending, self.suspended = np.zeros(size), np.zeros(size)
        self.duration = np.zeros(size)

    def run(self, tell: Callable[[float], None]) -> list[xr.Dataset]:
        """Simulate; return each block as in :class:`Simulation`."""
        size = len(self.recommended)
        open_, patient = np.arange(size), 0
        dose = np.full(size, int(np.searchsorted(self.doses, self.design.start)))
        entry = np.zeros(size)
        while open_.size:
            day = entry[open_]
            for k in range(patient, patient + self.design.cohort):
                if k > patient:
                    day = day + self.gap[k, open_]
                self.calendar.enrol(
                    open_, k, dose[open_], day, self.luck[k, open_], self.when[k, open_]
                )
            patient += self.design.cohort
            come = day + self.gap[patient, open_]
            said, day = self._decided(open_, dose[open_], come)
            going = self._close(open_, dose[open_], said, day)
            dose[open_], entry[open_] = said.dose, day
            open_ = open_[going]
            tell(1.0 if not open_.size else patient / self.design.most)
        return self._blocks()

    def _decided(
        self, who: np.ndarray, here: np.ndarray, come: np.ndarray
    ) -> tuple[Answers, np.ndarray]:
        """Decide on the next cohort, whose first patient comes on the day `come`; say when."""
        calendar, wait = self.calendar, self.wait
        # nobody more is enrolled: what is decided then is decided from all outcomes
        over = self._stops(who, np.full(len(who), np.nan))
        end = calendar.all_final(who, self.cutoff)
        day = come
        for name, share in ((names.TOX, wait.tox), (names.EFF, wait.eff)):
            if name in calendar.windows and share:
                day = np.maximum(day, calendar.day_of(name, who, here, share))
        anyway = getattr(self.decider, "anyway", None)
        if anyway is not None and wait.tox < 1:  # nothing that is to come could change it
            day = np.where(anyway(calendar.known(who, come), here), come, day)
        if self.first:
            day = np.maximum(day, calendar.day_of_first(who, self.design.cohort, self.first))
        day = np.where(over, end, day)
        known = calendar.known(who, day)
        said = self.decider(known, here)
        while True:
            day, again = self._later(who, here, said, day, over=over)
            if not again.size:
                break
            part = calendar.known(who[again], day[again])
            new = self.decider(part, here[again])
            said.dose[again], said.resolved[again] = new.dose, new.resolved
            if said.ended is not None and new.ended is not None:
                said.ended[again] = new.ended
            known.pending[again] = part.pending
        self.looks[who] += ~over
        self.pending[who] += np.where(over, 0, known.pending.sum(axis=1))
        self.suspended[who] += np.where(over, 0.0, day - come)
        self.unresolved[who] += ~said.resolved
        return said, day

    def _later(
        self, who: np.ndarray, here: np.ndarray, said: Answers, day: np.ndarray, *, over: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return when each decision is taken, and the positions of those to be taken again then.

        A dose above the current one is given once enough patients below it are final: who waited for
        that waits no more. No dose is the end only when nobody is pending: until then each outcome
        that becomes final is waited for.
        """
        tried = self.calendar.enrolled(who) > 0
        places = np.arange(tried.shape[1])
        below = np.where(tried & (places < said.dose[:, None]), places, -1).max(axis=1)
        needed = np.full(len(who), self.wait.escalate_after)
        bold = self.calendar.day_of(names.TOX, who, below, needed)
        until = np.where(said.dose > here, np.maximum(bold, day), day)
        none = said.dose < 0
        if said.ended is not None:
            none = none & ~said.ended
        until = np.where(none, self.calendar.next_final(who, day), until)
        again = np.flatnonzero((until > day) & ~over)
        moved = day.copy()
        moved[again] = until[again]
        return moved, again

    def _close(
        self, who: np.ndarray, here: np.ndarray, said: Answers, day: np.ndarray
    ) -> np.ndarray:
        """End the trials that stop; return which ones go on."""
        none = said.dose < 0
        following = np.where(none, np.nan, self.doses[said.dose])
        stops = self._stops(who, following) & ~none
        if said.ended is not None:
            stops |= said.ended
            none = none & ~said.ended
        if stops.any():
            ended = who[stops]
            end = self.calendar.all_final(ended, self.cutoff)
            end = np.maximum(end, day[stops])
            last = self.decider(self.calendar.known(ended, end), here[stops], final=True)
            self.recommended[ended] = np.where(last.dose < 0, np.nan, self.doses[last.dose])
            self.resolved[ended] = last.resolved
            self.duration[ended] = end
        self.early[who[none]] = True
        self.resolved[who[none]] = said.resolved[none]
        self.duration[who[none]] = day[none]
        found: np.ndarray = ~(stops | none)
        return found

    def _stops(self, who: np.ndarray, following: np.ndarray) -> np.ndarray:
        """Whether the stopping rule holds, by the patients enrolled so far."""
        treated = xr.DataArray(
            self.calendar.enrolled(who), dims=(TRIAL, names.DOSE), coords={names.DOSE: self.doses}
        )
        found = self.design.stop.holds(treated, xr.DataArray(following, dims=TRIAL))
        return np.asarray(found.to_numpy())

    def _blocks(self) -> list[xr.Dataset]:
        cells, by_dose = self.calendar.cells, (TRIAL, names.DOSE)
        found = xr.Dataset(
            {
                "recommended": (TRIAL, self.recommended),
                "stopped_early": (TRIAL, self.early),
                "resolved": (TRIAL, self.resolved),
                "unresolved": (TRIAL, self.unresolved),
                "treated": (by_dose, cells.sum(axis=-1, dtype=np.int32)),
                "toxicities": (by_dose, cells[:, :, 2:].sum(axis=-1, dtype=np.int32)),
                "responses": (by_dose, cells[:, :, [1, 3]].sum(axis=-1, dtype=np.int32)),
                "duration": (TRIAL, self.duration / MONTH),
                "pending": (TRIAL, self.pending / np.maximum(self.looks, 1)),
                "suspended": (TRIAL, self.suspended / MONTH),
            },
            coords={names.DOSE: self.doses},
        )
        ends = np.cumsum(self.sizes)
        rows = zip(self.sizes, ends, strict=True)
        return [found.isel({TRIAL: slice(end - n, end)}) for n, end in rows]
