"""How exposures arise at a dose: as observed there, or as a pharmacokinetic simulation gives them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from doseopt_bayes.errors import DoseOptError, did_you_mean
from doseopt_bayes.prediction.people import Crowd, People, Regimen, finite_people

if TYPE_CHECKING:
    import pandas as pd

    from doseopt_bayes.data.exposure import ExposureData

__all__ = [
    "Exposures",
    "GivenExposures",
    "ObservedExposures",
    "count_treated",
    "covariate_columns",
    "covariates_of",
    "exposure_table",
]


class Exposures(Protocol):
    """What a prediction needs to know of exposures; all are frozen values."""

    @property
    def metrics(self) -> tuple[str, ...]:
        """Exposure metrics that it gives, of the same people."""

    def people(self, regimen: Regimen, crowd: Crowd) -> People:
        """Exposures and covariates of people at a regimen."""

    def treated(self, regimen: Regimen) -> int | None:
        """Count who got the regimen; ``None`` when it does not know."""

    def words(self) -> tuple[str, ...]:
        """Return what it assumes, a sentence each."""


@dataclass(frozen=True, eq=False)
class ObservedExposures:
    """The exposures of the people who got the dose: nothing is assumed of their distribution.

    Parameters
    ----------
    data
        Exposure data.
    metrics
        One metric, or several of the same people.
    resample
        Whether these people are a sample of those to come: their weights are then drawn anew in each
        draw (Bayesian bootstrap), so that the finite number of people widens every interval. Without,
        the answer is for these very people.

    Raises
    ------
    DoseOptError
        On an unknown metric.

    Notes
    -----
    It knows the doses that were given, no other: a dose in between needs :class:`PowerModel`.
    """

    data: ExposureData
    metrics: tuple[str, ...]
    resample: bool = True
    _table: pd.DataFrame = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "metrics", _metrics(self.data, self.metrics))
        object.__setattr__(self, "_table", exposure_table(self.data, self.metrics))

    def people(self, regimen: Regimen, crowd: Crowd) -> People:
        """Return everyone who got the regimen, in each draw."""
        here = self._table[_given(self._table, regimen)]
        if not len(here):
            doses = ", ".join(f"{d:g}" for d in sorted(set(self._table["dose"])))
            raise DoseOptError(
                f"nobody with a known {' and '.join(self.metrics)} got '{regimen.label}' (dose "
                f"{regimen.dose:g}{_as(regimen)}); observed exposures are known at {doses}",
                hint="fit_power_model(data, metric) predicts other doses; GivenExposures takes yours",
            )
        exposure = {m: here[m].to_numpy(dtype=float) * regimen.factor for m in self.metrics}
        found = covariate_columns(self.data, here, crowd.covariates)
        return finite_people(exposure, found, crowd, resample=self.resample)

    def treated(self, regimen: Regimen) -> int | None:
        """Count who got the regimen, a known exposure or not."""
        return count_treated(self.data, regimen)

    def words(self) -> tuple[str, ...]:
        """Return what it assumes, a sentence each."""
        how = "whose weights are drawn anew in each draw" if self.resample else "all alike"
        n, left = len(self._table), len(self.data.table) - len(self._table)
        gone = f"; {left} without a known exposure left out" if left else ""
        return (f"exposures: {' and '.join(self.metrics)} as observed in {n} people, {how}{gone}",)

    def __str__(self) -> str:
        return "\n".join(self.words())


@dataclass(frozen=True, eq=False)
class GivenExposures:
    """Exposures from elsewhere, for example of a population pharmacokinetic simulation.

    Parameters
    ----------
    samples
        Label of a regimen (or its dose) to exposures: numbers of simulated people; or a mapping from
        metric to such numbers of the same people; or a function ``(rng, n)`` that returns either for
        ``n`` new people and is called with a NumPy generator.
    metrics
        The metrics that the samples hold.
    data
        Whose people lend their covariates, where a model has any.

    Raises
    ------
    DoseOptError
        On a value below 0 or missing, or metrics of unequal length.

    Examples
    --------
    >>> given = GivenExposures({"40 mg": lambda rng, n: rng.lognormal(3, 0.3, n)}, ("AUC",))
    >>> given.people(Regimen("40 mg", 40), Crowd(2, 5, seed=1)).exposure["AUC"].shape
    (2, 5)
    """

    samples: Mapping[str | float, Any]
    metrics: tuple[str, ...]
    data: ExposureData | None = None

    def __post_init__(self) -> None:
        wanted = (self.metrics,) if isinstance(self.metrics, str) else tuple(self.metrics)
        object.__setattr__(self, "metrics", wanted)
        for key, sample in self.samples.items():
            if not callable(sample):
                self._checked(sample, str(key))

    def people(self, regimen: Regimen, crowd: Crowd) -> People:
        """Return new people for each draw, or those of the sample with weights drawn anew."""
        key = regimen.label if regimen.label in self.samples else regimen.dose
        if key not in self.samples:
            raise DoseOptError(
                f"no exposures are given for '{regimen.label}' (dose {regimen.dose:g})",
                hint=did_you_mean(regimen.label, [str(k) for k in self.samples]),
            )
        sample = self.samples[key]
        if isinstance(sample, Callable):  # type: ignore[arg-type]
            n = crowd.draws * crowd.size
            made = self._checked(sample(crowd.random(0), n), regimen.label, n)
            exposure = {m: x.reshape(crowd.draws, -1) * regimen.factor for m, x in made.items()}
            found = covariates_of(self.data, crowd, (crowd.draws, crowd.size))
            return People(exposure, None, found, halves=True)
        fixed = {m: x * regimen.factor for m, x in self._checked(sample, regimen.label).items()}
        people = finite_people(fixed, {}, crowd, resample=True)
        lent = covariates_of(self.data, crowd, (crowd.draws, people.size))
        return People(people.exposure, people.weight, lent, people.halves, people.sampled)

    def _checked(self, sample: Any, label: str, n: int | None = None) -> dict[str, np.ndarray]:
        if not isinstance(sample, Mapping) and not hasattr(sample, "columns"):
            sample = {self.metrics[0]: sample} if len(self.metrics) == 1 else {}
        missing = [m for m in self.metrics if m not in sample]
        if missing:
            raise DoseOptError(
                f"the exposures given for '{label}' have no {', '.join(missing)}",
                hint="a mapping from each metric to the values of the same people",
            )
        found = {m: np.asarray(sample[m], dtype=float).ravel() for m in self.metrics}
        sizes = {x.size for x in found.values()}
        if len(sizes) > 1 or not min(sizes) or (n is not None and sizes != {n}):
            raise DoseOptError(
                f"the exposures given for '{label}' have {sorted(sizes)} values"
                + ("" if n is None else f" where {n} were asked for"),
                hint="one value of each metric for each person",
            )
        for metric, x in found.items():
            if not (np.isfinite(x) & (x >= 0)).all():
                bad = x[~(np.isfinite(x) & (x >= 0))][0]
                raise DoseOptError(
                    f"the {metric} given for '{label}' is {bad:g} in a person; it must be >= 0"
                )
        return found

    def treated(self, regimen: Regimen) -> int | None:
        """Count who got the regimen; unknown without data."""
        return None if self.data is None else count_treated(self.data, regimen)

    def words(self) -> tuple[str, ...]:
        """Return what it assumes, a sentence each."""
        listed = ", ".join(str(k) for k in self.samples)
        return (f"exposures: {' and '.join(self.metrics)} as given for {listed}",)

    def __str__(self) -> str:
        return "\n".join(self.words())


def exposure_table(data: ExposureData, metrics: tuple[str, ...]) -> pd.DataFrame:
    """Return the rows of the data in which every one of the metrics is known."""
    table = data.table
    known = np.isfinite(table[list(metrics)].to_numpy(dtype=float)).all(axis=1)
    return table[known].reset_index(drop=True)


def covariate_columns(
    data: ExposureData, table: pd.DataFrame, wanted: tuple[str, ...]
) -> dict[str, np.ndarray]:
    """Return covariates of the rows, numbers or levels; refuse what is unknown or missing."""
    found = {}
    for name in wanted:
        if name not in data.covariates:
            raise DoseOptError(
                f"the exposures' data have no covariate '{name}'",
                hint=did_you_mean(name, list(data.covariates)),
            )
        numeric = data.covariates[name].kind == "numeric"
        x = table[name].to_numpy(dtype=float if numeric else object)
        missing = ~np.isfinite(x) if numeric else table[name].isna().to_numpy() | (x == "")
        if missing.any():
            raise DoseOptError(
                f"covariate '{name}' is missing in {int(missing.sum())} of {len(x)} people who would "
                "stand for the population",
                hint="give its value: covariates={...}",
            )
        found[name] = x if numeric else x.astype(str)
    return found


def covariates_of(
    data: ExposureData | None, crowd: Crowd, shape: tuple[int, int]
) -> dict[str, np.ndarray]:
    """Draw people from the data who lend their covariates, each one's together, to new exposures."""
    if not crowd.covariates:
        return {}
    if data is None:
        raise DoseOptError(
            f"the model reads {', '.join(crowd.covariates)}, and nobody lends a value",
            hint="covariates={name: value}, or data=... for people as observed",
        )
    columns = covariate_columns(data, data.table, crowd.covariates)
    some = crowd.random(1).integers(len(data.table), size=shape)
    return {name: x[some] for name, x in columns.items()}


def _metrics(data: ExposureData, wanted: tuple[str, ...] | str) -> tuple[str, ...]:
    found = (wanted,) if isinstance(wanted, str) else tuple(wanted)
    known = ["dose", *data.exposures]
    for metric in found:
        if metric not in known:
            raise DoseOptError(f"no exposure '{metric}'", hint=did_you_mean(metric, known))
    return found


def _given(table: pd.DataFrame, regimen: Regimen) -> np.ndarray:
    same: np.ndarray = np.isclose(
        table["dose"].to_numpy(dtype=float), regimen.dose, rtol=1e-6, atol=0
    )
    if regimen.schedule:
        same &= (table["schedule"] == regimen.schedule).to_numpy()
    return same


def count_treated(data: ExposureData, regimen: Regimen) -> int:
    """Count the patients of the data who got the regimen as it is.

    Raises
    ------
    DoseOptError
        On a schedule that the data do not have.
    """
    if regimen.schedule and regimen.schedule not in data.schedules:
        raise DoseOptError(
            f"Regimen '{regimen.label}': the data have no schedule '{regimen.schedule}'",
            hint=did_you_mean(regimen.schedule, list(data.schedules)),
        )
    # with a factor it is another regimen than the one that was given
    return int(_given(data.table, regimen).sum()) if regimen.factor == 1 else 0


def _as(regimen: Regimen) -> str:
    return f" as {regimen.schedule}" if regimen.schedule else ""
