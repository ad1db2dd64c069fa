"""The predictive prior of a new group is that of quadrature and of the published example."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import stats
from scipy.special import expit

import doseopt_bayes as dob
from doseopt_bayes.elicit.robust import robustify
from doseopt_bayes.errors import DoseOptError
from doseopt_bayes.inference.checks import Diagnostics
from doseopt_bayes.inference.posterior import Posterior
from doseopt_bayes.inference.weighted import PARTICLE, Weighted
from doseopt_bayes.models.basket import Basket
from doseopt_bayes.prediction.new_group import predictive_prior
from doseopt_bayes.priors import HalfNormal, Normal, Pooled

# ankylosing spondylitis, response to placebo (data set AS of RBesT): patients and responders
N = np.array([107, 44, 51, 39, 139, 20, 78, 35])
R = np.array([23, 12, 19, 9, 39, 6, 9, 10])
# published (RBesT, "RBesT for a Binary Endpoint", 4,000 draws): mean, sd, 2.5 %, 50 %, 97.5 %
PUBLISHED = (0.258, 0.0842, 0.112, 0.251, 0.459)
MU = np.linspace(-2.9, 0.8, 112)
TAU = np.arange(0.01, 2.6, 0.02)
LEVELS = [f"Study {i}" for i in range(1, 9)] + ["New"]


def cells() -> np.ndarray:
    """Posterior of mean and tau on a grid; each study integrated over its log-odds by quadrature."""
    z = np.linspace(-7, 7, 351)
    w = stats.norm.pdf(z) / stats.norm.pdf(z).sum()
    p = expit(MU[:, None, None] + TAU[:, None] * z)
    log = -0.5 * (MU[:, None] / 2) ** 2 - 0.5 * TAU**2
    for n, r in zip(N, R, strict=True):
        log = log + np.log((stats.binom.pmf(r, n, p) * w).sum(-1))
    found = np.exp(log - log.max())
    return found / found.sum()


CELLS = cells()


def exact_cdf(x: float) -> float:
    return float((CELLS * stats.norm.cdf(x, MU[:, None], TAU)).sum())


def posterior(n: int = 8000) -> Posterior:
    """Independent draws of the exact posterior."""
    rng = np.random.default_rng(7)
    at = rng.choice(CELLS.size, n, p=CELLS.ravel())
    mean, tau = MU[at // TAU.size], TAU[at % TAU.size]
    return Posterior(tree(mean.reshape(4, -1), tau.reshape(4, -1), ("chain", "draw")), ("level",),
                     Diagnostics((), xr.Dataset()))  # fmt: skip


def tree(mean: np.ndarray, tau: np.ndarray, dims: tuple[str, ...]) -> xr.DataTree:
    rng = np.random.default_rng(8)
    level = mean[..., None] + tau[..., None] * rng.normal(size=(*mean.shape, len(LEVELS)))
    draws = xr.Dataset(
        {"level": ((*dims, "subgroup"), level), "level_mean": (dims, mean), "level_tau": (dims, tau),
         "p_eff": ((*dims, "subgroup"), expit(level))},
        coords={"subgroup": LEVELS},
    )  # fmt: skip
    seen = xr.Dataset({"n_treated": (("subgroup", "dose"), np.array([[*N, 0]]).T)},
                      coords={"subgroup": LEVELS, "dose": [1.0]})  # fmt: skip
    return xr.DataTree.from_dict({"posterior": draws, "seen": seen})


@pytest.mark.parametrize("group", [None, "New", {"subgroup": "New"}], ids=str)
def test_the_mixture_is_the_predictive_distribution_of_quadrature(group):
    found = predictive_prior(posterior(), "level", group)
    xs = np.linspace(-4, 2, 121)
    gap = max(abs(found.prior.cdf(x) - exact_cdf(x)) for x in xs)
    assert gap < 0.015  # 8,000 draws: 1.36 / sqrt(n)
    assert found.fit.cdf_error < 0.015


def test_the_published_prior_comes_out():
    found = predictive_prior(posterior(40_000), "level").prior
    at = [expit(found.quantile(q)) for q in (0.025, 0.5, 0.975)]
    mean = np.mean([expit(found.quantile(u)) for u in (np.arange(2000) + 0.5) / 2000])
    sd = np.std([expit(found.quantile(u)) for u in (np.arange(2000) + 0.5) / 2000])
    # of theirs, with their Monte Carlo error (an effective size of about 2,500): 4 sd of each number
    assert (mean, sd) == pytest.approx(PUBLISHED[:2], abs=0.007)
    assert at == pytest.approx(PUBLISHED[2:], abs=0.02)


def test_the_same_draws_give_the_same_prior():
    one, two = (predictive_prior(posterior(), "level").prior for _ in range(2))
    assert one == two


def test_few_parts_are_taken_and_the_size_is_printed():
    found = predictive_prior(posterior(), "level")
    assert 1 <= len(found.prior.components) <= 4
    # RBesT prints 37 for its mixture of Betas of the same predictive distribution
    assert found.size.elir == pytest.approx(37, abs=5)
    assert str(found.size) in str(found)
    assert "distribution functions differ by" in str(found)


def test_weighted_particles_count_by_weight():
    rng = np.random.default_rng(5)
    n = 30_000
    mean, tau = rng.normal(0, 2, n), np.abs(rng.normal(0, 1, n))
    z, w = np.polynomial.hermite_e.hermegauss(40)
    near = np.flatnonzero(np.abs(mean + 1.1) < 1)  # beyond, the likelihood has nothing left
    log = np.full(n, -np.inf)
    p = expit(mean[near, None] + tau[near, None] * z)
    log[near] = sum(
        np.log((stats.binom.pmf(r, k, p) * w).sum(-1)) for k, r in zip(N, R, strict=True)
    )
    weight = np.exp(log - log.max())
    weight = xr.DataArray(weight / weight.sum(), dims=PARTICLE)
    post = Weighted(tree(mean, tau, (PARTICLE,)), ("level",), Diagnostics((), xr.Dataset()),
                    sample_dims=(PARTICLE,), weight=weight)  # fmt: skip
    found = predictive_prior(post, "level")
    assert found.fit.size == pytest.approx(float(post.ess))
    limit = 1.63 / math.sqrt(float(post.ess))  # 99 of 100 samples stay below
    assert max(abs(found.prior.cdf(x) - exact_cdf(x)) for x in np.linspace(-4, 2, 61)) < limit


def test_a_group_with_patients_carries_a_warning():
    found = predictive_prior(posterior(), "level", "Study 3")
    assert any("51 patients of its own" in n for n in found.notes)
    assert not predictive_prior(posterior(), "level", "New").notes


@pytest.mark.parametrize(
    ("parameter", "group", "said"),
    [("levle", None, "did you mean 'level'"), ("level", "study 3", "did you mean 'Study 3'"),
     ("level_tau", None, "one number for all groups"), ("level", {"region": "EU"}, "name one level of each"),
     ("p_eff", None, "not pooled by itself")],
)  # fmt: skip
def test_what_is_not_there_is_refused(parameter, group, said):
    with pytest.raises(DoseOptError, match=said):
        predictive_prior(posterior(400), parameter, group)


def test_a_tau_for_each_stratum_leaves_none_for_a_further_group():
    post = posterior(400)
    draws = post.tree["posterior"].to_dataset().rename(level_tau="level_tau_phase_1")
    post.tree["posterior"] = xr.DataTree(draws)
    with pytest.raises(DoseOptError, match="differs between strata"):
        predictive_prior(Posterior(post.tree, ("level",), post.diagnostics), "level")


def test_a_parameter_pooled_on_the_log_scale_is_refused():
    post = posterior(400)
    draws = post.tree["posterior"].to_dataset()
    offset = (draws["level"] - draws["level_mean"]) / draws["level_tau"]
    draws = draws.assign(ec50_mean=np.exp(draws["level_mean"]), ec50_tau=draws["level_tau"],
                         ec50_offset=offset, ec50=np.exp(draws["level"]))  # fmt: skip
    post.tree["posterior"] = xr.DataTree(draws)
    for group in (None, "New"):
        with pytest.raises(DoseOptError, match="pooled on the log scale"):
            predictive_prior(Posterior(post.tree, ("level",), post.diagnostics), "ec50", group)


def test_a_mean_of_measurements_has_a_size_in_its_own_unit():
    found = predictive_prior(posterior(), "level", sd=2.0)
    assert found.size.moments == pytest.approx((2.0 / found.prior.sd) ** 2)


def test_the_quadrature_of_this_file_has_the_moments_of_another():
    # a second, finer integration gives -1.10371 and 0.47332 for the log-odds of a further study
    mean = float((CELLS * MU[:, None]).sum())
    spread = float((CELLS * ((MU[:, None] - mean) ** 2 + TAU**2)).sum())
    assert (mean, math.sqrt(spread)) == pytest.approx((-1.10371, 0.47332), abs=5e-4)


def test_a_fitted_basket_predicts_the_next_study():
    frame = pd.DataFrame({"study": LEVELS[:8], "dose": 1.0, "r": R, "n": N})
    roles = dob.CountColumns("dose", tox="", eff="r", n="n", doses=(1.0,), unit="arm",
                             groups={"subgroup": "study"}, group_levels={"subgroup": tuple(LEVELS)})  # fmt: skip
    data = dob.TrialData.from_counts(frame, roles)
    model = Basket(1.0, Pooled(Normal(0, 2), HalfNormal(1)), data.groups, unit="arm")
    post = dob.fit(model, data, seed=4)
    found = predictive_prior(post, "log_odds", "New")
    limit = 1.63 / math.sqrt(found.fit.size)  # 99 of 100 samples stay below
    gap = max(abs(found.prior.cdf(x) - exact_cdf(x)) for x in np.linspace(-4, 2, 61))
    assert gap < limit + found.fit.cdf_error
    assert not found.notes
    robust = robustify(found.prior)
    assert robust.size.elir < robust.before.elir
