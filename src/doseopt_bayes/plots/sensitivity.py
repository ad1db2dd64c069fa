"""Sensitivity of the decision: how far each weight and limit may move, and one weight swept."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from doseopt_bayes import names
from doseopt_bayes.decision.prose import error
from doseopt_bayes.decision.tipping import has_tipping
from doseopt_bayes.decision.weights import sweep_weight
from doseopt_bayes.errors import DoseOptError
from doseopt_bayes.plots import style

if TYPE_CHECKING:
    from typing import Any

    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from doseopt_bayes.analysis import Analysis

__all__ = [
    "caption_sensitivity",
    "data_sensitivity",
    "draw_sensitivity",
    "has_sensitivity",
    "plot_sweep",
    "plot_tornado",
]

NONE: Final = style.DoseStyle(style.GREY, "x")
BOUNDS: Final = {"down": 0.0, "up": 1.0}
STRIP: Final = 0.09  # height of the strip of leading doses, as a part of the axes


def has_sensitivity(analysis: Analysis) -> bool:
    """Whether a weight, limit or certainty could be moved, in a decision of one group."""
    return has_tipping(analysis.decision)


def data_sensitivity(analysis: Analysis) -> xr.Dataset:
    """Return the numbers of the sensitivity figure.

    Returns
    -------
    xarray.Dataset
        The table of :class:`~doseopt_bayes.decision.tipping.Tipping` over ``what`` and ``side``;
        ``admissible``, ``untried`` and ``n_treated`` over ``dose``. For a CUI also, over ``weight``
        (and ``dose``), of the attribute whose weight tips first: ``utility``, ``utility_mcse``,
        ``sweep_leading`` and ``sweep_resolved``.
    """
    post, decision = analysis.posterior, analysis.decision
    found = analysis.sensitivity
    tipping = found.tipping if found is not None else None
    if tipping is None:
        raise DoseOptError("there is no weight, limit or certainty to move")
    data = tipping.table.copy()
    for name in ("admissible", "untried", names.N_TREATED):
        data[name] = decision.table[name].drop_vars("rule", errors="ignore")
    weights = data.where(data["kind"] == "weight", drop=True)
    if weights.sizes["what"]:
        reach = weights["relative"].min("side").fillna(np.inf).to_numpy()
        attribute = str(weights["variable"].to_numpy()[int(reach.argmin())])
        swept = sweep_weight(post, decision, attribute)
        data = data.assign(
            utility=swept["utility"],
            utility_mcse=swept["utility_mcse"],
            sweep_leading=swept["leading"],
            sweep_resolved=swept["resolved"],
        )
        data.attrs |= {"attribute": attribute, "weight_now": swept.attrs["weight_now"]}
    data.attrs["verdict"] = tipping.sentences[0]
    return data


def _looks(data: xr.Dataset) -> dict[float, style.DoseStyle]:
    return style.dose_styles([float(d) for d in data[names.DOSE].to_numpy()])


def _look(data: xr.Dataset, dose: float) -> style.DoseStyle:
    return NONE if math.isnan(dose) else _looks(data)[dose]


def _word(data: xr.Dataset, dose: float) -> str:
    return "none" if math.isnan(dose) else style.dose_label(dose, data.attrs["unit"])


def _end(at: xr.Dataset, bound: float) -> float:
    """Where the bar ends; a change that was seen but not confirmed leaves no range to draw."""
    if not bool(at["settled"]):
        return float(at["now"])
    return float(at["to"]) if bool(at["flips"]) else bound


def plot_tornado(data: xr.Dataset, *, ax: Axes | None = None) -> Axes:
    """Draw a bar per weight, limit and certainty: where the leading dose stays the same.

    Upright line: the value in force. Marker at an end of the bar: the tipping point, in the marker
    and colour of the dose that leads beyond it, which is named beside it; cross: no dose is
    admissible beyond it. Horizontal line through the marker: one Monte Carlo error to each side.

    Parameters
    ----------
    data
        Result of `data_sensitivity`.
    ax
        Where to draw; a new figure by default.
    """
    with style.styled():
        ax = style.new_figure(_tornado_height(data)).add_subplot() if ax is None else ax
        own = _look(data, float(data.attrs["leading"]))
        box = {"facecolor": "white", "edgecolor": "none", "pad": 0.6}
        for y, what in enumerate(data["what"].to_numpy()):
            row = data.sel(what=what)
            ends = {side: _end(row.sel(side=side), bound) for side, bound in BOUNDS.items()}
            ax.plot([0, 1], [y, y], color=style.PALE, linewidth=1, zorder=1)
            ax.barh(y, ends["up"] - ends["down"], left=ends["down"], height=0.46, color=own.color,
                    alpha=0.3, linewidth=0, zorder=2, gid=f"range:{what}")  # fmt: skip
            ax.plot([float(row["now"])] * 2, [y - 0.3, y + 0.3], color=style.INK, linewidth=1.6,
                    zorder=4, gid=f"now:{what}")  # fmt: skip
            for side, sign in (("down", -1), ("up", 1)):
                at = row.sel(side=side)
                if not bool(at["flips"]):
                    continue
                x, mcse, dose = float(at["to"]), float(at["to_mcse"]), float(at["leading"])
                look = _look(data, dose)
                if not math.isnan(mcse):
                    ax.plot([x - mcse, x + mcse], [y, y], color=look.color, linewidth=1.2, zorder=3)
                ax.plot([x], [y], look.marker, color=look.color, markersize=6, zorder=5,
                        markeredgewidth=1.6, gid=f"tipping:{what}:{side}")  # fmt: skip
                ax.annotate(_word(data, dose), (x, y), (sign * 7, 0), textcoords="offset points",
                            ha="left" if sign > 0 else "right", va="center", fontsize=8,
                            zorder=6, bbox=box)  # fmt: skip
        labels = [style.escape(str(w)) for w in data["what"].to_numpy()]
        ax.set_yticks(range(len(labels)), labels=labels)
        ax.set_ylim(len(labels) - 0.45, -0.55)
        ax.set_xlim(-0.11, 1.13)
        ax.set_xticks([0, 0.2, 0.4, 0.6, 0.8, 1.0])
        ax.set_xlabel("value of the weight, limit or certainty")
        ax.set_title(f"Where {_lead_words(data)}")
    return ax


def _lead_words(data: xr.Dataset) -> str:
    lead = float(data.attrs["leading"])
    return "no dose is admissible" if math.isnan(lead) else f"{_word(data, lead)} stays in the lead"


def plot_sweep(data: xr.Dataset, *, ax: Axes | None = None) -> Axes:
    """Draw the utility of each dose against the weight of one attribute.

    Lines: posterior mean utility, full for an admissible dose, dashed for another one. Upright line:
    the weight in force. Strip at the bottom: the leading dose at each weight; hatched where the
    choice is within 3 Monte Carlo errors of another.

    Parameters
    ----------
    data
        Result of `data_sensitivity` for a CUI.
    ax
        Where to draw; a new figure by default.
    """
    with style.styled():
        ax = style.new_figure(2.6).add_subplot() if ax is None else ax
        weight = data["weight"].to_numpy()
        for dose, look in _looks(data).items():
            at = data.sel({names.DOSE: dose})
            ax.plot(weight, at["utility"].to_numpy(), look.marker, color=look.color, markevery=10,
                    markersize=5, linestyle="-" if bool(at["admissible"]) else (0, (4, 2)),
                    linewidth=1.5, gid=f"utility:{dose:g}")  # fmt: skip
        ax.axvline(float(data.attrs["weight_now"]), color=style.INK, linewidth=1.2, gid="now")
        ax.set_xlim(0, 1)
        low, high = ax.get_ylim()
        ax.set_ylim(low - STRIP * 1.4 * (high - low), high)
        for left, right, dose, resolved in _spans(data):
            ax.axvspan(left, right, 0, STRIP, facecolor=_look(data, dose).color, edgecolor="white",
                       linewidth=0, hatch="" if resolved else "////", zorder=3,
                       gid=f"leading:{left:.3g}")  # fmt: skip
            if right - left > 0.1:
                box = {"facecolor": "white", "edgecolor": "none", "pad": 0.8}
                ax.text((left + right) / 2, STRIP / 2, _word(data, dose), ha="center", va="center",
                        fontsize=7.5, zorder=4, transform=ax.get_xaxis_transform(),
                        bbox=box)  # fmt: skip
        attribute = style.escape(style.endpoint_word(data.attrs["attribute"]))
        ax.set_xlabel(f"weight of {attribute} (the others keep their proportions)")
        ax.set_ylabel("utility")
        ax.set_title("Utility and leading dose by weight")
    return ax


def _spans(data: xr.Dataset) -> list[tuple[float, float, float, bool]]:
    """Join neighbouring weights with one answer; a border lies half way between two of them."""
    weight = data["weight"].to_numpy()
    borders = [weight[0], *((weight[1:] + weight[:-1]) / 2), weight[-1]]
    spans: list[tuple[float, float, float, bool]] = []
    for i, (dose, resolved) in enumerate(
        zip(data["sweep_leading"].to_numpy(), data["sweep_resolved"].to_numpy(), strict=True)
    ):
        left, right = float(borders[i]), float(borders[i + 1])
        if spans and (spans[-1][2] == dose or np.isnan([spans[-1][2], dose]).all()):
            same = spans[-1][3] == bool(resolved)
            if same:
                left = spans.pop()[0]
        spans.append((left, right, float(dose), bool(resolved)))
    return spans


def _tornado_height(data: xr.Dataset) -> float:
    return 0.95 + 0.32 * data.sizes["what"]


def draw_sensitivity(data: xr.Dataset) -> Figure:
    """Draw the tornado and, for a CUI, the sweep below it, with one legend."""
    with style.styled():
        tall = _tornado_height(data)
        if "weight" in data.dims:
            figure = style.new_figure(tall + 3.0)
            upper, lower = figure.subplots(2, 1, height_ratios=[tall, 2.6])
            plot_sweep(data, ax=lower)
        else:
            figure = style.new_figure(tall + 0.4)
            upper = figure.add_subplot()
        plot_tornado(data, ax=upper)
        marks: list[Any] = [
            Line2D([], [], color=k.color, marker=k.marker, markersize=6, linestyle="")
            for k in _looks(data).values()
        ]
        said = [_word(data, d) for d in _looks(data)]
        marks.append(Line2D([], [], color=style.INK, marker="|", markersize=9, linestyle="",
                            markeredgewidth=1.6))  # fmt: skip
        said.append("value in force")
        if "weight" in data.dims and not bool(data["admissible"].all()):
            marks.append(Line2D([], [], color=style.GREY, linestyle=(0, (4, 2))))
            said.append("not admissible")
        if "weight" in data.dims and not bool(data["sweep_resolved"].all()):
            marks.append(Patch(facecolor=style.GREY, edgecolor="white", hatch="////", linewidth=0))
            said.append("not resolved")
        figure.legend(marks, said, loc="outside lower center", ncols=min(6, len(said)))
    return figure


def caption_sensitivity(data: xr.Dataset) -> str:
    """Say what every mark is, the verdict, who was treated, and what is untried."""
    flips = data["flips"]
    said = [
        (
            "Bar: range of each weight, limit or certainty over which the leading dose stays the same, "
            "all other numbers unchanged (other weights keep their proportions). Upright line: value in "
            "force. Marker: tipping point, labelled with the dose that leads beyond it (cross: no dose "
            "is admissible)."
        )
    ]
    worst = float(data["to_mcse"].where(flips).max())
    if not math.isnan(worst):
        said.append(
            f"Their Monte Carlo standard error, a horizontal line, is at most {error(worst)}."
        )
    said.append(str(data.attrs["verdict"]))
    if "weight" in data.dims:
        said.append(
            "Below, lines: posterior mean utility (Monte Carlo standard error at most "
            f"{error(float(data['utility_mcse'].max()))}); dashed: not admissible. Strip: leading dose, "
            "to half a step of the grid; hatched: within 3 Monte Carlo errors of another dose."
        )
    if data.attrs["status"] != "recommended":
        said.append(f"The answer itself is '{data.attrs['status']}'.")
    untried = data[names.DOSE].to_numpy()[data["untried"].to_numpy()]
    if untried.size:
        doses = ", ".join(f"{d:g}" for d in untried)
        said.append(f"No patient was treated at {doses} {data.attrs['unit']}.".replace(" .", "."))
    said.append(f"{int(data[names.N_TREATED].sum())} patients treated.")
    return " ".join(said)
