"""The ADER, ADEE and ADES proposal: OSIND copies CNSR, EVENT is its complement."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

import doseopt_bayes as dob
from doseopt_bayes.errors import DataError

SAMPLES = Path(__file__).parents[1] / "samples"
LEVELS = {"Placebo": 0, "Xanomeline Low Dose": 54, "Xanomeline High Dose": 81}
OS = dob.TimeToEvent("OS", "OSIND", event_value=0, time_unit="day")
ADER = pd.read_csv(SAMPLES / "ader.csv", dtype=str, keep_default_na=False)


def read(**given):
    roles = {
        "dose": "TRT01A",
        "dose_unit": "mg",
        "dose_levels": LEVELS,
        "exposures": {"AUCSS": "h*ug/mL", "CMAXSS": "ug/mL"},
        "endpoints": {"os": OS, "sae": dob.Binary("SAE")},
        "covariates": ["AGE", "SEX"],
        "planned": "TRT01P",
        "placebo": "zero",
    }
    return dob.read_ader(SAMPLES / "ader.csv", **(roles | given))


def noted(data, words):
    return any(words in note for note in data.notes)


def adee():
    """ADEE of the same subjects, by its definition EVENT = 1 - CNSR."""
    frame = ADER[ADER["OSIND"] != ""]
    event = (1 - frame["OSIND"].astype(float)).astype(int)
    return pd.DataFrame(
        {"STUDYID": frame["STUDYID"], "USUBJID": frame["USUBJID"], "PARAMCD": "OS",
         "AVAL": frame["OS"], "AVALU": "day", "EVENT": event, "CNSR": 1 - event}
    ).reset_index(drop=True)  # fmt: skip


def test_one_call_to_exposure_covariates_and_endpoints():
    data = read()
    rows = data.rows("os", "AUCSS", ["AGE", "SEX"])
    assert rows.sizes["patient"] == 254
    assert int(rows["y"].sum()) == 3
    assert noted(data, "86 placebo patients without exposure")  # 34 % of 254
    assert noted(data, "TRT01P differs in 12 of 254")
    with pytest.raises(DataError, match="86 patients at dose 0 have no AUCSS"):
        read(placebo="error")


def test_the_event_of_ader_is_zero_and_of_adee_is_one():
    from_adee = dob.adam.EventTime("OS", event_value=1, event="EVENT", time_unit="day")
    data = read(adee=adee(), endpoints={"os": OS, "again": from_adee})
    ours, theirs = data.rows("os", "dose"), data.rows("again", "dose")
    assert ours["y"].equals(theirs["y"])
    assert ours["time"].equals(theirs["time"])
    wrong = read(endpoints={"os": dob.TimeToEvent("OS", "OSIND", event_value=1)})
    assert noted(wrong, "WARNING os: OSIND of ADER copies CNSR, where 0 is the event")
    assert not noted(data, "copies CNSR")


def test_the_unit_of_time_is_checked_where_it_is_known():
    months = dob.adam.EventTime("OS", event_value=1, event="EVENT", time_unit="month")
    with pytest.raises(DataError, match=r"DOB-D10.*AVALU is day, not 'month'"):
        read(adee=adee(), endpoints={"os": months})


def test_best_response_of_ader_is_a_policy():
    meaning = {"MISSING": "exclude", "NE": "exclude", "NON-CR/NON-PD": "non-responder"}
    data = read(endpoints={"orr": dob.adam.Response("BORC", other=meaning)})
    assert data.excluded("orr", "AUCSS") == {"BORC MISSING": 246, "BORC NE": 1}
    rows = data.rows("orr", "AUCSS")
    assert (rows.sizes["patient"], int(rows["y"].sum())) == (7, 4)


def test_flags_come_from_ades():
    ades = ADER[["STUDYID", "USUBJID"]].assign(PARAMCD="SAE", AVAL=ADER["SAE"])
    data = read(ades=ades, endpoints={"flag": dob.adam.Parameter("SAE"), "sae": dob.Binary("SAE")})
    assert data.rows("flag", "dose")["y"].equals(data.rows("sae", "dose")["y"])


def test_what_is_missing_is_named():
    with pytest.raises(DataError, match="endpoint os needs ADEE"):
        read(endpoints={"os": dob.adam.EventTime("OS", event_value=1, event="EVENT")})
    with pytest.raises(DataError, match="no column 'BOR2'"):
        read(endpoints={"orr": dob.adam.Response("BOR2")})
