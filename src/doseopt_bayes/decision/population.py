"""The posterior of all subgroups together: probabilities averaged inside each draw."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np
import xarray as xr

from doseopt_bayes import names
from doseopt_bayes.errors import DoseOptError, did_you_mean
from doseopt_bayes.inference.levels import PART, WORST_ESS, label
from doseopt_bayes.inference.posterior import probabilities

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from doseopt_bayes.inference.posterior import Posterior

__all__ = ["WHOLE", "population"]

WHOLE: Final = "whole population"
TOGETHER: Final = {names.N: names.N_TOGETHER, names.EVENTS: names.EVENTS_TOGETHER}
OF_GROUPS: Final = ("groupings", "pooled_over", "groups_declared", "group_stamps")


def population(
    post: Posterior, weights: Mapping[str | tuple[str, ...], float] | None = None
) -> Posterior:
    """Average every probability over the subgroups, draw by draw.

    Parameters
    ----------
    post
        A posterior whose probabilities lie over one or several groupings of patients.
    weights
        Level to its share of the population, >= 0, not all 0; they are divided by their sum. With
        several groupings, tuples of levels in the order of ``post.groupings``. By default the shares of
        treated patients, which are those of the trial and need not be those of the patients to come.

    Returns
    -------
    Posterior
        Of the same kind, without the groupings: ``p_*`` and ``p_cell`` of a patient drawn at random
        from the population. Other variables are kept where no grouping touches them. ``seen`` is added
        up, with the patients whose outcomes are known for all subgroups together. The shares are in
        its notes.

    Raises
    ------
    DoseOptError
        Without a grouping, on weights that are no shares, and without treated patients when no
        weights are given.

    Notes
    -----
    The shares are the same at every dose: shares of the patients of each dose would mix the effect of
    the dose with who got it. ``decide(population(post), ...)`` gives the one dose for all; the average
    of the subgroups' utilities is another number unless the utility is linear.
    """
    over = post.groupings
    if not over:
        raise DoseOptError(
            "the posterior lies over no subgroups: it is that of the population already"
        )
    draws = post.tree["posterior"].to_dataset()
    levels = {g: [str(x) for x in draws[g].to_numpy()] for g in over}
    if weights is None:
        share, said = _treated(post, over), "shares of treated patients"
    else:
        share, said = _given(weights, levels), "shares as given"
    groups = {}
    for name, child in post.tree.children.items():
        group = child.to_dataset()
        groups[name] = _added(group, over) if name == "seen" else _averaged(group, share, over)
    tree = xr.DataTree.from_dict(groups)
    tree.attrs.update({k: v for k, v in post.tree.attrs.items() if k not in OF_GROUPS})
    before = str(post.tree.attrs.get(PART, ""))
    tree.attrs[PART] = ", ".join(filter(None, [before, WHOLE]))
    tree.attrs[WORST_ESS] = post.min_ess
    kept = tuple(p for p in post.parameters if p in tree["posterior"].data_vars)
    note = f"{WHOLE}: probabilities averaged over {', '.join(over)} in each draw, {said}"
    if set(share.dims) == set(over):  # of many trials, each has its own
        flat = share.stack(_at=over)
        note += ": " + ", ".join(
            f"{_called(over, at)} {float(x):.3g}"
            for at, x in zip(flat["_at"].to_numpy(), flat.to_numpy(), strict=True)
        )
    return replace(post, tree=tree, parameters=kept, notes=(*post.notes, note))


def _called(over: Sequence[str], at: object) -> str:
    several = at if isinstance(at, tuple) else (at,)
    return label(dict(zip(over, several, strict=True)))


def _treated(post: Posterior, over: Sequence[str]) -> xr.DataArray:
    treated = post.seen[names.N_TREATED]
    missing = [g for g in over if g not in treated.dims]
    if missing:
        raise DoseOptError(
            f"how many patients were treated is not known by {', '.join(missing)}",
            hint="give the shares as weights",
        )
    by_level = treated.sum(names.DOSE)
    total = by_level.sum(over)
    if not bool((total > 0).all()):
        raise DoseOptError(
            "no patient was treated, so that there are no shares", hint="give the shares as weights"
        )
    share: xr.DataArray = by_level / total
    return share


def _given(
    weights: Mapping[str | tuple[str, ...], float], levels: Mapping[str, Sequence[str]]
) -> xr.DataArray:
    shape = [len(x) for x in levels.values()]
    share = np.full(shape, np.nan)
    for key, value in weights.items():
        labels = key if isinstance(key, tuple) else (key,)
        if len(labels) != len(levels):
            raise DoseOptError(
                f"weight of {key!r}: one level of each of {', '.join(levels)} is needed"
            )
        at = []
        for (grouping, known), level in zip(levels.items(), labels, strict=True):
            if level not in known:
                raise DoseOptError(
                    f"weight of {key!r}: {grouping} has no level '{level}'",
                    hint=did_you_mean(str(level), known),
                )
            at.append(list(known).index(level))
        if isinstance(value, bool) or not math.isfinite(value) or value < 0:
            raise DoseOptError(f"weight of {key!r} = {value!r} must be a finite number >= 0")
        share[tuple(at)] = value
    found = xr.DataArray(share, dims=tuple(levels), coords={g: list(x) for g, x in levels.items()})
    if np.isnan(share).any():
        flat = found.stack(_at=tuple(levels))
        absent = [_called(tuple(levels), a) for a in flat["_at"].to_numpy()[flat.isnull()]]
        raise DoseOptError(
            f"no weight for {', '.join(absent)}", hint="a level that is not in the population: 0"
        )
    if share.sum() <= 0:
        raise DoseOptError("the weights are all 0", hint="they are shares of the population")
    return found / float(share.sum())


def _averaged(group: xr.Dataset, share: xr.DataArray, over: Sequence[str]) -> xr.Dataset:
    """Average probabilities; keep what has no grouping, drop the rest."""
    found = group.drop_vars([v for v in group.data_vars if set(over) & set(group[v].dims)])
    found = found.drop_vars([g for g in over if g in found.coords])
    for name in (*probabilities(group), names.P_CELL):
        if name in group.data_vars and set(over) & set(group[name].dims):
            found[name] = xr.dot(group[name], share, dim=list(over))
    if names.DOSE in group.coords:
        found[names.DOSE].attrs.update(group[names.DOSE].attrs)
    return found


def _added(seen: xr.Dataset, over: Sequence[str]) -> xr.Dataset:
    """Add the counts of all levels, and of those known for all of them together only."""
    total = seen.sum([g for g in over if g in seen.dims])
    total = total.drop_vars([g for g in over if g in total.coords])
    for name, together in TOGETHER.items():
        if together in total:
            total[name] = total[name] + total[together]
            # as trial.ungrouped(): an outcome of more patients than were counted by level says so
            if name == names.N:
                most = total[name].max(names.ENDPOINT)
                total[names.N_TREATED] = np.maximum(total[names.N_TREATED], most)
    total = total.drop_vars([v for v in TOGETHER.values() if v in total])
    if names.DOSE in seen.coords:
        total[names.DOSE].attrs.update(seen[names.DOSE].attrs)
    return total
