"""Simulated patients with two endpoints, and fits with draws that are given."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pandas as pd
import xarray as xr

from doseopt_bayes.data.endpoints import Binary
from doseopt_bayes.data.exposure import ExposureData
from doseopt_bayes.data.exposure_columns import Covariate
from doseopt_bayes.inference.checks import Check, Diagnostics
from doseopt_bayes.inference.nuts import fit
from doseopt_bayes.inference.posterior import Posterior
from doseopt_bayes.models.exposure_response import ExposureResponse
from doseopt_bayes.models.joint_exposure import JointExposureResponse
from doseopt_bayes.models.response import BinaryResponse
from doseopt_bayes.models.shapes import Emax, Linear
from doseopt_bayes.priors import LogNormal, Normal

DOSES = (10.0, 20.0, 40.0, 80.0)
EMAX = ExposureResponse(
    "resp", "AUC", Emax(), BinaryResponse(),
    {"level": Normal(-1, 2), "effect": Normal(0, 2), "ec50": LogNormal(25, 1)},
    reference=(5.0, 100.0), unit="h*mg/L",
)  # fmt: skip
LINEAR = ExposureResponse(
    "ae", "CMAX", Linear(), BinaryResponse(), {"e0": Normal(-2, 2), "slope": Normal(0, 1)},
    reference=(1.0, 15.0), unit="mg/L",
)  # fmt: skip
JOINT = JointExposureResponse(EMAX, LINEAR, Normal(0, 1))
# true probabilities at the median exposures of the doses: efficacy 0.30, 0.44, 0.61, 0.74 and
# toxicity 0.03, 0.06, 0.17, 0.69, so that 40 is best when both count alike
TRUE_BEST = 40.0


def frame(n: int = 400, seed: int = 1, *, both: float = 0.0) -> pd.DataFrame:
    """Patients with two exposures that go together; `both`: latent correlation of the outcomes."""
    rng = np.random.default_rng(seed)
    dose = np.repeat(DOSES, n // len(DOSES))
    person = rng.normal(0, 0.3, dose.size)
    found = pd.DataFrame({"ID": [f"P{i:03d}" for i in range(dose.size)], "mg": dose})
    found["AUC"] = dose * np.exp(person)
    found["CMAX"] = dose / 5 * np.exp(person + rng.normal(0, 0.1, dose.size))
    found["AGE"] = rng.normal(60, 10, dose.size).round()
    found["SEX"] = rng.choice(["F", "M"], dose.size)
    eff = -2 + 4 * found["AUC"] / (25 + found["AUC"])
    tox = -4 + 0.3 * found["CMAX"]
    free = rng.multivariate_normal([0, 0], [[1, both], [both, 1]], dose.size)
    from scipy import stats  # noqa: PLC0415

    u = stats.norm.cdf(free)
    found["RESP"] = (u[:, 0] < 1 / (1 + np.exp(-eff))).astype(int)
    found["AE"] = (u[:, 1] < 1 / (1 + np.exp(-tox))).astype(int)
    return found


def read(table: pd.DataFrame, **more: object) -> ExposureData:
    covariates = (Covariate("AGE", "numeric"), Covariate("SEX", "category", levels=("F", "M")))
    given = {"doses": DOSES} | more
    return ExposureData.from_frame(
        table, id="ID", dose="mg", dose_unit="mg", exposures={"AUC": "h*mg/L", "CMAX": "mg/L"},
        endpoints={"resp": Binary("RESP"), "ae": Binary("AE")}, covariates=covariates, **given,
    )  # fmt: skip


@lru_cache
def data() -> ExposureData:
    return read(frame())


@lru_cache
def joint_fit() -> Posterior:
    return fit(JOINT, data(), seed=1, draws=1000, tune=500)


def given(
    recipe: ExposureResponse,
    values: dict[str, np.ndarray | float],
    *,
    x: tuple[float, float] = (0.0, 100.0),
    seen: dict[float, int] | None = None,
    passed: bool = True,
    shape: tuple[int, int] = (4, 50),
) -> Posterior:
    """Posterior with these draws, whose gate passed or not."""
    draws = {
        k: (("chain", "draw"), np.broadcast_to(v, shape).astype(float)) for k, v in values.items()
    }
    posterior = xr.Dataset(draws, coords={"chain": range(shape[0]), "draw": range(shape[1])})
    seen = seen or dict.fromkeys(DOSES, 3)
    counts = xr.Dataset(
        {"n_treated": ("dose", list(seen.values()))},
        coords={"dose": ("dose", list(seen), {"units": "mg"})},
    )
    fitted = xr.Dataset({"x": ("patient", list(x))})
    tree = xr.DataTree.from_dict({"posterior": posterior, "seen": counts, "constant_data": fitted})
    check = Check("divergences", passed, "0" if passed else "7", "0")
    diagnostics = Diagnostics((check,), xr.DataArray(np.zeros(0)))
    return Posterior(tree, tuple(recipe.priors), diagnostics, ("a note of the fit",))
