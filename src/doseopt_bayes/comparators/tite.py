"""TITE-BOIN: BOIN that counts pending patients by what it expects of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from doseopt_bayes import names
from doseopt_bayes.comparators.interval import BOIN
from doseopt_bayes.comparators.stepwise import ByTable, IntervalDesign, toxic
from doseopt_bayes.design.late import Wait
from doseopt_bayes.design.trialled import Answers
from doseopt_bayes.errors import DoseOptError
from doseopt_bayes.models.pending import factors

if TYPE_CHECKING:
    from doseopt_bayes.design.late_patients import Known

__all__ = ["TITEBOIN"]


@dataclass(frozen=True)
class TITEBOIN(IntervalDesign):
    """Time-to-event Bayesian optimal interval design, for ``LateDesign``.

    Parameters
    ----------
    rule, doses, start, stop, cohort, unit, spare
        As for :class:`~doseopt_bayes.comparators.stepwise.IntervalDesign`; the rule is a ``BOIN``.

    Raises
    ------
    DoseOptError
        On another rule, or as ``IntervalDesign``.

    Notes
    -----
    Yuan, Lin, Li, Nie and Warren (2018), Clinical Cancer Research 24, 4921-4930. Of n patients at the
    current dose y had a toxicity so far and c are pending; STFT is the sum of their follow-up, each as a
    share of the window. The estimate

        (y + m / (1 - m) (c - STFT)) / n,  m = (y + target / 2) / (n - c + 1)

    replaces y / n in BOIN: m is the posterior mean of the probability of toxicity of the n - c final
    patients under a Beta(target / 2, 1 - target / 2) prior. Elimination counts all patients at the dose
    and the toxicities so far. By default accrual is suspended while more than half of the patients at
    the current dose are pending, unless the toxicities so far say to de-escalate whatever comes. With
    nobody pending it is BOIN. Published tables for a target of 0.2 (Contemporary Clinical Trials
    Communications 2022, PMC9260438, Table 1) are reproduced.

    Examples
    --------
    >>> from doseopt_bayes.design.stopping import MaxPatients
    >>> design = TITEBOIN(BOIN(0.3), (1, 2, 4), start=1, stop=MaxPatients(12), unit="mg")
    >>> round(float(design.estimate(*map(np.array, (3, 1, 1, 0.5)))), 3)  # of 3, one has half to go
    0.437
    """

    def __post_init__(self) -> None:
        if not isinstance(self.rule, BOIN):
            raise DoseOptError(
                f"TITEBOIN: the rule is {self.rule.name}, which has no boundaries of a share",
                hint="TITEBOIN(BOIN(0.3), ...)",
            )
        super().__post_init__()

    @property
    def name(self) -> str:
        """What the design is called."""
        return "TITE-BOIN"

    @property
    def usual_wait(self) -> Wait:
        """Accrual is suspended while more than half of the current dose are pending."""
        return Wait(tox=0.5)

    def estimate(
        self, n: np.ndarray, tox: np.ndarray, pending: np.ndarray, followed: np.ndarray
    ) -> np.ndarray:
        """Return the estimate of the probability of toxicity at a dose.

        Parameters
        ----------
        n, tox, pending
            Patients there (at least 1), toxicities seen so far, patients pending: whole numbers.
        followed
            Sum of the follow-up of the pending patients, each as a share of the window.
        """
        target = self.rule.target
        mean = (tox + target / 2) / (n - pending + 1)
        found: np.ndarray = (tox + mean / (1 - mean) * (pending - followed)) / n
        return found

    def late_decider(self, seed: int, particles: int, threads: int) -> _Decider:
        """Return what decides while patients are pending; nothing of it is random."""
        return _Decider(ByTable(self, seed))

    def __str__(self) -> str:
        return (
            f"TITE-{super().__str__()} While patients are pending, the share with toxicity at the "
            "current dose counts the ones expected of them for the rest of their window; elimination "
            "counts the toxicities so far among all patients at a dose."
        )


@dataclass(eq=False)
class _Decider:
    own: ByTable
    fits: dict[str, int] = field(default_factory=dict)

    def anyway(self, known: Known, here: np.ndarray) -> np.ndarray:
        """Say where the toxicities so far mean de-escalation, whatever the pending patients come to."""
        design, row = self.own.design, np.arange(len(here))
        assert isinstance(design, TITEBOIN)  # noqa: S101  (it makes this decider)
        assert isinstance(design.rule, BOIN)  # noqa: S101  (the design checks it)
        n, tox = toxic(known.cells)
        size = np.maximum(n[row, here] + known.pending[row, here], 1)
        found: np.ndarray = tox[row, here] / size >= design.rule.boundaries[1]
        return found

    def __call__(self, known: Known, here: np.ndarray, *, final: bool = False) -> Answers:
        if final or known.share is None:
            return self.own(known.cells, here, final=final)
        design = self.own.design
        assert isinstance(design, TITEBOIN)  # noqa: S101  (it makes this decider)
        assert isinstance(design.rule, BOIN)  # noqa: S101  (the design checks it)
        n, tox = toxic(known.cells)
        fine = self.own.fine(n + known.pending, tox)
        row = np.arange(len(n))
        none, event = factors(known.share[row, here], names.TOX)
        followed = np.where(none * event > 0, 1 - event, 0.0).sum(axis=-1)
        c, y = known.pending[row, here], tox[row, here]
        p = design.estimate(n[row, here] + c, y, c, followed)
        up, down = design.rule.boundaries
        step = np.where(p <= up, 1, np.where(p >= down, -1, 0))
        # an eliminated dose is left, whatever the estimate says
        following = np.clip(here + step, 0, fine.sum(axis=1) - 1)
        return Answers(np.where(fine[:, 0], following, -1), np.ones(len(n), dtype=bool))
