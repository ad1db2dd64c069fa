"""Pr(the best dose differs) against quadrature over independent Betas."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import integrate, stats

from doseopt_bayes.decision.cui import CUI, Attribute
from doseopt_bayes.decision.decide import decide
from doseopt_bayes.decision.differs import prob_obd_differs, words_differs
from doseopt_bayes.decision.rules import AnyDose, Tolerable
from doseopt_bayes.errors import DoseOptError
from tests.decision.subgroup_cases import conjugate, particles

EFFECT = CUI({"p_eff": Attribute(1, "benefit")})
LEVELS = ("a", "b", "c")
DOSES = (1.0, 2.0, 4.0)
N = np.array([[20, 20, 20], [9, 12, 15], [30, 10, 5]])
EFF = np.array([[8, 9, 11], [4, 3, 5], [12, 5, 2]])
TOX = np.array([[1, 2, 3], [1, 2, 14], [29, 10, 5]])


def posterior(seed=1, draws=1000):
    return conjugate(
        N, {"tox": TOX, "eff": EFF}, levels=LEVELS, doses=DOSES, seed=seed, draws=draws
    )


def best_probabilities(g, doses):
    """Pr(each dose is best) in subgroup g, by integrating its density times the others' cdf."""
    beta = [stats.beta(1 + EFF[g, j], 1 + N[g, j] - EFF[g, j]) for j in range(3)]
    found = np.zeros(3)
    for j in doses:
        rest = [beta[k] for k in doses if k != j]
        found[j] = integrate.quad(
            lambda p, j=j, rest=rest: beta[j].pdf(p) * np.prod([b.cdf(p) for b in rest]), 0, 1
        )[0]
    return found


def exact(admissible):
    best = [best_probabilities(g, doses) for g, doses in enumerate(admissible)]
    none = np.array([not doses for doses in admissible], dtype=float)
    same = np.array([[a @ b for a in best] for b in best]) + np.outer(none, none)
    np.fill_diagonal(same, 1.0)
    return 1 - same


@pytest.mark.parametrize("make", [lambda p: p, particles], ids=["draws", "particles"])
def test_it_is_that_of_quadrature(make):
    post = make(posterior(draws=4000))
    table = prob_obd_differs(post, decide(post, EFFECT, AnyDose()))
    truth = exact([(0, 1, 2)] * 3)
    assert table["differs"].dims == ("subgroup", "other_subgroup")
    for name in ("differs", "differs_any_dose"):
        error = table[f"{name}_mcse"].to_numpy()
        assert (abs(table[name].to_numpy() - truth) <= 4 * error).all()
        assert (np.diagonal(error) == 0).all()
        assert (error[~np.eye(3, dtype=bool)] > 0).all()
        np.testing.assert_allclose(table[name], table[name].T)


def test_no_admissible_dose_is_an_answer_of_its_own():
    post = posterior(draws=4000)
    rules = Tolerable(0.5, 0.5) & AnyDose()
    decision = decide(post, EFFECT, rules)
    ok = decision.table["admissible"].to_numpy()
    assert ok.tolist() == [[True] * 3, [True, True, False], [False] * 3]
    table = prob_obd_differs(post, decision)
    truth = exact([(0, 1, 2), (0, 1), ()])
    error = table["differs_mcse"].to_numpy()
    assert (abs(table["differs"].to_numpy() - truth) <= 4 * error).all()
    assert table["differs"].sel(subgroup="a", other_subgroup="c").item() == 1
    assert error[0, 2] == 0  # the verdicts alone settle it
    assert error[0, 1] > 0


def test_subgroups_with_no_dose_at_all_do_not_differ():
    post = posterior()
    table = prob_obd_differs(post, decide(post, EFFECT, Tolerable(0.01, 0.99) & AnyDose()))
    assert (table["differs"] == 0).all()
    assert (table["differs_mcse"] == 0).all()
    assert (table["differs_any_dose"].sel(subgroup="a", other_subgroup="b") > 0.3).item()


@pytest.mark.slow
def test_errors_are_honest():
    """Over 100 seeds, the standardised error behaves like a standard normal."""
    truth, z = exact([(0, 1, 2)] * 3), []
    for seed in range(100):
        post = posterior(seed, draws=250)
        table = prob_obd_differs(post, decide(post, EFFECT, AnyDose()))
        i, j = np.triu_indices(3, 1)
        z.append(
            (table["differs"].to_numpy() - truth)[i, j] / table["differs_mcse"].to_numpy()[i, j]
        )
    z = np.concatenate(z)
    assert np.mean(np.abs(z) > 2) < 0.08
    assert 0.85 < z.std() < 1.15


def test_each_pair_is_said_once_the_likeliest_difference_first():
    post = posterior()
    decision = decide(post, EFFECT, Tolerable(0.5, 0.5) & AnyDose())
    said = words_differs(prob_obd_differs(post, decision))
    assert len(said) == 3
    settled = "with probability 1, by the verdicts of the rules alone."
    assert said[0] == f"The best admissible dose of a is not that of c {settled}"
    assert said[-1].startswith("The best admissible dose of a is not that of b with probability 0.")


def test_one_group_has_no_other():
    post = posterior().at(subgroup="a")
    with pytest.raises(DoseOptError, match="one group"):
        prob_obd_differs(post, decide(post, EFFECT, AnyDose()))
