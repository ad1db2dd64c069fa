"""A fitted mixture is the likeliest one, of no more parts than needed, and says how well it fits."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from scipy.optimize import minimize
from scipy.special import softmax

from doseopt_bayes.elicit.fit_mixture import fit_mixture
from doseopt_bayes.errors import DoseOptError

U = (np.arange(6000) + 0.5) / 6000
NORMAL = stats.norm.ppf(U, -1, 0.5)
TWO = np.concatenate([stats.norm.ppf(U[::3], 3, 0.4), stats.norm.ppf(U, 0, 1)])
TAILS = stats.t.ppf(U, 4)


def likelihood(x: np.ndarray, w, mean, sd) -> float:
    return float(np.mean(np.log(stats.norm.pdf(x[:, None], mean, sd) @ w)))


def test_one_part_is_the_mean_and_standard_deviation():
    found = fit_mixture(NORMAL)
    assert len(found.prior.components) == 1
    (part,) = found.prior.components
    assert (part.mean, part.sd) == pytest.approx((NORMAL.mean(), NORMAL.std()), rel=1e-4)
    assert found.cdf_error < 1e-3


def test_two_parts_are_found():
    found = fit_mixture(TWO)
    assert found.prior.weights == pytest.approx((0.75, 0.25), abs=0.01)
    got = [(c.mean, c.sd) for c in found.prior.components]
    np.testing.assert_allclose(got, [(0, 1), (3, 0.4)], atol=0.03)


@pytest.mark.parametrize("x", [TWO, TAILS], ids=["two", "tails"])
def test_an_independent_optimiser_finds_nothing_likelier(x):
    found = fit_mixture(x)
    k = len(found.prior.components)
    mean, sd = np.array([(c.mean, c.sd) for c in found.prior.components]).T
    here = likelihood(x, found.prior.weights, mean, sd)

    def minus(v: np.ndarray) -> float:
        return -likelihood(x, softmax(v[:k]), v[k : 2 * k], np.exp(v[2 * k :]))

    start = np.concatenate([np.log(found.prior.weights), mean, np.log(sd)])
    best = minimize(minus, start, method="Nelder-Mead", options={"maxfev": 3000, "fatol": 1e-9})
    assert here == pytest.approx(-best.fun, abs=2e-4)


def test_the_number_of_parts_has_the_least_criterion():
    found = fit_mixture(TAILS)
    assert len(found.prior.components) == min(found.criterion, key=found.criterion.get)
    one = -2 * TAILS.size * likelihood(TAILS, [1.0], TAILS.mean(), TAILS.std()) + 6 * 2
    assert found.criterion[1] == pytest.approx(one, abs=1.0)


def test_the_stated_error_is_that_of_kolmogorov():
    for x in (NORMAL, TWO, TAILS):
        found = fit_mixture(x, most=2)
        cdf = np.vectorize(found.prior.cdf)
        assert found.cdf_error == pytest.approx(stats.ks_1samp(x, cdf).statistic, abs=1e-9)


def test_weights_count_draws():
    rng = np.random.default_rng(3)
    x = rng.normal(0, 2, 20_000)
    target = 0.7 * stats.norm.pdf(x, -1, 0.6) + 0.3 * stats.norm.pdf(x, 1.5, 0.4)
    found = fit_mixture(x, target / stats.norm.pdf(x, 0, 2))
    assert found.prior.weights == pytest.approx((0.7, 0.3), abs=0.02)
    got = [(c.mean, c.sd) for c in found.prior.components]
    np.testing.assert_allclose(got, [(-1, 0.6), (1.5, 0.4)], atol=0.05)
    assert found.size < 20_000


def test_order_and_repetition_change_nothing():
    rng = np.random.default_rng(1)
    assert fit_mixture(rng.permutation(TWO)).prior == fit_mixture(TWO).prior


def test_a_bad_stand_in_is_said_to_be_one():
    assert "beyond what chance does" in str(fit_mixture(TWO, most=1))
    assert "within what chance does" in str(fit_mixture(TWO))


@pytest.mark.parametrize("x", [np.ones(50), np.array([0.0, np.nan, 1.0])])
def test_draws_that_say_nothing_are_refused(x):
    with pytest.raises(DoseOptError, match="finite draws that differ"):
        fit_mixture(x)
