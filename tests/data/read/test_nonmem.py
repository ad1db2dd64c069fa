"""NONMEM-style records: observed exposures by explicit rules, derived ones by a join."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import doseopt_bayes as dob
from doseopt_bayes.errors import DataError

RECORDS = Path(__file__).parents[1] / "samples" / "records.csv"
RAW = pd.read_csv(RECORDS)
CMAX = dob.Observed("max", 2, "ng/mL")
AUC = dob.Observed("trapezoid", 2, "h*ng/mL", between=(0, 24))
LAST = dob.Observed("last", 3, "IU/L")


def read(**given):
    roles = {
        "dose": "DOSE",
        "dose_unit": "mg",
        "dv": "LIDV",
        "exposures": {"AUC": AUC, "CMAX": CMAX},
        "endpoints": {"pd": LAST},
        "covariates": ["WEIGHTB", "SEX"],
        "placebo": "zero",
        "blq": "drop",
    }
    return dob.read_nonmem(given.pop("records", RECORDS), **(roles | given))


def noted(data, words):
    return any(words in note for note in data.notes)


def observed(compartment):
    keep = (RAW["CMT"] == compartment) & (RAW["MDV"] == 0) & (RAW["CENS"] == 0)
    return RAW[keep & (RAW["EVID"] == 0)].sort_values("TIME").groupby("ID")


def test_observed_exposures_agree_with_pandas():
    rows, peak = read().rows("pd", "AUC", ["WEIGHTB", "SEX"]), read().rows("pd", "CMAX")
    assert rows.sizes["patient"] == RAW["ID"].nunique() == 12
    expected = observed(2)["LIDV"].max()
    active = peak.where(peak["dose"] > 0, drop=True)
    got = dict(
        zip(active["patient"].to_numpy().astype(int), active["exposure"].to_numpy(), strict=True)
    )
    assert got == expected.to_dict()
    assert (peak["exposure"].where(peak["dose"] == 0, drop=True) == 0).all()
    np.testing.assert_array_equal(rows["y"], observed(3)["LIDV"].last().sort_index())
    first = observed(2).get_group(31)
    first = first[first["TIME"].between(0, 24)]
    steps = (
        np.diff(first["TIME"]) * (first["LIDV"].to_numpy()[1:] + first["LIDV"].to_numpy()[:-1]) / 2
    )
    assert float(rows["exposure"].sel(patient="31")) == pytest.approx(steps.sum())
    assert rows["cov_WEIGHTB"].sel(patient="31") == 76.3


def test_what_was_left_out_is_counted():
    data = read(blq={"2": "half", "3": "drop"})
    events, empty = (
        int((RAW["EVID"] != 0).sum()),
        int(((RAW["EVID"] == 0) & (RAW["MDV"] == 1)).sum()),
    )
    assert noted(data, f"{events} event records (EVID not 0), {empty} without a value")
    assert noted(data, "no PK model")
    low = RAW[(RAW["CENS"] == 1) & (RAW["CMT"] == 2)]
    assert len(low) > 0
    assert noted(data, f"compartment 2: {len(low)} observations below quantification")
    with pytest.raises(DataError, match=r"DOB-D01.*choose blq=\{'2': 'drop'\}"):
        read(blq="error")
    with pytest.raises(DataError, match="one of: error, drop, half, zero, keep"):
        read(blq="M3")


@pytest.mark.parametrize(
    ("policy", "area"), [("drop", 8.0), ("zero", 10.0), ("half", 10.5), ("keep", 11.0)]
)
def test_below_quantification_by_hand(policy, area):
    frame = pd.DataFrame(
        {"ID": 1, "TIME": [0, 0, 1, 2, 3], "AMT": [5, 0, 0, 0, 0], "DV": [0, 4, 4, 4, 2],
         "EVID": [1, 0, 0, 0, 0], "MDV": [1, 0, 0, 0, 0], "CENS": [0, 0, 0, 0, 1],
         "CMT": [1, 2, 2, 2, 2], "DOSE": 5}
    )  # fmt: skip
    two = pd.concat([frame, frame.assign(ID=2, DV=[0, 4, 4, 5, 2])]).reset_index(drop=True)
    data = dob.read_nonmem(
        two, dose="DOSE", dose_unit="mg", blq=policy,
        exposures={"AUC": dob.Observed("trapezoid", 2, "h*mg/L")},
        endpoints={"peak": dob.Observed("max", 2, "mg/L")},
    )  # fmt: skip
    # 4 for 2 h, then nothing, or one trapezoid from 4 to 0, 1 or 2
    assert data.rows("peak", "AUC")["exposure"][0] == area


def test_derived_exposures_are_joined():
    ids = RAW["ID"].unique()
    derived = pd.DataFrame({"ID": ids, "AUCSS": np.arange(1.0, len(ids) + 1)})
    units = {"AUCSS": "h*ng/mL"}
    data = read(derived=derived, exposures=units)
    assert data.rows("pd", "AUCSS")["exposure"].to_numpy().tolist() == derived["AUCSS"].to_list()
    with pytest.raises(DataError, match="DOB-A14"):
        read(derived=pd.concat([derived, derived.iloc[:1]], ignore_index=True), exposures=units)
    with pytest.raises(DataError, match=r"DOB-E05.*1 patients have no records: 999"):
        read(derived=derived.replace({"ID": {1: 999}}), exposures=units)
    with pytest.raises(DataError, match=r"pass derived=\.\.\."):
        read(exposures=units)


def test_a_dose_that_changes_within_a_patient_is_refused():
    changed = RAW.copy()
    changed.loc[changed.index[changed["ID"] == 31][-1], "DOSE"] = 800
    with pytest.raises(DataError, match=r"DOB-C16.*DOSE changes within the patient: 400, 800"):
        read(records=changed)


def test_rules_that_cannot_be_applied_are_refused():
    with pytest.raises(DataError, match=r"no observation in compartment 9.*compartments with"):
        read(endpoints={"pd": dob.Observed("last", 9)})
    with pytest.raises(DataError, match="rule 'auc'; one of"):
        dob.Observed("auc", 2)
    with pytest.raises(DataError, match="is not 0 or 1"):
        read(endpoints={"pd": dob.Observed("any", 3)})
    data = read(endpoints={"any": dob.Observed("any", 6)})
    assert data.endpoints["any"].kind == "binary"
    assert data.rows("any", "AUC")["y"].to_numpy().tolist() == observed(6)["LIDV"].max().to_list()
