"""Utilities, admissibility rules, criteria and the decision. One new file and one line here each."""

from __future__ import annotations

from typing import Final

from doseopt_bayes.decision.criteria import (
    LowestWithinDelta,
    MaxProbOBD,
    MeanUtility,
    UtilityOfMeans,
)
from doseopt_bayes.decision.criteria_curve import UtilityAtMeanParameter
from doseopt_bayes.decision.criteria_effect import (
    FractionOfMaxEffect,
    MinExpectedRegret,
    MinimumEffectiveDose,
)
from doseopt_bayes.decision.cui import CUI
from doseopt_bayes.decision.desirability import Desirability, Product
from doseopt_bayes.decision.joint_table import JointTable
from doseopt_bayes.decision.outcome_table import OutcomeTable
from doseopt_bayes.decision.penalised import Penalised
from doseopt_bayes.decision.target import ClosestToTarget, TargetInterval
from doseopt_bayes.decision.utility import LpContour

__all__ = ["CRITERIA", "UTILITIES"]

UTILITIES: Final[dict[str, type]] = {
    "lp_contour": LpContour,
    "cui": CUI,
    "outcome_table": OutcomeTable,
    "joint_table": JointTable,
    "desirability": Desirability,
    "product": Product,
    "penalised": Penalised,
    "target_interval": TargetInterval,
    "closest_to_target": ClosestToTarget,
}
"""Utilities by the name that a specification file uses."""

CRITERIA: Final[dict[str, type]] = {
    "utility_of_means": UtilityOfMeans,
    "utility_at_mean_parameter": UtilityAtMeanParameter,
    "mean_utility": MeanUtility,
    "max_prob_obd": MaxProbOBD,
    "lowest_within_delta": LowestWithinDelta,
    "min_expected_regret": MinExpectedRegret,
    "fraction_of_max_effect": FractionOfMaxEffect,
    "minimum_effective_dose": MinimumEffectiveDose,
}
"""Criteria by the name that a specification file uses."""
