"""Groups of patients: one trial put together, taken apart and added up, and published counts."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from doseopt_bayes import datasets
from doseopt_bayes.data import CountColumns, PatientColumns, TrialData
from doseopt_bayes.data.disposition import check_disposition
from doseopt_bayes.data.observed import observed_rates
from doseopt_bayes.errors import DataError, DoseOptError

BOLT = CountColumns(
    "dose",
    unit_column="unit",
    eff="eff",
    n_eff="n_eff",
    tox="tox",
    n_tox="n_tox",
    other={"discontinuation": "discontinuation"},
    n_other={"discontinuation": "n_discontinuation"},
    groups={"subgroup": "subgroup"},
    group_levels={"subgroup": ("laBCC", "mBCC")},
    together="all",
    doses=(200, 800),
)
PARTS = ("n_treated", "n", "events", "cell_count")


def noted(trial, words):
    return any(words in note for note in trial.notes)


def balanced(trial):
    """Whether every row of the ledger is accounted for, and whatever was analysed is in it."""
    ledger = trial.disposition
    read = ledger.groupby("endpoint")["read"].sum().to_dict()
    check_disposition(ledger, read, tuple(trial.groups))
    n = trial.counts["n"].sum([d for d in trial.counts["n"].dims if d != "endpoint"])
    if trial.groups:
        n = n + trial.counts["n_together"].sum("dose")
    analysed = ledger.groupby("endpoint")["analysed"].sum().to_dict()
    return analysed == {e: int(n.sel(endpoint=e)) for e in trial.endpoints}


def two_parts():
    one = TrialData.parse("1NNE 1NT", doses=[10, 20], unit="mg")
    two = TrialData.parse("1NNT 2EEB", doses=[10, 20], unit="mg")
    return {"laBCC": one, "mBCC": two}


def test_trials_stand_side_by_side():
    parts = two_parts()
    trial = TrialData.of_groups(parts)
    assert trial.groups == {"subgroup": ("laBCC", "mBCC")}
    assert trial.counts["n_treated"].dims == ("subgroup", "dose")
    assert trial.counts["n"].dims == ("subgroup", "dose", "endpoint")
    assert trial.counts["cell_count"].dims == ("subgroup", "dose", "cell")
    assert trial.counts["n_together"].dims == ("dose", "endpoint")
    assert not trial.counts["n_together"].any()
    assert all(trial.counts[v].dtype == np.int64 for v in trial.counts.data_vars)
    assert trial.counts["n_treated"].to_numpy().tolist() == [[5, 0], [3, 3]]
    assert trial.patients is not None
    assert trial.patients["subgroup"].tolist() == ["laBCC"] * 5 + ["mBCC"] * 6
    assert trial.disposition.columns.tolist()[:3] == ["endpoint", "subgroup", "dose"]
    assert balanced(trial)
    assert noted(trial, "subgroup 'laBCC': no patients at 20 mg")
    assert noted(trial, "read as different patients: 1, 2, 3, 4, 5")
    assert not trial.single_dose
    assert not trial.marginal_only
    with pytest.raises(DoseOptError, match=r"no word for subgroup[\s\S]*at\(subgroup='laBCC'\)"):
        trial.outcomes()
    assert trial.ungrouped().outcomes() == "1NNE 1NT 1NNT 2EEB"


@pytest.mark.parametrize("level", ["laBCC", "mBCC"])
def test_a_part_comes_back_as_it_was(level):
    part = two_parts()[level]
    back = TrialData.of_groups(two_parts()).at(subgroup=level)
    xr.testing.assert_identical(back.counts, part.counts)
    pd.testing.assert_frame_equal(back.patients, part.patients)
    pd.testing.assert_frame_equal(back.disposition, part.disposition)
    assert (back.doses, back.unit, back.endpoints) == (part.doses, part.unit, part.endpoints)
    assert back.outcomes() == part.outcomes()
    assert back.notes == part.notes
    assert not back.groups


def test_groupings_are_crossed():
    study = TrialData.of_groups(two_parts())
    both = TrialData.of_groups({"I": study, "II": study}, grouping="study")
    assert both.groups == {"study": ("I", "II"), "subgroup": ("laBCC", "mBCC")}
    assert both.counts["events"].dims == ("study", "subgroup", "dose", "endpoint")
    xr.testing.assert_identical(both.at(study="II").counts, study.counts)
    xr.testing.assert_identical(
        both.at(study="II", subgroup="mBCC").counts, two_parts()["mBCC"].counts
    )
    assert both.at(subgroup="mBCC").groups == {"study": ("I", "II")}
    assert both.ungrouped().counts["n_treated"].to_numpy().tolist() == [16, 6]
    assert balanced(both)
    assert balanced(both.at(subgroup="mBCC"))


def test_doses_of_parts_may_differ():
    one = TrialData.parse("1NNE", doses=[10, 20], unit="mg")
    two = TrialData.parse("2EEB", doses=[20, 40], unit="mg")
    trial = TrialData.of_groups({"a": one, "b": two}, grouping="region")
    assert trial.doses == (10.0, 20.0, 40.0)
    assert trial.counts["n_treated"].to_numpy().tolist() == [[3, 0, 0], [0, 0, 3]]
    assert trial.counts["dose"].attrs == {"units": "mg"}
    assert noted(trial, "region 'a': no candidate dose there: 40")
    assert balanced(trial)


def test_bolt_counts():
    trial = TrialData.from_counts(datasets.path("bolt"), BOLT)
    counts = trial.counts
    assert trial.groups == {"subgroup": ("laBCC", "mBCC")}
    assert counts["events"].sel(endpoint="eff").to_numpy().tolist() == [[37, 59], [1, 4]]
    assert counts["n"].sel(endpoint="eff").to_numpy().tolist() == [[66, 128], [13, 23]]
    assert not counts["n"].sel(endpoint=["tox", "discontinuation"]).any()
    assert counts["events_together"].sel(endpoint="tox").to_numpy().tolist() == [34, 96]
    assert counts["n_together"].sel(endpoint="discontinuation").to_numpy().tolist() == [79, 150]
    assert not counts["n_together"].sel(endpoint="eff").any()
    assert noted(trial, "tox: known for all subgroups together only")
    assert noted(trial, "tox: 1 patients not in the denominator")
    assert trial.marginal_only
    # 64.0 % fits 96 of 150, and one of the 151 randomised is in no denominator
    ledger = trial.disposition.set_index(["endpoint", "subgroup", "dose"])
    assert ledger.loc[("tox", "(all)", 800.0)].tolist() == [151, 150, 1]
    assert ledger.loc[("tox", "laBCC", 800.0)].tolist() == [0, 0, 0]
    assert balanced(trial)
    percent = 100 * trial.ungrouped().counts["events"] / trial.ungrouped().counts["n"]
    assert percent.sel(endpoint="tox").round(1).to_numpy().tolist() == [43.0, 64.0]
    assert percent.sel(endpoint="discontinuation").round(1).to_numpy().tolist() == [30.4, 40.0]
    # the published exact intervals by subgroup (Dummer et al., 42 months)
    rates = observed_rates(trial).sel(endpoint="eff")
    assert (100 * rates["low"]).round(1).to_numpy().tolist() == [[43.3, 37.2], [0.2, 5.0]]
    assert (100 * rates["high"]).round(1).to_numpy().tolist() == [[68.3, 55.1], [36.0, 38.8]]


def test_bolt_in_print():
    text = str(TrialData.from_counts(datasets.path("bolt"), BOLT))
    assert text.splitlines()[0] == "bolt.csv: 230 patients treated"
    rows = [line.split() for line in text.splitlines()[2:]]
    assert rows[0] == ["laBCC", "200", "66", "-", "37/66", "-"]
    assert rows[-1] == ["(all)", "800", "151", "96/150", "-", "60/150"]


def test_a_level_of_bolt_lacks_what_is_known_for_all():
    part = TrialData.from_counts(datasets.path("bolt"), BOLT).at(subgroup="mBCC")
    assert part.counts["n"].sel(endpoint="eff").to_numpy().tolist() == [13, 23]
    assert not part.counts["n"].sel(endpoint="tox").any()
    assert set(part.counts) == set(PARTS)
    assert noted(part, "tox, discontinuation: known for all groups together only, and not for")
    assert noted(part, "tox: no patient analysed")
    assert balanced(part)


def test_no_such_level():
    trial = TrialData.of_groups(two_parts())
    with pytest.raises(DoseOptError, match=r"no grouping 'subgrp'\n  -> did you mean 'subgroup'"):
        trial.at(subgrp="mBCC")
    with pytest.raises(DoseOptError, match=r"'mBBC' is no level[^\n]*\n  -> did you mean 'mBCC'"):
        trial.at(subgroup="mBBC")
    with pytest.raises(DoseOptError, match="no level was named"):
        trial.at()
    with pytest.raises(DoseOptError, match="has no groups"):
        two_parts()["laBCC"].at(subgroup="laBCC")


def test_parts_that_do_not_fit():
    one, two = two_parts().values()
    grams = TrialData.parse("1N", doses=[10, 20], unit="g")
    with pytest.raises(DataError, match=r"unit of b: 'g'; of a: 'mg'"):
        TrialData.of_groups({"a": one, "b": grams})
    tox = TrialData.from_frame(
        pd.DataFrame({"d": [10], "t": [0]}), PatientColumns("d", tox="t", unit="mg")
    )
    with pytest.raises(DataError, match="endpoints of b"):
        TrialData.of_groups({"a": one, "b": tox})
    with pytest.raises(DataError, match=r"DOB-E04.*'NSCLC' and 'nsclc'"):
        TrialData.of_groups({"NSCLC": one, "nsclc": two})
    for name in ("dose", "cell", "endpoint", "trial", "chain", "draw", "rule", "tox", "p_x"):
        with pytest.raises(DataError, match="the name has a meaning already"):
            TrialData.of_groups({"a": one, "b": two}, grouping=name)
    for name in ("sub group", "class", ""):
        with pytest.raises(DataError, match="plain word"):
            TrialData.of_groups({"a": one, "b": two}, grouping=name)
    with pytest.raises(DataError, match="no group"):
        TrialData.of_groups({})
    with pytest.raises(DataError, match="a group is a TrialData, unlike b"):
        TrialData.of_groups({"a": one, "b": 3})  # type: ignore[dict-item]
    grouped = TrialData.of_groups({"a": one, "b": two})
    with pytest.raises(DataError, match="a grouping subgroup already"):
        TrialData.of_groups({"x": grouped, "y": grouped})
    bolt = TrialData.from_counts(datasets.path("bolt"), BOLT)
    with pytest.raises(DataError, match=r"use its .ungrouped\(\)"):
        TrialData.of_groups({"x": bolt, "y": bolt}, grouping="study")
    near = TrialData.parse("1N", doses=[10.0000001, 20], unit="mg")
    with pytest.raises(DataError, match="DOB-C10"):
        TrialData.of_groups({"a": one, "b": near})
    with pytest.raises(DataError, match=r"group_levels.subgroup is empty"):
        TrialData.empty([10], groups={"subgroup": ()})


def test_a_design_without_data_has_its_groups():
    trial = TrialData.empty([10, 20], "mg", groups={"subgroup": ("a", "b")})
    assert trial.counts["n"].dims == ("subgroup", "dose", "endpoint")
    assert not trial.counts["n"].any()
    assert [note for note in trial.notes if "subgroup" in note] == []
    assert trial.notes[0] == "PRIOR ONLY: no outcome was analysed"
    assert trial.patients is not None
    assert trial.patients.columns.tolist() == ["id", "dose", "cohort", "subgroup", "tox", "eff"]


DOSES = (10.0, 20.0, 40.0)
ROLES = PatientColumns(
    "d", id="i", tox="t", eff="e", groups={"subgroup": "g", "region": "r"}, doses=DOSES, unit="mg",
    missing={"eff": "exclude"},
)  # fmt: skip
PATIENT = st.tuples(
    st.sampled_from(DOSES),
    st.sampled_from("xyz"),
    st.sampled_from(["EU", "US"]),
    st.integers(0, 1),
    st.sampled_from([0, 1, None]),
)


def frame_of(patients):
    frame = pd.DataFrame(patients, columns=["d", "g", "r", "t", "e"])
    return frame.assign(e=frame["e"].astype("Int64"), i=[f"{k:03d}" for k in range(len(frame))])


@settings(deadline=None, max_examples=40)
@given(st.lists(PATIENT, min_size=3, max_size=30), st.randoms(use_true_random=False))
def test_order_of_rows_and_names_of_levels_change_nothing(patients, random):
    frame = frame_of(patients)
    base = TrialData.from_frame(frame, ROLES)
    rows = list(range(len(frame)))
    random.shuffle(rows)
    other = TrialData.from_frame(frame.iloc[rows].reset_index(drop=True), ROLES)
    xr.testing.assert_identical(other.counts, base.counts)
    pd.testing.assert_frame_equal(other.disposition, base.disposition)
    renamed = TrialData.from_frame(
        frame.assign(g=frame["g"].map({"x": "q", "y": "p", "z": "o"})), ROLES
    )
    order = [{"x": "q", "y": "p", "z": "o"}[k] for k in base.groups["subgroup"]]
    xr.testing.assert_equal(
        renamed.counts.sel(subgroup=order).assign_coords(subgroup=list(base.groups["subgroup"])),
        base.counts,
    )


@settings(deadline=None, max_examples=40)
@given(st.lists(PATIENT, min_size=1, max_size=30))
def test_groups_add_up_to_the_table_without_groups(patients):
    frame = frame_of(patients)
    assume(frame["t"].notna().any())
    grouped = TrialData.from_frame(frame, ROLES)
    plain = TrialData.from_frame(
        frame, PatientColumns("d", id="i", tox="t", eff="e", doses=DOSES, unit="mg",
                              missing={"eff": "exclude"})
    )  # fmt: skip
    whole = grouped.ungrouped()
    xr.testing.assert_identical(whole.counts, plain.counts)
    pd.testing.assert_frame_equal(whole.disposition, plain.disposition)
    pd.testing.assert_frame_equal(whole.patients, plain.patients)
    assert balanced(grouped)
    assert grouped.single_dose == plain.single_dose
    assert grouped.marginal_only == plain.marginal_only
    by_region = sum(
        grouped.at(region=k).ungrouped().counts["events"] for k in grouped.groups["region"]
    )
    xr.testing.assert_equal(by_region, plain.counts["events"])


@settings(deadline=None, max_examples=40)
@given(st.lists(PATIENT, min_size=4, max_size=30))
def test_parts_read_alone_are_the_levels_read_together(patients):
    frame = frame_of(patients)
    roles = PatientColumns("d", id="i", tox="t", eff="e", doses=DOSES, unit="mg",
                           missing={"eff": "exclude"})  # fmt: skip
    parts = {
        level: TrialData.from_frame(frame[frame["g"] == level].reset_index(drop=True), roles)
        for level in sorted(frame["g"].unique())
    }
    put = TrialData.of_groups(parts)
    read = TrialData.from_frame(
        frame, PatientColumns("d", id="i", tox="t", eff="e", doses=DOSES, unit="mg",
                              missing={"eff": "exclude"}, groups={"subgroup": "g"})
    )  # fmt: skip
    xr.testing.assert_identical(put.counts, read.counts)
    pd.testing.assert_frame_equal(put.disposition, read.disposition)
    for level, part in parts.items():
        back = put.at(subgroup=level)
        xr.testing.assert_identical(back.counts, part.counts)
        pd.testing.assert_frame_equal(back.patients, part.patients)
        pd.testing.assert_frame_equal(back.disposition, part.disposition)
        xr.testing.assert_identical(read.at(subgroup=level).counts, part.counts)


CELLS = st.tuples(st.integers(0, 20), st.integers(0, 20)).map(lambda k: (min(k), max(k)))


@settings(deadline=None, max_examples=40)
@given(st.lists(CELLS, min_size=8, max_size=8), st.permutations(range(6)))
def test_groups_and_what_is_known_together_add_up(cells, order):
    rows = [
        {"g": g, "d": d, "e": e, "n_e": n}
        for (g, d), (e, n) in zip([(g, d) for g in "xy" for d in (10, 20)], cells, strict=False)
    ]
    rows += [
        {"g": "all", "d": d, "t": t, "n_t": n}
        for d, (t, n) in zip((10, 20), cells[4:6], strict=True)
    ]
    assume(any(n for _, n in cells[:6]))
    frame = pd.DataFrame(rows)
    roles = CountColumns("d", eff="e", n_eff="n_e", tox="t", n_tox="n_t", groups={"subgroup": "g"},
                         together="all", unit="mg")  # fmt: skip
    trial = TrialData.from_counts(frame, roles)
    shuffled = TrialData.from_counts(frame.iloc[list(order)].reset_index(drop=True), roles)
    xr.testing.assert_identical(shuffled.counts, trial.counts)
    assert balanced(trial)
    whole = trial.ungrouped()
    assert balanced(whole)
    for name, together in (("n", "n_together"), ("events", "events_together")):
        added = trial.counts[name].sum("subgroup") + trial.counts[together]
        xr.testing.assert_equal(whole.counts[name], added)
    assert (whole.counts["n"] <= whole.counts["n_treated"]).all()
    read = whole.disposition.groupby("endpoint")["read"].sum()
    assert set(read) == {int(whole.counts["n_treated"].sum())}
