"""Hierarchy as a property of a prior: what it implies, what it refuses, how it is written in a file."""

from __future__ import annotations

import tomllib

import numpy as np
import pytest
from scipy import stats

from doseopt_bayes.errors import DoseOptError
from doseopt_bayes.priors import (
    PRIORS,
    Beta,
    Dirichlet,
    HalfNormal,
    HalfStudentT,
    LogNormal,
    Mixture,
    Normal,
    Pooled,
    StudentT,
    Unpooled,
    groupings_of,
    parameter_names,
)
from doseopt_bayes.spec.build import Builder

HALF = HalfNormal(0.5)
AXIS = Pooled(Normal(0, 2), HALF, "study")


def below(x, centre, taus):
    """Pr(a new group < x), by Gauss-Legendre quadrature over the standard deviations between groups."""
    nodes, weights = np.polynomial.legendre.leggauss(200)
    square, mass = np.zeros(1), np.ones(1)
    for tau in taus:
        top = tau.ppf(1 - 1e-10)
        t = (nodes + 1) * top / 2
        square = np.add.outer(square, t**2).ravel()
        mass = np.outer(mass, weights * top / 2 * tau.pdf(t)).ravel()
    assert mass.sum() == pytest.approx(1, abs=1e-6)
    return float(mass @ stats.norm.cdf(x, centre.mean, np.sqrt(centre.sd**2 + square)))


@pytest.mark.parametrize("q", [0.025, 0.5, 0.975])
@pytest.mark.parametrize(
    ("prior", "centre", "taus"),
    [
        (Pooled(Normal(0, 2), HALF), Normal(0, 2), [stats.halfnorm(scale=0.5)]),
        (Pooled(Normal(-1, 0.3), HalfNormal(2)), Normal(-1, 0.3), [stats.halfnorm(scale=2)]),
        (Pooled(Normal(1, 1), LogNormal(0.25, 0.7)), Normal(1, 1), [stats.lognorm(0.7, scale=0.25)]),
        (Pooled(AXIS, HalfNormal(1)), Normal(0, 2), [stats.halfnorm(scale=s) for s in (0.5, 1)]),
    ],
    ids=["moderate", "wide", "log-normal tau", "two groupings"],
)  # fmt: skip
def test_a_new_group_is_what_quadrature_says(prior, centre, taus, q):
    assert below(prior.quantile(q), centre, taus) == pytest.approx(q, abs=3e-4)


def test_a_new_group_of_a_log_normal_scatters_on_the_log_scale():
    logs = Pooled(Normal(np.log(3), 0.5), HALF)
    natural = Pooled(LogNormal(3, 0.5), HALF)
    for q in (0.025, 0.3, 0.975):
        assert natural.quantile(q) == pytest.approx(np.exp(logs.quantile(q)), rel=1e-6)
    assert natural.positive() is natural


def test_a_new_group_around_a_student_t_centre():
    prior = Pooled(StudentT(4, 1, 0.7), HALF)
    x = prior.quantile(0.9)
    m, t = np.linspace(-40, 42, 8001)[:, None], np.linspace(5e-4, 3.5, 1751)
    mass = stats.t.pdf(m, 4, 1, 0.7) * stats.halfnorm.pdf(t, scale=0.5)
    inside = (mass * stats.norm.cdf((x - m) / t)).sum() / mass.sum()
    assert inside == pytest.approx(0.9, abs=1e-3)


def test_a_group_by_itself_has_its_own_prior():
    prior = Unpooled(Normal(0, 2), "study")
    assert prior.dims == ("study",)
    assert prior.hyper("x") == ()
    assert prior.quantile(0.9) == Normal(0, 2).quantile(0.9)
    assert prior.positive() == Unpooled(Normal(0, 2, lower=0.0), "study")


def test_names_of_all_parameters_of_a_hierarchy():
    priors = {
        "a": Normal(0, 1),
        "b": Pooled(AXIS, HALF, strata={"A": "wide", "B": "narrow", "C": "wide"}),
        "c": Unpooled(Normal(0, 1)),
        "d": Pooled(Normal(0, 1), HALF),
    }
    assert parameter_names(priors) == (
        "a", "b", "b_mean", "b_mean_mean", "b_mean_tau", "b_tau_wide", "b_tau_narrow", "c", "d",
        "d_mean", "d_tau",
    )  # fmt: skip
    assert [groupings_of(p) for p in priors.values()] == [
        (), ("study", "subgroup"), ("subgroup",), ("subgroup",),
    ]  # fmt: skip


MIX = {"exchangeable": 0.5, "apart": Normal(0, 3)}
REFUSED = {
    "negative tau": (lambda: Pooled(Normal(0, 1), Normal(0, 1)), "is no prior of one"),
    "tau of no distribution": (lambda: Pooled(Normal(0, 1), StudentT(3, 0, 1)), "is no prior of one"),
    "pooled tau": (lambda: Pooled(Normal(0, 1), Pooled(LogNormal(1, 1), HALF)), "is no prior of one"),
    "unpooled tau": (lambda: Pooled(Normal(0, 1), Unpooled(HALF)), "is no prior of one"),
    "negative tau of a stratum": (
        lambda: Pooled(Normal(0, 1), HALF, strata={"A": "s"}, tau_of={"s": Normal(0, 1)}),
        "s is a standard deviation",
    ),
    "tau of a stratum that is none": (
        lambda: Pooled(Normal(0, 1), HALF, strata={"A": "s"}, tau_of={"t": HALF}), "names t, which"),
    "truncated centre": (lambda: Pooled(Normal(0, 1, lower=0), HALF), "is truncated"),
    "truncated t centre": (lambda: Pooled(StudentT(3, 0, 1, lower=0), HALF), "is truncated"),
    "unpooled centre": (lambda: Pooled(Unpooled(Normal(0, 1)), HALF), "cannot be the prior of a centre"),
    "probability as centre": (lambda: Pooled(Beta(1, 1), HALF), "cannot be the prior of a centre"),
    "cells as centre": (lambda: Pooled(Dirichlet(1, 4), HALF), "cannot be the prior of a centre"),
    "number as centre": (lambda: Pooled(0.0, HALF), "cannot be the prior of a centre"),
    "one grouping twice": (lambda: Pooled(AXIS, HALF, "study"), "over study twice"),
    "share without apart": (lambda: Pooled(Normal(0, 1), HALF, exchangeable=0.5), "`apart` is the prior"),
    "apart without share": (lambda: Pooled(Normal(0, 1), HALF, apart=Normal(0, 1)), "`apart` is the prior"),
    "own share without apart": (
        lambda: Pooled(Normal(0, 1), HALF, exchangeable_of={"A": 0.5}), "`apart` is the prior"),
    "share above 1": (lambda: Pooled(Normal(0, 1), HALF, exchangeable=1.5), "must be a probability"),
    "share not a number": (
        lambda: Pooled(Normal(0, 1), HALF, exchangeable=float("nan")), "must be a probability"),
    "share that can be negative": (
        lambda: Pooled(Normal(0, 1), HALF, exchangeable_prior=Normal(0, 1), apart=Normal(0, 1)),
        "exchangeable_prior"),
    "apart on another scale": (
        lambda: Pooled(Normal(0, 1), HALF, exchangeable=0.5, apart=LogNormal(1, 1)), "is of one group"),
    "apart that is pooled": (
        lambda: Pooled(Normal(0, 1), HALF, exchangeable=0.5, apart=Pooled(Normal(0, 1), HALF)), "is of one group"),
    "centred mixture": (lambda: Pooled(Normal(0, 1), HALF, centred=True, **MIX), "centred groups can be"),
    "centred, correlated": (
        lambda: Pooled(Normal(0, 1), HALF, centred=True, together="a"), "centred groups can be"),
    "crossed mixture": (lambda: Pooled(AXIS, HALF, **MIX), "neither may be"),
    "no lkj": (lambda: Pooled(Normal(0, 1), HALF, lkj=0), "lkj = 0 must be > 0"),
    "positive Normal": (lambda: Pooled(Normal(0, 1), HALF).positive(), "cannot be cut at 0"),
}  # fmt: skip


@pytest.mark.parametrize("fault", REFUSED)
def test_what_cannot_be_pooled_is_refused(fault):
    make, said = REFUSED[fault]
    with pytest.raises(DoseOptError) as caught:
        make()
    assert said in str(caught.value)


PRINTED = {
    "plain": (Pooled(Normal(0, 2), HALF), ["over subgroup (non-centred)", str(Normal(0, 2)), str(HALF)]),
    "centred": (Pooled(StudentT(3, 0, 1), HALF, "study", centred=True), ["over study (centred)"]),
    "strata": (
        Pooled(Normal(0, 2), HALF, strata={"A": "x", "B": "y"}, tau_of={"x": HalfStudentT(3, 1)}),
        [f"tau of stratum x ~ {HalfStudentT(3, 1)}", "strata A: x, B: y"],
    ),
    "mixture": (
        Pooled(Normal(0, 2), HALF, exchangeable=0.7, exchangeable_of={"A": 1}, apart=Normal(0, 3)),
        ["exchangeable with probability 0.7, A 1, else ~ Normal(mean 0, sd 3)"],
    ),
    "learnt": (
        Pooled(Normal(0, 2), HALF, exchangeable_prior=Beta(1, 1), apart=Normal(0, 3)),
        [f"exchangeable with probability ~ {Beta(1, 1)}, else"],
    ),
    "correlated": (Pooled(Normal(0, 2), HALF, together="both", lkj=2), ["correlated with 'both', LKJ(2)"]),
    "robust centre": (
        Pooled(Mixture((0.8, 0.2), (Normal(0, 1), Normal(0, 3))), HALF), ["mean ~ "]),
}  # fmt: skip


@pytest.mark.parametrize("case", PRINTED)
def test_everything_that_was_assumed_is_printed(case):
    prior, said = PRINTED[case]
    for words in said:
        assert words in str(prior)
    assert f"a new group 95 % within {prior.quantile(0.025):.3g}" in str(prior)


WRITTEN = """
[a]
dist = "pooled"
mean = { dist = "normal", mean = -0.5, sd = 2 }
tau = { dist = "half_student_t", df = 3, sd = 0.5 }
over = "study"
strata = { I = "old", II = "old", III = "new" }
tau_of.new = { dist = "half_normal", sd = 1 }
exchangeable = 0.8
exchangeable_of = { I = 1 }
apart = { dist = "normal", mean = 0, sd = 3 }
together = "both"
lkj = 2

[b]
dist = "pooled"
mean = { dist = "pooled", mean = { dist = "normal", mean = 0, sd = 1 }, tau = { dist = "half_normal", sd = 1 } }
tau = { dist = "root_inverse_gamma", shape = 2, scale = 20 }
over = "study"

[c]
dist = "pooled"
mean = { dist = "log_normal", median = 2, sd = 1 }
tau = { dist = "log_normal", median = 0.25, sd = 0.7 }
centred = true

[d]
dist = "unpooled"
prior = { dist = "normal", mean = 0, sd = 2 }
"""  # fmt: skip
READ = {
    "a": Pooled(
        Normal(-0.5, 2), HalfStudentT(3, 0.5), "study",
        strata={"I": "old", "II": "old", "III": "new"}, tau_of={"new": HalfNormal(1)},
        exchangeable=0.8, exchangeable_of={"I": 1}, apart=Normal(0, 3), together="both", lkj=2,
    ),
    "b": Pooled(Pooled(Normal(0, 1), HalfNormal(1)), PRIORS["root_inverse_gamma"](2, 20), "study"),
    "c": Pooled(LogNormal(2, 1), LogNormal(0.25, 0.7), centred=True),
    "d": Unpooled(Normal(0, 2)),
}  # fmt: skip


@pytest.mark.parametrize("name", READ)
def test_a_specification_says_the_same(name):
    build = Builder("spec.toml")
    found = build.kind(PRIORS, tomllib.loads(WRITTEN)[name], name, key="dist")
    assert not build.problems
    assert found == READ[name]


def test_a_fault_in_a_specification_names_its_key():
    build = Builder("spec.toml")
    text = WRITTEN.replace("exchangeable = 0.8", "exchangeable = 80").replace("sd = 0.5 }", "sd = -1 }")  # fmt: skip
    for name, parsed in tomllib.loads(text).items():
        build.kind(PRIORS, parsed, name, key="dist")
    assert [p.column for p in build.problems] == ["a.tau"]
    build = Builder("spec.toml")
    text = WRITTEN.replace("exchangeable = 0.8", "exchangeable = 80")
    assert build.kind(PRIORS, tomllib.loads(text)["a"], "a", key="dist") is None
    assert "exchangeable = 80.0 must be a probability" in build.problems[0].rule
