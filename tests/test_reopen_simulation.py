"""Simulations that are opened again: the same trials, or a refusal."""

from __future__ import annotations

from pathlib import Path

import pytest

from doseopt_bayes.design.characteristics import characteristics
from doseopt_bayes.design.journal import digest
from doseopt_bayes.design.simulate import simulate
from doseopt_bayes.errors import ResultsError
from doseopt_bayes.reopen import load_simulation
from doseopt_bayes.report.simulation import save_simulation
from doseopt_bayes.spec.scenarios import read_scenarios
from doseopt_bayes.spec.spec import Spec

MODELS = Path(__file__).parents[1] / "models"
TRUTHS = MODELS / "scenarios-single-agent.toml"


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    spec = Spec.load(MODELS / "blrm-single-agent.toml")
    sim = simulate(spec.design, read_scenarios(TRUTHS, spec.design), n_trials=30, seed=1)
    folder = tmp_path_factory.mktemp("oc")
    save_simulation(sim, folder, plan=spec.plan, scenarios_file=TRUTHS)
    return sim, folder


def test_a_simulation_is_opened_as_what_it_was(saved):
    sim, folder = saved
    opened = load_simulation(folder)
    assert digest(opened) == digest(sim)
    assert (opened.seed, opened.particles, opened.fits) == (sim.seed, sim.particles, sim.fits)
    assert opened.scenarios == sim.scenarios
    assert str(opened.design) == str(sim.design)
    assert characteristics(opened).csv() == characteristics(sim).csv()


def test_the_report_of_toxicity_alone_speaks_of_no_efficacy(saved):
    text = (saved[1] / "report.html").read_text(encoding="utf-8")
    assert "True MTD" in text
    assert "true p_eff" not in text
    assert "Responses" not in text


def test_what_cannot_be_opened_is_refused(saved, tmp_path):
    sim, folder = saved
    with pytest.raises(ResultsError):
        load_simulation(tmp_path)
    save_simulation(sim, tmp_path / "python")
    with pytest.raises(
        ResultsError, match=r"no spec\.toml: this simulation was put together in Python"
    ):
        load_simulation(tmp_path / "python")
    trials = folder / "trials.nc"
    before = trials.read_bytes()
    trials.write_bytes(before[:-1] + b"x")
    with pytest.raises(ResultsError, match=r"trials\.nc"):
        load_simulation(folder)
    trials.write_bytes(before)
