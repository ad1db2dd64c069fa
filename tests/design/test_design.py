"""Designs: refused before anything runs, said as a protocol says it, written in the specification."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from doseopt_bayes.decision.cui import CUI, Attribute
from doseopt_bayes.decision.rules import Active, AnyDose, NoSkipping, Tolerable, TriedOnly
from doseopt_bayes.design.design import Design
from doseopt_bayes.design.stopping import EnoughAtDose, MaxPatients, Stop
from doseopt_bayes.errors import DoseOptError, SpecError
from doseopt_bayes.spec.spec import Spec

from .cases import CONTOUR, DOSES, MODEL, RULES, design

FILE = Path(__file__).parents[2] / "models" / "efftox-thall2014.toml"
THALL = FILE.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"start": 3}, "start = 3 is no candidate dose\n  -> one of 1, 2, 4, 6.6, 10"),
        ({"cohort": 0}, "cohort = 0 must be a whole number"),
        ({"cohort": 3.0}, "cohort = 3.0 must be a whole number"),
        ({"cohort": True}, "cohort = True"),
        ({"stop": EnoughAtDose(9)}, "nothing bounds the number of patients"),
        ({"stop": 39}, "nothing bounds the number of patients"),
        ({"rules": Tolerable(0.3, 0.1) & TriedOnly()}, "no trial leaves its first dose"),
        ({"rules": Tolerable(0.3, 0.1)}, "no trial leaves its first dose"),  # the default
    ],
)
def test_a_design_that_cannot_run_is_refused(changes, said):
    with pytest.raises(DoseOptError, match=said):
        design(**changes)


def test_an_alternative_to_tried_doses_lets_a_trial_leave_its_first_dose():
    rules = Tolerable(0.3, 0.1) & (TriedOnly() | AnyDose())
    assert design(rules=rules).rules is not None


def test_a_utility_must_read_what_the_model_has():
    index = CUI({"p_eff": Attribute(1, "benefit"), "p_stop": Attribute(1, "harm")})
    with pytest.raises(DoseOptError, match="p_stop"):
        Design(MODEL, index, RULES, design().criterion, start=1, stop=MaxPatients(9))


@pytest.mark.parametrize("wrong", [0, -3, 3.5, True, "39"])
def test_stopping_rules_count_patients(wrong):
    for rule in (MaxPatients, EnoughAtDose):
        with pytest.raises(DoseOptError, match="whole number >= 1"):
            rule(wrong)


def test_the_paragraph_says_what_the_protocol_must():
    said = str(design(stop=MaxPatients(39) | EnoughAtDose(18), cohort=2, start=2))
    for part in (
        "The first cohort of 2 patients receives 2 mg",
        "Pr(p_tox < 0.3) > 0.1; and Pr(p_eff > 0.5) > 0.1",
        "not more than 1 level(s)",
        "stops when 39 patients were treated, or 18 were treated at the dose",
        "when no dose is admissible; then no dose is recommended",
        "among the doses that treated a patient",
        "1, 2, 4, 6.6, 10 mg.",
    ):
        assert part in said
    assert "that treated a patient" not in str(design(tried_at_end=False))


def test_the_last_cohort_is_not_cut():
    assert design(stop=MaxPatients(12), cohort=3).most == 12
    assert design(stop=MaxPatients(13), cohort=3).most == 15
    assert (MaxPatients(39) | MaxPatients(30) | EnoughAtDose(3)).most == 30


def test_stops_look_at_patients_and_at_the_dose_that_follows():
    treated = xr.DataArray([[3, 9, 0, 0, 0], [3, 3, 3, 0, 0]], dims=("trial", "dose"),
                           coords={"dose": list(DOSES)})  # fmt: skip
    following = xr.DataArray([2.0, 4.0], dims="trial")
    assert MaxPatients(12).holds(treated, following).to_numpy().tolist() == [True, False]
    assert EnoughAtDose(9).holds(treated, following).to_numpy().tolist() == [True, False]
    assert EnoughAtDose(9).holds(treated, following * np.nan).to_numpy().tolist() == [False, False]
    either = MaxPatients(9) | EnoughAtDose(9)
    assert either.holds(treated, following).to_numpy().tolist() == [True, True]
    assert len(either.leaves) == 2
    with pytest.raises(TypeError):
        Stop().holds(treated, following)


def test_the_specification_has_the_design_of_its_own_analysis():
    spec = Spec.load(FILE)
    assert spec.design == Design(
        spec.model, CONTOUR, Tolerable(0.3, 0.1) & Active(0.5, 0.1) & NoSkipping(), spec.criterion,
        start=1, stop=MaxPatients(39),
    )  # fmt: skip


def written(tmp_path, *changes):
    text = THALL
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path = tmp_path / "spec.toml"
    path.write_text(text, encoding="utf-8")
    return path


SECTION = THALL[THALL.index("[design]") : THALL.index("[sampler]")]
STOP = 'stop = [{ kind = "max_patients", patients = 39 }]'


def test_without_a_section_there_is_no_design(tmp_path):
    assert Spec.load(written(tmp_path, (SECTION, ""))).design is None


def test_stopping_rules_of_a_file_are_alternatives(tmp_path):
    more = STOP.replace("]", ', { kind = "enough_at_dose", patients = 18 }]')
    spec = Spec.load(written(tmp_path, (STOP, more)))
    assert spec.design.stop == MaxPatients(39) | EnoughAtDose(18)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("start = 1.0", "start = 3.0", "design: Design: start = 3 is no candidate dose -> one of"),
        ("start = 1.0", "", "'start' is missing"),
        ("cohort = 3", "cohorts = 3", "unknown key 'cohorts' -> did you mean 'cohort'?"),
        ("cohort = 3", "cohort = 2.5", "design.cohort = 2.5: must be a whole number"),
        (STOP, "stop = 39", "design.stop = 39: must be a list of stopping rules"),
        (STOP, STOP.replace("max_patients", "max_patient"), "did you mean 'max_patients'?"),
        (STOP, STOP.replace("39", "0"), "patients = 0 must be a whole number >= 1"),
        (STOP, STOP.replace("max_patients", "enough_at_dose"), "nothing bounds the number"),
        ('kind = "no_skipping"', 'kind = "tried_only" #', "no trial leaves its first dose"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_the_section_is_said(tmp_path, old, new, said):
    changes = [(old, new)]
    if "tried_only" in new:
        changes.append(("levels = 1", ""))
    with pytest.raises(SpecError) as e:
        Spec.load(written(tmp_path, *changes))
    assert said in str(e.value)


def test_its_keys_are_checked_even_when_the_model_has_problems(tmp_path):
    path = written(tmp_path, ("sd = 3.5487", "sd = -1"), ("cohort = 3", "cohorts = 3"))
    with pytest.raises(SpecError) as e:
        Spec.load(path)
    assert "tox_intercept" in str(e.value)
    assert "cohorts" in str(e.value)
