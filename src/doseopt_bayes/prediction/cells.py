"""Joint outcomes of people whose margins are known: the model's own cells, run on arrays."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np

from doseopt_bayes.inference.arrays import by_arrays
from doseopt_bayes.models.association import COPULAS

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["cells_of"]

NUMBERS: Final = 1 << 22  # of an intermediate array: the quadrature of a copula takes 32 per person
NODES: Final = 32


def cells_of(
    copula: str, logit_tox: np.ndarray, logit_eff: np.ndarray, association: np.ndarray
) -> np.ndarray:
    """Probabilities of the four outcomes of each person in each draw.

    Parameters
    ----------
    copula
        One of :data:`~doseopt_bayes.models.association.COPULAS`, which the likelihood used.
    logit_tox, logit_eff
        Over (draw, person).
    association
        Over (draw).

    Returns
    -------
    numpy.ndarray
        (draw, person, cell), cells in the order of ``names.CELLS``.

    Examples
    --------
    >>> half = np.zeros((1, 1))
    >>> cells_of("gumbel_morgenstern", half, half, np.zeros(1)).ravel().tolist()
    [0.25, 0.25, 0.25, 0.25]
    """
    program = _program(copula)
    draws, people = logit_tox.shape
    step = max(1, NUMBERS // (draws * NODES))
    parts = [
        program(
            np.ascontiguousarray(logit_tox[:, at : at + step]),
            np.ascontiguousarray(logit_eff[:, at : at + step]),
            association[:, None],
        )[0]
        for at in range(0, people, step)
    ]
    found: np.ndarray = np.concatenate(parts, axis=1)
    return found


@lru_cache
def _program(copula: str) -> Callable[..., list[np.ndarray]]:
    import pytensor.tensor as pt  # noqa: PLC0415  (PyTensor takes seconds to import)

    tox, eff = pt.matrix("tox", dtype="float64"), pt.matrix("eff", dtype="float64")
    association = pt.tensor("association", dtype="float64", shape=(None, 1))
    return by_arrays(tox, [COPULAS[copula](tox, eff, association)], [eff, association])
