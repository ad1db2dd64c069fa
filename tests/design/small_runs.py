"""A small design and small runs of it, for the tests of journal and executor and their subprocesses."""

from __future__ import annotations

from doseopt_bayes.decision.criteria import UtilityOfMeans
from doseopt_bayes.decision.rules import Active, NoSkipping, Tolerable
from doseopt_bayes.decision.utility import LpContour
from doseopt_bayes.design import simulate
from doseopt_bayes.design.design import Design
from doseopt_bayes.design.journal import simulate_in
from doseopt_bayes.design.scenario import Scenario
from doseopt_bayes.design.stopping import MaxPatients
from doseopt_bayes.models import EffTox
from doseopt_bayes.models.presets import EFFTOX_THALL2014

BLOCK = 10
RISING = Scenario("rising", (0.02, 0.05, 0.1, 0.2, 0.35), (0.2, 0.4, 0.6, 0.7, 0.75))
TOXIC = Scenario("toxic", (0.2, 0.4, 0.5, 0.6, 0.7), (0.3, 0.4, 0.5, 0.6, 0.7))
DESIGN = Design(
    EffTox((1, 2, 4, 6.6, 10), EFFTOX_THALL2014, unit="mg"),
    LpContour(eff0=0.5, tox1=0.65, hinge=(0.7, 0.25)),
    Tolerable(0.3, certainty=0.1) & Active(0.5, certainty=0.1) & NoSkipping(),
    UtilityOfMeans(),
    start=1,
    stop=MaxPatients(9),
)


def run(folder, scenarios=(RISING,), *, design=DESIGN, n_trials=30, **other):
    settings = {"seed": 1, "particles": 256} | other
    return simulate_in(folder, design, list(scenarios), n_trials=n_trials, **settings)


def plain(scenarios=(RISING,), n_trials=30):
    return simulate.simulate(DESIGN, list(scenarios), n_trials=n_trials, seed=1, particles=256)


def blocks_of(folder):
    return sorted((folder / "blocks").glob("*.npz"))
