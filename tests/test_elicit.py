"""Elicited priors reach what was stated, by an independent computation, or say that they do not."""

from __future__ import annotations

import itertools
import math
import tomllib

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from scipy import integrate, stats
from scipy.optimize import minimize
from scipy.special import expit

import doseopt_bayes as dob
from doseopt_bayes.elicit.curve import Curve, beta_ess, centred, logit_normal
from doseopt_bayes.priors import HalfNormal, LogNormal, Normal, StudentT
from doseopt_bayes.spec.build import Builder

# Thall et al. (2014), doi 10.1177/1740774514547397, as in the example of trialr R/get_efftox_priors.R
DOSES = (1.0, 2.0, 4.0, 6.6, 10.0)
P_TOX = (0.02, 0.04, 0.06, 0.08, 0.10)
P_EFF = (0.2, 0.4, 0.6, 0.8, 0.9)
PUBLISHED = {"tox_intercept": (-7.9593, 3.5487), "tox_slope": (1.5482, 3.5018),
             "eff_intercept": (0.7367, 2.5423), "eff_slope": (3.4181, 2.4406)}  # fmt: skip
X = np.log(DOSES) - np.log(DOSES).mean()
QUICK = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def thall(**changes) -> dob.Elicited:
    asked = {"p_tox": P_TOX, "p_eff": P_EFF, "ess_tox": 0.9, "ess_eff": 0.9}
    return dob.priors_from_ess(changes.pop("doses", DOSES), **{**asked, **changes})


@pytest.fixture(scope="module")
def found() -> dob.Elicited:
    return thall()


# --- from effective sample size


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_priors_come_out(found, name):
    (m, s), prior = PUBLISHED[name], found.priors[name]
    v = s**2 + prior.sd**2
    distance = (m - prior.mean) ** 2 / v / 4 + math.log(v / (2 * s * prior.sd)) / 2
    assert distance < 1e-3  # Bhattacharyya; the published search was stochastic, 0.05 would do
    assert (prior.mean, prior.sd) == pytest.approx((m, s), abs=0.07)


def objective(v: np.ndarray, target: tuple[float, ...], bend: np.ndarray) -> float:
    """The published objective of one endpoint over given z (trialr R/get_efftox_priors.R)."""
    p = expit(v[0] + v[1] * Z[0] + (v[2] + v[3] * Z[1]) * X + bend * X**2)
    m, s = p.mean(axis=1), p.std(axis=1, ddof=1)
    a = (1 - m) * (m / s) ** 2 - m
    ess = np.mean(a + a * (1 - m) / m)
    return float(((m - target) ** 2).sum() + 0.1 * (ess - 0.9) ** 2 + 0.2 * (v[1] - v[3]) ** 2)


Z = stats.norm.ppf(stats.qmc.Sobol(3, rng=np.random.default_rng(1)).random(2**14)).T
X = X[:, None]


@pytest.mark.parametrize(("endpoint", "target"), [("tox", P_TOX), ("eff", P_EFF)])
def test_a_sampled_search_of_the_published_objective_finds_nothing_better(found, endpoint, target):
    bend = 0.2 * Z[2] if endpoint == "eff" else 0 * Z[2]
    here = np.array([x for part in ("intercept", "slope")
                     for x in (found.priors[f"{endpoint}_{part}"].mean, found.priors[f"{endpoint}_{part}"].sd)])  # fmt: skip
    value = objective(here, target, bend)
    search = minimize(objective, here, (target, bend), method="Nelder-Mead",
                      options={"maxfev": 250})  # fmt: skip
    assert value == pytest.approx(search.fun, abs=2e-5)
    published = [x for name, pair in PUBLISHED.items() if name.startswith(endpoint) for x in pair]
    assert value <= objective(np.array(published), target, bend)


def test_stated_moments_agree_with_fresh_draws(found):
    rng, n = np.random.default_rng(20260101), 400_000
    draw = {k: rng.normal(p.mean, p.sd, n) for k, p in found.priors.items()}
    for endpoint in ("tox", "eff"):
        curve = draw[f"{endpoint}_intercept"] + draw[f"{endpoint}_slope"] * X
        if endpoint == "eff":
            curve = curve + draw["eff_curvature"] * X**2
        p, here = expit(curve), found.table.sel(endpoint=endpoint)
        mcse = p.std(axis=1) / math.sqrt(n)
        assert np.all(np.abs(p.mean(axis=1) - here["mean"]) < 5 * mcse)
        assert p.std(axis=1) == pytest.approx(here["sd"].to_numpy(), rel=0.01)
        size = beta_ess(p.mean(axis=1), p.std(axis=1)).mean()
        assert size == pytest.approx(found.ess[endpoint], rel=0.01)
        for side, q in (("low", 0.025), ("median", 0.5), ("high", 0.975)):
            below = np.mean(p < here[side].to_numpy()[:, None], axis=1)
            assert below == pytest.approx(np.full(5, q), abs=5 * math.sqrt(q * (1 - q) / n))


@pytest.mark.parametrize(
    ("mean", "sd"), [(0, 0.01), (-3, 1), (2, 5), (-8, 3.5), (-10, 30), (40, 60)]
)
def test_moments_agree_with_adaptive_quadrature(mean, sd):
    def moment(k: int) -> float:
        at = -mean / sd  # where the curve turns
        knots = sorted({-12.0, 12.0, float(np.clip(at, -12, 12)), float(np.clip(at - 0.3, -12, 12)),
                        float(np.clip(at + 0.3, -12, 12))})  # fmt: skip
        return sum(
            integrate.quad(lambda z: expit(mean + sd * z) ** k * stats.norm.pdf(z), a, b,
                           epsabs=1e-13, epsrel=1e-12, limit=400)[0]
            for a, b in itertools.pairwise(knots)
        )  # fmt: skip

    (m,), (s,) = logit_normal(np.array([float(mean)]), np.array([float(sd)]))
    assert m == pytest.approx(moment(1), abs=1e-9)
    assert s**2 == pytest.approx(moment(2) - moment(1) ** 2, abs=1e-9)


@given(a=st.floats(0.1, 50), b=st.floats(0.1, 50))
def test_size_of_a_beta_is_the_sum_of_its_parameters(a, b):
    beta = stats.beta(a, b)
    assert beta_ess(np.array([beta.mean()]), np.array([beta.std()]))[0] == pytest.approx(a + b)


@QUICK
@given(order=st.permutations(range(5)), unit=st.sampled_from([1.0, 1000.0]))
def test_order_and_unit_of_doses_change_nothing(found, order, unit):
    again = thall(
        doses=[unit * DOSES[i] for i in order],
        p_tox=[P_TOX[i] for i in order],
        p_eff=[P_EFF[i] for i in order],
    )
    for name, prior in found.priors.items():
        assert (again.priors[name].mean, again.priors[name].sd) == pytest.approx(
            (prior.mean, prior.sd), rel=1e-4, abs=1e-6
        )
    assert again.table["target"].to_numpy().tolist() == found.table["target"].to_numpy().tolist()


@QUICK
@given(
    p=st.lists(st.floats(0.02, 0.95), min_size=2, max_size=5).map(sorted),
    small=st.floats(0.1, 5),
    factor=st.floats(1.1, 3),
)
def test_reached_size_rises_with_the_requested_one(p, small, factor):
    doses = [10.0 * (j + 1) for j in range(len(p))]
    reached = [
        dob.priors_from_ess(doses, p_tox=p, p_eff=p, ess_tox=ess, ess_eff=ess).ess
        for ess in (small, small * factor)
    ]
    for endpoint in ("tox", "eff"):
        assert reached[0][endpoint] < reached[1][endpoint]


def test_two_doses_are_met_exactly():
    found = dob.priors_from_ess((10, 20), p_tox=(0.1, 0.3), p_eff=(0.2, 0.5), ess_tox=1, ess_eff=1)
    assert found.table["mean"].to_numpy() == pytest.approx(
        found.table["target"].to_numpy(), abs=1e-5
    )
    assert found.ess == pytest.approx({"tox": 1, "eff": 1}, abs=1e-4)
    assert found.notes == ()


def test_the_same_every_time(found):
    assert thall().to_toml() == found.to_toml()


def test_what_is_not_reached_or_not_advised_is_said(found):
    said = "\n".join(found.notes)
    assert "the mean at dose 4 is 0.026, 0.06 was stated" in said
    assert "from 0.048 at dose 1 to 0.023 at dose 2" in said
    assert "0.3 to 1" not in said
    said = "\n".join(thall(ess_tox=3, ess_eff=0.1).notes)
    assert "p_tox: effective sample size 3 is outside 0.3 to 1" in said
    assert "outweigh the first patients" in said
    assert "p_eff: effective sample size 0.1 is outside" in said
    assert "p_eff: effective sample size 0.109 is reached, 0.1 was asked" in said


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"p_tox": (0.0, 0.04, 0.06, 0.08, 0.10)}, "p_tox = .* strictly between 0 and 1"),
        ({"p_eff": (0.2, 0.4, 0.6, 0.8, 1.0)}, "p_eff = .* strictly between 0 and 1"),
        ({"p_eff": (0.2, 0.4, 0.6, 0.8, math.nan)}, "p_eff = .* strictly between"),
        ({"p_tox": (0.1, 0.2)}, "p_tox has 2 values for 5 doses"),
        ({"doses": (0, 2, 4, 6.6, 10)}, "must be > 0"),
        ({"doses": (2, 2, 4, 6.6, 10)}, "each once"),
        ({"ess_tox": 0}, "ess_tox = 0 must be a number of patients"),
        ({"ess_eff": -1.0}, "ess_eff = -1.0"),
        ({"ess_eff": 20.5}, "from 0.1 to 20"),
        ({"ess_eff": math.nan}, "ess_eff = nan"),
        ({"ess_eff": True}, "ess_eff = True"),
        ({"eff_curvature": StudentT(5, 0, 1)}, "not truncated"),
        ({"eff_curvature": Normal(0, 1, lower=0)}, "not truncated"),
    ],
)  # fmt: skip
def test_statements_that_cannot_be_are_refused(changes, said):
    with pytest.raises(dob.DoseOptError, match=said):
        thall(**changes)


# --- from quantiles


def stated(tox=None, eff=None, **more) -> dob.Elicited:
    tox = tox or {15: (0.005, 0.2), 30: (0.02, 0.25)}
    eff = eff or {15: (0.05, 0.30), 45: (0.20, 0.60)}
    return dob.priors_from_quantiles((15, 30, 45), p_tox=tox, p_eff=eff, **more)


def test_stated_intervals_are_reached():
    found = stated()
    for side in ("low", "high"):
        given_ = found.table[f"stated_{side}"]
        miss = np.abs(found.table[side] - given_).where(given_.notnull(), 0)
        assert float(miss.max()) < 1e-5
    assert int(found.table["stated_low"].notnull().sum()) == 4
    assert any("p_eff: the intercept is nearly known" in n for n in found.notes)


def test_reached_intervals_hold_their_probability_in_fresh_draws():
    found, rng, n = stated(level=0.8), np.random.default_rng(7), 200_000
    draw = {k: rng.normal(p.mean, p.sd, n) for k, p in found.priors.items()}
    x = math.log(45) - np.log([15, 30, 45]).mean()
    p = expit(draw["eff_intercept"] + draw["eff_slope"] * x + draw["eff_curvature"] * x**2)
    assert np.mean(p < 0.2) == pytest.approx(0.1, abs=0.004)
    assert np.mean(p > 0.6) == pytest.approx(0.1, abs=0.004)


@given(
    m0=st.floats(-4, 3),
    m1=st.floats(-2, 4),
    s0=st.floats(0.2, 2),
    q=st.floats(0.15, 8),
    curvature=st.sampled_from([Normal(0.0, 0.2), Normal(-0.3, 0.05)]),
    level=st.sampled_from([0.5, 0.9, 0.95]),
    two=st.sampled_from([(10.0, 25.0), (10.0, 100.0), (50.0, 100.0)]),
)
def test_a_prior_comes_back_from_its_own_quantiles(m0, m1, s0, q, curvature, level, two):
    doses = (10.0, 25.0, 50.0, 100.0)
    _, x = centred(doses)
    true = Curve(Normal(m0, s0), Normal(m1, s0 * q), curvature)
    low, high = (true.quantile(x, t) for t in ((1 - level) / 2, (1 + level) / 2))
    at = {d: (float(low[j]), float(high[j])) for j, d in enumerate(doses) if d in two}
    assume(all(1e-9 < lo < hi < 1 - 1e-9 for lo, hi in at.values()))
    found = dob.priors_from_quantiles(
        doses, p_tox={10: (0.01, 0.2), 50: (0.05, 0.3)}, p_eff=at, level=level, widen=True,
        eff_curvature=curvature,
    ).priors  # fmt: skip
    got = [
        getattr(found[f"eff_{part}"], k) for part in ("intercept", "slope") for k in ("mean", "sd")
    ]
    assert got == pytest.approx([m0, s0, m1, s0 * q], rel=2e-3, abs=2e-3)


@pytest.mark.parametrize(
    ("eff", "tight"),
    [({15: (0.05, 0.5), 45: (0.2, 0.6)}, 45), ({15: (0.05, 0.2), 45: (0.2, 0.6)}, 15)],
)
def test_a_statement_too_tight_beside_the_other_is_named_with_what_would_do(eff, tight):
    with pytest.raises(dob.DoseOptError, match=f"at dose {tight} is too tight") as refused:
        stated(eff=eff)
    words = refused.value.hint.replace(";", "").split()
    assert words[:4] == ["at", "dose", str(tight), "between"]
    least, most = (tuple(float(words[i]) for i in pair) for pair in ((4, 6), (8, 10)))
    between = tuple((a + b) / 2 for a, b in zip(least, most, strict=True))
    stated(eff={**eff, tight: between})  # what the message says is compatible, is
    chosen = tuple(float(w) for w in (words[-3], words[-1]))
    found = stated(eff=eff, widen=True)
    here = found.table.sel(dose=tight, endpoint="eff")
    assert (float(here["low"]), float(here["high"])) == pytest.approx(chosen, rel=1e-3)
    assert here["low"] < here["stated_low"]
    assert here["high"] > here["stated_high"]
    assert found.priors["eff_intercept"].sd == pytest.approx(found.priors["eff_slope"].sd, rel=1e-4)
    assert any("too tight" in n and "widened to" in n for n in found.notes)


def test_two_doses_equally_far_from_the_centre():
    two = {15: (0.05, 0.30), 45: (0.20, 0.60)}
    with pytest.raises(dob.DoseOptError, match="dose 45 is too tight") as refused:
        dob.priors_from_quantiles((15, 45), p_tox=two, p_eff=two)
    assert "as wide in log-odds" in refused.value.hint
    found = dob.priors_from_quantiles((15, 45), p_tox=two, p_eff=two, widen=True)
    assert found.priors["tox_intercept"].sd == found.priors["tox_slope"].sd
    assert sum("doses 15 and 45 are equally far" in n for n in found.notes) == 2
    reached = found.table.sel(dose=15)
    assert reached["low"].to_numpy() == pytest.approx([0.05, 0.05], abs=1e-5)


def test_toxicity_that_falls_is_remarked_on():
    found = stated(tox={30: (0.1, 0.4), 15: (0.06, 0.7)})
    assert any("does not rise with dose" in n for n in found.notes)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"level": 1.0}, "level = 1.0"),
        ({"tox": {15: (0.1, 0.3)}}, "exactly two doses"),
        ({"tox": {15: (0.1, 0.3), 30: (0.1, 0.3), 45: (0.1, 0.3)}}, "exactly two doses"),
        ({"tox": {15: (0.1, 0.3), 20: (0.1, 0.3)}}, "20 is no candidate dose"),
        ({"eff": {15: (0.3, 0.1), 45: (0.1, 0.3)}}, "low < high"),
        ({"eff": {15: (5, 30), 45: (20, 60)}}, "0 < low < high < 1"),
        ({"eff": {15: (0.1,), 45: (0.1, 0.3)}}, "p_eff at dose 15"),
        ({"eff_curvature": Normal(0, 9)}, "tighter than the curvature alone allows"),
        ({"eff_curvature": HalfNormal(1)}, "not truncated"),
    ],
)  # fmt: skip
def test_intervals_that_cannot_be_are_refused(changes, said):
    with pytest.raises(dob.DoseOptError, match=said):
        stated(**changes)


# --- the result


def test_toml_is_the_same_priors():
    found = thall(association=StudentT(4, 0, 1))
    pasted = tomllib.loads(found.to_toml())["model"]["priors"]
    builder = Builder("spec.toml")
    read = builder._converters["Mapping[str, Prior]"](pasted, "model.priors")
    assert builder.problems == []
    assert read == dict(found.priors)
    assert dob.EffTox(DOSES, read) == dob.EffTox(DOSES, found.priors)
    odd = thall(association=LogNormal(0.5, 1)).to_toml()
    assert 'association   = { dist = "log_normal", median = 0.5, sd = 1.0 }' in odd


def test_print_shows_sizes_priors_and_notes(found):
    text = str(found)
    assert "p_tox: effective sample size 0.905 (asked 0.9)" in text
    assert "eff_curvature  ~ Normal(mean 0, sd 0.2)" in text
    assert text.count("note: ") == len(found.notes)
    assert "asked" not in str(stated())


@pytest.mark.filterwarnings("ignore:Numba will use object mode")
def test_the_model_draws_what_was_elicited(found):
    model = dob.EffTox(DOSES, found.priors, unit="mg")
    tree = dob.sample_prior(model, dob.TrialData.empty(DOSES, "mg"), seed=1)
    table = dob.prior_table(tree)
    assert set(table["variable"]) == {"p_tox", "p_eff"}
    for endpoint in ("tox", "eff"):
        draws = tree["prior"][f"p_{endpoint}"].stack(all=("chain", "draw"))
        here = found.table.sel(endpoint=endpoint)
        mcse = draws.std("all") / math.sqrt(draws.sizes["all"])
        assert np.all(
            np.abs(draws.mean("all").to_numpy() - here["mean"].to_numpy()) < 5 * mcse.to_numpy()
        )
