"""The pre-specified analysis: one TOML file, read by the command line and the notebook alike."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from doseopt_bayes import datasets
from doseopt_bayes.analysis import Analysis, analyse
from doseopt_bayes.data.columns import CountColumns
from doseopt_bayes.data.trial import TrialData
from doseopt_bayes.errors import DataError, DoseOptError, Problem, SpecError
from doseopt_bayes.models.tallied import check_apart
from doseopt_bayes.spec.parse import Columns, Sampler, parse_file

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import pandas as pd

    from doseopt_bayes.decision.criteria import Criterion
    from doseopt_bayes.decision.rules import Rule
    from doseopt_bayes.decision.utility import Utility
    from doseopt_bayes.design.design import Design
    from doseopt_bayes.models import DoseModel
    from doseopt_bayes.plan import Plan

__all__ = ["Sampler", "Spec", "check", "check_priors", "read_data"]


@dataclass(frozen=True)
class Spec:
    """A pre-specified analysis.

    Parameters
    ----------
    plan
        Name, version, words, data roles and hash.
    model, utility, rules, criterion, sampler
        The analysis.
    alternatives
        Name to another model, under which the decision is repeated for its sensitivity.
    design
        The trial's design, of the same model, utility, rules and criterion; ``None`` without [design].

    Examples
    --------
    ``dob.save(dob.Spec.load("models/optic-ponatinib.toml").run(), "results/optic")``
    """

    plan: Plan
    model: DoseModel
    utility: Utility
    rules: Rule
    criterion: Criterion
    sampler: Sampler
    alternatives: Mapping[str, DoseModel] = field(default_factory=dict)
    design: Design | None = None

    @classmethod
    def load(cls, path: str | Path) -> Spec:
        """Read a specification file.

        Raises
        ------
        SpecError
            With every problem of the file.
        """
        path = Path(path)
        parts, problems = parse_file(path)
        if problems:
            raise SpecError(problems, str(path))
        return cls(**parts)

    def read(self, data: str | Path | pd.DataFrame | None = None) -> TrialData:
        """Read the data: those given (a file or a frame), else those that the file names.

        Raises
        ------
        DataError
            With every problem of the data.
        DoseOptError
            When there are no data, no [data] section says how to read them, or the prior of a model
            cannot take outcomes of a patient that were counted apart.
        """
        found = read_data(self.plan.columns, self.plan.source, self.plan.file, data)
        check_priors(self.model, self.alternatives, found)
        return found

    def run(
        self,
        data: str | Path | pd.DataFrame | TrialData | None = None,
        *,
        override_diagnostics: bool = False,
        progress: Callable[[str], None] | None = None,
    ) -> Analysis:
        """Run the analysis: read, fit, decide.

        Parameters
        ----------
        data
            A file, a frame, a :class:`TrialData`, or nothing for the data that the file names.
        override_diagnostics
            Rank although the fit failed its diagnostics; printed on every output.
        progress
            Called with a few words before each step that takes time.

        Returns
        -------
        Analysis
            With ``.decision``, ``.posterior`` and ``.data``.
        """
        return analyse(
            self.model,
            data if isinstance(data, TrialData) else self.read(data),
            self.utility,
            self.rules,
            criterion=self.criterion,
            alternatives=self.alternatives,
            **self.sampler.settings,
            override_diagnostics=override_diagnostics,
            plan=self.plan,
            progress=progress,
        )


def check(
    path: str | Path, data: str | Path | None = None
) -> tuple[Spec | None, TrialData | None, list[Problem]]:
    """Say everything that is wrong with a specification and its data, without sampling.

    Parameters
    ----------
    path
        Specification file.
    data
        Data file; else the one that the specification names.

    Returns
    -------
    spec, data, problems
        ``None`` for what could not be built.
    """
    path = Path(path)
    parts, problems = parse_file(path)
    spec = None if problems else Spec(**parts)
    trial = None
    plan: Plan | None = parts.get("plan")
    columns, source = (plan.columns, plan.source) if plan else (None, "")
    if columns is not None and (data or source):
        try:
            trial = read_data(columns, source, path, data)
        except DataError as e:
            problems += e.items
        except DoseOptError as e:
            problems.append(Problem("DOB-A15", e.message, e.hint, file=str(data or source)))
    if spec is not None and trial is not None:
        try:
            check_priors(spec.model, spec.alternatives, trial)
        except DoseOptError as e:
            problems.append(Problem("DOB-F11", e.message, e.hint, file=path.name, column="model"))
    return spec, trial, problems


def check_priors(model: DoseModel, alternatives: Mapping[str, DoseModel], data: TrialData) -> None:
    """Refuse data of which a model's prior cannot take outcomes of a patient that were counted apart.

    Raises
    ------
    DoseOptError
        With the first model that cannot.
    """
    others = {f"alternative '{label}'": one for label, one in alternatives.items()}
    for label, one in {"the model": model, **others}.items():
        check_apart(one, data, label)


def read_data(
    columns: Columns | None, source: str, spec_file: Path, data: str | Path | pd.DataFrame | None
) -> TrialData:
    """Read the data: those given, else those that the specification names."""
    if columns is None:
        raise DoseOptError(
            f"{spec_file.name} has no [data] section that says how to read the data",
            hint="add [data] with kind = 'patients' or 'counts' and the columns' roles",
        )
    if data is None:
        if not source:
            raise DoseOptError(
                f"{spec_file.name} names no data", hint=f"doseopt run {spec_file.name} DATA.csv"
            )
        name = source.removeprefix("dataset:")
        data = datasets.path(name) if name != source else spec_file.parent / source
    if isinstance(data, str | Path) and not Path(data).is_file():
        raise DoseOptError(f"data file '{data}' does not exist", hint="check the path")
    if isinstance(columns, CountColumns):
        return TrialData.from_counts(data, columns)
    if isinstance(data, str | Path):
        return TrialData.from_csv(data, columns)
    return TrialData.from_frame(data, columns)
