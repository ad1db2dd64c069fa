"""Recurrent events of arms against a grid, the conjugate Gamma and simulated truth."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import gamma, halfnorm, nbinom, norm

from doseopt_bayes.data.arm_records import ArmRecords
from doseopt_bayes.errors import DoseOptError
from doseopt_bayes.inference.nuts import fit
from doseopt_bayes.models.recurrent import RecurrentEvents
from doseopt_bayes.priors import Normal

from .arm_cases import (
    DIARRHOEA,
    DOSES,
    NAUSEA,
    RATES,
    SCATTER,
    count_fit,
    counted,
    graded,
    read,
    values_of,
)


def test_posterior_equals_a_grid():
    """Given the overdispersion the arms are independent: two grids of two parameters each."""
    frame = counted()
    k = np.linspace(0.2, 1.8, 161)
    log_rate = np.linspace(-2.0, 2.0, 401)
    kk, b = k[:, None], log_rate[None, :]
    by_arm = []
    for dose in DOSES:
        here = frame[frame["mg"] == dose]
        total = norm(np.log(28 / 84), 2).logpdf(b) + 0 * kk
        for y, days in zip(here["events"], here["days"], strict=True):
            mu = np.exp(b) * days / 28
            total = total + nbinom(1 / kk, 1 / (1 + kk * mu)).logpmf(y)
        by_arm.append(np.exp(total - total.max()))
    prior = halfnorm(scale=1).pdf(k)
    mass = prior * by_arm[0].sum(1) * by_arm[1].sum(1)
    post = count_fit()
    assert post.diagnostics.passed, post.diagnostics
    mean_k = (mass * k).sum() / mass.sum()
    x = post["overdispersion"]
    assert float(post.expect(x)) == pytest.approx(mean_k, abs=4 * float(post.mcse(x)))
    rate, m = np.exp(b), 3 * np.exp(b)  # 84 days are three times 28
    exact = {"rate_nausea": rate + 0 * kk, "p_nausea": 1 - (1 + kk * m) ** (-1 / kk)}
    for arm, other in ((0, 1), (1, 0)):
        weight = prior[:, None] * by_arm[arm] * by_arm[other].sum(1)[:, None]
        for name, values in exact.items():
            at = post[name].isel(dose=arm)
            wanted = (weight * values).sum() / mass.sum()
            assert float(post.expect(at)) == pytest.approx(wanted, abs=4 * float(post.mcse(at)))


def test_simulated_truth_is_inside_the_intervals():
    post = count_fit()
    for name, truth in (("rate_nausea", RATES), ("overdispersion", SCATTER)):
        low, high = (post.quantile(post[name], q).to_numpy() for q in (0.005, 0.995))
        assert ((low < truth) & (truth < high)).all(), name


def test_without_scatter_and_prior_the_rate_is_the_conjugate_gamma():
    frame = counted(n=25)
    model = RecurrentEvents(DOSES, NAUSEA, unit="mg", priors={"log_rate": Normal(0, 30)},
                            overdispersed=False)  # fmt: skip
    post = fit(model, read(frame, NAUSEA), seed=2)
    for arm, dose in enumerate(DOSES):
        here = frame[frame["mg"] == dose]
        exact = gamma(here["events"].sum(), scale=28 / here["days"].sum())
        rate = post["rate_nausea"].isel(dose=arm)
        assert float(post.expect(rate)) == pytest.approx(
            exact.mean(), abs=4 * float(post.mcse(rate))
        )
        for q in (0.1, 0.9):
            at = float(post.quantile(rate, q))
            assert at == pytest.approx(exact.ppf(q), abs=4 * float(post.mcse(rate, q=q)))
        p = post["p_nausea"].isel(dose=arm)
        np.testing.assert_allclose(p, -np.expm1(-3 * rate), rtol=1e-12)


def test_a_tiny_overdispersion_is_the_poisson_probability():
    model = RecurrentEvents(DOSES, NAUSEA, unit="mg").build(read(counted(n=3), NAUSEA))
    point = {"log_rate": np.log([0.2, 2.0]), "overdispersion_log__": np.array(np.log(1e-9))}
    p = values_of(model, ["p_nausea"], point)["p_nausea"]
    np.testing.assert_allclose(p, 1 - np.exp(-3 * np.array([0.2, 2.0])), rtol=1e-6)


def test_order_of_patients_changes_nothing():
    frame = counted(n=6)
    first, other = (
        RecurrentEvents(DOSES, NAUSEA, unit="mg").build(read(f, NAUSEA))
        for f in (frame, frame.sample(frac=1, random_state=1))
    )
    for name in ("y_seen", "log_time", "arm"):
        np.testing.assert_array_equal(first[name].get_value(), other[name].get_value())


def test_a_design_without_patients_is_built():
    model = RecurrentEvents(DOSES, NAUSEA, unit="mg")
    assert model.build(ArmRecords.empty(NAUSEA, DOSES, "mg"))["y_seen"].get_value().size == 0


def test_data_of_another_outcome_are_refused():
    with pytest.raises(DoseOptError, match="is not that of the model"):
        RecurrentEvents(DOSES, NAUSEA, unit="mg").build(read(graded(), DIARRHOEA))
