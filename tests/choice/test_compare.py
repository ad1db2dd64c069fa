"""Known truths are found; what cannot be told apart is said to be open."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from doseopt_bayes.choice.compare import compare_exposures, compare_models, compare_results
from doseopt_bayes.choice.loo import leave_one_out
from doseopt_bayes.errors import DoseOptError
from doseopt_bayes.models.shapes import Emax, Linear
from tests.choice.cases import bent, bent_comparison, curve_of, fitted, patients, read, straight


def test_a_bent_truth_rejects_the_straight_line():
    found = bent_comparison()
    assert found.best == "emax"
    assert found.table["verdict"].to_numpy().tolist() == ["best", "worse"]
    assert found.not_resolved == ()
    assert found.weights["emax"] > 0.9
    assert "emax predicts better than every other" in str(found)
    assert "emax carries the average" in str(found)
    assert "are few" not in str(found)


def test_the_difference_is_paired_over_patients():
    found = bent_comparison()
    a, b = (found.results[k].pointwise["elpd"].to_numpy() for k in ("emax", "linear"))
    assert float(found.table["difference"][1]) == pytest.approx((b - a).sum())
    paired = np.sqrt(len(a)) * (b - a).std()
    assert float(found.table["difference_se"][1]) == pytest.approx(paired, rel=0.01)
    assert paired < np.hypot(found.results["emax"].se, found.results["linear"].se)


def test_a_straight_truth_is_not_resolved():
    data = read(patients(straight))
    found = compare_models({"emax": fitted(data, Emax()), "linear": fitted(data, Linear())}, data)
    assert "not resolved" in found.table["verdict"].to_numpy()
    assert "Not resolved" in str(found)
    assert "predicts better than every other" not in str(found)
    assert abs(float(found.table["difference"][1])) < 4


def test_the_metric_that_drives_the_response_is_chosen_on_the_patients_that_have_both():
    table = patients(bent)
    gone = table.index[table["AUC"] > 0][:7]
    table.loc[gone, "CMIN"] = np.nan
    data = read(table, missing={"CMIN": "exclude"})
    models = {m: curve_of(data, Emax(), m) for m in ("CMIN", "AUC")}
    found = compare_exposures(models, data, seed=1)
    assert found.best == "AUC"
    assert found.not_resolved == ()
    assert found.table.attrs["n"] == 143
    assert "7 of 150 rows are left out of every fit" in str(found)
    assert "7 by CMIN" in str(found)
    for one in found.results.values():
        assert not set(table["ID"][gone]) & set(one.pointwise["patient"].to_numpy())
    # the fits are of the patients in common too
    assert int(found.posteriors["AUC"].seen["n_treated"].sum()) == 143


def test_models_of_other_rows_endpoints_or_scales_are_refused():
    table = patients(bent, n=40)
    table.loc[table["AUC"].idxmax(), "CMIN"] = np.nan
    data = read(table, missing={"CMIN": "exclude"})
    fits = {m: fitted(data, Linear(), exposure=m) for m in ("AUC", "CMIN")}
    with pytest.raises(DoseOptError, match=r"other rows of the data \(40 and 39; 1 rows"):
        compare_models(fits, data)
    one = leave_one_out(fits["AUC"][0], data, fits["AUC"][1])
    other = leave_one_out(fits["CMIN"][0], data, fits["CMIN"][1])
    with pytest.raises(DoseOptError, match="not the same rows"):
        compare_results({"a": one, "b": other})
    changed = replace(one, scale="log probability")
    with pytest.raises(DoseOptError, match="two scales"):
        compare_results({"a": one, "b": changed})
    with pytest.raises(DoseOptError, match="no candidate"):
        compare_models({}, data)
    assert "40 patients are few" in str(compare_results({"a": one, "b": one}))
    alone = compare_results({"a": one})
    assert alone.weights == {"a": 1.0}
    assert "nothing was compared" in str(alone)


def test_a_table_row_per_model():
    frame = bent_comparison().to_frame()
    assert frame["model"].tolist() == ["emax", "linear"]
    assert {"elpd", "se", "difference_se", "weight_sd", "pseudo_bma", "khat"} <= set(frame)
    assert frame["weight"].sum() == pytest.approx(1)
