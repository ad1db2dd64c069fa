"""The acceptability figure draws the numbers of the ranking and says what they are."""

from __future__ import annotations

import numpy as np
import pytest

from doseopt_bayes.data.trial import TrialData
from doseopt_bayes.decision.ranking import rank_doses
from doseopt_bayes.decision.rules import AnyDose, Tolerable
from doseopt_bayes.plots import FIGURES, acceptability

from .conftest import make_analysis


@pytest.fixture(scope="module")
def refused():
    """Four doses, the highest not admissible, the two highest untried."""
    data = TrialData.parse("1NNE 2EEB", doses=[10, 20, 40, 60], unit="mg")
    analysis = make_analysis(data, rules=Tolerable(0.25, 0.55) & AnyDose())
    assert analysis.decision.table["admissible"].to_numpy().tolist() == [True, True, True, False]
    return analysis


def test_it_draws_the_ranking(refused):
    data = acceptability.data_acceptability(refused)
    post, decision = refused.posterior, refused.decision
    expected = rank_doses(post, decision.utility(post.draws), decision.table["admissible"]).table
    axes = acceptability.plot_ranks(data)
    drawn = {p.get_gid(): p.get_width() for p in axes.patches if p.get_gid()}
    for dose in (10, 20, 40):
        parts = [drawn[f"rank_prob:{dose}:{r}"] for r in (1, 2, 3)]
        np.testing.assert_allclose(parts, expected["rank_prob"].sel(dose=dose, rank=[1, 2, 3]))
        assert sum(parts) == pytest.approx(1)
    assert "inadmissible:60" in drawn
    assert not any(str(k).startswith("rank_prob:60") for k in drawn)
    # the first rank is the decision's own Pr(OBD) among the admissible doses
    np.testing.assert_allclose(
        [drawn[f"rank_prob:{d}:1"] for d in (10, 20, 40)],
        decision.table["prob_obd_admissible"].to_numpy()[:3],
    )


def test_printed_pairs_are_those_of_the_ranking(refused):
    data = acceptability.data_acceptability(refused)
    axes = acceptability.plot_pairwise(data)
    printed = {t.get_gid(): t.get_text() for t in axes.texts if t.get_gid()}
    assert len(printed) == 6  # three admissible doses, without the diagonal
    for key, text in printed.items():
        _, dose, other = key.split(":")
        p = float(data["better"].sel(dose=float(dose), other_dose=float(other)))
        assert text == f"{p:.2f}"
    assert len([p for p in axes.patches if p.get_gid()]) == 16


def test_caption_says_the_set_its_error_and_what_is_missing(refused):
    said = FIGURES["acceptability"].caption(refused)
    assert "In the set: " in said
    assert "at least 0.9 (" in said
    assert "Hatched: not admissible (60 mg)." in said
    assert "*: no patient was treated (40, 60 mg)." in said
    assert "6 patients treated." in said


def test_nothing_admissible_is_said():
    data = TrialData.parse("1NNE 2EEB", doses=[10, 20])
    analysis = make_analysis(data, rules=Tolerable(0.01, 0.99))
    figure = FIGURES["acceptability"].draw(analysis)
    labels = [t.get_text() for t in figure.legends[0].get_texts()]
    assert labels == ["not admissible"]
    assert FIGURES["acceptability"].caption(analysis).startswith("Hatched: no dose is admissible")


def test_it_stands_after_the_ranking():
    order = list(FIGURES)
    assert order.index("acceptability") == order.index("ranking") + 1
