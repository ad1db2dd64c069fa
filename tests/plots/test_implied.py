"""The figure of a utility before data: its numbers are drawn, its marks are explained."""

from __future__ import annotations

import numpy as np
import pytest

from doseopt_bayes.decision.cui import CUI, Attribute
from doseopt_bayes.decision.implied import preview_utility
from doseopt_bayes.plots import style
from doseopt_bayes.plots.picture import figure_utility
from tests.decision.test_implied import ALL, BOTH


def artists(figure):
    return {a.get_gid(): a for a in figure.axes[0].get_children() if a.get_gid()}


@pytest.mark.parametrize("name", ALL)
def test_it_draws_every_utility(name, tmp_path):
    picture = figure_utility(ALL[name])
    picture.figure.draw_without_rendering()
    assert len(picture.caption) > 80
    one, two = (style.save(figure_utility(ALL[name]).figure, tmp_path / x, formats=("svg",))[0]
                for x in "ab")  # fmt: skip
    assert one.read_bytes() == two.read_bytes()


def test_what_is_drawn_are_its_numbers():
    picture = figure_utility(ALL["lp_contour"])
    drawn = artists(picture.figure)
    np.testing.assert_array_equal(drawn["indifference"].get_xdata(), picture.data["curve"])
    assert drawn["needed:0.3"].get_xdata()[0] == pytest.approx(
        float(picture.data["needed"].sel(tox=0.3))
    )
    assert (drawn["reference"].get_xdata()[0], drawn["reference"].get_ydata()[0]) == (0.5, 0.0)
    words = [t.get_text() for t in picture.figure.axes[0].texts]
    assert "0.74 at 0.3" in words
    assert {"u = 0.5", "u = -1"} <= set(words)


def test_the_caption_says_what_is_lost_and_what_is_assumed():
    three = CUI({**BOTH, "p_qol": Attribute(1, "benefit")})
    picture = figure_utility(preview_utility(three, reference=(0.9, 0.0), held={"p_qol": 0.4}))
    assert "Assumed: p_qol held at 0.4." in picture.caption
    assert "At toxicity 0.3, 0.4, 0.5 no efficacy" in picture.caption
    assert "needed:0.3" not in artists(picture.figure)


@pytest.mark.parametrize("variable", ["p_eff", "p_tox"])
def test_a_utility_of_one_endpoint_draws(variable):
    way = "benefit" if variable == "p_eff" else "harm"
    picture = figure_utility(CUI({variable: Attribute(1, way)}))
    picture.figure.draw_without_rendering()
    assert "<img" in picture._repr_html_()
