"""Seconds of simulations in calendar time.

    python benchmarks/bench_late.py [--trials 1000] [--threads 2]

Five doses, three patients a month at random, toxicity within 28 days, efficacy within 84: TITE-EffTox
with 39 patients, TITE-CRM and TITE-BLRM with 36 in cohorts of 3 and of 1, TITE-BOIN, and each waiting for
every outcome. Prints seconds, mean duration and pending patients, and the load of the machine.
"""

from __future__ import annotations

import argparse
import os
import time

import doseopt_bayes as dob
from doseopt_bayes.decision.criteria import MeanUtility, UtilityOfMeans
from doseopt_bayes.models.presets import BLRM_SINGLE_AGENT, EFFTOX_THALL2014

DOSES = (1.0, 2.0, 4.0, 6.6, 10.0)
TRUTH = dob.LateScenario(
    "rising", (0.05, 0.1, 0.15, 0.2, 0.4), (0.2, 0.4, 0.6, 0.8, 0.9), tox_window=28, eff_window=84
)
ACCRUAL = dob.Accrual(3)


def efftox() -> dob.Design:
    """Return the published EffTox design."""
    rules = dob.Tolerable(0.3, certainty=0.1) & dob.Active(0.5, certainty=0.1) & dob.NoSkipping()
    return dob.Design(
        dob.EffTox(DOSES, EFFTOX_THALL2014, unit="mg"),
        dob.LpContour(eff0=0.5, tox1=0.65, hinge=(0.7, 0.25)),
        rules, UtilityOfMeans(), start=1, stop=dob.MaxPatients(39),
    )  # fmt: skip


def crm(cohort: int) -> dob.Design:
    """Return a CRM with overdose control."""
    return dob.Design(
        dob.CRM(DOSES, (0.05, 0.12, 0.2, 0.3, 0.45)), dob.ClosestToTarget(0.3),
        dob.EWOC(0.33, overdose=0.5) & dob.NoSkipping(), UtilityOfMeans(),
        start=1, stop=dob.MaxPatients(36), cohort=cohort,
    )  # fmt: skip


def blrm() -> dob.Design:
    """Return the published BLRM with overdose control."""
    return dob.Design(
        dob.BLRM(DOSES, 4.0, BLRM_SINGLE_AGENT), dob.TargetInterval(0.16, 0.33),
        dob.EWOC() & dob.NoSkipping(), MeanUtility(), start=1, stop=dob.MaxPatients(36),
    )  # fmt: skip


def main() -> None:
    """Run the benchmark."""
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("--trials", type=int, default=1000)
    ask.add_argument("--threads", type=int, default=2)
    given = ask.parse_args()
    boin = dob.TITEBOIN(dob.BOIN(0.3), DOSES, start=1, stop=dob.MaxPatients(36))
    wait = dob.Wait.complete()
    runs = {
        "TITE-EffTox": dob.LateDesign(efftox(), 28, ACCRUAL, eff_window=84),
        "EffTox waits": dob.LateDesign(efftox(), 28, ACCRUAL, eff_window=84, wait=wait),
        "TITE-CRM": dob.LateDesign(crm(3), 28, ACCRUAL),
        "TITE-CRM by 1": dob.LateDesign(crm(1), 28, ACCRUAL),
        "CRM waits": dob.LateDesign(crm(3), 28, ACCRUAL, wait=wait),
        "TITE-BLRM": dob.LateDesign(blrm(), 28, ACCRUAL),
        "TITE-BOIN": dob.LateDesign(boin, 28, ACCRUAL),
        "BOIN waits": dob.LateDesign(boin, 28, ACCRUAL, wait=wait),
    }
    for name, design in runs.items():
        dob.simulate_late(design, [TRUTH], n_trials=20, seed=2, threads=given.threads)  # compiles
        wall, cpu = time.perf_counter(), time.process_time()
        sim = dob.simulate_late(
            design, [TRUTH], n_trials=given.trials, seed=1, threads=given.threads
        )
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        found = dob.characteristics(sim).table.isel(scenario=0)
        print(
            f"{name:14} {given.trials:,} trials: {wall:6.1f} s wall {cpu:6.1f} s CPU "
            f"{sum(sim.fits.values()):7,} posteriors; {float(found['duration']):5.1f} months, "
            f"{float(found['pending']):.1f} pending, right dose "
            f"{100 * float(found['selects_obd']):.1f} ± {100 * float(found['selects_obd_mcse']):.1f} %, "
            f"load {os.getloadavg()[0]:.1f}"
        )


if __name__ == "__main__":
    main()
