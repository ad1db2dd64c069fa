"""Efficacy less a price for toxicity."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from doseopt_bayes import names
from doseopt_bayes.decision.utility import percent_hint
from doseopt_bayes.errors import DoseOptError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import xarray as xr

__all__ = ["Penalised"]


@dataclass(frozen=True)
class Penalised:
    """Efficacy less a price for toxicity, with a second price above a limit.

    u = p_eff - price p_tox - surcharge p_tox [p_tox > limit]; at most 1, and below 0 for toxic doses.

    Parameters
    ----------
    limit
        Probability of toxicity above which the surcharge falls due, in (0, 1).
    price, surcharge
        Efficacy given up per unit of toxicity, >= 0, not both 0.

    Raises
    ------
    DoseOptError
        On a limit that is no probability, or a price that would reward toxicity.

    Notes
    -----
    As in the R package boinet and in published code of the STEIN design, whose default weights are
    0.33 and 1.09. It jumps at the limit: plugged-in posterior means near the
    limit have a large Monte Carlo error, and rightly so.

    Examples
    --------
    >>> import xarray as xr
    >>> u = Penalised(limit=0.3)
    >>> [round(float(u({"p_eff": xr.DataArray(0.5), "p_tox": xr.DataArray(t)})), 3) for t in (0.3, 0.4)]
    [0.401, -0.068]
    """

    limit: float
    price: float = 0.33
    surcharge: float = 1.09

    reads = (names.P_EFF, names.P_TOX)

    def __post_init__(self) -> None:
        if not 0 < self.limit < 1:
            raise DoseOptError(
                f"Penalised: limit = {self.limit!r} must lie strictly between 0 and 1",
                hint=percent_hint(self.limit),
            )
        prices = (self.price, self.surcharge)
        if not all(math.isfinite(w) and w >= 0 for w in prices) or not any(prices):
            raise DoseOptError(
                f"Penalised: price = {self.price!r} and surcharge = {self.surcharge!r} must be >= 0, "
                "not both 0",
                hint="a negative price would reward toxicity",
            )

    def __call__(self, draws: Mapping[str, xr.DataArray] | xr.Dataset) -> xr.DataArray:
        """Utility of each draw, with the dims of its inputs."""
        tox = draws[names.P_TOX]
        return (
            draws[names.P_EFF] - tox * (self.price + self.surcharge * (tox > self.limit))
        ).rename(None)

    def words(self) -> tuple[str, ...]:
        """Return what it says, a sentence each."""
        return (
            f"u = p_eff - {self.price:g} p_tox - {self.surcharge:g} p_tox [p_tox > {self.limit:g}]",
            "on the scale of efficacy: at most 1, below 0 for toxic doses",
        )

    def __str__(self) -> str:
        return "\n  ".join(["Penalised efficacy", *self.words()])
