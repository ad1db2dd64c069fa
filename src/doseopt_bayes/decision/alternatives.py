"""The same data and rules under other models, and whether the leading dose stays."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import xarray as xr

from doseopt_bayes import names
from doseopt_bayes.decision import prose
from doseopt_bayes.errors import DoseOptError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from doseopt_bayes.decision.decide import Decision

__all__ = ["FAILED", "Alternatives", "compare_alternatives"]

FAILED = "diagnostics failed"


@dataclass(frozen=True, eq=False)
class Alternatives:
    """Decisions of several models side by side.

    Parameters
    ----------
    table
        Over ``model`` and ``dose``: ``utility`` and ``prob_obd_admissible`` with Monte Carlo errors,
        ``admissible``; over model: ``leading`` (dose; NaN: none is admissible, or the fit failed),
        ``status`` (``"diagnostics failed"`` for a fit that ranks nothing). The model of the analysis
        comes first.
    sentences
        The same in words.
    """

    table: xr.Dataset
    sentences: tuple[str, ...]

    def to_frame(self) -> pd.DataFrame:
        """Table with a row per model: leading dose, status, and what it gives the first one's dose."""
        lead = float(self.table["leading"][0])
        frame = self.table[["leading", "status"]].to_dataframe()
        if not math.isnan(lead):
            at = self.table.sel({names.DOSE: lead}, drop=True)
            for name in ("utility", "prob_obd_admissible"):
                said = f"{prose.with_unit(lead, self.table)}: {_WORDS[name]}"
                frame[said] = at[name].to_numpy()
                frame[f"{said} mcse"] = at[f"{name}_mcse"].to_numpy()
        return frame.reset_index()

    def __str__(self) -> str:
        return "\n".join(self.sentences)

    __repr__ = __str__


_WORDS = {"utility": "utility", "prob_obd_admissible": "Pr(OBD)"}


def compare_alternatives(
    decision: Decision, others: Mapping[str, Decision], failed: Mapping[str, str]
) -> Alternatives:
    """Compare the decision with those of other models of the same data.

    Parameters
    ----------
    decision
        Decision of the analysis, of one group.
    others
        Label to decision, with the same utility, rules and criterion.
    failed
        Label to what failed, of those in `others` whose fit failed its diagnostics: it ranks nothing.

    Raises
    ------
    DoseOptError
        When a decision has several groups.
    """
    if any(one.status.ndim for one in (decision, *others.values())):
        raise DoseOptError(
            "alternative models are compared for one group",
            hint='take one level of each: decision.at(subgroup="...")',
        )
    every = {"as specified": decision, **others}
    kept = ["utility", "utility_mcse", "prob_obd_admissible", "prob_obd_admissible_mcse"]
    rows = []
    for label, one in every.items():
        row = one.table[[*kept, "admissible"]].drop_vars("rule", errors="ignore")
        row = row.assign(leading=one.leading, status=one.status)
        if label in failed:
            row = row.assign({name: row[name] * math.nan for name in [*kept, "leading"]})
            row["status"] = xr.full_like(one.status, FAILED, dtype=object)
        rows.append(row)
    table = xr.concat(rows, dim="model").assign_coords(model=list(every))
    table["status"] = table["status"].astype(str)
    table.attrs["unit"] = str(decision.table.attrs.get("unit", ""))
    return Alternatives(table, _sentences(table, failed))


def _sentences(table: xr.Dataset, failed: Mapping[str, str]) -> tuple[str, ...]:
    start = float(table["leading"][0])
    same, said = [], []
    for label in table["model"].to_numpy()[1:]:
        at = table.sel(model=label)
        new, status = float(at["leading"]), str(at["status"].item())
        if label in failed:
            said.append(
                f"Under '{label}' nothing is ranked: the fit failed its diagnostics ({failed[label]})."
            )
        elif prose.same_dose(new, start):
            same.append(f"'{label}'" + " (not resolved)" * (status == "not resolved"))
        else:
            doubt = " (not resolved by these draws)" * (status == "not resolved")
            said.append(
                f"Under '{label}', {prose.with_unit(new, table)} leads instead of "
                f"{prose.with_unit(start, table)}{doubt}."
            )
    if same:
        said.insert(0, f"{prose.with_unit(start, table)} also leads under {' and '.join(same)}.")
    return tuple(f"{s[:1].upper()}{s[1:]}" for s in said)
