"""Backfill: further patients at doses below the current one, while a cohort is observed."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from doseopt_bayes.design.around import Around
from doseopt_bayes.errors import DoseOptError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from doseopt_bayes.design.trialled import Answers, Decides, Trialled

__all__ = ["Backfill", "BackfillDesign", "Filling", "WithBackfill"]

PRIORITIES: Final = ("highest", "lowest", "random")


@dataclass(frozen=True)
class Backfill:
    """Which lower doses take further patients, and how many.

    Parameters
    ----------
    most
        Largest number of backfilled patients of a trial.
    per_cohort
        Backfilled patients while one cohort is observed (recruitment ratio times the cohort).
    at_dose
        A dose with so many patients, of cohorts and backfill together, takes no more.
    least_responses
        Responses needed at the dose or at lower ones before it opens; 0 for none.
    least_patients
        Patients of cohorts that the dose must have had before it opens.
    priority
        Which open dose is filled: ``"highest"``, ``"lowest"``, or one at ``"random"`` for each patient.

    Raises
    ------
    DoseOptError
        On numbers that are no counts, or an unknown priority.

    Notes
    -----
    A dose is open when it lies below the dose of the cohort that is observed, is admissible under the
    design (its table would not de-escalate from it; of a design with a model, every dose below the
    cohort's), has the patients and responses asked for, and is not full. Backfilled
    patients count in every decision that follows their outcome, which is known with the cohort's. The
    design's stopping rule counts the patients of cohorts alone. After Dehbi, O'Quigley and
    Iasonos (2021), Clinical Trials 18, 449-457, with the opening rule of the R package crmPack.
    """

    most: int
    per_cohort: int = 3
    at_dose: int = 12
    least_responses: int = 0
    least_patients: int = 3
    priority: Literal["highest", "lowest", "random"] = "highest"

    def __post_init__(self) -> None:
        for name in ("most", "per_cohort", "at_dose", "least_responses", "least_patients"):
            value, least = getattr(self, name), int(name in ("most", "per_cohort", "at_dose"))
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise DoseOptError(
                    f"Backfill: {name} = {value!r} must be a whole number >= {least}"
                )
        if self.priority not in PRIORITIES:
            raise DoseOptError(
                f"Backfill: priority = {self.priority!r} is unknown", hint=", ".join(PRIORITIES)
            )

    def places(
        self,
        cells: np.ndarray,
        observed: np.ndarray,
        room: np.ndarray,
        here: np.ndarray,
        fine: np.ndarray,
        draw: np.ndarray,
    ) -> np.ndarray:
        """Return the position of the dose that the next backfilled patient of each trial gets, -1: none.

        Parameters
        ----------
        cells
            Patients by outcome known so far: (trial, dose, cell).
        observed
            Backfilled patients whose outcome is not known yet: (trial, dose).
        room
            Whether the trial takes further backfilled patients: (trial,).
        here
            Position of the dose of the cohort that is observed: (trial,).
        fine
            Whether the design would let the dose be given: (trial, dose).
        draw
            Uniform numbers, read by the priority ``"random"``: (trial,).
        """
        known = cells.sum(axis=-1)
        doses = np.arange(known.shape[1])
        seen = np.cumsum(cells[..., 1] + cells[..., 3], axis=1)
        open_ = (
            fine
            & (doses < here[:, None])
            & (known >= self.least_patients)
            & (seen >= self.least_responses)
            & (known + observed < self.at_dose)
            & room[:, None]
        )
        if self.priority == "highest":
            place = np.where(open_, doses, -1).max(axis=1)
        elif self.priority == "lowest":
            place = np.where(open_, doses, doses.size).min(axis=1)
        else:
            rank = np.floor(draw * open_.sum(axis=1)).astype(int)
            place = (open_ & (np.cumsum(open_, axis=1) == rank[:, None] + 1)).argmax(axis=1)
        found: np.ndarray = np.where(open_.any(axis=1), place, -1)
        return found

    def __str__(self) -> str:
        after = f"{self.least_patients} patients of cohorts" + (
            f" and {self.least_responses} response(s) at it or below"
            if self.least_responses
            else ""
        )
        return (
            f"While a cohort is observed, up to {self.per_cohort} patients are backfilled at doses "
            f"below it that are admissible and had {after}, the {self.priority} one first, up to "
            f"{self.at_dose} patients at a dose and {self.most} backfilled in all; they count "
            "in every decision that follows, and not for the stopping rule"
        ).replace("the random one first", "one at random each")


@dataclass(frozen=True)
class BackfillDesign(Around):
    """A design with backfill.

    Parameters
    ----------
    design
        What doses the cohorts: any design that can be simulated.
    backfill
        What fills lower doses.

    Examples
    --------
    >>> import doseopt_bayes as dob
    >>> boin = dob.IntervalDesign(dob.BOIN(0.3), (1, 2, 4), start=1, stop=dob.MaxPatients(12))
    >>> design = BackfillDesign(boin, Backfill(most=9))
    >>> truth = [dob.Scenario("safe", (0.01, 0.02, 0.05), (0.3, 0.3, 0.3))]
    >>> trials = dob.simulate(design, truth, n_trials=50, seed=1).trials
    >>> int(trials["backfilled"].sum("dose").max())
    9
    """

    design: Trialled
    backfill: Backfill
    name: str = field(init=False, default="")

    def __post_init__(self) -> None:
        if any(f.name == "spare" for f in fields(self.design)):  # type: ignore[arg-type]
            # its table needs rows for the patients that come on top
            made: Any = replace(self.design, spare=self.backfill.most)  # type: ignore[type-var]
            object.__setattr__(self, "design", made)
        called = getattr(self.design, "name", "the design")
        object.__setattr__(self, "name", f"{called} with backfill")

    def decider(self, seed: int, particles: int, threads: int) -> WithBackfill:
        """Return what decides after each cohort: the design's own decider."""
        return WithBackfill(self, self.design.decider(seed, particles, threads))

    def __str__(self) -> str:
        return f"{self.design} {self.backfill}."


@dataclass(eq=False)
class WithBackfill:
    """Decides as the design without backfill does, from all patients."""

    design: BackfillDesign
    own: Decides

    @property
    def seed(self) -> int:
        """Seed of the trials."""
        return self.own.seed

    @property
    def fits(self) -> Mapping[str, int]:
        """Number of posteriors by engine so far."""
        return self.own.fits

    def __call__(
        self, cells: np.ndarray, here: np.ndarray | None = None, *, final: bool = False
    ) -> Answers:
        """Decide for each state."""
        return self.own(cells, here, final=final)

    @property
    def most(self) -> int:
        """Largest number of backfilled patients of a trial."""
        return self.design.backfill.most

    def filling(self, luck: np.ndarray) -> Filling:
        """Return what backfills the trials, whose `luck` is (patient, trial, 3)."""
        total = np.zeros((luck.shape[1], len(self.design.doses)), dtype=np.int32)
        return Filling(self, luck, total)


@dataclass(eq=False)
class Filling:
    """Backfilled patients of many trials at once.

    Parameters
    ----------
    decider
        Whose design says which doses are open.
    luck
        What decides outcome and place of each backfilled patient: (patient, trial, 3).
    total
        Backfilled patients so far: (trial, dose).
    """

    decider: WithBackfill
    luck: np.ndarray
    total: np.ndarray

    def during(
        self, cells: np.ndarray, here: np.ndarray, trials: np.ndarray
    ) -> tuple[tuple[np.ndarray, np.ndarray, np.ndarray], ...]:
        """Place the patients that are backfilled while a cohort is observed.

        Parameters
        ----------
        cells
            Patients by outcome, those of `trials`, without the cohort: (trial, dose, cell).
        here
            Position of the cohort's dose: (trial,).
        trials
            Which trials these are.

        Returns
        -------
        tuple of (trials, places, luck)
            For each further patient: the trials that have one, the dose, and what decides its outcome.
        """
        rule = self.decider.design.backfill
        says = getattr(self.decider.own, "open_doses", None)
        fine = np.ones(cells.shape[:2], dtype=bool) if says is None else says(cells)
        observed = np.zeros(cells.shape[:2], dtype=np.int32)
        found = []
        for _ in range(rule.per_cohort):
            count = self.total[trials].sum(axis=1)
            luck = self.luck[np.minimum(count, rule.most - 1), trials]
            place = rule.places(cells, observed, count < rule.most, here, fine, luck[:, 2])
            who = np.flatnonzero(place >= 0)
            if not who.size:
                break
            observed[who, place[who]] += 1
            self.total[trials[who], place[who]] += 1
            found.append((who, place[who], luck[who]))
        return tuple(found)
