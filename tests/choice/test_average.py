"""A model average: the mixture that its weights say, usable where a single curve is."""

from __future__ import annotations

import numpy as np
import pytest

from doseopt_bayes.choice.average import stack
from doseopt_bayes.errors import DoseOptError
from doseopt_bayes.inference.batch import preview
from doseopt_bayes.models.er_presets import weakly_informative
from doseopt_bayes.models.response import PiecewiseExponential, WeibullResponse
from doseopt_bayes.models.shapes import Emax, Linear
from doseopt_bayes.prediction.at_doses import at_doses
from doseopt_bayes.prediction.exposures import ObservedExposures
from tests.choice.cases import bent_comparison, curve_of, patients, read, straight
from tests.models import er_cases
from tests.prediction.cases import EMAX, given

X = np.array([0.0, 10.0, 60.0])
SAMPLE = ("chain", "draw")


@pytest.fixture(scope="module")
def fits():
    found = bent_comparison()
    return {k: (m, found.posteriors[k]) for k, m in found.models.items()}


def test_weight_one_is_the_model_itself():
    rng = np.random.default_rng(1)
    draws = {"e0": rng.normal(-1, 0.2, (4, 50)), "emax": rng.normal(2, 0.2, (4, 50)), "ec50": 25.0}
    post = given(EMAX, draws)
    other = given(EMAX, {**draws, "emax": -5.0})
    found = stack({"a": (EMAX, post), "b": (EMAX, other)}, {"a": 1.0, "b": 0.0})
    same = EMAX.response_at(post.draws, X)
    got = found.response_at(X)
    assert got.dims == ("chain", "draw", "exposure")
    np.testing.assert_array_equal(got, same.transpose(*got.dims))
    assert set(got["model"].to_numpy().ravel()) == {"a"}


def test_the_average_is_the_mixture_of_its_members(fits):
    found = stack(fits, {"emax": 0.7, "linear": 0.3}, seed=3)
    got = found.response_at(X)
    share = float((got["model"] == "emax").mean())
    assert share == pytest.approx(0.7, abs=1e-3)
    alone = {k: m.response_at(p.draws, X) for k, (m, p) in fits.items()}
    means = {k: fits[k][1].expect(x) for k, x in alone.items()}
    squares = {k: fits[k][1].expect(x**2) for k, x in alone.items()}
    mean = 0.7 * means["emax"] + 0.3 * means["linear"]
    sd = np.sqrt(0.7 * squares["emax"] + 0.3 * squares["linear"] - mean**2)
    np.testing.assert_allclose(got.mean(SAMPLE), mean, atol=0.03)
    np.testing.assert_allclose(got.std(SAMPLE), sd, rtol=0.04)
    for label in ("emax", "linear"):
        part = got.where(got["model"] == label).mean(SAMPLE)
        np.testing.assert_allclose(part, means[label], atol=0.03)
    assert "emax: weight 0.700" in str(found)
    assert "emax 0.70, linear 0.30" in found.posterior.notes[0]


def test_the_same_seed_gives_the_same_average_and_another_one_another(fits):
    runs = [stack(fits, {"emax": 0.5, "linear": 0.5}, seed=s).response_at(X) for s in (1, 1, 2)]
    np.testing.assert_array_equal(runs[0], runs[1])
    assert not np.array_equal(runs[0]["model"], runs[2]["model"])


def test_a_comparison_is_averaged_by_its_stacking_weights():
    comparison = bent_comparison()
    found = stack(comparison, seed=1)
    assert found.weights == comparison.weights
    other = stack(comparison, by="pseudo_bma")
    assert other.weights == comparison.pseudo_bma
    with pytest.raises(DoseOptError, match="'pseudo_bma'"):
        stack(comparison, by="bma")
    assert any("stacking weight" in n or "predicts better" in n for n in found.posterior.notes)


def test_an_average_goes_where_a_curve_goes():
    data = er_cases.read(er_cases.frame(200))
    models = {
        k: weakly_informative(data, "ae", "AUC", s)
        for k, s in (("emax", Emax()), ("linear", Linear()))
    }
    fits = {k: (m, preview(m, data, seed=1, particles=4096)) for k, m in models.items()}
    found = stack(fits, {"emax": 0.4, "linear": 0.6})
    people, doses = ObservedExposures(data, "AUC", resample=False), [25.0, 100.0]
    got = at_doses({"ae": found.model}, {"ae": found.posterior}, people, doses)
    alone = {k: at_doses({"ae": m}, {"ae": p}, people, doses) for k, (m, p) in fits.items()}
    mixed = sum(w * alone[k].expect(alone[k]["p_ae"]) for k, w in found.weights.items())
    np.testing.assert_allclose(got.expect(got["p_ae"]), mixed, atol=0.005)
    assert got.check().passed
    assert got.check().checks[0].name.startswith("emax: ")


def test_a_parameter_of_the_scatter_is_that_of_the_member():
    data = er_cases.read(er_cases.frame(100))
    response = WeibullResponse(12.0)
    models = {k: weakly_informative(data, "pfs", "AUC", s, response=response)
              for k, s in (("emax", Emax()), ("linear", Linear()))}  # fmt: skip
    fits = {k: (m, preview(m, data, seed=1, particles=4096)) for k, m in models.items()}
    found = stack(fits, {"emax": 0.5, "linear": 0.5})
    draws = found.posterior.draws
    own = draws["linear:weibull_shape"].where(
        draws["model"] == "linear", draws["emax:weibull_shape"]
    )
    np.testing.assert_array_equal(draws["weibull_shape"], own)
    alive = found.response_at(X, time=6.0)
    here = alive.where(alive["model"] == "linear").mean(SAMPLE)
    model, post = fits["linear"]
    np.testing.assert_allclose(
        here, post.expect(model.response_at(post.draws, X, time=6.0)), atol=0.01
    )
    other = weakly_informative(data, "pfs", "AUC", Emax(), response=PiecewiseExponential((6.0,)))
    with pytest.raises(DoseOptError, match="response"):
        stack({"a": fits["emax"], "b": (other, fits["emax"][1])}, {"a": 0.5, "b": 0.5})


def test_covariates_reach_the_members_that_have_them(fits):
    found = stack(fits, {"emax": 0.5, "linear": 0.5})
    with pytest.raises(DoseOptError, match="no covariate 'AGE'"):
        found.response_at(X, {"AGE": 50})


def test_refusals(fits):
    with pytest.raises(DoseOptError, match="sum to 1"):
        stack(fits, {"emax": 0.7, "linear": 0.7})
    with pytest.raises(DoseOptError, match="a weight for 'emx'"):
        stack(fits, {"emx": 1.0})
    with pytest.raises(DoseOptError, match="models and weights"):
        stack(fits)
    data = read(patients(straight, n=40))
    other = curve_of(data, Linear(), "CMIN")
    with pytest.raises(DoseOptError, match="exposure"):
        stack({"a": fits["linear"], "b": (other, fits["linear"][1])}, {"a": 0.5, "b": 0.5})
