"""Weights of a CUI: changed, swept and drawn at random."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from doseopt_bayes.decision.cui import CUI, Attribute
from doseopt_bayes.decision.decide import decide
from doseopt_bayes.decision.rules import AnyDose, Tolerable
from doseopt_bayes.decision.smaa import dirichlet_acceptability
from doseopt_bayes.decision.utility import LpContour
from doseopt_bayes.decision.weights import sweep_weight, with_weight
from doseopt_bayes.errors import DoseOptError
from tests.conftest import make_posterior

CUI3 = CUI(
    {
        "p_eff": Attribute(3, "benefit"),
        "p_tox": Attribute(2, "harm"),
        "anchor2": Attribute(1, "benefit"),
    }
)
INDEX = CUI({"p_eff": Attribute(2, "benefit"), "p_tox": Attribute(1, "harm")})
RULES = Tolerable(0.5, certainty=0.5) & AnyDose()


def posterior(seed=1, draws=250):
    """More dose: more efficacy and more toxicity; the last dose is too toxic."""
    rng = np.random.default_rng(seed)
    centre = np.array([0.1, 0.25, 0.4, 0.7])
    p_tox = rng.beta(40 * centre, 40 * (1 - centre), (4, draws, 4))
    effect = np.array([0.3, 0.5, 0.6, 0.99])
    return make_posterior(p_tox, rng.beta(40 * effect, 40 * (1 - effect), (4, draws, 4)))


def test_other_weights_keep_their_proportions():
    changed = with_weight(CUI3, "p_tox", 0.6).weights
    assert changed == pytest.approx({"p_eff": 0.3, "p_tox": 0.6, "anchor2": 0.1})


@pytest.mark.parametrize("criterion", ["mean_utility", "utility_of_means", "max_prob_obd"])
def test_the_sweep_is_what_decide_says_at_each_weight(criterion):
    post = posterior()
    decision = decide(post, INDEX, RULES, criterion=criterion)
    grid = [0.0, 0.2, 1 / 3, 0.55, 0.8, 1.0]
    swept = sweep_weight(post, decision, "p_tox", grid=grid)
    for weight in grid:
        again = decide(post, with_weight(INDEX, "p_tox", weight), RULES, criterion=criterion)
        at = swept.sel(weight=weight)
        assert float(at["leading"]) == float(again.leading)
        np.testing.assert_allclose(at["utility"], again.table["utility"])
        np.testing.assert_allclose(at["utility_mcse"], again.table["utility_mcse"])
    assert len(set(swept["leading"].to_numpy())) > 1
    assert 40.0 not in swept["leading"]  # inadmissible, though the most useful by far


def test_acceptability_of_a_clear_case():
    post = posterior()
    found = dirichlet_acceptability(post, INDEX, decided(post), seed=3)
    ra = found["rank_acceptability"]
    np.testing.assert_allclose(ra.sum("dose").to_numpy(), [1, 1, 1, 0], atol=1e-12)
    np.testing.assert_allclose(ra.sum("rank").to_numpy(), [1, 1, 1, 0], atol=1e-12)
    assert (found["rank_acceptability_mcse"].sel(dose=40.0) == 0).all()
    known = found["central_weight"].sel(dose=[10.0, 20.0, 30.0])
    np.testing.assert_allclose(known.sum("attribute"), 1)
    assert bool(found["confidence"].sel(dose=40.0).isnull())
    # the lowest dose needs a heavy weight of toxicity, the highest admissible one a light weight
    tox = found["central_weight"].sel(attribute="p_tox")
    assert float(tox.sel(dose=10.0)) > float(tox.sel(dose=20.0)) > float(tox.sel(dose=30.0))


def decided(post):
    return decide(post, INDEX, RULES).table["admissible"]


def test_a_heavy_concentration_is_the_given_weights():
    post = posterior()
    decision = decide(post, INDEX, RULES)
    found = dirichlet_acceptability(
        post, INDEX, decision.table["admissible"], concentration=1e8, seed=1
    )
    first = found["rank_acceptability"].sel(rank=1).to_numpy()
    np.testing.assert_allclose(first, decision.table["prob_obd_admissible"], atol=2e-3)


def test_errors_are_honest_over_seeds():
    results = [
        dirichlet_acceptability(posterior(s, 100), INDEX, decided(posterior(s, 100)), n=2, seed=s)
        for s in range(30)
    ]
    for name in ("rank_acceptability", "central_weight"):
        both = xr.concat(results, dim="seed")[[name, f"{name}_mcse"]]
        if name == "rank_acceptability":
            both = both.sel(rank=1, dose=[10.0, 20.0, 30.0])
        else:
            both = both.sel(attribute="p_tox", dose=[10.0, 20.0, 30.0])
        ratio = both[name].std("seed") / both[f"{name}_mcse"].mean("seed")
        assert ((ratio > 0.7) & (ratio < 1.4)).all(), ratio


def test_same_seed_same_numbers_and_a_zero_weight_stays_zero():
    post = posterior()
    cui = CUI({"p_eff": Attribute(1, "benefit"), "p_tox": Attribute(0, "harm")})
    first, again = (
        dirichlet_acceptability(post, cui, decided(post), concentration=5, seed=9) for _ in range(2)
    )
    xr.testing.assert_identical(first, again)
    tox = first["central_weight"].sel(attribute="p_tox")
    assert (tox.fillna(0) == 0).all()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: with_weight(INDEX, "p_tx", 0.5), "did you mean 'p_tox'"),
        (lambda: with_weight(INDEX, "p_tox", 1.5), r"must lie in 0\.\.1"),
        (
            lambda: with_weight(CUI({"p_eff": Attribute(1, "benefit")}), "p_eff", 0.5),
            "all the weight",
        ),
        (lambda: smaa(n=0), "integer >= 1"),
        (lambda: smaa(seed=-1), "seed = -1"),
        (lambda: smaa(concentration=0), "must be > 0"),
        (lambda: sweep_weight(posterior(), contour(), "p_tox"), "weights are varied for a CUI"),
    ],
)
def test_refusals(call, words):
    with pytest.raises(DoseOptError, match=words):
        call()


def smaa(**given):
    post = posterior(draws=20)
    return dirichlet_acceptability(post, INDEX, decided(post), **{"seed": 1, **given})


def contour():
    return decide(posterior(), LpContour(0.5, 0.65, (0.7, 0.25)), RULES)
