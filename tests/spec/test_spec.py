"""Specifications: what is wrong is said at once; what they are has one hash."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from doseopt_bayes.decision import CRITERIA, UTILITIES
from doseopt_bayes.decision.cui import VALUES
from doseopt_bayes.decision.rules import RULES, Both, Either
from doseopt_bayes.errors import SpecError
from doseopt_bayes.models import MODELS
from doseopt_bayes.priors import PRIORS, Normal
from doseopt_bayes.spec.arms import check_arms
from doseopt_bayes.spec.build import Builder
from doseopt_bayes.spec.exposure import check_exposure
from doseopt_bayes.spec.parse import READERS
from doseopt_bayes.spec.spec import Spec, check

MODELS_FOLDER = Path(__file__).parents[2] / "models"
THALL = (MODELS_FOLDER / "efftox-thall2014.toml").read_text(encoding="utf-8")

# a change of content without a change of version is a silent amendment of the protocol
PINNED = {
    "arms-bolt-sonidegib": ("1.1.0", "47d9d9279c8cb5d8"),
    "arms-optic-ponatinib": ("1.1.0", "c4005cfd457dda87"),
    "bolt-sonidegib": ("1.0.0", "e117c33e18fb867b"),
    "blrm-single-agent": ("1.1.0", "dd0dba592a114beb"),
    "er-hyperglycaemia": ("1.0.0", "7c37eb6780e6ef27"),
    "efftox-thall2014": ("1.1.0", "5a1a9ded9d767820"),
    "optic-ponatinib": ("1.2.0", "30ea78fe926cd814"),
}


@pytest.mark.parametrize("path", sorted(MODELS_FOLDER.glob("[!ps]*.toml")), ids=lambda p: p.stem)
def test_every_shipped_specification_is_sound_and_pinned(path):
    kinds = {"er": check_exposure, "arms": check_arms}
    said = kinds.get(path.stem.partition("-")[0], check)
    spec, _, problems = said(path)
    assert problems == []
    assert spec.plan.id == path.stem
    assert (spec.plan.version, spec.plan.hash[:16]) == PINNED[spec.plan.id]


def written(tmp_path, text):
    path = tmp_path / "spec.toml"
    path.write_text(text, encoding="utf-8")
    return path


def faults(tmp_path, *changes):
    text = THALL
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    with pytest.raises(SpecError) as e:
        Spec.load(written(tmp_path, text))
    return str(e.value)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("schema = 1", "schema = 2", "schema = 2: this version reads schema 1"),
        ("schema = 1", "", "schema"),
        ('version = "1.1.0"', 'verson = "1.1.0"', "unknown key 'verson' -> did you mean 'version'?"),
        ('kind = "efftox"', 'kind = "eftox"', "did you mean 'efftox'?"),
        ('id = "efftox-thall2014"', 'id = "../../etc"', "an id names files"),
        ("doses = [1.0,", 'doses = ["1 mg",', "model.doses[0] = '1 mg': must be a number"),
        ("doses = [1.0, 2.0,", "doses = [1.0, 1.0,", "each once"),
        ("doses = [1.0,", "doses = [0.0,", "must be > 0"),
        ("monotone_tox = false", 'monotone_tox = "no"', "must be true or false"),
        ("sd = 3.5487", "sd = -3.5487", "model.priors.tox_intercept: Normal: sd = -3.5487 must be > 0"),
        ("sd = 3.5487", "sd = 0", "must be > 0"),
        ("sd = 3.5487", "sd = inf", "not a finite number"),
        ("sd = 3.5487", "variance = 12", "unknown key 'variance'"),
        ('tox_slope     = { dist = "normal"', 'tox_slope     = { dist = "normall"', "did you mean 'normal'?"),
        ("tox_slope     =", "tox_slop     =", "EffTox has no parameter 'tox_slop'"),
        ("association   = { dist", "# association = { dist", "no prior for association"),
        ("tox1 = 0.65", "tox1 = 65", "65 is not a probability; 0.65?"),
        ("hinge = [0.7, 0.25]", "hinge = [0.4, 0.25]", "hinge needs eff0 < efficacy < 1"),
        ("hinge = [0.7, 0.25]", "hinge = [0.7]", "must be a list of two numbers"),
        ("limit = 0.3", "limit = 30", "30 is not a probability; 0.3?"),
        ("levels = 1", "levels = 1.5", "must be a whole number"),
        ('criterion = "utility_of_means"', 'criterion = "utility_of_mean"', "did you mean 'utility_of_means'?"),
        ('criterion = "utility_of_means"', 'criterion = "lowest_within_delta"', "'delta' is missing"),
        ("seed = 20250101", "", "'seed' is missing"),
        ("seed = 20250101", 'seed = "20250101"', "sampler.seed = '20250101': must be a whole number"),
        ("seed = 20250101", 'seed = 1\nname = "stan"', "unknown sampler 'stan'"),
        ("seed = 20250101", "seed = 1\nchains = 2", "at least 1000 draws in each of 4 chains"),
        ('tox = "Toxicity"', 'toxx = "Toxicity"', "unknown key 'toxx' -> did you mean 'tox'?"),
        ('kind = "patients"', 'kind = "patient"', "did you mean 'patients'?"),
        ('kind = "patients"', 'kind = "patients"\nunit = "mg"', "'unit' is said once, in [model]"),
        ('missing = { tox = "pending"', 'missing = { tox = "ignore"', "error, exclude, pending"),
        ("[sampler]", "[sampler]\nseed = 1", "not valid TOML"),
    ],
)  # fmt: skip
def test_a_fault_is_named_with_its_key_and_a_repair(tmp_path, old, new, said):
    assert said in faults(tmp_path, (old, new))


def test_all_faults_of_one_file_come_at_once(tmp_path):
    said = faults(tmp_path, ("sd = 3.5487", "sd = -1"), ("limit = 0.3", "limit = 30"),
                  ("seed = 20250101", "sede = 20250101"), ('dose = "Dose"', 'dosage = "Dose"'))  # fmt: skip
    assert int(re.match(r"(\d+) problems", said).group(1)) == 6  # two of them are missing keys
    for part in ("tox_intercept", "rule[0]", "sede", "dosage"):
        assert part in said


def test_faults_of_specification_and_data_come_together(tmp_path):
    path = written(tmp_path, THALL.replace("limit = 0.3", "limit = 30"))
    data = tmp_path / "trial.csv"
    data.write_text("ID,Dose,Toxicity,Efficacy\n1,3,0,2\n2,-1,0,0\n", encoding="utf-8")
    spec, trial, problems = check(path, data)
    assert spec is None
    assert trial is None
    assert {p.code for p in problems} >= {"DOB-F01", "DOB-B03", "DOB-C03", "DOB-C12"}


def test_missing_files_are_said(tmp_path):
    with pytest.raises(SpecError, match="does not exist"):
        Spec.load(tmp_path / "none.toml")
    _, _, problems = check(MODELS_FOLDER / "efftox-thall2014.toml", tmp_path / "none.csv")
    assert "does not exist" in str(problems[0])


def test_hash_is_of_the_content_alone(tmp_path):
    one = Spec.load(MODELS_FOLDER / "efftox-thall2014.toml")
    plain = re.sub(r" +#.*|^#.*", "", THALL, flags=re.MULTILINE).replace(
        "doses = [1.0,", "doses = [1,"
    )
    assert Spec.load(written(tmp_path, plain)).plan.hash == one.plan.hash
    assert Spec.load(written(tmp_path, THALL.replace("0.25]", "0.26]"))).plan.hash != one.plan.hash


def test_rules_are_joined_by_and_and_any_of_by_or(tmp_path):
    either = '[[rule]]\nkind = "any_of"\nrules = [{ kind = "tried_only" }, { kind = "any_dose" }]\n\n[decision]'
    spec = Spec.load(written(tmp_path, THALL.replace("[decision]", either)))
    assert isinstance(spec.rules, Both)
    assert isinstance(spec.rules.right, Either)


def test_every_registered_kind_can_be_written_in_a_file():
    """Each field of each registered value has a converter."""
    build = Builder("x.toml")
    for registry in (MODELS, UTILITIES, RULES, CRITERIA, PRIORS, VALUES, READERS):
        for name, cls in registry.items():
            for field in dataclasses.fields(cls):
                assert build._converter(str(field.type)), f"{name}.{field.name}"


ALTERNATIVES = """
[alternative."Gaussian copula"]
copula = "gaussian"
[alternative."steeper"]
priors.tox_slope = { dist = "normal", mean = 3.0, sd = 1.0 }
[alternative."each dose by itself"]
kind = "saturated"
[[rule]]"""


def test_an_alternative_takes_what_it_does_not_say_from_the_model(tmp_path):
    spec = Spec.load(written(tmp_path, THALL.replace("[[rule]]", ALTERNATIVES, 1)))
    gaussian, steeper, saturated = spec.alternatives.values()
    assert gaussian == dataclasses.replace(spec.model, copula="gaussian")
    assert steeper.priors == {**spec.model.priors, "tox_slope": Normal(3.0, 1.0)}
    assert (saturated.doses, saturated.unit) == (spec.model.doses, spec.model.unit)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ('[alternative.x]\ncopula = "frank"', "unknown copula 'frank'"),
        ("[alternative.x]\nlevels = 3", "unknown key 'levels'"),
        ("[alternative]\ncopula = 3", "tables with a name"),
    ],
)
def test_a_bad_alternative_is_a_problem_of_the_file(tmp_path, wrong, said):
    path = written(tmp_path, THALL.replace("[[rule]]", f"{wrong}\n[[rule]]", 1))
    with pytest.raises(SpecError, match=said):
        Spec.load(path)


BOLT = (MODELS_FOLDER / "bolt-sonidegib.toml").read_text(encoding="utf-8")
GROUPS = 'groups = { subgroup = "subgroup" }'


def bolt(tmp_path, old, new):
    assert old in BOLT
    return check(written(tmp_path, BOLT.replace(old, new, 1)))


def test_the_levels_of_subgroups_are_said_once_and_closed():
    spec, data, _ = check(MODELS_FOLDER / "bolt-sonidegib.toml")
    assert spec.model.groups == {"subgroup": ("laBCC", "mBCC")}
    assert spec.plan.columns.group_levels == spec.model.groups
    assert data.groups == spec.model.groups
    assert not [n for n in data.notes if "pre-specified" in n]
    pooled = spec.model.priors["eff_slope"]
    assert (pooled.over, str(pooled.tau)[:18]) == ("subgroup", "HalfNormal(sd 0.5)")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (GROUPS, f'{GROUPS}\ngroup_levels = {{ subgroup = ["mBCC", "laBCC"] }}', "say them once"),
        (GROUPS, "", "no column says which is whose"),
        ('together = "all"', "", "all"),
        ('["laBCC", "mBCC"]', '["laBCC", "MBCC"]', "mBCC"),
        ('over = "subgroup"', 'over = "subgrup"', "did you mean 'subgroup'?"),
        ('tau = { dist = "half_normal", sd = 0.5 }', 'tau = { dist = "normal", mean = 0.0, sd = 1.0 }',
         "tau is a standard deviation"),
        ('subgroup = ["laBCC", "mBCC"]', 'subgroup = ["laBCC", "laBCC"]', "name each pre-specified group once"),
    ],
)  # fmt: skip
def test_faults_of_subgroups_are_named(tmp_path, old, new, said):
    _, _, problems = bolt(tmp_path, old, new)
    assert problems
    assert said in " ".join(map(str, problems))


def test_levels_that_are_said_twice_and_agree_are_no_problem(tmp_path):
    same = f'{GROUPS}\ngroup_levels = {{ subgroup = ["laBCC", "mBCC"] }}'
    spec, _, problems = bolt(tmp_path, GROUPS, same)
    assert problems == []
    assert spec.plan.columns.group_levels == spec.model.groups


def test_an_alternative_has_the_subgroups_of_the_model(tmp_path):
    other = '[alternative."each dose by itself"]\nkind = "saturated"\n\n[[rule]]'
    spec, _, problems = bolt(tmp_path, "[[rule]]", other)
    assert problems == []
    assert spec.alternatives["each dose by itself"].groups == spec.model.groups
