"""Curves of exposure: the likelihood against SciPy, the prior, covariates, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from scipy import integrate, stats

from doseopt_bayes.errors import DoseOptError
from doseopt_bayes.inference.batch import preview
from doseopt_bayes.inference.identify import log_likelihood
from doseopt_bayes.inference.nuts import fit
from doseopt_bayes.models.er_curve import CovariateEffect
from doseopt_bayes.models.exposure_response import ExposureResponse
from doseopt_bayes.models.response import (
    BinaryResponse,
    ContinuousResponse,
    CountResponse,
    PiecewiseExponential,
    WeibullResponse,
)
from doseopt_bayes.models.shapes import BetaShape, Emax, Linear, Quadratic, SigmoidEmax
from doseopt_bayes.priors import HalfNormal, LogNormal, Normal, StudentT
from tests.models.er_cases import TRUTH, frame, read

CURVE = {"level": Normal(0, 2), "effect": Normal(0, 2), "ec50": LogNormal(50, 1)}
FAMILIES = {
    "ae": (BinaryResponse(), {}),
    "value": (ContinuousResponse(), {"sigma": HalfNormal(5)}),
    "count": (CountResponse(), {"overdispersion": HalfNormal(1)}),
    "pfs": (WeibullResponse(12.0), {"weibull_shape": LogNormal(1, 0.5)}),
}
FLAT = CURVE | {"level": Normal(0, 10), "effect": Normal(0, 10)}


def model(endpoint: str = "ae", **changes: object) -> ExposureResponse:
    family, more = FAMILIES[endpoint]
    given = {"priors": CURVE | more, "reference": (0.0, 100.0), "unit": "h*mg/L"} | changes
    return ExposureResponse(endpoint, "AUC", Emax(), family, **given)


@pytest.fixture(scope="module")
def data():
    return read(frame())


def by_scipy(endpoint: str, rows: xr.Dataset, eta: np.ndarray, p: dict[str, float]) -> np.ndarray:
    """Log likelihood of each patient, from the definitions."""
    y = rows["y"].to_numpy()
    if endpoint == "ae":
        return stats.bernoulli.logpmf(y, 1 / (1 + np.exp(-eta)))
    if endpoint == "value":
        return stats.norm.logpdf(y, eta, p["sigma"])
    t = rows["time"].to_numpy()
    if endpoint == "count":
        size = 1 / p["overdispersion"]
        return stats.nbinom.logpmf(y, size, size / (size + np.exp(eta) * t))
    k = p["weibull_shape"]
    spread = np.exp(-eta / k)  # in units of the reference time
    return np.where(
        y > 0,
        stats.weibull_min.logpdf(t / 12, k, scale=spread) + np.log(t / 12),  # of the log of time
        stats.weibull_min.logsf(t / 12, k, scale=spread),
    )


@pytest.mark.parametrize("endpoint", FAMILIES)
def test_the_likelihood_of_each_patient_is_that_of_the_definition(endpoint, data):
    recipe = model(endpoint)
    post = preview(recipe, data, seed=1, particles=1024)
    assert post.check().passed
    found = log_likelihood(recipe, data, post)
    rows = recipe.read(data)
    for i in (3, 700):
        p = {v: float(post.draws[v][i]) for v in post.draws.data_vars}
        x = rows["exposure"].to_numpy()
        eta = p["level"] + p["effect"] * (x / (p["ec50"] + x)) * (p["ec50"] + 100) / 100
        np.testing.assert_allclose(found[i], by_scipy(endpoint, rows, eta, p), rtol=1e-9, atol=1e-9)
    assert found["patient"].to_numpy()[0] == "P000"


def test_the_posterior_of_two_parameters_is_that_of_quadrature(data):
    recipe = ExposureResponse(
        "ae", "AUC", Linear(), BinaryResponse(), {"e0": Normal(0, 2), "slope": StudentT(5, 0, 0.05)},
        reference=(0, 100),
    )  # fmt: skip
    rows = recipe.read(data)
    x, y = rows["exposure"].to_numpy(), rows["y"].to_numpy()

    def density(slope: float, e0: float) -> float:
        eta = e0 + slope * x
        prior = stats.norm.logpdf(e0, 0, 2) + stats.t.logpdf(slope, 5, 0, 0.05)
        return np.exp((y * eta - np.logaddexp(0, eta)).sum() + prior + 170)

    box = [(-2.5, 0.5), (0.0, 0.06)]
    moments = [
        integrate.dblquad(
            lambda slope, e0, g=g: density(slope, e0) * e0 ** g[0] * slope ** g[1],
            *box[0], *box[1], epsabs=1e-9,
        )[0]
        for g in ((0, 0), (1, 0), (0, 1), (0, 2))
    ]  # fmt: skip
    e0, slope, square = (m / moments[0] for m in moments[1:])
    sd = (square - slope**2) ** 0.5
    for post in (preview(recipe, data, seed=1), fit(recipe, data, seed=1)):
        assert float(post.expect(post["e0"])) == pytest.approx(e0, abs=0.01)
        assert float(post.expect(post["slope"])) == pytest.approx(slope, abs=0.05 * sd)


def test_the_moved_prior_is_exactly_the_stated_one(data):
    priors = {"e0": Normal(-1, 2), "emax": StudentT(5, 1, 2), "ec50": LogNormal(50, 1)}
    recipe = model(priors=priors, reference=(10.0, 100.0))
    assert "sampled by these" in str(recipe)
    from doseopt_bayes.inference.prior import sample_prior  # noqa: PLC0415

    prior = sample_prior(recipe, data, seed=1, draws=40_000)["prior"].to_dataset()
    for name, wanted in {
        "e0": stats.norm(-1, 2), "emax": stats.t(5, 1, 2), "ec50": stats.lognorm(1, scale=50),
    }.items():  # fmt: skip
        assert stats.kstest(prior[name].to_numpy().ravel(), wanted.cdf).pvalue > 1e-3
    together = np.corrcoef(prior["e0"].to_numpy().ravel(), np.log(prior["ec50"].to_numpy().ravel()))
    assert abs(together[0, 1]) < 0.02


@pytest.mark.parametrize("endpoint", FAMILIES)
def test_no_divergence_and_both_engines_agree(endpoint, data):
    recipe = model(endpoint)
    nuts, engine = fit(recipe, data, seed=1), preview(recipe, data, seed=1)
    assert nuts.check().passed, nuts.check()
    assert int(nuts.tree["sample_stats"]["diverging"].sum()) == 0
    assert engine.check().passed
    for name in recipe.priors:
        error = 5 * float(nuts.mcse(nuts[name])) + 0.02 * float(nuts[name].std())
        assert float(engine.expect(engine[name])) == pytest.approx(
            float(nuts.expect(nuts[name])), abs=error
        )
    assert nuts.seen["n_treated"].sum() == 300
    assert {"prior", "prior_predictive", "observed_data"} <= set(nuts.tree.children)


def test_other_patients_need_no_other_program(data):
    from doseopt_bayes.inference.compiled import compiled_for  # noqa: PLC0415
    from doseopt_bayes.inference.patients import patient_program  # noqa: PLC0415

    other = read(frame(120, seed=3))
    recipe = model()
    assert compiled_for(recipe, data) is compiled_for(recipe, other)
    assert patient_program(recipe, data)[0] is patient_program(recipe, other)[0]
    again = compiled_for(recipe, other).data()
    assert again["x"].shape == (120,)
    changed = model(priors=CURVE | {"level": Normal(0, 2.1)})
    assert compiled_for(recipe, data) is not compiled_for(changed, data)


def test_a_thousand_patients_recover_the_truth_with_covariates():
    data = read(frame(1000, seed=5))
    on = (
        CovariateEffect("e0", "AGE", centre=60, per=10),
        CovariateEffect("ec50", "SEX", level="M"),
    )
    priors = FLAT | {"e0_AGE": Normal(0, 1), "ec50_SEX_M": Normal(0, 0.5)}
    recipe = model(priors=priors, covariates=on)
    post = fit(recipe, data, seed=1)
    assert post.check().passed, post.check()
    for name, truth in (TRUTH | {"e0_AGE": 0.4, "ec50_SEX_M": 0.0}).items():
        low, high = (float(post.quantile(post[name], q)) for q in (0.005, 0.995))
        assert low < truth < high
    said = str(recipe)
    assert "on e0: e0_AGE per 10 of AGE above 60" in said
    assert "on the log of ec50: ec50_SEX_M for SEX = M" in said


def test_covariates_move_the_curve_as_stated():
    on = (
        CovariateEffect("e0", "AGE", centre=60, per=10),
        CovariateEffect("ec50", "SEX", level="M"),
    )
    priors = CURVE | {"e0_AGE": Normal(0, 1), "ec50_SEX_M": Normal(0, 0.5)}
    recipe = model(priors=priors, covariates=on)
    draws = xr.Dataset(
        {k: ("draw", [v]) for k, v in {"e0": -1.0, "emax": 2.0, "ec50": 10.0, "e0_AGE": 0.5,
                                       "ec50_SEX_M": np.log(3)}.items()}
    )  # fmt: skip

    def p(logit: float) -> float:
        return 1 / (1 + np.exp(-logit))

    def at(**covariates: object) -> float:
        return float(recipe.response_at(draws, 30.0, covariates).squeeze())

    assert at() == pytest.approx(p(-1 + 2 * 30 / 40))
    assert at(AGE=80) == pytest.approx(p(-1 + 1 + 2 * 30 / 40))
    assert at(SEX="M") == pytest.approx(p(-1 + 2 * 30 / 60))
    assert at(SEX="F", AGE=60) == at()
    people = xr.DataArray([10.0, 30.0], dims="person")
    assert recipe.response_at(draws, people).dims == ("draw", "person")
    with pytest.raises(DoseOptError, match="no covariate 'AGEE'"):
        at(AGEE=3)


def test_a_monotone_curve_cannot_turn(data):
    for direction, sign in (("rising", 1), ("falling", -1)):
        post = preview(model(monotone=direction), data, seed=1, particles=1024)
        assert bool((sign * post["effect"] > 0).all())
    with pytest.raises(DoseOptError, match="may turn"):
        replace(
            model(), shape=Quadratic(), monotone="rising",
            priors={"level": Normal(0, 1), "effect": Normal(0, 1), "curvature": Normal(0, 1)},
        )  # fmt: skip


def test_survival_of_both_families_agrees_with_the_data(data):
    steps = PiecewiseExponential((4.0, 8.0, 12.0))
    pieces = model("pfs")
    pieces = replace(
        pieces,
        response=steps,
        priors=CURVE | {"level": Normal(-3, 2), "log_hazard_step": Normal(0, 1)},
    )
    curves = []
    for recipe in (model("pfs"), pieces):
        post = preview(recipe, data, seed=1, particles=2048)
        assert post.check().passed
        s = [recipe.response_at(post.draws, [0.0, 60.0], time=t) for t in (6.0, 12.0)]
        curves.append(np.stack([post.expect(x).to_numpy() for x in s]))
    np.testing.assert_allclose(curves[0], curves[1], atol=0.06)
    truth = [[np.exp(-np.exp(-2 * c) * (t / 12) ** 1.5) for c in (0, 0.6)] for t in (6, 12)]
    np.testing.assert_allclose(curves[0], truth, atol=0.09)


def test_a_shape_that_bends_twice_and_one_that_turns_are_sampled(data):
    hill = replace(model("value"), shape=SigmoidEmax(),
                   priors=CURVE | {"hill": LogNormal(1, 0.3), "sigma": HalfNormal(5),
                                   "level": Normal(5, 5), "effect": Normal(5, 10)})  # fmt: skip
    turn = replace(model("value"), shape=BetaShape(500.0), reference=None,
                   priors={"e0": Normal(5, 5), "emax": Normal(5, 10), "delta1": LogNormal(1, 0.5),
                           "delta2": LogNormal(1, 0.5), "sigma": HalfNormal(5)})  # fmt: skip
    for recipe in (hill, turn):
        post = preview(recipe, data, seed=1)
        assert post.check().passed
        at = post.expect(recipe.response_at(post.draws, [0.0, 40.0, 100.0])).to_numpy()
        np.testing.assert_allclose(at, 5 + 10 * np.array([0, 0.5, 100 / 140]), atol=1.0)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"priors": {"level": Normal(0, 1)}}, "no prior for effect, ec50"),
        ({"priors": CURVE | {"ec5": Normal(0, 1)}}, "no parameter 'ec5'"),
        ({"reference": None}, "need two reference exposures"),
        ({"reference": (5.0, 5.0)}, "ascending"),
        ({"monotone": "up"}, "unknown direction"),
        ({"covariates": (CovariateEffect("hill", "AGE"),)}, "which the curve lacks"),
    ],
)  # fmt: skip
def test_a_recipe_that_cannot_be_is_refused(change, said):
    with pytest.raises(DoseOptError, match=said):
        model(**change)


def test_data_that_do_not_fit_are_refused(data):
    with pytest.raises(DoseOptError, match="is continuous in the data"):
        replace(model(), endpoint="value").build(data)
    with pytest.raises(DoseOptError, match=r"in 'h\*mg/L' in the data, the model in 'ng/mL'"):
        replace(model(), unit="ng/mL").build(data)
    on = (CovariateEffect("e0", "SEX", level="X"),)
    with pytest.raises(DoseOptError, match=r"cov_SEX\[X\]"):
        model(covariates=on, priors=CURVE | {"e0_SEX_X": Normal(0, 1)}).build(data)
    flat = frame().assign(VALUE=3.0)
    flat.loc[0, ["VALUE", "AGE"]] = [
        4.0,
        np.nan,
    ]  # the only other value falls to a missing covariate
    constant = read(flat, missing={"AGE": "exclude"})
    on = (CovariateEffect("e0", "AGE", centre=60),)
    given = CURVE | {"sigma": HalfNormal(5), "e0_AGE": Normal(0, 1)}
    with pytest.raises(DoseOptError, match=r"no variation \(n = 299, value 3\)"):
        model("value", covariates=on, priors=given).build(constant)


def test_the_words_show_formula_link_and_every_prior():
    said = str(model())
    assert "logit of the probability = e0 + emax * x / (ec50 + x), x = AUC (h*mg/L)" in said
    for prior in CURVE.values():
        assert str(prior) in said
