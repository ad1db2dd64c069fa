"""The designs of a protocol from their own TOML file, with every problem of the file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from doseopt_bayes.comparators.decisions import DecisionTable
from doseopt_bayes.comparators.interval import I3Plus3
from doseopt_bayes.comparators.registry import DESIGNS, INTERVAL_RULES
from doseopt_bayes.comparators.stepwise import IntervalDesign
from doseopt_bayes.comparators.three import ThreePlusThree
from doseopt_bayes.comparators.uploaded import Uploaded
from doseopt_bayes.decision.outcome_table import OutcomeTable
from doseopt_bayes.design.design import Design
from doseopt_bayes.errors import DataError, DoseOptError, SpecError, did_you_mean
from doseopt_bayes.spec.build import Builder
from doseopt_bayes.spec.parse import WORDS, content_hash, parse_file, read_toml, read_words

if TYPE_CHECKING:
    from doseopt_bayes.design.stopping import Stop
    from doseopt_bayes.design.trialled import Trialled

__all__ = ["Look", "ProtocolSpec", "is_protocol"]

SECTIONS: Final = ("schema", *WORDS, "trial", "pathways", "comparator", "truth")
UPLOADED, MODEL = "uploaded", "specification"
KINDS: Final = (*INTERVAL_RULES, *DESIGNS, UPLOADED, MODEL)


@dataclass(frozen=True)
class _Trial:
    """Keys of [trial], which every design shares."""

    doses: tuple[float, ...]
    start: float
    stop: Stop
    cohort: int = 3
    unit: str = ""

    def __post_init__(self) -> None:
        IntervalDesign(I3Plus3(0.3), self.doses, self.start, self.stop, self.cohort, self.unit)


@dataclass(frozen=True)
class Look:
    """Which pathways a protocol prints.

    Parameters
    ----------
    outcomes
        What was seen so far, as text; empty for a trial that begins.
    cohorts
        Number of cohorts to look ahead, 1 to 3.
    """

    outcomes: str = ""
    cohorts: int = 2

    def __post_init__(self) -> None:
        if self.cohorts not in (1, 2, 3):
            raise DoseOptError(f"cohorts = {self.cohorts} must be 1, 2 or 3")


@dataclass(frozen=True)
class ProtocolSpec:
    """The designs of a protocol; build it with `load`.

    Parameters
    ----------
    id, version, title, question
        As in a specification of an analysis.
    file, hash
        Where it was read, and the SHA-256 of its content.
    designs
        By name, in the order of the file; the first is the protocol's own.
    look
        Which pathways are printed.
    truth
        Name of the design whose truth says which dose is right, in comparisons.
    """

    id: str
    version: str
    title: str
    question: str
    file: Path
    hash: str
    designs: dict[str, Trialled]
    look: Look
    truth: str

    @classmethod
    def load(cls, path: str | Path) -> ProtocolSpec:
        """Read a file of designs.

        Parameters
        ----------
        path
            Sections ``[trial]`` (doses, unit, start, cohort, stop), ``[[comparator]]`` (kind, an own
            name if need be, and the parameters of that kind; ``"uploaded"`` reads a CSV `file`,
            ``"specification"`` the design of an analysis `file`), ``[pathways]`` (outcomes, cohorts)
            and ``truth`` (name of the design whose truth counts; the first by default).

        Raises
        ------
        SpecError
            With every problem of the file.
        """
        path = Path(path)
        build = Builder(path.name)
        parsed = read_toml(build, path)
        if parsed is None:
            raise SpecError(build.problems, str(path))
        top = build.table(parsed, "", SECTIONS)
        words = read_words(build, top)
        trial = build.value(_Trial, top.get("trial"), "trial")
        look = build.value(Look, top.get("pathways", {}), "pathways")
        designs = _designs(build, top.get("comparator"), trial, path.parent)
        truth = build.text(top.get("truth", next(iter(designs), "")), "truth")
        if truth not in designs and not build.problems:  # else its design may be the faulty one
            repair = did_you_mean(truth, list(designs))
            build.problem("truth", truth, "is the name of no design", repair)
        if look is not None and not build.problems:
            _readable(build, look, designs)
        if build.problems:
            raise SpecError(build.problems, str(path))
        return cls(
            **words, file=path, hash=content_hash(parsed), designs=designs, look=look, truth=truth
        )


def is_protocol(parsed: Any) -> bool:
    """Whether the content of a specification file has the designs of a protocol."""
    return isinstance(parsed, dict) and "comparator" in parsed


def _designs(build: Builder, parsed: Any, trial: Any, folder: Path) -> dict[str, Trialled]:
    if not isinstance(parsed, list) or not parsed:
        build.problem(
            "comparator", None, "no design is given", 'add [[comparator]] with kind = "boin"'
        )
        return {}
    found: dict[str, Trialled] = {}
    for i, part in enumerate(parsed):
        at = f"comparator[{i}]"
        if not isinstance(part, dict) or part.get("kind") not in KINDS:
            kind = part.get("kind") if isinstance(part, dict) else part
            repair = did_you_mean(str(kind), list(KINDS))
            build.problem(f"{at}.kind", kind, "must name a kind of design", repair)
            continue
        rest = {k: v for k, v in part.items() if k not in ("kind", "name")}
        design = _one(build, part["kind"], rest, trial, at, folder)
        if design is None:
            continue
        name = build.text(part.get("name", getattr(design, "name", part["kind"])), f"{at}.name")
        if name in found:
            build.problem(f"{at}.name", name, "two designs have this name", "give each a name")
        found[name] = design
    return found


def _one(
    build: Builder, kind: str, rest: dict[str, Any], trial: Any, at: str, folder: Path
) -> Trialled | None:
    """Build one design; ``None`` when it has problems, or [trial] has."""
    if kind == MODEL:
        return _from_analysis(build, rest, trial, at, folder)
    if kind == UPLOADED:
        rule = _uploaded(build, rest, at, folder)
    elif kind in INTERVAL_RULES:
        rule = build.value(INTERVAL_RULES[kind], rest, at)
    else:
        return _own(build, kind, rest, trial, at)
    if rule is None or trial is None:
        return None
    return _made(build, at, lambda: IntervalDesign(
        rule, trial.doses, trial.start, trial.stop, trial.cohort, trial.unit))  # fmt: skip


def _own(build: Builder, kind: str, rest: dict[str, Any], trial: Any, at: str) -> Trialled | None:
    """Build a design with rules of its own; its utility is a table of the four outcomes."""
    before = len(build.problems)
    given: dict[str, Any] = {}
    if "utility" in rest and kind != "three_plus_three":
        given["utility"] = build.value(OutcomeTable, rest.pop("utility"), f"{at}.utility")
    if trial is None or len(build.problems) > before:
        return None
    given |= {"doses": trial.doses, "start": trial.start, "unit": trial.unit}
    if DESIGNS[kind] is not ThreePlusThree:
        given |= {"stop": trial.stop, "cohort": trial.cohort}
    found: Trialled | None = build.value(DESIGNS[kind], rest, at, given=given)
    return found


def _uploaded(build: Builder, rest: dict[str, Any], at: str, folder: Path) -> Uploaded | None:
    keys = build.table(rest, at, ("file", "target"))
    if set(keys) != {"file", "target"}:
        build.problem(at, None, "an uploaded table needs file and target", "add them")
        return None
    try:
        table = DecisionTable.from_csv(folder / build.text(keys["file"], f"{at}.file"))
    except SpecError as e:
        build.problems += list(e.items)
        return None
    found: Uploaded | None = build.value(
        Uploaded, {"target": keys["target"]}, at, given={"decisions": table}
    )
    return found


def _from_analysis(
    build: Builder, rest: dict[str, Any], trial: Any, at: str, folder: Path
) -> Design | None:
    """Take the design of an analysis file, which must have the doses of this trial."""
    keys = build.table(rest, at, ("file",))
    file = folder / build.text(keys.get("file", ""), f"{at}.file")
    parts, problems = parse_file(file)
    build.problems += problems
    design = parts.get("design")
    if problems or not isinstance(design, Design):
        if not problems:
            build.problem(f"{at}.file", str(keys.get("file")), "has no [design]", "add one there")
        return None
    if trial is not None and (design.doses, design.unit) != (trial.doses, trial.unit):
        rule = f"its doses {design.doses} {design.unit} are not those of [trial]".replace("  ", " ")
        build.problem(f"{at}.file", str(keys["file"]), rule, "use one set of doses in one unit")
    return design


def _made(build: Builder, at: str, make: Any) -> Trialled | None:
    try:
        found: Trialled = make()
    except DoseOptError as e:
        build.problem(at, None, e.message, e.hint or "see the documentation", code="DOB-F01")
        return None
    return found


def _readable(build: Builder, look: Look, designs: dict[str, Trialled]) -> None:
    """Refuse outcomes that cannot be read, before anything runs."""
    from doseopt_bayes.data.outcomes import parse_outcomes  # noqa: PLC0415

    if not look.outcomes.strip():
        return
    try:
        parse_outcomes(look.outcomes, len(next(iter(designs.values())).doses))
    except DataError as e:
        for p in e.items:
            build.problem("pathways.outcomes", look.outcomes, p.rule, p.repair, code=p.code)
