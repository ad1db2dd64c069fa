"""The pre-specified exposure-response analysis: one TOML file, for command line and notebook alike."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from doseopt_bayes import datasets
from doseopt_bayes.data.exposure import ExposureData
from doseopt_bayes.data.read.exposure import read_exposure
from doseopt_bayes.errors import DataError, DoseOptError, Problem, SpecError
from doseopt_bayes.exposure_analysis import ExposureAnalysis, analyse_exposure
from doseopt_bayes.prediction.request import curves
from doseopt_bayes.spec.exposure_parse import parse_exposure

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

    from doseopt_bayes.data.exposure_columns import ExposureColumns
    from doseopt_bayes.decision.criteria import Criterion
    from doseopt_bayes.decision.rules import Rule
    from doseopt_bayes.decision.utility import Utility
    from doseopt_bayes.plan import Plan
    from doseopt_bayes.prediction.parts import Model
    from doseopt_bayes.prediction.request import Prediction
    from doseopt_bayes.spec.parse import Sampler

__all__ = ["ExposureSpec", "check_exposure"]


@dataclass(frozen=True)
class ExposureSpec:
    """A pre-specified exposure-response analysis.

    Parameters
    ----------
    plan
        Name, version, words and hash.
    columns
        Column roles and policies of the data.
    model, sampler
        The curve, or efficacy and toxicity of the same patients, and how it is sampled.
    prediction
        What is asked of candidate doses; ``None``: the curve alone.
    utility, rules, criterion
        How doses are ranked; without a utility none is.

    Examples
    --------
    ``dob.save_exposure(dob.ExposureSpec.load("models/er-hyperglycaemia.toml").run(), "results/er")``
    """

    plan: Plan
    columns: ExposureColumns
    model: Model
    sampler: Sampler
    prediction: Prediction | None = None
    utility: Utility | None = None
    rules: Rule | None = None
    criterion: str | Criterion = "mean_utility"

    @classmethod
    def load(cls, path: str | Path) -> ExposureSpec:
        """Read a specification file.

        Raises
        ------
        SpecError
            With every problem of the file.
        """
        parts, problems = parse_exposure(Path(path))
        if problems:
            raise SpecError(problems, str(path))
        return cls(**parts)

    def read(self, data: str | Path | pd.DataFrame | None = None) -> ExposureData:
        """Read the data: those given (a file or a frame), else those that the file names.

        Raises
        ------
        DataError
            With every problem of the data.
        DoseOptError
            When there are no data, or they do not fit the model.
        """
        if data is None:
            if not self.plan.source:
                file = self.plan.file.name
                raise DoseOptError(f"{file} names no data", hint=f"doseopt run {file} DATA.csv")
            name = self.plan.source.removeprefix("dataset:")
            shipped = name != self.plan.source
            data = datasets.path(name) if shipped else self.plan.file.parent / name
        found = read_exposure(data, self.columns)
        for one in curves(self.model).values():
            one.read(found)  # a level or a response that the model cannot take costs no sampling
        return found

    def run(
        self,
        data: str | Path | pd.DataFrame | ExposureData | None = None,
        *,
        override_diagnostics: bool = False,
        progress: Callable[[str], None] | None = None,
    ) -> ExposureAnalysis:
        """Run the analysis: read, fit, predict, and decide where there is a utility.

        Parameters
        ----------
        data
            A file, a frame, :class:`ExposureData`, or nothing for the data that the file names.
        override_diagnostics
            Conclude although the fit failed its diagnostics; printed on every output.
        progress
            Called with a few words before each step that takes time.

        Returns
        -------
        ExposureAnalysis
            For :func:`~doseopt_bayes.report.exposure.save_exposure`.
        """
        return analyse_exposure(
            self.model,
            data if isinstance(data, ExposureData) else self.read(data),
            self.prediction,
            utility=self.utility,
            rules=self.rules,
            criterion=self.criterion,
            **self.sampler.settings,
            override_diagnostics=override_diagnostics,
            plan=self.plan,
            progress=progress,
        )


def check_exposure(
    path: str | Path, data: str | Path | None = None
) -> tuple[ExposureSpec | None, ExposureData | None, list[Problem]]:
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
    parts, problems = parse_exposure(Path(path))
    if problems:
        return None, None, problems
    spec, found = ExposureSpec(**parts), None
    if data or spec.plan.source:
        try:
            found = spec.read(data)
        except DataError as e:
            problems += e.items
        except DoseOptError as e:
            file = str(data or spec.plan.source)
            problems.append(Problem("DOB-A15", e.message, e.hint, file=file))
    return spec, found, problems
