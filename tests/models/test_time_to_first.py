"""Competing first events of arms: closed forms, a grid, the Aalen-Johansen estimate, simulated truth."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from doseopt_bayes.data.arm_records_outcome import FirstEvent
from doseopt_bayes.models.time_to_first import TimeToFirst, events_and_time

from .arm_cases import CAUSES, DOSES, HAZARDS, STOP, read, stop_fit, stopped, values_of

MODEL = TimeToFirst(DOSES, STOP, unit="mg")


def small(**more):
    return FirstEvent("days", "why", CAUSES, censored=("ONGOING",), time_unit="day", **more)


FEW = pd.DataFrame(
    {"id": range(6), "mg": [15, 15, 15, 45, 45, 45],
     "days": [28.0, 28.5, 90.0, 5.0, 84.0, 200.0],
     "why": ["AE", "PD", "DEATH", "AE", "DEATH", "ONGOING"]}
)  # fmt: skip


def test_sufficient_statistics_by_hand():
    data = read(FEW, STOP)
    frame = data.patients.assign(arm=[0, 0, 0, 1, 1, 1])
    events, time = events_and_time(frame, STOP, 2)
    # an interval holds its right end; what comes after the horizon is censored there
    assert events.tolist() == [[[1, 0], [0, 1]], [[1, 0], [0, 1]]]
    np.testing.assert_allclose(time, [[84.0, 0.5 + 56], [61.0, 56 + 56]])
    assert data.counts["events"].to_numpy().tolist() == [[1, 1], [1, 1]]
    assert any("2 times beyond the horizon" in note for note in data.notes)


def test_constant_hazards_give_the_closed_form():
    outcome = small(horizon=84, cuts=(21, 42, 63))
    model = TimeToFirst(DOSES, outcome, unit="mg").build(read(FEW, outcome))
    h = np.array([[0.01, 0.002], [0.03, 0.0005]])
    point = {"log_hazard": np.log(h), "log_hazard_step": np.zeros((2, 2, 3))}
    found = values_of(model, ["p_toxicity", "p_progression", "retained", "incidence"], point)
    total = h.sum(1)
    for i, name in enumerate(("p_toxicity", "p_progression")):
        np.testing.assert_allclose(found[name], h[:, i] / total * -np.expm1(-total * 84))
    np.testing.assert_allclose(found["retained"], np.exp(-total * 84))
    by_cycle = np.array([21, 42, 63, 84])
    wanted = (h / total[:, None])[:, :, None] * -np.expm1(-total[:, None, None] * by_cycle)
    np.testing.assert_allclose(found["incidence"], wanted)


def test_changing_hazards_equal_the_integral_of_hazard_times_survival():
    model = MODEL.build(read(FEW, STOP))
    rng = np.random.default_rng(6)
    point = {
        "log_hazard": rng.normal(-5, 1, (2, 2)),
        "log_hazard_step": rng.normal(0, 1, (2, 2, 1)),
    }
    found = values_of(model, ["hazard", "p_toxicity", "retained", "p_progression"], point)
    first = np.exp(point["log_hazard"])
    later = first * np.exp(point["log_hazard_step"][:, :, 0])
    np.testing.assert_allclose(found["hazard"], np.stack([first, later], axis=-1))

    def survival(t, arm):
        return np.exp(-first[arm].sum() * min(t, 28) - later[arm].sum() * max(t - 28, 0))

    for arm in (0, 1):
        tox = quad(lambda t, a=arm: first[a, 0] * survival(t, a), 0, 28)[0]
        tox += quad(lambda t, a=arm: later[a, 0] * survival(t, a), 28, 84)[0]
        assert found["p_toxicity"][arm] == pytest.approx(tox, rel=1e-8)
        assert found["retained"][arm] == pytest.approx(survival(84, arm))
    whole = found["p_toxicity"] + found["p_progression"] + found["retained"]
    np.testing.assert_allclose(whole, 1)


def test_posterior_of_the_hazards_equals_a_grid():
    """Arms and causes are independent a posteriori: a grid of two parameters for each."""
    data = read(stopped(), STOP)
    frame = data.patients.assign(arm=(data.patients["dose"] == DOSES[1]).astype(int))
    events, time = events_and_time(frame, STOP, 2)
    post = stop_fit()
    assert post.diagnostics.passed, post.diagnostics
    b = np.linspace(-9, -2.5, 651)[:, None]
    step = np.linspace(-3, 3, 601)[None, :]
    for arm in (0, 1):
        for c, cause in enumerate(STOP.names_of_causes):
            d, t = events[arm, c], time[arm]
            log_post = norm(np.log(0.2 / 84), 2).logpdf(b) + norm(0, 0.5).logpdf(step)
            log_post = log_post + d[0] * b - np.exp(b) * t[0]
            log_post = log_post + d[1] * (b + step) - np.exp(b + step) * t[1]
            weight = np.exp(log_post - log_post.max())
            for i, x in enumerate((np.exp(b) + 0 * step, np.exp(b + step))):
                at = post["hazard"].sel(cause=cause).isel(dose=arm, interval=i)
                wanted = (weight * x).sum() / weight.sum()
                assert float(post.expect(at)) == pytest.approx(wanted, abs=4 * float(post.mcse(at)))


def aalen_johansen(time, cause, wanted, horizon):
    """Cumulative incidence without any model of the hazards."""
    survival, total = 1.0, 0.0
    for t in np.unique(time[(cause != "") & (time <= horizon)]):
        at_risk = (time >= t).sum()
        total += survival * ((time == t) & (cause == wanted)).sum() / at_risk
        survival *= 1 - ((time == t) & (cause != "")).sum() / at_risk
    return total, survival


def test_many_patients_give_the_aalen_johansen_estimate_and_the_truth():
    data, post = read(stopped(), STOP), stop_fit()
    for arm, dose in enumerate(DOSES):
        here = data.patients[data.patients["dose"] == dose]
        time, cause = here["time"].to_numpy(), here["cause"].to_numpy(dtype=object)
        for name in STOP.names_of_causes:
            estimate, kept = aalen_johansen(time, cause, name, 84)
            p = post[f"p_{name}"].isel(dose=arm)
            assert float(post.expect(p)) == pytest.approx(estimate, abs=0.02)
            kaplan_meier = float(post.expect(post["retained"].isel(dose=arm)))
            assert kaplan_meier == pytest.approx(kept, abs=0.02)
            low, high = (float(post.quantile(p, q)) for q in (0.005, 0.995))
            assert low < truth(name, arm) < high


def truth(cause, arm):
    h = np.array([HAZARDS[c][arm] for c in STOP.names_of_causes])
    i = STOP.names_of_causes.index(cause)
    early, late = h.sum(0)
    first = h[i, 0] / early * -np.expm1(-28 * early)
    return first + h[i, 1] / late * np.exp(-28 * early) * -np.expm1(-56 * late)


def test_a_name_stands_before_the_causes_and_behind_the_rest():
    outcome = small(horizon=84, name="cut")
    model = TimeToFirst(DOSES, outcome, unit="mg")
    built = model.build(read(FEW, outcome))
    made = {v.name for v in built.deterministics}
    assert made == {"hazard_cut", "incidence_cut", "retained_cut", "p_cut_toxicity",
                    "p_cut_progression"}  # fmt: skip
    assert set(model.priors) == {v.name for v in built.free_RVs} == {"log_hazard"}
    assert model.endpoints == ("cut_toxicity", "cut_progression")
    for word in (*made - {"hazard_cut"}, *model.priors):
        assert word in str(model)


def test_order_of_patients_and_of_codes_changes_nothing():
    other = FEW.sample(frac=1, random_state=4).assign(why=lambda f: f["why"].replace("PD", "DEATH"))
    one, two = (MODEL.build(read(f, STOP)) for f in (FEW, other))
    for name in ("at_risk", "events_seen"):
        np.testing.assert_array_equal(one[name].get_value(), two[name].get_value())
