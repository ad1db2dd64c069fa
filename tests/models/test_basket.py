"""Basket trials: published numbers, and quadrature over centre and spread written here with SciPy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats
from scipy.special import expit, logit, logsumexp

from doseopt_bayes.errors import DoseOptError
from doseopt_bayes.inference.batch import preview
from doseopt_bayes.inference.nuts import fit
from doseopt_bayes.models.basket import Basket, berry_prior, exnex_prior, thall_prior
from doseopt_bayes.priors import HalfNormal, Normal, Pooled, RootInverseGamma, Unpooled
from tests.models.basket_cases import (
    CHUGH,
    CHUGH_EXACT,
    CHUGH_JAGS,
    NEW_STUDY,
    NEW_STUDY_PUBLISHED,
    SARCOMA_EXNEX,
    SPONDYLITIS,
    THALL,
    THALL_EXACT,
    THALL_STAN,
    counted,
)

NARROW = np.linspace(-14, 14, 1401)  # log-odds of one group
WIDE = np.linspace(-60, 60, 2401)
GRID, P = NARROW, expit(NARROW)


def weights(log_density):
    """Log of the mass of each point of a grid."""
    return log_density - logsumexp(log_density)


def quadrature(n, events, *, mu, tau, share=1.0, apart=None, grid=NARROW):
    """Posterior of a hierarchy by brute force.

    Parameters are the grid of the centre and of the spread, each (points, log density); returned are
    mean, sd and Pr(p > 0.3) of each group, Pr(exchangeable), and moments of centre and spread.
    """
    (m, log_m), (t, log_t), p = mu, tau, expit(grid)
    kernel = [stats.norm.pdf(grid, m[:, None], s) for s in t]
    density = np.stack([k / k.sum(axis=1, keepdims=True) for k in kernel], axis=1)  # m, t, log-odds
    values = np.stack([np.ones_like(p), p, p**2, p > 0.3])
    groups, joint = [], weights(log_m)[:, None] + weights(log_t)
    for k, r in zip(n, events, strict=True):
        seen = stats.binom.pmf(r, k, p)
        among = np.einsum("mtg,vg->vmt", density, values * seen)
        out = (
            np.zeros(4) if apart is None else values @ (seen * np.exp(weights(apart.logpdf(grid))))
        )
        groups.append((share * among, (1 - share) * out[:, None, None]))
        with np.errstate(divide="ignore"):  # far centres have no chance at all
            joint = joint + np.log(groups[-1][0][0] + groups[-1][1][0])
    mass = np.exp(joint - logsumexp(joint))
    moments = []
    for among, out in groups:
        total = np.maximum(among[0] + out[0], 1e-300)
        given, belongs = (among + out) / total, among[0] / total
        moments.append([*(given * mass).sum(axis=(1, 2))[1:], (belongs * mass).sum()])
    first, second, above, belongs = np.array(moments).T
    by_m, by_t = mass.sum(axis=1), mass.sum(axis=0)
    spread = {"tau": by_t @ t, "tau_sd": math.sqrt(by_t @ t**2 - (by_t @ t) ** 2)}
    return {"mean": first, "sd": np.sqrt(second - first**2), "above": above, "exchangeable": belongs,
            "centre": by_m @ m, **spread}  # fmt: skip


def normal_grid(mean, sd, points=141):
    x = np.linspace(mean - 4.5 * sd, mean + 4.5 * sd, points)
    return x, stats.norm.logpdf(x, mean, sd)


def half_grid(sd, points=90, top=5.0):
    x = (np.arange(points) + 0.5) * top * sd / points
    return x, stats.halfnorm.logpdf(x, scale=sd)


@pytest.fixture(scope="module")
def sarcoma():
    data = counted(*CHUGH)
    return fit(Basket(1.0, SARCOMA_EXNEX, data.groups), data, seed=1)


def close(post, x, wanted, bound):
    """Whether posterior means are within max(bound, 4 Monte Carlo errors)."""
    gap = np.abs(post.expect(x).to_numpy() - wanted)
    return bool((gap <= np.maximum(bound, 4 * post.mcse(x).to_numpy())).all())


@pytest.mark.slow
def test_sarcoma_equals_the_published_analysis(sarcoma):
    assert sarcoma.check().passed, str(sarcoma.check())
    p = sarcoma["p_eff"].isel(dose=0)
    assert close(sarcoma, p, CHUGH_JAGS[0], 0.003)
    np.testing.assert_allclose(p.std(sarcoma.sample_dims), CHUGH_JAGS[1], atol=0.006)


@pytest.mark.slow
def test_sarcoma_equals_quadrature(sarcoma):
    found = quadrature(
        *CHUGH, mu=normal_grid(-1.735, 0.146**-0.5), tau=half_grid(1), share=0.5,
        apart=stats.norm(-1.734, 0.128**-0.5),
    )  # fmt: skip
    for name in ("mean", "sd", "exchangeable"):  # two versions of the quadrature
        np.testing.assert_allclose(found[name], CHUGH_EXACT[name], atol=2e-3)
    p = sarcoma["p_eff"].isel(dose=0)
    assert close(sarcoma, p, found["mean"], 0.005)
    assert close(sarcoma, p > 0.3, found["above"], 0.005)
    assert close(sarcoma, (p - sarcoma.expect(p)) ** 2, found["sd"] ** 2, 0.001)
    assert close(sarcoma, sarcoma["prob_exchangeable"], found["exchangeable"], 0.005)
    assert close(sarcoma, sarcoma["prob_exchangeable"], CHUGH_EXACT["exchangeable"], 0.005)
    for name in ("centre", "tau"):
        x = sarcoma["log_odds_mean" if name == "centre" else "log_odds_tau"]
        assert close(sarcoma, x, found[name], 0.01)
        assert close(sarcoma, x, CHUGH_EXACT[name], 0.01)


def root_grid(shape, scale, points=120, top=60.0):
    x = np.geomspace(0.9, top, points)
    return x, np.log(2 * x) + stats.invgamma.logpdf(x**2, shape, scale=scale) + np.log(x)


@pytest.fixture(scope="module")
def thall():
    mu = normal_grid(-1.3863, 10**0.5, 61)
    return quadrature(*THALL, mu=mu, tau=root_grid(2, 20), grid=WIDE)


@pytest.mark.parametrize("engine", [fit, preview])
def test_thall_2003_equals_quadrature_and_trialr(engine, thall):
    data = counted(*THALL)
    post = engine(Basket(1.0, thall_prior(), data.groups), data, seed=1)
    assert post.check().passed, str(post.check())
    p = post["p_eff"].isel(dose=0)
    assert close(post, p, THALL_EXACT["mean"], 0.01)
    assert close(post, p > 0.3, THALL_EXACT["above"], 0.01)
    assert close(post, p, thall["mean"], 0.01)
    assert close(post, p, THALL_STAN["mean"], 0.015)  # 4,000 draws of Stan have errors of their own
    for name in ("centre", "tau"):
        x = post["log_odds_mean" if name == "centre" else "log_odds_tau"]
        assert close(post, x, thall[name], 0.03)
        assert float(post.expect(x)) == pytest.approx(THALL_STAN[name], abs=0.12)


@pytest.mark.parametrize("engine", [fit, preview])
def test_a_new_study_has_the_published_predictive_prior(engine):
    """A further group without patients is the meta-analytic predictive prior."""
    data = counted(*SPONDYLITIS, empty=1)
    post = engine(Basket(1.0, Pooled(Normal(0, 2), HalfNormal(1)), data.groups), data, seed=1)
    assert post.check().passed, str(post.check())
    exact = quadrature(
        (*SPONDYLITIS[0], 0), (*SPONDYLITIS[1], 0), mu=normal_grid(0, 2, 181), tau=half_grid(1, 120)
    )
    assert exact["mean"][-1] == pytest.approx(NEW_STUDY["mean"], abs=5e-4)
    assert exact["tau"] == pytest.approx(NEW_STUDY["tau"], abs=2e-3)
    new, tau = post["p_eff"].isel(dose=0, subgroup=-1), post["log_odds_tau"]
    assert close(post, post["p_eff"].isel(dose=0), exact["mean"], 0.005)
    mean = float(post.expect(new))
    assert mean == pytest.approx(NEW_STUDY["mean"], abs=0.005)
    assert mean == pytest.approx(NEW_STUDY_PUBLISHED["mean"], abs=0.005)
    sd = math.sqrt(float(post.expect((new - mean) ** 2)))
    assert sd == pytest.approx(NEW_STUDY["sd"], abs=0.005)
    if (
        engine is fit
    ):  # particles are held to probabilities: of tau they miss some of the upper tail
        assert close(post, tau, NEW_STUDY["tau"], 0.01)
        assert close(post, (tau - NEW_STUDY["tau"]) ** 2, NEW_STUDY["tau_sd"] ** 2, 0.002)


def test_the_prior_of_berry_is_the_published_formula():
    """Variance of the centre: 1 / (n p (1 - p)) - tau^2; groups are then worth n patients."""
    prior = berry_prior(target=0.2, n_worth=1, tau=1)
    assert prior.mean == Normal(logit(0.2), math.sqrt(1 / 0.16 - 1))
    assert prior.tau == HalfNormal(1)
    apart = exnex_prior(target=0.2, exchangeable=0.4)
    assert (apart.mean, apart.exchangeable) == (prior.mean, 0.4)
    assert apart.apart == Normal(logit(0.2), 2.5)
    assert thall_prior() == Pooled(Normal(-1.3863, 1 / math.sqrt(0.1)), RootInverseGamma(2, 20))
    spread = (prior.quantile(0.975) - prior.quantile(0.025)) / 2 / 1.96
    assert spread == pytest.approx(2.5, abs=0.02)


@pytest.mark.parametrize(
    "make",
    [lambda: berry_prior(target=0.2, tau=2.5), lambda: berry_prior(target=0), lambda: berry_prior(target=1.2),
     lambda: exnex_prior(target=0.2, n_worth=0), lambda: exnex_prior(target=0.5, n_worth=10)],
)  # fmt: skip
def test_priors_that_cannot_be_are_refused(make):
    with pytest.raises(DoseOptError, match=r"leaves no variance|must lie strictly between 0 and 1"):
        make()


def test_a_berry_analysis_equals_quadrature():
    """Particles of ten groups; targets move the centre of each group."""
    data = counted(*CHUGH)
    recipe = Basket(1.0, berry_prior(target=0.2), data.groups)
    post = preview(recipe, data, seed=1)
    assert post.check().passed, str(post.check())
    found = quadrature(
        *CHUGH, mu=normal_grid(logit(0.2), math.sqrt(1 / 0.16 - 1)), tau=half_grid(1)
    )
    p = post["p_eff"].isel(dose=0)
    assert close(post, p, found["mean"], 0.005)
    assert close(post, p > 0.3, found["above"], 0.005)
    assert close(post, post["log_odds_tau"], found["tau"], 0.01)


def test_groups_by_themselves_and_one_probability_for_all():
    """Each end of the hierarchy is a one-dimensional integral."""
    n, r = (15, 13, 2), (2, 0, 1)
    data = counted(n, r)
    prior = stats.norm(-1, 1.5).pdf(GRID)
    alone = preview(Basket(1.0, Unpooled(Normal(-1, 1.5)), data.groups), data, seed=1)
    like = np.stack([stats.binom.pmf(a, b, P) for a, b in zip(r, n, strict=True)])
    assert close(alone, alone["p_eff"].isel(dose=0), (like * prior) @ P / (like @ prior), 0.002)
    common = preview(Basket(1.0, Normal(-1, 1.5), data.groups), data, seed=1)
    both = like.prod(axis=0) * prior
    assert close(common, common["p_eff"].isel(dose=0), np.full(3, both @ P / both.sum()), 0.002)


def test_targets_are_where_groups_are_exchangeable_from():
    """Groups with the events of their targets are all at log-odds 0 from them."""
    data = counted((20, 20), (2, 10))
    groups = data.groups
    prior = Pooled(Normal(0, 1), HalfNormal(0.3))
    post = preview(Basket(1.0, prior, groups, targets={"g0": 0.1, "g1": 0.5}), data, seed=1)
    off = post.expect(post["log_odds"]).to_numpy()
    assert np.abs(off).max() < 0.25
    p = post.expect(post["p_eff"].isel(dose=0)).to_numpy()
    np.testing.assert_allclose(p, [0.1, 0.5], atol=0.03)


FAULTS = {
    "no dose": ({"dose": 0}, "must be > 0"),
    "other endpoint": ({"endpoint": "efficacy"}, "unknown endpoint 'efficacy'"),
    "no groups": ({"prior": Normal(0, 1), "groups": {}}, "no groups"),
    "target of another": ({"targets": {"A": 0.2}}, "targets are for A"),
    "target 1": ({"targets": {"A": 0.2, "B": 1}}, "strictly between 0 and 1"),
    "other grouping": ({"groups": {"study": ("A", "B")}}, "over 'subgroup'"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_baskets_that_cannot_be_are_refused(fault):
    own, said = FAULTS[fault]
    plain = {"dose": 1.0, "prior": berry_prior(target=0.2), "groups": {"subgroup": ("A", "B")}}
    with pytest.raises(DoseOptError) as caught:
        Basket(**(plain | own))
    assert said in str(caught.value)
