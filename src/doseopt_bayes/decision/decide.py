"""From a posterior to a ranked table of doses and one answer: a dose, none, or not resolved."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np
import xarray as xr

from doseopt_bayes import names
from doseopt_bayes.decision import CRITERIA, prose
from doseopt_bayes.decision.cap import without_cap
from doseopt_bayes.decision.criteria import Criterion, best_in_each_draw, utility_of_means
from doseopt_bayes.decision.intervals import target_intervals
from doseopt_bayes.decision.judge import Judgement, judge
from doseopt_bayes.decision.mtd import maximum_tolerated
from doseopt_bayes.decision.rules import Rule, with_untried_rule
from doseopt_bayes.decision.spoken import say
from doseopt_bayes.errors import DiagnosticsError, DoseOptError, did_you_mean
from doseopt_bayes.inference.levels import (
    PART,
    checked_levels,
    group_cautions,
    group_stamps,
    label,
)
from doseopt_bayes.inference.posterior import probabilities

if TYPE_CHECKING:
    import pandas as pd

    from doseopt_bayes.decision.utility import Utility
    from doseopt_bayes.inference.posterior import Posterior

__all__ = ["INTERVAL", "Decision", "decide"]

INTERVAL: Final = 0.95  # equal-tailed, in every table and figure


@dataclass(frozen=True, eq=False)
class Decision:
    """The ranked doses and the answer.

    Parameters
    ----------
    table
        Dataset over ``dose`` (and ``rule``): patients, p_tox and p_eff with equal-tailed 95 %
        intervals, the limits' probabilities, utility, criterion, rank, Pr(OBD), each with its Monte
        Carlo error in the variable of the same name and suffix ``_mcse``; the MTD where the rules
        limit toxicity, and what would lead without a protocol cap where there is one.
    recommended
        The recommended dose; NaN when the answer is "none" or "not resolved".
    leading
        The dose that the estimates put first, resolved or not; NaN when none is admissible.
    status
        ``"recommended"``, ``"none"`` or ``"not resolved"``.
    headline
        One sentence: the answer and its first reason.
    text
        One paragraph: the headline, the runner-up, probabilities and cautions.
    cautions
        What must be known before acting on it: an untried dose, a tie, toxicity that falls with dose,
        a dose above the MTD, a protocol cap that changed the answer.
    stamps
        What must be printed on every output, for example an overridden diagnostics gate, or a ranking
        of tiny subgroups that nothing is pooled over.
    overall
        Those of the cautions that are about all subgroups together.

    Notes
    -----
    Where the probabilities lie over groupings of patients (a dim "subgroup"), so do all numbers; there
    is one answer, line of text and table for each level, and :meth:`at` takes one of them.
    """

    table: xr.Dataset
    recommended: xr.DataArray
    leading: xr.DataArray
    status: xr.DataArray
    headline: str
    text: str
    cautions: tuple[str, ...]
    stamps: tuple[str, ...]
    utility: Utility
    rules: Rule
    criterion: Criterion
    overall: tuple[str, ...] = ()

    def at(self, **levels: str) -> Decision:
        """Return the decision of one level of a grouping, for example ``at(subgroup="mBCC")``.

        Raises
        ------
        DoseOptError
            On an unknown grouping or level.
        """
        known = {str(d): self.table[d].to_numpy() for d in self.status.dims}
        chosen = checked_levels(levels, known)
        whose = ", ".join(filter(None, [str(self.table.attrs.get(PART, "")), label(chosen)]))
        table = self.table.sel(chosen, drop=True).assign_attrs({PART: whose})
        leading, status = (x.sel(chosen, drop=True) for x in (self.leading, self.status))
        said = say(table, leading, status, self.utility, self.overall)
        return replace(
            self, table=table, leading=leading, status=status,
            recommended=self.recommended.sel(chosen, drop=True),
            headline=said.headline, text=said.text, cautions=said.cautions,
        )  # fmt: skip

    def to_frame(self) -> pd.DataFrame:
        """Table of the decision with a row per dose (and level), one number per cell; stamps, if any."""
        flat = self.table.drop_vars([v for v in self.table if "rule" in self.table[v].dims])
        order = [*map(str, self.status.dims), names.DOSE]  # levels first, in the order of the data
        frame = flat.drop_vars("rule", errors="ignore").to_dataframe(dim_order=order)
        for i, rule in enumerate(self.table["rule"].to_numpy()):
            for part in ("limit_prob", "limit_prob_mcse"):
                suffix = "" if part == "limit_prob" else " (MCSE)"
                x = self.table[part].isel(rule=i, drop=True).transpose(*order)
                column = x.to_dataframe(name="x")["x"]
                if column.notna().any():
                    frame[f"{prose.parted(str(rule))[0]}{suffix}"] = column
        if self.stamps:  # a table travels without its page
            frame["stamps"] = "; ".join(self.stamps)
        return frame

    @property
    def text_table(self) -> str:
        """The stamps and the ranked doses as fixed-width text."""
        return "\n".join([*self.stamps, prose.text_table(self.table)])

    def __str__(self) -> str:
        return f"{self.text_table}\n\n{self.text}"

    __repr__ = __str__


def decide(
    post: Posterior,
    utility: Utility,
    rules: Rule,
    *,
    criterion: str | Criterion = "mean_utility",
    override_diagnostics: bool = False,
) -> Decision:
    """Rank the candidate doses and recommend one, none, or say that it is not resolved.

    Parameters
    ----------
    post
        A fitted posterior.
    utility
        For example :class:`~doseopt_bayes.decision.utility.LpContour`.
    rules
        Admissibility. When no rule speaks of untried doses, ``TriedOnly()`` is added and said.
    criterion
        A criterion, or the name of one that needs no numbers: ``"utility_of_means"``,
        ``"mean_utility"``, ``"max_prob_obd"``, ``"min_expected_regret"``.
    override_diagnostics
        Rank although the diagnostics gate failed; the failure is printed on every output.

    Returns
    -------
    Decision
        Never recommends an inadmissible dose. The answer is "not resolved" when Monte Carlo error
        alone (3 standard errors) could change it.

    Raises
    ------
    DiagnosticsError
        When the gate failed and is not overridden.
    DoseOptError
        On an unknown criterion, a variable that the posterior lacks, or a utility that is NaN.
    """
    stamps = []
    if not post.diagnostics.passed:
        failed = "; ".join(str(c) for c in post.diagnostics.failures)
        if not override_diagnostics:
            raise DiagnosticsError(
                f"the fit failed its diagnostics, so no dose is ranked: {failed}",
                hint="more draws, a stronger prior or monotone toxicity; or override_diagnostics=True",
            )
        stamps.append(f"DIAGNOSTICS OVERRIDDEN, do not use for dosing: {failed}")
    if not int(post.seen[names.N_TREATED].sum()):
        stamps.append("PRIOR ONLY: no patient was analysed")
    stamps += group_stamps(post.tree)
    how = _criterion(criterion)
    rules, added = with_untried_rule(rules)
    judged = judge(post, utility, rules, how)
    table = _table(post, utility, judged)
    table["rival"], table["contested_rule"] = judged.choice.rivals, judged.contested
    table.update(maximum_tolerated(post, rules))
    table.update(target_intervals(post, utility))
    table.update(without_cap(post, utility, judged.utility, rules, how))
    leading, status = judged.leading, judged.status
    recommended = leading.where(judged.resolved)
    table.attrs.update(
        interval=INTERVAL,
        criterion=str(how),
        rules=str(rules),
        unit=str(post.draws[names.DOSE].attrs.get("units", "")),
        stamps="\n".join(stamps),
        default_rule="no rule spoke of untried doses: only doses that treated a patient" * added,
    )
    if PART in post.tree.attrs:
        table.attrs[PART] = str(post.tree.attrs[PART])
    overall = group_cautions(post.tree)
    said = say(table, leading, status, utility, overall)
    return Decision(
        table=table,
        recommended=recommended,
        leading=leading,
        status=status,
        headline=said.headline,
        text=said.text,
        cautions=said.cautions,
        stamps=tuple(stamps),
        utility=utility,
        rules=rules,
        criterion=how,
        overall=overall,
    )


def _criterion(criterion: str | Criterion) -> Criterion:
    if not isinstance(criterion, str):
        return criterion
    if criterion not in CRITERIA:
        raise DoseOptError(
            f"unknown criterion '{criterion}'", hint=did_you_mean(criterion, list(CRITERIA))
        )
    try:
        return CRITERIA[criterion]()  # type: ignore[no-any-return]
    except TypeError:
        raise DoseOptError(
            f"criterion '{criterion}' needs numbers: pass it as {CRITERIA[criterion].__name__}(...)"
        ) from None


def _table(post: Posterior, utility: Utility, judged: Judgement) -> xr.Dataset:
    """Everything that a table, figure or report prints about the doses, each with its error."""
    u, verdict, choice = judged.utility, judged.verdict, judged.choice
    everyone = xr.ones_like(verdict.ok)
    best_all = best_in_each_draw(u, everyone)
    best_admissible = best_in_each_draw(u, verdict.ok)
    plug_in, influence = utility_of_means(post, utility)
    treated = post.seen[names.N_TREATED]
    columns: dict[str, xr.DataArray] = {names.N_TREATED: treated, "untried": treated == 0}
    # p_cell has a dim of its own: its margins are in the table
    shown = {
        name: post[name]
        for name in dict.fromkeys([*probabilities(post.draws), *utility.reads])
        if name in post.draws and set(post[name].dims) <= set(u.dims)
    }
    columns |= _summaries(post, {**shown, "utility": u})
    columns |= {
        "utility_of_means": plug_in,
        "utility_of_means_mcse": post.mcse(influence),
        "admissible": verdict.ok,
        "admissible_resolved": verdict.firm,
        "criterion": choice.value,
        "criterion_mcse": choice.mcse,
        "chosen": choice.chosen,
        "tie": choice.ties,
        "prob_obd": post.prob(best_all),
        "prob_obd_mcse": post.mcse(best_all),
        "prob_obd_admissible": post.prob(best_admissible),
        "prob_obd_admissible_mcse": post.mcse(best_admissible).where(verdict.ok, 0.0),
    }
    # highest first; the lower dose first among equals, as the choice itself does
    order = choice.order.where(verdict.ok)
    above = (order.rename({names.DOSE: "_other"}) > order).sum("_other")
    level = xr.ones_like(order).cumsum(names.DOSE)
    equal = (order.rename({names.DOSE: "_other"}) == order) & (
        level.rename({names.DOSE: "_other"}) < level
    )
    columns["rank"] = (1 + above + equal.sum("_other")).where(verdict.ok)  # inadmissible: no rank
    nothing = xr.full_like(plug_in, np.nan)
    rules = [f.rule for f in verdict.findings]
    blocks = {
        "limit_prob": [nothing if f.estimate is None else f.estimate for f in verdict.findings],
        "limit_prob_mcse": [nothing if f.mcse is None else f.mcse for f in verdict.findings],
        "limit_ok": [f.ok for f in verdict.findings],
        "limit_resolved": [f.firm for f in verdict.findings],
    }
    table = xr.Dataset(columns)
    for name, parts in blocks.items():
        table[name] = xr.concat(parts, dim="rule", coords="minimal", compat="override")
    limits = [np.nan if f.threshold is None else f.threshold for f in verdict.findings]
    table["limit"] = ("rule", limits)
    table["limit_reason"] = ("rule", [f.reason for f in verdict.findings])
    return table.assign_coords(rule=rules)


def _summaries(post: Posterior, draws: dict[str, xr.DataArray]) -> dict[str, xr.DataArray]:
    """Mean and interval of each variable with their errors, all variables in one call of each."""
    tail = (1 - INTERVAL) / 2
    x = xr.Dataset({name: v.reset_coords(drop=True) for name, v in draws.items()})
    every = x.to_dataarray("_variable")
    measures = {"": post.expect(every), "_mcse": post.mcse(every)}
    for end, q in (("_low", tail), ("_high", 1 - tail)):
        measures |= {end: post.quantile(every, q), f"{end}_mcse": post.mcse(every, q=q)}
    return {
        f"{name}{suffix}": measure.sel(_variable=name, drop=True)
        for name in draws
        for suffix, measure in measures.items()
    }
