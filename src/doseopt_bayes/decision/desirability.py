"""Utilities that are products: desirability and the multiplicative Clinical Utility Index."""

from __future__ import annotations

import functools
import operator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from doseopt_bayes.decision.cui import Attribute, Value
from doseopt_bayes.errors import DoseOptError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import xarray as xr

    from doseopt_bayes.decision.values import Target

__all__ = ["Desirability", "OnTarget", "Product"]


@dataclass(frozen=True)
class OnTarget(Attribute):
    """Attribute of a :class:`Desirability` that is best at a level and worse on both sides of it.

    Parameters
    ----------
    weight
        Relative weight, >= 0; weights are divided by their sum.
    target
        Its desirability.

    Notes
    -----
    It is neither a benefit nor a harm: a Clinical Utility Index or a product refuses it.

    Examples
    --------
    >>> from doseopt_bayes.decision.values import Target
    >>> print(OnTarget(1.0, target=Target(0.1, 0.2, 0.4)).target)
    1 at 0.2, 0 at 0.1 and 0.4, power 1 below and 1 above
    """

    direction: Literal["benefit", "harm"] = field(default="benefit", init=False, repr=False)
    value: Value | None = field(default=None, init=False, repr=False)
    target: Target = field(kw_only=True)

    @property
    def curve(self) -> Value:
        """Refuse: what asks for the value of a benefit or a harm cannot take a target."""
        raise DoseOptError(
            f"an attribute on target ({self.target}) rises and falls; only Desirability takes it",
            hint="use a value function of one direction here",
        )


def _curve(attribute: Attribute) -> Callable[[xr.DataArray], xr.DataArray]:
    return attribute.target if isinstance(attribute, OnTarget) else attribute.curve


def _shares(kind: object, attributes: Mapping[str, Attribute]) -> dict[str, float]:
    total = sum(a.weight for a in attributes.values())
    if total == 0:
        raise DoseOptError(
            f"{type(kind).__name__}: give at least one attribute with a weight > 0",
        )
    return {name: a.weight / total for name, a in attributes.items()}


def _product(values: Mapping[str, xr.DataArray], powers: Mapping[str, float]) -> xr.DataArray:
    # what is no number stays none, although NaN ** 0 is 1
    parts = [(v ** powers[n]).where(v.notnull()) for n, v in values.items()]
    return functools.reduce(operator.mul, parts).rename(None)


@dataclass(frozen=True)
class Desirability:
    """Weighted geometric mean of the attributes' desirabilities, between 0 and 1.

    One attribute of desirability 0 makes the whole 0: nothing makes up for it. That is what differs
    from :class:`~doseopt_bayes.decision.cui.CUI`.

    Parameters
    ----------
    attributes
        Variable name to :class:`~doseopt_bayes.decision.cui.Attribute` or
        :class:`OnTarget`. Values such as :class:`~doseopt_bayes.decision.values.Larger`.

    Raises
    ------
    DoseOptError
        Without attributes, or when all weights are 0.

    Notes
    -----
    Derringer and Suich (1980, J Quality Technology 12:214), weights as in Derringer (1994). Computed
    in each draw.

    Examples
    --------
    >>> import xarray as xr
    >>> d = Desirability({"p_eff": Attribute(1, "benefit"), "p_tox": Attribute(1, "harm")})
    >>> round(float(d({"p_eff": xr.DataArray(0.5), "p_tox": xr.DataArray(0.5)})), 12)
    0.5
    """

    attributes: Mapping[str, Attribute]

    def __post_init__(self) -> None:
        _shares(self, self.attributes)

    @property
    def reads(self) -> tuple[str, ...]:
        """Variables that it needs."""
        return tuple(self.attributes)

    @property
    def weights(self) -> dict[str, float]:
        """Weights divided by their sum."""
        return _shares(self, self.attributes)

    def __call__(self, draws: Mapping[str, xr.DataArray] | xr.Dataset) -> xr.DataArray:
        """Utility of each draw, with the dims of its inputs, between 0 and 1."""
        values = {n: _curve(a)(draws[n]) for n, a in self.attributes.items()}
        return _product(values, self.weights)

    def words(self) -> tuple[str, ...]:
        """Return what it says, a sentence each."""
        head = (
            "u = product of desirability ^ weight over the attributes (weights divided by their sum; "
            "Derringer and Suich 1980); one desirability of 0 makes it 0"
        )
        return (
            head,
            *(
                f"{name}: weight {self.weights[name]:.3f}, "
                f"{'target' if isinstance(a, OnTarget) else a.direction}, desirability {_curve(a)}"
                for name, a in self.attributes.items()
            ),
        )

    def __str__(self) -> str:
        return "\n  ".join(["Desirability", *self.words()])


@dataclass(frozen=True)
class Product:
    """Multiplicative Clinical Utility Index: product of value ^ weight, between 0 and 1.

    Parameters
    ----------
    attributes
        Variable name to :class:`~doseopt_bayes.decision.cui.Attribute`.
    floor
        Smallest value of a harm, in 0..1, so that one hopeless harm does not hide all differences.
    normalise
        Divide the weights by their sum; otherwise they are the exponents as given.

    Raises
    ------
    DoseOptError
        Without attributes, when all weights are 0, on an attribute on target, or on a floor outside
        0..1.

    Notes
    -----
    The multiplicative index of the CUI-MET application: p for a benefit, max(1 - p, 1e-6) for a harm.
    With ``floor=0, normalise=False`` and unit weights it is a plain product, such as the product of
    truncated lines of the Keyboard design.

    Examples
    --------
    >>> import xarray as xr
    >>> u = Product({"p_eff": Attribute(1, "benefit"), "p_tox": Attribute(1, "harm")}, normalise=False)
    >>> round(float(u({"p_eff": xr.DataArray(0.5), "p_tox": xr.DataArray(0.2)})), 12)
    0.4
    """

    attributes: Mapping[str, Attribute]
    floor: float = 1e-6
    normalise: bool = True

    def __post_init__(self) -> None:
        _shares(self, self.attributes)
        for attribute in self.attributes.values():
            _ = attribute.curve  # an attribute on target is refused here, not in the analysis
        if not 0 <= self.floor < 1:
            raise DoseOptError(f"Product: floor = {self.floor!r} must lie in 0..1, below 1")

    @property
    def reads(self) -> tuple[str, ...]:
        """Variables that it needs."""
        return tuple(self.attributes)

    @property
    def weights(self) -> dict[str, float]:
        """Exponents in force."""
        if self.normalise:
            return _shares(self, self.attributes)
        return {name: a.weight for name, a in self.attributes.items()}

    def __call__(self, draws: Mapping[str, xr.DataArray] | xr.Dataset) -> xr.DataArray:
        """Utility of each draw, with the dims of its inputs, between 0 and 1."""
        values = {n: a.curve(draws[n]) for n, a in self.attributes.items()}
        harms = {n for n, a in self.attributes.items() if a.direction == "harm"}
        kept = {n: v.clip(self.floor, None) if n in harms else v for n, v in values.items()}
        return _product(kept, self.weights)

    def words(self) -> tuple[str, ...]:
        """Return what it says, a sentence each."""
        scaled = "weights divided by their sum" if self.normalise else "weights as given"
        head = f"u = product of value ^ weight over the attributes ({scaled})"
        return (
            f"{head}; values of harms are at least {self.floor:g}" if self.floor else head,
            *(
                f"{name}: weight {self.weights[name]:.3f}, {a.direction}, value {a.curve}"
                for name, a in self.attributes.items()
            ),
        )

    def __str__(self) -> str:
        return "\n  ".join(["Multiplicative Clinical Utility Index", *self.words()])
