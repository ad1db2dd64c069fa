"""Trial data: strict reading, counting, and the ledger of who was analysed."""

from __future__ import annotations

from doseopt_bayes.data.columns import CountColumns, PatientColumns
from doseopt_bayes.data.read.table import changed_rows
from doseopt_bayes.data.trial import TrialData

__all__ = ["CountColumns", "PatientColumns", "TrialData", "changed_rows"]
