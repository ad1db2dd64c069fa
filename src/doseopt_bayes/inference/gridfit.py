"""Fit many trials on shared nodes; what a grid cannot resolve is left to particles and NUTS."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import xarray as xr

from doseopt_bayes import names
from doseopt_bayes.errors import DoseOptError
from doseopt_bayes.inference.batch import Batch, fit_many
from doseopt_bayes.inference.checks import Check, Diagnostics
from doseopt_bayes.inference.graph import program_for
from doseopt_bayes.inference.grid import level_of, nodes_for
from doseopt_bayes.inference.gridded import Gridded
from doseopt_bayes.inference.gridplan import LINE
from doseopt_bayes.inference.tallies import N_ONLY, checked_counts, counted
from doseopt_bayes.inference.weighted import PARTICLE, TRIAL
from doseopt_bayes.models.tallied import PAIR

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from doseopt_bayes.inference.grid import Nodes
    from doseopt_bayes.inference.partial import Partial
    from doseopt_bayes.models.base import DoseModel

__all__ = ["GridBatch", "fit_grid", "takes_grid"]

EVEN: Final = 0.999  # share of the spacing that a level promises, below which a trial is left out
# What these claim is at least twice the error in each of the 90 data sets of benchmarks/bench_grid.py
# (four models) and in 290 of up to 400 patients under three more BLRMs
SKEWED: Final = 4.0  # times what a Normal density has beyond the band
# of two parameters, by level: 9e-6 were seen up to 100 patients, 1.2e-4 with 350 at one dose
ACROSS: Final = (5e-5, 5e-5, 3e-4, 3e-4)
OUTER: Final = 2e-6  # rounding, and what lies outside the box: seen to be below 1e-7
EDGE: Final = 1e-6  # posterior mass at the ends of the box that is too much


class GridBatch(Batch):
    """A batch whose blocks are :class:`~doseopt_bayes.inference.gridded.Gridded`, one for each level."""

    def posterior(self, trial: Hashable) -> Any:  # one engine or the other
        """Return the posterior of one trial by its label, without the dim trial."""
        for block in self.blocks:
            if isinstance(block, Gridded) and trial in block.rows.indexes[TRIAL]:
                return block.some(int(block.rows.indexes[TRIAL].get_loc(trial)))
        others = tuple(b for b in self.blocks if not isinstance(b, Gridded))
        return Batch(others, self.table).posterior(trial)


def takes_grid(recipe: DoseModel) -> bool:
    """Whether :func:`fit_grid` takes a model: one or two free numbers, and a prior with light tails."""
    try:
        nodes_for(program_for(recipe))
    except DoseOptError:
        return False
    return True


def fit_grid(
    recipe: DoseModel,
    counts: xr.Dataset,
    *,
    seed: int,
    particles: int = 1024,
    nuts: bool = True,
    threads: int = 1,
) -> Batch:
    """Fit a model of one or two parameters to many trials on nodes that all trials share.

    Parameters
    ----------
    recipe
        The model, for example :class:`~doseopt_bayes.models.blrm.BLRM`.
    counts
        As for :func:`~doseopt_bayes.inference.batch.fit_many`.
    seed, particles, nuts, threads
        Of the trials that a grid cannot resolve, which :func:`~doseopt_bayes.inference.batch.fit_many`
        takes: more patients than the finest nodes are made for (about 400 of the published BLRM,
        1,600 of a CRM), or posterior mass at the ends of the box of nodes.

    Returns
    -------
    Batch
        ``engine`` is "grid", "grid x2", "grid x4" or "grid x8" by how often the spacing was halved;
        ``particles`` the number of nodes, ``khat`` NaN and ``ess`` the same number. A block is a
        :class:`~doseopt_bayes.inference.gridded.Gridded`.

    Raises
    ------
    DoseOptError
        When the model has more than two free parameters, its prior's tails are too heavy, or some
        patients of a model of joint outcomes have one outcome alone.

    Notes
    -----
    No number is random. ``mcse`` is 4 exp(-a^2 / 2) / (pi a^2) + 2e-6 with a = pi sd / spacing and sd the
    least conditional sd that the trial's patients allow: 4 times what a tail of a Normal density has
    beyond the band of the nodes. For two parameters 5e-5 is added for the sum across the lines, 3e-4 on
    nodes "x4" and finer. None of this is proven. It is at least twice the error of a tail probability in
    each of the 90 data sets of benchmarks/bench_grid.py, for the CRM with either link and two BLRMs:
    errors there are below 1e-8 (CRM), 2e-5 (BLRM, up to 100 patients) and 1.5e-4 (more).

    Examples
    --------
    >>> from doseopt_bayes.data.trial import TrialData
    >>> from doseopt_bayes.inference.tallies import stack_trials
    >>> from doseopt_bayes.models import CRM
    >>> model = CRM((1, 2, 3, 4, 5), (0.05, 0.15, 0.25, 0.4, 0.6))
    >>> data = TrialData.parse("2NN 3NN 4TT", doses=model.doses)
    >>> batch = fit_grid(model, stack_trials(model, [data]), seed=1)
    >>> batch.expect("p_tox").sel(trial=0).round(4).values.tolist()
    [0.1032, 0.2091, 0.3023, 0.4372, 0.6178]
    """
    program = program_for(recipe)
    nodes_for(program)
    counts = checked_counts(recipe, counts)
    if program.has_cells:
        pair = [e for e in recipe.endpoints if e in PAIR]
        if bool(counts[N_ONLY].sel({names.ENDPOINT: pair}).any()):
            raise DoseOptError(
                "patients with one outcome alone are not read by a grid", hint="use fit_many()"
            )
    tallies = counted(program, counts, pair=False)
    totals = tallies.totals
    if tallies.pending is not None:  # a pending patient tells no more than a final one
        totals = totals + tallies.pending.patients
    levels, resolved = level_of(program, totals)
    rows = np.concatenate([tallies.events, np.ones((len(tallies), 1))], axis=1)
    even = resolved * LINE[program.size] > EVEN
    bound = _band(resolved) + np.array(ACROSS)[levels] * (program.size - 1)
    blocks: list[Any] = []
    tables: list[xr.Dataset] = []
    left = np.flatnonzero(~even)
    for level in np.unique(levels[even]):
        at = np.flatnonzero((levels == level) & even)
        nodes = nodes_for(program, int(level))
        waiting = None if tallies.pending is None else tallies.pending[at]
        block = _block(recipe, counts, nodes, rows, bound, at, waiting)
        fine = block.edge < EDGE
        if not fine.all():
            left = np.concatenate([left, at[~fine]])
            block, at = block.some(np.flatnonzero(fine)), at[fine]
        if at.size:
            blocks.append(block)
            tables.append(_table(counts, at, nodes, int(level)))
    if left.size:
        rest = fit_many(recipe, counts.isel({TRIAL: np.sort(left)}), seed=seed, particles=particles,
                        nuts=nuts, threads=threads)  # fmt: skip
        blocks += rest.blocks
        tables.append(rest.table)
    return GridBatch(tuple(blocks), xr.concat(tables, dim=TRIAL).sel({TRIAL: counts[TRIAL]}))


def _band(resolved: np.ndarray) -> np.ndarray:
    """Return the error claimed for what lies beyond the band of nodes `resolved` to an sd."""
    a = np.pi * resolved
    found: np.ndarray = SKEWED * np.exp(-(a**2) / 2) / (np.pi * a**2) + OUTER
    return found


def _block(
    recipe: DoseModel,
    counts: xr.Dataset,
    nodes: Nodes,
    rows: np.ndarray,
    bound: np.ndarray,
    at: np.ndarray,
    pending: Partial | None,
) -> Gridded:
    """Label the trials at some positions as one posterior."""
    here = counts.isel({TRIAL: at})
    tree = xr.DataTree.from_dict({"posterior": _draws(recipe, nodes, here), "seen": here})
    tree.attrs.update(sampler="grid", model=str(recipe))
    worst = float(bound[at].max())
    check = Check("error claimed for a probability", worst < 1e-3, f"{worst:.1e}", "< 0.001")
    verdict = Diagnostics((check,), xr.DataArray([worst], dims="measure", name="value"))
    labelled = xr.DataArray(
        rows[at], dims=(TRIAL, "column"),
        coords={TRIAL: here[TRIAL], "error": (TRIAL, bound[at])},
    )  # fmt: skip
    return Gridded(tree, tuple(recipe.priors), verdict, (), (PARTICLE,), rows=labelled, nodes=nodes,
                   pending=pending)  # fmt: skip


def _draws(recipe: DoseModel, nodes: Nodes, counts: xr.Dataset) -> xr.Dataset:
    """Return the draws that stand for the nodes: probabilities by dose, and the parameters."""
    dose = counts[names.DOSE]
    found = {
        k: ((PARTICLE, names.DOSE), nodes.p[k].reshape(-1, dose.size))
        for k in map(names.probability, recipe.endpoints)
    }
    natural = {
        k: ((PARTICLE,), v)
        for k, v in nodes.program.natural(nodes.grid(nodes.fine)).items()
        if v.ndim == 1
    }
    draws = xr.Dataset({**found, **natural}, coords={names.DOSE: dose})
    draws[names.DOSE].attrs["units"] = recipe.unit
    return draws


def _table(counts: xr.Dataset, at: np.ndarray, nodes: Nodes, level: int) -> xr.Dataset:
    """Return what is recorded of these trials."""
    n = len(nodes.x) * len(nodes.y)
    engine = "grid" if level == 0 else f"grid x{2**level}"
    columns: dict[str, Sequence[Any]] = {
        "engine": [engine] * at.size, "particles": [n] * at.size, "khat": [np.nan] * at.size,
        "ess": [float(n)] * at.size, "passed": [True] * at.size,
    }  # fmt: skip
    return xr.Dataset(
        {k: (TRIAL, np.asarray(v)) for k, v in columns.items()},
        coords={TRIAL: counts[TRIAL].isel({TRIAL: at})},
    )
