"""Criteria by regret and by size of effect: how little dose is enough, and how little is lost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import xarray as xr

from doseopt_bayes import names
from doseopt_bayes.decision.criteria import Choice, MeanUtility
from doseopt_bayes.decision.rules import RESOLVED
from doseopt_bayes.decision.utility import percent_hint
from doseopt_bayes.errors import DoseOptError

if TYPE_CHECKING:
    from doseopt_bayes.decision.utility import Utility
    from doseopt_bayes.inference.posterior import Posterior

__all__ = ["FractionOfMaxEffect", "MinExpectedRegret", "MinimumEffectiveDose"]

FIRST: Final = float("inf")


def _check_probability(kind: object, **numbers: float) -> None:
    for name, p in numbers.items():
        if not 0 < p < 1:
            raise DoseOptError(
                f"{type(kind).__name__}: {name} = {p!r} must lie strictly between 0 and 1",
                hint=percent_hint(p),
            )


@dataclass(frozen=True)
class MinExpectedRegret:
    """Lowest posterior mean of the utility lost against the best admissible dose of each draw.

    Notes
    -----
    The best utility of a draw is the same for every dose, so this dose is always that of
    ``mean_utility``. What it adds is its number: how much is still to be won by knowing better
    (the expected value of perfect information, Raiffa and Schlaifer 1961).
    """

    def choose(
        self, post: Posterior, utility: Utility, u: xr.DataArray, eligible: xr.DataArray
    ) -> Choice:
        """Choose among `eligible` doses; ``value`` is the expected regret, NaN elsewhere."""
        found = MeanUtility().choose(post, utility, u, eligible)
        regret = u.where(eligible).max(names.DOSE) - u.where(eligible)
        value = post.expect(regret)
        error = post.mcse(regret.fillna(0.0)).where(eligible)
        made: Choice = Choice(value, error, -value, found.chosen, found.rivals, found.ties)
        return made

    def __str__(self) -> str:
        return "lowest expected loss of utility against the best admissible dose"


@dataclass(frozen=True)
class FractionOfMaxEffect:
    """Lowest dose that reaches a fraction of the highest efficacy, with enough certainty.

    Parameters
    ----------
    fraction
        Share of the efficacy of the most effective dose that is enough, in (0, 1).
    certainty
        Posterior probability of reaching it, in (0, 1).

    Raises
    ------
    DoseOptError
        On a number outside (0, 1).

    Notes
    -----
    The most effective dose is the admissible one with the highest posterior mean of p_eff; it always
    qualifies. Utility plays no part. After the relative target of the dual-endpoint rule of the R
    package crmPack, which counts a biomarker instead of p_eff.
    """

    fraction: float
    certainty: float = 0.5

    def __post_init__(self) -> None:
        _check_probability(self, fraction=self.fraction, certainty=self.certainty)

    def choose(
        self, post: Posterior, utility: Utility, u: xr.DataArray, eligible: xr.DataArray
    ) -> Choice:
        """Choose among `eligible` doses; ``value`` is Pr(the fraction is reached)."""
        eff = post[names.P_EFF]
        top: Choice = MeanUtility().choose(post, utility, eff, eligible)
        reached, error, chosen, rivals = self._reach(post, eff, eligible, top.chosen)
        for dose in eff[names.DOSE].to_numpy():
            # Monte Carlo error may have named the wrong top dose: see what the right one would do
            here = top.rivals & (top.rivals[names.DOSE] == dose)
            _, _, instead, contested = self._reach(post, eff, eligible, here)
            rivals = rivals | instead | contested
        order = reached.where(~chosen, FIRST)
        none = xr.zeros_like(chosen)
        made: Choice = Choice(reached, error, order, chosen, rivals & ~chosen, none)
        return made

    def _reach(
        self, post: Posterior, eff: xr.DataArray, eligible: xr.DataArray, top: xr.DataArray
    ) -> tuple[xr.DataArray, xr.DataArray, xr.DataArray, xr.DataArray]:
        """Return Pr(reached) and its error, the choice and the doses that error could choose."""
        exists = top.any(names.DOSE)
        event = eff >= self.fraction * eff.where(top).sum(names.DOSE)
        reached, error = post.prob(event).where(exists), post.mcse(event).where(exists)
        gap, slack = reached - self.certainty, RESOLVED * error
        passes = eligible & (top | (gap >= 0)) & exists
        sure = eligible & (top | (gap > slack)) & exists
        possible = eligible & (top | (gap > -slack)) & exists
        lowest_sure = eff[names.DOSE].where(sure).min(names.DOSE)
        rivals = possible & (possible[names.DOSE] <= lowest_sure)
        return reached, error, passes & (passes.cumsum(names.DOSE) == 1), rivals

    def __str__(self) -> str:
        return (
            f"lowest dose with Pr(p_eff >= {self.fraction:g} of that of the most effective "
            f"admissible dose) >= {self.certainty:g}"
        )


@dataclass(frozen=True)
class MinimumEffectiveDose:
    """Highest posterior probability of being the lowest admissible dose that is effective.

    Parameters
    ----------
    threshold
        A dose is effective when its p_eff exceeds this probability, in (0, 1).
    certainty
        No dose is chosen unless Pr(some admissible dose is effective) >= certainty, in (0, 1).

    Raises
    ------
    DoseOptError
        On a number outside (0, 1).

    Notes
    -----
    The posterior of the minimum effective dose: its probabilities and that of "no dose" sum to 1.
    Utility plays no part. The chosen dose may itself be less certain to be effective than a higher
    one; the rule ``Active`` sets a limit for that.
    """

    threshold: float
    certainty: float = 0.5

    def __post_init__(self) -> None:
        _check_probability(self, threshold=self.threshold, certainty=self.certainty)

    def choose(
        self, post: Posterior, utility: Utility, u: xr.DataArray, eligible: xr.DataArray
    ) -> Choice:
        """Choose among `eligible` doses; ``value`` is Pr(minimum effective dose)."""
        effective = (post[names.P_EFF] > self.threshold) & eligible
        first = effective & (effective.cumsum(names.DOSE) == 1)
        found = MeanUtility().choose(post, utility, first.astype(float), eligible)
        value, error = post.prob(first), post.mcse(first)
        some = effective.any(names.DOSE)
        gap = post.prob(some) - self.certainty
        open_ = (abs(gap) <= RESOLVED * post.mcse(some)) & eligible.any(names.DOSE)
        passes = gap >= 0
        chosen = found.chosen & passes
        # when "no dose" could be the answer, or some dose could be in its stead, nothing is resolved
        rivals = xr.where(
            passes, found.rivals | (found.chosen & open_), (found.rivals | found.chosen) & open_
        ).astype(bool)
        made: Choice = Choice(value, error, value, chosen, rivals, found.ties & passes)
        return made

    def __str__(self) -> str:
        return (
            "highest posterior probability of being the lowest admissible dose with p_eff > "
            f"{self.threshold:g}, if Pr(there is one) >= {self.certainty:g}"
        )
