"""An umbrella truth is seen under a monotone fit; a monotone truth is left alone."""

from __future__ import annotations

import numpy as np
import pytest

from doseopt_bayes.choice.monotone import check_monotone
from doseopt_bayes.errors import DoseOptError
from doseopt_bayes.models.er_presets import weakly_informative
from doseopt_bayes.models.response import WeibullResponse
from doseopt_bayes.models.shapes import Emax, Quadratic
from tests.choice.cases import TOP, bent, curve_of, fitted, patients, read
from tests.models import er_cases


def umbrella(x):
    return 6 * x / TOP * (2.2 - 2.2 * x / TOP)


@pytest.mark.parametrize("sign", [1, -1])
def test_an_umbrella_truth_speaks_against_the_monotone_curve(sign):
    data = read(patients(lambda x: sign * umbrella(x)))
    monotone = {1: "rising", -1: "falling"}[sign]
    model, post = fitted(data, Emax(), monotone=monotone)
    found = check_monotone(model, data, post, seed=1)
    assert found.p < 0.01
    assert found.verdict == "speaks against"
    assert found.direction == monotone
    assert "quadratic or beta" in str(found)
    assert ("below" if sign > 0 else "above") in str(found)
    assert found.mcse > 0


def test_a_monotone_truth_is_left_alone_and_p_is_spread():
    p = []
    for seed in range(12):
        data = read(patients(bent, n=60, seed=seed))
        model, post = fitted(data, Emax())
        found = check_monotone(model, data, post, seed=seed, draws=1000)
        p.append(found.p)
        assert found.direction == "rising"
        assert found.verdict == "nothing against" or found.p < 0.1
    # predictive p-values are conservative: no more than uniform in the tails
    assert 0.25 < np.mean(p) < 0.75
    assert np.sum(np.array(p) < 0.05) <= 2
    assert np.std(p) > 0.1


def test_groups_and_their_means_are_those_of_the_patients():
    table = patients(bent, n=80)
    data = read(table)
    model, post = fitted(data, Emax())
    found = check_monotone(model, data, post, groups=3, draws=500)
    zero = table["AUC"] == 0
    assert found.table["n"].to_numpy()[0] == zero.sum()
    assert found.table["observed"].to_numpy()[0] == pytest.approx(table["Y"][zero].mean())
    assert found.table.sizes["group"] == 4
    assert found.table["n"].to_numpy().sum() == 80
    top = table["AUC"] >= float(found.table["low"][-1])
    means = found.table["observed"].to_numpy()
    assert means[-1] == pytest.approx(table["Y"][top].mean())
    assert found.drop == pytest.approx(means[:-1].max() - means[-1])
    inside = (found.table["replicated_low"] < means) & (means < found.table["replicated_high"])
    assert bool(inside.all())


@pytest.mark.parametrize("endpoint", ["ae", "count"])
def test_events_and_rates(endpoint):
    from doseopt_bayes.inference.batch import preview  # noqa: PLC0415
    from doseopt_bayes.models.response import BinaryResponse, CountResponse  # noqa: PLC0415

    table = er_cases.frame(150)
    data = er_cases.read(table)
    response = {"ae": BinaryResponse(), "count": CountResponse()}[endpoint]
    model = weakly_informative(data, endpoint, "AUC", Emax(), response=response)
    found = check_monotone(model, data, preview(model, data, seed=1, particles=4096), draws=500)
    zero = table[table["mg"] == 0]
    expected = {"ae": zero["AE"].mean(), "count": zero["COUNT"].sum() / zero["TIME"].sum()}
    assert float(found.table["observed"][0]) == pytest.approx(expected[endpoint])
    assert 0 <= found.p <= 1


def test_refusals():
    data = read(patients(bent, n=40))
    model, post = fitted(data, Emax())
    with pytest.raises(DoseOptError, match="may turn already"):
        check_monotone(curve_of(data, Quadratic()), data, post)
    with pytest.raises(DoseOptError, match="groups = 1"):
        check_monotone(model, data, post, groups=1)
    times = er_cases.read(er_cases.frame(40))
    survival = weakly_informative(times, "pfs", "AUC", Emax(), response=WeibullResponse(12.0))
    with pytest.raises(DoseOptError, match="time_to_event"):
        check_monotone(survival, times, post)
