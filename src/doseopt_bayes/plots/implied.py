"""What a utility implies, before any data: equal utility in the benefit-risk plane."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from matplotlib import patheffects
from matplotlib.lines import Line2D

from doseopt_bayes import names
from doseopt_bayes.plots import style

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["caption_implied", "draw_implied", "plot_implied"]

ACCENT = "#b0413e"
NICE = (1.0, 2.0, 2.5, 5.0)


def plot_implied(data: xr.Dataset, *, ax: Axes | None = None) -> Axes:
    """Draw the plane: efficacy to the right, toxicity upwards.

    Grey labelled lines: equal utility, darker is better. Thick red line: as desirable as the
    reference, which is the red diamond. Points on it, labelled: the efficacy needed at each toxicity
    that was asked.

    Parameters
    ----------
    data
        ``table`` of a :class:`~doseopt_bayes.decision.implied.UtilityPreview`.
    ax
        Where to draw; a new figure by default.
    """
    with style.styled():
        ax = style.new_figure(5.4).add_subplot() if ax is None else ax
        ax.set_xlim(0, 1)
        ax.set_ylim(0, 1)
        halo: list[patheffects.AbstractPathEffect] = [
            patheffects.withStroke(linewidth=2.6, foreground="white")
        ]
        axis = data[names.P_TOX].to_numpy()
        u = data["u"].to_numpy()
        levels = _levels(u)
        if levels.size:
            step = levels[1] - levels[0] if levels.size > 1 else float(u.max() - u.min())
            ends = [levels[0] - step, *levels, levels[-1] + step]
            ax.contourf(axis, axis, u, levels=ends, cmap="Blues", alpha=0.35, zorder=0)
            # the red line is the one of the reference
            levels = levels[abs(levels - float(data["reference_u"])) > 1e-6 * step]
        if levels.size:
            lines = ax.contour(axis, axis, u, levels=levels, colors=style.GREY, linewidths=0.8,
                               linestyles="solid", zorder=1)  # fmt: skip
            labels = ax.clabel(lines, fmt=lambda v: f"u = {_round(v, step):g}", fontsize=7.5,
                               colors=style.INK, manual=_places(lines.allsegs, data))  # fmt: skip
            for text in labels or ():
                text.set_path_effects(halo)
        ax.plot(data["curve"].to_numpy(), axis, color=ACCENT, linewidth=2.2, zorder=4,
                gid="indifference")  # fmt: skip
        for tox, eff in zip(data["tox"].to_numpy(), data["needed"].to_numpy(), strict=True):
            if math.isnan(eff):
                continue
            ax.plot([eff], [tox], "o", markersize=6, color=ACCENT, markeredgecolor="white",
                    markeredgewidth=0.9, zorder=5, gid=f"needed:{tox:g}", clip_on=False)  # fmt: skip
            left = eff > 0.78
            ax.annotate(f"{eff:.2f} at {tox:g}", (eff, tox), (-8 if left else 9, 3 if left else -9),
                        textcoords="offset points", fontsize=8, color=ACCENT, zorder=6,
                        ha="right" if left else "left", path_effects=halo)  # fmt: skip
        ax.plot([float(data["reference_eff"])], [float(data["reference_tox"])], "D", markersize=9,
                markerfacecolor="white", markeredgecolor=ACCENT, markeredgewidth=2, zorder=7,
                clip_on=False, gid="reference")  # fmt: skip
        ax.set_xlabel("probability of efficacy")
        ax.set_ylabel("probability of toxicity")
        ax.spines[["top", "right"]].set_visible(True)
    return ax


def _levels(u: np.ndarray) -> np.ndarray:
    """Round levels strictly inside the range of `u`, some nine of them; none for a constant."""
    low, high = float(u.min()), float(u.max())
    span = high - low
    if not span > 0:
        return np.empty(0)
    power = 10.0 ** math.floor(math.log10(span / 10))
    step = next((s * power for s in (*NICE, 10.0) if span / (s * power) <= 11), span / 10)
    found = np.arange(math.floor(low / step), math.ceil(high / step) + 1) * step
    return found[(found > low + 1e-6 * span) & (found < high - 1e-6 * span)]


def _round(level: float, step: float) -> float:
    """Return the level without the dust of binary fractions, and never -0."""
    return round(level / step, 6) * step if abs(level) > step / 1e6 else 0.0


def _places(segments: list[list[np.ndarray]], data: xr.Dataset) -> list[tuple[float, float]]:
    """Return for each contour the vertex farthest from frame, points and the labels before it."""
    points = np.column_stack([data["needed"].to_numpy(), data["tox"].to_numpy()])
    points = points[~np.isnan(points[:, 0])]
    curve = np.column_stack([data["curve"].to_numpy(), data[names.P_TOX].to_numpy()])
    # a point and its label, which stands beside it
    taken = [*curve[~np.isnan(curve[:, 0])], *points]
    for eff, tox in points:
        side = -1 if eff > 0.78 else 1
        taken += [np.array([eff + side * d, tox]) for d in (0.05, 0.1, 0.15, 0.2)]
    places = []
    for level in segments:
        vertices = np.concatenate([s for s in level if len(s)] or [np.empty((0, 2))])
        vertices = vertices[((vertices > 0.06) & (vertices < 0.94)).all(axis=1)]
        if not len(vertices):
            continue
        gaps = np.linalg.norm(vertices[:, None] - np.array([*taken, (2.0, 2.0)])[None], axis=2)
        best = vertices[int(gaps.min(axis=1).argmax())]
        taken.append(best)
        places.append((float(best[0]), float(best[1])))
    return places


def draw_implied(data: xr.Dataset) -> Figure:
    """Draw the plane with a legend."""
    with style.styled():
        ax = plot_implied(data)
        figure: Figure = ax.figure  # type: ignore[assignment]
        eff, tox = float(data["reference_eff"]), float(data["reference_tox"])
        marks = [
            Line2D([], [], linestyle="", marker="D", markersize=8, markerfacecolor="white",
                   markeredgecolor=ACCENT, markeredgewidth=2),
            Line2D([], [], color=ACCENT, linewidth=2.2, marker="o", markersize=6,
                   markeredgecolor="white"),
            Line2D([], [], color=style.GREY, linewidth=0.8),
        ]  # fmt: skip
        said = [f"reference:\nefficacy {eff:g},\ntoxicity {tox:g}", "as desirable as\nthe reference",
                "equal utility u"]  # fmt: skip
        figure.legend(marks, said, loc="outside right upper", alignment="left", labelspacing=0.9)
    return figure


def caption_implied(data: xr.Dataset) -> str:
    """Say what every mark is, and what is assumed."""
    eff, tox, u = (float(data[f"reference_{v}"]) for v in ("eff", "tox", "u"))
    u = u if abs(u) > 1e-12 else 0.0  # not -0
    said = [
        (
            f"{data.attrs['utility']}, before any data: plain probabilities, not a posterior. Grey lines "
            "join points of equal utility u, labelled; darker is better."
        ),
        f"Diamond: the reference, efficacy {eff:g} with toxicity {tox:g} (u = {u:.3g}).",
    ]
    if not bool(data["curve"].isnull().all()):
        said.append(
            "Red line: the lowest efficacy that is worth as much as the reference at each toxicity; "
            "points: where it was asked, labelled efficacy at toxicity."
        )
    lost = data["tox"].where(data["needed"].isnull(), drop=True).to_numpy()
    if lost.size:
        where = ", ".join(f"{t:g}" for t in lost)
        said.append(f"At toxicity {where} no efficacy in 0 to 1 is worth the same.")
    if data.attrs["assumed"]:
        said.append(f"Assumed: {data.attrs['assumed']}.")
    return " ".join(said)
