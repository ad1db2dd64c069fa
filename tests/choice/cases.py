"""Simulated patients whose truth is known, for the tests of choosing and averaging."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from doseopt_bayes.choice.compare import Comparison, compare_models
from doseopt_bayes.data.endpoints import Binary, Continuous
from doseopt_bayes.data.exposure import ExposureData
from doseopt_bayes.inference.batch import preview
from doseopt_bayes.models.er_presets import weakly_informative
from doseopt_bayes.models.exposure_response import ExposureResponse
from doseopt_bayes.models.response import BinaryResponse, ContinuousResponse
from doseopt_bayes.models.shapes import Emax, Linear
from doseopt_bayes.priors import Normal

if TYPE_CHECKING:
    from doseopt_bayes.inference.weighted import Weighted

TOP = 100.0


def patients(curve, n: int = 150, seed: int = 1, *, sd: float = 1.0) -> pd.DataFrame:
    """Placebo and exposures uniform up to 100; `curve` gives the mean of a continuous response."""
    rng = np.random.default_rng(seed)
    x = np.where(rng.random(n) < 0.2, 0.0, rng.uniform(0, TOP, n))
    found = pd.DataFrame({"ID": [f"P{i:03d}" for i in range(n)], "mg": np.where(x > 0, 50.0, 0.0)})
    found["AUC"] = x
    found["CMIN"] = x * rng.lognormal(0, 0.8, n)
    found["Y"] = curve(x) + rng.normal(0, sd, n)
    return found


def read(table: pd.DataFrame, **more: object) -> ExposureData:
    exposures = {c: "mg/L" for c in ("AUC", "CMIN") if c in table}
    kind = Binary("Y") if set(table["Y"]) <= {0, 1} else Continuous("Y")
    return ExposureData.from_frame(
        table,
        id="ID",
        dose="mg",
        dose_unit="mg",
        exposures=exposures,
        endpoints={"y": kind},
        **more,
    )


def curve_of(data: ExposureData, shape, exposure: str = "AUC", **more: object) -> ExposureResponse:
    continuous = data.endpoints["y"].kind == "continuous"
    response = ContinuousResponse() if continuous else BinaryResponse()
    spread = {"spread": 5.0} if continuous else {}
    return weakly_informative(data, "y", exposure, shape, response=response, **spread, **more)


def fitted(data: ExposureData, shape, **more: object) -> tuple[ExposureResponse, Weighted]:
    model = curve_of(data, shape, **more)
    return model, preview(model, data, seed=1, particles=4096)


def bent(x):
    return 8 * x / (5 + x)


def straight(x):
    return 0.04 * x


@lru_cache
def bent_comparison() -> Comparison:
    data = read(patients(bent))
    return compare_models({"emax": fitted(data, Emax()), "linear": fitted(data, Linear())}, data)


# a logit-linear curve of two parameters, which quadrature integrates
PRIORS = {"e0": Normal(-1.0, 1.5), "slope": Normal(0.0, 1.0)}
LOGIT = ExposureResponse("y", "AUC", Linear(), BinaryResponse(), PRIORS, unit="mg/L")


def few(*, outlier: bool = False) -> ExposureData:
    """Eighteen patients; the outlier lies far above all others and went the other way."""
    x = np.array([0, 0, 0.5, 0.8, 1, 1.2, 1.5, 1.7, 2, 2.2, 2.5, 2.7, 3, 3.2, 3.5, 3.8, 4, 4.5])
    y = np.array([0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 1, 1, 0, 1, 1, 1, 1, 1])
    if outlier:
        x, y = np.append(x, 12.0), np.append(y, 0)
    table = pd.DataFrame({"ID": [f"P{i:02d}" for i in range(x.size)], "mg": x, "AUC": x, "Y": y})
    return read(table)
