"""How far each subgroup was shrunk, towards what, and how many patients that was worth."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import xarray as xr
from scipy import stats

from doseopt_bayes import names
from doseopt_bayes.decision.prose import each, error, probability, with_unit
from doseopt_bayes.decision.rules import RESOLVED
from doseopt_bayes.errors import DoseOptError
from doseopt_bayes.inference.levels import label
from doseopt_bayes.inference.posterior import probabilities
from doseopt_bayes.models.exnex import EXCHANGEABLE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from doseopt_bayes.inference.posterior import Posterior

__all__ = ["EXCHANGEABLE", "INTERVAL", "Pooling", "observed_by_level", "pooling"]

INTERVAL: Final = 0.95  # equal-tailed, of posteriors and of observed rates
WORDS: Final = {names.TOX: "toxicity", names.EFF: "efficacy"}


@dataclass(frozen=True, eq=False)
class Pooling:
    """Estimates with pooling beside those without it and with all subgroups as one.

    Parameters
    ----------
    table
        Dataset over the groupings (``subgroup``), ``dose`` and ``endpoint``. ``events`` of ``n``,
        ``rate`` with its exact (Clopper-Pearson) 95 % interval ``rate_low``, ``rate_high``; posterior
        mean of the probability with equal-tailed 95 % interval for the hierarchical fit (``mean``,
        ``low``, ``high``), the fit without pooling (``mean_apart`` ...) and the fully pooled one
        (``mean_together`` ..., when there was one). ``shrinkage``: share of the way from the apart mean
        to the together mean that pooling moved the mean, NaN where ``resolved`` is false: the ends do
        not differ by more than 3 Monte Carlo errors. ``patients``, ``patients_apart``: effective
        patients of the two posteriors; ``borrowed``: their difference. Where the draws have it,
        ``exchangeable``: posterior probability of each level to be exchangeable with the others. Every
        estimate has its Monte Carlo error in the variable of suffix ``_mcse``.
    """

    table: xr.Dataset

    @property
    def sentences(self) -> tuple[str, ...]:
        """All of it in words, a sentence for each level, dose and endpoint, and how it was computed."""
        said = [
            _say(
                part.sel({names.DOSE: d, names.ENDPOINT: e}), at, with_unit(float(d), part), str(e)
            )
            for at, part in _levels(self.table)
            for e in self.table[names.ENDPOINT].to_numpy()
            for d in self.table[names.DOSE].to_numpy()
        ]
        if "exchangeable" in self.table:
            said += _say_exchangeable(self.table)
        said.append(
            "Effective patients: n of the Beta distribution with the mean m and the variance v of the "
            "posterior of a probability, m (1 - m) / v - 1; they count the prior too. Borrowed: those of "
            "the hierarchical fit less those of the fit without pooling; below 0, the other subgroups "
            "made the answer less certain."
        )
        return tuple(said)

    def __str__(self) -> str:
        return "\n".join(self.sentences)

    __repr__ = __str__


def pooling(
    hierarchical: Posterior, apart: Posterior, together: Posterior | None = None
) -> Pooling:
    """Compare a hierarchical fit with its two ends: no pooling and full pooling.

    Parameters
    ----------
    hierarchical
        Posterior whose parameters are pooled over the subgroups.
    apart
        Posterior of the same data with independent priors for each subgroup.
    together
        Posterior of the same data with one value of each parameter for all subgroups; its
        probabilities have no grouping, or the same value at each level.

    Returns
    -------
    Pooling
        With ``.table``; ``str`` says it in sentences.

    Raises
    ------
    DoseOptError
        When the probabilities lie over no grouping, or the fits have other levels, doses or endpoints.

    Notes
    -----
    The fits are independent, so that the error of a difference is the root of the summed squares.
    Errors of shrinkage and of effective patients are by the delta method, the latter from the draws
    themselves: the mean of their influence m(1 - m) / v - 1 carries the error of m and v together. What
    is borrowed is measured against `apart`, whose prior counts as its own patients; moment matching
    for the effective sample size as in Morita, Thall and Mueller (2008) for a Beta distribution.
    """
    over = hierarchical.groupings
    if not over:
        raise DoseOptError("the posterior lies over no subgroups: nothing was pooled")
    fits = {"": hierarchical, "_apart": apart}
    fits |= {} if together is None else {"_together": together}
    shown = probabilities(hierarchical.draws)
    here = _stacked(hierarchical, shown)
    table = observed_by_level(hierarchical, [v.removeprefix("p_") for v in shown])
    for suffix, post in fits.items():
        x = here if post is hierarchical else _fitting(post, shown, here, suffix)
        for name, found in _estimates(post, x, counted=suffix != "_together").items():
            stem, _, tail = name.partition("_mcse")
            # the same value at each level, where a fit knows no levels
            full = found.broadcast_like(table[names.N])
            table[f"{stem}{suffix}{'_mcse' if '_mcse' in name else ''}{tail}"] = full
    table["borrowed"] = table["patients"] - table["patients_apart"]
    table["borrowed_mcse"] = np.hypot(table["patients_mcse"], table["patients_apart_mcse"])
    if together is not None:
        table.update(_shrinkage(table))
    if EXCHANGEABLE in hierarchical.draws:
        p = hierarchical[EXCHANGEABLE]
        table["exchangeable"], table["exchangeable_mcse"] = (
            hierarchical.expect(p),
            hierarchical.mcse(p),
        )
    table = table.transpose(*over, names.DOSE, names.ENDPOINT, ...)
    table.attrs = {
        "unit": str(hierarchical.draws[names.DOSE].attrs.get("units", "")),
        "groupings": ",".join(over),
        "interval_kind": "equal-tailed",
        "interval_prob": INTERVAL,
        "observed_interval_kind": "exact (Clopper-Pearson)",
    }
    return Pooling(table)


def _stacked(post: Posterior, shown: Sequence[str]) -> xr.DataArray:
    """Return draws of the probabilities over endpoint, among their other dims."""
    parts = [post[v].reset_coords(drop=True) for v in shown]
    x: xr.DataArray = xr.concat(xr.broadcast(*parts), dim=names.ENDPOINT)
    return x.assign_coords({names.ENDPOINT: [v.removeprefix("p_") for v in shown]})


def _fitting(
    post: Posterior, shown: Sequence[str], like: xr.DataArray, suffix: str
) -> xr.DataArray:
    """Return the same draws of another fit, refused when it speaks of other levels or doses."""
    x = _stacked(post, shown)
    which = suffix.removeprefix("_")
    for d in x.dims:
        if d in post.sample_dims:
            continue
        if d not in like.dims or x[d].to_numpy().tolist() != like[d].to_numpy().tolist():
            raise DoseOptError(
                f"the fit '{which}' has other levels of {d} than the hierarchical one",
                hint="fit the same data with the same doses and levels",
            )
    return x


def observed_by_level(post: Posterior, endpoints: Sequence[str]) -> xr.Dataset:
    """Return ``events``, ``n`` and ``rate`` with its exact 95 % interval, over levels and doses.

    Parameters
    ----------
    post
        A posterior; its ``seen`` is read.
    endpoints
        Which endpoints, in order; 0 patients of those that were not observed.
    """
    seen = post.seen[[names.N, names.EVENTS]].reindex({names.ENDPOINT: list(endpoints)})
    n, x = (seen[v].fillna(0) for v in (names.N, names.EVENTS))
    tail = (1 - INTERVAL) / 2
    # the beta quantiles are NaN where a shape is 0: there the exact limit is 0 or 1
    low = xr.apply_ufunc(stats.beta.ppf, tail, x, n - x + 1)
    high = xr.apply_ufunc(stats.beta.ppf, 1 - tail, x + 1, n - x)
    some = n > 0
    return xr.Dataset(
        {
            names.N: n.astype(int),
            names.EVENTS: x.astype(int),
            "rate": x / n.where(some),
            "rate_low": xr.where(x == 0, 0.0, low).where(some),
            "rate_high": xr.where(x == n, 1.0, high).where(some),
        }
    )


def _estimates(post: Posterior, x: xr.DataArray, *, counted: bool) -> dict[str, xr.DataArray]:
    """Return mean, interval and effective patients of the draws, each with its error."""
    tail = (1 - INTERVAL) / 2
    m = post.expect(x)
    found = {"mean": m, "mean_mcse": post.mcse(x)}
    for end, q in (("low", tail), ("high", 1 - tail)):
        found |= {end: post.quantile(x, q), f"{end}_mcse": post.mcse(x, q=q)}
    if counted:
        square = (x - m) ** 2
        v = post.expect(square)
        influence = (1 - 2 * m) / v * (x - m) - m * (1 - m) / v**2 * (square - v)
        found |= {"patients": m * (1 - m) / v - 1, "patients_mcse": post.mcse(influence)}
    return found


def _shrinkage(table: xr.Dataset) -> dict[str, xr.DataArray]:
    """Share of the way from apart to together, where the two ends differ by more than their error."""
    way = table["mean_together"] - table["mean_apart"]
    noise = np.hypot(table["mean_together_mcse"], table["mean_apart_mcse"])
    resolved = abs(way) > RESOLVED * noise
    moved = table["mean"] - table["mean_apart"]
    share = (moved / way.where(resolved)).where(resolved)
    variance = (
        table["mean_mcse"] ** 2
        + ((1 - share) * table["mean_apart_mcse"]) ** 2
        + (share * table["mean_together_mcse"]) ** 2
    )
    return {
        "shrinkage": share,
        "shrinkage_mcse": variance**0.5 / abs(way),
        "resolved": resolved,
    }


def _levels(table: xr.Dataset) -> list[tuple[str, xr.Dataset]]:
    one = table.assign(utility=table["mean"].isel({names.ENDPOINT: 0}, drop=True))
    return [(label(at), part) for at, part in each(one)]


def _say(row: xr.Dataset, who: str, dose: str, endpoint: str) -> str:
    n, events = int(row[names.N]), int(row[names.EVENTS])
    seen = f"{events}/{n} = {events / n:.2f} observed" if n else "nobody observed"
    here, low, high = (probability(float(row[v])) for v in ("mean", "low", "high"))
    ends = f"{here} ({low} to {high}) with pooling, {probability(float(row['mean_apart']))} without"
    if "mean_together" in row:
        ends += f", {probability(float(row['mean_together']))} with all subgroups as one"
    said = [f"{who}, {dose}, {WORDS.get(endpoint, endpoint)}: {seen}", ends]
    if "shrinkage" in row:
        share, mcse = float(row["shrinkage"]), float(row["shrinkage_mcse"])
        if math.isnan(share):
            said.append("how far it was shrunk is not resolved: the two ends are too near")
        else:
            beyond = max(share - 1, -share) > RESOLVED * mcse
            away = ", beyond an end" * beyond
            said.append(
                f"it moved {100 * share:.0f} % of the way{away} (MCSE {_points(100 * mcse)} %)"
            )
    numbers = [f"{float(row[v]):.0f}" for v in ("patients", "patients_apart")]
    borrowed, noise = float(row["borrowed"]), float(row["borrowed_mcse"])
    doubt = ", not resolved from none" * (abs(borrowed) <= RESOLVED * noise)
    said.append(
        f"worth {numbers[0]} effective patients, {numbers[1]} without pooling: "
        f"{borrowed:.0f} borrowed (MCSE {error(noise)}{doubt})"
    )
    return f"{'; '.join(said)}."


def _points(mcse: float) -> str:
    """Return a Monte Carlo error of a percentage."""
    return f"{mcse:.0f}" if mcse >= 1 else error(mcse)


def _say_exchangeable(table: xr.Dataset) -> list[str]:
    over = [str(d) for d in table["exchangeable"].dims]
    flat = table[["exchangeable", "exchangeable_mcse"]].stack(_at=over)
    said = []
    for i in range(flat.sizes["_at"]):
        one = flat.isel(_at=i)
        who = label({d: one[d].item() for d in over})
        p, mcse = float(one["exchangeable"]), float(one["exchangeable_mcse"])
        said.append(
            f"{who}: exchangeable with the others with probability {probability(p)} "
            f"(MCSE {error(mcse)})."
        )
    return said
