"""Batches of grouped trials: as exact as quadrature, the same bits in any company, NUTS where they fail."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from scipy.special import expit

from doseopt_bayes.inference.batch import fit_many
from doseopt_bayes.inference.heterogeneity import tau_ratios
from doseopt_bayes.inference.nuts import fit
from doseopt_bayes.inference.tallies import stack_trials
from doseopt_bayes.models import Basket
from doseopt_bayes.models.basket import exnex_prior
from doseopt_bayes.priors import HalfNormal, Normal, Pooled
from tests.models.basket_cases import CHUGH, counted

TRIALS = [((20, 6), (9, 0)), ((13, 60), (1, 30)), ((0, 40), (0, 8)), ((5, 5), (5, 0))]
PAIR = Basket(1.0, Pooled(Normal(0, 2), HalfNormal(0.5)), {"subgroup": ("g0", "g1")})
KEEP = ["p_eff", "log_odds_mean", "log_odds_tau"]


def exact(n, events):
    """Mean and Pr(> 0.3) of both groups, and the mean of tau: a sum over centre, tau and log-odds."""
    m, z = np.linspace(-9, 9, 241), np.linspace(-7, 7, 281)
    t = (np.arange(80) + 0.5) / 80 * 2.5
    p = expit(m[:, None, None] + t[:, None] * z)  # centre, tau, distance
    mass = stats.norm.pdf(z) / stats.norm.pdf(z).sum()
    terms = []
    for k, r in zip(n, events, strict=True):
        like = stats.binom.pmf(r, k, p) * mass
        terms.append([like.sum(-1), (like * p).sum(-1), (like * (p > 0.3)).sum(-1)])
    joint = stats.norm.pdf(m, 0, 2)[:, None] * stats.halfnorm.pdf(t, scale=0.5)
    joint = joint * terms[0][0] * terms[1][0]
    joint /= joint.sum()
    each = [[(joint * a / like).sum(), (joint * b / like).sum()] for like, a, b in terms]
    return np.array(each), float(joint.sum(axis=0) @ t)


@pytest.fixture(scope="module")
def counts():
    return stack_trials(PAIR, [counted(*x) for x in TRIALS])


@pytest.fixture(scope="module")
def batch(counts):
    return fit_many(PAIR, counts, seed=1, keep=KEEP, nuts=False)


def test_two_groups_equal_quadrature(batch):
    assert bool(batch.table["passed"].all())
    for i, x in enumerate(TRIALS):
        (wanted, tau), post = exact(*x), batch.posterior(i)
        p = post["p_eff"].isel(dose=0)
        np.testing.assert_allclose(post.expect(p), wanted[:, 0], atol=0.005)
        np.testing.assert_allclose(post.expect(p > 0.3), wanted[:, 1], atol=0.01)
        assert float(post.expect(post["log_odds_tau"])) == pytest.approx(tau, abs=0.02)


def test_nuts_and_quadrature_agree_too():
    data = counted(*TRIALS[0])
    post = fit(PAIR, data, seed=1)
    assert post.check().passed
    (wanted, tau), p = exact(*TRIALS[0]), post["p_eff"].isel(dose=0)
    for x, value in ((p, wanted[:, 0]), (p > 0.3, wanted[:, 1]), (post["log_odds_tau"], tau)):
        gap = np.abs(post.expect(x).to_numpy() - value)
        assert (gap < 4 * post.mcse(x).to_numpy() + 1e-3).all()
    ratio = tau_ratios(PAIR, post)["log_odds_tau"]
    spread = float(post["log_odds_tau"].std(ddof=0)) / np.sqrt(1 - 2 / np.pi) / 0.5
    assert ratio == pytest.approx(spread, rel=0.01)


def test_bits_do_not_depend_on_company(batch, counts):
    alone = fit_many(PAIR, counts.isel(trial=[2]), seed=1, keep=KEEP, nuts=False).posterior(2)
    together = batch.posterior(2)
    moved = fit_many(PAIR, counts.isel(trial=[3, 2, 0]), seed=1, keep=KEEP, nuts=False, threads=2)
    for name in KEEP:
        np.testing.assert_array_equal(alone[name], together[name])
        np.testing.assert_array_equal(alone[name], moved.posterior(2)[name])
    np.testing.assert_array_equal(alone.weight, together.weight)


def test_a_gate_that_fails_is_said_and_sampled_by_nuts():
    """Ten groups under a wide prior are too much for 1,024 particles."""
    data = counted((5, 5, 8, 10, 13, 17, 22, 30, 43, 60), (1, 3, 1, 2, 6, 3, 3, 12, 5, 20))
    model = Basket(1.0, Pooled(Normal(0, 2), HalfNormal(1)), data.groups)
    stack = stack_trials(model, [data])
    failed = fit_many(model, stack, seed=1, particles=256, nuts=False)
    assert not bool(failed.table["passed"].any())
    assert not failed.posterior(0).check().passed
    batch = fit_many(model, stack, seed=1, particles=256, keep=KEEP)
    assert batch.table["engine"].values.tolist() == ["nuts"]
    assert bool(batch.table["passed"].all())
    found, direct = batch.posterior(0), fit(model, data, seed=1)
    for name in KEEP:  # evenly spaced draws of the very fit
        assert found[name].dims[1:] == direct[name].dims[2:]
        error = np.hypot(found.mcse(found[name]), direct.mcse(direct[name]))
        gap = np.abs(found.expect(found[name]) - direct.expect(direct[name]).to_numpy())
        assert bool((gap <= 4 * error).all())
    assert found["p_eff"]["subgroup"].values.tolist() == list(data.groups["subgroup"])


@pytest.mark.slow
def test_a_mixture_is_always_sampled_by_nuts():
    n, events = (x[:4] for x in CHUGH)
    data = counted(n, events)
    model = Basket(1.0, exnex_prior(target=0.2), data.groups)
    keep = ["p_eff", "prob_exchangeable"]
    batch = fit_many(model, stack_trials(model, [data]), seed=1, keep=keep)
    assert batch.table["engine"].values.tolist() == ["nuts"]
    post = batch.posterior(0)
    direct = fit(model, data, seed=1)
    for name in keep:
        error = np.hypot(post.mcse(post[name]), direct.mcse(direct[name]))
        gap = np.abs(post.expect(post[name]) - direct.expect(direct[name]).to_numpy())
        assert bool((gap <= 4 * error).all())
