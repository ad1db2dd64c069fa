"""The report as one HTML file that needs no network and runs no script."""

from __future__ import annotations

import base64
from importlib import metadata, resources
from typing import TYPE_CHECKING, Final

from jinja2 import Environment, FunctionLoader, StrictUndefined

from doseopt_bayes.report import tables
from doseopt_bayes.report.manifest import provenance
from doseopt_bayes.report.robustness import robustness
from doseopt_bayes.report.subgroups import APPENDIX, OVERALL, parts

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from doseopt_bayes.analysis import Analysis
    from doseopt_bayes.plan import Plan
    from doseopt_bayes.plots.picture import Picture

__all__ = ["NO_PLAN", "page", "render"]

NO_PLAN: Final = "NOT PRE-SPECIFIED: put together in Python"


def render(
    analysis: Analysis,
    figures: Sequence[tuple[Picture, Path]],
    *,
    stamp: str,
    sections: Sequence[str] = (),
) -> str:
    """Write the report.

    Parameters
    ----------
    analysis
        What is reported; every number comes from it.
    figures
        Pictures and their PNG files, in the order of the report.
    stamp
        Footer of a draft; empty for a final report.
    sections
        Of an analysis with subgroups, the section that each figure belongs to.

    Returns
    -------
    str
        HTML. Every text that comes from data or specification is escaped, and the page's own policy
        forbids scripts and anything from outside.
    """
    plan = analysis.plan
    sentences, sensitivity = robustness(analysis)
    more: dict[str, object] = {}
    if analysis.subgroups:
        more = {"sections": sections, "overall": OVERALL, "appendix": APPENDIX, **parts(analysis)}
    else:
        more = {"ranked": [tables.ranking(analysis), tables.limits(analysis)]}
    return page(
        "subgroups.html.j2" if analysis.subgroups else "report.html.j2",
        figures,
        stamps=analysis.stamps,
        title=plan.title if plan else "Ranked doses",
        question=plan.question if plan else "",
        plan=f"Specification {plan.id}, version {plan.version}" if plan else NO_PLAN,
        data=analysis.data,
        model=analysis.model,
        decision=analysis.decision,
        notes=analysis.posterior.notes,
        roles=_roles(plan),
        observed=[tables.disposition(analysis), tables.observed(analysis)],
        prior=tables.prior(analysis),
        parameters=tables.parameters(analysis),
        checks=tables.diagnostics(analysis),
        sentences=sentences,
        sensitivity=sensitivity,
        provenance=provenance(analysis),
        version=metadata.version("doseopt-bayes"),
        stamp=stamp,
        **more,
    )


def page(template: str, figures: Sequence[tuple[Picture, Path]], **parts: object) -> str:
    """Fill a template of this package, with its figures inside the page."""
    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        loader=FunctionLoader(_source),
    )
    images = [
        {
            "number": number,
            "name": path.stem.partition("-")[2],
            "title": picture.title,
            "caption": picture.caption,
            "data": base64.b64encode(path.read_bytes()).decode("ascii"),
        }
        for number, (picture, path) in enumerate(figures, start=1)
    ]
    return environment.get_template(template).render(figures=images, **parts)


def _source(name: str) -> str:
    return resources.files("doseopt_bayes.report").joinpath(name).read_text(encoding="utf-8")


def _roles(plan: Plan | None) -> str:
    """Say which column was read as what: exchanged columns are seen here first."""
    if plan is None or plan.columns is None:
        return "The data were handed over as checked trial data."
    ends = plan.columns.endpoint_columns.items()
    said = [f"{end} from column '{column}'" for end, column in ends]
    said += [f"{group} from column '{column}'" for group, column in plan.columns.groups.items()]
    read = f"Read as: dose from column '{plan.columns.dose}', {', '.join(said)}."
    meant = [f"{end}: {words}" for end, words in plan.endpoints.items()]
    return f"{read} {'; '.join(meant)}." if meant else read
