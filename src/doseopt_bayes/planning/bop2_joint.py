"""BOP2 for two endpoints of one arm: boundaries as pairs of whole numbers, and what they do, exactly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
import xarray as xr
from scipy.stats import beta

from doseopt_bayes.errors import DoseOptError, did_you_mean
from doseopt_bayes.planning.boundaries import LOOK, bop2, checked_looks

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

__all__ = ["JointBoundaries", "bop2_joint", "calibrate_bop2"]

Kind = Literal["nested", "co_primary", "efficacy_toxicity"]
STOPS: Final[dict[str, str]] = {
    "nested": "no-go when both endpoints fail: either one is enough to go on",
    "co_primary": "no-go when both endpoints fail: either one is enough to go on",
    "efficacy_toxicity": "no-go when either endpoint fails: both are needed to go on",
}
TRUTH: Final = "truth"
SCALES: Final = tuple(round(0.5 + 0.01 * i, 2) for i in range(50))
POWERS: Final = tuple(round(0.05 * i, 2) for i in range(21))
ROUNDING: Final = 1e-9  # by which a joint probability may leave its bounds


@dataclass(frozen=True)
class JointBoundaries:
    """Boundaries of two endpoints at each look, as numbers of events.

    Parameters
    ----------
    kind
        ``"nested"``: the first endpoint is part of the second (complete response within response).
        ``"co_primary"``: two endpoints of which more is better. ``"efficacy_toxicity"``: more of the
        first and less of the second is better.
    endpoints
        Their names.
    looks
        Patients of the arm at each look, rising.
    no_go
        Of each endpoint, at each look: it fails when events <= the number (-1: never); toxicity when
        events >= the number (more than the patients: never).
    rule
        Where they come from, in words.

    Notes
    -----
    Toxicity and efficacy stop the arm when either fails, the others when both do. At the last look an
    arm that has not failed is a success.
    """

    kind: Kind
    endpoints: tuple[str, str]
    looks: tuple[int, ...]
    no_go: tuple[tuple[int, ...], tuple[int, ...]]
    rule: str

    def to_frame(self) -> pd.DataFrame:
        """Table with a row per look, for the protocol; missing: this endpoint never fails there."""
        import pandas as pd  # noqa: PLC0415

        rows = {"patients": self.looks}
        for end, bounds, sign in zip(self.endpoints, self.no_go, self._signs(), strict=True):
            rows[f"{end} fails if events {sign}"] = bounds
        frame = pd.DataFrame(rows).astype("Int64")
        for column, bounds in zip(frame.columns[1:], self.no_go, strict=True):
            never = [not 0 <= k <= n for n, k in zip(self.looks, bounds, strict=True)]
            frame.loc[never, column] = pd.NA
        return frame

    def _signs(self) -> tuple[str, str]:
        return ("<=", ">=" if self.kind == "efficacy_toxicity" else "<=")

    def fails(self, look: int, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Say whether the arm stops as a failure.

        Parameters
        ----------
        look
            Position of the look, from 0.
        first, second
            Events of each endpoint among the patients of that look, arrays that broadcast.
        """
        bad = np.asarray(first) <= self.no_go[0][look]
        if self.kind == "efficacy_toxicity":
            either: np.ndarray = bad | (np.asarray(second) >= self.no_go[1][look])
            return either
        both: np.ndarray = bad & (np.asarray(second) <= self.no_go[1][look])
        return both

    def operating(
        self,
        first: Sequence[float],
        second: Sequence[float],
        both: Sequence[float] | None = None,
    ) -> xr.Dataset:
        """Return exactly what the boundaries do under each truth, by enumeration of both numbers.

        Parameters
        ----------
        first, second
            True probabilities of each endpoint, of equal length, each in 0..1.
        both
            Probability that a patient has both events: the association. Of nested endpoints it is
            `first`, and is not given.

        Returns
        -------
        xarray.Dataset
            Over ``truth`` (0, 1 ...), with the rates as coordinates: ``early_no_go`` (before the last
            look), ``success`` and ``patients`` (expected number); over ``truth`` and ``look``
            (patients) ``no_go``, the probability to stop there. Without simulation error.

        Raises
        ------
        DoseOptError
            On probabilities that cannot be, and without an association where there is a choice.
        """
        p, q, r = self._truths(first, second, both)
        n = self.looks[-1]
        alive = np.zeros((len(p), n + 1, n + 1))
        alive[:, 0, 0] = 1.0
        cells = [x[:, None, None] for x in (1 - p - q + r, p - r, q - r, r)]
        a, b = np.arange(n + 1)[:, None], np.arange(n + 1)[None, :]
        stopped, patients, before = [], np.zeros(len(p)), 0
        for i, look in enumerate(self.looks):
            patients += alive.sum((1, 2)) * (look - before)
            for _ in range(look - before):
                alive = _one_more(alive, cells)
            before = look
            out = self.fails(i, a, b)
            stopped.append(np.where(out, alive, 0.0).sum((1, 2)))
            alive = np.where(out, 0.0, alive)
        at = np.stack(stopped, axis=1)
        over = (TRUTH,)
        return xr.Dataset(
            {
                "early_no_go": (over, at[:, :-1].sum(1)),
                "success": (over, alive.sum((1, 2))),
                "patients": (over, patients),
                "no_go": ((TRUTH, LOOK), at),
            },
            coords={TRUTH: np.arange(len(p)), LOOK: list(self.looks), "first": (over, p),
                    "second": (over, q), "both": (over, r)},
            attrs={"first": self.endpoints[0], "second": self.endpoints[1]},
        )  # fmt: skip

    def _truths(
        self, first: Sequence[float], second: Sequence[float], both: Sequence[float] | None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        nested = self.kind == "nested"
        if nested and both is not None:
            raise DoseOptError(
                f"every patient with {self.endpoints[0]} has {self.endpoints[1]} too: both is known",
                hint="leave both out",
            )
        if both is None and not nested:
            raise DoseOptError(
                "how often a patient has both events is not said, and the error rates rest on it",
                hint="independent endpoints: both = [first * second]; try the ends too, "
                "max(0, first + second - 1) and min(first, second)",
            )
        given = [np.atleast_1d(np.asarray(x, float)) for x in (first, second)]
        p, q = given
        r = p if both is None else np.atleast_1d(np.asarray(both, float))
        if not p.ndim == 1 or not p.shape == q.shape == r.shape or not len(p):
            raise DoseOptError(
                "first, second and both are lists of equal length, one entry a truth"
            )
        low, high = np.maximum(0.0, p + q - 1), np.minimum(p, q)
        sound = (p >= 0) & (p <= 1) & (q >= 0) & (q <= 1)
        sound &= (r >= low - ROUNDING) & (r <= high + ROUNDING)
        if not sound.all():
            i = int(np.argmin(sound))
            raise DoseOptError(
                f"truth {i}: {self.endpoints[0]} {p[i]:g}, {self.endpoints[1]} {q[i]:g} and both "
                f"{r[i]:g} cannot be probabilities of one patient",
                hint="each in 0..1, and both within max(0, first + second - 1)..min(first, second)",
            )
        return p, q, r.clip(low, high)

    def __str__(self) -> str:
        return f"{self.rule}\n{STOPS[self.kind]}\n{self.to_frame().to_string(index=False)}"


def _one_more(alive: np.ndarray, cells: Sequence[np.ndarray]) -> np.ndarray:
    """Add one patient to the probabilities (truth, events of the first, events of the second)."""
    neither, first, second, both = cells
    found: np.ndarray = neither * alive
    found[:, 1:] += first * alive[:, :-1]
    found[:, :, 1:] += second * alive[:, :, :-1]
    found[:, 1:, 1:] += both * alive[:, :-1, :-1]
    return found


def bop2_joint(
    kind: Kind, nulls: Mapping[str, float], looks: Sequence[int], *, scale: float, power: float
) -> JointBoundaries:
    """Return the boundaries of BOP2 for two binary endpoints of one arm.

    Parameters
    ----------
    kind
        ``"nested"``, ``"co_primary"`` or ``"efficacy_toxicity"``, as in :class:`JointBoundaries`.
    nulls
        Name of each endpoint to its rate that is not interesting (of toxicity: not acceptable), in
        (0, 1). Nested: first the part, then the whole. With toxicity: first efficacy.
    looks
        Patients at each look; the last one is the size N of the trial.
    scale, power
        An endpoint fails at n patients when the posterior probability that its rate is better than
        its null is below scale (n / N) ** power; the same for both.

    Raises
    ------
    DoseOptError
        On an unknown kind, names or numbers that are out of range, or looks that do not rise.

    Notes
    -----
    Zhou, Lee and Yuan (2017), Statistics in Medicine: the joint outcomes of a patient are multinomial,
    with a Dirichlet prior whose mean is the null and whose total is one patient. Each endpoint is a sum
    of categories, so that its prior is Beta(null, 1 - null) and its boundary a whole number, whatever
    the association under the null. `scale` and `power` are chosen so that the error rates of
    ``operating`` suit; with one endpoint it is :func:`~doseopt_bayes.planning.boundaries.bop2`.

    Examples
    --------
    >>> print(bop2_joint("nested", {"CR": 0.15, "CR or PR": 0.3}, (10, 20, 30), scale=0.9, power=1))
    BOP2, null rates CR 0.15, CR or PR 0.3; scale 0.9, power 1
    no-go when both endpoints fail: either one is enough to go on
     patients  CR fails if events <=  CR or PR fails if events <=
           10                      1                            2
           20                      3                            6
           30                      7                           12
    """
    if kind not in STOPS:
        raise DoseOptError(f"bop2_joint: unknown kind '{kind}'", hint=did_you_mean(kind, [*STOPS]))
    if len(nulls) != 2:
        raise DoseOptError(
            f"bop2_joint: {len(nulls)} endpoints, where two are read",
            hint="bop2 is for one endpoint",
        )
    (one, first), (two, second) = nulls.items()
    in_range = 0 < first < 1 and 0 < second < 1 and 0 < scale < 1 and power >= 0
    if not in_range:
        raise DoseOptError("bop2_joint: nulls and scale lie in (0, 1), power is >= 0")
    if kind == "nested" and first > second:
        raise DoseOptError(
            f"bop2_joint: {one} ({first:g}) is part of {two} ({second:g}) and cannot be more often",
            hint="give the part first, then the whole",
        )
    found = checked_looks(looks)
    given = {"scale": scale, "power": power}
    bounds = bop2(first, found, **given).no_go
    if kind == "efficacy_toxicity":
        other = tuple(_too_many(second, n, scale * (n / found[-1]) ** power) for n in found)
    else:
        other = bop2(second, found, **given).no_go
    said = f"BOP2, null rates {one} {first:g}, {two} {second:g}; scale {scale:g}, power {power:g}"
    return JointBoundaries(kind, (one, two), found, (bounds, other), said)


def calibrate_bop2(
    kind: Kind,
    nulls: Mapping[str, float],
    looks: Sequence[int],
    *,
    bad: Sequence[tuple[float, ...]],
    good: tuple[float, ...],
    error: float,
) -> JointBoundaries:
    """Return the BOP2 boundaries of the highest success where the arm is good, by a search of all.

    Parameters
    ----------
    kind, nulls, looks
        As for :func:`bop2_joint`.
    bad
        Truths (first, second, both) in which the arm should stop; of nested endpoints (first, second).
    good
        The truth in which it should not.
    error
        Highest probability of success in each of `bad`, in (0, 1).

    Returns
    -------
    JointBoundaries
        Over scale 0.5, 0.51 ... 0.99 and power 0, 0.05 ... 1, enumerated exactly. Of equal successes the
        one with the fewest expected patients in the first of `bad`, then the smaller scale and power.

    Raises
    ------
    DoseOptError
        When no boundaries under which the good arm can succeed keep the error, and as
        :func:`bop2_joint` and ``operating``.

    Examples
    --------
    >>> nulls = {"response": 0.2, "toxicity": 0.4}
    >>> bad, good = [(0.2, 0.2, 0.04), (0.4, 0.4, 0.16)], (0.4, 0.2, 0.08)
    >>> found = calibrate_bop2("efficacy_toxicity", nulls, (10, 20), bad=bad, good=good, error=0.2)
    >>> print(found.rule)
    BOP2, null rates response 0.2, toxicity 0.4; scale 0.69, power 0.45
    """
    if not 0 < error < 1 or not bad:
        raise DoseOptError("calibrate_bop2: error lies in (0, 1), and bad has one truth at least")
    length = 2 if kind == "nested" else 3
    truths = [*bad, good]
    if any(len(t) != length for t in truths):
        raise DoseOptError(
            f"calibrate_bop2: a truth of {kind} endpoints has {length} numbers",
            hint="(first, second, both); nested endpoints: (first, second)",
        )
    columns = [list(x) for x in zip(*truths, strict=True)]
    seen: dict[tuple[tuple[int, ...], ...], JointBoundaries] = {}
    for scale in SCALES:
        for power in POWERS:
            one = bop2_joint(kind, nulls, looks, scale=scale, power=power)
            seen.setdefault(one.no_go, one)
    best, least = None, (0.0, 0.0)  # boundaries that nothing passes are none
    for one in seen.values():
        table = one.operating(*columns)
        success, patients = table["success"].to_numpy(), float(table["patients"][0])
        # what differs by rounding alone is equal
        score = (round(float(success[-1]), 12), -round(patients, 9))
        if success[:-1].max() <= error and score[0] > 0 and (best is None or score > least):
            best, least = one, score
    if best is None:
        raise DoseOptError(
            f"calibrate_bop2: no scale and power keep the success of every bad truth at {error:g}",
            hint="more patients, fewer looks, or a larger error",
        )
    return best


def _too_many(null: float, n: int, cut: float) -> int:
    """Return the fewest events of `n` at which Pr(rate < null) falls below `cut`; n + 1: never."""
    events = np.arange(n + 1)
    acceptable = np.asarray(beta.cdf(null, null + events, 1 - null + n - events))
    return n + 1 - int((acceptable < cut).sum())
