"""ED50 and its like, the plateau and the best dose, against what the draws are known to be."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from doseopt_bayes.errors import DoseOptError
from doseopt_bayes.models.exposure_response import ExposureResponse
from doseopt_bayes.models.response import BinaryResponse, ContinuousResponse
from doseopt_bayes.models.shapes import Emax, Quadratic
from doseopt_bayes.prediction.at_doses import at_doses
from doseopt_bayes.prediction.exposures import GivenExposures
from doseopt_bayes.prediction.power import fit_power_model
from doseopt_bayes.prediction.quantities import curve_quantities
from doseopt_bayes.priors import HalfNormal, LogNormal, Normal
from tests.prediction.cases import DOSES, EMAX, LINEAR, data, given

N = (4, 500)
RNG = np.random.default_rng(8)
PLAIN = GivenExposures({d: {"AUC": [d], "CMAX": [d]} for d in (0.0, *DOSES)}, ("AUC", "CMAX"))


def emax(median: float, sd: float = 0.2, size: float = 4.0, **more: object):
    """Fit with a log-normal posterior of EC50, studied up to exposure 100, and its doses."""
    draws = {"e0": RNG.normal(-2, 0.1, N), "emax": RNG.normal(size, 0.1, N),
             "ec50": np.exp(np.log(median) + sd * RNG.normal(0, 1, N))}  # fmt: skip
    post = given(
        EMAX, draws | {"level": draws["e0"], "effect": draws["emax"]}, x=(1.0, 100.0), shape=N
    )
    return post, at_doses(EMAX, post, PLAIN, (0.0, *DOSES)), draws


def test_shares_of_the_largest_effect_follow_from_ec50():
    post, at, draws = emax(20.0)
    found = curve_quantities(EMAX, post, at, shares=(0.5, 0.8, 0.9)).levels
    for share, times in ((0.5, 1), (0.8, 4), (0.9, 9)):
        row = found.sel(share=share)
        x = times * draws["ec50"].ravel()
        for name, q in (("low", 0.025), ("median", 0.5), ("high", 0.975)):
            if np.quantile(x, q) < 100 * 100:
                assert float(row[f"exposure_{name}"]) == pytest.approx(np.quantile(x, q), rel=1e-9)
        assert float(row["exposure_above"]) == pytest.approx(np.mean(x > 100))
        # of independent draws: sd of the median of a log-normal
        wanted = times * 20 * 0.2 * (np.pi / 2 / 2000) ** 0.5
        assert float(row["exposure_median_mcse"]) == pytest.approx(
            times * 20 * 0.2 * 0.028, rel=0.35
        )
        assert wanted == pytest.approx(times * 20 * 0.2 * 0.028, rel=0.01)


def test_what_lies_beyond_the_exposures_is_said():
    post, at, draws = emax(20.0)
    said = str(curve_quantities(EMAX, post, at))
    share = np.mean(9 * draws["ec50"] > 100)
    assert share > 0.995
    assert "ED50 (AUC h*mg/L, 50% of the asymptote): " in said
    assert (
        f"ED90 (AUC h*mg/L, 90% of the asymptote): beyond the studied range (above 100 in {share:.1%}"
        in said
    )
    assert "not identified by the data" in said
    post, at, draws = emax(60.0, 0.4)
    said = str(curve_quantities(EMAX, post, at, shares=(0.5,)))
    tail = stats.norm.sf(np.log(100 / 60) / 0.4)
    assert np.mean(draws["ec50"] > 100) == pytest.approx(tail, abs=0.02)
    assert f"to beyond the studied range ({np.mean(draws['ec50'] > 100):.0%} above 100)" in said


def test_the_dose_of_an_effect_goes_through_the_exposure_model():
    """Exposures equal doses: ED50 in dose is EC50, a little wider."""
    post, at, draws = emax(20.0)
    model = fit_power_model(data(), "AUC")
    row = curve_quantities(EMAX, post, at, shares=(0.5,), exposures=model).levels.isel(share=0)
    assert float(row["dose_median"]) == pytest.approx(np.median(draws["ec50"]), rel=0.05)
    assert float(row["dose_high"] - row["dose_low"]) > 0.98 * float(
        row["exposure_high"] - row["exposure_low"]
    )
    assert float(row["dose_above"]) == pytest.approx(np.mean(draws["ec50"] > 80), abs=0.01)
    assert "ED50 (dose mg" in str(curve_quantities(EMAX, post, at, exposures=model))


def test_the_plateau_is_reached_where_the_curve_says_so():
    """At 40, one below the top, 90 % is reached when EC50 < 40 / 9."""
    post, at, draws = emax(40 / 9, 0.3)
    found = curve_quantities(EMAX, post, at).events
    row = found.sel(event="plateau reached below the top dose")
    p = np.mean(draws["ec50"] <= 40 / 9)
    assert float(row["probability"]) == pytest.approx(p)
    assert float(row["mcse"]) == pytest.approx((p * (1 - p) / 2000) ** 0.5, rel=0.3)
    linear = given(
        LINEAR, {"e0": RNG.normal(-3, 0.1, N), "slope": 0.3, "level": 0, "effect": 0}, shape=N
    )
    at = at_doses(LINEAR, linear, PLAIN, DOSES)
    found = curve_quantities(LINEAR, linear, at)
    # a line has none, whatever share of the range the doses cover
    assert "plateau reached below the top dose" not in found.events["event"].to_numpy()
    assert "the shape has no plateau" in str(found)
    assert "the shape has no plateau" not in str(
        curve_quantities(EMAX, post, at_doses(EMAX, post, PLAIN, DOSES))
    )
    assert float(found.events["probability"].sel(event="better with every dose")) == 1


def test_the_minimum_effective_dose_is_that_of_each_draw():
    post, at, draws = emax(20.0, 0.5)
    found = curve_quantities(EMAX, post, at, gain=0.4)
    x = np.array([0.0, *DOSES])[:, None, None]
    p = 1 / (1 + np.exp(-(draws["e0"] + draws["emax"] * x / (draws["ec50"] + x))))
    enough = p - p[0] > 0.4
    first = enough & (enough.cumsum(axis=0) == 1)
    np.testing.assert_allclose(found.minimum["probability"], first.mean(axis=(1, 2)))
    np.testing.assert_allclose(found.minimum["effective"], enough.mean(axis=(1, 2)))
    total = float(found.minimum["probability"].sum() + found.minimum["none"])
    assert total == pytest.approx(1)
    assert "lowest dose with p_resp more than 0.4 above that of dose 0:" in str(found)
    high = curve_quantities(EMAX, post, at, gain=0.9)
    assert float(high.minimum["none"]) == 1
    assert "most likely none" in str(high)
    less = curve_quantities(EMAX, post, at, gain=0.1, better="lower")
    assert float(less.minimum["none"]) == 1


def test_the_best_dose_may_lie_inside():
    recipe = ExposureResponse(
        "value", "AUC", Quadratic(), ContinuousResponse(),
        {"e0": Normal(0, 1), "slope": Normal(0, 1), "curvature": Normal(0, 1), "sigma": HalfNormal(1)},
    )  # fmt: skip
    draws = {
        "e0": 0.0,
        "slope": 1.0,
        "curvature": -np.exp(RNG.normal(np.log(0.012), 0.5, N)),
        "sigma": 1.0,
    }
    post = given(recipe, draws, x=(1.0, 100.0), shape=N)
    at = at_doses(recipe, post, PLAIN, DOSES)
    events = curve_quantities(recipe, post, at).events["probability"]
    x = np.array(DOSES)[:, None, None]
    best = (x + draws["curvature"] * x**2).argmax(axis=0)
    wanted = np.mean((best > 0) & (best < 3))
    assert 0.3 < wanted < 0.99
    assert float(events.sel(event="best dose is interior")) == pytest.approx(wanted)
    assert float(events.sel(event="never worse with dose")) == pytest.approx(np.mean(best == 3))
    assert "the data were not asked" not in str(curve_quantities(recipe, post, at))


def test_a_flat_curve_is_not_given_an_ed50_without_a_word():
    draws = {"e0": RNG.normal(-1, 0.2, N), "emax": RNG.normal(0, 0.5, N),
             "ec50": RNG.lognormal(3, 1, N)}  # fmt: skip
    post = given(
        EMAX, draws | {"level": draws["e0"], "effect": draws["emax"]}, x=(1.0, 100.0), shape=N
    )
    said = curve_quantities(EMAX, post, at_doses(EMAX, post, PLAIN, DOSES), gain=0.05).sentences
    assert said[0].startswith("p_resp: no effect of AUC is resolved (it rises with probability 0.")
    assert "better with every dose: Pr 0." in "\n".join(said)
    assert "the shape cannot turn, so that the data were not asked" in "\n".join(said)


def test_a_curve_of_dose_needs_no_exposures():
    recipe = ExposureResponse(
        "resp", "dose", Emax(), BinaryResponse(),
        {"e0": Normal(0, 1), "emax": Normal(0, 1), "ec50": LogNormal(20, 1)},
    )  # fmt: skip
    draws = {"e0": -2.0, "emax": 4.0, "ec50": RNG.lognormal(3, 0.2, N)}
    post = given(recipe, draws, x=(0.0, 80.0), shape=N)
    at = at_doses(recipe, post, PLAIN, DOSES)
    wanted = 1 / (1 + np.exp(2 - 4 * 40 / (draws["ec50"] + 40)))
    np.testing.assert_allclose(at["p_resp"].sel(dose=40), wanted)
    found = curve_quantities(recipe, post, at, shares=(0.5,))
    assert float(found.levels["dose_median"][0]) == float(found.levels["exposure_median"][0])
    assert found.to_frame().index.tolist() == [0.5]


def test_what_cannot_be_asked_is_refused():
    post, at, _ = emax(20.0)
    for change, said in (
        ({"shares": (1.0,)}, "a share of 1.0"),
        ({"gain": -1.0}, "gain = -1.0"),
        ({"reference": 33.0}, "reference = 33 is not a candidate dose"),
        ({"endpoint": "eff"}, "no curve of 'eff'; there are resp"),
    ):
        with pytest.raises(DoseOptError, match=said):
            curve_quantities(EMAX, post, at, **change)
    tree = post.tree.copy()
    del tree["constant_data"]
    unknown = replace(post, tree=tree)
    assert str(curve_quantities(EMAX, unknown, at)) == str(curve_quantities(EMAX, post, at))
    at = at_doses(EMAX, unknown, PLAIN, DOSES)
    with pytest.raises(DoseOptError, match="the exposures that resp was fitted to are not known"):
        curve_quantities(EMAX, unknown, at)
