"""What models of randomised arms share: the outcome they read, checked data and priors in force."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from doseopt_bayes import names
from doseopt_bayes.data.arm_records import ArmRecords
from doseopt_bayes.errors import DoseOptError, did_you_mean
from doseopt_bayes.models.joint import checked_doses
from doseopt_bayes.models.tallied import counts_for
from doseopt_bayes.priors import groupings_of

if TYPE_CHECKING:
    import pandas as pd

    from doseopt_bayes.priors import Prior

__all__ = ["arm_coords", "dose_words", "patients_of", "set_up"]


def set_up(recipe: Any, kind: type, defaults: dict[str, Prior]) -> None:
    """Check doses and outcome of a recipe, and put its priors over the defaults.

    Parameters
    ----------
    recipe
        A frozen recipe with ``doses``, ``outcome`` and ``priors``, while it is made.
    kind
        Kind of outcome that it reads.
    defaults
        Every parameter with its weakly informative prior.

    Raises
    ------
    DoseOptError
        On another kind of outcome, doses that cannot be, or a prior of an unknown parameter or over
        groups.
    """
    who = type(recipe).__name__
    if not isinstance(recipe.outcome, kind):
        raise DoseOptError(
            f"{who} reads a {kind.__name__}, not {type(recipe.outcome).__name__}",
            hint="pass the outcome that the data were read with: data.outcome",
        )
    object.__setattr__(recipe, "doses", checked_doses(who, recipe.doses))
    for name, prior in recipe.priors.items():
        if name not in defaults:
            raise DoseOptError(
                f"{who} has no parameter '{name}'", hint=did_you_mean(name, list(defaults))
            )
        if groupings_of(prior):
            raise DoseOptError(
                f"{who}: the prior of {name} is over groups, which it does not have",
                hint="a prior of one arm, for example Normal(0, 1.5)",
            )
    object.__setattr__(recipe, "priors", {**defaults, **recipe.priors})


def patients_of(recipe: Any, data: ArmRecords) -> pd.DataFrame:
    """Return the patients, checked against the recipe, with the position of their arm.

    The rows are put in an order of their own, so that the order of the file changes nothing.

    Raises
    ------
    DoseOptError
        When doses, units or outcomes differ, or the data are of another kind.
    """
    who = type(recipe).__name__
    if not isinstance(data, ArmRecords):
        raise DoseOptError(
            f"{who} reads ArmRecords, not {type(data).__name__}",
            hint="ArmRecords.from_frame(df, ArmColumns('ID', 'DOSE', outcome, ...))",
        )
    if data.outcome != recipe.outcome:
        raise DoseOptError(
            f"the outcome of the data, {data.outcome}, is not that of the model, {recipe.outcome}",
            hint="declare it once, and give it to ArmColumns and to the model",
        )
    counts_for(recipe, data)  # type: ignore[arg-type]  # doses and unit are checked as for trials
    arm = np.array([data.doses.index(d) for d in data.patients["dose"]], dtype="int64")
    frame = data.patients.assign(arm=arm)
    values = [c for c in ("arm", "grade", "count", "cause", "time", "value") if c in frame]
    return frame.sort_values(values, kind="stable", ignore_index=True)


def dose_words(recipe: Any) -> str:
    """Return the arms in words, with their unit."""
    doses = ", ".join(f"{d:g}" for d in recipe.doses)
    return f"{doses} {recipe.unit}".rstrip()


def arm_coords(recipe: Any) -> dict[str, Any]:
    """Return the coordinate of the arms."""
    return {names.DOSE: np.array(recipe.doses)}
