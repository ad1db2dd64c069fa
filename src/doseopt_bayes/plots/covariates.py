"""Covariate forest of an exposure-response model: what each property of a patient changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import xarray as xr
from matplotlib.ticker import FixedLocator, NullLocator

from doseopt_bayes.decision.prose import error
from doseopt_bayes.errors import DoseOptError, did_you_mean
from doseopt_bayes.plots import style
from doseopt_bayes.plots.patient_average import (
    excluded_words,
    number,
    ordered,
    patient_values,
    response_words,
    summary,
    time_of,
)
from doseopt_bayes.prediction.by_group import of_one_group

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from doseopt_bayes.data.exposure import ExposureData
    from doseopt_bayes.inference.posterior import Posterior
    from doseopt_bayes.models.er_curve import CovariateEffect
    from doseopt_bayes.models.exposure_response import ExposureResponse

__all__ = ["caption_covariates", "data_covariates", "draw_covariates"]

PERCENTILES: Final = (0.05, 0.95)
RATIOS: Final = {"logit": "odds ratio", "log": "rate ratio", "log hazard": "hazard ratio"}


def data_covariates(
    model: ExposureResponse,
    posterior: Posterior,
    data: ExposureData,
    *,
    exposure: float | None = None,
    reference: Mapping[str, Any] | None = None,
    time: float | None = None,
) -> xr.Dataset:
    """Return the numbers of the covariate forest.

    Parameters
    ----------
    model, posterior, data
        A curve with covariates on any of its parameters, its posterior, and the data.
    exposure
        At which patients are compared: effects on EC50 or Emax depend on it. The median of the
        exposures above 0 without.
    reference
        Covariate to the value of the reference patient; for those left out the median of the patients,
        or the reference level.
    time
        Of survival (time to event); a Weibull model has a reference time.

    Returns
    -------
    xarray.Dataset
        Over ``row`` (the exposure, then each covariate, at its 5th and 95th percentile or each level):
        ``difference`` and ``ratio`` with ``_low``, ``_high`` and ``_mcse``, ``n`` patients at or beyond
        the value, ``group``. The ratio is of odds, rates or hazards; NaN for a mean.

    Raises
    ------
    DoseOptError
        On an unknown covariate or level.
    """
    of_one_group("the figure of covariates", model)
    when = time_of(model, time)
    rows, _ = ordered(model, data)
    x = rows["exposure"].to_numpy().astype(float)
    above = x[x > 0]
    at = float(np.median(above if above.size else x)) if exposure is None else float(exposure)
    base = _reference(model, data, rows, dict(reference or {}))
    cases = _cases(model, data, rows, base)
    ratio = RATIOS.get(model.response.link)
    draws = posterior.draws

    def read(exposed: float, values: Mapping[str, Any]) -> tuple[xr.DataArray, xr.DataArray]:
        given = (draws, xr.DataArray(exposed), values)
        return model.predictor_at(*given), model.response_at(*given, time=when)

    eta, level = read(at, base)
    summaries = []
    for case in cases:
        exposed = at if case["exposure"] is None else case["exposure"]
        other, response = read(exposed, base | case["values"])
        both = {"difference": summary(posterior, response - level)}
        if ratio:
            both["ratio"] = summary(posterior, _exp(other - eta))
        names = {"median": "", "low": "_low", "high": "_high", "mcse": "_mcse"}
        summaries.append(
            {
                f"{kind}{end}": float(both[kind][part]) if kind in both else float("nan")
                for kind in ("difference", "ratio")
                for part, end in names.items()
            }
        )
    found = xr.Dataset(
        {k: ("row", [s[k] for s in summaries]) for k in summaries[0]},
        coords={"row": [c["label"] for c in cases]},
    )
    found["n"] = ("row", [c["n"] for c in cases])
    found["group"] = ("row", [c["group"] for c in cases])
    own = summary(posterior, level)
    found.attrs = {
        **rows.attrs,
        **style.interval_attrs(),
        "at": at,
        "reference": "; ".join(
            f"{k} = {_said(v, data.covariates[k].unit)}" for k, v in base.items()
        ),
        "reference_level": float(own["median"]),
        "response": response_words(rows.attrs, when),
        "ratio": ratio or "",
        "draws": posterior.n_draws,
        "acts_on": "; ".join(
            f"{name} on {', '.join(e.parameter for e in _once(model) if e.covariate == name)}"
            for name in base
        ),
        "without": _without(model, data),
        "model": type(model.shape).__name__,
    }
    return found


def _without(model: ExposureResponse, data: ExposureData) -> str:
    """Name the levels that have no effect in the model, and the level as which it reads them."""
    said = []
    for name in dict.fromkeys(c.covariate for c in model.covariates):
        about = data.covariates[name]
        if not about.levels:
            continue
        fallback = about.reference or about.levels[0]
        effects = {c.level for c in model.covariates if c.covariate == name}
        others = [level for level in about.levels if level not in effects | {fallback}]
        if others:
            said.append(f"{name} {', '.join(others)} (read as {fallback})")
    return "; ".join(said)


def _exp(x: xr.DataArray) -> xr.DataArray:
    found: xr.DataArray = np.exp(x)  # type: ignore[assignment]
    return found


def _once(model: ExposureResponse) -> list[CovariateEffect]:
    """Return one effect for each covariate and parameter, whatever the number of levels."""
    return [*{(c.covariate, c.parameter): c for c in model.covariates}.values()]


def _said(value: Any, unit: str = "") -> str:
    text = f"{number(value)}" if isinstance(value, int | float) else str(value)
    return f"{text} {unit}".rstrip()


def _reference(
    model: ExposureResponse, data: ExposureData, rows: xr.Dataset, given: dict[str, Any]
) -> dict[str, Any]:
    names = list(dict.fromkeys(c.covariate for c in model.covariates))
    for name, value in given.items():
        if name not in names:
            raise DoseOptError(
                f"{model.title} has no covariate '{name}'", hint=did_you_mean(name, names)
            )
        levels = data.covariates[name].levels
        if levels and value not in levels:
            raise DoseOptError(
                f"covariate {name} has no level {value!r}", hint=did_you_mean(str(value), levels)
            )
    found = {}
    for name in names:
        about = data.covariates[name]
        if name in given:
            found[name] = given[name]
        elif about.levels:
            found[name] = about.reference or about.levels[0]
        else:
            found[name] = float(np.median(rows[f"cov_{name}"]))
    return found


def _cases(
    model: ExposureResponse, data: ExposureData, rows: xr.Dataset, base: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Return the rows of the forest: label, group, n, and what differs from the reference patient."""
    found = []

    def ends(x: np.ndarray, group: str, unit: str, covariate: str | None) -> None:
        for q in PERCENTILES:
            value = float(np.quantile(x, q))
            n = int((x <= value).sum() if q < 0.5 else (x >= value).sum())
            label = f"{group}: {_said(value, unit)} ({q * 100:.0f}th percentile)"
            found.append({"label": label, "group": group, "n": n,
                          "exposure": value if covariate is None else None,
                          "values": {} if covariate is None else {covariate: value}})  # fmt: skip

    if np.ptp(rows["exposure"].to_numpy()) > 0:
        ends(rows["exposure"].to_numpy().astype(float), model.exposure, model.unit, None)
    values = patient_values(model, rows)
    for name, mine in base.items():
        about = data.covariates[name]
        if not about.levels:
            ends(rows[f"cov_{name}"].to_numpy().astype(float), name, about.unit, name)
            continue
        # levels without an effect in the model are read as the reference: nothing to show
        effects = {c.level for c in model.covariates if c.covariate == name}
        fallback = about.reference or about.levels[0]
        seen = np.array([v or fallback for v in values[name].to_numpy().astype(str)])
        for level in about.levels:
            if level != mine and (level in effects or mine in effects):
                n = int((seen == level).sum())
                found.append({"label": f"{name}: {level}", "group": name, "n": n, "exposure": None,
                              "values": {name: level}})  # fmt: skip
    if not found:
        raise DoseOptError(
            f"{model.title}: no covariate, and {model.exposure} never varies: nothing to compare",
            hint="covariates=[CovariateEffect(...)]",
        )
    return found


def draw_covariates(data: xr.Dataset) -> Figure:
    """Draw difference and ratio side by side, a row each."""
    kinds = ["difference", *(["ratio"] if data.attrs["ratio"] else [])]
    k = data.sizes["row"]
    with style.styled():
        figure = style.new_figure(1.0 + 0.32 * k)
        axes = figure.subplots(1, len(kinds), squeeze=False)[0]
        for ax, kind in zip(axes, kinds, strict=True):
            _forest(ax, data, kind)
        said = [f"{style.escape(str(r))}\nn = {int(n)}"
                for r, n in zip(data["row"].to_numpy(), data["n"].to_numpy(), strict=True)]  # fmt: skip
        axes[0].set_yticks(range(k), labels=said)
        for ax in axes[1:]:
            ax.set_yticks(range(k), labels=[])
            ax.tick_params(axis="y", length=0)
    return figure


def _forest(ax: Axes, data: xr.Dataset, kind: str) -> None:
    none = 1.0 if kind == "ratio" else 0.0
    groups = list(dict.fromkeys(data["group"].to_numpy()))
    for i in range(data.sizes["row"]):
        row = data.isel(row=i)
        if groups.index(row["group"].item()) % 2:
            ax.axhspan(i - 0.5, i + 0.5, color="#f3f3f3", linewidth=0, zorder=0)
        low, mid, high = (float(row[f"{kind}{e}"]) for e in ("_low", "", "_high"))
        ax.plot([low, high], [i, i], color=style.INK, linewidth=1.5, zorder=3, gid=f"interval:{i}")
        ax.plot([mid], [i], "s", color=style.INK, markersize=5, zorder=4, gid=f"median:{i}")
    ax.axvline(none, color=style.GREY, linewidth=0.9, linestyle=(0, (4, 2)), zorder=1, gid="none")
    if kind == "ratio":
        ends = [float(data["ratio_low"].min()), float(data["ratio_high"].max()), 1.0]
        ax.set_xscale("log")
        ax.set_xlim(min(ends) / 1.15, max(ends) * 1.15)
        every = [p * s for p in 10.0 ** np.arange(-6, 7) for s in (1, 2, 5)]
        ticks = [t for t in every if min(ends) / 1.15 <= t <= max(ends) * 1.15]
        ticks = ticks[:: -(-len(ticks) // 7)] if ticks else [1.0]
        ax.xaxis.set_major_locator(FixedLocator(ticks))
        ax.xaxis.set_minor_locator(NullLocator())
        ax.set_xticklabels([f"{t:g}" for t in ticks])
    ax.set_ylim(data.sizes["row"] - 0.5, -0.5)
    said = data.attrs["ratio"] if kind == "ratio" else f"difference in\n{data.attrs['response']}"
    ax.set_xlabel(style.escape(said))


def caption_covariates(data: xr.Dataset) -> str:
    """Say what every mark is, who the reference patient is, and at which exposure."""
    a = data.attrs
    worst = float(data["difference_mcse"].max())
    said = [
        f"Squares and bars: posterior median and {style.interval_words(data)} ({a['draws']} draws; Monte "
        f"Carlo standard error of the median difference at most {error(worst)}) of the difference in "
        f"{a['response']}"
        + (f" and of the {a['ratio']}" if a["ratio"] else "")
        + " between a patient "
        "with the value of the row and the reference patient"
        + (f" ({a['reference']})" if a["reference"] else "")
        + f", all else equal, at {a['exposure']} = {_said(a['at'], a['exposure_unit'])}, where the "
        f"reference patient's posterior median is {a['reference_level']:.3g}.",
        f"{a['model']} curve" + (f"; covariates: {a['acts_on']}." if a["acts_on"] else "."),
        (
            "Numeric values: 5th and 95th percentile of the patients; n: patients at or beyond the "
            "value, or with the level. Dashed line: no difference."
        ),
    ]
    if a["without"]:
        said.append(f"Levels without an effect in the model: {a['without']}.")
    if a["ratio"] == "odds ratio" and a["acts_on"]:
        said.append("An effect on another parameter than e0 changes with the exposure.")
    said.append(excluded_words(a))
    return " ".join(said)
