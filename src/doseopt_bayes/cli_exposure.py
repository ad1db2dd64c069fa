"""The parts of ``doseopt run`` and ``doseopt check`` that only exposure-response analyses have."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

from doseopt_bayes.errors import DoseOptError, SpecError

if TYPE_CHECKING:
    import argparse

__all__ = ["check_exposure_file", "reads_exposure", "run_exposure"]


def reads_exposure(path: str) -> bool:
    """Whether a specification file is of an exposure-response analysis; no when it cannot be read."""
    from doseopt_bayes.spec.parse import is_exposure  # noqa: PLC0415

    try:
        return is_exposure(tomllib.loads(Path(path).read_text(encoding="utf-8")))
    except (OSError, ValueError):  # said where the file is read
        return False


def run_exposure(options: argparse.Namespace) -> int:
    """Run a pre-specified exposure-response analysis and write its report."""
    from doseopt_bayes.locks import locked  # noqa: PLC0415
    from doseopt_bayes.progress import progress  # noqa: PLC0415
    from doseopt_bayes.report.exposure import save_exposure  # noqa: PLC0415
    from doseopt_bayes.report.exposure_answers import text_answer  # noqa: PLC0415
    from doseopt_bayes.report.manifest import EXPOSURE, compare_with_previous  # noqa: PLC0415
    from doseopt_bayes.spec.exposure import ExposureSpec  # noqa: PLC0415

    def say(text: str) -> None:
        if not options.quiet:
            print(text, file=sys.stderr, flush=True)

    if options.add:
        raise DoseOptError(
            "--add keeps the interims of a dose-finding trial, and this is exposure-response",
            hint="name a folder for each analysis: --out results/er-1",
        )
    spec = ExposureSpec.load(options.spec)
    data = spec.read(options.data)
    folder = Path(options.out or Path("results") / spec.plan.id)
    with locked(folder) as taken_over:  # a folder that cannot be written costs no sampling
        if taken_over:
            say(taken_over)
        say(f"{spec.plan.id} {spec.plan.version}: {data.source} read")
        for line in compare_with_previous(folder, data, spec.plan, EXPOSURE):
            say(line)
        with progress(quiet=options.quiet) as step:
            found = spec.run(data, override_diagnostics=options.override_diagnostics, progress=step)
            paths = save_exposure(found, folder, draft=not options.final, progress=step)
    for note in found.notes:
        say(f"note: {note}")
    print(text_answer(found))
    print()
    for name in ("report", "figures", "results"):
        print(f"{name:<8} {paths[name]}")
    return 0


def check_exposure_file(options: argparse.Namespace) -> int:
    """Say everything that is wrong with a specification of exposure-response and its data."""
    from doseopt_bayes.spec.exposure import check_exposure  # noqa: PLC0415

    spec, data, problems = check_exposure(options.spec, options.data)
    if problems or spec is None:
        named = options.spec if not options.data else f"{options.spec} and its data"
        raise SpecError(problems, named)
    plan = spec.plan
    print(f"{options.spec}: no problems (id {plan.id}, version {plan.version}, "
          f"sha256 {plan.hash[:12]})\n\n{spec.model}")  # fmt: skip
    if spec.prediction is not None:
        doses = ", ".join(f"{d:g}" for d in spec.prediction.candidates)
        how = spec.prediction.exposures.replace("_", " ")
        print(f"candidate doses: {doses} {spec.columns.dose_unit}; exposure at a dose: {how}")
    if spec.utility is None:
        print("no utility: no dose is ranked")
    else:
        print(f"{spec.utility}\nadmissible: {spec.rules}\ncriterion: {spec.criterion}")
    if data is None:
        print("\nno data were checked: name a data file after the specification")
    else:
        print(f"\n{data}")
    return 0
