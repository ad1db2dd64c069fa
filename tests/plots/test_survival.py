"""Kaplan-Meier: a textbook example, ArviZ, and what the figure draws."""

from __future__ import annotations

import arviz_stats as azs
import numpy as np
import pytest
import xarray as xr

from doseopt_bayes.errors import DoseOptError
from doseopt_bayes.inference.batch import preview
from doseopt_bayes.plots import style
from doseopt_bayes.plots.exposure_pictures import figure_survival
from doseopt_bayes.plots.product_limit import at_risk, product_limit, survival_at
from doseopt_bayes.plots.survival import data_survival, draw_survival
from tests.models.er_cases import frame, read
from tests.plots.er_pictures import curve, marks, texts_apart

# Remission in weeks of 21 patients on 6-mercaptopurine: Freireich et al. (1963), Blood 21, 699; the
# estimates are those that Cox and Oakes (1984) give.
WEEKS = [6, 6, 6, 6, 7, 9, 10, 10, 11, 13, 16, 17, 19, 20, 22, 23, 25, 32, 32, 34, 35]
RELAPSE = [1, 1, 1, 0, 1, 0, 1, 0, 0, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0]
PUBLISHED = {6: 0.857, 7: 0.807, 10: 0.753, 13: 0.690, 16: 0.627, 22: 0.538, 23: 0.448}
AT_RISK = {6: 21, 7: 17, 10: 15, 13: 12, 16: 11, 22: 7, 23: 6}


@pytest.fixture(scope="module")
def data():
    return read(frame())


@pytest.fixture(scope="module")
def post(data):
    return preview(curve("pfs"), data, seed=1, particles=4096)


def test_the_published_estimate_is_found():
    found = product_limit(WEEKS, RELAPSE)
    for week, s in PUBLISHED.items():
        assert float(found["survival"].sel(time=week)) == pytest.approx(s, abs=5e-4)
        assert int(found["at_risk"].sel(time=week)) == AT_RISK[week]
    # Greenwood's standard error at week 10 is 0.0963: log(-log) limits from it by hand
    s, se = 0.7529, 0.0963
    wide = np.exp(1.959964 * se / (s * abs(np.log(s))))
    here = found.sel(time=10)
    assert float(here["low"]) == pytest.approx(s**wide, abs=1e-3)
    assert float(here["high"]) == pytest.approx(s ** (1 / wide), abs=1e-3)


def test_arviz_finds_the_same():
    tree = xr.DataTree.from_dict({
        "observed_data": xr.Dataset({"t": ("patient", np.array(WEEKS, float))}),
        "constant_data": xr.Dataset({"t": ("patient", np.array(RELAPSE))}),
    })  # fmt: skip
    theirs = azs.kaplan_meier(tree, "t")["t"].to_numpy()
    ours = survival_at(product_limit(WEEKS, RELAPSE), theirs[0])["survival"]
    assert ours.to_numpy() == pytest.approx(theirs[1])


def test_ends_of_the_curve():
    none = product_limit([3, 5, 7], [0, 0, 0])
    assert none["survival"].to_numpy().tolist() == [1, 1, 1, 1]
    assert float(none["low"][0]) == pytest.approx(0.025 ** (1 / 3))  # exact, no event of three
    assert np.isnan(survival_at(none, 8.0)["survival"]).all()
    every = product_limit([3, 5], [1, 1])
    assert float(every["survival"][-1]) == 0
    assert float(survival_at(every, 9.0)["survival"][0]) == 0
    assert at_risk(WEEKS, [0, 10, 35, 36]).tolist() == [21, 15, 1, 0]


@pytest.mark.parametrize("by", ["dose", "exposure"])
def test_the_figure_draws_its_numbers(by, post, data):
    seen = data_survival(curve("pfs"), post, data, by=by, bins=2)
    figure = draw_survival(seen)
    texts_apart(figure)
    style.stamp(figure, "DRAFT")
    figure.set_dpi(style.DPI)
    texts_apart(figure)
    drawn = marks(figure)
    table = data.table
    part = table["dose"] == 25 if by == "dose" else (table["AUC"] > 0) & (
        table["AUC"] <= np.median(table.loc[table["AUC"] > 0, "AUC"])
    )  # fmt: skip
    alone = product_limit(table.loc[part, "pfs_time"], table.loc[part, "pfs"])
    line = drawn["survival:1"][0]
    at = survival_at(alone, line.get_xdata())["survival"].to_numpy()
    assert np.asarray(line.get_ydata()) == pytest.approx(at)
    assert drawn["at_risk:1:12"][0].get_text() == str(
        int((table.loc[part, "pfs_time"] >= 12).sum())
    )
    assert (
        list(drawn["model:1"][0].get_ydata())
        == seen["model_median"].sel(group=1).to_numpy().tolist()
    )
    assert int(seen["events"].sum()) == int(table["pfs"].sum())


def test_the_model_averages_the_groups_patients(post, data):
    seen = data_survival(curve("pfs"), post, data, by="dose")
    table = data.table
    x = table.loc[table["dose"] == 100, "AUC"].to_numpy()
    w = post.weight.to_numpy()
    p = {v: post.draws[v].to_numpy() for v in ("e0", "emax", "ec50", "weibull_shape")}
    t = float(seen["model_time"][20])
    hazard = np.exp(p["e0"][:, None] + p["emax"][:, None] * x / (p["ec50"][:, None] + x))
    s = np.exp(-hazard * (t / 12) ** p["weibull_shape"][:, None]).mean(axis=1)
    order = np.argsort(s)
    median = s[order][np.searchsorted(w[order].cumsum(), 0.5)]
    # 1000 equally weighted of the particles
    assert float(seen["model_median"].sel(group=3)[20]) == pytest.approx(median, abs=0.005)


def test_the_order_of_patients_changes_nothing(post, data):
    mixed = read(frame().sample(frac=1, random_state=3))
    one, two = (data_survival(curve("pfs"), post, d, by="exposure") for d in (data, mixed))
    assert one.drop_attrs().equals(two.drop_attrs())


def test_without_a_model_and_without_an_event():
    table = frame(40)
    table["CNSR"] = 1
    data = read(table)
    picture = figure_survival(curve("pfs"), None, data)
    texts_apart(picture.figure)
    assert "0 events, 40 censored of 40 patients" in picture.caption
    assert "Dashed" not in picture.caption


def test_the_caption_names_every_mark(post, data):
    said = figure_survival(curve("pfs"), post, data, by="exposure").caption
    for word in ("Steps: Kaplan-Meier", "markers", "ticks: censored", "exposure 0 is its own bin",
                 "Dashed lines and bands", "95 %", "WeibullResponse", "Numbers below", "Monte Carlo",
                 "300 of 300 rows"):  # fmt: skip
        assert word in said


def test_what_has_no_survival_is_refused(post, data):
    with pytest.raises(DoseOptError, match="needs a time to event"):
        data_survival(curve("ae"), None, data)
    with pytest.raises(DoseOptError, match="one of dose, exposure"):
        data_survival(curve("pfs"), post, data, by="arm")
