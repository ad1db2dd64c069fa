"""New responses of the same patients under a fitted curve, from the model's own likelihood."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np

from doseopt_bayes.names import CHAIN, DRAW, PATIENT
from doseopt_bayes.plots.patient_average import predicted

if TYPE_CHECKING:
    import xarray as xr

    from doseopt_bayes.data.exposure import ExposureData
    from doseopt_bayes.inference.posterior import Posterior
    from doseopt_bayes.models.exposure_response import ExposureResponse

__all__ = ["cumulative_hazard", "replicated"]


def replicated(
    model: ExposureResponse, data: ExposureData, posterior: Posterior, seed: int
) -> np.ndarray:
    """Draw a new response of each patient for each draw.

    Parameters
    ----------
    model, data, posterior
        A curve, the data, and draws of equal weight.
    seed
        The same seed and versions give the same replicates.

    Returns
    -------
    numpy.ndarray
        (draw, patient), in the order of ``model.read(data)``.
    """
    import pymc as pm  # noqa: PLC0415

    log = logging.getLogger("pymc.sampling.forward")
    level, built = log.level, model.build(data)
    log.setLevel(logging.WARNING)  # it would print which variables it draws
    try:
        tree = pm.sample_posterior_predictive(
            posterior.draws, model=built, var_names=["y"], progressbar=False, random_seed=seed
        )
    finally:
        log.setLevel(level)
    y = tree["posterior_predictive"]["y"].transpose(CHAIN, DRAW, PATIENT, ...)
    flat: np.ndarray = y.to_numpy().reshape(y.sizes[CHAIN] * y.sizes[DRAW], *y.shape[2:])
    return flat


def cumulative_hazard(
    model: ExposureResponse, posterior: Posterior, rows: xr.Dataset
) -> np.ndarray:
    """Cumulative hazard of each patient up to the own time: (draw, patient).

    Its sum over patients is the number of events that the model expects of them.
    """
    t = rows["time"].to_numpy().astype(float)
    found = np.empty((posterior.n_draws, t.size))
    for time in np.unique(t):
        at = np.flatnonzero(t == time)
        alive = predicted(model, posterior.draws, rows.isel({PATIENT: at}), time=float(time))
        plain = alive.transpose(CHAIN, DRAW, PATIENT).to_numpy().reshape(-1, at.size)
        found[:, at] = -np.log(np.maximum(plain, np.finfo(float).tiny))
    return found
