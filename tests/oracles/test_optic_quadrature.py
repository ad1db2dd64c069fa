"""OPTIC by quadrature: with margins only, toxicity and efficacy are two small separate integrals."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.special import expit

import doseopt_bayes as dob

SPEC = dob.Spec.load(Path(__file__).parents[2] / "models" / "optic-ponatinib.toml")
X = np.log([15.0, 30.0, 45.0]) - np.log([15.0, 30.0, 45.0]).mean()
TOX, N_TOX = np.array([3, 5, 5]), np.array([94, 94, 94])
EFF, N_EFF = np.array([21, 27, 41]), np.array([91, 93, 93])


def midpoints(low, high, n):
    return low + (high - low) * (np.arange(n) + 0.5) / n


def integrate(grids, sds, means, curve, events, n):
    """Posterior means of p at each dose, and of Pr(p < limit), on a grid of parameters."""
    theta = np.meshgrid(*grids, indexing="ij")
    prior = sum(-0.5 * ((t - m) / s) ** 2 for t, m, s in zip(theta, means, sds, strict=True))
    p = expit(curve(*(t[..., None] for t in theta)))
    log = prior + (events * np.log(p) + (n - events) * np.log1p(-p)).sum(-1)
    weight = np.exp(log - log.max())
    weight /= weight.sum()
    return p, weight


@pytest.fixture(scope="module")
def result():
    return SPEC.run()


def test_toxicity_with_a_slope_above_zero(result):
    grids = midpoints(-6, 0, 600), midpoints(0, 5, 600)
    p, weight = integrate(grids, (1.35, 1.0), (-2.2, 0.0), lambda a, b: a + b * X, TOX, N_TOX)
    table = result.decision.table
    exact = (p * weight[..., None]).sum((0, 1))
    assert (np.abs(table["p_tox"] - exact) <= 4 * table["p_tox_mcse"]).all()
    for j, dose in enumerate((15.0, 30.0, 45.0)):
        order = np.argsort(p[..., j].ravel())
        cumulated = np.cumsum(weight.ravel()[order])
        for end, q in (("low", 0.025), ("high", 0.975)):
            at = p[..., j].ravel()[order][np.searchsorted(cumulated, q)]
            got, error = (float(table[f"p_tox_{end}{s}"].sel(dose=dose)) for s in ("", "_mcse"))
            assert abs(got - at) <= 4 * error


def test_efficacy_with_curvature(result):
    grids = midpoints(-2.5, 1, 140), midpoints(-2, 4, 140), midpoints(-2.2, 2.2, 140)
    p, weight = integrate(
        grids, (1.35, 1.0, 0.5), (-0.8, 0.0, 0.0), lambda g, z, e: g + z * X + e * X**2, EFF, N_EFF
    )
    table = result.decision.table
    exact = (p * weight[..., None]).sum((0, 1, 2))
    assert (np.abs(table["p_eff"] - exact) <= 4 * table["p_eff_mcse"]).all()


def test_association_stays_at_its_prior_when_only_margins_are_known(result):
    post = result.posterior
    assert abs(float(post.expect(post["association"]))) <= 4 * float(post.mcse(post["association"]))
    assert float(post["association"].std()) == pytest.approx(1.0, abs=0.05)
