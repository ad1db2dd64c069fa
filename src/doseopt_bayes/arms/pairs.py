"""Pairs of arms, each the lower dose first, from numbers or from text with its unit."""

from __future__ import annotations

import itertools
import math
import re
from typing import TYPE_CHECKING

from doseopt_bayes import names
from doseopt_bayes.errors import DoseOptError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from doseopt_bayes.inference.posterior import Posterior

__all__ = ["arm", "pairs_of"]


def arm(given: float | str, doses: Sequence[float], unit: str) -> float:
    """Return the dose of an arm that was named as a number or as text with its unit.

    Raises
    ------
    DoseOptError
        On another unit than that of the doses, or a dose that is not among them.

    Examples
    --------
    >>> arm("15 mg", (15.0, 45.0), "mg")
    15.0
    """
    number, said = given, ""
    if isinstance(given, str):
        found = re.fullmatch(r"\s*([0-9.]+(?:[eE][-+]?[0-9]+)?)\s*(.*?)\s*", given)
        if not found:
            raise DoseOptError(
                f"arm '{given}' is no dose", hint="a number, or text such as '15 mg'"
            )
        number, said = float(found[1]), found[2]
    if said and said != unit:
        raise DoseOptError(
            f"arm '{given}' is in '{said}', the doses are in '{unit or 'no unit'}'",
            hint="convert the dose: units are never converted silently",
        )
    for dose in doses:
        if math.isclose(dose, float(number), rel_tol=1e-6):
            return dose
    raise DoseOptError(
        f"there is no arm {given} {unit}".rstrip(),
        hint=f"arms: {', '.join(f'{d:g}' for d in doses)}",
    )


def pairs_of(
    post: Posterior, given: Sequence[tuple[float | str, float | str]] | None
) -> tuple[tuple[float, float], ...]:
    """Return pairs (low, high) of treated arms; all of them when none is given.

    Raises
    ------
    DoseOptError
        With fewer than two treated arms, or on a pair that is repeated, of one arm, upside down or
        with an arm that nobody was treated in.
    """
    treated = post.seen[names.N_TREATED]
    doses = [float(d) for d in treated[names.DOSE].to_numpy()]
    unit = str(post.draws[names.DOSE].attrs.get("units", ""))
    arms = [d for d in doses if int(treated.sel({names.DOSE: d})) > 0]
    if given is None:
        if len(arms) < 2:
            raise DoseOptError(
                f"{len(arms)} arm has patients; a comparison needs two",
                hint="at_doses compares doses that nobody received, from a curve",
            )
        return tuple(itertools.combinations(arms, 2))
    found: list[tuple[float, float]] = []
    for one in given:
        if len(one) != 2:
            raise DoseOptError(f"pair {one!r} must be (low, high)")
        low, high = (arm(x, doses, unit) for x in one)
        if low >= high:
            raise DoseOptError(
                f"pair {one!r}: the first arm is not the lower dose",
                hint="(low, high): margins say what is lost by taking the lower dose",
            )
        empty = [d for d in (low, high) if d not in arms]
        if empty:
            raise DoseOptError(
                f"pair {one!r}: nobody was treated with {empty[0]:g} {unit}".rstrip(),
                hint="a comparison of arms needs patients in both",
            )
        if (low, high) in found:
            raise DoseOptError(f"pair {one!r} stands twice")
        found.append((low, high))
    if not found:
        raise DoseOptError("no pair is compared", hint="pairs=None compares every pair of arms")
    return tuple(found)
