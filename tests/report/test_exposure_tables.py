"""Tables of exposure-response: exposure by dose, parameters, and bins."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from doseopt_bayes.data.endpoints import Binary
from doseopt_bayes.data.exposure import ExposureData
from doseopt_bayes.errors import DoseOptError
from doseopt_bayes.inference.batch import preview
from doseopt_bayes.inference.nuts import fit
from doseopt_bayes.plots.exposure_response import data_exposure_response
from doseopt_bayes.report.exposure_tables import (
    bin_table,
    exposure_summary,
    parameter_table,
    parameter_units,
)
from tests.models.er_cases import frame, read
from tests.plots.er_pictures import FAMILIES, curve, one_dose


@pytest.fixture(scope="module")
def data():
    return read(frame())


@pytest.fixture(scope="module")
def sampled(data):
    model = curve("ae", covariates=True)
    return model, fit(model, data, seed=1, draws=1000)


def column(table, name: str) -> list[str]:
    return [row[table.columns.index(name)] for row in table.rows]


def test_exposure_by_dose_is_that_of_numpy_and_scipy(data):
    table = exposure_summary(data, "AUC")
    x = data.table.loc[data.table["dose"] == 50, "AUC"].to_numpy()
    row = dict(zip(table.columns, table.rows[2], strict=True))
    assert row["Patients"] == row["With a value"] == str(x.size)
    assert row["Geometric mean"] == f"{stats.gmean(x):.4g}"
    cv = np.sqrt(np.exp(np.log(stats.gstd(x)) ** 2) - 1)
    assert row["CV"] == f"{cv:.1%}"
    low, high = np.percentile(x, [5, 95])
    assert row["5th to 95th percentile"] == f"{low:.4g} to {high:.4g}"
    assert table.rows[0][0] == "0 (placebo)"
    assert column(table, "Geometric mean")[0] == "-"
    assert "h*mg/L" in table.note
    assert "placebo" in table.note


def test_what_has_no_value_is_counted_by_reason():
    table = frame(60).astype({"AUC": object})
    table.loc[table["mg"] == 0, "AUC"] = None
    high = table.index[table["mg"] == 100]
    table.loc[high[:2], "AUC"] = None
    table.loc[high[2:5], "AUC"] = "<0.5"
    data = ExposureData.from_frame(
        table, id="ID", dose="mg", dose_unit="mg", exposures={"AUC": "h"},
        endpoints={"ae": Binary("AE")}, missing="exclude", blq="drop", placebo="exclude",
    )  # fmt: skip
    none = column(exposure_summary(data, "AUC"), "No value")
    assert none[0].startswith(f"{(table['mg'] == 0).sum()} (placebo")
    assert none[1] == "0"
    assert none[-1].startswith("5 (")
    assert "missing: 2" in none[-1]
    assert ": 3" in none[-1]
    with pytest.raises(DoseOptError, match="no exposure 'AUK'"):
        exposure_summary(data, "AUK")


def test_parameters_have_units_priors_posteriors_and_diagnostics(sampled):
    model, post = sampled
    table = parameter_table(model, post)
    names = column(table, "Parameter")
    assert names == ["level", "effect", "ec50", "e0_AGE", "ec50_SEX_M", "emax_SEX_M", "e0", "emax"]
    row = dict(zip(table.columns, table.rows[2], strict=True))
    x = post["ec50"].to_numpy().ravel()
    low, high = np.quantile(x, [0.025, 0.975])
    assert row["95 % interval"] == f"{low:.3g} to {high:.3g}"
    assert row["sd"] == f"{x.std():.3g}"
    assert row["Unit"] == "h*mg/L"
    assert row["Prior"].startswith("LogNormal(median 50")
    assert "±" in row["Posterior mean"]
    assert 0.99 < float(row["R-hat"]) < 1.02
    assert float(row["ESS bulk"]) > 400
    # width on the log scale over that of the log-normal prior
    assert float(row["Width / prior's"]) == pytest.approx(np.log(high / low) / (2 * 1.96), abs=0.01)


def test_units_say_what_each_number_is_measured_in(sampled):
    units = parameter_units(sampled[0])
    assert units["e0_AGE"] == "logit per 10 of AGE"
    assert units["ec50_SEX_M"] == "log of ec50"
    assert units["emax_SEX_M"] == "logit"
    assert parameter_units(curve("value"), endpoint_unit="mm")["sigma"] == "mm"


def test_what_the_data_do_not_tell_is_flagged():
    model, data = curve("ae"), one_dose([0] * 12)
    table = parameter_table(model, preview(model, data, seed=1))
    flags = dict(zip(column(table, "Parameter"), column(table, "Flag"), strict=True))
    assert flags["ec50"] == "prior-driven"
    assert column(table, "R-hat") == ["-"] * 5
    assert "Pareto k-hat" in table.note


def test_the_effect_of_a_clear_curve_is_not_flagged(sampled):
    flags = dict(
        zip(*(column(parameter_table(*sampled), c) for c in ("Parameter", "Flag")), strict=True)
    )
    assert flags["level"] == flags["effect"] == ""


@pytest.mark.parametrize("endpoint", FAMILIES)
def test_bins_are_those_of_the_figure(endpoint, data):
    model = curve(endpoint)
    post = preview(model, data, seed=1, particles=4096)
    table, seen = bin_table(model, post, data), data_exposure_response(model, post, data)
    assert column(table, "n") == [str(n) for n in seen["bin_n"].to_numpy()]
    share = endpoint in ("ae", "pfs")
    shown = [f"{x:.1%}" if share else f"{x:.3g}" for x in seen["observed"].to_numpy()]
    assert column(table, "Observed") == shown
    shown = [f"{x:.1%}" if share else f"{x:.3g}" for x in seen["model_median"].to_numpy()]
    assert column(table, "Model") == shown
    assert column(table, "Events")[0] == (
        "-" if endpoint == "value" else f"{float(seen['bin_events'][0]):g}"
    )
    assert "300 of 300 rows" in table.note
    assert "exposure 0 is its own bin" in table.note
