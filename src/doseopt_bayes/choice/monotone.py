"""Does the response turn while the fitted curve cannot? Replicated patients against the observed ones."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import xarray as xr

from doseopt_bayes.choice.subset import equal_draws
from doseopt_bayes.errors import DiagnosticsError, DoseOptError
from doseopt_bayes.names import CHAIN, DOSE, DRAW, PATIENT
from doseopt_bayes.prediction.by_group import of_one_group

if TYPE_CHECKING:
    from doseopt_bayes.data.exposure import ExposureData
    from doseopt_bayes.inference.posterior import Posterior
    from doseopt_bayes.models.exposure_response import ExposureResponse

__all__ = ["MonotoneCheck", "check_monotone"]

GROUP: Final = "group"
KINDS: Final = ("binary", "continuous", "grouped", "count")
UNUSUAL: Final = 0.05  # share of replicates below which the observed drop speaks against the curve
ERRORS: Final = 3.0  # Monte Carlo errors of the share that must not change the verdict
DRAWS: Final = 2000
AGAINST, NOTHING, OPEN = "speaks against", "nothing against", "not resolved"


@dataclass(frozen=True, eq=False)
class MonotoneCheck:
    """Observed against replicated drop from the best lower group to the top group.

    Parameters
    ----------
    table
        Over ``group``, exposures ascending: ``low`` and ``high`` exposure, ``n``, ``observed`` mean, and
        ``replicated_low``, ``replicated_high`` (95 % of replicates).
    drop
        Observed: how much the top group lies below the best lower group; for a falling curve above the
        lowest. Negative when the top group is the best.
    p, mcse
        Share of replicates that drop as much or more, and its Monte Carlo error.
    direction
        ``"rising"`` or ``"falling"``.
    verdict
        ``"speaks against"`` the monotone curve, ``"nothing against"`` it, or ``"not resolved"``.
    sentence
        The same in words.
    """

    table: xr.Dataset
    drop: float
    p: float
    mcse: float
    direction: str
    verdict: str
    sentence: str

    def __str__(self) -> str:
        return self.sentence

    __repr__ = __str__


def check_monotone(
    model: ExposureResponse,
    data: ExposureData,
    posterior: Posterior,
    *,
    groups: int = 4,
    seed: int = 0,
    draws: int = DRAWS,
) -> MonotoneCheck:
    """Compare the observed drop at the top with what the fitted monotone curve would give.

    Parameters
    ----------
    model, data, posterior
        A curve of a monotone shape, the data, and its fit.
    groups
        Groups of equal size among the patients with exposure, 2 or more; patients without are a group of
        their own. With dose on the axis the groups are the doses.
    seed
        Of the replicates.
    draws
        Replicated trials.

    Returns
    -------
    MonotoneCheck
        A small `p` says that the curve cannot explain the drop.

    Raises
    ------
    DoseOptError
        For times to event, for shapes that may turn, or when there are fewer than two groups.
    DiagnosticsError
        When the fit failed its diagnostics.

    Notes
    -----
    Bayesian predictive p-value (as ``bpchkMonoEmax`` of clinDR): for each draw new responses of the same
    patients; the statistic is the best mean of a lower group less that of the top group. Such a p-value
    is conservative, as the data are used twice. A count is a rate per unit of person-time.
    """
    of_one_group("the check of a monotone curve", model)
    if model.response.kind not in KINDS:
        raise DoseOptError(
            f"{model.title}: a drop in group means is not defined for {model.response.kind}",
            hint="compare shapes that may turn with compare_models()",
        )
    if not model.shape.monotone:
        raise DoseOptError(
            f"{model.title}: a {type(model.shape).__name__} shape may turn already, so that there is "
            "nothing to check"
        )
    if not posterior.diagnostics.passed:
        raise DiagnosticsError(f"{model.title}: the fit failed its diagnostics")
    rows = model.read(data)
    which, table = _groups(model, rows, groups)
    post = equal_draws(posterior, draws, seed)
    again = _replicated(model, data, post, seed)
    means = np.stack([_mean(rows, again, which == g) for g in range(table.sizes[GROUP])], axis=-1)
    y = rows["y"].to_numpy().astype(float)
    observed = np.array([float(_mean(rows, y, which == g)) for g in range(table.sizes[GROUP])])
    direction = model.monotone if model.monotone != "free" else _direction(model, rows, post)
    sign = 1.0 if direction == "rising" else -1.0
    drop = float(_drop(sign * observed))
    event = xr.DataArray(_drop(sign * means) >= drop - 1e-12, dims=(CHAIN, DRAW))
    p, mcse = float(post.prob(event)), float(post.mcse(event))
    low, high = np.quantile(means, [0.025, 0.975], axis=(0, 1))
    found = {"observed": observed, "replicated_low": low, "replicated_high": high}
    table = table.assign({name: (GROUP, x) for name, x in found.items()})
    verdict = OPEN if abs(p - UNUSUAL) <= ERRORS * mcse else AGAINST if p < UNUSUAL else NOTHING
    said = _sentence(model, table, sign, drop, p, mcse, verdict)
    return MonotoneCheck(table, drop, p, mcse, direction, verdict, said)


def _drop(means: np.ndarray) -> Any:
    return means[..., :-1].max(axis=-1) - means[..., -1]


def _groups(
    model: ExposureResponse, rows: xr.Dataset, groups: int
) -> tuple[np.ndarray, xr.Dataset]:
    """Group of each row, and the groups' exposures and sizes."""
    x = rows["exposure"].to_numpy().astype(float)
    if groups < 2:
        raise DoseOptError(f"groups = {groups} must be 2 or more")
    if model.exposure == DOSE:
        which = np.unique(x, return_inverse=True)[1]
    else:
        above = x > 0
        which = np.zeros(x.size, dtype=int)
        if above.any():
            inner = np.unique(np.quantile(x[above], np.linspace(0, 1, groups + 1)[1:-1]))
            which[above] = 1 + np.searchsorted(inner, x[above], side="right")
        which = np.unique(which, return_inverse=True)[1]
    n = int(which.max()) + 1
    if n < 2:
        raise DoseOptError(
            f"{model.title}: all {x.size} rows have one exposure, so that no group is above another"
        )
    parts = [x[which == g] for g in range(n)]
    size = rows["n"].to_numpy() if "n" in rows else np.ones(x.size)
    columns = {
        "low": [part.min() for part in parts],
        "high": [part.max() for part in parts],
        "n": [int(size[which == g].sum()) for g in range(n)],
    }
    return which, xr.Dataset({k: (GROUP, v) for k, v in columns.items()})


def _mean(rows: xr.Dataset, y: np.ndarray, here: np.ndarray) -> np.ndarray:
    """Mean response of a group: of patients, weighted by their number, or a rate."""
    for weight in ("time", "n"):
        if weight in rows:
            w = rows[weight].to_numpy().astype(float)[here]
            total = (
                y[..., here].sum(axis=-1) if weight == "time" else (y[..., here] * w).sum(axis=-1)
            )
            return np.asarray(total / w.sum())
    return np.asarray(y[..., here].mean(axis=-1))


def _direction(model: ExposureResponse, rows: xr.Dataset, post: Posterior) -> str:
    x = rows["exposure"].to_numpy()
    ends = model.predictor_at(post.draws, np.array([x.min(), x.max()])).mean((CHAIN, DRAW))
    return "rising" if float(ends[1] - ends[0]) >= 0 else "falling"


def _replicated(
    model: ExposureResponse, data: ExposureData, post: Posterior, seed: int
) -> np.ndarray:
    """New responses (chain, draw, patient) from the model's own likelihood."""
    import pymc as pm  # noqa: PLC0415

    log = logging.getLogger("pymc.sampling.forward")
    level, built = log.level, model.build(data)
    log.setLevel(logging.WARNING)  # it would print which variables it draws
    try:
        tree = pm.sample_posterior_predictive(
            post.draws, model=built, var_names=["y"], progressbar=False, random_seed=seed
        )
    finally:
        log.setLevel(level)
    found: np.ndarray = tree["posterior_predictive"]["y"].transpose(CHAIN, DRAW, PATIENT).to_numpy()
    return found.astype(float)


def _sentence(
    model: ExposureResponse,
    table: xr.Dataset,
    sign: float,
    drop: float,
    p: float,
    mcse: float,
    verdict: str,
) -> str:
    unit = f" {model.unit}" if model.unit else ""

    def place(g: int) -> str:
        low, high = float(table["low"][g]), float(table["high"][g])
        return f"{low:.4g}{unit}" if low == high else f"{low:.4g} to {high:.4g}{unit}"

    observed = table["observed"].to_numpy()
    top = observed.size - 1
    best = int((sign * observed[:-1]).argmax())
    turn = "below" if sign > 0 else "above"
    if drop > 0:
        seen = (
            f"the mean of {model.endpoint} in the top group of {model.exposure} ({place(top)}, "
            f"{observed[top]:.3g}) lies {drop:.3g} {turn} that at {place(best)} ({observed[best]:.3g})"
        )
    else:
        seen = f"the mean of {model.endpoint} is most extreme in the top group ({place(top)})"
    share = f"{p:.3f} of replicated trials drop as much (Monte Carlo error {mcse:.2g})"
    end = {
        AGAINST: "a monotone curve hardly explains it: compare it with a quadratic or beta shape",
        NOTHING: "nothing speaks against a monotone curve; a drop too small to be seen is not excluded",
        OPEN: f"whether that is below {UNUSUAL:g} is not resolved by these draws",
    }
    return f"{seen[0].upper()}{seen[1:]}; {share}: {end[verdict]}."
