"""The decision under a weaker or stronger prior or likelihood, without a refit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import xarray as xr

from doseopt_bayes.decision import prose
from doseopt_bayes.decision.decide import Decision, decide
from doseopt_bayes.errors import DoseOptError
from doseopt_bayes.inference.posterior import probabilities
from doseopt_bayes.inference.power import ALPHAS, log_densities, power_sense, power_weights
from doseopt_bayes.inference.reweighted import reweighted

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from doseopt_bayes.data.trial import TrialData
    from doseopt_bayes.inference.posterior import Posterior
    from doseopt_bayes.models.base import DoseModel

__all__ = ["PowerScaling", "power_scaling"]

KEPT = ("utility", "utility_mcse", "prob_obd_admissible", "prob_obd_admissible_mcse",
        "admissible")  # fmt: skip


@dataclass(frozen=True, eq=False)
class PowerScaling:
    """The decision under a weaker and a stronger prior or likelihood.

    Parameters
    ----------
    table
        Over ``component`` (prior, likelihood), ``alpha`` (the power) and ``dose``: utility and
        Pr(OBD) among admissible doses with Monte Carlo errors, and ``admissible``. Over component and
        alpha: ``leading`` (dose; NaN: none is admissible), ``status`` (``"not resolved"`` also when
        the weights are not reliable), ``khat``, ``ess``, ``reliable``. Over component and dose:
        ``psense_...``, the power-scaling sensitivity of each quantity.
    sentences
        The same in words.
    """

    table: xr.Dataset
    sentences: tuple[str, ...]

    def to_frame(self) -> pd.DataFrame:
        """Table with a row per component and power: leading dose, status, k-hat, ESS."""
        keep = ["leading", "status", "khat", "ess", "reliable"]
        return self.table[keep].to_dataframe().reset_index()[["component", "alpha", *keep]]

    def __str__(self) -> str:
        return "\n".join(self.sentences)

    __repr__ = __str__


def power_scaling(
    post: Posterior,
    decision: Decision,
    model: DoseModel,
    data: TrialData,
    *,
    alphas: Sequence[float] = ALPHAS,
) -> PowerScaling:
    """Decide again under prior^alpha and likelihood^alpha, by importance weights of the same draws.

    Parameters
    ----------
    post, decision
        The posterior and its decision, of one group.
    model, data
        What was fitted, to what.
    alphas
        Powers: below 1 weakens, above 1 strengthens.

    Returns
    -------
    PowerScaling
        Not resolved where the Pareto k-hat of the weights exceeds its limit (at most 0.7).

    Raises
    ------
    DoseOptError
        When the decision has several groups, and as :func:`log_densities` and :func:`power_weights`.

    Notes
    -----
    Kallioinen et al. (2024). A power of a Normal prior is the same prior with its standard deviation
    divided by the square root of the power.
    """
    if decision.status.ndim:
        raise DoseOptError(
            "power-scaling decides for one group", hint="decide on the draws of one group"
        )
    densities = log_densities(post, model, data)
    weights = power_weights(post, densities, alphas=alphas)
    u = decision.utility({name: post[name] for name in decision.utility.reads})
    known = {n: post[n] for n in probabilities(post.draws)}
    sense = power_sense(post, densities, xr.Dataset({**known, "utility": u}))

    rows = []
    for component in weights["component"].to_numpy():
        cells = []
        for alpha in weights["alpha"].to_numpy():
            at = weights.sel(component=component, alpha=alpha, drop=True)
            again = decide(reweighted(post, at["weight"]), decision.utility, decision.rules,
                           criterion=decision.criterion, override_diagnostics=True)  # fmt: skip
            cell = again.table[list(KEPT)].drop_vars("rule", errors="ignore")
            cell["leading"] = again.leading
            status = str(again.status.item())
            cell["status"] = status if bool(at["reliable"]) else "not resolved"
            cells.append(cell.assign(at[["khat", "ess", "reliable"]]))
        rows.append(xr.concat(cells, dim="alpha"))
    table = xr.concat(rows, dim="component").assign_coords(
        component=weights["component"], alpha=weights["alpha"]
    )
    for name, x in sense.data_vars.items():
        table[f"psense_{name}"] = x
    table.attrs = {
        "unit": str(decision.table.attrs.get("unit", "")),
        "leading": float(decision.leading),
        "status": str(decision.status.item()),
        "khat_limit": weights.attrs["khat_limit"],
    }
    return PowerScaling(table, _power_sentences(table))


def _power_sentences(table: xr.Dataset) -> tuple[str, ...]:
    start = table.attrs["leading"]
    subject = "recommendation" if table.attrs["status"] == "recommended" else "leading dose"
    said = []
    for component in table["component"].to_numpy():
        kept, other = [], []
        for alpha in table["alpha"].to_numpy():
            at = table.sel(component=component, alpha=alpha)
            how = f"{'weakened' if alpha < 1 else 'strengthened'} (power {alpha:g})"
            new, status = float(at["leading"]), str(at["status"].item())
            if not bool(at["reliable"]):
                other.append(
                    f"Not resolved: what follows when the {component} is {how}; Pareto k-hat "
                    f"{float(at['khat']):.2f} exceeds {table.attrs['khat_limit']:.2g}, refit instead."
                )
            elif prose.same_dose(new, start):
                doubt = status == "not resolved" and table.attrs["status"] != status
                kept.append(how + ", then within Monte Carlo error of another answer" * doubt)
            else:
                doubt = " (not resolved by these draws)" * (status == "not resolved")
                other.append(
                    f"When the {component} is {how}, {prose.with_unit(new, table)} leads instead of "
                    f"{prose.with_unit(start, table)}{doubt}."
                )
        if kept:
            said.append(
                f"The {subject} ({prose.with_unit(start, table)}) does not change when the "
                f"{component} is {' or '.join(kept)}."
            )
        said += other
    return tuple(said)
