"""A recipe that stands for several curves: in each draw the one that holds there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from doseopt_bayes.choice.compare import MODEL
from doseopt_bayes.errors import DoseOptError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

    import xarray as xr

    from doseopt_bayes.models.er_curve import CovariateEffect, Monotone
    from doseopt_bayes.models.exposure_response import ExposureResponse
    from doseopt_bayes.models.response import Response

__all__ = ["AveragedCurve", "Mixture", "shown_weights"]


@dataclass(frozen=True)
class Mixture:
    """What is asked of the shape of an average: which parameters bend its members, and that it may turn.

    Parameters
    ----------
    bends
        Names in the draws.
    """

    bends: tuple[str, ...]
    size: ClassVar[str] = ""
    free: ClassVar[tuple[str, ...]] = ()
    monotone: ClassVar[bool] = False
    formula: ClassVar[str] = "the curve of the model that holds in the draw"


@dataclass(frozen=True, eq=False)
class AveragedCurve:
    """A recipe of several curves of one endpoint, for draws that say which of them holds.

    Takes the place of an :class:`~doseopt_bayes.models.exposure_response.ExposureResponse` wherever a
    fitted curve is read: ``at_doses({"eff": averaged.model}, {"eff": averaged.posterior}, ...)``.

    Parameters
    ----------
    members
        Label to recipe; the parameters of each stand in the draws as its label, a colon, and their name.
    weights
        Label to weight.
    """

    members: Mapping[str, ExposureResponse]
    weights: Mapping[str, float]

    @property
    def _first(self) -> ExposureResponse:
        return next(iter(self.members.values()))

    @property
    def title(self) -> str:
        """How errors call it."""
        return f"average of {len(self.members)} curves of {self.endpoint}"

    @property
    def endpoint(self) -> str:
        """Name of the endpoint."""
        return self._first.endpoint

    @property
    def endpoints(self) -> tuple[str, ...]:
        """Endpoints that it reads."""
        return self._first.endpoints

    @property
    def exposure(self) -> str:
        """Exposure metric of every member."""
        return self._first.exposure

    @property
    def unit(self) -> str:
        """Unit of the exposure."""
        return self._first.unit

    @property
    def response(self) -> Response:
        """Response family of every member."""
        return self._first.response

    @property
    def shape(self) -> Mixture:
        """What bends the curves of its members."""
        return Mixture(tuple(f"{k}:{b}" for k, m in self.members.items() for b in m.shape.bends))

    @property
    def monotone(self) -> Monotone:
        """Direction, where all members have one and the same."""
        found = {m.monotone for m in self.members.values()}
        return found.pop() if len(found) == 1 else "free"

    @property
    def covariates(self) -> tuple[CovariateEffect, ...]:
        """Effects of covariates of all members."""
        return tuple(dict.fromkeys(c for m in self.members.values() for c in m.covariates))

    @property
    def priors(self) -> dict[str, Any]:
        """Priors of all members by the names of the draws."""
        return {f"{k}:{n}": p for k, m in self.members.items() for n, p in m.priors.items()}

    def read(self, data: Any) -> xr.Dataset:
        """Return the rows that its first member reads."""
        return self._first.read(data)

    def seen(self, data: Any) -> xr.Dataset:
        """Return what was observed at each dose."""
        return self._first.seen(data)

    def draws_of(self, draws: xr.Dataset, label: str) -> xr.Dataset:
        """Return the draws of one member under the names that its recipe gives them."""
        start = f"{label}:"
        own = [str(v) for v in draws.data_vars if str(v).startswith(start)]
        return draws[own].rename({v: v.removeprefix(start) for v in own})

    def predictor_at(
        self, draws: xr.Dataset, exposure: Any, covariates: Mapping[str, Any] | None = None
    ) -> xr.DataArray:
        """Linear predictor for each draw, of the member that holds in it."""
        given = dict(covariates or {})
        known = {c.covariate for c in self.covariates}
        for name in given:
            if name not in known:
                raise DoseOptError(
                    f"{self.title} has no covariate '{name}'",
                    hint=did_you_mean(name, sorted(known)),
                )
        found: Any = None
        for label, one in self.members.items():
            own = {c.covariate for c in one.covariates}
            mine = {k: v for k, v in given.items() if k in own}
            here = one.predictor_at(self.draws_of(draws, label), exposure, mine)
            found = here if found is None else here.where(draws[MODEL] == label, found)
        result: xr.DataArray = found
        return result.assign_coords({MODEL: draws[MODEL]})

    def response_at(
        self,
        draws: xr.Dataset,
        exposure: Any,
        covariates: Mapping[str, Any] | None = None,
        *,
        time: float | None = None,
    ) -> xr.DataArray:
        """Mean response for each draw, as ``ExposureResponse.response_at`` gives it.

        Returns
        -------
        xarray.DataArray
            The sample dims and the dims of `exposure`; the coord ``model`` names the member.
        """
        predictor = self.predictor_at(draws, exposure, covariates)
        found: xr.DataArray = self.response.mean(predictor, draws, time)
        return found

    def words(self) -> tuple[str, ...]:
        """Say of what, and with which weights."""
        said = [
            f"an average of {len(self.members)} curves by the weights of {shown_weights(self.weights)}"
        ]
        said += [f"{k}: {line}" for k, m in self.members.items() for line in m.words()]
        return tuple(said)

    def __str__(self) -> str:
        unit = f" ({self.unit})" if self.unit else ""
        head = f"Exposure-response: {self.endpoint} by {self.exposure}{unit}"
        return "\n".join([head, *(f"  {line}" for line in self.words())])


def shown_weights(weights: Mapping[str, float]) -> str:
    """Return weights as text, the largest first."""
    return ", ".join(f"{k} {w:.2f}" for k, w in sorted(weights.items(), key=lambda x: -x[1]))
