"""Posteriors of many trials of a model with one or two parameters, with errors that were measured."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Final

import numpy as np
import xarray as xr

from doseopt_bayes import names
from doseopt_bayes.errors import DoseOptError
from doseopt_bayes.inference.gridsums import edges, pack, sums
from doseopt_bayes.inference.posterior import Posterior
from doseopt_bayes.inference.weighted import PARTICLE, TRIAL

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from doseopt_bayes.inference.grid import Nodes
    from doseopt_bayes.inference.partial import Partial

__all__ = ["Gridded"]

ASKED: Final = 64  # sets of columns kept with the nodes
TOTAL: Final = b"total"


@dataclass(frozen=True, eq=False)
class Gridded(Posterior):
    """Posteriors of trials that share their nodes; whatever reads a posterior reads this one.

    Its draws (dim particle) are the same for every trial and have no dim trial: ``expect`` gives each
    trial's mean of them from its own density. ``below``, ``exceeds`` and ``between`` are exact along
    the line, where draws would count.

    Parameters
    ----------
    rows
        Over (trial, column), or (column) for a single trial: counts in the columns of the program and
        1 for the log prior; its coord ``error`` is the error claimed for a probability.
    nodes
        The shared nodes.
    pending
        Patients of whom only a part is known, of each trial; ``None`` without any.
    """

    rows: xr.DataArray = field(kw_only=True)
    nodes: Nodes = field(kw_only=True)
    pending: Partial | None = field(kw_only=True, default=None)
    _found: dict[bytes, np.ndarray] = field(default_factory=dict, init=False, repr=False)
    random: ClassVar[bool] = False

    def some(self, at: int | slice | np.ndarray) -> Gridded:
        """Return the posteriors at some positions of the dim trial; of one, without that dim."""
        groups = {}
        for name, child in self.tree.children.items():
            group = child.to_dataset()
            groups[name] = group.isel({TRIAL: at}) if TRIAL in group.dims else group
        tree = xr.DataTree.from_dict(groups)
        tree.attrs.update(self.tree.attrs)
        rows = at if isinstance(at, slice) else np.atleast_1d(at)
        pending = None if self.pending is None else self.pending[rows]
        return Gridded(tree, self.parameters, self.diagnostics, self.notes, self.sample_dims,
                       rows=self.rows.isel({TRIAL: at}), nodes=self.nodes, pending=pending)  # fmt: skip

    @property
    def error(self) -> xr.DataArray:
        """Error claimed for a probability, over trial."""
        return self.rows["error"].drop_vars("error")

    @property
    def edge(self) -> np.ndarray:
        """(trial,): posterior mass at the ends of the box of nodes."""
        return self._sums(TOTAL, lambda: edges(self.nodes))[:, 1]

    @property
    def min_ess(self) -> float:
        """As many as there are draws: nothing is random."""
        return float(self.n_draws)

    def expect(self, x: xr.DataArray) -> xr.DataArray:
        """Posterior mean of draws `x`; numbers without the dim particle are means already."""
        if PARTICLE not in x.dims:
            return x.astype(float)
        if TRIAL in x.dims:  # an event that differs from trial to trial: each by itself
            return self._each(x, lambda post, own: post.expect(own))
        return self._mean(x, b"mean", self.nodes.columns)

    def mcse(self, x: xr.DataArray, *, q: float | None = None) -> xr.DataArray:
        """Error of the mean of `x`: what half of the draws would change, and the nodes' own share.

        Parameters
        ----------
        x
            Draws, boolean for an event; or numbers without the dim particle, which are means already.
        q
            Level of a quantile; ``None`` for the mean.
        """
        if q is not None:
            error = self.mcse(x <= self.quantile(x, q))
            return abs(self._at(x, q + error) - self._at(x, q - error)) / 2
        if PARTICLE not in x.dims:
            return self.error + xr.zeros_like(x, dtype=float)
        if TRIAL in x.dims:
            return self._each(x, lambda post, own: post.mcse(own))
        number = x.astype(float)
        width = (number.max(PARTICLE) - number.min(PARTICLE)).clip(max=1.0)
        half: xr.DataArray = abs(self._mean(x, b"half", self._halved))
        return half + self.error * width

    def _halved(self, values: np.ndarray) -> np.ndarray:
        """Return columns for half the difference between every second draw and the others."""
        sign = np.where(np.arange(values.shape[1]) % 2, 1.0, -1.0)
        return self.nodes.columns(values * sign[:, None])

    def mcse_of_gaps(self, x: xr.DataArray, at: xr.DataArray) -> xr.DataArray:
        """Error of gaps between doses: at most the sum of the two errors."""
        error = self.mcse(x)
        return (error.where(at, 0).sum(names.DOSE) + error).where(~at, 0.0)

    def errors_of_sum(
        self, slopes: Mapping[str, xr.DataArray], at: xr.DataArray
    ) -> tuple[xr.DataArray, xr.DataArray]:
        """Errors of a linear sum of means at each dose, and of its gaps: sums of their bounds."""
        parts = [abs(slope) * self.mcse(self[name]) for name, slope in slopes.items()]
        error: xr.DataArray = xr.concat(parts, dim="part").sum("part")
        return error, (error.where(at, 0).sum(names.DOSE) + error).where(~at, 0.0)

    def _each(
        self, x: xr.DataArray, read: Callable[[Gridded, xr.DataArray], xr.DataArray]
    ) -> xr.DataArray:
        found = [read(self.some(i), x.isel({TRIAL: i})) for i in range(x.sizes[TRIAL])]
        joined: xr.DataArray = xr.concat(found, dim=TRIAL)
        return joined

    def quantile(self, x: xr.DataArray, q: float) -> xr.DataArray:
        """Posterior quantile of draws `x`, which have no dim trial."""
        return self._at(x, xr.full_like(self.expect(x), q))

    def _at(self, x: xr.DataArray, level: xr.DataArray) -> xr.DataArray:
        weight = self._draw_weights()
        rest = [d for d in x.dims if d != PARTICLE]
        flat = x.transpose(PARTICLE, *rest).to_numpy().reshape(x.sizes[PARTICLE], -1)
        goal = level.to_numpy().reshape(len(weight), -1)
        found = np.empty_like(goal)
        for j, draws in enumerate(flat.T):
            order = np.argsort(draws, kind="stable")
            reached = weight[:, order].cumsum(axis=1)
            for i, so_far in enumerate(reached):
                found[i, j] = np.interp(goal[i, j], so_far, draws[order])
        return level.copy(data=found.reshape(level.shape))

    def _draw_weights(self) -> np.ndarray:
        """(trial, particle): density at each draw by band-limited interpolation, for a few trials."""
        log = np.einsum("tk,yxk->tyx", self._plain, self.nodes.log)
        if self.pending is not None:
            flat = self.nodes.log.reshape(-1, self.nodes.log.shape[-1])
            log += self.pending.shared(flat).reshape(log.shape)
        dense = np.exp(log - log.max(axis=(1, 2), keepdims=True))
        found = self.nodes.interpolated(dense).reshape(len(log), -1).clip(min=0)
        normed: np.ndarray = found / found.sum(axis=1, keepdims=True)
        return normed

    def below(self, variable: str, limit: float) -> tuple[xr.DataArray, xr.DataArray]:
        """Pr(variable < limit) and its error, exact along the line."""
        if variable not in self.nodes.p:
            raise DoseOptError(
                f"no exact tails of '{variable}' on a grid",
                hint=f"one of {', '.join(self.nodes.p)}",
            )
        key = _key(f"{variable} {float(limit)!r}".encode())
        found = self._sums(key, lambda: self.nodes.below(variable, limit))
        p = self._labelled(found.clip(0, 1), self[variable])
        return p, xr.zeros_like(p) + self.error

    def exceeds(self, variable: str, limit: float) -> tuple[xr.DataArray, xr.DataArray]:
        """Pr(variable > limit) and its error, exact along the line."""
        p, error = self.below(variable, limit)
        return 1 - p, error

    def between(self, variable: str, low: float, high: float) -> tuple[xr.DataArray, xr.DataArray]:
        """Pr(low < variable <= high) and its error, exact along the line."""
        p, error = self.below(variable, high)
        if high >= 1:
            p, error = xr.ones_like(p), xr.zeros_like(p)
        if low > 0:
            under, more = self.below(variable, low)
            p, error = (p - under).clip(min=0), error + more
        return p, error

    @property
    def _plain(self) -> np.ndarray:
        return np.atleast_2d(self.rows.to_numpy())

    def _mean(
        self, x: xr.DataArray, mark: bytes, weigh: Callable[[np.ndarray], np.ndarray]
    ) -> xr.DataArray:
        rest = [d for d in x.dims if d != PARTICLE]
        values = np.ascontiguousarray(x.transpose(PARTICLE, *rest).to_numpy())
        key = _key(values.data, mark + str((values.dtype, values.shape)).encode())

        def make() -> np.ndarray:
            shape = (len(self.nodes.y), len(self.nodes.fine), -1)
            return weigh(values.reshape(shape).astype(float))

        return self._labelled(self._sums(key, make), x)

    def _labelled(self, found: np.ndarray, x: xr.DataArray) -> xr.DataArray:
        """Give sums (trial, ...) the labels of draws `x`."""
        rest = [d for d in x.dims if d != PARTICLE]
        like = x.isel({PARTICLE: 0}, drop=True).transpose(*rest)
        coords = {k: v for k, v in like.coords.items() if k != TRIAL}
        if TRIAL not in self.rows.dims:
            return xr.DataArray(found[0].reshape(like.shape), dims=rest, coords=coords)
        coords[TRIAL] = self.rows[TRIAL].drop_vars("error")
        shape = (len(found), *like.shape)
        return xr.DataArray(found.reshape(shape), dims=(TRIAL, *rest), coords=coords)

    def _sums(self, key: bytes, make: Callable[[], np.ndarray]) -> np.ndarray:
        """Return normalised sums; whatever was asked of these nodes before is summed along."""
        if key not in self._found:
            asked = self.nodes.asked
            if TOTAL not in asked:
                asked[TOTAL] = pack(self.nodes, edges(self.nodes))
            if key not in asked:
                while len(asked) >= ASKED:
                    asked.pop(next(k for k in asked if k != TOTAL))
                asked[key] = pack(self.nodes, make())
            wanted = [k for k in asked if k == TOTAL or k not in self._found]
            found = sums(self.nodes, self._plain, [asked[k] for k in wanted], self.pending)
            total = found[wanted.index(TOTAL)][:, :1]
            self._found.update({k: x / total for k, x in zip(wanted, found, strict=True)})
        return self._found[key]


def _key(data: bytes | memoryview, mark: bytes = b"") -> bytes:
    return hashlib.blake2b(mark + bytes(data), digest_size=16).digest()
