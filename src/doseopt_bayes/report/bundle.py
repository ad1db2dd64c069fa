"""Everything that a finished analysis leaves in its results folder."""

from __future__ import annotations

import textwrap
from importlib import metadata
from typing import TYPE_CHECKING, Final

import pandas as pd

from doseopt_bayes import names
from doseopt_bayes.decision.decide import INTERVAL
from doseopt_bayes.decision.population import WHOLE
from doseopt_bayes.plots import style
from doseopt_bayes.report.folder import results_folder
from doseopt_bayes.report.html import NO_PLAN, render
from doseopt_bayes.report.manifest import ANALYSIS, about
from doseopt_bayes.report.results import netcdf, results_tree
from doseopt_bayes.report.subgroups import drawings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from doseopt_bayes.analysis import Analysis

__all__ = ["named_intervals", "save"]

LINE: Final = 125  # letters of a footer that fit into the width of a figure


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
    with results_folder(folder, ANALYSIS) as held:
        if analysis.subgroups and analysis.saved is None:
            say("fitting again under other priors of how much subgroups differ")
            _ = analysis.heterogeneity
        sections = []
        say("drawing the figures")
        for drawn in drawings(analysis):
            footer = _footer(analysis, drawn.patients, draft=draft)
            held.draw(drawn.name, drawn.picture, footer)
            sections.append(drawn.section)
            say(f"drew the figure '{drawn.name}'")
        say("writing the report")
        page = render(analysis, held.pictures, stamp=stamp, sections=sections)
        report = held.write("report.html", page.encode())
        table = held.write("decision.csv", _csv(analysis).encode())
        results = held.write("results.nc", netcdf(results_tree(analysis)))
        held.copy(analysis.plan.file if analysis.plan else None, "spec.toml")
        manifest = held.seal(about(analysis))
    return {"report": report, "figures": held.figures, "table": table, "results": results,
            "manifest": manifest}  # fmt: skip


def _csv(analysis: Analysis) -> str:
    frame = analysis.decision.to_frame()
    if (whole := analysis.population) is not None:
        # a row for each dose, below those of the subgroups; all groupings at once are the population
        levels = [str(d) for d in analysis.decision.status.dims]
        last = whole.to_frame().assign(**dict.fromkeys(levels, WHOLE))
        last = last.set_index(levels, append=True).reorder_levels([*levels, names.DOSE])
        frame = pd.concat([frame, last])
    if analysis.stamps:  # a table travels without its page
        frame["stamps"] = "; ".join(analysis.stamps)
    frame = named_intervals(frame)
    dose = f"dose_{analysis.data.unit}" if analysis.data.unit else names.DOSE
    frame.index.names = [dose if n == names.DOSE else n for n in frame.index.names]
    text: str = frame.to_csv(lineterminator="\n")
    return text


def named_intervals(frame: pd.DataFrame) -> pd.DataFrame:
    """Say in the name of each column that holds an end of an interval which interval it is."""
    kind = f"({INTERVAL:.0%} {style.INTERVAL_KIND})".replace("%", " %")
    ends = [c for c in frame.columns if str(c).endswith(("_low", "_high"))]
    return frame.rename(columns={c: f"{c} {kind}" for c in ends})


def _stamp(analysis: Analysis) -> str:
    return " · ".join([*analysis.stamps, _draft(analysis)])


def _draft(analysis: Analysis) -> str:
    plan = analysis.plan
    named = [f"{plan.id} {plan.version}", f"specification {plan.hash[:12]}"] if plan else [NO_PLAN]
    parts = [
        "DRAFT",
        *named,
        f"data {analysis.data.sha256[:12]}",
        f"doseopt-bayes {metadata.version('doseopt-bayes')}",
    ]
    return " · ".join(parts)


def _footer(analysis: Analysis, patients: str, *, draft: bool) -> str:
    """Lines below a figure: whose it is, the stamps (on a final figure too), and what a draft says."""
    said = [f"Patients: {patients}"] * bool(patients)
    for stamp in analysis.stamps:
        said += textwrap.wrap(stamp, LINE)  # a line beyond the figure would be cut
    return "\n".join([*said, *[_draft(analysis)] * draft])
