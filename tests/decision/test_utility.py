"""Utilities rise with efficacy and fall with toxicity, and refuse what makes no sense."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from doseopt_bayes.decision.cui import CUI, Attribute, Linear, PiecewiseLinear
from doseopt_bayes.decision.utility import LpContour
from doseopt_bayes.errors import DoseOptError

inside = st.floats(0.01, 0.99)


@st.composite
def contours(draw):
    eff0, tox1 = draw(st.floats(0.05, 0.9)), draw(st.floats(0.05, 0.95))
    hinge = (eff0 + (1 - eff0) * draw(st.floats(0.1, 0.9)), tox1 * draw(st.floats(0.1, 0.9)))
    return LpContour(eff0, tox1, hinge)


@st.composite
def indices(draw):
    weight = st.floats(0.1, 5)
    low, high = sorted((draw(st.floats(0, 0.4)), draw(st.floats(0.5, 1))))
    return CUI(
        {
            "p_eff": Attribute(
                draw(weight), "benefit", PiecewiseLinear(((low, 0), (0.45, 0.5), (high, 1)))
            ),
            "p_tox": Attribute(draw(weight), "harm", Linear(worst=high, best=low)),
        }
    )


def at(utility, eff, tox):
    return float(utility({"p_eff": xr.DataArray(eff), "p_tox": xr.DataArray(tox)}))


@settings(max_examples=200)
@given(
    utility=st.one_of(contours(), indices()),
    eff=st.tuples(inside, inside),
    tox=st.tuples(inside, inside),
)
def test_utility_rises_with_efficacy_and_falls_with_toxicity(utility, eff, tox):
    low, high = sorted(eff)
    safe, toxic = sorted(tox)
    assert at(utility, low, safe) <= at(utility, high, safe) + 1e-12
    assert at(utility, low, toxic) <= at(utility, low, safe) + 1e-12


@settings(max_examples=200)
@given(utility=contours())
def test_the_three_elicited_points_are_equally_desirable(utility):
    for eff, tox in ((utility.eff0, 0.0), (1.0, utility.tox1), utility.hinge):
        assert at(utility, eff, tox) == pytest.approx(0, abs=1e-7)
    assert at(utility, 1.0, 0.0) == 1.0


@pytest.mark.parametrize(
    ("eff0", "tox1", "hinge"),
    [(0.5, 0.65, (0.4, 0.25)), (0.5, 0.65, (0.7, 0.7)), (0.5, 0.65, (1.0, 0.2)), (0.0, 0.65, (0.7, 0.2)),
     (0.5, 0.65, (0.7, 0.0)), (50, 65, (70, 25))],
)  # fmt: skip
def test_points_without_a_contour_are_refused_and_named(eff0, tox1, hinge):
    with pytest.raises(DoseOptError, match="hinge = ") as e:
        LpContour(eff0, tox1, hinge)
    if eff0 == 50:
        assert "50 is not a probability; 0.5?" in str(e.value)


def test_cui_is_the_weighted_mean_of_values_and_keeps_dims():
    cui = CUI(
        {
            "p_eff": Attribute(3, "benefit"),
            "p_tox": Attribute(1, "harm"),
            "p_stop": Attribute(0, "harm"),
        }
    )
    draws = xr.Dataset({k: (("chain", "dose"), np.random.default_rng(i).uniform(size=(4, 3)))
                        for i, k in enumerate(("p_eff", "p_tox", "p_stop"))})  # fmt: skip
    expected = 0.75 * draws["p_eff"] + 0.25 * (1 - draws["p_tox"])
    xr.testing.assert_allclose(cui(draws), expected)
    parts = cui.contributions(draws)
    assert parts.sizes == {"attribute": 3, "chain": 4, "dose": 3}
    xr.testing.assert_allclose(parts.sum("attribute"), cui(draws))


def test_cui_gives_the_empirical_utilities_of_the_published_example():
    """CUI-MET example data (100 patients): SPEC 7, equal weights and weights 1:3:2."""
    rates = xr.Dataset(
        {"p_tox": ("dose", [0.20, 0.25, 0.25, 0.25, 0.45]), "p_eff": ("dose", [0.25, 0.30, 0.45, 0.25, 0.55]),
         "p_tol": ("dose", [0.45, 0.30, 0.60, 0.70, 0.65])}
    )  # fmt: skip
    for weights, expected in (
        ((1, 1, 1), [0.500, 0.450, 0.600, 0.567, 0.583]),
        ((1, 3, 2), [0.408, 0.375, 0.550, 0.483, 0.583]),
    ):
        tox, eff, tol = weights
        cui = CUI(
            {
                "p_tox": Attribute(tox, "harm"),
                "p_eff": Attribute(eff, "benefit"),
                "p_tol": Attribute(tol, "benefit"),
            }
        )
        np.testing.assert_allclose(cui(rates), expected, atol=5e-4)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Attribute(-1, "benefit"), ">= 0"),
        (lambda: Attribute(1, "good"), "'benefit' or 'harm'"),
        (lambda: Attribute(1, "benefit", Linear(0.6, 0.1)), "exchange worst and best"),
        (
            lambda: Attribute(1, "harm", PiecewiseLinear(((0, 0), (1, 1)))),
            "needs a value function that falls",
        ),
        (lambda: PiecewiseLinear(((0, 0), (0.5, 1), (1, 0.4))), "rise and fall"),
        (lambda: PiecewiseLinear(((0, 0), (0, 1))), "different levels"),
        (lambda: PiecewiseLinear(((0, 0), (1, 40))), "0..1"),
        (lambda: Linear(0.2, 0.2), "differ"),
        (lambda: CUI({}), "at least one attribute"),
        (lambda: CUI({"p_eff": Attribute(0, "benefit")}), "weight > 0"),
    ],
)
def test_senseless_values_are_refused(make, said):
    with pytest.raises(DoseOptError, match=said):
        make()
