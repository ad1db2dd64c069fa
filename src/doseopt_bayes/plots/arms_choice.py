"""The arms under each configuration, and what a plan does by its size."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from matplotlib.lines import Line2D

from doseopt_bayes import names
from doseopt_bayes.decision.prose import error
from doseopt_bayes.planning.ratio import size_words
from doseopt_bayes.plots import style
from doseopt_bayes.plots.picture import Picture

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure

    from doseopt_bayes.arms.configuration import Configurations
    from doseopt_bayes.planning.plan import ArmPlan

__all__ = [
    "caption_configurations",
    "caption_plan",
    "data_configurations",
    "data_plan",
    "draw_configurations",
    "draw_plan",
    "figure_configurations",
    "figure_plan",
]

BEST = ("prob_best", "prob_best_mcse", "admissible", "leading", "status", "version")
SHARES: Final[dict[str, tuple[str, Any, str]]] = {
    "correct": ("right choice", "-", "o"),
    "worse": ("worse arm", "--", "s"),
    "none": ("none", ":", "^"),
}


def data_configurations(found: Configurations) -> xr.Dataset:
    """Return Pr(best) of each arm under each configuration, unchanged."""
    data = found.table[list(BEST)]
    data.attrs = dict(found.table.attrs)
    return data


def draw_configurations(data: xr.Dataset) -> Figure:
    """Draw a group of bars for each configuration: Pr(best) of each arm, a star on the leading one."""
    with style.styled():
        labels = [str(c) for c in data["configuration"].to_numpy()]
        doses = [float(d) for d in data[names.DOSE].to_numpy()]
        looks, width = style.dose_styles(doses), 0.8 / len(doses)
        figure = style.new_figure(3.0)
        ax = figure.add_subplot()
        for i, label in enumerate(labels):
            for j, dose in enumerate(doses):
                at = data.sel({"configuration": label, names.DOSE: dose})
                x, p = i + (j - (len(doses) - 1) / 2) * width, float(at["prob_best"])
                fine = bool(at["admissible"])
                ax.bar(x, p, width=width * 0.92, edgecolor=looks[dose].color, zorder=2,
                       facecolor=looks[dose].color if fine else "white",
                       gid=f"prob_best:{label}:{dose:g}")  # fmt: skip
                if float(at["leading"]) == dose:
                    ax.plot([x], [p + 0.04], "*", color=style.INK, gid=f"leading:{label}")
        versions = data["version"].to_numpy()
        called = [f"{n}\nversion {v}" for n, v in zip(labels, versions, strict=True)]
        ax.set_xticks(range(len(labels)), labels=[style.escape(c) for c in called])
        ax.set_ylim(0, 1.1)
        ax.set_ylabel("Pr(best arm)")
        unit = str(data.attrs["unit"])
        marks = [Line2D([], [], color=looks[d].color, marker="s", linestyle="none") for d in doses]
        figure.legend(marks, [style.dose_label(d, unit) for d in doses],
                      loc="outside lower center", ncols=len(doses))  # fmt: skip
    return figure


def caption_configurations(data: xr.Dataset) -> str:
    """Say what bar and star are, and where nothing leads or is not resolved."""
    said = [f"{s}." for s in str(data.attrs["stamps"]).split("\n") if s]
    said.append(
        "Bar: posterior probability that the arm has the highest utility among the admissible ones, "
        "under the utility and rules of each configuration, all from one posterior (Monte Carlo "
        f"standard error at most {error(float(data['prob_best_mcse'].max()))}). Star: the arm that "
        "leads by the configuration's own criterion. Hollow: not admissible."
    )
    for name in data["configuration"].to_numpy():
        status = str(data["status"].sel(configuration=name).item())
        if status != "recommended":
            said.append(f"{name}: {status}.")
    return " ".join(said)


def figure_configurations(found: Configurations) -> Picture:
    """Draw the arms under each configuration side by side.

    Parameters
    ----------
    found
        Result of :func:`~doseopt_bayes.arms.configuration.compare_configurations`.
    """
    data = data_configurations(found)
    return Picture("The arms under each configuration", caption_configurations(data),
                   draw_configurations(data), data)  # fmt: skip


def data_plan(found: ArmPlan) -> xr.Dataset:
    """Return the shares of right choices, worse arms and none by scenario and size, unchanged."""
    kept = [v for share in SHARES for v in (share, f"{share}_mcse")]
    data = found.table[[*kept, "needed", "verdict"]]
    data.attrs = dict(found.table.attrs)
    return data


def draw_plan(data: xr.Dataset) -> Figure:
    """Draw a panel for each scenario: shares by patients per arm, two simulation errors to each side."""
    with style.styled():
        scenarios = [str(s) for s in data["scenario"].to_numpy()]
        columns = min(3, len(scenarios))
        rows = math.ceil(len(scenarios) / columns)
        figure = style.new_figure(0.9 + 2.0 * rows)
        panels = figure.subplots(rows, columns, squeeze=False, sharey=True).ravel()
        x = data["size"].to_numpy()
        for ax, name in zip(panels, scenarios, strict=False):
            at = data.sel(scenario=name)
            for share, (_, line, marker) in SHARES.items():
                ax.errorbar(x, at[share].to_numpy(), yerr=2 * at[f"{share}_mcse"].to_numpy(),
                            color=style.INK, linestyle=line, marker=marker, markersize=4,
                            capsize=2, gid=share)  # fmt: skip
            ax.axhline(float(data.attrs["correct"]), color=style.GREY, linewidth=0.8, gid="goal")
            if np.isfinite(float(at["needed"])):
                ax.axvline(float(at["needed"]), color=style.GREY, linewidth=0.8, linestyle=":",
                           gid="needed")  # fmt: skip
            ax.set_ylim(-0.02, 1.02)
            ax.set_title(style.escape(name), fontsize=8)
            ax.set_xlabel(size_words(data.attrs))
        for ax in panels[::columns]:
            ax.set_ylabel("probability")
        for ax in panels[len(scenarios) :]:
            ax.set_axis_off()
        marks = [
            Line2D([], [], color=style.INK, linestyle=s, marker=m) for _, s, m in SHARES.values()
        ]
        figure.legend(
            marks, [w for w, _, _ in SHARES.values()], loc="outside lower center", ncols=3
        )
    return figure


def caption_plan(data: xr.Dataset) -> str:
    """Say what the marks are, the rule, the trials and the goals."""
    a = data.attrs
    open_ = [str(s) for s in data["scenario"].to_numpy()
             if str(data["verdict"].sel(scenario=s).item()) == "not resolved"]  # fmt: skip
    said = [
        (
            f"Share of {a['n_trials']} simulated trials by {size_words(a)}; bars: two simulation errors "
            f"to each side. Rule: {a['rule']}. Horizontal line: the goal for right choices, "
            f"{a['correct']:g}; dotted vertical line: smallest size from which on the goals are reached."
        )
    ]
    if open_:
        said.append(f"Not resolved by these trials: {', '.join(open_)}.")
    return " ".join(said)


def figure_plan(found: ArmPlan) -> Picture:
    """Draw how often trials of each size choose rightly, by scenario.

    Parameters
    ----------
    found
        Result of :func:`~doseopt_bayes.planning.plan.plan_arms`.
    """
    data = data_plan(found)
    return Picture(
        "Right choices by the number of patients", caption_plan(data), draw_plan(data), data
    )
