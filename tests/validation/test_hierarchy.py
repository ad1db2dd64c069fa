"""Hierarchies: the tables of the last runs keep what the documentation claims."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tests.validation import hierarchy_calibration, hierarchy_figure, hierarchy_sampling

HERE = hierarchy_sampling.HERE


@pytest.fixture(scope="module")
def sampled():
    return pd.read_csv(
        HERE / "hierarchy_sampling.csv", dtype={"true_sd": str}, keep_default_na=False
    )


@pytest.fixture(scope="module")
def calibrated():
    return pd.read_csv(HERE / "hierarchy_calibration.csv", dtype={"true_sd": str})


def test_every_case_was_sampled(sampled):
    names = (sampled["data"] + ": " + sampled["model"] + " " + sampled["true_sd"]).str.rstrip()
    assert set(names) == set(hierarchy_sampling.cases())
    assert {"BOLT", "sarcoma", "2 groups", "5 groups", "12 groups"} == set(sampled["data"])


def test_no_default_fit_diverged_or_was_repeated(sampled):
    assert (sampled["divergences"] == 0).all()
    assert (sampled["refits"] == 0).all()
    assert (sampled["draws"] == 8000).all()
    assert (sampled["first"] == 0.99).all()


def test_every_fit_passed_the_gate(sampled):
    assert (sampled["passed"] == 1).all()
    assert sampled["rhat"].max() < 1.01
    assert sampled["ess"].min() >= 400


def test_every_case_was_calibrated(calibrated):
    wanted = {(m, s, sd, tau) for m, s, sd, tau in hierarchy_calibration.cases().values()}
    rows = calibrated[["model", "sizes", "true_sd", "tau"]].itertuples(index=False, name=None)
    assert set(rows) == wanted
    trials = calibrated["model"].map(hierarchy_calibration.TRIALS)
    assert (calibrated["trials"] == trials).all()


def test_the_hierarchy_is_never_worse_than_the_worse_end(calibrated):
    assert (calibrated["excess"] + 3 * calibrated["excess_se"] < 0).all()
    worse = calibrated[["mse_unpooled", "mse_full"]].max(axis=1)
    np.testing.assert_allclose(calibrated["excess"], calibrated["mse_hierarchy"] - worse, atol=1e-4)


def test_intervals_cover_when_the_truth_is_drawn_from_the_prior(calibrated):
    drawn = calibrated[calibrated["true_sd"] == "prior"]
    assert len(drawn) == 7
    for method in ("hierarchy", "unpooled"):
        gap = (drawn[f"coverage_{method}"] - 0.95).abs()
        if method == "hierarchy":
            assert (gap < 3 * drawn["coverage_hierarchy_se"]).all()
        assert gap.mean() < 0.01
    assert (drawn["mse_hierarchy"] < drawn[["mse_unpooled", "mse_full"]].min(axis=1)).all()


def test_intervals_lose_little_when_groups_differ_more_than_expected(calibrated):
    """Heterogeneity 2.4 times the scale of its prior costs coverage, far less than full pooling."""
    fixed = calibrated[calibrated["true_sd"] != "prior"]
    assert fixed["coverage_hierarchy"].min() > 0.88
    within = fixed[fixed["true_sd"].astype(float) <= fixed["tau"]]
    assert within["coverage_hierarchy"].min() > 0.93
    assert fixed["coverage_full"].min() < 0.25


def test_few_posteriors_failed_as_particles(calibrated):
    assert calibrated["failed"].sum() == 0
    assert (calibrated["again"] / calibrated["trials"]).max() < 0.02


def test_the_figure_is_drawn_from_the_table(calibrated, tmp_path):
    hierarchy_figure.draw(calibrated, tmp_path / "again.png")
    assert (tmp_path / "again.png").stat().st_size > 10_000
    assert (HERE / "hierarchy_calibration.png").exists()


@pytest.mark.slow
@pytest.mark.parametrize("name", list(hierarchy_sampling.cases()))
def test_cases_are_sampled_again(name):
    row = hierarchy_sampling.sampled(name)
    print(", ".join(f"{k} {v}" for k, v in row.items()))
    assert (row["divergences"], row["refits"], row["passed"]) == (0, 0, 1)


@pytest.mark.slow
@pytest.mark.parametrize("name", list(hierarchy_calibration.cases()))
def test_cases_are_calibrated_again(name):
    row = hierarchy_calibration.calibrated(name)
    assert row["excess"] + 3 * row["excess_se"] < 0
    assert row["failed"] == 0
