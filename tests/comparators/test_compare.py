"""Designs side by side: one truth, the same patients, paired errors."""

from __future__ import annotations

import numpy as np
import pytest

import doseopt_bayes as dob
from doseopt_bayes.comparators.compare import simulate_compare
from doseopt_bayes.plots.designs import figure_designs
from tests.comparators.test_properties import DESIGNS, RISING

TOXIC = dob.Scenario("toxic", (0.6, 0.7, 0.8, 0.9), (0.3, 0.3, 0.3, 0.3))


@pytest.fixture(scope="module")
def found():
    designs = {name: DESIGNS[name] for name in ("BOIN12", "BOIN", "3+3")}
    return simulate_compare(designs, [RISING, TOXIC], n_trials=400, seed=3)


def test_every_design_meets_the_patients_of_its_own_simulation(found):
    alone = dob.simulate(DESIGNS["BOIN"], [RISING, TOXIC], n_trials=400, seed=3)
    assert found.simulations["BOIN"].trials.equals(alone.trials)
    chosen = alone.trials["recommended"].sel(scenario="rising")
    obd = float(DESIGNS["BOIN12"].truth(RISING)["obd"])  # not BOIN's own truth
    share = found.table["selects_obd"].sel(design="BOIN", scenario="rising")
    assert float(share) == float((chosen == obd).mean())


def test_gains_are_those_of_pairs(found):
    right = {}
    for name, sim in found.simulations.items():
        chosen = sim.trials["recommended"].sel(scenario="toxic")
        right[name] = chosen.isnull().to_numpy().astype(float)  # none is the right answer
    gap = right["3+3"] - right["BOIN12"]
    at = found.table.sel(design="3+3", scenario="toxic")
    assert float(at["gain"]) == pytest.approx(gap.mean())
    assert float(at["gain_mcse"]) == pytest.approx(gap.std(ddof=1) / 20)
    assert float(found.table["gain"].sel(design="BOIN12").max()) == 0


def test_the_figure_shows_the_numbers_of_the_table(found):
    picture = figure_designs(found)
    at = {"design": "BOIN", "scenario": "toxic"}
    assert float(picture.data["right"].sel(at)) == float(found.table["none_selected"].sel(at))
    bars = [p for ax in picture.figure.axes for p in ax.patches if p.get_gid() == "right:1"]
    widths = [round(p.get_width(), 9) for p in bars]
    expected = (100 * picture.data["right"].sel(design="BOIN")).round(9).to_numpy().tolist()
    assert widths == expected
    assert "the same patients" in picture.caption
    assert "right answer none" in str(found)
    assert "can truly be 0.75 % off" in str(found)  # 300 / 400 trials
    assert "not resolved" not in str(found)  # no posterior: counts alone decide


def test_what_cannot_be_compared_is_refused():
    other = dob.Scenario("short", (0.1, 0.2), (0.1, 0.2))
    with pytest.raises(dob.DoseOptError, match="at least two"):
        simulate_compare({"a": DESIGNS["BOIN"]}, [RISING], n_trials=1, seed=1)
    pair = {"a": DESIGNS["BOIN"], "b": DESIGNS["3+3"]}
    with pytest.raises(dob.DoseOptError, match="none of the designs"):
        simulate_compare(pair, [RISING], n_trials=1, seed=1, truth="c")
    with pytest.raises(dob.DoseOptError, match="2 doses, the design 4"):
        simulate_compare(pair, [other], n_trials=1, seed=1)
    no_eff = dob.Scenario("tox", (0.1, 0.2, 0.3, 0.4))
    with pytest.raises(dob.DoseOptError, match="no p_eff"):
        simulate_compare(
            {"a": DESIGNS["BOIN12"], "b": DESIGNS["BOIN"]}, [no_eff], n_trials=1, seed=1
        )


def test_doses_above_the_mtd_are_counted_against_one_truth(found):
    trials = found.simulations["BOIN"].trials.sel(scenario="rising")
    mtd = float(DESIGNS["BOIN12"].truth(RISING)["mtd"])
    above = trials["treated"].where(trials["dose"] > mtd, 0).sum("dose").mean()
    got = found.table["overdosed"].sel(design="BOIN", scenario="rising")
    np.testing.assert_allclose(float(got), float(above))
