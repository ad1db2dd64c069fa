"""The tables of a plan of randomised arms: text cells made from its results."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Final

import numpy as np

from doseopt_bayes import names
from doseopt_bayes.decision.prose import error, probability
from doseopt_bayes.planning.ratio import size_words
from doseopt_bayes.report.tables import Table

if TYPE_CHECKING:
    import xarray as xr

    from doseopt_bayes.arms.margin import Margin
    from doseopt_bayes.planning.boundaries import Boundaries
    from doseopt_bayes.planning.plan import ArmPlan
    from doseopt_bayes.spec.arms_plan import PlanSpec

__all__ = [
    "answer",
    "boundary",
    "exact",
    "glance",
    "margin_limits",
    "rates_of",
    "selected",
    "sizes",
    "truths",
]

SCENARIO, SIZE = "scenario", "size"
BIASES: Final = ("bias_eff", "bias_shrunk_eff", "bias_tox", "bias_shrunk_tox")


def answer(found: ArmPlan) -> tuple[str, str]:
    """Return the answer over all scenarios in one sentence, and ``""``, ``"open"`` or ``"none"``."""
    table = found.table
    said = {
        verdict: [str(s) for s in table[SCENARIO].to_numpy()
                  if str(table["verdict"].sel({SCENARIO: s}).item()) == verdict]
        for verdict in ("not reached", "not resolved")
    }  # fmt: skip
    if said["not reached"]:
        largest, where = int(table[SIZE].max()), "; ".join(said["not reached"])
        return (
            f"Up to {largest} {size_words(table.attrs)} do not reach the goals under: {where}.",
            "none",
        )
    if said["not resolved"]:
        where = "; ".join(said["not resolved"])
        return f"Which size is needed is not resolved by these trials under: {where}.", "open"
    most = int(table["needed"].max())
    many = "every scenario" if table.sizes[SCENARIO] > 1 else "the scenario"
    return f"{most} {size_words(table.attrs)} reach the goals in {many}.", ""


def _share(at: xr.Dataset, name: str) -> str:
    return f"{probability(float(at[name]))} ± {error(float(at[f'{name}_mcse']))}"


def _bias(at: xr.Dataset, name: str) -> str:
    x, mcse = float(at[name]), float(at[f"{name}_mcse"])
    return "-" if np.isnan(x) else f"{x:+.3f} ± {error(mcse)}"


def _dose(dose: float, table: xr.Dataset) -> str:
    return f"{dose:g} {table.attrs.get('unit', '')}".rstrip()


def glance(found: ArmPlan) -> Table:
    """Patients per arm by scenario."""
    table, rows = found.table, []
    for name in table[SCENARIO].to_numpy():
        at = table.sel({SCENARIO: name})
        needed = float(at["needed"])
        here = at.isel({SIZE: -1}) if np.isnan(needed) else at.sel({SIZE: needed})
        shown = "-" if np.isnan(needed) else f"{needed:g}"
        rows.append((str(name), shown, str(at["verdict"].item()), f"{int(here[SIZE])}",
                     *(_share(here, s) for s in ("correct", "worse", "none"))))  # fmt: skip
    goal = f"correct >= {table.attrs['correct']:g}"
    goal += f" and worse arm <= {table.attrs['worse']:g}" * (table.attrs["worse"] < 1)
    note = (
        f"Goals: {goal}. {_size(table)}: the smallest size from which on every size tried reaches "
        "them. Not resolved: 3 simulation errors could move it to another size. Shares ± simulation "
        "error at the size in the fourth column; they sum to 1."
    )
    columns = ("Scenario", _size(table), "Verdict", "Shown at", "Correct", "Worse arm",
               "None although one is right")  # fmt: skip
    return Table(f"{_size(table)} by scenario", columns, tuple(rows), note)


def _size(table: xr.Dataset) -> str:
    return size_words(table.attrs).capitalize()


def truths(found: ArmPlan) -> Table:
    """What is true in each scenario."""
    table, rows = found.table, []
    for name, dose in itertools.product(table[SCENARIO].to_numpy(), table[names.DOSE].to_numpy()):
        at = table.sel({SCENARIO: name, names.DOSE: dose})
        rows.append((str(name), _dose(float(dose), table), f"{float(at[names.P_EFF]):g}",
                     f"{float(at[names.P_TOX]):g}", "yes" if bool(at["right"]) else "no"))  # fmt: skip
    note = "Right: an arm that the rule would choose if the probabilities were known."
    if table.attrs["indifference"]:
        note += f" Within {table.attrs['indifference']:g} of the best utility counts as right."
    columns = ("Scenario", "Arm", "True p_eff", "True p_tox", "Right choice")
    return Table("Scenarios", columns, tuple(rows), note)


def sizes(found: ArmPlan) -> Table:
    """What trials of each size do, with the error of each number."""
    table, rows = found.table, []
    for name, size in itertools.product(table[SCENARIO].to_numpy(), table[SIZE].to_numpy()):
        at = table.sel({SCENARIO: name, SIZE: size})
        rows.append((str(name), f"{int(size)}",
                     *(_share(at, s) for s in ("correct", "worse", "none")),
                     *(_bias(at, b) for b in BIASES)))  # fmt: skip
    note = (
        "Shares and biases ± simulation error. Off by: mean of the chosen arm's rate less its truth, "
        "observed and shrunk towards the mean of the arms; '-': no trial chose an arm. Root mean "
        "squares are in plan.csv."
    )
    columns = ("Scenario", _size(table), "Correct", "Worse arm", "None although one is right",
               "p_eff off by", "shrunk", "p_tox off by", "shrunk")  # fmt: skip
    return Table("Every size tried", columns, tuple(rows), note)


def selected(found: ArmPlan) -> Table:
    """How often each arm is chosen."""
    table, rows = found.table, []
    doses = table[names.DOSE].to_numpy()
    for name, size in itertools.product(table[SCENARIO].to_numpy(), table[SIZE].to_numpy()):
        at = table.sel({SCENARIO: name, SIZE: size})
        cells = [_share(at.sel({names.DOSE: d}), "selected") for d in doses]
        rows.append((str(name), f"{int(size)}", *cells))
    columns = ("Scenario", _size(table), *(_dose(float(d), table) for d in doses))
    note = "Share of trials ± simulation error; what is missing to 1 chooses no arm."
    return Table("Chosen arm", columns, tuple(rows), note)


def boundary(endpoint: str, found: Boundaries) -> Table:
    """Go and no-go boundaries of one arm as whole numbers."""
    frame = found.to_frame()
    rows = [
        tuple("never" if str(x) == "<NA>" else f"{int(x)}" for x in row)
        for row in frame.itertuples(index=False)
    ]
    heads = [str(c)[:1].upper() + str(c)[1:] for c in frame.columns]
    note = f"{found.rule}. At the last look an arm that has not failed is a success."
    return Table(f"Boundaries of {endpoint}, one arm", tuple(heads), tuple(rows), note)


def rates_of(spec: PlanSpec, endpoint: str) -> list[float]:
    """Return the true rates at which boundaries are looked at: those of the scenarios.

    Of another endpoint than efficacy and toxicity: nine rates, 0.1 to 0.9.
    """
    field = names.probability(endpoint)
    known = [p for s in spec.scenarios for p in (getattr(s, field, None) or ())]
    return sorted(set(known)) or [round(0.1 * k, 1) for k in range(1, 10)]


def exact(spec: PlanSpec, endpoint: str, found: Boundaries) -> Table:
    """What the boundaries do at true rates, exactly."""
    at = found.operating(rates_of(spec, endpoint))
    rows = []
    for rate in at["rate"].to_numpy():
        x = at.sel(rate=rate)
        shares = (f"{float(x[v]):.3f}" for v in ("early_no_go", "early_go", "success"))
        rows.append((f"{float(rate):g}", *shares, f"{float(x['patients']):.1f}"))
    note = "Enumerated: without simulation error."
    columns = ("True rate", "No-go before the last look", "Go before the last look",
               "Success at any look", "Expected patients")  # fmt: skip
    return Table(f"What the boundaries of {endpoint} do", columns, tuple(rows), note)


def margin_limits(margin: Margin, found: xr.Dataset) -> Table:
    """The comparison of two arms as whole numbers, four pairs of numbers to a row."""
    least = margin.better == "higher"
    n = int(found.attrs["n"])
    cells = []
    for k in found["events_high"].to_numpy():
        low = float(found["events_low"].sel(events_high=k))
        cells.append((f"{int(k)}", "none" if np.isnan(low) else f"{low:g}"))
    columns_of = 5
    height = -(-len(cells) // columns_of)
    rows = []
    for i in range(height):
        row: list[str] = []
        for j in range(columns_of):
            at = i + j * height
            row += cells[at] if at < len(cells) else ("", "")
        rows.append(tuple(row))
    word = "low: at least" if least else "low: at most"
    note = (
        f"Events among {n} patients of the higher arm, and how many among {n} of the lower arm keep "
        f"the margin with a posterior probability above {found.attrs['certainty']:g} "
        f"({found.attrs['patients']:g} prior patients in each arm). Exact; 'none': no number does."
    )
    heads = ("high", word) * columns_of
    return Table(f"{margin}: {n} patients per arm", heads, tuple(rows), note)
