"""Exposure-response data from one table that has a row per patient."""

from __future__ import annotations

from typing import TYPE_CHECKING

from doseopt_bayes.data.exposure import ExposureData
from doseopt_bayes.data.exposure_columns import ExposureColumns
from doseopt_bayes.data.read.containers import read_container
from doseopt_bayes.errors import DataError, Problem

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

__all__ = ["read_exposure"]


def read_exposure(
    path_or_frame: str | Path | pd.DataFrame,
    columns: ExposureColumns,
    *,
    source: str = "data frame",
) -> ExposureData:
    """Read exposure, covariates and response from one table, by the suffix of its file.

    Parameters
    ----------
    path_or_frame
        Data frame, or file: ``.csv``, ``.xpt``, ``.sas7bdat``, ``.parquet``, or ``.json`` and
        ``.ndjson`` (Dataset-JSON 1.1).
    columns
        Column roles and policies.
    source
        Name of a data frame in errors and in the ledger.

    Raises
    ------
    DataError
        With every fault of the table at once.
    DoseOptError
        When the file is not there or its container cannot be read.

    Examples
    --------
    >>> from doseopt_bayes.data.endpoints import Binary
    >>> from doseopt_bayes.datasets import path
    >>> roles = ExposureColumns("ID", "Dose_mg", dose_unit="mg", exposures={"AUCss": "ng*h/mL"},
    ...                         endpoints={"hyperglycaemia": Binary("AEFLAG")})
    >>> data = read_exposure(path("hyperglycaemia"), roles)
    >>> rows = data.rows("hyperglycaemia", "AUCss")
    >>> [int(rows["y"].where(rows["dose"] == dose).sum()) for dose in data.doses]
    [45, 93]
    """
    if not isinstance(columns, ExposureColumns):
        rule = f"the column roles are ExposureColumns, not {type(columns).__name__}"
        repair = "name the columns: ExposureColumns('ID', 'DOSE', dose_unit='mg', ...)"
        raise DataError([Problem("DOB-B11", rule, repair)], "the column roles")
    table = read_container(path_or_frame, sep=columns.sep, decimal=columns.decimal, source=source)
    return ExposureData.from_table(table, columns)
