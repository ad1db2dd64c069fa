"""Published prior sets, each with its source. None looks at the data."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from doseopt_bayes.priors import Normal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from doseopt_bayes.priors import Prior

__all__ = ["BLRM_SINGLE_AGENT", "EFFTOX_MATCHPOINT", "EFFTOX_THALL2014"]

EFFTOX_THALL2014: Final[Mapping[str, Prior]] = MappingProxyType(
    {
        "tox_intercept": Normal(-7.9593, 3.5487),
        "tox_slope": Normal(1.5482, 3.5018),
        "eff_intercept": Normal(0.7367, 2.5423),
        "eff_slope": Normal(3.4181, 2.4406),
        "eff_curvature": Normal(0.0, 0.2),
        "association": Normal(0.0, 1.0),
    }
)
"""Thall, Herrick, Nguyen, Venier and Norris (2014), for doses 1, 2, 4, 6.6, 10; as in trialr."""

EFFTOX_MATCHPOINT: Final[Mapping[str, Prior]] = MappingProxyType(
    {
        "tox_intercept": Normal(-5.4317, 2.7643),
        "tox_slope": Normal(3.1761, 2.7703),
        "eff_intercept": Normal(-0.8442, 1.9786),
        "eff_slope": Normal(1.9857, 1.9820),
        "eff_curvature": Normal(0.0, 0.2),
        "association": Normal(0.0, 1.0),
    }
)
"""Matchpoint trial (Brock et al. 2017), ponatinib 7.5, 15, 30, 45 mg."""

BLRM_SINGLE_AGENT: Final[Mapping[str, Prior]] = MappingProxyType(
    {"log_alpha": Normal(0.0, 2.0), "log_beta": Normal(0.0, 1.0)}
)
"""Single-agent example of the R package OncoBayes2: toxicity 1/2 in the median at the reference dose."""
