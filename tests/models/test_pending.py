"""What models read of pending patients, and that nothing changes where nobody is."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from doseopt_bayes import names
from doseopt_bayes.data.columns import PatientColumns
from doseopt_bayes.data.follow_up import share_of
from doseopt_bayes.data.trial import TrialData
from doseopt_bayes.inference.compiled import interpreted
from doseopt_bayes.inference.fingerprint import fingerprint
from doseopt_bayes.models import CRM, EffTox, Saturated
from doseopt_bayes.models.pending import NODE, factors, partly_known, shares_at
from doseopt_bayes.models.presets import EFFTOX_THALL2014
from doseopt_bayes.models.tallied import counts_of, margins_of
from tests.inference.pending_cases import DONE, DOSES, MANY, SOME, WINDOWS, chance, rows_of, trial

JOINT = EffTox(DOSES, EFFTOX_THALL2014)
ALONE = CRM(DOSES, (0.05, 0.12, 0.25, 0.40, 0.55))


def test_a_patient_counts_once():
    """In the cells, in one margin, or by the share of each outcome."""
    data = trial(*MANY)
    joint = counts_of(JOINT, data)
    assert joint.cells.sum() == len(DONE)
    assert all(n.sum() == 0 and x.sum() == 0 for n, x in joint.only.values())
    assert int((joint.pending != 1).any(axis=-1).sum()) == len(MANY) - len(DONE) - 1
    alone = margins_of(ALONE, data)
    n, events = alone.only["tox"]
    # whose toxicity is known although a response is awaited counts as final
    assert n.tolist() == [2, 2, 1, 2, 0]
    assert events.tolist() == [0, 1, 0, 1, 0]
    assert int((alone.pending != 1).any(axis=-1).sum()) == 3


def test_outcomes_known_for_one_endpoint_stay_in_its_margin():
    roles = PatientColumns("mg", tox="dlt", eff="resp", doses=DOSES, missing={"eff": "exclude"},
                           follow_up={"tox": WINDOWS["tox"]})  # fmt: skip
    rows = [(1.0, 0, None, 40), (1.0, 1, None, 3), (1.0, 0, None, 7), (2.5, 0, 1, 7)]
    data = TrialData.from_frame(pd.DataFrame(rows, columns=["mg", "dlt", "resp", "days"]), roles)
    found = counts_of(JOINT, data)
    n, events = found.only["tox"]
    assert (n.tolist(), events.tolist()) == ([2, 0, 0, 0, 0], [1, 0, 0, 0, 0])
    assert [x.sum() for x in found.only["eff"]] == [0, 0]
    np.testing.assert_allclose(found.pending[:2, 0], [[1, 1, 0.75, 0.75], [0, 1, 0, 0.75]])


def test_the_node_has_the_probability_of_what_was_seen():
    """Case by case, from the margins and the association, without shares."""
    data = trial(*MANY)
    model = JOINT.build(data)
    node = next(v for v in model.observed_RVs if v.name == NODE)
    density = interpreted(model.value_vars, [model.logp(vars=[node])])
    point = {"tox_intercept": -0.4, "tox_slope": 0.7, "eff_intercept": 0.3, "eff_slope": 0.5,
             "eff_curvature": -0.1, "association": 0.9}  # fmt: skip
    x = np.log(DOSES) - np.log(DOSES).mean()
    p_tox = 1 / (1 + np.exp(0.4 - 0.7 * x))
    p_eff = 1 / (1 + np.exp(-0.3 - 0.5 * x + 0.1 * x**2))
    expected = 0.0
    for row in rows_of(MANY)[len(DONE) :]:
        j = row[0]
        expected += np.log(chance(p_tox[j], p_eff[j], np.tanh(0.45), row))
    assert float(density(**point)[0]) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    "model", [JOINT, ALONE, Saturated(DOSES)], ids=["efftox", "crm", "saturated"]
)
def test_without_pending_patients_the_graph_is_the_old_one(model):
    plain = model.build(TrialData.parse("1NE 2NTE", doses=DOSES))
    followed = model.build(trial(*DONE))
    assert fingerprint(plain) == fingerprint(followed) == fingerprint(model.build(trial(*DONE[:2])))
    assert not any(str(v).startswith(names.PENDING) for v in followed.named_vars)
    enrolled = model.build(trial(*DONE, (25.0, 0, 0, 0)))  # of whom nothing is known
    assert fingerprint(enrolled) == fingerprint(plain)


def test_the_graph_does_not_depend_on_how_many_are_pending():
    one, two, none = (fingerprint(JOINT.build(trial(*rows))) for rows in (SOME, MANY, DONE))
    assert one == two != none


def test_factors_of_padding_and_of_known_outcomes():
    share = np.array([[1.0, 1, 1, 1], [0, 0, 1, 0.5], [0, 1, 0, 0]])
    none, event = factors(share, "tox")
    assert none.tolist() == [1, 0, 1]
    assert event.tolist() == [1, 1, 0]
    none, event = factors(share, "eff")
    assert none.tolist() == [1, 1, 0]
    assert event.tolist() == [1, 0.5, 1]


def test_counts_without_pending_patients_have_none():
    found = partly_known(TrialData.parse("1NNE", doses=DOSES).counts)
    assert found.share is None
    assert not found.known


def test_shares_of_many_patients_are_those_of_each():
    rng = np.random.default_rng(1)
    tox, eff = rng.random((2, 3, 7)) < 0.3
    w_tox, w_eff = rng.random((2, 3, 7))
    found = shares_at(tox, w_tox, eff, w_eff)
    assert found.shape == (3, 7, 4)
    for i in np.ndindex(3, 7):
        known = {e: 1 for e, x in (("tox", tox[i]), ("eff", eff[i])) if x}
        weight = {e: w[i] for e, w in (("tox", w_tox), ("eff", w_eff)) if e not in known}
        np.testing.assert_allclose(found[i], share_of(known, weight), rtol=1e-15)
