"""A robust prior is the stated mixture, and prints what the added component costs."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import integrate, stats
from scipy.special import expit

from doseopt_bayes.elicit.prior_size import effective_sample_size
from doseopt_bayes.elicit.robust import robustify
from doseopt_bayes.errors import DoseOptError
from doseopt_bayes.priors import Beta, Mixture, Normal

# RBesT 1.8, vignette "RBesT for a Binary Endpoint"
AS = Mixture((0.6167463, 0.3832537), (Beta(19.1916387, 57.7779318), Beta(3.5278745, 9.3735980)))


def test_the_default_is_one_patients_information_at_the_mean_probability():
    found = robustify(Normal(-1.1, 0.4))
    mean = integrate.quad(lambda x: expit(x) * stats.norm.pdf(x, -1.1, 0.4), -6, 6)[0]
    *kept, added = found.prior.components
    assert kept == [Normal(-1.1, 0.4)]
    assert found.prior.weights == pytest.approx((0.8, 0.2))
    assert (added.mean, added.sd) == pytest.approx(
        (math.log(mean / (1 - mean)), 1 / math.sqrt(mean * (1 - mean))), rel=1e-5
    )
    assert f"{added.sd:g}" in str(found)


def test_the_published_robust_prior_comes_out():
    found = robustify(AS, weight=0.2, mean=0.5)
    assert found.prior.weights == pytest.approx((0.493397, 0.306603, 0.2), abs=1e-6)
    assert found.prior.components[-1] == Beta(1.0, 1.0)
    assert (round(found.before.elir), round(found.size.elir)) == (37, 26)


def test_both_sizes_are_printed():
    found = robustify(AS)
    assert f"before: {effective_sample_size(AS)}" in str(found)
    assert f"now: {effective_sample_size(found.prior)}" in str(found)
    assert found.size.elir < found.before.elir


def test_data_that_disagree_switch_to_the_weak_component():
    # 18 of 20 respond where the source says 0.2: the posterior weight of the source, by marginal likelihoods
    found = robustify(Normal(-1.4, 0.3), weight=0.1)

    def marginal(c: Normal) -> float:
        def f(x: float) -> float:
            return stats.binom.pmf(18, 20, expit(x)) * stats.norm.pdf(x, c.mean, c.sd)

        return integrate.quad(f, c.mean - 9 * c.sd, c.mean + 9 * c.sd, limit=300)[0]

    each = np.array([marginal(c) for c in found.prior.components]) * found.prior.weights
    assert each[0] / each.sum() < 0.001


def test_what_is_given_is_taken():
    found = robustify(Normal(-1, 0.3), weight=0.5, mean=0.5, sd=3.0)
    assert found.prior == Mixture((0.5, 0.5), (Normal(-1, 0.3), Normal(0.0, 3.0)))
    assert "as given" in str(found)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [({"weight": 0.0}, "between 0 and 1"), ({"weight": 1.0}, "between 0 and 1"),
     ({"mean": -1.1}, "is a probability")],
)  # fmt: skip
def test_what_cannot_be_is_refused(arguments, said):
    with pytest.raises(DoseOptError, match=said):
        robustify(Normal(-1, 0.3), **arguments)


def test_a_probability_has_no_sd_of_log_odds():
    with pytest.raises(DoseOptError, match="belongs to log-odds"):
        robustify(AS, sd=1.0)
