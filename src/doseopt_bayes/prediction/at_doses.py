"""From curves of exposure to candidate doses: people are averaged inside each posterior draw."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import xarray as xr

from doseopt_bayes import names
from doseopt_bayes.errors import DoseOptError, did_you_mean
from doseopt_bayes.prediction.averages import LEVELS, averaged
from doseopt_bayes.prediction.by_group import groups_of, over_groups
from doseopt_bayes.prediction.parts import Fitted, Model, fitted
from doseopt_bayes.prediction.people import Crowd, Regimen, as_regimens, places
from doseopt_bayes.prediction.said import regimen_notes

if TYPE_CHECKING:
    from collections.abc import Iterable

    from doseopt_bayes.data.exposure import ExposureData
    from doseopt_bayes.inference.posterior import Posterior
    from doseopt_bayes.models.exposure_response import ExposureResponse
    from doseopt_bayes.prediction.averages import Row
    from doseopt_bayes.prediction.exposures import Exposures

__all__ = ["AS_OBSERVED", "REGIMENS", "at_doses"]

AS_OBSERVED: Final = "as observed"
REGIMENS: Final = "regimens"  # group of the tree: what is known of each regimen


def at_doses(
    model: Model | Mapping[str, ExposureResponse],
    posterior: Posterior | Mapping[str, Posterior],
    exposures: Exposures,
    doses: Iterable[float | Regimen],
    *,
    covariates: str | Mapping[str, Any] = AS_OBSERVED,
    n_people: int = 200,
    time: float | Mapping[str, float] | None = None,
    seed: int = 0,
) -> Posterior:
    """Predict each candidate dose or regimen through the exposures that it gives.

    Parameters
    ----------
    model, posterior
        A curve and its fit; the joint model of efficacy and toxicity and its fit; or a mapping from the
        names that a decision uses (``"eff"``, ``"tox"`` or any other) to curves that were fitted apart,
        and one to their fits.
    exposures
        :class:`~doseopt_bayes.prediction.exposures.ObservedExposures`,
        :class:`~doseopt_bayes.prediction.exposures.GivenExposures` or a
        :class:`~doseopt_bayes.prediction.power.PowerModel`.
    doses
        Numbers in the unit of the data, and regimens, studied or not. Where a regimen has a label of
        its own, the coordinate ``regimen`` carries it into decisions.
    covariates
        ``"as observed"``: each person has those of a patient. A mapping sets the named ones for
        everybody.
    n_people
        People in each draw, where exposures are simulated; >= 2.
    time
        Of survival and of expected events, by endpoint or for all; a Weibull curve without one is read
        at its reference time, a count as its rate.
    seed
        Of the people. The same people are given every dose.

    Returns
    -------
    Posterior
        Over the sample dims and ``dose``: ``p_eff`` and ``p_tox`` (or ``p_`` and the name of another
        event), ``p_cell`` of the joint model, and means, rates or survival under the name of the
        endpoint, each averaged over people within each draw; besides the parameters. The group
        ``seen`` counts patients per dose (0: untested), the group ``regimens`` holds labels, exposure
        quantiles, the share of people outside the exposures studied and the error of a finite number of
        people. Diagnostics and notes are those of the fits, so that a decision refuses a failed one.
        Of curves that differ between groups, all of this lies over the groupings too; every group is
        given the same people and exposures.

    Raises
    ------
    DoseOptError
        When models and fits do not match, a metric or covariate is missing, or two regimens have one
        label.

    Notes
    -----
    Averaging people inside a draw gives draws of the population's response, from which every interval,
    probability and rank follows; averaging parameters first would not (the curve bends). Simulated
    people are new in each draw, so that their finite number is part of every Monte Carlo error.
    """
    if groups_of(model):
        options: dict[str, Any] = {"covariates": covariates, "n_people": n_people, "time": time}
        every = tuple(doses)
        return over_groups(
            lambda m, p, x: at_doses(m, p, x, every, **options, seed=seed),
            model,
            posterior,
            exposures,
        )
    if isinstance(n_people, bool) or not isinstance(n_people, int | np.integer) or n_people < 2:
        raise DoseOptError(f"n_people = {n_people!r} must be a whole number >= 2")
    fit = _with_limits(fitted(model, posterior), exposures)
    unit = str(fit.whole.seen[names.DOSE].attrs.get("units", ""))
    regimens = as_regimens(doses, unit)
    given = _given(fit, covariates)
    times = _times(fit, time)
    wanted = {c.covariate for p in fit.parts for c in p.recipe.covariates} - set(given)
    _check_metrics(fit, exposures)
    crowd = Crowd(fit.whole.n_draws, int(n_people), seed, tuple(sorted(wanted)))
    rows = [averaged(fit, exposures.people(r, crowd), r, given, times) for r in regimens]
    treated = [_treated(fit, exposures, r) for r in regimens]
    dose = xr.DataArray(
        list(places(regimens)), dims=names.DOSE, name=names.DOSE, attrs={"units": unit}
    )
    draws = fit.whole.draws.assign(_over_doses(fit, rows)).assign_coords({names.DOSE: dose})
    about = _about(fit, exposures, regimens, rows, treated).assign_coords({names.DOSE: dose})
    seen = _seen(fit, regimens, treated).assign_coords({names.DOSE: dose})
    if any(r.label != f"{r.dose:g} {unit}".rstrip() for r in regimens):
        labels = (names.DOSE, [r.label for r in regimens])
        draws, seen = (d.assign_coords({names.REGIMEN: labels}) for d in (draws, seen))
    groups = {"posterior": draws, "seen": seen, REGIMENS: about}
    if "sample_stats" in fit.whole.tree:
        groups["sample_stats"] = fit.whole.tree["sample_stats"].to_dataset()
    tree = xr.DataTree.from_dict(groups)
    tree.attrs.update(fit.whole.tree.attrs)
    tree.attrs.update(people_seed=int(seed), n_people=int(n_people))
    said = regimen_notes(fit, exposures, regimens, about, draws, times)
    return replace(fit.whole, tree=tree, notes=(*fit.whole.notes, *said))


def _over_doses(fit: Fitted, rows: list[Row]) -> dict[str, xr.DataArray]:
    dims = fit.whole.sample_dims
    shape = tuple(fit.whole.draws.sizes[d] for d in dims)
    found = {}
    for name in rows[0].draws:
        if name in fit.whole.draws:
            raise DoseOptError(f"'{name}' names both an endpoint and a parameter of the fit")
        x = np.stack([row.draws[name] for row in rows], axis=1)
        cells = (names.CELL,) if x.ndim == 3 else ()
        found[name] = xr.DataArray(
            x.reshape(*shape, *x.shape[1:]), dims=(*dims, names.DOSE, *cells)
        )
        if cells:
            found[name] = found[name].assign_coords({names.CELL: list(names.CELLS)})
    return found


def _about(
    fit: Fitted,
    exposures: Exposures,
    regimens: tuple[Regimen, ...],
    rows: list[Row],
    treated: list[int],
) -> xr.Dataset:
    """Lay out what is known of each regimen."""
    columns: dict[str, Any] = {
        "label": [r.label for r in regimens],
        "schedule": [r.schedule for r in regimens],
        "factor": [r.factor for r in regimens],
        "untested": [n == 0 for n in treated],
        names.N_TREATED: treated,
        "people": [row.people for row in rows],
    }
    for part in fit.parts:
        for j, side in enumerate(("below", "above")):
            columns[f"{part.variable}_{side}"] = [row.outside[part.name][j] for row in rows]
        columns[f"{part.variable}_people_error"] = [row.error[part.variable] for row in rows]
    found: dict[str, Any] = {name: (names.DOSE, x) for name, x in columns.items()}
    for metric in rows[0].quantiles:
        x = np.stack([row.quantiles[metric] for row in rows])
        found[f"exposure_{metric}"] = ((names.DOSE, "quantile"), x)
    about = xr.Dataset(found, coords={"quantile": list(LEVELS)})
    about.attrs["exposures"] = "\n".join(exposures.words())
    about.attrs |= {f"{p.variable}_studied": list(p.limits) for p in fit.parts if p.limits}
    return about


def _treated(fit: Fitted, exposures: Exposures, regimen: Regimen) -> int:
    counted = exposures.treated(regimen)
    if counted is not None:
        return counted
    if regimen.factor != 1 or regimen.schedule:
        return 0
    return max(int(n) for n in _at_dose(fit, regimen, names.N_TREATED)[1])


def _at_dose(fit: Fitted, regimen: Regimen, variable: str) -> tuple[list[str], np.ndarray]:
    """Read a count of the fits at a dose, with an entry for each part."""
    label, found = [], []
    for part in fit.parts:
        seen = (fit.whole if fit.joint is not None else part.posterior).seen
        count = seen[variable] if variable in seen else xr.zeros_like(seen[names.N_TREATED])
        if names.ENDPOINT in count.dims:
            own = list(count[names.ENDPOINT].to_numpy())
            key = part.name if part.name in own else part.recipe.endpoint
            count = count.sel({names.ENDPOINT: key})
        same = np.isclose(seen[names.DOSE].to_numpy(), regimen.dose, rtol=1e-6, atol=0)
        label.append(part.name)
        found.append(int(count.to_numpy()[same].sum()))
    return label, np.array(found)


def _seen(fit: Fitted, regimens: tuple[Regimen, ...], treated: list[int]) -> xr.Dataset:
    """Count patients at each regimen, and events where the dose was given as it is."""
    found = {names.N_TREATED: xr.Variable(names.DOSE, np.array(treated, dtype="int64"))}
    label = [part.name for part in fit.parts]
    over = (names.DOSE, names.ENDPOINT)
    for variable in (names.N, names.EVENTS):
        plain = [r.factor == 1 and not r.schedule for r in regimens]
        rows = [_at_dose(fit, r, variable)[1] * p for r, p in zip(regimens, plain, strict=True)]
        found[variable] = xr.Variable(over, np.stack(rows).astype("int64"))
    return xr.Dataset(found, coords={names.ENDPOINT: label})


def _given(fit: Fitted, covariates: str | Mapping[str, Any]) -> dict[str, Any]:
    if isinstance(covariates, Mapping):
        known = sorted({c.covariate for p in fit.parts for c in p.recipe.covariates})
        for name in covariates:
            if name not in known:
                raise DoseOptError(
                    f"no model has a covariate '{name}'", hint=did_you_mean(name, known)
                )
        return dict(covariates)
    if covariates != AS_OBSERVED:
        raise DoseOptError(
            f"covariates = {covariates!r}", hint=f"'{AS_OBSERVED}', or a mapping from name to value"
        )
    return {}


def _with_limits(fit: Fitted, exposures: Exposures) -> Fitted:
    """Take the exposures studied from the exposures' data where a preview does not hold them."""
    data: ExposureData | None = getattr(exposures, "data", None)
    parts = []
    for part in fit.parts:
        limits = part.limits
        if limits is None and data is not None and part.recipe.endpoint in data.endpoints:
            x = part.recipe.read(data)["exposure"].to_numpy()
            limits = float(x.min()), float(x.max())
        parts.append(replace(part, limits=limits))
    return replace(fit, parts=tuple(parts))


def _times(fit: Fitted, time: float | Mapping[str, float] | None) -> dict[str, float | None]:
    known = [p.name for p in fit.parts]
    if isinstance(time, Mapping):
        for name in time:
            if name not in known:
                raise DoseOptError(f"a time for '{name}'", hint=did_you_mean(name, known))
        return {name: time.get(name) for name in known}
    timed = ("count", "time_to_event")
    return {p.name: time if p.recipe.response.kind in timed else None for p in fit.parts}


def _check_metrics(fit: Fitted, exposures: Exposures) -> None:
    for part in fit.parts:
        wanted = part.recipe.exposure
        if wanted not in exposures.metrics and wanted != names.DOSE:
            raise DoseOptError(
                f"{part.name} is a curve of {wanted}; the exposures are of "
                f"{' and '.join(exposures.metrics)}",
                hint="give every metric that the curves read, of the same people",
            )
