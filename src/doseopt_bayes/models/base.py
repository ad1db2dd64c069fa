"""What every dose-response model promises, and where models are registered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from doseopt_bayes.data.trial import TrialData
    from doseopt_bayes.priors import Prior

__all__ = ["DoseModel", "Recipe"]


class Recipe(Protocol):
    """A frozen recipe: priors and equations, no data; of doses or of exposures.

    ``build(data)`` is the only place where the model's likelihood is written.
    """

    @property
    def unit(self) -> str:
        """Unit of what is on the x axis, doses or exposures."""

    @property
    def priors(self) -> Mapping[str, Prior]:
        """Priors in force by parameter name."""

    @property
    def endpoints(self) -> tuple[str, ...]:
        """Endpoints that it reads."""

    @property
    def scale(self) -> str:
        """Scale and unit of the parameters, in words for the table of parameters."""

    def build(self, data: Any) -> Any:
        """Return the PyMC model of these data (a ``pymc.Model``)."""

    def words(self) -> tuple[str, ...]:
        """Return the model's equations, links and choices, a sentence each."""


class DoseModel(Recipe, Protocol):
    """A frozen recipe: doses and priors, no data.

    ``build(data)`` registers the probabilities that a utility reads (``p_tox``, ``p_eff``; of each
    endpoint ``p_`` and its name) over the dim ``dose``, and when the outcomes of a patient can be listed
    also ``p_cell`` over (dose, cell), from which the observed nodes are built. A model of toxicity alone
    has no ``p_cell``: its likelihood is that of its margin.
    """

    @property
    def doses(self) -> tuple[float, ...]:
        """Candidate doses, ascending, in `unit`."""

    def build(self, data: TrialData) -> Any:
        """Return the PyMC model of these data (a ``pymc.Model``)."""
