"""Priors as values. A new prior is one file and one line here."""

from __future__ import annotations

from typing import Final

from doseopt_bayes.priors.mixture import COMPONENTS, Mixture
from doseopt_bayes.priors.named import groupings_of, parameter_names
from doseopt_bayes.priors.plain import (
    Beta,
    Dirichlet,
    HalfNormal,
    LogNormal,
    Normal,
    Prior,
    StudentT,
)
from doseopt_bayes.priors.pooled import Pooled, Unpooled
from doseopt_bayes.priors.scales import HalfStudentT, RootInverseGamma

__all__ = [
    "COMPONENTS",
    "PRIORS",
    "Beta",
    "Dirichlet",
    "HalfNormal",
    "HalfStudentT",
    "LogNormal",
    "Mixture",
    "Normal",
    "Pooled",
    "Prior",
    "RootInverseGamma",
    "StudentT",
    "Unpooled",
    "groupings_of",
    "parameter_names",
]

PRIORS: Final[dict[str, type]] = {
    "normal": Normal,
    "student_t": StudentT,
    "beta": Beta,
    "half_normal": HalfNormal,
    "half_student_t": HalfStudentT,
    "root_inverse_gamma": RootInverseGamma,
    "log_normal": LogNormal,
    "pooled": Pooled,
    "unpooled": Unpooled,
    "mixture": Mixture,
}
"""Priors by the name that a specification file uses."""
