"""A program is shared by the same recipe alone, and new data change nothing but the data."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from doseopt_bayes.data.trial import TrialData
from doseopt_bayes.errors import DoseOptError
from doseopt_bayes.inference import compiled
from doseopt_bayes.inference.nuts import fit
from doseopt_bayes.models import EffTox
from doseopt_bayes.models.presets import EFFTOX_THALL2014
from doseopt_bayes.priors import Normal

DOSES = (1.0, 2.0, 4.0, 6.6, 10.0)
MODEL = EffTox(DOSES, EFFTOX_THALL2014)
FIRST = TrialData.parse("1NNE 2EEB", doses=DOSES)
SECOND = TrialData.parse("1NNE 2EEB 4EEB", doses=DOSES)


@pytest.mark.slow
def test_a_refit_gives_the_bits_of_a_fresh_fit(monkeypatch):
    monkeypatch.setattr(compiled, "_CACHE", type(compiled._CACHE)())
    fresh = fit(MODEL, SECOND, seed=1, draws=1000)
    monkeypatch.setattr(compiled, "_CACHE", type(compiled._CACHE)())
    fit(MODEL, FIRST, seed=1, draws=1000)
    again = fit(MODEL, SECOND, seed=1, draws=1000)
    for group in ("posterior", "prior", "prior_predictive", "observed_data", "constant_data"):
        xr.testing.assert_equal(fresh.tree[group].to_dataset(), again.tree[group].to_dataset())
    assert int(again.tree["observed_data"]["outcomes"].sum()) == 9


def test_programs_are_kept_by_recipe_to_the_last_digit_and_not_without_end(monkeypatch):
    monkeypatch.setattr(compiled, "_CACHE", type(compiled._CACHE)())
    one = compiled.compiled_for(MODEL, FIRST)
    assert compiled.compiled_for(EffTox(DOSES, EFFTOX_THALL2014), SECOND) is one
    for i in range(1, 10):
        near = dict(EFFTOX_THALL2014) | {"tox_slope": Normal(1.5482 + i * 1e-12, 3.5018)}
        assert compiled.compiled_for(EffTox(DOSES, near), FIRST) is not one
    assert len(compiled._CACHE) == compiled.KEPT
    assert compiled.compiled_for(MODEL, FIRST) is not one


def test_data_that_do_not_fit_are_refused_before_anything_changes():
    kept = compiled.compiled_for(MODEL, FIRST)
    with pytest.raises(DoseOptError, match="candidate doses"):
        compiled.compiled_for(MODEL, TrialData.parse("1NNE", doses=(1, 2)))
    assert kept.data()["cell_count"].sum() == 6


def test_outcomes_of_the_prior_follow_the_numbers_of_patients():
    tree = compiled.compiled_for(MODEL, SECOND).forward(200, seed=3)
    n = tree["prior_predictive"]["outcomes"].sum("cell")
    assert (n == np.array([3, 3, 0, 3, 0])).all()
    assert tree["prior"]["p_tox"].dims == ("chain", "draw", "dose")
    assert tree["observed_data"]["outcomes"].dims == ("dose", "cell")
