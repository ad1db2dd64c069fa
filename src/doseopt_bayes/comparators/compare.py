"""Several designs under the same truths and in the same patients, side by side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import xarray as xr

from doseopt_bayes import names
from doseopt_bayes.design.characteristics import Characteristics, characteristics
from doseopt_bayes.design.measures import of_each_trial
from doseopt_bayes.design.prose import mean, percent
from doseopt_bayes.design.simulate import Simulation, check_simulation, simulate
from doseopt_bayes.errors import DoseOptError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import pandas as pd

    from doseopt_bayes.design.scenario import Scenario
    from doseopt_bayes.design.trialled import Trialled

__all__ = ["DESIGN", "DesignComparison", "simulate_compare"]

DESIGN: Final = "design"
SCENARIO: Final = "scenario"
TRIAL: Final = "trial"
SHOWN: Final = ("selects_obd", "overdose", "none_selected", "overdosed", "patients", "toxicities")
HEADS: Final = ("design", "selects it %", "above MTD %", "none %", "patients above MTD", "patients",
                "toxicities", "difference to the first %")  # fmt: skip


@dataclass(frozen=True, eq=False)
class DesignComparison:
    """Operating characteristics of several designs in the same patients.

    Parameters
    ----------
    simulations
        Of each design, by name.
    table
        As in :class:`~doseopt_bayes.design.characteristics.Characteristics`, with the dim ``design``;
        and ``gain`` (design, scenario): how much more often the design selects the right dose than the
        first one does, in the same patients, with its paired error ``gain_mcse``.
    by
        Name of the design whose truth says which dose is right.
    """

    simulations: dict[str, Simulation]
    table: xr.Dataset
    by: str

    def of(self, name: str) -> Characteristics:
        """Return the operating characteristics of one design."""
        return characteristics(self.simulations[name], by=self.simulations[self.by].design)

    def to_frame(self) -> pd.DataFrame:
        """Table with a row per scenario and design: every measure that is not of a single dose."""
        one = self.table.drop_dims(names.DOSE)
        return one.to_dataframe(dim_order=[SCENARIO, DESIGN]).reset_index()

    def __str__(self) -> str:
        table = self.table
        alone = names.P_EFF not in table
        best, unit = "MTD" if alone else "OBD", table.attrs["unit"]
        said = [
            (
                f"{len(self.simulations)} designs, {table.attrs['n_trials']:,} trials of each scenario "
                f"in the same patients, seed {table.attrs['seed']}; the right dose is the true {best} "
                f"of '{self.by}'. ± Monte Carlo standard error; differences with the error of pairs."
            )
        ]
        for label in table[SCENARIO].to_numpy():
            part = table.sel({SCENARIO: label})
            obd = float(part["obd"])
            right = "none" if np.isnan(obd) else f"{obd:g} {unit}".rstrip()
            late = ["months"] if "duration" in table else []
            rows: list[tuple[str, ...]] = [(*HEADS, *late)]
            for name in table[DESIGN].to_numpy():
                at = part.sel({DESIGN: name})
                # where no dose is right, the right answer is none
                hit = "none_selected" if np.isnan(obd) else "selects_obd"
                rows.append((
                    str(name),
                    *(percent(float(at[v]), float(at[f"{v}_mcse"]))
                      for v in (hit, "overdose", "none_selected")),
                    *(mean(float(at[v]), float(at[f"{v}_mcse"]))
                      for v in ("overdosed", "patients", "toxicities")),
                    percent(float(at["gain"]), float(at["gain_mcse"])),
                *(mean(float(at["duration"]), float(at["duration_mcse"])) for _ in late),
                ))  # fmt: skip
            widths = [max(len(r[i]) for r in rows) for i in range(len(rows[0]))]
            said += ["", f"Scenario '{label}': right answer {right}"]
            said += [
                "  ".join(c.ljust(w) for c, w in zip(r, widths, strict=True)).rstrip() for r in rows
            ]
        n = table.attrs["n_trials"]
        said += [
            "",
            f"A share seen to be 0 or 100 % can truly be {300 / n:.2g} % off (95 % bound).",
        ]
        open_ = float(table["not_resolved"].max())
        if open_ > 0:
            said.append(
                "Last decision not resolved, within the numerical error of the posteriors, in at most "
                f"{percent(open_)} % of the trials of a design and scenario: no share can be off by more "
                "through it."
            )
        return "\n".join(said)

    __repr__ = __str__


def simulate_compare(
    designs: Mapping[str, Trialled],
    scenarios: Sequence[Scenario],
    *,
    n_trials: int,
    seed: int,
    truth: str = "",
    particles: int = 512,
    threads: int = 0,
    progress: Callable[[str], None] | None = None,
) -> DesignComparison:
    """Simulate several designs under the same truths, in the same patients.

    Parameters
    ----------
    designs
        Designs by name, at least two, with the same candidate doses: any ``Design``, designs of tables,
        with backfill, in calendar time (then with a ``LateScenario`` for each truth) or of two stages.
    scenarios, n_trials, seed, particles, threads, progress
        As for :func:`~doseopt_bayes.design.simulate.simulate`.
    truth
        Name of the design whose truth says which dose is right; the first one by default.

    Returns
    -------
    DesignComparison
        A design with fewer patients meets the first of the same ones.

    Raises
    ------
    DoseOptError
        Before anything runs: with fewer than two designs, different candidate doses or units, an unknown
        name, or what ``simulate`` refuses.
    """
    called = list(designs)
    if len(called) < 2:
        raise DoseOptError(f"designs {called}: at least two are compared")
    by = truth or called[0]
    if by not in designs:
        raise DoseOptError(f"truth = '{by}' is none of the designs", hint=", ".join(called))
    first = designs[called[0]]
    for name, design in designs.items():
        if (design.doses, design.unit) != (first.doses, first.unit):
            raise DoseOptError(
                f"'{name}' has other candidate doses than '{called[0]}'",
                hint="designs are compared on one set of doses in one unit",
            )
        check_simulation(design, scenarios, n_trials=n_trials, seed=seed)
    say = progress or (lambda _: None)
    sims = {}
    for name, design in designs.items():
        run = getattr(design, "own_simulation", simulate)  # on a calendar, or with a second stage
        sims[name] = run(
            design, scenarios, n_trials=n_trials, seed=seed, particles=particles, threads=threads,
            progress=_named(say, name),
        )  # fmt: skip
    judge = designs[by]
    parts = [characteristics(sim, by=judge).table for sim in sims.values()]
    dim = xr.DataArray(called, dims=DESIGN, name=DESIGN)
    table = xr.concat(parts, dim=dim, data_vars="all", combine_attrs="drop_conflicts")
    for name in ("obd", "mtd", "utility", "admissible", names.P_TOX, names.P_EFF):
        if name in table:  # one truth for all
            table[name] = table[name].isel({DESIGN: 0}, drop=True)
    hits = [_right(sim, judge) for sim in sims.values()]
    gain = xr.concat([hit - hits[0] for hit in hits], dim=dim)
    n = gain.sizes[TRIAL]
    table["gain"] = gain.mean(TRIAL)
    table["gain_mcse"] = (
        gain.std(TRIAL, ddof=1) / np.sqrt(n) if n > 1 else gain.mean(TRIAL) * np.nan
    )
    table.attrs |= {"n_trials": n, "seed": seed, "unit": first.unit, "truth": by}
    return DesignComparison(sims, table, by)


def _named(say: Callable[[str], None], name: str) -> Callable[[str], None]:
    return lambda words: say(f"{name}: {words}")


def _right(sim: Simulation, judge: Trialled) -> xr.DataArray:
    """Say which trials give the right answer (scenario, trial): the OBD, or none where there is none."""
    each = of_each_trial(sim, judge)
    obd = xr.DataArray(
        [float(judge.truth(s)["obd"]) for s in sim.scenarios], dims=SCENARIO,
        coords={SCENARIO: [s.name for s in sim.scenarios]},
    )  # fmt: skip
    found: xr.DataArray = xr.where(np.isnan(obd), each["none_selected"], each["selects_obd"])
    return found.astype(float)
