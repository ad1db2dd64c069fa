"""The command ``doseopt plan``: patients per arm and boundaries, from one file."""

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
    plan.add_argument("--out", metavar="DIR", help="also write plan.csv, selected.csv and plan.txt")
    plan.set_defaults(do=plan_command, data=None)


def plan_command(options: argparse.Namespace) -> int:
    """Read, simulate, print, and write where asked; returns the exit status."""
    # imported here, so that --help does not pay for it
    from doseopt_bayes.files import write_whole  # noqa: PLC0415
    from doseopt_bayes.spec.arms_plan import PlanSpec  # noqa: PLC0415

    spec = PlanSpec.load(options.spec)
    found = spec.run()
    said = [f"{spec.id} {spec.version}, sha256 {spec.hash[:12]}", *found.sentences]
    for endpoint, boundaries in spec.boundaries:
        said += ["", f"{endpoint}: {boundaries}"]
    text = "\n".join(said)
    print(text)
    if options.out:
        folder = Path(options.out)
        folder.mkdir(parents=True, exist_ok=True)
        selected = found.table[["selected", "selected_mcse"]].to_dataframe().reset_index()
        for name, content in (
            ("plan.csv", found.to_frame().to_csv(index=False)),
            ("selected.csv", selected.to_csv(index=False)),
            ("plan.txt", f"{text}\n"),
        ):
            write_whole(folder / name, content.encode())
        print(f"\nwritten  {folder}")
    return 0
