"""The comparison of arms as a user of the command line meets it."""

from __future__ import annotations

import contextlib
import io
import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.integrate import quad
from scipy.stats import beta

import doseopt_bayes as dob
from doseopt_bayes.cli import main
from doseopt_bayes.report.manifest import verify

MODELS = Path(__file__).parents[1] / "models"
BOLT = MODELS / "arms-bolt-sonidegib.toml"
OPTIC = MODELS / "arms-optic-ponatinib.toml"
PLAN = MODELS / "sample-size-two-arms.toml"
COUNTS = "dose,unit,n_eff,eff,n_tox,tox\n45,mg,93,41,94,5\n30,mg,93,27,94,5\n15,mg,91,21,94,3\n"


def call(*arguments):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = main([str(a) for a in arguments])
    return status, out.getvalue(), err.getvalue()


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """Run the shipped comparison of BOLT once, without its alternative; return folder and prints."""
    folder = tmp_path_factory.mktemp("arms")
    text = BOLT.read_text(encoding="utf-8")
    short = re.sub(r"\[alternative.*\n.*\n", "", text)
    assert short != text
    spec = folder / "bolt.toml"
    spec.write_text(short, encoding="utf-8")
    status, out, err = call("arms", spec, "--out", folder / "out")
    assert status == 0, err
    return folder / "out", out, err


def test_in_bolt_the_lower_dose_meets_every_margin_and_everybody_agrees(done):
    folder, out, _ = done
    assert "200 mg is recommended" in out
    assert "All 3 configurations lead to 200 mg." in out
    assert (
        out.count("the lower dose meets the criteria") == 1
    )  # one verdict: the margins are shared
    for path in re.findall(r"^(?:report|figures|results) +(.+)$", out, flags=re.MULTILINE):
        assert Path(path).exists()
    table = pd.read_csv(folder / "margins.csv")
    joint = table[(table["configuration"] == "agency") & (table["margin"] == "all at once")]
    assert joint["status"].item() == "met"
    assert joint["probability"].item() - 3 * joint["mcse"].item() > 0.8


def test_the_numbers_are_those_of_an_independent_integral(done):
    """Discontinuations: 24 of 79 and 60 of 150, by themselves under Beta(1/2, 1/2)."""
    low, high = beta(24.5, 55.5), beta(60.5, 90.5)
    exact = quad(lambda x: low.pdf(x) * high.sf(x), 0, 1, epsabs=1e-10)[0]
    table = pd.read_csv(done[0] / "margins.csv")
    row = table[(table["configuration"] == "agency") & table["margin"].str.startswith("disc")]
    assert abs(row["probability"].item() - exact) < 4 * row["mcse"].item()
    pairs = pd.read_csv(done[0] / "pairs.csv")
    stop = pairs[(pairs["configuration"] == "agency") & (pairs["endpoint"] == "discontinuation")]
    mean = low.mean() - high.mean()
    assert abs(stop["difference"].item() - mean) < 4 * stop["difference_mcse"].item()


def test_rates_that_were_counted_apart_are_those_of_their_own_counts(done):
    """Differences of two independent Betas: 38 of 79 and 63 of 151 responded, 34 of 79 and 96 of 150 had an event."""
    pairs = pd.read_csv(done[0] / "pairs.csv").set_index(["configuration", "endpoint"])
    for end, (x, n, y, m) in {"eff": (38, 79, 63, 151), "tox": (34, 79, 96, 150)}.items():
        low, high = beta(x + 0.5, n - x + 0.5), beta(y + 0.5, m - y + 0.5)
        found = pairs.loc[("agency", end)]
        assert abs(found["difference"] - (low.mean() - high.mean())) < 4 * found["difference_mcse"]
        above = quad(lambda u: low.pdf(u) * high.cdf(u), 0, 1, epsabs=1e-10)[0]  # noqa: B023
        assert abs(found["prob_higher"] - above) < 4 * found["prob_higher_mcse"]
        for q in ("low", "high"):
            column = f"difference_{q} (95 % equal-tailed)"
            share = quad(lambda u: low.pdf(u) * high.sf(u - found[column]), 0, 1, epsabs=1e-10)[0]  # noqa: B023
            tail = 0.025 if q == "low" else 0.975
            assert share == pytest.approx(tail, abs=0.008)


def test_a_prior_on_cells_is_refused_for_counts_of_each_outcome(tmp_path):
    text = BOLT.read_text(encoding="utf-8")
    spec = tmp_path / "cells.toml"
    spec.write_text(text.replace('prior_on = "margins"\n', ""), encoding="utf-8")
    for command in ("check", "arms"):
        out = ["--out", tmp_path / "out"] if command == "arms" else []
        status, _, err = call(command, spec, *out)
        assert status == 1
        assert "at 200 mg toxicity was counted in 79 and efficacy in 79 patients" in err
        assert 'prior_on = "margins"' in err
    assert not (tmp_path / "out").exists()


def test_the_report_needs_no_network_and_shows_the_numbers_of_the_tables(done):
    folder, out, _ = done
    report = (folder / "report.html").read_text(encoding="utf-8")
    assert not re.search(r'(?:src|href)="(?!data:)', report)
    assert "<script" not in report
    assert report.index("Question.") < report.index("1. Answer") < report.index("2. Observed")
    for word in ("38/79 = 48.1%", "Discontinuation", "DRAFT", "R-hat", "subgroups added up",
                 "illustration, not elicited", "Association of the endpoints", "Clopper-Pearson",
                 "Benefit-risk plane", "Clinical Utility Index by dose", "specification_sha256"):  # fmt: skip
        assert word.lower() in report.lower(), word
    table = dob.load_results(folder)["configurations"].to_dataset()
    row = table.sel(configuration="patient", dose=200)
    shown = f"{float(row['utility']):.3f}"
    assert shown in report
    frame = pd.read_csv(folder / "configurations.csv")
    here = frame[(frame["configuration"] == "patient") & (frame["dose"] == 200)]
    np.testing.assert_allclose(here["utility"].item(), float(row["utility"]), rtol=1e-12)
    joint = table["joint"].sel(configuration="agency").item()
    assert f"{joint:.3f} ±" in report
    band = pd.read_csv(folder / "association.csv")
    assert set(band["strength"]) == {-1, -0.5, 0, 0.5, 1}
    assert "sensitivity, physician:" in out


def test_the_manifest_vouches_for_every_file_and_the_folder_keeps_its_kind(done):
    folder = done[0]
    manifest = verify(folder)
    assert manifest["kind"] == "a comparison of arms"
    files = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    assert files == {*manifest["files"], "manifest.json"}
    assert "figures/01-arms.png" in files
    assert "agency (version 1)" in manifest["made_by"]["configurations"]
    assert "20260109" in json.dumps(manifest["made_by"])
    status, _, err = call("plan", PLAN, "--out", folder)
    assert status == 1
    assert "holds a comparison of arms" in err
    status, _, err = call("report", folder)
    assert status == 1
    assert "doseopt arms SPEC --out DIR makes its report again" in err


def test_check_knows_comparisons_and_plans(tmp_path):
    status, out, err = call("check", OPTIC)
    assert status == 0, err
    assert "no problems (id arms-optic-ponatinib" in out
    assert "margin: eff: low - high > -0.1 (higher is better)" in out
    assert "configuration 'patient', version 1" in out
    assert "pairs: every pair of arms with patients" in out
    status, out, err = call("check", PLAN)
    assert status == 0, err
    assert "no problems (id sample-size-two-arms" in out
    assert "no-go if events <=" in out
    bad = tmp_path / "plan.toml"
    text = PLAN.read_text(encoding="utf-8")
    bad.write_text(text.replace("[0.15, 0.35]", "[0.15, 0.35, 0.4]"), encoding="utf-8")
    status, _, err = call("check", bad)
    assert status == 1
    assert "for each of 2 arms" in err or "p_tox" in err


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('better = "higher"\n\n[[margin]]', "\n[[margin]]", "a direction is never guessed"),
        ("weights = { p_eff = 4.0, p_tox = 1.0 }", "weights = { p_eff = 0.0, p_tox = 0.0 }",
         "weights 'physician' sum to 0"),
        ('# pairs = [["15 mg", "45 mg"]]', 'pairs = [["15 mcg", "45 mcg"]]',
         "arm '15 mcg' is in 'mcg', the doses are in 'mg'"),
    ],
)  # fmt: skip
def test_a_faulty_file_costs_no_sampling(tmp_path, old, new, said):
    text = OPTIC.read_text(encoding="utf-8")
    assert old in text
    spec = tmp_path / "arms.toml"
    spec.write_text(text.replace(old, new), encoding="utf-8")
    for command in ("arms", "check"):
        out = ["--out", tmp_path / "out"] if command == "arms" else []
        status, _, err = call(command, spec, *out)
        assert status == 1
        assert said in err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        (COUNTS.replace("94,3", "94,95"), "tox = 95"),
        (COUNTS.replace("30,mg", "15,mg"), "dose 15 stands in rows 3 and 4"),
        (COUNTS.replace("15,mg", "15,g"), "'g'"),
    ],
)  # fmt: skip
def test_faulty_counts_cost_no_sampling_and_leave_a_list_beside_them(tmp_path, counts, said):
    data = tmp_path / "counts.csv"
    data.write_text(counts, encoding="utf-8")
    status, _, err = call("arms", OPTIC, data, "--out", tmp_path / "out")
    assert status == 1
    assert said in err
    assert (tmp_path / "counts.problems.csv").exists()
    assert not (tmp_path / "out").exists()


def test_the_wrong_command_names_the_right_one(tmp_path):
    for command, spec, said in (
        ("run", OPTIC, "doseopt arms"),
        ("run", PLAN, "doseopt plan"),
        ("arms", PLAN, "doseopt plan"),
    ):
        status, _, err = call(command, spec, "--out", tmp_path / "out")
        assert status == 1
        assert said in err
    status, _, err = call("arms", MODELS / "optic-ponatinib.toml", "--out", tmp_path / "out")
    assert status == 1
    assert "it compares no arms -> doseopt run reads an analysis" in err
    assert not (tmp_path / "out").exists()
