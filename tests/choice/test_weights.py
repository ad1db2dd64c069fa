"""Weights against a grid search and an independent optimiser."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import optimize

from doseopt_bayes.choice.weights import model_weights, stacking


def scores(n: int, k: int, seed: int) -> np.ndarray:
    """Log densities of Normal models around different centres, for data of a mixture of two."""
    rng = np.random.default_rng(seed)
    y = np.where(rng.random(n) < 0.3, rng.normal(-1, 1, n), rng.normal(2, 1, n))
    centres = np.linspace(-1, 2, k)
    return -0.5 * (y[:, None] - centres) ** 2 - 0.5 * np.log(2 * np.pi)


def mean_score(elpd: np.ndarray, w: np.ndarray) -> float:
    return float(np.log(np.exp(elpd) @ w).mean())


def test_two_models_agree_with_a_scalar_search():
    elpd = scores(200, 2, 1)
    found = optimize.minimize_scalar(
        lambda w: -mean_score(elpd, np.array([w, 1 - w])), bounds=(0, 1), method="bounded",
        options={"xatol": 1e-9},
    )  # fmt: skip
    weight, gap = stacking(elpd)
    assert weight[0] == pytest.approx(found.x, abs=1e-4)
    assert gap < 1e-6


def test_three_models_agree_with_a_grid():
    elpd = scores(150, 3, 2)
    step = np.linspace(0, 1, 201)
    grid = [(a, b, 1 - a - b) for a in step for b in step if a + b <= 1 + 1e-12]
    best = max(grid, key=lambda w: mean_score(elpd, np.clip(w, 0, 1)))
    weight, _ = stacking(elpd)
    np.testing.assert_allclose(weight, best, atol=0.01)
    assert mean_score(elpd, weight) >= mean_score(elpd, np.clip(best, 0, 1)) - 1e-9


@pytest.mark.parametrize("seed", range(5))
def test_six_models_agree_with_a_global_optimiser(seed):
    elpd = scores(80, 6, seed)

    def loss(v: np.ndarray) -> float:
        w = np.exp(v - v.max())
        return -mean_score(elpd, w / w.sum())

    other = optimize.differential_evolution(loss, [(-8, 8)] * 6, rng=seed, tol=1e-10, maxiter=300)
    weight, gap = stacking(elpd)
    assert weight.min() >= 0
    assert weight.sum() == pytest.approx(1)
    assert -loss(other.x) <= mean_score(elpd, weight) + 1e-6
    assert gap <= 1e-6


def test_a_model_that_predicts_every_patient_better_gets_all():
    elpd = np.stack([np.full(50, -1.0), np.full(50, -3.0)], axis=1)
    found = model_weights(elpd, seed=1)
    np.testing.assert_allclose(found.stacking, [1, 0], atol=1e-8)
    assert found.pseudo_bma[0] > 0.999
    assert found.stacking_sd.max() < 1e-6


def test_equal_models_share_and_the_weight_is_said_to_be_uncertain():
    rng = np.random.default_rng(1)
    elpd = -1 + rng.normal(0, 0.3, (60, 2))
    found = model_weights(elpd, seed=1)
    assert found.stacking_sd[0] > 0.05
    assert 0.02 < found.pseudo_bma[0] < 0.98
    assert found.pseudo_bma.sum() == pytest.approx(1)


def test_numbers_far_below_zero_do_not_overflow():
    elpd = scores(30, 3, 4)
    a, _ = stacking(elpd)
    b, _ = stacking(elpd - 5000)
    np.testing.assert_allclose(a, b, atol=1e-5)


def test_the_spread_of_a_weight_is_that_of_the_weights_of_resampled_patients():
    # densities that hardly differ, where an update that creeps from equal weights would show no spread
    rng = np.random.default_rng(5)
    elpd = -1 + rng.normal(0, 0.02, (100, 2))
    share = np.random.default_rng(9).dirichlet(np.ones(100), 60)
    again = []
    for one in share:
        found = optimize.minimize_scalar(
            lambda w, one=one: -float(one @ np.log(np.exp(elpd) @ np.array([w, 1 - w]))),
            bounds=(0, 1), method="bounded",
        )  # fmt: skip
        again.append(found.x)
    sd = model_weights(elpd, seed=1).stacking_sd[0]
    assert sd == pytest.approx(np.std(again), rel=0.35)
    assert sd > 0.2
