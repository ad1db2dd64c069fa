"""Exact identities of the EffTox likelihood, against formulas written independently here."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytensor
import pytensor.tensor as pt
import pytest
from scipy.special import expit, gammaln

from doseopt_bayes.data.columns import CountColumns
from doseopt_bayes.data.trial import TrialData
from doseopt_bayes.errors import DoseOptError
from doseopt_bayes.models import EffTox
from doseopt_bayes.models.association import log_cells
from doseopt_bayes.models.presets import EFFTOX_THALL2014
from doseopt_bayes.priors import Normal, StudentT

DOSES = (1.0, 2.0, 4.0, 6.6, 10.0)
NAMES = EffTox.parameters


@pytest.fixture(scope="module")
def cells():
    tox, eff, association = pt.dvectors("tox", "eff", "association")
    return pytensor.function([tox, eff, association], log_cells(tox, eff, association))


def test_cells_sum_to_one_and_give_their_margins(cells):
    rng = np.random.default_rng(1)
    tox, eff = rng.uniform(-30, 30, (2, 10_000))
    p = np.exp(cells(tox, eff, rng.normal(0, 3, 10_000)))
    assert np.abs(p.sum(axis=1) - 1).max() <= 1e-12
    assert np.abs(p[:, 2] + p[:, 3] - expit(tox)).max() <= 1e-12
    assert np.abs(p[:, 1] + p[:, 3] - expit(eff)).max() <= 1e-12
    assert (p >= 0).all()


def test_cells_equal_the_published_formula(cells):
    rng = np.random.default_rng(2)
    tox, eff = rng.uniform(-5, 5, (2, 1_000))
    psi = rng.normal(0, 1, 1_000)
    p_t, p_e = expit(tox), expit(eff)
    for i, (a, b) in enumerate([(0, 0), (1, 0), (0, 1), (1, 1)]):
        expected = p_e**a * (1 - p_e) ** (1 - a) * p_t**b * (1 - p_t) ** (1 - b)
        expected += (-1) ** (a + b) * p_e * (1 - p_e) * p_t * (1 - p_t) * np.tanh(psi / 2)
        np.testing.assert_allclose(np.exp(cells(tox, eff, psi))[:, i], expected, rtol=1e-10)


def test_log_cells_are_finite_at_700(cells):
    ends = np.array([-700.0, 0.0, 700.0])
    tox, eff, psi = (x.ravel() for x in np.meshgrid(ends, ends, np.array([-5.0, 0.0, 5.0])))
    assert np.isfinite(cells(tox, eff, psi)).all()


def log_likelihood(theta, counts, only=None, doses=DOSES):
    """Multinomial over cells, and binomials over one margin; works for complex theta."""
    a, b, g, z, e, psi = theta
    x = np.log(doses) - np.log(doses).mean()
    p_t = 1 / (1 + np.exp(-(a + b * x)))
    p_e = 1 / (1 + np.exp(-(g + z * x + e * x**2)))
    association = (np.exp(psi) - 1) / (np.exp(psi) + 1) * p_e * (1 - p_e) * p_t * (1 - p_t)
    cell = np.stack(
        [
            (1 - p_e) * (1 - p_t) + association,
            p_e * (1 - p_t) - association,
            (1 - p_e) * p_t - association,
            p_e * p_t + association,
        ],
        axis=1,
    )
    total = (counts * np.log(cell)).sum()
    total += (gammaln(counts.sum(1) + 1) - gammaln(counts + 1).sum(1)).sum()
    for p, (n, x_) in zip((p_t, p_e), only or (), strict=False):
        total += (x_ * np.log(p) + (n - x_) * np.log(1 - p)).sum()
        total += (gammaln(n + 1) - gammaln(x_ + 1) - gammaln(n - x_ + 1)).sum()
    return total


def trial(counts):
    text = [f"{j + 1}{letter * int(c)}" for j, row in enumerate(counts)
            for letter, c in zip("NETB", row, strict=True) if c]  # fmt: skip
    return TrialData.parse(" ".join(text), doses=DOSES)


def log_prior(theta):
    return sum(
        -0.5 * ((t - p.mean) / p.sd) ** 2 - np.log(p.sd) - 0.5 * np.log(2 * np.pi)
        for t, p in zip(theta, EFFTOX_THALL2014.values(), strict=True)
    )


COUNTS = np.array([[2, 1, 0, 0], [1, 3, 1, 2], [0, 2, 3, 1], [0, 0, 0, 0], [1, 0, 1, 4]])


@pytest.fixture(scope="module")
def compiled():
    model = EffTox(DOSES, EFFTOX_THALL2014).build(trial(COUNTS))
    return model.compile_logp(), model.compile_dlogp()


def test_log_density_equals_independent_code_at_1000_points(compiled):
    rng = np.random.default_rng(3)
    for theta in rng.normal(0, 1.2, (1_000, 6)):
        got = compiled[0](dict(zip(NAMES, theta, strict=True)))
        expected = log_prior(theta) + log_likelihood(theta, COUNTS)
        assert got == pytest.approx(expected, rel=1e-10)


def test_gradient_equals_the_complex_step(compiled):
    rng = np.random.default_rng(4)
    for theta in rng.normal(0, 1, (200, 6)):
        got = compiled[1](dict(zip(NAMES, theta, strict=True)))
        for i in range(6):
            step = theta.astype(complex)
            step[i] += 1e-30j
            expected = (log_prior(step) + log_likelihood(step, COUNTS)).imag / 1e-30
            assert got[i] == pytest.approx(expected, rel=1e-8, abs=1e-10)


def logp(data, theta, doses=DOSES, **options):
    model = EffTox(doses, EFFTOX_THALL2014, **options).build(data)
    return float(model.compile_logp()(dict(zip(NAMES, theta, strict=True))))


THETA = np.array([-1.0, 0.7, 0.3, 0.9, 0.1, 0.4])
OTHER = np.array([-2.0, 1.1, -0.3, 0.5, -0.1, -0.8])


def test_doubling_the_data_doubles_the_log_likelihood():
    one = logp(trial(COUNTS), THETA) - logp(trial(COUNTS), OTHER)
    two = logp(trial(2 * COUNTS), THETA) - logp(trial(2 * COUNTS), OTHER)
    prior = log_prior(THETA) - log_prior(OTHER)
    assert two - prior == pytest.approx(2 * (one - prior), rel=1e-12)


def test_order_of_doses_and_of_patients_changes_nothing():
    straight = logp(TrialData.parse("1NNE 2EEB", doses=DOSES), THETA)
    turned = TrialData.parse("2BEE 1ENN", doses=DOSES[::-1])
    assert logp(turned, THETA, doses=DOSES[::-1]) == straight


def test_dose_unit_changes_nothing():
    grams = tuple(d / 1000 for d in DOSES)
    thousandth = TrialData.parse("1NNE 2EEB", doses=grams)
    straight = TrialData.parse("1NNE 2EEB", doses=DOSES)
    assert logp(thousandth, THETA, grams) == pytest.approx(logp(straight, THETA), rel=1e-10)


def test_marginal_counts_enter_through_the_margins_of_the_same_cells():
    n_tox, tox = np.array([9, 8, 7, 0, 5]), np.array([0, 2, 3, 0, 5])
    n_eff, eff = np.array([7, 8, 6, 0, 4]), np.array([1, 5, 6, 0, 0])
    frame = pd.DataFrame({"dose": DOSES, "n_tox": n_tox, "tox": tox, "n_eff": n_eff, "eff": eff})
    roles = CountColumns("dose", tox="tox", n_tox="n_tox", eff="eff", n_eff="n_eff", doses=DOSES)
    only = ((n_tox, tox), (n_eff, eff))
    expected = log_prior(THETA) + log_likelihood(THETA, np.zeros((5, 4)), only)
    assert logp(TrialData.from_counts(frame, roles), THETA) == pytest.approx(expected, rel=1e-12)


def test_monotone_toxicity_truncates_the_slope_and_says_so():
    model = EffTox(DOSES, EFFTOX_THALL2014, monotone_tox=True)
    assert model.priors["tox_slope"].lower == 0.0
    assert "cannot fall" in str(model)
    built = model.build(trial(COUNTS))
    assert built.initial_point()  # the slope is sampled on its log scale
    assert (
        "tox_slope_interval__" in built.initial_point()
        or "tox_slope_lowerbound__" in built.initial_point()
    )


def test_any_registered_prior_can_be_used():
    priors = dict(EFFTOX_THALL2014) | {"tox_slope": StudentT(5, 1.0, 2.0)}
    for monotone in (False, True):
        model = EffTox(DOSES, priors, monotone_tox=monotone).build(trial(COUNTS))
        assert np.isfinite(model.compile_logp()(model.initial_point()))


@pytest.mark.parametrize(
    ("doses", "priors", "said"),
    [
        ((0.0, 1.0), EFFTOX_THALL2014, "must be > 0"),
        ((1.0, np.nan), EFFTOX_THALL2014, "must be > 0"),
        ((1.0, 1.0), EFFTOX_THALL2014, "each once"),
        ((1.0,), EFFTOX_THALL2014, "at least two"),
        (DOSES, {"tox_slop": Normal(0, 1)}, "did you mean 'tox_slope'"),
        (DOSES, {"tox_slope": Normal(0, 1)}, "no prior for tox_intercept"),
    ],
)
def test_a_bad_recipe_is_refused(doses, priors, said):
    with pytest.raises(DoseOptError, match=said):
        EffTox(doses, priors)


def test_data_of_other_doses_or_unit_are_refused():
    model = EffTox(DOSES, EFFTOX_THALL2014, unit="mg")
    with pytest.raises(DoseOptError, match="candidate doses"):
        model.build(TrialData.parse("1NNE", doses=(1, 2, 4)))
    with pytest.raises(DoseOptError, match="'ug'"):
        model.build(TrialData.parse("1NNE", doses=DOSES, unit="ug"))
