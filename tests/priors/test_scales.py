"""Priors of standard deviations between groups: the same on paper, in PyMC and in SciPy."""

from __future__ import annotations

import numpy as np
import pymc as pm
import pytest
from scipy import integrate, stats

from doseopt_bayes.errors import DoseOptError
from doseopt_bayes.priors import HalfNormal, HalfStudentT, LogNormal, RootInverseGamma

X = np.array([0.3, 1.0, 2.5, 7.0])


def half_t(x, df, sd):
    """Density of a folded t, written out."""
    return 2 * stats.t(df, scale=sd).pdf(x)


def root(x, shape, scale):
    """Density of the root of an inverse-gamma variable: that of the square times 2 x."""
    return 2 * x * stats.invgamma(shape, scale=scale).pdf(x**2)


CASES = [
    (HalfStudentT(3, 1), lambda x: half_t(x, 3, 1)),
    (HalfStudentT(1, 0.5), lambda x: half_t(x, 1, 0.5)),  # the half-Cauchy
    (RootInverseGamma(2, 20), lambda x: root(x, 2, 20)),
    (RootInverseGamma(0.5, 0.3), lambda x: root(x, 0.5, 0.3)),
]
every = pytest.mark.parametrize(("prior", "density"), CASES, ids=lambda x: str(x)[:20])


@every
def test_quantiles_are_those_of_the_density(prior, density):
    for q in (0.025, 0.5, 0.9):
        below, _ = integrate.quad(density, 0, prior.quantile(q), limit=200)
        assert below == pytest.approx(q, abs=1e-6)


@every
def test_the_density_in_a_model_is_the_one_on_paper(prior, density):
    with pm.Model() as model:
        prior.build("tau")
    (free,) = model.free_RVs
    is_root = free.name == "tau_variance"
    logp = model.compile_logp(jacobian=False)
    (value,) = model.value_vars
    found = [float(logp({value.name: np.log(x**2 if is_root else x)})) for x in X]
    wanted = np.log(density(X)) - (np.log(2 * X) if is_root else 0)  # per unit of the variance
    np.testing.assert_allclose(found, wanted, atol=1e-8)  # PyMC's constant of a t is good to 2e-9
    np.testing.assert_allclose(np.diff(found), np.diff(wanted), rtol=1e-12)


@every
def test_draws_have_the_stated_quantiles(prior, density):
    with pm.Model(coords={"g": ["a", "b"]}):
        x = pm.draw(prior.build("tau", ["g"]), 10_000, random_seed=1)
    assert x.shape == (10_000, 2)
    for q in (0.1, 0.5, 0.9):
        assert np.mean(x <= prior.quantile(q)) == pytest.approx(q, abs=0.011)  # 4 errors
    assert prior.positive() is prior


def test_the_prior_of_thall_keeps_groups_apart():
    """Its median is 3.5 on the logit scale: E[variance] = 20 / (2 - 1)."""
    prior = RootInverseGamma(2, 20)
    assert prior.quantile(0.5) == pytest.approx(np.sqrt(stats.invgamma(2, scale=20).median()))
    assert 3.4 < prior.quantile(0.5) < 3.5
    assert prior.quantile(1e-4) > 1


@pytest.mark.parametrize(
    "make",
    [lambda: HalfStudentT(0, 1), lambda: HalfStudentT(3, -1), lambda: HalfStudentT(float("inf"), 1),
     lambda: RootInverseGamma(0, 1), lambda: RootInverseGamma(2, 0), lambda: RootInverseGamma("2", 1)],
)  # fmt: skip
def test_senseless_numbers_are_refused(make):
    with pytest.raises(DoseOptError, match=r"must be > 0|not a finite number"):
        make()


@pytest.mark.parametrize("prior", [c[0] for c in CASES] + [HalfNormal(0.5), LogNormal(0.25, 0.7)])
def test_what_it_implies_is_printed(prior):
    low, high = prior.quantile(0.025), prior.quantile(0.975)
    assert f"95 % within {low:.3g} to {high:.3g}" in str(prior)
