"""Thirty trials that are hard on a sampler, and the script that made their reference numbers.

``python -m tests.inference.batch_cases`` refits them all by NUTS (4 x 16,000 draws, some minutes) and
writes ``batch_reference.json`` beside this file: posterior means and decision probabilities, each with
its Monte Carlo standard error.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from doseopt_bayes.data.trial import TrialData
from doseopt_bayes.decision.criteria import best_in_each_draw
from doseopt_bayes.decision.utility import LpContour
from doseopt_bayes.models import EffTox
from doseopt_bayes.models.presets import EFFTOX_THALL2014

STORE = Path(__file__).with_name("batch_reference.json")
DOSES = (1.0, 2.0, 4.0, 6.6, 10.0)
LP = LpContour(eff0=0.5, tox1=0.65, hinge=(0.7, 0.25))  # Thall et al. (2014), as in trialr
FREE = EffTox(DOSES, EFFTOX_THALL2014, unit="mg")
RISING = EffTox(DOSES, EFFTOX_THALL2014, unit="mg", monotone_tox=True)


def at_all(letters: str) -> str:
    return " ".join(f"{level}{letters}" for level in range(1, 6))


CASES = {
    "n3 nothing": "1NNN",
    "n3 published start": "1NNE",
    "n3 toxic": "1TTT",
    "n3 both": "1BBB",
    "n3 active": "1EEE",
    "n6 published": "1NNE 2EEB",
    "n6 toxic above": "3NNN 4TTT",
    "n9 climbing": "1NNN 2NNE 3ENB",
    "n12 nothing": "1NNN 2NNN 3NNN 4NNN",
    "n12 separated": f"1{'N' * 6} 5{'B' * 6}",
    "n15 nothing": at_all("NNN"),
    "n15 both": at_all("BBB"),
    "n15 toxic": at_all("TTT"),
    "n15 active": at_all("EEE"),
    "n27 separated": f"1{'N' * 6} 2{'N' * 6} 3NBN 4{'B' * 6} 5{'B' * 6}",
    "n30 reversed": f"1{'T' * 6} 2{'T' * 6} 3TTTEEE 4{'E' * 6} 5{'E' * 6}",
    "n36 agree": f"2{'NB' * 6} 3{'NB' * 6} 4{'NB' * 6}",
    "n36 disagree": f"2{'ET' * 6} 3{'ET' * 6} 4{'ET' * 6}",
    "n39 rising": "1NNN 2NNENNE 3NEENEBENENEE 4EEBEETENBEEB 5BETBEB",
    "n39 toxic": "1TNNTNBNNTNN 2TTNBTTNBTENT 3TTBTTTBTTTBTTBT",
    "n60 nothing": at_all("N" * 12),
    "n60 both": at_all("B" * 12),
    "n60 steep": f"1{'N' * 12} 2{'N' * 9}EEE 3{'E' * 9}NNB 4{'E' * 6}{'B' * 6} 5{'B' * 11}T",
    "n120 mixed": f"1{'N' * 18}{'E' * 5}T 2{'N' * 12}{'E' * 9}TTB 3{'N' * 7}{'E' * 12}TTBBB "
    f"4NNNN{'E' * 12}TTT{'B' * 5} 5NNN{'E' * 10}TTT{'B' * 8}",
    "n120 nothing": at_all("N" * 24),
    "n120 both": at_all("B" * 24),
    "n120 separated": f"1{'N' * 24} 2{'N' * 24} 3{'N' * 12}{'B' * 12} 4{'B' * 24} 5{'B' * 24}",
    "n120 one dose": f"2{'N' * 70}{'E' * 30}{'T' * 12}{'B' * 8}",
    "n12 separated, tox_slope > 0": f"1{'T' * 6} 5{'E' * 6}",
    "n39 rising, tox_slope > 0": "1NNN 2NNENNE 3NEENEBENENEE 4EEBEETENBEEB 5BETBEB",
}
QUICK = ("n3 nothing", "n6 published", "n12 separated", "n15 both", "n39 rising", "n120 nothing")


def recipe_of(case: str) -> EffTox:
    return RISING if case.endswith("tox_slope > 0") else FREE


def trial_of(case: str) -> TrialData:
    return TrialData.parse(CASES[case], doses=DOSES, unit="mg")


def numbers(post):
    """Return what a decision reads: draws or events of each, over dose."""
    u = LP({"p_tox": post["p_tox"], "p_eff": post["p_eff"]})
    return {
        "p_tox": post["p_tox"],
        "p_eff": post["p_eff"],
        "tolerable": post["p_tox"] < 0.3,
        "active": post["p_eff"] > 0.5,
        "best": best_in_each_draw(u, u.isel(dict.fromkeys(post.sample_dims, 0)) > -np.inf),
    }


def main() -> None:
    from doseopt_bayes.inference.nuts import fit  # noqa: PLC0415

    kept = json.loads(STORE.read_text(encoding="utf-8")) if STORE.exists() else {}
    for case, text in CASES.items():
        if kept.get(case, {}).get("outcomes") == text:
            continue
        post = fit(recipe_of(case), trial_of(case), seed=20260401, draws=16_000)
        found = {
            name: {
                "value": np.round(post.expect(x.astype(float)).to_numpy(), 6).tolist(),
                "mcse": np.round(post.mcse(x).to_numpy(), 6).tolist(),
            }
            for name, x in numbers(post).items()
        }
        kept[case] = {"outcomes": text, "passed": post.check().passed, **found}
        STORE.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
        print(case, post.check().passed, [str(c) for c in post.check().failures], flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
