"""The gate: no dose is ranked from draws that failed it.

Samplers do not tell: PyMC's nutpie path warns of nothing, and ArviZ's ``diagnose`` passes draws with
one chain, with NaN, with identical chains or with a constant parameter. Here NaN is a failure.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import arviz_stats as azs
import numpy as np
import xarray as xr

from doseopt_bayes import names
from doseopt_bayes.inference.posterior import scalars

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["Check", "Diagnostics", "diagnose"]

MIN_CHAINS, MIN_DRAWS, MAX_RHAT, MIN_ESS, MIN_BFMI = 4, 1000, 1.01, 400, 0.3
TREE_DEPTH = ("maxdepth_reached", "reached_max_treedepth")  # nutpie's name, PyMC's name


@dataclass(frozen=True)
class Check:
    """One condition of the gate: what was measured, the limit, and whether it holds."""

    name: str
    passed: bool
    measured: str
    limit: str

    def __str__(self) -> str:
        return f"{'pass' if self.passed else 'FAIL'}  {self.name}: {self.measured} ({self.limit})"


@dataclass(frozen=True, eq=False)
class Diagnostics:
    """Verdict on a set of draws.

    Parameters
    ----------
    checks
        All conditions of the gate.
    table
        R-hat, bulk and tail ESS (variable ``value``) over dims (quantity, measure).
    """

    checks: tuple[Check, ...]
    table: xr.DataArray

    @property
    def passed(self) -> bool:
        """Whether every condition holds."""
        return all(c.passed for c in self.checks)

    @property
    def failures(self) -> tuple[Check, ...]:
        """Return the conditions that do not hold."""
        return tuple(c for c in self.checks if not c.passed)

    @property
    def diverged(self) -> bool:
        """Whether a smaller step size could help: divergences or a low E-BFMI."""
        return any(c.name in ("divergences", "E-BFMI") for c in self.failures)

    @property
    def too_short(self) -> bool:
        """Whether only more draws are missing: R-hat or ESS, and nothing worse."""
        return bool(self.failures) and all(
            c.name in ("R-hat", "bulk ESS", "tail ESS") for c in self.failures
        )

    def __str__(self) -> str:
        head = "diagnostics passed" if self.passed else "diagnostics FAILED"
        return "\n".join([head, *(f"  {c}" for c in self.checks)])


def diagnose(draws: xr.Dataset, stats: xr.Dataset, quantities: Iterable[str]) -> Diagnostics:
    """Check the draws of the given quantities.

    Parameters
    ----------
    draws
        Posterior draws with dims chain and draw.
    stats
        Sampler statistics: ``diverging``, ``energy`` and the tree-depth flag, over chain and draw.
    quantities
        Names of the free parameters and of every reported quantity.

    Returns
    -------
    Diagnostics
        Limits: at least 4 chains of 1000 draws, none identical, no NaN or infinity, R-hat <= 1.01,
        bulk and tail ESS >= 400, no divergence, E-BFMI >= 0.3, no saturated tree depth
        (Vehtari et al. 2021; Betancourt 2016).
    """
    chosen = draws[list(quantities)]
    chains, length = draws.sizes[names.CHAIN], draws.sizes[names.DRAW]
    finite = all(bool(np.isfinite(v).all()) for v in chosen.data_vars.values())
    shape = [
        Check("chains", chains >= MIN_CHAINS, str(chains), f">= {MIN_CHAINS}"),
        Check("draws per chain", length >= MIN_DRAWS, str(length), f">= {MIN_DRAWS}"),
        Check("finite draws", finite, "all" if finite else "NaN or infinity", "all"),
    ]
    twins = _identical_chains(chosen)
    shape.append(Check("distinct chains", not twins, twins or "all differ", "all differ"))
    table = _table(chosen)
    worst = [
        _naming_chain(_worst(table, "R-hat", "rhat", at_most=MAX_RHAT), chosen),
        _worst(table, "bulk ESS", "ess_bulk", at_least=MIN_ESS),
        _worst(table, "tail ESS", "ess_tail", at_least=MIN_ESS),
    ]
    return Diagnostics((*shape, *worst, *_sampler_checks(stats)), table)


def _sampler_checks(stats: xr.Dataset) -> list[Check]:
    n = int(stats["diverging"].sum())
    checks = [Check("divergences", n == 0, str(n), "0")]
    energy = stats["energy"]
    step = energy.diff(names.DRAW)
    # NaN fails: a constant energy gives 0 / 0, and one NaN energy must not be skipped
    with np.errstate(divide="ignore", invalid="ignore"):
        bfmi = (step**2).mean(names.DRAW, skipna=False) / energy.var(names.DRAW, skipna=False)
    low = float(bfmi.min(skipna=False))
    checks.append(Check("E-BFMI", low >= MIN_BFMI, f"{low:.2f}", f">= {MIN_BFMI}"))
    for name in TREE_DEPTH:
        if name in stats:
            hit = int(stats[name].sum())
            checks.append(Check("saturated tree depth", hit == 0, str(hit), "0"))
    return checks


def _identical_chains(chosen: xr.Dataset) -> str:
    stacked = np.concatenate(
        [
            v.transpose(names.CHAIN, ...).to_numpy().reshape(v.sizes[names.CHAIN], -1)
            for v in chosen.data_vars.values()
        ],
        axis=1,
    )
    pairs = [
        f"{i} = {j}"
        for i in range(len(stacked))
        for j in range(i + 1, len(stacked))
        if np.array_equal(stacked[i], stacked[j], equal_nan=True)
    ]
    return "chains " + ", ".join(pairs) if pairs else ""


def _table(chosen: xr.Dataset) -> xr.DataArray:
    flat = scalars(chosen, map(str, chosen.data_vars), (names.CHAIN, names.DRAW))
    dims = [names.CHAIN, names.DRAW]
    numbers = np.stack([v.transpose(*dims).to_numpy() for v in flat.values()], axis=-1)
    joined = xr.DataArray(numbers, dims=[*dims, "quantity"], coords={"quantity": list(flat)})
    labelled = joined.to_dataset(name="x")
    # ArviZ calls a constant well mixed (R-hat NaN, ESS = n): it is stuck, so its ESS is NaN here
    moves = labelled["x"].std(dims) > 0
    measures = {
        "rhat": azs.rhat(labelled, sample_dims=dims)["x"],
        "ess_bulk": azs.ess(labelled, sample_dims=dims)["x"],
        "ess_tail": azs.ess(labelled, sample_dims=dims, method="tail")["x"],
    }
    table: xr.DataArray = xr.concat([m.where(moves) for m in measures.values()], dim="measure")
    return table.assign_coords(measure=list(measures)).rename("value")


def _naming_chain(check: Check, chosen: xr.Dataset) -> Check:
    """Name the chain without which the others agree, when there is one."""
    if check.passed or chosen.sizes[names.CHAIN] < MIN_CHAINS:
        return check
    for i in range(chosen.sizes[names.CHAIN]):
        kept = [j for j in range(chosen.sizes[names.CHAIN]) if j != i]
        others = _table(chosen.isel({names.CHAIN: kept})).sel(measure="rhat").max(skipna=False)
        if float(others) <= MAX_RHAT:
            said = f"{check.measured}; without chain {i} at most {float(others):.4f}"
            return replace(check, measured=said)
    return check


def _worst(
    table: xr.DataArray,
    name: str,
    measure: str,
    *,
    at_most: float = np.inf,
    at_least: float = -np.inf,
) -> Check:
    values = table.sel(measure=measure)
    quantities: Sequence[str] = [str(q) for q in values["quantity"].to_numpy()]
    numbers = values.to_numpy()
    if np.isnan(numbers).any():
        where = quantities[int(np.flatnonzero(np.isnan(numbers))[0])]
        limit = f"<= {at_most}" if np.isfinite(at_most) else f">= {at_least:g}"
        return Check(name, passed=False, measured=f"NaN at {where}", limit=limit)
    if np.isfinite(at_most):
        i = int(numbers.argmax())
        measured = f"highest {numbers[i]:.4f} at {quantities[i]}"
        return Check(name, bool(numbers[i] <= at_most), measured, f"<= {at_most}")
    i = int(numbers.argmin())
    measured = f"lowest {numbers[i]:.0f} at {quantities[i]}"
    return Check(name, bool(numbers[i] >= at_least), measured, f">= {at_least:g}")
