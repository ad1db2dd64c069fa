"""What models of binary outcomes share: checked doses, counts, and nodes observed from p_cell."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from doseopt_bayes import names
from doseopt_bayes.errors import DoseOptError
from doseopt_bayes.models.exnex import observe_mixture
from doseopt_bayes.models.pending import observe_pending
from doseopt_bayes.models.tallied import PAIR, Counts, groups_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from doseopt_bayes.models.base import DoseModel, Recipe
    from doseopt_bayes.models.groups import Built

__all__ = [
    "checked_doses",
    "checked_others",
    "coordinates",
    "described",
    "observe",
    "observe_margins",
]


def checked_doses(model: str, doses: Sequence[float]) -> tuple[float, ...]:
    """Return the doses ascending; refuse those that have no logarithm or are repeated."""
    found = tuple(sorted(float(d) for d in doses))
    if not all(np.isfinite(d) and d > 0 for d in found):
        raise DoseOptError(
            f"{model}: doses {found} must be > 0",
            hint="models take the logarithm of each dose: leave placebo out",
        )
    if len(set(found)) != len(found) or len(found) < 2:
        raise DoseOptError(f"doses {found}: give at least two, each once")
    return found


def checked_others(model: str, others: Sequence[str]) -> tuple[str, ...]:
    """Return the names of further endpoints; refuse what cannot name a variable."""
    found = tuple(others)
    for name in found:
        plain = isinstance(name, str) and re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name)
        if not plain or name in (*PAIR, names.CELL) or found.count(name) > 1:
            raise DoseOptError(
                f"{model}: '{name}' cannot name a further endpoint",
                hint="letters, digits and _, each name once, and none of tox, eff, cell",
            )
    return found


def described(head: str, recipe: Recipe) -> str:
    """Print a recipe: its head, what it says in words, and its priors."""
    width = max(map(len, recipe.priors))
    priors = [f"    {name:<{width}}  ~ {prior}" for name, prior in recipe.priors.items()]
    return "\n".join([head, *(f"  {w}" for w in recipe.words()), "  priors:", *priors])


def coordinates(recipe: DoseModel) -> dict[str, Any]:
    """Return the coordinates of a model: groups, real doses, and cells by letter."""
    groups = {g: list(levels) for g, levels in groups_of(recipe).items()}
    return {**groups, names.DOSE: np.array(recipe.doses), names.CELL: list(names.CELLS)}


def observe(
    counts: Counts,
    built: Built,
    cells: Any,
    others: Mapping[str, Any],
    differ: Collection[str] = (),
) -> None:
    """Register probabilities and observed nodes of the open PyMC model, all from one `cells`.

    Parameters
    ----------
    counts
        What was seen; patients of whom a part is known have the node of ``pending.observe_pending``.
    built
        The parameters, which say the groups, and whether a group may be apart from the others.
    cells
        Cell probabilities, ([component], *groups, dose, cell); registered as ``p_cell``.
    others
        Probability of each further endpoint, ([component], *groups, dose); registered as ``p_`` and
        its name.
    differ
        Endpoints whose probability differs between groups.

    Raises
    ------
    DoseOptError
        When the outcomes of such an endpoint are known for all groups together only.
    """
    import pymc as pm  # noqa: PLC0415

    lead = (*built.dims, names.DOSE)
    if built.log_share is not None:
        cells, others = observe_mixture(counts, built, cells, others)
    there = pm.modelcontext(None).named_vars
    if names.P_CELL not in there:  # there, it is a parameter itself
        cells = pm.Deterministic(names.P_CELL, cells, dims=(*lead, names.CELL))
    cell = {letter: cells[..., i] for i, letter in enumerate(names.CELLS)}
    pair = {
        end: there[name] if (name := names.probability(end)) in there else cell[a] + cell[b]
        for end, (a, b) in PAIR.items()
    }
    p = _registered(pair | dict(others), lead)
    if built.log_share is None:
        seen = pm.Data(names.CELL_COUNT, counts.cells, dims=(*lead, names.CELL))
        pm.Multinomial(
            "outcomes", n=seen.sum(axis=-1), p=cells, observed=seen, dims=(*lead, names.CELL)
        )
        _margins(counts.only, p, lead, "only")
        observe_pending(counts.pending, cell)
    _together(counts, p, built, differ)


def observe_margins(
    counts: Counts, built: Built, p: Mapping[str, Any], differ: Collection[str] = ()
) -> None:
    """Do the same for a model without joint outcomes.

    Parameters
    ----------
    counts, built, differ
        As for :func:`observe`.
    p
        Endpoint to its probability, ([component], *groups, dose).
    """
    lead = (*built.dims, names.DOSE)
    if built.log_share is not None:
        _, p = observe_mixture(counts, built, None, p)
    found = _registered(p, lead)
    if built.log_share is None:
        _margins(counts.only, found, lead, "only")
        observe_pending(counts.pending, _cells_of(found))
    _together(counts, found, built, differ)


def _cells_of(p: Mapping[str, Any]) -> dict[str, Any]:
    """Return no event and event of the only endpoint that can be pending, as cells."""
    paired = [e for e in p if e in PAIR]
    return {"N": 1 - p[paired[0]], PAIR[paired[0]][0]: p[paired[0]]} if paired else {}


def _registered(p: Mapping[str, Any], lead: tuple[str, ...]) -> dict[str, Any]:
    """Register each probability, unless it is a parameter itself."""
    import pymc as pm  # noqa: PLC0415

    there = pm.modelcontext(None).named_vars
    return {
        e: x
        if names.probability(e) in there
        else pm.Deterministic(names.probability(e), x, dims=lead)
        for e, x in p.items()
    }


def _margins(
    counts: Mapping[str, tuple[np.ndarray, np.ndarray]],
    p: Mapping[str, Any],
    lead: tuple[str, ...],
    suffix: str,
) -> None:
    """Register a binomial node ``<endpoint>_<suffix>`` for each endpoint."""
    import pymc as pm  # noqa: PLC0415

    for endpoint, probability in p.items():
        n, events = counts[endpoint]
        node = f"{endpoint}_{suffix}"
        pm.Binomial(
            node,
            n=pm.Data(f"{node}_n", n, dims=lead),
            p=probability,
            observed=pm.Data(f"{node}_events", events, dims=lead),
            dims=lead,
        )


def _together(counts: Counts, p: Mapping[str, Any], built: Built, differ: Collection[str]) -> None:
    """Observe outcomes known for all groups together, where the groups have one probability."""
    if not built.groups:
        return
    for e in differ:
        if e in counts.together and counts.together[e][0].any():
            raise DoseOptError(
                f"{e} is known for all groups together only, so that it cannot differ between them in "
                "the model",
                hint=f"give the parameters of {e} priors that are not pooled over a grouping",
            )
    shared = {e: x[(0,) * len(built.dims)] for e, x in p.items() if e not in differ}
    _margins(counts.together, shared, (names.DOSE,), "together")
