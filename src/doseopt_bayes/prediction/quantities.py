"""What a curve says of doses: ED50 and its like, the plateau, the lowest that works, the best."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
import xarray as xr

from doseopt_bayes import names
from doseopt_bayes.errors import DoseOptError, did_you_mean
from doseopt_bayes.models.exposure_for import exposure_for
from doseopt_bayes.models.shapes import Emax, SigmoidEmax, effect
from doseopt_bayes.prediction.at_doses import REGIMENS
from doseopt_bayes.prediction.by_group import of_one_group
from doseopt_bayes.prediction.parts import Model, Part, fitted
from doseopt_bayes.prediction.people import Crowd
from doseopt_bayes.prediction.prose import Quantities

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from doseopt_bayes.inference.posterior import Posterior
    from doseopt_bayes.models.exposure_response import ExposureResponse
    from doseopt_bayes.models.shapes import Shape
    from doseopt_bayes.prediction.power import PowerModel

__all__ = ["Quantities", "curve_quantities"]

CAP: Final = 100.0  # times the top: a draw beyond it counts as never reached
GRID: Final = 129  # exposures at which the largest effect of a curve that turns is sought
TAILS: Final = {"low": 0.025, "median": 0.5, "high": 0.975}


def curve_quantities(
    model: Model | Mapping[str, ExposureResponse],
    posterior: Posterior | Mapping[str, Posterior],
    at: Posterior,
    *,
    endpoint: str = "",
    exposures: PowerModel | None = None,
    shares: Sequence[float] = (0.5, 0.8, 0.9),
    plateau: float = 0.9,
    gain: float | None = None,
    reference: float | None = None,
    better: Literal["higher", "lower"] = "higher",
    seed: int = 0,
) -> Quantities:
    """Read the usual quantities off a curve, draw by draw.

    Parameters
    ----------
    model, posterior
        As for :func:`~doseopt_bayes.prediction.at_doses.at_doses`.
    at
        What that function predicted of the candidate doses.
    endpoint
        Which curve, where there are several: ``"eff"``, ``"tox"`` or another name.
    exposures
        A power model, which turns exposures into the dose whose median exposure they are.
    shares
        Shares of the largest effect, in (0, 1): 0.5 is ED50.
    plateau
        Share of the largest effect that counts as the plateau.
    gain
        Smallest change of the response over `reference` that matters, > 0, on its own scale
        (probability, mean, rate); ``None``: no minimum effective dose is asked for.
    reference
        Candidate dose that is compared with; the lowest by default.
    better
        Whether a higher or a lower response is better.
    seed
        Of the power model's draws.

    Returns
    -------
    Quantities
        Printable; every number with its Monte Carlo error, and in words what the data cannot say.

    Raises
    ------
    DoseOptError
        On shares outside (0, 1), a reference that is no candidate dose, or an unknown endpoint.

    Notes
    -----
    The largest effect is the asymptote of an Emax curve, and of other shapes the largest change within
    the exposures studied; a shape that neither levels off nor turns has no plateau to ask for.
    Covariates are at their centre or reference level. The probabilities of doses are of the response
    averaged over people, as `at` has it.
    """
    of_one_group("curve_quantities", model)
    part = _chosen(model, posterior, endpoint)
    studied = at.tree[REGIMENS].attrs.get(f"{part.variable}_studied")
    if part.limits is None and studied is not None:
        part = replace(part, limits=(float(studied[0]), float(studied[1])))
    if part.limits is None:
        raise DoseOptError(
            f"the exposures that {part.name} was fitted to are not known, so that nothing can be said "
            "to lie beyond them",
            hint="use the posterior of fit()",
        )
    for share in (*shares, plateau):
        if not 0 < share < 1:
            raise DoseOptError(f"a share of {share!r} must lie strictly between 0 and 1")
    if gain is not None and not gain > 0:
        raise DoseOptError(f"gain = {gain!r} must be > 0", hint="on the scale of the response")
    response = at[part.variable]
    doses = response[names.DOSE].to_numpy()
    base = float(doses[0]) if reference is None else float(reference)
    if base not in doses:
        raise DoseOptError(
            f"reference = {base:g} is not a candidate dose",
            hint="predict it with at_doses: " + ", ".join(f"{d:g}" for d in doses),
        )
    toward = 1.0 if better == "higher" else -1.0
    post = part.posterior
    curve = {
        name: post[name]
        for name in (
            "e0",
            part.recipe.shape.size,
            *part.recipe.shape.bends,
            *part.recipe.shape.free,
        )
    }
    levels = _levels(part, curve, shares, exposures, seed)
    change = toward * (response - response.sel({names.DOSE: base}, drop=True))
    events = _events(part, curve, at, change, plateau)
    minimum = xr.Dataset() if gain is None else _minimum(at, change, gain)
    about = {
        "name": part.variable,
        "exposure": part.recipe.exposure,
        "unit": part.recipe.unit,
        "dose_unit": str(at.draws[names.DOSE].attrs.get("units", "")),
        "low": part.limits[0],
        "high": part.limits[1],
        "top_dose": float("nan") if exposures is None else exposures.doses[1],
        "reference": base,
        "gain": float("nan") if gain is None else gain,
        "better": better,
        "plateau": plateau,
        "saturates": int(isinstance(part.recipe.shape, Emax | SigmoidEmax)),
        "monotone": int(part.recipe.shape.monotone),
        "levels_off": int(_levels_off(part.recipe.shape)),
        "rises": _rises(post, part, curve),
    }
    return Quantities(levels.assign_attrs(about), events, minimum)


def _chosen(
    model: Model | Mapping[str, ExposureResponse],
    posterior: Posterior | Mapping[str, Posterior],
    endpoint: str,
) -> Part:
    parts = {part.name: part for part in fitted(model, posterior).parts}
    if not endpoint and len(parts) == 1:
        return next(iter(parts.values()))
    if endpoint not in parts:
        raise DoseOptError(
            f"no curve of '{endpoint}'; there are {', '.join(parts)}",
            hint=did_you_mean(endpoint, list(parts)) if endpoint else "endpoint='eff', for example",
        )
    return parts[endpoint]


def _levels(
    part: Part,
    curve: Mapping[str, xr.DataArray],
    shares: Sequence[float],
    exposures: PowerModel | None,
    seed: int,
) -> xr.Dataset:
    """Exposure and dose of each share of the largest effect."""
    post, shape = part.posterior, part.recipe.shape
    low, high = part.limits or (0.0, 0.0)
    saturates = isinstance(shape, Emax | SigmoidEmax)
    rows = []
    # plain arrays: a shape that turns is searched in a thousand steps
    like = curve["e0"]
    flat = {name: x.transpose(*like.dims).to_numpy() for name, x in curve.items()}
    for share in shares:
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            reached = exposure_for(shape, flat, share=share, top=None if saturates else high)
        found = like.copy(data=reached)
        row = _summary(post, found, low, high, "exposure")
        if part.recipe.exposure == names.DOSE:
            row |= {k.replace("exposure", "dose"): x for k, x in row.items()}
        elif exposures is not None:
            crowd = Crowd(post.n_draws, 2, seed)
            dose = exposures.dose_for(part.recipe.exposure, reached.ravel(), crowd)
            given = like.copy(data=dose.reshape(like.shape))
            row |= _summary(post, given, *exposures.doses, "dose")
        rows.append(xr.Dataset(row))
    return xr.concat(rows, dim="share").assign_coords(share=list(shares))


def _summary(
    post: Posterior, x: xr.DataArray, low: float, high: float, of: str
) -> dict[str, xr.DataArray]:
    """Median, interval, their errors, and the shares of draws below and above what was studied."""
    above, below = ~(x <= high), x < low
    # never reached is as good as infinitely far: quantiles that lie nearer are not changed
    held = x.where(x <= CAP * high, CAP * high)
    found = {}
    for name, q in TAILS.items():
        found[f"{of}_{name}"] = post.quantile(held, q)
        found[f"{of}_{name}_mcse"] = post.mcse(held, q=q)
    for name, event in (("below", below), ("above", above)):
        found[f"{of}_{name}"] = post.prob(event)
        found[f"{of}_{name}_mcse"] = post.mcse(event)
    return found


def _events(
    part: Part,
    curve: Mapping[str, xr.DataArray],
    at: Posterior,
    change: xr.DataArray,
    plateau: float,
) -> xr.Dataset:
    """Probabilities of what the curve may do among the candidate doses."""
    found: dict[str, tuple[xr.DataArray, Posterior]] = {}
    if change.sizes[names.DOSE] > 1:
        step = change.diff(names.DOSE)
        found["better with every dose"] = (step > 0).all(names.DOSE), at
        found["never worse with dose"] = (step >= 0).all(names.DOSE), at
        best = change == change.max(names.DOSE)
        first = best & (best.cumsum(names.DOSE) == 1)
        found["best dose is interior"] = first.isel({names.DOSE: slice(1, -1)}).any(names.DOSE), at
        if _levels_off(part.recipe.shape):
            reached = _share_reached(part, curve, at)
            below = (reached.isel({names.DOSE: slice(0, -1)}) >= plateau).any(names.DOSE)
            found["plateau reached below the top dose"] = below, part.posterior
    return xr.Dataset(
        {
            "probability": ("event", [float(p.prob(e)) for e, p in found.values()]),
            "mcse": ("event", [float(p.mcse(e)) for e, p in found.values()]),
        },
        coords={"event": list(found)},
    )


def _levels_off(shape: Shape) -> bool:
    """Whether a shape has a plateau or a peak; a line reaches 90 % of a range in any data."""
    return isinstance(shape, Emax | SigmoidEmax) or not shape.monotone


def _share_reached(part: Part, curve: Mapping[str, xr.DataArray], at: Posterior) -> xr.DataArray:
    """Share of the largest effect at the median exposure of each dose."""
    shape, metric = part.recipe.shape, part.recipe.exposure
    about = at.tree[REGIMENS].to_dataset()
    if f"exposure_{metric}" in about:
        x = about[f"exposure_{metric}"].sel(quantile=0.5, drop=True)
    else:
        x = (about["factor"] * about[names.DOSE]).astype(float)
    x = x.drop_attrs()
    largest: Any
    if isinstance(shape, Emax | SigmoidEmax):
        largest = curve[shape.size]
    else:
        steps = [effect(shape, t, curve) for t in np.linspace(0.0, float(x.max()), GRID)]
        largest = steps[0]
        for one in steps:
            largest = one.where(abs(one) > abs(largest), largest)
    found: xr.DataArray = effect(shape, x, curve) / largest
    return found


def _minimum(at: Posterior, change: xr.DataArray, gain: float) -> xr.Dataset:
    """Pr(each dose is the lowest with the gain), and that none has it."""
    enough = change > gain
    first = enough & (enough.cumsum(names.DOSE) == 1)
    none = ~enough.any(names.DOSE)
    parts = {
        "probability": at.prob(first),
        "probability_mcse": at.mcse(first),
        "effective": at.prob(enough),
        "effective_mcse": at.mcse(enough),
        "none": at.prob(none),
        "none_mcse": at.mcse(none),
    }
    return xr.Dataset({k: x.drop_vars("quantile", errors="ignore") for k, x in parts.items()})


def _rises(post: Posterior, part: Part, curve: Mapping[str, xr.DataArray]) -> float:
    """Pr(the curve is higher at the highest exposure studied than at the lowest)."""
    low, high = part.limits or (0.0, 0.0)
    shape = part.recipe.shape
    return float(post.prob(effect(shape, high, curve) > effect(shape, low, curve)))
