"""CRM and BLRM against published and exact posteriors: safety.json holds numbers and sources.

Each is checked twice: by quadrature over the log density of our own PyMC graph, and by NUTS.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from doseopt_bayes.data.trial import TrialData
from doseopt_bayes.decision.criteria_curve import curve_at_mean
from doseopt_bayes.decision.decide import decide
from doseopt_bayes.decision.intervals import interval_probabilities
from doseopt_bayes.decision.rules import EWOC, AnyDose
from doseopt_bayes.decision.target import ClosestToTarget, TargetInterval
from doseopt_bayes.inference.nuts import fit
from doseopt_bayes.models import BLRM, CRM
from doseopt_bayes.priors import Normal

REFERENCE = json.loads((Path(__file__).parent / "safety.json").read_text(encoding="utf-8"))
ITEMS = {item["id"]: item for item in REFERENCE["items"]}
CRMS = [i for i in ITEMS.values() if i["family"] == "crm"]
BLRMS = [i for i in ITEMS.values() if i["family"] == "blrm"]
SIZE = 260  # points of each parameter of the BLRM
named = {"ids": lambda i: i["id"]}


def levels(skeleton):
    return tuple(float(j + 1) for j in range(len(skeleton)))


def trial(doses, level, tox):
    text = " ".join(f"{j}{'NT'[t]}" for j, t in zip(level, tox, strict=True))
    return TrialData.parse(text, doses=doses)


def crm_case(inputs, patients=None):
    doses = levels(inputs["skeleton"])
    model = CRM(doses, tuple(inputs["skeleton"]), inputs["link"], prior=Normal(0, inputs["sd"]))
    if "outcomes" in inputs:
        return model, TrialData.parse(inputs["outcomes"], doses=doses)
    return model, trial(doses, inputs["level"][:patients], inputs["tox"][:patients])


def blrm_case(inputs):
    doses = tuple(map(float, inputs["doses"]))
    priors = {
        name: Normal(m, s)
        for name, m, s in zip(BLRM.parameters, inputs["mean"], inputs["sd"], strict=True)
    }
    model = BLRM(doses, inputs["reference"], priors, correlation=inputs["correlation"])
    level = np.repeat(np.arange(1, len(doses) + 1), inputs["n"])
    tox = [int(k < x) for n, x in zip(inputs["n"], inputs["tox"], strict=True) for k in range(n)]
    return model, trial(doses, level, tox)


def midpoints(low, high, n):
    return low + (high - low) * (np.arange(n) + 0.5) / n


def quadrature(model, data, grids):
    """Weights of a grid of parameters from the model's own log density, and p_tox at each point."""
    built = model.build(data)
    outputs = [built.logp(), *built.replace_rvs_by_values([built["p_tox"]])]
    found = built.compile_fn(outputs, inputs=built.value_vars, point_fn=False)
    points = np.stack(np.meshgrid(*grids, indexing="ij"), axis=-1).reshape(-1, len(grids))
    order = [[v.name for v in built.value_vars].index(name) for name in model.priors]
    assert order == list(range(len(grids)))  # grids come in the order of the parameters
    values = [found(*point) for point in points]
    log = np.array([float(v[0]) for v in values])
    weight = np.exp(log - log.max())
    return points, weight / weight.sum(), np.array([v[1] for v in values])


def below(level, p, weight):
    """Pr(p <= level) of each dose; p is monotone over the first parameter, weights are of midpoints."""
    found = []
    for j in range(p.shape[-1]):
        total = 0.0
        for column, w in zip(p[..., j].T, weight.T, strict=True):  # a row of the other parameter
            order = np.argsort(column)
            total += np.interp(level, column[order], np.cumsum(w[order]) - w[order] / 2)
        found.append(total)
    return np.array(found)


def crm_quadrature(model, data, points=12_000):
    theta, weight, p = quadrature(model, data, [midpoints(-8, 8, points)])
    mean = weight @ theta[:, 0]
    return mean, weight @ (theta[:, 0] - mean) ** 2, weight, p, theta[:, 0]


@pytest.mark.parametrize("item", CRMS, **named)
def test_crm_by_quadrature(item):
    model, data = crm_case(item["inputs"])
    exact = item["expected"]
    mean, variance, weight, p, theta = crm_quadrature(model, data)
    assert mean == pytest.approx(exact["beta_mean"], abs=1e-5)
    assert variance == pytest.approx(exact["beta_var"], abs=1e-5)
    np.testing.assert_allclose(weight @ p, exact["ptox_mean"], atol=1e-5)
    plug_in = [np.interp(mean, theta, column) for column in p.T]
    np.testing.assert_allclose(plug_in, exact["ptox_plugin"], atol=1e-5)
    target = item["inputs"]["target"]
    over = 1 - below(target, p[:, None, :], weight[:, None])
    np.testing.assert_allclose(over, exact["prob_exceed_target"], atol=1e-4)
    best = np.argmin(abs(p - target), axis=1)
    mtd = [weight[best == j].sum() for j in range(p.shape[1])]
    np.testing.assert_allclose(mtd, exact["prob_mtd"], atol=1e-3)
    assert int(np.argmin(abs(weight @ p - target))) + 1 == exact["mtd_postmean"]
    assert int(np.argmin(np.abs(np.array(plug_in) - target))) + 1 == exact["mtd_plugin"]
    if "dfcrm" in item:
        assert mean == pytest.approx(item["dfcrm"]["estimate"], abs=1e-5)
        assert variance == pytest.approx(item["dfcrm"]["post.var"], abs=1e-5)
        np.testing.assert_allclose(plug_in, item["dfcrm"]["ptox"], atol=1e-5)
        if model.link == "logistic":
            np.testing.assert_allclose(model.x, item["dfcrm"]["dosescaled"], rtol=1e-8)
        else:
            np.testing.assert_allclose(model.skeleton, item["dfcrm"]["dosescaled"])


def test_a_path_of_twenty_patients_recommends_what_the_book_prints():
    item = ITEMS["cheung_table_3_2"]
    exact = item["expected"]
    for k in range(1, len(exact["next_dose"]) + 1):
        model, data = crm_case(item["inputs"], k)
        mean, _, _, p, theta = crm_quadrature(model, data, 2_000)
        assert mean == pytest.approx(exact["exact_beta_hat"][k - 1], abs=1e-5)
        assert mean == pytest.approx(exact["published_beta_hat"][k - 1], abs=0.0051)
        plug_in = np.array([np.interp(mean, theta, column) for column in p.T])
        best = int(np.argmin(abs(plug_in - item["inputs"]["target"])))
        assert best + 1 == exact["next_dose"][k - 1]


@pytest.fixture(scope="module")
def crm_fits():
    return {i["id"]: fit(*crm_case(i["inputs"]), seed=1, draws=6000) for i in CRMS}


def close(post, draws, expected):
    """Within 4 Monte Carlo errors; of an event, by its exact probability where it was too rare."""
    found, error, p = post.expect(draws.astype(float)), post.mcse(draws), np.array(expected)
    if draws.dtype == bool:
        error = np.maximum(error, np.sqrt(p * (1 - p) / post.min_ess))
    assert (abs(found - p) <= 4 * error + 1e-12).all()


@pytest.mark.parametrize("item", CRMS, **named)
def test_crm_by_nuts(item, crm_fits):
    post, exact = crm_fits[item["id"]], item["expected"]
    assert post.diagnostics.passed
    assert set(post.draws.data_vars) == {"beta", "p_tox"}
    beta, p = post["beta"], post["p_tox"]
    close(post, beta, exact["beta_mean"])
    close(post, (beta - exact["beta_mean"]) ** 2, exact["beta_var"])
    close(post, p, exact["ptox_mean"])
    close(post, p > item["inputs"]["target"], exact["prob_exceed_target"])
    value, slope = curve_at_mean(post, "p_tox")
    allowed = 4 * abs(slope) * float(post.mcse(beta)) + 1e-6
    assert (abs(value - np.array(exact["ptox_plugin"])) <= allowed).all()


@pytest.mark.parametrize("item", CRMS, **named)
def test_plug_in_and_posterior_mean_name_their_own_dose(item, crm_fits):
    """dfcrm plugs in the mean of beta, trialr takes the mean of p_tox: in one example they differ."""
    post, utility = crm_fits[item["id"]], ClosestToTarget(item["inputs"]["target"])
    plug_in = decide(post, utility, AnyDose(), criterion="utility_at_mean_parameter")
    mean = decide(post, utility, AnyDose(), criterion="utility_of_means")
    assert float(plug_in.leading) == item["expected"]["mtd_plugin"]
    assert float(mean.leading) == item["expected"]["mtd_postmean"]
    assert "plug-in, CRM" in plug_in.headline
    assert "posterior mean" in mean.table.attrs["criterion"]
    if item["id"] == "trialr_A200_empiric":
        assert (float(plug_in.leading), float(mean.leading)) == (3, 2)


@pytest.mark.parametrize("key", ["prob_tox", "median", "prob_mtd", "prob_exceed"])
def test_numbers_that_trialr_prints(key, crm_fits):
    """4000 Stan draws: up to 0.02 from the exact value."""
    item, post = ITEMS["trialr_A200_empiric"], crm_fits["trialr_A200_empiric"]
    p = post["p_tox"]
    away = abs(p - item["inputs"]["target"])
    got = {
        "prob_tox": post.expect(p),
        "median": post.quantile(p, 0.5),
        "prob_mtd": post.prob(away == away.min("dose")),
        "prob_exceed": post.prob(p > item["inputs"]["target"]),
    }[key]
    np.testing.assert_allclose(got, item["published"][key], atol=0.03)


def test_crm_without_patients_is_its_prior():
    model = CRM((1, 2, 3), (0.1, 0.25, 0.4), "logistic")
    post = fit(model, TrialData.empty(model.doses), seed=1)
    assert post.diagnostics.passed
    close(post, post["beta"], 0.0)
    close(post, post["beta"] ** 2, 1.34)
    # a monotone curve: medians go through, and at the median of beta p_tox is the skeleton
    median = post.quantile(post["p_tox"], 0.5)
    error = post.mcse(post["p_tox"], q=0.5)
    assert (abs(median - np.array(model.skeleton)) <= 4 * error).all()


@pytest.mark.parametrize("item", BLRMS, **named)
def test_blrm_by_quadrature(item):
    model, data = blrm_case(item["inputs"])
    exact, mean, sd = item["expected"], item["inputs"]["mean"], item["inputs"]["sd"]
    grids = [midpoints(m - 6 * s, m + 6 * s, SIZE) for m, s in zip(mean, sd, strict=True)]
    theta, weight, p = quadrature(model, data, grids)
    np.testing.assert_allclose(weight @ p, exact["mean"], atol=1e-3)
    if "sd" in exact:
        np.testing.assert_allclose(np.sqrt(weight @ (p - weight @ p) ** 2), exact["sd"], atol=1e-3)
        centre = weight @ theta
        np.testing.assert_allclose(centre, exact["theta_mean"], atol=1e-3)
        away = theta - centre
        np.testing.assert_allclose(np.sqrt(weight @ away**2), exact["theta_sd"], atol=1e-3)
        assert weight @ away.prod(axis=1) == pytest.approx(exact["theta_cov"], abs=1e-3)
    for name, (low, high) in item["inputs"]["bounds"].items():
        square = p.reshape(SIZE, SIZE, -1), weight.reshape(SIZE, SIZE)
        got = below(high, *square) - (below(low, *square) if low else 0.0)
        np.testing.assert_allclose(got, exact["intervals"][name], atol=1e-3)


@pytest.fixture(scope="module")
def blrm_fits():
    return {i["id"]: fit(*blrm_case(i["inputs"]), seed=1, draws=4000) for i in BLRMS}


@pytest.mark.parametrize("item", BLRMS, **named)
def test_blrm_by_nuts(item, blrm_fits):
    post, exact = blrm_fits[item["id"]], item["expected"]
    assert post.diagnostics.passed
    p = post["p_tox"]
    close(post, p, exact["mean"])
    if "sd" in exact:
        close(post, (p - np.array(exact["mean"])) ** 2, np.array(exact["sd"]) ** 2)
        theta = [
            post[name] - m for name, m in zip(BLRM.parameters, exact["theta_mean"], strict=True)
        ]
        for x, s in zip(theta, exact["theta_sd"], strict=True):
            close(post, x, 0.0)
            close(post, x**2, s**2)
        close(post, theta[0] * theta[1], exact["theta_cov"])
        q75, error = post.quantile(p, 0.75), post.mcse(p, q=0.75)
        assert (abs(q75 - np.array(exact["q75"])) <= 4 * error).all()
    bounds = {name: tuple(ends) for name, ends in item["inputs"]["bounds"].items()}
    table = interval_probabilities(post, bounds)
    for name, (low, high) in bounds.items():
        inside = (p > low) & (p <= high)
        close(post, inside, exact["intervals"][name])
        at = table.sel(interval=name)
        np.testing.assert_allclose(at["prob"], post.prob(inside), atol=1e-15)
        np.testing.assert_allclose(at["prob_mcse"], post.mcse(inside), atol=1e-15)


def test_other_programs_agree_on_the_worked_example(blrm_fits):
    """JAGS through bcrm, and the figure of the paper read by eye."""
    item, post = ITEMS["nbg2008"], blrm_fits["nbg2008"]
    mean = post.expect(post["p_tox"])
    np.testing.assert_allclose(mean, item["bcrm_jags"], atol=0.006)
    np.testing.assert_allclose(mean, item["figure"], atol=0.04)


def test_overdose_control_of_the_single_agent_example(blrm_fits):
    post = blrm_fits["oncobayes2_single_agent"]
    exact = ITEMS["oncobayes2_single_agent"]["expected"]
    rule = EWOC()
    decision = decide(post, TargetInterval(0.16, 0.33), rule & AnyDose())
    assert decision.table["admissible"].to_numpy().tolist() == [
        p < 0.25 for p in exact["intervals"]["over"]
    ]
    assert bool(decision.table["admissible_resolved"].all())
    assert float(decision.recommended) == 15.0
    seen = rule.quantile_check(post)
    assert (np.sign(seen["stat"]) == np.sign(np.array(exact["q75"]) - 0.33)).all()
    assert bool(seen["precise"].all())


def test_a_dose_at_the_edge_of_overdose_control_is_not_resolved(blrm_fits):
    """crmPack: 20 mg has an exact overdose probability of 0.2561 against 0.25; it printed 0.255."""
    item, post = ITEMS["crmpack_firstFour"], blrm_fits["crmpack_firstFour"]
    rule = EWOC(0.35, 0.25)
    decision = decide(post, TargetInterval(0.2, 0.35), rule & AnyDose())
    assert not bool(decision.table["admissible_resolved"].sel(dose=20))
    assert str(decision.status.item()) == "not resolved"
    assert float(decision.leading) in (item["expected"]["next_dose"], 20.0)
    exact = item["expected"]["intervals"]
    eligible = np.array(exact["over"]) < 0.25
    best = np.argmax(np.where(eligible, exact["target"], -1))
    assert item["inputs"]["doses"][best] == item["expected"]["next_dose"]
    for name, published in item["published"].items():
        np.testing.assert_allclose(exact[name], published, atol=0.06)  # 1,000 draws of JAGS
