"""A drawn figure with the numbers that it shows and the words that explain it."""

from __future__ import annotations

import base64
import html
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

from doseopt_bayes.decision.implied import UtilityPreview, preview_utility
from doseopt_bayes.errors import DoseOptError, did_you_mean
from doseopt_bayes.plots import FIGURES, style
from doseopt_bayes.plots.design import caption_design, data_design, draw_design
from doseopt_bayes.plots.history import caption_history, draw_history
from doseopt_bayes.plots.implied import caption_implied, draw_implied
from doseopt_bayes.plots.prior import data_draws

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure as Canvas

    from doseopt_bayes.analysis import Analysis
    from doseopt_bayes.decision.utility import Utility
    from doseopt_bayes.design.characteristics import Characteristics

__all__ = [
    "Picture",
    "figure",
    "figure_design",
    "figure_history",
    "figure_prior",
    "figure_utility",
]


@dataclass(frozen=True, eq=False)
class Picture:
    """One figure of an analysis; a notebook shows it with its caption.

    Parameters
    ----------
    title, caption
        What it shows, and what every mark means.
    figure
        Matplotlib figure.
    data
        Exactly the plotted numbers.
    """

    title: str
    caption: str
    figure: Canvas
    data: xr.Dataset

    def _repr_html_(self) -> str:
        buffer = io.BytesIO()
        with style.styled():
            self.figure.savefig(buffer, format="png", dpi=150)
        image = base64.b64encode(buffer.getvalue()).decode("ascii")
        return (
            f'<figure><img style="max-width:100%" alt="{html.escape(self.title)}" '
            f'src="data:image/png;base64,{image}">'
            f"<figcaption><b>{html.escape(self.title)}.</b> {html.escape(self.caption)}"
            "</figcaption></figure>"
        )


def figure(analysis: Analysis, name: str) -> Picture:
    """Draw one figure of an analysis, with its numbers and its caption.

    Parameters
    ----------
    analysis
        A finished analysis.
    name
        For example ``"curve"``, ``"tradeoff"``, ``"cui"``, ``"ranking"``; all names: ``FIGURES``.

    Raises
    ------
    DoseOptError
        On an unknown name, or a figure that has no meaning for this analysis.
    """
    if name not in FIGURES:
        raise DoseOptError(f"there is no figure '{name}'", hint=did_you_mean(name, list(FIGURES)))
    kind = FIGURES[name]
    if not kind.applies(analysis):
        fitting = [n for n, f in FIGURES.items() if f.applies(analysis)]
        raise DoseOptError(
            f"figure '{name}' does not apply to this analysis",
            hint=f"these do: {', '.join(fitting)}",
        )
    numbers = kind.data(analysis)
    return Picture(kind.title, kind.words(numbers), kind.drawing(numbers), numbers)


def figure_prior(tree: xr.DataTree) -> Picture:
    """Draw what priors say about every endpoint at every dose, before any data.

    Parameters
    ----------
    tree
        Result of :func:`~doseopt_bayes.inference.prior.sample_prior`.

    Returns
    -------
    Picture
        The figure ``"prior"`` of an analysis.
    """
    kind = FIGURES["prior"]
    numbers = data_draws(tree.children["prior"].to_dataset(), str(tree.attrs.get("unit", "")))
    return Picture(kind.title, kind.words(numbers), kind.drawing(numbers), numbers)


def figure_design(found: Characteristics) -> Picture:
    """Draw which dose simulated trials select, and how they allocate patients, by scenario.

    Parameters
    ----------
    found
        Result of :func:`~doseopt_bayes.design.characteristics.characteristics`.
    """
    numbers = data_design(found)
    title = "Selected dose and allocation of patients under each scenario"
    return Picture(title, caption_design(numbers), draw_design(numbers), numbers)


def figure_history(data: xr.Dataset) -> Picture:
    """Draw how utility and ranking moved from interim to interim.

    Parameters
    ----------
    data
        Result of :func:`~doseopt_bayes.report.history.history`.
    """
    title = "How the ranking moved from interim to interim"
    return Picture(title, caption_history(data), draw_history(data), data)


def figure_utility(utility: Utility | UtilityPreview) -> Picture:
    """Draw what a utility implies in the benefit-risk plane, before any data.

    Parameters
    ----------
    utility
        A utility, or the :func:`~doseopt_bayes.decision.implied.preview_utility` of one, which says
        the reference, the toxicities and where other variables are held.

    Returns
    -------
    Picture
        Lines of equal utility and the indifference points; ``data`` is the table of the preview.

    Raises
    ------
    DoseOptError
        As :func:`~doseopt_bayes.decision.implied.preview_utility` does.

    Examples
    --------
    >>> from doseopt_bayes.decision.utility import LpContour
    >>> picture = figure_utility(LpContour(eff0=0.5, tox1=0.65, hinge=(0.7, 0.25)))
    >>> round(float(picture.data["needed"].sel(tox=0.3)), 3)
    0.739
    """
    seen = utility if isinstance(utility, UtilityPreview) else preview_utility(utility)
    title = "What the utility implies, before any data"
    return Picture(title, caption_implied(seen.table), draw_implied(seen.table), seen.table)
