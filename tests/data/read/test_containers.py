"""The same table from every container, and containers that are broken."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import doseopt_bayes as dob
from doseopt_bayes import datasets
from doseopt_bayes.data.read.containers import read_container, short_names
from doseopt_bayes.errors import DataError, DoseOptError

SAMPLES = Path(__file__).parents[1] / "samples"
ROLES = dob.ExposureColumns(
    "ID",
    "Dose_mg",
    dose_unit="mg",
    exposures={"AUCss": "ng*h/mL"},
    endpoints={"hyper": dob.Binary("AEFLAG")},
    covariates=("BAGE", "RACE"),
)


def frame():
    return pd.read_csv(datasets.path("hyperglycaemia"))


def as_dataset_json(path, *, lines=False, **changes):
    data = frame()
    kinds = {"i": "integer", "f": "double"}
    columns = [
        {
            "itemOID": f"IT.{c}",
            "name": c,
            "label": c,
            "dataType": kinds.get(data[c].dtype.kind, "string"),
        }
        for c in data
    ]
    head = {"datasetJSONVersion": "1.1.0", "records": len(data), "name": "ADER", "columns": columns}
    rows = [
        [v.item() if isinstance(v, np.generic) else v for v in row]
        for row in data.to_numpy(dtype=object)
    ]
    head |= changes
    if lines:
        path.write_text("\n".join(map(json.dumps, [head, *rows])), encoding="utf-8")
    else:
        path.write_text(json.dumps({**head, "rows": changes.get("rows", rows)}), encoding="utf-8")
    return path


@pytest.mark.parametrize("container", ["parquet", "json", "ndjson", "frame"])
def test_every_container_gives_the_same_rows(container, tmp_path):
    path = tmp_path / f"er.{container}"
    if container == "parquet":
        frame().to_parquet(path)
    elif container == "frame":
        path = frame()
    else:
        as_dataset_json(path, lines=container == "ndjson")
    want = dob.read_exposure(datasets.path("hyperglycaemia"), ROLES)
    got = dob.read_exposure(path, ROLES)
    args = ("hyper", "AUCss", ["BAGE", "RACE"])
    assert got.rows(*args).equals(want.rows(*args))
    if container != "frame":
        assert got.source == path.name


@pytest.mark.parametrize("suffix", [".xpt", ".sas7bdat"])
def test_sas_files(suffix, tmp_path):
    path = SAMPLES / "sample.xpt"
    if suffix == ".sas7bdat":
        path = tmp_path / "sample.sas7bdat"
        path.write_bytes(gzip.decompress((SAMPLES / "sample.sas7bdat.gz").read_bytes()))
    table = read_container(path)
    low = {name.lower(): name for name in table.header}

    def cells(name):
        return [row.cells[low[name]] for row in table.rows]

    assert cells("mychar") == ["a", "b", "c", "d", "e"]
    assert cells("mynum") == pytest.approx([1.1, 1.2, -1000.3, -1.4, 1000.3])
    assert cells("mytime") == [36610, 83410, 0, 58210, None]  # a zero is 0, a gap is a gap
    assert any("labels and formats" in note for note in table.notes)
    roles = dob.ExposureColumns(
        low["mychar"], low["myord"], dose_unit="mg", exposures={low["mytime"]: "s"},
        endpoints={"chg": dob.Continuous(low["mynum"])}, missing="exclude",
    )  # fmt: skip
    data = dob.read_exposure(path, roles)
    assert data.excluded("chg", low["mytime"]) == {f"{low['mytime']} missing": 1}
    assert data.rows("chg", low["mytime"])["exposure"].to_numpy().tolist() == [
        36610,
        83410,
        0,
        58210,
    ]


def test_a_truncated_dataset_json_is_refused(tmp_path):
    path = as_dataset_json(tmp_path / "er.json", records=501)
    with pytest.raises(DataError, match="says 501 records and holds 500"):
        read_container(path)
    path = as_dataset_json(tmp_path / "short.json", rows=[[1, "x"]], records=1)
    with pytest.raises(DataError, match="2 values, 17 columns"):
        read_container(path)
    path = as_dataset_json(tmp_path / "old.json", datasetJSONVersion="0.9")
    with pytest.raises(DoseOptError, match=r"no Dataset-JSON 1\.1: datasetJSONVersion = '0\.9'"):
        read_container(path)


def test_decimals_of_dataset_json_are_numbers(tmp_path):
    columns = [{"name": "ID", "dataType": "string"}, {"name": "AVAL", "dataType": "decimal"}]
    path = as_dataset_json(tmp_path / "d.json", columns=columns, rows=[["01", "1.50"]], records=1)
    assert read_container(path).rows[0].cells == {"ID": "01", "AVAL": 1.5}


@pytest.mark.parametrize("suffix", [".parquet", ".xpt", ".sas7bdat", ".json", ".ndjson"])
def test_a_broken_file_is_named(suffix, tmp_path):
    path = tmp_path / f"broken{suffix}"
    path.write_bytes(b"\x00\x01 not a table")
    with pytest.raises(DoseOptError, match=f"broken{suffix}"):
        read_container(path)
    with pytest.raises(DoseOptError, match="no file at"):
        read_container(tmp_path / f"none{suffix}")


def test_other_suffixes_are_refused(tmp_path):
    with pytest.raises(DoseOptError, match=r"no reader for \.xlsx; readers: \.csv, \.xpt"):
        read_container(tmp_path / "er.xlsx")


def test_roles_are_asked_for():
    with pytest.raises(DataError, match="the column roles are ExposureColumns, not str"):
        dob.read_exposure(datasets.path("hyperglycaemia"), "ID")


def test_short_names():
    names = [f"probability_of_{end}_at_dose_{i}" for end in ("tox", "eff") for i in range(60)]
    short = short_names([*names, "ä dose", ""])
    assert len(set(short.values())) == len(names) + 2
    assert all(len(v) <= 8 and v.isascii() and not v[:1].isdigit() for v in short.values())
    assert short == short_names([*names, "ä dose", ""])
