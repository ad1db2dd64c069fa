"""Benefit-risk plane: where each dose lies between efficacy and toxicity, and what that is worth."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import xarray as xr
from matplotlib import patheffects
from matplotlib.lines import Line2D

from doseopt_bayes import names
from doseopt_bayes.decision.prose import error
from doseopt_bayes.plots import style
from doseopt_bayes.plots.axes import limits

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from doseopt_bayes.analysis import Analysis

__all__ = ["caption_tradeoff", "data_tradeoff", "draw_tradeoff", "has_plane", "plot_tradeoff"]

AXES: Final = (names.P_EFF, names.P_TOX)  # x and y, as EffTox draws them
POINTS: Final = 250  # posterior draws shown per dose
GRID: Final = 121


def has_plane(analysis: Analysis) -> bool:
    """Whether the posterior has both efficacy and toxicity."""
    return all(v in analysis.posterior.draws for v in AXES)


def data_tradeoff(analysis: Analysis) -> xr.Dataset:
    """Return the numbers of the benefit-risk plane.

    Parameters
    ----------
    analysis
        Posterior and decision of an analysis.

    Returns
    -------
    xarray.Dataset
        ``cloud`` over (dose, point, variable): every k-th posterior draw. ``mean``, ``low``, ``high``
        over (dose, variable). ``contour`` over (eff_axis, tox_axis), the utility on the drawn window,
        only when it reads nothing but p_eff and p_tox. ``limit`` over ``rule``.
    """
    post, decision = analysis.posterior, analysis.decision
    table = decision.table
    pooled = xr.concat([post[v] for v in AXES], dim="variable", coords="minimal", compat="override")
    cloud = pooled.stack(point=post.sample_dims).transpose(names.DOSE, "point", "variable")
    step = max(1, post.n_draws // POINTS)
    shown = cloud.to_numpy()[:, ::step][:, :POINTS]
    dims = (names.DOSE, "variable")
    parts = {"mean": "", "low": "_low", "high": "_high", "mcse": "_mcse"}
    data = xr.Dataset(
        {
            name: (dims, np.stack([table[f"{v}{end}"].to_numpy() for v in AXES], axis=1))
            for name, end in parts.items()
        },
        coords={names.DOSE: table[names.DOSE].to_numpy(), "variable": list(AXES)},
    )
    data["cloud"] = ((names.DOSE, "point", "variable"), shown)
    data["untried"] = (names.DOSE, table["untried"].to_numpy())
    data[names.N_TREATED] = (names.DOSE, table[names.N_TREATED].to_numpy())
    lines = limits(decision.rules)
    data["limit"], data["limit_variable"] = lines["limit"], lines["variable"]
    window = {v: _window(data, v) for v in AXES}
    if set(decision.utility.reads) <= set(AXES):
        eff, tox = (np.linspace(*window[v], GRID) for v in AXES)
        grid = {
            names.P_EFF: xr.DataArray(eff, dims="eff_axis", coords={"eff_axis": eff}),
            names.P_TOX: xr.DataArray(tox, dims="tox_axis", coords={"tox_axis": tox}),
        }
        square = xr.broadcast(grid[names.P_EFF], grid[names.P_TOX])
        u = decision.utility(dict(zip(AXES, square, strict=True)))
        data["contour"] = u.transpose("eff_axis", "tox_axis")
    data.attrs = {
        **style.interval_attrs(),
        "unit": str(table.attrs.get("unit", "")),
        "window": [*window[names.P_EFF], *window[names.P_TOX]],
        "draws": post.n_draws,
    }
    return data


def _window(data: xr.Dataset, variable: str) -> tuple[float, float]:
    """Return limits of an axis that hold nearly all points, every interval and the rule's limits."""
    here = data.sel({"variable": variable})
    points = here["cloud"].to_numpy()
    marks = [*here["low"].to_numpy(), *here["high"].to_numpy(),
             *data["limit"].to_numpy()[data["limit_variable"].to_numpy() == variable]]  # fmt: skip
    low = min(float(np.quantile(points, 0.003)), *marks)
    high = max(float(np.quantile(points, 0.997)), *marks)
    pad = 0.04 * (high - low)
    return max(0.0, low - pad), min(1.0, high + pad)


def plot_tradeoff(data: xr.Dataset, *, ax: Axes | None = None) -> Axes:
    """Draw the plane: efficacy to the right, toxicity upwards, so that better is lower right.

    Small markers: posterior draws of each dose. Large marker with cross-hair: posterior mean and
    credible intervals of both probabilities, hollow where no patient was treated. Grey labelled
    lines: equal utility, u = 0 thicker. Dashed lines: limits of the rules.

    Parameters
    ----------
    data
        Result of `data_tradeoff`.
    ax
        Where to draw; a new figure by default.
    """
    with style.styled():
        ax = style.new_figure(4.9).add_subplot() if ax is None else ax
        x0, x1, y0, y1 = data.attrs["window"]
        ax.set_xlim(x0, x1)
        ax.set_ylim(y0, y1)
        halo = [patheffects.withStroke(linewidth=2.9, foreground="white")]
        looks = style.dose_styles([float(d) for d in data[names.DOSE].to_numpy()])
        for i, (dose, look) in enumerate(looks.items()):
            points = data["cloud"].to_numpy()[i]
            ax.plot(points[:, 0], points[:, 1], look.marker, color=look.color, markersize=3.2,
                    markeredgewidth=0, alpha=0.45, zorder=1, gid=f"cloud:{dose:g}")  # fmt: skip
        if "contour" in data:
            _contours(ax, data)
        for value, variable in zip(data["limit"].to_numpy(), data["limit_variable"].to_numpy(),
                                   strict=True):  # fmt: skip
            draw = ax.axhline if variable == names.P_TOX else ax.axvline
            draw(float(value), color=style.INK, linewidth=1, linestyle=(0, (5, 3)), zorder=3,
                 gid=f"limit:{variable}")  # fmt: skip
        for i, (dose, look) in enumerate(looks.items()):
            row = data.isel({names.DOSE: i})
            (x, y), (xl, yl), (xh, yh) = (row[k].to_numpy() for k in ("mean", "low", "high"))
            ax.plot([xl, xh], [y, y], color=look.color, linewidth=1.7, path_effects=halo, zorder=5,
                    gid=f"interval_eff:{dose:g}")  # fmt: skip
            ax.plot([x, x], [yl, yh], color=look.color, linewidth=1.7, path_effects=halo, zorder=5,
                    gid=f"interval_tox:{dose:g}")  # fmt: skip
            hollow = bool(row["untried"])
            ax.plot([x], [y], look.marker, markersize=8.5, markeredgewidth=1.6, zorder=6 + i,
                    markerfacecolor="white" if hollow else look.color,
                    markeredgecolor=look.color, gid=f"mean:{dose:g}")  # fmt: skip
        ax.set_xlabel("probability of efficacy")
        ax.set_ylabel("probability of toxicity")
        ax.spines[["top", "right"]].set_visible(True)
    return ax


def _contours(ax: Axes, data: xr.Dataset) -> None:
    u = data["contour"].to_numpy()
    span = float(u.max() - u.min())
    if not span > 0:
        return
    steps = [s for s in (0.02, 0.05, 0.1, 0.2, 0.25, 0.5, 1.0, 2.0, 5.0) if span / s <= 9]
    step = steps[0] if steps else span / 9
    levels = np.arange(np.ceil(u.min() / step), np.floor(u.max() / step) + 1) * step
    if not levels.size:
        return
    widths = [1.7 if abs(v) < step / 1e6 else 0.8 for v in levels]
    lines = ax.contour(data["eff_axis"].to_numpy(), data["tox_axis"].to_numpy(), u.T, levels=levels,
                       colors=style.GREY, linewidths=widths, linestyles="solid", zorder=2)  # fmt: skip
    ax.clabel(lines, fmt=lambda v: f"u = {v:.3g}" if abs(v) > step / 1e6 else "u = 0",
              fontsize=7.5, colors=style.INK, manual=_free_places(lines.allsegs, data))  # fmt: skip
    for text in lines.labelTexts:
        text.set_zorder(4)
        text.set_path_effects([patheffects.withStroke(linewidth=2.5, foreground="white")])


def _free_places(segments: list[list[np.ndarray]], data: xr.Dataset) -> list[tuple[float, float]]:
    """Return for each contour the vertex farthest from the cross-hairs, limits, frame and labels."""
    x0, x1, y0, y1 = data.attrs["window"]
    corner, size = np.array([x0, y0]), np.array([x1 - x0, y1 - y0])
    steps = np.linspace(0, 1, 25)
    mean, low, high = (data[k].to_numpy() for k in ("mean", "low", "high"))
    taken = [np.array(c) for c in ((0, 0), (0, 1), (1, 0), (1, 1))]
    for m, a, b in zip(mean, low, high, strict=True):
        for axis in (0, 1):
            arm = np.tile(m, (steps.size, 1))
            arm[:, axis] = a[axis] + steps * (b[axis] - a[axis])
            taken += list((arm - corner) / size)
    places = []
    for level in segments:
        vertices = np.concatenate([s for s in level if len(s)] or [np.empty((0, 2))])
        at = (vertices - corner) / size
        inner = ((at > 0.07) & (at < 0.93)).all(axis=1)
        if not inner.any():
            continue
        gaps = np.linalg.norm(at[inner][:, None] - np.array(taken)[None], axis=2).min(axis=1)
        best = int(gaps.argmax())
        taken.append(at[inner][best])
        places.append((float(vertices[inner][best, 0]), float(vertices[inner][best, 1])))
    return places


def draw_tradeoff(data: xr.Dataset) -> Figure:
    """Draw the plane with a legend of doses."""
    with style.styled():
        ax = plot_tradeoff(data)
        figure: Figure = ax.figure  # type: ignore[assignment]
        looks = style.dose_styles([float(d) for d in data[names.DOSE].to_numpy()])
        marks, said = [], []
        for (dose, look), n in zip(looks.items(), data[names.N_TREATED].to_numpy(), strict=True):
            marks.append(Line2D([], [], linestyle="", marker=look.marker, markersize=8,
                                markeredgecolor=look.color, markeredgewidth=1.6,
                                markerfacecolor=look.color if n else "white"))  # fmt: skip
            said.append(f"{style.dose_label(dose, data.attrs['unit'])}\n(n = {int(n)})")
        figure.legend(marks, said, loc="outside right upper", title="dose", alignment="left",
                      labelspacing=0.9)  # fmt: skip
    return figure


def caption_tradeoff(data: xr.Dataset) -> str:
    """Say what every mark is, and what is not drawn."""
    per_dose = data.sizes["point"]
    said = [
        (
            f"Small markers: {per_dose} of the {data.attrs['draws']} posterior draws of each dose, "
            "evenly spaced; a few lie outside the window. Large marker and cross-hair: posterior mean "
            f"and {style.interval_words(data)} of each probability (Monte Carlo standard error of the "
            f"means at most {error(float(data['mcse'].max()))}). Better is lower right."
        ),
        "Grey lines join points of equal utility u, labelled; u = 0 is thicker where it lies in the "
        "window."
        if "contour" in data
        else "No lines of equal utility: the utility reads more than these two probabilities.",
        f"{int(data[names.N_TREATED].sum())} patients treated.",
    ]
    untried = data[names.DOSE].to_numpy()[data["untried"].to_numpy()]
    if untried.size:
        doses = f"{', '.join(f'{d:g}' for d in untried)} {data.attrs['unit']}".rstrip()
        said.append(f"Hollow marker: no patient was treated ({doses}).")
    if data.sizes["rule"]:
        rules = "; ".join(str(r) for r in data["rule"].to_numpy())
        said.append(f"Dashed line: limit of the rule ({rules}).")
    return " ".join(said)
