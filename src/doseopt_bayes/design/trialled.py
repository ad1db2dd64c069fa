"""What can be simulated: doses, cohorts, an end, and something that decides after each cohort."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import xarray as xr

    from doseopt_bayes.design.scenario import Scenario
    from doseopt_bayes.design.stopping import Stop

__all__ = ["Answers", "Decides", "Trialled"]


@dataclass(frozen=True, eq=False)
class Answers:
    """What is decided in each of several states.

    Parameters
    ----------
    dose
        Position of the chosen dose among the candidate doses, -1 for none.
    resolved
        Whether Monte Carlo error alone (3 standard errors) cannot change it.
    ended
        Whether the design itself ends the trial here (3 + 3 does); ``None``: its stopping rule alone.
    """

    dose: np.ndarray
    resolved: np.ndarray
    ended: np.ndarray | None = None


class Decides(Protocol):
    """Decides for many trials at once."""

    seed: int

    @property
    def design(self) -> Trialled:
        """The design whose decisions they are."""

    @property
    def fits(self) -> Mapping[str, int]:
        """Number of posteriors by engine so far."""

    def __call__(
        self, cells: np.ndarray, here: np.ndarray | None = None, *, final: bool = False
    ) -> Answers:
        """Decide for each state.

        Parameters
        ----------
        cells
            Patients by outcome: (state, dose, cell), whole numbers.
        here
            Position of the dose that the last cohort received: (state,).
        final
            Whether the trial ends: which dose is recommended.
        """


class Trialled(Protocol):
    """A frozen value that says how a trial doses its cohorts."""

    @property
    def doses(self) -> tuple[float, ...]:
        """Candidate doses, ascending, in `unit`."""

    @property
    def unit(self) -> str:
        """Unit of the doses."""

    @property
    def start(self) -> float:
        """Dose of the first cohort."""

    @property
    def cohort(self) -> int:
        """Patients of a cohort."""

    @property
    def stop(self) -> Stop:
        """When the trial stops."""

    @property
    def most(self) -> int:
        """Largest number of patients that a trial can treat."""

    @property
    def endpoints(self) -> tuple[str, ...]:
        """Endpoints that its decisions read."""

    @property
    def toxicity_limit(self) -> float | None:
        """Probability of toxicity that the MTD does not exceed; ``None`` without one."""

    def check(self) -> None:
        """Refuse what cannot be simulated, before anything runs."""

    def truth(self, scenario: Scenario) -> xr.Dataset:
        """Return what a truth means under the design, as ``Scenario.truth`` describes it."""

    def decider(self, seed: int, particles: int, threads: int) -> Decides:
        """Return what decides after each cohort."""
