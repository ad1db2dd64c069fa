"""F: priors, specifications and arguments that no other test feeds in; the table is in ``__init__``."""

from __future__ import annotations

import dataclasses
import inspect
import math
import sys
from types import SimpleNamespace

import pytest

import doseopt_bayes as dob
from doseopt_bayes.data.trial import TrialData
from doseopt_bayes.errors import DoseOptError, SpecError
from doseopt_bayes.inference.nuts import fit
from doseopt_bayes.inference.prior import prior_table, sample_prior
from doseopt_bayes.models import EffTox
from doseopt_bayes.models.presets import EFFTOX_THALL2014
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
from doseopt_bayes.report.manifest import provenance

from .conftest import THALL

TEXT = THALL.read_text(encoding="utf-8")
DOSES = (1.0, 2.0, 4.0, 6.6, 10.0)
MODEL = EffTox(DOSES, EFFTOX_THALL2014, unit="mg")
DATA = TrialData.parse("1NNE 2EEB", doses=DOSES, unit="mg")
SLOPE = '{ dist = "normal", mean = 1.5482, sd = 3.5018 }'


def refusal(tmp_path, old, new):
    assert old in TEXT
    path = tmp_path / "plan.toml"
    path.write_text(TEXT.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(SpecError) as e:
        dob.Spec.load(path)
    assert "plan.toml" in str(e.value)
    return str(e.value)


@pytest.mark.parametrize("name", ["precision", "variance", "tau", "sigma"])
def test_f03_a_scale_is_called_sd_and_nothing_else(tmp_path, name):
    said = refusal(tmp_path, "sd = 3.5018", f"{name} = 3.5018")
    assert f"unknown key '{name}'" in said
    assert "'sd' is missing -> add sd = ..." in said
    with pytest.raises(TypeError, match=name):
        Normal(mean=0.0, **{name: 1.0})


def test_f03_what_a_prior_implies_is_printed_on_both_scales():
    """A variance given as sd shows at once: in the interval of the slope and in that of p_tox."""
    assert "tox_slope      ~ Normal(mean 1.5482, sd 3.5018), 95 % within -5.32 to 8.41" in str(
        MODEL
    )
    wrong = EffTox(DOSES, {**EFFTOX_THALL2014, "tox_slope": Normal(1.5482, 3.5018**2)}, unit="mg")
    assert "95 % within -22.5 to 25.6" in str(wrong)
    rows = [
        prior_table(sample_prior(m, DATA, seed=1)).set_index(["variable", "dose"])
        for m in (MODEL, wrong)
    ]
    right, wide = (r.loc[("p_tox", 10.0), "outside_0.01_0.99"] for r in rows)
    assert wide > right + 0.05


@pytest.mark.parametrize("dist", ["flat", "half_flat", "uniform", "improper"])
def test_f04_no_improper_prior_can_be_written(tmp_path, dist):
    said = refusal(tmp_path, f"= {SLOPE}", f'= {{ dist = "{dist}" }}')
    assert f"model.priors.tox_slope.dist = '{dist}'" in said
    assert "normal" in said.split("->")[1]


WRITTEN = [
    Normal(0, 2), StudentT(3, 0, 2), Beta(0.5, 2), HalfNormal(2), HalfStudentT(3, 2),
    RootInverseGamma(2, 20), LogNormal(1, 2), Mixture((0.5, 0.5), (Normal(0, 1), Normal(1, 3))),
    Pooled(Normal(0, 2), HalfNormal(0.5)), Unpooled(Normal(0, 2)),
]  # fmt: skip


@pytest.mark.parametrize("prior", WRITTEN, ids=lambda p: type(p).__name__)
def test_f04_every_registered_prior_is_proper(prior):
    assert {type(p) for p in WRITTEN} == set(PRIORS.values())
    ends = [prior.quantile(q) for q in (1e-6, 1 - 1e-6)]
    assert all(math.isfinite(e) for e in ends)
    numbers = [
        f.name for f in dataclasses.fields(prior) if type(getattr(prior, f.name)) is not bool
    ]
    for name in (n for n in numbers if isinstance(getattr(prior, n), int | float)):
        with pytest.raises(DoseOptError, match=rf"{type(prior).__name__}: {name} = inf"):
            dataclasses.replace(prior, **{name: math.inf})


F06 = {
    "NO without quotes": ("monotone_tox = false", "monotone_tox = NO", "not valid TOML", "line "),
    "no as text": ("monotone_tox = false", 'monotone_tox = "NO"', "model.monotone_tox = 'NO'", "true or false"),
    "1 for true": ("monotone_tox = false", "monotone_tox = 1", "model.monotone_tox = 1", "true or false"),
    "1e3 for a whole number": ("levels = 1", "levels = 1e3", "rule[2].levels = 1000.0", "a whole number"),
    "leading zeros": ("levels = 1", "levels = 0012", "not valid TOML", "line "),
    "a time for a number": ("limit = 0.3", "limit = 12:30:00", "rule[0].limit = datetime.time(12, 30)", "a number"),
    "a date for a text": ('version = "1.1.0"', "version = 2026-01-02", "version = datetime.date(2026, 1, 2)", "text"),
    "a truth value for a number": ("limit = 0.3", "limit = true", "rule[0].limit = True", "a number"),
    "a key twice": ("limit = 0.3", "limit = 0.3\nlimit = 0.4", "not valid TOML", "line "),
    "an unknown key": ("limit = 0.3", "limt = 0.3", "unknown key 'limt'", "did you mean 'limit'?"),
}  # fmt: skip


@pytest.mark.parametrize("name", F06)
def test_f06_a_type_is_never_guessed(tmp_path, name):
    old, new, *said = F06[name]
    message = refusal(tmp_path, old, new)
    for part in said:
        assert part in message


def test_f08_an_impossible_contour_names_its_three_points(tmp_path):
    said = refusal(tmp_path, "hinge = [0.7, 0.25]", "hinge = [0.7, 0.66]")
    for part in (
        "(eff0, 0) = (0.5, 0)",
        "(1, tox1) = (1, 0.65)",
        "hinge = (0.7, 0.66)",
        "0 < toxicity < tox1",
    ):
        assert part in said


@pytest.mark.parametrize(("old", "new", "key"), [
    ("limit = 0.3", "limit = 40", "limit = 40.0"),
    ("limit = 0.5", "limit = 40", "limit = 40.0"),
    ("certainty = 0.1", "certainty = 40", "certainty = 40.0"),
    ("eff0 = 0.5", "eff0 = 40", "eff0, 0) = (40"),
])  # fmt: skip
def test_f09_a_percentage_is_no_probability(tmp_path, old, new, key):
    said = refusal(tmp_path, old, new)
    assert key in said
    assert "40 is not a probability; 0.4?" in said


def test_f10_a_seed_that_was_drawn_is_stored_and_printed():
    post = fit(MODEL, DATA, draws=1000)
    seed = post.tree.attrs["seed"]
    assert isinstance(seed, int)
    assert f"no seed was given: {seed} was drawn" in post.notes
    printed = provenance(SimpleNamespace(posterior=post, data=DATA, plan=None))
    assert f"seed {seed}," in printed["sampler"]


@pytest.mark.parametrize(("seed", "said"), [
    ("", "sampler.seed: 'seed' is missing -> add seed = ... to [sampler]"),
    ('seed = "42"', "sampler.seed = '42': must be a whole number -> write it without quotes"),
    ("seed = 4.2", "sampler.seed = 4.2: must be a whole number"),
    ("seed = -1", "seed = -1 must be >= 0"),
])  # fmt: skip
def test_f10_a_pre_specified_analysis_has_a_whole_seed(tmp_path, seed, said):
    assert said in refusal(tmp_path, "seed = 20250101", seed)


def public():
    return [getattr(dob, n) for n in dob.__all__ if callable(getattr(dob, n))]


@pytest.mark.parametrize("call", public(), ids=lambda c: c.__name__)
def test_f11_no_public_call_swallows_what_it_does_not_know(call):
    if inspect.isclass(call) and issubclass(call, Exception):
        return
    kinds = {p.kind for p in inspect.signature(call).parameters.values()}
    assert inspect.Parameter.VAR_KEYWORD not in kinds
    with pytest.raises(TypeError, match="no_such_argument"):
        call(no_such_argument=1)


def test_f11_a_misspelt_argument_is_named_with_the_nearest():
    with pytest.raises(TypeError, match="unit_") as e:
        EffTox(DOSES, EFFTOX_THALL2014, unit_="mg")
    if sys.version_info >= (3, 13):
        assert "Did you mean 'unit'?" in str(e.value)


@pytest.mark.parametrize(("new", "said"), [
    ("schema = 2", "schema = 2: this version reads schema 1 -> use the doseopt-bayes that it was written for"),
    ("schema = 0", "schema = 0: this version reads schema 1 -> use the doseopt-bayes that it was written for"),
    ("", "schema: this version reads schema 1 -> schema = 1"),
])  # fmt: skip
def test_f12_a_specification_of_another_schema_is_refused_with_what_to_do(tmp_path, new, said):
    message = refusal(tmp_path, "schema = 1", new)
    assert "DOB-F12" in message
    assert said in message
