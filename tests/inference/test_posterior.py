"""Monte Carlo errors are honest, and never zero for an event."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from doseopt_bayes.errors import DoseOptError


def posterior(synthetic, seed=0, n=1000):
    rng = np.random.default_rng(seed)
    return synthetic(rng.beta(2, 5, (4, n, 3)), rng.beta(5, 2, (4, n, 3)))


def test_expectation_probability_and_quantile(synthetic):
    post = posterior(synthetic)
    x = post["p_tox"]
    flat = x.to_numpy().reshape(-1, 3)
    np.testing.assert_allclose(post.expect(x), flat.mean(0))
    np.testing.assert_allclose(post.prob(x < 0.3), (flat < 0.3).mean(0))
    np.testing.assert_allclose(post.quantile(x, 0.975), np.quantile(flat, 0.975, axis=0))


def test_error_of_a_probability_covers_the_truth(synthetic):
    """Over 200 seeds, the standardised error behaves like a standard normal."""
    truth = stats.beta(2, 5).cdf(0.3)
    z = []
    for seed in range(200):
        post = posterior(synthetic, seed, n=250)
        event = post["p_tox"] < 0.3
        z.append((post.prob(event) - truth) / post.mcse(event))
    z = np.concatenate(z)
    assert np.abs(z).max() < 4.5
    assert np.mean(np.abs(z) > 2) < 0.08
    assert 0.85 < z.std() < 1.15


def test_an_event_in_no_draw_still_has_an_error(synthetic):
    post = posterior(synthetic)
    for event in (post["p_tox"] < 0, post["p_tox"] <= 1):
        assert (post.mcse(event) > 0).all()
    never = float(post.mcse(post["p_tox"] < 0)[0])
    p = 0.5 / (post.n_draws + 1)
    assert never == pytest.approx(np.sqrt(p * (1 - p) / post.min_ess), rel=1e-9)


def map_of(synthetic):
    return (posterior(synthetic, s, n=250) for s in range(20))


def test_error_of_a_quantile_is_of_the_right_size(synthetic):
    spread = [
        posterior(synthetic, s, n=250).quantile(posterior(synthetic, s, n=250)["p_tox"], 0.9)[0]
        for s in range(100)
    ]
    claimed = [post.mcse(post["p_tox"], q=0.9).to_numpy() for post in map_of(synthetic)]
    assert 0.8 < np.mean(claimed) / np.std(spread) < 1.25


def test_unknown_variable_is_refused_with_the_nearest_name(synthetic):
    with pytest.raises(DoseOptError, match="did you mean 'p_tox'"):
        posterior(synthetic)["p_toxx"]
