"""Exposure-response: one endpoint as a curve of one exposure metric (or of dose)."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from doseopt_bayes import names
from doseopt_bayes.errors import DoseOptError, did_you_mean
from doseopt_bayes.models.er_checks import check_covariate, check_priors, check_reference
from doseopt_bayes.models.er_curve import (
    E0,
    EFFECT,
    LEVEL,
    CovariateEffect,
    Monotone,
    aligned,
    curve_parameters,
    sampled_by,
)
from doseopt_bayes.models.er_groups import (
    check_groups,
    check_levels,
    counts_by_dose,
    group_words,
    of_patients,
    one_level,
)
from doseopt_bayes.models.joint import described
from doseopt_bayes.models.shapes import Shape, effect
from doseopt_bayes.priors import groupings_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pymc as pm

    from doseopt_bayes.data.exposure import ExposureData
    from doseopt_bayes.models.response import Response
    from doseopt_bayes.priors import Prior

__all__ = ["CovariateEffect", "ExposureResponse"]

EXPOSURE, DIRECTIONS = "exposure", ("free", "rising", "falling")


@dataclass(frozen=True)
class ExposureResponse:
    """Mean response of one endpoint as a function of exposure; a recipe without data.

    Parameters
    ----------
    endpoint
        Name of the endpoint in the data.
    exposure
        Name of the exposure metric in the data; ``"dose"`` puts dose on the x axis.
    shape
        One of :data:`~doseopt_bayes.models.shapes.SHAPES`.
    response
        One of :data:`~doseopt_bayes.models.response.RESPONSES`, of the kind of the endpoint.
    priors
        One prior for each of `parameters`: either ``level`` and ``effect``, or ``e0`` and the size of
        the shape (``emax``, ``slope``); what bends the shape; what the response needs; and each
        covariate effect.
    covariates
        Effects of covariates on parameters of the curve.
    reference
        Two exposures, ascending: ``level`` is the linear predictor at the first, ``effect`` its change
        to the second. Needed for priors on these; with priors on ``e0`` and the size it makes sampling
        faster and changes nothing else.
    monotone
        ``"free"``, ``"rising"`` or ``"falling"``: the prior of the effect is cut at 0.
    unit
        Unit of the exposure; compared with that of the data.
    groups
        Grouping to its levels, as ``data.groups`` has them. A curve parameter or covariate effect with
        a :class:`~doseopt_bayes.priors.Pooled` or ``Unpooled`` prior over a grouping has a value for
        each level; positive ones (EC50, Hill, a rising size) are pooled as LogNormal.

    Raises
    ------
    DoseOptError
        On priors, reference exposures, directions or names that cannot be.

    Notes
    -----
    Covariates act additively on ``e0`` and on the size, and on the logarithm of what must stay positive:
    EC50, Hill and, under `monotone`, the size. Numeric covariates are centred as their effect says.

    Examples
    --------
    >>> from doseopt_bayes.models.response import BinaryResponse
    >>> from doseopt_bayes.models.shapes import Linear
    >>> from doseopt_bayes.priors import Normal
    >>> priors = {"level": Normal(0, 2.5), "effect": Normal(0, 2.5)}
    >>> curve = {"reference": (1, 3), "unit": "h"}
    >>> print(ExposureResponse("ae", "auc", Linear(), BinaryResponse(), priors, **curve))
    Exposure-response: ae by auc (h)
      logit of the probability = e0 + slope * x, x = auc (h)
      level is its value at x = 1, effect its change from x = 1 to 3
      the curve may rise or fall
      priors:
        level   ~ Normal(mean 0, sd 2.5), 95 % within -4.9 to 4.9
        effect  ~ Normal(mean 0, sd 2.5), 95 % within -4.9 to 4.9
    """

    endpoint: str
    exposure: str
    shape: Shape
    response: Response
    priors: Mapping[str, Prior]
    covariates: tuple[CovariateEffect, ...] = ()
    reference: tuple[float, float] | None = None
    monotone: Monotone = "free"
    unit: str = ""
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "covariates", tuple(self.covariates))
        check_reference(self)
        if self.monotone not in DIRECTIONS:
            raise DoseOptError(
                f"{self.title}: unknown direction '{self.monotone}'",
                hint=did_you_mean(str(self.monotone), DIRECTIONS),
            )
        if self.monotone != "free" and not self.shape.monotone:
            raise DoseOptError(
                f"{self.title}: a {type(self.shape).__name__} shape may turn, so that it cannot be "
                f"{self.monotone}",
                hint="monotone='free', or an Emax, linear or log-linear shape",
            )
        for one in self.covariates:
            check_covariate(self, one)
        check_priors(self)
        check_groups(self)

    @property
    def title(self) -> str:
        """How errors call it."""
        return f"ExposureResponse of {self.endpoint}"

    @property
    def parameters(self) -> tuple[str, ...]:
        """Parameters that have a prior, in the order in which they are shown."""
        curve = (LEVEL, EFFECT) if LEVEL in self.priors else (E0, self.shape.size)
        return (
            *curve,
            *self.shape.bends,
            *self.shape.free,
            *self.response.parameters,
            *(c.name for c in self.covariates),
        )

    @property
    def endpoints(self) -> tuple[str, ...]:
        """Endpoints that it reads."""
        return (self.endpoint,)

    @property
    def scale(self) -> str:
        """Scale and unit of the parameters."""
        unit = f" ({self.unit})" if self.unit else ""
        return (
            f"e0 and effects: {self.response.says}; EC50 and reference exposures in the unit of "
            f"{self.exposure}{unit}."
        )

    def read(self, data: ExposureData) -> xr.Dataset:
        """Return the rows that the model reads, checked against the recipe.

        Raises
        ------
        DoseOptError
            When the endpoint is of another kind, the exposure in another unit, or a level unknown.
        """
        wanted = tuple(dict.fromkeys(c.covariate for c in self.covariates))
        rows: xr.Dataset = data.rows(self.endpoint, self.exposure, wanted)
        kind = str(rows.attrs.get("kind", ""))
        if kind != self.response.kind:
            raise DoseOptError(
                f"{self.endpoint} is {kind} in the data, and {type(self.response).__name__} reads "
                f"{self.response.kind}",
                hint="choose the response family of the endpoint's kind",
            )
        there = data.dose_unit if self.exposure == names.DOSE else data.exposures.get(self.exposure)
        if self.unit and there and there != self.unit:
            raise DoseOptError(
                f"{self.exposure} is in '{there}' in the data, the model in '{self.unit}'",
                hint="give both in one unit: EC50 and its prior depend on it",
            )
        y = rows["y"].to_numpy()
        if kind == "continuous" and np.ptp(y) == 0:
            raise DoseOptError(
                f"{self.endpoint}: the response has no variation (n = {y.size}, value {y[0]:g})",
                hint="no curve can be fitted to a constant: is it the right column?",
            )
        absent = [c.column for c in self.covariates if c.column not in rows]
        if absent:
            known = [str(v) for v in rows.data_vars if str(v).startswith("cov_")]
            raise DoseOptError(
                f"the data have no {', '.join(absent)}", hint=did_you_mean(absent[0], known)
            )
        check_levels(self, data, rows)
        return rows

    def build(self, data: ExposureData) -> pm.Model:
        """Return the PyMC model: ``e0``, the size, what bends the shape, and the observed ``y``."""
        import pymc as pm  # noqa: PLC0415

        rows = self.read(data)
        with pm.Model(coords={g: list(v) for g, v in self.groups.items()}) as model:
            self.response.observe(rows, self.predictor(rows), self.priors)
        return model

    def predictor(self, rows: xr.Dataset) -> Any:
        """Register the curve and the patients' data in the open PyMC model; return its predictor."""
        import pymc as pm  # noqa: PLC0415

        def put(name: str, values: xr.DataArray) -> Any:
            return pm.Data(name, values.to_numpy().astype(float), dims=names.PATIENT)

        x = put("x", rows[EXPOSURE])
        columns = {c.name: put(f"z_{c.name}", c.scaled(rows[c.column])) for c in self.covariates}
        own, over = of_patients(self, rows), tuple(self.groups)
        p = curve_parameters(self.shape, self.priors, self.reference, self.monotone, over)
        slopes = {
            c.name: aligned(
                self.priors[c.name].build(c.name), groupings_of(self.priors[c.name]), over
            )
            for c in self.covariates
        }
        p, slopes = ({name: own(value) for name, value in x.items()} for x in (p, slopes))
        each = self._adjusted(p, slopes, columns)
        return each[E0] + effect(self.shape, x, each)

    def _adjusted(
        self, p: Mapping[str, Any], slopes: Mapping[str, Any], columns: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Return the curve's parameters of each patient."""
        found = dict(p)
        for c in self.covariates:
            term = slopes[c.name] * columns[c.name]
            if self._is_positive(c.parameter):
                found[c.parameter] = found[c.parameter] * math.e**term
            else:
                found[c.parameter] = found[c.parameter] + term
        return found

    def _is_positive(self, parameter: str) -> bool:
        directed = parameter == self.shape.size and self.monotone != "free"
        return parameter in self.shape.bends or directed

    def predictor_at(
        self, draws: xr.Dataset, exposure: Any, covariates: Mapping[str, Any] | None = None
    ) -> xr.DataArray:
        """Linear predictor for each draw; see :meth:`response_at`."""
        x = exposure
        if not isinstance(x, xr.DataArray):
            at = np.atleast_1d(np.asarray(exposure, dtype=float))
            x = xr.DataArray(at, dims=EXPOSURE, coords={EXPOSURE: at}, attrs={"units": self.unit})
        given = dict(covariates or {})
        known = {c.covariate for c in self.covariates}
        for name in given:
            if name not in known:
                raise DoseOptError(
                    f"{self.title} has no covariate '{name}'",
                    hint=did_you_mean(name, sorted(known)),
                )
        columns = {}
        for c in self.covariates:
            value = given.get(c.covariate)
            if c.level is not None:
                columns[c.name] = 0.0 if value is None else (value == c.level) * 1.0
            else:
                columns[c.name] = c.scaled(c.centre if value is None else value)
        wanted = (E0, self.shape.size, *self.shape.bends, *self.shape.free)
        slopes = {c.name: draws[c.name] for c in self.covariates}
        p = self._adjusted({name: draws[name] for name in wanted}, slopes, columns)
        found: xr.DataArray = p[E0] + effect(self.shape, x, p)
        return found

    def response_at(
        self,
        draws: xr.Dataset,
        exposure: Any,
        covariates: Mapping[str, Any] | None = None,
        *,
        time: float | None = None,
    ) -> xr.DataArray:
        """Mean response for each draw: probability, mean, rate, or survival at a time.

        Parameters
        ----------
        draws
            Posterior (or prior) draws, for example ``posterior.draws``.
        exposure
            Exposures >= 0 as numbers, which become the dim ``exposure``; or a DataArray with dims of its
            own (people, regimens, even a sample dim), against which the draws broadcast.
        covariates
            Covariate to value (a number, a level, or a DataArray); those left out are at their centre or
            reference level.
        time
            Of survival (time to event) or of expected events (count).

        Returns
        -------
        xarray.DataArray
            The sample dims of `draws` and the dims of `exposure`.
        """
        predictor = self.predictor_at(draws, exposure, covariates)
        found: xr.DataArray = self.response.mean(predictor, draws, time)
        return found

    def seen(self, data: ExposureData) -> xr.Dataset:
        """Return what was observed at each dose: n_treated, n and events, over groups and dose."""
        return counts_by_dose(self, data)

    def at(self, **levels: str) -> ExposureResponse:
        """Return one level's curve, ``model.at(subgroup="mBCC")``: it reads a fit, and fits nothing."""
        return one_level(self, levels)

    def words(self) -> tuple[str, ...]:
        """Return the model's equations, links and choices, a sentence each."""
        unit = f" ({self.unit})" if self.unit else ""
        said = [f"{self.response.says} = {self.shape.formula}, x = {self.exposure}{unit}"]
        how = sampled_by(self.shape, self.priors, self.reference)
        if self.reference is not None and how != "raw":
            low, high = self.reference
            said.append(
                f"level is its value at x = {low:g}, effect its change from x = {low:g} to {high:g}"
                + ("; sampled by these, under the priors below" if how == "moved" else "")
            )
        for c in self.covariates:
            scale = "the log of " if self._is_positive(c.parameter) else ""
            said.append(f"on {scale}{c.parameter}: {c}")
        direction = {"free": "may rise or fall", "rising": "cannot fall", "falling": "cannot rise"}
        said.append(f"the curve {direction[self.monotone]}")
        return (*said, *group_words(self, how))

    def __str__(self) -> str:
        unit = f" ({self.unit})" if self.unit else ""
        return described(f"Exposure-response: {self.endpoint} by {self.exposure}{unit}", self)
