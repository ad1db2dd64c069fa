"""Groups that may not belong to the others (EXNEX), with the question marginalised for each group.

NUTS cannot move a yes or no. Each group therefore has both values, the one among the others and the one
apart from them, and its likelihood is the mixture of both; which of them holds is drawn afterwards, from
its probability given parameters and data.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from doseopt_bayes import names
from doseopt_bayes.models.tallied import PAIR, Counts
from doseopt_bayes.priors import Pooled

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import xarray as xr

    from doseopt_bayes.models.groups import Built

__all__ = [
    "COLUMN",
    "EXCHANGEABLE",
    "MIXTURE",
    "SEEN",
    "SELECTOR",
    "is_mixture",
    "mixture_totals",
    "observe_mixture",
]

Tensor = Any  # a pytensor variable
COLUMN: Final = "column"
MIXTURE: Final = "outcomes_by_group"  # the observed node: one row of counts for each group
SEEN: Final = f"{MIXTURE}_counts"  # its data
EXCHANGEABLE: Final = "prob_exchangeable"
SELECTOR: Final = "exchangeable_selector"  # decides in each draw which of the two values holds
FLOOR: Final = -1e300  # in place of -inf, which times a count of 0 is not a number


def is_mixture(recipe: Any) -> bool:
    """Whether some group of a recipe may not belong to the others."""
    return any(isinstance(p, Pooled) and p.is_mixture for p in recipe.priors.values())


def observe_mixture(
    counts: Counts, built: Built, cells: Tensor | None, margins: Mapping[str, Tensor]
) -> tuple[Tensor | None, dict[str, Tensor]]:
    """Register the mixture likelihood of each group, and choose what holds in each draw.

    Parameters
    ----------
    counts
        What was seen; its groups are the levels of one grouping.
    built
        The parameters, with the prior share of either component.
    cells, margins
        Cell probabilities (component, level, dose, cell), or ``None``; further endpoints to their
        probability (component, level, dose).

    Returns
    -------
    tuple
        Cells and margins without the dim component. Registered are ``prob_exchangeable`` (level),
        Pr(the group belongs to the others | parameters, data), and the observed node
        ``outcomes_by_group`` (level, column).

    Notes
    -----
    The marginal likelihood of Neuenschwander et al. (2016): posterior means of ``prob_exchangeable``
    are Pr(exchangeable | data).
    """
    import pymc as pm  # noqa: PLC0415
    import pytensor.tensor as pt  # noqa: PLC0415

    (grouping,) = built.groups
    blocks = _blocks(counts, cells, margins)
    log_p = pt.concatenate([x.reshape((2, x.shape[1], -1)) for x, _, _ in blocks], axis=-1)
    log_p = pt.maximum(log_p, np.float64(FLOOR)).dimshuffle(1, 0, 2)  # level, component, column
    seen = np.concatenate([x.reshape(len(x), -1) for _, x, _ in blocks], axis=-1)
    totals = np.concatenate([x.sum(axis=-1) for _, x, _ in blocks], axis=-1)
    widths = [x.shape[-1] for _, x, _ in blocks for _ in range(x.shape[-2])]
    labels = [f"{label}@{j}" for _, x, each in blocks for j in range(x.shape[-2]) for label in each]
    share = pt.as_tensor_variable(built.log_share).dimshuffle(1, 0)  # level, component

    model = pm.modelcontext(None)
    model.add_coord(COLUMN, labels)
    model.add_coord("block", list(range(totals.shape[-1])))
    n = pm.Data(f"{MIXTURE}_n", totals, dims=(grouping, "block"))
    value = pm.Data(SEEN, seen, dims=(grouping, COLUMN))
    pm.CustomDist(
        MIXTURE,
        log_p,
        share,
        n,
        logp=_logp(widths),
        random=_random(widths),
        signature="(c,m),(c),(b)->(m)",
        dtype="int64",
        observed=value,
        dims=(grouping, COLUMN),
    )
    each = share + (log_p * value[:, None, :]).sum(axis=-1)
    belongs = pm.Deterministic(EXCHANGEABLE, pt.sigmoid(each[:, 0] - each[:, 1]), dims=(grouping,))
    # Normal and not in the likelihood: the sampler draws it as it is, and it chooses exactly
    chooser = pm.Normal(SELECTOR, 0.0, 1.0, dims=(grouping,))
    among = pt.erf(chooser / np.sqrt(2)) / 2 + 0.5 < belongs

    def chosen(x: Tensor) -> Tensor:
        return pt.where(among.reshape((-1, *[1] * (x.ndim - 2))), x[0], x[1])

    found = {e: chosen(x) for e, x in margins.items()}
    return None if cells is None else chosen(cells), found


def _blocks(
    counts: Counts, cells: Tensor | None, margins: Mapping[str, Tensor]
) -> list[tuple[Tensor, np.ndarray, tuple[str, ...]]]:
    """Return log probabilities (component, level, dose, outcome), counts without component, labels."""
    import pytensor.tensor as pt  # noqa: PLC0415

    found: list[tuple[Tensor, np.ndarray, tuple[str, ...]]] = []
    p = dict(margins)
    if cells is not None:
        found.append((pt.log(cells), counts.cells, names.CELLS))
        at = {letter: i for i, letter in enumerate(names.CELLS)}
        pair = {e: cells[..., at[a]] + cells[..., at[b]] for e, (a, b) in PAIR.items()}
        p = pair | p
    for e, x in p.items():
        n, events = counts.only[e]
        logs = pt.stack([pt.log(x), pt.log1p(-x)], axis=-1)
        found.append((logs, np.stack([events, n - events], axis=-1), (f"{e} event", f"{e} none")))
    return found


def mixture_totals(x: xr.DataArray) -> dict[str, xr.DataArray]:
    """Add up the events of each endpoint over groups and doses, from draws of the observed node.

    Parameters
    ----------
    x
        Over a grouping and ``column``, and any sample dims.
    """
    columns = [str(c).split("@")[0] for c in x[COLUMN].to_numpy()]
    (grouping,) = (d for d in x.dims if d not in (names.CHAIN, names.DRAW, COLUMN))
    ends = [c.removesuffix(" event") for c in columns if c.endswith(" event")]
    found = {}
    for e in dict.fromkeys(ends):
        wanted = {f"{e} event", *PAIR.get(e, ())}
        at = [i for i, c in enumerate(columns) if c in wanted]
        found[e] = x.isel({COLUMN: at}).sum([COLUMN, grouping])
    return found


def _logp(widths: Sequence[int]) -> Any:
    def logp(value: Tensor, log_p: Tensor, share: Tensor, n: Tensor) -> Tensor:
        import pytensor.tensor as pt  # noqa: PLC0415

        each = share + (log_p * value[..., None, :]).sum(axis=-1)
        ways, start = pt.constant(0.0), 0
        for i, width in enumerate(widths):  # one component alone gives the multinomial density
            part = value[..., start : start + width]
            ways = ways + pt.gammaln(n[..., i] + 1) - pt.gammaln(part + 1).sum(axis=-1)
            start += width
        return pt.logsumexp(each, axis=-1) + ways

    return logp


def _random(widths: Sequence[int]) -> Any:
    def random(
        log_p: np.ndarray,
        share: np.ndarray,
        n: np.ndarray,
        rng: np.random.Generator,
        size: tuple[int, ...] | None = None,
    ) -> np.ndarray:
        lead = np.broadcast_shapes(log_p.shape[:-2], share.shape[:-1], n.shape[:-1])
        lead = lead if size is None else tuple(size)
        share = np.broadcast_to(share, (*lead, 2))
        apart = rng.random(lead) > np.exp(share[..., 0])
        p = np.exp(np.broadcast_to(log_p, (*lead, *log_p.shape[-2:])))
        p = np.where(apart[..., None], p[..., 1, :], p[..., 0, :])
        n = np.broadcast_to(n, (*lead, n.shape[-1]))
        parts, start = [], 0
        for i, width in enumerate(widths):
            each = p[..., start : start + width]
            parts.append(rng.multinomial(n[..., i], each / each.sum(axis=-1, keepdims=True)))
            start += width
        return np.concatenate(parts, axis=-1)

    return random
