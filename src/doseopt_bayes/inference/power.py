"""Power-scaling: what the posterior would be under a weaker or stronger prior or likelihood."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import arviz_stats as azs
import numpy as np
import xarray as xr

from doseopt_bayes.errors import DoseOptError
from doseopt_bayes.inference.compiled import strict_floats
from doseopt_bayes.inference.fingerprint import refuse_another
from doseopt_bayes.models.exnex import SELECTOR
from doseopt_bayes.priors import Pooled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from doseopt_bayes.data.trial import TrialData
    from doseopt_bayes.inference.posterior import Posterior
    from doseopt_bayes.models.base import DoseModel

__all__ = ["ALPHAS", "log_densities", "power_sense", "power_weights"]

ALPHAS: Final = (0.8, 1.25)
FLAT: Final = 1e-12  # a log density that moves by less is a constant
COMPONENTS: Final = ("prior", "likelihood")


def log_densities(post: Posterior, model: DoseModel, data: TrialData) -> xr.Dataset:
    """Log prior and log likelihood of each draw, from the graph that was sampled.

    Parameters
    ----------
    post
        Posterior of `model` given `data`; its draws are not changed.
    model, data
        What was fitted, to what.

    Returns
    -------
    xarray.Dataset
        ``prior`` and ``likelihood`` over the sample dims, natural logarithms. The prior is the joint
        density of the free parameters on their own scale, without the Jacobian of any transform; of a
        hierarchy it is that of centres and standard deviations between groups, as the groups' distances
        from their centre are no prior that somebody stated. The likelihood is the sum over all observed
        nodes.

    Raises
    ------
    DoseOptError
        When model or data are not those of the posterior, a free parameter was not kept, or the model
        has potentials, which are neither prior nor likelihood.
    """
    from pymc.stats import compute_log_likelihood, compute_log_prior  # noqa: PLC0415

    fitted = post.tree.attrs.get("data_sha256")
    if fitted and data.sha256 and fitted != data.sha256:
        raise DoseOptError(
            "these data are not the data of the posterior (their SHA-256 sums differ)",
            hint="pass the TrialData that was fitted",
        )
    built = model.build(data)
    refuse_another(post.tree.attrs, str(model), built)
    if built.potentials:
        raise DoseOptError(
            "the model has potentials, which are neither prior nor likelihood",
            hint="power-scaling needs a model whose terms are one or the other",
        )
    free = [v.name for v in built.free_RVs]
    missing = [name for name in free if name not in post.draws]
    if missing:
        raise DoseOptError(f"the posterior has no draws of {', '.join(missing)}")
    tree = xr.DataTree.from_dict({"posterior": post.draws[free]})
    settings: dict[str, Any] = {
        "model": built, "extend_inferencedata": False, "progressbar": False,
        "sample_dims": list(post.sample_dims),
    }  # fmt: skip
    with strict_floats():
        prior = compute_log_prior(tree, var_names=_stated(model, free), **settings)
        likelihood = compute_log_likelihood(tree, **settings)
    return xr.Dataset({"prior": _total(post, prior), "likelihood": _total(post, likelihood)})


def _stated(model: DoseModel, free: Sequence[str]) -> list[str]:
    """Return the free parameters whose prior is stated: neither distances from a centre nor choosers."""
    priors = getattr(model, "priors", {})  # of a model that is not ours all are
    over = [n for n, p in priors.items() if isinstance(p, Pooled)]
    inside = {SELECTOR, *(f"{n}_offset" for n in over), *(f"{n}_mean_offset" for n in over)}
    # centred groups are themselves such distances
    inside |= {n for n in over if priors[n].centred}
    return [n for n in free if n not in inside]


def _total(post: Posterior, group: xr.Dataset) -> xr.DataArray:
    dims = post.sample_dims
    parts = [x.sum([d for d in x.dims if d not in dims]) for x in group.data_vars.values()]
    total: xr.DataArray = sum(parts, xr.zeros_like(parts[0]))
    return total.transpose(*dims).drop_vars([c for c in total.coords if c not in dims])


def power_weights(
    post: Posterior, densities: xr.Dataset, *, alphas: Sequence[float] = ALPHAS
) -> xr.Dataset:
    """Importance weights of the draws for prior^alpha and for likelihood^alpha.

    Parameters
    ----------
    post
        The posterior.
    densities
        Result of :func:`log_densities`.
    alphas
        Powers > 0: below 1 weakens, above 1 strengthens.

    Returns
    -------
    xarray.Dataset
        Over ``component`` (prior, likelihood) and ``alpha``: ``weight`` (also over the sample dims,
        sum 1, Pareto-smoothed), ``khat`` (shape of their tail), ``ess`` (1 / sum of squared weights)
        and ``reliable``: k-hat at most min(0.7, 1 - 1 / log10(draws)).

    Raises
    ------
    DoseOptError
        On an alpha that is not > 0.

    Notes
    -----
    Kallioinen et al. (2024); Vehtari et al. (2024) for Pareto smoothing and its limit.
    """
    if not all(math.isfinite(a) and a > 0 for a in alphas):
        raise DoseOptError(f"alphas {tuple(alphas)} must be > 0", hint="1 leaves all as it is")
    rows = []
    for component in COMPONENTS:
        cells = [_smoothed(post, (alpha - 1) * densities[component]) for alpha in alphas]
        rows.append(xr.concat(cells, dim="alpha"))
    found = xr.concat(rows, dim="component")
    found = found.assign_coords(component=list(COMPONENTS), alpha=[float(a) for a in alphas])
    limit = min(0.7, 1 - 1 / math.log10(post.n_draws))
    found["reliable"] = found["khat"] <= limit
    found.attrs["khat_limit"] = limit
    return found


def _smoothed(post: Posterior, log_ratio: xr.DataArray) -> xr.Dataset:
    dims = list(post.sample_dims)
    ratio: xr.DataArray = np.exp(log_ratio - log_ratio.max())  # type: ignore[assignment]
    if float(log_ratio.max() - log_ratio.min()) < FLAT:  # nothing to scale, no tail to fit
        smooth, khat = log_ratio, -math.inf
    else:
        ess = float(azs.ess(ratio.to_dataset(name="x"), sample_dims=dims, method="mean")["x"])
        relative = min(1.0, ess / post.n_draws) if math.isfinite(ess) else 1.0
        try:
            # ArviZ expects a log-likelihood here and turns its sign itself
            smooth, shape = (-log_ratio).azstats.psislw(dim=dims, r_eff=relative)
            khat = float(shape)
        except ValueError:  # a tail of equal weights has no shape
            smooth, khat = log_ratio, math.inf
    scaled: xr.DataArray = np.exp(smooth - smooth.max())  # type: ignore[assignment]
    weight = (scaled / scaled.sum()).transpose(*dims)
    return xr.Dataset({"weight": weight, "khat": khat, "ess": 1 / (weight**2).sum()})


def power_sense(post: Posterior, densities: xr.Dataset, quantities: xr.Dataset) -> xr.Dataset:
    """Power-scaling sensitivity of each quantity: gradient of its distribution at power 1.

    Parameters
    ----------
    post, densities
        As in :func:`power_weights`.
    quantities
        Draws of what is asked about, for example ``p_tox`` over the sample dims and ``dose``.

    Returns
    -------
    xarray.Dataset
        The variables of `quantities` over ``component`` and their other dims, without unit. Above
        0.05 for both components: potential conflict of prior and data; above 0.05 for the prior
        alone: strong prior or weak likelihood.

    Notes
    -----
    ``arviz_stats.psense`` of Kallioinen et al. (2024): cumulative Jensen-Shannon distance per doubling
    of the power, from powers 0.99 and 1.01.
    """
    tree = xr.DataTree.from_dict(
        {
            "posterior": quantities,
            "log_prior": densities[["prior"]],
            "log_likelihood": densities[["likelihood"]],
        }
    )
    dims = list(post.sample_dims)
    moves = quantities.max(dims) > quantities.min(dims)  # a constant has no distribution to move
    found = []
    for component in COMPONENTS:
        logs = densities[component]
        if float(logs.max() - logs.min()) < FLAT:  # nothing to scale
            found.append(xr.zeros_like(quantities.mean(dims)))
            continue
        with np.errstate(invalid="ignore"):
            sense = azs.psense(tree, group=component, sample_dims=dims, alphas=(0.99, 1.01))
        found.append(sense.where(moves, 0.0))
    return xr.concat(found, dim="component").assign_coords(component=list(COMPONENTS))
