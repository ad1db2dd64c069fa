"""Cells of the Gaussian copula against numerical integration that shares nothing with them."""

from __future__ import annotations

import itertools

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from scipy.integrate import quad
from scipy.special import expit, ndtri
from scipy.stats import norm

from doseopt_bayes.data.trial import TrialData
from doseopt_bayes.errors import DoseOptError
from doseopt_bayes.models import EffTox
from doseopt_bayes.models.association import gaussian_cells, gumbel_morgenstern_cells
from doseopt_bayes.models.presets import EFFTOX_THALL2014

DOSES = (1.0, 2.0, 4.0)


def program(cells):
    tox, eff, association = pt.dvectors("tox", "eff", "association")
    p = cells(tox, eff, association)
    return pytensor.function([tox, eff, association], [p, *pt.grad(p[:, 3].sum(), [tox, eff, association])])  # fmt: skip


@pytest.fixture(scope="module")
def gaussian():
    return program(gaussian_cells)


def both(p_tox, p_eff, rho):
    """Pr(both events): one latent variable is integrated out by adaptive quadrature."""
    h, k, s = ndtri(p_eff), ndtri(p_tox), np.sqrt(1 - rho**2)
    centre = k / rho if rho else 0.0
    inner = {-3.0, *(centre + step * s for step in (-8, -1, 0, 1, 8))}
    ends = [-38.0, *sorted(c for c in inner if -38 < c < h), h]
    return sum(
        quad(lambda z: norm.pdf(z) * norm.cdf((k - rho * z) / s), a, b, epsabs=1e-16, epsrel=1e-12)[
            0
        ]
        for a, b in itertools.pairwise(ends)
    )


@pytest.mark.parametrize("association", [-6.0, -2.0, -0.3, 0.0, 0.5, 1.5, 4.0, 6.0])
def test_cells_equal_the_bivariate_normal(gaussian, association):
    rng = np.random.default_rng(int(10 * association) % 97)
    tox, eff = rng.normal(0, 2, (2, 25))
    p = gaussian(tox, eff, np.full(25, association))[0]
    p_tox, p_eff, rho = expit(tox), expit(eff), float(np.tanh(association / 2))
    joint = np.array([both(t, e, rho) for t, e in zip(p_tox, p_eff, strict=True)])
    expected = np.stack([1 - p_tox - p_eff + joint, p_eff - joint, p_tox - joint, joint], axis=1)
    np.testing.assert_allclose(p, expected, atol=1e-11)


def test_margins_and_sum_are_exact_and_logs_are_finite(gaussian):
    rng = np.random.default_rng(1)
    tox, eff = rng.uniform(-30, 30, (2, 10_000))
    p = gaussian(tox, eff, rng.normal(0, 2, 10_000))[0]
    assert np.abs(p.sum(axis=1) - 1).max() <= 1e-12
    assert np.abs(p[:, 2] + p[:, 3] - expit(tox)).max() <= 1e-12
    assert np.abs(p[:, 1] + p[:, 3] - expit(eff)).max() <= 1e-12
    ends = np.array([-700.0, 0.0, 700.0])
    grid = [x.ravel() for x in np.meshgrid(ends, ends, np.array([-5.0, 0.0, 5.0]))]
    assert np.isfinite(np.log(gaussian(*grid)[0])).all()


def test_gradient_equals_central_differences(gaussian):
    rng = np.random.default_rng(2)
    at = rng.normal(0, 1.2, (3, 200))
    _, *gradient = gaussian(*at)
    for i in range(3):
        step = np.zeros((3, 1))
        step[i] = 1e-5
        up, down = (gaussian(*(at + sign * step))[0][:, 3] for sign in (1, -1))
        np.testing.assert_allclose(gradient[i], (up - down) / 2e-5, atol=1e-9)


def test_only_the_gaussian_copula_reaches_strong_dependence():
    half = np.zeros(1)
    found = {}
    for name, cells in (("gm", gumbel_morgenstern_cells), ("gaussian", gaussian_cells)):
        p = program(cells)(half, half, np.full(1, 6.0))[0][0]
        found[name] = (p[3] - 0.25) / 0.25  # correlation of two fair binary outcomes
    assert found["gm"] <= 0.25
    assert found["gaussian"] > 0.9


def test_the_copula_is_chosen_by_name_and_said():
    model = EffTox(DOSES, EFFTOX_THALL2014, copula="gaussian")
    assert "Gaussian copula" in str(model)
    data = TrialData.parse("1NNE 2EEB", doses=DOSES)
    density = model.build(data).compile_logp()
    point = dict(zip(EffTox.parameters, (-1.0, 0.7, 0.3, 0.9, 0.1, 0.0), strict=True))
    published = EffTox(DOSES, EFFTOX_THALL2014).build(data).compile_logp()
    assert density(point) == pytest.approx(published(point), rel=1e-12)  # 0 is independence in both
    with pytest.raises(DoseOptError, match="did you mean 'gaussian'"):
        EffTox(DOSES, EFFTOX_THALL2014, copula="gausian")
