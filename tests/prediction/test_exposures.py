"""Exposures at a dose: the power model against quadrature, people as observed, and what is given."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from doseopt_bayes.data.endpoints import Binary
from doseopt_bayes.data.exposure import ExposureData
from doseopt_bayes.errors import DoseOptError
from doseopt_bayes.prediction.exposures import GivenExposures, ObservedExposures
from doseopt_bayes.prediction.people import Crowd, Regimen, as_regimens, places, stratified_normal
from doseopt_bayes.prediction.power import fit_power_model
from tests.prediction.cases import data, frame, read

CROWD = Crowd(draws=4000, size=100, seed=1)
FEW = {10.0: [7.0, 12.0, 9.0], 20.0: [21.0, 30.0], 40.0: [33.0, 38.0, 61.0]}


def few(values: dict[float, list[float]] = FEW, **more: object) -> ExposureData:
    rows = [{"mg": d, "AUC": x, "AE": i % 2} for d, xs in values.items() for i, x in enumerate(xs)]
    table = pd.DataFrame(rows)
    table["ID"] = [f"P{i}" for i in range(len(table))]
    return ExposureData.from_frame(
        table, id="ID", dose="mg", dose_unit="mg", exposures={"AUC": "h"},
        endpoints={"ae": Binary("AE")}, **more,
    )  # fmt: skip


def by_quadrature(slope: tuple[float, float], spread: float) -> tuple[np.ndarray, np.ndarray]:
    """Posterior of the slope on a grid over intercept, slope and log of the scatter."""
    x = np.log([d for d, xs in FEW.items() for _ in xs])
    y = np.log([v for xs in FEW.values() for v in xs])
    x = x - x.mean()
    a = y.mean() + np.linspace(-1.5, 1.5, 121)[:, None, None]
    b = np.linspace(-1, 3, 401)[None, :, None]
    s = np.exp(np.linspace(-3, 1, 161))[None, None, :]
    log_p = sum(stats.norm.logpdf(v, a + b * u, s) for u, v in zip(x, y, strict=True))
    log_p = log_p + stats.norm.logpdf(b, slope[0], slope[1] * s)
    # inverse gamma of the variance, and the derivatives of variance by log of the scatter
    log_p = log_p + stats.invgamma.logpdf(s**2, 1.0, scale=spread**2) + np.log(2 * s**2)
    p = np.exp(log_p - log_p.max()).sum(axis=(0, 2))
    return b.ravel(), p / p.sum()


@pytest.mark.parametrize(("slope", "spread"), [((1.0, 2.5), 0.3), ((0.5, 0.5), 1.0)])
def test_dose_proportionality_is_that_of_quadrature(slope, spread):
    model = fit_power_model(few(), "AUC", slope=slope, spread=spread)
    b, p = by_quadrature(slope, spread)
    found = model.proportionality.isel(metric=0)
    assert float(found["mean"]) == pytest.approx((b * p).sum(), abs=2e-3)
    for name, q in (("low", 0.025), ("high", 0.975)):
        assert float(found[name]) == pytest.approx(np.interp(q, p.cumsum(), b), abs=0.01)
    drawn = model.coefficients(CROWD)[0][:, 1, 0]
    assert drawn.mean() == pytest.approx((b * p).sum(), abs=4 * drawn.std() / 4000**0.5)
    for q in (0.025, 0.975):
        assert np.quantile(drawn, q) == pytest.approx(np.interp(q, p.cumsum(), b), abs=0.06)


def test_the_power_model_recovers_what_made_the_exposures():
    model = fit_power_model(data(), ("AUC", "CMAX"))
    slope = model.proportionality
    assert (slope["low"] < 1).all()
    assert (slope["high"] > 1).all()
    people = model.people(Regimen("30 mg", 30), CROWD)
    logs = [np.log(people.exposure[m]) for m in ("AUC", "CMAX")]
    assert logs[0].mean() == pytest.approx(np.log(30), abs=0.05)
    assert logs[1].mean() == pytest.approx(np.log(6), abs=0.05)
    assert logs[0].std(axis=1).mean() == pytest.approx(0.3, abs=0.03)
    # the exposures of one person stay together: 0.3 / sqrt(0.3^2 + 0.1^2)
    assert np.corrcoef(logs[0].ravel(), logs[1].ravel())[0, 1] == pytest.approx(0.949, abs=0.02)
    other = model.people(Regimen("60 mg", 60, factor=0.5), CROWD)
    ratio = np.log(other.exposure["AUC"]) - logs[0]
    assert ratio.std(axis=1).max() < 1e-9  # the same people at every dose
    assert (model.people(Regimen("0 mg", 0), CROWD).exposure["AUC"] == 0).all()


def test_a_schedule_has_its_own_exposure():
    table = frame(200)
    table["HOW"] = np.where(np.arange(200) % 2, "QD", "BID")
    table.loc[table["HOW"] == "BID", "AUC"] *= 0.5
    known = read(table, schedule="HOW")
    assert "80 mg BID" in known.schedules
    twice = Regimen("40 mg BID", 80, schedule="80 mg BID")
    model = fit_power_model(known, "AUC", schedules=[s for s in known.schedules if "BID" in s])
    once = model.people(Regimen("80 mg QD", 80, schedule="80 mg QD"), CROWD).exposure["AUC"]
    found = np.log(model.people(twice, CROWD).exposure["AUC"] / once)
    assert found.mean() == pytest.approx(np.log(0.5), abs=0.15)
    assert model.treated(twice) == 25
    assert ObservedExposures(known, "AUC").people(twice, CROWD).size == 25
    pooled = str(fit_power_model(known, "AUC"))
    assert "was given as 80 mg BID, 80 mg QD: taken together" in pooled
    with pytest.raises(DoseOptError, match="no schedule '80 mg TID'"):
        model.people(Regimen("x", 80, schedule="80 mg TID"), CROWD)


def test_what_the_power_model_cannot_know_is_said():
    placebo = {0.0: [0.0, 0.0]}
    said = str(fit_power_model(few(placebo | FEW), "AUC"))
    assert "of 8 people at 10 to 40 mg" in said
    assert "2 people at exposure 0 are left out of the power model (2 at dose 0" in said
    one = fit_power_model(few({10.0: [7.0, 12.0, 9.0]}), "AUC")
    assert "one dose only (10): dose proportionality is that of the prior" in str(one)
    assert float(one.proportionality["mean"][0]) == pytest.approx(1.0)
    with pytest.raises(DoseOptError, match="1 people have a dose and a AUC above 0; 2 are needed"):
        fit_power_model(few({0.0: [0.0, 0.0], 10.0: [7.0]}), "AUC")
    with pytest.raises(DoseOptError, match="no exposure 'AUK'"):
        fit_power_model(few(), "AUK")


def test_the_dose_of_an_exposure_is_where_its_median_lies():
    model = fit_power_model(few(), "AUC")
    wanted = np.full(CROWD.draws, 25.0)
    dose = model.dose_for("AUC", wanted, CROWD)
    coefficient, _ = model.coefficients(CROWD)
    back = coefficient[:, 0, 0] + coefficient[:, 1, 0] * (np.log(dose) - model.centre)
    rises = coefficient[:, 1, 0] > 0
    assert np.allclose(np.exp(back[rises]), 25.0)
    assert np.isnan(dose[~rises]).all()


def test_numbers_are_spread_evenly_in_each_half_of_a_draw():
    z = stratified_normal(Crowd(50, 100, 3), 2)
    assert z.shape == (50, 100, 2)
    for half in (z[:, :50], z[:, 50:]):
        places = np.sort(stats.norm.cdf(half), axis=1)
        edges = np.arange(50)[:, None] / 50
        assert (places >= edges - 1e-12).all()
        assert (places <= edges + 0.02 + 1e-12).all()
    assert abs(np.corrcoef(z[..., 0].ravel(), z[..., 1].ravel())[0, 1]) < 0.05
    assert len(np.unique(z)) == z.size


def test_people_as_observed_keep_what_is_theirs():
    exposures = ObservedExposures(data(), ("AUC", "CMAX"))
    crowd = Crowd(200, 100, 1, ("AGE", "SEX"))
    people = exposures.people(Regimen("40", 40), crowd)
    table = data().table
    here = table[table["dose"] == 40]
    assert people.size == people.sampled == len(here) == 100
    wanted = {tuple(r) for r in here[["AUC", "CMAX", "AGE", "SEX"]].itertuples(index=False)}
    rows = zip(*people.exposure.values(), *people.covariates.values(), strict=True)
    assert {tuple(r) for r in rows} == wanted
    assert np.allclose(people.weight.sum(axis=1), 1)
    # Bayesian bootstrap: weights have mean 1 / n and variance (n - 1) / (n^2 (n + 1))
    assert people.weight.var() == pytest.approx(99 / (100**2 * 101), rel=0.05)
    assert exposures.treated(Regimen("40", 40)) == 100
    assert exposures.treated(Regimen("40, tablet", 40, factor=0.8)) == 0
    with pytest.raises(DoseOptError, match="nobody with a known AUC and CMAX got '30 mg'"):
        exposures.people(Regimen("30 mg", 30), crowd)


def test_order_and_names_of_patients_do_not_matter():
    table = frame(80)
    mixed = table.sample(frac=1, random_state=4)
    mixed["ID"] = [f"other-{i}" for i in range(80)]
    found = [
        ObservedExposures(read(t), "AUC").people(Regimen("20", 20), CROWD) for t in (table, mixed)
    ]
    assert np.array_equal(found[0].exposure["AUC"], found[1].exposure["AUC"])
    assert np.array_equal(found[0].weight, found[1].weight)


def test_a_simulation_is_taken_as_it_is():
    rng = np.random.default_rng(1)
    small, large = rng.lognormal(3, 0.3, 50), rng.lognormal(3, 0.3, 5000)
    exposures = GivenExposures(
        {"a": small, 20.0: large, "c": lambda rng, n: rng.lognormal(3, 0.3, n)}, "AUC"
    )
    assert exposures.people(Regimen("a", 10), CROWD).sampled == 50
    for regimen in (Regimen("b", 20), Regimen("c", 40)):
        people = exposures.people(regimen, CROWD)
        assert people.exposure["AUC"].shape == (4000, 100)
        assert people.halves
        assert np.log(people.exposure["AUC"]).mean() == pytest.approx(3, abs=0.02)
    half = exposures.people(Regimen("c", 40, factor=0.5), CROWD).exposure["AUC"]
    whole = exposures.people(Regimen("c", 40), CROWD).exposure["AUC"]
    assert np.allclose(half, whole / 2)
    assert exposures.treated(Regimen("a", 10)) is None


@pytest.mark.parametrize(
    ("samples", "said"),
    [
        ({"a": [1.0, -2.0]}, "the AUC given for 'a' is -2"),
        ({"a": [1.0, float("nan")]}, "is nan in a person"),
        ({"a": []}, "have \\[0\\] values"),
        ({"a": {"CMAX": [1.0]}}, "have no AUC"),
    ],
)
def test_exposures_that_cannot_be_are_refused(samples, said):
    with pytest.raises(DoseOptError, match=said):
        GivenExposures(samples, "AUC")


def test_a_simulation_that_lacks_a_regimen_or_a_covariate_is_refused():
    exposures = GivenExposures({"40 mg": [1.0, 2.0]}, "AUC")
    with pytest.raises(DoseOptError, match="no exposures are given for '40 mgs'"):
        exposures.people(Regimen("40 mgs", 30), CROWD)
    with pytest.raises(DoseOptError, match="the model reads AGE, and nobody lends a value"):
        exposures.people(Regimen("40 mg", 40), Crowd(10, 10, 1, ("AGE",)))
    short = GivenExposures({"40 mg": lambda _, n: np.ones(n - 1)}, "AUC")
    with pytest.raises(DoseOptError, match="where 1000 were asked for"):
        short.people(Regimen("40 mg", 40), Crowd(10, 100, 1))


def test_regimens_are_told_apart_though_they_share_a_dose():
    found = as_regimens([40, Regimen("mid", 20.0, 0.5), 10], "mg")
    assert [str(r) for r in found] == [
        "10 mg: dose 10", "mid: dose 20, exposure x 0.5", "40 mg: dose 40",
    ]  # fmt: skip
    once, twice = as_regimens([80, Regimen("40 mg BID", 80, 0.9)], "mg")[::-1]
    at = places((twice, once))
    assert at[0] < at[1] == 80
    assert f"{at[0]:g}" == "80"
    with pytest.raises(DoseOptError, match="'80 mg' is asked for twice"):
        as_regimens([80, Regimen("80 mg", 80, 0.9)], "mg")
    with pytest.raises(DoseOptError, match="no dose is asked for"):
        as_regimens([], "mg")
    for dose, factor in ((-1, 1), (10, 0), (float("nan"), 1)):
        with pytest.raises(DoseOptError):
            Regimen("x", dose, factor)
