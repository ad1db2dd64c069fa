"""A measured value of randomised arms: its mean on the natural scale, and how many fall below a limit."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np
import xarray as xr

from doseopt_bayes import names
from doseopt_bayes.data.arm_records_measure import Measure
from doseopt_bayes.errors import DoseOptError
from doseopt_bayes.models.arm_parts import arm_coords, dose_words, patients_of, set_up
from doseopt_bayes.models.joint import described
from doseopt_bayes.models.response import ContinuousResponse
from doseopt_bayes.priors import Beta, HalfNormal, Normal

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pymc as pm

    from doseopt_bayes.data.arm_records import ArmRecords
    from doseopt_bayes.priors import Prior

__all__ = ["ArmMeasure"]

LEVEL, SCATTER = "level", "sigma"
HEAVY: Final = 4.0  # degrees of freedom of the Student-t


@dataclass(frozen=True)
class ArmMeasure:
    """Measured value, such as relative dose intensity: its mean, and Pr(below), in each arm by itself.

    Parameters
    ----------
    doses
        Arms: candidate doses (> 0, distinct, at least two), in `unit`; any order, kept ascending.
    outcome
        The :class:`~doseopt_bayes.data.arm_records_measure.Measure`.
    unit
        Unit of the doses.
    priors
        Priors of ``level``, the mean of an arm, the same for each, and of ``sigma``, the standard
        deviation of patients within an arm, both in the unit of the outcome. They may be left out only
        where the outcome has two bounds: then the mean is Normal in their middle with a quarter of
        their distance as sd, and ``sigma`` HalfNormal of that sd. And of ``p_<name>``, by default
        Beta(1/2, 1/2).
    robust
        Patients scatter as a Student-t with 4 degrees of freedom instead of a Normal, so that single
        far values weigh less. ``level`` is then the centre of a symmetric scatter; an outcome with a
        bound is not symmetric near it, and is refused.

    Raises
    ------
    DoseOptError
        On doses that cannot be, another outcome, a prior that is missing or of an unknown parameter, or
        a robust scatter of a bounded outcome.

    Notes
    -----
    One sigma for all arms. Values of a bounded outcome heap at the bound and are not Normal; the mean
    of an arm is estimated all the same, with an error that the central limit theorem makes right for
    some 20 patients or more, and that of an arm whose values scatter less than those of the others is
    overstated. The mean is not confined to the bounds. The likelihood is that of
    :class:`~doseopt_bayes.models.response.ContinuousResponse`.

    The share of patients below the limit is counted: Binomial, and not read off the Normal, which heaped
    values do not follow. Mean and share are two analyses of the same values, each right by itself and
    independent in the draws, which the values are not: use one of them in a utility or joint margins.

    The posterior has ``mean_<name>`` (dose), in the unit of the outcome, and ``p_<name>`` (dose) =
    Pr(value < `outcome.below`), for margins, a ``CUI`` and ``together``.

    Examples
    --------
    >>> rdi = Measure("rdi", "RDI", unit="%", below=85, at_least=0, at_most=100)
    >>> print(ArmMeasure(doses=(15, 45), outcome=rdi, unit="mg"))
    ArmMeasure: rdi in the arms 15, 45 mg
      values ~ Normal(level, sigma), level in each arm by itself, one sigma for all arms
      patients below 85 % ~ Binomial(p_rdi), in each arm by itself
      mean_rdi: level, in %; p_rdi = Pr(rdi < 85 %)
      priors:
        level  ~ Normal(mean 50, sd 25), 95 % within 1 to 99
        sigma  ~ HalfNormal(sd 25), 95 % within 0.783 to 56
        p_rdi  ~ Beta(0.5 events, 0.5 others), 95 % within 0.00154 to 0.998
    """

    doses: tuple[float, ...]
    outcome: Measure
    unit: str = ""
    priors: Mapping[str, Prior] = field(default_factory=dict)
    robust: bool = False

    def __post_init__(self) -> None:
        defaults: dict[str, Prior] = dict.fromkeys((LEVEL, SCATTER), HalfNormal(1.0))
        if isinstance(self.outcome, Measure):
            share = names.probability(self.outcome.name)
            defaults = {**self._defaults(self.outcome), share: Beta(0.5, 0.5)}
        set_up(self, Measure, defaults)

    def _defaults(self, outcome: Measure) -> dict[str, Prior]:
        low, high = outcome.bounds
        bounded = (np.isfinite(low), np.isfinite(high))
        if self.robust and any(bounded):
            raise DoseOptError(
                f"ArmMeasure: {outcome.name} has a bound, near which values are not symmetric: the "
                "centre of a Student-t is not their mean",
                hint="robust=False: the mean of a Normal is the mean, whatever the shape",
            )
        if all(bounded):
            quarter = (high - low) / 4
            return {LEVEL: Normal((low + high) / 2, quarter), SCATTER: HalfNormal(quarter)}
        missing = [name for name in (LEVEL, SCATTER) if name not in self.priors]
        if missing:
            raise DoseOptError(
                f"ArmMeasure: {outcome.name} in {outcome.unit} has no two bounds to take a prior from; "
                f"missing: {', '.join(missing)}",
                hint='priors={"level": Normal(80, 20), "sigma": HalfNormal(20)}, in that unit',
            )
        return {LEVEL: self.priors[LEVEL], SCATTER: self.priors[SCATTER]}

    @property
    def endpoints(self) -> tuple[str, ...]:
        """Endpoints that it reads."""
        return self.outcome.endpoints

    @property
    def scale(self) -> str:
        """Scale of the parameters."""
        return f"{self.outcome.name} in {self.outcome.unit}."

    def build(self, data: ArmRecords) -> pm.Model:
        """Return the PyMC model: ``mean_<name>`` and the observed node ``y`` (patient).

        Raises
        ------
        DoseOptError
            When the data have other doses, another unit or another outcome.
        """
        import pymc as pm  # noqa: PLC0415

        o, frame = self.outcome, patients_of(self, data)
        values = frame["value"].to_numpy(dtype=float)
        where = np.asarray(frame["arm"], dtype="int64")
        treated = np.bincount(where, minlength=len(self.doses))
        below = np.bincount(where, values < o.below, minlength=len(self.doses)).astype("int64")
        share = names.probability(o.name)
        with pm.Model(coords=arm_coords(self)) as model:
            level = self.priors[LEVEL].build(LEVEL, (names.DOSE,))
            arm = pm.Data("arm", where, dims=names.PATIENT)
            if self.robust:
                sigma = self.priors[SCATTER].build(SCATTER)
                seen = pm.Data("y_seen", values, dims=names.PATIENT)
                at = level[arm]
                # a number for each patient: PyTensor 3.3 looks at the first parameter of a
                # distribution alone to see whether it is batched
                pm.StudentT("y", nu=HEAVY + 0 * at, mu=at, sigma=sigma, observed=seen)
                # labelled only: with a size of its own it could not be drawn in batches
                model.named_vars_to_dims["y"] = (names.PATIENT,)
            else:
                rows = xr.Dataset({"y": (names.PATIENT, values)})
                ContinuousResponse().observe(rows, level[arm], self.priors)
            p = self.priors[share].build(share, (names.DOSE,))
            n = pm.Data("n_analysed", treated, dims=names.DOSE)
            k = pm.Data("n_below", below, dims=names.DOSE)
            pm.Binomial("below", n=n, p=p, observed=k, dims=names.DOSE)
            pm.Deterministic(f"mean_{o.name}", level, dims=names.DOSE)
        return model

    def words(self) -> tuple[str, ...]:
        """Return the model's equations and choices, a sentence each."""
        family = f"Student-t({HEAVY:g} df, {LEVEL}, {SCATTER})" if self.robust else (
            f"Normal({LEVEL}, {SCATTER})"
        )  # fmt: skip
        o, share = self.outcome, names.probability(self.outcome.name)
        limit = f"{o.below:g} {o.unit}"
        return (
            f"values ~ {family}, {LEVEL} in each arm by itself, one {SCATTER} for all arms",
            f"patients below {limit} ~ Binomial({share}), in each arm by itself",
            f"mean_{o.name}: {LEVEL}, in {o.unit}; {share} = Pr({o.name} < {limit})",
        )

    def __str__(self) -> str:
        return described(f"ArmMeasure: {self.outcome.name} in the arms {dose_words(self)}", self)
