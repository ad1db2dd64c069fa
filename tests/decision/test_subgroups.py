"""A decision for each subgroup: its name, its answer, its warnings."""

from __future__ import annotations

import math

import numpy as np
import pytest
import xarray as xr

from doseopt_bayes.decision.alternatives import compare_alternatives
from doseopt_bayes.decision.criteria import LowestWithinDelta
from doseopt_bayes.decision.criteria_effect import FractionOfMaxEffect, MinimumEffectiveDose
from doseopt_bayes.decision.cui import CUI, Attribute, Linear
from doseopt_bayes.decision.decide import decide
from doseopt_bayes.decision.desirability import Desirability, Product
from doseopt_bayes.decision.differs import prob_obd_differs, words_differs
from doseopt_bayes.decision.outcome_table import OutcomeTable
from doseopt_bayes.decision.penalised import Penalised
from doseopt_bayes.decision.ranking import rank_doses
from doseopt_bayes.decision.rules import AnyDose, ProtocolCap, Tolerable, TriedOnly
from doseopt_bayes.decision.sensitivity import assess_sensitivity
from doseopt_bayes.decision.smaa import dirichlet_acceptability
from doseopt_bayes.decision.utility import LpContour
from doseopt_bayes.decision.weights import sweep_weight
from doseopt_bayes.errors import DoseOptError
from tests.decision.subgroup_cases import EVENTS, N, conjugate, particles

INDEX = CUI({"p_eff": Attribute(1, "benefit"), "p_tox": Attribute(1, "harm")})
RULES = Tolerable(0.6, 0.1) & ProtocolCap(900) & AnyDose()


def three_answers():
    """One subgroup recommended, one without an admissible dose, one not resolved."""
    n = np.full((3, 2), 50)
    tox = np.array([[10, 20], [49, 49], [10, 10]])
    eff = np.array([[40, 20], [30, 30], [20, 20]])
    levels = ("clear", "toxic", "even")
    return conjugate(n, {"tox": tox, "eff": eff}, levels=levels, doses=(10.0, 20.0), seed=5)


def test_each_subgroup_has_its_own_answer_and_is_called_by_its_name():
    decision = decide(three_answers(), INDEX, Tolerable(0.5, 0.5))
    assert decision.status.to_numpy().tolist() == ["recommended", "none", "not resolved"]
    assert float(decision.recommended.sel(subgroup="clear")) == 10.0
    assert bool(decision.recommended.sel(subgroup=["toxic", "even"]).isnull().all())
    assert not math.isnan(float(decision.leading.sel(subgroup="even")))
    heads = decision.headline.split("\n")
    assert heads[0].startswith("clear: 10 mg is recommended")
    assert heads[1].startswith("toxic: No dose is recommended: none is admissible.")
    assert heads[2].startswith("even: Not resolved by these draws")
    assert [line for line in decision.text_table.split("\n") if line in ("clear", "toxic", "even")]
    assert "subgroup" not in str(decision)


@pytest.mark.parametrize("make", [lambda p: p, particles], ids=["draws", "particles"])
def test_the_decision_of_one_level_is_that_of_its_posterior(make):
    post = make(conjugate(groups_declared="no"))
    for level in ("laBCC", "mBCC"):
        one = decide(post, INDEX, RULES).at(subgroup=level)
        alone = decide(post.at(subgroup=level), INDEX, RULES)
        assert str(one) == str(alone)
        assert (one.cautions, one.stamps, one.headline) == (
            alone.cautions, alone.stamps, alone.headline,
        )  # fmt: skip
        assert one.headline.startswith(f"{level}: ")
        assert one.status.item() == alone.status.item()
        assert float(one.leading) == float(alone.leading)
        xr.testing.assert_allclose(one.table, alone.table)


UTILITIES = {
    "contour": LpContour(0.5, 0.65, (0.7, 0.25)),
    "index": INDEX,
    "outcome table": OutcomeTable(neither=40, efficacy=100, toxicity=0, both=50),
    "product": Product({"p_eff": Attribute(1, "benefit"), "p_tox": Attribute(1, "harm")}),
    "desirability": Desirability(
        {"p_eff": Attribute(1, "benefit"), "p_tox": Attribute(1, "harm", Linear(0.9, 0.1))}
    ),
    "penalised": Penalised(limit=0.5),
}
HOW = {
    "mean_utility": "mean_utility",
    "utility_of_means": "utility_of_means",
    "max_prob_obd": "max_prob_obd",
    "min_expected_regret": "min_expected_regret",
    "within": LowestWithinDelta(0.1, 0.6),
    "fraction": FractionOfMaxEffect(0.8, 0.5),
    "effective": MinimumEffectiveDose(0.1, 0.6),
}


@pytest.mark.parametrize("make", [lambda p: p, particles], ids=["draws", "particles"])
@pytest.mark.parametrize("utility", UTILITIES)
@pytest.mark.parametrize("criterion", HOW)
def test_every_utility_and_criterion_takes_subgroups_along(utility, criterion, make):
    post = make(conjugate(draws=250))
    rules = Tolerable(0.55, 0.5) & AnyDose()
    together = decide(post, UTILITIES[utility], rules, criterion=HOW[criterion])
    for level in ("laBCC", "mBCC"):
        alone = decide(post.at(subgroup=level), UTILITIES[utility], rules, criterion=HOW[criterion])
        one = together.at(subgroup=level)
        assert one.status.item() == alone.status.item()
        np.testing.assert_array_equal(one.leading, alone.leading)
        names = ["utility", "criterion", "criterion_mcse", "rank", "prob_obd", "limit_prob"]
        for name in names:
            np.testing.assert_allclose(
                one.table[name].transpose(*alone.table[name].dims), alone.table[name],
                rtol=1e-7, err_msg=name,
            )  # fmt: skip


def test_a_level_that_is_not_there_is_refused():
    with pytest.raises(DoseOptError, match="did you mean 'mBCC'"):
        decide(conjugate(), INDEX, RULES).at(subgroup="mbcc")
    with pytest.raises(DoseOptError, match=r"groupings: none"):
        decide(conjugate(), INDEX, RULES).at(subgroup="mBCC").at(subgroup="mBCC")


def test_looking_at_one_level_leaves_the_decision_as_it_was():
    decision = decide(conjugate(), INDEX, RULES)
    before = str(decision)
    decision.at(subgroup="mBCC")
    assert str(decision) == before


def test_the_table_has_a_row_for_each_level_and_dose():
    decision = decide(conjugate(), INDEX, RULES)
    frame = decision.to_frame()
    assert frame.index.names == ["subgroup", "dose"]
    assert frame.index.tolist() == [
        ("laBCC", 200.0), ("laBCC", 800.0), ("mBCC", 200.0), ("mBCC", 800.0),
    ]  # fmt: skip
    limit = frame["Pr(p_tox < 0.6)"].to_numpy().reshape(2, 2)
    np.testing.assert_array_equal(limit, decision.table["limit_prob"].isel(rule=0))
    assert "stamps" not in frame


def test_tiny_subgroups_without_pooling_are_stamped_on_text_and_table():
    n = np.array([[66, 128], [4, 5]])
    events = {k: np.minimum(v, n) for k, v in EVENTS.items()}
    post = conjugate(n, events, pooled_over="")
    for decision in (decide(post, INDEX, RULES), decide(post, INDEX, RULES).at(subgroup="mBCC")):
        assert str(decision).startswith("TINY SUBGROUPS RANKED WITHOUT POOLING")
        assert decision.to_frame()["stamps"].str.contains("mBCC \\(n = 9\\)").all()
    decision = decide(post, INDEX, RULES)
    u = INDEX({name: post[name] for name in INDEX.reads})
    assert str(rank_doses(post, u, decision.table["admissible"])).startswith("TINY SUBGROUPS")
    assert words_differs(prob_obd_differs(post, decision))[0].startswith("TINY SUBGROUPS")
    assert not decide(conjugate(n, events), INDEX, RULES).stamps


def test_levels_that_were_not_declared_are_the_last_caution():
    decision = decide(conjugate(groups_declared="no"), INDEX, RULES)
    assert "not pre-specified" in decision.cautions[-1]
    assert decision.text.split("\n")[-1] == decision.cautions[-1]


def test_a_level_without_patients_is_kept_and_said():
    n = np.array([[66, 128], [0, 0]])
    events = {k: np.minimum(v, n) for k, v in EVENTS.items()}
    decision = decide(conjugate(n, events), INDEX, Tolerable(0.6, 0.1) & AnyDose())
    borrowed = [c for c in decision.cautions if "borrowed or the prior" in c]
    assert len(borrowed) == 1
    assert borrowed[0].startswith("mBCC: No patient of this level was treated")
    tried = decide(conjugate(n, events), INDEX, Tolerable(0.6, 0.1) & TriedOnly())
    assert tried.status.sel(subgroup="mBCC").item() == "none"


def test_cautions_name_their_level():
    n = N.copy()
    n[1, 0] = 0
    events = {k: np.minimum(v, n) for k, v in EVENTS.items()}
    decision = decide(conjugate(n, events), INDEX, Tolerable(0.7, 0.1) & AnyDose())
    untried = [c for c in decision.cautions if "extrapolated" in c]
    assert [c.split(":")[0] for c in untried] == ["mBCC"]


def test_credible_sets_are_said_by_subgroup():
    post = conjugate()
    decision = decide(post, INDEX, RULES)
    u = decision.utility({name: post[name] for name in decision.utility.reads})
    lines = str(rank_doses(post, u, decision.table["admissible"])).split("\n")
    assert [line.split(":")[0] for line in lines] == ["laBCC", "mBCC"]


def test_what_is_of_one_group_says_so_and_how_to_take_one():
    post = conjugate()
    decision = decide(post, INDEX, RULES)
    for ask in (
        lambda: dirichlet_acceptability(post, INDEX, decision.table["admissible"], seed=1),
        lambda: compare_alternatives(decision, {"other": decision}, {}),
        lambda: assess_sensitivity(post, decision),
    ):
        with pytest.raises(DoseOptError, match=r'one group\n.*decision\.at\(subgroup="\.\.\."\)'):
            ask()
    one = decision.at(subgroup="mBCC")
    said = assess_sensitivity(post.at(subgroup="mBCC"), one, seed=1).sentences
    assert any("200 mg" in s for s in said)
    swept = sweep_weight(post, decision, "p_eff", grid=[0.2, 0.5])
    alone = sweep_weight(post.at(subgroup="mBCC"), one, "p_eff", grid=[0.2, 0.5])
    np.testing.assert_array_equal(swept["leading"].sel(subgroup="mBCC"), alone["leading"])
