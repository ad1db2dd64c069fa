"""EffTox priors from intervals that an expert states for the probability at two doses."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import xarray as xr
from scipy.special import expit, logit, ndtri

from doseopt_bayes import names
from doseopt_bayes.elicit.curve import Curve, centred, checked_curvature
from doseopt_bayes.elicit.elicited import Elicited, as_curves, as_priors, implied, normal
from doseopt_bayes.errors import DoseOptError
from doseopt_bayes.priors import Normal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from doseopt_bayes.priors import Prior

__all__ = ["priors_from_quantiles"]

LEAST: Final = 0.1  # no sd is let below this share of the other: its parameter would be known
SMALL: Final = 1 / 3  # and below this share it is remarked on
SAME: Final = 1e-9  # relative difference below which two distances from the centre are equal


@dataclass(frozen=True)
class _Stated:
    """One interval: dose, centred log dose, probabilities, and mean and sd of the log-odds."""

    dose: float
    x: float
    low: float
    high: float
    mean: float
    sd: float

    def interval(self, sd: float, level: float) -> str:
        """Return the interval about the same middle with another sd of the log-odds, in words."""
        half = sd * float(ndtri((1 + level) / 2))
        return f"{expit(self.mean - half):.4g} to {expit(self.mean + half):.4g}"


def priors_from_quantiles(
    doses: Sequence[float],
    *,
    p_tox: Mapping[float, tuple[float, float]],
    p_eff: Mapping[float, tuple[float, float]],
    level: float = 0.9,
    widen: bool = False,
    eff_curvature: Normal = Normal(0.0, 0.2),  # noqa: B008  (frozen)
    association: Prior = Normal(0.0, 1.0),  # noqa: B008
) -> Elicited:
    """Find EffTox priors with stated central intervals of the probabilities at two doses.

    Parameters
    ----------
    doses
        Candidate doses (> 0, distinct, at least two), in any order and unit.
    p_tox, p_eff
        Two of `doses`, each with (low, high): the central interval of the probability there.
    level
        Probability of the stated intervals, in (0, 1).
    widen
        Whether a statement that is too tight beside the other one is widened, about the middle of its
        log-odds, until intercept and slope have equal sds; otherwise that is an error.
    eff_curvature
        Prior of the curvature of efficacy; its part of the intervals is taken off first.
    association
        Prior of the association; it has no bearing on the probabilities.

    Returns
    -------
    Elicited
        ``.priors`` for ``EffTox``; ``.table`` with ``stated_low`` and ``stated_high`` (NaN where
        nothing was stated) beside the reached ``low`` and ``high`` of the same level.

    Raises
    ------
    DoseOptError
        On intervals that cannot be, and on two that no independent Normal priors of intercept and
        slope can have together, with what would be compatible.

    Notes
    -----
    Exact: with independent Normal intercept and slope the log-odds at x = log dose - mean log dose are
    Normal with mean m0 + m1 x and variance s0^2 + s1^2 x^2 (with curvature, plus mc x^2 and
    sc^2 x^4), so that two intervals are four equations in four unknowns. The further dose from the
    centre must have the wider interval in log-odds, but not by more than the ratio of the distances.
    No parameter may become all but known: neither sd is let below a tenth of the other. Doses equally
    far from the centre say nothing of how the variance divides; the two sds are then equal.

    Examples
    --------
    >>> found = priors_from_quantiles(
    ...     (15, 30, 45),
    ...     p_tox={30: (0.02, 0.25), 15: (0.005, 0.2)},
    ...     p_eff={15: (0.05, 0.30), 45: (0.20, 0.60)}, level=0.9,
    ... )
    >>> print(found.priors["eff_slope"])
    Normal(mean 1.2793, sd 1.00862), 95 % within -0.698 to 3.26
    >>> found.table["high"].sel(endpoint="eff").values.round(3).tolist()
    [0.3, 0.343, 0.6]
    """
    if not 0 < level < 1:
        raise DoseOptError(f"level = {level!r} must lie strictly between 0 and 1, for example 0.9")
    ascending, x = centred(doses)
    stated = {
        names.TOX: _read("p_tox", p_tox, ascending, x, level),
        names.EFF: _read("p_eff", p_eff, ascending, x, level),
    }
    bent = checked_curvature(eff_curvature)
    tox, tox_notes = _solve("p_tox", stated[names.TOX], None, level, widen)
    eff, eff_notes = _solve("p_eff", stated[names.EFF], bent, level, widen)
    curves = as_curves(tox, eff)
    table = implied(ascending, x, curves, level=level)
    for side in ("low", "high"):
        given = np.full((len(ascending), len(curves)), math.nan)
        for column, endpoint in enumerate(curves):
            for s in stated[endpoint]:
                given[ascending.index(s.dose), column] = getattr(s, side)
        table[f"stated_{side}"] = xr.DataArray(given, dims=(names.DOSE, names.ENDPOINT))
    source = f"from stated {level:.4g} intervals of the probabilities at two doses"
    return Elicited(as_priors(curves, association), table, (*tox_notes, *eff_notes), source)


def _read(
    name: str,
    at: Mapping[float, tuple[float, float]],
    doses: tuple[float, ...],
    x: np.ndarray,
    level: float,
) -> tuple[_Stated, _Stated]:
    """Return the two statements, the dose nearer to the centre first."""
    found = []
    for dose, interval in at.items():
        match = np.flatnonzero(np.isclose(doses, float(dose), rtol=1e-6, atol=0))
        if not match.size:
            known = ", ".join(f"{d:g}" for d in doses)
            raise DoseOptError(f"{name}: {dose:g} is no candidate dose", hint=f"these are: {known}")
        if len(interval) != 2 or not 0 < interval[0] < interval[1] < 1:
            raise DoseOptError(
                f"{name} at dose {dose:g}: {tuple(interval)} must be (low, high) with "
                "0 < low < high < 1",
                hint="probabilities, not per cent",
            )
        low, high = (float(p) for p in interval)
        ends = logit(np.array([low, high]))
        sd = float(ends[1] - ends[0]) / (2 * float(ndtri((1 + level) / 2)))
        j = int(match[0])
        found.append(_Stated(doses[j], float(x[j]), low, high, float(ends.mean()), sd))
    if len({s.dose for s in found}) != 2:
        raise DoseOptError(
            f"{name}: an interval at exactly two doses is needed, {len(found)} given",
            hint="two intervals fix intercept and slope; choose two doses far apart",
        )
    near, far = sorted(found, key=lambda s: (abs(s.x), s.x))
    return near, far


def _solve(
    name: str,
    stated: tuple[_Stated, _Stated],
    curvature: Normal | None,
    level: float,
    widen: bool,
) -> tuple[Curve, list[str]]:
    """Solve the four equations; return the curve and what to know of it."""
    near, far = stated
    bend, sd_bend = (0.0, 0.0) if curvature is None else (curvature.mean, curvature.sd)
    middle = [s.mean - bend * s.x**2 for s in stated]
    slope = (middle[1] - middle[0]) / (far.x - near.x)
    (v_near, v_far), notes = _compatible(name, stated, sd_bend, level, widen)
    if _mirrored(near, far):
        v_slope = v_intercept = v_near / (1 + near.x**2)
        low, high = sorted((near.dose, far.dose))
        notes.append(
            f"{name}: doses {low:g} and {high:g} are equally far from the centre of the log doses, so "
            "that the intervals do not say how intercept and slope share the variance: equal sds"
        )
    else:
        v_slope = (v_far - v_near) / (far.x**2 - near.x**2)
        v_intercept = v_near - v_slope * near.x**2
    sds = {"intercept": math.sqrt(v_intercept), "slope": math.sqrt(v_slope)}
    sure, other = sorted(sds, key=sds.__getitem__)
    if sds[sure] < SMALL * sds[other]:
        notes.append(
            f"{name}: the {sure} is nearly known (sd {sds[sure]:.3g}, the {other}'s {sds[other]:.3g}): "
            "look at the intervals of the doses where nothing was stated"
        )
    if name == "p_tox" and slope <= 0:
        notes.append(f"{name}: what was stated does not rise with dose: slope mean {slope:.3g}")
    found = Curve(
        normal(middle[0] - slope * near.x, sds["intercept"]), normal(slope, sds["slope"]), curvature
    )
    return found, notes


def _compatible(
    name: str, stated: tuple[_Stated, _Stated], sd_bend: float, level: float, widen: bool
) -> tuple[list[float], list[str]]:
    """Return the variances at both doses without the curvature's part, the tight one widened."""
    near, far = stated
    bends = [(sd_bend * s.x**2) ** 2 for s in stated]
    v = [s.sd**2 - bend for s, bend in zip(stated, bends, strict=True)]
    for s, left in zip(stated, v, strict=True):
        if left <= 0:
            raise DoseOptError(
                f"{name} at dose {s.dose:g}: {s.low:g} to {s.high:g} is tighter than the curvature "
                "alone allows",
                hint="state a wider interval, or give eff_curvature a smaller sd",
            )

    def ratio(q: float) -> float:
        """Variance at the far dose over that at the near one, for slope sd / intercept sd = q."""
        same = _mirrored(near, far)
        return 1.0 if same else (1 + (q * far.x) ** 2) / (1 + (q * near.x) ** 2)

    least, equal, most = (ratio(q) for q in (LEAST, 1.0, 1 / LEAST))
    if v[1] < v[0] * least * (1 - SAME):
        tight, fitting = 1, [v[0] * r for r in (least, equal, most)]
    elif v[1] > v[0] * most * (1 + SAME):
        tight, fitting = 0, [v[1] / r for r in (most, equal, least)]
    else:
        return v, []
    s, beside = stated[tight], stated[1 - tight]
    first, chosen, last = (s.interval(math.sqrt(w + bends[tight]), level) for w in fitting)
    problem = (
        f"{name}: {s.low:g} to {s.high:g} at dose {s.dose:g} is too tight beside "
        f"{beside.low:g} to {beside.high:g} at dose {beside.dose:g}, as no independent Normal "
        "intercept and slope have both intervals"
    )
    if not widen:
        fits = (
            "the doses are equally far from the centre, so both must be as wide in log-odds"
            if _mirrored(near, far)
            else f"between {first} and {last} is compatible"
        )
        raise DoseOptError(problem, hint=f"at dose {s.dose:g} {fits}; widen=True makes it {chosen}")
    v[tight] = fitting[1]
    return v, [f"{problem}; widened to {chosen}"]


def _mirrored(near: _Stated, far: _Stated) -> bool:
    return math.isclose(near.x**2, far.x**2, rel_tol=SAME)
