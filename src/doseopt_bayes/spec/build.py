"""From parsed TOML to frozen values: unknown keys, wrong types and bad numbers, all listed at once.

A value's own dataclass is its schema: its fields are the keys, its ``__post_init__`` is the check. So
a new model, prior, rule or utility needs no line here.
"""

from __future__ import annotations

from dataclasses import MISSING, fields
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Any

from doseopt_bayes.data.follow_up import FollowUp
from doseopt_bayes.decision.cui import VALUES, Attribute
from doseopt_bayes.decision.desirability import OnTarget
from doseopt_bayes.decision.values import Target
from doseopt_bayes.design.stopping import STOPS
from doseopt_bayes.errors import DataError, DoseOptError, Problem, did_you_mean
from doseopt_bayes.priors import COMPONENTS, PRIORS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["Builder"]


class Builder:
    """Builds values from tables of one file and remembers every problem.

    Parameters
    ----------
    file
        Name of the file, for the messages.
    """

    def __init__(self, file: str) -> None:
        self.file = file
        self.problems: list[Problem] = []
        self._converters: dict[str, Callable[[Any, str], Any]] = {
            "str": self.text,
            "bool": self._flag,
            "int": self._whole,
            "float": self._number,
            "tuple[float, ...]": lambda x, at: self._list(x, at, self._number),
            "tuple[str, ...]": lambda x, at: self._list(x, at, self.text),
            "tuple[float, float]": self._pair,
            "tuple[float, float, float, float]": lambda x, at: self._list(x, at, self._number),
            "tuple[tuple[float, float], ...]": lambda x, at: self._list(x, at, self._pair),
            "Mapping[str, str]": self.texts,
            "Mapping[str, int]": lambda x, at: self._map(x, at, self._whole),
            "Mapping[str, float]": lambda x, at: self._map(x, at, self._number),
            "Mapping[str, tuple[str, ...]]": self.levels,
            "Mapping[str, Mapping[str, int]]": lambda x, at: self._map(
                x, at, self._converters["Mapping[str, int]"]
            ),
            "Prior": lambda x, at: self.kind(PRIORS, x, at, key="dist"),
            "Mapping[str, Prior]": lambda x, at: self._map(
                x, at, lambda v, a: self.kind(PRIORS, v, a, key="dist")
            ),
            "tuple[Component, ...]": lambda x, at: self._list(
                x, at, lambda v, a: self.kind(COMPONENTS, v, a, key="dist")
            ),
            "Mapping[str, Attribute]": lambda x, at: self._map(x, at, self._attribute),
            "Mapping[str, FollowUp]": lambda x, at: self._map(
                x, at, lambda v, a: self.value(FollowUp, v, a)
            ),
            "Target": lambda x, at: self.value(Target, x, at),
            "Value": lambda x, at: self.kind(VALUES, x, at),
            "Stop": self._stop,
        }

    def problem(
        self, at: str, value: object, rule: str, repair: str, code: str = "DOB-F11"
    ) -> None:
        """Remember one problem at the dotted key `at`."""
        shown = "" if value is None else repr(value)[:60]
        self.problems.append(Problem(code, rule, repair, file=self.file, column=at, value=shown))

    def table(self, parsed: Any, at: str, known: tuple[str, ...]) -> dict[str, Any]:
        """Return `parsed` as a table whose keys are all known."""
        if not isinstance(parsed, dict):
            self.problem(at, parsed, f"[{at}] must be a table", f"write [{at}] and its keys below")
            return {}
        for key in parsed:
            if key not in known:
                where = f"{at}.{key}" if at else key
                self.problem(where, None, f"unknown key '{key}'", did_you_mean(key, known))
        return {k: v for k, v in parsed.items() if k in known}

    def kind(
        self,
        registry: Mapping[str, type],
        parsed: Any,
        at: str,
        *,
        key: str = "kind",
        given: Mapping[str, Any] | None = None,
    ) -> Any:
        """Build a value of a registered kind; ``None`` when it has problems."""
        if not isinstance(parsed, dict):
            self.problem(at, parsed, f"must be a table with '{key}'", f"{{ {key} = ..., ... }}")
            return None
        name = parsed.get(key)
        if not isinstance(name, str) or name not in registry:
            rule = f"{at}.{key} must name one of the registered kinds"
            self.problem(f"{at}.{key}", name, rule, did_you_mean(str(name), list(registry)))
            return None
        rest = {k: v for k, v in parsed.items() if k != key}
        return self.value(registry[name], rest, at, given=given)

    def value(
        self, cls: type, parsed: Any, at: str, *, given: Mapping[str, Any] | None = None
    ) -> Any:
        """Build `cls` from a table; `given` are fields that are said elsewhere in the file."""
        given = given or {}
        schema = {f.name: f for f in fields(cls) if f.init and f.name not in given}
        before = len(self.problems)
        keys = self.table(parsed, at, tuple(schema))
        arguments = dict(given)
        for name, f in schema.items():
            where = f"{at}.{name}"
            if name in keys:
                arguments[name] = self._converter(str(f.type))(keys[name], where)
            elif f.default is MISSING and f.default_factory is MISSING:
                self.problem(where, None, f"'{name}' is missing", f"add {name} = ... to [{at}]")
        if len(self.problems) > before:
            return None
        try:
            return cls(**arguments)
        except DataError as e:
            self.problems += [
                Problem(p.code, p.rule, p.repair, self.file, None, "", f"{at}: {p.column}".rstrip(": "),
                        p.value) for p in e.items
            ]  # fmt: skip
        except DoseOptError as e:
            self.problem(at, None, e.message, e.hint or "see the documentation", code="DOB-F01")
        return None

    def text(self, x: Any, at: str) -> str:
        """Return a text, or remember that `x` is none."""
        if not isinstance(x, str):
            self._wrong(at, x, "text", "put it in quotes")
            return ""
        return x

    def texts(self, x: Any, at: str) -> dict[str, str]:
        """Return a table of texts, or remember what is none."""
        return self._map(x, at, self.text)

    def levels(self, x: Any, at: str) -> dict[str, tuple[str, ...]]:
        """Return a table of lists of texts, or remember what is none."""
        return self._map(x, at, lambda v, a: self._list(v, a, self.text))

    def _converter(self, annotation: str) -> Callable[[Any, str], Any]:
        plain = annotation.removesuffix(" | None")
        if plain.startswith("Literal["):
            return self.text  # the class itself says which texts it takes
        return self._converters[plain]

    def _stop(self, x: Any, at: str) -> Any:
        """Build stopping rules: the trial stops as soon as one of them says so."""
        if not isinstance(x, list) or not x:
            repair = 'stop = [{ kind = "max_patients", patients = 39 }], say'
            self._wrong(at, x, "a list of stopping rules", repair)
            return None
        built = [self.kind(STOPS, rule, f"{at}[{i}]") for i, rule in enumerate(x)]
        return None if None in built else reduce(or_, built)

    def _attribute(self, x: Any, at: str) -> Any:
        """Build an attribute; one with a target is a benefit or a harm no longer."""
        on_target = isinstance(x, dict) and "target" in x
        return self.value(OnTarget if on_target else Attribute, x, at)

    def _wrong(self, at: str, x: Any, expected: str, repair: str) -> None:
        self.problem(at, x, f"must be {expected}", repair, code="DOB-F06")

    def _flag(self, x: Any, at: str) -> bool:
        if not isinstance(x, bool):
            self._wrong(at, x, "true or false", "write true or false, without quotes")
            return False
        return x

    def _whole(self, x: Any, at: str) -> int:
        if isinstance(x, bool) or not isinstance(x, int):
            self._wrong(at, x, "a whole number", "write it without quotes and without a point")
            return 0
        return x

    def _number(self, x: Any, at: str) -> float:
        if isinstance(x, bool) or not isinstance(x, int | float):
            self._wrong(at, x, "a number", "write it without quotes")
            return 0.0
        return float(x)

    def _list(self, x: Any, at: str, one: Callable[[Any, str], Any]) -> tuple[Any, ...]:
        if not isinstance(x, list):
            self._wrong(at, x, "a list", "write [ ... ]")
            return ()
        return tuple(one(v, f"{at}[{i}]") for i, v in enumerate(x))

    def _pair(self, x: Any, at: str) -> tuple[Any, ...]:
        found = self._list(x, at, self._number)
        if isinstance(x, list) and len(found) != 2:
            self._wrong(at, x, "a list of two numbers", "write [a, b]")
        return found

    def _map(self, x: Any, at: str, one: Callable[[Any, str], Any]) -> dict[str, Any]:
        if not isinstance(x, dict):
            self._wrong(at, x, "a table", f"write [{at}] and its keys below")
            return {}
        return {k: one(v, f"{at}.{k}") for k, v in x.items()}
