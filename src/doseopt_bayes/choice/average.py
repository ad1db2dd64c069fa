"""One curve out of several: draws of each model in proportion to its weight."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
import xarray as xr

from doseopt_bayes import names
from doseopt_bayes.choice.averaged_curve import AveragedCurve, shown_weights
from doseopt_bayes.choice.compare import MODEL
from doseopt_bayes.choice.subset import equal_draws
from doseopt_bayes.errors import DoseOptError, did_you_mean
from doseopt_bayes.inference.checks import Diagnostics
from doseopt_bayes.inference.posterior import Posterior
from doseopt_bayes.prediction.by_group import of_one_group

if TYPE_CHECKING:
    from doseopt_bayes.choice.compare import Comparison
    from doseopt_bayes.models.exposure_response import ExposureResponse

__all__ = ["Averaged", "stack"]

SUM: Final = 1e-6  # from 1, of weights


@dataclass(frozen=True, eq=False)
class Averaged:
    """A model-averaged posterior.

    Parameters
    ----------
    model
        The recipe of all members.
    posterior
        Over (chain, draw): the parameters of every member, and the coord ``model`` that says which one
        holds in a draw.
    weights
        Weight of each model that was given; those too small for a draw have none.
    """

    model: AveragedCurve
    posterior: Posterior
    weights: Mapping[str, float]

    def response_at(
        self,
        exposure: Any,
        covariates: Mapping[str, Any] | None = None,
        *,
        time: float | None = None,
    ) -> xr.DataArray:
        """Draws of the averaged mean response.

        Parameters
        ----------
        exposure, covariates, time
            As for ``ExposureResponse.response_at``.

        Returns
        -------
        xarray.DataArray
            Dims chain, draw and exposure, with the coord ``model``.
        """
        found = self.model.response_at(self.posterior.draws, exposure, covariates, time=time)
        return found.transpose(names.CHAIN, names.DRAW, ...)

    def __str__(self) -> str:
        lines = [
            f"{self.model.endpoint} by {self.model.exposure}, averaged over {len(self.weights)} curves:"
        ]
        for label, w in sorted(self.weights.items(), key=lambda x: -x[1]):
            n = int((self.posterior.draws[MODEL] == label).sum())
            lines.append(f"  {label}: weight {w:.3f}, {n} of {self.posterior.n_draws} draws")
        return "\n".join([*lines, *(f"- {note}" for note in self.posterior.notes)])

    __repr__ = __str__


def stack(
    models: Comparison | Mapping[str, tuple[ExposureResponse, Posterior]],
    weights: Mapping[str, float] | None = None,
    *,
    by: Literal["stacking", "pseudo_bma"] = "stacking",
    seed: int = 0,
    draws: int | None = None,
) -> Averaged:
    """Average fitted curves of one endpoint on one exposure.

    Parameters
    ----------
    models
        A comparison, or label to recipe and fit.
    weights
        Label to weight, >= 0, of sum 1; those of the comparison without.
    by
        Which weights of the comparison: of stacking, the mixture that predicts best, which may leave out
        a shape that is nearly as good; or pseudo-BMA+, which keeps it.
    seed
        Of which draws come from which model.
    draws
        At most so many of each fit, over all chains; as many as they have without.

    Returns
    -------
    Averaged
        With draws in exact proportion to the weights, up to one draw.

    Raises
    ------
    DoseOptError
        When the curves are of several endpoints, exposures or response families, or the weights are none.

    Notes
    -----
    A mixture of posteriors (Yao et al. 2018). A draw carries the parameters of every member and names
    the one that holds; which draws these are is random and says nothing of the parameters.
    """
    notes: tuple[str, ...] = ()
    if isinstance(models, Mapping):
        given = dict(models)
    else:
        if by not in ("stacking", "pseudo_bma"):
            raise DoseOptError(f"by = {by!r}", hint="'stacking' or 'pseudo_bma'")
        own = models.weights if by == "stacking" else models.pseudo_bma
        weights = own if weights is None else weights
        given = {k: (m, models.posteriors[k]) for k, m in models.models.items()}
        notes = tuple(n for n in models.sentences()[1:] if n not in models.notes)
    for model, _ in given.values():
        of_one_group("a model-averaged curve", model)
    if not given or weights is None:
        raise DoseOptError(
            "an average needs models and weights", hint="pass weights={'emax': 0.7, ...}"
        )
    weights = _checked(given, weights)
    kept = {k: given[k] for k, w in weights.items() if w > 0}
    _alike(kept)
    single = {k: equal_draws(post, draws, seed) for k, (_, post) in kept.items()}
    chains = min(p.draws.sizes[names.CHAIN] for p in single.values())
    length = min(p.draws.sizes[names.DRAW] for p in single.values())
    part = {names.CHAIN: slice(chains), names.DRAW: slice(length)}
    which = _allotted(np.array([weights[k] for k in kept]), chains * length, seed)
    member = xr.DataArray(
        np.array(list(kept))[which].reshape(chains, length),
        dims=(names.CHAIN, names.DRAW),
        name=MODEL,
    )
    cut = {k: p.draws.isel(part) for k, p in single.items()}
    parts = [x.rename({str(v): f"{k}:{v}" for v in x.data_vars}) for k, x in cut.items()]
    together = xr.merge(parts, join="exact").assign_coords({MODEL: member})
    recipes = {k: model for k, (model, _) in kept.items()}
    for name in next(iter(recipes.values())).response.parameters:
        chosen: Any = None  # a parameter of the scatter: that of the member
        for k, x in cut.items():
            chosen = x[name] if chosen is None else x[name].where(member == k, chosen)
        together[name] = chosen
    first = next(iter(single.values()))
    tree = xr.DataTree.from_dict({"posterior": together})
    for group in ("seen", "constant_data"):
        if group in first.tree:
            tree[group] = first.tree[group]
    tree.attrs.update(first.tree.attrs)
    tree.attrs.update(model_weights=shown_weights(weights), average_seed=int(seed))
    checks = tuple(
        replace(c, name=f"{k}: {c.name}") for k, p in single.items() for c in p.diagnostics.checks
    )
    said = (
        f"model average: {shown_weights(weights)}",
        *notes,
        *_joined({k: p.notes for k, p in single.items()}),
    )
    parameters = tuple(f"{k}:{n}" for k, p in single.items() for n in p.parameters)
    posterior = Posterior(tree, parameters, Diagnostics(checks, first.diagnostics.table), said)
    return Averaged(AveragedCurve(recipes, {k: weights[k] for k in kept}), posterior, weights)


def _checked(given: Mapping[str, Any], weights: Mapping[str, float]) -> dict[str, float]:
    for label in weights:
        if label not in given:
            raise DoseOptError(f"a weight for '{label}'", hint=did_you_mean(label, list(given)))
    found = {label: float(weights.get(label, 0.0)) for label in given}
    if not (min(found.values()) >= 0 and abs(sum(found.values()) - 1) < SUM):
        raise DoseOptError(f"weights {found} must be >= 0 and sum to 1")
    return found


def _alike(kept: Mapping[str, tuple[ExposureResponse, Posterior]]) -> None:
    label, (first, _) = next(iter(kept.items()))
    for other, (one, _) in kept.items():
        for what in ("endpoint", "exposure", "unit", "response"):
            mine, theirs = getattr(first, what), getattr(one, what)
            if mine != theirs:
                raise DoseOptError(
                    f"'{label}' has {what} {mine!r} and '{other}' {theirs!r}: no one curve averages them",
                    hint="average curves of one endpoint on one exposure axis",
                )


def _allotted(weight: np.ndarray, n: int, seed: int) -> np.ndarray:
    """Model of each of `n` draws: shares within one draw of the weights, in random places."""
    edges = np.round(np.cumsum(weight / weight.sum()) * n).astype(int)
    found = np.repeat(np.arange(weight.size), np.diff(edges, prepend=0))
    return np.random.default_rng(seed).permutation(found)


def _joined(notes: Mapping[str, tuple[str, ...]]) -> list[str]:
    """Notes that all fits share once, the others with the label of their fit."""
    every = set.intersection(*map(set, notes.values()))
    own = [f"{k}: {n}" for k, said in notes.items() for n in said if n not in every]
    return [*own, *(n for n in next(iter(notes.values())) if n in every)]
