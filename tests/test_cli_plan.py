"""The command ``doseopt plan``."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from doseopt_bayes.cli import main

PLAN = Path(__file__).parents[1] / "models" / "sample-size-two-arms.toml"


def test_a_plan_is_printed_and_written(tmp_path, capsys):
    assert main(["plan", str(PLAN), "--out", str(tmp_path / "plan")]) == 0
    said = capsys.readouterr().out
    assert "patients per arm (correct choice with probability >= 0.8" in said
    assert "no-go if events <=" in said
    assert "simulation error" in said
    table = pd.read_csv(tmp_path / "plan" / "plan.csv")
    assert list(table["size"].unique()) == [20, 30, 40, 60, 80]
    assert (table["correct"] + table["worse"] + table["none"]).round(9).eq(1).all()
    selected = pd.read_csv(tmp_path / "plan" / "selected.csv")
    assert set(selected["dose"]) == {15, 45}
    assert said.startswith(
        (tmp_path / "plan" / "plan.txt").read_text(encoding="utf-8").rstrip("\n")
    )


def test_without_out_nothing_is_written_and_faults_are_said(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["plan", str(PLAN)]) == 0
    assert not list(tmp_path.iterdir())
    bad = tmp_path / "bad.toml"
    text = PLAN.read_text(encoding="utf-8").replace("p_tox = [0.15, 0.35]", "p_tox = [0.15]")
    bad.write_text(text, encoding="utf-8")
    assert main(["plan", str(bad)]) == 1
    assert "problems in" in capsys.readouterr().err


def test_with_a_ratio_no_number_is_said_to_be_of_each_arm(tmp_path):
    text = PLAN.read_text(encoding="utf-8").replace(
        "n_trials = 10000", "n_trials = 200\nratio = [1, 2]"
    )
    path = tmp_path / "ratio.toml"
    path.write_text(
        text.replace("certainty = 0.6", "certainty = 0.6\njoint = true"), encoding="utf-8"
    )
    assert main(["plan", str(path), "--out", str(tmp_path / "out")]) == 0
    report = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "Patients per part of the ratio 1:2" in report
    answers = report[report.index("1. Answer") :]
    assert "atients per arm" not in answers.replace("3. Patients per arm", "")
    plan = (tmp_path / "out" / "plan.txt").read_text(encoding="utf-8")
    assert "20, 40 patients at 15, 45 mg" in plan
