"""Designs side by side, and dose-transition pathways, for a committee and a protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import xarray as xr

from doseopt_bayes import names
from doseopt_bayes.plots import style
from doseopt_bayes.plots.picture import Picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from doseopt_bayes.comparators.compare import DesignComparison

__all__ = ["figure_designs"]

DESIGN, SCENARIO = "design", "scenario"
WHISKER: Final = 2  # Monte Carlo standard errors to each side
PANELS: Final = {
    "right": ("right answer\n% of trials", 100),
    "overdose": ("selects above MTD\n% of trials", 100),
    "overdosed": ("patients treated\nabove MTD", 1),
    "patients": ("patients", 1),
}


def data_designs(found: DesignComparison) -> xr.Dataset:
    """Return the numbers of the figure over (design, scenario), with their errors."""
    table = found.table
    none = table["obd"].isnull()
    data = xr.Dataset()
    for end in ("", "_mcse"):
        data[f"right{end}"] = xr.where(
            none, table[f"none_selected{end}"], table[f"selects_obd{end}"]
        )
        for name in ("overdose", "overdosed", "patients"):
            data[f"{name}{end}"] = table[f"{name}{end}"]
    data["obd"] = table["obd"]
    data["not_resolved"] = table["not_resolved"]
    best = "OBD" if names.P_EFF in table else "MTD"
    limit = float(table.attrs["toxicity_limit"])
    mtd = (
        "the dose whose true p_tox is closest to the target"
        if np.isnan(limit)
        else f"the highest dose that, like every lower one, has a true p_tox of at most {limit:g}"
    )
    return data.assign_attrs(table.attrs, best=best, mtd=mtd)


def draw_designs(data: xr.Dataset) -> Figure:
    """Draw a row for each scenario, a panel for each measure, a line for each design."""
    scenarios = [str(s) for s in data[SCENARIO].to_numpy()]
    called = [str(d) for d in data[DESIGN].to_numpy()]
    shown = {k: v for k, v in PANELS.items() if k in data}
    with style.styled():
        figure = style.new_figure(len(scenarios) * (0.42 + 0.2 * len(called)) + 0.75)
        grid = figure.subplots(len(scenarios), len(shown), squeeze=False, sharey=True, sharex="col")
        for row, label in zip(grid, scenarios, strict=True):
            part = data.sel({SCENARIO: label})
            for ax, (name, (title, scale)) in zip(row, shown.items(), strict=True):
                _panel(ax, part, name, scale)
                if label == scenarios[-1]:
                    ax.set_xlabel(title, fontsize=8)
            row[0].set_yticks(np.arange(len(called)), labels=[style.escape(c) for c in called])
            row[0].set_ylim(len(called) - 0.4, -0.6)
            obd = float(part["obd"])
            said = "none" if np.isnan(obd) else f"{obd:g} {data.attrs['unit']}".rstrip()
            row[0].set_title(style.escape(f"{label}: right answer {said}"), pad=4, loc="left")
        for ax, (name, (_, scale)) in zip(grid[-1], shown.items(), strict=True):
            top = 100 if scale == 100 else 1.12 * float(data[name].max())
            ax.set_xlim(0, max(top, 1) * 1.18)
    return figure


def _panel(ax: Axes, part: xr.Dataset, name: str, scale: float) -> None:
    """Draw one measure of every design: a bar with its whisker and its number."""
    value = scale * part[name].to_numpy()
    error = WHISKER * scale * part[f"{name}_mcse"].to_numpy()
    for i, (x, e) in enumerate(zip(value, error, strict=True)):
        if np.isnan(x):
            ax.annotate("-", (0, i), (3, 0), textcoords="offset points", va="center", fontsize=7.5)
            continue
        ax.barh(i, x, height=0.62, color=style.PALE, edgecolor=style.GREY, linewidth=0.6,
                gid=f"{name}:{i}", zorder=2)  # fmt: skip
        ax.hlines(i, max(x - e, 0), x + e, color=style.INK, linewidth=1.3, zorder=3)
        said = f"{x:.0f}" if scale == 100 else f"{x:.1f}"
        ax.annotate(said, (x + e, i), (3, 0), textcoords="offset points", va="center", fontsize=7.5)
    ax.tick_params(axis="y", length=0)
    ax.grid(axis="x", color=style.PALE, linewidth=0.5, zorder=0)
    ax.set_axisbelow(True)


def caption_designs(data: xr.Dataset) -> str:
    """Say what every mark is."""
    a = data.attrs
    return (
        f"{a['n_trials']:,} simulated trials of each design and scenario, the same patients for every "
        f"design (seed {a['seed']}). Right answer: the trial recommends the true {a['best']}, or none "
        f"where no dose is admissible, by the truth of '{a['truth']}'. Above MTD: above "
        f"{a['mtd']}. Bars: share of trials or "
        f"mean per trial; line: ± {WHISKER} Monte Carlo standard errors. "
        "The last decision is not resolved, within the numerical error of the posterior, in at most "
        f"{100 * float(data['not_resolved'].max()):.1f} % of the trials of a design and scenario."
    )


def figure_designs(found: DesignComparison) -> Picture:
    """Draw designs side by side under each scenario.

    Parameters
    ----------
    found
        Result of :func:`~doseopt_bayes.comparators.compare.simulate_compare`.
    """
    data = data_designs(found)
    return Picture("Designs in the same patients", caption_designs(data), draw_designs(data), data)
