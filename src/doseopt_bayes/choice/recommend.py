"""Which dose would lead under each candidate shape, and how much weight agrees."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import xarray as xr

from doseopt_bayes.choice.compare import MODEL, Comparison
from doseopt_bayes.errors import DiagnosticsError, DoseOptError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import pandas as pd

    from doseopt_bayes.inference.posterior import Posterior
    from doseopt_bayes.models.exposure_response import ExposureResponse

__all__ = ["ShapeSensitivity", "recommend_by_shape"]

FAILED: Final = "diagnostics failed"


@dataclass(frozen=True, eq=False)
class ShapeSensitivity:
    """The leading dose of each candidate shape.

    Parameters
    ----------
    table
        Over ``model``: ``leading`` (dose; NaN: none), ``status``, ``weight`` (NaN without weights) and
        ``shape``.
    sentences
        The same in words.
    """

    table: xr.Dataset
    sentences: tuple[str, ...]

    @property
    def agree(self) -> bool:
        """Whether every shape leads to the same dose."""
        return len(_by_dose(self.table)) == 1

    def to_frame(self) -> pd.DataFrame:
        """Table with a row per model."""
        found: pd.DataFrame = self.table.to_dataframe().reset_index()
        return found

    def __str__(self) -> str:
        return "\n".join(self.sentences)

    __repr__ = __str__


def recommend_by_shape(
    candidates: Comparison | Mapping[str, tuple[ExposureResponse, Posterior]],
    decide: Callable[[ExposureResponse, Posterior], Any],
    *,
    weights: Mapping[str, float] | None = None,
    unit: str = "",
) -> ShapeSensitivity:
    """Ask the same question of every candidate.

    Parameters
    ----------
    candidates
        Label to recipe and fit, or a comparison, whose weights are taken.
    decide
        From recipe and fit to a decision (anything with ``leading`` and ``status``), a dose, or ``None``
        when no dose is recommended; for example predict at the doses, then decide.
    weights
        Label to weight in the average.
    unit
        Of the doses, for the sentences.

    Returns
    -------
    ShapeSensitivity
        A candidate whose fit failed its diagnostics leads to no dose, and is named.

    Raises
    ------
    DoseOptError
        When there is no candidate, or weights have other labels.
    """
    if isinstance(candidates, Comparison):
        weights = candidates.weights if weights is None else weights
        candidates = {k: (m, candidates.posteriors[k]) for k, m in candidates.models.items()}
    if not candidates:
        raise DoseOptError("no candidate shapes were given")
    if weights is not None and set(weights) != set(candidates):
        raise DoseOptError(
            f"weights of {', '.join(weights)} for candidates {', '.join(candidates)}",
            hint="one weight for each candidate",
        )
    leading, status = [], []
    for model, post in candidates.values():
        try:
            dose, said = (
                _answer(decide(model, post)) if post.diagnostics.passed else (math.nan, FAILED)
            )
        except DiagnosticsError:
            dose, said = math.nan, FAILED
        leading.append(dose)
        status.append(said)
    table = xr.Dataset(
        {
            "leading": (MODEL, leading),
            "status": (MODEL, status),
            "weight": (
                MODEL,
                [math.nan if weights is None else float(weights[k]) for k in candidates],
            ),
            "shape": (MODEL, [type(m.shape).__name__ for m, _ in candidates.values()]),
        },
        coords={MODEL: list(candidates)},
        attrs={"unit": unit},
    )
    return ShapeSensitivity(table, _sentences(table))


def _answer(found: Any) -> tuple[float, str]:
    if found is None:
        return math.nan, "no dose"
    if hasattr(found, "leading"):
        return float(found.leading), str(getattr(found.status, "item", lambda: found.status)())
    return float(found), ""


def _by_dose(table: xr.Dataset) -> dict[float | str, list[str]]:
    """Return labels by leading dose; NaN by its status, so that it equals itself."""
    found: dict[float | str, list[str]] = {}
    for label in table[MODEL].to_numpy():
        dose, status = (table[v].sel({MODEL: label}).item() for v in ("leading", "status"))
        found.setdefault(status if math.isnan(dose) else dose, []).append(str(label))
    return found


def _sentences(table: xr.Dataset) -> tuple[str, ...]:
    unit = f" {table.attrs['unit']}" if table.attrs["unit"] else ""
    groups = _by_dose(table)
    said = []
    for dose, labels in groups.items():
        share = float(table["weight"].sel({MODEL: labels}).sum(skipna=False))
        weight = "" if math.isnan(share) else f" (weight {share:.2f} in all)"
        open_ = [m for m in labels if table["status"].sel({MODEL: m}).item() == "not resolved"]
        doubt = f", not resolved under {', '.join(open_)}" if open_ else ""
        what = f"No dose leads: {dose}," if isinstance(dose, str) else f"{dose:g}{unit} leads"
        said.append(f"{what} under {', '.join(labels)}{weight}{doubt}.")
    if len(groups) == 1 and len(table[MODEL]) > 1:
        said.append("The leading dose does not depend on which of these shapes is right.")
    elif len(groups) > 1:
        said.append("The leading dose depends on the shape.")
    return tuple(said)
