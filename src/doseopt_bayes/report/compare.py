"""What a rerun of the same analysis with other versions moved, in Monte Carlo errors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from doseopt_bayes import names
from doseopt_bayes.errors import ResultsError
from doseopt_bayes.report.manifest import load_results
from doseopt_bayes.report.results import results_tree

if TYPE_CHECKING:
    from pathlib import Path

    import xarray as xr

    from doseopt_bayes.analysis import Analysis

__all__ = ["moved", "previous"]

SAME: Final = ("data_sha256", "spec_sha256")  # what must agree before numbers are held side by side
FAR: Final = 4.0  # combined Monte Carlo errors beyond which a difference is more than noise


def previous(folder: Path) -> xr.DataTree | None:
    """Return the results that `folder` holds now; ``None`` when there are none or they are damaged."""
    try:
        return load_results(folder)
    except ResultsError:
        return None


def moved(before: xr.DataTree | None, analysis: Analysis) -> list[str]:
    """Say how far the numbers of a decision moved since `before`, when only versions differ.

    Parameters
    ----------
    before
        Result of :func:`previous`.
    analysis
        The same data under the same specification.

    Returns
    -------
    list of str
        Empty when data, specification or candidate doses differ, or no version does. Otherwise which
        versions, whether the answer stands, and the largest difference in combined Monte Carlo errors.
    """
    if before is None:
        return []
    now = results_tree(analysis)
    if any(before.attrs.get(key) != now.attrs.get(key) for key in SAME):
        return []
    changed = [
        f"{str(key).removeprefix('version_')} {before.attrs.get(key)} -> {value}"
        for key, value in now.attrs.items()
        if str(key).startswith("version_") and before.attrs.get(key) != value
    ]
    old, new = before["decision"].to_dataset(), now["decision"].to_dataset()
    if not changed or not np.array_equal(old[names.DOSE], new[names.DOSE]):
        return []
    answers = [(str(x["status"].values), float(x["recommended"])) for x in (old, new)]
    stands = str(answers[0]) == str(answers[1])
    z, where = _largest(old, new)
    said = (
        f"earlier results came from other versions ({', '.join(changed)}): the answer "
        f"{'is the same' if stands else 'DIFFERS'}; the largest difference is {z:.1f} combined "
        f"Monte Carlo errors ({where})"
    )
    far = [f"more than {FAR:g} is not noise: find out which version changed what"]
    return [said, *far] if z > FAR else [said]


def _largest(old: xr.Dataset, new: xr.Dataset) -> tuple[float, str]:
    """Return the largest difference in combined Monte Carlo errors, and where it is."""
    worst, where = 0.0, "all are equal"
    for name in new.data_vars:
        error = f"{name}_mcse"
        if error not in new or error not in old or name not in old:
            continue
        gap = abs(new[name].astype(float) - old[name].astype(float))
        z = (gap / np.hypot(new[error], old[error])).where(gap > 0, 0.0)
        at = z.max([d for d in z.dims if d != names.DOSE])
        if float(at.max()) > worst:
            worst = float(at.max())
            dose = float(at[names.DOSE].to_numpy()[at.to_numpy().argmax()])
            where = f"{name} at dose {dose:g}"
    return worst, where
