"""Boundaries against published tables and exact enumeration."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.stats import beta, binom

from doseopt_bayes.errors import DoseOptError
from doseopt_bayes.planning.boundaries import bop2, go_no_go

# BOP2-FE, README of belayb/BOP2FE (boundaries published; characteristics by exact enumeration)
FE = bop2(0.2, (10, 15, 20, 25, 30, 35, 40), scale=0.9, power=1, go_power=2.1)
# the futility-only rule, exact values of our oracle table
FUTILITY = bop2(0.2, (10, 20, 30, 40), scale=0.9, power=1)


def test_published_bop2fe_boundaries_and_their_exact_characteristics():
    assert FE.no_go == (1, 2, 3, 5, 7, 9, 11)
    assert FE.go == (6, 8, 9, 10, 10, 11, 12)
    found = FE.operating([0.2, 0.4])
    expected = {
        "early_no_go": (0.8797967539, 0.1054855974),
        "early_go": (0.08046418122, 0.8638913003),
        "patients": (20.2700033, 22.29410999),
        "success": (0.09090442834, 0.884195642),
    }
    for name, values in expected.items():
        assert found[name].to_numpy() == pytest.approx(values, abs=1e-6), name


def test_bop2_futility_is_exact():
    assert FUTILITY.no_go == (1, 3, 7, 11)
    found = FUTILITY.operating([0.2, 0.4])
    assert found["early_no_go"].to_numpy() == pytest.approx((0.7910870926, 0.07967573844), abs=1e-6)
    assert found["success"].to_numpy() == pytest.approx((0.07426233788, 0.8864219586), abs=1e-6)
    assert found["patients"].to_numpy() == pytest.approx((23.22185642, 38.20703381), abs=1e-6)
    assert not found["early_go"].any()


@pytest.mark.parametrize("better", ["higher", "lower"])
def test_own_boundaries_are_where_the_posterior_probability_turns(better):
    found = go_no_go(0.3, (7, 15), better=better, no_go_below=0.1, go_above=0.95, prior=(0.5, 0.5))
    for n, bad, good in zip(found.looks, found.no_go, found.go, strict=True):
        for y in range(n + 1):
            low = beta.cdf(0.3, 0.5 + y, 0.5 + n - y)
            p = 1 - low if better == "higher" else low
            sign = 1 if better == "higher" else -1
            assert (p < 0.1) == (sign * y <= sign * bad), (n, y)
            assert (p > 0.95) == (sign * y >= sign * good), (n, y)


@pytest.mark.parametrize("better", ["higher", "lower"])
def test_characteristics_equal_those_of_every_path(better):
    found = go_no_go(0.4, (3, 6, 8), better=better, no_go_below=0.25, go_above=0.9)
    rate, totals = 0.45, dict.fromkeys(("early_no_go", "early_go", "success", "patients"), 0.0)
    for path in itertools.product((0, 1), repeat=8):
        p = rate ** sum(path) * (1 - rate) ** (8 - sum(path))
        for i, n in enumerate(found.looks):
            y = sum(path[:n])
            bad = y <= found.no_go[i] if better == "higher" else y >= found.no_go[i]
            good = y >= found.go[i] if better == "higher" else y <= found.go[i]
            last = n == 8
            if bad or good or last:
                totals["patients"] += p * n
                totals["early_no_go"] += p * (bad and not last)
                totals["early_go"] += p * (good and not bad and not last)
                totals["success"] += p * (not bad)
                break
    exact = found.operating([rate])
    for name, value in totals.items():
        assert float(exact[name][0]) == pytest.approx(value, abs=1e-12), name


def test_a_single_look_is_a_binomial_tail_and_never_is_said_as_missing():
    found = go_no_go(0.2, (20,), better="higher", no_go_below=0.8)
    tail = binom.sf(found.no_go[0], 20, np.array([0.2, 0.4]))
    assert found.operating([0.2, 0.4])["success"].to_numpy() == pytest.approx(tail)
    assert found.to_frame().isna().iloc[0, 2]
    assert "no-go below 0.8" in str(found)


@pytest.mark.parametrize(
    "call",
    [
        lambda: bop2(0.2, (10, 10), scale=0.9, power=1),
        lambda: bop2(1.2, (10, 20), scale=0.9, power=1),
        lambda: go_no_go(0.2, (), better="higher", no_go_below=0.1),
        lambda: go_no_go(0.2, (10,), better=None, no_go_below=0.1),
        lambda: go_no_go(0.2, (10,), better="higher", no_go_below=0.9, go_above=0.5),
        lambda: FUTILITY.operating([20]),
    ],
)
def test_numbers_out_of_range_are_refused(call):
    with pytest.raises(DoseOptError):
        call()
