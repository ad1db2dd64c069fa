"""Truths under which a design is tried: probabilities at each candidate dose, with a name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from doseopt_bayes import names
from doseopt_bayes.errors import DoseOptError

if TYPE_CHECKING:
    from doseopt_bayes.decision.rules import Rule
    from doseopt_bayes.design.design import Design

__all__ = ["Scenario"]


@dataclass(frozen=True)
class Scenario:
    """A named truth.

    Parameters
    ----------
    name
        Name, for tables and figures.
    p_tox
        True probabilities of toxicity at each candidate dose, ascending with the doses, each in 0..1.
    p_eff
        True probabilities of efficacy, as many; ``None`` for a design that looks at toxicity alone.
    correlation
        Correlation of the two outcomes of a patient, 0 for independence; where the margins do not
        allow it, the strongest that they allow.

    Raises
    ------
    DoseOptError
        On numbers that are no probabilities, different lengths, or a correlation outside -1..1.

    Examples
    --------
    >>> Scenario("rising", p_tox=(0.05, 0.10, 0.30), p_eff=(0.2, 0.4, 0.6)).cells()[0].round(3).tolist()
    [0.76, 0.19, 0.04, 0.01]
    """

    name: str
    p_tox: tuple[float, ...]
    p_eff: tuple[float, ...] | None = None
    correlation: float = 0.0

    def __post_init__(self) -> None:
        given = (names.P_TOX, names.P_EFF)[: 1 if self.p_eff is None else 2]
        for field in given:
            values = tuple(float(p) for p in getattr(self, field))
            for p in values:
                if not 0 <= p <= 1:
                    hint = f"{p / 100:g}?" if 1 < p <= 100 else "probabilities lie in 0..1"
                    raise DoseOptError(
                        f"scenario '{self.name}': {field} = {p:g} is not a probability", hint=hint
                    )
            object.__setattr__(self, field, values)
        lengths = {field: len(getattr(self, field)) for field in given}
        if len(set(lengths.values())) != 1 or not self.p_tox:
            said = ", ".join(f"{n} of {field}" for field, n in lengths.items())
            raise DoseOptError(
                f"scenario '{self.name}': {said.replace(' of', ' values of', 1)}",
                hint="one of each for every candidate dose",
            )
        if not -1 <= self.correlation <= 1:
            raise DoseOptError(
                f"scenario '{self.name}': correlation = {self.correlation:g} lies outside -1..1"
            )
        if self.correlation and self.p_eff is None:
            raise DoseOptError(
                f"scenario '{self.name}': correlation = {self.correlation:g} with an efficacy that it "
                "does not have",
                hint="give p_eff, or leave the correlation out",
            )

    def cells(self) -> np.ndarray:
        """Probabilities of neither, efficacy only, toxicity only, both: (dose, cell).

        Without p_eff nobody responds.
        """
        tox = np.array(self.p_tox)
        eff = np.zeros_like(tox) if self.p_eff is None else np.array(self.p_eff)
        both = tox * eff + self.correlation * np.sqrt(tox * (1 - tox) * eff * (1 - eff))
        both = both.clip(np.maximum(0, tox + eff - 1), np.minimum(tox, eff))
        return np.stack([1 - tox - eff + both, eff - both, tox - both, both], axis=1)

    def truth(self, design: Design) -> xr.Dataset:
        """What this truth means under a design: true utility, admissibility and optimal dose.

        Parameters
        ----------
        design
            Its utility is evaluated at the true probabilities; its limits (``Tolerable``, ``EWOC``,
            ``Active``, ``ProtocolCap``), joined as the rules are, say which doses are truly admissible.

        Returns
        -------
        xarray.Dataset
            ``p_tox``, ``p_eff``, ``utility`` and ``admissible`` over dose; ``obd`` (dose of the
            highest true utility among truly admissible ones) and ``mtd`` (highest dose that, like
            every lower one, has a true p_tox at most the limit), NaN for none. A design whose model
            reads toxicity alone has no p_eff here, and its own utility says which dose is the MTD:
            ``mtd`` and ``obd`` are both the dose of the highest true utility among truly admissible
            ones, for example the closest to the target.

        Raises
        ------
        DoseOptError
            When it has not one probability for each candidate dose, or the utility reads endpoints
            that a scenario does not have.
        """
        from doseopt_bayes.decision.mtd import toxicity_limit  # noqa: PLC0415

        doses = list(design.model.doses)
        if len(doses) != len(self.p_tox):
            raise DoseOptError(
                f"scenario '{self.name}' has {len(self.p_tox)} doses, the design {len(doses)}",
                hint="one probability for every candidate dose",
            )
        found = xr.Dataset(
            {names.P_TOX: (names.DOSE, np.array(self.p_tox))}, coords={names.DOSE: doses}
        )
        alone = names.EFF not in design.model.endpoints
        if not alone and self.p_eff is not None:
            cells = xr.DataArray(
                self.cells(), dims=(names.DOSE, names.CELL), coords={names.CELL: list(names.CELLS)}
            )
            found[names.P_EFF] = (names.DOSE, np.array(self.p_eff))
            found[names.P_CELL] = cells
        needs = dict.fromkeys(
            [*map(names.probability, design.model.endpoints), *design.utility.reads]
        )
        reads = ("the utility", "the model")
        for v in (v for v in needs if v not in found):
            who = reads[v not in design.utility.reads]
            raise DoseOptError(
                f"scenario '{self.name}' has no {v}, which {who} reads",
                hint="give p_eff" if v == names.P_EFF else "scenarios have toxicity and efficacy",
            )
        found["utility"] = design.utility(found)
        fine = found["admissible"] = _truly_admissible(design.rules, found)
        best = found["utility"].where(fine)
        found["obd"] = found[names.DOSE].where(best == best.max()).min()
        limit = toxicity_limit(design.rules)
        found["mtd"] = np.nan
        if limit is not None:
            low = (found[names.P_TOX] <= limit).astype(int).cumprod(names.DOSE) > 0
            found["mtd"] = found[names.DOSE].where(low).max()
        if alone:
            found["mtd"] = found["obd"]
        return found.drop_dims(names.CELL, errors="ignore")


def _truly_admissible(rules: Rule, truth: xr.Dataset) -> xr.DataArray:
    """Hold the true probabilities against the limits of the rules; which doses are tried is no limit."""
    from doseopt_bayes.decision.algebra import Both, Either  # noqa: PLC0415
    from doseopt_bayes.decision.rules import Active, ProtocolCap, Tolerable  # noqa: PLC0415

    if isinstance(rules, Both | Either):
        a, b = (_truly_admissible(r, truth) for r in (rules.left, rules.right))
        return a & b if isinstance(rules, Both) else a | b
    fine = xr.ones_like(truth[names.P_TOX], dtype=bool)
    if isinstance(rules, Tolerable):  # EWOC is one
        fine = truth[names.P_TOX] <= rules.limit
    elif isinstance(rules, Active):
        fine = truth[names.P_EFF] >= rules.limit
    elif isinstance(rules, ProtocolCap):
        fine = truth[names.DOSE] <= rules.highest
    return fine.drop_attrs()
