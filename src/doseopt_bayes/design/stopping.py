"""When a trial stops: values that combine with | and speak protocol prose."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Final

from doseopt_bayes import names
from doseopt_bayes.errors import DoseOptError

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["STOPS", "Either", "EnoughAtDose", "MaxPatients", "Stop"]


class Stop:
    """Base of the stopping rules: gives them ``|``. A rule is a frozen value; ``str`` is its prose."""

    @property
    def leaves(self) -> tuple[Stop, ...]:
        """Return the elementary rules that it is made of."""
        return (self,)

    @property
    def most(self) -> int | None:
        """Largest number of patients that it lets a trial treat; ``None`` for no such bound."""
        return None

    def holds(self, treated: xr.DataArray, following: xr.DataArray) -> xr.DataArray:
        """Say which trials stop.

        Parameters
        ----------
        treated
            Patients treated so far: (trial, dose).
        following
            Dose that the next cohort would receive: (trial); NaN for none.
        """
        raise TypeError(f"{type(self).__name__} does not stop")

    def __or__(self, other: Stop) -> Stop:
        return Either((*self.leaves, *other.leaves))


@dataclass(frozen=True)
class Either(Stop):
    """Stop as soon as one of several rules says so."""

    rules: tuple[Stop, ...]

    @property
    def leaves(self) -> tuple[Stop, ...]:
        """Return the elementary rules that it is made of."""
        return self.rules

    @property
    def most(self) -> int | None:
        """Largest number of patients that it lets a trial treat."""
        bounds = [r.most for r in self.rules if r.most is not None]
        return min(bounds, default=None)

    def holds(self, treated: xr.DataArray, following: xr.DataArray) -> xr.DataArray:
        """Say which trials stop."""
        return reduce(or_, (r.holds(treated, following) for r in self.rules))

    def __str__(self) -> str:
        return ", or ".join(map(str, self.rules))


@dataclass(frozen=True)
class MaxPatients(Stop):
    """Stop when `patients` patients were treated.

    Examples
    --------
    >>> print(MaxPatients(39) | EnoughAtDose(18))
    39 patients were treated, or 18 were treated at the dose that the next cohort would receive
    """

    patients: int

    def __post_init__(self) -> None:
        _whole("MaxPatients: patients", self.patients)

    @property
    def most(self) -> int | None:
        """Largest number of patients."""
        return self.patients

    def holds(self, treated: xr.DataArray, following: xr.DataArray) -> xr.DataArray:
        """Say which trials stop."""
        found: xr.DataArray = treated.sum(names.DOSE) >= self.patients
        return found

    def __str__(self) -> str:
        return f"{self.patients} patients were treated"


@dataclass(frozen=True)
class EnoughAtDose(Stop):
    """Stop when the dose that comes next has treated `patients` patients already."""

    patients: int

    def __post_init__(self) -> None:
        _whole("EnoughAtDose: patients", self.patients)

    def holds(self, treated: xr.DataArray, following: xr.DataArray) -> xr.DataArray:
        """Say which trials stop."""
        there = treated.where(treated[names.DOSE] == following, 0).sum(names.DOSE)
        found: xr.DataArray = there >= self.patients
        return found

    def __str__(self) -> str:
        return f"{self.patients} were treated at the dose that the next cohort would receive"


def _whole(what: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise DoseOptError(f"{what} = {value!r} must be a whole number >= 1")


STOPS: Final[dict[str, type[Stop]]] = {"max_patients": MaxPatients, "enough_at_dose": EnoughAtDose}
"""Stopping rules by the name that a specification file uses."""
