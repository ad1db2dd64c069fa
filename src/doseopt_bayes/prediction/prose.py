"""The quantities of a curve as a value that prints itself, with what the data cannot say in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from doseopt_bayes import names

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

__all__ = ["Quantities"]

SURE: Final = (
    0.95  # probability above which a statement about a curve is made, and below 1 - it denied
)
ERRORS: Final = 3.0  # Monte Carlo standard errors within which it is not resolved
TAIL: Final = 0.025  # share of draws outside that reaches into the 95 % interval
HALF: Final = 0.5


@dataclass(frozen=True, eq=False)
class Quantities:
    """What a curve says of exposures and doses.

    Parameters
    ----------
    levels
        Over ``share`` of the largest effect: ``exposure_`` (and ``dose_``) ``median``, ``low`` and
        ``high`` (95 %), and the shares of draws ``below`` and ``above`` what was studied, each with its
        Monte Carlo error under the suffix ``_mcse``.
    events
        Over ``event``: ``probability`` and ``mcse``.
    minimum
        Over ``dose``: ``probability`` of being the lowest dose with the gain, ``effective`` of having
        it, ``none`` of there being no such dose, with errors. Empty when no gain was asked for.
    """

    levels: xr.Dataset
    events: xr.Dataset
    minimum: xr.Dataset

    @property
    def sentences(self) -> tuple[str, ...]:
        """All of it in words."""
        return (*self._flat(), *self._levels(), *self._events(), *self._minimum())

    def to_frame(self) -> pd.DataFrame:
        """Table with a row per share of the largest effect."""
        return self.levels.to_dataframe()

    def _flat(self) -> list[str]:
        about = self.levels.attrs
        if not about["monotone"] or not TAIL <= float(about["rises"]) <= 1 - TAIL:
            return []
        said = (
            f"{about['name']}: no effect of {about['exposure']} is resolved (it rises with probability "
            f"{about['rises']:.2f}), and shares of an effect that may be none are the prior's"
        )
        return [said]

    def _levels(self) -> list[str]:
        about, said = self.levels.attrs, []
        largest = (
            "the asymptote" if about["saturates"] else "the largest effect within the studied range"
        )
        for share in self.levels["share"].to_numpy():
            row = self.levels.sel(share=share)
            for of, highest, unit in (
                ("exposure", about["high"], f"{about['exposure']} {about['unit']}"),
                ("dose", about["top_dose"], f"dose {about['dose_unit']}"),
            ):
                if f"{of}_median" not in row:
                    continue
                # a curve of dose itself has no dose besides
                top = highest if np.isfinite(highest) else about["high"]
                said.append(
                    f"ED{100 * share:g} ({unit.strip()}, {share:.0%} of {largest}): "
                    + _reach(row, of, top, about["low"] if of == "exposure" else None)
                )
        if not about["levels_off"]:
            said.append(
                "the shape has no plateau: shares of its effect follow from the studied range and the "
                "shape, not from the data"
            )
        return said

    def _events(self) -> list[str]:
        said = []
        for event in self.events["event"].to_numpy():
            p, error = (float(self.events[v].sel(event=event)) for v in ("probability", "mcse"))
            built = ""
            if self.levels.attrs["monotone"] and "interior" in event:
                built = "; the shape cannot turn, so that the data were not asked"
            said.append(f"{event}: {_probability(p, error)}: {_verdict(p, error)}{built}")
        return said

    def _minimum(self) -> list[str]:
        if not self.minimum.data_vars:
            return []
        about, table = self.levels.attrs, self.minimum
        called = names.REGIMEN if names.REGIMEN in table.coords else names.DOSE
        doses = [x if isinstance(x, str) else f"{x:g}" for x in table[called].to_numpy().tolist()]
        p, none = table["probability"].to_numpy(), float(table["none"])
        error = table["probability_mcse"].to_numpy()
        side = "above" if about["better"] == "higher" else "below"
        head = (
            f"lowest dose with {about['name']} more than {about['gain']:g} {side} that of dose "
            f"{about['reference']:g}: "
        )
        each = ", ".join(f"{d} {x:.2f}" for d, x in zip(doses, p, strict=True))
        best = int(p.argmax())
        slack = ERRORS * np.hypot(error, error[best])
        near = [j for j in range(len(p)) if j != best and p[best] - p[j] <= slack[j]]
        if none > p[best]:
            end = "most likely none"
        elif near or p[best] - none <= ERRORS * float(table["none_mcse"]):
            end = "not resolved by these draws"
        else:
            end = f"most likely {doses[best]}"
            end += "" if p[best] > SURE else ", not resolved by the data"
        return [f"{head}{each}, none {none:.2f} (MCSE at most {error.max():.2g}); {end}"]

    def __str__(self) -> str:
        return "\n".join(self.sentences)

    __repr__ = __str__


def _reach(row: xr.Dataset, of: str, top: float, bottom: float | None) -> str:
    """Say a level with its interval, or that it lies beyond what was studied."""
    low, mid, high = (float(row[f"{of}_{k}"]) for k in ("low", "median", "high"))
    above, below = float(row[f"{of}_above"]), float(row[f"{of}_below"])
    error = float(row[f"{of}_median_mcse"])
    if above > HALF:
        return (
            f"beyond the studied range (above {top:.4g} in {_share(above)} of draws, MCSE "
            f"{float(row[f'{of}_above_mcse']):.2g}): not identified by the data"
        )
    if bottom is not None and below > HALF:
        return f"below the studied range (under {bottom:.4g} in {_share(below)} of draws)"
    end = (
        f"{high:.4g}"
        if above <= TAIL
        else f"beyond the studied range ({_share(above)} above {top:.4g})"
    )
    return f"{mid:.4g} (MCSE {error:.2g}), 95 % {low:.4g} to {end}"


def _share(p: float) -> str:
    return f"{p:.0%}" if 0.005 <= p <= 0.995 else f"{p:.1%}"


def _probability(p: float, error: float) -> str:
    shown = "< 0.01" if p < 0.005 else "> 0.99" if p > 0.995 else f"{p:.2f}"
    return f"Pr {shown} (MCSE {error:.2g})"


def _verdict(p: float, error: float) -> str:
    """Say yes, no or not resolved."""
    for limit in (SURE, 1 - SURE):
        if 0 < abs(p - limit) <= ERRORS * error:
            return "not resolved by these draws"
    if p > SURE:
        return "yes"
    return "no" if p < 1 - SURE else "not resolved by the data"
