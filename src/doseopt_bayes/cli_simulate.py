"""The command ``doseopt simulate``: a design under its scenarios, from two files to a report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from doseopt_bayes.cli_arms import kind_of
from doseopt_bayes.errors import DoseOptError, Problem, SpecError

if TYPE_CHECKING:
    import argparse

    from doseopt_bayes.design.scenario import Scenario
    from doseopt_bayes.spec.spec import Spec

__all__ = ["add_simulate", "simulate_command"]


def add_simulate(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its options."""
    simulate = commands.add_parser(
        "simulate", help="simulate the design of a specification under named truths, and report"
    )
    simulate.add_argument("spec", metavar="SPEC", help="specification file with [design] (.toml)")
    simulate.add_argument(
        "--scenarios", metavar="FILE", required=True, help="file of truths (.toml)"
    )
    simulate.add_argument(
        "--trials", metavar="N", type=int, required=True, help="trials of each scenario"
    )
    simulate.add_argument("--out", metavar="DIR", required=True, help="results folder")
    simulate.add_argument("--seed", metavar="S", type=int, help="default: that of [sampler]")
    simulate.add_argument(
        "--particles", metavar="P", type=int, default=512, help="of a posterior (default: 512)"
    )
    simulate.add_argument(
        "--threads",
        metavar="T",
        type=int,
        default=0,
        help="of a process (default: one a processor)",
    )
    simulate.add_argument(
        "--workers", metavar="W", type=int, default=1, help="processes of this machine (default: 1)"
    )
    simulate.add_argument(
        "--scheduler", metavar="ADDRESS", default="", help="of a Dask cluster that runs the blocks"
    )
    simulate.add_argument(
        "--resume", action="store_true", help="go on with the finished blocks in DIR"
    )
    simulate.add_argument("--quiet", action="store_true", help="print the tables only, no progress")
    simulate.add_argument("--final", action="store_true", help="leave out the DRAFT stamps")
    simulate.set_defaults(do=simulate_command, data=None)


def simulate_command(options: argparse.Namespace) -> int:
    """Check everything, simulate, and write the report; returns the exit status."""
    # imported here, so that --help does not pay for it
    from doseopt_bayes.design.characteristics import characteristics  # noqa: PLC0415
    from doseopt_bayes.design.executor import check_place  # noqa: PLC0415
    from doseopt_bayes.design.journal import simulate_in  # noqa: PLC0415
    from doseopt_bayes.design.simulate import check_simulation  # noqa: PLC0415
    from doseopt_bayes.locks import locked  # noqa: PLC0415
    from doseopt_bayes.progress import progress  # noqa: PLC0415
    from doseopt_bayes.report.manifest import SIMULATION, refuse_other_kind  # noqa: PLC0415
    from doseopt_bayes.report.simulation import save_simulation  # noqa: PLC0415

    spec, scenarios = _checked(options.spec, options.scenarios)
    design = spec.design
    assert design is not None  # noqa: S101  (without one there is a problem)
    seed = spec.sampler.seed if options.seed is None else options.seed
    check_simulation(design, scenarios, n_trials=options.trials, seed=seed)
    check_place(workers=options.workers, scheduler=options.scheduler,
                particles=(options.particles, 256), threads=(options.threads, 0))  # fmt: skip
    folder = Path(options.out)
    refuse_other_kind(folder, SIMULATION)
    with progress(quiet=options.quiet) as step, locked(folder) as taken_over:
        if taken_over:
            step(taken_over)
        step(f"{len(scenarios)} scenarios x {options.trials:,} trials, seed {seed}")
        sim = simulate_in(
            folder, design, scenarios, n_trials=options.trials, seed=seed,
            particles=options.particles, threads=options.threads, workers=options.workers,
            scheduler=options.scheduler, progress=step, resume=options.resume,
        )  # fmt: skip
        paths = save_simulation(
            sim, folder, plan=spec.plan, scenarios_file=options.scenarios, draft=not options.final,
            progress=step,
        )  # fmt: skip
    print(characteristics(sim))
    print()
    for name in ("report", "figures", "table", "trials"):
        print(f"{name:<8} {paths[name]}")
    return 0


def _checked(spec_file: str, scenarios_file: str) -> tuple[Spec, tuple[Scenario, ...]]:
    """Read both files; what is wrong with either is said at once."""
    from doseopt_bayes.spec.parse import parse_file  # noqa: PLC0415
    from doseopt_bayes.spec.scenarios import check_scenarios  # noqa: PLC0415
    from doseopt_bayes.spec.spec import Spec  # noqa: PLC0415

    if kind_of(spec_file) == "table":
        hint = f"doseopt table {spec_file} --scenarios {scenarios_file} simulates them"
        raise DoseOptError(f"'{spec_file}' holds designs of a protocol", hint=hint)
    parts, problems = parse_file(Path(spec_file))
    design = parts.get("design")
    if design is None and not problems:  # with problems, a design may be there and wait for them
        repair = 'add [design] with start, cohort and stop = [{ kind = "max_patients", ... }]'
        rule = "there is no [design] to simulate"
        problems = [Problem("DOB-F11", rule, repair, Path(spec_file).name, column="design")]
    scenarios, more = check_scenarios(scenarios_file, design)
    if problems or more:
        raise SpecError([*problems, *more], f"{spec_file} and {scenarios_file}")
    return Spec(**parts), scenarios
