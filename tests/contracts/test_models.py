"""What every registered model promises (DESIGN: one graph, cells registered, observed from them)."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import gammaln

from doseopt_bayes.data.trial import TrialData
from doseopt_bayes.models import MODELS
from doseopt_bayes.models.presets import EFFTOX_THALL2014

DOSES = (5.0, 10.0, 25.0)
RECIPES = {"efftox": MODELS["efftox"](DOSES, EFFTOX_THALL2014, unit="mg")}
OUTCOMES = "1NNE 2EEBT 3BTE 2NE"


def test_every_registered_model_has_a_recipe_here():
    assert set(RECIPES) == set(MODELS)


@pytest.mark.parametrize("name", RECIPES)
def test_likelihood_is_the_sum_of_counts_times_log_cells(name):
    recipe = RECIPES[name]
    data = TrialData.parse(OUTCOMES, doses=DOSES, unit="mg")
    model = recipe.build(data)
    counts = data.counts["cell_count"].to_numpy()
    constant = (gammaln(counts.sum(1) + 1) - gammaln(counts + 1).sum(1)).sum()
    likelihood = model.compile_logp(vars=model.observed_RVs)
    cells = model.compile_fn(
        model.replace_rvs_by_values([model["p_cell"]])[0], inputs=model.value_vars
    )
    rng = np.random.default_rng(0)
    for _ in range(50):
        point = {k: v + rng.normal(0, 0.5, np.shape(v)) for k, v in model.initial_point().items()}
        p = cells(point)
        assert p.shape == (len(DOSES), 4)
        np.testing.assert_allclose(p.sum(axis=-1), 1, atol=1e-12)
        expected = (counts * np.log(p)).sum() + constant
        assert float(likelihood(point)) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("name", RECIPES)
def test_probabilities_are_registered_over_real_doses(name):
    model = RECIPES[name].build(TrialData.parse(OUTCOMES, doses=DOSES, unit="mg"))
    assert model.named_vars_to_dims["p_tox"] == ("dose",)
    assert model.named_vars_to_dims["p_eff"] == ("dose",)
    assert model.named_vars_to_dims["p_cell"] == ("dose", "cell")
    assert tuple(model.coords["dose"]) == DOSES
    assert set(RECIPES[name].priors) == {v.name for v in model.free_RVs}


@pytest.mark.parametrize("name", RECIPES)
def test_printing_shows_every_prior(name):
    text = str(RECIPES[name])
    for parameter, prior in RECIPES[name].priors.items():
        assert parameter in text
        assert str(prior) in text
