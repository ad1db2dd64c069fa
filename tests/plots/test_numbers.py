"""Drawn artists carry exactly the numbers of the dataset, which are those of the decision (H09)."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import beta

from doseopt_bayes.plots import FIGURES, cui, curve, prior, ranking, tradeoff


def marks(axes) -> dict[str, object]:
    return {a.get_gid(): a for a in axes.get_children() if a.get_gid()}


def test_curve_draws_the_decision(analysis):
    data, table = curve.data_curve(analysis), analysis.decision.table
    for variable in ("p_eff", "p_tox"):
        drawn = marks(curve.plot_curve(data, variable=variable))
        for dose in table["dose"].to_numpy():
            row = table.sel(dose=dose)
            assert drawn[f"mean:{dose:g}"].get_xydata().tolist() == [[dose, float(row[variable])]]
            bar = drawn[f"interval:{dose:g}"].get_ydata()
            assert list(bar) == [float(row[f"{variable}_low"]), float(row[f"{variable}_high"])]
        limit = {"p_eff": 0.2, "p_tox": 0.35}[variable]
        assert list(drawn["limit"].get_ydata()) == [limit, limit]


def test_curve_draws_exact_intervals_where_patients_were_analysed(analysis):
    drawn = marks(curve.plot_curve(curve.data_curve(analysis), variable="p_eff"))
    low, high = drawn["observed_interval:10"].get_ydata()
    assert np.allclose([low, high], [beta.ppf(0.025, 1, 3), beta.ppf(0.975, 2, 2)])
    assert drawn["observed:10"].get_ydata() == pytest.approx([1 / 3])
    assert "observed:40" not in drawn


def test_untried_doses_are_hollow(analysis):
    drawn = marks(curve.plot_curve(curve.data_curve(analysis), variable="p_tox"))
    assert drawn["mean:40"].get_markerfacecolor() == "white"
    assert drawn["mean:20"].get_markerfacecolor() == drawn["mean:20"].get_markeredgecolor()


def test_tradeoff_draws_means_intervals_and_thinned_draws(analysis):
    data, table = tradeoff.data_tradeoff(analysis), analysis.decision.table
    axes = tradeoff.plot_tradeoff(data)
    drawn = marks(axes)
    for i, dose in enumerate(table["dose"].to_numpy()):
        row = table.sel(dose=dose)
        x, y = float(row["p_eff"]), float(row["p_tox"])
        assert drawn[f"mean:{dose:g}"].get_xydata().tolist() == [[x, y]]
        ends = [float(row["p_eff_low"]), float(row["p_eff_high"])]
        assert list(drawn[f"interval_eff:{dose:g}"].get_xdata()) == ends
        points = drawn[f"cloud:{dose:g}"].get_xydata()
        first = analysis.posterior["p_eff"].isel(chain=0, draw=0, dose=i)
        assert points[0, 0] == float(first)
        assert len(points) == tradeoff.POINTS


def test_tradeoff_contours_are_the_utility(analysis):
    contour = tradeoff.data_tradeoff(analysis)["contour"]
    at = contour.isel(eff_axis=30, tox_axis=40)
    given = {"p_eff": at["eff_axis"], "p_tox": at["tox_axis"]}
    assert float(at) == pytest.approx(float(analysis.decision.utility(given)))


def test_ranking_draws_the_decision(analysis):
    data, table = ranking.data_ranking(analysis), analysis.decision.table
    utility, obd = marks(ranking.plot_utility(data)), ranking.plot_obd(data)
    bars = {p.get_gid(): p.get_width() for p in obd.patches if p.get_gid()}
    for dose in table["dose"].to_numpy():
        row = table.sel(dose=dose)
        assert list(utility[f"mean:{dose:g}"].get_xdata()) == [float(row["utility"])]
        assert list(utility[f"plug_in:{dose:g}"].get_xdata()) == [float(row["utility_of_means"])]
        for name in ("prob_obd", "prob_obd_admissible"):
            if bool(row["admissible"]):
                assert bars[f"{name}:{dose:g}"] == pytest.approx(float(row[name]), abs=1e-12)


def test_cui_segments_add_up_to_the_index(indexed):
    data, table = cui.data_cui(indexed), indexed.decision.table
    axes = cui.plot_cui(data)
    for dose in table["dose"].to_numpy():
        row = table.sel(dose=dose)
        parts = [p.get_width() for p in axes.patches if f":{dose:g}:" in (p.get_gid() or "")]
        assert len(parts) == 2
        assert sum(parts) == pytest.approx(float(row["utility"]), abs=1e-12)
        drawn = marks(axes)[f"interval:{dose:g}"]
        assert list(drawn.get_xdata()) == [float(row["utility_low"]), float(row["utility_high"])]


def test_prior_draws_quantiles_of_the_prior(analysis):
    drawn = marks(prior.plot_prior(prior.data_prior(analysis), variable="p_tox"))
    draws = analysis.posterior.tree["prior"]["p_tox"].sel(dose=20).to_numpy().ravel()
    assert drawn["median:20"].get_ydata() == pytest.approx([np.median(draws)])
    assert drawn["interval:20"].get_ydata() == pytest.approx(np.quantile(draws, [0.025, 0.975]))


def test_prior_posterior_summaries_are_drawn(analysis):
    data = FIGURES["prior_posterior"].data(analysis)
    figure = FIGURES["prior_posterior"].drawing(data)
    drawn = {k: v for ax in figure.axes for k, v in marks(ax).items()}
    for group in ("prior", "posterior"):
        at = data.sel(group=group, parameter="tox_slope")
        bar = drawn[f"interval:{group}:tox_slope"].get_xdata()
        assert list(bar) == [float(at["low"]), float(at["high"])]
    assert float(data["sd_ratio"].sel(parameter="tox_slope")) == pytest.approx(1, abs=0.1)


def test_sampler_numbers_are_those_of_the_gate(analysis):
    data = FIGURES["ess"].data(analysis)
    table = analysis.posterior.diagnostics.table
    rhat = float(table.sel(quantity="eff_slope", measure="rhat"))
    assert float(data["rhat"].sel(parameter="eff_slope")) == rhat
    assert (data.attrs["limit_ess"], data.attrs["limit_bfmi"]) == (400, 0.3)
    points = FIGURES["energy"].drawing(data).axes[0].lines[:4]
    assert [p.get_xdata()[0] for p in points] == data["bfmi"].to_numpy().tolist()
