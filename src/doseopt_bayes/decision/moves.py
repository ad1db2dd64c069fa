"""Numbers of a pre-specification that can be moved, and the values at which that could matter."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np
import xarray as xr

from doseopt_bayes import names
from doseopt_bayes.decision.criteria import MeanUtility, UtilityOfMeans, utility_of_means
from doseopt_bayes.decision.cui import CUI
from doseopt_bayes.decision.rules import EWOC, Active, Both, Either, Rule, Tolerable
from doseopt_bayes.decision.weights import with_weight
from doseopt_bayes.errors import DoseOptError
from doseopt_bayes.inference.posterior import Posterior
from doseopt_bayes.inference.reweighted import Reweighted

if TYPE_CHECKING:
    from collections.abc import Callable

    from doseopt_bayes.decision.decide import Decision
    from doseopt_bayes.decision.utility import Utility

__all__ = ["Candidate", "Estimates", "Move", "moves"]

GRID: Final = 51  # weights that are tried where the criterion is not linear in them


@dataclass(frozen=True, eq=False)
class Estimates(Posterior):
    """The same draws without Monte Carlo errors, for questions that estimates alone answer."""

    @classmethod
    def of(cls, post: Posterior) -> Estimates:
        """Return `post` without errors; one with weighted draws is refused."""
        if isinstance(post, Reweighted):
            raise DoseOptError(
                "tipping points are read off draws of equal weight",
                hint="pass the posterior that was fitted",
            )
        return cls(post.tree, post.parameters, post.diagnostics, post.notes, post.sample_dims)

    def mcse(self, x: xr.DataArray, *, q: float | None = None) -> xr.DataArray:
        """Return zeros over the other dims of `x`."""
        return xr.zeros_like(self.expect(x))


@dataclass(frozen=True)
class Candidate:
    """A value at which the leading dose could change.

    Parameters
    ----------
    value
        Between 0 and 1.
    error
        Its Monte Carlo standard error when called; NaN when it has none.
    """

    value: float
    error: Callable[[], float]


@dataclass(frozen=True)
class Move:
    """One number that can be moved while all others stay.

    Parameters
    ----------
    kind
        ``"weight"``, ``"limit"`` or ``"certainty"``.
    variable, label
        What it is about, and its name in words.
    now
        The value in force, in 0..1.
    candidates
        Every value at which the leading dose could change.
    changed
        From a value to the utility and the rules that hold it.
    """

    kind: str
    variable: str
    label: str
    now: float
    candidates: tuple[Candidate, ...]
    changed: Callable[[float], tuple[Utility, Rule]]


def moves(post: Posterior, decision: Decision) -> tuple[Move, ...]:
    """Return the weights, limits and certainties of a decision of one group."""
    found: dict[str, Move] = {}
    for move in (*_weights(post, decision), *_limits(post, decision)):
        label, copy = move.label, 2
        while label in found:  # a rule may stand twice
            label, copy = f"{move.label} ({copy})", copy + 1
        found[label] = replace(move, label=label)
    return tuple(found.values())


def _weights(post: Posterior, decision: Decision) -> list[Move]:
    cui = decision.utility
    if not isinstance(cui, CUI):
        return []
    found = []
    for name, now in cui.weights.items():
        if now >= 1:  # the others have no proportions to keep
            continue

        def changed(weight: float, name: str = name, cui: CUI = cui) -> tuple[Utility, Rule]:
            return with_weight(cui, name, weight), decision.rules

        linear = isinstance(decision.criterion, MeanUtility | UtilityOfMeans)
        where = (
            _crossings(post, decision, cui, name) if linear else _switches(post, decision, changed)
        )
        found.append(Move("weight", name, f"weight of {name}", now, where, changed))
    return found


def _crossings(post: Posterior, decision: Decision, cui: CUI, name: str) -> tuple[Candidate, ...]:
    """Where another admissible dose's line over the weight crosses the leading dose's."""
    table, lead = decision.table, float(decision.leading)
    ends = []
    for weight in (0.0, 1.0):
        at = with_weight(cui, name, weight)
        if isinstance(decision.criterion, MeanUtility):
            draws = at({v: post[v] for v in at.reads})
            ends.append((post.expect(draws), draws))
        else:
            ends.append(utility_of_means(post, at))
    found = []
    for dose in table[names.DOSE].where(table["admissible"], drop=True).to_numpy():
        # gap(w) = (1 - w) * without + w * only, of the leading dose over this one
        (without, without_draws), (only, only_draws) = (
            (float(mean.sel(dose=lead) - mean.sel(dose=dose)),
             draws.sel(dose=lead, drop=True) - draws.sel(dose=dose, drop=True))
            for mean, draws in ends
        )  # fmt: skip
        slope = without - only
        if slope == 0 or not 0 <= without / slope <= 1:
            continue
        influence = (without * only_draws - only * without_draws) / slope**2
        found.append(
            Candidate(without / slope, lambda x=influence: float(post.mcse(x)))  # type: ignore[misc]
        )
    return tuple(found)


def _switches(
    post: Posterior, decision: Decision, changed: Callable[[float], tuple[Utility, Rule]]
) -> tuple[Candidate, ...]:
    """Where the choice changes along a grid of weights, each place bisected."""
    plain = Estimates.of(post)
    eligible = decision.rules.judge(plain).ok

    def chosen(weight: float) -> float:
        utility, _ = changed(weight)
        u = utility({v: post[v] for v in utility.reads})
        choice = decision.criterion.choose(plain, utility, u, eligible)
        return float(u[names.DOSE].where(choice.chosen).max(names.DOSE))

    if not bool(eligible.any()):
        return ()
    grid = [float(w) for w in np.linspace(0, 1, GRID)]
    answers = [chosen(w) for w in grid]
    found = []
    for i in range(GRID - 1):
        if answers[i] == answers[i + 1]:
            continue
        low, high = grid[i], grid[i + 1]
        while high - low > 1e-7:
            middle = (low + high) / 2
            low, high = (middle, high) if chosen(middle) == answers[i] else (low, middle)
        found.append(Candidate((low + high) / 2, lambda: math.nan))
    return tuple(found)


def _limits(post: Posterior, decision: Decision) -> list[Move]:
    found = []
    for i, rule in enumerate(decision.rules.leaves):
        if not isinstance(rule, Tolerable | Active):
            continue
        variable = names.P_TOX if isinstance(rule, Tolerable) else names.P_EFF
        ewoc = isinstance(rule, EWOC)
        certain = "overdose" if ewoc else "certainty"
        said = f"overdose bound of {rule}" if ewoc else f"certainty of {rule}"
        for kind, number, label in (
            ("limit", "limit", f"limit of {rule}"),
            ("certainty", certain, said),
        ):
            now: float = getattr(rule, number)

            def changed(
                x: float, i: int = i, rule: Tolerable | Active = rule, number: str = number
            ) -> tuple[Utility, Rule]:
                moved = replace(rule, **{number: x})
                return decision.utility, _with_leaf(decision.rules, i, moved)

            turning = _verdict_limits if kind == "limit" else _verdict_certainties
            where = tuple(c for c in turning(post, rule, variable) if 0 < c.value < 1)
            found.append(Move(kind, variable, label, now, where, changed))
    return found


def _verdict_limits(post: Posterior, rule: Tolerable | Active, variable: str) -> list[Candidate]:
    """The limit at which each dose's verdict turns: an order statistic of its draws."""
    found = []
    # Pr > certainty needs this many draws beyond the limit, counted as the rule itself counts them
    counts = np.arange(post.n_draws + 1)
    need = int(counts[counts / post.n_draws > rule.certainty][0])
    for dose in post.draws[names.DOSE].to_numpy():
        draws = post[variable].sel({names.DOSE: dose}, drop=True)
        ordered = np.sort(draws.to_numpy(), axis=None)
        tolerable = isinstance(rule, Tolerable)
        value = ordered[need - 1] if tolerable else ordered[post.n_draws - need]
        q = rule.certainty if tolerable else 1 - rule.certainty
        found.append(
            Candidate(float(value), lambda x=draws, q=q: float(post.mcse(x, q=q)))  # type: ignore[misc]
        )
    return found


def _verdict_certainties(
    post: Posterior, rule: Tolerable | Active, variable: str
) -> list[Candidate]:
    """The certainty at which each dose's verdict turns: the probability itself."""
    found = []
    for dose in post.draws[names.DOSE].to_numpy():
        draws = post[variable].sel({names.DOSE: dose}, drop=True)
        below = isinstance(rule, Tolerable) and not isinstance(rule, EWOC)
        event = draws < rule.limit if below else draws > rule.limit
        found.append(
            Candidate(float(post.prob(event)), lambda x=event: float(post.mcse(x)))  # type: ignore[misc]
        )
    return found


def _with_leaf(rules: Rule, position: int, leaf: Rule) -> Rule:
    """Return the rules with another elementary rule at `position` of ``rules.leaves``."""
    if isinstance(rules, Both | Either):
        on_left = len(rules.left.leaves)
        if position < on_left:
            return type(rules)(_with_leaf(rules.left, position, leaf), rules.right)
        return type(rules)(rules.left, _with_leaf(rules.right, position - on_left, leaf))
    return leaf
