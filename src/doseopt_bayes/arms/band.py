"""What the association of endpoints could matter where only counts of each endpoint are known."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import xarray as xr

from doseopt_bayes import names
from doseopt_bayes.arms.compare import PAIR, ArmComparison, verdict
from doseopt_bayes.arms.margin import MEASURED, UTILITY
from doseopt_bayes.decision.association import Association, association_influence
from doseopt_bayes.decision.prose import error, probability
from doseopt_bayes.errors import DoseOptError

if TYPE_CHECKING:
    import pandas as pd

    from doseopt_bayes.inference.posterior import Posterior

__all__ = ["AssociationBand", "association_band", "phi_range"]

STRENGTH: Final = "strength"
GRID: Final = (-1.0, -0.5, 0.0, 0.5, 1.0)


@dataclass(frozen=True, eq=False)
class AssociationBand:
    """The probability of all margins at once over every association that the margins allow.

    Parameters
    ----------
    table
        Over ``pair`` and ``strength`` (-1: as negative as possible, 0: none, 1: as positive as
        possible): ``joint``, ``joint_mcse`` and ``meets``. Over ``pair``: ``lowest`` and ``highest``,
        bounds of Fréchet that no dependence whatever leaves. Over ``dose``, and ``first`` and
        ``second`` (endpoints): ``phi_low`` and ``phi_high``, the correlations of two outcomes of a
        patient that the posterior mean rates allow.
    utility
        What the association of toxicity and efficacy does to the utility and the ranking.
    sentences
        The same in words.
    """

    table: xr.Dataset
    utility: Association
    sentences: tuple[str, ...]

    def to_frame(self) -> pd.DataFrame:
        """Table with a row per pair and strength of the association."""
        kept = self.table[["joint", "joint_mcse", "meets"]]
        return kept.to_dataframe(dim_order=[PAIR, STRENGTH]).reset_index()

    def __str__(self) -> str:
        return "\n".join(self.sentences)

    __repr__ = __str__


def phi_range(first: float, second: float) -> tuple[float, float]:
    """Return the lowest and highest correlation of two binary outcomes with these probabilities.

    Examples
    --------
    >>> low, high = phi_range(0.5, 0.5)
    >>> round(low, 3), round(high, 3)
    (-1.0, 1.0)
    """
    scale = float(np.sqrt(first * (1 - first) * second * (1 - second)))
    if not scale > 0:
        return 0.0, 0.0
    product = first * second
    return (max(0.0, first + second - 1) - product) / scale, (min(first, second) - product) / scale


def association_band(
    post: Posterior, found: ArmComparison, *, seed: int, strengths: tuple[float, ...] = GRID
) -> AssociationBand:
    """Show the probability of all margins at once under every association of the endpoints.

    Parameters
    ----------
    post, found
        A posterior and its comparison; only the posterior of each endpoint by itself is read from it,
        and nothing is refitted.
    seed
        Of the copula's Normal draws.
    strengths
        Shares of the way from none to the strongest association, in -1..1; the ends are added.

    Returns
    -------
    AssociationBand
        Two outcomes of one patient that correlate by phi make the *estimates* of their probabilities
        in that arm correlate by phi (exactly so under a Dirichlet prior and complete data, where phi
        is that of the posterior mean cells). Each arm's draws are therefore coupled by a Gaussian
        copula with a share of the strongest phi that its rates allow; arms stay independent.

    Raises
    ------
    DoseOptError
        When no two endpoints have margins, a margin is on the utility, a rate or a mean, or a strength
        is out of range.

    Notes
    -----
    Draws are put in the order of correlated Normal draws (Iman and Conover 1982), so that each
    endpoint's own posterior stays as it is. With three or more endpoints the strongest correlations of
    all pairs need not exist together: they are then shrunk by one factor until they do.
    """
    ends = list(dict.fromkeys(m.endpoint for m in found.margins))
    if UTILITY in ends or len(ends) < 2:
        raise DoseOptError(
            "a margin on the utility has no association of its own"
            if UTILITY in ends
            else f"margins on {', '.join(ends)} only: one endpoint has no association",
            hint="compare with margins on two or more endpoints",
        )
    other = next((e for e in ends if e.startswith(MEASURED)), "")
    if other:
        raise DoseOptError(
            f"margin on {other}: the band is of probabilities, whose rates bound their correlation; a "
            "rate or a mean has no such bound",
            hint=f"give a margin on the probability '{other.partition('_')[2]}' instead; what "
            "compare_arms says of the joint probability takes it to be independent",
        )
    grid = sorted({-1.0, 0.0, 1.0, *(float(s) for s in strengths)})
    if not all(-1 <= s <= 1 for s in grid):
        raise DoseOptError(f"strengths {grid} must lie in -1..1")
    rng = np.random.default_rng(seed)
    doses = sorted({float(d) for side in ("low", "high") for d in found.table[side].to_numpy()})
    rates = {d: {e: post[names.probability(e)].sel({names.DOSE: d}) for e in ends} for d in doses}
    events: dict[float, dict[str, list[xr.DataArray]]] = {}
    normals = {d: rng.standard_normal((len(ends), post.n_draws)) for d in doses}
    for strength in grid:
        coupled = {d: _coupled(post, rates[d], strength, normals[d]) for d in doses}
        events[strength] = _events(found, coupled)
    table = _table(post, found, events)
    table = table.merge(_phi(post, rates, ends))
    table.attrs = {**found.table.attrs, "endpoints": ", ".join(ends)}
    influence = association_influence(post, found.decision)
    return AssociationBand(table, influence, (*_sentences(table), *influence.sentences))


def _coupled(
    post: Posterior, rates: dict[str, xr.DataArray], strength: float, z: np.ndarray
) -> dict[str, xr.DataArray]:
    """Reorder the draws of one arm so that its endpoints correlate by a share of the strongest phi."""
    ends = list(rates)
    means = [float(post.expect(x)) for x in rates.values()]
    off = np.zeros((len(ends), len(ends)))
    for i, j in itertools.combinations(range(len(ends)), 2):
        low, high = phi_range(means[i], means[j])
        off[i, j] = off[j, i] = strength * (high if strength > 0 else -low)
    # no matrix with a negative eigenvalue is one of correlations
    worst = -float(np.linalg.eigvalsh(off).min())
    off *= min(1.0, (1 - 1e-9) / worst) if worst > 0 else 1.0
    correlated = np.linalg.cholesky(off + (1 + 1e-9) * np.eye(len(ends))) @ z
    found = {}
    for i, (end, x) in enumerate(rates.items()):
        flat = x.transpose(*post.sample_dims)
        ordered = np.sort(flat.to_numpy().ravel())
        rank = np.argsort(np.argsort(correlated[i]))
        found[end] = flat.copy(data=ordered[rank].reshape(flat.shape)).reset_coords(drop=True)
    return found


def _events(
    found: ArmComparison, coupled: dict[float, dict[str, xr.DataArray]]
) -> dict[str, list[xr.DataArray]]:
    by_pair = {}
    for i, pair in enumerate(found.table[PAIR].to_numpy()):
        low, high = (coupled[float(found.table[side][i])] for side in ("low", "high"))
        by_pair[str(pair)] = [m.holds(low[m.endpoint], high[m.endpoint]) for m in found.margins]
    return by_pair


def _table(
    post: Posterior, found: ArmComparison, events: dict[float, dict[str, list[xr.DataArray]]]
) -> xr.Dataset:
    pairs = [str(p) for p in found.table[PAIR].to_numpy()]
    joint, mcse = np.empty((len(pairs), len(events))), np.empty((len(pairs), len(events)))
    for k, by_pair in enumerate(events.values()):
        for i, pair in enumerate(pairs):
            every = by_pair[pair][0]
            for event in by_pair[pair][1:]:
                every = every & event
            p = float(every.mean())
            # the error of each margin's own draws, and that of the coupling
            own = float((found.table["within_mcse"].isel({PAIR: i}) ** 2).sum())
            smooth = (float(every.sum()) + 0.5) / (post.n_draws + 1)
            joint[i, k] = p
            mcse[i, k] = np.sqrt(own + smooth * (1 - smooth) / post.n_draws)
    dims = (PAIR, STRENGTH)
    table = xr.Dataset(
        {"joint": (dims, joint), "joint_mcse": (dims, mcse)},
        coords={PAIR: pairs, STRENGTH: list(events)},
    )
    table["meets"] = verdict(table["joint"], table["joint_mcse"], found.certainty)
    within = found.table["within"]
    table["lowest"] = (within.sum("margin") - within.sizes["margin"] + 1).clip(min=0)
    table["highest"] = within.min("margin")
    return table.reset_coords(drop=True)


def _phi(
    post: Posterior, rates: dict[float, dict[str, xr.DataArray]], ends: list[str]
) -> xr.Dataset:
    shape = (len(rates), len(ends), len(ends))
    low, high = np.full(shape, np.nan), np.full(shape, np.nan)
    for k, by_end in enumerate(rates.values()):
        means = [float(post.expect(x)) for x in by_end.values()]
        for i, j in itertools.permutations(range(len(ends)), 2):
            low[k, i, j], high[k, i, j] = phi_range(means[i], means[j])
    dims = (names.DOSE, "first", "second")
    coords = {names.DOSE: list(rates), "first": ends, "second": ends}
    return xr.Dataset({"phi_low": (dims, low), "phi_high": (dims, high)}, coords=coords)


def _sentences(table: xr.Dataset) -> tuple[str, ...]:
    said = []
    for pair in table[PAIR].to_numpy():
        at = table.sel({PAIR: pair})
        ends = [at.sel({STRENGTH: s}) for s in (-1.0, 0.0, 1.0)]
        shown = [
            f"{probability(float(x['joint']))} (MCSE {error(float(x['joint_mcse']))})" for x in ends
        ]
        verdicts = {str(v) for v in at["meets"].to_numpy()}
        same = (
            f"the verdict is '{verdicts.pop()}' with any of them"
            if len(verdicts) == 1
            else "the verdict depends on it: it needs patient-level data"
        )
        said.append(
            f"{pair}: of {table.attrs['endpoints']} only margins are read. The probability of all "
            f"margins at once is {shown[0]} with the most negative association, {shown[1]} with none "
            f"and {shown[2]} with the most positive one; {same}. Whatever the dependence, the "
            f"probability lies between {probability(float(at['lowest']))} and "
            f"{probability(float(at['highest']))}."
        )
    return tuple(said)
