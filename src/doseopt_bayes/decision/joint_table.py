"""Utility of a patient's whole outcome: toxicity, efficacy and further endpoints in one table."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping  # noqa: TC003  (field type, read at run time)
from dataclasses import dataclass
from typing import TYPE_CHECKING

from doseopt_bayes import names
from doseopt_bayes.errors import DoseOptError

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["JointTable"]

NONE = "none"
LETTERS = {(False, False): "N", (True, False): "E", (False, True): "T", (True, True): "B"}


@dataclass(frozen=True)
class JointTable:
    """Mean utility per patient: sum over all combinations of events of probability times utility.

    Parameters
    ----------
    outcomes
        Utility of each combination of events, on any scale: ``"none"``, one event (``"eff"``), or
        several joined by + (``"eff+tox+stop"``), in any order; every combination once.
    harms
        Endpoints whose event is a harm; ``"tox"`` is one of them. The other endpoints are benefits.
    allow_nonmonotone
        Accept a table in which a benefit less or a harm more is worth more.

    Raises
    ------
    DoseOptError
        On combinations that are missing or unknown, numbers that are not finite, a table of equal
        numbers, or one that is not monotone.

    Notes
    -----
    Extends the tables of U-BOIN (Zhou, Lee and Yuan 2019) beyond two endpoints. Further endpoints are
    independent of toxicity and efficacy at each dose and draw, as the models have them.

    Examples
    --------
    >>> table = JointTable(
    ...     {"eff": 100, "eff+stop": 80, "eff+tox": 60, "eff+tox+stop": 40,
    ...      "none": 50, "stop": 30, "tox": 20, "tox+stop": 0},
    ...     harms=("tox", "stop"),
    ... )
    >>> table.reads
    ('p_cell', 'p_stop')
    """

    outcomes: Mapping[str, float]
    harms: tuple[str, ...] = (names.TOX,)
    allow_nonmonotone: bool = False

    def __post_init__(self) -> None:
        table = {_events(key): float(value) for key, value in self.outcomes.items()}
        ends = {names.EFF, names.TOX, *itertools.chain.from_iterable(table)}
        others = sorted(ends - {names.EFF, names.TOX})
        every = [
            frozenset(chosen)
            for size in range(len(ends) + 1)
            for chosen in itertools.combinations((names.EFF, names.TOX, *others), size)
        ]
        missing = [_said(events) for events in every if events not in table]
        if missing or len(table) != len(self.outcomes):
            twice = "a combination stands twice" if not missing else f"no {', '.join(missing)}"
            raise DoseOptError(
                f"JointTable: {twice}",
                hint=f"give each of the {len(every)} combinations of {', '.join(sorted(ends))} once",
            )
        unknown = [e for e in self.harms if e not in ends]
        if unknown or names.TOX not in self.harms or names.EFF in self.harms:
            raise DoseOptError(
                f"JointTable: harms = {list(self.harms)}: they are endpoints of the table, tox is one "
                "of them and eff is not"
            )
        if not all(math.isfinite(v) for v in table.values()) or len(set(table.values())) == 1:
            raise DoseOptError("JointTable: utilities are finite numbers, and not all the same")
        ordered = {_said(events): table[events] for events in every}
        object.__setattr__(self, "outcomes", ordered)
        turned = self._turned()
        if turned and not self.allow_nonmonotone:
            raise DoseOptError(
                f"JointTable is not monotone: {'; '.join(turned)}",
                hint="look for exchanged numbers, or mean it with allow_nonmonotone = true",
            )

    @property
    def others(self) -> tuple[str, ...]:
        """Endpoints beyond toxicity and efficacy."""
        ends = set(itertools.chain.from_iterable(map(_events, self.outcomes)))
        return tuple(sorted(ends - {names.EFF, names.TOX}))

    @property
    def reads(self) -> tuple[str, ...]:
        """Variables that it needs of each draw."""
        return (names.P_CELL, *map(names.probability, self.others))

    def _turned(self) -> list[str]:
        """Say where one more harm, or one benefit less, is worth more."""
        table = {_events(key): value for key, value in self.outcomes.items()}
        found = []
        for events, value in table.items():
            for end in (names.EFF, names.TOX, *self.others):
                if end in events:
                    continue
                gain = table[events | {end}] - value
                if gain > 0 if end in self.harms else gain < 0:
                    more = _said(events | {end})
                    found.append(
                        f"{more} ({table[events | {end}]:g}) against {_said(events)} ({value:g})"
                    )
        return found

    def __call__(self, draws: Mapping[str, xr.DataArray] | xr.Dataset) -> xr.DataArray:
        """Utility of each draw, with the dims of ``p_cell`` but ``cell``, on the table's own scale."""
        cells = draws[names.P_CELL]
        total: xr.DataArray | None = None
        for key, value in self.outcomes.items():
            events = _events(key)
            letter = LETTERS[names.EFF in events, names.TOX in events]
            p = cells.sel({names.CELL: letter}, drop=True)
            for end in self.others:
                q = draws[names.probability(end)]
                p = p * (q if end in events else 1 - q)
            total = value * p if total is None else total + value * p
        assert total is not None  # noqa: S101  (a table has at least four outcomes)
        return total.rename(None)

    def words(self) -> tuple[str, ...]:
        """Return what it says, a sentence each."""
        listed = ", ".join(f"{key} = {value:g}" for key, value in self.outcomes.items())
        said = [f"u = mean over patients of the utility of the outcome: {listed}"]
        said.append(f"harms: {', '.join(self.harms)}")
        if self.others:
            apart = " and ".join(self.others)
            said.append(f"{apart} independent of toxicity and efficacy at each dose and draw")
        said += [f"NOT MONOTONE, by allow_nonmonotone: {t}" for t in self._turned()]
        return tuple(said)

    def __str__(self) -> str:
        return "\n  ".join(["Utility of the whole outcome", *self.words()])


def _events(key: str) -> frozenset[str]:
    """Read "eff+tox" as its events; "none" has none."""
    return frozenset() if key == NONE else frozenset(part.strip() for part in key.split("+"))


def _said(events: frozenset[str]) -> str:
    first = [e for e in (names.EFF, names.TOX) if e in events]
    return "+".join([*first, *sorted(events - {names.EFF, names.TOX})]) or NONE
