"""The association's influence and alternative models, on posteriors whose answer is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from doseopt_bayes.analysis import analyse
from doseopt_bayes.data.trial import TrialData
from doseopt_bayes.decision.association import association_influence
from doseopt_bayes.decision.decide import decide
from doseopt_bayes.decision.outcome_table import OutcomeTable
from doseopt_bayes.decision.rules import AnyDose, Tolerable
from doseopt_bayes.decision.utility import LpContour
from doseopt_bayes.errors import DoseOptError
from doseopt_bayes.models import EffTox, Saturated
from doseopt_bayes.models.presets import EFFTOX_THALL2014
from doseopt_bayes.report.bundle import save
from tests.conftest import make_posterior

BOIN12 = OutcomeTable(neither=40, efficacy=100, toxicity=0, both=60)
STRICT = OutcomeTable(neither=40, efficacy=100, toxicity=0, both=0)


def posterior(p_tox, p_eff, seed=0):
    """Draws around given margins, with independent cells."""
    rng = np.random.default_rng(seed)
    shape = (4, 500, len(p_tox))
    tox = np.clip(np.array(p_tox) + 0.01 * rng.normal(size=shape), 0.001, 0.999)
    eff = np.clip(np.array(p_eff) + 0.01 * rng.normal(size=shape), 0.001, 0.999)
    post = make_posterior(tox, eff)
    cells = [(1 - eff) * (1 - tox), eff * (1 - tox), (1 - eff) * tox, eff * tox]
    draws = post.draws.assign(
        p_cell=(("chain", "draw", "dose", "cell"), np.stack(cells, axis=-1))
    ).assign_coords(cell=list("NETB"))
    tree = post.tree.copy()
    tree["posterior"] = xr.DataTree(draws)
    return replace(post, tree=tree)


@settings(deadline=None, max_examples=15)
@given(st.lists(st.tuples(st.floats(0.05, 0.9), st.floats(0.05, 0.9)), min_size=2, max_size=4))
def test_the_association_cannot_change_an_additive_table(rates):
    post = posterior(*zip(*rates, strict=True))
    found = association_influence(post, decide(post, BOIN12, AnyDose()))
    spread = found.table["utility"].max("association") - found.table["utility"].min("association")
    assert float(spread.max()) < 1e-9
    assert "cannot change" in found.sentences[0]


def test_with_a_table_that_is_not_additive_it_can_change_the_dose():
    # at 10 all depends on whether the toxicities hit the responders; at 20 there is little of either
    post = posterior([0.45, 0.05], [0.55, 0.25])
    found = association_influence(post, decide(post, STRICT, AnyDose()))
    tox, eff = 0.45, 0.55
    for strength, both in zip(found.table["association"].to_numpy(),
                              (max(0, tox + eff - 1), tox * eff, min(tox, eff)), strict=True):  # fmt: skip
        expected = 40 * (1 - tox - eff + both) + 100 * (eff - both)
        got = float(found.table["utility"].sel(association=strength, dose=10.0))
        assert got == pytest.approx(expected, abs=0.5)
    leading = dict(zip(found.table["association"].to_numpy(), found.table["leading"].to_numpy(), strict=True))  # fmt: skip
    assert leading["as negative as possible"] == 10.0
    assert leading["as positive as possible"] == 20.0
    assert "changes from" in found.sentences[0]


def test_a_utility_of_margins_says_that_the_association_is_not_in_it():
    post = posterior([0.1, 0.2], [0.3, 0.5])
    u = LpContour(eff0=0.2, tox1=0.6, hinge=(0.4, 0.3))
    found = association_influence(post, decide(post, u, AnyDose()))
    assert not found.table
    assert "reads no joint outcome" in str(found)


DOSES = (10.0, 20.0, 40.0)


@pytest.fixture(scope="module")
def analysis():
    model = EffTox(DOSES, EFFTOX_THALL2014, unit="mg", monotone_tox=True)
    data = TrialData.parse("1NNEN 2EEEE 2ENE 3TTTT", doses=DOSES, unit="mg")
    return analyse(model, data, BOIN12, Tolerable(0.4, certainty=0.2), seed=1, draws=1000,
                   alternatives={"Gaussian copula": replace(model, copula="gaussian"),
                                 "each dose by itself": Saturated(DOSES, unit="mg")})  # fmt: skip


@pytest.mark.slow
def test_alternatives_are_decided_like_the_analysis(analysis):
    found = analysis.sensitivity.alternatives
    assert list(found.table["model"].to_numpy()) == ["as specified", "Gaussian copula", "each dose by itself"]  # fmt: skip
    for label, other in analysis.alternatives.items():
        at = found.table.sel(model=label)
        assert float(at["leading"]) == float(other.decision.leading)
        np.testing.assert_array_equal(at["utility"], other.decision.table["utility"])
    assert any("Gaussian copula" in s for s in analysis.sensitivity.sentences)
    assert "Alternative models" in analysis.sensitivity.frames()


@pytest.mark.slow
def test_alternatives_stand_in_the_report(analysis, tmp_path):
    text = save(analysis, tmp_path)["report"].read_text(encoding="utf-8")
    assert "Alternative models" in text
    assert "each dose by itself" in text


@pytest.mark.slow
def test_an_alternative_that_failed_ranks_nothing(analysis):
    other = analysis.alternatives["Gaussian copula"]
    check = other.posterior.diagnostics.checks[0]
    bad = replace(other.posterior.diagnostics, checks=(replace(check, passed=False),))
    sick = replace(other, posterior=replace(other.posterior, diagnostics=bad))
    found = replace(analysis, alternatives={"sick": sick}).sensitivity.alternatives
    assert str(found.table["status"].sel(model="sick").item()) == "diagnostics failed"
    assert np.isnan(found.table["leading"].sel(model="sick"))
    assert found.table["utility"].sel(model="sick").isnull().all()
    assert "nothing is ranked" in str(found)


def test_a_utility_that_a_model_cannot_serve_is_refused_before_sampling():
    u = LpContour(eff0=0.2, tox1=0.6, hinge=(0.4, 0.3))
    object.__setattr__(u, "reads", ("p_eff", "p_stop"))
    model = EffTox(DOSES, EFFTOX_THALL2014)
    with pytest.raises(DoseOptError, match="reads p_stop, which the model does not have"):
        analyse(model, TrialData.empty(DOSES), u, AnyDose(), seed=1)
