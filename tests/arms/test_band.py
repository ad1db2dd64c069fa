"""The band of associations holds what patient-level data would say, and leaves the margins alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

import doseopt_bayes as dob
from doseopt_bayes.arms.band import phi_range
from doseopt_bayes.errors import DoseOptError

from .cases import posterior

CUI = dob.CUI({"p_eff": dob.Attribute(1, "benefit"), "p_tox": dob.Attribute(1, "harm")})
MARGINS = [
    dob.Margin("eff", 0.12, "difference", "higher"),
    dob.Margin("tox", -0.08, "difference", "lower"),
]
# 200 patients an arm, each half way from independence to the strongest positive association
HALF = [(85, 55, 15, 45), (64, 56, 16, 64)]


@pytest.fixture(scope="module")
def complete():
    return posterior(HALF)


@pytest.fixture(scope="module")
def band(complete):
    found = dob.compare_arms(complete, margins=MARGINS, utility=CUI)
    return found, dob.association_band(complete, found, seed=1)


def test_estimates_correlate_as_the_outcomes_of_a_patient_do(complete):
    for dose, cells in zip((15.0, 45.0), HALF, strict=True):
        _, e, t, b = (np.array(cells) + 0.25) / 201
        tox, eff = t + b, e + b
        phi = (b - tox * eff) / np.sqrt(tox * (1 - tox) * eff * (1 - eff))
        x = [complete[v].sel(dose=dose).to_numpy().ravel() for v in ("p_tox", "p_eff")]
        assert np.corrcoef(x)[0, 1] == pytest.approx(phi, abs=4 * (1 - phi**2) / 200)


def test_the_band_holds_what_complete_data_say_and_meets_it_at_their_association(band):
    found, shown = band
    truth, error = float(found.table["joint"][0]), float(found.table["joint_mcse"][0])
    at = shown.table.isel(pair=0)
    assert float(at["joint"].min()) < truth < float(at["joint"].max())
    half = at.sel(strength=0.5)
    # 0.004: a Gaussian copula is not the Dirichlet's own dependence
    assert float(half["joint"]) == pytest.approx(
        truth, abs=4 * np.hypot(error, float(half["joint_mcse"])) + 0.004
    )
    apart = float(at.sel(strength=0.0)["joint"])
    product = float(found.table["within"].isel(pair=0).prod())
    assert apart == pytest.approx(product, abs=4 * float(at.sel(strength=0.0)["joint_mcse"]))
    assert abs(apart - truth) > 0.01


def test_three_arms_have_a_band_for_each_pair_with_the_errors_of_its_own_margins():
    post = posterior([*HALF, (90, 40, 25, 45)], doses=(15.0, 30.0, 45.0))
    found = dob.compare_arms(post, margins=MARGINS, utility=CUI)
    shown = dob.association_band(post, found, seed=1).table
    assert dict(shown.sizes)["pair"] == 3
    for pair in found.table["pair"].to_numpy():
        alone = dob.compare_arms(
            post, margins=MARGINS, utility=CUI,
            pairs=[(float(found.table["low"].sel(pair=pair)), float(found.table["high"].sel(pair=pair)))],
        )  # fmt: skip
        one = dob.association_band(post, alone, seed=1).table.isel(pair=0)
        two = shown.sel(pair=pair)
        # the arms are coupled by other random numbers: alike within their errors
        gap = abs(one["joint"] - two["joint"])
        assert bool((gap <= 4 * np.hypot(one["joint_mcse"], two["joint_mcse"])).all())
        assert np.allclose(one["joint_mcse"], two["joint_mcse"], rtol=0.05)
        own = float(np.sqrt((found.table["within_mcse"].sel(pair=pair) ** 2).sum()))
        assert bool((two["joint_mcse"] >= own).all())


def test_no_dependence_leaves_the_bounds_of_frechet(band):
    at = band[1].table.isel(pair=0)
    assert float(at["lowest"]) - 1e-9 <= float(at["joint"].min())
    assert float(at["joint"].max()) <= float(at["highest"]) + 1e-9


def test_efficacy_and_toxicity_that_rise_together_make_both_criteria_less_likely(band):
    joint = band[1].table["joint"].isel(pair=0).to_numpy()
    assert (np.diff(joint) < 0).all()
    assert "only margins are read" in str(band[1])
    assert "Whatever the dependence, the probability lies between" in str(band[1])
    assert list(band[1].to_frame()["strength"]) == [-1, -0.5, 0, 0.5, 1]


def test_three_endpoints_keep_their_own_posteriors_under_the_strongest_association(complete):
    post = posterior(HALF, extra={"stop": ((20, 40), (200, 200))})
    third = dob.Margin("stop", 0.0, "difference", "lower")
    found = dob.compare_arms(post, margins=[*MARGINS, third], utility=CUI)
    shown = dob.association_band(post, found, seed=1, strengths=(0.25,))
    at = shown.table.isel(pair=0)
    assert list(at["strength"].to_numpy()) == [-1, 0, 0.25, 1]
    assert (
        float(at["lowest"])
        <= float(at["joint"].min())
        <= float(at["joint"].max())
        <= float(at["highest"])
    )
    assert shown.table["phi_high"].sel(dose=15.0, first="tox", second="stop") < 1


def test_a_utility_of_joint_outcomes_is_shown_under_the_band_too(complete):
    table = dob.OutcomeTable(neither=40, efficacy=100, toxicity=0, both=80)
    found = dob.compare_arms(complete, margins=MARGINS, utility=table)
    shown = dob.association_band(complete, found, seed=1)
    spread = shown.utility.table["utility"].max("association") - shown.utility.table["utility"].min(
        "association"
    )
    low, high = phi_range(0.3, 0.5)
    assert float(spread.max()) > 1
    assert low < 0 < high
    assert any("association moves the utility" in s for s in shown.sentences)
    same = dob.association_band(
        complete, dob.compare_arms(complete, margins=MARGINS, utility=CUI), seed=1
    )
    assert any("cannot change it" in s for s in same.sentences)


def test_one_endpoint_has_no_association(complete):
    found = dob.compare_arms(complete, margins=MARGINS[:1], utility=CUI)
    with pytest.raises(DoseOptError, match="one endpoint has no association"):
        dob.association_band(complete, found, seed=1)
    both = dob.compare_arms(complete, margins=MARGINS, utility=CUI)
    with pytest.raises(DoseOptError, match=r"-1..1"):
        dob.association_band(complete, both, seed=1, strengths=(2.0,))


def test_a_margin_on_a_mean_is_refused_with_what_to_do_instead(complete):
    draws = complete.draws.assign(mean_rdi=90 - 30 * complete.draws["p_tox"])
    tree = complete.tree.copy()
    tree["posterior"] = xr.DataTree(draws)
    post = replace(complete, tree=tree)
    margins = [*MARGINS[:1], dob.Margin("mean_rdi", 5, "difference", "higher")]
    found = dob.compare_arms(post, margins=margins, utility=CUI)
    with pytest.raises(DoseOptError, match=r"margin on mean_rdi.*\n.*probability 'rdi' instead"):
        dob.association_band(post, found, seed=1)
