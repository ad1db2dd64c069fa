"""Styles, labels and files: the same colours, the same bytes, and text that is only text."""

from __future__ import annotations

import sys

import matplotlib as mpl
import pytest
from PIL import Image

from doseopt_bayes.data.trial import TrialData
from doseopt_bayes.plots import FIGURES, cui, curve, ranking, style, tradeoff

from .conftest import make_analysis


def colours(axes) -> dict[str, str]:
    return {
        a.get_gid().split(":")[1]: a.get_markeredgecolor()
        for a in axes.lines
        if (a.get_gid() or "").startswith("mean:")
    }


def test_a_dose_has_one_colour_in_every_figure(indexed):
    expected = {f"{d:g}": s.color for d, s in style.dose_styles([10, 20, 40]).items()}
    drawn = [
        curve.plot_curve(curve.data_curve(indexed), variable="p_eff"),
        tradeoff.plot_tradeoff(tradeoff.data_tradeoff(indexed)),
        ranking.plot_utility(ranking.data_ranking(indexed)),
        cui.plot_cui(cui.data_cui(indexed)),
    ]
    assert bool(indexed.decision.table["admissible"].all())
    assert all(colours(ax) == expected for ax in drawn)


def test_dose_styles_differ():
    styles = style.dose_styles(range(1, 9)).values()
    assert len({s.color for s in styles}) == len({s.marker for s in styles}) == 8


@pytest.mark.parametrize("name", ["curve", "tradeoff", "ranking", "prior_posterior", "trace"])
def test_files_are_identical_when_written_again(name, analysis, tmp_path):
    written = []
    for folder in ("a", "b"):
        figure = FIGURES[name].draw(analysis)
        style.stamp(figure, "spec demo 1.0.0  DRAFT")
        written.append(style.save(figure, tmp_path / folder / name))
    for first, second in zip(*written, strict=True):
        assert first.read_bytes() == second.read_bytes()
    assert [p.name for p in written[0]] == [f"{name}.png", f"{name}.svg"]
    assert sorted(p.name for p in (tmp_path / "a").iterdir()) == [f"{name}.png", f"{name}.svg"]


def test_png_has_300_dpi_and_page_width(analysis, tmp_path):
    (png,) = style.save(FIGURES["curve"].draw(analysis), tmp_path / "curve", formats=["png"])
    with Image.open(png) as image:
        assert image.info["dpi"] == pytest.approx((300, 300), abs=0.1)
        assert image.width == 2100
        assert set(image.info) <= {"dpi"}


def test_labels_are_text_and_nothing_else(tmp_path):
    unit = "$x^2$ <script>alert(1)</script>"
    data = TrialData.parse("1NNE 2EEB", doses=[10, 20, 40], unit=unit)
    figure = FIGURES["curve"].draw(make_analysis(data))
    style.stamp(figure, f"$a$ {unit}")
    _, svg = style.save(figure, tmp_path / "curve")
    assert "<script" not in svg.read_text()
    label = figure.axes[0].xaxis.label
    assert label._preprocess_math(label.get_text()) == (
        f"dose ({unit}); events / analysed below it",
        False,
    )


def test_figures_leave_no_global_state(analysis):
    before = dict(mpl.rcParams)
    for figure in FIGURES.values():
        if figure.applies(analysis):
            figure.draw(analysis)
    assert dict(mpl.rcParams) == before
    pyplot = sys.modules.get("matplotlib.pyplot")
    assert pyplot is None or pyplot.get_fignums() == []


def test_stamp_adds_space_and_moves_nothing_into_it(analysis):
    figure = FIGURES["ranking"].draw(analysis)
    height = figure.get_figheight()
    style.stamp(figure, "one line\nand another")
    assert figure.get_figheight() == pytest.approx(height + 0.26)
    bottom = min(legend.get_window_extent().y0 for legend in figure.legends)
    assert bottom >= figure.texts[-1].get_window_extent().y1 - 1
