"""The tables of the report: text cells made from the analysis, with what each means below it."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from doseopt_bayes import names
from doseopt_bayes.data.follow_up import PENDING_RULE
from doseopt_bayes.data.observed import observed_rates
from doseopt_bayes.decision import prose
from doseopt_bayes.inference.posterior import probabilities, scalars
from doseopt_bayes.inference.prior import prior_table
from doseopt_bayes.plots.posterior import data_prior_posterior
from doseopt_bayes.priors import Pooled

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import xarray as xr

    from doseopt_bayes.analysis import Analysis
    from doseopt_bayes.priors import Prior

__all__ = [
    "Table",
    "diagnostics",
    "disposition",
    "head_of",
    "limits",
    "observed",
    "parameters",
    "prior",
    "prior_words",
    "ranking",
]


@dataclass(frozen=True)
class Table:
    """A table of text.

    Parameters
    ----------
    title, note
        What it shows, and what its abbreviations and numbers mean.
    columns, rows
        Cells as they are printed.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""


def _dose_head(analysis: Analysis) -> str:
    return f"Dose ({analysis.data.unit})" if analysis.data.unit else "Dose"


def _called(row: xr.Dataset) -> str:
    """Return the label of a dose: of its regimen, where several may have one dose."""
    if names.REGIMEN in row.coords:
        return str(row[names.REGIMEN].item())
    return f"{float(row[names.DOSE]):g}"


def disposition(analysis: Analysis) -> Table:
    """T1: patients read, analysed and excluded by each rule, per endpoint and dose."""
    frame = analysis.data.disposition
    rows = []
    for row in frame.itertuples(index=False):
        cells = ["unknown" if isinstance(x, float) and np.isnan(x) else
                 f"{x:g}" if isinstance(x, int | float) else str(x) for x in row]  # fmt: skip
        rows.append(tuple(cells))
    heads = {
        "endpoint": "Endpoint",
        "dose": _dose_head(analysis),
        "read": "Read",
        "analysed": "Analysed",
        # columns of labels are groupings
        **{str(c): head_of(str(c)) for c in frame.columns[1 : list(frame.columns).index("dose")]},
    }
    waiting = names.PENDING in analysis.data.counts and PENDING_RULE in frame
    heads |= {PENDING_RULE: "Pending, counted as far as followed"} if waiting else {}
    columns = tuple(heads.get(str(c), f"Excluded: {c}") for c in frame.columns)
    excluded = frame[[c for c in frame.columns if c not in heads]].to_numpy().sum()
    more = " + pending" if waiting else ""
    note = (
        f"Read = analysed{more} + excluded, in every row. Excluded over all rows: {int(excluded)}."
    )
    return Table("Disposition of patients", columns, tuple(rows), note)


def observed(analysis: Analysis) -> Table:
    """T2: observed outcomes by dose (and subgroup) and endpoint, with exact intervals."""
    data = analysis.data
    over = list(data.groups)
    rates, treated = observed_rates(data), data.counts[names.N_TREATED]
    ends = [str(e) for e in rates[names.ENDPOINT].to_numpy()]
    alone = [e for e in ends if over and not int(rates[names.N].sel({names.ENDPOINT: e}).sum())]
    rows = []
    for labels in itertools.product(*data.groups.values()):
        at = dict(zip(over, labels, strict=True))
        for dose in rates[names.DOSE].to_numpy():
            here = rates.sel({**at, names.DOSE: dose})
            n = int(treated.sel({**at, names.DOSE: dose}))
            known = ("not by subgroup" if e in alone else _seen(here, e) for e in ends)
            rows.append((*labels, f"{dose:g}", f"{n}", *known))
    if over:
        whole = data.ungrouped()
        rates, treated = observed_rates(whole), whole.counts[names.N_TREATED]
        for dose in rates[names.DOSE].to_numpy():
            here, n = rates.sel({names.DOSE: dose}), int(treated.sel({names.DOSE: dose}))
            each = (_seen(here, e) for e in ends)
            rows.append((*["all"] * len(over), f"{dose:g}", f"{n}", *each))
    words = analysis.plan.endpoints if analysis.plan else {}
    heads = [f"{e}: {words[e]}" if e in words else e for e in ends]
    columns = (*map(head_of, over), _dose_head(analysis), "Treated", *heads)
    note = "Patients with the event / patients analysed; exact (Clopper-Pearson) 95 % interval."
    if alone:
        note += f" Known for all patients together only: {', '.join(alone)}."
    return Table("Observed outcomes", columns, tuple(rows), note)


def head_of(grouping: str) -> str:
    """Return a grouping as the head of a column."""
    return grouping[:1].upper() + grouping[1:].replace("_", " ")


def _seen(at: xr.Dataset, endpoint: str) -> str:
    here = at.sel({names.ENDPOINT: endpoint})
    x, n = int(here[names.EVENTS]), int(here[names.N])
    low, high = float(here["low"]), float(here["high"])
    return f"{x}/{n}" + (f" = {x / n:.1%} ({low:.1%} to {high:.1%})" if n else "")


def ranking(analysis: Analysis) -> Table:
    """T5: the ranked doses."""
    table = analysis.decision.table
    order = np.argsort(table["rank"].fillna(np.inf).to_numpy(), kind="stable")
    shown = probabilities(analysis.posterior.draws)
    rows = []
    for i in order:
        row = table.isel({names.DOSE: int(i)})
        rows.append(
            (
                "-" if np.isnan(row["rank"]) else f"{float(row['rank']):.0f}",
                _called(row) + (" (untried)" if bool(row["untried"]) else ""),
                f"{int(row[names.N_TREATED])}",
                *(_estimate(row, v, prose.probability) for v in shown),
                _estimate(row, "utility", partial(_utility, row)),
                "{} ± {}".format(*prose.number(row, "criterion")),
                _probability(row, "prob_obd"),
                _probability(row, "prob_obd_admissible") if bool(row["admissible"]) else "-",
                *([_probability(row, "prob_mtd")] if "prob_mtd" in row else []),
                "yes" if bool(row["admissible"]) else "no",
            )
        )
    columns = ("Rank", _dose_head(analysis), "n", *shown, "Utility", "Criterion",
               "Pr(OBD), all", "Pr(OBD), admissible",
               *(["Pr(MTD)"] if "prob_mtd" in table else []), "Admissible")  # fmt: skip
    note = (
        "Posterior mean ± Monte Carlo standard error (equal-tailed 95 % credible interval). "
        f"Criterion: {table.attrs['criterion']}. Pr(OBD): posterior probability of the highest utility, "
        "over all candidate doses and over the admissible ones. n: patients treated. "
        "Errors of the interval ends are in decision.csv."
    )
    if "prob_mtd" in table:
        note += (
            " Pr(MTD): posterior probability of being the highest dose that, like every lower one, has "
            f"p_tox <= {float(table['mtd_limit']):g}; that no dose is: "
            f"{_probability(table, 'prob_mtd_none')}."
        )
    return Table("Ranked doses", columns, tuple(rows), note)


def _utility(row: xr.Dataset, x: float) -> str:
    return prose.value(x, float(row["utility_mcse"]))


def _estimate(row: xr.Dataset, name: str, write: Callable[[float], str]) -> str:
    if name not in row:
        return "-"
    mean, low, high = (write(float(row[f"{name}{end}"])) for end in ("", "_low", "_high"))
    return f"{mean} ± {prose.error(float(row[f'{name}_mcse']))} ({low} to {high})"


def _probability(row: xr.Dataset, name: str) -> str:
    return f"{prose.probability(float(row[name]))} ± {prose.error(float(row[f'{name}_mcse']))}"


def limits(analysis: Analysis) -> Table:
    """Admissibility of each dose by each rule."""
    table = analysis.decision.table
    rows = []
    for i, why in enumerate(prose.reasons(table)):
        cells = [_called(table.isel({names.DOSE: i}))]
        for j in range(table.sizes["rule"]):
            at = table.isel({names.DOSE: i, "rule": j})
            verdict = "pass" if bool(at["limit_ok"]) else "FAIL"
            if not bool(at["limit_resolved"]):
                verdict += ", not resolved"
            estimate, mcse = float(at["limit_prob"]), float(at["limit_prob_mcse"])
            measured = (
                "" if np.isnan(estimate) else f"{prose.precise(estimate)} ± {prose.error(mcse)}: "
            )
            cells.append(measured + verdict)
        rows.append((*cells, why))
    columns = (_dose_head(analysis), *map(str, table["rule"].to_numpy()), "Verdict")
    note = f"Rule: {table.attrs['rules']}. Posterior probability ± Monte Carlo standard error."
    if table.attrs["default_rule"]:
        note += f" Added by default: {table.attrs['default_rule']}."
    return Table("Admissibility", columns, tuple(rows), note)


def prior(analysis: Analysis) -> Table:
    """What the priors imply at each dose before the data."""
    frame = prior_table(analysis.posterior.tree)
    over = list(frame.columns[1 : list(frame.columns).index("dose")])
    rows = [
        (
            *map(str, group),
            f"{dose:g}",
            f"{median:.3g}",
            f"{low:.2g} to {high:.2g}",
            f"{outside:.0%}",
        )
        for *group, dose, median, low, high, outside in frame.itertuples(index=False)
    ]
    columns = ("Probability", *map(head_of, over), _dose_head(analysis), "Prior median", "95 % interval",
               "Mass outside 0.01 to 0.99")  # fmt: skip
    n = analysis.posterior.tree["prior"].sizes[names.DRAW]
    note = f"From {n} draws of the prior; equal-tailed interval."
    return Table("Prior of the probabilities", columns, tuple(rows), note)


def parameters(analysis: Analysis) -> Table:
    """T4: parameters with prior, posterior and diagnostics."""
    post = analysis.posterior
    numbers = data_prior_posterior(analysis)
    measures = post.diagnostics.table
    rows = []
    for name, draws in scalars(post.draws, post.parameters, post.sample_dims).items():
        at = numbers.sel(parameter=name, group="posterior")
        check = measures.sel(quantity=name)
        rows.append(
            (
                name,
                prior_words(analysis.model.priors, name.split("[", maxsplit=1)[0]),
                f"{float(at['mean']):.3f} ± {prose.error(float(post.mcse(draws)))}",
                f"{float(at['sd']):.3f}",
                f"{float(at['low']):.3f} to {float(at['high']):.3f}",
                f"{float(at['sd_ratio']):.2f}",
                f"{float(check.sel(measure='rhat')):.4f}",
                f"{float(check.sel(measure='ess_bulk')):.0f}",
                f"{float(check.sel(measure='ess_tail')):.0f}",
            )
        )
    columns = ("Parameter", "Prior", "Posterior mean", "sd", "95 % interval", "sd / prior sd",
               "R-hat", "ESS bulk", "ESS tail")  # fmt: skip
    note = (
        f"{analysis.model.scale} Mean ± Monte Carlo standard error; equal-tailed interval. "
        "A ratio of standard deviations near 1 says that the data do not inform the parameter."
    )
    return Table("Parameters", columns, tuple(rows), note)


def prior_words(priors: Mapping[str, Prior], name: str) -> str:
    """Return the prior of a parameter in words; of a hierarchy, also of what stands above a parameter.

    Parameters
    ----------
    priors
        Of the model.
    name
        For example ``eff_intercept``, ``eff_intercept_mean``, ``eff_intercept_tau`` or, of a mixture,
        ``eff_intercept_apart``.
    """
    if name in priors:
        prior = priors[name]
        hyper = prior.hyper(name) if isinstance(prior, Pooled) else ()
        return f"Normal({hyper[0]}, {hyper[-1]})" if hyper else str(prior)
    for start, own in priors.items():
        above, prior = start, own
        while isinstance(prior, Pooled):
            if name == f"{above}_exchangeable":
                return f"Normal({above}_mean, {above}_tau)"
            if name == f"{above}_apart":
                return str(prior.apart)
            tau = name.removeprefix(f"{above}_tau")
            if tau != name:
                return str(prior.tau_of.get(tau.removeprefix("_"), prior.tau))
            above, prior = f"{above}_mean", prior.mean
            if name == above and not isinstance(prior, Pooled):
                return str(prior)
    return "follows from the others"


def diagnostics(analysis: Analysis) -> Table:
    """Every condition of the gate."""
    rows = [
        (c.name, c.measured, c.limit, "pass" if c.passed else "FAIL")
        for c in analysis.posterior.diagnostics.checks
    ]
    note = "Over every free parameter and the probability of every endpoint at every dose."
    return Table(
        "Sampler diagnostics", ("Check", "Measured", "Limit", "Verdict"), tuple(rows), note
    )
