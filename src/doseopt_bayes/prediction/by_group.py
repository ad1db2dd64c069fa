"""Candidate doses for each group of patients: what a curve that differs between groups predicts."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import xarray as xr

from doseopt_bayes.errors import DoseOptError
from doseopt_bayes.inference.levels import PART, label
from doseopt_bayes.models.exposure_response import ExposureResponse
from doseopt_bayes.prediction.exposures import count_treated

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from doseopt_bayes.inference.posterior import Posterior
    from doseopt_bayes.prediction.exposures import Exposures
    from doseopt_bayes.prediction.parts import Model
    from doseopt_bayes.prediction.people import Crowd, People, Regimen

    type Models = Model | Mapping[str, ExposureResponse]
    type Posteriors = Posterior | Mapping[str, Posterior]

__all__ = ["groups_of", "of_one_group", "over_groups"]


def groups_of(model: Models) -> dict[str, tuple[str, ...]]:
    """Return the groupings that any of the curves differs over, with their levels.

    Raises
    ------
    DoseOptError
        When two curves have different levels of one grouping.
    """
    curves = model.values() if isinstance(model, Mapping) else [model]
    found: dict[str, tuple[str, ...]] = {}
    for curve in curves:
        for grouping, levels in (
            curve.groups if isinstance(curve, ExposureResponse) else {}
        ).items():
            if found.setdefault(grouping, levels) != levels:
                raise DoseOptError(
                    f"the curves have different levels of {grouping}: {', '.join(found[grouping])} and "
                    f"{', '.join(levels)}",
                    hint="groups=data.groups in both",
                )
    return found


def of_one_group(what: str, model: Models) -> None:
    """Refuse a curve that differs between groups where one curve is asked for."""
    if groups := groups_of(model):
        at = ", ".join(f"{g}={levels[0]!r}" for g, levels in groups.items())
        raise DoseOptError(
            f"{what} is of one curve, and this model has one for each {' and '.join(groups)}",
            hint=f"model.at({at}), posterior.at({at}) and data.at({at}) are those of one group",
        )


@dataclass(frozen=True, eq=False)
class _OfGroup:
    """Exposures of everyone, and the number of a group's patients who got a regimen."""

    whole: Exposures
    levels: Mapping[str, str]

    @property
    def metrics(self) -> tuple[str, ...]:
        return self.whole.metrics

    @property
    def data(self) -> Any:
        return getattr(self.whole, "data", None)

    def people(self, regimen: Regimen, crowd: Crowd) -> People:
        return self.whole.people(regimen, crowd)

    def treated(self, regimen: Regimen) -> int | None:
        if self.data is None or not set(self.levels) <= set(self.data.groups):
            return None
        return count_treated(self.data.at(**self.levels), regimen)

    def words(self) -> tuple[str, ...]:
        shared = "exposures are those of all groups together: a dose gives each group the same"
        return (*self.whole.words(), shared)


def over_groups(
    predict: Callable[[Any, Any, Any], Posterior],
    model: Models,
    posterior: Posteriors,
    exposures: Exposures,
) -> Posterior:
    """Predict for each level of each grouping, and lay the answers side by side.

    Parameters
    ----------
    predict
        From the curve, fit and exposures of one group to its prediction.
    model, posterior, exposures
        As for :func:`~doseopt_bayes.prediction.at_doses.at_doses`.

    Returns
    -------
    Posterior
        What differs between groups lies over the groupings, before ``dose``.
    """
    groups = groups_of(model)
    found = {}
    for at in itertools.product(*groups.values()):
        here = dict(zip(groups, at, strict=True))
        one = _each(model, here, lambda m, own: m.at(**own))
        fit = _each(posterior, here, lambda p, own: p.at(**own), model)
        found[at] = predict(one, fit, _OfGroup(exposures, here))
    first = next(iter(found.values()))
    tree = xr.DataTree.from_dict(
        {name: _side_by_side(name, found, groups) for name in first.tree.children}
    )
    tree.attrs.update({k: v for k, v in first.tree.attrs.items() if k != PART})
    tree.attrs["groupings"] = ", ".join(groups)
    whole = posterior if not isinstance(posterior, Mapping) else first
    notes = list(dict.fromkeys(_common(found) + _own(found, groups)))
    return replace(first, tree=tree, diagnostics=whole.diagnostics, notes=tuple(notes))


def _each(value: Any, here: Mapping[str, str], at: Any, models: Any = None) -> Any:
    """Take one level of a curve or fit, or of each in a mapping; a curve without groups stays."""
    models = value if models is None else models

    def one(x: Any, model: Any) -> Any:
        own = {g: level for g, level in here.items() if g in getattr(model, "groups", {})}
        return at(x, own) if own else x

    if isinstance(value, Mapping):
        return {name: one(x, models[name]) for name, x in value.items()}
    return one(value, models)


def _side_by_side(
    name: str, found: Mapping[tuple[str, ...], Posterior], groups: Mapping[str, Sequence[str]]
) -> xr.Dataset:
    """Join one group of the trees: what is the same everywhere keeps its dims."""
    parts = {at: post.tree[name].to_dataset() for at, post in found.items()}
    first = next(iter(parts.values()))
    joined = {}
    for variable in first.data_vars:
        each = {at: part[variable] for at, part in parts.items()}
        same = all(x.identical(first[variable]) for x in each.values())
        if same and not str(variable).startswith("p_"):
            joined[variable] = first[variable]
            continue
        over = list(groups.items())
        for depth in range(len(over) - 1, -1, -1):  # the last grouping first
            grouping, levels = over[depth]
            axis = xr.DataArray(list(levels), dims=grouping, name=grouping)
            heads = dict.fromkeys(at[:depth] for at in each)
            each = {
                head: xr.concat([each[(*head, level)] for level in levels], dim=axis)
                for head in heads
            }
        joined[variable] = _in_order(each[()], tuple(groups))
    return xr.Dataset(joined, attrs=first.attrs)


def _in_order(x: xr.DataArray, groups: tuple[str, ...]) -> xr.DataArray:
    """Put the groupings after the sample dims."""
    sample = [d for d in x.dims if d in ("chain", "draw", "particle")]
    return x.transpose(*sample, *groups, ...)


def _common(found: Mapping[tuple[str, ...], Posterior]) -> list[str]:
    notes = [post.notes for post in found.values()]
    return [n for n in notes[0] if all(n in other for other in notes)]


def _own(found: Mapping[tuple[str, ...], Posterior], groups: Mapping[str, Any]) -> list[str]:
    common = set(_common(found))
    return [
        f"{label(dict(zip(groups, at, strict=True)))}: {note}"
        for at, post in found.items()
        for note in post.notes
        if note not in common
    ]
