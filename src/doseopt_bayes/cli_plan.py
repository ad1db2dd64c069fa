"""The command ``doseopt plan``: patients per arm and boundaries, from one file to a report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

__all__ = ["add_plan", "plan_command"]


def add_plan(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its options."""
    plan = commands.add_parser(
        "plan", help="patients per arm and boundaries of a trial of randomised arms"
    )
    plan.add_argument("spec", metavar="SPEC", help="file with [plan] (.toml)")
    plan.add_argument("--out", metavar="DIR", help="also write report.html, figures and tables")
    plan.add_argument("--final", action="store_true", help="leave out the DRAFT stamps")
    plan.set_defaults(do=plan_command, data=None)


def plan_command(options: argparse.Namespace) -> int:
    """Read, simulate, print, and write where asked; returns the exit status."""
    # imported here, so that --help does not pay for it
    from doseopt_bayes.spec.arms_plan import PlanSpec  # noqa: PLC0415

    spec = PlanSpec.load(options.spec)
    if options.out:
        from doseopt_bayes.report.manifest import PLAN, refuse_other_kind  # noqa: PLC0415
        from doseopt_bayes.report.plan import save_plan  # noqa: PLC0415

        refuse_other_kind(Path(options.out), PLAN)  # a wrong folder costs no simulation
    found = spec.run()
    said = [f"{spec.id} {spec.version}, sha256 {spec.hash[:12]}", *found.sentences]
    for endpoint, boundaries in spec.boundaries:
        said += ["", f"{endpoint}: {boundaries}"]
    text = "\n".join(said)
    print(text)
    if options.out:
        paths = save_plan(spec, found, options.out, text=text, draft=not options.final)
        print()
        for name in ("report", "figures", "table"):
            print(f"{name:<8} {paths[name]}")
    return 0
