"""One row per catalogued fault of tables A, B and C: code, place and advice of the error."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import pytest

from doseopt_bayes.data import CountColumns, PatientColumns, TrialData, changed_rows
from doseopt_bayes.errors import DataError, DoseOptError

HEAD = "id,dose,tox,eff\n"
CLEAN = HEAD + "001,10,0,0\n002,10,0,1\n003,20,1,1\n004,20,0,1\n"
NBSP = "\u00a0"


@dataclass(frozen=True)
class Fault:
    """A bad input, and what the error must name."""

    text: str
    code: str
    row: int | None
    column: str
    words: tuple[str, ...]
    roles: dict[str, Any] = field(default_factory=dict)
    raw: bytes = b""


def with_rows(*rows: str) -> str:
    return CLEAN + "".join(f"{row}\n" for row in rows)


GRID = {"doses": (10.0, 20.0)}
FAULTS = {
    "A01 trailing comma": Fault(
        HEAD + "1,10,0,0,\n2,10,0,1,\n", "DOB-A01", 2, "", ("5 fields, header has 4", "2 such")
    ),
    "A01 open quote": Fault(CLEAN + '005,"10,0,0\n', "DOB-A01", None, "", ("quotation",)),
    "A03 duplicated column": Fault(
        "id,dose,dose,tox,eff\n1,10,10,0,0\n", "DOB-A03", 1, "dose", ("positions 2, 3",)
    ),
    "A04 semicolon": Fault(
        "id;dose;tox;eff\n1;2,5;0;0\n", "DOB-A04", 1, "", ("';' and decimal comma", "decimal=','")
    ),
    "A04 decimal comma": Fault(
        with_rows('005,"2,5",0,0'), "DOB-A04", 6, "dose", ("pass decimal=','",)
    ),
    "A05 short row": Fault(with_rows("005,10,0"), "DOB-A05", 6, "", ("3 fields, header has 4",)),
    "A06 thousands": Fault(
        with_rows('005,"1,000",0,0'), "DOB-A06", 6, "dose", ("1,000", "thousands=','")
    ),
    "A07 overflow": Fault(with_rows("005,1e400,0,0"), "DOB-A07", 6, "dose", ("finite",)),
    "A07 overflow outcome": Fault(with_rows("005,10,inf,0"), "DOB-A07", 6, "tox", ("finite",)),
    "A08 blank row": Fault(CLEAN + "\n005,10,0,0\n", "DOB-A08", 6, "", ("blank",)),
    "A08 empty cells": Fault(with_rows(",,,"), "DOB-A08", 6, "", ("blank",)),
    "A08 total row": Fault(with_rows("Sum,60,1,3"), "DOB-A08", 6, "id", ("totals",)),
    "A08 total in dose": Fault(with_rows("005,Total:,1,0"), "DOB-A08", 6, "dose", ("totals",)),
    "A09 latin-1": Fault("", "DOB-A09", 3, "", ("UTF-8", "0xb5"), {}, b"id,dose\n1,2\n\xb5,1\n"),
    "A09 utf-16": Fault("", "DOB-A09", 1, "", ("UTF-8",), {}, CLEAN.encode("utf-16")),
    "A09 no-break space": Fault(
        with_rows(f"005,10{NBSP},0,0"), "DOB-A09", 6, "dose", ("no-break",)
    ),
    "A09 no-break outcome": Fault(
        with_rows(f"005,10,0,1{NBSP}"), "DOB-A09", 6, "eff", ("no-break",)
    ),
    "A10 day-month": Fault(with_rows("005,10,2-Jan,0"), "DOB-A10", 6, "tox", ("date",)),
    "A10 slash": Fault(with_rows("005,03/05,0,0"), "DOB-A10", 6, "dose", ("date", "03/05")),
    "A10 ISO": Fault(with_rows("005,2026-05-03,0,0"), "DOB-A10", 6, "dose", ("date",)),
    "A13 header only": Fault(HEAD, "DOB-A13", None, "", ("no data rows", "allow_prior_only")),
    "A13 empty file": Fault("", "DOB-A13", None, "", ("no header",)),
    "A13 nothing analysed": Fault(
        HEAD + "1,10,,\n",
        "DOB-A13",
        None,
        "",
        ("no outcome can be analysed",),
        {"missing": {"tox": "pending", "eff": "pending"}},
    ),
    "A14 doubled row": Fault(with_rows("002,10,0,1"), "DOB-A14", 6, "id", ("rows 3 and 6",)),
    "A14 blanks in id": Fault(with_rows(" 002,10,0,1"), "DOB-A14", 6, "id", ("rows 3 and 6",)),
    "A14 no id": Fault(with_rows(",10,0,1"), "DOB-A14", 6, "id", ("no identifier",)),
    "E01 contradiction": Fault(
        with_rows("002,10,1,0"), "DOB-A14", 6, "id", ("contradicting tox, eff",)
    ),
    "A15 misspelt": Fault(
        "id,DOSEE,tox,eff\n1,1,0,0\n", "DOB-A15", 1, "dose", ("found: id, DOSEE", "'DOSEE'?")
    ),
    "A15 exclude unknown": Fault(
        CLEAN, "DOB-A15", None, "", ("'03'", "did you mean '003'"), {"exclude": {"03": "x"}}
    ),
    "B01 empty": Fault(
        with_rows("005,10,,1"), "DOB-B01", 6, "tox", ("'exclude' or 'pending'", "never read as no")
    ),
    "B01 NA": Fault(with_rows("005,10,0,NA"), "DOB-B01", 6, "eff", ("missing.eff",)),
    "B03 one-two": Fault(
        "id,dose,tox,eff\n1,10,1,0\n2,10,2,0\n3,10,2,1\n",
        "DOB-B03",
        3,
        "tox",
        ("values {1, 2}", "2 rows: 3, 4", "{'1': 0, '2': 1}"),
    ),
    "B04 nine": Fault(with_rows("005,10,9,0"), "DOB-B04", 6, "tox", ("missing code",)),
    "B04 minus 99": Fault(with_rows("005,10,0,-99"), "DOB-B04", 6, "eff", ("missing code",)),
    "B05 half": Fault(with_rows("005,10,0.5,0"), "DOB-B05", 6, "tox", ("never between",)),
    "B06 text": Fault(
        with_rows("005,10,Y,0", "006,10,yes,0"), "DOB-B06", 6, "tox", ("{0, 1, Y, yes}", "6, 7")
    ),
    "B06 closed codelist": Fault(
        "id,dose,tox,eff\n1,10,N,0\n2,10,y,1\n",
        "DOB-B06",
        3,
        "tox",
        ("{N, y}", "{N, Y}"),
        {"levels": {"tox": {"N": 0, "Y": 1}}},
    ),
    "C01 dose 0": Fault(with_rows("005,0,0,0"), "DOB-C01", 6, "dose", ("placebo",)),
    "C02 no dose": Fault(with_rows("005,,0,0"), "DOB-C02", 6, "dose", ("missing",)),
    "C02 infinite": Fault(with_rows("005,inf,0,0"), "DOB-C02", 6, "dose", ("finite",)),
    "C03 negative": Fault(with_rows("005,-20,0,0"), "DOB-C03", 6, "dose", ("sign",)),
    "C04 undeclared unit": Fault(with_rows("005,10 mg,0,0"), "DOB-C04", 6, "dose", ("unit='mg'",)),
    "C04 other unit": Fault(
        with_rows("005,20 ug,0,0"), "DOB-C04", 6, "dose", ("'ug' differs",), {"unit": "mg"}
    ),
    "C04 word": Fault(with_rows("005,Low,0,0"), "DOB-C04", 6, "dose", ("dose_levels",)),
    "C05 micrograms": Fault(
        with_rows("005,20000,0,0"), "DOB-C05", 6, "dose", ("1000 x level 2 (20): unit?",), GRID
    ),
    "C05 without grid": Fault(
        with_rows("005,20000,0,0"), "DOB-C05", 6, "dose", ("20000 is 1000 x 20: unit?",)
    ),
    "C06 mixed": Fault(
        "id,dose,tox,eff,u\n1,10,0,0,mg\n2,10,0,0,mg/kg\n",
        "DOB-C06",
        3,
        "u",
        ("'mg/kg' differs from 'mg'",),
        {"unit_column": "u"},
    ),
    "C06 unit empty": Fault(
        "id,dose,tox,eff,u\n1,10,0,0,mg\n2,10,0,0,\n",
        "DOB-C06",
        3,
        "u",
        ("differs",),
        {"unit_column": "u", "unit": "mg"},
    ),
    "C10 duplicate grid": Fault(
        CLEAN, "DOB-C10", None, "doses", ("twice",), {"doses": (10.0, 20.0, 20.0)}
    ),
    "A13 all excluded": Fault(
        HEAD + "1,10,0,0\n",
        "DOB-A13",
        None,
        "",
        ("every patient is excluded",),
        {"exclude": {"1": "x"}},
    ),
    "C04 text in the grid": Fault(
        CLEAN, "DOB-C04", None, "doses", ("a number > 0",), {"doses": ("10", 20.0)}
    ),
    "C12 not a candidate": Fault(
        with_rows("005,15,0,0"), "DOB-C12", 6, "dose", ("dose 15", "candidates: 10, 20"), GRID
    ),
    "C13 level index": Fault(
        with_rows("005,2,0,0"), "DOB-C12", 6, "dose", ("not level numbers",), GRID
    ),
    "C16 two doses": Fault(
        with_rows("002,20,0,1"), "DOB-C16", 6, "id", ("rows 3 and 6", "doses 10 and 20")
    ),
    "B01 evaluable": Fault(
        "id,dose,tox,eff,ev\n1,10,0,1,0\n2,10,0,0,1\n",
        "DOB-B01",
        2,
        "eff",
        ("event of a patient not evaluable",),
        {"evaluable": {"eff": "ev"}},
    ),
    "B01 evaluable unknown": Fault(
        "id,dose,tox,eff,ev\n1,10,0,1,\n2,10,0,0,1\n",
        "DOB-B01",
        2,
        "ev",
        ("whether the patient is evaluable",),
        {"evaluable": {"eff": "ev"}},
    ),
}


def read(tmp_path, fault):
    file = tmp_path / "interim3.csv"
    file.write_bytes(fault.raw or fault.text.encode())
    return TrialData.from_csv(file, roles(**fault.roles))


def roles(**changes):
    return PatientColumns("dose", **({"id": "id", "tox": "tox", "eff": "eff"} | changes))


@pytest.mark.parametrize("name", FAULTS)
def test_fault_is_refused_at_its_place(name, tmp_path):
    fault = FAULTS[name]
    with pytest.raises(DataError) as caught:
        read(tmp_path, fault)
    hits = [p for p in caught.value.items if p.code == fault.code]
    assert hits, str(caught.value)
    if fault.row is not None:
        assert hits[0].row == fault.row
    assert hits[0].column == fault.column
    for word in fault.words:
        assert word in str(hits[0]), str(hits[0])
    assert "interim3.csv" in str(caught.value) or fault.row is None


def test_all_problems_come_in_one_message(tmp_path):
    rows = ("005,-10,0,0", "006,10,9,0", "007,10,,0", "002,10,0,1", "008,10", "009,0,0.5,x")
    with pytest.raises(DataError) as caught:
        read(tmp_path, Fault(with_rows(*rows), "", None, "", ()))
    found = {(p.code, p.row) for p in caught.value.items}
    assert found == {
        ("DOB-C03", 6),
        ("DOB-B04", 7),
        ("DOB-B01", 8),
        ("DOB-A14", 9),
        ("DOB-A05", 10),
        ("DOB-C01", 11),
        ("DOB-B05", 11),
        ("DOB-B06", 11),
    }
    assert str(caught.value).startswith("8 problems in interim3.csv (10 rows read, 0 used)")
    assert list(caught.value.problems["patient"][:2]) == ["005", "006"]


FRAME = {
    "id": ["001", "002", "003"],
    "dose": [10.0, 10.0, 20.0],
    "tox": [0, 0, 1],
    "eff": [0, 1, 1],
}
FRAME_FAULTS = {
    "B01 NaN": ({"tox": [0.0, np.nan, 1.0]}, "DOB-B01", 3, "tox"),
    "B02 pd.NA": ({"tox": pd.array([0, pd.NA, 1], dtype="Int64")}, "DOB-B01", 3, "tox"),
    "B05 half": ({"eff": [0.5, 1.0, 1.0]}, "DOB-B05", 2, "eff"),
    "B06 text digits": ({"tox": ["0", "0", "1"]}, "DOB-B06", 2, "tox"),
    "B08 arrays": ({"tox": [np.array([0]), np.array([0]), np.array([1])]}, "DOB-B08", 2, "tox"),
    "A10 Timestamp": ({"tox": [0, dt.datetime(2026, 1, 2, tzinfo=dt.UTC), 1]}, "DOB-A10", 3, "tox"),
    "A10 date column": ({"dose": pd.to_datetime(["2026-01-02"] * 3)}, "DOB-A10", 2, "dose"),
    "A08 blank row": ({k: [*v[:2], None] for k, v in FRAME.items()}, "DOB-A08", 4, ""),
    "C02 NaN dose": ({"dose": [10.0, np.nan, 20.0]}, "DOB-C02", 3, "dose"),
    "C02 inf dose": ({"dose": [10.0, np.inf, 20.0]}, "DOB-C02", 3, "dose"),
    "C03 negative": ({"dose": [10.0, -10.0, 20.0]}, "DOB-C03", 3, "dose"),
    "C04 boolean dose": ({"dose": [True, False, True]}, "DOB-C04", 2, "dose"),
    "A14 join": ({"id": ["001", "001", "003"]}, "DOB-A14", 3, "id"),
    "A06 thousands": ({"dose": ["10", "1,000", "20"]}, "DOB-A06", 3, "dose"),
    "A09 no-break": ({"dose": ["10", f"10{NBSP}", "20"]}, "DOB-A09", 3, "dose"),
}


@pytest.mark.parametrize("name", FRAME_FAULTS)
def test_fault_in_a_frame(name):
    change, code, row, column = FRAME_FAULTS[name]
    with pytest.raises(DataError) as caught:
        TrialData.from_frame(pd.DataFrame(FRAME | change), roles())
    hit = next(p for p in caught.value.items if p.code == code)
    assert (hit.row, hit.column) == (row, column)


def test_only_one_frame_and_names_of_columns():
    frame = pd.DataFrame(FRAME)
    bad: list[Any] = [frame["tox"], FRAME, frame.to_numpy(), [frame]]
    for given in bad:
        with pytest.raises(DataError, match="DOB-B11"):
            TrialData.from_frame(given, roles())
    with pytest.raises(DataError, match=r"DOB-B11.*tox must be the name"):
        roles(tox=frame["tox"])
    with pytest.raises(DataError, match="DOB-B08"):
        roles(tox=frame[["tox"]].to_numpy())
    with pytest.raises(DataError, match="DOB-B11"):
        TrialData.from_frame(frame, {"dose": "dose"})  # type: ignore[arg-type]
    with pytest.raises(DataError, match="DOB-A03"):
        TrialData.from_frame(pd.concat([frame, frame["tox"]], axis=1), roles())
    with pytest.raises(DataError, match="DOB-B11"):
        TrialData.from_frame(pd.concat({"a": frame}, axis=1), roles())


COLUMN_FAULTS = {
    "no endpoint": ({"tox": "", "eff": ""}, "DOB-A15"),
    "one column twice": ({"tox": "x", "eff": "x"}, "DOB-A15"),
    "policy": ({"missing": {"tox": "impute"}}, "DOB-B01"),
    "unknown endpoint": ({"missing": {"toxx": "error"}}, "DOB-A15"),
    "codelist": ({"levels": {"tox": {"Y": 2}}}, "DOB-B06"),
    "reserved": ({"other": {"tox": "T"}}, "DOB-A15"),
    "signs": ({"sep": ",", "decimal": ","}, "DOB-A04"),
    "exclude without id": ({"id": "", "exclude": {"1": "x"}}, "DOB-A15"),
}


@pytest.mark.parametrize("name", COLUMN_FAULTS)
def test_contradicting_roles(name):
    change, code = COLUMN_FAULTS[name]
    with pytest.raises(DataError, match=code):
        roles(**change)


COUNT_FAULTS = {
    "B13 events above n": ("10,6,7,2", "DOB-B13", "tox", "7 events of 6"),
    "B13 negative": ("10,6,-1,2", "DOB-B13", "tox", "whole number"),
    "B13 fraction": ("10,6,1.5,2", "DOB-B13", "tox", "whole number"),
    "B13 missing": ("10,6,,2", "DOB-B13", "tox", "missing"),
    "B13 word": ("10,six,1,2", "DOB-B13", "n", "whole number"),
    "A06": ('10,"1,000",1,2', "DOB-A06", "n", "thousands"),
    "A10": ("10,6,2-Jan,2", "DOB-A10", "tox", "date"),
    "A08": ("Total,6,1,2", "DOB-A08", "", "totals"),
    "A14 repeated dose": ("5,6,1,2", "DOB-A14", "dose", "rows 2 and 3"),
    "C01": ("0,6,1,2", "DOB-C01", "dose", "placebo"),
}


@pytest.mark.parametrize("name", COUNT_FAULTS)
def test_fault_in_counts(name, tmp_path):
    line, code, column, word = COUNT_FAULTS[name]
    file = tmp_path / "arms.csv"
    file.write_text(f"dose,n,tox,eff\n5,6,0,1\n{line}\n")
    with pytest.raises(DataError) as caught:
        TrialData.from_counts(file, CountColumns("dose", n="n", tox="tox", eff="eff"))
    hit = next(p for p in caught.value.items if p.code == code)
    assert (hit.row, hit.column) == (3, column)
    assert word in str(hit)


def test_both_must_fit_the_margins():
    frame = pd.DataFrame({"dose": [1, 2], "n": [5, 5], "t": [4, 3], "e": [4, 3], "b": [2, 4]})
    with pytest.raises(DataError) as caught:
        TrialData.from_counts(frame, CountColumns("dose", n="n", tox="t", eff="e", both="b"))
    assert [p.row for p in caught.value.items] == [2, 3]
    assert "lie in 3..4" in str(caught.value)
    assert "lie in 1..3" in str(caught.value)
    two = frame.assign(b=3, m=[5, 6])
    roles_ = CountColumns("dose", n_tox="n", n_eff="m", tox="t", eff="e", both="b")
    with pytest.raises(DataError, match="one denominator"):
        TrialData.from_counts(two, roles_)


def test_count_roles_need_denominators():
    with pytest.raises(DataError, match="no denominator"):
        CountColumns("dose", tox="t")
    with pytest.raises(DataError, match="name the columns of `tox` and `eff`"):
        CountColumns("dose", tox="t", n="n", both="b")


def test_missing_file_and_changed_rows(tmp_path):
    with pytest.raises(DoseOptError, match="no file"):
        TrialData.from_csv(tmp_path / "none.csv", roles())
    fault = Fault(CLEAN, "", None, "", ())
    before = read(tmp_path, fault)
    after = read(tmp_path, Fault(CLEAN.replace("003,20,1", "003,20,0"), "", None, "", ()))
    assert changed_rows(before.row_hashes, after.row_hashes) == (4,)
    assert before.sha256 != after.sha256
    assert read(tmp_path, fault).sha256 == before.sha256
