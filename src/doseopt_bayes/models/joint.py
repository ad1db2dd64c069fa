"""What models of binary outcomes share: checked doses, counts, and nodes observed from p_cell."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from doseopt_bayes import names
from doseopt_bayes.errors import DoseOptError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from doseopt_bayes.data.trial import TrialData
    from doseopt_bayes.models.base import DoseModel, Recipe

__all__ = [
    "Counts",
    "checked_doses",
    "checked_others",
    "coordinates",
    "counts_of",
    "described",
    "margins_of",
    "observe",
    "observe_margins",
]

PAIR: Final = {names.TOX: ("T", "B"), names.EFF: ("E", "B")}  # the cells of each event


def checked_doses(model: str, doses: Sequence[float]) -> tuple[float, ...]:
    """Return the doses ascending; refuse those that have no logarithm or are repeated."""
    found = tuple(sorted(float(d) for d in doses))
    if not all(np.isfinite(d) and d > 0 for d in found):
        raise DoseOptError(
            f"{model}: doses {found} must be > 0",
            hint="models take the logarithm of each dose: leave placebo out",
        )
    if len(set(found)) != len(found) or len(found) < 2:
        raise DoseOptError(f"doses {found}: give at least two, each once")
    return found


def checked_others(model: str, others: Sequence[str]) -> tuple[str, ...]:
    """Return the names of further endpoints; refuse what cannot name a variable."""
    found = tuple(others)
    for name in found:
        plain = isinstance(name, str) and re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name)
        if not plain or name in (*PAIR, names.CELL) or found.count(name) > 1:
            raise DoseOptError(
                f"{model}: '{name}' cannot name a further endpoint",
                hint="letters, digits and _, each name once, and none of tox, eff, cell",
            )
    return found


@dataclass(frozen=True, eq=False)
class Counts:
    """Patients as a model reads them.

    Parameters
    ----------
    cells
        Patients with both tox and eff known: (dose, cell).
    only
        Endpoint to (number analysed, events) per dose, of patients outside `cells`.
    """

    cells: np.ndarray
    only: Mapping[str, tuple[np.ndarray, np.ndarray]]


def counts_of(recipe: DoseModel, data: TrialData) -> Counts:
    """Split the data into patients with both of the pair (cells) and with one outcome (events of n).

    Raises
    ------
    DoseOptError
        When doses or units differ, or the data have no endpoint of the model.
    """
    _check_data(recipe, data)
    cells = data.counts[names.CELL_COUNT].transpose(names.DOSE, names.CELL)
    cells = cells.sel({names.CELL: list(names.CELLS)})
    only = {}
    for endpoint in recipe.endpoints:
        n, events = _margin(recipe, data, endpoint)
        if endpoint in PAIR and endpoint in data.endpoints:
            n = n - cells.sum(names.CELL).to_numpy()
            inside = cells.sel({names.CELL: list(PAIR[endpoint])})
            events = events - inside.sum(names.CELL).to_numpy()
        only[endpoint] = (n, events)
    return Counts(cells.to_numpy(), only)


def margins_of(recipe: DoseModel, data: TrialData) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return endpoint to (number analysed, events) per dose, for a model without joint outcomes.

    A patient of whom two endpoints are known counts in the margin of each; what the model does not
    read is left out.

    Raises
    ------
    DoseOptError
        As :func:`counts_of`.
    """
    _check_data(recipe, data)
    return {e: _margin(recipe, data, e) for e in recipe.endpoints}


def _margin(recipe: DoseModel, data: TrialData, endpoint: str) -> tuple[np.ndarray, np.ndarray]:
    """Number analysed and events per dose; zeros when the data lack the endpoint."""
    if endpoint not in data.endpoints:
        nobody = np.zeros(len(recipe.doses), dtype="int64")
        return nobody, nobody
    chosen = data.counts.sel({names.ENDPOINT: endpoint})
    return chosen[names.N].to_numpy(), chosen[names.EVENTS].to_numpy()


def _check_data(recipe: DoseModel, data: TrialData) -> None:
    if len(data.doses) != len(recipe.doses) or not np.allclose(
        data.doses, recipe.doses, rtol=1e-6, atol=0
    ):
        raise DoseOptError(
            f"the data have candidate doses {data.doses}, the model {recipe.doses}",
            hint="read the data with the model's doses, untried ones included",
        )
    if recipe.unit and data.unit and recipe.unit != data.unit:
        raise DoseOptError(
            f"the data's doses are in '{data.unit}', the model's in '{recipe.unit}'",
            hint="give both in one unit",
        )
    if data.endpoints and not set(recipe.endpoints) & set(data.endpoints):
        kind = type(recipe).__name__
        raise DoseOptError(
            f"{kind} reads the endpoints {' and '.join(recipe.endpoints)}; the data have "
            f"{list(data.endpoints)}",
            hint=f"map columns to {' and '.join(recipe.endpoints[:2])}",
        )


def described(head: str, recipe: Recipe) -> str:
    """Print a recipe: its head, what it says in words, and its priors."""
    width = max(map(len, recipe.priors))
    priors = [f"    {name:<{width}}  ~ {prior}" for name, prior in recipe.priors.items()]
    return "\n".join([head, *(f"  {w}" for w in recipe.words()), "  priors:", *priors])


def coordinates(recipe: DoseModel) -> dict[str, Any]:
    """Return the coordinates of a model: real doses, and cells by letter."""
    return {names.DOSE: np.array(recipe.doses), names.CELL: list(names.CELLS)}


def observe(counts: Counts, p_cell: Any, others: Mapping[str, Any]) -> None:
    """Register margins and observed nodes of the open PyMC model, all from one `p_cell`.

    Parameters
    ----------
    counts
        What was seen.
    p_cell
        Cell probabilities, registered in the model: (dose, cell).
    others
        Probability per dose of each further endpoint, registered as ``p_`` and its name.
    """
    import pymc as pm  # noqa: PLC0415

    cell = {letter: p_cell[:, i] for i, letter in enumerate(names.CELLS)}
    p = {
        end: pm.Deterministic(names.probability(end), cell[a] + cell[b], dims=names.DOSE)
        for end, (a, b) in PAIR.items()
    }
    seen = pm.Data(names.CELL_COUNT, counts.cells, dims=(names.DOSE, names.CELL))
    pm.Multinomial(
        "outcomes", n=seen.sum(axis=-1), p=p_cell, observed=seen, dims=(names.DOSE, names.CELL)
    )
    observe_margins(counts.only, p | dict(others))


def observe_margins(
    counts: Mapping[str, tuple[np.ndarray, np.ndarray]], p: Mapping[str, Any]
) -> None:
    """Register a binomial node ``<endpoint>_only`` of the open PyMC model for each endpoint.

    Parameters
    ----------
    counts
        Endpoint to (number analysed, events) per dose, of patients in no joint outcome of the model.
    p
        Endpoint to its probability per dose.
    """
    import pymc as pm  # noqa: PLC0415

    for endpoint, probability in p.items():
        n, events = counts[endpoint]
        pm.Binomial(
            f"{endpoint}_only",
            n=pm.Data(f"{endpoint}_only_n", n, dims=names.DOSE),
            p=probability,
            observed=pm.Data(f"{endpoint}_only_events", events, dims=names.DOSE),
            dims=names.DOSE,
        )
