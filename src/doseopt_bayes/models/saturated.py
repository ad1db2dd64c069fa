"""The saturated model: each dose by itself, a reference for every curve."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal

import numpy as np

from doseopt_bayes import names
from doseopt_bayes.errors import DoseOptError, did_you_mean
from doseopt_bayes.models.association import COPULA_WORDS, gaussian_cells
from doseopt_bayes.models.groups import Built, checked_groups, sizes_of
from doseopt_bayes.models.joint import (
    checked_doses,
    checked_others,
    coordinates,
    described,
    observe,
)
from doseopt_bayes.models.tallied import counts_of
from doseopt_bayes.priors import Beta, Dirichlet, Normal

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pymc as pm

    from doseopt_bayes.data.trial import TrialData
    from doseopt_bayes.priors import Prior

__all__ = ["Saturated"]

PRIOR_ON: Final = ("cells", "margins")
PARAMETER: Final = "association"
ASSOCIATION: Final = Normal(0.0, 1.8)  # the latent correlation lies about evenly in -1..1


@dataclass(frozen=True)
class Saturated:
    """Joint outcomes of each dose without any curve: no dose borrows from another.

    Parameters
    ----------
    doses
        Candidate doses (> 0, distinct, at least two), in `unit`; any order, kept ascending.
    unit
        Unit of the doses, for example ``"mg"``.
    patients
        Prior patients at each dose, > 0: spread evenly over the four outcomes of toxicity and
        efficacy, and over event and no event of each further endpoint.
    prior_on
        What the prior patients of toxicity and efficacy stand for. ``"cells"``: the four joint
        outcomes, for patients of whom both are known. ``"margins"``: each endpoint by itself, for
        counts of events only; the cells then follow from the two rates and an association at each
        dose, whose prior is Normal(0, 1.8) under a Gaussian copula.
    others
        Names of further binary endpoints, independent of the pair and of each other at each dose.
    groups
        Pre-specified groups of patients, for example ``{"subgroup": ("laBCC", "mBCC")}``; no group
        borrows from another.

    Raises
    ------
    DoseOptError
        On doses that have no logarithm or are repeated, no prior patient, an unknown `prior_on`, or
        names that cannot be. With a prior on cells also on data (``build``) of which some dose has
        more patients whose two outcomes were counted apart than patients of whom both are known.

    Notes
    -----
    Multinomial outcomes with a Dirichlet prior at each dose: with complete data the posterior mean of
    a probability is (events + patients / 2) / (n + patients). One prior patient gives each probability
    the prior Beta(1/2, 1/2). At a dose without patients the prior is all there is.

    Where toxicity and efficacy were counted apart, that Dirichlet prior would move both rates: it
    favours cells near 0, and so p_tox near p_eff or near 1 - p_eff, far beyond the weight of its prior
    patients (by up to 0.014 in the arms of BOLT). With a prior on margins each rate has exactly the
    Beta posterior of its own counts, and the association keeps its prior.

    Examples
    --------
    >>> print(Saturated(doses=(15, 30, 45), unit="mg", others=("tolerability",)))
    Saturated: joint toxicity and efficacy at each of the doses 15, 30, 45 mg by itself
      p_cell at each dose: probabilities of neither, efficacy only, toxicity only, both; no curve
      p_tox, p_eff: sums of their cells
      p_tolerability at each dose: independent of toxicity and efficacy
      priors:
        p_cell          ~ Dirichlet(1 patients over 4 outcomes), each 95 % within 5.95e-07 to 0.964
        p_tolerability  ~ Beta(0.5 events, 0.5 others), 95 % within 0.00154 to 0.998
    >>> print(Saturated(doses=(200, 800), unit="mg", prior_on="margins"))
    Saturated: joint toxicity and efficacy at each of the doses 200, 800 mg by itself
      p_tox, p_eff at each dose: a rate each, with a prior of its own; no curve
      p_cell: of both rates, and their association at each dose (Gaussian copula, latent correlation tanh(association / 2); 0 is independence)
      priors:
        p_tox        ~ Beta(0.5 events, 0.5 others), 95 % within 0.00154 to 0.998
        p_eff        ~ Beta(0.5 events, 0.5 others), 95 % within 0.00154 to 0.998
        association  ~ Normal(mean 0, sd 1.8), 95 % within -3.53 to 3.53
    """  # noqa: E501

    doses: tuple[float, ...]
    unit: str = ""
    patients: float = 1.0
    others: tuple[str, ...] = ()
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    prior_on: Literal["cells", "margins"] = "cells"

    by_itself: ClassVar[bool] = True  # no dose and no group borrows from another

    def __post_init__(self) -> None:
        object.__setattr__(self, "doses", checked_doses("Saturated", self.doses))
        object.__setattr__(self, "others", checked_others("Saturated", self.others))
        object.__setattr__(self, "groups", checked_groups("Saturated", self.groups, {}))
        if not self.patients > 0:
            raise DoseOptError(
                f"Saturated: patients = {self.patients!r} must be > 0",
                hint="1 prior patient at each dose is a common choice",
            )
        if self.prior_on not in PRIOR_ON:
            raise DoseOptError(
                f"Saturated: prior_on = {self.prior_on!r} is unknown",
                hint=did_you_mean(str(self.prior_on), PRIOR_ON),
            )

    @property
    def priors(self) -> Mapping[str, Prior]:
        """Priors in force by parameter name."""
        half = self.patients / 2
        further: dict[str, Prior] = {names.probability(e): Beta(half, half) for e in self.others}
        if self.prior_on == "margins":
            pair = {names.probability(e): Beta(half, half) for e in (names.TOX, names.EFF)}
            return {**pair, **further, PARAMETER: ASSOCIATION}
        return {names.P_CELL: Dirichlet(self.patients, len(names.CELLS)), **further}

    @property
    def endpoints(self) -> tuple[str, ...]:
        """Endpoints that it reads."""
        return (names.TOX, names.EFF, *self.others)

    @property
    def scale(self) -> str:
        """Scale of the parameters."""
        said = "Probabilities at each dose; cells: N neither, E efficacy only, T toxicity only, B both."
        latent = f" {PARAMETER}: 2 artanh of the latent correlation."
        return said + latent * (self.prior_on == "margins")

    def build(self, data: TrialData) -> pm.Model:
        """Return the PyMC model of these data.

        ``p_cell`` (*groups, dose, cell) is a parameter, with a prior on margins ``p_tox``, ``p_eff``
        and ``association`` (*groups, dose); the rest is registered as in the other models.

        Raises
        ------
        DoseOptError
            As :meth:`refuse_apart`, and when the data do not fit the model.
        """
        import pymc as pm  # noqa: PLC0415

        counts = counts_of(self, data)
        priors = self.priors
        with pm.Model(coords=coordinates(self)) as model:
            lead = (*self.groups, names.DOSE)
            if self.prior_on == "margins":
                p_cell = self._cells_of_margins(lead)
            else:
                p_cell = priors[names.P_CELL].build(names.P_CELL, (*lead, names.CELL))
            others = {
                e: priors[names.probability(e)].build(names.probability(e), lead)
                for e in self.others
            }
            differ = self.endpoints if max(sizes_of(self.groups), default=1) > 1 else ()
            observe(counts, Built({}, self.groups), p_cell, others, differ)
        return model

    def _cells_of_margins(self, lead: tuple[str, ...]) -> Any:
        """Register both rates and their association, and return the cells that follow."""
        import pytensor.tensor as pt  # noqa: PLC0415

        priors = self.priors
        p = [priors[v].build(v, lead) for v in (names.P_TOX, names.P_EFF)]
        tox, eff = (pt.log(x) - pt.log1p(-x) for x in p)
        return gaussian_cells(tox, eff, priors[PARAMETER].build(PARAMETER, lead))

    def refuse_apart(self, both: np.ndarray, tox: np.ndarray, eff: np.ndarray) -> None:
        """Refuse counts under which a prior on cells would move both rates.

        Parameters
        ----------
        both, tox, eff
            Patients (..., dose) of whom both outcomes are known, toxicity alone, and efficacy alone.

        Raises
        ------
        DoseOptError
            At the first dose where toxicity and efficacy were each counted apart in more patients than
            are known with both; with a prior on margins never.
        """
        apart = np.minimum(tox, eff)
        if self.prior_on == "margins" or not (apart > both).any():
            return
        at = tuple(np.argwhere(apart > both)[0])
        dose = f"{self.doses[at[-1]]:g} {self.unit}".rstrip()
        raise DoseOptError(
            f"Saturated: at {dose} toxicity was counted in {tox[at]:.0f} and efficacy in {eff[at]:.0f} "
            f"patients whose other outcome is not known, and {both[at]:.0f} have both: a prior on cells "
            "would move both rates, beyond the weight of its prior patients",
            hint='prior_on = "margins" gives each rate its own Beta prior',
        )

    def words(self) -> tuple[str, ...]:
        """Return the model's equations and choices, a sentence each."""
        pair = (
            "p_cell at each dose: probabilities of neither, efficacy only, toxicity only, both; no curve",
            "p_tox, p_eff: sums of their cells",
        )
        if self.prior_on == "margins":
            pair = (
                "p_tox, p_eff at each dose: a rate each, with a prior of its own; no curve",
                f"p_cell: of both rates, and their association at each dose ({COPULA_WORDS['gaussian']})",
            )
        return (
            *pair,
            *(
                f"{names.probability(e)} at each dose: independent of toxicity and efficacy"
                for e in self.others
            ),
            *(f"{g}: {', '.join(v)}; each by itself" for g, v in self.groups.items()),
        )

    def __str__(self) -> str:
        doses = ", ".join(f"{d:g}" for d in self.doses)
        dose = f"{doses} {self.unit}".rstrip()
        head = f"Saturated: joint toxicity and efficacy at each of the doses {dose} by itself"
        return described(head, self)
