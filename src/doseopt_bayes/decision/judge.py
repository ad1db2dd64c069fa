"""The choice itself, without tables and words: what a decision and a simulated trial share."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np
import xarray as xr

from doseopt_bayes import names
from doseopt_bayes.decision.criteria import contested
from doseopt_bayes.errors import DoseOptError

if TYPE_CHECKING:
    from doseopt_bayes.decision.algebra import Rule, Verdict
    from doseopt_bayes.decision.criteria import Choice, Criterion
    from doseopt_bayes.decision.utility import Utility
    from doseopt_bayes.inference.posterior import Posterior

__all__ = ["NONE", "RECOMMENDED", "UNRESOLVED", "Judgement", "judge"]

RECOMMENDED, NONE, UNRESOLVED = "recommended", "none", "not resolved"
NOWHERE: Final = "the utility is not a number at dose {where}; no ranking from it"


@dataclass(frozen=True, eq=False)
class Judgement:
    """Which doses are admissible and which one is chosen, for each combination of extra dims.

    Parameters
    ----------
    utility
        Utility of each draw and dose.
    verdict
        Admissibility by all rules.
    choice
        What the criterion chose among the admissible doses.
    contested
        Over dose: whether the verdict on it is within its Monte Carlo error and the other one would
        change the choice.
    """

    utility: xr.DataArray
    verdict: Verdict
    choice: Choice
    contested: xr.DataArray

    @cached_property
    def leading(self) -> xr.DataArray:
        """The dose that the estimates put first, resolved or not; NaN when none is admissible."""
        chosen = self.choice.chosen
        best: xr.DataArray = chosen[names.DOSE].where(chosen).max(names.DOSE)
        return best

    @cached_property
    def resolved(self) -> xr.DataArray:
        """Whether Monte Carlo error alone (3 standard errors) cannot change the answer."""
        open_: xr.DataArray = self.choice.rivals.any(names.DOSE) | self.contested.any(names.DOSE)
        return ~open_

    @cached_property
    def status(self) -> xr.DataArray:
        """``"recommended"``, ``"none"`` or ``"not resolved"``."""
        found = xr.where(self.choice.chosen.any(names.DOSE), RECOMMENDED, NONE)
        said: xr.DataArray = xr.where(self.resolved, found, UNRESOLVED)
        return said


def judge(post: Posterior, utility: Utility, rules: Rule, criterion: Criterion) -> Judgement:
    """Judge every dose and choose one.

    Parameters
    ----------
    post
        A posterior; dims beyond the sample dims and dose, for example ``trial``, ride along.
    utility, rules, criterion
        As in :func:`~doseopt_bayes.decision.decide.decide`, which calls this.

    Raises
    ------
    DoseOptError
        When the utility is not a number somewhere.
    """
    u = utility({name: post[name] for name in utility.reads})
    finite: xr.DataArray = xr.apply_ufunc(np.isfinite, u)
    lost = ~finite.all([d for d in u.dims if d != names.DOSE])
    if bool(lost.any()):
        where = u[names.DOSE].where(lost, drop=True).to_numpy()
        raise DoseOptError(NOWHERE.format(where=where))
    verdict = rules.judge(post)
    choice = criterion.choose(post, utility, u, verdict.ok)
    shaky = contested(criterion, post, utility, u, verdict, choice)
    return Judgement(u, verdict, choice, shaky)
