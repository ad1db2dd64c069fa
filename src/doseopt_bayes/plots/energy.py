"""Sampler appendix: energy and E-BFMI, drawn by ArviZ."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import arviz_plots as azp
import numpy as np
import xarray as xr

from doseopt_bayes import names
from doseopt_bayes.plots import style
from doseopt_bayes.plots.posterior import collection
from doseopt_bayes.plots.sampler import CHAINS, chain_colors, size_words

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from doseopt_bayes.analysis import Analysis

__all__ = ["caption_energy", "draw_energy", "has_energy"]

OFF: Final = {"credible_interval": False, "point_estimate": False, "point_estimate_text": False}


def has_energy(analysis: Analysis) -> bool:
    """Whether the sampler recorded its energy."""
    tree = analysis.posterior.tree
    return "sample_stats" in tree.children and "energy" in tree["sample_stats"].data_vars


def draw_energy(data: xr.Dataset) -> Figure:
    """Draw the E-BFMI of each chain with its limit, and marginal and transition energy."""
    with style.styled():
        figure = style.new_figure(2.7)
        left, right = figure.subplots(1, 2, width_ratios=[1, 2.2])
        bfmi = data["bfmi"].to_numpy()
        for y, (value, color) in enumerate(zip(bfmi, chain_colors(data), strict=True)):
            left.plot([float(value)], [y], "o", color=color, gid=f"bfmi:{y}")
        left.axvline(data.attrs["limit_bfmi"], color=style.INK, linewidth=1, linestyle=(0, (5, 3)))
        left.set_xlim(0, max(1.2, 1.1 * float(np.nanmax(bfmi))))
        left.set_yticks(range(len(bfmi)), labels=[f"chain {c}" for c in data["chain"].to_numpy()])
        left.set_ylim(-0.5, len(bfmi) - 0.5)
        left.set_xlabel("E-BFMI")
        left.set_title("E-BFMI per chain")
        energy = data["energy"]
        kinds = {"marginal": energy - energy.mean(), "transition": energy.diff(names.DRAW)}
        looks = (("solid", CHAINS[0]), ("dashed", CHAINS[1]))
        for (name, x), (dash, color) in zip(kinds.items(), looks, strict=True):
            flat = xr.Dataset({"energy": ("sample", x.to_numpy().ravel())})
            drawn = collection(figure, [right], flat, {})
            azp.plot_dist(
                flat, sample_dims=["sample"], kind="kde", plot_collection=drawn,
                backend="matplotlib",
                visuals={**OFF, "title": False, "remove_axis": False,
                         "dist": {"color": color, "linestyle": dash}},
            )  # fmt: skip
            right.lines[-1].set_label(name)
        right.set_yticks([])
        right.set_ylim(bottom=0)
        right.set_xlabel("energy, less its mean")
        right.set_ylabel("density")
        right.set_title("Energy")
        right.legend()
    return figure


def caption_energy(data: xr.Dataset) -> str:
    """Say what every mark is."""
    return (
        "Left: estimated Bayesian fraction of missing information of each chain; dashed line, the "
        f"gate's limit, {data.attrs['limit_bfmi']:g}; lowest {float(data['bfmi'].min()):.2f}. Right: "
        "kernel density of the energy less its mean (solid) and of its change from draw to draw "
        f"(dashed); close curves show good exploration. {size_words(data)}."
    )
