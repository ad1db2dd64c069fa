"""Models compiled once per recipe: new patients change the data, not the program.

Two recipes share a program only when their graphs agree, that is operations, doses and priors to the
last digit. The programs live as long as the process; PyTensor keeps their machine code on disk.
"""

from __future__ import annotations

import warnings
from collections import OrderedDict
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import xarray as xr

from doseopt_bayes import names
from doseopt_bayes.inference.fingerprint import fingerprint
from doseopt_bayes.models.exnex import SEEN

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    import numpy as np

    from doseopt_bayes.models.base import Recipe

__all__ = ["Compiled", "compiled_for", "interpreted", "strict_floats"]

KEPT: Final = 8  # programs kept; the one unused for longest goes first


def strict_floats() -> AbstractContextManager[None]:
    """Compile without fast-math, which gives other last bits after a cold start than from cache."""
    import pytensor  # noqa: PLC0415  (PyMC takes seconds to import)

    flags: AbstractContextManager[None] = pytensor.config.change_flags(numba__fastmath=False)
    return flags


def interpreted(inputs: Sequence[Any], outputs: Sequence[Any]) -> Any:
    """Return a function that runs node by node: for what is called once, compiling costs more."""
    import pymc as pm  # noqa: PLC0415
    from pytensor.compile.mode import Mode  # noqa: PLC0415

    return pm.compile(inputs, list(outputs), mode=Mode(linker="py", optimizer="fast_compile"))


@dataclass(eq=False)
class Compiled:
    """A PyMC model whose data are set anew for each use, and its programs.

    Parameters
    ----------
    model
        The ``pymc.Model``.
    """

    model: Any

    def data(self) -> dict[str, np.ndarray]:
        """Return the values of the model's data containers."""
        return {d.name: d.get_value() for d in self.model.data_vars}

    @cached_property
    def _nuts(self) -> Any:
        import nutpie  # noqa: PLC0415

        with strict_floats():
            return nutpie.compile_pymc_model(self.model)

    def nuts(self) -> Any:
        """Return nutpie's program with the present data."""
        return self._nuts.with_data(**self.data())

    @cached_property
    def _forward(self) -> tuple[Any, list[Any], dict[str, list[str]]]:
        import pymc as pm  # noqa: PLC0415
        import pytensor.tensor as pt  # noqa: PLC0415
        from pymc.distributions.shape_utils import change_dist_size  # noqa: PLC0415
        from pymc.pytensorf import find_rng_nodes  # noqa: PLC0415
        from pytensor.graph.replace import vectorize_graph  # noqa: PLC0415
        from pytensor.graph.traversal import ancestors  # noqa: PLC0415

        model = self.model
        groups = {"prior": [*model.free_RVs, *model.deterministics],
                  "prior_predictive": model.observed_RVs}  # fmt: skip
        labels = {group: [v.name for v in variables] for group, variables in groups.items()}
        many = pt.iscalar("draws")
        free = set(model.free_RVs)
        tops = [v for v in model.free_RVs if not free & (set(ancestors([v])) - {v})]
        batched = {v: change_dist_size(v, (many,), expand=True) for v in tops}
        # PyTensor 3.3 looks at the first parameter of a distribution alone to see whether it is
        # batched, and in a binomial that is the number of patients
        people, dims = {names.PATIENT, names.POOLED, names.SLOT}, model.named_vars_to_dims
        batched |= {
            d: pt.broadcast_to(d, (many, *d.shape))
            for d in model.data_vars
            if not people & set(dims.get(d.name, ()))
        }
        # before the data, a group belongs to the others with its prior share: nobody was seen
        batched |= {d: pt.zeros_like(x) for d, x in batched.items() if d.name == SEEN}
        outputs = vectorize_graph([v for g in groups.values() for v in g], replace=batched)
        outputs += [model.rvs_to_values[v] for v in model.observed_RVs]
        with strict_floats(), warnings.catch_warnings():
            # a truncated prior is drawn by SciPy: slower, not worse
            warnings.filterwarnings("ignore", "Numba will use object mode")
            program = pm.compile(inputs=[many], outputs=outputs)
            program(2)
        return program, find_rng_nodes(outputs), labels

    def forward(self, draws: int, seed: int) -> xr.DataTree:
        """Draw parameters from the prior, and outcomes given them, at the present sample sizes.

        Returns
        -------
        xarray.DataTree
            Groups ``prior`` and ``prior_predictive`` (chain, draw, ...), ``observed_data`` and
            ``constant_data``.
        """
        from pymc.pytensorf import reseed_rngs  # noqa: PLC0415

        program, generators, labels = self._forward
        reseed_rngs(generators, seed)
        columns = iter(program(draws))
        found = {
            group: {
                name: self._labelled(name, next(columns)[None], sampled=True) for name in variables
            }
            for group, variables in labels.items()
        }
        found["observed_data"] = {
            name: self._labelled(name, next(columns), sampled=False)
            for name in labels["prior_predictive"]
        }
        found["constant_data"] = {
            name: self._labelled(name, x, sampled=False) for name, x in self.data().items()
        }
        return xr.DataTree.from_dict({g: xr.Dataset(v) for g, v in found.items()})

    def _labelled(self, name: str, x: np.ndarray, *, sampled: bool) -> xr.DataArray:
        dims = tuple(self.model.named_vars_to_dims.get(name, ()))
        # patients have no labels: others take their place in the same program
        coords = {d: list(c) for d in dims if (c := self.model.coords[d]) is not None}
        if sampled:
            dims = (names.CHAIN, names.DRAW, *dims)
            coords |= {names.CHAIN: [0], names.DRAW: list(range(x.shape[1]))}
        return xr.DataArray(x, dims=dims, coords=coords)


_CACHE: OrderedDict[str, Compiled] = OrderedDict()


def compiled_for(recipe: Recipe, data: Any) -> Compiled:
    """Return the compiled model of `recipe`, holding `data`.

    Parameters
    ----------
    recipe
        A model without data.
    data
        Trial data with the recipe's doses, or exposure data.

    Raises
    ------
    DoseOptError
        When the data do not fit the recipe.
    """
    built = recipe.build(data)  # checks the data, and says which numbers the model reads
    key = fingerprint(built)  # of the graph: a class that was edited and run again keeps its repr
    if key not in _CACHE:
        while len(_CACHE) >= KEPT:
            _CACHE.popitem(last=False)
        _CACHE[key] = Compiled(built)
    _CACHE.move_to_end(key)
    kept = _CACHE[key]
    for container in built.data_vars:
        kept.model[container.name].set_value(container.get_value())
    return kept
