"""Measures the diagnostics gate: how often it refuses healthy fits, and what stops sick draws.

``python -m tests.validation.gate`` repeats it and writes gate.json and gate.png beside this file.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from unittest import mock

import numpy as np

from doseopt_bayes.data.trial import TrialData
from doseopt_bayes.inference import nuts
from doseopt_bayes.inference.checks import diagnose
from doseopt_bayes.models import EffTox
from doseopt_bayes.models.presets import EFFTOX_MATCHPOINT, EFFTOX_THALL2014
from doseopt_bayes.priors import Normal
from tests.inference.test_checks import SICK, draws_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from doseopt_bayes.inference.checks import Diagnostics

HERE: Final = Path(__file__).parent
CONTRACT, LONGER = (
    1000,
    2500,
)  # draws per chain: the fewest that the gate takes, and more than the default
MODERATE: Final = {
    "tox_intercept": Normal(-2.0, 1.5),
    "tox_slope": Normal(1.0, 1.0),
    "eff_intercept": Normal(-0.5, 1.5),
    "eff_slope": Normal(1.0, 1.0),
    "eff_curvature": Normal(0.0, 0.2),
    "association": Normal(0.0, 1.0),
}
RECIPES: Final = {
    "Thall 2014": EffTox((1.0, 2.0, 4.0, 6.6, 10.0), EFFTOX_THALL2014, unit="mg"),
    "Matchpoint": EffTox((7.5, 15.0, 30.0, 45.0), EFFTOX_MATCHPOINT, unit="mg"),
    "moderate, monotone toxicity": EffTox(
        (10.0, 20.0, 40.0, 60.0), MODERATE, unit="mg", monotone_tox=True
    ),
}


def simulated(recipe: EffTox, rng: np.random.Generator) -> TrialData:
    """Return 9 to 60 patients in threes: escalated one level at a time, or spread over the doses.

    The true curves rise with dose, from 0.01-0.2 to at most 0.7 (toxicity) and from 0.05-0.4 to at most
    0.8 (efficacy), logistic in log dose; half of the efficacy curves stay flat above a dose.
    """
    levels = len(recipe.doses)
    x = np.log(recipe.doses)
    x = (x - x[0]) / (x[-1] - x[0])

    def curve(low: float, high: float) -> np.ndarray:
        ends = np.log([low / (1 - low), high / (1 - high)])
        return np.asarray(1 / (1 + np.exp(-(ends[0] + (ends[1] - ends[0]) * x))))

    low = rng.uniform(0.01, 0.2)
    tox = curve(low, rng.uniform(low + 0.02, 0.7))
    low = rng.uniform(0.05, 0.4)
    eff = curve(low, rng.uniform(low + 0.05, 0.8))
    if rng.random() < 0.5:
        eff = np.minimum(eff, eff[rng.integers(1, levels)])
    link = np.tanh(rng.normal() / 2)
    spread = rng.random() < 0.5
    level, seen, text = 0, np.zeros((2, levels)), []
    for _ in range(rng.integers(3, 21)):
        if spread:
            level = int(rng.integers(levels))
        letters = ""
        for _ in range(3):
            a, b = tox[level], eff[level]
            both = a * b + a * (1 - a) * b * (1 - b) * link  # Gumbel-Morgenstern, as in the model
            cells = np.clip([1 - a - b + both, b - both, a - both, both], 0, 1)
            letters += rng.choice(list("NETB"), p=cells / cells.sum())
        seen[:, level] += sum(c in "TB" for c in letters), 3
        text.append(f"{level + 1}{letters}")
        if not spread:
            rate = seen[0, level] / seen[1, level]
            level = int(np.clip(level + (rate < 0.25) - (rate > 0.4), 0, levels - 1))
    return TrialData.parse(" ".join(text), doses=recipe.doses, unit="mg")


def measures(found: Diagnostics) -> dict[str, float]:
    """Return the numbers of one verdict that the figure shows."""
    said = {c.name: c.measured for c in found.checks}
    worst = found.table.max("quantity"), found.table.min("quantity")
    return {
        "rhat": round(float(worst[0].sel(measure="rhat")), 5),
        "ess_bulk": round(float(worst[1].sel(measure="ess_bulk"))),
        "ess_tail": round(float(worst[1].sel(measure="ess_tail"))),
        "bfmi": float(said["E-BFMI"]),
        "divergences": int(said["divergences"]),
    }


def attempts(recipe: EffTox, data: TrialData, *, draws: int, seed: int) -> list[Diagnostics]:
    """Fit with ``dob.fit`` and return the verdict on each of its attempts."""
    said: list[Diagnostics] = []

    def listening(*given: Any) -> Diagnostics:
        said.append(diagnose(*given))
        return said[-1]

    # the prior draws are cut short: the gate never sees them, and they take half of the time
    with mock.patch.multiple(nuts, diagnose=listening, PRIOR_DRAWS=50):
        post = nuts.fit(recipe, data, seed=seed, draws=draws)
    assert post.check() is said[-1]
    return said


def cases(fits: int) -> Iterator[tuple[int, str, EffTox, TrialData]]:
    """Yield the same data sets for each number of draws."""
    for i in range(fits):
        name = list(RECIPES)[i % len(RECIPES)]
        yield i, name, RECIPES[name], simulated(RECIPES[name], np.random.default_rng([2026, i]))


def healthy(draws: int, fits: int, *, seconds: float = np.inf) -> dict[str, Any]:
    """Fit `fits` simulated trials, or as many as `seconds` allow, and count the refusals."""
    start, first, later = time.monotonic(), [], []
    by_check: Counter[str] = Counter()
    by_prior: Counter[str] = Counter()
    for i, name, recipe, data in cases(fits):
        if time.monotonic() - start > seconds:
            break
        said = attempts(recipe, data, draws=draws, seed=i)
        first.append(measures(said[0]))
        by_prior[name] += 1
        by_check.update(c.name for c in said[0].failures)
        if len(said) > 1 or not said[-1].passed:
            steps = [[str(c) for c in d.failures] for d in said]
            later.append(
                {"case": i, "prior": name, "patients": int(data.counts["n_treated"].sum()),
                 "attempts": steps, "refused": not said[-1].passed}
            )  # fmt: skip
    return {
        "draws": draws,
        "fits": len(first),
        "fits_by_prior": dict(by_prior),
        "refused_at_first": sum(bool(x["attempts"][0]) for x in later),
        "refused_at_first_by_check": dict(by_check),
        "refused": sum(x["refused"] for x in later),
        "minutes": round((time.monotonic() - start) / 60, 1),
        "refitted": later,
        "first_attempt": {k: [x[k] for x in first] for k in first[0]},
    }


def sick() -> dict[str, list[str]]:
    """Return which checks refused each planted sick posterior."""
    found = {}
    for name, (values, stats, _) in SICK.items():
        with np.errstate(all="ignore"):
            found[name] = [c.name for c in diagnose(*draws_of(values, **stats), ["b"]).failures]
    return found


def words(run: dict[str, Any]) -> str:
    """Say what one run found."""
    n = run["fits"]
    share = f"{run['refused_at_first'] / n:.1%}, {run['refused'] / n:.1%}"
    return (
        f"4 x {run['draws']} draws: {n} healthy fits, {run['refused_at_first']} refused at first, "
        f"{run['refused']} after the product's own refits ({share}); {run['minutes']} min"
    )


def main() -> None:
    """Measure, write gate.json, draw gate.png."""
    from tests.validation.gate_figure import draw  # noqa: PLC0415  (the test needs no figure)

    parser = argparse.ArgumentParser()
    parser.add_argument("--fits", type=int, default=1000)
    parser.add_argument("--minutes", type=float, default=60.0, help="for each number of draws")
    options = parser.parse_args()
    versions = {p: metadata.version(p) for p in ("pymc", "nutpie", "arviz", "numpy")}
    found: dict[str, Any] = {"versions": versions, "sick": sick(), "healthy": []}
    for draws in (CONTRACT, LONGER):
        run = healthy(draws, options.fits, seconds=60 * options.minutes)
        print(words(run), file=sys.stderr, flush=True)
        found["healthy"].append(run)
        text = json.dumps(found, separators=(",", ":")) + "\n"
        (HERE / "gate.json").write_text(text, encoding="utf-8")
    draw(found, HERE / "gate.png")


if __name__ == "__main__":
    main()
