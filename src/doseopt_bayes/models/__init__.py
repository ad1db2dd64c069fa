"""Dose-response models. A new model is one file and one line here."""

from __future__ import annotations

from typing import Final

from doseopt_bayes.models.base import DoseModel
from doseopt_bayes.models.basket import Basket
from doseopt_bayes.models.blrm import BLRM
from doseopt_bayes.models.crm import CRM
from doseopt_bayes.models.efftox import EffTox
from doseopt_bayes.models.saturated import Saturated

__all__ = ["BLRM", "CRM", "MODELS", "Basket", "DoseModel", "EffTox", "Saturated"]

MODELS: Final[dict[str, type]] = {
    "efftox": EffTox,
    "saturated": Saturated,
    "crm": CRM,
    "blrm": BLRM,
    "basket": Basket,
}
"""Models by the name that a specification file uses."""
