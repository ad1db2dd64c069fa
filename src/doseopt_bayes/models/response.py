"""Response families: how patients (or groups) scatter around an exposure-response curve.

Each likelihood is written here once, in PyMC. The curve enters as `predictor`, one number per row on
the scale of the link; the mean response is read from the same link, whatever holds the draws.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final, Protocol

import numpy as np
import xarray as xr

from doseopt_bayes.errors import DoseOptError
from doseopt_bayes.names import PATIENT, POOLED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from doseopt_bayes.priors import Prior

__all__ = [
    "RESPONSES",
    "BinaryResponse",
    "ContinuousResponse",
    "CountResponse",
    "GroupedResponse",
    "PiecewiseExponential",
    "Response",
    "WeibullResponse",
]

INTERVAL: Final = "interval"
STEP: Final = "log_hazard_step"
Tensor = Any  # a pytensor variable


class Response(Protocol):
    """What a model needs of a family; all are frozen values."""

    kind: ClassVar[str]
    link: ClassVar[str]

    @property
    def parameters(self) -> tuple[str, ...]:
        """Parameters of the scatter, each with a prior of its own."""

    @property
    def says(self) -> str:
        """What the predictor is, in words."""

    def observe(self, rows: xr.Dataset, predictor: Tensor, priors: Mapping[str, Prior]) -> None:
        """Register parameters and observed nodes in the open PyMC model."""

    def mean(
        self, predictor: Any, draws: xr.Dataset | None = None, time: float | None = None
    ) -> Any:
        """Mean response at a predictor."""


@dataclass(frozen=True)
class BinaryResponse:
    """A patient has the event or not; the predictor is the logit of its probability."""

    kind: ClassVar[str] = "binary"
    link: ClassVar[str] = "logit"
    parameters: ClassVar[tuple[str, ...]] = ()
    says: ClassVar[str] = "logit of the probability"

    def observe(self, rows: xr.Dataset, predictor: Tensor, priors: Mapping[str, Prior]) -> None:
        """Register the observed node ``y`` (patient)."""
        import pymc as pm  # noqa: PLC0415

        y = _data("y_seen", rows["y"].to_numpy().astype("int64"))
        pm.Bernoulli("y", logit_p=predictor, observed=y)
        _over("y", PATIENT)

    def mean(
        self, predictor: Any, draws: xr.Dataset | None = None, time: float | None = None
    ) -> Any:
        """Probability of the event."""
        return 1 / (1 + np.exp(-predictor))


@dataclass(frozen=True)
class ContinuousResponse:
    """Values of single patients, Normal around the curve with standard deviation `sigma`."""

    kind: ClassVar[str] = "continuous"
    link: ClassVar[str] = "identity"
    parameters: ClassVar[tuple[str, ...]] = ("sigma",)
    says: ClassVar[str] = "mean"

    def observe(self, rows: xr.Dataset, predictor: Tensor, priors: Mapping[str, Prior]) -> None:
        """Register ``sigma`` and the observed node ``y`` (patient)."""
        import pymc as pm  # noqa: PLC0415

        y = _data("y_seen", rows["y"].to_numpy().astype(float))
        pm.Normal("y", mu=predictor, sigma=priors["sigma"].build("sigma"), observed=y)
        _over("y", PATIENT)

    def mean(
        self, predictor: Any, draws: xr.Dataset | None = None, time: float | None = None
    ) -> Any:
        """Mean response."""
        return predictor


@dataclass(frozen=True)
class GroupedResponse:
    """Mean, standard deviation and number of patients of each group.

    Notes
    -----
    mean ~ Normal(curve, sigma / sqrt(n)); the sum over groups of (n - 1) sd^2 ~ Gamma(df / 2, rate 1 /
    (2 sigma^2)) with df the sum of n - 1 (clinDR, ``mrmodel.stan``). The same posterior as from the
    single values.
    """

    kind: ClassVar[str] = "grouped"
    link: ClassVar[str] = "identity"
    parameters: ClassVar[tuple[str, ...]] = ("sigma",)
    says: ClassVar[str] = "mean"

    def observe(self, rows: xr.Dataset, predictor: Tensor, priors: Mapping[str, Prior]) -> None:
        """Register ``sigma`` and the observed nodes ``y`` (patient: a group) and ``spread``."""
        import pymc as pm  # noqa: PLC0415

        n = rows["n"].to_numpy().astype(float)
        freedom, squares = float((n - 1).sum()), float(((n - 1) * rows["sd"] ** 2).sum())
        sigma = priors["sigma"].build("sigma")
        y, size = _data("y_seen", rows["y"].to_numpy().astype(float)), _data("n", n)
        pm.Normal("y", mu=predictor, sigma=sigma / size**0.5, observed=y)
        _over("y", PATIENT)
        half = pm.Data("half_freedom", np.array([freedom / 2]), dims=POOLED)
        seen = pm.Data("squares", np.array([squares]), dims=POOLED)
        pm.Gamma("spread", alpha=half + 0 * sigma, beta=1 / (2 * sigma**2), observed=seen)
        _over("spread", POOLED)

    def mean(
        self, predictor: Any, draws: xr.Dataset | None = None, time: float | None = None
    ) -> Any:
        """Mean response."""
        return predictor


@dataclass(frozen=True)
class CountResponse:
    """Events in a person-time; the predictor is the log of the rate per unit of time.

    Parameters
    ----------
    overdispersed
        Negative binomial with variance mean + overdispersion * mean^2; Poisson otherwise.
    """

    overdispersed: bool = True

    kind: ClassVar[str] = "count"
    link: ClassVar[str] = "log"
    says: ClassVar[str] = "log of the rate per unit of person-time"

    @property
    def parameters(self) -> tuple[str, ...]:
        """Parameters of the scatter."""
        return ("overdispersion",) if self.overdispersed else ()

    def observe(self, rows: xr.Dataset, predictor: Tensor, priors: Mapping[str, Prior]) -> None:
        """Register ``overdispersion`` and the observed node ``y`` (patient)."""
        import pymc as pm  # noqa: PLC0415

        log_time = _data("log_time", np.log(rows["time"].to_numpy().astype(float)))
        mu = pm.math.exp(predictor + log_time)
        y = _data("y_seen", rows["y"].to_numpy().astype("int64"))
        if not self.overdispersed:
            pm.Poisson("y", mu=mu, observed=y)
            _over("y", PATIENT)
            return
        more = priors["overdispersion"].build("overdispersion")
        pm.NegativeBinomial("y", mu=mu, alpha=1 / more, observed=y)
        _over("y", PATIENT)

    def mean(
        self, predictor: Any, draws: xr.Dataset | None = None, time: float | None = None
    ) -> Any:
        """Rate per unit of time, or events expected in `time`."""
        return np.exp(predictor) * (1.0 if time is None else time)


@dataclass(frozen=True)
class WeibullResponse:
    """Time to an event with a Weibull hazard; exposure acts on the log hazard.

    Parameters
    ----------
    time
        Reference time, > 0: the predictor is the log of the cumulative hazard there.

    Notes
    -----
    Cumulative hazard exp(predictor) * (t / time)^k with shape k, so that survival at the reference time
    is exp(-exp(predictor)) whatever k is; a difference of predictors is a log hazard ratio.
    """

    time: float

    kind: ClassVar[str] = "time_to_event"
    link: ClassVar[str] = "log hazard"
    parameters: ClassVar[tuple[str, ...]] = ("weibull_shape",)

    def __post_init__(self) -> None:
        _positive("WeibullResponse: time", self.time)

    @property
    def says(self) -> str:
        """What the predictor is."""
        return f"log of the cumulative hazard at time {self.time:g}, Weibull in time"

    def observe(self, rows: xr.Dataset, predictor: Tensor, priors: Mapping[str, Prior]) -> None:
        """Register ``weibull_shape`` and the observed node ``y`` (patient): minus log of time / `time`.

        The logarithm of a Weibull time is Gumbel; a censored time is one of which only a bound is known.
        """
        import pymc as pm  # noqa: PLC0415

        seen = -np.log(rows["time"].to_numpy().astype(float) / self.time)
        bound = np.where(rows["y"].to_numpy() > 0, -np.inf, seen)
        k = priors["weibull_shape"].build("weibull_shape")
        free = pm.Gumbel.dist(mu=predictor / k, beta=1 / k)
        pm.Censored(
            "y", free, lower=_data("censored_at", bound), upper=None,
            observed=_data("y_seen", seen),
        )  # fmt: skip
        _over("y", PATIENT)

    def mean(
        self, predictor: Any, draws: xr.Dataset | None = None, time: float | None = None
    ) -> Any:
        """Survival at `time`; at the reference time without one."""
        factor: Any = 1.0
        if time is not None and time != self.time:
            if draws is None:
                raise DoseOptError("survival at another time needs the draws of weibull_shape")
            factor = (time / self.time) ** draws["weibull_shape"]
        return np.exp(-np.exp(predictor) * factor)


@dataclass(frozen=True)
class PiecewiseExponential:
    """Time to an event with a hazard that is constant between cuts; exposure acts on its logarithm.

    Parameters
    ----------
    cuts
        Times, > 0 and ascending, at which the baseline hazard may change; the last interval is open.

    Notes
    -----
    The predictor is the log hazard of the first interval; each further one has a ``log_hazard_step``
    over it. Events per interval are Poisson given the time at risk there, which gives the same
    posterior as the hazard itself (Holford 1980).
    """

    cuts: tuple[float, ...]

    kind: ClassVar[str] = "time_to_event"
    link: ClassVar[str] = "log hazard"
    parameters: ClassVar[tuple[str, ...]] = (STEP,)
    says: ClassVar[str] = "log hazard of the first interval, piecewise exponential in time"

    def __post_init__(self) -> None:
        cuts = tuple(map(float, self.cuts))
        object.__setattr__(self, "cuts", cuts)
        if not cuts or cuts[0] <= 0 or any(b <= a for a, b in itertools.pairwise(cuts)):
            raise DoseOptError(f"PiecewiseExponential: cuts = {cuts} must be > 0 and ascending")

    @property
    def _edges(self) -> np.ndarray:
        return np.array([0.0, *self.cuts, np.inf])

    def observe(self, rows: xr.Dataset, predictor: Tensor, priors: Mapping[str, Prior]) -> None:
        """Register ``log_hazard_step`` and the observed node ``y`` (patient, interval)."""
        import pymc as pm  # noqa: PLC0415

        time, event = rows["time"].to_numpy().astype(float), rows["y"].to_numpy() > 0
        edges = self._edges
        at_risk = np.clip(time[:, None] - edges[:-1], 0.0, np.diff(edges))
        inside = (time[:, None] > edges[:-1]) & (time[:, None] <= edges[1:])
        model = pm.modelcontext(None)
        model.add_coord(INTERVAL, [f"{a:g} to {b:g}" for a, b in itertools.pairwise(edges)])
        model.add_coord("later_interval", model.coords[INTERVAL][1:])
        step = priors[STEP].build(STEP, ("later_interval",))
        steps = pm.math.concatenate([np.zeros(1), step])
        dims = (PATIENT, INTERVAL)
        exposed = pm.Data("at_risk", at_risk, dims=dims)
        events = pm.Data("y_seen", (inside & event[:, None]).astype("int64"), dims=dims)
        # nobody at risk expects nobody: a mean of exactly 0 has no logarithm
        mu = pm.math.exp(predictor[:, None] + steps) * exposed + 1e-12
        pm.Poisson("y", mu=mu, observed=events)
        _over("y", *dims)

    def mean(
        self, predictor: Any, draws: xr.Dataset | None = None, time: float | None = None
    ) -> Any:
        """Survival at `time`."""
        if time is None or draws is None:
            raise DoseOptError("PiecewiseExponential: survival needs a time", hint="pass time=...")
        length = np.clip(time - self._edges[:-1], 0.0, np.diff(self._edges))
        later = xr.DataArray(length[1:], dims="later_interval")
        step = draws[STEP].drop_vars("later_interval", errors="ignore")
        total: Any = length[0] + (np.exp(step) * later).sum("later_interval")  # type: ignore[call-overload]
        return np.exp(-np.exp(predictor) * total)


RESPONSES: Final[dict[str, type]] = {
    "binary": BinaryResponse,
    "continuous": ContinuousResponse,
    "grouped": GroupedResponse,
    "count": CountResponse,
    "weibull": WeibullResponse,
    "piecewise_exponential": PiecewiseExponential,
}
"""Response families by the name that a specification file uses."""


def _data(name: str, values: np.ndarray) -> Tensor:
    """Register a data container over patients: other patients need no other program."""
    import pymc as pm  # noqa: PLC0415

    return pm.Data(name, values, dims=PATIENT)


def _over(name: str, *dims: str) -> None:
    """Label a node: a size of its own, which dims give it, could not be drawn from in batches."""
    import pymc as pm  # noqa: PLC0415

    pm.modelcontext(None).named_vars_to_dims[name] = dims


def _positive(what: str, value: float) -> None:
    if not (isinstance(value, int | float) and math.isfinite(value) and value > 0):
        raise DoseOptError(f"{what} = {value!r} must be a number > 0")
