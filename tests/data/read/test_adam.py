"""ADaM data sets joined by subject: every policy printed, every loss refused."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

import doseopt_bayes as dob
from doseopt_bayes.errors import DataError

SAMPLES = Path(__file__).parents[1] / "samples"
LEVELS = {"Placebo": 0, "Xanomeline Low Dose": 54, "Xanomeline High Dose": 81}
AUC = dob.adam.Parameter("AUCLST", "h*ug/ml")
OTHER = {"MISSING": "exclude", "NE": "non-responder", "NON-CR/NON-PD": "non-responder"}
BOR = dob.adam.Response("BOR", other=OTHER)
ADAE = pd.DataFrame(
    {
        "STUDYID": "CDISCPILOT01",
        "USUBJID": ["01-701-1015", "01-701-1015", "01-701-1023", "01-701-1028", "01-701-1034"],
        "AEDECOD": ["HYPERGLYCAEMIA", "HYPERGLYCAEMIA", "RASH", "HYPERGLYCAEMIA", "HYPERGLYCAEMIA"],
        "ASEV": ["SEVERE", "MILD", "SEVERE", "MODERATE", "SEVERE"],
        "TRTEMFL": ["Y", "Y", "Y", "Y", ""],
    }
)


def read(**given):
    roles = {
        "dose": "TRT01A",
        "dose_unit": "mg",
        "dose_levels": LEVELS,
        "exposures": {"AUC": AUC},
        "endpoints": {"orr": BOR},
        "adpp": SAMPLES / "adpp.csv",
        "adrs": SAMPLES / "adrs.csv",
        "adtte": SAMPLES / "adtte.csv",
        "placebo": "zero",
    }
    return dob.read_adam(given.pop("adsl", SAMPLES / "adsl.csv"), **(roles | given))


def noted(data, words):
    return any(words in note for note in data.notes)


def table(name):
    return pd.read_csv(SAMPLES / f"{name}.csv", dtype=str, keep_default_na=False)


def test_screen_failures_are_removed_and_counted():
    data = read()
    assert noted(data, "population: 254 of 306 subjects, 52 screen failure")
    ledger = data.disposition[data.disposition["exposure"] == "AUC"]
    assert ledger["read"].sum() == 306
    assert ledger["screen failure"].sum() == 52
    assert data.doses == (0, 54, 81)


def test_categories_of_response_are_a_policy():
    data = read()
    assert noted(data, "MISSING 246 (exclude)")
    assert data.excluded("orr", "AUC") == {"BOR MISSING": 246}
    rows = data.rows("orr", "AUC")
    assert (rows.sizes["patient"], int(rows["y"].sum())) == (8, 4)  # 3 CR and 1 PR of 8
    all_in = read(
        endpoints={"orr": dob.adam.Response("BOR", other=OTHER | {"MISSING": "non-responder"})}
    )
    assert all_in.rows("orr", "AUC").sizes["patient"] == 254
    with pytest.raises(DataError) as caught:
        read(endpoints={"orr": dob.adam.Response("BOR")})
    said = str(caught.value)
    assert "MISSING in 246 subjects" in said
    assert "NE in 1 subjects" in said
    assert "NON-CR/NON-PD in 1 subjects" in said
    assert "other={'MISSING': ...}" in said


def test_confirmed_and_unconfirmed_differ():
    yes_no = {"yes": ("Y",), "no": ("N",)}
    ends = {name: dob.adam.Response(name.upper(), **yes_no) for name in ("rsp", "crsp")}
    data = read(endpoints=ends)
    assert [int(data.rows(end, "dose")["y"].sum()) for end in ends] == [4, 1]
    assert noted(data, "RSP needs no confirmation; CRSP does")


def test_records_are_chosen_by_the_analysis_flag():
    adrs = table("adrs")
    again = adrs[adrs["PARAMCD"] == "BOR"].iloc[:1]
    twice = pd.concat([adrs, again.assign(ANL01FL="", AVALC="PD")])
    assert noted(read(adrs=twice.reset_index(drop=True)), "1 of 307 records are not ANL01FL='Y'")
    any_record = dob.adam.Response("BOR", other=OTHER, flag="")
    with pytest.raises(DataError, match=r"DOB-A14.*BOR of the same subject.*flag='ANL01FL'"):
        read(adrs=twice.reset_index(drop=True), endpoints={"orr": any_record})


def test_several_visits_need_a_choice():
    adpp = table("adpp")
    both = pd.concat([adpp, adpp.assign(AVISIT="Day 15", AVAL="1.0")]).reset_index(drop=True)
    with pytest.raises(DataError, match=r"AUCLST stands at several visits: 'Day 1' \(168\)"):
        read(adpp=both)
    later = read(adpp=both, exposures={"AUC": dob.adam.Parameter("AUCLST", "h*ug/ml", "Day 15")})
    active = later.table[later.table["dose"] > 0]
    assert set(active["AUC"]) == {1.0}
    with pytest.raises(DataError, match="has no visit 'Day 2'"):
        read(exposures={"AUC": dob.adam.Parameter("AUCLST", "h*ug/ml", "Day 2")})


def test_units_are_compared_with_the_file():
    with pytest.raises(DataError, match=r"DOB-D10.*unit 'h\*ug/ml' differs from 'ng\*h/mL'"):
        read(exposures={"AUC": dob.adam.Parameter("AUCLST", "ng*h/mL")})


def test_a_value_below_quantification_is_taken_from_the_text():
    adpp = table("adpp")
    first = adpp.index[adpp["PARAMCD"] == "AUCLST"][0]
    adpp["AVALC"] = adpp["AVAL"]
    adpp.loc[first, ["AVAL", "AVALC"]] = ["", "<0.5"]
    with pytest.raises(DataError, match="DOB-D01"):
        read(adpp=adpp)
    values = read(adpp=adpp, blq="half").table.set_index("id")["AUC"]
    assert values[adpp.loc[first, "USUBJID"]] == 0.25


def test_events_are_counted_over_the_population():
    glucose = {"AEDECOD": "HYPERGLYCAEMIA"}
    ends = {
        "hyper": dob.adam.AdverseEvent(where=glucose),
        "severe": dob.adam.AdverseEvent(where=glucose | {"ASEV": ("SEVERE",)}),
        "n": dob.adam.AdverseEvent(where=glucose, person_time="TRTDURD", time_unit="day"),
        "any": dob.adam.AdverseEvent(where=glucose, treatment_emergent=""),
    }
    data = read(adae=ADAE, endpoints=ends, missing="exclude")
    assert [int(data.rows(end, "dose")["y"].sum()) for end in ends] == [2, 1, 3, 3]
    assert data.rows("hyper", "dose").sizes["patient"] == 254
    assert data.endpoints["n"].kind == "count"
    assert (data.rows("n", "dose")["time"] > 0).all()
    assert noted(data, "2 of 254 subjects of the population have one, the others count as no event")


def test_severity_is_no_grade():
    with pytest.raises(DataError, match=r"grade >= 3 is not defined, ADAE has no AETOXGR.*SEVERE"):
        read(adae=ADAE, endpoints={"g3": dob.adam.AdverseEvent(min_grade=3)})
    graded = ADAE.assign(AETOXGR=["3", "1", "4", "2", "5"])
    data = read(adae=graded, endpoints={"g3": dob.adam.AdverseEvent(min_grade=3)})
    assert int(data.rows("g3", "dose")["y"].sum()) == 2
    with pytest.raises(DataError, match="not a grade 1 to 5"):
        read(adae=ADAE.assign(AETOXGR="HIGH"), endpoints={"g3": dob.adam.AdverseEvent(min_grade=3)})


def test_times_keep_their_event_coding():
    pfs = dob.adam.EventTime("PFS", event_value=0, time_unit="day")
    data = read(endpoints={"pfs": pfs})
    rows = data.rows("pfs", "AUC")
    assert int(rows["y"].sum()) == 6
    raw = table("adtte").query("PARAMCD == 'PFS'").set_index("USUBJID")["AVAL"].astype(float)
    assert rows["time"].to_series().to_dict() == {p: raw[p] for p in rows["patient"].to_numpy()}
    with pytest.raises(DataError, match="which value of CNSR means an event"):
        dob.adam.EventTime("PFS")


def test_dose_intensity_is_post_baseline():
    part = dob.adam.Parameter("TRTCOMP", "%")
    data = read(adex=SAMPLES / "adexsum.csv", adex_covariates={"RDI": part}, missing="exclude")
    assert data.covariates["RDI"].post_baseline
    assert noted(data, "RDI was formed after treatment began")
    assert noted(data, "ADEX has no AVALU: the unit '%' of RDI is not checked")
    assert (data.rows("orr", "dose", ["RDI"])["cov_RDI"] >= 0).all()


def test_the_dose_can_come_from_exposure_records():
    subjects = table("adexsum")["USUBJID"].unique()
    adsl = table("adsl")
    adsl = adsl[adsl["USUBJID"].isin(subjects)].reset_index(drop=True)
    mean = dob.adam.Parameter("MEANDD", "mg")
    ends = {"long": dob.Binary("LONG")}
    adsl["LONG"] = (adsl["TRTDURD"].astype(float) > 100).astype(int)
    data = dob.read_adam(adsl, dose=mean, dose_unit="mg", endpoints=ends,
                         adex=SAMPLES / "adexsum.csv", exclude=NO_MEAN)  # fmt: skip
    raw = table("adexsum").query("PARAMCD == 'MEANDD'").set_index("USUBJID")["AVAL"].astype(float)
    assert data.table.set_index("id")["dose"].to_dict() == pytest.approx(
        {p: raw[p] for p in data.table["id"]}
    )
    assert noted(data, "formed after treatment began")


NO_MEAN = dict.fromkeys(
    sorted(set(table("adexsum")["USUBJID"]) - set(table("adexsum").query("PARAMCD == 'MEANDD'")["USUBJID"])),
    "no average dose",
)  # fmt: skip


def test_a_join_never_loses_or_doubles_a_subject():
    adsl = table("adsl")
    with pytest.raises(DataError, match=r"DOB-E05.*subjects of ADPP are not in ADSL"):
        read(adsl=adsl.iloc[:200].reset_index(drop=True))
    doubled = pd.concat([adsl, adsl.iloc[:1]]).reset_index(drop=True)
    with pytest.raises(DataError, match=r"DOB-A14.*rows 2 and 308"):
        read(adsl=doubled)
    with pytest.raises(DataError, match="exposure AUC needs ADPP"):
        read(adpp=None)
    with pytest.raises(DataError, match=r"no PARAMCD 'AUCLAST' -> did you mean 'AUCLST'"):
        read(exposures={"AUC": dob.adam.Parameter("AUCLAST", "h*ug/ml")})


def test_the_same_bytes_give_the_same_fingerprint():
    assert read().sha256 == read().sha256
    changed = table("adrs").iloc[:-1]
    assert read(adrs=changed).sha256 != read(adrs=table("adrs")).sha256
