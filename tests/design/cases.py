"""A design, its truths, and trials put together by hand."""

from __future__ import annotations

import numpy as np
import xarray as xr

from doseopt_bayes.decision.criteria import UtilityOfMeans
from doseopt_bayes.decision.rules import Active, NoSkipping, Tolerable
from doseopt_bayes.decision.utility import LpContour
from doseopt_bayes.design.design import Design
from doseopt_bayes.design.scenario import Scenario
from doseopt_bayes.design.simulate import Simulation
from doseopt_bayes.design.stopping import MaxPatients
from doseopt_bayes.models import EffTox
from doseopt_bayes.models.presets import EFFTOX_THALL2014

DOSES = (1.0, 2.0, 4.0, 6.6, 10.0)
MODEL = EffTox(DOSES, EFFTOX_THALL2014, unit="mg")
CONTOUR = LpContour(eff0=0.5, tox1=0.65, hinge=(0.7, 0.25))
RULES = Tolerable(0.3, certainty=0.1) & Active(0.5, certainty=0.1) & NoSkipping()
RISING = Scenario("rising", (0.05, 0.10, 0.15, 0.20, 0.40), (0.2, 0.4, 0.6, 0.8, 0.9))
TOXIC = Scenario("toxic", (0.45, 0.50, 0.60, 0.70, 0.80), (0.2, 0.4, 0.6, 0.8, 0.9))


def design(**changes) -> Design:
    parts = {"start": 1, "stop": MaxPatients(12), **changes}
    return Design(
        parts.pop("model", MODEL), CONTOUR, parts.pop("rules", RULES), UtilityOfMeans(), **parts
    )


def by_hand(recommended, treated, *, scenarios=(RISING,), resolved=None, seed=1) -> Simulation:
    """Make a simulation: recommended (scenario, trial), treated (scenario, trial, dose)."""
    recommended, treated = np.array(recommended, float), np.array(treated)
    shape = recommended.shape
    one, all_ = ("scenario", "trial"), ("scenario", "trial", "dose")
    trials = xr.Dataset(
        {
            "recommended": (one, recommended),
            "stopped_early": (one, np.isnan(recommended)),
            "resolved": (one, np.ones(shape, bool) if resolved is None else np.array(resolved)),
            "unresolved": (one, np.zeros(shape, int)),
            "treated": (all_, treated),
            "toxicities": (all_, treated // 3),
            "responses": (all_, treated // 2),
        },
        coords={"scenario": [s.name for s in scenarios], "trial": np.arange(shape[1]),
                "dose": list(DOSES)},
    )  # fmt: skip
    return Simulation(design(), tuple(scenarios), trials, {"particles": 7}, seed, 1024)


FOUR = by_hand(
    [[6.6, 6.6, 10.0, np.nan]],
    [[[3, 3, 3, 3, 0], [3, 0, 0, 9, 0], [3, 0, 0, 3, 6], [6, 0, 0, 0, 0]]],
    resolved=[[True, True, False, True]],
)
