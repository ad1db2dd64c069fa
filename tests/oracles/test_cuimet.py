"""The CUI-MET example data under the saturated model give the empirical utilities.

Source of the data: CUI-MET (AstraZeneca), www/data/CUIMET_example_binarydata.csv; the empirical
utilities are 1/3 (1 - tox + eff + tolerability), and with weights 1:3:2, of the observed proportions.
"""

from __future__ import annotations

import numpy as np
import pytest

from doseopt_bayes.data.columns import PatientColumns
from doseopt_bayes.data.trial import TrialData
from doseopt_bayes.datasets import path
from doseopt_bayes.decision.cui import CUI, Attribute, Linear
from doseopt_bayes.decision.decide import decide
from doseopt_bayes.decision.rules import AnyDose
from doseopt_bayes.inference.nuts import fit
from doseopt_bayes.models import Saturated

RATES = {"tox": [0.20, 0.25, 0.25, 0.25, 0.45], "eff": [0.25, 0.30, 0.45, 0.25, 0.55],
         "tolerability": [0.45, 0.30, 0.60, 0.70, 0.65]}  # fmt: skip
EMPIRICAL = {(1, 1, 1): ([0.500, 0.450, 0.600, 0.567, 0.583], 3.0),
             (1, 3, 2): ([0.408, 0.375, 0.550, 0.483, 0.583], 5.0)}  # fmt: skip
N = 20


@pytest.fixture(scope="module")
def trial():
    roles = PatientColumns("Dose", id="ID", id_within="Dose", tox="Toxicity", eff="Efficacy",
                           other={"tolerability": "Tolerability"})  # fmt: skip
    return TrialData.from_csv(path("cuimet"), roles)


@pytest.fixture(scope="module")
def posterior(trial):
    return fit(Saturated(trial.doses, others=("tolerability",)), trial, seed=1)


def test_the_file_holds_the_published_rates(trial):
    for endpoint, rates in RATES.items():
        at = trial.counts.sel(endpoint=endpoint)
        np.testing.assert_allclose(at["events"] / at["n"], rates)


@pytest.mark.parametrize("weights", EMPIRICAL)
def test_utilities_are_the_empirical_ones_with_one_prior_patient(posterior, weights):
    linear = Linear(worst=0.0, best=1.0)
    cui = CUI({"p_tox": Attribute(weights[0], "harm", Linear(worst=1.0, best=0.0)),
               "p_eff": Attribute(weights[1], "benefit", linear),
               "p_tolerability": Attribute(weights[2], "benefit", linear)})  # fmt: skip
    decision = decide(posterior, cui, AnyDose())
    empirical, best = EMPIRICAL[weights]
    u, mcse = decision.table["utility"], decision.table["utility_mcse"]
    # one prior patient of probability 1/2 for each endpoint moves 20 patients by 1 in 21
    pulled = (N * np.array(empirical) + 0.5) / (N + 1)
    assert (abs(u - pulled) < 4 * mcse + 0.0005).all()  # the references have three decimals
    assert (abs(u - np.array(empirical)) < 0.01).all()
    assert float(decision.leading) == best
    for endpoint, rates in RATES.items():
        exact = (N * np.array(rates) + 0.5) / (N + 1)
        p = posterior[f"p_{endpoint}"]
        assert (abs(posterior.expect(p) - exact) < 4.5 * posterior.mcse(p)).all()
