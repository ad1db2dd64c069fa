"""Posterior predictive checks, leave-one-out calibration, and predictions by dose."""

from __future__ import annotations

import arviz_stats as azs
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import stats

from doseopt_bayes.data.endpoints import Binary
from doseopt_bayes.data.exposure import ExposureData
from doseopt_bayes.errors import DoseOptError
from doseopt_bayes.inference.batch import preview
from doseopt_bayes.inference.identify import log_likelihood
from doseopt_bayes.inference.nuts import fit
from doseopt_bayes.models.exposure_response import ExposureResponse
from doseopt_bayes.models.response import BinaryResponse, PiecewiseExponential
from doseopt_bayes.models.shapes import Emax, Linear
from doseopt_bayes.plots import style
from doseopt_bayes.plots.by_dose import data_by_dose, draw_by_dose
from doseopt_bayes.plots.exposure_pictures import figure_by_dose, figure_loo, figure_predictive
from doseopt_bayes.plots.loo_check import data_loo, draw_loo
from doseopt_bayes.plots.patient_average import thinned
from doseopt_bayes.plots.predictive import data_predictive, draw_predictive
from doseopt_bayes.plots.replicates import cumulative_hazard, replicated
from doseopt_bayes.prediction.at_doses import at_doses
from doseopt_bayes.prediction.power import fit_power_model
from doseopt_bayes.priors import Normal
from tests.models.er_cases import frame, read
from tests.plots.er_pictures import CURVE, FAMILIES, curve, marks, one_dose, texts_apart


@pytest.fixture(scope="module")
def data():
    return read(frame())


@pytest.fixture(scope="module")
def sampled(data):
    return fit(curve("value"), data, seed=1, draws=1000)


@pytest.fixture(scope="module")
def previews(data):
    return {e: preview(curve(e), data, seed=1, particles=4096) for e in FAMILIES}


@pytest.mark.parametrize("endpoint", FAMILIES)
def test_replicates_are_drawn_as_their_numbers_say(endpoint, previews, data):
    seen = data_predictive(curve(endpoint), previews[endpoint], data, bins=2)
    figure = draw_predictive(seen)
    texts_apart(figure)
    for i in range(3):
        here = seen.isel(statistic=0, bin=i)
        artist = marks(figure)[f"interval:{i}"][0]
        assert list(artist.get_ydata()) == [float(here["low"]), float(here["high"])]
        assert list(marks(figure)[f"seen:{i}"][0].get_ydata()) == [float(here["seen"])]
        # the model that made the data is right: nothing observed is far outside
        assert 0.002 < float(here["above"]) < 0.998


def test_observed_statistics_are_those_of_the_bins(previews, data):
    table = data.table
    zero = table["AUC"] == 0
    seen = {e: data_predictive(curve(e), previews[e], data).sel(bin=0)["seen"] for e in FAMILIES}
    assert float(seen["ae"][0]) == table.loc[zero, "ae"].mean()
    assert seen["value"].to_numpy() == pytest.approx(
        [table.loc[zero, "value"].mean(), table.loc[zero, "value"].std()]
    )
    y, t = table.loc[zero, "count"], table.loc[zero, "count_time"]
    assert seen["count"].to_numpy() == pytest.approx([y.sum() / t.sum(), (y == 0).mean(), y.max()])
    assert float(seen["pfs"][0]) == table.loc[zero, "pfs"].sum()


def test_binary_replicates_have_the_mean_and_variance_of_the_model(previews, data):
    post = thinned(previews["ae"], 2000)
    again = replicated(curve("ae"), data, post, 3)
    x = data.table["AUC"].to_numpy()
    p = {v: post.draws[v].to_numpy().ravel()[:, None] for v in ("e0", "emax", "ec50")}
    share = 1 / (1 + np.exp(-(p["e0"] + p["emax"] * x / (p["ec50"] + x))))
    gap = again.mean(axis=0) - share.mean(axis=0)
    error = np.sqrt((share * (1 - share)).mean(axis=0) / len(again))
    assert np.abs(gap / error).max() < 5
    total = again.sum(axis=1) - share.sum(axis=1)
    assert total.var() == pytest.approx((share * (1 - share)).sum(axis=1).mean(), rel=0.15)


def test_cumulative_hazard_is_that_of_the_formula(previews, data):
    post = thinned(previews["pfs"], 200)
    rows = curve("pfs").read(data)
    found = cumulative_hazard(curve("pfs"), post, rows)
    p = {
        v: post.draws[v].to_numpy().ravel()[:, None]
        for v in ("e0", "emax", "ec50", "weibull_shape")
    }
    x, t = rows["exposure"].to_numpy(), rows["time"].to_numpy()
    by_hand = np.exp(p["e0"] + p["emax"] * x / (p["ec50"] + x)) * (t / 12) ** p["weibull_shape"]
    assert found == pytest.approx(by_hand)


def test_a_wrong_curve_is_found_out():
    """A bell under a straight line: the middle bin lies outside its interval."""
    rng = np.random.default_rng(2)
    x = rng.uniform(0.1, 10, 300)
    p = np.where((x > 3.4) & (x < 6.7), 0.9, 0.1)
    table = pd.DataFrame({"ID": range(300), "mg": 1, "AUC": x, "AE": rng.random(300) < p})
    data = ExposureData.from_frame(
        table, id="ID", dose="mg", dose_unit="mg", exposures={"AUC": "h"},
        endpoints={"ae": Binary("AE")},
    )  # fmt: skip
    priors = {"level": Normal(0, 2.5), "effect": Normal(0, 2.5)}
    model = ExposureResponse("ae", "AUC", Linear(), BinaryResponse(), priors, reference=(0.5, 9.5))
    post = preview(model, data, seed=1)
    assert "share with the event in bin 2" in figure_predictive(model, post, data).caption
    loo = data_loo(model, post, data)
    assert ((loo["low"] > loo["predicted"]) | (loo["high"] < loo["predicted"])).any()


def test_pit_of_measured_values_is_that_of_arviz(sampled, data):
    model = curve("value")
    seen = data_loo(model, sampled, data, seed=4)
    post = thinned(sampled, 2000)
    again = replicated(model, data, post, 4).reshape(4, 500, -1)
    dims = ("chain", "draw", "patient")
    ll = log_likelihood(model, data, post)
    y = model.read(data)["y"]
    labels = {"patient": y["patient"].to_numpy()}
    tree = xr.DataTree.from_dict({
        "posterior": post.draws,
        "log_likelihood": xr.Dataset({"y": ll.transpose(*dims)}),
        "posterior_predictive": xr.Dataset({"y": (dims, again)}, coords=labels),
        "observed_data": xr.Dataset({"y": y.reset_coords(drop=True)}),
    })  # fmt: skip
    theirs = azs.loo_pit(tree)["y"]
    mine = seen["pit"].sel(patient=theirs["patient"])
    assert mine.to_numpy() == pytest.approx(theirs.to_numpy(), abs=0.003)
    # the exact answer but for the one patient left out of 300: the normal distribution itself
    p = {v: post.draws[v].to_numpy().ravel()[:, None] for v in ("e0", "emax", "ec50", "sigma")}
    x = model.read(data)["exposure"].to_numpy()
    mu = p["e0"] + p["emax"] * x / (p["ec50"] + x)
    exact = stats.norm.cdf(y.to_numpy(), mu, p["sigma"]).mean(axis=0)
    assert seen["pit"].sel(patient=y["patient"]).to_numpy() == pytest.approx(exact, abs=0.05)


@pytest.mark.parametrize("endpoint", ["value", "count", "pfs"])
def test_pit_of_the_true_model_is_uniform(endpoint, previews, data):
    seen = data_loo(curve(endpoint), previews[endpoint], data)
    assert stats.kstest(seen["pit"], "uniform").pvalue > 0.01
    figure = draw_loo(seen)
    texts_apart(figure)
    assert (
        marks(figure)["difference"][0].get_ydata().tolist()
        == seen["difference"].to_numpy().tolist()
    )
    assert float(seen["band_low"].min()) < 0 < float(seen["band_high"].max())


def test_calibration_groups_have_exact_intervals(previews, data):
    seen = data_loo(curve("ae"), previews["ae"], data)
    y = data.table.set_index("id")["ae"].reindex(seen["patient"].to_numpy()).to_numpy()
    p = seen["loo_probability"].to_numpy()
    last = p > np.quantile(p, 0.75)
    g = seen.isel(group=-1)
    exact = stats.binomtest(int(y[last].sum()), int(last.sum())).proportion_ci(method="exact")
    assert [float(g["low"]), float(g["high"])] == pytest.approx([exact.low, exact.high])
    assert float(g["predicted"]) == pytest.approx(p[last].mean())
    figure = draw_loo(seen)
    texts_apart(figure)
    assert list(marks(figure)["interval:3"][0].get_ydata()) == [float(g["low"]), float(g["high"])]


def test_the_order_of_patients_changes_nothing(previews, data):
    mixed = read(frame().sample(frac=1, random_state=3))
    one, two = (data_loo(curve("ae"), previews["ae"], d) for d in (data, mixed))
    two = two.sel(patient=one["patient"])
    for name in ("loo_probability", "khat", "predicted", "observed"):
        assert one[name].to_numpy() == pytest.approx(two[name].to_numpy(), abs=1e-9)
    one, two = (data_predictive(curve("ae"), previews["ae"], d) for d in (data, mixed))
    assert one["seen"].equals(two["seen"])
    assert one["low"].to_numpy() == pytest.approx(two["low"].to_numpy(), abs=0.04)


@pytest.mark.parametrize("make", [figure_predictive, figure_loo])
def test_one_dose_without_an_event(make):
    data = one_dose([0] * 12)
    model = curve("ae")
    picture = make(model, preview(model, data, seed=1), data)
    texts_apart(picture.figure)
    assert "12 of 12 rows are analysed." in picture.caption


def test_piecewise_hazards_are_checked_too(data):
    family = PiecewiseExponential((4.0, 9.0))
    priors = CURVE | {"log_hazard_step": Normal(0, 1)}
    model = ExposureResponse("pfs", "AUC", Emax(), family, priors, reference=(0.0, 100.0))
    post = preview(model, data, seed=1)
    assert data_predictive(model, post, data).attrs["family"] == "PiecewiseExponential"
    texts_apart(figure_loo(model, post, data).figure)


def test_captions_name_every_mark(previews, data):
    said = figure_predictive(curve("count"), previews["count"], data).caption
    for word in ("Diamonds", "Boxes, lines and bars", "95 % interval", "1000 replicated", "seed 0",
                 "model's own likelihood", "weak evidence", "exposure 0 is its own bin"):  # fmt: skip
        assert word in said
    said = figure_loo(curve("ae"), previews["ae"], data).caption
    for word in ("Squares and bars", "Clopper-Pearson", "dashed line: equality", "worst k"):
        assert word in said
    said = figure_loo(curve("pfs"), previews["pfs"], data).caption
    for word in ("PIT", "simultaneous 95 % band", "censored time is placed at random", "n = 300"):
        assert word in said


def test_too_few_patients_have_no_distribution():
    table = frame(4)
    data = read(table, covariates=False)
    model = curve("value")
    with pytest.raises(DoseOptError, match="too few"):
        data_loo(model, preview(model, data, seed=1), data)


def test_predictions_by_dose_are_quantiles_and_untested_doses_are_hollow(sampled, data):
    found = at_doses(curve("value"), sampled, fit_power_model(data, "AUC"), [0, 25, 75, 100, 400])
    seen = data_by_dose(found)
    assert seen["variable"].to_numpy().tolist() == ["value"]
    figure = draw_by_dose(seen)
    texts_apart(figure)
    drawn = marks(figure)
    looks = style.dose_styles([0, 25, 75, 100, 400])
    for dose in (25, 75, 400):
        draws = found["value"].sel(dose=dose).to_numpy().ravel()
        bar = drawn[f"interval:{dose}"][0]
        assert list(bar.get_xdata()) == pytest.approx(np.quantile(draws, [0.025, 0.975]))
        mark = drawn[f"median:{dose}"][0]
        assert list(mark.get_xdata()) == pytest.approx([np.median(draws)])
        assert mark.get_markerfacecolor() == ("white" if dose in (75, 400) else looks[dose].color)
    assert seen["n_treated"].to_numpy().tolist() == [65, 81, 0, 88, 0]
    said = figure_by_dose(found).caption
    for word in ("Markers and bars", "95 % equal-tailed", "Monte Carlo", "75 mg, 400 mg", "Hollow",
                 "extrapolated: 400 mg"):  # fmt: skip
        assert word in said
    with pytest.raises(DoseOptError, match="no 'vale' over dose"):
        data_by_dose(found, variables=["vale"])
    with pytest.raises(DoseOptError, match="nothing lies over dose"):
        data_by_dose(sampled)
