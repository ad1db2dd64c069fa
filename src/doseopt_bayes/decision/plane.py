"""A utility over the benefit-risk plane: its values, indifference, flat regions, jumps, directions."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np
import xarray as xr

from doseopt_bayes import names
from doseopt_bayes.errors import DoseOptError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from doseopt_bayes.decision.utility import Utility

__all__ = ["NOWHERE", "Plane", "flat", "jumps", "needed", "wrong_way"]

MARGINS: Final = (names.P_EFF, names.P_TOX)
NOWHERE: Final = {
    -1: "no p_eff up to 1 is worth as much",
    0: "",
    1: "every p_eff is worth more",
}
FINE: Final = np.linspace(0.0, 1.0, 201)
HALVINGS: Final = 30  # of a step of 0.005: to 5e-12
SAME: Final = 1e-9  # of the utility's range: smaller differences are none


@dataclass(frozen=True, eq=False)
class Plane:
    """A utility as a function of two plain probabilities.

    Parameters
    ----------
    utility
        What is asked.
    held
        Value of every other variable that it reads.

    Raises
    ------
    DoseOptError
        When a variable has no value, a value has no variable, or neither margin is read.
    """

    utility: Utility
    held: dict[str, float]

    def __post_init__(self) -> None:
        reads = set(self.utility.reads)
        plane = {*MARGINS, names.P_CELL}
        if not reads & plane:
            raise DoseOptError(
                f"the utility reads {', '.join(sorted(reads))}: neither efficacy nor toxicity",
                hint="there is no benefit-risk plane to show",
            )
        missing, extra = sorted(reads - plane - set(self.held)), sorted(set(self.held) - reads)
        if missing:
            said = ", ".join(f"{v!r}: ..." for v in missing)
            raise DoseOptError(
                f"the utility also reads {', '.join(missing)}",
                hint=f"say where they are held: held={{{said}}}",
            )
        if extra or set(self.held) & plane:
            wrong = extra or sorted(set(self.held) & plane)
            raise DoseOptError(
                f"held names {', '.join(wrong)}, which the utility does not read or which is an axis"
            )

    @property
    def assumed(self) -> str:
        """What is assumed beyond the two probabilities; empty when nothing is."""
        said = []
        if names.P_CELL in self.utility.reads:
            said.append("efficacy and toxicity taken as independent")
        said += [f"{v} held at {x:g}" for v, x in self.held.items()]
        return "; ".join(said)

    def ignores(self, variable: str) -> bool:
        """Whether the utility does not read an axis at all."""
        return not {variable, names.P_CELL} & set(self.utility.reads)

    def __call__(self, eff: np.ndarray, tox: np.ndarray) -> np.ndarray:
        """Utility at each pair of probabilities; the arrays have one shape."""
        at = tuple(f"d{i}" for i in range(eff.ndim))
        e, t = xr.DataArray(eff, dims=at), xr.DataArray(tox, dims=at)
        reads: dict[str, xr.DataArray] = {names.P_EFF: e, names.P_TOX: t}
        if names.P_CELL in self.utility.reads:
            cells = xr.concat([(1 - e) * (1 - t), e * (1 - t), (1 - e) * t, e * t], dim=names.CELL)
            reads[names.P_CELL] = cells.assign_coords({names.CELL: list(names.CELLS)})
        reads |= {v: xr.full_like(e, x, dtype=float) for v, x in self.held.items()}
        u = self.utility({v: reads[v] for v in self.utility.reads})
        found: np.ndarray = u.broadcast_like(e).transpose(*at).to_numpy().astype(float)
        if not np.isfinite(found).all():
            raise DoseOptError("the utility is not a number somewhere in the benefit-risk plane")
        return found

    def square(self, tox: np.ndarray, eff: np.ndarray) -> np.ndarray:
        """Utility over (tox, eff), every toxicity with every efficacy."""
        t, e = np.meshgrid(tox, eff, indexing="ij")
        return self(e, t)

    def line(self, variable: str, at: np.ndarray) -> np.ndarray:
        """Utility over (at, other), with `variable` at each of `at` and the other one anywhere."""
        other = np.linspace(0.0, 1.0, 41)
        return self.square(at, other) if variable == names.P_TOX else self.square(other, at).T

    @cached_property
    def span(self) -> float:
        """Range of the utility over the plane; 1 for a constant."""
        u = self.square(FINE, FINE)
        return float(u.max() - u.min()) or 1.0


def needed(plane: Plane, tox: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the lowest efficacy with the utility `level` at each toxicity, and where there is none.

    The second array is 0 where there is one, -1 where every efficacy is worth less and 1 where every
    efficacy is worth more; the first one is NaN there.
    """
    gap = plane.square(tox, FINE) - level
    small = 1e-12 * plane.span
    sign = np.where(np.abs(gap) <= small, 0, np.sign(gap)).astype(int)
    start = sign[:, 0]
    turned = sign != start[:, None]
    found = turned.any(axis=1)
    first = turned.argmax(axis=1)
    low, high = FINE[np.maximum(first - 1, 0)], FINE[first]
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        here = plane(middle, tox) - level
        before = np.where(np.abs(here) <= small, 0, np.sign(here)) == start
        low, high = np.where(before, middle, low), np.where(before, high, middle)
    eff = np.where(start == 0, 0.0, np.where(found, high, np.nan))
    return eff, np.where((start == 0) | found, 0, start)


def flat(plane: Plane, variable: str) -> tuple[float, float]:
    """Return up to where and from where the utility does not change along a variable.

    (0, 1) when it changes at both ends, (1, 0) when it never does.
    """
    lines = plane.line(variable, FINE)
    tolerance = SAME * plane.span

    def end(last: int, step: int) -> float:
        there = lines[last]
        same = np.abs(lines - there).max(axis=1) <= tolerance
        i = last
        while 0 <= i + step < FINE.size and same[i + step]:
            i += step
        if i == last:
            # a flat piece shorter than the grid is none
            return float(FINE[last])
        if not 0 <= i + step < FINE.size:
            return float(FINE[i])
        inside, outside = float(FINE[i]), float(FINE[i + step])
        for _ in range(HALVINGS):
            middle = (inside + outside) / 2
            here = plane.line(variable, np.array([middle]))[0]
            if np.abs(here - there).max() <= tolerance:
                inside = middle
            else:
                outside = middle
        return inside

    return end(0, 1), end(FINE.size - 1, -1)


def jumps(plane: Plane, other: float) -> Iterator[tuple[str, float, float, float]]:
    """Yield (variable, where, before, after) of each jump along toxicity, efficacy being `other`."""

    def u(at: np.ndarray) -> np.ndarray:
        return plane(np.full_like(at, other), at)

    along = u(FINE)
    steep = np.flatnonzero(np.abs(np.diff(along)) > 0.01 * plane.span)
    if not steep.size:
        return
    low, high, before, after = FINE[steep], FINE[steep + 1], along[steep], along[steep + 1]
    for _ in range(HALVINGS):  # into the half that holds the larger part of the change
        middle = (low + high) / 2
        here = u(middle)
        left = np.abs(here - before) > np.abs(after - here)
        low, high = np.where(left, low, middle), np.where(left, middle, high)
        before, after = np.where(left, before, here), np.where(left, here, after)
    for at, a, b in zip(high, before, after, strict=True):
        if abs(b - a) > 1e-3 * plane.span:
            yield names.P_TOX, float(at), float(a), float(b)


def wrong_way(u: np.ndarray, axis: np.ndarray) -> Iterator[str]:
    """Say where `u` over (p_tox, p_eff) falls with efficacy or rises with toxicity."""
    small = SAME * (float(u.max() - u.min()) or 1.0)
    for along, sign, word in ((1, -1, "FALLS with efficacy"), (0, 1, "RISES with toxicity")):
        steps = sign * np.diff(u, axis=along)
        bad = steps > small
        if not bad.any():
            continue
        i, j = np.unravel_index(int(steps.argmax()), steps.shape)
        share = float(bad.mean())
        yield (
            f"the utility {word} over {max(share, 0.01):.0%} of the plane, most near p_eff "
            f"{axis[j]:.2g}, p_tox {axis[i]:.2g}: is that meant?"
        )
