"""The report as one HTML file that needs no network and runs no script."""

from __future__ import annotations

import base64
from importlib import metadata, resources
from typing import TYPE_CHECKING

from jinja2 import Environment, StrictUndefined

from doseopt_bayes.report import tables
from doseopt_bayes.report.manifest import provenance

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from doseopt_bayes.analysis import Analysis

__all__ = ["render"]


def render(analysis: Analysis, figures: Mapping[str, tuple[str, str, Path]], *, draft: bool) -> str:
    """Write the report.

    Parameters
    ----------
    analysis
        What is reported; every number comes from it.
    figures
        Name to (title, caption, PNG file), in the order of the report.
    draft
        Whether the report carries the word DRAFT and its footer stamp.

    Returns
    -------
    str
        HTML. Every text that comes from data or specification is escaped, and the page's own policy
        forbids scripts and anything from outside.
    """
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    source = resources.files("doseopt_bayes.report").joinpath("report.html.j2")
    template = environment.from_string(source.read_text(encoding="utf-8"))
    images = [
        {
            "number": i,
            "title": title,
            "caption": caption,
            "data": base64.b64encode(path.read_bytes()).decode("ascii"),
        }
        for i, (title, caption, path) in enumerate(figures.values(), start=1)
    ]
    return template.render(
        spec=analysis.spec,
        data=analysis.data,
        decision=analysis.decision,
        notes=analysis.posterior.notes,
        model_name=str(analysis.spec.model).split(":")[0],
        roles=_roles(analysis),
        ranked=[tables.ranking(analysis), tables.limits(analysis)],
        observed=[tables.disposition(analysis), tables.observed(analysis)],
        prior=tables.prior(analysis),
        fitted=[tables.parameters(analysis)],
        checks=tables.diagnostics(analysis),
        figures=images,
        provenance=provenance(analysis),
        version=metadata.version("doseopt-bayes"),
        draft=draft,
    )


def _roles(analysis: Analysis) -> str:
    """Say which column was read as what: exchanged columns are seen here first."""
    columns = analysis.spec.columns
    if columns is None:
        return "The data were handed over as counted trial data."
    said = [f"{end} from column '{column}'" for end, column in columns.endpoint_columns.items()]
    return f"Read as: dose from column '{columns.dose}', {', '.join(said)}."
