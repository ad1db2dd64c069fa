"""What the data say about the differences between groups, and what only the prior says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from doseopt_bayes import names
from doseopt_bayes.models.tallied import groups_of
from doseopt_bayes.priors import Pooled, Unpooled, groupings_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from doseopt_bayes.data.exposure import ExposureData
    from doseopt_bayes.data.trial import TrialData
    from doseopt_bayes.inference.posterior import Posterior
    from doseopt_bayes.models.base import Recipe

__all__ = ["group_attributes", "heterogeneity_notes", "tau_ratios"]

UNLEARNT: Final = (
    0.8  # posterior sd of tau over its prior sd above which the prior is all that is known
)
NODES: Final = 20_000  # of the midpoint rule for the sd of a prior


def tau_ratios(model: Recipe, posterior: Posterior) -> dict[str, float]:
    """Posterior over prior standard deviation of each standard deviation between groups.

    Parameters
    ----------
    model, posterior
        The recipe, and its posterior.

    Returns
    -------
    dict
        Name of the parameter (``eff_intercept_tau``) to the ratio; near 1 the data say nothing of it.
        NaN when the prior has no finite standard deviation.
    """
    found = {}
    for name, prior in model.priors.items():
        level: Any = prior
        above = name
        while isinstance(level, Pooled):
            for tau in level.tau_names(above):
                stratum = tau.removeprefix(f"{above}_tau").removeprefix("_")
                spread = _sd(level.tau_of.get(stratum, level.tau))
                x = posterior[tau]
                variance = posterior.expect((x - posterior.expect(x)) ** 2)  # particles by weight
                found[tau] = float(variance) ** 0.5 / spread
            level, above = level.mean, f"{above}_mean"
    return found


def _sd(prior: Any) -> float:
    u = (np.arange(NODES) + 0.5) / NODES
    x = np.array([prior.quantile(float(q)) for q in u[:: NODES // 2000]])
    tails = [prior.quantile(q) for q in (0.999, 0.9999)]
    # the sd of a half-Cauchy grows without end: its far quantiles do too
    return float("nan") if tails[1] > 5 * tails[0] else float(x.std())


def heterogeneity_notes(
    model: Recipe, data: TrialData | ExposureData, posterior: Posterior
) -> list[str]:
    """Say which groups have no or few patients, and which heterogeneity is only its prior.

    Parameters
    ----------
    model, data, posterior
        What was fitted, to what, and the result.
    """
    groups = groups_of(model)
    if not groups:
        dropped = list(getattr(data, "groups", {}))
        return [
            f"{g}: in the data, not in the model: all groups are added up (groups = ... keeps them)"
            for g in dropped
        ]
    treated = posterior.seen[names.N_TREATED]
    said = [
        f"{g}: in the data, not in the model: its groups are added up"
        for g in data.groups
        if g not in groups
    ]
    ratios = tau_ratios(model, posterior)
    for grouping, levels in groups.items():
        n = treated.sum([d for d in treated.dims if d != grouping])
        each = {v: int(n.sel({grouping: v})) for v in levels}
        said += [
            f"{grouping} '{v}': no patients; what is said of it is borrowed, or its prior"
            for v, k in each.items()
            if not k
        ]
        pooled = [p for p, prior in model.priors.items() if _over(prior, grouping)]
        few = [v for v, k in each.items() if k == 1]
        if pooled and (sum(k > 0 for k in each.values()) < 2 or few):
            why = f"one patient alone in {', '.join(few)}" if few else "patients in one group alone"
            said.append(f"{grouping}: {why}: how much groups differ is hardly seen in the data")
    said += [
        f"{tau}: its posterior sd is {ratio:.2f} of its prior sd: how much groups borrow rests on that "
        "prior"
        for tau, ratio in ratios.items()
        if not ratio < UNLEARNT
    ]
    return said


def _over(prior: Any, grouping: str) -> bool:
    return isinstance(prior, Pooled) and grouping in prior.dims


def group_attributes(model: Recipe, notes: Sequence[str]) -> dict[str, str]:
    """Return what outputs must know of the groups: which there are, and over which some prior pools.

    Parameters
    ----------
    model
        The recipe.
    notes
        What was said of the data when they were read.
    """
    groups = groups_of(model)
    if not groups:
        return {}
    priors = model.priors.values()
    pooled = [g for g in groups if any(_over(p, g) for p in priors)]
    # a grouping over which nothing differs is pooled altogether
    apart = {g for p in priors if isinstance(p, Unpooled) for g in groupings_of(p)}
    if not getattr(model, "by_itself", False):
        pooled += [g for g in groups if g not in pooled and g not in apart]
    return {
        "groupings": ",".join(groups),
        "pooled_over": ",".join(pooled),
        "groups_declared": "no" if "not pre-specified" in " ".join(notes) else "yes",
    }
