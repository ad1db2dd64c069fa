"""Predictions of the final decision against exact beta-binomials, and the assurance."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import betabinom

import doseopt_bayes as dob
from doseopt_bayes.errors import DoseOptError
from doseopt_bayes.planning.predictive import assurance, predict_decision
from doseopt_bayes.planning.rule import HighestUtility
from tests.arms.cases import posterior

EFFICACY = dob.CUI({"p_eff": dob.Attribute(1, "benefit")})
RULE = HighestUtility(EFFICACY)
INTERIM = dob.TrialData.parse("1NNNNNNEEEE 2NNNTTEEEEB", doses=[15, 45], unit="mg")


def test_the_prediction_is_that_of_two_beta_binomials():
    found = predict_decision(INTERIM, RULE, size=25, n=40_000, seed=1)
    more = np.arange(16)
    one, two = (betabinom.pmf(more, 15, 0.5 + y, 0.5 + 10 - y) for y in (4, 5))
    exact = sum(
        one[a] * two[b] for a in more for b in more if 5 + b > 4 + a
    )  # ties go to the lower arm
    at = found.table.sel(choice="45", size=25)
    assert float(at["prob"]) == pytest.approx(exact, abs=4 * float(at["prob_mcse"]))
    assert float(found.table["prob"].sum()) == pytest.approx(1)
    assert "will be 45 mg with probability" in str(found)
    assert len(found.to_frame()) == 3


def test_a_trial_that_is_over_is_decided():
    found = predict_decision(INTERIM, RULE, size=10, seed=1)
    assert float(found.table["prob"].sel(choice="45")[0]) == 1
    assert float(found.table["prob_mcse"].sel(choice="45")[0]) > 0


def test_futility_grows_as_the_limit_moves_away():
    probabilities = [
        float(predict_decision(INTERIM, HighestUtility(EFFICACY, dob.Active(limit, certainty=0.9)), size=25,
                               n=2000, seed=1).table["prob"].sel(choice="none")[0])
        for limit in (0.1, 0.3, 0.6)
    ]  # fmt: skip
    assert probabilities == sorted(probabilities)
    assert probabilities[-1] > 0.8


def test_the_assurance_averages_trials_over_the_prior():
    prior = posterior([(12, 4, 2, 2), (8, 6, 3, 3)])
    found = assurance(prior, RULE, sizes=(5, 40, 400), seed=1)
    correct = found.table["correct"].to_numpy()
    assert (np.diff(correct) > 0).all()
    # efficacy alone: with many patients the better arm of each draw is found
    assert correct[-1] > 0.93
    chosen = float(found.table["prob"].sel(choice="45", size=400))
    better = float((prior["p_eff"].sel(dose=45.0) > prior["p_eff"].sel(dose=15.0)).mean())
    assert chosen == pytest.approx(better, abs=0.02)
    # two arms of n = 5, one after the other: beta-binomials of the prior
    y = np.arange(6)
    low, high = (betabinom.pmf(y, 5, 0.5 + e, 0.5 + 20 - e) for e in (6, 9))
    exact = sum(low[a] * high[b] for a in y for b in y if b > a)
    at = found.table.sel(choice="45", size=5)
    assert float(at["prob"]) == pytest.approx(exact, abs=4 * float(at["prob_mcse"]))
    assert float(found.table["right"]) == 1


def test_predictions_that_cannot_be_are_refused():
    roles = dob.CountColumns("dose", tox="tox", eff="eff", n="n", unit="mg")
    frame = pd.DataFrame({"dose": [15, 45], "n": [10, 10], "tox": [1, 2], "eff": [3, 4]})
    counts = dob.TrialData.from_counts(frame, roles)
    with pytest.raises(DoseOptError, match="not both known"):
        predict_decision(counts, RULE, size=20, seed=1)
    with pytest.raises(DoseOptError, match="has already"):
        predict_decision(INTERIM, RULE, size=5, seed=1)
    with pytest.raises(DoseOptError, match="seed"):
        predict_decision(INTERIM, RULE, size=20, seed=-1)
    with pytest.raises(DoseOptError, match="sizes"):
        assurance(posterior([(1, 1, 1, 1), (1, 1, 1, 1)]), RULE, sizes=(), seed=1)
