"""SMAA-2 on fixed draws: Heparin against Enoxaparin, as the R package smaa prints it.

Source: github.com/cran/smaa at e77f98456377873e8bf85509cc7ddf9e016d3e6b, tests/Examples/smaa-Ex.Rout.save
and inst/extdata. The 10,000 draws of measures (about 0..1) and weights are fixed, so the numbers are exact.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from doseopt_bayes.decision.cui import CUI, Attribute, Linear
from doseopt_bayes.decision.smaa import acceptability
from doseopt_bayes.inference.checks import Diagnostics
from doseopt_bayes.inference.posterior import Posterior

DRAWS = Path(__file__).parent / "smaa_thrombo_draws.csv.gz"
MEASURES = ("ProxDVT", "DistDVT", "Bleed")
RANKS = [[0.3504, 0.6496], [0.6496, 0.3504]]
CENTRAL = [
    [0.1865097398, 0.2772204729, 0.5362697873],
    [0.4073100333, 0.3641476707, 0.228542296],
]
CONFIDENCE = [0.6682, 0.8956]


@pytest.fixture(scope="module")
def found():
    frame = pd.read_csv(DRAWS)
    dims = ("chain", "draw", "dose")

    def of(measure):
        both = frame[[f"{drug}.{measure}" for drug in ("Heparin", "Enoxaparin")]].to_numpy()
        return dims, both.reshape(4, 2500, 2)

    draws = xr.Dataset({m: of(m) for m in MEASURES}, coords={"dose": [1.0, 2.0]})
    draws["anchor"] = draws["Bleed"].isel(dose=0, drop=True)
    post = Posterior(
        xr.DataTree.from_dict({"posterior": draws}), ("anchor",), Diagnostics((), xr.DataArray([]))
    )
    weights = xr.DataArray(
        frame[[f"w.{m}" for m in MEASURES]].to_numpy().reshape(4, 2500, 3),
        dims=("chain", "draw", "attribute"),
        coords={"attribute": list(MEASURES)},
    )
    # some measures lie a little outside 0..1, where R keeps the straight line: values on a longer one
    cui = CUI({m: Attribute(1, "benefit", Linear(-1.0, 2.0)) for m in MEASURES})
    everyone = xr.DataArray([True, True], dims="dose", coords={"dose": [1.0, 2.0]})
    return acceptability(post, cui, weights, everyone)


def test_numbers_are_exact(found):
    np.testing.assert_allclose(found["rank_acceptability"], RANKS, atol=1e-7)
    np.testing.assert_allclose(found["central_weight"], CENTRAL, atol=1e-7)
    np.testing.assert_allclose(found["confidence"], CONFIDENCE, atol=1e-7)


def test_errors_are_those_of_independent_draws(found):
    p = np.array(RANKS)
    np.testing.assert_allclose(
        found["rank_acceptability_mcse"], np.sqrt(p * (1 - p) / 10_000), rtol=0.1
    )
    c = np.array(CONFIDENCE)
    np.testing.assert_allclose(found["confidence_mcse"], np.sqrt(c * (1 - c) / 10_000), rtol=0.1)
    assert float(found["central_weight_mcse"].max()) < 0.006
