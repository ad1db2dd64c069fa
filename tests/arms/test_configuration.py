"""Several configurations and weight sets on one posterior, and what would change their answers."""

from __future__ import annotations

import numpy as np
import pytest

import doseopt_bayes as dob
from doseopt_bayes.arms.tipping import margin_tipping
from doseopt_bayes.errors import DoseOptError

from .cases import beta_difference, posterior

CELLS = [(30, 18, 6, 4), (16, 26, 6, 10)]
INDEX = dob.CUI({"p_eff": dob.Attribute(1, "benefit"), "p_tox": dob.Attribute(1, "harm")})
EFF = dob.Margin("eff", 0.1, "difference", "higher")
TOX = dob.Margin("tox", 0.05, "difference", "lower")
AGENCY = dob.Configuration("agency", "2026-01", INDEX, (EFF, TOX))
PATIENT = dob.WeightSet("patient", "2", {"p_eff": 1, "p_tox": 5}, source="swing, n = 24")
PHYSICIAN = dob.WeightSet("physician", "1", {"p_eff": 5, "p_tox": 1})


@pytest.fixture(scope="module")
def post():
    return posterior(CELLS)


@pytest.fixture(scope="module")
def found(post):
    every = [AGENCY, AGENCY.weighted(PATIENT), AGENCY.weighted(PHYSICIAN)]
    return dob.compare_configurations(post, every)


def test_each_configuration_is_what_it_gives_alone(post, found):
    alone = dob.compare_arms(post, margins=[EFF, TOX], utility=PATIENT.of(INDEX))
    row = found.table.sel(configuration="patient")
    assert np.array_equal(row["utility"], alone.decision.table["utility"])
    assert float(row["joint"][0]) == float(alone.table["joint"][0])
    assert list(found.table["version"].to_numpy()) == ["2026-01", "2", "1"]


def test_weights_that_disagree_are_said_to_disagree(found):
    assert float(found.table["leading"].sel(configuration="patient")) == 15
    assert float(found.table["leading"].sel(configuration="physician")) == 45
    assert "The 3 configurations disagree." in found.sentences
    assert len(found.to_frame()) == 6


def test_weights_are_those_of_the_set_and_scale_does_not_matter():
    index = PHYSICIAN.of(INDEX)
    assert index.weights == pytest.approx({"p_eff": 5 / 6, "p_tox": 1 / 6})
    half = dob.WeightSet("x", "1", {"p_eff": 2.5, "p_tox": 0.5}).of(INDEX)
    assert half.weights == pytest.approx(index.weights)


def test_the_margin_that_flips_the_verdict_is_that_of_two_betas(post):
    one = dob.compare_arms(post, margins=[EFF], utility=INDEX, certainty=0.5)
    flip = margin_tipping(post, one).isel(pair=0, margin=0)
    # at that margin the closed form gives the certainty
    at = 1 - beta_difference(22, 58, 36, 58, float(flip["to"]), prior=0.5)
    slope = (1 - beta_difference(22, 58, 36, 58, float(flip["to"]) + 0.01, prior=0.5) - at) / 0.01
    assert abs(at - 0.5) < 4 * slope * float(flip["to_mcse"])
    assert 0 < float(flip["to_mcse"]) < 0.002


def test_the_verdict_turns_at_the_margin_found_and_only_there(post):
    one = dob.compare_arms(post, margins=[EFF, TOX], utility=INDEX, certainty=0.5)
    to = float(margin_tipping(post, one)["to"][0, 0])
    for shift, above in ((-1e-4, False), (1e-4, True)):
        moved = dob.Margin("eff", to + shift, "difference", "higher")
        again = dob.compare_arms(post, margins=[moved, TOX], utility=INDEX, certainty=0.5)
        assert (float(again.table["joint"][0]) > 0.5) == above


def test_no_margin_can_be_met_when_the_others_fail(post):
    never = dob.Margin("tox", -0.9, "difference", "lower")
    one = dob.compare_arms(post, margins=[EFF, never], utility=INDEX)
    sensitive = dob.arm_sensitivity(post, one, seed=1)
    assert np.isnan(float(sensitive.margins["to"][0, 0]))
    assert any("cannot be 'met' by any margin of eff alone" in s for s in sensitive.sentences)


def test_sensitivity_names_the_weight_that_flips_and_the_acceptability(post, found):
    every = found.sensitivity(post, seed=1)
    one = every["agency"]
    assert set(every) == {"agency", "patient", "physician"}
    assert any("Flips to" in s and "weight of p_" in s for s in one.sentences)
    shares = one.acceptability["rank_acceptability"].sum("rank").to_numpy()
    assert shares == pytest.approx([1, 1])
    # patient and physician agree on the weight at which the arms change places
    where = [float(every[n].tipping.table["to"].sel(what="weight of p_eff").min()) for n in every]
    assert np.ptp(where) < 0.02
    assert list(one.to_frame()["margin"]) == [str(EFF), str(TOX)]


@pytest.mark.parametrize(
    ("weights", "said"),
    [
        ({"p_eff": 0, "p_tox": 0}, "sum to 0"),
        ({}, "sum to 0"),
        ({"p_eff": -1, "p_tox": 2}, "must be >= 0"),
        ({"p_eff": float("nan")}, "must be >= 0"),
    ],
)
def test_weights_that_are_none_are_refused(weights, said):
    with pytest.raises(DoseOptError, match=said):
        dob.WeightSet("x", "1", weights)


def test_other_refusals(post):
    with pytest.raises(DoseOptError, match="index lacks: 'p_tx'"):
        dob.WeightSet("x", "1", {"p_eff": 1, "p_tx": 1}).of(INDEX)
    with pytest.raises(DoseOptError, match="no weight for: 'p_tox'"):
        dob.WeightSet("x", "1", {"p_eff": 1}).of(INDEX)
    with pytest.raises(DoseOptError, match="version = '' is empty"):
        dob.Configuration("agency", "", INDEX, (EFF,))
    with pytest.raises(DoseOptError, match="stands twice"):
        dob.compare_configurations(post, [AGENCY, AGENCY])
    table = dob.OutcomeTable(neither=40, efficacy=100, toxicity=0, both=60)
    other = dob.Configuration("a", "1", table, (EFF,))
    with pytest.raises(DoseOptError, match="need a CUI"):
        other.weighted(PATIENT)
