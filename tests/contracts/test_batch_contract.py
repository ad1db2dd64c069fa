"""What the batch engine needs of every registered model: the graph that NUTS samples, and no other."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import gammaln

from doseopt_bayes.data.trial import TrialData
from doseopt_bayes.inference.batch import fit_many
from doseopt_bayes.inference.graph import program_for
from doseopt_bayes.inference.nuts import fit
from doseopt_bayes.inference.tallies import (
    EVENTS_ONLY,
    N_ONLY,
    checked_counts,
    counted,
    stack_trials,
    trial_of,
)
from tests.contracts.test_models import DOSES, RECIPES, every, trial

SOME = TrialData.parse("1NNE 2EEBT 3BTE 2NE", doses=DOSES, unit="mg")


def points(program, n, seed=0):
    """Unconstrained parameters near the initial point, as vectors and as PyMC reads them, by name."""
    rng = np.random.default_rng(seed)
    z = rng.normal(0, 0.7, (n, program.size))
    model = program.model
    start = model.initial_point()
    found = []
    for row in z:
        point = {}
        for rv in model.free_RVs:
            at, shape = program.layout[rv.name]
            name = model.rvs_to_values[rv].name
            row[at] += np.ravel(start[name])
            point[name] = row[at].reshape(shape)
        found.append(point)
    return z, found


def random_counts(program, rng):
    """Patients of three trials: none, pairs alone, and some with one outcome alone."""
    recipe = program.recipe
    trials = [TrialData.empty(DOSES, "mg"), SOME, trial(others=len(recipe.endpoints) > 2)]
    counts = stack_trials(recipe, trials)
    counts["cell_count"].values[1:] = rng.integers(0, 9, counts["cell_count"].shape)[1:]
    counts[N_ONLY].values[2] = rng.integers(0, 9, counts[N_ONLY].shape)[2]
    counts[EVENTS_ONLY].values[2] = rng.binomial(counts[N_ONLY].values[2], 0.4)
    return checked_counts(recipe, counts)


@every
def test_sum_of_counts_times_log_p_is_the_likelihood_that_nuts_samples(name):
    """Up to the multinomial constant, which is the same at every point."""
    recipe = RECIPES[name]
    program = program_for(recipe)
    z, at = points(program, 20)
    log_p = program.evaluate(z).log_p
    log_p = program.with_pair(log_p) if program.has_cells else log_p
    counts = random_counts(program, np.random.default_rng(5))
    tally = counted(program, counts, pair=program.has_cells)
    for t in range(3):
        row = counts.isel(trial=t)
        model = recipe.build(trial_of(recipe, row))
        likelihood = model.compile_logp(vars=model.observed_RVs)
        theirs = np.array([float(likelihood(p)) for p in at])
        ours = log_p @ tally.events[t]
        np.testing.assert_allclose(ours - ours[0], theirs - theirs[0], rtol=1e-9, atol=1e-9)
        if program.has_cells:
            cells, n, x = (row[v].to_numpy() for v in ("cell_count", N_ONLY, EVENTS_ONLY))
            constant = (gammaln(cells.sum(-1) + 1) - gammaln(cells + 1).sum(-1)).sum()
            constant += (gammaln(n + 1) - gammaln(x + 1) - gammaln(n - x + 1)).sum()
            np.testing.assert_allclose(ours + constant, theirs, rtol=1e-10)
        assert np.abs(theirs - theirs[0]).max() > 1 or t == 0


@every
def test_the_prior_with_its_jacobian_and_the_probabilities_are_those_of_the_model(name):
    program = program_for(RECIPES[name])
    model = program.model
    z, at = points(program, 20, seed=1)
    said, natural = program.evaluate(z), program.natural(z)
    prior = model.compile_logp(vars=model.free_RVs, jacobian=True)
    np.testing.assert_allclose(said.log_prior, [float(prior(p)) for p in at], rtol=1e-10)
    cells = ["p_cell"] if program.has_cells else []
    wanted = list(dict.fromkeys([*cells, *said.p, *natural]))
    wanted_too = model.compile_fn(
        model.replace_rvs_by_values([model[v] for v in wanted]), inputs=model.value_vars
    )
    ours = dict(said.p) | natural
    if cells:
        ours["p_cell"] = np.exp(said.log_p).reshape(20, len(DOSES), -1)[..., :4]
    for i, point in enumerate(at):
        for variable, expected in zip(wanted, wanted_too(point), strict=True):
            np.testing.assert_allclose(ours[variable][i], expected, rtol=1e-10, err_msg=variable)


@every
def test_a_trial_by_itself_has_the_bits_that_it_has_in_a_batch(name):
    recipe = RECIPES[name]
    others = len(recipe.endpoints) > 2
    trials = [SOME, trial(others=others), TrialData.empty(DOSES, "mg"), SOME]
    stacked = stack_trials(recipe, trials, ["a", "b", "c", "d"])
    batch = fit_many(recipe, stacked, seed=3, nuts=False)
    for label in ("a", "b", "c"):
        alone = fit_many(recipe, stacked.sel(trial=[label]), seed=3, nuts=False).posterior(label)
        assert alone.draws.equals(batch.posterior(label).draws)
        assert alone.weight.equals(batch.posterior(label).weight)
    one, same = (batch.posterior(label) for label in ("a", "d"))
    assert np.array_equal(one.weight, same.weight)


@pytest.mark.parametrize(
    "name",
    [
        "efftox, three endpoints",
        *(
            pytest.param(n, marks=pytest.mark.slow)
            for n in RECIPES
            if n != "efftox, three endpoints"
        ),
    ],
)
def test_particles_and_nuts_agree(name):
    """Data with patients of whom one outcome alone is known, and with a further endpoint."""
    recipe = RECIPES[name]
    data = trial(others=len(recipe.endpoints) > 2)
    batch = fit_many(recipe, stack_trials(recipe, [data]), seed=1, particles=8192)
    assert batch.table["engine"].item() == "particles"
    fast, slow = batch.posterior(0), fit(recipe, data, seed=1, draws=5000)
    for endpoint in recipe.endpoints:
        a, b = fast[f"p_{endpoint}"], slow[f"p_{endpoint}"]
        for x, y in ((a, b), (a < 0.3, b < 0.3)):
            gap = abs(fast.expect(x) - slow.expect(y.astype(float)))
            assert (gap <= 4 * np.hypot(fast.mcse(x), slow.mcse(y))).all()
