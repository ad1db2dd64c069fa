"""Seamless phase II/III: the type I error when the data that chose the dose are tested again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import xarray as xr
from scipy.stats import norm

from doseopt_bayes.decision.prose import error, precise
from doseopt_bayes.errors import DoseOptError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Seamless", "seamless_error"]

TESTS: Final = ("pooled", "second stage only", "pooled, level / arms")


@dataclass(frozen=True, eq=False)
class Seamless:
    """Type I error of three final tests after a choice among arms.

    Parameters
    ----------
    table
        Over ``test``: ``error`` with ``error_mcse``, and ``exceeds`` (whether it is above the level by
        more than 3 errors). Over ``arm``: ``selected`` with its error.
    sentences
        The same in words.
    """

    table: xr.Dataset
    sentences: tuple[str, ...]

    def to_frame(self) -> pd.DataFrame:
        """Table with a row per test."""
        return self.table[["error", "error_mcse", "exceeds"]].to_dataframe().reset_index()

    def __str__(self) -> str:
        return "\n".join(self.sentences)

    __repr__ = __str__


def seamless_error(
    rate: float,
    *,
    arms: int,
    first: int,
    second: int,
    level: float = 0.025,
    n_trials: int = 100_000,
    seed: int,
) -> Seamless:
    """Simulate trials in which no dose works: the best-looking one goes on and is tested.

    Parameters
    ----------
    rate
        True probability of the event in every arm and the control, in (0, 1); more is better.
    arms
        Doses in the first stage, >= 1; the one with the most events goes on, the lowest on ties.
    first, second
        Patients per arm, and of the control, in each stage, >= 1.
    level
        One-sided level of the final test, in (0, 0.5).
    n_trials, seed
        Simulated trials, at least 1,000, and their seed.

    Returns
    -------
    Seamless
        Of the pooled test, which uses the first stage as if nothing had been chosen; of a test of the
        second stage only; and of the pooled test at level / arms (Bonferroni), which bounds the
        inflation whatever the choice was made by.

    Raises
    ------
    DoseOptError
        On numbers that are out of range.

    Notes
    -----
    Two-proportion z tests with pooled variance, as are usual at the end; with few patients they miss
    their level by themselves, so that one arm shows what the choice adds.
    """
    whole = (arms >= 1, first >= 1, second >= 1, n_trials >= 1000)
    if not (0 < rate < 1 and 0 < level < 0.5 and all(whole)):
        raise DoseOptError(
            "seamless_error: rate in (0, 1), level in (0, 0.5), arms, first and second >= 1, "
            "n_trials >= 1000"
        )
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
        raise DoseOptError(f"seed = {seed!r} is not a non-negative integer", hint="pass seed=1")
    rng = np.random.default_rng(seed)
    stage1 = rng.binomial(first, rate, size=(n_trials, arms))
    control1 = rng.binomial(first, rate, size=n_trials)
    chosen = stage1.argmax(1)
    stage2, control2 = rng.binomial(second, rate, size=(2, n_trials))
    best = stage1[np.arange(n_trials), chosen]
    pooled = _z(best + stage2, control1 + control2, first + second)
    alone = _z(stage2, control2, second)
    critical = norm.isf(level)
    events = (pooled > critical, alone > critical, pooled > norm.isf(level / arms))
    counts = np.array([e.sum() for e in events])
    smooth = (counts + 0.5) / (n_trials + 1)
    errors = np.sqrt(smooth * (1 - smooth) / n_trials)
    share = np.bincount(chosen, minlength=arms) / n_trials
    table = xr.Dataset(
        {
            "error": ("test", counts / n_trials),
            "error_mcse": ("test", errors),
            "exceeds": ("test", counts / n_trials - level > 3 * errors),
            "selected": ("arm", share),
            "selected_mcse": ("arm", np.sqrt(share * (1 - share) / n_trials)),
        },
        coords={"test": list(TESTS), "arm": np.arange(1, arms + 1)},
        attrs={"rate": rate, "level": level, "n_trials": n_trials, "seed": int(seed)},
    )
    said = []
    for name in TESTS:
        at = table.sel(test=name)
        verdict = "exceeds" if bool(at["exceeds"]) else "does not exceed"
        said.append(
            f"Test '{name}': type I error {precise(float(at['error']))} (simulation error "
            f"{error(float(at['error_mcse']))}); it {verdict} the level {level:g} by more than 3 errors."
        )
    return Seamless(table, tuple(said))


def _z(events: np.ndarray, control: np.ndarray, n: int) -> np.ndarray:
    """Two-proportion statistic of arms of `n` patients each; 0 where nothing varies."""
    common = (events + control) / (2 * n)
    scale = np.sqrt(2 * common * (1 - common) / n)
    gap = (events - control) / n
    found: np.ndarray = np.divide(gap, scale, out=np.zeros_like(gap), where=scale > 0)
    return found
