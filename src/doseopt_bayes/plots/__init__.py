"""Figures: each a dataset of the plotted numbers, a drawing of that dataset, and its caption."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from doseopt_bayes.plots import (
    acceptability,
    borrowing,
    cui,
    curve,
    energy,
    forest,
    obd_map,
    posterior,
    prior,
    ranking,
    sampler,
    sensitivity,
    small_multiples,
    tradeoff,
)
from doseopt_bayes.plots.subgroups import has_groups

if TYPE_CHECKING:
    from collections.abc import Callable

    import xarray as xr
    from matplotlib import figure as mpl

    from doseopt_bayes.analysis import Analysis

__all__ = ["FIGURES", "Figure"]


def _always(analysis: Analysis) -> bool:  # noqa: ARG001  (the signature of all such questions)
    return True


@dataclass(frozen=True)
class Figure:
    """One kind of figure. Drawing and caption read nothing but its data.

    Parameters
    ----------
    name
        Name of the file and of the figure in a report.
    title
        Title in words; the report numbers it.
    data
        From an analysis to exactly the numbers that are drawn.
    drawing, words
        From those numbers to the figure and to its caption.
    applies
        Whether the figure has a meaning for an analysis.
    """

    name: str
    title: str
    data: Callable[[Analysis], xr.Dataset]
    drawing: Callable[[xr.Dataset], mpl.Figure]
    words: Callable[[xr.Dataset], str]
    applies: Callable[[Analysis], bool] = _always

    def draw(self, analysis: Analysis) -> mpl.Figure:
        """Draw it; save with :func:`doseopt_bayes.plots.style.save`."""
        return self.drawing(self.data(analysis))

    def caption(self, analysis: Analysis) -> str:
        """Say what every mark is, which intervals, how many patients, and what is untried."""
        return self.words(self.data(analysis))


def _is_cui(analysis: Analysis) -> bool:
    return cui.applies(analysis.decision)


def _of_one_group(applies: Callable[[Analysis], bool] = _always) -> Callable[[Analysis], bool]:
    """Return the same question for a figure of one group: several are drawn one by one."""
    return lambda analysis: not has_groups(analysis) and applies(analysis)


_ALL: Final = (
    Figure(
        "obd_map",
        "Optimal dose by subgroup",
        obd_map.data_map,
        obd_map.draw_map,
        obd_map.caption_map,
        obd_map.has_map,
    ),
    Figure(
        "subgroup_curves",
        "Probability of each endpoint by dose and subgroup",
        small_multiples.data_multiples,
        small_multiples.draw_multiples,
        small_multiples.caption_multiples,
        small_multiples.has_multiples,
    ),
    Figure(
        "subgroup_forest",
        "Observed and pooled estimates by subgroup and dose",
        forest.data_forest,
        forest.draw_forest,
        forest.caption_forest,
        forest.has_forest,
    ),
    Figure(
        "borrowing",
        "Patients of each subgroup's own and borrowed from the others",
        borrowing.data_borrowing,
        borrowing.draw_borrowing,
        borrowing.caption_borrowing,
        borrowing.has_borrowing,
    ),
    Figure(
        "curve",
        "Probability of each endpoint by dose",
        curve.data_curve,
        curve.draw_curve,
        curve.caption_curve,
        _of_one_group(curve.has_curve),
    ),
    Figure(
        "tradeoff",
        "Benefit-risk plane",
        tradeoff.data_tradeoff,
        tradeoff.draw_tradeoff,
        tradeoff.caption_tradeoff,
        _of_one_group(tradeoff.has_plane),
    ),
    Figure(
        "cui",
        "Clinical Utility Index by dose and attribute",
        cui.data_cui,
        cui.draw_cui,
        cui.caption_cui,
        _of_one_group(_is_cui),
    ),
    Figure(
        "ranking",
        "Utility and probability of being the optimal dose",
        ranking.data_ranking,
        ranking.draw_ranking,
        ranking.caption_ranking,
        _of_one_group(),
    ),
    Figure(
        "acceptability",
        "Probability of each rank and of each pair of doses",
        acceptability.data_acceptability,
        acceptability.draw_acceptability,
        acceptability.caption_acceptability,
        _of_one_group(),
    ),
    Figure(
        "sensitivity",
        "What would change the leading dose",
        sensitivity.data_sensitivity,
        sensitivity.draw_sensitivity,
        sensitivity.caption_sensitivity,
        _of_one_group(sensitivity.has_sensitivity),
    ),
    Figure(
        "prior",
        "Prior of each endpoint by dose",
        prior.data_prior,
        prior.draw_prior,
        prior.caption_prior,
        _of_one_group(prior.has_prior),
    ),
    Figure(
        "prior_posterior",
        "Prior and posterior of each parameter",
        posterior.data_prior_posterior,
        posterior.draw_prior_posterior,
        posterior.caption_prior_posterior,
        posterior.has_parameters_prior,
    ),
    Figure(
        "rank",
        "Rank plots of the chains",
        sampler.data_sampler,
        sampler.draw_rank,
        sampler.caption_rank,
    ),
    Figure(
        "trace",
        "Traces of the chains",
        sampler.data_sampler,
        sampler.draw_trace,
        sampler.caption_trace,
    ),
    Figure(
        "energy",
        "Energy of the sampler",
        sampler.data_sampler,
        energy.draw_energy,
        energy.caption_energy,
        energy.has_energy,
    ),
    Figure(
        "ess",
        "Effective sample size by number of draws",
        sampler.data_sampler,
        sampler.draw_ess,
        sampler.caption_ess,
    ),
)
FIGURES: Final[dict[str, Figure]] = {f.name: f for f in _ALL}
"""Every figure by its name, in the order of a report; a new one is one entry above."""
