"""Decisions while outcomes are pending: by the model's own likelihood of what was seen so far."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np
import xarray as xr

from doseopt_bayes import names
from doseopt_bayes.design.decider import AT_ONCE, ON_GRID, Decider
from doseopt_bayes.design.trialled import Answers
from doseopt_bayes.inference.batch import Batch, fit_many
from doseopt_bayes.inference.weighted import TRIAL

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from doseopt_bayes.design.late_patients import Known
    from doseopt_bayes.design.trialled import Decides, Trialled

__all__ = ["DecidesLate", "OfComplete", "OfPending"]

MORE: Final = 16  # times the particles, where even four times as many did not pass the gate


class DecidesLate(Protocol):
    """Decides for many trials at once, some of whose patients are pending."""

    @property
    def fits(self) -> Mapping[str, int]:
        """Number of posteriors by engine so far."""

    def __call__(self, known: Known, here: np.ndarray, *, final: bool = False) -> Answers:
        """Decide for each state.

        Parameters
        ----------
        known
            What is known of the patients.
        here
            Position of the dose that the last cohort received: (state,).
        final
            Whether the trial ends: which dose is recommended.
        """


@dataclass(eq=False)
class OfComplete:
    """Decides as a design does that reads final outcomes alone.

    Parameters
    ----------
    own
        The design's decider.
    """

    own: Decides

    @property
    def design(self) -> Trialled:
        """The design whose decisions they are."""
        return self.own.design

    @property
    def fits(self) -> Mapping[str, int]:
        """Number of posteriors by engine so far."""
        return self.own.fits

    def __call__(self, known: Known, here: np.ndarray, *, final: bool = False) -> Answers:
        """Decide for each state; at a cut-off those who are pending then do not count."""
        return self.own(known.cells, here, final=final)


class _Partly(Decider):
    """Decides states with pending patients, each as it comes: they hardly ever come again."""

    def partly(self, known: Known, *, final: bool) -> Answers:
        """Decide for each state; somebody is pending in each."""
        rules = self.design.final_rules if final else self.design.rules
        size = ON_GRID if self._exact else max(1, AT_ONCE // self.particles)
        size = min(size, -(-len(known) // max(1, self.threads)))  # a piece for each thread at least
        whole = np.arange(len(known))
        pieces = [whole[i : i + size] for i in range(0, len(known), size)]
        dose, sure = np.zeros(len(known), dtype=int), np.zeros(len(known), dtype=bool)

        def work(piece: np.ndarray) -> None:
            part = known[piece]
            said = self._fit(part.cells, rules, part)
            dose[piece], sure[piece] = said.dose, said.resolved

        if self.threads > 1 and len(pieces) > 1:
            with ThreadPoolExecutor(self.threads) as pool:
                list(pool.map(work, pieces))
        else:
            for piece in pieces:
                work(piece)
        return Answers(dose, sure)

    def _posteriors(self, counts: xr.Dataset, particles: int, keep: Sequence[str]) -> Batch:
        """Fit each state; where too few particles count, many more are cheaper than NUTS."""
        if self._exact or names.PENDING not in counts:
            return super()._posteriors(counts, particles, keep)
        model, seed = self.design.model, self.seed
        most = fit_many(model, counts, seed=seed, particles=particles, keep=keep, nuts=False)
        passed = most.table["passed"].to_numpy()
        if passed.all():
            return most
        rest = counts.isel({TRIAL: ~passed})
        more = fit_many(model, rest, seed=seed, particles=MORE * particles, keep=keep)
        weak = set(rest[TRIAL].to_numpy().tolist())
        kept = [b for b in most.blocks if not weak & set(b.weight[TRIAL].to_numpy().tolist())]
        table = xr.concat([most.table.isel({TRIAL: passed}), more.table], dim=TRIAL)
        return Batch((*kept, *more.blocks), table.sel({TRIAL: counts[TRIAL]}))


class OfPending:
    """Decides by a model that reads pending patients for as long as they were followed (TITE).

    Parameters
    ----------
    own
        The decider of the design. States in which nobody is pending are decided, and remembered, as
        in a simulation without time.
    """

    def __init__(self, own: Decider) -> None:
        self.own = _Partly(own.design, own.seed, own.particles, own.threads)

    @property
    def fits(self) -> Mapping[str, int]:
        """Number of posteriors by engine so far."""
        return self.own.fits

    def __call__(self, known: Known, here: np.ndarray, *, final: bool = False) -> Answers:
        """Decide for each state."""
        waiting = known.waiting
        if not waiting.any():
            return self.own(known.cells, here, final=final)
        dose, sure = np.zeros(len(known), dtype=int), np.zeros(len(known), dtype=bool)
        parts = [(waiting, self.own.partly(known[waiting], final=final))]
        if not waiting.all():
            done = ~waiting
            parts.append((done, self.own(known.cells[done], here[done], final=final)))
        for at, said in parts:
            dose[at], sure[at] = said.dose, said.resolved
        return Answers(dose, sure)
