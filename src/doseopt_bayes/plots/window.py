"""The therapeutic window: efficacy and toxicity on one exposure axis, and where each dose lies on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import xarray as xr
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from doseopt_bayes.decision.prose import error
from doseopt_bayes.errors import DoseOptError
from doseopt_bayes.plots import style
from doseopt_bayes.plots.exposure_axis import ExposureAxis, plain_grid
from doseopt_bayes.plots.patient_average import (
    axis_words,
    number,
    ordered,
    over_patients,
    response_words,
    summary,
    thinned,
    time_of,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from doseopt_bayes.data.exposure import ExposureData
    from doseopt_bayes.inference.posterior import Posterior
    from doseopt_bayes.models.exposure_response import ExposureResponse

__all__ = ["caption_window", "data_window", "draw_window"]

ENDS: Final = {"dose_low": 0.05, "dose_median": 0.5, "dose_high": 0.95}
LINES: Final = ("-", (0, (5, 1.5)), (0, (1, 1)), (0, (5, 1, 1, 1)))
SHADES: Final = ("#00204d", "#9a7d0a", "#575d6d", "#222222")


def data_window(
    parts: Sequence[tuple[ExposureResponse, Posterior, ExposureData]],
    *,
    exposures: Mapping[float, Sequence[float] | np.ndarray] | None = None,
    time: float | None = None,
    log: bool = False,
) -> xr.Dataset:
    """Return the numbers of the therapeutic-window figure.

    Parameters
    ----------
    parts
        Curve, posterior and data of each endpoint; one exposure metric in one unit.
    exposures
        Dose to exposures of people at that dose, for example simulated ones, of doses that were not
        studied too. Those of the patients without.
    time
        Of survival, for every time to event among the endpoints.
    log
        Whether the exposure axis is logarithmic.

    Returns
    -------
    xarray.Dataset
        Over ``endpoint`` and ``exposure``: ``median``, ``low``, ``high``, ``mcse`` and ``studied``.
        Over ``dose``: ``dose_low``, ``dose_median``, ``dose_high`` (5 %, 50 % and 95 % of exposure) and
        ``dose_n``. Over ``endpoint``: ``response`` in words, ``scale`` and ``n``.

    Raises
    ------
    DoseOptError
        When there is no part, an endpoint stands twice, or the exposure axes differ.
    """
    if not parts:
        raise DoseOptError(
            "no curve is given", hint="[(efficacy, posterior, data), (toxicity, ...)]"
        )
    metrics = {(m.exposure, ordered(m, d)[0].attrs["exposure_unit"]) for m, _, d in parts}
    if len(metrics) > 1:
        said = "; ".join(f"{m} in '{u}'" for m, u in sorted(metrics))
        raise DoseOptError(
            f"one exposure axis, and the curves are of {said}", hint="fit both on one metric"
        )
    names = [m.endpoint for m, _, _ in parts]
    if len(set(names)) < len(names):
        raise DoseOptError(f"an endpoint stands twice: {', '.join(names)}")
    read = [ordered(m, d)[0] for m, _, d in parts]
    seen = _exposures(read, parts[0][2].doses) if exposures is None else dict(exposures)
    at_dose = {float(d): np.asarray(x, dtype=float) for d, x in sorted(seen.items())}
    every = np.concatenate([*at_dose.values(), *(r["exposure"].to_numpy() for r in read)])
    above = every[every > 0]
    if log and not above.size:
        raise DoseOptError("every exposure is 0: no logarithmic axis", hint="log=False")
    ends = [float(np.quantile(r["exposure"], q)) for r in read for q in (0, 1)]
    start = float(above.min()) if log else 0.0
    extra = [0.0] if (every == 0).any() else []
    grid = np.unique([*plain_grid(start, float(every.max()), log=log), *ends, *extra])
    curves, words, scales, whens = [], [], [], []
    for (model, posterior, _), rows in zip(parts, read, strict=True):
        survives = model.response.kind == "time_to_event"
        when = time_of(model, time if survives else None)
        post = thinned(posterior)
        x = rows["exposure"].to_numpy()
        one = summary(post, over_patients(model, post.draws, grid, rows, time=when))
        one["studied"] = ("exposure", (grid >= x.min()) & (grid <= x.max()))
        one["draws"], one["n"] = post.n_draws, rows.sizes["patient"]
        curves.append(one)
        words.append(response_words(rows.attrs, when))
        probability = model.response.kind in ("binary", "time_to_event")
        scales.append("probability" if probability else words[-1])
        whens.append(np.nan if when is None else when)
    found = xr.concat(curves, dim=xr.DataArray(names, dims="endpoint", name="endpoint"))
    found["response"], found["scale"] = ("endpoint", words), ("endpoint", scales)
    found["time"] = ("endpoint", whens)
    found["averaged"] = (
        "endpoint",
        [", ".join(dict.fromkeys(c.covariate for c in m.covariates)) for m, _, _ in parts],
    )
    for part, q in ENDS.items():
        found[part] = ("dose", [float(np.quantile(x, q)) for x in at_dose.values()])
    found["dose_n"] = ("dose", [x.size for x in at_dose.values()])
    found = found.assign_coords(dose=[*at_dose])
    attrs = {k: read[0].attrs[k] for k in ("exposure", "exposure_unit", "dose_unit")}
    found.attrs = {
        **attrs,
        **style.interval_attrs(),
        "log": int(log),
        "smallest": float(above.min()) if above.size else 1.0,
        "whose": "patients" if exposures is None else "people simulated or given",
    }
    return found


def _exposures(read: Sequence[xr.Dataset], doses: Sequence[float]) -> dict[float, np.ndarray]:
    """Exposures of the patients at each dose; a patient with both endpoints counts once."""
    seen: dict[str, tuple[float, float]] = {}
    for rows in read:
        for who, dose, x in zip(rows["patient"].to_numpy(), rows["dose"].to_numpy(),
                                rows["exposure"].to_numpy(), strict=True):  # fmt: skip
            seen[str(who)] = (float(dose), float(x))
    every = sorted({float(d) for d in doses} | {d for d, _ in seen.values()})
    found = {d: np.sort([x for at, x in seen.values() if at == d]) for d in every}
    return {d: x for d, x in found.items() if x.size}


def draw_window(data: xr.Dataset) -> Figure:
    """Draw curves above, exposure intervals of the doses below, on one axis."""
    scales = list(dict.fromkeys(str(s) for s in data["scale"].to_numpy()))
    k = data.sizes["dose"]
    heights = [*([2.8] if len(scales) == 1 else [2.0] * len(scales)), 0.3 + 0.22 * k]
    zero = not data.attrs["log"] or bool((data["exposure"] == 0).any())
    where = ExposureAxis(data.attrs["smallest"], float(data["exposure"].max()), zero=zero,
                         log=bool(data.attrs["log"]))  # fmt: skip
    looks = style.dose_styles([float(d) for d in data["dose"]])
    with style.styled():
        figure = style.new_figure(sum(heights) + 0.8)
        axes = list(figure.subplots(len(heights), 1, height_ratios=heights))
        for ax, scale in zip(axes, scales, strict=False):
            for i in np.flatnonzero(data["scale"].to_numpy() == scale):
                _curve(ax, data.isel(endpoint=i), int(i), where)
            if scale == "probability":
                ax.set_ylim(-0.03, 1.03)
            ax.set_ylabel(style.escape(scale))
        below = axes[-1]
        for row, (dose, look) in enumerate(looks.items()):
            d = data.sel(dose=dose)
            low, mid, high = (float(where.place(float(d[e]))) for e in ENDS)
            for ax in axes[:-1]:
                ax.axvspan(low, high, facecolor=look.color, alpha=0.07, linewidth=0, zorder=0,
                           gid=f"span:{dose:g}")  # fmt: skip
                ax.axvline(mid, color=look.color, linewidth=1, linestyle=(0, (4, 2)), zorder=1,
                           gid=f"at:{dose:g}")  # fmt: skip
            below.plot([low, high], [row, row], color=look.color, linewidth=5, alpha=0.45,
                       solid_capstyle="butt", gid=f"interval:{dose:g}")  # fmt: skip
            below.plot([mid], [row], look.marker, color=look.color, markersize=6.5,
                       gid=f"median:{dose:g}")  # fmt: skip
        unit = data.attrs["dose_unit"]
        said = [f"{style.dose_label(d, unit)} (n = {int(n)})"
                for d, n in zip(looks, data["dose_n"].to_numpy(), strict=True)]  # fmt: skip
        below.set_yticks(range(k), labels=said)
        below.tick_params(axis="y", length=0)
        below.set_ylim(-0.7, k - 0.3)
        for ax in axes:
            where.dress(ax, labels=ax is below, label=axis_words(data.attrs))
        figure.legend(*_legend(data), loc="outside upper center", ncols=2)
    return figure


def _curve(ax: Axes, data: xr.Dataset, i: int, where: ExposureAxis) -> None:
    x, studied = data["exposure"].to_numpy(), data["studied"].to_numpy()
    line = x > 0 if where.log else x >= 0
    color, dashes, name = SHADES[i % 4], LINES[i % 4], str(data["endpoint"].item())
    low, median, high = (data[k].to_numpy() for k in ("low", "median", "high"))
    ax.fill_between(where.place(x[line]), low[line], high[line], color=color, alpha=0.16, linewidth=0,
                    zorder=2, gid=f"band:{name}")  # fmt: skip
    ax.plot(where.place(x[line & studied]), median[line & studied], color=color, linewidth=2,
            linestyle=dashes, zorder=4, gid=f"curve:{name}")  # fmt: skip
    for side, part in (("below", x <= x[studied][0]), ("beyond", x >= x[studied][-1])):
        if (line & part).sum() > 1:
            ax.plot(where.place(x[line & part]), median[line & part], color=style.GREY, linewidth=1,
                    linestyle=dashes, zorder=3, gid=f"{side}:{name}")  # fmt: skip
    if where.log and where.zero:
        at, j = where.at_zero, int(np.flatnonzero(x == 0)[0])
        ax.plot([at, at], [low[j], high[j]], color=color, alpha=0.3, linewidth=6, zorder=2,
                solid_capstyle="butt", gid=f"band_zero:{name}")  # fmt: skip
        ax.plot([at], [median[j]], "_", color=color, markersize=9, zorder=4, gid=f"zero:{name}")


def _legend(data: xr.Dataset) -> tuple[list[Any], list[str]]:
    marks = [
        (
            Patch(color=SHADES[i % 4], alpha=0.16),
            Line2D([], [], color=SHADES[i % 4], linestyle=LINES[i % 4], linewidth=2),
        )
        for i in range(data.sizes["endpoint"])
    ]
    return [*marks], [style.escape(str(r)) for r in data["response"].to_numpy()]


def caption_window(data: xr.Dataset) -> str:
    """Say what every mark is, which intervals, and how many patients stand behind each."""
    a = data.attrs
    curves = []
    for i in range(data.sizes["endpoint"]):
        e = data.isel(endpoint=i)
        x = e["exposure"].to_numpy()[e["studied"].to_numpy()]
        averaged = str(e["averaged"].item())
        own = f", averaged over the patients' own {averaged}" if averaged else ""
        curves.append(
            f"{e['response'].item()} (n = {int(e['n'])}, {int(e['draws'])} draws, studied "
            f"{number(x[0])} to {number(x[-1])}{own})"
        )
    said = [
        (
            f"Lines and bands: posterior median and {style.interval_words(data)} of the "
            f"{'; '.join(curves)}; Monte Carlo standard error of the medians at most "
            f"{error(float(data['mcse'].max()))}. Thin grey line: outside the studied exposures."
        ),
        (
            f"Bars below, and shading above: 5th to 95th percentile of the exposure of the "
            f"{a['whose']} at each dose; marker and dashed vertical line: their median; n: how many they "
            "are. Doses are coloured dark to light with rising dose."
        ),
    ]
    if a["log"]:
        zero = " Exposure 0 stands left of the break (//)." if (data["exposure"] == 0).any() else ""
        said.append(f"The exposure axis is logarithmic.{zero}")
    return " ".join(said)
