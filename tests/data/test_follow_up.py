"""Follow-up: who is pending, what counts in part, and every fault at its place."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from doseopt_bayes.data import PatientColumns, TrialData
from doseopt_bayes.data.disposition import check_disposition
from doseopt_bayes.data.follow_up import FollowUp, share_of
from doseopt_bayes.decision.outcome_table import OutcomeTable
from doseopt_bayes.errors import DataError, DoseOptError
from doseopt_bayes.planning.predictive import predict_decision
from doseopt_bayes.planning.rule import HighestUtility

WINDOWS = {"tox": FollowUp("days", 28, "days"), "eff": FollowUp("days", 84, "days")}
TABLE = OutcomeTable(neither=40, efficacy=100, toxicity=0, both=60)
ROLES = PatientColumns("mg", id="id", tox="dlt", eff="resp", doses=(10, 20, 40), unit="mg",
                       follow_up=WINDOWS)  # fmt: skip


def frame(*rows):
    return pd.DataFrame(rows, columns=["id", "mg", "dlt", "resp", "days"])


INTERIM = frame(
    ("a", 10, 0, 0, 90),  # complete
    ("b", 10, 0, 1, 50),  # toxicity complete, a response before its window ended
    ("c", 10, 1, None, 14),  # toxicity early, efficacy pending
    ("d", 10, 0, 0, 42),  # toxicity complete, efficacy pending
    ("e", 20, None, None, 7),  # both pending, left empty
    ("f", 20, 0, 1, 21),  # toxicity pending, a response
    ("g", 20, 0, 0, 0),  # just enrolled
)


def shares(trial, dose):
    share = trial.counts["pending"].sel(dose=dose)
    assert list(share["cell"].to_numpy()) == ["N", "E", "T", "B"]
    return share.to_numpy()


def test_each_patient_counts_as_far_as_followed():
    trial = TrialData.from_frame(INTERIM, ROLES)
    assert trial.counts["n_treated"].to_numpy().tolist() == [4, 3, 0]
    tox, eff = (trial.counts.sel(endpoint=e) for e in ("tox", "eff"))
    assert tox["n"].to_numpy().tolist() == [4, 0, 0]
    assert tox["events"].to_numpy().tolist() == [1, 0, 0]
    assert eff["n"].to_numpy().tolist() == [2, 1, 0]
    assert eff["events"].to_numpy().tolist() == [1, 1, 0]
    assert trial.counts["cell_count"].sum("cell").to_numpy().tolist() == [2, 0, 0]
    assert trial.counts["pending"].dims == ("dose", "slot", "cell")
    at10 = [[1, 1 - 42 / 84, 0, 0], [0, 0, 1, 1 - 14 / 84], [1, 1, 1, 1]]
    np.testing.assert_allclose(shares(trial, 10.0), at10, rtol=1e-15)
    late = [1, 1 - 7 / 84, 1 - 7 / 28, (1 - 7 / 28) * (1 - 7 / 84)]
    at20 = [[1, 1, 1, 1], late, [0, 1, 0, 1 - 21 / 28]]
    np.testing.assert_allclose(shares(trial, 20.0), at20, rtol=1e-15)
    np.testing.assert_array_equal(shares(trial, 40.0), np.ones((3, 4)))


def test_the_disposition_adds_up_and_the_print_says_who_is_pending():
    trial = TrialData.from_frame(INTERIM, ROLES)
    check_disposition(trial.disposition, {"tox": 7, "eff": 7})
    total = trial.disposition.groupby("endpoint")[["read", "analysed", "pending"]].sum()
    assert total.loc["tox"].tolist() == [7, 4, 3]
    assert total.loc["eff"].tolist() == [7, 3, 4]
    said = str(trial).splitlines()
    assert said[0] == "data frame: 7 patients treated"
    assert said[-2] == "tox: 3 patients pending, followed for 28 of 84 days without event"
    assert said[-1] == "eff: 4 patients pending, followed for 63 of 336 days without event"
    assert said[-1] in trial.notes


def test_a_dose_with_pending_patients_alone_was_tried():
    trial = TrialData.from_frame(INTERIM.iloc[4:5], ROLES)
    assert trial.counts["n_treated"].to_numpy().tolist() == [0, 1, 0]
    assert trial.single_dose
    assert not any("PRIOR ONLY" in n or "is the prior" in n for n in trial.notes)


def test_the_order_of_rows_does_not_matter():
    one = TrialData.from_frame(INTERIM, ROLES)
    two = TrialData.from_frame(INTERIM.iloc[::-1], ROLES)
    xr.testing.assert_identical(one.counts, two.counts)


def test_without_anyone_pending_nothing_changes():
    done = frame(("a", 10, 0, 1, 84), ("b", 10, 1, 0, 90), ("c", 20, 0, 0, 200))
    plain = PatientColumns("mg", id="id", tox="dlt", eff="resp", doses=(10, 20, 40), unit="mg")
    one, two = (TrialData.from_frame(done, r) for r in (ROLES, plain))
    xr.testing.assert_identical(one.counts, two.counts)
    assert str(one) == str(two)
    assert one.notes == two.notes
    pd.testing.assert_frame_equal(one.disposition, two.disposition)


def test_what_is_left_out_by_policy_stays_out():
    """Pending without a follow-up in the roles is excluded and counted, as before."""
    roles = PatientColumns("mg", id="id", tox="dlt", eff="resp", doses=(10, 20, 40), unit="mg",
                           missing={"eff": "pending"}, follow_up={"tox": WINDOWS["tox"]})  # fmt: skip
    trial = TrialData.from_frame(INTERIM.dropna(subset="dlt"), roles)
    assert "eff: 1 patients pending" in trial.notes
    # only toxicity is followed: f has a response, g nothing
    np.testing.assert_allclose(shares(trial, 20.0), [[1, 0, 1, 0], [0, 1, 0, 0.25]])


def test_excluded_outcomes_say_nothing_of_a_pending_patient():
    roles = PatientColumns("mg", id="id", tox="dlt", eff="resp", doses=(10, 20, 40), unit="mg",
                           missing={"eff": "exclude"}, follow_up={"tox": WINDOWS["tox"]})  # fmt: skip
    trial = TrialData.from_frame(frame(("e", 20, None, None, 7)), roles)
    np.testing.assert_allclose(shares(trial, 20.0), [[1, 1, 0.75, 0.75]])


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (("x", 10, 0, 1, None), "no tox so far, and no follow-up"),
        (("x", 10, None, 1, None), "no tox so far, and no follow-up"),
        (("x", 10, None, 1, 28), "tox is missing, though the patient was followed for 28 of 28"),
        (("x", 10, None, 1, 400), "tox is missing, though the patient was followed for 400 of 28"),
        (("x", 10, 0, 1, -1), "a follow-up is a number >= 0"),
        (("x", 10, 1, 1, -1), "a follow-up is a number >= 0"),
        (("x", 10, 0, 1, np.inf), "a follow-up is a number >= 0"),
        (("x", 10, 0, 1, True), "a follow-up is a number >= 0"),
        (("x", 10, 0, 1, "soon"), "a follow-up is a number >= 0"),
        (("x", 10, 2, 1, 5), "values {2}; expected {0, 1}"),
    ],
)
def test_a_fault_is_named_at_its_place(row, said):
    roles = PatientColumns("mg", id="id", tox="dlt", eff="resp", doses=(10, 20, 40), unit="mg",
                           follow_up={"tox": WINDOWS["tox"]})  # fmt: skip
    with pytest.raises(DataError) as e:
        TrialData.from_frame(frame(row).astype(object), roles)
    (problem,) = e.value.items
    assert said in problem.rule
    assert problem.row == 2
    assert problem.repair


def test_an_event_needs_no_follow_up():
    trial = TrialData.from_frame(frame(("x", 10, 1, 1, None)), ROLES)
    assert "pending" not in trial.counts
    assert trial.counts["events"].sum() == 2


def test_every_fault_of_the_table_is_listed():
    rows = frame(("x", 10, 0, 0, None), ("y", 10, None, 0, 90), ("z", 10, 0, 0, -3))
    with pytest.raises(DataError) as e:
        TrialData.from_frame(rows, ROLES)
    assert [(p.row, p.column) for p in e.value.items] == [
        (2, "days"), (2, "days"), (3, "dlt"), (4, "days")]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"follow_up": {"safety": WINDOWS["tox"]}}, "which is not declared"),
        (
            {"follow_up": {"skin": WINDOWS["tox"]}, "other": {"skin": "s"}},
            "those of tox and eff only",
        ),
        ({"follow_up": {"tox": "days"}}, "is a FollowUp, not str"),
        ({"evaluable": {"tox": "done"}}, "both say whose tox is final"),
        ({"missing": {"tox": "pending"}}, "leaves out whom follow_up.tox lets count in part"),
        ({"groups": {"subgroup": "type"}}, "not modelled by subgroup"),
        ({"follow_up": {"tox": FollowUp("dlt", 28)}}, "column 'dlt' has two roles"),
    ],
)
def test_roles_that_contradict_each_other_are_refused(change, said):
    with pytest.raises(DataError, match=said):
        PatientColumns("mg", **{"tox": "dlt", "eff": "resp", "follow_up": WINDOWS} | change)


@pytest.mark.parametrize("window", [0, -28, np.nan, np.inf, "28", True])
def test_a_window_is_a_time(window):
    with pytest.raises(DataError, match="must be a number > 0"):
        FollowUp("days", window)


def test_a_missing_column_of_follow_up_is_named():
    with pytest.raises(DataError, match="days"):
        TrialData.from_frame(INTERIM.drop(columns="days"), ROLES)


def test_what_pending_patients_cannot_go_into_refuses_them():
    trial = TrialData.from_frame(INTERIM, ROLES)
    with pytest.raises(DataError, match="pending patients, which are not modelled by group"):
        TrialData.of_groups({"A": trial, "B": trial})
    with pytest.raises(DoseOptError, match="not known for 5 patients"):
        trial.outcomes()
    with pytest.raises(DoseOptError, match="not both known for every patient"):
        predict_decision(trial, HighestUtility(TABLE), size=30, seed=1)


def test_shares_are_products_over_the_endpoints():
    assert share_of({"tox": 0, "eff": 0}, {}) == [1, 0, 0, 0]
    assert share_of({}, {}) == [1, 1, 1, 1]
    assert share_of({"tox": None}, {"tox": 0.25, "eff": 0.5}) == [1, 0.5, 0.75, 0.375]
