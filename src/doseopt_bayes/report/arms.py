"""Everything that a finished comparison of arms leaves in its results folder."""

from __future__ import annotations

from importlib import metadata
from typing import TYPE_CHECKING, Any, Final

import pandas as pd
import xarray as xr

from doseopt_bayes.plots import FIGURES
from doseopt_bayes.plots.arms import figure_arms
from doseopt_bayes.plots.arms_choice import figure_configurations
from doseopt_bayes.plots.picture import figure
from doseopt_bayes.report import arms_tables, tables
from doseopt_bayes.report.bundle import named_intervals
from doseopt_bayes.report.folder import results_folder
from doseopt_bayes.report.html import NO_PLAN, page
from doseopt_bayes.report.manifest import ARMS, provenance
from doseopt_bayes.report.results import netcdf, results_tree

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from doseopt_bayes.arms.tipping import ArmSensitivity
    from doseopt_bayes.arms_analysis import ArmsAnalysis
    from doseopt_bayes.plots.picture import Picture

__all__ = ["arms_tree", "save_arms"]

# those of an analysis that show the arms, and those of the appendix
MAIN: Final = ("curve", "tradeoff", "cui", "acceptability")
APPENDIX: Final = ("prior", "trace", "energy", "ess")  # rank plots: dob.figure(found.base, "rank")


def save_arms(
    analysis: ArmsAnalysis,
    folder: str | Path,
    *,
    draft: bool = True,
    progress: Callable[[str], None] | None = None,
) -> dict[str, Path]:
    """Write report.html, figures/, tables (.csv), results.nc, spec.toml and manifest.json.

    Parameters
    ----------
    analysis
        A finished comparison.
    folder
        Results folder; made when it does not exist.
    draft
        Whether figures and report carry the footer stamp and the word DRAFT.
    progress
        Called with a few words before each step that takes time.

    Returns
    -------
    dict
        ``report``, ``figures`` (folder), ``results`` and ``manifest``.

    Raises
    ------
    ResultsError
        When another run holds the folder, it holds other results, or a file cannot be written.
    """
    say = progress or (lambda _: None)
    stamp = _stamp(analysis) if draft else ""
    footer = stamp or "; ".join(analysis.stamps)  # these stay on a final figure too
    with results_folder(folder, ARMS) as held:
        say("drawing the figures")
        for name, picture in _pictures(analysis):
            held.draw(name, picture, footer)
            say(f"drew the figure '{name}'")
        say("writing the report")
        made_by = _provenance(analysis)
        text = _render(analysis, held.pictures, made_by, stamp)
        report = held.write("report.html", text.encode())
        results = held.write("results.nc", netcdf(arms_tree(analysis)))
        for name, frame in _frames(analysis):
            content = named_intervals(frame).to_csv(index=False, lineterminator="\n")
            held.write(f"{name}.csv", content.encode())
        ranked = named_intervals(analysis.base.decision.to_frame())
        held.write("decision.csv", ranked.to_csv(lineterminator="\n").encode())
        held.copy(analysis.base.plan.file if analysis.base.plan else None, "spec.toml")
        about = {"kind": ARMS, "made_by": made_by, "stamps": list(analysis.stamps),
                 "data_rows": list(analysis.base.data.row_hashes)}  # fmt: skip
        manifest = held.seal(about)
    return {"report": report, "figures": held.figures, "results": results, "manifest": manifest}


def arms_tree(analysis: ArmsAnalysis) -> xr.DataTree:
    """Join fit, pairs, configurations and sensitivity in one DataTree, without any patient's row.

    Returns
    -------
    xarray.DataTree
        Groups of an analysis under the first configuration; ``pairs_1`` and so on, the comparison of
        each configuration in the order of ``configurations``; ``margins_1``, what would change its
        verdicts; ``association_1``, its band, where there is one.
    """
    tree = results_tree(analysis.base)
    tree["configurations"] = xr.DataTree(analysis.found.table)
    for i, c in enumerate(analysis.given, start=1):
        own = {
            "pairs": analysis.found.comparisons[c.name].table,
            "margins": analysis.sensitivity[c.name].margins,
            **({"association": analysis.bands[c.name].table} if c.name in analysis.bands else {}),
        }
        for name, table in own.items():
            tree[f"{name}_{i}"] = xr.DataTree(table.assign_attrs(configuration=c.name))
    return tree


def _pictures(analysis: ArmsAnalysis) -> Iterator[tuple[str, Picture]]:
    """Draw each figure that applies, in the order of the report."""
    yield "arms", figure_arms(analysis.first)
    fitting = [n for n in MAIN if FIGURES[n].applies(analysis.base)]
    for name in fitting:
        yield name, figure(analysis.base, name)
    yield "configurations", figure_configurations(analysis.found)
    for name in APPENDIX:
        if FIGURES[name].applies(analysis.base):
            yield name, figure(analysis.base, name)


def _frames(analysis: ArmsAnalysis) -> Iterator[tuple[str, pd.DataFrame]]:
    """Return the numbers in full; what differs between configurations has a column for their name."""

    def joined(parts: dict[str, pd.DataFrame]) -> pd.DataFrame:
        for name, frame in parts.items():
            frame.insert(0, "configuration", name)
        return pd.concat(parts.values(), ignore_index=True)

    each, asked = analysis.found.comparisons, analysis.sensitivity
    yield "arms", joined({n: c.arms_frame() for n, c in each.items()})
    yield "pairs", joined({n: c.to_frame() for n, c in each.items()})
    yield "margins", joined({n: c.margins_frame() for n, c in each.items()})
    yield "configurations", analysis.found.to_frame()
    yield "sensitivity_margins", joined({n: s.to_frame() for n, s in asked.items()})
    flips = {n: s.tipping.to_frame() for n, s in asked.items() if s.tipping is not None}
    if flips:
        yield "sensitivity_weights", joined(flips)
    ranks = {
        n: s.acceptability[["rank_acceptability", "rank_acceptability_mcse"]]
        .to_dataframe()
        .reset_index()
        for n, s in asked.items()
        if s.acceptability is not None
    }
    if ranks:
        yield "sensitivity_ranks", joined(ranks)
    if analysis.bands:
        yield "association", joined({n: b.to_frame() for n, b in analysis.bands.items()})


def _provenance(analysis: ArmsAnalysis) -> dict[str, str]:
    said = provenance(analysis.base)
    named = "; ".join(f"{c.name} (version {c.version})" for c in analysis.given)
    return {**said, "configurations": named, "sensitivity": f"seed {analysis.questions.seed}"}


def _stamp(analysis: ArmsAnalysis) -> str:
    plan, data = analysis.base.plan, analysis.base.data
    named = [f"{plan.id} {plan.version}", f"specification {plan.hash[:12]}"] if plan else [NO_PLAN]
    parts = [*analysis.stamps, "DRAFT", *named, f"data {data.sha256[:12]}",
             f"doseopt-bayes {metadata.version('doseopt-bayes')}"]  # fmt: skip
    return " · ".join(parts)


def _render(
    analysis: ArmsAnalysis,
    figures: Sequence[tuple[Picture, Path]],
    made_by: dict[str, str],
    stamp: str,
) -> str:
    base, plan = analysis.base, analysis.base.plan
    headline, *rest = analysis.sentences
    lead, _, _ = headline.partition(": ")
    leads = rest[1 : 1 + len(analysis.given)] if len(analysis.given) > 1 else []
    ranks, others = arms_tables.acceptability(analysis), arms_tables.alternatives(analysis)
    parts: dict[str, Any] = {
        "title": plan.title if plan else "Randomised arms",
        "question": plan.question if plan else "",
        "plan": f"Specification {plan.id}, version {plan.version}" if plan else NO_PLAN,
        "stamps": analysis.stamps,
        "data": base.data,
        "model": base.model,
        "open": not analysis.resolved,
        "none": str(base.decision.status.item()) == "none",
        "headline": headline,
        "lead": lead,
        "verdicts": _pair_words(analysis),
        "agreement": rest[0] if len(analysis.given) > 1 else "",
        "leads": leads,
        "cautions": base.decision.cautions,
        "margins": arms_tables.margins(analysis.first),
        "observed": [tables.disposition(base), tables.observed(base)],
        "marginal": base.data.marginal_only,
        "roles": _roles(analysis),
        "notes": analysis.notes,
        "compared": arms_tables.differences(analysis.first),
        "ranked": [tables.ranking(base), tables.limits(base)],
        "configurations": [arms_tables.configurations(analysis), arms_tables.verdicts(analysis)],
        "definitions": arms_tables.definitions(analysis),
        "sentences": {n: _own_words(s) for n, s in analysis.sensitivity.items()},
        "sensitivity": [arms_tables.margin_flips(analysis), *arms_tables.tipping(analysis),
                        *([ranks] if ranks else []), *([others] if others else [])],
        "failed": analysis.failed,
        "bands": _bands(analysis),
        "unbanded": analysis.unbanded,
        "utility": base.decision.utility,
        "appendix": APPENDIX,
        "prior": tables.prior(base),
        "checks": tables.diagnostics(base),
        "parameters": tables.parameters(base),
        "provenance": made_by,
        "version": metadata.version("doseopt-bayes"),
        "stamp": stamp,
    }  # fmt: skip
    return page("arms.html.j2", figures, **parts)


def _own_words(asked: ArmSensitivity) -> tuple[str, ...]:
    """Return what is said of weights and limits; the margins have a table."""
    table = asked.margins
    return asked.sentences[table.sizes["pair"] * table.sizes["margin"] :]


def _pair_words(analysis: ArmsAnalysis) -> list[str]:
    """Return the sentence on all margins at once of each pair."""
    return [s for s in analysis.first.sentences if "all margins at once" in s]


def _bands(analysis: ArmsAnalysis) -> list[dict[str, Any]]:
    """Return each band once, with the names of the configurations that it is of."""
    shown: dict[tuple[str, ...], dict[str, Any]] = {}
    for name, band in analysis.bands.items():
        one = shown.setdefault(band.sentences, {"names": [], "band": band})
        one["names"].append(name)
    return [
        {
            "who": ", ".join(one["names"]),
            "sentences": one["band"].sentences,
            "table": arms_tables.association(one["band"], ", ".join(one["names"])),
        }
        for one in shown.values()
    ]


def _roles(analysis: ArmsAnalysis) -> str:
    """Say which column was read as what, and what an event is."""
    plan = analysis.base.plan
    if plan is None or plan.columns is None:
        return "The data were handed over as checked trial data."
    said = [f"{end} from column '{c}'" for end, c in plan.columns.endpoint_columns.items()]
    meant = [f"{end}: {words}" for end, words in plan.endpoints.items()]
    read = f"Read as: dose from column '{plan.columns.dose}', {', '.join(said)}."
    return f"{read} {'; '.join(meant)}." if meant else read
