"""Map of the optimal dose: subgroup by dose, the probability of being the best admissible dose."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import matplotlib as mpl
import xarray as xr
from matplotlib.colors import to_hex
from matplotlib.patches import Patch, Rectangle

from doseopt_bayes import names
from doseopt_bayes.decision.decide import decide
from doseopt_bayes.decision.judge import NONE, RECOMMENDED
from doseopt_bayes.decision.population import WHOLE, population
from doseopt_bayes.decision.prose import error, probability
from doseopt_bayes.plots import style
from doseopt_bayes.plots.subgroups import LEVEL, caption, has_groups, one_line, stamps

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from doseopt_bayes.analysis import Analysis
    from doseopt_bayes.decision.decide import Decision

__all__ = ["caption_map", "data_map", "draw_map", "has_map", "plot_map"]

KEPT = ("prob_obd_admissible", "prob_obd_admissible_mcse", "admissible", "admissible_resolved",
        "untried", "chosen", names.N_TREATED)  # fmt: skip
REFUSED, LINES, HATCH = "#f4f4f4", "#c4c4c4", "////"
INCHES: Final = 0.42  # of a row


def has_map(analysis: Analysis) -> bool:
    """Whether the analysis has subgroups."""
    return has_groups(analysis)


def data_map(analysis: Analysis) -> xr.Dataset:
    """Return the numbers of the map.

    Returns
    -------
    xarray.Dataset
        Columns of the decision's table over ``level`` and ``dose``; ``status`` and ``leading`` over
        level. The last level is the whole population, decided by the same rules on probabilities
        averaged by the shares of treated patients; it is left out when nobody was treated.
    """
    decision, post = analysis.decision, analysis.posterior
    over = [str(d) for d in decision.status.dims]
    data = one_line(_columns(decision), over)
    treated = post.seen[names.N_TREATED]
    shares = ""
    if set(over) <= set(treated.dims) and int(treated.sum()):
        whole = population(post)
        # the gate has spoken: the analysis would have no decision if it had to stop here
        all_in_one = decide(
            whole, decision.utility, decision.rules, criterion=decision.criterion,
            override_diagnostics=True,
        )  # fmt: skip
        last = _columns(all_in_one).expand_dims({LEVEL: [WHOLE]})
        data, shares = xr.concat([data, last], dim=LEVEL), whole.notes[-1]
    data.attrs = {
        "unit": str(decision.table.attrs.get("unit", "")),
        "criterion": str(decision.criterion),
        **stamps(analysis),
        "population": shares,
    }
    return data.transpose(LEVEL, names.DOSE)


def _columns(decision: Decision) -> xr.Dataset:
    table = decision.table[list(KEPT)].drop_vars("rule", errors="ignore")
    return table.assign(status=decision.status.astype("U12"), leading=decision.leading)


def _ink(fill: str) -> str:
    red, green, blue = mpl.colors.to_rgb(fill)
    return "white" if 0.3 * red + 0.59 * green + 0.11 * blue < 0.5 else style.INK


def _answer(row: xr.Dataset, unit: str) -> str:
    status = str(row["status"].item())
    if status == RECOMMENDED:
        return style.dose_label(float(row["leading"]), unit)
    return "none" if status == NONE else "not resolved"


def plot_map(data: xr.Dataset, *, ax: Axes | None = None) -> Axes:
    """Draw a row for each subgroup and a column for each dose.

    Shade and number: probability of being the best admissible dose of the subgroup. Hatched, without a
    number: not admissible. Star: no patient of the subgroup was treated there. Thick frame: the
    recommended dose; dashed frame: the leading one, not resolved. At the right: the answer.

    Parameters
    ----------
    data
        Result of `data_map`.
    ax
        Where to draw; a new figure by default.
    """
    with style.styled():
        ax = style.new_figure(_height(data)).add_subplot() if ax is None else ax
        doses = [float(d) for d in data[names.DOSE].to_numpy()]
        levels = [str(v) for v in data[LEVEL].to_numpy()]
        for i, level in enumerate(levels):
            y, row = -i - 0.25 * (level == WHOLE), data.isel({LEVEL: i})
            for x, dose in enumerate(doses):
                _cell(ax, row.isel({names.DOSE: x}), x, y, f"{level}:{dose:g}")
            recommended = str(row["status"].item()) == RECOMMENDED
            ax.annotate(_answer(row, data.attrs["unit"]), (len(doses) - 0.4, y), va="center",
                        fontsize=8, fontweight="bold" if recommended else "normal",
                        annotation_clip=False, gid=f"answer:{level}")  # fmt: skip
            for x, dose in enumerate(doses):
                if float(row["leading"]) == dose:
                    ax.add_patch(Rectangle((x - 0.46, y - 0.43), 0.92, 0.86, fill=False, zorder=4,
                                           edgecolor="#b3400a", linewidth=2.0,
                                           linestyle="-" if recommended else (0, (3, 2)),
                                           gid=f"frame:{level}:{dose:g}"))  # fmt: skip
        ends = [-i - 0.25 * (level == WHOLE) for i, level in enumerate(levels)]
        treated = data[names.N_TREATED].sum(names.DOSE).to_numpy()
        ax.set_yticks(ends, labels=[f"{style.escape(v)}\nn = {int(n)}"
                                    for v, n in zip(levels, treated, strict=True)])  # fmt: skip
        ax.set_xticks(range(len(doses)), labels=[f"{d:g}" for d in doses])
        ax.set_xlim(-0.5, len(doses) + 0.35)
        ax.set_ylim(ends[-1] - 0.5, 0.5)
        for spine in ax.spines.values():
            spine.set_visible(False)
        ax.tick_params(length=0, labelsize=7.5)
        unit = style.escape(data.attrs["unit"])
        ax.set_xlabel(f"dose ({unit})" if unit else "dose")
        ax.set_title("Probability of being the best admissible dose; at the right, the answer")
    return ax


def _cell(ax: Axes, cell: xr.Dataset, x: int, y: float, gid: str) -> None:
    ok, p = bool(cell["admissible"]), float(cell["prob_obd_admissible"])
    fill = to_hex(mpl.colormaps["Blues"](0.04 + 0.86 * p)) if ok else REFUSED
    ax.add_patch(Rectangle((x - 0.5, y - 0.47), 1, 0.94, facecolor=fill, linewidth=0.6,
                           edgecolor="white" if ok else LINES, hatch="" if ok else HATCH,
                           gid=f"{'prob' if ok else 'inadmissible'}:{gid}"))  # fmt: skip
    text = (probability(p) if ok else "") + " *" * bool(cell["untried"])
    text += " ?" * (not bool(cell["admissible_resolved"]))
    if text.strip():
        ax.text(x, y, text.strip(), ha="center", va="center", fontsize=8,
                color=_ink(fill) if ok else style.INK, gid=f"number:{gid}")  # fmt: skip


def _height(data: xr.Dataset) -> float:
    return 1.15 + INCHES * (data.sizes[LEVEL] + 0.25)


def draw_map(data: xr.Dataset) -> Figure:
    """Draw the map with its legend."""
    with style.styled():
        figure = style.new_figure(_height(data))
        plot_map(data, ax=figure.add_subplot())
        rust = "#b3400a"
        marks = [
            Patch(fill=False, edgecolor=rust, linewidth=2.0),
            Patch(fill=False, edgecolor=rust, linewidth=1.5, linestyle=(0, (3, 2))),
            Patch(facecolor=REFUSED, edgecolor=LINES, hatch=HATCH),
            Patch(fill=False, linewidth=0),
            Patch(fill=False, linewidth=0),
        ]
        said = ["recommended", "leading, not resolved", "not admissible", "* no patient treated",
                "? admissible or not: not resolved"]  # fmt: skip
        figure.legend(marks, said, loc="outside lower center", ncols=3)
    return figure


def caption_map(data: xr.Dataset) -> str:
    """Say what every mark is and the answer for each subgroup."""
    answers = "; ".join(
        f"{level} {_answer(data.isel({LEVEL: i}), data.attrs['unit'])}"
        for i, level in enumerate(data[LEVEL].to_numpy())
    )
    worst = error(float(data["prob_obd_admissible_mcse"].max()))
    said = [
        (
            "Shade and number: posterior probability that the dose has the highest utility among the "
            f"admissible doses of the subgroup (Monte Carlo standard error at most {worst}). Hatched: "
            "not admissible. Star: no patient of the subgroup was treated at the dose. Question mark: "
            "the draws do not resolve whether the dose is admissible."
        ),
        (
            f"Thick frame: recommended by the criterion '{data.attrs['criterion']}'; dashed frame: "
            "leading, but not resolved by these draws."
        ),
        f"Answers: {answers}.",
    ]
    if data.attrs["population"]:
        note = str(data.attrs["population"])
        said.append(f"Last row: {note}.")
    return caption(said, data)
