"""The report of an analysis with subgroups: its tables, and which figure belongs to which part."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from doseopt_bayes import names
from doseopt_bayes.decision import prose
from doseopt_bayes.decision.differs import words_differs
from doseopt_bayes.decision.pooling import EXCHANGEABLE
from doseopt_bayes.decision.population import WHOLE
from doseopt_bayes.inference.heterogeneity import tau_ratios
from doseopt_bayes.inference.levels import label
from doseopt_bayes.inference.posterior import scalars
from doseopt_bayes.models.ends import FULL, NONE
from doseopt_bayes.plots import FIGURES, style
from doseopt_bayes.plots.picture import Picture, figure
from doseopt_bayes.report import tables
from doseopt_bayes.report.robustness import as_tables, robustness
from doseopt_bayes.report.tables import Table

if TYPE_CHECKING:
    from collections.abc import Iterator

    import xarray as xr

    from doseopt_bayes.analysis import Analysis
    from doseopt_bayes.decision.decide import Decision
    from doseopt_bayes.heterogeneity import Heterogeneity

__all__ = ["APPENDIX", "OVERALL", "Drawn", "drawings", "parts", "subgroup_parts"]

OVERALL, APPENDIX = "overall", "appendix"  # sections of figures; any other is that of a subgroup
FIRST: Final[tuple[str, ...]] = ("obd_map", "subgroup_forest", "borrowing", "subgroup_curves")
OF_ONE: Final = ("curve", "tradeoff", "cui")  # drawn for each subgroup by itself


@dataclass(frozen=True)
class Drawn:
    """A picture of the report.

    Parameters
    ----------
    name
        Name of its file.
    section
        The part of the report that it belongs to.
    picture
        The picture itself.
    patients
        Whose it is, when it is that of one subgroup.
    """

    name: str
    section: str
    picture: Picture
    patients: str = ""


def drawings(analysis: Analysis) -> Iterator[Drawn]:
    """Draw the figures one by one, in the order of the report.

    Parameters
    ----------
    analysis
        Of one group: every figure that applies. Of subgroups: those about all of them, then those of
        each, then the appendix of the sampler.
    """
    fitting = [name for name, kind in FIGURES.items() if kind.applies(analysis)]
    if not analysis.subgroups:
        yield from (Drawn(name, OVERALL, figure(analysis, name)) for name in fitting)
        return
    for name in (n for n in FIRST if n in fitting):
        first = figure(analysis, name)
        first.figure.set_dpi(style.DPI)  # at another one, names of levels have other widths
        yield Drawn(name, OVERALL, first)
    for at in analysis.subgroups:
        one, who = analysis.at(**at), label(at)
        for name in (n for n in OF_ONE if FIGURES[n].applies(one)):
            drawn = figure(one, name)
            file = f"{name}-{re.sub(r'[^A-Za-z0-9]+', '-', who).strip('-') or 'level'}"
            yield Drawn(file, who, replace(drawn, title=f"{drawn.title}: {who}"), who)
    for name in (n for n in fitting if n not in FIRST):
        yield Drawn(name, APPENDIX, figure(analysis, name))


def parts(analysis: Analysis) -> dict[str, object]:
    """Return what the template of subgroups prints beside what every report has."""
    found = analysis.heterogeneity
    return {
        "answered": answers(analysis),
        "differs": words_differs(analysis.differs) if analysis.differs is not None else (),
        "pooled": pooled(analysis),
        "shrunk": shrinkage(analysis),
        "ends": _ends_words(analysis),
        "compared": comparison(analysis),
        "tau": list(found.sentences) if found is not None else [],
        "tau_tables": sweeps(found, analysis.data.unit) if found is not None else [],
        "subgroups": subgroup_parts(analysis),
    }


def sweeps(found: Heterogeneity, unit: str) -> list[Table]:
    """Return the leading dose of each level under every other prior, and what is sensitive to it."""
    t = found.table
    levels = [str(v) for v in t["level"].to_numpy()]
    rows = []
    for factor in t["factor"].to_numpy():
        at = t.sel(factor=factor)
        failed = str(at["failures"].item())
        each = ["diagnostics failed"] * len(levels)
        if not failed:
            each = [_swept(at.sel(level=v), t) for v in levels]
        rows.append((f"{factor:g}" + (" (the analysis)" if factor == 1 else ""), *each))
    note = "Leading dose and its probability of the highest utility among the admissible doses."
    scaled = Table("Leading dose when the prior of every tau is scaled", ("Scale times", *levels),
                   tuple(rows), note)  # fmt: skip
    rows = []
    for component in t["component"].to_numpy():
        for alpha in t["alpha"].to_numpy():
            at = t.sel(component=component, alpha=alpha)
            each = [_powered(at.sel(level=v), t) for v in levels]
            rows.append((str(component), f"{alpha:g}", *each, f"{float(at['khat']):.2f}"))
    power = Table("Leading dose when all priors or the likelihood are power-scaled",
                  ("Component", "Power", *levels, "Pareto k-hat"), tuple(rows))  # fmt: skip
    title, frame = list(found.frames().items())[-1]
    return [scaled, power, *as_tables({title: frame}, unit)]


def _swept(at: xr.Dataset, t: xr.Dataset) -> str:
    lead, status = float(at["leading"]), str(at["status"].item())
    if math.isnan(lead):
        return "none"
    doubt = " (not resolved)" * (status == "not resolved")
    here = at.sel({names.DOSE: lead})
    return f"{prose.with_unit(lead, t)}{doubt}, {_with_error(here, 'prob_obd_admissible')}"


def _powered(at: xr.Dataset, t: xr.Dataset) -> str:
    lead, status = float(at["power_leading"]), str(at["power_status"].item())
    doubt = " (not resolved)" * (status == "not resolved")
    return ("none" if math.isnan(lead) else prose.with_unit(lead, t)) + doubt


def subgroup_parts(analysis: Analysis) -> list[dict[str, object]]:
    """Return the part of each subgroup: its words, ranking, limits and what would change its answer."""
    found = []
    for at in analysis.subgroups:
        one = analysis.at(**at)
        sentences, _ = robustness(one)
        found.append(
            {
                "name": label(at),
                "decision": one.decision,
                "tables": [tables.ranking(one), tables.limits(one)],
                "sentences": sentences,
            }
        )
    return found


def _decisions(analysis: Analysis) -> list[tuple[str, Decision]]:
    found = [(label(at), analysis.decision.at(**at)) for at in analysis.subgroups]
    if analysis.population is not None:
        found.append((WHOLE, analysis.population))
    return found


def answers(analysis: Analysis) -> Table:
    """One row for each subgroup and for the population: the answer, its numbers and its reasons."""
    rows = []
    for who, one in _decisions(analysis):
        table, lead = one.table, float(one.leading)
        status = str(one.status.item())
        dose = prose.with_unit(lead, table)
        answer = {"recommended": dose, "none": "none"}.get(status, f"not resolved ({dose} leads)")
        n = int(table[names.N_TREATED].sum())
        numbers = ["-"] * 3
        if not math.isnan(lead):
            row = table.sel({names.DOSE: lead})
            at_dose = int(row[names.N_TREATED])
            numbers = [f"{at_dose}", _with_error(row, "prob_obd_admissible"),
                       "{} ± {}".format(*prose.number(row, "utility"))]  # fmt: skip
        rows.append((who, f"{n}", answer, *numbers, _why(one)))
    columns = ("Patients", "n", "Answer", "n at that dose", "Pr(OBD)", "Utility", "Why")
    note = (
        "n: patients treated. Pr(OBD): posterior probability of the highest utility among the admissible "
        "doses; with the posterior mean of the utility ± Monte Carlo standard error. The population: "
        "probabilities averaged by the shares of treated patients inside each draw."
    )
    return Table("The answer for each subgroup and for the population", columns, tuple(rows), note)


def _with_error(row: xr.Dataset, name: str) -> str:
    return f"{prose.probability(float(row[name]))} ± {prose.error(float(row[f'{name}_mcse']))}"


def _why(one: Decision) -> str:
    """Say the answer's reasons in a cell: the rival, and what is not admissible or not resolved."""
    table, lead = one.table, float(one.leading)
    said = []
    if str(one.status.item()) == "not resolved":
        said.append(
            one.headline.partition(": ")[2] if one.headline.startswith("Not") else one.headline
        )
    others = table["utility"].where(table["admissible"] & (table[names.DOSE] != lead))
    if not math.isnan(lead) and bool(others.notnull().any()):
        row = table.isel({names.DOSE: int(others.argmax(names.DOSE))})
        said.append("next: {}, utility {} ± {}".format(
            prose.with_unit(float(row[names.DOSE]), table), *prose.number(row, "utility")))  # fmt: skip
    for dose, reason, ok in zip(
        table[names.DOSE].to_numpy(),
        prose.reasons(table),
        table["admissible"].to_numpy(),
        strict=True,
    ):
        if not ok:
            said.append(f"{prose.with_unit(float(dose), table)}: {reason}")
    return "; ".join(said)


def pooled(analysis: Analysis) -> Table | None:
    """How much subgroups differ: each tau after the data and before, and who belongs to the others."""
    post, model = analysis.posterior, analysis.model
    rows = []
    for name, ratio in tau_ratios(model, post).items():
        x = post[name]
        low, middle, high = (prose.value(float(post.quantile(x, q)), float(post.mcse(x, q=q)))
                             for q in (0.025, 0.5, 0.975))  # fmt: skip
        mcse = prose.error(float(post.mcse(x, q=0.5)))
        rows.append((name, tables.prior_words(model.priors, name), f"{middle} ± {mcse}",
                     f"{low} to {high}", f"{ratio:.2f}"))  # fmt: skip
    if EXCHANGEABLE in post.draws:
        for at, x in scalars(post.draws, [EXCHANGEABLE], post.sample_dims).items():
            who = at.partition("[")[2].removesuffix("]")
            mean = prose.probability(float(post.expect(x)))
            rows.append((f"Pr({who} is exchangeable | data)", "see the model",
                         f"{mean} ± {prose.error(float(post.mcse(x)))}", "-", "-"))  # fmt: skip
    if not rows:
        return None
    columns = ("Parameter", "Prior", "Posterior median", "95 % interval", "sd / prior sd")
    note = (
        "tau: standard deviation between subgroups, on the scale of the parameter; median ± Monte Carlo "
        "standard error, equal-tailed interval. Where the ratio of standard deviations is near 1, "
        "how much subgroups borrow rests on that prior."
    )
    return Table("How much subgroups differ", columns, tuple(rows), note)


def shrinkage(analysis: Analysis) -> Table | None:
    """Raw and shrunk estimates, and patients borrowed, of the endpoints known by subgroup."""
    found = analysis.pooling
    if found is None:
        return None
    t = found.table
    over = [str(d) for d in analysis.decision.status.dims]
    known = [
        e for e in t[names.ENDPOINT].to_numpy() if int(t[names.N].sel({names.ENDPOINT: e}).sum())
    ]
    rows = []
    for endpoint in known:
        for at in analysis.subgroups:
            for dose in t[names.DOSE].to_numpy():
                row = t.sel({**at, names.DOSE: dose, names.ENDPOINT: endpoint})
                rows.append((str(endpoint), label(at), f"{dose:g}", *_shrunk(row)))
    if not rows:
        return None
    unit = analysis.data.unit
    dose = f"Dose ({unit})" if unit else "Dose"
    columns = ("Endpoint", tables.head_of(", ".join(over)), dose, "Observed", "No pooling",
               "With pooling (95 %)", "Full pooling", "Share of the way", "Own patients",
               "Borrowed")  # fmt: skip
    note = (
        "Posterior means; interval equal-tailed. Share of the way from no pooling to full pooling that "
        "the mean moved, ± Monte Carlo standard error; n.r.: not resolved, the ends are too near. Own: "
        "effective patients m (1 - m) / v - 1 of the posterior without pooling, prior included; "
        "borrowed: what pooling adds. Endpoints known for all patients together only are left out."
    )
    return Table("Raw and shrunk estimates", columns, tuple(rows), note)


def _shrunk(row: xr.Dataset) -> tuple[str, ...]:
    n, events = int(row[names.N]), int(row[names.EVENTS])
    mean, low, high, apart = (
        prose.probability(float(row[v])) for v in ("mean", "low", "high", "mean_apart")
    )
    together = prose.probability(float(row["mean_together"])) if "mean_together" in row else "-"
    share = float(row["shrinkage"]) if "shrinkage" in row else math.nan
    way = "n.r."
    if not math.isnan(share):
        way = f"{100 * share:.0f} % ± {100 * float(row['shrinkage_mcse']):.1g} %"
    return (
        f"{events}/{n} = {events / n:.1%}" if n else "nobody",
        apart,
        f"{mean} ({low} to {high})",
        together,
        way,
        f"{float(row['patients_apart']):.0f}",
        f"{float(row['borrowed']):+.1f} ± {float(row['borrowed_mcse']):.1g}",
    )


def _ends_words(analysis: Analysis) -> list[str]:
    said = []
    if analysis.added:
        listed = " and ".join(f"'{a}'" for a in analysis.added)
        said.append(f"{listed} were added by default, as the model pools over subgroups.")
    if NONE in analysis.alternatives:
        said.append(
            f"'{NONE}': each subgroup by itself, with the prior that the hierarchy gives to one group. "
            f"'{FULL}': one value for all subgroups, with the prior of the centre."
        )
    return said


def comparison(analysis: Analysis) -> Table | None:
    """Show the leading dose of each subgroup under every alternative, the ends of pooling among them."""
    if not analysis.alternatives:
        return None
    levels = [label(at) for at in analysis.subgroups]
    rows = [("as specified", *(_led(analysis.decision.at(**at)) for at in analysis.subgroups))]
    for name, other in analysis.alternatives.items():
        if not other.posterior.diagnostics.passed:
            rows.append((name, *["diagnostics failed: nothing is ranked"] * len(levels)))
            continue
        own = bool(other.decision.status.ndim)
        each = (other.decision.at(**at) if own else other.decision for at in analysis.subgroups)
        rows.append((name, *map(_led, each)))
    note = "Leading dose, with its posterior probability of the highest utility among admissible doses."
    return Table("Under other models", ("Model", *levels), tuple(rows), note)


def _led(one: Decision) -> str:
    lead = float(one.leading)
    if math.isnan(lead):
        return "none"
    row = one.table.sel({names.DOSE: lead})
    doubt = " (not resolved)" * (str(one.status.item()) == "not resolved")
    return f"{prose.with_unit(lead, one.table)}{doubt}, Pr(OBD) {_with_error(row, 'prob_obd_admissible')}"
