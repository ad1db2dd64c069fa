"""The caption of the exposure-response figure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from doseopt_bayes.decision.prose import error
from doseopt_bayes.plots import style
from doseopt_bayes.plots.patient_average import excluded_words, number

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["STRIPS", "caption_exposure_response"]

STRIPS: Final = ("binary", "time_to_event")  # kinds whose patients stand above and below the panel


def caption_exposure_response(data: xr.Dataset) -> str:
    """Say what every mark is, which intervals, how many patients, and over what is averaged."""
    a = data.attrs
    kind, name, k = a["kind"], a["endpoint"], data.sizes["bin"]
    x = data["exposure"].to_numpy()[data["studied"].to_numpy()]
    said = [
        f"Line and band: posterior median and {style.interval_words(data)} of the "
        f"{a['response']} ({a['model']} curve, {a['draws']} posterior draws; Monte Carlo standard error "
        f"of the median at most {error(float(data['mcse'].max()))})"
        + (
            f", averaged inside each draw over the patients' own {', '.join(a['averaged'])}."
            if a["averaged"]
            else "; the curve has no covariates."
        ),
        f"Dashed line, paler band: outside the studied exposures ({number(x[0])} to {number(x[-1])}).",
    ]
    edges = "; ".join(
        f"{number(lo)}" if lo == hi else f"{number(lo)} to {number(hi)}"
        for lo, hi in zip(data["edge_low"].to_numpy(), data["edge_high"].to_numpy(), strict=True)
    )
    what = {"binary": "share of patients with the event", "count": "events per person-time",
            "time_to_event": "Kaplan-Meier estimate", "continuous": "mean",
            "grouped": "mean"}[kind]  # fmt: skip
    over = "n" if np.isnan(data["bin_events"]).all() else "events / n"
    if kind == "time_to_event":
        over = "events by that time / n"
    said.append(
        f"Squares and bars: {what} in {k} bin{'s' * (k > 1)} of exposure, at their median exposure, "
        f"with {a['observed_interval_prob'] * 100:g} % interval ({a['observed_interval_kind']}); dotted "
        f"lines: edges of the bins ({edges}; a bin holds its upper edge"
        + ("; exposure 0 is its own bin" if 0.0 in data["edge_high"].to_numpy() else "")
        + f"). Above them: {over}."
    )
    if kind == "binary":
        said.append(f"Dots: one patient each, with {name} above the panel and without below it,")
    elif kind == "time_to_event":
        said.append(
            f"Dots: one patient each, event-free at {a['time']:g} {a['time_unit']}".rstrip()
            + " above the panel (hollow: censored before) and with the event by then below it,"
        )
    elif kind == "count":
        said.append("Dots: events per person-time of one patient each,")
    else:
        said.append(f"Dots: one {'group' if kind == 'grouped' else 'patient'} each,")
    said[-1] += " coloured by dose" + (
        ", spread vertically only to be seen." if kind in STRIPS else "."
    )
    said.append(
        "Boxes: quartiles of exposure at each dose; whiskers: 5th to 95th percentile; marker: median."
    )
    if a["log"]:
        zero = (
            " Exposure 0 stands left of the break (//): the bar there is the band of the curve at "
            "exposure 0, the dash in it its median."
            if (data["x"] == 0).any()
            else ""
        )
        said.append(f"The exposure axis is logarithmic.{zero}")
    said.append(excluded_words(a))
    return " ".join(said)
