"""What the priors imply before the data, and whether the data contradict them."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from doseopt_bayes import names
from doseopt_bayes.inference.compiled import compiled_for
from doseopt_bayes.inference.posterior import probabilities
from doseopt_bayes.models.exnex import MIXTURE, mixture_totals

if TYPE_CHECKING:
    import xarray as xr

    from doseopt_bayes.data.trial import TrialData
    from doseopt_bayes.models.base import DoseModel

__all__ = [
    "CONFLICT",
    "PRIOR_DRAWS",
    "prior_table",
    "prior_warnings",
    "sample_prior",
]

PRIOR_DRAWS: Final = 4000
CONFLICT: Final = 0.001  # prior-predictive probability below which data and prior disagree
FALLS: Final = 0.05  # probability of toxicity that falls with dose above which it is remarked on
EXTREME: Final = 0.5  # share of prior mass outside 0.01 .. 0.99 above which a prior is remarked on


def sample_prior(
    model: DoseModel, data: TrialData, *, seed: int, draws: int = PRIOR_DRAWS
) -> xr.DataTree:
    """Draw from the prior and the prior predictive of `model` at the sample sizes of `data`.

    Parameters
    ----------
    model, data
        As for :func:`~doseopt_bayes.inference.nuts.fit`; of the data only the numbers of patients
        are used.
    seed
        Non-negative integer.
    draws
        Number of draws.

    Returns
    -------
    xarray.DataTree
        Groups ``prior``, ``prior_predictive``, ``observed_data`` and ``constant_data``.
    """
    tree = compiled_for(model, data).forward(draws, seed)
    tree.attrs["unit"] = model.unit
    return tree


def prior_table(tree: xr.DataTree) -> pd.DataFrame:
    """Summarise the prior of each probability at each dose.

    Parameters
    ----------
    tree
        Result of :func:`sample_prior` or of a fit.

    Returns
    -------
    pandas.DataFrame
        A row per variable, group (a column for each grouping) and dose: median, equal-tailed 95 %
        interval, and the share of prior mass outside 0.01 to 0.99.
    """
    prior = tree["prior"].to_dataset()
    rows = []
    for name in probabilities(prior):
        over = [str(d) for d in prior[name].dims if d not in (names.CHAIN, names.DRAW, names.DOSE)]
        for *group, dose in itertools.product(*(prior[d].to_numpy() for d in (*over, names.DOSE))):
            at = dict(zip(over, map(str, group), strict=True))
            p = prior[name].sel({**at, names.DOSE: dose}).to_numpy().ravel()
            low, median, high = np.quantile(p, [0.025, 0.5, 0.975])
            outside = float(np.mean((p < 0.01) | (p > 0.99)))
            rows.append(
                {"variable": name, **at, "dose": float(dose), "median": median, "low_95": low,
                 "high_95": high, "outside_0.01_0.99": outside}
            )  # fmt: skip
    return pd.DataFrame(rows)


def prior_warnings(tree: xr.DataTree) -> tuple[str, ...]:
    """Say where the priors are extreme and where the data contradict them.

    Parameters
    ----------
    tree
        Result of :func:`sample_prior` on the real data.

    Returns
    -------
    tuple of str
        A sentence per finding; the probability of totals as extreme as those observed is two-sided,
        under the prior predictive distribution. Exchanged outcome columns usually show here.
    """
    table = prior_table(tree)
    wide = table[table["outside_0.01_0.99"] > EXTREME].to_dict("records")
    over = table.columns[1 : list(table.columns).index("dose")]
    said = [
        f"prior of {row['variable']} {''.join(f'in {row[g]} ' for g in over)}at dose {row['dose']:g}: "
        f"{row['outside_0.01_0.99']:.0%} of its mass lies outside 0.01 to 0.99 (median "
        f"{row['median']:.2g})"
        for row in wide
    ]
    falls = _tox_falls(tree["prior"].to_dataset())
    if falls > FALLS:
        said.append(
            f"prior: toxicity falls from the lowest to the highest dose with probability {falls:.2f}; "
            "a curve with monotone_tox = true rules that out"
        )
    observed = _totals(tree["observed_data"].to_dataset())
    predicted = _totals(tree["prior_predictive"].to_dataset())
    for endpoint, events in observed.items():
        draws = predicted[endpoint].to_numpy().ravel()
        total = int(events)
        above, below = np.sum(draws >= total), np.sum(draws <= total)
        p = min(1.0, 2 * (min(above, below) + 1) / (draws.size + 1))
        if p < CONFLICT:
            said.append(
                f"prior-data conflict: {total} {endpoint} events in all, where the prior predicts "
                f"{np.quantile(draws, 0.025):.0f} to {np.quantile(draws, 0.975):.0f} (95 %); "
                f"two-sided prior-predictive probability {p:.1g}: are two outcome columns exchanged?"
            )
    return tuple(said)


def _tox_falls(draws: xr.Dataset) -> float:
    """Return the share of draws in which the highest dose is less toxic than the lowest."""
    if names.P_TOX not in draws:
        return 0.0
    p_tox = draws[names.P_TOX].sortby(names.DOSE)
    falls = p_tox.isel({names.DOSE: -1}) < p_tox.isel({names.DOSE: 0})
    return float(falls.mean([names.CHAIN, names.DRAW]).max())  # of the group where it is likeliest


def _totals(group: xr.Dataset) -> dict[str, xr.DataArray]:
    """Add up the events of each endpoint over doses and groups, from cells and from margins."""
    inside = {names.TOX: ["T", "B"], names.EFF: ["E", "B"]}
    found: dict[str, xr.DataArray] = {}
    if MIXTURE in group:
        return mixture_totals(group[MIXTURE])
    for node in map(str, group.data_vars):
        endpoint = node.removesuffix("_only").removesuffix("_together")
        if endpoint == node:
            continue
        found[endpoint] = found.get(endpoint, 0) + _summed(group[node])
        if node.endswith("_only") and endpoint in inside and "outcomes" in group:
            # without cells, the margin holds everyone
            both = group["outcomes"].sel({names.CELL: inside[endpoint]})
            found[endpoint] = found[endpoint] + _summed(both)
    return found


def _summed(x: xr.DataArray) -> xr.DataArray:
    return x.sum([d for d in x.dims if d not in (names.CHAIN, names.DRAW)])
