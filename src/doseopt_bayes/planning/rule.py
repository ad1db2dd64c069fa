"""Rules that choose an arm from counts alone, in closed form, for thousands of trials at once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np
from scipy.stats import beta

from doseopt_bayes import names
from doseopt_bayes.arms.margin import UTILITY, Margin
from doseopt_bayes.decision.outcome_table import OutcomeTable
from doseopt_bayes.decision.rules import RESOLVED, Active, AnyDose, Both, Rule, Tolerable, TriedOnly
from doseopt_bayes.errors import DoseOptError
from doseopt_bayes.planning.joint import frechet, joint_within
from doseopt_bayes.planning.margin_table import within_table

if TYPE_CHECKING:
    from doseopt_bayes.decision.cui import CUI

__all__ = [
    "CHOICES",
    "ArmRule",
    "HighestUtility",
    "KeepsMargins",
    "counts_of_events",
    "within_table",
]

EVENT: Final = {names.TOX: (2, 3), names.EFF: (1, 3)}  # places in names.CELLS: N, E, T, B
TIE: Final = 1e-12  # sums of decimals that are equal may differ by rounding


class ArmRule(Protocol):
    """A frozen value that chooses an arm from the counts of each outcome."""

    def choose(self, counts: np.ndarray) -> np.ndarray:
        """Index of the chosen arm (..., ) for counts (..., arm, cell), -1 for none."""

    def right(self, cells: np.ndarray, indifference: float) -> np.ndarray:
        """Which arms are right choices under true cell probabilities (..., arm, cell)."""


def counts_of_events(counts: np.ndarray, endpoint: str) -> np.ndarray:
    """Sum the cells (last axis, N E T B) in which the endpoint is an event."""
    first, second = EVENT[endpoint]
    summed: np.ndarray = counts[..., first] + counts[..., second]
    return summed


def _limits(rules: Rule | None) -> tuple[Tolerable | Active, ...]:
    """Return the limits of rules that are joined by & alone; refuse any other."""
    if rules is None:
        return ()
    if isinstance(rules, Both):
        return (*_limits(rules.left), *_limits(rules.right))
    if isinstance(rules, TriedOnly | AnyDose):  # every arm is tried
        return ()
    if not isinstance(rules, Tolerable | Active):
        raise DoseOptError(
            f"planning has no integer boundary for '{rules}'",
            hint="Tolerable and Active, joined by &; simulate() plans with any rule",
        )
    return (rules,)


def _admissible(counts: np.ndarray, rules: Rule | None, patients: float) -> np.ndarray:
    """Which arms meet every limit: the Beta margins of a Dirichlet posterior, looked up by count."""
    n = counts.sum(-1)
    ok = np.ones(n.shape, dtype=bool)
    for rule in _limits(rules):
        events = counts_of_events(counts, names.TOX if isinstance(rule, Tolerable) else names.EFF)
        passes = _passes(rule, int(n.max(initial=0)), patients)
        ok &= passes[n.astype(int), events.astype(int)]
    return ok


@lru_cache(maxsize=64)
def _passes(rule: Tolerable | Active, n: int, patients: float) -> np.ndarray:
    """Whether the rule is met, by patients and events, up to `n` of each."""
    size, events = np.meshgrid(np.arange(n + 1), np.arange(n + 1), indexing="ij")
    others = np.maximum(size - events, 0)
    tail = beta.cdf if isinstance(rule, Tolerable) else beta.sf
    p = np.asarray(tail(rule.limit, patients / 2 + events, patients / 2 + others))
    met: np.ndarray = p > rule.certainty
    return met


def _truly_admissible(cells: np.ndarray, rules: Rule | None) -> np.ndarray:
    ok = np.ones(cells.shape[:-1], dtype=bool)
    for rule in _limits(rules):
        if isinstance(rule, Tolerable):
            ok &= counts_of_events(cells, names.TOX) < rule.limit
        else:
            ok &= counts_of_events(cells, names.EFF) > rule.limit
    return ok


def _checked_patients(patients: float) -> None:
    if not patients > 0:
        raise DoseOptError(
            f"patients = {patients!r} must be > 0", hint="1 prior patient in each arm"
        )


@dataclass(frozen=True)
class HighestUtility:
    """The arm of the highest posterior mean utility among the admissible; the lower one on ties.

    Parameters
    ----------
    utility
        A CUI of p_eff and p_tox over 0..1, or a table of the four outcomes: linear in the outcomes,
        so that its posterior mean is that of the mean probabilities.
    rules
        ``Tolerable`` and ``Active``, joined by ``&``; ``None``: every arm is admissible.
    give_up
        Utility that may be given up for a lower arm, >= 0.
    patients
        Prior patients of each arm, spread evenly over the four outcomes, as in ``Saturated``.

    Raises
    ------
    DoseOptError
        On a utility that is not linear in the outcomes, a rule without integer boundary, or numbers
        that are out of range.
    """

    utility: CUI | OutcomeTable
    rules: Rule | None = None
    give_up: float = 0.0
    patients: float = 1.0

    def __post_init__(self) -> None:
        _ = self.worth
        _limits(self.rules)
        _checked_patients(self.patients)
        if not self.give_up >= 0:
            raise DoseOptError(f"give_up = {self.give_up!r} must be >= 0")

    @property
    def worth(self) -> np.ndarray:
        """Utility of each outcome, in the order of ``names.CELLS``."""
        if isinstance(self.utility, OutcomeTable):
            return np.array(list(self.utility.cells.values()))
        total = np.zeros(4)
        known = {names.probability(e): np.isin(np.arange(4), places) for e, places in EVENT.items()}
        for name, attribute in self.utility.attributes.items():
            if name not in known or attribute.value is not None:
                raise DoseOptError(
                    f"planning needs a utility that is linear in the outcomes; {name} is not",
                    hint="p_eff and p_tox without a value function, or an OutcomeTable",
                )
            event = known[name] if attribute.direction == "benefit" else ~known[name]
            total += self.utility.weights[name] * event
        return total

    def choose(self, counts: np.ndarray) -> np.ndarray:
        """Index of the chosen arm for counts (..., arm, cell), -1 for none."""
        n = counts.sum(-1, keepdims=True)
        mean = (counts + self.patients / 4) / (n + self.patients)
        return _lowest_near(
            mean @ self.worth, _admissible(counts, self.rules, self.patients), self.give_up
        )

    def right(self, cells: np.ndarray, indifference: float) -> np.ndarray:
        """Admissible arms whose true utility is within `indifference` of the best admissible one."""
        ok = _truly_admissible(cells, self.rules)
        u = np.where(ok, cells @ self.worth, -np.inf)
        right: np.ndarray = ok & (u >= u.max(-1, keepdims=True) - indifference - TIE)
        return right

    def __str__(self) -> str:
        near = f"; the lowest that gives up at most {self.give_up:g}" * bool(self.give_up)
        among = f" among arms with {self.rules}" if self.rules is not None else ""
        return f"highest posterior mean utility{among}{near}; {self.patients:g} prior patients"


def _lowest_near(u: np.ndarray, ok: np.ndarray, give_up: float) -> np.ndarray:
    best = np.where(ok, u, -np.inf)
    near = ok & (best >= best.max(-1, keepdims=True) - give_up - TIE)
    chosen: np.ndarray = np.where(ok.any(-1), near.argmax(-1), -1)
    return chosen


@dataclass(frozen=True)
class KeepsMargins:
    """The lowest admissible arm that keeps every margin against the highest admissible one.

    Parameters
    ----------
    margins
        On ``"eff"`` and ``"tox"``.
    certainty
        Posterior probability that must be exceeded, in (0, 1): by each margin by itself, or by all of
        them at once when `joint`.
    rules, patients
        As in :class:`HighestUtility`. The arms may differ in size, as long as each has the same number
        of patients in every trial.
    joint
        Whether the probability of all margins at once must exceed `certainty`, as in
        :func:`~doseopt_bayes.arms.compare.compare_arms`. By default each by itself, which is milder.
    draws
        Draws of each posterior for the joint probability, at least 500.

    Raises
    ------
    DoseOptError
        On a margin of another endpoint, none, or numbers that are out of range.

    Notes
    -----
    Each margin by itself is an exact table of counts. Efficacy and toxicity of the same patients depend
    on each other, and their joint probability has no such table: it is bounded by the single ones
    (Fréchet), which decides most trials exactly, and is computed from fixed common draws of the
    Dirichlet posteriors where the bounds leave it open, with an error of at most 0.5 / sqrt(draws)
    (0.008 with 4,000). :meth:`judge` tells which trials lie within 3 errors of `certainty`:
    ``plan_arms`` gives their share as ``close``.
    """

    margins: tuple[Margin, ...]
    certainty: float
    rules: Rule | None = None
    patients: float = 1.0
    joint: bool = False
    draws: int = 4000

    def __post_init__(self) -> None:
        _limits(self.rules)
        _checked_patients(self.patients)
        if not self.margins or not 0 < self.certainty < 1:
            raise DoseOptError("KeepsMargins: give margins, and a certainty in (0, 1)")
        for m in self.margins:
            if m.endpoint not in EVENT or m.endpoint == UTILITY:
                raise DoseOptError(
                    f"planning has no counts of '{m.endpoint}'", hint="margins on eff and tox"
                )
        if isinstance(self.draws, bool) or not isinstance(self.draws, int) or self.draws < 500:
            raise DoseOptError(f"draws = {self.draws!r} must be a whole number >= 500")

    def choose(self, counts: np.ndarray) -> np.ndarray:
        """Index of the chosen arm for counts (..., arm, cell), -1 for none."""
        return self.judge(counts)[0]

    def judge(self, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the chosen arm, and whether the draws of the joint probability leave it open.

        Parameters
        ----------
        counts
            Patients (..., arm, cell).

        Returns
        -------
        tuple of numpy.ndarray
            Index of the chosen arm, -1 for none; and whether the verdict of an arm on which the choice
            rests lies within 3 Monte Carlo errors of the certainty (never without `joint`). Both (...,).
        """
        n = _sizes(counts)
        ok = _admissible(counts, self.rules, self.patients)
        arms = ok.shape[-1]
        top = arms - 1 - ok[..., ::-1].argmax(-1)
        single = np.stack(
            [self._single(m, counts_of_events(counts, m.endpoint).astype(int), n, top)
             for m in self.margins]
        )  # fmt: skip
        keeps = ok & (single > self.certainty).all(0)
        near = np.zeros(ok.shape, dtype=bool)
        if self.joint and len(self.margins) > 1:
            least, _ = frechet(single)
            open_ = keeps & ~(least > self.certainty)
            open_ &= np.arange(arms) < top[..., None]
            keeps[open_], near[open_] = self._together(counts, open_, top)
        np.put_along_axis(keeps, top[..., None], np.take_along_axis(ok, top[..., None], -1), -1)
        chosen: np.ndarray = np.where(ok.any(-1), keeps.argmax(-1), -1)
        # an arm above the chosen one changes nothing
        close: np.ndarray = (near & (np.arange(arms) <= chosen[..., None])).any(-1)
        return chosen, close

    def _single(self, m: Margin, events: np.ndarray, n: np.ndarray, top: np.ndarray) -> np.ndarray:
        """Pr(margin) of each arm against the highest admissible one, (..., arm)."""
        high = np.take_along_axis(events, top[..., None], -1)
        prior = self.patients / 2
        if n.size and (n == n[0]).all():
            same: np.ndarray = within_table(m, int(n[0]), prior)[events, high]
            return same
        found = np.zeros(events.shape)
        for j, t in np.ndindex(len(n), len(n)):
            if j <= t:
                table = within_table(m, int(n[j]), prior, int(n[t]))
                here = top == t
                found[here, j] = table[events[here, j], high[here, 0]]
        return found

    def _together(
        self, counts: np.ndarray, at: np.ndarray, top: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Whether the arms `at` keep all margins at once, and whether that is close; (arm at,)."""
        high = np.take_along_axis(counts, top[..., None, None], -2)
        low = counts[at].astype(int)
        pairs = np.broadcast_to(high, counts.shape)[at].astype(int)
        p, mcse = joint_within(self.margins, [EVENT[m.endpoint] for m in self.margins], low, pairs,
                               patients=self.patients, draws=self.draws)  # fmt: skip
        return p > self.certainty, abs(p - self.certainty) <= RESOLVED * mcse

    def right(self, cells: np.ndarray, indifference: float) -> np.ndarray:
        """Lowest truly admissible arm that truly keeps all margins; `indifference` is not read."""
        ok = _truly_admissible(cells, self.rules)
        top = ok.shape[-1] - 1 - ok[..., ::-1].argmax(-1)
        keeps = ok.copy()
        for m in self.margins:
            p = counts_of_events(cells, m.endpoint)
            high = np.take_along_axis(p, top[..., None], -1)
            worse, other = (high, p) if m.better == "higher" else (p, high)
            loss = worse - other if m.of == "difference" else worse / np.maximum(other, 1e-300)
            keeps &= loss < m.at_most - TIE
        np.put_along_axis(keeps, top[..., None], np.take_along_axis(ok, top[..., None], -1), -1)
        lowest: np.ndarray = keeps & (keeps.cumsum(-1) == 1)
        return lowest

    def __str__(self) -> str:
        said = "; ".join(map(str, self.margins))
        among = f" among arms with {self.rules}" if self.rules is not None else ""
        how = "all at once of" if self.joint else "each of"
        return f"lowest arm{among} with {how} ({said}) at Pr > {self.certainty:g}"


CHOICES: Final[dict[str, type]] = {
    "highest_utility": HighestUtility,
    "keeps_margins": KeepsMargins,
}
"""Rules of choice by the name that a specification file uses."""


def _sizes(counts: np.ndarray) -> np.ndarray:
    """Patients of each arm, which every trial must have."""
    n = counts.sum(-1).reshape(-1, counts.shape[-2])
    if (n != n[:1]).any():
        raise DoseOptError(
            "KeepsMargins: the arms have different numbers of patients from trial to trial",
            hint="judge trials of one size at a time",
        )
    first: np.ndarray = n[0] if len(n) else np.zeros(counts.shape[-2], dtype=int)
    return first
