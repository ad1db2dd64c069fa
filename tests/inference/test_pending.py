"""Pending patients in every engine: one likelihood, quadrature, bits, and refusals."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from doseopt_bayes.data.trial import TrialData
from doseopt_bayes.decision.decide import decide
from doseopt_bayes.decision.rules import TriedOnly
from doseopt_bayes.decision.target import ClosestToTarget
from doseopt_bayes.errors import DoseOptError
from doseopt_bayes.inference.batch import fit_many, preview
from doseopt_bayes.inference.compiled import compiled_for, interpreted
from doseopt_bayes.inference.graph import program_for
from doseopt_bayes.inference.gridfit import fit_grid
from doseopt_bayes.inference.nuts import fit
from doseopt_bayes.inference.power import log_densities
from doseopt_bayes.inference.tallies import checked_counts, counted, stack_trials, trial_of
from doseopt_bayes.models import EffTox
from doseopt_bayes.models.presets import EFFTOX_THALL2014
from doseopt_bayes.priors import HalfNormal, Normal, Pooled
from tests.contracts import test_models as contracts
from tests.contracts.test_batch_contract import points
from tests.inference.grid_cases import LOGISTIC, POWER, TWO
from tests.inference.pending_cases import (
    DONE,
    DOSES,
    MANY,
    REDUCED,
    SOME,
    blrm_mean,
    crm_exact,
    random_trial,
    reduced_exact,
    tox_rows,
    trial,
)

THALL = EffTox(DOSES, EFFTOX_THALL2014)


def stack(model, *rows):
    return stack_trials(model, [trial(*r) for r in rows])


@pytest.mark.parametrize("name", contracts.RECIPES)
def test_the_fast_engines_read_the_likelihood_that_nuts_samples(name):
    recipe = contracts.RECIPES[name]
    program = program_for(recipe)
    rng = np.random.default_rng(8)
    trials = [random_trial(rng, doses=contracts.DOSES) for _ in range(2)]
    counts = checked_counts(recipe, stack_trials(recipe, trials))
    tally = counted(program, counts, pair=program.has_cells)
    z, at = points(program, 12)
    log_p = program.evaluate(z).log_p
    ours = tally.pending.shared(log_p)
    log_p = program.with_pair(log_p) if program.has_cells else log_p
    for t, data in enumerate(trials):
        model, again = (recipe.build(x) for x in (data, trial_of(recipe, counts.isel(trial=t))))
        for one, other in zip(model.data_vars, again.data_vars, strict=True):
            np.testing.assert_array_equal(one.get_value(), other.get_value(), err_msg=one.name)
        own = tally.pending[t : t + 1].log_likelihood(log_p[None])
        np.testing.assert_allclose(own[0], ours[t], rtol=1e-12, atol=1e-14)
        assert abs(ours[t] - ours[t][0]).max() > 0.1
    likelihood = interpreted(model.value_vars, [model.logp(vars=model.observed_RVs)])
    theirs = np.array([float(likelihood(**p)[0]) for p in at])
    each = log_p @ tally.events[1] + ours[1]
    np.testing.assert_allclose(each - each[0], theirs - theirs[0], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("model", [POWER, LOGISTIC], ids=["power", "logistic"])
def test_the_grid_is_exact_for_a_crm(model):
    rows = [SOME, MANY, [(25.0, 0, 0, 27)] * 12, [(5.0, 1, 0, 3), (1.0, 0, 0, 1)]]
    batch = fit_grid(model, stack(model, *rows), seed=1)
    assert set(batch.table["engine"].to_numpy()) <= {"grid", "grid x2"}
    for t, each in enumerate(rows):
        post = batch.posterior(t)
        mean, below = crm_exact(model, each, 0.33)
        np.testing.assert_allclose(post.expect(post["p_tox"]), mean, atol=1e-7)
        found, error = post.below("p_tox", 0.33)
        # the quadrature itself places a jump only to a step of 4e-5
        assert (abs(found - below) <= error + 5e-5).all()


def test_the_grid_is_exact_for_a_blrm():
    rows = [SOME, MANY, [(25.0, 0, 0, 20)] * 12]
    batch = fit_grid(TWO, stack(TWO, *rows), seed=1)
    found = batch.expect("p_tox")
    for t, each in enumerate(rows):
        np.testing.assert_allclose(found.sel(trial=t), blrm_mean(TWO, each), atol=1e-6)


def test_particles_agree_with_quadrature_of_a_joint_model():
    """Two patients pending, and more; four of six parameters are held by narrow priors."""
    batch = fit_many(REDUCED, stack(REDUCED, SOME, MANY), seed=1, nuts=False)
    assert bool(batch.table["passed"].all())
    for t, rows in enumerate((SOME, MANY)):
        post = batch.posterior(t)
        for name, exact in zip(("p_tox", "p_eff"), reduced_exact(rows), strict=True):
            mean, error = post.expect(post[name]), post.mcse(post[name])
            assert float(error.max()) < 0.003
            assert (abs(mean - exact) <= 4 * error + 1e-5).all()
    # what is pending matters: without it toxicity is judged otherwise
    assert abs(reduced_exact(MANY)[0] - reduced_exact(DONE)[0]).max() > 0.02


@pytest.mark.slow
def test_nuts_agrees_with_quadrature_of_a_joint_model():
    post = fit(REDUCED, trial(*MANY), seed=2)
    assert post.check().passed
    for name, exact in zip(("p_tox", "p_eff"), reduced_exact(MANY), strict=True):
        mean, error = post.expect(post[name]), post.mcse(post[name])
        assert (abs(mean - exact) <= np.maximum(0.01, 4 * error)).all()


@pytest.fixture(scope="module")
def sampled():
    data = trial(*MANY)
    return data, fit(POWER, data, seed=2)


def test_nuts_agrees_with_quadrature(sampled):
    _, post = sampled
    assert post.check().passed
    mean, error = post.expect(post["p_tox"]), post.mcse(post["p_tox"])
    assert (abs(mean - crm_exact(POWER, MANY, 0.33)[0]) <= np.maximum(0.01, 4 * error)).all()


def test_the_fit_keeps_what_was_pending(sampled):
    data, post = sampled
    xr.testing.assert_equal(post.seen["pending"], data.counts["pending"])
    assert "tox: 4 patients pending, followed for 38 of 112 days without event" in post.notes
    node = post.tree["observed_data"]["pending_outcomes"]
    assert node.dims == ("dose", "slot")
    assert int(node.sum()) == 3  # of the one just enrolled nothing is known
    assert set(np.unique(post.tree["prior_predictive"]["pending_outcomes"])) == {0, 1}


def test_power_scaling_reads_pending_patients_as_likelihood(sampled):
    data, post = sampled
    found = log_densities(post, POWER, data)["likelihood"].isel(chain=0, draw=slice(0, 3))
    p = post["p_tox"].isel(chain=0, draw=slice(0, 3))
    total = xr.zeros_like(found)
    for j, tox, w in tox_rows(MANY):
        total += np.log(p.isel(dose=j) if tox else 1 - w * p.isel(dose=j))
    np.testing.assert_allclose(found - found[0], total - total[0], rtol=1e-8, atol=1e-10)


def test_other_pending_patients_need_no_other_program(sampled):
    data, _ = sampled
    before = compiled_for(POWER, data)
    again = compiled_for(POWER, trial(*SOME))
    assert again is before
    assert again.data()["pending"].shape == (5, 1, 4)


def test_a_preview_and_a_decision_count_a_dose_with_pending_patients_as_tried():
    post = preview(POWER, trial((10.0, 0, 0, 5)), seed=1)
    assert post.seen["n_treated"].to_numpy().tolist() == [0, 0, 0, 1, 0]
    decision = decide(post, ClosestToTarget(0.25), TriedOnly())
    assert decision.leading == 10.0


def test_a_trial_has_the_bits_that_it_has_alone():
    """Whatever the number of pending patients of its neighbours, and of its own empty slots."""
    for model, run in ((THALL, fit_many), (TWO, fit_grid)):
        more = {"nuts": False, "particles": 1024}
        counts = stack(model, DONE, SOME, MANY)
        batch = run(model, counts, seed=3, **more)
        for t in range(3):
            alone = run(model, counts.isel(trial=[t]), seed=3, **more)
            np.testing.assert_array_equal(alone.expect("p_tox")[0], batch.expect("p_tox")[t])
        narrow = run(model, stack(model, SOME), seed=3, **more)
        np.testing.assert_array_equal(narrow.expect("p_tox")[0], batch.expect("p_tox")[1])
        without = run(model, stack(model, DONE), seed=3, **more)  # no pending patients at all
        np.testing.assert_array_equal(without.expect("p_tox")[0], batch.expect("p_tox")[0])


def test_no_follow_up_says_nothing_and_a_full_one_everything():
    nearly = 84 * (1 - 1e-9)
    for model, run in ((REDUCED, fit_many), (TWO, fit_grid)):
        start = stack(model, DONE, [*DONE, (10.0, 0, 0, 0), (25.0, 0, 0, 0)])
        assert "pending" not in start
        full = stack(model, [*DONE, (10.0, 0, 0, 84), (25.0, 0, 1, 84)],
                     [*DONE, (10.0, 0, 0, nearly), (25.0, 0, 1, nearly)])  # fmt: skip
        found = run(model, full, seed=1, nuts=False).expect("p_tox")
        np.testing.assert_allclose(found[0], found[1], atol=2e-4)


def good():
    return stack(THALL, SOME)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda c: c.drop_vars("n_treated"), "n_treated is needed beside pending"),
        (lambda c: c.assign(pending=c["pending"] * 2), "pending must be shares in 0..1"),
        (lambda c: c.assign(pending=c["pending"] * np.nan), "pending must be shares in 0..1"),
        (
            lambda c: c.assign(pending=c["pending"] * 0.5),
            "some outcome of each patient has the share 1",
        ),
        (lambda c: c.isel(cell=[0, 2]), "pending lacks the cells E, B"),
        (lambda c: c.assign(pending=c["pending"].isel(slot=0)), "pending has the dims"),
    ],
)
def test_a_stack_that_cannot_be_is_refused(change, said):
    with pytest.raises(DoseOptError, match=said):
        fit_many(THALL, change(good()), seed=1)


def test_models_of_toxicity_alone_read_two_cells():
    counts = stack(POWER, MANY)
    two = counts.isel(cell=[0, 2])  # whoever responded
    two["cell_count"] = two["cell_count"] + counts.isel(cell=[1, 3])["cell_count"].to_numpy()
    one, other = (fit_grid(POWER, c, seed=1).expect("p_tox") for c in (counts, two))
    np.testing.assert_array_equal(one, other)


def test_groups_refuse_pending_patients():
    pooled = EFFTOX_THALL2014 | {"tox_intercept": Pooled(Normal(-8, 3), HalfNormal(1))}
    model = EffTox(DOSES, pooled, groups={"subgroup": ("A", "B")})
    with pytest.raises(DoseOptError, match="to which subgroup a patient belongs"):
        stack_trials(model, [trial(*SOME)])
    parts = {g: TrialData.parse("1NNE", doses=DOSES) for g in "AB"}
    counts = stack_trials(model, [TrialData.of_groups(parts)])
    waiting = stack_trials(THALL, [trial(*SOME)])["pending"]
    with pytest.raises(DoseOptError, match="not modelled by group"):
        fit_many(model, counts.assign(pending=waiting), seed=1)
