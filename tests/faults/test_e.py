"""E: faults of groups that only a fit can see; the table is in ``__init__``."""

from __future__ import annotations

import re

import pytest

from doseopt_bayes.inference.heterogeneity import tau_ratios
from doseopt_bayes.inference.nuts import fit
from doseopt_bayes.models import Basket
from doseopt_bayes.priors import HalfNormal, Normal, Pooled
from tests.models.basket_cases import counted


@pytest.mark.parametrize(
    ("n", "events", "why"),
    [
        ((20,), (5,), "patients in one group alone"),
        ((20, 1), (5, 1), "one patient alone in g1"),
        ((20, 0), (5, 0), "patients in one group alone"),
    ],
)
def test_e06_a_spread_that_the_data_do_not_show_is_warned_of(n, events, why):
    data = counted(n, events)
    model = Basket(1.0, Pooled(Normal(0, 2), HalfNormal(0.5)), data.groups)
    post = fit(model, data, seed=1)
    assert post.check().passed
    ratio = tau_ratios(model, post)["log_odds_tau"]
    assert ratio == pytest.approx(1, abs=0.08)  # one group says nothing of tau, two hardly more
    notes = "\n".join(post.notes)
    assert f"subgroup: {why}: how much groups differ is hardly seen" in notes
    assert f"log_odds_tau: its posterior sd is {ratio:.2f} of its prior sd" in notes


def test_e06_a_spread_that_the_data_show_is_not_warned_of():
    data = counted((40, 40, 40, 40), (2, 36, 20, 10))
    model = Basket(1.0, Pooled(Normal(0, 2), HalfNormal(2)), data.groups)
    post = fit(model, data, seed=1)
    assert tau_ratios(model, post)["log_odds_tau"] < 0.8
    assert not re.search(r"posterior sd is|hardly seen", "\n".join(post.notes))
