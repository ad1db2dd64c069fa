"""Simulated patients for the tests of exposure-response models."""

from __future__ import annotations

import numpy as np
import pandas as pd

from doseopt_bayes.data.endpoints import Binary, Continuous, Count, TimeToEvent
from doseopt_bayes.data.exposure import ExposureData
from doseopt_bayes.data.exposure_columns import Covariate

DOSES = (0.0, 25.0, 50.0, 100.0)
TRUTH = {"e0": -1.5, "emax": 3.0, "ec50": 40.0}


def frame(n: int = 300, seed: int = 1, *, doses: tuple[float, ...] = DOSES) -> pd.DataFrame:
    """Placebo and three doses; half of the exposures' spread is within doses."""
    rng = np.random.default_rng(seed)
    found = pd.DataFrame({"ID": [f"P{i:03d}" for i in range(n)], "mg": rng.choice(doses, n)})
    found["AUC"] = found["mg"] * rng.lognormal(0, 0.4, n)
    found["AGE"] = rng.normal(60, 10, n).round()
    found["SEX"] = rng.choice(["F", "M"], n)
    curve = found["AUC"] / (40 + found["AUC"])
    eta = -1.5 + 3 * curve + 0.4 * (found["AGE"] - 60) / 10
    found["AE"] = (rng.random(n) < 1 / (1 + np.exp(-eta))).astype(int)
    found["VALUE"] = 5 + 10 * curve + rng.normal(0, 2, n)
    found["TIME"] = rng.uniform(0.5, 2, n)
    found["COUNT"] = rng.negative_binomial(2, 2 / (2 + np.exp(1.5 * curve) * found["TIME"]))
    # Weibull of shape 1.5, log hazard falling with exposure, cumulative hazard 1 at time 12 on placebo
    event = 12 * (rng.exponential(size=n) / np.exp(-2 * curve)) ** (1 / 1.5)
    found["MONTHS"], found["CNSR"] = np.minimum(event, 18), (event > 18).astype(int)
    return found


def read(
    table: pd.DataFrame, *, covariates: bool = True, missing: str | dict[str, str] = "error"
) -> ExposureData:
    more = (Covariate("AGE", "numeric"), Covariate("SEX", "category", levels=("F", "M")))
    return ExposureData.from_frame(
        table, id="ID", dose="mg", dose_unit="mg", exposures={"AUC": "h*mg/L"},
        endpoints={"ae": Binary("AE"), "value": Continuous("VALUE"), "count": Count("COUNT", "TIME"),
                   "pfs": TimeToEvent("MONTHS", "CNSR", event_value=0, time_unit="month")},
        covariates=more if covariates else (), doses=DOSES,
        missing=missing,
    )  # fmt: skip
