"""The Emax model finds truths over the whole range of its prior; emax_recovery.csv holds the last run."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from doseopt_bayes.inference.pareto import khat_limit
from tests.validation.emax_recovery import (
    DOSES,
    HERE,
    HILLS,
    KINDS,
    PARTICLES,
    RATIOS,
    curve,
    drawn,
    recipe,
    trial,
)

CURVE = [f"below_{d:g}" for d in DOSES]


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return pd.read_csv(HERE / "emax_recovery.csv")


def inside(rows: pd.DataFrame) -> pd.DataFrame:
    return rows[CURVE].gt(0.025) & rows[CURVE].lt(0.975)


def test_the_whole_range_was_studied_and_every_posterior_passed_its_gate(table):
    grid = table[table["design"] == "grid"]
    for kind in KINDS:
        cells = grid[grid["kind"] == kind].groupby(["ratio", "hill"]).size()
        assert set(cells.index) == {(a, b) for a in RATIOS for b in HILLS}
        assert cells.min() >= 10
        assert len(table[(table["design"] == "prior") & (table["kind"] == kind)]) >= 150
    assert table["passed"].all()
    by_particles = table[table["nuts"] == 0]
    assert by_particles["khat"].max() <= khat_limit(4 * PARTICLES)  # three digits are kept
    assert len(by_particles) > 0.9 * len(table)


@pytest.mark.parametrize("kind", KINDS)
def test_intervals_of_the_curve_cover_truths_of_the_prior_as_often_as_they_say(table, kind):
    rows = table[(table["design"] == "prior") & (table["kind"] == kind)]
    for dose, hits in inside(rows).sum().items():
        # exact test: 95 % of so many trials, at 1 in 1,000 for each of ten
        assert stats.binomtest(int(hits), len(rows), 0.95).pvalue > 0.001, dose


@pytest.mark.parametrize("kind", KINDS)
def test_ranks_of_truths_of_the_prior_are_uniform(table, kind):
    rows = table[(table["design"] == "prior") & (table["kind"] == kind)]
    ranked = [c for c in rows if c.startswith("below_") and rows[c].notna().all()]
    assert {"below_level", "below_effect", "below_ec50", "below_hill"} <= set(ranked)
    for name in ranked:
        assert stats.kstest(rows[name], "uniform").pvalue > 0.001, name


@pytest.mark.parametrize("kind", KINDS)
def test_intervals_of_the_curve_cover_truths_out_to_the_ends_of_the_range(table, kind):
    rows = table[(table["design"] == "grid") & (table["kind"] == kind)]
    hits = inside(rows)
    assert 0.93 <= hits.to_numpy().mean() <= 0.99
    # at a truth that the prior holds to be rare an interval may cover less often than over the prior
    by_cell = hits.mean(axis=1).groupby([rows["ratio"], rows["hill"]]).mean()
    assert by_cell.min() >= 0.75, by_cell.idxmin()
    by_ratio = hits.mean(axis=1).groupby(rows["ratio"]).mean()
    assert by_ratio.min() >= 0.88


def test_the_study_simulates_the_curve_that_the_model_fits():
    rng = np.random.default_rng(1)
    truth = drawn("continuous", rng)
    model = recipe("continuous")
    import xarray as xr  # noqa: PLC0415

    ed50, h, top = truth["ratio"] * 50.0, truth["hill"], DOSES[-1]
    values = {"e0": truth["level"], "emax": truth["effect"] * (ed50**h + top**h) / top**h, "ec50": ed50,
              "hill": h}  # fmt: skip
    draws = xr.Dataset({k: ("draw", [v]) for k, v in values.items()})
    at = model.predictor_at(draws, np.array(DOSES)).to_numpy().ravel()
    np.testing.assert_allclose(at, curve(truth, np.array(DOSES)), rtol=1e-10)


def test_a_row_of_the_table_is_found_again(table):
    kept = table[(table["design"] == "prior") & (table["nuts"] == 0)].iloc[0]
    again = trial(("prior", kept["kind"], int(kept["trial"]), 0.0, 0.0))
    for name in ("ratio", "hill", *CURVE, "below_level"):
        assert again[name] == pytest.approx(kept[name], abs=0.02)
