"""The exposure-response figure: its numbers against independent computations, and what is drawn."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from doseopt_bayes.data.endpoints import Grouped
from doseopt_bayes.data.exposure import ExposureData
from doseopt_bayes.errors import DoseOptError
from doseopt_bayes.inference.batch import preview
from doseopt_bayes.inference.nuts import fit
from doseopt_bayes.models.exposure_response import ExposureResponse
from doseopt_bayes.models.response import GroupedResponse
from doseopt_bayes.models.shapes import Emax
from doseopt_bayes.plots import style
from doseopt_bayes.plots.exposure_bins import bin_edges, exact_rate
from doseopt_bayes.plots.exposure_pictures import figure_exposure_response
from doseopt_bayes.plots.exposure_response import (
    caption_exposure_response,
    data_exposure_response,
    draw_exposure_response,
)
from doseopt_bayes.priors import HalfNormal
from tests.models.er_cases import frame, read
from tests.plots.er_pictures import FAMILIES, WIDE, curve, marks, one_dose, texts_apart


@pytest.fixture(scope="module")
def data():
    return read(frame())


@pytest.fixture(scope="module")
def sampled(data):
    """One endpoint by NUTS, with covariates on E0, EC50 and Emax."""
    model = curve("ae", covariates=True)
    return model, fit(model, data, seed=1, draws=1000)


@pytest.fixture(scope="module")
def previews(data):
    return {e: preview(curve(e), data, seed=1, particles=4096) for e in FAMILIES}


def test_bins_are_those_of_numpy_and_scipy(sampled, data):
    model, post = sampled
    seen = data_exposure_response(model, post, data, bins=3)
    table = data.table
    x, y = table["AUC"].to_numpy(), table["ae"].to_numpy()
    edges = np.quantile(x[x > 0], [0, 1 / 3, 2 / 3, 1])
    parts = [x == 0, (x > 0) & (x <= edges[1]), (x > edges[1]) & (x <= edges[2]), x > edges[2]]
    assert seen["edge_low"].to_numpy() == pytest.approx([0, *edges[:-1]])
    assert seen["edge_high"].to_numpy() == pytest.approx([0, *edges[1:]])
    for i, part in enumerate(parts):
        b = seen.sel(bin=i)
        exact = stats.binomtest(int(y[part].sum()), int(part.sum())).proportion_ci(method="exact")
        assert (int(b["bin_events"]), int(b["bin_n"])) == (y[part].sum(), part.sum())
        assert float(b["observed_low"]) == pytest.approx(exact.low)
        assert float(b["observed_high"]) == pytest.approx(exact.high)
        assert float(b["bin_exposure"]) == np.median(x[part])


def test_the_curve_averages_patients_inside_each_draw(sampled, data):
    """Against a loop over the formula, draw by draw and patient by patient."""
    model, post = sampled
    seen = data_exposure_response(model, post, data)
    assert seen.attrs["draws"] == 2000  # every second draw of 4 x 1000
    at = np.linspace(0, 999, 500).astype(int)
    p = {v: x.isel(draw=at).to_numpy().ravel() for v, x in post.draws.data_vars.items()}
    table = data.table
    age = (table["AGE"].to_numpy(dtype=float) - 60) / 10
    male = (table["SEX"] == "M").to_numpy(dtype=float)
    for x in (0.0, float(seen["exposure"][40])):
        mean = np.zeros(2000)
        for a, m in zip(age, male, strict=True):
            ec50 = p["ec50"] * np.exp(p["ec50_SEX_M"] * m)
            size = p["emax"] + p["emax_SEX_M"] * m
            eta = p["e0"] + p["e0_AGE"] * a + size * x / (ec50 + x)
            mean += 1 / (1 + np.exp(-eta)) / len(age)
        here = seen.sel(exposure=x)
        found = [float(here[k]) for k in ("low", "median", "high")]
        assert found == pytest.approx(np.quantile(mean, [0.025, 0.5, 0.975]), rel=1e-9)
        assert 0 < float(here["mcse"]) < 0.01
    low, high = (float(seen["exposure"][seen["studied"]].to_numpy()[i]) for i in (0, -1))
    assert (low, high) == (table["AUC"].min(), table["AUC"].max())


def test_model_in_a_bin_is_at_the_patients_own_exposures(previews, data):
    seen = data_exposure_response(curve("ae"), previews["ae"], data)
    table = data.table
    x = table["AUC"].to_numpy()[table["AUC"].to_numpy() == 0]
    zero = seen.sel(exposure=0.0)
    assert x.size == int(seen["bin_n"][0])
    assert float(seen["model_median"][0]) == pytest.approx(float(zero["median"]))


@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize("endpoint", FAMILIES)
def test_every_kind_is_drawn_as_its_numbers_say(endpoint, log, previews, data):
    seen = data_exposure_response(curve(endpoint), previews[endpoint], data, bins=2, log=log)
    figure = draw_exposure_response(seen)
    texts_apart(figure)
    drawn = marks(figure)
    x = seen["exposure"].to_numpy()
    shown = seen["studied"].to_numpy() & ((x > 0) | (not log))
    assert drawn["curve"][0].get_ydata().tolist() == seen["median"].to_numpy()[shown].tolist()
    assert drawn["curve"][0].get_xdata().tolist() == x[shown].tolist()
    assert drawn["beyond"][0].get_xdata()[-1] == pytest.approx(1.1 * data.table["AUC"].max())
    for i in range(3):
        b = seen.sel(bin=i)
        ends = [float(b["observed_low"]), float(b["observed_high"])]
        assert list(drawn[f"interval:{i}"][0].get_ydata()) == ends
        assert list(drawn[f"observed:{i}"][0].get_ydata()) == [float(b["observed"])]
    for d in (25, 100):
        at = data.table.loc[data.table["dose"] == d, "AUC"].to_numpy()
        whiskers = drawn[f"whisker:{d}"][0].get_xdata()
        assert whiskers == pytest.approx(np.quantile(at, [0.05, 0.95]))
        assert drawn[f"middle:{d}"][0].get_color() == style.dose_styles(data.doses)[d].color
    assert ("break" in drawn) == log
    dots = [a for k, m in drawn.items() if k.split(":")[0] in ("yes", "no", "lost", "patients")
            for a in m]  # fmt: skip
    assert sum(len(a.get_xdata()) for a in dots) == 300


def test_counts_have_exact_poisson_intervals(previews, data):
    seen = data_exposure_response(curve("count"), previews["count"], data, bins=2)
    table = data.table
    zero = table["AUC"] == 0
    events, time = int(table.loc[zero, "count"].sum()), table.loc[zero, "count_time"].sum()
    low, high = float(seen["observed_low"][0]), float(seen["observed_high"][0])
    # the ends are the rates under which so many events are just as rare as stated
    assert stats.poisson.sf(events - 1, low * time) == pytest.approx(0.025)
    assert stats.poisson.cdf(events, high * time) == pytest.approx(0.025)
    assert "it ignores overdispersion" in caption_exposure_response(seen)
    assert exact_rate(0, 2.0) == (0.0, pytest.approx(-np.log(0.025) / 2))


def test_means_have_the_t_interval(previews, data):
    seen = data_exposure_response(curve("value"), previews["value"], data, bins=4)
    y = data.table.loc[data.table["AUC"] == 0, "value"].to_numpy()
    ends = stats.t.interval(0.95, y.size - 1, y.mean(), stats.sem(y))
    assert [float(seen["observed_low"][0]), float(seen["observed_high"][0])] == pytest.approx(ends)
    assert seen.sizes["bin"] == 5


def test_groups_give_the_interval_of_their_patients(data):
    table = data.table
    groups = table.groupby("dose")["value"].agg(["mean", "std", "size"]).reset_index()
    groups["AUC"] = [0.0, 24.0, 50.0, 100.0]
    few = ExposureData.from_frame(
        groups, id="dose", dose="dose", dose_unit="mg", exposures={"AUC": "h*mg/L"},
        endpoints={"value": Grouped("mean", "std", "size")},
    )  # fmt: skip
    model = ExposureResponse(
        "value", "AUC", Emax(), GroupedResponse(), WIDE | {"sigma": HalfNormal(5)},
        reference=(0.0, 100.0),
    )  # fmt: skip
    seen = data_exposure_response(model, preview(model, few, seed=1), few, bins=[60.0])
    y = table.loc[table["dose"].isin([25, 50]), "value"].to_numpy()
    ends = stats.t.interval(0.95, y.size - 1, y.mean(), stats.sem(y))
    found = [float(seen[f"observed_{e}"][1]) for e in ("low", "high")]
    assert found == pytest.approx(ends)
    texts_apart(draw_exposure_response(seen))


def test_the_order_of_patients_changes_nothing(sampled, data):
    model, post = sampled
    mixed = read(frame().sample(frac=1, random_state=3))
    one, two = (data_exposure_response(model, post, d) for d in (data, mixed))
    assert one.drop_attrs().equals(two.drop_attrs())


def test_the_caption_names_every_mark(sampled, data):
    said = figure_exposure_response(*sampled, data, log=True).caption
    for word in ("Line and band", "95 % equal-tailed", "Monte Carlo", "AGE, SEX", "Dashed", "Squares and bars",
                 "Clopper-Pearson", "dotted lines: edges", "exposure 0 is its own bin", "Dots",
                 "coloured by dose", "Boxes", "whiskers: 5th to 95th", "logarithmic", "//",
                 "the bar there is the band of the curve at exposure 0",
                 "300 of 300 rows"):  # fmt: skip
        assert word in said


def test_excluded_rows_are_counted_in_the_caption():
    table = frame(60)
    table.loc[3, "AE"] = np.nan
    data = read(table, missing="exclude")
    model = curve("ae")
    seen = data_exposure_response(model, preview(model, data, seed=1), data)
    assert "59 of 60 rows are analysed (excluded:" in caption_exposure_response(seen)


@pytest.mark.parametrize("y", [[0] * 12, [0, 1] * 6])
def test_one_dose_and_no_event_at_all(y):
    data = one_dose(y)
    model = curve("ae")
    picture = figure_exposure_response(model, preview(model, data, seed=1), data, bins=2)
    texts_apart(picture.figure)
    assert int(picture.data["bin_events"].sum()) == sum(y)
    if not sum(y):
        assert picture.data["observed_high"].to_numpy() == pytest.approx([1 - 0.025 ** (1 / 6)] * 2)


def test_dose_on_the_axis_makes_a_bin_per_tie(data):
    model = replace(curve("ae"), exposure="dose", unit="mg")
    seen = data_exposure_response(model, preview(model, data, seed=1), data, bins=4)
    assert seen["edge_high"].to_numpy().tolist() == [0, 25, 50, 100]
    texts_apart(draw_exposure_response(seen))


def test_ties_and_cuts():
    x = np.array([0.0, 5.0, 5.0, 5.0, 5.0, 9.0])
    edges = bin_edges(x, 4)
    assert edges == ((0.0, 0.0), (5.0, 5.0), (9.0, 9.0))
    most_low = np.array([5.0] * 6 + [6.0, 7.0, 8.0, 9.0])
    assert bin_edges(most_low, 2) == ((5.0, 5.0), (5.0, 9.0))
    assert bin_edges(np.array([3.0, 3.0]), 2) == ((3.0, 3.0),)
    assert bin_edges(np.zeros(3), 2) == ((0.0, 0.0),)
    for bad in (1, 5):
        with pytest.raises(DoseOptError, match="2 to 4 bins"):
            bin_edges(x, bad)
    with pytest.raises(DoseOptError, match="must ascend within"):
        bin_edges(x, [12.0])


def test_what_cannot_be_drawn_is_refused(previews, data):
    given = (curve("ae"), previews["ae"], data)
    with pytest.raises(DoseOptError, match="below the largest exposure"):
        data_exposure_response(*given, upto=10.0)
    with pytest.raises(DoseOptError, match="no survival"):
        data_exposure_response(*given, time=3.0)


@pytest.mark.parametrize("endpoint", FAMILIES)
def test_nothing_is_clipped_on_a_stamped_figure_in_print(endpoint, previews, data):
    figure = figure_exposure_response(curve(endpoint), previews[endpoint], data).figure
    style.stamp(figure, "DRAFT")
    figure.set_dpi(style.DPI)
    texts_apart(figure)


def test_the_same_result_gives_the_same_file(previews, data, tmp_path):
    files = []
    for name in ("a", "b"):
        picture = figure_exposure_response(curve("ae"), previews["ae"], data)
        files += style.save(picture.figure, tmp_path / name, formats=("svg",))
    assert files[0].read_bytes() == files[1].read_bytes()
