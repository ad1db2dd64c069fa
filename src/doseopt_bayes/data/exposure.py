"""What exposure, covariates and response were seen in each patient: the value that models read."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from doseopt_bayes.data.exposure_columns import DOSE, Covariate, ExposureColumns
from doseopt_bayes.data.exposure_ledger import exposure_ledger, first_rule, print_ledger
from doseopt_bayes.data.exposure_level import one_level
from doseopt_bayes.data.read.exposure_rows import read_rows
from doseopt_bayes.data.read.table import RawTable, read_frame
from doseopt_bayes.errors import DoseOptError, did_you_mean
from doseopt_bayes.names import PATIENT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

    from doseopt_bayes.data.endpoints import Endpoint

__all__ = ["ExposureData"]


@dataclass(frozen=True, eq=False)
class ExposureData:
    """Checked exposure-response data, one row per patient.

    Build it with `from_frame`, `read_exposure`, `read_adam`, `read_ader` or `read_nonmem`.

    Parameters
    ----------
    doses, dose_unit
        Distinct doses, ascending (0 is placebo), and their unit.
    exposures
        Exposure metric to its unit.
    covariates
        Covariates with kind, unit, levels and reference.
    endpoints
        Endpoint to its kind (`Binary`, `Continuous`, `Grouped`, `Count`, `TimeToEvent`).
    schedules
        Label of dose and schedule to dose.
    disposition
        Per endpoint, exposure metric (and ``dose``) and dose: read = analysed + excluded by rule.
    source, sha256, row_hashes
        Where the data came from, and fingerprints of the input and of each of its rows.
    notes
        Every default, change and silent risk, in words.
    groups
        Grouping to its levels, in protocol order.

    Examples
    --------
    >>> import pandas as pd
    >>> from doseopt_bayes.data.endpoints import Binary
    >>> frame = pd.DataFrame({"ID": [1, 2], "mg": [0, 10], "AUC": [None, 5.0], "AE": [0, 1]})
    >>> data = ExposureData.from_frame(
    ...     frame, id="ID", dose="mg", dose_unit="mg", exposures={"AUC": "ng*h/mL"},
    ...     endpoints={"ae": Binary("AE")}, placebo="zero")
    >>> data.rows("ae", "AUC")["exposure"].values.tolist()
    [0.0, 5.0]
    """

    doses: tuple[float, ...]
    dose_unit: str
    exposures: Mapping[str, str]
    covariates: Mapping[str, Covariate]
    endpoints: Mapping[str, Endpoint]
    schedules: Mapping[str, float]
    disposition: pd.DataFrame
    source: str
    sha256: str
    row_hashes: tuple[str, ...]
    notes: tuple[str, ...]
    _table: pd.DataFrame = field(repr=False)
    _why: Mapping[str, tuple[str, ...]] = field(repr=False)
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @classmethod
    def from_frame(
        cls,
        frame: pd.DataFrame,
        *,
        id: str,  # noqa: A002  (the field's name for it, as in PatientColumns)
        dose: str,
        dose_unit: str,
        exposures: Mapping[str, str],
        endpoints: Mapping[str, Endpoint],
        covariates: Sequence[str | Covariate] = (),
        schedule: str = "",
        study: str = "",
        studies: Sequence[str] = (),
        planned: str = "",
        id_within: str = "",
        dose_levels: Mapping[str, float] | None = None,
        doses: Sequence[float] = (),
        unit_columns: Mapping[str, str] | None = None,
        metric_columns: Mapping[str, str] | None = None,
        placebo: str = "error",
        blq: str = "error",
        lloq: Mapping[str, float] | None = None,
        blq_flag: Mapping[str, str] | None = None,
        missing: str | Mapping[str, str] = "error",
        exclude: Mapping[str, str] | None = None,
        evaluable: Mapping[str, str] | None = None,
        exposure_time: Mapping[str, str] | None = None,
        event_time: Mapping[str, str] | None = None,
        groups: Mapping[str, str] | None = None,
        group_levels: Mapping[str, Sequence[str]] | None = None,
        source: str = "data frame",
    ) -> ExposureData:
        """Read one row per patient (or per group, for `Grouped`) from a data frame.

        Parameters
        ----------
        frame
            Patients; its index is not read.
        id, dose, dose_unit
            Columns of patient (empty: every row is one) and dose, and the unit of the dose.
            Dose 0 is placebo.
        exposures
            Exposure column to its unit, which is required. May be empty: dose is always an axis.
        endpoints
            Name to endpoint.
        covariates
            Columns, or `Covariate` with kind, unit, levels, reference and post_baseline.
        schedule, study, planned, id_within
            Columns of the schedule, study and planned dose, and the column within which
            identifiers are unique.
        studies
            The studies that may stand in `study`; needed when there is more than one.
        dose_levels
            Text in the dose column to dose, for example ``{"140 QD": 140, "70 BID": 140}``.
        doses
            The protocol's doses; empty: those of the data.
        unit_columns, metric_columns
            Exposure to the column with its unit, and with its definition; both are needed when
            there is more than one study. ``unit_columns["dose"]`` gives the unit of each dose.
        placebo
            A patient at dose 0 without exposure: ``"error"``, ``"zero"`` or ``"exclude"``.
        blq
            A value below quantification (``"<0.5"``, ``"BLQ"``, or a flag in `blq_flag`):
            ``"error"``, ``"drop"``, ``"half"`` (half the limit) or ``"zero"``.
        lloq, blq_flag
            Exposure to its limit of quantification, and to its column of flags.
        missing
            A missing exposure, response or covariate: ``"error"`` or ``"exclude"``, for all or
            per name. An excluded value leaves only the analyses that use it.
        exclude
            Patient identifier to the reason why that patient is left out.
        evaluable
            Endpoint to the column that says 1 (evaluable) or 0 (not yet).
        exposure_time, event_time
            Exposure to the column of the time at which it was complete, and endpoint to the
            column of its event's time: exposure formed after an event is refused.
        groups, group_levels
            Grouping to its column, and to its levels in protocol order.
        source
            Name used in errors and in the ledger.

        Raises
        ------
        DataError
            With every fault of the frame at once.
        """
        columns = ExposureColumns(
            id,
            dose,
            dose_unit=dose_unit,
            exposures=dict(exposures),
            endpoints=dict(endpoints),
            covariates=tuple(covariates),
            schedule=schedule,
            study=study,
            studies=tuple(studies),
            planned=planned,
            id_within=id_within,
            dose_levels=dose_levels or {},
            doses=tuple(doses),
            unit_columns=unit_columns or {},
            metric_columns=metric_columns or {},
            placebo=placebo,
            blq=blq,
            lloq=lloq or {},
            blq_flag=blq_flag or {},
            missing=missing,
            exclude=exclude or {},
            evaluable=evaluable or {},
            exposure_time=exposure_time or {},
            event_time=event_time or {},
            groups=groups or {},
            group_levels={g: tuple(levels) for g, levels in (group_levels or {}).items()},
        )
        return cls.from_table(read_frame(frame, source), columns)

    @classmethod
    def from_table(
        cls, table: RawTable, columns: ExposureColumns, *, notes: Sequence[str] = ()
    ) -> ExposureData:
        """Check a raw table against column roles.

        Parameters
        ----------
        table
            As read by a reader of `data.read`.
        columns
            Column roles and policies.
        notes
            What was done before, printed first.

        Raises
        ------
        DataError
            With every fault of the table at once.
        """
        found = read_rows(table, columns)
        return cls(
            doses=found.doses,
            dose_unit=columns.dose_unit,
            exposures=dict(columns.exposures),
            covariates=found.covariates,
            endpoints=dict(columns.endpoints),
            schedules=found.schedules,
            disposition=exposure_ledger(found, columns),
            source=table.source,
            sha256=table.sha256,
            row_hashes=table.row_hashes,
            notes=(*notes, *table.notes, *found.notes),
            _table=found.table,
            _why=found.why,
            groups=found.groups,
        )

    @property
    def table(self) -> pd.DataFrame:
        """One row per patient or group: id, dose, schedule, metrics, covariates, responses."""
        return self._table.copy()

    def excluded(
        self, endpoint: str, exposure: str = DOSE, covariates: Sequence[str] = ()
    ) -> dict[str, int]:
        """Count the rows that `rows` leaves out, by rule.

        Parameters
        ----------
        endpoint, exposure, covariates
            As in `rows`.
        """
        reasons = self._reasons(endpoint, exposure, covariates)
        return dict(sorted(Counter(r for r in reasons if r).items()))

    def rows(self, endpoint: str, exposure: str, covariates: Sequence[str] = ()) -> xr.Dataset:
        """Return what a model of one endpoint on one axis reads.

        Parameters
        ----------
        endpoint
            Name of an endpoint.
        exposure
            Name of an exposure metric, or ``"dose"`` for dose on the x axis.
        covariates
            Names of covariates.

        Returns
        -------
        xarray.Dataset
            Over ``patient`` (identifiers): ``exposure``, ``dose``, ``y`` (0/1, value, count,
            event 0/1, or mean), ``time`` (person-time, or time to event) or ``sd`` and ``n``
            (grouped), ``cov_<name>`` of numeric covariates and ``cov_<name>[<level>]`` (0/1) of
            every level but the reference, and the level of each grouping as a coordinate of its
            name. Attributes: kind, endpoint, exposure, exposure_unit,
            dose_unit, endpoint_unit, time_unit, n_read, n_excluded and excluded (in words).

        Raises
        ------
        DoseOptError
            When a name is unknown, or no row is left.
        """
        reasons = self._reasons(endpoint, exposure, covariates)
        use = np.array([not r for r in reasons], dtype=bool)
        if not use.any():
            raise DoseOptError(
                f"no row has {endpoint}, {exposure} and every covariate asked for",
                hint=f"excluded: {self.excluded(endpoint, exposure, covariates)}",
            )
        kind, table = self.endpoints[endpoint], self._table[use]

        def column(name: str) -> tuple[str, np.ndarray]:
            return PATIENT, table[name].to_numpy(dtype=float, copy=True)

        found = {"exposure": column(exposure), DOSE: column(DOSE), "y": column(endpoint)}
        for part in ("time", "sd", "n"):
            if f"{endpoint}_{part}" in table:
                found[part] = column(f"{endpoint}_{part}")
        for name in covariates:
            covariate = self.covariates[name]
            if covariate.kind == "numeric":
                found[f"cov_{name}"] = column(name)
            for level in covariate.dummies:
                dummy = (table[name] == level).to_numpy(dtype=float)
                found[f"cov_{name}[{level}]"] = (PATIENT, dummy)
        left_out = self.excluded(endpoint, exposure, covariates)
        attrs = {
            "kind": kind.kind,
            "endpoint": endpoint,
            "exposure": exposure,
            "exposure_unit": self.dose_unit if exposure == DOSE else self.exposures[exposure],
            "dose_unit": self.dose_unit,
            "endpoint_unit": kind.unit,
            "time_unit": getattr(kind, "time_unit", ""),
            "n_read": len(reasons),
            "n_excluded": sum(left_out.values()),
            "excluded": "; ".join(f"{rule}: {n}" for rule, n in left_out.items()),
        }
        labels = table["id"].to_numpy(dtype=object).astype(str)
        coords = {PATIENT: (PATIENT, labels)}
        coords |= {g: (PATIENT, table[g].to_numpy(dtype=object).astype(str)) for g in self.groups}
        return xr.Dataset(found, coords=coords, attrs=attrs)

    def at(self, **levels: str) -> ExposureData:
        """Return the patients of one level, for example ``data.at(subgroup="mBCC")``."""
        return one_level(self, self._why, levels)

    def _reasons(self, endpoint: str, exposure: str, covariates: Sequence[str]) -> list[str]:
        asked = [("endpoint", endpoint, [*self.endpoints])]
        asked += [("exposure", exposure, [DOSE, *self.exposures])]
        asked += [("covariate", name, [*self.covariates]) for name in covariates]
        for what, name, known in asked:
            if name not in known:
                raise DoseOptError(f"no {what} {name!r}", hint=did_you_mean(name, known))
        return first_rule(self._why, (endpoint, exposure, *covariates), len(self._table))

    def __str__(self) -> str:
        head = f"{self.source}: {len(self._table)} rows, doses "
        head += f"{', '.join(f'{d:g}' for d in self.doses)} {self.dose_unit}"
        metrics = ", ".join(f"{m} ({u})" for m, u in self.exposures.items()) or "dose only"
        lines = [head, f"exposure: {metrics}"]
        lines += [f"{grouping}: {', '.join(levels)}" for grouping, levels in self.groups.items()]
        lines.append(print_ledger(self.disposition))
        return "\n".join([*lines, *(f"- {note}" for note in self.notes)])

    __repr__ = __str__
