"""Published decision tables, conduct paths and selections, exactly."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from doseopt_bayes.comparators.boin12 import BOIN12
from doseopt_bayes.comparators.desirability import desirability_scores
from doseopt_bayes.comparators.exact import enumerate_courses
from doseopt_bayes.comparators.interval import BOIN, MTPI, MTPI2, TPI, I3Plus3, Keyboard
from doseopt_bayes.comparators.stepwise import IntervalDesign
from doseopt_bayes.comparators.three import ThreePlusThree
from doseopt_bayes.design.pathways import next_dose
from doseopt_bayes.design.scenario import Scenario
from doseopt_bayes.design.simulate import simulate
from doseopt_bayes.design.stopping import EnoughAtDose, MaxPatients

ITEMS = {
    item["id"]: item
    for item in json.loads(
        (Path(__file__).parents[1] / "oracles" / "interval_designs.json").read_text()
    )["items"]
}
FIVE = (1.0, 2.0, 3.0, 4.0, 5.0)


def boundaries(rule):
    frame = rule.table(30).to_frame()
    return {
        name: [None if str(x) == "<NA>" else int(x) for x in frame.iloc[:, i]]
        for i, name in enumerate(("escalate_if_le", "deescalate_if_ge", "eliminate_if_ge"), 1)
    }


@pytest.mark.parametrize("target", [0.2, 0.25, 0.3])
def test_boin_boundaries(target):
    expected = ITEMS[f"boin_{target:g}"]["expected"]
    rule = BOIN(target)
    np.testing.assert_allclose(
        rule.boundaries, (expected["lambda_e"], expected["lambda_d"]), atol=1e-6
    )
    found = boundaries(rule)
    for name in found:
        assert found[name] == expected[name]


@pytest.mark.parametrize("target", [0.2, 0.25])
def test_keyboard_boundaries(target):
    expected = ITEMS[f"keyboard_{target:g}_0.05_0.05"]["expected"]
    found = boundaries(Keyboard(target))
    for name in found:
        assert found[name] == expected[name]


def test_i3plus3_table():
    expected = ITEMS["i3plus3_25"]["expected"]
    assert I3Plus3(0.25).table(15).rows == tuple(expected[str(n)] for n in range(1, 16))


@pytest.mark.parametrize(
    ("item", "rule"),
    [("boin_conduct_path", BOIN(0.3)), ("mtpi_share", MTPI(0.3)), ("mtpi2_share", MTPI2(0.3)),
     ("tpi_share", TPI(0.3))],
)  # fmt: skip
def test_conduct_of_interval_designs(item, rule):
    design = IntervalDesign(rule, FIVE, start=1, stop=MaxPatients(30))
    for step in ITEMS[item]["expected"]:
        found = next_dose(design, step["outcomes"])
        assert (None if np.isnan(found.dose) else found.dose) == step["recommended"], step


@pytest.mark.parametrize("item", ["boin_select_mtd_1", "boin_select_mtd_4"])
def test_isotonic_mtd(item):
    given, expected = ITEMS[item]["inputs"], ITEMS[item]["expected"]
    n, tox = (np.array([given[k]]) for k in ("npts", "ntox"))
    rule = BOIN(given["target"])
    table = rule.table(int(n.max()))
    fine = ~np.logical_or.accumulate(table.eliminates[n, tox], axis=1)
    assert rule.selection(n, tox, fine)[0] + 1 == expected["MTD"]
    estimates = rule.selection.estimates(n, tox, fine)[0]
    np.testing.assert_allclose(
        estimates[~np.isnan(estimates)], expected["phat_isotonic_adm"], atol=1e-6
    )


def test_boin_operating_characteristics():
    given, expected = ITEMS["boin_oc_1"]["inputs"], ITEMS["boin_oc_1"]["expected"]
    design = IntervalDesign(BOIN(0.3), FIVE, start=1, stop=MaxPatients(30))
    sim = simulate(design, [Scenario("published", tuple(given["p.true"]))], n_trials=10_000, seed=1)
    found = sim.trials.isel(scenario=0)
    for dose, percent in zip(FIVE, expected["selpercent"], strict=True):
        p = percent / 100
        error = np.sqrt(2 * p * (1 - p) / 10_000)  # two simulations of 10,000 trials each
        assert abs((found["recommended"] == dose).mean() - p) < 3 * error + 1e-12
    np.testing.assert_allclose(found["treated"].mean("trial"), expected["npatients"], atol=0.2)
    np.testing.assert_allclose(found["toxicities"].mean("trial"), expected["ntox"], atol=0.1)


def test_exact_three_plus_three():
    item = ITEMS["three_plus_three_oc"]
    design = ThreePlusThree(FIVE, start=1, de_escalate=True)
    found = enumerate_courses(design, Scenario("published", tuple(item["inputs"]["p"])))
    said = [float(found["none_selected"]), *found["selected"].to_numpy()]
    np.testing.assert_allclose(said, item["expected"]["exact"], atol=1e-6)
    np.testing.assert_allclose(said, item["expected"]["published"], atol=0.0051)


def test_boin12_desirability_scores():
    item = ITEMS["boin12_rds"]
    design = BOIN12(FIVE, start=1, stop=MaxPatients(36))
    assert design.benchmark == item["expected"]["u_benchmark"]
    scores = desirability_scores(design, item["inputs"]["sample_sizes"])
    scores = scores.set_index(["patients", "toxicities", "responses"])["score"]
    for *case, expected in item["expected"]["published"]:
        score = scores[tuple(case)]
        assert np.isnan(score) if expected is None else score == expected, case


def test_boin12_conduct():
    design = BOIN12(FIVE, start=1, stop=MaxPatients(30) | EnoughAtDose(12))
    for step in ITEMS["boin12_conduct"]["expected"]:
        found = next_dose(design, step["outcomes"])
        assert (found.dose, found.then == "treat") == (step["recommended"], step["continue_"]), step
