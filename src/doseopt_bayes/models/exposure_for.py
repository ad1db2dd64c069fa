"""Which exposure has a given effect: ED50, ED80, ED90, or the smallest effect that matters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from doseopt_bayes.errors import DoseOptError
from doseopt_bayes.models.shapes import Emax, SigmoidEmax, effect, where_between

if TYPE_CHECKING:
    from collections.abc import Mapping

    from doseopt_bayes.models.shapes import Shape

__all__ = ["exposure_for"]

Number = Any  # float, numpy array or xarray DataArray
GRID: Final = 1024  # steps of the search where a shape has no inverse


def exposure_for(
    shape: Shape,
    p: Mapping[str, Number],
    *,
    share: float | None = None,
    change: float | None = None,
    top: float | None = None,
) -> Number:
    """Smallest exposure with a share of the best effect (ED_p), or with a given change over none.

    Parameters
    ----------
    shape, p
        As for :func:`effect`; numbers, arrays or labelled draws.
    share
        Of the largest effect within 0 to `top`, strictly between 0 and 1; without `top` of the maximal
        effect `emax`, which only the Emax shapes have.
    change
        Effect over no exposure, on the scale of the linear predictor.
    top
        Largest exposure considered; the answer is NaN where it is not reached by then.

    Returns
    -------
    float, numpy.ndarray or xarray.DataArray
        In the unit of exposure.

    Raises
    ------
    DoseOptError
        When not exactly one of `share` and `change` is given, or `top` is missing.

    Examples
    --------
    The Emax fit of the biom data by DoseFinding, whose ED50 within 0 to 1 is 0.1107:

    >>> fit = {"emax": 0.7462984511, "ec50": 0.1421871037}
    >>> round(float(exposure_for(Emax(), fit, share=0.5, top=1.0)), 4)
    0.1107
    >>> round(float(exposure_for(Emax(), fit, change=0.4)), 4)
    0.1642
    """
    if (share is None) == (change is None) or (share is not None and not 0 < share < 1):
        raise DoseOptError(
            f"share = {share!r} and change = {change!r}: give one, share strictly between 0 and 1"
        )
    saturates = isinstance(shape, Emax | SigmoidEmax)
    if top is None and not (saturates or (change is not None and shape.monotone)):
        raise DoseOptError(
            f"{type(shape).__name__} has no largest effect of its own",
            hint="give top, the highest exposure to be considered",
        )
    if not shape.monotone:
        return _searched(shape, p, share=share, change=change, top=float(top or 0.0))
    size = p[shape.size]
    if change is not None:
        gain = change / size
    else:
        best = 1.0 if top is None else shape.gain(float(top), p)
        gain = (share or 0.0) * best + 0.0 * size
    found = shape.invert(gain, p)
    return found if top is None else where_between(found, 0.0, float(top))


def _searched(
    shape: Shape,
    p: Mapping[str, Number],
    *,
    share: float | None,
    change: float | None,
    top: float,
) -> Number:
    """Walk up the exposures until the effect is there; linear between two steps."""
    at = np.linspace(0.0, top, GRID + 1)
    steps = [effect(shape, float(x), p) for x in at]
    if share is None:
        goal: Number = change + 0.0 * steps[0]
    else:
        size = abs(steps[0])
        goal = steps[0]
        for step in steps:
            larger = abs(step) > size
            size, goal = _choose(larger, abs(step), size), _choose(larger, step, goal)
        goal = share * goal + 0.0 * steps[0]
    sign = np.sign(goal)
    found = np.nan * goal
    for x, before, here in zip(at[1:], steps, steps[1:], strict=False):
        crossed = (sign * here >= sign * goal) & np.isnan(found)
        with np.errstate(divide="ignore", invalid="ignore"):
            exact = x - top / GRID * (here - goal) / (here - before)
        found = _choose(crossed, exact, found)
    return found


def _choose(event: Number, yes: Number, no: Number) -> Number:
    return yes.where(event, no) if hasattr(yes, "where") else np.where(event, yes, no)
