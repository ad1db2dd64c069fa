"""What the designs of a protocol leave: decision tables, pathways, scores, and their comparison."""

from __future__ import annotations

import platform
import re
from dataclasses import dataclass
from importlib import metadata
from typing import TYPE_CHECKING, Final

import numpy as np

from doseopt_bayes.comparators.boin12 import BOIN12
from doseopt_bayes.comparators.desirability import desirability_scores
from doseopt_bayes.comparators.stepwise import IntervalDesign
from doseopt_bayes.design.pathways import pathways
from doseopt_bayes.design.prose import mean, percent
from doseopt_bayes.errors import DoseOptError
from doseopt_bayes.plots.designs import figure_designs
from doseopt_bayes.plots.pathways import LEAVES, figure_decisions, figure_pathways
from doseopt_bayes.report.folder import results_folder
from doseopt_bayes.report.html import page
from doseopt_bayes.report.manifest import PROTOCOL
from doseopt_bayes.report.tables import Table

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import pandas as pd

    from doseopt_bayes.comparators.compare import DesignComparison
    from doseopt_bayes.comparators.decisions import DecisionTable
    from doseopt_bayes.design.pathways import Pathways
    from doseopt_bayes.plots.picture import Picture
    from doseopt_bayes.spec.protocol import ProtocolSpec

__all__ = ["ProtocolPart", "protocol_parts", "protocol_text", "save_protocol"]

SIZES: Final = 5  # numbers of cohorts at a dose that a table of scores ranks together, 0 included
HEADS: Final = (
    "Design", "Right answer, %", "More often than the first, %", "Selects above MTD, %",
    "Selects none, %", "Not resolved, %", "Patients", "Patients above MTD", "Toxicities",
)  # fmt: skip
VERSIONS: Final = ("numpy", "scipy", "xarray")


@dataclass(frozen=True, eq=False)
class ProtocolPart:
    """What a protocol prints of one design.

    Parameters
    ----------
    name, prose
        Name and paragraph.
    table
        Decisions, of an interval design.
    scores
        Desirability scores, of BOIN12.
    paths
        Dose-transition pathways; ``None`` where they are too many to print.
    notes
        What is left out, and why.
    """

    name: str
    prose: str
    table: DecisionTable | None
    scores: pd.DataFrame | None
    paths: Pathways | None
    notes: tuple[str, ...]


def protocol_parts(spec: ProtocolSpec) -> tuple[ProtocolPart, ...]:
    """Tabulate every design of a protocol."""
    found = []
    for name, design in spec.designs.items():
        notes = []
        table = scores = paths = None
        if isinstance(design, IntervalDesign):
            table = design.rule.table(design.at_dose)
        if isinstance(design, BOIN12):
            try:
                sizes = [design.cohort * k for k in range(SIZES)]
                scores = desirability_scores(design, sizes)
            except DoseOptError as e:
                notes.append(f"No table of scores: {e.message}.")
        try:
            paths = pathways(design, spec.look.outcomes, cohorts=spec.look.cohorts)
        except DoseOptError as e:
            notes.append(f"No pathways: {e.message}.")
        found.append(ProtocolPart(name, str(design), table, scores, paths, tuple(notes)))
    return tuple(found)


def protocol_text(
    spec: ProtocolSpec, parts: Sequence[ProtocolPart], compared: DesignComparison | None
) -> str:
    """Say all of it in text."""
    said = [f"{spec.id} {spec.version}, sha256 {spec.hash[:12]}"]
    for part in parts:
        said += ["", part.name, "-" * len(part.name), part.prose]
        if part.table is not None:
            said += ["", str(part.table)]
        if part.scores is not None:
            least = part.scores.dropna().sort_values("score", ascending=False)
            said += ["", "Most desirable outcomes of a dose (all are in the report's table):",
                     least.head(5).to_string(index=False)]  # fmt: skip
        if part.paths is not None:
            said += ["", f"Dose-transition pathways {part.paths}"]
        said += part.notes
    if compared is not None:
        said += ["", str(compared)]
    return "\n".join(said)


def save_protocol(
    spec: ProtocolSpec,
    parts: Sequence[ProtocolPart],
    folder: str | Path,
    *,
    compared: DesignComparison | None = None,
    scenarios_file: str | Path | None = None,
    draft: bool = True,
    progress: Callable[[str], None] | None = None,
) -> dict[str, Path]:
    """Write report.html, figures/, tables (.csv), protocol.txt, spec.toml and manifest.json.

    Parameters
    ----------
    spec, parts
        The designs, and what :func:`protocol_parts` tabulated of them.
    folder
        Results folder; made when it does not exist.
    compared
        Comparison of the designs, if they were simulated.
    scenarios_file
        File that its scenarios come from; copied to scenarios.toml.
    draft
        Whether figures and report carry the footer stamp and the word DRAFT.
    progress
        Called with a few words before each step that takes time.

    Returns
    -------
    dict
        ``report``, ``figures`` (folder), ``table`` (pathways or comparison) and ``manifest``.

    Raises
    ------
    ResultsError
        When another run holds the folder, it holds other results, or a file cannot be written.
    """
    say = progress or (lambda _: None)
    stamp = _stamp(spec) if draft else ""
    made_by = _provenance(spec, compared)
    with results_folder(folder, PROTOCOL) as held:
        say("drawing the figures")
        drawn: dict[str, list[str]] = {}
        for i, part in enumerate(parts, start=1):
            drawn[part.name] = []
            for kind, picture in _pictures(part):
                held.draw(f"{kind}-{i}", picture, stamp)
                drawn[part.name].append(f"{kind}-{i}")
        if compared is not None:
            held.draw("designs", figure_designs(compared), stamp)
        say("writing the report")
        text = page(
            "protocol.html.j2",
            held.pictures,
            title=spec.title or "Designs of a protocol",
            question=spec.question,
            plan=f"Specification {spec.id}, version {spec.version}",
            designs=[_shown(p, drawn[p.name]) for p in parts],
            compared=_compared(compared) if compared is not None else (),
            provenance=made_by,
            version=metadata.version("doseopt-bayes"),
            stamp=stamp,
        )
        report = held.write("report.html", text.encode())
        table = held.write("protocol.txt", f"{protocol_text(spec, parts, compared)}\n".encode())
        for name, frame in _frames(parts, compared):
            content = frame.to_csv(index=False, lineterminator="\n")
            held.write(f"{name}.csv", content.encode())
        held.copy(spec.file, "spec.toml")
        held.copy(scenarios_file, "scenarios.toml")
        manifest = held.seal({"kind": PROTOCOL, "made_by": made_by})
    return {"report": report, "figures": held.figures, "table": table, "manifest": manifest}


def _pictures(part: ProtocolPart) -> list[tuple[str, Picture]]:
    found = []
    if part.table is not None:
        found.append(("decisions", figure_decisions(part.table)))
    if part.paths is not None and part.paths.steps and _leaves(part.paths) <= LEAVES:
        found.append(("pathways", figure_pathways(part.paths)))
    return found


def _leaves(paths: Pathways) -> int:
    return len(paths.steps) - len({s.before for s in paths.steps} & {s.path for s in paths.steps})


def _frames(
    parts: Sequence[ProtocolPart], compared: DesignComparison | None
) -> list[tuple[str, pd.DataFrame]]:
    found: list[tuple[str, pd.DataFrame]] = []
    for part in parts:
        plain = re.sub(r"[^A-Za-z0-9]+", "-", part.name).strip("-").lower()
        if part.table is not None:
            letters = part.table.grid().reset_index()
            found += [(f"boundaries-{plain}", part.table.to_frame()), (f"letters-{plain}", letters)]
        if part.scores is not None:
            found.append((f"scores-{plain}", part.scores))
        if part.paths is not None and part.paths.steps:
            found.append((f"pathways-{plain}", part.paths.to_frame()))
    if compared is not None:
        found.append(("comparison", compared.to_frame()))
    return found


def _shown(part: ProtocolPart, figures: Sequence[str]) -> dict[str, object]:
    tables = []
    if part.table is not None:
        tables.append(_table("Boundaries", part.table.to_frame()))
    if part.scores is not None:
        tables.append(_table("Desirability scores", _wide(part.scores), note=(
            "A higher score is more desirable; equal ones share the mean of their ranks. "
            "E: inadmissible. 0 patients: a dose that nobody received."))
        )  # fmt: skip
    notes = list(part.notes)
    if part.paths is not None and part.paths.steps and _leaves(part.paths) > LEAVES:
        notes.append(f"{len(part.paths.steps)} pathways: their table is beside this report (.csv).")
    return {"name": part.name, "prose": part.prose, "tables": tables, "figures": list(figures),
            "notes": notes}  # fmt: skip


def _wide(scores: pd.DataFrame) -> pd.DataFrame:
    """Return a row per patients and toxicities, a column per number of responses."""
    said = scores.assign(score=[("E" if np.isnan(s) else f"{s:g}") for s in scores["score"]])
    wide = said.pivot_table(
        index=["patients", "toxicities"], columns="responses", values="score", aggfunc="first"
    )
    wide.columns = [f"{c} responses" for c in wide.columns]
    return wide.reset_index()


def _table(title: str, frame: pd.DataFrame, note: str = "") -> Table:
    rows = [
        tuple("-" if str(c) in ("<NA>", "nan") else str(c) for c in row) for row in frame.to_numpy()
    ]
    return Table(title, tuple(map(str, frame.columns)), tuple(rows), note)


def _compared(found: DesignComparison) -> list[Table]:
    """Return a table for each scenario: what the designs come to."""
    table, tables = found.table, []
    note = (
        f"{table.attrs['n_trials']:,} trials of each design in the same patients, seed "
        f"{table.attrs['seed']}; ± Monte Carlo standard error, of differences that of pairs."
    )
    for label in table["scenario"].to_numpy():
        part = table.sel(scenario=label)
        none = np.isnan(float(part["obd"]))
        rows = []
        for name in found.simulations:
            at = part.sel(design=name)
            hit = "none_selected" if none else "selects_obd"
            rows.append((
                name,
                *(percent(float(at[v]), float(at[f"{v}_mcse"]))
                  for v in (hit, "gain", "overdose", "none_selected", "not_resolved")),
                *(mean(float(at[v]), float(at[f"{v}_mcse"]))
                  for v in ("patients", "overdosed", "toxicities")),
            ))  # fmt: skip
        dose = "none" if none else f"{float(part['obd']):g} {table.attrs['unit']}".rstrip()
        tables.append(Table(f"{label}: right answer {dose}", HEADS, tuple(rows), note))
    return tables


def _stamp(spec: ProtocolSpec) -> str:
    version = metadata.version("doseopt-bayes")
    return f"DRAFT · {spec.id} {spec.version} · specification {spec.hash[:12]} · doseopt-bayes {version}"


def _provenance(spec: ProtocolSpec, compared: DesignComparison | None) -> dict[str, str]:
    found = {
        "specification": f"{spec.id} {spec.version} ({spec.file.name})",
        "specification_sha256": spec.hash,
    }
    if compared is not None:
        a = compared.table.attrs
        found["trials"] = f"{a['n_trials']:,} of each design and scenario, seed {a['seed']}"
        first = next(iter(compared.simulations.values()))
        found["scenarios"] = "; ".join(map(repr, first.scenarios))
    return {**found, "python": platform.python_version(),
            **{p: metadata.version(p) for p in ("doseopt-bayes", *VERSIONS)}}  # fmt: skip
