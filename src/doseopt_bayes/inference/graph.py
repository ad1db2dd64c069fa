"""Batched functions from the very PyMC graph that NUTS samples: no likelihood is written twice.

The graph of a model gives, for many parameter vectors at once, the log prior and the log probability of
every outcome that a patient can have. Neither depends on the data: the log-likelihood of a trial is the
sum of its counts times these, so that one program serves any number of trials and patients.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from scipy.stats import qmc

from doseopt_bayes import names
from doseopt_bayes.data.trial import TrialData
from doseopt_bayes.errors import DoseOptError
from doseopt_bayes.inference.arrays import by_arrays
from doseopt_bayes.inference.compiled import KEPT, interpreted
from doseopt_bayes.inference.fingerprint import fingerprint
from doseopt_bayes.models.tallied import PAIR, groups_of
from doseopt_bayes.priors import parameter_names

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from doseopt_bayes.models.base import DoseModel

__all__ = ["Evaluated", "ParticleProgram", "layout_of", "program_for"]

FLOOR: Final = -1e300  # in place of -inf, which times a count of 0 is not a number
INSIDE: Final = 1e-12  # how far from 0 and 1 the probabilities of a quantile function stay


@dataclass(frozen=True, eq=False)
class Evaluated:
    """What a graph says of `n` particles.

    Parameters
    ----------
    log_prior
        (n,): log density of the free parameters on the unconstrained scale, Jacobian included.
    log_p
        (n, outcomes): log probability of each outcome, in the order of ``ParticleProgram.outcomes``.
    p
        Name to (n, *groups, dose): the probability of each endpoint.
    """

    log_prior: np.ndarray
    log_p: np.ndarray
    p: Mapping[str, np.ndarray]


def layout_of(model: Any) -> dict[str, tuple[slice, tuple[int, ...]]]:
    """Return columns and shape of each free parameter in the unconstrained vector, by name."""
    point, at, found = model.initial_point(), 0, {}
    for rv in model.free_RVs:
        shape = np.shape(point[model.rvs_to_values[rv].name])
        found[str(rv.name)] = (slice(at, at + int(np.prod(shape))), shape)
        at += int(np.prod(shape))
    return found


@dataclass(eq=False)
class ParticleProgram:
    """The compiled functions of one recipe. Build it with :func:`program_for`.

    Parameters
    ----------
    recipe
        The model without data.
    model
        Its ``pymc.Model``, with no patients in it.

    Raises
    ------
    DoseOptError
        When the model has potentials, observed nodes that are not counts over ``p_cell`` or over the
        probability of an endpoint, or probabilities that depend on the data.
    """

    recipe: DoseModel
    model: Any
    kept: dict[Any, Any] = field(default_factory=dict)  # what callers keep beside it, by their key

    def __post_init__(self) -> None:
        ends = self.recipe.endpoints
        known = {"outcomes", *(f"{e}_{kind}" for e in ends for kind in ("only", "together"))}
        strange = [v.name for v in self.model.observed_RVs if v.name not in known]
        strange += [v.name for v in self.model.potentials]
        if strange:
            raise DoseOptError(
                f"{type(self.recipe).__name__}: {', '.join(strange)} is no count over p_cell or over the "
                "probability of an endpoint, so that particles cannot stand in for NUTS",
                hint="observe through doseopt_bayes.models.joint.observe, or use fit()",
            )

    @property
    def has_cells(self) -> bool:
        """Whether the outcomes of a patient are listed in ``p_cell``."""
        return names.P_CELL in self.model.named_vars

    @property
    def by_margin(self) -> tuple[str, ...]:
        """Endpoints that have outcomes of their own, whatever the cells say."""
        return tuple(e for e in self.recipe.endpoints if not (self.has_cells and e in PAIR))

    @property
    def together(self) -> tuple[str, ...]:
        """Endpoints that all groups have in common, and may be known for all of them together."""
        nodes = {v.name for v in self.model.observed_RVs}
        return tuple(e for e in self.recipe.endpoints if f"{e}_together" in nodes)

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the groups and of the doses."""
        groups = groups_of(self.recipe).values()
        return (*(len(levels) for levels in groups), len(self.recipe.doses))

    @cached_property
    def outcomes(self) -> tuple[tuple[str, str], ...]:
        """What each column of ``log_p`` is about: (endpoint, outcome), for each group and dose.

        Groups are slowest, then doses. The columns of `together` follow: event and none, doses
        slowest, endpoint by endpoint.
        """
        cells = [(names.CELL, c) for c in names.CELLS] if self.has_cells else []
        return (*cells, *((e, x) for e in self.by_margin for x in ("event", "none")))

    @property
    def pair(self) -> tuple[tuple[str, str], ...]:
        """Outcomes of patients of whom only one of tox and eff is known: columns of `with_pair`."""
        return tuple((e, x) for e in PAIR for x in ("event", "none")) if self.has_cells else ()

    def with_pair(self, log_p: np.ndarray) -> np.ndarray:
        """Append to ``log_p`` (..., outcomes) the columns of `pair`, sums of the cells."""
        by_dose = self.by_dose(log_p).reshape(*log_p.shape[:-1], -1, len(self.outcomes))
        cell = {c: by_dose[..., i] for i, c in enumerate(names.CELLS)}
        found = []
        for a, b in PAIR.values():
            rest = [c for c in names.CELLS if c not in (a, b)]
            found += [np.logaddexp(cell[a], cell[b]), np.logaddexp(*(cell[c] for c in rest))]
        margins = np.stack(found, axis=-1)
        return np.concatenate([log_p, margins.reshape(*log_p.shape[:-1], -1)], axis=-1)

    def by_dose(self, log_p: np.ndarray) -> np.ndarray:
        """Return (..., *groups, dose, outcome) from the columns of ``log_p``, without `together`."""
        n = math.prod(self.shape) * len(self.outcomes)
        return log_p[..., :n].reshape(*log_p.shape[:-1], *self.shape, len(self.outcomes))

    @cached_property
    def layout(self) -> Mapping[str, tuple[slice, tuple[int, ...]]]:
        """Columns and shape of each free parameter in the unconstrained vector, by name."""
        return layout_of(self.model)

    @cached_property
    def size(self) -> int:
        """Length of the unconstrained vector."""
        return max(int(columns.stop) for columns, _ in self.layout.values())

    def _batched(self, outputs: Sequence[Any]) -> tuple[Any, list[Any]]:
        """Return the input (particle, parameter) and the outputs with a first dim of particles."""
        import pytensor.tensor as pt  # noqa: PLC0415  (PyMC takes seconds to import)
        from pytensor.compile.ops import ViewOp  # noqa: PLC0415
        from pytensor.compile.sharedvalue import SharedVariable  # noqa: PLC0415
        from pytensor.graph.replace import clone_replace, vectorize_graph  # noqa: PLC0415
        from pytensor.graph.traversal import ancestors  # noqa: PLC0415

        # a label on a variable is an operation that would hide log(exp(x)) from the compiler
        while labels := {
            v: v.owner.inputs[0]
            for v in ancestors(outputs)
            if v.owner is not None and isinstance(v.owner.op, ViewOp)
        }:
            outputs = clone_replace(outputs, labels)
        used = [d for d in self.model.data_vars if d in set(ancestors(outputs))]
        if counts := [d.name for d in used if d.dtype.startswith("int")]:
            raise DoseOptError(
                f"{type(self.recipe).__name__}: probabilities depend on {', '.join(counts)}",
                hint="a probability follows from parameters and doses alone",
            )
        # doses and the lengths of dims are the recipe's: they become constants
        shared = [v for v in ancestors(outputs) if isinstance(v, SharedVariable)]
        fixed = {v: pt.constant(v.get_value(), dtype=v.dtype) for v in shared}
        outputs = clone_replace(outputs, fixed)
        z = pt.matrix("z", dtype="float64")
        by_name = {
            self.model.rvs_to_values[rv]: z[:, self.layout[rv.name][0]].reshape(
                (z.shape[0], *self.layout[rv.name][1])
            )
            for rv in self.model.free_RVs
        }
        return z, vectorize_graph(outputs, replace=by_name)

    @cached_property
    def _program(self) -> Any:
        import pytensor.tensor as pt  # noqa: PLC0415

        model = self.model
        parts = model.logp(vars=model.free_RVs, jacobian=True, sum=False)
        ends = [names.probability(e) for e in self.recipe.endpoints]
        cells = [names.P_CELL] if self.has_cells else []
        found = model.replace_rvs_by_values([model[v] for v in [*cells, *ends]])
        p = dict(zip([*cells, *ends], found, strict=True))
        logs = [pt.log(p[names.P_CELL])] if cells else []
        for e in self.by_margin:
            margin = p[names.probability(e)]
            logs.append(pt.stack([pt.log(margin), pt.log1p(-margin)], axis=-1))
        total = sum((x.sum() for x in parts), pt.constant(0.0))
        log_p = pt.concatenate(logs, axis=-1)
        if self.together:
            common = [p[names.probability(e)][(0,) * (len(self.shape) - 1)] for e in self.together]
            rest = [pt.stack([pt.log(m), pt.log1p(-m)], axis=-1).ravel() for m in common]
            log_p = pt.concatenate([log_p.ravel(), *rest])
        z, outputs = self._batched([total, log_p, *(p[e] for e in ends)])
        return by_arrays(z, outputs)

    def evaluate(self, z: np.ndarray) -> Evaluated:
        """Evaluate particles.

        Parameters
        ----------
        z
            (n, size): unconstrained free parameters, columns as in `layout`.

        Returns
        -------
        Evaluated
            Impossible values have log prior -inf; log probabilities stay above -1e300.
        """
        log_prior, log_p, *p = self._program(np.ascontiguousarray(z, dtype=float))
        log_prior[np.isnan(log_prior)] = -np.inf
        np.fmax(log_p, FLOOR, out=log_p)
        ends = [names.probability(e) for e in self.recipe.endpoints]
        return Evaluated(log_prior, log_p.reshape(len(z), -1), dict(zip(ends, p, strict=True)))

    @cached_property
    def derived(self) -> tuple[str, ...]:
        """Parameters that follow from free ones: the groups' values around their centre."""
        made = {v.name for v in self.model.deterministics}
        return tuple(n for n in parameter_names(self.recipe.priors) if n in made)

    @cached_property
    def _natural(self) -> Any:
        wanted = [*self.model.free_RVs, *(self.model[n] for n in self.derived)]
        z, outputs = self._batched(self.model.replace_rvs_by_values(wanted))
        return by_arrays(z, outputs)

    def natural(self, z: np.ndarray) -> dict[str, np.ndarray]:
        """Return the parameters on their own scale: name to (n, ...), from (n, size)."""
        plain = not any(self.model.rvs_to_transforms[v] for v in self.model.free_RVs)
        if plain and not self.derived:
            return {k: z[:, at].reshape(-1, *shape) for k, (at, shape) in self.layout.items()}
        found = self._natural(np.ascontiguousarray(z, dtype=float))
        called = [*(v.name for v in self.model.free_RVs), *self.derived]
        return dict(zip(called, found, strict=True))

    def prior(self, n: int, seed: int) -> np.ndarray:
        """Draw `n` particles from the prior, (n, size), unconstrained.

        Quasi-random (scrambled Sobol) when every free parameter is a number whose distribution has a
        quantile function in PyMC; pseudo-random otherwise.
        """
        if self._quantiles is None:
            return self._random(n, seed)
        sobol = qmc.Sobol(self.size, rng=np.random.default_rng(seed))
        u = sobol.random_base2(max(0, (n - 1).bit_length()))[:n]
        found: np.ndarray = np.stack(self._quantiles(u.clip(INSIDE, 1 - INSIDE)), axis=1)
        return found

    @cached_property
    def _quantiles(self) -> Any:
        import pytensor.tensor as pt  # noqa: PLC0415
        from pymc.logprob.basic import icdf  # noqa: PLC0415
        from pytensor.graph.traversal import ancestors  # noqa: PLC0415

        model, free = self.model, self.model.free_RVs
        u = pt.matrix("u", dtype="float64")
        columns = []
        for rv, at in zip(free, range(len(free)), strict=True):
            if rv.ndim or (set(ancestors([rv])) & set(free)) != {rv}:
                return None
            try:
                x = icdf(rv, u[:, at], warn_rvs=False)
            except (NotImplementedError, TypeError):
                return None
            transform = model.rvs_to_transforms[rv]
            columns.append(x if transform is None else transform.forward(x, *rv.owner.inputs))
        return interpreted([u], columns)

    def _random(self, n: int, seed: int) -> np.ndarray:
        from pymc.pytensorf import reseed_rngs  # noqa: PLC0415

        program, generators = self._sampler
        reseed_rngs(generators, seed)
        return np.concatenate([x.reshape(n, -1) for x in program(n)], axis=1)

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
        batched = {v: change_dist_size(v, (many,), expand=True) for v in tops}
        outputs = vectorize_graph(moved, replace=batched)
        return interpreted([many], outputs), find_rng_nodes(outputs)


_PROGRAMS: OrderedDict[str, ParticleProgram] = OrderedDict()
_RECIPES: OrderedDict[int, tuple[DoseModel, ParticleProgram]] = OrderedDict()


def program_for(recipe: DoseModel) -> ParticleProgram:
    """Return the program of `recipe`, compiled once in this process.

    Two recipes share one only when their graphs agree, to the last digit of each prior.

    Raises
    ------
    DoseOptError
        When the model cannot be run on particles.
    """
    if id(recipe) in _RECIPES:  # frozen: the same object is the same model
        _RECIPES.move_to_end(id(recipe))
        return _RECIPES[id(recipe)][1]
    model = recipe.build(TrialData.empty(recipe.doses, recipe.unit))
    key = fingerprint(model)
    program = _PROGRAMS.pop(key, None) or ParticleProgram(recipe, model)
    for cache in (_PROGRAMS, _RECIPES):
        while len(cache) >= KEPT:
            cache.popitem(last=False)
    _PROGRAMS[key] = program
    _RECIPES[id(recipe)] = (recipe, program)
    return program
