"""The shared core of decisions: contested verdicts, and the errors of gaps."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

from doseopt_bayes.decision.criteria import MeanUtility, UtilityOfMeans, contested, utility_of_means
from doseopt_bayes.decision.cui import CUI, Attribute, Linear
from doseopt_bayes.decision.judge import judge
from doseopt_bayes.decision.rules import Active, AnyDose, Tolerable
from doseopt_bayes.decision.utility import LpContour
from doseopt_bayes.inference.checks import Diagnostics
from doseopt_bayes.inference.posterior import Posterior
from doseopt_bayes.inference.weighted import Weighted
from tests.conftest import make_posterior

RULES = Tolerable(0.35, certainty=0.4) & Active(0.4, certainty=0.4) & AnyDose()
LP = LpContour(eff0=0.3, tox1=0.6, hinge=(0.5, 0.25))
INDEX = CUI({"p_eff": Attribute(2, "benefit", Linear(0.0, 0.6)), "p_tox": Attribute(1, "harm")})


def few_draws(seed: int) -> Posterior:
    """Few draws of doses that are nearly alike: verdicts and gaps within their errors are common."""
    rng = np.random.default_rng(seed)
    tox, eff = rng.beta(3, 5, size=(2, 4, 25, 4))
    return make_posterior(tox, eff)


@pytest.mark.parametrize("criterion", [MeanUtility(), UtilityOfMeans()])
@pytest.mark.parametrize("utility", [LP, INDEX])
def test_contested_doses_are_those_of_choosing_again(criterion, utility):
    seen = 0
    for seed in range(60):
        post = few_draws(seed)
        u = utility({name: post[name] for name in utility.reads})
        verdict = RULES.judge(post)
        choice = criterion.choose(post, utility, u, verdict.ok)
        fast = contested(criterion, post, utility, u, verdict, choice)
        slow = contested(criterion, post, utility, u, verdict, replace(choice, near=None))
        xr.testing.assert_equal(fast, slow)
        seen += int(fast.sum())
        assert judge(post, utility, RULES, criterion).status.item() in (
            "recommended", "none", "not resolved")  # fmt: skip
    assert seen > 20  # the comparison was not of nothing


def weighted(seed: int = 3) -> Weighted:
    rng = np.random.default_rng(seed)
    dims, coords = ("trial", "particle", "dose"), {"trial": [0, 1, 2], "dose": [1.0, 2.0, 4.0]}
    draws = xr.Dataset(
        {v: (dims, rng.beta(2, 3, size=(3, 400, 3))) for v in ("p_tox", "p_eff")}, coords
    )
    weight = xr.DataArray(
        rng.exponential(size=(3, 400)), dims=dims[:2], coords={"trial": [0, 1, 2]}
    )
    seen = xr.Dataset({"n_treated": (("trial", "dose"), np.full((3, 3), 3))}, coords)
    tree = xr.DataTree.from_dict({"posterior": draws, "seen": seen})
    return Weighted(tree, (), Diagnostics((), xr.DataArray(np.zeros(0))), sample_dims=("particle",),
                    weight=weight / weight.sum("particle"))  # fmt: skip


def test_errors_of_gaps_are_those_of_the_differences():
    post = weighted()
    x = post["p_eff"]
    at = xr.DataArray(np.eye(3, dtype=bool), coords={"trial": [0, 1, 2], "dose": x["dose"]}, dims=("trial", "dose"))  # fmt: skip
    at = at.where(at["trial"] < 2, False)  # in the last trial no dose was chosen
    xr.testing.assert_allclose(post.mcse_of_gaps(x, at), Posterior.mcse_of_gaps(post, x, at))
    same = xr.concat([x.isel(dose=0)] * 3, dim=x["dose"]).transpose(*x.dims)
    assert (post.mcse_of_gaps(same, at).where(at.any("dose"), 0) == 0).all()


def test_the_gradient_at_the_means_is_the_derivative_towards_each_draw():
    post = few_draws(1)
    value, influence = utility_of_means(post, LP)
    means = {name: post.expect(post[name]) for name in LP.reads}
    towards = LP({n: (1 - 1e-6) * means[n] + 1e-6 * post[n] for n in LP.reads})
    xr.testing.assert_allclose(influence, (towards - value) / 1e-6, rtol=1e-3, atol=1e-4)
    kinked = CUI({"p_eff": Attribute(1, "benefit", Linear(0.0, float(means["p_eff"][0])))})
    value, influence = utility_of_means(post, kinked)  # flat above the mean, not below it
    assert float(influence.isel(dose=0).max()) == pytest.approx(0.0, abs=1e-9)
    assert float(influence.isel(dose=0).min()) < -0.1
