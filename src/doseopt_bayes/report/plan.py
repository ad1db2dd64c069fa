"""Everything that a plan of randomised arms leaves in its results folder."""

from __future__ import annotations

import platform
from importlib import metadata
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from doseopt_bayes.planning.rule import KeepsMargins
from doseopt_bayes.planning.tabulated import margin_boundaries
from doseopt_bayes.plots.arms_choice import figure_plan
from doseopt_bayes.report import plan_tables as tables
from doseopt_bayes.report.folder import results_folder
from doseopt_bayes.report.html import page
from doseopt_bayes.report.manifest import PLAN

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import xarray as xr

    from doseopt_bayes.arms.margin import Margin
    from doseopt_bayes.planning.plan import ArmPlan
    from doseopt_bayes.plots.picture import Picture
    from doseopt_bayes.spec.arms_plan import PlanSpec

    type Limits = tuple[tuple[Margin, xr.Dataset], ...]

__all__ = ["save_plan", "suggested_size"]

VERSIONS: Final = ("numpy", "scipy", "xarray")


def save_plan(
    spec: PlanSpec, found: ArmPlan, folder: str | Path, *, text: str = "", draft: bool = True
) -> dict[str, Path]:
    """Write report.html, figures/, plan.txt, tables (.csv), spec.toml and manifest.json.

    Parameters
    ----------
    spec
        The plan as it was pre-specified.
    found
        What its simulated trials did, ``spec.run()``.
    folder
        Results folder; made when it does not exist.
    text
        What the command printed, kept as plan.txt; by default the sentences of `found`.
    draft
        Whether figure and report carry the footer stamp and the word DRAFT.

    Returns
    -------
    dict
        ``report``, ``figures`` (folder), ``table`` and ``manifest``.

    Raises
    ------
    ResultsError
        When another run holds the folder, it holds other results, or a file cannot be written.
    """
    stamp = _stamp(spec) if draft else ""
    limits = _margin_limits(spec, found)
    made_by = _provenance(spec, found)
    with results_folder(folder, PLAN) as held:
        held.draw("plan", figure_plan(found), stamp)
        page_text = _render(spec, found, limits, held.pictures, made_by, stamp)
        report = held.write("report.html", page_text.encode())
        held.write("plan.txt", f"{text or found}\n".encode())
        for name, frame in _frames(spec, found, limits):
            content = frame.to_csv(index=False, lineterminator="\n")
            table = held.write(f"{name}.csv", content.encode())
        held.copy(spec.file, "spec.toml")
        manifest = held.seal({"kind": PLAN, "made_by": made_by})
    return {"report": report, "figures": held.figures, "table": table.with_name("plan.csv"),
            "manifest": manifest}  # fmt: skip


def suggested_size(found: ArmPlan) -> int:
    """Return the largest size that a scenario needs; the largest that was tried where one is open.

    Examples
    --------
    >>> import xarray as xr
    >>> from doseopt_bayes.planning.plan import ArmPlan
    >>> table = xr.Dataset({"needed": ("scenario", [20.0, 40.0])}, coords={"size": [20, 40, 60]})
    >>> suggested_size(ArmPlan(table, ()))
    40
    """
    needed = found.table["needed"].to_numpy()
    return int(found.table["size"].max() if np.isnan(needed).any() else needed.max())


def _margin_limits(spec: PlanSpec, found: ArmPlan) -> Limits:
    """Return the whole numbers of each margin of the rule, at the size that the plan asks for."""
    rule = spec.rule
    if not isinstance(rule, KeepsMargins):
        return ()
    if rule.joint or "ratio" in found.table.attrs:
        return ()  # no table of two numbers says what all margins at once, or unequal arms, need
    n = suggested_size(found)
    return tuple(
        (m, margin_boundaries(m, n, certainty=rule.certainty, patients=rule.patients))
        for m in rule.margins
    )


def _frames(spec: PlanSpec, found: ArmPlan, limits: Limits) -> Iterator[tuple[str, pd.DataFrame]]:
    yield "plan", found.to_frame()
    selected = found.table[["selected", "selected_mcse"]].to_dataframe().reset_index()
    yield "selected", selected
    if spec.boundaries:
        parts = [
            boundaries.to_frame().assign(endpoint=end, rule=boundaries.rule)
            for end, boundaries in spec.boundaries
        ]
        yield "boundaries", pd.concat(parts, ignore_index=True)
        exact = [
            boundaries.operating(tables.rates_of(spec, end))
            .to_dataframe()
            .reset_index()
            .assign(endpoint=end, rule=boundaries.rule)
            for end, boundaries in spec.boundaries
        ]
        yield "boundaries_exact", pd.concat(exact, ignore_index=True)
    if limits:
        parts = [
            x.to_dataframe().reset_index().assign(margin=str(m), patients_per_arm=x.attrs["n"])
            for m, x in limits
        ]
        yield "margin_boundaries", pd.concat(parts, ignore_index=True)


def _provenance(spec: PlanSpec, found: ArmPlan) -> dict[str, str]:
    a = found.table.attrs
    return {
        "specification": f"{spec.id} {spec.version} ({spec.file.name})",
        "specification_sha256": spec.hash,
        "rule": str(a["rule"]),
        "trials": f"{a['n_trials']:,} of each scenario and size, seed {a['seed']}",
        "python": platform.python_version(),
        **{p: metadata.version(p) for p in ("doseopt-bayes", *VERSIONS)},
    }


def _stamp(spec: PlanSpec) -> str:
    parts = ["DRAFT", f"{spec.id} {spec.version}", f"specification {spec.hash[:12]}",
             f"doseopt-bayes {metadata.version('doseopt-bayes')}"]  # fmt: skip
    return " · ".join(parts)


def _render(
    spec: PlanSpec,
    found: ArmPlan,
    limits: Limits,
    figures: Sequence[tuple[Picture, Path]],
    made_by: dict[str, str],
    stamp: str,
) -> str:
    headline, state = tables.answer(found)
    rule, *scenarios = found.sentences
    parts: dict[str, Any] = {
        "title": spec.title or "Patients per arm",
        "question": spec.question,
        "plan": f"Specification {spec.id}, version {spec.version}",
        "headline": headline,
        "state": state,
        "rule": rule,
        "scenarios": scenarios,
        "glance": tables.glance(found),
        "truths": tables.truths(found),
        "sizes": tables.sizes(found),
        "selected": tables.selected(found),
        "boundaries": [
            [tables.boundary(end, b), tables.exact(spec, end, b)] for end, b in spec.boundaries
        ],
        "margins": [tables.margin_limits(m, x) for m, x in limits],
        "provenance": made_by,
        "version": metadata.version("doseopt-bayes"),
        "stamp": stamp,
    }
    return page("plan.html.j2", figures, **parts)
