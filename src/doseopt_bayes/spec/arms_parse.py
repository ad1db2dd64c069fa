"""From the TOML file to the parts of a comparison of arms, with every problem of the file."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from doseopt_bayes.arms.configuration import Configuration, WeightSet
from doseopt_bayes.arms.margin import Margin
from doseopt_bayes.arms.pairs import arm
from doseopt_bayes.arms_analysis import ArmQuestions, check_endpoints
from doseopt_bayes.decision import CRITERIA, UTILITIES
from doseopt_bayes.errors import DoseOptError
from doseopt_bayes.models import MODELS
from doseopt_bayes.models.tallied import groups_of
from doseopt_bayes.plan import Plan
from doseopt_bayes.spec.build import Builder
from doseopt_bayes.spec.parse import (
    WORDS,
    Sampler,
    content_hash,
    read_alternatives,
    read_columns,
    read_rules,
    read_toml,
    read_words,
)

if TYPE_CHECKING:
    from pathlib import Path

    from doseopt_bayes.decision.criteria import Criterion
    from doseopt_bayes.decision.rules import Rule
    from doseopt_bayes.decision.utility import Utility
    from doseopt_bayes.errors import Problem
    from doseopt_bayes.models import DoseModel

__all__ = ["is_arms", "parse_arms"]

SECTIONS: Final = (
    "schema", *WORDS, "endpoints", "data", "model", "alternative", "compare", "margin", "utility",
    "rule", "decision", "configuration", "sensitivity", "sampler",
)  # fmt: skip
OWN: Final = ("compare", "margin", "configuration", "sensitivity")  # an analysis has none of these
KEYS: Final = ("name", "version", "source", "weights", "certainty", "margin", "utility", "rule",
               "decision")  # fmt: skip


@dataclass(frozen=True)
class _Shared:
    """What every configuration takes where it says nothing of its own."""

    margins: tuple[Margin, ...] | None
    utility: Utility | None
    rules: Rule | None
    criterion: Criterion | None
    certainty: float | None


def is_arms(parsed: Any) -> bool:
    """Whether the content of a specification file is a comparison of arms."""
    return isinstance(parsed, dict) and "plan" not in parsed and any(k in parsed for k in OWN)


def parse_arms(path: Path) -> tuple[dict[str, Any], list[Problem]]:
    """Read the specification file of a comparison of arms.

    Parameters
    ----------
    path
        TOML file.

    Returns
    -------
    parts, problems
        The fields of :class:`~doseopt_bayes.spec.arms.ArmsSpec`; a part with problems is ``None`` or
        empty, and a file that cannot be read has no parts.
    """
    build = Builder(path.name)
    parsed = read_toml(build, path)
    if parsed is None:
        return {}, build.problems
    if not is_arms(parsed):
        rule = "there is no [compare], [[margin]] or [[configuration]]: it compares no arms"
        build.problem("", None, rule, "doseopt run reads an analysis, doseopt plan a plan")
        return {}, build.problems
    top = build.table(parsed, "", SECTIONS)
    words = read_words(build, top)
    model = build.kind(MODELS, top.get("model"), "model")
    if groups_of(model):
        rule = "arms are compared in one group, and this model has subgroups"
        build.problem("model.groups", None, rule, "leave the groups out; [data] may keep them")
    columns, source = read_columns(build, top.get("data"), model)
    plan = Plan(
        **words, source=source, columns=columns,
        endpoints=build.texts(top.get("endpoints", {}), "endpoints"), file=path,
        hash=content_hash(parsed),
    )  # fmt: skip
    compare = build.table(top.get("compare"), "compare", ("certainty", "pairs"))
    shared = _Shared(
        tuple(_margins(build, top["margin"], "margin")) if "margin" in top else None,
        build.kind(UTILITIES, top["utility"], "utility") if "utility" in top else None,
        read_rules(build, top["rule"]) if "rule" in top else None,
        build.kind(CRITERIA, top.get("decision"), "decision", key="criterion"),
        _certainty(build, compare, "compare"),
    )
    sampler = build.value(Sampler, top.get("sampler", {}), "sampler")
    asked = top.get("sensitivity", {})
    if isinstance(asked, dict) and "seed" not in asked and sampler is not None:
        asked = {**asked, "seed": sampler.seed}  # printed by the report
    configurations, sources = _configurations(build, top, shared)
    parts = {
        "plan": plan,
        "model": model,
        "sampler": sampler,
        "configurations": configurations,
        "sources": sources,
        "pairs": _pairs(build, compare["pairs"], model) if "pairs" in compare else None,
        "questions": build.value(ArmQuestions, asked, "sensitivity"),
        "alternatives": read_alternatives(build, top.get("alternative", {}), top.get("model")),
    }
    if model is not None:
        for label, one in {"the model": model, **parts["alternatives"]}.items():
            for i, c in enumerate(configurations):
                try:
                    check_endpoints(c, one, label)
                except DoseOptError as e:
                    build.problem(f"configuration[{i}]", c.name, e.message, e.hint)
    return parts, build.problems


def _margins(build: Builder, parsed: Any, at: str) -> list[Margin]:
    if not isinstance(parsed, list) or not parsed:
        repair = "add at least one [[margin]] with endpoint, at_most, of and better"
        build.problem(at, None, "no margin is given", repair)
        return []
    built = [build.value(Margin, p, f"{at}[{i}]") for i, p in enumerate(parsed)]
    return [m for m in built if m is not None]


def _certainty(build: Builder, keys: dict[str, Any], at: str) -> float | None:
    """Return the probability that all margins at once must exceed; said, never taken for granted."""
    x = keys.get("certainty")
    if x is None:
        rule = "the probability that all margins at once must exceed is missing"
        build.problem(f"{at}.certainty", None, rule, "add certainty = 0.8, say")
        return None
    if isinstance(x, bool) or not isinstance(x, int | float) or not 0 < x < 1:
        percent = isinstance(x, int | float) and 1 < x < 100
        hint = f"{x / 100:g}?" if percent else "a number between 0 and 1"
        build.problem(f"{at}.certainty", x, "must lie strictly between 0 and 1", hint)
        return None
    return float(x)


def _configurations(
    build: Builder, top: dict[str, Any], shared: _Shared
) -> tuple[tuple[Configuration, ...], dict[str, str]]:
    """Build every configuration and keep where its weights come from."""
    parsed = top.get("configuration")
    if not isinstance(parsed, list) or not parsed:
        repair = "add at least one [[configuration]] with name and version; the first is the answer"
        build.problem("configuration", None, "no configuration is given", repair)
        return (), {}
    found, sources = [], {}
    for i, one in enumerate(parsed):
        built = _configuration(build, one, f"configuration[{i}]", top, shared)
        if built is not None:
            found.append(built)
            if isinstance(one, dict) and "weights" in one:
                sources[built.name] = str(one.get("source", "")) or "source not stated"
    for name, times in Counter(c.name for c in found).items():
        if times > 1:
            rule = "two configurations have this name"
            build.problem("configuration.name", name, rule, "rename one: outputs are told by name")
    return tuple(found), sources


def _configuration(
    build: Builder, parsed: Any, at: str, top: dict[str, Any], shared: _Shared
) -> Configuration | None:
    before = len(build.problems)
    keys = build.table(parsed, at, KEYS)
    words, weights = _weights(build, keys, at)
    own = _own(build, keys, at, top, shared)
    margins, utility, rules, criterion = own.margins, own.utility, own.rules, own.criterion
    lost = rules is None and "rule" in {*top, *keys}
    if lost or not margins or utility is None or criterion is None or own.certainty is None:
        return None  # what is shared has its problems listed already
    if len(build.problems) > before:
        return None
    name, version = words["name"], words["version"]
    try:
        made = Configuration(name, version, utility, margins, criterion, rules, own.certainty)
        return made.weighted(weights) if weights is not None else made
    except DoseOptError as e:
        build.problem(at, words["name"], e.message, e.hint, code="DOB-F01")
        return None


def _weights(
    build: Builder, keys: dict[str, Any], at: str
) -> tuple[dict[str, str], WeightSet | None]:
    """Return name, version and source, and the weights where there are any."""
    words = {k: build.text(keys.get(k, ""), f"{at}.{k}") for k in ("name", "version", "source")}
    for name in ("name", "version"):
        if name not in keys:
            rule = f"'{name}' is missing: what was pre-specified has a name and a version"
            build.problem(f"{at}.{name}", None, rule, f'{name} = "..."')
    if "weights" in keys:
        if "name" not in keys or "version" not in keys:
            return words, None  # said above
        given = {k: v for k, v in {**words, "weights": keys["weights"]}.items() if k in keys}
        return words, build.value(WeightSet, given, at)
    if "source" in keys:
        rule = "source says where weights come from, and there are none"
        build.problem(f"{at}.source", words["source"], rule, "add weights, or leave it out")
    return words, None


def _own(
    build: Builder, keys: dict[str, Any], at: str, top: dict[str, Any], shared: _Shared
) -> _Shared:
    """Build what a configuration says itself; the rest is what all of them share."""
    own = shared
    if "margin" in keys:
        own = replace(own, margins=tuple(_margins(build, keys["margin"], f"{at}.margin")))
    elif "margin" not in top:
        _margins(build, None, f"{at}.margin")
    if "utility" in keys:
        own = replace(own, utility=build.kind(UTILITIES, keys["utility"], f"{at}.utility"))
    elif "utility" not in top:
        build.problem(f"{at}.utility", None, "no utility is given", "add [utility] for all of them")
    if "rule" in keys:
        own = replace(own, rules=_own_rules(build, keys["rule"], at))
    if "decision" in keys:
        chosen = build.kind(CRITERIA, keys["decision"], f"{at}.decision", key="criterion")
        own = replace(own, criterion=chosen)
    if "certainty" in keys:
        own = replace(own, certainty=_certainty(build, keys, at))
    return own


def _own_rules(build: Builder, parsed: Any, at: str) -> Rule | None:
    """Build rules of one configuration; their problems are named below it."""
    before = len(build.problems)
    rules = read_rules(build, parsed)
    build.problems[before:] = [
        replace(p, column=f"{at}.{p.column}") for p in build.problems[before:]
    ]
    return rules


def _pairs(
    build: Builder, parsed: Any, model: DoseModel | None
) -> tuple[tuple[float, float], ...] | None:
    """Return pairs of doses of the model; text carries its unit, and no unit is converted."""
    if not isinstance(parsed, list) or not parsed:
        repair = "pairs = [[15, 45]], the lower dose first; without pairs every pair is compared"
        build.problem("compare.pairs", parsed, "must be a list of pairs", repair)
        return None
    found: list[tuple[float, float]] = []
    for i, pair in enumerate(parsed):
        at = f"compare.pairs[{i}]"
        if not isinstance(pair, list) or len(pair) != 2 or not all(_named(x) for x in pair):
            build.problem(at, pair, "must be two arms, the lower dose first", "[15, 45], say")
            continue
        if model is None:
            continue
        try:
            low, high = (arm(x, model.doses, model.unit) for x in pair)
        except DoseOptError as e:
            build.problem(at, pair, e.message, e.hint, code="DOB-F01")
            continue
        if low >= high:
            repair = "margins say what is lost by taking the lower dose: write it first"
            build.problem(at, pair, "the first arm is not the lower dose", repair)
        elif (low, high) in found:
            build.problem(at, pair, "this pair stands twice", "leave one out")
        else:
            found.append((low, high))
    return tuple(found)


def _named(x: Any) -> bool:
    return isinstance(x, str | int | float) and not isinstance(x, bool)
