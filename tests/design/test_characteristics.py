"""Operating characteristics against numbers that a reader can count on one hand."""

from __future__ import annotations

import csv
import io
import math

import numpy as np
import pytest

from doseopt_bayes.design.characteristics import characteristics, compare_designs
from doseopt_bayes.errors import DoseOptError
from doseopt_bayes.plots.design import caption_design
from doseopt_bayes.plots.picture import figure_design

from .cases import DOSES, FOUR, RISING, TOXIC, by_hand


def test_selection_and_allocation_are_counted():
    table = characteristics(FOUR).table.sel(scenario="rising")
    assert table["selected"].to_numpy().tolist() == [0, 0, 0, 0.5, 0.25]
    np.testing.assert_allclose(table["selected_mcse"], [0, 0, 0, 0.25, math.sqrt(0.1875 / 4)])
    np.testing.assert_allclose(table["treated"], [3.75, 0.75, 0.75, 3.75, 1.5])
    assert float(table["treated_mcse"].sel(dose=10)) == pytest.approx(np.std([0, 0, 6, 0]) / 2)
    np.testing.assert_allclose(table["treated_share"], np.array([15, 3, 3, 15, 6]) / 42)
    n, at = np.array([12, 12, 12, 6]), np.array([3, 9, 3, 0])
    ratio = np.std(at - 15 / 42 * n) / 2 / n.mean()
    assert float(table["treated_share_mcse"].sel(dose=6.6)) == pytest.approx(ratio)


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("obd", 6.6, None),
        ("mtd", 6.6, None),
        ("selects_obd", 0.5, 0.25),
        ("selects_mtd", 0.5, 0.25),
        ("overdose", 0.25, math.sqrt(0.1875 / 4)),
        ("none_selected", 0.25, math.sqrt(0.1875 / 4)),
        ("stopped_early", 0.25, math.sqrt(0.1875 / 4)),
        ("not_resolved", 0.25, math.sqrt(0.1875 / 4)),
        ("any_not_resolved", 0.25, math.sqrt(0.1875 / 4)),
        ("p_tox_selected", (0.2 + 0.2 + 0.4) / 3, np.std([0.2, 0.2, 0.4]) / math.sqrt(3)),
        ("patients", 10.5, np.std([12, 12, 12, 6]) / 2),
        ("toxicities", 3.5, np.std([4, 4, 4, 2]) / 2),
        ("responses", 4.25, np.std([4, 5, 5, 3]) / 2),
        ("overdosed", 1.5, np.std([0, 0, 6, 0]) / 2),
        ("underdosed", 5.25, np.std([9, 3, 3, 6]) / 2),
    ],
)
def test_what_is_not_of_a_single_dose(name, value, error):
    table = characteristics(FOUR).table.sel(scenario="rising")
    assert float(table[name]) == pytest.approx(value)
    assert (f"{name}_mcse" in table) == (error is not None)
    if error is not None:
        assert float(table[f"{name}_mcse"]) == pytest.approx(error)


def test_without_a_truly_admissible_dose_the_right_answer_is_none():
    sim = by_hand([[np.nan, 2.0]], [[[3, 0, 0, 0, 0], [6, 6, 0, 0, 0]]], scenarios=(TOXIC,))
    found = characteristics(sim)
    table = found.table.sel(scenario="toxic")
    assert all(math.isnan(table[v]) for v in ("obd", "mtd", "selects_obd", "selects_mtd"))
    assert math.isnan(table["underdosed"])
    assert float(table["overdose"]) == 0.5
    assert float(table["overdosed"]) == float(table["patients"]) == 7.5
    assert "the right answer is none, given by 50.0 ± 35.4 % of the trials" in str(found)


def test_scenarios_are_kept_apart():
    sim = by_hand(
        [[6.6, 6.6], [np.nan, np.nan]],
        [[[3, 0, 0, 9, 0]] * 2, [[3, 0, 0, 0, 0]] * 2],
        scenarios=(RISING, TOXIC),
    )
    table = characteristics(sim).table
    assert table["none_selected"].to_numpy().tolist() == [0, 1]
    assert table["admissible"].sel(scenario="rising").to_numpy().tolist() == [
        False,
        False,
        True,
        True,
        False,
    ]
    assert not table["admissible"].sel(scenario="toxic").any()
    assert math.isnan(table["p_tox_selected"].sel(scenario="toxic"))


def test_text_frame_and_file_show_the_same_numbers():
    found = characteristics(FOUR)
    text = str(found)
    (line,) = [x for x in text.splitlines() if x.startswith("6.6")]
    assert line.split() == ["6.6", "0.20", "0.80", "0.281", "OBD", "MTD", "50.0", "±", "25.0", "25.0",
                            "3.8", "±", "1.6", "35.7", "±", "13.1"]  # fmt: skip
    assert "last decision of 25.0 ± 21.7 % of the trials" in text
    frame = found.to_frame()
    assert frame.loc[("rising", 6.6), "selected"] == 0.5
    assert found.summary().loc["rising", "overdose"] == 0.25
    rows = list(csv.DictReader(io.StringIO(found.csv())))
    assert list(rows[0]) == [
        "scenario",
        "dose_mg",
        "measure",
        "estimate",
        "mcse",
        "particles_at_most",
    ]
    of = {(r["dose_mg"], r["measure"]): r for r in rows}
    assert len(of) == len(rows)
    assert (of["6.6", "selected"]["estimate"], of["6.6", "selected"]["mcse"]) == ("0.5", "0.25")
    assert of["", "overdose"]["particles_at_most"] == "0.25"
    assert of["", "patients"]["particles_at_most"] == ""
    measures = {v for v in found.table if not v.endswith("_mcse")}
    assert {r["measure"] for r in rows} == measures


def test_no_number_of_a_simulation_lacks_its_error():
    table = characteristics(FOUR).table
    truth = {"p_tox", "p_eff", "utility", "admissible", "obd", "mtd"}
    for name in table:
        if name not in truth and not name.endswith("_mcse"):
            assert f"{name}_mcse" in table


def test_two_designs_are_compared_patient_by_patient():
    other = by_hand([[6.6, 4.0, 10.0, 4.0]], FOUR.trials["treated"].to_numpy())
    table = compare_designs(FOUR, other).table.sel(scenario="rising")
    np.testing.assert_allclose(table["selected"], [0, 0, -0.5, 0.25, 0])
    paired = np.std([0, 1, 0, 0]) / 2  # of 6.6 mg: one trial of four differs
    assert float(table["selected_mcse"].sel(dose=6.6)) == pytest.approx(paired)
    assert paired < math.hypot(0.25, math.sqrt(0.1875 / 4))  # of independent simulations
    assert float(table["none_selected"]) == 0.25
    assert float(table["not_resolved"]) == 0.25
    assert "+25.0" in str(compare_designs(FOUR, other))


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (by_hand([[6.6] * 4], [[[3, 0, 0, 9, 0]] * 4], seed=2), "seeds"),
        (by_hand([[6.6] * 4], [[[3, 0, 0, 9, 0]] * 4], scenarios=(TOXIC,)), "scenarios"),
        (by_hand([[6.6] * 3], [[[3, 0, 0, 9, 0]] * 3]), "numbers of trials"),
    ],
)
def test_what_met_other_patients_is_not_compared(other, said):
    with pytest.raises(DoseOptError, match=f"different {said}"):
        compare_designs(FOUR, other)


def test_the_figure_draws_these_shares_in_the_colours_of_the_doses():
    picture = figure_design(characteristics(FOUR))
    left, right = picture.figure.axes
    heights = {
        p.get_gid(): p.get_height() for ax in (left, right) for p in ax.patches if p.get_gid()
    }
    assert heights["selected:6.6"] == 50
    assert heights["selected:none"] == 25
    assert heights["treated_share:6.6"] == pytest.approx(100 * 15 / 42)
    assert len(heights) == 2 * len(DOSES) + 1
    assert "at most 25.0 %" in caption_design(picture.data)
