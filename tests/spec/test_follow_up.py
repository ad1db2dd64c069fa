"""Follow-up of pending outcomes in a specification file."""

from __future__ import annotations

import pytest

from doseopt_bayes.data.follow_up import FollowUp
from doseopt_bayes.errors import SpecError
from tests.spec.test_kinds import THALL, loaded

MISSING = 'missing = { tox = "pending", eff = "pending" }'
FOLLOWED = 'follow_up = { tox = { column = "days", window = 28, unit = "days" } }'


def test_a_follow_up_comes_back_from_a_file(tmp_path):
    assert MISSING in THALL
    spec = loaded(tmp_path, THALL.replace(MISSING, FOLLOWED))
    assert spec.plan.columns.follow_up == {"tox": FollowUp("days", 28.0, "days")}
    assert "days" in spec.plan.columns.used


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("window = 28", 'window = "28"'), "data.follow_up.tox.window"),
        (("window = 28", "window = -1"), "window = -1.0 must be a number > 0"),
        (("window = 28, ", ""), "'window' is missing"),
        (("unit =", "units ="), "unknown key 'units'"),
        (("follow_up = { tox =", "follow_up = { tix ="), "which is not declared"),
    ],
)
def test_a_fault_of_it_is_named_with_its_key(tmp_path, change, said):
    text = THALL.replace(MISSING, FOLLOWED.replace(*change))
    with pytest.raises(SpecError, match=said):
        loaded(tmp_path, text)
