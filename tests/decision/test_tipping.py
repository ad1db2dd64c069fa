"""Tipping points: exact, confirmed by decide(), and never a way to an inadmissible dose."""

from __future__ import annotations

import math

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from doseopt_bayes.decision.criteria import LowestWithinDelta
from doseopt_bayes.decision.cui import CUI, Attribute, Linear
from doseopt_bayes.decision.decide import decide
from doseopt_bayes.decision.moves import Estimates, moves
from doseopt_bayes.decision.rules import Active, AnyDose, NoSkipping, Tolerable
from doseopt_bayes.decision.tipping import has_tipping, tipping_points
from doseopt_bayes.decision.utility import LpContour
from doseopt_bayes.errors import DoseOptError
from doseopt_bayes.inference.reweighted import reweighted
from tests.conftest import make_posterior
from tests.decision.test_weights import posterior

LP = LpContour(0.5, 0.65, (0.7, 0.25))
INDEX = CUI({"p_eff": Attribute(2, "benefit"), "p_tox": Attribute(1, "harm", Linear(0.6, 0.1))})
RULES = Tolerable(0.5, certainty=0.4) & Active(0.2, certainty=0.4) & AnyDose()
CRITERIA = ("mean_utility", "utility_of_means", "max_prob_obd", LowestWithinDelta(0.05, 0.6))


def same(a, b):
    return a == b or (math.isnan(a) and math.isnan(b))


def check(post, decision):
    """Each tipping point by decide(), and nothing on the way to it."""
    table = tipping_points(post, decision).table
    assert table.attrs["unconfirmed"] == ""
    start, n = float(decision.leading), 0
    for move in moves(post, decision):
        for side, sign, bound in (("down", -1, 0.0), ("up", 1, 1.0)):
            at = table.sel(what=move.label, side=side)

            def say(x, move=move):
                utility, rules = move.changed(x)
                return decide(Estimates.of(post), utility, rules, criterion=decision.criterion)

            end = float(at["to"]) if bool(at["flips"]) else bound
            x = move.now + 0.98 * (end - move.now)  # the answer in force holds up to there
            if x != end:
                assert same(float(say(x).leading), start)
            if not bool(at["flips"]):
                continue
            n += 1
            beyond = say(end + sign * 1e-6)
            assert same(float(beyond.leading), float(at["leading"]))
            assert not same(float(at["leading"]), start)
            if not math.isnan(float(at["leading"])):
                assert bool(beyond.table["admissible"].sel(dose=float(at["leading"])))
    return n


@pytest.mark.parametrize("criterion", CRITERIA, ids=str)
def test_every_tipping_point_is_one_and_the_first(criterion, monkeypatch):
    monkeypatch.setattr("doseopt_bayes.decision.moves.GRID", 9)
    post = posterior(draws=60)
    assert check(post, decide(post, INDEX, RULES, criterion=criterion)) >= 4


@settings(max_examples=4, deadline=None)
@given(seed=st.integers(0, 10**6), data=st.data())
def test_an_inadmissible_dose_is_never_a_new_leading_dose(seed, data):
    rng = np.random.default_rng(seed)
    a, b = rng.uniform(0.5, 6, (2, 3))
    post = make_posterior(rng.beta(a, b, (4, 25, 3)), rng.beta(b, a, (4, 25, 3)), n=(3, 0, 2))
    rules = (
        Tolerable(data.draw(st.floats(0.2, 0.8)), data.draw(st.floats(0.1, 0.9)))
        & Active(data.draw(st.floats(0.1, 0.6)), 0.3)
    ) | Tolerable(0.1, 0.95)
    check(post, decide(post, data.draw(st.sampled_from([INDEX, LP])), rules & NoSkipping()))


def test_the_tipping_weight_is_where_two_lines_cross():
    """Dose 1: value 0.4 + 0 w; dose 2: 0.8 - 0.8 w; they cross at w = 1/2."""
    p_tox, p_eff = np.zeros((4, 100, 2)), np.zeros((4, 100, 2))
    p_tox[..., 0], p_tox[..., 1] = 0.6, 1.0
    p_eff[..., 0], p_eff[..., 1] = 0.4, 0.8
    cui = CUI({"p_eff": Attribute(3, "benefit"), "p_tox": Attribute(1, "harm")})
    post = make_posterior(p_tox, p_eff)
    found = tipping_points(post, decide(post, cui, AnyDose()))
    at = found.table.sel(what="weight of p_tox", side="up")
    assert float(at["to"]) == pytest.approx(0.5)
    assert float(at["relative"]) == pytest.approx(1 / 3)  # of the way from 0.25 to 1
    assert float(at["leading"]) == 10.0
    assert "Flips to 10 when the weight of p_tox rises from 0.25 to 0.500" in str(found)
    assert str(found).startswith("Stable: no single weight, limit or certainty moved by up to 25 %")


def test_limits_and_certainties_are_quantiles_and_probabilities():
    post = posterior()
    table = tipping_points(post, decide(post, INDEX, RULES)).table
    lead = table.attrs["leading"]
    tox = post["p_tox"].sel(dose=lead)
    limit = table.sel(what="limit of Pr(p_tox < 0.5) > 0.4", side="down")
    assert float(limit["to"]) == pytest.approx(float(np.quantile(tox, 0.4)), abs=1e-3)
    assert float(limit["to_mcse"]) == pytest.approx(float(post.mcse(tox, q=0.4)))
    certainty = table.sel(what="certainty of Pr(p_tox < 0.5) > 0.4", side="up")
    assert float(certainty["to"]) == float((tox < 0.5).mean())
    # a too toxic dose comes in only when the certainty falls below its own probability
    reverse = table.sel(what="certainty of Pr(p_tox < 0.5) > 0.4", side="down")
    assert float(reverse["leading"]) == 40.0
    assert float(reverse["to"]) == float((post["p_tox"].sel(dose=40.0) < 0.5).mean())


@pytest.mark.parametrize("criterion", ["mean_utility", "utility_of_means"])
def test_the_error_of_a_tipping_weight_is_honest(criterion):
    found = []
    for seed in range(25):
        post = posterior(seed, draws=60)
        tox = moves(post, decide(post, INDEX, RULES, criterion=criterion))[1]
        nearest = min((c for c in tox.candidates if c.value > tox.now), key=lambda c: c.value)
        found.append([nearest.value, nearest.error()])
    values, errors = np.array(found).T
    assert 0.7 < values.std() / errors.mean() < 1.35


def test_a_contour_says_that_only_limits_were_examined():
    post = posterior()
    found = tipping_points(post, decide(post, LP, RULES))
    assert set(found.table["kind"].to_numpy()) == {"limit", "certainty"}
    assert "weights are moved for a CUI, the utility is LpContour" in str(found)
    frame = found.to_frame()
    assert len(frame) == 8
    assert list(frame.columns)[:4] == ["what", "side", "from", "to"]


def test_when_no_dose_is_admissible_the_limit_that_would_admit_one_is_named():
    post = posterior()
    decision = decide(post, LP, Tolerable(0.01, certainty=0.5) & AnyDose())
    found = tipping_points(post, decision)
    at = found.table.sel(what="limit of Pr(p_tox < 0.01) > 0.5", side="up")
    assert float(at["leading"]) == 10.0
    assert "(no dose)" in found.sentences[0]
    assert "The answer itself is 'none'." in found.sentences


def test_a_rule_that_stands_twice_is_two_numbers():
    post = posterior()
    found = tipping_points(post, decide(post, LP, (RULES | RULES) & AnyDose()))
    assert found.table.sizes["what"] == 8
    assert not found.table["flips"].sel(what="limit of Pr(p_tox < 0.5) > 0.4", side="down")


def test_nothing_to_move_is_refused():
    post = posterior()
    decision = decide(post, LP, AnyDose())
    assert not has_tipping(decision)
    with pytest.raises(DoseOptError, match="no weight, limit or certainty"):
        tipping_points(post, decision)
    one = decide(post, CUI({"p_eff": Attribute(1, "benefit")}), AnyDose())
    assert not has_tipping(one)


def test_weighted_draws_are_refused_rather_than_read_as_equal():
    post = posterior(draws=20)
    even = xr.full_like(post["anchor"], 1 / post.n_draws)
    with pytest.raises(DoseOptError, match="equal weight"):
        tipping_points(reweighted(post, even), decide(post, LP, RULES))


def test_several_groups_are_refused():
    p = np.random.default_rng(4).beta(2, 6, (2, 4, 60, 2, 3))
    decision = decide(make_posterior(*p, dims=("chain", "draw", "subgroup", "dose")), LP, RULES)
    assert not has_tipping(decision)
    with pytest.raises(DoseOptError, match="one group"):
        tipping_points(None, decision)
