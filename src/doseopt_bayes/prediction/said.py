"""What a prediction at doses rests on, in words: untested doses, extrapolation, few people, priors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from doseopt_bayes import names
from doseopt_bayes.inference.identify import PRIOR_DRIVEN, width_ratios

if TYPE_CHECKING:
    from collections.abc import Mapping

    import xarray as xr

    from doseopt_bayes.prediction.exposures import Exposures
    from doseopt_bayes.prediction.parts import Fitted, Part
    from doseopt_bayes.prediction.people import Regimen

__all__ = ["regimen_notes"]

OUTSIDE: Final = 0.05  # share of people outside the exposures studied above which it is remarked on
VARIANCE: Final = 0.05  # share of the variance that a finite number of people has, likewise


def regimen_notes(
    fit: Fitted,
    exposures: Exposures,
    regimens: tuple[Regimen, ...],
    about: xr.Dataset,
    draws: xr.Dataset,
    times: Mapping[str, float | None],
) -> tuple[str, ...]:
    """Return a sentence per finding.

    Parameters
    ----------
    fit, exposures, regimens, times
        What was asked.
    about, draws
        What is known of each regimen, and the draws over dose.
    """
    said = [*exposures.words(), *_scales(fit, times)]
    said += [
        f"{r.label}: untested, no patient got it; it is predicted"
        for r, n in zip(regimens, about[names.N_TREATED].to_numpy(), strict=True)
        if n == 0
    ]
    for j, r in enumerate(regimens):
        here = about.isel({names.DOSE: j})
        for part in fit.parts:
            said += _extrapolated(r, part, here)
            x = draws[part.variable].isel({names.DOSE: j}, drop=True)
            sd = float(fit.whole.expect((x - fit.whole.expect(x)) ** 2)) ** 0.5
            said += _few(r, part.variable, here, sd)
    for part in fit.parts:
        if part.limits is None:
            said.append(
                f"{part.variable}: the exposures of the fit are not in its posterior, so that "
                "extrapolation beyond them is not checked"
            )
        said += [
            f"{part.variable}: {name} is prior-driven (95 % interval {ratio:.2f} times that before the "
            "data): between and beyond the exposures studied the curve's form is the prior's"
            for name, ratio in width_ratios(part.recipe, part.posterior).items()
            if name in part.recipe.shape.bends and ratio > PRIOR_DRIVEN
        ]
    return tuple(dict.fromkeys(said))


def _scales(fit: Fitted, times: Mapping[str, float | None]) -> list[str]:
    """Say what is predicted of an endpoint that is no event."""
    said = []
    for part in fit.parts:
        at = times[part.name]
        if part.recipe.response.kind == "time_to_event":
            when = f"time {at:g}" if at is not None else "the model's reference time"
            said.append(f"{part.variable} is survival at {when}, averaged over people")
        elif part.recipe.response.kind == "count":
            what = "rate per unit of time" if at is None else f"number of events in {at:g}"
            said.append(f"{part.variable} is the expected {what}, averaged over people")
    return said


def _extrapolated(regimen: Regimen, part: Part, here: xr.Dataset) -> list[str]:
    """Say which share of people lies beyond the exposures that were studied."""
    if part.limits is None:
        return []
    said = []
    for side, end in zip(("below", "above"), part.limits, strict=True):
        share = float(here[f"{part.variable}_{side}"])
        if share > OUTSIDE:
            unit = f" {part.recipe.unit}".rstrip()
            said.append(
                f"{regimen.label}: {share:.0%} of people have a {part.recipe.exposure} {side} every one "
                f"studied ({end:.4g}{unit}): there {part.variable} extrapolates the curve"
            )
    return said


def _few(regimen: Regimen, variable: str, here: xr.Dataset, sd: float) -> list[str]:
    """Say when a finite number of people has a share in the uncertainty."""
    error = float(here[f"{variable}_people_error"])
    if error**2 <= VARIANCE * sd**2:
        return []
    said = (
        f"{regimen.label}: the {int(here['people'])} people looked at are few: {error:.2g} of the "
        f"standard deviation {sd:.2g} of {variable} is theirs"
    )
    return [said]
