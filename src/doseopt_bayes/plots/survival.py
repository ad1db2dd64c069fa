"""Kaplan-Meier by dose or by bin of exposure, with patients at risk and the model on top."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import xarray as xr
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from doseopt_bayes.decision.prose import error
from doseopt_bayes.errors import DoseOptError, did_you_mean
from doseopt_bayes.names import PATIENT
from doseopt_bayes.plots import style
from doseopt_bayes.plots.exposure_bins import Bins, bin_edges, bin_of
from doseopt_bayes.plots.patient_average import (
    excluded_words,
    number,
    ordered,
    predicted,
    summary,
    thinned,
)
from doseopt_bayes.plots.product_limit import at_risk, product_limit, survival_at

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from doseopt_bayes.data.exposure import ExposureData
    from doseopt_bayes.inference.posterior import Posterior
    from doseopt_bayes.models.exposure_response import ExposureResponse

__all__ = ["caption_survival", "data_survival", "draw_survival"]

BY: Final = ("dose", "exposure")
STEPS: Final = 41  # times at which the model is drawn
DRAWS: Final = 1000


def data_survival(
    model: ExposureResponse,
    posterior: Posterior | None,
    data: ExposureData,
    *,
    by: str = "dose",
    bins: Bins = 3,
) -> xr.Dataset:
    """Return the numbers of the survival figure.

    Parameters
    ----------
    model, posterior, data
        A curve of a time to event, its posterior (``None``: no overlay), and the data.
    by
        ``"dose"`` or ``"exposure"``.
    bins
        Of exposure: their number (2 to 4) or the cuts; exposure 0 is a bin of its own.

    Returns
    -------
    xarray.Dataset
        Over ``group`` and ``time`` (every distinct time): ``survival``, ``low``, ``high`` just after
        it, NaN after the group's last follow-up; ``events`` and ``censored`` at it. Over ``group`` and
        ``tick``: ``at_risk``. Over ``group`` and ``model_time``: ``model_median``, ``model_low``,
        ``model_high``, ``model_mcse`` of survival averaged over the group's patients inside each draw.
        Over ``group``: ``n``, ``label``, and ``position`` (dose, or number of the bin).

    Raises
    ------
    DoseOptError
        When the endpoint is no time to event, or `by` is unknown.
    """
    if by not in BY:
        raise DoseOptError(f"by = {by!r}: one of {', '.join(BY)}", hint=did_you_mean(by, BY))
    if model.response.kind != "time_to_event":
        raise DoseOptError(
            f"{model.endpoint} is {model.response.kind}, and survival needs a time to event",
            hint="data_exposure_response draws every kind",
        )
    rows, _ = ordered(model, data)
    groups, labels, positions = _groups(rows, by, bins)
    t = rows["time"].to_numpy().astype(float)
    times, grid = np.unique(np.append(t, 0.0)), np.linspace(0.0, t.max(), STEPS)
    ticks = [x for x in MaxNLocator(6, steps=[1, 2, 2.5, 3, 5, 6, 10]).tick_values(0, t.max())
             if x <= t.max()]  # fmt: skip
    parts = [rows.isel({PATIENT: np.flatnonzero(g)}) for g in groups]
    curves = []
    for part in parts:
        curve = product_limit(part["time"], part["y"])
        here = survival_at(curve, times)
        counts = curve[["events", "censored"]].reindex(time=times, fill_value=0)
        here = here.merge(counts)
        here["at_risk"] = ("tick", at_risk(part["time"], ticks))
        here["n"] = part.sizes[PATIENT]
        curves.append(here)
    found = xr.concat(curves, dim="group").assign_coords(tick=ticks)
    found["label"], found["position"] = ("group", labels), ("group", positions)
    draws = 0
    if posterior is not None:
        post = thinned(posterior, DRAWS)
        draws = post.n_draws
        over = xr.concat([_overlay(model, post, part, grid) for part in parts], dim="group")
        found = found.merge(over)
    found.attrs = {
        **rows.attrs, **style.interval_attrs(), "by": by, "draws": draws,
        "model": type(model.shape).__name__, "family": type(model.response).__name__,
        "doses": [float(d) for d in data.doses],
    }  # fmt: skip
    return found


def _groups(
    rows: xr.Dataset, by: str, bins: Bins
) -> tuple[list[np.ndarray], list[str], list[float]]:
    a = rows.attrs
    if by == "dose":
        dose = rows["dose"].to_numpy()
        doses = [float(d) for d in np.unique(dose)]
        labels = [f"{d:g} {a['dose_unit']}".rstrip() for d in doses]
        return [dose == d for d in doses], labels, doses
    x = rows["exposure"].to_numpy().astype(float)
    edges = bin_edges(x, bins)
    which = bin_of(x, edges)
    unit = a["exposure_unit"]
    labels = [
        f"{number(lo)} {unit}" if lo == hi else f"{number(lo)} to {number(hi)} {unit}"
        for lo, hi in edges
    ]
    return [which == i for i in range(len(edges))], labels, [float(i) for i in range(len(edges))]


def _overlay(
    model: ExposureResponse, post: Posterior, part: xr.Dataset, grid: np.ndarray
) -> xr.Dataset:
    """Survival of a group under the model: (model_time)."""
    steps = [predicted(model, post.draws, part, time=float(t)).mean(PATIENT) for t in grid[1:]]
    start = xr.ones_like(steps[0])
    at = xr.DataArray(grid, dims="model_time", name="model_time")
    said = summary(post, xr.concat([start, *steps], dim=at))
    return said.drop_vars("quantile", errors="ignore").rename(
        {k: f"model_{k}" for k in ("median", "low", "high", "mcse")}
    )


def draw_survival(data: xr.Dataset) -> Figure:
    """Draw the curves on one panel and the patients at risk below."""
    k = data.sizes["group"]
    looks = list(_looks(data))
    with style.styled():
        figure = style.new_figure(3.7 + 0.2 * k)
        main, table = figure.subplots(2, 1, height_ratios=[3.0, 0.25 + 0.19 * k], sharex=True)
        for i, look in enumerate(looks):
            _group(main, data.isel(group=i), look, i)
        main.set_ylim(-0.03, 1.03)
        main.set_ylabel(style.escape(f"probability of no {data.attrs['endpoint']} event"))
        main.tick_params(labelbottom=True)
        unit = data.attrs["time_unit"]
        main.set_xlabel(style.escape("time" + (f" ({unit})" if unit else "")))
        main.set_xticks(data["tick"].to_numpy())
        last = float(data["time"].max())
        main.set_xlim(-0.03 * last, 1.03 * last)
        labels = [style.escape(str(x)) for x in data["label"].to_numpy()]
        for i in range(k):
            for tick, n in zip(data["tick"].to_numpy(), data["at_risk"].to_numpy()[i], strict=True):
                table.text(tick, i, f"{int(n)}", ha="center", va="center", fontsize=7.5,
                           gid=f"at_risk:{i}:{tick:g}")  # fmt: skip
        table.set_yticks(range(k), labels=labels)
        table.set_ylim(k - 0.4, -0.6)
        table.tick_params(length=0, labelbottom=False)
        table.spines[["left", "bottom"]].set_visible(False)
        table.set_title("at risk", fontsize=8)
        marks: list[Any] = [
            Line2D([], [], color=look.color, linewidth=1.6, marker=look.marker, markersize=4.5)
            for look in looks
        ]
        said = [f"{label} (n = {int(n)})"
                for label, n in zip(labels, data["n"].to_numpy(), strict=True)]  # fmt: skip
        if data.attrs["draws"]:
            dashed = Line2D([], [], color=style.INK, linewidth=1.2, linestyle=(0, (4, 2)))
            marks.append((Patch(color=style.INK, alpha=0.15), dashed))
            said.append("model, 95 % band")
        figure.legend(marks, said, loc="outside upper center", ncols=3)
    return figure


def _looks(data: xr.Dataset) -> list[style.DoseStyle]:
    """Return a colour and marker per group: those of the doses, or dark to light with exposure."""
    at = [float(p) for p in data["position"].to_numpy()]
    every = {*data.attrs["doses"], *at} if data.attrs["by"] == "dose" else set(at)
    looks = style.dose_styles(sorted(every))
    return [looks[p] for p in at]


def _group(ax: Axes, data: xr.Dataset, look: style.DoseStyle, i: int) -> None:
    t, s = data["time"].to_numpy(), data["survival"].to_numpy()
    if "model_median" in data:
        x = data["model_time"].to_numpy()
        ax.fill_between(x, data["model_low"].to_numpy(), data["model_high"].to_numpy(), linewidth=0,
                        color=look.color, alpha=0.15, zorder=1, gid=f"band:{i}")  # fmt: skip
        ax.plot(x, data["model_median"].to_numpy(), color=look.color, linewidth=1.2, zorder=2,
                linestyle=(0, (4, 2)), gid=f"model:{i}")  # fmt: skip
    seen = np.isfinite(s)
    ax.plot(t[seen], s[seen], color=look.color, linewidth=1.6, drawstyle="steps-post", zorder=3,
            gid=f"survival:{i}")  # fmt: skip
    lost = seen & (data["censored"].to_numpy() > 0)
    ax.plot(t[lost], s[lost], "|", color=look.color, markersize=6, markeredgewidth=1, zorder=4,
            gid=f"censored:{i}")  # fmt: skip
    # a few markers tell the curves apart where colours do not
    shown = np.linspace(0, t[seen].max(), 9)[1:-1]
    at = np.searchsorted(t[seen], shown, side="right") - 1
    ax.plot(shown, s[seen][at], look.marker, color=look.color, markersize=4.5, zorder=4,
            gid=f"markers:{i}")  # fmt: skip


def caption_survival(data: xr.Dataset) -> str:
    """Say what every mark is, how the groups were made, and what the model's line averages."""
    a = data.attrs
    events, n = int(data["events"].sum()), int(data["n"].sum())
    groups = "dose" if a["by"] == "dose" else f"bin of {a['exposure']}"
    said = [
        (
            f"Steps: Kaplan-Meier estimate of the probability of no {a['endpoint']} event, by {groups}; "
            f"markers on them only tell the groups apart; ticks: censored times ({events} events, "
            f"{n - events} censored of {n} patients). A curve ends at the last follow-up of its group."
        )
    ]
    if a["by"] == "exposure":
        said.append(
            "Bins are quantiles or the cuts given; a bin holds its upper edge"
            + (
                "; exposure 0 is its own bin"
                if str(data["label"].to_numpy()[0]).startswith("0 ")
                else ""
            )
            + "."
        )
    if a["draws"]:
        said.append(
            f"Dashed lines and bands: posterior median and {style.interval_words(data)} under the "
            f"{a['model']} curve ({a['family']}, {a['draws']} draws; Monte Carlo standard error of the "
            f"median at most {error(float(data['model_mcse'].max()))}), averaged inside each draw over "
            "the group's patients at their own exposure and covariates."
        )
    said.append("Numbers below: patients whose time has not ended before that time.")
    said.append(excluded_words(a))
    return " ".join(said)
