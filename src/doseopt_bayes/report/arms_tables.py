"""The tables of a comparison of arms: text cells made from its results, with what each means."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from doseopt_bayes import names
from doseopt_bayes.arms.margin import UTILITY
from doseopt_bayes.decision.cui import CUI
from doseopt_bayes.decision.prose import error, number, precise, probability, value, with_unit
from doseopt_bayes.report.robustness import as_tables
from doseopt_bayes.report.tables import Table

if TYPE_CHECKING:
    import xarray as xr

    from doseopt_bayes.arms.band import AssociationBand
    from doseopt_bayes.arms.compare import ArmComparison
    from doseopt_bayes.arms_analysis import ArmsAnalysis

__all__ = [
    "acceptability",
    "alternatives",
    "association",
    "configurations",
    "definitions",
    "differences",
    "margin_flips",
    "margins",
    "tipping",
    "verdicts",
]

CONFIGURATION, PAIR, RANK = "configuration", "pair", "rank"


def _estimate(at: xr.Dataset, name: str, sign: str = "") -> str:
    """Centre ± error (interval), with one decimal more than the error has."""
    x, mcse = float(at[name]), float(at[f"{name}_mcse"])
    if np.isnan(x):
        return "-"
    low, high = (f"{float(at[f'{name}_{end}']):{sign}.3f}" for end in ("low", "high"))
    return f"{x:{sign}.3f} ± {error(mcse)} ({low} to {high})"


def _chance(p: float, mcse: float) -> str:
    return f"{precise(p)} ± {error(mcse)}"


def differences(found: ArmComparison) -> Table:
    """Every pair and endpoint: difference, ratio and Pr(low > high)."""
    table = found.table
    rows = []
    for pair in table[PAIR].to_numpy():
        for end in table[names.ENDPOINT].to_numpy():
            at = table.sel({PAIR: pair, names.ENDPOINT: end})
            rows.append(
                (
                    str(pair),
                    "utility" if end == UTILITY else str(end),
                    _observed(at, str(end)),
                    _estimate(at, "difference", "+"),
                    _estimate(at, "ratio"),
                    f"{probability(float(at['prob_higher']))} ± {error(float(at['prob_higher_mcse']))}",
                )
            )
    columns = ("Low vs high", "Endpoint", "Observed: low, high", "Low - high", "Low / high",
               "Pr(low > high)")  # fmt: skip
    note = (
        "Low - high: posterior mean ± Monte Carlo standard error (equal-tailed 95 % credible interval). "
        "Low / high: posterior median with the same. Observed: events / patients analysed. Errors of "
        "the interval ends are in pairs.csv."
    )
    return Table("Differences between arms", columns, tuple(rows), note)


def _observed(at: xr.Dataset, end: str) -> str:
    if end == UTILITY or names.N not in at:
        return "-"
    x = [at.sel({names.DOSE: float(at[side])}) for side in ("low", "high")]
    return ", ".join(f"{int(a[names.EVENTS])}/{int(a[names.N])}" for a in x)


def margins(found: ArmComparison) -> Table:
    """Probability of each margin, of all at once, and the verdict."""
    table = found.table
    rows = []
    for pair in table[PAIR].to_numpy():
        at = table.sel({PAIR: pair})
        for label in table["margin"].to_numpy():
            one = at.sel(margin=label)
            p = _chance(float(one["within"]), float(one["within_mcse"]))
            rows.append((str(pair), str(label), p, ""))
        p = _chance(float(at["joint"]), float(at["joint_mcse"]))
        rows.append((str(pair), "all at once", p, str(at["status"].item())))
    note = (
        f"Met: the probability of all margins at once exceeds {found.certainty:g} by more than 3 Monte "
        "Carlo standard errors; not met: it stays below by as much; not resolved: these draws do not "
        "tell. The joint probability is that of the same draws, not a product."
    )
    columns = ("Low vs high", "Margin", "Probability ± MCSE", "Verdict")
    return Table("What the lower dose may lose", columns, tuple(rows), note)


def definitions(analysis: ArmsAnalysis) -> Table:
    """What each configuration decides by."""
    rows = []
    for c in analysis.given:
        weights, decision = "-", analysis.found.comparisons[c.name].decision
        if isinstance(c.utility, CUI):
            weights = ", ".join(f"{n} {w:.3f}" for n, w in c.utility.weights.items())
        rows.append(
            (
                c.name,
                c.version,
                weights,
                analysis.sources.get(c.name, "as pre-specified for all"),
                "; ".join(map(str, c.margins)),
                f"{c.certainty:g}",
                str(decision.rules),
                str(decision.criterion),
            )
        )
    columns = ("Configuration", "Version", "Weights", "Source of the weights", "Margins",
               "Certainty", "Admissible", "Criterion")  # fmt: skip
    note = (
        "Weights sum to 1. Certainty: what the probability of all margins at once must exceed. "
        "Low and high are the arms of a pair."
    )
    return Table("What each configuration decides by", columns, tuple(rows), note)


def configurations(analysis: ArmsAnalysis) -> Table:
    """The arms under each configuration, side by side."""
    table = analysis.found.table
    doses = table[names.DOSE].to_numpy()
    rows = []
    for name in table[CONFIGURATION].to_numpy():
        at = table.sel({CONFIGURATION: name})
        cells = []
        for dose in doses:
            one = at.sel({names.DOSE: dose})
            if not bool(one["admissible"]):
                cells.append("{} ± {}; not admissible".format(*number(one, "utility")))
                continue
            p = probability(float(one["prob_best"]))
            cells.append(
                "{} ± {}; {} ± {}".format(
                    *number(one, "utility"), p, error(float(one["prob_best_mcse"]))
                )
            )
        leading = with_unit(float(at["leading"]), table)
        rows.append((str(name), leading, str(at["status"].item()), *cells))
    heads = [f"{with_unit(float(d), table)}: utility; Pr(best)" for d in doses]
    note = (
        "Posterior mean utility ± Monte Carlo standard error; posterior probability ± error that the "
        "arm has the highest utility among the admissible ones. Status: 'recommended' says that more "
        "draws would not change which arm the criterion chooses; how sure the trial makes it that the "
        "arm is the best is Pr(best). Utilities of two configurations are on two scales. All rows come "
        "from one posterior."
    )
    columns = ("Configuration", "Leads", "Status", *heads)
    return Table("The arms under each configuration", columns, tuple(rows), note)


def verdicts(analysis: ArmsAnalysis) -> Table:
    """The verdict on each pair under each configuration, side by side."""
    table = analysis.found.table
    pairs = [str(p) for p in table[PAIR].to_numpy()]
    rows = []
    for name in table[CONFIGURATION].to_numpy():
        at = table.sel({CONFIGURATION: name})
        cells = [
            f"{_chance(float(x['joint']), float(x['joint_mcse']))}: {x['meets'].item()}"
            for x in (at.sel({PAIR: p}) for p in pairs)
        ]
        certainty = analysis.found.comparisons[str(name)].certainty
        rows.append((str(name), f"{certainty:g}", *cells))
    note = "Probability ± Monte Carlo standard error of all margins at once, and what follows."
    columns = ("Configuration", "Must exceed", *pairs)
    return Table("All margins at once under each configuration", columns, tuple(rows), note)


def margin_flips(analysis: ArmsAnalysis) -> Table:
    """The value of each margin at which the verdict of a pair changes."""
    rows, seen = [], set()
    for c in analysis.given:
        if (c.margins, c.certainty) in seen and all(m.endpoint != UTILITY for m in c.margins):
            continue  # of the same margins it is the same
        seen.add((c.margins, c.certainty))
        found, table = (
            analysis.sensitivity[c.name].margins,
            analysis.found.comparisons[c.name].table,
        )
        for pair in found[PAIR].to_numpy():
            for label in found["margin"].to_numpy():
                at = found.sel({PAIR: pair, "margin": label})
                to, mcse = float(at["to"]), float(at["to_mcse"])
                met = "no value" if np.isnan(to) else f"{value(to, mcse)} ± {error(mcse)}"
                met = met.replace("-0.000 ", "0.000 ").replace("-0.00 ", "0.00 ")
                status = str(table["status"].sel({PAIR: pair}).item())
                rows.append((_same_margins(analysis, c.name), str(pair), str(label), status,
                             f"{float(at['now']):g}", met))  # fmt: skip
    note = (
        "Met from: the loss (`at_most`) that would have to be allowed for the probability of all margins "
        "at once to reach the certainty, the other margins staying. No value: even without this margin "
        "the others hold less often."
    )
    columns = ("Configuration", "Low vs high", "Margin", "Verdict", "May be lost, now",
               "Met from ± MCSE")  # fmt: skip
    return Table("Margins that would change a verdict", columns, tuple(rows), note)


def _same_margins(analysis: ArmsAnalysis, name: str) -> str:
    one = next(c for c in analysis.given if c.name == name)
    if any(m.endpoint == UTILITY for m in one.margins):
        return name
    key = (one.margins, one.certainty)
    return ", ".join(c.name for c in analysis.given if (c.margins, c.certainty) == key)


def tipping(analysis: ArmsAnalysis) -> list[Table]:
    """The nearest change of one weight, limit or certainty that changes the leading arm."""
    frames = {
        f"Nearest changes of the leading arm: {name}": one.tipping.to_frame()
        for name, one in analysis.sensitivity.items()
        if one.tipping is not None and bool(one.tipping.table["flips"].any())
    }
    return as_tables(frames, analysis.base.data.unit)


def acceptability(analysis: ArmsAnalysis) -> Table | None:
    """Ranks of the arms under random weights, of the first configuration with a CUI."""
    for name, one in analysis.sensitivity.items():
        shares = one.acceptability
        if shares is None:
            continue
        head = analysis.found.table
        rows = []
        for dose in shares[names.DOSE].to_numpy():
            at = shares.sel({names.DOSE: dose})
            cells = [_rank(at, r) for r in shares[RANK].to_numpy()]
            weights = at["central_weight"]
            central = "-"
            if not bool(weights.isnull().all()):
                each = zip(weights[names.ATTRIBUTE].to_numpy(), weights.to_numpy(), strict=True)
                central = ", ".join(f"{n} {float(w):.2f}" for n, w in each)
            rows.append((with_unit(float(dose), head), *cells, central))
        ranks = [f"Rank {r}" for r in shares[RANK].to_numpy()]
        note = (
            f"Admissible arms of '{name}'. All weights of the attributes equally likely (flat "
            "Dirichlet; SMAA, Lahdelma and Salminen 2001): probability ± Monte Carlo standard error of "
            f"each rank, seed {analysis.questions.seed}. Central weights: mean of the weights that put "
            "the arm first."
        )
        columns = ("Arm", *ranks, "Central weights")
        return Table("Ranks under random weights", columns, tuple(rows), note)
    return None


def _rank(at: xr.Dataset, rank: int) -> str:
    one = at.sel({RANK: rank})
    if not bool(at["admissible"]):
        return "not admissible"
    p, mcse = float(one["rank_acceptability"]), float(one["rank_acceptability_mcse"])
    return f"{probability(p)} ± {error(mcse)}"


def association(band: AssociationBand, who: str) -> Table:
    """The probability of all margins at once by the strength of the association."""
    table = band.table
    rows = []
    for pair in table[PAIR].to_numpy():
        at = table.sel({PAIR: pair})
        cells = [
            f"{probability(float(x['joint']))} ± {error(float(x['joint_mcse']))}: {x['meets'].item()}"
            for x in (at.sel(strength=s) for s in table["strength"].to_numpy())
        ]
        bounds = [probability(float(at[end])) for end in ("lowest", "highest")]
        rows.append((str(pair), *cells, " to ".join(bounds)))
    heads = [f"{float(s):+g}" if s else "0 (none)" for s in table["strength"].to_numpy()]
    note = (
        "Probability ± Monte Carlo standard error of all margins at once, and the verdict, by the "
        "association of the endpoints in a patient: -1 and +1 are the strongest that the rates allow. "
        "Bounds: what no dependence whatever can leave (Fréchet)."
    )
    columns = ("Low vs high", *heads, "Bounds")
    return Table(f"What the association could matter: {who}", columns, tuple(rows), note)


def alternatives(analysis: ArmsAnalysis) -> Table | None:
    """The answers and verdicts under the other models."""
    if not analysis.alternatives:
        return None
    both = {"as pre-specified": analysis.found, **analysis.alternatives}
    pairs = [str(p) for p in analysis.found.table[PAIR].to_numpy()]
    rows = []
    for label, found in both.items():
        doubt = f" (FAILED: {analysis.failed[label]})" if label in analysis.failed else ""
        for name in found.table[CONFIGURATION].to_numpy():
            at = found.table.sel({CONFIGURATION: name})
            cells = [
                f"{_chance(float(x['joint']), float(x['joint_mcse']))}: {x['meets'].item()}"
                for x in (at.sel({PAIR: p}) for p in pairs)
            ]
            leading = f"{with_unit(float(at['leading']), found.table)} ({at['status'].item()})"
            rows.append((label + doubt, str(name), leading, *cells))
    note = "Refitted. Probability ± Monte Carlo standard error of all margins at once, and the verdict."
    columns = ("Model", "Configuration", "Leads", *pairs)
    return Table("Answers under other models", columns, tuple(rows), note)
