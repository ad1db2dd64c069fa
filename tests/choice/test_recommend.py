"""The leading dose under each shape, and what is said of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

from doseopt_bayes.choice.recommend import recommend_by_shape
from doseopt_bayes.errors import DoseOptError
from doseopt_bayes.inference.checks import Check, Diagnostics
from tests.choice.cases import bent_comparison


def lowest_with(goal: float):
    """Return a rule: the lowest of some doses whose expected response reaches a goal."""

    def rule(model, post):
        doses = np.array([5.0, 20.0, 50.0, 100.0])
        reached = post.expect(model.response_at(post.draws, doses)).to_numpy() >= goal
        return float(doses[reached][0]) if reached.any() else None

    return rule


def always(found):
    return lambda _model, _post: found


def test_shapes_that_disagree_are_named_with_their_weights():
    found = recommend_by_shape(bent_comparison(), lowest_with(6.0), unit="mg")
    leading = dict(
        zip(found.table["model"].to_numpy(), found.table["leading"].to_numpy(), strict=True)
    )
    assert leading == {"emax": 20.0, "linear": 50.0}  # truth: 8 x / (5 + x) reaches 6 at 15
    assert not found.agree
    assert "20 mg leads under emax (weight " in str(found)
    assert "depends on the shape" in str(found)


def test_shapes_that_agree():
    found = recommend_by_shape(bent_comparison(), always(50.0))
    assert found.agree
    assert "50 leads under emax, linear (weight 1.00 in all)" in str(found)
    assert "does not depend on which" in str(found)


def test_decisions_failed_fits_and_no_dose():
    class Said:
        leading = xr.DataArray(20.0)
        status = xr.DataArray("not resolved")

    comparison = bent_comparison()
    fits = {k: (m, comparison.posteriors[k]) for k, m in comparison.models.items()}
    model, post = fits["linear"]
    bad = Diagnostics((Check("divergences", False, "7", "0"),), post.diagnostics.table)
    fits["linear"] = (model, replace(post, diagnostics=bad))
    found = recommend_by_shape(fits, always(Said()))
    assert "20 leads under emax, not resolved under emax" in str(found)
    assert "No dose leads: diagnostics failed, under linear" in str(found)
    assert np.isnan(found.table["weight"]).all()
    none = recommend_by_shape(fits, always(None))
    assert "No dose leads: no dose, under emax" in str(none)
    with pytest.raises(DoseOptError, match="one weight for each"):
        recommend_by_shape(fits, always(None), weights={"emax": 1.0})
