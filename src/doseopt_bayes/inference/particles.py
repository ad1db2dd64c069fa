"""Importance sampling of many posteriors of one model at once, in plain arrays.

Each posterior is treated by itself: its numbers do not depend on which others are in the batch. That is
why every sum runs over the particles or outcomes of one trial, and no product mixes trials.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np

from doseopt_bayes.inference.graph import Evaluated
from doseopt_bayes.inference.pareto import pareto_khat
from doseopt_bayes.inference.proposal import SplitT, StandardT, matched, standard_t
from doseopt_bayes.inference.variates import Variates, variates_of
from doseopt_bayes.models.tallied import groups_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from doseopt_bayes.inference.graph import ParticleProgram
    from doseopt_bayes.inference.partial import Partial

__all__ = ["Counted", "Weighed", "modes", "shared_variates", "weigh", "weigh_at"]

DEFENSIVE: Final = 0.2  # share of the particles drawn from the prior, which bounds every weight
# pilots, and which part of the particles each has: a hierarchy has more parameters, and bent ones; with
# these the gate passes in 59 of 60 trials of EffTox in 2 to 6 groups that failed in up to 12 of 20
GROUPED: Final = (3, 2)
PILOT: Final = 256  # particles that find out where the posterior lies; not used again
KEPT: Final = 12  # sets of common particles kept beside a program
STARTS: Final = 512  # prior particles among which the climb to the mode starts
STEP: Final = 1e-4  # of the numerical derivatives
LENGTHS: Final = np.array([1.0, 0.5, 0.2, 0.05])  # of a Newton step, the best is taken
DONE: Final = 1e-3  # gain of log density that the next step promises: the centre is near enough
CLIMBS: Final = 30
CHUNK: Final = 1 << 12  # particles evaluated at once: what fits the processor's cache


@dataclass(frozen=True, eq=False)
class Counted:
    """Patients of several trials, a column for each outcome and dose of the program.

    Parameters
    ----------
    events
        (trial, outcome): patients with each outcome at each dose.
    totals
        (trial, outcome): patients that could have had it.
    pair
        Whether the columns of ``ParticleProgram.pair`` are there too.
    pending
        Patients of whom only a part is known; ``None`` without any.
    """

    events: np.ndarray
    totals: np.ndarray
    pair: bool = False
    pending: Partial | None = None

    def __len__(self) -> int:
        return len(self.events)

    def __getitem__(self, at: np.ndarray | slice) -> Counted:
        pending = None if self.pending is None else self.pending[at]
        return Counted(self.events[at], self.totals[at], self.pair, pending)


@dataclass(frozen=True, eq=False)
class Weighed:
    """Weighted particles of several posteriors.

    Parameters
    ----------
    z
        (trial, particle, size): unconstrained parameters.
    p
        Name to (trial, particle, *groups, dose): probability of each endpoint.
    weight
        (trial, particle): sum 1 over particles.
    khat, ess
        (trial,): Pareto k-hat of the weights, and 1 / sum of their squares.
    """

    z: np.ndarray
    p: Mapping[str, np.ndarray]
    weight: np.ndarray
    khat: np.ndarray
    ess: np.ndarray


@dataclass(frozen=True, eq=False)
class _Common:
    """Particles that all trials share: standard t draws, and prior draws with what the graph says."""

    standard: StandardT
    z: np.ndarray
    said: Evaluated

    @cached_property
    def variates(self) -> Variates:
        return variates_of(self.standard.scores, len(self.z))


def weigh(program: ParticleProgram, counted: Counted, *, seed: int, particles: int) -> Weighed:
    """Sample the posterior of each trial with `particles` weighted particles.

    Parameters
    ----------
    program
        The compiled recipe.
    counted
        Counts of the trials.
    seed
        Of the particles, which are common to all trials before they are moved and scaled.
    particles
        Particles of each posterior; a quarter as many are used up by a pilot, one and a half times as
        many by three pilots where groups of patients differ.

    Notes
    -----
    Mode by Fisher scoring; a multivariate t there, mixed with draws from the prior (defensive mixture,
    Hesterberg 1995); a split t matched to the pilot's weighted particles serves the final run.
    Quasi-random (Sobol) particles, weighted by the density of the mixture, so that no weight exceeds 5
    times the likelihood.
    """
    mode, spread = modes(program, counted, seed)
    return weigh_at(program, counted, mode, spread, seed=seed, particles=particles)


def weigh_at(
    program: ParticleProgram,
    counted: Counted,
    mode: np.ndarray,
    spread: np.ndarray,
    *,
    seed: int,
    particles: int,
) -> Weighed:
    """Do what :func:`weigh` does from where :func:`modes` found each posterior."""
    at_mode = SplitT(mode, np.linalg.cholesky(spread), np.ones((len(mode), 2, program.size)))
    rounds, share = GROUPED if groups_of(program.recipe) else (1, 4)
    proposal = at_mode
    for k in range(rounds):
        pilot = _common(program, seed, max(PILOT, particles // share), stream=1 + 10 * k)
        first = _importance(program, counted, pilot, proposal)
        proposal = matched(first.z, first.weight, first.ess, mode, spread)
    return _importance(program, counted, _common(program, seed, particles, stream=2), proposal)


def shared_variates(program: ParticleProgram, seed: int, particles: int) -> Variates:
    """Return the control variates of the particles of :func:`weigh`, the same for every trial."""
    return _common(program, seed, particles, stream=2).variates


def _common(program: ParticleProgram, seed: int, particles: int, *, stream: int) -> _Common:
    """Return the particles that all trials share, made once for each seed and number."""
    key = (seed, particles, stream)
    if key not in program.kept:
        while len(program.kept) >= KEPT:
            program.kept.pop(next(iter(program.kept)))
        seeds = np.random.SeedSequence(seed, spawn_key=(stream,)).generate_state(2)
        from_prior = round(DEFENSIVE * particles)
        standard = standard_t(particles - from_prior, program.size, int(seeds[0]))
        z = program.prior(from_prior, int(seeds[1]))
        program.kept[key] = _Common(standard, z, program.evaluate(z))
    found: _Common = program.kept[key]
    return found


def _evaluate(program: ParticleProgram, z: np.ndarray, *, pair: bool) -> Evaluated:
    """Evaluate (trial, particle, size), a cache-sized piece at a time."""
    head, rows = z.shape[:-1], z.reshape(-1, program.size)
    parts = [program.evaluate(rows[i : i + CHUNK]) for i in range(0, len(rows), CHUNK)]
    log_p = np.concatenate([e.log_p for e in parts])
    log_p = program.with_pair(log_p) if pair else log_p
    return Evaluated(
        np.concatenate([e.log_prior for e in parts]).reshape(head),
        log_p.reshape(*head, log_p.shape[1]),
        {
            name: np.concatenate([e.p[name] for e in parts]).reshape(*head, *x.shape[1:])
            for name, x in parts[0].p.items()
        },
    )


def _posterior(said: Evaluated, counted: Counted) -> np.ndarray:
    """Log prior plus the sum of counts times log probabilities: (trial, particle)."""
    found: np.ndarray = np.einsum("tpm,tm->tp", said.log_p, counted.events) + said.log_prior
    if counted.pending is not None:
        found += counted.pending.log_likelihood(said.log_p)
    return found


def _shared_posterior(program: ParticleProgram, said: Evaluated, counted: Counted) -> np.ndarray:
    """Return the same for particles that all trials share: (trial, particle)."""
    log_p = program.with_pair(said.log_p) if counted.pair else said.log_p
    found: np.ndarray = np.einsum("pm,tm->tp", log_p, counted.events) + said.log_prior
    if counted.pending is not None:
        found += counted.pending.shared(log_p)
    return found


def modes(program: ParticleProgram, counted: Counted, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Climb to the mode of each trial from the best of some prior draws.

    Returns
    -------
    tuple
        (trial, size): the mode; (trial, size, size): the inverse of the information there.
    """
    k = program.size
    start = _common(program, seed, round(STARTS / DEFENSIVE), stream=0)
    z = start.z[_shared_posterior(program, start.said, counted).argmax(axis=1)]
    least = 0.1 / start.z.var(axis=0)  # curvature; keeps the proposal within reach of the prior
    information = np.empty((len(z), k, k))
    nudges = np.concatenate([np.zeros((1, k)), STEP * np.eye(k), -STEP * np.eye(k)])
    active = np.arange(len(z))
    for _ in range(CLIMBS):
        here = counted[active]
        said = _evaluate(program, z[active, None] + nudges, pair=counted.pair)
        up, down = slice(1, k + 1), slice(k + 1, None)
        # a log probability that was cut off at its floor has no slope
        slope = (said.log_p[:, up] - said.log_p[:, down]).clip(-1, 1) / (2 * STEP)
        prior = said.log_prior
        bend = (2 * prior[:, :1] - prior[:, up] - prior[:, down]) / STEP**2
        gradient = (prior[:, up] - prior[:, down]) / (2 * STEP)
        gradient += np.einsum("tkm,tm->tk", slope, here.events)
        at_centre = np.einsum("tm,tm->t", said.log_p[:, 0], here.events)
        totals = here.totals
        if here.pending is not None:  # informative as far as they were followed
            waiting = here.pending.log_likelihood(said.log_p)
            gradient += (waiting[:, up] - waiting[:, down]) / (2 * STEP)
            at_centre += waiting[:, 0]
            totals = totals.copy()
            totals[:, : here.pending.parts.shape[1]] += here.pending.parts
        expected = totals * np.exp(said.log_p[:, 0])
        found = (slope * expected[:, None]) @ slope.swapaxes(1, 2)
        found[:, np.arange(k), np.arange(k)] += np.fmax(bend, least)
        information[active] = found
        move = np.linalg.solve(found, gradient[..., None])[..., 0]
        tries = z[active, None] + LENGTHS[:, None] * move[:, None]
        reached = _posterior(_evaluate(program, tries, pair=counted.pair), here)
        best = reached.argmax(axis=1)
        every = np.arange(len(active))
        gain = reached[every, best] - (prior[:, 0] + at_centre)
        better = gain > 0
        z[active[better]] = tries[every, best][better]
        active = active[better & ((gradient * move).sum(axis=1) > DONE)]
        if not active.size:
            break
    return z, np.linalg.inv(information)


def _importance(
    program: ParticleProgram, counted: Counted, common: _Common, proposal: SplitT
) -> Weighed:
    """Weigh the draws of `proposal` and those of the prior by the density of their mixture."""
    n, from_prior = len(common.standard.t), len(common.z)
    shape = (len(counted), n + from_prior)
    drawn = proposal.draw(common.standard)
    said = _evaluate(program, drawn, pair=counted.pair)
    z = np.empty((*shape, program.size))
    z[:, :n], z[:, n:] = drawn, common.z
    log_prior, log_t, target = (np.empty(shape) for _ in range(3))
    log_prior[:, :n], log_prior[:, n:] = said.log_prior, common.said.log_prior
    log_t[:, :n] = proposal.log_density_drawn(common.standard)
    log_t[:, n:] = proposal.log_density(common.z)
    target[:, :n] = _posterior(said, counted)
    target[:, n:] = _shared_posterior(program, common.said, counted)
    share = from_prior / shape[1]
    weight = target - np.logaddexp(log_t + math.log1p(-share), log_prior + math.log(share))
    weight = np.exp(weight - weight.max(axis=1, keepdims=True))
    weight /= weight.sum(axis=1, keepdims=True)
    p = {}
    for name, x in said.p.items():
        p[name] = np.empty((*shape, *x.shape[2:]))
        p[name][:, :n], p[name][:, n:] = x, common.said.p[name]
    ess = 1 / (weight[:, None] @ weight[..., None])[:, 0, 0]
    return Weighed(z, p, weight, pareto_khat(weight), ess)
