"""Sums of fixed columns over shared nodes, for many trials at once, far tiles left out.

A trial's sums depend on its own counts alone, to the bit: every matrix product has one fixed shape, so
small that BLAS does not split it over threads, and tiles are summed in one order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from doseopt_bayes.inference.grid import Nodes
    from doseopt_bayes.inference.partial import Partial

__all__ = ["Columns", "edges", "pack", "sums"]

GROUP: Final = 16  # trials of one product
WIDTH: Final = 8  # columns of one product, however many are asked
CHUNK: Final = 2048  # trials in the arrays of one call
FAR: Final = 40.0  # a tile whose log density lies so far below the highest one is left out


@dataclass(frozen=True, eq=False)
class Columns:
    """Weights at the nodes, laid out for :func:`sums`.

    Parameters
    ----------
    packed
        (tile, piece, node of the tile, 8), filled up with zeros.
    n
        Number of columns.
    """

    packed: np.ndarray
    n: int


def pack(nodes: Nodes, values: np.ndarray) -> Columns:
    """Lay out columns (n_y, n_x, c)."""
    n = values.shape[-1]
    wide = np.zeros((*values.shape[:2], -(-n // WIDTH) * WIDTH))
    wide[..., :n] = values
    tiles = nodes.tiled(wide)
    split = tiles.reshape(*tiles.shape[:2], -1, WIDTH).swapaxes(1, 2)
    return Columns(np.ascontiguousarray(split), n)


def edges(nodes: Nodes) -> np.ndarray:
    """Return two columns (n_y, n_x, 2): one everywhere, and one at the ends of the box alone."""
    found = np.zeros((len(nodes.y), len(nodes.x), 2))
    found[..., 0] = 1
    found[:, [0, -1], 1] = 1
    if len(nodes.y) > 1:
        found[[0, -1], :, 1] = 1
    return found


def sums(
    nodes: Nodes, rows: np.ndarray, asked: Sequence[Columns], pending: Partial | None = None
) -> list[np.ndarray]:
    """Return sums (trial, c) of the unnormalised density times each set of columns.

    Parameters
    ----------
    nodes
        The nodes.
    rows
        (trial, outcomes + 1): counts of each trial, and 1 for the log prior.
    asked
        The columns; all sets of one trial share its normalisation.
    pending
        Patients of whom only a part is known, in the order of the rows.
    """
    packed = np.concatenate([c.packed for c in asked], axis=1)
    found = np.concatenate(
        [
            _chunk(nodes, rows[at], packed, None if pending is None else pending[at])
            for at in (slice(i, i + CHUNK) for i in range(0, len(rows), CHUNK))
        ]
    )
    at, parts = 0, []
    for columns in asked:
        pieces = columns.packed.shape[1]
        parts.append(found[:, at : at + pieces].reshape(len(rows), -1)[:, : columns.n])
        at += pieces
    return parts


def _chunk(
    nodes: Nodes, rows: np.ndarray, packed: np.ndarray, pending: Partial | None
) -> np.ndarray:
    """(trial, piece, 8): the sums of one chunk."""
    log = nodes.tiled_log  # tile, outcome, node
    thin, looked = nodes.thin_log
    full = _grouped(rows)
    seen = np.matmul(full[:, None], thin).swapaxes(1, 2).reshape(full.shape[0] * GROUP, -1)
    seen = seen[: len(rows), :looked]
    if pending is not None:
        flat = thin.swapaxes(1, 2).reshape(-1, thin.shape[1])[:looked]
        seen = seen + pending.shared(flat)
    seen = seen.reshape(len(rows), len(log), -1).max(axis=2)
    top = seen.max(axis=1)
    near = seen > (top - FAR)[:, None]
    found = np.zeros((len(rows), packed.shape[1], WIDTH))
    for tile in range(len(log)):
        at = np.flatnonzero(near[:, tile])
        if not at.size:
            continue
        density = np.matmul(_grouped(rows[at]), log[tile])
        if pending is not None:
            density += _grouped(pending[at].shared(log[tile].T))
        density -= _grouped(top[at, None])
        np.exp(density, out=density)
        part = np.matmul(density[:, None], packed[tile]).swapaxes(1, 2)
        found[at] += part.reshape(-1, *found.shape[1:])[: at.size]
    return found


def _grouped(rows: np.ndarray) -> np.ndarray:
    """(group, 16, c): rows in groups, the last one filled up with zeros."""
    groups = -(-len(rows) // GROUP)
    found = np.zeros((groups * GROUP, rows.shape[1]))
    found[: len(rows)] = rows
    return found.reshape(groups, GROUP, -1)
