"""Analyses with known draws, made without sampling."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from doseopt_bayes.analysis import Analysis
from doseopt_bayes.data.trial import TrialData
from doseopt_bayes.decision.cui import CUI, Attribute, Linear
from doseopt_bayes.decision.decide import decide
from doseopt_bayes.decision.rules import Active, AnyDose, Tolerable
from doseopt_bayes.decision.utility import LpContour
from doseopt_bayes.inference.checks import diagnose
from doseopt_bayes.inference.posterior import Posterior

PARAMETERS = ("tox_slope", "eff_slope")
RULES = Tolerable(0.35, 0.2) & Active(0.2, 0.2) & AnyDose()
CONTOUR = LpContour(0.5, 0.65, (0.7, 0.25))
INDEX = CUI(
    {
        "p_eff": Attribute(2, "benefit", Linear(0.0, 0.6)),
        "p_tox": Attribute(1, "harm", Linear(0.4, 0.0)),
    }
)


def group(rng: np.random.Generator, doses: tuple[float, ...], chains: int) -> xr.Dataset:
    shape = (chains, 1000, len(doses))
    level = np.linspace(1, len(doses), len(doses))
    dims = ("chain", "draw", "dose")
    draws = xr.Dataset(
        {
            "p_tox": (dims, rng.beta(1 + level, 14, size=shape)),
            "p_eff": (dims, rng.beta(3 + 2 * level, 10, size=shape)),
        },
        coords={"chain": np.arange(chains), "draw": np.arange(1000), "dose": list(doses)},
    )
    for name in PARAMETERS:
        draws[name] = (dims[:2], rng.normal(size=shape[:2]))
    return draws


def make_analysis(data: TrialData, *, utility=CONTOUR, rules=RULES, criterion="mean_utility"):
    rng = np.random.default_rng(7)
    draws, prior = group(rng, data.doses, 4), group(rng, data.doses, 1)
    draws["dose"].attrs["units"] = data.unit
    stats = xr.Dataset(
        {
            "energy": (("chain", "draw"), rng.normal(size=(4, 1000))),
            "diverging": (("chain", "draw"), np.zeros((4, 1000), bool)),
        }
    )
    seen = data.counts.assign_coords(dose=draws["dose"])
    tree = xr.DataTree.from_dict(
        {"posterior": draws, "sample_stats": stats, "seen": seen, "prior": prior}
    )
    diagnostics = diagnose(draws, stats, [*PARAMETERS, "p_tox", "p_eff"])
    post = Posterior(tree, PARAMETERS, diagnostics)
    decision = decide(post, utility, rules, criterion=criterion)
    return Analysis(None, data, post, decision)  # no model: these draws come from none


@pytest.fixture(scope="session")
def analysis():
    """Three doses, the last untried, a contour utility."""
    data = TrialData.parse("1NNE 2EEB", doses=[10, 20, 40], unit="mg")
    return make_analysis(data, criterion="utility_of_means")


@pytest.fixture(scope="session")
def indexed():
    """Three doses, the last untried, a Clinical Utility Index."""
    data = TrialData.parse("1NNE 2EEB", doses=[10, 20, 40], unit="mg")
    return make_analysis(data, utility=INDEX)
