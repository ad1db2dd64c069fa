"""Basket trials: the response of several groups of patients at one dose (Berry, EXNEX, Thall)."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from doseopt_bayes import names
from doseopt_bayes.errors import DoseOptError, did_you_mean
from doseopt_bayes.models.groups import build_parameters, checked_groups, group_words
from doseopt_bayes.models.joint import coordinates, described, observe_margins
from doseopt_bayes.models.tallied import margins_of
from doseopt_bayes.priors import HalfNormal, Normal, Pooled, RootInverseGamma, groupings_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pymc as pm

    from doseopt_bayes.data.trial import TrialData
    from doseopt_bayes.priors import Prior

__all__ = ["Basket", "berry_prior", "exnex_prior", "thall_prior"]

LOG_ODDS: Final = "log_odds"


@dataclass(frozen=True)
class Basket:
    """Probability of one binary endpoint in each group of patients, all treated at one dose.

    Parameters
    ----------
    dose
        The dose, > 0, in `unit`.
    prior
        Prior of ``log_odds``: :class:`~doseopt_bayes.priors.Pooled` over the grouping, ``Unpooled``,
        or a plain prior for one probability in all groups. :func:`berry_prior`,
        :func:`exnex_prior` and :func:`thall_prior` are the published ones.
    groups
        One or several groupings with their pre-specified levels.
    endpoint
        ``"eff"`` or ``"tox"``.
    targets
        Level of the only grouping to a probability whose log-odds are added to ``log_odds`` there, so
        that groups are exchangeable in their distance from their own target.
    unit
        Unit of the dose.

    Raises
    ------
    DoseOptError
        On a dose that is not positive, another endpoint, no groups, or targets that are no
        probabilities of the groups.

    Notes
    -----
    Thall et al. (2003), Statistics in Medicine 22:763; Berry et al. (2013), Clinical Trials 10:720;
    Neuenschwander et al. (2016), Pharmaceutical Statistics 15:123.

    Examples
    --------
    >>> print(Basket(400, berry_prior(target=0.2), {"subgroup": ("A", "B")}, unit="mg"))
    Basket: eff at 400 mg
      logit p_eff = log_odds
      subgroup: A, B; they differ in log_odds
      priors:
        log_odds  ~ Pooled over subgroup (non-centred): mean ~ Normal(mean -1.38629, sd 2.29129), \
95 % within -5.88 to 3.1; tau ~ HalfNormal(sd 1), 95 % within 0.0313 to 2.24; a new group 95 % \
within -6.3 to 3.52
    """

    dose: float
    prior: Prior
    groups: Mapping[str, tuple[str, ...]]
    endpoint: str = names.EFF
    targets: Mapping[str, float] = field(default_factory=dict)
    unit: str = ""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.dose) and self.dose > 0):
            raise DoseOptError(f"Basket: dose = {self.dose!r} must be > 0")
        if self.endpoint not in (names.TOX, names.EFF):
            raise DoseOptError(
                f"Basket: unknown endpoint '{self.endpoint}'",
                hint=did_you_mean(self.endpoint, (names.TOX, names.EFF)),
            )
        object.__setattr__(self, "groups", checked_groups("Basket", self.groups, self.priors))
        if not self.groups:
            raise DoseOptError("Basket: no groups", hint='groups = { subgroup = ["A", "B"] }')
        if self.targets and (len(self.groups) > 1 or set(self.targets) != set(self._levels)):
            raise DoseOptError(
                f"Basket: targets are for {', '.join(self.targets)}, the groups are "
                f"{', '.join(self._levels)}",
                hint="one target for each level of the only grouping",
            )
        for level, target in self.targets.items():
            if not 0 < target < 1:
                raise DoseOptError(
                    f"Basket: target of {level} = {target!r} must lie strictly between 0 and 1"
                )

    @property
    def _levels(self) -> tuple[str, ...]:
        return next(iter(self.groups.values()))

    @property
    def doses(self) -> tuple[float, ...]:
        """The one dose."""
        return (float(self.dose),)

    @property
    def priors(self) -> Mapping[str, Prior]:
        """Priors in force by parameter name."""
        return {LOG_ODDS: self.prior}

    @property
    def endpoints(self) -> tuple[str, ...]:
        """Endpoints that it reads."""
        return (self.endpoint,)

    @property
    def scale(self) -> str:
        """Scale of the parameters."""
        return "Logit scale."

    def build(self, data: TrialData) -> pm.Model:
        """Return the PyMC model: ``p_eff`` or ``p_tox`` (*groups, dose) and its observed node."""
        import numpy as np  # noqa: PLC0415
        import pymc as pm  # noqa: PLC0415
        import pytensor.tensor as pt  # noqa: PLC0415

        counts = margins_of(self, data)
        with pm.Model(coords=coordinates(self)) as model:
            b = build_parameters(self.priors, self.groups)
            logit = b.full(b[LOG_ODDS])
            if self.targets:
                target = np.array([self.targets[v] for v in self._levels])
                logit = logit + pm.Data("x", np.log(target / (1 - target))[:, None])
            differ = self.endpoints if groupings_of(self.prior) else ()
            observe_margins(counts, b, {self.endpoint: pt.sigmoid(logit)}, differ)
        return model

    def words(self) -> tuple[str, ...]:
        """Return the model's equation and choices, a sentence each."""
        p = names.probability(self.endpoint)
        said = [f"logit {p} = {LOG_ODDS}"]
        if self.targets:
            each = ", ".join(f"{k} {v:g}" for k, v in self.targets.items())
            said = [f"logit {p} = {LOG_ODDS} + logit of the target: {each}"]
        return (*said, *group_words(self.groups, self.priors))

    def __str__(self) -> str:
        dose = f"{self.dose:g} {self.unit}".rstrip()
        return described(f"Basket: {self.endpoint} at {dose}", self)


def _checked(target: float, n_worth: float) -> float:
    if not (0 < target < 1 and n_worth > 0):
        raise DoseOptError(
            f"target = {target!r} must lie strictly between 0 and 1, and n_worth = {n_worth!r} be > 0"
        )
    return 1 / (n_worth * target * (1 - target))


def berry_prior(
    *, target: float, n_worth: float = 1.0, tau: float = 1.0, over: str = "subgroup"
) -> Pooled:
    """Prior of Berry et al. (2013): all groups are exchangeable.

    Parameters
    ----------
    target
        Probability around which groups are centred, in (0, 1).
    n_worth
        Patients that the prior of one group is worth, > 0.
    tau
        Scale of the half-normal prior of the standard deviation between groups.
    over
        Grouping.

    Returns
    -------
    Pooled
        mean ~ Normal(logit(target), variance 1 / (n_worth target (1 - target)) - tau^2), the default
        of the R package bhmbasket.

    Raises
    ------
    DoseOptError
        When the variance that is left for the centre is not positive.
    """
    left = _checked(target, n_worth) - tau**2
    if left <= 0:
        raise DoseOptError(
            f"tau = {tau:g} leaves no variance for the centre of a prior worth {n_worth:g} patients",
            hint="a smaller tau or n_worth",
        )
    return Pooled(_around(target, left), HalfNormal(tau), over)


def exnex_prior(
    *,
    target: float,
    exchangeable: float = 0.5,
    n_worth: float = 1.0,
    tau: float = 1.0,
    over: str = "subgroup",
) -> Pooled:
    """Prior of Neuenschwander et al. (2016): a group belongs to the others, or stands apart.

    Parameters
    ----------
    target, n_worth, tau, over
        As for :func:`berry_prior`; a group apart has a prior worth `n_worth` patients around `target`.
    exchangeable
        Prior probability that a group belongs to the others, in (0, 1).
    """
    wide = _checked(target, n_worth)
    centre = berry_prior(target=target, n_worth=n_worth, tau=tau).mean
    return Pooled(
        centre, HalfNormal(tau), over, exchangeable=exchangeable, apart=_around(target, wide)
    )


def thall_prior(*, mean: float = -1.3863, precision: float = 0.1, over: str = "subgroup") -> Pooled:
    """Prior of Thall et al. (2003) as in the R package trialr: variance ~ InverseGamma(2, 20).

    Parameters
    ----------
    mean, precision
        Of the centre's Normal prior on the logit scale; -1.3863 is the logit of 0.2.
    over
        Grouping.

    Notes
    -----
    The prior median of the standard deviation between groups is 3.5 on the logit scale: groups borrow
    little. It is here to repeat published analyses.
    """
    return Pooled(Normal(mean, 1 / math.sqrt(precision)), RootInverseGamma(2, 20), over)


def _around(target: float, variance: float) -> Normal:
    return Normal(math.log(target / (1 - target)), math.sqrt(variance))
