"""A mixture prior is the same on paper, in PyMC, in a file and under every engine."""

from __future__ import annotations

import math
import tomllib

import numpy as np
import pymc as pm
import pytest
from scipy import integrate, stats

import doseopt_bayes as dob
from doseopt_bayes.elicit.elicited import _inline
from doseopt_bayes.errors import DoseOptError
from doseopt_bayes.priors import Beta, Mixture, Normal
from doseopt_bayes.spec.build import Builder

pytestmark = pytest.mark.filterwarnings("ignore:Numba will use object mode")

NORMALS = Mixture((0.7, 0.3), (Normal(0.3, 0.3), Normal(-0.5, 1.2)))
FAR = Mixture((0.5, 0.25, 0.25), (Normal(-4, 0.1), Normal(0, 1), Normal(6, 0.5)))
BETAS = Mixture((0.6, 0.4), (Beta(19, 58), Beta(1, 1)))
EVERY = [NORMALS, FAR, BETAS, NORMALS.positive(), Mixture((1.0,), (Normal(1, 2),), lower=-0.5)]


def density(prior: Mixture, x: float) -> float:
    """Density by its definition: the weighted sum of the parts, cut and scaled as a whole."""
    if prior.of_probability:
        each = [stats.beta.pdf(x, c.events, c.others) for c in prior.components]
        return float(np.dot(prior.weights, each))
    if prior.lower is not None and x < prior.lower:
        return 0.0
    each = [stats.norm.pdf(x, c.mean, c.sd) for c in prior.components]
    low = -math.inf if prior.lower is None else prior.lower
    above = [stats.norm.sf(low, c.mean, c.sd) for c in prior.components]
    return float(np.dot(prior.weights, each) / np.dot(prior.weights, above))


@pytest.mark.parametrize("prior", EVERY, ids=str)
def test_quantiles_invert_the_integral_of_the_density(prior):
    low = {True: 0.0, False: -12.0 if prior.lower is None else prior.lower}[prior.of_probability]
    centres = [] if prior.of_probability else [c.mean for c in prior.components if c.mean > low]
    for q in (1e-4, 0.025, 0.3, 0.5, 0.75, 0.975, 0.9999):
        x = prior.quantile(q)
        marks = [m for m in centres if m < x] or None
        mass = integrate.quad(lambda t: density(prior, t), low, x, points=marks, limit=400)[0]
        assert mass == pytest.approx(q, abs=1e-8)
        assert prior.cdf(x) == pytest.approx(q, abs=1e-10)


@pytest.mark.parametrize("prior", EVERY, ids=str)
def test_pymc_has_the_same_density_and_draws(prior):
    with pm.Model(coords={"dose": [1, 2, 3]}) as model:
        one = prior.build("one")
        three = prior.build("three", ("dose",))
    assert model.named_vars_to_dims["three"] == ("dose",)
    xs = np.array([prior.quantile(q) for q in (0.01, 0.4, 0.9)])
    expected = [math.log(density(prior, float(x))) for x in xs]
    # PyMC's own truncated Normal carries a constant of 32 bits: 8e-9 off
    np.testing.assert_allclose(pm.logp(three, xs).eval(), expected, rtol=1e-9, atol=2e-8)
    draws = pm.draw(one, 20_000, random_seed=1)
    for q in (0.025, 0.25, 0.5, 0.75, 0.975):
        assert np.mean(draws <= prior.quantile(q)) == pytest.approx(q, abs=0.015)


@pytest.mark.parametrize("prior", [NORMALS, BETAS], ids=str)
def test_moments_are_those_of_the_density(prior):
    ends = (0, 1) if prior.of_probability else (-10, 10)
    mean = integrate.quad(lambda t: t * density(prior, t), *ends, limit=400)[0]
    square = integrate.quad(lambda t: t**2 * density(prior, t), *ends, limit=400)[0]
    assert (prior.mean, prior.sd) == pytest.approx((mean, math.sqrt(square - mean**2)), abs=1e-7)


def test_truncation_weighs_the_parts_anew():
    # the far part has almost no mass above 0: its weight must fall from 1/2, not stay
    prior = Mixture((0.5, 0.5), (Normal(-3, 1), Normal(1, 1))).positive()
    assert prior.cdf(1.0) == pytest.approx(
        (0.5 * (stats.norm.cdf(4) - stats.norm.cdf(3)) + 0.5 * (0.5 - stats.norm.cdf(-1)))
        / (0.5 * stats.norm.sf(3) + 0.5 * stats.norm.sf(-1)), abs=1e-12)  # fmt: skip
    assert prior.positive() == prior
    assert BETAS.positive() is BETAS
    with pytest.raises(DoseOptError, match="not truncated"):
        _ = prior.mean


def test_every_engine_gives_the_posterior_of_quadrature():
    skeleton = np.array([0.05, 0.2, 0.4])
    model = dob.CRM((1, 2, 3), tuple(skeleton), prior=NORMALS, unit="mg")
    data = dob.TrialData.parse("1NNN 2NNTN 3TTN 2NN", doses=(1, 2, 3), unit="mg")
    counts = data.counts.sel(endpoint="tox")
    n, x = counts["n"].to_numpy(), counts["events"].to_numpy()

    def weight(b: float) -> float:
        p = skeleton ** math.exp(b)
        return float(np.prod(p**x * (1 - p) ** (n - x))) * density(NORMALS, b)

    total = integrate.quad(weight, -8, 8, points=[-0.5, 0.3], limit=400)[0]
    exact = [
        integrate.quad(lambda b, s=s: weight(b) * s ** math.exp(b), -8, 8, limit=400)[0] / total
        for s in skeleton
    ]
    for engine in (dob.preview, dob.fit):
        post = engine(model, data, seed=1)
        error = post.mcse(post["p_tox"]).to_numpy()
        assert np.all(np.abs(post.expect(post["p_tox"]).to_numpy() - exact) < 4 * error)
        assert np.all(error < 0.004)


WRITTEN = """
prior = { dist = "mixture", weights = [0.7, 0.3], components = [
    { dist = "normal", mean = 0.3, sd = 0.3 }, { dist = "normal", mean = -0.5, sd = 1.2 } ] }
"""


def test_a_file_says_the_same():
    builder = Builder("a.toml")
    found = builder._converter("Prior")(tomllib.loads(WRITTEN)["prior"], "prior")
    assert (builder.problems, found) == ([], NORMALS)
    for prior in (FAR, BETAS, NORMALS.positive()):
        parsed = tomllib.loads(f"prior = {_inline(prior)}")["prior"]
        assert builder._converter("Prior")(parsed, "prior") == prior


def test_a_wrong_file_names_the_component():
    builder = Builder("a.toml")
    parsed = tomllib.loads(WRITTEN.replace('"normal", mean = -0.5', '"normall", mean = -0.5'))
    builder._converter("Prior")(parsed["prior"], "model.prior")
    (problem,) = builder.problems
    assert problem.column == "model.prior.components[1].dist"
    assert "did you mean 'normal'" in problem.repair


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Mixture((0.7, 0.2), (Normal(0, 1), Normal(0, 2))), "sum to 0.9"),
        (lambda: Mixture((0.7,), (Normal(0, 1), Normal(0, 2))), "1 weights for 2"),
        (lambda: Mixture((), ()), "0 weights for 0"),
        (lambda: Mixture((1.2, -0.2), (Normal(0, 1), Normal(0, 2))), "must be > 0"),
        (lambda: Mixture((0.5, 0.5), (Normal(0, 1), Beta(1, 1))), "Beta, Normal"),
        (lambda: Mixture((1.0,), (Normal(0, 1, lower=0),)), "is truncated"),
        (lambda: Mixture((1.0,), (Beta(1, 1),), lower=0.1), "lower = 0.1"),
        (
            lambda: Mixture((1.0,), (Normal(-50, 1),)).positive().build("x"),
            "no component has any mass",
        ),
    ],
)
def test_what_cannot_be_is_refused(make, said):
    with pytest.raises(DoseOptError, match=said):
        make()
