"""A comparison of arms in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from doseopt_bayes import names
from doseopt_bayes.arms.margin import UTILITY
from doseopt_bayes.decision.prose import error, probability, value, with_unit

if TYPE_CHECKING:
    from collections.abc import Sequence

    import xarray as xr

    from doseopt_bayes.arms.margin import Margin
    from doseopt_bayes.decision.decide import Decision
    from doseopt_bayes.decision.ranking import Ranking

__all__ = ["sentences"]


def sentences(
    table: xr.Dataset, margins: Sequence[Margin], decision: Decision, ranking: Ranking
) -> tuple[str, ...]:
    """Say each pair, then the arms."""
    said = list(decision.stamps)
    for i in range(table.sizes["pair"]):
        said += _pair(table.isel(pair=i), margins)
    said.append(decision.headline)
    said += list(decision.cautions)
    ranked = ranking.table
    for dose in ranked[names.DOSE].to_numpy():
        at = ranked.sel({names.DOSE: dose})
        if not bool(at["eligible"]):
            continue
        said.append(
            f"{with_unit(float(dose), decision.table)}: Pr(best) {probability(float(at['prob_obd']))} "
            f"(MCSE {error(float(at['prob_obd_mcse']))}), expected regret "
            f"{value(float(at['regret']), float(at['regret_mcse']))} "
            f"(MCSE {error(float(at['regret_mcse']))})."
        )
    said.append(str(ranking))
    return tuple(said)


def _pair(at: xr.Dataset, margins: Sequence[Margin]) -> list[str]:
    called = str(at["pair"].item())
    said = []
    for end in at[names.ENDPOINT].to_numpy():
        x = at.sel({names.ENDPOINT: end})
        nobody = names.N in x and end != UTILITY and _nobody(x)
        number = {k: float(x[k]) for k in ("difference", "difference_low", "difference_high")}
        shown = [f"{v:+.3f}" for v in number.values()]
        said.append(
            f"{called}, {end}: low - high {shown[0]} (95 % interval {shown[1]} to {shown[2]}, MCSE "
            f"{error(float(x['difference_mcse']))}); Pr(low > high) "
            f"{probability(float(x['prob_higher']))} (MCSE {error(float(x['prob_higher_mcse']))})."
        )
        if nobody:
            said.append(f"{called}, {end}: nobody was analysed at {nobody}: this is the prior's.")
    for margin in margins:
        x = at.sel(margin=str(margin))
        said.append(
            f"{called}: Pr({margin}) is {probability(float(x['within']))} "
            f"(MCSE {error(float(x['within_mcse']))})."
        )
    status, certainty = str(at["status"].item()), float(at.attrs["certainty"])
    reached = {
        "met": f"exceeds {certainty:g}: the lower dose meets the criteria",
        "not met": f"does not exceed {certainty:g}: the lower dose does not meet the criteria",
    }.get(status, f"is not resolved against {certainty:g} by these draws")
    said.append(
        f"{called}: the probability of all margins at once, {probability(float(at['joint']))} "
        f"(MCSE {error(float(at['joint_mcse']))}), {reached}."
    )
    return said


def _nobody(x: xr.Dataset) -> str:
    """Name the arms of a pair without a patient analysed for an endpoint."""
    arms = [float(x[side]) for side in ("low", "high")]
    return " and ".join(f"{d:g}" for d in arms if not int(x[names.N].sel({names.DOSE: d})))
