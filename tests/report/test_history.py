"""Interims stand side by side, and their ranking is read from the verified results."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import doseopt_bayes as dob
from doseopt_bayes.cli import main

MODELS = Path(__file__).parents[2] / "models"
THALL = MODELS / "efftox-thall2014.toml"
HEAD = "ID,Dose,Toxicity,Efficacy\n001,1,0,0\n002,1,0,0\n003,1,0,1\n"
FIRST = HEAD + "004,2,0,1\n005,2,0,1\n006,2,1,1\n"
SECOND = FIRST + "007,4,0,1\n008,4,0,1\n009,4,0,1\n"


def test_two_interims_are_kept_and_compared(tmp_path, capsys):
    data, out = tmp_path / "trial.csv", tmp_path / "out"
    for text in (FIRST, SECOND):
        data.write_text(text, encoding="utf-8")
        assert main(["run", str(THALL), str(data), "--out", str(out), "--add", "--quiet"]) == 0
    said = capsys.readouterr().out
    assert "interim 1: n = 6, 4 mg; 4 (" in said
    assert "interim 2: n = 9" in said
    moved = dob.history(out)
    assert moved.sizes == {"interim": 2, "dose": 5}
    assert moved["n_treated"].sum("dose").to_numpy().tolist() == [6, 9]
    for number in (1, 2):
        saved = dob.load_results(out / f"interim-{number:02d}")["decision"]
        at = moved.sel(interim=number)
        np.testing.assert_array_equal(at["utility"], saved["utility"])
        assert float(at["recommended"]) == float(saved["recommended"])
    table = pd.read_csv(out / "history.csv")
    assert len(table) == 10
    assert (out / "history.png").stat().st_size > 10_000
    words = (out / "history.txt").read_text(encoding="utf-8")
    assert "95 % equal-tailed credible interval" in words
    assert moved.attrs["amended"] == []

    with (out / "interim-02" / "results.nc").open("r+b") as f:
        f.seek(5000)
        f.write(b"x")
    with pytest.raises(dob.ResultsError, match="not the file that was written"):
        dob.history(out)


def test_an_empty_folder_is_no_history(tmp_path):
    with pytest.raises(dob.ResultsError, match="interim-01"):
        dob.history(tmp_path)
