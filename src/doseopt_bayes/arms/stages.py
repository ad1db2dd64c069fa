"""The stages of a randomised trial against each other, before they are pooled."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import xarray as xr

from doseopt_bayes import names
from doseopt_bayes.arms.compare import PAIR, pair_label
from doseopt_bayes.arms.margin import UTILITY, endpoint_draws, measured
from doseopt_bayes.arms.pairs import pairs_of
from doseopt_bayes.arms.strata import differences_by, levels_of
from doseopt_bayes.decision.decide import INTERVAL
from doseopt_bayes.decision.prose import error, probability
from doseopt_bayes.errors import DoseOptError
from doseopt_bayes.inference.posterior import probabilities

if TYPE_CHECKING:
    import pandas as pd

    from doseopt_bayes.decision.utility import Utility
    from doseopt_bayes.inference.posterior import Posterior

__all__ = ["StageCheck", "compare_stages"]

STEP: Final = "step"
POOLING: Final = (
    "Pooling the stages: given all patients of all arms, those of dropped arms too, the posterior needs "
    "no correction for the choice that was made between the stages. What the choice does bias is the "
    "observed rate of the arm that was kept (shrunk_rates) and the type I error of a test of the pooled "
    "data (seamless_error)."
)


@dataclass(frozen=True, eq=False)
class StageCheck:
    """How much arms and their differences change from one stage to the next.

    Parameters
    ----------
    table
        Over ``step`` (a later stage less the one before), ``dose`` and ``endpoint``: ``drift``, the
        change of an arm's own value (NaN where an arm has no patients in one of the two). Over
        ``step``, ``pair`` and ``endpoint``: ``change``, that of low - high. Means with equal-tailed
        95 % intervals (``_low``, ``_high``), ``_mcse``, and ``_above``, the probability of a rise.
    sentences
        The same in words.
    """

    table: xr.Dataset
    sentences: tuple[str, ...]

    def to_frame(self) -> pd.DataFrame:
        """Table with a row per step, pair and endpoint: the change of the difference."""
        kept = [v for v in self.table if set(self.table[v].dims) == {STEP, PAIR, names.ENDPOINT}]
        order = [STEP, PAIR, names.ENDPOINT]
        return self.table[kept].to_dataframe(dim_order=order).reset_index()

    def __str__(self) -> str:
        return "\n".join(self.sentences)

    __repr__ = __str__


def compare_stages(post: Posterior, *, utility: Utility, over: str = "stage") -> StageCheck:
    """Show whether the arms and their differences are the same in each stage of a trial.

    Parameters
    ----------
    post
        A fitted posterior with the stages as its one grouping, in their order. Use a model in which
        they do not borrow (``Saturated`` with ``groups``): stages that are shrunk towards each other
        look alike.
    utility
        Its difference is checked as those of the endpoints are.
    over
        Name of the grouping.

    Returns
    -------
    StageCheck
        Of arms with patients in both stages of a step. An arm that was dropped or added has no change.

    Raises
    ------
    DoseOptError
        On another grouping, one stage, or two stages that share fewer than two arms.

    Notes
    -----
    An interval that holds 0 does not show that the stages agree; its width says what they may differ
    by. Patients of one stage may differ from those of another (sites, standard of care), which the
    randomisation inside each stage takes out of the differences but not out of the rates.
    """
    stages = levels_of(post, over)
    if len(stages) < 2:
        raise DoseOptError(f"{over} has one level, {stages[0]}: there is nothing to compare")
    parts = {s: post.at(**{over: s}) for s in stages}
    unit = str(post.draws[names.DOSE].attrs.get("units", ""))
    steps = []
    for before, after in itertools.pairwise(stages):
        both = {before: parts[before], after: parts[after]}
        found = _step(post, both, utility, unit, over)
        steps.append(found.expand_dims({STEP: [f"{after} less {before}"]}))
    table = xr.concat(steps, dim=STEP, join="outer", coords="minimal", compat="override")
    table.attrs = {"unit": unit, "interval": INTERVAL}
    return StageCheck(table, _sentences(table))


def _step(
    post: Posterior, both: dict[str, Posterior], utility: Utility, unit: str, over: str
) -> xr.Dataset:
    treated = {s: p.seen[names.N_TREATED] for s, p in both.items()}
    doses = [float(d) for d in post.draws[names.DOSE].to_numpy()]
    arms = [d for d in doses if all(int(t.sel({names.DOSE: d})) > 0 for t in treated.values())]
    if len(arms) < 2:
        raise DoseOptError(
            f"{over} {' and '.join(both)} share {len(arms)} arm with patients; a difference needs two",
            hint="an arm that one stage alone has cannot show whether the stages agree",
        )
    pairs = tuple(itertools.combinations(arms, 2))
    for part in both.values():
        pairs_of(part, pairs)
    first = next(iter(both.values()))
    ends = [v.removeprefix("p_") for v in probabilities(first.draws)]
    ends += [*measured(first.draws), UTILITY]
    labels = xr.DataArray([pair_label(*p, unit) for p in pairs], dims=PAIR)
    x = differences_by(both, utility, pairs, ends, labels, over)
    change = x.isel({over: 1}, drop=True) - x.isel({over: 0}, drop=True)
    levels = []
    for part in both.values():
        u = utility({name: part[name] for name in utility.reads})
        own = [endpoint_draws(part, u, e).reset_coords(drop=True) for e in ends]
        levels.append(xr.concat(own, dim=names.ENDPOINT, coords="minimal", compat="override"))
    drift = (levels[1] - levels[0]).sel({names.DOSE: arms})
    drift = drift.assign_coords({names.ENDPOINT: ends})
    found = {**_spread(post, "change", change), **_spread(post, "drift", drift)}
    return xr.Dataset(found).reindex({names.DOSE: doses})


def _spread(post: Posterior, name: str, x: xr.DataArray) -> dict[str, xr.DataArray]:
    tail = (1 - INTERVAL) / 2
    found = {name: post.expect(x), f"{name}_mcse": post.mcse(x),
             f"{name}_above": post.prob(x > 0), f"{name}_above_mcse": post.mcse(x > 0)}  # fmt: skip
    for end, q in (("low", tail), ("high", 1 - tail)):
        found |= {f"{name}_{end}": post.quantile(x, q), f"{name}_{end}_mcse": post.mcse(x, q=q)}
    return found


def _sentences(table: xr.Dataset) -> tuple[str, ...]:
    said = []
    for step in table[STEP].to_numpy():
        for pair in table[PAIR].to_numpy():
            for end in table[names.ENDPOINT].to_numpy():
                at = table.sel({STEP: step, PAIR: pair, names.ENDPOINT: end})
                if math.isnan(float(at["change"])):
                    continue
                low, high = float(at["change_low"]), float(at["change_high"])
                verdict = (
                    "the interval holds 0: a change is not shown, and one of this size is not excluded"
                    if low <= 0 <= high
                    else "the interval leaves 0 out: pooling averages two different effects"
                )
                said.append(
                    f"{pair}, {end}: low - high of {step} is {float(at['change']):+.3f} (95 % interval "
                    f"{low:+.3f} to {high:+.3f}, MCSE {error(float(at['change_mcse']))}; Pr(> 0) "
                    f"{probability(float(at['change_above']))}); {verdict}."
                )
    return (*said, POOLING)
