"""Decisions of thousands of simulated interims: each state of the counts is decided once."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

import numpy as np
import xarray as xr

from doseopt_bayes import names
from doseopt_bayes.decision.criteria import MeanUtility, UtilityOfMeans, contested
from doseopt_bayes.decision.judge import judge
from doseopt_bayes.inference.batch import fit_in_blocks
from doseopt_bayes.inference.weighted import TRIAL, Weighted

if TYPE_CHECKING:
    from doseopt_bayes.decision.algebra import Rule
    from doseopt_bayes.design.design import Design

__all__ = ["Answers", "Decider"]

NO_DOSE: Final = -1
ESCALATED: Final = 4  # times the particles when Monte Carlo error could change the answer
# a dose that wins among many wins among fewer: only these two criteria promise that
PLAIN: Final = (MeanUtility, UtilityOfMeans)


@dataclass(frozen=True, eq=False)
class Answers:
    """What is decided in each of several states.

    Parameters
    ----------
    dose
        Position of the chosen dose among the candidate doses, -1 for none.
    resolved
        Whether Monte Carlo error alone (3 standard errors) cannot change it.
    """

    dose: np.ndarray
    resolved: np.ndarray


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
        Threads of the engine.
    """

    design: Design
    seed: int
    particles: int = 1024
    threads: int = 1
    fits: dict[str, int] = field(default_factory=dict)
    _known: dict[bytes, tuple[int, bool]] = field(default_factory=dict)

    def __call__(self, cells: np.ndarray, *, final: bool = False) -> Answers:
        """Decide for each state.

        Parameters
        ----------
        cells
            Patients by outcome: (state, dose, cell), whole numbers.
        final
            Whether the trial ends: the rules of the last decision hold.
        """
        mark = b"end" if final and self.design.tried_at_end else b""
        keys = [mark + row.tobytes() for row in cells.astype(np.int16)]
        new = {key: i for i, key in enumerate(keys) if key not in self._known}
        if new:
            at = np.array(list(new.values()))
            found = self._decide(cells[at], final=bool(mark))
            for key, dose, sure in zip(new, found.dose, found.resolved, strict=True):
                self._known[key] = (int(dose), bool(sure))
        answers = [self._known[key] for key in keys]
        return Answers(np.array([a[0] for a in answers]), np.array([a[1] for a in answers]))

    def _decide(self, cells: np.ndarray, *, final: bool) -> Answers:
        rules = self.design.final_rules if final else self.design.rules
        if final and isinstance(self.design.criterion, PLAIN):
            # mostly the interim decision chose a dose that was tried: then the end chooses it too
            before = self(cells)
            tried = cells.sum(axis=-1) > 0
            same = (before.dose >= 0) & tried[np.arange(len(cells)), before.dose] & before.resolved
            dose, sure = before.dose.copy(), before.resolved.copy()
            if not same.all():
                rest = self._fit(cells[~same], rules)
                dose[~same], sure[~same] = rest.dose, rest.resolved
            return Answers(dose, sure)
        return self._fit(cells, rules)

    def _fit(self, cells: np.ndarray, rules: Rule) -> Answers:
        answers = self._with(cells, rules, self.particles)
        open_ = np.flatnonzero(~answers.resolved)
        if open_.size:
            again = self._with(cells[open_], rules, ESCALATED * self.particles)
            answers.dose[open_], answers.resolved[open_] = again.dose, again.resolved
        return answers

    def _with(self, cells: np.ndarray, rules: Rule, particles: int) -> Answers:
        design = self.design
        model = design.model
        counts = xr.Dataset(
            {names.CELL_COUNT: ((TRIAL, names.DOSE, names.CELL), cells.astype("int64"))},
            coords={TRIAL: np.arange(len(cells)), names.DOSE: list(model.doses),
                    names.CELL: list(names.CELLS)},
        )  # fmt: skip
        keep = dict.fromkeys([*map(names.probability, model.endpoints), *design.utility.reads])
        doses = np.array(model.doses)
        parts = []
        for batch in fit_in_blocks(model, counts, seed=self.seed, particles=particles,
                                   keep=list(keep), threads=self.threads):  # fmt: skip
            for engine, n in zip(
                *np.unique(batch.table["engine"], return_counts=True), strict=True
            ):
                self.fits[str(engine)] = self.fits.get(str(engine), 0) + int(n)
            parts.append(batch.each(lambda post: self._judged(post, rules)))
        found = xr.concat(parts, dim=TRIAL)
        leading = found["leading"].to_numpy()
        position = np.where(
            np.isnan(leading), NO_DOSE, np.searchsorted(doses, np.nan_to_num(leading))
        )
        return Answers(position, found["resolved"].to_numpy().copy())

    def _judged(self, post: Weighted, rules: Rule) -> xr.Dataset:
        """Judge a block; what only Monte Carlo error could change is looked at where it could."""
        utility, criterion = self.design.utility, self.design.criterion
        verdict = rules.judge(post)
        if isinstance(criterion, UtilityOfMeans):  # reads no utility of single draws
            u = verdict.ok
        else:
            u = utility({name: post[name] for name in utility.reads})
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
            sure[ask] = judge(_some(post, ask), utility, rules, criterion).resolved.to_numpy()
        return xr.Dataset({"leading": leading, "resolved": (TRIAL, sure)})


def _some(post: Weighted, at: np.ndarray) -> Weighted:
    """Return the posteriors at some positions of the dim trial."""
    groups = {name: child.to_dataset().isel({TRIAL: at}) for name, child in post.tree.children.items()
              if TRIAL in child.dims}  # fmt: skip
    tree = xr.DataTree.from_dict(groups)
    tree.attrs.update(post.tree.attrs)
    return replace(post, tree=tree, weight=post.weight.isel({TRIAL: at}))
