"""Saved results opened as the analysis that they are: for new figures and reports without a refit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from doseopt_bayes.errors import ResultsError
from doseopt_bayes.report.manifest import load_results, read_manifest
from doseopt_bayes.report.results import analysis_of
from doseopt_bayes.spec.spec import Spec

if TYPE_CHECKING:
    from doseopt_bayes.analysis import Analysis

__all__ = ["load_analysis"]


def load_analysis(folder: str | Path) -> Analysis:
    """Open the results of a specification as an analysis; nothing is sampled.

    Parameters
    ----------
    folder
        A results folder of ``doseopt run``, or of :func:`~doseopt_bayes.report.bundle.save` for an
        analysis that followed a specification.

    Returns
    -------
    Analysis
        For every figure, table and report. Patients' rows are not kept in results.

    Raises
    ------
    ResultsError
        When a file is missing or altered, or the analysis was put together in Python, so that its
        utility and rules stand in no file.

    Examples
    --------
    ``dob.figure(dob.load_analysis("results/optic"), "tradeoff")``
    """
    folder = Path(folder)
    tree = load_results(folder)
    path = folder / "spec.toml"
    if not path.is_file():
        raise ResultsError(
            f"'{folder}' has no spec.toml: this analysis was put together in Python",
            hint="write its specification, or run the Python again",
        )
    spec = Spec.load(path)
    return analysis_of(
        tree,
        spec.model,
        spec.utility,
        spec.rules,
        spec.criterion,
        rows=tuple(read_manifest(folder)["data_rows"]),
        plan=replace(spec.plan, name=str(tree.attrs["spec_file"])),
        alternatives=spec.alternatives,
    )
