"""What past groups say of a new one: its meta-analytic predictive prior, as a mixture of Normals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import arviz_stats as azs
import numpy as np
import xarray as xr
from scipy.special import ndtri

from doseopt_bayes.elicit.fit_mixture import FittedMixture, fit_mixture
from doseopt_bayes.elicit.prior_size import PriorSize, effective_sample_size
from doseopt_bayes.errors import DoseOptError, did_you_mean
from doseopt_bayes.inference.weighted import PARTICLE, Weighted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from doseopt_bayes.inference.posterior import Posterior
    from doseopt_bayes.priors import Mixture

__all__ = ["PredictivePrior", "predictive_prior"]

SEED: Final = 20260101  # of the order in which quantiles of the new group meet the draws


@dataclass(frozen=True, eq=False)
class PredictivePrior:
    """The prior of a parameter of a new group, given the groups that were seen.

    Parameters
    ----------
    prior
        Mixture of Normals, for any model; ``robustify(found.prior)`` allows for a group that differs.
    parameter, group
        Whose it is, in words.
    fit
        How well the mixture stands in for the draws.
    size
        Patients that it is worth.
    notes
        What to know before using it.
    measured
        Whether the parameter is the mean of a measurement; else `size` holds for log-odds.
    """

    prior: Mixture
    parameter: str
    group: str
    fit: FittedMixture
    size: PriorSize
    notes: tuple[str, ...]
    measured: bool = False

    def __str__(self) -> str:
        lines = [f"Predictive prior of {self.parameter} in {self.group}", f"  {self.prior}"]
        scale = "" if self.measured else "as log-odds: "
        lines += [f"  {self.fit}", f"  {scale}{self.size}"]
        return "\n".join([*lines, *(f"  note: {n}" for n in self.notes)])


def predictive_prior(
    post: Posterior,
    parameter: str,
    group: str | Mapping[str, str] | None = None,
    *,
    sd: float | None = None,
) -> PredictivePrior:
    """Return the predictive prior of a parameter in a group, from a hierarchical posterior.

    Parameters
    ----------
    post
        Posterior of a model in which `parameter` is pooled over groups.
    parameter
        Its name, for example ``"level"``.
    group
        A level that was declared and has no patients, or (with several groupings) grouping to level;
        ``None`` for a further group, exchangeable with those of the model, which needs none declared.
    sd
        Standard deviation of one patient's response, where the parameter is the mean of a measurement;
        ``None`` where it is the log-odds of a response. It serves the effective sample size alone.

    Returns
    -------
    PredictivePrior
        1 to 4 Normals, their number chosen as by RBesT's ``automixfit``. The same draws give the same
        prior: of a group that was not declared, Normal quantiles are spread over the draws evenly.

    Raises
    ------
    DoseOptError
        On a parameter or group that the posterior lacks, and on a posterior of many trials.

    Notes
    -----
    Meta-analytic predictive prior: Neuenschwander et al. (2010), Clinical Trials 7, 5-18; mixtures for
    it: Schmidli et al. (2014), Biometrics 70, 1023-1032.
    """
    draws, sample = post.draws, post.sample_dims
    weight = post.weight if isinstance(post, Weighted) else None
    if weight is not None and weight.dims != (PARTICLE,):
        raise DoseOptError(
            "predictive_prior: the posterior is that of many trials", hint="pass post.some([i])"
        )
    if parameter not in draws:
        known = [str(v) for v in draws.data_vars if not str(v).startswith("p_")]
        raise DoseOptError(
            f"the posterior has no '{parameter}'", hint=did_you_mean(parameter, known)
        )
    groupings = [str(d) for d in draws[parameter].dims if d not in sample]
    if not groupings:
        raise DoseOptError(
            f"{parameter} is one number for all groups: there is nothing to predict a new group from",
            hint="give it a Pooled prior over the groups",
        )
    notes: list[str] = []
    if group is None:
        x, where = _further(draws, parameter, groupings, sample), "a further group"
        if "prob_exchangeable" in draws:
            notes.append("the further group is taken to be exchangeable with the others")
    else:
        at = {groupings[0]: group} if isinstance(group, str) else dict(group)
        x, where = _declared(draws, parameter, groupings, at)
        notes += _patients(post, at, where)
    if _is_log(draws, parameter):
        raise DoseOptError(
            f"{parameter} is pooled on the log scale, and a mixture of Normals is no prior of a positive "
            "number",
            hint="predict the parameters that may have any sign, such as level and effect",
        )
    flat = x.transpose(*sample).to_numpy().ravel()
    size = 1 / float((weight**2).sum()) if weight is not None else _effective(x, sample)
    fit = fit_mixture(flat, None if weight is None else weight.to_numpy(), size=size)
    worth = effective_sample_size(fit.prior, sd=sd)
    return PredictivePrior(fit.prior, parameter, where, fit, worth, tuple(notes), sd is not None)


def _declared(
    draws: xr.Dataset, parameter: str, groupings: list[str], at: Mapping[str, str]
) -> tuple[xr.DataArray, str]:
    """Draws of the parameter in one of the model's groups."""
    absent = [g for g in groupings if g not in at]
    if absent or len(at) != len(groupings):
        raise DoseOptError(
            f"{parameter} lies over {', '.join(groupings)}: name one level of each",
            hint="group={" + ", ".join(f"'{g}': ..." for g in groupings) + "}",
        )
    for grouping, level in at.items():
        levels = [str(v) for v in draws[grouping].to_numpy()]
        if level not in levels:
            raise DoseOptError(
                f"{grouping} has no level {level!r}",
                hint=f"{did_you_mean(str(level), levels)} (group=None: one that is not in the model)",
            )
    return draws[parameter].sel(dict(at)), ", ".join(f"{k} {v}" for k, v in at.items())


def _further(
    draws: xr.Dataset, parameter: str, groupings: list[str], sample: tuple[str, ...]
) -> xr.DataArray:
    """Draws of the parameter in a group beyond those of the model."""
    needed = [f"{parameter}_mean", f"{parameter}_tau"]
    name_it = f"name a level of {', '.join(groupings)}: group=..."
    if any(str(v).startswith(f"{parameter}_tau_") for v in draws.data_vars):
        raise DoseOptError(
            f"{needed[1]} differs between strata, so that a further group has none of its own",
            hint="declare the new group, without patients, in its stratum, and name it: group=...",
        )
    if absent := [v for v in needed if v not in draws]:
        raise DoseOptError(
            f"the posterior has no {' and no '.join(absent)}: {parameter} is not pooled by itself",
            hint=name_it,
        )
    mean, tau = (draws[v] for v in needed)
    if set(mean.dims) | set(tau.dims) != set(sample):
        raise DoseOptError(
            f"{parameter} is pooled over several groupings: a further group of which?", hint=name_it
        )
    n = int(np.prod([draws.sizes[d] for d in sample]))
    z = ndtri((np.random.default_rng(SEED).permutation(n) + 0.5) / n)
    shaped = xr.DataArray(z.reshape([draws.sizes[d] for d in sample]), dims=sample)
    return mean + tau * shaped


def _is_log(draws: xr.Dataset, parameter: str) -> bool:
    """Whether groups are the centre times a factor: told by their standardised distances from it."""
    x, parts = draws[parameter], [f"{parameter}_{part}" for part in ("mean", "tau", "offset")]
    if not float(x.min()) > 0 or not float(draws.get(parts[0], xr.zeros_like(x)).min()) > 0:
        return False
    if any(v not in draws for v in parts):
        return True  # positive throughout, and nothing says that it could be otherwise
    mean, tau, offset = (draws[v] for v in parts)
    return bool(abs(x - mean - tau * offset).max() > 1e-6 * abs(x).max())


def _patients(post: Posterior, at: Mapping[str, str], where: str) -> list[str]:
    """Say when the group has patients of its own: its posterior is then no longer a prior from others."""
    seen = post.tree["seen"].to_dataset() if "seen" in post.tree.children else xr.Dataset()
    if "n_treated" not in seen or not set(at) <= set(seen["n_treated"].dims):
        return []
    n = int(seen["n_treated"].sel(dict(at)).sum())
    if n == 0:
        return []
    return [
        f"{where} has {n} patients of its own, which this prior has seen: do not use it for them again"
    ]


def _effective(x: xr.DataArray, sample: tuple[str, ...]) -> float:
    found: Any = azs.ess(x.to_dataset(name="x"), sample_dims=list(sample))
    return max(1.0, float(found["x"]))
