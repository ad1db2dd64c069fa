"""Exact identities of the CRM and the BLRM, against formulas written independently here."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.special import expit, logit

from doseopt_bayes.analysis import check_reads
from doseopt_bayes.data.columns import PatientColumns
from doseopt_bayes.data.trial import TrialData
from doseopt_bayes.decision.outcome_table import OutcomeTable
from doseopt_bayes.errors import DoseOptError
from doseopt_bayes.inference.nuts import fit
from doseopt_bayes.inference.prior import prior_table, prior_warnings, sample_prior
from doseopt_bayes.models import BLRM, CRM
from doseopt_bayes.models.presets import BLRM_SINGLE_AGENT
from doseopt_bayes.priors import LogNormal, Normal, StudentT

DOSES = (1.0, 2.0, 4.0, 6.6, 10.0)
SKELETON = (0.05, 0.12, 0.25, 0.4, 0.55)
N, TOX = np.array([6, 3, 9, 0, 4]), np.array([0, 1, 3, 0, 4])
PAIR = {"log_alpha": Normal(-0.85, 1.3), "log_beta": Normal(0.4, 0.7)}


def trial(n=N, tox=TOX, doses=DOSES):
    text = [
        f"{j + 1}{'T' * int(x)}{'N' * int(k - x)}"
        for j, (k, x) in enumerate(zip(n, tox, strict=True))
        if k
    ]
    return TrialData.parse(" ".join(text), doses=doses)


def log_likelihood(p, n=N, tox=TOX):
    return stats.binom.logpmf(tox, n, p).sum()


def crm_p(link, beta, intercept=3.0, middle=0.0):
    s = np.array(SKELETON)
    if link == "power":
        return s ** math.exp(beta)
    return expit(intercept + math.exp(beta) * (logit(s) - intercept) / math.exp(middle))


@pytest.mark.parametrize(
    ("options", "middle"),
    [
        ({"link": "power"}, 0.0),
        ({"link": "logistic"}, 0.0),
        ({"link": "logistic", "intercept": 4.5, "prior": Normal(0.7, 0.9)}, 0.7),
        ({"link": "power", "prior": Normal(0.1, 1.0)}, 0.0),
    ],
)
def test_crm_density_equals_independent_code(options, middle):
    model = CRM(DOSES, SKELETON, **options)
    logp = model.build(trial()).compile_logp()
    prior = options.get("prior", Normal(0, math.sqrt(1.34)))
    density = stats.norm(prior.mean, prior.sd)
    for beta in np.random.default_rng(1).normal(0, 1, 300):
        p = crm_p(model.link, beta, model.intercept, middle)
        expected = density.logpdf(beta) + log_likelihood(p)
        assert float(logp({"beta": beta})) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("correlation", [0.0, -0.5, 0.1994])
def test_blrm_density_equals_independent_code(correlation):
    logp = BLRM(DOSES, 4.0, PAIR, correlation).build(trial()).compile_logp()
    sd = np.array([1.3, 0.7])
    cov = np.diag(sd) @ [[1, correlation], [correlation, 1]] @ np.diag(sd)
    prior = stats.multivariate_normal([-0.85, 0.4], cov)
    for a, b in np.random.default_rng(2).normal(0, 1.2, (300, 2)):
        p = expit(a + math.exp(b) * np.log(np.array(DOSES) / 4.0))
        expected = prior.logpdf([a, b]) + log_likelihood(p)
        assert float(logp({"log_alpha": a, "log_beta": b})) == pytest.approx(expected, rel=1e-10)


MODELS = {
    "crm power": (CRM(DOSES, SKELETON), {"beta": 0.3}, {"beta": -0.8}),
    "crm logistic": (CRM(DOSES, SKELETON, "logistic"), {"beta": 0.3}, {"beta": -0.8}),
    "blrm": (
        BLRM(DOSES, 4.0, PAIR, -0.5),
        {"log_alpha": -1.0, "log_beta": 0.2},
        {"log_alpha": 0.5, "log_beta": -0.7},
    ),
}
every = pytest.mark.parametrize("name", MODELS)


def parts(model, data, point):
    built = model.build(data)
    return [float(built.compile_logp(vars=v)(point)) for v in (built.free_RVs, built.observed_RVs)]


@every
def test_doubling_the_data_doubles_the_log_likelihood(name):
    model, here, there = MODELS[name]
    one, two = (
        parts(model, data, here)[1] - parts(model, data, there)[1]
        for data in (trial(), trial(2 * N, 2 * TOX))
    )
    assert two == pytest.approx(2 * one, rel=1e-12)


@every
def test_order_of_patients_and_unit_of_the_dose_change_nothing(name):
    model, here, _ = MODELS[name]
    straight = parts(model, TrialData.parse("1NNN 3NTN 5TTN", doses=DOSES), here)
    assert parts(model, TrialData.parse("5NTT 1NNN 3NNT", doses=DOSES), here) == straight
    grams = tuple(d / 1000 for d in DOSES)
    if isinstance(model, BLRM):
        other = BLRM(grams, 0.004, PAIR, -0.5)
    else:
        other = CRM(grams, SKELETON, model.link)
    data = TrialData.parse("1NNN 3NTN 5TTN", doses=grams)
    np.testing.assert_allclose(parts(other, data, here), straight, rtol=1e-10)


@pytest.mark.parametrize("prior", [StudentT(5, 0.0, 1.0), LogNormal(1.0, 0.5)])
def test_any_registered_prior_can_be_used(prior):
    built = [CRM(DOSES, SKELETON, prior=prior), BLRM(DOSES, 4.0, PAIR | {"log_beta": prior})]
    for model in (m.build(trial()) for m in built):
        assert np.isfinite(model.compile_logp()(model.initial_point()))


def test_doses_in_any_order_take_their_guesses_along():
    turned = CRM(DOSES[::-1], SKELETON[::-1], unit="mg")
    assert turned == CRM(DOSES, SKELETON, unit="mg")
    assert BLRM(DOSES[::-1], 4.0, PAIR) == BLRM(DOSES, 4.0, PAIR)


@every
@pytest.mark.parametrize("far", [-40.0, 40.0])
def test_densities_and_gradients_are_finite_far_out(name, far):
    """A patient without toxicity where p_tox rounds to 1 costs a finite number, not infinity."""
    model = MODELS[name][0]
    point = {"beta": far / 10} if isinstance(model, CRM) else {"log_alpha": far, "log_beta": 4.0}
    built = model.build(trial())
    assert np.isfinite(built.compile_logp()(point))
    assert np.isfinite(built.compile_dlogp()(point)).all()


@every
def test_a_patient_with_both_outcomes_counts_once_in_the_margin_of_toxicity(name):
    model, here, _ = MODELS[name]
    frame = pd.DataFrame(
        {"mg": [1, 1, 4, 4, 10], "dlt": [0, 0, 1, np.nan, 1], "resp": [1, 0, 1, 1, np.nan]}
    )
    roles = PatientColumns("mg", tox="dlt", eff="resp", doses=DOSES,
                           missing={"tox": "pending", "eff": "pending"})  # fmt: skip
    both = TrialData.from_frame(frame, roles)
    alone = TrialData.from_frame(
        frame[["mg", "dlt"]],
        PatientColumns("mg", tox="dlt", doses=DOSES, missing={"tox": "pending"}),
    )
    n, tox = np.array([2, 0, 1, 0, 1]), np.array([0, 0, 1, 0, 1])
    expected = parts(model, trial(n, tox), here)
    for data in (both, alone):
        built = model.build(data)
        assert built["tox_only_n"].get_value().tolist() == n.tolist()
        np.testing.assert_allclose(parts(model, data, here), expected, rtol=1e-14)


def test_the_prior_is_the_one_that_was_written():
    data = trial()
    tree = sample_prior(BLRM(DOSES, 4.0, PAIR, -0.5), data, seed=1)
    draws = np.stack([tree["prior"][v].to_numpy().ravel() for v in PAIR])
    np.testing.assert_allclose(draws.mean(axis=1), [-0.85, 0.4], atol=0.08)
    np.testing.assert_allclose(draws.std(axis=1), [1.3, 0.7], rtol=0.05)
    assert np.corrcoef(draws)[0, 1] == pytest.approx(-0.5, abs=0.04)
    at_reference = tree["prior"]["p_tox"].sel(dose=4.0).to_numpy()
    assert np.median(at_reference) == pytest.approx(expit(-0.85), abs=0.02)
    assert set(tree["prior_predictive"].data_vars) == {"tox_only"}
    table = prior_table(tree)
    assert set(table["variable"]) == {"p_tox"}
    assert len(table) == len(DOSES)


def test_a_prior_that_the_data_contradict_is_said():
    safe = {"log_alpha": Normal(-6, 0.3), "log_beta": Normal(0, 0.3)}
    tree = sample_prior(BLRM(DOSES, 10.0, safe), trial(), seed=1)
    assert any(w.startswith("prior-data conflict: 8 tox events") for w in prior_warnings(tree))


def test_an_endpoint_that_is_not_read_is_noted_and_nothing_is_said_of_it():
    post = fit(CRM(DOSES, SKELETON), TrialData.parse("1NNE 2EEB", doses=DOSES), seed=1)
    assert "eff: in the data, but not in the model" in post.notes
    assert not any("eff" in str(v) or "cell" in str(v) for v in post.draws)


@pytest.mark.parametrize(
    ("doses", "skeleton", "options", "said"),
    [
        (DOSES, SKELETON[:4], {}, "4 entries in the skeleton for 5 doses"),
        (DOSES, SKELETON[::-1], {}, "must rise with dose"),
        (DOSES, (0.1, 0.1, 0.2, 0.3, 0.4), {}, "must rise with dose"),
        (DOSES, (5, 12, 25, 40, 55), {}, "strictly between 0 and 1"),
        ((0, 1, 2, 3, 4), SKELETON, {}, "must be > 0"),
        ((1, 1, 2, 3, 4), SKELETON, {}, "each once"),
        (DOSES, SKELETON, {"link": "logit"}, "unknown link 'logit'"),
        (DOSES, SKELETON, {"link": "logistic", "intercept": 0.1}, "above 0.201"),
        (DOSES, SKELETON, {"link": "logistic", "intercept": math.nan}, "must be finite"),
    ],
)
def test_a_bad_crm_is_refused(doses, skeleton, options, said):
    with pytest.raises(DoseOptError, match=said):
        CRM(doses, skeleton, **options)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"doses": (0.0, 1.0)}, "must be > 0"),
        ({"reference": 0.0}, "must be a dose > 0"),
        ({"reference": math.inf}, "must be a dose > 0"),
        ({"priors": {"log_alpha": Normal(0, 1)}}, "no prior for log_beta"),
        ({"priors": PAIR | {"beta": Normal(0, 1)}}, "no parameter 'beta'"),
        ({"correlation": 1.0}, "strictly between -1 and 1"),
        ({"correlation": math.nan}, "strictly between -1 and 1"),
        (
            {"correlation": 0.2, "priors": PAIR | {"log_beta": LogNormal(1, 1)}},
            "must both be Normal",
        ),
        (
            {"correlation": 0.2, "priors": PAIR | {"log_beta": Normal(0, 1, lower=0)}},
            "not truncated",
        ),
    ],
)
def test_a_bad_blrm_is_refused(changed, said):
    given = {"doses": DOSES, "reference": 4.0, "priors": BLRM_SINGLE_AGENT} | changed
    with pytest.raises(DoseOptError, match=said):
        BLRM(**given)


@every
def test_data_and_utilities_that_do_not_fit_are_refused_before_sampling(name):
    model = MODELS[name][0]
    with pytest.raises(DoseOptError, match="candidate doses"):
        model.build(TrialData.parse("1NNT", doses=(1, 2, 4)))
    frame = pd.DataFrame({"mg": [1, 2], "resp": [0, 1]})
    only = TrialData.from_frame(frame, PatientColumns("mg", eff="resp", doses=DOSES))
    with pytest.raises(DoseOptError, match="reads the endpoints tox"):
        model.build(only)
    with pytest.raises(DoseOptError, match="reads p_cell"):
        check_reads(OutcomeTable(50, 100, 0, 60), model, "the model")
