"""Every dim, variable and group name, once, so that a misspelling is an error and not a new name."""

from __future__ import annotations

from typing import Final

# dims
CHAIN: Final = "chain"
DRAW: Final = "draw"
DOSE: Final = "dose"
CELL: Final = "cell"
ENDPOINT: Final = "endpoint"
ATTRIBUTE: Final = "attribute"
PATIENT: Final = "patient"
REGIMEN: Final = "regimen"  # a label beside a dose, where schedules or formulations differ
SUBGROUP: Final = "subgroup"  # the usual name of a partition of the patients
POOLED: Final = "pooled"  # one number over all groups of patients

# endpoints: the two that a joint model reads; any other endpoint keeps its own name
TOX: Final = "tox"
EFF: Final = "eff"

# outcome cells, named as in the outcome mini-language (neither, efficacy only, toxicity only, both)
CELLS: Final = ("N", "E", "T", "B")

# variables over dose
P_TOX: Final = "p_tox"
P_EFF: Final = "p_eff"
P_CELL: Final = "p_cell"

# what the data say, over dose
N_TREATED: Final = "n_treated"
N: Final = "n"
EVENTS: Final = "events"
CELL_COUNT: Final = "cell_count"
N_TOGETHER: Final = "n_together"  # of outcomes known for all groups of patients together only
EVENTS_TOGETHER: Final = "events_together"
PENDING: Final = "pending"  # share of each outcome of patients whose outcome is not final
SLOT: Final = "slot"  # of pending patients at a dose


def probability(endpoint: str) -> str:
    """Return the name of the variable that holds the probability of an endpoint."""
    return f"p_{endpoint}"
