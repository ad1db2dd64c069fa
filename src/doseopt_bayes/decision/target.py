"""Utilities of designs that look at toxicity alone: inside a target interval, or close to a target."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from doseopt_bayes import names
from doseopt_bayes.decision.utility import percent_hint
from doseopt_bayes.errors import DoseOptError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

    import xarray as xr

    from doseopt_bayes.inference.posterior import Posterior

__all__ = ["ClosestToTarget", "TargetInterval"]

TIE: Final = 1e-6  # far below any Monte Carlo error
LOSSES: Final = ("absolute", "squared")


@dataclass(frozen=True)
class TargetInterval:
    """1 when the probability of toxicity lies in (low, high], else 0.

    Its posterior mean is the probability of the target interval, so that ``mean_utility`` takes the
    dose that is most probably on target. Doses that would be worth the same in a draw are told apart by
    their distance from the middle of the interval, at 1e-6 of utility: Pr(OBD) is the probability of
    being the dose that is closest to the middle.

    Parameters
    ----------
    low, high
        Ends of the target interval, 0 <= low < high < 1.

    Raises
    ------
    DoseOptError
        On ends that are no interval of probabilities.

    Notes
    -----
    Neuenschwander, Branson and Gsponer (2008); with :class:`~doseopt_bayes.decision.rules.EWOC` the
    rule of the R packages OncoBayes2 (0.16 to 0.33) and crmPack (0.2 to 0.35).

    Examples
    --------
    >>> import xarray as xr
    >>> u = TargetInterval(0.16, 0.33)
    >>> u({"p_tox": xr.DataArray([0.1, 0.16, 0.2, 0.33, 0.4])}).values.round(5).tolist()
    [0.0, 0.0, 1.0, 1.0, 0.0]
    """

    low: float
    high: float

    reads = (names.P_TOX,)

    def __post_init__(self) -> None:
        if not 0 <= self.low < self.high < 1:
            raise DoseOptError(
                f"TargetInterval: low = {self.low!r} and high = {self.high!r} need 0 <= low < high < 1",
                hint=percent_hint(self.low, self.high),
            )

    @property
    def bounds(self) -> dict[str, tuple[float, float]]:
        """The target interval with what lies below and above it, by name."""
        below = {"under": (0.0, self.low)} if self.low > 0 else {}
        return {**below, "target": (self.low, self.high), "over": (self.high, 1.0)}

    def __call__(self, draws: Mapping[str, xr.DataArray] | xr.Dataset) -> xr.DataArray:
        """Utility of each draw, with the dims of its input: within 1e-6 of 0 or 1, inside 0..1."""
        tox = draws[names.P_TOX]
        inside = ((tox > self.low) & (tox <= self.high)).astype(float)
        near = 1 - abs(tox - (self.low + self.high) / 2)
        return ((1 - TIE) * inside + TIE * near).rename(None)

    def mean(self, post: Posterior) -> tuple[xr.DataArray, xr.DataArray]:
        """Posterior mean of the utility and its error, from the posterior's own interval probability.

        On draws it is the mean of ``self(draws)``; on a grid it is exact where draws would count.
        """
        inside, error = post.between(names.P_TOX, self.low, self.high)
        near = 1 - abs(post[names.P_TOX] - (self.low + self.high) / 2)
        return (1 - TIE) * inside + TIE * post.expect(near), error

    def words(self) -> tuple[str, ...]:
        """Return what it says, a sentence each."""
        return (
            f"u = 1 when {self.low:g} < p_tox <= {self.high:g}, else 0",
            "its posterior mean is the probability of the target interval; it reads toxicity alone",
            f"equal doses of a draw: the one closest to the middle of the interval, by {TIE:g}",
        )

    def __str__(self) -> str:
        return "\n  ".join(["Target interval of toxicity", *self.words()])


@dataclass(frozen=True)
class ClosestToTarget:
    """Minus the distance of the probability of toxicity from a target; at most 0.

    Parameters
    ----------
    target
        Probability of toxicity that is aimed at, in (0, 1).
    loss
        ``"absolute"``: u = -abs(p_tox - target). ``"squared"``: u = -(p_tox - target)^2.

    Raises
    ------
    DoseOptError
        On a target that is no probability, or an unknown loss.

    Notes
    -----
    The criterion decides what is closest, and public programs differ: ``mean_utility`` takes the lowest
    expected loss over the posterior; ``utility_of_means`` the dose whose posterior mean toxicity is
    closest (R package trialr); ``utility_at_mean_parameter`` the dose whose toxicity at the posterior
    mean of the parameter is closest (O'Quigley, Pepe and Fisher 1990; R package dfcrm). For the last
    two both losses choose the same dose.

    Examples
    --------
    >>> import xarray as xr
    >>> u = ClosestToTarget(0.25)
    >>> u({"p_tox": xr.DataArray([0.05, 0.25, 0.5])}).values.round(12).tolist()
    [-0.2, 0.0, -0.25]
    """

    target: float
    loss: Literal["absolute", "squared"] = "absolute"

    reads = (names.P_TOX,)

    def __post_init__(self) -> None:
        if not 0 < self.target < 1:
            raise DoseOptError(
                f"ClosestToTarget: target = {self.target!r} must lie strictly between 0 and 1",
                hint=percent_hint(self.target),
            )
        if self.loss not in LOSSES:
            raise DoseOptError(
                f"ClosestToTarget: unknown loss '{self.loss}'", hint=did_you_mean(self.loss, LOSSES)
            )

    def __call__(self, draws: Mapping[str, xr.DataArray] | xr.Dataset) -> xr.DataArray:
        """Utility of each draw, with the dims of its input."""
        away = abs(draws[names.P_TOX] - self.target)
        u: xr.DataArray = 0.0 - (away if self.loss == "absolute" else away**2)
        return u.rename(None)

    def words(self) -> tuple[str, ...]:
        """Return what it says, a sentence each."""
        away = f"p_tox - {self.target:g}"
        loss = f"-abs({away})" if self.loss == "absolute" else f"-({away})^2"
        return (
            f"u = {loss}; at most 0, reached on target; it reads toxicity alone",
            "above and below the target cost the same; the criterion says at which p_tox it is read",
        )

    def __str__(self) -> str:
        return "\n  ".join(["Distance from a target toxicity", *self.words()])
