"""Forest of differences between arms: each stratum, and their average, with events and patients."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import xarray as xr
from matplotlib.lines import Line2D

from doseopt_bayes import names
from doseopt_bayes.arms.margin import UTILITY
from doseopt_bayes.decision.prose import error
from doseopt_bayes.errors import DoseOptError, did_you_mean
from doseopt_bayes.plots import style
from doseopt_bayes.plots.picture import Picture

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from doseopt_bayes.arms.strata import StratifiedComparison

__all__ = ["caption_arm_forest", "data_arm_forest", "draw_arm_forest", "figure_arm_forest"]

AVERAGE: Final = "average"
LEVEL: Final = "level"
ACROSS: Final = 2  # panels side by side: the counts at the right need their room
KEPT = ("difference", "difference_mcse", "difference_low", "difference_high", "low", "high",
        names.N, names.EVENTS)  # fmt: skip


def data_arm_forest(
    found: StratifiedComparison, endpoints: Sequence[str] | None = None
) -> xr.Dataset:
    """Return the numbers of the forest, unchanged, over level (strata, then average), pair and endpoint.

    Parameters
    ----------
    found
        Result of :func:`~doseopt_bayes.arms.strata.compare_strata`.
    endpoints
        Which to draw, in this order; all of them by default.

    Raises
    ------
    DoseOptError
        On an endpoint that was not compared.
    """
    table = found.average.table
    known = [str(e) for e in table[names.ENDPOINT].to_numpy()]
    ends = list(known if endpoints is None else endpoints)
    for end in ends:
        if end not in known:
            raise DoseOptError(f"'{end}' was not compared", hint=did_you_mean(end, known))
    every = {**found.strata, AVERAGE: found.average}
    parts = [
        one.table[[v for v in KEPT if v in one.table]].sel({names.ENDPOINT: ends})
        for one in every.values()
    ]
    data = xr.concat(parts, dim=LEVEL, data_vars="all", coords="minimal", compat="override")
    data = data.assign_coords({LEVEL: list(every)})
    agree = found.table[["differs", "differs_mcse"]].sel({names.ENDPOINT: ends})
    data = data.merge(agree)
    limits = np.full(len(ends), np.nan)
    for i, end in enumerate(ends):
        for m in found.average.margins:
            if m.endpoint == end and m.of == "difference":
                limits[i] = -m.at_most if m.better == "higher" else m.at_most
    data["limit"] = (names.ENDPOINT, limits)
    data["weight"] = (LEVEL, [*found.weights.values(), 1.0])
    data.attrs = {**table.attrs, **style.interval_attrs(), "over": found.over,
                  "stamps": "\n".join(found.average.decision.stamps)}  # fmt: skip
    return data


def _counts(row: xr.Dataset, endpoint: str) -> str:
    """Events / patients of the lower and the higher arm."""
    if names.N not in row or endpoint == UTILITY:
        return ""
    shown = []
    for side in ("low", "high"):
        arm = row.sel({names.DOSE: float(row[side])})
        shown.append(f"{int(arm[names.EVENTS])}/{int(arm[names.N])}")
    return " vs ".join(shown)


def draw_arm_forest(data: xr.Dataset) -> Figure:
    """Draw a panel for each endpoint: for each pair a row per stratum and one for the average."""
    with style.styled():
        ends = [str(e) for e in data[names.ENDPOINT].to_numpy()]
        pairs = [str(p) for p in data["pair"].to_numpy()]
        levels = [str(x) for x in data[LEVEL].to_numpy()]
        down = -(-len(ends) // ACROSS)
        rows = len(pairs) * (len(levels) + 1)
        figure = style.new_figure(0.6 + down * (0.7 + 0.22 * rows))
        across = min(ACROSS, len(ends))
        panels = figure.subplots(down, across, squeeze=False)
        for k, end in enumerate(ends):
            ax = panels[k // across, k % across]
            _panel(ax, data.sel({names.ENDPOINT: end}), pairs, levels, labels=k % across == 0)
        for ax in panels.ravel()[len(ends) :]:
            ax.set_axis_off()
        marks = [Line2D([], [], color=style.GREY, marker="s", linewidth=1.4),
                 Line2D([], [], color=style.INK, marker="D", linewidth=2.2),
                 Line2D([], [], color=style.GREY, linestyle="--")]  # fmt: skip
        said = ["stratum: mean and 95 % interval", "average over the strata", "margin"]
        figure.legend(marks, said, loc="outside lower center", ncols=3)
    return figure


def _panel(
    ax: Axes, here: xr.Dataset, pairs: Sequence[str], levels: Sequence[str], *, labels: bool
) -> None:
    end = str(here[names.ENDPOINT].item())
    ticks, called = [], []
    for i, pair in enumerate(pairs):
        top = -i * (len(levels) + 1.0)
        ticks.append(top)
        called.append(style.escape(pair))
        for j, level in enumerate(levels):
            row, y = here.sel({"pair": pair, LEVEL: level}), top - j - 1
            whole = level == AVERAGE
            color, marker = (style.INK, "D") if whole else (style.GREY, "s")
            ends = [float(row["difference_low"]), float(row["difference_high"])]
            ax.plot(ends, [y, y], color=color, linewidth=2.2 if whole else 1.4, solid_capstyle="butt",
                    gid=f"interval:{i}:{j}")  # fmt: skip
            ax.plot([float(row["difference"])], [y], marker, color=color, markersize=5,
                    gid=f"difference:{i}:{j}")  # fmt: skip
            ax.annotate(_counts(row, end), (1.01, y), fontsize=6.5, va="center",
                        xycoords=ax.get_yaxis_transform(), annotation_clip=False)  # fmt: skip
            ticks.append(y)
            called.append(style.escape(f"   {level}"))
    ax.axvline(0.0, color=style.GREY, linewidth=0.8)
    limit = float(here["limit"])
    if np.isfinite(limit):
        ax.axvline(limit, color=style.GREY, linewidth=1.0, linestyle="--", gid="margin")
    ax.set_yticks(ticks, labels=called if labels else [""] * len(ticks))
    for at, text in zip(ticks, ax.get_yticklabels(), strict=True):
        if at % (len(levels) + 1) == 0:
            text.set_fontweight("bold")
    ax.tick_params(axis="y", length=0)
    ax.set_ylim(-len(pairs) * (len(levels) + 1.0) + 0.4, 0.6)
    ax.set_xlabel("lower arm - higher arm")
    word = "utility" if end == UTILITY else style.endpoint_word(names.probability(end))
    ax.set_title(style.escape(word[:1].upper() + word[1:]))


def caption_arm_forest(data: xr.Dataset) -> str:
    """Say what every mark is, the weights, the Monte Carlo error, and how far the strata agree."""
    said = [f"{s}." for s in str(data.attrs["stamps"]).split("\n") if s]
    over = str(data.attrs["over"])
    weights = ", ".join(
        f"{level} {float(w):.3g}"
        for level, w in zip(data[LEVEL].to_numpy()[:-1], data["weight"].to_numpy()[:-1], strict=True)
    )  # fmt: skip
    said += [
        (
            f"Grey square and bar: posterior mean and {style.interval_words(data)} of the lower arm less "
            f"the higher one in one {over}. Black diamond and thick bar: the same over all of them, "
            f"averaged in each draw with the weights {weights}. Monte Carlo standard error of the means "
            f"at most {error(float(data['difference_mcse'].max()))}. Full line: no difference. Dashed "
            "line: what the margin allows, where there is one on the difference."
        ),
        (
            "At the right of a row: events / patients analysed in the lower and in the higher arm "
            "(nothing for the utility)."
        ),
    ]
    shown = []
    for pair in data["pair"].to_numpy():
        for end in data[names.ENDPOINT].to_numpy():
            at = data.sel({"pair": pair, names.ENDPOINT: end})
            shown.append(f"{pair}, {end} {float(at['differs']):.2f}")
    said.append(
        f"Probability that the direction differs between the levels of {over} (MCSE at most "
        f"{error(float(data['differs_mcse'].max()))}): {'; '.join(shown)}."
    )
    return " ".join(said)


def figure_arm_forest(
    found: StratifiedComparison, endpoints: Sequence[str] | None = None
) -> Picture:
    """Draw the differences between arms in each stratum and on average.

    Parameters
    ----------
    found
        Result of :func:`~doseopt_bayes.arms.strata.compare_strata`.
    endpoints
        Which to draw, in this order, for example ``("eff", "tox")``; all of them by default.

    Raises
    ------
    DoseOptError
        On an endpoint that was not compared.
    """
    data = data_arm_forest(found, endpoints)
    return Picture(
        f"Differences between arms by {found.over}", caption_arm_forest(data), draw_arm_forest(data), data
    )  # fmt: skip
