"""Which dose simulated trials select, and how they allocate their patients, under each scenario."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from doseopt_bayes import names
from doseopt_bayes.plots import style

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from doseopt_bayes.design.characteristics import Characteristics

__all__ = ["caption_design", "data_design", "draw_design", "plot_design"]

WHISKER: Final = 2  # Monte Carlo standard errors to each side
STAR: Final = 132  # height of the star, above any bar and its number
CROWD: Final = 8  # doses beyond which the labels below the bars are smaller
KEPT: Final = (
    names.P_TOX, names.P_EFF, "admissible", "obd", "mtd", "selected", "selected_mcse",
    "treated_share", "treated_share_mcse", "none_selected", "none_selected_mcse", "not_resolved",
    "treated", "backfilled",
)  # fmt: skip


def data_design(found: Characteristics) -> xr.Dataset:
    """Return the numbers of the figure: selection and allocation as shares, and the truth."""
    data = found.table[[v for v in KEPT if v in found.table]]
    if "backfilled" in data:  # its part of each bar of allocation
        data["backfilled_share"] = data["treated_share"] * data["backfilled"] / data["treated"]
    data = data.drop_vars(["treated", "backfilled"], errors="ignore")
    data.attrs = dict(found.table.attrs)
    return data


def plot_design(part: xr.Dataset, *, variable: str, ax: Axes) -> Axes:
    """Draw one share of each dose under one scenario.

    Parameters
    ----------
    part
        :func:`data_design` at one scenario.
    variable
        ``"selected"``, which has a bar for none too, or ``"treated_share"``.
    ax
        Where to draw.
    """
    doses = [float(d) for d in part[names.DOSE].to_numpy()]
    looks = style.dose_styles(doses)
    at = np.arange(len(doses))
    share, mcse = (100 * part[v].to_numpy() for v in (variable, f"{variable}_mcse"))
    for x, dose, height, fine in zip(at, doses, share, part["admissible"].to_numpy(), strict=True):
        ax.bar(x, height, width=0.72, gid=f"{variable}:{dose:g}", linewidth=0.9, zorder=2,
               facecolor=looks[dose].color if fine else "white", edgecolor=looks[dose].color,
               hatch="" if fine else "/////")  # fmt: skip
    if variable == "treated_share" and "backfilled_share" in part:
        extra = 100 * part["backfilled_share"].fillna(0).to_numpy()
        ax.bar(at, extra, bottom=share - extra, width=0.72, facecolor="none", edgecolor="white",
               hatch="....", linewidth=0, zorder=2.5, gid="backfilled")  # fmt: skip
    if variable == "selected":
        none, error = (100 * float(part[v]) for v in ("none_selected", "none_selected_mcse"))
        ax.bar(len(doses), none, width=0.72, gid="selected:none", facecolor=style.PALE, zorder=2,
               edgecolor=style.GREY, linewidth=0.9)  # fmt: skip
        at, share, mcse = np.arange(len(doses) + 1), np.append(share, none), np.append(mcse, error)
    low = np.maximum(share - WHISKER * mcse, 0)
    high = np.minimum(share + WHISKER * mcse, 100)
    ax.vlines(at, low, high, color="white", linewidth=3.2, zorder=3)
    ax.vlines(at, low, high, color=style.INK, linewidth=1.3, zorder=4)
    for x, top, value in zip(at, high, share, strict=True):
        ax.annotate(_whole(value), (x, top), (0, 2.5),
                    textcoords="offset points", ha="center", va="bottom", fontsize=7.5)  # fmt: skip
    best = float(part["obd"])
    if best in doses:
        ax.plot([doses.index(best)], [STAR], "*", color=style.INK, markersize=9, clip_on=False)
    elif variable == "selected":
        ax.plot([len(doses)], [STAR], "*", color=style.INK, markersize=9, clip_on=False)
    highest = float(part["mtd"])
    if highest in doses[:-1]:  # nothing to the right of this line is tolerable
        ax.axvline(
            doses.index(highest) + 0.5, color=style.GREY, linewidth=1.0, linestyle=(0, (4, 2))
        )
    elif np.isnan(highest) and not np.isnan(part.attrs["toxicity_limit"]):
        ax.axvline(-0.5, color=style.GREY, linewidth=1.0, linestyle=(0, (4, 2)))
    _ticks(ax, part, doses, none=variable == "selected")
    return ax


def _whole(value: float) -> str:
    """Round a percentage, and never to a 0 or a 100 that it is not."""
    if 0 < value < 1:
        return "<1"
    return ">99" if 99 < value < 100 else f"{value:.0f}"


def _ticks(ax: Axes, part: xr.Dataset, doses: list[float], *, none: bool) -> None:
    ends = [part[v].to_numpy() for v in (names.P_TOX, names.P_EFF) if v in part]
    crowded = len(doses) > CROWD
    said = [
        "\n".join([f"{dose:g}", *(f"{p:.2f}".removeprefix("0" * crowded) for p in true)])
        for dose, *true in zip(doses, *ends, strict=True)
    ]
    ax.set_xticks(np.arange(len(doses) + none), labels=[*said, "none"] if none else said)
    ax.tick_params(axis="x", length=0, labelsize=6.0 if crowded else 7.5)
    ax.set_xlim(-0.62, len(doses) - 0.38 + none)
    ax.set_ylim(0, 140)
    ax.set_yticks([0, 50, 100])
    ax.spines["left"].set_bounds(0, 100)
    ax.grid(axis="y", color=style.PALE, linewidth=0.6, zorder=0)
    ax.set_axisbelow(True)


def draw_design(data: xr.Dataset) -> Figure:
    """Draw selection (left) and allocation (right) of each scenario (rows), with one legend."""
    labels = [str(s) for s in data["scenario"].to_numpy()]
    unit = f" ({data.attrs['unit']})" if data.attrs["unit"] else ""
    alone = names.P_EFF not in data
    below = f"dose{style.escape(unit)}\ntrue p_tox" + ("" if alone else "\ntrue p_eff")
    with style.styled():
        figure = style.new_figure(1.5 * len(labels) + 0.7)
        grid = figure.subplots(
            len(labels), 2, squeeze=False,
            width_ratios=[data.sizes[names.DOSE] + 1, data.sizes[names.DOSE]],
        )  # fmt: skip
        for row, label in zip(grid, labels, strict=True):
            part = data.sel(scenario=label)
            for ax, variable in zip(row, ("selected", "treated_share"), strict=True):
                plot_design(part, variable=variable, ax=ax)
            row[0].set_title(style.escape(label), pad=4)
            row[0].annotate(
                below, (0, 0), (-4, -3.5), ha="right",
                xycoords="axes fraction", textcoords="offset points", va="top", fontsize=6.5,
                color=style.GREY, linespacing=1.38,
            )  # fmt: skip
            row[0].set_ylabel("% of trials\nselecting it", fontsize=8)
            row[1].set_ylabel("% of\npatients", fontsize=8)
        figure.legend(
            handles=[
                Line2D([], [], marker="*", markersize=9, linestyle="", color=style.INK),
                Patch(facecolor=style.GREY, edgecolor=style.GREY),
                Patch(facecolor="white", edgecolor=style.GREY, hatch="/////"),
                Line2D([], [], color=style.INK, linewidth=1.3),
                Line2D([], [], color=style.GREY, linewidth=1.0, linestyle=(0, (4, 2))),
            ],
            labels=[f"right answer (true {'MTD' if alone else 'OBD'})", "truly admissible",
                    "inadmissible", f"± {WHISKER} MCSE", "to the right: above MTD"],
            loc="outside lower center", ncols=5, columnspacing=1.2, handletextpad=0.5,
        )  # fmt: skip
    return figure


def caption_design(data: xr.Dataset) -> str:
    """Say what every mark is."""
    limit = data.attrs["toxicity_limit"]
    line = (
        ""
        if np.isnan(limit)
        else " Dashed line: every dose to its right lies above the true MTD (the highest dose that, like "
        f"every lower one, has a true p_tox <= {limit:g}); "
        "no line: none does."
    )
    alone = names.P_EFF not in data
    if alone and line:
        line = (
            " Dashed line: every dose to its right lies above the right answer; no line: none does."
        )
    dotted = " Dotted: the part of them that was backfilled." * ("backfilled_share" in data)
    true = "probability of toxicity" if alone else "probabilities of toxicity and efficacy"
    worst = 100 * float(data["not_resolved"].max())
    return (
        f"Left: share of {data.attrs['n_trials']:,} simulated trials that recommend each dose at their "
        f"end, or none; right: share of all patients treated at each dose.{dotted} Whisker: "
        f"± {WHISKER} Monte Carlo standard errors. Star: the right answer, the dose of the highest true "
        "utility among truly admissible doses; none where no dose is. Hatched: a true probability lies "
        f"outside a limit of the rules.{line} Below each dose its true {true}. "
        "The last decision is not resolved, within the numerical error of the posterior, in at most "
        f"{worst:.1f} % of the trials of a scenario."
    )
