"""The type I error of a seamless trial against Normal theory, and what a choice adds to it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from doseopt_bayes.errors import DoseOptError
from doseopt_bayes.planning.seamless import seamless_error


def in_theory(arms, share, critical):
    """Pr(reject) with Normal statistics: the best of `arms` first stages, of a share of the patients.

    Given the control's and the best arm's first stages the rest is Normal; the best of k standard
    Normals has density k phi(x) Phi(x)^(k-1).
    """

    def inner(best):
        # z = (a - c) / sqrt 2; a = sqrt(share) best + sqrt(1 - share) N, c = N: sd of the rest
        sd = np.sqrt(1 - share + 1)
        tail = norm.sf((critical * np.sqrt(2) - np.sqrt(share) * best) / sd)
        return arms * norm.pdf(best) * norm.cdf(best) ** (arms - 1) * tail

    return quad(inner, -8, 8)[0]


@pytest.mark.parametrize("arms", [1, 2, 3])
def test_large_trials_have_the_error_of_normal_theory(arms):
    found = seamless_error(0.4, arms=arms, first=1000, second=1000, n_trials=60_000, seed=1)
    exact = in_theory(arms, 0.5, norm.isf(0.025))
    at = found.table.sel(test="pooled")
    # 0.0006: events are counted, statistics are Normal only nearly
    assert float(at["error"]) == pytest.approx(exact, abs=4 * float(at["error_mcse"]) + 0.0006)
    assert bool(at["exceeds"]) == (arms > 1)


def test_the_choice_inflates_the_pooled_test_and_the_others_stay():
    found = seamless_error(0.3, arms=3, first=60, second=120, n_trials=60_000, seed=2).table
    pooled, alone, bounded = (found.sel(test=t) for t in found["test"].to_numpy())
    assert float(pooled["error"]) > 0.03
    assert float(alone["error"]) == pytest.approx(0.025, abs=0.003)
    assert float(bounded["error"]) < 0.025
    assert float(found["selected"].sum()) == pytest.approx(1)


def test_more_of_the_first_stage_inflates_more_and_it_is_said():
    errors = [
        float(
            seamless_error(0.4, arms=3, first=f, second=400 - f, n_trials=40_000, seed=3).table[
                "error"
            ][0]
        )
        for f in (40, 200, 360)
    ]
    assert errors == sorted(errors)
    said = str(seamless_error(0.4, arms=3, first=200, second=200, n_trials=40_000, seed=3))
    assert "it exceeds the level 0.025 by more than 3 errors" in said


def test_the_same_seed_gives_the_same_and_nonsense_is_refused():
    one, two = (
        seamless_error(0.4, arms=2, first=20, second=20, n_trials=1000, seed=4) for _ in range(2)
    )
    assert one.table.identical(two.table)
    assert one.to_frame()["test"].iloc[0] == "pooled"
    for wrong in ({"rate": 40}, {"arms": 0}, {"level": 0.6}, {"n_trials": 10}, {"seed": -1}):
        with pytest.raises(DoseOptError):
            seamless_error(
                **({"rate": 0.4, "arms": 2, "first": 20, "second": 20, "seed": 1} | wrong)
            )
