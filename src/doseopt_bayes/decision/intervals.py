"""Probabilities of under-dosing, target and overdosing at each dose, each with its Monte Carlo error."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import xarray as xr

from doseopt_bayes import names
from doseopt_bayes.decision import prose
from doseopt_bayes.decision.target import TargetInterval
from doseopt_bayes.errors import DoseOptError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from doseopt_bayes.decision.utility import Utility
    from doseopt_bayes.inference.posterior import Posterior

__all__ = ["INTERVALS", "interval_probabilities", "target_intervals", "words_intervals"]

INTERVALS: Final[Mapping[str, tuple[float, float]]] = {
    "under": (0.0, 0.16),
    "target": (0.16, 0.33),
    "over": (0.33, 1.0),
}
"""Under-dosing, target and overdosing as in Neuenschwander et al. (2008) and OncoBayes2."""
NAME: Final = "interval"


def interval_probabilities(
    post: Posterior,
    bounds: Mapping[str, tuple[float, float]] = INTERVALS,
    *,
    variable: str = names.P_TOX,
) -> xr.Dataset:
    """Posterior probability of each interval of toxicity at each dose.

    Parameters
    ----------
    post
        A posterior.
    bounds
        Name of an interval to its ends (low, high), rising; an interval holds its upper end and not
        its lower one, except 0. Gaps are allowed, overlaps are not.
    variable
        The probability that is asked about, for example ``"p_tox"``.

    Returns
    -------
    xarray.Dataset
        ``prob`` and ``prob_mcse``, its Monte Carlo standard error, over ``interval`` and ``dose``;
        ``low`` and ``high`` over interval.

    Raises
    ------
    DoseOptError
        On intervals that overlap, do not rise or leave 0..1, and on an unknown variable.

    Notes
    -----
    Neuenschwander, Branson and Gsponer (2008), section 3.

    Examples
    --------
    ``dob.interval_probabilities(post, {"target": (0.2, 0.35), "over": (0.35, 1)})``
    """
    end = 0.0
    for name, (low, high) in bounds.items():
        if not end <= low < high <= 1:
            raise DoseOptError(
                f"interval '{name}' = ({low:g}, {high:g}): intervals rise within 0..1 and do not overlap",
                hint='for example {"under": (0, 0.16), "target": (0.16, 0.33), "over": (0.33, 1)}',
            )
        end = high
    if not bounds:
        raise DoseOptError("no interval is named", hint="leave `bounds` out for the usual three")
    p = post[variable]
    found = []
    for low, high in bounds.values():
        prob, error = post.between(variable, low, high)
        found.append(xr.Dataset({"prob": prob, "prob_mcse": error}))
    table = xr.concat(found, dim=NAME).assign_coords({NAME: list(bounds)})
    table["low"] = (NAME, [float(low) for low, _ in bounds.values()])
    table["high"] = (NAME, [float(high) for _, high in bounds.values()])
    table.attrs = {"variable": variable, "unit": str(p[names.DOSE].attrs.get("units", ""))}
    return table


def target_intervals(post: Posterior, utility: Utility) -> xr.Dataset:
    """Return ``prob_under``, ``prob_target`` and ``prob_over`` with errors; nothing without a target."""
    if not isinstance(utility, TargetInterval):
        return xr.Dataset()
    table = interval_probabilities(post, utility.bounds)
    columns: dict[str, xr.DataArray] = {}
    for name in utility.bounds:
        at = table.sel({NAME: name}, drop=True)
        columns |= {f"prob_{name}": at["prob"], f"prob_{name}_mcse": at["prob_mcse"]}
    return xr.Dataset(columns)


def words_intervals(table: xr.Dataset, leading: float, utility: Utility) -> list[str]:
    """Say how probable each interval is at the leading dose of a table without extra dims."""
    if not isinstance(utility, TargetInterval) or math.isnan(leading):
        return []
    row = table.sel({names.DOSE: leading})
    said = ", ".join(
        f"{name} ({low:g} to {high:g}) {prose.probability(float(row[f'prob_{name}']))} "
        f"(MCSE {prose.error(float(row[f'prob_{name}_mcse']))})"
        for name, (low, high) in utility.bounds.items()
    )
    return [f"Toxicity at {prose.with_unit(leading, table)}: {said}."]
