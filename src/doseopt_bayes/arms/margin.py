"""A margin: how much worse than the higher arm the lower one may be, its direction always stated."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from doseopt_bayes import names
from doseopt_bayes.errors import DoseOptError

if TYPE_CHECKING:
    import xarray as xr

    from doseopt_bayes.inference.posterior import Posterior

__all__ = ["MEASURED", "UTILITY", "Margin", "endpoint_draws", "measured"]

UTILITY: Final = "utility"
MEASURED: Final = ("rate_", "mean_")  # an endpoint of that name is in its own unit, no probability
OF, BETTER = ("difference", "ratio"), ("higher", "lower")


@dataclass(frozen=True)
class Margin:
    """How much worse the lower arm may be on one endpoint.

    Parameters
    ----------
    endpoint
        Name of an endpoint (``"eff"``, ``"tox"``, a further one), ``"utility"``, or the variable of a
        rate or a mean grade (``"rate_nausea"``, ``"mean_diarrhoea"``).
    at_most
        The most that may be lost by taking the lower arm, never reached. Of a difference: in the unit
        of the endpoint, between -1 and 1 for a probability; 0: no worse; negative: better by so much.
        Of a ratio: a factor > 0 between the worse and the better arm; 1: no worse.
    of
        ``"difference"`` or ``"ratio"``.
    better
        Which direction is better, ``"higher"`` or ``"lower"``. Never guessed from the endpoint's name.

    Raises
    ------
    DoseOptError
        Without a direction or a scale, on an unknown one, or a margin that is out of range.

    Examples
    --------
    >>> print(Margin("eff", at_most=0.1, of="difference", better="higher"))
    eff: low - high > -0.1 (higher is better)
    >>> print(Margin("tox", at_most=1.0, of="ratio", better="lower"))
    tox: low / high < 1 (lower is better)
    """

    endpoint: str
    at_most: float
    of: Literal["difference", "ratio"] | None = None
    better: Literal["higher", "lower"] | None = None

    def __post_init__(self) -> None:
        who = f"margin of '{self.endpoint}'"
        for field, allowed in (("of", OF), ("better", BETTER)):
            given = getattr(self, field)
            if given not in allowed:
                said = "is missing" if given is None else f"= {given!r} is unknown"
                raise DoseOptError(
                    f"{who}: {field} {said}",
                    hint=f"{field} = {allowed[0]!r} or {allowed[1]!r}: a direction is never guessed",
                )
        number = isinstance(self.at_most, int | float) and not isinstance(self.at_most, bool)
        if not (number and math.isfinite(self.at_most)):
            raise DoseOptError(f"{who}: at_most = {self.at_most!r} must be a finite number")
        if self.of == "ratio" and (self.at_most <= 0 or self.endpoint == UTILITY):
            raise DoseOptError(
                f"{who}: a ratio needs at_most > 0 and an endpoint that is a probability or a rate",
                hint="1 means no worse, 1.25 worse by a quarter at most",
            )
        chances = self.endpoint != UTILITY and not self.endpoint.startswith(MEASURED)
        if self.of == "difference" and chances and not -1 < self.at_most < 1:
            raise DoseOptError(
                f"{who}: at_most = {self.at_most:g} lies outside -1..1, a difference of probabilities",
                hint=f"{self.at_most / 100:g}?"
                if abs(self.at_most) <= 100
                else "a share, no percent",
            )

    def loss(self, low: xr.DataArray, high: xr.DataArray) -> xr.DataArray:
        """How much worse `low` is than `high`, on the scale of `at_most`."""
        worse, other = (high, low) if self.better == "higher" else (low, high)
        if self.of == "difference":
            return worse - other
        ratio: xr.DataArray = worse / other.where(other > 0)
        return ratio.fillna(math.inf).where((worse > 0) | (other > 0), 1.0)

    def holds(self, low: xr.DataArray, high: xr.DataArray) -> xr.DataArray:
        """Whether the loss stays below `at_most`, in each draw."""
        return self.loss(low, high) < self.at_most

    def __str__(self) -> str:
        above = self.better == "higher"
        side = ">" if above else "<"
        if self.of == "difference":
            limit = (-self.at_most if above else self.at_most) + 0.0
            said = f"low - high {side} {limit:g}"
        else:
            said = f"low / high {side} {1 / self.at_most if above else self.at_most:.4g}"
        return f"{self.endpoint}: {said} ({self.better} is better)"


def endpoint_draws(post: Posterior, u: xr.DataArray, endpoint: str) -> xr.DataArray:
    """Draws of one endpoint's probability, rate or mean at each dose, or of the utility.

    Raises
    ------
    DoseOptError
        When the posterior has no such endpoint, with the nearest name.
    """
    if endpoint == UTILITY:
        return u
    return post[endpoint if endpoint in measured(post.draws) else names.probability(endpoint)]


def measured(draws: xr.Dataset) -> tuple[str, ...]:
    """Return the variables over dose that hold a rate or a mean grade, in their own unit."""
    return tuple(
        str(v)
        for v, x in draws.data_vars.items()
        if str(v).startswith(MEASURED) and names.DOSE in x.dims
    )
