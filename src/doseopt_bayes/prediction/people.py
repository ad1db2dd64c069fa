"""Regimens, and the people who are given them: exposures and covariates, draw by draw."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy import special

from doseopt_bayes.errors import DoseOptError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = [
    "Crowd",
    "People",
    "Regimen",
    "as_regimens",
    "finite_people",
    "places",
    "stratified_normal",
]

PERSON: Final = "person"  # dim
FEW: Final = 4  # a sample of more people than this times n_people is drawn from, not weighted


@dataclass(frozen=True)
class Regimen:
    """A way to give the drug: a dose as it was studied, another dose, or another schedule.

    Parameters
    ----------
    label
        What tables and decisions call it, for example ``"70 mg BID"``.
    dose
        Its real dose, >= 0, in the unit of the data: the total of a day where schedules differ.
    factor
        Exposure relative to what this dose gives as it was studied, > 0: 1 for the same, 0.7 where a
        schedule or formulation gives 70 %. It is stated, never estimated.
    schedule
        Label of the schedule in the data (``ExposureData.schedules``), where it was given to people;
        empty: whoever got this dose.

    Raises
    ------
    DoseOptError
        On a dose below 0, or a factor that is not positive.

    Examples
    --------
    >>> print(Regimen("70 mg QD, fasted", dose=70, factor=0.8))
    70 mg QD, fasted: dose 70, exposure x 0.8
    """

    label: str
    dose: float
    factor: float = 1.0
    schedule: str = ""

    def __post_init__(self) -> None:
        if not _number(self.dose) or self.dose < 0:
            raise DoseOptError(f"Regimen '{self.label}': dose = {self.dose!r} must be >= 0")
        if not _number(self.factor) or self.factor <= 0:
            raise DoseOptError(
                f"Regimen '{self.label}': factor = {self.factor!r} must be > 0",
                hint="exposure relative to the same dose as it was studied; 1 for the same",
            )
        object.__setattr__(self, "dose", float(self.dose))

    def __str__(self) -> str:
        factor = f", exposure x {self.factor:g}" if self.factor != 1 else ""
        schedule = f", given as {self.schedule}" if self.schedule else ""
        return f"{self.label}: dose {self.dose:g}{factor}{schedule}"


def as_regimens(wanted: Iterable[float | Regimen], unit: str) -> tuple[Regimen, ...]:
    """Return regimens by ascending dose; a number is the dose as it was studied.

    Raises
    ------
    DoseOptError
        Without doses, or when two have one label.
    """
    found = [
        w if isinstance(w, Regimen) else Regimen(f"{float(w):g} {unit}".rstrip(), float(w))
        for w in wanted
    ]
    found.sort(key=lambda r: (r.dose, r.factor, r.label))
    if not found:
        raise DoseOptError("no dose is asked for", hint="for example doses=(10, 20, 40)")
    labels = [r.label for r in found]
    for label in labels:
        if labels.count(label) > 1:
            raise DoseOptError(f"'{label}' is asked for twice", hint="give each regimen its label")
    return tuple(found)


def places(regimens: Sequence[Regimen]) -> tuple[float, ...]:
    """Return a dose for each regimen by which a decision tells them apart.

    Notes
    -----
    Regimens of one dose (80 mg once a day, 40 mg twice) keep it to nine digits: all but the last are
    set a billionth lower, so that a protocol cap at that dose excludes none of them.

    Examples
    --------
    >>> places((Regimen("80 mg QD", 80), Regimen("40 mg BID", 80)))
    (79.99999992, 80.0)
    """
    found: list[float] = []
    for j, one in enumerate(regimens):
        later = sum(math.isclose(one.dose, r.dose, rel_tol=1e-7) for r in regimens[j + 1 :])
        found.append(one.dose - later * max(one.dose, 1.0) * 1e-9)
    return tuple(found)


@dataclass(frozen=True)
class Crowd:
    """How many people are looked at in how many draws, and what of them is needed.

    Parameters
    ----------
    draws, size, seed
        Draws, people in each of them, and the seed of their exposures. The same seed gives the same
        people at every dose, so that doses differ by dose alone.
    covariates
        Names of covariates that are taken from people as observed.
    """

    draws: int
    size: int
    seed: int
    covariates: tuple[str, ...] = ()

    def random(self, stream: int) -> np.random.Generator:
        """Return the generator of one of the streams, the same for every dose."""
        return np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=(stream,)))


@dataclass(frozen=True, eq=False)
class People:
    """People at one regimen.

    Parameters
    ----------
    exposure
        Metric to values, over (draw, person) or (person).
    weight
        Over (draw, person), rows of sum 1; ``None``: all alike.
    covariates
        Covariate to values, over (draw, person) or (person).
    halves
        Whether the first and the second half of the people are two independent samples, so that their
        difference measures the error of a finite number.
    sampled
        Number of people that stand for a population, where they are a fixed sample; 0 otherwise.
    """

    exposure: Mapping[str, np.ndarray]
    weight: np.ndarray | None = None
    covariates: Mapping[str, np.ndarray] = field(default_factory=dict)
    halves: bool = False
    sampled: int = 0

    @property
    def size(self) -> int:
        """People in a draw."""
        return int(next(iter(self.exposure.values())).shape[-1])

    def part(self, at: slice) -> People:
        """Return some of the people, their weights as they were."""
        return People(
            {name: x[..., at] for name, x in self.exposure.items()},
            None if self.weight is None else self.weight[..., at],
            {name: x[..., at] for name, x in self.covariates.items()},
        )


def finite_people(
    exposure: Mapping[str, np.ndarray],
    covariates: Mapping[str, np.ndarray],
    crowd: Crowd,
    *,
    resample: bool,
) -> People:
    """Let a sample of people stand for a population.

    Parameters
    ----------
    exposure, covariates
        Name to values of each person; people are kept whole.
    crowd
        What is asked for.
    resample
        Whether the sample is one of a population: then the weights of the people are drawn anew in
        each draw (Bayesian bootstrap, Rubin 1981), so that their finite number widens the posterior.
        A sample much larger than ``crowd.size`` is drawn from instead.
    """
    # by value, so that the order and the names of the people cannot matter
    order = np.lexsort([*covariates.values(), *exposure.values()])
    exposure = {name: x[order] for name, x in exposure.items()}
    covariates = {name: x[order] for name, x in covariates.items()}
    n = order.size
    if not resample:
        return People(exposure, None, covariates, sampled=n)
    random = crowd.random(0)
    if n > FEW * crowd.size:
        some = random.integers(n, size=(crowd.draws, crowd.size))
        return People(
            {name: x[some] for name, x in exposure.items()},
            None,
            {name: x[some] for name, x in covariates.items()},
            halves=True,
        )
    weight = random.standard_exponential((crowd.draws, n))
    weight /= weight.sum(axis=1, keepdims=True)
    return People(exposure, weight, covariates, sampled=n)


def stratified_normal(crowd: Crowd, columns: int, stream: int = 0) -> np.ndarray:
    """Standard Normal numbers, (draw, person, column), evenly spread in each half of a draw.

    Notes
    -----
    Latin hypercube sampling (McKay et al. 1979) in each half of the people: every draw has its own
    numbers, so that no error is common to all draws, and the mean of a smooth function over one column
    errs by far less than with independent numbers.
    """
    random = crowd.random(stream)
    half = max(1, crowd.size // 2)
    found = np.empty((crowd.draws, 2 * half, columns))
    for j in range(columns):
        for start in (0, half):
            cells = np.tile(np.arange(half), (crowd.draws, 1))
            places = random.permuted(cells, axis=1) + random.random((crowd.draws, half))
            found[:, start : start + half, j] = special.ndtri(places / half)
    return found


def _number(x: object) -> bool:
    return isinstance(x, int | float) and not isinstance(x, bool) and math.isfinite(x)
