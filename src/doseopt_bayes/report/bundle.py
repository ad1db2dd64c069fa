"""Everything that a finished analysis leaves in its results folder."""

from __future__ import annotations

from importlib import metadata
from typing import TYPE_CHECKING

from doseopt_bayes import names
from doseopt_bayes.decision.decide import INTERVAL
from doseopt_bayes.plots import FIGURES, style
from doseopt_bayes.plots.picture import figure
from doseopt_bayes.report.folder import results_folder
from doseopt_bayes.report.html import NO_PLAN, render
from doseopt_bayes.report.manifest import ANALYSIS, about
from doseopt_bayes.report.results import netcdf, results_tree

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pandas as pd

    from doseopt_bayes.analysis import Analysis

__all__ = ["named_intervals", "save"]


def save(
    analysis: Analysis,
    folder: str | Path,
    *,
    draft: bool = True,
    progress: Callable[[str], None] | None = None,
) -> dict[str, Path]:
    """Write report.html, figures/, decision.csv, results.nc, spec.toml and manifest.json.

    Parameters
    ----------
    analysis
        A finished analysis.
    folder
        Results folder; made when it does not exist.
    draft
        Whether figures and report carry the footer stamp and the word DRAFT.
    progress
        Called with a few words before each step that takes time.

    Returns
    -------
    dict
        ``report``, ``figures`` (folder), ``table``, ``results`` and ``manifest``.

    Raises
    ------
    ResultsError
        When another run holds the folder, it holds a simulation, or a file cannot be written.
    """
    say = progress or (lambda _: None)
    stamp = _stamp(analysis) if draft else ""
    footer = stamp or "; ".join(analysis.decision.stamps)  # these stay on a final figure too
    with results_folder(folder, ANALYSIS) as held:
        for name, kind in FIGURES.items():
            if kind.applies(analysis):
                say(f"drawing the figure '{name}'")
                held.draw(name, figure(analysis, name), footer)
        say("writing the report")
        report = held.write("report.html", render(analysis, held.pictures, stamp=stamp).encode())
        table = held.write("decision.csv", _csv(analysis).encode())
        results = held.write("results.nc", netcdf(results_tree(analysis)))
        held.copy(analysis.plan.file if analysis.plan else None, "spec.toml")
        manifest = held.seal(about(analysis))
    return {"report": report, "figures": held.figures, "table": table, "results": results,
            "manifest": manifest}  # fmt: skip


def _csv(analysis: Analysis) -> str:
    frame = named_intervals(analysis.decision.to_frame())
    frame.index.name = f"dose_{analysis.data.unit}" if analysis.data.unit else names.DOSE
    text: str = frame.to_csv(lineterminator="\n")
    return text


def named_intervals(frame: pd.DataFrame) -> pd.DataFrame:
    """Say in the name of each column that holds an end of an interval which interval it is."""
    kind = f"({INTERVAL:.0%} {style.INTERVAL_KIND})".replace("%", " %")
    ends = [c for c in frame.columns if str(c).endswith(("_low", "_high"))]
    return frame.rename(columns={c: f"{c} {kind}" for c in ends})


def _stamp(analysis: Analysis) -> str:
    plan = analysis.plan
    named = [f"{plan.id} {plan.version}", f"specification {plan.hash[:12]}"] if plan else [NO_PLAN]
    parts = [
        *analysis.decision.stamps,
        "DRAFT",
        *named,
        f"data {analysis.data.sha256[:12]}",
        f"doseopt-bayes {metadata.version('doseopt-bayes')}",
    ]
    return " · ".join(parts)
