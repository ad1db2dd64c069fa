"""Arms compared pair by pair, and ranked, from one posterior."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from doseopt_bayes import names
from doseopt_bayes.arms import prose
from doseopt_bayes.arms.margin import MEASURED, UTILITY, Margin, endpoint_draws, measured
from doseopt_bayes.arms.pairs import pairs_of
from doseopt_bayes.decision.decide import INTERVAL, Decision, decide
from doseopt_bayes.decision.ranking import Ranking, rank_doses
from doseopt_bayes.decision.rules import RESOLVED, Rule, TriedOnly
from doseopt_bayes.errors import DoseOptError
from doseopt_bayes.inference.posterior import probabilities

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pandas as pd

    from doseopt_bayes.decision.criteria import Criterion
    from doseopt_bayes.decision.utility import Utility
    from doseopt_bayes.inference.posterior import Posterior

__all__ = ["MARGIN", "PAIR", "ArmComparison", "checked_margins", "compare_arms", "verdict"]

PAIR, MARGIN = "pair", "margin"
MET, NOT_MET, OPEN = "met", "not met", "not resolved"


@dataclass(frozen=True, eq=False)
class ArmComparison:
    """Every pair of arms, and every arm, each number with its Monte Carlo error (suffix ``_mcse``).

    Parameters
    ----------
    table
        Over ``pair`` (with ``low`` and ``high``, doses) and ``endpoint`` (rates and mean grades, by the
        name of their variable and in their own unit, after probabilities; ``"utility"`` last):
        ``difference`` (mean of low - high) with an equal-tailed 95 % interval, ``ratio`` (median of
        low / high, whose mean need not exist; NaN for the utility) with its interval, ``prob_higher``
        (Pr(low > high)). Over ``pair`` and ``margin``: ``within``, the probability of each margin.
        Over ``pair``: ``joint``, that of all at once, in the same draws, and ``status``: ``"met"``
        when `certainty` is exceeded, ``"not met"``, or ``"not resolved"`` within 3 Monte Carlo errors.
        Over ``dose`` and ``endpoint``: ``n`` and ``events`` where they are known.
    decision
        The arms ranked: utility, Pr(best), admissibility, and the answer.
    ranking
        Expected regret, rank and pairwise probabilities of the admissible arms.
    margins
        As they were given.
    certainty
        What ``joint`` must exceed.
    sentences
        All of it in words.
    """

    table: xr.Dataset
    decision: Decision
    ranking: Ranking
    margins: tuple[Margin, ...]
    certainty: float
    sentences: tuple[str, ...]

    def to_frame(self) -> pd.DataFrame:
        """Table with a row per pair and endpoint: difference, ratio, intervals and their errors."""
        kept = [v for v in self.table if set(self.table[v].dims) == {PAIR, names.ENDPOINT}]
        frame = self.table[kept].to_dataframe(dim_order=[PAIR, names.ENDPOINT]).reset_index()
        if self.decision.stamps:
            frame["stamps"] = "; ".join(self.decision.stamps)
        return frame

    def margins_frame(self) -> pd.DataFrame:
        """Table with a row per pair and margin, and a row ``all at once`` for each pair."""
        import pandas as pd  # noqa: PLC0415

        rows = []
        for pair in self.table[PAIR].to_numpy():
            at = self.table.sel({PAIR: pair})
            for margin in self.table[MARGIN].to_numpy():
                one = at.sel({MARGIN: margin})
                rows.append((pair, margin, float(one["within"]), float(one["within_mcse"]), ""))
            joint = (float(at["joint"]), float(at["joint_mcse"]), str(at["status"].item()))
            rows.append((pair, "all at once", *joint))
        return pd.DataFrame(rows, columns=[PAIR, MARGIN, "probability", "mcse", "status"])

    def arms_frame(self) -> pd.DataFrame:
        """Table with a row per arm: utility, Pr(best), expected regret, rank and their errors."""
        table, ranked = self.decision.table, self.ranking.table
        kept = table[["n_treated", "utility", "utility_mcse", "utility_low", "utility_high",
                      "prob_obd_admissible", "prob_obd_admissible_mcse", "rank", "admissible",
                      "admissible_resolved"]]  # fmt: skip
        both = kept.assign(regret=ranked["regret"], regret_mcse=ranked["regret_mcse"])
        return both.drop_vars("rule", errors="ignore").to_dataframe().reset_index()

    def __str__(self) -> str:
        return "\n".join(self.sentences)

    __repr__ = __str__


def compare_arms(
    post: Posterior,
    *,
    margins: Sequence[Margin],
    utility: Utility,
    rules: Rule | None = None,
    criterion: str | Criterion = "mean_utility",
    pairs: Sequence[tuple[float | str, float | str]] | None = None,
    certainty: float = 0.8,
    override_diagnostics: bool = False,
) -> ArmComparison:
    """Compare randomised arms: what the lower dose gives up, and how sure that is.

    Parameters
    ----------
    post
        A fitted posterior of one group whose doses are the arms, of any model: ``Saturated`` keeps
        the arms apart, a curve lets them borrow.
    margins
        What the lower arm may lose, each with its direction; at least one.
    utility, rules, criterion, override_diagnostics
        As in :func:`~doseopt_bayes.decision.decide.decide`; without rules every treated arm competes.
    pairs
        Pairs (low, high), as doses or as text with the unit; every pair of treated arms by default.
    certainty
        Probability of all margins at once that the lower arm must exceed, in (0, 1).

    Returns
    -------
    ArmComparison
        The joint probability is that of the draws: where endpoints were counted apart, its dependence
        is the prior's, and :func:`~doseopt_bayes.arms.band.association_band` shows what that matters.

    Raises
    ------
    DiagnosticsError
        When the fit failed its diagnostics and that is not overridden.
    DoseOptError
        On several groups, no margin, an unknown endpoint or arm, or another unit.
    """
    checked = checked_margins(margins)
    if not 0 < certainty < 1:
        raise DoseOptError(f"certainty = {certainty!r} must lie strictly between 0 and 1")
    if post.groupings:
        raise DoseOptError(
            "arms are compared in one group", hint='take one: post.at(subgroup="...")'
        )
    found = pairs_of(post, pairs)
    decision = decide(post, utility, rules or TriedOnly(), criterion=criterion,
                      override_diagnostics=override_diagnostics)  # fmt: skip
    u = utility({name: post[name] for name in utility.reads})
    table = _pair_table(post, u, found, checked)
    table["status"] = verdict(table["joint"], table["joint_mcse"], certainty)
    table = table.merge(_observed(post, [str(e) for e in table[names.ENDPOINT].to_numpy()]))
    unit = str(post.draws[names.DOSE].attrs.get("units", ""))
    table.attrs = {"unit": unit, "interval": INTERVAL, "certainty": certainty,
                   "stamps": "\n".join(decision.stamps)}  # fmt: skip
    ranking = rank_doses(post, u, decision.table["admissible"])
    said = prose.sentences(table, checked, decision, ranking)
    return ArmComparison(table, decision, ranking, checked, certainty, said)


def checked_margins(margins: Sequence[Margin]) -> tuple[Margin, ...]:
    """Return the margins; refuse none, what is not a margin, and one that stands twice."""
    found = tuple(margins)
    wrong = [m for m in found if not isinstance(m, Margin)]
    if not found or wrong:
        raise DoseOptError(
            f"margins: {wrong[0]!r} is no Margin" if wrong else "no margin is given",
            hint='Margin("eff", at_most=0.1, of="difference", better="higher")',
        )
    labels = [str(m) for m in found]
    twice = next((s for s in labels if labels.count(s) > 1), "")
    if twice:
        raise DoseOptError(f"the margin '{twice}' stands twice")
    return found


def verdict(p: xr.DataArray, mcse: xr.DataArray, certainty: float) -> xr.DataArray:
    """Say whether a probability exceeds `certainty`, or that its error does not tell."""
    resolved = abs(p - certainty) > RESOLVED * mcse
    said: xr.DataArray = xr.where(resolved, xr.where(p > certainty, MET, NOT_MET), OPEN)
    return said


def pair_label(low: float, high: float, unit: str) -> str:
    """Name a pair of arms.

    Examples
    --------
    >>> pair_label(15, 45, "mg")
    '15 vs 45 mg'
    """
    return f"{low:g} vs {high:g} {unit}".rstrip()


def _pair_table(
    post: Posterior,
    u: xr.DataArray,
    pairs: Sequence[tuple[float, float]],
    margins: Sequence[Margin],
) -> xr.Dataset:
    """Return the numbers of all pairs, in one array per kind of number."""
    unit = str(post.draws[names.DOSE].attrs.get("units", ""))
    ends = [v.removeprefix("p_") for v in probabilities(post.draws)]
    ends += measured(post.draws)
    draws = xr.concat(
        [endpoint_draws(post, u, e).reset_coords(drop=True) for e in (*ends, UTILITY)],
        dim=names.ENDPOINT, coords="minimal", compat="override",
    ).assign_coords({names.ENDPOINT: [*ends, UTILITY]})  # fmt: skip
    labels = [pair_label(*pair, unit) for pair in pairs]

    def side(x: xr.DataArray, i: int) -> xr.DataArray:
        parts = [x.sel({names.DOSE: pair[i]}, drop=True) for pair in pairs]
        return xr.concat(parts, dim=PAIR).assign_coords({PAIR: labels})

    low, high = side(draws, 0), side(draws, 1)
    columns = _spread(post, "difference", low - high, post.expect)
    chance = low.where(low[names.ENDPOINT] != UTILITY) / high
    columns |= _spread(post, "ratio", chance, lambda x: post.quantile(x, 0.5))
    above = low > high
    columns |= {"prob_higher": post.prob(above), "prob_higher_mcse": post.mcse(above)}
    held = [
        m.holds(*(side(endpoint_draws(post, u, m.endpoint), i) for i in (0, 1))) for m in margins
    ]
    events = xr.concat(
        [x.reset_coords(drop=True) for x in held], dim=MARGIN, coords="minimal", compat="override"
    ).assign_coords({MARGIN: [str(m) for m in margins]})
    columns |= {"within": post.prob(events), "within_mcse": post.mcse(events)}
    every = events.all(MARGIN)
    columns |= {"joint": post.prob(every), "joint_mcse": post.mcse(every)}
    columns |= {
        "low": xr.DataArray([p[0] for p in pairs], dims=PAIR),
        "high": xr.DataArray([p[1] for p in pairs], dims=PAIR),
    }
    return xr.Dataset(columns)


def _spread(
    post: Posterior, name: str, x: xr.DataArray, centre: Callable[[xr.DataArray], xr.DataArray]
) -> dict[str, xr.DataArray]:
    """Centre and equal-tailed interval, each with its error; NaN where `x` is not a number."""
    tail = (1 - INTERVAL) / 2
    known = xr.apply_ufunc(np.isfinite, x).all(list(post.sample_dims))
    filled = x.where(known, 0.0)
    error = post.mcse(filled, q=0.5) if name == "ratio" else post.mcse(filled)
    found = {name: centre(filled), f"{name}_mcse": error}
    for end, q in (("_low", tail), ("_high", 1 - tail)):
        found |= {
            f"{name}{end}": post.quantile(filled, q),
            f"{name}{end}_mcse": post.mcse(filled, q=q),
        }
    return {k: v.where(known) for k, v in found.items()}


def _observed(post: Posterior, ends: Sequence[str]) -> xr.Dataset:
    """Events and patients of each arm and endpoint, where the posterior has kept them."""
    if not {names.N, names.EVENTS} <= set(post.seen):
        return xr.Dataset()
    seen = post.seen[[names.N, names.EVENTS]].reset_coords(drop=True)
    # a rate and a mean grade are of the patients of their outcome
    of = [next((e.removeprefix(m) for m in MEASURED if e.startswith(m)), e) for e in ends]
    known = set(seen[names.ENDPOINT].to_numpy().tolist())
    of = [b if b in known else e for b, e in zip(of, ends, strict=True)]
    found = seen.reindex({names.ENDPOINT: of}, fill_value=np.int64(0))
    return found.assign_coords({names.ENDPOINT: list(ends)})
