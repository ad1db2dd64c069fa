"""A design in calendar time: patients come one by one, and decisions do not wait for every outcome."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from doseopt_bayes import names
from doseopt_bayes.design.around import Around
from doseopt_bayes.design.backfill import BackfillDesign
from doseopt_bayes.design.design import Design
from doseopt_bayes.design.late_decider import OfComplete, OfPending
from doseopt_bayes.design.late_scenario import DAYS, checked_window
from doseopt_bayes.errors import DoseOptError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from doseopt_bayes.design.late_decider import DecidesLate
    from doseopt_bayes.design.late_patients import Accrual
    from doseopt_bayes.design.simulate import Simulation
    from doseopt_bayes.design.trialled import Decides, Trialled

__all__ = ["LateDesign", "Wait"]


@dataclass(frozen=True)
class Wait:
    """What must be known before the next cohort is enrolled.

    Parameters
    ----------
    tox, eff
        Least share of the patients at the current dose whose toxicity, or efficacy, is final.
    first
        Least follow-up of every patient of the first cohort, or to his toxicity, in the design's unit
        of time.
    escalate_after
        Patients whose toxicity must be final at the next lower tried dose, before a dose above the
        current one is given; at most all who are there. Accrual is suspended until then, and the
        decision taken again. With 0 a dose at which everybody is pending may be escalated from.

    Raises
    ------
    DoseOptError
        On shares outside 0..1, a time below 0, or a number of patients that is none.

    Examples
    --------
    >>> print(Wait(tox=0.5))
    accrual is suspended until 50 % of the patients at the current dose have a final toxicity outcome; \
a higher dose is given only after 1 patient(s) at the tried dose below it have a final toxicity outcome
    """

    tox: float = 0.0
    eff: float = 0.0
    first: float = 0.0
    escalate_after: int = 1

    def __post_init__(self) -> None:
        for name, most in (("tox", 1.0), ("eff", 1.0), ("first", math.inf)):
            x = getattr(self, name)
            number = isinstance(x, int | float) and not isinstance(x, bool)
            if not number or not 0 <= x <= most or not math.isfinite(x):
                rule = "a share in 0..1" if most == 1 else "a time >= 0"
                raise DoseOptError(f"Wait: {name} = {x!r} must be {rule}")
            object.__setattr__(self, name, float(x))
        n = self.escalate_after
        if isinstance(n, bool) or not isinstance(n, int) or n < 0:
            raise DoseOptError(f"Wait: escalate_after = {n!r} must be a whole number >= 0")

    @classmethod
    def complete(cls) -> Self:
        """Wait for every outcome of every patient: the comparator without pending patients."""
        return cls(tox=1.0, eff=1.0)

    def words(self, unit: str, ends: Sequence[str]) -> str:
        """Say it for a design with a unit of time that reads some endpoints."""
        shares = {names.TOX: (self.tox, "toxicity"), names.EFF: (self.eff, "efficacy")}
        said = [
            f"accrual is suspended until {100 * share:g} % of the patients at the current dose have a "
            f"final {what} outcome"
            for end, (share, what) in shares.items()
            if share and end in ends
        ]
        if self.first:
            said.append(
                f"after the first cohort, until each of its patients was followed for "
                f"{f'{self.first:g} {unit}'.rstrip()} or had a toxicity"
            )
        if self.escalate_after:
            said.append(
                f"a higher dose is given only after {self.escalate_after} patient(s) at the tried dose "
                "below it have a final toxicity outcome"
            )
        return "; ".join(said) or "accrual is never suspended"

    def __str__(self) -> str:
        return self.words("", (names.TOX, names.EFF))


@dataclass(frozen=True)
class LateDesign(Around):
    """A design whose patients come on a calendar and whose outcomes take time.

    Parameters
    ----------
    design
        What decides. A :class:`~doseopt_bayes.design.design.Design` reads pending patients by its model's
        likelihood (TITE-CRM, TITE-BLRM, TITE-EffTox); ``TITEBOIN`` by its own rule; any other design
        needs ``Wait.complete()``.
    tox_window, eff_window
        How long a patient is watched for each endpoint that the design reads, >= 0, in `time_unit`; an
        event after it is not seen. 0: known at once.
    accrual
        How patients come.
    wait
        What must be known before the next cohort. Without: what `design` says, which is nothing beyond
        ``Wait()`` for a model, half of the current dose for ``TITEBOIN``, everything for other designs.
    time_unit
        ``"days"``, ``"weeks"`` or ``"months"``.
    cutoff
        Time from the last entry to the last decision, in `time_unit`; until the last patient is complete
        without.

    Raises
    ------
    DoseOptError
        On a window without its endpoint or the reverse, or a design that cannot read pending patients
        and does not wait for all.

    Notes
    -----
    The patients of a cohort enter one by one and receive one dose. A decision is due when the first
    patient of the next cohort comes. He waits while accrual is
    suspended, nobody comes meanwhile, and the gap to the next patient begins with his entry. Where no
    dose is admissible while somebody is pending, accrual is suspended and the decision taken again with
    each outcome that becomes final; a trial stops early when nobody is pending. Stopping rules count
    patients who were enrolled; when one stops the trial, the last decision waits for the last outcome
    or the cut-off. A patient followed for a share w of the window without event counts as w of one
    without (Cheung and Chappell 2000); with two endpoints see :mod:`doseopt_bayes.models.pending`.

    Examples
    --------
    >>> import doseopt_bayes as dob
    >>> boin = dob.IntervalDesign(dob.BOIN(0.3), (1, 2, 4), start=1, stop=dob.MaxPatients(12))
    >>> late = LateDesign(boin, tox_window=28, accrual=dob.Accrual(2))
    >>> late.name, late.wait.tox
    ('BOIN in calendar time', 1.0)
    """

    design: Trialled
    tox_window: float
    accrual: Accrual
    eff_window: float | None = None
    wait: Wait | None = None
    time_unit: str = "days"
    cutoff: float | None = None

    def __post_init__(self) -> None:
        if isinstance(self.design, BackfillDesign | LateDesign):
            raise DoseOptError(
                f"LateDesign: {type(self.design).__name__} has no calendar of its own",
                hint="give the design inside it",
            )
        for name in ("tox_window", "eff_window", "cutoff"):
            value = getattr(self, name)
            if value is not None:
                value = checked_window("LateDesign", name, value, self.time_unit)
                object.__setattr__(self, name, value)
        reads = names.EFF in self.design.endpoints
        if reads != (self.eff_window is not None):
            says = "reads efficacy" if reads else "does not read efficacy"
            raise DoseOptError(
                f"LateDesign: eff_window = {self.eff_window}, and {self._called} {says}",
                hint="give eff_window" if reads else "leave eff_window out",
            )
        if self.wait is None:
            object.__setattr__(self, "wait", self._usual)
        if not self._partial and (self._wait.tox, self._wait.eff)[: 1 + reads] != (1.0,) * (
            1 + reads
        ):
            raise DoseOptError(
                f"LateDesign: {self._called} reads final outcomes alone",
                hint="wait=Wait.complete(), or a design for pending patients: TITEBOIN, CRM, EffTox",
            )

    @property
    def _called(self) -> str:
        return str(getattr(self.design, "name", "")) or "the design"

    @property
    def _partial(self) -> bool:
        """Whether the design reads pending patients."""
        return isinstance(self.design, Design) or hasattr(self.design, "late_decider")

    @property
    def _usual(self) -> Wait:
        if not self._partial:
            return Wait.complete()
        found: Wait = getattr(self.design, "usual_wait", Wait())
        return found

    @property
    def _wait(self) -> Wait:
        assert self.wait is not None  # noqa: S101  (set above)
        return self.wait

    @property
    def name(self) -> str:
        """What the design is called."""
        model = getattr(self.design, "model", None)
        called = self._called if model is None else type(model).__name__
        return f"{called} in calendar time"

    @property
    def windows(self) -> tuple[float, float | None]:
        """Windows of toxicity and efficacy in days; no efficacy: ``None``."""
        days = DAYS[self.time_unit]
        return self.tox_window * days, None if self.eff_window is None else self.eff_window * days

    def decider(self, seed: int, particles: int, threads: int) -> Decides:
        """Refuse: its decisions need a calendar.

        Raises
        ------
        DoseOptError
            Always.
        """
        raise DoseOptError(
            f"{self.name} decides on a calendar", hint="simulate_late(), with LateScenario truths"
        )

    @property
    def own_simulation(self) -> Callable[..., Simulation]:
        """What simulates it: on a calendar."""
        from doseopt_bayes.design.late_simulate import simulate_late  # noqa: PLC0415

        return simulate_late

    def late_decider(self, seed: int, particles: int, threads: int) -> DecidesLate:
        """Return what decides while patients are pending."""
        made: Any = self.design
        if isinstance(made, Design):
            return OfPending(made.decider(seed, particles, threads))
        if self._partial:
            found: DecidesLate = made.late_decider(seed, particles, threads)
            return found
        return OfComplete(made.decider(seed, particles, threads))

    def __str__(self) -> str:
        unit = self.time_unit
        watched = f"toxicity for {self.tox_window:g} {unit}"
        if self.eff_window is not None:
            watched += f" and efficacy for {self.eff_window:g} {unit}"
        end = (
            "when the last patient's outcomes are final"
            if self.cutoff is None
            else f"when they are final, or {self.cutoff:g} {unit} after the last entry"
        )
        return (
            f"{self.design} In calendar time: {self.accrual}; each is watched for {watched}. The next "
            f"cohort is decided on when its first patient comes, from what is known by then; "
            f"{self._wait.words(unit, self.endpoints)}. Where no dose is admissible, it is decided on "
            "again with each outcome that becomes final, and the trial stops when nobody is pending. The "
            f"last decision is taken {end}."
        )
