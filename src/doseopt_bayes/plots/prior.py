"""What the priors say about each endpoint at each dose, before any data."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from doseopt_bayes import names
from doseopt_bayes.decision.decide import INTERVAL
from doseopt_bayes.plots import style
from doseopt_bayes.plots.axes import label_doses
from doseopt_bayes.plots.curve import PER_ROW, in_order

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from doseopt_bayes.analysis import Analysis

__all__ = ["caption_prior", "data_draws", "data_prior", "draw_prior", "has_prior", "plot_prior"]


def has_prior(analysis: Analysis) -> bool:
    """Whether the result keeps prior draws of a probability."""
    tree = analysis.posterior.tree
    return "prior" in tree.children and bool(in_order(tree["prior"].to_dataset()))


def data_prior(analysis: Analysis) -> xr.Dataset:
    """Return the numbers of the prior figure.

    Returns
    -------
    xarray.Dataset
        Over ``dose`` and ``variable``: prior ``median``, ``low`` and ``high``; the interval's kind and
        probability and the number of prior draws are attributes.
    """
    unit = str(analysis.decision.table.attrs.get("unit", ""))
    return data_draws(analysis.posterior.tree["prior"].to_dataset(), unit)


def data_draws(prior: xr.Dataset, unit: str) -> xr.Dataset:
    """Return the numbers of :func:`data_prior` from draws of the prior."""
    dims = [names.CHAIN, names.DRAW]
    shown = in_order(prior)
    tail = (1 - INTERVAL) / 2
    levels = {"median": 0.5, "low": tail, "high": 1 - tail}
    data = xr.Dataset(
        {
            part: (
                (names.DOSE, "variable"),
                np.stack([prior[v].quantile(q, dim=dims).to_numpy() for v in shown], axis=1),
            )
            for part, q in levels.items()
        },
        coords={names.DOSE: prior[names.DOSE].to_numpy(), "variable": shown},
    )
    data.attrs = {
        **style.interval_attrs(),
        "unit": unit,
        "prior_draws": int(np.prod([prior.sizes[d] for d in dims])),
    }
    return data


def plot_prior(data: xr.Dataset, *, variable: str, ax: Axes | None = None) -> Axes:
    """Draw one panel: prior median (marker) and interval (bar) per dose, joined by line and band."""
    with style.styled():
        ax = style.new_figure(3.0).add_subplot() if ax is None else ax
        here = data.sel({"variable": variable})
        doses = [float(d) for d in data[names.DOSE].to_numpy()]
        span = doses[-1] - doses[0]
        median, low, high = (here[k].to_numpy() for k in ("median", "low", "high"))
        ax.fill_between(doses, low, high, color=style.PALE, linewidth=0, zorder=0)
        ax.plot(doses, median, color=style.GREY, linewidth=0.9, zorder=1, gid="line")
        for i, (dose, look) in enumerate(style.dose_styles(doses).items()):
            ax.plot([dose, dose], [low[i], high[i]], color=look.color, linewidth=1.6,
                    linestyle=(0, (2, 1)), zorder=3, gid=f"interval:{dose:g}")  # fmt: skip
            ax.plot([dose], [median[i]], look.marker, markersize=7, markeredgecolor=look.color,
                    markerfacecolor=look.color, zorder=4, clip_on=False,
                    gid=f"median:{dose:g}")  # fmt: skip
        ax.set_xlim(doses[0] - 0.09 * span, doses[-1] + 0.09 * span)
        ax.set_ylim(-0.02, 1.02)
        label_doses(ax, doses, [f"{d:g}" for d in doses])
        unit = f" ({data.attrs['unit']})" if data.attrs["unit"] else ""
        ax.set_xlabel(style.escape(f"dose{unit}"))
        ax.set_ylabel(f"prior probability of {style.endpoint_word(variable)}")
        ax.set_title(style.endpoint_word(variable).capitalize())
    return ax


def draw_prior(data: xr.Dataset) -> Figure:
    """Draw all panels side by side."""
    with style.styled():
        variables = [str(v) for v in data["variable"].to_numpy()]
        rows = -(-len(variables) // PER_ROW)
        figure = style.new_figure(3.1 * rows)
        panels = figure.subplots(rows, min(PER_ROW, len(variables)), squeeze=False).ravel()
        for ax in panels[len(variables) :]:
            ax.set_visible(False)
        panels = panels[: len(variables)]
        for ax, variable in zip(panels, variables, strict=True):
            plot_prior(data, variable=variable, ax=ax)
    return figure


def caption_prior(data: xr.Dataset) -> str:
    """Say what every mark is."""
    return (
        f"Marker and dashed bar: median and {style.interval_words(data)} of the prior probability at "
        f"each candidate dose, from {data.attrs['prior_draws']} prior draws; no outcome is used. Grey "
        "line and band join them; the model is evaluated at the candidate doses only."
    )
