"""What the final decision will probably be: from an interim, or before the trial under a prior."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from doseopt_bayes import names
from doseopt_bayes.decision.prose import error, probability
from doseopt_bayes.errors import DoseOptError
from doseopt_bayes.planning.plan import checked_sizes
from doseopt_bayes.planning.ratio import checked_ratio, in_arms

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from doseopt_bayes.data.trial import TrialData
    from doseopt_bayes.inference.posterior import Posterior
    from doseopt_bayes.planning.rule import ArmRule

__all__ = ["Predicted", "assurance", "predict_decision"]

CHOICE, NONE = "choice", "none"


@dataclass(frozen=True, eq=False)
class Predicted:
    """Probabilities of decisions that are not made yet.

    Parameters
    ----------
    table
        Over ``choice`` (each dose as text, and ``"none"``) and ``size`` (patients per arm at the end):
        ``prob`` and ``prob_mcse``. Of an assurance also over size: ``correct``, the probability of a
        right choice averaged over the prior, and ``right``, that any arm is right, with their errors.
    sentences
        The same in words.
    """

    table: xr.Dataset
    sentences: tuple[str, ...]

    def to_frame(self) -> pd.DataFrame:
        """Table with a row per choice and size."""
        return self.table[["prob", "prob_mcse"]].to_dataframe().reset_index()

    def __str__(self) -> str:
        return "\n".join(self.sentences)

    __repr__ = __str__


def predict_decision(
    data: TrialData, rule: ArmRule, *, size: int, patients: float = 1.0, n: int = 10_000, seed: int,
    ratio: Sequence[int] | None = None,
) -> Predicted:  # fmt: skip
    """Predict the final decision from an interim: future patients from the posterior of each arm.

    Parameters
    ----------
    data
        Interim data of one group; every patient's efficacy and toxicity are known, and every dose of
        it is an arm of the trial.
    rule
        The rule of the final analysis.
    size
        Patients per arm at the end, at least as many as each treated arm has now.
    patients
        Prior patients of each arm for the prediction, spread evenly over the four outcomes, > 0.
    n, seed
        Simulated completions of the trial, at least 100, and their seed.
    ratio
        As in :func:`~doseopt_bayes.planning.plan.plan_arms`: an arm ends with `size` times its part.

    Returns
    -------
    Predicted
        Futility and go are read off it: stop when the choice that matters has become too improbable.

    Raises
    ------
    DoseOptError
        On marginal counts, groups, an arm that is larger already, or numbers that are out of range.

    Notes
    -----
    Dirichlet-multinomial: cells of each arm from their posterior, the remaining patients from them.
    """
    if data.groups:
        raise DoseOptError("the prediction is that of one group", hint='data.at(subgroup="...")')
    cells = data.counts[names.CELL_COUNT].transpose(names.DOSE, names.CELL).to_numpy()
    known = data.counts[names.N_TREATED].to_numpy()
    if (cells.sum(1) != known).any():
        where = [
            f"{d:g}" for d, a, b in zip(data.doses, cells.sum(1), known, strict=True) if a != b
        ]
        raise DoseOptError(
            f"efficacy and toxicity are not both known for every patient at {', '.join(where)}",
            hint="a prediction needs complete outcomes: wait for them, or give both in the counts",
        )
    (end,) = checked_sizes([size])
    shares = checked_ratio(ratio, len(known))
    ends = end if shares is None else end * shares
    if (known > ends).any():
        raise DoseOptError(f"size = {end} is less than an arm has already ({int(known.max())})")
    if not patients > 0 or n < 100:
        raise DoseOptError("patients must be > 0 and n >= 100")
    rng = np.random.default_rng(_seed(seed))
    p = np.stack([rng.dirichlet(row + patients / 4, size=n) for row in cells], axis=1)
    future = rng.multinomial(ends - known, p)
    chosen = rule.choose(cells + future)
    table = _shares(chosen[None], data.doses, [end])
    table.attrs = {"unit": data.unit, "rule": str(rule), "n": n, "seed": seed}
    said = [
        f"With {_sized(end, shares, data.doses, data.unit)} the final decision will be "
        f"{_call(c, data.unit)} with probability "
        f"{probability(float(at['prob'][0]))} (simulation error {error(float(at['prob_mcse'][0]))})."
        for c in table[CHOICE].to_numpy()
        for at in [table.sel({CHOICE: c})]
    ]
    return Predicted(table, tuple(said))


def assurance(
    prior: Posterior, rule: ArmRule, *, sizes: Sequence[int], indifference: float = 0.0, seed: int,
    ratio: Sequence[int] | None = None,
) -> Predicted:  # fmt: skip
    """Average what trials of each size will decide over a prior: one trial for each of its draws.

    Parameters
    ----------
    prior
        Draws of ``p_cell`` at each arm: a posterior of earlier data, or one made of prior draws.
    rule, sizes, indifference, ratio
        As in :func:`~doseopt_bayes.planning.plan.plan_arms`.
    seed
        Of the simulated patients.

    Returns
    -------
    Predicted
        ``correct`` is the assurance. Its error takes the draws as they are, dependent or not.

    Raises
    ------
    DoseOptError
        When the draws hold no joint outcomes, are grouped, or numbers are out of range.
    """
    if prior.groupings:
        raise DoseOptError("the assurance is that of one group", hint='prior.at(subgroup="...")')
    grid = checked_sizes(sizes)
    drawn = prior[names.P_CELL].sel({names.CELL: list(names.CELLS)})
    cells = drawn.transpose(*prior.sample_dims, names.DOSE, names.CELL).to_numpy().clip(0)
    cells = cells / cells.sum(-1, keepdims=True)
    doses = [float(d) for d in prior.draws[names.DOSE].to_numpy()]
    unit = str(prior.draws[names.DOSE].attrs.get("units", ""))
    shares = checked_ratio(ratio, len(doses))
    rng = np.random.default_rng(_seed(seed))
    right = rule.right(cells, indifference)
    counts, before = np.zeros(cells.shape, dtype=np.int64), 0
    parts, found = [], []
    for size in grid:
        more = size - before if shares is None else (size - before) * shares
        counts = counts + rng.multinomial(more, cells)
        before = size
        chosen = rule.choose(counts)
        hit = np.take_along_axis(right, chosen.clip(0)[..., None], -1)[..., 0] & (chosen >= 0)
        hit |= (chosen < 0) & ~right.any(-1)
        parts.append(chosen)
        event = xr.DataArray(hit, dims=prior.sample_dims)
        found.append((float(prior.prob(event)), float(prior.mcse(event))))
    table = _shares(np.stack(parts), doses, grid, prior)
    table["correct"] = ("size", [s[0] for s in found])
    table["correct_mcse"] = ("size", [s[1] for s in found])
    some = xr.DataArray(right.any(-1), dims=prior.sample_dims)
    table["right"], table["right_mcse"] = prior.prob(some), prior.mcse(some)
    table.attrs = {"unit": unit, "rule": str(rule), "seed": seed}
    said = tuple(
        f"With {_sized(size, shares, doses, unit)} a right choice is made with probability "
        f"{probability(p)} (MCSE {error(e)}), averaged over the prior, under which some arm is "
        f"right with probability {probability(float(table['right']))}."
        for size, (p, e) in zip(grid, found, strict=True)
    )
    return Predicted(table, said)


def _shares(
    chosen: np.ndarray, doses: Sequence[float], sizes: Sequence[int], post: Posterior | None = None
) -> xr.Dataset:
    """Share of each choice: from independent trials (size, trial), or with the errors of draws."""
    labels = [*(f"{d:g}" for d in doses), NONE]
    events = np.stack([chosen == j for j in (*range(len(doses)), -1)])
    if post is None:
        n = chosen.shape[-1]
        p, smooth = events.mean(-1), (events.sum(-1) + 0.5) / (n + 1)
        mcse = np.sqrt(smooth * (1 - smooth) / n)
    else:
        x = xr.DataArray(events, dims=(CHOICE, "size", *post.sample_dims))
        p, mcse = post.prob(x).to_numpy(), post.mcse(x).to_numpy()
    dims = (CHOICE, "size")
    return xr.Dataset(
        {"prob": (dims, p), "prob_mcse": (dims, mcse)}, coords={CHOICE: labels, "size": list(sizes)}
    )


def _sized(size: int, shares: np.ndarray | None, doses: Sequence[float], unit: str) -> str:
    return f"{size} patients per arm" if shares is None else in_arms(size * shares, doses, unit)


def _call(choice: str, unit: str) -> str:
    return "no arm" if choice == NONE else f"{choice} {unit}".rstrip()


def _seed(seed: int) -> int:
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
        raise DoseOptError(f"seed = {seed!r} is not a non-negative integer", hint="pass seed=1")
    return int(seed)
