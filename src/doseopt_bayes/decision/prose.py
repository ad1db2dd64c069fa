"""The decision in words and in a text table, from the decision's own numbers."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

import numpy as np

from doseopt_bayes import names
from doseopt_bayes.decision.rules import RESOLVED
from doseopt_bayes.inference.levels import PART, label

if TYPE_CHECKING:
    from collections.abc import Iterator

    import xarray as xr

__all__ = [
    "answer",
    "cautions",
    "each",
    "error",
    "number",
    "parted",
    "precise",
    "probability",
    "reasons",
    "same_dose",
    "text_table",
    "value",
    "with_unit",
]


def probability(p: float) -> str:
    """Two decimals, and never a 0 or a 1 that draws cannot know.

    Examples
    --------
    >>> probability(0.417), probability(0.0004), probability(0.9999)
    ('0.42', '<0.01', '>0.99')
    """
    if math.isnan(p):
        return "-"
    if p < 0.005:
        return "<0.01"
    return ">0.99" if p > 0.995 else f"{p:.2f}"


def precise(p: float) -> str:
    """Three decimals, for a probability that is held against a limit.

    Examples
    --------
    >>> precise(0.0966), precise(1.0)
    ('0.097', '>0.999')
    """
    if p < 0.0005:
        return "<0.001"
    return ">0.999" if p > 0.9995 else f"{p:.3f}"


def error(mcse: float) -> str:
    """Return a Monte Carlo error with one significant digit.

    Examples
    --------
    >>> error(0.00423), error(0.000042)
    ('0.004', '<0.0001')
    """
    if math.isnan(mcse):
        return "-"
    if mcse < 0.0001:
        return "<0.0001"
    return f"{mcse:.{max(1, -math.floor(math.log10(mcse)))}f}"


def value(x: float, mcse: float) -> str:
    """Return a utility with the decimals that its Monte Carlo error supports, at most three.

    Examples
    --------
    >>> value(0.5174, 0.007), value(83.5724, 0.12), value(0.68812, 0.00047)
    ('0.517', '83.6', '0.688')
    """
    if math.isnan(x):
        return "-"
    if math.isnan(mcse) or mcse <= 0:
        return f"{x:.3f}"
    return f"{x:.{min(3, max(0, -math.floor(math.log10(mcse))))}f}"


def number(row: xr.Dataset, name: str) -> tuple[str, str]:
    """Return a variable of one dose with the decimals that it supports, and its error."""
    x, mcse = float(row[name]), float(row[f"{name}_mcse"])
    return value(x, mcse), error(mcse)


def each(table: xr.Dataset) -> Iterator[tuple[dict[str, object], xr.Dataset]]:
    """Yield the table of each combination of dims other than dose and rule (one when there are none)."""
    extra = [d for d in table["utility"].dims if d != names.DOSE]
    for labels in itertools.product(*(table[d].to_numpy() for d in extra)):
        at = {str(d): label for d, label in zip(extra, labels, strict=True)}
        yield at, table.sel(at)


def with_unit(dose: float, table: xr.Dataset) -> str:
    """Return a dose as its regimen is called, or with the unit of the table; NaN is no dose."""
    if names.REGIMEN in table.coords and not math.isnan(dose):
        here = np.atleast_1d(table[names.DOSE].to_numpy()) == dose
        for label in np.atleast_1d(table[names.REGIMEN].to_numpy())[here]:
            return str(label)
    return "no dose" if math.isnan(dose) else f"{dose:g} {table.attrs.get('unit', '')}".rstrip()


def parted(rule: str) -> tuple[str, str]:
    """Part a rule in words into its event and what the probability of that must do.

    Examples
    --------
    >>> parted("Pr(p_tox < 0.3) > 0.1"), parted("Pr(p_tox > 0.33) < 0.25")
    (('Pr(p_tox < 0.3)', 'must exceed'), ('Pr(p_tox > 0.33)', 'must stay below'))
    """
    event, _, bound = rule.rpartition(") ")
    return f"{event})", "must stay below" if bound.startswith("<") else "must exceed"


def same_dose(a: float, b: float) -> bool:
    """Whether two answers are the same, NaN being no dose."""
    return a == b or (math.isnan(a) and math.isnan(b))


def text_table(table: xr.Dataset) -> str:
    """Return the ranked doses as fixed-width text; the interval and the errors are said below it."""
    lines = []
    for at, part in each(table):
        who = label(at) or str(table.attrs.get(PART, ""))
        lines += [who] if who else []
        unit = table.attrs.get("unit", "")
        shown = [v for v in (names.P_TOX, names.P_EFF) if v in part]
        head = ["rank", f"dose {unit}".rstrip(), "n", *(f"{v} (95 % CrI)" for v in shown),
                "utility ±MCSE", "Pr(OBD) all", "Pr(OBD) adm.", "admissible"]  # fmt: skip
        rows = [head]
        ranked = part["rank"].fillna(np.inf).to_numpy()
        for i in np.argsort(ranked, kind="stable"):
            row = part.isel({names.DOSE: int(i)})
            rows.append(_cells(row, shown))
        widths = [max(len(r[i]) for r in rows) for i in range(len(head))]
        lines += [
            "  ".join(c.ljust(w) for c, w in zip(r, widths, strict=True)).rstrip() for r in rows
        ]
    worst = max(float(table[v].max()) for v in ("prob_obd_mcse", "prob_obd_admissible_mcse"))
    lines.append(
        "CrI: equal-tailed credible interval. Pr(OBD): probability of the highest utility, among all "
        f"doses and among admissible ones (MCSE at most {error(worst)}). * untried dose."
    )
    return "\n".join(lines)


def _cells(row: xr.Dataset, shown: list[str]) -> list[str]:
    def interval(name: str) -> str:
        low, high = (probability(float(row[f"{name}_{end}"])) for end in ("low", "high"))
        return f"{probability(float(row[name]))} ({low} to {high})"

    rank = float(row["rank"])
    doubt = "" if bool(row["admissible_resolved"]) else " (not resolved)"
    dose = float(row[names.DOSE])
    called = with_unit(dose, row) if names.REGIMEN in row.coords else f"{dose:g}"
    return [
        "-" if math.isnan(rank) else f"{rank:.0f}",
        called + "*" * bool(row["untried"]),
        f"{int(row[names.N_TREATED])}",
        *map(interval, shown),
        "{} ±{}".format(*number(row, "utility")),
        probability(float(row["prob_obd"])),
        probability(float(row["prob_obd_admissible"])) if bool(row["admissible"]) else "-",
        ("yes" if bool(row["admissible"]) else "no") + doubt,
    ]


def reasons(table: xr.Dataset) -> list[str]:
    """Say for each dose of a table without extra dims why it is admissible or not."""
    said = []
    for i in range(table.sizes[names.DOSE]):
        row = table.isel({names.DOSE: i})
        kept = "admissible" if bool(row["admissible"]) else "not admissible"
        wrong = []
        for j in range(table.sizes["rule"]):
            at = row.isel(rule=j)
            estimate, limit = float(at["limit_prob"]), float(at["limit"])
            doubt = "" if bool(at["limit_resolved"]) else ", not resolved"
            rule = str(at["rule"].item())
            if bool(at["limit_ok"]) and not doubt:
                continue
            if math.isnan(estimate):
                wrong.append(str(at["limit_reason"].item()) or f"fails '{rule}'")
            else:
                mcse = error(float(at["limit_prob_mcse"]))
                event, must = parted(rule)
                wrong.append(
                    f"{event} is {precise(estimate)} (MCSE {mcse}), {must} {limit:g}{doubt}"
                )
        said.append("; ".join([kept, *wrong]))
    return said


def answer(table: xr.Dataset, status: str, leading: float) -> tuple[str, str]:
    """Return the headline and the rest of the paragraph for a table without extra dims."""
    if math.isnan(leading):
        why = "; ".join(
            f"{with_unit(float(d), table)}: {r}"
            for d, r in zip(table[names.DOSE].to_numpy(), reasons(table), strict=True)
        )
        head = "No dose is recommended: none is admissible."
        if bool(table["admissible"].any()):
            criterion = table.attrs["criterion"]
            head = f"No dose is recommended: no admissible dose meets the criterion '{criterion}'."
        if status == "not resolved":
            head = f"{head} {_not_resolved(table, leading)}"
        return head, f"{why[:1].upper()}{why[1:]}."
    row = table.sel({names.DOSE: leading})
    if status == "not resolved":
        head = _not_resolved(table, leading)
    else:
        head = (
            f"{with_unit(leading, table)} is recommended: of the admissible doses, the criterion "
            f"'{table.attrs['criterion']}' chooses it; its posterior mean utility is "
            "{} (MCSE {}).".format(*number(row, "utility"))
        )
    said = _runner_up(table, leading)
    said.append(
        f"The probability that {with_unit(leading, table)} has the highest utility is "
        f"{probability(float(row['prob_obd_admissible']))} among the admissible doses and "
        f"{probability(float(row['prob_obd']))} among all doses."
    )
    said += _another_is_likelier(table, leading)
    return head, " ".join(said)


def _runner_up(table: xr.Dataset, leading: float) -> list[str]:
    others = table["utility"].where(table["admissible"] & (table[names.DOSE] != leading))
    if bool(others.isnull().all()):
        return ["It is the only admissible dose."]
    second = table.isel({names.DOSE: int(others.argmax(names.DOSE))})
    near = with_unit(float(second[names.DOSE]), table)
    said = "{} (MCSE {})".format(*number(second, "utility"))
    return [f"The best other admissible dose is {near}, with {said}."]


def _another_is_likelier(table: xr.Dataset, leading: float) -> list[str]:
    """Say why the dose that is most probably the best one overall is not the answer."""
    i = int(table["prob_obd"].argmax(names.DOSE))
    likeliest = table.isel({names.DOSE: i})
    if float(likeliest[names.DOSE]) == leading:
        return []
    untried = " untried" * bool(likeliest["untried"])
    why = (
        "it is admissible, but the criterion is another one"
        if bool(likeliest["admissible"])
        else f"it is {reasons(table)[i]}".replace("; ", ": ", 1)
    )
    said = (
        f"The{untried} dose {with_unit(float(likeliest[names.DOSE]), table)} has the highest "
        f"unconditional Pr(OBD), {probability(float(likeliest['prob_obd']))} "
        f"(MCSE {error(float(likeliest['prob_obd_mcse']))}); {why}."
    )
    return [said]


def cautions(table: xr.Dataset, leading: float) -> list[str]:
    """Say what a reader must know before acting on the leading dose of a table without extra dims."""
    if math.isnan(leading):
        return []
    row = table.sel({names.DOSE: leading})
    said = _less_toxic_than_below(table, leading)
    if bool(row["untried"]):
        tried = table[names.DOSE].where(~table["untried"], drop=True).to_numpy()
        doses = ", ".join(f"{d:g}" for d in tried) or "none"
        said.append(
            f"No patient has received {with_unit(leading, table)} (tried: {doses}): it is extrapolated."
        )
    if bool(table["tie"].any()):
        equal = ", ".join(
            f"{d:g}" for d in table[names.DOSE].where(table["tie"], drop=True).to_numpy()
        )
        said.append(f"Tied with {equal} in every draw; the lowest dose is taken.")
    return said


def _less_toxic_than_below(table: xr.Dataset, leading: float) -> list[str]:
    """Say that the model lets toxicity fall with dose: one toxic low dose can then lead upwards."""
    if names.P_TOX not in table:
        return []
    lower = table[names.P_TOX].where(table[names.DOSE] < leading)
    if bool(lower.isnull().all()):
        return []
    worst = table.isel({names.DOSE: int(lower.argmax(names.DOSE))})
    here = table.sel({names.DOSE: leading})
    gap = float(worst[names.P_TOX]) - float(here[names.P_TOX])
    noise = math.hypot(float(worst[f"{names.P_TOX}_mcse"]), float(here[f"{names.P_TOX}_mcse"]))
    if gap <= RESOLVED * noise:
        return []
    p_here, p_worst = (probability(float(x[names.P_TOX])) for x in (here, worst))
    return [
        (
            f"Toxicity is estimated to be lower at {with_unit(leading, table)} ({p_here}) than at the "
            f"lower dose {with_unit(float(worst[names.DOSE]), table)} ({p_worst}): the model lets "
            "toxicity fall with dose; monotone_tox = true rules that out."
        )
    ]


def _not_resolved(table: xr.Dataset, leading: float) -> str:
    why = []
    for name, reason in (
        ("rival", "within Monte Carlo error of the leading dose"),
        (
            "contested_rule",
            "admissible or not within Monte Carlo error, and that changes the answer",
        ),
    ):
        doses = table[names.DOSE].where(table[name], drop=True).to_numpy()
        if name == "rival" and (math.isnan(leading) or leading in doses):
            # the criterion may choose no dose at all
            why.append("whether any dose meets the criterion is within Monte Carlo error")
            doses = doses[:0] if math.isnan(leading) else doses[doses != leading]
        why += [f"{with_unit(float(d), table)} is {reason}" for d in doses]
    lead = "" if math.isnan(leading) else f" {with_unit(leading, table)} leads, but"
    return (
        f"Not resolved by these draws:{lead} {'; '.join(why)}. "
        "More draws may resolve it; the next data may matter more."
    )
