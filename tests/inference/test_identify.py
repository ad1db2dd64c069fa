"""What the data cannot tell is said: EC50 beyond the exposures, flat, one-sided, separated, one dose."""

from __future__ import annotations

import numpy as np
import pytest

from doseopt_bayes.inference.batch import preview
from doseopt_bayes.inference.identify import log_likelihood, unidentified_share, width_ratios
from doseopt_bayes.inference.nuts import fit
from doseopt_bayes.models.er_presets import weakly_informative
from doseopt_bayes.models.response import ContinuousResponse
from doseopt_bayes.models.shapes import Emax
from tests.models.er_cases import frame, read


def said(table, endpoint="ae", **more) -> str:
    data = read(table)
    model = weakly_informative(data, endpoint, "AUC", Emax(), **more)
    post = preview(model, data, seed=1, particles=4096)
    assert post.check().passed
    return "\n".join(post.notes)


def test_healthy_data_raise_no_alarm():
    found = said(frame(1000))
    for word in ("not separately", "no effect", "carries the fit", "separated", "one dose"):
        assert word not in found


def test_ec50_beyond_the_exposures_is_not_identified():
    rng = np.random.default_rng(1)
    table = frame()
    table["VALUE"] = 1600 * table["AUC"] / (2000 + table["AUC"]) + rng.normal(0, 2, len(table))
    data = read(table)
    model = weakly_informative(
        data, "value", "AUC", Emax(), response=ContinuousResponse(), spread=50,
        priors={"ec50": weakly_informative(data, "ae", "AUC", Emax()).priors["ec50"].__class__(300, 1.5)},
    )  # fmt: skip
    post = fit(model, data, seed=1)
    assert post.check().passed
    assert unidentified_share(model, data.rows("value", "AUC"), post)[0] > 0.9
    assert any("Emax and EC50 are not separately identified" in n for n in post.notes)
    assert any("only predictions within 0 to" in n for n in post.notes)


@pytest.mark.parametrize(("value", "word"), [(0, "none has the event"), (1, "all have the event")])
def test_one_sided_responses(value, word):
    found = said(frame().assign(AE=value))
    assert word in found
    assert "no effect of AUC is resolved" in found
    assert "ec50 is prior-driven" in found


def test_separated_responses():
    table = frame()
    found = said(table.assign(AE=(table["AUC"] > 45).astype(int)))
    assert "separated: every event lies above every other AUC" in found


def test_a_flat_response_is_called_unresolved():
    rng = np.random.default_rng(3)
    table = frame()
    found = said(table.assign(AE=rng.integers(0, 2, len(table))))
    assert "no effect of AUC is resolved" in found


def test_one_dose_only():
    assert "one dose only (50)" in said(frame(doses=(50.0,)))


def test_a_response_times_1000_is_named():
    table = frame()
    table.loc[17, "VALUE"] *= 1000
    found = said(table, "value", response=ContinuousResponse(), typical=5, spread=10)
    assert "row P017" in found
    assert "a wrong unit or decimal point?" in found
    assert found.count("robust standard deviations") == 1


def test_widths_tell_the_prior_from_the_data():
    data = read(frame(1000))
    model = weakly_informative(data, "ae", "AUC", Emax())
    post = preview(model, data, seed=1, particles=4096)
    ratios = width_ratios(model, post)
    assert set(ratios) == {"level", "effect", "ec50"}
    assert ratios["level"] < 0.2
    assert all(0 < r < 1 for r in ratios.values())


def test_the_rows_of_a_nuts_fit_serve_loo():
    data = read(frame(120))
    model = weakly_informative(data, "ae", "AUC", Emax())
    post = fit(model, data, seed=1)
    found = log_likelihood(model, data, post)
    assert found.dims == ("chain", "draw", "patient")
    p = model.response_at(post.draws, data.rows("ae", "AUC")["exposure"])
    y = data.rows("ae", "AUC")["y"]
    by_hand = np.log(p.where(y == 1, 1 - p)).transpose("chain", "draw", "patient")
    np.testing.assert_allclose(found, by_hand, atol=1e-9)
