"""Models of groups: each density equals one written out in NumPy, and what cannot be is refused."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.special import expit, logsumexp

from doseopt_bayes.data import CountColumns, PatientColumns, TrialData
from doseopt_bayes.inference.prior import sample_prior
from doseopt_bayes.models import BLRM, Basket, EffTox
from doseopt_bayes.priors import Beta, HalfNormal, LogNormal, Normal, Pooled, Unpooled

DOSES = (10.0, 20.0, 40.0)
LEVELS = ("A", "B", "C")
GROUPS = {"subgroup": LEVELS}
X = np.log(DOSES) - np.log(DOSES).mean()
PLAIN = {
    "tox_intercept": Normal(-1, 2), "tox_slope": Normal(0.5, 1), "eff_intercept": Normal(0, 2),
    "eff_slope": Normal(0.5, 1), "eff_curvature": Normal(0, 0.3), "association": Normal(0, 1),
}  # fmt: skip
HALF = HalfNormal(0.5)
QUICK = {"mode": "FAST_COMPILE", "on_unused_input": "ignore"}  # a program that runs a few times


def frame(seed=3, n=60):
    """Patients of three groups, some with one outcome alone."""
    rng = np.random.default_rng(seed)
    table = pd.DataFrame({"mg": rng.choice(DOSES, n), "subgroup": rng.choice(LEVELS, n, p=[0.5, 0.4, 0.1]),
                          "study": rng.choice(["I", "II"], n)})  # fmt: skip
    for column in ("tox", "eff"):
        table[column] = rng.integers(0, 2, n).astype(float)
    table.loc[[3, 7, 8], "tox"] = np.nan
    table.loc[[5, 7, 9, 11], "eff"] = np.nan
    return table


def trial(over=("subgroup",), table=None):
    levels = {"subgroup": LEVELS, "study": ("I", "II")}
    roles = PatientColumns(
        "mg", tox="tox", eff="eff", doses=DOSES, unit="mg", missing={"tox": "exclude", "eff": "pending"},
        groups={g: g for g in over}, group_levels={g: levels[g] for g in over},
    )  # fmt: skip
    return TrialData.from_frame(frame() if table is None else table, roles)


def numbers(counts, grouping_dims):
    """Return cells, and (n, events) of tox and eff outside them, over (*groups, dose)."""
    at = counts.transpose(*grouping_dims, "dose", ...)
    cells = at["cell_count"].to_numpy()
    only = {}
    for e, letters in (("tox", [2, 3]), ("eff", [1, 3])):
        one = at.sel(endpoint=e)
        only[e] = (
            one["n"].to_numpy() - cells.sum(-1),
            one["events"].to_numpy() - cells[..., letters].sum(-1),
        )
    return cells, only


def cells_of(b):
    """Cell probabilities of the published model, (..., dose, cell), parameters (..., 1)."""
    a = expit(b["tox_intercept"] + b["tox_slope"] * X)
    c = expit(b["eff_intercept"] + b["eff_slope"] * X + b["eff_curvature"] * X**2)
    both = a * (1 - a) * c * (1 - c) * np.tanh(b["association"] / 2)
    parts = [(1 - a) * (1 - c) + both, (1 - a) * c - both, a * (1 - c) - both, a * c + both]
    return np.stack(np.broadcast_arrays(*parts), axis=-1)


def likelihood(b, counts, dims):
    """Log-likelihood of EffTox, parameters over (*groups, 1)."""
    cells, only = numbers(counts, dims)
    p = np.broadcast_to(cells_of(b), cells.shape)
    total = stats.multinomial.logpmf(cells, cells.sum(-1), p).sum()
    for e, letters in (("tox", [2, 3]), ("eff", [1, 3])):
        n, events = only[e]
        total += stats.binom.logpmf(events, n, p[..., letters].sum(-1)).sum()
    return total


def points(model, n=5):
    """Unconstrained values at random; names without the suffix of their transform, on own scale."""
    rng = np.random.default_rng(0)
    logp = model.compile_logp(jacobian=False, **QUICK)
    for _ in range(n):
        point = {k: v + rng.normal(0, 0.6, np.shape(v)) for k, v in model.initial_point().items()}
        natural = {}
        for k, v in point.items():
            name = k.removesuffix("_log__").removesuffix("_logodds__")
            natural[name] = np.exp(v) if k.endswith("_log__") else expit(v) if k.endswith("_logodds__") else v  # fmt: skip
        yield natural, float(logp(point)), point


def log_prior(priors, values):
    found = {n: p for n, p in priors.items() if isinstance(p, Normal)}
    return sum(stats.norm.logpdf(values[n], p.mean, p.sd) for n, p in found.items())


def half(x, sd=0.5):
    return stats.halfnorm.logpdf(x, scale=sd)


@pytest.mark.parametrize("centred", [False, True])
def test_pooled_intercepts_have_the_density_on_paper(centred):
    own = {n: Pooled(PLAIN[n], HALF, centred=centred) for n in ("tox_intercept", "eff_intercept")}
    data = trial()
    for values, found, _ in points(EffTox(DOSES, PLAIN | own, groups=GROUPS).build(data)):
        b, wanted = dict(values), log_prior({n: PLAIN[n] for n in PLAIN if n not in own}, values)
        for n in own:
            mean, tau = values[f"{n}_mean"], values[f"{n}_tau"]
            wanted += stats.norm.logpdf(mean, PLAIN[n].mean, PLAIN[n].sd) + half(tau)
            if centred:
                wanted += stats.norm.logpdf(values[n], mean, tau).sum()
            else:
                wanted += stats.norm.logpdf(values[f"{n}_offset"]).sum()
                b[n] = mean + tau * values[f"{n}_offset"]
            b[n] = b[n][:, None]
        assert found == pytest.approx(wanted + likelihood(b, data.counts, ["subgroup"]), rel=1e-10)


def test_strata_have_a_spread_of_their_own_and_groups_apart_share_nothing():
    strata = {"A": "old", "B": "old", "C": "new"}
    own = {
        "eff_intercept": Pooled(PLAIN["eff_intercept"], HALF, strata=strata, tau_of={"new": HalfNormal(2)}),
        "tox_intercept": Unpooled(PLAIN["tox_intercept"]),
        "tox_slope": Pooled(LogNormal(1, 0.5), HALF),  # groups around a median, on the log scale
    }  # fmt: skip
    data = trial()
    for values, found, _ in points(EffTox(DOSES, PLAIN | own, groups=GROUPS).build(data)):
        wanted = log_prior({n: PLAIN[n] for n in PLAIN if n not in own}, values)
        old, new = values["eff_intercept_tau_old"], values["eff_intercept_tau_new"]
        wanted += half(old) + half(new, 2)
        wanted += stats.norm.logpdf(values["eff_intercept_mean"], 0, 2)
        wanted += stats.norm.logpdf(values["eff_intercept_offset"]).sum()
        eff = (
            values["eff_intercept_mean"]
            + np.array([old, old, new]) * values["eff_intercept_offset"]
        )
        wanted += stats.norm.logpdf(values["tox_intercept"], -1, 2).sum()
        median, tau = values["tox_slope_mean"], values["tox_slope_tau"]
        wanted += stats.lognorm.logpdf(median, 0.5) + half(tau)
        wanted += stats.norm.logpdf(values["tox_slope_offset"]).sum()
        slope = np.exp(np.log(median) + tau * values["tox_slope_offset"])
        b = values | {"eff_intercept": eff[:, None], "tox_slope": slope[:, None],
                      "tox_intercept": values["tox_intercept"][:, None]}  # fmt: skip
        assert found == pytest.approx(wanted + likelihood(b, data.counts, ["subgroup"]), rel=1e-10)


@pytest.mark.parametrize("order", [("study", "subgroup"), ("subgroup", "study")])
def test_effects_of_two_groupings_add_up(order):
    """The data have their groupings in one order, the model in another."""
    data = trial(("subgroup", "study"))
    crossed = Pooled(Pooled(Normal(0, 2), HALF, "study"), HalfNormal(1), "subgroup")
    own = {"eff_intercept": crossed, "tox_intercept": Pooled(Normal(-1, 2), HALF, "study")}
    groups = {g: {"study": ("I", "II"), "subgroup": LEVELS}[g] for g in order}
    model = EffTox(DOSES, PLAIN | own, groups=groups).build(data)
    assert model.named_vars_to_dims["p_cell"] == (*order, "dose", "cell")
    assert model.named_vars_to_dims["eff_intercept"] == ("study", "subgroup")
    for values, found, _ in points(model):
        wanted = log_prior({n: PLAIN[n] for n in PLAIN if n not in own}, values)
        v = {
            k.removeprefix("eff_intercept_"): x for k, x in values.items() if k.startswith("eff_i")
        }
        wanted += stats.norm.logpdf(v["mean_mean"], 0, 2) + half(v["mean_tau"]) + half(v["tau"], 1)
        wanted += stats.norm.logpdf(np.r_[v["mean_offset"], v["offset"]]).sum()
        by_study = v["mean_mean"] + v["mean_tau"] * v["mean_offset"]
        eff = by_study[:, None] + v["tau"] * v["offset"]
        t = {
            k.removeprefix("tox_intercept_"): x for k, x in values.items() if k.startswith("tox_i")
        }
        wanted += stats.norm.logpdf(t["mean"], -1, 2) + half(t["tau"])
        wanted += stats.norm.logpdf(t["offset"]).sum()
        tox = (t["mean"] + t["tau"] * t["offset"])[:, None, None]
        b = values | {"eff_intercept": eff[..., None], "tox_intercept": tox}
        assert found == pytest.approx(
            wanted + likelihood(b, data.counts, ["study", "subgroup"]), rel=1e-10
        )


@pytest.mark.parametrize(("k", "eta"), [(2, 1.0), (2, 3.0), (3, 1.0), (3, 2.5)])
def test_correlations_have_the_closed_form_of_lkj(k, eta):
    """det(R)^(eta - 1) up to a constant; and the groups' values have the correlation R."""
    members = ["eff_intercept", "eff_slope", "tox_intercept"][:k]
    members = [n for n in PLAIN if n in members]
    own = {n: Pooled(PLAIN[n], HALF, together="curve", lkj=eta) for n in members}
    model = EffTox(DOSES, PLAIN | own, groups=GROUPS).build(trial())
    pairs = list(itertools.combinations(members, 2))
    partials = [model[f"{a}_{b}_partial"] for a, b in pairs]
    terms = model.compile_logp(vars=partials, jacobian=False, **QUICK)
    out = [model[f"{a}_{b}_correlation"] for a, b in pairs] + [model[m] for m in members]
    program = model.compile_fn(model.replace_rvs_by_values(out), inputs=model.value_vars, **QUICK)
    constants = []
    for values, _, point in points(model, 8):
        found = program(point)
        r = np.eye(k)
        for (a, b), x in zip(pairs, found, strict=False):
            i, j = members.index(a), members.index(b)
            r[i, j] = r[j, i] = x
        rho = {p: 2 * values[f"{p[0]}_{p[1]}_partial"] - 1 for p in pairs}
        slope = 2.0 ** len(pairs)  # d correlation / d the variable that has a Beta prior
        if k == 3:
            first, second, last = (rho[p] for p in pairs)
            assert r[1, 2] == pytest.approx(
                first * second + last * np.sqrt((1 - first**2) * (1 - second**2)), abs=1e-12
            )
            slope *= np.sqrt((1 - first**2) * (1 - second**2))
        density = float(terms(point)) - np.log(slope)
        constants.append(density - (eta - 1) * np.log(np.linalg.det(r)))
        lower = np.linalg.cholesky(r)
        raw = np.stack([values[f"{m}_offset"] for m in members])
        for m, row, x in zip(members, lower @ raw, found[len(pairs) :], strict=True):
            wanted = values[f"{m}_mean"] + values[f"{m}_tau"] * row
            np.testing.assert_allclose(x, wanted, atol=1e-12)
    np.testing.assert_allclose(constants, constants[0], atol=1e-9)
    if (k, eta) == (2, 1.0):
        assert constants[0] == pytest.approx(np.log(0.5))  # uniform from -1 to 1


MIXED = {"exchangeable": 0.6, "apart": Normal(0, 3)}


@pytest.mark.parametrize("share", ["known", "own", "learnt"])
def test_groups_that_may_be_apart_have_the_explicit_mixture(share):
    more = {"known": MIXED, "own": MIXED | {"exchangeable_of": {"A": 1.0, "C": 0.2}},
            "learnt": MIXED | {"exchangeable_prior": Beta(2, 1)}}[share]  # fmt: skip
    own = {"eff_intercept": Pooled(PLAIN["eff_intercept"], HALF, **more)}
    data = trial()
    model = EffTox(DOSES, PLAIN | own, groups=GROUPS).build(data)
    logp = model.compile_logp(vars=model.observed_RVs, **QUICK)
    belongs = model.compile_fn(
        model.replace_rvs_by_values([model["prob_exchangeable"]])[0],
        inputs=model.value_vars,
        **QUICK,
    )
    for values, _, point in points(model):
        w = {"known": np.full(3, 0.6), "own": np.array([1, 0.6, 0.2]),
             "learnt": np.full(3, values.get("share_exchangeable"))}[share]  # fmt: skip
        e = {k.removeprefix("eff_intercept_"): v for k, v in values.items()}
        among, apart = e["mean"] + e["tau"] * e["offset"], e["apart"]
        each = [
            [
                likelihood(values | {"eff_intercept": x[g]}, data.counts.sel(subgroup=[level]), ["subgroup"])
                for g, level in enumerate(LEVELS)
            ]
            for x in (among, apart)
        ]  # fmt: skip
        with np.errstate(divide="ignore"):
            terms = np.log([w, 1 - w]) + np.array(each)
        assert float(logp(point)) == pytest.approx(logsumexp(terms, axis=0).sum(), rel=1e-10)
        np.testing.assert_allclose(belongs(point), np.exp(terms[0] - logsumexp(terms, axis=0)), atol=1e-12)  # fmt: skip


def test_prior_predictions_of_a_mixture_have_the_right_means():
    """Of 20 patients in each group; expectations by quadrature."""
    prior = Pooled(Normal(-1, 0.5), HALF, exchangeable_of={"A": 1.0}, **(MIXED | {"exchangeable": 0.3}))  # fmt: skip
    table = pd.DataFrame({"g": LEVELS, "dose": 1.0, "n": 20, "r": 3})
    roles = CountColumns("dose", eff="r", n="n", groups={"subgroup": "g"}, group_levels=GROUPS)
    tree = sample_prior(Basket(1.0, prior, GROUPS), TrialData.from_counts(table, roles), seed=1)
    node = tree["prior_predictive"]["outcomes_by_group"]
    assert bool((node.sum("column") == 20).all())
    z = np.linspace(-8, 8, 4001)
    mass = stats.norm.pdf(z) / stats.norm.pdf(z).sum()
    tau = stats.halfnorm.ppf((np.arange(200) + 0.5) / 200, scale=0.5)
    among = np.mean([mass @ expit(-1 + np.hypot(0.5, t) * z) for t in tau])
    apart = mass @ expit(3 * z)
    for level, w in zip(LEVELS, (1.0, 0.3, 0.3), strict=True):
        x = node.sel(subgroup=level).isel(column=0)
        error = float(x.std()) / np.sqrt(x.size)
        assert float(x.mean()) == pytest.approx(20 * (w * among + (1 - w) * apart), abs=4 * error)
        p = tree["prior"]["p_eff"].sel(subgroup=level)
        assert float(p.mean()) * 20 == pytest.approx(float(x.mean()), abs=6 * error)


def test_a_blrm_of_groups_reads_each_margin():
    own = {"log_alpha": Pooled(Normal(0, 2), HALF), "log_beta": Normal(0, 1)}
    data = trial()
    model = BLRM(DOSES, 20.0, own, groups=GROUPS).build(data)
    logp = model.compile_logp(vars=model.observed_RVs, **QUICK)
    one = data.counts.sel(endpoint="tox").transpose("subgroup", "dose", ...)
    for values, _, point in points(model):
        at = values["log_alpha_mean"] + values["log_alpha_tau"] * values["log_alpha_offset"]
        p = expit(at[:, None] + np.exp(values["log_beta"]) * np.log(np.array(DOSES) / 20))
        wanted = stats.binom.logpmf(one["events"].to_numpy(), one["n"].to_numpy(), p).sum()
        assert float(logp(point)) == pytest.approx(wanted)
