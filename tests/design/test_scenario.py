"""Truths: cells with the right margins, what they mean under a design, and files of them."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from doseopt_bayes.decision.cui import CUI, Attribute
from doseopt_bayes.decision.rules import EWOC, Active, NoSkipping, ProtocolCap, Tolerable
from doseopt_bayes.design.design import Design
from doseopt_bayes.design.scenario import Scenario
from doseopt_bayes.errors import DoseOptError, SpecError
from doseopt_bayes.models import EffTox
from doseopt_bayes.models.presets import EFFTOX_THALL2014
from doseopt_bayes.priors import Normal
from doseopt_bayes.spec.scenarios import read_scenarios
from doseopt_bayes.spec.spec import Spec

from .cases import RISING, TOXIC, design

MODELS = Path(__file__).parents[2] / "models"
THALL = Spec.load(MODELS / "efftox-thall2014.toml").design


@pytest.mark.parametrize("correlation", [-1.0, -0.3, 0.0, 0.2, 1.0])
def test_cells_sum_to_one_and_have_the_margins(correlation):
    cells = Scenario("x", (0.0, 0.1, 0.5, 1.0), (0.3, 0.4, 0.5, 0.9), correlation).cells()
    assert (cells >= 0).all()
    np.testing.assert_allclose(cells.sum(axis=1), 1)
    np.testing.assert_allclose(cells[:, 2] + cells[:, 3], [0.0, 0.1, 0.5, 1.0], atol=1e-15)
    np.testing.assert_allclose(cells[:, 1] + cells[:, 3], [0.3, 0.4, 0.5, 0.9], atol=1e-15)


def test_correlation_is_that_of_the_outcomes_where_the_margins_allow_it():
    both = Scenario("x", (0.2,), (0.6,), 0.25).cells()[0, 3]
    sd = math.sqrt(0.2 * 0.8 * 0.6 * 0.4)
    assert (both - 0.2 * 0.6) / sd == pytest.approx(0.25)
    assert Scenario("x", (0.1,), (0.9,), 1.0).cells()[0, 3] == pytest.approx(0.1)  # tox implies eff


@pytest.mark.parametrize(
    ("tox", "eff", "correlation", "said"),
    [
        ((0.1, 40), (0.2, 0.3), 0.0, r"p_tox = 40 is not a probability\n  -> 0.4\?"),
        ((0.1, 0.2), (0.2, -0.3), 0.0, "p_eff = -0.3 is not a probability"),
        ((0.1, float("nan")), (0.2, 0.3), 0.0, "not a probability"),
        ((0.1,), (0.2, 0.3), 0.0, "1 values of p_tox, 2 of p_eff"),
        ((), (), 0.0, "0 values"),
        ((0.1,), (0.2,), 1.5, "outside -1..1"),
    ],
)
def test_what_is_no_truth_is_refused(tox, eff, correlation, said):
    with pytest.raises(DoseOptError, match=said):
        Scenario("x", tox, eff, correlation)


def test_truth_under_a_design():
    truth = RISING.truth(design())
    assert truth["admissible"].to_numpy().tolist() == [False, False, True, True, False]
    assert (float(truth["obd"]), float(truth["mtd"])) == (6.6, 6.6)
    np.testing.assert_allclose(truth["utility"].sel(dose=6.6), 0.280996, atol=1e-6)
    truth = TOXIC.truth(design())
    assert not truth["admissible"].any()
    assert math.isnan(truth["obd"])
    assert math.isnan(truth["mtd"])


def test_rules_are_joined_in_the_truth_as_they_are_in_the_decision():
    either = design(rules=(Tolerable(0.1, 0.1) | Active(0.85, 0.1)) & NoSkipping())
    assert RISING.truth(either)["admissible"].to_numpy().tolist() == [
        True,
        True,
        False,
        False,
        True,
    ]
    capped = design(rules=EWOC(0.3, 0.25) & ProtocolCap(4, reason="supply") & NoSkipping())
    assert RISING.truth(capped)["admissible"].to_numpy().tolist() == [
        True,
        True,
        True,
        False,
        False,
    ]


def test_mtd_is_below_the_first_toxic_dose_even_when_a_higher_one_is_not():
    odd = Scenario("odd", (0.05, 0.35, 0.1, 0.1, 0.1), (0.5,) * 5)
    assert float(odd.truth(design())["mtd"]) == 1.0


def test_a_truth_that_does_not_fit_the_design_is_refused():
    with pytest.raises(DoseOptError, match="2 doses, the design 5"):
        Scenario("x", (0.1, 0.2), (0.1, 0.2)).truth(design())
    priors = {**EFFTOX_THALL2014}
    for part in ("intercept", "slope"):
        priors[f"stop_{part}"] = Normal(0.0, 1.0)
    base = design()
    more = EffTox(base.model.doses, priors, unit="mg", others=("stop",))
    index = CUI({"p_eff": Attribute(1, "benefit"), "p_stop": Attribute(1, "harm")})
    other = Design(more, index, base.rules, base.criterion, start=1, stop=base.stop)
    with pytest.raises(DoseOptError, match="has no p_stop, which the utility reads"):
        RISING.truth(other)


def test_the_shipped_scenarios_fit_the_shipped_design():
    found = read_scenarios(MODELS / "scenarios-thall2014.toml", THALL)
    assert found[0].p_tox == RISING.p_tox
    assert found[0].p_eff == RISING.p_eff
    assert [float(s.truth(THALL)["obd"]) for s in found] == pytest.approx(
        [6.6, math.nan, 4.0, math.nan], nan_ok=True
    )


BAD = """
titel = 1
[[scenario]]
name = "a"
p_tox = [0.1, 40, 0.3]
p_eff = [0.1, 0.2, 0.3, 0.4, "x"]
corelation = 0.1
[[scenario]]
name = "a"
p_tox = [0.1, 0.2, 0.3, 0.4, -1]
[[scenario]]
name = ""
p_tox = 3
p_eff = [0.1, 0.2, 0.3, 0.4, 0.5]
correlation = 3
"""


def test_everything_that_is_wrong_with_a_file_is_said_at_once(tmp_path):
    path = tmp_path / "bad.toml"
    path.write_text(BAD, encoding="utf-8")
    with pytest.raises(SpecError) as e:
        read_scenarios(path, THALL)
    said = str(e.value)
    assert said.startswith("11 problems")
    for part in (
        "unknown key 'titel' -> allowed: scenario",
        "scenario[0].corelation: unknown key 'corelation' -> did you mean 'correlation'?",
        "scenario[0].p_tox[1] = 40: a probability lies in 0..1 -> 0.4?",
        "scenario[0].p_eff[4] = 'x': must be a number",
        "scenario[0].p_tox: 3 probabilities for the 5 candidate doses -> one for each of 1, 2, 4, 6.6, 10 mg",
        "scenario[1].p_eff: 'p_eff' is missing",
        "scenario[1].p_tox[4] = -1",
        "scenario[2].name: the name is empty",
        "scenario[2].p_tox = 3: must be a list",
        "scenario[2].correlation = 3",
        "scenario.name = 'a': 2 scenarios have this name",
    ):
        assert part in said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no scenario is given"),
        ("scenario = 3", "no scenario is given"),
        ("scenario = [3]", "must be a table"),
        ("[[scenario]\n", "not valid TOML"),
        (
            '[[scenario]]\nname = "x"\np_tox = [0.1, 0.2]\np_eff = [0.1]',
            "2 of p_tox and 1 of p_eff",
        ),
    ],
)
def test_files_without_scenarios(tmp_path, text, said):
    path = tmp_path / "scenarios.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SpecError, match=said):
        read_scenarios(path)
    with pytest.raises(SpecError, match="does not exist"):
        read_scenarios(tmp_path / "none.toml")
