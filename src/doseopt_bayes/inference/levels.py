"""Groupings of patients in a posterior: which there are, one level of them, and how they are called."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import xarray as xr

from doseopt_bayes import names
from doseopt_bayes.errors import DoseOptError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = [
    "FEWEST",
    "PART",
    "WORST_ESS",
    "checked_levels",
    "group_cautions",
    "group_stamps",
    "groupings",
    "label",
    "one_level",
]

PART: Final = (
    "part"  # attribute: whose posterior it is, when it is not that of all levels side by side
)
FEWEST: Final = (
    10  # treated patients below which a level needs pooling to be ranked without a warning
)
GROUPINGS, POOLED_OVER, DECLARED = "groupings", "pooled_over", "groups_declared"
WORST_ESS: Final = "worst_ess"  # attribute: smallest effective sample size of the whole fit
STAMPS: Final = "group_stamps"  # attribute: the warning about all levels stays with one of them


def label(at: Mapping[str, object]) -> str:
    """Return how the patients at some levels are called, the default grouping by its level alone.

    Examples
    --------
    >>> label({"subgroup": "mBCC"}), label({"subgroup": "mBCC", "region": "EU"}), label({"trial": 3})
    ('mBCC', 'mBCC, region EU', 'trial 3')
    """
    return ", ".join(
        v if k == names.SUBGROUP and isinstance(v, str) else f"{k} {v}" for k, v in at.items()
    )


def groupings(tree: xr.DataTree) -> tuple[str, ...]:
    """Return the groupings that the probabilities lie over, in declared order.

    Parameters
    ----------
    tree
        Tree of a posterior. Its attribute ``groupings`` (names with commas between them) says which
        dims are groupings; without it, those with texts for labels. A curve of exposure, which has no
        probabilities, has the groupings of the patients that were seen.
    """
    draws = tree["posterior"].to_dataset()
    dims = dict.fromkeys(
        str(d) for v, x in draws.data_vars.items() if str(v).startswith("p_") for d in x.dims
    )
    if not dims and "seen" in tree.children:
        dims = dict.fromkeys(map(str, tree["seen"].to_dataset()[names.N_TREATED].dims))
    if GROUPINGS in tree.attrs:
        return tuple(g for g in _listed(tree, GROUPINGS) if g in dims)
    texts = [d for d in dims if d in draws.coords and draws[d].dtype.kind in "OUT"]
    return tuple(d for d in texts if d != names.CELL)


def _listed(tree: xr.DataTree, attribute: str) -> list[str]:
    said = str(tree.attrs.get(attribute, ""))
    return [word.strip() for word in said.split(",") if word.strip()]


def checked_levels(levels: Mapping[str, Any], known: Mapping[str, Iterable[Any]]) -> dict[str, Any]:
    """Return `levels` when each is a level of a known grouping.

    Parameters
    ----------
    levels
        Grouping to level.
    known
        Grouping to all its levels.

    Raises
    ------
    DoseOptError
        On no level, an unknown grouping or an unknown level, with the nearest one.

    Examples
    --------
    >>> checked_levels({"subgroup": "mbcc"}, {"subgroup": ["laBCC", "mBCC"]})  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    doseopt_bayes.errors.DoseOptError: subgroup has no level 'mbcc': ...
    """
    if not levels:
        raise DoseOptError("no level is named", hint='for example at(subgroup="mBCC")')
    for name, level in levels.items():
        if name not in known:
            every = ", ".join(known) or "none"
            raise DoseOptError(
                f"there is no grouping '{name}' (groupings: {every})",
                hint=did_you_mean(name, list(known)),
            )
        every_level = [str(x) for x in known[name]]
        if str(level) not in every_level:
            raise DoseOptError(
                f"{name} has no level '{level}': it has {', '.join(every_level)}",
                hint=did_you_mean(str(level), every_level),
            )
    return dict(levels)


def one_level(tree: xr.DataTree, levels: Mapping[str, Any]) -> xr.DataTree:
    """Return the tree at the named levels, without their dims; checked against its groupings.

    Raises
    ------
    DoseOptError
        As :func:`checked_levels`.
    """
    draws = tree["posterior"].to_dataset()
    chosen = checked_levels(levels, {g: draws[g].to_numpy() for g in groupings(tree)})
    groups = {}
    for name, child in tree.children.items():
        group = child.to_dataset()
        here = {d: v for d, v in chosen.items() if d in group.dims}
        groups[name] = group.sel(here, drop=True)
        if name == "seen" and here:
            groups[name] = _without_together(groups[name], left=len(groupings(tree)) > len(chosen))
    one = xr.DataTree.from_dict(groups)
    one.attrs.update(tree.attrs)
    one.attrs[PART] = ", ".join(filter(None, [str(tree.attrs.get(PART, "")), label(chosen)]))
    one.attrs[STAMPS] = "\n".join(group_stamps(tree))
    return one


def _without_together(seen: xr.Dataset, *, left: bool) -> xr.Dataset:
    """Take out the outcomes known for all levels together: they are not this level's."""
    alone = [v for v in (names.N_TOGETHER, names.EVENTS_TOGETHER) if v in seen]
    # as trial.at(): the variables stay, empty, while there are other groupings
    return (
        seen.assign({v: xr.zeros_like(seen[v]) for v in alone}) if left else seen.drop_vars(alone)
    )


def group_stamps(tree: xr.DataTree) -> tuple[str, ...]:
    """Say which levels are too small to be ranked by themselves, where no parameter is pooled.

    Parameters
    ----------
    tree
        Tree of a posterior; its attribute ``pooled_over`` names the groupings over which some
        parameter is pooled, with commas between them.

    Returns
    -------
    tuple of str
        One stamp for each grouping with a level of fewer than 10 treated patients that no parameter
        is pooled over. The 10 is a convention of this package, not a published limit.
    """
    if STAMPS in tree.attrs:
        return tuple(filter(None, str(tree.attrs[STAMPS]).split("\n")))
    if "seen" not in tree.children:
        return ()
    treated = tree["seen"].to_dataset()[names.N_TREATED]
    pooled, said = _listed(tree, POOLED_OVER), []
    for grouping in groupings(tree):
        if grouping in pooled or grouping not in treated.dims:
            continue
        # of several trials, the smallest
        others = [d for d in treated.dims if d in (names.DOSE, *groupings(tree)) and d != grouping]
        total = treated.sum(others)
        least = total.min([d for d in total.dims if d != grouping])
        tiny = [
            f"{level} (n = {int(n)})"
            for level, n in zip(least[grouping].to_numpy(), least.to_numpy(), strict=True)
            if n < FEWEST
        ]
        if tiny:
            said.append(
                f"TINY {grouping.upper()}S RANKED WITHOUT POOLING, do not compare their doses: "
                f"{', '.join(tiny)}; fewer than {FEWEST} patients were treated and no parameter is "
                f"pooled over {grouping}"
            )
    return tuple(said)


def group_cautions(tree: xr.DataTree) -> tuple[str, ...]:
    """Say that the levels were not pre-specified, where the attribute ``groups_declared`` is "no"."""
    if tree.attrs.get(DECLARED) != "no":
        return ()
    what = ", ".join(groupings(tree)) or ", ".join(_listed(tree, GROUPINGS)) or names.SUBGROUP
    said = (
        f"The levels of {what} were not pre-specified: they were read off the data, so that a "
        "difference between them is a finding to confirm."
    )
    return (said,)
