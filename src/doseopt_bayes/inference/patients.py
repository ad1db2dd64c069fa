"""Batched functions of a model whose likelihood runs over patients, from the graph that NUTS samples.

Unlike :mod:`doseopt_bayes.inference.graph`, where a trial is a table of counts, here each patient has an
exposure, covariates and a response: they enter as inputs, so that other patients need no other program.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from doseopt_bayes.inference.arrays import by_arrays
from doseopt_bayes.inference.compiled import KEPT, interpreted
from doseopt_bayes.inference.fingerprint import fingerprint
from doseopt_bayes.inference.graph import layout_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from doseopt_bayes.models.base import Recipe

__all__ = ["PatientProgram", "patient_program"]

CELLS: Final = 1 << 16  # particles times patients at once: what the processor's cache holds


@dataclass(eq=False)
class PatientProgram:
    """The compiled functions of one recipe. Build it with :func:`patient_program`.

    Parameters
    ----------
    model
        A ``pymc.Model`` whose data lie over the dim patient.
    """

    model: Any

    def values(self, model: Any) -> dict[str, np.ndarray]:
        """Return the data of another model with the same graph."""
        return {d.name: np.asarray(d.get_value()) for d in model.data_vars}

    @cached_property
    def layout(self) -> Mapping[str, tuple[slice, tuple[int, ...]]]:
        """Columns and shape of each free parameter in the unconstrained vector, by name."""
        return layout_of(self.model)

    @cached_property
    def size(self) -> int:
        """Length of the unconstrained vector."""
        return max(int(columns.stop) for columns, _ in self.layout.values())

    def _function(self, outputs: Sequence[Any], swap: Mapping[Any, Any], lead: Any) -> Any:
        """Compile outputs over a first dim of particles; data by name become inputs."""
        import pytensor.tensor as pt  # noqa: PLC0415
        from pymc.logprob.utils import CheckParameterValue  # noqa: PLC0415
        from pytensor.compile.ops import ViewOp  # noqa: PLC0415
        from pytensor.compile.sharedvalue import SharedVariable  # noqa: PLC0415
        from pytensor.graph.replace import clone_replace, vectorize_graph  # noqa: PLC0415
        from pytensor.graph.traversal import ancestors  # noqa: PLC0415

        # labels and checks of parameters, which no unconstrained vector fails, cost time alone
        while extra := {
            v: v.owner.inputs[0]
            for v in ancestors(outputs)
            if v.owner is not None and isinstance(v.owner.op, ViewOp | CheckParameterValue)
        }:
            outputs = clone_replace(list(outputs), extra)
        used = set(ancestors(outputs))
        # the lengths of dims that belong to the recipe
        fixed = {
            v: pt.constant(v.get_value(), dtype=v.dtype)
            for v in used
            if isinstance(v, SharedVariable) and v not in set(self.model.data_vars)
        }
        outputs = clone_replace(list(outputs), fixed) if fixed else outputs
        data = {d: d.type(name=d.name) for d in self.model.data_vars if d in used}
        outputs = clone_replace(list(outputs), data) if data else list(outputs)
        outputs = vectorize_graph(outputs, replace=swap)
        made = by_arrays(lead[0], outputs, [*lead[1:], *data.values()])
        return made, [v.name for v in data.values()]

    def _by_vector(self, outputs: Sequence[Any]) -> Any:
        import pytensor.tensor as pt  # noqa: PLC0415

        z = pt.matrix("z", dtype="float64")
        swap = {
            self.model.rvs_to_values[rv]: z[:, self.layout[rv.name][0]].reshape(
                (z.shape[0], *self.layout[rv.name][1])
            )
            for rv in self.model.free_RVs
        }
        return self._function(outputs, swap, [z])

    @cached_property
    def _density(self) -> Any:
        model = self.model
        prior = sum(x.sum() for x in model.logp(vars=model.free_RVs, jacobian=True, sum=False))
        seen = sum(x.sum() for x in model.logp(vars=model.observed_RVs, sum=False))
        return self._by_vector([prior, seen])

    def log_density(
        self, z: np.ndarray, data: Mapping[str, np.ndarray]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return log prior and log likelihood of particles.

        Parameters
        ----------
        z
            (particle, size): unconstrained free parameters, columns as in `layout`.
        data
            Container to its values, as `values` gives them.

        Returns
        -------
        tuple of numpy.ndarray
            (particle,) each; what is not a number is -inf.
        """
        made, wanted = self._density
        given = [data[name] for name in wanted]
        found = [made(z[at], *given) for at in _pieces(len(z), data)]
        prior, seen = (np.concatenate([np.atleast_1d(f[i]) for f in found]) for i in (0, 1))
        return (
            np.where(np.isfinite(prior), prior, -np.inf),
            np.where(np.isfinite(seen), seen, -np.inf),
        )

    @cached_property
    def _natural(self) -> Any:
        kept = [*self.model.free_RVs, *self.model.deterministics]
        return self._by_vector(self.model.replace_rvs_by_values(kept)), [v.name for v in kept]

    def natural(self, z: np.ndarray, data: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return parameters, and what follows from them, on their own scale: name to (particle, ...)."""
        (made, wanted), labels = self._natural
        found = made(np.ascontiguousarray(z, dtype=float), *(data[name] for name in wanted))
        return dict(zip(labels, found, strict=True))

    @cached_property
    def _pointwise(self) -> Any:
        import pytensor.tensor as pt  # noqa: PLC0415
        from pymc.model.transform.conditioning import remove_value_transforms  # noqa: PLC0415

        plain = remove_value_transforms(self.model)
        per_row = [v for v in plain.observed_RVs if v.name == "y"]
        parts = plain.logp(vars=per_row, sum=False)
        each = [x if x.ndim == 1 else x.sum(axis=tuple(range(1, x.ndim))) for x in parts]
        program = PatientProgram(plain)
        swap = {
            plain.rvs_to_values[rv]: pt.tensor(
                rv.name, dtype="float64", shape=(None,) * (1 + rv.ndim)
            )
            for rv in plain.free_RVs
        }
        made = program._function(each, swap, list(swap.values()))
        return made, [v.name for v in swap.values()]

    def pointwise(
        self, draws: Mapping[str, np.ndarray], data: Mapping[str, np.ndarray]
    ) -> np.ndarray:
        """Log likelihood of each patient under each draw.

        Parameters
        ----------
        draws
            Free parameter to (draw, ...), on its own scale.
        data
            Container to its values.

        Returns
        -------
        numpy.ndarray
            (draw, patient); a time to event in intervals is summed over them.
        """
        (made, wanted), labels = self._pointwise
        given = [data[name] for name in wanted]
        n = len(next(iter(draws.values())))
        found = [
            made(*(np.ascontiguousarray(draws[v][at], dtype=float) for v in labels), *given)[0]
            for at in _pieces(n, data)
        ]
        joined: np.ndarray = np.concatenate(found)
        return joined

    @cached_property
    def _sampler(self) -> tuple[Any, list[Any]]:
        import pytensor.tensor as pt  # noqa: PLC0415
        from pymc.distributions.shape_utils import change_dist_size  # noqa: PLC0415
        from pymc.pytensorf import find_rng_nodes  # noqa: PLC0415
        from pytensor.graph.replace import vectorize_graph  # noqa: PLC0415
        from pytensor.graph.traversal import ancestors  # noqa: PLC0415

        model, free = self.model, set(self.model.free_RVs)
        many = pt.iscalar("draws")
        tops = [v for v in model.free_RVs if not free & (set(ancestors([v])) - {v})]
        moved = [
            rv if (t := model.rvs_to_transforms[rv]) is None else t.forward(rv, *rv.owner.inputs)
            for rv in model.free_RVs
        ]
        outputs = vectorize_graph(
            moved, replace={v: change_dist_size(v, (many,), expand=True) for v in tops}
        )
        return interpreted([many], outputs), find_rng_nodes(outputs)

    def prior(self, n: int, seed: int) -> np.ndarray:
        """Draw `n` particles from the prior, (n, size), unconstrained."""
        from pymc.pytensorf import reseed_rngs  # noqa: PLC0415

        program, generators = self._sampler
        reseed_rngs(generators, seed)
        return np.concatenate([x.reshape(n, -1) for x in program(n)], axis=1)


def _pieces(n: int, data: Mapping[str, np.ndarray]) -> Iterator[slice]:
    """Cut particles so that a piece times the patients stays small."""
    patients = max([1, *(np.size(x) for x in data.values())])
    step = max(1, CELLS // patients)
    for start in range(0, n, step):
        yield slice(start, start + step)


_PROGRAMS: OrderedDict[str, PatientProgram] = OrderedDict()


def patient_program(recipe: Recipe, data: Any) -> tuple[PatientProgram, dict[str, np.ndarray]]:
    """Return the program of `recipe`, compiled once in this process, and the data that it reads.

    Two recipes share one only when their graphs agree, to the last digit of each prior.
    """
    model = recipe.build(data)
    key = fingerprint(model)
    program = _PROGRAMS.pop(key, None) or PatientProgram(model)
    while len(_PROGRAMS) >= KEPT:
        _PROGRAMS.popitem(last=False)
    _PROGRAMS[key] = program
    return program, program.values(model)
