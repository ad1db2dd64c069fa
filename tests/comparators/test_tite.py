"""TITE-BOIN: the estimate by hand, and BOIN where nobody is pending."""

from __future__ import annotations

import numpy as np
import pytest

import doseopt_bayes as dob
from doseopt_bayes.comparators.stepwise import ByTable
from doseopt_bayes.design.late_patients import Known

DOSES = (1.0, 2.0, 4.0, 8.0)
DESIGN = dob.TITEBOIN(dob.BOIN(0.3), DOSES, start=1, stop=dob.MaxPatients(30), unit="mg")


def state(final, followed, here):
    """One state: (patients, toxicities) of each dose, and follow-up of who is pending at `here`."""
    cells = np.zeros((1, 4, 4), dtype=int)
    for j, (n, tox) in enumerate(final):
        cells[0, j, [0, 2]] = n - tox, tox
    share = np.ones((1, 4, len(followed), 4))
    share[0, here, :, 2:] = 1 - np.array(followed)[:, None]
    pending = np.zeros((1, 4), dtype=int)
    pending[0, here] = len(followed)
    return Known(cells, share if followed else None, pending)


def by_hand(final, followed, here):
    """The published rule for one state, step by step."""
    n, tox = final[here]
    expected = 0.0
    mean = (tox + 0.15) / (n + 1)
    for w in followed:
        expected += (1 - w) * mean / (1 - mean)
    p = (tox + expected) / (n + len(followed))
    return 1 if p <= 0.2364907 else -1 if p >= 0.3585195 else 0


def test_pending_patients_count_by_what_is_expected_of_them():
    rng, seen = np.random.default_rng(1), set()
    decide = DESIGN.late_decider(1, 0, 1)
    for _ in range(300):
        n = int(rng.integers(1, 8))
        final = [
            (3, 0),
            (n, int(rng.integers(0, min(n, 3) + 1)) if n > 3 else min(1, n)),
            (0, 0),
            (0, 0),
        ]
        followed = rng.random(int(rng.integers(1, 4))).round(3).tolist()
        known = state(final, followed, 1)
        if DESIGN.table.eliminates[final[1]]:
            continue
        step = by_hand(final, followed, 1)
        assert int(decide(known, np.array([1])).dose[0]) == 1 + step
        seen.add(step)
    assert seen == {-1, 0, 1}


@pytest.mark.parametrize(("followed", "dose"), [(0.95, 1), (0.5, 0)])
def test_two_answers_by_arithmetic(followed, dose):
    """One toxicity in 3, one of whom is pending: (1 + 0.622 (1 - w)) / 3, stay below 0.3585."""
    assert pytest.approx(0.622, abs=1e-3) == 1.15 / 3 / (1 - 1.15 / 3)
    known = state([(3, 0), (2, 1), (0, 0), (0, 0)], [followed], 1)
    assert int(DESIGN.late_decider(1, 0, 1)(known, np.array([1])).dose[0]) == dose


def test_an_eliminated_dose_is_left_and_an_eliminated_lowest_one_ends_the_trial():
    decide = DESIGN.late_decider(1, 0, 1)
    above = state([(3, 0), (3, 3), (0, 0), (0, 0)], [0.9, 0.9], 0)
    assert (
        int(decide(above, np.array([0])).dose[0]) == 0
    )  # BOIN escalates with 0 of 5, not to there
    lowest = state([(3, 3), (0, 0), (0, 0), (0, 0)], [0.9], 0)
    assert int(decide(lowest, np.array([0])).dose[0]) == -1


def test_with_nobody_pending_it_is_boin():
    plain = dob.IntervalDesign(dob.BOIN(0.3), DOSES, start=1, stop=dob.MaxPatients(30), unit="mg")
    rng = np.random.default_rng(2)
    cells = np.zeros((400, 4, 4), dtype=int)
    cells[..., 0], cells[..., 2] = rng.integers(0, 5, (400, 4)), rng.integers(0, 4, (400, 4))
    cells[:, 0, 0] += 1
    here = np.zeros(400, dtype=int)
    known = Known(cells, None, np.zeros((400, 4), dtype=int))
    own, late = ByTable(plain), DESIGN.late_decider(1, 0, 1)
    np.testing.assert_array_equal(late(known, here).dose, own(cells, here).dose)
    np.testing.assert_array_equal(
        late(known, here, final=True).dose, own(cells, here, final=True).dose
    )


def test_fully_followed_patients_count_as_final_ones():
    decide = DESIGN.late_decider(1, 0, 1)
    for tox in range(3):
        almost = state([(3, 0), (2, min(tox, 2)), (0, 0), (0, 0)], [1 - 1e-9] * 4, 1)
        done = state([(3, 0), (6, min(tox, 2)), (0, 0), (0, 0)], [], 1)
        assert decide(almost, np.array([1])).dose == decide(done, np.array([1])).dose


def test_another_rule_is_refused():
    with pytest.raises(dob.DoseOptError, match="Keyboard, which has no boundaries"):
        dob.TITEBOIN(dob.Keyboard(0.3), DOSES, start=1, stop=dob.MaxPatients(9))
    assert "TITE-BOIN with target 0.3" in str(DESIGN)
    assert DESIGN.usual_wait == dob.Wait(tox=0.5)


# Contemporary Clinical Trials Communications 2022, PMC9260438, Table 1 (target 0.2): patients treated,
# toxicities, pending, the follow-up at which the decision changes, and the steps below and above it
PUBLISHED = [
    (9, 1, 3, 0.77, (0, 1)),
    (9, 1, 4, 2.15, (0, 1)),
    (9, 2, 1, 0.52, (-1, 0)),
    (9, 2, 2, 1.59, (-1, 0)),
    (9, 2, 3, 2.66, (-1, 0)),
    (9, 2, 4, 3.73, (-1, 0)),
]
LOW = dob.TITEBOIN(dob.BOIN(0.2), DOSES, start=1, stop=dob.MaxPatients(30))


@pytest.mark.parametrize(("n", "tox", "pending", "at", "steps"), PUBLISHED)
def test_the_published_table_changes_where_it_says(n, tox, pending, at, steps):
    decide = LOW.late_decider(1, 0, 1)
    for total, step in zip((at - 0.006, at + 0.006), steps, strict=True):  # two digits are printed
        known = state([(3, 0), (n - pending, tox), (0, 0), (0, 0)], [total / pending] * pending, 1)
        assert int(decide(known, np.array([1])).dose[0]) == 1 + step


@pytest.mark.parametrize(
    ("n", "tox", "pending", "step", "gone"),
    [(3, 0, 1, 1, False), (3, 1, 2, -1, False), (3, 2, 1, -1, True), (6, 0, 3, 1, False),
     (6, 2, 4, -1, False), (6, 3, 3, -1, True), (9, 0, 4, 1, False), (9, 1, 2, 1, False),
     (9, 3, 6, -1, False), (9, 4, 5, -1, True)],
)  # fmt: skip
@pytest.mark.parametrize("share", [0.0, 0.99])
def test_the_published_table_where_follow_up_does_not_matter(n, tox, pending, step, gone, share):
    decide = LOW.late_decider(1, 0, 1)
    known = state([(3, 0), (n - pending, tox), (0, 0), (0, 0)], [share] * pending, 1)
    assert int(decide(known, np.array([1])).dose[0]) == 1 + step
    # an eliminated dose is not given again: the highest dose left is the lowest one
    from_above = state([(3, 0), (n - pending, tox), (3, 0), (0, 0)], [share] * pending, 1)
    up = decide(from_above, np.array([2])).dose[0]
    assert (int(up) == 0) == gone
    # where it de-escalates whatever comes, accrual is not suspended
    assert bool(decide.anyway(known, np.array([1]))[0]) == (step == -1)
