"""Fits: reproducible, recorded, repeated when they must be, and never silent about it."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
import xarray as xr

from doseopt_bayes.data.trial import TrialData
from doseopt_bayes.errors import DoseOptError
from doseopt_bayes.inference import nuts
from doseopt_bayes.inference.nuts import fit
from doseopt_bayes.inference.prior import prior_table, prior_warnings, sample_prior
from doseopt_bayes.models import EffTox
from doseopt_bayes.models.presets import EFFTOX_THALL2014
from doseopt_bayes.priors import Normal

DOSES = (1.0, 2.0, 4.0, 6.6, 10.0)
MODEL = EffTox(DOSES, EFFTOX_THALL2014, unit="mg")
DATA = TrialData.parse("1NNE 2EEB", doses=DOSES, unit="mg")


def test_the_same_seed_gives_the_same_draws_and_another_seed_does_not(published):
    again = fit(MODEL, DATA, seed=20260101)
    xr.testing.assert_equal(again.draws, published.draws)
    other = fit(MODEL, DATA, seed=2)
    assert not np.array_equal(other.draws["tox_slope"], published.draws["tox_slope"])


@pytest.mark.slow
def test_a_cold_and_a_warm_process_give_the_same_bits(tmp_path):
    """Compiled afresh or loaded from the cache, in any hash order."""
    code = (
        "import hashlib, doseopt_bayes as dob; m = dob.EffTox((1, 2, 4), dob.presets.EFFTOX_THALL2014); "
        "p = dob.fit(m, dob.TrialData.parse('1NNE 2EEB', doses=m.doses), seed=1); "
        "print(hashlib.sha256(b''.join(p.tree[g][v].to_numpy().tobytes() for g in ('posterior', 'prior')"
        " for v in p.tree[g].data_vars)).hexdigest())"
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


def test_what_made_the_draws_is_recorded(published):
    attrs = published.tree.attrs
    assert attrs["sampler"] == "nutpie"
    assert attrs["seed"] == 20260101
    assert attrs["version_pymc"].startswith("6.4")
    assert {"posterior", "sample_stats", "prior", "prior_predictive", "observed_data",
            "constant_data", "seen"} == set(published.tree.children)  # fmt: skip
    assert published.draws["p_cell"].dims == ("chain", "draw", "dose", "cell")
    assert published.draws["dose"].attrs["units"] == "mg"


def test_both_samplers_agree(published):
    slow = fit(MODEL, DATA, seed=3, sampler="pymc", draws=1000)
    assert slow.tree.attrs["sampler"] == "pymc"
    assert slow.check().passed, str(slow.check())
    for name in ("p_tox", "p_eff"):
        gap = abs(slow.expect(slow[name]) - published.expect(published[name]))
        error = np.hypot(slow.mcse(slow[name]), published.mcse(published[name]))
        assert (gap <= 4 * error).all()


def test_without_data_the_posterior_is_the_prior():
    post = fit(MODEL, TrialData.empty(DOSES, "mg"), seed=4)
    for name, prior in MODEL.priors.items():
        gap = abs(float(post.expect(post[name])) - prior.mean)
        assert gap <= 4 * float(post.mcse(post[name])), name
        assert float(post[name].std()) == pytest.approx(prior.sd, rel=0.05)


def test_draws_are_added_while_a_decision_is_too_close():
    asked = []

    def enough(post):
        asked.append(post.n_draws)
        return len(asked) > 1

    post = fit(MODEL, DATA, seed=5, draws=1000, enough=enough)
    assert asked == [4000, 16000]
    assert post.n_draws == 16000
    assert any("not enough to decide; 4000 draws per chain" in note for note in post.notes)


def test_a_fit_that_is_too_short_is_refused_not_hidden():
    post = fit(MODEL, DATA, seed=6, draws=200, chains=2)
    assert not post.check().passed
    assert {c.name for c in post.check().failures} >= {"chains", "draws per chain"}


@pytest.mark.parametrize("seed", ["42", 1.5, -1, True])
def test_a_seed_is_a_whole_number(seed):
    with pytest.raises(DoseOptError, match="not a non-negative integer"):
        fit(MODEL, DATA, seed=seed)


def test_without_a_seed_one_is_drawn_and_said():
    post = fit(MODEL, DATA, draws=1000)
    assert f"no seed was given: {post.tree.attrs['seed']} was drawn" in post.notes


def test_unknown_sampler_is_refused():
    with pytest.raises(DoseOptError, match="did you mean 'nutpie'"):
        fit(MODEL, DATA, seed=1, sampler="nutpi")


def test_prior_table_agrees_with_the_priors_by_their_own_quantiles():
    """p_tox at a dose is logit-normal: its quantiles are known without sampling."""
    tree = sample_prior(MODEL, DATA, seed=7, draws=20_000)
    table = prior_table(tree).set_index(["variable", "dose"])
    x = np.log(DOSES) - np.log(DOSES).mean()
    a, b = MODEL.priors["tox_intercept"], MODEL.priors["tox_slope"]
    for dose, x_ in zip(DOSES, x, strict=True):
        logit = (
            a.mean + b.mean * x_ + np.hypot(a.sd, b.sd * x_) * np.array([-1.959964, 0, 1.959964])
        )
        got = table.loc[("p_tox", dose), ["low_95", "median", "high_95"]].to_numpy(dtype=float)
        np.testing.assert_allclose(np.log(got / (1 - got)), logit, atol=0.35)


def test_extreme_priors_and_exchanged_columns_are_remarked_on():
    said = prior_warnings(sample_prior(MODEL, DATA, seed=8))
    assert any("p_tox at dose 4" in s and "outside 0.01 to 0.99" in s for s in said)
    assert not any("conflict" in s for s in said)
    (falls,) = (s for s in said if "toxicity falls" in s)
    assert float(falls.split("probability ")[1][:4]) == pytest.approx(0.33, abs=0.03)
    kept = EffTox(DOSES, EFFTOX_THALL2014, monotone_tox=True)
    assert not any("toxicity falls" in s for s in prior_warnings(sample_prior(kept, DATA, seed=8)))
    priors = dict(EFFTOX_THALL2014) | {
        "tox_intercept": Normal(-3, 0.5),
        "tox_slope": Normal(0, 0.3),
    }
    firm = EffTox(DOSES, priors)
    straight = TrialData.parse("1NNNEEE 2EEENEE 4EEEEEE", doses=DOSES)
    exchanged = TrialData.parse("1NNNTTT 2TTTNTT 4TTTTTT", doses=DOSES)
    assert not any("conflict" in s for s in prior_warnings(sample_prior(firm, straight, seed=9)))
    assert any("exchanged" in s for s in prior_warnings(sample_prior(firm, exchanged, seed=9)))


def test_divergences_lead_to_refits_that_are_logged(monkeypatch):
    """A sampler that diverges at a low target acceptance is asked again with a higher one."""
    targets = []
    real = nuts._sampler

    def failing(*args, **options):
        run = real(*args, **options)

        def sample(draws, target):
            targets.append(target)
            tree = run(draws, target)
            tree["sample_stats"]["diverging"][0, 0] = target < 0.99
            return tree

        return sample

    monkeypatch.setattr(nuts, "_sampler", failing)
    post = fit(MODEL, DATA, seed=10, draws=1000)
    assert targets == [0.9, 0.95, 0.99]
    assert post.check().passed
    assert sum("divergences" in n and "refitted" in n for n in post.notes) == 2
