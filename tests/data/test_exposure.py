"""Exposure-response data: published counts, what a model reads, and the traps of importers.

Trap of an importer, and the test that shows it caught:

1. CNSR or EVENT: test_exposure_faults.py (never guessed), read/test_ader.py (OSIND copies CNSR)
2. MISSING, NE, NON-CR/NON-PD: read/test_adam.py::test_categories_of_response_are_a_policy
3. RSP and CRSP, analysis flag: read/test_adam.py::test_confirmed_and_unconfirmed_differ, ..._flag
4. screen failures: read/test_adam.py::test_screen_failures_are_removed_and_counted
5. severity without grade: read/test_adam.py::test_severity_is_no_grade
6. planned and actual dose: test_planned_and_actual_dose_are_compared
7. dose as text, schedule: test_dose_text_needs_a_map_and_keeps_its_schedule
8. placebo exposure: test_placebo_exposure_is_a_policy
9. BLQ, visits, units: test_exposure_faults.py, read/test_adam.py::test_several_visits..., ..._units
10. a denominator per endpoint: test_each_endpoint_has_its_denominator
11. not yet evaluable: test_not_evaluable_is_not_no_event
12. names of SAS transport files: read/test_containers.py::test_short_names
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import doseopt_bayes as dob
from doseopt_bayes import datasets
from doseopt_bayes.data.disposition import check_disposition
from doseopt_bayes.errors import DataError, DoseOptError

FRAME = pd.DataFrame(
    {
        "ID": ["001", "002", "003", "004", "005", "006"],
        "ARM": ["Placebo", "Placebo", "140 QD", "70 BID", "280 QD", "280 QD"],
        "PLAN": ["Placebo", "Placebo", "140 QD", "70 BID", "280 QD", "140 QD"],
        "AUC": [np.nan, np.nan, 4.0, 6.0, 9.0, 11.0],
        "CMAX": [np.nan, np.nan, 1.0, 0.5, 2.0, np.nan],
        "AE": [0, 0, 0, 1, 1, 1],
        "RESP": [0, np.nan, 0, 1, np.nan, 1],
        "READY": [1, 0, 1, 1, 0, 1],
        "CHG": [-1.0, 0.0, 3.0, 5.0, 8.0, 9.0],
        "AGE": [40.0, 50.0, 60.0, 70.0, 80.0, np.nan],
        "RACE": ["White", "Asian", "White", "Black", "Asian", "White"],
        "RDI": [1.0, 1.0, 0.9, 0.8, 0.5, 0.6],
    }
)
LEVELS = {"Placebo": 0, "140 QD": 140, "70 BID": 140, "280 QD": 280}
ENDS = {"ae": dob.Binary("AE"), "resp": dob.Binary("RESP"), "chg": dob.Continuous("CHG", "mm")}


def read(frame=FRAME, **roles):
    given = {
        "id": "ID",
        "dose": "ARM",
        "dose_unit": "mg",
        "dose_levels": LEVELS,
        "exposures": {"AUC": "ng*h/mL", "CMAX": "ng/mL"},
        "endpoints": ENDS,
        "placebo": "zero",
        "missing": "exclude",
    }
    return dob.ExposureData.from_frame(frame, **(given | roles))


def noted(data, words):
    return any(words in note for note in data.notes)


def test_published_counts_of_the_shipped_sample():
    roles = dob.ExposureColumns(
        "ID",
        "Dose_mg",
        dose_unit="mg",
        exposures=dict.fromkeys(["AUCss", "Cmaxss", "Cminss"], "unit"),
        endpoints={"hyperglycaemia": dob.Binary("AEFLAG")},
        covariates=("BAGE", dob.Covariate("RACE", "category", reference="White"), "VISC"),
    )
    data = dob.read_exposure(datasets.path("hyperglycaemia"), roles)
    rows = data.rows("hyperglycaemia", "AUCss", ["BAGE", "RACE", "VISC"])
    assert rows.sizes == {"patient": 500}
    events = [int(rows["y"].where(rows["dose"] == dose).sum()) for dose in data.doses]
    assert events == [45, 93]  # of 250 patients at each of 200 and 400 mg
    raw = pd.read_csv(datasets.path("hyperglycaemia"))
    np.testing.assert_array_equal(rows["exposure"], raw["AUCss"])
    dummies = [v for v in rows.data_vars if str(v).startswith("cov_")]
    assert dummies == ["cov_BAGE", "cov_RACE[Asian]", "cov_RACE[Black]", "cov_VISC[Yes]"]
    np.testing.assert_array_equal(rows["cov_RACE[Black]"], raw["RACE"] == "Black")
    assert data.rows("hyperglycaemia", "dose").attrs["exposure_unit"] == "mg"
    assert len(data.sha256) == 64
    assert len(data.row_hashes) == 500


@pytest.mark.parametrize("axis", ["AUC", "dose"])
def test_what_a_model_reads(axis):
    rows = read(covariates=["AGE", "RACE"]).rows("chg", axis, ["AGE", "RACE"])
    assert isinstance(rows, xr.Dataset)
    assert rows["patient"].to_numpy().tolist() == ["001", "002", "003", "004", "005"]
    assert rows["y"].to_numpy().tolist() == [-1, 0, 3, 5, 8]
    expected = {"AUC": [0, 0, 4, 6, 9], "dose": [0, 0, 140, 140, 280]}[axis]
    assert rows["exposure"].to_numpy().tolist() == expected
    assert rows["cov_RACE[Black]"].to_numpy().tolist() == [0, 0, 0, 1, 0]
    assert rows.attrs["endpoint_unit"] == "mm"
    assert rows.attrs["excluded"] == "AGE missing: 1"
    assert (rows.attrs["n_read"], rows.attrs["n_excluded"]) == (6, 1)
    assert not any(np.isnan(rows[v]).any() for v in rows.data_vars)


def test_counts_times_and_groups_bring_their_parts():
    frame = FRAME.assign(N=[0, 1, 2, 0, 3, 1], DAYS=[10, 20, 30, 40, 50, 60], SD=2.0, SIZE=30)
    ends = {
        "n": dob.Count("N", "DAYS", time_unit="day"),
        "os": dob.TimeToEvent("DAYS", "AE", event_value=1, time_unit="day"),
        "size": dob.Grouped("CHG", "SD", "SIZE", unit="mm"),
    }
    data = read(frame, endpoints=ends)
    count, time, group = (data.rows(end, "dose") for end in ends)
    assert count["y"].to_numpy().tolist() == [0, 1, 2, 0, 3, 1]
    assert count["time"].to_numpy().tolist() == [10, 20, 30, 40, 50, 60]
    assert time["y"].to_numpy().tolist() == [0, 0, 0, 1, 1, 1]
    assert (time.attrs["kind"], time.attrs["time_unit"]) == ("time_to_event", "day")
    assert group["sd"].to_numpy().tolist() == [2.0] * 6
    assert group["n"].to_numpy().tolist() == [30] * 6
    assert [r.attrs["kind"] for r in (count, time, group)] == ["count", "time_to_event", "grouped"]


def test_placebo_exposure_is_a_policy():
    zero, out = read(), read(placebo="exclude")
    assert zero.rows("ae", "AUC").sizes["patient"] == 6
    assert noted(zero, "2 placebo patients without exposure recorded as 0")
    assert noted(zero, "an axis in log exposure needs a break")
    assert out.excluded("ae", "AUC") == {"placebo without exposure": 2}
    assert out.rows("ae", "dose").sizes["patient"] == 6  # dose is known for placebo
    with pytest.raises(DataError, match=r"2 patients at dose 0 have no AUC.*placebo='zero'"):
        read(placebo="error")


def test_a_metric_that_lacks_a_value_leaves_the_other_metrics_alone():
    data = read()
    assert data.excluded("ae", "CMAX") == {"CMAX missing": 1}
    assert data.excluded("ae", "AUC") == {}
    assert noted(data, "CMAX: 1 rows without exposure excluded")


def test_each_endpoint_has_its_denominator():
    data = read()
    check_disposition(
        data.disposition.drop(columns="exposure").astype({"endpoint": "str"}),
        dict.fromkeys(ENDS, 18),  # six patients on each of three axes
    )
    ledger = data.disposition.set_index(["endpoint", "exposure", "dose"])
    assert ledger.loc[("resp", "AUC", 280.0), ["read", "analysed"]].tolist() == [2, 1]
    assert ledger.loc[("resp", "AUC", 280.0), "response missing"] == 1
    assert ledger.loc[("ae", "AUC", 280.0), "analysed"] == 2
    assert ledger.loc[("ae", "CMAX", 280.0), "analysed"] == 1
    assert "response missing" in str(data)


def test_not_evaluable_is_not_no_event():
    data = read(evaluable={"resp": "READY"})
    assert data.excluded("resp", "AUC") == {"not evaluable": 2}
    assert data.rows("resp", "AUC")["patient"].to_numpy().tolist() == ["001", "003", "004", "006"]


def test_excluded_patients_stay_in_the_ledger():
    data = read(exclude={"005": "no informed consent"})
    column = data.disposition["excluded: no informed consent"]
    assert column.sum() == len(ENDS) * 3
    assert "005" not in data.table["id"].to_list()


def test_planned_and_actual_dose_are_compared():
    assert noted(read(planned="PLAN"), "PLAN differs in 1 of 6 patients (rows 7)")


def test_dose_text_needs_a_map_and_keeps_its_schedule():
    data = read()
    assert data.doses == (0.0, 140.0, 280.0)
    assert dict(data.schedules) == {"Placebo": 0, "140 QD": 140, "70 BID": 140, "280 QD": 280}
    assert noted(data, "dose 140 mg was given as 140 QD, 70 BID")
    assert data.table["schedule"].to_list() == FRAME["ARM"].to_list()
    with pytest.raises(DataError, match=r"140 QD.*map it in dose_levels"):
        read(dose_levels={"Placebo": 0})
    numbers = FRAME.assign(MG=[0, 0, 140, 140, 280, 280], SCHED=["QD"] * 3 + ["BID"] + ["QD"] * 2)
    plain = read(numbers, dose="MG", schedule="SCHED", dose_levels={})
    assert plain.schedules["140 mg BID"] == 140


def test_post_baseline_covariates_are_flagged():
    data = read(covariates=[dob.Covariate("RDI", "numeric", post_baseline=True), "RACE"])
    assert data.covariates["RDI"].post_baseline
    assert not data.covariates["RACE"].post_baseline
    assert noted(data, "RDI was formed after treatment began")


def test_declared_levels_without_patients_are_kept():
    race = dob.Covariate("RACE", "category", levels=("White", "Asian", "Black", "Other"))
    data = read(covariates=[race])
    rows = data.rows("ae", "AUC", ["RACE"])
    assert "cov_RACE[White]" not in rows  # the first level is the reference
    assert not rows["cov_RACE[Other]"].any()
    assert noted(data, "no patient has Other: prior only")
    assert noted(data, "one patient only has Black")


def test_the_order_of_rows_changes_nothing_but_the_order():
    shuffled = FRAME.sample(frac=1, random_state=3).reset_index(drop=True)
    before = read(covariates=["RACE"]).rows("ae", "AUC", ["RACE"])
    after = read(shuffled, covariates=["RACE"]).rows("ae", "AUC", ["RACE"])
    xr.testing.assert_equal(before, after.sel(patient=before["patient"]))


def test_a_result_cannot_be_changed_through_its_table():
    data = read()
    table = data.table
    table.loc[0, "AUC"] = 99.0
    data.rows("ae", "AUC")["exposure"][0] = 99.0
    assert data.rows("ae", "AUC")["exposure"][0] == 0


def test_unknown_names_are_taught():
    data = read()
    for asked in (("aee", "AUC"), ("ae", "AUCC"), ("ae", "AUC", ["AGE"])):
        with pytest.raises(DoseOptError, match=r"no (endpoint|exposure|covariate) "):
            data.rows(*asked)


def test_one_dose_and_nobody_left():
    one = read(FRAME[FRAME["ARM"] == "280 QD"].reset_index(drop=True))
    assert one.doses == (280.0,)
    placebo = FRAME[FRAME["ARM"] == "Placebo"].reset_index(drop=True)
    none = read(placebo, placebo="exclude", endpoints={"ae": dob.Binary("AE")})
    assert none.doses == (0.0,)
    with pytest.raises(DoseOptError, match="no row has ae, AUC"):
        none.rows("ae", "AUC")


def test_rows_without_an_identifier_are_numbered_and_it_is_said():
    data = read(FRAME.drop(columns="ID"), id="")
    assert data.rows("ae", "dose")["patient"].to_numpy().tolist() == [
        f"row {i}" for i in range(2, 8)
    ]
    assert noted(data, "no identifier column")
    with pytest.raises(DataError, match="excluded by their identifier"):
        read(FRAME, id="", exclude={"001": "x"})
