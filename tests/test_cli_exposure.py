"""The exposure-response analysis as a user of the command line meets it."""

from __future__ import annotations

import contextlib
import io
import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import special

import doseopt_bayes as dob
from doseopt_bayes.cli import main
from doseopt_bayes.report.manifest import verify

SHIPPED = Path(__file__).parents[1] / "models" / "er-hyperglycaemia.toml"
# the least that the diagnostics gate takes
SHORT = SHIPPED.read_text(encoding="utf-8").replace(
    "seed = 20240607", "seed = 20240607\ndraws = 1000\ntune = 500"
)


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """Run the shipped specification once, with few draws; return folder and what was printed."""
    folder = tmp_path_factory.mktemp("er")
    spec = folder / "er.toml"
    spec.write_text(SHORT, encoding="utf-8")
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        assert main(["run", str(spec), "--out", str(folder / "out")]) == 0
    return folder, out.getvalue(), err.getvalue()


def test_report_tables_and_results_have_the_same_numbers(done):
    folder, out, _ = done
    place = folder / "out"
    report = (place / "report.html").read_text(encoding="utf-8")
    tree = dob.load_results(place)
    p = tree["predicted"]["p_hyperglycaemia"]
    table = pd.read_csv(place / "by_dose.csv").set_index("dose")
    for dose in (100.0, 200.0, 300.0, 400.0):
        at = p.sel(dose=dose)
        mean = f"{float(at.mean()):.2f} ±"
        assert mean in report
        assert mean in out
        np.testing.assert_allclose(table.loc[dose, "median"], np.median(at), rtol=1e-12)
    above = float((p.sel(dose=400.0) > 0.3).mean())
    assert f"{above:.2f} ±" in report
    levels = pd.read_csv(place / "quantities.csv").set_index("share")
    ec50 = tree["posterior"]["ec50"]
    np.testing.assert_allclose(levels.loc[0.5, "exposure_median"], np.median(ec50), rtol=1e-9)


def test_the_curve_lies_where_an_independent_average_of_the_draws_puts_it(done):
    tree = dob.load_results(done[0] / "out")
    data = dob.ExposureSpec.load(SHIPPED).read()
    post = {v: x.to_numpy().ravel()[::4] for v, x in tree["posterior"].data_vars.items()}
    at = data.table[data.table["dose"] == 400.0]
    x = at["AUCss"].to_numpy()[:, None]
    eta = post["e0"] + post["emax"] * x / (post["ec50"] + x)
    eta = eta + post["e0_BGLUC"] * (at["BGLUC"].to_numpy()[:, None] - 6)
    eta = eta + post["e0_BHBA1C"] * (at["BHBA1C"].to_numpy()[:, None] - 40) / 5
    mine = special.expit(eta).mean()
    theirs = float(tree["predicted"]["p_hyperglycaemia"].sel(dose=400.0).mean())
    assert abs(mine - theirs) < 0.02  # log-normal exposures there, those of the patients here
    assert abs(mine - 93 / 250) < 0.06  # what was observed


def test_the_answer_ranks_nothing_and_says_so(done):
    _, out, err = done
    assert "No dose is recommended: the specification gives no utility." in out
    assert "0 (untested: predicted)" in out
    assert "note: 100 mg: untested, no patient got it; it is predicted" in err
    for path in re.findall(r"^(?:report|figures|results) +(.+)$", out, flags=re.MULTILINE):
        assert Path(path).exists()


def test_the_report_is_one_page_with_model_ledger_and_provenance(done):
    report = (done[0] / "out" / "report.html").read_text(encoding="utf-8")
    assert not re.search(r'(?:src|href)="(?!data:)', report)
    assert "<script" not in report
    for word in ("Disposition of patients", "hyperglycaemia of grade 2 or more", "Figure 4.", "DRAFT",
                 "Normal(mean 0, sd 2.5)", "R-hat", "specification_sha256", "Covariate effects",
                 "Read = analysed + excluded", "prior-driven"):  # fmt: skip
        assert word in report


def test_a_second_quiet_run_gives_the_same_bytes_and_final_leaves_out_the_stamps(
    done, tmp_path, capsys
):
    folder = done[0]
    assert main(["run", str(folder / "er.toml"), "--out", str(tmp_path / "again"), "--quiet"]) == 0
    assert capsys.readouterr().err == ""
    first, second = verify(folder / "out"), verify(tmp_path / "again")
    assert first["files"] == second["files"]
    assert first["made_by"] == second["made_by"]
    assert {p.relative_to(folder / "out").as_posix() for p in (folder / "out").rglob("*")
            if p.is_file()} == {*first["files"], "manifest.json"}  # fmt: skip


def test_no_row_of_a_patient_is_kept(done):
    tree = dob.load_results(done[0] / "out")
    assert not [n.path for n in tree.subtree if "patient" in n.dataset.dims]
    assert json.loads(tree.attrs["data_disposition"])


def test_results_of_one_kind_are_not_written_over_another(done):
    with pytest.raises(dob.ResultsError, match="holds an exposure-response analysis"):
        dob.load_analysis(done[0] / "out")


def test_check_says_what_is_asked_without_sampling(capsys):
    assert main(["check", str(SHIPPED)]) == 0
    said = capsys.readouterr().out
    assert "candidate doses: 100, 200, 300, 400 mg; exposure at a dose: power model" in said
    assert "no utility: no dose is ranked" in said
    assert "500 rows" in said


def test_what_is_wrong_is_refused_before_sampling(tmp_path, capsys):
    bad = tmp_path / "bad.toml"
    bad.write_text(SHORT.replace('shape = "emax" ', 'shape = "emaxx" '), encoding="utf-8")
    for command in ("check", "run"):
        assert main([command, str(bad)]) == 1
        assert "did you mean 'emax'?" in capsys.readouterr().err
    assert main(["run", str(SHIPPED), "--add", "--out", str(tmp_path / "x")]) == 1
    assert "--add keeps the interims" in capsys.readouterr().err
