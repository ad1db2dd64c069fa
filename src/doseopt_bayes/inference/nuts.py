"""Fit by NUTS on an explicit, recorded sampler, with refits that are logged and never hidden."""

from __future__ import annotations

import secrets
from dataclasses import replace
from importlib import metadata
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
import xarray as xr

from doseopt_bayes import names
from doseopt_bayes.errors import DoseOptError, did_you_mean
from doseopt_bayes.inference.checks import diagnose
from doseopt_bayes.inference.compiled import Compiled, compiled_for, strict_floats
from doseopt_bayes.inference.fingerprint import fingerprint
from doseopt_bayes.inference.heterogeneity import group_attributes, heterogeneity_notes
from doseopt_bayes.inference.identify import identify
from doseopt_bayes.inference.posterior import Posterior, probabilities
from doseopt_bayes.inference.prior import PRIOR_DRAWS, prior_warnings
from doseopt_bayes.models.exposure_response import ExposureResponse
from doseopt_bayes.models.joint_exposure import JointExposureResponse
from doseopt_bayes.models.tallied import counts_for
from doseopt_bayes.priors import Pooled, parameter_names

if TYPE_CHECKING:
    from collections.abc import Callable

    from doseopt_bayes.data.arm_records import ArmRecords
    from doseopt_bayes.data.exposure import ExposureData
    from doseopt_bayes.data.trial import TrialData
    from doseopt_bayes.models.base import Recipe

__all__ = ["SAMPLERS", "fit", "known_parameters", "quantities"]

CURVES: Final = (ExposureResponse, JointExposureResponse)
Sampler = Literal["nutpie", "pymc"]
SAMPLERS: Final[tuple[Sampler, ...]] = ("nutpie", "pymc")
DRAWS: Final = 2000  # per chain
MAX_DRAWS: Final = 64_000  # over all chains; beyond it a close call is reported as not resolved
FEW_GROUPS: Final = 4  # up to so many, a fit of curves by group diverges at larger steps
STEPS: Final = (0.9, 0.95, 0.99)  # target acceptance of the fit and of its two refits
PACKAGES: Final = ("doseopt-bayes", "pymc", "pytensor", "nutpie", "arviz", "numpy", "xarray")


def fit(
    model: Recipe,
    data: TrialData | ExposureData | ArmRecords,
    *,
    seed: int | None = None,
    sampler: Sampler = "nutpie",
    draws: int = DRAWS,
    tune: int = 1000,
    chains: int = 4,
    enough: Callable[[Posterior], bool] | None = None,
) -> Posterior:
    """Sample the posterior of `model` given `data`.

    Parameters
    ----------
    model
        The recipe, for example :class:`~doseopt_bayes.models.efftox.EffTox`, or a curve of exposure,
        :class:`~doseopt_bayes.models.exposure_response.ExposureResponse`.
    data
        Trial data with the same candidate doses; exposure data for a curve of exposure; records of
        arms for grades, counts of events and times to a first event.
    seed
        Non-negative integer; the same seed, versions and processor give the same bits. ``None``
        draws one, records it and says so.
    sampler
        ``"nutpie"`` or ``"pymc"``; recorded in the result.
    draws, tune, chains
        Draws and tuning steps per chain, and the number of chains. The gate asks for at least
        1000 draws in each of 4 chains.
    enough
        Called on a posterior that passed the gate: whether its Monte Carlo error suffices. While it
        says no, the draws are quadrupled, up to 64,000 in all.

    Returns
    -------
    Posterior
        With its diagnostics; look at ``.check()``. A fit that diverges is repeated at target
        acceptance 0.95 and 0.99, where a hierarchy starts at once; one that is too short with up to four
        times the draws. Each attempt is listed in ``.notes``.

    Raises
    ------
    DoseOptError
        On an unknown sampler, a seed that is not an integer, or data that do not fit the model.
    """
    if sampler not in SAMPLERS:
        raise DoseOptError(f"unknown sampler '{sampler}'", hint=did_you_mean(sampler, SAMPLERS))
    notes = []
    if seed is None:
        seed = secrets.randbelow(2**31)
        notes.append(f"no seed was given: {seed} was drawn")
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
        raise DoseOptError(
            f"seed = {seed!r} is not a non-negative integer", hint="pass seed=1, not text"
        )
    compiled = compiled_for(model, data)
    # the curve's parameters stay correlated: adapting to that gives several times the ESS
    metric = "low_rank" if isinstance(model, CURVES) else "diag"
    run = _sampler(compiled, sampler, metric, tune=tune, chains=chains, seed=int(seed))
    step = _first_step(model)
    length = draws
    while True:
        raw = run(length, STEPS[step])
        posterior = _posterior(raw, model, compiled.model, data)
        diagnostics = posterior.diagnostics
        said = f"{chains} x {length} draws at target acceptance {STEPS[step]}"
        if diagnostics.passed:
            longer = min(4 * length, MAX_DRAWS // chains)
            if enough is None or longer <= length or enough(posterior):
                break
            notes.append(f"{said}: not enough to decide; {longer} draws per chain instead")
            length = longer
        elif diagnostics.diverged and step + 1 < len(STEPS):
            notes.append(f"{said}: {'; '.join(map(str, diagnostics.failures))}; refitted")
            step += 1
        elif diagnostics.too_short and length < 4 * draws:
            notes.append(f"{said}: {'; '.join(map(str, diagnostics.failures))}; draws x 2")
            length *= 2
        else:
            break
    tree = posterior.tree
    people = isinstance(model, CURVES)  # a prior draw of each patient takes memory
    prior = compiled.forward(PRIOR_DRAWS // 4 if people else PRIOR_DRAWS, int(seed))
    for group in ("prior", "prior_predictive", "observed_data", "constant_data"):
        tree[group] = prior[group]
    notes += [*_apart(model, data), *data.notes, *_findings(model, data, posterior)]
    tree.attrs.update(
        sampler=sampler, seed=int(seed), tune=tune, chains=chains, draws=length,
        target_accept=STEPS[step], model=str(model), model_fingerprint=fingerprint(compiled.model),
        data_source=data.source, data_sha256=data.sha256,
        **{f"version_{p.replace('-', '_')}": metadata.version(p) for p in PACKAGES},
    )  # fmt: skip
    return replace(posterior, notes=tuple(notes))


def _first_step(model: Recipe) -> int:
    """Start groups that borrow with short steps: the spread between few of them bends the posterior."""
    if not isinstance(model, CURVES):  # tests/validation/hierarchy_sampling.py
        return 2 if any(isinstance(p, Pooled) for p in model.priors.values()) else 0
    groups = model.groups if isinstance(model, ExposureResponse) else {}
    few = [g for g, levels in groups.items() if len(levels) <= FEW_GROUPS]
    return 2 if few else int(bool(groups))


def _apart(model: Recipe, data: Any) -> list[str]:
    """Say which endpoints only the model or only the data have; a curve of exposure reads one alone."""
    if isinstance(model, CURVES):
        return []
    absent = [e for e in model.endpoints if e not in data.endpoints]
    unread = [e for e in data.endpoints if e not in model.endpoints]
    adds = " (others = [...] adds it)" if hasattr(model, "others") else ""
    return [
        *(f"{e}: not in the data, so that what is said of it is the prior" for e in absent),
        *(f"{e}: in the data, but not in the model{adds}" for e in unread),
    ]


def _findings(model: Recipe, data: Any, posterior: Posterior) -> tuple[str, ...]:
    """Say what the data contradict or cannot tell."""
    if isinstance(model, JointExposureResponse):
        found = []
        for name, one in model.parts.items():
            tree = xr.DataTree.from_dict({"posterior": model.draws_of(posterior.draws, name)})
            part = replace(posterior, tree=tree, parameters=tuple(one.priors))
            found += [f"{name}: {said}" for said in identify(one, data, part)]
        return tuple(found)
    if isinstance(model, ExposureResponse):
        return identify(model, data, posterior)
    return (*prior_warnings(posterior.tree), *heterogeneity_notes(model, data, posterior))


def _sampler(
    compiled: Compiled, sampler: Sampler, metric: str, *, tune: int, chains: int, seed: int
) -> Callable[[int, float], xr.DataTree]:
    """Return a function (draws, target acceptance) -> tree."""
    if sampler == "nutpie":
        import nutpie  # noqa: PLC0415

        program = compiled.nuts()
        return lambda draws, target: nutpie.sample(
            program, draws=draws, tune=tune, chains=chains, seed=seed,
            target_accept=target, save_warmup=False, progress_bar=False, adaptation=metric,
        )  # fmt: skip
    import pymc as pm  # noqa: PLC0415

    def run(draws: int, target: float) -> xr.DataTree:
        with strict_floats(), compiled.model:
            tree: xr.DataTree = pm.sample(
                draws, tune=tune, chains=chains, random_seed=seed, target_accept=target,
                nuts_sampler="pymc", progressbar=False, compute_convergence_checks=False, cores=1,
            )  # fmt: skip
        return tree

    return run


def quantities(recipe: Recipe, draws: xr.Dataset) -> tuple[str, ...]:
    """Return what the gate looks at: every free parameter, and the probability of every endpoint."""
    return tuple(dict.fromkeys([*known_parameters(recipe, draws), *probabilities(draws)]))


def known_parameters(recipe: Recipe, draws: xr.Dataset) -> tuple[str, ...]:
    """Return the parameters with a prior, those of a hierarchy included, as the draws have them."""
    found = []
    for name in parameter_names(recipe.priors):
        either = [name] if name in draws else [f"{name}_exchangeable", f"{name}_apart"]
        found += either
    return tuple(found)


def _posterior(raw: xr.DataTree, recipe: Recipe, model: Any, data: Any) -> Posterior:
    draws = raw["posterior"].to_dataset()
    stats = raw["sample_stats"].to_dataset()
    # texts and Nones: they cannot be written to netCDF (PyMC issue 8321)
    stats = stats.drop_vars([v for v in stats.data_vars if stats[v].dtype == object])
    draws = draws.assign_coords({d: list(model.coords[d]) for d in draws.dims if d in model.coords})
    if isinstance(recipe, CURVES):
        seen = recipe.seen(data)
    else:
        draws[names.DOSE].attrs["units"] = recipe.unit
        # the data's doses may differ from the model's in the last bits, and labels must align
        counts = counts_for(recipe, data)  # type: ignore[arg-type]  # a curve has been dealt with
        seen = counts.assign_coords({names.DOSE: draws[names.DOSE]})
    parameters = known_parameters(recipe, draws)
    diagnostics = diagnose(draws, stats, quantities(recipe, draws))
    tree = xr.DataTree.from_dict({"posterior": draws, "sample_stats": stats, "seen": seen})
    tree.attrs.update(group_attributes(recipe, data.notes))  # what judges these draws reads them
    return Posterior(tree, parameters, diagnostics)
