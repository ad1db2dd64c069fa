"""The exposure-response analysis from Python: what it refuses, what it says, what it leaves behind."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import doseopt_bayes as dob
from doseopt_bayes.report.exposure_answers import by_dose, ranked
from doseopt_bayes.report.manifest import SIMULATION, refuse_other_kind, verify
from tests.models.er_cases import frame, read

UNIT = "h*mg/L"


def linear(endpoint, exposure="AUC", **more):
    priors = {"e0": dob.Normal(-1, 2), "slope": dob.Normal(0, 0.1)}
    unit = {"AUC": UNIT, "dose": "mg"}[exposure]
    return dob.ExposureResponse(endpoint, exposure, dob.shapes.Linear(), dob.responses.BinaryResponse(),
                                priors, unit=unit, **more)  # fmt: skip


def two_endpoints():
    """Efficacy levels off with exposure, toxicity is rare and rises."""
    rng = np.random.default_rng(5)
    table = frame(240, seed=3)
    x = table["AUC"].to_numpy()
    table["RESP"] = (rng.random(240) < 0.1 + 0.6 * x / (20 + x)).astype(int)
    table["TOX"] = (rng.random(240) < 1 / (1 + np.exp(4 - 0.03 * x))).astype(int)
    return dob.ExposureData.from_frame(
        table, id="ID", dose="mg", dose_unit="mg", exposures={"AUC": UNIT},
        endpoints={"resp": dob.Binary("RESP"), "ae": dob.Binary("TOX")},
    )  # fmt: skip


@pytest.fixture(scope="module")
def joint():
    """Analyse two endpoints once, with an untested dose and a regimen."""
    model = dob.JointExposureResponse(linear("resp"), linear("ae"), dob.Normal(0, 1))
    asked = dob.Prediction(
        doses=(25.0, 50.0, 75.0, 100.0),
        regimens=(dob.Regimen("50 mg BID", 100.0, factor=0.95),),
        people=100,
        gain=0.1,
        limit=0.35,
    )
    weights = {"p_eff": dob.Attribute(2.0, "benefit"), "p_tox": dob.Attribute(1.0, "harm")}
    return dob.analyse_exposure(
        model, two_endpoints(), asked, utility=dob.CUI(weights),
        rules=dob.Tolerable(0.35, certainty=0.5) & dob.AnyDose(), seed=4, draws=1000, tune=500,
    )  # fmt: skip


def test_two_endpoints_are_ranked_and_every_curve_is_read(joint):
    assert joint.decision.status.item() == "recommended"
    assert set(joint.quantities) == {"eff", "tox"}
    labels = joint.predicted.draws["regimen"].to_numpy().tolist()
    assert "50 mg BID" in labels
    assert str(joint).startswith(joint.decision.headline)
    assert any(s.startswith("eff: lowest dose with p_eff") for s in joint.sentences)
    assert any("75 mg: untested" in note for note in joint.notes)
    assert len(set(joint.notes)) == len(joint.notes)


def test_the_probability_beyond_the_limit_is_that_of_the_draws(joint):
    (table,) = by_dose(joint)
    at = table.columns.index("Pr(p_tox > 0.35)")
    p = joint.predicted["p_tox"]
    for j, row in enumerate(table.rows):
        share = float((p.isel(dose=j) > 0.35).mean())
        shown = row[at].split(" ")[0]
        assert shown == f"{share:.2f}" or (shown[0] in "<>" and min(share, 1 - share) < 0.01)
    assert [row[0] for row in table.rows] == ["25 mg", "50 mg", "75 mg", "50 mg BID", "100 mg"]


def test_a_joint_report_holds_both_curves_the_association_and_the_ranking(joint, tmp_path):
    paths = dob.save_exposure(joint, tmp_path, draft=False)
    files = verify(tmp_path)["files"]
    for name in ("decision.csv", "by_dose.csv", "quantities_eff.csv", "quantities_tox.csv", "bins_2.csv",
                 "parameters_3.csv", "figures/03-window.png"):  # fmt: skip
        assert name in files
    report = paths["report"].read_text(encoding="utf-8")
    assert "NOT PRE-SPECIFIED" in report
    assert "DRAFT" not in report
    for table in ranked(joint):
        assert table.title in report
        assert any(cell.startswith("50 mg BID") for row in table.rows for cell in row[:2])
    table = pd.read_csv(tmp_path / "parameters_1.csv").set_index("Parameter")
    assert float(table.loc["e0", "R-hat"]) < 1.01  # of this curve, under its plain name
    tree = dob.load_results(tmp_path)
    np.testing.assert_array_equal(tree["predicted"]["p_cell"], joint.predicted["p_cell"])
    csv = pd.read_csv(tmp_path / "decision.csv")
    np.testing.assert_allclose(csv["utility"], joint.decision.table["utility"], rtol=1e-12)
    with pytest.raises(dob.ResultsError, match="name another folder for a simulation"):
        refuse_other_kind(tmp_path, SIMULATION)


def test_dose_itself_can_be_the_axis_with_doses_that_nobody_got():
    asked = dob.Prediction(doses=(0.0, 10.0, 100.0), better="lower", people=10)
    found = dob.analyse_exposure(
        linear("ae", "dose"),
        read(frame(120), covariates=False),
        asked,
        seed=1,
        draws=1000,
        tune=500,
    )
    p, post = found.predicted["p_ae"], found.posterior
    for dose in (0.0, 10.0):  # nothing lies between dose and response: the curve itself
        curve = 1 / (1 + np.exp(-(post["e0"] + post["slope"] * dose)))
        np.testing.assert_allclose(p.sel(dose=dose), curve, rtol=1e-10)
    assert found.decision is None


CURVE = linear("ae")
ASKED = dob.Prediction(doses=(25.0,), better="lower")
HARM = dob.CUI({"p_ae": dob.Attribute(1.0, "harm")})


@pytest.mark.parametrize(
    ("model", "asked", "utility", "rules", "said"),
    [
        (CURVE, ASKED, HARM, None, "there is no admissibility rule"),
        (CURVE, ASKED, None, dob.AnyDose(), "there is no utility"),
        (CURVE, None, HARM, dob.AnyDose(), "none is given"),
        (CURVE, dob.Prediction(doses=(25.0,)), None, None, "which response is better is not said"),
        (CURVE, ASKED, dob.CUI({"p_tox": dob.Attribute(1.0, "harm")}), dob.AnyDose(),
         "reads p_tox, which the model does not have"),
        (dob.JointExposureResponse(linear("a"), linear("b"), dob.Normal(0, 1)), ASKED, None, None,
         "is said by the roles eff and tox"),
    ],
)  # fmt: skip
def test_what_cannot_be_answered_is_refused_before_sampling(model, asked, utility, rules, said):
    with pytest.raises(dob.DoseOptError, match=said):
        dob.analyse_exposure(model, None, asked, utility=utility, rules=rules)


def test_observed_exposures_know_no_other_dose():
    asked = dob.Prediction(doses=(75.0,), exposures="observed", better="lower")
    data = read(frame(60), covariates=False)
    said = []
    with pytest.raises(dob.DoseOptError, match="nobody with a known AUC got '75 mg'"):
        dob.analyse_exposure(CURVE, data, asked, seed=1, progress=said.append)
    assert said == []  # nothing was sampled


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"doses": ()}, "no candidate dose is given"),
        ({"doses": (-1.0,)}, "must be >= 0"),
        ({"doses": (1.0,), "plateau": 90.0}, "strictly between 0 and 1"),
        ({"doses": (1.0,), "gain": 0.0}, "gain = 0.0 must be > 0"),
        ({"doses": (1.0,), "reference": 2.0}, "is not a candidate dose"),
        ({"doses": (1.0,), "exposures": "powr_model"}, "powr_model"),
    ],
)
def test_an_impossible_request_is_refused(asked, said):
    with pytest.raises(dob.DoseOptError, match=said):
        dob.Prediction(**asked)


def test_a_preview_of_the_joint_model_says_what_to_do_instead():
    model = dob.JointExposureResponse(linear("resp"), linear("ae"), dob.Normal(0, 1))
    with pytest.raises(dob.DoseOptError, match=r"fit\(\) samples the joint model"):
        dob.preview(model, two_endpoints(), seed=1)
