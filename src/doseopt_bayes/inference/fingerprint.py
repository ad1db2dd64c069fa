"""A fingerprint of a built PyMC model: what is computed, whatever the labels on it say."""

from __future__ import annotations

import hashlib
import re
from importlib import metadata
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from doseopt_bayes import names
from doseopt_bayes.errors import DoseOptError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["fingerprint", "refuse_another"]

ADDRESS: Final = re.compile(r" at 0x[0-9a-f]+")  # another one in each process


def fingerprint(model: Any) -> str:
    """SHA-256 over the graph of a model: every operation, constant, name and transform.

    Parameters
    ----------
    model
        A ``pymc.Model``.

    Returns
    -------
    str
        The same in every process for the same graph and the same versions of PyMC and PyTensor; another
        one when a prior's number, a dose or a term of the likelihood changes. Whole numbers in data
        containers are the trial's counts, and what lies over patients or slots of pending ones is theirs:
        neither counts here, as the data have a sum of their own.
    """
    lines: list[str] = []
    known: dict[Any, int] = {}
    of_people = {names.PATIENT, names.POOLED, names.SLOT}
    counts = {
        id(v): str(v.name)
        for v in model.data_vars
        if v.dtype.startswith("int") or of_people & set(model.named_vars_to_dims.get(v.name, ()))
    }
    roots = {
        "free": model.free_RVs,
        "observed": model.observed_RVs,
        "deterministic": model.deterministics,
        "potential": model.potentials,
    }
    for kind, variables in roots.items():
        for v in variables:
            at = _walk(v, lines, known, counts)
            seen = model.rvs_to_values.get(v)
            given = "-" if seen is None or kind == "free" else _walk(seen, lines, known, counts)
            transform = type(model.rvs_to_transforms.get(v)).__qualname__
            lines.append(f"{kind} {v.name} = {at}, observed {given}, {transform}")
    for dims in (model.named_vars_to_dims, model.coords):
        lines += [f"{name}: {value!r}" for name, value in sorted(dims.items())]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def refuse_another(attrs: Mapping[Any, Any], printed: str, model: Any) -> None:
    """Refuse a model that is not the one of a posterior.

    Parameters
    ----------
    attrs
        Attributes of the posterior; without a fingerprint nothing is known of its model.
    printed
        The recipe of `model` as text, which decides when PyMC or PyTensor have been changed since:
        these may write the same model as another graph.
    model
        A ``pymc.Model``.

    Raises
    ------
    DoseOptError
        When they differ.
    """
    kept = attrs.get("model_fingerprint")
    if not kept:
        return
    changed = any(attrs.get(f"version_{p}") != metadata.version(p) for p in ("pymc", "pytensor"))
    if attrs.get("model") != printed if changed else kept != fingerprint(model):
        raise DoseOptError(
            "this model is not the model of the posterior (their fingerprints differ)",
            hint="pass the model that was fitted; if its code was edited since, fit it again",
        )


def _walk(end: Any, lines: list[str], known: dict[Any, int], counts: dict[int, str]) -> int:
    """Write the variables that `end` is made of, each once, and return its number."""
    stack = [end]
    while stack:
        v = stack[-1]
        if v in known:
            stack.pop()
            continue
        inputs = list(v.owner.inputs) if v.owner is not None else []
        waiting = [i for i in reversed(inputs) if i not in known]
        if waiting:
            stack += waiting
            continue
        known[v] = len(known)
        said = _leaf(v, counts) if v.owner is None else _node(v, known)
        lines.append(f"{known[v]}: {v.type} {said}")
        stack.pop()
    return known[end]


def _node(v: Any, known: dict[Any, int]) -> str:
    """Say which operation gives `v`, and from what."""
    op = v.owner.op
    parts = [f"{p}={getattr(op, p)!r}" for p in op.__props__ or ()] if _has_props(op) else []
    inner = getattr(op, "fgraph", None)
    if inner is not None:  # a graph inside: a scan, or a distribution made of others
        below: list[str] = []
        numbers = {x: i for i, x in enumerate(inner.inputs)}
        ends = [_walk(x, below, numbers, {}) for x in inner.outputs]
        parts = [*below, f"gives {ends}"]
    said = f"{type(op).__module__}.{type(op).__qualname__} {op} {' '.join(parts)}"
    given = [known[i] for i in v.owner.inputs]
    return ADDRESS.sub("", f"{said} of {given}, output {v.owner.outputs.index(v)}")


def _has_props(op: Any) -> bool:
    return isinstance(getattr(op, "__props__", None), tuple)


def _leaf(v: Any, counts: dict[int, str]) -> str:
    """Say what an input is: data by name, a number by its bytes, a random state not at all."""
    if id(v) in counts:
        return f"counts {counts[id(v)]}"
    value = v.data if hasattr(v, "data") else None
    if value is None and hasattr(v, "get_value"):
        value = v.get_value(borrow=True)
    if isinstance(value, np.random.Generator):
        return "random state"
    if value is None:
        return f"input {v.name}"
    if isinstance(value, np.ndarray | np.generic | float | int):
        x = np.asarray(value)
        if not hasattr(
            v, "data"
        ):  # log doses and the like: their last bits differ between processors
            return f"data {v.name} {x.shape} {[float(f'{e:.12g}') for e in x.ravel()]}"
        return f"{x.dtype} {x.shape} {x.tobytes().hex()}"
    return ADDRESS.sub("", repr(value))
