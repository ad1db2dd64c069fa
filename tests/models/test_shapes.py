"""Shapes: one formula for numbers, labelled draws and PyTensor; exposures with a given effect."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from doseopt_bayes.errors import DoseOptError
from doseopt_bayes.models.exposure_for import exposure_for
from doseopt_bayes.models.shapes import (
    SHAPES,
    BetaShape,
    Emax,
    Exponential,
    Linear,
    LogLinear,
    Quadratic,
    SigmoidEmax,
    effect,
)

X = np.array([0.0, 0.05, 0.2, 0.6, 1.0])
CASES = {  # shape, parameters, the formula written out by hand
    "emax": (Emax(), {"emax": 2.0, "ec50": 0.2}, lambda x: 2 * x / (0.2 + x)),
    "sigmoid_emax": (
        SigmoidEmax(),
        {"emax": -2.0, "ec50": 0.3, "hill": 3.0},
        lambda x: -2 / (1 + (0.3 / np.maximum(x, 1e-30)) ** 3),
    ),
    "linear": (Linear(), {"slope": 0.7}, lambda x: 0.7 * x),
    "log_linear": (LogLinear(0.01), {"slope": 0.7}, lambda x: 0.7 * (np.log(x + 0.01) - np.log(0.01))),
    "exponential": (Exponential(), {"e1": 0.1, "delta": 0.3}, lambda x: 0.1 * np.expm1(x / 0.3)),
    "quadratic": (Quadratic(), {"slope": 2.0, "curvature": -1.5}, lambda x: 2 * x - 1.5 * x**2),
    "beta": (
        BetaShape(1.2),
        {"emax": 1.0, "delta1": 0.33, "delta2": 2.31},
        lambda x: (
            2.64**2.64 / (0.33**0.33 * 2.31**2.31) * (x / 1.2) ** 0.33 * (1 - x / 1.2) ** 2.31
        ),
    ),
}  # fmt: skip
every = pytest.mark.parametrize("name", CASES)


def test_every_registered_shape_has_a_case():
    assert {k: type(shape) for k, (shape, _, _) in CASES.items()} == SHAPES


@every
def test_numbers_labels_and_graphs_agree(name):
    import pymc as pm  # noqa: PLC0415
    import pytensor.tensor as pt  # noqa: PLC0415

    shape, p, formula = CASES[name]
    wanted = formula(X)
    np.testing.assert_allclose(effect(shape, X, p), wanted, atol=1e-12)
    draws = {k: xr.DataArray([v, v], dims="draw") for k, v in p.items()}
    labelled = effect(shape, xr.DataArray(X, dims="exposure"), draws)
    assert set(labelled.dims) == {"draw", "exposure"}
    np.testing.assert_allclose(labelled.transpose("draw", "exposure")[1], wanted, atol=1e-12)
    variables = {k: pt.dscalar(k) for k in p}
    graph = effect(shape, pt.constant(X), variables)
    slopes = pt.grad(pt.sum(graph), list(variables.values()))
    found = pm.compile(list(variables.values()), [graph, *slopes])(*p.values())
    np.testing.assert_allclose(found[0], wanted, atol=1e-12)
    for k, slope in zip(p, found[1:], strict=True):  # also at exposure 0, where logarithms are not
        up, down = ({**p, k: p[k] + e} for e in (1e-6, -1e-6))
        numeric = (effect(shape, X, up) - effect(shape, X, down)).sum() / 2e-6
        assert float(slope) == pytest.approx(numeric, rel=1e-5, abs=1e-7)


@every
def test_no_exposure_has_no_effect_and_monotone_shapes_are(name):
    shape, p, _ = CASES[name]
    assert float(effect(shape, 0.0, p)) == 0
    steps = np.diff(effect(shape, np.linspace(0, 1, 101), p))
    assert shape.monotone == bool((steps > 0).all() or (steps < 0).all())


@every
def test_an_effective_exposure_has_that_share_of_the_largest_effect(name):
    shape, p, formula = CASES[name]
    grid = np.linspace(0, 1, 20_001)
    curve = formula(grid)
    largest = curve[np.abs(curve).argmax()]
    for share in (0.5, 0.8, 0.9):
        x = float(exposure_for(shape, p, share=share, top=1.0))
        first = grid[np.argmax(curve / largest >= share)]
        assert x == pytest.approx(first, abs=2e-4)


def test_published_effective_doses_of_the_biom_fits():
    """DoseFinding 1.0-3, functions ED and TD, on its fits of the biom data."""
    emax = {"emax": 0.7462984511, "ec50": 0.1421871037}
    assert float(exposure_for(Emax(), emax, share=0.9, top=1)) == pytest.approx(0.5283864887)
    assert float(exposure_for(Emax(), emax, change=0.4)) == pytest.approx(0.1642364882)
    bowed = {"slope": 1.768417217, "curvature": -1.231771023}
    found = [float(exposure_for(Quadratic(), bowed, share=s, top=1)) for s in (0.5, 0.9)]
    assert found == pytest.approx([0.2102490647, 0.4908357839], abs=1e-6)
    reached = float(exposure_for(Quadratic(), bowed, change=0.4, top=1))
    assert reached == pytest.approx(0.2813129217, abs=1e-6)
    line = {"slope": 0.5586053432}
    assert float(exposure_for(Linear(), line, change=0.4)) == pytest.approx(0.7160690546)


def test_what_is_never_reached_is_not_a_number():
    draws = {
        "emax": xr.DataArray([0.3, 2.0], dims="draw"),
        "ec50": xr.DataArray([1.0, 1.0], dims="draw"),
    }
    found = exposure_for(Emax(), draws, change=0.5)
    assert np.isnan(found.to_numpy()).tolist() == [True, False]
    assert np.isnan(exposure_for(Emax(), {"emax": 2.0, "ec50": 5.0}, change=1.5, top=10.0))
    assert np.isnan(exposure_for(Emax(), {"emax": -2.0, "ec50": 5.0}, change=1.0))
    bowed = {
        "slope": xr.DataArray([1.0, 4.0], dims="draw"),
        "curvature": xr.DataArray([-1.0, -1.0], dims="draw"),
    }
    found = exposure_for(Quadratic(), bowed, change=1.0, top=2.0)
    assert np.isnan(found.to_numpy()).tolist() == [True, False]


def test_impossible_questions_are_refused():
    with pytest.raises(DoseOptError, match="give one"):
        exposure_for(Emax(), {}, share=0.5, change=1.0)
    with pytest.raises(DoseOptError, match="no largest effect"):
        exposure_for(Linear(), {"slope": 1.0}, share=0.5)
    for make in (BetaShape, LogLinear):
        with pytest.raises(DoseOptError, match="number > 0"):
            make(0.0)
