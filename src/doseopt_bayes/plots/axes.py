"""What several figures put on their axes: limits of the rules, and dose labels that do not touch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr
from matplotlib.transforms import ScaledTranslation

from doseopt_bayes import names
from doseopt_bayes.decision.rules import Active, Rule, Tolerable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

__all__ = ["label_doses", "limits"]


def limits(rules: Rule) -> xr.Dataset:
    """Return the limits of the rules on a probability: ``limit`` and ``variable`` over ``rule``."""
    found = [
        (r.limit, names.P_TOX if isinstance(r, Tolerable) else names.P_EFF, str(r))
        for r in rules.leaves
        if isinstance(r, Tolerable | Active)
    ]
    return xr.Dataset(
        {
            "limit": ("rule", np.array([f[0] for f in found], dtype=float)),
            "variable": ("rule", np.array([f[1] for f in found], dtype=str)),
        },
        coords={"rule": np.array([f[2] for f in found], dtype=str)},
    )


def label_doses(ax: Axes, doses: Sequence[float], labels: Sequence[str]) -> None:
    """Put a tick at each true dose and its label below; labels that would touch are moved apart.

    Parameters
    ----------
    ax
        Axes with their final dose limits.
    doses, labels
        Where, and what; labels may have several lines.
    """
    low, high = ax.get_xlim()
    size = ax.get_window_extent().width / ax.figure.dpi
    at = [(d - low) / (high - low) * size for d in doses]
    longest = [max(len(line) for line in label.split("\n")) for label in labels]
    widths = [0.07 * n + 0.04 for n in longest]
    placed = _spread(at, widths)
    ax.set_xticks(list(doses), labels=list(labels))
    aside = [72 * (there - here) for here, there in zip(at, placed, strict=True)]
    if max(map(abs, aside)) < 4:
        return
    ax.tick_params(axis="x", pad=11)  # first: it resets the place of every label
    for tick, points in zip(ax.xaxis.get_major_ticks(), aside, strict=True):
        move = ScaledTranslation(points / 72, 0, ax.figure.dpi_scale_trans)
        tick.label1.set_transform(tick.label1.get_transform() + move)
    line = {"arrowstyle": "-", "linewidth": 0.6, "color": "#767676", "shrinkA": 0, "shrinkB": 0}
    for dose, points in zip(doses, aside, strict=True):
        ax.annotate("", (dose, 0), (points, -13), xycoords=ax.get_xaxis_transform(),
                    textcoords="offset points", arrowprops=line, annotation_clip=False)  # fmt: skip


def _spread(at: Sequence[float], widths: Sequence[float]) -> list[float]:
    """Move centres apart, as little as a few sweeps find, until the boxes around them are apart."""
    placed = list(at)
    for _ in range(200):
        still = True
        for i in range(len(placed) - 1):
            need = (widths[i] + widths[i + 1]) / 2 - (placed[i + 1] - placed[i])
            if need > 1e-3:
                still = False
                placed[i] -= need / 2
                placed[i + 1] += need / 2
        if still:
            break
    return placed
