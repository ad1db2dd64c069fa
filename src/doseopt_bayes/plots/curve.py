"""Each endpoint against dose: the posterior next to what was observed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from doseopt_bayes import names
from doseopt_bayes.data.observed import observed_rates
from doseopt_bayes.decision.decide import INTERVAL
from doseopt_bayes.decision.prose import error
from doseopt_bayes.inference.posterior import probabilities
from doseopt_bayes.plots import style
from doseopt_bayes.plots.axes import label_doses, limits

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from doseopt_bayes.analysis import Analysis
    from doseopt_bayes.data.trial import TrialData
    from doseopt_bayes.decision.decide import Decision

__all__ = ["caption_curve", "data_curve", "draw_curve", "has_curve", "in_order", "plot_curve"]

PER_ROW = 3


def has_curve(analysis: Analysis) -> bool:
    """Whether the probability of an endpoint is among the decision's numbers."""
    return bool(in_order(analysis.posterior.draws))


def in_order(draws: xr.Dataset) -> list[str]:
    """Return the probabilities over dose in the order of the panels: efficacy, toxicity, others."""
    first = (names.P_EFF, names.P_TOX)
    found = probabilities(draws)
    return [*(v for v in first if v in found), *(v for v in found if v not in first)]


def data_curve(analysis: Analysis) -> xr.Dataset:
    """Return the numbers of the dose-response figure.

    Parameters
    ----------
    analysis
        Data and decision of an analysis.

    Returns
    -------
    xarray.Dataset
        Over ``dose`` and ``variable`` (p_eff, p_tox, others): posterior ``mean`` with ``low`` and
        ``high``, ``events`` of ``n``, ``observed`` with its exact interval. ``untried`` and
        ``n_treated`` over dose; ``limit`` over ``rule``. Kinds and probabilities of the intervals are
        attributes.
    """
    decision: Decision = analysis.decision
    trial: TrialData = analysis.data
    table = decision.table
    shown = in_order(analysis.posterior.draws)
    parts = {
        "mean": shown,
        "low": [f"{v}_low" for v in shown],
        "high": [f"{v}_high" for v in shown],
        "mcse": [f"{v}_mcse" for v in shown],
    }
    dims = (names.DOSE, "variable")
    data = xr.Dataset(
        {k: (dims, np.stack([table[v].to_numpy() for v in vs], axis=1)) for k, vs in parts.items()},
        coords={names.DOSE: table[names.DOSE].to_numpy(), "variable": shown},
    )
    seen = observed_rates(trial, level=INTERVAL).reindex(
        endpoint=[v.removeprefix("p_") for v in shown]
    )
    for name, column in (
        ("observed", "rate"),
        ("observed_low", "low"),
        ("observed_high", "high"),
    ):
        data[name] = (dims, seen[column].transpose(names.DOSE, names.ENDPOINT).to_numpy())
    for name in (names.N, names.EVENTS):
        counts = seen[name].fillna(0).astype(int)
        data[name] = (dims, counts.transpose(names.DOSE, names.ENDPOINT).to_numpy())
    data[names.N_TREATED] = (names.DOSE, table[names.N_TREATED].to_numpy())
    data["untried"] = (names.DOSE, table["untried"].to_numpy())
    lines = limits(decision.rules)
    data["limit"] = lines["limit"]
    data["limit_variable"] = lines["variable"]
    data.attrs = {
        **style.interval_attrs(),
        "observed_interval_kind": "exact (Clopper-Pearson)",
        "observed_interval_prob": INTERVAL,
        "unit": str(table.attrs.get("unit", "")),
    }
    if analysis.known_together:
        data.attrs["known_together"] = ",".join(analysis.known_together)
    return data


def plot_curve(data: xr.Dataset, *, variable: str, ax: Axes | None = None) -> Axes:
    """Draw one panel: one probability against dose.

    Coloured marker with thick bar: posterior mean and credible interval, hollow where no patient was
    treated. Grey line and band: the same, joined between candidate doses. Cross with thin capped bar:
    observed proportion and exact interval, beside the dose. Dashed line: limit of a rule. Below each
    dose: events / patients analysed.

    Parameters
    ----------
    data
        Result of `data_curve`.
    variable
        For example ``"p_eff"``.
    ax
        Where to draw; a new figure by default.
    """
    with style.styled():
        ax = style.new_figure(3.3).add_subplot() if ax is None else ax
        here = data.sel({"variable": variable})
        doses = [float(d) for d in data[names.DOSE].to_numpy()]
        span = doses[-1] - doses[0] or 0.2 * doses[0]  # a basket has one dose
        aside = min([0.028 * span, *(0.4 * np.diff(doses))])
        mean, low, high = (here[k].to_numpy() for k in ("mean", "low", "high"))
        ax.fill_between(doses, low, high, color=style.PALE, linewidth=0, zorder=0)
        ax.plot(doses, mean, color=style.GREY, linewidth=0.9, zorder=1, gid="line")
        for i, (dose, look) in enumerate(style.dose_styles(doses).items()):
            hollow = bool(data["untried"][i])
            ax.plot([dose, dose], [low[i], high[i]], color=look.color, linewidth=2.2,
                    solid_capstyle="butt", zorder=3, gid=f"interval:{dose:g}")  # fmt: skip
            ax.plot([dose], [mean[i]], look.marker, markersize=7, markeredgecolor=look.color,
                    markerfacecolor="white" if hollow else look.color, markeredgewidth=1.5,
                    zorder=4, clip_on=False, gid=f"mean:{dose:g}")  # fmt: skip
            if int(here["n"][i]):
                x = dose + aside
                ends = [float(here["observed_low"][i]), float(here["observed_high"][i])]
                ax.plot([x, x], ends, "_-", color=style.INK, linewidth=0.9, markersize=5, zorder=5,
                        gid=f"observed_interval:{dose:g}")  # fmt: skip
                ax.plot([x], [float(here["observed"][i])], "x", color=style.INK, markersize=5.5,
                        markeredgewidth=1.4, zorder=6, clip_on=False,
                        gid=f"observed:{dose:g}")  # fmt: skip
        top = float(np.nanmax([high, here["observed_high"].to_numpy()]))
        for value in np.unique(data["limit"].where(data["limit_variable"] == variable, drop=True)):
            ax.axhline(float(value), color=style.INK, linewidth=1, linestyle=(0, (5, 3)), zorder=2,
                       gid="limit")  # fmt: skip
            top = max(top, float(value))
        ax.set_xlim(doses[0] - 0.09 * span, doses[-1] + 0.09 * span)
        top = min(1.0, 1.08 * top)
        ax.set_ylim(-0.025 * top, 1.025 * top)
        counts = [f"{int(x)}/{int(n)}" for x, n in zip(here["events"], here["n"], strict=True)]
        labels = [f"{d:g}\n{c}" for d, c in zip(doses, counts, strict=True)]
        label_doses(ax, doses, labels)
        unit = f" ({data.attrs['unit']})" if data.attrs["unit"] else ""
        apart = "; " if data.sizes["variable"] < PER_ROW else "\n"  # three panels are narrow
        ax.set_xlabel(style.escape(f"dose{unit}{apart}events / analysed below it"))
        ax.set_ylabel(f"probability of {style.endpoint_word(variable)}")
        ax.set_title(style.endpoint_word(variable).capitalize())
    return ax


def draw_curve(data: xr.Dataset) -> Figure:
    """Draw all panels side by side with one legend."""
    with style.styled():
        variables = [str(v) for v in data["variable"].to_numpy()]
        rows = -(-len(variables) // PER_ROW)
        figure = style.new_figure(0.5 + 3.2 * rows)
        panels = figure.subplots(rows, min(PER_ROW, len(variables)), squeeze=False).ravel()
        for ax in panels[len(variables) :]:
            ax.set_visible(False)
        panels = panels[: len(variables)]
        for ax, variable in zip(panels, variables, strict=True):
            plot_curve(data, variable=variable, ax=ax)
        marks: list[Any] = [
            Line2D([], [], color=style.GREY, marker="o", linewidth=2.2),
            Patch(color=style.PALE),
            Line2D([], [], color=style.INK, marker="x", linewidth=0.9, markeredgewidth=1.4),
        ]
        percent = f"{data.attrs['interval_prob'] * 100:g} %"
        said = [
            f"posterior mean, {percent} credible interval",
            "joined between doses",
            f"observed, exact {percent} CI",
        ]
        if bool(data["untried"].any()):
            marks.append(Line2D([], [], color=style.GREY, marker="o", markerfacecolor="white",
                                markeredgewidth=1.5, linewidth=2.2))  # fmt: skip
            said.append("no patient treated")
        if data.sizes["rule"]:
            marks.append(Line2D([], [], color=style.INK, linestyle=(0, (5, 3)), linewidth=1))
            said.append("limit of an admissibility rule")
        figure.legend(marks, said, loc="outside lower center", ncols=3)
    return figure


def caption_curve(data: xr.Dataset) -> str:
    """Say what every mark is, who was analysed, and what is untried."""
    unit = data.attrs["unit"]
    analysed = "; ".join(
        f"{style.endpoint_word(str(v))}: {int(data['events'].sel(variable=v).sum())} events in "
        f"{int(data['n'].sel(variable=v).sum())} patients analysed"
        for v in data["variable"].to_numpy()
    )
    said = [
        (
            f"Marker and thick bar: posterior mean and {style.interval_words(data)} of the probability "
            f"at each candidate dose (Monte Carlo standard error of the means at most "
            f"{error(float(data['mcse'].max()))}). Grey line and band join them; the model is evaluated "
            "at the candidate doses only."
        ),
        (
            "Cross and thin capped bar: observed proportion and its "
            f"{data.attrs['observed_interval_prob'] * 100:g} % {data.attrs['observed_interval_kind']} "
            "confidence interval, drawn beside its dose; below each dose, events / patients analysed."
        ),
        f"{int(data[names.N_TREATED].sum())} patients treated; {analysed}.",
    ]
    empty = [
        str(v) for v in data["variable"].to_numpy() if not int(data["n"].sel(variable=v).sum())
    ]
    shared = str(data.attrs.get("known_together", "")).split(",")
    said += [
        f"Nobody was analysed for {style.endpoint_word(v)}: its curve is the prior."
        if v.removeprefix("p_") not in shared
        else f"{style.endpoint_word(v).capitalize()} is known for all patients together only: its curve "
        "is theirs."
        for v in empty
    ]
    untried = data[names.DOSE].to_numpy()[data["untried"].to_numpy()]
    if untried.size:
        doses = ", ".join(f"{d:g}" for d in untried)
        said.append(f"Hollow marker: no patient was treated ({f'{doses} {unit}'.rstrip()}).")
    if data.sizes["rule"]:
        rules = "; ".join(str(r) for r in data["rule"].to_numpy())
        said.append(f"Dashed line: limit of the rule ({rules}).")
    return " ".join(said)
