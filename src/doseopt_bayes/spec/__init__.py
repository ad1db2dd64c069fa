"""The specification file: a pre-specified analysis that a clinician can read."""
