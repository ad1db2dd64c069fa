"""Every figure draws and speaks in every situation that a trial can be in."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from doseopt_bayes.data.columns import CountColumns, PatientColumns
from doseopt_bayes.data.trial import TrialData
from doseopt_bayes.decision.cui import CUI, Attribute
from doseopt_bayes.decision.rules import AnyDose, Tolerable
from doseopt_bayes.plots import FIGURES

from .conftest import INDEX, make_analysis

EIGHT = [5, 10, 20, 40, 80, 120, 160, 240]


def eff_unknown() -> TrialData:
    frame = pd.DataFrame({"id": ["a", "b", "c"], "dose": [10.0, 10.0, 20.0], "tox": [0, 1, 0]})
    columns = PatientColumns("dose", id="id", tox="tox", doses=(10, 20, 40), unit="mg")
    return TrialData.from_frame(frame, columns)


CASES = {
    "two doses": lambda: make_analysis(TrialData.parse("1NNE 2EEB", doses=[10, 20])),
    "eight doses": lambda: make_analysis(
        TrialData.parse("1NNE 2EEB 8NTT", doses=EIGHT, unit="mg"), utility=INDEX
    ),
    "none admissible": lambda: make_analysis(
        TrialData.parse("1NNE 2EEB", doses=[10, 20, 40]), rules=Tolerable(0.01, 0.99)
    ),
    "no patients": lambda: make_analysis(TrialData.empty([10, 20, 40], "mg")),
    "endpoint missing": lambda: make_analysis(eff_unknown()),
    "no limits": lambda: make_analysis(
        TrialData.parse("1NNE 2EEB", doses=[10, 20, 40]), rules=AnyDose()
    ),
    "one attribute": lambda: make_analysis(
        TrialData.parse("1NNE 2EEB", doses=[10, 20, 40]),
        utility=CUI({"p_eff": Attribute(1, "benefit")}),
    ),
    "not resolved": lambda: make_analysis(
        TrialData.parse("1NNE 2EEB", doses=[10, 20, 40]), rules=unsettled()
    ),
}


def unsettled():
    return Tolerable(float(np.median(first_draws())), 0.5) & AnyDose()


def first_draws():
    trial = TrialData.parse("1NNE 2EEB", doses=[10, 20, 40])
    post = make_analysis(trial, rules=AnyDose()).posterior
    best = int(post["p_eff"].mean(["chain", "draw"]).argmax("dose"))
    return post["p_tox"].isel(dose=best).to_numpy()


@pytest.fixture(scope="module", params=CASES)
def case(request):
    return request.param, CASES[request.param]()


@pytest.mark.parametrize("name", FIGURES)
def test_it_draws(name, case):
    _, analysis = case
    figure = FIGURES[name]
    if not figure.applies(analysis):
        return
    canvas = figure.draw(analysis)
    canvas.draw_without_rendering()
    assert (
        all(ax.get_xlabel() for ax in canvas.axes if ax.get_visible()) or name == "prior_posterior"
    )
    assert len(figure.caption(analysis)) > 80


def test_cui_figure_only_for_a_cui(analysis, indexed):
    assert FIGURES["cui"].applies(indexed)
    assert not FIGURES["cui"].applies(analysis)
    with pytest.raises(TypeError, match="CUI"):
        FIGURES["cui"].data(analysis)


def test_captions_state_interval_kind_and_probability(analysis, indexed):
    for name in ("curve", "tradeoff", "ranking", "prior", "prior_posterior", "cui"):
        chosen = indexed if name == "cui" else analysis
        data, said = FIGURES[name].data(chosen), FIGURES[name].caption(chosen)
        assert "95 % equal-tailed credible interval" in said
        assert (data.attrs["interval_kind"], data.attrs["interval_prob"]) == ("equal-tailed", 0.95)
    assert "exact (Clopper-Pearson) confidence interval" in FIGURES["curve"].caption(analysis)


def test_captions_name_patients_and_untried_doses(analysis):
    said = FIGURES["curve"].caption(analysis)
    assert "6 patients treated" in said
    assert "efficacy: 4 events in 6 patients analysed" in said
    assert "no patient was treated (40 mg)" in said


def test_captions_follow_the_answer():
    none = FIGURES["ranking"].caption(CASES["none admissible"]())
    assert "No dose is admissible, so none is recommended." in none
    analysis = CASES["not resolved"]()
    assert analysis.decision.status.item() == "not resolved"
    assert "not resolved by these draws" in FIGURES["ranking"].caption(analysis)
    missing = FIGURES["curve"].caption(CASES["endpoint missing"]())
    assert "Nobody was analysed for efficacy: its curve is the prior." in missing


def test_marginal_counts_are_drawn():
    frame = pd.DataFrame({"dose": [10.0, 20.0], "n": [9, 8], "tox": [1, 2], "eff": [3, 5]})
    columns = CountColumns("dose", tox="tox", n_tox="n", eff="eff", n_eff="n", unit="mg")
    data = TrialData.from_counts(frame, columns)
    assert data.marginal_only
    drawn = FIGURES["curve"].data(make_analysis(data))
    assert drawn["events"].sel(variable="p_eff").to_numpy().tolist() == [3, 5]
