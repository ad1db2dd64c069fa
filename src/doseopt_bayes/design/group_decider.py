"""Decisions of simulated interims in several groups: one posterior, an answer for each group."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import xarray as xr

from doseopt_bayes import names
from doseopt_bayes.decision.judge import judge
from doseopt_bayes.errors import DoseOptError
from doseopt_bayes.inference.batch import fit_many
from doseopt_bayes.inference.weighted import TRIAL

if TYPE_CHECKING:
    from collections.abc import Mapping

    from doseopt_bayes.decision.rules import Rule
    from doseopt_bayes.design.design import Design

__all__ = ["GroupDecider", "grouping_of"]

PIECE: Final = 64  # posteriors fitted side by side
ESCALATED: Final = 4  # times the particles when Monte Carlo error could change an answer


def grouping_of(design: Design) -> tuple[str, tuple[str, ...]]:
    """Return the only grouping of a design's model, and its levels; refuse none and several."""
    groups: Mapping[str, tuple[str, ...]] = getattr(design.model, "groups", {})
    if len(groups) != 1:
        raise DoseOptError(
            f"the model has {len(groups)} groupings; a trial in groups has one",
            hint='groups = {"subgroup": ("A", "B")}; without groups: simulate()',
        )
    return next(iter(groups.items()))


@dataclass(eq=False)
class GroupDecider:
    """Decides for every group of each state of the counts, and remembers what it decided."""

    design: Design
    seed: int
    particles: int
    threads: int
    fits: Counter[str] = field(default_factory=Counter)
    _known: dict[bytes, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)

    def __call__(self, cells: np.ndarray, *, final: bool) -> tuple[np.ndarray, np.ndarray]:
        """Return the position of each group's dose, -1 for none, and whether it is resolved."""
        final = final and self.design.tried_at_end
        rules = self.design.final_rules if final else self.design.rules
        keys = [bytes([final]) + row.astype(np.int16).tobytes() for row in cells]
        fresh = {key: i for i, key in enumerate(keys) if key not in self._known}
        rows = list(fresh.values())
        for start in range(0, len(rows), PIECE):
            at = rows[start : start + PIECE]
            dose, sure = self._fit(cells[at], rules, self.particles)
            again = np.flatnonzero(~sure.all(axis=1))
            if again.size:
                more = self._fit(cells[at][again], rules, ESCALATED * self.particles)
                dose[again], sure[again] = more
            for i, d, s in zip(at, dose, sure, strict=True):
                self._known[keys[i]] = (d, s)
        found = [self._known[key] for key in keys]
        return np.stack([d for d, _ in found]), np.stack([s for _, s in found])

    def _fit(self, cells: np.ndarray, rules: Rule, particles: int) -> tuple[np.ndarray, np.ndarray]:
        design = self.design
        model = design.model
        grouping, levels = grouping_of(design)
        counts = xr.Dataset(
            {names.CELL_COUNT: ((TRIAL, grouping, names.DOSE, names.CELL), cells.astype("int64"))},
            coords={TRIAL: np.arange(len(cells)), grouping: list(levels),
                    names.DOSE: list(model.doses), names.CELL: list(names.CELLS)},
        )  # fmt: skip
        keep = dict.fromkeys([*map(names.probability, model.endpoints), *design.utility.reads])
        batch = fit_many(
            model,
            counts,
            seed=self.seed,
            particles=particles,
            keep=list(keep),
            threads=self.threads,
        )
        self.fits.update(map(str, batch.table["engine"].to_numpy()))

        def judged(post: Any) -> xr.Dataset:
            found = judge(post, design.utility, rules, design.criterion)
            return xr.Dataset({"leading": found.leading, "resolved": found.resolved})

        said = batch.each(judged).transpose(TRIAL, grouping)
        leading = said["leading"].to_numpy()
        position = np.searchsorted(np.array(model.doses), np.nan_to_num(leading))
        return np.where(np.isnan(leading), -1, position), said["resolved"].to_numpy().copy()
