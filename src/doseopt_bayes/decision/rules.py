"""Admissibility rules: each judges every dose and speaks protocol prose."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Final, Literal

import xarray as xr

from doseopt_bayes import names
from doseopt_bayes.decision.algebra import RESOLVED, Both, Either, Finding, Rule, Verdict
from doseopt_bayes.decision.utility import percent_hint
from doseopt_bayes.errors import DoseOptError

if TYPE_CHECKING:
    from doseopt_bayes.inference.posterior import Posterior

__all__ = [
    "EWOC",
    "RESOLVED",
    "RULES",
    "Active",
    "AnyDose",
    "Both",
    "Either",
    "Finding",
    "NoSkipping",
    "ProtocolCap",
    "Rule",
    "Tolerable",
    "TriedOnly",
    "Verdict",
]


def _check_probabilities(rule: object, **values: float) -> None:
    for name, value in values.items():
        if not (isinstance(value, int | float) and math.isfinite(value) and 0 < value < 1):
            raise DoseOptError(
                f"{type(rule).__name__}: {name} = {value!r} must lie strictly between 0 and 1",
                hint=percent_hint(value) if isinstance(value, int | float) else "give a number",
            )


def _beyond(
    rule: Rule,
    post: Posterior,
    variable: str,
    side: Literal["<", ">"],
    limit: float,
    certainty: float,
) -> Verdict:
    ask = post.below if side == "<" else post.exceeds
    estimate, mcse = ask(variable, limit)
    firm = abs(estimate - certainty) > RESOLVED * mcse
    ok = estimate > certainty
    return Verdict(ok, firm, (Finding(str(rule), ok, firm, estimate, mcse, certainty),))


@dataclass(frozen=True)
class Tolerable(Rule):
    """Pr(p_tox < limit) > certainty.

    Parameters
    ----------
    limit
        Highest tolerable probability of toxicity, in (0, 1).
    certainty
        Posterior probability that must be exceeded, in (0, 1).

    Examples
    --------
    >>> print(Tolerable(0.3, certainty=0.1) & Active(0.5, certainty=0.1))
    Pr(p_tox < 0.3) > 0.1; and Pr(p_eff > 0.5) > 0.1
    """

    limit: float
    certainty: float

    def __post_init__(self) -> None:
        _check_probabilities(self, limit=self.limit, certainty=self.certainty)

    def judge(self, post: Posterior) -> Verdict:
        """Judge every dose of `post`."""
        return _beyond(self, post, names.P_TOX, "<", self.limit, self.certainty)

    def __str__(self) -> str:
        return f"Pr(p_tox < {self.limit:g}) > {self.certainty:g}"


@dataclass(frozen=True)
class EWOC(Tolerable):
    """Escalation with overdose control: Pr(p_tox > limit) < overdose.

    Parameters
    ----------
    limit
        Probability of toxicity above which a dose is an overdose, in (0, 1).
    overdose
        What the posterior probability of an overdose must stay below, in (0, 1).

    Notes
    -----
    Babb, Rogatko and Zacks (1998); 0.33 and 0.25 as in Neuenschwander, Branson and Gsponer (2008). It
    is ``Tolerable(limit, certainty=1 - overdose)`` in the words of its users, and judged with the same
    Monte Carlo check: a dose is firmly in or out when the probability is more than 3 standard errors
    from `overdose`.

    Examples
    --------
    >>> print(EWOC())
    Pr(p_tox > 0.33) < 0.25
    """

    limit: float = 0.33
    certainty: float = field(init=False, repr=False, default=0.75)
    overdose: float = 0.25

    def __post_init__(self) -> None:
        _check_probabilities(self, limit=self.limit, overdose=self.overdose)
        object.__setattr__(self, "certainty", 1 - self.overdose)

    def judge(self, post: Posterior) -> Verdict:
        """Judge every dose of `post`."""
        estimate, mcse = post.exceeds(names.P_TOX, self.limit)
        ok = estimate < self.overdose
        firm = abs(estimate - self.overdose) > RESOLVED * mcse
        return Verdict(ok, firm, (Finding(str(self), ok, firm, estimate, mcse, self.overdose),))

    def quantile_check(self, post: Posterior) -> xr.Dataset:
        """Hold the quantile of p_tox at 1 - overdose against the limit, as OncoBayes2 does.

        Returns
        -------
        xarray.Dataset
            Over ``dose``: ``quantile`` with ``quantile_mcse``, ``stat`` = (quantile - limit) / MCSE,
            and ``precise``: whether abs(stat) is at least 1.96 (``ewoc_check`` of OncoBayes2).
        """
        tox, q = post[names.P_TOX], 1 - self.overdose
        quantile, mcse = post.quantile(tox, q), post.mcse(tox, q=q)
        stat = (quantile - self.limit) / mcse
        parts = {"quantile": quantile, "quantile_mcse": mcse, "stat": stat}
        return xr.Dataset({**parts, "precise": abs(stat) >= 1.96})

    def __str__(self) -> str:
        return f"Pr(p_tox > {self.limit:g}) < {self.overdose:g}"


@dataclass(frozen=True)
class Active(Rule):
    """Pr(p_eff > limit) > certainty.

    Parameters
    ----------
    limit
        Lowest useful probability of efficacy, in (0, 1).
    certainty
        Posterior probability that must be exceeded, in (0, 1).
    """

    limit: float
    certainty: float

    def __post_init__(self) -> None:
        _check_probabilities(self, limit=self.limit, certainty=self.certainty)

    def judge(self, post: Posterior) -> Verdict:
        """Judge every dose of `post`."""
        return _beyond(self, post, names.P_EFF, ">", self.limit, self.certainty)

    def __str__(self) -> str:
        return f"Pr(p_eff > {self.limit:g}) > {self.certainty:g}"


class _AboutUntried(Rule):
    """Rules that say which untried doses may be recommended; a decision always has one."""

    def reach(self, tried: xr.DataArray) -> xr.DataArray:
        """Return which doses may be recommended, given which were tried."""
        raise TypeError(f"{type(self).__name__} does not reach")

    def judge(self, post: Posterior) -> Verdict:
        """Judge every dose of `post`."""
        ok = self.reach(post.seen[names.N_TREATED] > 0)
        firm = xr.ones_like(ok)
        return Verdict(ok, firm, (Finding(str(self), ok, firm),))


@dataclass(frozen=True)
class TriedOnly(_AboutUntried):
    """Only doses that treated at least one patient. The default of every decision."""

    def reach(self, tried: xr.DataArray) -> xr.DataArray:
        """Return the tried doses."""
        return tried

    def __str__(self) -> str:
        return "treated at least one patient"


@dataclass(frozen=True)
class NoSkipping(_AboutUntried):
    """Not more than `levels` candidate doses below or above the range that was tried (EffTox).

    Parameters
    ----------
    levels
        Number of untried candidate doses that may be stepped to at once, >= 1.
    """

    levels: int = 1

    def __post_init__(self) -> None:
        if isinstance(self.levels, bool) or not isinstance(self.levels, int) or self.levels < 1:
            raise DoseOptError(f"NoSkipping: levels = {self.levels!r} must be an integer >= 1")

    def reach(self, tried: xr.DataArray) -> xr.DataArray:
        """Return the doses within `levels` of the tried range; none when nothing was tried."""
        position = xr.ones_like(tried, dtype=int).cumsum(names.DOSE)
        low = position.where(tried).min(names.DOSE) - self.levels
        high = position.where(tried).max(names.DOSE) + self.levels
        return (position >= low) & (position <= high)

    def __str__(self) -> str:
        return f"not more than {self.levels} level(s) below or above the tried doses"


@dataclass(frozen=True)
class AnyDose(_AboutUntried):
    """Any candidate dose, however far from the tried ones. Write it down to mean it."""

    about: ClassVar[str] = "any candidate dose, tried or not"

    def reach(self, tried: xr.DataArray) -> xr.DataArray:
        """Return all doses."""
        return xr.ones_like(tried)

    def __str__(self) -> str:
        return self.about


@dataclass(frozen=True)
class ProtocolCap(Rule):
    """No dose above one that the protocol names, whatever the draws say.

    Parameters
    ----------
    highest
        Highest dose that may be recommended, in the unit of the candidate doses, > 0.
    reason
        Why, in words, for example ``"highest dose of the toxicology study"``; may be empty.

    Raises
    ------
    DoseOptError
        On a dose that is not positive and finite, and when it is joined by ``|``: an alternative
        would go round it.

    Notes
    -----
    The doses above it keep their estimates in every table. When one of them would lead without the
    cap, the decision cautions so.

    Examples
    --------
    >>> print(Tolerable(0.3, certainty=0.1) & ProtocolCap(30, "toxicology study"))
    Pr(p_tox < 0.3) > 0.1; and not above the protocol cap of 30 (toxicology study)
    >>> ProtocolCap(30) | AnyDose()  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    doseopt_bayes.errors.DoseOptError: 'not above the protocol cap of 30' is absolute: ...
    """

    highest: float
    reason: str = ""

    absolute: ClassVar[bool] = True

    def __post_init__(self) -> None:
        number = isinstance(self.highest, int | float) and not isinstance(self.highest, bool)
        if not (number and math.isfinite(self.highest) and self.highest > 0):
            raise DoseOptError(
                f"ProtocolCap: highest = {self.highest!r} must be a dose > 0",
                hint="in the unit of the candidate doses",
            )

    def judge(self, post: Posterior) -> Verdict:
        """Judge every dose of `post`."""
        dose = post.draws[names.DOSE]
        ok = (dose <= self.highest).reset_coords(drop=True).rename(None)
        firm = xr.ones_like(ok)
        cap = f"{self.highest:g} {dose.attrs.get('units', '')}".rstrip()
        why = f"above the protocol cap of {cap}{self._because}"
        return Verdict(ok, firm, (Finding(str(self), ok, firm, reason=why),))

    @property
    def _because(self) -> str:
        return f" ({self.reason})" if self.reason else ""

    def __str__(self) -> str:
        return f"not above the protocol cap of {self.highest:g}{self._because}"


RULES: Final[dict[str, type[Rule]]] = {
    "tolerable": Tolerable,
    "ewoc": EWOC,
    "active": Active,
    "tried_only": TriedOnly,
    "no_skipping": NoSkipping,
    "any_dose": AnyDose,
    "protocol_cap": ProtocolCap,
}
"""Rules by the name that a specification file uses."""


def with_untried_rule(rules: Rule) -> tuple[Rule, bool]:
    """Return the rules with one about untried doses, and whether it had to be added."""
    if any(isinstance(r, _AboutUntried) for r in rules.leaves):
        return rules, False
    return rules & TriedOnly(), True
