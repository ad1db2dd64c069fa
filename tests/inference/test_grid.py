"""The grid engine against independent quadrature by scipy, and what it promises of its numbers."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from scipy.integrate import quad

from doseopt_bayes.data.trial import TrialData
from doseopt_bayes.decision.decide import decide
from doseopt_bayes.decision.intervals import interval_probabilities
from doseopt_bayes.decision.mtd import maximum_tolerated
from doseopt_bayes.decision.rules import EWOC, AnyDose, Tolerable
from doseopt_bayes.decision.target import ClosestToTarget, TargetInterval
from doseopt_bayes.errors import DoseOptError
from doseopt_bayes.inference.batch import fit_many
from doseopt_bayes.inference.graph import program_for
from doseopt_bayes.inference.grid import nodes_for
from doseopt_bayes.inference.gridfit import fit_grid, takes_grid
from doseopt_bayes.inference.tallies import stack_trials
from doseopt_bayes.models import BLRM, CRM, EffTox
from doseopt_bayes.models.presets import BLRM_SINGLE_AGENT, EFFTOX_THALL2014
from doseopt_bayes.priors import StudentT
from tests.inference.grid_cases import (
    DOSES,
    LIMITS,
    LOGISTIC,
    POWER,
    SETS,
    SKELETON,
    TOGETHER,
    TWO,
    blrm_exact,
    crm_exact,
    read,
    stack,
    states,
)


@pytest.fixture(scope="module", params=["power", "logistic", "blrm", "correlated"])
def case(request):
    models = {"power": POWER, "logistic": LOGISTIC, "blrm": TWO, "correlated": TOGETHER}
    model = models[request.param]
    batch = fit_grid(model, stack(SETS), seed=1)
    return model, batch, batch.each(read)


def test_means_and_tails_are_those_of_quadrature_within_the_error_that_is_claimed(case):
    model, _, found = case
    exact = crm_exact if isinstance(model, CRM) else blrm_exact
    for i, (n, x) in enumerate(SETS):
        mean, tails = exact(model, np.array(n), np.array(x))
        np.testing.assert_allclose(found["mean"][i], mean, atol=2e-6)
        for k, limit in enumerate(LIMITS):
            off = abs(found[f"below{limit}"][i].to_numpy() - tails[k])
            assert (off <= found[f"error{limit}"][i].to_numpy() / 2).all(), (SETS[i], off)
            assert off.max() < 1e-4


def test_more_patients_are_fitted_on_finer_nodes(case):
    _, batch, _ = case
    engine = batch.table["engine"].to_numpy()
    assert engine[0] == engine[1] == "grid"
    assert engine[-1] == "grid x4"  # 300 patients
    assert batch.table["passed"].all()


@pytest.mark.parametrize("n", [24, 100, 400])
def test_all_patients_at_one_dose(n):
    """The narrowest ridge that so many patients can make runs aslant the lines."""
    sets = [
        (tuple(n * (k == j) for k in range(5)), tuple(n // m * (k == j) for k in range(5)))
        for j in (1, 3)
        for m in (2, 4)
    ]
    found = fit_grid(TWO, stack(sets), seed=1).each(read)
    for i, (patients, events) in enumerate(sets):
        _, tails = blrm_exact(TWO, np.array(patients), np.array(events))
        for k, limit in enumerate(LIMITS):
            off = abs(found[f"below{limit}"][i].to_numpy() - tails[k])
            assert (off <= found[f"error{limit}"][i].to_numpy() / 2).all()


def test_more_patients_than_the_finest_nodes_serve_are_left_to_particles():
    """Finer nodes of two parameters would be too many: these trials alone are weighed."""
    batch = fit_grid(
        TWO, stack([SETS[3], ((900,) * 5, (30, 60, 200, 300, 500))]), seed=1, nuts=False
    )
    first, second = batch.table["engine"].to_numpy()
    assert first == "grid"
    assert second.startswith("particles")


def test_errors_of_a_linear_sum_are_at_least_those_of_the_sum_itself():
    """Against the errors that the two nodes' sums of each dose have, added up one by one."""
    batch = fit_grid(TWO, stack(SETS[1:6]), seed=1)
    post = batch.blocks[0]
    slope = xr.DataArray(
        np.random.default_rng(2).normal(size=(post.rows.sizes["trial"], 5)),
        dims=("trial", "dose"), coords={"trial": post.rows["trial"].to_numpy(), "dose": list(DOSES)},
    )  # fmt: skip
    at = xr.zeros_like(slope, dtype=bool)
    at[:, 2] = True
    error, gaps = post.errors_of_sum({"p_tox": slope}, at)
    each = post.mcse(post["p_tox"]).transpose("trial", "dose").to_numpy()
    for t in range(each.shape[0]):
        one = abs(slope.to_numpy()[t]) * each[t]
        np.testing.assert_allclose(error.transpose("trial", "dose")[t], one)
        expected = [0.0 if j == 2 else one[j] + one[2] for j in range(5)]
        np.testing.assert_allclose(gaps.transpose("trial", "dose")[t], expected)
    # what is claimed of sum and gap covers their distance from quadrature
    sets = SETS[1:6]
    for t, trial in enumerate(post.rows["trial"].to_numpy()):
        n, x = (np.array(v) for v in sets[int(trial)])
        exact, _ = blrm_exact(TWO, n, x)
        mine = post.expect(post["p_tox"]).transpose("trial", "dose").to_numpy()[t]
        off = slope.to_numpy()[t] * (mine - exact)
        assert (abs(off) <= error.transpose("trial", "dose").to_numpy()[t]).all()
        assert (abs(off[2] - off) <= gaps.transpose("trial", "dose").to_numpy()[t]).all()


def test_far_too_many_patients_are_left_to_particles():
    many = stack([SETS[3], ((9000,) * 5, (400, 900, 2200, 3500, 4900))])
    batch = fit_grid(POWER, many, seed=1, nuts=False)
    assert batch.table["engine"].to_numpy()[0] == "grid"
    assert batch.table["engine"].to_numpy()[1].startswith("particles")
    assert batch.posterior(1)["p_tox"].sizes["dose"] == 5


@pytest.mark.parametrize("model", [POWER, TWO], ids=["CRM", "BLRM"])
def test_a_trial_depends_on_its_own_counts_alone_to_the_bit(model):
    counts = states(2500, seed=3)  # more than one chunk
    whole = fit_grid(model, counts, seed=1).each(read)
    at = np.random.default_rng(4).permutation(2500)[:701]
    part = fit_grid(model, counts.isel(trial=at), seed=9).each(read)
    alone = fit_grid(model, counts.isel(trial=[17]), seed=1).each(read)
    for name in whole:
        np.testing.assert_array_equal(whole[name].isel(trial=at), part[name])
        np.testing.assert_array_equal(whole[name].isel(trial=[17]), alone[name])


def test_what_is_asked_in_one_pass_or_in_several_is_the_same_to_the_bit():
    counts = states(40, seed=5)
    post = fit_grid(TWO, counts, seed=1).blocks[0]
    nodes_for(program_for(TWO), 0).asked.clear()
    first = read(post.some(slice(None)))  # each question in a pass of its own
    second = read(post.some(slice(None)))  # all questions in one
    assert first.identical(second)


DIGEST = """
import hashlib, sys
sys.path.insert(0, sys.argv[1])
from doseopt_bayes.inference.gridfit import fit_grid
from tests.inference.grid_cases import TWO, read, states
found = fit_grid(TWO, states(300, seed=6), seed=1).each(read)
print(hashlib.sha256(b"".join(found[v].to_numpy().tobytes() for v in found)).hexdigest())
"""


@pytest.mark.slow
def test_threads_of_the_linear_algebra_change_no_bit():
    root = str(Path(__file__).parents[2])
    said = set()
    for n in ("1", "4"):
        env = {**os.environ, "OPENBLAS_NUM_THREADS": n, "OMP_NUM_THREADS": n}
        done = subprocess.run(
            [sys.executable, "-c", DIGEST, root],
            env=env,
            capture_output=True,
            text=True,
            check=True,
        )
        said.add(done.stdout)
    assert len(said) == 1


def test_agrees_with_particles():
    counts = stack(SETS[1:8])
    grid, particles = (f(TWO, counts, seed=2) for f in (fit_grid, fit_many))
    exact, drawn = (b.each(read).sortby("trial") for b in (grid, particles))
    error = particles.each(lambda post: post.mcse(post["p_tox"]).to_dataset(name="x"))["x"]
    assert bool((abs(exact["mean"] - drawn["mean"]) < 5 * error).all())
    for limit in LIMITS:
        off = abs(exact[f"below{limit}"] - drawn[f"below{limit}"])
        assert bool((off < 5 * drawn[f"error{limit}"] + 1e-3).all())


def test_rules_intervals_and_mtd_read_it():
    batch = fit_grid(TWO, stack(SETS), seed=1)
    post = batch.blocks[0]
    verdict = EWOC(0.33, 0.25).judge(post)
    over, _ = post.exceeds("p_tox", 0.33)
    np.testing.assert_array_equal(verdict.ok, over < 0.25)
    np.testing.assert_allclose(Tolerable(0.33, 0.1).judge(post).findings[0].estimate, 1 - over)
    table = interval_probabilities(post)
    np.testing.assert_allclose(table["prob"].sum("interval"), 1, atol=1e-12)
    np.testing.assert_allclose(table["prob"].sel(interval="over"), over)
    mtd = maximum_tolerated(post, EWOC())
    np.testing.assert_allclose(mtd["prob_mtd"].sum("dose") + mtd["prob_mtd_none"], 1, atol=1e-9)
    steps = (1 - over).to_numpy()
    np.testing.assert_allclose(mtd["prob_mtd"][:, -1], steps[:, -1], atol=2e-3)
    np.testing.assert_allclose(mtd["prob_mtd"][:, :-1], steps[:, :-1] - steps[:, 1:], atol=2e-3)


def test_utilities_of_toxicity_alone():
    batch = fit_grid(POWER, stack(SETS[:4]), seed=1)
    post = batch.blocks[0]
    value, error = TargetInterval(*LIMITS).mean(post)
    low, high = (post.below("p_tox", v)[0] for v in LIMITS)
    np.testing.assert_allclose(value, high - low, atol=1e-6)
    assert float(error.max()) < 1e-4
    u = ClosestToTarget(0.25)({"p_tox": post["p_tox"]})
    mine = post.expect(u)
    s = np.array(SKELETON)
    prior = math.sqrt(1.34)
    for j in range(5):

        def loss(b, j=j):
            density = math.exp(-b * b / (2 * 1.34)) / (prior * math.sqrt(2 * math.pi))
            return -abs(s[j] ** math.exp(b) - 0.25) * density

        exact = quad(loss, -8, 8, limit=400, points=[math.log(math.log(0.25) / math.log(s[j]))])[0]
        assert float(mine[0, j]) == pytest.approx(exact, abs=1e-5)
    assert float(post.mcse(u).max()) < 1e-3
    squared = post.expect(post["p_tox"] ** 2) - post.expect(post["p_tox"]) ** 2
    assert bool((squared > 0).all())


def test_quantiles_invert_the_tails():
    post = fit_grid(TWO, stack(SETS[:5]), seed=1).blocks[0]
    median = post.quantile(post["p_tox"], 0.5)
    for j in range(5):
        p, _ = post.below("p_tox", float(median[3, j]))
        assert float(p[3, j]) == pytest.approx(0.5, abs=0.01)


def test_one_trial_is_decided_like_any_posterior():
    data = TrialData.parse("1NNN 2NNNN 3NNNNN 4NNNN 5TT", doses=DOSES)
    batch = fit_grid(TWO, stack_trials(TWO, [data]), seed=1)
    post = batch.posterior(0)
    found = decide(post, TargetInterval(*LIMITS), EWOC() & AnyDose(), criterion="mean_utility")
    assert float(found.leading) == 10.0
    # quadrature of the same data (OncoBayes2's example, hist_SA), as in tests/oracles/safety.json
    exact = [0.0072040630, 0.0176056022, 0.0414013335, 0.1160662069, 0.4438687174]
    np.testing.assert_allclose(found.table["p_tox"], exact, atol=1e-6)
    with pytest.raises(DoseOptError, match="no trial"):
        batch.posterior(7)


def test_the_reference_dose_has_no_slope_and_is_integrated_all_the_same():
    model = BLRM((10, 50, 100), 50, BLRM_SINGLE_AGENT)
    found = fit_grid(model, stack([((3, 3, 0), (0, 1, 0))], model.doses), seed=1).each(read)
    mean, tails = blrm_exact(model, np.array([3, 3, 0]), np.array([0, 1, 0]))
    np.testing.assert_allclose(found["mean"][0], mean, atol=2e-6)
    np.testing.assert_allclose(found["below0.33"][0], tails[1], atol=1e-4)


def test_what_a_grid_does_not_take_is_refused():
    joint = EffTox((1, 2, 4, 6.6, 10), EFFTOX_THALL2014)
    assert not takes_grid(joint)
    assert takes_grid(TWO)
    with pytest.raises(DoseOptError, match="6 free parameters; a grid takes 1 or 2"):
        fit_grid(joint, stack(SETS[:1], joint.doses), seed=1)
    heavy = CRM(DOSES, SKELETON, prior=StudentT(2.0, 0.0, 1.0))
    with pytest.raises(DoseOptError, match="too heavy for a grid"):
        fit_grid(heavy, stack(SETS[:1]), seed=1)
    post = fit_grid(TWO, stack(SETS[:1]), seed=1).blocks[0]
    with pytest.raises(DoseOptError, match="no exact tails of 'log_alpha'"):
        post.below("log_alpha", 0.0)
