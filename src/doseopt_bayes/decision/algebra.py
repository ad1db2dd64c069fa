"""What admissibility is made of: verdicts, and rules that combine with & and |."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

from doseopt_bayes.errors import DoseOptError

if TYPE_CHECKING:
    import xarray as xr

    from doseopt_bayes.inference.posterior import Posterior

__all__ = ["RESOLVED", "Both", "Either", "Finding", "Rule", "Verdict", "without_absolute"]

RESOLVED: Final = 3.0
"""A probability or a gap is resolved when it is more than this many Monte Carlo errors away."""


@dataclass(frozen=True, eq=False)
class Finding:
    """What one elementary rule found at each dose.

    Parameters
    ----------
    rule
        The rule in words.
    ok, firm
        As in :class:`Verdict`.
    estimate, mcse, threshold
        Posterior probability, its Monte Carlo error and what it must exceed; ``None`` for a rule
        that needs no probability.
    reason
        Why a dose fails it, when that says more than the rule itself.
    """

    rule: str
    ok: xr.DataArray
    firm: xr.DataArray
    estimate: xr.DataArray | None = None
    mcse: xr.DataArray | None = None
    threshold: float | None = None
    reason: str = ""


@dataclass(frozen=True, eq=False)
class Verdict:
    """Judgement of every dose by one rule or by a combination.

    Parameters
    ----------
    ok
        Whether each dose passes, by the estimates.
    firm
        Whether that would stand if each probability moved by ``RESOLVED`` Monte Carlo errors.
    findings
        The elementary rules behind it.
    """

    ok: xr.DataArray
    firm: xr.DataArray
    findings: tuple[Finding, ...]


class Rule:
    """Base of the rules: gives them ``&`` and ``|``. A rule is a frozen value; ``str`` is its prose."""

    absolute: ClassVar[bool] = False
    """Whether nothing may stand in for it: ``|`` refuses it."""

    def judge(self, post: Posterior) -> Verdict:
        """Judge every dose of `post`."""
        raise TypeError(f"{type(self).__name__} does not judge")

    @property
    def leaves(self) -> tuple[Rule, ...]:
        """Return the elementary rules that it is made of."""
        return (self,)

    def __and__(self, other: Rule) -> Rule:
        return Both(self, other)

    def __or__(self, other: Rule) -> Rule:
        return Either(self, other)


@dataclass(frozen=True)
class _Pair(Rule):
    left: Rule
    right: Rule

    def __post_init__(self) -> None:
        self._check()

    def _check(self) -> None:
        """Refuse rules that cannot be joined so."""

    @property
    def leaves(self) -> tuple[Rule, ...]:
        """Return the elementary rules that it is made of."""
        return (*self.left.leaves, *self.right.leaves)

    def _say(self, word: str) -> str:
        inner = (self.left, self.right)
        mixed = (isinstance(r, _Pair) and type(r) is not type(self) for r in inner)
        return word.join(f"({r})" if m else str(r) for r, m in zip(inner, mixed, strict=True))


class Both(_Pair):
    """Admissible when both rules say so."""

    def judge(self, post: Posterior) -> Verdict:
        """Judge every dose of `post`."""
        a, b = self.left.judge(post), self.right.judge(post)
        firm = (a.firm & b.firm) | (a.firm & ~a.ok) | (b.firm & ~b.ok)
        return Verdict(a.ok & b.ok, firm, a.findings + b.findings)

    def __str__(self) -> str:
        return self._say("; and ")


class Either(_Pair):
    """Admissible when at least one of the two rules says so."""

    def _check(self) -> None:
        """Refuse a rule that nothing may stand in for."""
        for rule in self.leaves:
            if rule.absolute:
                raise DoseOptError(
                    f"'{rule}' is absolute: no alternative joined by | (any_of) may go round it",
                    hint="join it by & to everything else",
                )

    def judge(self, post: Posterior) -> Verdict:
        """Judge every dose of `post`."""
        a, b = self.left.judge(post), self.right.judge(post)
        firm = (a.firm & b.firm) | (a.firm & a.ok) | (b.firm & b.ok)
        return Verdict(a.ok | b.ok, firm, a.findings + b.findings)

    def __str__(self) -> str:
        return self._say(" or ")


def without_absolute(rules: Rule) -> Rule | None:
    """Return the rules without the absolute ones; ``None`` when nothing is left."""
    if not isinstance(rules, Both):  # an alternative holds no absolute rule
        return None if rules.absolute else rules
    kept = [r for r in map(without_absolute, (rules.left, rules.right)) if r is not None]
    return Both(*kept) if len(kept) == 2 else next(iter(kept), None)
