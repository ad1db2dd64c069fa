"""The maximum tolerated dose (MTD) beside the optimal biological dose: the same draws, toxicity alone."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import xarray as xr

from doseopt_bayes import names
from doseopt_bayes.decision import prose
from doseopt_bayes.decision.rules import RESOLVED, Rule, Tolerable

if TYPE_CHECKING:
    from doseopt_bayes.inference.posterior import Posterior

__all__ = ["caution_mtd", "maximum_tolerated", "toxicity_limit", "words_mtd"]


def toxicity_limit(rules: Rule) -> float | None:
    """Return the lowest limit of the rules ``Tolerable``, or ``None`` when there is none.

    Examples
    --------
    >>> toxicity_limit(Tolerable(0.3, 0.1) & Tolerable(0.4, 0.8)), toxicity_limit(Rule())
    (0.3, None)
    """
    return min((r.limit for r in rules.leaves if isinstance(r, Tolerable)), default=None)


def maximum_tolerated(post: Posterior, rules: Rule) -> xr.Dataset:
    """Find the MTD: the highest candidate dose that, like every lower one, has p_tox <= limit.

    Parameters
    ----------
    post
        Posterior with ``p_tox``; one without it has no MTD.
    rules
        The limit is the lowest one of its ``Tolerable``; without one there is no MTD. Other rules and
        the certainty play no part: the MTD is an estimate of toxicity, not a recommendation.

    Returns
    -------
    xarray.Dataset
        ``prob_mtd`` over ``dose``: Pr(this dose is the MTD), judged in each draw; ``prob_mtd_none``:
        Pr(no candidate dose is tolerable); together they sum to 1. ``mtd``: the dose, in its unit, by
        the posterior means of p_tox; NaN when the lowest dose is above the limit. ``mtd_resolved``:
        whether that would stand if each mean moved by 3 Monte Carlo standard errors. ``mtd_limit``.
        Probabilities have their error in ``_mcse``. No variables when there is no MTD.

    Notes
    -----
    On a monotone curve the MTD is the dose of target toxicity (Babb, Rogatko and Zacks 1998); among
    candidate doses this takes the highest one not above it. The continual reassessment method
    (O'Quigley, Pepe and Fisher 1990) takes the nearest one instead, which may be above. "Like every
    lower one" says what it means when the model lets toxicity fall with dose.
    """
    limit = toxicity_limit(rules)
    if limit is None or names.P_TOX not in post.draws:
        return xr.Dataset()
    tox = post[names.P_TOX]
    here, lowest = _highest(tox <= limit)
    mean, error = post.expect(tox), post.mcse(tox)
    found, _ = _highest(mean <= limit)
    # doses above the first one that fails cannot change it
    matter = _all_lower(mean <= limit)
    firm = (abs(mean - limit) > RESOLVED * error) | ~matter
    return xr.Dataset(
        {
            "prob_mtd": post.prob(here),
            "prob_mtd_mcse": post.mcse(here),
            "prob_mtd_none": post.prob(~lowest),
            "prob_mtd_none_mcse": post.mcse(~lowest),
            "mtd": mean[names.DOSE].where(found).max(names.DOSE),
            "mtd_resolved": firm.all(names.DOSE),
            "mtd_limit": limit,
        }
    )


def _all_lower(tolerable: xr.DataArray) -> xr.DataArray:
    """Mark the doses whose lower doses are all tolerable; the lowest dose always."""
    failed = (~tolerable).cumsum(names.DOSE)
    return failed.shift({names.DOSE: 1}, fill_value=0) == 0


def _highest(tolerable: xr.DataArray) -> tuple[xr.DataArray, xr.DataArray]:
    """Mark the highest dose that is tolerable like every lower one; and whether the lowest one is."""
    upto = tolerable & _all_lower(tolerable)
    here = upto & ~upto.shift({names.DOSE: -1}, fill_value=False)
    return here, upto.isel({names.DOSE: 0}, drop=True)


def words_mtd(table: xr.Dataset, leading: float) -> list[str]:
    """Set the MTD of a table without extra dims beside its leading dose, in one sentence."""
    if "mtd" not in table:
        return []
    mtd, limit = float(table["mtd"]), float(table["mtd_limit"])
    if math.isnan(mtd):
        p = prose.probability(float(table["prob_mtd_none"]))
        found = f"none of the candidate doses (Pr {p})"
    else:
        p = prose.probability(float(table["prob_mtd"].sel({names.DOSE: mtd})))
        found = f"{prose.with_unit(mtd, table)} (Pr {p})"
    found += "" if bool(table["mtd_resolved"]) else ", not resolved by these draws"
    if "protocol_cap" in table and mtd > float(table["protocol_cap"]):
        found += ", above the protocol cap"
    best = "none"
    if not math.isnan(leading):
        side = "equal to" if leading == mtd else "below" if leading < mtd else "above"
        open_ = bool(table["rival"].any() | table["contested_rule"].any())
        best = prose.with_unit(leading, table) + " (leading, not resolved)" * open_
        best += "" if math.isnan(mtd) else f", {side} the MTD"
    what = f"highest dose that, like every lower one, has mean p_tox <= {limit:g}"
    # without efficacy there is no optimal biological dose to speak of
    beside = "OBD" if names.P_EFF in table else "chosen by the criterion"
    return [f"MTD ({what}): {found}; {beside}: {best}."]


def caution_mtd(table: xr.Dataset, leading: float) -> list[str]:
    """Say of a table without extra dims that the mean toxicity of its leading dose is above the limit."""
    if "mtd" not in table or math.isnan(leading):
        return []
    limit = float(table["mtd_limit"])
    row = table.sel({names.DOSE: leading})
    mean, mcse = float(row[names.P_TOX]), float(row[f"{names.P_TOX}_mcse"])
    if mean <= limit:
        return []
    return [
        (
            f"The mean p_tox of {prose.with_unit(leading, table)}, {prose.precise(mean)} (MCSE "
            f"{prose.error(mcse)}), is above the limit of {limit:g}: it lies above the MTD, and the "
            "rules admit it all the same."
        )
    ]
