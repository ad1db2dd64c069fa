"""Everything that simulated trials leave in their results folder."""

from __future__ import annotations

import json
import platform
from importlib import metadata
from typing import TYPE_CHECKING, Final

import xarray as xr

from doseopt_bayes.design import prose
from doseopt_bayes.design.characteristics import characteristics
from doseopt_bayes.design.journal import digest
from doseopt_bayes.plots.picture import Picture, figure_design
from doseopt_bayes.report.folder import results_folder
from doseopt_bayes.report.html import NO_PLAN, page
from doseopt_bayes.report.manifest import SIMULATION
from doseopt_bayes.report.results import netcdf
from doseopt_bayes.report.tables import Table

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from doseopt_bayes.design.characteristics import Characteristics
    from doseopt_bayes.design.simulate import Simulation
    from doseopt_bayes.plan import Plan

__all__ = ["save_simulation"]

HEADS: Final = {"patients": "Patients", "toxicities": "Toxicities", "responses": "Responses",
                "overdosed": "Patients above MTD"}  # fmt: skip
VERSIONS: Final = ("pymc", "pytensor", "numpy", "scipy", "xarray")


def save_simulation(
    sim: Simulation,
    folder: str | Path,
    *,
    plan: Plan | None = None,
    scenarios_file: str | Path | None = None,
    draft: bool = True,
    progress: Callable[[str], None] | None = None,
) -> dict[str, Path]:
    """Write report.html, figures/, characteristics.csv, trials.nc and manifest.json.

    Parameters
    ----------
    sim
        Simulated trials.
    folder
        Results folder; made when it does not exist. The blocks that a run keeps in it stay.
    plan
        Specification that the design comes from; its file is copied to spec.toml.
    scenarios_file
        File that the scenarios come from; copied to scenarios.toml.
    draft
        Whether figures and report carry the footer stamp and the word DRAFT.
    progress
        Called with a few words before each step that takes time.

    Returns
    -------
    dict
        ``report``, ``figures`` (folder), ``table``, ``trials`` and ``manifest``.

    Raises
    ------
    ResultsError
        When another run holds the folder, it holds the results of an analysis, or a file cannot be
        written.
    """
    say = progress or (lambda _: None)
    found, made_by = characteristics(sim), _provenance(sim, plan)
    stamp = _stamp(sim, plan) if draft else ""
    with results_folder(folder, SIMULATION) as held:
        say("drawing the figure")
        held.draw("design", figure_design(found), stamp)
        say("writing the report")
        text = _render(sim, found, held.pictures, plan, made_by, stamp)
        report = held.write("report.html", text.encode())
        table = held.write("characteristics.csv", found.csv().encode())
        trials = held.write("trials.nc", netcdf(_tree(sim, found, made_by)))
        held.copy(plan.file if plan else None, "spec.toml")
        held.copy(scenarios_file, "scenarios.toml")
        manifest = held.seal({"kind": SIMULATION, "made_by": made_by})
    return {"report": report, "figures": held.figures, "table": table, "trials": trials,
            "manifest": manifest}  # fmt: skip


def _provenance(sim: Simulation, plan: Plan | None) -> dict[str, str]:
    """Return what made the trials, without clock, host or user, so that a rerun says the same."""
    named = {"specification": "none: put together in Python"}
    if plan is not None:
        named = {
            "specification": f"{plan.id} {plan.version} ({plan.name})",
            "specification_sha256": plan.hash,
        }
    fits = ", ".join(f"{n:,} by {engine}" for engine, n in sorted(sim.fits.items()))
    return {
        **named,
        "scenarios": "; ".join(map(repr, sim.scenarios)),
        "trials": f"{_n_trials(sim):,} of each scenario, seed {sim.seed}",
        "particles": str(sim.particles),
        "posteriors": fits,
        "trials_sha256": digest(sim),
        "python": platform.python_version(),
        **{p: metadata.version(p) for p in ("doseopt-bayes", *VERSIONS)},
    }


def _n_trials(sim: Simulation) -> int:
    return int(sim.trials.sizes["trial"])


def _stamp(sim: Simulation, plan: Plan | None) -> str:
    named = [f"{plan.id} {plan.version}", f"specification {plan.hash[:12]}"] if plan else [NO_PLAN]
    parts = [
        "DRAFT",
        *named,
        f"{_n_trials(sim):,} trials a scenario, seed {sim.seed}",
        f"trials {digest(sim)[:12]}",
        f"doseopt-bayes {metadata.version('doseopt-bayes')}",
    ]
    return " · ".join(parts)


def _tree(sim: Simulation, found: Characteristics, made_by: dict[str, str]) -> xr.DataTree:
    tree = xr.DataTree.from_dict({"trials": sim.trials, "characteristics": found.table})
    tree.attrs.update(made_by, design=str(sim.design), fits=json.dumps(sim.fits, sort_keys=True),
                      seed=sim.seed, particles=sim.particles)  # fmt: skip
    return tree


def _render(
    sim: Simulation,
    found: Characteristics,
    figures: Sequence[tuple[Picture, Path]],
    plan: Plan | None,
    made_by: dict[str, str],
    stamp: str,
) -> str:
    table = found.table
    unit = table.attrs["unit"]
    parts = [table.sel(scenario=label) for label in table["scenario"].to_numpy()]
    head = prose.heads(table)
    return page(
        "simulation.html.j2",
        figures,
        title=f"Operating characteristics: {plan.title}" if plan else "Operating characteristics",
        plan=f"Specification {plan.id}, version {plan.version}" if plan else NO_PLAN,
        trials=f"{_n_trials(sim):,} trials of each scenario, seed {sim.seed}",
        design=sim.design,
        glance=_glance(parts, unit),
        meaning=prose.meaning(table),
        scenarios=[
            {
                "table": Table(
                    str(part["scenario"].item()),
                    head,
                    tuple(prose.rows_of(part)),
                    ""
                    if prose.alone(table)
                    else f"Correlation of toxicity and efficacy: {scenario.correlation:g}.",
                ),
                "sentences": prose.sentences(part, unit),
            }
            for part, scenario in zip(parts, sim.scenarios, strict=True)
        ],
        fits=_fits(sim),
        provenance=made_by,
        version=metadata.version("doseopt-bayes"),
        stamp=stamp,
    )


def _glance(parts: Sequence[xr.Dataset], unit: str) -> Table:
    shares = ("selects_obd", "overdose", "none_selected", "stopped_early", "not_resolved")
    means = [v for v in ("patients", "toxicities", "responses", "overdosed") if v in parts[0]]
    best = "MTD" if prose.alone(parts[0]) else "OBD"
    rows = []
    for part in parts:
        obd = float(part["obd"])
        rows.append(
            (
                str(part["scenario"].item()),
                "none" if obd != obd else f"{obd:g} {unit}".rstrip(),  # noqa: PLR0124  (NaN)
                *(prose.percent(float(part[v]), float(part[f"{v}_mcse"])) for v in shares),
                *(prose.mean(float(part[v]), float(part[f"{v}_mcse"])) for v in means),
            )
        )
    columns = (
        "Scenario",
        f"True {best}",
        "Selects it, %",
        "Selects above MTD, %",
        "Selects none, %",
        "Stopped early, %",
        "Last decision not resolved, %",
        *(HEADS[v] for v in means),
    )
    note = (
        "± Monte Carlo standard error over trials. Patients and outcomes: mean per trial. "
        "Not resolved: 3 standard errors of the posterior could change the decision; no "
        "share to its left can be off by more through the last decision."
    )
    return Table("Results by scenario", columns, tuple(rows), note)


def _fits(sim: Simulation) -> Table:
    total = sum(sim.fits.values())
    rows = [(engine, f"{n:,}", f"{n / total:.2%}") for engine, n in sorted(sim.fits.items())]
    note = (
        f"{total:,} posteriors were fitted; equal counts are fitted once. A posterior whose particles "
        "fail their gate (Pareto k-hat, effective sample size) gets four times as many, and then NUTS; "
        "one that leaves its decision open gets four times as many. Models of one or two parameters "
        "are integrated on a grid that all their posteriors share."
    )
    return Table("Posteriors by engine", ("Engine", "Posteriors", "Share"), tuple(rows), note)
