"""The command `doseopt simulate` as a user meets it."""

from __future__ import annotations

import contextlib
import io
import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import doseopt_bayes as dob
from doseopt_bayes.cli import main
from doseopt_bayes.report.manifest import verify

MODELS = Path(__file__).parents[1] / "models"
OPTIC = str(MODELS / "optic-ponatinib.toml")
THALL = (MODELS / "efftox-thall2014.toml").read_text(encoding="utf-8")
TRUTHS = """
[[scenario]]
name = "rising <b> & $x$"
p_tox = [0.05, 0.10, 0.15, 0.20, 0.40]
p_eff = [0.20, 0.40, 0.60, 0.80, 0.90]
[[scenario]]
name = "toxic"
p_tox = [0.6, 0.6, 0.7, 0.7, 0.8]
p_eff = [0.2, 0.4, 0.6, 0.8, 0.9]
correlation = 0.1
"""


def call(*arguments):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = main([str(a) for a in arguments])
    return status, out.getvalue(), err.getvalue()


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Write a small design and two truths; return both files."""
    folder = tmp_path_factory.mktemp("files")
    spec, truths = folder / "spec.toml", folder / "truths.toml"
    spec.write_text(THALL.replace("patients = 39", "patients = 9"), encoding="utf-8")
    truths.write_text(TRUTHS, encoding="utf-8")
    return spec, truths


@pytest.fixture(scope="module")
def run(files, tmp_path_factory):
    """Simulate 20 trials once; return the folder and what was printed."""
    folder = tmp_path_factory.mktemp("runs") / "oc"
    status, out, err = call("simulate", files[0], "--scenarios", files[1], "--trials", 20, "--out",
                            folder, "--particles", 256)  # fmt: skip
    assert status == 0, err
    return folder, out, err


def test_it_prints_the_tables_and_where_the_files_are(run):
    folder, out, err = run
    assert "20 trials of each scenario, seed 20250101, posteriors by 256 particles" in out
    assert "Scenario 'toxic'" in out
    assert "True OBD 6.6 mg: selected by" in out
    for path in re.findall(r"^(?:report|figures|table|trials) +(.+)$", out, flags=re.MULTILINE):
        assert Path(path).exists()
    assert "2 scenarios x 20 trials" in err
    assert "100%" in err
    assert "s left" in err
    assert (folder / "figures" / "01-design.png").is_file()


def test_the_report_stands_alone_and_has_the_numbers_of_the_table(run):
    folder = run[0]
    report = (folder / "report.html").read_text(encoding="utf-8")
    assert not re.search(r'(?:src|href)="(?!data:)', report)
    for word in ("DRAFT", "The first cohort of 3 patients receives 1 mg", "Posteriors by engine",
                 "rising &lt;b&gt; &amp; $x$", "specification_sha256", "trials_sha256", "Figure 1."):  # fmt: skip
        assert word in report
    assert "<b>" not in report
    table = pd.read_csv(folder / "characteristics.csv")
    row = table.query("scenario == 'toxic' and measure == 'none_selected'").iloc[0]
    assert f"{100 * row['estimate']:.1f} ± {100 * row['mcse']:.1f}" in report
    with xr.open_datatree(folder / "trials.nc", engine="h5netcdf") as tree:
        doses = tree["trials"]["recommended"].sel(scenario="toxic").to_numpy()
        assert np.isnan(doses).mean() == row["estimate"]
        assert json.loads(tree.attrs["fits"])


def test_the_manifest_vouches_for_every_file(run):
    folder = run[0]
    content = verify(folder)
    kept = {"manifest.json", "journal.json"}
    files = {p.relative_to(folder).as_posix() for p in folder.rglob("*")
             if p.is_file() and p.parent.name != "blocks"}  # fmt: skip
    assert files == set(content["files"]) | kept
    assert content["kind"] == "a simulation"


def test_a_second_run_resumes_and_writes_the_same_files(files, run):
    folder = run[0]
    before = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["files"]
    again = ["simulate", files[0], "--scenarios", files[1], "--trials", 20, "--out", folder,
             "--particles", 256, "--quiet"]  # fmt: skip
    status, _, err = call(*again)
    assert status == 1
    assert "--resume" in err
    status, out, err = call(*again, "--resume")
    assert (status, err) == (0, "")
    assert out == run[1]
    after = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["files"]
    assert after == before


def test_analyses_and_simulations_do_not_share_a_folder(run, tmp_path):
    folder = run[0]
    data = tmp_path / "data.csv"
    data.write_text("ID,Dose,Toxicity,Efficacy\n1,1,0,0\n", encoding="utf-8")
    status, _, err = call("run", MODELS / "efftox-thall2014.toml", data, "--out", folder)
    assert status == 1
    assert "holds a simulation" in err
    with pytest.raises(dob.ResultsError, match="holds a simulation"):
        dob.load_results(folder)


def test_everything_wrong_with_both_files_is_said_before_anything_runs(files, tmp_path):
    spec, truths, out = tmp_path / "spec.toml", tmp_path / "truths.toml", tmp_path / "oc"
    spec.write_text(THALL.replace("cohort = 3", "cohorts = 3"), encoding="utf-8")
    truths.write_text(TRUTHS.replace("0.40]", "40]"), encoding="utf-8")
    status, _, err = call("simulate", spec, "--scenarios", truths, "--trials", 9, "--out", out)
    assert status == 1
    assert "did you mean 'cohort'?" in err
    assert "-> 0.4?" in err
    assert not out.exists()


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--trials", "0"], "n_trials = 0"),
        (["--particles", "10"], "particles = 10"),
        (["--seed", "-1"], "seed = -1"),
        (["--workers", "0"], "workers = 0"),
    ],
)
def test_numbers_that_are_none_are_refused(files, tmp_path, more, said):
    base = ["simulate", files[0], "--scenarios", files[1], "--out", tmp_path / "oc"]
    base += [] if "--trials" in more else ["--trials", "5"]
    status, _, err = call(*base, *more)
    assert status == 1
    assert said in err
    assert not (tmp_path / "oc").exists()


def test_a_specification_without_a_design_says_what_to_add(files, tmp_path):
    status, _, err = call("simulate", OPTIC, "--scenarios", files[1], "--trials", 5, "--out",
                          tmp_path / "oc")  # fmt: skip
    assert status == 1
    assert "there is no [design] to simulate -> add [design]" in err


def test_check_prints_the_paragraph_of_the_design(capsys):
    assert main(["check", str(MODELS / "efftox-thall2014.toml")]) == 0
    assert "design: The first cohort of 3 patients receives 1 mg." in capsys.readouterr().out
