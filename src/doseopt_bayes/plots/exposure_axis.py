"""An exposure axis, linear or logarithmic with a place for 0, and what lies along it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.ticker import FixedLocator, NullLocator

from doseopt_bayes.plots import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

__all__ = ["ExposureAxis", "jitter", "plain_grid", "stagger"]

GOLDEN = (5**0.5 - 1) / 2
ZERO_AT = 0.12  # of the width left of the smallest exposure: where a logarithmic axis shows 0


class ExposureAxis:
    """Where exposures are drawn.

    Parameters
    ----------
    low, high
        Smallest exposure above 0, and the largest one drawn.
    zero
        Whether 0 must be drawn.
    log
        Whether the axis is logarithmic.
    """

    def __init__(self, low: float, high: float, *, zero: bool, log: bool) -> None:
        self.low, self.high, self.zero, self.log = low, max(high, low), zero, log
        self.at_zero = low * min(0.6, (low / self.high) ** ZERO_AT) if log else 0.0

    def place(self, x: Any) -> NDArray[np.float64]:
        """Return where exposures are drawn: 0 beside a logarithmic axis, all others where they are."""
        at = np.asarray(x, dtype=float)
        return np.where(at > 0, at, self.at_zero) if self.log else at

    def dress(self, ax: Axes, *, labels: bool, label: str = "") -> None:
        """Set scale, limits and ticks; on a logarithmic axis mark the break between 0 and the rest."""
        if self.log:
            ax.set_xscale("log")
            left = self.at_zero if self.zero else self.low
            ax.set_xlim(left * (left / self.high) ** 0.04, self.high * (self.high / left) ** 0.02)
            ticks = self._ticks()
            ax.xaxis.set_major_locator(
                FixedLocator([*([self.at_zero] if self.zero else []), *ticks])
            )
            ax.xaxis.set_minor_locator(NullLocator())
            named = [*(["0"] if self.zero else []), *(f"{t:g}" for t in ticks)]
            ax.set_xticklabels(named if labels else [""] * len(named))
            if self.zero and ax.spines["bottom"].get_visible():
                ax.annotate("//", ((self.at_zero * self.low) ** 0.5, 0), color=style.GREY,
                            xycoords=ax.get_xaxis_transform(), ha="center", va="center",
                            fontsize=8, gid="break", annotation_clip=False)  # fmt: skip
        else:
            pad = 0.03 * self.high or 1.0
            ax.set_xlim((0.0 if self.zero else min(0.0, self.low)) - pad, self.high + pad)
            ax.tick_params(labelbottom=labels)
        if labels:
            ax.set_xlabel(style.escape(label))

    def _ticks(self) -> list[float]:
        powers = 10.0 ** np.arange(np.floor(np.log10(self.low)), np.ceil(np.log10(self.high)) + 1)
        for steps in ((1.0,), (1.0, 3.0), (1.0, 2.0, 5.0), tuple(np.arange(1.0, 10.0))):
            found = [p * s for p in powers for s in steps if self.low <= p * s <= self.high]
            if len(found) >= 3:
                return found if len(found) <= 8 else found[:: -(-len(found) // 8)]
        return [self.low, self.high]

    def width(self, ax: Axes, a: float, b: float) -> float:
        """Return the distance between two drawn exposures as a share of the width of the axes."""
        low, high = ax.get_xlim()
        ends = np.log([a, b, low, high]) if self.log else np.array([a, b, low, high])
        return float((ends[1] - ends[0]) / (ends[3] - ends[2]))


def plain_grid(low: float, high: float, *, log: bool, points: int = 81) -> NDArray[np.float64]:
    """Return exposures evenly spaced along the axis."""
    if high <= low:
        return np.array([low])
    return np.geomspace(low, high, points) if log else np.linspace(low, high, points)


def jitter(n: int) -> NDArray[np.float64]:
    """Return `n` offsets within 0 to 1 that look like noise and are always the same.

    Multiples of the golden ratio fill the interval evenly, whatever `n` is.
    """
    return np.asarray((0.5 + GOLDEN * np.arange(n)) % 1.0, dtype=float)


def stagger(at: list[float], need: float) -> list[int]:
    """Return the row of each label so that labels of one row are `need` apart; `at` ascends.

    Examples
    --------
    >>> stagger([0.0, 0.05, 0.3], 0.1)
    [0, 1, 0]
    """
    last: list[float] = []
    rows = []
    for x in at:
        row = next((i for i, end in enumerate(last) if x - end >= need), len(last))
        if row == len(last):
            last.append(x)
        last[row] = x
        rows.append(row)
    return rows
