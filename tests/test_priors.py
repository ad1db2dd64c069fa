"""Priors are proper, checked when written, and the same in PyMC as on paper."""

from __future__ import annotations

import numpy as np
import pymc as pm
import pytest

from doseopt_bayes.errors import DoseOptError
from doseopt_bayes.priors import (
    PRIORS,
    Beta,
    HalfNormal,
    HalfStudentT,
    LogNormal,
    Mixture,
    Normal,
    Pooled,
    RootInverseGamma,
    StudentT,
    Unpooled,
)

VALUES = [Normal(1, 2), Normal(-1, 2, lower=0), StudentT(5, 1, 2), StudentT(5, -1, 2, lower=0.0),
          HalfNormal(0.5), LogNormal(0.25, 0.7), Mixture((0.7, 0.3), (Normal(0, 1), Normal(1, 3))),
          Beta(0.5, 2), HalfStudentT(3, 1), RootInverseGamma(2, 20)]  # fmt: skip


@pytest.mark.filterwarnings("ignore:Numba will use object mode")
@pytest.mark.parametrize("prior", VALUES, ids=str)
def test_draws_have_the_stated_quantiles(prior):
    with pm.Model():
        draws = pm.draw(prior.build("x"), 20_000, random_seed=1)
    for q in (0.025, 0.25, 0.5, 0.75, 0.975):
        assert np.mean(draws <= prior.quantile(q)) == pytest.approx(q, abs=0.015)


@pytest.mark.parametrize("prior", VALUES, ids=str)
def test_positive_is_positive_and_keeps_positive_priors(prior):
    positive = prior.positive()
    assert positive.quantile(1e-6) >= 0
    assert positive.positive() == positive


def test_every_registered_prior_is_tested():
    groups = {Pooled, Unpooled}  # tests/priors/test_pooled.py
    assert {type(p) for p in VALUES} == set(PRIORS.values()) - groups


@pytest.mark.parametrize(
    "make",
    [lambda: Normal(0, -1), lambda: Normal(0, 0), lambda: Normal(0, float("inf")), lambda: Normal("0", 1),
     lambda: HalfNormal(0), lambda: LogNormal(-1, 1), lambda: LogNormal(1, 0), lambda: StudentT(0, 0, 1),
     lambda: Normal(float("nan"), 1), lambda: Normal(True, 1)],
)  # fmt: skip
def test_improper_or_senseless_priors_are_refused(make):
    with pytest.raises(DoseOptError, match=r"must be > 0|not a finite number"):
        make()
