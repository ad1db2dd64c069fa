"""The sensitivity figure shows the tipping points and says what is not drawn."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from doseopt_bayes.data.trial import TrialData
from doseopt_bayes.decision.cui import CUI, Attribute, Linear
from doseopt_bayes.decision.rules import Active, AnyDose, Tolerable
from doseopt_bayes.plots import FIGURES, sensitivity, style

from .conftest import make_analysis

FIGURE = FIGURES["sensitivity"]
TRIAL = TrialData.parse("1NNE 2EEB", doses=[10, 20, 40], unit="mg")
EVEN = CUI(
    {
        "p_eff": Attribute(2, "benefit", Linear(0.0, 0.6)),
        "p_tox": Attribute(2.5, "harm", Linear(0.4, 0.0)),
    }
)


@pytest.fixture(scope="module")
def swept():
    analysis = make_analysis(
        TRIAL, utility=EVEN, rules=Tolerable(0.2, 0.3) & Active(0.2, 0.2) & AnyDose()
    )
    return FIGURE.data(analysis)


def marks(ax, kind):
    return {
        a.get_gid(): a for a in [*ax.lines, *ax.patches] if (a.get_gid() or "").startswith(kind)
    }


def test_tipping_points_stand_where_the_table_says(swept):
    ax = sensitivity.plot_tornado(swept)
    drawn = marks(ax, "tipping:")
    looks = style.dose_styles([10, 20, 40])
    count = 0
    for what in swept["what"].to_numpy():
        bar = marks(ax, f"range:{what}")[f"range:{what}"]
        for side in ("down", "up"):
            at = swept.sel(what=what, side=side)
            end = bar.get_x() if side == "down" else bar.get_x() + bar.get_width()
            if not bool(at["flips"]):
                assert end == pytest.approx(0.0 if side == "down" else 1.0)
                continue
            count += 1
            mark = drawn[f"tipping:{what}:{side}"]
            assert mark.get_xdata()[0] == end == pytest.approx(float(at["to"]))
            if not math.isnan(float(at["leading"])):
                assert mark.get_marker() == looks[float(at["leading"])].marker
    assert count == len(drawn) >= 4


def test_the_strip_agrees_with_the_lines_and_the_tipping_point(swept):
    best = swept["utility"].where(swept["admissible"]).idxmax("dose")
    np.testing.assert_array_equal(best, swept["sweep_leading"])
    spans = sensitivity._spans(swept)
    assert spans[0][0] == 0
    assert spans[-1][1] == 1
    assert all(a[1] == b[0] for a, b in itertools.pairwise(spans))
    now = float(swept.attrs["weight_now"])
    held = [s for s in spans if s[2] == float(swept.attrs["leading"])]
    at = swept.sel(what=f"weight of {swept.attrs['attribute']}")
    low = float(at["to"].sel(side="down")) if bool(at["flips"].sel(side="down")) else 0.0
    assert min(s[0] for s in held) == pytest.approx(low, abs=0.02)
    assert min(s[0] for s in held) <= now <= max(s[1] for s in held)


def test_a_change_that_was_not_confirmed_leaves_no_bar(swept):
    doubtful = swept.copy(deep=True)
    doubtful["settled"][:] = False
    doubtful["flips"][:] = False
    ax = sensitivity.plot_tornado(doubtful)
    assert all(bar.get_width() == 0 for bar in marks(ax, "range:").values())


def test_captions(swept, analysis):
    said = sensitivity.caption_sensitivity(swept)
    assert "leading dose (10 mg)" in said
    assert "Strip: leading dose" in said
    assert "No patient was treated at 40 mg." in said
    contour = FIGURE.caption(analysis)
    assert "Strip" not in contour
    assert "6 patients treated" in contour


def test_it_applies_only_when_a_number_can_be_moved(analysis):
    assert FIGURE.applies(analysis)
    assert not FIGURE.applies(make_analysis(TRIAL, rules=AnyDose()))
    none = make_analysis(TRIAL, rules=Tolerable(0.01, 0.99))
    canvas = FIGURE.draw(none)
    assert "no dose is admissible" in canvas.axes[0].get_title(loc="left")


def test_files_are_identical_when_written_again(swept, tmp_path):
    files = [
        style.save(sensitivity.draw_sensitivity(swept), tmp_path / folder / "s") for folder in "ab"
    ]
    for first, second in zip(*files, strict=True):
        assert first.read_bytes() == second.read_bytes()
