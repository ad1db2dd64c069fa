"""Truths of a trial in several groups of patients: one for each, with a common name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from doseopt_bayes.errors import DoseOptError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

    from doseopt_bayes.design.design import Design
    from doseopt_bayes.design.scenario import Scenario

__all__ = ["GroupScenario"]


@dataclass(frozen=True)
class GroupScenario:
    """A named truth for each group of patients.

    Parameters
    ----------
    name
        Name, for tables and figures.
    groups
        Level of the grouping to its truth.

    Raises
    ------
    DoseOptError
        Without groups.

    Examples
    --------
    >>> from doseopt_bayes.design.scenario import Scenario
    >>> same = Scenario("same", p_tox=(0.1, 0.3), p_eff=(0.2, 0.4))
    >>> GroupScenario("alike", {"A": same, "B": same}).groups["B"].p_eff
    (0.2, 0.4)
    """

    name: str
    groups: Mapping[str, Scenario]

    def __post_init__(self) -> None:
        if not self.groups:
            raise DoseOptError(
                f"scenario '{self.name}' has no groups", hint='groups = {"A": Scenario(...), ...}'
            )

    def check(self, design: Design) -> None:
        """Refuse a scenario that does not fit the design.

        Raises
        ------
        DoseOptError
            When its groups are not those of the model, or a truth does not fit the doses.
        """
        ((grouping, levels),) = design.model.groups.items()  # type: ignore[attr-defined]
        for level in self.groups:
            if level not in levels:
                raise DoseOptError(
                    f"scenario '{self.name}' has the {grouping} '{level}', which the model does not name",
                    hint=did_you_mean(level, levels),
                )
        lost = [v for v in levels if v not in self.groups]
        if lost:
            raise DoseOptError(
                f"scenario '{self.name}' has no truth for the {grouping} {', '.join(lost)}",
                hint="one Scenario for each level",
            )
        for truth in self.groups.values():
            truth.truth(design)
