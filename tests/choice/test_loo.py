"""Leave-one-out against quadrature, against densities of SciPy, and what is said where it fails."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from scipy import stats
from scipy.special import expit, logsumexp

from doseopt_bayes.choice.loo import FOLD, PSIS, REFIT, leave_one_out
from doseopt_bayes.errors import DiagnosticsError, DoseOptError
from doseopt_bayes.inference.batch import preview
from doseopt_bayes.inference.checks import Check, Diagnostics
from doseopt_bayes.inference.nuts import fit
from doseopt_bayes.models.er_presets import weakly_informative
from doseopt_bayes.models.joint_exposure import JointExposureResponse
from doseopt_bayes.models.response import PiecewiseExponential, WeibullResponse
from doseopt_bayes.models.shapes import Emax
from doseopt_bayes.priors import Normal
from tests.choice.cases import LOGIT, few
from tests.models import er_cases
from tests.prediction.cases import EMAX, LINEAR


def exact(data) -> np.ndarray:
    """Log predictive probability of each patient given the others, on a grid of e0 and slope."""
    rows = data.rows("y", "AUC")
    x, y = rows["exposure"].to_numpy(), rows["y"].to_numpy()
    e0, slope = np.meshgrid(np.linspace(-9, 7, 401), np.linspace(-6, 6, 401), indexing="ij")
    prior = stats.norm.logpdf(e0, -1.0, 1.5) + stats.norm.logpdf(slope, 0.0, 1.0)
    eta = e0[..., None] + slope[..., None] * x
    each = np.log(np.where(y > 0, expit(eta), expit(-eta)))
    whole = prior[..., None] + each.sum(axis=-1, keepdims=True)
    return logsumexp(whole, axis=(0, 1)) - logsumexp(whole - each, axis=(0, 1))


@pytest.fixture(scope="module")
def sampled():
    data = few(outlier=True)
    return data, fit(LOGIT, data, seed=1)


@pytest.mark.parametrize("engine", ["nuts", "particles"])
def test_each_patient_agrees_with_quadrature_and_one_that_carries_the_fit_is_refitted(
    engine, sampled
):
    data, post = sampled
    if engine == "particles":
        post = preview(LOGIT, data, seed=1)
    found = leave_one_out(LOGIT, data, post, seed=3)
    how = found.pointwise["how"].to_numpy()
    assert set(how[:-1]) == {PSIS}
    # P18 lies far above all others; weighted particles, a tenth of them from the prior, may reach it
    if engine == "nuts":
        assert how[-1] == REFIT
        assert "1 of 19" in str(found)
        assert "P18 (k" in str(found)
    apart = (found.pointwise["elpd"] - exact(data)).to_numpy()
    assert np.abs(apart[:-1]).max() < 0.01
    assert abs(apart[-1]) < 3 * found.mcse
    assert abs(found.elpd - exact(data).sum()) < 4 * found.mcse + 0.01
    assert found.mcse < 0.1
    assert found.unit == "patient"


def test_without_an_influential_patient_nothing_is_refitted():
    data = few()
    found = leave_one_out(LOGIT, data, preview(LOGIT, data, seed=1))
    assert not found.refitted
    assert abs(found.elpd - exact(data).sum()) < 4 * found.mcse + 0.01
    assert "no refit was needed" in str(found)
    # the standard error is that of a sum of independent patients
    assert found.se == pytest.approx(np.sqrt(18) * exact(data).std(), rel=0.02)
    assert 0.5 < found.p_loo < 2.5


def test_too_many_refits_become_folds_and_that_is_said(sampled):
    data, post = sampled
    found = leave_one_out(LOGIT, data, post, max_refits=0, folds=19)
    assert set(found.pointwise["how"].to_numpy()) == {FOLD}
    assert "19-fold" in str(found)
    # as many folds as patients: every one is an exact refit
    np.testing.assert_allclose(found.pointwise["elpd"], exact(data), atol=0.03)


@pytest.mark.parametrize("response", [WeibullResponse(12.0), PiecewiseExponential((4.0, 10.0))])
def test_a_time_to_event_is_scored_by_its_density_per_unit_of_time(response):
    data = er_cases.read(er_cases.frame(60))
    model = weakly_informative(data, "pfs", "AUC", Emax(), response=response)
    post = preview(model, data, seed=1, particles=4096)
    found = leave_one_out(model, data, post)
    rows = model.read(data)
    t, event, x = (rows[v].to_numpy().astype(float) for v in ("time", "y", "exposure"))
    eta = model.predictor_at(post.draws, xr.DataArray(x, dims="patient")).to_numpy()
    eta = eta if eta.shape[0] == post.weight.size else eta.T
    if isinstance(response, WeibullResponse):
        k = post.draws["weibull_shape"].to_numpy()[:, None]
        scale = 12 * np.exp(-eta / k)
        alive = stats.weibull_min.logsf(t, k, scale=scale)
        dies = stats.weibull_min.logpdf(t, k, scale=scale)
    else:
        steps = np.c_[np.zeros(len(eta)), post.draws["log_hazard_step"].to_numpy()]
        edges = np.array([0.0, 4.0, 10.0, np.inf])
        at_risk = np.clip(t[:, None] - edges[:-1], 0, np.diff(edges))
        alive = -np.exp(eta) * (np.exp(steps) @ at_risk.T)
        dies = eta + steps[:, np.searchsorted(edges, t) - 1] + alive
    log_p = np.where(event > 0, dies, alive)
    with np.errstate(divide="ignore"):
        weight = np.log(post.weight.to_numpy()[:, None])
    np.testing.assert_allclose(
        found.pointwise["in_sample"], logsumexp(log_p + weight, axis=0), atol=1e-6
    )
    # plain importance sampling without smoothing
    plain = -logsumexp(weight - log_p, axis=0)
    np.testing.assert_allclose(found.pointwise["elpd"], plain, atol=0.05)
    assert "density of the time per month" in found.scale


def test_refusals(sampled):
    data, post = sampled
    failed = replace(
        post,
        diagnostics=Diagnostics((Check("divergences", False, "7", "0"),), post.diagnostics.table),
    )
    with pytest.raises(DiagnosticsError, match="divergences"):
        leave_one_out(LOGIT, data, failed)
    with pytest.raises(DoseOptError, match="one endpoint at a time"):
        leave_one_out(JointExposureResponse(EMAX, LINEAR, Normal(0, 1)), data, post)
    with pytest.raises(DoseOptError, match="folds = 1"):
        leave_one_out(LOGIT, data, post, folds=1)
