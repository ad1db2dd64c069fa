"""H: faults of the decision layer that no other test feeds in; the table is in ``__init__``."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

from doseopt_bayes.decision.criteria import LowestWithinDelta
from doseopt_bayes.decision.decide import decide
from doseopt_bayes.decision.rules import Active, AnyDose, Tolerable
from doseopt_bayes.decision.utility import LpContour
from doseopt_bayes.plots import FIGURES
from doseopt_bayes.plots.picture import figure
from doseopt_bayes.report.tables import limits
from tests.conftest import make_posterior

LP = LpContour(0.5, 0.65, (0.7, 0.25))
SIGNS = {
    "tox": (Tolerable, 0.2, 0.4, "Pr(p_tox < 0.3) > 0.5"),
    "eff": (Active, 0.4, 0.2, "Pr(p_eff > 0.3) > 0.5"),
}


def half(variable, inside, outside, share=2):
    """Two doses; at the second, exactly 1 in `share` draws lies on the right side of 0.3."""
    rng = np.random.default_rng(1)
    fine = {"tox": 0.2, "eff": 0.4}
    p = {v: np.clip(rng.normal(fine[v], 1e-4, (4, 250, 2)), 0.01, 0.99) for v in fine}
    p[variable][:, :, 1] = outside
    p[variable][:, ::share, 1] = inside
    return make_posterior(p["tox"], p["eff"])


@pytest.mark.parametrize("variable", SIGNS)
def test_h08_a_probability_exactly_at_the_cut_off_does_not_exceed_it(variable):
    rule, inside, outside, said = SIGNS[variable]
    post = half(variable, inside, outside)
    for certainty, admissible in ((0.5, False), (np.nextafter(0.5, 0), True)):
        table = decide(post, LP, rule(0.3, certainty=certainty)).table
        assert bool(table["admissible"].sel(dose=20.0)) is admissible
        assert not bool(table["admissible_resolved"].sel(dose=20.0))  # and that close, never firmly
    assert str(rule(0.3, certainty=0.5)) == said


@pytest.mark.parametrize("variable", SIGNS)
def test_h08_a_draw_exactly_at_the_limit_is_not_beyond_it(variable):
    rule = SIGNS[variable][0]
    at = np.full((4, 250, 1), 0.3)
    verdict = rule(0.3, certainty=0.1).judge(make_posterior(at, at))
    assert not bool(verdict.ok.item())
    assert float(verdict.findings[0].estimate.item()) == 0


def test_h08_within_delta_includes_delta():
    """'Not worse by more than delta with at least this certainty': both ends count."""
    rng = np.random.default_rng(2)
    p_tox = np.full((4, 250, 2), 0.1)
    p_eff = np.stack([np.full((4, 250), 0.5), np.full((4, 250), 0.5)], axis=-1)
    p_eff[..., 1] += rng.uniform(0.001, 0.1, (4, 250))
    post = make_posterior(p_tox, p_eff)
    u = LP({"p_tox": post["p_tox"], "p_eff": post["p_eff"]})
    gap = float((u.isel(dose=1) - u.isel(dose=0)).max())
    at = decide(post, LP, AnyDose() & Tolerable(0.9, 0.1), criterion=LowestWithinDelta(gap, 0.999))
    assert float(at.leading) == 10.0


def test_h08_the_sign_stands_in_every_output(saved, analysis):
    report = (saved / "report.html").read_text(encoding="utf-8")
    for rule in ("Pr(p_tox &lt; 0.3) &gt; 0.1", "Pr(p_eff &gt; 0.5) &gt; 0.1"):
        assert rule in report
    printed = " ".join(
        cell for row in (limits(analysis).columns, *limits(analysis).rows) for cell in row
    )
    assert "Pr(p_tox < 0.3)" in printed
    assert {"Pr(p_tox < 0.3)", "Pr(p_eff > 0.5)"} <= set(
        pd.read_csv(saved / "decision.csv").columns
    )


def test_h05_an_untried_dose_is_flagged_with_its_distance_from_the_tried_ones(saved, analysis):
    assert float(analysis.decision.leading) == 4.0
    said = "No patient has received 4 mg (tried: 1, 2)"
    assert any(said in caution for caution in analysis.decision.cautions)
    assert said in (saved / "report.html").read_text(encoding="utf-8")
    assert "4*" in analysis.decision.text_table
    frame = pd.read_csv(saved / "decision.csv").set_index("dose_mg")
    assert frame["untried"].to_dict() == {1.0: False, 2.0: False, 4.0: True, 6.6: True, 10.0: True}


def test_h10_every_interval_says_its_kind_and_probability(saved, analysis):
    columns = pd.read_csv(saved / "decision.csv").columns
    ends = [c for c in columns if "_low" in c or "_high" in c]
    assert len(ends) >= 12
    assert all(c.endswith(("(95 % equal-tailed)", "_mcse")) for c in ends)
    assert "p_tox_low (95 % equal-tailed)" in columns
    assert "(95 % CrI)" in analysis.decision.text_table
    report = (saved / "report.html").read_text(encoding="utf-8")
    assert "95 % equal-tailed" in report
    for name, kind in FIGURES.items():
        caption = figure(analysis, name).caption if kind.applies(analysis) else ""
        for said in re.findall(r"[^.]*(?:credible|confidence) interval", caption):
            assert re.search(r"\d+ % (equal-tailed|exact)", said), f"{name}: {said}"
