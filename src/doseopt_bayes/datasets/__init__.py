"""Data that ship with the package; sources and licences are in SOURCES.md."""

from __future__ import annotations

from pathlib import Path

from doseopt_bayes.errors import DoseOptError, did_you_mean

__all__ = ["NAMES", "path"]

NAMES = ("bolt", "cuimet", "hyperglycaemia", "nbg2008", "optic")


def path(name: str) -> Path:
    """Return the CSV file of a shipped data set.

    Parameters
    ----------
    name
        One of `NAMES`.

    Raises
    ------
    DoseOptError
        When there is no data set of that name.

    Examples
    --------
    >>> path("optic").name
    'optic.csv'
    """
    if name not in NAMES:
        raise DoseOptError(f"no data set {name!r}", hint=did_you_mean(name, NAMES))
    return Path(__file__).parent / f"{name}.csv"
