"""A PyTensor graph run by NumPy, an array operation for each node.

NumPy's exponentials and logarithms work on several numbers at once where the processor can, which the
scalar code that PyTensor compiles does not: several times faster on thousands of particles, and nothing
is compiled. Threads may share the function: it keeps no storage between calls.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["by_arrays"]


def _sigmoid(x: np.ndarray) -> np.ndarray:
    found: np.ndarray = np.negative(x)
    np.exp(found, out=found)  # to infinity below -709: a probability of 0
    found += 1.0
    np.divide(1.0, found, out=found)
    return found


def _softplus(x: np.ndarray) -> np.ndarray:
    found: np.ndarray = np.abs(x)
    np.negative(found, out=found)
    np.exp(found, out=found)
    np.log1p(found, out=found)
    found += np.maximum(x, 0.0)
    return found


# operations that PyTensor hands to scalar functions, or that NumPy has under another name
BY_NAME: Final[dict[str, Callable[..., Any]]] = {"Sigmoid": _sigmoid, "Softplus": _softplus}


def by_arrays(
    z: Any, outputs: Sequence[Any], more: Sequence[Any] = ()
) -> Callable[..., list[np.ndarray]]:
    """Turn a graph into a function of arrays.

    Parameters
    ----------
    z
        The first input, for example a matrix variable (particle, parameter).
    outputs
        PyTensor variables that depend on it.
    more
        Further inputs.

    Returns
    -------
    callable
        From an array for each input to a list of new arrays.
    """
    import pytensor  # noqa: PLC0415  (PyMC takes seconds to import)
    from pytensor.compile.mode import Mode  # noqa: PLC0415
    from pytensor.graph.rewriting.db import RewriteDatabaseQuery  # noqa: PLC0415

    # one node for each operation, none that writes over its input
    plain = RewriteDatabaseQuery(include=["fast_run"], exclude=["fusion", "inplace"])
    graph = pytensor.function(
        [z, *more], list(outputs), mode=Mode(linker="py", optimizer=plain), on_unused_input="ignore"
    ).maker.fgraph
    place: dict[Any, int] = {}
    start: list[Any] = []

    def at(variable: Any) -> int:
        if variable not in place:
            place[variable] = len(place)
            start.append(getattr(variable, "data", None) if variable.owner is None else None)
        return place[variable]

    entries = 1 + max(at(x) for x in graph.inputs)  # the inputs have the first places
    nodes = graph.toposort()
    steps = [(_run(n), [at(x) for x in n.inputs], [at(x) for x in n.outputs]) for n in nodes]
    ends = [at(x) for x in graph.outputs]
    last = {i: k for k, (_, ins, _) in enumerate(steps) for i in ins}
    done: list[list[int]] = [[] for _ in steps]
    for i, k in last.items():
        if i not in ends and start[i] is None:
            done[k].append(i)

    def program(*values: np.ndarray) -> list[np.ndarray]:
        store = [*values, *start[entries:]]
        with np.errstate(all="ignore"):  # infinities are what they are, as in compiled code
            for (run, ins, outs), free in zip(steps, done, strict=True):
                found = run(*(store[i] for i in ins))
                if len(outs) == 1:
                    store[outs[0]] = found
                else:
                    for i, x in zip(outs, found, strict=True):
                        store[i] = x
                for i in free:
                    store[i] = None
        # an output may be a view of another or of the input
        return [np.array(store[i]) for i in ends]

    return program


def _run(node: Any) -> Callable[..., Any]:
    """Return what computes the outputs of a node from its inputs."""
    from pytensor.tensor.elemwise import Elemwise  # noqa: PLC0415

    op = node.op
    if isinstance(op, Elemwise):
        kind = type(op.scalar_op).__name__
        if kind in BY_NAME:
            return BY_NAME[kind]
        name, n_in, _ = op.nfunc_spec or ("", 0, 0)
        ufunc = getattr(np, name, None)
        if isinstance(ufunc, np.ufunc):
            if len(node.inputs) == n_in:
                return ufunc
            return lambda *xs: _folded(ufunc, xs)

    def perform(*inputs: Any) -> Any:
        storage: list[list[Any]] = [[None] for _ in node.outputs]
        op.perform(node, list(inputs), storage)
        return storage[0][0] if len(storage) == 1 else tuple(s[0] for s in storage)

    return perform


def _folded(ufunc: np.ufunc, xs: tuple[Any, ...]) -> Any:
    """Sum or multiply more than two arrays."""
    found = ufunc(xs[0], xs[1])
    for x in xs[2:]:
        # a shape that grows by broadcasting needs an array of its own
        fits = (
            isinstance(found, np.ndarray)
            and np.broadcast_shapes(found.shape, np.shape(x)) == found.shape
        )
        found = ufunc(found, x, out=found) if fits else ufunc(found, x)
    return found
