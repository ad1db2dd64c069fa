"""One weight of a Clinical Utility Index, changed or swept while the others keep proportions."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np
import xarray as xr

from doseopt_bayes import names
from doseopt_bayes.decision.cui import CUI
from doseopt_bayes.errors import DoseOptError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from doseopt_bayes.decision.decide import Decision
    from doseopt_bayes.inference.posterior import Posterior

__all__ = ["index_of", "sweep_weight", "with_weight"]

WEIGHT: Final = "weight"


def with_weight(cui: CUI, attribute: str, weight: float) -> CUI:
    """Return the index with another weight of one attribute; the others keep their proportions.

    Parameters
    ----------
    cui
        The index.
    attribute
        One of its attributes.
    weight
        New normalised weight, in 0..1.

    Raises
    ------
    DoseOptError
        On an unknown attribute, a weight outside 0..1, or when no other attribute has weight.

    Examples
    --------
    >>> from doseopt_bayes.decision.cui import Attribute
    >>> cui = CUI({"p_eff": Attribute(3, "benefit"), "p_tox": Attribute(1, "harm")})
    >>> with_weight(cui, "p_tox", 0.5).weights
    {'p_eff': 0.5, 'p_tox': 0.5}
    """
    if attribute not in cui.attributes:
        raise DoseOptError(
            f"the index has no attribute '{attribute}'",
            hint=did_you_mean(attribute, list(cui.attributes)),
        )
    if not 0 <= weight <= 1:
        raise DoseOptError(
            f"weight = {weight:g} of {attribute} must lie in 0..1",
            hint="a normalised weight: the weight divided by the sum of all weights",
        )
    rest = cui.total - cui.attributes[attribute].weight
    if rest <= 0:
        raise DoseOptError(
            f"{attribute} has all the weight: the others have no proportions to keep",
            hint="give another attribute a weight > 0",
        )
    return replace(
        cui,
        attributes={
            name: replace(a, weight=weight if name == attribute else (1 - weight) * a.weight / rest)
            for name, a in cui.attributes.items()
        },
    )


def sweep_weight(
    post: Posterior, decision: Decision, attribute: str, *, grid: Sequence[float] | None = None
) -> xr.Dataset:
    """Utility by dose and leading dose over the weight of one attribute, on the same posterior.

    Parameters
    ----------
    post
        The posterior that was decided on.
    decision
        Its decision, whose utility is a CUI; its rules and criterion stay.
    attribute
        The attribute whose normalised weight runs; the others keep their proportions.
    grid
        Weights in 0..1, ascending; 0, 0.02 .. 1 by default.

    Returns
    -------
    xarray.Dataset
        Over ``weight`` and ``dose``: ``utility`` (posterior mean) and ``utility_mcse``. Over
        ``weight``: ``leading`` (dose; NaN when none is admissible) and ``resolved`` (whether the
        choice among the admissible doses is more than 3 Monte Carlo errors away from another). Over
        ``dose``: ``admissible``. The weight in force is the attribute ``weight_now``.

    Raises
    ------
    DoseOptError
        When the utility is not a CUI, on an unknown attribute, or on a grid outside 0..1.
    """
    cui = index_of(decision)
    points = [float(w) for w in (np.linspace(0, 1, 51) if grid is None else grid)]
    eligible = decision.rules.judge(post).ok
    utilities, errors, leading, resolved = [], [], [], []
    for weight in points:
        changed = with_weight(cui, attribute, weight)
        u = changed({name: post[name] for name in changed.reads})
        choice = decision.criterion.choose(post, changed, u, eligible)
        utilities.append(post.expect(u))
        errors.append(post.mcse(u))
        leading.append(u[names.DOSE].where(choice.chosen).max(names.DOSE))
        resolved.append(~choice.rivals.any(names.DOSE))

    def over(parts: list[xr.DataArray]) -> xr.DataArray:
        return xr.concat(parts, dim=WEIGHT, coords="minimal", compat="override")

    swept = xr.Dataset(
        {
            "utility": over(utilities),
            "utility_mcse": over(errors),
            "leading": over(leading),
            "resolved": over(resolved),
            "admissible": eligible,
        }
    ).assign_coords({WEIGHT: points})
    swept.attrs = {
        "attribute": attribute,
        "weight_now": cui.weights[attribute],
        "unit": str(decision.table.attrs.get("unit", "")),
    }
    return swept


def index_of(decision: Decision) -> CUI:
    """Return the decision's index, or refuse a utility that has no weights."""
    if not isinstance(decision.utility, CUI):
        raise DoseOptError(
            f"weights are varied for a CUI; the utility is {type(decision.utility).__name__}",
            hint="limits and certainties can be moved for any utility: tipping_points",
        )
    return decision.utility
