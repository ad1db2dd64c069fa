"""Everything that a finished analysis leaves in its results folder."""

from __future__ import annotations

import tempfile
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import xarray as xr

from doseopt_bayes import names
from doseopt_bayes.files import write_whole
from doseopt_bayes.plots import FIGURES, style
from doseopt_bayes.plots.picture import Picture, figure
from doseopt_bayes.report.html import NO_PLAN, render
from doseopt_bayes.report.manifest import listed_files, write_manifest

if TYPE_CHECKING:
    from doseopt_bayes.analysis import Analysis

__all__ = ["results_tree", "save"]


def save(analysis: Analysis, folder: str | Path, *, draft: bool = True) -> dict[str, Path]:
    """Write report.html, figures/, decision.csv, results.nc, spec.toml and manifest.json.

    Parameters
    ----------
    analysis
        A finished analysis.
    folder
        Results folder; made when it does not exist.
    draft
        Whether figures and report carry the footer stamp and the word DRAFT.

    Returns
    -------
    dict
        ``report``, ``figures`` (folder), ``table``, ``results`` and ``manifest``.
    """
    folder = Path(folder)
    drawn = folder / "figures"
    drawn.mkdir(parents=True, exist_ok=True)
    before = listed_files(folder)
    stamp = _stamp(analysis) if draft else ""
    footer = stamp or "; ".join(analysis.decision.stamps)  # these stay on a final figure too
    pictures: list[tuple[Picture, Path]] = []
    files: list[Path] = []
    for name, kind in FIGURES.items():
        if kind.applies(analysis):
            picture = figure(analysis, name)
            if footer:
                style.stamp(picture.figure, footer)
            saved = style.save(picture.figure, drawn / f"{len(pictures) + 1:02d}-{name}")
            files += saved
            pictures.append((picture, saved[0]))
    report = write_whole(folder / "report.html", render(analysis, pictures, stamp=stamp).encode())
    table = write_whole(folder / "decision.csv", _csv(analysis).encode())
    results = write_whole(folder / "results.nc", _netcdf(results_tree(analysis)))
    files += [report, table, results]
    if analysis.plan is not None and analysis.plan.file.is_file():
        files.append(write_whole(folder / "spec.toml", analysis.plan.file.read_bytes()))
    for old in before - set(files):
        old.unlink(missing_ok=True)  # of an earlier run, and of no meaning for this one
    manifest = write_manifest(analysis, folder, files)
    return {"report": report, "figures": drawn, "table": table, "results": results,
            "manifest": manifest}  # fmt: skip


def results_tree(analysis: Analysis) -> xr.DataTree:
    """Join posterior, utility and decision in one DataTree.

    Returns
    -------
    xarray.DataTree
        The posterior's groups, ``utility`` (``u`` over chain, draw, dose) and ``decision`` (its
        table); the attributes carry the answer in words, versions, seed and hashes.
    """
    post, decision = analysis.posterior, analysis.decision
    tree = post.tree.copy()
    reads = {name: post[name] for name in decision.utility.reads}
    tree["utility"] = xr.DataTree(xr.Dataset({"u": decision.utility(reads)}))
    table = decision.table.assign(
        recommended=decision.recommended, leading=decision.leading, status=decision.status
    )
    tree["decision"] = xr.DataTree(table)
    if analysis.plan is not None:
        tree.attrs.update(
            spec_id=analysis.plan.id,
            spec_version=analysis.plan.version,
            spec_sha256=analysis.plan.hash,
        )
    tree.attrs.update(
        answer=decision.text, stamps="\n".join(decision.stamps), notes="\n".join(post.notes)
    )
    return tree


def _netcdf(tree: xr.DataTree) -> bytes:
    for node in tree.subtree:
        node.attrs.pop("created_at", None)  # a clock in the file would make every rerun differ
        node.dataset = node.to_dataset().map(_storable, keep_attrs=True)
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "results.nc"
        tree.to_netcdf(path, engine="h5netcdf")
        return path.read_bytes()


def _storable(x: xr.DataArray) -> xr.DataArray:
    return x.astype("int8") if x.dtype == bool else x


def _csv(analysis: Analysis) -> str:
    frame = analysis.decision.to_frame()
    frame.index.name = f"dose_{analysis.data.unit}" if analysis.data.unit else names.DOSE
    text: str = frame.to_csv(lineterminator="\n")
    return text


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
