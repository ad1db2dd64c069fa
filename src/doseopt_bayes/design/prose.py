"""Operating characteristics as fixed-width text for a protocol."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from doseopt_bayes import names

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["heads", "marks", "mean", "meaning", "percent", "rows_of", "sentences", "text_of"]

SCENARIO: Final = "scenario"
SEEN: Final = (
    "selected % ± MCSE", "unresolved <= %", "patients ± MCSE", "patients %",
)  # fmt: skip
SHARES: Final = (
    "Selected: share of the trials that recommend the dose at their end. ± MCSE: Monte Carlo standard "
    "error, for shares that of a binomial count; a share seen to be 0 % can truly be 300 / trials % "
    "(95 % bound). Unresolved: the share of trials whose last decision is not resolved, that is, could "
    "change within 3 Monte Carlo standard errors of the posterior; no selection share can be off by "
    "more through that last decision. "
)
BOTH: Final = (
    "OBD: dose of the highest true utility among truly admissible "
    "doses; MTD: highest dose that, like every lower one, has a true p_tox within the limit; "
)
ALONE: Final = (
    "MTD: the dose that the design's own utility puts first at the true p_tox, among truly admissible "
    "doses; "
)
LIMIT: Final = "inadm.: outside a limit of the rules at the true probabilities."


def alone(table: xr.Dataset) -> bool:
    """Whether a table of characteristics is of a design that looks at toxicity alone."""
    return names.P_EFF not in table


def heads(table: xr.Dataset) -> tuple[str, ...]:
    """Return the heads of the columns of :func:`rows_of`."""
    unit = table.attrs["unit"]
    ends = ["true p_tox"] if alone(table) else ["true p_tox", "true p_eff"]
    extra = ["backfilled"] if "backfilled" in table else []
    return (f"dose {unit}".rstrip(), *ends, "true utility", "truth", *SEEN, *extra)


def meaning(table: xr.Dataset) -> str:
    """Say what the words of a table mean."""
    return SHARES + (ALONE if alone(table) else BOTH) + LIMIT


def percent(share: float, mcse: float = math.nan) -> str:
    """Return a share in percent, with its error when it has one; a dash for a share of nothing.

    Examples
    --------
    >>> percent(0.6213, 0.0107), percent(0.25), percent(float("nan"))
    ('62.1 ± 1.1', '25.0', '-')
    """
    if math.isnan(share):
        return "-"
    return f"{100 * share:.1f}" + ("" if math.isnan(mcse) else f" ± {_small(100 * mcse, 1)}")


def mean(value: float, mcse: float, digits: int = 1) -> str:
    """Return a mean with its error.

    Examples
    --------
    >>> mean(38.4, 0.12), mean(0.2113, 0.0004, 3), mean(float("nan"), 1.0)
    ('38.4 ± 0.1', '0.211 ± 0.0004', '-')
    """
    if math.isnan(value):
        return "-"
    error = "" if math.isnan(mcse) else f" ± {_small(mcse, digits)}"
    return f"{value:.{digits}f}{error}"


def _small(error: float, digits: int) -> str:
    """Write an error with `digits` decimals, and with one digit where these would all be 0."""
    if error == 0 or error >= 0.5 * 10.0**-digits:
        return f"{error:.{digits}f}"
    return f"{error:.{-math.floor(math.log10(error))}f}"


def marks(row: xr.Dataset) -> str:
    """Say what a dose truly is: OBD, MTD, inadmissible."""
    dose = float(row[names.DOSE])
    kinds = (("obd", "OBD"), ("mtd", "MTD"))[int(alone(row)) :]
    said = [word for name, word in kinds if float(row[name]) == dose]
    return " ".join(said if bool(row["admissible"]) else [*said, "inadm."])


def rows_of(part: xr.Dataset) -> list[tuple[str, ...]]:
    """Return the cells of one scenario below :func:`heads`: a row per dose, and one for none."""
    at_most = percent(float(part["not_resolved"]))
    extra = "backfilled" in part
    ends = [v for v in (names.P_TOX, names.P_EFF) if v in part]
    rows = []
    for i in range(part.sizes[names.DOSE]):
        row = part.isel({names.DOSE: i})
        rows.append(
            (
                f"{float(row[names.DOSE]):g}",
                *(f"{float(row[v]):.2f}" for v in ends),
                f"{float(row['utility']):.3f}",
                marks(row),
                percent(*_pair(row, "selected")),
                at_most,
                mean(*_pair(row, "treated")),
                percent(*_pair(row, "treated_share")),
                *([mean(*_pair(row, "backfilled"))] if extra else []),
            )
        )
    none = percent(*_pair(part, "none_selected"))
    return [*rows, ("none", *[""] * (len(ends) + 2), none, at_most, "", "", *[""] * extra)]


def sentences(part: xr.Dataset, unit: str) -> list[str]:
    """Say what a scenario's trials came to, apart from the doses one by one."""

    def dose(name: str) -> str:
        return f"{float(part[name]):g} {unit}".rstrip()

    said, best = [], "MTD" if alone(part) else "OBD"
    if math.isnan(float(part["obd"])):
        said.append(
            "No dose is truly admissible: the right answer is none, given by "
            f"{percent(*_pair(part, 'none_selected'))} % of the trials."
        )
    else:
        said.append(
            f"True {best} {dose('obd')}: selected by {percent(*_pair(part, 'selects_obd'))} %."
        )
    if not alone(part) and not math.isnan(float(part["mtd"])):
        said.append(
            f"True MTD {dose('mtd')}: selected by {percent(*_pair(part, 'selects_mtd'))} %."
        )
    if not math.isnan(float(part["overdose"])):
        said.append(
            f"A dose above the true MTD is selected by {percent(*_pair(part, 'overdose'))} %."
        )
    said.append(
        "Mean true p_tox at the selected dose: "
        f"{mean(*_pair(part, 'p_tox_selected'), 3)}. Stopped early, no dose being admissible: "
        f"{percent(*_pair(part, 'stopped_early'))} %."
    )
    treated = f"Mean per trial: {mean(*_pair(part, 'patients'))} patients"
    for name, where in (
        ("overdosed", "above the true MTD"),
        ("underdosed", f"below the true {best}"),
    ):
        if not math.isnan(float(part[name])):
            treated += f", {mean(*_pair(part, name))} of them {where}"
    treated += f"; {mean(*_pair(part, 'toxicities'))} toxicities"
    if not alone(part):
        treated += f", {mean(*_pair(part, 'responses'))} responses"
    said.append(f"{treated}.")
    if "duration" in part:
        said.append(
            f"Mean duration: {mean(*_pair(part, 'duration'))} months, {mean(*_pair(part, 'suspended'))} "
            f"of them with accrual suspended; {mean(*_pair(part, 'pending'))} patients with an outcome "
            "that is not final at the decision on a next cohort."
        )
    said.append(
        "Not resolved, within the numerical error of the posteriors: the last decision of "
        f"{percent(*_pair(part, 'not_resolved'))} % of the trials, some decision of "
        f"{percent(*_pair(part, 'any_not_resolved'))} %."
    )
    return said


def text_of(table: xr.Dataset) -> str:
    """Return the table of every scenario, what its trials came to, and what the words mean."""
    unit, n = table.attrs["unit"], table.attrs["n_trials"]
    head = heads(table)
    title = (
        f"Operating characteristics: {n:,} trials of each scenario, seed {table.attrs['seed']}, "
        f"posteriors by {table.attrs['engine']}"
    )
    lines = [title]
    for label in table[SCENARIO].to_numpy():
        part = table.sel({SCENARIO: label})
        rows = [head, *rows_of(part)]
        widths = [max(len(r[i]) for r in rows) for i in range(len(head))]
        lines += ["", f"Scenario '{label}'"]
        lines += [
            "  ".join(c.ljust(w) for c, w in zip(r, widths, strict=True)).rstrip() for r in rows
        ]
        lines += sentences(part, unit)
    return "\n".join([*lines, "", meaning(table)])


def _pair(row: xr.Dataset, name: str) -> tuple[float, float]:
    return float(row[name]), float(row[f"{name}_mcse"])
