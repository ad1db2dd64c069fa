"""Dose modification by arm: what is drawn is what the data and the posteriors say."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import doseopt_bayes as dob
from doseopt_bayes.data.arm_records import ArmColumns, ArmRecords
from doseopt_bayes.errors import DoseOptError
from doseopt_bayes.inference.checks import Check, Diagnostics
from doseopt_bayes.inference.posterior import Posterior

DOSES = (15.0, 45.0)
RDI = dob.Measure("rdi", "rdi", unit="%", below=85, at_most=100)
FIRST = dob.FirstEvent("days", "why", {"RED": "reduction", "AE": "discontinuation"}, censored=("ON",),
                       horizon=84, cuts=(28,), time_unit="day")  # fmt: skip


def made(variables, dims, n=1000, failed=()):
    """Posterior of independent draws around the means of `variables`."""
    rng = np.random.default_rng(1)
    draws = xr.Dataset(
        {k: (("chain", "draw", *dims), v + 0.02 * rng.standard_normal((4, n, *np.shape(v))))
         for k, v in variables.items()},
        coords={"dose": list(DOSES)},
    )  # fmt: skip
    tree = xr.DataTree.from_dict({"posterior": draws, "seen": xr.Dataset()})
    return Posterior(tree, tuple(variables), Diagnostics(failed, xr.DataArray(np.zeros(0))))


@pytest.fixture(scope="module")
def parts():
    frame = pd.DataFrame({
        "id": range(6), "mg": [15, 15, 15, 45, 45, 45], "rdi": [100, 95, 80, 100, 70, 60],
        "days": [84, 30, 90, 20, 50, 84], "why": ["ON", "RED", "ON", "AE", "RED", "ON"],
    })  # fmt: skip
    intensity, events = (
        ArmRecords.from_frame(frame, ArmColumns("id", "mg", o, doses=DOSES, unit="mg"))
        for o in (RDI, FIRST)
    )
    mean = made({"mean_rdi": np.array([92.0, 77.0])}, ("dose",))
    course = np.array([[[0.1, 0.3], [0.05, 0.1]], [[0.2, 0.4], [0.3, 0.5]]])
    incidence = made({"incidence": course}, ("dose", "cause", "interval"))
    return intensity, mean, events, incidence


def test_values_means_and_incidences_are_drawn_unchanged(parts):
    picture = dob.figure_dose_modification(*parts)
    _, mean, _, incidence = parts
    data = picture.data
    np.testing.assert_allclose(data["mean"], mean.expect(mean["mean_rdi"]))
    assert data["value"].to_numpy().tolist() == [80, 95, 100, 60, 70, 100]
    assert data["below"].to_numpy().tolist() == [1, 2]
    exact = incidence.expect(incidence["incidence"]).to_numpy()
    np.testing.assert_allclose(data["incidence"].transpose("dose", "cause", "time")[..., 1:], exact)
    assert (data["incidence"].sel(time=0) == 0).all()
    assert data["time"].to_numpy().tolist() == [0, 28, 84]
    axes = picture.figure.axes
    assert [ax.get_title(loc="left") for ax in axes] == [
        "By patient",
        "Reduction",
        "Discontinuation",
    ]
    drawn = [{line.get_gid(): line for line in ax.lines} for ax in axes]
    assert sorted(drawn[0]["values:1"].get_ydata()) == [60, 70, 100]
    assert drawn[0]["limit"].get_ydata()[0] == 85
    np.testing.assert_allclose(drawn[2]["incidence:1"].get_ydata(), [0, *exact[1, 1]])


def test_the_caption_counts_patients_and_events(parts):
    caption = dob.figure_dose_modification(*parts).caption
    assert "85 %; patients below it / analysed: 15 mg 1/3; 45 mg 2/3." in caption
    assert "15 mg (3 patients) reduction 1, discontinuation 0" in caption
    assert "45 mg (3 patients) reduction 1, discontinuation 1" in caption
    assert "95 % equal-tailed credible interval" in caption
    sick = made({"mean_rdi": np.array([92.0, 77.0])}, ("dose",),
                failed=(Check("R-hat", passed=False, measured="1.2", limit="1.01"),))  # fmt: skip
    broken = dob.figure_dose_modification(parts[0], sick, *parts[2:])
    assert broken.caption.startswith("NOT RELIABLE")


def test_parts_that_do_not_belong_together_are_refused(parts):
    intensity, mean, events, incidence = parts
    with pytest.raises(DoseOptError, match="needs ArmRecords of a Measure, not FirstEvent"):
        dob.figure_dose_modification(events, incidence, intensity, mean)
    other = ArmRecords.empty(FIRST, (15, 45), "mg/day")
    with pytest.raises(DoseOptError, match="other doses or units"):
        dob.figure_dose_modification(intensity, mean, other, incidence)
    with pytest.raises(DoseOptError, match="other doses than its data"):
        dob.figure_dose_modification(
            intensity, mean, ArmRecords.empty(FIRST, (15, 60), "mg"), incidence
        )
