"""The saturated model: each dose by itself, a reference for every curve."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from doseopt_bayes import names
from doseopt_bayes.errors import DoseOptError
from doseopt_bayes.models.groups import Built, checked_groups, sizes_of
from doseopt_bayes.models.joint import (
    checked_doses,
    checked_others,
    coordinates,
    described,
    observe,
)
from doseopt_bayes.models.tallied import counts_of
from doseopt_bayes.priors import Beta, Dirichlet

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pymc as pm

    from doseopt_bayes.data.trial import TrialData
    from doseopt_bayes.priors import Prior

__all__ = ["Saturated"]


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
    others
        Names of further binary endpoints, independent of the pair and of each other at each dose.
    groups
        Pre-specified groups of patients, for example ``{"subgroup": ("laBCC", "mBCC")}``; no group
        borrows from another.

    Raises
    ------
    DoseOptError
        On doses that have no logarithm or are repeated, no prior patient, or names that cannot be.

    Notes
    -----
    Multinomial outcomes with a Dirichlet prior at each dose: with complete data the posterior mean of
    a probability is (events + patients / 2) / (n + patients). One prior patient gives each probability
    the prior Beta(1/2, 1/2). At a dose without patients the prior is all there is.

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
    """

    doses: tuple[float, ...]
    unit: str = ""
    patients: float = 1.0
    others: tuple[str, ...] = ()
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

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

    @property
    def priors(self) -> Mapping[str, Prior]:
        """Priors in force by parameter name."""
        half = self.patients / 2
        further: dict[str, Prior] = {names.probability(e): Beta(half, half) for e in self.others}
        return {names.P_CELL: Dirichlet(self.patients, len(names.CELLS)), **further}

    @property
    def endpoints(self) -> tuple[str, ...]:
        """Endpoints that it reads."""
        return (names.TOX, names.EFF, *self.others)

    @property
    def scale(self) -> str:
        """Scale of the parameters."""
        return "Probabilities at each dose; cells: N neither, E efficacy only, T toxicity only, B both."

    def build(self, data: TrialData) -> pm.Model:
        """Return the PyMC model of these data.

        ``p_cell`` (*groups, dose, cell) is a parameter; the rest is registered as in the other models.
        """
        import pymc as pm  # noqa: PLC0415

        counts = counts_of(self, data)
        priors = dict(self.priors)
        with pm.Model(coords=coordinates(self)) as model:
            lead = (*self.groups, names.DOSE)
            p_cell = priors.pop(names.P_CELL).build(names.P_CELL, (*lead, names.CELL))
            others = {
                e: priors[names.probability(e)].build(names.probability(e), lead)
                for e in self.others
            }
            differ = self.endpoints if max(sizes_of(self.groups), default=1) > 1 else ()
            observe(counts, Built({}, self.groups), p_cell, others, differ)
        return model

    def words(self) -> tuple[str, ...]:
        """Return the model's equations and choices, a sentence each."""
        return (
            "p_cell at each dose: probabilities of neither, efficacy only, toxicity only, both; no curve",
            "p_tox, p_eff: sums of their cells",
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
