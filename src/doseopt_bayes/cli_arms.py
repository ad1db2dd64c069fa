"""The command ``doseopt arms``, and what ``doseopt check`` says of arms and of their planning."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

from doseopt_bayes.errors import DoseOptError, SpecError

if TYPE_CHECKING:
    import argparse

    from doseopt_bayes.arms_analysis import ArmsAnalysis
    from doseopt_bayes.spec.arms import ArmsSpec
    from doseopt_bayes.spec.arms_plan import PlanSpec

__all__ = ["add_arms", "arms_command", "check_arms_file", "check_plan_file", "kind_of"]


def add_arms(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its options."""
    arms = commands.add_parser(
        "arms", help="compare randomised arms by pre-specified margins and weights, and report"
    )
    arms.add_argument(
        "spec", metavar="SPEC", help="file with [[margin]] and [[configuration]] (.toml)"
    )
    arms.add_argument("data", metavar="DATA", nargs="?", help="data file, when SPEC names none")
    arms.add_argument("--out", metavar="DIR", help="results folder (default: results/ID)")
    arms.add_argument("--quiet", action="store_true", help="print the answer only, no progress")
    arms.add_argument("--final", action="store_true", help="leave out the DRAFT stamps")
    arms.add_argument(
        "--override-diagnostics",
        action="store_true",
        help="rank although the fit failed its diagnostics; printed on every output",
    )
    arms.set_defaults(do=arms_command)


def kind_of(path: str) -> str:
    """Return ``"arms"``, ``"plan"``, ``"table"`` or nothing by a file's tables; it need not be sound."""
    from doseopt_bayes.spec.arms_parse import is_arms  # noqa: PLC0415
    from doseopt_bayes.spec.arms_plan import is_plan  # noqa: PLC0415
    from doseopt_bayes.spec.protocol import is_protocol  # noqa: PLC0415

    try:
        parsed = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError):  # said where the file is read
        return ""
    kinds = {"table": is_protocol, "plan": is_plan, "arms": is_arms}
    return next((kind for kind, fits in kinds.items() if fits(parsed)), "")


def arms_command(options: argparse.Namespace) -> int:
    """Check everything, fit, compare, and write the report; returns the exit status."""
    # imported here, so that --help does not pay for it
    from doseopt_bayes.locks import locked  # noqa: PLC0415
    from doseopt_bayes.progress import progress  # noqa: PLC0415
    from doseopt_bayes.report.arms import save_arms  # noqa: PLC0415
    from doseopt_bayes.report.manifest import ARMS, compare_with_previous  # noqa: PLC0415
    from doseopt_bayes.spec.arms import ArmsSpec  # noqa: PLC0415

    def say(text: str) -> None:
        if not options.quiet:
            print(text, file=sys.stderr, flush=True)

    if kind_of(options.spec) == "plan":
        raise DoseOptError(
            f"'{options.spec}' plans a trial", hint=f"doseopt plan {options.spec} runs it"
        )
    spec = ArmsSpec.load(options.spec)
    data = spec.read(options.data)
    folder = Path(options.out or Path("results") / spec.plan.id)
    with locked(folder) as taken_over:  # a folder that cannot be written costs no sampling
        if taken_over:
            say(taken_over)
        say(f"{spec.plan.id} {spec.plan.version}: {data.source} read")
        for line in compare_with_previous(folder, data, spec.plan, ARMS):
            say(line)
        with progress(quiet=options.quiet) as step:
            found = spec.run(data, override_diagnostics=options.override_diagnostics, progress=step)
            paths = save_arms(found, folder, draft=not options.final, progress=step)
    for note in found.notes:
        say(f"note: {note}")
    _print_answer(found)
    print()
    for name in ("report", "figures", "results"):
        print(f"{name:<8} {paths[name]}")
    return 0


def _print_answer(found: ArmsAnalysis) -> None:
    """Print the ranked arms, the answer, the verdicts and the first sentence of each sensitivity."""
    decision = found.first.decision
    for stamp in found.stamps:
        if stamp not in decision.stamps:  # those are in the table
            print(stamp)
    print(decision.text_table)
    print()
    for sentence in found.sentences:
        print(sentence)
    for caution in decision.cautions:
        print(f"caution: {caution}")
    for name, one in found.sensitivity.items():
        first = one.sentences[0] if one.tipping is None else one.tipping.sentences[0]
        print(f"sensitivity, {name}: {first} More in the report.")
    for label, why in found.failed.items():
        print(f"alternative '{label}' failed its diagnostics: {why}")


def check_arms_file(options: argparse.Namespace) -> int:
    """Say everything that is wrong with a comparison of arms and its data."""
    from doseopt_bayes.spec.arms import check_arms  # noqa: PLC0415

    spec, data, problems = check_arms(options.spec, options.data)
    if problems or spec is None:
        named = options.spec if not options.data else f"{options.spec} and its data"
        raise SpecError(problems, named)
    plan = spec.plan
    print(f"{options.spec}: no problems (id {plan.id}, version {plan.version}, "
          f"sha256 {plan.hash[:12]})\n\n{spec.model}")  # fmt: skip
    for label, other in spec.alternatives.items():
        print(f"alternative '{label}': {other}")
    _print_parts(spec)
    if data is None:
        print("\nno data were checked: name a data file after the specification")
        return 0
    print(f"\n{data}\n\n{data.disposition.to_string(index=False)}")
    for note in data.notes:
        print(f"note: {note}")
    return 0


def _print_parts(spec: ArmsSpec) -> None:
    from doseopt_bayes.arms_analysis import default_rules  # noqa: PLC0415

    unit = spec.model.unit
    pairs = [f"{a:g} vs {b:g} {unit}".rstrip() for a, b in spec.pairs or ()]
    print(f"pairs: {', '.join(pairs) or 'every pair of arms with patients'}")
    for i, one in enumerate(spec.configurations):
        first = " (its answer comes first)" if not i else ""
        print(f"configuration '{one.name}', version {one.version}{first}: all at once with a "
              f"probability above {one.certainty:g}")  # fmt: skip
        for margin in one.margins:
            print(f"  margin: {margin}")
        print("  utility: " + str(one.utility).replace("\n", "\n  "))
        if source := spec.sources.get(one.name):
            print(f"  source of the weights: {source}")
        print(f"  admissible: {default_rules(one)}; criterion: {one.criterion}")
    band = "yes" if spec.questions.association else "no"
    print(f"sensitivity: seed {spec.questions.seed}, band of the association: {band}")


def check_plan_file(options: argparse.Namespace) -> int:
    """Say everything that is wrong with a plan, and print what would be simulated."""
    from doseopt_bayes.spec.arms_plan import PlanSpec  # noqa: PLC0415

    if options.data:
        raise DoseOptError("a plan reads no data", hint=f"doseopt check {options.spec}")
    spec = PlanSpec.load(options.spec)
    print(f"{options.spec}: no problems (id {spec.id}, version {spec.version}, "
          f"sha256 {spec.hash[:12]})\n")  # fmt: skip
    _print_plan(spec)
    return 0


def _print_plan(spec: PlanSpec) -> None:
    r = spec.request
    arms = ", ".join(f"{d:g}" for d in r.doses)
    print(f"arms: {arms} {r.unit}".rstrip())
    print(
        f"patients per arm: {', '.join(map(str, r.sizes))}; {r.n_trials} trials each, seed {r.seed}"
    )
    goal = f"a correct choice with probability >= {r.correct:g}"
    goal += f", a worse arm with at most {r.worse:g}" * (r.worse < 1)
    print(f"goals: {goal}\nrule: {spec.rule}")
    for scenario in spec.scenarios:
        print(f"scenario '{scenario.name}': p_tox {list(scenario.p_tox)}, p_eff "
              f"{list(scenario.p_eff or ())}")  # fmt: skip
    for endpoint, boundaries in spec.boundaries:
        print(f"\n{endpoint}: {boundaries}")
