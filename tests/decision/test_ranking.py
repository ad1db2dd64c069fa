"""Rank probabilities, pairs, regret and credible set against plain NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from doseopt_bayes.decision.criteria import best_in_each_draw
from doseopt_bayes.decision.ranking import (
    credible_set,
    expected_regret,
    pairwise,
    rank_acceptability,
    rank_doses,
)
from doseopt_bayes.errors import DoseOptError
from tests.conftest import make_posterior


def case(seed, doses=4, draws=60, *, ties=False):
    rng = np.random.default_rng(seed)
    x = rng.normal(rng.normal(size=doses), 1, (4, draws, doses))
    x = np.round(x) if ties else x
    post = make_posterior(np.full(x.shape, 0.2), np.full(x.shape, 0.5))
    u = xr.DataArray(x, dims=("chain", "draw", "dose"), coords={"dose": post.draws["dose"]})
    ok = rng.uniform(size=doses) < 0.7
    return post, u, xr.DataArray(ok, dims="dose", coords={"dose": post.draws["dose"]})


def plain(u, ok):
    """Ranks, pairs and regret draw by draw, with NumPy alone."""
    x, n = u.to_numpy().reshape(-1, len(ok)), len(ok)
    ranks, pairs, regret = np.full((n, n), np.nan), np.full((n, n), np.nan), np.full(n, np.nan)
    ranks[ok] = 0
    for i in np.flatnonzero(ok):
        others = [j for j in np.flatnonzero(ok) if j != i]
        pairs[i, others] = [
            ((x[:, i] >= x[:, j]) if i < j else (x[:, i] > x[:, j])).mean() for j in others
        ]
        regret[i] = (x[:, ok].max(1) - x[:, i]).mean()
    for row in x:
        order = sorted(np.flatnonzero(ok), key=lambda j: (-row[j], j))
        for place, j in enumerate(order):
            ranks[j, place] += 1 / len(x)
    return ranks, pairs, regret


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("seed", range(8))
def test_equals_numpy(seed, ties):
    post, u, eligible = case(seed, ties=ties)
    ranks, pairs, regret = plain(u, eligible.to_numpy())
    np.testing.assert_allclose(rank_acceptability(post, u, eligible), ranks, atol=1e-12)
    np.testing.assert_allclose(pairwise(post, u, eligible), pairs, atol=1e-12)
    np.testing.assert_allclose(expected_regret(post, u, eligible), regret, atol=1e-12)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), ties=st.booleans(), level=st.floats(0.05, 0.99))
def test_rows_and_columns_sum_to_one_and_the_set_is_the_smallest(seed, ties, level):
    post, u, eligible = case(seed, ties=ties, draws=20)
    ok, n = eligible.to_numpy(), int(eligible.sum())
    ranks = rank_acceptability(post, u, eligible)
    assert ranks.dims == ("dose", "rank")
    np.testing.assert_allclose(ranks.sum("rank").to_numpy()[ok], 1)
    np.testing.assert_allclose(ranks.sum("dose"), [1] * n + [0] * (4 - n), atol=1e-12)
    pairs = pairwise(post, u, eligible).to_numpy()
    off = np.ix_(ok, ok)
    np.testing.assert_allclose((pairs + pairs.T)[off][~np.eye(n, dtype=bool)], 1)
    first = ranks.isel(rank=0, drop=True)
    best = post.prob(best_in_each_draw(u, eligible)).where(eligible)
    np.testing.assert_allclose(first, best)
    held, mass = credible_set(post, u, eligible, level=level)
    p, size = best.fillna(0).to_numpy(), int(held.sum())
    assert not (held & ~eligible).any()
    if n:
        assert float(mass) >= level - 1e-9
        assert np.sort(p)[::-1][: size - 1].sum() < level  # no smaller set is enough
        assert float(mass) == pytest.approx(np.sort(p)[::-1][:size].sum())


def test_the_set_takes_the_lower_of_equal_doses_and_sums_decimals_well():
    p = np.zeros((4, 250, 3))
    p[:, :175, 1] = 1  # first in 0.7 of the draws
    p[:, 175:225, 0] = 1  # 0.2
    p[:, 225:, 2] = 1  # 0.1
    post = make_posterior(p, p)
    u = post["p_eff"]
    everyone = xr.ones_like(u["dose"], dtype=bool)
    held, mass = credible_set(post, u, everyone, level=0.9)  # 0.7 + 0.2 is 0.8999...
    assert held.to_numpy().tolist() == [True, True, False]
    assert float(mass) == pytest.approx(0.9)
    held, _ = credible_set(make_posterior(p * 0, p * 0), u * 0, everyone)
    assert held.to_numpy().tolist() == [True, False, False]


def test_every_number_has_its_error():
    post, u, eligible = case(1, draws=250)
    eligible = xr.ones_like(eligible)
    table = rank_doses(post, u, eligible).table
    for name in ("rank_prob", "better", "regret", "prob_obd", "set_prob"):
        error = table[f"{name}_mcse"]
        assert error.dims == table[name].dims
        assert bool((error.notnull() == table[name].notnull()).all())
    # draws are independent here: sqrt(p (1 - p) / draws)
    p = table["rank_prob"]
    np.testing.assert_allclose(
        table["rank_prob_mcse"], np.sqrt(p * (1 - p) / 1000), rtol=0.3, atol=5e-4
    )


def test_what_cannot_be_otherwise_has_no_error():
    post, u, eligible = case(2)
    one = eligible & False
    one[1] = True
    alone = rank_doses(post, u, one)
    assert float(alone.table["rank_prob"][1, 0]) == 1
    assert float(alone.table["rank_prob_mcse"].sum()) == 0
    assert float(alone.table["set_prob_mcse"]) == 0
    assert "20 (probability >0.99, MCSE <0.0001)" in str(alone)
    none = rank_doses(post, u, eligible & False)
    assert not bool(none.table["in_set"].any())
    assert float(none.table["set_prob"]) == 0
    assert str(none) == "No dose is eligible: there is no credible set."
    assert bool(none.table["rank_prob"].isnull().all())


def test_extra_dims_ride_along():
    """Two subgroups ranked at once equal each ranked alone."""
    rng = np.random.default_rng(4)
    x = rng.beta(2, 6, (4, 60, 2, 3))
    joint = make_posterior(x, x, dims=("chain", "draw", "subgroup", "dose"))
    eligible = xr.DataArray([[True, True, False], [True, True, True]], dims=("subgroup", "dose"),
                            coords={"dose": joint.draws["dose"]})  # fmt: skip
    together = rank_doses(joint, joint["p_eff"], eligible)
    assert str(together).count("\n") == 1
    for g in range(2):
        post = make_posterior(x[:, :, g], x[:, :, g])
        alone = rank_doses(post, post["p_eff"], eligible.isel(subgroup=g)).table
        for name in alone:
            if "mcse" not in str(name) or name == "regret_mcse":
                got = together.table[name].isel(subgroup=g).transpose(*alone[name].dims)
                np.testing.assert_allclose(got, alone[name], err_msg=str(name))


def test_wrong_input_is_refused():
    post, u, eligible = case(3)
    with pytest.raises(DoseOptError, match="level = 90 must lie"):
        rank_doses(post, u, eligible, level=90)
    u[0, 0, 2] = np.nan
    for ask in (rank_acceptability, pairwise, expected_regret, credible_set, rank_doses):
        with pytest.raises(DoseOptError, match=r"not a number at dose \[30\.\]"):
            ask(post, u, eligible)
