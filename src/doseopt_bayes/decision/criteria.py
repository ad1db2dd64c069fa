"""Criteria: which admissible dose is the optimal biological dose, each by its own name."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol
from weakref import WeakKeyDictionary

import xarray as xr

from doseopt_bayes import names
from doseopt_bayes.decision.rules import RESOLVED
from doseopt_bayes.errors import DoseOptError

if TYPE_CHECKING:
    from collections.abc import Callable

    from doseopt_bayes.decision.rules import Verdict
    from doseopt_bayes.decision.utility import Utility
    from doseopt_bayes.inference.posterior import Posterior

__all__ = [
    "Choice",
    "Criterion",
    "LowestWithinDelta",
    "MaxProbOBD",
    "MeanUtility",
    "UtilityOfMeans",
    "best_in_each_draw",
    "contested",
    "highest",
    "mean_of",
]

STEP: Final = 1e-4  # of the derivatives of a plug-in
KINK: Final = 0.01  # slopes to both sides that differ by more than this share are a kink


@dataclass(frozen=True, eq=False)
class Choice:
    """What a criterion chose among the eligible doses.

    Parameters
    ----------
    value, mcse
        The criterion's number at each dose and its Monte Carlo error.
    order
        Doses are ranked by it, highest first.
    chosen
        True at the chosen dose; False everywhere when no dose is eligible or none meets the criterion.
    rivals
        True at other doses that Monte Carlo error alone could have made the choice.
    ties
        True at other doses whose number equals the chosen one's in every draw; the lower dose wins.
    near
        True at doses, eligible or not, that would be chosen or be rivals if they were eligible, all
        else the same. ``None`` for a criterion whose numbers depend on which doses compete.
    """

    value: xr.DataArray
    mcse: xr.DataArray
    order: xr.DataArray
    chosen: xr.DataArray
    rivals: xr.DataArray
    ties: xr.DataArray
    near: xr.DataArray | None = None


class Criterion(Protocol):
    """A frozen value that chooses a dose; ``str`` says how."""

    def choose(
        self, post: Posterior, utility: Utility, u: xr.DataArray, eligible: xr.DataArray
    ) -> Choice:
        """Choose among `eligible` doses, given the utility `u` of each draw and dose."""


def best_in_each_draw(u: xr.DataArray, eligible: xr.DataArray) -> xr.DataArray:
    """Mark the eligible dose with the highest utility of each draw; the lowest such dose on ties."""
    among = u.where(eligible)
    best = among == among.max(names.DOSE)
    return best & (best.cumsum(names.DOSE) == 1)


def contested(
    how: Criterion,
    post: Posterior,
    utility: Utility,
    u: xr.DataArray,
    verdict: Verdict,
    choice: Choice,
) -> xr.DataArray:
    """Mark doses whose verdict is within its Monte Carlo error, where the other one changes `choice`."""
    if choice.near is not None:
        nothing = ~choice.chosen.any(names.DOSE)
        gains = ~verdict.ok & (choice.near | nothing)
        return ~verdict.firm & (choice.chosen | gains)
    shaky = verdict.ok ^ verdict.ok
    for dose in u[names.DOSE].to_numpy():
        turn = ~verdict.firm & (verdict.firm[names.DOSE] == dose)
        if not bool(turn.any()):
            continue
        other = how.choose(post, utility, u, verdict.ok ^ turn)
        changed = (other.chosen != choice.chosen) | (other.rivals & turn)
        shaky = shaky | (turn & changed.any(names.DOSE))
    return shaky


def _argmax(value: xr.DataArray, eligible: xr.DataArray) -> xr.DataArray:
    return best_in_each_draw(value, eligible)


def highest(
    post: Posterior, value: xr.DataArray, influence: xr.DataArray, eligible: xr.DataArray
) -> Choice:
    """Choose the highest value; `influence` are draws whose mean carries the error of `value`."""
    chosen = _argmax(value, eligible)
    return _held(
        value, post.mcse(influence), post.mcse_of_gaps(influence, chosen), chosen, eligible
    )


def _held(
    value: xr.DataArray,
    mcse: xr.DataArray,
    error: xr.DataArray,
    chosen: xr.DataArray,
    eligible: xr.DataArray,
) -> Choice:
    """Hold the gaps to the chosen dose against their errors."""
    gap = value.where(chosen).sum(names.DOSE) - value
    others = eligible & ~chosen
    ties = others & (gap == 0) & (error == 0)
    rivals = others & ~ties & (gap <= RESOLVED * error)
    lower = chosen.cumsum(names.DOSE) == 0  # doses below the chosen one win a tie
    near = ((gap <= RESOLVED * error) & ((gap != 0) | (error != 0) | lower)) & ~chosen
    return Choice(value, mcse, value, chosen, rivals, ties, near)


def mean_of(
    utility: Utility,
) -> Callable[[Posterior], tuple[xr.DataArray, xr.DataArray]] | None:
    """Return what gives a utility's posterior mean and its error without draws, if it has that."""
    found: Callable[[Posterior], tuple[xr.DataArray, xr.DataArray]] | None
    found = getattr(utility, "mean", None)
    return found


@dataclass(frozen=True)
class UtilityOfMeans:
    """Highest utility at the posterior means of the probabilities (Thall and Cook 2004)."""

    def choose(
        self, post: Posterior, utility: Utility, u: xr.DataArray, eligible: xr.DataArray
    ) -> Choice:
        """Choose among `eligible` doses."""
        means = {name: post.expect(post[name]) for name in utility.reads}
        value = utility(means)
        chosen = _argmax(value, eligible)
        slopes, kinked = _slopes(utility, means, value)
        errors = None
        if not any(at for _, at, _ in slopes) and not (post.random and bool(kinked.any())):
            errors = post.errors_of_sum({name: slope for name, _, slope in slopes}, chosen)
        if errors is None:
            return highest(post, *utility_of_means(post, utility), eligible)
        return _held(value, *errors, chosen, eligible)

    def __str__(self) -> str:
        return "highest utility of the posterior mean probabilities (Thall and Cook)"


@dataclass(frozen=True)
class MeanUtility:
    """Highest posterior mean of the utility."""

    def choose(
        self, post: Posterior, utility: Utility, u: xr.DataArray, eligible: xr.DataArray
    ) -> Choice:
        """Choose among `eligible` doses."""
        mean = mean_of(utility)
        if mean is None or post.random:
            return highest(post, post.expect(u), u, eligible)
        value, mcse = mean(post)
        chosen = _argmax(value, eligible)
        gaps = (mcse.where(chosen, 0).sum(names.DOSE) + mcse).where(~chosen, 0.0)
        return _held(value, mcse, gaps, chosen, eligible)

    def __str__(self) -> str:
        return "highest posterior mean utility"


@dataclass(frozen=True)
class MaxProbOBD:
    """Highest posterior probability of having the highest utility among the admissible doses."""

    def choose(
        self, post: Posterior, utility: Utility, u: xr.DataArray, eligible: xr.DataArray
    ) -> Choice:
        """Choose among `eligible` doses."""
        best = best_in_each_draw(u, eligible)
        found = highest(post, post.prob(best), best.astype(float), eligible)
        return Choice(
            found.value, post.mcse(best), found.order, found.chosen, found.rivals, found.ties
        )

    def __str__(self) -> str:
        return "highest posterior probability of the highest utility among admissible doses"


@dataclass(frozen=True)
class LowestWithinDelta:
    """Lowest dose that gives up at most `delta` of utility against the best one.

    Parameters
    ----------
    delta
        Utility that may be given up, > 0, on the utility's own scale.
    certainty
        Posterior probability that the loss is at most `delta`, in (0, 1).

    Notes
    -----
    The best dose is the admissible one with the highest posterior mean utility.
    """

    delta: float
    certainty: float = 0.5

    def __post_init__(self) -> None:
        if not (math.isfinite(self.delta) and self.delta > 0):
            raise DoseOptError(f"delta = {self.delta!r} must be > 0, in units of the utility")
        if not 0 < self.certainty < 1:
            raise DoseOptError(f"certainty = {self.certainty!r} must lie strictly between 0 and 1")

    def choose(
        self, post: Posterior, utility: Utility, u: xr.DataArray, eligible: xr.DataArray
    ) -> Choice:
        """Choose among `eligible` doses."""
        best = MeanUtility().choose(post, utility, u, eligible)
        near, error, chosen, rivals = self._near(post, u, eligible, best.chosen)
        for other in u[names.DOSE].to_numpy():
            # Monte Carlo error may have named the wrong best dose: see what the right one would do
            here = best.rivals & (best.rivals[names.DOSE] == other)
            _, _, instead, contested = self._near(post, u, eligible, here)
            rivals = rivals | instead | contested
        order = best.value.where(~chosen, float("inf"))
        none = xr.zeros_like(chosen)
        return Choice(near, error, order, chosen, rivals & ~chosen, none)

    def _near(
        self, post: Posterior, u: xr.DataArray, eligible: xr.DataArray, best: xr.DataArray
    ) -> tuple[xr.DataArray, xr.DataArray, xr.DataArray, xr.DataArray]:
        """Return Pr(loss <= delta) and its error, the choice and the doses that error could choose."""
        exists = best.any(names.DOSE)
        loss = u.where(best).sum(names.DOSE) - u
        event = loss <= self.delta
        near, error = post.prob(event), post.mcse(event)
        sure = eligible & (best | (near - self.certainty > RESOLVED * error))
        passes = eligible & (best | (near >= self.certainty)) & exists
        possible = eligible & (best | (near - self.certainty > -RESOLVED * error)) & exists
        lowest_sure = u[names.DOSE].where(sure).min(names.DOSE)
        rivals = possible & (possible[names.DOSE] <= lowest_sure)
        return near, error, passes & (passes.cumsum(names.DOSE) == 1), rivals

    def __str__(self) -> str:
        return (
            f"lowest dose with Pr(utility lost against the best dose <= {self.delta:g}) "
            f">= {self.certainty:g}"
        )


def utility_of_means(post: Posterior, utility: Utility) -> tuple[xr.DataArray, xr.DataArray]:
    """Utility at the posterior means, and draws whose mean has the same Monte Carlo error.

    The draws are directional derivatives of the utility at the means towards each draw (infinitesimal
    jackknife): they make the error of a plug-in number as honest as that of a mean.
    """
    kept = _MEANS.get(post)
    if kept is not None and kept[0] is utility:
        return kept[1], kept[2]
    means = {name: post.expect(post[name]) for name in utility.reads}
    value = utility(means)
    slopes, kinked = _slopes(utility, means, value)
    influence = xr.zeros_like(value)
    for name, at, slope in slopes:
        influence = influence + slope * (
            post[name].sel(at, drop=True) - means[name].sel(at, drop=True)
        )
    if bool(kinked.any()):
        towards = {n: (1 - STEP) * means[n] + STEP * post[n] for n in utility.reads}
        influence = influence.where(~kinked, (utility(towards) - value) / STEP)
    _MEANS[post] = (utility, value, influence)
    return value, influence


# one entry for each posterior that still lives: every choice among other doses asks the same
_MEANS: WeakKeyDictionary[Posterior, tuple[Utility, xr.DataArray, xr.DataArray]] = (
    WeakKeyDictionary()
)


def _slopes(
    utility: Utility, means: dict[str, xr.DataArray], value: xr.DataArray
) -> tuple[list[tuple[str, dict[str, Any], xr.DataArray]], xr.DataArray]:
    """Slopes of the utility at the means, and where it has a kink, so that they do not hold.

    Much cheaper than the utility of every draw: it needs as many utilities of means as it has inputs.

    Returns
    -------
    tuple
        For each input its name, its label beyond the dims of `value` (if any) and its slope, at a kink
        the steeper one; over the dims of `value` without dose, whether some dose is at a kink. Each
        posterior is looked at by itself, whatever stands beside it.
    """
    found: list[tuple[str, dict[str, Any], xr.DataArray]] = []
    kinked = xr.zeros_like(value, dtype=bool)
    for name, mean in means.items():
        rest = [d for d in mean.dims if d not in value.dims]
        if len(rest) > 1:
            return [], xr.ones_like(value, dtype=bool).any(names.DOSE)
        for label in mean[rest[0]].to_numpy() if rest else [None]:
            at = {} if label is None else {str(rest[0]): label}
            only = xr.ones_like(mean) if label is None else (mean[rest[0]] == label).astype(float)
            up, down = (
                (utility({**means, name: mean + step * only}) - value) / step
                for step in (STEP, -STEP)
            )
            here = abs(up - down) > KINK * (abs(up) + abs(down)) + 1e-9
            kinked = kinked | here
            steeper = xr.where(abs(up) > abs(down), up, down)
            found.append((name, at, ((up + down) / 2).where(~here, steeper)))
    return found, kinked.any(names.DOSE)
