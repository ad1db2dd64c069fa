"""Everything that a finished analysis leaves in its results folder."""

from __future__ import annotations

import warnings
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from doseopt_bayes import names
from doseopt_bayes.decision.decide import INTERVAL
from doseopt_bayes.files import sweep, write_whole
from doseopt_bayes.locks import locked
from doseopt_bayes.plots import FIGURES, style
from doseopt_bayes.plots.picture import Picture, figure
from doseopt_bayes.report.html import NO_PLAN, render
from doseopt_bayes.report.manifest import (
    ANALYSIS,
    listed_files,
    refuse_other_kind,
    write_manifest,
)
from doseopt_bayes.report.results import netcdf, results_tree

if TYPE_CHECKING:
    from collections.abc import Callable

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
    with locked(folder) as taken_over:
        if taken_over:
            warnings.warn(taken_over, stacklevel=2)
        return _save(analysis, Path(folder), progress or (lambda _: None), draft=draft)


def _save(
    analysis: Analysis, folder: Path, say: Callable[[str], None], *, draft: bool
) -> dict[str, Path]:
    refuse_other_kind(folder, ANALYSIS)
    drawn = folder / "figures"
    drawn.mkdir(parents=True, exist_ok=True)
    for place in (folder, drawn):
        sweep(place)
    before = listed_files(folder)
    stamp = _stamp(analysis) if draft else ""
    footer = stamp or "; ".join(analysis.decision.stamps)  # these stay on a final figure too
    pictures: list[tuple[Picture, Path]] = []
    files: list[Path] = []
    for name, kind in FIGURES.items():
        if kind.applies(analysis):
            say(f"drawing the figure '{name}'")
            picture = figure(analysis, name)
            if footer:
                style.stamp(picture.figure, footer)
            saved = style.save(picture.figure, drawn / f"{len(pictures) + 1:02d}-{name}")
            files += saved
            pictures.append((picture, saved[0]))
    say("writing the report")
    report = write_whole(folder / "report.html", render(analysis, pictures, stamp=stamp).encode())
    table = write_whole(folder / "decision.csv", _csv(analysis).encode())
    results = write_whole(folder / "results.nc", netcdf(results_tree(analysis)))
    files += [report, table, results]
    if analysis.plan is not None and analysis.plan.file.is_file():
        files.append(write_whole(folder / "spec.toml", analysis.plan.file.read_bytes()))
    for old in before - set(files):
        old.unlink(missing_ok=True)  # of an earlier run, and of no meaning for this one
    manifest = write_manifest(analysis, folder, files)
    return {"report": report, "figures": drawn, "table": table, "results": results,
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
