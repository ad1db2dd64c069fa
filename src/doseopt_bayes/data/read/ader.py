"""Exposure-response data from the ADER, ADEE and ADES proposal of pharmaverse."""

from __future__ import annotations

from typing import TYPE_CHECKING

from doseopt_bayes.data.endpoints import KINDS, Binary, Endpoint, TimeToEvent
from doseopt_bayes.data.exposure import ExposureData
from doseopt_bayes.data.exposure_columns import Covariate, ExposureColumns
from doseopt_bayes.data.read.adam_endpoints import classify
from doseopt_bayes.data.read.adam_join import Joined, Sheet, open_sheet, start
from doseopt_bayes.data.read.adam_parts import EventTime, Parameter, Response
from doseopt_bayes.data.read.table import missing_columns
from doseopt_bayes.errors import DoseOptError, Problem

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import pandas as pd

    Source = str | Path | pd.DataFrame

__all__ = ["read_ader"]

ARMS = ("TRT01A", "TRT01P", "ARM")
REFUSED = Binary("-")  # stands for an endpoint whose fault is noted, until all are raised
Part = Endpoint | Response | EventTime | Parameter


def read_ader(
    ader: Source,
    *,
    dose: str,
    dose_unit: str,
    exposures: Mapping[str, str],
    endpoints: Mapping[str, Part],
    covariates: Sequence[str | Covariate] = (),
    adee: Source | None = None,
    ades: Source | None = None,
    population: str = "",
    planned: str = "",
    schedule: str = "",
    dose_levels: Mapping[str, float] | None = None,
    doses: Sequence[float] = (),
    studies: Sequence[str] = (),
    unit_columns: Mapping[str, str] | None = None,
    metric_columns: Mapping[str, str] | None = None,
    placebo: str = "error",
    blq: str = "error",
    lloq: Mapping[str, float] | None = None,
    missing: str | Mapping[str, str] = "error",
    exclude: Mapping[str, str] | None = None,
) -> ExposureData:
    """Read exposure, covariates and responses of each subject from ADER, ADEE and ADES.

    Parameters
    ----------
    ader
        Data set with one row per subject: a data frame or a file of any container.
    dose, dose_unit
        Column of ADER with the actual dose, and its unit.
    exposures
        Column of ADER to its unit, for example ``{"AUCSS": "h*ug/mL"}``.
    endpoints
        Name to an endpoint kind on columns of ADER, a `Response` on a column of ADER (``"BORC"``),
        an `EventTime` of ADEE, or a `Parameter` of ADES whose `AVAL` is 0 or 1.
    covariates
        Columns of ADER.
    adee, ades
        The data sets that the endpoints need.
    population
        Flag that is ``"Y"`` for who is analysed; empty: all but screen failures.
    planned, schedule, dose_levels, doses, studies, unit_columns, metric_columns
        As in `ExposureData.from_frame`, columns of ADER.
    placebo, blq, lloq, missing, exclude
        As in `ExposureData.from_frame`.

    Raises
    ------
    DataError
        With every fault that was found.

    Notes
    -----
    OSIND, PFSIND and RSDIND copy CNSR of ADTTE: 0 is the event, although the name says otherwise.
    Declare ``TimeToEvent("OS", "OSIND", event_value=0)``.
    """
    sheet = open_sheet("ADER", ader)
    if sheet is None:
        raise DoseOptError("read_ader needs ADER", hint="pass the data set")
    joined = start(sheet, population, ARMS)
    others = {"ADEE": open_sheet("ADEE", adee), "ADES": open_sheet("ADES", ades)}
    kinds = {name: _endpoint(name, part, joined, others) for name, part in endpoints.items()}
    table = joined.wide()
    reasons = {name: f"{name} reason" for name in kinds if f"{name} reason" in joined.columns}
    columns = ExposureColumns(
        "USUBJID",
        dose,
        dose_unit=dose_unit,
        exposures=dict(exposures),
        endpoints=kinds,
        covariates=tuple(covariates),
        schedule=schedule,
        study="STUDYID" if "STUDYID" in table.header else "",
        studies=tuple(studies),
        planned=planned,
        dose_levels=dose_levels or {},
        doses=tuple(doses),
        unit_columns=unit_columns or {},
        metric_columns=metric_columns or {},
        placebo=placebo,
        blq=blq,
        lloq=lloq or {},
        missing=missing,
        exclude=exclude or {},
        reasons={"": "left out", **reasons},
    )
    said = [*joined.print_inputs(), *_copied_censoring(kinds)]
    return ExposureData.from_table(table, columns, notes=said)


def _endpoint(
    name: str, part: Part, joined: Joined, others: Mapping[str, Sheet | None]
) -> Endpoint:
    if isinstance(part, KINDS):
        return part
    if isinstance(part, Response):
        table = joined.base.table
        lacking = missing_columns(table, [part.paramcd])
        joined.problems += lacking
        if lacking:
            return REFUSED
        return classify(name, joined, [row.cells[part.paramcd] for row in table.rows], part)
    if isinstance(part, EventTime):
        sheet = joined.needed(others["ADEE"], "ADEE", f"endpoint {name}")
        if sheet:
            joined.event_time(name, sheet, part)
        return TimeToEvent(f"{name} time", f"{name} event", part.event_value, part.time_unit)
    if isinstance(part, Parameter):
        sheet = joined.needed(others["ADES"], "ADES", f"endpoint {name}")
        if sheet:
            joined.value(f"{name} value", sheet, part)
        return Binary(f"{name} value")
    said = type(part).__name__
    joined.problems.append(
        Problem("DOB-B11", f"endpoint {name!r} is {said}", "for example Response('BORC')")
    )
    return REFUSED


def _copied_censoring(kinds: Mapping[str, Endpoint]) -> list[str]:
    return [
        f"WARNING {name}: {kind.event} of ADER copies CNSR, where 0 is the event, and "
        f"event_value={kind.event_value!r} was declared"
        for name, kind in kinds.items()
        if isinstance(kind, TimeToEvent)
        and kind.event in {"OSIND", "PFSIND", "RSDIND"}
        and str(kind.event_value) != "0"
    ]
