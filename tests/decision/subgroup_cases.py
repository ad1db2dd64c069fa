"""Posteriors of subgroups whose exact answers are known: independent Beta draws in each cell."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from doseopt_bayes.inference.checks import Diagnostics
from doseopt_bayes.inference.posterior import Posterior
from doseopt_bayes.inference.weighted import Weighted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LEVELS = ("laBCC", "mBCC")
DOSES = (200.0, 800.0)
N = np.array([[66, 128], [13, 23]])
EVENTS = {"tox": np.array([[20, 70], [4, 12]]), "eff": np.array([[38, 57], [1, 4]])}
VERDICT = Diagnostics((), xr.DataArray(np.zeros(0)))


def seen_of(
    n: np.ndarray,
    events: Mapping[str, np.ndarray],
    dims: Sequence[str],
    coords: dict[str, list],
    together: Mapping[str, tuple[np.ndarray, np.ndarray]] | None = None,
) -> xr.Dataset:
    ends = list(events)
    over = [*dims, "dose", "endpoint"]
    here = (together or {}).get("n_together")
    none = np.zeros((len(coords["dose"]), len(ends)), dtype=int)
    return xr.Dataset(
        {
            "n_treated": (over[:-1], n),
            "n": (over, np.stack([n] * len(ends), axis=-1)),
            "events": (over, np.stack([events[e] for e in ends], axis=-1)),
            "n_together": (("dose", "endpoint"), none if here is None else here),
            "events_together": (
                ("dose", "endpoint"),
                none if here is None else together["events_together"],
            ),
        },
        coords={**coords, "endpoint": ends},
    )


def conjugate(
    n: np.ndarray = N,
    events: Mapping[str, np.ndarray] = EVENTS,
    *,
    levels: Sequence[str] = LEVELS,
    doses: Sequence[float] = DOSES,
    prior: tuple[float, float] = (1.0, 1.0),
    draws: int = 1000,
    seed: int = 1,
    together: dict | None = None,
    **attrs: str,
) -> Posterior:
    """Beta(a + events, b + n - events) in each cell, all of them independent."""
    rng = np.random.default_rng(seed)
    coords = {"subgroup": list(levels), "dose": list(doses)}
    dims = ("chain", "draw", "subgroup", "dose")
    found = {
        f"p_{e}": (
            dims,
            rng.beta(prior[0] + x, prior[1] + n - x, (4, draws, len(levels), len(doses))),
        )
        for e, x in events.items()
    }
    group = xr.Dataset(found, coords=coords)
    if set(events) == {"tox", "eff"}:
        tox, eff = group["p_tox"], group["p_eff"]
        cells = [(1 - tox) * (1 - eff), (1 - tox) * eff, tox * (1 - eff), tox * eff]
        group["p_cell"] = xr.concat(cells, dim="cell").assign_coords(cell=list("NETB"))
    group["eff_intercept"] = group["p_eff"].isel(dose=0, drop=True)
    group["eff_intercept_tau"] = (dims[:2], rng.gamma(2, 1, (4, draws)))
    group["dose"].attrs["units"] = "mg"
    seen = seen_of(n, events, ("subgroup",), coords, together)
    tree = xr.DataTree.from_dict({"posterior": group, "seen": seen})
    tree.attrs.update({"groupings": "subgroup", "pooled_over": "subgroup", **attrs})
    return Posterior(tree, ("eff_intercept", "eff_intercept_tau"), VERDICT)


def particles(post: Posterior, seed: int = 3) -> Weighted:
    """Return the same draws as particles under random weights."""
    rng = np.random.default_rng(seed)
    groups = {}
    for name, child in post.tree.children.items():
        data = child.to_dataset()
        if "draw" in data.dims:
            data = data.stack(particle=("chain", "draw")).drop_vars(["particle", "chain", "draw"])
        groups[name] = data
    tree = xr.DataTree.from_dict(groups)
    tree.attrs.update(post.tree.attrs)
    w = rng.gamma(4, 1, post.n_draws)
    weight = xr.DataArray(w / w.sum(), dims="particle")
    return Weighted(tree, post.parameters, post.diagnostics, (), ("particle",), weight=weight)
