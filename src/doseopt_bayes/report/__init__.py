"""The report, its files and the proof that they are the ones that were written."""
