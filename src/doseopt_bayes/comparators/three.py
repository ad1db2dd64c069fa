"""The 3 + 3 design, with and without de-escalation."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from doseopt_bayes.comparators.base import ByTarget
from doseopt_bayes.comparators.stepwise import checked_start, toxic
from doseopt_bayes.design.stopping import MaxPatients
from doseopt_bayes.design.trialled import Answers
from doseopt_bayes.models.joint import checked_doses

__all__ = ["ThreePlusThree"]

TOXIC = 2  # toxicities that make a dose too toxic
FULL = 6  # patients that a dose can have


@dataclass(frozen=True)
class ThreePlusThree(ByTarget):
    """The 3 + 3 design.

    Parameters
    ----------
    doses
        Candidate doses, in `unit`.
    start
        Dose of the first cohort.
    de_escalate
        Whether a dose below a too toxic one is filled up to 6 patients before it is the MTD; without,
        the trial ends at the first too toxic dose, and the MTD is the dose below.
    target
        Probability of toxicity that says which dose truly is the MTD; 3 + 3 itself has no target.
    unit
        Unit of the doses.

    Raises
    ------
    DoseOptError
        On a start that is no candidate dose.

    Notes
    -----
    Korn et al. (1994), Statistics in Medicine 13, 1799-1806. Three patients at a dose: none toxic,
    escalate; one, three more; two or three, the dose is too toxic. Six patients: at most one toxic,
    escalate. The MTD is the highest dose that is not too toxic; at the highest candidate dose three
    patients without toxicity are enough.

    Examples
    --------
    >>> from doseopt_bayes.design.pathways import next_dose
    >>> print(next_dose(ThreePlusThree((1, 2, 4), start=1, unit="mg"), "1NNN 2NTN"))
    treat 2 mg
    """

    doses: tuple[float, ...]
    start: float
    de_escalate: bool = True
    target: float = 0.3
    unit: str = ""
    cohort = 3

    def __post_init__(self) -> None:
        object.__setattr__(self, "doses", checked_doses("3+3", self.doses))
        object.__setattr__(self, "start", checked_start("3+3", self.doses, self.start))

    @property
    def name(self) -> str:
        """What the design is called."""
        return "3+3" if self.de_escalate else "3+3 without de-escalation"

    @property
    def stop(self) -> MaxPatients:
        """A bound that it never reaches: it ends by itself."""
        return MaxPatients(self.most)

    @property
    def most(self) -> int:
        """Largest number of patients that a trial can treat."""
        return FULL * len(self.doses)

    def decider(self, seed: int, particles: int, threads: int) -> _Decider:
        """Return what decides after each cohort; nothing of it is random."""
        return _Decider(self, seed)

    def __str__(self) -> str:
        doses = ", ".join(f"{d:g}" for d in self.doses)
        below = (
            "the dose below it is filled up to 6 patients, and is the MTD when at most one of them had "
            "toxicity"
            if self.de_escalate
            else "the trial ends, and the dose below it is the MTD"
        )
        return (
            f"The first cohort of 3 patients receives {f'{self.start:g} {self.unit}'.rstrip()}. After 3 "
            "patients at a dose: none with toxicity, the next higher dose; one, three more at this dose; "
            "two or three, the dose is too toxic. After 6: at most one, the next higher dose; otherwise "
            f"the dose is too toxic. Below a too toxic dose {below}. When the lowest dose is too toxic, "
            "none is recommended; the highest dose is the MTD when it is not too toxic. Candidate doses: "
            f"{f'{doses} {self.unit}'.rstrip()}."
        )


@dataclass(eq=False)
class _Decider:
    design: ThreePlusThree
    seed: int = 0
    fits: dict[str, int] = field(default_factory=dict)

    def __call__(
        self, cells: np.ndarray, here: np.ndarray | None = None, *, final: bool = False
    ) -> Answers:
        n, tox = toxic(cells)
        last = n.shape[1] - 1
        bad = tox >= TOXIC
        # the highest dose below the lowest too toxic one
        mtd = np.where(bad.any(axis=1), bad.argmax(axis=1), last + 1) - 1
        row, sure = np.arange(len(n)), np.ones(len(n), dtype=bool)
        if final:
            tried = np.where(mtd >= 0, n[row, mtd] > 0, False)
            return Answers(np.where(tried, mtd, -1), sure)
        assert here is not None  # noqa: S101  (the simulator knows it)
        size, seen = n[row, here], tox[row, here]
        known = mtd == here  # the next higher dose is too toxic, or there is none
        fine = ~bad[row, here]
        # below a too toxic dose, six patients are needed (only with a start above the lowest dose has
        # the dose there fewer when it is reached)
        filled = known & (here < last) & self.design.de_escalate
        more = fine & (size < FULL) & ((seen == 1) | (size < self.design.cohort) | filled)
        up = fine & ~more & ~known
        lower = np.maximum(here - 1, 0)
        open_ = n[row, lower] < FULL if self.design.de_escalate else n[row, lower] == 0
        down = ~fine & (here > 0) & open_
        none = ~fine & (here == 0)
        following = np.where(more, here, np.where(up, here + 1, np.where(down, lower, mtd)))
        ended = ~(more | up | down | none)
        return Answers(np.where(none, -1, np.maximum(following, 0)), sure, ended)
