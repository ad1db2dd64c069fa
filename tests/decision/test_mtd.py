"""The MTD against an independent loop, at its edges, and in words."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from doseopt_bayes.decision.cui import CUI, Attribute
from doseopt_bayes.decision.decide import decide
from doseopt_bayes.decision.mtd import maximum_tolerated
from doseopt_bayes.decision.rules import Active, AnyDose, ProtocolCap, Tolerable
from doseopt_bayes.decision.utility import LpContour
from doseopt_bayes.report.tables import ranking
from tests.conftest import make_posterior

LP = LpContour(0.5, 0.65, (0.7, 0.25))
RULES = Tolerable(0.3, certainty=0.1) & AnyDose()
DOSES = (10.0, 20.0, 40.0, 80.0)


def by_loop(tox, limit):
    """Index of the MTD of one curve, or None: walk up until a dose is too toxic."""
    found = None
    for j, p in enumerate(tox):
        if p > limit:
            break
        found = j
    return found


def curves(seed, *, monotone, draws=60):
    rng = np.random.default_rng(seed)
    tox = rng.beta(2, 4, (4, draws, 4))
    return np.sort(tox, axis=-1) if monotone else tox


def certain(p_tox, p_eff, spread=1e-3):
    rng = np.random.default_rng(5)
    size = (4, 250, len(p_tox))
    tox = np.clip(p_tox + spread * rng.normal(size=size), 1e-6, 1 - 1e-6)
    return make_posterior(tox, np.clip(p_eff + spread * rng.normal(size=size), 1e-6, 1 - 1e-6))


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10**6), monotone=st.booleans(), limit=st.floats(0.05, 0.8))
def test_equals_an_independent_loop(seed, monotone, limit):
    tox = curves(seed, monotone=monotone)
    post = make_posterior(tox, np.full_like(tox, 0.5), doses=DOSES)
    found = maximum_tolerated(post, Tolerable(limit, certainty=0.5))
    hits = [by_loop(t, limit) for t in tox.reshape(-1, 4)]
    expected = [np.mean([h == j for h in hits]) for j in range(4)]
    np.testing.assert_allclose(found["prob_mtd"], expected, atol=1e-12)
    assert float(found["prob_mtd_none"]) == pytest.approx(np.mean([h is None for h in hits]))
    assert float(found["prob_mtd"].sum() + found["prob_mtd_none"]) == pytest.approx(1)
    point = by_loop(tox.mean((0, 1)), limit)
    assert math.isnan(float(found["mtd"])) if point is None else found["mtd"] == DOSES[point]
    if monotone:  # then "like every lower one" is no restriction
        below = (tox <= limit).sum(-1)
        np.testing.assert_allclose(found["prob_mtd"], [(below == j + 1).mean() for j in range(4)])


def test_a_tolerable_dose_above_an_intolerable_one_is_not_the_mtd():
    found = maximum_tolerated(certain([0.1, 0.5, 0.1], [0.5] * 3), RULES)
    assert float(found["mtd"]) == 10.0
    assert float(found["prob_mtd"].sel(dose=30.0)) == 0.0


def test_the_probability_at_the_limit_itself_is_tolerable():
    tox = np.full((4, 50, 2), 0.25)
    found = maximum_tolerated(make_posterior(tox, tox), Tolerable(0.25, 0.5))
    assert float(found["prob_mtd"].sel(dose=20.0)) == 1.0
    assert not bool(found["mtd_resolved"])  # any Monte Carlo error would undo it


def test_only_means_within_three_errors_of_the_limit_leave_it_open():
    rng = np.random.default_rng(0)
    centre = np.array([0.1, 0.3, 0.6])
    tox = np.clip(centre + 0.05 * rng.normal(size=(4, 250, 3)), 0, 1)
    open_ = maximum_tolerated(make_posterior(tox, tox), Tolerable(float(tox[..., 1].mean()), 0.5))
    assert not bool(open_["mtd_resolved"])
    clear = maximum_tolerated(make_posterior(tox, tox), Tolerable(0.45, 0.5))
    assert bool(clear["mtd_resolved"])
    assert float(clear["mtd"]) == 20.0
    # a doubt above a dose that fails for sure cannot matter
    above = np.stack([tox[..., 0], tox[..., 2], tox[..., 1]], axis=-1)
    limit = Tolerable(float(tox[..., 1].mean()), 0.5)
    assert bool(maximum_tolerated(make_posterior(above, above), limit)["mtd_resolved"])


def test_the_lowest_of_several_limits_counts():
    post = certain([0.1, 0.25, 0.35], [0.5] * 3)
    found = maximum_tolerated(post, Tolerable(0.4, 0.8) & Tolerable(0.3, 0.1))
    assert (float(found["mtd_limit"]), float(found["mtd"])) == (0.3, 20.0)


def test_without_a_limit_or_without_toxicity_there_is_no_mtd():
    post = certain([0.1, 0.2], [0.3, 0.6])
    plain = decide(post, LP, Active(0.1, 0.1))
    assert "mtd" not in plain.table
    assert "MTD" not in str(plain)
    del post.draws["p_tox"]
    assert not maximum_tolerated(post, RULES)
    eff = decide(post, CUI({"p_eff": Attribute(1, "benefit")}), Active(0.1, 0.1))
    assert float(eff.leading) == 20.0


def test_words_set_it_beside_the_optimal_dose():
    said = decide(certain([0.05, 0.1, 0.25, 0.5], [0.3, 0.7, 0.7, 0.7]), LP, RULES).text
    what = "MTD (highest dose that, like every lower one, has mean p_tox <= 0.3)"
    assert f"{what}: 30 (Pr >0.99); OBD: 20, below the MTD." in said
    said = decide(certain([0.1, 0.2, 0.6], [0.3, 0.7, 0.7]), LP, RULES).text
    assert "OBD: 20, equal to the MTD." in said
    said = decide(certain([0.4, 0.5], [0.7, 0.7]), LP, RULES).text
    assert "none of the candidate doses (Pr >0.99); OBD: none." in said
    capped = decide(certain([0.1, 0.2], [0.3, 0.7]), LP, RULES & ProtocolCap(10)).text
    assert "20 (Pr >0.99), above the protocol cap; OBD: 10, below the MTD." in capped


def test_a_recommended_dose_above_it_is_a_caution():
    decision = decide(certain([0.1, 0.4], [0.3, 0.9], spread=0.2), LP, RULES)
    assert float(decision.recommended) == 20.0
    assert "OBD: 20, above the MTD." in decision.text
    assert any("is above the limit of 0.3: it lies above the MTD" in c for c in decision.cautions)


def test_it_is_in_the_table_the_frame_and_the_report(analysis_like):
    frame = analysis_like.decision.to_frame()
    assert {"prob_mtd", "prob_mtd_mcse", "mtd", "mtd_resolved", "mtd_limit"} <= set(frame.columns)
    shown = ranking(analysis_like)
    assert "Pr(MTD)" in shown.columns
    assert "p_tox <= 0.3; that no dose is:" in shown.note
    assert all(len(row) == len(shown.columns) for row in shown.rows)


@pytest.fixture
def analysis_like():
    post = certain([0.1, 0.2, 0.6], [0.3, 0.7, 0.7])
    data = SimpleNamespace(unit="mg")
    return SimpleNamespace(decision=decide(post, LP, RULES), data=data, posterior=post)


def test_subgroups_ride_along():
    rng = np.random.default_rng(4)
    p_tox, p_eff = rng.beta(2, 6, (4, 60, 2, 3)), rng.beta(5, 4, (4, 60, 2, 3))
    joint = make_posterior(p_tox, p_eff, dims=("chain", "draw", "subgroup", "dose"))
    rules = RULES & ProtocolCap(20)
    together = decide(joint, LP, rules)
    for g in range(2):
        alone = decide(make_posterior(p_tox[:, :, g], p_eff[:, :, g]), LP, rules)
        for name in ("prob_mtd", "mtd", "mtd_resolved", "leading_without_cap"):
            np.testing.assert_array_equal(
                together.table[name].isel(subgroup=g).to_numpy(), alone.table[name].to_numpy()
            )
    assert together.text.count("MTD (") == 2
