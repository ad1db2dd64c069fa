"""Tables of an exposure-response analysis that come from its predictions, its ledger and its fit."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from doseopt_bayes import names
from doseopt_bayes.decision import prose
from doseopt_bayes.models.joint_exposure import ASSOCIATION, JointExposureResponse
from doseopt_bayes.prediction.request import curves
from doseopt_bayes.report import tables
from doseopt_bayes.report.exposure_tables import parameter_table
from doseopt_bayes.report.tables import Table

if TYPE_CHECKING:
    import xarray as xr

    from doseopt_bayes.decision.decide import Decision
    from doseopt_bayes.exposure_analysis import ExposureAnalysis
    from doseopt_bayes.inference.posterior import Posterior
    from doseopt_bayes.prediction.parts import Part

__all__ = ["by_dose", "checks", "disposition", "headline", "parameters", "ranked", "text_answer"]


@dataclass(frozen=True)
class _Unit:
    unit: str


@dataclass(frozen=True)
class _Ranked:
    """What the tables of ranked doses read."""

    posterior: Posterior
    decision: Decision
    data: _Unit


def ranked(analysis: ExposureAnalysis) -> list[Table]:
    """Ranked doses and admissibility; nothing without a utility."""
    if analysis.decision is None or analysis.predicted is None:
        return []
    shown: Any = _Ranked(analysis.predicted, analysis.decision, _Unit(analysis.data.dose_unit))
    return [tables.ranking(shown), tables.limits(shown)]


def headline(analysis: ExposureAnalysis) -> str:
    """Say what kind of answer this is when no dose is ranked."""
    if analysis.predicted is None:
        return "No candidate dose was asked for: the answer is the curve."
    return (
        "No dose is recommended: the specification gives no utility. The answer is the curve and the "
        "response expected at each dose."
    )


def by_dose(analysis: ExposureAnalysis) -> list[Table]:
    """Expected response at each candidate dose, with the probability of exceeding the limit."""
    found, asked = analysis.predicted, analysis.prediction
    if found is None or asked is None:
        return []
    about = found.tree["regimens"].to_dataset()
    rows = []
    limited = _limited(analysis)
    for j, label in enumerate(about["label"].to_numpy().tolist()):
        here, n = about.isel({names.DOSE: j}), int(about[names.N_TREATED][j])
        row = [label, f"{n}" if n else "0 (untested: predicted)"]
        row += [_exposure(here[v]) for v in _metrics(about)]
        for part in analysis.parts:
            x = found[part.variable].isel({names.DOSE: j})
            row.append(_estimate(found, x, share=part.recipe.response.kind == "binary"))
            if part.variable == limited and asked.limit is not None:
                over = x > asked.limit
                p, error = float(found.prob(over)), float(found.mcse(over))
                row.append(f"{prose.probability(p)} ± {prose.error(error)}")
            outside = float(here[f"{part.variable}_below"] + here[f"{part.variable}_above"])
            row.append(f"{outside:.1%}")
        rows.append(tuple(row))
    heads = ["Dose", "Patients"]
    heads += [f"{v.removeprefix('exposure_')} median (5 % to 95 %)" for v in _metrics(about)]
    for part in analysis.parts:
        heads.append(part.variable)
        heads += [f"Pr({part.variable} > {asked.limit:g})"] * (part.variable == limited)
        heads.append("People outside the exposures studied")
    note = (
        f"Posterior mean ± Monte Carlo standard error (equal-tailed 95 % credible interval), from "
        f"{found.n_draws} draws; people are averaged inside each draw. People outside: share of them "
        "whose exposure lies below or above every one in the data, where the curve is extrapolated."
    )
    return [Table("Expected response by dose", tuple(heads), tuple(rows), note)]


def _limited(analysis: ExposureAnalysis) -> str:
    """Return the variable whose exceeding the limit is asked for."""
    if analysis.prediction is None or analysis.prediction.limit is None:
        return ""
    parts = {part.name: part.variable for part in analysis.parts}
    return parts.get(names.TOX, next(iter(parts.values())))


def _metrics(about: xr.Dataset) -> list[str]:
    return [str(v) for v in about.data_vars if str(v).startswith("exposure_")]


def _exposure(x: xr.DataArray) -> str:
    low, mid, high = (float(x.sel(quantile=q, method="nearest")) for q in (0.05, 0.5, 0.95))
    return f"{mid:.4g} ({low:.4g} to {high:.4g})"


def _estimate(post: Posterior, x: xr.DataArray, *, share: bool) -> str:
    mean, error = float(post.expect(x)), float(post.mcse(x))
    low, high = (float(post.quantile(x, q)) for q in (0.025, 0.975))

    def written(v: float) -> str:
        return prose.probability(v) if share else prose.value(v, error)

    return f"{written(mean)} ± {prose.error(error)} ({written(low)} to {written(high)})"


def disposition(analysis: ExposureAnalysis) -> Table:
    """T1: patients read, analysed and excluded by each rule, for what the curves read."""
    frame = analysis.data.disposition
    wanted = {(c.endpoint, c.exposure) for c in curves(analysis.model).values()}
    used = frame[
        [pair in wanted for pair in zip(frame["endpoint"], frame["exposure"], strict=True)]
    ]
    rows = tuple(
        tuple(f"{x:g}" if isinstance(x, int | float | np.number) else str(x) for x in row)
        for row in used.itertuples(index=False)
    )
    unit = analysis.data.dose_unit
    heads = {"endpoint": "Endpoint", "exposure": "Exposure", "dose": f"Dose ({unit})",
             "read": "Read", "analysed": "Analysed"}  # fmt: skip
    columns = tuple(heads.get(str(c), f"Excluded: {c}") for c in used.columns)
    out = used[[c for c in used.columns if c not in heads]].to_numpy().sum()
    note = f"Read = analysed + excluded, in every row. Excluded over all rows: {int(out)}."
    return Table("Disposition of patients", columns, rows, note)


def parameters(analysis: ExposureAnalysis) -> list[Table]:
    """T4 of each curve, and the association of a joint model."""
    ends = analysis.data.endpoints
    found = [
        parameter_table(p.recipe, _own(p, analysis), endpoint_unit=ends[p.recipe.endpoint].unit)
        for p in analysis.parts
    ]
    if not isinstance(analysis.model, JointExposureResponse):
        return found
    post = analysis.posterior
    x = post[ASSOCIATION]
    row = (ASSOCIATION, str(analysis.model.association), _estimate(post, x, share=False))
    columns = ("Parameter", "Prior", "Posterior mean ± MCSE (95 % interval)")
    note = "Of the two outcomes of one patient, given the exposures; 0 is independence."
    return [*found, Table("Association", columns, (row,), note)]


def _own(part: Part, analysis: ExposureAnalysis) -> Posterior:
    """Give a curve of a joint model the diagnostics of its own parameters under their plain names."""
    if not isinstance(analysis.model, JointExposureResponse):
        return part.posterior
    whole = analysis.posterior.diagnostics
    start = f"{part.name}_"
    called = [str(q) for q in whole.table["quantity"].to_numpy()]
    mine = [q for q in called if q.startswith(start)]
    table = whole.table.sel(quantity=mine)
    table = table.assign_coords(quantity=[q.removeprefix(start) for q in mine])
    return replace(part.posterior, diagnostics=replace(whole, table=table))


def checks(analysis: ExposureAnalysis) -> Table:
    """Every condition of the gate."""
    rows = [
        (c.name, c.measured, c.limit, "pass" if c.passed else "FAIL")
        for c in analysis.posterior.diagnostics.checks
    ]
    columns = ("Check", "Measured", "Limit", "Verdict")
    note = "Over every free parameter."
    return Table("Sampler diagnostics", columns, tuple(rows), note)


def text_answer(analysis: ExposureAnalysis) -> str:
    """Return what the command line prints: stamps, doses as fixed-width text, and the sentences."""
    lines = list(analysis.stamps)
    if analysis.decision is not None:
        lines += [analysis.decision.text_table, ""]
    for table in by_dose(analysis):
        rows = [table.columns, *table.rows]
        widths = [max(len(row[i]) for row in rows) for i in range(len(table.columns))]
        lines += [
            "  ".join(c.ljust(w) for c, w in zip(r, widths, strict=True)).rstrip() for r in rows
        ]
        lines.append("")
    if analysis.decision is None:
        lines.append(headline(analysis))
    return "\n".join([*lines, *analysis.sentences])
