"""Decisions of thousands of simulated interims: each state of the counts is decided once."""

from __future__ import annotations

import itertools
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING, Final

import numpy as np
import xarray as xr

from doseopt_bayes import names
from doseopt_bayes.decision.criteria import MeanUtility, UtilityOfMeans, contested, mean_of
from doseopt_bayes.decision.judge import judge
from doseopt_bayes.design.trialled import Answers
from doseopt_bayes.inference.batch import fit_many
from doseopt_bayes.inference.gridfit import fit_grid, takes_grid
from doseopt_bayes.inference.weighted import TRIAL

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from doseopt_bayes.decision.algebra import Rule
    from doseopt_bayes.design.design import Design
    from doseopt_bayes.design.late_patients import Known
    from doseopt_bayes.inference.batch import Batch
    from doseopt_bayes.inference.posterior import Posterior

__all__ = ["Decider"]

NO_DOSE: Final = -1
AT_ONCE: Final = 1 << 19  # particles of the states decided in one piece: 100 MB and a second
ON_GRID: Final = 5000  # the same, where all states share their nodes
REMEMBERED: Final = 500_000  # states; a tenth of a gigabyte
ESCALATED: Final = 4  # times the particles when Monte Carlo error could change the answer
# a dose that wins among many wins among fewer: only these two criteria promise that
PLAIN: Final = (MeanUtility, UtilityOfMeans)


def _packed(answers: Answers) -> np.ndarray:
    """Return one number for each answer."""
    found: np.ndarray = 2 * (answers.dose + 1) + answers.resolved
    return found


def _unpacked(found: np.ndarray) -> Answers:
    return Answers(found // 2 - 1, found % 2 == 1)


@dataclass(eq=False)
class Decider:
    """Decides by the design's own rules, and remembers what it decided.

    Parameters
    ----------
    design
        The design.
    seed
        Of the particles; the same counts give the same answer, whatever else is decided.
    particles
        Particles of each posterior; four times as many where the answer is not resolved.
    threads
        Threads that decide side by side.
    keep
        Called with the states and answers of each piece of work, a second of it or less.
    """

    design: Design
    seed: int
    particles: int = 512
    threads: int = 1
    keep: Callable[[Sequence[bytes], Answers], None] | None = None
    fits: Counter[str] = field(default_factory=Counter)
    _known: dict[bytes, int] = field(default_factory=dict)
    _alone: Lock = field(default_factory=Lock)

    def __call__(
        self,
        cells: np.ndarray,
        here: np.ndarray | None = None,
        *,
        final: bool = False,
    ) -> Answers:
        """Decide for each state.

        Parameters
        ----------
        cells
            Patients by outcome: (state, dose, cell), whole numbers.
        here
            Not read.
        final
            Whether the trial ends: the rules of the last decision hold.
        """
        if names.EFF not in self.design.model.endpoints:
            cells = _by_toxicity(cells)
        final = final and self.design.tried_at_end
        mark = b"end" if final else b""
        rows = np.ascontiguousarray(cells.reshape(len(cells), -1), dtype=np.int16)
        each = rows.view(f"V{rows.itemsize * rows.shape[1]}")[:, 0]
        _, at, back = np.unique(each, return_index=True, return_inverse=True)
        keys = [mark + rows[i].tobytes() for i in at]
        new = np.array([i for i, key in enumerate(keys) if key not in self._known], dtype=int)
        found = np.array([self._known.get(key, 0) for key in keys])
        size = ON_GRID if self._exact else max(1, AT_ONCE // self.particles)
        pieces = [new[i : i + size] for i in range(0, new.size, size)]

        def work(piece: np.ndarray) -> None:
            said = self._decide(cells[at[piece]], final=final)
            found[piece] = _packed(said)
            with self._alone:
                self.learn([keys[i] for i in piece], said)

        if self.threads > 1 and len(pieces) > 1:
            with ThreadPoolExecutor(self.threads) as pool:
                list(pool.map(work, pieces))
        else:
            for piece in pieces:
                work(piece)
        return _unpacked(found[back])

    @cached_property
    def _exact(self) -> bool:
        """Whether posteriors are integrated on a grid: then more particles say no more."""
        return takes_grid(self.design.model)

    def learn(self, states: Sequence[bytes], answers: Answers, *, told: bool = False) -> None:
        """Remember answers, and hand them to `keep` unless it `told` them."""
        if len(self._known) > REMEMBERED:  # a state that comes again is decided again, to the bit
            for key in [*itertools.islice(self._known, REMEMBERED // 2)]:
                del self._known[key]
        self._known.update(zip(states, _packed(answers).tolist(), strict=True))
        if self.keep is not None and not told:
            self.keep(states, answers)

    def _decide(self, cells: np.ndarray, *, final: bool) -> Answers:
        rules = self.design.final_rules if final else self.design.rules
        if final and isinstance(self.design.criterion, PLAIN):
            # mostly the interim decision chose a dose that was tried: then the end chooses it too
            before = self._again(cells)
            tried = cells.sum(axis=-1) > 0
            same = (before.dose >= 0) & tried[np.arange(len(cells)), before.dose] & before.resolved
            dose, sure = before.dose.copy(), before.resolved.copy()
            if not same.all():
                rest = self._fit(cells[~same], rules)
                dose[~same], sure[~same] = rest.dose, rest.resolved
            return Answers(dose, sure)
        return self._fit(cells, rules)

    def _again(self, cells: np.ndarray) -> Answers:
        """Return the interim decisions in states where, as a rule, they were just taken."""
        keys = [row.tobytes() for row in cells.reshape(len(cells), -1).astype(np.int16)]
        found = np.array([self._known.get(key, -1) for key in keys])
        lost = np.flatnonzero(found < 0)
        if lost.size:
            found[lost] = _packed(self._fit(cells[lost], self.design.rules))
        return _unpacked(found)

    def _fit(self, cells: np.ndarray, rules: Rule, known: Known | None = None) -> Answers:
        answers = self._with(cells, rules, self.particles, known)
        open_ = np.flatnonzero(~answers.resolved)
        if open_.size and not self._exact:
            rest = None if known is None else known[open_]
            again = self._with(cells[open_], rules, ESCALATED * self.particles, rest)
            answers.dose[open_], answers.resolved[open_] = again.dose, again.resolved
        return answers

    def _with(
        self, cells: np.ndarray, rules: Rule, particles: int, known: Known | None = None
    ) -> Answers:
        design = self.design
        model = design.model
        counts = xr.Dataset(
            {names.CELL_COUNT: ((TRIAL, names.DOSE, names.CELL), cells.astype("int64"))},
            coords={TRIAL: np.arange(len(cells)), names.DOSE: list(model.doses),
                    names.CELL: list(names.CELLS)},
        )  # fmt: skip
        if known is not None and known.share is not None:
            treated = (cells.sum(axis=-1) + known.pending).astype("int64")
            counts[names.N_TREATED] = (TRIAL, names.DOSE), treated
            counts[names.PENDING] = (TRIAL, names.DOSE, names.SLOT, names.CELL), known.share
        keep = dict.fromkeys([*map(names.probability, model.endpoints), *design.utility.reads])
        doses = np.array(model.doses)
        batch = self._posteriors(counts, particles, list(keep))
        with self._alone:
            self.fits.update(map(str, batch.table["engine"].to_numpy()))
        found = batch.each(lambda post: self._judged(post, rules))
        leading = found["leading"].to_numpy()
        position = np.where(
            np.isnan(leading), NO_DOSE, np.searchsorted(doses, np.nan_to_num(leading))
        )
        return Answers(position, found["resolved"].to_numpy().copy())

    def _posteriors(self, counts: xr.Dataset, particles: int, keep: Sequence[str]) -> Batch:
        """Fit each state."""
        model = self.design.model
        if self._exact:
            return fit_grid(model, counts, seed=self.seed, particles=particles)
        return fit_many(model, counts, seed=self.seed, particles=particles, keep=keep)

    def _judged(self, post: Posterior, rules: Rule) -> xr.Dataset:
        """Judge a block; what only Monte Carlo error could change is looked at where it could."""
        utility, criterion = self.design.utility, self.design.criterion
        verdict = rules.judge(post)
        reads_draws = not isinstance(criterion, PLAIN) or (
            isinstance(criterion, MeanUtility) and (post.random or mean_of(utility) is None)
        )
        u = utility({name: post[name] for name in utility.reads}) if reads_draws else verdict.ok
        choice = criterion.choose(post, utility, u, verdict.ok)
        leading = u[names.DOSE].where(choice.chosen).max(names.DOSE)
        rivals = choice.rivals.any(names.DOSE)
        if choice.near is not None:
            shaky = contested(criterion, post, utility, u, verdict, choice).any(names.DOSE)
            return xr.Dataset({"leading": leading, "resolved": ~rivals & ~shaky})
        # other criteria choose again for each doubtful verdict: only in the trials that have one
        shaky = ~verdict.firm.all(names.DOSE)
        sure = (~rivals & ~shaky).to_numpy()
        ask = np.flatnonzero((shaky & ~rivals).to_numpy())
        if ask.size:
            sure[ask] = judge(post.some(ask), utility, rules, criterion).resolved.to_numpy()
        return xr.Dataset({"leading": leading, "resolved": (TRIAL, sure)})


def _by_toxicity(cells: np.ndarray) -> np.ndarray:
    """Count patients by toxicity alone: equal counts have one posterior, whoever responded."""
    found = np.zeros_like(cells)
    found[..., 0], found[..., 2] = cells[..., :2].sum(axis=-1), cells[..., 2:].sum(axis=-1)
    return found
