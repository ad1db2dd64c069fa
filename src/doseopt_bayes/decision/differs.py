"""Whether subgroups need different doses: Pr(the best dose of one is not that of another)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import xarray as xr

from doseopt_bayes import names
from doseopt_bayes.decision.criteria import best_in_each_draw
from doseopt_bayes.decision.prose import error, probability
from doseopt_bayes.errors import DoseOptError
from doseopt_bayes.inference.levels import label

if TYPE_CHECKING:
    from doseopt_bayes.decision.decide import Decision
    from doseopt_bayes.inference.posterior import Posterior

__all__ = ["OTHER_LEVEL", "prob_obd_differs", "words_differs"]

OTHER_LEVEL: Final = "other_"  # prefix of the dims of the second level of a pair


def prob_obd_differs(post: Posterior, decision: Decision) -> xr.Dataset:
    """Posterior probability that the best dose of one subgroup is not the best dose of another.

    Parameters
    ----------
    post
        The posterior that was decided on, over one or several groupings.
    decision
        Its decision: the utility, and which doses of which subgroup are admissible.

    Returns
    -------
    xarray.Dataset
        Over (subgroup, other_subgroup) and so on for further groupings: ``differs``, of the best
        admissible doses, where no admissible dose is an answer of its own; ``differs_any_dose``, of the
        best ones of all candidate doses, admissible or not. Each with its Monte Carlo error in the
        variable of suffix ``_mcse``. 0 with error 0 on the diagonal.

    Raises
    ------
    DoseOptError
        When the decision is that of one group.

    Notes
    -----
    The best dose of each draw is that of the highest utility, the lower one of equals. Admissibility
    is one verdict for all draws, not one for each. An answer that the verdicts alone settle, such as
    two subgroups that share no admissible dose, has error 0.
    """
    over = [str(d) for d in decision.status.dims]
    if not over:
        raise DoseOptError(
            "one group has one best dose: there is no other to compare it with",
            hint="decide on the posterior of all subgroups",
        )
    u = decision.utility({name: post[name] for name in decision.utility.reads})
    every = xr.ones_like(decision.table["utility"], dtype=bool).drop_vars("rule", errors="ignore")
    ok = every & decision.table["admissible"].drop_vars("rule", errors="ignore")
    found: dict[str, xr.DataArray] = {}
    for name, eligible in (("differs", ok), ("differs_any_dose", every)):
        # 0 is no dose, 1 the lowest one
        place = best_in_each_draw(u, eligible) * xr.ones_like(ok, dtype=int).cumsum(names.DOSE)
        answer = place.sum(names.DOSE).astype("int16")
        event = answer != _other(answer, over)
        doses = eligible.drop_vars(names.DOSE)  # the last place is "no dose"
        options = xr.concat([doses, ~doses.any(names.DOSE).expand_dims(names.DOSE)], names.DOSE)
        shared = (options & _other(options, over)).any(names.DOSE)
        single = options.sum(names.DOSE) == 1
        same = xr.ones_like(shared)
        for d in over:
            same = same & (shared[d] == shared[f"{OTHER_LEVEL}{d}"])
        settled = same | ~shared | (single & _other(single, over))
        found[name] = post.prob(event)
        found[f"{name}_mcse"] = post.mcse(event).where(~settled, 0.0)
    return xr.Dataset(found, attrs={"stamps": "\n".join(decision.stamps)})


def _other(x: xr.DataArray, over: list[str]) -> xr.DataArray:
    return x.rename({d: f"{OTHER_LEVEL}{d}" for d in over if d in x.dims})


def words_differs(table: xr.Dataset) -> tuple[str, ...]:
    """Say each pair of subgroups once, the most probable difference first; stamps before them.

    Parameters
    ----------
    table
        Result of :func:`prob_obd_differs`.
    """
    over = [str(d) for d in table["differs"].dims if not str(d).startswith(OTHER_LEVEL)]
    others = [f"{OTHER_LEVEL}{d}" for d in over]
    flat = table.stack(_one=over, _two=others).transpose("_one", "_two", ...)
    pairs = []
    for i in range(flat.sizes["_one"]):
        for j in range(i + 1, flat.sizes["_two"]):
            at = flat.isel(_one=i, _two=j)
            one = label({d: at[d].item() for d in over})
            two = label({d: at[f"{OTHER_LEVEL}{d}"].item() for d in over})
            p, mcse = float(at["differs"]), float(at["differs_mcse"])
            event = f"The best admissible dose of {one} is not that of {two}"
            pairs.append((p, f"{event} with probability {_said(p, mcse)}."))
    stamps = [s for s in str(table.attrs.get("stamps", "")).split("\n") if s]
    return (*stamps, *(said for _, said in sorted(pairs, key=lambda pair: -pair[0])))


def _said(p: float, mcse: float) -> str:
    if mcse == 0:
        return f"{p:g}, by the verdicts of the rules alone"
    return f"{probability(p)} (MCSE {error(mcse)})"
