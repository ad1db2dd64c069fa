"""What each simulated trial came to, and the mean of that over trials with its Monte Carlo error."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import xarray as xr

from doseopt_bayes import names

if TYPE_CHECKING:
    from doseopt_bayes.design.simulate import Simulation
    from doseopt_bayes.design.trialled import Trialled

__all__ = ["SCENARIO", "SHARES", "TRIAL", "mean_with_error", "of_each_trial", "truths"]

SCENARIO: Final = "scenario"
TRIAL: Final = "trial"
IN_TIME: Final = ("duration", "pending", "suspended")  # of simulate_late()
SHARES: Final = (
    "selected", "selects_obd", "selects_mtd", "overdose", "none_selected", "stopped_early",
    "not_resolved", "any_not_resolved",
)  # fmt: skip
"""Measures of a trial that are yes (1) or no (0): their mean is a share of trials."""


def truths(sim: Simulation, by: Trialled | None = None) -> xr.Dataset:
    """Return what is true in each scenario, by the design `by` or else the simulated one.

    Returns
    -------
    xarray.Dataset
        ``p_tox``, ``p_eff`` (not of a design of toxicity alone), ``utility`` and ``admissible`` over
        (scenario, dose); ``obd`` and ``mtd`` over scenario, in the unit of dose, NaN for none.
        ``attrs["toxicity_limit"]``: the limit of the MTD, NaN without one.
    """
    says = by or sim.design
    parts = [says.truth(s) for s in sim.scenarios]
    found = xr.concat(parts, dim=SCENARIO).assign_coords(
        {SCENARIO: [s.name for s in sim.scenarios]}
    )
    limit = says.toxicity_limit
    found.attrs["toxicity_limit"] = np.nan if limit is None else limit
    return found


def of_each_trial(sim: Simulation, by: Trialled | None = None) -> xr.Dataset:
    """Return every measure of each trial, held against the truth that `by` says.

    Returns
    -------
    xarray.Dataset
        Over (scenario, trial, dose): ``selected`` (0 or 1), ``treated`` (patients), and with backfill
        ``backfilled`` (those of them that were). Over (scenario, trial): the other :data:`SHARES` (0
        or 1), ``p_tox_selected`` (true p_tox of the selected dose, NaN for none), and in patients
        ``patients``, ``toxicities``, ``responses``, ``overdosed`` (treated above the true MTD) and
        ``underdosed`` (treated below the true OBD); of a design of toxicity alone
        no ``responses`` and no ``selects_mtd``, which is its ``selects_obd``. NaN where a scenario has
        no OBD, or the design no limit of toxicity. Of trials in calendar time also ``duration``,
        ``pending`` and ``suspended``, as ``simulate_late`` describes them.
    """
    trials, truth = sim.trials, truths(sim, by)
    dose, chosen = trials[names.DOSE], trials["recommended"]
    obd, mtd = truth["obd"], truth["mtd"]
    none = chosen.isnull()
    has_limit = not np.isnan(truth.attrs["toxicity_limit"])
    # where no dose is tolerable every dose lies above the MTD
    ceiling = mtd.fillna(-np.inf) if has_limit else mtd
    by_dose = xr.Dataset({"selected": chosen == dose, "treated": trials["treated"]})
    found = by_dose.assign(
        selects_obd=(chosen == obd).where(obd.notnull()),
        selects_mtd=(chosen == mtd).where(mtd.notnull()),
        overdose=(chosen > ceiling).where(ceiling.notnull()),
        none_selected=none,
        stopped_early=trials["stopped_early"],
        not_resolved=~trials["resolved"],
        any_not_resolved=~trials["resolved"] | (trials["unresolved"] > 0),
        p_tox_selected=truth[names.P_TOX].where(dose == chosen).sum(names.DOSE).where(~none),
        patients=trials["treated"].sum(names.DOSE),
        toxicities=trials["toxicities"].sum(names.DOSE),
        responses=trials["responses"].sum(names.DOSE),
        overdosed=trials["treated"].where(dose > ceiling, 0).sum(names.DOSE).where(
            ceiling.notnull()
        ),
        underdosed=trials["treated"].where(dose < obd, 0).sum(names.DOSE).where(obd.notnull()),
    )  # fmt: skip
    if "backfilled" in trials:
        found["backfilled"] = trials["backfilled"]
    found = found.assign({name: trials[name] for name in IN_TIME if name in trials})
    # of toxicity alone nobody has responses, and the OBD is the MTD
    spare = [] if names.P_EFF in truth else ["responses", "selects_mtd"]
    return found.drop_vars(["obd", "mtd", *spare], errors="ignore").astype(float)


def mean_with_error(each: xr.Dataset) -> xr.Dataset:
    """Average over trials; the Monte Carlo standard error of each mean is in ``_mcse``.

    Parameters
    ----------
    each
        Over trial and other dims. A trial that is NaN does not count.

    Returns
    -------
    xarray.Dataset
        Without trial. The error is sd / sqrt(trials), of a share sqrt(p (1 - p) / trials); NaN for
        fewer than two trials, and 0 for a share of 0 or 1, whose 95 % bound is 3 / trials.

    Examples
    --------
    >>> found = mean_with_error(xr.Dataset({"x": ("trial", [0.0, 0.0, 1.0, 1.0])}))
    >>> float(found["x"]), float(found["x_mcse"])
    (0.5, 0.25)
    """
    n = each.notnull().sum(TRIAL)
    # two passes by hand: the mean of nothing is NaN without a warning
    mean = each.sum(TRIAL) / n.where(n > 0)
    variance = ((each - mean) ** 2).sum(TRIAL) / n.where(n > 1)
    error = (variance / n) ** 0.5
    return mean.assign({f"{v}_mcse": error[v] for v in error})
