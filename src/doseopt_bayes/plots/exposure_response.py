"""The exposure-response figure: curve and band, patients, bins with exact intervals, exposure by dose."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from doseopt_bayes.errors import DoseOptError
from doseopt_bayes.names import PATIENT
from doseopt_bayes.plots import style
from doseopt_bayes.plots.exposure_axis import ExposureAxis, jitter, plain_grid, stagger
from doseopt_bayes.plots.exposure_bins import Bins, binned
from doseopt_bayes.plots.exposure_boxes import dose_boxes, draw_boxes, with_patients
from doseopt_bayes.plots.exposure_words import STRIPS, caption_exposure_response
from doseopt_bayes.plots.patient_average import (
    axis_words,
    number,
    ordered,
    over_patients,
    predicted,
    response_words,
    summary,
    thinned,
    time_of,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from doseopt_bayes.data.exposure import ExposureData
    from doseopt_bayes.inference.posterior import Posterior
    from doseopt_bayes.models.exposure_response import ExposureResponse

__all__ = [
    "caption_exposure_response",
    "data_exposure_response",
    "draw_exposure_response",
]


def data_exposure_response(
    model: ExposureResponse,
    posterior: Posterior,
    data: ExposureData,
    *,
    bins: Bins = 3,
    time: float | None = None,
    upto: float | None = None,
    log: bool = False,
) -> xr.Dataset:
    """Return the numbers of the exposure-response figure.

    Parameters
    ----------
    model, posterior, data
        A curve, its posterior, and the data.
    bins
        Number of bins of exposure (2 to 4), or the cuts between them; exposure 0 is a bin of its own.
    time
        Of survival (time to event); a Weibull model has a reference time.
    upto
        Where the curve ends; beyond the studied range it is dashed. 1.1 times the largest exposure
        without.
    log
        Whether the exposure axis is logarithmic.

    Returns
    -------
    xarray.Dataset
        Over ``exposure``: ``median``, ``low``, ``high``, ``mcse`` of the response averaged over the
        patients' own covariates inside each draw, and ``studied``. Over ``bin``: those of
        :func:`~doseopt_bayes.plots.exposure_bins.binned` and ``model_median``, ``model_low``,
        ``model_high`` at the patients' own exposures. Over ``patient``: ``x``, ``y`` (0/1, value or
        rate), ``dose_of``, ``aside`` (0 to 1), ``fate``. Over ``dose``: ``box_*`` and ``dose_n``.

    Raises
    ------
    DoseOptError
        When bins, time or end are out of range.
    """
    when = time_of(model, time)
    rows, _ = ordered(model, data)
    post = thinned(posterior)
    x = rows["exposure"].to_numpy().astype(float)
    above = x[x > 0]
    top = 1.1 * float(x.max()) if upto is None else float(upto)
    if not top >= x.max():
        raise DoseOptError(
            f"upto = {top:g} is below the largest exposure ({number(x.max())})",
            hint="or leave it out",
        )
    if log and not above.size:
        raise DoseOptError("every exposure is 0: no logarithmic axis", hint="log=False")
    start = (float(above.min()) if log else min(0.0, float(x.min()))) if above.size else 0.0
    grid = np.unique([*plain_grid(start, top, log=log), *np.quantile(x, [0, 1])])
    curve = summary(post, over_patients(model, post.draws, grid, rows, time=when))
    found = binned(rows, bins, time=when).merge(curve.drop_vars("quantile", errors="ignore"))
    found["studied"] = ("exposure", (grid >= x.min()) & (grid <= x.max()))
    own = predicted(model, post.draws, rows, time=when)
    fits = [
        summary(post, _mean(own.isel({PATIENT: at}), rows.isel({PATIENT: at})))
        for at in (np.flatnonzero(found["bin_of"] == i) for i in found["bin"])
    ]
    for part in ("median", "low", "high"):
        found[f"model_{part}"] = ("bin", [float(f[part]) for f in fits])
    found = found.merge(dose_boxes(rows, data.doses)).merge(_patients(rows, when))
    found.attrs = {
        **rows.attrs,
        **binned(rows, bins, time=when).attrs,
        **style.interval_attrs(),
        "response": response_words(rows.attrs, when),
        "draws": post.n_draws,
        "averaged": [*dict.fromkeys(c.covariate for c in model.covariates)],
        "log": int(log),
        "model": type(model.shape).__name__,
        "n": int(found["bin_n"].sum()),
    }
    if when is not None:
        found.attrs["time"] = when
    return found


def _mean(own: xr.DataArray, rows: xr.Dataset) -> xr.DataArray:
    """Average over patients: a rate counts by person-time, a group by its patients."""
    by = {"count": "time", "grouped": "n"}.get(rows.attrs["kind"])
    weight = rows[by].drop_vars(PATIENT) if by else xr.ones_like(rows["y"].drop_vars(PATIENT))
    found: xr.DataArray = xr.dot(own, weight / weight.sum(), dim=PATIENT)
    return found


def _patients(rows: xr.Dataset, time: float | None) -> xr.Dataset:
    kind, y = rows.attrs["kind"], rows["y"].to_numpy().astype(float)
    fate = np.where(y > 0, "yes", "no")
    if kind == "count":
        y = y / rows["time"].to_numpy()
    if kind == "time_to_event":
        t = rows["time"].to_numpy().astype(float)
        fate = np.where(t > time, "no", np.where(y > 0, "yes", np.where(t < time, "lost", "no")))
    aside = np.zeros(y.size)
    dose = rows["dose"].to_numpy()
    for d in np.unique(dose):  # rows are ordered by exposure: the same patients, the same places
        for f in np.unique(fate):
            here = (dose == d) & (fate == f)
            aside[here] = jitter(int(here.sum()))
    parts = {
        "x": rows["exposure"].to_numpy(),
        "y": y,
        "dose_of": dose,
        "aside": aside,
        "fate": fate,
    }
    return xr.Dataset({k: (PATIENT, v) for k, v in parts.items()})


def draw_exposure_response(data: xr.Dataset) -> Figure:
    """Draw the figure from :func:`data_exposure_response`."""
    kind, k = data.attrs["kind"], int((data["dose_n"] > 0).sum())
    strips = kind in STRIPS
    side = 0.13 + 0.085 * k
    heights = [side, 2.7, side, 0.25 + 0.2 * k] if strips else [2.9, 0.25 + 0.2 * k]
    with style.styled():
        figure = style.new_figure(sum(heights) + 0.75)
        grid = figure.subplots(len(heights), 1, height_ratios=heights)
        axes = list(grid)
        main, boxes = axes[1 if strips else 0], axes[-1]
        where = _axis(data)
        _curve(main, data, where)
        if strips:
            upper, lower = ("yes", ("no",)) if kind == "binary" else ("no", ("yes",))
            shown = (upper,) if kind == "binary" else (upper, "lost")
            what = data.attrs["endpoint"] if kind == "binary" else "event"
            names = {"yes": what, "no": f"no {what}"}
            _strip(axes[0], data, where, shown, names[upper])
            _strip(axes[2], data, where, lower, names[lower[0]])
            main.set_ylim(-0.03, 1.03)
        else:
            _points(main, data, where)
        draw_boxes(boxes, data, where)
        for ax in axes:
            ax.spines[["bottom", "left"]].set_visible(ax in (main, boxes))
            where.dress(ax, labels=ax is boxes, label=axis_words(data.attrs))
            ax.tick_params(bottom=ax in (main, boxes))
        _counts(main, data, where)
        figure.legend(*_legend(data), loc="outside upper center", ncols=3)
    return figure


def _axis(data: xr.Dataset) -> ExposureAxis:
    x = data["x"].to_numpy()
    low = float(x[x > 0].min()) if (x > 0).any() else 1.0
    log = bool(data.attrs["log"])
    zero = bool((x == 0).any()) or (not log)
    return ExposureAxis(low, float(data["exposure"].max()), zero=zero, log=log)


def _curve(ax: Axes, data: xr.Dataset, where: ExposureAxis) -> None:
    x = data["exposure"].to_numpy()
    studied, line = data["studied"].to_numpy(), x > 0 if where.log else x >= 0
    median, low, high = (data[k].to_numpy() for k in ("median", "low", "high"))
    first, last = x[studied][0], x[studied][-1]
    pieces = {"below": line & (x <= first), "curve": line & studied, "beyond": line & (x >= last)}
    for name, part in pieces.items():
        inside = name == "curve"
        at = where.place(x[part])
        if part.sum() < 2 and not inside:
            continue
        ax.fill_between(at, low[part], high[part], linewidth=0, zorder=0,
                        color="#d2d2d2" if inside else "#efefef", gid=f"band:{name}")  # fmt: skip
        ax.plot(at, median[part], color=style.INK if inside else style.GREY, linewidth=1.6,
                linestyle="-" if inside else (0, (4, 2)), zorder=2, gid=name)  # fmt: skip
    if where.log and where.zero:  # the curve at 0 has a place of its own
        here, i = where.at_zero, int(np.flatnonzero(x == 0)[0])
        ax.plot([here, here], [low[i], high[i]], color="#b5b5b5", linewidth=6, solid_capstyle="butt",
                zorder=0, gid="band:zero")  # fmt: skip
        ax.plot([here], [median[i]], "_", color=style.INK, markersize=9, zorder=2, gid="zero")
    for edge in sorted({*data["edge_low"].to_numpy(), *data["edge_high"].to_numpy()} - {0.0}):
        ax.axvline(edge, color=style.GREY, linewidth=0.7, linestyle=(0, (1, 2)), zorder=1,
                   gid=f"edge:{edge:.6g}")  # fmt: skip
    for i in data["bin"].to_numpy():
        b = data.sel(bin=i)
        here = float(where.place(float(b["bin_exposure"])))
        ax.plot([here, here], [float(b["observed_low"]), float(b["observed_high"])], color=style.INK,
                linewidth=1.2, marker="_", markersize=6, zorder=5, gid=f"interval:{i}")  # fmt: skip
        ax.plot([here], [float(b["observed"])], "s", color="white", markeredgecolor=style.INK,
                markeredgewidth=1.3, markersize=6, zorder=6, gid=f"observed:{i}")  # fmt: skip
    ax.set_ylabel(style.escape(_wrapped(data.attrs["response"])))


def _wrapped(text: str) -> str:
    if len(text) < 30:
        return text
    cut = text.rfind(" ", 0, 30)
    return text if cut < 0 else f"{text[:cut]}\n{text[cut + 1 :]}"


def _counts(ax: Axes, data: xr.Dataset, where: ExposureAxis) -> None:
    """Write events / n (or n) of each bin above the panel, in two rows where they would touch."""
    at = where.place(data["bin_exposure"].to_numpy())
    low, _ = ax.get_xlim()
    rows = stagger([where.width(ax, low, float(a)) for a in at], 0.085)
    events = data["bin_events"].to_numpy()
    for a, row, n, e in zip(at, rows, data["bin_n"].to_numpy(), events, strict=True):
        text = f"n = {n}" if np.isnan(e) else f"{int(e)}/{n}"
        ax.annotate(text, (a, 1), (0, 3 + 9 * row), xycoords=ax.get_xaxis_transform(),
                    textcoords="offset points", ha="center", va="bottom", fontsize=7,
                    color=style.INK, gid="count")  # fmt: skip


def _strip(
    ax: Axes, data: xr.Dataset, where: ExposureAxis, fates: tuple[str, ...], word: str
) -> None:
    looks, places = style.dose_styles([float(d) for d in data["dose"]]), with_patients(data)
    for dose, row in places.items():
        for fate in fates:
            at = ((data["dose_of"] == dose) & (data["fate"] == fate)).to_numpy()
            if not at.any():  # an empty line that is not clipped breaks the layout
                continue
            up = row + 0.15 + 0.7 * data["aside"].to_numpy()[at]
            ax.plot(where.place(data["x"].to_numpy()[at]), up, linestyle="", markersize=2.6,
                    marker=looks[dose].marker, color=looks[dose].color, markeredgewidth=0.5,
                    markerfacecolor="white" if fate == "lost" else looks[dose].color,
                    gid=f"{fate}:{dose:g}", clip_on=False)  # fmt: skip
    ax.set_ylim(0, max(1, len(places)))
    ax.set_yticks([])
    ax.set_ylabel(style.escape(word), rotation=0, ha="right", va="center", fontsize=7.5)


def _points(ax: Axes, data: xr.Dataset, where: ExposureAxis) -> None:
    looks = style.dose_styles([float(d) for d in data["dose"]])
    for dose in with_patients(data):
        at = (data["dose_of"] == dose).to_numpy()
        ax.plot(where.place(data["x"].to_numpy()[at]), data["y"].to_numpy()[at], linestyle="",
                marker=looks[dose].marker, color=looks[dose].color, alpha=0.55, markersize=3,
                markeredgewidth=0, zorder=1.5, gid=f"patients:{dose:g}")  # fmt: skip


def _legend(data: xr.Dataset) -> tuple[list[Any], list[str]]:
    marks: list[Any] = [
        (Patch(color="#d2d2d2"), Line2D([], [], color=style.INK, linewidth=1.6)),
        Line2D([], [], color=style.GREY, linewidth=1.6, linestyle=(0, (4, 2))),
        Line2D([], [], color=style.INK, linewidth=1.2, marker="s", markerfacecolor="white"),
    ]
    level = f"{data.attrs['interval_prob'] * 100:g} %"
    return marks, [f"posterior median and {level} band", "beyond the studied exposures",
                   f"observed in a bin, {level} interval"]  # fmt: skip
