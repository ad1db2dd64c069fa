"""The tables of an exposure-response analysis: exposure by dose, parameters, bins of exposure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from doseopt_bayes.decision import prose
from doseopt_bayes.errors import DoseOptError, did_you_mean
from doseopt_bayes.inference.identify import PRIOR_DRIVEN, width_ratios
from doseopt_bayes.inference.posterior import scalars
from doseopt_bayes.plots.exposure_response import data_exposure_response
from doseopt_bayes.plots.patient_average import excluded_words, number
from doseopt_bayes.report.tables import Table

if TYPE_CHECKING:
    import xarray as xr

    from doseopt_bayes.data.exposure import ExposureData
    from doseopt_bayes.inference.posterior import Posterior
    from doseopt_bayes.models.exposure_response import ExposureResponse
    from doseopt_bayes.plots.exposure_bins import Bins

__all__ = ["bin_table", "exposure_summary", "parameter_table", "parameter_units"]

FIXED: Final = ("endpoint", "exposure", "dose", "read", "analysed")
EXTREME: Final = (0.05, 0.95)


def exposure_summary(data: ExposureData, exposure: str) -> Table:
    """T3: one exposure metric by dose.

    Parameters
    ----------
    data
        Exposure-response data.
    exposure
        Name of a metric.

    Returns
    -------
    Table
        Per dose: patients with a value and with one above 0, geometric mean and CV of the latter,
        median, 5th to 95th percentile, and how many have no value.

    Raises
    ------
    DoseOptError
        On an unknown metric.
    """
    if exposure not in data.exposures:
        raise DoseOptError(
            f"no exposure '{exposure}'", hint=did_you_mean(exposure, list(data.exposures))
        )
    table = data.table
    rows = []
    for dose in data.doses:
        here = table.loc[table["dose"] == dose, exposure].to_numpy(dtype=float)
        x = here[np.isfinite(here)]
        above = x[x > 0]
        logs = np.log(above)
        # the CV of a log-normal with this sd of the logarithm
        spread = np.sqrt(np.expm1(logs.var(ddof=1))) if above.size > 1 else float("nan")
        ends = np.quantile(x, EXTREME) if x.size else np.full(2, np.nan)
        rows.append(
            (
                f"{dose:g}" + (" (placebo)" if dose == 0 else ""),
                f"{here.size}",
                f"{x.size}",
                f"{(x == 0).sum()}",
                f"{here.size - x.size}" + _no_value(data, exposure, dose),
                _number(float(np.exp(logs.mean())) if above.size else float("nan")),
                "-" if np.isnan(spread) else f"{spread:.1%}",
                _number(float(np.median(x)) if x.size else float("nan")),
                f"{_number(ends[0])} to {_number(ends[1])}" if x.size else "-",
            )
        )
    unit = f" ({data.dose_unit})" if data.dose_unit else ""
    columns = (f"Dose{unit}", "Patients", "With a value", "Of these 0", "No value",
               "Geometric mean", "CV", "Median", "5th to 95th percentile")  # fmt: skip
    note = (
        f"{exposure} in {data.exposures[exposure]}. Geometric mean and geometric coefficient of "
        "variation (CV) of the values above 0; median and percentiles of all values."
    )
    marks = [n for n in data.notes if exposure in n or "placebo" in n]
    if marks:
        note += " " + " ".join(f"{m}." for m in marks)
    return Table(f"Exposure by dose: {exposure}", columns, tuple(rows), note)


def _no_value(data: ExposureData, exposure: str, dose: float) -> str:
    """Return why patients at a dose have no value, with how many each: the axis's own exclusions."""
    ledger = data.disposition
    at = ledger[ledger["dose"] == dose]
    found: dict[str, int] = {}
    for rule in (str(c) for c in ledger.columns if c not in FIXED):
        for endpoint in data.endpoints:
            of = at[at["endpoint"] == endpoint]
            own, base = (int(of.loc[of["exposure"] == e, rule].sum()) for e in (exposure, "dose"))
            # a patient without this endpoint counts there: the endpoint with most patients tells
            if own > base:
                found[rule] = max(own - base, found.get(rule, 0))
    return f" ({'; '.join(f'{r}: {n}' for r, n in found.items())})" if found else ""


def _number(x: float) -> str:
    return "-" if np.isnan(x) else number(x)


def parameter_units(model: ExposureResponse, *, endpoint_unit: str = "") -> dict[str, str]:
    """Return what each parameter is measured in.

    Parameters
    ----------
    model
        A recipe.
    endpoint_unit
        Unit of a measured value.

    Examples
    --------
    >>> from doseopt_bayes.models.er_presets import empirical_emax
    >>> m = empirical_emax("ae", "AUC", p50=20, target=200, level=(-2, 1), effect=(1, 1), unit="h")
    >>> parameter_units(m)
    {'level': 'logit', 'effect': 'logit', 'ec50': 'h', 'hill': '-'}
    """
    link, exposure = model.response.link, model.unit or f"unit of {model.exposure}"
    scale = {"identity": endpoint_unit or "unit of the response"}.get(link, link)
    found = {}
    for name in model.parameters:
        effect = next((c for c in model.covariates if c.name == name), None)
        of = name if effect is None else effect.parameter
        unit = {
            "ec50": exposure,
            "delta": exposure,
            "slope": f"{scale} per {exposure}",
            "curvature": f"{scale} per ({exposure})^2",
            "log_hazard_step": "log hazard",
        }.get(of, scale if of in {"level", "effect", "e0", "emax", "e1", "sigma"} else "-")
        if of == "slope" and type(model.shape).__name__ == "LogLinear":
            unit = f"{scale} per log unit"
        if effect is not None:
            positive = of in model.shape.bends or (
                of == model.shape.size and model.monotone != "free"
            )
            unit = f"log of {of}" if positive else unit
            if effect.level is None:
                unit += f" per {effect.per:g} of {effect.covariate}"
        found[name] = unit
    return found


def parameter_table(
    model: ExposureResponse, posterior: Posterior, *, endpoint_unit: str = ""
) -> Table:
    """T4: parameters with unit, prior, posterior and diagnostics.

    Parameters
    ----------
    model, posterior
        A recipe and its posterior, of NUTS or of weighted particles (which have one k-hat and ESS for
        all, and no R-hat).
    endpoint_unit
        Unit of a measured value.

    Returns
    -------
    Table
        A parameter is flagged "prior-driven" where its 95 % interval is more than 0.8 times as wide as
        that of its prior.
    """
    measures, ratios = posterior.diagnostics.table, width_ratios(model, posterior)
    units = parameter_units(model, endpoint_unit=endpoint_unit)
    derived = [v for v in ("e0", model.shape.size) if v not in model.parameters]
    names = [*model.parameters, *(v for v in derived if v in posterior.draws)]
    rows = []
    for name, draws in scalars(posterior.draws, names, posterior.sample_dims).items():
        base = name.split("[", maxsplit=1)[0]
        mean, error = float(posterior.expect(draws)), float(posterior.mcse(draws))
        sd = float(posterior.expect((draws - mean) ** 2)) ** 0.5
        low, high = (float(posterior.quantile(draws, q)) for q in (0.025, 0.975))
        free = base in model.parameters
        ratio = ratios.get(name, float("nan"))
        rows.append(
            (
                name,
                units.get(base, _derived_unit(model, base, units)),
                str(model.priors[base]) if free else "follows from those above",
                f"{prose.value(mean, error)} ± {prose.error(error)}",
                f"{sd:.3g}",
                f"{low:.3g} to {high:.3g}",
                "-" if np.isnan(ratio) else f"{ratio:.2f}",
                *_measured(measures, name),
                "prior-driven" if ratio > PRIOR_DRIVEN else "",
            )
        )
    columns = ("Parameter", "Unit", "Prior", "Posterior mean", "sd", "95 % interval", "Width / prior's",
               "R-hat", "ESS bulk", "ESS tail", "Flag")  # fmt: skip
    note = (
        f"{model.scale} Mean ± Monte Carlo standard error; equal-tailed interval. Width: of the 95 % "
        "interval over that of the prior, on the log scale where the prior is stated there; above "
        f"{PRIOR_DRIVEN:g} a parameter is called prior-driven: the data say little of it."
    )
    if not any(c.name == "R-hat" for c in posterior.diagnostics.checks):
        said = "; ".join(f"{c.name} {c.measured} ({c.limit})" for c in posterior.diagnostics.checks)
        note += f" Weighted particles, without R-hat: {said}."
    return Table(f"Parameters of {model.endpoint} by {model.exposure}", columns, tuple(rows), note)


def _derived_unit(model: ExposureResponse, name: str, units: dict[str, str]) -> str:
    scale = units.get("level", units.get("e0", "-"))
    if name == "slope":
        per = "log unit" if type(model.shape).__name__ == "LogLinear" else model.unit or "unit"
        return f"{scale} per {per}"
    return scale


def _measured(measures: xr.DataArray, name: str) -> tuple[str, str, str]:
    """Return R-hat and effective sample sizes, where there are any of each parameter."""
    if "quantity" not in measures.dims or name not in measures["quantity"].to_numpy():
        return "-", "-", "-"
    at = measures.sel(quantity=name)
    return (
        f"{float(at.sel(measure='rhat')):.4f}",
        f"{float(at.sel(measure='ess_bulk')):.0f}",
        f"{float(at.sel(measure='ess_tail')):.0f}",
    )


def bin_table(
    model: ExposureResponse,
    posterior: Posterior,
    data: ExposureData,
    *,
    bins: Bins = 3,
    time: float | None = None,
) -> Table:
    """Lay out each bin of exposure: edges, patients, what was observed, and what the model says.

    Parameters
    ----------
    model, posterior, data, bins, time
        As for :func:`~doseopt_bayes.plots.exposure_response.data_exposure_response`, whose numbers
        these are.
    """
    seen = data_exposure_response(model, posterior, data, bins=bins, time=time)
    a = seen.attrs
    share = a["kind"] in ("binary", "time_to_event")

    def shown(x: xr.DataArray) -> str:
        value = float(x)
        return "-" if np.isnan(value) else f"{value:.1%}" if share else f"{value:.3g}"

    rows = []
    for i in seen["bin"].to_numpy():
        b = seen.sel(bin=i)
        low, high, events = (float(b[v]) for v in ("edge_low", "edge_high", "bin_events"))
        rows.append(
            (
                number(low) if low == high else f"{number(low)} to {number(high)}",
                number(float(b["bin_exposure"])),
                f"{int(b['bin_n'])}",
                "-" if np.isnan(events) else f"{int(events)}",
                shown(b["observed"]),
                f"{shown(b['observed_low'])} to {shown(b['observed_high'])}",
                shown(b["model_median"]),
                f"{shown(b['model_low'])} to {shown(b['model_high'])}",
            )
        )
    columns = (f"{a['exposure']} ({a['exposure_unit']})", "Median", "n", "Events", "Observed",
               "95 % interval", "Model", "95 % credible interval")  # fmt: skip
    note = (
        f"Observed and model: {a['response']}. A bin holds its upper edge"
        + ("; exposure 0 is its own bin" if 0.0 in seen["edge_high"].to_numpy() else "")
        + f". Interval of what was observed: {a['observed_interval_kind']}. Model: posterior median, "
        "averaged inside each draw over the patients of the bin at their own exposure and covariates. "
        + excluded_words(a)
    )
    return Table(f"{a['endpoint']} by bin of {a['exposure']}", columns, tuple(rows), note)
