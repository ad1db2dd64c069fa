"""EffTox priors from expected probabilities and an effective sample size (Thall et al. 2014)."""

from __future__ import annotations

import math
from numbers import Real
from typing import TYPE_CHECKING, Final

import numpy as np
import xarray as xr
from scipy.optimize import least_squares
from scipy.special import logit

from doseopt_bayes import names
from doseopt_bayes.elicit.curve import Curve, beta_ess, centred, checked_curvature, logit_normal
from doseopt_bayes.elicit.elicited import Elicited, as_curves, as_priors, implied, normal
from doseopt_bayes.errors import DoseOptError
from doseopt_bayes.priors import Normal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from doseopt_bayes.priors import Prior

__all__ = ["priors_from_ess"]

ADVISED: Final = (0.3, 1.0)  # Thall et al. (2014), patients
POSSIBLE: Final = (0.1, 20.0)  # beyond it the objective can have several minima
ESS_WEIGHT: Final = 0.1  # of the published objective
SD_WEIGHT: Final = 0.2  # of the published objective
LEVEL: Final = 0.95
STARTS: Final = (0.15, 0.5, 2.0, 6.0)  # sds of intercept and slope
SDS: Final = (1e-3, 60.0)
FAR_MEAN: Final = 0.03  # a mean further than this from the one stated is remarked on
FAR_ESS: Final = 0.05  # and so is a relative error of the effective sample size


def priors_from_ess(
    doses: Sequence[float],
    *,
    p_tox: Sequence[float],
    p_eff: Sequence[float],
    ess_tox: float,
    ess_eff: float,
    eff_curvature: Normal = Normal(0.0, 0.2),  # noqa: B008  (frozen)
    association: Prior = Normal(0.0, 1.0),  # noqa: B008
) -> Elicited:
    """Find EffTox priors with stated expected probabilities and effective sample sizes.

    Parameters
    ----------
    doses
        Candidate doses (> 0, distinct, at least two), in any order and unit.
    p_tox, p_eff
        Expected probability of toxicity and of efficacy at each of `doses`, in (0, 1).
    ess_tox, ess_eff
        Patients that the prior of a probability is worth, on average over doses: 0.1 to 20;
        0.3 to 1 is advised.
    eff_curvature
        Prior of the curvature of efficacy, as published; kept as it is.
    association
        Prior of the association; it has no bearing on the probabilities.

    Returns
    -------
    Elicited
        ``.priors`` for ``EffTox``; ``.table`` with the stated ``target`` and ``ess_target``.

    Raises
    ------
    DoseOptError
        On doses, probabilities or sizes that cannot be.

    Notes
    -----
    Thall, Herrick, Nguyen, Venier and Norris (2014), https://doi.org/10.1177/1740774514547397,
    objective and weights as in trialr's ``get_efftox_priors.R``: squared errors of the means, plus 0.1
    times those of the effective sample sizes (a + b of the Beta of equal mean and variance, averaged
    over doses), plus 0.2 times the squared difference of the sds of intercept and slope. trialr
    draws 10,000 samples; here the log-odds at a dose are Normal, so that the moments are
    one-dimensional integrals: no draws, no seed, no Monte Carlo error. The two endpoints do not
    interact and are solved apart, as least squares from four starts.

    Examples
    --------
    >>> found = priors_from_ess(
    ...     (1, 2, 4, 6.6, 10),
    ...     p_tox=(0.02, 0.04, 0.06, 0.08, 0.10), ess_tox=0.9,
    ...     p_eff=(0.2, 0.4, 0.6, 0.8, 0.9), ess_eff=0.9,
    ... )
    >>> print(found.priors["eff_slope"])
    Normal(mean 3.43112, sd 2.50385), 95 % within -1.48 to 8.34
    >>> {endpoint: round(ess, 1) for endpoint, ess in found.ess.items()}
    {'tox': 0.9, 'eff': 0.9}
    """
    ascending, x = centred(doses)
    order = np.argsort([float(d) for d in doses])
    target = {
        names.TOX: _checked_means("p_tox", p_tox, ascending)[order],
        names.EFF: _checked_means("p_eff", p_eff, ascending)[order],
    }
    asked = {
        names.TOX: _checked_ess("ess_tox", ess_tox),
        names.EFF: _checked_ess("ess_eff", ess_eff),
    }
    curves = as_curves(
        _solve(x, target[names.TOX], asked[names.TOX], None),
        _solve(x, target[names.EFF], asked[names.EFF], checked_curvature(eff_curvature)),
    )
    table = implied(ascending, x, curves, level=LEVEL)
    table["target"] = xr.DataArray(
        np.stack([target[e] for e in curves], 1), dims=(names.DOSE, names.ENDPOINT)
    )
    table["ess_target"] = xr.DataArray([asked[e] for e in curves], dims=names.ENDPOINT)
    notes = [n for e in curves for n in _notes(e, table.sel({names.ENDPOINT: e}))]
    source = "from expected probabilities and effective sample size (Thall et al. 2014)"
    return Elicited(as_priors(curves, association), table, tuple(notes), source)


def _checked_means(name: str, given: Sequence[float], doses: Sequence[float]) -> np.ndarray:
    p = np.asarray(given, dtype=float)
    if p.shape != (len(doses),):
        raise DoseOptError(f"{name} has {p.size} values for {len(doses)} doses: give one per dose")
    if not np.all((p > 0) & (p < 1)):
        raise DoseOptError(
            f"{name} = {p.tolist()}: probabilities must lie strictly between 0 and 1",
            hint="a dose without any risk is 0.001, not 0; 20 % is 0.2",
        )
    return p


def _checked_ess(name: str, given: float) -> float:
    low, high = POSSIBLE
    if isinstance(given, bool) or not isinstance(given, Real) or not low <= given <= high:
        raise DoseOptError(
            f"{name} = {given!r} must be a number of patients from {low:g} to {high:g}",
            hint="0.3 to 1 lets the first cohorts speak (Thall et al. 2014); for a firm prior state "
            "intervals: priors_from_quantiles",
        )
    return float(given)


def _solve(x: np.ndarray, target: np.ndarray, ess: float, curvature: Normal | None) -> Curve:
    """Minimise the published objective of one endpoint."""

    def curve(v: np.ndarray) -> Curve:
        sd_intercept, sd_slope = np.exp(v[2:])
        return Curve(
            Normal(float(v[0]), float(sd_intercept)),
            Normal(float(v[1]), float(sd_slope)),
            curvature,
        )

    def residuals(v: np.ndarray) -> np.ndarray:
        found = curve(v)
        mean, sd = logit_normal(*found.logit(x))
        size = math.sqrt(ESS_WEIGHT) * (beta_ess(mean, sd).mean() - ess)
        unequal = math.sqrt(SD_WEIGHT) * (found.intercept.sd - found.slope.sd)
        return np.array([*(mean - target), size, unequal])

    bent = 0.0 if curvature is None else curvature.mean * x**2
    slope, intercept = np.polyfit(x, logit(target) - bent, 1)
    ends = ([-np.inf, -np.inf, *np.log(SDS[:1] * 2)], [np.inf, np.inf, *np.log(SDS[1:] * 2)])
    runs = []
    for sd in STARTS:
        # averaging over the sd pulls a mean towards 1/2 by about this factor on the logit scale
        pull = math.sqrt(1 + 0.35 * sd**2 * (1 + float(np.mean(x**2))))
        start = [intercept * pull, slope * pull, math.log(sd), math.log(sd)]
        runs.append(
            least_squares(residuals, start, bounds=ends, jac="3-point", x_scale="jac",
                          xtol=1e-12, ftol=1e-12, gtol=1e-12)
        )  # fmt: skip
    best = curve(min(runs, key=lambda run: float(run.cost)).x)
    return Curve(
        normal(best.intercept.mean, best.intercept.sd),
        normal(best.slope.mean, best.slope.sd),
        curvature,
    )


def _notes(endpoint: str, table: xr.Dataset) -> list[str]:
    """Say where the result is not what was asked, or the question was unusual."""
    p = names.probability(endpoint)
    doses, mean, target = (table[k].to_numpy() for k in (names.DOSE, "mean", "target"))
    asked, reached = float(table["ess_target"]), float(table["ess"].mean())
    said = []
    if not ADVISED[0] <= asked <= ADVISED[1]:
        weight = "outweigh the first patients" if asked > 1 else "put its mass near 0 and 1"
        said.append(
            f"{p}: effective sample size {asked:g} is outside {ADVISED[0]:g} to {ADVISED[1]:g}, "
            f"the range advised by Thall et al. (2014): the prior may {weight}"
        )
    if abs(reached / asked - 1) > FAR_ESS:
        said.append(f"{p}: effective sample size {reached:.3g} is reached, {asked:g} was asked")
    worst = int(np.argmax(np.abs(mean - target)))
    if abs(mean[worst] - target[worst]) > FAR_MEAN:
        said.append(
            f"{p}: the mean at dose {doses[worst]:g} is {mean[worst]:.3f}, {target[worst]:g} was "
            "stated: the best balance of means, sizes and equal sds"
        )
    turned = np.flatnonzero(np.diff(mean) * np.diff(target) < 0)
    said += [
        f"{p}: the mean goes from {mean[j]:.3f} at dose {doses[j]:g} to {mean[j + 1]:.3f} at dose "
        f"{doses[j + 1]:g}, against what was stated: the slope is uncertain, and the curves that "
        "turn the other way weigh most at the outer doses"
        for j in turned
    ]
    return said
