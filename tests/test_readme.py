"""What the README shows is what a new user gets."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import doseopt_bayes as dob

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)


def test_the_notebook_example_runs_and_recommends_the_published_dose(tmp_path, monkeypatch, capsys):
    code = EXAMPLES[0]
    monkeypatch.chdir(tmp_path)
    scope: dict[str, object] = {}
    exec(compile(code, "README.md", "exec"), scope)  # noqa: S102
    assert "4 mg is recommended" in capsys.readouterr().out
    report = (tmp_path / "results" / "interim-1" / "report.html").read_text(encoding="utf-8")
    assert "NOT PRE-SPECIFIED" in report
    statements = [s for s in ast.parse(code).body if not isinstance(s, ast.Import)]
    assert len(statements) <= 10


def test_the_example_of_subgroups_shrinks_and_gives_each_a_dose(monkeypatch, capsys):
    code = EXAMPLES[1]
    monkeypatch.chdir(ROOT)
    scope: dict[str, object] = {}
    exec(compile(code, "README.md", "exec"), scope)  # noqa: S102  (two_forms of a disease)
    said = capsys.readouterr().out
    rate = float(scope["post"].expect(scope["post"]["p_eff"]).sel(subgroup="mBCC", dose=200))
    assert 1 / 13 < rate < 37 / 66
    assert abs(rate - 0.195) < 0.01
    for who in ("laBCC", "mBCC", "whole population"):  # the dose that the regulators approved
        assert f"{who}: 200 mg is recommended" in said
    assert len(code.strip().splitlines()) <= 15


def test_the_example_of_exposure_response_runs_and_says_what_is_not_identified(capsys):
    code = EXAMPLES[2]
    scope: dict[str, object] = {}
    exec(compile(code, "README.md", "exec"), scope)  # noqa: S102
    said = capsys.readouterr().out
    at = scope["at"].expect(scope["at"]["p_hyperglycaemia"]).sel(dose=[200, 400]).to_numpy()
    assert abs(at - [45 / 250, 93 / 250]).max() < 0.05  # what was observed
    assert "not identified by the data" in said
    assert len(code.strip().splitlines()) <= 15


def test_the_example_of_designs_compares_them_and_names_the_next_dose(capsys):
    scope: dict[str, object] = {}
    exec(compile(EXAMPLES[3], "README.md", "exec"), scope)  # noqa: S102
    said = capsys.readouterr().out
    assert "right answer 20 mg" in said
    assert "treat 20 mg" in said  # BOIN stays with one toxicity in three
    assert "20: NTT -> treat 10 mg" in said
    assert len(EXAMPLES[3].strip().splitlines()) <= 15


def test_every_public_name_stands_in_the_map_of_the_house():
    house = README[README.index("## Map of the house") :]
    missing = [n for n in dob.__all__ if not re.search(rf"\b{n}\b", house)]
    assert not missing
