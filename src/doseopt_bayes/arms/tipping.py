"""What would change the answer of a comparison: weights at random, and the nearest weight or margin."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from doseopt_bayes import names
from doseopt_bayes.arms.compare import MARGIN, PAIR, ArmComparison
from doseopt_bayes.arms.margin import endpoint_draws
from doseopt_bayes.decision.cui import CUI
from doseopt_bayes.decision.prose import error, probability, value, with_unit
from doseopt_bayes.decision.smaa import dirichlet_acceptability
from doseopt_bayes.decision.tipping import Tipping, has_tipping, tipping_points
from doseopt_bayes.errors import DoseOptError
from doseopt_bayes.inference.reweighted import Reweighted

if TYPE_CHECKING:
    import pandas as pd

    from doseopt_bayes.arms.margin import Margin
    from doseopt_bayes.inference.posterior import Posterior

__all__ = ["ArmSensitivity", "arm_sensitivity", "margin_tipping"]


@dataclass(frozen=True, eq=False)
class ArmSensitivity:
    """What would change the answer of a comparison, on the same draws.

    Parameters
    ----------
    margins
        Result of :func:`margin_tipping`.
    acceptability
        Ranks under random weights, of a CUI only.
    tipping
        The nearest change of one weight, limit or certainty of the ranking, where it has any.
    sentences
        All of it in words.
    """

    margins: xr.Dataset
    acceptability: xr.Dataset | None
    tipping: Tipping | None
    sentences: tuple[str, ...]

    def to_frame(self) -> pd.DataFrame:
        """Table with a row per pair and margin: now, the value that flips the verdict, its error."""
        return self.margins.to_dataframe(dim_order=[PAIR, MARGIN]).reset_index()

    def __str__(self) -> str:
        return "\n".join(self.sentences)

    __repr__ = __str__


def arm_sensitivity(post: Posterior, found: ArmComparison, *, seed: int) -> ArmSensitivity:
    """Say which weight or margin would change the answer, and how the arms fare under any weights.

    Parameters
    ----------
    post
        The posterior that was compared; nothing is refitted.
    found
        Its comparison.
    seed
        Of the random weights.

    Raises
    ------
    DoseOptError
        On draws of unequal weight.
    """
    flips = margin_tipping(post, found)
    said = list(_margin_words(flips, found))
    decision, shares, nearest = found.decision, None, None
    if has_tipping(decision):
        nearest = tipping_points(post, decision)
        said += list(nearest.sentences)
    lead = float(decision.leading)
    if isinstance(decision.utility, CUI):
        shares = dirichlet_acceptability(
            post, decision.utility, decision.table["admissible"], seed=seed
        )
        if not math.isnan(lead):
            first = shares.sel({names.DOSE: lead, "rank": 1})
            said.append(
                f"With all weights equally likely, {with_unit(lead, decision.table)} is the best "
                f"admissible arm with probability {probability(float(first['rank_acceptability']))} "
                f"(MCSE {error(float(first['rank_acceptability_mcse']))})."
            )
    return ArmSensitivity(flips, shares, nearest, tuple(said))


def margin_tipping(post: Posterior, found: ArmComparison) -> xr.Dataset:
    """Find the value of each margin at which the verdict of a pair changes, the others staying.

    Parameters
    ----------
    post, found
        The posterior and its comparison.

    Returns
    -------
    xarray.Dataset
        Over ``pair`` and ``margin``: ``now``, ``to`` (``at_most`` at which the probability of all
        margins at once equals the certainty; NaN when no value of this margin reaches it, because the
        others alone hold less often) and ``to_mcse``.

    Raises
    ------
    DoseOptError
        On draws of unequal weight.

    Notes
    -----
    Exact on the draws: `to` is an order statistic of the loss in the draws in which the other margins
    hold. Its error is half the distance between the values that one standard error of the probability
    to either side would give.
    """
    if isinstance(post, Reweighted):
        raise DoseOptError(
            "margins are tipped on draws of equal weight", hint="pass the posterior that was fitted"
        )
    u = found.decision.utility({n: post[n] for n in found.decision.utility.reads})
    shape = (found.table.sizes[PAIR], len(found.margins))
    to, errors = np.full(shape, np.nan), np.full(shape, np.nan)
    for i in range(shape[0]):
        low, high = (float(found.table[side][i]) for side in ("low", "high"))
        losses = [_loss(post, u, m, low, high) for m in found.margins]
        held = [loss < m.at_most for m, loss in zip(found.margins, losses, strict=True)]
        for k, loss in enumerate(losses):
            rest = xr.ones_like(loss, dtype=bool)
            for j, other in enumerate(held):
                rest = rest if j == k else rest & other
            ordered = np.sort(loss.to_numpy()[rest.to_numpy()])
            to[i, k] = _at(ordered, loss.size, found.certainty)
            if np.isnan(to[i, k]):
                continue
            mcse = float(post.mcse(rest & (loss < to[i, k])))  # that of the probability at the flip
            ends = [_at(ordered, loss.size, found.certainty + s * mcse) for s in (-1, 1)]
            errors[i, k] = (ends[1] - ends[0]) / 2
    dims = (PAIR, MARGIN)
    now = np.broadcast_to([m.at_most for m in found.margins], shape)
    return xr.Dataset(
        {"now": (dims, now.copy()), "to": (dims, to), "to_mcse": (dims, errors)},
        coords={PAIR: found.table[PAIR].to_numpy(), MARGIN: [str(m) for m in found.margins]},
    )


def _loss(
    post: Posterior, u: xr.DataArray, margin: Margin, low: float, high: float
) -> xr.DataArray:
    x = endpoint_draws(post, u, margin.endpoint).transpose(*post.sample_dims, names.DOSE)
    return margin.loss(*(x.sel({names.DOSE: d}, drop=True) for d in (low, high)))


def _at(ordered: np.ndarray, n: int, p: float) -> float:
    """Smallest margin with a probability above `p`: a share of all `n` draws, not of `ordered`."""
    k = math.floor(p * n)  # more than p n losses lie below
    return float(ordered[k]) if 0 <= k < ordered.size else math.nan


def _margin_words(flips: xr.Dataset, found: ArmComparison) -> list[str]:
    said = []
    for pair in flips[PAIR].to_numpy():
        status = str(found.table["status"].sel({PAIR: pair}).item())
        for i, margin in enumerate(found.margins):
            at = flips.sel({PAIR: pair}).isel({MARGIN: i})
            to, mcse = float(at["to"]), float(at["to_mcse"])
            what = f"{pair}: the verdict ({status})"
            if math.isnan(to):
                said.append(f"{what} cannot be 'met' by any margin of {margin.endpoint} alone.")
                continue
            said.append(
                f"{what} changes when the {margin.of} that may be lost on {margin.endpoint} "
                f"({margin.better} is better) moves from {margin.at_most:g} to {value(to, mcse)} "
                f"(MCSE {error(mcse)})."
            )
    return said
