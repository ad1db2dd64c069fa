"""Fitted curves by name, with draws that belong together: of one joint fit, or of several fits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import xarray as xr

from doseopt_bayes import names
from doseopt_bayes.errors import DoseOptError
from doseopt_bayes.inference.checks import Diagnostics
from doseopt_bayes.inference.posterior import Posterior
from doseopt_bayes.models.exposure_response import ExposureResponse
from doseopt_bayes.models.joint_exposure import JointExposureResponse

__all__ = ["Fitted", "Part", "fitted"]

Model = ExposureResponse | JointExposureResponse


@dataclass(frozen=True, eq=False)
class Part:
    """One fitted curve.

    Parameters
    ----------
    name
        What a decision calls its endpoint, for example ``"eff"``.
    recipe
        The curve.
    posterior
        Its draws, under the names that the recipe gives them.
    limits
        Lowest and highest exposure of the patients of the fit; ``None`` when that is not known.
    """

    name: str
    recipe: ExposureResponse
    posterior: Posterior
    limits: tuple[float, float] | None

    @property
    def variable(self) -> str:
        """Variable of the mean response: ``p_`` and the name for an event, else the name."""
        binary = self.recipe.response.kind == "binary"
        return names.probability(self.name) if binary else self.name


@dataclass(frozen=True, eq=False)
class Fitted:
    """Curves whose draws belong together, and the posterior that carries them all.

    Parameters
    ----------
    parts
        The curves.
    whole
        A posterior with every draw, the diagnostics and the notes of all fits.
    joint
        The joint model of both endpoints, where there is one.
    """

    parts: tuple[Part, ...]
    whole: Posterior
    joint: JointExposureResponse | None = None


def fitted(
    model: Model | Mapping[str, ExposureResponse], posterior: Posterior | Mapping[str, Posterior]
) -> Fitted:
    """Name the curves of one fit or of several.

    Parameters
    ----------
    model
        A curve, which goes by its endpoint; the joint model (``eff`` and ``tox``); or a mapping from
        names to curves that were fitted apart.
    posterior
        The fit, or a mapping from the same names to the fits.

    Raises
    ------
    DoseOptError
        When models and posteriors do not match.

    Notes
    -----
    Fits apart are independent, and any pairing of their draws is one of their joint posterior. Fits with
    one seed use the same random numbers, so that chain i of one is paired with chain i + 1 of the next.
    """
    if isinstance(model, JointExposureResponse):
        whole = _single(posterior)
        parts = tuple(
            Part(name, one, _renamed(model, whole, name), _seen(whole, f"{name}_x"))
            for name, one in model.parts.items()
        )
        return Fitted(parts, whole, model)
    if isinstance(model, ExposureResponse):
        whole = _single(posterior)
        return Fitted((Part(model.endpoint, model, whole, _seen(whole, "x")),), whole)
    if not isinstance(posterior, Mapping) or set(posterior) != set(model) or not model:
        raise DoseOptError(
            "models and posteriors have different names",
            hint="at_doses({'eff': model}, {'eff': posterior}, ...)",
        )
    if len(model) == 1:
        ((name, one),) = model.items()
        whole = posterior[name]
        return Fitted((Part(name, one, whole, _seen(whole, "x")),), whole)
    paired = _paired(posterior)
    parts = tuple(Part(k, model[k], paired[k], _seen(posterior[k], "x")) for k in model)
    return Fitted(parts, _together(paired))


def _single(posterior: Posterior | Mapping[str, Posterior]) -> Posterior:
    if isinstance(posterior, Posterior):
        return posterior
    raise DoseOptError("one model needs one posterior", hint="pass what fit() returned")


def _seen(posterior: Posterior, name: str) -> tuple[float, float] | None:
    if "constant_data" not in posterior.tree or name not in posterior.tree["constant_data"]:
        return None
    x = posterior.tree["constant_data"][name].to_numpy()
    return float(x.min()), float(x.max())


def _renamed(model: JointExposureResponse, whole: Posterior, name: str) -> Posterior:
    draws = model.draws_of(whole.draws, name)
    tree = xr.DataTree.from_dict({"posterior": draws, "seen": whole.seen})
    return replace(whole, tree=tree, parameters=tuple(model.parts[name].priors))


def _paired(posterior: Mapping[str, Posterior]) -> dict[str, Posterior]:
    """Give all fits the same chains and draws."""
    for name, post in posterior.items():
        if post.sample_dims != (names.CHAIN, names.DRAW):
            raise DoseOptError(
                f"the posterior of {name} is a preview of weighted particles, which cannot be paired "
                "with another fit",
                hint="fit() samples it",
            )
    sizes = [post.draws.sizes for post in posterior.values()]
    chains = min(s[names.CHAIN] for s in sizes)
    length = min(s[names.DRAW] for s in sizes)
    found = {}
    for k, (name, post) in enumerate(posterior.items()):
        moved = post.draws.isel({names.CHAIN: slice(chains), names.DRAW: slice(length)})
        by = {names.CHAIN: k} if chains > 1 else {names.DRAW: k * length // len(posterior)}
        moved = moved.roll(by).assign_coords(
            {names.CHAIN: np.arange(chains), names.DRAW: np.arange(length)}
        )
        tree = xr.DataTree.from_dict({"posterior": moved, "seen": post.seen})
        found[name] = replace(post, tree=tree)
    return found


def _together(paired: Mapping[str, Posterior]) -> Posterior:
    """Join the draws, diagnostics and notes of fits apart, each under its name."""
    draws, parameters, checks, notes, tables = [], [], [], [], []
    for name, post in paired.items():
        own = post.draws
        dims = [d for d in own.dims if d not in (names.CHAIN, names.DRAW)]
        renamed = {str(v): f"{name}_{v}" for v in [*own.data_vars, *dims]}
        draws.append(own.rename(renamed))
        parameters += [f"{name}_{p}" for p in post.parameters]
        checks += [replace(c, name=f"{name}: {c.name}") for c in post.diagnostics.checks]
        notes += [f"{name}: {note}" for note in post.notes]
        table = post.diagnostics.table
        if "quantity" in table.dims:
            tables.append(
                table.assign_coords(quantity=[f"{name}_{q}" for q in table["quantity"].to_numpy()])
            )
    notes.append(
        f"{' and '.join(paired)} were fitted apart: their draws are independent, and what one patient's "
        "outcomes have in common beyond exposure is in JointExposureResponse alone"
    )
    first = next(iter(paired.values()))
    table = xr.concat(tables, dim="quantity") if tables else first.diagnostics.table
    tree = xr.DataTree.from_dict({"posterior": xr.merge(draws), "seen": first.seen})
    return replace(
        first,
        tree=tree,
        parameters=tuple(parameters),
        diagnostics=Diagnostics(tuple(checks), table),
        notes=tuple(notes),
    )
