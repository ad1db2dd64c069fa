"""How much of an average each model gets: stacking of predictive distributions, and pseudo-BMA+."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy import optimize

__all__ = ["ModelWeights", "model_weights", "stacking"]

RESAMPLES: Final = 400  # Bayesian bootstraps of the patients
STACKED: Final = 100  # of these for which the mixture is found again
GAP: Final = 1e-6  # of the mean log score: how far from the best weights may be


@dataclass(frozen=True, eq=False)
class ModelWeights:
    """Weights of models, each array in the models' order.

    Parameters
    ----------
    stacking, stacking_sd
        Weights whose mixture predicts best, and their standard deviation over Bayesian bootstraps of the
        patients.
    pseudo_bma
        Pseudo-BMA+ weights: softmax of elpd, averaged over the same bootstraps.
    gap
        Most by which the mean log score of any other mixture could be better.
    """

    stacking: np.ndarray
    stacking_sd: np.ndarray
    pseudo_bma: np.ndarray
    gap: float


def stacking(elpd: np.ndarray) -> tuple[np.ndarray, float]:
    """Find the mixture of models that predicts best.

    Parameters
    ----------
    elpd
        (patient, model): log predictive density of each patient left out.

    Returns
    -------
    tuple of numpy.ndarray and float
        Weights >= 0 of sum 1, and a bound on how much higher the mean log score of other weights can be.

    Notes
    -----
    Maximises the concave mean of log(sum of weight times density) over the simplex (Yao et al. 2018) by
    SLSQP, where needed polished by the multiplicative update, which never loses. The bound is the largest
    directional derivative towards a single model, 0 at the maximum.

    Examples
    --------
    >>> rare, common = np.log([0.9, 0.1]), np.log([0.1, 0.9])
    >>> stacking(np.array([common, common, common, rare]))[0].round(2).tolist()
    [0.19, 0.81]
    """
    n, k = elpd.shape
    if k == 1:
        return np.ones(1), 0.0
    density = np.exp(elpd - elpd.max(axis=1, keepdims=True))
    share = np.full(n, 1 / n)
    best, gap = _best(density, share)
    for _ in range(100):
        if gap <= GAP:
            break
        best = _updated(density, share, best)
        gap = _gap(density, share, best)
    kept = np.where(best < 1e-9, 0.0, best)
    return kept / kept.sum(), max(gap, 0.0)


def _best(density: np.ndarray, share: np.ndarray) -> tuple[np.ndarray, float]:
    """Weights for patients that count by `share`, and the bound."""
    k = density.shape[1]

    def score(w: np.ndarray) -> tuple[float, np.ndarray]:
        mixed = np.maximum(density @ w, np.finfo(float).tiny)
        return float(-share @ np.log(mixed)), -(share / mixed) @ density

    found = optimize.minimize(  # type: ignore[call-overload]
        score, np.full(k, 1 / k), jac=True, method="SLSQP", bounds=[(0.0, 1.0)] * k,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1, "jac": lambda _: np.ones(k)},
        options={"maxiter": 500, "ftol": 1e-14},
    )  # fmt: skip
    clipped = np.clip(found.x, 0.0, None)
    weight: np.ndarray = clipped / clipped.sum()
    return weight, _gap(density, share, weight)


def _gap(density: np.ndarray, share: np.ndarray, w: np.ndarray) -> float:
    mixed = np.maximum(density @ w, np.finfo(float).tiny)
    return float(((share / mixed) @ density).max() - 1)


def model_weights(elpd: np.ndarray, seed: int) -> ModelWeights:
    """Return stacking and pseudo-BMA+ weights.

    Parameters
    ----------
    elpd
        (patient, model).
    seed
        Of the Bayesian bootstrap: 400 Dirichlet weights of the patients, 100 of them for `stacking_sd`.

    Notes
    -----
    Pseudo-BMA+ after Yao et al. (2018): the bootstrap keeps it from betting all on a small difference.
    """
    n, k = elpd.shape
    best, gap = stacking(elpd)
    share = np.random.default_rng(seed).dirichlet(np.ones(n), RESAMPLES)
    totals = n * share @ elpd
    odds = np.exp(totals - totals.max(axis=1, keepdims=True))
    pseudo = (odds / odds.sum(axis=1, keepdims=True)).mean(axis=0)
    if k == 1:
        return ModelWeights(best, np.zeros(1), pseudo, gap)
    density = np.exp(elpd - elpd.max(axis=1, keepdims=True))
    again = np.stack([_best(density, one)[0] for one in share[:STACKED]])
    return ModelWeights(best, again.std(axis=0), pseudo, gap)


def _updated(density: np.ndarray, share: np.ndarray, w: np.ndarray) -> np.ndarray:
    """Multiply weights by how much each model predicts of every patient, 1,000 times; never a loss."""
    for _ in range(1000):
        w = w * ((share / np.maximum(density @ w, np.finfo(float).tiny)) @ density)
    found: np.ndarray = w / w.sum()
    return found
