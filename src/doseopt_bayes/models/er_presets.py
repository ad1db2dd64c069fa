"""Exposure-response recipes with named priors. None of them looks at the response."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from doseopt_bayes.errors import DoseOptError
from doseopt_bayes.models.er_priors import HillGivenEC50, LogStudentT, Uniform
from doseopt_bayes.models.exposure_response import ExposureResponse
from doseopt_bayes.models.response import (
    BinaryResponse,
    ContinuousResponse,
    GroupedResponse,
    PiecewiseExponential,
)
from doseopt_bayes.models.shapes import BetaShape, Emax, SigmoidEmax
from doseopt_bayes.priors import HalfNormal, LogNormal, Normal, StudentT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from doseopt_bayes.data.exposure import ExposureData
    from doseopt_bayes.models.er_curve import CovariateEffect, Monotone
    from doseopt_bayes.models.response import Response
    from doseopt_bayes.models.shapes import Shape
    from doseopt_bayes.priors import Prior

__all__ = ["empirical_emax", "weakly_informative"]

DF: Final = 5.0
SD_LOG_ED50: Final = 1.73
INNER: Final = (0.05, 0.95)  # quantiles of exposure at which a weakly informative prior is stated


def empirical_emax(
    endpoint: str,
    exposure: str,
    *,
    p50: float,
    target: float,
    level: tuple[float, float],
    effect: tuple[float, float],
    response: Response | None = None,
    sigma: tuple[float, float] | None = None,
    hill: bool = True,
    covariates: Sequence[CovariateEffect] = (),
    priors: Mapping[str, Prior] | None = None,
    monotone: Monotone = "free",
    unit: str = "",
) -> ExposureResponse:
    """Emax with the empirically based Bayesian prior (FDA fit-for-purpose, 2022).

    Parameters
    ----------
    endpoint, exposure, response, covariates, monotone, unit
        As for :class:`~doseopt_bayes.models.exposure_response.ExposureResponse`; binary without
        `response`.
    p50
        Projected ED50 (or EC50), > 0, in the unit of exposure.
    target
        Exposure > 0 at which the effect over placebo is projected, the highest one as a rule.
    level
        Location and scale of the prior of the placebo response, on the scale of the link.
    effect
        Location and scale of the prior of the effect at `target` over placebo, on that scale. Both
        must be given: they belong to the endpoint.
    sigma
        Smallest and largest standard deviation of single values, for continuous responses.
    hill
        Whether the Hill coefficient is estimated (4 parameters) or 1 (3 parameters).
    priors
        Of covariate effects and of what else the response needs.

    Returns
    -------
    ExposureResponse
        Prior: level and effect t with 5 degrees of freedom; log(ED50 / P50) t5(0, 1.73) truncated to
        0.001 to 1000 times P50; log Hill given log ED50 t6, of marginal scale 0.425 and correlation
        -0.45, truncated to 0.3 to 4; sigma uniform.

    Notes
    -----
    Thomas, Sweeney and Somayaji (2014); Thomas and Roy (2017); Wu et al. (2017); clinDR
    (``emaxPrior.control``, ``mrmodel.stan``). Before truncation the 95 % intervals are 0.012 to 85 for
    ED50 / P50 and 0.34 to 2.98 for the Hill coefficient; the truncation makes them narrower.

    Examples
    --------
    >>> model = empirical_emax("painfree", "dose", p50=20, target=200, level=(-2, 1), effect=(1, 1.5))
    >>> round(model.priors["ec50"].quantile(0.5), 6)
    20.0
    """
    shape: Shape = SigmoidEmax() if hill else Emax()
    ec50 = LogStudentT(p50, SD_LOG_ED50, DF, 0.001, 1000.0)
    found: dict[str, Prior] = {
        "level": StudentT(DF, *level),
        "effect": StudentT(DF, *effect),
        "ec50": ec50,
    }
    if hill:
        found["hill"] = HillGivenEC50(ec50)
    if sigma is not None:
        found["sigma"] = Uniform(*sigma)
    return ExposureResponse(
        endpoint,
        exposure,
        shape,
        response or BinaryResponse(),
        found | dict(priors or {}),
        covariates=tuple(covariates),
        reference=(0.0, target),
        monotone=monotone,
        unit=unit,
    )


def weakly_informative(
    data: ExposureData,
    endpoint: str,
    exposure: str,
    shape: Shape,
    *,
    response: Response | None = None,
    typical: float = 0.0,
    spread: float | None = None,
    covariates: Sequence[CovariateEffect] = (),
    monotone: Monotone = "free",
    priors: Mapping[str, Prior] | None = None,
) -> ExposureResponse:
    """Wide priors that are set by the exposures that were studied and by units alone.

    Parameters
    ----------
    data
        Only its exposures and units are read: the same patients with other responses give the same
        priors.
    endpoint, exposure, shape, response, covariates, monotone
        As for :class:`~doseopt_bayes.models.exposure_response.ExposureResponse`; binary without
        `response`.
    typical
        Value around which the response at low exposure is expected, on the scale of the link.
    spread
        Size of a large difference between patients, in the unit of the response: needed for continuous
        and grouped responses, whose scale no exposure tells.
    priors
        Replace those chosen here.

    Returns
    -------
    ExposureResponse
        Reference exposures: 0 where it was studied, else the 5 % quantile; and the 95 % quantile. At
        the first the prior of the linear predictor is Normal(typical, 2.5), its change to the second
        Normal(0, 2.5) (continuous: 2 and 2 times `spread`); EC50 is log-normal around the median of
        the exposures above 0 with sd 1 of the logarithm (95 % within 1/7 and 7 times); Hill is
        log-normal(1, 0.5); sigma half-normal with sd `spread`.

    Raises
    ------
    DoseOptError
        When a continuous response has no `spread`, or exposure never varies.
    """
    family = response or BinaryResponse()
    wide = 2.5
    if isinstance(family, ContinuousResponse | GroupedResponse):
        if spread is None or not spread > 0:
            raise DoseOptError(
                f"{endpoint}: spread = {spread!r}; a continuous response needs a number > 0",
                hint="the size of a large difference between patients, in the unit of the response",
            )
        wide = 2 * spread
    names = tuple(dict.fromkeys(c.covariate for c in covariates))
    rows = data.rows(endpoint, exposure, names)
    x = rows["exposure"].to_numpy().astype(float)
    above = x[x > 0]
    if above.size == 0 or x.min() == x.max():
        raise DoseOptError(
            f"{exposure} never varies (value {x.min():g}, n = {x.size}), so that it says nothing of a "
            "curve and no prior can be set by it",
            hint="state the priors: ExposureResponse(..., reference=(low, high))",
        )
    low, high = np.quantile(x, INNER)
    low = 0.0 if x.min() == 0 else float(low)
    high = float(high) if high > low else float(x.max())
    level_sd = wide if spread is None else 2 * spread
    found: dict[str, Prior] = {"ec50": LogNormal(float(np.median(above)), 1.0)}
    found |= {"hill": LogNormal(1.0, 0.5), "delta": LogNormal(float(x.max()), 1.0)}
    found |= {"delta1": LogNormal(1.0, 0.75), "delta2": LogNormal(1.0, 0.75)}
    found["curvature"] = Normal(0.0, 2 * wide / (high - low) ** 2)
    curve = ("e0", shape.size) if isinstance(shape, BetaShape) else ("level", "effect")
    found |= {curve[0]: Normal(typical, level_sd), curve[1]: Normal(0.0, wide)}
    scatter: dict[str, Prior] = {
        "sigma": HalfNormal(spread or 1.0),
        "overdispersion": HalfNormal(1.0),
        "weibull_shape": LogNormal(1.0, 0.5),
        PiecewiseExponential.parameters[0]: Normal(0.0, 1.0),
    }
    on = {
        c.name: Normal(0.0, 0.5 if c.parameter in shape.bends else wide / 2.5) for c in covariates
    }
    kept = (*curve, *shape.bends, *shape.free)
    chosen = {name: found[name] for name in kept}
    chosen |= {name: scatter[name] for name in family.parameters} | on | dict(priors or {})
    unit = data.dose_unit if exposure == "dose" else data.exposures[exposure]
    return ExposureResponse(
        endpoint,
        exposure,
        shape,
        family,
        chosen,
        covariates=tuple(covariates),
        reference=None if curve[0] == "e0" else (low, high),
        monotone=monotone,
        unit=unit,
    )
