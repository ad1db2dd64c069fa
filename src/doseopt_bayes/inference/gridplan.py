"""Where the nodes of a model with one or two parameters lie, and how close to each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from doseopt_bayes.errors import DoseOptError

if TYPE_CHECKING:
    from doseopt_bayes.inference.graph import ParticleProgram

__all__ = ["LINE", "Plan", "plan_for"]

OUTSIDE: Final = 1e-9  # prior mass that the nodes may leave out
FIRST: Final = (
    25  # patients for whom the coarsest level is made; each finer one serves 4 times as many
)
# spacing along the line, in the least posterior sd that so many patients can give
LINE: Final = {1: 0.5, 2: 0.8}
ROWS: Final = 0.4  # spacing across lines, in the sd of narrow posteriors of that parameter
REACH: Final = 8.0  # first half-width of the box, in prior sd
TOO_WIDE: Final = 200.0


@dataclass(frozen=True, eq=False)
class Plan:
    """Where the nodes of a program lie.

    Parameters
    ----------
    low, high
        (size,): ends of the box that holds all but 1e-9 of the prior mass, on the unconstrained scale.
    line
        Column of the parameter along which events are integrated exactly.
    spacing
        (size,): distance between nodes at the coarsest level.
    prior_precision
        Least curvature of the log prior along the line that is counted on, as 1 / variance.
    information
        (outcome,): highest information on the line's parameter that one patient of each column's dose
        can give, at any node.
    """

    low: np.ndarray
    high: np.ndarray
    line: int
    spacing: np.ndarray
    prior_precision: float
    information: np.ndarray


def _box(program: ParticleProgram, centre: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Return the ends (2, size) of the box that holds all but 1e-9 of the prior mass."""
    reach = REACH
    while reach < TOO_WIDE:
        side = np.linspace(-reach, reach, 1 + 2 * round(4 * reach))
        mesh = np.meshgrid(*[side] * program.size, indexing="ij")
        points = np.stack([m.ravel() for m in mesh], axis=1)
        log = program.evaluate(centre + scale * points).log_prior
        mass = np.exp(log - log.max())
        order = np.argsort(mass)
        kept = points[order[np.cumsum(mass[order]) > OUTSIDE * mass.sum()]]
        if float(abs(kept).max()) < reach:
            pad = side[1] - side[0]
            found: np.ndarray = centre + scale * np.stack([kept.min(0) - pad, kept.max(0) + pad])
            return found
        reach *= 1.5
    raise DoseOptError(
        f"{type(program.recipe).__name__}: the tails of the prior are too heavy for a grid",
        hint="fit_many() weighs particles instead",
    )


def plan_for(program: ParticleProgram) -> Plan:
    """Lay out the grid of a program.

    Raises
    ------
    DoseOptError
        When it has more than two free numbers, or a prior with tails too heavy for a grid.

    Notes
    -----
    Along the line the spacing follows the least conditional variance that n patients can give,
    1 / (prior precision + n * highest information of a patient), where the log density is about as
    curved as its expectation. Across lines it follows posteriors of patients spread over the doses.
    """
    if program.size > 2:
        raise DoseOptError(
            f"{type(program.recipe).__name__} has {program.size} free parameters; a grid takes 1 or 2",
            hint="fit_many() weighs particles instead",
        )
    draws = program.prior(1024, 0)
    centre = np.median(draws, axis=0)
    scale = (np.quantile(draws, 0.75, axis=0) - np.quantile(draws, 0.25, axis=0)) / 1.349
    low, high = _box(program, centre, scale)
    nudge = 1e-3 * scale
    moved = []
    for k in range(program.size):
        step = np.eye(program.size)[k] * nudge
        up, down = (program.evaluate(draws + s * step) for s in (1, -1))
        slope = np.stack([abs(up.p[e] - down.p[e]).mean(0).min() for e in up.p])
        moved.append((float(slope.min()), up, down))
    # the parameter that moves every dose's probability: at its reference dose the BLRM has no slope
    line = int(np.argmax([m[0] for m in moved]))
    first = FIRST
    sd, precision, information = _least_sd(program, low, high, line, float(nudge[line]), first)
    spacing = np.empty(program.size)
    spacing[line] = LINE[program.size] * sd
    if program.size == 2:
        spacing[1 - line] = ROWS * _narrow_rows(program, low, high, line, first)
    return Plan(low, high, line, spacing, precision, information)


def _mesh(low: np.ndarray, high: np.ndarray, n: int) -> np.ndarray:
    sides = [np.linspace(a, b, n) for a, b in zip(low, high, strict=True)]
    return np.stack([m.ravel() for m in np.meshgrid(*sides, indexing="ij")], axis=1)


def _least_sd(
    program: ParticleProgram, low: np.ndarray, high: np.ndarray, line: int, nudge: float, n: int
) -> tuple[float, float, np.ndarray]:
    """Return the least sd along the line of `n` patients, the prior's precision, and information."""
    z = _mesh(low, high, 96)
    step = np.eye(program.size)[line] * nudge
    up, here, down = (program.evaluate(z + s * step) for s in (1, 0, -1))
    bend = (2 * here.log_prior - up.log_prior - down.log_prior) / nudge**2
    mass = np.exp(here.log_prior - here.log_prior.max())
    likely = (mass > 1e-4) & np.isfinite(bend)
    precision = float(max(bend[likely].max(initial=0.0), 0.0))
    slope = (up.log_p - down.log_p).clip(-1, 1) / (2 * nudge)
    each = np.exp(here.log_p) * slope**2
    doses = len(program.recipe.doses)
    by_dose = each[likely].reshape(likely.sum(), doses, -1)
    kinds = by_dose.shape[-1]
    # outcomes of one endpoint share a patient; cells and margins are pairs or fours in a row
    most = by_dose.sum(axis=-1).max(axis=0)
    information = np.repeat(most, kinds)
    return float((precision + n * most.max()) ** -0.5), precision, information


def _narrow_rows(
    program: ParticleProgram, low: np.ndarray, high: np.ndarray, line: int, n: int
) -> float:
    """Return a low quantile of the sd of the other parameter, over posteriors of `n` patients."""
    z = _mesh(low, high, 128)
    said = program.evaluate(z)
    truth = program.evaluate(program.prior(48, 1))
    doses = len(program.recipe.doses)
    counts = n / doses * np.exp(truth.log_p)
    log = counts @ said.log_p.T + said.log_prior
    weight = np.exp(log - log.max(axis=1, keepdims=True))
    weight /= weight.sum(axis=1, keepdims=True)
    other = z[:, 1 - line]
    mean = weight @ other
    variance = weight @ other**2 - mean**2
    return float(np.quantile(np.sqrt(np.fmax(variance, 1e-6)), 0.1))
