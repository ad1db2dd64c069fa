"""Scenarios drawn at random: shapes, the distribution of the MTD, and the same ones again."""

from __future__ import annotations

import numpy as np
import pytest

from doseopt_bayes.design.random_scenarios import draw_scenarios
from doseopt_bayes.errors import DoseOptError, SpecError
from doseopt_bayes.spec.scenarios import read_scenarios

from .cases import design as joint_design
from .test_toxicity_alone import CLOSEST, GUARDED


def test_the_named_dose_is_the_closest_to_the_target_and_toxicity_rises():
    for s in draw_scenarios(CLOSEST, 60, seed=3):
        tox = np.array(s.p_tox)
        assert (np.diff(tox) >= 0).all()
        named = float(s.name.split("target at ")[1].split()[0])
        assert CLOSEST.model.doses[int(abs(tox - 0.25).argmin())] == named
        assert float(s.truth(CLOSEST)["mtd"]) == named
        assert s.p_eff is None


def test_each_dose_is_the_mtd_equally_often():
    n = 600
    names = [s.name.split("target at ")[1] for s in draw_scenarios(CLOSEST, n, seed=4)]
    counts = np.array([names.count(f"{d:g} mg") for d in CLOSEST.model.doses])
    assert counts.sum() == n
    # chi-squared with 2 degrees of freedom: 13.8 is its 99.9 % quantile
    assert ((counts - n / 3) ** 2 / (n / 3)).sum() < 13.8


def test_a_scenario_depends_on_seed_and_number_alone():
    few, many = (draw_scenarios(joint_design(), n, seed=5) for n in (3, 9))
    assert many[:3] == few
    assert draw_scenarios(joint_design(), 3, seed=6) != few
    assert len({s.name for s in many}) == 9
    assert all("of seed 5" in s.name for s in many)


@pytest.mark.parametrize("shape", ["rising", "plateau", "peak"])
def test_efficacy_has_the_shape_that_is_named(shape):
    base = joint_design()
    turns = set()
    for s in draw_scenarios(base, 40, seed=7, efficacy=[shape], correlation=0.1):
        assert s.correlation == 0.1
        eff = np.array(s.p_eff)
        assert f"efficacy {shape}" in s.name
        if shape == "rising":
            assert (np.diff(eff) > 0).all()
            continue
        at = base.model.doses.index(float(s.name.split(" at ")[-1].split()[0]))
        turns.add(at)
        assert (np.diff(eff[: at + 1]) > 0).all()
        after = np.diff(eff[at:])
        assert (after == 0).all() if shape == "plateau" else (after < 0).all()
    assert shape == "rising" or turns == set(range(5))


def test_the_target_is_given_or_read_off_the_design():
    for s in draw_scenarios(GUARDED, 10, seed=1, target=0.6):
        named = float(s.name.split("target at ")[1].split()[0])
        assert GUARDED.model.doses[int(abs(np.array(s.p_tox) - 0.6).argmin())] == named
    middle, given = (
        draw_scenarios(GUARDED, 4, seed=1),
        draw_scenarios(GUARDED, 4, seed=1, target=0.245),
    )
    assert middle == given


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"n": 0}, "n = 0 must be a whole number >= 1"),
        ({"seed": -1}, "seed = -1 must be a whole number >= 0"),
        ({"target": 25}, "target = 25 must lie strictly between 0 and 1"),
        (
            {"efficacy": ["plateu"]},
            "unknown shape of efficacy 'plateu'\n  -> did you mean 'plateau'",
        ),
        ({"efficacy": []}, "no shape of efficacy is given"),
    ],
)
def test_what_cannot_be_drawn_is_refused(changes, said):
    with pytest.raises(DoseOptError, match=said):
        draw_scenarios(joint_design(), **{"n": 2, "seed": 1, **changes})


def test_from_the_file(tmp_path):
    path = tmp_path / "scenarios.toml"
    path.write_text("[random]\nn = 4\nseed = 5\n", encoding="utf-8")
    assert read_scenarios(path, CLOSEST) == draw_scenarios(CLOSEST, 4, seed=5)
    with pytest.raises(SpecError, match="no design is known here"):
        read_scenarios(path)
    path.write_text('[random]\nn = "x"\nsed = 5\n', encoding="utf-8")
    with pytest.raises(SpecError) as e:
        read_scenarios(path, CLOSEST)
    for part in ("random.n", "unknown key 'sed'", "'seed' is missing"):
        assert part in str(e.value)
