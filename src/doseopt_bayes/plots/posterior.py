"""Prior against posterior of every parameter, drawn by ArviZ on our own figure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import arviz_plots as azp
import numpy as np
import xarray as xr
from matplotlib.lines import Line2D

from doseopt_bayes.decision.decide import INTERVAL
from doseopt_bayes.inference.posterior import scalars
from doseopt_bayes.plots import style

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from doseopt_bayes.analysis import Analysis
    from doseopt_bayes.inference.posterior import Posterior

__all__ = [
    "caption_prior_posterior",
    "collection",
    "data_prior_posterior",
    "draw_prior_posterior",
    "has_parameters_prior",
    "panels",
]

GROUPS = ("prior", "posterior")
COLORS = ("#b08900", "#00204d")
PER_ROW = 3


def has_parameters_prior(analysis: Analysis) -> bool:
    """Whether prior draws of every parameter are kept."""
    tree = analysis.posterior.tree
    if "prior" not in tree.children:
        return False
    return all(p in tree["prior"].data_vars for p in analysis.posterior.parameters)


def panels(titles: Sequence[str], *, row: float = 1.6) -> tuple[Figure, list[Axes]]:
    """Return a figure with a titled panel per name, three to a row."""
    rows = -(-len(titles) // PER_ROW)
    figure = style.new_figure(0.5 + row * rows)
    grid = figure.subplots(rows, min(PER_ROW, len(titles)), squeeze=False).ravel()
    for ax in grid[len(titles) :]:
        ax.set_visible(False)
    return figure, list(grid[: len(titles)])


def collection(
    figure: Figure, axes: Sequence[Axes], data: xr.Dataset, aes: dict[str, list[str]], **values: Any
) -> azp.PlotCollection:
    """Return an ArviZ plot collection on our own axes, one per variable, without pyplot."""

    def held(things: Sequence[object]) -> xr.Dataset:
        named = {}
        for name, thing in zip(data.data_vars, things, strict=True):
            cell = np.empty((), dtype=object)
            cell[()] = thing
            named[str(name)] = ((), cell)
        return xr.Dataset(named)

    root = np.empty((), dtype=object)
    root[()] = figure
    tree = xr.DataTree.from_dict(
        {
            "/": xr.Dataset({"figure": ((), root)}),
            "plot": held(axes),
            "row_index": held([i // PER_ROW for i in range(len(axes))]),
            "col_index": held([i % PER_ROW for i in range(len(axes))]),
        }
    )
    return azp.PlotCollection(data, tree, aes=aes, backend="matplotlib", **values)


def data_prior_posterior(analysis: Analysis) -> xr.Dataset:
    """Return mean, sd and interval of every parameter before and after the data.

    Returns
    -------
    xarray.Dataset
        ``mean``, ``sd``, ``low``, ``high`` over (group, parameter) and ``sd_ratio``, posterior over
        prior, over parameter. ``draws`` holds the draws that the curves smooth.
    """
    post: Posterior = analysis.posterior
    both = {
        g: xr.Dataset(
            scalars(post.tree[g].to_dataset(), post.parameters, post.sample_dims)
        ).to_dataarray("parameter")
        for g in GROUPS
    }
    tail = (1 - INTERVAL) / 2
    measures = {
        "mean": {g: post.expect(x) for g, x in both.items()},
        "sd": {g: x.std(post.sample_dims) for g, x in both.items()},
        "low": {g: post.quantile(x, tail) for g, x in both.items()},
        "high": {g: post.quantile(x, 1 - tail) for g, x in both.items()},
    }
    dims = ("group", "parameter")
    data = xr.Dataset(
        {m: (dims, np.stack([by[g].to_numpy() for g in GROUPS])) for m, by in measures.items()},
        coords={"group": list(GROUPS), "parameter": both["prior"]["parameter"].to_numpy()},
    )
    data["sd_ratio"] = data["sd"].sel(group="posterior", drop=True) / data["sd"].sel(
        group="prior", drop=True
    )
    pooled = {g: x.transpose("parameter", ...).to_numpy().reshape(x.sizes["parameter"], -1)
              for g, x in both.items()}  # fmt: skip
    size = min(x.shape[1] for x in pooled.values())
    thin = [x[:, :: x.shape[1] // size][:, :size] for x in pooled.values()]
    data["draws"] = ((*dims, "sample"), np.stack(thin))
    data.attrs = style.interval_attrs()
    return data


def draw_prior_posterior(data: xr.Dataset) -> Figure:
    """Draw a panel per parameter: densities, and mean and interval of each below the zero line."""
    with style.styled():
        titles = [str(p) for p in data["parameter"].to_numpy()]
        figure, axes = panels(titles)
        draws = data["draws"].assign_coords(sample=np.arange(data.sizes["sample"]))
        flat = xr.Dataset({t: draws.sel(parameter=t, drop=True) for t in titles})
        drawn = collection(figure, axes, flat, {"color": ["group"]}, color=list(COLORS))
        azp.plot_dist(
            flat, sample_dims=["sample"], kind="kde", plot_collection=drawn, backend="matplotlib",
            visuals={"credible_interval": False, "point_estimate": False, "title": False,
                     "point_estimate_text": False, "remove_axis": False},
        )  # fmt: skip
        for ax, title in zip(axes, titles, strict=True):
            top = ax.get_ylim()[1]
            for k, group in enumerate(GROUPS):
                at = data.sel(group=group, parameter=title)
                y = -(0.09 + 0.1 * k) * top
                ax.plot([float(at["low"]), float(at["high"])], [y, y], color=COLORS[k], linewidth=2,
                        solid_capstyle="butt", gid=f"interval:{group}:{title}")  # fmt: skip
                ax.plot([float(at["mean"])], [y], "os"[k], color=COLORS[k], markersize=4.5,
                        gid=f"mean:{group}:{title}")  # fmt: skip
            ends = data.sel(parameter=title)
            left, right = float(ends["low"].min()), float(ends["high"].max())
            reach = 0.35 * (right - left)
            ax.set_xlim(left - reach, right + reach)
            ax.set_ylim(-0.27 * top, top)
            ax.set_yticks([])
            ax.spines["left"].set_visible(False)
            ratio = float(data["sd_ratio"].sel(parameter=title))
            ax.set_title(style.escape(f"{title}\nsd ratio {ratio:.2f}"), fontsize=8.5)
        marks = [Line2D([], [], color=c, marker=m, linewidth=2) for c, m in
                 zip(COLORS, "os", strict=True)]  # fmt: skip
        figure.legend(marks, list(GROUPS), loc="outside lower center", ncols=2)
    return figure


def caption_prior_posterior(data: xr.Dataset) -> str:
    """Say what every mark is."""
    return (
        "Curves: kernel density of the prior and posterior draws of each parameter "
        f"({data.sizes['sample']} of each). Marker and bar below them: mean and "
        f"{style.interval_words(data)}. The sd ratio is posterior over prior standard deviation: near 1 "
        "the data say little about the parameter. Tails beyond the drawn "
        "axes are cut."
    )
