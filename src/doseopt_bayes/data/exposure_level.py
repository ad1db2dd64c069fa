"""The patients of one level of a grouping, with a ledger of their own."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from doseopt_bayes.data.exposure_ledger import ledger
from doseopt_bayes.errors import DoseOptError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

    from doseopt_bayes.data.exposure import ExposureData

__all__ = ["one_level"]


def one_level(
    data: ExposureData, why: Mapping[str, tuple[str, ...]], levels: Mapping[str, str]
) -> ExposureData:
    """Return the patients of one level of some groupings, without these groupings.

    Parameters
    ----------
    data
        Exposure data with groups.
    why
        Metric, endpoint or covariate to the rule that keeps each row out.
    levels
        Grouping to level.

    Returns
    -------
    ExposureData
        With the same doses, some of which nobody of this level may have had. Patients who were
        excluded as a whole are not in its ledger: their level was not read.

    Raises
    ------
    DoseOptError
        When a grouping or a level is unknown.
    """
    everyone = data.table
    use = np.ones(len(everyone), dtype=bool)
    for grouping, level in levels.items():
        if grouping not in data.groups:
            raise DoseOptError(
                f"the data have no grouping {grouping!r}",
                hint=did_you_mean(grouping, list(data.groups)),
            )
        if level not in data.groups[grouping]:
            raise DoseOptError(
                f"{grouping} has no level {level!r}",
                hint=did_you_mean(str(level), data.groups[grouping]),
            )
        use &= (everyone[grouping] == level).to_numpy()
    part = ", ".join(f"{g} {level}" for g, level in levels.items())
    table = everyone[use].drop(columns=list(levels)).reset_index(drop=True)
    rules = {k: tuple(np.array(v, dtype=object)[use].tolist()) for k, v in why.items()}
    return replace(
        data,
        disposition=ledger(data.doses, table, rules, axes=data.exposures, endpoints=data.endpoints),
        source=f"{data.source}, {part}",
        groups={g: v for g, v in data.groups.items() if g not in levels},
        notes=(*data.notes, f"{part} only: {int(use.sum())} of {use.size} rows"),
        _table=table,
        _why=rules,
    )
