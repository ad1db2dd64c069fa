"""What the batch engine does behind its front: weigh in pieces, label, and fall back to NUTS."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import xarray as xr

from doseopt_bayes import names
from doseopt_bayes.data.trial import TrialData
from doseopt_bayes.inference.compiled import compiled_for
from doseopt_bayes.inference.graph import program_for
from doseopt_bayes.inference.heterogeneity import group_attributes
from doseopt_bayes.inference.nuts import fit
from doseopt_bayes.inference.particles import modes, weigh_at
from doseopt_bayes.inference.tallies import N_ONLY, counted, trial_of
from doseopt_bayes.inference.weighted import PARTICLE, TRIAL, Weighted, trusted
from doseopt_bayes.models.exnex import is_mixture
from doseopt_bayes.models.tallied import PAIR, groups_of
from doseopt_bayes.priors import parameter_names

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from doseopt_bayes.inference.graph import ParticleProgram
    from doseopt_bayes.inference.particles import Weighed
    from doseopt_bayes.inference.variates import Variates
    from doseopt_bayes.models.base import DoseModel

__all__ = ["NUTS", "block_of", "by_nuts", "row_of", "weigh_all"]

NUTS: Final = "nuts"
TOGETHER: Final = 512  # trials whose modes are found side by side
AT_ONCE: Final = 1 << 15  # particles in the arrays of one call: about 10 MB


def weigh_all(
    program: ParticleProgram,
    counts: xr.Dataset,
    seed: int,
    particles: int,
    wanted: Sequence[str],
    threads: int,
) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """Weigh all trials, some at a time.

    Returns
    -------
    tuple
        Name to (trial, particle, ...), the weights under the name ""; k-hat; effective sample size.
    """
    n = counts.sizes[TRIAL]
    single = np.zeros(n, dtype=bool)
    if program.has_cells:
        pair = [e for e in program.recipe.endpoints if e in PAIR]
        alone = counts[N_ONLY].sel({names.ENDPOINT: pair}).transpose(TRIAL, ...).to_numpy()
        single = alone.reshape(n, -1).any(axis=1)
    length = max(1, AT_ONCE // particles)
    groups = [(np.flatnonzero(single == kind), kind) for kind in (False, True)]
    pieces = [
        (_plain(at[i : i + length]), kind) for at, kind in groups for i in range(0, at.size, length)
    ]
    tallies = {kind: counted(program, counts, pair=kind) for at, kind in groups if at.size}
    found: dict[str, np.ndarray] = {}
    khat, ess = np.empty(n), np.empty(n)
    centre, spread = np.empty((n, program.size)), np.empty((n, program.size, program.size))
    for kind, tally in tallies.items():  # few points of each trial: many trials at once
        for start in range(0, n, TOGETHER):
            at = np.flatnonzero(single[start : start + TOGETHER] == kind) + start
            if at.size:
                centre[at], spread[at] = modes(program, tally[_plain(at)], seed)

    def work(piece: tuple[np.ndarray | slice, bool]) -> None:
        at, kind = piece
        done = weigh_at(program, tallies[kind][at], centre[at], spread[at], seed=seed,
                        particles=particles)  # fmt: skip
        khat[at], ess[at] = done.khat, done.ess
        for name, x in _draws(program, done, wanted).items():
            if name not in found:
                found[name] = np.empty((n, *x.shape[1:]))
            found[name][at] = x

    work(pieces[0])  # makes what all of them share
    if threads > 1:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(work, pieces[1:]))
    else:
        for piece in pieces[1:]:
            work(piece)
    return found, khat, ess


def _plain(at: np.ndarray) -> np.ndarray | slice:
    """Return neighbours as a slice, which copies several times faster."""
    start, stop = int(at[0]), int(at[-1]) + 1
    return slice(start, stop) if stop - start == at.size else at


def _draws(program: ParticleProgram, done: Weighed, wanted: Sequence[str]) -> dict[str, np.ndarray]:
    found = {"": done.weight}
    natural: dict[str, np.ndarray] = {}
    head, rows = done.z.shape[:2], done.z.reshape(-1, program.size)
    for name in wanted:
        if name in done.p:
            found[name] = done.p[name]
        elif name in program.layout or name in program.derived:
            natural = natural or program.natural(rows)
            found[name] = natural[name].reshape(*head, *natural[name].shape[1:])
        else:
            p = np.exp(program.by_dose(program.evaluate(rows).log_p))[..., : len(names.CELLS)]
            found[name] = p.reshape(*head, *p.shape[1:])
    return found


def row_of(
    counts: xr.Dataset, engine: str, particles: int, khat: Any, ess: Any, passed: bool
) -> xr.Dataset:
    """Return what is recorded of these trials: engine, particles, k-hat, ESS and the verdict."""
    n = counts.sizes[TRIAL]
    columns = {"engine": [engine] * n, "particles": [particles] * n, "khat": khat, "ess": ess,
               "passed": [passed] * n}  # fmt: skip
    data = {name: (TRIAL, np.asarray(x)) for name, x in columns.items()}
    return xr.Dataset(data, coords={TRIAL: counts[TRIAL]})


def block_of(
    recipe: DoseModel,
    counts: xr.Dataset,
    found: Mapping[str, np.ndarray],
    row: xr.Dataset,
    wanted: Sequence[str],
    attrs: Mapping[str, Any],
    variates: Variates | None = None,
) -> Weighted:
    """Label arrays (trial, particle, ...) of equally many particles as one posterior."""
    labels = {d: counts[d] for d in (*groups_of(recipe), names.DOSE, names.CELL)}
    draws = xr.Dataset(
        {v: ((TRIAL, PARTICLE, *dims_of(recipe, v)), found[v]) for v in wanted},
        coords={TRIAL: counts[TRIAL], names.DOSE: labels[names.DOSE]},
    )
    draws = draws.assign_coords({d: x for d, x in labels.items() if d in draws.dims})
    draws[names.DOSE].attrs["units"] = recipe.unit
    tree = xr.DataTree.from_dict({"posterior": draws, "seen": counts})
    tree.attrs.update(attrs)
    tree.attrs.update(group_attributes(recipe, ()))
    weight = xr.DataArray(found[""], dims=(TRIAL, PARTICLE), coords={TRIAL: counts[TRIAL]})
    verdict = trusted(row["khat"], row["ess"], int(row["particles"][0]))
    kept = tuple(v for v in parameter_names(recipe.priors) if v in wanted)
    return Weighted(tree, kept, verdict, (), (PARTICLE,), weight=weight, variates=variates)


def dims_of(recipe: DoseModel, name: str) -> tuple[str, ...]:
    """Return the dims of a variable of the model, beyond those of the sample."""
    if is_mixture(recipe):  # particles do not sample it
        model = compiled_for(recipe, TrialData.empty(recipe.doses, recipe.unit)).model
    else:
        model = program_for(recipe).model
    return tuple(model.named_vars_to_dims.get(name, ()))


def by_nuts(
    recipe: DoseModel, counts: xr.Dataset, wanted: Sequence[str], seed: int
) -> tuple[Weighted, xr.Dataset]:
    """Sample one trial by NUTS; keep as many evenly spaced draws as its effective sample size."""
    post = fit(recipe, trial_of(recipe, counts.isel({TRIAL: 0})), seed=seed)
    n = int(min(post.n_draws, post.min_ess))
    stacked = post.draws[list(wanted)].stack({PARTICLE: list(post.sample_dims)}, create_index=False)
    at = np.linspace(0, post.n_draws - 1, n).astype(int)
    found = {
        name: x.isel({PARTICLE: at}).transpose(PARTICLE, ...).to_numpy()[None]
        for name, x in stacked.data_vars.items()
    }
    row = row_of(counts, NUTS, n, [np.nan], [float(n)], post.diagnostics.passed)
    all_found = {"": np.full((1, n), 1 / n)} | {str(k): x for k, x in found.items()}
    block = block_of(
        recipe, counts, all_found, row, wanted, {str(k): v for k, v in post.tree.attrs.items()}
    )
    return replace(block, diagnostics=post.diagnostics, notes=post.notes), row
