"""Samples every exposure-response data set of the tests, and simulated patients, at default settings.

``python -m tests.validation.er_sampling`` repeats it and writes er_sampling.csv beside this file, a row
per fit: ``divergences`` and ``refits`` of NUTS at its first settings, the worst R-hat and the smallest
effective sample size (bulk or tail) over all parameters, and wall seconds of the machine it ran on, with
compilation.
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

import doseopt_bayes as dob
from doseopt_bayes.data.endpoints import Binary, Continuous, Grouped, TimeToEvent
from doseopt_bayes.data.exposure import ExposureData
from doseopt_bayes.data.exposure_columns import Covariate
from doseopt_bayes.datasets import path
from doseopt_bayes.inference.nuts import fit
from doseopt_bayes.models.er_curve import CovariateEffect
from doseopt_bayes.models.er_presets import empirical_emax, weakly_informative
from doseopt_bayes.models.joint_exposure import JointExposureResponse
from doseopt_bayes.models.response import (
    BinaryResponse,
    ContinuousResponse,
    CountResponse,
    GroupedResponse,
    PiecewiseExponential,
    WeibullResponse,
)
from doseopt_bayes.models.shapes import (
    BetaShape,
    Emax,
    Exponential,
    Linear,
    LogLinear,
    Quadratic,
    SigmoidEmax,
)
from doseopt_bayes.priors import Normal
from tests.models import er_cases

if TYPE_CHECKING:
    from collections.abc import Callable

    from doseopt_bayes.models.shapes import Shape

HERE: Final = Path(__file__).parent
ORACLES: Final = HERE.parent / "oracles" / "data"
SAMPLES: Final = HERE.parent / "data" / "samples"
MIGRAINE: Final = {  # DoseFinding: dose, free of pain, patients
    "dose": (0, 2.5, 5, 10, 20, 50, 100, 200),
    "events": (13, 4, 5, 16, 12, 14, 14, 21),
    "n": (133, 32, 44, 63, 63, 65, 59, 58),
}
SIMULATED: Final = (300, 1000)


def table(name: str, **roles: Any) -> ExposureData:
    """Read a file of the oracles; its rows are its patients."""
    frame = pd.read_csv(ORACLES / name).rename(columns={"Dose_mg": "dose"})
    return ExposureData.from_frame(
        frame.assign(ID=np.arange(len(frame))), id="ID", dose="dose", dose_unit="mg",
        **({"exposures": {}} | roles),
    )  # fmt: skip


def migraine() -> ExposureData:
    """Return a row per patient of the migraine trial."""
    counts = zip(*MIGRAINE.values(), strict=True)
    rows = [(d, int(i < events)) for d, events, n in counts for i in range(n)]
    frame = pd.DataFrame(rows, columns=["dose", "free"])
    return ExposureData.from_frame(
        frame.assign(ID=np.arange(len(frame))), id="ID", dose="dose", dose_unit="mg", exposures={},
        endpoints={"free": Binary("free")},
    )  # fmt: skip


def ader() -> ExposureData:
    """Return the ADER sample; placebo has exposure 0."""
    months = {"event_value": 0, "time_unit": "day"}
    return dob.read_ader(
        SAMPLES / "ader.csv", dose="TRT01A", dose_unit="mg", planned="TRT01P", placebo="zero",
        dose_levels={"Placebo": 0, "Xanomeline Low Dose": 54, "Xanomeline High Dose": 81},
        exposures={"AUCSS": "h*ug/mL", "CMAXSS": "ug/mL"}, covariates=["AGE", "SEX"],
        endpoints={"os": TimeToEvent("OS", "OSIND", **months), "sae": Binary("SAE"),
                   "pfs": TimeToEvent("PFS", "PFSIND", **months), "teae": Binary("TEAE")},
        missing={"os": "exclude", "pfs": "exclude"},
    )  # fmt: skip


def records() -> ExposureData:
    """Return all 60 patients of the multiple ascending dose records, with observed exposures."""
    return dob.read_nonmem(
        pd.read_csv(SAMPLES / "records_all.csv.gz"), dose="DOSE", dose_unit="mg", dv="LIDV",
        exposures={"AUC": dob.Observed("trapezoid", 2, "h*ng/mL", between=(0, 24)),
                   "CMAX": dob.Observed("max", 2, "ng/mL")},
        endpoints={"pd": dob.Observed("last", 3, "IU/L")}, placebo="zero", blq="drop",
    )  # fmt: skip


def ibs() -> ExposureData:
    """Return the trial in irritable bowel syndrome, with gender as covariate."""
    return table(
        "dosefinding_IBScovars.csv",
        endpoints={"resp": Continuous("resp")},
        covariates=(Covariate("gender", "category", levels=("1", "2")),),
    )


def cuimet() -> ExposureData:
    """Return 100 patients at five doses."""
    frame = pd.read_csv(path("cuimet"))
    return ExposureData.from_frame(
        frame.assign(ID=np.arange(len(frame))), id="ID", dose="Dose", dose_unit="mg", exposures={},
        endpoints={"tox": Binary("Toxicity"), "eff": Binary("Efficacy")},
    )  # fmt: skip


def weak(
    data: ExposureData, endpoint: str, exposure: str, shape: Shape, **more: Any
) -> tuple[Any, ExposureData]:
    """Return the recipe with weakly informative priors, and its data."""
    return weakly_informative(data, endpoint, exposure, shape, **more), data


def joint(data: ExposureData, eff: str, tox: str, exposure: str) -> tuple[Any, ExposureData]:
    """Return two endpoints of the same patients."""
    parts = [weakly_informative(data, name, exposure, Emax()) for name in (eff, tox)]
    return JointExposureResponse(*parts, Normal(0, 1)), data


def cases() -> dict[str, tuple[str, str, Callable[[], tuple[Any, ExposureData]]]]:  # noqa: C901
    """Return name of each case to data set, model, and what makes recipe and data."""
    value = {"response": ContinuousResponse()}
    dsim = {"exposures": {"exposure": "unit"}}
    found: list[tuple[str, str, Callable[[], tuple[Any, ExposureData]]]] = []

    def add(data: str, model: str, made: Callable[[], tuple[Any, ExposureData]]) -> None:
        found.append((data, model, made))

    def hyper() -> ExposureData:
        return table("bayesertools_hgly2.csv", exposures={"AUCss": "h*ug/mL"}, endpoints={"ae": Binary("AEFLAG")})  # fmt: skip

    for shape in (Emax(), SigmoidEmax(), Linear(), Quadratic()):
        add("hyperglycaemia", f"binary {type(shape).__name__}",
            lambda s=shape: weak(hyper(), "ae", "AUCss", s))  # fmt: skip
    add("hyperglycaemia", "binary empirical Emax", lambda: (
        empirical_emax("ae", "AUCss", p50=2000, target=6000, level=(-2, 1.5), effect=(1, 1.5)),
        hyper()))  # fmt: skip
    for shape in (Emax(), SigmoidEmax()):
        add("d_sim_emax", f"continuous {type(shape).__name__}", lambda s=shape: weak(
            table("bayesertools_d_sim_emax.csv", endpoints={"y": Continuous("response_1")}, **dsim),
            "y", "exposure", s, spread=5, typical=10, **value))  # fmt: skip
        add("d_sim_emax", f"binary {type(shape).__name__}", lambda s=shape: weak(
            table("bayesertools_d_sim_emax.csv", endpoints={"y": Binary("bin_d")}, **dsim),
            "y", "exposure", s))  # fmt: skip
    add("rstanemax", "continuous Emax", lambda: weak(
        table("rstanemax_exposure_response_sample.csv", endpoints={"y": Continuous("response")}, **dsim),
        "y", "exposure", Emax(), spread=50, **value))  # fmt: skip
    for shape in (
        Emax(),
        SigmoidEmax(),
        Quadratic(),
        Exponential(),
        LogLinear(0.01),
        BetaShape(1.2),
    ):
        add("biom", f"continuous {type(shape).__name__}", lambda s=shape: weak(
            table("dosefinding_biom.csv", endpoints={"y": Continuous("resp")}), "y", "dose", s,
            spread=1, **value))  # fmt: skip
    on = CovariateEffect("e0", "gender", level="2")
    add("IBS", "continuous Emax, gender on E0", lambda: weak(
        ibs(), "resp", "dose", Emax(), spread=1, covariates=(on,), **value))  # fmt: skip
    add("glycobrom", "grouped Emax", lambda: weak(
        table("dosefinding_glycobrom.csv", endpoints={"y": Grouped("fev1", "sdev", "n")}), "y", "dose",
        Emax(), spread=0.2, typical=1.25, response=GroupedResponse()))  # fmt: skip
    for shape in (Emax(), SigmoidEmax()):
        add("migraine", f"binary {type(shape).__name__}", lambda s=shape: weak(
            migraine(), "free", "dose", s))  # fmt: skip
    add("migraine", "binary empirical Emax", lambda: (
        empirical_emax("free", "dose", p50=20, target=200, level=(-2, 1), effect=(1, 1.5)),
        migraine()))  # fmt: skip
    add("ADER", "binary Emax (SAE)", lambda: weak(ader(), "sae", "AUCSS", Emax()))
    add("ADER", "binary Emax (TEAE)", lambda: weak(ader(), "teae", "CMAXSS", Emax()))
    add("ADER", "Weibull Emax (OS, 3 events)", lambda: weak(
        ader(), "os", "AUCSS", Emax(), response=WeibullResponse(180)))  # fmt: skip
    add("ADER", "Weibull Emax (PFS)", lambda: weak(
        ader(), "pfs", "AUCSS", Emax(), response=WeibullResponse(180)))  # fmt: skip
    for exposure in ("AUC", "CMAX", "dose"):
        add("NONMEM records", f"continuous Emax by {exposure}", lambda e=exposure: weak(
            records(), "pd", e, Emax(), spread=3, typical=3, **value))  # fmt: skip
    add("CUI-MET", "efficacy and toxicity by dose", lambda: joint(cuimet(), "eff", "tox", "dose"))

    for n in SIMULATED:

        def simulated(n: int = n) -> ExposureData:
            return er_cases.read(er_cases.frame(n))

        families = {
            "ae": ("binary", BinaryResponse(), {}),
            "value": ("continuous", ContinuousResponse(), {"spread": 5, "typical": 5}),
            "count": ("count", CountResponse(), {}),
            "pfs": ("Weibull", WeibullResponse(12), {}),
        }  # fmt: skip
        for name, (word, family, more) in families.items():
            for shape in (Emax(), SigmoidEmax()):
                add(f"simulated {n}", f"{word} {type(shape).__name__}",
                    lambda n=n, e=name, f=family, m=more, s=shape, d=simulated: weak(
                        d(n), e, "AUC", s, response=f, **m))  # fmt: skip
        add(f"simulated {n}", "piecewise exponential Emax", lambda n=n, d=simulated: weak(
            d(n), "pfs", "AUC", Emax(), response=PiecewiseExponential((6.0, 12.0))))  # fmt: skip
        add(f"simulated {n}", "binary empirical Emax", lambda n=n, d=simulated: (
            empirical_emax("ae", "AUC", p50=40, target=100, level=(-1.5, 1), effect=(1.5, 1.5)),
            d(n)))  # fmt: skip
        add(f"simulated {n}", "binary Emax, age on E0 and sex on EC50", lambda n=n, d=simulated: weak(
            d(n), "ae", "AUC", Emax(),
            covariates=(CovariateEffect("e0", "AGE", centre=60, per=10),
                        CovariateEffect("ec50", "SEX", level="M"))))  # fmt: skip
        add(f"simulated {n}", "binary Emax, rising", lambda n=n, d=simulated: weak(
            d(n), "ae", "AUC", Emax(), monotone="rising"))  # fmt: skip
    return {f"{data}: {model}": (data, model, made) for data, model, made in found}


def sampled(name: str) -> dict[str, Any]:
    """Fit one case at default settings; return its row."""
    data_name, model_name, made = cases()[name]
    recipe, data = made()
    began = time.perf_counter()
    post = fit(recipe, data, seed=1)
    seconds = time.perf_counter() - began
    parts = recipe.parts.values() if isinstance(recipe, JointExposureResponse) else [recipe]
    n = max(int(one.read(data).sizes["patient"]) for one in parts)
    measures = post.diagnostics.table
    wrong = [x for x in post.notes if "divergen" in x]
    return {
        "data": data_name, "model": model_name, "n": n,
        "divergences": int(post.tree["sample_stats"]["diverging"].sum()), "refits": len(wrong),
        "draws": post.n_draws, "rhat": round(float(measures.sel(measure="rhat").max()), 4),
        "ess": round(float(measures.sel(measure=["ess_bulk", "ess_tail"]).min())),
        "passed": int(post.check().passed), "seconds": round(seconds, 1),
    }  # fmt: skip


def main() -> None:
    """Run the study and write its table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--only", default="", help="cases whose name holds this text; nothing is written"
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
                pd.DataFrame(rows).to_csv(HERE / "er_sampling.csv", index=False)


if __name__ == "__main__":
    main()
