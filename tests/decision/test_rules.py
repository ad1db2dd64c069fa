"""Rules combine, speak protocol prose and know what their Monte Carlo error can flip."""

from __future__ import annotations

import numpy as np
import pytest

from doseopt_bayes.decision.rules import Active, AnyDose, NoSkipping, Tolerable, TriedOnly
from doseopt_bayes.errors import DoseOptError


@pytest.fixture
def post(synthetic):
    rng = np.random.default_rng(1)
    size = (4, 500)
    p_tox = np.stack([rng.beta(2, 18, size), rng.beta(6, 14, size), rng.beta(12, 8, size)], axis=-1)
    p_eff = np.stack(
        [rng.beta(4, 16, size), rng.beta(10, 10, size), rng.beta(15, 5, size)], axis=-1
    )
    return synthetic(p_tox, p_eff, n=(3, 0, 0))


def test_probability_and_strict_threshold(post):
    verdict = Tolerable(0.3, certainty=0.4).judge(post)
    expected = (post.draws["p_tox"] < 0.3).mean(("chain", "draw"))
    np.testing.assert_allclose(verdict.findings[0].estimate, expected)
    assert verdict.ok.to_numpy().tolist() == (expected > 0.4).to_numpy().tolist()


def test_and_or_are_those_of_logic(post):
    a, b = Tolerable(0.3, certainty=0.5), Active(0.4, certainty=0.5)
    ok_a, ok_b = a.judge(post).ok, b.judge(post).ok
    assert ((a & b).judge(post).ok == (ok_a & ok_b)).all()
    assert ((a | b).judge(post).ok == (ok_a | ok_b)).all()
    assert len(((a & b) | a).judge(post).findings) == 3


def test_a_firm_refusal_settles_an_unresolved_partner(synthetic):
    p_tox = np.random.default_rng(0).uniform(0, 0.6, (4, 100, 1))  # Pr(< 0.3) is about 1/2
    unsure = Tolerable(0.3, certainty=0.5)
    for p_eff, settled in ((0.1, True), (0.9, False)):
        both = unsure & Active(0.5, certainty=0.5)
        assert bool(both.judge(synthetic(p_tox, np.full_like(p_tox, p_eff))).firm.item()) is settled
        either = unsure | Active(0.5, certainty=0.5)
        assert (
            bool(either.judge(synthetic(p_tox, np.full_like(p_tox, p_eff))).firm.item())
            is not settled
        )


def test_reach_of_untried_doses(post):
    assert TriedOnly().judge(post).ok.to_numpy().tolist() == [True, False, False]
    assert NoSkipping().judge(post).ok.to_numpy().tolist() == [True, True, False]
    assert NoSkipping(2).judge(post).ok.to_numpy().tolist() == [True, True, True]
    assert AnyDose().judge(post).ok.all()


def test_prose():
    rule = (Tolerable(0.3, 0.1) | Active(0.5, 0.1)) & NoSkipping()
    assert str(rule) == (
        "(Pr(p_tox < 0.3) > 0.1 or Pr(p_eff > 0.5) > 0.1); and "
        "not more than 1 level(s) below or above the tried doses"
    )


@pytest.mark.parametrize("limit", [0, 1, 40, -0.1, float("nan")])
def test_limits_are_probabilities(limit):
    with pytest.raises(DoseOptError, match="between 0 and 1") as e:
        Tolerable(limit, certainty=0.1)
    assert ("0.4?" in str(e.value)) == (limit == 40)
    with pytest.raises(DoseOptError):
        Active(0.5, certainty=limit)
    with pytest.raises(DoseOptError):
        NoSkipping(levels=0)
