"""EffTox: joint toxicity and efficacy of each candidate dose (Thall and Cook 2004)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from doseopt_bayes import names
from doseopt_bayes.errors import DoseOptError, did_you_mean
from doseopt_bayes.models.association import COPULA_WORDS, COPULAS
from doseopt_bayes.models.groups import build_parameters, checked_groups, group_words
from doseopt_bayes.models.joint import (
    checked_doses,
    checked_others,
    coordinates,
    described,
    observe,
)
from doseopt_bayes.models.tallied import counts_of
from doseopt_bayes.priors import groupings_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pymc as pm

    from doseopt_bayes.data.trial import TrialData
    from doseopt_bayes.priors import Prior

__all__ = ["EffTox"]


@dataclass(frozen=True)
class EffTox:
    """Joint toxicity-efficacy model over real, log-centred doses.

    Parameters
    ----------
    doses
        Candidate doses (> 0, distinct, at least two), in `unit`; any order, kept ascending.
    priors
        One :class:`~doseopt_bayes.priors.Prior` for each of ``EffTox.parameters``, and for each
        endpoint of `others` its ``_intercept``, ``_slope`` and, where wanted, ``_curvature``.
    unit
        Unit of the doses, for example ``"mg"``.
    monotone_tox
        Whether toxicity cannot fall with dose: the prior of ``tox_slope`` is then truncated at 0.
        The published model leaves the slope free.
    copula
        ``"gumbel_morgenstern"``, the published association, whose correlation cannot exceed 0.25, or
        ``"gaussian"``, which can be as strong as the margins allow.
    others
        Names of further binary endpoints, for example ``("discontinuation",)``: a logistic curve
        each, independent of the pair and of each other given the dose.
    groups
        Pre-specified groups of patients, for example ``{"subgroup": ("laBCC", "mBCC")}``. A parameter
        differs between them when its prior is :class:`~doseopt_bayes.priors.Pooled` or ``Unpooled``
        over the grouping; any other is one number for all. Every probability then lies over the
        groups too.

    Raises
    ------
    DoseOptError
        On doses that have no logarithm or are repeated, an unknown copula, names that cannot be, on
        missing or unknown priors, and on priors over groups that the model does not have.

    Notes
    -----
    Thall and Cook (2004); equations as in trialr (``EffTox.stan``). Patients with both outcomes enter
    as multinomial counts over cells; patients or arms with one known outcome enter through the margin
    of the same cells, which assumes that an outcome is missing independently of its value.

    Examples
    --------
    >>> from doseopt_bayes.models.presets import EFFTOX_THALL2014
    >>> model = EffTox(doses=(1, 2, 4, 6.6, 10), priors=EFFTOX_THALL2014, unit="mg")
    >>> print(model)
    EffTox: joint toxicity and efficacy at doses 1, 2, 4, 6.6, 10 mg
      x = log(dose) - mean of log(candidate doses)
      logit p_tox = tox_intercept + tox_slope * x
      logit p_eff = eff_intercept + eff_slope * x + eff_curvature * x^2
      association: Gumbel-Morgenstern, tanh(association / 2); 0 is independence
      toxicity may fall with dose (slope not restricted)
      priors:
        tox_intercept  ~ Normal(mean -7.9593, sd 3.5487), 95 % within -14.9 to -1
        tox_slope      ~ Normal(mean 1.5482, sd 3.5018), 95 % within -5.32 to 8.41
        eff_intercept  ~ Normal(mean 0.7367, sd 2.5423), 95 % within -4.25 to 5.72
        eff_slope      ~ Normal(mean 3.4181, sd 2.4406), 95 % within -1.37 to 8.2
        eff_curvature  ~ Normal(mean 0, sd 0.2), 95 % within -0.392 to 0.392
        association    ~ Normal(mean 0, sd 1), 95 % within -1.96 to 1.96
    """

    doses: tuple[float, ...]
    priors: Mapping[str, Prior]
    unit: str = ""
    monotone_tox: bool = False
    copula: Literal["gumbel_morgenstern", "gaussian"] = "gumbel_morgenstern"
    others: tuple[str, ...] = ()
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    parameters: ClassVar[tuple[str, ...]] = (
        "tox_intercept",
        "tox_slope",
        "eff_intercept",
        "eff_slope",
        "eff_curvature",
        "association",
    )

    def __post_init__(self) -> None:
        object.__setattr__(self, "doses", checked_doses("EffTox", self.doses))
        object.__setattr__(self, "others", checked_others("EffTox", self.others))
        if self.copula not in COPULAS:
            raise DoseOptError(
                f"EffTox: unknown copula '{self.copula}'",
                hint=did_you_mean(self.copula, list(COPULAS)),
            )
        needed = [
            *self.parameters,
            *(f"{e}_{b}" for e in self.others for b in ("intercept", "slope")),
        ]
        known = [*needed, *(f"{e}_curvature" for e in self.others)]
        for name in self.priors:
            if name not in known:
                raise DoseOptError(
                    f"EffTox has no parameter '{name}'", hint=did_you_mean(name, known)
                )
        missing = [name for name in needed if name not in self.priors]
        if missing:
            raise DoseOptError(
                f"EffTox: no prior for {', '.join(missing)}",
                hint="every parameter needs a proper prior",
            )
        priors = {name: self.priors[name] for name in known if name in self.priors}
        if self.monotone_tox:
            priors["tox_slope"] = priors["tox_slope"].positive()
        object.__setattr__(self, "priors", priors)
        object.__setattr__(self, "groups", checked_groups("EffTox", self.groups, priors))

    @property
    def endpoints(self) -> tuple[str, ...]:
        """Endpoints that it reads."""
        return (names.TOX, names.EFF, *self.others)

    @property
    def scale(self) -> str:
        """Scale and unit of the parameters."""
        return "Logit scale; slopes per unit of log dose."

    def build(self, data: TrialData) -> pm.Model:
        """Return the PyMC model of these data.

        Registers ``p_cell`` (*groups, dose, cell), ``p_tox``, ``p_eff`` and ``p_`` of each further
        endpoint (*groups, dose), and the observed nodes ``outcomes`` (*groups, dose, cell) and
        ``tox_only``, ``eff_only`` ... (*groups, dose), all from those probabilities.
        """
        import pymc as pm  # noqa: PLC0415
        import pytensor.tensor as pt  # noqa: PLC0415

        counts = counts_of(self, data)
        with pm.Model(coords=coordinates(self)) as model:
            log_dose = np.log(np.array(self.doses))
            x = pm.Data("x", log_dose - log_dose.mean(), dims=names.DOSE)
            b = build_parameters(self.priors, self.groups)

            logit = {e: b[f"{e}_intercept"] + b[f"{e}_slope"] * x for e in self.endpoints}
            for e in self.endpoints:
                if f"{e}_curvature" in b:
                    logit[e] = logit[e] + b[f"{e}_curvature"] * x**2
            logit = {e: b.full(y) for e, y in logit.items()}
            cells = COPULAS[self.copula](logit[names.TOX], logit[names.EFF], b["association"])
            others = {e: pt.sigmoid(logit[e]) for e in self.others}
            observe(counts, b, cells, others, self._differ())
        return model

    def _differ(self) -> tuple[str, ...]:
        """Endpoints that are not the same in all groups."""
        curves = ("intercept", "slope", "curvature")
        return tuple(
            e
            for e in self.endpoints
            if any(groupings_of(self.priors[p]) for c in curves if (p := f"{e}_{c}") in self.priors)
        )

    def words(self) -> tuple[str, ...]:
        """Return the model's equations, links and choices, a sentence each."""
        slope = (
            "toxicity cannot fall with dose (slope prior truncated at 0)"
            if self.monotone_tox
            else "toxicity may fall with dose (slope not restricted)"
        )
        return (
            "x = log(dose) - mean of log(candidate doses)",
            "logit p_tox = tox_intercept + tox_slope * x",
            "logit p_eff = eff_intercept + eff_slope * x + eff_curvature * x^2",
            *(self._curve(e) for e in self.others),
            f"association: {COPULA_WORDS[self.copula]}",
            slope,
            *group_words(self.groups, self.priors),
        )

    def _curve(self, endpoint: str) -> str:
        said = f"logit p_{endpoint} = {endpoint}_intercept + {endpoint}_slope * x"
        if f"{endpoint}_curvature" in self.priors:
            said += f" + {endpoint}_curvature * x^2"
        return f"{said}, independent of toxicity and efficacy given the dose"

    def __str__(self) -> str:
        doses = ", ".join(f"{d:g}" for d in self.doses)
        head = f"EffTox: joint toxicity and efficacy at doses {doses} {self.unit}".rstrip()
        return described(head, self)
