"""Curves of exposure that differ between groups of patients: checks, patients' groups, one level."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import xarray as xr

from doseopt_bayes import names
from doseopt_bayes.errors import DoseOptError, did_you_mean
from doseopt_bayes.models.response import GroupedResponse
from doseopt_bayes.priors import Pooled, Unpooled, groupings_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from doseopt_bayes.data.exposure import ExposureData
    from doseopt_bayes.models.exposure_response import ExposureResponse
    from doseopt_bayes.priors import Prior

__all__ = [
    "OneGroup",
    "check_groups",
    "check_levels",
    "counts_by_dose",
    "group_words",
    "of_patients",
    "one_level",
]

Tensor = Any  # a pytensor variable
IN: Final = "in_"  # prefix of the containers that say which group a patient is in


@dataclass(frozen=True)
class OneGroup:
    """Prior of one group's value within a hierarchy, for a recipe that reads a fit and fits nothing.

    Parameters
    ----------
    whole
        The prior of all groups.
    """

    whole: Pooled | Unpooled

    def build(self, name: str, dims: Sequence[str] = ()) -> Tensor:
        """Refuse: a group of a hierarchy is not fitted by itself."""
        raise DoseOptError(
            f"{name}: this recipe is one group of a fitted hierarchy, and cannot be fitted by itself",
            hint="fit the whole recipe, and take posterior.at(...) of the group",
        )

    def quantile(self, q: float) -> float:
        """Quantile of the prior of a group."""
        return self.whole.quantile(q)

    def positive(self) -> OneGroup:
        """Return the same prior restricted to positive values."""
        return OneGroup(self.whole.positive())

    def __str__(self) -> str:
        return f"one group of {self.whole}"


def check_groups(recipe: ExposureResponse) -> None:
    """Refuse groupings without levels, and hierarchies that a curve of exposure does not have."""
    groups = {g: tuple(map(str, levels)) for g, levels in recipe.groups.items()}
    object.__setattr__(recipe, "groups", groups)
    for grouping, levels in groups.items():
        if not levels or len(set(levels)) < len(levels):
            raise DoseOptError(
                f"{recipe.title}: {grouping} has the levels {levels}",
                hint="list each level once, as in data.groups",
            )
    for name, prior in recipe.priors.items():
        for grouping in groupings_of(prior):
            if grouping not in groups:
                raise DoseOptError(
                    f"{recipe.title}: {name} lies over '{grouping}', which is none of its groups",
                    hint=did_you_mean(grouping, list(groups)) if groups else "groups=data.groups",
                )
        if isinstance(prior, Pooled | Unpooled):
            _check_hierarchy(recipe, name, prior)
    used = {g for prior in recipe.priors.values() for g in groupings_of(prior)}
    if idle := [g for g in groups if g not in used]:
        raise DoseOptError(
            f"{recipe.title}: no parameter lies over {', '.join(idle)}",
            hint="give one a Pooled or Unpooled prior over it, or leave it out of groups",
        )


def _check_hierarchy(recipe: ExposureResponse, name: str, prior: Pooled | Unpooled) -> None:
    if name in recipe.response.parameters:
        raise DoseOptError(
            f"{recipe.title}: {name} is one number for all groups",
            hint="the curve's parameters and covariate effects may be pooled",
        )
    if isinstance(prior, Pooled) and (prior.is_mixture or prior.together):
        raise DoseOptError(
            f"{recipe.title}: {name} is a mixture or correlated, which a curve of exposure has not",
            hint="exchangeable=1 and no `together`; robustify() allows for a group that differs",
        )
    if name in recipe.shape.bends and not prior.quantile(1e-9) >= 0:
        raise DoseOptError(
            f"{recipe.title}: {name} must stay positive in every group",
            hint="pool a LogNormal prior: its groups scatter on the log scale",
        )


def check_levels(recipe: ExposureResponse, data: ExposureData, rows: xr.Dataset) -> None:
    """Refuse data whose groups are not those of the recipe (FAULTS E02 to E04, a second time)."""
    for grouping, levels in recipe.groups.items():
        if grouping not in data.groups:
            known = ", ".join(data.groups) or "none"
            raise DoseOptError(
                f"{recipe.title}: the data have no grouping '{grouping}' (groupings: {known})",
                hint=f"groups={{{grouping!r}: its column}} in the column roles",
            )
        if tuple(data.groups[grouping]) != levels:
            raise DoseOptError(
                f"{recipe.title}: {grouping} has the levels {', '.join(levels)} in the model and "
                f"{', '.join(data.groups[grouping])} in the data",
                hint="declare the protocol's levels once: groups=data.groups",
            )
        if lost := set(rows[grouping].to_numpy().tolist()) - set(levels):
            raise DoseOptError(f"{recipe.title}: patients of unknown {grouping}: {sorted(lost)}")


def of_patients(recipe: ExposureResponse, rows: xr.Dataset) -> Any:
    """Register which group each patient is in; return a function from parameters to patients' values.

    Notes
    -----
    The containers hold a 1 in the column of a patient's level, so that other patients need no other
    program and many draws are a product of arrays.
    """
    import pymc as pm  # noqa: PLC0415

    if not recipe.groups:
        return lambda x: x
    inside = []
    for k, (grouping, levels) in enumerate(recipe.groups.items()):
        one = (rows[grouping].to_numpy()[:, None] == np.array(levels, dtype=object)).astype(float)
        data = pm.Data(f"{IN}{grouping}", one, dims=(names.PATIENT, grouping))
        axes: list[str | int] = ["x"] * len(recipe.groups)
        axes[k] = 1
        inside.append(data.dimshuffle([0, *axes]))

    def each(x: Tensor) -> Tensor:
        differs = [k for k in range(x.ndim) if not x.type.broadcastable[k]]
        if not differs:
            return x.dimshuffle([])
        found = x[None]
        for k in differs:
            found = (found * inside[k]).sum(axis=k + 1, keepdims=True)
        return found[(slice(None), *[0] * x.ndim)]

    return each


def counts_by_dose(recipe: ExposureResponse, data: ExposureData) -> xr.Dataset:
    """Return what was observed at each dose: n_treated (*groups, dose), n and events (and endpoint)."""
    rows = recipe.read(data)
    dose = rows["dose"].to_numpy().astype(float)
    doses = np.array(sorted({float(d) for d in dose if np.isfinite(d)} | set(data.doses)))
    over = (*recipe.groups, names.DOSE)
    at = dose == doses[:, None]
    for grouping in reversed(over[:-1]):
        levels = recipe.groups[grouping]
        inside = rows[grouping].to_numpy() == np.array(levels, dtype=object)[:, None]
        at = at & inside.reshape((len(levels), *[1] * (at.ndim - 1), inside.shape[1]))
    n = (at * (rows["n"].to_numpy() if "n" in rows else 1)).sum(axis=-1).astype("int64")
    counts = {names.N_TREATED: (over, n), names.N: ((*over, names.ENDPOINT), n[..., None])}
    if not isinstance(recipe.response, GroupedResponse) and recipe.response.kind != "continuous":
        events = (at * rows["y"].to_numpy()).sum(axis=-1).astype("int64")
        counts[names.EVENTS] = ((*over, names.ENDPOINT), events[..., None])
    coords: dict[str, Any] = {names.DOSE: doses, names.ENDPOINT: [recipe.endpoint]}
    coords |= {g: list(levels) for g, levels in recipe.groups.items()}
    found = xr.Dataset(counts, coords=coords)
    found[names.DOSE].attrs["units"] = data.dose_unit
    return found


def one_level(recipe: ExposureResponse, levels: Mapping[str, str]) -> ExposureResponse:
    """Return the curve of one level, to read a fit with: see :class:`OneGroup`."""
    for grouping, level in levels.items():
        known = recipe.groups.get(grouping, ())
        if level not in known:
            raise DoseOptError(
                f"{recipe.title}: no level {level!r} of {grouping}",
                hint=did_you_mean(str(level), known or list(recipe.groups)),
            )
    rest = {g: v for g, v in recipe.groups.items() if g not in levels}
    if rest:
        raise DoseOptError(
            f"{recipe.title}: name a level of {', '.join(rest)} too",
            hint="one curve belongs to one level of every grouping",
        )
    return replace(recipe, groups={}, priors={k: _alone(p) for k, p in recipe.priors.items()})


def _alone(prior: Prior) -> Prior:
    return OneGroup(prior) if isinstance(prior, Pooled | Unpooled) else prior


def group_words(recipe: ExposureResponse, how: str) -> list[str]:
    """Say which parameters differ between groups, and how that is sampled."""
    said = []
    for grouping, levels in recipe.groups.items():
        over = [n for n, p in recipe.priors.items() if grouping in groupings_of(p)]
        same = [n for n in recipe.parameters if n not in over]
        shared = f"; {', '.join(same)} shared by all" if same else ""
        said.append(f"{', '.join(over)}: one for each {grouping} ({', '.join(levels)}){shared}")
    if recipe.groups:
        what = "level and effect" if how == "stated" else "its own parameters"
        said.append(f"each group's curve is sampled by {what}, pooled where their priors say so")
    return said
