"""Forest of differences between arms, an endpoint beside the other, for one group or several."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr
from matplotlib.lines import Line2D

from doseopt_bayes import names
from doseopt_bayes.arms.compare import ArmComparison
from doseopt_bayes.arms.margin import UTILITY
from doseopt_bayes.decision.prose import error
from doseopt_bayes.errors import DoseOptError
from doseopt_bayes.plots import style
from doseopt_bayes.plots.picture import Picture

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.figure import Figure

__all__ = ["caption_arms", "data_arms", "draw_arms", "figure_arms"]

GROUP = "group"
ACROSS = 4  # panels side by side; more are wrapped into rows of at most three
KEPT = ("difference", "difference_mcse", "difference_low", "difference_high", "low", "high",
        names.N, names.EVENTS)  # fmt: skip


def data_arms(found: ArmComparison | Mapping[str, ArmComparison]) -> xr.Dataset:
    """Return the differences of every pair and endpoint, unchanged, over group, pair and endpoint.

    Parameters
    ----------
    found
        One comparison, or several by the name of their group; of the same pairs and endpoints.

    Raises
    ------
    DoseOptError
        When the groups have other pairs, endpoints or margins.
    """
    groups = {"": found} if isinstance(found, ArmComparison) else dict(found)
    first = next(iter(groups.values()))
    for name, one in groups.items():
        for dim in ("pair", names.ENDPOINT):
            if list(one.table[dim].to_numpy()) != list(first.table[dim].to_numpy()):
                raise DoseOptError(
                    f"group '{name}' has other values of {dim} than '{next(iter(groups))}'",
                    hint="compare the same arms and endpoints in each group",
                )
        if one.margins != first.margins:
            raise DoseOptError(f"group '{name}' was compared with other margins")
    parts = [one.table[[v for v in KEPT if v in one.table]] for one in groups.values()]
    data = xr.concat(parts, dim=GROUP, data_vars="all", coords="minimal", compat="override")
    data = data.assign_coords({GROUP: list(groups)})
    limits = np.full(data.sizes[names.ENDPOINT], np.nan)
    for i, end in enumerate(data[names.ENDPOINT].to_numpy()):
        for m in first.margins:
            if m.endpoint == end and m.of == "difference":
                limits[i] = -m.at_most if m.better == "higher" else m.at_most
    data["limit"] = (names.ENDPOINT, limits)
    data.attrs = {**first.table.attrs, **style.interval_attrs()}
    data.attrs["stamps"] = "\n".join(
        dict.fromkeys(s for o in groups.values() for s in o.decision.stamps)
    )
    return data


def draw_arms(data: xr.Dataset) -> Figure:
    """Draw a panel for each endpoint: a row for each pair of each group."""
    with style.styled():
        ends = [str(e) for e in data[names.ENDPOINT].to_numpy()]
        rows = [(g, p) for g in data[GROUP].to_numpy() for p in data["pair"].to_numpy()]
        across = len(ends) if len(ends) <= ACROSS else ACROSS - 1
        down = -(-len(ends) // across)
        figure = style.new_figure(0.5 + down * (1.0 + 0.32 * len(rows)))
        panels = figure.subplots(down, across, squeeze=False).ravel()
        for ax in panels[len(ends) :]:
            ax.set_axis_off()
        for k, (ax, end) in enumerate(zip(panels, ends, strict=False)):
            here = data.sel({names.ENDPOINT: end})
            for i, (group, pair) in enumerate(rows):
                row = here.sel({GROUP: group, "pair": pair})
                ends_at = [float(row["difference_low"]), float(row["difference_high"])]
                ax.plot(ends_at, [-i, -i], color=style.INK, linewidth=1.8, solid_capstyle="butt",
                        gid=f"interval:{i}")  # fmt: skip
                ax.plot([float(row["difference"])], [-i], "s", color=style.INK, markersize=5,
                        gid=f"difference:{i}")  # fmt: skip
            ax.axvline(0.0, color=style.GREY, linewidth=0.8)
            limit = float(here["limit"])
            if np.isfinite(limit):
                ax.axvline(limit, color=style.GREY, linewidth=1.0, linestyle="--", gid="margin")
            labels = [style.escape(f"{g}  {p}".strip()) for g, p in rows]
            ax.set_yticks(
                [-i for i in range(len(rows))], labels=[""] * len(rows) if k % across else labels
            )
            ax.set_ylim(0.6 - len(rows), 0.6)
            ax.set_xlabel("low - high")
            word = "utility" if end == UTILITY else style.endpoint_word(names.probability(end))
            ax.set_title(word.capitalize())
        marks = [Line2D([], [], color=style.INK, marker="s", linewidth=1.8),
                 Line2D([], [], color=style.GREY, linestyle="--")]  # fmt: skip
        figure.legend(marks, [f"mean and {style.interval_words(data)}", "margin"],
                      loc="outside lower center", ncols=2)  # fmt: skip
    return figure


def caption_arms(data: xr.Dataset) -> str:
    """Say what every mark is, how many patients are behind it, and the Monte Carlo error."""
    said = [f"{s}." for s in str(data.attrs["stamps"]).split("\n") if s]
    unit = str(data.attrs["unit"])
    said.append(
        f"Square and bar: posterior mean and {style.interval_words(data)} of the lower arm less the "
        f"higher one (Monte Carlo standard error of the means at most "
        f"{error(float(data['difference_mcse'].max()))}). Full line: no difference. Dashed line: what "
        "the margin allows, where there is one on the difference."
    )
    if names.N in data:
        for group in data[GROUP].to_numpy():
            at = data.sel({GROUP: group})
            for end in at[names.ENDPOINT].to_numpy():
                if end == UTILITY:
                    continue
                x = at.sel({names.ENDPOINT: end})
                arms = ", ".join(
                    f"{float(d):g} {unit}".rstrip()
                    + f" {int(x[names.EVENTS].sel(dose=d))}/{int(x[names.N].sel(dose=d))}"
                    for d in x[names.DOSE].to_numpy()
                )
                who = f"{group}, " if group else ""
                said.append(f"Events / patients analysed, {who}{end}: {arms}.")
    return " ".join(said)


def figure_arms(found: ArmComparison | Mapping[str, ArmComparison]) -> Picture:
    """Draw the differences between arms with their margins; several groups one below the other.

    Parameters
    ----------
    found
        Result of :func:`~doseopt_bayes.arms.compare.compare_arms`, or several by the name of a group.
    """
    data = data_arms(found)
    return Picture("Differences between arms", caption_arms(data), draw_arms(data), data)
