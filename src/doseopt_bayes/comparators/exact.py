"""What a design of toxicity does under a truth, by going through every course that a trial can take."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import xarray as xr
from scipy.stats import binom

from doseopt_bayes import names
from doseopt_bayes.errors import DoseOptError

if TYPE_CHECKING:
    from doseopt_bayes.design.scenario import Scenario
    from doseopt_bayes.design.trialled import Trialled

__all__ = ["enumerate_courses"]

MOST: Final = 2_000_000  # states of one cohort


def enumerate_courses(design: Trialled, scenario: Scenario) -> xr.Dataset:
    """Return the exact operating characteristics of a design of toxicity alone.

    Parameters
    ----------
    design
        A design whose decisions read toxicity alone, from counts and the current dose: 3 + 3, an
        interval design.
    scenario
        The truth.

    Returns
    -------
    xarray.Dataset
        Over dose: ``selected`` (probability), ``treated`` and ``toxicities`` (expected patients).
        Scalars ``none_selected``, ``patients``. Without simulation error.

    Raises
    ------
    DoseOptError
        When the design reads efficacy or samples posteriors, or has too many courses.

    Examples
    --------
    >>> from doseopt_bayes.comparators.three import ThreePlusThree
    >>> from doseopt_bayes.design.scenario import Scenario
    >>> found = enumerate_courses(ThreePlusThree((1, 2), start=1), Scenario("a", (0.0, 1.0)))
    >>> found["selected"].values.tolist(), float(found["patients"])
    ([1.0, 0.0], 9.0)
    """
    if design.endpoints != (names.TOX,):
        raise DoseOptError(
            f"courses of {design.endpoints} are too many to go through",
            hint="simulate() the design",
        )
    truth = np.array(scenario.p_tox)
    design.truth(scenario)
    decide = design.decider(0, 512, 1)
    doses = np.array(design.doses)
    size = len(doses)
    # a state: patients and toxicities of each dose, and the dose of the cohort that comes
    state = np.zeros((1, 2 * size + 1), dtype=np.int16)
    state[0, -1] = int(np.searchsorted(doses, design.start))
    weight = np.ones(1)
    selected, treated, toxic = np.zeros(size + 1), np.zeros(size), np.zeros(size)
    outcomes = np.arange(design.cohort + 1)
    while len(state):
        here = state[:, -1].astype(int)
        chance = binom.pmf(outcomes, design.cohort, truth[here][:, None])
        after = np.repeat(state, len(outcomes), axis=0)
        row, at = np.arange(len(after)), np.repeat(here, len(outcomes))
        after[row, at] += design.cohort
        after[row, size + at] += np.tile(outcomes, len(state)).astype(np.int16)
        weight = (weight[:, None] * chance).ravel()
        after, weight = after[weight > 0], weight[weight > 0]
        after, back = np.unique(after, axis=0, return_inverse=True)
        weight = np.bincount(back.ravel(), weight, minlength=len(after))
        if len(after) > MOST:
            raise DoseOptError(f"more than {MOST:,} courses", hint="simulate() the design")
        cells = np.zeros((len(after), size, 4), dtype=int)
        cells[..., 2] = after[:, size:-1]
        cells[..., 0] = after[:, :size] - after[:, size:-1]
        here = after[:, -1].astype(int)
        said = decide(cells, here)
        none = said.dose < 0
        by_dose = xr.DataArray(
            after[:, :size], dims=("trial", names.DOSE), coords={names.DOSE: doses}
        )
        following = xr.DataArray(np.where(none, np.nan, doses[said.dose]), dims="trial")
        stops = design.stop.holds(by_dose, following).to_numpy() & ~none
        if said.ended is not None:
            stops |= said.ended
        ends = stops | none
        if ends.any():
            last = np.full(len(after), size)
            if stops.any():
                final = decide(cells[stops], here[stops], final=True).dose
                last[stops] = np.where(final < 0, size, final)
            selected += np.bincount(last[ends], weight[ends], minlength=size + 1)
            treated += weight[ends] @ after[ends, :size]
            toxic += weight[ends] @ after[ends, size:-1]
        state = after[~ends]
        state[:, -1] = said.dose[~ends]
        weight = weight[~ends]
    return xr.Dataset(
        {
            "selected": (names.DOSE, selected[:-1]),
            "treated": (names.DOSE, treated),
            "toxicities": (names.DOSE, toxic),
            "none_selected": selected[-1],
            "patients": treated.sum(),
        },
        coords={names.DOSE: doses},
    )
