"""Figures of configurations and plans show the numbers of their tables, and explain every mark."""

from __future__ import annotations

import numpy as np
import pytest

import doseopt_bayes as dob
from tests.arms.cases import posterior

INDEX = dob.CUI({"p_eff": dob.Attribute(1, "benefit"), "p_tox": dob.Attribute(1, "harm")})
MARGIN = dob.Margin("eff", 0.1, "difference", "higher")


def test_bars_are_the_probabilities_and_the_star_is_the_leading_arm():
    post = posterior([(30, 18, 6, 4), (16, 26, 6, 10)])
    base = dob.Configuration("agency", "1", INDEX, (MARGIN,))
    other = base.weighted(dob.WeightSet("patient $", "2", {"p_eff": 1, "p_tox": 5}))
    found = dob.compare_configurations(post, [base, other])
    picture = dob.figure_configurations(found)
    ax = picture.figure.axes[0]
    drawn = {b.get_gid(): b.get_height() for b in ax.patches}
    for name in ("agency", "patient $"):
        for dose in (15.0, 45.0):
            exact = float(found.table["prob_best"].sel(configuration=name, dose=dose))
            assert drawn[f"prob_best:{name}:{dose:g}"] == exact
    stars = [line for line in ax.lines if line.get_gid() == "leading:patient $"]
    assert len(stars) == 1
    assert "Star" in picture.caption
    assert "Monte Carlo standard error at most" in picture.caption
    picture.figure.draw_without_rendering()


def test_lines_are_the_shares_and_the_goal_is_drawn():
    truths = [
        dob.Scenario("low wins", (0.1, 0.5), (0.4, 0.4)),
        dob.Scenario("alike", (0.3, 0.3), (0.4, 0.4)),
    ]
    plan = dob.plan_arms((15, 45), truths, dob.HighestUtility(INDEX), sizes=(10, 20, 40), correct=0.8,
                         n_trials=500, seed=1, unit="mg")  # fmt: skip
    picture = dob.figure_plan(plan)
    panel = picture.figure.axes[0]
    drawn = panel.containers[0].lines[0].get_ydata()
    assert np.array_equal(drawn, plan.table["correct"].sel(scenario="low wins"))
    goal = [line for line in panel.lines if line.get_gid() == "goal"]
    assert goal[0].get_ydata()[0] == pytest.approx(0.8)
    assert "500 simulated trials" in picture.caption
    picture.figure.draw_without_rendering()
