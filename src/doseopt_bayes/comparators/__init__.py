"""Designs that people know: tables of decisions by counts, with the selection at their end."""
