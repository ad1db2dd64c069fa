"""Speed of an interim: refit and decision beside ``pm.sample``, and a new process from CSV to table.

    .venv/bin/python benchmarks/bench_interim.py

All numbers of one run are measured one after the other on the same machine, so that their ratios mean
something on any machine. A new process is started twice; the second one finds a warm compile cache.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

INTERIMS = ("1NNE 2EEB", "1NNE 2EEB 3EEN", "1NNE 2EEB 3EEN 3EBE", "1NNE 2EEB 3EEN 3EBE 3ENE",
            "1NNE 2EEB 3EEN 3EBE 3ENE 4EEB", "1NNE 2EEB 3EEN 3EBE 3ENE 4EEB 4ENE")  # fmt: skip
SPEC = Path(__file__).parents[1] / "models" / "efftox-thall2014.toml"
STEPS = """
import json, sys, time
marks = [("start", time.perf_counter())]
def mark(name): marks.append((name, time.perf_counter()))
import doseopt_bayes as dob
spec = dob.Spec.load(sys.argv[1]); mark("import and specification")
data = spec.read(sys.argv[2]); mark("read and check the data")
import pymc, nutpie; mark("import PyMC and nutpie")
from doseopt_bayes.inference.compiled import compiled_for
program = compiled_for(spec.model, data); program.nuts(); mark("build and compile (NUTS)")
program.forward(2, 1); mark("compile (prior predictive)")
post = dob.fit(spec.model, data, seed=1); mark("sample, diagnose, prior")
decision = dob.decide(post, spec.utility, spec.rules, criterion=spec.criterion); mark("decide")
table = decision.text_table; mark("table")
print(json.dumps({b: y - x for (a, x), (b, y) in zip(marks, marks[1:])}))
"""


def new_process(folder: Path) -> dict[str, float]:
    """Time each step from a CSV file to the ranked table in a process of its own."""
    seen = [(1, 0, 0), (1, 0, 0), (1, 0, 1), (2, 0, 1), (2, 0, 1), (2, 1, 1)]
    rows = ["ID,Dose,Toxicity,Efficacy"]
    rows += [f"S{i},{dose},{tox},{eff}" for i, (dose, tox, eff) in enumerate(seen)]
    data = folder / "interim.csv"
    data.write_text("\n".join(rows) + "\n", encoding="utf-8")
    start = time.perf_counter()
    command = [sys.executable, "-c", STEPS, str(SPEC), str(data)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    return {
        **json.loads(done.stdout.splitlines()[-1]),
        "whole process": time.perf_counter() - start,
    }


def refits() -> dict[str, float]:
    """Time refit and decision at later interims, and ``pm.sample`` on the same models and data."""
    import pymc as pm  # noqa: PLC0415

    import doseopt_bayes as dob  # noqa: PLC0415

    spec = dob.Spec.load(SPEC)
    trials = [dob.TrialData.parse(s, doses=spec.model.doses, unit="mg") for s in INTERIMS]

    def interim(trial: dob.TrialData) -> float:
        start = time.perf_counter()
        dob.analyse(spec.model, trial, spec.utility, spec.rules, criterion=spec.criterion, seed=1)
        return time.perf_counter() - start

    def sample(trial: dob.TrialData, sampler: str) -> float:
        start = time.perf_counter()
        with spec.model.build(trial):
            pm.sample(2000, tune=1000, chains=4, random_seed=1, nuts_sampler=sampler,
                      progressbar=False, compute_convergence_checks=False)  # fmt: skip
        return time.perf_counter() - start

    first = interim(trials[0])
    later = [interim(t) for t in trials[1:]]
    found = {"first interim": first, "later interim, median": median(later), "worst": max(later)}
    for sampler in ("nutpie", "pymc"):
        sample(trials[0], sampler)
        found[f"pm.sample ({sampler}), later calls, median"] = median(
            sample(t, sampler) for t in trials[1:4]
        )
    return found


def main() -> None:
    """Print all of it."""
    with tempfile.TemporaryDirectory() as scratch:
        for title in ("New process, first", "New process, warm compile cache"):
            print(f"{title}: CSV to ranked table")
            for step, seconds in new_process(Path(scratch)).items():
                print(f"  {step:28s} {seconds:6.2f} s")
    found = refits()
    print("Refit and decision in one process (EffTox, 4 x 2,000 draws after 1,000)")
    for step, seconds in found.items():
        print(f"  {step:44s} {seconds:6.2f} s")
    ours = found["later interim, median"]
    for sampler in ("nutpie", "pymc"):
        ratio = found[f"pm.sample ({sampler}), later calls, median"] / ours
        print(f"  pm.sample ({sampler}) takes {ratio:.0f} times as long, and decides nothing")


if __name__ == "__main__":
    main()
