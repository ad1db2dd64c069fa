"""Interval designs: what the toxicities at one dose say, by a rule that a table holds."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from scipy.stats import beta

from doseopt_bayes.comparators.isotonic import IsotonicMTD
from doseopt_bayes.comparators.rule import BetaRule
from doseopt_bayes.errors import DoseOptError

__all__ = ["BOIN", "MTPI", "MTPI2", "TPI", "I3Plus3", "Keyboard"]

SAME: Final = 1e-9  # shares of patients that are equal may differ by rounding


@dataclass(frozen=True)
class BOIN(BetaRule):
    """Bayesian optimal interval design.

    Parameters
    ----------
    target, certainty
        Target probability of toxicity; a dose with at least 3 patients and Pr(p_tox > target) >
        `certainty` under a uniform prior is eliminated with every higher one.
    low, high
        Probabilities of toxicity that are too low and too high, as factors of the target.
    bound_mtd
        Whether the selected MTD must have an isotonic estimate below the de-escalation boundary.

    Raises
    ------
    DoseOptError
        On factors that do not enclose 1, or a probability outside (0, 1).

    Notes
    -----
    Liu and Yuan (2015), Journal of the Royal Statistical Society C 64, 507-523.

    Examples
    --------
    >>> [round(x, 7) for x in BOIN(0.3).boundaries]
    [0.2364907, 0.3585195]
    >>> BOIN(0.3).table(6).letter(6, 2)
    'S'
    """

    low: float = 0.6
    high: float = 1.4
    bound_mtd: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (0 < self.low < 1 < self.high and self.high * self.target < 1):
            raise DoseOptError(
                f"BOIN: low = {self.low:g} and high = {self.high:g} must enclose 1, and high * target "
                "lie below 1",
                hint="0.6 and 1.4 are the published ones",
            )

    @property
    def least(self) -> int:
        """Fewest patients at a dose that may eliminate it."""
        return 3

    @cached_property
    def boundaries(self) -> tuple[float, float]:
        """Shares of patients with toxicity: escalate up to the first, de-escalate from the second."""
        phi, under, over = self.target, self.low * self.target, self.high * self.target
        return (
            math.log((1 - under) / (1 - phi)) / math.log(phi * (1 - under) / (under * (1 - phi))),
            math.log((1 - phi) / (1 - over)) / math.log(over * (1 - phi) / (phi * (1 - over))),
        )

    @property
    def selection(self) -> IsotonicMTD:
        """How it selects the MTD at the end."""
        return IsotonicMTD(self.target, below=self.boundaries[1] if self.bound_mtd else None)

    def step(self, n: int, tox: int) -> str:
        """Compare the share of patients with toxicity with both boundaries."""
        up, down = self.boundaries
        return "E" if tox / n <= up else "D" if tox / n >= down else "S"


@dataclass(frozen=True)
class _Intervals(BetaRule):
    """Designs with a target interval from ``target - below`` to ``target + above``.

    Parameters
    ----------
    target, certainty
        As for every interval design.
    below, above
        Half-widths of the target interval.
    """

    below: float = 0.05
    above: float = 0.05

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (self.below >= 0 and self.above >= 0 and self.below + self.above > 0
                and self.target - self.below > 0 and self.target + self.above < 1):  # fmt: skip
            raise DoseOptError(
                f"{self.name}: the target interval from {self.target - self.below:g} to "
                f"{self.target + self.above:g} must lie within (0, 1)",
                hint="below and above are half-widths, 0.05 say",
            )

    @property
    def ends(self) -> tuple[float, float]:
        """Ends of the target interval."""
        return self.target - self.below, self.target + self.above

    def _mass(self, edges: np.ndarray, n: int, tox: int) -> np.ndarray:
        a, b = self.prior
        mass: np.ndarray = np.diff(beta.cdf(edges, a + tox, b + n - tox))
        return mass


@dataclass(frozen=True)
class Keyboard(_Intervals):
    """Keyboard design: where the strongest key lies against the target key.

    Keys of the target key's width tile (0, 1) from it; what is left at each end is a key of its own,
    compared by its probability per width. Of equally strong keys the highest counts.

    Notes
    -----
    Yan, Mandrekar and Yuan (2017), Clinical Cancer Research 23, 3994-4003.

    Examples
    --------
    >>> Keyboard(0.3).table(3).rows
    ('ED', 'EDU', 'ESDU')
    """

    @cached_property
    def keys(self) -> np.ndarray:
        """Edges of all keys, ascending from 0 to 1."""
        low, high = self.ends
        width = high - low
        down = low - width * np.arange(math.floor(low / width + SAME) + 1)[::-1]
        up = high + width * np.arange(math.floor((1 - high) / width + SAME) + 1)
        found: np.ndarray = np.concatenate([down, up])
        inner = found[(found > SAME) & (found < 1 - SAME)]
        return np.concatenate([[0.0], inner, [1.0]])

    def step(self, n: int, tox: int) -> str:
        """Find the strongest key."""
        edges = self.keys
        strength = self._mass(edges, n, tox) / np.diff(edges)
        best = np.flatnonzero(strength >= strength.max() * (1 - SAME))[-1]
        middle = (edges[best] + edges[best + 1]) / 2
        low, high = self.ends
        return "E" if middle < low else "D" if middle > high else "S"


@dataclass(frozen=True)
class MTPI2(Keyboard):
    """Modified toxicity probability interval design 2.

    Equal intervals tile (0, 1) from the target interval; the one of the highest unit probability mass
    decides. Its decisions are those of the keyboard design.

    Notes
    -----
    Guo, Wang, Yang, Lynn and Ji (2017), Contemporary Clinical Trials 58, 23-33.
    """

    @property
    def name(self) -> str:
        """What the design is called."""
        return "mTPI-2"


@dataclass(frozen=True)
class MTPI(_Intervals):
    """Modified toxicity probability interval design: the highest unit probability mass of three.

    Notes
    -----
    Ji, Liu, Li and Bekele (2010), Clinical Trials 7, 653-663.
    """

    @property
    def name(self) -> str:
        """What the design is called."""
        return "mTPI"

    def step(self, n: int, tox: int) -> str:
        """Compare under-dosing, target and overdosing intervals by probability per width."""
        edges = np.array([0.0, *self.ends, 1.0])
        return "ESD"[int((self._mass(edges, n, tox) / np.diff(edges)).argmax())]


@dataclass(frozen=True)
class TPI(BetaRule):
    """Toxicity probability interval design: intervals in standard deviations of the posterior.

    Parameters
    ----------
    target, certainty
        As for every interval design.
    below, above
        Half-widths of the target interval in posterior standard deviations.

    Notes
    -----
    Ji, Li and Bekele (2007), Clinical Trials 4, 235-244; Beta(0.005, 0.005) prior.
    """

    below: float = 1.0
    above: float = 1.5

    @property
    def prior(self) -> tuple[float, float]:
        """Beta prior of p_tox at a dose."""
        return (0.005, 0.005)

    def step(self, n: int, tox: int) -> str:
        """Compare the probabilities of under-dosing, target and overdosing."""
        a, b = self.prior
        after = beta(a + tox, b + n - tox)
        sd = float(after.std())
        low, high = after.cdf([self.target - self.below * sd, self.target + self.above * sd])
        return "ESD"[int(np.argmax([low, high - low, 1 - high]))]


@dataclass(frozen=True)
class I3Plus3(_Intervals):
    """i3 + 3 design: the share with toxicity, and that share without one of them.

    Notes
    -----
    Liu, Wang and Ji (2020), Journal of Biopharmaceutical Statistics 30, 294-304. Below the target
    interval: escalate; within, ends included: stay; above it: de-escalate, unless the share without one
    of the toxicities lies below the interval: then stay.
    """

    @property
    def name(self) -> str:
        """What the design is called."""
        return "i3+3"

    @property
    def least(self) -> int:
        """Fewest patients at a dose that may eliminate it."""
        return 3

    def step(self, n: int, tox: int) -> str:
        """Compare both shares with the target interval."""
        low, high = self.ends
        if tox / n < low - SAME:
            return "E"
        if tox / n <= high + SAME:
            return "S"
        return "S" if (tox - 1) / n < low - SAME else "D"
