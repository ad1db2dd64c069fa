"""Exposure at each dose as boxes, below a curve of exposure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import xarray as xr

from doseopt_bayes.plots import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from doseopt_bayes.plots.exposure_axis import ExposureAxis

__all__ = ["dose_boxes", "draw_boxes", "with_patients"]

BOX: Final = {"box_low": 0.05, "box_q1": 0.25, "box_median": 0.5, "box_q3": 0.75, "box_high": 0.95}


def dose_boxes(rows: xr.Dataset, doses: tuple[float, ...]) -> xr.Dataset:
    """Return quantiles of exposure at each dose: ``box_*`` and ``dose_n`` over ``dose``."""
    x, dose = rows["exposure"].to_numpy().astype(float), rows["dose"].to_numpy()
    every = sorted({float(d) for d in doses} | {float(d) for d in dose})
    at = [x[dose == d] for d in every]
    parts: dict[str, Any] = {
        name: ("dose", [float(np.quantile(v, q)) if v.size else np.nan for v in at])
        for name, q in BOX.items()
    }
    return xr.Dataset(parts | {"dose_n": ("dose", [v.size for v in at])}, {"dose": every})


def with_patients(data: xr.Dataset) -> dict[float, int]:
    """Return the row of each dose that has patients, counted from below."""
    kept = data["dose"].to_numpy()[data["dose_n"].to_numpy() > 0]
    return {float(d): i for i, d in enumerate(kept)}


def draw_boxes(ax: Axes, data: xr.Dataset, where: ExposureAxis) -> None:
    """Draw the quantiles of exposure of each dose, lowest dose below."""
    looks, places = style.dose_styles([float(d) for d in data["dose"]]), with_patients(data)
    for dose, row in places.items():
        d, look = data.sel(dose=dose), looks[dose]
        low, q1, mid, q3, high = (float(where.place(float(d[k]))) for k in BOX)
        ax.plot([low, high], [row, row], color=look.color, linewidth=1.1, gid=f"whisker:{dose:g}",
                solid_capstyle="butt", marker="|", markersize=5)  # fmt: skip
        ax.fill_between([q1, q3], row - 0.27, row + 0.27, facecolor="white", linewidth=1.2,
                        edgecolor=look.color, zorder=3, gid=f"box:{dose:g}")  # fmt: skip
        ax.plot([mid], [row], look.marker, color=look.color, markersize=5, zorder=4,
                gid=f"middle:{dose:g}")  # fmt: skip
    unit = data.attrs["dose_unit"]
    said = [f"{style.dose_label(d, unit)} (n = {int(data['dose_n'].sel(dose=d))})" for d in places]
    ax.set_yticks(list(places.values()), labels=said)
    ax.set_ylim(-0.6, len(places) - 0.4)
    ax.tick_params(axis="y", length=0)
