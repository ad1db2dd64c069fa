"""Scenarios of toxicity alone: the true MTD is the right answer, and nothing speaks of efficacy."""

from __future__ import annotations

import math

import numpy as np
import pytest
import xarray as xr

from doseopt_bayes.decision.criteria import MeanUtility, UtilityOfMeans
from doseopt_bayes.decision.rules import EWOC, NoSkipping
from doseopt_bayes.decision.target import ClosestToTarget, TargetInterval
from doseopt_bayes.design.characteristics import characteristics
from doseopt_bayes.design.design import Design
from doseopt_bayes.design.scenario import Scenario
from doseopt_bayes.design.simulate import Simulation
from doseopt_bayes.design.stopping import MaxPatients
from doseopt_bayes.errors import DoseOptError, SpecError
from doseopt_bayes.models import BLRM, CRM
from doseopt_bayes.models.presets import BLRM_SINGLE_AGENT
from doseopt_bayes.plots.design import caption_design, data_design, draw_design
from doseopt_bayes.spec.scenarios import read_scenarios

from .cases import design as joint_design

DOSES = (5.0, 10.0, 20.0)
CLOSEST = Design(
    CRM(DOSES, (0.1, 0.2, 0.35), unit="mg"), ClosestToTarget(0.25), NoSkipping(),
    UtilityOfMeans(), start=5, stop=MaxPatients(12),
)  # fmt: skip
GUARDED = Design(
    BLRM(DOSES, 10, BLRM_SINGLE_AGENT, unit="mg"), TargetInterval(0.16, 0.33),
    EWOC(0.33, 0.25) & NoSkipping(), MeanUtility(), start=5, stop=MaxPatients(12),
)  # fmt: skip
STEEP = Scenario("steep", (0.05, 0.30, 0.60))


@pytest.mark.parametrize(
    ("design", "p_tox", "mtd"),
    [
        (CLOSEST, (0.05, 0.30, 0.60), 10.0),  # 0.05 away, above the target
        (CLOSEST, (0.50, 0.60, 0.70), 5.0),  # no limit: the closest one all the same
        (GUARDED, (0.05, 0.30, 0.60), 10.0),
        (GUARDED, (0.02, 0.05, 0.10), 20.0),  # none on target: the one closest to its middle
        (GUARDED, (0.40, 0.50, 0.60), math.nan),
    ],
)
def test_the_true_mtd_is_what_the_designs_own_utility_says(design, p_tox, mtd):
    truth = Scenario("x", p_tox).truth(design)
    assert "p_eff" not in truth
    assert float(truth["mtd"]) == pytest.approx(mtd, nan_ok=True)
    assert float(truth["obd"]) == pytest.approx(mtd, nan_ok=True)


def test_efficacy_of_a_scenario_is_nothing_to_a_design_of_toxicity():
    both = Scenario("x", STEEP.p_tox, (0.9, 0.1, 0.1))
    assert both.truth(CLOSEST).identical(STEEP.truth(CLOSEST))


def test_without_efficacy_nobody_responds():
    cells = STEEP.cells()
    np.testing.assert_allclose(cells[:, [0, 2]], [[0.95, 0.05], [0.7, 0.3], [0.4, 0.6]])
    assert not cells[:, [1, 3]].any()


def test_a_model_of_efficacy_needs_it():
    with pytest.raises(DoseOptError, match="has no p_eff, which the utility reads"):
        Scenario("x", (0.1,) * 5).truth(joint_design())
    with pytest.raises(DoseOptError, match=r"correlation = 0.2 with an efficacy that it does not"):
        Scenario("x", (0.1, 0.2), correlation=0.2)


def by_hand():
    treated = np.array([[[3, 9, 0], [3, 3, 6], [6, 6, 0], [3, 0, 0]]])
    one, all_ = ("scenario", "trial"), ("scenario", "trial", "dose")
    trials = xr.Dataset(
        {
            "recommended": (one, [[10.0, 20.0, 10.0, math.nan]]),
            "stopped_early": (one, [[False, False, False, True]]),
            "resolved": (one, np.ones((1, 4), bool)),
            "unresolved": (one, np.zeros((1, 4), int)),
            "treated": (all_, treated),
            "toxicities": (all_, treated // 3),
            "responses": (all_, 0 * treated),
        },
        coords={"scenario": ["steep"], "trial": np.arange(4), "dose": list(DOSES)},
    )
    return Simulation(GUARDED, (STEEP,), trials, {"grid": 9}, 1, 1024)


def test_characteristics_speak_of_the_mtd_alone():
    found = characteristics(by_hand())
    part = found.table.sel(scenario="steep")
    assert float(part["selects_obd"]) == 0.5
    assert float(part["overdose"]) == 0.25
    assert float(part["overdosed"]) == 1.5  # 6 patients at 20 mg in one of four trials
    assert float(part["underdosed"]) == 15 / 4
    assert not {"p_eff", "responses", "selects_mtd"} & set(found.table)
    text = str(found)
    assert "True MTD 10 mg: selected by 50.0" in text
    assert "MTD: the dose that the design's own utility puts first" in text
    for word in ("OBD", "p_eff", "responses", "efficacy"):
        assert word not in text
    assert "p_eff" not in found.csv()


def test_the_figure_too():
    data = data_design(characteristics(by_hand()))
    figure = draw_design(data)
    assert next(t.get_text() for t in figure.axes[0].get_xticklabels()) == "5\n0.05"
    said = [t.get_text() for t in figure.legends[0].get_texts()]
    assert said[0] == "right answer (true MTD)"
    assert "efficacy" not in caption_design(data)
    assert not any("p_eff" in t.get_text() for t in figure.axes[0].texts)


def test_the_file_may_leave_p_eff_out(tmp_path):
    path = tmp_path / "scenarios.toml"
    path.write_text('[[scenario]]\nname = "steep"\np_tox = [0.05, 0.30, 0.60]\n', encoding="utf-8")
    assert read_scenarios(path, GUARDED) == (STEEP,)
    with pytest.raises(SpecError, match="p_tox: 3 probabilities for the 5 candidate doses"):
        read_scenarios(path, joint_design())
