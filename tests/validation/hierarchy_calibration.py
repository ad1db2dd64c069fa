"""Simulated subgroups, analysed by a hierarchy, by no pooling and by full pooling.

``python -m tests.validation.hierarchy_calibration`` repeats it and writes hierarchy_calibration.csv
beside this file, a row per case. In each simulated trial the log-odds of the groups are drawn around
logit(0.25) with the standard deviation ``true_sd``; where it says "prior", centre and standard deviation
are drawn from the prior of the analysis too, so that 95 % intervals must cover with 95 %.

``coverage_*`` is the share of groups whose 95 % interval holds the true probability, ``mse_*`` the mean
squared error of posterior means, ``_se`` the Monte Carlo error of either over trials. ``excess`` is
mse_hierarchy less the larger of the two other errors, trial by trial. "unpooled" has the prior mean and
variance that a group has in the hierarchy; "full" has one probability, with the prior of the centre.

Posteriors are particles without NUTS. Trials whose gate fails at 4 x 4,096 are weighed again with
4 x 32,768 (``again``); those that fail there too (``failed``) are kept as they are.
"""

from __future__ import annotations

import argparse
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd
import xarray as xr
from scipy.special import expit, logit

from doseopt_bayes.inference.batch import fit_in_blocks, fit_many
from doseopt_bayes.models import Basket, EffTox
from doseopt_bayes.priors import HalfNormal, Normal, Pooled, Unpooled

if TYPE_CHECKING:
    from collections.abc import Mapping

    from doseopt_bayes.models.base import DoseModel
    from doseopt_bayes.priors import Prior

HERE: Final = Path(__file__).parent
TRIALS: Final = {"Basket": 1000, "EffTox": 300}
TRUE_SD: Final = ("0", "0.3", "0.6", "1.2", "prior")
TAU: Final = (0.5, 1.0)
CENTRE: Final = Normal(0, 2)
RATE: Final = 0.25
METHODS: Final = ("hierarchy", "unpooled", "full")
SIZES: Final = {
    "4 x 13": (13,) * 4,
    "4 x 5 to 60": (5, 15, 30, 60),
    "10 x 13": (13,) * 10,
    "10 x 5 to 60": (5, 5, 8, 10, 13, 17, 22, 30, 43, 60),
}
PARTICLES: Final = (4096, 32_768)
EFFTOX: Final = {
    "tox_intercept": Normal(-1, 2), "tox_slope": Normal(0.5, 1), "eff_intercept": CENTRE,
    "eff_slope": Normal(0.5, 1), "eff_curvature": Normal(0, 0.2), "association": Normal(0, 1),
}  # fmt: skip


def of_method(method: str, centre: Normal, tau: float) -> Prior:
    """Return the prior of one parameter under one of the three analyses."""
    if method == "hierarchy":
        return Pooled(centre, HalfNormal(tau))
    if method == "unpooled":  # a group's variance in the hierarchy is that of the centre + E tau^2
        return Unpooled(Normal(centre.mean, float(np.hypot(centre.sd, tau))))
    return centre


def cases() -> dict[str, tuple[str, str, str, float]]:
    """Return name of each case to model, sizes, true sd and scale of the prior of tau."""
    found = [
        ("Basket", s, sd, tau)
        for tau in TAU
        for s in SIZES
        for sd in TRUE_SD
        if (s, tau) != ("10 x 5 to 60", 1.0)  # most of it would be the particles' second round
    ]
    found += [("EffTox", "3 x 2 x 12", sd, 0.5) for sd in ("0", "0.6", "1.2")]
    return {f"{m}, {s}, true sd {sd}, tau {tau:g}": (m, s, sd, tau) for m, s, sd, tau in found}


def truths(rng: np.random.Generator, sd: str, tau: float, shape: tuple[int, int]) -> np.ndarray:
    """Draw log-odds (trial, group)."""
    trials = (shape[0], 1)
    if sd == "prior":
        centre = rng.normal(CENTRE.mean, CENTRE.sd, trials)
        return centre + np.abs(rng.normal(0, tau, trials)) * rng.normal(size=shape)
    return float(logit(RATE)) + float(sd) * rng.normal(size=shape)


def levels(n: int) -> tuple[str, ...]:
    """Return names of groups."""
    return tuple(f"g{i}" for i in range(n))


def basket(
    sizes: str, sd: str, tau: float, n: int, rng: np.random.Generator
) -> tuple[dict[str, DoseModel], xr.Dataset, dict[str, np.ndarray]]:
    """Return the three models, counts of n trials, and true probabilities (trial, group, dose)."""
    people = np.array(SIZES[sizes])
    groups = {"subgroup": levels(len(people))}
    p = expit(truths(rng, sd, tau, (n, len(people))))
    events = rng.binomial(people, p)
    dims = ("trial", "subgroup", "dose", "endpoint")
    each = np.broadcast_to(people, events.shape).copy()
    counts = xr.Dataset(
        {
            "n_only": (dims, each[..., None, None]),
            "events_only": (dims, events[..., None, None]),
        },
        coords={
            "trial": np.arange(n),
            "subgroup": list(groups["subgroup"]),
            "dose": [1.0],
            "endpoint": ["eff"],
        },
    )
    models: dict[str, DoseModel] = {
        m: Basket(1.0, of_method(m, CENTRE, tau), groups) for m in METHODS
    }
    return models, counts, {"p_eff": p[..., None]}


def efftox(
    sd: str, tau: float, n: int, rng: np.random.Generator
) -> tuple[dict[str, DoseModel], xr.Dataset, dict[str, np.ndarray]]:
    """Return the same for two doses of three subgroups, 12 patients each; tox and eff differ."""
    groups, doses = {"subgroup": levels(3)}, (100.0, 200.0)
    x = np.log(doses) - np.log(doses).mean()
    eff = truths(rng, sd, tau, (n, 3))[..., None] + 0.8 * x
    tox = truths(rng, sd, tau, (n, 3))[..., None] + 0.8 * x
    p = {"p_tox": expit(tox), "p_eff": expit(eff)}
    a, b = p["p_tox"], p["p_eff"]
    cells = np.stack([(1 - a) * (1 - b), (1 - a) * b, a * (1 - b), a * b], axis=-1)
    counts = xr.Dataset(
        {"cell_count": (("trial", "subgroup", "dose", "cell"), rng.multinomial(12, cells))},
        coords={
            "trial": np.arange(n),
            "subgroup": list(groups["subgroup"]),
            "dose": list(doses),
            "cell": list("NETB"),
        },
    )
    models: dict[str, DoseModel] = {}
    for m in METHODS:
        own = {k: of_method(m, EFFTOX[k], tau) for k in ("tox_intercept", "eff_intercept")}
        models[m] = EffTox(doses, EFFTOX | own, groups=groups)
    return models, counts, p


def summarised(
    model: DoseModel, counts: xr.Dataset, wanted: list[str], seed: int
) -> tuple[dict[str, np.ndarray], int, int]:
    """Return name to (mean, 2.5 %, 97.5 %) x (trial, group, dose), and trials weighed again and failed."""

    def read(post: Any) -> xr.Dataset:
        each = {}
        for name in wanted:
            x = post[name]
            parts = [post.expect(x), post.quantile(x, 0.025), post.quantile(x, 0.975)]
            each[name] = xr.concat(parts, dim="part")
        return xr.Dataset(each)

    tables, verdicts = [], []
    for part in fit_in_blocks(model, counts, seed=seed, particles=PARTICLES[0], nuts=False):
        tables.append(part.each(read))
        verdicts.append(part.table["passed"])
    table, passed = xr.concat(tables, dim="trial"), xr.concat(verdicts, dim="trial").to_numpy()
    failed = 0
    again = np.flatnonzero(~passed)
    found = {name: table[name].transpose("part", "trial", ...).to_numpy() for name in wanted}
    for i in again:  # one by one: 131,072 particles of ten groups take memory
        one = fit_many(model, counts.isel(trial=[i]), seed=seed, particles=PARTICLES[1], nuts=False)
        for name, x in one.each(read).data_vars.items():
            found[str(name)][:, i] = x.transpose("part", "trial", ...).to_numpy()[:, 0]
        failed += int(not one.table["passed"].all())
    return found, len(again), failed


def calibrated(name: str) -> dict[str, Any]:
    """Simulate and analyse one case; return its row."""
    kind, sizes, sd, tau = cases()[name]
    n = TRIALS[kind]
    rng = np.random.default_rng([int(x) for x in name.encode()])
    made = basket(sizes, sd, tau, n, rng) if kind == "Basket" else efftox(sd, tau, n, rng)
    models, counts, p = made
    row: dict[str, Any] = {"model": kind, "sizes": sizes, "true_sd": sd, "tau": tau, "trials": n}
    each = {}
    for method, model in models.items():
        found, again, failed = summarised(model, counts, list(p), seed=1)
        each[method] = by_trial(found, p)
        if method == "hierarchy":
            row |= {"again": again, "failed": failed}
    for method, (inside, error) in each.items():
        row |= {f"coverage_{method}": inside.mean(), f"coverage_{method}_se": sem(inside)}
        row |= {f"mse_{method}": error.mean(), f"mse_{method}_se": sem(error)}
    worse = max(METHODS[1:], key=lambda m: each[m][1].mean())
    excess = each["hierarchy"][1] - each[worse][1]
    return row | {"worse": worse, "excess": excess.mean(), "excess_se": sem(excess)}


def by_trial(
    found: Mapping[str, np.ndarray], p: Mapping[str, np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Return, of each trial, the share of intervals that cover and the mean squared error."""
    inside, error = [], []
    for name, true in p.items():
        mean, low, high = found[name]
        inside.append(((low <= true) & (true <= high)).reshape(len(true), -1))
        error.append(((mean - true) ** 2).reshape(len(true), -1))
    return np.hstack(inside).mean(axis=1), np.hstack(error).mean(axis=1)


def sem(x: np.ndarray) -> float:
    """Monte Carlo error of a mean over trials."""
    return float(x.std(ddof=1) / np.sqrt(len(x)))


def main() -> None:
    """Run the study and write its table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--only", default="", help="cases whose name holds this; nothing is written"
    )
    parser.add_argument("--workers", type=int, default=1)
    given = parser.parse_args()
    chosen = [name for name in cases() if given.only in name]
    rows = []
    with ProcessPoolExecutor(given.workers, mp_context=get_context("spawn")) as pool:
        for name, row in zip(chosen, pool.map(calibrated, chosen), strict=True):
            rows.append(
                {k: float(f"{v:.4g}") if isinstance(v, float) else v for k, v in row.items()}
            )
            print(name, rows[-1], flush=True)
            if not given.only:
                pd.DataFrame(rows).to_csv(HERE / "hierarchy_calibration.csv", index=False)


if __name__ == "__main__":
    main()
