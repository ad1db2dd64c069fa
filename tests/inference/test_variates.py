"""Errors of quasi-random particles: honest, smaller than those of independent ones, never by luck."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ndtri
from scipy.stats import norm, qmc

from doseopt_bayes.inference.variates import variates_of

N, SIZE = 1024, 3


def points(seed):
    u = qmc.Sobol(SIZE, rng=np.random.default_rng(seed)).random(N)
    return ndtri(u.clip(1e-12, 1 - 1e-12))


FUNCTIONS = {  # with their exact means under independent standard Normals
    "logistic": (lambda x: 1 / (1 + np.exp(-x @ [1.0, 0.5, -0.3])), 0.5),
    "square": (lambda x: (x[:, 0] + x[:, 1]) ** 2, 2.0),
    "tail": (lambda x: (x.sum(axis=1) > 1.0) * 1.0, norm.sf(1 / np.sqrt(3))),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_errors_cover_the_distance_from_the_exact_mean(name):
    function, exact = FUNCTIONS[name]
    scores, ratios = [], []
    for seed in range(60):
        x = points(seed)
        f = function(x)
        scaled = ((f - f.mean()) / N)[:, None]
        error = np.sqrt(variates_of(x, 0).variance(scaled, np.array(N)))[0]
        scores.append((f.mean() - exact) / error)
        ratios.append(error / np.sqrt((scaled**2).sum()))
    assert np.sqrt(np.mean(np.square(scores))) < 1.1
    assert np.max(np.abs(scores)) < 4
    assert np.median(ratios) < 0.95


def test_covariance_and_variance_agree_and_a_small_ess_explains_nothing():
    rng = np.random.default_rng(1)
    variates = variates_of(points(1), 100)
    scaled = rng.normal(size=(2, N + 100, 4))
    ess = np.array([500.0, 20.0])
    covariance = variates.covariance(scaled, ess)
    variance = variates.variance(scaled, ess)
    np.testing.assert_allclose(np.diagonal(covariance, axis1=1, axis2=2), variance, rtol=1e-9)
    np.testing.assert_allclose(variance[1], (scaled[1] ** 2).sum(axis=0), rtol=1e-12)


def test_what_a_polynomial_explains_leaves_its_known_error():
    x = points(3)
    f = 2 * x[:, 0] - x[:, 1] ** 2
    scaled = ((f - f.mean()) / N)[:, None]
    error = np.sqrt(variates_of(x, 0).variance(scaled, np.array(N)))[0]
    assert error == pytest.approx(abs(f.mean() - (-1.0)), abs=1e-9)
