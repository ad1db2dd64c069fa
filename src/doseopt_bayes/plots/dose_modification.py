"""Dose modification by arm: how much of the dose was given, and when it was first changed or stopped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import xarray as xr
from matplotlib.lines import Line2D

from doseopt_bayes import names
from doseopt_bayes.data.arm_records import ArmRecords
from doseopt_bayes.data.arm_records_measure import Measure
from doseopt_bayes.data.arm_records_outcome import FirstEvent
from doseopt_bayes.decision.decide import INTERVAL
from doseopt_bayes.decision.prose import error
from doseopt_bayes.errors import DoseOptError
from doseopt_bayes.plots import style
from doseopt_bayes.plots.picture import Picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from doseopt_bayes.inference.posterior import Posterior

__all__ = [
    "caption_dose_modification",
    "data_dose_modification",
    "draw_dose_modification",
    "figure_dose_modification",
]

CAUSE, TIME = "cause", "time"
WIDE: Final = 0.28  # of the strip of an arm, in units of the distance between two arms


def data_dose_modification(
    intensity: ArmRecords, intensity_post: Posterior, events: ArmRecords, events_post: Posterior
) -> xr.Dataset:
    """Return the numbers of both parts of the figure.

    Parameters
    ----------
    intensity, intensity_post
        A :class:`Measure` of each patient, such as relative dose intensity, and its ``ArmMeasure`` fit.
    events, events_post
        A :class:`FirstEvent`, such as reduction and discontinuation, and its ``TimeToFirst`` fit.

    Returns
    -------
    xarray.Dataset
        Over ``patient``: ``value`` and ``arm``. Over ``dose``: ``mean`` with ``mean_low``,
        ``mean_high`` and ``mean_mcse``, ``n`` and ``below``. Over ``dose``, ``cause`` and ``time`` (0,
        and the end of each interval): ``incidence`` with its 95 % interval and ``_mcse``. Over ``dose``
        and ``cause``: ``events`` up to the horizon; over ``dose``: ``n_events``, patients analysed.

    Raises
    ------
    DoseOptError
        On data of another kind, a posterior that is not theirs, or other doses.
    """
    measure, first = _checked(intensity, intensity_post, events, events_post)
    doses = [float(d) for d in intensity.doses]
    x = intensity_post[f"mean_{measure.name}"]
    tail = (1 - INTERVAL) / 2
    found: dict[str, xr.DataArray] = {
        "mean": intensity_post.expect(x),
        "mean_mcse": intensity_post.mcse(x),
        "mean_low": intensity_post.quantile(x, tail),
        "mean_high": intensity_post.quantile(x, 1 - tail),
    }
    counted = intensity.counts.sel({names.ENDPOINT: measure.name}, drop=True)
    found |= {names.N: counted[names.N], "below": counted[names.EVENTS]}
    called = f"incidence_{first.name}" if first.name else "incidence"
    course = (
        events_post[called].rename({"interval": TIME}).assign_coords({TIME: list(first.edges[1:])})
    )
    at_start = xr.zeros_like(course.isel({TIME: [0]})).assign_coords({TIME: [0.0]})
    numbers = {
        "incidence": events_post.expect(course),
        "incidence_mcse": events_post.mcse(course),
        "incidence_low": events_post.quantile(course, tail),
        "incidence_high": events_post.quantile(course, 1 - tail),
    }
    zero = at_start.mean(list(events_post.sample_dims))  # nothing has happened at time 0, surely
    found |= {k: xr.concat([zero, v], dim=TIME) for k, v in numbers.items()}
    happened = events.counts[names.EVENTS].rename({names.ENDPOINT: CAUSE})
    found["events"] = happened.assign_coords({CAUSE: list(first.names_of_causes)})
    found["n_events"] = events.counts[names.N].isel({names.ENDPOINT: 0}, drop=True)
    data = xr.Dataset(
        {k: v.reset_coords(drop=True).assign_coords({names.DOSE: doses}) for k, v in found.items()}
    )
    frame = intensity.patients.sort_values(["dose", "value"], kind="stable", ignore_index=True)
    data["value"] = (names.PATIENT, frame["value"].to_numpy(dtype=float))
    data["arm"] = (names.PATIENT, frame["dose"].to_numpy(dtype=float))
    stamps = [*intensity_post.diagnostics.failures, *events_post.diagnostics.failures]
    data.attrs = {
        **style.interval_attrs(), "unit": intensity.unit, "measure": measure.name,
        "measure_unit": measure.unit, "limit": measure.below, "time_unit": first.time_unit,
        "horizon": float(first.horizon), "failed": "; ".join(str(s) for s in stamps),
    }  # fmt: skip
    return data


def _checked(
    intensity: ArmRecords, intensity_post: Posterior, events: ArmRecords, events_post: Posterior
) -> tuple[Measure, FirstEvent]:
    for given, kind in ((intensity, Measure), (events, FirstEvent)):
        if not isinstance(given, ArmRecords) or not isinstance(given.outcome, kind):
            is_of = type(getattr(given, "outcome", given)).__name__
            raise DoseOptError(
                f"dose modification needs ArmRecords of a {kind.__name__}, not {is_of}",
                hint="figure_dose_modification(intensity, its fit, events, their fit)",
            )
    for data, post in ((intensity, intensity_post), (events, events_post)):
        its = post.draws[names.DOSE].to_numpy()
        if len(its) != len(data.doses) or not np.allclose(its, data.doses, rtol=1e-6, atol=0):
            raise DoseOptError(
                f"the fit of {data.outcome.title} has other doses than its data",
                hint="pass each fit behind its own data",
            )
    if intensity.doses != events.doses or intensity.unit != events.unit:
        raise DoseOptError(
            "intensity and events have other doses or units",
            hint="read both with the same candidate doses",
        )
    return intensity.outcome, events.outcome  # type: ignore[return-value]  # checked above


def draw_dose_modification(data: xr.Dataset) -> Figure:
    """Draw the strip of each arm with its mean, and beside it a panel for each cause."""
    with style.styled():
        causes = [str(c) for c in data[CAUSE].to_numpy()]
        looks = style.dose_styles([float(d) for d in data[names.DOSE].to_numpy()])
        down = -(-(len(causes) + 1) // 3)
        figure = style.new_figure(0.5 + 2.9 * down)
        panels = figure.subplots(down, min(3, len(causes) + 1), squeeze=False).ravel()
        _strip(panels[0], data, looks)
        top = min(1.0, 1.05 * float(data["incidence_high"].max()))
        for ax, cause in zip(panels[1:], causes, strict=False):
            _course(ax, data.sel({CAUSE: cause}), looks)
            ax.set_ylim(0, top)
            ax.set_title(style.escape(cause[:1].upper() + cause[1:].replace("_", " ")))
        panels[1].set_ylabel("cumulative incidence")
        for ax in panels[len(causes) + 1 :]:
            ax.set_axis_off()
        unit = str(data.attrs["unit"])
        marks = [Line2D([], [], color=k.color, marker=k.marker) for k in looks.values()]
        said = [style.dose_label(d, unit) for d in looks]
        figure.legend(marks, said, loc="outside lower center", ncols=min(6, len(said)))
    return figure


def _strip(ax: Axes, data: xr.Dataset, looks: dict[float, style.DoseStyle]) -> None:
    for i, (dose, look) in enumerate(looks.items()):
        y = data["value"].to_numpy()[data["arm"].to_numpy() == dose]
        # side by side in the order of the values: no random numbers, and heaps at a bound stay visible
        x = i - WIDE + 2 * WIDE * ((np.arange(len(y)) * 0.618034) % 1.0)
        ax.plot(x, y, ".", color=look.color, alpha=0.45, markersize=4, zorder=2, gid=f"values:{i}")
        at = data.sel({names.DOSE: dose})
        ends = [float(at["mean_low"]), float(at["mean_high"])]
        ax.plot([i + 0.4] * 2, ends, color=look.color, linewidth=2.2, gid=f"interval:{i}")
        ax.plot([i + 0.4], [float(at["mean"])], look.marker, color=look.color, markersize=6,
                markeredgecolor="white", zorder=4, gid=f"mean:{i}")  # fmt: skip
    ax.axhline(
        float(data.attrs["limit"]), color=style.GREY, linestyle="--", linewidth=1, gid="limit"
    )
    ax.set_xticks(range(len(looks)), [style.dose_label(d, str(data.attrs["unit"])) for d in looks])
    ax.set_xlim(-0.6, len(looks) - 0.3)
    name, unit = str(data.attrs["measure"]), str(data.attrs["measure_unit"])
    ax.set_ylabel(style.escape(f"{name.replace('_', ' ')} ({unit})"))
    ax.set_title("By patient")


def _course(ax: Axes, here: xr.Dataset, looks: dict[float, style.DoseStyle]) -> None:
    times = here[TIME].to_numpy()
    shift = 0.012 * float(times[-1])
    for i, (dose, look) in enumerate(looks.items()):
        at = here.sel({names.DOSE: dose})
        # intervals beside each other: on top of each other the widest would hide the rest
        x = times + shift * (i - (len(looks) - 1) / 2) * (times > 0)
        mean = at["incidence"].to_numpy()
        ax.plot(x, mean, look.marker, linestyle="-", color=look.color, linewidth=1.2, markersize=4,
                gid=f"incidence:{i}")  # fmt: skip
        low, high = at["incidence_low"].to_numpy(), at["incidence_high"].to_numpy()
        ax.vlines(x, low, high, color=look.color, linewidth=1.0, alpha=0.7)
    ax.set_xticks(times)
    ax.set_xlabel(style.escape(f"time ({here.attrs['time_unit']})"))


def caption_dose_modification(data: xr.Dataset) -> str:
    """Say what every mark is, how many patients and events are behind it, and the Monte Carlo error."""
    a = data.attrs
    unit, name = str(a["unit"]), str(a["measure"]).replace("_", " ")
    said = [f"NOT RELIABLE, the fit failed its diagnostics: {a['failed']}."] if a["failed"] else []
    arms = [
        (f"{float(d):g} {unit}".rstrip(), data.sel({names.DOSE: d}))
        for d in data[names.DOSE].to_numpy()
    ]
    below = "; ".join(f"{arm} {int(x['below'])}/{int(x[names.N])}" for arm, x in arms)
    said.append(
        f"By patient: each dot is the {name} of one patient, spread sideways to be seen. Marker and bar "
        f"beside them: posterior mean of the arm and {style.interval_words(data)} (Monte Carlo standard "
        f"error of the means at most {error(float(data['mean_mcse'].max()))} {a['measure_unit']}). "
        f"Dashed line: {a['limit']:g} {a['measure_unit']}; patients below it / analysed: {below}."
    )
    counts = "; ".join(
        f"{arm} ({int(x['n_events'])} patients) "
        + ", ".join(f"{c} {int(x['events'].sel({CAUSE: c}))}" for c in data[CAUSE].to_numpy())
        for arm, x in arms
    )
    said.append(
        "Other panels: probability that this was the first event by that time, the other causes "
        f"competing; posterior mean and {style.interval_words(data)} at the end of each interval of the "
        f"model (Monte Carlo standard error at most {error(float(data['incidence_mcse'].max()))}; lines "
        "between are a guide, and the arms are moved sideways to be seen). First events up to "
        f"{a['horizon']:g} {a['time_unit']}: {counts}."
    )
    return " ".join(said)


def figure_dose_modification(
    intensity: ArmRecords, intensity_post: Posterior, events: ArmRecords, events_post: Posterior
) -> Picture:
    """Draw dose intensity by arm, and the cumulative incidence of the first reduction or discontinuation.

    Parameters
    ----------
    intensity, intensity_post
        A :class:`~doseopt_bayes.data.arm_records_measure.Measure` of each patient, such as relative
        dose intensity, and its ``ArmMeasure`` fit.
    events, events_post
        A :class:`~doseopt_bayes.data.arm_records_outcome.FirstEvent`, such as reduction and
        discontinuation by cause, and its ``TimeToFirst`` fit. Its ``cuts`` are the times that are drawn.

    Raises
    ------
    DoseOptError
        On data of another kind, a posterior that is not theirs, or other doses.
    """
    data = data_dose_modification(intensity, intensity_post, events, events_post)
    return Picture(
        "Dose modification by arm", caption_dose_modification(data), draw_dose_modification(data), data
    )  # fmt: skip
