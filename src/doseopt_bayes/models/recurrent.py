"""Recurrent events of randomised arms: a rate per arm, with more scatter than a Poisson count."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np
import xarray as xr

from doseopt_bayes import names
from doseopt_bayes.data.arm_records_outcome import EventCount
from doseopt_bayes.models.arm_parts import arm_coords, dose_words, patients_of, set_up
from doseopt_bayes.models.joint import described
from doseopt_bayes.models.response import CountResponse
from doseopt_bayes.priors import HalfNormal, Normal

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pymc as pm

    from doseopt_bayes.data.arm_records import ArmRecords
    from doseopt_bayes.priors import Prior

__all__ = ["RecurrentEvents"]

LOG_RATE, SCATTER = "log_rate", "overdispersion"
RATE_SD: Final = 2.0  # of the log rate: 95 % within a factor of 50 to either side of the median


@dataclass(frozen=True)
class RecurrentEvents:
    """Number of events of each patient in a time at risk (low-grade adverse events), each arm by itself.

    Parameters
    ----------
    doses
        Arms: candidate doses (> 0, distinct, at least two), in `unit`; any order, kept ascending.
    outcome
        The :class:`~doseopt_bayes.data.arm_records_outcome.EventCount`, with its times.
    unit
        Unit of the doses.
    priors
        Priors in place of the defaults: of ``log_rate``, the log of the events in `outcome.per`, the
        same for each arm, and of ``overdispersion``. The default of the rate has its median at one
        event in `outcome.period`.
    overdispersed
        Negative binomial with variance mean + overdispersion * mean^2, one overdispersion for all
        arms; Poisson otherwise, which takes all patients of an arm to have the same rate.

    Raises
    ------
    DoseOptError
        On doses that cannot be, another outcome, or a prior of an unknown parameter.

    Notes
    -----
    The likelihood is that of :class:`~doseopt_bayes.models.response.CountResponse`, with the log of the
    person-time as offset: patients differ in their rate by a Gamma distribution with mean 1 and variance
    `overdispersion`. Person-time is taken to end for reasons unrelated to the patient's own rate.

    The posterior has ``rate_<name>`` (dose), events in `outcome.per`, and ``p_<name>`` (dose) =
    Pr(at least one event in `outcome.period`) of a new patient, 1 - (1 + k m)^(-1/k) with m events
    expected in the period and overdispersion k.

    Examples
    --------
    >>> nausea = EventCount("nausea", "NAE", "DAYS", time_unit="day", period=84, per=28)
    >>> print(RecurrentEvents(doses=(15, 45), outcome=nausea, unit="mg"))
    RecurrentEvents: number of nausea in the arms 15, 45 mg
      events ~ negative binomial, mean = exp(log_rate) * person-time / 28 day, in each arm by itself
      variance = mean + overdispersion * mean^2, one overdispersion for all arms
      rate_nausea: events per 28 day; p_nausea = Pr(at least one event in 84 day)
      priors:
        log_rate        ~ Normal(mean -1.09861, sd 2), 95 % within -5.02 to 2.82
        overdispersion  ~ HalfNormal(sd 1), 95 % within 0.0313 to 2.24
    """

    doses: tuple[float, ...]
    outcome: EventCount
    unit: str = ""
    priors: Mapping[str, Prior] = field(default_factory=dict)
    overdispersed: bool = True

    def __post_init__(self) -> None:
        defaults: dict[str, Prior] = {}
        if isinstance(self.outcome, EventCount):
            centre = math.log(self.outcome.per / self.outcome.period)
            defaults[LOG_RATE] = Normal(centre, RATE_SD)
        if self.overdispersed:
            defaults[SCATTER] = HalfNormal(1.0)
        set_up(self, EventCount, defaults)

    @property
    def endpoints(self) -> tuple[str, ...]:
        """Endpoints that it reads."""
        return self.outcome.endpoints

    @property
    def scale(self) -> str:
        """Scale of the parameters."""
        return f"Log of the {self.outcome.rate_unit}."

    def build(self, data: ArmRecords) -> pm.Model:
        """Return the PyMC model: ``rate_<name>``, ``p_<name>`` and the observed node ``y`` (patient).

        Raises
        ------
        DoseOptError
            When the data have other doses, another unit or another outcome.
        """
        import pymc as pm  # noqa: PLC0415

        frame, o = patients_of(self, data), self.outcome
        per = frame["time"].to_numpy(dtype=float) / o.per
        rows = xr.Dataset(
            {
                "y": (names.PATIENT, frame["count"].to_numpy(dtype="int64")),
                "time": (names.PATIENT, per),
            }
        )
        with pm.Model(coords=arm_coords(self)) as model:
            log_rate = self.priors[LOG_RATE].build(LOG_RATE, (names.DOSE,))
            arm = pm.Data("arm", np.asarray(frame["arm"], dtype="int64"), dims=names.PATIENT)
            CountResponse(self.overdispersed).observe(rows, log_rate[arm], self.priors)
            rate = pm.math.exp(log_rate)
            expected = rate * (o.period / o.per)
            if self.overdispersed:
                k = model[SCATTER]
                expected = pm.math.log1p(k * expected) / k
            none = -pm.math.expm1(-expected)
            pm.Deterministic(f"rate_{o.name}", rate, dims=names.DOSE)
            pm.Deterministic(names.probability(o.name), none, dims=names.DOSE)
        return model

    def words(self) -> tuple[str, ...]:
        """Return the model's equations and choices, a sentence each."""
        o = self.outcome
        kind = "negative binomial" if self.overdispersed else "Poisson"
        time = f"person-time / {o.per:g} {o.time_unit}"
        scatter = f"variance = mean + {SCATTER} * mean^2, one {SCATTER} for all arms"
        return (
            f"events ~ {kind}, mean = exp({LOG_RATE}) * {time}, in each arm by itself",
            *((scatter,) if self.overdispersed else ()),
            (
                f"rate_{o.name}: {o.rate_unit}; p_{o.name} = Pr(at least one event in {o.period:g} "
                f"{o.time_unit})"
            ),
        )

    def __str__(self) -> str:
        head = f"RecurrentEvents: number of {self.outcome.name} in the arms {dose_words(self)}"
        return described(head, self)
