"""``doseopt table`` as its user meets it."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

import doseopt_bayes as dob
from doseopt_bayes.cli import main

ROOT = Path(__file__).parents[1]
SPEC = ROOT / "models" / "protocol-escalation.toml"
TRUTHS = ROOT / "models" / "scenarios-protocol.toml"


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("protocol") / "out"
    given = ["table", str(SPEC), "--scenarios", str(TRUTHS), "--trials", "60", "--out", str(folder)]
    assert main([*given, "--quiet"]) == 0
    return folder


def test_the_report_has_every_design_its_tables_and_the_comparison(saved):
    report = (saved / "report.html").read_text(encoding="utf-8")
    for name in ("BOIN12", "BOIN", "Keyboard", "i3+3", "3+3"):
        assert f". {name}</h2>" in report
    assert "60 trials of each design in the same patients" in report
    assert len(list((saved / "figures").glob("*.png"))) == 8  # 3 tables, 4 trees, the comparison
    boundaries = pd.read_csv(saved / "boundaries-boin.csv").set_index("patients")
    assert boundaries.loc[12].tolist() == [2, 5, 7]  # published, target 0.3
    paths = pd.read_csv(saved / "pathways-3-3.csv").set_index("path")
    assert paths.loc["1NNT", "next_dose"] == 10
    assert paths.loc["1NTT", "then"] == "stop, no dose"


def test_two_runs_write_the_same_report(saved, tmp_path):
    given = ["table", str(SPEC), "--scenarios", str(TRUTHS), "--trials", "60"]
    assert main([*given, "--out", str(tmp_path / "again"), "--quiet"]) == 0
    for name in ("report.html", "comparison.csv", "protocol.txt"):
        assert (tmp_path / "again" / name).read_bytes() == (saved / name).read_bytes()


def test_check_prints_each_design(capsys):
    assert main(["check", str(SPEC)]) == 0
    said = capsys.readouterr().out
    assert "BOIN with target 0.3" in said
    assert "BOIN12. The first cohort of 3 patients receives 10 mg" in said


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('kind = "boin"\n', 'kind = "boyn"\n', "did you mean 'boin'"),
        ("start = 10", "start = 15", "no candidate dose"),
        ("target = 0.3", "target = 30", "must lie in (0, 1)"),
        ('truth = "BOIN12"', 'truth = "BOIN13"', "name of no design"),
        ('outcomes = "" ', 'outcomes = "9NNN" ', "level 9"),
        ("cohorts = 2", "cohorts = 4", "must be 1, 2 or 3"),
        ('kind = "three_plus_three"', 'kind = "boin"\ntarget = 0.25', "two designs have this name"),
        ("least_eff = 0.25", "least_ef = 0.25", "least_eff"),
    ],
)
def test_faults_of_the_file_are_named(tmp_path, capsys, old, new, said):
    text = SPEC.read_text(encoding="utf-8")
    assert old in text
    path = tmp_path / "bad.toml"
    path.write_text(text.replace(old, new), encoding="utf-8")
    assert main(["table", str(path), "--quiet"]) == 1
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("command", ["run", "simulate"])
def test_other_commands_name_the_right_one(tmp_path, capsys, command):
    more = ["--scenarios", str(TRUTHS), "--trials", "5"] if command == "simulate" else []
    assert main([command, str(SPEC), "--out", str(tmp_path / "out"), *more]) == 1
    assert "doseopt table" in capsys.readouterr().err


def test_a_design_of_an_analysis_file_and_an_uploaded_table_stand_beside_boin(tmp_path):
    spec = tmp_path / "both.toml"
    rows = "".join(f"{n},{'E' * (n // 3 + 1)}{'D' * (n - n // 3)}\n" for n in range(1, 13))
    (tmp_path / "ours.csv").write_text("patients,decisions\n" + rows, encoding="utf-8")
    model = (ROOT / "models" / "efftox-thall2014.toml").read_text(encoding="utf-8")
    (tmp_path / "efftox.toml").write_text(model, encoding="utf-8")
    spec.write_text(
        'schema = 1\nid = "both"\nversion = "1"\n[trial]\ndoses = [1, 2, 4, 6.6, 10]\nstart = 1\n'
        'unit = "mg"\nstop = [{ kind = "max_patients", patients = 12 }]\n[pathways]\ncohorts = 1\n'
        '[[comparator]]\nkind = "specification"\nname = "EffTox"\nfile = "efftox.toml"\n'
        '[[comparator]]\nkind = "uploaded"\nfile = "ours.csv"\ntarget = 0.3\n',
        encoding="utf-8",
    )
    found = dob.ProtocolSpec.load(spec)
    assert [type(d).__name__ for d in found.designs.values()] == ["Design", "IntervalDesign"]
    assert list(found.designs) == ["EffTox", "ours"]
