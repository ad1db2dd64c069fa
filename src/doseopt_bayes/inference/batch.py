"""Thousands of posteriors of one model at once, each with a gate of its own and NUTS behind it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import xarray as xr

from doseopt_bayes import names
from doseopt_bayes.errors import DoseOptError, did_you_mean
from doseopt_bayes.inference.blocks import NUTS, block_of, by_nuts, row_of, weigh_all
from doseopt_bayes.inference.graph import program_for
from doseopt_bayes.inference.laplace import preview_exposure
from doseopt_bayes.inference.pareto import khat_limit
from doseopt_bayes.inference.particles import shared_variates
from doseopt_bayes.inference.tallies import checked_counts, stack_trials
from doseopt_bayes.inference.weighted import MIN_ESS, TRIAL, Weighted, trusted
from doseopt_bayes.models.exnex import EXCHANGEABLE, is_mixture
from doseopt_bayes.models.exposure_response import ExposureResponse
from doseopt_bayes.models.joint_exposure import JointExposureResponse
from doseopt_bayes.priors import Pooled

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator, Sequence

    from doseopt_bayes.data.exposure import ExposureData
    from doseopt_bayes.data.trial import TrialData
    from doseopt_bayes.models.base import DoseModel

__all__ = ["Batch", "fit_in_blocks", "fit_many", "preview"]

LEVELS: Final = {"particles": 1, "particles x4": 4}


@dataclass(frozen=True, eq=False)
class Batch:
    """Posteriors of many trials.

    Parameters
    ----------
    blocks
        Trials with equally many particles, over (trial, particle, dose); each trial is in one block.
        :func:`~doseopt_bayes.decision.decide.decide` reads a block as it reads one posterior.
    table
        Over trial, in the order of the counts: ``engine`` ("particles", "particles x4" or "nuts"),
        ``particles``, ``khat`` (NaN for NUTS), ``ess`` (for NUTS the draws kept) and ``passed``.
    """

    blocks: tuple[Weighted, ...]
    table: xr.Dataset

    def each(self, read: Callable[[Weighted], xr.Dataset]) -> xr.Dataset:
        """Apply `read` to each block and put the trials back in the order of the counts.

        Parameters
        ----------
        read
            From a block to a Dataset whose variables all have the dim trial.
        """
        found = [read(block) for block in self.blocks]
        joined: xr.Dataset = found[0] if len(found) == 1 else xr.concat(found, dim=TRIAL)
        return joined.sel({TRIAL: self.table[TRIAL]})

    def expect(self, name: str) -> xr.DataArray:
        """Posterior mean of a variable, over (trial, ...)."""
        found: xr.DataArray = self.each(lambda post: post.expect(post[name]).to_dataset(name=name))[
            name
        ]
        return found

    def posterior(self, trial: Hashable) -> Weighted:
        """Return the posterior of one trial by its label, without the dim trial.

        Raises
        ------
        DoseOptError
            On a label that no trial has.
        """
        for block in self.blocks:
            if trial in block.weight.indexes[TRIAL]:
                at = {TRIAL: trial}
                row = self.table.sel(at)
                groups = {g: block.tree[g].to_dataset().sel(at) for g in block.tree.children}
                tree = xr.DataTree.from_dict(groups)
                tree.attrs.update(block.tree.attrs)
                verdict = block.diagnostics
                if row["engine"].item() != NUTS:
                    verdict = trusted(row["khat"], row["ess"], int(row["particles"]))
                return replace(block, tree=tree, weight=block.weight.sel(at), diagnostics=verdict)
        known = [str(x) for x in self.table[TRIAL].to_numpy()]
        raise DoseOptError(
            f"no trial {trial!r} in this batch", hint=did_you_mean(str(trial), known)
        )


def fit_many(
    recipe: DoseModel,
    counts: xr.Dataset,
    *,
    seed: int,
    particles: int = 16_384,
    keep: Sequence[str] | None = None,
    nuts: bool = True,
    threads: int = 1,
) -> Batch:
    """Fit `recipe` to many trials by importance sampling from the graph that NUTS samples.

    Parameters
    ----------
    recipe
        The model, for example :class:`~doseopt_bayes.models.efftox.EffTox`.
    counts
        Over trial, dose and cell, as :func:`~doseopt_bayes.inference.tallies.stack_trials` makes them:
        ``cell_count`` (trial, dose, cell) and, for patients with one outcome alone or for further
        endpoints, ``n_only`` and ``events_only`` (trial, dose, endpoint); ``n_treated`` (trial, dose)
        or what follows from the others.
        For pending patients ``pending`` (trial, dose, slot, cell), see there; then ``n_treated`` too.
    seed
        Non-negative integer. The same seed gives the same bits; a trial's result depends on its own
        counts alone, not on its place, the other trials or the number of threads.
    particles
        Particles of each posterior, at least 256; four times as many where its gate fails. By default
        so many that every probability is within 0.01 (tests/inference/test_batch.py).
    keep
        Variables of the draws to keep; the probability of each endpoint without. ``p_cell`` and the
        names of parameters cost memory.
    nuts
        Whether a posterior that fails with four times the particles is sampled by NUTS. Without, it is
        returned as it is, in a block whose diagnostics failed.
    threads
        Threads to share the work.

    Returns
    -------
    Batch
        The engine of each trial is in its table.

    Raises
    ------
    DoseOptError
        On counts that do not fit the recipe, an unknown variable, or numbers out of range.

    Notes
    -----
    Method and sources: :func:`~doseopt_bayes.inference.particles.weigh`. The gate is
    :func:`~doseopt_bayes.inference.weighted.trusted`.

    Examples
    --------
    >>> from doseopt_bayes.data.trial import TrialData
    >>> from doseopt_bayes.models import EffTox
    >>> from doseopt_bayes.models.presets import EFFTOX_THALL2014
    >>> model = EffTox((1, 2, 4, 6.6, 10), EFFTOX_THALL2014)
    >>> trials = [TrialData.parse(t, doses=model.doses) for t in ("1NNE", "1NNE 2EEB")]
    >>> batch = fit_many(model, stack_trials(model, trials), seed=1, particles=4096)
    >>> batch.expect("p_eff").sel(trial=1).round(1).values.tolist()  # trialr: .40 .79 .93 .96 .96
    [0.4, 0.8, 0.9, 1.0, 1.0]
    """
    _check(seed=(seed, 0), particles=(particles, 256), threads=(threads, 1))
    counts = checked_counts(recipe, counts)
    if is_mixture(recipe):
        return _all_by_nuts(recipe, counts, keep, seed, nuts=nuts)
    program = program_for(recipe)
    ends = tuple(names.probability(e) for e in recipe.endpoints)
    wanted = ends if keep is None else tuple(dict.fromkeys(keep))
    parameters = [*program.layout, *program.derived]
    known = [*ends, *parameters, *([names.P_CELL] if program.has_cells else [])]
    for name in wanted:
        if name not in known:
            raise DoseOptError(f"the model has no '{name}'", hint=did_you_mean(name, known))
    attrs = {"sampler": "particles", "seed": int(seed), "model": str(recipe)}
    pending = np.arange(counts.sizes[TRIAL])
    blocks, rows = [], []
    for engine, factor in LEVELS.items():
        if not pending.size:
            break
        last = factor == max(LEVELS.values()) and not nuts
        here = counts.isel({TRIAL: pending})
        many = factor * particles
        found, khat, ess = weigh_all(program, here, seed, many, wanted, threads)
        passed = (khat < khat_limit(many)) & (ess >= MIN_ESS)
        for verdict in (True, False) if last else (True,):
            at = np.flatnonzero(passed == verdict)
            if not at.size:
                continue
            row = row_of(here.isel({TRIAL: at}), engine, many, khat[at], ess[at], verdict)
            part = {k: x if at.size == len(x) else x[at] for k, x in found.items()}
            variates = shared_variates(program, seed, many)
            blocks.append(
                block_of(recipe, here.isel({TRIAL: at}), part, row, wanted, attrs, variates)
            )
            rows.append(row)
        pending = pending[:0] if last else pending[~passed]
    for i in pending:
        block, row = by_nuts(recipe, counts.isel({TRIAL: [i]}), wanted, seed)
        blocks.append(block)
        rows.append(row)
    table = xr.concat(rows, dim=TRIAL).sel({TRIAL: counts[TRIAL]})
    return Batch(tuple(blocks), table)


def _all_by_nuts(
    recipe: DoseModel, counts: xr.Dataset, keep: Sequence[str] | None, seed: int, *, nuts: bool
) -> Batch:
    """Sample each trial by NUTS: particles do not know groups that may not belong to the others."""
    if not nuts:
        raise DoseOptError(
            "a mixture of exchangeable and other groups is sampled by NUTS alone",
            hint="nuts=True, or a model in which all groups are exchangeable",
        )
    ends = tuple(names.probability(e) for e in recipe.endpoints)
    wanted = ends if keep is None else tuple(dict.fromkeys(keep))
    found = [
        by_nuts(recipe, counts.isel({TRIAL: [i]}), wanted, seed) for i in range(counts.sizes[TRIAL])
    ]
    return Batch(tuple(b for b, _ in found), xr.concat([row for _, row in found], dim=TRIAL))


def fit_in_blocks(
    recipe: DoseModel,
    counts: xr.Dataset,
    *,
    seed: int,
    trials: int = 50,
    particles: int = 16_384,
    keep: Sequence[str] | None = None,
    nuts: bool = True,
    threads: int = 1,
) -> Iterator[Batch]:
    """Fit `trials` trials at a time, so that memory does not grow with their number.

    Parameters
    ----------
    recipe, counts, seed
        As for :func:`fit_many`.
    trials
        Trials of each batch, >= 1.
    particles, keep, nuts, threads
        As for :func:`fit_many`.
    """
    _check(trials=(trials, 1))
    for start in range(0, counts.sizes[TRIAL], trials):
        part = counts.isel({TRIAL: slice(start, start + trials)})
        yield fit_many(
            recipe, part, seed=seed, particles=particles, keep=keep, nuts=nuts, threads=threads
        )


def preview(
    recipe: DoseModel | ExposureResponse | JointExposureResponse,
    data: TrialData | ExposureData,
    *,
    seed: int,
    particles: int = 16_384,
    nuts: bool = True,
) -> Weighted:
    """Fit a single interim in milliseconds, once the model is compiled.

    Parameters
    ----------
    recipe, data
        As for :func:`~doseopt_bayes.inference.nuts.fit`: doses, or a curve of exposure.
    seed, particles, nuts
        As for :func:`fit_many`.

    Returns
    -------
    Weighted
        With the parameters and ``p_cell``, for :func:`~doseopt_bayes.decision.decide.decide`. A look at
        the data: the analysis of record is that of :func:`~doseopt_bayes.inference.nuts.fit`. Of a
        hierarchy the probabilities are as good as elsewhere; the spread of tau may be too small by a
        tenth, more than its error says, which a note repeats.
    """
    if isinstance(recipe, JointExposureResponse):
        raise DoseOptError(
            f"a preview of {recipe.eff.endpoint} and {recipe.tox.endpoint} together is not built",
            hint="fit() samples the joint model; preview(model.eff, data) and preview(model.tox, data) "
            "look at each curve by itself",
        )
    if isinstance(recipe, ExposureResponse):
        _check(seed=(seed, 0), particles=(particles, 256))
        return preview_exposure(recipe, data, seed=seed, particles=particles, nuts=nuts)  # type: ignore[arg-type]
    ends = [names.probability(e) for e in recipe.endpoints]
    stacked = stack_trials(recipe, [data])  # type: ignore[list-item]
    if is_mixture(recipe):
        keep = [
            *ends,
            EXCHANGEABLE,
            *[names.P_CELL] * ({names.TOX, names.EFF} <= set(recipe.endpoints)),
        ]
    else:
        program = program_for(recipe)
        cells = [names.P_CELL] if program.has_cells else []
        keep = [*program.layout, *program.derived, *cells, *ends]
    batch = fit_many(recipe, stacked, seed=seed, particles=particles, keep=keep, nuts=nuts)
    post = batch.posterior(0)
    row = batch.table.isel({TRIAL: 0})
    engine = row["engine"].item()
    said = (
        "NUTS, because the particles failed their gate" if engine == NUTS else "weighted particles"
    )
    note = f"preview by {said}: {int(row['particles'])}, effective {float(row['ess']):.0f}"
    post.tree.attrs.update(data_source=data.source, data_sha256=data.sha256)
    notes = [note]
    if engine != NUTS and any(isinstance(p, Pooled) for p in recipe.priors.values()):
        notes.append(
            "particles understate the spread of tau, by up to a tenth of it: fit() for tau"
        )
    return replace(post, notes=(*notes, *data.notes))


def _check(**numbers: tuple[Any, int]) -> None:
    for name, (value, least) in numbers.items():
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
            raise DoseOptError(f"{name} = {value!r} must be a whole number >= {least}")
