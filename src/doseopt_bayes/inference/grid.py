"""Nodes that all trials of a model with one or two parameters share: sums over them are posteriors.

The log posterior of every trial at every node is a product of counts and log probabilities, and the
posterior mean of a function of the nodes one more product. Trapezoid sums of smooth densities that
vanish at both ends converge spectrally (Trefethen and Weideman 2014, The exponentially convergent
trapezoidal rule). An indicator is not smooth: along the first parameter (the line) it is integrated
exactly against the band-limited (sinc) interpolant of the density (Stenger 1993, Numerical Methods Based
on Sinc and Analytic Functions), whose integral up to a point is a sine integral at each node.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Final
from weakref import WeakKeyDictionary

import numpy as np
from scipy.special import sici

from doseopt_bayes.errors import DoseOptError
from doseopt_bayes.inference.gridplan import LINE, Plan, plan_for

if TYPE_CHECKING:
    from doseopt_bayes.inference.graph import ParticleProgram
    from doseopt_bayes.inference.gridsums import Columns

__all__ = ["Nodes", "level_of", "nodes_for"]

LEVELS: Final = 4
MOST: Final = 200_000  # nodes of a level
SUB: Final = {
    1: 32,
    2: 4,
}  # draws that stand for a node along its line, where a function has a kink
THIN: Final = (4, 4)  # one node of so many lines and places says which tiles matter
SLICE: Final = 512  # of these nodes in one matrix product
TILE: Final = {
    1: (1, 32),
    2: (8, 16),
}  # neighbouring nodes (rows, along the line) computed together
HALVINGS: Final = 30  # of the bracket around a crossing


@dataclass(eq=False)
class Nodes:
    """The nodes of one level, and what the graph says there. Build them with :func:`nodes_for`.

    Parameters
    ----------
    program
        The compiled recipe.
    line, step
        Column of the line's parameter, and the distance between its nodes.
    x, y
        (n_x,) values along the line; (n_y,) values of the other parameter, one 0 without another.
    sub
        Draws that stand for a node along the line.
    """

    program: ParticleProgram
    line: int
    step: float
    x: np.ndarray
    y: np.ndarray
    sub: int
    asked: dict[bytes, Columns] = field(default_factory=dict)  # what posteriors asked for, in order

    def z(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Return parameters (n, size) from values along and across the line."""
        if self.program.size == 1:
            return x.reshape(-1, 1)
        pair = (x.ravel(), y.ravel())
        return np.stack(pair if self.line == 0 else pair[::-1], axis=1)

    def grid(self, x: np.ndarray) -> np.ndarray:
        """Return the parameters (n_y * x, size) at positions `x` of every line."""
        return self.z(np.tile(x, len(self.y)), np.repeat(self.y, len(x)))

    @cached_property
    def log(self) -> np.ndarray:
        """(n_y, n_x, outcomes + 1): log probability of each outcome, and the log prior last."""
        said = self.program.evaluate(self.grid(self.x))
        # a floor in place of -inf, which times 0 is not a number
        rows = np.concatenate([said.log_p, np.fmax(said.log_prior, -1e300)[:, None]], axis=1)
        found: np.ndarray = rows.reshape(len(self.y), len(self.x), -1)
        return found

    @cached_property
    def fine(self) -> np.ndarray:
        """(n_x * sub,): positions of the draws along each line, `sub` around each node."""
        around = (np.arange(self.sub) + 0.5) / self.sub - 0.5
        found: np.ndarray = (self.x[:, None] + self.step * around).ravel()
        return found

    @cached_property
    def p(self) -> dict[str, np.ndarray]:
        """Name to (n_y, fine, dose): probability of each endpoint at the draws."""
        said = self.program.evaluate(self.grid(self.fine))
        return {k: v.reshape(len(self.y), len(self.fine), -1) for k, v in said.p.items()}

    @cached_property
    def _spread(self) -> tuple[np.ndarray, np.ndarray]:
        """(n_x, fine) weight of each draw at each node, and (n_x, 2) of what lies beyond both ends."""
        apart = (self.fine - self.x[:, None]) / self.step
        ends = np.array([self.fine[0], self.fine[-1]]) + self.step / self.sub * np.array(
            [-0.5, 0.5]
        )
        left = self.upto(ends[:1])[:, 0]
        right = 1 - self.upto(ends[1:])[:, 0]
        return np.sinc(apart) / self.sub, np.stack([left, right], axis=1)

    def upto(self, at: np.ndarray) -> np.ndarray:
        """(n_x, at): share of each node's weight that lies below a position on its line."""
        found: np.ndarray = 0.5 + sici(np.pi * (at - self.x[:, None]) / self.step)[0] / np.pi
        return found

    def columns(self, x: np.ndarray) -> np.ndarray:
        """Return the weights (n_y, n_x, c) whose sums are the means of draws `x` (n_y, fine, c)."""
        inner, beyond = self._spread
        weights: np.ndarray = inner @ x + beyond @ x[:, [0, -1]]
        return weights

    def interpolated(self, dense: np.ndarray) -> np.ndarray:
        """Return densities (..., fine) at the draws from those at the nodes (..., n_x)."""
        found: np.ndarray = dense @ self._spread[0]
        return found

    def below(self, name: str, limit: float) -> np.ndarray:
        """Return the weights (n_y, n_x, dose) whose sums are Pr(probability < limit).

        Crossings of the graph's own curve are bracketed at the draws of each line, whether or not it is
        monotone, and found by bisection.
        """
        p = self.p[name]
        inside = p < limit
        found = np.repeat(inside[:, :1].astype(float), len(self.x), axis=1)
        turn = inside[:, 1:] != inside[:, :-1]
        row, at, dose = np.nonzero(turn)
        if not row.size:
            return found
        low, high = self.fine[at], self.fine[at + 1]
        on = inside[row, at + 1, dose]
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            said = self.program.evaluate(self.z(middle, self.y[row])).p[name]
            right = (said[np.arange(len(row)), dose] < limit) == on
            low, high = np.where(right, low, middle), np.where(right, middle, high)
        share = np.where(on, 1.0, -1.0) * (1 - self.upto((low + high) / 2))
        np.add.at(found.swapaxes(1, 2), (row, dose), share.T)
        return found

    def tiled(self, values: np.ndarray, every: tuple[int, int] = (1, 1)) -> np.ndarray:
        """Return (tile, node of the tile, c) from (n_y, n_x, c), with `every` so-manieth node alone."""
        a, b = TILE[self.program.size]
        n_y, n_x, c = values.shape
        split = values.reshape(n_y // a, a, n_x // b, b, c)[:, :: every[0], :, :: every[1]]
        return np.ascontiguousarray(split.swapaxes(1, 2)).reshape(n_y // a * (n_x // b), -1, c)

    @cached_property
    def tiled_log(self) -> np.ndarray:
        """(tile, outcomes + 1, node of the tile): `log` as the sums read it."""
        return np.ascontiguousarray(self.tiled(self.log).swapaxes(1, 2))

    @cached_property
    def thin_log(self) -> tuple[np.ndarray, int]:
        """(slice, outcomes + 1, 512) of every fourth node of every fourth line; and their number."""
        thin = self.tiled(self.log, THIN)
        flat = thin.reshape(-1, thin.shape[-1])
        slices = -(-len(flat) // SLICE)
        found = np.zeros((slices * SLICE, flat.shape[1]))
        found[: len(flat)] = flat
        cut = found.reshape(slices, SLICE, -1).swapaxes(1, 2)
        return np.ascontiguousarray(cut), len(flat)


_PLANS: WeakKeyDictionary[ParticleProgram, tuple[Plan, dict[int, Nodes]]] = WeakKeyDictionary()


def nodes_for(program: ParticleProgram, level: int = 0) -> Nodes:
    """Return the nodes of a level, made once: each level halves the spacing."""
    if program not in _PLANS:
        _PLANS[program] = (plan_for(program), {})
    plan, made = _PLANS[program]
    if level not in made:
        made[level] = _nodes(program, plan, level)
    return made[level]


def _nodes(program: ParticleProgram, plan: Plan, level: int) -> Nodes:
    (x, step), (y, _) = _sides(program, plan, level)
    if len(x) * len(y) > MOST:
        raise DoseOptError(
            f"{type(program.recipe).__name__}: a grid needs {len(x) * len(y):,} nodes,"
            f" more than {MOST:,}",
            hint="fit_many() weighs particles instead",
        )
    return Nodes(program, plan.line, step, x, y, SUB[program.size])


def _sides(
    program: ParticleProgram, plan: Plan, level: int
) -> tuple[tuple[np.ndarray, float], tuple[np.ndarray, float]]:
    """Return positions along and across the line, whole tiles of them, and their distances."""

    def side(k: int, pieces: int) -> tuple[np.ndarray, float]:
        step = float(plan.spacing[k]) / 2**level
        n = pieces * max(2, math.ceil((plan.high[k] - plan.low[k]) / step / pieces))
        middle = (plan.low[k] + plan.high[k]) / 2
        return middle + step * (np.arange(n) - (n - 1) / 2), step

    rows, along = TILE[program.size]
    one = (np.zeros(1), 1.0)
    return side(plan.line, along), side(1 - plan.line, rows) if program.size == 2 else one


def _count(program: ParticleProgram, plan: Plan, level: int) -> int:
    (x, _), (y, _) = _sides(program, plan, level)
    return len(x) * len(y)


def level_of(program: ParticleProgram, totals: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the level that each trial needs, and the least sd along its line in nodes of that level.

    Where a finer level would have too many nodes it is the finest that has not.

    Parameters
    ----------
    program
        The compiled recipe.
    totals
        (trial, outcome): patients that could have had each outcome.
    """
    nodes_for(program)
    plan = _PLANS[program][0]
    kinds = len(program.outcomes)
    each = (totals * plan.information).reshape(len(totals), -1, kinds).mean(axis=-1).sum(axis=-1)
    sd = (plan.prior_precision + each) ** -0.5
    ratio = LINE[program.size] * sd / plan.spacing[plan.line]
    finest = max(k for k in range(LEVELS) if _count(program, plan, k) <= MOST)
    level = np.ceil(np.log2(1 / ratio) - 1e-9).clip(0, finest).astype(int)
    return level, sd * 2.0**level / plan.spacing[plan.line]
