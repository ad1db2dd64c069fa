"""Utilities, admissibility rules, criteria and the decision. One new file and one line here each."""

from __future__ import annotations

from typing import Final

from doseopt_bayes.decision.cui import CUI
from doseopt_bayes.decision.utility import LpContour

__all__ = ["UTILITIES"]

UTILITIES: Final[dict[str, type]] = {"lp_contour": LpContour, "cui": CUI}
"""Utilities by the name that a specification file uses."""
