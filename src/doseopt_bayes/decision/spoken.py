"""A decision in words, for each combination of levels that its table has: headline, text, cautions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from doseopt_bayes import names
from doseopt_bayes.decision import prose
from doseopt_bayes.decision.cap import caution_cap
from doseopt_bayes.decision.intervals import words_intervals
from doseopt_bayes.decision.mtd import caution_mtd, words_mtd
from doseopt_bayes.inference.levels import PART, label

if TYPE_CHECKING:
    import xarray as xr

    from doseopt_bayes.decision.utility import Utility

__all__ = ["Said", "say"]


@dataclass(frozen=True)
class Said:
    """Headline, text and cautions of a decision, as :class:`~doseopt_bayes.decision.decide.Decision`."""

    headline: str
    text: str
    cautions: tuple[str, ...]


def say(
    table: xr.Dataset,
    leading: xr.DataArray,
    status: xr.DataArray,
    utility: Utility,
    overall: tuple[str, ...] = (),
) -> Said:
    """Say the answer of each combination of levels in a line of its own, which names it.

    Parameters
    ----------
    table, leading, status, utility
        As in the decision. The attribute ``part`` of the table names the patients when they are those
        of one level.
    overall
        Cautions about all levels together; the last line of the text.

    Returns
    -------
    Said
        Lines start with the level ("mBCC: ..."), and so does each caution when there are several.
    """
    heads, texts, cautions = [], [], []
    for at, part in prose.each(table):
        who = label(at) or str(table.attrs.get(PART, ""))
        best = float(leading.sel(at))
        head, rest = prose.answer(part, str(status.sel(at).item()), best)
        heads.append(f"{who}: {head}" if who else head)
        beside = [*words_mtd(part, best), *words_intervals(part, best, utility)]
        care = [
            *_nobody(part, who),
            *prose.cautions(part, best),
            *caution_mtd(part, best),
            *caution_cap(part, best),
        ]
        texts.append(" ".join([heads[-1], rest, *beside, *care]))
        cautions += [f"{who}: {c}" if at else c for c in care]
    return Said(
        "\n".join(heads),
        "\n".join([*texts, *filter(None, [" ".join(overall)])]),
        (*cautions, *overall),
    )


def _nobody(table: xr.Dataset, who: str) -> list[str]:
    """Say of a level without patients where its numbers come from."""
    if not who or int(table[names.N_TREATED].sum()):
        return []
    return ["No patient of this level was treated: its numbers are borrowed or the prior."]
