"""Priors from statements that a clinician can make: expected probabilities, or quantiles."""
