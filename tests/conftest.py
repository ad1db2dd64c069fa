"""Fixtures: real fits, each sampled once a session, and synthetic posteriors for decisions."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from doseopt_bayes.data.trial import TrialData
from doseopt_bayes.inference.checks import Diagnostics
from doseopt_bayes.inference.nuts import fit
from doseopt_bayes.inference.posterior import Posterior
from doseopt_bayes.models import EffTox
from doseopt_bayes.models.presets import EFFTOX_MATCHPOINT, EFFTOX_THALL2014

PRESETS = {"thall2014_demo": EFFTOX_THALL2014, "matchpoint": EFFTOX_MATCHPOINT}


@pytest.fixture(scope="session")
def efftox_fit():
    """Return a function (preset, doses, outcomes) -> Posterior that samples each case once."""
    done = {}

    def get(preset: str, doses: tuple[float, ...], outcomes: str) -> Posterior:
        key = (preset, outcomes)
        if key not in done:
            model = EffTox(doses, PRESETS[preset], unit="mg")
            data = TrialData.parse(outcomes, doses=doses, unit="mg")
            done[key] = fit(model, data, seed=20260101)
        return done[key]

    return get


@pytest.fixture(scope="session")
def published(efftox_fit) -> Posterior:
    """Posterior after '1NNE 2EEB' with the priors of Thall et al. (2014)."""
    return efftox_fit("thall2014_demo", (1.0, 2.0, 4.0, 6.6, 10.0), "1NNE 2EEB")


@pytest.fixture(scope="session")
def synthetic():
    """Return a function that wraps given draws as a Posterior whose gate passed."""
    return make_posterior


def make_posterior(
    p_tox: np.ndarray,
    p_eff: np.ndarray,
    *,
    doses: tuple[float, ...] | None = None,
    n: tuple[int, ...] | None = None,
    dims: tuple[str, ...] = ("chain", "draw", "dose"),
) -> Posterior:
    sizes = dict(zip(dims, p_tox.shape, strict=True))
    doses = doses or tuple(10.0 * (j + 1) for j in range(sizes["dose"]))
    n = n or (3,) * sizes["dose"]
    draws = xr.Dataset(
        {"p_tox": (dims, p_tox), "p_eff": (dims, p_eff)}, coords={"dose": list(doses)}
    )
    draws["anchor"] = draws["p_tox"].isel(dose=0, drop=True)
    seen = xr.Dataset({"n_treated": ("dose", np.array(n))}, coords={"dose": list(doses)})
    tree = xr.DataTree.from_dict({"posterior": draws, "seen": seen})
    return Posterior(tree, ("anchor",), Diagnostics((), xr.DataArray(np.zeros(0))))


def pytest_collection_modifyitems(items):
    """Begin with the notebooks: the longest file would keep one worker busy after the others' end."""
    items.sort(key=lambda item: item.path.name != "test_notebooks.py")
