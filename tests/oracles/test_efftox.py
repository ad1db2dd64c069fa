"""Published and exact EffTox posteriors: efftox.json holds numbers, tolerances and sources."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from doseopt_bayes.decision.decide import decide
from doseopt_bayes.decision.rules import Active, NoSkipping, Tolerable
from doseopt_bayes.decision.utility import LpContour

REFERENCE = json.loads((Path(__file__).parent / "efftox.json").read_text(encoding="utf-8"))
ITEMS = {item["id"]: item for item in REFERENCE["items"]}
CASES = [i for i in ITEMS.values() if "outcomes" in i["inputs"]]


def utility_of(parameters):
    return LpContour(
        parameters["eff0"], parameters["tox1"], (parameters["eff_star"], parameters["tox_star"])
    )


def decided(case, efftox_fit, *, p_e, p_t):
    parameters = REFERENCE["parameters"][case["inputs"]["parameters"]]
    doses = tuple(map(float, parameters["doses"]))
    post = efftox_fit(case["inputs"]["parameters"], doses, case["inputs"]["outcomes"])
    rules = (
        Tolerable(parameters["toxicity_hurdle"], certainty=p_t)
        & Active(parameters["efficacy_hurdle"], certainty=p_e)
        & NoSkipping()
    )
    return decide(post, utility_of(parameters), rules, criterion="utility_of_means")


@pytest.mark.parametrize("case", CASES, ids=lambda c: c["inputs"]["outcomes"])
def test_posterior_and_decision(case, efftox_fit):
    ((name, answer),) = case["expected"]["decision"].items()
    p_e, p_t = (float(part[2:]) for part in name.split("_")[1:])
    decision = decided(case, efftox_fit, p_e=p_e, p_t=p_t)
    table, exact = decision.table, case["expected"]["exact"]
    acc_tox, acc_eff = table["limit_prob"].isel(rule=0), table["limit_prob"].isel(rule=1)
    acc_tox_mcse, acc_eff_mcse = (table["limit_prob_mcse"].isel(rule=i) for i in (0, 1))
    for got, mcse, key, floor in (
        (table["p_eff"], table["p_eff_mcse"], "prob_eff", 0.01),
        (table["p_tox"], table["p_tox_mcse"], "prob_tox", 0.01),
        (acc_eff, acc_eff_mcse, "prob_acc_eff", 0.01),
        (acc_tox, acc_tox_mcse, "prob_acc_tox", 0.01),
        (table["prob_obd"], table["prob_obd_mcse"], "prob_obd", 0.01),
        (table["utility_of_means"], table["utility_of_means_mcse"], "utility_plugin", 0.02),
        (table["utility"], table["utility_mcse"], "utility_post_mean", 0.02),
    ):
        allowed = np.maximum(floor, 4 * mcse.to_numpy())
        assert (np.abs(got.to_numpy() - exact[key]) <= allowed).all(), key
    assert table["admissible"].to_numpy().tolist() == answer["acceptable"]
    level = list(table["dose"].to_numpy()).index(float(decision.recommended)) + 1
    assert level == answer["recommended"]


@pytest.mark.parametrize(
    "case",
    [c for c in CASES if "published" in c["expected"]],
    ids=lambda c: c["inputs"]["outcomes"],
)
def test_published_numbers(case, efftox_fit):
    """What other programs printed, within the tolerance of their own Monte Carlo error."""
    published = case["expected"]["published"]
    table = decided(case, efftox_fit, p_e=0.1, p_t=0.1).table
    for key, got in {
        "prob_eff": table["p_eff"],
        "prob_tox": table["p_tox"],
        "prob_acc_tox": table["limit_prob"].isel(rule=0),
        "prob_acc_eff": table["limit_prob"].isel(rule=1),
        "utility": table["utility_of_means"],
        "prob_obd": table["prob_obd"],
    }.items():
        if key in published:
            np.testing.assert_allclose(got.to_numpy(), published[key], atol=published["tolerance"])


def test_the_report_says_why_the_likeliest_dose_is_not_the_answer(efftox_fit):
    decision = decided(ITEMS["efftox_1NNE_2EEB"], efftox_fit, p_e=0.1, p_t=0.1)
    assert float(decision.recommended) == 4.0
    assert int(decision.table["prob_obd"].argmax("dose")) == 4
    assert "The untried dose 10 mg has the highest unconditional Pr(OBD), 0.4" in decision.text
    assert "more than 1 level(s) below or above the tried doses" in decision.text


def test_contour_exponent():
    item = ITEMS["efftox_solve_p_demo"]
    p = utility_of(item["inputs"]).p
    assert p == pytest.approx(item["expected"]["p_exact"], abs=item["tolerance"]["p_exact"])
    assert p == pytest.approx(item["expected"]["p_published"], abs=item["tolerance"]["p_published"])


def test_utility_at_points():
    item = ITEMS["efftox_utility_points"]
    utility = utility_of(REFERENCE["parameters"]["thall2014_demo"])
    eff, tox = (xr.DataArray(list(x)) for x in zip(*item["inputs"]["points"], strict=True))
    got = utility({"p_eff": eff, "p_tox": tox})
    np.testing.assert_allclose(got.to_numpy(), item["expected"], atol=item["tolerance"]["abs"])
