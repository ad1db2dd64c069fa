"""Speed of planning randomised arms: 100 scenarios of 10,000 trials, two and three arms, each rule.

    .venv/bin/python benchmarks/bench_arms.py

Prints wall and processor seconds and the load of the machine; the goal is 60 s on two cores.
"""

from __future__ import annotations

import os
import time

import numpy as np

import doseopt_bayes as dob

SCENARIOS, TRIALS, SIZES = 100, 10_000, (20, 40)


def main() -> None:
    """Time each rule with two and three arms."""
    utility = dob.CUI({"p_eff": dob.Attribute(2, "benefit"), "p_tox": dob.Attribute(1, "harm")})
    rules = dob.Tolerable(0.35, certainty=0.5) & dob.Active(0.15, certainty=0.6)
    margins = (
        dob.Margin("eff", 0.15, "difference", "higher"),
        dob.Margin("tox", 0.05, "difference", "lower"),
    )
    choices = {
        "highest utility": dob.HighestUtility(utility, rules),
        "margins": dob.KeepsMargins(margins, 0.7, rules),
        "margins, joint": dob.KeepsMargins(margins, 0.7, rules, joint=True),
    }
    rng = np.random.default_rng(1)
    print(f"load of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    for arms in (2, 3):
        truths = [
            dob.Scenario(str(i), tuple(rng.uniform(0.05, 0.5, arms)), tuple(rng.uniform(0.1, 0.6, arms)))
            for i in range(SCENARIOS)
        ]  # fmt: skip
        for name, rule in choices.items():
            wall, cpu = time.perf_counter(), time.process_time()
            plan = dob.plan_arms(range(1, arms + 1), truths, rule, sizes=SIZES, correct=0.6,
                                 n_trials=TRIALS, seed=1)  # fmt: skip
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            worst = float(plan.table["correct_mcse"].max())
            print(
                f"{arms} arms, {name}: {SCENARIOS} scenarios x {TRIALS} trials x {len(SIZES)} sizes in "
                f"{wall:.1f} s ({cpu:.1f} s of processor), simulation error at most {worst:.4f}"
            )


if __name__ == "__main__":
    main()
