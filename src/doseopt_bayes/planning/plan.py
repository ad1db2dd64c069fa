"""How many patients an arm needs: simulated trials, decided in closed form."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import xarray as xr

from doseopt_bayes import names
from doseopt_bayes.decision.prose import error, probability
from doseopt_bayes.decision.rules import RESOLVED
from doseopt_bayes.errors import DoseOptError
from doseopt_bayes.planning.bias import shrunk_rates
from doseopt_bayes.planning.ratio import checked_ratio, in_arms
from doseopt_bayes.planning.rule import KeepsMargins, counts_of_events

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pandas as pd

    from doseopt_bayes.design.scenario import Scenario
    from doseopt_bayes.planning.rule import ArmRule

__all__ = ["ArmPlan", "checked_sizes", "plan_arms"]

SIZE, SCENARIO = "size", "scenario"
SHARES: Final = ("correct", "worse", "none")


@dataclass(frozen=True, eq=False)
class ArmPlan:
    """What trials of each size do under each truth, each number with its simulation error.

    Parameters
    ----------
    table
        Over ``scenario`` and ``size`` (patients per arm): ``correct`` (probability that a right arm is
        chosen, or none where none is right), ``worse`` (that another arm is chosen), ``none`` (that no
        arm is chosen although one is right); they sum to 1. ``selected`` also over ``dose``.
        ``bias_<endpoint>`` of the chosen arm's observed rate less its truth, ``rmse_<endpoint>``, and
        the same of the rate shrunk towards the mean of the arms, ``bias_shrunk_<endpoint>`` and
        ``rmse_shrunk_<endpoint>`` (NaN where no trial chose an arm). With joint margins ``close``, the
        share of trials whose choice the draws of the joint probability leave open. Each with ``_mcse``.
        Over ``size`` and ``dose``, where a ratio is given: ``patients``.
        Over ``scenario`` and ``dose``: ``p_tox``, ``p_eff``, ``right``. Over ``scenario``: ``needed``,
        the smallest size from which on every size tried reaches the goals (NaN: none, or not resolved)
        and ``verdict`` (``"reached"``, ``"not reached"``, ``"not resolved"``).
    sentences
        All of it in words.
    """

    table: xr.Dataset
    sentences: tuple[str, ...]

    def to_frame(self) -> pd.DataFrame:
        """Table with a row per scenario and size."""
        kept = [v for v in self.table if set(self.table[v].dims) == {SCENARIO, SIZE}]
        return self.table[kept].to_dataframe(dim_order=[SCENARIO, SIZE]).reset_index()

    def __str__(self) -> str:
        return "\n".join(self.sentences)

    __repr__ = __str__


def plan_arms(
    doses: Sequence[float],
    scenarios: Sequence[Scenario],
    rule: ArmRule,
    *,
    sizes: Sequence[int],
    correct: float,
    worse: float = 1.0,
    indifference: float = 0.0,
    n_trials: int = 10_000,
    seed: int,
    unit: str = "",
    ratio: Sequence[int] | None = None,
) -> ArmPlan:
    """Find the patients per arm with which the rule chooses a right arm often enough.

    Parameters
    ----------
    doses
        The arms, ascending.
    scenarios
        Truths, with a probability for each arm; at least one, each name once.
    rule
        :class:`~doseopt_bayes.planning.rule.HighestUtility` or
        :class:`~doseopt_bayes.planning.rule.KeepsMargins`.
    sizes
        Patients per arm that are tried.
    correct, worse
        Goals: the probability of a correct choice is at least the one, that of a worse arm at most
        the other, in each scenario by itself.
    indifference
        Utility below the best true one at which an arm is still a right choice.
    n_trials
        Simulated trials of each scenario, at least 100.
    seed
        Non-negative integer. The sizes share their patients: a larger trial continues a smaller one,
        so that sizes differ by less noise than each has.
    unit
        Of the doses.
    ratio
        Randomisation ratio, a whole number >= 1 for each arm: with (1, 2) a size of 20 means 20
        patients in the lower and 40 in the higher arm (``patients`` in the table). ``None``: equal.

    Raises
    ------
    DoseOptError
        On doses, scenarios, sizes, goals, a seed or a ratio that cannot be.

    Notes
    -----
    Published anchors, reproduced in the tests under stated rates: ROSE (arXiv 2505.03898) 15-40
    patients per arm for 60-70 % correct selection: here 15 to 30 when the higher arm is ahead by 15
    points of response at 40 %, more than 40 for 65 % when it is 10 points. MERIT (arXiv 2302.09612)
    20-40 per arm: here 30 to 36 for errors of 20 % and power of 70 to 80 %.

    Examples
    --------
    >>> from doseopt_bayes.decision.cui import CUI, Attribute
    >>> from doseopt_bayes.design.scenario import Scenario
    >>> from doseopt_bayes.planning.rule import HighestUtility
    >>> rule = HighestUtility(CUI({"p_eff": Attribute(1, "benefit"), "p_tox": Attribute(1, "harm")}))
    >>> truth = Scenario("low wins", p_tox=(0.1, 0.4), p_eff=(0.4, 0.4))
    >>> plan = plan_arms((15, 45), [truth], rule, sizes=(10, 20, 40), correct=0.9, seed=1, unit="mg")
    >>> float(plan.table["needed"][0])
    20.0
    """
    grid = checked_sizes(sizes)
    arms = _checked(doses, scenarios, n_trials, seed)
    if not (0 < correct < 1 and 0 < worse <= 1 and indifference >= 0):
        raise DoseOptError("correct lies in (0, 1), worse in (0, 1], indifference is >= 0")
    shares = checked_ratio(ratio, len(arms))
    rngs = [np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(len(scenarios))]
    rows = []
    for truth, rng in zip(scenarios, rngs, strict=True):
        cells = truth.cells()
        right = rule.right(cells, indifference)
        sized = [
            _summary(c, cells, right, rule) for c in _growing(rng, cells, grid, n_trials, shares)
        ]
        rows.append({k: np.stack([s[k] for s in sized]) for k in sized[0]} | {"right": right})
    table = xr.Dataset(coords={SCENARIO: [s.name for s in scenarios], SIZE: list(grid),
                               names.DOSE: list(arms)})  # fmt: skip
    for name in rows[0]:
        stacked = np.stack([row[name] for row in rows])
        dims: tuple[str, ...] = (SCENARIO, SIZE, names.DOSE)[: stacked.ndim]
        table[name] = ((SCENARIO, names.DOSE) if name == "right" else dims, stacked)
    for name in (names.P_TOX, names.P_EFF):
        end = name.removeprefix("p_")
        true = np.stack([counts_of_events(s.cells(), end) for s in scenarios])
        table[name] = ((SCENARIO, names.DOSE), true)
    if shares is not None:
        table["patients"] = ((SIZE, names.DOSE), np.outer(grid, shares))
    _needed(table, correct, worse)
    table.attrs = {"unit": unit, "rule": str(rule), "n_trials": n_trials, "seed": seed,
                   "correct": correct, "worse": worse, "indifference": indifference}  # fmt: skip
    if shares is not None:
        table.attrs["ratio"] = ":".join(map(str, shares))
    return ArmPlan(table, _sentences(table))


def checked_sizes(sizes: Sequence[int]) -> tuple[int, ...]:
    """Return patients per arm, ascending; refuse none, repeats and what is not a number of patients."""
    found = tuple(sorted(sizes))
    whole = all(
        isinstance(n, int | np.integer) and not isinstance(n, bool) and n >= 1 for n in found
    )
    if not found or not whole or len(set(found)) != len(found):
        raise DoseOptError(f"sizes {list(sizes)} must be different whole numbers of patients >= 1")
    return tuple(int(n) for n in found)


def _checked(
    doses: Sequence[float], scenarios: Sequence[Scenario], n_trials: int, seed: int
) -> tuple[float, ...]:
    arms = tuple(float(d) for d in doses)
    if len(arms) < 2 or any(b <= a for a, b in itertools.pairwise(arms)):
        raise DoseOptError(
            f"arms {list(doses)} must be two or more doses, ascending, each once",
            hint="two arms of one dose share a label: give them one arm",
        )
    labels = [s.name for s in scenarios]
    twice = next((n for n in labels if labels.count(n) > 1), "")
    if not labels or twice:
        raise DoseOptError(f"scenario '{twice}' stands twice" if twice else "no scenario is given")
    for s in scenarios:
        if len(s.p_tox) != len(arms) or s.p_eff is None:
            raise DoseOptError(
                f"scenario '{s.name}' must have p_tox and p_eff for each of {len(arms)} arms"
            )
    if isinstance(n_trials, bool) or not isinstance(n_trials, int) or n_trials < 100:
        raise DoseOptError(f"n_trials = {n_trials!r} must be a whole number >= 100")
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
        raise DoseOptError(f"seed = {seed!r} is not a non-negative integer", hint="pass seed=1")
    return arms


def _growing(
    rng: np.random.Generator, cells: np.ndarray, sizes: Sequence[int], n_trials: int,
    shares: np.ndarray | None,
) -> Iterator[np.ndarray]:  # fmt: skip
    """Yield counts (trial, arm, cell) of each size; each trial continues the smaller one."""
    p = cells.clip(0) / cells.clip(0).sum(-1, keepdims=True)
    counts = np.zeros((n_trials, *cells.shape), dtype=np.int64)
    before = 0
    for n in sizes:
        more = n - before if shares is None else (n - before) * shares
        counts = counts + rng.multinomial(more, p, size=(n_trials, len(cells)))
        before = n
        yield counts


def _summary(
    counts: np.ndarray, cells: np.ndarray, right: np.ndarray, rule: ArmRule
) -> dict[str, np.ndarray]:
    """Shares, selections, and biases of the chosen arm; of one size, with their errors."""
    close = None
    if isinstance(rule, KeepsMargins) and rule.joint:
        chosen, close = rule.judge(counts)
    else:
        chosen = rule.choose(counts)
    n_trials, some = len(chosen), chosen >= 0
    hit = some & right[chosen] if right.any() else ~some
    none = ~some & right.any()
    found: dict[str, np.ndarray] = {}
    for name, event in zip(SHARES, (hit, ~hit & ~none, none), strict=True):
        found |= _share(name, event.sum(), n_trials)
    if close is not None:
        found |= _share("close", close.sum(), n_trials)
    picked = np.array([(chosen == j).sum() for j in range(len(cells))])
    found |= _share("selected", picked, n_trials)
    n = counts.sum(-1)
    for end in (names.EFF, names.TOX):
        events, truth = counts_of_events(counts, end), counts_of_events(cells, end)
        for kind, rates in (("", events / n), ("shrunk_", shrunk_rates(events, n))):
            missed = (rates[np.arange(n_trials), chosen] - truth[chosen])[some]
            enough = missed.size > 1
            found[f"bias_{kind}{end}"] = np.array(missed.mean() if enough else math.nan)
            spread = missed.std(ddof=1) / np.sqrt(missed.size) if enough else math.nan
            found[f"bias_{kind}{end}_mcse"] = np.array(spread)
            square = np.sqrt((missed**2).mean()) if enough else math.nan
            found[f"rmse_{kind}{end}"] = np.array(square)
            # the error of a mean square, through its root
            loose = (missed**2).std(ddof=1) / np.sqrt(missed.size) if square > 0 else math.nan
            found[f"rmse_{kind}{end}_mcse"] = np.array(loose / (2 * square))
    return found


def _share(name: str, events: np.ndarray | np.integer, n: int) -> dict[str, np.ndarray]:
    p = (np.asarray(events) + 0.5) / (n + 1)  # a share of 0 is rare, not impossible
    return {name: np.asarray(events) / n, f"{name}_mcse": np.sqrt(p * (1 - p) / n)}


def _needed(table: xr.Dataset, correct: float, worse: float) -> None:
    """Add the smallest size from which on the goals are reached, and whether the errors allow it."""
    margins = xr.concat(
        [(table["correct"] - correct) / table["correct_mcse"],
         (worse - table["worse"]) / table["worse_mcse"]], dim="goal",
    ).min("goal") if worse < 1 else (table["correct"] - correct) / table["correct_mcse"]  # fmt: skip
    sizes = table[SIZE].to_numpy()
    needed, verdicts = [], []
    for z in margins.transpose(SCENARIO, SIZE).to_numpy():
        estimate = np.logical_and.accumulate((z >= 0)[::-1])[::-1]
        sure = np.logical_and.accumulate((z > RESOLVED)[::-1])[::-1]
        if not estimate.any():
            open_ = z[-1] > -RESOLVED
            needed.append(math.nan)
            verdicts.append("not resolved" if open_ else "not reached")
            continue
        at = int(estimate.argmax())
        # a smaller size that errors could have refused, or this one that they could have let pass
        open_ = not sure[at] or (at > 0 and z[at - 1] > -RESOLVED)
        needed.append(float(sizes[at]))
        verdicts.append("not resolved" if open_ else "reached")
    table["needed"] = (SCENARIO, needed)
    table["verdict"] = (SCENARIO, verdicts)


def _sentences(table: xr.Dataset) -> tuple[str, ...]:
    a = table.attrs
    goal = f"correct choice with probability >= {a['correct']:g}"
    goal += f" and a worse arm with at most {a['worse']:g}" * (a["worse"] < 1)
    said = [f"Rule: {a['rule']}. {a['n_trials']} trials per scenario, seed {a['seed']}."]
    if "close" in table:
        most = table["close"].max()
        said.append(
            "Share of trials whose choice the draws of the joint probability leave open (it is made by "
            f"their estimate): {probability(float(most))} in the worst scenario and size."
        )
    for name in table[SCENARIO].to_numpy():
        at = table.sel({SCENARIO: name})
        needed, verdict = float(at["needed"]), str(at["verdict"].item())
        if math.isnan(needed):
            largest = at.isel({SIZE: -1})
            said.append(
                f"{name}: {verdict} with {_each(largest)} ({goal}); correct there "
                f"{probability(float(largest['correct']))} "
                f"(simulation error {error(float(largest['correct_mcse']))})."
            )
            continue
        here = at.sel({SIZE: needed})
        doubt = (
            "" if verdict == "reached" else "; which size it is, is not resolved by these trials"
        )
        said.append(
            f"{name}: {_each(here)} ({goal}); correct "
            f"{probability(float(here['correct']))} (simulation error "
            f"{error(float(here['correct_mcse']))}), worse arm {probability(float(here['worse']))} "
            f"({error(float(here['worse_mcse']))}), none although one is right "
            f"{probability(float(here['none']))}; observed efficacy of the chosen arm is off by "
            f"{float(here['bias_eff']):+.3f} ({error(float(here['bias_eff_mcse']))}), shrunk by "
            f"{float(here['bias_shrunk_eff']):+.3f} "
            f"({error(float(here['bias_shrunk_eff_mcse']))}){doubt}."
        )
    return tuple(said)


def _each(at: xr.Dataset) -> str:
    """Patients of each arm in words."""
    if "patients" not in at:
        return f"{int(at[SIZE])} patients per arm"
    return in_arms(at["patients"].to_numpy(), at[names.DOSE].to_numpy(), str(at.attrs["unit"]))
