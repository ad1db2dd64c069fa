"""Batches of posteriors: as exact as long NUTS, the same bits wherever a trial stands, gated one by one.

Reference numbers: ``batch_reference.json``, made by ``batch_cases.py`` from NUTS, 4 x 16,000 draws.
"""

from __future__ import annotations

import json

import numpy as np
import pytest
import xarray as xr

from doseopt_bayes.data.trial import TrialData
from doseopt_bayes.decision.decide import decide
from doseopt_bayes.decision.rules import Active, NoSkipping, Tolerable
from doseopt_bayes.errors import DiagnosticsError, DoseOptError
from doseopt_bayes.inference.batch import fit_in_blocks, fit_many, preview
from doseopt_bayes.inference.tallies import EVENTS_ONLY, N_ONLY, stack_trials
from doseopt_bayes.models import EffTox, Saturated
from doseopt_bayes.models.presets import EFFTOX_THALL2014
from doseopt_bayes.priors import Normal
from tests.inference.batch_cases import (
    CASES,
    DOSES,
    FREE,
    LP,
    QUICK,
    STORE,
    numbers,
    recipe_of,
    trial_of,
)

REFERENCE = json.loads(STORE.read_text(encoding="utf-8"))
RULES = Tolerable(0.3, certainty=0.1) & Active(0.5, certainty=0.1) & NoSkipping()
every = pytest.mark.parametrize(
    "case", [c if c in QUICK else pytest.param(c, marks=pytest.mark.slow) for c in CASES]
)


def simulated(n_trials: int, n_patients: int, seed: int = 0) -> xr.Dataset:
    """Trials on a rising truth, patients spread over the doses at random."""
    rng = np.random.default_rng(seed)
    dose = rng.integers(0, 5, (n_trials, n_patients))
    eff = rng.random(dose.shape) < np.array([0.2, 0.4, 0.6, 0.8, 0.9])[dose]
    tox = rng.random(dose.shape) < np.array([0.05, 0.1, 0.15, 0.2, 0.4])[dose]
    cells = np.zeros((n_trials, 5, 4), dtype=int)
    np.add.at(cells, (np.arange(n_trials)[:, None], dose, eff + 2 * tox), 1)
    return xr.Dataset(
        {"cell_count": (("trial", "dose", "cell"), cells)},
        coords={"trial": np.arange(n_trials), "dose": list(DOSES), "cell": list("NETB")},
    )


@every
def test_every_number_of_a_preview_is_within_a_hundredth_of_long_nuts(case):
    reference = REFERENCE[case]
    assert reference["outcomes"] == CASES[case]
    assert reference["passed"]
    post = preview(recipe_of(case), trial_of(case), seed=11, nuts=False)
    assert post.check().passed, str(post.check())
    for name, x in numbers(post).items():
        gap = post.expect(x).to_numpy() - reference[name]["value"]
        assert np.abs(gap).max() < 0.01, (name, gap)


@every
def test_the_errors_of_a_thousand_particles_are_honest(case):
    """Over eight seeds: what each number strays by, in units of its claimed error."""
    scores = []
    for seed in range(8):
        post = preview(recipe_of(case), trial_of(case), seed=seed, particles=1024, nuts=False)
        for name, x in numbers(post).items():
            gap = np.abs(post.expect(x).to_numpy() - REFERENCE[case][name]["value"])
            error = np.hypot(post.mcse(x).to_numpy(), REFERENCE[case][name]["mcse"])
            scores.append(gap / error)
            assert (gap < np.maximum(4 * error, 0.02)).all(), name
    assert np.sqrt(np.mean(np.square(scores))) < 1.1  # below 1: quasi-random particles do better


@pytest.mark.slow
def test_all_hard_trials_pass_their_gate_at_many_seeds():
    cases = [c for c in CASES if recipe_of(c) is FREE]
    counts = stack_trials(FREE, [trial_of(c) for c in cases], cases)
    tables = [fit_many(FREE, counts, seed=seed, nuts=False).table for seed in range(40)]
    first = np.concatenate([(t["engine"] == "particles") & t["passed"] for t in tables])
    assert first.mean() > 0.99
    assert all(bool(t["passed"].all()) for t in tables)


def test_a_saturated_model_gives_the_exact_dirichlet_posterior():
    model = Saturated((10, 20, 40), patients=2)
    trials = [TrialData.parse(t, doses=model.doses)
              for t in ("1NNENETB 2EEBBNNNTT 3NBTEETTNN", "1NETB 2NNETB 3NETBB")]  # fmt: skip
    batch = fit_many(model, stack_trials(model, trials), seed=1, particles=16_384, keep=["p_cell"])
    assert set(batch.table["engine"].values) == {"particles"}
    for i, data in enumerate(trials):
        cells = data.counts["cell_count"].to_numpy() + 0.5
        exact = cells / cells.sum(axis=1, keepdims=True)
        post = batch.posterior(i)
        np.testing.assert_allclose(post.expect(post["p_cell"]), exact, atol=0.01)


def test_a_posterior_that_fails_as_particles_is_sampled_by_nuts_and_said_so():
    """Three doses by themselves, one without patients: twelve directions, some without an end."""
    model = Saturated((10, 20, 40))
    trials = [TrialData.parse(t, doses=model.doses)
              for t in ("1NNENETB 2EEBBNNNTT 3NBTEETTNN", "1NNE 2EEB")]  # fmt: skip
    counts = stack_trials(model, trials)
    batch = fit_many(model, counts, seed=1, particles=1024)
    assert batch.table["engine"].values.tolist() == ["particles", "nuts"]
    assert bool(batch.table["passed"].all())
    assert len(batch.blocks) == 2
    cells = np.stack([d.counts["cell_count"].to_numpy() for d in trials]) + 0.25
    exact = (cells[..., 2] + cells[..., 3]) / cells.sum(axis=-1)
    found = batch.expect("p_tox")
    assert found["trial"].values.tolist() == [0, 1]
    error = batch.each(lambda post: post.mcse(post["p_tox"]).to_dataset(name="x"))["x"]
    assert (abs(found - exact) < 4 * error).all()
    refused = fit_many(model, counts, seed=1, particles=1024, nuts=False)
    assert refused.table["engine"].values.tolist() == ["particles", "particles x4"]
    assert refused.table["passed"].values.tolist() == [True, False]
    with pytest.raises(DiagnosticsError, match="k-hat"):
        decide(refused.posterior(1), LP, RULES)
    assert refused.posterior(0).check().passed


@pytest.mark.slow
def test_the_same_seed_gives_the_same_bits_in_any_order_company_and_number_of_threads():
    counts = simulated(150, 30)
    counts["cell_count"][7] = counts["cell_count"][3]
    batch = fit_many(FREE, counts, seed=5)
    shuffled = counts.isel(trial=np.random.default_rng(1).permutation(150))
    others = [
        fit_many(FREE, counts, seed=5),
        fit_many(FREE, shuffled, seed=5),
        fit_many(FREE, counts, seed=5, threads=2),
        fit_many(FREE, counts.sel(trial=[3, 7, 149]), seed=5),
        fit_many(FREE, counts.sel(trial=[149]), seed=5),
    ]
    for other in others:
        for label in other.table["trial"].to_numpy():
            a, b = batch.posterior(label), other.posterior(label)
            assert a.weight.equals(b.weight)
            assert a.draws.equals(b.draws)
        assert other.table.equals(batch.table.sel(trial=other.table["trial"]))
    assert np.array_equal(batch.posterior(3).weight, batch.posterior(7).weight)
    assert not np.array_equal(
        fit_many(FREE, counts, seed=6).blocks[0].weight, batch.blocks[0].weight
    )


def test_blocks_of_trials_give_the_bits_of_one_batch():
    counts = simulated(25, 12)
    whole = fit_many(FREE, counts, seed=2)
    parts = list(fit_in_blocks(FREE, counts, seed=2, trials=10))
    assert [p.table.sizes["trial"] for p in parts] == [10, 10, 5]
    joined = xr.concat([p.expect("p_eff") for p in parts], dim="trial")
    assert joined.equals(whole.expect("p_eff"))


def test_a_decision_over_all_trials_is_that_of_each_trial_by_itself():
    counts = simulated(12, 12)
    batch = fit_many(FREE, counts, seed=3)
    (block,) = batch.blocks
    every_trial = decide(block, LP, RULES)
    for label in range(12):
        alone = decide(batch.posterior(label), LP, RULES)
        at = {"trial": label}
        assert every_trial.status.sel(at).item() == alone.status.item()
        for name, x in alone.table.data_vars.items():
            if x.dtype.kind in "fb":
                np.testing.assert_allclose(
                    every_trial.table[name].sel(at) if "trial" in every_trial.table[name].dims
                    else every_trial.table[name], x, rtol=1e-9, atol=1e-12, err_msg=str(name),
                )  # fmt: skip


def test_patients_with_one_outcome_alone_are_counted_by_that_one():
    """All that is known of 20 patients is toxicity: the same as a model of toxicity would say."""
    patients = simulated(1, 0)
    n = np.zeros((1, 5, 2), dtype=int)
    n[0, 2, 0] = 20
    patients[N_ONLY] = (("trial", "dose", "endpoint"), n)
    patients[EVENTS_ONLY] = (("trial", "dose", "endpoint"), n // 2)
    patients = patients.assign_coords(endpoint=["tox", "eff"])
    post = fit_many(FREE, patients, seed=1, particles=8192).posterior(0)
    assert post.seen["n_treated"].values.tolist() == [0, 0, 20, 0, 0]
    a, b = (EFFTOX_THALL2014[k] for k in ("tox_intercept", "tox_slope"))
    x = np.log(4.0) - np.log(DOSES).mean()
    mean, sd = a.mean + b.mean * x, np.hypot(a.sd, b.sd * x)
    logit = np.linspace(mean - 8 * sd, mean + 8 * sd, 40_001)  # quadrature along the only direction
    p = 1 / (1 + np.exp(-logit))
    density = np.exp(-0.5 * ((logit - mean) / sd) ** 2) * (p * (1 - p)) ** 10
    exact = (density * p).sum() / density.sum()
    assert float(post.expect(post["p_tox"]).sel(dose=4.0)) == pytest.approx(exact, abs=0.005)
    prior = fit_many(FREE, simulated(1, 0), seed=1, particles=8192).posterior(0)
    gap = abs(post.expect(post["p_eff"]) - prior.expect(prior["p_eff"]))
    assert float(gap.max()) < 0.01  # nothing was learnt of efficacy


def test_a_further_endpoint_and_what_is_kept():
    stop = {"stop_intercept": Normal(-1, 1), "stop_slope": Normal(0, 1)}
    model = EffTox((5, 10), EFFTOX_THALL2014 | stop, others=("stop",), unit="mg")
    counts = stack_trials(model, [TrialData.empty(model.doses, "mg")])
    batch = fit_many(model, counts, seed=1, keep=["p_stop", "stop_slope"])
    assert set(batch.blocks[0].draws.data_vars) == {"p_stop", "stop_slope"}
    assert batch.blocks[0]["p_stop"].dims == ("trial", "particle", "dose")
    assert batch.expect("stop_slope").item() == pytest.approx(0, abs=0.05)
    with pytest.raises(DoseOptError, match="did you mean 'p_stop'"):
        fit_many(model, counts, seed=1, keep=["p_stp"])


def test_a_preview_carries_what_a_decision_and_a_reader_need():
    post = preview(FREE, trial_of("n6 published"), seed=1)
    assert {"p_cell", "tox_slope", "p_tox"} <= set(post.draws.data_vars)
    assert post["p_cell"].dims == ("particle", "dose", "cell")
    assert post.draws["dose"].attrs["units"] == "mg"
    assert post.tree.attrs["seed"] == 1
    assert post.notes[0].startswith("preview by weighted particles: 16384")
    decision = decide(post, LP, RULES, criterion="utility_of_means")
    assert float(decision.leading) == 4.0
    assert "4 mg" in decision.headline


FAULTS = {
    "doses": (lambda c: c.assign_coords(dose=[1, 2, 4, 6.6, 11]), "doses"),
    "no dim": (lambda c: c.isel(trial=0, drop=True), "no labelled dim 'trial'"),
    "nobody": (lambda c: c.isel(trial=[]), "no trial"),
    "twins": (lambda c: c.assign_coords(trial=[0] * c.sizes["trial"]), "two with one label"),
    "negative": (lambda c: c - 1, "cell_count must be whole numbers >= 0"),
    "floats": (lambda c: c.astype(float), "cell_count must be whole numbers"),
    "cells": (
        lambda c: c.assign_coords(cell=list("NETX")),
        "cell X, where the model has N, E, T, B",
    ),
    "no counts": (lambda c: c.drop_vars("cell_count"), "neither cell_count nor n_only"),
    "half": (lambda c: c.assign(n_only=c["cell_count"].sum("cell")), "come together"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_counts_that_cannot_be_are_refused(fault):
    spoil, said = FAULTS[fault]
    with pytest.raises(DoseOptError, match=said):
        fit_many(FREE, spoil(simulated(3, 6)), seed=1)


def test_numbers_out_of_range_are_refused():
    counts = simulated(1, 6)
    for wrong in (
        {"seed": -1},
        {"seed": 1.5},
        {"seed": 1, "particles": 100},
        {"seed": 1, "threads": 0},
    ):
        with pytest.raises(DoseOptError, match="must be a whole number"):
            fit_many(FREE, counts, **wrong)
    with pytest.raises(DoseOptError, match="no trial 5 in this batch"):
        fit_many(FREE, counts, seed=1).posterior(5)
    with pytest.raises(DoseOptError, match="no trials to stack"):
        stack_trials(FREE, [])
