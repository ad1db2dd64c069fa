"""The plan of a trial of randomised arms from its own TOML file, with every problem of the file."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from doseopt_bayes.arms.margin import Margin
from doseopt_bayes.decision import UTILITIES
from doseopt_bayes.design.scenario import Scenario
from doseopt_bayes.errors import DoseOptError, SpecError
from doseopt_bayes.planning.boundaries import Boundaries, go_no_go
from doseopt_bayes.planning.plan import plan_arms
from doseopt_bayes.planning.rule import CHOICES
from doseopt_bayes.spec.build import Builder
from doseopt_bayes.spec.parse import WORDS, content_hash, read_rules, read_toml, read_words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from doseopt_bayes.planning.plan import ArmPlan
    from doseopt_bayes.planning.rule import ArmRule

__all__ = ["PlanSpec", "is_plan"]

SECTIONS: Final = ("schema", *WORDS, "plan", "choice", "utility", "rule", "margin", "scenario",
                   "boundary")  # fmt: skip


@dataclass(frozen=True)
class _Request:
    """Keys of [plan]."""

    doses: tuple[float, ...]
    sizes: tuple[float, ...]
    correct: float
    seed: int
    unit: str = ""
    worse: float = 1.0
    indifference: float = 0.0
    n_trials: int = 10_000
    ratio: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "sizes", _patients("sizes", self.sizes))
        object.__setattr__(self, "ratio", _patients("ratio", self.ratio))


@dataclass(frozen=True)
class _Boundary:
    """Keys of a [[boundary]]; the boundaries themselves are `found`."""

    endpoint: str
    limit: float
    better: str
    looks: tuple[float, ...]
    no_go_below: float
    go_above: float | None = None

    def __post_init__(self) -> None:
        _ = self.found

    @property
    def found(self) -> Boundaries:
        """Return the boundaries as whole numbers."""
        return go_no_go(
            self.limit, _patients("looks", self.looks), better=self.better,  # type: ignore[arg-type]
            no_go_below=self.no_go_below, go_above=self.go_above,
        )  # fmt: skip


def _patients(key: str, given: tuple[float, ...]) -> tuple[int, ...]:
    if any(x != int(x) for x in given):
        raise DoseOptError(f"{key} = {list(given)} must be whole numbers of patients")
    return tuple(int(x) for x in given)


@dataclass(frozen=True)
class PlanSpec:
    """A pre-specified plan; build it with `load`.

    Parameters
    ----------
    id, version, title, question
        As in a specification of an analysis.
    file, hash
        Where it was read, and the SHA-256 of its content.
    rule
        How the final analysis will choose an arm.
    scenarios
        Truths.
    request
        Arms, sizes, goals, trials and seed.
    boundaries
        By endpoint, in the order of the file.
    """

    id: str
    version: str
    title: str
    question: str
    file: Path
    hash: str
    rule: ArmRule
    scenarios: tuple[Scenario, ...]
    request: Any
    boundaries: tuple[tuple[str, Boundaries], ...] = ()

    @classmethod
    def load(cls, path: str | Path) -> PlanSpec:
        """Read a plan from a TOML file.

        Parameters
        ----------
        path
            Sections ``[plan]`` (doses, unit, sizes, ratio, correct, worse, indifference, n_trials,
            seed),
            ``[choice]`` (kind ``"highest_utility"``, with ``[utility]``, or ``"keeps_margins"``, with
            ``[[margin]]``), ``[[rule]]`` (optional), ``[[scenario]]`` and ``[[boundary]]`` (optional).

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
        request = build.value(_Request, top.get("plan"), "plan")
        rules = read_rules(build, top["rule"]) if "rule" in top else None
        rule = _choice(build, top, rules)
        scenarios = _each(build, top.get("scenario"), "scenario", Scenario)
        again = [n for n, times in Counter(s.name for s in scenarios).items() if times > 1]
        for name in again:
            build.problem("scenario.name", name, "two scenarios have this name", "rename one")
        limits = _each(build, top["boundary"], "boundary", _Boundary) if "boundary" in top else []
        if not build.problems:
            _fits(build, request, scenarios, rule)
        if build.problems:
            raise SpecError(build.problems, str(path))
        return cls(**words, file=path, hash=content_hash(parsed), rule=rule, scenarios=tuple(scenarios),
                   request=request, boundaries=tuple((b.endpoint, b.found) for b in limits))  # fmt: skip

    def run(self) -> ArmPlan:
        """Simulate the trials.

        Raises
        ------
        DoseOptError
            When the parts do not fit each other, for example a scenario without a probability for
            every arm.
        """
        return _planned(self.request, self.scenarios, self.rule, self.request.n_trials)


def is_plan(parsed: Any) -> bool:
    """Whether the content of a specification file plans a trial."""
    return isinstance(parsed, dict) and "plan" in parsed


def _fits(build: Builder, request: _Request, scenarios: list[Scenario], rule: ArmRule) -> None:
    """Refuse parts that do not fit each other: a hundred trials of each scenario meet every check."""
    try:
        _planned(request, scenarios, rule, min(request.n_trials, 100))
    except DoseOptError as e:
        build.problem("plan", None, e.message, e.hint or "see the documentation", code="DOB-F01")


def _planned(r: _Request, scenarios: Sequence[Scenario], rule: ArmRule, n_trials: int) -> ArmPlan:
    return plan_arms(r.doses, scenarios, rule, sizes=[int(n) for n in r.sizes], correct=r.correct,
                     worse=r.worse, indifference=r.indifference, n_trials=n_trials, seed=r.seed,
                     unit=r.unit, ratio=[int(k) for k in r.ratio] or None)  # fmt: skip


def _choice(build: Builder, top: dict[str, Any], rules: Any) -> Any:
    """Build the rule of choice from its own section and those that it is made of."""
    parsed = top.get("choice")
    kind = parsed.get("kind") if isinstance(parsed, dict) else None
    other = {"highest_utility": "margin", "keeps_margins": "utility"}.get(str(kind))
    if other in top:
        build.problem(other, None, f"kind = '{kind}' does not read [{other}]", "leave it out")
    given: dict[str, Any] = {"rules": rules}
    before = len(build.problems)
    if kind == "keeps_margins":
        given["margins"] = tuple(_each(build, top.get("margin"), "margin", Margin))
    elif kind == "highest_utility":
        given["utility"] = build.kind(UTILITIES, top.get("utility"), "utility")
    if len(build.problems) > before:
        return None
    return build.kind(CHOICES, parsed, "choice", given=given)


def _each(build: Builder, parsed: Any, at: str, cls: type) -> list[Any]:
    if not isinstance(parsed, list) or not parsed:
        build.problem(at, None, f"no {at} is given", f"add at least one [[{at}]]")
        return []
    built = [build.value(cls, p, f"{at}[{i}]") for i, p in enumerate(parsed)]
    return [b for b in built if b is not None]
