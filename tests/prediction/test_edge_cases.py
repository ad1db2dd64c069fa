"""Data that cannot tell the curve go the whole way, fit to figure: no crash, no false certainty, and words."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from doseopt_bayes.inference.batch import preview
from doseopt_bayes.inference.nuts import fit
from doseopt_bayes.models.er_presets import weakly_informative
from doseopt_bayes.models.response import (
    BinaryResponse,
    ContinuousResponse,
    CountResponse,
    WeibullResponse,
)
from doseopt_bayes.models.shapes import Emax
from doseopt_bayes.plots.exposure_pictures import (
    figure_by_dose,
    figure_exposure_response,
    figure_loo,
    figure_predictive,
)
from doseopt_bayes.prediction.at_doses import at_doses
from doseopt_bayes.prediction.exposures import ObservedExposures
from doseopt_bayes.prediction.quantities import curve_quantities
from doseopt_bayes.priors import LogNormal
from tests.models.er_cases import frame, read

if TYPE_CHECKING:
    import pandas as pd

FAMILIES = {"ae": BinaryResponse(), "value": ContinuousResponse(), "count": CountResponse(),
            "pfs": WeibullResponse(12.0)}  # fmt: skip
WAYS = {
    "preview": lambda model, data: preview(model, data, seed=1),
    "fit": lambda model, data: fit(model, data, seed=1, draws=1000, tune=500),
}


def beyond() -> pd.DataFrame:
    """ED50 of 2000, six times the largest exposure."""
    table = frame()
    noise = np.random.default_rng(3).normal(0, 2, len(table))
    return table.assign(VALUE=1600 * table["AUC"] / (2000 + table["AUC"]) + noise)


@dataclass(frozen=True)
class Case:
    """A table, its endpoint, and words of the fit, of the quantities and of the prediction."""

    table: pd.DataFrame
    endpoint: str
    notes: tuple[str, ...]
    quantities: tuple[str, ...]
    at: tuple[str, ...] = ()
    more: dict[str, Any] = field(default_factory=dict)
    unresolved: bool = True  # whether the direction must stay open


FLAT = ("no effect of AUC is resolved", "ec50 is prior-driven")
OPEN = ("no effect of AUC is resolved", "beyond the studied range", "not resolved by the data")
PRIOR = ("ec50 is prior-driven",)
CASES = {
    "ED50 beyond the range": Case(
        beyond(), "value",
        ("Emax and EC50 are not separately identified", "only predictions within 0 to"),
        ("ED50 (AUC h*mg/L, 50% of the asymptote): beyond the studied range", "not identified by the data"),
        more={"spread": 50.0, "priors": {"ec50": LogNormal(300, 1.5)}}, unresolved=False,
    ),
    "flat": Case(
        frame().assign(AE=np.random.default_rng(3).integers(0, 2, 300)), "ae", FLAT, OPEN, PRIOR),
    "no event": Case(frame().assign(AE=0), "ae", ("none has the event", *FLAT), OPEN, PRIOR),
    "all events": Case(frame().assign(AE=1), "ae", ("all have the event", *FLAT), OPEN, PRIOR),
    "separated": Case(
        frame().assign(AE=lambda t: (t["AUC"] > 45).astype(int)), "ae",
        ("separated: every event lies above every other AUC",),
        ("beyond the studied range", "not identified by the data"), unresolved=False,
    ),
    "one dose": Case(
        frame(doses=(50.0,)), "ae", ("one dose only (50)", "ec50 is prior-driven"),
        ("ED90 (AUC h*mg/L, 90% of the asymptote): beyond the studied range",), PRIOR, unresolved=False,
    ),
    "all censored": Case(frame().assign(CNSR=1), "pfs", ("none has the event", *FLAT), OPEN, PRIOR),
    "no count": Case(frame().assign(COUNT=0), "count", ("none has the event", *FLAT), OPEN, PRIOR),
}  # fmt: skip


QUICK = (
    "ED50 beyond the range",
    "no event",
)  # sampled by NUTS in every run, the others in slow ones
PAIRS = [
    pytest.param(name, way, marks=[pytest.mark.slow] if way == "fit" and name not in QUICK else [])
    for name in CASES
    for way in WAYS
]


@pytest.mark.parametrize(("name", "way"), PAIRS)
def test_the_whole_chain_says_what_the_data_cannot_tell(name, way):
    case = CASES[name]
    data = read(case.table)
    response = FAMILIES[case.endpoint]
    model = weakly_informative(data, case.endpoint, "AUC", Emax(), response=response, **case.more)
    post = WAYS[way](model, data)
    assert post.check().passed
    doses = [d for d in data.doses if (case.table["mg"] == d).any()]
    at = at_doses(model, post, ObservedExposures(data, ("AUC",)), doses)
    found = curve_quantities(model, post, at)
    for words, text in (
        (case.notes, post.notes),
        (case.at, at.notes),
        (case.quantities, [str(found)]),
    ):
        for word in words:
            assert word in "\n".join(text)
    assert set(post.notes) <= set(at.notes)  # nothing that the fit said is lost on the way
    if case.unresolved:  # neither direction of the curve is called certain
        assert 0.025 <= float(post.prob(post["emax"] > 0)) <= 0.975
    values = [at.quantile(at.draws[v], q) for v in at.draws for q in (0.025, 0.975)]
    assert all(np.isfinite(x).all() for x in values)
    picture = figure_exposure_response(model, post, data)
    assert np.isfinite(picture.data["median"]).all()
    assert (picture.data["high"] > picture.data["low"]).all()
    for other in (
        figure_predictive(model, post, data),
        figure_loo(model, post, data),
        figure_by_dose(at),
    ):
        other.figure.draw_without_rendering()


def test_preview_and_fit_agree_on_what_a_finite_number_of_people_adds():
    """Particles count by their weight: one in ten is drawn from the prior, where curves are wild."""
    data = read(frame().assign(COUNT=0))
    model = weakly_informative(data, "count", "AUC", Emax(), response=CountResponse())
    exposures = ObservedExposures(data, ("AUC",))
    found = [at_doses(model, make(model, data), exposures, [25.0, 50.0]) for make in WAYS.values()]
    one, other = (at.tree["regimens"]["count_people_error"] for at in found)
    np.testing.assert_allclose(one, other, rtol=0.1)
