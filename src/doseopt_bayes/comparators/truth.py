"""What a named truth means under designs that know a target of toxicity, or a table of utilities."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from doseopt_bayes import names
from doseopt_bayes.errors import DoseOptError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from doseopt_bayes.design.scenario import Scenario

__all__ = ["true_cells", "truth_by_target", "truth_by_utility"]


def _counted(scenario: Scenario, doses: Sequence[float]) -> None:
    if len(doses) != len(scenario.p_tox):
        raise DoseOptError(
            f"scenario '{scenario.name}' has {len(scenario.p_tox)} doses, the design {len(doses)}",
            hint="one probability for every candidate dose",
        )


def truth_by_target(scenario: Scenario, doses: Sequence[float], target: float) -> xr.Dataset:
    """Return the truth of a design of toxicity alone.

    Parameters
    ----------
    scenario
        The truth.
    doses
        Candidate doses.
    target
        Target probability of toxicity.

    Returns
    -------
    xarray.Dataset
        ``p_tox``, ``utility`` (minus the distance to the target) and ``admissible`` (all) over dose;
        ``mtd`` and ``obd``: the dose closest to the target, the lower one on ties.
    """
    _counted(scenario, doses)
    p = np.array(scenario.p_tox)
    apart = np.abs(p - target).round(12)
    found = xr.Dataset(
        {
            names.P_TOX: (names.DOSE, p),
            "utility": (names.DOSE, -apart),
            "admissible": (names.DOSE, np.ones(len(p), dtype=bool)),
        },
        coords={names.DOSE: list(doses)},
    )
    best = float(doses[int(apart.argmin())])
    return found.assign(obd=best, mtd=best)


def true_cells(scenario: Scenario, doses: Sequence[float]) -> np.ndarray:
    """Return the true probabilities of N, E, T and B (dose, cell); refuse a truth without efficacy."""
    _counted(scenario, doses)
    if scenario.p_eff is None:
        raise DoseOptError(
            f"scenario '{scenario.name}' has no p_eff, which the design reads", hint="give p_eff"
        )
    return scenario.cells()


def truth_by_utility(
    scenario: Scenario,
    doses: Sequence[float],
    worth: np.ndarray,
    *,
    most_tox: float,
    least_eff: float,
) -> xr.Dataset:
    """Return the truth of a design that weighs toxicity and efficacy of each patient.

    Parameters
    ----------
    scenario
        The truth, with p_eff.
    doses
        Candidate doses.
    worth
        (cell,) utility of N, E, T and B.
    most_tox, least_eff
        Limits of a truly admissible dose.

    Returns
    -------
    xarray.Dataset
        ``p_tox``, ``p_eff``, ``utility`` and ``admissible`` over dose; ``obd``: the lowest dose of the
        highest utility among admissible ones; ``mtd``: the highest dose that, like every lower one, has
        a p_tox of at most `most_tox`; NaN for none.
    """
    cells = true_cells(scenario, doses)
    tox, eff = np.array(scenario.p_tox), np.array(scenario.p_eff)
    utility = (cells @ worth).round(12)
    fine = (tox <= most_tox) & (eff >= least_eff)
    best = np.where(fine, utility, -np.inf)
    low = np.logical_and.accumulate(tox <= most_tox)
    found = xr.Dataset(
        {
            names.P_TOX: (names.DOSE, tox),
            names.P_EFF: (names.DOSE, eff),
            "utility": (names.DOSE, utility),
            "admissible": (names.DOSE, fine),
        },
        coords={names.DOSE: list(doses)},
    )
    obd = float(doses[int(best.argmax())]) if fine.any() else np.nan
    return found.assign(obd=obd, mtd=float(doses[low.sum() - 1]) if low.any() else np.nan)
