"""Tables of counts by group: rows of all groups together, and every fault at its row."""

from __future__ import annotations

import pandas as pd
import pytest

from doseopt_bayes.data import CountColumns, TrialData
from doseopt_bayes.errors import DataError


def noted(trial, words):
    return any(words in note for note in trial.notes)


def test_contradicting_roles_of_counts():
    known = {"tox": "t", "n": "n"}
    with pytest.raises(DataError, match="no groups are declared"):
        CountColumns("dose", **known, together="all")
    with pytest.raises(DataError, match="'n' has two roles"):
        CountColumns("dose", **known, groups={"subgroup": "n"})
    with pytest.raises(DataError, match="stands for all groups together"):
        CountColumns("dose", **known, groups={"subgroup": "g"}, together="all",
                     group_levels={"subgroup": ("a", "All")})  # fmt: skip


COUNTS = CountColumns(
    "dose", tox="tox", n_tox="n_tox", eff="eff", n_eff="n_eff", unit="mg", doses=(10, 20),
    groups={"subgroup": "site"}, group_levels={"subgroup": ("a", "b")}, together="all",
)  # fmt: skip
COUNT_HEAD = "site,dose,n_tox,tox,n_eff,eff\n"
COUNT_ROWS = (
    "a,10,,,5,1",
    "a,20,,,6,2",
    "b,10,,,7,3",
    "b,20,,,8,4",
    "all,10,12,2,,",
    "all,20,14,5,,",
)
COUNT_FAULTS = {
    "E01 twice": (
        (2, "b,10,7,1,7,3"),
        "DOB-E01",
        6,
        ("tox is counted by group (row 4)", "(row 6)"),
    ),
    "E01 both": ((4, "all,10,12,2,12,4"), "DOB-E01", 6, ("eff is counted by group (rows 2, 4)",)),
    "B13 nowhere": ((4, "all,10,,,,"), "DOB-B13", 2, ("tox are missing, here and for all",)),
    "B13 half": ((0, "a,10,,,5,"), "DOB-B13", 2, ("a count is missing",)),
    "B13 n and no events": ((4, "all,10,12,,,"), "DOB-B13", 6, ("a count is missing",)),
    "A14 twice": ((1, "a,10,,,6,2"), "DOB-A14", 3, ("dose 10 of a stands in rows 2 and 3",)),
    "A14 all twice": ((5, "all,10,14,5,,"), "DOB-A14", 7, ("of all groups together", "6 and 7")),
    "E02 missing": ((0, ",10,,,5,1"), "DOB-E02", 2, ("the group is missing",)),
    "E03 misspelt": ((0, "al,10,,,5,1"), "DOB-E03", 2, ("did you mean 'all'",)),
    "E04 together": ((4, "All,10,12,2,,"), "DOB-E04", 6, ("'all' (row 7) and 'All' (row 6)",)),
    "A08 total": ((4, "Total,10,12,2,,"), "DOB-A08", 6, ("totals",)),
}


def read_counts(tmp_path, rows, columns=COUNTS):
    file = tmp_path / "arms.csv"
    file.write_text(COUNT_HEAD + "\n".join(rows) + "\n", encoding="utf-8")
    return TrialData.from_counts(file, columns)


@pytest.mark.parametrize("name", COUNT_FAULTS)
def test_fault_in_counts_of_groups(name, tmp_path):
    (k, line), code, row, words = COUNT_FAULTS[name]
    rows = [*COUNT_ROWS[:k], line, *COUNT_ROWS[k + 1 :]]
    with pytest.raises(DataError) as caught:
        read_counts(tmp_path, rows)
    hits = [p for p in caught.value.items if p.code == code]
    assert hits, str(caught.value)
    assert hits[0].row == row
    for word in words:
        assert word in str(hits[0]), str(hits[0])


def test_an_endpoint_may_be_known_together_at_one_dose_only(tmp_path):
    rows = ["a,10,5,1,5,1", "a,20,,,6,2", "b,10,7,0,7,3", "b,20,,,8,4", "all,20,16,5,,"]
    trial = read_counts(tmp_path, rows)
    assert trial.counts["n"].sel(endpoint="tox").to_numpy().tolist() == [[5, 0], [7, 0]]
    assert trial.counts["n_together"].sel(endpoint="tox").to_numpy().tolist() == [0, 16]
    assert noted(trial, "tox: known for all subgroups together only at 20 mg")
    # 16 patients together and 14 in groups: two stand in no group's row
    ledger = trial.disposition.set_index(["endpoint", "subgroup", "dose"])
    assert ledger.loc[("eff", "(all)", 20.0), "in no group"] == 2
    assert trial.ungrouped().counts["n_treated"].to_numpy().tolist() == [12, 16]
    with pytest.raises(DataError, match=r"DOB-B13  row 3"):
        read_counts(tmp_path, rows[:-1])


def test_all_without_together_is_no_group(tmp_path):
    rows = ["a,10,5,1,5,1", "b,10,7,0,7,3", "all,10,12,1,12,4"]
    columns = CountColumns("dose", tox="tox", n_tox="n_tox", unit="mg", groups={"subgroup": "site"})
    with pytest.raises(DataError, match=r"DOB-A08  row 4.*together='all'"):
        read_counts(tmp_path, rows, columns)


def test_a_common_denominator_and_joint_counts_by_group():
    frame = pd.DataFrame(
        {
            "g": ["a", "b", "all"],
            "d": 10,
            "n": [6, 8, 14],
            "t": [2, 3, None],
            "e": [3, 4, None],
            "b": [1, 2, None],
            "s": [None, None, 5],
        }
    )
    columns = CountColumns("d", n="n", tox="t", eff="e", both="b", other={"stop": "s"}, unit="mg",
                           groups={"subgroup": "g"}, together="all")  # fmt: skip
    trial = TrialData.from_counts(frame, columns)
    assert trial.counts["n_treated"].to_numpy().tolist() == [[6], [8]]
    assert trial.counts["cell_count"].sel(subgroup="b").to_numpy().tolist() == [[3, 2, 1, 2]]
    assert trial.counts["n_together"].sel(endpoint="stop").item() == 14
    assert trial.counts["n"].sel(endpoint="stop").sum() == 0
    with pytest.raises(DataError, match=r"row 4 .*patients with both are counted by group"):
        TrialData.from_counts(frame.assign(b=[1, 2, 3]), columns)


def test_together_in_some_groupings_only():
    frame = pd.DataFrame({"g": ["a", "all"], "r": ["x", "x"], "d": 10, "n": 5, "t": [1, None]})
    columns = CountColumns("d", n="n", tox="t", unit="mg", together="all",
                           groups={"subgroup": "g", "region": "r"})  # fmt: skip
    with pytest.raises(DataError, match=r"DOB-E02  row 3.*stands in some columns of groups only"):
        TrialData.from_counts(frame, columns)


def test_counts_without_rows_need_declared_levels():
    frame = pd.DataFrame({"g": [], "d": [], "n": [], "t": []})
    known = {
        "n": "n",
        "tox": "t",
        "groups": {"subgroup": "g"},
        "allow_prior_only": True,
        "unit": "mg",
    }
    columns = CountColumns("d", doses=(10, 20), group_levels={"subgroup": ("a", "b")}, **known)
    trial = TrialData.from_counts(frame, columns)
    assert trial.counts["n"].sizes == {"subgroup": 2, "dose": 2, "endpoint": 1}
    with pytest.raises(DataError, match="DOB-E07"):
        TrialData.from_counts(frame, CountColumns("d", doses=(10, 20), **known))
