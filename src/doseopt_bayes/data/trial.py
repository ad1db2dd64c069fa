"""What a trial has observed so far, checked and counted: the one value that models read."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from doseopt_bayes import names
from doseopt_bayes.data.assemble import assemble, from_outcomes, no_data, refuse_roles
from doseopt_bayes.data.columns import CountColumns, PatientColumns
from doseopt_bayes.data.counting import totals
from doseopt_bayes.data.follow_up_counts import pending_words
from doseopt_bayes.data.outcomes import print_outcomes
from doseopt_bayes.data.read.counts import Counts, read_counts
from doseopt_bayes.data.read.patients import Patients, read_patients
from doseopt_bayes.data.read.table import RawTable, read_csv, read_frame
from doseopt_bayes.data.regroup import added_up, one_level, side_by_side
from doseopt_bayes.data.remarks import print_counts
from doseopt_bayes.errors import DoseOptError, Problem

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd
    import xarray as xr

__all__ = ["TrialData"]


@dataclass(frozen=True, eq=False)
class TrialData:
    """Checked trial data, counted per dose: `from_frame`, `from_csv`, `from_counts`, `parse` ...

    Parameters
    ----------
    doses
        Candidate doses, ascending, in `unit`; doses without patients included.
    unit
        Unit of the doses.
    counts
        Whole numbers: ``n_treated`` (dose) patients treated and not excluded by identifier, ``n``
        and ``events`` (dose, endpoint) patients analysed and with the event, ``cell_count`` (dose,
        cell) patients with both tox and eff known. With groups they lie over (*groups, dose, ...),
        and ``n_together`` and ``events_together`` (dose, endpoint) count outcomes known for all groups
        together only. Where some are pending, ``pending`` (dose, slot, cell): the share of each
        outcome of each such patient (``follow_up.share_of``), 1 in empty slots.
    endpoints
        Endpoint names: tox, eff, then the others.
    disposition
        Per endpoint, group and dose: read = analysed + excluded by each rule. Outcomes known for
        all groups together stand at the level ``(all)``.
    source, sha256, row_hashes
        Where the data came from, and fingerprints of the input and of each of its rows.
    notes
        Every default, change and silent risk.
    patients
        Columns id, dose, cohort, one per grouping, and one Int8 column per endpoint (missing: not
        analysed); None when only counts are known.
    groups
        Partitions of the patients: grouping to its levels in protocol order. Each is a dim of the
        counts. Empty: the patients are one group.

    Examples
    --------
    >>> trial = TrialData.parse("1NNE 2EEB", doses=[10, 20, 40], unit="mg")
    >>> trial.counts["events"].sel(dose=20.0, endpoint="eff").item()
    3
    >>> print(trial)
    outcomes: 6 patients treated
    dose (mg)    n    tox    eff
           10    3    0/3    1/3
           20    3    1/3    3/3
           40    0    0/0    0/0
    """

    doses: tuple[float, ...]
    unit: str
    counts: xr.Dataset
    endpoints: tuple[str, ...]
    disposition: pd.DataFrame
    source: str
    sha256: str
    row_hashes: tuple[str, ...]
    notes: tuple[str, ...]
    patients: pd.DataFrame | None
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @classmethod
    def from_frame(
        cls, frame: pd.DataFrame, columns: PatientColumns, *, source: str = "data frame"
    ) -> TrialData:
        """Read one row per patient from a data frame.

        Parameters
        ----------
        frame
            Patients; its index is not read.
        columns
            Column roles.
        source
            Name used in errors and in the ledger.

        Raises
        ------
        DataError
            With every fault of the frame at once.

        Examples
        --------
        >>> import pandas as pd
        >>> frame = pd.DataFrame({"mg": [10, 20], "dlt": [0, 1]})
        >>> TrialData.from_frame(frame, PatientColumns("mg", tox="dlt")).endpoints
        ('tox',)
        """
        refuse_roles(columns, PatientColumns)
        table = read_frame(frame, source)
        return _read(read_patients(table, columns), table, prior_only=columns.allow_prior_only)

    @classmethod
    def from_csv(cls, path: str | Path, columns: PatientColumns) -> TrialData:
        """Read one row per patient from a UTF-8 CSV file; every cell is read as text.

        Parameters
        ----------
        path
            CSV file with a header row.
        columns
            Column roles.

        Raises
        ------
        DataError
            With every fault of the file at once.

        Examples
        --------
        >>> from doseopt_bayes.datasets import path
        >>> roles = PatientColumns("Dose", tox="Toxicity", eff="Efficacy")
        >>> TrialData.from_csv(path("cuimet"), roles).counts["n_treated"].values.tolist()
        [20, 20, 20, 20, 20]
        """
        refuse_roles(columns, PatientColumns)
        table = read_csv(path, sep=columns.sep, decimal=columns.decimal)
        return _read(read_patients(table, columns), table, prior_only=columns.allow_prior_only)

    @classmethod
    def from_counts(
        cls,
        frame_or_path: pd.DataFrame | str | Path,
        columns: CountColumns,
        *,
        source: str = "data frame",
    ) -> TrialData:
        """Read one row per dose, with one denominator per endpoint.

        Parameters
        ----------
        frame_or_path
            Data frame, or path of a UTF-8 CSV file.
        columns
            Column roles.
        source
            Name of a data frame in errors and in the ledger; a file has its own name.

        Raises
        ------
        DataError
            With every fault of the table at once.

        Examples
        --------
        >>> from doseopt_bayes.datasets import path
        >>> roles = CountColumns("dose", tox="tox", eff="eff", n_tox="n_tox", n_eff="n_eff")
        >>> optic = TrialData.from_counts(path("optic"), roles)
        >>> optic.doses, optic.marginal_only
        ((15.0, 30.0, 45.0), True)
        """
        refuse_roles(columns, CountColumns)
        if isinstance(frame_or_path, str | Path):
            table = read_csv(frame_or_path, sep=columns.sep, decimal=columns.decimal)
        else:
            table = read_frame(frame_or_path, source)
        return _read(read_counts(table, columns), table, prior_only=columns.allow_prior_only)

    @classmethod
    def parse(cls, text: str, *, doses: Sequence[float], unit: str = "") -> TrialData:
        """Read the outcome mini-language: dose level from 1, then one letter per patient.

        Parameters
        ----------
        text
            For example ``"1NNE 2EEB"``: N neither, E efficacy, T toxicity, B both.
        doses, unit
            Candidate doses and their unit.

        Raises
        ------
        DataError
            With the position of every bad character.

        Examples
        --------
        >>> TrialData.parse("1NNE 2EEB", doses=[10, 20]).outcomes()
        '1NNE 2EEB'
        """
        return cls(**from_outcomes(text, doses, unit))

    @classmethod
    def empty(
        cls,
        doses: Sequence[float],
        unit: str = "",
        *,
        groups: Mapping[str, tuple[str, ...]] | None = None,
    ) -> TrialData:
        """Return a design without data, for looking at priors; endpoints tox and eff.

        Parameters
        ----------
        doses, unit
            Candidate doses and their unit.
        groups
            Planned groupings and their levels.

        Raises
        ------
        DataError
            When the doses are no grid, or a grouping has no usable name or levels.

        Examples
        --------
        >>> TrialData.empty([10, 20], "mg").notes[0]
        'PRIOR ONLY: no outcome was analysed'
        """
        return cls(**no_data(doses, unit, groups or {}))

    @classmethod
    def of_groups(
        cls, parts: Mapping[str, TrialData], *, grouping: str = names.SUBGROUP
    ) -> TrialData:
        """Put trials side by side as the groups of one.

        Parameters
        ----------
        parts
            Level to trial, in protocol order. Units, endpoints and groupings must be the same;
            doses may differ.
        grouping
            Name of the grouping.

        Raises
        ------
        DataError
            When the parts cannot stand side by side; every reason is listed.

        Examples
        --------
        >>> one, two = (TrialData.parse(x, doses=[10, 20]) for x in ("1NNE", "1NT 2EEB"))
        >>> print(TrialData.of_groups({"laBCC": one, "mBCC": two}))
        outcomes: 8 patients treated
        subgroup    dose    n    tox    eff
        laBCC         10    3    0/3    1/3
        laBCC         20    0    0/0    0/0
        mBCC          10    2    1/2    0/2
        mBCC          20    3    1/3    3/3
        """
        return cls(**side_by_side(parts, grouping))

    def at(self, **labels: str) -> TrialData:
        """Return the trial of one level, as in ``trial.at(subgroup="mBCC")``.

        Parameters
        ----------
        **labels
            Grouping to one of its levels. Groupings that are not named stay.

        Raises
        ------
        DoseOptError
            When there is no such grouping or level.
        """
        return replace(self, **one_level(self, labels))

    def ungrouped(self) -> TrialData:
        """Return all groups added up, outcomes known for all groups together included."""
        return replace(self, **added_up(self))

    @property
    def marginal_only(self) -> bool:
        """Whether tox and eff were both observed, but never known in the same patient."""
        if not {names.TOX, names.EFF} <= set(self.endpoints):
            return False
        n = totals(self.counts)[names.N].sum(names.DOSE)
        both = all(int(n.sel({names.ENDPOINT: e})) > 0 for e in (names.TOX, names.EFF))
        known = int(self.counts[names.CELL_COUNT].sum()) or names.PENDING in self.counts
        return both and not known

    @property
    def single_dose(self) -> bool:
        """Whether patients were treated at exactly one dose, so that no slope is identified."""
        return int((totals(self.counts)[names.N_TREATED] > 0).sum()) == 1

    def outcomes(self) -> str:
        """Print the patients back in the outcome mini-language, in their order.

        Raises
        ------
        DoseOptError
            When only counts are known, a patient's tox or eff is not, or patients are in groups.
        """
        if self.groups:
            grouping, levels = next(iter(self.groups.items()))
            raise DoseOptError(
                f"the outcome mini-language has no word for {' and '.join(self.groups)}",
                hint=f".at({grouping}={levels[0]!r}).outcomes(), or .ungrouped().outcomes()",
            )
        pair = [names.TOX, names.EFF]
        if self.patients is None or not set(pair) <= set(self.endpoints):
            raise DoseOptError(
                "outcomes need one row per patient with tox and eff",
                hint="counts are in `.counts`",
            )
        unknown = self.patients.loc[self.patients[pair].isna().any(axis=1), "id"]
        if len(unknown):
            raise DoseOptError(
                f"tox or eff is not known for {len(unknown)} patients: "
                f"{', '.join(unknown.iloc[:10])}",
                hint="the mini-language has no letter for them",
            )
        code = self.patients[names.EFF] + 2 * self.patients[names.TOX]
        level = [self.doses.index(dose) + 1 for dose in self.patients["dose"]]
        letter = [names.CELLS[int(k)] for k in code]
        return print_outcomes(zip(self.patients["cohort"], level, letter, strict=True))

    def __str__(self) -> str:
        waiting = pending_words(self.counts, self.disposition).values()
        return "\n".join([f"{self.source}: {print_counts(self.counts, self.unit)}", *waiting])

    __repr__ = __str__


def _read(found: Patients | Counts, table: RawTable, *, prior_only: bool) -> TrialData:
    fields = assemble(found, table.source, table.sha256, hashes=table.row_hashes, notes=table.notes)
    trial = TrialData(**fields)
    known = int(totals(trial.counts)[names.N].sum()) or names.PENDING in trial.counts
    if not prior_only and not known:
        rule, repair = "no outcome can be analysed", "allow_prior_only = true gives the prior"
        raise table.refusal([Problem("DOB-A13", rule, repair, table.source)])
    return trial
