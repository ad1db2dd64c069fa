"""The compiled graph: shared by equal recipes alone, by name, without data, the same in every process."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass, field

import numpy as np
import pymc as pm
import pytest
from scipy import stats

from doseopt_bayes.errors import DoseOptError
from doseopt_bayes.inference import graph
from doseopt_bayes.inference.graph import program_for
from doseopt_bayes.models import EffTox, Saturated
from doseopt_bayes.models.presets import EFFTOX_THALL2014
from doseopt_bayes.priors import LogNormal, Normal, StudentT

DOSES = (1.0, 2.0, 4.0, 6.6, 10.0)
MODEL = EffTox(DOSES, EFFTOX_THALL2014)


@dataclass(frozen=True)
class Strange:
    """A recipe whose graph is what a test makes it."""

    make: object
    doses: tuple = (1.0, 2.0)
    unit: str = ""
    priors: dict = field(default_factory=dict)
    endpoints: tuple = ("tox",)

    def build(self, data):
        with pm.Model(coords={"dose": list(self.doses)}) as model:
            self.make(pm.Normal("tox_intercept"))
        return model


def margins(b):
    """Toxicity alone: no cells."""
    p = pm.Deterministic("p_tox", pm.math.sigmoid(b + np.array([-1.0, 1.0])), dims="dose")
    pm.Binomial("tox_only", n=np.array([0, 0]), p=p, observed=np.array([0, 0]))


def with_potential(b):
    margins(b)
    pm.Potential("extra", b)


def with_another_node(b):
    margins(b)
    pm.Normal("biomarker", b, observed=0.3)


def with_data_inside(b):
    n = pm.Data("n_patients", np.array([3, 3]), dims="dose")
    pm.Deterministic("p_tox", pm.math.sigmoid(b + n), dims="dose")


def test_equal_recipes_share_a_program_and_a_last_digit_parts_them(monkeypatch):
    monkeypatch.setattr(graph, "_PROGRAMS", type(graph._PROGRAMS)())
    monkeypatch.setattr(graph, "_RECIPES", type(graph._RECIPES)())
    one = program_for(MODEL)
    assert program_for(MODEL) is one
    assert program_for(EffTox(DOSES, EFFTOX_THALL2014)) is one
    for i in range(1, 10):
        near = dict(EFFTOX_THALL2014) | {"tox_slope": Normal(1.5482 + i * 1e-12, 3.5018)}
        assert program_for(EffTox(DOSES, near)) is not one
    assert len(graph._PROGRAMS) <= graph.KEPT


def test_a_model_of_margins_alone_needs_no_cells():
    program = program_for(Strange(margins))
    assert program.outcomes == (("tox", "event"), ("tox", "none"))
    z = np.array([[0.3], [-2.0]])
    said = program.evaluate(z)
    p = 1 / (1 + np.exp(-(z + np.array([-1.0, 1.0]))))
    np.testing.assert_allclose(said.p["p_tox"], p)
    np.testing.assert_allclose(said.log_p.reshape(2, 2, 2), np.log(np.stack([p, 1 - p], -1)))


@pytest.mark.parametrize(
    ("make", "named"), [(with_potential, "extra"), (with_another_node, "biomarker")]
)
def test_what_counts_cannot_tell_is_refused(make, named):
    with pytest.raises(DoseOptError, match=f"{named} is no count"):
        program_for(Strange(make))


def test_probabilities_that_follow_from_the_data_are_refused():
    with pytest.raises(DoseOptError, match="probabilities depend on n_patients"):
        program_for(Strange(with_data_inside)).evaluate(np.zeros((1, 1)))


def test_prior_particles_are_draws_from_the_prior_on_its_own_scale():
    priors = dict(EFFTOX_THALL2014) | {"eff_slope": LogNormal(2.0, 0.5)}
    program = program_for(EffTox(DOSES, priors, monotone_tox=True))
    z = program.prior(4096, 1)
    natural = program.natural(z)
    for name, prior in program.recipe.priors.items():
        for q in (0.025, 0.5, 0.975):
            share = np.mean(natural[name] <= prior.quantile(q))
            assert share == pytest.approx(q, abs=0.002), name  # quasi-random: far below 1 / sqrt(n)
    assert np.array_equal(z, program.prior(4096, 1))
    assert not np.array_equal(z, program.prior(4096, 2))


@pytest.mark.parametrize("others", [(), ("stop",)])
def test_a_prior_without_a_quantile_function_is_drawn_at_random(others):
    program = program_for(Saturated((1, 2), others=others))
    natural = program.natural(program.prior(4000, 1))
    assert stats.kstest(natural["p_cell"][:, 0, 3], stats.beta(0.25, 0.75).cdf).pvalue > 1e-3
    np.testing.assert_allclose(natural["p_cell"].sum(axis=-1), 1)
    assert np.array_equal(program.prior(50, 2), program.prior(50, 2))
    heavy = dict(EFFTOX_THALL2014) | {"tox_slope": StudentT(4, 1, 2)}
    assert program_for(EffTox((1, 2), heavy, monotone_tox=True)).prior(64, 1).shape == (64, 6)


def test_nothing_overflows_far_out():
    said = program_for(MODEL).evaluate(np.array([[60.0, 40, -60, 40, 5, 9], [1e300] * 6]))
    assert np.isfinite(said.log_p[0]).all()
    assert (said.log_p >= graph.FLOOR).all()
    assert said.log_prior[1] == -np.inf


@pytest.mark.slow
def test_a_cold_and_a_warm_process_give_the_same_bits(tmp_path):
    code = (
        "import hashlib, numpy as np, doseopt_bayes as dob\n"
        "from doseopt_bayes.inference.batch import preview\n"
        "m = dob.EffTox((1, 2, 4), dob.presets.EFFTOX_THALL2014, monotone_tox=True)\n"
        "p = preview(m, dob.TrialData.parse('1NNE 2EEB', doses=m.doses), seed=1, particles=1024)\n"
        "bits = [p.weight, *(p[v] for v in p.draws.data_vars)]\n"
        "print(hashlib.sha256(b''.join(x.to_numpy().tobytes() for x in bits)).hexdigest())"
    )
    said = []
    for hash_seed, cache in (("1", "a"), ("2", "a"), ("3", "b")):
        flags = {
            "PYTENSOR_FLAGS": f"base_compiledir={tmp_path / cache}",
            "PYTHONHASHSEED": hash_seed,
        }
        done = subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | flags,
            capture_output=True,
            text=True,
            check=True,
        )
        said.append(done.stdout)
    assert len(set(said)) == 1
