"""The two-parameter Bayesian logistic regression model (BLRM) of toxicity."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from doseopt_bayes import names
from doseopt_bayes.errors import DoseOptError, did_you_mean
from doseopt_bayes.models.groups import Built, build_parameters, checked_groups, group_words
from doseopt_bayes.models.joint import checked_doses, coordinates, described, observe_margins
from doseopt_bayes.models.tallied import margins_of
from doseopt_bayes.priors import Normal, groupings_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pymc as pm

    from doseopt_bayes.data.trial import TrialData
    from doseopt_bayes.priors import Prior

__all__ = ["BLRM"]


@dataclass(frozen=True)
class BLRM:
    """Logistic curve of toxicity over the logarithm of real doses; reads toxicity alone.

    Parameters
    ----------
    doses
        Candidate doses (> 0, distinct, at least two), in `unit`; any order, kept ascending.
    reference
        Reference dose > 0, in `unit`, at which the log-odds of toxicity are ``log_alpha``.
    priors
        One :class:`~doseopt_bayes.priors.Prior` for each of ``BLRM.parameters``: ``log_alpha``, the
        log-odds of toxicity at the reference dose, and ``log_beta``, the log of the slope per unit of
        log dose.
    correlation
        Prior correlation of the two, in (-1, 1). Other than 0 it makes them bivariate Normal, and both
        priors must be Normal and not truncated.
    unit
        Unit of the doses, for example ``"mg"``.
    groups
        Pre-specified groups of patients, for example ``{"subgroup": ("NSCLC", "CRC")}``. A parameter
        differs between them when its prior is :class:`~doseopt_bayes.priors.Pooled` or ``Unpooled``
        over the grouping; pooled ones are correlated by their label ``together``.

    Raises
    ------
    DoseOptError
        On doses or a reference that are not positive, missing or unknown priors, or a correlation that
        cannot be.

    Notes
    -----
    Neuenschwander, Branson and Gsponer (2008), Statistics in Medicine 27:2420, equation (1); so the R
    packages OncoBayes2 (``blrm_exnex``, one drug, no hierarchy) and crmPack (``LogisticLogNormal``).
    The bivariate Normal is written as log_alpha and log_beta given log_alpha, which is the same
    density.

    Examples
    --------
    >>> from doseopt_bayes.models.presets import BLRM_SINGLE_AGENT
    >>> print(BLRM(doses=(1, 5, 25), reference=50, priors=BLRM_SINGLE_AGENT, unit="mg"))
    BLRM: toxicity at doses 1, 5, 25 mg
      logit p_tox = log_alpha + exp(log_beta) * log(dose / 50 mg)
      toxicity cannot fall with dose
      log_alpha and log_beta are independent in the prior
      priors:
        log_alpha  ~ Normal(mean 0, sd 2), 95 % within -3.92 to 3.92
        log_beta   ~ Normal(mean 0, sd 1), 95 % within -1.96 to 1.96
    """

    doses: tuple[float, ...]
    reference: float
    priors: Mapping[str, Prior]
    correlation: float = 0.0
    unit: str = ""
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    parameters: ClassVar[tuple[str, ...]] = ("log_alpha", "log_beta")

    def __post_init__(self) -> None:
        object.__setattr__(self, "doses", checked_doses("BLRM", self.doses))
        if not (math.isfinite(self.reference) and self.reference > 0):
            raise DoseOptError(
                f"BLRM: reference = {self.reference!r} must be a dose > 0",
                hint="in the unit of the candidate doses",
            )
        for name in self.priors:
            if name not in self.parameters:
                raise DoseOptError(
                    f"BLRM has no parameter '{name}'", hint=did_you_mean(name, self.parameters)
                )
        missing = [name for name in self.parameters if name not in self.priors]
        if missing:
            raise DoseOptError(
                f"BLRM: no prior for {', '.join(missing)}",
                hint="every parameter needs a proper prior",
            )
        object.__setattr__(self, "priors", {name: self.priors[name] for name in self.parameters})
        if not -1 < self.correlation < 1:
            raise DoseOptError(
                f"BLRM: correlation = {self.correlation!r} must lie strictly between -1 and 1",
                hint="covariance / (sd of log_alpha * sd of log_beta)",
            )
        plain = all(isinstance(p, Normal) and p.lower is None for p in self.priors.values())
        if self.correlation and not plain:
            raise DoseOptError(
                "BLRM: correlated priors must both be Normal and not truncated",
                hint="correlation = 0, or Normal priors; pooled ones are correlated by `together`",
            )
        object.__setattr__(self, "groups", checked_groups("BLRM", self.groups, self.priors))

    @property
    def endpoints(self) -> tuple[str, ...]:
        """Endpoints that it reads."""
        return (names.TOX,)

    @property
    def scale(self) -> str:
        """Scale and unit of the parameters."""
        return "log_alpha on the logit scale; log_beta the log of the slope per unit of log dose."

    def build(self, data: TrialData) -> pm.Model:
        """Return the PyMC model of these data.

        Registers ``p_tox`` (*groups, dose) and the observed node ``tox_only`` (*groups, dose), the
        events among all patients whose toxicity is known.
        """
        import pymc as pm  # noqa: PLC0415
        import pytensor.tensor as pt  # noqa: PLC0415

        counts = margins_of(self, data)
        with pm.Model(coords=coordinates(self)) as model:
            x = pm.Data("x", np.log(np.array(self.doses) / self.reference), dims=names.DOSE)
            b = self._parameters()
            p = pt.sigmoid(b.full(b["log_alpha"] + pt.exp(b["log_beta"]) * x))
            differ = any(map(groupings_of, self.priors.values()))
            observe_margins(counts, b, {names.TOX: p}, (names.TOX,) * differ)
        return model

    def _parameters(self) -> Built:
        """Register both parameters, log_beta given log_alpha where they are correlated."""
        import pymc as pm  # noqa: PLC0415

        if not self.correlation:
            return build_parameters(self.priors, self.groups)
        first, second = (self.priors[name] for name in self.parameters)
        assert isinstance(first, Normal)  # noqa: S101  (checked when the recipe was made)
        assert isinstance(second, Normal)  # noqa: S101
        slope = self.correlation * second.sd / first.sd
        rest = second.sd * math.sqrt(1 - self.correlation**2)
        log_alpha = first.build("log_alpha")
        mean = second.mean + slope * (log_alpha - first.mean)
        log_beta = pm.Normal("log_beta", mu=mean, sigma=rest)
        return Built({"log_alpha": log_alpha, "log_beta": log_beta}, self.groups)

    def words(self) -> tuple[str, ...]:
        """Return the model's equations and choices, a sentence each."""
        reference = f"{self.reference:g} {self.unit}".rstrip()
        together = (
            f"log_alpha and log_beta are bivariate Normal with correlation {self.correlation:.4g}"
            if self.correlation
            else "log_alpha and log_beta are independent in the prior"
        )
        return (
            f"logit p_tox = log_alpha + exp(log_beta) * log(dose / {reference})",
            "toxicity cannot fall with dose",
            together,
            *group_words(self.groups, self.priors),
        )

    def __str__(self) -> str:
        doses = ", ".join(f"{d:g}" for d in self.doses)
        head = f"BLRM: toxicity at doses {doses} {self.unit}".rstrip()
        return described(head, self)
