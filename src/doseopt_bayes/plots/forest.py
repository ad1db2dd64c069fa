"""Forest of the subgroups: what was observed and what pooling made of it, at each dose."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.lines import Line2D

from doseopt_bayes import names
from doseopt_bayes.decision.prose import error
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

__all__ = ["caption_forest", "data_forest", "draw_forest", "has_forest", "plot_forest"]

KEPT = (names.EVENTS, names.N, "rate", "rate_low", "rate_high", "mean", "mean_mcse", "low", "high",
        "mean_apart", "mean_together")  # fmt: skip
RAW, SHRUNK = 0.2, -0.14  # places of the two estimates within a row


def has_forest(analysis: Analysis) -> bool:
    """Whether the analysis has subgroups and a fit without pooling beside it."""
    return pooling_of(analysis) is not None


def data_forest(analysis: Analysis) -> xr.Dataset:
    """Return the numbers of the forest.

    Returns
    -------
    xarray.Dataset
        Columns of the table of :class:`~doseopt_bayes.decision.pooling.Pooling`, unchanged, over
        ``level`` (all groupings in one line), ``dose`` and ``endpoint``, efficacy first.

    Raises
    ------
    ValueError
        When the analysis has no comparison with a fit without pooling.
    """
    return pooled_numbers(analysis, KEPT)


def plot_forest(data: xr.Dataset, *, endpoint: str, ax: Axes | None = None) -> Axes:
    """Draw one panel: one endpoint, a row for each dose of each subgroup.

    Cross and thin capped bar: observed rate and exact interval. Marker and thick bar, in the colour of
    the dose: posterior mean and credible interval of the hierarchical fit, hollow where nobody was
    analysed. Vertical stroke: mean of the fit with all subgroups as one. At the right: events / patients.

    Parameters
    ----------
    data
        Result of `data_forest`.
    endpoint
        For example ``"eff"``.
    ax
        Where to draw; a new figure by default.
    """
    with style.styled():
        ax = style.new_figure(height(data) + 0.6).add_subplot() if ax is None else ax
        here = data.sel({names.ENDPOINT: endpoint})
        looks = list(style.dose_styles([float(d) for d in data[names.DOSE].to_numpy()]).values())
        label_rows(ax, data)
        for y, i, j in rows(data):
            if j is None:
                continue
            row, look = here.isel({LEVEL: i, names.DOSE: j}), looks[j]
            at, n = f"{i}:{j}", int(row[names.N])
            ax.plot([float(row["low"]), float(row["high"])], [y + SHRUNK] * 2, color=look.color,
                    linewidth=2.2, solid_capstyle="butt", zorder=3, gid=f"interval:{at}")  # fmt: skip
            ax.plot([float(row["mean"])], [y + SHRUNK], look.marker, markersize=5, zorder=4,
                    markeredgecolor=look.color, markerfacecolor=look.color if n else "white",
                    gid=f"mean:{at}")  # fmt: skip
            if "mean_together" in row:
                ax.plot([float(row["mean_together"])], [y + SHRUNK], "|", color=style.INK,
                        markersize=8, markeredgewidth=1.2, zorder=5, gid=f"together:{at}")  # fmt: skip
            if n:
                ends = [float(row["rate_low"]), float(row["rate_high"])]
                ax.plot(ends, [y + RAW] * 2, "|-", color=style.GREY, linewidth=0.8, markersize=3,
                        zorder=2, gid=f"observed_interval:{at}")  # fmt: skip
                ax.plot([float(row["rate"])], [y + RAW], "x", color=style.INK, markersize=4,
                        markeredgewidth=1.2, zorder=4, gid=f"observed:{at}")  # fmt: skip
            ax.annotate(f"{int(row[names.EVENTS])}/{n}", (1.01, y), fontsize=7, va="center",
                        xycoords=ax.get_yaxis_transform(), annotation_clip=False)  # fmt: skip
        top = float(np.nanmax([here["high"].to_numpy(), here["rate_high"].to_numpy()]))
        ax.set_xlim(-0.02, min(1.02, 1.05 * top))
        word = style.endpoint_word(names.probability(endpoint))
        ax.set_xlabel(f"probability of {word}")
        ax.set_title(word.capitalize())
    return ax


def draw_forest(data: xr.Dataset) -> Figure:
    """Draw a panel for each endpoint side by side, with one legend."""
    with style.styled():
        ends = [str(e) for e in data[names.ENDPOINT].to_numpy()]
        figure = style.new_figure(height(data) + 1.0)
        panels = figure.subplots(1, len(ends), squeeze=False)[0]
        for k, (ax, endpoint) in enumerate(zip(panels, ends, strict=True)):
            plot_forest(data, endpoint=endpoint, ax=ax)
            if k:
                ax.set_yticklabels([])
        percent = f"{data.attrs['interval_prob'] * 100:g} %"
        marks: list[Any] = [
            Line2D([], [], color=style.GREY, marker="x", markeredgecolor=style.INK, linewidth=0.8),
            Line2D([], [], color=style.GREY, marker="o", linewidth=2.2),
        ]
        said = [f"observed, exact {percent} CI", f"with pooling, {percent} credible interval"]
        if "mean_together" in data:
            marks.append(Line2D([], [], color=style.INK, marker="|", linestyle="none",
                                markeredgewidth=1.2, markersize=8))  # fmt: skip
            said.append("all subgroups as one")
        figure.legend(marks, said, loc="outside lower center", ncols=3)
    return figure


def caption_forest(data: xr.Dataset) -> str:
    """Say what every mark is, how many patients are behind it, and where nobody was."""
    treated = "; ".join(
        f"{style.endpoint_word(names.probability(str(e)))}: "
        f"{int(data[names.EVENTS].sel(endpoint=e).sum())} events in "
        f"{int(data[names.N].sel(endpoint=e).sum())} patients analysed by subgroup"
        for e in data[names.ENDPOINT].to_numpy()
    )
    said = [
        (
            f"Cross and thin bar: observed rate and its {data.attrs['interval_prob'] * 100:g} % "
            f"{data.attrs['observed_interval_kind']} confidence interval; events / patients analysed at "
            "the right."
        ),
        (
            f"Marker and thick bar below it: posterior mean and {style.interval_words(data)} of the fit "
            "that pools over the subgroups (Monte Carlo standard error of the means at most "
            f"{error(float(data['mean_mcse'].max()))}). The distance between the two is the shrinkage, "
            "and what the curve over doses adds."
        ),
    ]
    if "mean_together" in data:
        said.append("Vertical stroke: mean of the fit in which all subgroups are one.")
    said.append(f"{treated[:1].upper()}{treated[1:]}.")
    if not bool((data[names.N] > 0).all()):
        said.append("Hollow marker: nobody was analysed there; it is borrowed or the prior.")
    return caption(said, data)
