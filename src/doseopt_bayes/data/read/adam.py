"""Exposure-response data from ADaM data sets, joined on STUDYID and USUBJID."""

from __future__ import annotations

from typing import TYPE_CHECKING

from doseopt_bayes.data.endpoints import KINDS, Binary, Endpoint, TimeToEvent
from doseopt_bayes.data.exposure import ExposureData
from doseopt_bayes.data.exposure_columns import Covariate, ExposureColumns
from doseopt_bayes.data.read.adam_endpoints import classify, count_events
from doseopt_bayes.data.read.adam_join import Joined, Sheet, open_sheet, start
from doseopt_bayes.data.read.adam_parts import AdverseEvent, EventTime, Parameter, Response
from doseopt_bayes.errors import DoseOptError, Problem

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import pandas as pd

    Source = str | Path | pd.DataFrame

__all__ = ["read_adam"]

ARMS = ("TRT01A", "TRT01P", "ACTARM", "ARM")
REFUSED = Binary("-")  # stands for an endpoint whose fault is noted, until all are raised
Part = Endpoint | Response | AdverseEvent | EventTime


def read_adam(
    adsl: Source,
    *,
    dose: str | Parameter,
    dose_unit: str,
    endpoints: Mapping[str, Part],
    exposures: Mapping[str, Parameter] | None = None,
    covariates: Sequence[str | Covariate] = (),
    adex_covariates: Mapping[str, Parameter] | None = None,
    adpp: Source | None = None,
    adrs: Source | None = None,
    adae: Source | None = None,
    adtte: Source | None = None,
    adex: Source | None = None,
    population: str = "SAFFL",
    planned: str = "",
    schedule: str = "",
    dose_levels: Mapping[str, float] | None = None,
    doses: Sequence[float] = (),
    studies: Sequence[str] = (),
    placebo: str = "error",
    blq: str = "error",
    lloq: Mapping[str, float] | None = None,
    missing: str | Mapping[str, str] = "error",
    exclude: Mapping[str, str] | None = None,
) -> ExposureData:
    """Read exposure, covariates and responses of each subject from ADaM data sets.

    Parameters
    ----------
    adsl
        Subject-level data set; like the others a data frame or a file of any container.
    dose, dose_unit
        Column of ADSL with the actual dose (``"TRT01A"``, with `dose_levels` for its texts), or a
        `Parameter` of ADEX; and its unit.
    endpoints
        Name to `Response` (ADRS), `AdverseEvent` (ADAE), `EventTime` (ADTTE), or an endpoint kind
        whose columns stand in ADSL.
    exposures
        Name to `Parameter` of ADPP.
    covariates
        Columns of ADSL.
    adex_covariates
        Name to `Parameter` of ADEX, for example the relative dose intensity; they are marked
        as formed after treatment began.
    adpp, adrs, adae, adtte, adex
        The data sets that the parts above need. ADEXSUM can stand for ADEX.
    population
        Flag of ADSL that is ``"Y"`` for who is analysed; empty: all but screen failures.
    planned, schedule
        Columns of ADSL with the planned dose and the schedule.
    dose_levels, doses, studies, placebo, blq, lloq, missing, exclude
        As in `ExposureData.from_frame`.

    Returns
    -------
    ExposureData
        Its `disposition` counts screen failures and everyone else who was left out.

    Raises
    ------
    DataError
        With every fault that the joins found.
    """
    base = Sheet("ADSL", _required(open_sheet("ADSL", adsl)).table)
    joined = start(base, population, ARMS)
    sheets = {
        "ADPP": open_sheet("ADPP", adpp),
        "ADRS": open_sheet("ADRS", adrs),
        "ADAE": open_sheet("ADAE", adae),
        "ADTTE": open_sheet("ADTTE", adtte),
        "ADEX": open_sheet("ADEX", adex),
    }
    given = exposures or {}
    for metric, part in given.items():
        sheet = joined.needed(sheets["ADPP"], "ADPP", f"exposure {metric}")
        if sheet:
            joined.value(metric, sheet, part)
    after = adex_covariates or {}
    for name, part in after.items():
        sheet = joined.needed(sheets["ADEX"], "ADEX", f"covariate {name}")
        if sheet:
            joined.value(name, sheet, part)
    column = dose if isinstance(dose, str) else "dose"
    if isinstance(dose, Parameter):
        sheet = joined.needed(sheets["ADEX"], "ADEX", "the dose")
        if sheet:
            joined.value(column, sheet, dose)
            joined.notes.append(
                f"dose from ADEX {dose.paramcd}: where it is an average over treatment it was "
                "formed after treatment began"
            )
    kinds = {name: _endpoint(name, part, joined, sheets) for name, part in endpoints.items()}
    table = joined.wide()
    reasons = {name: f"{name} reason" for name in kinds if f"{name} reason" in joined.columns}
    own = [*covariates]
    own += [Covariate(n, "numeric", part.unit, post_baseline=True) for n, part in after.items()]
    units = {m: f"{m} unit" for m in given} | ({"dose": "dose unit"} if column == "dose" else {})
    columns = ExposureColumns(
        "USUBJID",
        column,
        dose_unit=dose_unit,
        exposures={metric: part.unit for metric, part in given.items()},
        endpoints=kinds,
        covariates=tuple(own),
        schedule=schedule,
        study="STUDYID" if "STUDYID" in base.table.header else "",
        studies=tuple(studies),
        planned=planned,
        dose_levels=dose_levels or {},
        doses=tuple(doses),
        unit_columns=units,
        metric_columns={metric: f"{metric} definition" for metric in given},
        placebo=placebo,
        blq=blq,
        lloq=lloq or {},
        missing=missing,
        exclude=exclude or {},
        reasons={"": "left out", **reasons},
    )
    return ExposureData.from_table(table, columns, notes=joined.print_inputs())


def _endpoint(
    name: str, part: Part, joined: Joined, sheets: Mapping[str, Sheet | None]
) -> Endpoint:
    if isinstance(part, KINDS):
        return part
    if isinstance(part, Response):
        sheet = joined.needed(sheets["ADRS"], "ADRS", f"endpoint {name}")
        if sheet is None:
            return REFUSED
        faults = len(joined.problems)
        cells = joined.cells(sheet, part.paramcd, flag=part.flag, column="AVALC")
        # without its records every subject would look like one without a record
        return REFUSED if len(joined.problems) > faults else classify(name, joined, cells, part)
    if isinstance(part, AdverseEvent):
        sheet = joined.needed(sheets["ADAE"], "ADAE", f"endpoint {name}")
        return count_events(name, joined, sheet, part) if sheet else REFUSED
    if isinstance(part, EventTime):
        sheet = joined.needed(sheets["ADTTE"], "ADTTE", f"endpoint {name}")
        if sheet:
            joined.event_time(name, sheet, part)
        return TimeToEvent(f"{name} time", f"{name} event", part.event_value, part.time_unit)
    joined.problems.append(
        Problem(
            "DOB-B11", f"endpoint {name!r} is {type(part).__name__}", "for example Response(...)"
        )
    )
    return REFUSED


def _required(sheet: Sheet | None) -> Sheet:
    if sheet is None:
        raise DoseOptError("read_adam needs ADSL", hint="pass the subject-level data set")
    return sheet
