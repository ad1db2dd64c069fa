"""I06, I09, I10: changed inputs, changed versions, other locales and clocks."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import doseopt_bayes as dob
from doseopt_bayes.errors import ResultsError
from doseopt_bayes.report.compare import moved, previous
from doseopt_bayes.report.history import history
from doseopt_bayes.report.manifest import about, compare_with_previous, read_manifest, seal
from doseopt_bayes.report.results import results_tree

SOURCE = Path(dob.__file__).parent


def test_i06_changed_data_and_specification_are_said_before_they_replace_results(saved, analysis, trial, tmp_path):  # fmt: skip
    same = dob.Spec.load(analysis.plan.file)
    assert compare_with_previous(saved, same.read(trial), same.plan) == []
    other = tmp_path / "interim.csv"
    other.write_text(trial.read_text(encoding="utf-8").replace("006,2,1,1", "006,2,0,1"), encoding="utf-8")  # fmt: skip
    seed = tmp_path / "spec.toml"
    text = analysis.plan.file.read_text(encoding="utf-8")
    seed.write_text(text.replace("seed = 20250101", "seed = 20250102"), encoding="utf-8")
    changed = dob.Spec.load(seed)
    data, spec = compare_with_previous(saved, changed.read(other), changed.plan)
    assert data.startswith(f"the data differ from those of the results in '{saved}'")
    assert "rows that differ: 7" in data
    assert spec.startswith("the specification differs from that of the results")
    assert "efftox-thall2014 1.1.0" in spec


def interim(analysis, folder, number, **attrs):
    """Save what the history reads, with other attributes."""
    tree = results_tree(analysis)
    tree.attrs.update(attrs)
    place = folder / f"interim-{number:02d}"
    place.mkdir(parents=True)
    only = xr.DataTree.from_dict({"decision": tree["decision"].to_dataset()})
    only["decision"].dataset = (
        only["decision"]
        .to_dataset()
        .map(lambda x: x.astype("int8") if x.dtype == bool else x, keep_attrs=True)
    )
    only.attrs = {k: v for k, v in tree.attrs.items() if k != "created_at"}
    only.to_netcdf(place / "results.nc", engine="h5netcdf")
    seal(place, [place / "results.nc"], about(analysis))


def test_i06_interims_of_one_specification_and_two_models_are_not_put_together(analysis, tmp_path):
    interim(analysis, tmp_path / "a", 1)
    interim(analysis, tmp_path / "a", 2)
    assert history(tmp_path / "a").attrs["amended"] == []
    interim(analysis, tmp_path / "a", 3, model_fingerprint="0" * 64)
    with pytest.raises(ResultsError, match=r"interims 1 and 3 .*model_fingerprint"):
        history(tmp_path / "a")
    # an amendment, or an upgrade, may change the model: the first is marked, the second is compared
    interim(analysis, tmp_path / "b", 1)
    interim(analysis, tmp_path / "b", 2, model_fingerprint="0" * 64, spec_sha256="1" * 64)
    interim(analysis, tmp_path / "b", 3, model_fingerprint="2" * 64, version_pymc="6.4.99")
    assert history(tmp_path / "b").attrs["amended"] == [2, 3]


def test_i09_versions_are_in_the_report_the_results_and_the_manifest(saved):
    made_by = read_manifest(saved)["made_by"]
    report = (saved / "report.html").read_text(encoding="utf-8")
    attrs = dob.load_results(saved).attrs
    for package in ("pymc", "pytensor", "nutpie", "arviz", "numpy", "xarray", "doseopt_bayes"):
        version = attrs[f"version_{package}"]
        assert made_by[package] == version
        assert version in report
    assert made_by["model_fingerprint"] == attrs["model_fingerprint"]


def test_i09_what_other_versions_moved_is_said_in_monte_carlo_errors(saved, analysis):
    before = previous(saved)
    assert moved(before, analysis) == []  # nothing changed
    assert moved(None, analysis) == []
    before.attrs["version_pymc"] = "6.3.0"
    (said,) = moved(before, analysis)
    pymc = analysis.posterior.tree.attrs["version_pymc"]
    assert f"(pymc 6.3.0 -> {pymc}): the answer is the same; the largest difference is 0.0" in said
    table = before["decision"].to_dataset()
    error = float(table["p_eff_mcse"].sel(dose=2.0))
    table["p_eff"].loc[{"dose": 2.0}] += 5 * np.sqrt(2) * error
    table["status"] = xr.full_like(table["status"], "none")
    before["decision"].dataset = table
    said, warned = moved(before, analysis)
    assert "the answer DIFFERS; the largest difference is 5.0 combined Monte Carlo errors (p_eff at dose 2)" in said  # fmt: skip
    assert "is not noise" in warned
    before.attrs["data_sha256"] = "another"
    assert moved(before, analysis) == []  # other data: said elsewhere, and no matter of versions


def test_i09_damaged_results_are_no_comparison(saved, tmp_path):
    shutil.copytree(saved, tmp_path / "copy")
    (tmp_path / "copy" / "results.nc").write_bytes(b"x")
    assert previous(tmp_path / "copy") is None


SPEAK = """
import json, locale, sys, pathlib
said = locale.setlocale(locale.LC_ALL, "")
import doseopt_bayes as dob
from doseopt_bayes.decision import prose
import numpy as np
n = locale.str(1.5)
spec = dob.Spec.load(sys.argv[1]); data = spec.read(sys.argv[2])
words = [str(x) for x in (spec.model, spec.utility, spec.rules, data, data.disposition.to_csv(index=False))]
words += [prose.probability(0.417), prose.precise(0.0966), f"{1234567.5:,}"]
from doseopt_bayes.locks import locked
with locked(sys.argv[3]): since = json.loads((pathlib.Path(sys.argv[3]) / ".doseopt.lock").read_text())["since"]
print(json.dumps({"locale": said, "point": n, "words": words, "sha": [data.sha256, spec.plan.hash], "since": since}))
"""


def spoken(analysis, trial, folder, **environment):
    done = subprocess.run(
        [sys.executable, "-c", SPEAK, str(analysis.plan.file), str(trial), str(folder)],
        env=os.environ | environment, capture_output=True, text=True, check=True, encoding="utf-8",
    )  # fmt: skip
    return json.loads(done.stdout)


def test_i10_a_german_locale_and_clock_change_no_text(analysis, trial, tmp_path):
    made = False
    if program := shutil.which("localedef"):
        command = [program, "-i", "de_DE", "-f", "UTF-8", str(tmp_path / "de_DE.UTF-8")]
        made = subprocess.run(command, capture_output=True, check=False).returncode == 0
    plain = spoken(analysis, trial, tmp_path, LC_ALL="C.UTF-8", TZ="UTC")
    german = {"LC_ALL": "de_DE.UTF-8", "LOCPATH": str(tmp_path)} if made else {"LC_ALL": "C.UTF-8"}
    other = spoken(analysis, trial, tmp_path, **german, TZ="Europe/Berlin")
    if made:
        assert (plain["point"], other["point"]) == ("1.5", "1,5")  # the locale is really in force
    assert other["words"] == plain["words"]
    assert other["sha"] == plain["sha"]
    assert other["since"].endswith("+00:00")


def test_i10_no_file_asks_for_the_locale_or_for_local_time():
    """A number or a date is written in one way everywhere: no locale, no strftime, UTC."""
    for path in SOURCE.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        for word in (
            "import locale",
            "strftime",
            "utcnow",
            "fromtimestamp",
            "date.today",
            "ctime(",
        ):
            assert word not in text, f"{word} in {path.name}"
        for call in ast.walk(ast.parse(text)):
            if isinstance(call, ast.FormattedValue) and call.format_spec is not None:
                assert not re.search(r"n'?$", ast.unparse(call.format_spec)), path.name
            if isinstance(call, ast.Call) and ast.unparse(call.func).endswith("datetime.now"):
                assert ast.unparse(call.args[0]) == "dt.UTC", path.name


def test_i10_the_clock_is_in_the_manifest_alone_in_utc(saved, analysis):
    written = read_manifest(saved)["written_utc"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", written)
    for path in saved.rglob("*"):
        if path.suffix in (".html", ".csv", ".svg") and path.is_file():
            assert written[:10] not in path.read_text(encoding="utf-8"), path.name
    assert "created_at" not in dob.load_results(saved).attrs
