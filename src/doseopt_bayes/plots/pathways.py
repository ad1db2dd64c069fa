"""The tree of dose-transition pathways, and the letters of a decision table, for a protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import xarray as xr
from matplotlib.patches import Patch

from doseopt_bayes.errors import DoseOptError
from doseopt_bayes.plots import style
from doseopt_bayes.plots.picture import Picture

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from doseopt_bayes.comparators.decisions import DecisionTable
    from doseopt_bayes.design.pathways import Pathways

__all__ = ["LEAVES", "figure_decisions", "figure_pathways"]

LEAVES: Final = 64  # of a tree that fits a page
TALL: Final = 0.155  # inches of a leaf
SHADES: Final = {"E": "#d9e8d0", "S": "#f2f2f2", "D": "#f6dcb8", "U": "#e0a58f"}
WORDS: Final = {"E": "escalate", "S": "stay", "D": "de-escalate", "U": "de-escalate and eliminate"}


def data_pathways(found: Pathways) -> xr.Dataset:
    """Return the steps of every path, over ``path``.

    Raises
    ------
    DoseOptError
        When no cohort follows, or the tree has more leaves than fit a page.
    """
    if not found.steps:
        raise DoseOptError("the trial has ended: no cohort follows")
    parents = {s.before for s in found.steps}
    ends = [s.path for s in found.in_order() if s.path not in parents]
    if len(ends) > LEAVES:
        raise DoseOptError(
            f"{len(ends)} paths are more than {LEAVES}: no tree that can be read",
            hint="print(pathways(...)) or its to_frame() has every path; or look fewer cohorts ahead",
        )
    place = {path: float(i) for i, path in enumerate(ends)}
    for s in reversed(found.steps):  # a parent stands amid its children
        if s.path not in place:
            below = [place[c.path] for c in found.steps if c.before == s.path]
            place[s.path] = float(np.mean(below))
    frame = found.to_frame().assign(
        before=[s.before for s in found.steps], place=[place[s.path] for s in found.steps]
    )
    data = xr.Dataset.from_dataframe(frame.set_index("path"))
    design = found.design
    return data.assign_attrs(
        unit=design.unit, doses=list(design.doses), outcomes=found.outcomes, leaves=len(ends),
        design=str(getattr(design, "name", "the design")), joint=int(found.joint),
    )  # fmt: skip


def draw_pathways(data: xr.Dataset) -> Figure:
    """Draw the tree from left to right: a column for each cohort, a box for what follows."""
    doses = [float(d) for d in np.atleast_1d(data.attrs["doses"])]
    looks = style.dose_styles(doses)
    unit = str(data.attrs["unit"])
    last = int(data["cohort"].max())
    frame = data.to_dataframe()
    with style.styled():
        figure = style.new_figure(max(1.6, TALL * int(data.attrs["leaves"]) * 1.25 + 0.9))
        ax = figure.subplots()
        for path, s in frame.iterrows():
            x, y = float(s["cohort"]), float(s["place"])
            if s["before"] in frame.index:
                parent = frame.loc[s["before"]]
                ax.plot([x - 0.42, x - 0.2], [parent["place"], y], color=style.GREY, linewidth=0.6)
            dose = float(s["dose"])
            said = _outcome(s, joint=bool(data.attrs["joint"]))
            ax.annotate(
                f"{dose:g}: {said}", (x - 0.18, y), va="center", fontsize=6.5, gid=f"seen:{path}"
            )
            ax.annotate(
                _follows(s, unit), (x + 0.36, y), va="center", fontsize=6.5, gid=f"then:{path}",
                weight="bold" if s["then"] == "treat" else "normal",
                bbox={"boxstyle": "round,pad=0.2", "facecolor": "white", "linewidth": 0.9,
                      "edgecolor": looks[s["next_dose"]].color if s["next_dose"] in looks else style.GREY,
                      "linestyle": "-" if s["then"] == "treat" else ":"},
            )  # fmt: skip
        ax.set_xlim(0.75, last + 0.95)
        ax.set_ylim(int(data.attrs["leaves"]) - 0.4, -1.4)
        for k in range(1, last + 1):
            ax.annotate(
                f"cohort {k}: dose, outcome", (k - 0.18, -1.05), fontsize=7.5, weight="bold"
            )
            ax.annotate("then", (k + 0.36, -1.05), fontsize=7.5, weight="bold")
        ax.set_axis_off()
    return figure


def _outcome(s: pd.Series, *, joint: bool) -> str:
    n = len(str(s["outcome"]))
    tox = f"{s['toxicities']}/{n} toxic"
    return f"{s['outcome']}" if joint else tox


def _follows(s: pd.Series, unit: str) -> str:
    doubt = "" if s["resolved"] else " (not resolved)"
    if np.isnan(s["next_dose"]):
        return f"stop: no dose{doubt}"
    dose = f"{s['next_dose']:g} {unit}".rstrip()
    return (dose if s["then"] == "treat" else f"stop: {dose}") + doubt


def caption_pathways(data: xr.Dataset) -> str:
    """Say what every mark is."""
    a = data.attrs
    seen = f"After '{a['outcomes']}'" if a["outcomes"] else "From the first cohort"
    letters = (
        "the outcome of each patient (N neither, E efficacy, T toxicity, B both)"
        if a["joint"]
        else "the number of patients with toxicity"
    )
    return (
        f"{seen}: every outcome that the next cohorts can have under {a['design']}. Left of each pair: "
        f"the dose that the cohort received and {letters}; the order of the patients does not count. "
        "Box: what follows; in bold, the dose of the next cohort; dotted, the trial stops, with the dose "
        "that it recommends. The frame has the colour of the dose."
    )


def figure_pathways(found: Pathways) -> Picture:
    """Draw the dose-transition pathways of the next cohorts.

    Parameters
    ----------
    found
        Result of :func:`~doseopt_bayes.design.pathways.pathways`, of at most 64 leaves.
    """
    data = data_pathways(found)
    return Picture("Dose-transition pathways", caption_pathways(data), draw_pathways(data), data)


def data_decisions(table: DecisionTable) -> xr.Dataset:
    """Return the letters over (toxicities, patients); empty where there are more toxicities."""
    grid = table.grid()
    found = xr.Dataset(
        {"decision": (("toxicities", "patients"), grid.to_numpy().astype(str))},
        coords={"toxicities": grid.index.to_numpy(), "patients": grid.columns.to_numpy()},
    )
    return found.assign_attrs(name=table.name)


def draw_decisions(data: xr.Dataset) -> Figure:
    """Draw the letters as a table that is read at the bedside."""
    letters = data["decision"].to_numpy()
    with style.styled():
        figure = style.new_figure(min(8.0, 0.2 * letters.shape[0] + 0.9))
        ax = figure.subplots()
        _cells(ax, letters)
        ax.set_xticks(range(letters.shape[1]), labels=[str(n) for n in data["patients"].to_numpy()])
        ax.set_yticks(
            range(letters.shape[0]), labels=[str(y) for y in data["toxicities"].to_numpy()]
        )
        ax.set_xlabel("patients at the current dose")
        ax.set_ylabel("of them with toxicity")
        ax.tick_params(length=0, labelsize=7)
        for side in ("left", "bottom"):
            ax.spines[side].set_visible(False)
        used = [k for k in SHADES if (letters == k).any()]
        figure.legend(
            handles=[Patch(facecolor=SHADES[k], edgecolor=style.GREY, linewidth=0.4) for k in used],
            labels=[f"{k}: {WORDS[k]}" for k in used], loc="outside lower center", ncols=4,
        )  # fmt: skip
    return figure


def _cells(ax: Axes, letters: np.ndarray) -> None:
    size = 7.0 if letters.shape[1] <= 24 else 5.0
    for (y, x), letter in np.ndenumerate(letters):
        if letter:
            ax.barh(
                y, 1, left=x - 0.5, height=1, color=SHADES[letter], edgecolor="white", linewidth=0.6
            )
            ax.annotate(letter, (x, y), ha="center", va="center", fontsize=size)
    ax.set_xlim(-0.5, letters.shape[1] - 0.5)
    ax.set_ylim(-0.5, letters.shape[0] - 0.5)


def caption_decisions(data: xr.Dataset) -> str:
    """Say what the letters mean."""
    return (
        f"What follows under {data.attrs['name']}, by the patients treated at the current dose and those "
        "of them with toxicity. E: the next higher dose, unless it is eliminated or there is none; S: "
        "the same dose; D: the next lower one; U: the next lower one, and this dose and every higher one "
        "are never given again; at the lowest dose the trial then stops."
    )


def figure_decisions(table: DecisionTable) -> Picture:
    """Draw a table of decisions.

    Parameters
    ----------
    table
        Of an interval design: ``BOIN(0.3).table(18)``, say.
    """
    data = data_decisions(table)
    title = f"Decisions of {table.name}"
    return Picture(title, caption_decisions(data), draw_decisions(data), data)
