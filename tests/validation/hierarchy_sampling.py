"""Samples every hierarchical example, and simulated subgroups, at the default settings of fit().

``python -m tests.validation.hierarchy_sampling`` repeats it and writes hierarchy_sampling.csv beside this
file, a row per fit: ``first`` is the target acceptance of the first attempt and ``accept`` that of the
last, ``refits`` the attempts that diverged and ``diverged`` the divergences of the worst of them,
``divergences`` those of the draws that were kept; the worst R-hat and the smallest effective sample size
(bulk or tail) of all parameters and probabilities; wall seconds of a busy machine, with compilation.

Simulated groups have 0 to 200 patients, and log-odds around their centre with ``true_sd``.
"""

from __future__ import annotations

import argparse
import re
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd
from scipy.special import expit, logit

from doseopt_bayes import datasets
from doseopt_bayes.data import CountColumns, PatientColumns, TrialData
from doseopt_bayes.inference.nuts import fit
from doseopt_bayes.models import BLRM, Basket, EffTox
from doseopt_bayes.models.basket import berry_prior
from doseopt_bayes.priors import HalfNormal, Normal, Pooled
from tests.models.basket_cases import CHUGH, SARCOMA_EXNEX, counted

if TYPE_CHECKING:
    from collections.abc import Callable

    from doseopt_bayes.models.base import DoseModel

    Case = Callable[[], tuple[DoseModel, TrialData]]

HERE: Final = Path(__file__).parent
SIZES: Final = {
    2: (0, 200),
    5: (0, 1, 13, 60, 200),
    12: (0, 0, 1, 2, 3, 5, 8, 13, 30, 60, 120, 200),
}
TRUE_SD: Final = (0.0, 0.5, 1.5)
DOSES: Final = (50.0, 100.0, 200.0)
HALF: Final = HalfNormal(0.5)


def bolt() -> tuple[DoseModel, TrialData]:
    """Return sonidegib in two subgroups of basal cell carcinoma."""
    roles = CountColumns(
        "dose", eff="eff", n_eff="n_eff", tox="tox", n_tox="n_tox", unit_column="unit",
        other={"discontinuation": "discontinuation"}, n_other={"discontinuation": "n_discontinuation"},
        groups={"subgroup": "subgroup"}, group_levels={"subgroup": ("laBCC", "mBCC")}, together="all",
    )  # fmt: skip
    data = TrialData.from_counts(datasets.path("bolt"), roles)
    priors = {
        "tox_intercept": Normal(0, 2), "tox_slope": Normal(0.5, 1), "eff_curvature": Normal(0, 0.2),
        "eff_intercept": Pooled(Normal(-0.5, 2), HALF), "eff_slope": Pooled(Normal(0, 1), HALF),
        "association": Normal(0, 1), "discontinuation_intercept": Normal(0, 2),
        "discontinuation_slope": Normal(0.5, 1),
    }  # fmt: skip
    return EffTox(
        data.doses, priors, unit="mg", others=("discontinuation",), groups=data.groups
    ), data


def sarcoma(prior: Pooled) -> tuple[DoseModel, TrialData]:
    """Return imatinib in ten subtypes of sarcoma."""
    data = counted(*CHUGH)
    return Basket(1.0, prior, data.groups), data


def patients(k: int, sd: float) -> pd.DataFrame:
    """Return a row per patient of k groups, at random doses."""
    rng = np.random.default_rng([k, int(10 * sd)])
    table = pd.DataFrame({"subgroup": np.repeat([f"g{i}" for i in range(k)], SIZES[k])})
    at = np.repeat(np.arange(k), SIZES[k])
    table["mg"] = rng.choice(DOSES, len(table))
    x = np.log(table["mg"].to_numpy() / 100)
    for name, rate in (("eff", 0.3), ("tox", 0.2)):
        centre = logit(rate) + sd * rng.normal(size=k)
        table[name] = (rng.random(len(table)) < expit(centre[at] + 0.8 * x)).astype(int)
    return table


def simulated(model: str, k: int, sd: float) -> tuple[DoseModel, TrialData]:
    """Return one model of k groups, and its patients."""
    levels = tuple(f"g{i}" for i in range(k))
    groups = {"subgroup": levels}
    table = patients(k, sd)
    if model == "Basket":
        table = table.assign(mg=100.0)
    roles = PatientColumns(
        "mg", tox="tox", eff="eff", unit="mg", doses=(100,) if model == "Basket" else DOSES,
        groups={"subgroup": "subgroup"}, group_levels=groups,
    )  # fmt: skip
    data = TrialData.from_frame(table, roles)
    if model == "Basket":
        return Basket(100.0, Pooled(Normal(0, 2), HALF), groups, unit="mg"), data
    if model == "BLRM":
        priors = {
            "log_alpha": Pooled(Normal(-1.4, 2), HALF),
            "log_beta": Pooled(Normal(0, 1), HalfNormal(0.25)),
        }
        return BLRM(DOSES, 100.0, priors, unit="mg", groups=groups), data
    own = {n: Pooled(Normal(-1, 2), HALF) for n in ("tox_intercept", "eff_intercept")}
    own |= {"eff_slope": Pooled(Normal(0.5, 1), HALF)}
    plain = {
        "tox_slope": Normal(0.5, 1),
        "eff_curvature": Normal(0, 0.2),
        "association": Normal(0, 1),
    }
    return EffTox(DOSES, plain | own, unit="mg", groups=groups), data


def cases() -> dict[str, tuple[str, str, str, Case]]:
    """Return name of each case to data set, model, true sd, and what makes recipe and data."""
    found: list[tuple[str, str, str, Case]] = [
        ("BOLT", "EffTox, three endpoints", "", bolt),
        ("sarcoma", "Basket, EXNEX", "", lambda: sarcoma(SARCOMA_EXNEX)),
        ("sarcoma", "Basket, Berry", "", lambda: sarcoma(berry_prior(target=0.2))),
    ]
    found += [
        (f"{k} groups", model, f"{sd:g}", lambda m=model, k=k, sd=sd: simulated(m, k, sd))
        for model in ("Basket", "BLRM", "EffTox")
        for k in SIZES
        for sd in TRUE_SD
    ]
    return {f"{d}: {m} {sd}".rstrip(): (d, m, sd, made) for d, m, sd, made in found}


def sampled(name: str) -> dict[str, Any]:
    """Fit one case at default settings; return its row."""
    data_name, model_name, sd, made = cases()[name]
    recipe, data = made()
    began = time.perf_counter()
    post = fit(recipe, data, seed=1)
    seconds = time.perf_counter() - began
    tried = [x for x in post.notes if "divergen" in x]
    counts = [int(n) for x in tried for n in re.findall(r"divergences: (\d+)", x)]
    steps = [
        float(a) for x in post.notes for a in re.findall(r"at target acceptance ([0-9.]+):", x)
    ]
    measures = post.diagnostics.table
    return {
        "data": data_name, "model": model_name, "true_sd": sd,
        "n": int(data.counts["n_treated"].sum()), "first": (steps or [post.tree.attrs["target_accept"]])[0],
        "refits": len(tried), "diverged": max(counts, default=0),
        "accept": post.tree.attrs["target_accept"], "draws": post.n_draws,
        "divergences": int(post.tree["sample_stats"]["diverging"].sum()),
        "rhat": round(float(measures.sel(measure="rhat").max()), 4),
        "ess": round(float(measures.sel(measure=["ess_bulk", "ess_tail"]).min())),
        "passed": int(post.check().passed), "seconds": round(seconds, 1),
    }  # fmt: skip


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
        for row in pool.map(sampled, chosen):
            rows.append(row)
            print(*row.values(), sep=", ", flush=True)
            if not given.only:
                pd.DataFrame(rows).to_csv(HERE / "hierarchy_sampling.csv", index=False)


if __name__ == "__main__":
    main()
