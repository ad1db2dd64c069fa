"""Parameters that differ between groups of patients: checked, registered, and lined up with the doses."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from doseopt_bayes.data.roles import DIMS
from doseopt_bayes.errors import DoseOptError, did_you_mean
from doseopt_bayes.priors import Pooled, groupings_of
from doseopt_bayes.priors.named import SHARE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from doseopt_bayes.priors import Prior

__all__ = ["COMPONENT", "Built", "build_parameters", "checked_groups", "group_words", "sizes_of"]

Tensor = Any  # a pytensor variable
COMPONENT: Final = "component"  # exchangeable with the other groups, or apart from them
RESERVED: Final = (*DIMS, COMPONENT, "column", "x")


def checked_groups(
    model: str, groups: Mapping[str, Sequence[str]], priors: Mapping[str, Prior]
) -> dict[str, tuple[str, ...]]:
    """Return the groupings with their levels; refuse names that cannot be, and priors over others.

    Raises
    ------
    DoseOptError
        On groupings without levels or with repeated ones, reserved names, priors over a grouping that
        the model does not have, and mixtures that do not agree on which groups belong together.
    """
    found = {str(k): tuple(str(v) for v in levels) for k, levels in groups.items()}
    for grouping, levels in found.items():
        if grouping in RESERVED or not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", grouping):
            raise DoseOptError(
                f"{model}: '{grouping}' cannot name a grouping",
                hint="letters, digits and _; words such as dose, trial or level have a meaning already",
            )
        if not levels or len(set(levels)) < len(levels) or not all(v.strip() for v in levels):
            raise DoseOptError(
                f"{model}: the levels of {grouping} are {levels}",
                hint="name each pre-specified group once",
            )
    for name, prior in priors.items():
        for over in groupings_of(prior):
            if over not in found:
                raise DoseOptError(
                    f"{model}: the prior of {name} is over '{over}', which is no grouping of the model",
                    hint=did_you_mean(over, list(found))
                    if found
                    else "groups = { subgroup = [...] }",
                )
        if isinstance(prior, Pooled):
            _check_levels(model, name, prior, found)
    _check_mixtures(model, found, priors)
    return found


def _check_levels(
    model: str, name: str, prior: Pooled, groups: Mapping[str, tuple[str, ...]]
) -> None:
    levels = groups[prior.over]
    for label in (*prior.exchangeable_of, *prior.strata):
        if label not in levels:
            raise DoseOptError(
                f"{model}: the prior of {name} names the {prior.over} '{label}'",
                hint=did_you_mean(label, levels),
            )
    if prior.strata and (lost := [v for v in levels if v not in prior.strata]):
        raise DoseOptError(
            f"{model}: the prior of {name} has no stratum for {', '.join(lost)}",
            hint="strata = { level = 'stratum', ... } with every level",
        )


def _check_mixtures(
    model: str, groups: Mapping[str, tuple[str, ...]], priors: Mapping[str, Prior]
) -> None:
    """A group belongs to the others with all of its parameters, or with none."""
    mixed = {n: p for n, p in priors.items() if isinstance(p, Pooled) and p.is_mixture}
    if mixed and len(groups) > 1:
        raise DoseOptError(
            f"{model}: a mixture of exchangeable and other groups takes one grouping, not "
            f"{', '.join(groups)}"
        )
    said = {
        (p.exchangeable, tuple(sorted(p.exchangeable_of.items())), p.exchangeable_prior)
        for p in mixed.values()
    }
    if len(said) > 1:
        raise DoseOptError(
            f"{model}: the priors of {', '.join(mixed)} give a group different probabilities of "
            "belonging to the others",
            hint="a group belongs with all of these parameters or with none: one probability for all",
        )


@dataclass(frozen=True, eq=False)
class Built:
    """The parameters of an open PyMC model, lined up to combine with doses.

    Parameters
    ----------
    values
        Name to a number, or to ([component], *groups, 1): the last axis is for doses.
    groups
        Grouping to levels.
    log_share
        (component, level): log prior probability that a group is exchangeable, or not; ``None`` when
        all groups are.
    """

    values: Mapping[str, Tensor]
    groups: Mapping[str, tuple[str, ...]]
    log_share: Tensor | None = None

    def __getitem__(self, name: str) -> Tensor:
        return self.values[name]

    def __contains__(self, name: object) -> bool:
        return name in self.values

    @property
    def dims(self) -> tuple[str, ...]:
        """Groupings, in the order of the model."""
        return tuple(self.groups)

    def full(self, x: Tensor) -> Tensor:
        """Broadcast (..., dose) over all groups, and over components where there are any."""
        import pytensor.tensor as pt  # noqa: PLC0415

        if not self.groups:
            return x
        lead = () if self.log_share is None else (2,)
        return x + pt.zeros((*lead, *sizes_of(self.groups), 1))


def sizes_of(groups: Mapping[str, tuple[str, ...]]) -> tuple[int, ...]:
    """Return the number of levels of each grouping."""
    return tuple(len(v) for v in groups.values())


def build_parameters(priors: Mapping[str, Prior], groups: Mapping[str, tuple[str, ...]]) -> Built:
    """Register every parameter in the open PyMC model, whose coords hold the groups.

    Parameters
    ----------
    priors
        By parameter; without a grouping of its own a parameter is one number for all groups.
    groups
        Grouping to levels, as checked by :func:`checked_groups`.

    Returns
    -------
    Built
        In the posterior a parameter lies over its groupings. Of a mixture it registers
        ``<name>_exchangeable`` and ``<name>_apart``, what a group would be in either case.
    """
    if not groups:
        return Built({name: prior.build(name) for name, prior in priors.items()}, {})
    offsets = _correlated(priors)
    values = {}
    for name, prior in priors.items():
        if isinstance(prior, Pooled) and prior.is_mixture:
            values[name] = _mixed(name, prior, offsets.get(name))
        elif name in offsets and isinstance(prior, Pooled):
            values[name] = _lined_up(
                _labelled(name, prior.scattered(name, offsets[name]), prior), prior, groups
            )
        else:
            values[name] = _lined_up(prior.build(name), prior, groups)
    return Built(values, groups, _log_share(priors, groups))


def _labelled(name: str, x: Tensor, prior: Pooled) -> Tensor:
    import pymc as pm  # noqa: PLC0415

    return pm.Deterministic(name, x, dims=prior.dims)


def _lined_up(x: Tensor, prior: Prior, groups: Mapping[str, tuple[str, ...]]) -> Tensor:
    dims = groupings_of(prior)
    return (
        x.dimshuffle([dims.index(g) if g in dims else "x" for g in groups] + ["x"]) if dims else x
    )


def _mixed(name: str, prior: Pooled, offset: Tensor | None) -> Tensor:
    """Return (component, level, 1): the group's value in either case."""
    import pymc as pm  # noqa: PLC0415
    import pytensor.tensor as pt  # noqa: PLC0415

    assert prior.apart is not None  # noqa: S101  (checked when the prior was made)
    among = prior.scattered(name, prior.offset(name) if offset is None else offset)
    among = pm.Deterministic(f"{name}_exchangeable", among, dims=prior.dims)
    apart = prior.apart.build(f"{name}_apart", prior.dims)
    return pt.stack([among, apart])[..., None]


def _log_share(priors: Mapping[str, Prior], groups: Mapping[str, tuple[str, ...]]) -> Tensor | None:
    import pytensor.tensor as pt  # noqa: PLC0415

    mixed = [p for p in priors.values() if isinstance(p, Pooled) and p.is_mixture]
    if not mixed:
        return None
    prior = mixed[0]
    known = prior.shares(groups[prior.over])
    if prior.exchangeable_prior is None:
        with np.errstate(divide="ignore"):
            both = np.log(np.stack([known, 1 - known]))
        return pt.as_tensor_variable(np.maximum(both, -1e300))
    learnt = prior.exchangeable_prior.build(SHARE)
    own = np.array([v in prior.exchangeable_of for v in groups[prior.over]])
    share = pt.where(own, known, learnt)
    return pt.stack([pt.log(share), pt.log1p(-share)])


def _correlated(priors: Mapping[str, Prior]) -> dict[str, Tensor]:
    """Register correlated offsets of parameters that share a label, by canonical partial correlations."""
    import pymc as pm  # noqa: PLC0415
    import pytensor.tensor as pt  # noqa: PLC0415

    labels: dict[str, list[str]] = {}
    for name, prior in priors.items():
        if isinstance(prior, Pooled) and prior.together:
            labels.setdefault(prior.together, []).append(name)
    found: dict[str, Tensor] = {}
    for label, members in labels.items():
        firsts = [priors[m] for m in members]
        if (
            len(members) < 2
            or any(
                a.over != b.over or a.lkj != b.lkj or isinstance(a.mean, Pooled)  # type: ignore[attr-defined]
                for a, b in pairwise(firsts + firsts[:1])
            )
        ):
            raise DoseOptError(
                f"parameters correlated as '{label}': {', '.join(members)}",
                hint="at least two, over one and the same grouping, with one value of lkj",
            )
        raw = [p.offset(m) for m, p in zip(members, firsts, strict=True)]  # type: ignore[attr-defined]
        k, lkj = len(members), float(firsts[0].lkj)  # type: ignore[attr-defined]
        rows: list[list[Tensor]] = [[pt.constant(1.0)]]
        for i in range(1, k):
            left, row = pt.constant(1.0), []
            for j in range(i):
                size = np.float64(lkj + (k - 2 - j) / 2)
                share = pm.Beta(f"{members[j]}_{members[i]}_partial", alpha=size, beta=size)
                partial = 2 * share - 1
                row.append(partial * pt.sqrt(left))
                left = left * (1 - partial**2)
            rows.append([*row, pt.sqrt(left)])
        for i, member in enumerate(members):
            for j in range(i):
                both = sum(rows[i][m] * rows[j][m] for m in range(j + 1))
                pm.Deterministic(f"{members[j]}_{member}_correlation", both)
            found[member] = sum(w * raw[j] for j, w in enumerate(rows[i]))
    return found


def group_words(
    groups: Mapping[str, tuple[str, ...]], priors: Mapping[str, Prior]
) -> tuple[str, ...]:
    """Say the groups, and which parameters differ between them."""
    said = []
    for grouping, levels in groups.items():
        own = [name for name, prior in priors.items() if grouping in groupings_of(prior)]
        differ = f"differ in {', '.join(own)}" if own else "have all parameters in common"
        said.append(f"{grouping}: {', '.join(levels)}; they {differ}")
    return tuple(said)
