"""One trial from the first dose to the optimal one: escalation, then randomised arms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import xarray as xr

from doseopt_bayes import names
from doseopt_bayes.design.around import Around
from doseopt_bayes.design.simulate import Simulation, simulate
from doseopt_bayes.errors import DoseOptError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from doseopt_bayes.design.scenario import Scenario
    from doseopt_bayes.design.trialled import Decides, Trialled
    from doseopt_bayes.planning.rule import ArmRule

__all__ = ["RandomisedStage", "WholeTrial", "simulate_whole"]

SCENARIO, TRIAL = "scenario", "trial"
STAGE: Final = 1_000_003  # the place of a stage's patients among the blocks of the escalation


@dataclass(frozen=True)
class RandomisedStage:
    """The dose of the escalation and the next lower ones, randomised.

    Parameters
    ----------
    patients
        Patients of each arm, >= 1.
    rule
        Chooses among the arms: :class:`~doseopt_bayes.planning.rule.HighestUtility` or
        :class:`~doseopt_bayes.planning.rule.KeepsMargins`.
    arms
        Number of arms, >= 1: the dose that the escalation recommends and the ones below it that treated
        a patient; fewer where there are not so many. One arm is an expansion cohort.

    Raises
    ------
    DoseOptError
        On numbers that are no counts.
    """

    patients: int
    rule: ArmRule
    arms: int = 2

    def __post_init__(self) -> None:
        for name in ("patients", "arms"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise DoseOptError(
                    f"RandomisedStage: {name} = {value!r} must be a whole number >= 1"
                )

    def __str__(self) -> str:
        return (
            f"then {self.patients} patients in each of {self.arms} arm(s), the recommended dose and the "
            f"next lower tried one(s), randomised; the last dose is the {self.rule}, by the patients of "
            "this stage alone"
        )


@dataclass(frozen=True)
class WholeTrial(Around):
    """An escalation with a randomised stage after it.

    Parameters
    ----------
    design
        The escalation: any design that can be simulated.
    stage
        What follows it.
    judge
        Design whose truth says which dose is right; the escalation by default, which for a design of
        toxicity alone is its MTD, not the optimal dose.

    Examples
    --------
    >>> import doseopt_bayes as dob
    >>> stop = dob.MaxPatients(24)
    >>> table = dob.OutcomeTable(neither=40, efficacy=100, toxicity=0, both=60)
    >>> trial = WholeTrial(
    ...     dob.IntervalDesign(dob.BOIN(0.3), (1, 2, 4), start=1, stop=stop),
    ...     RandomisedStage(20, dob.HighestUtility(table)),
    ...     judge=dob.BOIN12((1, 2, 4), start=1, stop=stop),
    ... )
    >>> plateau = dob.Scenario("plateau", (0.05, 0.1, 0.25), (0.2, 0.5, 0.5))
    >>> found = dob.characteristics(simulate_whole(trial, [plateau], n_trials=400, seed=1))
    >>> bool(found.table["selects_obd"].sel(scenario="plateau") > 0.5)
    True
    """

    design: Trialled
    stage: RandomisedStage
    judge: Trialled | None = None

    def __post_init__(self) -> None:
        if self.judge is not None and self.judge.doses != self.design.doses:
            raise DoseOptError(
                "WholeTrial: the judge has other candidate doses than the escalation"
            )

    @property
    def name(self) -> str:
        """What the design is called."""
        return f"{getattr(self.design, 'name', 'the escalation')} and {self.stage.arms} arm(s)"

    @property
    def judge_design(self) -> Trialled:
        """Design whose truth says which dose is right."""
        return self.judge or self.design

    @property
    def most(self) -> int:
        """Largest number of patients of the escalation's cohorts and the arms."""
        return self.design.most + self.stage.arms * self.stage.patients

    def decider(self, seed: int, particles: int, threads: int) -> Decides:
        """Refuse: the stage is no cohort."""
        raise DoseOptError("a whole trial has a randomised stage", hint="simulate_whole() runs it")

    @property
    def own_simulation(self) -> Callable[..., Simulation]:
        """What simulates it: both stages."""
        return simulate_whole

    def __str__(self) -> str:
        return f"{self.design} After it: {self.stage}."


def simulate_whole(
    trial: WholeTrial,
    scenarios: Sequence[Scenario],
    *,
    n_trials: int,
    seed: int,
    particles: int = 512,
    threads: int = 0,
    progress: Callable[[str], None] | None = None,
) -> Simulation:
    """Simulate escalation and randomised stage as one trial.

    Parameters
    ----------
    trial
        The escalation and its stage.
    scenarios
        Truths with p_tox and p_eff.
    n_trials, seed, particles, threads, progress
        As for :func:`~doseopt_bayes.design.simulate.simulate`.

    Returns
    -------
    Simulation
        ``recommended`` is the last dose, ``treated``, ``toxicities`` and ``responses`` count both stages;
        ``escalated`` (dose that the escalation recommended) and ``randomised`` (patients of the stage,
        over dose) beside them. A trial whose escalation recommends none has no stage.

    Raises
    ------
    DoseOptError
        As ``simulate`` does, and on a scenario without p_eff.
    """
    without = [s.name for s in scenarios if s.p_eff is None]
    if without:
        raise DoseOptError(f"scenario '{without[0]}' has no p_eff, which the arms read")
    for s in scenarios:
        trial.truth(s)
    first = simulate(trial.design, scenarios, n_trials=n_trials, seed=seed, particles=particles,
                     threads=threads, progress=progress)  # fmt: skip
    doses = np.array(trial.doses)
    parts = []
    for i, scenario in enumerate(scenarios):
        before = first.trials.isel({SCENARIO: i})
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(i, STAGE)))
        cells = scenario.cells().clip(0)
        p = cells / cells.sum(axis=1, keepdims=True)
        # what the patients of an arm at each dose would have, whichever doses are randomised
        would = rng.multinomial(trial.stage.patients, p, size=(n_trials, len(doses)))
        parts.append(_staged(trial.stage, before, would, doses))
    joined = xr.concat(parts, dim=SCENARIO)
    joined[names.DOSE].attrs["units"] = trial.unit
    return Simulation(trial, tuple(scenarios), joined, first.fits, seed, particles)


def _staged(
    stage: RandomisedStage, before: xr.Dataset, would: np.ndarray, doses: np.ndarray
) -> xr.Dataset:
    """Add the stage to the trials of one scenario: `would` is (trial, dose, cell)."""
    chosen = before["recommended"].to_numpy()
    top = np.where(np.isnan(chosen), -1, np.searchsorted(doses, np.nan_to_num(chosen)))
    tried = before["treated"].transpose(TRIAL, names.DOSE).to_numpy() > 0
    place = np.arange(len(doses))
    # tried doses have no gap below the recommended one unless the start skipped some
    able = tried & (place <= top[:, None])
    rank = np.cumsum(able[:, ::-1], axis=1)[:, ::-1]
    armed = able & (rank <= stage.arms)
    last = np.full(len(top), -1)
    for m in range(1, stage.arms + 1):
        rows = np.flatnonzero(armed.sum(axis=1) == m)
        if rows.size:
            at = np.nonzero(armed[rows])[1].reshape(-1, m)
            counts = np.take_along_axis(would[rows], at[..., None], axis=1)
            pick = np.asarray(stage.rule.choose(counts))
            last[rows] = np.where(pick < 0, -1, at[np.arange(len(rows)), np.maximum(pick, 0)])
    dims = (TRIAL, names.DOSE)
    more = np.where(armed[..., None], would, 0)
    added = {
        "treated": more.sum(axis=-1),
        "toxicities": more[..., 2] + more[..., 3],
        "responses": more[..., 1] + more[..., 3],
    }
    found = before.assign(
        {k: before[k].transpose(*dims) + xr.DataArray(x, dims=dims) for k, x in added.items()}
    )
    return found.assign(
        recommended=(TRIAL, np.where(last < 0, np.nan, doses[last])),
        escalated=(TRIAL, chosen),
        randomised=(dims, added["treated"]),
    )
