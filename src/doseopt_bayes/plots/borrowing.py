"""Borrowing: how many effective patients each subgroup has of its own, and how many from the others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.patches import Patch

from doseopt_bayes import names
from doseopt_bayes.decision.prose import error, probability
from doseopt_bayes.plots import style
from doseopt_bayes.plots.subgroups import (
    LEVEL,
    caption,
    height,
    label_rows,
    pooled_numbers,
    pooling_of,
    rows,
)

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from doseopt_bayes.analysis import Analysis

__all__ = [
    "caption_borrowing",
    "data_borrowing",
    "draw_borrowing",
    "has_borrowing",
    "plot_borrowing",
    "plot_exchangeable",
]

KEPT = (names.N, "patients", "patients_mcse", "patients_apart", "patients_apart_mcse", "borrowed",
        "borrowed_mcse", "exchangeable", "exchangeable_mcse")  # fmt: skip
OWN, MORE, LESS = "#00204d", "#a9b7cf", "white"


def has_borrowing(analysis: Analysis) -> bool:
    """Whether the analysis has subgroups and a fit without pooling beside it."""
    return pooling_of(analysis) is not None


def data_borrowing(analysis: Analysis) -> xr.Dataset:
    """Return the numbers of the borrowing figure.

    Returns
    -------
    xarray.Dataset
        ``patients``, ``patients_apart`` and ``borrowed`` with their errors over ``level``, ``dose`` and
        ``endpoint``, efficacy first; ``exchangeable`` over level where the model has it.

    Raises
    ------
    ValueError
        When the analysis has no comparison with a fit without pooling.
    """
    return pooled_numbers(analysis, KEPT)


def plot_borrowing(data: xr.Dataset, *, endpoint: str, ax: Axes | None = None) -> Axes:
    """Draw one endpoint: a bar for each dose of each subgroup.

    Dark: effective patients without pooling. Pale, after it: those that pooling added. White with a
    dashed edge, at the end of the dark bar: those that pooling took away. Numbers: own and borrowed.

    Parameters
    ----------
    data
        Result of `data_borrowing`.
    endpoint
        For example ``"eff"``.
    ax
        Where to draw; a new figure by default.
    """
    with style.styled():
        ax = style.new_figure(height(data) + 0.6).add_subplot() if ax is None else ax
        here = data.sel({names.ENDPOINT: endpoint})
        label_rows(ax, data)
        longest = float(np.nanmax(here[["patients", "patients_apart"]].to_array()))
        for y, i, j in rows(data):
            if j is None:
                continue
            row, at = here.isel({LEVEL: i, names.DOSE: j}), f"{i}:{j}"
            own, total = float(row["patients_apart"]), float(row["patients"])
            ax.barh(y, min(own, total), height=0.62, color=OWN, linewidth=0, zorder=2,
                    gid=f"own:{at}")  # fmt: skip
            if total >= own:
                ax.barh(y, total - own, left=own, height=0.62, color=MORE, linewidth=0, zorder=2,
                        gid=f"borrowed:{at}")  # fmt: skip
            else:
                ax.barh(y, own - total, left=total, height=0.62, facecolor=LESS, edgecolor=OWN,
                        linewidth=0.8, linestyle=(0, (2, 2)), zorder=2, gid=f"lost:{at}")  # fmt: skip
            sign = "+" if total >= own else "-"
            ax.text(max(own, total) + 0.015 * longest, y, f"{own:.0f} {sign} {abs(total - own):.0f}",
                    va="center", fontsize=6.5)  # fmt: skip
        ax.set_xlim(0, 1.3 * longest)
        ax.set_xlabel("effective patients")
        ax.set_title(style.endpoint_word(names.probability(endpoint)).capitalize())
    return ax


def plot_exchangeable(data: xr.Dataset, *, ax: Axes | None = None) -> Axes:
    """Draw the probability of each subgroup to be exchangeable with the others, numbers printed.

    Parameters
    ----------
    data
        Result of `data_borrowing`, with ``exchangeable``.
    ax
        Where to draw; a new figure by default.
    """
    with style.styled():
        ax = style.new_figure(height(data) + 0.6).add_subplot() if ax is None else ax
        label_rows(ax, data)
        for y, i, j in rows(data):
            if j is not None:
                continue
            p = float(data["exchangeable"].isel({LEVEL: i}))
            middle = y - (data.sizes[names.DOSE]) / 2
            ax.plot([0, p], [middle, middle], color=style.GREY, linewidth=1, zorder=2)
            ax.plot([p], [middle], "o", color=OWN, markersize=5, clip_on=False, zorder=3,
                    gid=f"exchangeable:{i}")  # fmt: skip
            ax.text(p, middle + 0.35, probability(p), ha="center", va="bottom", fontsize=7)
        ax.set_xlim(0, 1)
        ax.set_xticks([0, 0.5, 1], labels=["0", "0.5", "1"])
        ax.set_xlabel("probability")
        ax.set_title("Exchangeable", fontsize=8)  # a narrow panel
    return ax


def draw_borrowing(data: xr.Dataset) -> Figure:
    """Draw a panel for each endpoint, and one of exchangeability where the model has it."""
    with style.styled():
        ends = [str(e) for e in data[names.ENDPOINT].to_numpy()]
        mixed = "exchangeable" in data
        figure = style.new_figure(height(data) + 1.0)
        panels = figure.subplots(1, len(ends) + mixed, squeeze=False,
                                 width_ratios=[3.0] * len(ends) + [1.35] * mixed)[0]  # fmt: skip
        for ax, endpoint in zip(panels, ends, strict=False):
            plot_borrowing(data, endpoint=endpoint, ax=ax)
        if mixed:
            plot_exchangeable(data, ax=panels[-1])
        for ax in panels[1:]:
            ax.set_yticklabels([])
        marks: list[Any] = [Patch(color=OWN), Patch(color=MORE)]
        said = ["own (without pooling)", "borrowed from the other subgroups"]
        if bool((data["borrowed"] < 0).any()):
            marks.append(Patch(facecolor=LESS, edgecolor=OWN, linestyle=(0, (2, 2))))
            said.append("lost to the others")
        figure.legend(marks, said, loc="outside lower center", ncols=3)
    return figure


def caption_borrowing(data: xr.Dataset) -> str:
    """Say what the bars are, how effective patients were computed, and their errors."""
    said = [
        (
            "Bars: effective patients of the posterior of each probability, m (1 - m) / v - 1 with its "
            "mean m and variance v (the size of the Beta distribution with these moments; the prior "
            "counts). Dark: of the fit without pooling; pale: what the fit that pools over the subgroups "
            f"has more, borrowed from the others (Monte Carlo standard error of what is borrowed at most "
            f"{error(float(data['borrowed_mcse'].max()))} patients)."
        )
    ]
    if bool((data["borrowed"] < 0).any()):
        said.append(
            "Dashed: effective patients that pooling took away, where the others contradict the "
            "subgroup's own."
        )
    if "exchangeable" in data:
        worst = error(float(data["exchangeable_mcse"].max()))
        said.append(
            "Exchangeable: posterior probability that the subgroup's parameters come from the "
            f"distribution that the others share (Monte Carlo standard error at most {worst})."
        )
    return caption(said, data)
