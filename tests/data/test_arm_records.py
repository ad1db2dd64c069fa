"""Tolerability records of randomised arms: what is read, what is counted, and every bad input."""

from __future__ import annotations

import pandas as pd
import pytest

from doseopt_bayes.data.arm_records import ArmColumns, ArmRecords
from doseopt_bayes.data.arm_records_outcome import EventCount, FirstEvent, Grade
from doseopt_bayes.errors import DataError

PAIN = Grade("pain", "worst", at_least=3, highest=5)
NAUSEA = EventCount("nausea", "n", "days", time_unit="day", period=84, per=28)
STOP = FirstEvent("days", "why", {"AE": "toxicity", "PD": "progression"}, censored=("ONGOING",),
                  horizon=84, cuts=(28, 56), time_unit="day")  # fmt: skip
FRAME = pd.DataFrame(
    {"id": ["P1", "P2", "P3", "P4"], "mg": [15, 15, 45, 45], "worst": [0, 3, 5, 2],
     "n": [0, 4, 1, 0], "days": [84, 60.5, 20, 84], "why": ["ONGOING", "PD", "AE", "ONGOING"]}
)  # fmt: skip


def read(frame, outcome, **roles):
    roles = {"doses": (15, 30, 45), "unit": "mg"} | roles
    return ArmRecords.from_frame(frame, ArmColumns("id", "mg", outcome, **roles))


def faults(frame, outcome, **roles):
    with pytest.raises(DataError) as caught:
        read(frame, outcome, **roles)
    return caught.value


def set_cells(column, **cells):
    frame = FRAME.astype({column: object})
    for patient, value in cells.items():
        frame.loc[frame["id"] == patient, column] = value
    return frame


def test_a_dose_without_patients_is_kept_and_said():
    data = read(FRAME, PAIN)
    assert data.doses == (15.0, 30.0, 45.0)
    assert data.counts["n_treated"].to_numpy().tolist() == [2, 0, 2]
    assert data.counts["events"].sel(endpoint="pain").to_numpy().tolist() == [1, 0, 1]
    assert "no patient analysed at 30 mg" in str(data)
    assert data.endpoints == ("pain",)
    assert list(data.patients["grade"]) == [0, 3, 5, 2]


def test_read_is_used_plus_excluded_with_its_reason():
    frame = set_cells("worst", P2=None)
    data = read(frame, PAIN, exclude={"P4": "never treated"}, missing="exclude")
    ledger = data.disposition.set_index("dose")
    assert ledger["read"].tolist() == [2, 0, 2]
    assert ledger["analysed"].tolist() == [1, 0, 1]
    assert ledger["outcome missing"].tolist() == [1, 0, 0]
    assert ledger["excluded: never treated"].tolist() == [0, 0, 1]
    # who was treated but not assessed still counts as treated
    assert data.counts["n_treated"].to_numpy().tolist() == [2, 0, 1]
    assert any("1 patients without it excluded" in note for note in data.notes)


def test_counts_and_first_events_are_counted_as_patients():
    assert read(FRAME, NAUSEA).counts["events"].to_numpy().tolist() == [[1], [0], [1]]
    data = read(FRAME, STOP)
    assert data.endpoints == ("toxicity", "progression")
    assert data.counts["events"].to_numpy().tolist() == [[0, 1], [0, 0], [1, 0]]
    assert list(data.patients["cause"]) == ["", "progression", "toxicity", ""]


def test_a_csv_gives_the_same_as_the_frame(tmp_path):
    path = tmp_path / "arms.csv"
    FRAME.to_csv(path, index=False)
    roles = ArmColumns("id", "mg", STOP, doses=(15, 30, 45), unit="mg")
    again = ArmRecords.from_csv(path, roles)
    pd.testing.assert_frame_equal(again.patients, read(FRAME, STOP).patients, check_dtype=False)
    assert again.counts.identical(read(FRAME, STOP).counts)


@pytest.mark.parametrize(
    ("value", "code", "said"),
    [
        (None, "DOB-B01", "never read as no event"),
        (2.5, "DOB-B05", "whole number from 0 to 5"),
        (6, "DOB-B06", "declare the scale"),
        (-1, "DOB-B04", "looks like a missing code"),
        (9, "DOB-B04", "looks like a missing code"),
        ("severe", "DOB-B06", "a grade is a number"),
        (True, "DOB-B06", "a grade is a number"),
        ("inf", "DOB-A07", "not a finite number"),
        ("2-3", "DOB-A10", "looks like a date"),
        ("1,5", "DOB-A04", "decimal"),
    ],
)
def test_bad_grades(value, code, said):
    found = faults(set_cells("worst", P3=value), PAIN).items
    assert [(p.code, p.row, p.patient, p.column) for p in found] == [(code, 4, "P3", "worst")]
    assert said in str(found[0])


@pytest.mark.parametrize(
    ("column", "value", "code", "said"),
    [
        ("n", 1.5, "DOB-B13", "whole number >= 0"),
        ("n", -1, "DOB-B13", "whole number >= 0"),
        ("n", None, "DOB-B01", "never read as no event"),
        ("days", 0, "DOB-B13", "is > 0"),
        ("days", -3, "DOB-B13", "is > 0"),
        ("days", None, "DOB-B01", "never read as no event"),
        ("days", "2026-05-31", "DOB-A10", "looks like a date"),
    ],
)
def test_bad_counts_and_times(column, value, code, said):
    found = faults(set_cells(column, P2=value), NAUSEA).items
    assert [(p.code, p.row, p.column) for p in found] == [(code, 3, column)]
    assert said in str(found[0])


def test_an_unknown_cause_is_no_censoring():
    found = faults(set_cells("why", P1="Ongoing", P4=""), STOP).items
    assert [(p.code, p.row) for p in found] == [("DOB-B06", 2), ("DOB-B01", 5)]
    assert "did you mean 'ONGOING'?" in str(found[0])
    assert "no event is guessed" in str(found[0])


def test_a_patient_in_two_rows_is_refused():
    twice = pd.concat([FRAME, FRAME.iloc[[1]].assign(worst=4)])
    found = faults(twice, PAIN).items
    assert [p.code for p in found] == ["DOB-A14"]
    assert "rows 3 and 6, with contradicting worst" in found[0].rule
    other = pd.concat([FRAME, FRAME.iloc[[1]].assign(mg=45)])
    assert faults(other, PAIN).items[0].code == "DOB-C16"


def test_bad_doses_and_names():
    assert faults(FRAME.assign(mg=[15, 15, 45, 45000]), PAIN).items[0].code == "DOB-C05"
    assert faults(FRAME.assign(mg=[15, 15, 45, 44]), PAIN).items[0].code == "DOB-C12"
    assert faults(FRAME.assign(mg=[15, 15, 45, 0]), PAIN).items[0].code == "DOB-C01"
    assert faults(FRAME.assign(id=["P1", "P2", None, "P4"]), PAIN).items[0].code == "DOB-A14"
    assert "did you mean 'worst'?" in str(
        faults(FRAME.rename(columns={"worst": "Worst1"}), PAIN)
    ) or ("did you mean 'Worst1'?" in str(faults(FRAME.rename(columns={"worst": "Worst1"}), PAIN)))
    assert faults(FRAME.iloc[:0], PAIN).items[0].code == "DOB-A13"
    everyone = dict.fromkeys(FRAME["id"], "x")
    assert faults(FRAME, PAIN, exclude=everyone).items[0].code == "DOB-A13"
    assert faults(FRAME, PAIN, exclude={"P9": "x"}).items[0].code == "DOB-A15"


def test_every_fault_of_a_file_is_listed_at_once():
    frame = set_cells("worst", P1=7, P2="bad", P3=None).assign(mg=[15, 16, 45, 45])
    error = faults(frame, PAIN)
    assert [(p.row, p.code) for p in error.items] == [
        (2, "DOB-B06"), (3, "DOB-C12"), (3, "DOB-B06"), (4, "DOB-B01")
    ]  # fmt: skip
    assert "4 problems in data frame (4 rows read, 0 used)" in str(error)
    assert all(p.repair for p in error.items)


def test_cnsr_is_never_guessed_and_its_trap_is_said():
    frame = FRAME.assign(CNSR=[1, 0, 0, 1]).drop(columns="why")
    right = FirstEvent("days", "CNSR", {0: "stop"}, censored=(1,), horizon=84, time_unit="day")
    data = read(frame, right)
    assert data.counts["events"].to_numpy().ravel().tolist() == [1, 0, 1]
    assert not any("WARNING" in note and "CDISC" in note for note in data.notes)
    wrong = FirstEvent("days", "CNSR", {1: "stop"}, censored=(0,), horizon=84, time_unit="day")
    assert any("CNSR is 0 for an event" in note for note in read(frame, wrong).notes)
    with pytest.raises(DataError, match="which censoring, is not said"):
        FirstEvent("days", "CNSR", {0: "stop"}, censored=(), horizon=84, time_unit="day")
    with pytest.raises(DataError, match="stands in causes and in censored"):
        FirstEvent("days", "CNSR", {0: "stop"}, censored=(0.0,), horizon=84, time_unit="day")


def test_follow_up_short_of_the_horizon_is_a_warning():
    data = read(FRAME.assign(days=[84, 60, 20, 30]), STOP)
    said = [n for n in data.notes if n.startswith("WARNING")]
    assert len(said) == 1
    assert "nobody at 45 mg was followed to the horizon 84 day (last 30)" in said[0]


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Grade("a b", "x", at_least=1, highest=4), "cannot name an outcome"),
        (lambda: Grade("eff", "x", at_least=1, highest=4), "cannot name an outcome"),
        (lambda: Grade("pain", "", at_least=1, highest=4), "names no column"),
        (lambda: Grade("pain", "x", at_least=0, highest=4), "that rise"),
        (lambda: Grade("pain", "x", at_least=5, highest=4), "that rise"),
        (lambda: Grade("pain", "x", at_least=2.5, highest=4), "that rise"),
        (lambda: Grade("pain", "x", at_least=2, highest=99), "at most 10 grades"),
        (lambda: EventCount("n", "x", "x", time_unit="day", period=1), "in two roles"),
        (lambda: EventCount("n", "x", "t", time_unit="", period=1), "a time needs its unit"),
        (lambda: EventCount("n", "x", "t", time_unit="day", period=0), "must be a time > 0"),
        (lambda: FirstEvent("t", "w", {"A": "tox"}, censored=("B",), horizon=84, cuts=(84,),
                            time_unit="day"), "must ascend"),
        (lambda: FirstEvent("t", "w", {"A": "cell"}, censored=("B",), horizon=84,
                            time_unit="day"), "cannot name an outcome"),
        (lambda: ArmColumns("id", "mg", "worst"), "not a tolerability outcome"),
        (lambda: ArmColumns("id", "mg", PAIN, missing="drop"), "missing = 'drop'"),
        (lambda: ArmColumns("id", "worst", PAIN), "has two roles"),
        (lambda: ArmColumns("", "mg", PAIN, exclude={"P1": "x"}), "by their identifier"),
        (lambda: ArmRecords.from_frame(FRAME, PAIN), "not Grade"),
    ],
)  # fmt: skip
def test_contradicting_declarations(make, said):
    with pytest.raises(DataError, match=said):
        make()


def test_a_design_without_data_says_so():
    for outcome in (PAIN, NAUSEA, STOP):
        data = ArmRecords.empty(outcome, (45, 15), "mg")
        assert data.doses == (15.0, 45.0)
        assert int(data.counts["n_treated"].sum()) == 0
        assert data.notes == ("PRIOR ONLY: no outcome was analysed",)
