"""Dose-response of each subgroup in a small panel of its own, on shared axes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from doseopt_bayes import names
from doseopt_bayes.decision.pooling import observed_by_level
from doseopt_bayes.decision.prose import error
from doseopt_bayes.plots import style
from doseopt_bayes.plots.axes import label_doses, limits
from doseopt_bayes.plots.curve import in_order
from doseopt_bayes.plots.subgroups import LEVEL, caption, has_groups, one_line, stamps

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from doseopt_bayes.analysis import Analysis

__all__ = [
    "caption_multiples",
    "data_multiples",
    "draw_multiples",
    "has_multiples",
    "plot_multiple",
]

VARIABLE = "variable"


def has_multiples(analysis: Analysis) -> bool:
    """Whether the analysis has subgroups and the probability of an endpoint."""
    return has_groups(analysis) and bool(in_order(analysis.posterior.draws))


def data_multiples(analysis: Analysis) -> xr.Dataset:
    """Return the numbers of the small multiples.

    Returns
    -------
    xarray.Dataset
        Over ``level``, ``dose`` and ``variable`` (p_eff, p_tox, others): posterior ``mean`` with
        ``low``, ``high`` and ``mcse``; ``events`` of ``n``, ``observed`` with its exact interval.
        ``events_together`` of ``n_together`` (dose, variable): known for all patients together only.
        ``n_treated`` over level and dose; ``limit`` and ``limit_variable`` over ``rule``.
    """
    decision, post = analysis.decision, analysis.posterior
    over = [str(d) for d in decision.status.dims]
    shown = in_order(post.draws)
    table = decision.table
    columns = {"mean": "", "low": "_low", "high": "_high", "mcse": "_mcse"}
    data = xr.Dataset(
        {
            part: xr.concat([table[f"{v}{end}"] for v in shown], dim=VARIABLE)
            for part, end in columns.items()
        }
    ).assign_coords({VARIABLE: shown})
    seen = observed_by_level(post, [v.removeprefix("p_") for v in shown])
    seen = seen.rename({names.ENDPOINT: VARIABLE}).assign_coords({VARIABLE: shown})
    for name, column in (
        ("observed", "rate"),
        ("observed_low", "rate_low"),
        ("observed_high", "rate_high"),
        (names.N, names.N),
        (names.EVENTS, names.EVENTS),
    ):
        data[name] = seen[column]
    data[names.N_TREATED] = table[names.N_TREATED]
    for name in (names.N_TOGETHER, names.EVENTS_TOGETHER):
        if name in post.seen:
            ends = [v.removeprefix("p_") for v in shown]
            both = post.seen[name].reindex({names.ENDPOINT: ends}, fill_value=0)
            data[name] = both.rename({names.ENDPOINT: VARIABLE}).assign_coords({VARIABLE: shown})
    data = one_line(data.drop_vars("rule", errors="ignore"), over)
    lines = limits(decision.rules)
    data["limit"], data["limit_variable"] = lines["limit"], lines["variable"]
    data.attrs = {**style.interval_attrs(), "unit": str(table.attrs.get("unit", "")),
                  **stamps(analysis)}  # fmt: skip
    return data.transpose(LEVEL, names.DOSE, VARIABLE, ...)


def plot_multiple(data: xr.Dataset, *, level: str, variable: str, ax: Axes | None = None) -> Axes:
    """Draw one panel: one probability of one subgroup against dose.

    Markers: posterior means at the candidate doses, hollow where no patient of the subgroup was
    treated; line and band join means and credible intervals. Cross with thin bar: observed rate and
    exact interval. Dashed line: limit of a rule. Below each dose: events / patients analysed, after
    "all:" those of all subgroups together where nothing else is known.

    Parameters
    ----------
    data
        Result of `data_multiples`.
    level, variable
        For example ``"mBCC"`` and ``"p_eff"``.
    ax
        Where to draw; a new figure by default.
    """
    with style.styled():
        ax = style.new_figure(2.4).add_subplot() if ax is None else ax
        here = data.sel({LEVEL: level, VARIABLE: variable})
        doses = [float(d) for d in data[names.DOSE].to_numpy()]
        span = doses[-1] - doses[0] or doses[0]  # a basket trial has one dose
        gaps = [*np.diff(doses), span]
        aside = min(0.04 * span, 0.4 * float(min(gaps)))
        mean, low, high = (here[k].to_numpy() for k in ("mean", "low", "high"))
        ax.fill_between(doses, low, high, color=style.PALE, linewidth=0, zorder=0, gid="band")
        ax.plot(doses, mean, color=style.GREY, linewidth=0.9, zorder=1, gid="line")
        for i, (dose, look) in enumerate(style.dose_styles(doses).items()):
            nobody = not int(here[names.N_TREATED][i])
            ax.plot([dose], [mean[i]], look.marker, markersize=5.5, markeredgecolor=look.color,
                    markerfacecolor="white" if nobody else look.color, markeredgewidth=1.3,
                    zorder=4, clip_on=False, gid=f"mean:{dose:g}")  # fmt: skip
            if int(here[names.N][i]):
                x = dose + aside
                ends = [float(here["observed_low"][i]), float(here["observed_high"][i])]
                ax.plot([x, x], ends, "_-", color=style.INK, linewidth=0.8, markersize=4, zorder=5,
                        gid=f"observed_interval:{dose:g}")  # fmt: skip
                ax.plot([x], [float(here["observed"][i])], "x", color=style.INK, markersize=4.5,
                        markeredgewidth=1.2, zorder=6, clip_on=False,
                        gid=f"observed:{dose:g}")  # fmt: skip
        of = data["limit"].where(data["limit_variable"] == variable, drop=True)
        for value in np.unique(of):
            ax.axhline(float(value), color=style.INK, linewidth=0.9, linestyle=(0, (5, 3)), zorder=2,
                       gid="limit")  # fmt: skip
        ax.set_xlim(doses[0] - 0.14 * span, doses[-1] + 0.14 * span)
        labels = [f"{d:g}\n{_counted(here, i)}" for i, d in enumerate(doses)]
        label_doses(ax, doses, labels)
        ax.tick_params(labelsize=7)
        ax.set_title(style.escape(level), fontsize=8.5)
    return ax


def _counted(here: xr.Dataset, i: int) -> str:
    """Events / patients of the subgroup at a dose, or of all subgroups where only that is known."""
    x, n = int(here[names.EVENTS][i]), int(here[names.N][i])
    if not n and names.N_TOGETHER in here and int(here[names.N_TOGETHER][i]):
        return f"all: {int(here[names.EVENTS_TOGETHER][i])}/{int(here[names.N_TOGETHER][i])}"
    return f"{x}/{n}"


def _per_row(data: xr.Dataset) -> int:
    most = 4 if data.sizes[names.DOSE] <= 3 else 3 if data.sizes[names.DOSE] <= 5 else 2
    return min(most, data.sizes[LEVEL])


def draw_multiples(data: xr.Dataset) -> Figure:
    """Draw a block of panels for each endpoint, a panel for each subgroup, with one legend."""
    with style.styled():
        levels = [str(v) for v in data[LEVEL].to_numpy()]
        variables = [str(v) for v in data[VARIABLE].to_numpy()]
        columns = _per_row(data)
        per_block = -(-len(levels) // columns)
        figure = style.new_figure(0.6 + 1.75 * per_block * len(variables))
        blocks = figure.subplots(per_block * len(variables), columns, squeeze=False)
        unit = f" ({data.attrs['unit']})" if data.attrs["unit"] else ""
        for k, variable in enumerate(variables):
            here = blocks[k * per_block : (k + 1) * per_block]
            top = float(
                np.nanmax(data[["high", "observed_high"]].sel(variable=variable).to_array())
            )
            of = data["limit"].where(data["limit_variable"] == variable, drop=True)
            top = min(1.0, 1.06 * max([top, *map(float, of)]))
            for ax in here.ravel()[len(levels) :]:
                ax.set_visible(False)
            for i, (ax, level) in enumerate(zip(here.ravel(), levels, strict=False)):
                plot_multiple(data, level=level, variable=variable, ax=ax)
                ax.set_ylim(-0.03 * top, 1.03 * top)
                ax.set_xlabel(style.escape(f"dose{unit}"), fontsize=7.5)
                if i % columns == 0:
                    ax.set_ylabel(f"Pr({style.endpoint_word(variable)})", fontsize=8)
                else:
                    ax.set_yticklabels([])
        _legend(figure, data)
    return figure


def _legend(figure: Figure, data: xr.Dataset) -> None:
    percent = f"{data.attrs['interval_prob'] * 100:g} %"
    marks: list[Any] = [
        Line2D([], [], color=style.GREY, marker="o", linewidth=0.9),
        Patch(color=style.PALE),
        Line2D([], [], color=style.INK, marker="x", linewidth=0.8, markeredgewidth=1.2),
    ]
    said = ["posterior mean", f"{percent} credible interval", f"observed, exact {percent} CI"]
    if not bool((data[names.N_TREATED] > 0).all()):
        marks.append(Line2D([], [], color=style.GREY, marker="o", markerfacecolor="white",
                            markeredgewidth=1.3, linewidth=0.9))  # fmt: skip
        said.append("no patient treated")
    if data.sizes["rule"]:
        marks.append(Line2D([], [], color=style.INK, linestyle=(0, (5, 3)), linewidth=0.9))
        said.append("limit of a rule")
    figure.legend(marks, said, loc="outside lower center", ncols=3)


def caption_multiples(data: xr.Dataset) -> str:
    """Say what every mark is, who was treated in each subgroup, and where nobody was."""
    treated = data[names.N_TREATED].sum(names.DOSE)
    by_level = ", ".join(
        f"{level} {int(n)}"
        for level, n in zip(data[LEVEL].to_numpy(), treated.to_numpy(), strict=True)
    )
    said = [
        (
            f"Marker: posterior mean at each candidate dose (Monte Carlo standard error at most "
            f"{error(float(data['mcse'].max()))}); line and band join means and "
            f"{style.interval_words(data)}s. The model is evaluated at the candidate doses only."
        ),
        (
            f"Cross and thin bar: observed rate and its {data.attrs['interval_prob'] * 100:g} % exact "
            "(Clopper-Pearson) confidence interval, drawn beside its dose; below each dose, events / "
            "patients analysed."
        ),
        f"Patients treated: {by_level}.",
    ]
    if names.N_TOGETHER in data and int(data[names.N_TOGETHER].sum()):
        said.append(
            '"all": events / patients of all subgroups together, where only these are known.'
        )
    if not bool((data[names.N_TREATED] > 0).all()):
        said.append("Hollow marker: no patient of the subgroup was treated at that dose.")
    if data.sizes["rule"]:
        said.append(f"Dashed line: limit of a rule ({'; '.join(map(str, data['rule'].values))}).")
    return caption(said, data)
