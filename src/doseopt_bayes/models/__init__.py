"""Dose-response models. A new model is one file and one line here."""

from __future__ import annotations

from typing import Final

from doseopt_bayes.models.base import DoseModel
from doseopt_bayes.models.efftox import EffTox
from doseopt_bayes.models.saturated import Saturated

__all__ = ["MODELS", "DoseModel", "EffTox", "Saturated"]

MODELS: Final[dict[str, type]] = {"efftox": EffTox, "saturated": Saturated}
"""Models by the name that a specification file uses."""
