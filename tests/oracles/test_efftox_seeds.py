"""Forty seeds against the exact posteriors: the Monte Carlo errors are as large as they say."""

from __future__ import annotations

import numpy as np
import pytest

from doseopt_bayes.data.trial import TrialData
from doseopt_bayes.decision.decide import decide
from doseopt_bayes.decision.rules import Active, NoSkipping, Tolerable
from doseopt_bayes.inference.nuts import fit
from doseopt_bayes.models import EffTox
from tests.conftest import PRESETS
from tests.oracles.test_efftox import CASES, REFERENCE, utility_of

KEYS = {"prob_eff": "p_eff", "prob_tox": "p_tox", "utility_plugin": "utility_of_means",
        "utility_post_mean": "utility", "prob_obd": "prob_obd"}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=lambda c: c["inputs"]["outcomes"])
def test_forty_seeds(case):
    parameters = REFERENCE["parameters"][case["inputs"]["parameters"]]
    doses = tuple(map(float, parameters["doses"]))
    model = EffTox(doses, PRESETS[case["inputs"]["parameters"]], unit="mg")
    data = TrialData.parse(case["inputs"]["outcomes"], doses=doses, unit="mg")
    rules = Tolerable(parameters["toxicity_hurdle"], 0.1) & Active(
        parameters["efficacy_hurdle"], 0.1
    )
    exact, reference_error = case["expected"]["exact"], case["expected"]["exact_max_se"]
    z = []
    for seed in range(40):
        table = decide(
            fit(model, data, seed=seed), utility_of(parameters), rules & NoSkipping()
        ).table
        found = [(table[v], table[f"{v}_mcse"], exact[k]) for k, v in KEYS.items()]
        limits = table["limit_prob"], table["limit_prob_mcse"]
        found += [(*(x.isel(rule=i) for x in limits), exact[k])
                  for i, k in enumerate(("prob_acc_tox", "prob_acc_eff"))]  # fmt: skip
        z += [(got - true) / np.hypot(error, reference_error) for got, error, true in found]
    z = np.abs(np.concatenate(z))
    print(f"{case['inputs']['outcomes']}: {z.size} comparisons, largest |z| {z.max():.2f}, "
          f"share beyond 2: {(z > 2).mean():.1%}")  # fmt: skip
    assert z.max() <= 4
    assert (z > 2).mean() <= 0.08
