"""Faults of groups: each is refused at its rows, with one repair; nothing is guessed or dropped."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import pytest

from doseopt_bayes.data import PatientColumns, TrialData
from doseopt_bayes.data.disposition import check_disposition, disposition
from doseopt_bayes.errors import DataError, DoseOptError

HEAD = "id,dose,site,tox,eff\n"
CLEAN = HEAD + "001,10,NSCLC,0,0\n002,10,SCLC,0,1\n003,20,NSCLC,1,1\n004,20,SCLC,0,1\n"
LEVELS = {"subgroup": ("NSCLC", "SCLC")}


@dataclass(frozen=True)
class Fault:
    """A bad input, and what the error must name."""

    text: str
    code: str
    row: int | None
    words: tuple[str, ...]
    roles: dict[str, Any] = field(default_factory=dict)


def roles(**changes):
    known = {"id": "id", "tox": "tox", "eff": "eff", "unit": "mg", "groups": {"subgroup": "site"}}
    return PatientColumns("dose", **(known | changes))


def read(tmp_path, text, **changes):
    file = tmp_path / "interim3.csv"
    file.write_text(text, encoding="utf-8")
    return TrialData.from_csv(file, roles(**changes))


def with_rows(*rows):
    return CLEAN + "".join(f"{row}\n" for row in rows)


def noted(trial, words):
    return any(words in note for note in trial.notes)


DECLARED = {"group_levels": LEVELS}
FAULTS = {
    "E01 two groups": Fault(
        with_rows("001,10,SCLC,0,0"),
        "DOB-E01",
        6,
        ("rows 2 and 6", "subgroup 'NSCLC' and 'SCLC'", "id_within='site'"),
    ),
    "E01 two groups and doses": Fault(
        with_rows("001,20,SCLC,0,0"), "DOB-E01", 6, ("at doses 10 and 20", "'NSCLC' and 'SCLC'")
    ),
    "E01 same group": Fault(with_rows("001,10,NSCLC,1,0"), "DOB-A14", 6, ("contradicting tox",)),
    "E02 empty": Fault(with_rows("005,10,,0,0"), "DOB-E02", 6, ("the group is missing",)),
    "E02 NA": Fault(
        with_rows("005,10,NA,0,0"), "DOB-E02", 6, ("where 'NA' is a level, declare it",), DECLARED
    ),
    "E02 dot": Fault(with_rows("005,10,.,0,0"), "DOB-E02", 6, ("missing",)),
    "E03 misspelt": Fault(
        with_rows("005,10,NSLC,0,0", "006,20,NSLC,0,0"),
        "DOB-E03",
        6,
        ("rows 6, 7", "did you mean 'NSCLC'"),
        DECLARED,
    ),
    "E03 a code": Fault(with_rows("005,10,2,0,0"), "DOB-E03", 6, ("level '2'",), DECLARED),
    "E04 case": Fault(
        with_rows("005,10,nsclc ,0,0"), "DOB-E04", 6, ("'NSCLC' (rows 2, 4)", "'nsclc' (row 6)")
    ),
    "E04 inner blank": Fault(
        with_rows("005,10,NS CLC,0,0"), "DOB-E04", 6, ("'NS CLC' (row 6)", "case or blanks")
    ),
    "E04 accent": Fault(
        with_rows("005,10,Ile\u0301us,0,0", "006,10,Il\u00e9us,0,0"),
        "DOB-E04",
        7,
        ("(row 6)", "(row 7)"),
    ),
    "E04 declared": Fault(
        HEAD + "1,10,nsclc,0,0\n",
        "DOB-E04",
        2,
        ("'NSCLC' (declared)", "write 'NSCLC' in all rows"),
        DECLARED,
    ),
    "A09 no-break space": Fault(
        with_rows("005,10,NSCLC\u00a0,0,0"), "DOB-A09", 6, ("invisible space",)
    ),
    "A08 all": Fault(
        with_rows("005,10,All,0,0"), "DOB-A08", 6, ("all groups together", "count patients twice")
    ),
    "E09 other study": Fault(
        with_rows("005,10,D999,0,0"),
        "DOB-E03",
        6,
        ("'D999' of subgroup is not declared",),
        DECLARED,
    ),
    "A15 no column": Fault(
        CLEAN, "DOB-A15", 1, ("'SITE'", "did you mean 'site'"), {"groups": {"subgroup": "SITE"}}
    ),
    "E07 nobody": Fault(
        HEAD + "1,10,NSCLC,0,0\n",
        "DOB-E07",
        None,
        ("every patient is excluded",),
        {"exclude": {"1": "x"}, "doses": (10,)},
    ),
    "E07 prior only": Fault(
        HEAD,
        "DOB-E07",
        None,
        ("no declared level of subgroup",),
        {"doses": (10,), "allow_prior_only": True},
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_fault_is_refused_at_its_place(name, tmp_path):
    fault = FAULTS[name]
    with pytest.raises(DataError) as caught:
        read(tmp_path, fault.text, **fault.roles)
    hits = [p for p in caught.value.items if p.code == fault.code]
    assert hits, str(caught.value)
    assert hits[0].row == fault.row
    for word in fault.words:
        assert word in str(hits[0]), str(hits[0])


@pytest.mark.parametrize("missing", [np.nan, None, pd.NA, ""])
def test_a_missing_group_is_never_the_last_one(missing):
    frame = pd.DataFrame({"dose": [10, 10, 20], "site": ["a", missing, "b"], "tox": [0, 1, 0]})
    with pytest.raises(DataError, match=r"DOB-E02  row 3"):
        TrialData.from_frame(frame, PatientColumns("dose", tox="tox", groups={"subgroup": "site"}))


def test_all_faults_of_groups_come_at_once(tmp_path):
    rows = ("005,10,,0,0", "006,10,nsclc,0,0", "001,10,SCLC,0,0", "007,10,total,0,0")
    with pytest.raises(DataError) as caught:
        read(tmp_path, with_rows(*rows))
    assert {(p.code, p.row) for p in caught.value.items} == {
        ("DOB-E02", 6),
        ("DOB-E04", 7),
        ("DOB-E01", 8),
        ("DOB-A08", 9),
    }


def test_numbers_are_names_and_never_positions():
    frame = pd.DataFrame({"dose": [10, 10, 20, 20], "g": [2, 7, -1, 2.0], "tox": [0, 1, 1, 0]})
    trial = TrialData.from_frame(
        frame, PatientColumns("dose", tox="tox", groups={"study": "g"}, unit="mg")
    )
    assert trial.groups == {"study": ("-1", "2", "7")}
    events = trial.counts["events"].sel(endpoint="tox").sum("dose")
    assert events.to_series().to_dict() == {"-1": 1, "2": 0, "7": 1}
    assert trial.at(study="7").counts["events"].sum() == 1
    with pytest.raises(DoseOptError, match="no level of study"):
        trial.at(study="3")


def test_levels_that_were_not_declared_are_said(tmp_path):
    trial = read(tmp_path, CLEAN)
    assert trial.groups == {"subgroup": ("NSCLC", "SCLC")}
    assert noted(trial, "subgroup: levels taken from the data, not pre-specified: NSCLC, SCLC")
    declared = read(tmp_path, CLEAN, group_levels={"subgroup": ("SCLC", "NSCLC")})
    assert declared.groups == {"subgroup": ("SCLC", "NSCLC")}
    assert not noted(declared, "not pre-specified")
    assert noted(read(tmp_path, CLEAN.replace("NSCLC", "NSCLC  ")), "blanks around the value")


def test_a_declared_level_may_read_like_a_missing_value(tmp_path):
    text = CLEAN.replace("NSCLC", "NA").replace("SCLC", "all")
    trial = read(tmp_path, text, group_levels={"subgroup": ("NA", "all")})
    assert trial.counts["n_treated"].to_numpy().tolist() == [[1, 1], [1, 1]]


def test_a_planned_level_without_patients_is_kept(tmp_path):
    trial = read(tmp_path, CLEAN, group_levels={"subgroup": ("NSCLC", "other", "SCLC")})
    assert trial.counts["n"].sel(subgroup="other").sum() == 0
    said = "subgroup 'other': no patients: what is said of it is the prior or borrowed"
    assert said in trial.notes
    ledger = trial.disposition
    assert (ledger.loc[ledger["subgroup"] == "other", "read"] == 0).all()
    assert "PRIOR ONLY: no outcome was analysed" in trial.at(subgroup="other").notes


def test_a_group_without_a_known_outcome_is_said(tmp_path):
    text = HEAD + "1,10,a,0,1\n2,10,b,0,\n3,20,b,1,\n4,20,a,0,0\n"
    trial = read(tmp_path, text, missing={"eff": "pending"})
    said = [note for note in trial.notes if note.startswith("subgroup '")]
    assert said == ["subgroup 'b': eff of no patient analysed: the prior or borrowed"]


def test_untried_doses_are_said_once_per_group():
    rows = [(d, g, 0) for d in (10, 20, 30, 40) for g in "abcdefgh" if g == "a" or d == 10]
    frame = pd.DataFrame(rows, columns=["d", "g", "t"])
    trial = TrialData.from_frame(
        frame, PatientColumns("d", tox="t", groups={"region": "g"}, unit="mg", doses=(10, 20, 30, 40, 50))
    )  # fmt: skip
    about = [note for note in trial.notes if note.startswith("region '")]
    assert about == [f"region '{g}': no patients at 20, 30, 40 mg" for g in "bcdefgh"]
    assert "no patients at 50 mg" in trial.notes


def test_empty_pairs_of_groups_are_said():
    frame = pd.DataFrame({"d": 10, "g": ["a", "b"], "r": ["x", "y"], "t": 0})
    trial = TrialData.from_frame(
        frame, PatientColumns("d", tox="t", groups={"subgroup": "g", "region": "r"}, unit="mg")
    )
    assert "no patients in 2 of 4 pairs of subgroup and region: a x y, b x x" in trial.notes


def test_an_excluded_patient_without_a_group_is_accounted_for(tmp_path):
    text = with_rows("005,10,,0,0", "006,10,SCLC,0,0")
    trial = read(tmp_path, text, exclude={"005": "no consent", "006": "no consent"})
    assert trial.groups == {"subgroup": ("NSCLC", "SCLC")}
    ledger = trial.disposition.set_index(["endpoint", "subgroup", "dose"])
    assert ledger.loc[("tox", "(no level)", 10.0)].tolist() == [1, 0, 1]
    assert ledger.loc[("tox", "SCLC", 10.0)].tolist() == [2, 1, 1]
    assert (trial.disposition.groupby("endpoint")["read"].sum() == 6).all()
    plain = read(tmp_path, text, exclude={"005": "no consent", "006": "no consent"}, groups={})
    pd.testing.assert_frame_equal(trial.ungrouped().disposition, plain.disposition)


def test_a_patient_of_another_study_is_excluded_with_a_reason(tmp_path):
    text = with_rows("005,10,D999,1,0")
    trial = read(tmp_path, text, exclude={"005": "other study"}, group_levels=LEVELS)
    ledger = trial.disposition.set_index(["endpoint", "subgroup", "dose"])
    assert ledger.loc[("tox", "(no level)", 10.0), "excluded: other study"] == 1
    assert trial.counts["n_treated"].sum() == 4


def test_a_row_lost_by_its_group_is_caught():
    marks = {"tox": [("a", 1.0, ""), ("b", 1.0, ""), ("c", 1.0, "")]}
    groups = {"subgroup": ("a", "b")}
    table = disposition([1.0], marks, groups=groups)
    assert table["subgroup"].tolist() == ["a", "b", "c"]  # a label that is no level is kept
    with pytest.raises(DoseOptError, match="read differ"):
        check_disposition(table[table["subgroup"] != "c"], {"tox": 3}, ("subgroup",))


ROLE_FAULTS = {
    "level of no grouping": ({"group_levels": {"subgrp": ("a",)}}, "did you mean 'subgroup'"),
    "a column twice": ({"groups": {"subgroup": "dose"}}, "'dose' has two roles"),
    "a column in two groupings": ({"groups": {"a": "s", "b": "s"}}, "'s' has two roles"),
    "not a word": ({"groups": {"sub group": "s"}}, "plain word"),
    "keyword": ({"groups": {"class": "s"}}, "plain word"),
    "an endpoint": ({"groups": {"tox": "s"}}, "a meaning already"),
    "another endpoint": ({"groups": {"pd": "s"}, "other": {"pd": "x"}}, "a meaning already"),
    "a dim": ({"groups": {"trial": "s"}}, "a meaning already"),
    "a count": ({"groups": {"n_together": "s"}}, "a meaning already"),
    "no column name": ({"groups": {"subgroup": ""}}, "an empty column name"),
    "column by its values": ({"groups": {"subgroup": pd.Series(["a"])}}, "must be the name"),
    "levels twice": ({"group_levels": {"subgroup": ("a", "a")}}, "each level once"),
    "levels alike": ({"group_levels": {"subgroup": ("a b", "AB")}}, "each level once"),
    "levels as one text": ({"group_levels": {"subgroup": "ab"}}, "a list of texts"),
    "levels no text": ({"group_levels": {"subgroup": (1, 2)}}, "a list of texts"),
    "no levels": ({"group_levels": {"subgroup": ()}}, "is empty"),
    "blank level": ({"group_levels": {"subgroup": ("a ", "b")}}, "ends with a blank"),
    "reserved level": ({"group_levels": {"subgroup": ("(all)", "b")}}, "cannot name a level"),
}


@pytest.mark.parametrize("name", ROLE_FAULTS)
def test_contradicting_roles(name):
    change, words = ROLE_FAULTS[name]
    with pytest.raises(DataError) as caught:
        roles(**change)
    assert words in str(caught.value)
