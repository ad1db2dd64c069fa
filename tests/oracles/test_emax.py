"""Published exposure-response fits.

rstanemax (yoshidk6/rstanemax @2a2e67b, README; data GPL-3, used as a test oracle only) and the BayesERbook
(Genentech/BayesERbook @469c399; data of BayesERtools, Apache-2.0): their stated priors; `exact` values by
quadrature with e0 and emax integrated out. DoseFinding 1.0-3 (GPL-3, oracle only): biom, migraine and
glycobrom, least squares, compared with posteriors under nearly flat priors; their coefficients to the
last digits in test_emax_likelihood.py. Not ours: the optimal contrasts of MCP-Mod, their correlations and
t statistics (items optcontr_equal and glycobrom), as the package tests no contrasts.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, special

from doseopt_bayes.data.endpoints import Binary, Continuous, Grouped
from doseopt_bayes.data.exposure import ExposureData
from doseopt_bayes.inference.batch import preview
from doseopt_bayes.inference.nuts import fit
from doseopt_bayes.models.exposure_response import ExposureResponse
from doseopt_bayes.models.response import BinaryResponse, ContinuousResponse, GroupedResponse
from doseopt_bayes.models.shapes import Emax, Linear, Quadratic, SigmoidEmax
from doseopt_bayes.priors import HalfNormal, LogNormal, Normal

HERE = Path(__file__).parent / "data"
ITEMS = {
    item["id"]: item
    for item in json.loads((HERE.parent / "emax.json").read_text(encoding="utf-8"))["items"]
}
QUANTILES = (0.025, 0.05, 0.25, 0.5, 0.75, 0.95, 0.975)
AT = (5000.0, 15000.0, 25000.0, 35000.0)


def read(frame: pd.DataFrame, **endpoint: object) -> ExposureData:
    frame = frame.assign(ID=np.arange(len(frame)))
    metrics = {"auc": "unit"} if "auc" in frame else {}
    return ExposureData.from_frame(
        frame, id="ID", dose="dose", dose_unit="mg", exposures=metrics, endpoints=endpoint
    )


def binary_groups(dose: list[float], events: list[int], n: list[int]) -> ExposureData:
    rows = [(d, int(i < x)) for d, x, m in zip(dose, events, n, strict=True) for i in range(m)]
    return read(pd.DataFrame(rows, columns=["dose", "resp"]), event=Binary("resp"))


@pytest.fixture(scope="module")
def rstanemax() -> tuple[ExposureResponse, ExposureData]:
    frame = pd.read_csv(HERE / "rstanemax_exposure_response_sample.csv")
    data = read(frame.rename(columns={"exposure": "auc"}), value=Continuous("response"))
    priors = {
        "e0": Normal(11.30576363, 22.61152727),
        "emax": Normal(141.5258178, 141.5258178),
        "ec50": Normal(123.8477836, 247.6955672, lower=0.0),
        "sigma": HalfNormal(36.65197952),
    }
    model = ExposureResponse(
        "value", "auc", Emax(), ContinuousResponse(), priors, reference=(0, 400)
    )
    return model, data


EXACT = {  # mean, sd
    "ec50": (75.87881186, 20.81626817),
    "sigma": (16.61448845, 1.5986135),
    "e0": (5.812754719, 4.709256243),
    "emax": (91.92809067, 6.029057579),
}


def test_rstanemax_by_the_engine(rstanemax):
    post = preview(*rstanemax, seed=1, particles=4096)
    assert post.check().passed
    for name, (mean, sd) in EXACT.items():
        found = float(post.expect(post[name]))
        assert found == pytest.approx(mean, abs=0.05 * sd)
        assert float(post.expect((post[name] - found) ** 2)) ** 0.5 == pytest.approx(sd, rel=0.05)


def predictive(post, model, x: float, q: float) -> float:
    """Quantile of a new patient's value: the mixture of the draws' normal distributions."""
    mean, sigma = (
        a.to_numpy().ravel() for a in (model.response_at(post.draws, [x])[..., 0], post["sigma"])
    )
    weight = post.weight.to_numpy()
    return float(
        optimize.brentq(lambda y: weight @ special.ndtr((y - mean) / sigma) - q, -1e3, 1e3)
    )


def test_quantiles_and_predictions_of_rstanemax_by_quadrature(rstanemax):
    model, data = rstanemax
    post = preview(model, data, seed=1, particles=65_536)
    exact = ITEMS["rstanemax_readme"]["expected"]["exact"]
    for name, (_, sd) in EXACT.items():
        found = [float(post.quantile(post[name], q)) for q in QUANTILES]
        np.testing.assert_allclose(found, exact[name]["q"], atol=0.05 * sd)
    for one in exact["epred"]:
        curve = model.response_at(post.draws, [one["x"]])[..., 0]
        sd = (one["q975"] - one["q025"]) / 3.92
        for q, name in ((0.025, "q025"), (0.5, "median"), (0.975, "q975")):
            assert float(post.quantile(curve, q)) == pytest.approx(one[name], abs=0.1 * sd)
        for q, name in ((0.025, "pred_q025"), (0.975, "pred_q975")):
            found = predictive(post, model, one["x"], q)
            assert found == pytest.approx(one[name], abs=0.3)


def test_rstanemax_by_nuts(rstanemax):
    post = fit(*rstanemax, seed=1)
    assert post.check().passed
    for name, (mean, sd) in EXACT.items():
        error = max(0.05 * sd, 4 * float(post.mcse(post[name])))
        assert float(post.expect(post[name])) == pytest.approx(mean, abs=error)
        assert float(post[name].std()) == pytest.approx(sd, rel=0.05)
    mean = rstanemax[0].response_at(post.draws, [0, 50, 100, 200, 400])
    published = [5.832, 43.198, 58.820, 72.872, 83.219]  # medians
    np.testing.assert_allclose(post.quantile(mean, 0.5), published, atol=0.4)


def test_the_way_of_sampling_does_not_change_the_posterior(rstanemax):
    model, data = rstanemax
    raw = ExposureResponse("value", "auc", Emax(), ContinuousResponse(), model.priors)
    one, other = (preview(m, data, seed=2, particles=4096) for m in (model, raw))
    for name, (_, sd) in EXACT.items():
        assert float(one.expect(one[name])) == pytest.approx(
            float(other.expect(other[name])), abs=0.03 * sd
        )


def test_sigmoid_emax_of_the_book_rides_its_ridge():
    frame = pd.read_csv(HERE / "bayesertools_d_sim_emax.csv")
    data = read(frame.rename(columns={"exposure": "auc"}), value=Continuous("response_1"))
    priors = {
        "e0": Normal(12.65378866, 25.30757733),
        "emax": Normal(10.99673404, 10.99673404),
        "ec50": Normal(10170.8652, 20341.73039, lower=0.0),
        "hill": HalfNormal(5.0),
        "sigma": HalfNormal(1.791578955),
    }
    model = ExposureResponse(
        "value", "auc", SigmoidEmax(), ContinuousResponse(), priors, reference=(4000, 30000)
    )
    post = preview(model, data, seed=1)
    exact = {
        "ec50": (5058.324967, 4070.648169),
        "hill": (1.045078268, 0.4913252148),
        "e0": (6.550494255, 4.096786656),
        "emax": (11.68123779, 5.630296786),
        "sigma": (1.274678492, 0.0526236071),
    }
    for name, (mean, sd) in exact.items():
        assert float(post.expect(post[name])) == pytest.approx(mean, abs=0.1 * sd)
    curve = model.response_at(post.draws, AT)
    medians = [13.06308051, 15.32614559, 16.0484133, 16.40338043]
    np.testing.assert_allclose(post.quantile(curve, 0.5), medians, atol=0.05)
    np.testing.assert_allclose(
        post.quantile(curve, 0.975), [13.293, 15.536, 16.357, 16.951], atol=0.05
    )
    np.testing.assert_allclose(
        post.quantile(curve, 0.025), [12.807, 15.125, 15.738, 15.910], atol=0.05
    )
    for one in ITEMS["bayesertools_sigemax"]["expected"]["exact"]["epred"]:
        for q, name in ((0.025, "pred_q025"), (0.975, "pred_q975")):
            assert predictive(post, model, one["x"], q) == pytest.approx(one[name], abs=0.05)


def test_logistic_curve_of_hyperglycaemia():
    """rstanarm's defaults: the prior of the intercept holds at the mean exposure."""
    frame = pd.read_csv(HERE / "bayesertools_hgly2.csv").rename(columns={"Dose_mg": "dose"})
    frame["auc"] = frame["AUCss"] / 1000
    data = read(frame, ae=Binary("AEFLAG"))
    mean = float(frame["auc"].mean())
    priors = {"level": Normal(0, 2.5), "effect": Normal(0, 1.773996049)}  # over 1 unit: the slope
    model = ExposureResponse(
        "ae", "auc", Linear(), BinaryResponse(), priors, reference=(mean, mean + 1)
    )
    exact = {"e0": (-2.043109432, 0.2250318202), "slope": (0.4105615983, 0.07352818652)}
    engine, nuts = preview(model, data, seed=1, particles=65_536), fit(model, data, seed=1)
    p = model.response_at(engine.draws, [1, 1.5, 2, 3, 9])
    item = ITEMS["bayesertools_logit_hgly2"]["expected"]["exact"]["epred"]
    for q, name in ((0.025, "q025"), (0.5, "median"), (0.975, "q975")):
        np.testing.assert_allclose(engine.quantile(p, q), [e[name] for e in item], atol=0.005)
    assert float(engine.prob(engine["slope"] > 0)) == pytest.approx(1, abs=1e-4)
    for post in (engine, nuts):
        assert post.check().passed
        for name, (centre, sd) in exact.items():
            assert float(post.expect(post[name])) == pytest.approx(centre, abs=0.05 * sd)
        p = model.response_at(post.draws, [1, 1.5, 2, 3, 9])
        np.testing.assert_allclose(
            post.quantile(p, 0.5), [0.16378, 0.19380, 0.22783, 0.30769, 0.83853], atol=0.005
        )
        np.testing.assert_allclose(
            post.quantile(p, 0.025), [0.12356, 0.15433, 0.18935, 0.26488, 0.67610], atol=0.01
        )


WIDE = {"e0": Normal(0, 100), "emax": Normal(0, 100), "sigma": HalfNormal(100)}


def test_biom_fits_of_dosefinding():
    frame = pd.read_csv(HERE / "dosefinding_biom.csv")
    data = read(frame, value=Continuous("resp"))
    sigma = {"sigma": HalfNormal(100)}
    linear = ExposureResponse(
        "value", "dose", Linear(), ContinuousResponse(),
        {"e0": Normal(0, 100), "slope": Normal(0, 100)} | sigma, reference=(0, 1),
    )  # fmt: skip
    bowed = ExposureResponse(
        "value", "dose", Quadratic(), ContinuousResponse(),
        {"e0": Normal(0, 100), "slope": Normal(0, 100), "curvature": Normal(0, 100)} | sigma,
        reference=(0, 1),
    )  # fmt: skip
    for model, wanted in (
        (linear, {"e0": 0.4923407821, "slope": 0.5586053432}),
        (bowed, {"e0": 0.3902221608, "slope": 1.768417217, "curvature": -1.231771023}),
    ):  # linear in its parameters: under a flat prior the posterior mean is the least squares fit
        post = preview(model, data, seed=1)
        for name, value in wanted.items():
            assert float(post.expect(post[name])) == pytest.approx(value, abs=0.01)
    curve = ExposureResponse(
        "value", "dose", Emax(), ContinuousResponse(), WIDE | {"ec50": LogNormal(0.2, 1.0)},
        reference=(0, 1),
    )  # fmt: skip
    post = preview(curve, data, seed=1)
    at = curve.response_at(post.draws, [0, 0.05, 0.2, 0.6, 1])
    published = np.array([0.3216, 0.5158, 0.7578, 0.9249, 0.9750])
    error = np.array([0.152, 0.115, 0.115, 0.097, 0.125])  # its standard errors
    assert (np.abs(post.expect(at).to_numpy() - published) < 0.5 * error).all()


def test_migraine_emax_on_the_logit_scale():
    dose = [0, 2.5, 5, 10, 20, 50, 100, 200]
    data = binary_groups(dose, [13, 4, 5, 16, 12, 14, 14, 21], [133, 32, 44, 63, 63, 65, 59, 58])
    priors = {"e0": Normal(0, 10), "emax": Normal(0, 10), "ec50": LogNormal(10, 1.0)}
    model = ExposureResponse("event", "dose", Emax(), BinaryResponse(), priors, reference=(0, 200))
    nuts, engine = fit(model, data, seed=1), preview(model, data, seed=1)
    assert nuts.check().passed
    at = [0.0, 10.0, 200.0]
    one, other = (p.expect(model.predictor_at(p.draws, at)) for p in (nuts, engine))
    np.testing.assert_allclose(one, other, atol=0.02)
    published = -2.219298689 + 1.387262698 * np.array(at) / (8.473260119 + np.array(at))
    assert (np.abs(one.to_numpy() - published) < 0.5 * np.array([0.282, 0.25, 0.25])).all()


def test_grouped_means_give_the_posterior_of_the_single_values():
    frame = pd.read_csv(HERE / "dosefinding_biom.csv")
    groups = frame.groupby("dose")["resp"].agg(["mean", "std", "count"]).reset_index()
    single = read(frame, value=Continuous("resp"))
    grouped = read(groups, value=Grouped("mean", "std", "count"))
    priors = WIDE | {"ec50": LogNormal(0.2, 1.0)}
    found = []
    for family, data in ((ContinuousResponse(), single), (GroupedResponse(), grouped)):
        model = ExposureResponse("value", "dose", Emax(), family, priors, reference=(0, 1))
        post = preview(model, data, seed=1)
        found.append([float(post.expect(post[name])) for name in ("level", "effect", "sigma")]
                     if "level" in post.draws else
                     [float(post.expect(post[name])) for name in ("e0", "emax", "sigma")])  # fmt: skip
    np.testing.assert_allclose(found[0], found[1], atol=0.01)
