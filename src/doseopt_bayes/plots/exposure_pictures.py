"""The figures of exposure-response, each with its numbers and its caption."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from doseopt_bayes.plots.by_dose import caption_by_dose, data_by_dose, draw_by_dose
from doseopt_bayes.plots.covariates import caption_covariates, data_covariates, draw_covariates
from doseopt_bayes.plots.exposure_response import (
    caption_exposure_response,
    data_exposure_response,
    draw_exposure_response,
)
from doseopt_bayes.plots.loo_check import caption_loo, data_loo, draw_loo
from doseopt_bayes.plots.picture import Picture
from doseopt_bayes.plots.predictive import caption_predictive, data_predictive, draw_predictive
from doseopt_bayes.plots.survival import caption_survival, data_survival, draw_survival
from doseopt_bayes.plots.window import caption_window, data_window, draw_window

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np

    from doseopt_bayes.data.exposure import ExposureData
    from doseopt_bayes.inference.posterior import Posterior
    from doseopt_bayes.models.exposure_response import ExposureResponse
    from doseopt_bayes.plots.exposure_bins import Bins

__all__ = [
    "figure_by_dose",
    "figure_covariates",
    "figure_exposure_response",
    "figure_loo",
    "figure_predictive",
    "figure_survival",
    "figure_window",
]


def figure_exposure_response(
    model: ExposureResponse,
    posterior: Posterior,
    data: ExposureData,
    *,
    bins: Bins = 3,
    time: float | None = None,
    upto: float | None = None,
    log: bool = False,
) -> Picture:
    """Draw curve and band, patients, bins with intervals that need no model, and exposure by dose.

    Parameters
    ----------
    model, posterior, data, bins, time, upto, log
        As for :func:`~doseopt_bayes.plots.exposure_response.data_exposure_response`.
    """
    seen = data_exposure_response(model, posterior, data, bins=bins, time=time, upto=upto, log=log)
    title = f"Exposure-response: {model.endpoint} by {model.exposure}"
    return Picture(title, caption_exposure_response(seen), draw_exposure_response(seen), seen)


def figure_window(
    parts: Sequence[tuple[ExposureResponse, Posterior, ExposureData]],
    *,
    exposures: Mapping[float, Sequence[float] | np.ndarray] | None = None,
    time: float | None = None,
    log: bool = False,
) -> Picture:
    """Draw efficacy and toxicity on one exposure axis, with the exposure interval of each dose.

    Parameters
    ----------
    parts, exposures, time, log
        As for :func:`~doseopt_bayes.plots.window.data_window`.
    """
    seen = data_window(parts, exposures=exposures, time=time, log=log)
    title = "Therapeutic window: " + " and ".join(m.endpoint for m, _, _ in parts)
    return Picture(title, caption_window(seen), draw_window(seen), seen)


def figure_covariates(
    model: ExposureResponse,
    posterior: Posterior,
    data: ExposureData,
    *,
    exposure: float | None = None,
    reference: Mapping[str, Any] | None = None,
    time: float | None = None,
) -> Picture:
    """Draw what each covariate changes against a reference patient: difference and ratio.

    Parameters
    ----------
    model, posterior, data, exposure, reference, time
        As for :func:`~doseopt_bayes.plots.covariates.data_covariates`.
    """
    seen = data_covariates(
        model, posterior, data, exposure=exposure, reference=reference, time=time
    )
    title = f"Covariate effects on {model.endpoint}"
    return Picture(title, caption_covariates(seen), draw_covariates(seen), seen)


def figure_survival(
    model: ExposureResponse,
    posterior: Posterior | None,
    data: ExposureData,
    *,
    by: str = "dose",
    bins: Bins = 3,
) -> Picture:
    """Draw Kaplan-Meier by dose or bin of exposure, with patients at risk and the model on top.

    Parameters
    ----------
    model, posterior, data, by, bins
        As for :func:`~doseopt_bayes.plots.survival.data_survival`.
    """
    seen = data_survival(model, posterior, data, by=by, bins=bins)
    title = f"Time to {model.endpoint} by {'dose' if by == 'dose' else model.exposure}"
    return Picture(title, caption_survival(seen), draw_survival(seen), seen)


def figure_predictive(
    model: ExposureResponse,
    posterior: Posterior,
    data: ExposureData,
    *,
    bins: Bins = 3,
    seed: int = 0,
) -> Picture:
    """Draw what was observed in each bin of exposure beside replicated data sets.

    Parameters
    ----------
    model, posterior, data, bins, seed
        As for :func:`~doseopt_bayes.plots.predictive.data_predictive`.
    """
    seen = data_predictive(model, posterior, data, bins=bins, seed=seed)
    title = f"Posterior predictive check of {model.endpoint} by {model.exposure}"
    return Picture(title, caption_predictive(seen), draw_predictive(seen), seen)


def figure_loo(
    model: ExposureResponse,
    posterior: Posterior,
    data: ExposureData,
    *,
    groups: int = 4,
    seed: int = 0,
) -> Picture:
    """Draw each patient against what the others predict: calibration (binary) or LOO-PIT.

    Parameters
    ----------
    model, posterior, data, groups, seed
        As for :func:`~doseopt_bayes.plots.loo_check.data_loo`.
    """
    seen = data_loo(model, posterior, data, groups=groups, seed=seed)
    title = f"Leave-one-out calibration of {model.endpoint}"
    return Picture(title, caption_loo(seen), draw_loo(seen), seen)


def figure_by_dose(found: Posterior, *, variables: Sequence[str] = ()) -> Picture:
    """Draw the response expected at each dose or regimen, tested or not.

    Parameters
    ----------
    found
        Result of :func:`~doseopt_bayes.prediction.at_doses.at_doses`.
    variables
        Which; all by default.
    """
    seen = data_by_dose(found, variables=variables)
    return Picture("Expected response by dose", caption_by_dose(seen), draw_by_dose(seen), seen)
