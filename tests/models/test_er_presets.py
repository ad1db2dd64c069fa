"""Named priors: the stated marginals, and that none looks at the response."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from doseopt_bayes.errors import DoseOptError
from doseopt_bayes.inference.batch import preview
from doseopt_bayes.inference.prior import sample_prior
from doseopt_bayes.models.er_curve import CovariateEffect
from doseopt_bayes.models.er_presets import empirical_emax, weakly_informative
from doseopt_bayes.models.er_priors import HillGivenEC50, LogStudentT, Uniform
from doseopt_bayes.models.response import ContinuousResponse
from doseopt_bayes.models.shapes import SHAPES, BetaShape, Emax, LogLinear
from tests.models.er_cases import frame, read

MODEL = empirical_emax(
    "ae", "AUC", p50=40, target=100, level=(-1.5, 1), effect=(1.5, 1.5), unit="h*mg/L"
)


@pytest.fixture(scope="module")
def data():
    return read(frame())


def test_the_marginals_are_those_of_the_published_prior():
    """clinDR: before truncation ED50 / P50 lies in 0.012 to 85 and Hill in 0.34 to 2.98 (95 %)."""
    ec50 = LogStudentT(1.0, 1.73, 5, 1e-30, 1e30)
    assert ec50.quantile(0.025) == pytest.approx(0.012, abs=5e-4)
    assert ec50.quantile(0.975) == pytest.approx(85, abs=1)
    hill = HillGivenEC50(ec50, low=1e-12, high=1e12)
    assert hill.quantile(0.025) == pytest.approx(0.34, abs=0.01)
    assert hill.quantile(0.975) == pytest.approx(2.98, abs=0.01)


def test_what_is_sampled_is_the_truncated_prior(data):
    prior = sample_prior(MODEL, data, seed=1, draws=20_000)["prior"].to_dataset()
    x = {name: prior[name].to_numpy().ravel() for name in ("ec50", "hill", "level", "effect")}
    t = stats.t(5, scale=1.73)
    low, high = t.cdf(np.log(0.001)), t.cdf(np.log(1000))
    u = (t.cdf(np.log(x["ec50"] / 40)) - low) / (high - low)
    assert stats.kstest(u, "uniform").pvalue > 1e-3
    for q in (0.025, 0.5, 0.975):
        assert np.quantile(x["hill"], q) == pytest.approx(
            MODEL.priors["hill"].quantile(q), rel=0.03
        )
    assert x["hill"].min() >= 0.3
    assert x["hill"].max() <= 4
    assert np.corrcoef(np.log(x["ec50"]), np.log(x["hill"]))[0, 1] == pytest.approx(-0.4, abs=0.06)
    assert stats.kstest(x["effect"], stats.t(5, 1.5, 1.5).cdf).pvalue > 1e-3
    # log Hill given log ED50 is t6, by the formula of the published program
    r = np.log(x["ec50"] / 40)
    near = np.abs(r - 2) < 0.1
    scale = np.sqrt(0.425**2 * (1 - 0.45**2) * (5 + (2 / 1.73) ** 2) / 6)
    given = stats.t(6, -0.45 * 0.425 / 1.73 * 2, scale)
    ends = given.cdf(np.log([0.3, 4]))
    v = (given.cdf(np.log(x["hill"][near])) - ends[0]) / (ends[1] - ends[0])
    assert stats.kstest(v, "uniform").pvalue > 1e-3


def test_the_empirical_prior_samples_and_follows_the_data(data):
    post = preview(MODEL, data, seed=1)
    assert post.check().passed
    effect = float(post.expect(post["effect"]))
    assert effect == pytest.approx(3 * 100 / 140, abs=0.7)


def test_three_parameters_and_a_continuous_response():
    model = empirical_emax(
        "value", "AUC", p50=40, target=100, level=(5, 5), effect=(5, 5),
        response=ContinuousResponse(), sigma=(0.1, 10), hill=False,
    )  # fmt: skip
    assert list(model.priors) == ["level", "effect", "ec50", "sigma"]
    assert model.priors["sigma"] == Uniform(0.1, 10)
    post = preview(model, read(frame()), seed=1)
    assert float(post.expect(post["sigma"])) == pytest.approx(2, abs=0.3)


@pytest.mark.parametrize("kind", SHAPES)
def test_weak_priors_never_look_at_the_response(kind, data):
    shape = {"log_linear": LogLinear(1.0), "beta": BetaShape(1000.0)}.get(kind) or SHAPES[kind]()
    table = frame()
    swapped = table.assign(AE=1 - table["AE"])
    first, second = (weakly_informative(d, "ae", "AUC", shape) for d in (data, read(swapped)))
    assert first == second
    assert first.unit == "h*mg/L"
    assert weakly_informative(data, "ae", "dose", Emax()).unit == "mg"


def test_weak_priors_sit_at_the_exposures_that_were_studied(data):
    on = (CovariateEffect("ec50", "AGE", centre=60, per=10),)
    model = weakly_informative(data, "ae", "AUC", Emax(), covariates=on)
    x = data.rows("ae", "AUC")["exposure"].to_numpy()
    assert model.reference == (0.0, pytest.approx(np.quantile(x, 0.95)))
    assert model.priors["ec50"].quantile(0.5) == pytest.approx(np.median(x[x > 0]))
    assert model.priors["ec50_AGE"].sd == 0.5


def test_what_exposure_cannot_tell_must_be_given(data):
    with pytest.raises(DoseOptError, match="spread = None"):
        weakly_informative(data, "value", "AUC", Emax(), response=ContinuousResponse())
    model = weakly_informative(
        data, "value", "AUC", Emax(), response=ContinuousResponse(), typical=5, spread=4
    )
    assert model.priors["level"].sd == 8
    placebo = read(frame().assign(mg=0.0, AUC=0.0))
    with pytest.raises(DoseOptError, match="never varies"):
        weakly_informative(placebo, "ae", "AUC", Emax())


def test_the_closed_form_of_the_conditional_is_that_of_scipy(data):
    """The log density of log Hill given log ED50, truncated, at several points of both."""
    built = MODEL.build(data)
    hill = built["log_hill"]
    density = built.compile_logp(vars=[hill], jacobian=False)
    point = built.initial_point()
    low, high = np.log(0.3), np.log(4)
    transform = built.rvs_to_transforms[hill]
    ratio = built["log_ec50_ratio"]
    names = [built.rvs_to_values[v].name for v in (ratio, hill)]
    for r in (-3.0, 0.5, 4.0):
        scale = np.sqrt(0.425**2 * (1 - 0.45**2) * (5 + (r / 1.73) ** 2) / 6)
        given = stats.t(6, -0.45 * 0.425 / 1.73 * r, scale)
        for x in (-0.9, 0.1, 1.2):
            wanted = given.logpdf(x) - np.log(given.cdf(high) - given.cdf(low))
            values = {
                names[0]: built.rvs_to_transforms[ratio]
                .forward(np.float64(r), *ratio.owner.inputs)
                .eval(),
                names[1]: transform.forward(np.float64(x), *hill.owner.inputs).eval(),
            }
            assert float(density({**point, **values})) == pytest.approx(wanted, abs=1e-12)


def test_nuts_samples_the_empirical_prior_without_divergence(data):
    from doseopt_bayes.inference.nuts import fit  # noqa: PLC0415

    post = fit(MODEL, data, seed=1)
    assert post.check().passed, post.check()
    engine = preview(MODEL, data, seed=1)
    for name in MODEL.priors:
        error = 5 * float(post.mcse(post[name])) + 0.03 * float(post[name].std())
        assert float(engine.expect(engine[name])) == pytest.approx(
            float(post.expect(post[name])), abs=error
        )
