"""Therapeutic window: two curves on one axis, and the exposure interval of each dose."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from doseopt_bayes.errors import DoseOptError
from doseopt_bayes.inference.batch import preview
from doseopt_bayes.plots import style
from doseopt_bayes.plots.exposure_pictures import figure_window
from doseopt_bayes.plots.exposure_response import data_exposure_response
from doseopt_bayes.plots.window import data_window, draw_window
from tests.models.er_cases import frame, read
from tests.plots.er_pictures import curve, marks, one_dose, texts_apart


@pytest.fixture(scope="module")
def data():
    return read(frame())


@pytest.fixture(scope="module")
def parts(data):
    found = {e: (curve(e), preview(curve(e), data, seed=1, particles=4096), data)
             for e in ("pfs", "value")}  # fmt: skip
    model = curve("ae", covariates=True)
    return found | {"ae": (model, preview(model, data, seed=1, particles=4096), data)}


def test_curves_are_those_of_the_exposure_response_figure(parts):
    seen = data_window([parts["pfs"], parts["ae"]])
    alone = data_exposure_response(*parts["ae"], upto=float(seen["exposure"].max()))
    for part in ("median", "low", "high"):
        mine = seen[part].sel(endpoint="ae", exposure=alone["exposure"])
        assert mine.to_numpy() == pytest.approx(alone[part].to_numpy())


def test_intervals_of_the_doses_are_percentiles(parts, data):
    seen = data_window([parts["pfs"], parts["ae"]])
    drawn = marks(draw_window(seen))
    for dose in (25, 50, 100):
        x = data.table.loc[data.table["dose"] == dose, "AUC"].to_numpy()
        low, mid, high = np.quantile(x, [0.05, 0.5, 0.95])
        assert list(drawn[f"interval:{dose}"][0].get_xdata()) == pytest.approx([low, high])
        assert list(drawn[f"median:{dose}"][0].get_xdata()) == pytest.approx([mid])
        span = drawn[f"span:{dose}"][0]
        assert (span.get_x(), span.get_width()) == pytest.approx((low, high - low))
        assert int(seen["dose_n"].sel(dose=dose)) == x.size  # once each, though in both data sets
    curves = drawn["curve:ae"][0]
    assert list(curves.get_ydata()) == seen["median"].sel(endpoint="ae").to_numpy().tolist()


@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize("ends", [("pfs", "ae"), ("ae", "value")])
def test_scales_have_panels_of_their_own_and_nothing_overlaps(ends, log, parts):
    figure = draw_window(data_window([parts[e] for e in ends], log=log))
    texts_apart(figure)
    style.stamp(figure, "DRAFT")
    figure.set_dpi(style.DPI)
    texts_apart(figure)
    assert len(figure.axes) == (3 if "value" in ends else 2)


def test_exposures_of_untested_doses_can_be_given(parts):
    simulated = {75.0: np.linspace(50, 110, 101), 200.0: np.linspace(100, 500, 101)}
    picture = figure_window([parts["pfs"], parts["ae"]], exposures=simulated)
    assert picture.data["dose"].to_numpy().tolist() == [75, 200]
    assert float(picture.data["dose_high"].sel(dose=200)) == pytest.approx(480)
    assert "beyond:ae" in marks(picture.figure)  # the curve goes on to 500, beyond what was studied
    assert "people simulated or given" in picture.caption


def test_the_order_of_patients_changes_nothing(parts, data):
    mixed = read(frame().sample(frac=1, random_state=3))
    one, two = (data_window([(m, p, d) for m, p, _ in (parts["pfs"], parts["ae"])])
                for d in (data, mixed))  # fmt: skip
    assert one.drop_attrs().equals(two.drop_attrs())


def test_the_caption_names_every_mark(parts):
    said = figure_window([parts["pfs"], parts["ae"]], log=True).caption
    for word in ("Lines and bands", "95 % equal-tailed", "no pfs event by 12 month", "probability of ae",
                 "averaged over the patients' own AGE, SEX", "Monte Carlo", "Thin grey line", "Bars below",
                 "5th to 95th percentile", "dashed vertical line", "logarithmic", "n = 300"):  # fmt: skip
        assert word in said


def test_one_dose_without_an_event():
    data = one_dose([0] * 12)
    model = curve("ae")
    picture = figure_window([(model, preview(model, data, seed=1), data)])
    texts_apart(picture.figure)
    assert picture.data["dose"].to_numpy().tolist() == [50]


def test_axes_that_differ_are_refused(parts, data):
    other = replace(curve("ae"), exposure="dose", unit="mg")
    with pytest.raises(DoseOptError, match="one exposure axis"):
        data_window([parts["pfs"], (other, parts["ae"][1], data)])
    with pytest.raises(DoseOptError, match="stands twice"):
        data_window([parts["ae"], parts["ae"]])
    with pytest.raises(DoseOptError, match="no curve"):
        data_window([])
