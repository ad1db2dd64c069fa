"""How sure the ranking is: probability of each rank of each dose, and of each pair of doses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib as mpl
from matplotlib.colors import to_hex
from matplotlib.patches import Patch, Rectangle

from doseopt_bayes import names
from doseopt_bayes.decision.prose import error, probability
from doseopt_bayes.decision.ranking import OTHER, RANK, rank_doses
from doseopt_bayes.plots import style

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from doseopt_bayes.analysis import Analysis

__all__ = [
    "caption_acceptability",
    "data_acceptability",
    "draw_acceptability",
    "plot_pairwise",
    "plot_ranks",
]

REFUSED, LINES, HATCH = "#f4f4f4", "#c4c4c4", "////"
FITS = 0.09  # width of a segment from which a number is readable in it


def data_acceptability(analysis: Analysis) -> xr.Dataset:
    """Return the numbers of the acceptability figure.

    Returns
    -------
    xarray.Dataset
        Table of :class:`~doseopt_bayes.decision.ranking.Ranking` for the admissible doses, with
        ``chosen``, ``untried`` and ``n_treated`` of the decision over dose. Unit, status and the
        level of the credible set are attributes.
    """
    post, decision = analysis.posterior, analysis.decision
    u = decision.utility({name: post[name] for name in decision.utility.reads})
    ranking = rank_doses(post, u, decision.table["admissible"])
    data = ranking.table.drop_vars("rule", errors="ignore")
    for name in ("chosen", "untried", names.N_TREATED):
        data[name] = decision.table[name]
    data.attrs = {
        "unit": str(decision.table.attrs.get("unit", "")),
        "status": str(decision.status.item()),
        "level": ranking.level,
    }
    return data


def _ink(fill: str) -> str:
    red, green, blue = mpl.colors.to_rgb(fill)
    return "white" if 0.3 * red + 0.59 * green + 0.11 * blue < 0.5 else style.INK


def _rank_fill(rank: int, ranks: int) -> str:
    shade = 0.05 + 0.9 * (rank - 1) / max(1, ranks - 1)  # first rank dark, last one pale
    return to_hex(mpl.colormaps["Blues_r"](shade))


def _pair_fill(p: float) -> str:
    return to_hex(mpl.colormaps["PuOr_r"](0.15 + 0.7 * p))


def _labels(data: xr.Dataset, *, more: bool) -> list[str]:
    said = []
    for i, dose in enumerate(data[names.DOSE].to_numpy()):
        row = data.isel({names.DOSE: i})
        label = style.dose_label(float(dose), data.attrs["unit"]) + " *" * bool(row["untried"])
        if more and not bool(row["eligible"]):
            label += "\nnot admissible"
        elif more and bool(row["in_set"]):
            label += "\nin the set"
        said.append(label)
    return said


def _bold(ax: Axes, data: xr.Dataset) -> None:
    for tick, chosen in zip(ax.yaxis.get_major_ticks(), data["chosen"].to_numpy(), strict=True):
        tick.label1.set_fontweight("bold" if chosen else "normal")


def plot_ranks(data: xr.Dataset, *, ax: Axes | None = None) -> Axes:
    """Draw a stacked bar per dose, doses rising upwards.

    Segments: probability of each rank among the admissible doses, best rank left and dark, number
    inside where it fits. Hatched: not admissible. Bold: the recommended (or leading) dose.

    Parameters
    ----------
    data
        Result of `data_acceptability`.
    ax
        Where to draw; a new figure by default.
    """
    with style.styled():
        ax = style.new_figure(_height(data)).add_subplot() if ax is None else ax
        ranks = int(data["eligible"].sum())
        for y, dose in enumerate(data[names.DOSE].to_numpy()):
            row, left = data.isel({names.DOSE: y}), 0.0
            if not bool(row["eligible"]):
                ax.barh(y, 1.0, height=0.66, color=REFUSED, edgecolor=LINES, hatch=HATCH, linewidth=0,
                        gid=f"inadmissible:{dose:g}")  # fmt: skip
                continue
            for rank in range(1, ranks + 1):
                p, fill = float(row["rank_prob"].sel({RANK: rank})), _rank_fill(rank, ranks)
                ax.barh(y, p, left=left, height=0.66, color=fill, edgecolor=style.GREY, linewidth=0.5,
                        gid=f"rank_prob:{dose:g}:{rank}")  # fmt: skip
                if p > FITS:
                    ax.text(left + p / 2, y, probability(p), ha="center", va="center", fontsize=7.5,
                            color=_ink(fill))  # fmt: skip
                left += p
        ax.set_xlim(0, 1)
        ax.set_ylim(-0.55, data.sizes[names.DOSE] - 0.45)
        ax.set_xticks([0, 0.25, 0.5, 0.75, 1], labels=["0", "0.25", "0.5", "0.75", "1"])
        ax.set_yticks(range(data.sizes[names.DOSE]), labels=_labels(data, more=True))
        _bold(ax, data)
        ax.set_xlabel("probability of each rank by utility")
        ax.set_title("Ranks")
    return ax


def plot_pairwise(data: xr.Dataset, *, ax: Axes | None = None) -> Axes:
    """Draw the matrix of Pr(row dose is worth more than column dose), numbers printed.

    Parameters
    ----------
    data
        Result of `data_acceptability`.
    ax
        Where to draw; a new figure by default.
    """
    with style.styled():
        ax = style.new_figure(_height(data)).add_subplot() if ax is None else ax
        doses = data[names.DOSE].to_numpy()
        for y, dose in enumerate(doses):
            for x, other in enumerate(doses):
                cell = data["better"].isel({names.DOSE: y, OTHER: x})
                shown = bool(cell.notnull())
                fill = _pair_fill(float(cell)) if shown else REFUSED
                refused = not shown and x != y
                ax.add_patch(Rectangle((x - 0.5, y - 0.5), 1, 1, facecolor=fill, linewidth=0.6,
                                       edgecolor=LINES if refused else "white",
                                       hatch=HATCH if refused else "",
                                       gid=f"better:{dose:g}:{other:g}"))  # fmt: skip
                if shown:
                    ax.text(x, y, probability(float(cell)), ha="center", va="center", fontsize=7,
                            color=_ink(fill), gid=f"number:{dose:g}:{other:g}")  # fmt: skip
        ax.set_xlim(-0.5, len(doses) - 0.5)
        ax.set_ylim(-0.5, len(doses) - 0.5)
        for spine in ax.spines.values():
            spine.set_visible(False)
        ax.tick_params(length=0)
        ax.set_xticks(range(len(doses)), labels=[f"{d:g}" for d in doses])
        ax.set_yticks(range(len(doses)), labels=_labels(data, more=False))
        _bold(ax, data)
        unit = style.escape(data.attrs["unit"])
        ax.set_xlabel(f"other dose ({unit})" if unit else "other dose")
        ax.set_title("Pr(row worth more than column)")
    return ax


def _height(data: xr.Dataset) -> float:
    return 1.5 + 0.42 * data.sizes[names.DOSE]


def draw_acceptability(data: xr.Dataset) -> Figure:
    """Draw ranks and pairs side by side with one legend."""
    with style.styled():
        figure = style.new_figure(_height(data))
        left, right = figure.subplots(1, 2, width_ratios=[1.15, 1])
        plot_ranks(data, ax=left)
        plot_pairwise(data, ax=right)
        ranks = int(data["eligible"].sum())
        marks = [
            Patch(facecolor=_rank_fill(r, ranks), edgecolor=style.GREY, linewidth=0.5)
            for r in range(1, ranks + 1)
        ]
        said = [f"rank {r}" for r in range(1, ranks + 1)]
        if not bool(data["eligible"].all()):
            marks.append(Patch(facecolor=REFUSED, edgecolor=LINES, hatch=HATCH, linewidth=0))
            said.append("not admissible")
        figure.legend(marks, said, loc="outside lower center", ncols=min(6, len(said)))
    return figure


def _list(doses: list[float], unit: str) -> str:
    return f"{', '.join(f'{d:g}' for d in doses)} {unit}".rstrip()


def caption_acceptability(data: xr.Dataset) -> str:
    """Say what every mark is, the credible set, its error, and what is untried."""
    doses, unit = data[names.DOSE].to_numpy(), data.attrs["unit"]
    if not bool(data["eligible"].any()):
        return (
            "Hatched: no dose is admissible, so there are no ranks, no pairs to compare and no set of "
            f"best doses. {int(data[names.N_TREATED].sum())} patients treated."
        )
    worst = float(data["rank_prob_mcse"].max())
    pairs = float(data["better_mcse"].fillna(0.0).max())
    inside = doses[data["in_set"].to_numpy()].tolist()
    best = float(data["set_prob"])
    said = [
        (
            "Left: posterior probability of each rank by utility among the admissible doses, first "
            f"rank dark; Monte Carlo standard error at most {error(worst)}. Right: probability that "
            "the dose of the row is worth more than the dose of the column; Monte Carlo standard "
            f"error at most {error(pairs)}. Equal utilities count for the lower dose."
        ),
        (
            f"In the set: {_list(inside, unit)}, the smallest set of doses that holds the best "
            f"admissible one with probability at least {data.attrs['level']:g} "
            f"({probability(best)}, MCSE {error(float(data['set_prob_mcse']))})."
        ),
    ]
    chosen = doses[data["chosen"].to_numpy()].tolist()
    if chosen:
        settled = data.attrs["status"] == "recommended"
        role = "recommended dose" if settled else "leading dose, not resolved"
        said.append(f"Bold: {role}, {_list(chosen, unit)}.")
    refused = doses[~data["eligible"].to_numpy()].tolist()
    if refused:
        said.append(f"Hatched: not admissible ({_list(refused, unit)}).")
    untried = doses[data["untried"].to_numpy()].tolist()
    if untried:
        said.append(f"*: no patient was treated ({_list(untried, unit)}).")
    said.append(f"{int(data[names.N_TREATED].sum())} patients treated.")
    return " ".join(said)
