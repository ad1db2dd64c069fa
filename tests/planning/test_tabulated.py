"""Tables of two arms against quadrature, and against the rule that reads counts."""

from __future__ import annotations

import numpy as np
import pytest

import doseopt_bayes as dob
from doseopt_bayes.errors import DoseOptError
from tests.arms.cases import beta_difference

N = 18


def exact(better, high):
    """Pr(margin of 0.1) for every number of events at the lower arm, by quadrature."""
    shift = 0.1 if better == "higher" else -0.1
    p = np.array([beta_difference(low, N, high, N, shift, prior=0.5) for low in range(N + 1)])
    return 1 - p if better == "higher" else p


@pytest.mark.parametrize("better", ["higher", "lower"])
def test_the_boundary_is_where_the_posterior_probability_turns(better):
    margin = dob.Margin("eff", 0.1, "difference", better)
    found = dob.margin_boundaries(margin, N, certainty=0.7)
    for high in (0, 5, 11, 18):
        p = exact(better, high)
        good = np.flatnonzero(p > 0.7)
        at = found.sel(events_high=high)
        if not good.size:
            assert np.isnan(at["events_low"])
            continue
        edge = good.min() if better == "higher" else good.max()
        assert float(at["events_low"]) == edge
        assert float(at["prob"]) == pytest.approx(p[edge], abs=1e-6)


def test_the_table_is_what_the_rule_does_in_every_trial():
    margin = dob.Margin("tox", 0.05, "difference", "lower")
    table = dob.margin_boundaries(margin, N, certainty=0.6)["events_low"].to_numpy()
    low, high = np.meshgrid(np.arange(N + 1), np.arange(N + 1), indexing="ij")
    counts = np.zeros((N + 1, N + 1, 2, 4), dtype=int)
    counts[..., 0, 2], counts[..., 0, 0] = low, N - low
    counts[..., 1, 2], counts[..., 1, 0] = high, N - high
    chosen = dob.KeepsMargins((margin,), 0.6).choose(counts)
    assert np.array_equal(chosen == 0, low <= np.where(np.isnan(table[high]), -1, table[high]))
    assert 0 < (chosen == 0).mean() < 1


def test_what_has_no_table_is_refused():
    margin = dob.Margin("eff", 0.1, "difference", "higher")
    with pytest.raises(DoseOptError, match="not counted"):
        dob.margin_boundaries(dob.Margin("utility", 0.1, "difference", "higher"), 10, certainty=0.8)
    for wrong in ({"n": 0}, {"n": 10.5}, {"certainty": 80}, {"patients": 0}):
        with pytest.raises(DoseOptError):
            dob.margin_boundaries(margin, **({"n": 10, "certainty": 0.8} | wrong))
