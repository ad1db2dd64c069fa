"""Pre-specified configurations of a decision, each by name and version, on one posterior."""

from __future__ import annotations

import math
from collections.abc import Mapping  # noqa: TC003  (field type, read at run time)
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import xarray as xr

from doseopt_bayes import names
from doseopt_bayes.arms.compare import PAIR, ArmComparison, checked_margins, compare_arms
from doseopt_bayes.arms.tipping import ArmSensitivity, arm_sensitivity
from doseopt_bayes.decision.cui import CUI
from doseopt_bayes.decision.prose import error, probability, same_dose, with_unit
from doseopt_bayes.errors import DoseOptError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from doseopt_bayes.arms.margin import Margin
    from doseopt_bayes.decision.criteria import Criterion
    from doseopt_bayes.decision.rules import Rule
    from doseopt_bayes.decision.utility import Utility
    from doseopt_bayes.inference.posterior import Posterior

__all__ = ["Configuration", "Configurations", "WeightSet", "compare_configurations"]

CONFIGURATION = "configuration"


def _named(kind: str, name: str, version: str) -> None:
    for field, value in (("name", name), ("version", version)):
        if not isinstance(value, str) or not value.strip():
            raise DoseOptError(
                f"{kind}: {field} = {value!r} is empty",
                hint="what was pre-specified has a name and a version",
            )


@dataclass(frozen=True)
class WeightSet:
    """Elicited weights of the attributes of a Clinical Utility Index.

    Parameters
    ----------
    name, version
        Whose weights, and which elicitation.
    weights
        Attribute (for example ``"p_eff"``) to its relative weight, >= 0; they need not sum to 1.
    source
        How they were elicited, for the record.

    Raises
    ------
    DoseOptError
        Without a name or version, on a weight that is negative or not finite, or weights that sum
        to 0.

    Examples
    --------
    >>> patients = WeightSet("patients", "2", {"p_eff": 1, "p_tox": 3}, source="swing weighting, n = 24")
    >>> print(patients)
    patients (version 2): p_eff 0.250, p_tox 0.750; swing weighting, n = 24
    """

    name: str
    version: str
    weights: Mapping[str, float]
    source: str = ""

    def __post_init__(self) -> None:
        _named("weights", self.name, self.version)
        for attribute, weight in self.weights.items():
            if not (math.isfinite(weight) and weight >= 0):
                raise DoseOptError(
                    f"weights '{self.name}': weight = {weight:g} of {attribute} must be >= 0",
                    hint="turn the direction of the attribute, not the sign",
                )
        if not sum(self.weights.values()) > 0:
            raise DoseOptError(
                f"weights '{self.name}' sum to 0", hint="give at least one attribute a weight > 0"
            )

    def of(self, index: CUI) -> CUI:
        """Return the index with these weights; its value functions and directions stay.

        Raises
        ------
        DoseOptError
            When an attribute of the index has no weight here, or a weight has no attribute.
        """
        unknown = [a for a in self.weights if a not in index.attributes]
        missing = [a for a in index.attributes if a not in self.weights]
        if unknown or missing:
            wrong = (unknown or missing)[0]
            said = "weighs an attribute that the index lacks" if unknown else "has no weight for"
            allowed = list(index.attributes) if unknown else list(self.weights)
            raise DoseOptError(
                f"weights '{self.name}': {said}: '{wrong}'", hint=did_you_mean(wrong, allowed)
            )
        return CUI({n: replace(a, weight=self.weights[n]) for n, a in index.attributes.items()})

    def __str__(self) -> str:
        total = sum(self.weights.values())
        shares = ", ".join(f"{n} {w / total:.3f}" for n, w in self.weights.items())
        return f"{self.name} (version {self.version}): {shares}" + f"; {self.source}" * bool(
            self.source
        )


@dataclass(frozen=True)
class Configuration:
    """One pre-specified way to decide, of one agency or stakeholder.

    Parameters
    ----------
    name, version
        Whose it is, and which version was pre-specified.
    utility, margins, criterion, rules, certainty
        As in :func:`~doseopt_bayes.arms.compare.compare_arms`.

    Raises
    ------
    DoseOptError
        Without a name, a version or a margin, or on a margin that stands twice.
    """

    name: str
    version: str
    utility: Utility
    margins: tuple[Margin, ...]
    criterion: str | Criterion = "mean_utility"
    rules: Rule | None = None
    certainty: float = 0.8

    def __post_init__(self) -> None:
        _named("configuration", self.name, self.version)
        object.__setattr__(self, "margins", checked_margins(self.margins))

    def weighted(self, weights: WeightSet) -> Configuration:
        """Return this configuration with elicited weights, and with their name and version.

        Raises
        ------
        DoseOptError
            When the utility is not a CUI, or the weights do not fit it.
        """
        if not isinstance(self.utility, CUI):
            raise DoseOptError(
                f"weights '{weights.name}' need a CUI; the utility is {type(self.utility).__name__}"
            )
        index = weights.of(self.utility)
        return replace(self, name=weights.name, version=weights.version, utility=index)


@dataclass(frozen=True, eq=False)
class Configurations:
    """The same table under each configuration, from one posterior.

    Parameters
    ----------
    table
        Over ``configuration`` and ``dose``: ``utility``, ``prob_best`` (among admissible arms),
        ``regret``, each with ``_mcse``, ``admissible``, ``rank``; over configuration: ``version``,
        ``leading`` (dose; NaN: none) and ``status``; over configuration and ``pair``: ``joint`` with
        its error, and ``meets`` (``"met"``, ``"not met"``, ``"not resolved"``).
    comparisons
        Each configuration's whole comparison, by name.
    sentences
        Where they agree and where not.
    """

    table: xr.Dataset
    comparisons: Mapping[str, ArmComparison]
    sentences: tuple[str, ...]

    def to_frame(self) -> pd.DataFrame:
        """Table with a row per configuration and arm."""
        kept = [v for v in self.table if PAIR not in self.table[v].dims]
        order = [CONFIGURATION, names.DOSE]
        return self.table[kept].to_dataframe(dim_order=order).reset_index()

    def sensitivity(self, post: Posterior, *, seed: int) -> dict[str, ArmSensitivity]:
        """Return what would change the answer of each configuration, by name; nothing is refitted."""
        return {n: arm_sensitivity(post, c, seed=seed) for n, c in self.comparisons.items()}

    def __str__(self) -> str:
        return "\n".join(self.sentences)

    __repr__ = __str__


def compare_configurations(
    post: Posterior,
    configurations: Sequence[Configuration],
    *,
    pairs: Sequence[tuple[float | str, float | str]] | None = None,
    override_diagnostics: bool = False,
) -> Configurations:
    """Decide on one posterior under several pre-specified configurations.

    Parameters
    ----------
    post, pairs, override_diagnostics
        As in :func:`~doseopt_bayes.arms.compare.compare_arms`.
    configurations
        At least one, each name once.

    Raises
    ------
    DoseOptError
        On none, a name that is used twice, or as `compare_arms` does.
    """
    given = list(configurations)
    labels = [c.name for c in given]
    twice = next((n for n in labels if labels.count(n) > 1), "")
    if not given or twice:
        raise DoseOptError(
            f"configuration '{twice}' stands twice" if twice else "no configuration is given",
            hint="one per agency or stakeholder, each with its own name",
        )
    found = {
        c.name: compare_arms(post, margins=c.margins, utility=c.utility, rules=c.rules,
                             criterion=c.criterion, pairs=pairs, certainty=c.certainty,
                             override_diagnostics=override_diagnostics)
        for c in given
    }  # fmt: skip
    table = xr.concat([_row(c) for c in found.values()], dim=CONFIGURATION)
    table = table.assign_coords({CONFIGURATION: labels})
    table["version"] = (CONFIGURATION, [c.version for c in given])
    first = next(iter(found.values()))
    table.attrs = {k: first.table.attrs[k] for k in ("unit", "interval", "stamps")}
    return Configurations(table, found, _sentences(table))


def _row(one: ArmComparison) -> xr.Dataset:
    decided, ranked = one.decision.table, one.ranking.table
    columns = {
        "utility": decided["utility"],
        "utility_mcse": decided["utility_mcse"],
        "prob_best": decided["prob_obd_admissible"],
        "prob_best_mcse": decided["prob_obd_admissible_mcse"],
        "regret": ranked["regret"],
        "regret_mcse": ranked["regret_mcse"],
        "admissible": decided["admissible"],
        "rank": decided["rank"],
        "leading": one.decision.leading,
        "status": one.decision.status,
        "joint": one.table["joint"],
        "joint_mcse": one.table["joint_mcse"],
        "meets": one.table["status"],
    }
    return xr.Dataset({k: v.reset_coords(drop=True) for k, v in columns.items()})


def _sentences(table: xr.Dataset) -> tuple[str, ...]:
    said = [s for s in str(table.attrs["stamps"]).split("\n") if s]
    leading = [float(x) for x in table["leading"].to_numpy()]
    one = with_unit(leading[0], table)
    n = table.sizes[CONFIGURATION]
    if all(same_dose(x, leading[0]) for x in leading):
        said.append(f"All {n} configurations lead to {one}." if n > 1 else f"It leads to {one}.")
    else:
        said.append(f"The {n} configurations disagree.")
    for name in table[CONFIGURATION].to_numpy():
        at = table.sel({CONFIGURATION: name})
        lead, status = float(at["leading"]), str(at["status"].item())
        who = f"{name} (version {at['version'].item()})"
        if math.isnan(lead):
            said.append(f"{who}: no arm leads ({status}).")
        else:
            best = at.sel({names.DOSE: lead})
            said.append(
                f"{who}: {with_unit(lead, table)} leads ({status}), Pr(best) "
                f"{probability(float(best['prob_best']))} (MCSE {error(float(best['prob_best_mcse']))})."
            )
        for pair in at[PAIR].to_numpy():
            x = at.sel({PAIR: pair})
            said.append(
                f"{who}, {pair}: all margins at once {probability(float(x['joint']))} "
                f"(MCSE {error(float(x['joint_mcse']))}), {x['meets'].item()}."
            )
    return tuple(said)
