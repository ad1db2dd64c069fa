"""Does the fitted curve predict what was seen: replicated data by bin of exposure, and LOO."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import xarray as xr
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from doseopt_bayes.decision.decide import INTERVAL
from doseopt_bayes.names import PATIENT
from doseopt_bayes.plots import style
from doseopt_bayes.plots.exposure_bins import Bins, bin_edges, bin_of
from doseopt_bayes.plots.patient_average import axis_words, excluded_words, ordered, thinned
from doseopt_bayes.plots.replicates import cumulative_hazard, replicated

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from doseopt_bayes.data.exposure import ExposureData
    from doseopt_bayes.inference.posterior import Posterior
    from doseopt_bayes.models.exposure_response import ExposureResponse

__all__ = ["caption_predictive", "data_predictive", "draw_predictive"]

DRAWS: Final = 1000
INNER: Final = 0.5


def data_predictive(
    model: ExposureResponse,
    posterior: Posterior,
    data: ExposureData,
    *,
    bins: Bins = 3,
    draws: int = DRAWS,
    seed: int = 0,
) -> xr.Dataset:
    """Return the numbers of the posterior predictive check by bin of exposure.

    Parameters
    ----------
    model, posterior, data
        A curve, its posterior, and the data.
    bins
        Number of bins of exposure (2 to 4), or the cuts; exposure 0 is a bin of its own.
    draws
        Replicated data sets.
    seed
        Of the replicates.

    Returns
    -------
    xarray.Dataset
        Over ``statistic`` and ``bin``: ``seen``, and of the replicates ``median``, ``low``, ``high``
        (95 %), ``low_50``, ``high_50``, and ``above``: the share of replicates above what was seen,
        ties counted half, with its Monte Carlo error ``above_mcse``. Over ``bin``: ``edge_low``,
        ``edge_high``, ``n``.

    Notes
    -----
    Replicates come from the observed node of the model itself, for the same patients. Of a time to
    event they are numbers of events, Poisson around the cumulative hazard that the patients had up to
    their own times (Holford 1980): nothing need be assumed of when others would have been censored.
    """
    rows, order = ordered(model, data)
    post = thinned(posterior, draws)
    edges = bin_edges(rows["exposure"].to_numpy().astype(float), bins)
    which = bin_of(rows["exposure"].to_numpy().astype(float), edges)
    kind, y = rows.attrs["kind"], rows["y"].to_numpy().astype(float)
    rng = np.random.default_rng(seed)
    if kind == "time_to_event":
        again = cumulative_hazard(model, post, rows)
    else:
        again = replicated(model, data, post, seed)[:, order]
    parts: dict[str, list[dict[str, float]]] = {}
    for i in range(len(edges)):
        here = which == i
        part = rows.isel({PATIENT: np.flatnonzero(here)})
        new = again[:, here]
        if kind == "time_to_event":
            new = rng.poisson(new.sum(axis=1))[:, None]
        for name, (seen, many) in _statistics(part, y[here], new).items():
            parts.setdefault(name, []).append(_judged(seen, many))
    columns = next(iter(parts.values()))[0]
    found = xr.Dataset(
        {
            k: (("statistic", "bin"), np.array([[b[k] for b in bs] for bs in parts.values()]))
            for k in columns
        },
        coords={"statistic": [*parts], "bin": np.arange(len(edges))},
    )
    found["edge_low"] = ("bin", [a for a, _ in edges])
    found["edge_high"] = ("bin", [b for _, b in edges])
    found["n"] = ("bin", np.bincount(which, minlength=len(edges)))
    found.attrs = {**rows.attrs, "draws": post.n_draws, "seed": seed,
                   "model": type(model.shape).__name__,
                   "family": type(model.response).__name__}  # fmt: skip
    return found


def _statistics(
    part: xr.Dataset, y: np.ndarray, new: np.ndarray
) -> dict[str, tuple[float, np.ndarray]]:
    """Return each statistic of what was seen and of the replicates (draw)."""
    kind = part.attrs["kind"]
    if kind == "time_to_event":
        return {"number of events": (float((y > 0).sum()), new[:, 0].astype(float))}
    if kind == "binary":
        return {"share with the event": (float(y.mean()), new.mean(axis=1))}
    if kind == "count":
        total = float(part["time"].sum())
        return {
            "events per person-time": (float(y.sum() / total), new.sum(axis=1) / total),
            "share without an event": (float((y == 0).mean()), (new == 0).mean(axis=1)),
            "largest number in a patient": (float(y.max()), new.max(axis=1).astype(float)),
        }
    weight = part["n"].to_numpy() if "n" in part else np.ones(y.size)
    found = {
        "mean": (float(np.average(y, weights=weight)), np.average(new, axis=1, weights=weight))
    }
    if kind == "continuous" and y.size > 1:
        found["standard deviation"] = (float(y.std(ddof=1)), new.std(axis=1, ddof=1))
    elif kind == "continuous":
        found["standard deviation"] = (float("nan"), np.full(len(new), np.nan))
    return found


def _judged(seen: float, many: np.ndarray) -> dict[str, float]:
    tail, half = (1 - INTERVAL) / 2, (1 - INNER) / 2
    ends = np.quantile(many, [tail, half, 0.5, 1 - half, 1 - tail])
    above = float(np.mean(many > seen) + 0.5 * np.mean(many == seen))
    p = (above * many.size + 0.5) / (many.size + 1)  # 0 of 1000 replicates is rare, not impossible
    parts = dict(zip(("low", "low_50", "median", "high_50", "high"), map(float, ends), strict=True))
    error = float(np.sqrt(p * (1 - p) / many.size))
    return {
        "seen": seen,
        **parts,
        "above": above if np.isfinite(seen) else seen,
        "above_mcse": error,
    }


def draw_predictive(data: xr.Dataset) -> Figure:
    """Draw a panel per statistic: replicates of each bin, and what was seen."""
    k = data.sizes["statistic"]
    with style.styled():
        figure = style.new_figure(3.3)
        for ax, name in zip(figure.subplots(1, k, squeeze=False)[0], data["statistic"].to_numpy(),
                            strict=True):  # fmt: skip
            _panel(ax, data.sel(statistic=name), str(name))
            # of the panel, not of the figure: a stamp moves panels alone
            ax.set_xlabel(style.escape(f"bin of {axis_words(data.attrs)}"))
        marks: list[Any] = [
            Line2D([], [], color=style.GREY, linewidth=1.2),
            Patch(color="#bdbdbd"),
            Line2D([], [], linestyle="", marker="D", color=style.INK, markersize=5),
        ]
        said = ["replicated, 95 %", "replicated, 50 %", "observed"]
        figure.legend(marks, said, loc="outside upper center", ncols=3)
    return figure


def _panel(ax: Axes, data: xr.Dataset, name: str) -> None:
    for i in data["bin"].to_numpy():
        b = data.sel(bin=i)
        if not np.isfinite(float(b["seen"])):
            continue
        ax.plot([i, i], [float(b["low"]), float(b["high"])], color=style.GREY, linewidth=1.2,
                zorder=2, gid=f"interval:{i}")  # fmt: skip
        ax.fill_between([i - 0.17, i + 0.17], float(b["low_50"]), float(b["high_50"]), color="#bdbdbd",
                        linewidth=0, zorder=1, gid=f"inner:{i}")  # fmt: skip
        ax.plot([i - 0.17, i + 0.17], [float(b["median"])] * 2, color=style.GREY, linewidth=1.2,
                zorder=2, gid=f"median:{i}")  # fmt: skip
        ax.plot([i], [float(b["seen"])], "D", color=style.INK, markersize=5, zorder=4,
                gid=f"seen:{i}")  # fmt: skip
    ends = zip(data["edge_low"].to_numpy(), data["edge_high"].to_numpy(), strict=True)
    said = [f"{lo:.3g}" if lo == hi else f"{lo:.3g} to\n{hi:.3g}" for lo, hi in ends]
    ax.set_xticks(data["bin"].to_numpy(), labels=said)
    ax.set_xlim(-0.5, data.sizes["bin"] - 0.5)
    ax.set_ylabel(name)


def caption_predictive(data: xr.Dataset) -> str:
    """Say what every mark is, how the replicates were made, and which bins stand out."""
    a = data.attrs
    how = (
        "numbers of events, Poisson around the cumulative hazard of the same patients up to their own "
        "times"
        if a["kind"] == "time_to_event"
        else "new responses of the same patients, drawn from the model's own likelihood"
    )
    rows = ", ".join(f"{int(n)}" for n in data["n"].to_numpy())
    said = [
        f"Diamonds: observed in each bin of exposure (n = {rows}; a bin holds its upper edge"
        + ("; exposure 0 is its own bin" if 0.0 in data["edge_high"].to_numpy() else "")
        + f"). Boxes, lines and bars: 50 % interval, median and 95 % interval of {a['draws']} replicated "
        f"data sets ({how}; {a['model']} curve, {a['family']}; seed {a['seed']})."
    ]
    beyond = [
        f"{name} in bin {int(i) + 1}"
        for name in data["statistic"].to_numpy()
        for i in data["bin"].to_numpy()
        if _extreme(data.sel(statistic=name, bin=i))
    ]
    said.append(
        f"Outside the 95 % interval: {'; '.join(beyond)}."
        if beyond
        else "Every observed value lies within its 95 % interval."
    )
    said.append("The same data fitted the curve: a check that passes is weak evidence.")
    said.append(excluded_words(a))
    return " ".join(said)


def _extreme(cell: xr.Dataset) -> bool:
    return bool(cell["seen"] < cell["low"]) or bool(cell["seen"] > cell["high"])
