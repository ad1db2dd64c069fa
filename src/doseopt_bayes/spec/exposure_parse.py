"""From the TOML file of an exposure-response analysis to its parts, with every problem of the file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from doseopt_bayes.data.endpoints import Binary, Continuous, Count, Grouped, TimeToEvent
from doseopt_bayes.data.exposure_columns import Covariate, ExposureColumns
from doseopt_bayes.decision import CRITERIA, UTILITIES
from doseopt_bayes.errors import DoseOptError
from doseopt_bayes.models.er_curve import CovariateEffect
from doseopt_bayes.models.er_priors import HillGivenEC50, LogStudentT, Uniform
from doseopt_bayes.models.exposure_response import ExposureResponse
from doseopt_bayes.models.joint_exposure import JointExposureResponse
from doseopt_bayes.models.response import RESPONSES
from doseopt_bayes.models.shapes import SHAPES
from doseopt_bayes.plan import Plan
from doseopt_bayes.prediction.people import Regimen
from doseopt_bayes.prediction.request import Prediction, check_request, curves
from doseopt_bayes.priors import PRIORS
from doseopt_bayes.spec.build import Builder
from doseopt_bayes.spec.parse import (
    WORDS,
    Sampler,
    content_hash,
    read_rules,
    read_toml,
    read_words,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from doseopt_bayes.errors import Problem
    from doseopt_bayes.prediction.parts import Model

__all__ = ["MODELS", "ExposureBuilder", "parse_exposure"]

SECTIONS: Final = (
    "schema", *WORDS, "endpoints", "data", "model", "prediction", "utility", "rule", "decision",
    "sampler",
)  # fmt: skip
MODELS: Final[dict[str, type]] = {
    "exposure_response": ExposureResponse,
    "joint_exposure_response": JointExposureResponse,
}
"""Models of exposure by the name that a specification file uses."""
ENDPOINTS: Final[dict[str, type]] = {
    "binary": Binary,
    "continuous": Continuous,
    "grouped": Grouped,
    "count": Count,
    "time_to_event": TimeToEvent,
}
ER_PRIORS: Final[Mapping[str, type]] = {
    **PRIORS, "log_student_t": LogStudentT, "uniform": Uniform, "hill_given_ec50": HillGivenEC50,
}  # fmt: skip


class ExposureBuilder(Builder):
    """Builds the values that only exposure-response specifications have, too.

    Parameters
    ----------
    file
        Name of the file, for the messages.
    """

    def __init__(self, file: str) -> None:
        super().__init__(file)
        self._converters |= {
            "Prior": self._prior,
            "Mapping[str, Prior]": lambda x, at: self._map(x, at, self._prior),
            "LogStudentT": lambda x, at: self.value(LogStudentT, x, at),
            "Mapping[str, Endpoint]": lambda x, at: self._map(x, at, self._endpoint),
            "tuple[str | Covariate, ...]": lambda x, at: self._list(x, at, self._covariate),
            "str | Mapping[str, str]": self._policy,
            "float | str": lambda x, at: x if isinstance(x, str) else self._number(x, at),
            "Shape": lambda x, at: self._named(SHAPES, x, at),
            "Response": lambda x, at: self._named(RESPONSES, x, at),
            "Monotone": self.text,
            "tuple[CovariateEffect, ...]": lambda x, at: self._list(
                x, at, lambda v, a: self.value(CovariateEffect, v, a)
            ),
            "tuple[Regimen, ...]": lambda x, at: self._list(
                x, at, lambda v, a: self.value(Regimen, v, a)
            ),
            "ExposureResponse": lambda x, at: self.value(ExposureResponse, x, at),
        }

    def _prior(self, x: Any, at: str) -> Any:
        return self.kind(ER_PRIORS, x, at, key="dist")

    def _endpoint(self, x: Any, at: str) -> Any:
        return self.kind(ENDPOINTS, x, at)

    def _covariate(self, x: Any, at: str) -> Any:
        return x if isinstance(x, str) else self.value(Covariate, x, at)

    def _policy(self, x: Any, at: str) -> Any:
        return x if isinstance(x, str) else self.texts(x, at)

    def _named(self, registry: Mapping[str, type], x: Any, at: str) -> Any:
        """Build a value whose name alone says it all where it has no numbers: ``shape = "emax"``."""
        return self.kind(registry, {"kind": x} if isinstance(x, str) else x, at)


def parse_exposure(path: Path) -> tuple[dict[str, Any], list[Problem]]:
    """Read the specification file of an exposure-response analysis.

    Parameters
    ----------
    path
        TOML file.

    Returns
    -------
    parts, problems
        The fields of :class:`~doseopt_bayes.spec.exposure.ExposureSpec`; a part with problems is
        ``None``, and a file that cannot be read has no parts.
    """
    build = ExposureBuilder(path.name)
    parsed = read_toml(build, path)
    if parsed is None:
        return {}, build.problems
    top = build.table(parsed, "", SECTIONS)
    words = read_words(build, top)
    columns, source = _columns(build, top.get("data"))
    model = build.kind(MODELS, _with_units(top.get("model"), columns), "model")
    endpoints = build.texts(top.get("endpoints", {}), "endpoints")
    plan = Plan(
        **words, source=source, columns=None, endpoints=endpoints, file=path,
        hash=content_hash(parsed),
    )  # fmt: skip
    ranks = "utility" in top or "rule" in top or "decision" in top
    utility = build.kind(UTILITIES, top.get("utility"), "utility") if ranks else None
    rules = read_rules(build, top.get("rule")) if ranks else None
    criterion: Any = "mean_utility"
    if ranks:
        criterion = build.kind(CRITERIA, top.get("decision"), "decision", key="criterion")
    prediction = None
    if "prediction" in top:
        prediction = build.value(Prediction, top["prediction"], "prediction")
    parts = {
        "plan": plan,
        "columns": columns,
        "model": model,
        "prediction": prediction,
        "utility": utility,
        "rules": rules,
        "criterion": criterion,
        "sampler": build.value(Sampler, top.get("sampler", {}), "sampler"),
    }
    if not build.problems:
        _agree(build, parts)
    return parts, build.problems


def _columns(build: ExposureBuilder, parsed: Any) -> tuple[ExposureColumns | None, str]:
    keys = dict(parsed) if isinstance(parsed, dict) else {}
    source = build.text(keys.pop("source", ""), "data.source")
    columns = build.kind({"exposure": ExposureColumns}, keys or parsed, "data")
    return columns, source


def _with_units(parsed: Any, columns: ExposureColumns | None) -> Any:
    """Give each curve the unit of its exposure, which is said in [data], unless it says one."""
    if columns is None or not isinstance(parsed, dict):
        return parsed
    found = {k: _with_units(v, columns) if k in ("eff", "tox") else v for k, v in parsed.items()}
    exposure = found.get("exposure")
    unit = columns.dose_unit if exposure == "dose" else columns.exposures.get(str(exposure))
    return {"unit": unit, **found} if unit else found


def _agree(build: ExposureBuilder, parts: dict[str, Any]) -> None:
    """Hold model, data and what is asked against each other."""
    model: Model = parts["model"]
    columns: ExposureColumns = parts["columns"]
    for name, one in curves(model).items():
        at = "model" if name == one.endpoint and model is one else f"model.{name}"
        end = columns.endpoints.get(one.endpoint)
        if end is None:
            build.problem(f"{at}.endpoint", one.endpoint, "[data] has no such endpoint",
                          f"it has {', '.join(columns.endpoints)}")  # fmt: skip
        elif end.kind != one.response.kind:
            rule = f"the endpoint is {end.kind} in [data], the response {one.response.kind}"
            build.problem(f"{at}.response", None, rule, "choose the family of its kind")
        if one.exposure not in ("dose", *columns.exposures):
            build.problem(f"{at}.exposure", one.exposure, "[data] has no such exposure",
                          f"it has {', '.join(['dose', *columns.exposures])}")  # fmt: skip
        known = {c.name: c for c in columns.declared}
        for i, effect in enumerate(one.covariates):
            if effect.covariate not in known:
                build.problem(f"{at}.covariates[{i}]", effect.covariate, "[data] has no such covariate",
                              f"it has {', '.join(known) or 'none'}")  # fmt: skip
    for name in parts["plan"].endpoints:
        if name not in columns.endpoints:
            build.problem(f"endpoints.{name}", None, "[data] has no such endpoint",
                          f"it has {', '.join(columns.endpoints)}")  # fmt: skip
    try:
        check_request(model, parts["prediction"], parts["utility"], parts["rules"])
    except DoseOptError as e:
        build.problem("prediction", None, e.message, e.hint, code="DOB-F01")
