"""Sick posteriors are refused, healthy ones are not."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from doseopt_bayes.inference.checks import diagnose


def draws_of(values, **stats):
    chains, n = values.shape
    dims = ("chain", "draw")
    rng = np.random.default_rng(99)
    sampled = xr.Dataset(
        {
            "diverging": (dims, np.zeros((chains, n), dtype=bool)),
            "energy": (dims, rng.normal(size=(chains, n))),
            "maxdepth_reached": (dims, np.zeros((chains, n), dtype=bool)),
        }
    )
    for name, x in stats.items():
        sampled[name] = (dims, x)
    return xr.Dataset({"b": (dims, values)}), sampled


def healthy(chains=4, n=1000, seed=0):
    return np.random.default_rng(seed).normal(size=(chains, n))


def changed(values, where, to):
    values = values.copy()
    values[where] = to
    return values


def walk():
    return healthy().cumsum(axis=1)


SICK = {
    "one chain": (healthy(1), {}, "chains"),
    "three draws": (healthy(4, 3), {}, "draws per chain"),
    "constant parameter": (np.zeros((4, 1000)), {}, "R-hat"),
    "one NaN": (changed(healthy(), (1, 500), np.nan), {}, "finite draws"),
    "one infinity": (changed(healthy(), (1, 500), np.inf), {}, "finite draws"),
    "identical chains": (np.tile(healthy(1), (4, 1)), {}, "distinct chains"),
    "two identical chains": (changed(healthy(), 3, healthy()[0]), {}, "distinct chains"),
    "stuck chain": (changed(healthy(), 2, 1.0), {}, "R-hat"),
    "chain elsewhere": (changed(healthy(), 2, healthy()[2] + 3), {}, "R-hat"),
    "random walk": (walk(), {}, "bulk ESS"),
    "all jump midway": (healthy() + 4 * (np.arange(1000) > 500), {}, "R-hat"),
    "bimodal, one mode a chain": (healthy() * 0.1 + np.array([[1], [-1], [1], [-1]]), {}, "R-hat"),
    "divergences": (healthy(), {"diverging": healthy() > 3}, "divergences"),
    "funnel energy": (healthy(), {"energy": walk()}, "E-BFMI"),
    "constant energy": (healthy(), {"energy": np.zeros((4, 1000))}, "E-BFMI"),
    "saturated trees": (healthy(), {"maxdepth_reached": healthy() > 2}, "saturated tree depth"),
    "NaN energy": (healthy(), {"energy": changed(healthy(), (0, 0), np.nan)}, "E-BFMI"),
}  # fmt: skip


@pytest.mark.parametrize("name", SICK)
def test_sick_draws_are_refused_for_the_right_reason(name):
    values, stats, reason = SICK[name]
    with np.errstate(all="ignore"):
        found = diagnose(*draws_of(values, **stats), ["b"])
    assert not found.passed
    assert reason in [c.name for c in found.failures]
    assert "FAIL" in str(found)


def test_healthy_draws_pass():
    refused = sum(not diagnose(*draws_of(healthy(seed=s)), ["b"]).passed for s in range(100))
    assert refused <= 1


def test_each_dose_is_checked():
    draws, stats = draws_of(healthy())
    p = np.repeat(healthy(seed=3)[..., None], 2, axis=2)
    p[2, :, 1] += 5
    draws["p_tox"] = (("chain", "draw", "dose"), p)
    found = diagnose(draws.assign_coords(dose=[1.5, 3.0]), stats, ["b", "p_tox"])
    assert "p_tox[3]" in str(found)
    assert set(found.table["quantity"].to_numpy()) == {"b", "p_tox[1.5]", "p_tox[3]"}
