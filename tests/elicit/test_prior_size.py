"""Effective sample sizes agree with closed forms, published numbers and a second-difference integral."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import integrate, stats
from scipy.special import expit

from doseopt_bayes.elicit.prior_size import effective_sample_size, moments_of_probability
from doseopt_bayes.errors import DoseOptError
from doseopt_bayes.priors import Beta, HalfNormal, LogNormal, Mixture, Normal, StudentT

# RBesT 1.8, vignette "RBesT for a Binary Endpoint" (ankylosing spondylitis): the printed MAP mixture
AS = Mixture((0.6167463, 0.3832537), (Beta(19.1916387, 57.7779318), Beta(3.5278745, 9.3735980)))
AS_ROBUST = Mixture((0.493397, 0.306603, 0.2),
                    (Beta(19.191639, 57.777932), Beta(3.527875, 9.373598), Beta(1, 1)))  # fmt: skip
NORMALS = Mixture((0.8, 0.2), (Normal(-1.1, 0.47), Normal(-1.06, 2.29)))


@pytest.mark.parametrize(("a", "b"), [(4, 12), (1, 1), (0.5, 0.5), (0.1, 3), (300, 900), (1, 40)])
def test_a_conjugate_prior_is_worth_its_patients(a, b):
    size = effective_sample_size(Beta(a, b))
    assert (size.elir, size.moments) == pytest.approx((a + b, a + b), rel=1e-7)


@pytest.mark.parametrize(("mean", "sd"), [(0, 2), (-1.1, 0.47), (-3, 0.01), (5, 3), (0, 4)])
def test_a_normal_prior_of_log_odds_has_its_closed_form(mean, sd):
    # E[1 / (p (1 - p))] = E[2 + exp(x) + exp(-x)] under the Normal, over its variance
    exact = (2 + 2 * math.exp(sd**2 / 2) * math.cosh(mean)) / sd**2
    assert effective_sample_size(Normal(mean, sd)).elir == pytest.approx(exact, rel=1e-8)


def test_a_normal_prior_of_a_mean_has_its_closed_form():
    size = effective_sample_size(Normal(3.0, 0.5), sd=4.0)
    assert (size.elir, size.moments) == pytest.approx((64.0, 64.0), rel=1e-8)


def test_published_sizes_come_out():
    assert round(effective_sample_size(AS).elir) == 37
    assert round(effective_sample_size(AS).moments) == 26
    assert round(effective_sample_size(AS_ROBUST).elir) == 26


def log_odds_density(prior: Mixture, x: float) -> float:
    p = expit(x)
    if prior.of_probability:
        each = [stats.beta.pdf(p, c.events, c.others) * p * (1 - p) for c in prior.components]
    else:
        each = [stats.norm.pdf(x, c.mean, c.sd) for c in prior.components]
    return float(np.dot(prior.weights, each))


@pytest.mark.parametrize("prior", [AS, AS_ROBUST, NORMALS], ids=str)
def test_a_sum_of_second_differences_agrees(prior):
    step, wide = 0.005, 4  # differences of fourth order over 0.02
    x = np.arange(-18, 18, step)
    log = np.log([log_odds_density(prior, v) for v in x])
    far = slice(2 * wide, -2 * wide)
    near = [log[k * wide : (k - 4) * wide or None] for k in range(5)]
    bend = np.dot([-1, 16, -30, 16, -1], near) / (12 * (wide * step) ** 2)
    each = -bend / (expit(x[far]) * expit(-x[far])) * np.exp(log[far]) * step
    size = effective_sample_size(prior)
    assert size.elir == pytest.approx(each.sum(), rel=2e-5)
    outside = np.abs(x[far]) > math.log(99)
    assert size.extreme == pytest.approx(each[outside].sum() / each.sum(), abs=2e-4)


@pytest.mark.parametrize("prior", [AS, NORMALS], ids=str)
def test_moments_of_the_probability_are_integrals(prior):
    def moment(k: int) -> float:
        def each(x: float) -> float:
            return expit(x) ** k * log_odds_density(prior, x)

        return integrate.quad(each, -20, 20, limit=500, points=[-1])[0]

    first, second = moment(1), moment(2)
    found = moments_of_probability(prior)
    assert found == pytest.approx((first, math.sqrt(second - first**2)), abs=1e-7)
    matched = first * (1 - first) / (second - first**2) - 1
    assert effective_sample_size(prior).moments == pytest.approx(matched, rel=1e-5)


def test_a_size_that_is_made_of_tails_is_said_to_be():
    said = str(effective_sample_size(Normal(0.0, 5.0)))
    assert "comes from probabilities beyond 0.01 and 0.99" in said
    assert "beyond" not in str(effective_sample_size(AS))
    assert "beyond" not in str(effective_sample_size(Beta(0.1, 0.1)))  # both sizes agree


def test_an_integral_without_a_value_is_said_and_not_given():
    size = effective_sample_size(Mixture((0.5, 0.5), (Beta(0.5, 5), Beta(0.8, 3))))
    assert math.isnan(size.elir)
    assert size.moments > 0
    assert "has no value" in str(size)


@pytest.mark.parametrize("prior", [StudentT(5, 0, 1), HalfNormal(1), LogNormal(1, 1),
                                   Normal(0, 1, lower=0.0), NORMALS.positive()], ids=str)  # fmt: skip
def test_other_priors_are_refused(prior):
    with pytest.raises(DoseOptError, match="has none here"):
        effective_sample_size(prior)


def test_a_probability_is_no_measurement():
    with pytest.raises(DoseOptError, match="sd is that of a measurement"):
        effective_sample_size(AS, sd=1.0)
    with pytest.raises(DoseOptError, match="must be > 0"):
        effective_sample_size(Normal(0, 1), sd=0.0)
