"""Backfilled patients are flagged, and count like everybody else."""

from __future__ import annotations

import pandas as pd
import pytest

import doseopt_bayes as dob

FRAME = pd.DataFrame(
    {"mg": [10, 10, 20, 20, 10, 40], "dlt": [0, 0, 1, 0, 0, 0], "bf": [0, 0, 0, 0, 1, 0]}
)
ROLES = dob.PatientColumns("mg", tox="dlt", unit="mg", backfill="bf")


def test_they_are_counted_by_dose_and_change_no_count():
    data = dob.TrialData.from_frame(FRAME, ROLES)
    said = "backfilled: 1 of 6 patients (1 at 10 mg), by bf; they count like every other patient"
    assert said in data.notes
    plain = dob.TrialData.from_frame(FRAME, dob.PatientColumns("mg", tox="dlt", unit="mg"))
    assert data.counts.equals(plain.counts)


def test_words_need_a_codelist_and_then_do():
    words = FRAME.assign(bf=["no", "no", "no", "no", "yes", "no"])
    with pytest.raises(dob.DataError, match="bf"):
        dob.TrialData.from_frame(words, ROLES)
    coded = dob.PatientColumns(
        "mg", tox="dlt", unit="mg", backfill="bf", levels={"bf": {"no": 0, "yes": 1}}
    )
    assert any("1 at 10 mg" in n for n in dob.TrialData.from_frame(words, coded).notes)


def test_a_missing_flag_names_its_row():
    missing = FRAME.assign(bf=[0, 0, None, 0, 1, 0])
    with pytest.raises(dob.DataError, match=r"row 4.*backfilled is missing"):
        dob.TrialData.from_frame(missing, ROLES)
