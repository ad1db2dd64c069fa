"""A posterior with the Monte Carlo error of every number that is read from it."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Self

import arviz_stats as azs
import numpy as np
import xarray as xr
from arviz_stats.base import array_stats

from doseopt_bayes import names
from doseopt_bayes.errors import DoseOptError, did_you_mean
from doseopt_bayes.inference.levels import WORST_ESS, groupings, one_level

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from doseopt_bayes.inference.checks import Diagnostics

__all__ = ["Posterior", "probabilities", "scalars"]


def probabilities(draws: xr.Dataset) -> tuple[str, ...]:
    """Return the variables that hold one endpoint's probability at each dose: p_tox, p_eff, others."""
    pair = (names.P_TOX, names.P_EFF)
    found = [
        str(v)
        for v, x in draws.data_vars.items()
        if str(v).startswith("p_") and names.DOSE in x.dims and names.CELL not in x.dims
    ]
    return (*(v for v in pair if v in found), *(v for v in found if v not in pair))


def scalars(
    draws: xr.Dataset, variables: Iterable[str], sample_dims: Sequence[str]
) -> dict[str, xr.DataArray]:
    """Return the draws of every number; an element of a vector is called ``name[label, ...]``."""
    flat: dict[str, xr.DataArray] = {}
    for title, name, at in _elements(draws, variables, sample_dims):
        flat[title] = draws[name].sel(at).reset_coords(drop=True).rename(title)
    return flat


def _elements(
    draws: xr.Dataset, variables: Iterable[str], sample_dims: Sequence[str]
) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield title, variable and labels of every number."""
    for name in variables:
        rest = [str(d) for d in draws[name].dims if d not in sample_dims]
        for label in itertools.product(*(draws[name][d].to_numpy() for d in rest)):
            at = dict(zip(rest, label, strict=True))
            yield _title(name, at), name, at


def _title(name: str, at: Mapping[str, Any]) -> str:
    said = ", ".join(f"{v:g}" if isinstance(v, float) else str(v) for v in at.values())
    return f"{name}[{said}]" if at else name


@dataclass(frozen=True, eq=False)
class Posterior:
    """Draws of a fitted model, labelled, in an ArviZ DataTree.

    Parameters
    ----------
    tree
        Groups ``posterior`` (dims chain, draw, and dose or cell), ``sample_stats``, ``prior``,
        ``observed_data``, ``constant_data`` and ``seen`` (what was observed at each dose).
        Attributes hold sampler, seed, versions and hashes.
    parameters
        Names of the model's free parameters.
    diagnostics
        Verdict of the gate of :mod:`doseopt_bayes.inference.checks`.
    notes
        What the fit did by itself: refits, extensions, warnings.
    sample_dims
        Dims over which draws are averaged.
    """

    tree: xr.DataTree
    parameters: tuple[str, ...]
    diagnostics: Diagnostics
    notes: tuple[str, ...] = ()
    sample_dims: tuple[str, ...] = (names.CHAIN, names.DRAW)
    random: ClassVar[bool] = True  # whether errors are those of draws; else they are bounds

    @cached_property
    def draws(self) -> xr.Dataset:
        """Posterior draws as a Dataset, doses ascending."""
        return _ascending(self.tree["posterior"].to_dataset())

    @cached_property
    def seen(self) -> xr.Dataset:
        """What was observed: n_treated (dose), n and events (dose, endpoint); doses ascending."""
        return _ascending(self.tree["seen"].to_dataset())

    @cached_property
    def n_draws(self) -> int:
        """Return the number of draws over all chains."""
        return int(np.prod([self.draws.sizes[d] for d in self.sample_dims]))

    @cached_property
    def min_ess(self) -> float:
        """Smallest bulk effective sample size of the free parameters; without any, of the p_*."""
        if WORST_ESS in self.tree.attrs:  # a part is known no better than the fit that it is of
            return float(self.tree.attrs[WORST_ESS])
        read = list(self.parameters or probabilities(self.draws) or map(str, self.draws.data_vars))
        ess = azs.ess(self.draws[read], sample_dims=list(self.sample_dims))
        return max(1.0, min(float(v.min()) for v in ess.data_vars.values()))

    def __getitem__(self, name: str) -> xr.DataArray:
        """Draws of one variable, with a helpful refusal of an unknown one."""
        if name not in self.draws:
            known = [str(v) for v in self.draws.data_vars]
            raise DoseOptError(f"the posterior has no '{name}'", hint=did_you_mean(name, known))
        return self.draws[name]

    def expect(self, x: xr.DataArray) -> xr.DataArray:
        """Posterior mean of `x`, whose dims include the sample dims."""
        return x.mean(self.sample_dims)

    def prob(self, event: xr.DataArray) -> xr.DataArray:
        """Posterior probability of a boolean `event`."""
        return self.expect(event.astype(float))

    def below(self, variable: str, limit: float) -> tuple[xr.DataArray, xr.DataArray]:
        """Pr(variable < limit) and its Monte Carlo error; an engine without draws overrides it."""
        event = self[variable] < limit
        return self.prob(event), self.mcse(event)

    def exceeds(self, variable: str, limit: float) -> tuple[xr.DataArray, xr.DataArray]:
        """Pr(variable > limit) and its Monte Carlo error."""
        event = self[variable] > limit
        return self.prob(event), self.mcse(event)

    def between(self, variable: str, low: float, high: float) -> tuple[xr.DataArray, xr.DataArray]:
        """Pr(low < variable <= high), with 0 inside when it is `low`, and its Monte Carlo error."""
        x = self[variable]
        event = ((x > low) | (x == 0 if low == 0 else False)) & (x <= high)
        return self.prob(event), self.mcse(event)

    def quantile(self, x: xr.DataArray, q: float) -> xr.DataArray:
        """Posterior quantile of `x` at level `q`."""
        return x.quantile(q, dim=self.sample_dims).drop_vars("quantile")

    def mcse(self, x: xr.DataArray, *, q: float | None = None) -> xr.DataArray:
        """Monte Carlo standard error of the mean of `x`, or of its quantile at `q`.

        Parameters
        ----------
        x
            Draws with the sample dims. A boolean `x` is an event.
        q
            Level of a quantile; ``None`` for the mean.

        Returns
        -------
        xarray.DataArray
            Over the other dims of `x`. The error of a probability never falls below
            sqrt(p (1 - p) / ESS) with p = (events + 1/2) / (draws + 1): when all draws agree, the
            event is rare, not impossible. There the ESS is the worst of the free parameters.

        Notes
        -----
        Effective sample sizes after Vehtari et al. (2021), through ArviZ.
        """
        dims = list(self.sample_dims)
        if q is not None:
            return _dataarray(azs.mcse(_named(x), sample_dims=dims, method="quantile", prob=q))
        found: xr.DataArray = xr.apply_ufunc(self._error, x, input_core_dims=[dims])
        return found

    def _error(self, x: np.ndarray) -> np.ndarray:
        """Error of the mean over the last axes, the sample dims, in plain arrays for speed."""
        axes = tuple(range(-len(self.sample_dims), 0))
        number = x.astype(float)
        chains = -2 if len(axes) == 2 else None
        ess = array_stats.ess(number, chain_axis=chains, draw_axis=-1, method="mean")
        constant = x.max(axes) == x.min(axes)
        with np.errstate(invalid="ignore"):
            error = np.where(constant, 0.0, number.std(axes, ddof=1) / np.sqrt(ess))
        if x.dtype != bool:
            return error
        ess = np.where(constant | ~np.isfinite(ess), self.min_ess, ess).clip(1.0, self.n_draws)
        p = (number.sum(axes) + 0.5) / (self.n_draws + 1)
        least: np.ndarray = np.fmax(error, np.sqrt(p * (1 - p) / ess))
        return least

    def mcse_of_gaps(self, x: xr.DataArray, at: xr.DataArray) -> xr.DataArray:
        """Monte Carlo error of the mean of `x` at one dose less its mean at each dose.

        Parameters
        ----------
        x
            Draws with the sample dims and dose.
        at
            Over dose: True at the one dose; where it is True nowhere, the mean there counts as 0.
        """
        return self.mcse(x.where(at, 0).sum(names.DOSE) - x)

    def errors_of_sum(
        self, slopes: Mapping[str, xr.DataArray], at: xr.DataArray
    ) -> tuple[xr.DataArray, xr.DataArray] | None:
        """Monte Carlo errors of a linear sum of means, where they need no draws of the sum.

        Parameters
        ----------
        slopes
            Variable to its factor at each dose.
        at
            Where the gaps start, as for :meth:`mcse_of_gaps`.

        Returns
        -------
        tuple or None
            Error at each dose and of each gap; ``None`` when only draws of the sum tell.
        """
        return None

    def some(self, at: np.ndarray) -> Posterior:
        """Return the posteriors at some positions of the dim trial, where there is one."""
        raise TypeError(f"{type(self).__name__} has no dim trial")

    @property
    def groupings(self) -> tuple[str, ...]:
        """Groupings of patients, such as ``"subgroup"``, that the probabilities lie over."""
        return groupings(self.tree)

    def at(self, **levels: str) -> Self:
        """Return the posterior of one level of a grouping, without that dim in any group of the tree.

        Parameters
        ----------
        **levels
            Grouping to level, for example ``post.at(subgroup="mBCC")``. Groupings that are not named
            stay.

        Returns
        -------
        Posterior
            Of the same kind, with the same draws, notes and verdict of the gate, which judged the whole
            fit; its table keeps this level's quantities, under the names that they now have.

        Raises
        ------
        DoseOptError
            On an unknown grouping or level.
        """
        tree = one_level(self.tree, levels)
        tree.attrs[WORST_ESS] = self.min_ess
        table, kept = self.diagnostics.table, {}
        if "quantity" in table.dims:
            draws = self.tree["posterior"].to_dataset()
            known = set(table["quantity"].to_numpy().tolist())
            for title, name, at in _elements(draws, map(str, draws.data_vars), self.sample_dims):
                # a label equal to that of a dim that the number does not have is this level's too
                if title in known and all(at.get(d, v) == v for d, v in levels.items()):
                    kept[title] = _title(name, {d: v for d, v in at.items() if d not in levels})
            table = table.sel(quantity=list(kept)).assign_coords(quantity=list(kept.values()))
        return replace(self, tree=tree, diagnostics=replace(self.diagnostics, table=table))

    def check(self) -> Diagnostics:
        """Verdict of the diagnostics gate, printable."""
        return self.diagnostics


def _ascending(group: xr.Dataset) -> xr.Dataset:
    # "the lowest dose" is read off the order: a tree from elsewhere may have another one
    # and a curve of exposure has no doses
    ascends = names.DOSE not in group.indexes or group.indexes[names.DOSE].is_monotonic_increasing
    return group if ascends else group.sortby(names.DOSE)


def _named(x: xr.DataArray) -> xr.Dataset:
    return x.to_dataset(name="x")


def _dataarray(result: Any) -> xr.DataArray:
    found: xr.DataArray = result["x"].rename(None)
    return found
