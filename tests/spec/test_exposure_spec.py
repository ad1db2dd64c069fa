"""Specifications of exposure-response: what is wrong is said at once, before anything is sampled."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from doseopt_bayes.data.endpoints import Binary, Continuous, Count, TimeToEvent
from doseopt_bayes.errors import SpecError
from doseopt_bayes.models.er_priors import HillGivenEC50, LogStudentT
from doseopt_bayes.models.joint_exposure import JointExposureResponse
from doseopt_bayes.models.response import RESPONSES, WeibullResponse
from doseopt_bayes.models.shapes import SHAPES, BetaShape, LogLinear, Quadratic
from doseopt_bayes.prediction.people import Regimen
from doseopt_bayes.spec.exposure import ExposureSpec, check_exposure
from doseopt_bayes.spec.exposure_parse import ExposureBuilder
from doseopt_bayes.spec.spec import Spec

SHIPPED = Path(__file__).parents[2] / "models" / "er-hyperglycaemia.toml"
TEXT = SHIPPED.read_text(encoding="utf-8")
UTILITY = """
[utility]
kind = "cui"
attributes.p_hyperglycaemia = { weight = 1.0, direction = "harm" }
"""
RULE = '[[rule]]\nkind = "any_dose"\n'
DECISION = '[decision]\ncriterion = "mean_utility"\n'
JOINT = """
[model]
kind = "joint_exposure_response"
association = { dist = "normal", mean = 0.0, sd = 1.0 }

[model.eff]
endpoint = "response"
exposure = "AUCss"
shape = "linear"
response = "binary"
priors = { e0 = { dist = "normal", mean = 0.0, sd = 2.0 }, slope = { dist = "normal", mean = 0.0, sd = 1.0 } }

[model.tox]
endpoint = "hyperglycaemia"
exposure = "AUCss"
shape = "linear"
response = "binary"
priors = { e0 = { dist = "normal", mean = 0.0, sd = 2.0 }, slope = { dist = "normal", mean = 0.0, sd = 1.0 } }
"""


def written(tmp_path, text):
    path = tmp_path / "er.toml"
    path.write_text(text, encoding="utf-8")
    return path


def faults(tmp_path, *changes):
    text = TEXT
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    with pytest.raises(SpecError) as e:
        ExposureSpec.load(written(tmp_path, text))
    return str(e.value)


def test_the_shipped_specification_is_sound_with_its_data_and_says_what_it_says():
    spec, data, problems = check_exposure(SHIPPED)
    assert problems == []
    assert spec.plan.id == SHIPPED.stem
    assert data.doses == (200.0, 400.0)
    assert data.table["hyperglycaemia"].sum() == 45 + 93  # as in datasets/SOURCES.md
    assert spec.model.unit == "unit as in the source"  # said once, in [data]
    assert [c.name for c in spec.model.covariates] == ["e0_BGLUC", "e0_BHBA1C"]
    assert spec.prediction.candidates == (100.0, 200.0, 300.0, 400.0)
    assert (spec.utility, spec.rules) == (None, None)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("[prediction]", "[predicton]", "unknown key 'predicton' -> did you mean 'prediction'?"),
        ('kind = "exposure_response"', 'kind = "exposure_respons"', "did you mean 'exposure_response'?"),
        ('exposure = "AUCss" ', 'exposur = "AUCss" ', "unknown key 'exposur' -> did you mean 'exposure'?"),
        ('exposure = "AUCss" ', 'exposure = "AUC" ', "model.exposure = 'AUC': [data] has no such exposure"),
        ('endpoint = "hyperglycaemia"', 'endpoint = "hyper"', "[data] has no such endpoint"),
        ('hyperglycaemia = "hyper', 'hyperglycemia = "hyper', "endpoints.hyperglycemia"),
        ('shape = "emax" ', 'shape = "emaxx" ', "did you mean 'emax'?"),
        ('shape = "emax" ', 'shape = "log_linear" ', "model.shape.off: 'off' is missing"),
        ('response = "binary"', 'response = "count"', "no prior for overdispersion"),
        ('monotone = "free" ', 'monotone = "up" ', "unknown direction 'up'"),
        ("reference = [1000.0, 5000.0]", "reference = [5000.0, 1000.0]", "reference"),
        ("reference = [1000.0, 5000.0]", "reference = 1000.0", "must be a list"),
        ('covariate = "BGLUC"', 'covariate = "GLUC"', "e0_GLUC"),
        ('parameter = "e0", covariate = "BGLUC"', 'parametr = "e0", covariate = "BGLUC"', "did you mean 'parameter'?"),
        ('name = "BGLUC", kind = "numeric"', 'name = "BGLUC", kind = "number"', "kind = 'number'"),
        ('ec50      = { dist = "log_normal"', 'ec5 = { dist = "log_normal"', "has no parameter 'ec5'"),
        ("median = 2300.0", "median = -2300.0", "LogNormal"),
        ('{ kind = "binary", column = "AEFLAG" }', '{ kind = "bin", column = "AEFLAG" }', "did you mean 'binary'?"),
        ('{ kind = "binary", column = "AEFLAG" }', '{ kind = "binary", colum = "AEFLAG" }', "did you mean 'column'?"),
        ('{ kind = "binary", column = "AEFLAG" }', '{ kind = "time_to_event", time = "T", event = "AEFLAG" }',
         "which value of 'AEFLAG' means an event is not said"),
        ('{ AUCss = "unit as in the source" }', '{ AUCss = "" }', "has no unit"),
        ('missing = "error" ', 'missing = "zero" ', "missing = 'zero'"),
        ('dose_unit = "mg"', 'dose_unitt = "mg"', "did you mean 'dose_unit'?"),
        ("doses = [100.0, 200.0, 300.0, 400.0]", "doses = []", "no candidate dose is given"),
        ("doses = [100.0,", "doses = [-100.0,", "must be >= 0"),
        ('exposures = "power_model"', 'exposures = "power"', "did you mean 'power_model'?"),
        ('better = "lower" ', 'better = "less" ', "unknown choice 'less'"),
        ('better = "lower" ', "# ", "which response is better is not said"),
        ("shares = [0.5, 0.9]", "shares = [0.5, 90]", "strictly between 0 and 1"),
        ("limit = 0.3", "limt = 0.3", "did you mean 'limit'?"),
        ("people = 1000", "people = 1", "people = 1 must be >= 2"),
        ("seed = 20240607", 'seed = "1"', "must be a whole number"),
        ("schema = 1", "schema = 3", "this version reads schema 1"),
        ("[sampler]", f"{UTILITY}\n[sampler]", "no admissibility rule is given"),
        ("[sampler]", f"{RULE}{DECISION}\n[sampler]", "utility: must be a table with 'kind'"),
        ("[sampler]", UTILITY.replace("p_hyper", "p_hypo") + RULE + DECISION + "[sampler]",
         "the utility reads p_hypoglycaemia, which the model does not have"),
    ],
)  # fmt: skip
def test_a_wrong_key_or_value_is_named_with_its_repair(tmp_path, old, new, said):
    assert said in faults(tmp_path, (old, new))


def test_every_problem_is_said_at_once(tmp_path):
    said = faults(
        tmp_path,
        ('shape = "emax" ', 'shape = "emaxx" '),
        ("people = 1000", "people = 0"),
        ("seed = 20240607", "seed = -1"),
        ('column = "AEFLAG"', 'colum = "AEFLAG"'),
    )
    for part in ("emaxx", "people = 0", "seed = -1", "colum"):
        assert part in said


def test_check_also_says_what_is_wrong_with_the_data(tmp_path):
    data = tmp_path / "some.csv"
    data.write_text(
        "ID,Dose_mg,AUCss,AEFLAG,BGLUC,BHBA1C\n1,200,-5,0,6,40\n2,400,,2,6,40\n", "utf-8"
    )
    spec, read, problems = check_exposure(SHIPPED, data)
    assert spec is not None
    assert read is None
    assert {p.column for p in problems} >= {"AUCss", "AEFLAG"}
    _, _, problems = check_exposure(SHIPPED, tmp_path / "absent.csv")
    assert "absent.csv" in str(problems[0])
    _, _, problems = check_exposure(tmp_path / "absent.toml")
    assert "does not exist" in problems[0].rule


def test_a_utility_and_rules_rank_the_doses(tmp_path):
    text = TEXT.replace("[sampler]", f"{UTILITY}{RULE}{DECISION}\n[sampler]")
    spec = ExposureSpec.load(written(tmp_path, text))
    assert spec.utility.reads == ("p_hyperglycaemia",)


def test_efficacy_and_toxicity_of_the_same_patients_can_be_written(tmp_path):
    start, end = TEXT.index("[model] "), TEXT.index("[prediction]")
    text = (TEXT[:start] + JOINT + TEXT[end:]).replace(
        'column = "AEFLAG" }',
        'column = "AEFLAG" }\nresponse = { kind = "binary", column = "RESP" }',
    )
    with pytest.raises(SpecError, match="is said by the roles eff and tox"):
        ExposureSpec.load(written(tmp_path, text))
    spec = ExposureSpec.load(written(tmp_path, text.replace('better = "lower"', "")))
    assert isinstance(spec.model, JointExposureResponse)
    assert spec.model.eff.unit == spec.model.tox.unit == "unit as in the source"


def test_a_file_of_the_other_kind_is_named():
    with pytest.raises(SpecError, match=re.escape("dob.ExposureSpec.load")):
        Spec.load(SHIPPED)


@pytest.mark.parametrize(
    ("annotation", "parsed", "built"),
    [
        ("Shape", {"kind": "log_linear", "off": 2}, LogLinear(2.0)),
        ("Shape", {"kind": "beta", "scale": 3.0}, BetaShape(3.0)),
        ("Shape", "quadratic", Quadratic()),
        ("Response", {"kind": "weibull", "time": 12.0}, WeibullResponse(12.0)),
        ("Prior", {"dist": "hill_given_ec50", "ec50": {"median": 20.0, "scale": 1.73, "df": 5.0, "low": 0.001,
                                                      "high": 1000.0}},
         HillGivenEC50(LogStudentT(20.0, 1.73, 5.0, 0.001, 1000.0))),
        ("tuple[Regimen, ...]", [{"label": "70 mg BID", "dose": 140.0, "factor": 0.9}],
         (Regimen("70 mg BID", 140.0, 0.9),)),
        ("Mapping[str, Endpoint]", {"a": {"kind": "count", "column": "N", "person_time": "T"},
                                    "b": {"kind": "continuous", "column": "V", "unit": "mm"},
                                    "c": {"kind": "time_to_event", "time": "T", "event": "C", "event_value": 0},
                                    "d": {"kind": "binary", "column": "R", "levels": {"N": 0, "Y": 1}}},
         {"a": Count("N", "T"), "b": Continuous("V", "mm"), "c": TimeToEvent("T", "C", 0),
          "d": Binary("R", {"N": 0, "Y": 1})}),
    ],
)  # fmt: skip
def test_what_only_exposure_has_is_written_in_a_file_and_comes_back_the_same(
    annotation, parsed, built
):
    build = ExposureBuilder("er.toml")
    assert build._converter(annotation)(parsed, "here") == built
    assert build.problems == []


@pytest.mark.parametrize("registry", [SHAPES, RESPONSES], ids=["shapes", "responses"])
def test_every_field_of_a_shape_and_a_response_has_a_type_that_a_file_can_hold(registry):
    build = ExposureBuilder("er.toml")
    for cls in registry.values():
        for field in cls.__dataclass_fields__.values():
            if field.init and not str(field.type).startswith("ClassVar"):
                assert build._converter(str(field.type))
