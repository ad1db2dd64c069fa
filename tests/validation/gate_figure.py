"""The figure of gate.json: healthy fits against the limits, and which check stopped which sick draws."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from doseopt_bayes.inference.checks import MAX_RHAT, MIN_BFMI, MIN_ESS
from doseopt_bayes.plots import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

HERE = Path(__file__).parent
COLOURS = ("#00204d", "#b3a100")  # 1000 draws, 2500 draws: dark and light also in print
CHECKS = ("chains", "draws per chain", "finite draws", "distinct chains", "R-hat", "bulk ESS", "tail ESS",
          "divergences", "E-BFMI", "saturated tree depth")  # fmt: skip
PANELS = (
    ("rhat", "highest R-hat - 1 of a fit", MAX_RHAT - 1, "refused above 0.01"),
    ("ess_bulk", "lowest bulk ESS of a fit", MIN_ESS, "refused below 400"),
    ("ess_tail", "lowest tail ESS of a fit", MIN_ESS, "refused below 400"),
    ("bfmi", "lowest E-BFMI of a fit", MIN_BFMI, "refused below 0.3"),
)


def histogram(ax: Axes, runs: list[dict[str, Any]], panel: tuple[str, str, float, str]) -> None:
    """Draw one measure of the first attempts, with its limit."""
    key, label, limit, said = panel
    values = [np.array(r["first_attempt"][key], dtype=float) - (key == "rhat") for r in runs]
    everything = np.concatenate([*values, [limit]])
    log = key != "bfmi"
    low, high = everything.min(), everything.max()
    if log:
        edges = np.geomspace(low / 1.15, high * 1.15, 40)
        ax.set_xscale("log")
    else:
        edges = np.linspace(0.2, 1.2, 41)
    for x, run, colour in zip(values, runs, COLOURS, strict=True):
        name = f"4 x {run['draws']} draws: {run['fits']} fits"
        ax.hist(x, edges, histtype="stepfilled", alpha=0.3, color=colour)
        ax.hist(x, edges, histtype="step", color=colour, linewidth=1.1, label=name)
    ax.axvline(limit, color="#a50f15", linewidth=1.1, linestyle=(0, (4, 2)))
    above = key == "rhat"
    ax.annotate(said, (limit, 0.97), xycoords=("data", "axes fraction"), xytext=(-3 if above else 3, 0),
                textcoords="offset points", ha="right" if above else "left", va="top", fontsize=7,
                color="#a50f15", rotation=90)  # fmt: skip
    beyond = [int((x > limit).sum() if above else (x < limit).sum()) for x in values]
    ax.set_title(f"beyond the limit: {beyond[0]} and {beyond[1]}", fontweight="normal", fontsize=8)
    ax.set_xlabel(label)
    ax.set_ylabel("fits")
    ticks = {"rhat": [0.0003, 0.001, 0.003, 0.01], "ess_bulk": [400, 1000, 3000, 10000],
             "ess_tail": [400, 1000, 3000], "bfmi": [0.3, 0.6, 0.9, 1.2]}[key]  # fmt: skip
    ax.set_xticks(ticks, [f"{t:g}" for t in ticks])
    ax.minorticks_off()


def planted(ax: Axes, sick: dict[str, list[str]]) -> None:
    """Draw which check refused each planted sick posterior."""
    rows = list(sick)
    for y, name in enumerate(rows):
        ax.axhline(y, color=style.PALE, linewidth=0.6, zorder=0)
        for x, check in enumerate(CHECKS):
            if check in sick[name]:
                ax.plot(x, y, "s", color="#a50f15", markersize=5.5)
    ax.set_yticks(range(len(rows)), rows, fontsize=7.5)
    ax.set_xticks(
        range(len(CHECKS)), CHECKS, rotation=35, ha="left", rotation_mode="anchor", fontsize=7.5
    )
    ax.xaxis.tick_top()
    ax.set_ylim(len(rows) - 0.5, -0.5)
    ax.set_xlim(-0.5, len(CHECKS) - 0.5)
    ax.tick_params(length=0)
    for side in ax.spines.values():
        side.set_visible(False)


def draw(found: dict[str, Any], path: Path) -> None:
    """Draw the whole figure as PNG."""
    runs = found["healthy"]
    with style.styled():
        figure = style.new_figure(7.9)
        top, bottom = figure.subfigures(2, 1, height_ratios=(1.22, 1))
        axes = top.subplots(2, 2)
        for ax, panel in zip(axes.flat, PANELS, strict=True):
            histogram(ax, runs, panel)
        handles, labels = axes[0, 0].get_legend_handles_labels()
        top.legend(handles, labels, loc="outside lower center", ncols=2)
        counts = "\n".join(
            f"4 x {r['draws']} draws: {r['refused_at_first']} of {r['fits']} refused at the first attempt "
            f"({', '.join(f'{k}: {n}' for k, n in r['refused_at_first_by_check'].items())}), "
            f"{r['refused']} after the refits of the product"
            for r in runs
        )
        head = {"x": 0.01, "ha": "left", "fontsize": 9.5, "fontweight": "bold"}
        top.suptitle("Healthy EffTox fits of 9 to 60 simulated patients, first attempt\n\n", **head)
        top.text(0.012, 0.945, counts, fontsize=8, va="top")
        sick = found["sick"]
        refused = sum(map(bool, sick.values()))
        said = f"Planted sick posteriors: {refused} of {len(sick)} refused, and by which check"
        bottom.suptitle(said, **head)
        planted(bottom.subplots(), found["sick"])
        figure.savefig(path, dpi=130, metadata={"Software": None})


if __name__ == "__main__":
    draw(json.loads((HERE / "gate.json").read_text(encoding="utf-8")), HERE / "gate.png")
