"""Saved results opened as what they are: for new figures and reports without a refit."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import xarray as xr

from doseopt_bayes.design.journal import digest
from doseopt_bayes.design.simulate import Simulation
from doseopt_bayes.errors import ResultsError
from doseopt_bayes.report.manifest import (
    ANALYSIS,
    ARMS,
    EXPOSURE,
    PLAN,
    PROTOCOL,
    SIMULATION,
    load_results,
    read_manifest,
    refuse_other_kind,
    verify,
)
from doseopt_bayes.report.results import analysis_of
from doseopt_bayes.spec.scenarios import read_scenarios
from doseopt_bayes.spec.spec import Spec

if TYPE_CHECKING:
    from doseopt_bayes.analysis import Analysis

__all__ = ["load_analysis", "load_simulation"]

HINTS: Final = {
    EXPOSURE: "its figures show patients, whose rows are not kept: run the analysis again, or "
    "load_results",
    SIMULATION: "dob.load_simulation opens it; doseopt simulate SPEC --out DIR makes it again",
    ARMS: "doseopt arms SPEC --out DIR makes its report again; load_results opens its numbers",
    PLAN: "doseopt plan SPEC --out DIR makes its report again",
    PROTOCOL: "doseopt table SPEC --out DIR makes its report again",
}


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
    kind = str(read_manifest(folder).get("kind", ANALYSIS))
    refuse_other_kind(folder, ANALYSIS, hint=HINTS.get(kind, ""))
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


def load_simulation(folder: str | Path) -> Simulation:
    """Open the results of ``doseopt simulate``; nothing is simulated.

    Parameters
    ----------
    folder
        Its results folder, or that of :func:`~doseopt_bayes.report.simulation.save_simulation` with a
        plan and a file of scenarios.

    Returns
    -------
    Simulation
        With the same digest, for tables, figures and comparisons with other designs.

    Raises
    ------
    ResultsError
        When a file is missing or altered, holds an analysis, or the design stands in no file.

    Examples
    --------
    ``dob.characteristics(dob.load_simulation("results/oc"))``
    """
    folder = Path(folder)
    verify(folder)
    refuse_other_kind(folder, SIMULATION)
    for name in ("spec.toml", "scenarios.toml"):
        if not (folder / name).is_file():
            raise ResultsError(
                f"'{folder}' has no {name}: this simulation was put together in Python",
                hint="write its specification and scenarios as files, or run the Python again",
            )
    design = Spec.load(folder / "spec.toml").design
    if design is None:
        raise ResultsError(f"'{folder}/spec.toml' has no [design]", hint="simulate again")
    with xr.open_datatree(folder / "trials.nc", engine="h5netcdf") as tree:
        kept = tree.load()
    scenarios = read_scenarios(folder / "scenarios.toml", design)
    about, trials = kept.attrs, kept["trials"].to_dataset()
    found = Simulation(
        design,
        scenarios,
        trials.assign({v: trials[v].astype(bool) for v in ("stopped_early", "resolved")}),
        json.loads(about["fits"]),
        int(about["seed"]),
        int(about["particles"]),
    )
    if digest(found) != about["trials_sha256"]:
        raise ResultsError(
            f"the trials in '{folder}' are not those that it names", hint="simulate again"
        )
    return found
