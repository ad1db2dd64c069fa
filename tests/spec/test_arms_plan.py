"""A plan's file: what it builds, and every problem of it at once."""

from __future__ import annotations

from pathlib import Path

import pytest

import doseopt_bayes as dob
from doseopt_bayes.errors import SpecError

PLAN = Path(__file__).parents[2] / "models" / "sample-size-two-arms.toml"
TEXT = PLAN.read_text(encoding="utf-8")
UTILITY = """
[utility]
kind = "cui"
attributes.p_eff = { weight = 2, direction = "benefit" }
attributes.p_tox = { weight = 1, direction = "harm" }
[[rule]]
kind = "tolerable"
limit = 0.4
certainty = 0.5
"""


def written(folder, text):
    path = folder / "plan.toml"
    path.write_text(text, encoding="utf-8")
    return path


def without_margins(text):
    first, last = text.index("[[margin]]"), text.index("[[scenario]]")
    text = text[:first] + UTILITY + text[last:]
    return text.replace(
        'kind = "keeps_margins"\ncertainty = 0.6', 'kind = "highest_utility"\ngive_up = 0.05'
    )


def test_the_file_runs_as_the_calls_do():
    spec = dob.PlanSpec.load(PLAN)
    found = spec.run()
    margins = (
        dob.Margin("eff", 0.15, "difference", "higher"),
        dob.Margin("tox", 0.0, "difference", "lower"),
    )
    again = dob.plan_arms((15, 45), spec.scenarios, dob.KeepsMargins(margins, 0.6), sizes=(20, 30, 40, 60, 80),
                          correct=0.8, worse=0.2, seed=20260107, unit="mg")  # fmt: skip
    assert found.table.identical(again.table)
    ((endpoint, boundaries),) = spec.boundaries
    assert endpoint == "eff"
    assert boundaries == dob.go_no_go(0.2, (10, 20, 30, 40), better="higher", no_go_below=0.1)


def test_the_other_rule_is_built_of_utility_and_rules(tmp_path):
    spec = dob.PlanSpec.load(written(tmp_path, without_margins(TEXT)))
    cui = dob.CUI({"p_eff": dob.Attribute(2, "benefit"), "p_tox": dob.Attribute(1, "harm")})
    assert spec.rule == dob.HighestUtility(cui, dob.Tolerable(0.4, certainty=0.5), give_up=0.05)


def test_the_hash_is_that_of_the_content(tmp_path):
    one = dob.PlanSpec.load(written(tmp_path, TEXT + "# a comment\n")).hash
    assert one == dob.PlanSpec.load(PLAN).hash
    assert one != dob.PlanSpec.load(written(tmp_path, TEXT.replace("0.15 ", "0.1 "))).hash


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('better = "higher"\n\n[[margin]]', "\n[[margin]]", "better is missing"),
        ("sizes = [20, 30", "sizes = [20.5, 30", "whole numbers of patients"),
        ("correct = 0.8", 'correct = "0.8"', "must be a number"),
        ('kind = "keeps_margins"', 'kind = "keep_margins"', "keeps_margins"),
        ("seed = 20260107", "", "'seed' is missing"),
        ("p_eff = [0.45, 0.45]", "p_eff = [45, 45]", "0.45?"),
        ("low dose loses", "low dose keeps", "two scenarios have this name"),
        ("looks = [10, 20", "looks = [20, 20", "looks"),
        ("schema = 1", "schema = 9", "schema"),
        ("[choice]", "[chioce]", "choice"),
    ],
)
def test_problems_are_named(tmp_path, old, new, said):
    assert old in TEXT
    with pytest.raises(SpecError) as found:
        dob.PlanSpec.load(written(tmp_path, TEXT.replace(old, new)))
    assert said in str(found.value)


def test_all_problems_are_said_at_once_and_weights_of_zero_are_one(tmp_path):
    text = (
        without_margins(TEXT)
        .replace("weight = 2", "weight = 0")
        .replace("weight = 1", "weight = 0")
    )
    with pytest.raises(SpecError) as found:
        dob.PlanSpec.load(written(tmp_path, text.replace("correct = 0.8", "")))
    assert len(found.value.items) == 2
    assert "weight > 0" in str(found.value)
    with pytest.raises(SpecError, match="does not exist"):
        dob.PlanSpec.load(tmp_path / "no.toml")


def test_a_section_that_the_choice_does_not_read_is_refused(tmp_path):
    with pytest.raises(SpecError, match="does not read"):
        dob.PlanSpec.load(written(tmp_path, TEXT + UTILITY))
