"""The gate refuses what is sick and hardly anything else; gate.json and gate.png show the last run."""

from __future__ import annotations

import json

import numpy as np
import pytest

from doseopt_bayes.inference.checks import MAX_RHAT
from tests.inference.test_checks import SICK
from tests.validation.gate import CONTRACT, HERE, LONGER, healthy, sick, words


@pytest.mark.slow
@pytest.mark.parametrize(("draws", "fits"), [(CONTRACT, 1000), (LONGER, 200)])
def test_at_most_one_healthy_fit_in_a_hundred_is_refused(draws, fits):
    run = healthy(draws, fits)
    print(words(run))
    for case in run["refitted"]:
        print(
            f"  case {case['case']} ({case['prior']}, n = {case['patients']}): {case['attempts']}"
        )
    assert run["refused"] <= fits / 100


def test_every_planted_sick_posterior_is_refused():
    found = sick()
    assert len(found) == len(SICK) == 17
    assert all(found.values())


def test_the_committed_numbers_agree_with_one_another():
    kept = json.loads((HERE / "gate.json").read_text(encoding="utf-8"))
    assert kept["sick"] == sick()
    assert [run["draws"] for run in kept["healthy"]] == [CONTRACT, LONGER]
    for run in kept["healthy"]:
        assert run["fits"] == sum(run["fits_by_prior"].values()) == 1000
        assert all(len(x) == run["fits"] for x in run["first_attempt"].values())
        beyond = int((np.array(run["first_attempt"]["rhat"]) > MAX_RHAT).sum())
        assert beyond == run["refused_at_first_by_check"].get("R-hat", 0)
        assert (
            run["refused"] == sum(case["refused"] for case in run["refitted"]) <= run["fits"] / 100
        )
        assert run["refused_at_first"] == len(run["refitted"])
    assert sum(p.stat().st_size for p in HERE.glob("gate.[jp]*")) < 200_000
