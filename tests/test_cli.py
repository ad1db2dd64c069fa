"""The command line as a user meets it."""

from __future__ import annotations

import contextlib
import io
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import doseopt_bayes as dob
from doseopt_bayes import datasets
from doseopt_bayes.cli import main
from doseopt_bayes.report.manifest import sealed

MODELS = Path(__file__).parents[1] / "models"
OPTIC = str(MODELS / "optic-ponatinib.toml")
THALL = str(MODELS / "efftox-thall2014.toml")
TRIAL = "ID,Dose,Toxicity,Efficacy\n001,1,0,0\n002,1,0,0\n003,1,0,1\n004,2,0,1\n005,2,0,1\n006,2,1,1\n007,2,,\n"


@pytest.fixture(scope="module")
def optic(tmp_path_factory):
    """Run the demo once; return its folder and what it printed."""
    folder = tmp_path_factory.mktemp("optic")
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        assert main(["run", OPTIC, "--out", str(folder)]) == 0
    return folder, out.getvalue(), err.getvalue()


def test_the_demo_ranks_the_highest_starting_dose_first(optic):
    _, out, err = optic
    ranked = [line.split()[:2] for line in out.splitlines()[1:4]]
    assert ranked == [["1", "45"], ["2", "30"], ["3", "15"]]
    assert "45 mg is recommended" in out
    for path in re.findall(r"^(?:report|figures|results) +(.+)$", out, flags=re.MULTILINE):
        assert Path(path).exists()
    assert "association is driven by its prior" in err


def test_published_counts_are_those_of_the_paper(optic):
    tree = dob.load_results(optic[0])
    seen = tree["seen"]
    for dose, eff, tox in (
        (45, (41, 93), (5, 94)),
        (30, (27, 93), (5, 94)),
        (15, (21, 91), (3, 94)),
    ):
        at = seen.sel(dose=dose)
        assert (int(at["events"].sel(endpoint="eff")), int(at["n"].sel(endpoint="eff"))) == eff
        assert (int(at["events"].sel(endpoint="tox")), int(at["n"].sel(endpoint="tox"))) == tox


def test_the_report_needs_no_network_and_shows_the_same_numbers_as_the_results(optic):
    folder, out, _ = optic
    report = (folder / "report.html").read_text(encoding="utf-8")
    assert not re.search(r'(?:src|href)="(?!data:)', report)
    assert "<script" not in report
    table = dob.load_results(folder)["decision"]
    row = table.sel(dose=45.0)
    assert f"{float(row['utility']):.3f}" in report
    assert f"{float(row['utility']):.3f}" in out
    csv = pd.read_csv(folder / "decision.csv").set_index("dose_mg")
    np.testing.assert_allclose(csv.loc[45.0, "utility"], float(row["utility"]), rtol=1e-12)
    for word in ("Disposition", "Observed outcomes", "Normal(mean -2.2, sd 1.35)", "Figure 1.", "DRAFT",
                 "grade &gt;= 3 adjudicated arterial occlusive event", "R-hat", "specification_sha256"):  # fmt: skip
        assert word in report


def test_the_manifest_vouches_for_every_file_and_tells_an_altered_one(optic, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(optic[0], folder)
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    files = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    assert files == {*manifest["files"], "manifest.json"}
    results = folder / "results.nc"
    content = bytearray(results.read_bytes())
    content[len(content) // 2] ^= 1
    results.write_bytes(content)
    (folder / "decision.csv").unlink()
    with pytest.raises(dob.ResultsError) as e:
        dob.load_results(folder)
    assert "results.nc is not the file that was written" in str(e.value)
    assert "decision.csv is missing" in str(e.value)
    (folder / "manifest.json").write_text("{", encoding="utf-8")
    with pytest.raises(dob.ResultsError, match="damaged"):
        dob.load_results(folder)


def test_a_second_quiet_run_gives_the_same_bytes(optic, tmp_path, capsys):
    assert main(["run", OPTIC, "--out", str(tmp_path), "--quiet"]) == 0
    assert capsys.readouterr().err == ""
    first = json.loads((optic[0] / "manifest.json").read_text(encoding="utf-8"))["files"]
    second = json.loads((tmp_path / "manifest.json").read_text(encoding="utf-8"))["files"]
    assert first == second


@pytest.mark.slow
def test_an_interim_file_is_read_and_a_changed_one_is_noticed(tmp_path, capsys):
    data, out = tmp_path / "interim.csv", tmp_path / "out"
    data.write_text(TRIAL, encoding="utf-8")
    assert main(["run", THALL, str(data), "--out", str(out), "--final"]) == 0
    said = capsys.readouterr()
    assert "4 mg is recommended" in said.out
    assert "1 patients pending" in said.err
    report = (out / "report.html").read_text(encoding="utf-8")
    assert "DRAFT" not in report
    assert "The untried dose 10 mg has the highest unconditional Pr(OBD)" in report
    data.write_text(TRIAL.replace("005,2,0,1", "005,2,1,1"), encoding="utf-8")
    assert main(["run", THALL, str(data), "--out", str(out)]) == 0
    assert "rows that differ: 6" in capsys.readouterr().err


@pytest.mark.slow
def test_files_of_others_in_the_results_folder_are_left_alone(optic, tmp_path):
    folder = tmp_path / "out"
    shutil.copytree(optic[0], folder)
    mine = folder / "figures" / "mine.png"
    mine.write_bytes(b"mine")
    shutil.copy(folder / "figures" / "01-curve.png", folder / "figures" / "99-old.png")
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    manifest["files"]["figures/99-old.png"] = manifest["files"]["figures/01-curve.png"]
    (folder / "manifest.json").write_bytes(sealed(manifest))
    dob.save(dob.Spec.load(OPTIC).run(), folder)
    assert mine.read_bytes() == b"mine"
    assert not (folder / "figures" / "99-old.png").exists()
    dob.load_results(folder)


def test_check_says_what_would_be_run(capsys):
    assert main(["check", OPTIC]) == 0
    said = capsys.readouterr().out
    for part in (
        "no problems",
        "logit p_tox",
        "Clinical Utility Index",
        "Pr(p_tox < 0.15) > 0.8",
        "41/93",
    ):
        assert part in said


def test_bad_data_are_refused_before_sampling_and_listed_beside_the_file(tmp_path, capsys):
    data = tmp_path / "bad.csv"
    data.write_text("ID,Dose,Toxicity,Efficacy\n=1+1,3,0,2\nb,-1,0,0\n", encoding="utf-8")
    for command in (
        ["check", THALL, str(data)],
        ["run", THALL, str(data), "--out", str(tmp_path / "o")],
    ):
        assert main(command) == 1
        said = capsys.readouterr().err
        assert "row 2" in said
        assert "DOB-C12" in said
        assert "DOB-C03" in said
        assert not (tmp_path / "o").exists()
    listed = pd.read_csv(tmp_path / "bad.problems.csv", keep_default_na=False)
    assert set(listed["code"]) >= {"DOB-B03", "DOB-C03", "DOB-C12"}
    assert not listed.astype(str).map(lambda c: c.startswith("=")).any(axis=None)


def test_init_writes_a_sound_specification_and_never_over_a_file(tmp_path, capsys):
    path = tmp_path / "new" / "plan.toml"
    assert main(["init", str(path)]) == 0
    assert main(["check", str(path)]) == 0
    assert "no problems" in capsys.readouterr().out
    path.write_text("mine", encoding="utf-8")
    assert main(["init", str(path)]) == 1
    assert path.read_text(encoding="utf-8") == "mine"


def test_missing_files_are_one_sentence(capsys, tmp_path):
    assert main(["run", str(tmp_path / "none.toml")]) == 1
    assert main(["run", THALL]) == 1
    said = capsys.readouterr().err
    assert "does not exist" in said
    assert "names no data" in said
    assert "Traceback" not in said


def test_labels_of_the_data_cannot_become_markup(tmp_path):
    hostile = "<script>alert(1)</script>\"'>"
    frame = pd.read_csv(datasets.path("optic")).rename(columns={"eff": hostile, "n_eff": "$x$"})
    spec = tmp_path / "spec.toml"
    text = Path(OPTIC).read_text(encoding="utf-8")
    text = text.replace('\neff = "eff"', f"\neff = {json.dumps(hostile)}").replace(
        '"n_eff"', '"$x$"'
    )
    text = text.replace('title = "', 'title = "<img src=x onerror=alert(1)> ')
    spec.write_text(text, encoding="utf-8")
    paths = dob.save(dob.Spec.load(spec).run(frame), tmp_path / "out")
    report = paths["report"].read_text(encoding="utf-8")
    assert "<script" not in report
    assert "<img src=x" not in report
    assert "&lt;script&gt;" in report
