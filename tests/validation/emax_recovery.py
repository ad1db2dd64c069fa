"""Measures whether the empirically based Emax model finds known truths, over the whole range of its prior.

``python -m tests.validation.emax_recovery`` repeats it and writes emax_recovery.csv beside this file, a
row per simulated trial of 300 patients at five doses:

- ``grid``: ED50 / P50 and the Hill coefficient at fixed values out to the ends of their published 95 %
  intervals (0.012 to 85, and 0.34 to 2.98); placebo response and effect drawn from their priors;
- ``prior``: all parameters drawn from the prior, where the posterior probability of lying below the
  truth must be uniform if the posterior is right (Talts et al. 2018).
"""

from __future__ import annotations

import argparse
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd
from scipy import stats

from doseopt_bayes.data.endpoints import Binary, Continuous
from doseopt_bayes.data.exposure import ExposureData
from doseopt_bayes.inference.batch import preview
from doseopt_bayes.models.er_presets import empirical_emax
from doseopt_bayes.models.response import ContinuousResponse

if TYPE_CHECKING:
    from doseopt_bayes.models.exposure_response import ExposureResponse

HERE: Final = Path(__file__).parent
DOSES: Final = (0.0, 25.0, 50.0, 100.0, 200.0)
PATIENTS: Final = 300
P50: Final = 50.0
RATIOS: Final = (0.012, 0.1, 1.0, 10.0, 85.0)  # ED50 / P50
HILLS: Final = (0.34, 0.6, 1.0, 1.7, 2.98)
KINDS: Final = ("binary", "continuous")
LEVEL: Final = {"binary": (-1.0, 1.0), "continuous": (0.0, 2.0)}
EFFECT: Final = {"binary": (1.5, 1.5), "continuous": (3.0, 3.0)}
SIGMA: Final = (1.0, 5.0)
PARTICLES: Final = 4096
RANKED: Final = ("level", "effect", "ec50", "hill", "sigma")


def recipe(kind: str) -> ExposureResponse:
    """Return the model of one kind of endpoint."""
    more: dict[str, Any] = {}
    if kind == "continuous":
        more = {"response": ContinuousResponse(), "sigma": SIGMA}
    return empirical_emax(
        "y", "dose", p50=P50, target=DOSES[-1], level=LEVEL[kind], effect=EFFECT[kind], unit="mg", **more
    )  # fmt: skip


def drawn(kind: str, rng: np.random.Generator) -> dict[str, float]:
    """Draw a truth from the prior as SPEC and clinDR state it, without the package."""

    def within(df: float, centre: float, scale: float, low: float, high: float) -> float:
        while True:
            x = centre + scale * rng.standard_t(df)
            if low <= x <= high:
                return float(x)

    ratio = within(5, 0.0, 1.73, np.log(0.001), np.log(1000))
    centre = -0.45 * 0.425 / 1.73 * ratio
    scale = 0.425 * np.sqrt((1 - 0.45**2) * (5 + (ratio / 1.73) ** 2) / 6)
    hill = within(6, centre, float(scale), np.log(0.3), np.log(4.0))
    found = {"ratio": float(np.exp(ratio)), "hill": float(np.exp(hill))}
    for name, (mean, spread) in (("level", LEVEL[kind]), ("effect", EFFECT[kind])):
        found[name] = float(mean + spread * rng.standard_t(5))
    if kind == "continuous":
        found["sigma"] = float(rng.uniform(*SIGMA))
    return found


def curve(truth: dict[str, float], dose: np.ndarray) -> np.ndarray:
    """Linear predictor at doses: level at 0, level + effect at the highest dose."""
    ed50, h = truth["ratio"] * P50, truth["hill"]
    gain = dose**h / (ed50**h + dose**h)
    top = DOSES[-1] ** h / (ed50**h + DOSES[-1] ** h)
    return np.asarray(truth["level"] + truth["effect"] * gain / top)


def simulated(kind: str, truth: dict[str, float], rng: np.random.Generator) -> ExposureData:
    """Return a trial with as many patients at each dose."""
    dose = np.repeat(DOSES, PATIENTS // len(DOSES))
    eta = curve(truth, dose)
    if kind == "binary":
        y, endpoint = (rng.random(dose.size) < stats.logistic.cdf(eta)).astype(int), Binary("Y")
    else:
        y, endpoint = eta + truth["sigma"] * rng.standard_normal(dose.size), Continuous("Y")
    frame = pd.DataFrame({"ID": np.arange(dose.size).astype(str), "mg": dose, "Y": y})
    return ExposureData.from_frame(
        frame, id="ID", dose="mg", dose_unit="mg", exposures={}, endpoints={"y": endpoint}
    )


def trial(job: tuple[str, str, int, float, float]) -> dict[str, Any]:
    """Simulate and fit one trial; return its row."""
    design, kind, i, ratio, hill = job
    at = (RATIOS.index(ratio), HILLS.index(hill)) if design == "grid" else (0, 0)
    rng = np.random.default_rng([2026, design == "grid", KINDS.index(kind), *at, i])
    truth = drawn(kind, rng)
    if design == "grid":
        truth |= {"ratio": ratio, "hill": hill}
    model = recipe(kind)
    post = preview(model, simulated(kind, truth, rng), seed=i, particles=PARTICLES)
    weight = post.weight.to_numpy()
    # on the scale of the linear predictor; a monotone link changes neither coverage nor ranks
    found = (
        model.predictor_at(post.draws, np.array(DOSES)).transpose("particle", "exposure").to_numpy()
    )
    true = curve(truth, np.array(DOSES))
    below = (weight[:, None] * (found < true)).sum(axis=0)
    row: dict[str, Any] = {
        "design": design, "kind": kind, "trial": i, "ratio": round(truth["ratio"], 5),
        "hill": round(truth["hill"], 4), "passed": int(post.check().passed),
        "nuts": int("by NUTS" in post.notes[0]), "khat": round(float(post.tree.attrs["khat"]), 3),
        "ess": round(float(post.tree.attrs["ess"])),
    }  # fmt: skip
    row |= {f"below_{d:g}": round(float(b), 4) for d, b in zip(DOSES, below, strict=True)}
    for name in RANKED:
        if name in truth or name == "ec50":
            value = truth["ratio"] * P50 if name == "ec50" else truth[name]
            row[f"below_{name}"] = round(
                float((weight * (post.draws[name].to_numpy() < value)).sum()), 4
            )
    return row


def main() -> None:
    """Run the study and write its table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--per-cell", type=int, default=12, help="trials at each point of the grid")
    parser.add_argument("--from-prior", type=int, default=200, help="trials of each kind")
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    jobs = [
        ("grid", kind, i, ratio, hill)
        for kind in KINDS
        for ratio in RATIOS
        for hill in HILLS
        for i in range(given.per_cell)
    ]
    jobs += [("prior", kind, i, 0.0, 0.0) for kind in KINDS for i in range(given.from_prior)]
    start = time.perf_counter()
    with ProcessPoolExecutor(given.workers, mp_context=get_context("spawn")) as pool:
        rows = list(pool.map(trial, jobs, chunksize=5))
    table = pd.DataFrame(rows)
    table.to_csv(HERE / "emax_recovery.csv", index=False, lineterminator="\n")
    curves = [f"below_{d:g}" for d in DOSES]
    inside = table[curves].gt(0.025) & table[curves].lt(0.975)
    print(f"{len(table)} trials in {time.perf_counter() - start:.0f} s")
    print(inside.groupby([table["design"], table["kind"]]).mean().round(3).to_string())


if __name__ == "__main__":
    main()
