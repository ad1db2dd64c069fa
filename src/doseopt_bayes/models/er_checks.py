"""What a recipe of an exposure-response curve refuses before it is used."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from doseopt_bayes.errors import DoseOptError, did_you_mean
from doseopt_bayes.models.er_curve import E0, EFFECT, LEVEL

if TYPE_CHECKING:
    from doseopt_bayes.models.er_curve import CovariateEffect
    from doseopt_bayes.models.exposure_response import ExposureResponse

__all__ = ["check_covariate", "check_priors", "check_reference"]


def check_reference(recipe: ExposureResponse) -> None:
    """Refuse reference exposures that are no ascending pair, or are missing."""
    if recipe.reference is None:
        if LEVEL in recipe.priors:
            raise DoseOptError(
                f"{recipe.title}: priors of level and effect need two reference exposures",
                hint="reference=(low, high), in the unit of exposure",
            )
        return
    low, high = map(float, recipe.reference)
    if not (0 <= low < high and math.isfinite(high)):
        raise DoseOptError(
            f"{recipe.title}: reference exposures {recipe.reference} must be >= 0 and ascending"
        )
    object.__setattr__(recipe, "reference", (low, high))


def check_covariate(recipe: ExposureResponse, one: CovariateEffect) -> None:
    """Refuse an effect on what the curve lacks, and names that cannot be."""
    known = [E0, recipe.shape.size, *recipe.shape.bends, *recipe.shape.free]
    if one.parameter not in known:
        raise DoseOptError(
            f"{recipe.title}: covariate {one.covariate} on '{one.parameter}', which the curve lacks",
            hint=did_you_mean(one.parameter, known),
        )
    if (
        not re.fullmatch(r"[A-Za-z]\w*", one.name)
        or sum(c.name == one.name for c in recipe.covariates) > 1
    ):
        raise DoseOptError(
            f"{recipe.title}: '{one.name}' cannot name a covariate effect, or is there twice"
        )


def check_priors(recipe: ExposureResponse) -> None:
    """Refuse priors of what the recipe lacks, and parameters without one; put them in order."""
    needed = recipe.parameters
    other = [LEVEL, EFFECT, E0, recipe.shape.size]
    for name in recipe.priors:
        if name not in needed:
            raise DoseOptError(
                f"{recipe.title} has no parameter '{name}'",
                hint=did_you_mean(name, [*needed, *other]),
            )
    missing = [name for name in needed if name not in recipe.priors]
    if missing:
        raise DoseOptError(
            f"{recipe.title}: no prior for {', '.join(missing)}",
            hint="every parameter needs a proper prior",
        )
    object.__setattr__(recipe, "priors", {name: recipe.priors[name] for name in needed})
