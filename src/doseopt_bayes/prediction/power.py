"""The power model of exposure: log exposure is linear in log dose, with a scatter between people."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np
import xarray as xr
from scipy import stats

from doseopt_bayes.errors import DoseOptError, did_you_mean
from doseopt_bayes.prediction.exposures import ObservedExposures, covariates_of, exposure_table
from doseopt_bayes.prediction.people import Crowd, People, Regimen, stratified_normal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from doseopt_bayes.data.exposure import ExposureData

__all__ = ["PowerModel", "fit_power_model"]

SLOPE: Final = (1.0, 2.5)  # prior of the slope: centre, and sd in multiples of the scatter
SPREAD: Final = 0.3  # prior guess of the sd of log exposure between people
NUMBERS, SCATTER = 2, 3  # streams of random numbers; those of people are 0 and 1


@dataclass(frozen=True, eq=False)
class PowerModel:
    """Posterior of log exposure = a + b (log dose - centre) + scatter of the person, in closed form.

    Build it with :func:`fit_power_model`.

    Parameters
    ----------
    metrics, units, dose_unit
        Metrics of the same people, their units, and the unit of the dose.
    columns
        What the rows of `mean` are: intercept, slope, and a schedule each.
    centre
        Mean of log dose in the data.
    mean, inverse
        Posterior of the coefficients given the covariance: matrix Normal with this mean (column,
        metric) and row covariance (column, column).
    freedom, scale
        Posterior of the covariance between metrics: inverse Wishart with these.
    n
        People it was fitted to.
    doses
        Lowest and highest dose above 0 that was given.
    prior
        The prior in words.
    notes
        What was left out, and what the data do not tell.
    data
        Whose people lend their covariates.
    """

    metrics: tuple[str, ...]
    units: tuple[str, ...]
    dose_unit: str
    columns: tuple[str, ...]
    centre: float
    mean: np.ndarray = field(repr=False)
    inverse: np.ndarray = field(repr=False)
    freedom: float
    scale: np.ndarray = field(repr=False)
    n: int
    doses: tuple[float, float]
    prior: str
    notes: tuple[str, ...]
    data: ExposureData = field(repr=False)

    @property
    def proportionality(self) -> xr.Dataset:
        """Slope b of each metric: ``mean``, ``low`` and ``high`` (95 %); 1 is dose-proportional."""
        df = self.freedom - len(self.metrics) + 1
        spread = np.sqrt(self.inverse[1, 1] * np.diag(self.scale) / df)
        ends = {"mean": 0.0, "low": stats.t(df).ppf(0.025), "high": stats.t(df).ppf(0.975)}
        rows = {name: ("metric", self.mean[1] + at * spread) for name, at in ends.items()}
        return xr.Dataset(rows, coords={"metric": list(self.metrics)})

    def coefficients(self, crowd: Crowd) -> tuple[np.ndarray, np.ndarray]:
        """Draw coefficients (draw, column, metric) and covariances (draw, metric, metric)."""
        random, m = crowd.random(NUMBERS), len(self.metrics)
        drawn = stats.invwishart.rvs(
            self.freedom, self.scale, size=crowd.draws, random_state=random
        )
        covariance = np.reshape(drawn, (crowd.draws, m, m))
        free = random.standard_normal((crowd.draws, len(self.columns), m))
        root = np.linalg.cholesky(covariance)
        lower = np.linalg.cholesky(self.inverse)
        return self.mean + lower @ free @ root.transpose(0, 2, 1), covariance

    def people(self, regimen: Regimen, crowd: Crowd) -> People:
        """Return new people for each draw of the coefficients; the same at every dose but for dose."""
        half = 2 * max(1, crowd.size // 2)
        if regimen.dose == 0:
            exposure = {metric: np.zeros((crowd.draws, half)) for metric in self.metrics}
        else:
            coefficient, covariance = self.coefficients(crowd)
            typical = self._row(regimen) @ coefficient + math.log(regimen.factor)
            free = stratified_normal(crowd, len(self.metrics), SCATTER)
            scatter = free @ np.linalg.cholesky(covariance).transpose(0, 2, 1)
            logs = typical[:, None, :] + scatter
            exposure = {metric: np.exp(logs[..., j]) for j, metric in enumerate(self.metrics)}
        lent = covariates_of(self.data, crowd, (crowd.draws, half))
        return People(exposure, None, lent, halves=True)

    def dose_for(self, metric: str, exposure: np.ndarray, crowd: Crowd) -> np.ndarray:
        """Dose at which the median exposure of people is the given one, a draw each; NaN without one.

        Parameters
        ----------
        metric
            One of `metrics`.
        exposure
            Over (draw), as many as the crowd has draws.
        crowd
            As for `people`.
        """
        at = self.metrics.index(metric)
        coefficient, _ = self.coefficients(crowd)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            logs = (np.log(exposure) - coefficient[:, 0, at]) / coefficient[:, 1, at] + self.centre
            rises = coefficient[:, 1, at] > 0
            found: np.ndarray = np.where(rises, np.exp(logs), np.nan)
        return found

    def treated(self, regimen: Regimen) -> int | None:
        """Count who got the regimen."""
        return ObservedExposures(self.data, self.metrics).treated(regimen)

    def words(self) -> tuple[str, ...]:
        """Return the model, its prior, dose proportionality and what the data do not tell."""
        first = (
            f"exposures: log {' and log '.join(self.metrics)} = a + b log dose + scatter, of {self.n} "
            f"people at {self.doses[0]:g} to {self.doses[1]:g} {self.dose_unit}; {self.prior}"
        )
        said = [first]
        slope, df = self.proportionality, self.freedom - len(self.metrics) - 1
        for j, metric in enumerate(self.metrics):
            low, high = float(slope["low"][j]), float(slope["high"][j])
            fits = "" if low <= 1 <= high else "; not proportional to dose (1)"
            cv = math.sqrt(math.expm1(self.scale[j, j] / max(df, 1.0)))
            said.append(
                f"{metric} rises as dose to the power {float(slope['mean'][j]):.2f} (95 % {low:.2f} to "
                f"{high:.2f}){fits}; {cv:.0%} coefficient of variation between people"
            )
        return (*said, *self.notes)

    def _row(self, regimen: Regimen) -> np.ndarray:
        row = np.zeros(len(self.columns))
        row[:2] = 1.0, math.log(regimen.dose) - self.centre
        if regimen.schedule in self.columns[2:]:
            row[self.columns.index(regimen.schedule)] = 1.0
        elif regimen.schedule and regimen.schedule not in self.data.schedules:
            raise DoseOptError(
                f"Regimen '{regimen.label}': the data have no schedule '{regimen.schedule}'",
                hint=did_you_mean(regimen.schedule, list(self.data.schedules)),
            )
        return row

    def __str__(self) -> str:
        return "\n".join(self.words())


def fit_power_model(
    data: ExposureData,
    metrics: str | Sequence[str],
    *,
    schedules: Sequence[str] = (),
    slope: tuple[float, float] = SLOPE,
    spread: float = SPREAD,
) -> PowerModel:
    """Fit the power model to the people with a dose above 0 and known exposures.

    Parameters
    ----------
    data
        Exposure data.
    metrics
        One metric, or several that people keep together.
    schedules
        Labels of schedules (``ExposureData.schedules``) that get an exposure factor of their own over
        the others at the same dose.
    slope
        Prior of the slope b: Normal around the first number (1 is dose-proportional), sd the second
        times the scatter. The effects of schedules have the same sd, around 0.
    spread
        Prior guess of the standard deviation of log exposure between people, > 0.

    Returns
    -------
    PowerModel
        The exact posterior, without Monte Carlo.

    Raises
    ------
    DoseOptError
        On an unknown metric or schedule, or fewer than 2 people.

    Notes
    -----
    Multivariate regression with its conjugate prior: intercept flat; covariance inverse Wishart with
    (metrics + 1) degrees of freedom and scale (metrics + 1) spread^2; for one metric this is the
    Normal-inverse-gamma model (Gelman et al., Bayesian Data Analysis, section 14.8). The power model of
    dose proportionality: Gough et al. (1995).
    """
    observed = ObservedExposures(data, (metrics,) if isinstance(metrics, str) else tuple(metrics))
    wanted = observed.metrics
    if not (spread > 0 and slope[1] > 0):
        raise DoseOptError(f"spread = {spread!r} and the sd of the slope {slope[1]!r} must be > 0")
    for one in schedules:
        if one not in data.schedules:
            raise DoseOptError(
                f"the data have no schedule '{one}'", hint=did_you_mean(one, list(data.schedules))
            )
    table = exposure_table(data, wanted)
    positive = (table["dose"] > 0).to_numpy() & (table[list(wanted)] > 0).all(axis=1).to_numpy()
    used = table[positive]
    if len(used) < 2:
        raise DoseOptError(
            f"{len(used)} people have a dose and a {' and '.join(wanted)} above 0; 2 are needed",
            hint="GivenExposures takes exposures from elsewhere",
        )
    log_dose = np.log(used["dose"].to_numpy(dtype=float))
    centre = float(log_dose.mean())
    marks = [(used["schedule"] == one).to_numpy(dtype=float) for one in schedules]
    x = np.column_stack([np.ones(len(used)), log_dose - centre, *marks])
    y = np.log(used[list(wanted)].to_numpy(dtype=float))
    m, k = len(wanted), x.shape[1]
    before = np.diag([0.0, *[slope[1] ** -2] * (k - 1)])
    start = np.zeros((k, m))
    start[1] = slope[0]
    precision = x.T @ x + before
    mean = np.linalg.solve(precision, x.T @ y + before @ start)
    residual, moved = y - x @ mean, mean - start
    scale = (m + 1) * spread**2 * np.eye(m) + residual.T @ residual + moved.T @ before @ moved
    prior = (
        f"prior: a flat, b ~ Normal({slope[0]:g}, {slope[1]:g} x scatter), scatter of about "
        f"{spread:g} on the log scale worth {m + 1} people"
    )
    return PowerModel(
        wanted,
        tuple(data.dose_unit if w == "dose" else data.exposures[w] for w in wanted),
        data.dose_unit,
        ("intercept", "slope", *schedules),
        centre,
        mean,
        np.linalg.inv(precision),
        float(m + 1 + len(used) - 1),  # the flat intercept costs one
        scale,
        len(used),
        (float(used["dose"].min()), float(used["dose"].max())),
        prior,
        _notes(data, wanted, positive, schedules),
        data,
    )


def _notes(
    data: ExposureData,
    wanted: tuple[str, ...],
    positive: np.ndarray,
    schedules: Sequence[str],
) -> tuple[str, ...]:
    """Say what was left out and what the data do not tell."""
    frame = exposure_table(data, wanted)
    said = []
    unknown = len(data.table) - len(frame)
    if unknown:
        said.append(f"{unknown} people without a known {' and '.join(wanted)} are left out")
    zero = frame[~positive]
    if len(zero):
        placebo = int((zero["dose"] == 0).sum())
        said.append(
            f"{len(zero)} people at exposure 0 are left out of the power model ({placebo} at dose 0, "
            "where exposure is taken to be 0)"
        )
    doses = set(frame[positive]["dose"])
    if len(doses) == 1:
        said.append(
            f"one dose only ({doses.pop():g}): dose proportionality is that of the prior, and so is "
            "every prediction at another dose"
        )
    same: dict[float, list[str]] = {}
    for label, dose in data.schedules.items():
        if label not in schedules:
            same.setdefault(dose, []).append(label)
    for dose, labels in same.items():
        if len(labels) > 1 and dose > 0:
            said.append(
                f"dose {dose:g} was given as {', '.join(labels)}: taken together (schedules=... tells "
                "them apart)"
            )
    return tuple(said)
