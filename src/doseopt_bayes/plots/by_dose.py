"""Response expected at each dose or regimen, tested or not: what `at_doses` predicted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import xarray as xr
from matplotlib.lines import Line2D

from doseopt_bayes import names
from doseopt_bayes.decision.decide import INTERVAL
from doseopt_bayes.decision.prose import error
from doseopt_bayes.errors import DoseOptError, did_you_mean
from doseopt_bayes.plots import style

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from doseopt_bayes.inference.posterior import Posterior

__all__ = ["caption_by_dose", "data_by_dose", "draw_by_dose"]

PER_ROW: Final = 2
REGIMENS: Final = "regimens"  # group of the tree with a label per dose


def data_by_dose(found: Posterior, *, variables: Sequence[str] = ()) -> xr.Dataset:
    """Return the numbers of the figure of predictions by dose.

    Parameters
    ----------
    found
        Result of ``at_doses``: any posterior with variables over dose.
    variables
        Which; all that lie over the sample dims and dose alone without.

    Returns
    -------
    xarray.Dataset
        Over ``dose`` and ``variable``: ``median``, ``low``, ``high`` and ``mcse`` of the median;
        ``outside``, the share of people beyond the exposures studied where that is known (else NaN).
        Over ``dose``: ``n_treated``, ``untested``, ``label``.

    Raises
    ------
    DoseOptError
        When a variable is unknown, or none lies over dose.
    """
    dims = {*found.sample_dims, names.DOSE}
    known = [str(v) for v, x in found.draws.data_vars.items() if set(x.dims) == dims]
    shown = list(variables) or known
    for name in shown:
        if name not in known:
            raise DoseOptError(f"no '{name}' over dose", hint=did_you_mean(name, known))
    if not shown:
        raise DoseOptError("nothing lies over dose", hint="predict doses first: at_doses(...)")
    tail = (1 - INTERVAL) / 2
    stack = xr.concat(
        [found[v].drop_attrs() for v in shown],
        dim=xr.DataArray(shown, dims="variable", name="variable"),
        coords="minimal",
        compat="override",
    )
    data = xr.Dataset(
        {
            "median": found.quantile(stack, 0.5),
            "low": found.quantile(stack, tail),
            "high": found.quantile(stack, 1 - tail),
            "mcse": found.mcse(stack, q=0.5),
        }
    ).transpose(names.DOSE, "variable")
    data = data.reset_coords(drop=True).assign_coords(
        {names.DOSE: stack[names.DOSE].to_numpy(), "variable": shown}
    )
    n = found.seen[names.N_TREATED].reindex({names.DOSE: data[names.DOSE]}, fill_value=0)
    data[names.N_TREATED] = (names.DOSE, n.to_numpy().astype("int64"))
    data["untested"] = data[names.N_TREATED] == 0
    unit = str(found.draws[names.DOSE].attrs.get("units", ""))
    labels = [f"{d:g} {unit}".rstrip() for d in data[names.DOSE].to_numpy()]
    outside, people = np.full((data.sizes[names.DOSE], len(shown)), np.nan), 0
    if REGIMENS in found.tree.children:
        about = found.tree[REGIMENS].to_dataset().reindex({names.DOSE: data[names.DOSE]})
        labels = [str(x) for x in about["label"].to_numpy()]
        people = int(about["people"].max())
        for j, v in enumerate(shown):
            if f"{v}_below" in about:
                outside[:, j] = (about[f"{v}_below"] + about[f"{v}_above"]).to_numpy()
    data["label"] = (names.DOSE, labels)
    data["outside"] = ((names.DOSE, "variable"), outside)
    data.attrs = {
        **style.interval_attrs(),
        "unit": unit,
        "draws": found.n_draws,
        "people": people,
    }
    return data


def draw_by_dose(data: xr.Dataset) -> Figure:
    """Draw a panel per variable: one row per dose, lowest below; hollow where nobody was treated."""
    variables = [str(v) for v in data["variable"].to_numpy()]
    rows, k = -(-len(variables) // PER_ROW), data.sizes[names.DOSE]
    with style.styled():
        figure = style.new_figure(0.6 + rows * (0.75 + 0.3 * k))
        grid = figure.subplots(rows, min(PER_ROW, len(variables)), squeeze=False)
        for ax in grid.ravel()[len(variables) :]:
            ax.set_visible(False)
        for i, (ax, name) in enumerate(zip(grid.ravel(), variables, strict=False)):
            _panel(ax, data.sel(variable=name), name, labels=i % PER_ROW == 0)
        marks = [
            Line2D([], [], linestyle="", marker="o", markeredgecolor=style.INK, markerfacecolor=c)
            for c in (style.INK, "white")
        ]
        figure.legend(marks, ["tested", "untested: predicted"], loc="outside upper center", ncols=2)
    return figure


def _panel(ax: Axes, data: xr.Dataset, name: str, *, labels: bool) -> None:
    doses = [float(d) for d in data[names.DOSE].to_numpy()]
    for i, (dose, look) in enumerate(style.dose_styles(doses).items()):
        row = data.sel({names.DOSE: dose})
        hollow = bool(row["untested"])
        ax.plot([float(row["low"]), float(row["high"])], [i, i], color=look.color, linewidth=1.8,
                linestyle=(0, (3, 1.5)) if hollow else "-", gid=f"interval:{dose:g}")  # fmt: skip
        ax.plot([float(row["median"])], [i], look.marker, markersize=7, markeredgewidth=1.5,
                markeredgecolor=look.color, markerfacecolor="white" if hollow else look.color,
                zorder=3, clip_on=False, gid=f"median:{dose:g}")  # fmt: skip
    said = [
        f"{style.escape(str(label))}\n(n = {int(n)})"
        for label, n in zip(data["label"].to_numpy(), data[names.N_TREATED].to_numpy(), strict=True)
    ]
    ax.set_yticks(range(len(doses)), labels=said if labels else [""] * len(said))
    ax.set_ylim(-0.6, len(doses) - 0.4)
    if name.startswith("p_"):
        ax.set_xlim(-0.02, 1.02)
        ax.set_xlabel(style.escape(f"probability of {style.endpoint_word(name)}"))
    else:
        ax.set_xlabel(style.escape(name.replace("_", " ")))


def caption_by_dose(data: xr.Dataset) -> str:
    """Say what every mark is, and which doses rest on no patient or on extrapolated exposures."""
    a = data.attrs
    people = f" (up to {a['people']} of them)" if a["people"] else ""
    said = [
        (
            f"Markers and bars: posterior median and {style.interval_words(data)} of the response "
            f"expected at each dose, averaged over people{people} inside each of {a['draws']} "
            f"draws (Monte Carlo standard error of the median at most "
            f"{error(float(data['mcse'].max()))}). n: patients who got the dose."
        )
    ]
    untested = [str(x) for x in data["label"].to_numpy()[data["untested"].to_numpy()]]
    if untested:
        said.append(f"Hollow marker, dashed bar: nobody got it, predicted ({', '.join(untested)}).")
    far = [
        f"{label} ({share:.0%})"
        for label, share in zip(data["label"].to_numpy(), data["outside"].max("variable").to_numpy(),
                                strict=True)
        if share > 0.05
    ]  # fmt: skip
    if far:
        said.append(
            f"People whose exposure lies beyond every one studied, so that the curve is extrapolated: "
            f"{', '.join(far)}."
        )
    return " ".join(said)
