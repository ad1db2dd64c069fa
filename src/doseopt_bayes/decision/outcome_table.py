"""Utility of a patient's joint outcome: one number for each of the four cells."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from doseopt_bayes import names
from doseopt_bayes.errors import DoseOptError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import xarray as xr

__all__ = ["OutcomeTable"]


@dataclass(frozen=True)
class OutcomeTable:
    """Mean utility per patient: sum over the four outcomes of probability times utility.

    Parameters
    ----------
    neither, efficacy, toxicity, both
        Utility of a patient without efficacy and toxicity, with efficacy only, with toxicity only,
        and with both. Any scale, often 0 to 100; nothing is rescaled.
    allow_nonmonotone
        Accept a table in which less efficacy or more toxicity is worth more.

    Raises
    ------
    DoseOptError
        On a number that is not finite, a table of four equal numbers, or one that is not monotone:
        efficacy >= neither >= toxicity and efficacy >= both >= toxicity.

    Notes
    -----
    Zhou, Lee and Yuan (2019, U-BOIN) and Lin et al. (2020, BOIN12) use such tables. In an additive
    table, efficacy + toxicity = both + neither, the mean utility depends on p_eff and p_tox alone;
    the association between the endpoints then cannot change it.

    Examples
    --------
    >>> import xarray as xr
    >>> table = OutcomeTable(neither=40, efficacy=100, toxicity=0, both=60)
    >>> p = xr.DataArray([0.4, 0.3, 0.2, 0.1], coords={"cell": ["N", "E", "T", "B"]})
    >>> float(table({"p_cell": p})), table.additive
    (52.0, True)
    """

    neither: float
    efficacy: float
    toxicity: float
    both: float
    allow_nonmonotone: bool = False

    reads = (names.P_CELL,)

    def __post_init__(self) -> None:
        cells = self.cells
        if not all(math.isfinite(v) for v in cells.values()):
            raise DoseOptError(f"OutcomeTable: {self._said} must be finite numbers")
        if len(set(cells.values())) == 1:
            raise DoseOptError(
                f"OutcomeTable: {self._said}: all outcomes are worth the same",
                hint="such a table cannot rank doses",
            )
        if not (self.monotone or self.allow_nonmonotone):
            raise DoseOptError(
                f"OutcomeTable: {self._said} is not monotone: "
                "efficacy >= neither >= toxicity and efficacy >= both >= toxicity",
                hint="look for exchanged numbers, or mean it with allow_nonmonotone = true",
            )

    @property
    def cells(self) -> dict[str, float]:
        """Utility by outcome cell, in the order of ``names.CELLS``."""
        numbers = (self.neither, self.efficacy, self.toxicity, self.both)
        return dict(zip(names.CELLS, numbers, strict=True))

    @property
    def _said(self) -> str:
        return (
            f"neither = {self.neither:g}, efficacy = {self.efficacy:g}, "
            f"toxicity = {self.toxicity:g}, both = {self.both:g}"
        )

    @property
    def monotone(self) -> bool:
        """Whether more efficacy and less toxicity are never worth less."""
        middle = (self.neither, self.both)
        return self.efficacy >= max(middle) and min(middle) >= self.toxicity

    @property
    def additive(self) -> bool:
        """Whether efficacy + toxicity = both + neither, so that the association cannot matter."""
        span = max(self.cells.values()) - min(self.cells.values())
        gap = self.efficacy + self.toxicity - self.both - self.neither
        return abs(gap) <= 1e-12 * span  # decimals such as 0.1 + 0.2 are not exact

    def __call__(self, draws: Mapping[str, xr.DataArray] | xr.Dataset) -> xr.DataArray:
        """Utility of each draw, with the dims of ``p_cell`` but ``cell``, on the table's own scale."""
        p = draws[names.P_CELL]
        missing = set(names.CELLS) ^ set(p[names.CELL].to_numpy().tolist())
        if missing:
            raise DoseOptError(
                f"OutcomeTable: p_cell has cells {p[names.CELL].to_numpy().tolist()}",
                hint=f"it needs {', '.join(names.CELLS)}, each once",
            )
        n, e, t, b = (v * p.sel({names.CELL: c}, drop=True) for c, v in self.cells.items())
        return (n + e + t + b).rename(None)

    def words(self) -> tuple[str, ...]:
        """Return what it says, a sentence each."""
        if self.additive:
            gain, base = self.efficacy - self.neither, self.toxicity
            rest = self.neither - self.toxicity
            shape = (
                "additive: efficacy + toxicity = both + neither, so the association of the endpoints "
                f"cannot change it; u = {gain:g} p_eff + {rest:g} (1 - p_tox) + {base:g}"
            )
        else:
            shape = (
                "not additive: efficacy + toxicity differs from both + neither, so the association of "
                "the endpoints matters"
            )
        said = [f"u = mean over patients of the utility of the outcome: {self._said}", shape]
        if not self.monotone:
            said.append("NOT MONOTONE, by allow_nonmonotone: a worse outcome is worth more")
        return tuple(said)

    def __str__(self) -> str:
        return "\n  ".join(["Utility of the joint outcome", *self.words()])
