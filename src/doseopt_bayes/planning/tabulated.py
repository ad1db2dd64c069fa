"""The comparison of two arms on one endpoint as whole numbers, tabulated before the trial."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from doseopt_bayes.arms.margin import UTILITY
from doseopt_bayes.errors import DoseOptError
from doseopt_bayes.planning.rule import within_table

if TYPE_CHECKING:
    from doseopt_bayes.arms.margin import Margin

__all__ = ["margin_boundaries"]


def margin_boundaries(
    margin: Margin, n: int, *, certainty: float, patients: float = 1.0, n_high: int | None = None
) -> xr.Dataset:
    """Tabulate how many events the lower arm may have, or must have, for each number at the higher.

    Parameters
    ----------
    margin
        On one endpoint that is counted; its direction says which side of the boundary is good.
    n, n_high
        Patients of the lower and of the higher arm, >= 1; of both when the second is not given.
    certainty
        Posterior probability of the margin that must be exceeded, in (0, 1).
    patients
        Prior patients of each arm: the prior of the rate is Beta(patients / 2, patients / 2).

    Returns
    -------
    xarray.Dataset
        Over ``events_high``: ``events_low``, the fewest events at the lower arm that keep the margin
        (of an endpoint of which more is better) or the most (of which less is); NaN where no number
        does. ``prob``, the posterior probability there. Exact, without simulation error.

    Raises
    ------
    DoseOptError
        On a margin of the utility, or numbers that are out of range.

    Examples
    --------
    >>> from doseopt_bayes.arms.margin import Margin
    >>> margin = Margin("eff", at_most=0.1, of="difference", better="higher")
    >>> found = margin_boundaries(margin, 20, certainty=0.8)
    >>> found["events_low"].sel(events_high=[0, 8, 16]).to_numpy().tolist()
    [0.0, 9.0, 17.0]
    """
    if margin.endpoint == UTILITY:
        raise DoseOptError("a utility is not counted", hint="give a margin on an endpoint")
    top = n if n_high is None else n_high
    for name, k in (("n", n), ("n_high", top)):
        if isinstance(k, bool) or not isinstance(k, int | np.integer) or k < 1:
            raise DoseOptError(f"{name} = {k!r} must be a whole number of patients >= 1")
    if not (0 < certainty < 1 and patients > 0):
        raise DoseOptError("certainty lies in (0, 1), patients is > 0")
    table = within_table(margin, int(n), patients / 2, None if top == n else int(top))
    held = table > certainty
    first = held.argmax(0) if margin.better == "higher" else n - held[::-1].argmax(0)
    some = held.any(0)
    high = np.arange(top + 1)
    found = xr.Dataset(
        {
            "events_low": ("events_high", np.where(some, first, np.nan)),
            "prob": ("events_high", np.where(some, table[first.clip(0, n), high], np.nan)),
        },
        coords={"events_high": high},
        attrs={"margin": str(margin), "n": int(n), "certainty": certainty, "patients": patients},
    )
    if top != n:
        found.attrs["n_high"] = int(top)
    return found
