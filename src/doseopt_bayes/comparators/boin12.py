"""BOIN12: doses by the trade-off of toxicity and efficacy, without a model of the dose-response."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Final, Literal

import numpy as np
from scipy.stats import beta

from doseopt_bayes.comparators.base import ByUtility
from doseopt_bayes.comparators.interval import BOIN
from doseopt_bayes.comparators.isotonic import IsotonicMTD
from doseopt_bayes.comparators.stepwise import checked_start, toxic
from doseopt_bayes.decision.outcome_table import OutcomeTable
from doseopt_bayes.design.stopping import Stop
from doseopt_bayes.design.trialled import Answers
from doseopt_bayes.errors import DoseOptError
from doseopt_bayes.models.joint import checked_doses

__all__ = ["BOIN12"]

SAME: Final = 1e-9  # desirabilities that are equal may differ by rounding
BEST: Final = 100.0
PUBLISHED: Final = OutcomeTable(neither=40, efficacy=100, toxicity=0, both=60)
EXPLORE: Final = 8  # more patients than these at a dose that is safe: an untried next one is tried


@dataclass(frozen=True)
class BOIN12(ByUtility):
    """Bayesian optimal interval design for phase I/II.

    Parameters
    ----------
    doses
        Candidate doses, in `unit`.
    start, stop, cohort, unit
        As for :class:`~doseopt_bayes.comparators.stepwise.IntervalDesign`; published with
        ``MaxPatients(36) | EnoughAtDose(12)``.
    most_tox, least_eff
        Limits phi_T and phi_E of the probabilities of toxicity and of efficacy.
    utility
        Utility of each outcome of a patient: efficacy alone 100, toxicity alone 0, the others between.
    certainty
        A dose is inadmissible when Pr(p_tox > `most_tox`) is at least the first (then every higher one
        too), or Pr(p_eff < `least_eff`) at least the second, under uniform priors.
    enough
        Patients at the current dose (N*) from which a toxicity between both boundaries rules the next
        higher dose out.
    select
        ``"mean_utility"``, as published: the tried admissible dose, not above the isotonic MTD, of the
        highest posterior mean utility. ``"desirability"``: of the highest Pr(utility > benchmark), which
        is the rule of the cohorts and not the published one of the end.

    Raises
    ------
    DoseOptError
        On a start that is no candidate dose, probabilities or utilities out of range, or a trial without
        end.

    Notes
    -----
    Lin, Zhou, Yan, Li and Yuan (2020), JCO Precision Oncology 4, 1393-1402. The desirability of a dose is
    the probability that its utility exceeds the mean of the best utility and of a dose at both limits,
    by a quasi-binomial Beta posterior. Of equally desirable doses among three the highest is taken, of
    two the lowest, as in the authors' software. Where the published rule names a dose that is
    inadmissible, ours takes the next lower admissible one, and stops without any: no inadmissible dose
    is ever given.

    Examples
    --------
    >>> from doseopt_bayes.design.stopping import EnoughAtDose, MaxPatients
    >>> design = BOIN12((1, 2, 3, 4, 5), start=1, stop=MaxPatients(30) | EnoughAtDose(12))
    >>> from doseopt_bayes.design.pathways import next_dose
    >>> design.benchmark, next_dose(design, "1NNN 2NNB").dose
    (70.5, 3.0)
    """

    doses: tuple[float, ...]
    start: float
    stop: Stop
    most_tox: float = 0.35
    least_eff: float = 0.25
    utility: OutcomeTable = PUBLISHED
    certainty: tuple[float, float] = (0.95, 0.9)
    enough: int = 6
    cohort: int = 3
    unit: str = ""
    select: Literal["mean_utility", "desirability"] = "mean_utility"

    def __post_init__(self) -> None:
        object.__setattr__(self, "doses", checked_doses("BOIN12", self.doses))
        object.__setattr__(self, "start", checked_start("BOIN12", self.doses, self.start))
        limits = (self.most_tox, self.least_eff, *self.certainty)
        if not all(0 < x < 1 for x in limits):
            raise DoseOptError(f"BOIN12: limits and certainties {limits} must lie in (0, 1)")
        if (self.utility.efficacy, self.utility.toxicity) != (BEST, 0):
            raise DoseOptError(
                f"BOIN12: {self.utility}",
                hint="its scale is fixed: efficacy alone 100, toxicity alone 0",
            )
        if isinstance(self.cohort, bool) or not isinstance(self.cohort, int) or self.cohort < 1:
            raise DoseOptError(f"BOIN12: cohort = {self.cohort!r} must be a whole number >= 1")
        if not isinstance(self.stop, Stop) or self.stop.most is None:
            raise DoseOptError(
                "BOIN12: nothing bounds the number of patients",
                hint="stop = MaxPatients(36) | EnoughAtDose(12), say",
            )
        if self.select not in ("mean_utility", "desirability"):
            raise DoseOptError(
                f"BOIN12: select = {self.select!r} is unknown", hint="mean_utility or desirability"
            )

    @property
    def name(self) -> str:
        """What the design is called."""
        return "BOIN12" + ", selects by desirability" * (self.select == "desirability")

    @property
    def most(self) -> int:
        """Largest number of patients that a trial can treat: the last cohort is not cut."""
        return self.cohort * -(-(self.stop.most or 0) // self.cohort)

    @cached_property
    def boundaries(self) -> tuple[float, float]:
        """Escalation and de-escalation boundaries of BOIN with target `most_tox`."""
        return BOIN(self.most_tox).boundaries

    @cached_property
    def benchmark(self) -> float:
        """Utility that a dose is held against."""
        tox, eff = self.most_tox, self.least_eff
        # both outcomes independent at a dose that lies on both limits
        cells = np.array([(1 - tox) * (1 - eff), (1 - tox) * eff, tox * (1 - eff), tox * eff])
        at_limits = float(cells @ self.worth)
        return round((at_limits + BEST) / 2, 12)

    def desirability(self, n: np.ndarray, summed: np.ndarray) -> np.ndarray:
        """Return Pr(utility > benchmark) of doses by patients and their summed utilities."""
        x = summed / BEST
        return np.asarray(beta.sf(self.benchmark / BEST, 1 + x, 1 + n - x))

    def admissible(self, n: np.ndarray, tox: np.ndarray, eff: np.ndarray) -> np.ndarray:
        """Say which doses (..., dose) are admissible; every dose above a too toxic one is not."""
        safe = beta.sf(self.most_tox, 1 + tox, 1 + n - tox) < self.certainty[0]
        active = beta.cdf(self.least_eff, 1 + eff, 1 + n - eff) < self.certainty[1]
        found: np.ndarray = np.logical_and.accumulate(safe, axis=-1) & active
        return found

    def decider(self, seed: int, particles: int, threads: int) -> _Decider:
        """Return what decides after each cohort; nothing of it is random."""
        return _Decider(self, seed)

    def __str__(self) -> str:
        doses = ", ".join(f"{d:g}" for d in self.doses)
        up, down = self.boundaries
        return (
            f"BOIN12. The first cohort of {self.cohort} patients receives "
            f"{f'{self.start:g} {self.unit}'.rstrip()}. A dose is admissible when Pr(p_tox > "
            f"{self.most_tox:g}) < {self.certainty[0]:g} at it and every lower one, and Pr(p_eff < "
            f"{self.least_eff:g}) < {self.certainty[1]:g}. Utility: {self.utility}; "
            f"desirability: Pr(utility > {self.benchmark:g}). When the share with toxicity at the "
            f"current dose is {down:.4g} or more, the next lower dose follows; when it lies above "
            f"{up:.4g} and {self.enough} patients or more were treated there, the more "
            f"desirable of this and the next lower dose; otherwise the most desirable of these and the "
            f"next higher one; after more than {EXPLORE} patients at a dose "
            f"below {down:.4g}, an untried next higher one. The trial stops when {self.stop}, and at any "
            f"time when no dose is admissible. It recommends, among tried admissible doses not above the "
            f"MTD ({IsotonicMTD(self.most_tox)}), the one of the highest "
            f"{'posterior mean utility' if self.select == 'mean_utility' else 'desirability'}. Candidate "
            f"doses: {f'{doses} {self.unit}'.rstrip()}."
        )


@dataclass(eq=False)
class _Decider:
    design: BOIN12
    seed: int = 0
    fits: dict[str, int] = field(default_factory=dict)

    def __call__(
        self, cells: np.ndarray, here: np.ndarray | None = None, *, final: bool = False
    ) -> Answers:
        design = self.design
        n, tox = toxic(cells)
        eff, summed = cells[..., 1] + cells[..., 3], cells @ design.worth
        fine = design.admissible(n, tox, eff)
        sure = np.ones(len(n), dtype=bool)
        wish = design.desirability(n, summed)
        if final:
            safe = np.logical_and.accumulate(
                beta.sf(design.most_tox, 1 + tox, 1 + n - tox) < design.certainty[0], axis=1
            )
            mtd = IsotonicMTD(design.most_tox)(n, tox, safe)
            value = (BEST + summed) / (n + 2) if design.select == "mean_utility" else wish
            able = fine & (n > 0) & (np.arange(n.shape[1]) <= mtd[:, None])
            best = np.where(able, value.round(9), -np.inf).argmax(axis=1)
            return Answers(np.where(able.any(axis=1), best, -1), sure)
        assert here is not None  # noqa: S101  (the simulator knows it)
        return Answers(self._following(n, tox, wish, fine, here), sure)

    def open_doses(self, cells: np.ndarray) -> np.ndarray:
        """Say which doses are admissible with a toxicity below the de-escalation boundary."""
        n, tox = toxic(cells)
        fine = self.design.admissible(n, tox, cells[..., 1] + cells[..., 3])
        found: np.ndarray = fine & (tox < self.design.boundaries[1] * np.maximum(n, 1))
        return found

    def _following(
        self, n: np.ndarray, tox: np.ndarray, wish: np.ndarray, fine: np.ndarray, here: np.ndarray
    ) -> np.ndarray:
        design, last = self.design, n.shape[1] - 1
        row = np.arange(len(n))
        up, down = design.boundaries
        size = n[row, here]
        share = tox[row, here] / size
        places = np.arange(last + 1)
        apart = places - here[:, None]
        above, below = share >= down, share <= up
        two = ~above & ~below & (size >= design.enough)
        able = fine & (np.abs(apart) <= 1)
        able &= ~(above | two)[:, None] | (apart <= 0)
        able &= ~above[:, None] | (apart < 0) | (here == 0)[:, None]
        level = np.where(able, (wish / SAME).round(), -np.inf)
        low = level.argmax(axis=1)
        high = last - level[:, ::-1].argmax(axis=1)
        chosen = np.where(two, low, high)
        chosen = np.where(able.any(axis=1), chosen, -1)
        higher = np.minimum(here + 1, last)
        explore = (
            (size > EXPLORE) & ~above & (here < last) & (n[row, higher] == 0) & fine[row, higher]
        )
        chosen = np.where(explore, higher, chosen)
        # nothing next to it is admissible: the nearest lower dose that is
        lower = np.where(fine & (places <= here[:, None]), places, -1).max(axis=1)
        found: np.ndarray = np.where(chosen >= 0, chosen, lower)
        return found
