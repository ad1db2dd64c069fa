"""Everything that a finished exposure-response analysis leaves in its results folder."""

from __future__ import annotations

import csv
import io
import json
from importlib import metadata
from typing import TYPE_CHECKING, Any, Final

import xarray as xr

from doseopt_bayes.plots import exposure_pictures as draw
from doseopt_bayes.plots.by_dose import data_by_dose
from doseopt_bayes.prediction.request import curves
from doseopt_bayes.report import exposure_answers as answers
from doseopt_bayes.report.bundle import named_intervals
from doseopt_bayes.report.exposure_tables import bin_table, exposure_summary
from doseopt_bayes.report.folder import results_folder
from doseopt_bayes.report.html import NO_PLAN, page
from doseopt_bayes.report.manifest import EXPOSURE, provenance
from doseopt_bayes.report.results import netcdf

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from doseopt_bayes.exposure_analysis import ExposureAnalysis
    from doseopt_bayes.plots.picture import Picture
    from doseopt_bayes.report.tables import Table

__all__ = ["exposure_tree", "save_exposure"]

PATIENTS: Final = (
    "observed_data",
    "constant_data",
    "prior_predictive",
)  # groups with patients' rows


def save_exposure(
    analysis: ExposureAnalysis,
    folder: str | Path,
    *,
    draft: bool = True,
    progress: Callable[[str], None] | None = None,
) -> dict[str, Path]:
    """Write report.html, figures/, tables (.csv), results.nc, spec.toml and manifest.json.

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
        ``report``, ``figures`` (folder), ``results`` and ``manifest``.

    Raises
    ------
    ResultsError
        When another run holds the folder, it holds other results, or a file cannot be written.
    """
    say = progress or (lambda _: None)
    stamp = _stamp(analysis) if draft else ""
    footer = stamp or "; ".join(analysis.stamps)  # these stay on a final figure too
    with results_folder(folder, EXPOSURE) as held:
        for name, picture in _pictures(analysis, say):
            held.draw(name, picture, footer)
        say("writing the report")
        made_by, tables = provenance(analysis), _tables(analysis)
        text = _render(analysis, tables, held.pictures, made_by, stamp)
        report = held.write("report.html", text.encode())
        results = held.write("results.nc", netcdf(exposure_tree(analysis)))
        for name, table in _csvs(analysis, tables):
            held.write(f"{name}.csv", table.encode())
        held.copy(analysis.plan.file if analysis.plan else None, "spec.toml")
        about = {"kind": EXPOSURE, "made_by": made_by, "stamps": list(analysis.stamps),
                 "data_rows": list(analysis.data.row_hashes)}  # fmt: skip
        manifest = held.seal(about)
    return {"report": report, "figures": held.figures, "results": results, "manifest": manifest}


def exposure_tree(analysis: ExposureAnalysis) -> xr.DataTree:
    """Join fit, predictions and decision in one DataTree, without any patient's row.

    Returns
    -------
    xarray.DataTree
        Groups of the fit; ``predicted`` and ``regimens`` over dose; ``decision``. The attributes carry
        the answer in words, versions, seed, hashes and the ledger of the data.
    """
    post, data = analysis.posterior, analysis.data
    groups = {
        name: child.to_dataset(inherit=False)
        for name, child in post.tree.children.items()
        if name not in PATIENTS
    }
    patient = "patient"
    groups = {
        name: x.drop_vars([v for v in x.variables if patient in x[v].dims])
        for name, x in groups.items()
    }
    if analysis.predicted is not None:
        own = [v for v in analysis.predicted.draws if v not in post.draws]
        groups["predicted"] = analysis.predicted.draws[own]
        groups["regimens"] = analysis.predicted.tree["regimens"].to_dataset()
    if analysis.decision is not None:
        d = analysis.decision
        groups["decision"] = d.table.assign(
            recommended=d.recommended, leading=d.leading, status=d.status
        )
    tree = xr.DataTree.from_dict(groups)
    tree.attrs = dict(post.tree.attrs)
    if analysis.plan is not None:
        plan = analysis.plan
        tree.attrs.update(spec_id=plan.id, spec_version=plan.version, spec_sha256=plan.hash,
                          spec_file=plan.name)  # fmt: skip
    tree.attrs.update(
        answer="\n".join(analysis.sentences),
        stamps="\n".join(analysis.stamps),
        notes="\n".join(analysis.notes),
        data_disposition=json.dumps(data.disposition.to_dict("split", index=False)),
        data_notes=json.dumps(data.notes),
        data_unit=data.dose_unit,
    )
    return tree


def _pictures(
    analysis: ExposureAnalysis, say: Callable[[str], None]
) -> Iterator[tuple[str, Picture]]:
    """Draw each figure that applies, in the order of the report."""
    data, parts = analysis.data, analysis.parts
    time = None if analysis.prediction is None else analysis.prediction.time
    when = {p.name: time if p.recipe.response.kind == "time_to_event" else None for p in parts}
    for p in parts:
        say(f"drawing {p.name} by {p.recipe.exposure}")
        tag = f"-{p.name}" if len(parts) > 1 else ""
        yield (
            f"exposure-response{tag}",
            draw.figure_exposure_response(p.recipe, p.posterior, data, time=when[p.name]),
        )
        if p.recipe.response.kind == "time_to_event":
            yield f"survival{tag}", draw.figure_survival(p.recipe, p.posterior, data)
        if p.recipe.covariates:
            yield (
                f"covariates{tag}",
                draw.figure_covariates(p.recipe, p.posterior, data, time=when[p.name]),
            )
    if len(parts) > 1 and len({p.recipe.exposure for p in parts}) == 1:
        yield (
            "window",
            draw.figure_window([(p.recipe, p.posterior, data) for p in parts], time=time),
        )
    if analysis.predicted is not None:
        say("drawing the response by dose")
        yield (
            "by-dose",
            draw.figure_by_dose(analysis.predicted, variables=[p.variable for p in parts]),
        )
    for p in parts:
        tag = f"-{p.name}" if len(parts) > 1 else ""
        say(f"drawing the predictive check of {p.name}")
        yield f"predictive{tag}", draw.figure_predictive(p.recipe, p.posterior, data)


def _tables(analysis: ExposureAnalysis) -> dict[str, list[Table]]:
    data = analysis.data
    metrics = dict.fromkeys(c.exposure for c in curves(analysis.model).values())
    return {
        "ranking": answers.ranked(analysis),
        "by_dose": answers.by_dose(analysis),
        "disposition": [answers.disposition(analysis)],
        "exposure": [exposure_summary(data, m) for m in metrics if m in data.exposures],
        "bins": [bin_table(p.recipe, p.posterior, data) for p in analysis.parts],
        "parameters": answers.parameters(analysis),
    }


def _csvs(analysis: ExposureAnalysis, tables: dict[str, list[Table]]) -> Iterator[tuple[str, str]]:
    """Return numbers in full where there are any, and the other tables as they are printed."""
    if analysis.decision is not None:
        frame = named_intervals(analysis.decision.to_frame())
        frame.index.name = f"dose_{analysis.data.dose_unit}"
        yield "decision", frame.to_csv(lineterminator="\n")
    if analysis.predicted is not None:
        seen = data_by_dose(analysis.predicted, variables=[p.variable for p in analysis.parts])
        yield "by_dose", named_intervals(seen.to_dataframe()).to_csv(lineterminator="\n")
    for name, found in analysis.quantities.items():
        tag = f"_{name}" if len(analysis.quantities) > 1 else ""
        frame = named_intervals(found.to_frame())
        yield f"quantities{tag}", frame.to_csv(lineterminator="\n")
    for name in ("exposure", "bins", "parameters"):
        for i, table in enumerate(tables[name], start=1):
            tag = f"_{i}" if len(tables[name]) > 1 else ""
            text = io.StringIO()
            writer = csv.writer(text, lineterminator="\n")
            writer.writerows([table.columns, *table.rows])
            yield f"{name}{tag}", text.getvalue()


def _render(
    analysis: ExposureAnalysis,
    tables: dict[str, list[Table]],
    figures: Sequence[tuple[Picture, Path]],
    made_by: dict[str, str],
    stamp: str,
) -> str:
    plan, decision = analysis.plan, analysis.decision
    parts: dict[str, Any] = {
        "title": plan.title if plan else "Exposure-response",
        "question": plan.question if plan else "",
        "plan": f"Specification {plan.id}, version {plan.version}" if plan else NO_PLAN,
        "stamps": analysis.stamps,
        "data": analysis.data,
        "model": analysis.model,
        "decision": decision,
        "utility": decision.utility if decision else None,
        "headline": answers.headline(analysis),
        "answers": [*tables["ranking"], *tables["by_dose"]],
        "curves": [{"name": k, "sentences": q.sentences} for k, q in analysis.quantities.items()],
        "roles": _roles(analysis),
        "observed": [*tables["disposition"], *tables["exposure"], *tables["bins"]],
        "notes": analysis.notes,
        "parameters": tables["parameters"],
        "checks": answers.checks(analysis),
        "provenance": made_by,
        "version": metadata.version("doseopt-bayes"),
        "stamp": stamp,
    }
    return page("exposure.html.j2", figures, **parts)


def _roles(analysis: ExposureAnalysis) -> str:
    """Say which column was read as what, and what an event is."""
    data, words = analysis.data, analysis.plan.endpoints if analysis.plan else {}
    said = []
    for one in curves(analysis.model).values():
        end = data.endpoints[one.endpoint]
        meant = f" ({words[one.endpoint]})" if one.endpoint in words else ""
        unit = data.exposures.get(one.exposure, data.dose_unit)
        said.append(
            f"{one.endpoint}{meant}: {end.kind.replace('_', ' ')}, from column "
            f"{' and '.join(end.columns)}; by {one.exposure} ({unit})"
        )
    return f"Read as: {'. '.join(said)}. Dose in {data.dose_unit}."


def _stamp(analysis: ExposureAnalysis) -> str:
    plan = analysis.plan
    named = [f"{plan.id} {plan.version}", f"specification {plan.hash[:12]}"] if plan else [NO_PLAN]
    parts = [*analysis.stamps, "DRAFT", *named, f"data {analysis.data.sha256[:12]}",
             f"doseopt-bayes {metadata.version('doseopt-bayes')}"]  # fmt: skip
    return " · ".join(parts)
