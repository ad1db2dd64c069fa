"""Shrinkage and borrowed patients against the Betas they are read from."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from scipy import stats

from doseopt_bayes.decision.pooling import pooling
from doseopt_bayes.errors import DoseOptError
from doseopt_bayes.inference.posterior import Posterior
from tests.decision.subgroup_cases import EVENTS, LEVELS, VERDICT, N, conjugate, particles

MORE = {"n": N + 30, "tox": EVENTS["tox"] + 12, "eff": EVENTS["eff"] + 10}  # 30 borrowed patients


def hierarchical(seed=1, draws=1000, levels=LEVELS, doses=(200.0, 800.0)):
    """Draws as if 30 patients had been borrowed in each cell, beside the true counts."""
    post = conjugate(
        MORE["n"], {e: MORE[e] for e in EVENTS}, seed=seed, draws=draws, levels=levels, doses=doses
    )
    tree = post.tree.copy()
    tree["seen"] = conjugate(levels=levels, doses=doses, draws=2).tree["seen"]
    return Posterior(tree, post.parameters, VERDICT)


def as_one(seed=7, draws=1000):
    """All subgroups as one: no grouping in the draws."""
    n, events = N.sum(0, keepdims=True), {e: x.sum(0, keepdims=True) for e, x in EVENTS.items()}
    one = conjugate(n, events, levels=["all"], seed=seed, draws=draws)
    return one.at(subgroup="all")


def exact(n, events):
    """(subgroup, dose, endpoint): a and a + b of the Betas."""
    return (
        np.stack([1 + events[e] for e in EVENTS], axis=-1),
        np.stack([2 + n] * len(EVENTS), axis=-1),
    )


def test_effective_patients_are_the_size_of_the_beta():
    table = pooling(hierarchical(draws=4000), conjugate(seed=2, draws=4000)).table
    for name, n in (("patients", MORE["n"]), ("patients_apart", N)):
        size = np.stack([2 + n] * 2, axis=-1)
        assert (abs(table[name] - size) < 4 * table[f"{name}_mcse"]).all()
    assert (abs(table["borrowed"] - 30) < 4 * table["borrowed_mcse"]).all()
    assert "shrinkage" not in table


@pytest.mark.slow
def test_errors_of_effective_patients_are_honest():
    """Over 150 seeds, the standardised error behaves like a standard normal."""
    z = []
    for seed in range(150):
        table = pooling(hierarchical(seed, draws=250), conjugate(seed=1000 + seed, draws=250)).table
        z.append(((table["borrowed"] - 30) / table["borrowed_mcse"]).to_numpy().ravel())
    z = np.concatenate(z)
    assert 0.85 < z.std() < 1.15
    assert abs(z.mean()) < 0.25  # the moments are biased by the order of 1 / draws


@pytest.mark.slow
def test_shrinkage_is_the_share_of_the_way_and_its_error_is_honest():
    a, size = exact(MORE["n"], MORE)
    a_apart, size_apart = exact(N, EVENTS)
    a_one, size_one = exact(N.sum(0), {e: x.sum(0) for e, x in EVENTS.items()})
    apart, one = a_apart / size_apart, a_one / size_one
    truth = (a / size - apart) / (one - apart)
    real = abs(one - apart) > 0.02  # ends that are the same have no way between them
    assert real.sum() == 6
    z = []
    for seed in range(100):
        table = pooling(
            hierarchical(seed), conjugate(seed=1000 + seed), as_one(seed=2000 + seed)
        ).table
        kept = table["resolved"].to_numpy()
        miss = (table["shrinkage"] - truth) / table["shrinkage_mcse"]
        assert kept[real].all()
        z.append(miss.to_numpy()[real])
        assert table["shrinkage"].isnull().to_numpy()[~kept].all()
    z = np.concatenate(z)
    assert 0.8 < z.std() < 1.2


def test_two_ends_that_are_the_same_leave_shrinkage_unresolved():
    found = pooling(hierarchical(), conjugate(seed=2), conjugate(seed=3))
    assert not found.table["resolved"].any()
    assert found.table["shrinkage"].isnull().all()
    assert found.table["shrinkage_mcse"].isnull().all()
    assert str(found).count("how far it was shrunk is not resolved") == 8


def test_a_fully_pooled_fit_may_have_no_grouping_or_the_same_value_at_each_level():
    one = as_one()
    wide = one.tree.copy()
    wide["posterior"] = xr.DataTree(
        one.draws[["p_tox", "p_eff"]].expand_dims(subgroup=list(LEVELS)).copy()
    )
    first = pooling(hierarchical(), conjugate(seed=2), one).table
    again = pooling(hierarchical(), conjugate(seed=2), Posterior(wide, (), VERDICT)).table
    xr.testing.assert_allclose(first, again)


def test_rates_are_exact_and_nobody_has_none():
    n, x = N.copy(), {e: v.copy() for e, v in EVENTS.items()}
    n[1, 1], x["tox"][1, 1], x["eff"][1, 1] = 0, 0, 0
    x["eff"][1, 0] = 0
    post = conjugate(n, x)
    table = pooling(post, conjugate(n, x, seed=2)).table
    for g in range(2):
        for j in range(2):
            for e in x:
                at = table.isel(subgroup=g, dose=j).sel(endpoint=e)
                assert (int(at["events"]), int(at["n"])) == (x[e][g, j], n[g, j])
                if not n[g, j]:
                    assert bool(at[["rate", "rate_low", "rate_high"]].to_array().isnull().all())
                    continue
                ci = stats.binomtest(int(x[e][g, j]), int(n[g, j])).proportion_ci(method="exact")
                np.testing.assert_allclose([at["rate_low"], at["rate_high"]], ci)
    assert "mBCC, 800 mg, toxicity: nobody observed" in str(pooling(post, conjugate(n, x, seed=2)))


def test_estimates_are_those_of_the_fits_and_weighted_particles_do_as_well():
    post, apart = hierarchical(), particles(conjugate(seed=2))
    table = pooling(post, apart).table
    np.testing.assert_allclose(table["mean"].sel(endpoint="eff"), post.expect(post["p_eff"]))
    np.testing.assert_allclose(
        table["low_apart"].sel(endpoint="tox"), apart.quantile(apart["p_tox"], 0.025)
    )
    errors = [v for v in table if str(v).endswith("_mcse")]
    assert all((table[v] > 0).all() for v in errors)
    assert {f"{v}_mcse" for v in ("mean", "low", "high", "mean_apart", "borrowed")} <= set(errors)


def test_the_probability_to_be_exchangeable_is_its_mean_over_the_draws():
    post = hierarchical()
    group = post.tree["posterior"].to_dataset()
    draws = np.random.default_rng(1).beta([8, 2], [2, 8], (4, 1000, 2))
    group["prob_exchangeable"] = (("chain", "draw", "subgroup"), draws)
    tree = post.tree.copy()
    tree["posterior"] = xr.DataTree(group)
    found = pooling(Posterior(tree, post.parameters, VERDICT), conjugate(seed=2))
    np.testing.assert_allclose(found.table["exchangeable"], draws.mean((0, 1)))
    assert (
        abs(found.table["exchangeable"] - [0.8, 0.2]) < 4 * found.table["exchangeable_mcse"]
    ).all()
    assert "laBCC: exchangeable with the others with probability 0.80" in str(found)


def test_sentences_say_what_was_seen_moved_and_borrowed():
    said = str(pooling(hierarchical(), conjugate(seed=2), as_one()))
    line = next(s for s in said.split("\n") if s.startswith("mBCC, 200 mg, efficacy: 1/13"))
    assert "of the way (MCSE" in line
    assert "effective patients" in line
    assert "borrowed (MCSE" in line
    assert "m (1 - m) / v - 1" in said
    assert "not resolved from none" not in said
    nothing = str(pooling(conjugate(seed=3), conjugate(seed=2)))
    assert nothing.count("not resolved from none") >= 7  # of 8; 3 errors are not all of chance


def test_fits_of_other_levels_doses_or_groupings_are_refused():
    with pytest.raises(DoseOptError, match="'apart' has other levels of subgroup"):
        pooling(hierarchical(), conjugate(levels=("laBCC", "other")))
    with pytest.raises(DoseOptError, match="other levels of dose"):
        pooling(hierarchical(), conjugate(doses=(200.0, 400.0)))
    with pytest.raises(DoseOptError, match="nothing was pooled"):
        pooling(as_one(), as_one())
