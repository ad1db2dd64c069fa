"""Dose-response models. A new model is one file and one line here."""

from __future__ import annotations

from typing import Final

from doseopt_bayes.models.base import DoseModel
from doseopt_bayes.models.efftox import EffTox

__all__ = ["MODELS", "DoseModel", "EffTox"]

MODELS: Final[dict[str, type]] = {"efftox": EffTox}
"""Models by the name that a specification file uses."""
