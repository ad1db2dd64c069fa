"""Outcomes of simulated patients: what each would have at any dose is fixed before the trial."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from doseopt_bayes.design.scenario import Scenario

__all__ = ["Ward"]


class Ward:
    """Patients of many trials at once.

    Parameters
    ----------
    scenarios
        The truths of the trials.
    truth
        Position of each trial's truth: (trial,).

    Attributes
    ----------
    cells
        Patients by outcome so far: (trial, dose, cell), whole numbers.
    """

    def __init__(self, scenarios: Sequence[Scenario], truth: np.ndarray) -> None:
        cell = np.stack([s.cells() for s in scenarios])
        self.truth = truth
        self.p_tox = cell[..., 2] + cell[..., 3]
        with np.errstate(divide="ignore", invalid="ignore"):
            pair = [cell[..., 1] / (1 - self.p_tox), cell[..., 3] / self.p_tox]
        self.eff_if = np.nan_to_num(np.stack(pair, axis=-1))
        self.cells = np.zeros((len(truth), *cell.shape[1:]), dtype=np.int32)

    def treat(self, who: np.ndarray, place: np.ndarray, chance: np.ndarray) -> None:
        """Treat a patient in each of some trials.

        Parameters
        ----------
        who
            The trials: (patient,), each once.
        place
            Position of the dose: (patient,).
        chance
            What decides toxicity and then efficacy, uniform numbers: (patient, 2 or more).
        """
        which = self.truth[who]
        tox = chance[:, 0] < self.p_tox[which, place]
        eff = chance[:, 1] < self.eff_if[which, place, tox.astype(int)]
        np.add.at(self.cells, (who, place, eff + 2 * tox), 1)
