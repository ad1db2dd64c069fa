"""Leave-one-out calibration: each patient against what the others predict."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import xarray as xr
from arviz_stats import ecdf_utils
from arviz_stats.base import array_stats

from doseopt_bayes.decision.decide import INTERVAL
from doseopt_bayes.errors import DoseOptError
from doseopt_bayes.inference.identify import INFLUENTIAL, log_likelihood
from doseopt_bayes.names import CHAIN, DRAW, PATIENT
from doseopt_bayes.plots import style
from doseopt_bayes.plots.exposure_axis import stagger
from doseopt_bayes.plots.exposure_bins import INTERVALS, bin_edges, bin_of, exact_proportion
from doseopt_bayes.plots.patient_average import excluded_words, ordered, predicted, thinned
from doseopt_bayes.plots.replicates import cumulative_hazard, replicated

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from doseopt_bayes.data.exposure import ExposureData
    from doseopt_bayes.inference.posterior import Posterior
    from doseopt_bayes.models.exposure_response import ExposureResponse

__all__ = ["caption_loo", "data_loo", "draw_loo"]

DRAWS: Final = 2000
FEWEST: Final = 5  # patients
SIMULATIONS: Final = 1000  # of uniform samples, for the simultaneous band


def data_loo(
    model: ExposureResponse,
    posterior: Posterior,
    data: ExposureData,
    *,
    groups: int = 4,
    seed: int = 0,
) -> xr.Dataset:
    """Return the numbers of the leave-one-out check.

    Parameters
    ----------
    model, posterior, data
        A curve, its posterior, and the data.
    groups
        Of a binary endpoint: 2 to 4 groups of patients by their predicted probability.
    seed
        Of replicates, and of the position of a discrete or censored value within its step.

    Returns
    -------
    xarray.Dataset
        Over ``patient``: ``khat`` and, of a binary endpoint, ``loo_probability``; else ``pit``. Binary,
        over ``group``: ``predicted`` (mean), ``observed`` with ``low`` and ``high`` (exact), ``n``,
        ``events``. Else over ``u``: ``difference`` (of the distribution of PIT from uniform) with the
        simultaneous band ``band_low`` and ``band_high``.

    Raises
    ------
    DoseOptError
        When fewer than 5 patients have a PIT.

    Notes
    -----
    Pareto-smoothed importance sampling (Vehtari et al. 2017, 2024). PIT: probability that the others
    give to a value up to the patient's own; uniform when the model is calibrated. A discrete value is
    placed at random within its step, a censored time at random above its own. Band as in ArviZ (Sailynoja
    et al. 2022).
    """
    rows, order = ordered(model, data)
    post = thinned(posterior, DRAWS)
    loglik = log_likelihood(model, data, post).transpose(CHAIN, DRAW, PATIENT).to_numpy()
    flat = loglik.reshape(-1, loglik.shape[-1])[:, order]
    logs, khat = array_stats.psislw(flat.T)  # it takes log likelihoods and turns their sign itself
    weight = np.exp(logs).T  # (draw, patient)
    weight = weight / weight.sum(axis=0)
    kind, y = rows.attrs["kind"], rows["y"].to_numpy().astype(float)
    attrs = {
        **rows.attrs, "draws": post.n_draws, "seed": seed, "interval_prob": INTERVAL,
        "model": type(model.shape).__name__, "influential": int((khat > INFLUENTIAL).sum()),
        "worst": float(np.max(khat)),
    }  # fmt: skip
    if kind == "binary":
        each = predicted(model, post.draws, rows).transpose(CHAIN, DRAW, PATIENT).to_numpy()
        p = (weight * each.reshape(weight.shape)).sum(axis=0)
        found = _calibration(p, y, groups)
        found["loo_probability"] = (PATIENT, p)
    else:
        below, upto = _steps(model, data, rows, post, order, seed)
        low, high = (weight * below).sum(axis=0), (weight * upto).sum(axis=0)
        rng = np.random.default_rng(seed)
        pit = low + (high - low) * rng.uniform(size=y.size)
        found = _uniform(pit.clip(0, 1), seed)
        found["pit"] = (PATIENT, pit.clip(0, 1))
    found["khat"] = (PATIENT, khat)
    return found.assign_coords({PATIENT: rows[PATIENT].to_numpy()}).assign_attrs(attrs)


def _steps(
    model: ExposureResponse,
    data: ExposureData,
    rows: xr.Dataset,
    post: Posterior,
    order: np.ndarray,
    seed: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Predictive distribution just below and at each patient's value: two of (draw, patient)."""
    y = rows["y"].to_numpy().astype(float)
    if rows.attrs["kind"] == "time_to_event":
        before = -np.expm1(-cumulative_hazard(model, post, rows))
        return before, np.where(y > 0, before, 1.0)
    again = replicated(model, data, post, seed)[:, order]
    return (again < y).astype(float), (again <= y).astype(float)


def _calibration(p: np.ndarray, y: np.ndarray, groups: int) -> xr.Dataset:
    edges = bin_edges(p, groups)
    which = bin_of(p, edges)
    rows = []
    for i in range(len(edges)):
        here = which == i
        events, n = int(y[here].sum()), int(here.sum())
        low, high = exact_proportion(events, n)
        rows.append({"predicted": p[here].mean(), "observed": events / n, "low": low, "high": high,
                     "n": n, "events": events})  # fmt: skip
    return xr.Dataset({k: ("group", [r[k] for r in rows]) for k in rows[0]})


def _uniform(pit: np.ndarray, seed: int) -> xr.Dataset:
    if pit.size < FEWEST:
        raise DoseOptError(
            f"{pit.size} patients are too few for a distribution of PIT", hint=f"at least {FEWEST}"
        )
    u, ecdf, low, high = ecdf_utils.ecdf_pit(
        np.sort(pit), INTERVAL, SIMULATIONS, rng=np.random.default_rng(seed)
    )
    parts = {"difference": ecdf - u, "band_low": low - u, "band_high": high - u}
    return xr.Dataset({k: ("u", v) for k, v in parts.items()}, coords={"u": u})


def draw_loo(data: xr.Dataset) -> Figure:
    """Draw calibration by group (binary), or the distribution of PIT less uniform."""
    with style.styled():
        figure = style.new_figure(3.4)
        ax = figure.subplots()
        if data.attrs["kind"] == "binary":
            _groups(ax, data)
        else:
            _pit(ax, data)
    return figure


def _groups(ax: Axes, data: xr.Dataset) -> None:
    ax.plot([0, 1], [0, 1], color=style.GREY, linewidth=0.9, linestyle=(0, (4, 2)), gid="equal")
    rows = stagger([float(x) for x in data["predicted"].to_numpy()], 0.07)
    for i in range(data.sizes["group"]):
        g = data.isel(group=i)
        x = float(g["predicted"])
        ax.plot([x, x], [float(g["low"]), float(g["high"])], color=style.INK, linewidth=1.3, marker="_",
                markersize=6, gid=f"interval:{i}")  # fmt: skip
        ax.plot([x], [float(g["observed"])], "s", color="white", markeredgecolor=style.INK,
                markersize=6, gid=f"observed:{i}")  # fmt: skip
        ax.annotate(f"{int(g['events'])}/{int(g['n'])}", (x, float(g["high"])), ha="center",
                    xytext=(0, 4 + 9 * rows[i]), textcoords="offset points", va="bottom",
                    fontsize=7)  # fmt: skip
    ax.set_xlim(-0.03, 1.03)
    ax.set_ylim(-0.03, 1.08)
    ax.set_xlabel("predicted probability, leaving the patient out")
    ax.set_ylabel(style.escape(f"observed share with {data.attrs['endpoint']}"))


def _pit(ax: Axes, data: xr.Dataset) -> None:
    u = data["u"].to_numpy()
    ax.fill_between(u, data["band_low"].to_numpy(), data["band_high"].to_numpy(), color=style.PALE,
                    linewidth=0, gid="band")  # fmt: skip
    ax.axhline(0, color=style.GREY, linewidth=0.9, linestyle=(0, (4, 2)), gid="uniform")
    ax.plot(u, data["difference"].to_numpy(), color=style.INK, linewidth=1.4, gid="difference")
    ax.set_xlim(0, 1)
    ax.set_xlabel("PIT, leaving the patient out")
    ax.set_ylabel("share of patients up to it,\nless that of a uniform")


def caption_loo(data: xr.Dataset) -> str:
    """Say what every mark is, how much is outside, and where importance sampling fails."""
    a = data.attrs
    level = f"{a['interval_prob'] * 100:g} %"
    if a["kind"] == "binary":
        said = [
            (
                f"Squares and bars: observed share of patients with {a['endpoint']} in "
                f"{data.sizes['group']} groups by their leave-one-out predicted probability, with "
                f"{level} interval ({INTERVALS['binary']}), events / n above; dashed line: equality."
            )
        ]
    else:
        outside = bool(
            (
                (data["difference"] < data["band_low"]) | (data["difference"] > data["band_high"])
            ).any()
        )
        how = {"time_to_event": "a censored time is placed at random above its own",
               "count": "a count is placed at random within its step"}.get(a["kind"], "")  # fmt: skip
        placed = f" ({how}; seed {a['seed']})" if how else ""
        said = [
            "Line: distribution of the leave-one-out probability integral transform (PIT: the "
            "probability that the other patients' fit gives to values up to the patient's own) of "
            f"{a['endpoint']}, less that of a uniform{placed}; grey band: "
            f"simultaneous {level} band of a calibrated model (n = {data.sizes[PATIENT]}). The line "
            + ("leaves the band." if outside else "stays within the band.")
        ]
    said.append(
        f"{a['model']} curve, {a['draws']} draws; Pareto-smoothed importance sampling, worst k "
        f"{a['worst']:.2f}, {a['influential']} of {data.sizes[PATIENT]} rows above {INFLUENTIAL:g}"
        + (", for which the prediction is not reliable." if a["influential"] else ".")
    )
    said.append(excluded_words(a))
    return " ".join(said)
