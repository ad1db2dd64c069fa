"""Sampler appendix: ranks, traces, energy and effective sample sizes, drawn by ArviZ."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import arviz_plots as azp
import arviz_stats as azs
import numpy as np
import xarray as xr
from matplotlib.lines import Line2D

from doseopt_bayes import names
from doseopt_bayes.inference.posterior import scalars
from doseopt_bayes.plots import style
from doseopt_bayes.plots.posterior import collection, panels

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.figure import Figure

    from doseopt_bayes.analysis import Analysis

__all__ = [
    "CHAINS",
    "caption_ess",
    "caption_rank",
    "caption_trace",
    "chain_colors",
    "data_sampler",
    "draw_ess",
    "draw_rank",
    "draw_trace",
    "size_words",
]

RANKED: Final = 4000  # draws of a chain that the rank plot shows at most
CHAINS: Final = ("#00204d", "#b08900", "#4d7ea8", "#777777", "#8c2d04", "#2f6b3c")


def data_sampler(analysis: Analysis) -> xr.Dataset:
    """Return what the sampler figures show.

    Returns
    -------
    xarray.Dataset
        ``draws`` over (parameter, chain, draw); ``rhat``, ``ess_bulk``, ``ess_tail`` over parameter,
        as the gate of the analysis found them; ``energy`` over (chain, draw) and ``bfmi`` over chain
        when the sampler recorded them. The gate's limits are attributes.
    """
    post = analysis.posterior
    flat = xr.Dataset(scalars(post.draws, post.parameters, post.sample_dims))
    table = post.diagnostics.table
    titles = [str(v) for v in flat.data_vars]
    data = xr.Dataset({"draws": flat.to_dataarray("parameter")})
    for measure in ("rhat", "ess_bulk", "ess_tail"):
        found = table.sel(measure=measure).reindex(quantity=titles)
        data[measure] = ("parameter", found.to_numpy())
    tree = post.tree
    if "sample_stats" in tree.children and "energy" in tree["sample_stats"].data_vars:
        energy = tree["sample_stats"].to_dataset()["energy"]
        data["energy"] = energy.transpose(names.CHAIN, names.DRAW)
        data["bfmi"] = azs.bfmi(energy.to_dataset(name="energy"))["energy"]
    limit = {c.name: float(c.limit.split()[-1]) for c in post.diagnostics.checks
             if c.name in ("R-hat", "bulk ESS", "E-BFMI")}  # fmt: skip
    data.attrs = {"limit_rhat": limit.get("R-hat", np.nan),
                  "limit_ess": limit.get("bulk ESS", np.nan),
                  "limit_bfmi": limit.get("E-BFMI", np.nan)}  # fmt: skip
    return data


def _titles(data: xr.Dataset) -> list[str]:
    return [str(p) for p in data["parameter"].to_numpy()]


def _tree(data: xr.Dataset) -> xr.DataTree:
    flat = xr.Dataset({t: data["draws"].sel(parameter=t, drop=True) for t in _titles(data)})
    return xr.DataTree.from_dict({"posterior": flat})


def chain_colors(data: xr.Dataset) -> list[str]:
    """Return a colour per chain."""
    return [CHAINS[i % len(CHAINS)] for i in range(data.sizes[names.CHAIN])]


def _by_chain(
    data: xr.Dataset, plot: Callable[..., object], *, xlabel: str, ylabel: str, **options: object
) -> Figure:
    """Draw a panel per parameter with a line per chain, and a legend of chains."""
    with style.styled():
        titles, tree = _titles(data), _tree(data)
        figure, axes = panels(titles)
        colors = chain_colors(data)
        aes = {"color": [names.CHAIN], "overlay": [names.CHAIN]}
        drawn = collection(figure, axes, tree["posterior"].to_dataset(), aes, color=colors)
        plot(tree, plot_collection=drawn, backend="matplotlib", **options)
        for ax, title in zip(axes, titles, strict=True):
            rhat = float(data["rhat"].sel(parameter=title))
            ax.set_title(style.escape(f"{title}\nR-hat {rhat:.4f}"), fontsize=8.5)
            ax.set_xlabel(xlabel)
            ax.set_ylabel(ylabel)
            ax.tick_params(labelsize=7.5)
            for line in ax.lines:
                line.set_linewidth(min(line.get_linewidth(), 1.1))
        marks = [Line2D([], [], color=c, linewidth=2) for c in colors]
        said = [f"chain {c}" for c in data[names.CHAIN].to_numpy()]
        figure.legend(marks, said, loc="outside lower center", ncols=6)
    return figure


def _every(data: xr.Dataset) -> int:
    """Take every so-manieth draw for the rank plot: its test takes minutes beyond some thousands."""
    return -(-data.sizes[names.DRAW] // RANKED)


def draw_rank(data: xr.Dataset) -> Figure:
    """Draw, per parameter and chain, the ECDF of fractional ranks minus that of uniform ranks."""
    kept = data.isel({names.DRAW: slice(None, None, _every(data))})
    figure = _by_chain(
        kept, azp.plot_rank, xlabel="fractional rank", ylabel="ECDF difference",
        visuals={"title": False, "xlabel": False, "remove_axis": False},
    )  # fmt: skip
    for ax in figure.axes:
        for text in ax.texts:  # ArviZ writes p=0.25 and a level in brackets
            said = text.get_text().split("(")[0].replace("=0.00", " < 0.01").replace("=", " = ")
            text.set(text=said, fontsize=7.5)
        for dots in ax.collections:
            dots.set(sizes=[8])
        for line in ax.lines:
            line.set_rasterized(True)
        ax.axhline(0, color=style.GREY, linewidth=0.7, zorder=0)
    return figure


def draw_trace(data: xr.Dataset) -> Figure:
    """Draw every draw of each parameter in its order, a line per chain, as an image in the file."""
    figure = _by_chain(data, azp.plot_trace, xlabel="draw", ylabel="value",
                       visuals={"title": False, "xlabel": False, "ticklabels": False})  # fmt: skip
    for ax in figure.axes:
        for line in ax.lines:
            line.set_linewidth(0.25)
            line.set_alpha(0.7)
            line.set_rasterized(True)
    return figure


def draw_ess(data: xr.Dataset) -> Figure:
    """Draw bulk and tail effective sample size of each parameter against the number of draws."""
    with style.styled():
        titles, tree = _titles(data), _tree(data)
        figure, axes = panels(titles)
        drawn = collection(figure, axes, tree["posterior"].to_dataset(), {})
        azp.plot_ess_evolution(
            tree, plot_collection=drawn, backend="matplotlib", min_ess=data.attrs["limit_ess"],
            visuals={"title": False, "xlabel": False, "ylabel": False,
                     "ess_bulk": {"color": CHAINS[0], "marker": "o"},
                     "ess_bulk_line": {"color": CHAINS[0]},
                     "ess_tail": {"color": CHAINS[1], "marker": "s"},
                     "ess_tail_line": {"color": CHAINS[1]},
                     "min_ess": {"color": style.INK, "linestyle": "--"}},
        )  # fmt: skip
        for ax, title in zip(axes, titles, strict=True):
            at = data.sel(parameter=title)
            said = f"{title}\nbulk {float(at['ess_bulk']):.0f}, tail {float(at['ess_tail']):.0f}"
            ax.set_title(style.escape(said), fontsize=8.5)
            for dots in ax.collections:
                dots.set(sizes=[12])
            for line in ax.lines:
                line.set(markersize=3, linewidth=1)
            ax.set_ylim(0, 1.08 * max(float(at["ess_bulk"]), float(at["ess_tail"]), 0.0))
            ax.set_xlabel("draws, all chains")
            ax.set_ylabel("ESS")
            ax.tick_params(labelsize=7.5)
        marks = [
            Line2D([], [], color=CHAINS[0], marker="o"),
            Line2D([], [], color=CHAINS[1], marker="s"),
            Line2D([], [], color=style.INK, linestyle="--"),
        ]
        named = ["bulk ESS", "tail ESS", "limit of the gate"]
        figure.legend(marks, named, loc="outside lower center", ncols=3)
    return figure


def size_words(data: xr.Dataset) -> str:
    """Say how many draws there are."""
    return f"{data.sizes[names.CHAIN]} chains of {data.sizes[names.DRAW]} draws after tuning"


def caption_rank(data: xr.Dataset) -> str:
    """Say what every mark is."""
    every = _every(data)
    thinned = "" if every == 1 else f", one in {every} of them shown"
    return (
        "Line: empirical distribution function of a chain's fractional ranks among all draws, less that "
        "of uniform ranks; chains that sample one distribution stay near 0. p: ArviZ's test of uniform "
        "ranks over all chains, not part of the gate; dots, where it is small, mark the ranks behind it. "
        f"{size_words(data)}{thinned}; highest R-hat {float(data['rhat'].max(skipna=False)):.4f} "
        f"(limit {data.attrs['limit_rhat']:g})."
    )


def caption_trace(data: xr.Dataset) -> str:
    """Say what every mark is."""
    return (
        f"Line: draws of a chain in their order. {size_words(data)}. Chains that mix look alike and "
        "drift nowhere."
    )


def caption_ess(data: xr.Dataset) -> str:
    """Say what every mark is."""
    low = min(float(data[v].min(skipna=False)) for v in ("ess_bulk", "ess_tail"))
    return (
        "Markers: bulk and tail effective sample size (Vehtari et al. 2021) of the first draws of all "
        "chains; both should grow with the number of draws. Dashed line: the gate's limit, "
        f"{data.attrs['limit_ess']:g}; lowest value with all draws {low:.0f}. {size_words(data)}."
    )
