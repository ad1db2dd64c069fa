"""One row per catalogued fault of exposure-response data: code, place and advice of the error.

FAULTS rows and the test that holds each: D01, D02/D03, D04, D05, D06, D08, D10, D11, D12, E02, E04,
E09 and the rows A, B, C that a table shares with `TrialData` stand in `FAULTS` below; D13 in
`test_many_values_below_quantification_are_warned_of`; E05 in test_adam.py; E07 in test_exposure.py.
D07 (one response times 1000) and D09 (ED50 beyond the range) are found by the models.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import pytest

import doseopt_bayes as dob
from doseopt_bayes.errors import DataError

CLEAN = pd.DataFrame(
    {
        "ID": ["01", "02", "03", "04"],
        "MG": [10.0, 10.0, 20.0, 20.0],
        "AUC": [3.0, 5.0, 40.0, 60.0],
        "AE": [0, 0, 1, 0],
        "CHG": [1.5, 2.0, 3.0, 4.0],
        "N": [1, 0, 2, 3],
        "DAYS": [30.0, 40.0, 20.0, 50.0],
        "CNSR": [1, 1, 0, 1],
        "SEX": ["F", "M", "F", "M"],
        "STUDY": ["A", "A", "A", "A"],
        "AUCU": ["ng*h/mL"] * 4,
        "AUCDEF": ["AUCtau"] * 4,
        "DAY": [5.0, 5.0, 5.0, 5.0],
        "READY": [1, 1, 1, 1],
    }
)
ROLES: dict[str, Any] = {
    "id": "ID",
    "dose": "MG",
    "dose_unit": "mg",
    "exposures": {"AUC": "ng*h/mL"},
    "endpoints": {"ae": dob.Binary("AE")},
}
OS = dob.TimeToEvent("DAYS", "CNSR", event_value=0, time_unit="day")


def read(changes: dict[str, list[Any]] | None = None, **roles: Any) -> dob.ExposureData:
    frame = CLEAN.assign(**{c: pd.Series(v, dtype=object) for c, v in (changes or {}).items()})
    return dob.ExposureData.from_frame(frame, **(ROLES | roles))


@dataclass(frozen=True)
class Fault:
    """A bad input, and what the error must name."""

    changes: dict[str, list[Any]]
    code: str
    row: int | None
    words: tuple[str, ...]
    roles: dict[str, Any] = field(default_factory=dict)


CHG = {"endpoints": {"chg": dob.Continuous("CHG")}}
POOLED = {"study": "STUDY", "studies": ("A", "B")}
UNITS = {"unit_columns": {"AUC": "AUCU"}, "metric_columns": {"AUC": "AUCDEF"}}
FAULTS = {
    "D01 BLQ text": Fault({"AUC": ["<0.5", 5, "BLQ", 60]}, "DOB-D01", 2, ("2 of 4", "rows 2, 4", "blq='drop'")),
    "D01 BLQ half without a limit": Fault({"AUC": ["BLQ", 5, 40, 60]}, "DOB-D01", 2, ("lloq=",), {"blq": "half"}),
    "D01 BLQ flag": Fault({"READY": ["Y", "maybe", "N", None]}, "DOB-D01", 3, ("Y or N",), {"blq_flag": {"AUC": "READY"}, "blq": "drop"}),
    "D02 negative": Fault({"AUC": [-3, 5, 40, 60]}, "DOB-D02", 2, (">= 0",)),
    "D04 missing": Fault({"AUC": [None, 5, 40, 60]}, "DOB-D04", 2, ("missing={'AUC': 'exclude'}",)),
    "D04 infinite": Fault({"AUC": [3, np.inf, 40, 60]}, "DOB-D04", 3, ("finite",)),
    "D04 text": Fault({"AUC": [3, "high", 40, 60]}, "DOB-D04", 3, ("number",)),
    "D04 placebo": Fault({"MG": [0, 0, 20, 20], "AUC": [None, None, 40, 60]}, "DOB-D04", 2, ("2 patients at dose 0", "placebo='zero'", "'exclude'")),
    "D05 missing response": Fault({"CHG": [1.5, None, 3, 4]}, "DOB-B01", 3, ("never read as no event",), CHG),
    "D05 missing binary": Fault({"AE": [0, None, 1, 0]}, "DOB-B01", 3, ("missing={'ae': 'exclude'}",)),
    "D06 infinite response": Fault({"CHG": [1.5, np.inf, 3, 4]}, "DOB-D06", 3, ("finite",), CHG),
    "D08 constant": Fault({"CHG": [3.0, 3.0, 3.0, 3.0]}, "DOB-D08", None, ("n=4, value 3",), CHG),
    "D10 no unit column": Fault({"STUDY": ["A", "A", "B", "B"]}, "DOB-D10", None, ("unit_columns and metric_columns", "AUCtau"), POOLED),
    "D10 units differ": Fault({"AUCU": ["ng*h/mL", "ng*h/mL", "ug*h/L", "ng*h/mL"]}, "DOB-D10", 4, ("'ug*h/L' differs",), UNITS),
    "D10 definitions differ": Fault({"AUCDEF": ["AUCtau", "AUC0-24", "AUCtau", "AUCtau"]}, "DOB-D10", 3, ("'AUC0-24' here",), UNITS),
    "D11 log scale": Fault({"AUC": [-1.2, 0.5, 2.3, 3.1]}, "DOB-D11", 2, ("look like logarithms",)),
    "D11 no unit": Fault({}, "DOB-D11", None, ("scale is not declared",), {"exposures": {"AUC": " "}}),
    "D12 exposure after event": Fault({"DAY": [90, 5, 21, 5]}, "DOB-D12", 4, ("after the event of os", "immortal"), {"endpoints": {"os": OS}, "exposure_time": {"AUC": "DAY"}}),
    "D12 binary": Fault({"DAY": [1, 1, "2026-03-02", 1], "DAYS": [1, 1, "2026-03-01", 1]}, "DOB-D12", 4, ("2026-03-01",), {"exposure_time": {"AUC": "DAY"}, "event_time": {"ae": "DAYS"}}),
    "D12 two kinds of time": Fault({"DAY": [1, 1, "2026-03-02", 1]}, "DOB-D12", 4, ("one kind",), {"exposure_time": {"AUC": "DAY"}, "event_time": {"ae": "DAYS"}}),
    "A14 twice": Fault({"ID": ["01", "02", "01", "04"], "MG": [10, 10, 10, 20]}, "DOB-A14", 4, ("rows 2 and 4", "contradicting ae")),
    "C16 two doses": Fault({"ID": ["01", "02", "01", "04"]}, "DOB-C16", 4, ("10 and 20",)),
    "A15 misspelt": Fault({}, "DOB-A15", 1, ("did you mean 'AUC'",), {"exposures": {"AUCS": "h"}}),
    "B03 one-two": Fault({"AE": [1, 2, 2, 1]}, "DOB-B03", 3, ("values {1, 2}",)),
    "B06 Y-N": Fault({"AE": ["Y", "N", "Y", "N"]}, "DOB-B06", 2, ("codelist",)),
    "B06 event coding": Fault({"CNSR": ["Y", "N", "N", "N"]}, "DOB-B06", 2, ("event_value='Y'",), {"endpoints": {"os": OS}}),
    "B06 event never": Fault({"CNSR": ["Y", "N", "N", "N"]}, "DOB-B06", None, ("never occurs", "N, Y"), {"endpoints": {"os": dob.TimeToEvent("DAYS", "CNSR", "EVENT")}}),
    "B13 count": Fault({"N": [1, -1, 2, 0.5]}, "DOB-B13", 3, ("whole number",), {"endpoints": {"n": dob.Count("N", "DAYS")}}),
    "B13 person-time 0": Fault({"DAYS": [0, 1, 1, 1]}, "DOB-B13", 2, ("person-time is > 0",), {"endpoints": {"n": dob.Count("N", "DAYS")}}),
    "B13 time 0": Fault({"DAYS": [0, 1, 1, 1]}, "DOB-B13", 2, ("day 1",), {"endpoints": {"os": OS}}),
    "C03 negative dose": Fault({"MG": [-10, 10, 20, 20]}, "DOB-C03", 2, ("> 0",)),
    "C04 dose text": Fault({"MG": ["Low", 10, 20, 20]}, "DOB-C04", 2, ("dose_levels",)),
    "C05 microgram": Fault({"MG": [10, 10, 20, 20000]}, "DOB-C05", 5, ("1000 x 20",)),
    "C12 off the protocol": Fault({}, "DOB-C12", 4, ("not a candidate",), {"doses": (10, 30)}),
    "E02 covariate missing": Fault({"SEX": ["F", None, "F", "M"]}, "DOB-E02", 3, ("covariate SEX",), {"covariates": ["SEX"]}),
    "E02 level not declared": Fault({}, "DOB-E02", 2, ("not declared",), {"covariates": [dob.Covariate("SEX", levels=("M",))]}),
    "E04 near duplicate": Fault({"SEX": ["F", "f ", "F", "M"]}, "DOB-E04", 3, ("case or blanks",), {"covariates": ["SEX"]}),
    "E09 two studies": Fault({"STUDY": ["A", "A", "B", "B"]}, "DOB-E09", 4, ("2 studies",), {"study": "STUDY", **UNITS}),
    "E09 other study": Fault({"STUDY": ["A", "A", "A", "C"]}, "DOB-E09", 5, ("'C' is not one of: A, B",), POOLED),
    "policy": Fault({}, "DOB-D04", None, ("one of: error, zero, exclude",), {"placebo": "0"}),
    "no endpoint": Fault({}, "DOB-A15", None, ("at least one endpoint",), {"endpoints": {}}),
    "endpoint as text": Fault({}, "DOB-B11", None, ("Binary('AE')",), {"endpoints": {"ae": "AE"}}),
    "reserved name": Fault({}, "DOB-A15", None, ("'dose' is a reserved name",), {"endpoints": {"dose": dob.Binary("AE")}}),
    "part of an endpoint": Fault({}, "DOB-A15", None, ("part of another endpoint",), {"endpoints": {"os": OS, "os_time": dob.Binary("AE")}}),
    "response as covariate": Fault({}, "DOB-A15", None, ("'AE' belongs to endpoint ae",), {"covariates": ["AE"]}),
    "name twice": Fault({}, "DOB-A15", None, ("'AUC' names two",), {"covariates": ["AUC"]}),
}  # fmt: skip


def test_the_clean_table_is_accepted():
    assert read(**CHG).rows("chg", "AUC")["y"].to_numpy().tolist() == [1.5, 2.0, 3.0, 4.0]
    data = read(endpoints={"os": OS}, exposure_time={"AUC": "DAY"}, **POOLED, **UNITS)
    assert data.rows("os", "AUC").attrs["n_excluded"] == 0


@pytest.mark.parametrize("name", FAULTS)
def test_fault_is_named_and_taught(name):
    fault = FAULTS[name]
    with pytest.raises(DataError) as caught:
        read(fault.changes, **fault.roles)
    hits = [p for p in caught.value.items if p.code == fault.code and p.row == fault.row]
    assert hits, f"{fault.code} at row {fault.row} not in:\n{caught.value}"
    said = "\n".join(map(str, hits))
    for word in fault.words:
        assert word in said
    assert all(p.repair for p in hits)


def test_every_fault_of_a_table_is_listed_at_once():
    with pytest.raises(DataError) as caught:
        read({"AUC": [None, -5, 40, "x"], "AE": [0, 1, 5, None], "MG": [10, 10, -20, 20]})
    found = set(caught.value.problems["code"])
    assert {"DOB-D04", "DOB-D02", "DOB-B03", "DOB-B01", "DOB-C03"} <= found


@pytest.mark.parametrize("column", ["CNSR", "OSIND", "EVENT"])
def test_an_event_coding_is_never_guessed(column):
    with pytest.raises(DataError, match=r"which value of .* means an event"):
        dob.TimeToEvent("DAYS", column)


def test_many_values_below_quantification_are_warned_of():
    data = read({"AUC": ["<2", 5, 40, 60]}, blq="half")
    assert data.rows("ae", "AUC")["exposure"].to_numpy().tolist() == [1.0, 5.0, 40.0, 60.0]
    warned = [n for n in data.notes if "more than 20%" in n]
    assert len(warned) == 1
    assert "10 mg 1/2 (50%)" in warned[0]
    many = pd.concat([CLEAN.assign(ID=[f"{k}{i}" for i in CLEAN["ID"]]) for k in range(5)])
    many["AUC"] = many["AUC"].astype(object)
    many.iloc[0, many.columns.get_loc("AUC")] = "<2"
    few = dob.ExposureData.from_frame(many.reset_index(drop=True), **ROLES, blq="drop")
    assert not any("more than 20%" in n for n in few.notes)  # 1 of 10
    assert few.excluded("ae", "AUC") == {"AUC below quantification": 1}
    assert few.excluded("ae", "dose") == {}


def test_an_exposure_named_as_a_logarithm_is_warned_of():
    frame = CLEAN.rename(columns={"AUC": "LOGAUC"})
    data = dob.ExposureData.from_frame(frame, **(ROLES | {"exposures": {"LOGAUC": "log ng*h/mL"}}))
    assert any("the name says logarithm" in n for n in data.notes)
    assert not any("logarithm" in n for n in read().notes)


@pytest.mark.parametrize("events", [[0, 0, 0, 0], [1, 1, 1, 1]])
def test_all_or_none_is_read_and_said(events):
    data = read({"AE": events})
    assert any("cannot tell the shape" in n for n in data.notes)
    assert data.rows("ae", "AUC")["y"].to_numpy().tolist() == events


def test_censoring_codes_beyond_one_are_counted():
    data = read({"CNSR": [1, 2, 0, 2]}, endpoints={"os": OS})
    assert any("1 events of 4; censored values: 1 (1), 2 (2)" in n for n in data.notes)
    assert data.rows("os", "AUC")["y"].to_numpy().tolist() == [0, 0, 1, 0]


def test_a_reversed_cnsr_is_warned_of():
    data = read(endpoints={"os": dob.TimeToEvent("DAYS", "CNSR", event_value=1)})
    assert any("CNSR is 0 for an event by the CDISC standard" in n for n in data.notes)
