"""Whether the answer for each subgroup rests on the prior of how much subgroups differ."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import xarray as xr

from doseopt_bayes import names
from doseopt_bayes.decision import prose
from doseopt_bayes.decision.alternatives import FAILED
from doseopt_bayes.decision.decide import Decision, decide
from doseopt_bayes.decision.population import WHOLE, population
from doseopt_bayes.errors import DoseOptError
from doseopt_bayes.inference.levels import label
from doseopt_bayes.inference.nuts import fit
from doseopt_bayes.inference.posterior import probabilities
from doseopt_bayes.inference.power import log_densities, power_sense, power_weights
from doseopt_bayes.inference.reweighted import reweighted
from doseopt_bayes.models.ends import scaled_heterogeneity

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pandas as pd

    from doseopt_bayes.data.trial import TrialData
    from doseopt_bayes.inference.posterior import Posterior
    from doseopt_bayes.models.base import DoseModel

__all__ = ["FACTORS", "Heterogeneity", "assess_heterogeneity"]

FACTORS: Final = (0.25, 0.5, 2.0, 4.0)
SENSITIVE: Final = 0.05  # power-scaling sensitivity above which a prior or likelihood matters
LEVEL, FACTOR = "level", "factor"


@dataclass(frozen=True, eq=False)
class Heterogeneity:
    """The answer for each subgroup under other priors of how much subgroups differ.

    Parameters
    ----------
    table
        Over ``factor`` (what every tau's prior was multiplied by; 1 is the analysis itself), ``level``
        (the subgroups and the whole population) and ``dose``: ``utility``, ``prob_obd_admissible`` and
        the probability of each endpoint, with Monte Carlo errors; over factor and level ``leading``
        (NaN: none is admissible) and ``status`` (``"diagnostics failed"`` for a refit that ranks
        nothing); over factor ``failures`` in words. The same over ``component`` (prior, likelihood) and
        ``alpha`` (its power) as ``power_leading`` and ``power_status``, with ``khat`` and ``reliable``
        of the importance weights; ``psense``, the power-scaling sensitivity, over component, level,
        dose and ``quantity``.
    """

    table: xr.Dataset

    @property
    def changes(self) -> bool:
        """Whether some subgroup, or the population, has another leading dose under some prior."""
        t = self.table
        start = t["leading"].sel({FACTOR: 1.0}, drop=True).fillna(-1)
        judged = t["status"] != FAILED
        by_factor = ((t["leading"].fillna(-1) != start) & judged).any()
        by_power = ((t["power_leading"].fillna(-1) != start) & t["reliable"]).any()
        return bool(by_factor | by_power)

    @property
    def sentences(self) -> tuple[str, ...]:
        """The verdict in words: where the leading dose changes, and what moves most."""
        return (*_sweep_words(self.table), *_moved_words(self.table), *_power_words(self.table))

    def frames(self) -> dict[str, pd.DataFrame]:
        """Tables of the report by title."""
        t = self.table
        rows = []
        for factor in t[FACTOR].to_numpy():
            for level in t[LEVEL].to_numpy():
                at = t.sel({FACTOR: factor, LEVEL: level})
                lead, status = float(at["leading"]), str(at["status"].item())
                row: dict[str, Any] = {"tau's prior times": float(factor), LEVEL: str(level),
                                       "leading": lead, "status": status}  # fmt: skip
                some = not math.isnan(lead)
                for part in ("", " mcse"):
                    p = at[f"prob_obd_admissible{part.replace(' ', '_')}"]
                    row[f"Pr(OBD){part}"] = float(p.sel({names.DOSE: lead})) if some else math.nan
                rows.append(row)
        import pandas as pd  # noqa: PLC0415

        power = (
            t[["power_leading", "power_status", "khat", "reliable"]].to_dataframe().reset_index()
        )
        power = power.rename(columns={"power_leading": "leading", "power_status": "status",
                                      "alpha": "power"})  # fmt: skip
        keep = ["component", "power", LEVEL, "leading", "status", "khat"]
        sense = t["psense"].to_dataframe().reset_index()
        sense = sense.pivot_table(index=["component", LEVEL, names.DOSE], columns="quantity",
                                  values="psense", sort=False).reset_index()  # fmt: skip
        sense.columns.name = None
        return {
            "Leading dose when the prior of every tau is scaled": pd.DataFrame(rows),
            "Leading dose when priors or likelihood are power-scaled": power[keep],
            "Power-scaling sensitivity (psense)": sense,
        }

    def __str__(self) -> str:
        return "\n".join(self.sentences)

    __repr__ = __str__


def assess_heterogeneity(
    post: Posterior,
    decision: Decision,
    model: DoseModel,
    data: TrialData,
    *,
    factors: Sequence[float] = FACTORS,
    progress: Callable[[str], None] | None = None,
) -> Heterogeneity:
    """Decide again under other priors of tau, by refits, and under power-scaled priors, by weights.

    Parameters
    ----------
    post, decision
        The posterior over subgroups, and its decision.
    model, data
        What was fitted, to what; some parameter is pooled.
    factors
        What the prior of every tau is multiplied by, each in a fit of its own with its own diagnostics;
        with none the power-scaling is all.
    progress
        Called with a few words before each fit.

    Returns
    -------
    Heterogeneity
        With ``.sentences``, ``.changes`` and ``.frames()``.

    Raises
    ------
    DoseOptError
        When the decision is that of one group, a factor is not > 0, or nothing is pooled.

    Notes
    -----
    Power-scaling (Kallioinen et al. 2024) weakens and strengthens all priors that were stated, those of
    the centres and of tau among them; the sweep changes tau's priors alone.
    """
    if not decision.status.ndim:
        raise DoseOptError(
            "heterogeneity is that of several subgroups",
            hint="decide on the posterior of all of them",
        )
    say = progress or (lambda _: None)
    rows = {1.0: _row(post, decision)}
    attrs = post.tree.attrs
    settings: dict[str, Any] = {k: attrs[k] for k in ("sampler", "tune", "chains") if k in attrs}
    for factor in factors:
        if factor in rows:
            continue
        one = scaled_heterogeneity(model, factor)
        say(f"sampling with the prior of every tau times {factor:g}")

        def judge(p: Posterior) -> Decision:
            return decide(p, decision.utility, decision.rules, criterion=decision.criterion,
                          override_diagnostics=True)  # fmt: skip

        again = fit(one, data, seed=int(attrs.get("seed", 0)), **settings,
                    enough=lambda p: bool((judge(p).status != "not resolved").all()))  # fmt: skip
        rows[float(factor)] = _row(again, judge(again))
    order = sorted(rows)
    table = xr.concat([rows[f] for f in order], dim=FACTOR).assign_coords({FACTOR: order})
    table["status"] = table["status"].astype(str)
    table = table.merge(_power(post, decision, model, data))
    texts = {v: table[v].astype(str) for v in (LEVEL, "quantity", "component", "failures")}
    table = table.assign({v: x for v, x in texts.items() if v not in table.coords}).assign_coords(
        {v: x for v, x in texts.items() if v in table.coords}
    )
    table.attrs = {"unit": str(decision.table.attrs.get("unit", ""))}
    return Heterogeneity(table)


def _row(post: Posterior, decision: Decision) -> xr.Dataset:
    """Return what one fit says of each subgroup, and of the population as a level of its own."""
    one = _cells(decision, probabilities(post.draws))
    if (again := _whole(post, decision)) is not None:
        one = xr.concat([one, _cells(again, probabilities(post.draws))], dim=LEVEL)
    failed = "; ".join(str(c) for c in post.diagnostics.failures)
    if failed:
        one = one.map(lambda x: x.where(False) if x.dtype.kind == "f" else x)  # it ranks nothing
        one["status"] = xr.full_like(one["status"], FAILED, dtype=object)
    return one.assign(failures=failed)


def _whole(post: Posterior, decision: Decision) -> Decision | None:
    if not int(post.seen[names.N_TREATED].sum()):
        return None  # there are no shares of treated patients
    return decide(population(post), decision.utility, decision.rules,
                  criterion=decision.criterion, override_diagnostics=True)  # fmt: skip


def _cells(decision: Decision, shown: Sequence[str]) -> xr.Dataset:
    kept = ["utility", "prob_obd_admissible", *(v for v in shown if v in decision.table)]
    table = decision.table[[n for v in kept for n in (v, f"{v}_mcse")]]
    table = table.drop_vars("rule", errors="ignore")
    table = table.assign(leading=decision.leading, status=decision.status.astype(object))
    return _by_level(table, [str(d) for d in decision.status.dims])


def _by_level(table: xr.Dataset, over: Sequence[str]) -> xr.Dataset:
    """Put all groupings along one dim, whose labels are what a reader calls them."""
    if not over:
        return table.expand_dims({LEVEL: [WHOLE]})
    flat = table.stack({LEVEL: list(over)})  # noqa: PD013  (xarray)
    called = [label(dict(zip(over, at, strict=True))) for at in flat[LEVEL].to_numpy()]
    return flat.drop_vars([LEVEL, *over]).assign_coords({LEVEL: called})


def _power(post: Posterior, decision: Decision, model: DoseModel, data: TrialData) -> xr.Dataset:
    densities = log_densities(post, model, data)
    weights = power_weights(post, densities)
    rows = []
    for component in weights["component"].to_numpy():
        cells = []
        for alpha in weights["alpha"].to_numpy():
            at = weights.sel(component=component, alpha=alpha, drop=True)
            again = reweighted(post, at["weight"])
            judged = decide(again, decision.utility, decision.rules,
                            criterion=decision.criterion, override_diagnostics=True)  # fmt: skip
            cell = _row(again, judged)[["leading", "status"]]
            status = (
                cell["status"]
                if bool(at["reliable"])
                else xr.full_like(cell["status"], "not resolved")
            )
            cells.append(xr.Dataset({"power_leading": cell["leading"], "power_status": status})
                         .assign(at[["khat", "reliable"]]))  # fmt: skip
        rows.append(xr.concat(cells, dim="alpha"))
    found = xr.concat(rows, dim="component").assign_coords(
        component=weights["component"], alpha=weights["alpha"]
    )
    found["power_status"] = found["power_status"].astype(str)
    over = [str(d) for d in decision.status.dims]
    u = decision.utility({name: post[name] for name in decision.utility.reads})
    quantities = xr.Dataset({**{n: post[n] for n in probabilities(post.draws)}, "utility": u})
    sense = power_sense(post, densities, quantities).to_dataarray("quantity")
    found["psense"] = _by_level(sense.to_dataset(name="psense"), over)["psense"].reindex(
        {LEVEL: found[LEVEL].to_numpy()}
    )
    return found


def _sweep_words(t: xr.Dataset) -> list[str]:
    others = [f for f in t[FACTOR].to_numpy() if f != 1]
    ranked = [f for f in others if not t["failures"].sel({FACTOR: f}).item()]
    said = [
        f"With the prior of every tau times {f:g} nothing is ranked: the fit failed its diagnostics "
        f"({t['failures'].sel({FACTOR: f}).item()})."
        for f in others
        if f not in ranked
    ]
    same, moves = [], []
    for level in t[LEVEL].to_numpy():
        start = float(t["leading"].sel({FACTOR: 1.0, LEVEL: level}))
        changed = []
        for f in ranked:
            at = t.sel({FACTOR: f, LEVEL: level})
            new, status = float(at["leading"]), str(at["status"].item())
            if not prose.same_dose(new, start):
                doubt = " (not resolved by these draws)" * (status == "not resolved")
                changed.append(f"{prose.with_unit(new, t)} when it is times {f:g}{doubt}")
        if changed:
            moves.append(f"{level}: {prose.with_unit(start, t)} leads, but {'; '.join(changed)}.")
        else:
            same.append(f"{prose.with_unit(start, t)} in {_the(level)}")
    times = ", ".join(f"{f:g}" for f in ranked)
    if same and ranked:
        said.insert(0, f"When the prior of every tau is times {times}, the same dose leads as in the "
                       f"analysis: {'; '.join(same)}.")  # fmt: skip
    return [*moves, *said]


def _the(level: object) -> str:
    return f"the {WHOLE}" if level == WHOLE else str(level)


def _moved_words(t: xr.Dataset) -> list[str]:
    """Say which probability the sweep moves most: what the reader must take from the prior."""
    shown = [str(v) for v in t.data_vars if f"{v}_mcse" in t and str(v).startswith("p_")]
    if not shown or t.sizes[FACTOR] == 1:
        return []
    both = t[shown].to_dataarray("quantity")
    span = both.max(FACTOR) - both.min(FACTOR)
    if not bool(span.count()):
        return []
    cell = both.isel(span.fillna(-1).argmax(...))
    ends = [int(i) for i in (cell.argmin(FACTOR), cell.argmax(FACTOR))]
    low, high = (
        f"{prose.probability(float(cell[i]))} (times {float(t[FACTOR][i]):g})" for i in ends
    )
    what = f"{cell['quantity'].item()} of {_the(cell[LEVEL].item())} at " + prose.with_unit(
        float(cell[names.DOSE]), t
    )
    return [f"The probability that moves most over the sweep is {what}: {low} to {high}."]


def _power_words(t: xr.Dataset) -> list[str]:
    said = []
    for component in t["component"].to_numpy():
        kept, other = [], []
        for alpha in t["alpha"].to_numpy():
            at = t.sel(component=component, alpha=alpha)
            how = f"{'weakened' if alpha < 1 else 'strengthened'} (power {alpha:g})"
            if not bool(at["reliable"]):
                other.append(f"Not resolved: what follows when the {component} is {how}; Pareto k-hat "
                             f"{float(at['khat']):.2f} is too large, refit instead.")  # fmt: skip
                continue
            changed = [
                f"{prose.with_unit(float(at['power_leading'].sel({LEVEL: v})), t)} in {_the(v)}"
                for v in t[LEVEL].to_numpy()
                if not prose.same_dose(
                    float(at["power_leading"].sel({LEVEL: v})),
                    float(t["leading"].sel({FACTOR: 1.0, LEVEL: v})),
                )
            ]
            if changed:
                other.append(f"When the {component} is {how}, another dose leads: "
                             f"{', '.join(changed)}.")  # fmt: skip
            else:
                kept.append(how)
        if kept:
            said.append(f"No leading dose changes when the {component} is {' or '.join(kept)}.")
        said += other
    sense = t["psense"].sel(component="prior")
    if bool(sense.count()):
        worst = sense.isel(sense.fillna(-1).argmax(...))
        matters = "matters" if float(worst) > SENSITIVE else "does not matter much"
        said.append(
            f"The largest power-scaling sensitivity of the prior is {float(worst):.2f}, of "
            f"{worst['quantity'].item()} of {_the(worst[LEVEL].item())} at "
            f"{prose.with_unit(float(worst[names.DOSE]), t)}: the prior {matters} there "
            f"(limit {SENSITIVE:g})."
        )
    return said
