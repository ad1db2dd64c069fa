"""Time to the first of competing events in randomised arms: hazards by cause, arm and interval."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from doseopt_bayes import names
from doseopt_bayes.data.arm_records_outcome import FirstEvent
from doseopt_bayes.models.arm_parts import arm_coords, dose_words, patients_of, set_up
from doseopt_bayes.models.joint import described
from doseopt_bayes.priors import Normal

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd
    import pymc as pm

    from doseopt_bayes.data.arm_records import ArmRecords
    from doseopt_bayes.priors import Prior

__all__ = ["TimeToFirst", "events_and_time"]

CAUSE, INTERVAL, LATER = "cause", "interval", "later_interval"
LOG_HAZARD, STEP = "log_hazard", "log_hazard_step"
TYPICAL: Final = 0.2  # cumulative hazard of a cause at the horizon, the prior median
HAZARD_SD: Final = 2.0  # 95 % within a factor of 50 to either side of the median
STEP_PRIOR: Final = Normal(0.0, 0.5)
LEAST: Final = 1e-12  # nobody at risk expects nobody: a mean of exactly 0 has no logarithm


@dataclass(frozen=True)
class TimeToFirst:
    """Time to the first of competing events: to discontinuation or dose reduction, by cause.

    Parameters
    ----------
    doses
        Arms: candidate doses (> 0, distinct, at least two), in `unit`; any order, kept ascending.
    outcome
        The :class:`~doseopt_bayes.data.arm_records_outcome.FirstEvent`, with its causes, intervals and
        horizon.
    unit
        Unit of the doses.
    priors
        Priors in place of the defaults: of ``log_hazard``, the log hazard of the first interval, the
        same for each arm and cause, and of ``log_hazard_step``, its change from one interval to the
        next. With the default hazard, held over the horizon, a cause strikes 18 % (median).

    Raises
    ------
    DoseOptError
        On doses that cannot be, another outcome, or a prior of an unknown parameter.

    Notes
    -----
    Piecewise-exponential hazards of each cause, in each arm by itself; the steps smooth over time. The
    events of a cause in an interval are Poisson given the time at risk there, which gives the same
    posterior as the times themselves (Holford 1980), so that patients enter as events and person-time
    of each arm, cause and interval. Censoring is taken to be unrelated to what would have happened
    next; a competing event is not censoring: it has hazards of its own. Times beyond the horizon are
    censored there.

    The posterior has ``p_<cause>`` (dose), the cumulative incidence of that cause by the horizon in the
    presence of the others, sum over intervals of S(start) h_cause / h (1 - exp(-h length));
    ``retained`` (dose) = Pr(no event of any cause by the horizon), so that all of them sum to 1;
    ``hazard`` (dose, cause, interval) per unit of time; ``incidence`` (dose, cause, interval), the
    cumulative incidence at the end of each interval, for example by cycle. A name of the outcome stands
    before causes and behind the others: ``p_stop_toxicity``, ``retained_stop``.

    Examples
    --------
    >>> stop = FirstEvent("DAYS", "WHY", {"AE": "toxicity", "PD": "progression"}, censored=("ON",),
    ...                   horizon=84, cuts=(21, 42), time_unit="day")
    >>> print(TimeToFirst(doses=(15, 45), outcome=stop, unit="mg"))
    TimeToFirst: first of toxicity, progression in the arms 15, 45 mg
      hazard of each cause and arm, constant in 0 to 21, 21 to 42, 42 to 84 day
      log hazard = log_hazard in the first interval, changed by log_hazard_step at each cut, in each \
arm and cause by itself
      p_toxicity, p_progression: cumulative incidence by 84 day, the others competing
      retained = Pr(no event of any cause by 84 day); incidence: by the end of each interval
      priors:
        log_hazard       ~ Normal(mean -6.04025, sd 2), 95 % within -9.96 to -2.12
        log_hazard_step  ~ Normal(mean 0, sd 0.5), 95 % within -0.98 to 0.98
    """

    doses: tuple[float, ...]
    outcome: FirstEvent
    unit: str = ""
    priors: Mapping[str, Prior] = field(default_factory=dict)

    def __post_init__(self) -> None:
        defaults: dict[str, Prior] = {}
        if isinstance(self.outcome, FirstEvent):
            defaults[LOG_HAZARD] = Normal(math.log(TYPICAL / self.outcome.horizon), HAZARD_SD)
            defaults |= {STEP: STEP_PRIOR} if self.outcome.cuts else {}
        set_up(self, FirstEvent, defaults)

    @property
    def endpoints(self) -> tuple[str, ...]:
        """Endpoints that it reads."""
        return self.outcome.endpoints

    @property
    def scale(self) -> str:
        """Scale of the parameters."""
        return f"Log of the hazard per {self.outcome.time_unit}."

    def build(self, data: ArmRecords) -> pm.Model:
        """Return the PyMC model: hazards, ``p_<cause>``, ``retained`` and the observed events.

        Raises
        ------
        DoseOptError
            When the data have other doses, another unit or another outcome.
        """
        import pymc as pm  # noqa: PLC0415

        o = self.outcome
        events, time = events_and_time(patients_of(self, data), o, len(self.doses))
        coords = {**arm_coords(self), CAUSE: list(o.names_of_causes),
                  INTERVAL: list(o.intervals), LATER: list(o.intervals[1:])}  # fmt: skip
        dims = (names.DOSE, CAUSE, INTERVAL)
        with pm.Model(coords=coords) as model:
            log_h = self.priors[LOG_HAZARD].build(LOG_HAZARD, dims[:2])[:, :, None]
            if STEP in self.priors:
                step = self.priors[STEP].build(STEP, (*dims[:2], LATER))
                log_h = pm.math.concatenate([log_h, log_h + step.cumsum(axis=-1)], axis=-1)
            hazard = pm.Deterministic(self._called("hazard"), pm.math.exp(log_h), dims=dims)
            # over `pooled` too: another data cut then needs no other program
            at_risk = pm.Data("at_risk", time[None], dims=(names.POOLED, names.DOSE, INTERVAL))
            seen = pm.Data("events_seen", events, dims=dims)
            pm.Poisson(
                "events", mu=hazard * at_risk[0][:, None, :] + LEAST, observed=seen, dims=dims
            )
            self._report(hazard)
        return model

    def _called(self, quantity: str) -> str:
        return f"{quantity}_{self.outcome.name}" if self.outcome.name else quantity

    def _report(self, hazard: Any) -> None:
        """Register cumulative incidences and what is retained, from hazards (dose, cause, interval)."""
        import pymc as pm  # noqa: PLC0415

        length = np.diff(self.outcome.edges)
        total = hazard.sum(axis=1)
        spent = (total * length).cumsum(axis=-1)  # cumulative hazard at the end of each interval
        fresh = pm.math.exp(-(spent - total * length)) * -pm.math.expm1(-total * length)
        incidence = (hazard / total[:, None, :] * fresh[:, None, :]).cumsum(axis=-1)
        called, dims = self._called("incidence"), (names.DOSE, CAUSE, INTERVAL)
        incidence = pm.Deterministic(called, incidence, dims=dims)
        for i, end in enumerate(self.endpoints):
            pm.Deterministic(names.probability(end), incidence[:, i, -1], dims=names.DOSE)
        kept = pm.math.exp(-spent[:, -1])
        pm.Deterministic(self._called("retained"), kept, dims=names.DOSE)

    def words(self) -> tuple[str, ...]:
        """Return the model's equations and choices, a sentence each."""
        o = self.outcome
        by = f"by {o.horizon:g} {o.time_unit}"
        change = f", changed by {STEP} at each cut" if STEP in self.priors else ""
        first = " in the first interval" if STEP in self.priors else ""
        ends = ", ".join(map(names.probability, self.endpoints))
        kept, incidence = self._called("retained"), self._called("incidence")
        return (
            f"hazard of each cause and arm, constant in {', '.join(o.intervals)} {o.time_unit}",
            f"log hazard = {LOG_HAZARD}{first}{change}, in each arm and cause by itself",
            f"{ends}: cumulative incidence {by}, the others competing",
            f"{kept} = Pr(no event of any cause {by}); {incidence}: by the end of each interval",
        )

    def __str__(self) -> str:
        causes = ", ".join(self.outcome.names_of_causes)
        head = f"TimeToFirst: first of {causes} in the arms {dose_words(self)}"
        return described(head, self)


def events_and_time(
    frame: pd.DataFrame, outcome: FirstEvent, arms: int
) -> tuple[np.ndarray, np.ndarray]:
    """Add up what is known of the hazards: events, and time at risk.

    Parameters
    ----------
    frame
        Columns arm (position), cause (empty: censored) and time.
    outcome
        Its causes and intervals; an interval holds its right end.
    arms
        Number of arms.

    Returns
    -------
    tuple of numpy.ndarray
        Events (arm, cause, interval), whole numbers, and time at risk (arm, interval), in
        `outcome.time_unit`.
    """
    edges, causes = np.array(outcome.edges), list(outcome.names_of_causes)
    time, arm = frame["time"].to_numpy(dtype=float), frame["arm"].to_numpy(dtype="int64")
    inside = np.clip(time[:, None] - edges[:-1], 0.0, np.diff(edges))
    at_risk = np.zeros((arms, len(edges) - 1))
    np.add.at(at_risk, arm, inside)
    events = np.zeros((arms, len(causes), len(edges) - 1), dtype="int64")
    for i, t, why in zip(arm, time, frame["cause"], strict=True):
        if why and t <= edges[-1]:
            events[i, causes.index(why), np.searchsorted(edges, t) - 1] += 1
    return events, at_risk
