"""The saturated model against conjugate updating."""

from __future__ import annotations

import numpy as np
import pytest

from doseopt_bayes.data.trial import TrialData
from doseopt_bayes.errors import DoseOptError
from doseopt_bayes.inference.nuts import fit
from doseopt_bayes.models import Saturated

DOSES = (10.0, 20.0, 40.0)


@pytest.mark.parametrize("patients", [1.0, 4.0])
def test_posterior_is_the_dirichlet_update(patients):
    data = TrialData.parse("1NNEN 2EEBT", doses=DOSES, unit="mg")
    post = fit(Saturated(DOSES, unit="mg", patients=patients), data, seed=3, draws=6000)
    assert post.diagnostics.passed, post.diagnostics
    counts = data.counts["cell_count"].sel(cell=list("NETB"))
    expected = (counts + patients / 4) / (counts.sum("cell") + patients)
    off = abs(post.expect(post["p_cell"]) - expected) / post.mcse(post["p_cell"])
    assert float(off.max()) < 4.5
    variance = expected * (1 - expected) / (counts.sum("cell") + patients + 1)
    np.testing.assert_allclose(post["p_cell"].var(("chain", "draw")), variance, rtol=0.12)


def test_no_prior_patient_is_refused():
    with pytest.raises(DoseOptError, match="must be > 0"):
        Saturated(DOSES, patients=0)
