"""What a value that is built around a design takes from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import xarray as xr

    from doseopt_bayes.design.scenario import Scenario
    from doseopt_bayes.design.stopping import Stop
    from doseopt_bayes.design.trialled import Trialled

__all__ = ["Around"]


class Around:
    """Base of designs around a `design`: doses, cohorts, end and truth are that one's."""

    design: Trialled

    @property
    def judge_design(self) -> Trialled:
        """Design whose truth says which dose is right."""
        return self.design

    @property
    def doses(self) -> tuple[float, ...]:
        """Candidate doses, ascending, in `unit`."""
        return self.design.doses

    @property
    def unit(self) -> str:
        """Unit of the doses."""
        return self.design.unit

    @property
    def start(self) -> float:
        """Dose of the first cohort."""
        return self.design.start

    @property
    def cohort(self) -> int:
        """Patients of a cohort."""
        return self.design.cohort

    @property
    def stop(self) -> Stop:
        """When the cohorts end."""
        return self.design.stop

    @property
    def most(self) -> int:
        """Largest number of patients of cohorts."""
        return self.design.most

    @property
    def endpoints(self) -> tuple[str, ...]:
        """Endpoints that the truth reads."""
        return self.judge_design.endpoints

    @property
    def toxicity_limit(self) -> float | None:
        """Probability of toxicity that the MTD does not exceed."""
        return self.judge_design.toxicity_limit

    def check(self) -> None:
        """Refuse what cannot be simulated."""
        self.design.check()

    def truth(self, scenario: Scenario) -> xr.Dataset:
        """Return what a truth means."""
        return self.judge_design.truth(scenario)
