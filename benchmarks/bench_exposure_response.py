"""Effective draws per CPU second of exposure-response fits, all measured in one run.

    python benchmarks/bench_exposure_response.py [--repeats 3]

1. NUTS on the curve's values at two exposures (how the package samples) against a plain textbook
   parameterisation (E0, Emax and EC50 themselves) of the same model, the same priors and the same data.
2. The batch engine (`preview`) against NUTS, both warm, on 300 and 1,000 patients.

NUTS: smallest ESS (mean and median, ArviZ) of the parameters; textbook with nutpie's defaults, ours as
`fit` runs it. Engine: by the scatter of its answers over 24 seeds, ESS = posterior variance / variance of
the estimates, the smallest over the means of all parameters and the events that each exceeds its median;
1 / sum of squared weights is shown beside it. Trust the ratios of one run; seconds are the machine's.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace

import arviz_stats as azs
import numpy as np
import nutpie
import pandas as pd

from doseopt_bayes.data.endpoints import Binary, Continuous
from doseopt_bayes.data.exposure import ExposureData
from doseopt_bayes.inference.compiled import compiled_for
from doseopt_bayes.inference.laplace import preview_exposure
from doseopt_bayes.models.exposure_response import ExposureResponse
from doseopt_bayes.models.response import BinaryResponse, ContinuousResponse
from doseopt_bayes.models.shapes import Emax, SigmoidEmax
from doseopt_bayes.priors import HalfNormal, LogNormal, Normal

CURVE = {"e0": Normal(-1.0, 2.0), "emax": Normal(2.0, 2.0), "ec50": LogNormal(60.0, 1.0)}


def patients(n: int, seed: int = 1) -> ExposureData:
    """Simulate placebo and three doses; exposure varies by half between patients."""
    rng = np.random.default_rng(seed)
    dose = rng.choice([0.0, 25.0, 50.0, 100.0], n)
    auc = dose * rng.lognormal(0.0, 0.5, n)
    curve = auc / (40.0 + auc)
    event = rng.random(n) < 1 / (1 + np.exp(1.5 - 3.0 * curve))
    frame = pd.DataFrame({"ID": np.arange(n), "mg": dose, "AUC": auc, "AE": event.astype(int)})
    frame["VALUE"] = 5.0 + 10.0 * curve + rng.normal(0, 4.0, n)
    return ExposureData.from_frame(
        frame, id="ID", dose="mg", dose_unit="mg", exposures={"AUC": "h"},
        endpoints={"ae": Binary("AE"), "value": Continuous("VALUE")}, doses=(0, 25, 50, 100),
    )  # fmt: skip


def recipes() -> dict[str, ExposureResponse]:
    """Return the models of the benchmark; their priors stand on E0, Emax and EC50."""
    wide = {"e0": Normal(5.0, 10.0), "emax": Normal(10.0, 20.0), "sigma": HalfNormal(10.0)}
    hill = {"hill": LogNormal(1.0, 0.25)}
    return {
        "binary, Emax": ExposureResponse("ae", "AUC", Emax(), BinaryResponse(), CURVE,
                                         reference=(0.0, 100.0)),
        "binary, sigmoid Emax": ExposureResponse("ae", "AUC", SigmoidEmax(), BinaryResponse(),
                                                 CURVE | hill, reference=(0.0, 100.0)),
        "continuous, Emax": ExposureResponse("value", "AUC", Emax(), ContinuousResponse(), CURVE | wide,
                                             reference=(0.0, 100.0)),
    }  # fmt: skip


def nuts(
    model: ExposureResponse, data: ExposureData, repeats: int, metric: str
) -> tuple[float, float, int]:
    """Return ESS, CPU seconds and divergences of warm runs of 4 x (1000 + 2000) draws."""
    program = compiled_for(model, data).nuts()
    found = []
    for seed in range(repeats + 1):
        cpu = time.process_time()
        tree = nutpie.sample(program, draws=2000, tune=1000, chains=4, seed=seed, target_accept=0.9,
                             progress_bar=False, save_warmup=False, adaptation=metric)  # fmt: skip
        cpu = time.process_time() - cpu
        draws = tree["posterior"].to_dataset()[list(model.priors)]
        kinds = (azs.ess(draws), azs.ess(draws, method="median"))
        least = min(float(v) for ess in kinds for v in ess.data_vars.values())
        found.append((least, cpu, int(tree["sample_stats"]["diverging"].sum())))
    found = found[1:]  # the first run compiles
    return (float(np.median([f[0] for f in found])), float(np.median([f[1] for f in found])),
            sum(f[2] for f in found))  # fmt: skip


def engine(model: ExposureResponse, data: ExposureData) -> tuple[float, float, float, float]:
    """Return ESS by scatter, CPU seconds, the worst k-hat and ESS by weights, of warm runs."""
    found, estimates, middle, variance = [], [], {}, []
    for seed in range(25):
        cpu = time.process_time()
        post = preview_exposure(model, data, seed=seed, particles=4096, nuts=False, say=False)
        cpu = time.process_time() - cpu
        if seed == 0:  # compiles, and says what the events are
            middle = {v: float(post.quantile(post[v], 0.5)) for v in model.priors}
            spread = [post.expect((post[v] - post.expect(post[v])) ** 2) for v in model.priors]
            variance = [*map(float, spread), *(0.25 for _ in middle)]
            continue
        found.append((cpu, float(post.tree.attrs["khat"]), post.min_ess))
        means = [float(post.expect(post[v])) for v in model.priors]
        estimates.append([*means, *(float(post.prob(post[v] > m)) for v, m in middle.items())])
    ess = np.array(variance) / np.var(estimates, axis=0, ddof=1)
    cpus, khats, kish = zip(*found, strict=True)
    return float(ess.min()), float(np.median(cpus)), max(khats), float(np.median(kish))


def main() -> None:
    """Run the benchmark."""
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("--repeats", type=int, default=3)
    repeats = ask.parse_args().repeats
    head = f"{'model, patients':<28}{'sampler':<22}{'min ESS':>9}{'CPU s':>8}{'ESS / CPU s':>13}"
    print(f"{head}{'ratio':>8}  health")
    for label, model in recipes().items():
        for n in (300, 1000):
            data = patients(n)
            plain = replace(model, reference=None)
            slow = nuts(plain, data, repeats, "diag")
            fast = nuts(model, data, repeats, "low_rank")
            quick = engine(model, data)
            rows = [
                ("textbook NUTS", slow, slow, f"{slow[2]} divergences"),
                ("NUTS", fast, slow, f"{fast[2]} divergences"),
                ("engine", quick, fast, f"k-hat {quick[2]:.2f}, by weights {quick[3]:.0f}"),
            ]
            for name, here, before, health in rows:
                speed, base = here[0] / here[1], before[0] / before[1]
                print(f"{f'{label}, {n}':<28}{name:<22}{here[0]:>9.0f}{here[1]:>8.2f}{speed:>13.0f}"
                      f"{speed / base:>8.1f}  {health}")  # fmt: skip


if __name__ == "__main__":
    main()
