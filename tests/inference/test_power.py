"""Power-scaling against exact conjugate posteriors, and the decision under it."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pymc as pm
import pytest
import xarray as xr
from scipy import stats

from doseopt_bayes.data.trial import TrialData
from doseopt_bayes.decision.decide import decide
from doseopt_bayes.decision.power_scaling import power_scaling
from doseopt_bayes.decision.rules import AnyDose, NoSkipping, Tolerable
from doseopt_bayes.decision.sensitivity import assess_sensitivity
from doseopt_bayes.decision.utility import LpContour
from doseopt_bayes.errors import DoseOptError
from doseopt_bayes.inference.checks import Diagnostics
from doseopt_bayes.inference.posterior import Posterior
from doseopt_bayes.inference.power import log_densities, power_sense, power_weights
from doseopt_bayes.inference.reweighted import reweighted
from doseopt_bayes.models import EffTox
from doseopt_bayes.models.presets import EFFTOX_THALL2014

MEAN, SD, NOISE = -1.0, 0.5, 1.5
Y = np.array([0.4, 1.1, -0.2, 0.9, 2.0, 0.6, 1.4, 0.1])
LP = LpContour(0.5, 0.65, (0.7, 0.25))
DATA = SimpleNamespace(sha256="")


class Conjugate:
    """theta ~ Normal(MEAN, SD), y ~ Normal(theta, NOISE); toxicity rises with theta."""

    def build(self, data):
        with pm.Model() as model:
            theta = pm.Normal("theta", MEAN, SD)
            pm.Normal("y", theta, NOISE, observed=Y)
        return model


class WithPotential(Conjugate):
    def build(self, data):
        model = super().build(data)
        with model:
            pm.Potential("extra", model["theta"])
        return model


def exact(prior=1.0, likelihood=1.0):
    """Return mean and sd of the posterior under the two powers: prior sd / sqrt(power)."""
    precision = prior / SD**2 + likelihood * Y.size / NOISE**2
    mean = (prior * MEAN / SD**2 + likelihood * Y.sum() / NOISE**2) / precision
    return mean, precision**-0.5


def posterior(seed=1, draws=2500):
    mean, sd = exact()
    theta = np.random.default_rng(seed).normal(mean, sd, (4, draws))
    dims, doses = ("chain", "draw", "dose"), np.array([10.0, 20.0])
    p_tox = 1 / (1 + np.exp(-(theta[..., None] + np.array([-1.5, 0.0]))))
    tree = xr.Dataset(
        {
            "theta": (dims[:2], theta),
            "p_tox": (dims, p_tox),
            "p_eff": (dims, np.broadcast_to([0.55, 0.8], p_tox.shape).copy()),
        },
        coords={"dose": doses},
    )
    seen = xr.Dataset({"n_treated": ("dose", [4, 4])}, coords={"dose": doses})
    return Posterior(
        xr.DataTree.from_dict({"posterior": tree, "seen": seen}),
        ("theta",),
        Diagnostics((), xr.DataArray(np.zeros(0))),
    )


@pytest.fixture(scope="module")
def scaled():
    post = posterior()
    densities = log_densities(post, Conjugate(), DATA)
    return post, densities, power_weights(post, densities)


def test_log_densities_are_those_of_the_model(scaled):
    post, densities, _ = scaled
    theta = post["theta"].to_numpy()
    np.testing.assert_allclose(densities["prior"], stats.norm.logpdf(theta, MEAN, SD))
    expected = stats.norm.logpdf(Y[:, None, None], theta, NOISE).sum(0)
    np.testing.assert_allclose(densities["likelihood"], expected)


@pytest.mark.parametrize("component", ["prior", "likelihood"])
@pytest.mark.parametrize("alpha", [0.8, 1.25])
def test_weights_give_the_posterior_of_the_scaled_model(scaled, component, alpha):
    post, _, weights = scaled
    at = weights.sel(component=component, alpha=alpha, drop=True)
    assert bool(at["reliable"])
    mean, sd = exact(**{component: alpha})
    again, theta = reweighted(post, at["weight"]), post["theta"]
    error = float(again.mcse(theta))
    assert abs(float(again.expect(theta)) - mean) < 4 * error
    assert abs(mean - exact()[0]) > 10 * error  # the move itself is visible: its sign is tested
    event = theta < 0.0
    p = stats.norm.cdf(0.0, mean, sd)
    assert abs(float(again.prob(event)) - p) < 4 * float(again.mcse(event))
    for q in (0.025, 0.5, 0.975):
        gap = float(again.quantile(theta, q)) - stats.norm.ppf(q, mean, sd)
        assert abs(gap) < 4 * float(again.mcse(theta, q=q))


def test_errors_under_weights_are_honest():
    found = []
    for seed in range(60):
        post = posterior(seed, 250)
        ratio = 0.5 * stats.norm.logpdf(post["theta"], MEAN, SD)
        weight = xr.DataArray(np.exp(ratio), dims=("chain", "draw"))
        again, theta = reweighted(post, weight / weight.sum()), post["theta"]
        found.append(
            [
                [float(again.expect(theta)), float(again.mcse(theta))],
                [float(again.prob(theta < 0)), float(again.mcse(theta < 0))],
                [float(again.quantile(theta, 0.9)), float(again.mcse(theta, q=0.9))],
            ]
        )
    values, errors = np.moveaxis(np.array(found), 2, 0)
    ratio = values.std(0) / errors.mean(0)
    assert ((ratio > 0.75) & (ratio < 1.3)).all(), ratio


def test_equal_weights_change_nothing():
    post = posterior(draws=300)
    even = xr.full_like(post["theta"], 1 / post.n_draws)
    again = reweighted(post, even)
    for x in (post["p_tox"], post["p_tox"] < 0.4, post["p_eff"]):
        np.testing.assert_allclose(again.expect(x * 1.0), post.expect(x * 1.0))
        np.testing.assert_allclose(again.mcse(x), post.mcse(x), rtol=0.1, atol=1e-9)
    rules = Tolerable(0.5, 0.5) & AnyDose()
    a, b = decide(post, LP, rules), decide(again, LP, rules)
    assert a.status.item() == b.status.item()
    assert float(a.leading) == float(b.leading)


def test_sensitivity_of_each_quantity(scaled):
    post, densities, _ = scaled
    sense = power_sense(post, densities, post.draws[["p_tox", "p_eff"]])
    assert sense["p_tox"].dims == ("component", "dose")
    assert (sense["p_tox"] > 0.05).all()  # prior and data disagree here
    assert (sense["p_eff"] == 0).all()  # a constant does not move


def test_the_decision_under_a_scaled_prior():
    """The prior says safe, the data say toxic: a limit between the two posteriors turns the answer."""
    post = posterior()
    limit = 1 / (1 + math.exp(-(exact()[0] + exact(prior=0.8)[0]) / 2))
    rules = Tolerable(limit, 0.5) & AnyDose()
    decision = decide(post, LP, rules)
    assert float(decision.recommended) == 20.0
    found = power_scaling(post, decision, Conjugate(), DATA)
    leading = found.table["leading"]
    assert leading.sel(component="prior").to_numpy().tolist() == [10.0, 20.0]
    assert leading.sel(component="likelihood").to_numpy().tolist() == [20.0, 10.0]
    said = str(found)
    assert "When the prior is weakened (power 0.8), 10 leads instead of 20." in said
    assert (
        "The recommendation (20) does not change when the prior is strengthened (power 1.25)."
        in said
    )
    assert len(found.to_frame()) == 4


def test_a_power_out_of_reach_of_the_draws_is_not_resolved():
    post = posterior(draws=250)
    decision = decide(post, LP, Tolerable(0.6, 0.5) & AnyDose())
    found = power_scaling(post, decision, Conjugate(), DATA, alphas=(1e-3, 1.25))
    at = found.table.sel(component="prior", alpha=1e-3)
    assert float(at["khat"]) > 0.65
    assert at["status"].item() == "not resolved"
    assert "Not resolved: what follows when the prior is weakened (power 0.001)" in str(found)


def test_without_data_the_likelihood_scales_nothing(scaled):
    post, densities, _ = scaled
    flat = densities.assign(likelihood=xr.zeros_like(densities["prior"]))
    weights = power_weights(post, flat).sel(component="likelihood")
    np.testing.assert_allclose(weights["weight"], 1 / post.n_draws)
    assert bool(weights["reliable"].all())
    sense = power_sense(post, flat, post.draws[["p_tox"]])
    assert (sense["p_tox"].sel(component="likelihood") == 0).all()


def test_refusals():
    post = posterior(draws=50)
    with pytest.raises(DoseOptError, match="potentials"):
        log_densities(post, WithPotential(), DATA)
    post.tree.attrs["data_sha256"] = "a"
    with pytest.raises(DoseOptError, match="not the data of the posterior"):
        log_densities(post, Conjugate(), SimpleNamespace(sha256="b"))
    with pytest.raises(DoseOptError, match="must be > 0"):
        power_weights(post, xr.Dataset(), alphas=(0.0, 1.0))
    with pytest.raises(DoseOptError, match="sum to 1"):
        reweighted(post, xr.ones_like(post["theta"]))


def test_a_real_fit_from_end_to_end(published):
    doses = tuple(float(d) for d in published.draws["dose"].to_numpy())
    model = EffTox(doses, EFFTOX_THALL2014, unit="mg")
    data = TrialData.parse("1NNE 2EEB", doses=doses, unit="mg")
    decision = decide(published, LP, Tolerable(0.3, certainty=0.1) & NoSkipping())
    found = assess_sensitivity(published, decision, model=model, data=data)
    assert found.acceptability is None
    assert bool(found.power.table["reliable"].all())
    assert "does not change when the prior is weakened (power 0.8) or strengthened" in str(found)
    assert set(found.frames()) == {
        "Tipping points of single numbers",
        "Power-scaling of prior and likelihood",
    }
    assert found.sentences[0].startswith(("Stable", "Not stable"))
