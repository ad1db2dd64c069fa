"""How utility and Pr(OBD) of each dose moved from interim to interim."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.lines import Line2D

from doseopt_bayes import names
from doseopt_bayes.decision.prose import error
from doseopt_bayes.plots import style

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["caption_history", "draw_history", "plot_history"]

SPREAD = 0.3  # width over which the doses of one interim stand side by side


def plot_history(data: xr.Dataset, *, variable: str, ax: Axes) -> Axes:
    """Draw one variable of each dose against the interim, doses side by side.

    Parameters
    ----------
    data
        Result of :func:`~doseopt_bayes.report.history.history`.
    variable
        ``"utility"`` (with its interval) or ``"prob_obd_admissible"``.
    ax
        Where to draw.
    """
    doses = [float(d) for d in data[names.DOSE].to_numpy()]
    looks = style.dose_styles(doses)
    at = np.arange(data.sizes["interim"])
    for dose, aside in zip(doses, np.linspace(-SPREAD, SPREAD, len(doses)), strict=True):
        row, look = data.sel({names.DOSE: dose}), looks[dose]
        y, ok = row[variable].to_numpy(), row["admissible"].to_numpy().astype(bool)
        y = np.where(ok, y, np.nan) if variable != "utility" else y
        ax.plot(at + aside, y, color=look.color, linewidth=0.8, alpha=0.6, zorder=1)
        if variable == "utility":
            ends = row["utility_low"].to_numpy(), row["utility_high"].to_numpy()
            ax.vlines(at + aside, *ends, color=look.color, linewidth=1.6, zorder=2)
        for x, value, fine, best in zip(
            at + aside, y, ok, row["recommended"].to_numpy() == dose, strict=True
        ):
            ax.plot([x], [value], look.marker, color=look.color, markersize=6, zorder=3,
                    markerfacecolor=look.color if fine else "white",
                    gid=f"{variable}:{dose:g}")  # fmt: skip
            if best:
                ax.plot([x], [value], "o", markersize=13, markerfacecolor="none",
                        markeredgecolor=style.INK, markeredgewidth=1.2, zorder=4)  # fmt: skip
    treated = data[names.N_TREATED].sum(names.DOSE).to_numpy()
    labels = [f"{i}\nn = {n}" for i, n in zip(data["interim"].to_numpy(), treated, strict=True)]
    ax.set_xticks(at, labels=labels)
    ax.set_xlim(-0.5, len(at) - 0.5)
    ax.set_xlabel("interim")
    return ax


def draw_history(data: xr.Dataset) -> Figure:
    """Draw utility and Pr(OBD) by interim, with one legend."""
    with style.styled():
        figure = style.new_figure(3.4)
        left, right = figure.subplots(1, 2)
        plot_history(data, variable="utility", ax=left)
        left.set_title("Utility")
        left.set_ylabel("utility")
        plot_history(data, variable="prob_obd_admissible", ax=right)
        right.set_title("Pr(OBD), admissible doses")
        right.set_ylabel("probability of the highest utility")
        right.set_ylim(-0.03, 1.03)
        doses = [float(d) for d in data[names.DOSE].to_numpy()]
        looks = style.dose_styles(doses)
        marks = [
            Line2D([], [], color=k.color, marker=k.marker, linewidth=1.6) for k in looks.values()
        ]
        said = [style.dose_label(d, data.attrs["unit"]) for d in doses]
        marks.append(Line2D([], [], color=style.INK, marker="o", markersize=11, linestyle="",
                            markerfacecolor="none"))  # fmt: skip
        figure.legend(marks, [*said, "recommended"], loc="outside lower center", ncols=6)
    return figure


def caption_history(data: xr.Dataset) -> str:
    """Say what every mark is."""
    amended = ", ".join(str(n) for n in data.attrs["amended"])
    said = (
        f"Marker and bar: posterior mean and {style.interval_words(data)} of the utility of each dose "
        "at each interim; right: posterior probability of the highest utility among the admissible "
        "doses. Hollow: not admissible. Ring: recommended; an interim without a ring gave no "
        "recommendation. Monte Carlo standard errors at most "
        f"{error(float(data['utility_mcse'].max()))} and "
        f"{error(float(data['prob_obd_admissible_mcse'].max()))}."
    )
    return f"{said} The specification was amended before interim {amended}." if amended else said
