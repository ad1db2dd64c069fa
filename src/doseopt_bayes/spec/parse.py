"""From the TOML file to the parts of a specification, with every problem of the file."""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from dataclasses import dataclass, fields
from functools import reduce
from typing import TYPE_CHECKING, Any, Final

from doseopt_bayes.analysis import check_reads
from doseopt_bayes.data.columns import CountColumns, PatientColumns
from doseopt_bayes.decision import CRITERIA, UTILITIES
from doseopt_bayes.decision.rules import RULES, Rule
from doseopt_bayes.design.design import Design
from doseopt_bayes.errors import DoseOptError, Problem, did_you_mean
from doseopt_bayes.inference.checks import MIN_CHAINS, MIN_DRAWS
from doseopt_bayes.inference.nuts import DRAWS, SAMPLERS
from doseopt_bayes.models import MODELS, DoseModel
from doseopt_bayes.models.tallied import groups_of
from doseopt_bayes.plan import Plan
from doseopt_bayes.spec.build import Builder

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = [
    "SCHEMA",
    "WORDS",
    "Columns",
    "Sampler",
    "content_hash",
    "is_exposure",
    "parse_file",
    "read_alternatives",
    "read_columns",
    "read_rules",
    "read_toml",
    "read_words",
]

Columns = PatientColumns | CountColumns
SCHEMA: Final = 1
WORDS: Final = ("id", "version", "title", "question")
SECTIONS: Final = (
    "schema", *WORDS, "endpoints", "data", "model", "alternative", "utility", "rule", "decision",
    "design", "sampler",
)  # fmt: skip
EXPOSURE_KINDS: Final = ("exposure", "exposure_response", "joint_exposure_response")
READERS: Final[dict[str, type]] = {"patients": PatientColumns, "counts": CountColumns}


@dataclass(frozen=True)
class Sampler:
    """Sampler settings of a specification.

    Parameters
    ----------
    seed
        Non-negative integer; a pre-specified analysis has one.
    name
        ``"nutpie"`` or ``"pymc"``.
    draws, tune, chains
        As in :func:`~doseopt_bayes.inference.nuts.fit`.
    """

    seed: int
    name: str = "nutpie"
    draws: int = DRAWS
    tune: int = 1000
    chains: int = 4

    def __post_init__(self) -> None:
        if self.name not in SAMPLERS:
            raise DoseOptError(
                f"unknown sampler '{self.name}'", hint=did_you_mean(self.name, SAMPLERS)
            )
        if self.seed < 0:
            raise DoseOptError(f"seed = {self.seed} must be >= 0")
        if self.draws < MIN_DRAWS or self.chains < MIN_CHAINS or self.tune < 100:
            raise DoseOptError(
                f"draws = {self.draws}, tune = {self.tune}, chains = {self.chains}: the diagnostics "
                f"gate needs at least {MIN_DRAWS} draws in each of {MIN_CHAINS} chains, "
                "and 100 steps to tune"
            )

    @property
    def settings(self) -> dict[str, Any]:
        """Arguments of an analysis, by the names that it gives them."""
        return {"seed": self.seed, "sampler": self.name, "draws": self.draws, "tune": self.tune,
                "chains": self.chains}  # fmt: skip


def parse_file(path: Path) -> tuple[dict[str, Any], list[Problem]]:
    """Read a specification file.

    Parameters
    ----------
    path
        TOML file.

    Returns
    -------
    parts, problems
        The fields of ``Spec``; a part with problems is
        ``None``, and a file that cannot be read has no parts.
    """
    build = Builder(path.name)
    parsed = read_toml(build, path)
    if parsed is None:
        return {}, build.problems
    if is_exposure(parsed):
        rule = (
            "this is an exposure-response analysis, without a design and candidate doses of a model"
        )
        build.problem("model.kind", None, rule, "dob.ExposureSpec.load, or doseopt run, reads it")
        return {}, build.problems
    top = build.table(parsed, "", SECTIONS)
    words = read_words(build, top)
    model = build.kind(MODELS, top.get("model"), "model")
    columns, source = read_columns(build, top.get("data"), model)
    endpoints = build.texts(top.get("endpoints", {}), "endpoints")
    plan = Plan(
        **words,
        source=source,
        columns=columns,
        endpoints=endpoints,
        file=path,
        hash=content_hash(parsed),
    )
    alternatives = read_alternatives(build, top.get("alternative", {}), top.get("model"))
    parts = {
        "plan": plan,
        "model": model,
        "alternatives": alternatives,
        "utility": build.kind(UTILITIES, top.get("utility"), "utility"),
        "rules": read_rules(build, top.get("rule")),
        "criterion": build.kind(CRITERIA, top.get("decision"), "decision", key="criterion"),
        "sampler": build.value(Sampler, top.get("sampler", {}), "sampler"),
    }
    models = {"the model": model, **alternatives}
    for label, one in models.items():
        if one is None or parts["utility"] is None:
            continue
        try:
            check_reads(parts["utility"], one, label)
        except DoseOptError as e:
            build.problem("utility", None, e.message, e.hint)
    parts["design"] = _design(build, top.get("design"), parts)
    return parts, build.problems


def is_exposure(parsed: Any) -> bool:
    """Whether the content of a specification file is an exposure-response analysis."""
    if not isinstance(parsed, dict):
        return False
    model, data = (parsed.get(k) for k in ("model", "data"))
    kinds = [x.get("kind") for x in (model, data) if isinstance(x, dict)]
    return any(kind in EXPOSURE_KINDS for kind in kinds)


def read_toml(build: Builder, path: Path) -> dict[str, Any] | None:
    """Return the content of a specification file; ``None``, and a problem, when it cannot be read."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        build.problem("", None, f"specification '{path}' does not exist", "check the path")
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as e:
        build.problem("", None, f"not valid TOML: {e}", "mend the line that is named")
    return None


def read_words(build: Builder, top: dict[str, Any]) -> dict[str, str]:
    """Check schema, id and version, and return the words of the specification."""
    if top.get("schema") != SCHEMA:
        rule = f"this version reads schema {SCHEMA}"
        repair = (
            "use the doseopt-bayes that it was written for, or write it anew from `doseopt init`"
        )
        repair = repair if "schema" in top else f"schema = {SCHEMA}"
        build.problem("schema", top.get("schema"), rule, repair, code="DOB-F12")
    words = {k: build.text(top.get(k, ""), k) for k in WORDS}
    for name in ("id", "version"):
        if not words[name]:
            build.problem(name, None, f"'{name}' is missing", f'add {name} = "..."')
    if words["id"] and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", words["id"]):
        rule = "an id names files: letters, digits, point, dash and underscore"
        build.problem("id", words["id"], rule, "choose a plain name")
    return words


def _design(build: Builder, parsed: Any, parts: dict[str, Any]) -> Design | None:
    """Build the design that the analysis belongs to: what it decides by is said elsewhere."""
    if parsed is None:
        return None
    given = {k: parts[k] for k in ("model", "utility", "rules", "criterion")}
    try:
        sound = None not in given.values()
        if sound:
            check_reads(given["utility"], given["model"], "the model")
    except DoseOptError:
        sound = False
    if not sound:  # their problems are listed: only its own keys can be checked
        build.table(parsed, "design", tuple(f.name for f in fields(Design) if f.name not in given))
        return None
    design: Design | None = build.value(Design, parsed, "design", given=given)
    return design


def read_alternatives(build: Builder, parsed: Any, model: Any) -> dict[str, DoseModel]:
    """Build the alternative models; what a table leaves out is as in [model]."""
    if not isinstance(parsed, dict) or not all(isinstance(v, dict) for v in parsed.values()):
        repair = 'write [alternative."its name"] and the keys that differ from [model]'
        build.problem("alternative", parsed, "alternatives are tables with a name", repair)
        return {}
    start = model if isinstance(model, dict) else {}
    found = {}
    for label, changed in parsed.items():
        same = changed.get("kind", start.get("kind")) == start.get("kind")
        kind = MODELS.get(str(changed.get("kind", start.get("kind"))))
        shared = (
            {f.name for f in fields(kind)} & {"doses", "unit", "others", "groups"}
            if kind
            else set()
        )
        kept = {k: v for k, v in start.items() if same or k in shared}
        merged = {**kept, **changed}
        priors = (kept.get("priors"), changed.get("priors"))
        if all(isinstance(p, dict) for p in priors):
            merged["priors"] = {**kept["priors"], **changed["priors"]}
        built = build.kind(MODELS, merged, f"alternative.{label}")
        if built is not None:
            found[label] = built
    return found


def read_columns(
    build: Builder, parsed: Any, model: DoseModel | None
) -> tuple[Columns | None, str]:
    """Column roles, with the doses and the unit of the model."""
    if parsed is None:
        return None, ""
    keys = dict(parsed) if isinstance(parsed, dict) else {}
    source = build.text(keys.pop("source", ""), "data.source")
    for name in ("doses", "unit"):
        if name in keys:
            rule = f"'{name}' is said once, in [model]"
            build.problem(f"data.{name}", keys.pop(name), rule, "remove it here")
    known: dict[str, Any] = {"doses": (), "unit": ""}
    if model:
        known = {"doses": model.doses, "unit": model.unit}
    if levels := _levels(build, keys, groups_of(model)):
        known["group_levels"] = levels
    return build.kind(READERS, keys or parsed, "data", given=known), source


def _levels(
    build: Builder, keys: dict[str, Any], groups: Mapping[str, tuple[str, ...]]
) -> dict[str, tuple[str, ...]]:
    """Levels of the groupings in the data: those of the model, said once and closed."""
    columns = keys.get("groups")
    shared = [g for g in groups if isinstance(columns, dict) and g in columns]
    for grouping in groups:
        if grouping not in shared and keys:
            repair = f'in [data], groups = {{ {grouping} = "its column" }}'
            rule = f"the model has a value for each {grouping}, and no column says which is whose"
            build.problem("data.groups", None, rule, repair)
    said = keys.get("group_levels")
    if not shared or not isinstance(said, dict):
        return {g: groups[g] for g in shared} if said is None else {}
    for grouping in shared:
        given = said.get(grouping)
        if given is not None and (not isinstance(given, list) or tuple(given) != groups[grouping]):
            rule = f"the levels of {grouping} in [model.groups] are {', '.join(groups[grouping])}"
            at = f"data.group_levels.{grouping}"
            build.problem(at, given, rule, "say them once, in [model.groups]: remove them here")
    # the levels of a grouping that the model does not have are said here alone
    rest = {k: v for k, v in said.items() if k not in shared}
    found = build.levels(rest, "data.group_levels") if rest else {}
    keys.pop("group_levels")
    return {**{g: groups[g] for g in shared}, **found}


def read_rules(build: Builder, parsed: Any) -> Rule | None:
    """Build the admissibility rules: all of them must hold."""
    if not isinstance(parsed, list) or not parsed:
        repair = "add at least one [[rule]], for example kind = 'tolerable'"
        build.problem("rule", None, "no admissibility rule is given", repair)
        return None
    built = [_rule(build, p, f"rule[{i}]") for i, p in enumerate(parsed)]
    rules = [r for r in built if r is not None]
    return reduce(lambda a, b: a & b, rules) if len(rules) == len(built) else None


def _rule(build: Builder, parsed: Any, at: str) -> Rule | None:
    if isinstance(parsed, dict) and parsed.get("kind") == "any_of":
        inner = build.table(parsed, at, ("kind", "rules")).get("rules", [])
        built = [_rule(build, p, f"{at}.rules[{i}]") for i, p in enumerate(inner)]
        rules = [r for r in built if r is not None]
        if not rules:
            build.problem(
                f"{at}.rules", None, "any_of needs rules", "rules = [{ kind = ... }, ...]"
            )
        try:
            return reduce(lambda a, b: a | b, rules) if rules else None
        except DoseOptError as e:  # an absolute rule takes no alternative
            build.problem(f"{at}.rules", None, e.message, e.hint, code="DOB-F01")
            return None
    rule: Rule | None = build.kind(RULES, parsed, at)
    return rule


def content_hash(parsed: dict[str, Any]) -> str:
    """Hash the content, with 15 and 15.0 the same number."""

    def plain(x: Any) -> Any:
        if isinstance(x, dict):
            return {k: plain(v) for k, v in x.items()}
        if isinstance(x, list):
            return [plain(v) for v in x]
        return float(x) if type(x) is int else x

    text = json.dumps(plain(parsed), sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()
