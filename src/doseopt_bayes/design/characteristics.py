"""Operating characteristics of a design, each with its Monte Carlo error."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import xarray as xr

from doseopt_bayes import names
from doseopt_bayes.design.measures import (
    SCENARIO,
    SHARES,
    TRIAL,
    mean_with_error,
    of_each_trial,
    truths,
)
from doseopt_bayes.design.prose import percent, text_of
from doseopt_bayes.errors import DoseOptError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

    from doseopt_bayes.design.simulate import Simulation
    from doseopt_bayes.design.trialled import Trialled

__all__ = ["Characteristics", "Comparison", "characteristics", "compare_designs"]

TRUTHS: Final = (names.P_TOX, names.P_EFF, "utility", "admissible", "obd", "mtd")
BOUNDED: Final = tuple(
    s for s in SHARES if not s.endswith("not_resolved")
)  # what decisions that are not resolved could change


@dataclass(frozen=True, eq=False)
class Characteristics:
    """Operating characteristics; ``print`` gives tables for a protocol.

    Parameters
    ----------
    table
        Over (scenario, dose): the truth (``p_tox``, ``p_eff``, ``utility``, ``admissible``), ``selected``
        (share of trials), ``treated`` (mean number of patients), ``treated_share`` (of all
        patients), and with backfill ``backfilled`` (mean number, part of ``treated``).
        Over scenario: ``obd`` and ``mtd`` (true doses in the unit of dose, NaN for none); the shares of
        trials ``selects_obd``, ``selects_mtd``, ``overdose`` (that select a dose above the true MTD),
        ``none_selected``, ``stopped_early``, ``not_resolved`` (last decision) and ``any_not_resolved``
        (some decision of the trial); ``p_tox_selected`` (mean true p_tox of the selected dose); and mean
        numbers ``patients``, ``toxicities``, ``responses``, ``overdosed`` (treated above the true MTD)
        and ``underdosed`` (below the true OBD). A design of toxicity alone has no ``p_eff``,
        ``responses`` and ``selects_mtd``: its OBD is its MTD. Of trials in calendar time also the means
        ``duration`` and ``suspended`` (months) and ``pending`` (patients). Every mean has its error in
        ``_mcse``.
        Attributes: ``n_trials``, ``seed``, ``engine``, ``unit`` and ``toxicity_limit``.

    Notes
    -----
    The trials' own error is binomial. The particles' error is bounded: a decision is resolved when 3
    Monte Carlo standard errors of the particles cannot change it, so that with exact posteriors at most
    a share ``not_resolved`` of the last decisions, and of the courses of trials at most
    ``any_not_resolved``, would be others.
    """

    table: xr.Dataset

    def to_frame(self) -> pd.DataFrame:
        """Return one row per scenario and dose: the truth, selection and allocation."""
        by_dose = [v for v in self.table if names.DOSE in self.table[v].dims]
        return self.table[by_dose].to_dataframe()

    def summary(self) -> pd.DataFrame:
        """Return one row per scenario: all that is not of a single dose."""
        return self.table.drop_dims(names.DOSE).to_dataframe()

    def csv(self) -> str:
        """Return one row per number: scenario, dose (empty for all), measure, estimate, mcse.

        Truths have no error; shares of trials carry the particles' share too.
        """
        unit = self.table.attrs["unit"]
        head = _quoted(f"dose_{unit}" if unit else names.DOSE)
        lines = [f"scenario,{head},measure,estimate,mcse,particles_at_most"]
        for label in self.table[SCENARIO].to_numpy():
            part = self.table.sel({SCENARIO: label})
            at_most = _written(part["not_resolved"])
            for name in (str(v) for v in self.table if not str(v).endswith("_mcse")):
                for at in _rows(part, name):
                    dose = _written(at[names.DOSE]) if names.DOSE in at.coords else ""
                    error = _written(at[f"{name}_mcse"]) if f"{name}_mcse" in at else ""
                    bound = at_most if name in BOUNDED else ""
                    lines.append(
                        ",".join(
                            (_quoted(str(label)), dose, name, _written(at[name]), error, bound)
                        )
                    )
        return "\n".join([*lines, ""])

    def __str__(self) -> str:
        return text_of(self.table)


@dataclass(frozen=True, eq=False)
class Comparison:
    """What the first of two designs does more often than the second, in the same patients.

    Parameters
    ----------
    table
        Differences, first minus second, as in :class:`Characteristics`, with paired errors; but
        ``not_resolved`` is the share of trials whose last decision is not resolved in either design.
    """

    table: xr.Dataset

    def to_frame(self) -> pd.DataFrame:
        """Return one row per scenario and dose."""
        by_dose = [v for v in self.table if names.DOSE in self.table[v].dims]
        return self.table[by_dose].to_dataframe()

    def __str__(self) -> str:
        rows = [["scenario", f"dose {self.table.attrs['unit']}".rstrip(), "difference %", "MCSE %"]]
        for label in self.table[SCENARIO].to_numpy():
            part = self.table.sel({SCENARIO: label})
            doses = [f"{d:g}" for d in part[names.DOSE].to_numpy()]
            rows += [
                [str(label), dose, f"{100 * float(x):+.1f}", f"{100 * float(e):.1f}"]
                for dose, x, e in zip(
                    [*doses, "none"],
                    [*part["selected"], part["none_selected"]],
                    [*part["selected_mcse"], part["none_selected_mcse"]],
                    strict=True,
                )
            ]
        widths = [max(len(r[i]) for r in rows) for i in range(4)]
        said = ["  ".join(c.rjust(w) for c, w in zip(r, widths, strict=True)) for r in rows]
        at_most = percent(float(self.table["not_resolved"].max()))
        note = (
            f"Share of {self.table.attrs['n_trials']:,} trials that select the dose, first design minus "
            "second, in the same patients; MCSE of the paired difference. Last decision not resolved by "
            f"the particles in either design: at most {at_most} % "
            "of the trials of a scenario."
        )
        return "\n".join([*said, note])


def characteristics(sim: Simulation, *, by: Trialled | None = None) -> Characteristics:
    """Summarise simulated trials.

    Parameters
    ----------
    sim
        Result of :func:`~doseopt_bayes.design.simulate.simulate`.
    by
        Design whose truth says which dose is right; the simulated one by default.

    Returns
    -------
    Characteristics
        Selection, allocation, overdosing, sample size and stopping under each scenario.
    """
    each, truth = of_each_trial(sim, by), truths(sim, by)
    found = mean_with_error(each)
    # of a ratio of means, by the delta method
    share = found["treated"] / found["patients"]
    apart = mean_with_error(xr.Dataset({"x": each["treated"] - share * each["patients"]}))
    found["treated_share"] = share
    found["treated_share_mcse"] = apart["x_mcse"] / found["patients"]
    table = xr.merge([truth[[v for v in TRUTHS if v in truth]], found])
    first = [*TRUTHS[:4], "selected", "treated", "treated_share", "backfilled", "obd", "mtd"]
    order = [v for name in [*first, *each] for v in (name, f"{name}_mcse") if v in table]
    table = table[list(dict.fromkeys(order))]
    table.attrs = {
        "n_trials": sim.trials.sizes[TRIAL],
        "seed": sim.seed,
        "engine": sim.engine,
        "unit": sim.design.unit,
        "toxicity_limit": truth.attrs["toxicity_limit"],
    }
    return Characteristics(table)


def compare_designs(first: Simulation, second: Simulation) -> Comparison:
    """Compare two designs that met the same patients.

    Parameters
    ----------
    first, second
        Simulations with one seed, the same scenarios in the same order and equally many trials.

    Returns
    -------
    Comparison
        Mean of the differences of each trial, first minus second, with the error of a paired
        difference, mostly smaller than that of two independent simulations.

    Raises
    ------
    DoseOptError
        When seeds, scenarios, numbers of trials or candidate doses differ.
    """
    for what, a, b in (
        ("seeds", first.seed, second.seed),
        ("scenarios", first.scenarios, second.scenarios),
        ("numbers of trials", first.trials.sizes[TRIAL], second.trials.sizes[TRIAL]),
        ("candidate doses", first.design.doses, second.design.doses),
    ):
        if a != b:
            raise DoseOptError(
                f"the two simulations have different {what}",
                hint="simulate both with one seed, the same scenarios and as many trials",
            )
    one, other = of_each_trial(first), of_each_trial(second)
    kept = [v for v in one if v not in ("p_tox_selected", "not_resolved", "any_not_resolved")]
    gap = (one - other)[kept].assign(
        not_resolved=np.maximum(one["not_resolved"], other["not_resolved"])
    )
    table = mean_with_error(gap)
    table.attrs = {"n_trials": first.trials.sizes[TRIAL], "unit": first.design.unit}
    return Comparison(table)


def _rows(part: xr.Dataset, name: str) -> Iterator[xr.Dataset]:
    """Yield the rows of a file that a measure of one scenario has: one per dose, or one for all."""
    if names.DOSE not in part[name].dims:
        yield part.drop_dims(names.DOSE)
        return
    for i in range(part.sizes[names.DOSE]):
        yield part.isel({names.DOSE: i})


def _written(x: xr.DataArray) -> str:
    value = float(x)  # yes is 1: the column of a file holds numbers alone
    return "" if math.isnan(value) else f"{value:.10g}"


def _quoted(text: str) -> str:
    """Quote a cell of a CSV file where it needs it; no spreadsheet may run it."""
    text = f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t") else text
    return '"{}"'.format(text.replace('"', '""')) if set(text) & set(',"\n\r') else text
