"""U-BOIN: first BOIN by toxicity, then the dose of the highest posterior mean utility."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import beta

from doseopt_bayes import names
from doseopt_bayes.comparators.base import ByUtility
from doseopt_bayes.comparators.interval import BOIN
from doseopt_bayes.comparators.stepwise import ByTable, IntervalDesign, toxic
from doseopt_bayes.design.trialled import Answers
from doseopt_bayes.errors import DoseOptError

if TYPE_CHECKING:
    from doseopt_bayes.decision.outcome_table import OutcomeTable
    from doseopt_bayes.design.stopping import Stop

__all__ = ["UBOIN"]


@dataclass(frozen=True)
class UBOIN(ByUtility):
    """Utility-based BOIN: a stage of toxicity, and a stage of utility.

    Parameters
    ----------
    doses, start, stop, cohort, unit
        As for :class:`~doseopt_bayes.comparators.stepwise.IntervalDesign`; `stop` ends the second
        stage.
    target
        Target probability of toxicity of the first stage.
    utility
        Utility of each outcome of a patient.
    prior
        Dirichlet prior patients of each outcome (none, efficacy alone, toxicity alone, both), each > 0;
        always stated, the published abstract does not name it.
    most_tox, least_eff
        Limits of the probabilities of toxicity and of efficacy.
    certainty
        A dose is inadmissible when Pr(p_tox > `most_tox`) exceeds the first (then every higher one
        too), or Pr(p_eff < `least_eff`) the second, by the Beta margins of that prior.
    explore
        The first stage ends as soon as a dose has treated so many patients.

    Raises
    ------
    DoseOptError
        On a prior that is not positive, limits out of range, or a design that cannot start or end.

    Notes
    -----
    After Zhou, Lee and Yuan (2019), Statistics in Medicine 38, S5299-S5316, of which we could read the
    abstract alone. In the second stage each cohort receives the admissible dose of the highest posterior
    mean utility (the lowest on ties) among the tried ones and the next untried one above them, and the
    trial recommends such a tried dose.
    """

    doses: tuple[float, ...]
    start: float
    stop: Stop
    target: float
    utility: OutcomeTable
    prior: tuple[float, float, float, float]
    most_tox: float
    least_eff: float
    certainty: tuple[float, float] = (0.95, 0.9)
    explore: int = 12
    cohort: int = 3
    unit: str = ""

    def __post_init__(self) -> None:
        if len(self.prior) != len(names.CELLS) or not all(a > 0 for a in self.prior):
            raise DoseOptError(
                f"U-BOIN: prior = {self.prior} must be four numbers > 0",
                hint="(0.25, 0.25, 0.25, 0.25) is one prior patient in each arm",
            )
        if not all(0 < x < 1 for x in (self.most_tox, self.least_eff, *self.certainty)):
            raise DoseOptError("U-BOIN: limits and certainties must lie in (0, 1)")
        if self.explore < 1:
            raise DoseOptError(f"U-BOIN: explore = {self.explore!r} must be a whole number >= 1")
        object.__setattr__(self, "doses", self.first.doses)
        object.__setattr__(self, "start", self.first.start)

    @property
    def first(self) -> IntervalDesign:
        """The first stage."""
        rule = BOIN(self.target)
        return IntervalDesign(rule, self.doses, self.start, self.stop, self.cohort, self.unit)

    @property
    def name(self) -> str:
        """What the design is called."""
        return "U-BOIN"

    @property
    def most(self) -> int:
        """Largest number of patients that a trial can treat."""
        return self.first.most

    def decider(self, seed: int, particles: int, threads: int) -> _Decider:
        """Return what decides after each cohort; nothing of it is random."""
        return _Decider(self, seed)

    def __str__(self) -> str:
        prior = ", ".join(f"{a:g}" for a in self.prior)
        return (
            f"U-BOIN. First stage, until a dose has treated {self.explore} patients: {self.first} Second "
            f"stage: the admissible dose of the highest posterior mean utility among the tried ones and "
            f"the next untried one, under a Dirichlet prior ({prior}) of the outcomes neither, efficacy "
            f"alone, toxicity alone, both; a dose is admissible when Pr(p_tox > {self.most_tox:g}) <= "
            f"{self.certainty[0]:g} at it and every lower one, and Pr(p_eff < {self.least_eff:g}) <= "
            f"{self.certainty[1]:g}. The trial stops when {self.stop}, or no dose is admissible, and "
            f"recommends by the same rule among tried doses. Utility: {self.utility}"
        )


@dataclass(eq=False)
class _Decider:
    design: UBOIN
    seed: int = 0
    fits: dict[str, int] = field(default_factory=dict)

    def __call__(
        self, cells: np.ndarray, here: np.ndarray | None = None, *, final: bool = False
    ) -> Answers:
        design = self.design
        n, tox = toxic(cells)
        prior = np.array(design.prior)
        after = cells + prior
        size = after.sum(axis=-1)
        bad, good = after[..., 2] + after[..., 3], after[..., 1] + after[..., 3]
        safe = beta.sf(design.most_tox, bad, size - bad) <= design.certainty[0]
        active = beta.cdf(design.least_eff, good, size - good) <= design.certainty[1]
        fine = np.logical_and.accumulate(safe, axis=1) & active
        tried = n > 0
        first = ByTable(design.first)
        fine &= first.fine(n, tox)
        reach = tried if final else tried | (np.arange(n.shape[1]) <= _highest(tried)[:, None] + 1)
        able = fine & reach
        value = np.where(able, (after @ design.worth / size).round(9), -np.inf)
        second = np.where(able.any(axis=1), value.argmax(axis=1), -1)
        sure = np.ones(len(n), dtype=bool)
        if final:
            return Answers(second, sure)
        early = n.max(axis=1) < design.explore
        if not early.any():
            return Answers(second, sure)
        return Answers(np.where(early, first(cells, here).dose, second), sure)


def _highest(tried: np.ndarray) -> np.ndarray:
    """Return the position of the highest tried dose of each state."""
    found: np.ndarray = tried.shape[1] - 1 - tried[:, ::-1].argmax(axis=1)
    return found
