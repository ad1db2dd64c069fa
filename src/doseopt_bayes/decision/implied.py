"""What a utility implies before any data: trade-offs, flat regions and directions, in plain numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import xarray as xr

from doseopt_bayes import names
from doseopt_bayes.decision.plane import NOWHERE, Plane, flat, jumps, needed, wrong_way
from doseopt_bayes.errors import DoseOptError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

    from doseopt_bayes.decision.utility import Utility

__all__ = ["UtilityPreview", "preview_utility"]

GRID: Final = 101
TOX: Final = (0.1, 0.2, 0.3, 0.4, 0.5)
STEP: Final = 1e-4
WORDS: Final = {names.P_EFF: "efficacy", names.P_TOX: "toxicity"}


@dataclass(frozen=True, eq=False)
class UtilityPreview:
    """What a utility says about benefit and risk, without data and without a model.

    Parameters
    ----------
    table
        All probabilities are plain numbers in 0..1; u is on the utility's own scale.
        ``u`` over (``p_tox``, ``p_eff``); ``rate`` over the same: efficacy that makes up for toxicity,
        per unit of it, NaN where efficacy is worth nothing; ``curve`` over ``p_tox``: the efficacy
        that is worth as much as the reference, NaN where none in 0..1 is. The asked points:
        ``needed`` and ``why_not`` (words where it is NaN) over ``tox``. Scalars
        ``reference_eff``, ``reference_tox``, ``reference_u``.
    sentences
        The same in words.
    warnings
        What should be meant before it is used: a utility that falls with efficacy or rises with
        toxicity.
    """

    table: xr.Dataset
    sentences: tuple[str, ...]
    warnings: tuple[str, ...]

    def to_frame(self) -> pd.DataFrame:
        """Table of the indifference points, a row each: p_tox, the p_eff that is needed, why none is."""
        return self.table[["needed", "why_not"]].to_dataframe().reset_index()

    def __str__(self) -> str:
        lines = [*self.sentences, *(f"CHECK: {w}" for w in self.warnings)]
        return "\n  ".join(["What the utility implies, before any data", *lines])

    __repr__ = __str__


def preview_utility(
    utility: Utility,
    *,
    reference: tuple[float, float] = (0.5, 0.0),
    tox: Sequence[float] = TOX,
    held: Mapping[str, float] | None = None,
) -> UtilityPreview:
    """Say what a utility implies about efficacy against toxicity, before any data.

    Parameters
    ----------
    utility
        One that reads p_eff, p_tox or p_cell, for example
        :class:`~doseopt_bayes.decision.utility.LpContour`. Cells are those of independent endpoints
        with these margins.
    reference
        A dose (p_eff, p_tox) to compare with, both in 0..1.
    tox
        Probabilities of toxicity, in 0..1, at which the efficacy is asked that is worth as much.
    held
        Values at which every other variable that the utility reads is held, on its own scale.

    Returns
    -------
    UtilityPreview
        Print it; :func:`~doseopt_bayes.plots.picture.figure_utility` draws it.

    Raises
    ------
    DoseOptError
        When a variable is held nowhere, one that is held is not read, a probability lies outside
        0..1, the utility reads neither efficacy nor toxicity, or it is not a number somewhere.

    Notes
    -----
    Indifference is how such trade-offs are elicited (Thall and Cook 2004; Keeney and Raiffa 1976).
    The efficacy needed is the lowest one whose utility reaches the reference's, bisected to 1e-11. No
    draws: these numbers have no Monte Carlo error.

    Examples
    --------
    >>> from doseopt_bayes.decision.cui import CUI, Attribute, Linear
    >>> harm = Attribute(1, "harm", Linear(worst=0.5, best=0.0))
    >>> seen = preview_utility(CUI({"p_eff": Attribute(1, "benefit"), "p_tox": harm}), tox=[0.1, 0.4])
    >>> print(seen)
    What the utility implies, before any data
      u runs from 0 (p_eff 0, p_tox 0.5) to 1 (p_eff 1, p_tox 0)
      worth as much as p_eff 0.5 with p_tox 0 (u = 0.75): p_eff 0.7 with p_tox 0.1; with \
p_tox 0.4 no p_eff up to 1 is worth as much
      from there, the first 0.1 of toxicity costs 0.2 of efficacy
      does not distinguish toxicity above 0.5
    """
    plane = Plane(utility, dict(held or {}))
    ref_eff, ref_tox = (_probability("reference", x) for x in reference)
    asked = np.array([_probability("tox", t) for t in tox], dtype=float)
    axis = np.linspace(0.0, 1.0, GRID)
    u = plane.square(axis, axis)  # over (p_tox, p_eff)
    level = float(plane(np.array(ref_eff), np.array(ref_tox)))
    found, side = needed(plane, np.concatenate([asked, axis]), level)
    points, curve, side = found[: asked.size], found[asked.size :], side[: asked.size]
    over = (names.P_TOX, names.P_EFF)
    table = xr.Dataset(
        {
            "u": (over, u),
            "rate": (over, _rate(plane, axis)),
            "curve": (names.P_TOX, curve),
            "needed": ("tox", points),
            "why_not": ("tox", np.array([NOWHERE[int(s)] for s in side], dtype=object)),
            "reference_eff": ref_eff,
            "reference_tox": ref_tox,
            "reference_u": level,
        },
        coords={names.P_TOX: axis, names.P_EFF: axis, "tox": asked},
    )
    table.attrs = {"utility": str(utility).split("\n", maxsplit=1)[0], "assumed": plane.assumed}
    said = [_range(table), _indifference(table)]
    said += _price(plane, table)
    said += _flat_words(plane)
    said += [
        f"jumps from {a:.3g} to {b:.3g} at {WORDS[v]} {at:.3g} (with p_eff {ref_eff:g})"
        for v, at, a, b in jumps(plane, ref_eff)
    ]
    if plane.assumed:
        said.append(plane.assumed)
    return UtilityPreview(table, tuple(said), tuple(wrong_way(u, axis)))


def _probability(what: str, x: float) -> float:
    if not 0 <= x <= 1:
        raise DoseOptError(f"preview_utility: {what} = {x!r} must lie in 0..1")
    return float(x)


def _rate(plane: Plane, axis: np.ndarray) -> np.ndarray:
    """Efficacy that makes up for toxicity, per unit, by central differences inside 0..1."""
    low, high = np.clip(axis - STEP, 0, 1), np.clip(axis + STEP, 0, 1)
    width = high - low
    by_tox = (plane.square(high, axis) - plane.square(low, axis)) / width[:, None]
    by_eff = (plane.square(axis, high) - plane.square(axis, low)) / width[None, :]
    tiny = 1e-9 * plane.span
    worth = np.abs(by_eff) > tiny
    rate: np.ndarray = np.where(worth, -by_tox / np.where(worth, by_eff, 1.0), math.nan)
    return rate


def _range(table: xr.Dataset) -> str:
    u = table["u"]
    ends = []
    for found in (u.argmin(u.dims), u.argmax(u.dims)):
        at = u.isel(found)
        ends.append(
            f"{float(at):.3g} (p_eff {float(at[names.P_EFF]):g}, p_tox {float(at[names.P_TOX]):g})"
        )
    return f"u runs from {ends[0]} to {ends[1]}"


def _indifference(table: xr.Dataset) -> str:
    eff, tox, u = (float(table[f"reference_{v}"]) for v in ("eff", "tox", "u"))
    asked, found = table["tox"].to_numpy(), table["needed"].to_numpy()
    why = table["why_not"].to_numpy()
    parts = [
        f"{e:.3g} with p_tox {t:g}" for t, e in zip(asked, found, strict=True) if not math.isnan(e)
    ]
    said = [f"p_eff {', '.join(parts)}"] if parts else []
    for reason in dict.fromkeys(w for w in why if w):
        where = ", ".join(f"{t:g}" for t, w in zip(asked, why, strict=True) if w == reason)
        said.append(f"with p_tox {where} {reason}")
    as_much = f"worth as much as p_eff {eff:g} with p_tox {tox:g} (u = {_near_zero(u):.3g})"
    return f"{as_much}: {'; '.join(said)}"


def _near_zero(x: float) -> float:
    return 0.0 if abs(x) < 1e-12 else x  # not -0, not 1e-17


def _price(plane: Plane, table: xr.Dataset) -> list[str]:
    start, eff = float(table["reference_tox"]), float(table["reference_eff"])
    if start > 0.9 or plane.ignores(names.P_EFF):
        return []
    level = float(table["reference_u"])
    (base, then), _ = needed(plane, np.array([start, start + 0.1]), level)
    if math.isnan(then) or math.isnan(base):
        return []
    if base < eff - 1e-9:
        return [f"more efficacy than {base:.3g} is worth nothing there"]
    cost = then - base
    price = f"costs {cost:.2g} of efficacy" if cost > 1e-9 else "costs no efficacy"
    return [f"from there, the first 0.1 of toxicity {price}"]


def _flat_words(plane: Plane) -> list[str]:
    said = []
    for variable, word in WORDS.items():
        if plane.ignores(variable):
            said.append(f"does not read {word}: it is worth nothing")
            continue
        below, above = flat(plane, variable)
        if below >= 1:
            said.append(f"does not distinguish any {word}: it is worth nothing")
            continue
        if below > 0:
            said.append(f"does not distinguish {word} below {below:.3g}")
        if above < 1:
            said.append(f"does not distinguish {word} above {above:.3g}")
    return said
