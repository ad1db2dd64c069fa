"""How well a fitted curve predicts a patient whom it has not seen: leave-one-out by one endpoint."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import xarray as xr
from arviz_stats.base import array_stats
from scipy.special import logsumexp

from doseopt_bayes.choice.density import rows_key, to_density
from doseopt_bayes.choice.subset import labels_of, without
from doseopt_bayes.errors import DiagnosticsError, DoseOptError
from doseopt_bayes.inference.identify import log_likelihood
from doseopt_bayes.inference.laplace import preview_exposure
from doseopt_bayes.inference.pareto import khat_limit
from doseopt_bayes.inference.weighted import PARTICLE, Weighted
from doseopt_bayes.models.exposure_response import ExposureResponse
from doseopt_bayes.models.response import GroupedResponse
from doseopt_bayes.names import PATIENT

if TYPE_CHECKING:
    from doseopt_bayes.data.exposure import ExposureData
    from doseopt_bayes.inference.posterior import Posterior

__all__ = ["LooResult", "leave_one_out"]

PSIS, REFIT, FOLD = "importance sampling", "exact refit", "k-fold"
MAX_REFITS: Final = 20
FOLDS: Final = 10
DRAWS: Final = 8000  # over all chains, at most
PARTICLES: Final = 16_384  # of a refit
NAMED: Final = 5  # patients named at most


@dataclass(frozen=True, eq=False)
class LooResult:
    """Expected log predictive density of patients left out, one at a time.

    Parameters
    ----------
    pointwise
        Over ``patient``: ``elpd``, ``khat`` (Pareto k of leaving the patient out by importance
        sampling), ``how`` (importance sampling, exact refit or k-fold), ``in_sample`` (log predictive
        density with the patient in the fit).
    mcse
        Monte Carlo error of `elpd`, the errors of patients added with their correlation.
    limit
        Pareto k above which importance sampling was not used.
    endpoint, exposure, title
        What was predicted, by what, under which shape.
    unit
        What was left out: ``"patient"`` or ``"group"``.
    scale
        What the density is of, in words; only equal scales are compared.
    key
        Fingerprint of the rows: who they are and what was seen in them.
    notes
        Every patient handled otherwise than by importance sampling, and what else to know.
    """

    pointwise: xr.Dataset
    mcse: float
    limit: float
    endpoint: str
    exposure: str
    title: str
    unit: str
    scale: str
    key: str
    notes: tuple[str, ...]

    @cached_property
    def n(self) -> int:
        """Number of units left out in turn."""
        return int(self.pointwise.sizes[PATIENT])

    @property
    def refitted(self) -> bool:
        """Whether importance sampling failed for any of them."""
        return bool((self.pointwise["how"] != PSIS).any())

    @cached_property
    def elpd(self) -> float:
        """Sum over patients of the expected log predictive density."""
        return float(self.pointwise["elpd"].sum())

    @cached_property
    def se(self) -> float:
        """Standard error of `elpd` by the scatter between patients."""
        return float(np.sqrt(self.n * self.pointwise["elpd"].to_numpy().var()))

    @cached_property
    def p_loo(self) -> float:
        """Effective number of parameters: how much better the fit describes those that it has seen."""
        return float(self.pointwise["in_sample"].sum()) - self.elpd

    def __str__(self) -> str:
        head = (
            f"Leave-one-out of {self.endpoint} by {self.exposure} ({self.title}): elpd {self.elpd:.1f}, "
            f"standard error {self.se:.1f}, Monte Carlo error {self.mcse:.2g}; effective parameters "
            f"{self.p_loo:.1f}"
        )
        unit = f"left out in turn: each {self.unit} (n = {self.n}); {self.scale}"
        return "\n".join([head, f"  {unit}", *(f"  {note}" for note in self.notes)])

    __repr__ = __str__


def leave_one_out(
    model: ExposureResponse,
    data: ExposureData,
    posterior: Posterior,
    *,
    seed: int = 0,
    max_refits: int = MAX_REFITS,
    folds: int = FOLDS,
) -> LooResult:
    """Predict each patient from the others.

    Parameters
    ----------
    model, data, posterior
        A curve, the data, and what :func:`~doseopt_bayes.inference.nuts.fit` or
        :func:`~doseopt_bayes.inference.batch.preview` made of them.
    seed
        Of refits and folds.
    max_refits
        Most patients who are refitted one by one; with more, all are predicted by k-fold.
    folds
        Folds of k-fold, 2 or more.

    Returns
    -------
    LooResult
        Pointwise, with every patient for whom importance sampling failed counted and named.

    Raises
    ------
    DiagnosticsError
        When the fit, or a refit, failed its diagnostics.
    DoseOptError
        When the model is none of one endpoint, or fewer than two rows are left.

    Notes
    -----
    Pareto-smoothed importance sampling (Vehtari, Gelman and Gabry 2017; Vehtari et al. 2024) through
    ``arviz_stats`` on the log-likelihood of the PyMC graph. Where Pareto k is above min(0.7, 1 - 1 /
    log10(draws)) the model is fitted again without the patient (by weighted particles of the same
    compiled graph, by NUTS where these fail their gate). Times to event are given as densities of time:
    the graph's likelihood of a Weibull time is that of minus its logarithm, and that of a piecewise
    exponential one a Poisson probability, so that the Jacobian is added.
    """
    _check(model, posterior, max_refits, folds)
    labels = labels_of(model, data)
    if len(labels) < 2:
        raise DoseOptError(f"{model.endpoint}: one row alone cannot be left out")
    rows = model.read(data)
    jacobian, scale = to_density(model, rows)
    loglik, log_weight = _draws(model, data, posterior)
    logs, khat = _smoothed(loglik, log_weight, posterior)
    elpd, slope, error = _summed(loglik, logs, posterior)
    full = log_weight if log_weight is not None else np.full(len(loglik), -np.log(len(loglik)))
    inside = logsumexp(loglik + full[:, None], axis=0)
    limit = khat_limit(len(loglik))
    bad = np.flatnonzero(~(khat <= limit))
    how = np.full(len(labels), PSIS, dtype=object)
    notes = []
    unit = "group" if isinstance(model.response, GroupedResponse) else "patient"
    if bad.size > max_refits:
        folds = min(folds, len(labels))
        part = np.random.default_rng(seed).permutation(len(labels)) % folds
        found = [
            _refitted(model, data, labels, np.flatnonzero(part == j), seed) for j in range(folds)
        ]
        for j, (values, _) in enumerate(found):
            elpd[part == j] = values
        error = float(np.sqrt(sum(e**2 for _, e in found)))
        how[:] = FOLD
        notes.append(
            f"Pareto k above {limit:.2f} for {bad.size} of {len(labels)}, more than the "
            f"{max_refits} that are refitted one by one: all were predicted by {folds}-fold "
            f"cross-validation at random (seed {seed}), which leaves more out and is a little pessimistic"
        )
    elif bad.size:
        found = [_refitted(model, data, labels, np.array([i]), seed) for i in bad]
        elpd[bad] = [float(values[0]) for values, _ in found]
        slope[:, bad] = 0.0
        refits = sum(e**2 for _, e in found)
        error = float(np.sqrt(_error_of(slope, posterior) ** 2 + refits))
        how[bad] = REFIT
        some = ", ".join(f"{labels[i]} (k {khat[i]:.2f})" for i in bad[:NAMED])
        more = f" and {bad.size - NAMED} more" if bad.size > NAMED else ""
        notes.append(
            f"Pareto k above {limit:.2f} for {bad.size} of {len(labels)}, each refitted without: "
            f"{some}{more}"
        )
    else:
        notes.append(f"Pareto k at most {khat.max():.2f} (limit {limit:.2f}): no refit was needed")
    if unit == "group":
        notes.append(
            "a group is left out with its mean; its standard deviation stays in the pooled one, but not "
            "in an exact refit"
        )
    pointwise = xr.Dataset(
        {
            "elpd": (PATIENT, elpd + jacobian),
            "khat": (PATIENT, khat),
            "how": (PATIENT, how.astype(str)),
            "in_sample": (PATIENT, inside + jacobian),
        },
        coords={PATIENT: labels},
    )
    title = type(model.shape).__name__
    return LooResult(
        pointwise,
        error,
        limit,
        model.endpoint,
        model.exposure,
        title,
        unit,
        scale,
        rows_key(rows),
        tuple(notes),
    )


def _check(model: Any, posterior: Posterior, max_refits: int, folds: int) -> None:
    if not isinstance(model, ExposureResponse):
        raise DoseOptError(
            f"leave-one-out of a {type(model).__name__}: a joint likelihood has no single prediction to "
            "score",
            hint="one endpoint at a time: the ExposureResponse of each",
        )
    if not posterior.diagnostics.passed:
        raise DiagnosticsError(
            f"{model.title}: the fit failed its diagnostics "
            f"({'; '.join(map(str, posterior.diagnostics.failures))}): nothing is predicted from it",
            hint="look at posterior.check() and the notes of the fit",
        )
    if max_refits < 0 or folds < 2:
        raise DoseOptError(f"max_refits = {max_refits} must be >= 0 and folds = {folds} >= 2")


def _draws(
    model: ExposureResponse, data: ExposureData, posterior: Posterior
) -> tuple[np.ndarray, np.ndarray | None]:
    """Log likelihood (draw, patient), and log weights (draw) of particles."""
    if isinstance(posterior, Weighted):
        weight = posterior.weight.to_numpy()
        each = log_likelihood(model, data, posterior).transpose(PARTICLE, PATIENT).to_numpy()
        kept = weight > 0
        return each[kept], np.log(weight[kept] / weight.sum())
    chains = int(np.prod([posterior.draws.sizes[d] for d in posterior.sample_dims[:-1]]))
    found = log_likelihood(model, data, posterior, draws=-(-DRAWS // chains))
    flat = found.transpose(*posterior.sample_dims, PATIENT).to_numpy()
    return flat.reshape(-1, found.sizes[PATIENT]), None


def _smoothed(
    loglik: np.ndarray, log_weight: np.ndarray | None, posterior: Posterior
) -> tuple[np.ndarray, np.ndarray]:
    """Log weights (draw, patient), normalised, that take each patient out; and Pareto k (patient)."""
    # arviz_stats takes a log-likelihood and turns its sign: what it gets is minus the log ratio
    ratio = -loglik if log_weight is None else log_weight[:, None] - loglik
    independent = isinstance(posterior, Weighted)
    efficiency = 1.0 if independent else min(1.0, posterior.min_ess / posterior.n_draws)
    logs, khat = array_stats.psislw(-ratio.T, r_eff=efficiency)
    logs = np.asarray(logs).T
    found: np.ndarray = logs - logsumexp(logs, axis=0)
    return found, np.asarray(khat, dtype=float)


def _summed(
    loglik: np.ndarray, logs: np.ndarray, posterior: Posterior
) -> tuple[np.ndarray, np.ndarray, float]:
    """Return elpd of each patient, what each draw adds to its error (draw, patient), and the error."""
    elpd = logsumexp(logs + loglik, axis=0)
    # delta method: log of a self-normalised mean of the likelihood
    slope = np.exp(logs) * (np.exp(loglik - elpd) - 1)
    return elpd, slope, _error_of(slope, posterior)


def _error_of(slope: np.ndarray, posterior: Posterior) -> float:
    # patients share the draws: their errors are added draw by draw before they are squared
    plain = float(np.sqrt((slope.sum(axis=1) ** 2).sum()))
    if isinstance(posterior, Weighted):
        return plain
    return plain / float(np.sqrt(min(1.0, posterior.min_ess / posterior.n_draws)))


def _refitted(
    model: ExposureResponse, data: ExposureData, labels: list[str], out: np.ndarray, seed: int
) -> tuple[np.ndarray, float]:
    """Fit without some rows; return their log predictive densities and the error of the sum."""
    rest = without(data, model, [labels[i] for i in out])
    post = preview_exposure(model, rest, seed=seed, particles=PARTICLES, say=False)
    if not post.diagnostics.passed:
        raise DiagnosticsError(
            f"{model.title}: the fit without {', '.join(labels[i] for i in out[:NAMED])} failed its "
            f"diagnostics ({'; '.join(map(str, post.diagnostics.failures))})",
            hint="priors that say more, or a simpler shape",
        )
    seen = log_likelihood(model, data, post).transpose(PARTICLE, PATIENT).to_numpy()[:, out]
    weight = post.weight.to_numpy()
    with np.errstate(divide="ignore"):
        found = logsumexp(seen + np.log(weight)[:, None], axis=0)
    slope = (weight[:, None] * (np.exp(seen - found) - 1)).sum(axis=1)
    return found, float(np.sqrt((slope**2).sum()))
