"""Ordinal grades of randomised arms: cumulative logits, one log odds ratio between two arms."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Final

import numpy as np

from doseopt_bayes import names
from doseopt_bayes.data.arm_records_outcome import Grade
from doseopt_bayes.models.arm_parts import arm_coords, dose_words, patients_of, set_up
from doseopt_bayes.models.joint import described
from doseopt_bayes.priors import LogNormal, Normal

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pymc as pm

    from doseopt_bayes.data.arm_records import ArmRecords
    from doseopt_bayes.priors import Prior

__all__ = ["OrdinalGrades"]

GRADE, LATER = "grade", "later_grade"
LOG_ODDS, STEP = "log_odds", "grade_step"
ARM_PRIOR: Final = Normal(0.0, 1.5)
STEP_PRIOR: Final = LogNormal(1.0, 0.75)


@dataclass(frozen=True)
class OrdinalGrades:
    """Ordinal grade of each patient (PRO-CTCAE item, worst event grade), each arm by itself.

    Parameters
    ----------
    doses
        Arms: candidate doses (> 0, distinct, at least two), in `unit`; any order, kept ascending.
    outcome
        The :class:`~doseopt_bayes.data.arm_records_outcome.Grade`, with its scale and `at_least`.
    unit
        Unit of the doses.
    priors
        Priors in place of the defaults: of ``log_odds``, the same for each arm, and of
        ``grade_step``, the same for each step.
    proportional
        Whether arms share the steps. With False each arm has its own, so that nothing is borrowed: it
        shows whether an answer rests on proportional odds.

    Raises
    ------
    DoseOptError
        On doses that cannot be, another outcome, or a prior of an unknown parameter.

    Notes
    -----
    McCullagh (1980), proportional odds: logit Pr(grade >= k | dose) = log_odds(dose) less the steps
    between `at_least` and k, or plus those below it. An arm moves all grades by one log odds ratio; the
    steps, > 0, keep the cut-points in order and are what arms share. ``log_odds`` is the logit of
    ``p_<name>`` itself, so that its prior is a prior of that probability, the same in each arm.
    Patients enter as counts of each grade, from which nothing is lost.

    The posterior has ``p_<name>`` (dose) = Pr(grade >= at_least), ``grade_<name>`` (dose, grade), and
    ``mean_<name>`` (dose), the mean grade.

    Examples
    --------
    >>> worst = Grade("diarrhoea", "WORST", at_least=2, highest=4)
    >>> print(OrdinalGrades(doses=(15, 45), outcome=worst, unit="mg"))
    OrdinalGrades: grade of diarrhoea, 0 to 4, in the arms 15, 45 mg
      logit Pr(grade >= 2) = log_odds, in each arm by itself
      grade_step > 0: how much lower the logit of each higher grade is; the same in all arms \
(proportional odds)
      p_diarrhoea = Pr(grade >= 2); grade_diarrhoea: probability of each grade; mean_diarrhoea: \
mean grade
      priors:
        log_odds    ~ Normal(mean 0, sd 1.5), 95 % within -2.94 to 2.94
        grade_step  ~ LogNormal(median 1, sd of log 0.75), 95 % within 0.23 to 4.35
    """

    doses: tuple[float, ...]
    outcome: Grade
    unit: str = ""
    priors: Mapping[str, Prior] = field(default_factory=dict)
    proportional: bool = True

    scale: ClassVar[str] = (
        "Logit of the probability of at least the stated grade; steps on that scale."
    )

    def __post_init__(self) -> None:
        defaults: dict[str, Prior] = {LOG_ODDS: ARM_PRIOR}
        if isinstance(self.outcome, Grade) and len(self.outcome.grades) > 2:
            defaults[STEP] = STEP_PRIOR
        set_up(self, Grade, defaults)

    @property
    def endpoints(self) -> tuple[str, ...]:
        """Endpoints that it reads."""
        return self.outcome.endpoints

    def build(self, data: ArmRecords) -> pm.Model:
        """Return the PyMC model: ``p_<name>``, ``grade_<name>``, ``mean_<name>`` and the counts.

        Raises
        ------
        DoseOptError
            When the data have other doses, another unit or another outcome.
        """
        import pymc as pm  # noqa: PLC0415

        frame = patients_of(self, data)
        grades, name = np.array(self.outcome.grades), self.outcome.name
        seen = np.zeros((len(self.doses), len(grades)), dtype="int64")
        at = frame["grade"].to_numpy(dtype="int64") - self.outcome.lowest
        np.add.at(seen, (frame["arm"].to_numpy(), at), 1)
        coords = {**arm_coords(self), GRADE: list(grades), LATER: list(grades[2:])}
        with pm.Model(coords=coords) as model:
            log_odds = self.priors[LOG_ODDS].build(LOG_ODDS, (names.DOSE,))
            logit, step = log_odds[:, None], None
            if STEP in self.priors:
                dims = (LATER,) if self.proportional else (names.DOSE, LATER)
                step = self.priors[STEP].build(STEP, dims)
                logit = logit + (self._distances * step[..., None, :]).sum(axis=-1)
            p = _between(logit, step)
            cells = pm.Deterministic(f"grade_{name}", p, dims=(names.DOSE, GRADE))
            pm.Deterministic(names.probability(name), pm.math.sigmoid(log_odds), dims=names.DOSE)
            pm.Deterministic(f"mean_{name}", (cells * grades).sum(axis=-1), dims=names.DOSE)
            dims = (names.DOSE, GRADE)
            counts = pm.Data("patients_at_grade", seen, dims=dims)
            pm.Multinomial("grades", n=counts.sum(axis=-1), p=cells, observed=counts, dims=dims)
        return model

    @property
    def _distances(self) -> np.ndarray:
        """(cut, step): how often each step separates a cut-point from that of `at_least`."""
        cuts = len(self.outcome.grades) - 1
        anchor = self.outcome.at_least - self.outcome.lowest - 1
        k, j = np.arange(cuts)[:, None], np.arange(cuts - 1)[None, :]
        above, below = (j >= anchor) & (j < k), (j < anchor) & (j >= k)
        found: np.ndarray = below.astype(float) - above.astype(float)
        return found

    def words(self) -> tuple[str, ...]:
        """Return the model's equations and choices, a sentence each."""
        name, least = self.outcome.name, self.outcome.at_least
        whose = "the same in all arms (proportional odds)" if self.proportional else "in each arm"
        steps = f"{STEP} > 0: how much lower the logit of each higher grade is; {whose}"
        return (
            f"logit Pr(grade >= {least}) = {LOG_ODDS}, in each arm by itself",
            *((steps,) if STEP in self.priors else ()),
            (
                f"p_{name} = Pr(grade >= {least}); grade_{name}: probability of each grade; "
                f"mean_{name}: mean grade"
            ),
        )

    def __str__(self) -> str:
        o = self.outcome
        head = f"OrdinalGrades: grade of {o.name}, {o.lowest} to {o.highest}, in the arms "
        return described(head + dose_words(self), self)


def _between(logit: Any, step: Any) -> Any:
    """Probability of each grade from the logits of reaching it, (arm, cut), without cancellation.

    sigmoid(a) - sigmoid(b) = sigmoid(a) sigmoid(-b) (1 - exp(b - a)), where a - b is a step.
    """
    import pymc as pm  # noqa: PLC0415

    reach, miss = pm.math.sigmoid(logit), pm.math.sigmoid(-logit)
    parts = [miss[:, :1]]
    if step is not None:
        parts.append(reach[:, :-1] * miss[:, 1:] * -pm.math.expm1(-step))
    return pm.math.concatenate([*parts, reach[:, -1:]], axis=1)
