"""TITE-CRM against dfcrm and quadrature: the grid to 1e-5, NUTS within its error."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from doseopt_bayes.data.columns import PatientColumns
from doseopt_bayes.data.follow_up import FollowUp
from doseopt_bayes.data.trial import TrialData
from doseopt_bayes.inference.batch import fit_many
from doseopt_bayes.inference.gridfit import fit_grid
from doseopt_bayes.inference.nuts import fit
from doseopt_bayes.inference.tallies import stack_trials
from doseopt_bayes.models import CRM

ITEMS = {
    item["id"]: item
    for item in json.loads(Path(__file__).with_name("tite.json").read_text("utf-8"))["items"]
}
every = pytest.mark.parametrize("name", ITEMS)


def case(name):
    item = ITEMS[name]
    doses = tuple(float(j + 1) for j in range(len(item["skeleton"])))
    roles = PatientColumns("level", tox="tox", doses=doses, unit="level",
                           follow_up={"tox": FollowUp("time", item["window"], "days")})  # fmt: skip
    frame = pd.DataFrame({"level": item["level"], "tox": item["tox"], "time": item["followup"]})
    return (
        item,
        CRM(doses, tuple(item["skeleton"]), unit="level"),
        TrialData.from_frame(frame, roles),
    )


def nearest(p, item):
    return 1 + int(abs(np.asarray(p) - item["target"]).argmin())


@every
def test_the_grid_gives_the_published_posterior(name):
    item, model, data = case(name)
    post = fit_grid(model, stack_trials(model, [data]), seed=1).posterior(0)
    mean = post.expect(post["p_tox"]).to_numpy()
    np.testing.assert_allclose(mean, item["ptox_mean"], atol=1e-5)
    over, error = post.exceeds("p_tox", item["target"])
    np.testing.assert_allclose(over, item["prob_exceed_target"], atol=1e-5)
    assert float(error.max()) < 1e-4
    beta = post["beta"]
    first = float(post.expect(beta))
    assert first == pytest.approx(item["beta_mean"], abs=1e-5)
    assert float(post.expect(beta**2)) - first**2 == pytest.approx(item["beta_var"], abs=1e-4)
    plugin = np.array(item["skeleton"]) ** np.exp(first)
    np.testing.assert_allclose(plugin, item["ptox_plugin"], atol=1e-5)
    assert nearest(mean, item) == item["mtd_postmean"]
    assert nearest(plugin, item) == item["mtd_plugin"]
    median = post.quantile(post["p_tox"], 0.5)
    np.testing.assert_allclose(median, item["ptox_median"], atol=2e-3)


@every
def test_particles_give_it_within_their_error(name):
    item, model, data = case(name)
    batch = fit_many(model, stack_trials(model, [data]), seed=1, nuts=False)
    assert bool(batch.table["passed"].all())
    post = batch.posterior(0)
    mean, error = post.expect(post["p_tox"]), post.mcse(post["p_tox"])
    assert (abs(mean - item["ptox_mean"]) <= np.maximum(1e-3, 4 * error)).all()


@pytest.mark.slow
@every
def test_nuts_gives_it_within_its_error(name):
    item, model, data = case(name)
    assert int(data.counts["n"].sum()) == (0 if name == "trialr_A260_tite" else 5)
    post = fit(model, data, seed=1)
    assert post.check().passed
    mean, error = post.expect(post["p_tox"]), post.mcse(post["p_tox"])
    assert (abs(mean - item["ptox_mean"]) <= np.maximum(0.01, 4 * error)).all()
    assert float(error.max()) < 0.005
    assert nearest(mean, item) == item["mtd_postmean"]
