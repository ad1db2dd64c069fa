"""Groups of patients in exposure data: checked as written, kept when empty, taken apart again."""

from __future__ import annotations

import pandas as pd
import pytest

from doseopt_bayes.data.endpoints import Binary, Continuous
from doseopt_bayes.data.exposure import ExposureData
from doseopt_bayes.errors import DataError, DoseOptError

LEVELS = ("sarcoma", "melanoma", "lung")


def frame() -> pd.DataFrame:
    return pd.DataFrame({
        "ID": [f"P{i}" for i in range(8)], "mg": [0, 0, 10, 10, 20, 20, 20, 10],
        "AUC": [0, 0, 4.0, 6, 9, 11, 12, 5], "AE": [0, 1, 0, 1, 1, 1, 0, 0],
        "VALUE": [1.0, 2, 3, None, 5, 6, 7, 8],
        "TUMOUR": ["lung", "sarcoma", "lung", "sarcoma", "lung", "sarcoma", "lung", "lung"],
        "REGION": ["EU", "US", "US", "EU", "EU", "US", "US", "EU"],
    })  # fmt: skip


def read(table: pd.DataFrame | None = None, **changes: object) -> ExposureData:
    roles = {"id": "ID", "dose": "mg", "dose_unit": "mg", "exposures": {"AUC": "h"},
             "endpoints": {"ae": Binary("AE"), "value": Continuous("VALUE")}, "missing": "exclude",
             "groups": {"subgroup": "TUMOUR"}, "group_levels": {"subgroup": LEVELS}}  # fmt: skip
    return ExposureData.from_frame(frame() if table is None else table, **{**roles, **changes})


def codes(caught: pytest.ExceptionInfo[DataError]) -> list[str]:
    return [p.code for p in caught.value.items]


def test_levels_keep_the_protocols_order_and_each_patient_a_level():
    data = read()
    assert dict(data.groups) == {"subgroup": LEVELS}
    rows = data.rows("ae", "AUC")
    assert rows["subgroup"].dims == ("patient",)
    assert rows["subgroup"].to_numpy().tolist() == frame()["TUMOUR"].tolist()


def test_an_empty_level_is_kept_and_said():
    notes = "\n".join(read().notes)
    assert "subgroup 'melanoma': no patients: what is said of it is the prior or borrowed" in notes
    assert "patients of each subgroup: sarcoma 3, melanoma 0, lung 5" in notes


def test_levels_that_were_not_declared_are_sorted_and_said():
    data = read(group_levels={})
    assert dict(data.groups) == {"subgroup": ("lung", "sarcoma")}
    assert any("not pre-specified" in note for note in data.notes)


@pytest.mark.parametrize(
    ("value", "code", "said"),
    [(None, "DOB-E02", "missing"), ("sarcomma", "DOB-E03", "sarcoma"), ("Sarcoma ", "DOB-E04", "sarcoma")],
)  # fmt: skip
def test_a_bad_level_is_an_error_that_names_its_row(value, code, said):
    table = frame()
    table.loc[4, "TUMOUR"] = value
    with pytest.raises(DataError) as caught:
        read(table)
    (problem,) = caught.value.items
    assert problem.code == code
    assert problem.row == 6
    assert said in f"{problem.rule} {problem.repair}"


def test_a_patient_in_two_groups_is_an_error():
    table = frame()
    table.loc[3, "ID"] = "P4"
    with pytest.raises(DataError) as caught:
        read(table)
    assert codes(caught) == ["DOB-E01"]


@pytest.mark.parametrize("name", ["patient", "dose", "AUC", "ae", "exposure", "sub group"])
def test_a_grouping_cannot_have_a_name_with_a_meaning(name):
    with pytest.raises(DataError) as caught:
        read(groups={name: "TUMOUR"}, group_levels={})
    assert set(codes(caught)) == {"DOB-A15"}


def test_a_response_cannot_group_its_patients():
    with pytest.raises(DataError, match="belongs to endpoint ae"):
        read(groups={"subgroup": "AE"}, group_levels={})


def test_one_level_is_its_patients_with_a_ledger_of_their_own():
    data = read(groups={"subgroup": "TUMOUR", "region": "REGION"},
                group_levels={"subgroup": LEVELS, "region": ("EU", "US")})  # fmt: skip
    lung = data.at(subgroup="lung")
    assert dict(lung.groups) == {"region": ("EU", "US")}
    assert lung.table["id"].tolist() == ["P0", "P2", "P4", "P6", "P7"]
    ledger = lung.disposition
    assert (ledger["read"] == ledger["analysed"] + ledger.filter(like="missing").sum(axis=1)).all()
    assert ledger.query("endpoint == 'ae' and exposure == 'AUC'")["read"].tolist() == [1, 2, 2]
    sarcoma = data.at(subgroup="sarcoma")
    values = sarcoma.disposition.query("endpoint == 'value' and exposure == 'AUC'")
    assert (values["read"].sum(), values["analysed"].sum()) == (3, 2)
    both = data.at(subgroup="lung", region="US")
    assert both.table["id"].tolist() == ["P2", "P6"]
    assert not both.groups


def test_levels_that_are_not_there_are_refused():
    with pytest.raises(DoseOptError, match="did you mean 'lung'"):
        read().at(subgroup="lungs")
    with pytest.raises(DoseOptError, match="no grouping 'subgrup'"):
        read().at(subgrup="lung")


def test_without_groups_nothing_is_grouped():
    data = read(groups={}, group_levels={})
    assert not data.groups
    assert "subgroup" not in data.rows("ae", "AUC").coords
