"""Influence of the association between toxicity and efficacy, the margins of each draw kept."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np
import xarray as xr

from doseopt_bayes import names
from doseopt_bayes.decision.decide import Decision, decide
from doseopt_bayes.decision.prose import same_dose, with_unit
from doseopt_bayes.errors import DoseOptError

if TYPE_CHECKING:
    import pandas as pd

    from doseopt_bayes.inference.posterior import Posterior

__all__ = ["Association", "association_influence", "reads_cells"]

STRENGTHS: Final = ("as negative as possible", "none", "as positive as possible")


@dataclass(frozen=True, eq=False)
class Association:
    """The decision under other associations of the same margins.

    Parameters
    ----------
    table
        Over ``association`` (as negative as the margins allow, none, as positive as they allow) and
        ``dose``: ``utility`` with ``utility_mcse``; over association: ``leading`` (dose; NaN: none is
        admissible) and ``status``. Empty for a utility that reads margins alone.
    sentences
        The same in words.
    """

    table: xr.Dataset
    sentences: tuple[str, ...]

    def to_frame(self) -> pd.DataFrame:
        """Table with a row per association: leading dose and status."""
        return self.table[["leading", "status"]].to_dataframe().reset_index()

    def __str__(self) -> str:
        return "\n".join(self.sentences)

    __repr__ = __str__


def reads_cells(decision: Decision) -> bool:
    """Whether the utility reads joint outcomes, so that the association enters it."""
    return names.P_CELL in decision.utility.reads


def association_influence(post: Posterior, decision: Decision) -> Association:
    """Decide again with the same margins and the weakest, no, and the strongest association.

    Parameters
    ----------
    post, decision
        The posterior and its decision, of one group. Nothing is refitted: how the association moves
        the margins themselves is asked of an alternative model.

    Returns
    -------
    Association
        The extremes are the bounds of Fréchet: Pr(both) = max(0, p_tox + p_eff - 1) and
        min(p_tox, p_eff), in every draw. What is the same at both ends need not be so between them
        when the utility is not linear in the cells; tables of outcomes are.

    Raises
    ------
    DoseOptError
        When the decision has several groups.
    """
    if decision.status.ndim:
        raise DoseOptError("the association is that of one group", hint="decide on one group")
    if not reads_cells(decision):
        said = (
            "The utility reads no joint outcome: with the same margins, the association between "
            "toxicity and efficacy cannot change it."
        )
        return Association(xr.Dataset(), (said,))
    p_tox, p_eff = post[names.P_TOX], post[names.P_EFF]
    joint = {
        STRENGTHS[0]: (p_tox + p_eff - 1).clip(min=0),
        STRENGTHS[1]: p_tox * p_eff,
        STRENGTHS[2]: xr.where(p_tox < p_eff, p_tox, p_eff),
    }
    found = []
    for both in joint.values():
        again = decide(_with_cells(post, p_tox, p_eff, both), decision.utility, decision.rules,
                       criterion=decision.criterion, override_diagnostics=True)  # fmt: skip
        row = again.table[["utility", "utility_mcse"]].drop_vars("rule", errors="ignore")
        found.append(row.assign(leading=again.leading, status=again.status))
    table = xr.concat(found, dim="association").assign_coords(association=list(joint))
    table.attrs["unit"] = str(decision.table.attrs.get("unit", ""))
    return Association(table, _sentences(table, float(decision.leading)))


def _with_cells(
    post: Posterior, p_tox: xr.DataArray, p_eff: xr.DataArray, both: xr.DataArray
) -> Posterior:
    cells = {"N": 1 - p_tox - p_eff + both, "E": p_eff - both, "T": p_tox - both, "B": both}
    parts = [cells[letter] for letter in names.CELLS]
    p_cell = xr.concat(parts, dim=names.CELL).assign_coords({names.CELL: list(names.CELLS)})
    draws = post.draws.drop_vars(names.P_CELL)
    tree = post.tree.copy()
    tree["posterior"] = xr.DataTree(draws.assign({names.P_CELL: p_cell.clip(min=0)}))
    return replace(post, tree=tree)


def _sentences(table: xr.Dataset, start: float) -> tuple[str, ...]:
    moved = [
        (str(a), float(x))
        for a, x in zip(table["association"].to_numpy(), table["leading"].to_numpy(), strict=True)
        if not same_dose(float(x), start)
    ]
    spread = float(
        (table["utility"].max("association") - table["utility"].min("association")).max()
    )
    size = f"moves the utility of a dose by at most {spread:.2g}"
    if spread < 1e-9:
        size = "cannot change the utility, which is additive in toxicity and efficacy"
    if not moved:
        return (
            f"With the same margins the association {size}; {with_unit(start, table)} leads with any.",
        )
    flips = "; ".join(f"{with_unit(x, table)} when it is {a}" for a, x in moved)
    open_ = [str(s) for s in np.unique(table["status"].to_numpy()) if s == "not resolved"]
    doubt = " Not all of these are resolved by the draws." * bool(open_)
    said = (
        f"With the same margins the association {size} and the leading dose changes from "
        f"{with_unit(start, table)} to {flips}.{doubt}"
    )
    return (said,)
