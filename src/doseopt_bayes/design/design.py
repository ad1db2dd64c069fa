"""A design: model, utility, rules and criterion of the analysis, and how cohorts follow each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from doseopt_bayes import names
from doseopt_bayes.analysis import check_reads
from doseopt_bayes.decision.algebra import Both, Either
from doseopt_bayes.decision.mtd import toxicity_limit
from doseopt_bayes.decision.rules import TriedOnly, with_untried_rule
from doseopt_bayes.design.stopping import Stop
from doseopt_bayes.errors import DoseOptError
from doseopt_bayes.models.tallied import groups_of

if TYPE_CHECKING:
    import xarray as xr

    from doseopt_bayes.decision.criteria import Criterion
    from doseopt_bayes.decision.rules import Rule
    from doseopt_bayes.decision.utility import Utility
    from doseopt_bayes.design.decider import Decider
    from doseopt_bayes.design.scenario import Scenario
    from doseopt_bayes.models.base import DoseModel

__all__ = ["Design"]


@dataclass(frozen=True)
class Design:
    """How a trial doses its cohorts.

    Parameters
    ----------
    model, utility, rules, criterion
        As in the analysis of an interim: after each cohort the very same decision names the dose of
        the next one. No dose is skipped when the rules say so (``NoSkipping``).
    start
        Dose of the first cohort, a candidate dose in the model's unit.
    stop
        When the trial stops, for example ``MaxPatients(39)``; a largest number of patients is needed.
        It also stops, and recommends none, when no dose is admissible.
    cohort
        Patients of a cohort, >= 1.
    tried_at_end
        Whether the last decision recommends only a dose that treated a patient.

    Raises
    ------
    DoseOptError
        On a start that is no candidate dose, a cohort that is no number, a trial without end, or a
        utility that reads what the model does not have.

    Examples
    --------
    >>> from doseopt_bayes.decision.criteria import UtilityOfMeans
    >>> from doseopt_bayes.decision.rules import Active, NoSkipping, Tolerable
    >>> from doseopt_bayes.decision.utility import LpContour
    >>> from doseopt_bayes.design.stopping import MaxPatients
    >>> from doseopt_bayes.models import EffTox
    >>> from doseopt_bayes.models.presets import EFFTOX_THALL2014
    >>> design = Design(
    ...     EffTox((1, 2, 4, 6.6, 10), EFFTOX_THALL2014, unit="mg"),
    ...     LpContour(eff0=0.5, tox1=0.65, hinge=(0.7, 0.25)),
    ...     Tolerable(0.3, certainty=0.1) & Active(0.5, certainty=0.1) & NoSkipping(),
    ...     UtilityOfMeans(), start=1, stop=MaxPatients(39),
    ... )
    >>> print(design)
    The first cohort of 3 patients receives 1 mg. After the outcomes of each cohort are known, the model \
is fitted to all patients so far, and the next cohort receives the admissible dose chosen by the \
criterion 'highest utility of the posterior mean probabilities (Thall and Cook)'. A dose is admissible \
when: Pr(p_tox < 0.3) > 0.1; and Pr(p_eff > 0.5) > 0.1; and not more than 1 level(s) below or above \
the tried doses. The trial stops when 39 patients were treated, and at any time when no dose is \
admissible; then no dose is recommended. The same criterion chooses the recommended dose at the end, \
among the doses that treated a patient. Candidate doses: 1, 2, 4, 6.6, 10 mg.
    """

    model: DoseModel
    utility: Utility
    rules: Rule
    criterion: Criterion
    start: float
    stop: Stop
    cohort: int = 3
    tried_at_end: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "rules", with_untried_rule(self.rules)[0])
        near = [d for d in self.model.doses if abs(d - self.start) <= 1e-6 * d]
        if not near:
            raise DoseOptError(
                f"Design: start = {self.start:g} is no candidate dose",
                hint=f"one of {', '.join(f'{d:g}' for d in self.model.doses)}",
            )
        object.__setattr__(self, "start", near[0])
        if isinstance(self.cohort, bool) or not isinstance(self.cohort, int) or self.cohort < 1:
            raise DoseOptError(f"Design: cohort = {self.cohort!r} must be a whole number >= 1")
        if not isinstance(self.stop, Stop) or self.stop.most is None:
            raise DoseOptError(
                "Design: nothing bounds the number of patients", hint="stop = MaxPatients(39), say"
            )
        if _tried_only(self.rules) and len(self.model.doses) > 1:
            raise DoseOptError(
                "Design: with tried doses only, no trial leaves its first dose",
                hint="NoSkipping() lets it step to the next one",
            )
        check_reads(self.utility, self.model, "the model")

    @property
    def doses(self) -> tuple[float, ...]:
        """Candidate doses, ascending."""
        return self.model.doses

    @property
    def unit(self) -> str:
        """Unit of the doses."""
        return self.model.unit

    @property
    def endpoints(self) -> tuple[str, ...]:
        """Endpoints that the model reads."""
        return self.model.endpoints

    @property
    def toxicity_limit(self) -> float | None:
        """Probability of toxicity that the MTD does not exceed."""
        return toxicity_limit(self.rules)

    def check(self) -> None:
        """Refuse what cannot be simulated.

        Raises
        ------
        DoseOptError
            On a model with groups, or with further endpoints.
        """
        if groups_of(self.model):
            raise DoseOptError(
                "the model has groups of patients, each with a dose of its own",
                hint="simulate_groups() with a GroupScenario for each truth",
            )
        if sorted(self.endpoints) not in ([names.TOX], [names.EFF, names.TOX]):
            raise DoseOptError(
                f"the model reads the endpoints {', '.join(self.endpoints)}",
                hint="simulated patients have toxicity, or toxicity and efficacy, known at each interim",
            )

    def truth(self, scenario: Scenario) -> xr.Dataset:
        """Return what a truth means under the design: ``scenario.truth(self)``."""
        return scenario.truth(self)

    def decider(self, seed: int, particles: int, threads: int) -> Decider:
        """Return what decides after each cohort: the decision of the analysis."""
        from doseopt_bayes.design.decider import Decider  # noqa: PLC0415

        return Decider(self, seed, particles, threads)

    @property
    def final_rules(self) -> Rule:
        """Rules of the decision at the end."""
        return self.rules & TriedOnly() if self.tried_at_end else self.rules

    @property
    def most(self) -> int:
        """Largest number of patients that a trial can treat: the last cohort is not cut."""
        bound = self.stop.most or 0
        return self.cohort * -(-bound // self.cohort)

    def __str__(self) -> str:
        doses = ", ".join(f"{d:g}" for d in self.model.doses)
        unit = self.model.unit
        among = ", among the doses that treated a patient" * self.tried_at_end
        return (
            f"The first cohort of {self.cohort} patients receives {f'{self.start:g} {unit}'.rstrip()}. "
            "After the outcomes of each cohort are known, the model is fitted to all patients so far, "
            "and the next cohort receives the admissible dose chosen by the criterion "
            f"'{self.criterion}'. A dose is admissible when: {self.rules}. The trial stops when "
            f"{self.stop}, and at any time when no dose is admissible; then no dose is recommended. "
            f"The same criterion chooses the recommended dose at the end{among}. Candidate doses: "
            f"{f'{doses} {unit}'.rstrip()}."
        )


def _tried_only(rules: Rule) -> bool:
    """Whether no untried dose can be admissible."""
    if isinstance(rules, Both):
        return _tried_only(rules.left) or _tried_only(rules.right)
    if isinstance(rules, Either):
        return _tried_only(rules.left) and _tried_only(rules.right)
    return isinstance(rules, TriedOnly)
