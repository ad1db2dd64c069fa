"""Designs and rules by the name that a specification file uses."""

from __future__ import annotations

from typing import Final

from doseopt_bayes.comparators.boin12 import BOIN12
from doseopt_bayes.comparators.interval import BOIN, MTPI, MTPI2, TPI, I3Plus3, Keyboard
from doseopt_bayes.comparators.three import ThreePlusThree
from doseopt_bayes.comparators.uboin import UBOIN

__all__ = ["DESIGNS", "INTERVAL_RULES"]

INTERVAL_RULES: Final[dict[str, type]] = {
    "boin": BOIN,
    "keyboard": Keyboard,
    "mtpi": MTPI,
    "mtpi_2": MTPI2,
    "tpi": TPI,
    "i3_plus_3": I3Plus3,
}
"""Rules of interval designs."""

DESIGNS: Final[dict[str, type]] = {
    "boin12": BOIN12,
    "u_boin": UBOIN,
    "three_plus_three": ThreePlusThree,
}
"""Designs with rules of their own."""
