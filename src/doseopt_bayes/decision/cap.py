"""What a protocol cap changes: the dose that would lead without it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import xarray as xr

from doseopt_bayes import names
from doseopt_bayes.decision import prose
from doseopt_bayes.decision.algebra import without_absolute
from doseopt_bayes.decision.criteria import Criterion, contested
from doseopt_bayes.decision.rules import ProtocolCap, Rule

if TYPE_CHECKING:
    from doseopt_bayes.decision.utility import Utility
    from doseopt_bayes.inference.posterior import Posterior

__all__ = ["caution_cap", "without_cap"]


def without_cap(
    post: Posterior, utility: Utility, u: xr.DataArray, rules: Rule, how: Criterion
) -> xr.Dataset:
    """Decide once more without the protocol cap.

    Parameters
    ----------
    post, utility, u, how
        Posterior, utility, its draws and the criterion of the decision.
    rules
        Its rules.

    Returns
    -------
    xarray.Dataset
        ``protocol_cap``, the lowest cap, and ``leading_without_cap``, both in the unit of the doses,
        the latter NaN when no dose would lead; ``leading_without_cap_resolved``, whether 3 Monte
        Carlo standard errors could not change that. No variables without a cap.
    """
    caps = [r.highest for r in rules.leaves if isinstance(r, ProtocolCap)]
    others = without_absolute(rules)
    if not caps or others is None:
        return xr.Dataset()
    verdict = others.judge(post)
    choice = how.choose(post, utility, u, verdict.ok)
    open_ = choice.rivals | contested(how, post, utility, u, verdict, choice)
    return xr.Dataset(
        {
            "protocol_cap": float(min(caps)),
            "leading_without_cap": u[names.DOSE].where(choice.chosen).max(names.DOSE),
            "leading_without_cap_resolved": ~open_.any(names.DOSE),
        }
    )


def caution_cap(table: xr.Dataset, leading: float) -> list[str]:
    """Say of a table without extra dims that the cap changed which dose leads."""
    if "protocol_cap" not in table:
        return []
    cap, instead = float(table["protocol_cap"]), float(table["leading_without_cap"])
    if math.isnan(instead) or instead == leading:
        return []
    by = f"but for the protocol cap of {prose.with_unit(cap, table)}"
    doubt = "" if bool(table["leading_without_cap_resolved"]) else " (not resolved by these draws)"
    return [f"{prose.with_unit(instead, table)} would lead{doubt} {by}."]
