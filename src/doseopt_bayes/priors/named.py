"""What a set of priors says of the parameters: over which groups they vary, and all of their names."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Final

from doseopt_bayes.priors.pooled import Pooled, Unpooled

if TYPE_CHECKING:
    from collections.abc import Mapping

    from doseopt_bayes.priors.plain import Prior

__all__ = ["SHARE", "groupings_of", "parameter_names"]

SHARE: Final = "share_exchangeable"  # where it is learnt


def groupings_of(prior: Prior) -> tuple[str, ...]:
    """Return the groupings over which a parameter with this prior varies; none for a plain prior."""
    return prior.dims if isinstance(prior, Pooled | Unpooled) else ()


def parameter_names(priors: Mapping[str, Prior]) -> tuple[str, ...]:
    """Return the names of all parameters with a prior, those of the hierarchy after their own."""
    found = []
    for name, prior in priors.items():
        found += [name, *(prior.hyper(name) if isinstance(prior, Pooled | Unpooled) else ())]
    pooled = {n: p for n, p in priors.items() if isinstance(p, Pooled)}
    if any(p.exchangeable_prior is not None for p in pooled.values()):
        found.append(SHARE)
    for (a, one), (b, other) in combinations(pooled.items(), 2):
        if one.together and one.together == other.together:
            found.append(f"{a}_{b}_correlation")
    return tuple(found)
