"""Products and penalties: published numbers, monotone in each attribute, within their range."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from doseopt_bayes.decision import UTILITIES
from doseopt_bayes.decision.cui import CUI, Attribute, Linear
from doseopt_bayes.decision.desirability import Desirability, OnTarget, Product
from doseopt_bayes.decision.penalised import Penalised
from doseopt_bayes.decision.values import Larger, Logistic, Smaller, Target
from doseopt_bayes.errors import DoseOptError
from doseopt_bayes.spec.build import Builder

inside = st.floats(0.01, 0.99)
shape = st.floats(0.2, 5)


def at(utility, eff, tox):
    return float(utility({"p_eff": xr.DataArray(eff), "p_tox": xr.DataArray(tox)}))


def test_derringer_and_suich_1980_tyre_tread():
    """Page 218; numbers as in the tests of tidymodels/desirability2 (test-in-line.R)."""
    d = Desirability(
        {
            "abrasion": Attribute(1, "benefit", Larger(120, 170)),
            "modulus": Attribute(1, "benefit", Larger(1000, 1300)),
            "elongation": OnTarget(1, target=Target(400, 500, 600)),
            "hardness": OnTarget(1, target=Target(60, 67.5, 75)),
        }
    )
    found = {"abrasion": 129.5, "modulus": 1300.0, "elongation": 465.7, "hardness": 68.0}
    given_ = {k: xr.DataArray(v) for k, v in found.items()}
    single = [
        float(Larger(120, 170)(given_["abrasion"])),
        float(Larger(1000, 1300)(given_["modulus"])),
        float(Target(400, 500, 600)(given_["elongation"])),
        float(Target(60, 67.5, 75)(given_["hardness"])),
    ]
    np.testing.assert_allclose(single, [0.19, 1.0, 0.657, 0.9333333333], rtol=1e-9)
    np.testing.assert_allclose(single, [0.189, 1, 0.656, 0.932], atol=0.002)  # as printed
    assert float(d(given_)) == pytest.approx(0.5842368375, abs=1e-9)
    assert "elongation: weight 0.250, target, desirability 1 at 500" in str(d)


@st.composite
def values(draw, direction):
    low, high = sorted((draw(st.floats(0, 0.45)), draw(st.floats(0.5, 1))))
    if draw(st.booleans()):
        scale = draw(st.floats(0.01, 1))
        return Logistic(draw(inside), scale if direction == "benefit" else -scale)
    return (Larger if direction == "benefit" else Smaller)(low, high, draw(shape))


@st.composite
def utilities(draw):
    attributes = {
        "p_eff": Attribute(draw(st.floats(0, 5)), "benefit", draw(values("benefit"))),
        "p_tox": Attribute(draw(st.floats(0.1, 5)), "harm", draw(values("harm"))),
    }
    kind = draw(st.sampled_from(("cui", "desirability", "product", "plain")))
    if kind == "cui":
        return CUI(attributes)
    if kind == "desirability":
        return Desirability(attributes)
    return Product(attributes, normalise=kind == "product")


@settings(max_examples=300)
@given(
    utility=st.one_of(utilities(), st.builds(Penalised, inside, shape, shape)),
    eff=st.tuples(inside, inside),
    tox=st.tuples(inside, inside),
)
def test_utility_rises_with_efficacy_falls_with_toxicity_and_keeps_its_range(utility, eff, tox):
    low, high = sorted(eff)
    safe, toxic = sorted(tox)
    assert at(utility, low, safe) <= at(utility, high, safe) + 1e-12
    assert at(utility, low, toxic) <= at(utility, low, safe) + 1e-12
    assert at(utility, high, safe) <= 1
    if not isinstance(utility, Penalised):
        assert at(utility, low, toxic) >= 0


def test_products_are_the_numpy_formula_and_keep_dims():
    rng = np.random.default_rng(0)
    draws = xr.Dataset({k: (("chain", "dose"), rng.uniform(0.1, 0.9, (4, 3)))
                        for k in ("p_eff", "p_tox")})  # fmt: skip
    attributes = {"p_eff": Attribute(3, "benefit"), "p_tox": Attribute(1, "harm")}
    eff, tox = draws["p_eff"].to_numpy(), draws["p_tox"].to_numpy()
    expected = eff**0.75 * (1 - tox) ** 0.25
    for utility in (Desirability(attributes), Product(attributes)):
        np.testing.assert_allclose(utility(draws), expected, rtol=1e-12)
        assert utility(draws).dims == ("chain", "dose")
        assert utility.reads == ("p_eff", "p_tox")


def test_keyboard_is_the_product_of_truncated_lines():
    """Defaults of the Keyboard design: efficacy from 0.3 to 0.6, toxicity from 0.15 to 0.4."""
    keyboard = Product(
        {
            "p_eff": Attribute(1, "benefit", Linear(0.3, 0.6)),
            "p_tox": Attribute(1, "harm", Linear(0.4, 0.15)),
        },
        floor=0,
        normalise=False,
    )
    assert at(keyboard, 0.45, 0.2) == pytest.approx(0.5 * 0.8)
    assert at(keyboard, 0.7, 0.5) == 0
    assert "weights as given" in str(keyboard)


def test_a_hopeless_harm_is_floored_in_a_product_and_fatal_in_a_desirability():
    attributes = {"p_eff": Attribute(1, "benefit"), "p_tox": Attribute(1, "harm")}
    assert at(Product(attributes), 0.25, 1.0) == pytest.approx(np.sqrt(0.25e-6))
    assert at(Desirability(attributes), 0.25, 1.0) == 0
    assert "at least 1e-06" in str(Product(attributes))


def test_what_is_not_a_number_stays_none_even_without_weight():
    attributes = {"p_eff": Attribute(1, "benefit"), "p_tox": Attribute(0, "harm")}
    for utility in (Desirability(attributes), Product(attributes)):
        assert np.isnan(at(utility, np.nan, 0.2))
        assert np.isnan(at(utility, 0.2, np.nan))


def test_penalised_is_the_published_formula():
    u = Penalised(limit=0.3)
    assert at(u, 0.6, 0.3) == pytest.approx(0.6 - 0.33 * 0.3)  # at the limit: no surcharge
    assert at(u, 0.6, 0.35) == pytest.approx(0.6 - (0.33 + 1.09) * 0.35)
    assert "0.33 p_tox - 1.09 p_tox [p_tox > 0.3]" in str(u)


def test_a_steep_logistic_does_not_overflow():
    x = xr.DataArray([0.0, 0.5, 1.0])
    np.testing.assert_allclose(Logistic(0.5, -1e-9)(x), [1, 0.5, 0])


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Larger(0.5, 0.5), "must rise"),
        (lambda: Smaller(0.5, 0.1), "must rise"),
        (lambda: Larger(0, float("inf")), "finite"),
        (lambda: Larger(0, 1, shape=0), "shape = 0 must be > 0"),
        (lambda: Target(0, 2, 1), "must rise"),
        (lambda: Target(0, 1, 2, shape_high=-1), "shape_high"),
        (lambda: Logistic(0.5, 0), "scale not 0"),
        (lambda: Attribute(1, "benefit", Smaller(0, 1)), "exchange worst and best"),
        (lambda: Attribute(1, "benefit", Logistic(0.3, -0.1)), "exchange worst and best"),
        (lambda: OnTarget(-1, target=Target(0, 1, 2)), ">= 0"),
        (lambda: Desirability({}), "Desirability: give at least one attribute"),
        (lambda: Product({"p_eff": Attribute(0, "benefit")}), "weight > 0"),
        (lambda: Product({"p_eff": Attribute(1, "benefit")}, floor=1), "floor"),
        (lambda: Product({"x": OnTarget(1, target=Target(0, 1, 2))}), "only Desirability takes it"),
        (lambda: Penalised(30), "30 is not a probability; 0.3?"),
        (lambda: Penalised(0.3, -1), "reward toxicity"),
        (lambda: Penalised(0.3, 0, 0), "not both 0"),
    ],
)
def test_senseless_values_are_refused(make, said):
    with pytest.raises(DoseOptError) as e:
        make()
    assert said in str(e.value)


def test_they_can_be_written_in_a_file():
    build = Builder("spec.toml")
    harm = {"weight": 1, "direction": "harm", "value": {"kind": "smaller", "low": 0.1, "high": 0.4}}
    gain = {
        "weight": 2,
        "direction": "benefit",
        "value": {"kind": "logistic", "mid": 0.3, "scale": 0.1},
    }
    attributes = {"p_eff": gain, "p_tox": harm}
    expected = {
        "p_eff": Attribute(2, "benefit", Logistic(0.3, 0.1)),
        "p_tox": Attribute(1, "harm", Smaller(0.1, 0.4)),
    }
    for kind, cls in (("desirability", Desirability), ("product", Product), ("cui", CUI)):
        made = build.kind(UTILITIES, {"kind": kind, "attributes": attributes}, "utility")
        assert made == cls(expected)
    assert build.kind(UTILITIES, {"kind": "penalised", "limit": 0.3}, "utility") == Penalised(0.3)
    assert build.problems == []
    build.kind(UTILITIES, {"kind": "penalised", "limit": 30}, "utility")
    assert "30 is not a probability" in str(build.problems[0])


def test_a_cui_never_takes_a_target():
    with pytest.raises(DoseOptError, match="only Desirability takes it"):
        CUI({"p_eff": OnTarget(1, target=Target(0, 0.5, 1))})
