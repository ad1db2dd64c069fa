"""The command ``doseopt table``: decision tables, pathways and a comparison of designs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from doseopt_bayes.errors import DoseOptError, SpecError

if TYPE_CHECKING:
    import argparse

    from doseopt_bayes.comparators.compare import DesignComparison
    from doseopt_bayes.design.scenario import Scenario
    from doseopt_bayes.spec.protocol import ProtocolSpec

__all__ = ["add_table", "check_protocol_file", "table_command"]


def add_table(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its options."""
    table = commands.add_parser(
        "table",
        help="decision tables and dose-transition pathways of designs, and their comparison",
    )
    table.add_argument("spec", metavar="SPEC", help="file with [[comparator]] (.toml)")
    table.add_argument(
        "--scenarios", metavar="FILE", help="file of truths: also compare the designs"
    )
    table.add_argument(
        "--trials", metavar="N", type=int, default=10_000, help="of each scenario (default: 10000)"
    )
    table.add_argument(
        "--seed", metavar="S", type=int, default=1, help="of the trials (default: 1)"
    )
    table.add_argument("--out", metavar="DIR", help="also write report.html, figures and tables")
    table.add_argument("--quiet", action="store_true", help="no progress")
    table.add_argument("--final", action="store_true", help="leave out the DRAFT stamps")
    table.set_defaults(do=table_command, data=None)


def table_command(options: argparse.Namespace) -> int:
    """Read, tabulate, print, and write where asked; returns the exit status."""
    # imported here, so that --help does not pay for it
    from doseopt_bayes.progress import progress  # noqa: PLC0415
    from doseopt_bayes.report.manifest import PROTOCOL, refuse_other_kind  # noqa: PLC0415
    from doseopt_bayes.report.protocol import protocol_parts, protocol_text, save_protocol  # noqa: PLC0415
    from doseopt_bayes.spec.protocol import ProtocolSpec  # noqa: PLC0415

    spec = ProtocolSpec.load(options.spec)
    scenarios = _scenarios(options.scenarios, spec)
    if options.out:
        refuse_other_kind(Path(options.out), PROTOCOL)
    with progress(quiet=options.quiet) as step:
        compared = None
        if scenarios:
            compared = _compared(spec, scenarios, options, step)
        parts = protocol_parts(spec)
        print(protocol_text(spec, parts, compared))
        if options.out:
            paths = save_protocol(
                spec, parts, options.out, compared=compared, scenarios_file=options.scenarios,
                draft=not options.final, progress=step,
            )  # fmt: skip
            print()
            for name in ("report", "figures", "table"):
                print(f"{name:<8} {paths[name]}")
    return 0


def check_protocol_file(options: argparse.Namespace) -> int:
    """Say what a file of designs asks for, or everything that is wrong with it."""
    from doseopt_bayes.spec.protocol import ProtocolSpec  # noqa: PLC0415

    spec = ProtocolSpec.load(options.spec)
    print(f"{options.spec}: {spec.id} {spec.version}, sha256 {spec.hash[:12]}")
    for name, design in spec.designs.items():
        print(f"\n{name}: {design}")
    return 0


def _scenarios(file: str | None, spec: ProtocolSpec) -> tuple[Scenario, ...]:
    if file is None:
        return ()
    if len(spec.designs) < 2:
        raise DoseOptError(
            f"'{spec.file}' has one design: nothing to compare", hint="add [[comparator]]"
        )
    from doseopt_bayes.spec.scenarios import check_scenarios  # noqa: PLC0415

    found, problems = check_scenarios(file, spec.designs[spec.truth])
    if problems:
        raise SpecError(problems, file)
    return found


def _compared(
    spec: ProtocolSpec, scenarios: tuple[Scenario, ...], options: argparse.Namespace, step: object
) -> DesignComparison:
    from doseopt_bayes.comparators.compare import simulate_compare  # noqa: PLC0415

    return simulate_compare(spec.designs, scenarios, n_trials=options.trials, seed=options.seed,
                            truth=spec.truth, progress=step)  # type: ignore[arg-type]  # fmt: skip
