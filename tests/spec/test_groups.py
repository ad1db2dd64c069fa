"""Groups of patients are declared in a specification like every other column."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from doseopt_bayes import datasets
from doseopt_bayes.data import TrialData
from doseopt_bayes.errors import SpecError
from doseopt_bayes.spec.build import Builder
from doseopt_bayes.spec.parse import READERS
from doseopt_bayes.spec.spec import Spec

THALL = (Path(__file__).parents[2] / "models" / "efftox-thall2014.toml").read_text(encoding="utf-8")
GROUPS = """
[data.groups]
subgroup = "Tumour"

[data.group_levels]
subgroup = ["laBCC", "mBCC"]
"""
BOLT = """
kind = "counts"
dose = "dose"
unit_column = "unit"
eff = "eff"
n_eff = "n_eff"
tox = "tox"
n_tox = "n_tox"
groups = { subgroup = "subgroup" }
group_levels = { subgroup = ["mBCC", "laBCC"] }
together = "all"
"""


def loaded(tmp_path, more):
    assert "[model]" in THALL
    file = tmp_path / "spec.toml"
    file.write_text(THALL.replace("[model]", f"{more}\n[model]", 1), encoding="utf-8")
    return Spec.load(file)


def test_groups_come_back_from_a_file(tmp_path):
    columns = loaded(tmp_path, GROUPS).plan.columns
    assert columns.groups == {"subgroup": "Tumour"}
    assert columns.group_levels == {"subgroup": ("laBCC", "mBCC")}


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('["laBCC", "mBCC"]', '"laBCC"', "data.group_levels.subgroup = 'laBCC': must be a list"),
        ('["laBCC", "mBCC"]', "[1, 2]", "data.group_levels.subgroup[0] = 1: must be text"),
        ('subgroup = ["', 'subgrp = ["', "did you mean 'subgroup'?"),
        ('subgroup = "Tumour"', "subgroup = 3", "data.groups.subgroup = 3: must be text"),
        ("[data.groups]", "[data.group]", "unknown key 'group' -> did you mean 'groups'?"),
    ],
)
def test_faults_of_groups_name_their_key(tmp_path, old, new, said):
    assert old in GROUPS
    with pytest.raises(SpecError) as caught:
        loaded(tmp_path, GROUPS.replace(old, new))
    assert said in str(caught.value)


def test_a_table_of_counts_is_read_as_its_file_says():
    build = Builder("bolt.toml")
    columns = build.kind(READERS, tomllib.loads(BOLT), "data")
    assert not build.problems
    trial = TrialData.from_counts(datasets.path("bolt"), columns)
    assert trial.groups == {"subgroup": ("mBCC", "laBCC")}
    assert trial.counts["events"].sel(endpoint="eff").to_numpy().tolist() == [[1, 4], [37, 59]]
    assert trial.counts["events_together"].sel(endpoint="tox").to_numpy().tolist() == [34, 96]
