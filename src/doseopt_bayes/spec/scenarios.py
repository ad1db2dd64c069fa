"""Scenarios of a simulation from their own TOML file, with every problem of the file."""

from __future__ import annotations

import tomllib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from doseopt_bayes import names
from doseopt_bayes.design.design import Design
from doseopt_bayes.design.random_scenarios import SHAPES, draw_scenarios
from doseopt_bayes.design.scenario import Scenario
from doseopt_bayes.errors import DoseOptError, Problem, SpecError
from doseopt_bayes.spec.build import Builder

if TYPE_CHECKING:
    from doseopt_bayes.design.trialled import Trialled

__all__ = ["check_scenarios", "read_scenarios"]

EXAMPLE = '[[scenario]] with name = "...", p_tox = [...] and p_eff = [...]'
RANDOM = "[random] with n = 100 and seed = 1"


@dataclass(frozen=True)
class _Keys:
    """Keys of a scenario and their types: a value that is none is a problem of its own."""

    name: str
    p_tox: tuple[float, ...]
    p_eff: tuple[float, ...] | None = None
    correlation: float = 0.0


@dataclass(frozen=True)
class _Drawn:
    """Keys of the table of scenarios drawn at random."""

    n: int
    seed: int
    target: float | None = None
    efficacy: tuple[str, ...] = SHAPES
    correlation: float = 0.0


def read_scenarios(path: str | Path, design: Trialled | None = None) -> tuple[Scenario, ...]:
    """Read a file of scenarios.

    Parameters
    ----------
    path
        TOML file with a table ``[[scenario]]`` for each: ``name``, ``p_tox`` and ``p_eff`` (true
        probabilities at each candidate dose, ascending, in 0..1; no p_eff for a design of toxicity
        alone) and ``correlation`` (-1..1, 0 when left out); a table ``[random]`` with ``n`` and
        ``seed``, and if need be ``target``, ``efficacy`` and ``correlation``, draws more of them by
        :func:`~doseopt_bayes.design.random_scenarios.draw_scenarios`.
    design
        Design that the scenarios are for, when it is known: its candidate doses are counted.

    Returns
    -------
    tuple of Scenario
        In the order of the file.

    Raises
    ------
    SpecError
        With every problem of the file.
    """
    found, problems = check_scenarios(path, design)
    if problems:
        raise SpecError(problems, str(path))
    return found


def check_scenarios(
    path: str | Path, design: Trialled | None = None
) -> tuple[tuple[Scenario, ...], list[Problem]]:
    """Say everything that is wrong with a file of scenarios.

    Returns
    -------
    scenarios, problems
        Those without problems, and the problems.
    """
    path = Path(path)
    build = Builder(path.name)
    try:
        parsed = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        build.problem("", None, f"file of scenarios '{path}' does not exist", "check the path")
        return (), build.problems
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as e:
        build.problem("", None, f"not valid TOML: {e}", "mend the line that is named")
        return (), build.problems
    table = build.table(parsed, "", ("scenario", "random"))
    drawn = _drawn(build, table["random"], design) if "random" in table else ()
    items = table.get("scenario", [] if "random" in table else None)
    if not isinstance(items, list) or not (items or "random" in table):
        build.problem("scenario", None, "no scenario is given", f"add {EXAMPLE}, or {RANDOM}")
        return (), build.problems
    found = [_scenario(build, item, f"scenario[{i}]", design) for i, item in enumerate(items)]
    called = Counter(i["name"] for i in items if isinstance(i, dict) and _is_text(i.get("name")))
    for name, times in called.items():
        if times > 1:
            rule = f"{times} scenarios have this name"
            build.problem("scenario.name", name, rule, "give each a name of its own")
    return (*(s for s in found if s is not None), *drawn), build.problems


def _drawn(build: Builder, parsed: Any, design: Trialled | None) -> tuple[Scenario, ...]:
    """Draw the scenarios that the table [random] asks for."""
    before = len(build.problems)
    build.value(_Drawn, parsed, "random")
    if design is None and len(build.problems) == before:
        build.problem("random", None, "no design is known here", "give the design they are for")
    if design is not None and not isinstance(design, Design):
        rule = "scenarios are drawn for a design with a model and a utility"
        build.problem("random", None, rule, "name each scenario for designs of tables")
    if not isinstance(design, Design) or len(build.problems) > before:
        return ()
    try:
        return draw_scenarios(design, **parsed)
    except DoseOptError as e:
        build.problem("random", None, e.message, e.hint, code="DOB-F01")
        return ()


def _is_text(x: Any) -> bool:
    return isinstance(x, str) and bool(x.strip())


def _scenario(build: Builder, parsed: Any, at: str, design: Trialled | None) -> Scenario | None:
    before = len(build.problems)
    build.value(_Keys, parsed, at)
    if not isinstance(parsed, dict):
        return None
    if "name" in parsed and isinstance(parsed["name"], str) and not _is_text(parsed["name"]):
        build.problem(f"{at}.name", None, "the name is empty", "tables and figures show it")
    if design is not None and names.EFF in design.endpoints and names.P_EFF not in parsed:
        rule = f"'{names.P_EFF}' is missing"
        build.problem(f"{at}.{names.P_EFF}", None, rule, "the design's model reads efficacy")
    lists = {k: v for k in (names.P_TOX, names.P_EFF) if isinstance(v := parsed.get(k), list)}
    _probabilities(build, lists, at)
    _lengths(build, lists, at, design)
    correlation = parsed.get("correlation", 0.0)
    if isinstance(correlation, int | float) and not -1 <= correlation <= 1:
        rule = "a correlation lies in -1..1"
        build.problem(f"{at}.correlation", correlation, rule, "0 for independence", code="DOB-F01")
    if len(build.problems) > before:
        return None
    scenario = Scenario(**parsed)
    try:
        if design is not None:
            design.truth(scenario)
    except DoseOptError as e:
        build.problem(at, None, e.message, e.hint, code="DOB-F01")
        return None
    return scenario


def _probabilities(build: Builder, lists: dict[str, list[Any]], at: str) -> None:
    for name, values in lists.items():
        for j, p in enumerate(values):
            if isinstance(p, int | float) and not isinstance(p, bool) and not 0 <= p <= 1:
                rule = "a probability lies in 0..1"
                repair = f"{p / 100:g}?" if 1 < p <= 100 else "write it as 0.25, say"
                build.problem(f"{at}.{name}[{j}]", p, rule, repair, code="DOB-F01")


def _lengths(build: Builder, lists: dict[str, list[Any]], at: str, design: Trialled | None) -> None:
    if design is None:
        if len({len(v) for v in lists.values()}) > 1:
            said = " and ".join(f"{len(v)} of {k}" for k, v in lists.items())
            build.problem(at, None, f"{said} do not match", "one of each for every candidate dose")
        return
    doses = ", ".join(f"{d:g}" for d in design.doses)
    for name, values in lists.items():
        if len(values) != len(design.doses):
            rule = f"{len(values)} probabilities for the {len(design.doses)} candidate doses"
            build.problem(f"{at}.{name}", None, rule, f"one for each of {doses} {design.unit}")
