"""The outcome mini-language: positions of faults, and printing back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doseopt_bayes.data import PatientColumns, TrialData
from doseopt_bayes.data.outcomes import parse_outcomes
from doseopt_bayes.errors import DataError, DoseOptError

COHORTS = st.lists(
    st.tuples(st.integers(1, 5), st.text("NETB", min_size=1, max_size=4)), max_size=6
)
DOSES = (1.0, 2.0, 4.0, 6.6, 10.0)


@given(COHORTS.filter(bool))
def test_round_trip(cohorts):
    text = " ".join(f"{level}{letters}" for level, letters in cohorts)
    trial = TrialData.parse(text, doses=DOSES)
    assert trial.outcomes() == text
    assert parse_outcomes(text, 5) == tuple(cohorts)
    assert trial.counts["cell_count"].sum() == sum(len(letters) for _, letters in cohorts)


def test_letters_are_counted_where_they_belong():
    trial = TrialData.parse("1NNE 2EEB 1T", doses=[20, 10], unit="mg")
    assert trial.doses == (10.0, 20.0)
    cells = trial.counts["cell_count"]
    assert cells.sel(dose=10.0).to_series().to_dict() == {"N": 2, "E": 1, "T": 1, "B": 0}
    assert cells.sel(dose=20.0).to_series().to_dict() == {"N": 0, "E": 2, "T": 0, "B": 1}
    assert trial.counts["events"].sel(dose=20.0, endpoint="tox") == 1
    assert trial.counts["events"].sel(dose=20.0, endpoint="eff") == 3


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("1NNX 2E", "DOB-B06", ["character 4", "'X'"]),
        ("1NN 2eE", "DOB-B06", ["character 6", "did you mean 'E'"]),
        ("NNE", "DOB-B06", ["character 1", "starts with its dose level"]),
        ("1NN 2", "DOB-B06", ["character 6", "no patient"]),
        ("1NN, 2E", "DOB-B06", ["character 4", "','"]),
        ("1NN 6E 0N", "DOB-C12", ["character 5", "level 6", "character 8", "level 0"]),
        ("1N2E", "DOB-B06", ["character 3", "'2'"]),
        ("  ", "DOB-A13", ["TrialData.empty"]),
        ("1NX 2EY", "DOB-B06", ["character 3", "character 7"]),
    ],
)
def test_bad_text_is_refused_with_its_position(text, code, words):
    with pytest.raises(DataError) as caught:
        TrialData.parse(text, doses=DOSES)
    assert {p.code for p in caught.value.items} == {code}
    for word in words:
        assert word in str(caught.value)


def test_bad_grid_is_refused():
    for doses, code in (((), "C12"), ((1, 1), "C10"), ((0, 1), "C01"), ((-1, 1), "C03")):
        with pytest.raises(DataError, match=code):
            TrialData.parse("1N", doses=doses)


def test_outcomes_need_both_known(tmp_path):
    file = tmp_path / "x.csv"
    file.write_text("id,dose,tox,eff\n1,10,0,\n2,10,1,1\n")
    roles = PatientColumns("dose", id="id", tox="tox", eff="eff", missing={"eff": "pending"})
    with pytest.raises(DoseOptError, match=r"not known for 1 patients: 1"):
        TrialData.from_csv(file, roles).outcomes()
    with pytest.raises(DoseOptError, match="one row per patient"):
        TrialData.from_csv(file, PatientColumns("dose", id="id", tox="tox")).outcomes()
