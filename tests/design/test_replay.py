"""A simulated decision is the decision of the analysis: trials are replayed through NUTS."""

from __future__ import annotations

import numpy as np
import pytest

from doseopt_bayes import names
from doseopt_bayes.analysis import analyse
from doseopt_bayes.decision.criteria import MeanUtility, UtilityOfMeans
from doseopt_bayes.decision.rules import EWOC, NoSkipping
from doseopt_bayes.decision.target import ClosestToTarget, TargetInterval
from doseopt_bayes.design.decider import Decider
from doseopt_bayes.design.design import Design
from doseopt_bayes.design.scenario import Scenario
from doseopt_bayes.design.simulate import simulate
from doseopt_bayes.design.stopping import MaxPatients
from doseopt_bayes.inference.tallies import checked_counts, trial_of
from doseopt_bayes.models import BLRM, CRM
from doseopt_bayes.models.presets import BLRM_SINGLE_AGENT

from .cases import RISING, TOXIC, design

DOSES = (1.0, 2.5, 5.0, 10.0, 25.0, 50.0)
STEEP = Scenario("steep", (0.02, 0.05, 0.1, 0.25, 0.4, 0.6))
EWOC_BLRM = Design(
    BLRM(DOSES, reference=25, priors=BLRM_SINGLE_AGENT, unit="mg"),
    TargetInterval(0.16, 0.33), EWOC() & NoSkipping(), MeanUtility(), start=1, stop=MaxPatients(24),
)  # fmt: skip
SKELETON = Design(
    CRM(DOSES, (0.05, 0.12, 0.2, 0.3, 0.45, 0.6)),
    ClosestToTarget(0.3), EWOC(0.33, overdose=0.6) & NoSkipping(), UtilityOfMeans(), start=1,
    stop=MaxPatients(24),
)  # fmt: skip


class Witness(Decider):
    """Keeps the states that it was asked to decide on."""

    def __call__(self, cells, here=None, *, final=False):
        said = super().__call__(cells, here, final=final)
        self.states = [*getattr(self, "states", []), *zip(cells, [final] * len(cells), said.dose,
                                                          said.resolved, strict=True)]  # fmt: skip
        return said


def replay(what, scenarios, monkeypatch, *, states, n_trials, seed):
    """Decide some simulated states by NUTS; return how many agree, of how many that are resolved."""
    witnesses = []

    def made(*given):
        witnesses.append(Witness(*given))
        return witnesses[-1]

    monkeypatch.setattr("doseopt_bayes.design.decider.Decider", made)
    simulate(what, scenarios, n_trials=n_trials, seed=seed)
    seen = {(cells.tobytes(), final): (cells, final, dose, sure)
            for cells, final, dose, sure in witnesses[0].states}  # fmt: skip
    rng = np.random.default_rng(seed)
    chosen = rng.choice(len(seen), min(states, len(seen)), replace=False)
    compared, wrong = 0, []
    for i in chosen:
        cells, final, dose, sure = list(seen.values())[i]
        counts = checked_counts(what.model, _counts(what.model, cells)).isel(trial=0, drop=True)
        done = analyse(
            what.model, trial_of(what.model, counts), what.utility,
            what.final_rules if final else what.rules, criterion=what.criterion, seed=int(i),
        )  # fmt: skip
        status = str(done.decision.status.item())
        if not sure or status == "not resolved":
            continue
        compared += 1
        said = np.nan if dose < 0 else what.model.doses[dose]
        if not np.array_equal(said, float(done.decision.recommended), equal_nan=True):
            wrong.append((cells.tolist(), final, said, float(done.decision.recommended)))
    return compared, wrong


def _counts(model, cells):
    import xarray as xr  # noqa: PLC0415

    both = ("trial", names.DOSE, names.CELL)
    return xr.Dataset(
        {names.CELL_COUNT: (both, cells[None].astype("int64"))},
        coords={"trial": [0], names.DOSE: list(model.doses), names.CELL: list(names.CELLS)},
    )


@pytest.mark.parametrize(
    ("what", "scenarios"),
    [
        (design(stop=MaxPatients(24)), [RISING, TOXIC]),
        (EWOC_BLRM, [STEEP]),
        (SKELETON, [STEEP]),
    ],
    ids=["efftox", "blrm", "crm"],
)
def test_simulated_decisions_are_those_of_fit_and_decide(what, scenarios, monkeypatch):
    compared, wrong = replay(what, scenarios, monkeypatch, states=8, n_trials=40, seed=3)
    assert wrong == []
    assert compared >= 4


@pytest.mark.slow
@pytest.mark.parametrize(
    ("what", "scenarios"),
    [(design(stop=MaxPatients(39)), [RISING, TOXIC]), (EWOC_BLRM, [STEEP]), (SKELETON, [STEEP])],
    ids=["efftox", "blrm", "crm"],
)
def test_a_hundred_simulated_decisions_are_those_of_fit_and_decide(what, scenarios, monkeypatch):
    compared, wrong = replay(what, scenarios, monkeypatch, states=100, n_trials=200, seed=4)
    assert wrong == []
    assert compared >= 50
