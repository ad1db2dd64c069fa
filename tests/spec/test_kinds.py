"""Every registered utility, value function and rule can be written in a file and comes back the same."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from doseopt_bayes import models
from doseopt_bayes.decision import UTILITIES
from doseopt_bayes.decision.cui import CUI, VALUES, Attribute, Linear, PiecewiseLinear
from doseopt_bayes.decision.desirability import Desirability, OnTarget, Product
from doseopt_bayes.decision.joint_table import JointTable
from doseopt_bayes.decision.outcome_table import OutcomeTable
from doseopt_bayes.decision.penalised import Penalised
from doseopt_bayes.decision.rules import EWOC, RULES, ProtocolCap, Tolerable
from doseopt_bayes.decision.target import ClosestToTarget, TargetInterval
from doseopt_bayes.decision.utility import LpContour
from doseopt_bayes.decision.values import Larger, Logistic, Smaller, Target
from doseopt_bayes.errors import SpecError
from doseopt_bayes.priors import Normal
from doseopt_bayes.spec.build import Builder
from doseopt_bayes.spec.spec import Spec

THALL = (Path(__file__).parents[2] / "models" / "efftox-thall2014.toml").read_text(encoding="utf-8")
WEIGHED = """
    attributes.p_eff = { weight = 2, direction = "benefit" }
    attributes.p_tox = { weight = 1.0, direction = "harm" }"""
BOTH = {"p_eff": Attribute(2.0, "benefit"), "p_tox": Attribute(1.0, "harm")}

UTILITY_FILES = {
    "lp_contour": ("eff0 = 0.5\ntox1 = 0.65\nhinge = [0.7, 0.25]", LpContour(0.5, 0.65, (0.7, 0.25))),
    "cui": (WEIGHED, CUI(BOTH)),
    "outcome_table": (
        "neither = 50\nefficacy = 100\ntoxicity = 60\nboth = 20\nallow_nonmonotone = true",
        OutcomeTable(50.0, 100.0, 60.0, 20.0, allow_nonmonotone=True),
    ),
    "desirability": (
        """
        attributes.p_eff = { weight = 1, direction = "benefit", value = { kind = "larger", low = 0.1, high = 0.5 } }
        attributes.p_stop = { weight = 3, target = { low = 0.1, target = 0.2, high = 0.4, shape_high = 2 } }""",
        Desirability(
            {
                "p_eff": Attribute(1.0, "benefit", Larger(0.1, 0.5)),
                "p_stop": OnTarget(3.0, target=Target(0.1, 0.2, 0.4, shape_high=2.0)),
            }
        ),
    ),
    "joint_table": (
        """harms = ["tox", "stop"]
        outcomes = { none = 50, eff = 100, tox = 20, "eff+tox" = 60, stop = 30, "eff+stop" = 80, "tox+stop" = 0, "eff+tox+stop" = 40 }""",
        JointTable(
            {"none": 50, "eff": 100, "tox": 20, "eff+tox": 60, "stop": 30, "eff+stop": 80,
             "tox+stop": 0, "eff+tox+stop": 40}, harms=("tox", "stop"),
        ),
    ),
    "product": (f"{WEIGHED}\nfloor = 0\nnormalise = false", Product(BOTH, 0.0, normalise=False)),
    "penalised": ("limit = 0.3\nprice = 0.5", Penalised(0.3, price=0.5)),
    "target_interval": ("low = 0.16\nhigh = 0.33", TargetInterval(0.16, 0.33)),
    "closest_to_target": (
        'target = 0.25\nloss = "squared"', ClosestToTarget(0.25, loss="squared"),
    ),
}  # fmt: skip
VALUE_FILES = {
    "linear": ("worst = 0.1\nbest = 0.6", Linear(0.1, 0.6)),
    "piecewise_linear": (
        "points = [[0, 0], [0.3, 0.8], [1, 1]]",
        PiecewiseLinear(((0.0, 0.0), (0.3, 0.8), (1.0, 1.0))),
    ),
    "larger": ("low = 0.1\nhigh = 0.6\nshape = 2", Larger(0.1, 0.6, 2.0)),
    "smaller": ("low = 0.1\nhigh = 0.6", Smaller(0.1, 0.6)),
    "logistic": ("mid = 0.3\nscale = -0.05", Logistic(0.3, -0.05)),
}


def built(registry, kind, text):
    build = Builder("x.toml")
    value = build.kind(registry, {"kind": kind, **tomllib.loads(text)}, "utility")
    assert build.problems == []
    return value


def test_every_registered_kind_is_here():
    assert set(UTILITY_FILES) == set(UTILITIES)
    assert set(VALUE_FILES) == set(VALUES)


@pytest.mark.parametrize("kind", UTILITIES)
def test_utilities_come_back_from_a_file(kind):
    text, expected = UTILITY_FILES[kind]
    assert built(UTILITIES, kind, text) == expected


@pytest.mark.parametrize("kind", VALUES)
def test_value_functions_come_back_from_a_file(kind):
    text, expected = VALUE_FILES[kind]
    assert built(VALUES, kind, text) == expected


def loaded(tmp_path, text):
    path = tmp_path / "spec.toml"
    path.write_text(text, encoding="utf-8")
    return Spec.load(path)


@pytest.mark.parametrize("kind", UTILITIES)
def test_utilities_come_back_from_a_whole_specification(tmp_path, kind):
    text, expected = UTILITY_FILES[kind]
    section = re.sub(
        r"\n\s+(attributes|outcomes)", r"\n\1", f'[utility]\nkind = "{kind}"\n{text}\n\n'
    )
    text = re.sub(r"\[utility\].*?(?=\[\[rule)", section, THALL, flags=re.DOTALL)
    slope = '= { dist = "normal", mean = 0.0, sd = 1.0 }'
    text = text.replace(
        "[model.priors]", f"[model.priors]\nstop_intercept {slope}\nstop_slope {slope}"
    )
    spec = loaded(tmp_path, text.replace("[model]", '[model]\nothers = ["stop"]'))
    assert spec.utility == expected


def test_a_target_in_an_index_is_refused_with_the_place(tmp_path):
    section = (
        '[utility]\nkind = "cui"\n'
        "attributes.p_tox = { weight = 1, target = { low = 0.1, target = 0.2, high = 0.3 } }\n\n"
    )
    text = re.sub(r"\[utility\].*?(?=\[\[rule)", section, THALL, flags=re.DOTALL)
    with pytest.raises(SpecError, match="only Desirability takes it"):
        loaded(tmp_path, text)
    with pytest.raises(SpecError, match=r"must rise in this order"):
        loaded(tmp_path, text.replace("cui", "desirability").replace("0.2", "0.9"))
    with pytest.raises(SpecError, match="unknown key 'directon'"):
        loaded(tmp_path, text.replace("weight = 1,", 'weight = 1, directon = "harm",'))


CAP = '[[rule]]\nkind = "protocol_cap"\nhighest = 4\nreason = "toxicology"\n\n[decision]'


def test_a_protocol_cap_comes_back_from_a_file(tmp_path):
    spec = loaded(tmp_path, THALL.replace("[decision]", CAP))
    assert spec.rules.leaves[-1] == ProtocolCap(4.0, "toxicology")
    assert "protocol_cap" in RULES
    assert any(isinstance(r, Tolerable) for r in spec.rules.leaves)


@pytest.mark.parametrize("inner", [1, 2])
def test_a_protocol_cap_among_alternatives_is_a_problem_of_the_file(tmp_path, inner):
    cap = '{ kind = "protocol_cap", highest = 4 }'
    two = [cap, '{ kind = "any_dose" }'][:: inner * 2 - 3]
    rule = f'[[rule]]\nkind = "any_of"\nrules = [{", ".join(two)}]\n\n[decision]'
    with pytest.raises(SpecError, match="no alternative joined by"):
        loaded(tmp_path, THALL.replace("[decision]", rule))


CRM = """
kind = "crm"
doses = [10, 20, 40]
unit = "mg"
skeleton = [0.1, 0.2, 0.35]
link = "logistic"
intercept = 4
prior = { dist = "normal", mean = 0, sd = 0.9 }
"""
BLRM = """
kind = "blrm"
doses = [10, 20, 40]
unit = "mg"
reference = 20
correlation = -0.2
priors.log_alpha = { dist = "normal", mean = -1, sd = 2 }
priors.log_beta = { dist = "normal", mean = 0, sd = 1 }
"""
SAFE = """
[utility]
kind = "closest_to_target"
target = 0.25

[[rule]]
kind = "ewoc"
limit = 0.35

[decision]
criterion = "utility_at_mean_parameter"
"""


def safe(tmp_path, model, rest=SAFE):
    head = (
        THALL[: THALL.index("[model]")]
        .replace('eff = "Efficacy"\n', "")
        .replace('{ tox = "pending", eff = "pending" }', '{ tox = "pending" }')
    )
    sampler = THALL[THALL.index("[sampler]") :]
    return loaded(tmp_path, f"{head}[model]{model}{rest}\n{sampler}")


def test_models_of_toxicity_alone_come_back_from_a_file(tmp_path):
    crm = safe(tmp_path, CRM)
    doses, skeleton = (10.0, 20.0, 40.0), (0.1, 0.2, 0.35)
    assert crm.model == models.CRM(doses, skeleton, "logistic", 4.0, Normal(0, 0.9), "mg")
    assert crm.utility == ClosestToTarget(0.25)
    assert crm.rules == EWOC(0.35)
    assert "plug-in" in str(crm.criterion)
    priors = {"log_alpha": Normal(-1, 2), "log_beta": Normal(0, 1)}
    assert safe(tmp_path, BLRM).model == models.BLRM(doses, 20.0, priors, -0.2, "mg")


def test_a_utility_of_joint_outcomes_is_refused_for_a_model_of_toxicity(tmp_path):
    table = "neither = 50\nefficacy = 100\ntoxicity = 0\nboth = 60"
    rest = SAFE.replace('"closest_to_target"\ntarget = 0.25', f'"outcome_table"\n{table}')
    with pytest.raises(SpecError, match="reads p_cell, which the model does not have"):
        safe(tmp_path, BLRM, rest)
