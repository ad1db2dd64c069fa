"""Truths in time: when toxicity and efficacy of a patient come, and how likely they are by then."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Self

import numpy as np

from doseopt_bayes import names
from doseopt_bayes.design.scenario import Scenario
from doseopt_bayes.errors import DoseOptError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["DAYS", "LateScenario", "checked_window"]

DAYS: Final = {"days": 1.0, "weeks": 7.0, "months": 365.25 / 12}
"""Days of each unit of time."""
SECOND_HALF: Final = {"uniform": 0.5, "early": 0.25, "late": 0.75}
CERTAIN: Final = 1 - 1e-12  # a probability of 1 has no Weibull law: this one differs by nothing
SAME: Final = 1e-9


def checked_window(who: str, name: str, window: float, unit: str) -> float:
    """Return a window; refuse one that is no number >= 0, or in an unknown unit."""
    if unit not in DAYS:
        raise DoseOptError(
            f"{who}: time_unit = {unit!r} is unknown", hint=did_you_mean(str(unit), list(DAYS))
        )
    fine = isinstance(window, int | float | np.number) and not isinstance(window, bool)
    if not fine or not math.isfinite(window) or window < 0:
        raise DoseOptError(
            f"{who}: {name} = {window!r} must be a number >= 0",
            hint=f"the {unit} within which an event counts; 0: known at once",
        )
    return float(window)


@dataclass(frozen=True)
class LateScenario(Scenario):
    """A named truth in which events take time.

    Parameters
    ----------
    name, p_tox, p_eff, correlation
        As for :class:`~doseopt_bayes.design.scenario.Scenario`: probabilities over the whole window.
    tox_window, eff_window
        Time within which every event happens, >= 0, in `time_unit`; 0 for at once. `eff_window` goes
        with `p_eff`.
    tox_shape, eff_shape
        How the events of those who have one fall in the window: ``"uniform"``, ``"early"`` (a quarter in
        the second half), ``"late"`` (three quarters), or the share in the second half, in (0, 1).
    tox_by_cycle
        For each dose the probability of toxicity in each cycle of those without it before, cycles of
        equal length that fill `tox_window`; within a cycle uniform. :meth:`by_cycle` makes p_tox of it.
    time_unit
        ``"days"``, ``"weeks"`` or ``"months"`` (of 365.25 / 12 days).

    Raises
    ------
    DoseOptError
        On numbers that are no probabilities or times, a window without its probabilities or the
        reverse, cycles that do not give p_tox, or a shape beside cycles.

    Notes
    -----
    A shape other than ``"uniform"`` is a Weibull law at each dose, with the dose's own probability at the
    end of the window and the stated share of events in its second half, as in simulations of TITE designs
    (Cheung and Chappell 2000, Biometrics 56, 1177). When an event comes is independent of the other one's
    time. Times are always in (0, window].

    Examples
    --------
    >>> truth = LateScenario("late", (0.1, 0.3), tox_window=84, tox_shape="late")
    >>> truth.tox_by(42).round(3).tolist()  # a quarter of the events in the first half
    [0.025, 0.075]
    """

    tox_window: float = field(kw_only=True)
    eff_window: float | None = field(default=None, kw_only=True)
    tox_shape: str | float = field(default="uniform", kw_only=True)
    eff_shape: str | float = field(default="uniform", kw_only=True)
    tox_by_cycle: tuple[tuple[float, ...], ...] | None = field(default=None, kw_only=True)
    time_unit: str = field(default="days", kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        who = f"scenario '{self.name}'"
        if (self.p_eff is None) != (self.eff_window is None):
            raise DoseOptError(
                f"{who}: p_eff and eff_window come together", hint="give both or none"
            )
        for name in ("tox_window", "eff_window"):
            if getattr(self, name) is not None:
                window = checked_window(who, name, getattr(self, name), self.time_unit)
                object.__setattr__(self, name, window)
        for name in ("tox_shape", "eff_shape"):
            _share(who, name, getattr(self, name))
        if self.tox_by_cycle is not None:
            self._check_cycles(who)

    def _check_cycles(self, who: str) -> None:
        given = tuple(tuple(float(h) for h in row) for row in self.tox_by_cycle or ())
        object.__setattr__(self, "tox_by_cycle", given)
        if self.tox_shape != "uniform":
            raise DoseOptError(f"{who}: tox_by_cycle says when toxicity comes, and tox_shape too")
        if len(given) != len(self.p_tox) or len({len(row) for row in given}) != 1 or not given[0]:
            raise DoseOptError(
                f"{who}: tox_by_cycle has rows of {[len(row) for row in given]} cycles for "
                f"{len(self.p_tox)} doses",
                hint="a row for each dose, equally many cycles in each",
            )
        p = _by_cycle(given)[:, -1]
        if not np.allclose(p, self.p_tox, rtol=0, atol=SAME):
            raise DoseOptError(
                f"{who}: tox_by_cycle comes to p_tox = {p.round(6).tolist()}, not {self.p_tox}",
                hint="LateScenario.by_cycle() makes p_tox",
            )

    @classmethod
    def by_cycle(
        cls,
        name: str,
        tox_by_cycle: Sequence[Sequence[float]],
        *,
        cycle: float,
        p_eff: tuple[float, ...] | None = None,
        eff_window: float | None = None,
        eff_shape: str | float = "uniform",
        correlation: float = 0.0,
        time_unit: str = "days",
    ) -> Self:
        """Return a truth whose toxicity is given cycle by cycle.

        Parameters
        ----------
        name, p_eff, eff_window, eff_shape, correlation, time_unit
            As for the class.
        tox_by_cycle
            (dose, cycle): probability of toxicity in a cycle of those without it before.
        cycle
            Length of a cycle, > 0, in `time_unit`.

        Examples
        --------
        >>> six = LateScenario.by_cycle("six", [[0.05] * 6, [0.1] + [0.15] * 5], cycle=21)
        >>> [round(p, 3) for p in six.p_tox], six.tox_by(21).round(3).tolist()
        ([0.265, 0.601], [0.05, 0.1])
        """
        rows = tuple(tuple(float(h) for h in row) for row in tox_by_cycle)
        for i, row in enumerate(rows):
            for h in row:
                if not 0 <= h <= 1:
                    raise DoseOptError(
                        f"scenario '{name}': tox_by_cycle of dose {i + 1} has {h:g}, no probability",
                        hint="of those without toxicity in the cycles before",
                    )
        lengths = {len(row) for row in rows}
        if len(lengths) != 1 or 0 in lengths:
            raise DoseOptError(
                f"scenario '{name}': tox_by_cycle has rows of {[len(r) for r in rows]} cycles",
                hint="a row for each dose, equally many cycles in each",
            )
        window = checked_window(f"scenario '{name}'", "cycle", cycle, time_unit) * lengths.pop()
        p = tuple(_by_cycle(rows)[:, -1].tolist())
        return cls(
            name, p, p_eff, correlation, tox_window=window, eff_window=eff_window,
            eff_shape=eff_shape, tox_by_cycle=rows, time_unit=time_unit,
        )  # fmt: skip

    def tox_by(self, time: float) -> np.ndarray:
        """Return the probability (dose,) of a toxicity by `time`, in `time_unit`."""
        p = np.array(self.p_tox)
        x = np.clip(time / self.tox_window, 0.0, 1.0) if self.tox_window else 1.0
        if self.tox_by_cycle is None:
            return _events_by(p, float(x), self.tox_shape)
        by_end = np.concatenate([np.zeros((p.size, 1)), _by_cycle(self.tox_by_cycle)], axis=1)
        edges = np.linspace(0.0, 1.0, by_end.shape[1])
        return np.array([np.interp(x, edges, row) for row in by_end])

    def eff_by(self, time: float) -> np.ndarray:
        """Return the probability (dose,) of efficacy by `time`, in `time_unit`."""
        if self.p_eff is None or self.eff_window is None:
            raise DoseOptError(f"scenario '{self.name}' has no p_eff", hint="give p_eff")
        x = np.clip(time / self.eff_window, 0.0, 1.0) if self.eff_window else 1.0
        return _events_by(np.array(self.p_eff), float(x), self.eff_shape)

    def within(self, *, tox: float, eff: float | None = None) -> Scenario:
        """Return the truth by some time, as a scenario without time: what is true of cycle 1, say.

        Parameters
        ----------
        tox, eff
            Times in `time_unit`; efficacy over its whole window without `eff`.

        Raises
        ------
        DoseOptError
            With a correlation: it would differ from dose to dose.
        """
        if self.correlation:
            raise DoseOptError(
                f"scenario '{self.name}': a correlation over the whole window is another one by then",
                hint="a scenario without correlation",
            )
        p_eff = self.p_eff
        if p_eff is not None and eff is not None:
            p_eff = tuple(self.eff_by(eff).tolist())
        return Scenario(self.name, tuple(self.tox_by(tox).tolist()), p_eff)

    def times(self, endpoint: str, place: np.ndarray, chance: np.ndarray) -> np.ndarray:
        """Return when events come, in days, of patients who have one.

        Parameters
        ----------
        endpoint
            ``"tox"`` or ``"eff"``.
        place
            Position of each patient's dose: (patient,).
        chance
            Uniform numbers in [0, 1): (patient,); a larger one is an earlier event.

        Returns
        -------
        numpy.ndarray
            (patient,), in (0, window].
        """
        v = 1.0 - chance  # in (0, 1]
        tox = endpoint == names.TOX
        window = (self.tox_window if tox else self.eff_window or 0.0) * DAYS[self.time_unit]
        if tox and self.tox_by_cycle is not None:
            x = np.empty_like(v)
            edges = np.linspace(0.0, 1.0, len(self.tox_by_cycle[0]) + 1)
            for j in np.unique(place):
                by_end = np.concatenate([[0.0], _by_cycle(self.tox_by_cycle)[j]])
                x[place == j] = _inverse(v[place == j] * by_end[-1], by_end, edges)
        else:
            p = np.array(self.p_tox if tox else self.p_eff)[place]
            x = _inverse_weibull(v, p, self.tox_shape if tox else self.eff_shape)
        found: np.ndarray = window * np.clip(x, np.finfo(float).tiny, 1.0)
        return found


def _share(who: str, name: str, shape: str | float) -> float:
    """Return the share of events in the second half of the window."""
    if isinstance(shape, str):
        if shape not in SECOND_HALF:
            known = list(SECOND_HALF)
            raise DoseOptError(f"{who}: {name} = {shape!r} is unknown", hint=f"{', '.join(known)}")
        return SECOND_HALF[shape]
    if isinstance(shape, bool) or not isinstance(shape, int | float) or not 0 < shape < 1:
        raise DoseOptError(
            f"{who}: {name} = {shape!r} must be a share in (0, 1)",
            hint="the share of the events in the second half of the window",
        )
    return float(shape)


def _weibull(p: np.ndarray, shape: str | float) -> tuple[np.ndarray, np.ndarray]:
    """Return rate and power of the law 1 - exp(-rate x^power) that is p at x = 1."""
    p = np.clip(p, 1e-12, CERTAIN)
    rate = -np.log1p(-p)
    return rate, np.log2(rate / -np.log1p(-(1 - _share("", "shape", shape)) * p))


def _events_by(p: np.ndarray, x: float, shape: str | float) -> np.ndarray:
    """Return the probability of an event by the share `x` of the window."""
    if shape == "uniform":
        return p * x
    rate, power = _weibull(p, shape)
    found: np.ndarray = np.where(p > 0, -np.expm1(-rate * x**power), 0.0)
    return found if x < 1 else p


def _inverse_weibull(v: np.ndarray, p: np.ndarray, shape: str | float) -> np.ndarray:
    """Return the share of the window by which a share `v` of the events came."""
    if shape == "uniform":
        return v
    rate, power = _weibull(p, shape)
    found: np.ndarray = (-np.log1p(-v * np.clip(p, 1e-12, CERTAIN)) / rate) ** (1 / power)
    return found


def _inverse(y: np.ndarray, by_end: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Invert a line through (edges, by_end) that never falls, for y > 0."""
    cell = np.clip(np.searchsorted(by_end, y, side="left"), 1, len(edges) - 1)
    rise = by_end[cell] - by_end[cell - 1]
    inside = np.divide(y - by_end[cell - 1], rise, out=np.ones_like(y), where=rise > 0)
    found: np.ndarray = edges[cell - 1] + inside * (edges[cell] - edges[cell - 1])
    return found


def _by_cycle(rows: tuple[tuple[float, ...], ...]) -> np.ndarray:
    """Return the probability of a toxicity by the end of each cycle: (dose, cycle)."""
    found: np.ndarray = 1 - np.cumprod(1 - np.array(rows), axis=1)
    return found
