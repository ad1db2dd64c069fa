"""Published least-squares fits are the maximum of the likelihood of our graphs, found by SciPy.

Numbers of emax.json: the R package DoseFinding 1.0-3 on its own data (GPL-3, test oracle only). A likelihood
has no prior, so that the coefficients, residual sum of squares and AIC must be those of the file to its
stated tolerance, whichever way the curve is parameterised. Generalised least squares on group estimates is
the grouped likelihood with patients in proportion to 1 / variance.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import optimize, special

from doseopt_bayes.data.endpoints import Binary, Continuous, Grouped
from doseopt_bayes.data.exposure import ExposureData
from doseopt_bayes.data.exposure_columns import Covariate
from doseopt_bayes.inference.patients import patient_program
from doseopt_bayes.models.er_curve import CovariateEffect
from doseopt_bayes.models.exposure_response import ExposureResponse
from doseopt_bayes.models.response import BinaryResponse, ContinuousResponse, GroupedResponse
from doseopt_bayes.models.shapes import Emax, Linear, Quadratic, SigmoidEmax
from doseopt_bayes.priors import HalfNormal, LogNormal, Normal

HERE = Path(__file__).parent
ITEMS = {item["id"]: item for item in json.loads((HERE / "emax.json").read_text("utf-8"))["items"]}
NAMES = {"e0": "e0", "eMax": "emax", "ed50": "ec50", "delta": "slope", "b1": "slope",
         "b2": "curvature", "gender2": "e0_gender_2"}  # fmt: skip
FLAT = Normal(0, 100)
WAYS = {"raw": ("e0", "size", None), "moved": ("e0", "size", 1), "stated": ("level", "effect", 1)}


def wanted(item: str) -> dict[str, float]:
    """Coefficients of an item, by our names."""
    found = ITEMS[item]["expected"]
    coefficients = found.get("coefs") or (found.get("gls_emax") or found["emax"])["coef"]
    return {NAMES[k]: v for k, v in coefficients.items()}


def read(frame: pd.DataFrame, **more: object) -> ExposureData:
    return ExposureData.from_frame(
        frame.assign(ID=np.arange(len(frame))), id="ID", dose="dose", dose_unit="mg", exposures={},
        **more,
    )  # fmt: skip


def recipe(shape, response, way, top, covariates=()) -> ExposureResponse:
    level, change, moved = WAYS[way]
    curve = {level: FLAT, shape.size if change == "size" else change: FLAT}
    bends = {"ec50": LogNormal(1, 1), "hill": LogNormal(1, 1), "curvature": FLAT}
    rest = {k: bends[k] for k in (*shape.bends, *shape.free)}
    rest |= {k: HalfNormal(10) for k in response.parameters} | {c.name: FLAT for c in covariates}
    return ExposureResponse(
        "y", "dose", shape, response, curve | rest, covariates=covariates,
        reference=(0, top) if moved else None,
    )  # fmt: skip


def maximised(model: ExposureResponse, data: ExposureData) -> tuple[dict[str, float], float]:
    """Parameters at the maximum of the log likelihood, and its value; the graph, no prior."""
    program, values = patient_program(model, data)

    def loss(z: np.ndarray) -> float:
        return -float(program.log_density(z[None], values)[1][0].clip(-1e12))

    def slope(z: np.ndarray) -> np.ndarray:
        step = 1e-5 * np.eye(len(z))
        found = program.log_density(np.concatenate([z + step, z - step]), values)[1]
        found = found.clip(-1e12)  # a line search may try what is far out
        return -(found[: len(z)] - found[len(z) :]) / 2e-5

    starts = program.prior(2000, 1)
    starts = starts[np.argsort(-program.log_density(starts, values)[1])[:3]]
    tight = {"gtol": 1e-7, "maxiter": 2000}
    ends = [optimize.minimize(loss, z, jac=slope, method="BFGS", options=tight) for z in starts]
    best = min(ends, key=lambda one: one.fun)
    natural = program.natural(best.x[None], values)
    return {k: float(np.squeeze(v[0])) for k, v in natural.items() if v[0].size == 1}, -best.fun


def one_draw(found: dict[str, float]) -> xr.Dataset:
    return xr.Dataset(found)


def gauss_newton(model: ExposureResponse, names, found, x, weight, **given) -> np.ndarray:
    """Covariance (J' W J)^-1 of the coefficients, from derivatives of the curve that figures draw."""
    slopes = []
    for name in names:
        step = 1e-5 * max(1.0, abs(found[name]))
        ends = [model.predictor_at(one_draw(found | {name: found[name] + s}),
                                   xr.DataArray(x, dims="row"), given) for s in (step, -step)]  # fmt: skip
        slopes.append((np.asarray(ends[0] - ends[1]) + np.zeros(len(x))) / (2 * step))
    j = np.stack(slopes, axis=1)
    return np.linalg.inv(j.T @ (weight[:, None] * j))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("item", "shape", "tolerance"),
    [("biom_emax", Emax(), 1e-4), ("biom_linear", Linear(), 1e-4),
     ("biom_quadratic", Quadratic(), 1e-4)],
)  # fmt: skip
def test_biom(item, shape, tolerance, way):
    frame = pd.read_csv(HERE / "data" / "dosefinding_biom.csv")
    data = read(frame, endpoints={"y": Continuous("resp")})
    model = recipe(shape, ContinuousResponse(), way, 1.0)
    found, top = maximised(model, data)
    expected = ITEMS[item]["expected"]
    for name, value in wanted(item).items():
        assert found[name] == pytest.approx(value, abs=tolerance), name
    assert len(frame) * found["sigma"] ** 2 == pytest.approx(expected["RSS"], abs=1e-4)
    assert 2 * (len(wanted(item)) + 1) - 2 * top == pytest.approx(expected["AIC"], abs=1e-4)
    curve = model.response_at(one_draw(found), np.linspace(0, 1, 100_001))
    rise, dose = np.asarray(curve - curve[0]), curve["exposure"].to_numpy()
    for name, least in (
        ("TD_0.4", 0.4),
        ("ED_0.5", 0.5 * rise.max()),
        ("ED_0.9", 0.9 * rise.max()),
    ):
        assert dose[(rise >= least).argmax()] == pytest.approx(expected[name], abs=2e-4), name


def test_biom_predictions_and_their_errors():
    frame = pd.read_csv(HERE / "data" / "dosefinding_biom.csv")
    model = recipe(Emax(), ContinuousResponse(), "stated", 1.0)
    found, _ = maximised(model, read(frame, endpoints={"y": Continuous("resp")}))
    expected = ITEMS["biom_emax"]["expected"]
    names = ("e0", "emax", "ec50")
    x = frame["dose"].to_numpy()
    weight = np.full(len(x), expected["df"] / expected["RSS"])
    covariance = gauss_newton(model, names, found, x, weight)
    np.testing.assert_allclose(covariance, expected["vcov"], rtol=2e-3)
    at = model.response_at(one_draw(found), [0, 0.05, 0.2, 0.4, 0.6, 0.8, 1.0])
    np.testing.assert_allclose(at, expected["pred"]["fit"], atol=1e-4)
    assert Emax().invert(0.4 / found["emax"], found) == pytest.approx(expected["TD_0.4"], abs=1e-4)


@pytest.mark.parametrize("way", WAYS)
def test_ibs_with_gender(way):
    frame = pd.read_csv(HERE / "data" / "dosefinding_IBScovars.csv")
    about = (Covariate("gender", "category", levels=("1", "2")),)
    data = read(frame, endpoints={"y": Continuous("resp")}, covariates=about)
    on = (CovariateEffect("e0", "gender", level="2"),)
    model = recipe(Emax(), ContinuousResponse(), way, 4.0, on)
    found, top = maximised(model, data)
    expected = ITEMS["IBS_emax_cov"]["expected"]
    for name, value in wanted("IBS_emax_cov").items():
        assert found[name] == pytest.approx(value, abs=1e-3), name
    assert len(frame) * found["sigma"] ** 2 == pytest.approx(expected["RSS"], abs=1e-4)
    assert 2 * 5 - 2 * top == pytest.approx(expected["AIC"], abs=1e-4)
    target = Emax().invert(0.3 / found["emax"], found)
    assert target == pytest.approx(expected["TD_0.3"], rel=1e-3)
    weight = np.full(len(frame), expected["df"] / expected["RSS"])
    gender = xr.DataArray(frame["gender"].astype(str).to_numpy(), dims="row")
    covariance = gauss_newton(
        model, ("e0", "emax", "ec50", "e0_gender_2"), found, frame["dose"].to_numpy(), weight,
        gender=gender,
    )  # fmt: skip
    np.testing.assert_allclose(covariance, expected["vcov"], rtol=0.01, atol=2e-5)


def grouped(dose, mean, size, sd: float = 1.0) -> ExposureData:
    frame = pd.DataFrame({"dose": dose, "mean": mean, "sd": sd, "n": size})
    return read(frame, endpoints={"y": Grouped("mean", "sd", "n")})


@pytest.mark.parametrize("way", WAYS)
def test_migraine_by_generalised_least_squares_of_the_logits(way):
    item = ITEMS["migraine"]
    expected, dose = item["expected"], np.array(item["inputs"]["dose"])
    events, n = np.array(item["inputs"]["painfree"]), np.array(item["inputs"]["ntrt"])
    logit, variance = np.array(expected["logit"]), np.array(expected["var"])
    np.testing.assert_allclose(logit, special.logit(events / n), atol=1e-8)
    size = np.rint(1e6 / variance).astype(int)
    model = recipe(Emax(), GroupedResponse(), way, 200.0)
    found, _ = maximised(model, grouped(dose, logit, size))
    for name, value in wanted("migraine").items():
        assert found[name] == pytest.approx(value, abs=1e-3), name
    covariance = gauss_newton(model, ("e0", "emax", "ec50"), found, dose, 1 / variance)
    np.testing.assert_allclose(covariance, expected["emax"]["vcov"], rtol=2e-3)
    away = model.predictor_at(one_draw(found), dose).to_numpy() - logit
    criterion = float((away**2 / variance).sum()) + 2 * 3
    assert criterion == pytest.approx(expected["emax"]["gAIC"], abs=1e-4)


def test_migraine_by_patients_is_the_binomial_maximum():
    """The likelihood of single patients against one of counts that SciPy alone knows."""
    inputs = ITEMS["migraine"]["inputs"]
    dose, events, n = (np.array(inputs[k], dtype=float) for k in ("dose", "painfree", "ntrt"))
    rows = [(d, int(i < e)) for d, e, m in zip(dose, events, n, strict=True) for i in range(int(m))]
    data = read(pd.DataFrame(rows, columns=["dose", "free"]), endpoints={"y": Binary("free")})
    found, top = maximised(recipe(Emax(), BinaryResponse(), "stated", 200.0), data)

    def loss(p: np.ndarray) -> float:
        eta = p[0] + p[1] * dose / (np.exp(p[2]) + dose)
        return -float(
            (events * special.log_expit(eta) + (n - events) * special.log_expit(-eta)).sum()
        )

    other = optimize.minimize(loss, [-2, 1.4, 2], method="BFGS", options={"gtol": 1e-9})
    assert top == pytest.approx(-other.fun, abs=1e-7)
    assert found["e0"] == pytest.approx(other.x[0], abs=1e-4)
    assert found["emax"] == pytest.approx(other.x[1], abs=1e-4)
    assert found["ec50"] == pytest.approx(np.exp(other.x[2]), rel=1e-4)


@pytest.mark.parametrize("way", WAYS)
def test_glycobrom_by_generalised_least_squares(way):
    """Its column sdev holds standard errors of the group means , by which the reference fit weighs."""
    frame = pd.read_csv(HERE / "data" / "dosefinding_glycobrom.csv")
    expected = ITEMS["glycobrom"]["expected"]["gls_emax"]
    dose, mean = frame["dose"].to_numpy(), frame["fev1"].to_numpy()
    model = recipe(Emax(), GroupedResponse(), way, 100.0)
    variance = frame["sdev"].to_numpy() ** 2
    found, _ = maximised(model, grouped(dose, mean, np.rint(1e3 / variance).astype(int)))
    for name, value in wanted("glycobrom").items():
        assert found[name] == pytest.approx(value, rel=5e-4), name
    covariance = gauss_newton(model, ("e0", "emax", "ec50"), found, dose, 1 / variance)
    np.testing.assert_allclose(covariance, expected["vcov"], rtol=5e-3)
    away = model.predictor_at(one_draw(found), dose).to_numpy() - mean
    assert float((away**2 / variance).sum()) + 2 * 3 == pytest.approx(expected["gAIC"], abs=1e-3)


def test_glycobrom_candidate_curves():
    """Mean responses of the vignette's candidates: placebo 1.25, largest effect 0.15 up to dose 100."""
    dose, table = (
        np.array(ITEMS["glycobrom"]["inputs"]["doses"]),
        ITEMS["glycobrom"]["expected"]["resp"],
    )
    published = dict(zip(table["mods"], np.array(table["resp"]).T, strict=True))
    turn = 1 / (2 * 0.00776)
    top = {
        "emax1": (Emax(), {"ec50": 2.6}, 100.0),
        "emax2": (Emax(), {"ec50": 12.5}, 100.0),
        "sigEmax": (SigmoidEmax(), {"ec50": 30.5, "hill": 3.5}, 100.0),
    }
    for name, (shape, p, end) in top.items():
        ours = 1.25 + 0.15 * shape.gain(dose, p) / shape.gain(end, p)
        np.testing.assert_allclose(ours, published[name], atol=1e-8)
    slope = 0.15 / (turn - 0.00776 * turn**2)
    curved = {"curvature": -0.00776 * slope}
    ours = 1.25 + slope * Quadratic().gain(dose, curved) + Quadratic().bow(dose, curved)
    np.testing.assert_allclose(ours, published["quadratic"], atol=1e-8)
