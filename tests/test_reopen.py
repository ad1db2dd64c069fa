"""Saved results open as the analysis that made them, to the last byte of the report."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from doseopt_bayes.cli import main
from doseopt_bayes.errors import ResultsError
from doseopt_bayes.files import sha256
from doseopt_bayes.reopen import load_analysis
from doseopt_bayes.report.bundle import save
from doseopt_bayes.spec.spec import Spec

MODELS = Path(__file__).parents[1] / "models"


@pytest.fixture(scope="module")
def spec_file(tmp_path_factory):
    """Write OPTIC, which has an alternative model, under a name that is not kept in the results."""
    path = tmp_path_factory.mktemp("specs") / "mine.toml"
    path.write_bytes((MODELS / "optic-ponatinib.toml").read_bytes())
    return path


@pytest.fixture(scope="module")
def saved(spec_file, tmp_path_factory):
    folder = tmp_path_factory.mktemp("results") / "run"
    analysis = Spec.load(spec_file).run()
    save(analysis, folder)
    return folder, analysis


def sums(folder):
    return {p.relative_to(folder).as_posix(): sha256(p)
            for p in folder.rglob("*") if p.is_file() and p.name != "manifest.json"}  # fmt: skip


def test_the_report_is_rebuilt_to_the_last_byte(saved, tmp_path, capsys):
    folder, _ = saved
    place = tmp_path / "again"
    assert main(["report", str(folder), "--out", str(place)]) == 0
    assert sums(place) == sums(folder)
    assert "is recommended" in capsys.readouterr().out


@pytest.mark.slow
def test_in_place_the_stamps_can_be_dropped(saved, tmp_path):
    folder, _ = saved
    place = tmp_path / "final"
    shutil.copytree(folder, place)
    assert main(["report", str(place), "--final"]) == 0
    assert "DRAFT" not in (place / "report.html").read_text(encoding="utf-8")
    assert load_analysis(place).decision.headline == load_analysis(folder).decision.headline


def test_every_number_is_there_again(saved):
    folder, analysis = saved
    opened = load_analysis(folder)
    xr.testing.assert_equal(opened.posterior.draws, analysis.posterior.draws)
    xr.testing.assert_equal(opened.decision.table, analysis.decision.table)
    assert opened.posterior.notes == analysis.posterior.notes
    assert opened.data.sha256 == analysis.data.sha256
    assert opened.data.disposition.equals(analysis.data.disposition)
    assert opened.data.patients is None
    assert opened.sensitivity.sentences == analysis.sensitivity.sentences
    label = "each dose by itself"
    np.testing.assert_array_equal(
        opened.alternatives[label].decision.table["utility"],
        analysis.alternatives[label].decision.table["utility"],
    )


def test_results_that_were_altered_or_have_no_specification_are_refused(saved, tmp_path):
    folder, analysis = saved
    place = tmp_path / "altered"
    shutil.copytree(folder, place)
    (place / "spec.toml").write_text("schema = 1", encoding="utf-8")
    with pytest.raises(ResultsError, match=r"spec\.toml is not the file that was written"):
        load_analysis(place)
    save(replace(analysis, plan=None), tmp_path / "python")
    with pytest.raises(ResultsError, match="put together in Python"):
        load_analysis(tmp_path / "python")


def test_a_folder_that_is_none_is_said(tmp_path, capsys):
    assert main(["report", str(tmp_path / "nowhere")]) == 1
    assert "does not exist" in capsys.readouterr().err
