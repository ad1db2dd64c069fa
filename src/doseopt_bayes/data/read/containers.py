"""Open a table from any container: CSV, SAS transport, sas7bdat, parquet, Dataset-JSON."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from doseopt_bayes.data.read.table import RawTable, read_csv, read_frame
from doseopt_bayes.errors import DataError, DoseOptError, Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["read_container", "short_names"]

SAS_NOTE = (
    "labels and formats of the SAS file are not read; a date without a format is days from 1960"
)

XPORT_ZERO = 16.0**-65


def read_container(
    path_or_frame: str | Path | pd.DataFrame,
    *,
    sep: str = "",
    decimal: str = ".",
    source: str = "data frame",
) -> RawTable:
    """Read a table by the suffix of its file; nothing is converted but the container.

    Parameters
    ----------
    path_or_frame
        Data frame, or a file ``.csv``, ``.xpt`` (SAS transport version 5), ``.sas7bdat``,
        ``.parquet``, ``.json`` or ``.ndjson`` (CDISC Dataset-JSON 1.1).
    sep, decimal
        Signs of a CSV file.
    source
        Name of a data frame in errors and in the ledger; a file has its own name.

    Raises
    ------
    DoseOptError
        When there is no such file, or its container is not known or cannot be read.
    DataError
        With the faults of the table.

    Examples
    --------
    >>> from doseopt_bayes.datasets import path
    >>> read_container(path("hyperglycaemia")).n_rows
    500
    """
    if isinstance(path_or_frame, pd.DataFrame):
        return read_frame(path_or_frame, source)
    path = Path(path_or_frame)
    suffix = path.suffix.casefold()
    if suffix in {".csv", ".txt"}:
        return read_csv(path, sep=sep, decimal=decimal)
    if suffix not in OPENERS:
        known = ", ".join([".csv", *OPENERS])
        raise DoseOptError(
            f"{path.name}: no reader for {suffix or 'a file without suffix'}; readers: {known}",
            hint="save the table as 'CSV UTF-8'",
        )
    if not path.is_file():
        raise DoseOptError(f"no file at {path}", hint="check the path")
    try:
        frame = OPENERS[suffix](path)
    except (DoseOptError, MemoryError):
        raise
    except ImportError as error:
        raise DoseOptError(f"{path.name}: {error}", hint="install pyarrow to read it") from error
    except Exception as error:
        raise DoseOptError(
            f"{path.name} cannot be read as {suffix}: {error}",
            hint="export it again, or save the table as 'CSV UTF-8'",
        ) from error
    table = read_frame(frame, path.name)
    notes = (SAS_NOTE, *table.notes) if suffix in {".xpt", ".sas7bdat"} else table.notes
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    return replace(table, sha256=sha256, notes=notes)


def short_names(names: Sequence[str]) -> dict[str, str]:
    """Map names to the names of SAS transport version 5: unique, upper case, 8 characters.

    Parameters
    ----------
    names
        Names of our columns, for example of a tidy result.

    Examples
    --------
    >>> short_names(["dose", "p_efficacy", "p_efficacy_mcse", "2nd"])
    {'dose': 'DOSE', 'p_efficacy': 'P_EFFICA', 'p_efficacy_mcse': 'P_EFFIC2', '2nd': '_2ND'}
    """
    given: dict[str, str] = {}
    for name in names:
        plain = re.sub(r"[^A-Z0-9_]", "_", name.upper())
        plain = f"_{plain}" if plain[:1].isdigit() or not plain else plain
        short, k = plain[:8], 1
        while short in given.values():
            k += 1
            short = plain[: 8 - len(str(k))] + str(k)
        given[name] = short
    return given


def _sas(kind: str) -> Callable[[Path], pd.DataFrame]:
    def read(path: Path) -> pd.DataFrame:
        frame: Any = pd.read_sas(path, format=kind, encoding="utf-8")  # type: ignore[call-overload]
        # pandas decodes the zero of a transport file as 16**-65: every CNSR = 0 would be lost
        return pd.DataFrame(frame).replace(XPORT_ZERO, 0.0)

    return read


def _dataset_json(path: Path) -> pd.DataFrame:
    """Read CDISC Dataset-JSON 1.1: one object with columns and rows."""
    whole = json.loads(path.read_text(encoding="utf-8-sig"))
    if not isinstance(whole, dict):
        raise DoseOptError(f"{path.name} is no Dataset-JSON: no object", hint="check the export")
    return _json_frame(whole, whole.get("rows"), path.name)


def _dataset_ndjson(path: Path) -> pd.DataFrame:
    """Read CDISC Dataset-JSON 1.1 as lines: the first has the columns, each further one a row."""
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8-sig").splitlines() if line]
    if not lines or not isinstance(lines[0], dict):
        raise DoseOptError(f"{path.name} is no Dataset-JSON: no object", hint="check the export")
    return _json_frame(lines[0], lines[1:], path.name)


def _json_frame(head: dict[str, Any], rows: object, name: str) -> pd.DataFrame:
    version = str(head.get("datasetJSONVersion", ""))
    columns = head.get("columns")
    if not version.startswith("1.") or not isinstance(columns, list) or not isinstance(rows, list):
        raise DoseOptError(
            f"{name} is no Dataset-JSON 1.1: datasetJSONVersion = {version!r}, and columns and rows "
            "are needed",
            hint="export it as Dataset-JSON 1.1, or as CSV",
        )
    header = [str(column["name"]) for column in columns]
    problems = [
        Problem(
            "DOB-A05" if isinstance(row, list) and len(row) < len(header) else "DOB-A01",
            f"{len(row) if isinstance(row, list) else 'no'} values, {len(header)} columns",
            "export the file again",
            name,
            number,
        )
        for number, row in enumerate(rows, start=2)
        if not isinstance(row, list) or len(row) != len(header)
    ]
    said = head.get("records")
    if said is not None and said != len(rows):
        rule = f"the file says {said} records and holds {len(rows)}: was it cut off?"
        problems.append(Problem("DOB-A05", rule, "export it again", name))
    if problems:
        raise DataError(problems, name)
    decimals = {i for i, column in enumerate(columns) if column.get("dataType") == "decimal"}
    cells = [
        [float(v) if i in decimals and isinstance(v, str) else v for i, v in enumerate(row)]
        for row in rows
    ]
    return pd.DataFrame(cells, columns=header, dtype=object)


OPENERS: dict[str, Callable[[Path], pd.DataFrame]] = {
    ".xpt": _sas("xport"),
    ".sas7bdat": _sas("sas7bdat"),
    ".parquet": pd.read_parquet,
    ".json": _dataset_json,
    ".ndjson": _dataset_ndjson,
}
