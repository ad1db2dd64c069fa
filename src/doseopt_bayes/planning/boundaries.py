"""Go and no-go boundaries of one arm and one endpoint as whole numbers, and what they do, exactly."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import xarray as xr
from scipy.stats import beta, binom

from doseopt_bayes.errors import DoseOptError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

__all__ = ["LOOK", "Boundaries", "bop2", "checked_looks", "go_no_go"]

LOOK = "look"


@dataclass(frozen=True)
class Boundaries:
    """Boundaries at each look, as numbers of events.

    Parameters
    ----------
    looks
        Patients of the arm at each look, rising.
    no_go, go
        Of an endpoint of which more is better: stop as a failure when events <= `no_go` (-1: never),
        as a success when events >= `go` (more than the patients: never). Of one of which less is
        better: a failure when events >= `no_go`, a success when events <= `go`.
    better
        ``"higher"`` or ``"lower"``.
    rule
        Where they come from, in words.

    Notes
    -----
    At the last look an arm that has not failed is a success.
    """

    looks: tuple[int, ...]
    no_go: tuple[int, ...]
    go: tuple[int, ...]
    better: Literal["higher", "lower"]
    rule: str

    def to_frame(self) -> pd.DataFrame:
        """Table with a row per look, for the protocol."""
        import pandas as pd  # noqa: PLC0415

        fail, win = ("<=", ">=") if self.better == "higher" else (">=", "<=")
        rows = {"patients": self.looks, f"no-go if events {fail}": self.no_go,
                f"go if events {win}": self.go}  # fmt: skip
        frame = pd.DataFrame(rows).astype("Int64")
        never = [not 0 <= k <= n for n, k in zip(self.looks, self.no_go, strict=True)]
        frame.loc[never, frame.columns[1]] = pd.NA
        never = [not 0 <= k <= n for n, k in zip(self.looks, self.go, strict=True)]
        frame.loc[never, frame.columns[2]] = pd.NA
        return frame

    def operating(self, rates: Sequence[float]) -> xr.Dataset:
        """Return exactly what the boundaries do at true rates, by enumeration.

        Parameters
        ----------
        rates
            True probabilities of the event, each in 0..1.

        Returns
        -------
        xarray.Dataset
            Over ``rate``: ``early_no_go``, ``early_go`` (before the last look), ``success`` (at any
            look), ``patients`` (expected number). Without simulation error.

        Raises
        ------
        DoseOptError
            On a rate outside 0..1.
        """
        if not all(0 <= p <= 1 for p in rates):
            raise DoseOptError(f"rates {list(rates)} must be probabilities")
        found = [self._at(p) for p in rates]
        columns = ("early_no_go", "early_go", "success", "patients")
        return xr.Dataset(
            {name: ("rate", [f[i] for f in found]) for i, name in enumerate(columns)},
            coords={"rate": list(rates)},
        )

    def _at(self, rate: float) -> tuple[float, float, float, float]:
        flip = self.better == "lower"
        p = 1 - rate if flip else rate  # count what is good
        alive = np.ones(1)
        fail = win = patients = 0.0
        before, last = 0, len(self.looks) - 1
        for i, n in enumerate(self.looks):
            alive = np.convolve(alive, binom.pmf(np.arange(n - before + 1), n - before, p))
            patients += alive.sum() * (n - before)
            before = n
            good = np.arange(n + 1)
            low = n - self.no_go[i] if flip else self.no_go[i]
            high = n - self.go[i] if flip else self.go[i]
            if i == last:
                return (
                    float(fail),
                    float(win),
                    float(win + alive[good > low].sum()),
                    float(patients),
                )
            fail += alive[good <= low].sum()
            win += alive[(good >= high) & (good > low)].sum()
            alive = np.where((good > low) & (good < high), alive, 0.0)
        raise AssertionError  # there is always a last look

    def __str__(self) -> str:
        return f"{self.rule}\n{self.to_frame().to_string(index=False)}"


def checked_looks(looks: Sequence[int]) -> tuple[int, ...]:
    """Return the numbers of patients at each look; refuse numbers that do not rise from 1."""
    found = tuple(int(n) for n in looks)
    if not found or found[0] < 1 or any(b <= a for a, b in itertools.pairwise(found)):
        raise DoseOptError(f"looks {list(looks)} must be numbers of patients that rise, from 1")
    return found


def bop2(
    null: float, looks: Sequence[int], *, scale: float, power: float, go_power: float | None = None
) -> Boundaries:
    """Return the boundaries of BOP2 for a binary endpoint of which more is better.

    Parameters
    ----------
    null
        Rate that is not interesting, in (0, 1); the prior is Beta(null, 1 - null).
    looks
        Patients at each look; the last one is the size N of the trial.
    scale, power
        No-go at n patients when Pr(p > null) < scale (n / N) ** power.
    go_power
        Go before the end when Pr(p > null) >= 1 - (1 - scale) (n / N) ** go_power; ``None``: never.

    Raises
    ------
    DoseOptError
        On numbers that are out of range, or looks that do not rise.

    Notes
    -----
    Zhou, Lee and Yuan (2017); with an early go the rule is that of BOP2-FE.

    Examples
    --------
    >>> bop2(0.2, (10, 20, 30, 40), scale=0.9, power=1.0).no_go
    (1, 3, 7, 11)
    """
    found = checked_looks(looks)
    if not (0 < null < 1 and 0 < scale < 1 and power >= 0 and (go_power is None or go_power >= 0)):
        raise DoseOptError("bop2: null and scale lie in (0, 1), the powers are >= 0")
    no_go, go = [], []
    for n in found:
        events = np.arange(n + 1)
        p = beta.sf(null, null + events, 1 - null + n - events)
        share = n / found[-1]
        no_go.append(int((p < scale * share**power).sum()) - 1)
        early = n + 1 if go_power is None else int((p < 1 - (1 - scale) * share**go_power).sum())
        go.append(no_go[-1] + 1 if n == found[-1] else early)
    said = f"BOP2, null rate {null:g}, scale {scale:g}, power {power:g}"
    said += "" if go_power is None else f", go power {go_power:g}"
    return Boundaries(found, tuple(no_go), tuple(go), "higher", said)


def go_no_go(
    limit: float,
    looks: Sequence[int],
    *,
    better: Literal["higher", "lower"],
    no_go_below: float,
    go_above: float | None = None,
    prior: tuple[float, float] = (0.5, 0.5),
) -> Boundaries:
    """Return beta-binomial boundaries: the posterior probability of a good rate, as whole numbers.

    Parameters
    ----------
    limit
        The rate must lie above it (`better` ``"higher"``) or below it (``"lower"``).
    looks
        Patients at each look.
    better
        Which direction is good; never guessed.
    no_go_below, go_above
        No-go when the probability of a good rate is below the one, go when it is above the other.
    prior
        Events and others of the Beta prior, > 0.

    Raises
    ------
    DoseOptError
        On numbers that are out of range, or bounds that meet.

    Examples
    --------
    >>> go_no_go(0.3, (10, 20), better="lower", no_go_below=0.1).no_go
    (5, 9)
    """
    found = checked_looks(looks)
    if better not in ("higher", "lower"):
        raise DoseOptError(f"better = {better!r} must be 'higher' or 'lower'")
    top = 1.0 if go_above is None else go_above
    if not (0 < limit < 1 and 0 <= no_go_below < top <= 1 and min(prior) > 0):
        raise DoseOptError(
            "go_no_go: limit in (0, 1), 0 <= no_go_below < go_above <= 1, prior counts > 0"
        )
    no_go, go = [], []
    for n in found:
        events = np.arange(n + 1)
        at = (prior[0] + events, prior[1] + n - events)
        if better == "higher":
            good = np.asarray(beta.sf(limit, *at))
            no_go.append(int((good < no_go_below).sum()) - 1)
            go.append(int((good <= top).sum()) if go_above is not None else n + 1)
        else:
            good = np.asarray(beta.cdf(limit, *at))
            no_go.append(n + 1 - int((good < no_go_below).sum()))
            go.append(int((good > top).sum()) - 1 if go_above is not None else -1)
    sign = ">" if better == "higher" else "<"
    said = f"Pr(rate {sign} {limit:g}): no-go below {no_go_below:g}"
    said += "" if go_above is None else f", go above {go_above:g}"
    said += f"; prior Beta({prior[0]:g}, {prior[1]:g})"
    return Boundaries(found, tuple(no_go), tuple(go), better, said)
