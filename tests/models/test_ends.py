"""The two ends of a hierarchy, and another spread between its groups."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

import doseopt_bayes as dob
from doseopt_bayes.errors import DoseOptError
from doseopt_bayes.inference.fingerprint import fingerprint
from doseopt_bayes.models.ends import FULL, NONE, ends_of, pools, scaled_heterogeneity
from doseopt_bayes.priors import HalfNormal as Half
from doseopt_bayes.priors import HalfStudentT, LogNormal, Normal, Pooled, Unpooled

GROUPS = {"subgroup": ("A", "B")}
PLAIN = {"tox_intercept": Normal(0, 1), "tox_slope": LogNormal(0.5, 0.7), "eff_slope": Normal(0, 1),
         "eff_curvature": Normal(0, 0.1), "association": Normal(0, 1)}  # fmt: skip


def efftox(intercept, groups=GROUPS):
    return dob.EffTox((200, 800), {**PLAIN, "eff_intercept": intercept}, unit="mg", groups=groups)


def test_no_pooling_has_the_prior_that_the_hierarchy_gives_one_group():
    model = efftox(Pooled(Normal(-0.7, 0.5), HalfStudentT(5, 1)))
    own = dob.with_pooling(model, "none").priors["eff_intercept"]
    rng = np.random.default_rng(1)
    draws = rng.normal(-0.7, 0.5, 400_000) + abs(
        stats.t(5).rvs(400_000, random_state=rng)
    ) * rng.normal(size=400_000)
    assert isinstance(own, Unpooled)
    for q in (0.025, 0.5, 0.975):
        assert own.quantile(q) == pytest.approx(np.quantile(draws, q), abs=0.03)
    kept = dob.with_pooling(model, "none").priors
    assert {k: kept[k] for k in PLAIN} == PLAIN


def test_full_pooling_is_one_number_with_the_prior_of_the_centre():
    model = efftox(Pooled(Normal(-0.7, 1.65), Half(0.5)))
    whole = dob.with_pooling(model, "full")
    assert whole.priors["eff_intercept"] == Normal(-0.7, 1.65)
    assert whole.groups == model.groups


def test_a_mixture_is_apart_and_a_positive_parameter_stays_positive():
    mixed = Pooled(Normal(0, 1), Half(0.5), exchangeable=0.5, apart=Normal(-1, 2))
    assert dob.with_pooling(efftox(mixed), "none").priors["eff_intercept"] == Unpooled(
        Normal(-1, 2)
    )
    slope = Pooled(LogNormal(0.5, 0.4), Half(0.3))
    model = dob.EffTox((200, 800), {**PLAIN, "eff_intercept": Normal(0, 1), "tox_slope": slope},
                       monotone_tox=True, groups=GROUPS)  # fmt: skip
    own = dob.with_pooling(model, "none").priors["tox_slope"].prior
    assert isinstance(own, LogNormal)
    assert own.median == pytest.approx(0.5, rel=1e-4)
    assert own.sd > 0.4
    assert dob.with_pooling(model, "full").priors["tox_slope"] == LogNormal(0.5, 0.4)


def test_crossed_groupings_stand_alone_in_each_combination():
    groups = {"region": ("EU", "US", "JP"), "subgroup": ("A", "B")}
    crossed = Pooled(Pooled(Normal(0, 1), Half(0.5), "region"), Half(0.5), "subgroup")
    model = dob.Basket(400, crossed, groups)
    none, full = (dob.with_pooling(model, k) for k in ("none", "full"))
    assert none.prior.dims == ("region", "subgroup")
    assert "Unpooled over region x subgroup" in str(none)
    assert full.prior == Normal(0, 1)
    built = none.build(dob.TrialData.empty((400,), groups=groups))
    assert built["log_odds"].type.shape in ((3, 2), (None, None))
    assert [v.name for v in built.free_RVs] == ["log_odds"]


def test_what_pools_nothing_has_no_ends():
    model = efftox(Normal(0, 1))
    assert not pools(model)
    assert ends_of(model) == {}
    with pytest.raises(DoseOptError, match="no parameter is pooled"):
        dob.with_pooling(model, "none")
    with pytest.raises(DoseOptError, match="one of none, full"):
        dob.with_pooling(efftox(Pooled(Normal(0, 1), Half(0.5))), "some")


def test_a_label_of_the_users_own_is_kept():
    model = efftox(Pooled(Normal(0, 1), Half(0.5)))
    assert tuple(ends_of(model)) == (NONE, FULL)
    assert tuple(ends_of(model, {NONE: model})) == (FULL,)


def test_every_tau_is_scaled_and_one_program_serves_every_factor():
    strata = Pooled(Normal(0, 1), Half(0.5), strata={"A": "x", "B": "y"}, tau_of={"x": Half(0.1)})
    model = efftox(strata)
    data = dob.TrialData.empty((200, 800), "mg", groups=GROUPS)
    two, four = (scaled_heterogeneity(model, f) for f in (2.0, 4.0))
    prior = two.priors["eff_intercept"]
    assert prior.tau.quantile(0.5) == pytest.approx(2 * Half(0.5).quantile(0.5))
    assert prior.tau_of["x"].quantile(0.5) == pytest.approx(2 * Half(0.1).quantile(0.5))
    assert prior.mean == Normal(0, 1)
    assert str(two) != str(four)
    assert fingerprint(two.build(data)) == fingerprint(four.build(data))
    for wrong in (0.0, -1.0, 0.33333, float("inf")):
        with pytest.raises(DoseOptError, match="whole thousandths"):
            scaled_heterogeneity(model, wrong)
    with pytest.raises(DoseOptError, match="no prior of how much"):
        scaled_heterogeneity(efftox(Normal(0, 1)), 2.0)
