"""The shipped analysis of toxicity alone, end to end: nothing is drawn or claimed about efficacy."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import doseopt_bayes as dob
from doseopt_bayes.plots import FIGURES

SPEC = Path(__file__).parents[2] / "models" / "blrm-single-agent.toml"


@pytest.fixture(scope="module")
def analysis():
    return dob.Spec.load(SPEC).run()


def test_the_dose_of_the_published_example_is_recommended(analysis):
    assert float(analysis.decision.recommended) == 15.0
    others = [float(a.decision.leading) for a in analysis.alternatives.values()]
    assert others == [15.0]
    assert analysis.posterior.notes == ("no patients at 15, 20, 30, 40, 50, 75, 100 mg",)


def test_nothing_is_said_of_efficacy(analysis, tmp_path):
    folder = tmp_path / "out"
    dob.save(analysis, folder)
    html = (folder / "report.html").read_text(encoding="utf-8")
    for text in (re.sub(r"data:image[^\"]*", "", html), str(analysis.decision)):
        assert not re.search(r"p_eff|p_cell|efficacy|response|\beff\b|\bOBD:", text, re.IGNORECASE)
    assert "overdose bound of Pr(p_tox &gt; 0.33) &lt; 0.25" in html
    assert "must stay below 0.25" in html


@pytest.mark.parametrize("name", FIGURES)
def test_figures_read_toxicity_alone_or_do_not_apply(name, analysis):
    kind = FIGURES[name]
    of_groups = ("obd_map", "subgroup_curves", "subgroup_forest", "borrowing")
    if name in ("tradeoff", "cui", *of_groups):
        assert not kind.applies(analysis)
        return
    assert kind.applies(analysis)
    data = kind.data(analysis)
    assert "p_eff" not in str(data)
    if name in ("curve", "prior"):
        assert data["variable"].to_numpy().tolist() == ["p_tox"]
    said = f"{kind.title} {kind.words(data)}"
    assert "fficacy" not in said


def test_saved_results_come_back_with_the_same_answer(analysis, tmp_path):
    dob.save(analysis, tmp_path / "out")
    again = dob.load_analysis(tmp_path / "out")
    assert str(again.decision) == str(analysis.decision)
