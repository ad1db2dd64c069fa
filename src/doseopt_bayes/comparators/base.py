"""What designs of counts share: which endpoints they read, and by which truth they are judged."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from doseopt_bayes import names
from doseopt_bayes.comparators.truth import truth_by_target, truth_by_utility

if TYPE_CHECKING:
    import xarray as xr

    from doseopt_bayes.decision.outcome_table import OutcomeTable
    from doseopt_bayes.design.scenario import Scenario

__all__ = ["ByTarget", "ByUtility"]


class ByTarget:
    """A design of toxicity alone, judged by the dose whose true p_tox is closest to its target."""

    doses: tuple[float, ...]

    @property
    def aim(self) -> float:
        """Target probability of toxicity."""
        found: float = self.target  # type: ignore[attr-defined]
        return found

    @property
    def endpoints(self) -> tuple[str, ...]:
        """Endpoints that its decisions read."""
        return (names.TOX,)

    @property
    def toxicity_limit(self) -> float | None:
        """Probability of toxicity that the MTD does not exceed: none, it is the closest to the target."""
        return None

    def check(self) -> None:
        """Any such design can be simulated."""

    def truth(self, scenario: Scenario) -> xr.Dataset:
        """Return the truth: the MTD is the dose whose true p_tox is closest to the target."""
        return truth_by_target(scenario, self.doses, self.aim)


class ByUtility:
    """A design of toxicity and efficacy, judged by the utility of each patient's outcome."""

    doses: tuple[float, ...]
    most_tox: float
    least_eff: float
    utility: OutcomeTable

    @property
    def endpoints(self) -> tuple[str, ...]:
        """Endpoints that its decisions read."""
        return (names.TOX, names.EFF)

    @property
    def toxicity_limit(self) -> float | None:
        """Probability of toxicity that the MTD does not exceed."""
        return self.most_tox

    @property
    def worth(self) -> np.ndarray:
        """Utility of N, E, T and B."""
        return np.array([self.utility.cells[c] for c in names.CELLS])

    def check(self) -> None:
        """Any such design can be simulated."""

    def truth(self, scenario: Scenario) -> xr.Dataset:
        """Return the truth: true utility, admissibility by both limits, and the optimal dose."""
        return truth_by_utility(
            scenario, self.doses, self.worth, most_tox=self.most_tox, least_eff=self.least_eff
        )
