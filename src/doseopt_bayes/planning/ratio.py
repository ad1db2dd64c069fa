"""Arms of different sizes: the randomisation ratio, and how it is said."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from doseopt_bayes.errors import DoseOptError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = ["checked_ratio", "in_arms", "size_words"]


def checked_ratio(ratio: Sequence[int] | None, arms: int) -> np.ndarray | None:
    """Return patients of each arm for one of the size; nothing when the arms are equal."""
    if ratio is None:
        return None
    found = tuple(ratio)
    whole = all(
        isinstance(r, int | np.integer) and not isinstance(r, bool) and r >= 1 for r in found
    )
    if len(found) != arms or not whole:
        raise DoseOptError(
            f"ratio = {list(found)} must be a whole number >= 1 for each of {arms} arms",
            hint="ratio=(1, 2): two patients in the higher arm for each in the lower one",
        )
    return None if set(found) == {1} else np.array(found, dtype=np.int64)


def size_words(attrs: Mapping[str, object]) -> str:
    """Say what a size of a plan counts, by the attributes of its table.

    Examples
    --------
    >>> size_words({}), size_words({"ratio": "1:2"})
    ('patients per arm', 'patients per part of the ratio 1:2')
    """
    ratio = attrs.get("ratio", "")
    return f"patients per part of the ratio {ratio}" if ratio else "patients per arm"


def in_arms(patients: Iterable[int], doses: Iterable[float], unit: str) -> str:
    """Say how many patients each arm has.

    Examples
    --------
    >>> in_arms([20, 40], [15, 45], "mg")
    '20, 40 patients at 15, 45 mg'
    """
    each, at = ", ".join(str(int(k)) for k in patients), ", ".join(f"{d:g}" for d in doses)
    return f"{each} patients at {at} {unit}".rstrip()
