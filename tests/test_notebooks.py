"""Every notebook is executed for real, from a folder of its own, and leaves what it says."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from doseopt_bayes.report.manifest import verify

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
pytestmark = pytest.mark.filterwarnings("default")  # Jupyter's own, not ours


def executed(name: str, place: Path) -> str:
    notebook = nbformat.read(NOTEBOOKS / name, as_version=4)
    client = NotebookClient(notebook, timeout=600, kernel_name="python3",
                            resources={"metadata": {"path": str(place)}})  # fmt: skip
    client.execute()
    outputs = [o for cell in notebook.cells for o in cell.get("outputs", [])]
    assert not [o for o in outputs if o.get("name") == "stderr"]
    return "\n".join(o.get("text") or o["data"]["text/plain"] for o in outputs)


def test_two_interims_and_an_index_of_three_endpoints(tmp_path):
    said = executed("01_interim_efftox.ipynb", tmp_path)
    folder = tmp_path / "results" / "notebook-01"
    for interim in ("interim-01", "interim-02"):
        assert verify(folder / interim)["made_by"]["data"] == "data frame"
    first, second = said.index("20 mg is recommended"), said.index("40 mg is recommended")
    assert first < second
    assert "40 mg also leads under 'each dose by itself'" in said
    assert "3 is recommended" in said  # equal weights, as the empirical utilities of CUI-MET say
    assert "Flips to 5 when the weight of p_eff rises" in said


@pytest.mark.slow
def test_from_analysis_data_sets_to_a_dose_by_exposure(tmp_path):
    said = executed("02_emax_exposure_response.ipynb", tmp_path)
    assert "ADPP AUCSS: 2 subjects of the population have no record" in said
    assert "diagnostics passed" in said
    assert (
        "60 mg is recommended" in said
    )  # nobody got it; in the simulated truth it is best or equal
    assert "which dose is best is not resolved by these data" in said
    assert "beyond the studied range" in said
    assert said.count("Picture(") == 4


@pytest.mark.slow
def test_subpopulations_and_what_they_leave_open(tmp_path):
    said = executed("03_subpopulations.ipynb", tmp_path)
    assert "diagnostics passed" in said
    assert "observed 7.7%; no pooling 11" in said
    for who in ("laBCC", "mBCC", "whole population"):
        assert f"{who}: 200 mg is recommended" in said
    ends = dict(re.findall(r"(hierarchical|no pooling|full pooling): .*= (0\.\d+)", said))
    assert float(ends["no pooling"]) < float(ends["hierarchical"]) < float(ends["full pooling"])
    assert "the prior matters there" in said
    assert re.search(r"\nE +0\.0\d\n", said)  # the group apart borrows nothing
    assert said.count("Picture(") == 2


@pytest.mark.slow
def test_randomised_arms_where_the_lower_dose_wins_and_where_not(tmp_path):
    said = executed("04_randomised_arms.ipynb", tmp_path)
    assert said.count("diagnostics passed: True") == 2
    assert "OPTIC: 45 mg is recommended" in said
    assert "BOLT: 200 mg is recommended" in said
    for pair in ("15 vs 30 mg", "15 vs 45 mg", "30 vs 45 mg"):
        assert f"{pair}: the margins of the lower dose are not met" in said
    assert "200 vs 800 mg: the margins of the lower dose are met" in said
    assert re.search(r"arterial events, 15 less 45 mg: .* not resolved by these data", said)
    assert "OPTIC - The 3 configurations disagree." in said
    assert "BOLT - All 3 configurations lead to 200 mg." in said
    assert "which dose is best for them is not resolved by these data" in said
    for verdict in ("met", "not met"):
        assert f"the verdict is '{verdict}' with any of them" in said
    assert re.search(r"as OPTIC: .* patients per arm .*\(simulation error 0\.00", said)
    assert "hardly different: not reached with 60 patients per arm" in said
    assert "clear: the end of the trial will hardly change 200 mg" in said
    assert "close: 200 mg is ahead; not resolved yet, go on" in said
    assert said.count("Picture(") == 4


def test_operating_characteristics_of_a_design(tmp_path):
    said = executed("05_operating_characteristics.ipynb", tmp_path)
    assert "The first cohort of 3 patients receives 1 mg." in said
    assert "200 trials of each scenario; posteriors by engine: {'particles': " in said
    assert "Share of 200 trials that select the dose, first design minus second" in said
    for scenario in ("Thall 2014, scenario 1", "plateau (ours)", "all toxic (ours)"):
        assert said.count(scenario) >= 3
    assert "5 designs, 2,000 trials of each scenario in the same patients" in said
    assert "treat 4 mg" in said  # BOIN12 after 1NNN 2NNE
    assert said.count("Picture(") == 6
    late = {
        m[1]: float(m[2])
        for m in re.finditer(r"^(TITE-BOIN|BOIN waits) .* ([0-9.]+) ±", said, re.MULTILINE)
    }
    assert late["TITE-BOIN"] < 0.7 * late["BOIN waits"]  # months


@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda p: p.stem)
def test_notebooks_are_kept_without_outputs(path):
    notebook = nbformat.read(path, as_version=4)
    assert not [c for c in notebook.cells if c.get("outputs") or c.get("execution_count")]
