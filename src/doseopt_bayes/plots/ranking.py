"""Utility and probability of being the optimal biological dose (OBD), by dose."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from doseopt_bayes import names
from doseopt_bayes.decision.criteria import UtilityOfMeans
from doseopt_bayes.decision.prose import error, probability
from doseopt_bayes.plots import style

if TYPE_CHECKING:
    from typing import Any

    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from doseopt_bayes.analysis import Analysis

__all__ = ["caption_ranking", "data_ranking", "draw_ranking", "plot_obd", "plot_utility"]

KEPT = ("utility", "utility_low", "utility_high", "utility_mcse", "prob_obd", "prob_obd_mcse",
        "prob_obd_admissible", "prob_obd_admissible_mcse", "admissible", "untried", "rank",
        "chosen", names.N_TREATED)  # fmt: skip
HATCH = "////"


def data_ranking(analysis: Analysis) -> xr.Dataset:
    """Return the numbers of the ranking figure.

    Returns
    -------
    xarray.Dataset
        Columns of the decision's table over ``dose``, unchanged; ``plug_in`` when the criterion is
        the utility of the means. Status, criterion and the interval's kind are attributes.
    """
    decision = analysis.decision
    data = decision.table[list(KEPT)].drop_vars("rule", errors="ignore")
    if isinstance(decision.criterion, UtilityOfMeans):
        data["plug_in"] = decision.table["utility_of_means"]
    data.attrs = {
        **style.interval_attrs(),
        "unit": str(decision.table.attrs.get("unit", "")),
        "status": str(decision.status.item()),
        "criterion": str(decision.criterion),
    }
    return data


def _looks(data: xr.Dataset) -> list[tuple[int, float, style.DoseStyle, xr.Dataset]]:
    looks = style.dose_styles([float(d) for d in data[names.DOSE].to_numpy()])
    return [(y, d, k, data.isel({names.DOSE: y})) for y, (d, k) in enumerate(looks.items())]


def _shade(ax: Axes, data: xr.Dataset) -> None:
    for y, dose, _, row in _looks(data):
        if not bool(row["admissible"]):
            ax.axhspan(y - 0.46, y + 0.46, facecolor="#f4f4f4", edgecolor="#c4c4c4", hatch=HATCH,
                       linewidth=0, zorder=0, gid=f"inadmissible:{dose:g}")  # fmt: skip
    ax.set_ylim(-0.55, data.sizes[names.DOSE] - 0.45)


def plot_utility(data: xr.Dataset, *, ax: Axes | None = None) -> Axes:
    """Draw the utility of each dose, doses rising upwards.

    Marker and bar: posterior mean and credible interval, hollow marker where no patient was treated;
    mean printed at the right. Diamond: utility at the posterior means, when the criterion uses it.
    Hatched: not admissible. An arrow and bold label mark the recommended (or leading) dose.

    Parameters
    ----------
    data
        Result of `data_ranking`.
    ax
        Where to draw; a new figure by default.
    """
    with style.styled():
        ax = style.new_figure(_height(data)).add_subplot() if ax is None else ax
        _shade(ax, data)
        labels = []
        for y, dose, look, row in _looks(data):
            color = look.color if bool(row["admissible"]) else style.GREY
            ends = [float(row["utility_low"]), float(row["utility_high"])]
            ax.plot(ends, [y, y], color=color, linewidth=2.2, solid_capstyle="butt", zorder=3,
                    gid=f"interval:{dose:g}")  # fmt: skip
            hollow = bool(row["untried"])
            ax.plot([float(row["utility"])], [y], look.marker, markersize=8, markeredgewidth=1.5,
                    markerfacecolor="white" if hollow else color, markeredgecolor=color, zorder=4,
                    gid=f"mean:{dose:g}")  # fmt: skip
            if "plug_in" in data:
                ax.plot([float(row["plug_in"])], [y - 0.24], "d", markersize=5, color=style.INK,
                        zorder=5, gid=f"plug_in:{dose:g}")  # fmt: skip
            ax.annotate(f"{float(row['utility']):.3f}", (1.01, y), va="center", fontsize=8,
                        xycoords=ax.get_yaxis_transform())  # fmt: skip
            rank = f"rank {int(row['rank'])}" if row["rank"].notnull() else "not admissible"
            name = style.dose_label(dose, data.attrs["unit"])
            labels.append(f"{name} (n = {int(row[names.N_TREATED])})\n{rank}{_role(data, row)}")
        ax.set_yticks(range(len(labels)), labels=labels)
        for tick, chosen in zip(ax.yaxis.get_major_ticks(), data["chosen"].to_numpy(), strict=True):
            tick.label1.set_fontweight("bold" if chosen else "normal")
        ax.set_xlabel("utility")
        ax.set_title("Utility")
    return ax


def _role(data: xr.Dataset, row: xr.Dataset) -> str:
    if not bool(row["chosen"]):
        return ""
    return ", recommended" if data.attrs["status"] == "recommended" else ", leading, not resolved"


def plot_obd(data: xr.Dataset, *, ax: Axes | None = None) -> Axes:
    """Draw the probability of the highest utility of each dose, doses rising upwards.

    Pale upper bar: among all doses. Full lower bar: among the admissible doses. Black capped line:
    one Monte Carlo standard error to each side. The probability is printed beside each bar.

    Parameters
    ----------
    data
        Result of `data_ranking`.
    ax
        Where to draw; a new figure by default.
    """
    with style.styled():
        ax = style.new_figure(_height(data)).add_subplot() if ax is None else ax
        _shade(ax, data)
        for y, dose, look, row in _looks(data):
            admissible = bool(row["admissible"])
            color = look.color if admissible else style.GREY
            for name, shift, fill in (
                ("prob_obd", 0.2, "white"),
                ("prob_obd_admissible", -0.2, color),
            ):
                if name != "prob_obd" and not admissible:
                    continue
                p, mcse = float(row[name]), float(row[f"{name}_mcse"])
                ax.barh(y + shift, p, height=0.34, color=fill, edgecolor=color, linewidth=1.2,
                        zorder=2, gid=f"{name}:{dose:g}")  # fmt: skip
                ends = [max(0.0, p - mcse), min(1.0, p + mcse)]
                ax.plot(ends, [y + shift] * 2, "|-", color=style.INK, linewidth=1, markersize=5,
                        zorder=3, gid=f"{name}_mcse:{dose:g}")  # fmt: skip
                box = {"facecolor": "white", "edgecolor": "none", "pad": 0.6}
                ax.text(ends[1] + 0.03, y + shift, probability(p), va="center", fontsize=8,
                        zorder=4, bbox=box)  # fmt: skip
        ax.set_xlim(0, 1.14)
        ax.set_xticks([0, 0.25, 0.5, 0.75, 1], labels=["0", "0.25", "0.5", "0.75", "1"])
        ax.set_yticks([])
        ax.set_xlabel("probability of the highest utility")
        ax.set_title("Pr(OBD)")
    return ax


def _height(data: xr.Dataset) -> float:
    return 1.45 + 0.5 * data.sizes[names.DOSE]


def draw_ranking(data: xr.Dataset) -> Figure:
    """Draw utility and Pr(OBD) side by side with one legend."""
    with style.styled():
        figure = style.new_figure(_height(data))
        left, right = figure.subplots(1, 2, width_ratios=[1.1, 1])
        plot_utility(data, ax=left)
        plot_obd(data, ax=right)
        marks: list[Any] = [
            Line2D([], [], color=style.GREY, marker="o", markersize=7, linewidth=2.2),
            Patch(facecolor="white", edgecolor=style.GREY, linewidth=1.2),
            Patch(facecolor=style.GREY, edgecolor=style.GREY),
        ]
        percent = f"{data.attrs['interval_prob'] * 100:g} %"
        said = [f"mean, {percent} credible interval", "Pr(OBD), all doses",
                "Pr(OBD), admissible doses"]  # fmt: skip
        if "plug_in" in data:
            marks.append(Line2D([], [], color=style.INK, marker="d", markersize=5, linestyle=""))
            said.append("utility of the means")
        if bool(data["untried"].any()):
            marks.append(Line2D([], [], color=style.GREY, marker="o", markerfacecolor="white",
                                markersize=7, markeredgewidth=1.5, linestyle=""))  # fmt: skip
            said.append("no patient treated")
        if not bool(data["admissible"].all()):
            marks.append(Patch(facecolor="#f4f4f4", edgecolor="#c4c4c4", hatch=HATCH, linewidth=0))
            said.append("not admissible")
        figure.legend(marks, said, loc="outside lower center", ncols=3)
    return figure


def caption_ranking(data: xr.Dataset) -> str:
    """Say what every mark is, how the dose was chosen, and what is untried."""
    doses, unit = data[names.DOSE].to_numpy(), data.attrs["unit"]
    worst = float(max(data["prob_obd_mcse"].max(), data["prob_obd_admissible_mcse"].max()))
    said = [
        (
            f"Left, marker and bar: posterior mean (printed) and {style.interval_words(data)} of the "
            f"utility; Monte Carlo standard error of the means at most "
            f"{error(float(data['utility_mcse'].max()))}. Right: posterior probability of the highest "
            "utility among all doses (open bar) and among the admissible doses (full bar), with one "
            f"Monte Carlo standard error to each side (at most {error(worst)})."
        ),
        f"Criterion: {data.attrs['criterion']}.",
    ]
    if "plug_in" in data:
        said.append("Diamond: utility at the posterior means, which that criterion compares.")
    chosen = doses[data["chosen"].to_numpy()]
    lead = f"{chosen[0]:g} {unit}".rstrip() if chosen.size else ""
    said.append({"recommended": f"Bold: the recommended dose, {lead}.",
                 "none": "No admissible dose meets the criterion, so none is recommended."
                 if bool(data["admissible"].any())
                 else "No dose is admissible, so none is recommended."}.get(
        data.attrs["status"], "The answer is not resolved by these draws"
        + (f"; bold: the leading dose, {lead}." if lead else ".")))  # fmt: skip
    refused = doses[~data["admissible"].to_numpy()]
    if refused.size:
        said.append(f"Hatched: not admissible ({', '.join(f'{d:g}' for d in refused)} {unit}).")
    untried = doses[data["untried"].to_numpy()]
    if untried.size:
        said.append(
            f"Hollow marker: no patient was treated ({', '.join(f'{d:g}' for d in untried)} {unit})."
        )
    said.append(f"{int(data[names.N_TREATED].sum())} patients treated.")
    return " ".join(said)
