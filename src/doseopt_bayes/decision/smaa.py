"""SMAA-2: how the doses rank when the weights of a Clinical Utility Index are random."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np
import xarray as xr

from doseopt_bayes import names
from doseopt_bayes.errors import DoseOptError

if TYPE_CHECKING:
    from doseopt_bayes.decision.cui import CUI
    from doseopt_bayes.inference.posterior import Posterior

__all__ = ["acceptability", "dirichlet_acceptability"]

RANK: Final = "rank"


def dirichlet_acceptability(
    post: Posterior,
    cui: CUI,
    admissible: xr.DataArray,
    *,
    n: int = 1,
    concentration: float | None = None,
    seed: int,
) -> xr.Dataset:
    """Rank the doses under random weights (SMAA-2): so that no weight is taken on trust.

    Parameters
    ----------
    post
        A fitted posterior.
    cui
        The index; its value functions stay, its weights are drawn.
    admissible
        Which doses are ranked, over ``dose``: ``decision.table["admissible"]``.
    n
        Weight vectors drawn for each posterior draw, >= 1.
    concentration
        ``None``: all weight vectors equally likely (flat Dirichlet). A number > 0: Dirichlet with
        that sum of its parameters around the weights of `cui`; the larger, the closer.
    seed
        Non-negative integer.

    Returns
    -------
    xarray.Dataset
        As :func:`acceptability` returns it.

    Raises
    ------
    DoseOptError
        On an `n`, `concentration` or `seed` that is out of range, and on several subgroups at once.

    Notes
    -----
    Lahdelma and Salminen (2001); Tervonen and Lahdelma (2007).
    """
    if admissible.ndim > 1:
        raise DoseOptError(
            "random weights rank the doses of one group",
            hint='take one: post.at(subgroup="..."), decision.at(subgroup="...")',
        )
    if isinstance(n, bool) or not isinstance(n, int) or n < 1:
        raise DoseOptError(f"n = {n!r} weight vectors per draw must be an integer >= 1")
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
        raise DoseOptError(f"seed = {seed!r} is not a non-negative integer", hint="pass seed=1")
    if concentration is not None and not (math.isfinite(concentration) and concentration > 0):
        raise DoseOptError(
            f"concentration = {concentration!r} must be > 0", hint="None draws flat weights"
        )
    given = np.array(list(cui.weights.values()))
    alpha = np.ones_like(given) if concentration is None else concentration * given
    drawn = alpha > 0  # a weight of 0 stays 0
    sizes = tuple(post.draws.sizes[d] for d in post.sample_dims)
    weights = np.zeros((*sizes, n, given.size))
    rng = np.random.default_rng(seed)
    weights[..., drawn] = rng.dirichlet(alpha[drawn], size=(*sizes, n))
    labelled = xr.DataArray(
        weights,
        dims=(*post.sample_dims, "copy", names.ATTRIBUTE),
        coords={names.ATTRIBUTE: list(cui.attributes)},
    )
    found = acceptability(post, cui, labelled, admissible)
    found.attrs = {
        "weights": "flat Dirichlet"
        if concentration is None
        else f"Dirichlet around the given weights, concentration {concentration:g}",
        "n": n,
        "seed": int(seed),
    }
    return found


def acceptability(
    post: Posterior, cui: CUI, weights: xr.DataArray, admissible: xr.DataArray
) -> xr.Dataset:
    """Rank the doses in each posterior draw under given draws of the weights.

    Parameters
    ----------
    post
        A fitted posterior.
    cui
        The index; only its attributes and value functions are read.
    weights
        Over the sample dims, ``attribute`` and perhaps ``copy`` (several per draw); they sum to 1.
    admissible
        Which doses are ranked, over ``dose``.

    Returns
    -------
    xarray.Dataset
        ``rank_acceptability`` over (dose, rank), probability of each rank, 0 for an inadmissible
        dose; ``central_weight`` over (dose, attribute), mean of the weights that put the dose first;
        ``confidence`` over dose, probability of rank 1 at the central weights; NaN where a dose is
        never first. Each with ``_mcse``: that of the confidence is given the central weights, and
        that of a central weight is NaN below 10 first ranks.
    """
    values = xr.concat(
        [a.curve(post[name]) for name, a in cui.attributes.items()],
        dim=names.ATTRIBUTE, coords="minimal", compat="override",
    ).assign_coords({names.ATTRIBUTE: list(cui.attributes)})  # fmt: skip
    copies = weights.expand_dims("copy") if "copy" not in weights.dims else weights
    doses = values[names.DOSE]
    ranks = _ranks((copies * values).sum(names.ATTRIBUTE), admissible)
    each = [(ranks == r).mean("copy") for r in range(1, doses.size + 1)]
    share = xr.concat(each, dim=RANK).assign_coords({RANK: range(1, doses.size + 1)})
    ra = post.expect(share)
    # with one copy a share is an event, whose error has a floor: rare is not impossible
    errors = post.mcse(share.astype(bool) if copies.sizes["copy"] == 1 else share)
    errors = errors.where(admissible, 0.0)

    first = (ranks == 1).astype(float)
    often = post.expect(first).mean("copy")
    central = post.expect(first * copies).mean("copy") / often.where(often > 0)
    influence = (first * (copies - central)).mean("copy") / often.where(often > 0)
    enough = often * post.n_draws * copies.sizes["copy"] >= 10
    central_mcse = post.mcse(influence.fillna(0.0)).where(enough)

    parts = []
    for j in range(doses.size):
        at = {names.DOSE: j}
        u = (central.isel(at).fillna(0.0) * values).sum(names.ATTRIBUTE)
        parts.append((_ranks(u, admissible) == 1).isel(at))
    event = xr.concat(parts, dim=names.DOSE)
    known = often > 0
    found = {
        "rank_acceptability": ra.transpose(names.DOSE, RANK),
        "rank_acceptability_mcse": errors.transpose(names.DOSE, RANK),
        "central_weight": central.transpose(names.DOSE, names.ATTRIBUTE),
        "central_weight_mcse": central_mcse.transpose(names.DOSE, names.ATTRIBUTE),
        "confidence": post.prob(event).where(known),
        "confidence_mcse": post.mcse(event).where(known),
        "admissible": admissible,
    }
    return xr.Dataset(found)


def _ranks(u: xr.DataArray, admissible: xr.DataArray) -> xr.DataArray:
    """Rank the admissible doses of each draw, 1 for the highest utility, the lower dose on ties."""
    last = u.where(admissible, -np.inf).transpose(..., names.DOSE)
    order = np.argsort(-last.to_numpy(), axis=-1, kind="stable")
    ranks = np.empty_like(order)
    np.put_along_axis(ranks, order, np.arange(1, order.shape[-1] + 1), axis=-1)
    return last.copy(data=ranks).where(admissible, 0)
