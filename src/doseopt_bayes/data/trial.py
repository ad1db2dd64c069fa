"""What a trial has observed so far, checked and counted: the one value that models read."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from doseopt_bayes import names
from doseopt_bayes.data.columns import CountColumns, PatientColumns
from doseopt_bayes.data.counting import (
    count_marks,
    count_patients,
    lay_out,
    print_counts,
    silent_risks,
)
from doseopt_bayes.data.disposition import disposition
from doseopt_bayes.data.outcomes import outcome_table, parse_outcomes, print_outcomes
from doseopt_bayes.data.read.counts import Counts, read_counts
from doseopt_bayes.data.read.doses import candidate_doses
from doseopt_bayes.data.read.patients import Patients, read_patients
from doseopt_bayes.data.read.table import RawTable, read_csv, read_frame
from doseopt_bayes.errors import DataError, DoseOptError, Problem

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    import xarray as xr

__all__ = ["TrialData"]


@dataclass(frozen=True, eq=False)
class TrialData:
    """Checked trial data, counted per dose.

    Build it with `from_frame`, `from_csv`, `from_counts`, `parse` or `empty`.

    Parameters
    ----------
    doses
        Candidate doses, ascending, in `unit`; doses without patients included.
    unit
        Unit of the doses.
    counts
        Whole numbers over dose, endpoint and cell: ``n_treated`` (dose) patients treated and not
        excluded by identifier, ``n`` and ``events`` (dose, endpoint) patients analysed and with
        the event, ``cell_count`` (dose, cell) patients with both tox and eff known.
    endpoints
        Endpoint names: tox, eff, then the others.
    disposition
        Per endpoint and dose: read = analysed + excluded by each rule.
    source, sha256, row_hashes
        Where the data came from, and fingerprints of the input and of each of its rows.
    notes
        Every default, change and silent risk, in words.
    patients
        Columns id, dose, cohort and one Int8 column per endpoint (missing: not analysed);
        None when only counts are known.

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
        _refuse_roles(columns, PatientColumns)
        table = read_frame(frame, source)
        found = read_patients(table, columns)
        return _read(found, table, prior_only=columns.allow_prior_only)

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
        _refuse_roles(columns, PatientColumns)
        table = read_csv(path, sep=columns.sep, decimal=columns.decimal)
        found = read_patients(table, columns)
        return _read(found, table, prior_only=columns.allow_prior_only)

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
        _refuse_roles(columns, CountColumns)
        if isinstance(frame_or_path, str | Path):
            table = read_csv(frame_or_path, sep=columns.sep, decimal=columns.decimal)
        else:
            table = read_frame(frame_or_path, source)
        found = read_counts(table, columns)
        return _read(found, table, prior_only=columns.allow_prior_only)

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
        grid = _declared(doses)
        frame = outcome_table(parse_outcomes(text, len(grid)), grid)
        marks = {e: [(float(d), "") for d in frame["dose"]] for e in (names.TOX, names.EFF)}
        found = Patients(grid, unit, frame, marks, ())
        sha256 = hashlib.sha256(f"{text}|{grid}".encode()).hexdigest()
        return _trial(found, "outcomes", sha256)

    @classmethod
    def empty(cls, doses: Sequence[float], unit: str = "") -> TrialData:
        """Return a design without data, for looking at priors; endpoints tox and eff.

        Parameters
        ----------
        doses, unit
            Candidate doses and their unit.

        Raises
        ------
        DataError
            When the doses are no grid.

        Examples
        --------
        >>> TrialData.empty([10, 20], "mg").notes[0]
        'PRIOR ONLY: no outcome was analysed'
        """
        grid = _declared(doses)
        ends = (names.TOX, names.EFF)
        found = Patients(grid, unit, outcome_table((), grid), {e: [] for e in ends}, ())
        sha256 = hashlib.sha256(f"|{grid}".encode()).hexdigest()
        return _trial(found, "no data", sha256)

    @property
    def marginal_only(self) -> bool:
        """Whether tox and eff were both observed, but never known in the same patient."""
        if not {names.TOX, names.EFF} <= set(self.endpoints):
            return False
        n = self.counts[names.N].sum(names.DOSE)
        both = all(int(n.sel({names.ENDPOINT: e})) > 0 for e in (names.TOX, names.EFF))
        return both and not int(self.counts[names.CELL_COUNT].sum())

    @property
    def single_dose(self) -> bool:
        """Whether patients were treated at exactly one dose, so that no slope is identified."""
        return int((self.counts[names.N_TREATED] > 0).sum()) == 1

    def outcomes(self) -> str:
        """Print the patients back in the outcome mini-language, in their order.

        Raises
        ------
        DoseOptError
            When only counts are known, or the tox or eff outcome of a patient is not.
        """
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
        return f"{self.source}: {print_counts(self.counts, self.unit)}"

    __repr__ = __str__


def _read(found: Patients | Counts, table: RawTable, *, prior_only: bool) -> TrialData:
    trial = _trial(found, table.source, table.sha256, hashes=table.row_hashes, notes=table.notes)
    if not prior_only and not int(trial.counts[names.N].sum()):
        rule, repair = "no outcome can be analysed", "allow_prior_only = true gives the prior"
        raise table.refusal([Problem("DOB-A13", rule, repair, table.source)])
    return trial


def _trial(
    found: Patients | Counts,
    source: str,
    sha256: str,
    *,
    hashes: tuple[str, ...] = (),
    notes: tuple[str, ...] = (),
) -> TrialData:
    doses, unit = found.doses, found.unit
    if isinstance(found, Patients):
        ends, marks, patients = tuple(found.marks), found.marks, found.table
        at_dose = count_patients(patients, doses, ends)
    else:
        ends, at_dose, patients = found.endpoints, found.at_dose, None
        marks = {end: count_marks(at_dose, end) for end in ends}
    counts, ledger = lay_out(at_dose, doses, ends, unit), disposition(doses, marks)
    said = (*silent_risks(counts, ledger, unit), *notes, *found.notes)
    return TrialData(doses, unit, counts, ends, ledger, source, sha256, hashes, said, patients)


def _refuse_roles(columns: object, kind: type) -> None:
    if not isinstance(columns, kind):
        rule = f"the column roles are a {kind.__name__}, not {type(columns).__name__}"
        repair = f"name the columns, for example {kind.__name__}('Dose', tox='Toxicity', ...)"
        raise DataError([Problem("DOB-B11", rule, repair)], "the column roles")


def _declared(doses: Sequence[float]) -> tuple[float, ...]:
    problems: list[Problem] = []
    grid = candidate_doses(doses, problems)
    if not len(doses):
        problems.append(Problem("DOB-C12", "no candidate dose", "list the protocol's doses"))
    if problems:
        raise DataError(problems, "the candidate doses")
    return grid
