"""Trial data: published counts, accounting of patients, invariances, and a fuzz of defects."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from doseopt_bayes import datasets
from doseopt_bayes.data import CountColumns, PatientColumns, TrialData
from doseopt_bayes.data.disposition import check_disposition, disposition
from doseopt_bayes.errors import DataError, DoseOptError

CUIMET = PatientColumns(
    "Dose", tox="Toxicity", eff="Efficacy", other={"tolerability": "Tolerability"}
)
OPTIC = CountColumns("dose", unit_column="unit", eff="eff", n_eff="n_eff", tox="tox", n_tox="n_tox")


def noted(trial, words):
    return any(words in note for note in trial.notes)


def test_cuimet_unchanged():
    trial = TrialData.from_csv(datasets.path("cuimet"), CUIMET)
    assert trial.endpoints == ("tox", "eff", "tolerability")
    assert trial.doses == (1.0, 2.0, 3.0, 4.0, 5.0)
    assert trial.counts["n_treated"].to_numpy().tolist() == [20] * 5
    rate = trial.counts["events"] / trial.counts["n"]
    assert rate.sel(endpoint="tox").to_numpy().tolist() == [0.20, 0.25, 0.25, 0.25, 0.45]
    assert rate.sel(endpoint="eff").to_numpy().tolist() == [0.25, 0.30, 0.45, 0.25, 0.55]
    assert rate.sel(endpoint="tolerability").to_numpy().tolist() == [0.45, 0.30, 0.60, 0.70, 0.65]
    assert (trial.counts["cell_count"].sum("cell") == 20).all()
    assert all(trial.counts[v].dtype == np.int64 for v in trial.counts.data_vars)
    assert noted(trial, "taken from the data: 1, 2, 3, 4, 5")
    assert noted(trial, "no identifier column")
    assert not trial.marginal_only
    assert not trial.single_dose


def test_cuimet_identifiers_restart_at_each_dose():
    roles = PatientColumns("Dose", id="ID", tox="Toxicity")
    with pytest.raises(DataError, match=r"DOB-C16.*in `id_within`"):
        TrialData.from_csv(datasets.path("cuimet"), roles)
    trial = TrialData.from_csv(datasets.path("cuimet"), replace(roles, id_within="Dose"))
    assert trial.patients["id"].is_unique
    assert "5/20" in set(trial.patients["id"])
    assert trial.counts["n_treated"].sum() == 100


def test_optic_counts():
    trial = TrialData.from_counts(datasets.path("optic"), OPTIC)
    assert trial.doses == (15.0, 30.0, 45.0)
    assert trial.unit == "mg"
    assert trial.counts["dose"].attrs == {"units": "mg"}
    assert trial.counts["events"].sel(endpoint="eff").to_numpy().tolist() == [21, 27, 41]
    assert trial.counts["n"].sel(endpoint="eff").to_numpy().tolist() == [91, 93, 93]
    assert trial.counts["events"].sel(endpoint="tox").to_numpy().tolist() == [3, 5, 5]
    assert trial.counts["n_treated"].to_numpy().tolist() == [94] * 3
    assert not trial.counts["cell_count"].any()
    assert trial.marginal_only
    assert noted(trial, "association is driven by its prior")
    ledger = trial.disposition.set_index(["endpoint", "dose"])
    assert ledger.loc[("eff", 15.0), "not in the denominator"] == 3
    assert trial.patients is None
    with pytest.raises(DoseOptError, match=r"counts are in `.counts`"):
        trial.outcomes()


def test_both_gives_the_joint_cells():
    frame = pd.DataFrame({"d": ["20 mg", "10 mg"], "n": 6, "t": [2, 1], "e": [3, 2], "b": [1, 0]})
    roles = CountColumns("d", n="n", tox="t", eff="e", both="b", unit="mg", doses=(10, 20, 40))
    trial = TrialData.from_counts(frame, roles)
    assert trial.counts["cell_count"].to_numpy().tolist() == [
        [3, 2, 1, 0],
        [2, 2, 1, 1],
        [0, 0, 0, 0],
    ]
    assert not trial.marginal_only
    assert noted(trial, "2 doses written as text with the unit 'mg'")
    assert noted(trial, "no patients at 40 mg")


PENDING = (
    "id,dose,plan,tox,eff,ev\n"
    "001,20,20,0,1,Y\n"
    "002,10,10,0,,N\n"
    "003,10,20,,0,Y\n"
    "004,10.000001,10,1,,Y\n"
    "005,2000,10,x,x,Y\n"
    "006,10,10,0,0,N\n"
)
PENDING_ROLES = PatientColumns(
    "dose",
    id="id",
    tox="tox",
    eff="eff",
    planned="plan",
    evaluable={"eff": "ev"},
    levels={"ev": {"Y": 1, "N": 0}},
    missing={"tox": "exclude", "eff": "pending"},
    exclude={"005": "wrong dose given"},
    doses=(20, 10),
    unit="mg",
)


def test_every_patient_is_accounted_for(tmp_path):
    file = tmp_path / "x.csv"
    file.write_text(PENDING)
    trial = TrialData.from_csv(file, PENDING_ROLES)
    ledger = trial.disposition.set_index(["endpoint", "dose"])
    assert ledger.columns.tolist() == [
        "read",
        "analysed",
        "excluded: wrong dose given",
        "missing",
        "not evaluable",
        "pending",
    ]
    assert ledger.loc[("eff", 10.0)].tolist() == [4, 1, 0, 0, 2, 1]
    assert ledger.loc[("tox", 10.0)].tolist() == [4, 3, 0, 1, 0, 0]
    assert ledger.loc[("eff", 20.0)].tolist() == [1, 1, 0, 0, 0, 0]
    by_end = trial.disposition.groupby("endpoint")
    assert (by_end["read"].sum() == 6).all()
    unread = trial.disposition[trial.disposition["dose"].isna()]
    assert unread["excluded: wrong dose given"].tolist() == [1, 1]
    assert trial.counts["n_treated"].to_numpy().tolist() == [4, 1]
    assert trial.counts["n"].sel(endpoint="eff").to_numpy().tolist() == [1, 1]
    # 002 and 006 are not evaluable: never counted as no response
    assert trial.counts["cell_count"].sel(dose=10.0).sum() == 0
    assert trial.patients is not None
    assert trial.patients["id"].tolist() == ["001", "002", "003", "004", "006"]
    for words in (
        "eff: 1 patients pending",
        "eff: 2 patients not evaluable",
        "plan differs in 1 of 5 patients (rows 4)",
        "dose 10.000001 read as 10 in 1 rows",
    ):
        assert noted(trial, words), trial.notes


def test_a_broken_ledger_is_refused():
    good = disposition([1.0], {"tox": [(1.0, ""), (1.0, "pending")]})
    with pytest.raises(DoseOptError, match="read differ"):
        check_disposition(good.assign(read=3), {"tox": 3})
    with pytest.raises(DoseOptError, match="read differ"):
        check_disposition(good, {"tox": 3})
    with pytest.raises(DoseOptError, match="read differ"):
        disposition([1.0], {"tox": [(2.0, "")]})


def test_prior_only():
    trial = TrialData.empty([10, 20], "mg")
    assert trial.notes[0] == "PRIOR ONLY: no outcome was analysed"
    assert not trial.counts["n"].any()
    assert trial.counts["n"].sizes == {"dose": 2, "endpoint": 2}
    frame = pd.DataFrame({"dose": [], "tox": []})
    roles = PatientColumns("dose", tox="tox", doses=(10, 20), allow_prior_only=True)
    assert noted(TrialData.from_frame(frame, roles), "PRIOR ONLY")
    with pytest.raises(DataError, match="DOB-A13"):
        TrialData.from_frame(frame, PatientColumns("dose", tox="tox", allow_prior_only=True))


def test_single_dose_is_said():
    trial = TrialData.parse("2NNE", doses=[10, 20], unit="mg")
    assert trial.single_dose
    assert noted(trial, "one dose observed (20 mg): slope not identified by data")


def test_frames_as_users_have_them():
    frame = pd.DataFrame(
        {
            " Dose ": ["100", "10", "Low", "5.0"],
            "DLT": [True, False, False, False],
            "resp": pd.Categorical(["no", "yes", "no", "yes "]),
            "\ufeffid": [3, 1, 2, 4],
        },
        index=[7, 5, 3, 1],
    )
    roles = PatientColumns(
        "Dose",
        id="id",
        tox="DLT",
        eff="resp",
        levels={"eff": {"no": 0, "yes": 1}},
        dose_levels={"Low": 5},
    )
    trial = TrialData.from_frame(frame, roles)
    assert trial.doses == (5.0, 10.0, 100.0)
    assert trial.counts["events"].sel(endpoint="tox").to_numpy().tolist() == [0, 0, 1]
    assert trial.counts["events"].sel(endpoint="eff").to_numpy().tolist() == [1, 1, 0]
    assert noted(trial, "index of the data frame was not read")
    assert noted(trial, "column name ' Dose ' read as 'Dose'")


def test_declared_european_signs(tmp_path):
    file = tmp_path / "x.csv"
    file.write_bytes("\ufeffid;dose;tox\r\n01;2,5;0\r\n02;1.000,0;1\r\n03;25e-1;1\r\n".encode())
    roles = PatientColumns("dose", id="id", tox="tox", sep=";", decimal=",", thousands=".")
    trial = TrialData.from_csv(file, roles)
    assert trial.doses == (2.5, 1000.0)
    assert trial.patients is not None
    assert trial.patients["id"].tolist() == ["01", "02", "03"]
    assert not noted(trial, "written as text")
    assert noted(trial, "byte order mark")


@settings(deadline=None, max_examples=40)
@given(st.permutations(range(20)), st.permutations(["a", "t", "e", "d"]))
def test_order_of_rows_and_columns_changes_nothing(rows, columns):
    rng = np.random.default_rng(1)
    frame = pd.DataFrame(
        {
            "a": [f"{i:03d}" for i in range(20)],
            "t": rng.integers(0, 2, 20),
            "e": rng.integers(0, 2, 20),
            "d": rng.choice([10.0, 9.999999, 2.5, 40.0], 20),
        }
    )
    roles = PatientColumns("d", id="a", tox="t", eff="e")
    base = TrialData.from_frame(frame, roles)
    other = TrialData.from_frame(frame.iloc[list(rows)][list(columns)], roles)
    xr.testing.assert_identical(base.counts, other.counts)
    pd.testing.assert_frame_equal(base.disposition, other.disposition)


JUNK = ("", "NA", "9", "-1", "2", "0.5", "Y", "3/5", "2-Jan", "1e400", "1\u00a0", "1,5", "NaN", "-")
BAD_DOSES = ("", "0", "-10", "10000", "0.01", "inf", "10 ug", "Low", "3/5", "1,000", "11", "1e400")


def defect(kind, lines, rng):
    """Return the lines of a CSV with one defect of the given kind."""
    lines = list(lines)
    k = rng.randrange(1, len(lines))
    cells = lines[k].split(",")
    if kind == "junk outcome":
        cells[rng.choice([2, 3])] = rng.choice(JUNK)
        quoted = [f'"{c}"' if "," in c else c for c in cells]
        return [*lines[:k], ",".join(quoted), *lines[k + 1 :]]
    if kind == "bad dose":
        cells[1] = f'"{rng.choice(BAD_DOSES)}"'
        return [*lines[:k], ",".join(cells), *lines[k + 1 :]]
    simple = {
        "trailing comma": [lines[0], *(f"{x}," for x in lines[1:])],
        "one trailing comma": [*lines[:k], lines[k] + ",", *lines[k + 1 :]],
        "short row": [*lines[:k], ",".join(cells[:-1]), *lines[k + 1 :]],
        "doubled row": [*lines[:k], lines[k], *lines[k:]],
        "other dose": [*lines, ",".join([cells[0], "40" if cells[1] == "10" else "10", "0", "0"])],
        "blank row": [*lines[:k], "", *lines[k:]],
        "total row": [*lines, "Total,,9,9"],
        "lost id": [*lines[:k], "," + ",".join(cells[1:]), *lines[k + 1 :]],
        "semicolons": [x.replace(",", ";") for x in lines],
        "misspelt column": [lines[0].replace("tox", "TOXX"), *lines[1:]],
        "doubled column": [lines[0].replace("eff", "tox"), *lines[1:]],
        "open quote": [*lines[:k], '"' + lines[k], *lines[k + 1 :]],
        "micrograms": [lines[0], *(_times_1000(x) for x in lines[1:])],
        "header only": lines[:1],
        "shuffled": [lines[0], *rng.sample(lines[1:], len(lines) - 1)],
        "blanks": [x.replace(",", ", ") for x in lines],
    }
    return simple[kind]


def _times_1000(line):
    cells = line.split(",")
    return ",".join([cells[0], f"{cells[1]}000", *cells[2:]])


HARMLESS = {"shuffled", "blanks"}
KINDS = ("junk outcome", "bad dose", "trailing comma", "one trailing comma", "short row")
KINDS += ("doubled row", "other dose", "blank row", "total row", "lost id", "semicolons")
KINDS += ("misspelt column", "doubled column", "open quote", "micrograms", "header only")
KINDS += tuple(sorted(HARMLESS))


@pytest.mark.parametrize("kind", KINDS)
def test_no_defect_changes_counts_silently(kind, tmp_path):
    rng = random.Random(kind)  # noqa: S311  (no secret)
    roles = PatientColumns("dose", id="id", tox="tox", eff="eff", doses=(10, 20, 40))
    for case in range(17):
        body = [
            f"{i:03d},{rng.choice([10, 20, 40])},{rng.randrange(2)},{rng.randrange(2)}"
            for i in range(rng.randrange(4, 25))
        ]
        lines = ["id,dose,tox,eff", *body]
        clean, bad = tmp_path / f"clean{case}.csv", tmp_path / f"bad{case}.csv"
        clean.write_text("\n".join(lines) + "\n")
        bad.write_text("\n".join(defect(kind, lines, rng)) + "\n")
        base = TrialData.from_csv(clean, roles)  # no false alarm on clean data
        if kind in HARMLESS:
            xr.testing.assert_identical(TrialData.from_csv(bad, roles).counts, base.counts)
            continue
        with pytest.raises(DataError):
            TrialData.from_csv(bad, roles)


def test_a_label_all_in_another_column_is_no_total():
    frame = pd.DataFrame({"group": "all", "d": [10, 20], "t": [0, 1]})
    trial = TrialData.from_frame(frame, PatientColumns("d", tox="t"))
    assert trial.counts["n_treated"].sum() == 2
    with pytest.raises(DataError, match=r"row 3.*totals"):
        TrialData.from_frame(frame.assign(group=["x", "Total"]), PatientColumns("d", tox="t"))
