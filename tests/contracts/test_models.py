"""What every registered model promises (DESIGN: one graph, cells registered, observed from them)."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.special import gammaln

from doseopt_bayes.data.columns import PatientColumns
from doseopt_bayes.data.trial import TrialData
from doseopt_bayes.errors import DoseOptError
from doseopt_bayes.models import MODELS
from doseopt_bayes.models.presets import BLRM_SINGLE_AGENT, EFFTOX_THALL2014
from doseopt_bayes.priors import Normal

DOSES = (5.0, 10.0, 25.0)
STOP = {
    "stop_intercept": Normal(-1, 1),
    "stop_slope": Normal(0, 1),
    "stop_curvature": Normal(0, 0.3),
}
EFFTOX = MODELS["efftox"]
RECIPES = {
    "efftox": EFFTOX(DOSES, EFFTOX_THALL2014, unit="mg"),
    "efftox, gaussian": EFFTOX(DOSES, EFFTOX_THALL2014, unit="mg", copula="gaussian"),
    "efftox, three endpoints": EFFTOX(
        DOSES, EFFTOX_THALL2014 | STOP, unit="mg", others=("stop",), monotone_tox=True
    ),
    "saturated": MODELS["saturated"](DOSES, unit="mg"),
    "saturated, three endpoints": MODELS["saturated"](DOSES, unit="mg", others=("stop",)),
    "saturated, prior on margins": MODELS["saturated"](DOSES, unit="mg", prior_on="margins"),
    "crm": MODELS["crm"](DOSES, (0.05, 0.2, 0.4), unit="mg"),
    "crm, logistic": MODELS["crm"](DOSES, (0.05, 0.2, 0.4), link="logistic", unit="mg"),
    "blrm": MODELS["blrm"](DOSES, 10.0, BLRM_SINGLE_AGENT, unit="mg"),
    "blrm, correlated": MODELS["blrm"](DOSES, 10.0, BLRM_SINGLE_AGENT, correlation=-0.5, unit="mg"),
}
every = pytest.mark.parametrize("name", RECIPES)


def trial(*, others: bool) -> TrialData:
    """Fourteen patients; of some only one of the pair is known."""
    rng = np.random.default_rng(4)
    frame = pd.DataFrame({"mg": rng.choice(DOSES, 40)})
    for column in ("tox", "eff", "stop"):
        frame[column] = rng.integers(0, 2, 40).astype("float")
    frame.loc[[3, 7, 8], "tox"] = np.nan
    frame.loc[[5, 7, 9, 11], "eff"] = np.nan
    more = {"other": {"stop": "stop"}} if others else {}
    roles = PatientColumns("mg", tox="tox", eff="eff", doses=DOSES, unit="mg",
                           missing={"tox": "exclude", "eff": "pending"}, **more)  # fmt: skip
    return TrialData.from_frame(frame, roles)


def test_every_registered_model_has_a_recipe_here():
    # a basket always has groups, and one dose: tests/models/test_basket.py and test_groups.py
    assert {type(r) for r in RECIPES.values()} == set(MODELS.values()) - {MODELS["basket"]}


@every
def test_likelihood_is_the_sum_of_counts_times_log_probabilities(name):
    recipe = RECIPES[name]
    data = trial(others=len(recipe.endpoints) > 2)
    model = recipe.build(data)
    joint = "p_cell" in model.named_vars  # without it, the likelihood is the sum over its margins
    assert joint == ({"tox", "eff"} <= set(recipe.endpoints))
    counts = data.counts["cell_count"].to_numpy() * joint
    constant = (gammaln(counts.sum(1) + 1) - gammaln(counts + 1).sum(1)).sum()
    likelihood = model.compile_logp(vars=model.observed_RVs)
    wanted = [*["p_cell"] * joint, *(f"p_{e}" for e in recipe.endpoints)]
    found = model.compile_fn(
        model.replace_rvs_by_values([model[v] for v in wanted]), inputs=model.value_vars
    )
    rng = np.random.default_rng(0)
    for _ in range(50):
        point = {k: v + rng.normal(0, 0.5, np.shape(v)) for k, v in model.initial_point().items()}
        values = found(point)
        each, expected = values[joint:], constant
        for p in values[:joint]:
            assert p.shape == (len(DOSES), 4)
            np.testing.assert_allclose(p.sum(axis=-1), 1, atol=1e-12)
            np.testing.assert_allclose(p[:, 2] + p[:, 3], each[0], atol=1e-12)
            np.testing.assert_allclose(p[:, 1] + p[:, 3], each[1], atol=1e-12)
            expected += (counts * np.log(p)).sum()
        for endpoint, q in zip(recipe.endpoints, each, strict=True):
            at = data.counts.sel(endpoint=endpoint)
            n, x = at["n"].to_numpy(), at["events"].to_numpy()
            if joint and endpoint in (
                "tox",
                "eff",
            ):  # the rest of the pair's patients are in the cells
                letters = {"tox": [2, 3], "eff": [1, 3]}[endpoint]
                n, x = n - counts.sum(1), x - counts[:, letters].sum(1)
            expected += (x * np.log(q) + (n - x) * np.log1p(-q)).sum()
            expected += (gammaln(n + 1) - gammaln(x + 1) - gammaln(n - x + 1)).sum()
        assert float(likelihood(point)) == pytest.approx(expected, rel=1e-10)


@every
def test_probabilities_are_registered_over_real_doses(name):
    model = RECIPES[name].build(TrialData.parse("1NNE 2EEBT 3BTE 2NE", doses=DOSES, unit="mg"))
    for endpoint in RECIPES[name].endpoints:
        assert model.named_vars_to_dims[f"p_{endpoint}"] == ("dose",)
    if {"tox", "eff"} <= set(RECIPES[name].endpoints):
        assert model.named_vars_to_dims["p_cell"] == ("dose", "cell")
    assert tuple(model.coords["dose"]) == DOSES
    assert set(RECIPES[name].priors) == {v.name for v in model.free_RVs}


@every
def test_printing_shows_every_prior_and_endpoint(name):
    text = str(RECIPES[name])
    for parameter, prior in RECIPES[name].priors.items():
        assert parameter in text
        assert str(prior) in text
    for endpoint in RECIPES[name].endpoints:
        assert f"p_{endpoint}" in text
    assert RECIPES[name].scale


@pytest.mark.parametrize(
    "kind", [k for k, m in MODELS.items() if "others" in m.__dataclass_fields__]
)
@pytest.mark.parametrize("others", [("tox",), ("cell",), ("a b",), ("stop", "stop"), ("1st",)])
def test_a_name_that_cannot_name_an_endpoint_is_refused(kind, others):
    priors = {"priors": EFFTOX_THALL2014} if kind == "efftox" else {}
    with pytest.raises(DoseOptError, match="cannot name a further endpoint"):
        MODELS[kind](doses=DOSES, others=others, **priors)
