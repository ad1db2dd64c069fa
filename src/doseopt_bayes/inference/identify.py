"""What exposure-response data cannot identify, said in words; and the rows that carry a fit."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from doseopt_bayes.inference.heterogeneity import heterogeneity_notes
from doseopt_bayes.inference.levels import label
from doseopt_bayes.inference.pareto import pareto_khat
from doseopt_bayes.inference.patients import patient_program
from doseopt_bayes.inference.posterior import scalars
from doseopt_bayes.inference.weighted import Weighted
from doseopt_bayes.models.er_curve import EFFECT
from doseopt_bayes.models.er_groups import OneGroup
from doseopt_bayes.models.er_priors import HillGivenEC50, LogStudentT
from doseopt_bayes.priors import LogNormal, Pooled, Unpooled

if TYPE_CHECKING:
    import xarray as xr

    from doseopt_bayes.data.exposure import ExposureData
    from doseopt_bayes.inference.posterior import Posterior
    from doseopt_bayes.models.exposure_response import ExposureResponse
    from doseopt_bayes.priors import Prior

__all__ = ["identify", "log_likelihood", "unidentified_share", "width_ratios"]

PRIOR_DRIVEN: Final = 0.8  # posterior over prior width above which a parameter is the prior's
BEYOND: Final = 0.5  # share of EC50 outside the exposures above which the curve is not identified
INFLUENTIAL: Final = 0.7  # Pareto k of a row above which leaving it out changes the posterior
OUTLYING: Final = 10.0  # robust standard deviations from the rest
DRAWS: Final = 2000  # of the posterior, for the rows' k
NAMED: Final = 5  # rows named at most


def identify(model: ExposureResponse, data: ExposureData, posterior: Posterior) -> tuple[str, ...]:
    """Say what the data do not tell about a curve.

    Parameters
    ----------
    model, data, posterior
        A recipe, the data, and what :func:`~doseopt_bayes.inference.nuts.fit` or
        :func:`~doseopt_bayes.inference.batch.preview` made of them.

    Returns
    -------
    tuple of str
        A sentence per finding: rows left out; responses that are all alike; a single dose or exposure;
        separation; EC50 beyond the exposures studied; no resolved effect; parameters whose posterior is
        nearly as wide as their prior; rows that carry the fit or lie far from the rest.
    """
    rows = model.read(data)
    return (
        *_left_out(model, rows),
        *_responses(model, rows),
        *_exposures(model, rows),
        *_curves(model, rows, posterior),
        *heterogeneity_notes(model, data, posterior),
        *_prior_driven(model, posterior),
        *_rows(model, data, rows, posterior),
    )


def _left_out(model: ExposureResponse, rows: xr.Dataset) -> list[str]:
    n = int(rows.attrs.get("n_excluded", 0))
    if not n:
        return []
    said = (
        f"{model.endpoint} by {model.exposure}: {rows.attrs['n_read']} rows read, {n} excluded "
        f"({rows.attrs['excluded']})"
    )
    return [said]


def _responses(model: ExposureResponse, rows: xr.Dataset) -> list[str]:
    y, x = rows["y"].to_numpy(), rows["exposure"].to_numpy()
    if model.response.kind not in ("binary", "time_to_event", "count"):
        return []
    events, n = int((y > 0).sum()), y.size
    if events == 0 or (events == n and model.response.kind != "count"):
        what = "none has" if events == 0 else "all have"
        said = (
            f"{model.endpoint}: of {n} rows {what} the event, so that the curve is bounded on one side "
            "by the prior alone; no effect of exposure can be read from it"
        )
        return [said]
    with_, without = x[y > 0], x[y <= 0]
    if model.response.kind == "binary" and (
        with_.min() > without.max() or with_.max() < without.min()
    ):
        side = "above" if with_.min() > without.max() else "below"
        said = (
            f"{model.endpoint}: separated: every event lies {side} every other {model.exposure}; how "
            "steep the curve is follows from the prior"
        )
        return [said]
    return []


def _exposures(model: ExposureResponse, rows: xr.Dataset) -> list[str]:
    x, dose = rows["exposure"].to_numpy(), rows["dose"].to_numpy()
    if np.ptp(x) == 0:
        said = (
            f"{model.exposure} has one value ({x[0]:g}): the slope is not identified by the data, and "
            "predictions at any other value are the prior's"
        )
        return [said]
    if np.unique(dose[np.isfinite(dose)]).size == 1 and model.exposure != "dose":
        said = (
            f"one dose only ({dose[0]:g}): the effect of exposure rests on differences between patients "
            "at the same dose, which other properties of theirs may confound"
        )
        return [said]
    return []


def unidentified_share(
    model: ExposureResponse, rows: xr.Dataset, posterior: Posterior
) -> tuple[float, float]:
    """Posterior probability that EC50 lies above the largest, and below the smallest exposure > 0.

    Returns
    -------
    tuple of float
        (0, 0) for a shape without EC50.
    """
    if "ec50" not in model.shape.bends:
        return 0.0, 0.0
    x, ec50 = rows["exposure"].to_numpy(), posterior["ec50"]
    above = float(posterior.prob(ec50 > x.max()))
    return above, float(posterior.prob(ec50 < x[x > 0].min())) if (x > 0).any() else 0.0


def _bends(model: ExposureResponse, rows: xr.Dataset, posterior: Posterior) -> list[str]:
    x = rows["exposure"].to_numpy()
    above, below = unidentified_share(model, rows, posterior)
    unit = f" {model.unit}" if model.unit else ""
    if above > BEYOND:
        said = (
            f"Emax and EC50 are not separately identified: {above:.0%} of the posterior of EC50 lies "
            f"above the largest exposure ({x.max():.4g}{unit}); only predictions within {x.min():.4g} to "
            f"{x.max():.4g}{unit} rest on data"
        )
        return [said]
    if below > BEYOND:
        said = (
            f"E0 and EC50 are not separately identified: {below:.0%} of the posterior of EC50 lies below "
            f"the smallest exposure above 0 ({x[x > 0].min():.4g}{unit}): only the plateau was studied"
        )
        return [said]
    return []


def _flat(model: ExposureResponse, rows: xr.Dataset, posterior: Posterior) -> list[str]:
    x = rows["exposure"].to_numpy()
    if np.ptp(x) == 0:
        return []
    low, high = np.quantile(x, [0.05, 0.95])
    at = model.predictor_at(posterior.draws, [low, high])
    change = at.isel(exposure=1, drop=True) - at.isel(exposure=0, drop=True)
    rises = float(posterior.prob(change > 0))
    if not 0.025 <= rises <= 0.975:
        return []
    ends = [float(posterior.quantile(change, q)) for q in (0.025, 0.975)]
    said = (
        f"no effect of {model.exposure} is resolved: from {low:.4g} to {high:.4g} the "
        f"{model.response.says} changes by {ends[0]:.3g} to {ends[1]:.3g} (95 %), and rises with "
        f"probability {rises:.2f}"
    )
    return [said]


def _curves(model: ExposureResponse, rows: xr.Dataset, posterior: Posterior) -> list[str]:
    """What the data do not tell of the curve, or of the curve of each group with patients."""
    if not model.groups:
        return [*_bends(model, rows, posterior), *_flat(model, rows, posterior)]
    said = []
    for labels in itertools.product(*model.groups.values()):
        at = dict(zip(model.groups, labels, strict=True))
        here = np.logical_and.reduce([rows[g].to_numpy() == v for g, v in at.items()])
        if not here.any():
            continue
        own, one, post = rows.isel(patient=here), model.at(**at), posterior.at(**at)
        found = [*_bends(one, own, post), *_flat(one, own, post)]
        said += [f"{label(at)}: {sentence}" for sentence in found]
    return said


def width_ratios(model: ExposureResponse, posterior: Posterior) -> dict[str, float]:
    """Width of each parameter's 95 % posterior interval over that of its prior.

    Returns
    -------
    dict
        Parameter (with its label) to ratio; on the log scale for EC50, Hill and other parameters whose
        prior is stated there. Near 1 the data say nothing.
    """
    found = {}
    for name, prior in model.priors.items():
        fell = model.monotone != "free" and name in (EFFECT, model.shape.size)
        cut = prior.positive() if fell else prior
        logs = _on_log_scale(prior)
        before = np.array([cut.quantile(q) for q in (0.025, 0.975)])
        for title, x in scalars(posterior.draws, [name], posterior.sample_dims).items():
            after = np.array([float(posterior.quantile(x, q)) for q in (0.025, 0.975)])
            ends = [np.log(e) if logs else e for e in (after, before)]
            found[title] = float(np.ptp(ends[0]) / np.ptp(ends[1]))
    return found


def _on_log_scale(prior: Prior) -> bool:
    if isinstance(prior, OneGroup):
        return _on_log_scale(prior.whole)
    if isinstance(prior, Unpooled):
        return _on_log_scale(prior.prior)
    logs = isinstance(prior, LogNormal | LogStudentT | HillGivenEC50)
    return logs or (isinstance(prior, Pooled) and prior.is_log)


def _prior_driven(model: ExposureResponse, posterior: Posterior) -> list[str]:
    return [
        f"{name} is prior-driven: its 95 % interval is {ratio:.2f} times as wide as before the data"
        for name, ratio in width_ratios(model, posterior).items()
        if ratio > PRIOR_DRIVEN
    ]


def log_likelihood(
    model: ExposureResponse, data: ExposureData, posterior: Posterior, *, draws: int | None = None
) -> xr.DataArray:
    """Log likelihood of each row under each draw, from the graph: what LOO reads.

    Parameters
    ----------
    model, data, posterior
        As for :func:`identify`.
    draws
        Draws of each chain to use, evenly spaced; of weighted particles so many that stand for all of
        them with equal weights. All without.

    Returns
    -------
    xarray.DataArray
        Over the sample dims of the posterior and ``patient`` (labels of the rows).
    """
    import xarray as xr  # noqa: PLC0415

    program, values = patient_program(model, data)
    dims = list(posterior.sample_dims)
    kept = posterior.draws[list(program.layout)]
    if draws is not None:
        kept = kept.isel({dims[-1]: _evenly(posterior, kept.sizes[dims[-1]], draws)})
    sizes = [kept.sizes[d] for d in dims]
    plain = {
        name: (x := kept[name].transpose(*dims, ...).to_numpy()).reshape(-1, *x.shape[len(dims) :])
        for name in program.layout
    }
    found = program.pointwise(plain, values)
    labels = model.read(data)["patient"].to_numpy()
    return xr.DataArray(
        found.reshape(*sizes, -1),
        dims=[*dims, "patient"],
        coords={"patient": labels, **{d: kept[d] for d in dims if d in kept.coords}},
        name=model.endpoint,
    )


def _evenly(posterior: Posterior, n: int, draws: int) -> np.ndarray:
    if isinstance(posterior, Weighted):
        reached = posterior.weight.to_numpy().cumsum()
        found: np.ndarray = np.searchsorted(reached, (np.arange(draws) + 0.5) / draws * reached[-1])
        return found.clip(0, n - 1)
    return np.linspace(0, n - 1, min(n, draws)).astype(int)


def _rows(
    model: ExposureResponse, data: ExposureData, rows: xr.Dataset, posterior: Posterior
) -> list[str]:
    """Name rows without which the posterior would be another one, and rows far from the rest."""
    each = -(-DRAWS // int(np.prod([posterior.draws.sizes[d] for d in posterior.sample_dims[:-1]])))
    some = log_likelihood(model, data, posterior, draws=each)
    flat: Any = some.transpose("patient", ...).to_numpy().reshape(some.sizes["patient"], -1)
    weight = np.exp(flat.min(axis=1, keepdims=True) - flat)
    khat = pareto_khat(weight)
    said = [
        f"row {rows['patient'].to_numpy()[i]} carries the fit: without it the posterior would be another "
        f"one (Pareto k {khat[i]:.2f} > {INFLUENTIAL}; {model.endpoint} = {rows['y'].to_numpy()[i]:g} at "
        f"{model.exposure} = {rows['exposure'].to_numpy()[i]:g}): check it"
        for i in np.argsort(-khat)[:NAMED]
        if khat[i] > INFLUENTIAL
    ]
    if model.response.kind == "continuous":
        y, x = rows["y"].to_numpy(), rows["exposure"].to_numpy()
        centre = np.median(y)
        spread = 1.4826 * np.median(np.abs(y - centre))
        if spread > 0:
            away = np.abs(y - centre) / spread
            said += [
                f"row {rows['patient'].to_numpy()[i]}: {model.endpoint} = {y[i]:g} at {model.exposure} = "
                f"{x[i]:g} lies {away[i]:.0f} robust standard deviations from the median "
                f"({centre:.4g}): a wrong unit or decimal point?"
                for i in np.argsort(-away)[:NAMED]
                if away[i] > OUTLYING
            ]
    return said
