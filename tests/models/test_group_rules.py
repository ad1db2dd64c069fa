"""Groups of patients in a model: what counts once, what changes nothing, and what is refused."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.special import expit

from doseopt_bayes.data import CountColumns, PatientColumns, TrialData
from doseopt_bayes.errors import DoseOptError
from doseopt_bayes.models import Basket, EffTox
from doseopt_bayes.priors import Normal, Pooled, Unpooled
from tests.models.test_groups import (
    DOSES,
    GROUPS,
    HALF,
    LEVELS,
    MIXED,
    PLAIN,
    QUICK,
    X,
    frame,
    numbers,
    points,
    trial,
)

TOGETHER = """subgroup,dose,n_tox,tox,n_eff,eff
A,10,,,8,2
A,20,,,6,3
B,10,,,9,1
B,20,,,7,5
C,10,,,1,0
all,10,18,4,,
all,20,13,6,,
"""


def together():
    from io import StringIO  # noqa: PLC0415

    roles = CountColumns("dose", tox="tox", n_tox="n_tox", eff="eff", n_eff="n_eff", doses=DOSES, unit="mg",
                         groups={"subgroup": "subgroup"}, group_levels=GROUPS, together="all")  # fmt: skip
    return TrialData.from_counts(pd.read_csv(StringIO(TOGETHER)), roles)


def test_outcomes_of_all_groups_together_count_once():
    own = {"eff_intercept": Pooled(PLAIN["eff_intercept"], HALF)}
    model = EffTox(DOSES, PLAIN | own, groups=GROUPS).build(together())
    logp = model.compile_logp(vars=model.observed_RVs, **QUICK)
    for values, _, point in points(model):
        tox = expit(values["tox_intercept"] + values["tox_slope"] * X)
        wanted = stats.binom.logpmf([4, 6, 0], [18, 13, 0], tox).sum()
        at = (
            values["eff_intercept_mean"]
            + values["eff_intercept_tau"] * values["eff_intercept_offset"]
        )
        eff = expit(at[:, None] + values["eff_slope"] * X + values["eff_curvature"] * X**2)
        n, r = [[8, 6, 0], [9, 7, 0], [1, 0, 0]], [[2, 3, 0], [1, 5, 0], [0, 0, 0]]
        assert float(logp(point)) == pytest.approx(wanted + stats.binom.logpmf(r, n, eff).sum())


def test_outcomes_of_all_groups_together_cannot_tell_groups_apart():
    own = {"tox_slope": Pooled(PLAIN["tox_slope"], HALF)}
    with pytest.raises(DoseOptError, match="tox is known for all groups together only"):
        EffTox(DOSES, PLAIN | own, groups=GROUPS).build(together())
    efficacy = Basket(10.0, Pooled(Normal(0, 1), HALF), GROUPS, unit="mg")
    with pytest.raises(DoseOptError, match="candidate doses"):
        efficacy.build(together())


def test_data_of_other_groups_are_refused():
    data = trial()
    with pytest.raises(DoseOptError, match=r"subgroup 'C', which EffTox does not name"):
        EffTox(DOSES, PLAIN, groups={"subgroup": ("A", "B")}).build(data)
    with pytest.raises(DoseOptError, match="do not say to which study a patient belongs"):
        EffTox(DOSES, PLAIN, groups={"study": ("I", "II")}).build(data)
    with pytest.raises(DoseOptError, match="do not say to which subgroup"):
        EffTox(DOSES, PLAIN, groups=GROUPS).build(data.ungrouped())
    more = EffTox(DOSES, PLAIN, groups={"subgroup": (*LEVELS, "D")})
    assert more.build(data)["p_tox"].eval().shape == (4, 3)  # a level without patients


FAULTS = {
    "no such grouping": ({"eff_slope": Pooled(Normal(0, 1), HALF, "tumour")}, GROUPS, "over 'tumour'"),
    "no grouping": ({"eff_slope": Unpooled(Normal(0, 1))}, {}, "no grouping of the model"),
    "twice": ({}, {"subgroup": ("A", "A")}, "name each pre-specified group once"),
    "blank": ({}, {"subgroup": ("A", " ")}, "name each pre-specified group once"),
    "no level": ({}, {"subgroup": ()}, "name each pre-specified group once"),
    "reserved": ({}, {"dose": ("A", "B")}, "cannot name a grouping"),
    "no name": ({}, {"tumour type": ("A", "B")}, "cannot name a grouping"),
    "level of exchangeable_of": (
        {"eff_slope": Pooled(Normal(0, 1), HALF, exchangeable_of={"a": 0.5}, apart=Normal(0, 1))},
        GROUPS, "names the subgroup 'a'"),
    "level of strata": (
        {"eff_slope": Pooled(Normal(0, 1), HALF, strata=dict.fromkeys((*LEVELS, "D"), "s"))}, GROUPS,
        "names the subgroup 'D'"),
    "strata incomplete": (
        {"eff_slope": Pooled(Normal(0, 1), HALF, strata={"A": "s", "B": "s"})}, GROUPS, "no stratum for C"),
    "two shares": (
        {n: Pooled(Normal(0, 1), HALF, exchangeable=w, apart=Normal(0, 1))
         for n, w in (("eff_slope", 0.5), ("tox_slope", 0.6))}, GROUPS, "different probabilities"),
    "mixture of two groupings": (
        {"eff_slope": Pooled(Normal(0, 1), HALF, **MIXED)}, GROUPS | {"study": ("I", "II")},
        "takes one grouping"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_groups_that_cannot_be_are_refused_when_the_model_is_written(fault):
    own, groups, said = FAULTS[fault]
    with pytest.raises(DoseOptError) as caught:
        EffTox(DOSES, PLAIN | own, groups=groups)
    assert said in str(caught.value)


def test_a_correlation_needs_two_parameters_over_one_grouping():
    own = {"eff_slope": Pooled(Normal(0, 1), HALF, together="a")}
    with pytest.raises(DoseOptError, match="at least two"):
        EffTox(DOSES, PLAIN | own, groups=GROUPS).build(trial())


def densities(recipe, data, point_of, n=4):
    """Log densities of a model at points of another, by name."""
    model = recipe.build(data)
    logp = model.compile_logp(**QUICK)
    return [float(logp(p)) for p in itertools.islice(point_of, n)]


def random_points(model, seed, n=4):
    rng = np.random.default_rng(seed)
    start = model.initial_point()
    return [{k: v + rng.normal(0, 0.6, np.shape(v)) for k, v in start.items()} for _ in range(n)]


def test_an_ungrouped_model_adds_all_groups_up():
    model = EffTox(DOSES, PLAIN, unit="mg")
    data = trial()
    at = random_points(model.build(data), 1)
    alone = trial(())
    assert densities(model, data, at) == densities(model, alone, at)
    study = EffTox(DOSES, PLAIN | {"eff_slope": Pooled(Normal(0, 1), HALF, "study")}, groups={"study": ("I", "II")})  # fmt: skip
    at = random_points(study.build(trial(("study",))), 2)
    two = trial(("subgroup", "study"))
    assert densities(study, two, at) == pytest.approx(
        densities(study, trial(("study",)), at), rel=1e-12
    )


def test_full_pooling_is_the_ungrouped_model_of_all_patients():
    """Up to the number of ways in which patients fall into groups, which no parameter changes."""
    data = trial()
    one, grouped = EffTox(DOSES, PLAIN), EffTox(DOSES, PLAIN, groups=GROUPS)
    at = random_points(one.build(data), 3, 6)
    gap = np.subtract(densities(one, data, at, 6), densities(grouped, data, at, 6))
    np.testing.assert_allclose(gap, gap[0], atol=1e-9)
    n, d = data.ungrouped().counts, data.counts
    ways = [stats.multinomial.logpmf(c.to_numpy(), c.sum("cell").to_numpy(), [0.25] * 4).sum()
            for c in (n["cell_count"], d["cell_count"])]  # fmt: skip
    assert gap[0] == pytest.approx(ways[0] - ways[1] + margin_ways(n) - margin_ways(d))


def margin_ways(counts):
    dims = [g for g in ("subgroup",) if g in counts.dims]
    _, only = numbers(counts, dims)
    return sum(stats.binom.logpmf(x, n, 0.5).sum() for n, x in only.values())


SHUFFLED = EffTox(
    DOSES, PLAIN | {"eff_intercept": Pooled(Normal(0, 2), HALF), "tox_slope": Unpooled(Normal(0, 1))}, groups=GROUPS,
)  # fmt: skip


@settings(max_examples=5, deadline=None)
@given(order=st.permutations(range(3)), seed=st.integers(0, 10**6))
def test_the_order_and_the_names_of_groups_change_nothing(order, seed):
    table = frame(seed, 30)
    names = ["second", "first", "third"]
    new = [names[i] for i in range(3)]
    renamed = table.assign(subgroup=table["subgroup"].map(dict(zip(LEVELS, new, strict=True))))
    levels = tuple(new[i] for i in order)
    other = EffTox(DOSES, dict(SHUFFLED.priors), groups={"subgroup": levels})
    roles = PatientColumns(
        "mg", tox="tox", eff="eff", doses=DOSES, unit="mg", missing={"tox": "exclude", "eff": "pending"},
        groups={"subgroup": "subgroup"}, group_levels={"subgroup": levels[::-1]},
    )  # fmt: skip
    data, moved = (
        trial(table=table),
        TrialData.from_frame(renamed.sample(frac=1, random_state=1), roles),
    )
    (point,) = random_points(SHUFFLED.build(data), seed, 1)
    there = {k: v[list(order)] if np.ndim(v) else v for k, v in point.items()}
    found = densities(SHUFFLED, data, [point]) + densities(other, moved, [there])
    assert found[0] == pytest.approx(found[1], rel=1e-12)
