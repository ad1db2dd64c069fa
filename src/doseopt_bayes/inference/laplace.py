"""One posterior over patients by importance sampling: climb to the mode, draw around it, weigh.

The batch engine for exposure-response data. The density is that of the PyMC graph; what is drawn, and how
the draws are judged, is shared with :mod:`doseopt_bayes.inference.particles`.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np
import xarray as xr

from doseopt_bayes.inference.fingerprint import fingerprint
from doseopt_bayes.inference.identify import identify
from doseopt_bayes.inference.nuts import fit
from doseopt_bayes.inference.pareto import khat_limit, pareto_khat
from doseopt_bayes.inference.patients import patient_program
from doseopt_bayes.inference.proposal import SplitT, matched, standard_t
from doseopt_bayes.inference.weighted import MIN_ESS, PARTICLE, Weighted, trusted

if TYPE_CHECKING:
    from collections.abc import Callable

    from doseopt_bayes.data.exposure import ExposureData
    from doseopt_bayes.inference.patients import PatientProgram
    from doseopt_bayes.models.exposure_response import ExposureResponse

__all__ = ["preview_exposure"]

DEFENSIVE: Final = 0.1  # share of the particles drawn from the prior, which bounds every weight
STARTS: Final = 256  # prior particles among which the climb to the mode starts
PILOTS: Final = 2  # rounds of particles that shape the proposal; not used again
PILOT: Final = 512  # particles of each at least
CLIMBS: Final = 60
LENGTHS: Final = np.array([1.0, 0.5, 0.2, 0.05, 0.01])  # of a Newton step, the best is taken
NUDGE: Final = 0.02  # of the numerical derivatives, in standard deviations
DONE: Final = 1e-4  # gain of log density that the next step promises: the centre is near enough


def preview_exposure(
    recipe: ExposureResponse,
    data: ExposureData,
    *,
    seed: int,
    particles: int = 4096,
    nuts: bool = True,
    say: bool = True,
) -> Weighted:
    """Fit a curve of exposure by weighted particles: a fraction of a second once it is compiled.

    Parameters
    ----------
    recipe, data
        As for :func:`~doseopt_bayes.inference.nuts.fit`.
    seed
        Non-negative integer.
    particles
        Particles of the posterior; four times as many where the gate fails.
    nuts
        Whether a posterior that fails with four times the particles is sampled by NUTS. Without, it is
        returned with diagnostics that failed.
    say
        Whether the notes say what the data do not identify.

    Returns
    -------
    Weighted
        Parameters over the dim particle; k-hat and effective sample size stand in the notes and in the
        attributes ``khat`` and ``ess``.

    Notes
    -----
    Mode by Newton steps with numerical derivatives of the graph's log density; a split t fitted to two
    pilots of weighted particles, mixed with 10 % draws from the prior (defensive mixture, Hesterberg
    1995); quasi-random (Sobol) particles. The gate is
    :func:`~doseopt_bayes.inference.weighted.trusted`.
    """
    program, values = patient_program(recipe, data)
    for many in (particles, 4 * particles):
        z, weight = _weigh(program, values, seed, many)
        khat = float(pareto_khat(weight[None])[0])
        ess = float(1 / (weight**2).sum())
        passed = khat < khat_limit(many) and ess >= MIN_ESS
        if passed:
            break
    attrs = {"sampler": "particles", "seed": int(seed), "model": str(recipe), "khat": khat, "ess": ess,
             "model_fingerprint": fingerprint(program.model), "data_source": data.source,
             "data_sha256": data.sha256}  # fmt: skip
    if not passed and nuts:
        return _by_nuts(recipe, data, seed, attrs)
    natural = program.natural(z, values)
    dims = program.model.named_vars_to_dims
    draws = xr.Dataset(
        {name: ((PARTICLE, *dims.get(name, ())), x) for name, x in natural.items()},
        coords={
            d: list(program.model.coords[d])
            for name in natural
            for d in dims.get(name, ())
            if program.model.coords[d] is not None
        },
    )
    tree = xr.DataTree.from_dict({"posterior": draws, "seen": recipe.seen(data)})
    tree.attrs.update(attrs)
    verdict = trusted(xr.DataArray(khat), xr.DataArray(ess), many)
    note = (
        f"preview by weighted particles: {many}, effective {ess:.0f}, Pareto k-hat {khat:.2f}; the "
        "analysis of record is that of fit()"
    )
    found = Weighted(
        tree,
        tuple(recipe.priors),
        verdict,
        (),
        (PARTICLE,),
        weight=xr.DataArray(weight, dims=PARTICLE),
    )
    words = identify(recipe, data, found) if say else ()
    return replace(found, notes=(note, *data.notes, *words))


def _weigh(
    program: PatientProgram, values: dict[str, np.ndarray], seed: int, particles: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return particles (particle, size) and their weights, of sum 1."""
    seeds = np.random.SeedSequence(seed).generate_state(3 + 2 * PILOTS)
    mode, spread = _mode(program, values, int(seeds[0]))
    proposal = SplitT(mode[None], np.linalg.cholesky(spread)[None], np.ones((1, 2, program.size)))
    for i in range(PILOTS):
        many = max(PILOT, particles // 8)
        z, weight = _importance(program, values, proposal, many, seeds[1 + 2 * i : 3 + 2 * i])
        ess = 1 / (weight**2).sum()
        proposal = matched(z[None], weight[None], np.array([ess]), mode[None], spread[None])
    return _importance(program, values, proposal, particles, seeds[-2:])


def _importance(
    program: PatientProgram,
    values: dict[str, np.ndarray],
    proposal: SplitT,
    particles: int,
    seeds: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Weigh draws of the proposal and of the prior by the density of their mixture."""
    from_prior = round(DEFENSIVE * particles)
    standard = standard_t(particles - from_prior, program.size, int(seeds[0]))
    z = np.concatenate([proposal.draw(standard)[0], program.prior(from_prior, int(seeds[1]))])
    # far out in a wide prior a curve may rise by exactly 0 between the references: no such particle
    lost = ~np.isfinite(z).all(axis=1)
    z[lost] = proposal.centre[0]
    log_prior, seen = program.log_density(z, values)
    log_prior[lost] = -np.inf
    log_t = proposal.log_density(z)[0]
    share = from_prior / len(z)
    mixture = np.logaddexp(log_t + math.log1p(-share), log_prior + math.log(share))
    with np.errstate(invalid="ignore"):
        log_weight = log_prior + seen - mixture
    log_weight = np.where(np.isfinite(log_weight), log_weight, -np.inf)
    weight = np.exp(log_weight - log_weight.max())
    return z, weight / weight.sum()


def _mode(
    program: PatientProgram, values: dict[str, np.ndarray], seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Climb from the best of some prior draws; return the mode and the inverse of its curvature."""

    def density(z: np.ndarray) -> np.ndarray:
        prior, seen = program.log_density(z, values)
        found: np.ndarray = np.fmax(prior + seen, -1e300)
        return found

    start = program.prior(STARTS, seed)
    start = start[np.isfinite(start).all(axis=1)]
    z = start[density(start).argmax()]
    prior_sd = start.std(axis=0) + 1e-12
    least = 0.1 / prior_sd**2  # curvature; keeps the proposal within reach of the prior
    step = 0.01 * prior_sd
    spread = np.diag(prior_sd**2)
    for _ in range(CLIMBS):
        here, slope, bend = _derivatives(density, z, step)
        bends, axes = np.linalg.eigh(bend / np.sqrt(np.outer(least, least)))
        # where the density is not concave, step as far as its curvature is strong
        curvature = np.abs(bends).clip(1.0)
        scale = axes / np.sqrt(least)[:, None]
        spread = (scale / curvature) @ scale.T
        move = spread @ slope
        tries = z + LENGTHS[:, None] * move
        reached = density(tries)
        best = int(reached.argmax())
        step = NUDGE * np.sqrt(np.diag(spread))
        if reached[best] <= here:
            break
        z = tries[best]
        if float(slope @ move) < DONE:
            break
    return z, spread


def _derivatives(
    density: Callable[[np.ndarray], np.ndarray], z: np.ndarray, step: np.ndarray
) -> tuple[float, np.ndarray, np.ndarray]:
    """Value, slope and negative second derivatives by central differences, in one call."""
    k = len(z)
    unit = np.diag(step)
    pairs = [(i, j) for i in range(k) for j in range(i)]
    corners = [a * unit[i] + b * unit[j] for i, j in pairs for a in (1, -1) for b in (1, -1)]
    points = np.concatenate([np.zeros((1, k)), unit, -unit, np.reshape(corners, (-1, k))])
    found = density(z + points)
    here, up, down = found[0], found[1 : k + 1], found[k + 1 : 2 * k + 1]
    slope = (up - down) / (2 * step)
    bend = np.diag((2 * here - up - down) / step**2)
    for (i, j), c in zip(pairs, found[2 * k + 1 :].reshape(-1, 4), strict=True):
        bend[i, j] = bend[j, i] = -(c[0] - c[1] - c[2] + c[3]) / (4 * step[i] * step[j])
    return float(here), slope, np.nan_to_num(bend)


def _by_nuts(
    recipe: ExposureResponse, data: ExposureData, seed: int, attrs: dict[str, object]
) -> Weighted:
    """Sample by NUTS; keep as many evenly spaced draws as its effective sample size."""
    post = fit(recipe, data, seed=seed)
    n = int(min(post.n_draws, post.min_ess))
    stacked = post.draws.stack({PARTICLE: list(post.sample_dims)}, create_index=False)
    at = np.linspace(0, post.n_draws - 1, n).astype(int)
    draws = (
        stacked.isel({PARTICLE: at})
        .transpose(PARTICLE, ...)
        .drop_vars(list(post.sample_dims), errors="ignore")
    )
    tree = xr.DataTree.from_dict({"posterior": draws, "seen": post.seen})
    tree.attrs.update(post.tree.attrs)
    tree.attrs.update(khat=attrs["khat"], ess=attrs["ess"])
    note = (
        f"preview by NUTS, because the particles failed their gate (k-hat {attrs['khat']:.2f}, "
        f"effective {attrs['ess']:.0f})"
    )
    weight = xr.DataArray(np.full(n, 1 / n), dims=PARTICLE)
    found = Weighted(tree, post.parameters, post.diagnostics, (), (PARTICLE,), weight=weight)
    return replace(found, notes=(note, *post.notes))
