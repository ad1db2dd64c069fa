"""Utilities: what a dose is worth, computed in every posterior draw and never averaged here."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

from scipy.optimize import brentq

from doseopt_bayes import names
from doseopt_bayes.errors import DoseOptError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import xarray as xr

__all__ = ["LpContour", "Utility"]


class Utility(Protocol):
    """A value that turns draws of named probabilities into draws of utility.

    ``reads`` names the variables that it needs. Calling it keeps every dim of its input: utilities
    are averaged by the decision, over draws, or evaluated at the posterior means, as its criterion
    says.
    """

    @property
    def reads(self) -> tuple[str, ...]:
        """Variables that it needs."""

    def __call__(self, draws: Mapping[str, xr.DataArray] | xr.Dataset) -> xr.DataArray:
        """Utility of each draw, with the dims of its inputs."""

    def words(self) -> tuple[str, ...]:
        """Return what it says, a sentence each, for protocol and report."""


@dataclass(frozen=True)
class LpContour:
    """EffTox trade-off: distance from the ideal point (efficacy 1, toxicity 0) in an L^p norm.

    u = 1 - [((1 - p_eff) / (1 - eff0))^p + (p_tox / tox1)^p]^(1/p), where the exponent p makes the
    three elicited points equally desirable, with u = 0.

    Parameters
    ----------
    eff0
        Efficacy that would be just acceptable without any toxicity, in (0, 1).
    tox1
        Toxicity that would be just acceptable with certain efficacy, in (0, 1).
    hinge
        A third point (efficacy, toxicity) that is as desirable as the other two; it lies above
        `eff0` and below `tox1`.

    Raises
    ------
    DoseOptError
        When the three points have no common contour.

    Notes
    -----
    Thall and Cook (2004), Cook (2006).

    Examples
    --------
    >>> utility = LpContour(eff0=0.5, tox1=0.65, hinge=(0.7, 0.25))
    >>> round(utility.p, 3)
    0.977
    """

    eff0: float
    tox1: float
    hinge: tuple[float, float]

    reads = (names.P_EFF, names.P_TOX)

    def __post_init__(self) -> None:
        eff, tox = self.hinge
        points = f"(eff0, 0) = ({self.eff0:g}, 0), (1, tox1) = (1, {self.tox1:g}), "
        points += f"hinge = ({eff:g}, {tox:g})"
        if not (0 < self.eff0 < 1 and 0 < self.tox1 < 1):
            raise DoseOptError(
                f"contour points {points}: eff0 and tox1 are probabilities strictly between 0 and 1",
                hint=percent_hint(self.eff0, self.tox1, eff, tox),
            )
        if not (self.eff0 < eff < 1 and 0 < tox < self.tox1):
            raise DoseOptError(
                f"contour points {points}: the hinge needs eff0 < efficacy < 1 and "
                "0 < toxicity < tox1",
                hint="a contour rises from (eff0, 0) to (1, tox1); the hinge lies between them",
            )

    @cached_property
    def p(self) -> float:
        """Exponent of the norm: 1 gives straight contours, > 1 contours that bend."""
        eff, tox = self.hinge
        a = math.log((1 - eff) / (1 - self.eff0))
        b = math.log(tox / self.tox1)
        return float(brentq(lambda p: math.exp(a * p) + math.exp(b * p) - 1, 1e-6, 1e6, xtol=1e-14))

    def __call__(self, draws: Mapping[str, xr.DataArray] | xr.Dataset) -> xr.DataArray:
        """Utility of each draw, with the dims of its inputs; at most 1."""
        lost = (1 - draws[names.P_EFF]) / (1 - self.eff0)
        harm = draws[names.P_TOX] / self.tox1
        return 1 - (lost**self.p + harm**self.p) ** (1 / self.p)

    def words(self) -> tuple[str, ...]:
        """Return what it says, a sentence each."""
        eff, tox = self.hinge
        return (
            "u = 1 - [((1 - p_eff) / (1 - eff0))^p + (p_tox / tox1)^p]^(1/p) (Thall and Cook 2004)",
            (
                f"equally desirable, with u = 0: efficacy {self.eff0:g} without toxicity; "
                f"certain efficacy with toxicity {self.tox1:g}; "
                f"efficacy {eff:g} with toxicity {tox:g}; so p = {self.p:.4f}"
            ),
        )

    def __str__(self) -> str:
        return "\n  ".join(["Lp trade-off contour", *self.words()])


def percent_hint(*values: float) -> str:
    """Suggest the probability that was meant by a percentage."""
    wrong = [v for v in values if 1 < v <= 100]
    said = ", ".join(f"{v:g} is not a probability; {v / 100:g}?" for v in wrong)
    return said or "give probabilities between 0 and 1"
