"""How long 10,000 trials of each design of a table take; the goal is 5 s.

Run: python benchmarks/bench_designs.py
"""

from __future__ import annotations

import time

import doseopt_bayes as dob

DOSES = (1, 2, 3, 4, 5)
STOP = dob.MaxPatients(36) | dob.EnoughAtDose(12)
TRUTH = dob.Scenario("rising", (0.05, 0.15, 0.3, 0.45, 0.6), (0.2, 0.3, 0.45, 0.5, 0.55))
TABLE = dob.OutcomeTable(neither=40, efficacy=100, toxicity=0, both=60)
RULES = (dob.BOIN, dob.Keyboard, dob.MTPI, dob.MTPI2, dob.TPI, dob.I3Plus3)


def main() -> None:
    """Time every design, and a million trials of BOIN."""
    designs = {
        "3+3": dob.ThreePlusThree(DOSES, start=1),
        "BOIN12": dob.BOIN12(DOSES, start=1, stop=STOP),
        "U-BOIN": dob.UBOIN(DOSES, 1, STOP, 0.3, TABLE, (0.25, 0.25, 0.25, 0.25), 0.35, 0.25),
    }
    for rule in RULES:
        made = rule(0.3)
        designs[made.name] = dob.IntervalDesign(made, DOSES, start=1, stop=STOP)
    designs["BOIN, backfill"] = dob.BackfillDesign(designs["BOIN"], dob.Backfill(most=12))
    for name, design in designs.items():
        begun = time.perf_counter()
        dob.simulate(design, [TRUTH], n_trials=10_000, seed=1)
        print(f"{name:<16} 10,000 trials in {time.perf_counter() - begun:5.2f} s")
    begun = time.perf_counter()
    dob.simulate(designs["BOIN"], [TRUTH], n_trials=1_000_000, seed=1)
    print(f"{'BOIN':<16} 1,000,000 trials in {time.perf_counter() - begun:5.1f} s")


if __name__ == "__main__":
    main()
