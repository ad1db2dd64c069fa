"""Measured values of arms: the means of a Normal by quadrature, bounds, and what joins them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import halfnorm, norm

import doseopt_bayes as dob
from doseopt_bayes.data.arm_records import ArmRecords
from doseopt_bayes.errors import DataError, DoseOptError
from doseopt_bayes.inference.nuts import fit
from doseopt_bayes.models.arm_measure import ArmMeasure
from doseopt_bayes.priors import HalfNormal, Normal
from tests.arms.cases import posterior

from .arm_cases import DOSES, NAUSEA, read

RDI = dob.Measure("rdi", "rdi", unit="%", below=85, at_least=0, at_most=100)
CHANGE = dob.Measure("change", "change", unit="kg", below=-2)
WIDE = {"level": Normal(0, 10), "sigma": HalfNormal(5)}


def doses_received(n=40, seed=4):
    """Relative dose intensity: many complete at 15 mg, fewer at 45 mg; never above 100 %."""
    rng = np.random.default_rng(seed)
    rows = [np.minimum(100, 100 - rng.gamma(shape, 9, n)) for shape in (0.5, 2.0)]
    frame = pd.DataFrame({"mg": np.repeat(DOSES, n), "rdi": np.concatenate(rows).clip(0).round(1)})
    return frame.assign(id=range(len(frame)))


@pytest.fixture(scope="module")
def post():
    return fit(ArmMeasure(DOSES, RDI, unit="mg"), read(doses_received(), RDI), seed=3)


def test_the_means_are_those_of_a_quadrature_over_sigma(post):
    """Given sigma each mean is Normal with a Normal prior: a closed form at every node of sigma."""
    frame = doses_received()
    sigma = np.linspace(4, 40, 2000)
    log, means = halfnorm(scale=25).logpdf(sigma), []
    for dose in DOSES:
        y = frame.loc[frame["mg"] == dose, "rdi"].to_numpy()
        precision = len(y) / sigma**2 + 1 / 25**2
        means.append((y.sum() / sigma**2 + 50 / 25**2) / precision)
        # the marginal likelihood: that of the mean, and the scatter around it
        log = log + norm(50, np.sqrt(25**2 + sigma**2 / len(y))).logpdf(y.mean())
        log = log - ((y - y.mean()) ** 2).sum() / (2 * sigma**2) - (len(y) - 1) * np.log(sigma)
    mass = np.exp(log - log.max())
    assert post.check().passed
    for arm, at in enumerate(means):
        x = post["mean_rdi"].isel(dose=arm)
        exact = (mass * at).sum() / mass.sum()
        assert float(post.expect(x)) == pytest.approx(exact, abs=4 * float(post.mcse(x)))
    s = post["sigma"]
    exact = (mass * sigma).sum() / mass.sum()
    assert float(post.expect(s)) == pytest.approx(exact, abs=4 * float(post.mcse(s)))


def test_a_mean_is_compared_beside_a_trial(post):
    cells = [(18, 12, 6, 4), (12, 16, 7, 5)]
    joined = dob.together(posterior(cells), post)
    value = dob.Linear(worst=50, best=100)
    cui = dob.CUI({"p_eff": dob.Attribute(1, "benefit"),
                   "mean_rdi": dob.Attribute(1, "benefit", value)})  # fmt: skip
    margins = [dob.Margin("mean_rdi", 0, "difference", "higher"),
               dob.Margin("eff", 0.2, "difference", "higher")]  # fmt: skip
    found = dob.compare_arms(joined, margins=margins, utility=cui, override_diagnostics=True)
    at = found.table.isel(pair=0).sel(endpoint="mean_rdi")
    frame = doses_received().groupby("mg")["rdi"].mean()
    assert float(at["difference"]) == pytest.approx(frame[15] - frame[45], abs=1)
    assert at["n"].to_numpy().tolist() == [40, 40]
    caption = dob.figure_arms(found).caption
    low = [int((doses_received().query("mg == @d")["rdi"] < 85).sum()) for d in DOSES]
    assert f"patients analysed, mean_rdi: 15 mg {low[0]}/40, 45 mg {low[1]}/40." in caption
    share = post["p_rdi"].isel(dose=1)  # a Beta(1/2, 1/2) prior
    exact = (low[1] + 0.5) / 41
    assert float(post.expect(share)) == pytest.approx(exact, abs=4 * float(post.mcse(share)))


@pytest.mark.slow
def test_far_values_weigh_less_when_the_scatter_is_robust():
    rng = np.random.default_rng(8)
    y = np.concatenate([rng.normal(1, 1, 25), [60.0], rng.normal(-1, 1, 25)])
    frame = pd.DataFrame({"mg": np.repeat(DOSES, [26, 25]), "change": y}).assign(id=range(51))
    data = read(frame, CHANGE)
    robust = fit(ArmMeasure(DOSES, CHANGE, unit="mg", priors=WIDE, robust=True), data, seed=1)
    assert robust.check().passed
    at = robust.expect(robust["mean_change"]).to_numpy()
    assert at == pytest.approx([1, -1], abs=0.6)
    assert y[:26].mean() > 3


def test_bounds_priors_and_codes():
    data = read(doses_received(), RDI)
    full = int((data.patients["value"] == 100).sum())
    assert full
    assert f"rdi: {full} of 80 patients at the bound 100 %" in str(data)
    assert set(ArmRecords.empty(RDI, DOSES, "mg").patients) == {"id", "dose", "value"}
    with pytest.raises(
        DoseOptError, match="no two bounds to take a prior from; missing: level, sigma"
    ):
        ArmMeasure(DOSES, CHANGE)
    with pytest.raises(DoseOptError, match="centre of a Student-t is not their mean"):
        ArmMeasure(DOSES, RDI, robust=True)
    with pytest.raises(DoseOptError, match="reads a Measure, not EventCount"):
        ArmMeasure(DOSES, NAUSEA, priors=WIDE)
    for bad in ({"at_least": 90}, {"unit": ""}, {"at_most": float("nan")}):
        with pytest.raises(DataError, match="Measure"):
            dob.Measure("rdi", "rdi", **{"unit": "%", "below": 85} | bad)


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (130, "DOB-B06"),
        (-999, "DOB-B04"),
        ("many", "DOB-B06"),
        (None, "DOB-B01"),
        (np.inf, "DOB-A07"),
    ],
)
def test_a_value_that_cannot_be_is_named(value, code):
    frame = doses_received(n=5).astype({"rdi": object})
    frame.loc[3, "rdi"] = value
    with pytest.raises(DataError, match=rf"{code}.*row 5"):
        read(frame, RDI)
