"""Tipping points: the smallest change of one weight, limit or certainty that changes the answer."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import xarray as xr

from doseopt_bayes import names
from doseopt_bayes.decision import prose
from doseopt_bayes.decision.cui import CUI
from doseopt_bayes.decision.decide import Decision, decide
from doseopt_bayes.decision.moves import Estimates, Move, moves
from doseopt_bayes.decision.rules import RESOLVED, Active, Rule, Tolerable
from doseopt_bayes.errors import DoseOptError

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

    from doseopt_bayes.decision.utility import Utility
    from doseopt_bayes.inference.posterior import Posterior

__all__ = ["STABLE", "Tipping", "has_tipping", "tipping_points"]

STABLE: Final = 0.25
"""A decision is called stable when no number moved by this share of its way to 0 or 1 changes it."""
SIDES: Final = ("down", "up")
NEAR: Final = 1e-6  # how far on either side of a tipping point it is confirmed


@dataclass(frozen=True, eq=False)
class Tipping:
    """What one number of the pre-specification would have to be for another answer.

    Parameters
    ----------
    table
        Over ``what`` (the number that is moved) and ``side`` (``"down"``, ``"up"``): ``to``, the
        value at which the leading dose first changes (NaN: nowhere in 0..1), its Monte Carlo error
        ``to_mcse``, ``leading``, the dose that leads beyond it (NaN: none is admissible), ``flips``,
        ``relative``, the change as a share of the way from the value in force to 0 or 1,
        ``resolved``, whether the change is larger than 3 Monte Carlo errors (or has none), and
        ``settled``, whether what was found was confirmed. Over ``what``: ``kind`` (``"weight"``,
        ``"limit"``, ``"certainty"``), ``variable`` and ``now``. All are numbers in 0..1 without
        unit; doses are in the attribute ``unit``.
    sentences
        The same in words; the first one is the verdict.
    """

    table: xr.Dataset
    sentences: tuple[str, ...]

    def to_frame(self) -> pd.DataFrame:
        """Table with a row per number and side: what, from, to, MCSE, new leading dose, change."""
        flat = self.table.to_dataframe().reset_index()
        columns = {
            "what": "what", "side": "side", "now": "from", "to": "to", "to_mcse": "to (MCSE)",
            "flips": "flips", "leading": "new leading dose", "relative": "share of the way",
            "resolved": "resolved",
        }  # fmt: skip
        return flat[list(columns)].rename(columns=columns)

    def __str__(self) -> str:
        return "\n".join(self.sentences)

    __repr__ = __str__


def tipping_points(post: Posterior, decision: Decision) -> Tipping:
    """Find how far each weight, limit and certainty can move before the leading dose changes.

    Parameters
    ----------
    post
        The posterior that was decided on; nothing is refitted.
    decision
        Its decision, of one group.

    Returns
    -------
    Tipping
        One number moves at a time, everything else stays; a weight takes from, or gives to, the
        other weights in their proportions. Each change is confirmed by :func:`decide` on either side
        of it; one that is not confirmed is left out, and that is said.

    Raises
    ------
    DoseOptError
        When there are several groups, no number to move, or draws with unequal weights.

    Notes
    -----
    Exact on the given draws for limits, certainties and weights under a linear criterion: a verdict
    turns at an order statistic or a probability, two doses change places where two lines cross. Under
    other criteria weights are found on a grid of 0.02 and bisected: without an error, and a change
    that is reversed within 0.02 is not seen. Numbers of the criterion itself are not moved.
    """
    if decision.status.ndim:
        raise DoseOptError(
            "tipping points are those of one group", hint="decide on the draws of one group"
        )
    plain = Estimates.of(post)

    def confirmed(utility: Utility, rules: Rule) -> float:
        found = decide(
            plain, utility, rules, criterion=decision.criterion, override_diagnostics=True
        )
        return float(found.leading)

    def leading(utility: Utility, rules: Rule) -> float:  # what decide() does first, and no more
        u = utility({name: post[name] for name in utility.reads})
        choice = decision.criterion.choose(plain, utility, u, rules.judge(plain).ok)
        return float(u[names.DOSE].where(choice.chosen).max(names.DOSE))

    movable = moves(post, decision)
    if not movable:
        raise DoseOptError("the decision holds no weight, limit or certainty that could be moved")
    start, unconfirmed, rows = float(decision.leading), [], []
    for move in movable:
        for side in SIDES:
            row = _first_change(move, side, start, leading, confirmed)
            if row is None:
                unconfirmed.append(f"{move.label} ({side})")
            rows.append(row or {**_nothing(), "settled": False})
    shape = (len(movable), len(SIDES))
    columns: dict[str, Any] = {
        v: (("what", "side"), np.array([r[v] for r in rows]).reshape(shape)) for v in _nothing()
    }
    for v in ("now", "kind", "variable"):
        columns[v] = ("what", [getattr(move, v) for move in movable])
    table = xr.Dataset(
        columns, coords={"what": [move.label for move in movable], "side": list(SIDES)}
    )
    table.attrs = {
        "unit": str(decision.table.attrs.get("unit", "")),
        "leading": start,
        "status": str(decision.status.item()),
        "unconfirmed": "; ".join(unconfirmed),
        "utility": type(decision.utility).__name__,
        "weights": int(isinstance(decision.utility, CUI)),
    }
    return Tipping(table, _sentences(table))


def has_tipping(decision: Decision) -> bool:
    """Whether there is a number to move, and one group to move it for."""
    limits = any(isinstance(r, Tolerable | Active) for r in decision.rules.leaves)
    cui = decision.utility
    weights = isinstance(cui, CUI) and max(cui.weights.values()) < 1
    return not decision.status.ndim and (limits or weights)


def _nothing() -> dict[str, Any]:
    numbers = dict.fromkeys(("to", "to_mcse", "leading", "relative"), math.nan)
    return {**numbers, "flips": False, "resolved": False, "settled": True}


def _first_change(
    move: Move,
    side: str,
    start: float,
    leading: Callable[[Utility, Rule], float],
    confirmed: Callable[[Utility, Rule], float],
) -> dict[str, Any] | None:
    """Walk outwards over the candidates; ``None`` when a change is seen but not confirmed."""
    sign, bound = (1.0, 1.0) if side == "up" else (-1.0, 0.0)
    errors = {c.value: c.error for c in move.candidates if sign * (c.value - move.now) >= 0}
    stops = sorted(errors, key=lambda x: sign * x)
    before = move.now
    for i, value in enumerate(stops):
        beyond = stops[i + 1] if i + 1 < len(stops) else bound
        if beyond == value:  # at the end of the range: there is no beyond
            break
        # between two candidates nothing changes, so that one value speaks for all of them
        new = leading(*move.changed((value + beyond) / 2))
        if prose.same_dose(new, start):
            before = value
            continue
        after = value + sign * min(NEAR, abs(beyond - value) / 2)
        inside = value - sign * min(NEAR, abs(value - before) / 2)
        if not (
            prose.same_dose(confirmed(*move.changed(after)), new)
            and prose.same_dose(confirmed(*move.changed(inside)), start)
        ):
            return None
        change, mcse = abs(value - move.now), errors[value]()
        return {
            "to": value, "to_mcse": mcse, "leading": new, "flips": True,
            "relative": change / abs(bound - move.now),
            "settled": True, "resolved": math.isnan(mcse) or change > RESOLVED * mcse,
        }  # fmt: skip
    return _nothing()


def _sentences(table: xr.Dataset) -> tuple[str, ...]:
    answer = f"the leading dose ({prose.with_unit(table.attrs['leading'], table)})"
    moved = "weight, limit or certainty" if table.attrs["weights"] else "limit or certainty"
    rows = sorted(
        (
            table.sel(what=what, side=side)
            for what in table["what"].to_numpy()
            for side in SIDES
            if bool(table["flips"].sel(what=what, side=side))
        ),
        key=lambda row: float(row["relative"]),
    )
    nearest = float(rows[0]["relative"]) if rows else math.nan
    if table.attrs["unconfirmed"]:
        verdict = f"Not settled: a change at {table.attrs['unconfirmed']} could not be confirmed."
    elif not rows:
        verdict = f"Stable: no single {moved}, moved anywhere between 0 and 1, changes {answer}."
    elif nearest > STABLE:
        verdict = (
            f"Stable: no single {moved} moved by up to {STABLE * 100:g} % of the way to 0 or 1 "
            f"changes {answer}."
        )
    else:
        verdict = (
            f"Not stable: one {moved} moved by {_percent(nearest)} of the way to 0 or 1 "
            f"changes {answer}."
        )
    said = [verdict]
    for row in rows:
        to, mcse = float(row["to"]), float(row["to_mcse"])
        how = "rises" if str(row["side"].item()) == "up" else "falls"
        error = "" if math.isnan(mcse) else f" (MCSE {prose.error(mcse)})"
        doubt = "" if bool(row["resolved"]) else "; not resolved: within 3 Monte Carlo errors"
        said.append(
            f"Flips to {prose.with_unit(float(row['leading']), table)} when the "
            f"{row['what'].item()} {how} from {float(row['now']):.3g} to "
            f"{prose.precise(to)}{error}{doubt}."
        )
    if not table.attrs["weights"]:
        said.append(
            "Only limits and certainties were examined: weights are moved for a CUI, the utility is "
            f"{table.attrs['utility']}."
        )
    if table.attrs["status"] != "recommended":
        said.append(f"The answer itself is '{table.attrs['status']}'.")
    return tuple(said)


def _percent(change: float) -> str:
    return "less than 1 %" if change < 0.01 else f"{math.ceil(change * 100)} %"
