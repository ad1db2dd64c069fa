"""Weights: their Pareto k-hat as in ArviZ, and the numbers that weighted particles give."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from doseopt_bayes.inference.checks import Diagnostics
from doseopt_bayes.inference.pareto import pareto_khat
from doseopt_bayes.inference.weighted import Weighted, trusted


def weighted(x: np.ndarray, w: np.ndarray) -> Weighted:
    """Wrap draws (trial, particle, dose) and weights (trial, particle)."""
    draws = xr.Dataset(
        {"p_tox": (("trial", "particle", "dose"), x)},
        coords={"dose": np.arange(1.0, x.shape[2] + 1)},
    )
    tree = xr.DataTree.from_dict({"posterior": draws})
    weight = xr.DataArray(w / w.sum(axis=1, keepdims=True), dims=("trial", "particle"))
    verdict = Diagnostics((), xr.DataArray(np.zeros(0)))
    return Weighted(tree, (), verdict, (), ("particle",), weight=weight)


@given(st.integers(0, 10_000), st.floats(0.05, 2.0), st.sampled_from([256, 1000, 4096]))
@settings(max_examples=60, deadline=None)
def test_khat_is_that_of_arviz(seed, heavy, n):
    log_ratio = np.random.default_rng(seed).standard_t(4, (2, n)) * heavy
    ours = pareto_khat(np.exp(log_ratio - log_ratio.max(axis=1, keepdims=True)))
    for row, khat in zip(log_ratio, ours, strict=True):
        # ArviZ expects a log-likelihood here and turns its sign itself
        _, theirs = xr.DataArray(-row, dims="sample").azstats.psislw(dim="sample")
        assert khat == pytest.approx(float(theirs), abs=1e-6)


def test_khat_of_equal_and_of_single_weights():
    even, one = np.ones(500), np.zeros(500)
    one[3] = 1.0
    khat = pareto_khat(np.stack([even, one]))
    assert khat[0] == -np.inf
    assert khat[1] > 0.7


def test_the_gate_fails_what_it_does_not_know():
    nan = xr.DataArray(np.nan)
    assert not trusted(nan, xr.DataArray(500.0), 1024).passed
    assert not trusted(xr.DataArray(0.1), xr.DataArray(99.0), 1024).passed
    assert trusted(xr.DataArray([0.1, 0.6]), xr.DataArray([400.0, 100.0]), 1024).passed


def test_expectations_and_quantiles_are_those_of_repeated_draws():
    """A particle of weight k is k particles."""
    rng = np.random.default_rng(1)
    x, w = rng.random((3, 50, 2)), rng.integers(1, 5, (3, 50))
    post = weighted(x, w.astype(float))
    for t in range(3):
        repeated = np.repeat(x[t], w[t], axis=0)
        np.testing.assert_allclose(post.expect(post["p_tox"])[t], repeated.mean(axis=0))
        for q in (0.025, 0.5, 0.9):
            exact = np.quantile(repeated, q, axis=0, method="inverted_cdf")
            np.testing.assert_allclose(post.quantile(post["p_tox"], q)[t], exact)
    assert post.quantile(post["p_tox"], 0.5).dims == ("trial", "dose")


def test_errors_are_honest_and_an_event_without_particles_is_not_impossible():
    """300 repetitions of importance sampling from Normal(0, 1.3) to Normal(0.3, 1)."""
    z = np.random.default_rng(2).normal(0, 1.3, (300, 800, 1))
    w = (stats.norm.pdf(z, 0.3) / stats.norm.pdf(z, 0, 1.3))[..., 0]
    post = weighted(z, w)
    x = post["p_tox"]
    for value, error, exact in (
        (post.expect(x), post.mcse(x), 0.3),
        (post.prob(x > 1), post.mcse(x > 1), stats.norm.sf(0.7)),
        (post.quantile(x, 0.9), post.mcse(x, q=0.9), 0.3 + stats.norm.ppf(0.9)),
    ):
        score = ((value - exact) / error).to_numpy()
        assert abs(score.mean()) < 0.25
        assert 0.85 < score.std() < 1.15
    never = post.mcse(x > 50)
    assert (never > 0.5 / 800).all()
    np.testing.assert_allclose(post.mcse(x < 50), never)
