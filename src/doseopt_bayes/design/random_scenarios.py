"""Scenarios drawn at random: what a design does on average over truths that nobody picked for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from doseopt_bayes import names
from doseopt_bayes.decision.mtd import toxicity_limit
from doseopt_bayes.decision.target import ClosestToTarget, TargetInterval
from doseopt_bayes.design.scenario import Scenario
from doseopt_bayes.errors import DoseOptError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from doseopt_bayes.design.design import Design

__all__ = ["SHAPES", "draw_scenarios"]

SHAPES: Final = ("rising", "plateau", "peak")
AT_ONCE: Final = 4096  # curves tried together
TRIES: Final = 2000  # times, before it is given up


def draw_scenarios(
    design: Design,
    n: int,
    *,
    seed: int,
    target: float | None = None,
    efficacy: Sequence[str] = SHAPES,
    correlation: float = 0.0,
) -> tuple[Scenario, ...]:
    """Draw truths for a design.

    Parameters
    ----------
    design
        Its candidate doses; whether it reads efficacy; and its target, where `target` is left out.
    n
        Number of scenarios, >= 1.
    seed
        Non-negative integer; it stands in each name. Scenario i is the same whatever `n` is.
    target
        Toxicity that the true MTD of each curve is closest to, in (0, 1). Left out: the target of a
        ``ClosestToTarget``, the middle of a ``TargetInterval``, or the lowest limit of the rules.
    efficacy
        Shapes of the efficacy curves, each equally probable: ``"rising"``; ``"plateau"``, rising to a
        dose and level from there; ``"peak"``, rising to a dose and falling from there. Not read when
        the design looks at toxicity alone.
    correlation
        Of the two outcomes of a patient.

    Returns
    -------
    tuple of Scenario
        Named after seed, number, the dose closest to the target, and shape.

    Raises
    ------
    DoseOptError
        On numbers out of range, an unknown shape, or a design without a target.

    Notes
    -----
    Toxicity: the pseudo-uniform algorithm of Clertant and O'Quigley (2017), Semiparametric dose finding
    methods, Journal of the Royal Statistical Society B. The MTD is each of the k doses with equal
    probability, say dose j; with M ~ Beta(max(k - j, 1/2), 1) and the bound
    B = target + (1 - target) M, k uniform numbers on (0, B) are sorted, again and again until dose j is
    the closest to the target.
    Efficacy: k uniform numbers, sorted. Where a plateau starts, or the peak is, is each dose with equal
    probability; below a peak stands a random part of the other numbers, rising, above it the rest,
    falling. A curve that no dose of which works, or is safe, is as possible as the numbers make it.

    Examples
    --------
    >>> from doseopt_bayes.decision.criteria import MeanUtility
    >>> from doseopt_bayes.decision.rules import EWOC, NoSkipping
    >>> from doseopt_bayes.design.design import Design
    >>> from doseopt_bayes.design.stopping import MaxPatients
    >>> from doseopt_bayes.models import CRM
    >>> crm = CRM((5, 10, 20), (0.1, 0.2, 0.35), unit="mg")
    >>> design = Design(crm, ClosestToTarget(0.25), EWOC(0.33, 0.25) & NoSkipping(), MeanUtility(),
    ...                 start=5, stop=MaxPatients(24))
    >>> [s.name for s in draw_scenarios(design, 2, seed=1)]  # doctest: +ELLIPSIS
    ['random 1 of seed 1: target at ... mg', 'random 2 of seed 1: target at ... mg']
    """
    _check_whole(n, 1, "n")
    _check_whole(seed, 0, "seed")
    aim = _target(design) if target is None else float(target)
    if not 0 < aim < 1:
        raise DoseOptError(f"target = {target!r} must lie strictly between 0 and 1")
    shapes = tuple(efficacy)
    for shape in shapes:
        if shape not in SHAPES:
            raise DoseOptError(
                f"unknown shape of efficacy '{shape}'", hint=did_you_mean(str(shape), SHAPES)
            )
    reads = names.EFF in design.model.endpoints
    if reads and not shapes:
        raise DoseOptError("no shape of efficacy is given", hint=f"some of {', '.join(SHAPES)}")
    doses, unit = design.model.doses, design.model.unit
    found = []
    for i in range(n):
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(i,)))
        mtd = int(rng.integers(len(doses)))
        tox = _toxicity(len(doses), mtd, aim, rng)
        name = f"random {i + 1} of seed {seed}: target at {f'{doses[mtd]:g} {unit}'.rstrip()}"
        if not reads:
            found.append(Scenario(name, tox))
            continue
        shape = shapes[int(rng.integers(len(shapes)))]
        eff, turn = _efficacy(len(doses), shape, rng)
        where = "" if turn is None else f" at {f'{doses[turn]:g} {unit}'.rstrip()}"
        found.append(Scenario(f"{name}, efficacy {shape}{where}", tox, eff, correlation))
    return tuple(found)


def _check_whole(value: Any, least: int, name: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise DoseOptError(f"{name} = {value!r} must be a whole number >= {least}")


def _target(design: Design) -> float:
    utility = design.utility
    if isinstance(utility, ClosestToTarget):
        return utility.target
    if isinstance(utility, TargetInterval):
        return (utility.low + utility.high) / 2
    limit = toxicity_limit(design.rules)
    if limit is None:
        raise DoseOptError(
            "the design names no target of toxicity and no limit", hint="give target = 0.3, say"
        )
    return limit


def _toxicity(k: int, mtd: int, target: float, rng: np.random.Generator) -> tuple[float, ...]:
    """Draw a curve whose closest dose to the target is the one at position `mtd`."""
    bound = target + (1 - target) * rng.beta(max(k - mtd - 1, 0.5), 1.0)
    for _ in range(TRIES):
        curves = np.sort(rng.random((AT_ONCE, k)) * bound, axis=1)
        fits = np.flatnonzero(abs(curves - target).argmin(axis=1) == mtd)
        if fits.size:
            return tuple(curves[fits[0]].tolist())
    raise DoseOptError(
        f"no curve of {k} doses with target {target:g} at dose number {mtd + 1} was drawn",
        hint="fewer doses, or a target further from 0 and 1",
    )


def _efficacy(k: int, shape: str, rng: np.random.Generator) -> tuple[tuple[float, ...], int | None]:
    """Draw a curve of efficacy, and the position where it turns."""
    curve = np.sort(rng.random(k))
    if shape == "rising":
        return tuple(curve.tolist()), None
    turn = int(rng.integers(k))
    if shape == "plateau":
        return tuple(np.minimum(curve, curve[turn]).tolist()), turn
    rest = rng.permutation(curve[:-1])
    parts = (np.sort(rest[:turn]), curve[-1:], np.sort(rest[turn:])[::-1])
    return tuple(np.concatenate(parts).tolist()), turn
