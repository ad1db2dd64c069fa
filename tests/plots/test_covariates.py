"""Covariate forest of an Emax model: differences and ratios against the formula."""

from __future__ import annotations

import numpy as np
import pytest

from doseopt_bayes.data.endpoints import Binary
from doseopt_bayes.data.exposure import ExposureData
from doseopt_bayes.data.exposure_columns import Covariate
from doseopt_bayes.errors import DoseOptError
from doseopt_bayes.inference.batch import preview
from doseopt_bayes.inference.nuts import fit
from doseopt_bayes.plots import style
from doseopt_bayes.plots.covariates import data_covariates, draw_covariates
from doseopt_bayes.plots.exposure_pictures import figure_covariates
from tests.models.er_cases import frame, read
from tests.plots.er_pictures import FAMILIES, curve, marks, one_dose, texts_apart

RATIO = {"ae": "odds ratio", "count": "rate ratio", "pfs": "hazard ratio", "value": ""}


@pytest.fixture(scope="module")
def data():
    return read(frame())


@pytest.fixture(scope="module")
def sampled(data):
    model = curve("ae", covariates=True)
    return model, fit(model, data, seed=1, draws=1000)


def eta(p: dict[str, np.ndarray], x: float, age: float, male: float) -> np.ndarray:
    ec50 = p["ec50"] * np.exp(p["ec50_SEX_M"] * male)
    size = p["emax"] + p["emax_SEX_M"] * male
    return p["e0"] + p["e0_AGE"] * (age - 60) / 10 + size * x / (ec50 + x)


def test_rows_are_the_formula_at_the_stated_exposure(sampled, data):
    model, post = sampled
    seen = data_covariates(model, post, data, exposure=80.0)
    p = {v: x.to_numpy().ravel() for v, x in post.draws.data_vars.items()}
    table = data.table
    age, auc = table["AGE"].to_numpy(dtype=float), table["AUC"].to_numpy()
    middle = float(np.median(age))
    base = eta(p, 80.0, middle, 0)
    rows = [
        (eta(p, np.quantile(auc, 0.05), middle, 0), (auc <= np.quantile(auc, 0.05)).sum()),
        (eta(p, np.quantile(auc, 0.95), middle, 0), (auc >= np.quantile(auc, 0.95)).sum()),
        (eta(p, 80.0, np.quantile(age, 0.05), 0), (age <= np.quantile(age, 0.05)).sum()),
        (eta(p, 80.0, np.quantile(age, 0.95), 0), (age >= np.quantile(age, 0.95)).sum()),
        (eta(p, 80.0, middle, 1), (table["SEX"] == "M").sum()),
    ]

    def share(e: np.ndarray) -> np.ndarray:
        return 1 / (1 + np.exp(-e))

    for i, (other, n) in enumerate(rows):
        row = seen.isel(row=i)
        ends = [float(row[f"ratio{e}"]) for e in ("_low", "", "_high")]
        assert ends == pytest.approx(np.quantile(np.exp(other - base), [0.025, 0.5, 0.975]))
        ends = [float(row[f"difference{e}"]) for e in ("_low", "", "_high")]
        gap = share(other) - share(base)
        assert ends == pytest.approx(np.quantile(gap, [0.025, 0.5, 0.975]))
        assert int(row["n"]) == n
        assert 0 < float(row["difference_mcse"]) < 0.01
    assert [str(r).split(":")[0] for r in seen["row"].to_numpy()] == [
        "AUC",
        "AUC",
        "AGE",
        "AGE",
        "SEX",
    ]


def test_the_reference_patient_can_be_another(sampled, data):
    model, post = sampled
    plain = data_covariates(model, post, data, exposure=80.0)
    male = data_covariates(model, post, data, exposure=80.0, reference={"SEX": "M"})
    there = float(plain.sel(row="SEX: M")["ratio"])
    back = float(male.sel(row="SEX: F")["ratio"])
    assert there * back == pytest.approx(
        1, rel=1e-3
    )  # medians of the same draws and their inverses
    assert int(male.sel(row="SEX: F")["n"]) == int((data.table["SEX"] == "F").sum())
    assert "SEX = M" in male.attrs["reference"]


@pytest.mark.parametrize("endpoint", FAMILIES)
def test_every_kind_is_drawn_as_its_numbers_say(endpoint, data):
    model = curve(endpoint, covariates=True)
    seen = data_covariates(model, preview(model, data, seed=1, particles=4096), data)
    assert seen.attrs["ratio"] == RATIO[endpoint]
    figure = draw_covariates(seen)
    texts_apart(figure)
    style.stamp(figure, "DRAFT")
    figure.set_dpi(style.DPI)
    texts_apart(figure)
    assert len(figure.axes) == (1 if endpoint == "value" else 2)
    drawn = marks(figure)
    for i in range(5):
        for artist, kind in zip(drawn[f"interval:{i}"], ("difference", "ratio"), strict=False):
            ends = [float(seen[f"{kind}{e}"][i]) for e in ("_low", "_high")]
            assert list(artist.get_xdata()) == ends
    if endpoint == "value":
        assert np.isnan(seen["ratio"]).all()


def test_the_order_of_patients_changes_nothing(sampled, data):
    mixed = read(frame().sample(frac=1, random_state=3))
    one, two = (data_covariates(*sampled, d) for d in (data, mixed))
    assert one.equals(two)


def test_the_caption_names_every_mark(sampled, data):
    said = figure_covariates(*sampled, data, exposure=80.0).caption
    for word in ("Squares and bars", "95 % equal-tailed", "difference in probability of ae", "odds ratio",
                 "AGE = 60; SEX = F", "at AUC = 80 h*mg/L", "SEX on ec50, emax", "5th and 95th", "n:",
                 "Dashed line", "Monte Carlo", "changes with the exposure", "300 of 300"):  # fmt: skip
        assert word in said


def test_the_caption_names_levels_that_the_model_reads_as_another(sampled, data):
    assert "Levels without" not in figure_covariates(*sampled, data).caption
    table = frame()
    table.loc[table.index[::5], "SEX"] = "X"
    more = (Covariate("AGE", "numeric"), Covariate("SEX", "category", levels=("F", "M", "X")))
    three = ExposureData.from_frame(
        table, id="ID", dose="mg", dose_unit="mg", exposures={"AUC": "h*mg/L"},
        endpoints={"ae": Binary("AE")}, covariates=more,
    )  # fmt: skip
    model = sampled[0]
    said = figure_covariates(model, preview(model, three, seed=1), three).caption
    assert "Levels without an effect in the model: SEX X (read as F)." in said


def test_one_dose_has_only_its_exposure_to_show():
    data = one_dose([0] * 12)
    model = curve("ae")
    picture = figure_covariates(model, preview(model, data, seed=1), data)
    texts_apart(picture.figure)
    assert picture.data.sizes["row"] == 2


def test_unknown_names_are_refused(sampled, data):
    with pytest.raises(DoseOptError, match="no covariate 'AEG'"):
        data_covariates(*sampled, data, reference={"AEG": 3})
    with pytest.raises(DoseOptError, match="no level 'X'"):
        data_covariates(*sampled, data, reference={"SEX": "X"})
