"""How toxicity and efficacy of one patient go together: cell probabilities from two margins."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from doseopt_bayes import names

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["COPULAS", "gaussian_cells", "gumbel_morgenstern_cells", "log_cells"]

NODES: Final = 32  # Gauss-Legendre; errors below 1e-12 up to |association| 6, 1e-8 up to 8
SMALLEST: Final = 1e-300  # a probability whose logarithm is finite


def log_cells(logit_tox: Any, logit_eff: Any, association: Any) -> Any:
    r"""Log probabilities of the four outcomes of a patient, Gumbel-Morgenstern association.

    Pr(E = a, T = b) is the product of its margins plus :math:`(-1)^{a+b}` times the four margins
    times tanh(association / 2). Each cell factorises into its two margins and one factor that is
    written as a sum of positive terms, so that no digit is lost at either end: cells sum to 1 within
    1e-12 for logits to 30, and their logs are finite for logits to 700.

    Parameters
    ----------
    logit_tox, logit_eff
        Tensors of one shape (...): log-odds of toxicity and of efficacy.
    association
        Tensor that broadcasts with them; 0 is independence, the correlation stays within 0.25.

    Returns
    -------
    tensor
        Shape (..., 4), cells in the order of ``names.CELLS``: neither, efficacy only, toxicity only,
        both.

    Notes
    -----
    Source: Thall and Cook (2004), as in trialr's ``EffTox.stan``; the positive form is ours.
    """
    import pytensor.tensor as pt  # noqa: PLC0415  (a specification is read without PyTensor)

    cells = []
    for letter in names.CELLS:
        eff_sign = 1 if letter in "EB" else -1
        tox_sign = 1 if letter in "TB" else -1
        agree = eff_sign * tox_sign
        p_eff, q_eff = pt.sigmoid(eff_sign * logit_eff), pt.sigmoid(-eff_sign * logit_eff)
        p_tox, q_tox = pt.sigmoid(tox_sign * logit_tox), pt.sigmoid(-tox_sign * logit_tox)
        # 1 + agree * tanh(psi / 2) * q_eff * q_tox, without its cancellation
        factor = p_eff + p_tox - p_eff * p_tox + 2 * q_eff * q_tox * pt.sigmoid(agree * association)
        margins = -pt.softplus(-eff_sign * logit_eff) - pt.softplus(-tox_sign * logit_tox)
        cells.append(margins + pt.log(factor))
    return pt.stack(cells, axis=-1)


def gumbel_morgenstern_cells(logit_tox: Any, logit_eff: Any, association: Any) -> Any:
    """Cell probabilities of :func:`log_cells`, shape (..., 4)."""
    import pytensor.tensor as pt  # noqa: PLC0415

    return pt.exp(log_cells(logit_tox, logit_eff, association))


def gaussian_cells(logit_tox: Any, logit_eff: Any, association: Any) -> Any:
    r"""Cell probabilities when latent Normal variables correlate by tanh(association / 2).

    Each outcome is an event when its latent standard Normal falls below the Normal quantile of its
    probability; the two have correlation :math:`\rho` = tanh(association / 2), anywhere in -1..1, so
    that the outcomes can be as dependent as their margins allow.

    Parameters
    ----------
    logit_tox, logit_eff, association
        As in :func:`log_cells`.

    Returns
    -------
    tensor
        Shape (..., 4), cells as in :func:`log_cells`; the margins are exact, the cells within 1e-12
        for associations up to 6 and 1e-8 up to 8, and never below 1e-300.

    Notes
    -----
    Bivariate Normal probability as the product of its margins plus the integral of the density over
    the correlation (Drezner and Wesolowsky 1990, with the arcsine substitution of Genz 2004), by
    Gauss-Legendre quadrature with 32 nodes.
    """
    import pytensor.tensor as pt  # noqa: PLC0415

    at, weight = np.polynomial.legendre.leggauss(NODES)
    angle = pt.shape_padright(pt.arcsin(pt.tanh(association / 2)))
    theta = angle * (at + 1) / 2
    tox, eff = (_probit(logit)[..., None] for logit in (logit_tox, logit_eff))
    distance = tox**2 + eff**2 - 2 * tox * eff * pt.sin(theta)
    density = pt.exp(-distance / (2 * pt.cos(theta) ** 2))
    excess = (density * weight * angle / 2).sum(axis=-1) / (2 * math.pi)

    cells = []
    for letter in names.CELLS:
        eff_sign = 1 if letter in "EB" else -1
        tox_sign = 1 if letter in "TB" else -1
        product = pt.sigmoid(eff_sign * logit_eff) * pt.sigmoid(tox_sign * logit_tox)
        # cancellation may leave -1e-17 where the association all but forbids the outcome
        cells.append(pt.maximum(product + eff_sign * tox_sign * excess, SMALLEST))
    return pt.stack(cells, axis=-1)


def _probit(logit: Any) -> Any:
    """Normal quantile of the probability with this log-odds; exact in both tails."""
    import pytensor.tensor as pt  # noqa: PLC0415

    smaller = pt.maximum(pt.sigmoid(-pt.abs(logit)), SMALLEST)
    return pt.sign(logit) * math.sqrt(2) * pt.erfcinv(2 * smaller)


COPULAS: Final[dict[str, Callable[[Any, Any, Any], Any]]] = {
    "gumbel_morgenstern": gumbel_morgenstern_cells,
    "gaussian": gaussian_cells,
}
"""Associations by the name that a specification file uses."""

COPULA_WORDS: Final = {
    "gumbel_morgenstern": "Gumbel-Morgenstern, tanh(association / 2); 0 is independence",
    "gaussian": "Gaussian copula, latent correlation tanh(association / 2); 0 is independence",
}
