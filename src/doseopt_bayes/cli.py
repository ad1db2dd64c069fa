"""The command ``doseopt``. It imports nothing heavy before it knows what is asked."""

from __future__ import annotations

import argparse
import sys
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from doseopt_bayes.cli_arms import add_arms, check_arms_file, check_plan_file, kind_of
from doseopt_bayes.cli_exposure import check_exposure_file, reads_exposure, run_exposure
from doseopt_bayes.cli_plan import add_plan
from doseopt_bayes.cli_simulate import add_simulate
from doseopt_bayes.cli_table import add_table, check_protocol_file
from doseopt_bayes.errors import DataError, DoseOptError, SpecError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from doseopt_bayes.analysis import Analysis
    from doseopt_bayes.data.trial import TrialData
    from doseopt_bayes.spec.spec import Spec

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status: 0 done, 1 refused, 2 wrong call."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.do(options))
    except (DataError, SpecError) as e:
        print(f"{type(e).__name__}: {e}", file=sys.stderr)
        _write_problems(e, options.data)
        return 1
    except DoseOptError as e:
        print(f"{type(e).__name__}: {e}", file=sys.stderr)
        return 1
    except OSError as e:
        print(f"cannot read or write '{e.filename}': {e.strerror}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="doseopt",
        description="Bayesian dose optimisation: from interim data to a ranked, defensible dose.",
    )
    version = metadata.version("doseopt-bayes")
    parser.add_argument("--version", action="version", version=f"doseopt-bayes {version}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    run = commands.add_parser("run", help="run a pre-specified analysis and write its report")
    run.add_argument("spec", metavar="SPEC", help="specification file (.toml)")
    run.add_argument("data", metavar="DATA", nargs="?", help="data file, when SPEC names none")
    run.add_argument("--out", metavar="DIR", help="results folder (default: results/ID)")
    run.add_argument(
        "--add",
        action="store_true",
        help="keep earlier interims: write DIR/interim-NN and how the ranking moved",
    )
    run.add_argument("--quiet", action="store_true", help="print the answer only, no progress")
    run.add_argument("--final", action="store_true", help="leave out the DRAFT stamps")
    run.add_argument(
        "--override-diagnostics",
        action="store_true",
        help="rank although the fit failed its diagnostics; printed on every output",
    )
    run.set_defaults(do=_run)

    report = commands.add_parser(
        "report", help="draw figures and report again from saved results, without a refit"
    )
    report.add_argument("results", metavar="RESULTS", help="results folder, or one with interims")
    report.add_argument("--out", metavar="DIR", help="where to write (default: in place)")
    report.add_argument("--final", action="store_true", help="leave out the DRAFT stamps")
    report.add_argument("--quiet", action="store_true", help="print the answer only, no progress")
    report.set_defaults(do=_report, data=None)

    add_simulate(commands)
    add_arms(commands)
    add_plan(commands)
    add_table(commands)

    check = commands.add_parser(
        "check", help="say everything that is wrong with a specification and data, without sampling"
    )
    check.add_argument("spec", metavar="SPEC", help="specification file (.toml)")
    check.add_argument("data", metavar="DATA", nargs="?", help="data file, when SPEC names none")
    check.set_defaults(do=_check)

    init = commands.add_parser("init", help="write a commented specification to fill in")
    init.add_argument("spec", metavar="SPEC", help="file to write (.toml); must not exist")
    init.set_defaults(do=_init, data=None)
    return parser


def _run(options: argparse.Namespace) -> int:
    if reads_exposure(options.spec):
        return run_exposure(options)
    if kind := kind_of(options.spec):
        what = {"arms": "compares arms", "plan": "plans a trial"}.get(kind, "holds designs")
        raise DoseOptError(
            f"'{options.spec}' {what}", hint=f"doseopt {kind} {options.spec} runs it"
        )
    # imported here, so that --help does not pay for it
    from doseopt_bayes.locks import locked  # noqa: PLC0415
    from doseopt_bayes.models.tallied import groups_of  # noqa: PLC0415
    from doseopt_bayes.spec.spec import Spec  # noqa: PLC0415

    say = (lambda _: None) if options.quiet else _say
    spec = Spec.load(options.spec)
    if options.add and groups_of(spec.model):
        raise DoseOptError(
            "--add shows how the ranking of one group moved; this model has subgroups",
            hint="name a new folder for each interim: --out results/interim-2",
        )
    data = spec.read(options.data)
    folder = Path(options.out or Path("results") / spec.plan.id)
    with locked(folder) as taken_over:  # a folder that cannot be written costs no sampling
        if taken_over:
            say(taken_over)
        return _run_in(folder, spec, data, options, say)


def _run_in(
    folder: Path,
    spec: Spec,
    data: TrialData,
    options: argparse.Namespace,
    say: Callable[[str], None],
) -> int:
    from doseopt_bayes.progress import progress  # noqa: PLC0415
    from doseopt_bayes.report.bundle import save  # noqa: PLC0415
    from doseopt_bayes.report.compare import moved, previous  # noqa: PLC0415
    from doseopt_bayes.report.history import (  # noqa: PLC0415
        history,
        next_interim,
        save_history,
        text_history,
    )
    from doseopt_bayes.report.manifest import compare_with_previous  # noqa: PLC0415

    say(f"{spec.plan.id} {spec.plan.version}: {data.source} read")
    if options.add:
        folder = next_interim(folder)
    for line in compare_with_previous(folder, data, spec.plan):
        say(line)
    before = previous(folder)
    with progress(quiet=options.quiet) as step:
        analysis = spec.run(data, override_diagnostics=options.override_diagnostics, progress=step)
        paths = save(analysis, folder, draft=not options.final, progress=step)
    for line in moved(before, analysis):
        say(line)
    for note in analysis.posterior.notes:
        say(f"note: {note}")
    _print_answer(analysis)
    print()
    if options.add:
        shown = save_history(folder.parent)
        print(text_history(history(folder.parent)))
        print()
        print(f"history  {shown['figure']}")
    print(f"report   {paths['report']}")
    print(f"figures  {paths['figures']}")
    print(f"results  {paths['results']}")
    return 0


def _print_answer(analysis: Analysis) -> None:
    """Print the ranked doses, the answer, and what it rests on; of each subgroup, and of all."""
    for stamp in analysis.stamps:
        if stamp not in analysis.decision.stamps:  # those are in the table
            print(stamp)
    print(analysis.decision.text_table)
    print()
    print(analysis.decision.headline)
    if analysis.population is not None:
        print(analysis.population.headline)
    for caution in analysis.decision.cautions:
        print(f"caution: {caution}")
    if analysis.sensitivity is not None:
        print(f"sensitivity: {analysis.sensitivity.sentences[0]} More in the report.")
    if analysis.added:
        print(f"added by default, for comparison: {', '.join(analysis.added)}")
    if analysis.heterogeneity is not None:
        print(f"heterogeneity: {analysis.heterogeneity.sentences[0]} More in the report.")


def _report(options: argparse.Namespace) -> int:
    from doseopt_bayes.errors import ResultsError  # noqa: PLC0415
    from doseopt_bayes.progress import progress  # noqa: PLC0415
    from doseopt_bayes.reopen import load_analysis  # noqa: PLC0415
    from doseopt_bayes.report.bundle import save  # noqa: PLC0415
    from doseopt_bayes.report.history import interims, save_history  # noqa: PLC0415

    folder = Path(options.results)
    parts = interims(folder)
    if not parts and not folder.is_dir():
        raise ResultsError(f"'{folder}' does not exist", hint="name the folder of a run's results")
    place = Path(options.out or folder)
    for part in parts.values() or [folder]:
        analysis = load_analysis(part)
        with progress(quiet=options.quiet) as step:
            where = place / part.relative_to(folder)
            paths = save(analysis, where, draft=not options.final, progress=step)
        print(analysis.decision.headline)
        print(f"report   {paths['report']}")
    if parts:
        print(f"history  {save_history(place)['figure']}")
    return 0


def _check(options: argparse.Namespace) -> int:
    if reads_exposure(options.spec):
        return check_exposure_file(options)
    own = {
        "arms": check_arms_file,
        "plan": check_plan_file,
        "table": check_protocol_file,
    }.get(kind_of(options.spec))
    if own is not None:
        return own(options)
    from doseopt_bayes.spec.spec import check  # noqa: PLC0415

    spec, data, problems = check(options.spec, options.data)
    if problems:
        error = SpecError(
            problems, options.spec if not options.data else f"{options.spec} and its data"
        )
        raise error
    assert spec is not None  # noqa: S101  (no problems: it was built)
    plan = spec.plan
    named = f"id {plan.id}, version {plan.version}, sha256 {plan.hash[:12]}"
    print(f"{options.spec}: no problems ({named})")
    print()
    print(spec.model)
    for label, other in spec.alternatives.items():
        print(f"alternative '{label}': {other}")
    print(spec.utility)
    _preview(spec)
    print(f"admissible: {spec.rules}\ncriterion: {spec.criterion}")
    if spec.design is not None:
        print(f"design: {spec.design}")
    if data is None:
        print("\nno data were checked: name a data file after the specification")
        return 0
    print(f"\n{data}\n\n{data.disposition.to_string(index=False)}")
    for note in data.notes:
        print(f"note: {note}")
    return 0


def _preview(spec: Spec) -> None:
    """Print what the utility implies; without efficacy in the model there is no trade-off to show."""
    from doseopt_bayes import names  # noqa: PLC0415
    from doseopt_bayes.decision.implied import preview_utility  # noqa: PLC0415

    if names.EFF not in spec.model.endpoints:
        return
    known = (names.P_TOX, names.P_EFF, names.P_CELL)
    others = {name: 0.5 for name in spec.utility.reads if name not in known}
    try:
        print(preview_utility(spec.utility, held=others))
    except DoseOptError as e:  # a utility without efficacy and toxicity has no such plane
        print(f"no preview of the utility: {e}")


def _init(options: argparse.Namespace) -> int:
    from importlib import resources  # noqa: PLC0415

    path = Path(options.spec)
    if path.exists():
        raise DoseOptError(f"'{path}' exists already", hint="name a new file")
    path.parent.mkdir(parents=True, exist_ok=True)
    template = resources.files("doseopt_bayes.spec").joinpath("template.toml")
    path.write_text(template.read_text(encoding="utf-8"), encoding="utf-8")
    print(f"{path} written: replace its numbers, then `doseopt check {path}`")
    return 0


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _write_problems(e: DataError | SpecError, data: str | None) -> None:
    """Leave the list of problems beside the data file, where the person who mends it looks."""
    if data is None or not Path(data).is_file():
        return
    path = Path(data).with_suffix(".problems.csv")
    try:
        e.problems.map(_no_formula).to_csv(path, index=False)
    except OSError as cannot:
        _say(f"the problems could not be written to {path}: {cannot.strerror}")
    else:
        _say(f"the problems are also in {path}")


def _no_formula(cell: object) -> object:
    """Keep a spreadsheet from running a cell of the data as a formula."""
    return f"'{cell}" if isinstance(cell, str) and cell[:1] in ("=", "+", "-", "@", "\t") else cell
