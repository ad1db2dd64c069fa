"""The same data with some patients alone, and draws of equal weight: what refits and averages need."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np
import xarray as xr

from doseopt_bayes.errors import DoseOptError
from doseopt_bayes.inference.posterior import Posterior
from doseopt_bayes.inference.weighted import PARTICLE, Weighted
from doseopt_bayes.names import CHAIN, DRAW, PATIENT

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from doseopt_bayes.data.exposure import ExposureData
    from doseopt_bayes.models.exposure_response import ExposureResponse

__all__ = ["equal_draws", "labels_of", "only", "without"]


class _Only:
    """Exposure data that show models some of their patients; everything else is the data's own."""

    def __init__(self, data: ExposureData, kept: frozenset[str], why: str) -> None:
        self._data, self._kept, self._reason = data, kept, why
        self.notes = (*data.notes, *((why,) if why else ()))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._data, name)

    def rows(self, endpoint: str, exposure: str, covariates: Sequence[str] = ()) -> xr.Dataset:
        """Return the rows of the patients that are kept, as ``ExposureData.rows`` does."""
        rows = self._data.rows(endpoint, exposure, covariates)
        keep = np.isin(rows[PATIENT].to_numpy(), list(self._kept))
        if not keep.any():
            raise DoseOptError(f"{endpoint} by {exposure}: none of its patients is kept")
        found = rows.isel({PATIENT: np.flatnonzero(keep)})
        n = int((~keep).sum())
        if n:
            said = "; ".join(x for x in (rows.attrs["excluded"], f"left out here: {n}") if x)
            found.attrs.update(n_excluded=rows.attrs["n_excluded"] + n, excluded=said)
        return found


def only(data: ExposureData, patients: Iterable[str], why: str = "") -> ExposureData:
    """Return the data with some patients alone.

    Parameters
    ----------
    data
        As models read them.
    patients
        Labels of ``data.rows(...)["patient"]`` that are kept.
    why
        A note on it, which every fit of the result carries.
    """
    return cast("ExposureData", _Only(data, frozenset(map(str, patients)), why))


def without(data: ExposureData, model: ExposureResponse, patients: Iterable[str]) -> ExposureData:
    """Return the data that `model` reads without some of its patients."""
    gone = set(map(str, patients))
    return only(data, [p for p in labels_of(model, data) if p not in gone])


def labels_of(model: ExposureResponse, data: ExposureData) -> list[str]:
    """Return the labels of the rows that `model` reads, in their order.

    Raises
    ------
    DoseOptError
        When two rows have one label, so that no patient could be left out by it.
    """
    labels = [str(p) for p in model.read(data)[PATIENT].to_numpy()]
    if len(set(labels)) < len(labels):
        twice = next(p for p in labels if labels.count(p) > 1)
        raise DoseOptError(
            f"{model.endpoint}: two rows are called '{twice}', so that it is not clear who is left out",
            hint="give the data an identifier that is one per row",
        )
    return labels


def equal_draws(posterior: Posterior, draws: int | None, seed: int) -> Posterior:
    """Return draws of equal weight over (chain, draw).

    Parameters
    ----------
    posterior
        Of NUTS, or weighted particles of one trial.
    draws
        At most so many over all chains, evenly spaced; ``None`` keeps those of NUTS as they are. Of
        weighted particles never more than their effective number, drawn systematically and shuffled.
    seed
        Of the shuffling.
    """
    kept = posterior.draws
    if isinstance(posterior, Weighted):
        most = int(posterior.min_ess)
        many = max(1, most if draws is None else min(draws, most))
        reached = posterior.weight.to_numpy().cumsum()
        at = np.searchsorted(reached, (np.arange(many) + 0.5) / many * reached[-1])
        np.random.default_rng(seed).shuffle(at)
        chains = 4 if many >= 400 else 1
        at = at[: many // chains * chains].clip(0, reached.size - 1).reshape(chains, -1)
        kept = kept.drop_vars(PARTICLE, errors="ignore").isel(
            {PARTICLE: xr.DataArray(at, dims=(CHAIN, DRAW))}
        )
    elif draws is not None:
        each, n = -(-draws // kept.sizes[CHAIN]), kept.sizes[DRAW]
        kept = kept.isel({DRAW: np.linspace(0, n - 1, min(n, each)).astype(int)})
    kept = kept.transpose(CHAIN, DRAW, ...)
    kept = kept.assign_coords({d: np.arange(kept.sizes[d]) for d in (CHAIN, DRAW)})
    tree = xr.DataTree.from_dict({"posterior": kept})
    for group in ("seen", "constant_data"):
        if group in posterior.tree:
            tree[group] = posterior.tree[group]
    tree.attrs.update(posterior.tree.attrs)
    return Posterior(tree, posterior.parameters, posterior.diagnostics, posterior.notes)
