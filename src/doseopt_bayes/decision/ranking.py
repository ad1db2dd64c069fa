"""How sure the ranking is: probabilities of ranks, pairs of doses, regret and the credible set.

All functions are pure in (posterior, draws of utility, eligible doses) and agree with the decision:
only eligible doses compete, and of equal doses the lower one comes first. Dims other than chain, draw
and dose ride along. A utility that is not a number and a level that is no probability are refused
with a DoseOptError.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import xarray as xr

from doseopt_bayes import names
from doseopt_bayes.decision.criteria import best_in_each_draw
from doseopt_bayes.decision.prose import error, probability
from doseopt_bayes.errors import DoseOptError
from doseopt_bayes.inference.levels import group_stamps, label

if TYPE_CHECKING:
    from collections.abc import Iterator

    from doseopt_bayes.inference.posterior import Posterior

__all__ = [
    "OTHER",
    "RANK",
    "Ranking",
    "credible_set",
    "expected_regret",
    "pairwise",
    "rank_acceptability",
    "rank_doses",
]

OTHER: Final = "other_dose"
RANK: Final = "rank"


@dataclass(frozen=True, eq=False)
class Ranking:
    """Everything about ranks, each number with its Monte Carlo error in the variable of suffix _mcse.

    Parameters
    ----------
    table
        ``rank_prob`` (dose, rank): probability of each rank. ``better`` (dose, other_dose): probability
        that `dose` is worth more than `other_dose`. ``regret`` (dose): mean utility lost against the
        best eligible dose of each draw. ``prob_obd`` (dose): probability of the first rank.
        ``in_set`` (dose): whether the dose belongs to the credible set. ``set_prob``: probability that
        the best dose lies in the set. ``eligible`` (dose). NaN at doses that are not eligible, and on
        the diagonal of ``better``. Attribute ``stamps``: that tiny subgroups are ranked without pooling.
    level
        Probability that the credible set must reach.
    """

    table: xr.Dataset
    level: float

    def __str__(self) -> str:
        """Say the credible set in a sentence, for each combination of extra dims."""
        said = ((label(at), _say_set(part, self.level)) for at, part in _each(self.table))
        above = [s for s in str(self.table.attrs.get("stamps", "")).split("\n") if s]
        return "\n".join([*above, *(f"{who}: {text}" if who else text for who, text in said)])


def _each(table: xr.Dataset) -> Iterator[tuple[dict[str, object], xr.Dataset]]:
    extra = [str(d) for d in table["set_prob"].dims]
    for labels in itertools.product(*(table[d].to_numpy() for d in extra)):
        at = dict(zip(extra, labels, strict=True))
        yield at, table.sel(at)


def _say_set(table: xr.Dataset, level: float) -> str:
    doses = table[names.DOSE].to_numpy()[table["in_set"].to_numpy()]
    if not doses.size:
        return "No dose is eligible: there is no credible set."
    said = ", ".join(f"{d:g}" for d in doses)
    p, mcse = float(table["set_prob"]), float(table["set_prob_mcse"])
    return (
        f"Smallest set of doses that holds the best one with probability >= {level:g}: {said} "
        f"(probability {probability(p)}, MCSE {error(mcse)})."
    )


def rank_acceptability(post: Posterior, u: xr.DataArray, eligible: xr.DataArray) -> xr.DataArray:
    """Probability of each rank of each dose among the eligible ones.

    Parameters
    ----------
    post, u
        The posterior, and the utility of each of its draws and doses.
    eligible
        Boolean, over dose: which doses compete.

    Returns
    -------
    xarray.DataArray
        Over dose and rank (1 is best). Each eligible dose's row sums to 1, and so does each rank's
        column up to the number of eligible doses. NaN at doses that are not eligible.

    Notes
    -----
    Rank acceptability of Lahdelma and Salminen (2001), over the posterior instead of weights.
    """
    return post.prob(_rank_events(u, eligible)).where(eligible)


def pairwise(post: Posterior, u: xr.DataArray, eligible: xr.DataArray) -> xr.DataArray:
    """Probability that one dose is worth more than another.

    Parameters
    ----------
    post, u, eligible
        As in `rank_acceptability`.

    Returns
    -------
    xarray.DataArray
        Over dose and other_dose; with its transpose it sums to 1. A draw in which both are worth the
        same counts for the lower dose. NaN on the diagonal and at doses that are not eligible.
    """
    return post.prob(_beats(_checked(u))).where(_pairs(eligible))


def expected_regret(post: Posterior, u: xr.DataArray, eligible: xr.DataArray) -> xr.DataArray:
    """Posterior mean of the utility lost against the best eligible dose of each draw.

    Parameters
    ----------
    post, u, eligible
        As in `rank_acceptability`.

    Returns
    -------
    xarray.DataArray
        Over dose, >= 0, in units of the utility. NaN at doses that are not eligible.
    """
    return post.expect(_regret(u, eligible)).where(eligible)


def credible_set(
    post: Posterior, u: xr.DataArray, eligible: xr.DataArray, *, level: float = 0.9
) -> tuple[xr.DataArray, xr.DataArray]:
    """Smallest set of doses that holds the best eligible one with probability >= `level`.

    Parameters
    ----------
    post, u, eligible
        As in `rank_acceptability`.
    level
        Probability that the set must reach, in (0, 1).

    Returns
    -------
    tuple of xarray.DataArray
        Whether each dose belongs to the set (none does when none is eligible), and the probability
        that the best dose lies in it. Doses enter by falling Pr(OBD), the lower of equal ones first.
    """
    if not 0 < level < 1:
        raise DoseOptError(f"level = {level!r} must lie strictly between 0 and 1")
    p = post.prob(best_in_each_draw(_checked(u), eligible))
    # the mass of all doses that enter before a dose; sums of decimals may miss the level by 1e-16
    before = p.where(_beats(p)).sum(names.DOSE).rename({OTHER: names.DOSE})
    inside = eligible & (before < level - 1e-12)
    return inside, p.where(inside, 0.0).sum(names.DOSE)


def rank_doses(
    post: Posterior, u: xr.DataArray, eligible: xr.DataArray, *, level: float = 0.9
) -> Ranking:
    """Compute all of the above, with the Monte Carlo error of every number.

    Parameters
    ----------
    post, u, eligible
        As in `rank_acceptability`.
    level
        Probability that the credible set must reach, in (0, 1).

    Returns
    -------
    Ranking
        Errors of events that can be nothing else are 0: a rank beyond the number of eligible doses,
        or the rank of a single one.
    """
    ranks = _rank_events(u, eligible)
    best = best_in_each_draw(u, eligible)
    inside, mass = credible_set(post, u, eligible, level=level)
    count = eligible.sum(names.DOSE)
    open_ = (ranks[RANK] <= count) & (count > 1)
    wins = _beats(u)
    held = (best & inside).any(names.DOSE)
    sure = (inside == eligible).all(names.DOSE)
    regret = _regret(u, eligible)
    table = xr.Dataset(
        {
            "rank_prob": rank_acceptability(post, u, eligible),
            "rank_prob_mcse": post.mcse(ranks).where(open_, 0.0).where(eligible),
            "better": post.prob(wins).where(_pairs(eligible)),
            "better_mcse": post.mcse(wins).where(_pairs(eligible)),
            "regret": post.expect(regret).where(eligible),
            "regret_mcse": post.mcse(regret).where(eligible),
            "prob_obd": post.prob(best).where(eligible),
            "prob_obd_mcse": post.mcse(best).where(count > 1, 0.0).where(eligible),
            "in_set": inside,
            "set_prob": mass,
            "set_prob_mcse": post.mcse(held).where(~sure, 0.0),
            "eligible": eligible,
        }
    )
    table.attrs["stamps"] = "\n".join(group_stamps(post.tree))
    return Ranking(table, level)


def _checked(u: xr.DataArray) -> xr.DataArray:
    finite: xr.DataArray = xr.apply_ufunc(np.isfinite, u)
    if not bool(finite.all()):
        lost = ~finite.all([d for d in u.dims if d != names.DOSE])
        where = u[names.DOSE].where(lost, drop=True).to_numpy()
        raise DoseOptError(f"the utility is not a number at dose {where}; no ranking from it")
    return u


def _beats(u: xr.DataArray) -> xr.DataArray:
    """Whether each dose comes before each other one: worth more, or as much and lower."""
    other = u.rename({names.DOSE: OTHER})
    level = xr.ones_like(u[names.DOSE], dtype=int).cumsum(names.DOSE)
    lower = level < level.rename({names.DOSE: OTHER})
    return (u > other) | ((u == other) & lower)


def _pairs(eligible: xr.DataArray) -> xr.DataArray:
    other = eligible.rename({names.DOSE: OTHER})
    return eligible & other & (eligible[names.DOSE] != other[OTHER])


def _rank_events(u: xr.DataArray, eligible: xr.DataArray) -> xr.DataArray:
    ahead = _beats(_checked(u)) & eligible  # who of the eligible comes before `other`
    rank = 1 + ahead.sum(names.DOSE).rename({OTHER: names.DOSE})
    every = np.arange(1, u.sizes[names.DOSE] + 1)
    return (rank == xr.DataArray(every, dims=RANK, coords={RANK: every})) & eligible


def _regret(u: xr.DataArray, eligible: xr.DataArray) -> xr.DataArray:
    # at doses that are not eligible the loss may be negative: it is no regret, and is not shown
    loss = _checked(u).where(eligible).max(names.DOSE) - u
    return loss.where(eligible, 0.0)
