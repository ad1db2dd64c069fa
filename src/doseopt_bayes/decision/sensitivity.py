"""Sensitivity of the decision: to single numbers, all weights at once, prior, association, model."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from doseopt_bayes import names
from doseopt_bayes.decision import prose
from doseopt_bayes.decision.association import Association, association_influence, reads_cells
from doseopt_bayes.decision.cui import CUI
from doseopt_bayes.decision.power_scaling import PowerScaling, power_scaling
from doseopt_bayes.decision.smaa import dirichlet_acceptability
from doseopt_bayes.decision.tipping import Tipping, has_tipping, tipping_points
from doseopt_bayes.errors import DoseOptError

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from doseopt_bayes.data.trial import TrialData
    from doseopt_bayes.decision.alternatives import Alternatives
    from doseopt_bayes.decision.decide import Decision
    from doseopt_bayes.inference.posterior import Posterior
    from doseopt_bayes.models.base import DoseModel

__all__ = ["Sensitivity", "assess_sensitivity"]


@dataclass(frozen=True, eq=False)
class Sensitivity:
    """All that was examined; ``None`` for what has no meaning for the decision.

    Parameters
    ----------
    tipping
        Single weights, limits and certainties.
    acceptability
        Doses under random weights, flat Dirichlet; for a CUI.
    power
        Prior and likelihood; when model and data were given.
    association
        Other associations of the same margins; for a posterior with joint outcomes.
    alternatives
        Other models of the same data; when there are any.
    sentences
        All of it in words.
    """

    tipping: Tipping | None
    acceptability: xr.Dataset | None
    power: PowerScaling | None
    association: Association | None
    alternatives: Alternatives | None
    sentences: tuple[str, ...]

    def frames(self) -> dict[str, pd.DataFrame]:
        """Tables of the report by title."""
        found = {}
        if self.tipping is not None:
            found["Tipping points of single numbers"] = self.tipping.to_frame()
        if self.acceptability is not None:
            keep = ["rank_acceptability", "rank_acceptability_mcse"]
            found["Rank acceptability under random weights"] = (
                self.acceptability[keep].to_dataframe().reset_index()
            )
        if self.power is not None:
            found["Power-scaling of prior and likelihood"] = self.power.to_frame()
        if self.association is not None and self.association.table:
            found["Association of the same margins"] = self.association.to_frame()
        if self.alternatives is not None:
            found["Alternative models"] = self.alternatives.to_frame()
        return found

    def __str__(self) -> str:
        return "\n".join(self.sentences)

    __repr__ = __str__


def assess_sensitivity(
    post: Posterior,
    decision: Decision,
    *,
    model: DoseModel | None = None,
    data: TrialData | None = None,
    alternatives: Alternatives | None = None,
    seed: int | None = None,
) -> Sensitivity:
    """Examine what would change the leading dose, on the same posterior, without a refit.

    Parameters
    ----------
    post, decision
        The posterior and its decision, of one group.
    model, data
        What was fitted, to what; power-scaling is left out without them.
    alternatives
        Comparison with other models, which an analysis fits and
        :func:`~doseopt_bayes.decision.alternatives.compare_alternatives` makes.
    seed
        Of the random weights; the seed of the fit by default, 0 when it has none.

    Returns
    -------
    Sensitivity
        With ``.sentences`` and ``.frames()`` for the report.

    Raises
    ------
    DoseOptError
        When the decision has several groups.
    """
    if decision.status.ndim:
        raise DoseOptError(
            "sensitivity is that of one group",
            hint='take one: post.at(subgroup="..."), decision.at(subgroup="...")',
        )
    tipping = tipping_points(post, decision) if has_tipping(decision) else None
    said = list(tipping.sentences) if tipping is not None else []
    found = None
    cui, lead = decision.utility, float(decision.leading)
    if isinstance(cui, CUI) and not math.isnan(lead):
        chosen = int(post.tree.attrs.get("seed", 0)) if seed is None else seed
        found = dirichlet_acceptability(post, cui, decision.table["admissible"], seed=chosen)
        first = found.sel({names.DOSE: lead, "rank": 1})
        said.append(
            f"With all weights equally likely, {prose.with_unit(lead, decision.table)} is the best "
            f"admissible dose with probability {prose.probability(float(first['rank_acceptability']))} "
            f"(MCSE {prose.error(float(first['rank_acceptability_mcse']))})."
        )
    power = None
    if model is not None and data is not None:
        power = power_scaling(post, decision, model, data)
        said += power.sentences
    association = None
    if names.P_CELL in post.draws or reads_cells(decision):
        association = association_influence(post, decision)
        said += association.sentences
    if alternatives is not None:
        said += alternatives.sentences
    return Sensitivity(tipping, found, power, association, alternatives, tuple(said))
