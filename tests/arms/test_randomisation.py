"""Arms of the data against the randomisation list: every mismatch is named, nothing is repaired."""

from __future__ import annotations

import pandas as pd
import pytest

import doseopt_bayes as dob
from doseopt_bayes.errors import DataError

PLAN = pd.DataFrame({"SUBJ": [f"P{i}" for i in range(1, 9)], "TRT": [15, 45] * 4})


def data(**changes):
    """Eight patients as they were randomised, changed at (row, column)."""
    frame = pd.DataFrame({"ID": PLAN["SUBJ"], "ARM": PLAN["TRT"], "GOT": PLAN["TRT"]})
    for column, cells in changes.items():
        for row, value in cells.items():
            frame.loc[row, column] = value
    return frame


def check(frame, plan=PLAN, **given):
    roles = {"id": "ID", "planned": "ARM", "listed": "TRT", "listed_id": "SUBJ"} | given
    return dob.check_randomisation(frame, plan, **roles)


def test_data_as_randomised_pass_and_the_actual_dose_is_counted():
    found = check(data(GOT={2: 45, 5: 15}), actual="GOT")
    assert found.passed
    assert (found.n_data, found.n_list, found.n_agree) == (8, 8, 8)
    assert found.actual["id"].tolist() == ["P3", "P6"]
    assert found.actual["row_in_data"].tolist() == [4, 7]
    assert (
        "ARM (planned) is the arm of the comparison, GOT (actual) that of exposure: 2 of 8"
        in str(found)
    )


def test_e08_exchanged_labels_are_named_with_every_row():
    turned = data().assign(ARM=lambda d: d["ARM"].map({15: 45, 45: 15}))
    with pytest.raises(DataError) as fault:
        check(turned)
    problems = fault.value.problems
    assert problems["code"].tolist() == ["DOB-E08"] * 8
    assert problems["row"].tolist() == list(range(2, 10))
    assert "P1  ARM = 45: the randomisation list says 15 (its row 2)" in str(fault.value)
    assert "4 patients of each of 15 and 45 stand in the other: are two labels exchanged?" in str(
        fault.value
    )


def test_e08_whoever_is_missing_in_either_is_in_the_table():
    frame = data(ID={7: "P9"}, ARM={0: 45})
    found = check(frame, strict=False)
    assert not found.passed
    assert found.n_agree == 6
    table = found.mismatches.set_index("id")
    assert table["why"].to_dict() == {
        "P1": "another arm", "P9": "not in the list", "P8": "not in the data"
    }  # fmt: skip
    assert table.loc["P1", ["arm_in_data", "arm_in_list"]].tolist() == ["45", "15"]
    assert table.loc["P8", "row_in_list"] == 9
    assert pd.isna(table.loc["P8", "row_in_data"])
    with pytest.raises(DataError) as fault:
        check(frame)
    assert "randomised to 45 (row 9 of the randomisation list), not in the data" in str(fault.value)
    assert "a patient who was not randomised is in no arm" in str(fault.value)


def test_files_give_what_frames_give_and_rows_of_one_patient_are_one(tmp_path):
    first, second = tmp_path / "data.csv", tmp_path / "list.csv"
    twice = pd.concat([data(ARM={0: 45}), data(ARM={0: 45}).iloc[[3]]], ignore_index=True)
    twice.to_csv(first, index=False)
    PLAN.astype({"TRT": float}).to_csv(second, index=False)  # 15.0 is 15
    found = check(first, second, strict=False)
    pd.testing.assert_frame_equal(found.mismatches, check(twice, strict=False).mismatches)
    assert found.n_data == 8
    assert found.mismatches["id"].tolist() == ["P1"]


@pytest.mark.parametrize(
    ("frame", "plan", "code", "said"),
    [
        (data(ARM={2: None}), PLAN, "DOB-E02", "row 4.*ARM is empty"),
        (data(ID={1: "P1"}), PLAN, "DOB-E01", "patient P1 is in arm 15 in row 2, in 45 here"),
        (
            data(),
            pd.concat([PLAN, PLAN.assign(TRT=60)]),
            "DOB-E01",
            "in arm 15 in row 2, in 60 here",
        ),
        (data(), PLAN.rename(columns={"TRT": "TRTP"}), "DOB-A15", "no column 'TRT'"),
    ],
)
def test_what_cannot_be_checked_is_refused_even_without_strict(frame, plan, code, said):
    with pytest.raises(DataError, match=f"{code}.*{said}"):
        check(frame, plan, strict=False)
